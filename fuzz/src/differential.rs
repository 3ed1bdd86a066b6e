//! The same rules and requests, judged here and by ModSecurity v3: the same status, and the same rules in the same words.

use crate::differences::{Difference, known};
use crate::draw::Draw;
use crate::peer::{Answer, Peer, PeerEnding};
use crate::reduce::reduce;
use crate::request::Request;
use crate::shared_rules::{SEVERAL, draw_shared_rules};
use secrule::Waf;
use secrule::internals::record::error_log;
use std::collections::BTreeMap;

/// Rules, directive by directive, and a request.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The directives; a chain is one.
    pub rules: Vec<String>,
    /// Requests before it, which may leave something in persistent collections.
    pub earlier: Vec<Request>,
    /// The request.
    pub request: Request,
}

impl Scenario {
    /// Its requests in their order.
    pub fn requests(&self) -> Vec<Request> {
        self.earlier.iter().chain([&self.request]).cloned().collect()
    }
}

/// What both sides say of a scenario, where they do not say the same.
#[derive(Debug)]
pub struct Disagreement {
    /// The smallest scenario that was found to disagree.
    pub scenario: Scenario,
    /// What we say.
    pub ours: String,
    /// What v3 says.
    pub theirs: String,
    /// Why, if it is known.
    pub known: Option<&'static Difference>,
}

/// How many pairs of rules and a request were judged, and what came of it.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    /// Pairs that both sides judged.
    pub pairs: usize,
    /// Pairs of which a rule of the scenario wrote a line, here and there.
    pub matched: usize,
    /// Pairs that a rule stopped, here and there.
    pub stopped: usize,
    /// Rule sets that both sides loaded.
    pub rule_sets: usize,
    /// Rule sets that both sides refused.
    pub refused: usize,
    /// Rule sets that brought v3's process to its end, or that it did not answer in time.
    pub crashed: usize,
    /// Pairs that ended differently for a reason that is listed, by its name.
    pub known: BTreeMap<&'static str, usize>,
}

/// Judges what some bytes choose. Gives what nobody has explained.
pub fn compare(data: &[u8], peer: &mut Peer, compared: &mut Compared) -> Vec<Disagreement> {
    let mut draw = Draw::new(data);
    let requests: Vec<_> = (0..draw.between(1, 6)).map(|_| Request::draw(&mut draw)).collect();
    let rules = draw_shared_rules(&mut draw);
    let text = rules.join("\n") + "\n";
    let scenario = |at: usize| {
        let earlier = requests.iter().take(at).filter(|_| text.contains("initcol")).cloned().collect();
        requests.get(at).map(|request| Scenario { rules: rules.clone(), earlier, request: request.clone() })
    };
    let differing: Vec<Scenario> = match (judge(&text, &requests), peer.ask(&text, &requests)) {
        (_, Answer::Crashed | Answer::Silent) => {
            compared.crashed += 1;
            Vec::new()
        }
        (Err(_), Answer::Refused(_)) => {
            compared.refused += 1;
            Vec::new()
        }
        (Ok(ours), Answer::Judged(theirs)) => {
            compared.rule_sets += 1;
            let pairs = ours.iter().zip(&theirs).enumerate();
            pairs.filter(|(_, (ours, theirs))| !compared.count(ours, theirs)).filter_map(|(at, _)| scenario(at)).collect()
        }
        (Ok(_), Answer::Refused(_)) | (Err(_), Answer::Judged(_)) => scenario(0).into_iter().collect(),
    };
    let disagreements = differing.into_iter().map(|scenario| explain(scenario, peer));
    let unexplained = disagreements.filter(|disagreement| match disagreement.known {
        Some(difference) => {
            *compared.known.entry(difference.name).or_default() += 1;
            false
        }
        None => true,
    });
    unexplained.collect()
}

impl Compared {
    /// Counts a pair; whether it ended alike.
    fn count(&mut self, ours: &PeerEnding, theirs: &PeerEnding) -> bool {
        let alike = told(ours) == told(theirs);
        self.pairs += 1;
        let writes = ours.lines.iter().any(|line| !line.contains(" [id \"9"));
        self.matched += usize::from(alike && writes);
        self.stopped += usize::from(alike && ours.status > 0);
        alike
    }
}

