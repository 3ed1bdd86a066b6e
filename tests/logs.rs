//! The logs, from rules to files: the line of the error log, the debug log, the audit log in its formats and destinations.

use chrono::{DateTime, Local};
use secrule::internals::record::error_log;
use secrule::{DebugLog, Waf};
use secrule_testkit::host::{Exchange, Response};
use secrule_testkit::logged::{Folder, RULES, exchange, judged, waf};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[test]
fn the_error_log_tells_all_about_a_match() {
    let waf = waf("");
    let (transaction, _) = judged(&waf, "/a%20b?w=a+WARNing");
    let lines: Vec<String> = transaction.rule_matches().iter().map(|found| error_log::line(&transaction, found)).collect();
    assert_eq!(
        lines,
        [concat!(
            "ModSecurity: Warning. Matched \"Operator `Rx' with parameter `warn' against variable `ARGS:w' (Value: `a WARNing' ) ",
            "[file \"rules\"] [line \"4\"] [id \"8\"] [rev \"\"] [msg \"Warned\"] [data \"\"] [severity \"0\"] [ver \"\"] ",
            "[maturity \"0\"] [accuracy \"0\"] [hostname \"192.0.2.2\"] [uri \"/a b\"] [unique_id \"id-1\"] ",
            "[ref \"o2,4v13,9t:lowercase\"]"
        )]
    );
}

#[test]
fn an_intervention_tells_its_client_and_status() {
    let waf = waf("");
    let (mut transaction, intervention) = judged(&waf, "/?q=evil%0a%22");
    transaction.set_hostname(b"www.example");
    let line = error_log::intervention(&transaction, &intervention.unwrap());
    let beginning = "[client 192.0.2.1] ModSecurity: Access denied with code 406 (phase 2). Matched \"Operator `Contains'";
    assert!(line.starts_with(beginning), "{line}");
    for part in
        ["(Value: `evil\\x0a\\x22' )", "[msg \"Evil: evil\\x0a\\x22\"]", "[severity \"2\"]", "[tag \"a/b\"]", "[hostname \"www.example\"]"]
    {
        assert!(line.contains(part), "{part} in {line}");
    }
}

#[test]
fn rules_with_noauditlog_are_in_the_error_log_and_not_in_the_audit_log() {
    for format in ["Native", "JSON", "OCSF"] {
        let folder = Folder::new();
        let rules = r#"SecRule ARGS:w "@rx ." "id:1,phase:1,pass,log,noauditlog,msg:'secret'""#;
        let log = format!("SecAuditEngine On\nSecAuditLogFormat {format}\nSecAuditLog {}", folder.path("audit.log"));
        let waf = waf(&format!("{rules}\n{log}"));
        let (transaction, _) = judged(&waf, "/?w=warn");
        let told: Vec<u64> = transaction.rule_matches().iter().map(|found| found.id).collect();
        assert_eq!(told, [1, 8]);
        let _ = exchange(&waf, "/?w=warn");
        let text = folder.read("audit.log");
        assert!(text.contains("Warned") && !text.contains("secret"), "{text}");
    }
}

#[test]
fn every_value_that_a_rule_with_multi_match_finds_has_a_line() {
    let rules = r#"SecRule ARGS "@rx (?i)x" "id:1,phase:2,multiMatch,t:lowercase,log,tag:t,msg:'%{MATCHED_VAR}'""#;
    let (transaction, _) = judged(&Waf::from_rules(rules).unwrap(), "/?a=X&b=y&c=x");
    let messages: Vec<_> = transaction.rule_matches().iter().map(|found| found.message().into_owned()).collect();
    assert_eq!(messages, ["X", "x", "x"]);
    assert!(transaction.rule_matches().iter().all(|found| found.tags().eq(["t"])));
}

