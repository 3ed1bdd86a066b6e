//! Rules and requests, judged with and without a plan.

use crate::draw::Draw;
use crate::request::Request;
use crate::rules::draw_rules;
use secrule::Waf;
use secrule_testkit::ending::Pair;

/// How many requests were judged by how many rule sets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Judged {
    /// Rule sets that were loaded, each with and without a plan.
    pub rule_sets: usize,
    /// Rule sets that were refused, in the same words.
    pub refused: usize,
    /// Requests that were judged, each with and without a plan.
    pub requests: usize,
    /// Requests about which a rule wrote something down.
    pub matched: usize,
}

/// Judges the requests that some bytes choose by the rules that they choose.
///
/// # Panics
/// When one ends differently with and without a plan.
pub fn compare(data: &[u8], judged: &mut Judged) {
    let mut draw = Draw::new(data);
    let requests: Vec<_> = (0..draw.between(1, 6)).map(|_| Request::draw(&mut draw)).collect();
    let rules = draw_rules(&mut draw);
    let Some(pair) = Pair::load(|| Waf::builder().rules("rules", &rules)) else {
        judged.refused += 1;
        return;
    };
    judged.rule_sets += 1;
    for request in &requests {
        let (planned, unplanned) = pair.endings(|transaction| request.lead(transaction));
        judged.requests += 1;
        judged.matched += usize::from(planned.has_matches());
        assert_eq!(planned, unplanned, "{request:?} ends differently with\n{rules}");
    }
}
