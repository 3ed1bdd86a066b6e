//! The admin listener over real connections: who may ask, and what they get.

use secrule::{Observer, Waf};
use secrule_serve::{Admin, AdminServer, AdminSettings, Metrics, RecentEvents};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const RULES: &str = "SecRuleEngine On\nSecRule ARGS \"@contains <img\" \"id:7,phase:1,deny,log,msg:'An image'\"";

struct Page {
    address: String,
    token: String,
    waf: Waf,
}

impl Page {
    fn start() -> Self {
        let (events, metrics) = (Arc::new(RecentEvents::default()), Arc::new(Metrics::default()));
        let observers: Vec<Arc<dyn Observer>> = vec![events.clone(), metrics.clone()];
        let waf = Waf::builder().rules("rules", RULES).observer(Arc::new(observers)).build().unwrap();
        let settings = AdminSettings { address: ([127, 0, 0, 1], 0).into(), token_file: None };
        let server = AdminServer::bind(&settings, Admin::new(waf.clone(), events, metrics)).unwrap();
        Self::of(server, waf)
    }

    fn of(server: AdminServer, waf: Waf) -> Self {
        let address = server.address().unwrap().to_string();
        let token = server.url().split_once("#token=").unwrap().1.to_owned();
        tokio::spawn(server.run());
        Self { address, token, waf }
    }

