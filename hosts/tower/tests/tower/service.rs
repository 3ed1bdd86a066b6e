//! The layer around a service: what passes, what is refused, what each side sees.

use crate::support::{Frames, layer, pieces, text};
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_TYPE, COOKIE, LOCATION};
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Empty, Full};
use secrule_tower::{Inspection, Refusal, WafLayer};
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tower::{Layer as _, ServiceExt as _, service_fn};

const RULES: &str = r#"
SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain
SecRequestBodyLimit 1000
SecRequestBodyLimitAction Reject
SecResponseBodyLimit 1000
SecResponseBodyLimitAction Reject
SecRule REQUEST_URI "@contains /admin" "id:1,phase:1,deny,log"
SecRule REQUEST_URI "@contains /moved" "id:2,phase:1,redirect:https://example.com/new,status:302,log"
SecRule REQUEST_URI "@contains /drop" "id:3,phase:1,drop,log"
SecRule ARGS "@contains attack" "id:4,phase:2,deny,status:418,log,msg:'attack in %{MATCHED_VAR_NAME}',tag:'test'"
SecRule RESPONSE_HEADERS:X-Secret "@rx ." "id:5,phase:3,deny,status:502,log"
SecRule RESPONSE_BODY "@contains password" "id:6,phase:4,deny,status:500,log"
SecRule ARGS "@contains odd" "id:7,phase:2,pass,log,msg:'odd'"
"#;

fn form(body: &'static str) -> Request<Full<Bytes>> {
    Request::post("/form").header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(Full::from(body)).unwrap()
}

fn get(target: &str) -> Request<Full<Bytes>> {
    Request::get(target).body(Full::default()).unwrap()
}

/// Answers with the body of the request.
async fn echo(request: Request<secrule_tower::RequestBody<Full<Bytes>>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    Ok(Response::builder().header(CONTENT_TYPE, "text/plain").body(Full::new(body)).unwrap())
}

#[tokio::test]
async fn a_request_passes_as_it_came() {
    let response = layer(RULES).layer(service_fn(echo)).oneshot(form("a=1&b=2")).await.unwrap();
    assert_eq!((response.status(), text(response).await.as_str()), (StatusCode::OK, "a=1&b=2"));
}

#[tokio::test]
async fn rules_of_each_phase_refuse() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let inner = service_fn(move |request: Request<secrule_tower::RequestBody<Full<Bytes>>>| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move {
            let mut response = Response::builder().header(CONTENT_TYPE, "text/plain");
            if request.uri().path() == "/secret" {
                response = response.header("X-Secret", "1");
            }
            Ok::<_, Infallible>(response.body(Full::<Bytes>::from("the password is x")).unwrap())
        }
    });
    let service = layer(RULES).layer(inner);
    for (request, status, called) in [(get("/admin"), 403, 0), (form("a=attack"), 418, 0), (get("/secret"), 502, 1), (get("/"), 500, 2)] {
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!((response.status().as_u16(), calls.load(Ordering::Relaxed)), (status, called));
        let reason = response.status().canonical_reason().unwrap();
        assert_eq!(text(response).await, format!("{status} {reason}\n"));
    }
}

#[tokio::test]
async fn redirects_and_drops_say_so() {
    let service = layer(RULES).layer(service_fn(echo));
    let moved = service.clone().oneshot(get("/moved")).await.unwrap();
    assert_eq!(moved.status(), StatusCode::FOUND);
    assert_eq!(moved.headers()[LOCATION], "https://example.com/new");
    let dropped = service.oneshot(get("/drop")).await.unwrap();
    assert_eq!(dropped.headers()[CONNECTION], "close");
    let refusal = dropped.extensions().get::<Refusal>().unwrap();
    assert!(matches!(refusal, Refusal::Intervention(stopped) if stopped.rule_id() == Some(3)), "{refusal:?}");
}

