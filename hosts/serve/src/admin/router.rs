//! The paths of the admin listener.

use super::access::Needs;
use super::answers::{self, Answer};
use super::server::Shared;
use super::{Admin, views};
use crate::probes::{Probes, Readiness};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::request::Parts;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use secrule_metrics::Format;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Maximum length of a body, in bytes.
const MAX_BODY: usize = 4 << 10;

/// Time for a body.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Answer to a request whose work ended without a result.
const NOT_COMPLETED: &str = "the request could not be completed; see standard error";

/// Returns what a path needs. One that is not known needs the token, so that nobody learns which there are.
fn needs(path: &str) -> Needs {
    match path {
        // The same for everybody, and without a word about this server.
        "/" | "/page.css" | "/page.js" => Needs::Nothing,
        "/health" | "/metrics" | "/ready" => Needs::TokenUnlessLoopback,
        _ => Needs::Token,
    }
}

/// Answers a request.
pub async fn answer(shared: &Arc<Shared>, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    if let Err(refusal) = shared.access.check(&head, needs(path)) {
        return answers::refused(refusal);
    }
    let admin = &shared.admin;
    match (&head.method, path) {
        (&Method::GET | &Method::HEAD, "/") => answers::document(),
        (&Method::GET, "/page.css") => answers::style(),
        (&Method::GET, "/page.js") => answers::script(),
        (&Method::GET | &Method::HEAD, "/health") => answers::text(StatusCode::OK, "ok\n"),
        (&Method::GET, "/metrics") => shared.probes.as_ref().map_or_else(absent, |probes| metrics(probes, &head)),
        (&Method::GET, "/ready") => shared.probes.as_ref().map_or_else(absent, ready),
        (&Method::GET, "/api/status") => shown(&views::status(admin)),
        (&Method::GET, "/api/events") => shown(&views::events(admin, number(&head, "after"))),
        (&Method::GET, "/api/rules") => shown(&views::rules(admin)),
        (&Method::GET, "/api/bans") => waited(admin, views::bans).await,
        (&Method::GET, "/api/plugins") => waited(admin, views::plugins).await,
        (&Method::GET, "/api/extensions") => waited(admin, views::extensions).await,
        (&Method::POST, "/api/bans/lift") => written(admin, &head, body, views::lift).await,
        (&Method::POST, "/api/extensions/run") => written(admin, &head, body, views::run).await,
        (_, "/" | "/api/bans/lift" | "/api/extensions/run") => answers::text(StatusCode::METHOD_NOT_ALLOWED, "use another method\n"),
        _ => absent(),
    }
}

fn absent() -> Answer {
    answers::text(StatusCode::NOT_FOUND, "there is no such page\n")
}

/// Answers a collector in the format that it asks for.
fn metrics(probes: &Probes, head: &Parts) -> Answer {
    let accept = head.headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let format = Format::accepted(accept);
    answers::answer(StatusCode::OK, format.content_type(), probes.text(format))
}

fn ready(probes: &Probes) -> Answer {
    let Readiness { ready, rules, fingerprint } = probes.readiness();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answers::json(status, &json!({ "ready": ready, "rules": rules, "fingerprint": fingerprint }))
}

fn shown(value: &impl Serialize) -> Answer {
    answers::json(StatusCode::OK, value)
}

/// Answers with what may take time: the store or the script host is asked.
async fn waited(admin: &Admin, view: fn(&Admin) -> Result<Value, String>) -> Answer {
    let admin = admin.clone();
    done(spawn_blocking(move || view(&admin)).await.unwrap_or_else(|_| Err(NOT_COMPLETED.to_owned())), StatusCode::BAD_GATEWAY)
}

/// Does what a request asks for: a JSON object, whose type no form of another page can send.
async fn written(admin: &Admin, head: &Parts, body: Incoming, act: fn(&Admin, &Value) -> Result<Value, String>) -> Answer {
    let is_json = head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes() == b"application/json");
    if !is_json {
        return answers::text(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send application/json\n");
    }
    let body = timeout(BODY_TIME, Limited::new(body, MAX_BODY).collect()).await;
    let bytes: Bytes = match body {
        Ok(Ok(body)) => body.to_bytes(),
        _ => return answers::text(StatusCode::PAYLOAD_TOO_LARGE, "a body has at most 4 kB, and comes within 10 s\n"),
    };
    let Ok(value) = serde_json::from_slice::<Value>(&bytes) else {
        return answers::text(StatusCode::BAD_REQUEST, "the body is not JSON\n");
    };
    let admin = admin.clone();
    done(spawn_blocking(move || act(&admin, &value)).await.unwrap_or_else(|_| Err(NOT_COMPLETED.to_owned())), StatusCode::CONFLICT)
}

fn done(result: Result<Value, String>, otherwise: StatusCode) -> Answer {
    match result {
        Ok(value) => shown(&value),
        Err(reason) => answers::json(otherwise, &json!({ "problem": reason })),
    }
}

/// Returns a number of the query; 0 without it.
fn number(head: &Parts, name: &str) -> u64 {
    let parts = head.uri.query().unwrap_or_default().split('&').filter_map(|part| part.split_once('='));
    parts.filter(|(key, _)| *key == name).find_map(|(_, value)| value.parse().ok()).unwrap_or_default()
}
