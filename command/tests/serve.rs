//! `secrule serve` as its users see it: what it says, what it serves, how it takes new rules, and how it ends.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod serving;

use serving::{Serving, refused, replace};
use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::PathBuf;

/// Rules that deny `/old`.
const RULES: &str = "SecRuleEngine On\nSecRule REQUEST_URI \"@contains /old\" \"id:1,phase:1,deny,log,msg:'old'\"\n";

/// A file of rules in a folder of its own.
fn rules(name: &str, text: &str) -> PathBuf {
    let file = serving::folder(name).join("rules.conf");
    fs::write(&file, text).unwrap();
    file
}

#[test]
fn without_anything_a_page_passes_and_its_attacks_are_stopped() {
    let mut serving = Serving::start(&[]);
    let (status, page) = serving.get("/");
    assert!(status == 200 && page.contains("This request passed"), "{page}");
    let attacks: Vec<&str> = page.split("class=\"attack\" href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(attacks.len(), 3);
    for attack in attacks {
        assert_eq!(serving.get(attack).0, 403, "{attack}");
    }
    serving.signal("TERM");
    assert_eq!(serving.process.wait().unwrap().code(), Some(0));
    let mut events = String::new();
    serving.process.stdout.take().unwrap().read_to_string(&mut events).unwrap();
    assert!(events.lines().any(|line| line.starts_with("127.0.0.1 GET /: stopped with 403: ")), "{events}");
    assert!(!events.contains("password"), "{events}");
}

#[test]
fn a_request_cannot_forge_a_line_and_secrets_are_masked() {
    let file = rules("forged", &format!("SecSanitise ARGS:key\n{RULES}"));
    let mut serving = Serving::start(&["--rules", file.to_str().unwrap()]);
    assert_eq!(serving.get("/old%0a192.0.2.7%20GET%20/s3cret?key=s3cret").0, 403);
    serving.signal("TERM");
    serving.process.wait().unwrap();
    let mut events = String::new();
    serving.process.stdout.take().unwrap().read_to_string(&mut events).unwrap();
    assert!(
        events.lines().count() > 0 && events.lines().all(|line| line.starts_with("127.0.0.1 GET /old\\x0a192.0.2.7 GET /******: ")),
        "{events}"
    );
}

#[test]
fn an_admin_page_says_where_it_is_and_needs_a_token_file_elsewhere() {
    let mut serving = Serving::start(&["--admin", "127.0.0.1:0"]);
    let line = serving.line();
    assert!(line.starts_with("secrule: the admin page is http://127.0.0.1:") && line.contains("/#token="), "{line}");
    let elsewhere = refused(&["--listen", "127.0.0.1:0", "--admin", "0.0.0.0:0"]);
    assert!(elsewhere.contains("--admin-token-file"), "{elsewhere}");
    assert!(refused(&["--admin-token-file", "/nowhere/token"]).contains("--admin"));
    assert!(
        refused(&["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--admin-token-file", "/nowhere/token"]).contains("/nowhere/token")
    );
}

#[test]
fn nothing_is_stopped_if_that_is_wanted() {
    let file = rules("detect", RULES);
    let serving = Serving::start(&["--rules", file.to_str().unwrap(), "--detect-only"]);
    assert_eq!(serving.get("/old").0, 200);
}

#[test]
fn new_rules_hold_when_their_file_changes_and_on_sighup() {
    let file = rules("reload", RULES);
    let mut serving = Serving::start(&["--rules", file.to_str().unwrap()]);
    assert_eq!((serving.get("/old").0, serving.get("/new").0), (403, 200));
    replace(&file, &RULES.replace("/old", "/new"));
    serving.wait_for("/new", 403);
    assert_eq!(serving.get("/old").0, 200);
    assert_eq!(serving.line(), "secrule: 1 rule was loaded again\n");
    serving.signal("HUP");
    assert_eq!(serving.line(), "secrule: 1 rule was loaded again\n");
}

#[test]
fn rules_that_do_not_load_change_nothing_and_say_why() {
    let file = rules("broken", RULES);
    let mut serving = Serving::start(&["--rules", file.to_str().unwrap(), "--expect-rules", "1"]);
    replace(&file, "SecRule ARGS\n");
    let line = serving.line();
    assert!(line.starts_with("secrule: the earlier rules stay: the rules do not load"), "{line}");
    assert_eq!(serving.get("/old").0, 403);
    replace(&file, "SecRuleEngine On\n");
    while !serving.line().contains("there are 0 rules, and --expect-rules 1") {}
    assert_eq!(serving.get("/old").0, 403);
}

#[test]
fn what_cannot_start_says_why() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = refused(&["--listen", &address]);
    assert!(said.contains(&address) && said.contains("another server has it, which `ss -ltnp"), "{said}");
    assert!(refused(&["--rules", "/nowhere/rules.conf"]).contains("/nowhere/rules.conf"));
    assert!(refused(&["--upstream", "127.0.0.1:3000"]).contains("write http://HOST"));
    assert!(refused(&["--tls-certificate", "/nowhere/site.pem"]).contains("--tls-key"));
    let tls = ["--listen", "127.0.0.1:0", "--tls-certificate", "/nowhere/site.pem", "--tls-key", "/nowhere/site.key"];
    assert!(refused(&tls).contains("/nowhere/site.pem"));
    let file = rules("few", RULES);
    assert!(refused(&["--rules", file.to_str().unwrap(), "--expect-rules", "2"]).contains("there is 1 rule, and --expect-rules 2"));
    assert!(refused(&["--no-such-flag"]).contains("--help"));
}
