//! Questions in the protocol of CrowdSec's AppSec component, which its bouncers for nginx, OpenResty, Traefik, Caddy, HAProxy and others speak: requests
//! with their bodies.
//!
//! A question has the headers and the body of the request, and what else must be known in headers that begin with `X-Crowdsec-Appsec-`. The answer is
//! 200 or 403 with a JSON text, 401 for a wrong key, or 500 if the question cannot be answered: then the bouncer does what its settings say.

use super::head::Head;
use super::judge::{Decision, Part, Question};
use super::listener::Answering;
use super::notes::Kind;
use crate::forwarded::Ends;
use crate::server::NAME;
use crate::sockets::RequestBytes;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::Full;
use secrule::Connection;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use subtle::ConstantTimeEq as _;

/// The beginning of the names of headers that describe the request.
const PREFIX: &str = "x-crowdsec-appsec-";

/// Longest id of a request that is taken from a question.
const LONGEST_ID: usize = 128;

/// The key that bouncers send. It is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Vec<u8>);

impl Key {
    /// Makes a key of the text of a file: without white space around it. An empty text is no key.
    pub fn new(text: &[u8]) -> Option<Self> {
        let key = text.trim_ascii();
        (!key.is_empty()).then(|| Self(key.to_vec()))
    }

    /// Compares in a time that does not depend on the place of the first difference.
    fn is(&self, other: &[u8]) -> bool {
        self.0.ct_eq(other).into()
    }
}

