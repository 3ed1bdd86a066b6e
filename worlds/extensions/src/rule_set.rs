//! Identity of the rules in events: the version of their files, and the number of their load.

use md5::{Digest, Md5};
use secrule::{LoadReport, Waf};
use std::sync::{Arc, Mutex, PoisonError};

/// The rules that are loaded, as events name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSet {
    /// The MD5 of the texts of all rule files, in hexadecimal digits.
    pub version: Arc<str>,
    /// The number of the load, from 1: each reload is one more, by SIGHUP, too.
    pub number: u64,
}

/// Knows the rules of the last event, so that a version is computed once.
#[derive(Debug)]
pub struct RuleSets {
    /// The number of the first load.
    first: u64,
    last: Mutex<Option<(Arc<LoadReport>, RuleSet)>>,
}

impl RuleSets {
    /// Counts loads from a number on.
    pub fn new(first: u64) -> Self {
        Self { first, last: Mutex::default() }
    }

    /// Returns the current rules.
    pub fn current(&self, waf: &Waf) -> RuleSet {
        let report = waf.report();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, rules)) = &*last
            && Arc::ptr_eq(known, &report)
        {
            return rules.clone();
        }
        let number = last.as_ref().map_or(self.first, |(_, rules)| rules.number.saturating_add(1));
        let rules = RuleSet { version: version(&report).into(), number };
        *last = Some((report, rules.clone()));
        rules
    }
}

fn version(report: &LoadReport) -> String {
    let mut digest = Md5::new();
    report.texts().iter().for_each(|text| digest.update(text.text().as_bytes()));
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_has_the_next_number_and_the_version_of_its_files() {
        let waf = Waf::from_rules("SecRuleEngine On\n").unwrap();
        let sets = RuleSets::new(1);
        let first = sets.current(&waf);
        assert_eq!((&*first.version, first.number), ("6eee9c306b78ade9f95fceccc42dde60", 1));
        assert_eq!(sets.current(&waf), first);
        waf.reload(Waf::builder().rules("new", "SecRuleEngine Off\n")).unwrap();
        let second = sets.current(&waf);
        assert!(second.number == 2 && second.version != first.version);
        assert_eq!(RuleSets::new(7).current(&waf), RuleSet { number: 7, ..second });
    }
}
