//! One try of a request: `ureq` speaks HTTP over a connection that is made here, to an address that was checked.

use super::Shared;
use super::failure::Failure;
use super::request::{Checked, Pieces, Request};
use super::response::{self, MAX_HEAD, MAX_HEADS, Response};
use super::target::Target;
use super::tls::server_name;
use super::wire::Wire;
use super::{CONNECT, USER_AGENT};
use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use ureq::config::{AutoHeaderValue, Config};
use ureq::http::{self, HeaderValue, Method, Uri, header};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport};
use ureq::{Agent, AsSendBody, SendBody};

/// Bytes of the buffer of a request, which holds an address of 64 KiB, or a header.
const REQUEST_BUFFER: usize = 80 << 10;

/// The body of a try.
pub enum Upload<'a, 'b> {
    Bytes(&'a [u8]),
    Pieces(&'a mut Pieces<'b>),
}

/// A request under way.
pub struct Exchange<'a> {
    pub shared: &'a Arc<Shared>,
    pub checked: &'a Checked,
    pub max_body: usize,
    pub verifies_certificate: bool,
    pub by: Instant,
}

/// Looks up, checks and connects for one try.
#[derive(Clone)]
struct Dialer {
    shared: Arc<Shared>,
    target: Target,
    is_secure: bool,
    verifies: bool,
    by: Instant,
    sent: Sent,
}

/// The first bytes that the server sent, which are the headers.
#[derive(Clone, Default)]
struct Sent(Arc<Mutex<Vec<u8>>>);

/// A connection for `ureq`.
struct Carrier {
    wire: Wire,
    buffers: LazyBuffers,
    by: Instant,
    sent: Sent,
}

impl<'a> Exchange<'a> {
    pub fn new(shared: &'a Arc<Shared>, checked: &'a Checked, request: &Request<'_>, by: Instant) -> Self {
        let Request { max_body, verifies_certificate, .. } = *request;
        Self { shared, checked, max_body, verifies_certificate, by }
    }

    /// Sends the request and reads the response.
    pub fn run(&self, body: Upload<'_, '_>) -> Result<Response, Failure> {
        let dialer = Dialer {
            shared: Arc::clone(self.shared),
            target: self.checked.target.clone(),
            is_secure: self.checked.is_secure,
            verifies: self.verifies_certificate,
            by: self.by,
            sent: Sent::default(),
        };
        let sent = dialer.sent.clone();
        // An agent for each try: a connection that waits in its pool was made for another try, and its address checked then.
        let agent = Agent::with_parts(config(), dialer.clone(), dialer);
        let answer = match body {
            Upload::Bytes([]) if !must_have_body(&self.checked.method) => self.send(&agent, SendBody::none()),
            Upload::Bytes(bytes) => self.send(&agent, bytes),
            Upload::Pieces(pieces) => self.send(&agent, SendBody::from_reader(pieces)),
        }?;
        let status = answer.status().as_u16();
        let headers = response::headers(&sent.bytes())?;
        let body = self.read(answer.into_body())?;
        Ok(Response { status, headers, body })
    }

    fn send(&self, agent: &Agent, body: impl AsSendBody) -> Result<http::Response<ureq::Body>, Failure> {
        let Checked { method, uri, headers, .. } = self.checked;
        let request = http::Request::builder().method(method).uri(uri).header(header::CONNECTION, HeaderValue::from_static("close"));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        Ok(agent.run(request.body(body).map_err(ureq::Error::from)?)?)
    }

    fn read(&self, body: ureq::Body) -> Result<Vec<u8>, Failure> {
        let limit = u64::try_from(self.max_body).unwrap_or(u64::MAX);
        let too_large = || Failure::lasting(format!("the response is larger than {} bytes", self.max_body));
        if body.content_length().is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        body.into_reader().take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() > self.max_body { Err(too_large()) } else { Ok(bytes) }
    }
}

/// Returns `true` if a request by a method says how long its body is, even if it is empty.
fn must_have_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// Time limits are kept by the connection.
fn config() -> Config {
    let config = Config::builder().http_status_as_error(false).allow_non_standard_methods(true);
    let config = config.max_redirects(0).max_redirects_will_error(false).proxy(None).max_idle_connections(0);
    let config = config.user_agent(USER_AGENT).accept_encoding(AutoHeaderValue::None);
    config.max_response_header_size(MAX_HEAD).build()
}

impl Resolver for Dialer {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addresses = self.empty();
        self.shared.addresses(&self.target, self.by)?.into_iter().for_each(|address| addresses.push(address));
        Ok(addresses)
    }
}

impl Connector for Dialer {
    type Out = Carrier;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Carrier>, ureq::Error> {
        let now = Instant::now();
        let by = now.checked_add(CONNECT).map_or(self.by, |by| by.min(self.by));
        let mut wire = Wire::connect(&details.addrs, by)?;
        if self.is_secure {
            wire = wire.secure(self.shared.tls.config(self.verifies)?, server_name(&self.target)?, by).map_err(Failure::from)?;
        }
        Ok(Some(Carrier { wire, buffers: LazyBuffers::new(MAX_HEAD, REQUEST_BUFFER), by: self.by, sent: self.sent.clone() }))
    }
}

impl Sent {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, bytes: &[u8]) {
        let mut sent = self.bytes();
        let room = MAX_HEADS.saturating_sub(sent.len());
        sent.extend(bytes.iter().take(room));
    }
}

impl Carrier {
    /// Sets the deadline of a step. Returns `true` if it is before that of the request: `ureq` waits so for a server that wants a body or not.
    fn limit(&mut self, timeout: NextTimeout) -> bool {
        let earlier = Instant::now().checked_add(*timeout.after).filter(|by| *by < self.by);
        self.wire.set_deadline(earlier.unwrap_or(self.by));
        earlier.is_some()
    }
}

impl Transport for Carrier {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        self.wire.set_deadline(self.by);
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        self.wire.write_all(output)?;
        Ok(self.wire.flush()?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let is_earlier = self.limit(timeout);
        let room = self.buffers.input_append_buf();
        // The buffer is as large as headers may be. `ureq` compares the limit with all that has arrived, which may be the body after a preliminary
        // response.
        if room.is_empty() {
            return Err(ureq::Error::LargeResponseHeader(MAX_HEAD, MAX_HEAD));
        }
        let length = match self.wire.read(room) {
            Err(error) if is_earlier && error.kind() == ErrorKind::TimedOut => return Err(ureq::Error::Timeout(timeout.reason)),
            result => result?,
        };
        self.sent.add(room.get(..length).unwrap_or_default());
        self.buffers.input_appended(length);
        Ok(length > 0)
    }

    /// A connection serves one request.
    fn is_open(&mut self) -> bool {
        false
    }

    fn is_tls(&self) -> bool {
        self.wire.is_secure()
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer").field("target", &self.target).finish_non_exhaustive()
    }
}

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carrier").field("wire", &self.wire).finish_non_exhaustive()
    }
}
