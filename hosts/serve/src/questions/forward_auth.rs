//! Questions of Caddy's `forward_auth`, Traefik's `forwardAuth` and nginx's `auth_request`: heads of requests.
//!
//! The proxy describes the request of its client in headers of its question, which a client could write as well. Therefore only peers that are trusted
//! may ask, a header that comes twice is refused, and so are two headers that contradict each other: one of them was written by a client, and nothing tells
//! which.

use super::head::Head;
use super::judge::{Answer, Decision, Part, Question};
use super::listener::Answering;
use super::notes::Kind;
use crate::forwarded::{self, Ends};
use crate::server::NAME;
use crate::settings::Settings;
use crate::sockets::RequestBytes;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderName, LOCATION};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use secrule::Connection;
use std::net::SocketAddr;

const FORWARDED_METHOD: &str = "x-forwarded-method";
const FORWARDED_URI: &str = "x-forwarded-uri";
const FORWARDED_HOST: &str = "x-forwarded-host";
const FORWARDED_PROTO: &str = "x-forwarded-proto";
const FORWARDED_PORT: &str = "x-forwarded-port";
const ORIGINAL_METHOD: &str = "x-original-method";
const ORIGINAL_URI: &str = "x-original-uri";
const ORIGINAL_URL: &str = "x-original-url";

/// Headers of the question alone, which the client did not send: rules do not see them.
const OF_QUESTION: [&str; 16] = [
    FORWARDED_METHOD,
    FORWARDED_URI,
    FORWARDED_HOST,
    FORWARDED_PROTO,
    FORWARDED_PORT,
    ORIGINAL_METHOD,
    ORIGINAL_URI,
    ORIGINAL_URL,
    "x-forwarded-for",
    "x-forwarded-server",
    "x-real-ip",
    // Those of ingress-nginx.
    "x-auth-request-redirect",
    "x-sent-from",
    "host",
    "connection",
    "keep-alive",
];

/// Answers in these headers, which a proxy may copy.
const ID: HeaderName = HeaderName::from_static("x-secrule-id");
const ACTION: HeaderName = HeaderName::from_static("x-secrule-action");
const STATUS: HeaderName = HeaderName::from_static("x-secrule-status");
const RULES: HeaderName = HeaderName::from_static("x-secrule-rules");
const HIDDEN_BODY: HeaderName = HeaderName::from_static("x-secrule-hidden-body");

/// A request as a question describes it.
#[derive(Debug, PartialEq, Eq)]
struct Described {
    head: Head,
    client: SocketAddr,
    /// The port that the client asked.
    port: u16,
    /// `true` if the proxy understands 401 and 403 alone.
    is_nginx: bool,
}

/// Answers a question.
pub async fn answer(answering: &Answering, request: Request<RequestBytes>, ends: Ends, rule_ids: bool) -> Response<Full<Bytes>> {
    let Answering { judge, settings, .. } = answering;
    let peer = ends.peer.ip().to_canonical();
    if !settings.trusts(peer) {
        let reason = format!(
            "{peer} asks, and is not trusted; if it is a proxy of yours, name it with --trust {peer}/{}",
            if peer.is_ipv4() { 32 } else { 128 }
        );
        judge.complain(Kind::NotTrusted, &reason);
        return page(StatusCode::FORBIDDEN, reason);
    }
    let (parts, body) = request.into_parts();
    let described = match describe(&parts.headers, ends, settings) {
        Ok(described) => described,
        Err(reason) => {
            judge.complain(Kind::BadQuestion, &reason);
            return page(StatusCode::BAD_REQUEST, reason);
        }
    };
    let Described { head, client, port, is_nginx } = described;
    let connection = Connection::new(client, SocketAddr::new(ends.own.ip(), port)).connector(NAME);
    let client_status = if is_nginx { nginx_status } else { client_status };
    written(&judge.answer(Question { connection, head, body, part: Part::WholeOrNothing, client_status }).await, client_status, rule_ids)
}

/// Returns the status of an answer that stops a request: none that lets it pass.
fn client_status(status: u16) -> u16 {
    if (300..=599).contains(&status) { status } else { 403 }
}

/// The same for `auth_request` of nginx, which answers others with 500.
fn nginx_status(status: u16) -> u16 {
    if status == 401 { 401 } else { 403 }
}