    /// Returns the head of an answer, and its body.
    async fn ask(&self, line: &str, headers: &[&str], body: &str) -> (String, String) {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let own = format!("Host: {}\r\nConnection: close\r\nContent-Length: {}", self.address, body.len());
        let headers = headers.iter().fold(own, |all, header| format!("{all}\r\n{header}"));
        // A body that is too long is not read to its end.
        let _ = stream.write_all(format!("{line} HTTP/1.1\r\n{headers}\r\n\r\n{body}").as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
        (head.to_ascii_lowercase(), body.to_owned())
    }

    fn bearer(&self) -> String {
        format!("Authorization: Bearer {}", self.token)
    }

    async fn get(&self, path: &str) -> Value {
        let (head, body) = self.ask(&format!("GET {path}"), &[&self.bearer()], "").await;
        assert!(head.starts_with("http/1.1 200 "), "{path}: {head}");
        serde_json::from_str(&body).unwrap()
    }

    async fn status(&self, line: &str, headers: &[&str], body: &str) -> u16 {
        let (head, _) = self.ask(line, headers, body).await;
        head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// Judges a request from a client.
    fn judge(&self, target: &str) {
        let connection = secrule::Connection::new(([192, 0, 2, 7], 40_000).into(), ([198, 51, 100, 1], 443).into());
        let mut transaction = self.waf.begin(connection);
        let (head, ()) = http::Request::get(target).body(()).unwrap().into_parts();
        let _ = transaction.request_head(&head);
        transaction.finish();
    }
}

#[tokio::test]
async fn without_the_token_nobody_learns_anything() {
    let page = Page::start();
    let paths = ["/api/status", "/api/events", "/api/rules", "/api/bans", "/api/plugins", "/api/extensions", "/nowhere"];
    for path in paths {
        assert_eq!(page.status(&format!("GET {path}"), &[], "").await, 401, "{path}");
        assert_eq!(page.status(&format!("GET {path}?token={}", page.token), &[&format!("Cookie: token={}", page.token)], "").await, 401);
    }
    for path in ["/api/bans/lift", "/api/extensions/run"] {
        assert_eq!(page.status(&format!("POST {path}"), &["Content-Type: application/json"], "{}").await, 401, "{path}");
    }
    assert_eq!(page.status("GET /nowhere", &[&page.bearer()], "").await, 404);
    assert_eq!((page.status("GET /", &[], "").await, page.status("GET /health", &[], "").await), (200, 200));
    for name in ["evil.example", "127.0.0.1.evil.example:9090"] {
        let mut stream = TcpStream::connect(&page.address).await.unwrap();
        stream.write_all(format!("GET /health HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
    }
    assert_eq!(page.status("GET /api/status", &[&page.bearer(), "Origin: http://evil.example"], "").await, 403);
}

#[tokio::test]
async fn a_connection_without_the_token_ends_after_its_answer() {
    let page = Page::start();
    let mut stream = TcpStream::connect(&page.address).await.unwrap();
    stream.write_all(format!("GET /api/status HTTP/1.1\r\nHost: {}\r\n\r\n", page.address).as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(Duration::from_secs(5), stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
}

#[tokio::test]
async fn no_answer_can_be_framed_kept_or_taken_for_something_else() {
    let page = Page::start();
    for (line, headers) in
        [("GET /", vec![]), ("GET /page.js", vec![]), ("GET /api/events", vec![page.bearer()]), ("GET /api/bans", vec![])]
    {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let (head, _) = page.ask(line, &headers, "").await;
        for part in ["default-src 'none'", "frame-ancestors 'none'", "x-content-type-options: nosniff", "cache-control: no-store"] {
            assert!(head.contains(part), "{line}: {head}");
        }
        assert!(!head.contains("unsafe") && !head.contains("set-cookie"), "{head}");
    }
    let (_, document) = page.ask("GET /", &[], "").await;
    assert!(!document.contains("onload=") && !document.contains("<style") && document.matches("<script").count() == 1, "{document}");
}

#[tokio::test]
async fn an_event_has_its_values_and_the_rule_its_hits() {
    let page = Page::start();
    page.judge("/a?x=%3Cimg%20src%3Dx%3E");
    page.judge("/b?y=good");
    let events = page.get("/api/events?after=0").await;
    assert_eq!(events["events"].as_array().unwrap().len(), 1);
    let event = &events["events"][0];
    assert_eq!((&event["client"], &event["path"], &event["status"]), (&json!("192.0.2.7"), &json!("/a"), &json!(403)));
    assert_eq!(event["matches"][0]["values"][0], json!({ "name": "ARGS:x", "value": "<img src=x>", "transformations": [] }));
    assert_eq!(page.get("/api/events?after=1").await, json!({ "events": [] }));
    assert_eq!(page.get("/api/rules").await["top"], json!([{ "id": 7, "hits": 1, "message": "An image" }]));
    let status = page.get("/api/status").await;
    assert_eq!((&status["exchanges"], &status["stopped"], &status["modes"]), (&json!(2), &json!(1), &json!(["On"])));
}

#[tokio::test]
async fn warnings_and_a_load_that_failed_are_told_with_their_text() {
    let page = Page::start();
    page.waf.reload(Waf::builder().rules("new", "SecRuleEngine On\nSecRuleUpdateTargetById 99 !ARGS:a")).unwrap();
    let rules = page.get("/api/rules").await;
    assert!(rules["sets"][0]["warnings"][0].as_str().unwrap().contains("new:2"), "{rules}");
    assert!(page.waf.reload(Waf::builder().rules("broken", "SecRule ARGS")).is_err());
    assert!(page.get("/api/rules").await["failure"]["text"].as_str().unwrap().contains("broken:1"));
}

#[tokio::test]
async fn a_ban_is_lifted_once_and_only_that_one() {
    let page = Page::start();
    let key = |address: [u8; 4]| secrule::RequestKey::of_address(None, address.into());
    page.waf.ban_requests(&key([192, 0, 2, 7]).with_url_path(b"/\xff\"<"), Duration::from_secs(60)).unwrap();
    page.waf.ban_requests(&key([192, 0, 2, 8]), Duration::from_secs(60)).unwrap();
    let bans = page.get("/api/bans").await;
    let ban = bans["bans"].as_array().unwrap().iter().find(|ban| ban["key"]["ip"] == "192.0.2.7").unwrap();
    assert_eq!(ban["path"], "/\\xff\"<");
    let (bearer, body) = (page.bearer(), ban["key"].to_string());
    assert_eq!(page.status("POST /api/bans/lift", &[&bearer, "Content-Type: text/plain"], &body).await, 415);
    let lift = [&*bearer, "Content-Type: application/json"];
    assert_eq!(page.status("POST /api/bans/lift", &lift, &body).await, 200);
    assert_eq!(page.status("POST /api/bans/lift", &lift, &body).await, 409);
    assert_eq!(page.get("/api/bans").await["bans"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn several_rule_sets_are_shown_with_their_names_and_a_shared_store_once() {
    let first = Waf::from_rules("SecRuleEngine On").unwrap();
    let second = Waf::builder().rules("second", "SecRuleEngine DetectionOnly").store(first.store()).build().unwrap();
    first.ban_requests(&secrule::RequestKey::of_address(None, [192, 0, 2, 7].into()), Duration::from_secs(60)).unwrap();
    let sets = vec![("shop.example".to_owned(), first.clone()), ("blog.example".to_owned(), second)];
    let admin = Admin::new(first.clone(), Arc::default(), Arc::default()).rule_sets(move || sets.clone());
    let server = AdminServer::bind(&AdminSettings { address: ([127, 0, 0, 1], 0).into(), token_file: None }, admin).unwrap();
    let page = Page::of(server, first);
    let rules = page.get("/api/rules").await;
    assert_eq!((&rules["sets"][0]["name"], &rules["sets"][1]["name"]), (&json!("shop.example"), &json!("blog.example")), "{rules}");
    assert_eq!(page.get("/api/status").await["modes"], json!(["On", "DetectionOnly"]));
    let bans = page.get("/api/bans").await;
    assert_eq!(bans["bans"].as_array().unwrap().len(), 1, "{bans}");
}

#[tokio::test]
async fn a_long_body_and_one_that_is_not_json_are_refused() {
    let page = Page::start();
    let lift = [&*page.bearer(), "Content-Type: application/json"];
    assert_eq!(page.status("POST /api/bans/lift", &lift, &format!("\"{}\"", "a".repeat(5_000))).await, 413);
    assert_eq!(page.status("POST /api/bans/lift", &lift, "{").await, 400);
    assert_eq!(page.status("POST /api/bans/lift", &lift, "{\"more\": 1}").await, 409);
    assert_eq!(page.status("GET /api/bans/lift", &lift, "").await, 405);
}

#[tokio::test]
async fn an_address_of_the_network_needs_a_token_file() {
    let waf = Waf::from_rules("SecRuleEngine On").unwrap();
    let admin = || Admin::new(waf.clone(), Arc::default(), Arc::default());
    let open = AdminSettings { address: ([0, 0, 0, 0], 0).into(), token_file: None };
    assert!(AdminServer::bind(&open, admin()).unwrap_err().to_string().contains("--admin-token-file"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "a-token-of-a-file\n").unwrap();
    let server = AdminServer::bind(&AdminSettings { token_file: Some(file), ..open }, admin()).unwrap();
    assert!(!server.url().contains("token"), "{}", server.url());
    let address = format!("127.0.0.1:{}", server.address().unwrap().port());
    tokio::spawn(server.run());
    let page = Page { address, token: "a-token-of-a-file".to_owned(), waf };
    assert_eq!(page.status("GET /health", &[], "").await, 401);
    assert_eq!(page.status("GET /health", &[&page.bearer()], "").await, 200);
}
