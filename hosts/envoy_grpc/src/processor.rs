//! `ext_proc`: the messages about one exchange, in order, and the answers to them.

use crate::exchange::{End, Exchange};
use crate::held::{Body, Side};
use crate::listener::Ends;
use crate::message::{NAME, address, answer_headers, attribute, client_status, details, immediate, pairs, pseudo, request_head};
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::ProcessingMode;
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::{BodySendMode, HeaderSendMode};
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::ExternalProcessor;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Message;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Answer;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    CommonResponse, HeaderMutation, HeadersResponse, HttpBody, HttpHeaders, ProcessingRequest, ProcessingResponse, TrailersResponse,
};
use secrule::{Connection, Stop};
use secrule_serve::questions::{Judge, Kind};
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};

/// Answers that wait until Envoy takes them.
const WAITING: usize = 4;

/// Answers `Process`.
#[derive(Debug)]
pub struct Processor {
    judge: Judge,
}

impl Processor {
    pub fn new(judge: Judge) -> Self {
        Self { judge }
    }
}

/// State of one exchange.
struct Stream {
    judge: Judge,
    ends: Option<Ends>,
    exchange: Option<Exchange>,
    /// The modes in which Envoy sends bodies.
    request_mode: BodySendMode,
    response_mode: BodySendMode,
    request_body: Option<Body>,
    response_body: Option<Body>,
    version: &'static str,
}

type Answers = Vec<ProcessingResponse>;

#[tonic::async_trait]
impl ExternalProcessor for Processor {
    type ProcessStream = tokio_stream::wrappers::ReceiverStream<Result<ProcessingResponse, Status>>;

    async fn process(&self, request: Request<Streaming<ProcessingRequest>>) -> Result<Response<Self::ProcessStream>, Status> {
        let ends = request.extensions().get::<Ends>().copied();
        let mut messages = request.into_inner();
        let (sender, receiver) = mpsc::channel(WAITING);
        let mut stream = Stream::new(self.judge.clone(), ends);
        tokio::spawn(async move {
            // A stream that Envoy ends, or that fails, ends the exchange.
            while let Ok(Some(message)) = messages.message().await {
                let is_watched = message.observability_mode;
                let answers = match stream.take(message).await {
                    Ok(answers) => answers.into_iter().map(Ok).collect(),
                    Err(status) => vec![Err(status)],
                };
                for answer in answers {
                    let is_last = match &answer {
                        Ok(answer) => matches!(answer.response, Some(Answer::ImmediateResponse(_))),
                        Err(_) => true,
                    };
                    // In its observability mode Envoy reads no answers.
                    if !is_watched && sender.send(answer).await.is_err() || is_last {
                        return;
                    }
                }
            }
        });
        Ok(Response::new(tokio_stream::wrappers::ReceiverStream::new(receiver)))
    }
}

/// Returns the answer to headers, unless it waits for the body.
fn answer_headers_of(body: Option<&mut Body>, response: Answer, mode_override: Option<ProcessingMode>) -> Answers {
    let answer = ProcessingResponse { response: Some(response), mode_override, ..ProcessingResponse::default() };
    let answer = match body {
        Some(body) => body.keep_headers(answer),
        None => Some(answer),
    };
    answer.into_iter().collect()
}

impl Stream {
    fn new(judge: Judge, ends: Option<Ends>) -> Self {
        let (request_mode, response_mode) = (BodySendMode::None, BodySendMode::None);
        Self { judge, ends, exchange: None, request_mode, response_mode, request_body: None, response_body: None, version: "1.1" }
    }

    /// Takes a message, and returns the answers.
    ///
    /// # Errors
    /// If it is not in order, or lacks what rules must know: then the stream ends, and Envoy does what its `failure_mode_allow` says.
    async fn take(&mut self, mut message: ProcessingRequest) -> Result<Answers, Status> {
        if let Some(config) = message.protocol_config {
            (self.request_mode, self.response_mode) = (config.request_body_mode(), config.response_body_mode());
        }
        let Some(request) = message.request.take() else { return Ok(Vec::new()) };
        let taken = match request {
            Message::RequestHeaders(headers) => {
                let connection = self.connection(&message)?;
                self.request_headers(connection, headers).await
            }
            _ if self.exchange.is_none() => {
                return Err(self.complain("Envoy does not send the headers of requests: write `request_header_mode: SEND`"));
            }
            Message::RequestBody(piece) => self.body(Side::Request, piece).await,
            Message::RequestTrailers(_) => self.trailers(Side::Request).await,
            Message::ResponseHeaders(headers) => self.response_headers(headers).await,
            Message::ResponseBody(piece) => self.body(Side::Response, piece).await,
            Message::ResponseTrailers(_) => self.trailers(Side::Response).await,
        };
        taken.or_else(|end| self.stop(&end).map(|answer| vec![answer]))
    }

