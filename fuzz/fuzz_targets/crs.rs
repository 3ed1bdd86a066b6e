//! The OWASP CRS at its highest paranoia level judges any bytes as request and response, and ends alike with and without a plan. Where there is
//! no CRS nothing is judged.

#![no_main]

use libfuzzer_sys::fuzz_target;
use secrule::Waf;
use secrule_fuzz::message::lead;
use secrule_testkit::ending::Pair;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

static RULES: LazyLock<Option<Pair>> = LazyLock::new(|| {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let shared = std::env::var_os("SECRULE_SHARED").map_or_else(|| project.join("../shared"), PathBuf::from);
    let Ok(crs) = shared.join("crs").canonicalize() else {
        eprintln!("{} is not there: nothing is judged; SECRULE_SHARED names another folder", shared.join("crs").display());
        return None;
    };
    let crs = crs.display();
    let setup = project.join("crs/setup.conf").canonicalize().expect("the project has it");
    let rules = format!(
        "Include {}\nSecRuleEngine On\nInclude {crs}/crs-setup.conf.example\n\
         SecAction \"id:11990,phase:1,pass,nolog,setvar:tx.blocking_paranoia_level=4,setvar:tx.crs_validate_utf8_encoding=1\"\n\
         Include {crs}/rules/*.conf\n",
        setup.display()
    );
    Some(Pair::load(|| Waf::builder().rules("rules", &rules)).expect("the CRS is valid"))
});

fuzz_target!(|data: &[u8]| {
    let Some(rules) = &*RULES else { return };
    let (planned, unplanned) = rules.endings(|transaction| lead(transaction, data));
    assert_eq!(planned, unplanned);
});
