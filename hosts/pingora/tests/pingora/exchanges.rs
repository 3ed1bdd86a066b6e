//! Requests and responses that pass or are refused, in both versions of HTTP.

use crate::support::{Proxy, ask, get, post, reply, rules, start, text, upstream, wait_for};
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, COOKIE, LOCATION, UPGRADE};
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use secrule::Waf;
use secrule_pingora::{Connection, WafProxy};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const RULES: &str = r#"
SecRuleEngine On
SecAuditEngine RelevantOnly
SecAuditLogRelevantStatus ".*"
SecRequestBodyAccess On
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain
SecRule REQUEST_HEADERS:Content-Type "@contains json" "id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule REQUEST_URI "@beginsWith /moved" "id:2,phase:1,redirect:https://shop.example/new,log"
SecRule REQUEST_URI "@beginsWith /dropped" "id:3,phase:1,drop,log"
SecRule ARGS "@contains attack" "id:4,phase:2,deny,log"
SecRule ARGS "@contains doubt" "id:5,phase:2,pass,log"
SecRule RESPONSE_HEADERS:X-Secret "@rx ." "id:6,phase:3,deny,status:404,log"
SecRule RESPONSE_BODY "@contains password" "id:7,phase:4,deny,log"
"#;

/// Starts an upstream that sends back what it got, and counts requests; and a proxy to it.
async fn echo() -> (SocketAddr, Proxy, Arc<AtomicUsize>, Arc<crate::support::Log>) {
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    let upstream = upstream(move |request: Request<Incoming>| {
        count.fetch_add(1, Ordering::Relaxed);
        async move {
            let secret = request.uri().path() == "/secret";
            let encodings = request.headers().get(ACCEPT_ENCODING).is_some();
            let mut response = reply(Full::from(text(request.into_body()).await), "text/plain");
            if secret {
                response.headers_mut().insert("X-Secret", HeaderValue::from_static("1"));
            }
            response.headers_mut().insert("X-Encodings", HeaderValue::from_static(if encodings { "yes" } else { "no" }));
            Ok(response)
        }
    })
    .await;
    let (waf, log) = rules(RULES);
    let proxy = Proxy::to(upstream);
    (start(WafProxy::new(proxy.clone(), waf)).await, proxy, requests, log)
}

#[tokio::test]
async fn cookies_that_http_2_splits_are_one_for_rules_and_upstreams() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let cookies = Arc::clone(&seen);
    let upstream = upstream(move |request: Request<Incoming>| {
        let all = request.headers().get_all(COOKIE).iter().map(|value| value.to_str().unwrap().to_owned());
        *cookies.lock().unwrap() = all.collect::<Vec<_>>();
        async { Ok(reply(Full::from("hello"), "text/plain")) }
    })
    .await;
    let (waf, _) = rules("SecRuleEngine On\nSecRule REQUEST_HEADERS:Cookie \"@contains 1; b\" \"id:1,phase:1,deny\"");
    let address = start(WafProxy::new(Proxy::to(upstream), waf)).await;
    for (first, status) in [("a=1", 403), ("a=3", 200)] {
        let request = Request::get("http://shop.example/").version(Version::HTTP_2).header(COOKIE, first).header(COOKIE, "b=2");
        assert_eq!(ask(address, request.body(Empty::<Bytes>::new()).unwrap()).await.status(), status, "{first}");
    }
    assert_eq!(*seen.lock().unwrap(), ["a=3; b=2"]);
}

