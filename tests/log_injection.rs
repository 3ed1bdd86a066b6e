//! Values of a request in the logs: none can add a line or a field, or control a terminal.

use secrule::internals::record::error_log;
use secrule::{Intervention, Transaction, Waf};
use secrule_testkit::host::{Exchange, Response};
use secrule_testkit::logged::{Folder, RULES, judged};
use serde_json::Value;

/// Returns the fields of an error line by name, as readers such as fail2ban parse them.
fn fields(line: &str) -> Vec<(String, String)> {
    let parts = line.split(" [").skip(1).filter_map(|part| part.split_once(" \""));
    parts.map(|(name, value)| (name.to_owned(), value.trim_end_matches("\"]").to_owned())).collect()
}

const HOSTILE: &str = "1\"] [id \"999\"] [msg \"\n\r\0\x1b[31m\x7f\u{9b}31m\u{2028}";

/// A transaction in which all text of the client and the host is hostile.
fn hostile(waf: &Waf) -> (Transaction, Vec<Intervention>) {
    let mut transaction = waf.transaction_with_id(HOSTILE);
    transaction.set_hostname(HOSTILE.as_bytes());
    let encoded: String = HOSTILE.bytes().chain([0x9b]).map(|byte| format!("%{byte:02x}")).collect();
    let target = [b"/", encoded.as_bytes(), b"/\n\x1b\"?q=evil", encoded.as_bytes(), b"&", encoded.as_bytes(), b"=warn"].concat();
    let text = HOSTILE.as_bytes();
    let exchange = Exchange {
        client: (HOSTILE, 4711),
        server: (HOSTILE, 443),
        version: text,
        body: vec![text],
        response: Some(Response { status: 200, protocol: HOSTILE, headers: vec![(text, text)], body: Vec::new() }),
        ..Exchange::new(text, &target)
    };
    let headers = ["Host", "User-Agent", "Referer", HOSTILE].map(|name| (name, HOSTILE));
    let exchange = exchange.headers(&headers).header("Content-Type", "application/x-www-form-urlencoded");
    let decisions = exchange.run_through(&mut transaction);
    (transaction, decisions)
}

const HOSTILE_RULES: &str = r#"
    SecRequestBodyAccess On
    SecRule ARGS_NAMES "@within %{ARGS.q}" "id:31,phase:2,pass,log"
    SecRule ARGS "@rx (?s)(.*)" "id:32,phase:2,pass,log,capture,msg:'%{ARGS.q}',logdata:'%{ARGS.q}',tag:'%{ARGS.q}',setvar:'tx.%{ARGS.q}=%{ARGS.q}'"
    SecRule ARGS_NAMES "@rx ." "id:33,phase:2,pass,log,msg:'named'"
"#;

/// Makes rules with these before the others, and settings.
fn hostile_waf(settings: &str) -> Waf {
    Waf::from_rules(&format!("{HOSTILE_RULES}\n{RULES}\n{settings}\n")).unwrap_or_else(|error| panic!("{error}"))
}

/// Returns `true` for text that neither controls a terminal nor splits a line, except for its line breaks.
fn is_harmless(text: &str) -> bool {
    !text.contains(|c: char| (c.is_control() && c != '\n') || matches!(c, '\u{2028}' | '\u{202e}'))
}

#[test]
fn no_value_of_a_request_makes_a_field_or_a_line_of_the_error_log() {
    let (transaction, decisions) = hostile(&hostile_waf(""));
    let mut lines: Vec<String> = transaction.rule_matches().iter().map(|found| error_log::line(&transaction, found)).collect();
    lines.push(error_log::intervention(&transaction, &decisions[0]));
    lines.push(error_log::notice(&transaction, HOSTILE));
    assert_eq!(lines.len(), 6);
    for line in &lines {
        assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{line:?}");
        let ids: Vec<String> = fields(line).into_iter().filter(|(name, _)| name == "id").map(|(_, id)| id).collect();
        assert!(ids.iter().all(|id| ["7", "31", "32", "33"].contains(&&**id)) && ids.len() <= 1, "{line}");
        assert!(!line.contains("[id \"999"), "{line}");
    }
    let reason = decisions[0].reason();
    assert!(is_harmless(reason) && !reason.contains('\n') && !reason.contains("[id \"999"), "{reason:?}");
}

