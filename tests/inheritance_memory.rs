//! Measures the memory of rule sets that inherit the OWASP CRS and change several of its rules: a set of its own would keep ten megabytes.
//!
//! This test is alone in its process, because it measures the memory of the whole process.

use secrule::Waf;
use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use std::fs;
use std::process::ExitCode;

fn main() -> ExitCode {
    trials::run([trial!(a_site_that_inherits_keeps_little_memory, [Needs::Shared("crs"), Needs::Writable("/proc/self/clear_refs")])])
}

/// Number of rule sets.
const SITES: usize = 100;

/// Memory that a rule set may keep, in bytes.
const LIMIT: usize = 128 << 10;

/// Returns the memory of the process, in bytes.
fn memory() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}

fn site(base: &Waf, number: usize) -> Waf {
    let rules = format!(
        "SecAction \"id:{number},phase:1,nolog,pass,setvar:tx.site=1\"\nSecRuleRemoveById 942100 941100\n\
         SecRuleUpdateTargetById 942190 \"!ARGS:comment\"\nSecRule ARGS:page \"@rx ^[a-z]{{40}}$\" \"id:7{number},phase:2,deny\"\n\
         SecRule ARGS \"@contains wanted\" \"id:8{number},phase:2,deny\"\nSecRule ARGS \"@pm some words\" \"id:9{number},phase:2,deny\"\n\
         SecRule REQUEST_URI \"@beginsWith /admin\" \"id:6{number},phase:1,deny\""
    );
    Waf::builder().base(base).rules("site", &rules).build().unwrap()
}

fn a_site_that_inherits_keeps_little_memory() {
    let crs = secrule_testkit::shared("crs");
    let rules = format!("SecRuleEngine On\nInclude {0}/crs-setup.conf.example\nInclude {0}/rules/*.conf\n", crs.display());
    let base = Waf::from_rules(&rules).unwrap();
    // The first rule sets fill memory that later ones use again.
    let mut sites: Vec<Waf> = (1..10).map(|number| site(&base, number)).collect();
    let before = memory();
    sites.extend((10..10 + SITES).map(|number| site(&base, number)));
    let each = memory().saturating_sub(before) / SITES;
    trials::note(&format!("{each} bytes for each rule set"));
    assert!(sites.iter().all(Waf::is_extension) && each < LIMIT, "{each} bytes for each rule set");
}
