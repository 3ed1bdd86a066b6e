//! Verdicts of the starter rules on sample traffic: `testkit/examples/traffic.rs` shows which rule did it.

use secrule::Waf;
use secrule_testkit::traffic::{self, Class, Half, Judged, Rate};
use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use std::process::ExitCode;

const SAMPLES: &str = "traffic/requests.gz";

/// Percent of the attacks that are denied at least, and of the harmless requests that are denied at most. They may only become better.
const DETECTION: f64 = 94.0;
const FALSE_ALARMS: f64 = 0.15;

fn main() -> ExitCode {
    trials::run([trial!(the_starter_rules_tell_attacks_from_harmless_requests, [Needs::Shared(SAMPLES)])])
}

fn the_starter_rules_tell_attacks_from_harmless_requests() {
    let waf = Waf::builder().starter_rules().build().unwrap();
    let samples = traffic::read(&secrule_testkit::shared(SAMPLES));
    let judged = traffic::judge(&waf, &samples);
    for half in [Half::Tuning, Half::Check] {
        let [attacks, harmless] = rates(&judged, |judged| judged.sample.half == half);
        trials::note(&format!("{half:?}: {:.2} % of the attacks, {:.2} % of the harmless requests", attacks.percent(), harmless.percent()));
        assert!(attacks.total >= 100 && harmless.total >= 1000, "{half:?} has too few samples to judge by: {attacks:?}, {harmless:?}");
    }
    let [attacks, harmless] = rates(&judged, |_| true);
    assert!(attacks.percent() >= DETECTION, "of the attacks {attacks:?}");
    assert!(harmless.percent() <= FALSE_ALARMS, "of the harmless requests {harmless:?}");
}

fn rates(judged: &[Judged<'_>], chosen: impl Fn(&Judged<'_>) -> bool) -> [Rate; 2] {
    [Class::Attack, Class::Harmless].map(|class| Rate::of(judged, class, &chosen))
}
