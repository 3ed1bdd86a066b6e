//! Runs the shared cases of whole transactions: errors of rules, statuses and redirects. Logs are not compared here.

use secrule::{Intervention, Waf};
use secrule_testkit::regression::{self, Uploads};
use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::ExitCode;

fn main() -> ExitCode {
    trials::run([trial!(whole_transactions_end_as_the_shared_cases_say, [Needs::Shared("conformance")])])
}

fn whole_transactions_end_as_the_shared_cases_say() {
    let data = secrule_testkit::shared("conformance");
    // Rules name their files relative to this folder.
    std::env::set_current_dir(&data).unwrap();
    let uploads = Uploads::new();
    let mut failed = BTreeMap::new();
    let mut ran = 0;
    for case in regression::cases(&data.join("regression")) {
        if !cfg!(feature = "xml-validation") && uploads.rules(&case).contains("@validate") {
            continue;
        }
        ran += 1;
        if let Err(reason) = run(&case, &uploads) {
            failed.insert(regression::text(&case["case"]), reason);
        }
    }
    secrule_testkit::settle("regression.txt", ran, &failed);
}

fn run(case: &Value, uploads: &Uploads) -> Result<(), String> {
    let expected = &case["expected"];
    let refusal = expected["parser_error"].as_str().is_some_and(|error| !error.is_empty());
    let waf = match Waf::from_rules(&uploads.rules(case)) {
        Ok(_) if refusal => return Err("the rules are accepted".to_owned()),
        Ok(waf) => waf,
        Err(_) if refusal => return Ok(()),
        Err(error) => return Err(format!("the rules are refused: {error}")),
    };
    let (_, decisions) = regression::lead(waf.transaction(), case);
    let wanted = expected["http_code"].as_u64().unwrap_or(200);
    let status = decisions.last().map_or(200, Intervention::status);
    if u64::from(status) != wanted {
        return Err(format!("the status is {status}, expected {wanted}"));
    }
    let redirect: String = decisions.iter().filter_map(Intervention::location).collect();
    match expected["redirect_url"].as_str() {
        Some(address) if address != redirect => Err(format!("the redirect is {redirect:?}")),
        _ => Ok(()),
    }
}
