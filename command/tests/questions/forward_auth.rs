//! Caddy and nginx, which send heads.

use crate::support::{
    Daemon, FORM, Proxy, SECRULE, SQL_INJECTION, assert_clean_requests_pass, example, file, free_address, get, listens, post, send,
    upstream,
};
use secrule_testkit::trials::own_address;
use std::net::SocketAddr;
use std::process::Command;

const LISTEN: [&str; 2] = ["--forward-auth", "127.0.0.1:0"];

/// Headers of a question of Caddy.
fn question<'a>(method: &'a str, target: &'a str, client: &'a str) -> Vec<String> {
    vec![format!("X-Forwarded-Method: {method}"), format!("X-Forwarded-Uri: {target}"), format!("X-Forwarded-For: {client}")]
}

fn ask(address: SocketAddr, headers: &[String]) -> crate::support::Answer {
    send(address, "GET", "/", &headers.iter().map(String::as_str).collect::<Vec<_>>(), b"")
}

pub fn forward_auth_says_what_is_missing() {
    let daemon = Daemon::start(false, &LISTEN);
    let address = daemon.address("forward-auth");
    assert!(daemon.line("answers forward-auth").contains("heads only"));
    let passed = ask(address, &question("GET", "/a?b=c", "192.0.2.7"));
    assert_eq!((passed.status, passed.header("x-secrule-action"), passed.header("x-secrule-rules")), (200, Some("pass"), None));
    assert!(passed.header("x-secrule-id").is_some_and(|id| !id.is_empty()));
    assert_eq!(ask(address, &question("GET", "/a?b=attack", "192.0.2.7")).status, 403);
    // The client is the one that the proxy names.
    assert_eq!(ask(address, &question("GET", "/", "192.0.2.66")).status, 451);
    for (missing, text) in [
        ("X-Forwarded-Uri", "X-Original-URI $request_uri"),
        ("X-Forwarded-Method", "X-Original-Method"),
        ("X-Forwarded-For", "$remote_addr"),
    ] {
        let mut headers = question("GET", "/", "192.0.2.7");
        headers.retain(|header| !header.starts_with(missing));
        let answer = ask(address, &headers);
        assert!(answer.status == 400 && answer.body.contains(text), "{answer:?}");
    }
    daemon.line("forward-auth: the question does not name the request");
    let mut forged = question("GET", "/a?b=attack", "192.0.2.7");
    forged.push("X-Original-URI: /clean".to_owned());
    assert_eq!(ask(address, &forged).status, 400);
}

/// The client is not on loopback, and the listener has every address of this machine.
pub fn forward_auth_asks_only_trusted_peers() {
    let daemon = Daemon::start(false, &["--forward-auth", "0.0.0.0:0"]);
    let port = daemon.address("forward-auth").port();
    let own = own_address().unwrap();
    let answer = ask(SocketAddr::new(own, port), &question("GET", "/", "192.0.2.7"));
    assert!(answer.status == 403 && answer.body.contains(&format!("--trust {own}/32")), "{answer:?}");
    daemon.line("is not trusted");
    let daemon = Daemon::start(false, &["--forward-auth", "0.0.0.0:0", "--trust", &format!("{own}/32")]);
    let port = daemon.address("forward-auth").port();
    assert_eq!(ask(SocketAddr::new(own, port), &question("GET", "/", "192.0.2.7")).status, 200);
}

pub fn a_body_that_did_not_come_follows_the_policy() {
    let mut form = question("POST", "/login", "192.0.2.7");
    form.push(FORM.to_owned());
    let mut daemon = Daemon::start(false, &LISTEN);
    let address = daemon.address("forward-auth");
    let answer = ask(address, &form);
    assert_eq!((answer.status, answer.header("x-secrule-hidden-body")), (200, Some("pass")));
    assert_eq!(ask(address, &question("GET", "/login", "192.0.2.7")).header("x-secrule-hidden-body"), None);
    daemon.line("forward-auth: POST /login passes: rules need more of its body");
    // Traefik can send it.
    let mut with_body: Vec<&str> = form.iter().map(String::as_str).collect();
    with_body.push("Content-Length: 8");
    let sent = send(address, "POST", "/", &with_body, b"a=attack");
    assert_eq!((sent.status, sent.header("x-secrule-hidden-body")), (403, None));
    assert_eq!(send(address, "POST", "/", &with_body, b"a=12345b").status, 200);
    let counted = daemon.counts("forward-auth");
    assert!(counted.ends_with("3 passed, 1 stopped, 0 refused, 0 failed; 1 with a hidden body"), "{counted}");

    let mut daemon = Daemon::start(false, &["--forward-auth", "127.0.0.1:0", "--hidden-body", "refuse"]);
    let answer = ask(daemon.address("forward-auth"), &form);
    assert_eq!((answer.status, answer.header("x-secrule-hidden-body")), (403, Some("refuse")));
    let counted = daemon.counts("forward-auth");
    assert!(counted.ends_with("0 passed, 0 stopped, 1 refused, 0 failed; 1 with a hidden body"), "{counted}");

    let daemon = Daemon::start(false, &["--forward-auth", "127.0.0.1:0", "--hidden-body", "refuse", "--detect-only"]);
    assert_eq!(ask(daemon.address("forward-auth"), &form).status, 200);
}

