//! The scripts of `examples/scripts`, in nginx with our library: each does there what its first lines say.
//!
//! Needs nginx, its connector and the library that `make capi` builds; says so and passes where one is missing.

#[path = "common/name_server.rs"]
mod name_server;
#[path = "common/nginx.rs"]
mod nginx;

use name_server::NameServer;
use nginx::{Nginx, Site};
use std::fs;
use std::path::{Path, PathBuf};

const FORM: &str = "application/x-www-form-urlencoded";
const GOOGLEBOT: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

#[test]
fn every_recipe_works_in_nginx() {
    let server = NameServer::start(&[("66.249.66.1", "crawl-66-249-66-1.googlebot.com", &["66.249.66.1"])]);
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/scripts");
    let bodies = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("bodies-{}.log", std::process::id()));
    let _ = fs::remove_file(&bodies);
    let rules = |_: &Path| format!("SecResolver {}\nInclude {}\n", server.address(), examples.join("scripts.conf").display());
    let environment = [("SECRULE_BODY_LOG", bodies.display().to_string())];
    // Rates are counted by each worker.
    let site = Site { name: "nginx-scripts", environment: &environment, workers: 1, rules: &rules, in_front: "", behind: "" };
    let Some(nginx) = Nginx::start(&site) else { return };
    let ask = |client: &str, agent: &str, body: Option<&str>| {
        let headers = [("X-Forwarded-For", client), ("User-Agent", agent)];
        nginx.ask_with(if body.is_some() { "POST" } else { "GET" }, "/", &headers, body.map(|body| (FORM, body))).status
    };

    assert_eq!(ask("192.0.2.1", "sample", Some("name=Ann%0Aand+more")), 200);
    let logged = fs::read_to_string(&bodies).unwrap();
    assert!(logged.lines().count() == 1 && logged.ends_with(" name=Ann%0Aand+more\n"), "{logged}");

    assert_eq!(ask("203.0.113.9", "sample", None), 429, "on the blacklist");
    assert_eq!(ask("203.0.113.200", "sample", None), 200, "beside the blacklist");

    assert_eq!(ask("66.249.66.1", GOOGLEBOT, None), 200, "a true crawler");
    assert_eq!(ask("192.0.2.50", GOOGLEBOT, None), 429, "a false crawler");
    assert_eq!(ask("192.0.2.50", "sample", None), 429, "it is banned");

    let blocked = |client: &str| (0..25).filter(|_| ask(client, "sample", None) == 429).count();
    assert!((3..=5).contains(&blocked("192.0.2.60")), "beyond the rate");
    assert_eq!(blocked("198.51.100.60"), 0, "on the whitelist");

    assert_eq!(ask("192.0.2.70", "sample", Some("text=%3C%3FPHP+system(1)")), 403, "a script in an argument");
    let odd: Vec<String> = (0..25).map(|number| format!("a{number}={}{number}", "x".repeat(250))).collect();
    assert_eq!(ask("192.0.2.71", "sample", Some(&odd.join("&"))), 403, "a form that no operator can describe");
    let errors = fs::read_to_string(nginx.folder.join("error.log")).unwrap();
    assert!(errors.contains("25 different arguments, 25 of them long"), "the error log lacks what the script said: {errors:.3000}");
    assert!(errors.contains("Blocked by decision script"), "the error log lacks the decision: {errors:.3000}");
    fs::remove_file(bodies).unwrap();
}
