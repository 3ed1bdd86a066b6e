//! Reasons why a host does not start.

use std::io;
use std::path::PathBuf;

/// A host that does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// Another host has the socket.
    #[error("a script host runs already at {}: stop it first, or give this one another socket", .0.display())]
    Running(PathBuf),
    /// The socket cannot be made.
    #[error("the socket {} cannot be made: {source}: {remedy}", path.display())]
    Socket {
        /// Its path.
        path: PathBuf,
        /// The reason.
        source: io::Error,
        /// One step that mends it.
        remedy: &'static str,
    },
    /// A thread cannot start.
    #[error("a thread cannot start: {0}")]
    Thread(#[from] io::Error),
}