pub fn redirects_and_rule_ids_reach_the_proxy() {
    let daemon = Daemon::start(false, &["--forward-auth", "127.0.0.1:0", "--rule-ids"]);
    let address = daemon.address("forward-auth");
    let moved = ask(address, &question("GET", "/old", "192.0.2.7"));
    assert_eq!(
        (moved.status, moved.header("location"), moved.header("x-secrule-rules")),
        (302, Some("https://shop.example/new"), Some("2"))
    );
    // A status that would let it pass.
    assert_eq!(ask(address, &question("GET", "/fine", "192.0.2.7")).status, 403);
    assert_eq!(ask(address, &question("GET", "/slow", "192.0.2.7")).status, 429);
    // nginx knows 401 and 403 alone.
    let nginx: Vec<String> = question("GET", "/slow", "192.0.2.7")
        .iter()
        .map(|header| header.replace("X-Forwarded-Uri", "X-Original-URI").replace("X-Forwarded-Method", "X-Original-Method"))
        .collect();
    let slow = ask(address, &nginx);
    assert_eq!((slow.status, slow.header("x-secrule-status"), slow.header("x-secrule-action")), (403, Some("429"), Some("deny")));
}

pub fn a_daemon_without_what_it_needs_does_not_start() {
    let refused = |arguments: &[&str]| {
        let ended = Command::new(SECRULE).arg("serve").args(arguments).output().unwrap();
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}");
        String::from_utf8(ended.stderr).unwrap()
    };
    assert!(refused(&["--appsec", "0.0.0.0:0"]).contains("--appsec-key-file"));
    assert!(refused(&["--appsec", "127.0.0.1:0", "--appsec-key-file", "/nowhere/key"]).contains("/nowhere/key"));
    let empty = file("key", "\n");
    assert!(refused(&["--appsec", "127.0.0.1:0", "--appsec-key-file", empty.to_str().unwrap()]).contains("it is empty"));
    assert!(refused(&["--forward-auth", "127.0.0.1:0", "--hidden-body", "maybe"]).contains("write pass or refuse"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(refused(&["--forward-auth", &taken.local_addr().unwrap().to_string()]).contains("another server has it"));
}

pub fn caddy_asks() {
    let mut daemon = Daemon::start(true, &LISTEN);
    let (asked, address, upstream) = (daemon.address("forward-auth"), free_address(), upstream());
    let replaced =
        [(":8080", format!(":{}", address.port())), ("127.0.0.1:9180 {", format!("{asked} {{")), ("127.0.0.1:3000", upstream.to_string())];
    let config = file("Caddyfile", &example("Caddyfile", &replaced));
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&config);
    let proxy = Proxy::start(command, address, || listens(address));
    assert_clean_requests_pass(proxy.address);
    let stopped = get(proxy.address, &format!("/?{SQL_INJECTION}"));
    assert!(stopped.status == 403 && !stopped.body.contains("reached"), "{stopped:?}");
    // Its body is not sent: the policy lets it pass.
    assert_eq!(post(proxy.address, "/", FORM, SQL_INJECTION).status, 200);
    daemon.line("forward-auth: POST /login passes: rules need more of its body");
    // The daemon ignores or refuses headers that a client writes about itself.
    let forged = send(proxy.address, "GET", &format!("/?{SQL_INJECTION}"), &["X-Forwarded-Uri: /", "X-Original-URI: /"], b"");
    assert!(forged.status >= 400, "{forged:?}");
    daemon.kill();
    assert_eq!(get(proxy.address, "/").status, 502);
}

pub fn nginx_asks() {
    let mut daemon = Daemon::start(true, &LISTEN);
    let (asked, address, upstream) = (daemon.address("forward-auth"), free_address(), upstream());
    let replaced = [
        ("listen 8080", format!("listen {address}")),
        ("http://127.0.0.1:9180/", format!("http://{asked}/")),
        ("http://127.0.0.1:3000", format!("http://{upstream}")),
    ];
    let site = file("site.conf", &example("nginx-auth-request.conf", &replaced));
    let folder = site.parent().unwrap().display().to_string();
    let config = file(
        "nginx.conf",
        &format!(
            "daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\nhttp {{ access_log off; client_body_temp_path \
            {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; include {folder}/site.conf; }}"
        ),
    );
    let mut command = Command::new("nginx");
    command.args(["-p", &folder, "-e", &format!("{folder}/error.log"), "-c"]).arg(&config);
    let proxy = Proxy::start(command, address, || listens(address));
    assert_clean_requests_pass(proxy.address);
    assert_eq!(get(proxy.address, &format!("/?{SQL_INJECTION}")).status, 403);
    assert_eq!(post(proxy.address, "/", FORM, SQL_INJECTION).status, 200);
    // The headers of the other kind are cleared.
    let forged = ["X-Forwarded-Uri: /", "X-Forwarded-Method: GET", "X-Original-URL: http://a/"];
    assert_eq!(send(proxy.address, "GET", &format!("/?{SQL_INJECTION}"), &forged, b"").status, 403);
    assert_eq!(send(proxy.address, "GET", "/", &forged, b"").status, 200);
    daemon.kill();
    assert_eq!(get(proxy.address, "/").status, 500);
}
