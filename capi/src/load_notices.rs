//! Reports a load to administrators: the version of the engine, and warnings about the rules. Hosts have only standard error for this, which `nginx
//! -t` prints.

use super::loads::{Load, UNNAMED};
use super::v3_errors::in_one_line;
use secrule::LoadReport;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

/// Number of warnings of a load that are shown. `secrule check` shows them all.
const SHOWN: usize = 8;

/// The variable of the environment that names the least number of rules that a rule set should have after a file was loaded.
const EXPECTED_VARIABLE: &str = "SECRULE_EXPECT_RULES";

/// `true` once a load was reported. The first load of a process is reported even if it only sets values.
static ENGINE_IS_REPORTED: AtomicBool = AtomicBool::new(false);

/// `true` once the notice about the store was written.
static STORE_IS_REPORTED: AtomicBool = AtomicBool::new(false);

/// Numbers of rules after a load, as ModSecurity v3 counts them.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    /// Those of the load.
    pub added: usize,
    /// Those of the rule set.
    pub all: usize,
}

/// Reports each load that was not reported before on standard error: one line, then its warnings. Too few rules after a file are a line, too. The notice
/// about the store of the rules is written once.
pub fn report(loads: &[Arc<Load>], report: &LoadReport, counts: Counts, store: Option<&str>) {
    let new: Vec<usize> = loads.iter().enumerate().filter(|(_, load)| load.is_first_report()).map(|(input, _)| input).collect();
    let notice = |input: usize| {
        let is_reported = ENGINE_IS_REPORTED.swap(true, Ordering::Relaxed);
        let name = name_of(report, input).filter(|name| !is_reported || *name != UNNAMED)?;
        Some(notice(&name.replace(UNNAMED, "inline rules"), counts.added, report.warnings_of(input).count()))
    };
    let lack = |input: usize| too_few(name_of(report, input).filter(|name| *name != UNNAMED)?, counts.all, *EXPECTED);
    let of_input = |input: usize| notice(input).into_iter().chain(lack(input)).chain(lines(report, input));
    let store = store.filter(|_| !new.is_empty() && !STORE_IS_REPORTED.swap(true, Ordering::Relaxed));
    let lines = new.into_iter().flat_map(of_input).chain(store.map(str::to_owned));
    let lines: String = lines.map(|line| format!("secrule: {line}\n")).collect();
    if !lines.is_empty() {
        // If the host closed its standard error, there is no other place for this.
        let _ = std::io::stderr().write_all(lines.as_bytes());
    }
}

/// Returns the name of an input: that of its first text, a file, an address, or unnamed rules.
fn name_of(report: &LoadReport, input: usize) -> Option<&str> {
    Some(report.texts_of(input).next()?.name.as_str())
}

/// Returns the line of a load: `version 0.1.0 loaded /etc/waf/main.conf: 849 rules, 5 warnings`.
fn notice(name: &str, rules: usize, warnings: usize) -> String {
    let counted = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    format!("version {} loaded {name}: {}, {}", env!("CARGO_PKG_VERSION"), counted(rules, "rule"), counted(warnings, "warning"))
}

/// The number of rules that the environment expects; 0 without one.
static EXPECTED: LazyLock<usize> = LazyLock::new(|| {
    let Some(text) = std::env::var_os(EXPECTED_VARIABLE) else { return 0 };
    text.to_str().and_then(|text| text.trim().parse().ok()).unwrap_or_else(|| {
        // If the host closed its standard error, there is no other place for this.
        let _ =
            writeln!(std::io::stderr(), "secrule: {EXPECTED_VARIABLE}={}: write a number; no number of rules is expected", text.display());
        0
    })
});

/// Returns the line about a rule set that has fewer rules than expected after a file. A host that loads an empty file does not report it.
fn too_few(name: &str, rules: usize, expected: usize) -> Option<String> {
    let line = || format!("too few rules: {rules} after {name}, and {EXPECTED_VARIABLE}={expected}; `secrule check` shows what is loaded");
    (rules < expected).then(line)
}

/// Returns the first warnings about an input, and the number of the others.
fn lines(report: &LoadReport, input: usize) -> Vec<String> {
    let mut warnings = report.warnings_of(input);
    let mut lines: Vec<String> = warnings.by_ref().take(SHOWN).map(|warning| in_one_line(warning, report.texts())).collect();
    match warnings.count() {
        0 => {}
        more => lines.push(format!("and {more} more; `secrule check` shows them all")),
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::loads::compile;
    use super::*;
    use secrule::internals::compile::Input;

    fn load(rules: &str) -> Arc<Load> {
        Load::new(Input::Bytes { name: UNNAMED.to_owned(), bytes: rules.as_bytes().to_vec() })
    }

    fn reported(loads: &[Arc<Load>], input: usize) -> Vec<String> {
        lines(&compile(loads).unwrap().report(), input)
    }

    #[test]
    fn warnings_name_their_place_code_and_remedy() {
        let lines = reported(&[load("SecTmpDir /tmp # told")], 0);
        assert_eq!(lines, ["inline rules, line 1, column 1: W201 `SecTmpDir` has no effect: bodies are kept in memory; remove the line"]);
    }

    #[test]
    fn of_many_warnings_the_first_are_told_and_the_rest_counted() {
        let lines = reported(&[load(&"SecTmpDir /tmp\n".repeat(20))], 0);
        assert_eq!((lines.len(), lines.last().unwrap().as_str()), (9, "and 12 more; `secrule check` shows them all"));
    }

    #[test]
    fn a_load_says_which_engine_has_how_many_rules() {
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(notice("main.conf", 849, 1), format!("version {version} loaded main.conf: 849 rules, 1 warning"));
    }

    #[test]
    fn fewer_rules_than_expected_are_a_line_and_as_many_are_not() {
        let line = "too few rules: 2 after main.conf, and SECRULE_EXPECT_RULES=3; `secrule check` shows what is loaded";
        assert_eq!(too_few("main.conf", 2, 3).as_deref(), Some(line));
        assert_eq!((too_few("main.conf", 3, 3), too_few("main.conf", 0, 0)), (None, None));
    }

    #[test]
    fn a_load_is_told_of_once() {
        let first = load("SecTmpDir /once");
        let _rules = compile(&[Arc::clone(&first)]).unwrap();
        assert!(first.is_first_report() && !first.is_first_report());
        assert!(!load("SecTmpDir /once").is_first_report());
        assert!(load("SecTmpDir /twice").is_first_report());
    }

    #[test]
    fn what_the_rest_of_a_configuration_may_hold_is_not_missed() {
        let part = "SecRuleRemoveById 7\nSecRequestBodyLimit 10\nSecTmpDir /part";
        let whole = "SecRuleEngine On\nSecRequestBodyLimit 20\nSecAction \"id:8,phase:1,pass,skipAfter:END\"\nSecTmpDir /whole";
        let codes = |input| {
            let lines = reported(&[load(part), load(whole)], input);
            lines.iter().filter_map(|line| line.split(' ').nth(6).map(str::to_owned)).collect::<Vec<_>>().join(" ")
        };
        assert_eq!((codes(0).as_str(), codes(1).as_str()), ("W201", "W226 W224 W204 W201"));
    }
}