#[test]
fn a_serial_record_has_the_parts_that_are_asked_for() {
    let folder = Folder::new();
    let waf = waf(&format!("SecAuditEngine On\nSecAuditLog {}\nSecAuditLogParts ABFHZ", folder.path("audit.log")));
    let _ = exchange(&waf, "/?q=evil");
    let text = folder.read("audit.log");
    let boundary = text.get(..14).unwrap();
    let shape: Vec<String> = text.lines().map(|line| line.replace(boundary, "---*---")).collect();
    let letters: Vec<&String> = shape.iter().filter(|line| line.starts_with("---*---")).collect();
    assert_eq!(letters, ["---*---A--", "---*---B--", "---*---F--", "---*---H--", "---*---Z--"]);
    assert!(text.contains("] id-1 192.0.2.1 4711 192.0.2.2 443\n"), "{text}");
    assert!(text.contains("B--\nGET /?q=evil HTTP/1.1\nHost: shop.example\n\n"), "{text}");
    assert!(text.contains("F--\nHTTP/1.1 406\nServer: test\n\n"), "{text}");
    assert!(text.contains("H--\nModSecurity: Access denied with code 406 (phase 2). Matched"), "{text}");
}

#[test]
fn a_json_record_has_the_fields_of_the_peer() {
    let folder = Folder::new();
    let settings = "SecAuditLogFormat JSON\nSecAuditLogParts ABCEFHZ\nSecComponentSignature \"shop/1\"";
    let waf = waf(&format!("SecAuditEngine On\nSecAuditLog {}\n{settings}", folder.path("audit.log")));
    let _ = exchange(&waf, "/?w=warn");
    let record: Value = serde_json::from_str(&folder.read("audit.log")).unwrap();
    let transaction = &record["transaction"];
    assert_eq!(transaction["client_port"], 4711);
    assert_eq!(transaction["unique_id"], "id-1");
    assert_eq!(transaction["request"]["http_version"], 1.1);
    assert_eq!(transaction["request"]["headers"]["Host"], "shop.example");
    assert_eq!(transaction["response"]["http_code"], 200);
    assert_eq!(transaction["producer"]["secrules_engine"], "Enabled");
    assert_eq!(transaction["producer"]["components"], serde_json::json!(["shop/1"]));
    let message = &transaction["messages"][0];
    assert_eq!(message["message"], "Warned");
    assert_eq!(message["details"]["ruleId"], "8");
    assert_eq!(message["details"]["lineNumber"], "4");
    assert_eq!(message["details"]["reference"], "o0,4v8,4t:lowercase");
}

#[test]
fn an_event_of_ocsf_has_the_fields_of_its_class() {
    let folder = Folder::new();
    let settings = "SecAuditLogFormat OCSF\nSecAuditLogParts ABFHZ";
    let waf = waf(&format!("SecAuditEngine On\nSecAuditLog {}\n{settings}", folder.path("audit.log")));
    for target in ["/?w=warn", "/a?q=evil", "/b"] {
        let _ = exchange(&waf, target);
    }
    let log = folder.read("audit.log");
    let events: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [warned, denied, clean] = events.as_slice() else { panic!("{log}") };
    for event in &events {
        assert_eq!([&event["category_uid"], &event["class_uid"], &event["type_uid"]], [6, 6001, 600_102]);
        assert_eq!([&event["metadata"]["version"], &event["metadata"]["product"]["name"]], ["1.2.0", "secrule"]);
        assert_eq!([&event["src_endpoint"]["ip"], &event["dst_endpoint"]["ip"]], ["192.0.2.1", "192.0.2.2"]);
        assert_eq!(event["src_endpoint"]["port"], 4711);
        let milliseconds = event["time"].as_u64().unwrap();
        assert!((1_600_000_000_000..10_000_000_000_000).contains(&milliseconds), "{milliseconds}");
        assert_eq!(event["http_request"]["url"], event["web_resources"][0]);
    }
    let decisions = events.iter().map(|event| [&event["action"], &event["severity"], &event["status"]].map(|text| text.as_str().unwrap()));
    assert_eq!(
        decisions.collect::<Vec<_>>(),
        [["Allowed", "Unknown", "Success"], ["Denied", "Critical", "Failure"], ["Allowed", "Informational", "Success"]]
    );
    assert_eq!(warned["http_request"]["args"], "w=warn");
    assert_eq!(warned["http_request"]["http_headers"][0], serde_json::json!({"name": "Host", "value": "shop.example"}));
    assert_eq!(denied["http_response"]["code"], 406);
    assert_eq!([&warned["message"], &warned["enrichments"][0]["name"]], ["Warned", "Warned"]);
    let details: Value = serde_json::from_str(warned["enrichments"][0]["data"].as_str().unwrap()).unwrap();
    assert_eq!([&details["id"], &details["line"], &details["phase"]], [8, 4, 2]);
    assert!(clean["enrichments"].is_null() && clean["message"].is_null(), "{clean}");
}

