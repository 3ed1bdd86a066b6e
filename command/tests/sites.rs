//! Sites of `secrule serve`, as its users see them: what a file may say, what holds when it changes, and what many of them cost.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod serving;

use secrule_testkit::trials::{self, Needs};
use secrule_testkit::{openssl, project, shared, trial};
use serving::{Serving, folder, refused, replace};
use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

fn main() -> ExitCode {
    trials::run([
        trial!(the_example_loads),
        trial!(each_site_and_path_has_its_rules),
        trial!(nothing_is_stopped_in_any_site_if_that_is_wanted),
        trial!(a_changed_file_holds_and_one_that_does_not_load_changes_nothing),
        trial!(the_admin_page_shows_the_rules_of_each_site_and_a_load_that_failed),
        trial!(a_rule_file_that_did_not_load_is_looked_at_again),
        trial!(files_that_are_wrong_say_where_and_what_to_do),
        trial!(exclusions_that_remove_nothing_are_warnings),
        trial!(rules_that_share_nothing_are_a_warning),
        trial!(an_upstream_that_cannot_be_reached_is_a_warning),
        trial!(a_new_certificate_is_used, [Needs::Program("openssl")]),
        trial!(loads_of_a_certificate_are_counted, [Needs::Program("openssl")]),
        trial!(bans_outlive_a_reload),
        trial!(reloads_under_load_fail_no_request_and_keep_no_memory),
        trial!(a_thousand_reloads_under_load_fail_no_request_and_keep_no_memory).with_ignored_flag(true),
        trial!(many_sites_and_paths_cost_little_memory, [Needs::Shared("crs")]),
    ])
}

/// Rules that deny `attack` in an argument, and `/old`.
const RULES: &str = "SecRuleEngine On\nSecRule ARGS \"@contains attack\" \"id:1,phase:2,deny,log,tag:'attacks'\"\n\
    SecRule REQUEST_URI \"@contains /old\" \"id:2,phase:1,deny,log\"\n";