#[tokio::test]
async fn a_page_of_the_host_is_shown() {
    let page = |refusal: &Refusal| {
        Response::builder().header(CONTENT_TYPE, "text/html").body(format!("<h1>{}</h1>", refusal.status()).into()).unwrap()
    };
    let response = layer(RULES).page(page).layer(service_fn(echo)).oneshot(get("/admin")).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(response.headers()[CONTENT_TYPE], "text/html");
    assert_eq!(text(response).await, "<h1>403 Forbidden</h1>");
}

#[tokio::test]
async fn limits_of_the_rules_hold() {
    let service = layer(RULES).layer(service_fn(echo));
    let long = |length: usize| {
        let body: String = std::iter::repeat_n('a', length).collect();
        Request::post("/").header(CONTENT_TYPE, "text/plain").body(Full::from(body)).unwrap()
    };
    assert_eq!(service.clone().oneshot(long(1_000)).await.unwrap().status(), StatusCode::OK);
    assert_eq!(service.oneshot(long(1_001)).await.unwrap().status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn cookies_that_http_2_splits_are_one_for_rules_and_handlers() {
    let rules = "SecRuleEngine On\nSecRule REQUEST_HEADERS:Cookie \"@contains 1; b\" \"id:1,phase:1,deny\"";
    let handler = |request: Request<secrule_tower::RequestBody<Full<Bytes>>>| async move {
        let cookies: Vec<_> = request.headers().get_all(COOKIE).iter().cloned().collect();
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(format!("{cookies:?}"))))
    };
    let service = layer(rules).layer(service_fn(handler));
    let ask = |version, cookies: [&str; 2]| {
        let request = Request::get("/").version(version).header(COOKIE, cookies[0]).header(COOKIE, cookies[1]);
        service.clone().oneshot(request.body(Full::<Bytes>::default()).unwrap())
    };
    assert_eq!(ask(Version::HTTP_2, ["a=1", "b=2"]).await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(ask(Version::HTTP_11, ["a=1", "b=2"]).await.unwrap().status(), StatusCode::OK);
    assert_eq!(text(ask(Version::HTTP_2, ["a=3", "b=4"]).await.unwrap()).await, "[\"a=3; b=4\"]");
}

#[tokio::test]
async fn a_held_body_has_a_limit_where_rules_have_none() {
    let rules = "SecRuleEngine On\nSecRequestBodyAccess On\nSecRule REQUEST_BODY \"@contains attack\" \"id:1,phase:2,deny\"";
    let body = |count| pieces(vec![Bytes::from(vec![b'a'; 100]); count]);
    let service = layer(rules).held_limit(1_000).layer(service_fn(|request: Request<secrule_tower::RequestBody<Frames>>| async move {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        Ok::<_, Infallible>(Response::new(Full::new(body)))
    }));
    let post = |count| Request::post("/").header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body(count)).unwrap();
    let passed = service.clone().oneshot(post(10)).await.unwrap();
    assert_eq!(text(passed).await.len(), 1_000);
    let refused = service.oneshot(post(11)).await.unwrap();
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(refused.extensions().get::<Refusal>(), Some(&Refusal::LongRequest));
}

#[tokio::test]
async fn trailers_and_errors_of_a_held_body_reach_the_inner_service() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let inner = service_fn(move |request: Request<secrule_tower::RequestBody<_>>| {
        let seen = Arc::clone(&kept);
        async move {
            let mut body = request.into_body();
            while let Some(frame) = body.frame().await {
                seen.lock().unwrap().push(match frame {
                    Ok(frame) if frame.is_data() => String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap(),
                    Ok(frame) => format!("{:?}", frame.into_trailers().unwrap()["x-end"]),
                    Err(error) => format!("error: {error}"),
                });
            }
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let trailers = http::HeaderMap::from_iter([(http::HeaderName::from_static("x-end"), http::HeaderValue::from_static("1"))]);
    let frames = vec![
        // Small pieces are put together.
        Ok(http_body::Frame::data(Bytes::from("a="))),
        Ok(http_body::Frame::data(Bytes::from("1"))),
        Ok(http_body::Frame::trailers(trailers)),
        Err(std::io::Error::other("cut off")),
    ];
    let request = Request::post("/").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let request = request.body(crate::support::frames(frames)).unwrap();
    layer(RULES).layer(inner).oneshot(request).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), ["a=1", "\"1\"", "error: cut off"]);
}

