//! The starter rules judge any bytes as request and response, and end alike with and without a plan.

#![no_main]

use libfuzzer_sys::fuzz_target;
use secrule::Waf;
use secrule_fuzz::message::lead;
use secrule_testkit::ending::Pair;
use std::sync::LazyLock;

static RULES: LazyLock<Pair> = LazyLock::new(|| Pair::load(|| Waf::builder().starter_rules()).expect("the starter rules are valid"));

fuzz_target!(|data: &[u8]| {
    let (planned, unplanned) = RULES.endings(|transaction| lead(transaction, data));
    assert_eq!(planned, unplanned);
});
