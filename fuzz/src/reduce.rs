//! Scenarios made smaller while they still disagree.

use crate::differential::Scenario;

/// The smallest scenario that still disagrees, as far as leaving things out leads.
pub fn reduce(mut scenario: Scenario, mut disagrees: impl FnMut(&Scenario) -> bool) -> Scenario {
    loop {
        let before = format!("{scenario:?}").len();
        for at in (0..scenario.earlier.len()).rev() {
            attempt(&mut scenario, &mut disagrees, |smaller| drop(smaller.earlier.remove(at)));
        }
        for at in (0..scenario.rules.len()).rev() {
            attempt(&mut scenario, &mut disagrees, |smaller| drop(smaller.rules.remove(at)));
        }
        attempt(&mut scenario, &mut disagrees, |smaller| smaller.request.pieces = 1);
        for at in 0..scenario.rules.len() {
            for mark in [",", "|", "\n"] {
                shorten(&mut scenario, &mut disagrees, mark, |smaller| &mut smaller.rules[at]);
            }
        }
        for at in (0..scenario.request.headers.len()).rev() {
            attempt(&mut scenario, &mut disagrees, |smaller| drop(smaller.request.headers.remove(at)));
        }
        attempt(&mut scenario, &mut disagrees, |smaller| smaller.request.content_type = "text/plain");
        for at in 0..scenario.request.headers.len() {
            shorten(&mut scenario, &mut disagrees, "", |smaller| &mut smaller.request.headers[at].1);
        }
        // A body with a fault would be another scenario: documents stay whole, multipart loses whole parts.
        match scenario.request.content_type {
            "application/json" | "text/xml" => {}
            form if form.starts_with("multipart/") => {
                shorten(&mut scenario, &mut disagrees, "--b\r\n", |smaller| &mut smaller.request.body);
            }
            _ => shorten(&mut scenario, &mut disagrees, "", |smaller| &mut smaller.request.body),
        }
        shorten(&mut scenario, &mut disagrees, "", |smaller| &mut smaller.request.response);
        shorten(&mut scenario, &mut disagrees, "", |smaller| &mut smaller.request.target);
        if format!("{scenario:?}").len() == before {
            return scenario;
        }
    }
}

fn attempt(scenario: &mut Scenario, disagrees: &mut impl FnMut(&Scenario) -> bool, change: impl Fn(&mut Scenario)) -> bool {
    let mut smaller = scenario.clone();
    change(&mut smaller);
    let changed = smaller.request != scenario.request || smaller.earlier != scenario.earlier || smaller.rules != scenario.rules;
    // A quote that is never closed, or a chain that goes on nowhere, would be another scenario altogether.
    let whole = smaller.rules.iter().all(|rule| rule.matches('"').count() % 2 == 0 && !rule.ends_with("chain\""));
    let goes_on = changed && whole && disagrees(&smaller);
    if goes_on {
        *scenario = smaller;
    }
    goes_on
}

/// Leaves out parts of a text, large ones first; the text is cut at a mark, or anywhere.
fn shorten(
    scenario: &mut Scenario,
    disagrees: &mut impl FnMut(&Scenario) -> bool,
    mark: &str,
    text: impl Fn(&mut Scenario) -> &mut String,
) {
    let parts = |text: &str| -> Vec<String> {
        if mark.is_empty() { text.chars().map(String::from).collect() } else { text.split(mark).map(str::to_owned).collect() }
    };
    let mut size = parts(text(scenario)).len().max(1).div_ceil(2);
    loop {
        let mut at = 0;
        while at < parts(text(scenario)).len() {
            let left_out = |smaller: &mut Scenario| {
                let mut list = parts(text(smaller));
                let end = (at + size).min(list.len());
                list.drain(at..end);
                *text(smaller) = list.join(mark);
            };
            if !attempt(scenario, disagrees, left_out) {
                at += size;
            }
        }
        if size == 1 {
            return;
        }
        size = size.div_ceil(2);
    }
}
