//! Scripts in nginx with our library: those of `examples/scripts` do what their first lines say, plugins do their work, published decision
//! scripts decide.
//!
//! Needs nginx, its connector and the library that `make capi` builds; says so and passes where one is missing.

#[path = "common/name_server.rs"]
mod name_server;
#[path = "common/nginx.rs"]
mod nginx;
#[path = "common/plugins.rs"]
mod plugins;

use name_server::NameServer;
use nginx::{Nginx, Site};
use plugins::{CRAWLER, SCAN, UNPACK};
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

#[test]
fn plugins_ask_a_scanner_and_a_name_server_and_unpack_bodies_in_nginx() {
    let server = NameServer::start(&[
        ("192.0.2.10", "bot-1.crawler.example", &["192.0.2.10"]),
        ("192.0.2.11", "bot-2.crawler.example", &["192.0.2.99"]),
    ]);
    let port = plugins::scanner();
    let rules = |folder: &Path| {
        for (name, script) in [("scan.lua", SCAN), ("crawler.lua", CRAWLER), ("unpack.lua", UNPACK)] {
            fs::write(folder.join(name), script).unwrap();
        }
        format!(
            "SecRuleEngine On
             SecRequestBodyAccess On
             SecResponseBodyAccess On
             SecTmpDir {folder}
             SecTmpSaveUploadedFiles On
             SecLuaTimeLimit 5000
             SecResolver {resolver}
             SecAction \"id:1,phase:1,pass,nolog,setvar:tx.scan_address=127.0.0.1,setvar:tx.scan_port={port},setvar:tx.scan_seconds=4\"
             SecRule REQUEST_HEADERS:User-Agent \"@pm examplebot\" \"id:2,phase:1,deny,status:403,chain\"
             SecRule REMOTE_ADDR \"@inspectFile crawler.lua\"
             SecRule &FILES_TMPNAMES \"@eq 0\" \"id:3,phase:2,deny,status:403,chain\"
             SecRule REQUEST_BODY \"@inspectFile scan.lua\"
             SecAction \"id:4,phase:2,pass,nolog,setvar:tx.scan_files=1\"
             SecRule FILES_TMPNAMES \"@inspectFile scan.lua\" \"id:5,phase:2,deny,status:403\"
             SecRule RESPONSE_HEADERS:Content-Encoding \"@pm gzip\" \"id:6,phase:4,pass,nolog,chain\"
             SecRule RESPONSE_BODY \"@rx ^\\x1f\\x8b\" \"t:none,chain\"
             SecRuleScript unpack.lua
             SecRule TX:unpacked \"@contains <?php\" \"id:7,phase:4,deny\"
            ",
            folder = folder.display(),
            resolver = server.address(),
        )
    };
    let in_front = "set_real_ip_from 127.0.0.1; real_ip_header X-Real-IP;";
    let behind = "gzip on; gzip_http_version 1.0; gzip_proxied any; gzip_min_length 1; location /leak { return 200 \"<?php system(1)\"; }";
    let site = Site { name: "nginx-plugins", environment: &[], workers: 1, rules: &rules, in_front, behind };
    let Some(nginx) = Nginx::start(&site) else { return };

    for (client, agent, status) in [
        ("192.0.2.10", "ExampleBot/1.0", 200),
        ("192.0.2.11", "ExampleBot/1.0", 403),
        ("192.0.2.12", "ExampleBot/1.0", 403),
        ("192.0.2.12", "sample", 200),
    ] {
        let headers = [("X-Real-IP", client), ("User-Agent", agent)];
        assert_eq!(nginx.ask_with("GET", "/", &headers, None).status, status, "{agent} at {client}");
    }

    let upload =
        |data: &str| format!("--part\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n{data}\r\n--part--\r\n");
    let padding = "x".repeat(20_000);
    for (data, status) in [("harmless".to_owned(), 200), ("EVIL".to_owned(), 403), (format!("{padding}EVIL{padding}"), 403)] {
        for (kind, body) in [(FORM, format!("a={data}")), ("multipart/form-data; boundary=part", upload(&data))] {
            assert_eq!(nginx.ask("POST", "/", Some((kind, &body))).status, status, "{kind}: {:.20}", body);
        }
    }

    let page = |target: &str, encoding: &str| nginx.ask_with("GET", target, &[("Accept-Encoding", encoding)], None);
    let packed = page("/", "gzip");
    assert!(packed.status == 200 && packed.body.contains("\u{1f}\u{fffd}"), "{packed:?}");
    assert_eq!(page("/leak", "").body, "<?php system(1)", "the plugin is for what is packed");
    let leak = page("/leak", "gzip");
    assert!(leak.status != 200 && leak.body.is_empty(), "{leak:?}");
    let errors = fs::read_to_string(nginx.folder.join("error.log")).unwrap();
    assert!(!errors.contains("Script "), "a script failed: {errors:.3000}");
}
