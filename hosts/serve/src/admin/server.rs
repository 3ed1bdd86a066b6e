//! A small server: few connections, each for a limited time.

use super::access::{Access, Token};
use super::answers::Answer;
use super::{Admin, AdminSettings, router};
use crate::probes::Probes;
use crate::{ServeError, listener};
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// Number of connections at once; more wait.
const MAX_CONNECTIONS: usize = 32;

/// Time for the head of a request, also for the next one of a connection.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// Time after which a connection takes no further request. A browser opens another one.
const CONNECTION_TIME: Duration = Duration::from_secs(120);

/// Time for the last request of a connection.
const LAST_REQUEST_TIME: Duration = Duration::from_secs(20);

/// Maximum length of a head, in bytes: the smallest that hyper knows.
const HEAD_LENGTH: usize = 8 << 10;

/// A server of an admin page whose socket is open.
pub struct AdminServer {
    listener: TcpListener,
    shared: Shared,
    url: String,
}

/// State that all connections share.
pub struct Shared {
    pub admin: Admin,
    pub access: Access,
    pub probes: Option<Probes>,
}

impl AdminServer {
    /// Opens the socket. It must be called within tokio.
    ///
    /// # Errors
    /// If the address cannot be listened on, if it is not loopback and there is no token file, or if the file holds no token.
    pub fn bind(settings: &AdminSettings, admin: Admin) -> Result<Self, ServeError> {
        let address = settings.address;
        let is_loopback = address.ip().is_loopback();
        let token = match &settings.token_file {
            Some(path) => Token::read(path)?,
            None if is_loopback => Token::random()?,
            None => return Err(ServeError::OpenAdmin(address)),
        };
        let listener = listener::listen(address)?;
        let address = listener.local_addr()?;
        // What comes after the `#` stays in the browser.
        let secret = if settings.token_file.is_none() { format!("#token={}", token.text()) } else { String::new() };
        let shared = Shared { admin, access: Access::new(token, is_loopback), probes: None };
        Ok(Self { listener, shared, url: format!("http://{address}/{secret}") })
    }

    /// Adds `/metrics` and `/ready`.
    #[must_use]
    pub fn probes(mut self, probes: Probes) -> Self {
        self.shared.probes = Some(probes);
        self
    }

    /// Returns the address of the socket.
    ///
    /// # Errors
    /// If the system does not know it.
    pub fn address(&self) -> Result<SocketAddr, ServeError> {
        Ok(self.listener.local_addr()?)
    }

    /// Returns the URL for a browser: with the token if it was made for this start.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Serves, and does not end.
    pub async fn run(self) {
        let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let shared = Arc::new(self.shared);
        loop {
            let (stream, _) = listener::accept(&self.listener).await;
            let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                serve(stream, shared).await;
                drop(place);
            });
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let shared = Arc::clone(&shared);
        async move { Ok::<Answer, Infallible>(router::answer(&shared, request).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(HEAD_LENGTH);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // Clients end connections as they like.
        _ = connection.as_mut() => return,
        () = sleep(CONNECTION_TIME) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(LAST_REQUEST_TIME, connection).await;
}

impl fmt::Debug for AdminServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminServer").field("address", &self.listener.local_addr().ok()).finish_non_exhaustive()
    }
}
