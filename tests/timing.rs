//! Times that observers receive: of phases, and of rules in the exchanges that they select.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used)]

use http::Request;
use secrule::{Connection, Observer, Phase, RuleTime, Transaction, Waf};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const RULES: &str = "SecRuleEngine On\nSecRequestBodyAccess On\n\
    SecRule REQUEST_URI \"@rx a\" \"id:1,phase:1,pass,nolog,msg:'One of %{REQUEST_METHOD}'\"\n\
    SecRule ARGS:q \"@rx b\" \"id:2,phase:2,pass,nolog,chain\"\nSecRule REQUEST_URI \"@rx c\" \"t:none\"\n\
    SecRule ARGS \"@contains never\" \"id:3,phase:2,deny\"";

/// Notes the phases of all exchanges, and the rules of each second one.
#[derive(Debug, Default)]
struct Timed {
    begun: AtomicUsize,
    phases: Mutex<Vec<u8>>,
    rules: Mutex<Vec<(u64, u64, String)>>,
}

impl Observer for Timed {
    fn times_phases(&self) -> bool {
        true
    }

    fn phase_ended(&self, _: &Transaction, phase: Phase, time: Duration) {
        assert!(time < Duration::from_secs(60));
        self.phases.lock().unwrap().push(phase.number());
    }

    fn times_rules(&self) -> bool {
        self.begun.fetch_add(1, Ordering::Relaxed) % 2 == 1
    }

    fn rules_timed(&self, _: &Transaction, rules: &[RuleTime<'_>]) {
        let rules = rules.iter().map(|timed| (timed.rule.id(), timed.evaluations, timed.rule.message().to_owned()));
        self.rules.lock().unwrap().extend(rules);
    }
}

/// Wants nothing.
#[derive(Debug)]
struct Indifferent;

impl Observer for Indifferent {
    fn phase_ended(&self, _: &Transaction, _: Phase, _: Duration) {
        unreachable!("nobody asked")
    }

    fn rules_timed(&self, _: &Transaction, _: &[RuleTime<'_>]) {
        unreachable!("nobody asked")
    }
}

fn request(waf: &Waf, target: &str) {
    let mut tx = waf.begin(Connection::new(([192, 0, 2, 7], 40000).into(), ([198, 51, 100, 1], 443).into()));
    let head = Request::get(target).header("host", "shop.example").body(()).unwrap().into_parts().0;
    tx.request_head(&head).unwrap();
    tx.request_end().unwrap();
    tx.finish();
}

#[test]
fn each_phase_that_a_call_runs_has_its_time() {
    let timed = Arc::new(Timed::default());
    let waf = Waf::builder().rules("rules", RULES).observer(timed.clone()).build().unwrap();
    request(&waf, "/");
    assert_eq!(*timed.phases.lock().unwrap(), [0, 1, 2, 5]);
    waf.reload(Waf::builder().rules("rules", "SecRuleEngine Off")).unwrap();
    request(&waf, "/");
    assert_eq!(timed.phases.lock().unwrap().len(), 4, "an engine that is off runs no phase");
}

#[test]
fn rules_of_selected_exchanges_have_their_times() {
    let timed = Arc::new(Timed::default());
    let waf = Waf::builder().rules("rules", RULES).observer(timed.clone()).build().unwrap();
    request(&waf, "/abc?q=b");
    assert!(timed.rules.lock().unwrap().is_empty(), "it was not selected");
    request(&waf, "/abc?q=b");
    let found = std::mem::take(&mut *timed.rules.lock().unwrap());
    let expected = [(1, 1, "One of %{REQUEST_METHOD}".to_owned()), (2, 1, String::new())];
    assert_eq!(found, expected, "the chain counts as its first rule; what the prefilter ruled out is not there");
}

#[test]
fn an_observer_that_did_not_ask_hears_of_no_times() {
    let waf = Waf::builder().rules("rules", RULES).observer(Arc::new(Indifferent)).build().unwrap();
    request(&waf, "/abc?q=b");
}

#[test]
fn loads_of_the_same_texts_have_the_same_fingerprint() {
    let fingerprint = |name: &str, text: &str| Waf::builder().rules(name, text).build().unwrap().report().fingerprint().to_owned();
    let known = fingerprint("here", RULES);
    assert!(known.len() == 16 && known.bytes().all(|digit| digit.is_ascii_hexdigit()), "{known}");
    assert_eq!(fingerprint("there", RULES), known);
    assert_ne!(fingerprint("here", &RULES.replace("deny", "pass")), known);
}