#[test]
fn whatever_bytes_come_json_stays_json() {
    let folder = Folder::new();
    let settings = "SecAuditLogFormat JSON\nSecAuditLogParts ABCEFHZ\nSecResponseBodyAccess On";
    let all: Vec<u8> = (0..=255).collect();
    let waf = waf(&format!("SecAuditEngine On\nSecAuditLog {}\n{settings}", folder.path("audit.log")));
    let mut transaction = waf.transaction_with_id("a\"b\n");
    let odd = String::from_utf8_lossy(&all).into_owned();
    transaction.set_connector(&all);
    let target: Vec<u8> = [b"/?q=evil", all.as_slice()].concat();
    let exchange = Exchange {
        client: (&odd, 1),
        server: (&odd, 2),
        version: &all,
        body: vec![&all],
        response: Some(Response { status: 200, protocol: &odd, headers: vec![(&all, &all)], body: vec![&all] }),
        ..Exchange::new(&all, &target)
    };
    let _ = exchange.header(&all, &all).run_through(&mut transaction);
    let text = String::from_utf8(fs::read(folder.path("audit.log")).unwrap()).unwrap();
    assert_eq!(text.lines().count(), 1);
    let record: Value = serde_json::from_str(&text).unwrap();
    let body = record["transaction"]["request"]["body"].as_str().unwrap();
    assert!(body.starts_with('\0') && body.ends_with("\\xfe\\xff"), "{body:?}");
    assert_eq!(record["transaction"]["messages"][0]["details"]["ruleId"], "7");
}

#[test]
fn only_relevant_transactions_are_written_where_that_is_asked_for() {
    let written = |settings: &str, target: &str| {
        let folder = Folder::new();
        let _ = exchange(&waf(&format!("SecAuditLog {}\n{settings}", folder.path("audit.log"))), target);
        !folder.read("audit.log").is_empty()
    };
    let relevant = "SecAuditEngine RelevantOnly";
    assert!(!written("", "/?w=warn"));
    assert!(!written("SecAuditEngine Off", "/?w=warn"));
    assert!(written("SecAuditEngine On", "/"));
    assert!(!written(relevant, "/"));
    assert!(written(relevant, "/?w=warn"));
    assert!(written(&format!("{relevant}\nSecAuditLogRelevantStatus ^2"), "/"));
    assert!(!written(&format!("{relevant}\nSecAuditLogRelevantStatus ^5"), "/"));
    assert!(!written(&format!("{relevant}\nSecRule ARGS:z \"@rx .\" \"id:1,phase:1,log,noauditlog\""), "/?z=1"));
    assert!(!written(&format!("{relevant}\nSecRule ARGS:z \"@rx .\" \"id:1,phase:1,nolog\""), "/?z=1"));
    assert!(written(&format!("{relevant}\nSecRule ARGS:z \"@rx .\" \"id:1,phase:1,nolog,ctl:auditEngine=On\""), "/?z=1"));
    assert!(!written("SecAuditEngine On\nSecAction \"id:1,phase:1,nolog,ctl:ruleEngine=Off\"", "/?w=warn"));
}

#[cfg(unix)]
#[test]
fn concurrent_records_have_a_file_each_and_a_line_in_the_index() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let modes = "SecAuditLogDirMode 0700\nSecAuditLogFileMode 0600";
    let (index, store) = (folder.path("index.log"), folder.path("store"));
    let waf = waf(&format!("SecAuditEngine On\nSecAuditLogType Concurrent\nSecAuditLog {index}\nSecAuditLogStorageDir {store}\n{modes}"));
    let _ = exchange(&waf, "/?q=evil");
    let line = folder.read("index.log");
    assert!(line.starts_with("shop.example 192.0.2.1 - ["), "{line}");
    assert!(line.contains("] \"GET /?q=evil HTTP/1.1\" 406 0 - \"-\" id-1 - "), "{line}");
    let path = PathBuf::from(line.split(' ').find(|word| word.starts_with(&store)).unwrap());
    assert!(path.file_name().unwrap().to_string_lossy().ends_with("-id-1"));
    assert!(fs::read_to_string(&path).unwrap().contains("H--\nModSecurity: Access denied"));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap()), mode(Path::new(&index))), (0o600, 0o700, 0o600));
}