/// Starts a server that answers all requests with its name.
fn upstream(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0];
                while stream.read_exact(&mut byte).is_ok() {
                    head.push(byte[0]);
                    if head.ends_with(b"\r\n\r\n") {
                        head.clear();
                        let answer = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{name}", name.len());
                        if stream.write_all(answer.as_bytes()).is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    address
}

/// A folder with rules for all sites, and a file of sites.
struct Files {
    folder: PathBuf,
    sites: String,
    rules: String,
}

fn files(name: &str, sites: &str) -> Files {
    let folder = folder(name);
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    fs::write(path("rules.conf"), RULES).unwrap();
    fs::write(path("sites.toml"), sites).unwrap();
    Files { sites: path("sites.toml"), rules: path("rules.conf"), folder }
}

impl Files {
    fn arguments(&self) -> [&str; 4] {
        ["--sites", &self.sites, "--rules", &self.rules]
    }

    fn start(&self) -> Serving {
        Serving::start(&self.arguments())
    }
}

fn shop(upstream: SocketAddr) -> String {
    format!("[[site]]\nhosts = [\"shop.example\"]\nupstream = \"http://{upstream}\"\n")
}

fn the_example_loads() {
    let example = project().join("examples/serve/sites.toml");
    let serving = Serving::start(&["--sites", example.to_str().unwrap()]);
    assert!(serving.start.starts_with("secrule: 2 sites, 3 paths with rules of their own, on "), "{}", serving.start);
    // Before its upstream, which is not there, is asked.
    assert_eq!(serving.get("/old-shop").0, 410);
    assert_eq!(serving.get_from("blog.example", "/login?a=%3Cscript%3Ealert(1)%3C/script%3E").0, 403);
}

fn each_site_and_path_has_its_rules() {
    let (shop, blog) = (upstream("shop"), upstream("blog"));
    let files = files(
        "own",
        &format!(
            "[[site]]\nhosts = [\"shop.example\"]\nupstream = \"http://{shop}\"\nrules = [\"shop.conf\"]\n\
             remove_targets = [{{ rule = 1, target = \"ARGS:comment\" }}]\n\
             [[site.path]]\nprefix = \"/api/\"\nremove_rules_by_tag = [\"attacks\"]\n\
             [[site.path]]\nprefix = \"/api/free\"\nengine = \"off\"\n\
             [[site]]\ndefault = true\nupstream = \"http://{blog}\"\ndetect_only = true\n\
             [[site.path]]\nprefix = \"/login\"\ndetect_only = false\nremove_rules = [2]\n"
        ),
    );
    fs::write(files.folder.join("shop.conf"), "SecRule REQUEST_URI \"@contains /gone\" \"id:3,phase:1,deny,status:410,log\"\n").unwrap();
    let serving = files.start();
    assert!(serving.start.starts_with("secrule: 2 sites, 3 paths with rules of their own, on 2 rules; open http://"), "{}", serving.start);
    for (host, target, status) in [
        ("shop.example", "/?a=attack", 403),
        ("shop.example", "/?comment=attack", 200),
        ("shop.example", "/gone", 410),
        ("shop.example", "/api/?a=attack", 200),
        ("shop.example", "/api/old", 403),
        ("shop.example", "/api/gone", 410),
        ("shop.example", "/api/free/old/gone", 200),
        ("shop.example", "/api/free/%2e%2e/old", 403),
        ("other.example", "/old?a=attack", 200),
        ("other.example", "/gone", 200),
        ("other.example", "/login?a=attack", 403),
        ("other.example", "/login/old", 200),
    ] {
        assert_eq!(serving.get_from(host, target).0, status, "{host}{target}");
    }
    assert_eq!(serving.get("/").1, "shop");
    assert_eq!(serving.get_from("other.example", "/").1, "blog");
}

fn nothing_is_stopped_in_any_site_if_that_is_wanted() {
    let files =
        files("detect", &(shop(upstream("shop")) + "rules = [\"shop.conf\"]\n[[site.path]]\nprefix = \"/a\"\ndetect_only = false\n"));
    fs::write(files.folder.join("shop.conf"), "SecRuleEngine On\n").unwrap();
    let serving = Serving::start(&[&files.arguments()[..], &["--detect-only"]].concat());
    assert!(serving.start.contains(", and stop nothing"), "{}", serving.start);
    assert_eq!((serving.get("/old").0, serving.get("/a/old").0), (200, 200));
}

fn a_changed_file_holds_and_one_that_does_not_load_changes_nothing() {
    let (first, second) = (upstream("first"), upstream("second"));
    let files = files("reload", &shop(first));
    let mut serving = Serving::start(&[&files.arguments()[..], &["--expect-rules", "2"]].concat());
    let file = Path::new(&files.sites);
    replace(file, &(shop(second) + "[[site.path]]\nprefix = \"/a/\"\ndetect_only = true\n"));
    let line = serving.line();
    assert_eq!(line, "secrule: loaded again: 1 site, 1 path with rules of its own, on 2 rules; listen addresses stay until a restart\n");
    assert_eq!((serving.get("/").1.as_str(), serving.get("/a/old").0, serving.get("/old").0), ("second", 200, 403));
    // Rules of all sites are files of it, too.
    replace(Path::new(&files.rules), &RULES.replace("/old", "/new"));
    assert!(serving.line().contains("secrule: loaded again: "));
    assert_eq!((serving.get("/old").0, serving.get("/new").0), (200, 403));
    for (text, reason) in [
        (shop(second) + "remove_rules = [\"1\"]\n", "sites.toml:4: invalid type"),
        (
            shop(second) + "[[site]]\nhosts = [\"b.example\"]\nupstream = \"http://b\"\nrules = [\"none.conf\"]\n",
            "site b.example: the rules do not load",
        ),
    ] {
        replace(file, &text);
        let mut line = serving.line();
        while !line.starts_with("secrule: the earlier sites stay: ") {
            line = serving.line();
        }
        assert!(line.contains(reason), "{line}");
        assert_eq!(serving.get("/").1, "second");
        assert_eq!(serving.get("/a/new").0, 200);
        // After the rest of the message.
        serving.signal("HUP");
        while !serving.line().starts_with("secrule: the earlier sites stay: ") {}
    }
    replace(Path::new(&files.rules), "SecRuleEngine On\nSecAction \"id:1,phase:1,pass\"\n");
    replace(file, &shop(first));
    while !serving.line().contains("too few rules: 0 instead of at least 2") {}
    assert_eq!(serving.get("/a/new").0, 200);
}

fn the_admin_page_shows_the_rules_of_each_site_and_a_load_that_failed() {
    let path = "[[site.path]]\nprefix = \"/a/\"\nremove_rules = [1]\n";
    let files = files("page", &(shop(upstream("shop")) + path));
    let mut serving = Serving::start(&[&files.arguments()[..], &["--admin", "127.0.0.1:0"]].concat());
    let line = serving.line();
    let (address, token) = line.split_once("http://").unwrap().1.trim().split_once("/#token=").unwrap();
    let ask = |path: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    };
    let rules = || serde_json::from_str::<serde_json::Value>(&ask("/api/rules")).unwrap();
    let names = || rules()["sets"].as_array().unwrap().iter().map(|set| set["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(), ["shop.example", "shop.example/a/"]);
    assert!(rules()["failure"].is_null() && ask("/metrics").contains("secrule_rules_loaded 2\n"));

    // A load that fails before the engine sees any rule is one, too.
    replace(Path::new(&files.sites), "[[site]\n");
    while !serving.line().starts_with("secrule: the earlier sites stay: ") {}
    let failed = rules();
    assert!(failed["failure"]["text"].as_str().unwrap().contains("sites.toml:1"), "{failed}");
    assert!(ask("/metrics").contains("secrule_loads_total{status=\"failure\"} 1\n"));

    replace(Path::new(&files.sites), &shop(upstream("shop")));
    while !serving.line().starts_with("secrule: loaded again: ") {}
    assert!(names() == ["shop.example"] && rules()["failure"].is_null());
}

fn a_rule_file_that_did_not_load_is_looked_at_again() {
    let files = files("again", &shop(upstream("shop")));
    let mut serving = files.start();
    replace(Path::new(&files.sites), &(fs::read_to_string(&files.sites).unwrap() + "rules = [\"later.conf\"]\n"));
    assert!(serving.line().starts_with("secrule: the earlier sites stay: "));
    fs::write(files.folder.join("later.conf"), "SecRule REQUEST_URI \"@contains /later\" \"id:3,phase:1,deny\"\n").unwrap();
    serving.wait_for("/later", 403);
}

fn files_that_are_wrong_say_where_and_what_to_do() {
    let site = "[[site]]\nhosts = [\"a.example\"]\nupstream = \"http://127.0.0.1:1\"\n";
    let wrong = |text: &str| {
        let files = files("wrong", text);
        refused(&files.arguments())
    };
    for (text, line, message) in [
        ("", 1, "there is no site in it"),
        ("[[site]\n", 1, ""),
        (&format!("{site}upstraem = 1\n"), 4, "unknown field `upstraem`, expected one of"),
        ("[[site]]\nhosts = [\"a.example\"]\n", 1, "missing field `upstream`"),
        ("[[site]]\nupstream = \"http://a\"\n", 1, "the site has no hosts: write hosts"),
        (&site.replace("a.example", "http://a.example"), 2, "`http://a.example` is not a host: write a name"),
        (&site.replace("http:", "ftp:"), 3, "write http://HOST[:PORT]"),
        (&format!("{site}{site}"), 4, "site a.example: a.example is named twice"),
        (&format!("{site}default = true\n{}default = true\n", site.replace("a.e", "b.e")), 5, "there is another default site"),
        (&format!("{site}[[site.path]]\nprefix = \"/a/../b\"\n"), 5, "is not the beginning of paths: write it decoded"),
        (&format!("{site}[[site.path]]\nprefix = \"/a\"\n[[site.path]]\nprefix = \"/a\"\n"), 1, "the path /a is named twice"),
        (&format!("{site}engine = \"of\"\n"), 4, "unknown variant `of`, expected one of `on`, `detect-only`, `off`"),
        (&format!("{site}remove_rules_by_tag = [\"a\\\"b\"]\n"), 4, "this is not a tag"),
        (&format!("{site}remove_targets = [{{ rule = 1, target = \"ARGS:a|ARGS:b\" }}]\n"), 1, "site a.example: the rules do not load"),
        (&format!("{site}rules = [\"none.conf\"]\n"), 1, "none.conf"),
        (&format!("{site}tls = {{ certificate = \"none.pem\", key = \"none.key\" }}\n"), 1, "none.pem"),
    ] {
        let said = wrong(text);
        assert!(said.contains(&format!("sites.toml:{line}: ")) && said.contains(message), "{text}\n{said}");
    }
    assert!(refused(&["--sites", "/nowhere/sites.toml"]).contains("/nowhere/sites.toml: "));
    assert!(refused(&["--sites", "sites.toml", "--upstream", "http://a"]).contains("cannot be used with"));
    let files = files("few", site);
    let said = refused(&[&files.arguments()[..], &["--expect-rules", "3"]].concat());
    assert!(
        said.contains("sites.toml:1: site a.example: the rules do not load")
            && said.contains("error[E006]: too few rules: 2 instead of at least 3"),
        "{said}"
    );
}

fn exclusions_that_remove_nothing_are_warnings() {
    let files = files("missing", &(shop(upstream("shop")) + "remove_rules = [77]\nremove_rules_by_tag = [\"no-such-tag\"]\n"));
    let serving = files.start();
    let warned =
        |what: &str| serving.start.lines().any(|line| line.starts_with("secrule: warning: site shop.example: ") && line.contains(what));
    assert!(warned("77") && warned("no-such-tag"), "{}", serving.start);
}

fn rules_that_share_nothing_are_a_warning() {
    let files = files("unshared", &(shop(upstream("shop")) + "rules = [\"shop.conf\"]\n"));
    fs::write(files.folder.join("shop.conf"), "SecDefaultAction \"phase:2,pass\"\n").unwrap();
    let serving = files.start();
    assert!(serving.start.contains("secrule: warning: site shop.example: its rules share nothing"), "{}", serving.start);
    assert_eq!(serving.get("/old").0, 403);
}

fn an_upstream_that_cannot_be_reached_is_a_warning() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut serving = files("away", &shop(free)).start();
    let line = serving.line();
    let expected = format!("secrule: warning: site shop.example: the upstream http://{free} cannot be reached: ");
    assert!(line.starts_with(&expected) && line.contains("502"), "{line}");
    assert_eq!(serving.get("/").0, 502);
    let mut serving = Serving::start(&["--upstream", &format!("http://{free}")]);
    assert!(serving.line().contains("cannot be reached"));
}

/// Returns the certificate that a server shows, as text.
fn shown_certificate(address: SocketAddr, name: &str) -> String {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &address.to_string(), "-servername", name]).stdin(Stdio::null()).stderr(Stdio::null());
    let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let start = said.find("-----BEGIN CERTIFICATE-----").unwrap_or_else(|| panic!("{said}"));
    let end = said.find("-----END CERTIFICATE-----").unwrap();
    said[start..end].to_owned()
}

