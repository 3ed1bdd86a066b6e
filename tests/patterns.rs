//! Patterns in rules: patterns of PCRE2 load and give the same results, and slow ones are stopped.

use secrule::internals::vocabulary::Limit;
use secrule_testkit::exchange::{Judged, Request, Rules, refusal};

fn rules(rule: &str) -> Rules {
    Rules::new(rule, &[])
}

fn form(rules: &Rules, body: &str) -> Judged {
    rules.judge(Request { body: Some(body), ..Request::default() })
}

fn exceeds(judged: &Judged, limit: Limit) -> bool {
    judged.transaction.limits().contains(limit)
}

/// Returns the work of a request in units of its budget.
fn work(rules: &Rules, judged: &Judged) -> usize {
    rules.waf.graph().settings.limit(Limit::Budget) - judged.transaction.budget_left()
}

#[test]
fn what_pcre2_takes_loads_matches_and_captures() {
    // The pattern, an input that it matches with its first capture, and an input that it does not match.
    for (pattern, hit, captured, miss) in [
        (r"^(\p{L})\P{L}$", "a1", "a", "1a"),
        ("(*UTF8)^(.)$", "’", "’", "ab"),
        (r"(*UTF)(*UCP)^(\w)$", "é", "é", "%2C"),
        ("^(?|a(b)|c(d))$", "cd", "d", "ce"),
        (r"^(\((?:[^()]|(?1))*\))$", "(a(b)c)", "(a(b)c)", "(a(b)c"),
        (r"^(a(?R)?b|x)$", "x", "x", "axbx"),
        (r"(?(DEFINE)(?<d>\d))^((?&d)(?P>d))$", "12", "", "1x"),
        (r"^(\w)\g<1>\k'n'(?<n>x)|(y)$", "y", "", "z"),
        ("^(?(?=a)(ab)|cd)$", "ab", "ab", "ad"),
        (r"^(a)?b(?(1)c|d)$", "abc", "a", "abd"),
        ("a(*COMMIT)(b)|(c)", "ab", "b", "acc"),
        ("a(*SKIP)(*FAIL)|(b)", "ab", "b", "a"),
        (r"^([\Qa-\E]+)$", "a-", "a-", "b"),
        (r"^([\g])\X$", "gx", "g", "x"),
        ("^(?C1)(a)(?C'x')$", "a", "a", "b"),
        ("^((?>a+))b", "aab", "aa", "aac"),
        (r"^(\d*)+", "12x", "", ""),
    ] {
        let rules = rules(&format!("SecRule ARGS:q \"@rx {pattern}\" \"id:1,phase:2,pass,capture,setvar:'tx.first=%{{TX.1}}'\""));
        let found = form(&rules, &format!("q={hit}"));
        assert_eq!(found.tx("first").as_deref(), Some(captured), "{pattern} captures");
        let missed = !miss.is_empty() && form(&rules, &format!("q={miss}")).tx("first").is_some();
        assert!(!missed, "{pattern} does not match {miss}");
    }
}

#[test]
fn a_group_within_a_repetition_of_zero_times_captures_nothing() {
    // Long inputs are searched by following all states at once.
    for length in [1, 100_000] {
        let rule = "SecRule ARGS:q \"@rx (?:((((a))))){0}(?:b|bb)*$\" \"id:1,phase:2,deny,capture,logdata:'%{TX.0} %{TX.1}'\"";
        let judged = form(&rules(rule), &format!("q={}", "b".repeat(length)));
        assert_eq!(judged.status(), Some(403), "{length}");
    }
}

#[test]
fn look_behind_without_a_fixed_length_is_refused_where_it_stands() {
    let refused = refusal("SecRule ARGS \"@rx a(?<=b+)c\" \"id:1,phase:2,pass\"", &[]);
    assert!(refused.contains("look-behind must have a fixed length"), "{refused}");
}