#[cfg(unix)]
#[test]
fn an_id_leads_nowhere_out_of_the_store() {
    let folder = Folder::new();
    let store = folder.path("store");
    let waf = waf(&format!("SecAuditEngine On\nSecAuditLogType Concurrent\nSecAuditLogStorageDir {store}"));
    let mut transaction = waf.transaction_with_id("../../../x");
    transaction.process_logging();
    let days: Vec<_> = fs::read_dir(&store).unwrap().collect();
    assert_eq!((days.len(), fs::read_dir(&folder.0).unwrap().count()), (1, 1));
}

/// Makes a waf with a concurrent audit log, and returns its records.
fn concurrent(folder: &Folder) -> Waf {
    let (index, store) = (folder.path("index.log"), folder.path("store"));
    waf(&format!("SecAuditEngine On\nSecAuditLogType Concurrent\nSecAuditLog {index}\nSecAuditLogStorageDir {store}"))
}

/// Returns the records in the index, with the name of each.
fn records(folder: &Folder) -> Vec<(String, String)> {
    let index = folder.read("index.log");
    let paths = index.lines().filter_map(|line| line.split(' ').find(|word| word.contains("/store/")));
    paths.map(|path| (Path::new(path).file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn long_ids_have_a_record_each() {
    let folder = Folder::new();
    let waf = concurrent(&folder);
    let long = "i".repeat(300);
    for id in [format!("{long}1"), format!("{long}2")] {
        waf.transaction_with_id(&id).process_logging();
    }
    let found = records(&folder);
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|(name, _)| name.len() <= 255 && name.contains("iiii")), "{found:?}");
    for (end, (_, text)) in ["1", "2"].iter().zip(&found) {
        assert!(text.contains(&format!("{long}{end} ")), "{text}");
    }
}

#[test]
fn equal_ids_have_a_record_each() {
    let folder = Folder::new();
    let waf = concurrent(&folder);
    for target in ["/first", "/second", "/third"] {
        let mut transaction = waf.transaction_with_id("a/b");
        let _ = transaction.process_uri(target.as_bytes(), b"GET", b"1.1");
        transaction.process_logging();
    }
    let found = records(&folder);
    for (target, (_, text)) in ["/first", "/second", "/third"].iter().zip(&found) {
        assert!(text.contains(&format!("GET {target} ")), "{found:?}");
    }
    assert_eq!(found.len(), 3);
}

#[cfg(unix)]
#[test]
fn a_record_follows_no_link() {
    let folder = Folder::new();
    let waf = concurrent(&folder);
    let mut transaction = waf.transaction_with_id("id-1");
    let began = DateTime::<Local>::from(transaction.began());
    let minute = format!("store/{}/{}", began.format("%Y%m%d"), began.format("%Y%m%d-%H%M"));
    fs::create_dir_all(folder.path(&minute)).unwrap();
    let link = folder.path(&format!("{minute}/{}-id-1", began.format("%Y%m%d-%H%M%S")));
    std::os::unix::fs::symlink(folder.path("elsewhere"), link).unwrap();
    transaction.process_logging();
    assert_eq!(folder.read("elsewhere"), "");
    assert_eq!(records(&folder).len(), 1);
}

#[test]
fn an_audit_log_that_cannot_be_written_stops_nothing_and_is_told_once() {
    let folder = Folder::new();
    fs::write(folder.path("blocked"), "a file").unwrap();
    let serial = format!("SecAuditLog {}", folder.path("no/such/audit.log"));
    let concurrent = format!("SecAuditLogType Concurrent\nSecAuditLogStorageDir {}", folder.path("blocked"));
    for (at, (settings, path)) in [(serial, "no/such/audit.log"), (concurrent, "blocked")].into_iter().enumerate() {
        let debug = format!("debug-{at}.log");
        let waf = waf(&format!("SecDebugLog {}\nSecDebugLogLevel 9\nSecAuditEngine On\n{settings}", folder.path(&debug)));
        assert!(exchange(&waf, "/?q=evil").is_some());
        assert!(folder.read(&debug).contains(&format!("[1] Cannot save the audit log: {}", folder.path(path))));
        let told: Vec<Vec<String>> = (0..3)
            .map(|_| {
                let mut transaction = judged(&waf, "/").0;
                transaction.process_logging();
                transaction.notices().iter().map(|told| error_log::notice(&transaction, told)).collect()
            })
            .collect();
        assert_eq!(told, [[""; 0]; 3], "the first transaction told it");
        assert_eq!(waf.lost_audit_records(), 4);
        let waf = Waf::from_rules(&format!("SecRuleEngine On\nSecAuditEngine On\n{settings}")).unwrap();
        let mut transaction = judged(&waf, "/").0;
        transaction.process_logging();
        let line = error_log::notice(&transaction, &transaction.notices()[0]);
        let wanted = format!("ModSecurity: Error. The audit log cannot be written: {}", folder.path(path));
        assert!(line.starts_with(&wanted) && line.contains("Records lost so far: ") && line.ends_with("[unique_id \"id-1\"]"), "{line}");
    }
}

#[test]
fn a_log_that_was_rotated_is_begun_anew() {
    let folder = Folder::new();
    let path = folder.path("audit.log");
    let waf = waf(&format!("SecAuditEngine On\nSecAuditLog {path}\nSecAuditLogFormat JSON"));
    let _ = exchange(&waf, "/?w=warn");
    fs::rename(&path, folder.path("audit.log.1")).unwrap();
    let _ = exchange(&waf, "/?w=warn");
    assert_eq!((folder.read("audit.log.1").lines().count(), folder.read("audit.log").lines().count()), (1, 1));
}

#[test]
fn a_record_begins_a_line_behind_what_another_process_left_unfinished() {
    let folder = Folder::new();
    let path = folder.path("audit.log");
    fs::write(&path, "{\"left\": \"before").unwrap();
    let waf = waf(&format!("SecAuditEngine On\nSecAuditLog {path}\nSecAuditLogFormat JSON"));
    let write = |text: &str| {
        let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    };
    let _ = exchange(&waf, "/?w=warn");
    write("{\"left\": \"between");
    let _ = exchange(&waf, "/?w=warn");
    write("{\"whole\": 1}\n");
    let _ = exchange(&waf, "/?w=warn");
    let _ = exchange(&waf, "/?w=warn");
    let text = folder.read("audit.log");
    let whole: Vec<bool> = text.lines().map(|line| serde_json::from_str::<Value>(line).is_ok()).collect();
    assert_eq!(whole, [false, true, false, true, true, true, true], "{text}");
}

#[test]
fn records_of_several_threads_do_not_mix() {
    let folder = Folder::new();
    let waf = waf(&format!("SecAuditEngine On\nSecAuditLog {}\nSecAuditLogFormat JSON", folder.path("audit.log")));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50).for_each(|_| drop(exchange(&waf, "/?w=warn"))));
        }
    });
    let text = folder.read("audit.log");
    assert_eq!(text.lines().count(), 200);
    assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
}