/// Answers a question.
pub async fn answer(answering: &Answering, request: Request<RequestBytes>, ends: Ends, key: Option<&Key>) -> Response<Full<Bytes>> {
    let judge = &answering.judge;
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    if key.is_some_and(|key| !key.is(value(headers, "api-key").unwrap_or_default())) {
        judge.complain(Kind::NotTrusted, &format!("{} asks with a wrong key, or without one", ends.peer.ip().to_canonical()));
        return text(StatusCode::UNAUTHORIZED, "the key is wrong: see X-Crowdsec-Appsec-Api-Key".to_owned());
    }
    if let Some(name) = doubled(headers) {
        judge.complain(
            Kind::BadQuestion,
            &format!("the question has {name} twice, and one of them may be its client's: the request is refused"),
        );
        // Bouncers let requests pass whose question cannot be answered.
        return ban(403);
    }
    let (mut head, client) = match describe(headers) {
        Ok(described) => described,
        Err(reason) => {
            judge.complain(Kind::BadQuestion, &reason);
            return text(StatusCode::INTERNAL_SERVER_ERROR, reason);
        }
    };
    // A bouncer removes the length of an empty body. That of a request of HTTP/2 or 3 may have none, and the bouncer does not send such a body.
    if head.version.starts_with('1')
        && body.is_end_stream()
        && ![CONTENT_LENGTH, TRANSFER_ENCODING, CONTENT_TYPE].iter().any(|name| head.header(name).is_some())
        && head.may_have_body()
    {
        head.headers.push((CONTENT_LENGTH.as_str().to_owned(), b"0".to_vec()));
    }
    let mut connection = Connection::new(client, ends.own).connector(NAME);
    let id = value(headers, "transaction-id").and_then(|id| std::str::from_utf8(id).ok());
    if let Some(id) = id.filter(|id| id.len() <= LONGEST_ID && id.bytes().all(|byte| byte.is_ascii_graphic())) {
        connection = connection.id(id);
    }
    let answer = judge.answer(Question { connection, head, body, part: Part::WholeOrNothing, client_status }).await;
    match answer.decision {
        Decision::Pass => json(StatusCode::OK, r#"{"action":"allow","http_status":200}"#.to_owned()),
        Decision::Stop(intervention) => ban(client_status(intervention.status())),
        Decision::Refuse => ban(403),
        Decision::NoSite(status) => ban(status),
        Decision::Fail => text(StatusCode::INTERNAL_SERVER_ERROR, "the request could not be judged".to_owned()),
    }
}

/// Returns the status that a bouncer shows: bouncers know no redirects.
fn client_status(status: u16) -> u16 {
    if (400..=599).contains(&status) { status } else { 403 }
}

fn ban(status: u16) -> Response<Full<Bytes>> {
    json(StatusCode::FORBIDDEN, format!(r#"{{"action":"ban","http_status":{status}}}"#))
}

fn json(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    with_type(status, text, HeaderValue::from_static("application/json"))
}

fn text(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    with_type(status, format!("{text}\n"), HeaderValue::from_static("text/plain; charset=utf-8"))
}

fn with_type(status: StatusCode, text: String, kind: HeaderValue) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// Reads the request that a question is about, and its client.
fn describe(headers: &HeaderMap) -> Result<(Head, SocketAddr), String> {
    let named = |name: &str| value(headers, name).ok_or_else(|| format!("the question has no {PREFIX}{name}"));
    let client = std::str::from_utf8(named("ip")?).ok().and_then(|text| text.trim().parse::<IpAddr>().ok());
    let client = client.ok_or_else(|| format!("{PREFIX}ip of the question is not an address"))?;
    let (method, target, host) = (named("verb")?.to_vec(), named("uri")?.to_vec(), named("host")?.to_vec());
    let version = value(headers, "http-version").map_or("1.1", version).to_owned();
    let rest = headers.iter().filter(|(name, _)| !name.as_str().starts_with(PREFIX) && *name != HOST);
    let rest = rest.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
    let mut head = Head { method, target, version, headers: [(HOST.as_str().to_owned(), host)].into_iter().chain(rest).collect() };
    if let Some(agent) = value(headers, "user-agent") {
        head.remove(USER_AGENT);
        head.headers.push((USER_AGENT.as_str().to_owned(), agent.to_vec()));
    }
    // The bouncer sends a body with its length that came without one.
    if let Some(coding) = value(headers, "transfer-encoding") {
        head.remove(CONTENT_LENGTH);
        head.headers.push((TRANSFER_ENCODING.as_str().to_owned(), coding.to_vec()));
    }
    Ok((head, SocketAddr::new(client, 0)))
}

/// Returns the name of a header that describes the request twice.
fn doubled(headers: &HeaderMap) -> Option<&HeaderName> {
    let is_twice = |name: &&HeaderName| name.as_str().starts_with(PREFIX) && headers.get_all(*name).iter().nth(1).is_some();
    headers.keys().find(is_twice)
}

/// Returns the value of `X-Crowdsec-Appsec-…`.
fn value<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    headers.get(format!("{PREFIX}{name}")).map(HeaderValue::as_bytes).filter(|value| !value.is_empty())
}

/// Reads a version, which bouncers write as `11` or `20`.
fn version(text: &[u8]) -> &'static str {
    match text.strip_prefix(b"HTTP/").unwrap_or(text) {
        b"10" | b"1.0" => "1.0",
        b"2" | b"20" | b"2.0" => "2.0",
        b"3" | b"30" | b"3.0" => "3.0",
        _ => "1.1",
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_whole_text_without_white_space() {
        let key = Key::new(b"  secret\n").unwrap();
        assert!(key.is(b"secret") && !key.is(b"secre") && !key.is(b"secret2") && !key.is(b""));
        assert_eq!(Key::new(b" \n"), None);
        assert_eq!(format!("{key:?}"), "Key(…)");
    }

    #[test]
    fn rules_see_the_request_and_not_the_question() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", "127.0.0.1:7422"),
            ("user-agent", "bouncer"),
            ("accept", "*/*"),
            ("content-length", "7"),
            ("x-crowdsec-appsec-ip", "192.0.2.7"),
            ("x-crowdsec-appsec-uri", "/p?x=1"),
            ("x-crowdsec-appsec-host", "shop.example"),
            ("x-crowdsec-appsec-verb", "POST"),
            ("x-crowdsec-appsec-user-agent", "browser"),
            ("x-crowdsec-appsec-http-version", "20"),
            ("x-crowdsec-appsec-transfer-encoding", "chunked"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let (head, client) = describe(&headers).unwrap();
        let shown: Vec<String> = head.headers.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value))).collect();
        assert_eq!(shown, ["host: shop.example", "accept: */*", "user-agent: browser", "transfer-encoding: chunked"]);
        assert_eq!((head.method, head.version, client.to_string()), (b"POST".to_vec(), "2.0".to_owned(), "192.0.2.7:0".to_owned()));
        for name in ["ip", "uri", "host", "verb"] {
            let mut without = headers.clone();
            without.remove(format!("{PREFIX}{name}"));
            assert!(describe(&without).unwrap_err().contains(&format!("has no {PREFIX}{name}")), "{name}");
        }
    }
}
