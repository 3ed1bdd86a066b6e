//! The service behind the rules: it asks the upstream.

use crate::counters::{Counters, UpstreamFailure};
use crate::forwarded::{self, Ends};
use crate::permit::ConnectionPermit;
use crate::sent_body::SentBody;
use crate::settings::{Settings, Upstream};
use crate::sites::Route;
use crate::slow_body::{TimedBody, is_too_slow};
use crate::{ServeError, demo, tunnel};
use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_TYPE, COOKIE, EXPECT, FORWARDED, HOST, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::upgrade;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use rustls::crypto::ring;
use secrule_tower::RequestBody;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tower_service::Service;

/// The body of a request that rules let pass.
type Passed = RequestBody<TimedBody<Incoming>>;

/// The same on its way to the upstream.
type Outgoing = SentBody<Passed>;

/// The body of an answer: that of the upstream, or a page.
pub type Answer = Either<Incoming, Full<Bytes>>;

/// Time for which a connection to the upstream is kept without a request: less than the usual 60 seconds of servers, which would close it meanwhile.
const KEPT: Duration = Duration::from_secs(50);

/// Headers of one connection, which do not go on to the next.
const OF_CONNECTION: [HeaderName; 11] = [
    CONNECTION,
    // The body is asked for here, when it is needed.
    EXPECT,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Asks the upstream, or shows the demo without one.
#[derive(Clone)]
pub struct Proxy {
    settings: Arc<Settings>,
    counters: Arc<Counters>,
    /// Its pool has the connections to all upstreams.
    client: Pool,
    /// That of upstreams which speak HTTP/2 without a negotiation.
    http2: Pool,
}

type Pool = Client<HttpsConnector<HttpConnector>, Outgoing>;

impl Proxy {
    /// Makes a proxy with its pools of connections. Nothing is connected yet. Upstreams with TLS are trusted if the authorities of the system sign for them,
    /// whose certificates are read here.
    ///
    /// # Errors
    /// If the system has no certificates of authorities, and an upstream needs them.
    pub fn new(
        settings: Arc<Settings>,
        counters: Arc<Counters>,
        knows_authorities: bool,
        needs_authorities: bool,
    ) -> Result<Self, ServeError> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(settings.timeouts.connect));
        connector.set_nodelay(true);
        let config = || {
            let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
            config.with_safe_default_protocol_versions().map_err(|error| ServeError::Authorities(std::io::Error::other(error)))
        };
        let with_roots = if knows_authorities { Some(config()?.with_native_roots()) } else { None };
        let config = match with_roots {
            Some(Ok(config)) => config,
            Some(Err(error)) if needs_authorities => return Err(ServeError::Authorities(error)),
            _ => config()?.with_root_certificates(rustls::RootCertStore::empty()),
        };
        let tls = HttpsConnectorBuilder::new().with_tls_config(config.with_no_client_auth()).https_or_http();
        let connector = tls.enable_all_versions().wrap_connector(connector);
        let mut client = Client::builder(TokioExecutor::new());
        client.pool_idle_timeout(KEPT).pool_timer(TokioTimer::new());
        let any = client.build(connector.clone());
        Ok(Self { settings, counters, client: any, http2: client.http2_only(true).build(connector) })
    }

    async fn ask(self, upstream: Upstream, request: Request<Passed>) -> Response<Answer> {
        let (mut head, body) = request.into_parts();
        let Some(ends) = head.extensions.get::<Ends>().copied() else { return page(StatusCode::INTERNAL_SERVER_ERROR) };
        if head.method == Method::CONNECT {
            return page(StatusCode::METHOD_NOT_ALLOWED);
        }
        let Some(uri) = upstream.uri(head.uri.path_and_query()) else { return page(StatusCode::BAD_REQUEST) };
        let protocol = tunnel::wanted(&head.headers, head.version);
        // A request of HTTP/2 has the host in its address.
        if let Some(host) = head.uri.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok()) {
            head.headers.insert(HOST, host);
        }
        forwarded::set_headers(ends, &mut head.headers, &self.settings);
        remove_those_of_connection(&mut head.headers);
        let (body, wait) = SentBody::new(body);
        let mut request = Request::new(body);
        if upstream.is_http2 {
            *request.version_mut() = Version::HTTP_2;
        }
        (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (head.method, uri, head.headers);
        let of_client = head.extensions.remove::<upgrade::OnUpgrade>().zip(protocol);
        if let Some((_, protocol)) = &of_client {
            tunnel::set(request.headers_mut(), protocol.clone());
        }
        let client = if upstream.is_http2 { &self.http2 } else { &self.client };
        let mut response = match wait.answer(client.request(request), self.settings.timeouts.answer).await {
            Some(Ok(response)) => response,
            Some(Err(error)) if is_too_slow(&error) => return page(StatusCode::REQUEST_TIMEOUT),
            Some(Err(error)) => {
                self.counters.fail_upstream(if error.is_connect() { UpstreamFailure::Connect } else { UpstreamFailure::Broken });
                return page(StatusCode::BAD_GATEWAY);
            }
            None => {
                self.counters.fail_upstream(UpstreamFailure::Timeout);
                return page(StatusCode::GATEWAY_TIMEOUT);
            }
        };
        let agreed = response.headers().get(UPGRADE).cloned();
        remove_those_of_connection(response.headers_mut());
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let (Some((of_client, _)), Some(protocol)) = (of_client, agreed) else {
                self.counters.fail_upstream(UpstreamFailure::Broken);
                return page(StatusCode::BAD_GATEWAY);
            };
            let Some(permit) = head.extensions.remove::<Arc<ConnectionPermit>>() else { return page(StatusCode::INTERNAL_SERVER_ERROR) };
            tunnel::join(of_client, upgrade::on(&mut response), self.settings.timeouts.tunnel, permit);
            tunnel::set(response.headers_mut(), protocol);
        }
        // The version of the upstream is not that of the client.
        *response.version_mut() = Version::default();
        response.map(Either::Left)
    }
}

impl Service<Request<Passed>> for Proxy {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Passed>) -> Self::Future {
        let proxy = self.clone();
        Box::pin(async move {
            let route = request.extensions().get::<Route>().cloned();
            Ok(match route.map(|route| route.upstream) {
                None => page(StatusCode::INTERNAL_SERVER_ERROR),
                Some(Some(upstream)) => proxy.ask(upstream, request).await,
                Some(None) => demo::page().map(Full::new).map(Either::Right),
            })
        })
    }
}

/// Removes the headers that mean one connection, and those that it names in `Connection`: but not those on which the rules' verdict or the upstream's trust
/// rests.
fn remove_those_of_connection(headers: &mut HeaderMap) {
    let named = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let named: Vec<HeaderName> = named.filter_map(|name| name.trim().parse().ok()).filter(|name| !is_end_to_end(name)).collect();
    // gRPC asks for trailers in this way.
    let wants_trailers = headers.get(TE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"trailers"));
    OF_CONNECTION.iter().chain(&named).for_each(|name| drop(headers.remove(name)));
    if wants_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// Returns `true` for a header that no `Connection` may take away.
fn is_end_to_end(name: &HeaderName) -> bool {
    let is_named = [AUTHORIZATION, COOKIE, FORWARDED, HOST].contains(name);
    is_named || ["content-", "x-forwarded-", "x-real-ip"].iter().any(|start| name.as_str().starts_with(start))
}

/// Returns an answer of the proxy itself: its status.
pub fn page<B>(status: StatusCode) -> Response<Either<B, Full<Bytes>>> {
    let mut response = Response::new(Either::Right(Full::from(format!("{status}\n"))));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
