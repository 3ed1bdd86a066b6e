//! Requests that scripts make: takes a method, an address, headers and a body, gives a response or one line of error.
//!
//! A script must not become a way into the network that it runs in. So a request goes to a public address, port 80 or 443, unless
//! `SecScriptConnect` names its destination ([`Destination`]); public addresses of this machine are refused like private ones. A name in
//! `SecScriptConnect` opens ports of public addresses: others must be named themselves, because whoever answers for a name says where it is. A name
//! is looked up first, then its addresses are checked, and the connection is made to one of these: there is no second look-up in between. Each try
//! looks up and checks anew. Redirects are not followed: a script gets the response with its status 3xx. No proxy is taken from the environment.
//!
//! ```text
//! Outgoing::send                      mod.rs: waits for its turn, tries, tries again after a failure of the network
//!   Request::check                    request.rs: method, address, headers
//!   Exchange::run                     exchange.rs: one try; `ureq` speaks HTTP
//!     Shared::addresses               mod.rs
//!       Lookups::addresses            lookup.rs: a name → addresses, within the time
//!       Check::check                  check.rs: allowed.rs, public_address.rs
//!     Wire::connect, secure           wire.rs: TCP and TLS (tls.rs), each read and write by a deadline (../timed.rs)
//!     response::headers               response.rs: names as they were sent
//! Connection::open, handshake         connection.rs: the same without HTTP
//! ```
//!
//! Callers block. Nothing is opened before the first request, so that a program may fork before.
//!
//! # Limits
//!
//! | what | limit |
//! | --- | --- |
//! | look-up of a name | 5 seconds; 16 at once |
//! | connecting, with the TLS handshake | 5 seconds; 16 addresses of a name, each an equal part of the time |
//! | all of a request, with all tries | the time that the request states |
//! | requests at once to a host and port | 8; the next one waits within its time |
//! | tries after the first | 10 |
//! | headers of a request | 100, 64 KiB |
//! | headers of a response | 128, 64 KiB |
//! | body of a response | as the request states |
//!
//! # Headers that a script does not decide
//!
//! The length of the body and its encoding in chunks are stated here: a script may state the same `Content-Length`, another is an error.
//! `Connection`, `Keep-Alive`, `Proxy-Connection`, `TE`, `Trailer` and `Upgrade` are left out, because a connection serves one request and is
//! closed. `Host` may be another one than that of the address, once; the TLS handshake has the name of the address all the same. Names are sent in
//! lower case.
//!
//! ```
//! use secrule_host::outgoing::{Allowed, Outgoing, Request};
//!
//! let outgoing = Outgoing::new(Allowed::default());
//! let error = outgoing.send(Request::new("GET", "http://169.254.169.254/latest/meta-data/")).unwrap_err();
//! assert_eq!(error, "169.254.169.254 is not a public address: name 169.254.169.254:80 in SecScriptConnect");
//! ```

mod allowed;
mod check;
mod connection;
mod exchange;
mod failure;
mod lookup;
mod permits;
mod public_address;
mod request;
mod response;
mod target;
mod tls;
mod wire;

pub use allowed::{Allowed, Destination, InvalidDestination};
pub use connection::Connection;
pub use lookup::{HostLookup, SystemLookup};
pub use request::{Body, HeaderList, Request};
pub use response::Response;

use check::Check;
use exchange::{Exchange, Upload};
use failure::{Failure, TIMEOUT};
use lookup::Lookups;
use permits::{Permit, Permits};
use request::{Pieces, deadline};
use secrule::internals::graph::Settings;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use target::Target;
use tls::Tls;

/// Sends requests. Clones share their limits.
#[derive(Clone, Debug)]
pub struct Outgoing {
    shared: Arc<Shared>,
}

/// Makes an [`Outgoing`].
#[derive(Debug, Default)]
pub struct OutgoingBuilder {
    check: Check,
    tls: Tls,
    lookups: Option<Lookups>,
}

#[derive(Debug)]
struct Shared {
    check: Check,
    lookups: Lookups,
    requests: Permits,
    tls: Tls,
}

/// Time limit of a look-up, and that of connecting with the TLS handshake.
const CONNECT: Duration = Duration::from_secs(5);

/// Maximum number of requests at once to a host and port.
const AT_ONCE: usize = 8;

/// Maximum number of addresses of a name that are tried: that of the library.
const ADDRESSES: usize = 16;

/// Maximum number of tries after the first.
const RETRIES: u32 = 10;

const USER_AGENT: &str = concat!("secrule/", env!("CARGO_PKG_VERSION"));

impl Outgoing {
    /// Allows public addresses, ports 80 and 443, and these destinations.
    pub fn new(allowed: Allowed) -> Self {
        Self::builder().allowed(allowed).build()
    }

