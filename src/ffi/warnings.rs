//! Warnings of a load, for administrators: a host shows them no other way than on standard error, which `nginx -t` prints.

use super::loads::Load;
use super::refusal::in_one_line;
use crate::compile::LoadReport;
use std::io::Write as _;
use std::sync::Arc;

/// How many warnings of a load are shown. `secrule check` shows them all.
const SHOWN: usize = 8;

/// Writes the warnings of loads that were not told before to standard error.
pub fn tell(loads: &[Arc<Load>], report: &LoadReport) {
    let new = loads.iter().enumerate().filter(|(_, load)| load.is_to_be_told());
    let lines: String = new.flat_map(|(input, _)| lines(report, input)).map(|line| format!("secrule: {line}\n")).collect();
    if !lines.is_empty() {
        // A host may have closed its standard error; there is nobody to tell.
        let _ = std::io::stderr().write_all(lines.as_bytes());
    }
}

/// The first warnings about an input, and how many more there are.
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
    use super::super::loads::{UNNAMED, compile};
    use super::*;
    use crate::compile::Input;

    fn load(rules: &str) -> Arc<Load> {
        Load::new(Input::Bytes { name: UNNAMED.to_owned(), bytes: rules.as_bytes().to_vec() })
    }

    fn told(loads: &[Arc<Load>], input: usize) -> Vec<String> {
        lines(compile(loads).unwrap().report(), input)
    }

    #[test]
    fn warnings_name_their_place_code_and_remedy() {
        let lines = told(&[load("SecTmpDir /tmp # told")], 0);
        assert_eq!(
            lines,
            ["inline rules, line 1, column 1: W201 `SecTmpDir` has no effect: bodies are kept in memory; the line can be taken away"]
        );
    }

    #[test]
    fn of_many_warnings_the_first_are_told_and_the_rest_counted() {
        let lines = told(&[load(&"SecTmpDir /tmp\n".repeat(20))], 0);
        assert_eq!((lines.len(), lines.last().unwrap().as_str()), (9, "and 12 more; `secrule check` shows them all"));
    }

    #[test]
    fn a_load_is_told_of_once() {
        let first = load("SecTmpDir /once");
        let _rules = compile(&[Arc::clone(&first)]).unwrap();
        assert!(first.is_to_be_told() && !first.is_to_be_told());
        assert!(!load("SecTmpDir /once").is_to_be_told());
        assert!(load("SecTmpDir /twice").is_to_be_told());
    }

    #[test]
    fn what_the_rest_of_a_configuration_may_hold_is_not_missed() {
        let part = "SecRuleRemoveById 7\nSecRequestBodyLimit 10\nSecTmpDir /part";
        let whole = "SecRuleEngine On\nSecRequestBodyLimit 20\nSecAction \"id:8,phase:1,pass,skipAfter:END\"\nSecTmpDir /whole";
        let codes = |input| {
            let lines = told(&[load(part), load(whole)], input);
            lines.iter().filter_map(|line| line.split(' ').nth(6).map(str::to_owned)).collect::<Vec<_>>().join(" ")
        };
        assert_eq!((codes(0).as_str(), codes(1).as_str()), ("W201", "W224 W204 W201"));
    }
}