#[test]
fn harmless_values_stand_in_the_error_log_as_they_are() {
    let rules = r#"SecRule ARGS "@rx [\"']a" "id:1,phase:2,pass,log,msg:'It is: %{MATCHED_VAR}',logdata:'a=b; c'""#;
    let (transaction, _) = judged(&Waf::from_rules(rules).unwrap(), "/path/x?q='a");
    let line = error_log::line(&transaction, &transaction.rule_matches()[0]);
    let wanted = "Matched \"Operator `Rx' with parameter `[\\\"']a' against variable `ARGS:q' (Value: `'a' ) [file";
    assert!(line.contains(wanted), "{line}");
    assert!(line.contains("[msg \"It is: 'a\"] [data \"a=b; c\"]") && line.contains("[uri \"/path/x\"]"), "{line}");
}

#[test]
fn no_value_of_a_request_makes_a_line_of_the_debug_log() {
    let folder = Folder::new();
    let (transaction, _) = hostile(&hostile_waf(&format!("SecDebugLog {}\nSecDebugLogLevel 9", folder.path("debug.log"))));
    drop(transaction);
    let text = folder.read("debug.log");
    assert!(is_harmless(&text), "{text:?}");
    assert!(text.lines().count() > 50, "{text}");
    assert!(
        text.lines().all(|line| line.starts_with("[1\"] [id \"999\"] [msg \"\\x0a\\x0d\\x00\\x1b[31m\\x7f\\xc2\\x9b31m\\xe2\\x80\\xa8] [")),
        "{text}"
    );
}

#[test]
fn no_value_of_a_request_makes_a_line_or_a_field_of_the_audit_log() {
    for format in ["Native", "JSON", "OCSF"] {
        let folder = Folder::new();
        let (index, store) = (folder.path("index.log"), folder.path("store"));
        let log = format!("SecAuditEngine On\nSecAuditLogParts ABCEFHZ\nSecAuditLogFormat {format}");
        let concurrent = format!("{log}\nSecAuditLogType Concurrent\nSecAuditLog {index}\nSecAuditLogStorageDir {store}");
        let _ = hostile(&hostile_waf(&format!("{log}\nSecAuditLog {}", folder.path("audit.log"))));
        let _ = hostile(&hostile_waf(&concurrent));
        let text = folder.read("audit.log");
        // The body keeps its lines; CR and other bytes that are not text are escaped, or come before the line break.
        assert!(is_harmless(&text.replace('\r', "")) && text.contains("999"), "{text:?}");
        if format == "Native" {
            let boundary = text.get(..14).unwrap();
            let head = text.split(&format!("{boundary}C--")).next().unwrap();
            assert_eq!(head.lines().count(), 10, "{head}");
        } else {
            assert_eq!(text.lines().count(), 1);
            let record: Value = serde_json::from_str(&text).unwrap();
            let host = match format {
                "JSON" => &record["transaction"]["request"]["headers"]["Host"],
                _ => &record["http_request"]["http_headers"][0]["value"],
            };
            assert_eq!(*host, HOSTILE);
        }
        let line = folder.read("index.log");
        assert!(is_harmless(&line) && line.lines().count() == 1, "{line:?}");
        // Host, client, user, time (two words), request (three), status, length, referer, agent, id, referer, path, 0, size, digest.
        let agent = line.split('"').nth(3).unwrap();
        assert_eq!(line.split('"').count(), 5, "{line}");
        assert_eq!(line.replace(agent, "agent").split(' ').count(), 18, "{line}");
    }
}