#[test]
fn the_debug_log_tells_what_happened_in_order() {
    let folder = Folder::new();
    let waf = waf(&format!("SecDebugLog {}\nSecDebugLogLevel 9", folder.path("debug.log")));
    let _ = exchange(&waf, "/?w=WARN");
    let text = folder.read("debug.log");
    assert!(text.lines().all(|line| line.starts_with("[id-1] [")));
    let wanted = [
        "[id-1] [] [4] Initializing transaction",
        "[id-1] [] [4] Starting phase URI. (SecRules 0 + 1/2)",
        "[id-1] [/?w=WARN] [4] Adding request argument (GET): name \"w\", value \"WARN\"",
        "[id-1] [/?w=WARN] [9] This phase consists of 2 rule(s).",
        "[id-1] [/?w=WARN] [4] (Rule: 7) Executing operator \"Contains\" with param \"evil\" against ARGS:q.",
        "[id-1] [/?w=WARN] [4] Rule returned 0.",
        "[id-1] [/?w=WARN] [9] Matched vars cleaned.",
        "[id-1] [/?w=WARN] [4] (Rule: 8) Executing operator \"Rx\" with param \"warn\" against ARGS:w.",
        "[id-1] [/?w=WARN] [9]  T (0) t:lowercase: \"warn\"",
        "[id-1] [/?w=WARN] [9] Target value: \"warn\" (Variable: ARGS:w)",
        "[id-1] [/?w=WARN] [9] Matched vars updated.",
        "[id-1] [/?w=WARN] [4] Rule returned 1.",
        "[id-1] [/?w=WARN] [9] Saving msg: Warned",
        "[id-1] [/?w=WARN] [9] Running action: log",
        "[id-1] [/?w=WARN] [9] Saving transaction to logs",
        "[id-1] [/?w=WARN] [4] Running (disruptive)     action: pass.",
        "[id-1] [/?w=WARN] [8] Running action pass",
        "[id-1] [/?w=WARN] [4] Starting phase LOGGING. (SecRules 5)",
        "[id-1] [/?w=WARN] [5] Audit log engine was not set.",
    ];
    let mut lines = text.lines();
    for line in wanted {
        assert!(lines.any(|found| found == line), "{line}\nis not in its place in\n{text}");
    }
}

