//! Results of operations on connections.

use mlua::Result;
use std::io;

/// Reason why an operation stopped, in LuaSocket's words.
pub enum Fault {
    Timeout,
    Closed,
    Other(String),
}

/// Result of an operation; a Lua error ends the call.
pub type Outcome<T> = Result<std::result::Result<T, Fault>>;

impl Fault {
    /// Converts a system error for scripts.
    pub fn of(error: &io::Error) -> Self {
        match error.kind() {
            _ if is_late(error) => Self::Timeout,
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected
            | io::ErrorKind::UnexpectedEof => Self::Closed,
            io::ErrorKind::ConnectionRefused => Self::Other("connection refused".to_owned()),
            _ => {
                let text = error.to_string();
                let words = text.split_once(" (os error").map_or(text.as_str(), |(words, _)| words);
                Self::Other(words.to_owned())
            }
        }
    }

    /// Returns the text for scripts.
    pub fn text(self) -> String {
        match self {
            Self::Timeout => "timeout".to_owned(),
            Self::Closed => "closed".to_owned(),
            Self::Other(text) => text,
        }
    }
}

/// Returns `true` if a wait reached its limit.
pub fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}
