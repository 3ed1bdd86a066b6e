//! Questions with several sites: each request has the rules of the site and the path that it names.

use crate::support::{Daemon, file, send, wait_until};
#[cfg(feature = "envoy")]
use crate::{
    envoy::{NAME, envoy},
    support::upstream,
};
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Two sites: `strict.example` denies `word` as all of them deny `attack`, but not below `/open/`; `loose.example` stops nothing.
const SITES: &str = r#"
[[site]]
hosts = ["strict.example"]
upstream = "http://127.0.0.1:9"
rules = ["strict.conf"]

[[site.path]]
prefix = "/open/"
remove_rules = [100]

[[site]]
hosts = ["loose.example"]
upstream = "http://127.0.0.1:9"
detect_only = true
"#;

/// Writes a file of sites, and the rules of one.
fn sites() -> PathBuf {
    let path = file("sites.toml", SITES);
    let rules = "SecRule ARGS \"@contains word\" \"id:100,phase:1,deny,status:405,log\"\n";
    fs::write(path.with_file_name("strict.conf"), rules).unwrap();
    path
}

fn start(sites: &std::path::Path, listen: [&str; 2]) -> Daemon {
    Daemon::start(false, &[&["--listen", "127.0.0.1:0", "--sites", sites.to_str().unwrap()][..], &listen].concat())
}

/// Host, target, and the status of the answer; those of a request that passes and of one that no site has depend on who asks.
const ASKED: [(&str, &str, u16); 9] = [
    ("strict.example", "/?a=fine", 200),
    ("STRICT.example.:8080", "/?a=word", 405),
    ("strict.example", "/?a=attack", 403),
    ("strict.example", "/open/?a=word", 200),
    ("strict.example", "/open/?a=attack", 403),
    // A path that can be read in two ways has the rules of its site, and so has one with a fragment.
    ("strict.example", "/open/..%2f?a=word", 405),
    ("strict.example", "/open/?a=word#/../", 405),
    ("loose.example", "/?a=attack", 200),
    ("other.example", "/?a=fine", 421),
];

fn ask_caddy(address: SocketAddr, host: &str, target: &str) -> crate::support::Answer {
    let headers = [
        "X-Forwarded-Method: GET".to_owned(),
        format!("X-Forwarded-Uri: {target}"),
        "X-Forwarded-For: 192.0.2.7".to_owned(),
        format!("X-Forwarded-Host: {host}"),
    ];
    send(address, "GET", "/", &headers.each_ref().map(String::as_str), b"")
}

pub fn a_question_has_the_rules_of_its_site_and_path() {
    let sites = sites();
    let mut daemon = start(&sites, ["--forward-auth", "127.0.0.1:0"]);
    let address = daemon.address("forward-auth");
    assert!(daemon.line("answers forward-auth").contains("each request has the rules of its site"));
    for (host, target, status) in ASKED {
        let answer = ask_caddy(address, host, target);
        assert_eq!(answer.status, status, "{host} {target}: {answer:?}");
    }
    let unknown = ask_caddy(address, "other.example", "/");
    assert_eq!((unknown.status, unknown.header("x-secrule-action")), (421, Some("refuse")), "{unknown:?}");
    daemon.line("forward-auth: GET / for `other.example` is refused with 421: no site has its host");
    assert_eq!(ask_caddy(address, "strict example", "/").status, 400);
    // nginx sees 403 and the status beside it.
    let nginx = ["X-Original-Method: GET", "X-Original-URI: /", "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Host: other.example"];
    let unknown = send(address, "GET", "/", &nginx, b"");
    assert_eq!((unknown.status, unknown.header("x-secrule-status")), (403, Some("421")), "{unknown:?}");

    // Sites that are loaded again hold for questions, too.
    fs::write(&sites, SITES.replace("loose.example", "other.example")).unwrap();
    wait_until(|| ask_caddy(address, "other.example", "/?a=attack").status == 200);
    assert_eq!(ask_caddy(address, "loose.example", "/").status, 421);
    assert!(daemon.counts("forward-auth").contains(" refused"));
}

pub fn a_bouncer_has_the_rules_of_its_site_and_path() {
    let daemon = start(&sites(), ["--appsec", "127.0.0.1:0"]);
    let address = daemon.address("CrowdSec AppSec");
    for (host, target, status) in ASKED {
        let headers = [
            "X-Crowdsec-Appsec-Ip: 192.0.2.7".to_owned(),
            "X-Crowdsec-Appsec-Verb: GET".to_owned(),
            format!("X-Crowdsec-Appsec-Uri: {target}"),
            format!("X-Crowdsec-Appsec-Host: {host}"),
            "X-Crowdsec-Appsec-User-Agent: browser".to_owned(),
        ];
        let answer = send(address, "GET", "/", &headers.each_ref().map(String::as_str), b"");
        assert!(answer.body.contains(&format!("\"http_status\":{status}}}")), "{host} {target}: {answer:?}");
    }
}

#[cfg(feature = "envoy")]
pub fn envoy_has_the_rules_of_each_site_and_path() {
    use crate::support::send_to;
    for example in ["envoy-ext-proc.yaml", "envoy-ext-authz.yaml"] {
        let daemon = start(&sites(), ["--ext-proc", "127.0.0.1:0"]);
        let proxy = envoy(example, daemon.address(NAME), upstream(), &[]);
        for (host, target, status) in ASKED {
            // Envoy itself refuses a fragment.
            if !target.contains('#') {
                let answer = send_to(proxy.address, host, "GET", target, &[], b"");
                assert_eq!(answer.status, status, "{example}: {host} {target}: {answer:?}");
            }
        }
    }
}