    /// Allows public addresses, ports 80 and 443, and what `SecScriptConnect` names in the rules of a host.
    ///
    /// ```
    /// use secrule::Waf;
    /// use secrule_host::{Outgoing, ScriptLog, Services};
    /// use std::sync::Arc;
    ///
    /// let waf = Waf::from_rules("SecScriptConnect reports.example:8443")?;
    /// let services = Services::new(&waf, Arc::new(ScriptLog::new(Box::new(std::io::stderr()), 100)));
    /// let outgoing = services.settings(Outgoing::from_settings).map_err(|errors| format!("{errors:?}"))?;
    /// # drop(outgoing);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// One for each argument that is not a destination.
    pub fn from_settings(settings: &Settings) -> Result<Self, Vec<InvalidDestination>> {
        let (mut allowed, mut errors) = (Vec::new(), Vec::new());
        for place in &settings.worlds.connects {
            match place.node.parse::<Destination>() {
                Ok(destination) => allowed.push(destination),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(Self::new(allowed.into_iter().collect())) } else { Err(errors) }
    }

    /// Begins an `Outgoing` with more settings.
    pub fn builder() -> OutgoingBuilder {
        OutgoingBuilder::default()
    }

    /// Sends a request and returns the response, whatever its status.
    ///
    /// After a failure of the network (no connection, or one that ends before the response does) the request is sent again, as often as it says and
    /// within its time. It is not after a response, a refusal, an error of TLS, or if the function that gives the body was called.
    ///
    /// # Errors
    /// The reason in one line, such as `timeout`, `connection refused`, `certificate: it expired`, or the destination to name in
    /// `SecScriptConnect`.
    pub fn send(&self, mut request: Request<'_>) -> Result<Response, String> {
        let by = deadline(request.time);
        let checked = request.check()?;
        let _permit = self.permit(&checked.target, by)?;
        let exchange = Exchange::new(&self.shared, &checked, &request, by);
        let mut pieces = None;
        let bytes: &[u8] = match std::mem::replace(&mut request.body, Body::None) {
            Body::None => &[],
            Body::Bytes(bytes) => bytes,
            Body::Pieces(next) => {
                pieces = Some(Pieces::new(next, by));
                &[]
            }
        };
        let mut retries = request.retries.min(RETRIES);
        loop {
            let upload = pieces.as_mut().map_or(Upload::Bytes(bytes), Upload::Pieces);
            let failure = match exchange.run(upload) {
                Ok(response) => return Ok(response),
                Err(failure) => failure,
            };
            if let Some(text) = pieces.as_mut().and_then(|pieces| pieces.failure.take()) {
                return Err(text);
            }
            let was_read = pieces.as_ref().is_some_and(|pieces| pieces.was_read);
            if retries == 0 || was_read || !failure.is_transient() || Instant::now() >= by {
                return Err(failure.into_text());
            }
            retries -= 1;
        }
    }

    /// Waits until the host has fewer requests under way than it may have.
    fn permit(&self, target: &Target, by: Instant) -> Result<Permit, String> {
        let permit = self.shared.requests.wait(&target.to_string(), by);
        permit.ok_or_else(|| format!("{TIMEOUT}: {AT_ONCE} requests to {target} are under way"))
    }
}

impl OutgoingBuilder {
    /// Sets the destinations that are allowed.
    #[must_use]
    pub fn allowed(mut self, allowed: Allowed) -> Self {
        self.check.allowed = allowed;
        self
    }

    /// Trusts the authorities in a text in PEM format, beside those of the platform.
    ///
    /// # Errors
    /// If the text has no certificate, or one that cannot be read.
    pub fn authorities(mut self, pem: &[u8]) -> Result<Self, String> {
        self.tls = Tls::new(tls::certificates(pem)?);
        Ok(self)
    }

    /// Looks up names otherwise than the system does.
    #[must_use]
    pub fn lookup(mut self, lookup: impl HostLookup) -> Self {
        self.lookups = Some(Lookups::new(Arc::new(lookup)));
        self
    }

    /// Makes it. Opens and reads nothing yet.
    pub fn build(self) -> Outgoing {
        let lookups = self.lookups.unwrap_or_else(|| Lookups::new(Arc::new(SystemLookup)));
        Outgoing { shared: Arc::new(Shared { check: self.check, lookups, requests: Permits::new(AT_ONCE), tls: self.tls }) }
    }
}

impl Shared {
    /// Returns the addresses of a target that scripts may connect to, of which there is at least one.
    fn addresses(&self, target: &Target, by: Instant) -> Result<Vec<SocketAddr>, Failure> {
        let found = match target.address {
            Some(address) => vec![address],
            None => self.lookups.addresses(&target.host, by.min(deadline(CONNECT)))?,
        };
        let mut refusal = Failure::transient("host not found");
        let mut addresses = Vec::new();
        for address in found {
            match self.check.check(target, address) {
                Ok(()) => addresses.push(SocketAddr::new(address, target.port)),
                Err(reason) => refusal = Failure::lasting(reason),
            }
        }
        addresses.truncate(ADDRESSES);
        if addresses.is_empty() { Err(refusal) } else { Ok(addresses) }
    }
}