    /// Returns the ends of the client's connection.
    fn connection(&mut self, message: &ProcessingRequest) -> Result<Connection, Status> {
        self.version = attribute(message, "request.protocol").map_or("1.1", crate::message::number);
        let Some(client) = attribute(message, "source.address").and_then(address) else {
            return Err(self.complain("Envoy does not tell the client: write `request_attributes: [source.address, request.protocol]`"));
        };
        let server = attribute(message, "destination.address").and_then(address).or(self.ends.map(|ends| ends.own)).unwrap_or(client);
        Ok(Connection::new(client, server).connector(NAME))
    }

    fn complain(&self, reason: &str) -> Status {
        self.judge.complain(Kind::BadQuestion, reason);
        Status::failed_precondition(reason)
    }

    fn exchange(&mut self) -> Result<&mut Exchange, End> {
        self.exchange.as_mut().ok_or(End::Unjudged)
    }

    async fn request_headers(&mut self, connection: Connection, headers: HttpHeaders) -> Result<Answers, End> {
        let mut head = request_head(pairs(headers.headers), self.version);
        // A client of WebSocket sends nothing before the upstream agrees, and then no body. With a length it is one.
        let is_tunnel = !headers.end_of_stream
            && (head.method == b"CONNECT" || head.method == b"GET" && head.header("upgrade").is_some())
            && head.header("content-length").is_none();
        if !headers.end_of_stream && !is_tunnel {
            head.restore_framing();
        }
        let (exchange, judged) = Exchange::begin(self.judge.clone(), connection, head);
        let exchange = self.exchange.insert(exchange);
        judged?;
        let need = exchange.request_need()?;
        let inspects_responses = exchange.inspects_responses();
        if headers.end_of_stream || is_tunnel || need.is_nothing() {
            exchange.end_request(0).await?;
        }
        let mut wanted = self.request_mode;
        if is_tunnel {
            wanted = self.wanted(BodySendMode::None, false);
            self.request_body = Some(Body::tunnel(self.request_mode, need));
        } else if !headers.end_of_stream {
            wanted = self.wanted(self.request_mode, need.is_nothing());
            self.request_body = Some(Body::new(Side::Request, self.request_mode, need));
        }
        let mut common = CommonResponse::default();
        if inspects_responses {
            // A response with a content encoding cannot be inspected.
            let removed = vec!["accept-encoding".to_owned()];
            common.header_mutation = Some(HeaderMutation { set_headers: Vec::new(), remove_headers: removed });
        }
        let response = Answer::RequestHeaders(HeadersResponse { response: Some(common) });
        let mode_override = (wanted != self.request_mode).then(|| self.mode(wanted, self.response_mode));
        self.request_mode = wanted;
        Ok(answer_headers_of(self.request_body.as_mut(), response, mode_override))
    }

