//! Scripts in nginx with our library: those of `examples/scripts` do what their first lines say, plugins work, published decision scripts decide.

use secrule_testkit::name_server::NameServer;
use secrule_testkit::nginx::{NGINX, Nginx, Site};
use secrule_testkit::plugins::{CRAWLER, SCAN, UNPACK, scanner};
use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

const FORM: &str = "application/x-www-form-urlencoded";
const GOOGLEBOT: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

/// The page with decision scripts.
const PUBLISHED: &str = "published/001-decision-scripts.txt";

fn main() -> ExitCode {
    let [program, module, library] = NGINX;
    trials::run([
        trial!(every_recipe_works_in_nginx, NGINX),
        trial!(plugins_ask_a_scanner_and_a_name_server_and_unpack_bodies_in_nginx, NGINX),
        trial!(published_decision_scripts_decide_for_the_site_of_their_location, [program, module, library, Needs::Shared(PUBLISHED)]),
        trial!(crawlers_that_a_silent_name_server_knows_nothing_of_hold_no_other_request_up, NGINX),
    ])
}

/// Returns `true` if one of the next tries succeeds: on a busy machine the name server's answer may come after a request has passed.
fn soon(mut succeeds: impl FnMut() -> bool) -> bool {
    (0..100).any(|_| {
        let succeeded = succeeds();
        if !succeeded {
            thread::sleep(Duration::from_millis(20));
        }
        succeeded
    })
}

fn every_recipe_works_in_nginx() {
    let server = NameServer::start(&[("66.249.66.1", "crawl-66-249-66-1.googlebot.com", &["66.249.66.1"])]);
    let examples = secrule_testkit::project().join("examples/scripts");
    let bodies = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("bodies-{}.log", std::process::id()));
    let _ = fs::remove_file(&bodies);
    let rules = |_: &Path| format!("SecResolver {}\nInclude {}\n", server.address(), examples.join("scripts.conf").display());
    let environment = [("SECRULE_BODY_LOG", bodies.display().to_string())];
    // Each worker counts rates separately.
    let site = Site { name: "nginx-scripts", environment: &environment, workers: 1, rules: &rules, in_front: "", behind: "" };
    let nginx = Nginx::start(&site);
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
    assert!(soon(|| ask("192.0.2.50", GOOGLEBOT, None) == 429), "a false crawler");
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