fn explain(scenario: Scenario, peer: &mut Peer) -> Disagreement {
    let refusals = |said: &Said| [&said.ours, &said.theirs].map(|side| side.starts_with(REFUSED).then(|| side.clone()));
    let kind = said(&scenario, peer).map(|said| refusals(&said));
    let scenario =
        reduce(scenario, |smaller| said(smaller, peer).is_some_and(|said| said.ours != said.theirs && Some(refusals(&said)) == kind));
    let Said { ours, theirs } = said(&scenario, peer).unwrap_or_default();
    let known = known(&scenario, &ours, &theirs);
    Disagreement { scenario, ours, theirs, known }
}

/// What both sides say of a scenario.
#[derive(Default)]
struct Said {
    ours: String,
    theirs: String,
}

const REFUSED: &str = "refused: ";

/// Nothing where v3 crashes, or where both sides refuse the rules, each in its words.
fn said(scenario: &Scenario, peer: &mut Peer) -> Option<Said> {
    let text = scenario.rules.join("\n") + "\n";
    let requests = &scenario.requests();
    let all = |endings: &[PeerEnding]| endings.iter().map(told).collect();
    match (judge(&text, requests), peer.ask(&text, requests)) {
        (Ok(ours), Answer::Judged(theirs)) => Some(Said { ours: all(&ours), theirs: all(&theirs) }),
        (Ok(ours), Answer::Refused(reason)) => Some(Said { ours: all(&ours), theirs: format!("{REFUSED}{}", reason_alone(&reason)) }),
        (Err(error), Answer::Judged(theirs)) => Some(Said { ours: format!("{REFUSED}{error}"), theirs: all(&theirs) }),
        _ => None,
    }
}

/// A reason without the place that it begins with.
fn reason_alone(reason: &str) -> &str {
    reason.split_once("Column: ").and_then(|(_, rest)| rest.split_once(". ")).map_or(reason, |(_, reason)| reason)
}

/// Judges requests by rules here, as the C interface would.
fn judge(rules: &str, requests: &[Request]) -> Result<Vec<PeerEnding>, String> {
    let waf = Waf::builder().without_logs().rules("rules", rules).build();
    let waf =
        waf.map_err(|error| error.errors().next().map_or_else(String::new, |first| format!("{}: {}", first.code.as_str(), first.message)))?;
    Ok(requests.iter().map(|request| ending(&waf, request)).collect())
}

fn ending(waf: &Waf, request: &Request) -> PeerEnding {
    let (transaction, decisions) = request.lead(waf.transaction());
    let passed = transaction.rule_matches().iter().filter(|found| !found.disruptive);
    let mut lines: Vec<_> = passed.map(|found| error_log::line(&transaction, found)).collect();
    let decided =
        decisions.iter().map(|decision| error_log::intervention(&transaction, decision).replace("%d", &decision.status().to_string()));
    lines.extend(decided);
    PeerEnding { status: decisions.first().map_or(0, |decision| decision.status()), lines }
}

/// What must be alike of an ending: the status, and of each line what depends neither on the process nor on the order of values.
fn told(ending: &PeerEnding) -> String {
    // A decision is told at once, and what is logged behind it later: as a set of lines the order of both is the same.
    let mut lines: Vec<_> = ending.lines.iter().filter_map(|line| told_by(line)).collect();
    lines.sort();
    format!("{}\n{}\n", ending.status, lines.join("\n"))
}

fn told_by(line: &str) -> Option<String> {
    let (before, fields) = line.split_once(" [id \"")?;
    let id: usize = fields.split_once('"')?.0.parse().ok()?;
    let fields = fields.split_once(" [hostname ").map_or(fields, |(fields, _)| fields);
    let what = before.split_once(" [file ").map_or(before, |(what, _)| what);
    let several = (SEVERAL..2 * SEVERAL).contains(&id) && id < SEVERAL + 100;
    let what = if several { what.split_once(" Matched ").map_or(what, |(head, _)| head) } else { what };
    Some(format!("{id:03} {what} [{fields}"))
}