fn written(answer: &Answer, client_status: fn(u16) -> u16, rule_ids: bool) -> Response<Full<Bytes>> {
    let (status, action) = match &answer.decision {
        Decision::Pass => (200, "pass"),
        Decision::Stop(intervention) => (client_status(intervention.status()), intervention.action().name()),
        Decision::Refuse => (403, "refuse"),
        Decision::NoSite(status) => (client_status(*status), "refuse"),
        Decision::Fail => (500, "fail"),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
    let mut response = page(status, status.to_string());
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    set(ACTION, action.to_owned());
    if !answer.id.is_empty() {
        set(ID, answer.id.clone());
    }
    if answer.hidden_body {
        set(HIDDEN_BODY, action.to_owned());
    }
    let decided = match &answer.decision {
        Decision::Stop(intervention) => Some(intervention.status()),
        Decision::NoSite(status) => Some(*status),
        _ => None,
    };
    if let Some(decided) = decided.filter(|decided| *decided != status.as_u16()) {
        set(STATUS, decided.to_string());
    }
    if let Decision::Stop(intervention) = &answer.decision
        && let Some(location) = intervention.location()
    {
        set(LOCATION, location.to_owned());
    }
    if rule_ids {
        let rules: Vec<String> = answer.rules.iter().map(u64::to_string).collect();
        set(RULES, rules.join(","));
    }
    response
}

fn page(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(format!("{text}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Reads the request that a question is about.
fn describe(headers: &HeaderMap, ends: Ends, settings: &Settings) -> Result<Described, String> {
    let url = only(headers, ORIGINAL_URL)?.map(origin);
    let original_uri = only(headers, ORIGINAL_URI)?;
    let original = agreed(ORIGINAL_URI, original_uri, ORIGINAL_URL, url.map(|(_, target)| target))?;
    let forwarded = only(headers, FORWARDED_URI)?;
    let Some(target) = agreed(FORWARDED_URI, forwarded, "X-Original-URI", original)? else {
        return Err("the question does not name the request: Caddy and Traefik send X-Forwarded-Uri; in nginx write \
            `proxy_set_header X-Original-URI $request_uri;`"
            .to_owned());
    };
    // The method is believed if it is of the same kind as the target: the other kind may be a client's.
    let (of_forwarded, of_original) = (only(headers, FORWARDED_METHOD)?, only(headers, ORIGINAL_METHOD)?);
    agreed(FORWARDED_METHOD, of_forwarded, ORIGINAL_METHOD, of_original)?;
    let is_nginx = forwarded.is_none();
    let Some(method) = (if is_nginx { of_original } else { of_forwarded }) else {
        return Err("the question does not name the method: Caddy and Traefik send X-Forwarded-Method; in nginx write \
            `proxy_set_header X-Original-Method $request_method;`"
            .to_owned());
    };
    let client = forwarded::client(ends, headers, settings);
    if client == ends.peer {
        return Err("the question does not name the client: Caddy and Traefik send X-Forwarded-For; in nginx write \
            `proxy_set_header X-Forwarded-For $remote_addr;`"
            .to_owned());
    }
    // The URL of a client may agree with the target, and have another host.
    let url_is_of_proxy = forwarded.is_none() && original_uri.is_none();
    let host =
        url.and_then(|(host, _)| host).filter(|_| url_is_of_proxy).or(only(headers, FORWARDED_HOST)?).or(only(headers, HOST.as_str())?);
    let is_encrypted = only(headers, FORWARDED_PROTO)?.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"https"));
    let named = only(headers, FORWARDED_PORT)?.and_then(|port| std::str::from_utf8(port).ok()?.trim().parse().ok());
    let port = named.unwrap_or(if is_encrypted { 443 } else { 80 });
    let host = host.map(|host| (HOST.as_str().to_owned(), host.to_vec()));
    let rest = headers.iter().filter(|(name, _)| !OF_QUESTION.contains(&name.as_str()));
    let rest = rest.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
    let head = Head {
        method: method.to_vec(),
        target: target.to_vec(),
        version: "1.1".to_owned(),
        headers: host.into_iter().chain(rest).collect(),
    };
    Ok(Described { head, client, port, is_nginx })
}

/// Returns the value of a header that comes once, if it is not empty.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h [u8]>, String> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(format!("the question has {name} twice: let the proxy set it, and remove that of its client"));
    }
    Ok(first.map(HeaderValue::as_bytes).filter(|value| !value.is_empty()))
}