    async fn response_headers(&mut self, headers: HttpHeaders) -> Result<Answers, End> {
        let awaited = self.request_body.as_ref().filter(|body| body.is_awaited()).map(Body::need);
        let version = self.version;
        let pairs = pairs(headers.headers);
        let status = pseudo(&pairs, ":status").and_then(|status| std::str::from_utf8(status).ok()?.parse().ok()).unwrap_or(0);
        let exchange = self.exchange()?;
        let is_agreed = status == 101 || exchange.is_connect() && (200..300).contains(&status);
        // The upstream may answer before it has read the request: what it has not read is not judged.
        exchange.end_request(0).await?;
        if let Some(need) = awaited {
            exchange.hide_body(need)?;
        }
        if let Some(body) = &mut self.request_body {
            body.close(is_agreed);
        }
        let exchange = self.exchange()?;
        let judged = exchange.with_transaction(|transaction| {
            for (name, value) in pairs.iter().filter(|(name, _)| !name.starts_with(':')) {
                transaction.response_header(name.as_bytes(), value)?;
            }
            transaction.response_headers_end(status, version)
        })?;
        judged.map_err(End::Rules)?;
        let need = exchange.response_need()?;
        // What follows a change of the protocol is no body.
        let passes = is_agreed || need.is_nothing();
        if headers.end_of_stream || passes {
            exchange.end_response(0).await?;
        }
        let mut wanted = self.response_mode;
        if !headers.end_of_stream {
            let body = if passes { Body::passing } else { Body::new };
            self.response_body = Some(body(Side::Response, self.response_mode, need));
            wanted = self.wanted(self.response_mode, passes);
        }
        let response = Answer::ResponseHeaders(HeadersResponse { response: Some(CommonResponse::default()) });
        let mode_override = (wanted != self.response_mode).then(|| self.mode(self.request_mode, wanted));
        self.response_mode = wanted;
        Ok(answer_headers_of(self.response_body.as_mut(), response, mode_override))
    }

    async fn body(&mut self, side: Side, piece: HttpBody) -> Result<Answers, End> {
        let Self { exchange: Some(exchange), request_body, response_body, .. } = self else { return Err(End::Unjudged) };
        match if side == Side::Request { request_body } else { response_body } {
            Some(body) => body.take(exchange, piece).await,
            None => Err(End::Unjudged),
        }
    }

    async fn trailers(&mut self, side: Side) -> Result<Answers, End> {
        let Self { exchange: Some(exchange), request_body, response_body, .. } = self else { return Err(End::Unjudged) };
        let mut answers = match if side == Side::Request { request_body } else { response_body } {
            Some(body) => body.end_without_piece(exchange).await?,
            None => Vec::new(),
        };
        let response = match side {
            Side::Request => Answer::RequestTrailers(TrailersResponse::default()),
            Side::Response => Answer::ResponseTrailers(TrailersResponse::default()),
        };
        answers.push(ProcessingResponse { response: Some(response), ..ProcessingResponse::default() });
        Ok(answers)
    }

    /// Returns the mode in which Envoy should send a body.
    fn wanted(&self, mode: BodySendMode, is_nothing: bool) -> BodySendMode {
        match (mode, is_nothing) {
            // Envoy may have sent some of it already.
            (BodySendMode::FullDuplexStreamed | BodySendMode::Grpc, _) => mode,
            // A body that needs no look costs a message for each of its pieces.
            (_, true) => BodySendMode::None,
            (BodySendMode::None, false) => BodySendMode::Streamed,
            _ => mode,
        }
    }

    fn mode(&self, request: BodySendMode, response: BodySendMode) -> ProcessingMode {
        ProcessingMode {
            request_header_mode: HeaderSendMode::Send.into(),
            response_header_mode: HeaderSendMode::Send.into(),
            request_body_mode: request.into(),
            response_body_mode: response.into(),
            request_trailer_mode: HeaderSendMode::Send.into(),
            response_trailer_mode: HeaderSendMode::Send.into(),
        }
    }

    /// Ends the exchange with an answer of its own.
    fn stop(&mut self, end: &End) -> Result<ProcessingResponse, Status> {
        let (status, headers, details) = match end {
            End::Rules(Stop::Intervention(intervention)) => {
                (client_status(intervention.status()), answer_headers(intervention), details(intervention))
            }
            End::NoSite(status) => (client_status(*status), Vec::new(), "secrule_no_site".to_owned()),
            End::HiddenBody => (403, Vec::new(), "secrule_hidden_body".to_owned()),
            End::Status(status) => (*status, Vec::new(), "secrule_body_cannot_be_held".to_owned()),
            End::Rules(_) | End::Unjudged => (0, Vec::new(), String::new()),
        };
        if let Some(exchange) = &mut self.exchange {
            exchange.stop(end, status);
        }
        // Its end is logged now, and not when Envoy ends the stream.
        self.exchange = None;
        match status {
            0 => Err(Status::internal("the exchange could not be judged")),
            _ => Ok(immediate(status, headers, details)),
        }
    }
}
