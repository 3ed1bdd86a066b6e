//! A body on its way: what Envoy gets of it for each piece that it sends.

use crate::exchange::{End, Exchange};
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use envoy_types::pb::envoy::service::ext_proc::v3::body_mutation::Mutation;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    BodyMutation, BodyResponse, CommonResponse, HttpBody, ProcessingResponse, StreamedBodyResponse, processing_response::Response,
};
use secrule::BodyNeed;
use secrule_serve::questions::HELD_LIMIT;

/// Longest piece of a body that is sent at once.
const PIECE: usize = 64 << 10;

/// Directions of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Request,
    Response,
}

/// One body.
pub struct Body {
    side: Side,
    mode: BodySendMode,
    need: BodyNeed,
    stage: Stage,
    /// The answer to the headers, which go on with the body.
    headers: Option<ProcessingResponse>,
    /// The number of bytes that came.
    bytes: usize,
}

/// Stage of a body.
enum Stage {
    /// Nothing of it goes on before it is judged: it is kept here.
    Held(Vec<HttpBody>),
    /// It goes on as rules see it.
    Seen,
    /// It goes on.
    Judged,
    /// Bytes of another protocol, such as WebSocket, which no rule sees: they begin when the upstream has agreed.
    Tunnel,
    /// Nothing of it goes on: it was not judged in time.
    Closed,
}

impl Body {
    /// A body of which rules need something. `mode` is that of Envoy's settings, which need not allow another one.
    pub fn new(side: Side, mode: BodySendMode, need: BodyNeed) -> Self {
        // One that is asked for comes in pieces.
        let mode = if mode == BodySendMode::None { BodySendMode::Streamed } else { mode };
        let stage = match need {
            _ if need.is_nothing() => Stage::Judged,
            _ if need.may_forward() => Stage::Seen,
            _ => Stage::Held(Vec::new()),
        };
        Self { side, mode, need, stage, headers: None, bytes: 0 }
    }

    /// A body that goes on whatever rules need.
    pub fn passing(side: Side, mode: BodySendMode, need: BodyNeed) -> Self {
        Self { stage: Stage::Judged, ..Self::new(side, mode, need) }
    }

    /// The bytes of another protocol.
    pub fn tunnel(mode: BodySendMode, need: BodyNeed) -> Self {
        Self { stage: Stage::Tunnel, ..Self::new(Side::Request, mode, need) }
    }

    /// Keeps the answer to the headers until the body is judged, if Envoy waits for it: then the other side sees nothing before. Returns what is answered now.
    pub fn keep_headers(&mut self, answer: ProcessingResponse) -> Option<ProcessingResponse> {
        if self.mode == BodySendMode::FullDuplexStreamed && matches!(self.stage, Stage::Held(_)) {
            self.headers = Some(answer);
            return None;
        }
        Some(answer)
    }

    /// Returns `true` if rules need it, and nothing of it came.
    pub fn is_awaited(&self) -> bool {
        self.bytes == 0 && matches!(self.stage, Stage::Held(_) | Stage::Seen)
    }

    pub fn need(&self) -> BodyNeed {
        self.need
    }

    /// Ends a body before it has come as a whole, because the other side has begun: what follows was not judged. A tunnel goes on if the upstream agreed.
    pub fn close(&mut self, is_agreed: bool) {
        self.stage = match self.stage {
            Stage::Tunnel if is_agreed => Stage::Judged,
            Stage::Held(_) | Stage::Closed | Stage::Tunnel => Stage::Closed,
            Stage::Seen | Stage::Judged => Stage::Judged,
        };
    }

    /// Takes a piece, and returns what Envoy gets for it.
    pub async fn take(&mut self, exchange: &mut Exchange, piece: HttpBody) -> Result<Vec<ProcessingResponse>, End> {
        let is_last = piece.end_of_stream;
        if matches!(self.stage, Stage::Held(_) | Stage::Seen) {
            self.bytes = self.bytes.saturating_add(piece.body.len());
            let side = self.side;
            // An intervention comes again at the end.
            let _ = exchange.with_transaction(|transaction| match side {
                Side::Request => transaction.request_body(&piece.body),
                Side::Response => transaction.response_body(&piece.body),
            })?;
        }
        let has_enough = self.need.limit().is_some_and(|limit| self.bytes >= limit);
        // Envoy sends one message in these modes, and nothing of what it cut.
        let is_only = matches!(self.mode, BodySendMode::Buffered | BodySendMode::BufferedPartial);
        match &mut self.stage {
            Stage::Held(held) => {
                if !is_only && self.bytes > HELD_LIMIT {
                    return Err(End::Status(if self.side == Side::Request { 413 } else { 502 }));
                }
                held.push(piece);
                if !(is_last || is_only || has_enough) {
                    return Ok(self.nothing());
                }
                self.end(exchange).await?;
                if self.mode == BodySendMode::BufferedPartial && !is_last && !has_enough {
                    exchange.hide_body(self.need)?;
                }
                Ok(self.release())
            }
            Stage::Seen => {
                if is_last || is_only {
                    self.end(exchange).await?;
                    self.stage = Stage::Judged;
                    if self.mode == BodySendMode::BufferedPartial && !is_last && !has_enough {
                        exchange.hide_body(self.need)?;
                    }
                }
                Ok(self.same(piece))
            }
            Stage::Judged => Ok(self.same(piece)),
            Stage::Tunnel if piece.body.is_empty() => Ok(self.same(piece)),
            Stage::Tunnel => Err(End::Status(400)),
            Stage::Closed => Err(End::Status(502)),
        }
    }

