//! Numbers that other pages than that of the collector show.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used)]

use secrule::{Connection, Phase, Waf};
use secrule_metrics::Metrics;
use std::sync::Arc;

fn judge(waf: &Waf, target: &str) {
    let mut transaction = waf.begin(Connection::new(([192, 0, 2, 7], 40_000).into(), ([198, 51, 100, 1], 443).into()));
    let (head, ()) = http::Request::get(target).body(()).unwrap().into_parts();
    let _ = transaction.request_head(&head);
    transaction.finish();
}

#[test]
fn hits_and_exchanges_are_counted_and_the_most_frequent_rule_comes_first() {
    let metrics = Arc::new(Metrics::default());
    let rules = "SecRuleEngine On\nSecRule ARGS \"a\" \"id:1,phase:1,pass,log,msg:'A'\"\nSecRule ARGS \"b\" \"id:2,phase:1,deny,log,msg:'B'\"\n\
        SecRule ARGS \"c\" \"id:3,phase:1,redirect:'/'\"";
    let waf = Waf::builder().rules("rules", rules).observer(metrics.clone()).build().unwrap();
    for target in ["/?x=b", "/?x=a", "/?x=ab", "/?x=c", "/?x=b"] {
        judge(&waf, target);
    }
    assert_eq!((metrics.exchanges(), metrics.stopped()), (5, 4));
    assert_eq!(metrics.most_frequent_rules(10), [(2, 3), (1, 2), (3, 1)]);
    assert_eq!(metrics.most_frequent_rules(1), [(2, 3)]);
    let runs = |phase: Phase| metrics.phase_times().into_iter().find(|time| time.phase == phase).map(|time| time.runs);
    assert_eq!((runs(Phase::RequestHeaders), runs(Phase::ResponseHeaders)), (Some(5), Some(0)));
    // The second exchange is timed: all rules but the first one are ruled out.
    let slowest: Vec<_> = metrics.slowest_rules(10).into_iter().map(|rule| (rule.id, rule.message, rule.hits)).collect();
    assert_eq!(slowest, [(1, "A".to_owned(), 2)]);
}

#[test]
fn a_load_that_fails_is_told_until_one_does_not() {
    let metrics = Arc::new(Metrics::default());
    let waf = Waf::builder().rules("rules", "SecRuleEngine On").observer(metrics.clone()).build().unwrap();
    assert!(waf.reload(Waf::builder().rules("new", "SecRule ARGS")).is_err());
    assert!(metrics.failed_load().unwrap().text.contains("new:1"));
    metrics.note_failed_load(&"ä".repeat(10_000));
    assert_eq!(metrics.failed_load().unwrap().text.len(), 16 << 10);
    waf.reload(Waf::builder().rules("new", "SecRuleEngine On")).unwrap();
    assert_eq!((metrics.failed_load(), metrics.loads().0), (None, 1));
}