#[test]
fn the_debug_log_has_the_words_of_v3() {
    let said = |settings: &str, target: &str, content_type: &str, body: &str| {
        let folder = Folder::new();
        let place = folder.path("debug.log");
        let waf =
            Waf::from_rules(&format!("SecRuleEngine On\nSecRequestBodyAccess On\nSecDebugLog {place}\nSecDebugLogLevel 9\n{settings}"));
        let mut transaction = waf.unwrap_or_else(|error| panic!("{error}")).transaction();
        let request = Exchange { body: vec![body.as_bytes()], ..Exchange::new(b"POST", target.as_bytes()) };
        let _ = request.header("Content-Type", content_type).judge(&mut transaction);
        folder.read("debug.log")
    };
    let args = |operator: &str, target: &str| said(&format!("SecRule ARGS \"{operator}\" \"id:1,phase:1,pass\""), target, "text/plain", "");
    let xml = r#"SecAction "id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=XML"
        SecRule XML:/n:a "@rx 1" "id:2,phase:2,pass,xmlns:n=http://x""#;
    let form = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\nhello\r\n--b--\r\n";
    let files = "SecTmpSaveUploadedFiles On\nSecUploadFileMode 0600";
    let multipart = "multipart/form-data; boundary=b";
    for (text, wanted) in [
        (args("@validateUrlEncoding", "/?a=%254"), "] [7] Invalid URL Encoding: Not enough characters at the end of input at '%4'\n"),
        (args("@validateUrlEncoding", "/?a=%25zz"), "] [7] Invalid URL Encoding: Non-hexadecimal digits used at '%zz'\n"),
        (
            args("@validateUtf8Encoding", "/?a=%c0%80"),
            "] [8] Invalid UTF-8 encoding: overlong character detected at \\xc0\\x80. [offset \"0\"]\n",
        ),
        (args(r"@verifyCC \d{16}", "/?a=5484605089158216"), "] [9] CC# match \"\\d{16}\" at 5484605089158216. [offset 0]\n"),
        (said(xml, "/", "text/xml", "<a xmlns='http://x'>1</a>"), "] [4] Registered XML namespace href \"http://x\" prefix \"n\"\n"),
        (said(xml, "/", "text/xml", "<a xmlns='http://x'>1</a>"), "] [9] Running action: xmlns\n"),
        (said("", "/", multipart, form), "] [4] Multipart: Cleanup started (keep files set to Not set)\n"),
        (said(files, "/", multipart, form), "] [4] MultipartPartTmpFile: Create filename= "),
        (said(files, "/", multipart, form), "] [4] Multipart: Created temporary file 1 (mode o384): "),
        (said(files, "/", multipart, form), "] [9] Multipart: Marking temporary file for deletion: "),
        (said("", "/", "multipart/form-data; boundary=", form), "] [4] Multipart: Invalid boundary in C-T (empty).\n"),
    ] {
        assert!(text.contains(wanted), "{wanted:?} is not in\n{text}");
    }
}

#[test]
fn the_debug_log_keeps_to_its_level() {
    let folder = Folder::new();
    let waf = waf(&format!("SecDebugLog {}\nSecDebugLogLevel 4", folder.path("debug.log")));
    let _ = exchange(&waf, "/");
    let text = folder.read("debug.log");
    assert!(text.contains("] [4] ") && !text.contains("] [9] "), "{text}");
}

