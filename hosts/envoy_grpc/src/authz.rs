//! `ext_authz`: one question for each request, with the start of its body if Envoy is told so.

use crate::listener::Ends;
use crate::message::{NAME, address, answer_headers, client_status, number, page, pairs, request_head};
use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3::address::Address as Kind;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer};
use envoy_types::pb::envoy::service::auth::v3::authorization_server::Authorization;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse, DeniedHttpResponse, OkHttpResponse};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::rpc;
use http_body_util::Full;
use secrule::Connection;
use secrule_serve::questions::{Decision, Head, Judge, Kind as NoteKind, Part, Question};
use std::net::SocketAddr;
use tonic::{Code, Request, Response, Status};

/// The header in which Envoy says if it cut the body.
const PARTIAL: &str = "x-envoy-auth-partial-body";

/// Answers `Check`.
#[derive(Debug)]
pub struct Authorizer {
    judge: Judge,
}

impl Authorizer {
    pub fn new(judge: Judge) -> Self {
        Self { judge }
    }
}

#[tonic::async_trait]
impl Authorization for Authorizer {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let ends = request.extensions().get::<Ends>().copied();
        let attributes = request.into_inner().attributes.unwrap_or_default();
        let client = attributes.source.as_ref().and_then(of_peer);
        let server = attributes.destination.as_ref().and_then(of_peer).or(ends.map(|ends| ends.own));
        let described = attributes.request.and_then(|request| request.http);
        let (Some(client), Some(server), Some(http)) = (client, server, described) else {
            let reason = "a CheckRequest has no client or no request";
            self.judge.complain(NoteKind::BadQuestion, reason);
            return Err(Status::invalid_argument(reason));
        };
        let (head, body, part) = read(http);
        let connection = Connection::new(client, server).connector(NAME);
        let answer = self.judge.answer(Question { connection, head, body: Full::new(body), part, client_status }).await;
        let (code, response) = match answer.decision {
            Decision::Pass => (Code::Ok, HttpResponse::OkResponse(OkHttpResponse::default())),
            Decision::Stop(intervention) => {
                let denied = DeniedHttpResponse { headers: answer_headers(&intervention), ..denied(client_status(intervention.status())) };
                (Code::PermissionDenied, HttpResponse::DeniedResponse(denied))
            }
            Decision::Refuse => (Code::PermissionDenied, HttpResponse::DeniedResponse(denied(403))),
            Decision::NoSite(status) => (Code::PermissionDenied, HttpResponse::DeniedResponse(denied(client_status(status)))),
            Decision::Fail => return Err(Status::internal("the request could not be judged")),
        };
        let status = rpc::Status { code: code.into(), ..rpc::Status::default() };
        Ok(Response::new(CheckResponse { status: Some(status), http_response: Some(response), ..CheckResponse::default() }))
    }
}

fn denied(status: u16) -> DeniedHttpResponse {
    DeniedHttpResponse { status: Some(HttpStatus { code: i32::from(status) }), headers: Vec::new(), body: page(status) }
}

fn of_peer(peer: &Peer) -> Option<SocketAddr> {
    match peer.address.as_ref()?.address.as_ref()? {
        Kind::SocketAddress(socket) => {
            use envoy_types::pb::envoy::config::core::v3::socket_address::PortSpecifier;
            let port = match socket.port_specifier {
                Some(PortSpecifier::PortValue(port)) => u16::try_from(port).unwrap_or_default(),
                _ => 0,
            };
            address(&socket.address).map(|address| SocketAddr::new(address.ip(), port))
        }
        _ => None,
    }
}

/// Reads the request, the bytes of its body, and the part that they are.
fn read(http: HttpRequest) -> (Head, Bytes, Part) {
    let HttpRequest { method, path, host, headers, header_map, protocol, body, raw_body, .. } = http;
    let mut pairs = pairs(header_map);
    if pairs.is_empty() {
        pairs.extend(headers.into_iter().map(|(name, value)| (name, value.into_bytes())));
    }
    // Envoy's own fields, which a client cannot write.
    pairs.retain(|(name, _)| !name.starts_with(':'));
    pairs.extend([(":method", method), (":path", path), (":authority", host)].map(|(name, value)| (name.to_owned(), value.into_bytes())));
    let mut head = request_head(pairs, number(&protocol));
    let part = match head.header(PARTIAL) {
        Some(b"true") => Part::Start,
        Some(_) => Part::Whole,
        None => Part::WholeOrNothing,
    };
    head.remove(PARTIAL);
    let body = if raw_body.is_empty() { body.into_bytes() } else { raw_body };
    (head, Bytes::from(body), part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_was_cut_or_did_not_come_is_distinguished_from_a_whole_one() {
        for (said, part) in [(Some("true"), Part::Start), (Some("false"), Part::Whole), (None, Part::WholeOrNothing)] {
            let headers = said.map(|said| (PARTIAL.to_owned(), said.to_owned())).into_iter().collect();
            let (head, body, read) =
                read(HttpRequest { method: "POST".to_owned(), headers, raw_body: b"a=1".to_vec(), ..HttpRequest::default() });
            assert_eq!((read, body.as_ref(), head.header(PARTIAL)), (part, &b"a=1"[..], None));
        }
    }
}