/// Makes a certificate that does not expire soon.
fn certificate(folder: &Path, name: &str) {
    let names = format!("-addext subjectAltName=DNS:{name}");
    openssl::run(folder, &format!("req -x509 {} -days 90 -subj /CN={name} {names} -keyout {name}.key -out {name}.pem", openssl::NEW_KEY));
}

fn a_new_certificate_is_used() {
    let files = files("tls", &(shop(upstream("shop")) + "tls = { certificate = \"shop.example.pem\", key = \"shop.example.key\" }\n"));
    let text = |name: &str| fs::read_to_string(files.folder.join(name)).unwrap();
    certificate(&files.folder, "shop.example");
    certificate(&files.folder, "one.example");
    let (pem, key) = [("one.example.pem", "one.example.key")].map(|(pem, key)| (files.folder.join(pem), files.folder.join(key)))[0].clone();
    let one = ["--rules", &files.rules, "--tls-certificate", pem.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    for (mut serving, name, done) in [
        (files.start(), "shop.example", "secrule: loaded again: "),
        (Serving::start(&one), "one.example", "secrule: the certificate was loaded again"),
    ] {
        assert!(text(&format!("{name}.pem")).starts_with(&shown_certificate(serving.address, name)));
        let new = folder(&format!("new-{name}"));
        certificate(&new, name);
        let (new_pem, new_key) = [(new.join(format!("{name}.pem")), new.join(format!("{name}.key")))][0].clone();
        // The certificate alone does not fit the earlier key.
        let before = shown_certificate(serving.address, name);
        replace(&files.folder.join(format!("{name}.pem")), &fs::read_to_string(&new_pem).unwrap());
        let line = serving.line();
        assert!(line.contains("stay") && line.contains("it is not the key of the certificate"), "{line}");
        assert_eq!(shown_certificate(serving.address, name), before);
        replace(&files.folder.join(format!("{name}.key")), &fs::read_to_string(&new_key).unwrap());
        while !serving.line().contains(done) {}
        assert!(fs::read_to_string(&new_pem).unwrap().starts_with(&shown_certificate(serving.address, name)));
    }
}

fn loads_of_a_certificate_are_counted() {
    let folder = folder("counted");
    certificate(&folder, "one.example");
    let [pem, key] = ["one.example.pem", "one.example.key"].map(|name| folder.join(name));
    let files = ["--tls-certificate", pem.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let mut serving = Serving::start(&[&files[..], &["--admin", "127.0.0.1:0"]].concat());
    let line = serving.line();
    let address = line.split_once("http://").unwrap().1.split('/').next().unwrap();
    let good = fs::read_to_string(&pem).unwrap();
    for (text, said, counted) in [
        ("none", "the earlier certificate stays", "{status=\"failure\"} 1\n"),
        (&good, "the certificate was loaded again", "{status=\"success\"} 1\n"),
    ] {
        replace(&pem, text);
        while !serving.line().contains(said) {}
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
        let mut metrics = String::new();
        stream.read_to_string(&mut metrics).unwrap();
        assert!(metrics.contains(&format!("secrule_serve_certificate_loads_total{counted}")), "{metrics}");
        assert!(metrics.contains("secrule_loads_total{status=\"failure\"} 0\n"), "{metrics}");
    }
}

fn bans_outlive_a_reload() {
    let files = files("bans", &shop(upstream("shop")));
    let counts = "SecRuleEngine On\nSecAction \"id:1,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},setvar:ip.count=+1\"\n\
        SecRule IP:count \"@gt 2\" \"id:2,phase:1,deny\"\n";
    fs::write(&files.rules, counts).unwrap();
    let mut serving = files.start();
    assert_eq!([serving.get("/").0, serving.get("/").0], [200, 200]);
    serving.signal("HUP");
    assert!(serving.line().contains("secrule: loaded again: "));
    assert_eq!(serving.get("/").0, 403);
}

/// Loads sites again and again while clients ask them, and compares the memory after a part of the reloads with that at the end.
fn reload_under_load(reloads: usize, settled: usize) {
    let (shop, blog) = (upstream("shop"), upstream("blog"));
    let mut text = String::new();
    for (host, upstream) in [("shop.example", shop), ("blog.example", blog)] {
        let path = "[[site.path]]\nprefix = \"/api/\"\nremove_rules_by_tag = [\"attack-xss\"]\n";
        write!(text, "[[site]]\nhosts = [\"{host}\"]\nupstream = \"http://{upstream}\"\nremove_rules = [10304]\n{path}").unwrap();
    }
    let files = files(&format!("load-{reloads}"), &text);
    let mut serving = Serving::start(&["--sites", &files.sites]);
    let (ended, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let address = serving.address;
    thread::scope(|scope| {
        for (host, body) in [("shop.example", "shop"), ("blog.example", "blog")] {
            let (ended, asked) = (&ended, &asked);
            scope.spawn(move || {
                let mut stream = std::net::TcpStream::connect(address).unwrap();
                while !ended.load(Ordering::Relaxed) {
                    for (target, status) in [("/", "200"), ("/api/list?a=1", "200"), ("/?a=%3Cscript%3Ealert(1)%3C/script%3E", "403")] {
                        write!(stream, "GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
                        let (head, answer) = read_answer(&mut stream);
                        assert!(head.contains(status) && (status != "200" || answer == body), "{host}{target}: {head}{answer}");
                        asked.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let mut before = 0;
        for number in 1..=reloads {
            serving.signal("HUP");
            let line = serving.line();
            assert!(line.contains("secrule: loaded again: "), "{line}");
            if number == settled {
                before = serving.memory("VmRSS:");
            }
        }
        ended.store(true, Ordering::Relaxed);
        let after = serving.memory("VmRSS:");
        let asked = asked.load(Ordering::Relaxed);
        trials::note(&format!("{reloads} reloads, {asked} requests, {before} bytes after {settled}, {after} bytes at the end"));
        assert!(asked > reloads, "{asked} requests");
        assert!(after < before + before / 20, "{before} bytes after {settled} reloads, {after} bytes after {reloads}");
    });
}

/// Reads one answer with its length.
fn read_answer(stream: &mut std::net::TcpStream) -> (String, String) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}

fn reloads_under_load_fail_no_request_and_keep_no_memory() {
    reload_under_load(60, 30);
}

fn a_thousand_reloads_under_load_fail_no_request_and_keep_no_memory() {
    reload_under_load(1_000, 200);
}

fn many_sites_and_paths_cost_little_memory() {
    let crs = shared("crs");
    let upstream = upstream("site");
    let site = |number: usize| {
        format!(
            "[[site]]\nhosts = [\"site{number}.example\"]\nupstream = \"http://{upstream}\"\nremove_rules = [94110{}]\n\
             remove_targets = [{{ rule = 942190, target = \"ARGS:comment{number}\" }}, {{ rule = 942100, target = \"ARGS:text{number}\" }}]\n",
            number % 10
        )
    };
    // Of a hundred kinds: those with the same changes share their rules.
    let path = |number: usize| {
        let target = format!("{{ rule = 942100, target = \"ARGS:field{}\" }}", number % 100);
        format!("[[site.path]]\nprefix = \"/path{number}/\"\nremove_targets = [{target}]\nremove_rules = [942190]\n")
    };
    let memory_of = |name: &str, text: &str| {
        let files = files(name, text);
        let serving = Serving::start(&["--sites", &files.sites, "--crs", crs.to_str().unwrap()]);
        assert_eq!(serving.get_from("site0.example", "/").1, "site");
        serving.memory("VmRSS:")
    };
    let few = memory_of("few-sites", &site(0));
    let sites = memory_of("many-sites", &(0..51).map(site).collect::<String>());
    let paths = memory_of("many-paths", &(site(0) + &(0..1_000).map(path).collect::<String>()));
    let (each, all) = (sites.saturating_sub(few) / 50, paths.saturating_sub(few));
    trials::note(&format!("{few} bytes for one site, {each} bytes for each other site, {all} bytes for 1000 paths"));
    assert!(each <= 100_000, "{each} bytes for each site");
    assert!(all <= 20_000_000, "{all} bytes for 1000 paths");
}
