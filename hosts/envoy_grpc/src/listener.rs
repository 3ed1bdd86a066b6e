//! A socket with both services.

use crate::authz::Authorizer;
use crate::processor::Processor;
use envoy_types::pb::envoy::service::auth::v3::authorization_server::AuthorizationServer;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::ExternalProcessorServer;
use secrule_serve::questions::{Judge, Kind, ListenerSettings};
use secrule_serve::{HttpVersions, RequestBytes, ServeError, Settings, Sockets, Stopper, Timeouts};
use std::fmt;
use std::net::SocketAddr;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService as _;
use tower_service::Service as _;

/// Longest message of Envoy: a body that it buffers comes in one.
const LONGEST_MESSAGE: usize = 64 << 20;

/// An open socket for Envoy's `ext_proc` and `ext_authz`.
pub struct EnvoyListener {
    sockets: Sockets,
    processor: ExternalProcessorServer<Processor>,
    authorizer: AuthorizationServer<Authorizer>,
    access: Access,
    timeouts: Timeouts,
}

/// Peers that may ask. Others could blame clients for what they did not do.
#[derive(Clone)]
struct Access {
    settings: Settings,
    judge: Judge,
}

impl EnvoyListener {
    /// Opens a socket. It must be called within tokio. `ext_proc` and `ext_authz` judge the requests of either service.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub fn bind(settings: ListenerSettings, ext_proc: Judge, ext_authz: Judge) -> Result<Self, ServeError> {
        let ListenerSettings { listen, trusted, timeouts, max_connections } = settings;
        let sockets = Sockets::open(&[listen], max_connections)?;
        let access = Access { settings: Settings { trusted, ..Settings::default() }, judge: ext_proc.clone() };
        let processor = ExternalProcessorServer::new(Processor::new(ext_proc)).max_decoding_message_size(LONGEST_MESSAGE);
        let processor = processor.max_encoding_message_size(usize::MAX);
        let authorizer = AuthorizationServer::new(Authorizer::new(ext_authz)).max_decoding_message_size(LONGEST_MESSAGE);
        // A stream lives as long as its exchange, and between two pieces of a body it is silent.
        Ok(Self { sockets, processor, authorizer, access, timeouts: Timeouts { body: std::time::Duration::from_secs(86_400), ..timeouts } })
    }

    /// Returns the addresses of the socket.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.addresses()
    }

    /// Returns what ends the listener.
    pub fn stopper(&self) -> Stopper {
        self.sockets.stopper()
    }

    /// Answers until it is stopped: then exchanges that run have some time to end.
    pub async fn run(self) {
        let Self { sockets, processor, authorizer, access, timeouts } = self;
        let answer = move |mut request: http::Request<RequestBytes>, peer: SocketAddr, own: SocketAddr| {
            request.extensions_mut().insert(Ends { own });
            let (mut processor, mut authorizer) = (processor.clone(), authorizer.clone());
            let refused = access.refuse(peer);
            async move {
                if let Some(status) = refused {
                    return status.into_http::<Body>();
                }
                let service = request.uri().path().trim_start_matches('/').split('/').next().unwrap_or_default();
                let answered = if service == ExternalProcessorServer::<Processor>::NAME {
                    processor.call(request).await
                } else if service == AuthorizationServer::<Authorizer>::NAME {
                    authorizer.call(request).await
                } else {
                    Ok(Status::unimplemented("this server has ext_proc and ext_authz, version 3").into_http::<Body>())
                };
                match answered {
                    Ok(response) => response,
                    Err(never) => match never {},
                }
            }
        };
        sockets.answer(HttpVersions::Http2, timeouts, answer).await;
    }
}

impl Access {
    fn refuse(&self, peer: SocketAddr) -> Option<Status> {
        let peer = peer.ip().to_canonical();
        if self.settings.trusts(peer) {
            return None;
        }
        let bits = if peer.is_ipv4() { 32 } else { 128 };
        let reason = format!("{peer} asks, and is not trusted; if it is an Envoy of yours, name it with --trust {peer}/{bits}");
        self.judge.complain(Kind::NotTrusted, &reason);
        Some(Status::permission_denied(reason))
    }
}

/// This end of the connection of a question.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    pub own: SocketAddr,
}

impl fmt::Debug for EnvoyListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnvoyListener").field("addresses", &self.addresses()).finish_non_exhaustive()
    }
}
