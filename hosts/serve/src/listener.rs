//! Sockets that take connections.

use crate::ServeError;
use socket2::{Domain, Protocol, Socket, Type};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// Number of connections that the system keeps until they are taken.
const BACKLOG: i32 = 1_024;

/// Time before the next try if the system has no room for a connection.
const NO_ROOM: Duration = Duration::from_millis(50);

/// Opens a socket.
///
/// # Errors
/// If the address is taken, or is not one of this machine, or needs a permission.
pub fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    let open = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // A server that starts again does not wait for the connections of the former one.
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        TcpListener::from_std(socket.into())
    };
    open().map_err(|source| ServeError::Listen { address, source })
}

/// Returns the next connection.
pub async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Answers are written whole.
                let _ = stream.set_nodelay(true);
                return (stream, peer);
            }
            // The client has gone, or the process has too many files open.
            Err(_) => tokio::time::sleep(NO_ROOM).await,
        }
    }
}