#[tokio::test]
async fn an_attack_in_a_body_that_is_cut_off_is_found() {
    let frames = vec![Ok(http_body::Frame::data(Bytes::from("a=attack"))), Err(std::io::Error::other("cut off"))];
    let request = Request::post("/").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let request = request.body(crate::support::frames(frames)).unwrap();
    let inner = service_fn(|_: Request<secrule_tower::RequestBody<_>>| async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) });
    assert_eq!(layer(RULES).layer(inner).oneshot(request).await.unwrap().status().as_u16(), 418);
}

#[tokio::test]
async fn errors_of_the_inner_service_are_untouched() {
    let inner = service_fn(|_: Request<secrule_tower::RequestBody<Full<Bytes>>>| async { Err::<Response<Full<Bytes>>, _>("no answer") });
    assert_eq!(layer(RULES).layer(inner).oneshot(get("/")).await.unwrap_err(), "no answer");
}

#[tokio::test]
async fn handlers_and_outer_layers_see_the_inspection() {
    let inner = service_fn(|request: Request<secrule_tower::RequestBody<Full<Bytes>>>| async move {
        let inspection = request.extensions().get::<Inspection>().unwrap();
        let found = inspection.request_matches();
        assert!(inspection.outcome().is_none());
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(format!("{} {}", found[0].rule_id, found[0].message))))
    });
    let response = layer(RULES).layer(inner).oneshot(form("a=odd")).await.unwrap();
    let inspection = response.extensions().get::<Inspection>().unwrap().clone();
    assert_eq!(text(response).await, "7 odd");
    let ids: Vec<u64> = inspection.outcome().unwrap().matches().map(|found| found.id()).collect();
    assert_eq!(ids, [7]);
}

#[tokio::test]
async fn a_body_that_no_rule_can_stop_is_not_held() {
    let rules = RULES.replace("SecRuleEngine On", "SecRuleEngine DetectionOnly");
    let (sender, body) = crate::support::channel();
    let (passed, mut arrivals) = tokio::sync::mpsc::unbounded_channel();
    let inner = service_fn(move |request: Request<secrule_tower::RequestBody<_>>| {
        let passed = passed.clone();
        async move {
            let mut body = request.into_body();
            while let Some(Ok(frame)) = body.frame().await {
                passed.send(frame.into_data().unwrap()).unwrap();
            }
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let request = Request::post("/").header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body).unwrap();
    let exchange = tokio::spawn(layer(&rules).layer(inner).oneshot(request));
    sender.send(Bytes::from("a=att")).unwrap();
    assert_eq!(arrivals.recv().await.unwrap(), "a=att");
    sender.send(Bytes::from("ack")).unwrap();
    assert_eq!(arrivals.recv().await.unwrap(), "ack");
    drop(sender);
    let response = exchange.await.unwrap().unwrap();
    let inspection = response.extensions().get::<Inspection>().unwrap();
    assert_eq!(inspection.outcome().unwrap().detected().map(|rule| rule.id()), Some(4));
}

#[tokio::test]
async fn a_response_of_another_type_passes_as_it_comes() {
    let (sender, body) = crate::support::channel();
    let body = Arc::new(Mutex::new(Some(body)));
    let inner = service_fn(move |_: Request<secrule_tower::RequestBody<Full<Bytes>>>| {
        let body = body.lock().unwrap().take().unwrap();
        async move { Ok::<_, Infallible>(Response::builder().header(CONTENT_TYPE, "text/event-stream").body(body).unwrap()) }
    });
    let mut response = layer(RULES).layer(inner).oneshot(get("/events")).await.unwrap();
    assert!(response.extensions().get::<Inspection>().unwrap().outcome().is_some());
    for event in ["data: 1\n\n", "data: password\n\n"] {
        sender.send(Bytes::from(event)).unwrap();
        assert_eq!(response.frame().await.unwrap().unwrap().into_data().unwrap(), event);
    }
}

#[tokio::test]
async fn a_request_that_is_cancelled_is_logged_once() {
    let log = Arc::new(crate::support::Log::default());
    let rules = format!("{RULES}\nSecAuditEngine On\nSecAuditLogParts AHZ");
    let waf = secrule::Waf::builder().rules("rules", &rules).audit_log(log.clone()).build().unwrap();
    let inner = service_fn(|_: Request<secrule_tower::RequestBody<Full<Bytes>>>| {
        std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>()
    });
    let service = WafLayer::new(waf, crate::support::connection).layer(inner);
    let exchange = service.oneshot(get("/slow"));
    assert!(tokio::time::timeout(std::time::Duration::from_millis(50), exchange).await.is_err());
    assert_eq!(log.records().len(), 1);
}

#[tokio::test]
async fn responses_that_rules_inspect_are_asked_for_without_an_encoding() {
    for (rules, expected) in [(RULES.to_owned(), None), (RULES.replace("SecResponseBodyAccess On", ""), Some("gzip"))] {
        let inner = service_fn(|request: Request<secrule_tower::RequestBody<Full<Bytes>>>| async move {
            let wanted = request.headers().get(ACCEPT_ENCODING).map(|value| value.to_str().unwrap().to_owned());
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(wanted.unwrap_or_default())))
        });
        let request = Request::get("/").header(ACCEPT_ENCODING, "gzip").body(Full::default()).unwrap();
        let response = layer(&rules).layer(inner).oneshot(request).await.unwrap();
        assert_eq!(text(response).await, expected.unwrap_or_default());
    }
}

