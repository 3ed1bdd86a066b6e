//! `secrule serve` as its users see it: what it says, what it serves, how it takes new rules, and how it ends.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod serving;

use serving::{Serving, refused, replace};
use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use time::OffsetDateTime;

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
fn a_request_cannot_make_a_line_long() {
    let file = rules("long", RULES);
    let mut serving = Serving::start(&["--rules", file.to_str().unwrap()]);
    assert_eq!(serving.get(&format!("/old{}", "a".repeat(50_000))).0, 403);
    serving.signal("TERM");
    serving.process.wait().unwrap();
    let mut events = String::new();
    serving.process.stdout.take().unwrap().read_to_string(&mut events).unwrap();
    assert!(events.starts_with("127.0.0.1 GET /olda") && events.contains("a… and 48980 bytes: stopped with 403"), "{events}");
    assert!(events.lines().all(|line| line.len() < 2_500), "{events}");
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
    while !serving.line().contains("too few rules: 0 instead of at least 1") {}
    assert_eq!(serving.get("/old").0, 403);
}

#[test]
fn what_cannot_start_says_why_and_what_to_do() {
    let folder = serving::folder("refused");
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let file = |name: &str, text: &str| {
        fs::write(folder.join(name), text).unwrap();
        path(name)
    };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let (few, broken, pattern) = (
        file("few.conf", RULES),
        file("broken.conf", "SecRule ARGS\n"),
        file("pattern.conf", "SecRule ARGS \"@rx (\" \"id:1,deny,phase:2\""),
    );
    let [(expired, expired_key), (early, early_key), (good, _)] =
        [("expired", -9, -1), ("early", 1, 9), ("good", -1, 90)].map(|(name, from, until)| certificate(&folder, name, from, until));
    let nowhere = "/nowhere/site.pem";
    // The flags, and the essential words of the message: what is wrong, and what to do.
    let cases: &[(&[&str], &[&str])] = &[
        (&["--no-such-flag"], &["'--no-such-flag'", "--help"]),
        (&["--listen", "127.0.0.1"], &["'127.0.0.1'", "--listen <ADDRESS:PORT>"]),
        (&["--listen", &taken], &[&taken, "another server has it, which `ss -ltnp", "or choose another port"]),
        (&["--listen", "192.0.2.1:8080"], &["192.0.2.1:8080", "this machine does not have that address; 0.0.0.0"]),
        (&["--upstream", "127.0.0.1:3000"], &["write http://HOST[:PORT]"]),
        (&["--upstream", "http://127.0.0.1:99999"], &["write http://HOST[:PORT]"]),
        (&["--trust", "10.0.0.0/99"], &["'10.0.0.0/99'", "--trust <NETWORK>"]),
        (&["--client-timeout", "soon"], &["'soon'", "such as 90s, 10m"]),
        (&["--client-timeout", "0s"], &["'0s'", "write a time of 1s or more"]),
        (&["--upstream-timeout", "0"], &["'0'", "write a time of 1s or more"]),
        (&["--max-connections", "0"], &["'0'", "write a number from 1 on"]),
        (&["--rules", "/nowhere/rules.conf"], &["/nowhere/rules.conf", "there is no such file", "check the path"]),
        (&["--rules", &path("")], &["it is a folder", "to read all of its files, write"]),
        (&["--rules", &broken], &["broken.conf:1:13", "needs an operator, such as"]),
        (&["--rules", &pattern], &["pattern.conf:1:", "invalid regular expression", "complete the pattern"]),
        (&["--rules", &few, "--expect-rules", "2"], &["too few rules: 1 instead of at least 2"]),
        (&["--crs", "/nowhere"], &["/nowhere", "name the folder that holds crs-setup.conf"]),
        (&["--sites", "/nowhere/sites.toml"], &["/nowhere/sites.toml"]),
        (&["--sites", "sites.toml", "--upstream", "http://127.0.0.1:3000"], &["'--sites <FILE>' cannot be used with '--upstream <URL>'"]),
        (&["--tls-certificate", &good], &["--tls-key <FILE>"]),
        (&["--tls-certificate", nowhere, "--tls-key", nowhere], &[nowhere]),
        (&["--tls-certificate", &expired, "--tls-key", &expired_key], &["expired.pem: the certificate expired on 2"]),
        (&["--tls-certificate", &early, "--tls-key", &early_key], &["early.pem: the certificate is valid from 2"]),
        (&["--tls-certificate", &good, "--tls-key", &early_key], &["good.pem: ", "it is not the key of the certificate"]),
    ];
    for (flags, words) in cases {
        let listen: &[&str] = if flags.contains(&"--listen") { &[] } else { &["--listen", "127.0.0.1:0"] };
        let said = refused(&[listen, flags].concat());
        assert!(words.iter().all(|word| said.contains(word)), "{flags:?}: {said}\nit lacks one of {words:?}");
        assert!(said.len() < 1_000 && !said.contains("panicked"), "{flags:?}: {said}");
    }
    let _ = fs::remove_dir_all(&folder);
}

/// Makes a certificate that is valid between two days, counted from today, and its key.
fn certificate(folder: &Path, name: &str, from: i64, until: i64) -> (String, String) {
    let mut wanted = rcgen::CertificateParams::new(["shop.example".to_owned()]).unwrap();
    let day = |days| OffsetDateTime::now_utc() + time::Duration::days(days);
    (wanted.not_before, wanted.not_after) = (day(from), day(until));
    let key = rcgen::KeyPair::generate().unwrap();
    let [certificate, key_file] = ["pem", "key"].map(|ending| folder.join(format!("{name}.{ending}")));
    fs::write(&certificate, wanted.self_signed(&key).unwrap().pem()).unwrap();
    fs::write(&key_file, key.serialize_pem()).unwrap();
    (certificate.to_str().unwrap().to_owned(), key_file.to_str().unwrap().to_owned())
}

#[test]
fn an_upstream_that_cannot_be_reached_is_a_warning_and_its_requests_get_502() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut serving = Serving::start(&["--upstream", &format!("http://{free}")]);
    let line = serving.line();
    assert!(line.starts_with("secrule: warning: ") && line.contains(&free.to_string()) && line.contains("502"), "{line}");
    assert_eq!(serving.get("/").0, 502);
}
