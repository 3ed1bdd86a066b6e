//! Settings of a server.

use crate::ServeError;
use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use ipnet::IpNet;
use secrule_tower::host::HELD_LIMIT;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use std::{fmt, io};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Settings of a server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The addresses that it listens on.
    pub listen: Vec<SocketAddr>,
    /// The certificate that clients see; `None` for connections without TLS.
    pub tls: Option<TlsFiles>,
    /// The server behind it; `None` for the page of the demo.
    pub upstream: Option<Upstream>,
    /// Peers whose `X-Forwarded-For` names the client.
    pub trusted: Vec<IpNet>,
    /// Times.
    pub timeouts: Timeouts,
    /// Maximum number of connections at once; more wait in the system's queue.
    pub max_connections: usize,
    /// Maximum number of bytes of a body that is held back while rules may stop it, where the limits of the rules are larger, or have no action.
    pub held_limit: usize,
}

/// Files of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate of the server, and those between it and an authority, in PEM.
    pub certificate: PathBuf,
    /// Its key, in PEM.
    pub key: PathBuf,
}

/// Times after which a connection ends, so that slow clients and upstreams cost little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the head of a request, from the connection or the end of the former request on; for a TLS handshake as well.
    pub head: Duration,
    /// Between two pieces of a body: of a request that comes, or of an answer that the client takes.
    pub body: Duration,
    /// For a connection of HTTP/2 without a request.
    pub idle: Duration,
    /// For a connection to the upstream.
    pub connect: Duration,
    /// For the head of the upstream's answer.
    pub answer: Duration,
    /// For an upgraded connection on which nothing is sent.
    pub tunnel: Duration,
    /// For exchanges and upgraded connections that are there when the server ends.
    pub shutdown: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            head: seconds(30),
            body: seconds(30),
            idle: seconds(180),
            connect: seconds(5),
            answer: seconds(60),
            tunnel: seconds(3_600),
            shutdown: seconds(30),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        let listen = vec![([127, 0, 0, 1], 8080).into()];
        Self {
            listen,
            tls: None,
            upstream: None,
            trusted: Vec::new(),
            timeouts: Timeouts::default(),
            max_connections: 10_000,
            held_limit: HELD_LIMIT,
        }
    }
}

impl Settings {
    /// Returns `true` if a peer may name the client of its requests.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted.iter().any(|network| network.contains(&peer))
    }
}

/// The address of a server behind this one: `http://127.0.0.1:3000`, `https://shop.example`, or `h2c://127.0.0.1:50051` for HTTP/2 without TLS, as gRPC
/// servers speak it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Upstream {
    scheme: Scheme,
    authority: Authority,
    /// `true` for HTTP/2 without a negotiation.
    pub(crate) is_http2: bool,
}

impl Upstream {
    /// Returns `true` if connections to it have TLS.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// Connects to it, and ends the connection: to tell an operator that requests will fail.
    ///
    /// # Errors
    /// If it cannot be reached in this time.
    pub async fn reach(&self, limit: Duration) -> io::Result<()> {
        let host = self.authority.host().trim_start_matches('[').trim_end_matches(']');
        let port = self.authority.port_u16().unwrap_or(if self.is_encrypted() { 443 } else { 80 });
        match timeout(limit, TcpStream::connect((host, port))).await {
            Ok(connected) => connected.map(drop),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {limit:?}"))),
        }
    }

    /// Returns the address of a path at the upstream.
    pub(crate) fn uri(&self, path: Option<&PathAndQuery>) -> Option<Uri> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path.cloned().unwrap_or_else(|| PathAndQuery::from_static("/")));
        Uri::from_parts(parts).ok()
    }
}

impl FromStr for Upstream {
    type Err = ServeError;

    fn from_str(text: &str) -> Result<Self, ServeError> {
        let wrong = || ServeError::Upstream(text.to_owned());
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let (scheme, is_http2) = match scheme {
            "http" => (Scheme::HTTP, false),
            "h2c" => (Scheme::HTTP, true),
            "https" => (Scheme::HTTPS, false),
            _ => return Err(wrong()),
        };
        let authority: Authority = rest.strip_suffix('/').unwrap_or(rest).parse().map_err(|_| wrong())?;
        // A port that is not a number up to 65535 would be taken for none.
        let has_wrong_port = authority.port_u16().is_none() && !authority.as_str().ends_with(authority.host());
        // A user and a password would go into each request.
        if authority.host().is_empty() || authority.as_str().contains('@') || has_wrong_port {
            return Err(wrong());
        }
        Ok(Self { scheme, authority, is_http2 })
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_http2 { "h2c" } else { self.scheme.as_str() };
        write!(f, "{scheme}://{}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_upstreams_are_read() {
        for text in ["http://127.0.0.1:3000", "https://shop.example", "h2c://[::1]:50051"] {
            let upstream: Upstream = text.parse().unwrap();
            assert_eq!(upstream.to_string(), text);
        }
        let upstream: Upstream = "http://shop.example:81/".parse().unwrap();
        assert_eq!(upstream.uri(Some(&PathAndQuery::from_static("/a?b"))).unwrap(), "http://shop.example:81/a?b");
        let of_a_port = ["http://shop.example:", "http://shop.example:99999", "http://[::1]:99999"];
        let others = ["", "127.0.0.1:3000", "ftp://shop.example", "http://", "http://shop.example/path", "http://user:secret@shop.example"];
        for wrong in of_a_port.into_iter().chain(others) {
            assert!(wrong.parse::<Upstream>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_named_peers_are_trusted() {
        let settings = Settings { trusted: vec!["10.0.0.0/8".parse().unwrap()], ..Settings::default() };
        let trusts = |peer: &str| settings.trusts(peer.parse().unwrap());
        assert!(trusts("10.1.2.3") && trusts("::ffff:10.1.2.3") && !trusts("192.0.2.7"));
    }
}