#[test]
fn patterns_that_backtrack_end_soon_whatever_they_meet() {
    let letters = "a".repeat(200_000);
    for (pattern, ending) in [
        ("a++b", ""),
        ("(?>a+)b", "cab"),
        ("a(?!.*a)b", "cb"),
        ("a(?=.*b)c", "bdac"),
        ("(?<!a)c", "c"),
        ("(?:a(?=.*b))*c", "bdc"),
        (r"(a+)\1x", "cx"),
        (r"(a(?1)?)x", "cx"),
        ("(?:(a+)(?(1)a|b))+c", "dc"),
    ] {
        let rules = rules(&format!("SecRule ARGS \"@rx {pattern}\" \"id:1,phase:2,pass\""));
        let judged = form(&rules, &format!("q={letters}{ending}"));
        // Each byte and each step of a search that is given up counts.
        assert!(work(&rules, &judged) < 200_000_000, "{pattern}: {}", work(&rules, &judged));
    }
}

#[test]
fn counted_repetitions_count_against_the_budget() {
    // Letters in an order without a pattern.
    let mixed: String = (0..200_000_u32).map(|at| if at.wrapping_mul(0x9E37_79B9) >> 31 == 0 { 'a' } else { 'b' }).collect();
    for pattern in ["a(.{0,900})b(.{0,900})[^a]b$", "a(?:[ab]{5,50}a){3,40}[c-z]", "a[ab]{1,3000}[c-z]"] {
        let rules = rules(&format!("SecRule ARGS \"@rx {pattern}\" \"id:1,phase:2,pass,log,capture\""));
        let judged = form(&rules, &format!("q={mixed}"));
        assert_eq!((judged.status(), exceeds(&judged, Limit::Budget)), (Some(403), true), "{pattern}");
        assert_eq!(form(&rules, &format!("q={}", "c".repeat(200_000))).status(), None, "{pattern}");
    }
}

#[test]
fn a_pattern_that_a_request_makes_large_is_an_event() {
    let rules = rules("SecRule ARGS \"@rx %{ARGS.p}\" \"id:1,phase:2,pass,nolog\"");
    let judged = form(&rules, "p=(%3f:a{0,1000}){0,1000}b&a=aaaa");
    assert!(exceeds(&judged, Limit::PatternSteps) && judged.status().is_none());
    assert_eq!(judged.tx("MSC_PCRE_LIMITS_EXCEEDED").as_deref(), Some("1"));
}

#[test]
fn a_macro_of_a_collection_takes_time_that_is_linear_in_its_members() {
    let body: String = (0..50_000).map(|number| format!("a{number}=v{number}&")).collect();
    for argument in ["%{ARGS}", "%{ARGS_NAMES}", "%{MATCHED_VARS}", "%{ARGS.a7}", "%{MATCHED_VAR}%{ARGS.a49999}"] {
        let rules = rules(&format!("SecRule ARGS \"!@streq {argument}\" \"id:1,phase:2,pass,nolog,setvar:tx.count=+1\""));
        let judged = form(&rules, &body);
        let count: usize = judged.tx("count").unwrap_or_default().parse().unwrap_or(0);
        assert!(count > 40_000 || exceeds(&judged, Limit::Budget) || exceeds(&judged, Limit::Memory), "{argument}: {count}");
    }
}

#[test]
fn a_macro_follows_what_the_rule_itself_stores() {
    let rules = rules("SecRule ARGS \"!@streq %{tx.last}\" \"id:1,phase:2,pass,nolog,setvar:'tx.last=%{MATCHED_VAR}',setvar:tx.count=+1\"");
    assert_eq!(form(&rules, "a=1&b=1&c=2&d=2&e=1").tx("count").as_deref(), Some("3"));
}

#[test]
fn ip_match_compares_with_the_networks_that_a_macro_stands_for() {
    let matches = |networks: &str| {
        let rules = rules(&format!(
            "SecAction \"id:1,phase:1,pass,nolog,setvar:'tx.networks={networks}'\"\n\
             SecRule REMOTE_ADDR \"@ipMatch 203.0.113.9,%{{tx.networks}}\" \"id:2,phase:1,pass,setvar:tx.found=1\""
        ));
        form(&rules, "a=1").tx("found").is_some()
    };
    assert!(matches("192.0.2.0/24") && matches("198.51.100.7, 192.0.2.0/24") && !matches("198.51.100.0/24") && !matches("nowhere"));
}
