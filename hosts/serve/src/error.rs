//! Errors of a start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Reason why a server does not start. Each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}{}", remedy(*address, source))]
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
        /// The fault and its remedy.
        reason: String,
    },
    /// A site cannot be served.
    #[error("{reason}")]
    Site {
        /// The position of the site among all, from 0 on.
        number: usize,
        /// The fault and its remedy.
        reason: String,
    },
    /// New sites would change what the sockets speak.
    #[error("the sites would turn TLS on or off for connections, which only a restart does: keep a certificate in all of them, or in none")]
    OtherListeners,
    /// The file of the admin page's token cannot be used.
    #[error("{path}: {reason}", path = path.display())]
    AdminToken {
        /// The file.
        path: PathBuf,
        /// The fault and its remedy.
        reason: String,
    },
    /// Others could reach an admin page that has no token file.
    #[error(
        "the admin page would be open to the network at {0}: name a file with its token (--admin-token-file), or an address of this machine alone, such as \
         127.0.0.1:9090"
    )]
    OpenAdmin(SocketAddr),
    /// Certificates of authorities cannot be read, so that no upstream with TLS can be trusted.
    #[error("the system has no certificates of authorities for https upstreams: install its package ca-certificates ({0})")]
    Authorities(io::Error),
    /// Other machines could ask without a key.
    #[error("{0} can be reached from other machines: name a file with a key for --appsec-key-file, or listen on 127.0.0.1")]
    NoKey(SocketAddr),
    /// The system refuses something else.
    #[error(transparent)]
    System(#[from] io::Error),
}

fn remedy(address: SocketAddr, source: &io::Error) -> String {
    let remedy = match source.kind() {
        io::ErrorKind::AddrInUse => {
            let port = address.port();
            return format!(": another server has it, which `ss -ltnp 'sport = :{port}'` shows; end that one, or choose another port");
        }
        io::ErrorKind::PermissionDenied => {
            ": ports below 1024 need a permission; name one above, or run with the capability CAP_NET_BIND_SERVICE"
        }
        io::ErrorKind::AddrNotAvailable => ": this machine does not have that address; 0.0.0.0 means all that it has",
        _ => "",
    };
    remedy.to_owned()
}
