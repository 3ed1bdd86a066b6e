//! A request and its response, passed to the engine as a web server would pass them.

use secrule::internals::Verdict;
use secrule::internals::graph::Phase;
use secrule::{Intervention, Transaction};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// Names and values of headers, in the order of the message.
pub type Headers = Vec<(Vec<u8>, Vec<u8>)>;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: Vec<u8>,
    pub target: Vec<u8>,
    /// Without `HTTP/`.
    pub version: Vec<u8>,
    pub headers: Headers,
    pub body: Vec<u8>,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// With `HTTP/`.
    pub protocol: String,
    pub headers: Headers,
    pub body: Vec<u8>,
}

/// The addresses of client and server.
#[derive(Clone, Copy, Debug)]
pub struct Connection<'a> {
    pub client: &'a str,
    pub client_port: u16,
    pub server: &'a str,
    pub server_port: u16,
}

/// The result of a judged exchange.
#[derive(Debug)]
pub struct Judgement {
    pub transaction: Transaction,
    /// The phase and the decision that stopped the exchange, if any.
    pub stop: Option<(Phase, Intervention)>,
    pub elapsed: Duration,
}

/// Lets a new transaction judge a request, and its response if the request passes.
pub fn judge(mut transaction: Transaction, connection: Connection<'_>, request: &Request, response: &Response) -> Judgement {
    let start = Instant::now();
    let stop = feed(&mut transaction, connection, request, response).break_value();
    transaction.process_logging();
    Judgement { transaction, stop, elapsed: start.elapsed() }
}

fn feed(
    transaction: &mut Transaction,
    connection: Connection<'_>,
    request: &Request,
    response: &Response,
) -> ControlFlow<(Phase, Intervention)> {
    let Connection { client, client_port, server, server_port } = connection;
    go_on(Phase::Connection, transaction.process_connection(client, client_port, server, server_port))?;
    go_on(Phase::RequestHeaders, transaction.process_uri(&request.target, &request.method, &request.version))?;
    for (name, value) in &request.headers {
        transaction.add_request_header(name, value);
    }
    go_on(Phase::RequestHeaders, transaction.process_request_headers())?;
    if !request.body.is_empty() {
        go_on(Phase::RequestBody, transaction.append_request_body(&request.body))?;
    }
    go_on(Phase::RequestBody, transaction.process_request_body())?;
    for (name, value) in &response.headers {
        transaction.add_response_header(name, value);
    }
    go_on(Phase::ResponseHeaders, transaction.process_response_headers(response.status, &response.protocol))?;
    if !response.body.is_empty() {
        go_on(Phase::ResponseBody, transaction.append_response_body(&response.body))?;
    }
    go_on(Phase::ResponseBody, transaction.process_response_body())
}

fn go_on(phase: Phase, verdict: Verdict) -> ControlFlow<(Phase, Intervention)> {
    match verdict.intervention() {
        Some(intervention) => ControlFlow::Break((phase, intervention.clone())),
        None => ControlFlow::Continue(()),
    }
}