/// A debug log that cannot write.
#[derive(Debug)]
struct Full(AtomicU64);

impl DebugLog for Full {
    fn level(&self) -> u8 {
        9
    }

    fn write(&self, _level: u8, _transaction: &str, _target: &[u8], _message: &str) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn lost(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[test]
fn a_debug_log_that_cannot_be_written_is_told_once() {
    let waf = Waf::builder().rules("rules", RULES).debug_log(Arc::new(Full(AtomicU64::new(0)))).build().unwrap();
    let noticed = || {
        let mut transaction = judged(&waf, "/").0;
        transaction.process_logging();
        transaction.notices().to_vec()
    };
    let notices = noticed();
    assert!(notices.len() == 1 && notices[0].starts_with("The debug log cannot be written. Messages lost so far: "), "{notices:?}");
    assert_eq!(noticed(), [""; 0]);
}

#[test]
fn a_debug_log_that_cannot_be_opened_is_an_error_at_its_directive() {
    let folder = Folder::new();
    let rules = format!("{RULES}SecDebugLog {}\n", folder.path("no/such/debug.log"));
    let error = Waf::from_rules(&rules).unwrap_err().to_string();
    assert!(error.contains("rules:5:13") && error.contains("cannot be opened"), "{error}");
    assert!(Waf::builder().rules("rules", &rules).without_logs().build().is_ok());
}

#[cfg(not(feature = "remote"))]
#[test]
fn an_audit_log_over_https_is_refused_by_a_build_that_does_not_post() {
    let error = Waf::from_rules("SecAuditLogType HTTPS\n").unwrap_err().to_string();
    assert!(error.contains("error[E203]") && error.contains("build it with the feature `remote`"), "{error}");
}

#[test]
fn records_that_cannot_be_written_are_counted() {
    let folder = Folder::new();
    let waf = waf(&format!("SecAuditEngine On\nSecAuditLog {}", folder.path("no/such/audit.log")));
    (0..3).for_each(|_| drop(exchange(&waf, "/")));
    assert_eq!(waf.lost_audit_records(), 3);
}

#[cfg(unix)]
#[test]
fn a_pipe_that_nobody_reads_holds_nobody_up() {
    let folder = Folder::new();
    let pipe = folder.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo is part of every Unix");
    let waf = waf(&format!("SecAuditEngine On\nSecAuditLog {pipe}\nSecAuditLogFormat JSON"));
    let _ = exchange(&waf, "/?w=warn");
    let reader = std::io::BufReader::new(fs::File::open(&pipe).unwrap());
    let line = std::io::BufRead::lines(reader).next().unwrap().unwrap();
    assert!(serde_json::from_str::<Value>(&line).is_ok(), "{line}");
}

#[test]
fn references_lead_to_the_values_in_the_request() {
    let rules: String =
        ["ARGS:item", "ARGS_NAMES:second", "REQUEST_HEADERS:X-Test", "REQUEST_COOKIES:sid", "ARGS_POST:field", "REQUEST_METHOD"]
            .iter()
            .enumerate()
            .map(|(at, target)| format!("SecRule {target} \"@unconditionalMatch\" \"id:{},phase:2,pass\"\n", at + 1))
            .collect();
    let waf = Waf::from_rules(&rules).unwrap();
    let headers =
        [("Host", "h"), ("X-Test", "header"), ("Cookie", "a=b; sid=cookie"), ("Content-Type", "application/x-www-form-urlencoded")];
    let (target, body) = ("/path?item=value&second=2", "field=posted");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    let whole = format!("POST {target} HTTP/1.1\n{lines}\n{body}");

    let mut transaction = waf.transaction();
    let _ = Exchange::of(target.as_bytes(), body.as_bytes()).headers(&headers).judge(&mut transaction);
    let found: Vec<String> = transaction
        .rule_matches()
        .iter()
        .map(|found| {
            let reference = String::from_utf8_lossy(&found.reference).into_owned();
            let (offset, length) = reference.strip_prefix('v').and_then(|numbers| numbers.split_once(',')).unwrap();
            let (offset, length): (usize, usize) = (offset.parse().unwrap(), length.parse().unwrap());
            whole[offset..offset + length].to_owned()
        })
        .collect();
    assert_eq!(found, ["value", "second", "header", "cookie", "posted", "POST"]);
}