#[tokio::test]
async fn clean_requests_pass_and_attacks_do_not_reach_the_upstream() {
    let (address, proxy, requests, _) = echo().await;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        requests.store(0, Ordering::Relaxed);
        let cases = [
            (get("http://shop.example/?a=1"), 200, ""),
            (post("http://shop.example/", "application/x-www-form-urlencoded", "a=1&b=doubt"), 200, "a=1&b=doubt"),
            (post("http://shop.example/", "application/json", r#"{"a": "1"}"#), 200, r#"{"a": "1"}"#),
            (get("http://shop.example/?a=attack"), 403, "403 Forbidden\n"),
            (post("http://shop.example/", "application/x-www-form-urlencoded", "a=attack"), 403, "403 Forbidden\n"),
            (post("http://shop.example/", "application/json", r#"{"a": "attack"}"#), 403, "403 Forbidden\n"),
        ];
        for (mut request, status, expected) in cases {
            *request.version_mut() = version;
            let line = format!("{request:?}");
            let response = ask(address, request).await;
            assert_eq!(response.status(), status, "{line}");
            assert_eq!(text(response).await, expected, "{line}");
        }
        assert_eq!(requests.load(Ordering::Relaxed), 3, "{version:?}");
    }
    let entries = wait_for(async || Some(proxy.log.lock().unwrap().clone()).filter(|log| log.len() == 12)).await;
    let expected = [(200, Some(0)), (200, Some(1)), (200, Some(0)), (403, Some(1)), (403, Some(1)), (403, Some(1))];
    assert_eq!(entries, [expected, expected].concat());
}

#[tokio::test]
async fn a_response_that_a_rule_stops_is_replaced_as_a_whole() {
    let (address, proxy, ..) = echo().await;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        for (mut request, status) in [
            (get("http://shop.example/secret"), 404),
            (post("http://shop.example/", "text/plain", "the password"), 403),
            // A body in more than one piece.
            (post("http://shop.example/", "text/plain", format!("{}the password", "a".repeat(200_000))), 403),
        ] {
            *request.version_mut() = version;
            let response = ask(address, request).await;
            assert_eq!(response.status(), status, "{version:?}");
            assert!(!text(response).await.contains("password"));
        }
    }
    wait_for(async || (proxy.log.lock().unwrap().len() == 6).then_some(())).await;
    assert_eq!(proxy.log.lock().unwrap()[..3], [(404, Some(1)), (403, Some(1)), (403, Some(1))]);
}

#[tokio::test]
async fn a_connection_serves_requests_after_held_ones() {
    let (address, ..) = echo().await;
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    for body in ["a", "the password", "b", "c"] {
        let status = if body.contains("password") { 403 } else { 200 };
        let response = sender.send_request(post("/", "application/x-www-form-urlencoded", body)).await.unwrap();
        assert_eq!(response.status(), status);
        response.into_body().collect().await.unwrap();
        sender.ready().await.unwrap();
    }
}

#[tokio::test]
async fn a_redirect_has_a_location_and_a_drop_closes_the_connection() {
    let (address, ..) = echo().await;
    let response = ask(address, get("/moved")).await;
    assert_eq!(
        (response.status(), &response.headers()[LOCATION]),
        (StatusCode::FOUND, &HeaderValue::from_static("https://shop.example/new"))
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /dropped HTTP/1.1\r\nHost: shop.example\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.to_lowercase().contains("\r\nconnection: close\r\n"), "{answer}");
}

#[tokio::test]
async fn a_page_of_the_host_replaces_the_plain_one() {
    let waf = Waf::from_rules(RULES).unwrap();
    let proxy = WafProxy::new(Proxy::to(([127, 0, 0, 1], 1).into()), waf).page(|refusal| {
        Response::builder().header(CONTENT_ENCODING, "identity").body(Bytes::from(format!("no: {}", refusal.status()))).unwrap()
    });
    let response = ask(start(proxy).await, get("/?a=attack")).await;
    assert_eq!(response.headers()[CONTENT_ENCODING], "identity");
    assert_eq!(text(response).await, "no: 403 Forbidden");
}

#[tokio::test]
async fn an_upstream_is_not_asked_for_encodings_while_rules_inspect_responses() {
    let (address, ..) = echo().await;
    let request = Request::get("/").header("Host", "shop.example").header(ACCEPT_ENCODING, "gzip").body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(ask(address, request).await.headers()["X-Encodings"], "no");
}

#[tokio::test]
async fn rules_see_the_address_that_pingora_or_the_host_knows() {
    let upstream = upstream(async |_| Ok(reply(Full::from("welcome"), "text/html"))).await;
    for (client, host_says, status) in [("127.0.0.1", false, 403), ("192.0.2.7", false, 200), ("192.0.2.7", true, 403)] {
        let waf = Waf::from_rules(&format!("SecRuleEngine On\nSecRule REMOTE_ADDR \"@ipMatch {client}\" \"id:1,phase:1,deny\"")).unwrap();
        let mut proxy = WafProxy::new(Proxy::to(upstream), waf);
        if host_says {
            proxy = proxy.connection(|_| Connection::new(([192, 0, 2, 7], 40_000).into(), ([127, 0, 0, 1], 80).into()));
        }
        assert_eq!(ask(start(proxy).await, get("/")).await.status(), status, "{client}");
    }
}

#[tokio::test]
async fn a_site_has_rules_of_its_own() {
    let upstream = upstream(async |_| Ok(reply(Full::from("welcome"), "text/html"))).await;
    let forum = Waf::from_rules("SecRuleEngine DetectionOnly").unwrap();
    let proxy = WafProxy::new(Proxy::to(upstream), Waf::from_rules(RULES).unwrap())
        .rules_by(move |session| (session.get_header_bytes("host") == b"forum.example").then(|| forum.clone()));
    let address = start(proxy).await;
    assert_eq!(ask(address, get("/?a=attack")).await.status(), 403);
    let request = Request::get("/?a=attack").header("Host", "forum.example").body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(ask(address, request).await.status(), 200);
}

#[tokio::test]
async fn rules_are_replaced_while_requests_run() {
    let upstream = upstream(async |_| Ok(reply(Full::from("welcome"), "text/plain"))).await;
    let waf = Waf::from_rules("SecRuleEngine On").unwrap();
    let address = start(WafProxy::new(Proxy::to(upstream), waf.clone())).await;
    let clients: Vec<_> = (0..4)
        .map(|_| {
            tokio::spawn(async move {
                let mut statuses = Vec::new();
                while statuses.last() != Some(&403) {
                    statuses.push(ask(address, get("/?a=attack")).await.status().as_u16());
                }
                statuses
            })
        })
        .collect();
    wait_for(async || (ask(address, get("/?a=attack")).await.status() == 200).then_some(())).await;
    waf.reload(Waf::builder().rules("new", RULES)).unwrap();
    for client in clients {
        assert!(client.await.unwrap().iter().rev().skip(1).all(|status| *status == 200));
    }
}

#[tokio::test]
async fn a_cancelled_request_is_logged_once() {
    let (waf, log) = rules(RULES);
    let (reached, mut reaches) = tokio::sync::mpsc::unbounded_channel();
    let upstream = upstream(move |_| {
        reached.send(()).unwrap();
        std::future::pending()
    })
    .await;
    let proxy = Proxy::to(upstream);
    let address = start(WafProxy::new(proxy.clone(), waf)).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /?a=doubt HTTP/1.1\r\nHost: shop.example\r\n\r\n").await.unwrap();
    reaches.recv().await.unwrap();
    assert_eq!(log.records(), 0);
    drop(stream);
    wait_for(async || (log.records() == 1).then_some(())).await;
    // The next request is logged after all that the first one could write.
    assert_eq!(ask(address, get("/?a=attack")).await.status(), 403);
    wait_for(async || (proxy.log.lock().unwrap().len() == 2).then_some(())).await;
    assert_eq!(log.records(), 2);
}

#[tokio::test]
#[ignore = "the connection ends early in some runs, as LIMITS.md says"]
async fn an_upgraded_connection_lives() {
    let upstream = upstream(|request: Request<Incoming>| async move {
        let upgrade = hyper::upgrade::on(request);
        tokio::spawn(async move {
            let mut stream = TokioIo::new(upgrade.await.unwrap());
            let mut data = [0; 6];
            while stream.read_exact(&mut data).await.is_ok() {
                stream.write_all(&data).await.unwrap();
            }
        });
        let mut response = reply(Empty::new(), "text/plain");
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
        response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
        Ok(response)
    })
    .await;
    let address = start(WafProxy::new(Proxy::to(upstream), Waf::from_rules(RULES).unwrap())).await;
    let request = Request::get("/").header("Host", "shop.example").header(CONNECTION, "upgrade").header(UPGRADE, "websocket");
    let response = ask(address, request.body(Empty::<Bytes>::new()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let mut stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    for word in [b"attack", b"passwo"] {
        stream.write_all(word).await.unwrap();
        let mut data = [0; 6];
        stream.read_exact(&mut data).await.unwrap();
        assert_eq!(&data, word);
    }
}