/// Returns what two headers say, if they do not contradict each other.
fn agreed<'h>(one: &str, first: Option<&'h [u8]>, other: &str, second: Option<&'h [u8]>) -> Result<Option<&'h [u8]>, String> {
    match (first, second) {
        (Some(first), Some(second)) if first != second => Err(format!(
            "{one} and {other} contradict each other, so that one of them may be its client's: let the proxy remove the one that it does not set"
        )),
        _ => Ok(first.or(second)),
    }
}

/// Splits `https://shop.example/path?query` into the host and the target.
fn origin(url: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let Some(at) = url.windows(3).position(|part| part == b"://") else { return (None, url) };
    let rest = url.get(at + 3..).unwrap_or_default();
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let (host, target) = rest.split_at(end);
    (Some(host).filter(|host| !host.is_empty()), if target.is_empty() { b"/" } else { target })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDS: Ends = Ends {
        peer: SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 4_000),
        own: SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9_000),
        is_encrypted: false,
    };

    fn read(text: &str) -> Result<Described, String> {
        let mut map = HeaderMap::new();
        for header in text.split_whitespace() {
            let (name, value) = header.split_once('=').unwrap();
            map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let settings = Settings { trusted: vec!["127.0.0.0/8".parse().unwrap()], ..Settings::default() };
        describe(&map, ENDS, &settings)
    }

    fn shown_of(text: &str) -> (String, String, String, bool) {
        let Described { head, is_nginx, .. } = read(text).unwrap();
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (shown(&head.method), shown(&head.target), shown(head.header("host").unwrap_or_default()), is_nginx)
    }

    #[test]
    fn each_proxy_describes_the_request_in_its_way() {
        let caddy =
            "host=127.0.0.1:9000 x-forwarded-method=POST x-forwarded-uri=/p?x=1 x-forwarded-host=shop.example x-forwarded-for=192.0.2.7";
        assert_eq!(shown_of(caddy), ("POST".into(), "/p?x=1".into(), "shop.example".into(), false));
        let nginx = "host=shop.example x-original-method=PUT x-original-uri=/p x-forwarded-for=192.0.2.7";
        assert_eq!(shown_of(nginx), ("PUT".into(), "/p".into(), "shop.example".into(), true));
        let ingress = "host=auth x-original-method=GET x-original-url=https://shop.example/p?q x-forwarded-for=192.0.2.7";
        assert_eq!(shown_of(ingress), ("GET".into(), "/p?q".into(), "shop.example".into(), true));
        // A client of the others adds the URL.
        for question in [caddy.replace("=POST", "=GET"), nginx.replace("=PUT", "=GET")] {
            let target = if question.contains("/p?x=1") { "/p?x=1" } else { "/p" };
            let (_, _, host, _) = shown_of(&format!("{question} x-original-url=https://lax.example{target}"));
            assert_eq!(host, "shop.example", "{question}");
        }
    }

    #[test]
    fn rules_see_no_header_of_the_question() {
        let read =
            read("host=a x-forwarded-method=GET x-forwarded-uri=/ x-forwarded-for=192.0.2.7 x-forwarded-proto=https accept=*/*").unwrap();
        let names: Vec<&str> = read.head.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!((names, read.client.to_string(), read.port), (vec!["host", "accept"], "192.0.2.7:0".to_owned(), 443));
    }

    #[test]
    fn what_a_client_may_have_written_is_refused() {
        let told = "x-forwarded-method=GET x-forwarded-uri=/attack x-forwarded-for=192.0.2.7";
        for (question, reason) in [
            (format!("{told} x-original-uri=/clean"), "contradict"),
            (format!("{told} x-original-method=HEAD"), "contradict"),
            (format!("{told} x-forwarded-uri=/clean"), "twice"),
            ("x-original-uri=/ x-forwarded-method=GET x-forwarded-for=192.0.2.7".to_owned(), "does not name the method"),
            ("x-forwarded-method=GET x-forwarded-for=192.0.2.7".to_owned(), "does not name the request"),
            ("x-forwarded-method=GET x-forwarded-uri=/".to_owned(), "does not name the client"),
            ("x-forwarded-method=GET x-forwarded-uri=/ x-forwarded-for=unknown".to_owned(), "does not name the client"),
        ] {
            assert!(read(&question).unwrap_err().contains(reason), "{question}");
        }
    }

    #[test]
    fn no_status_of_a_rule_lets_a_request_pass() {
        assert_eq!([200, 204, 302, 403, 406, 429, 999].map(client_status), [403, 403, 302, 403, 406, 429, 403]);
        assert_eq!([200, 302, 401, 403, 429].map(nginx_status), [403, 403, 401, 403, 403]);
    }
}
