//! Measures the limit of a transaction's memory: the additional memory of the process stays within a small factor of it.
//!
//! This test is alone in its process, because it measures the memory of the whole process.

use secrule::internals::vocabulary::Limit;
use secrule_testkit::exchange::{Request, Rules};
use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use std::process::ExitCode;
use std::{fs, io};

fn main() -> ExitCode {
    trials::run([trial!(what_a_transaction_takes_stays_within_a_small_factor_of_its_limit, [Needs::Writable("/proc/self/clear_refs")])])
}

/// Rules that need much bookkeeping for each value.
const RULES: &str = r#"
SecArgumentsLimit 100000000
SecRequestBodyJsonNodesLimit 100000000
SecCookiesLimit 100000000
SecHeaderBytesLimit 100000000
SecRule REQUEST_HEADERS:Content-Type "@contains json" "id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule ARGS|!ARGS:x "@rx attack[0-9]" "id:2,phase:2,deny,t:urlDecodeUni,t:lowercase"
SecRule ARGS|ARGS_NAMES|REQUEST_COOKIES "@rx evil[0-9]" "id:3,phase:2,deny,t:hexEncode,t:base64Encode"
SecRule ARGS|REQUEST_COOKIES "@unconditionalMatch" "id:4,phase:2,pass,log,logdata:'%{MATCHED_VAR}',setvar:'tx.a%{MATCHED_VAR}=1'"
SecRule ARGS_NAMES "@unconditionalMatch" "id:5,phase:2,pass,log,multiMatch,t:hexEncode"
"#;

/// Number of rules in a chain that match, one after the other, and so add to MATCHED_VARS.
const MATCHING: usize = 90;

/// The limit, in bytes.
const LIMIT: usize = 16 << 20;

/// Lists double when they grow, and are copied when they do.
const FACTOR: usize = 3;

/// Number of values: without a limit they take ten times as much memory.
const VALUES: usize = 1_000_000;

/// This number of values fits; the bookkeeping of rules for them does not.
const ASKED_ABOUT: usize = 50_000;

/// This number of values fits with the bookkeeping of one rule; the matches of many rules do not.
const MATCHED: usize = 10_000;

/// Returns the current and the peak memory of the process, in bytes.
fn memory() -> (usize, usize) {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let read = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_ascii_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
    };
    (read("VmRSS:"), read("VmHWM:"))
}

/// Resets the peak.
fn forget_peak() -> io::Result<()> {
    fs::write("/proc/self/clear_refs", "5")
}

/// Returns the additional peak memory while a request is judged, in bytes, and `true` if the limit was exceeded.
fn judged(limit: usize, rules: &str, request: Request<'_>) -> (usize, bool) {
    let rules = Rules::at_level(0, &format!("SecTransactionMemoryLimit {limit}\n{rules}"), &[]);
    forget_peak().unwrap();
    let (before, _) = memory();
    let judged = rules.judge(request);
    let (_, peak) = memory();
    (peak.saturating_sub(before), judged.transaction.limits().contains(Limit::Memory))
}

fn what_a_transaction_takes_stays_within_a_small_factor_of_its_limit() {
    let numbered = |values: usize, write: fn(usize) -> String| (0..values).map(write).collect::<String>();
    let tiny = "a&".repeat(VALUES);
    let distinct = numbered(VALUES, |number| format!("{number:x}={number:x}&"));
    let asked_about = numbered(ASKED_ABOUT, |number| format!("{number:x}={number:x}&"));
    let json = format!("[{}0]", numbered(VALUES, |number| format!("{number},")));
    let cookies = numbered(VALUES, |number| format!("{number:x}={number:x};"));
    let matched = "a&".repeat(MATCHED);
    let matching = format!(
        "SecRule ARGS \"@unconditionalMatch\" \"id:1,phase:2,pass,nolog,chain\"\n{}SecRule ARGS \"@unconditionalMatch\" \"t:none\"\n",
        "SecRule ARGS \"@unconditionalMatch\" \"chain\"\n".repeat(MATCHING)
    );
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let query = format!("/?{distinct}");
    let requests = [
        ("tiny", RULES, Request { headers: &form, body: Some(&tiny), ..Request::default() }),
        ("distinct", RULES, Request { headers: &form, body: Some(&distinct), ..Request::default() }),
        ("asked about", RULES, Request { headers: &form, body: Some(&asked_about), ..Request::default() }),
        ("query", RULES, Request { target: &query, ..Request::default() }),
        ("json", RULES, Request { headers: &[("Content-Type", "application/json")], body: Some(&json), ..Request::default() }),
        ("matched", matching.as_str(), Request { headers: &form, body: Some(&matched), ..Request::default() }),
        ("cookies", RULES, Request { headers: &[("Cookie", &cookies)], ..Request::default() }),
    ];
    for (what, rules, request) in requests {
        let sent =
            request.target.len() + request.body.map_or(0, str::len) + request.headers.iter().map(|(_, value)| value.len()).sum::<usize>();
        let (taken, exceeded) = judged(LIMIT, rules, request);
        trials::note(&format!("{what}: {sent} bytes sent, {taken} taken"));
        assert!(exceeded, "{what}");
        assert!(taken < FACTOR * (LIMIT + sent), "{what}: {taken} bytes are taken, {sent} were sent");
    }
    let few = Request { target: "/?a=1&b=2", ..Request::default() };
    assert!(!judged(1 << 20, RULES, few).1);
}