fn plugins_ask_a_scanner_and_a_name_server_and_unpack_bodies_in_nginx() {
    let server = NameServer::start(&[
        ("192.0.2.10", "bot-1.crawler.example", &["192.0.2.10"]),
        ("192.0.2.11", "bot-2.crawler.example", &["192.0.2.99"]),
    ]);
    let port = scanner();
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
    let nginx = Nginx::start(&site);

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

/// Returns the scripts of a published page: each from `function` to the `end` at the start of a line.
fn published() -> Vec<String> {
    let page = fs::read_to_string(secrule_testkit::shared(PUBLISHED)).unwrap();
    let scripts = page.split("function should_block()").skip(1);
    scripts.map(|rest| format!("function should_block(){}\nend\n", rest.split_once("\nend\n").unwrap().0)).collect()
}

fn published_decision_scripts_decide_for_the_site_of_their_location() {
    let scripts = published();
    let [first, crawler, blacklist, whitelist, rate] = &scripts[..] else { panic!("{scripts:?}") };
    let server = NameServer::start(&[("66.249.66.1", "crawl-66-249-66-1.googlebot.com", &["66.249.66.1"])]);
    let rules = |folder: &Path| {
        let mut directives = String::new();
        for (name, script) in [("whitelist", whitelist), ("first", first), ("blacklist", blacklist), ("crawler", crawler), ("rate", rate)] {
            fs::write(folder.join(name).with_extension("lua"), script).unwrap();
            directives.push_str(&format!("SecDecisionScript {name}.lua\n"));
        }
        format!(
            "SecRuleEngine On
             SecTrustedSource 127.0.0.1
             SecResolver {}
             SecIpList whitelist 198.51.100.9 site:7
             SecIpList blacklist 203.0.113.0/24 site:7
             SecIpList blacklist 203.0.113.200
             SecRateLimit 10/36000 burst:10 site:7
             {directives}",
            server.address()
        )
    };
    let location = |name: &str, site: u64| {
        format!("location /{name} {{ modsecurity_rules 'SecSiteId {site}'; proxy_pass http://unix:{{folder}}/behind.sock; }}\n")
    };
    let in_front = location("shop", 7) + &location("blog", 8);
    // Each worker counts rates separately.
    let site = Site { name: "nginx-published", environment: &[], workers: 1, rules: &rules, in_front: &in_front, behind: "" };
    let nginx = Nginx::start(&site);
    let ask = |target: &str, headers: &[(&str, &str)]| nginx.ask_with("GET", target, headers, None).status;

    let (listed, other) = ("203.0.113.9", "192.0.2.1");
    for (target, headers, status, what) in [
        ("/shop", &[("X-Real-IP", listed)][..], 403, "listed for the site"),
        ("/blog", &[("X-Real-IP", listed)], 200, "listed for another site"),
        ("/", &[("X-Real-IP", listed)], 200, "listed for a site, and this is none"),
        ("/blog", &[("X-Real-IP", "203.0.113.200")], 403, "listed for all"),
        ("/shop", &[], 200, "the peer itself"),
        ("/shop", &[("X-Forwarded-For", "203.0.113.9, 192.0.2.1")], 403, "the first that is forwarded"),
        ("/shop", &[("X-Forwarded-For", "192.0.2.1, 203.0.113.9")], 200, "the second that is forwarded"),
        ("/shop", &[("X-Real-IP", other), ("X-Forwarded-For", listed)], 200, "X-Real-IP goes first"),
        ("/shop", &[("X-Real-IP", listed), ("X-Forwarded-For", other)], 403, "X-Real-IP goes first"),
        ("/shop", &[("X-Real-IP", "nobody"), ("X-Forwarded-For", listed)], 403, "X-Real-IP makes no sense"),
        ("/shop", &[("X-Real-IP", "203.0.113.9:4433")], 403, "with a port"),
        ("/shop", &[("User-Agent", "")], 403, "no user agent"),
        ("/shop", &[("User-Agent", ""), ("X-Real-IP", "198.51.100.9")], 200, "no user agent, and on the whitelist"),
        ("/blog", &[("User-Agent", ""), ("X-Real-IP", "198.51.100.9")], 403, "no user agent, and on another site's whitelist"),
    ] {
        assert_eq!(ask(target, headers), status, "{target} {headers:?}: {what}");
    }

    let claims = |client: &str| ask("/blog", &[("X-Real-IP", client), ("User-Agent", GOOGLEBOT)]);
    assert!(soon(|| claims("192.0.2.50") == 403), "a false crawler");
    assert!((0..5).all(|_| claims("66.249.66.1") == 200), "a true crawler");
    assert_eq!(ask("/blog", &[("X-Real-IP", "192.0.2.50")]), 200, "0 minutes are no ban");

    let passed = |target: &str, client: &str| (0..25).filter(|_| ask(target, &[("X-Real-IP", client)]) == 200).count();
    assert_eq!(passed("/shop", "192.0.2.60"), 10, "beyond the rate");
    assert_eq!(passed("/shop", "192.0.2.61"), 10, "each client has its own");
    assert_eq!(passed("/blog", "192.0.2.60"), 25, "the other site has none");
    assert_eq!(passed("/shop", "198.51.100.9"), 25, "on the whitelist");

    let errors = fs::read_to_string(nginx.folder.join("error.log")).unwrap();
    assert!(
        errors.contains("Blocked by IP blacklist: 203.0.113.9 (site_id=7)"),
        "the error log lacks what the script said: {errors:.3000}"
    );
    assert!(!errors.contains("Script "), "a script failed: {errors:.3000}");
}

fn crawlers_that_a_silent_name_server_knows_nothing_of_hold_no_other_request_up() {
    let server = NameServer::silent();
    let script = secrule_testkit::project().join("examples/scripts/crawler.lua");
    let rules = |_: &Path| {
        let script = script.display();
        format!("SecRuleEngine On\nSecTrustedSource 127.0.0.1\nSecResolver {}\nSecDecisionScript {script}\n", server.address())
    };
    let site = Site { name: "nginx-silent", environment: &[], workers: 1, rules: &rules, in_front: "", behind: "" };
    let nginx = Nginx::start(&site);
    let crawler = |client: &str| nginx.ask_with("GET", "/", &[("User-Agent", "Googlebot/2.1"), ("X-Forwarded-For", client)], None).status;
    // The maximum time of a plain request beside 20 crawlers with different addresses.
    let longest = |turn: usize| {
        thread::scope(|scope| {
            let crawlers: Vec<_> = (0..20).map(|number| scope.spawn(move || crawler(&format!("198.51.{turn}.{number}")))).collect();
            let mut longest = Duration::ZERO;
            loop {
                let over = crawlers.iter().all(|crawler| crawler.is_finished());
                let began = Instant::now();
                assert_eq!(nginx.ask("GET", "/", None).status, 200);
                longest = longest.max(began.elapsed());
                if over {
                    break;
                }
            }
            assert!(crawlers.into_iter().all(|crawler| crawler.join().unwrap() == 200), "what is not known blocks nobody");
            longest
        })
    };
    // A busy machine may delay any request, but not in every round. A look-up at a silent server takes 500 milliseconds.
    let mut longest = (0..5).map(longest).inspect(|longest| trials::note(&format!("a plain request waited {longest:?}")));
    assert!(longest.any(|longest| longest < Duration::from_millis(150)), "plain requests wait for the name server");
    assert!(server.questions() > 0, "nobody asked the name server");
}
