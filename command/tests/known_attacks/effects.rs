//! Effects of a match: programs, scripts, redirects, variables that stay, logs.

use crate::host::{GET, Request, Scratch, get, judge, waf};
use secrule::Waf;
use std::fs;

#[cfg(unix)]
#[test]
fn a_program_that_inspects_a_value_with_commands_in_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Scratch::new("inspect");
    let (program, mark) = (folder.0.join("inspect.sh"), folder.0.join("mark"));
    // Prints 1 (fine) for exactly one argument, otherwise 0.
    fs::write(&program, "#!/bin/sh\n[ $# = 1 ] && echo \"1 fine\" || echo \"0 found\"\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let rules = format!("SecRule ARGS \"@inspectFile {}\" \"id:1,phase:2,deny\"\n", program.display());
    for value in [
        format!("; touch {}", mark.display()),
        format!("$(touch {})", mark.display()),
        format!("`touch {}`", mark.display()),
        "a b 'c".to_owned(),
    ] {
        let value: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
        assert_eq!(get(&rules, &format!("/?q={value}")).status, None);
        assert!(!mark.exists());
    }
}

#[cfg(feature = "lua")]
#[test]
fn scripts_that_ask_for_what_there_is_not() {
    let folder = Scratch::new("getvar");
    let script = folder.0.join("ask.lua");
    let names = ["ARGS", "TIME", "REMOTE_USER", "ENV.x", "RULE.id", "MULTIPART_LF_LINE", "NOTHING", "", "ARGS:", ":", "&ARGS", "TX./["];
    let asks: String = names.map(|name| format!("m.getvar('{name}')\nm.getvars('{name}')\n")).concat();
    fs::write(&script, format!("function main()\n{asks}return 'answered'\nend\n")).unwrap();
    let judged = get(&format!("SecRuleScript {} \"id:1,phase:2,deny\"\n", script.display()), "/?a=1");
    assert_eq!(judged.status, Some(403));
    assert_eq!(judged.transaction.rule_matches()[0].message(), "answered");
}

#[test]
fn a_redirect_with_line_breaks_of_the_request() {
    let waf = waf("SecRule ARGS:next \"@rx .\" \"id:1,phase:1,redirect:'https://shop.example/?next=%{MATCHED_VAR}'\"\n");
    let mut transaction = waf.transaction();
    let _ = transaction.process_uri(b"/?next=a%0d%0aSet-Cookie:%20sid=evil%00", b"GET", b"1.1");
    let verdict = transaction.process_request_headers();
    let address = verdict.intervention().and_then(|intervention| intervention.location().map(str::to_owned));
    assert_eq!(address.as_deref(), Some("https://shop.example/?next=a%0D%0ASet-Cookie: sid=evil%00"));
}

#[test]
fn clients_that_fill_the_store() {
    let rules = "SecStoreBytesLimit 1000000\nSecAction \"id:1,phase:1,pass,nolog,initcol:ip=%{ARGS.client}\"\n\
        SecRule IP:v \"@rx .\" \"id:2,phase:1,deny\"\nSecAction \"id:3,phase:2,pass,nolog,setvar:ip.v=%{ARGS.v}\"\n";
    let waf = waf(rules);
    let value = "v".repeat(10_000);
    let is_known =
        |client: usize| judge(&waf, Request { target: format!("/?client={client}&v={value}").as_bytes(), ..GET }).status.is_some();
    assert_eq!((0..200).filter(|client| is_known(*client)).count(), 0);
    assert!(is_known(199) && !is_known(0), "who was not seen for longest is forgotten");
}

#[test]
fn values_that_look_like_parts_of_a_log() {
    let folder = Scratch::new("logs");
    let place = |name: &str| folder.0.join(name).display().to_string();
    let settings = format!(
        "SecDebugLog {}\nSecDebugLogLevel 9\nSecAuditEngine On\nSecAuditLogType Concurrent\nSecAuditLog {}\nSecAuditLogStorageDir {}\n",
        place("debug.log"),
        place("index.log"),
        place("records")
    );
    let waf = waf(&format!("{settings}SecRule ARGS \"@rx 1\" \"id:1,phase:2,pass,log,msg:'%{{ARGS.a}}'\""));
    let headers: [(&str, &[u8]); 1] = [("User-Agent", b"a\" - FAKE \"b")];
    let request = Request { target: b"/?a=1%22%5d+%5bid+%22999%22%5d%0aFAKE%1b%5b31m%c2%9b", headers: &headers, ..GET };
    let mut judged = judge(&waf, request);
    judged.transaction.process_logging();
    let line = secrule::internals::record::error_log::line(&judged.transaction, &judged.transaction.rule_matches()[0]);
    assert!(line.contains("[id \"1\"]") && !line.contains("[id \"999"), "{line}");
    let debug = fs::read_to_string(folder.0.join("debug.log")).unwrap();
    assert!(debug.contains("FAKE") && !debug.contains("\nFAKE") && !debug.contains(['\x1b', '\u{9b}']));
    let index = fs::read_to_string(folder.0.join("index.log")).unwrap();
    assert!(index.contains("\"a\\x22 - FAKE \\x22b\""), "{index}");
}

#[test]
fn rules_of_phase_2_without_the_body() {
    let rule = "SecRule ARGS \"@contains attack\" \"id:1,phase:2,deny\"\n";
    let off = format!("SecRequestBodyAccess Off\n{rule}");
    assert_eq!(get(&off, "/?a=attack").status, None);
    let warned = Waf::from_rules(&off).unwrap();
    assert!(warned.report().warnings().iter().any(|warning| warning.message.contains("never evaluated")));
    assert_eq!(get(rule, "/?a=attack").status, Some(403));
    let asked = "SecRule REQUEST_METHOD \"@streq GET\" \"id:2,phase:1,pass,nolog,ctl:requestBodyAccess=On\"\n";
    assert_eq!(get(&format!("SecRequestBodyAccess Off\n{asked}{rule}"), "/?a=attack").status, Some(403));
}