    /// Ends a body whose end Envoy does not tell with a piece: trailers follow it, or the other side begins.
    ///
    /// # Errors
    /// An intervention; or if pieces are held that can no longer go on.
    pub async fn end_without_piece(&mut self, exchange: &mut Exchange) -> Result<Vec<ProcessingResponse>, End> {
        match &self.stage {
            Stage::Judged | Stage::Closed | Stage::Tunnel => return Ok(Vec::new()),
            Stage::Seen | Stage::Held(_) => self.end(exchange).await?,
        }
        match &self.stage {
            Stage::Held(held) if !held.is_empty() && !self.is_duplex() => Err(End::Status(502)),
            Stage::Held(_) => Ok(self.release()),
            _ => {
                self.stage = Stage::Judged;
                Ok(Vec::new())
            }
        }
    }

    async fn end(&self, exchange: &mut Exchange) -> Result<(), End> {
        match self.side {
            Side::Request => exchange.end_request(self.bytes).await,
            Side::Response => exchange.end_response(self.bytes).await,
        }
    }

    /// Lets go of what is held.
    fn release(&mut self) -> Vec<ProcessingResponse> {
        let Stage::Held(held) = std::mem::replace(&mut self.stage, Stage::Judged) else { return Vec::new() };
        if self.is_duplex() {
            let headers = self.headers.take();
            return headers.into_iter().chain(held.into_iter().flat_map(|piece| self.same(piece))).collect();
        }
        if held.len() == 1 {
            return vec![self.response(None)];
        }
        let whole = held.into_iter().flat_map(|piece| piece.body).collect();
        vec![self.response(Some(Mutation::Body(whole)))]
    }

    /// Answers a piece that does not go on yet.
    fn nothing(&self) -> Vec<ProcessingResponse> {
        if self.is_duplex() { Vec::new() } else { vec![self.response(Some(Mutation::ClearBody(true)))] }
    }

    /// Answers a piece that goes on as it is.
    fn same(&self, piece: HttpBody) -> Vec<ProcessingResponse> {
        if !self.is_duplex() {
            return vec![self.response(None)];
        }
        let HttpBody { body, end_of_stream, end_of_stream_without_message, grpc_message_compressed, drain_complete } = piece;
        let streamed = |body: Vec<u8>, end_of_stream| {
            let flags = end_of_stream_without_message && end_of_stream;
            let response =
                StreamedBodyResponse { body, end_of_stream, end_of_stream_without_message: flags, grpc_message_compressed, drain_complete };
            self.response(Some(Mutation::StreamedResponse(response)))
        };
        // A message of gRPC stays whole.
        if body.len() <= PIECE || self.mode == BodySendMode::Grpc {
            return vec![streamed(body, end_of_stream)];
        }
        let mut pieces = body.chunks(PIECE).peekable();
        let mut responses = Vec::new();
        while let Some(part) = pieces.next() {
            responses.push(streamed(part.to_vec(), end_of_stream && pieces.peek().is_none()));
        }
        responses
    }

    fn response(&self, mutation: Option<Mutation>) -> ProcessingResponse {
        let body_mutation = mutation.map(|mutation| BodyMutation { mutation: Some(mutation) });
        let response = BodyResponse { response: Some(CommonResponse { body_mutation, ..CommonResponse::default() }) };
        let response = match self.side {
            Side::Request => Response::RequestBody(response),
            Side::Response => Response::ResponseBody(response),
        };
        ProcessingResponse { response: Some(response), ..ProcessingResponse::default() }
    }

    /// Returns `true` if Envoy gets pieces when this side wants, and not one for each of its own.
    fn is_duplex(&self) -> bool {
        matches!(self.mode, BodySendMode::FullDuplexStreamed | BodySendMode::Grpc)
    }
}
