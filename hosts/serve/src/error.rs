//! Errors of a start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Reason why a server does not start. Each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}{}", remedy(source))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error of the system.
        source: io::Error,
    },
    /// The address of an upstream is not one.
    #[error(
        "`{0}` is not the address of an upstream: write http://HOST[:PORT], https://HOST[:PORT], or h2c://HOST[:PORT] for HTTP/2 without TLS"
    )]
    Upstream(String),
    /// A file of a certificate or key cannot be used.
    #[error("{path}: {reason}", path = path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// Certificates of authorities cannot be read, so that no upstream with TLS can be trusted.
    #[error("the system has no certificates of authorities for https upstreams: install its package ca-certificates ({0})")]
    Authorities(io::Error),
    /// The system refuses something else.
    #[error(transparent)]
    System(#[from] io::Error),
}

fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::AddrInUse => ": another server has it; end that one, or name another port with --listen",
        io::ErrorKind::PermissionDenied => {
            ": ports below 1024 need a permission; name one above, or run with the capability CAP_NET_BIND_SERVICE"
        }
        io::ErrorKind::AddrNotAvailable => ": this machine does not have that address; 0.0.0.0 means all that it has",
        _ => "",
    }
}