#[tokio::test]
async fn long_bodies_are_judged_where_blocking_is_allowed() {
    let rules = RULES.replace("Limit 1000", "Limit 10000000");
    let service = layer(&rules).blocking_from(1_000).layer(service_fn(echo));
    let body = format!("a={}attack", "x".repeat(200_000));
    let request = Request::post("/").header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(Full::from(body)).unwrap();
    assert_eq!(service.oneshot(request).await.unwrap().status().as_u16(), 418);
}

#[tokio::test]
async fn new_rules_hold_for_the_next_request() {
    let waf = secrule::Waf::from_rules(RULES).unwrap();
    let service = WafLayer::new(waf.clone(), crate::support::connection).layer(service_fn(echo));
    assert_eq!(service.clone().oneshot(get("/admin")).await.unwrap().status(), StatusCode::FORBIDDEN);
    waf.reload(secrule::Waf::builder().rules("new", "SecRuleEngine Off")).unwrap();
    assert_eq!(service.oneshot(get("/admin")).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn rules_are_chosen_by_the_head_of_a_request() {
    let rules = |text: &str| secrule::Waf::from_rules(&format!("SecRuleEngine On\n{text}")).unwrap();
    let shop = rules("SecResponseBodyAccess On\nSecRule ARGS:id \"@contains shop\" \"id:1,phase:1,deny,status:418\"");
    let layer = layer("SecRuleEngine On\nSecRule ARGS:id \"@contains other\" \"id:1,phase:1,deny\"")
        .rules_by(move |head| (head.headers.get("host")? == "shop.example").then(|| shop.clone()));
    // A site whose rules inspect responses asks for them without a content encoding.
    let encoding = service_fn(async |request: Request<secrule_tower::RequestBody<Full<Bytes>>>| {
        let is_asked = request.headers().contains_key(ACCEPT_ENCODING);
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(if is_asked { "any" } else { "plain" })))
    });
    let service = layer.layer(encoding);
    for (host, id, status, body) in [
        ("shop.example", "shop", 418, ""),
        ("shop.example", "other", 200, "plain"),
        ("blog.example", "shop", 200, "any"),
        ("blog.example", "other", 403, ""),
    ] {
        let request = Request::get(format!("/?id={id}")).header("host", host).header(ACCEPT_ENCODING, "gzip");
        let response = service.clone().oneshot(request.body(Full::default()).unwrap()).await.unwrap();
        assert_eq!(response.status(), status, "{host} {id}");
        let text = text(response).await;
        assert!(status != 200 || text == body, "{host} {id}: {text}");
    }
}
