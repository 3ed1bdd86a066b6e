//! The `secrule` command as its users see it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics fails, as it should")]

use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

const HEAD: &str = "HTTP/1.1\nHost: shop.example\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0\nAccept: */*\n";

fn secrule(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_secrule"));
    let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A verb that does not read its input may have closed it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn eval(arguments: &[&str], target: &str) -> Output {
    secrule(&[&["eval"], arguments].concat(), &format!("GET {target} {HEAD}"))
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A file that is removed with the value.
struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn new(name: &str, text: &str) -> Self {
        // Tests run at the same time, and some name their files alike.
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("secrule-cli-{}-{number}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_harmless_request_passes() {
    let output = eval(&[], "/search?q=blue+shoes&page=2");
    assert_eq!(code(&output), Some(0), "{}", stdout(&output));
    assert!(stdout(&output).contains("\n  pass ("), "{}", stdout(&output));
    assert_eq!(stderr(&output), "");
}

#[test]
fn attacks_are_denied_and_the_rules_named() {
    for (target, file) in [
        ("/?q=<script>alert(1)</script>", "starter/33-cross-site-scripting.conf:"),
        ("/?id=1' UNION SELECT a FROM b--", "starter/32-sql-injection.conf:"),
    ] {
        let output = eval(&[], target);
        assert_eq!(code(&output), Some(1));
        let text = stdout(&output);
        assert!(text.contains("deny with status 403 in phase 2 by rule 11010"), "{text}");
        assert!(text.contains(file) && text.contains("blocking_inbound_anomaly_score="), "{text}");
    }
}

#[test]
fn json_says_the_same() {
    let output = eval(&["--format", "json"], "/?q=<script>alert(1)</script>");
    assert_eq!(code(&output), Some(1));
    let report = json(&output);
    assert_eq!(report["denied"], 1);
    let request = &report["requests"][0];
    assert_eq!(
        (&request["verdict"], &request["status"], &request["phase"], &request["rule"]),
        (&"deny".into(), &403.into(), &2.into(), &11010.into())
    );
    assert!(request["matches"].as_array().unwrap().iter().any(|found| found["id"] == 10601 && found["severity"] == "critical"));
    assert!(request["scores"]["blocking_inbound_anomaly_score"].as_u64() >= Some(5));
    assert_eq!(json(&eval(&["--format", "json"], "/"))["requests"][0]["verdict"], "pass");
}

#[test]
fn eval_tells_which_limits_were_exceeded() {
    let rules = TemporaryFile::new("limits.conf", "SecCookiesLimit 0\nSecHeadersLimit 0\n");
    let output = eval(&["--rules", rules.path()], "/");
    assert!(stdout(&output).contains("  limits exceeded: headers\n"), "{}", stdout(&output));
    let output = eval(&["--rules", rules.path(), "--format", "json"], "/");
    assert_eq!(json(&output)["requests"][0]["limits_exceeded"][0], "headers");
}

#[cfg(feature = "lua")]
#[test]
fn eval_tells_which_scripts_failed_and_why() {
    let script = TemporaryFile::new("fails.lua", "function should_block()\n  return request.nothing.here\nend\n");
    let rules = TemporaryFile::new("script.conf", &format!("SecRuleEngine On\nSecDecisionScript {}\n", script.path()));
    let output = eval(&["--rules", rules.path()], "/");
    let said = stdout(&output);
    assert!(said.contains("  script ") && said.contains("fails.lua failed: ") && said.contains(":2: attempt to index"), "{said}");
    let output = eval(&["--rules", rules.path(), "--format", "json"], "/");
    let failure = &json(&output)["requests"][0]["script_failures"][0];
    assert!(failure["script"].as_str().unwrap().ends_with("fails.lua") && failure["reason"].is_string(), "{failure}");
}

#[test]
fn eval_names_every_value_that_a_rule_matched() {
    let rules = TemporaryFile::new("values.conf", "SecRuleEngine On\nSecRule ARGS \"@contains bad\" \"id:1,phase:1,deny\"");
    let text = stdout(&eval(&["--rules", rules.path()], "/?a=bad&b=fine&c=so+bad"));
    assert!(text.contains("value: ARGS:a=bad\n") && text.contains("value: ARGS:c=so bad\n"), "{text}");
    let found = json(&eval(&["--rules", rules.path(), "--format", "json"], "/?a=bad&b=fine&c=so+bad"))["requests"][0]["matches"][0].clone();
    assert_eq!(found["values"], serde_json::json!([{"variable": "ARGS:a", "value": "bad"}, {"variable": "ARGS:c", "value": "so bad"}]));
    assert!(found["detail"].as_str().unwrap().ends_with("; values: ARGS:a=bad, ARGS:c=so bad"), "{found}");
}

#[test]
fn several_requests_come_from_files_and_one_may_be_denied() {
    let good = TemporaryFile::new("good.http", &format!("GET / {HEAD}"));
    let both = TemporaryFile::new(
        "both.http",
        &format!("GET /a {HEAD}\n===\nPOST /b {HEAD}Content-Type: application/x-www-form-urlencoded\nContent-Length: 7\n\nf=/etc/passwd\n"),
    );
    let output = secrule(&["eval", "--separator", "===", good.path(), both.path()], "");
    assert_eq!(code(&output), Some(1));
    assert!(stdout(&output).ends_with("1 of 3 requests denied\n"), "{}", stdout(&output));
}

#[test]
fn rules_of_ones_own_redirect_and_see_the_client() {
    let rules = TemporaryFile::new(
        "own.conf",
        "SecRuleEngine On\nSecRule REMOTE_ADDR \"@ipMatch 192.0.2.0/24\" \"id:1,phase:1,redirect:http://b.example/,log,msg:'away',logdata:'%{tx.note}'\"",
    );
    let output = eval(&["--rules", rules.path(), "--client-ip", "192.0.2.9", "--define", "note=seen", "--format", "json"], "/");
    let request = &json(&output)["requests"][0];
    assert_eq!((&request["verdict"], &request["redirect"]), (&"redirect".into(), &"http://b.example/".into()));
    assert_eq!(request["matches"][0]["data"], "seen");
    assert_eq!(code(&eval(&["--rules", rules.path()], "/")), Some(0));
}

#[test]
fn without_a_plan_the_answer_is_the_same() {
    let answer = |plan: &[&str]| {
        let output = eval(&[&["--format", "json"], plan].concat(), "/?q=<script>alert(1)</script>");
        let mut request = json(&output)["requests"][0].clone();
        request.as_object_mut().unwrap().remove("milliseconds");
        (code(&output), request)
    };
    let (ending, request) = answer(&[]);
    assert_eq!((ending, &request["rule"]), (Some(1), &11010.into()));
    assert_eq!(answer(&["--plan=on"]), (ending, request.clone()));
    assert_eq!(answer(&["--plan=off"]), (ending, request));
    assert_eq!(code(&eval(&["--plan=maybe"], "/")), Some(2));
    for verb in ["eval", "profile", "test"] {
        assert!(stdout(&secrule(&[verb, "--help"], "")).contains("--plan <WHETHER>"), "{verb}");
    }
}

#[test]
fn a_response_is_judged_too() {
    let rules = TemporaryFile::new(
        "response.conf",
        "SecRuleEngine On\nSecResponseBodyAccess On\nSecResponseBodyMimeType text/html\nSecRule RESPONSE_BODY \"@contains secret\" \"id:1,phase:4,deny,status:502\"",
    );
    let response = TemporaryFile::new("leak.http", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\na secret");
    let output = eval(&["-r", rules.path(), "--response", response.path(), "--format", "json"], "/");
    let request = &json(&output)["requests"][0];
    assert_eq!((&request["status"], &request["phase"]), (&502.into(), &4.into()));
}

#[test]
fn the_paranoia_level_reaches_the_starter_rules() {
    let head = "GET / HTTP/1.1\nHost: shop.example\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0\n";
    let found = |level: &str| json(&secrule(&["eval", "--format", "json", "--paranoia", level], head))["requests"][0]["matches"].clone();
    assert_eq!(found("1").as_array().map(Vec::len), Some(0));
    assert_eq!(found("2")[0]["id"], 10182);
    assert_eq!(code(&eval(&["--paranoia", "5"], "/")), Some(2));
}

#[test]
fn what_cannot_be_evaluated_is_said_on_standard_error() {
    let broken = TemporaryFile::new("broken.conf", "SecRul ARGS x id:1\n");
    for (arguments, reason) in [
        (vec!["eval", "/nowhere/a.http"], "/nowhere/a.http"),
        (vec!["eval", "--rules", broken.path()], "unknown directive `SecRul`"),
        (vec!["eval", "--subset", "minimal"], "--crs"),
        (vec!["eval", "--crs", "/nowhere"], "rules/*.conf"),
        (vec!["eval", "--rules", "/nowhere/a.conf"], "/nowhere/a.conf"),
        (vec!["eval", "--nonsense"], "--nonsense"),
    ] {
        let output = secrule(&arguments, "GET / HTTP/1.1\n\n");
        assert_eq!(code(&output), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(reason), "{}", stderr(&output));
        assert_eq!(stdout(&output), "");
    }
    assert_eq!(code(&secrule(&["eval"], "nonsense")), Some(2));
}

#[test]
fn the_debug_log_goes_to_standard_error() {
    let output = eval(&["--debug-log", "9"], "/a");
    assert!(stderr(&output).contains("] [/a] [4] Starting phase REQUEST_HEADERS"), "{}", stderr(&output));
    assert_eq!(code(&output), Some(0));
}

#[test]
fn check_reports_what_was_loaded() {
    let rules =
        TemporaryFile::new("fine.conf", "SecRuleEngine On\nSecRule ARGS \"@rx a\" \"id:1,phase:2,deny\"\nSecAction \"id:2,pass\"\n");
    let output = secrule(&["check", rules.path()], "");
    assert_eq!(code(&output), Some(0), "{}", stdout(&output));
    assert!(stdout(&output).contains("loaded 1 file"), "{}", stdout(&output));
    let report = json(&secrule(&["check", "--format", "json", rules.path()], ""));
    assert_eq!((&report["loaded"], &report["report"]["rules"], &report["report"]["actions"]), (&true.into(), &1.into(), &1.into()));
}

#[test]
fn check_points_at_every_error() {
    let rules = TemporaryFile::new("errors.conf", "SecRule ARGS \"@contain x\" \"id:1,deny\"\nSecRule ARG \"@rx x\" \"id:2,deny\"\n");
    let output = secrule(&["check", rules.path()], "");
    assert_eq!(code(&output), Some(1));
    let text = stdout(&output);
    assert!(text.contains("error[E401]") && text.contains("error[E301]") && text.contains("^^^"), "{text}");
    assert!(text.ends_with("2 errors; nothing was loaded\n"), "{text}");
    let report = json(&secrule(&["check", "--format", "json", rules.path()], ""));
    assert_eq!((&report["loaded"], &report["errors"][1]["line"], &report["errors"][1]["code"]), (&false.into(), &2.into(), &"E301".into()));
    assert_eq!(code(&secrule(&["check", "/nowhere/a.conf"], "")), Some(2));
}

#[cfg(unix)]
#[test]
fn check_makes_no_logs() {
    let [debug, audit] =
        ["debug.log", "audit.log"].map(|name| std::env::temp_dir().join(format!("secrule-made-{}-{name}", std::process::id())));
    let rules = format!("SecDebugLog {}\nSecDebugLogLevel 3\nSecAuditEngine On\nSecAuditLog {}\n", debug.display(), audit.display());
    let output = secrule(&["check", "/dev/stdin"], &rules);
    assert_eq!((code(&output), stderr(&output).as_str()), (Some(0), ""));
    assert!(!debug.exists() && !audit.exists());
}

#[test]
fn check_reads_a_pipe() {
    let output = secrule(&["check", "/dev/stdin"], "SecRule ARG \"@rx x\" \"id:1,deny\"\n");
    assert_eq!(code(&output), Some(1), "{}", stdout(&output));
    assert!(stdout(&output).contains("--> /dev/stdin:1:9"), "{}", stdout(&output));
}

#[test]
fn check_collapses_floods_of_warnings() {
    let rules = TemporaryFile::new("flood.conf", &"SecTmpDir /tmp/\n".repeat(9));
    let shown = |arguments: &[&str]| stdout(&secrule(&[&["check", rules.path()], arguments].concat(), "")).matches("has no effect").count();
    assert_eq!(shown(&["--all-warnings"]), 9);
    assert_eq!(shown(&[]), 3);
}

#[test]
fn check_explains_codes() {
    let output = secrule(&["check", "--explain", "e606"], "");
    assert_eq!((code(&output), stdout(&output).as_str()), (Some(0), "E606 (error): Two rules have the same id.\n"));
    assert_eq!(code(&secrule(&["check", "--explain", "E999"], "")), Some(2));
}

#[test]
fn tests_pass_fail_and_are_known_to_fail() {
    let tests = TemporaryFile::new(
        "suite.yaml",
        "tests:\n\
         - {test_id: 1, stages: [{input: {uri: '/?a=%3Cscript%3Ealert(1)%3C/script%3E'}, output: {status: 403, log: {expect_ids: [10601]}}}]}\n\
         - {test_id: 2, stages: [{input: {uri: /}, output: {log: {expect_ids: [10601]}}}]}\n\
         - {test_id: 3, stages: [{input: {headers: {Host: a.example, User-Agent: x, Accept: '*/*'}}, output: {status: 400}}]}\n",
    );
    let title = tests.0.file_stem().unwrap().to_str().unwrap().to_owned();
    let output = secrule(&["test", tests.path()], "");
    assert_eq!(code(&output), Some(1));
    let text = stdout(&output);
    assert!(text.contains(&format!("failed {title}-2: expected 10601; logged ")), "{text}");
    assert!(text.contains("1 passed, 1 failed, 1 skipped"), "{text}");

    let known = TemporaryFile::new("known.txt", &format!("{title}-2 # it sends nothing to find\n"));
    let report = json(&secrule(&["test", "--format", "json", "--exclude", known.path(), tests.path()], ""));
    assert_eq!((&report["failed"], &report["known_failures"]), (&0.into(), &1.into()));

    let rotten = TemporaryFile::new("rotten.txt", &format!("{title}-1 # passes\n{title}-2 # fails\n{title}-9 # is gone\n"));
    let output = secrule(&["test", "--exclude", rotten.path(), tests.path()], "");
    assert_eq!(code(&output), Some(1));
    assert!(stdout(&output).contains("0 passed, 2 failed, 1 skipped, 1 known failure in"), "{}", stdout(&output));

    assert_eq!(code(&secrule(&["test", "--only", "-suite-1", tests.path()], "")), Some(0));
    assert_eq!(code(&secrule(&["test", "--only", "nothing", tests.path()], "")), Some(2));
    assert_eq!(code(&secrule(&["test", "/nowhere"], "")), Some(2));
}

#[test]
fn a_test_that_expects_a_status_alone_is_judged_by_it() {
    let tests = TemporaryFile::new(
        "statuses.yaml",
        "rule_id: 1\n\
         tests:\n\
         - {test_id: 1, stages: [{input: {uri: '/?a=evil'}, output: {status: 418}}]}\n\
         - {test_id: 2, stages: [{input: {uri: '/?a=good'}, output: {status: 418}}]}\n\
         - {test_id: 3, stages: [{input: {uri: '/?a=good'}, output: {status: 200}}]}\n\
         - {test_id: 4, stages: [{input: {uri: '/?a=evil'}, output: {log: {expect_id: [1]}}}]}\n",
    );
    let rules = TemporaryFile::new("teapot.conf", "SecRuleEngine On\nSecRule ARGS \"@streq evil\" \"id:1,phase:1,deny,status:418\"\n");
    let output = secrule(&["test", "--rules", rules.path(), tests.path()], "");
    assert_eq!(code(&output), Some(1));
    let text = stdout(&output);
    assert!(text.contains("failed 1-2: expected status 418, it is 200"), "{text}");
    assert!(text.contains("failed 1-4: the key `expect_id` is unknown; did you mean `expect_ids`?"), "{text}");
    assert!(text.contains("2 passed, 2 failed, 0 skipped"), "{text}");
}

/// Rules whose prefilters say "no", "maybe" in vain and "maybe" rightly for the request, in this order, and one that has none.
const FILTERED: &str = "SecRuleEngine On\n\
    SecRule ARGS \"@rx needle\" \"id:1,phase:2,pass,nolog,t:none,t:lowercase\"\n\
    SecRule ARGS \"@rx ^hay\" \"id:2,phase:2,pass,nolog,t:none,t:lowercase\"\n\
    SecRule ARGS \"@rx hay\" \"id:3,phase:2,pass,nolog,t:none,t:lowercase,chain\"\n\
    SecRule ARGS:b \"@rx .\" \"t:none\"\n\
    SecRule ARGS \"@rx ^[^c]?$\" \"id:4,phase:2,pass,nolog,t:none\"\n\
    SecAction \"id:5,phase:2,pass,nolog\"\n";

fn profile(arguments: &[&str]) -> Output {
    let rules = TemporaryFile::new(&format!("filtered{}.conf", arguments.len()), FILTERED);
    secrule(&[&["profile", "--rules", rules.path(), "--repeat", "3"], arguments].concat(), &format!("GET /?a=5+HAY&b=c {HEAD}"))
}

#[test]
fn a_profile_counts_rules_that_ran_in_vain() {
    let output = profile(&["--format", "json"]);
    assert_eq!((code(&output), stderr(&output).as_str()), (Some(0), ""));
    let report = json(&output);
    let rule = |id: u64| report["rules"].as_array().unwrap().iter().find(|rule| rule["id"] == id).unwrap().clone();
    let counts = |id: u64| {
        let rule = rule(id);
        let number = |key: &str| rule[key].as_u64().unwrap();
        (rule["prefilter"].as_str().unwrap().to_owned(), number("ruled_out"), number("runs"), number("in_vain"))
    };
    assert_eq!(counts(1), ("yes".to_owned(), 1, 0, 0));
    assert_eq!(counts(2), ("yes".to_owned(), 0, 1, 1));
    assert_eq!(counts(3), ("yes".to_owned(), 0, 1, 0));
    assert_eq!(counts(4), ("no".to_owned(), 0, 1, 1));
    assert_eq!(counts(5), ("-".to_owned(), 0, 0, 0));
    assert_eq!((&rule(4)["values"], &rule(2)["line"]), (&2.into(), &3.into()));
    assert!(report["parts"].as_array().unwrap().iter().all(|part| part["share"].as_f64() > Some(0.0)), "{report}");
    let asked = rule(3)["operator_microseconds"].as_f64().unwrap();
    assert!(asked > 0.0 && asked <= rule(3)["microseconds"].as_f64().unwrap());
    assert_eq!((&report["targets"][0]["name"], &report["transformations"][0]["name"]), (&"ARGS".into(), &"t:lowercase".into()));
    assert_eq!((&report["requests"], &report["rounds"]), (&1.into(), &3.into()));
}

#[test]
fn a_profile_without_a_plan_runs_every_rule() {
    let report = json(&profile(&["--format", "json", "--plan", "off"]));
    let run = report["rules"].as_array().unwrap().iter().filter(|rule| rule["runs"] == 1).count();
    assert_eq!(run, 4);
}

#[test]
fn a_profile_is_a_table_for_people() {
    let output = profile(&["--top", "2"]);
    let text = stdout(&output);
    assert!(text.starts_with("1 request, 3 rounds: "), "{text}");
    assert!(text.contains("  and 3 more: --top\n") && text.contains("filtered2.conf:"), "{text}");
    let shares: Vec<f64> = text
        .lines()
        .filter(|line| line.contains("filtered2"))
        .map(|line| line.split('%').next().unwrap().trim().parse().unwrap())
        .collect();
    assert!(shares.len() == 2 && shares[0] >= shares[1], "{text}");
    assert_eq!(code(&profile(&["--repeat", "0", "-"])), Some(2));
}

#[test]
fn a_closed_pipe_is_no_error() {
    let rules = TemporaryFile::new("long.conf", &"SecTmpDir /tmp/\n".repeat(5000));
    let mut command = Command::new(env!("CARGO_BIN_EXE_secrule"));
    let mut child = command.args(["check", "--all-warnings", rules.path()]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), stderr(&output).as_str()), (Some(0), ""));
}

#[test]
fn every_verb_teaches_by_example_and_names_its_exit_codes() {
    for verb in ["ban", "check", "eval", "list", "profile", "store", "test"] {
        let output = secrule(&[verb, "--help"], "");
        assert_eq!(code(&output), Some(0));
        let text = stdout(&output);
        assert!(text.contains("Examples:") && text.contains(&format!("secrule {verb} ")) && text.contains("Exit codes:"), "{text}");
    }
    assert!(stdout(&secrule(&["--help"], "")).contains("Exit codes:"));
    assert_eq!(code(&secrule(&[], "")), Some(2));
}

/// A folder in the layout of the OWASP CRS.
struct CoreRuleSet(PathBuf);

impl CoreRuleSet {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("secrule-cli-{}-{name}", std::process::id()));
        std::fs::create_dir_all(folder.join("rules")).unwrap();
        let write = |file: &str, text: &str| std::fs::write(folder.join(file), text).unwrap();
        write("crs-setup.conf.example", "SecAction \"id:1,phase:1,pass,nolog,setvar:tx.crs_setup_version=400\"\n");
        write(
            "rules/REQUEST-930-FIRST.conf",
            "SecRule TX:detection_paranoia_level \"@lt 2\" \"id:10,phase:1,pass,nolog,skipAfter:END\"\n\
             # the second level\n\
             SecRule ARGS \"@pmFromFile words.data\" \\\n    \"id:11,phase:1,deny,log,tag:'attack-lfi',tag:'paranoia-level/2'\"\n\
             SecMarker END\n\
             SecRule ARGS \"@streq two\" \"id:12,phase:1,deny,log,tag:'attack-lfi',tag:'paranoia-level/1'\"\n",
        );
        write(
            "rules/REQUEST-941-SECOND.conf",
            "SecRule ARGS \"@streq three\" \"id:13,phase:1,deny,log,tag:'attack-xss',tag:'paranoia-level/1'\"\n",
        );
        write("rules/words.data", "one\n");
        Self(folder)
    }

    /// Returns the rule that denies a value.
    fn denies(&self, arguments: &[&str], value: &str) -> Value {
        let output = eval(&[&["--format", "json", "--crs", self.0.to_str().unwrap()], arguments].concat(), &format!("/?a={value}"));
        assert_eq!(stderr(&output), "");
        json(&output)["requests"][0]["rule"].clone()
    }
}

impl Drop for CoreRuleSet {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_core_rule_set_is_found_in_its_folder_and_knows_the_level() {
    let rules = CoreRuleSet::new("level");
    assert_eq!(rules.denies(&["--paranoia", "1"], "one"), Value::Null);
    assert_eq!(rules.denies(&["--paranoia", "2"], "one"), 11);
    assert_eq!(rules.denies(&["--paranoia", "1"], "two"), 12);
}

#[test]
fn a_subset_leaves_rules_out_and_keeps_lines() {
    let rules = CoreRuleSet::new("subset");
    let description = TemporaryFile::new("own.subset", "tag attack-lfi\nparanoia 2\nwithout-file REQUEST-941-*\n");
    let subset = ["--subset", description.path()];
    assert_eq!(rules.denies(&subset, "one"), 11);
    assert_eq!(rules.denies(&subset, "three"), Value::Null);
    assert_eq!(rules.denies(&["--subset", description.path(), "--paranoia", "1"], "one"), Value::Null);
    let output = eval(&["--crs", rules.0.to_str().unwrap(), "--subset", description.path()], "/?a=two");
    assert!(stdout(&output).contains("REQUEST-930-FIRST.conf:6\n"), "{}", stdout(&output));
}
