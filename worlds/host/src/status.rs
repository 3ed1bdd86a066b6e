//! The status of a host, for commands and pages: a socket beside that of the host answers each connection with one JSON object.

use serde_json::Value;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

pub use super::socket::status_path;

/// The status of a host, as a JSON object.
pub type Status = Value;

/// Maximum wait for the other side, and maximum length of a status in bytes.
const TIMEOUT: Duration = Duration::from_secs(2);
const MAX_LENGTH: u64 = 64 << 20;

/// Asks the host at the path of `SecPluginHost` for its status.
///
/// # Errors
/// If no host runs there, or it does not answer within two seconds.
pub fn ask_status(host: &Path) -> io::Result<Status> {
    let stream = UnixStream::connect(status_path(host))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let mut answer = Vec::new();
    stream.take(MAX_LENGTH).read_to_end(&mut answer)?;
    serde_json::from_slice(&answer).map_err(io::Error::other)
}

/// Answers the next questions, until the host ends. One that does not read its answer is left.
pub(crate) fn answer(listener: &UnixListener, goes_on: impl Fn() -> bool, status: impl Fn() -> Status) {
    while goes_on() {
        match listener.accept() {
            Ok((mut stream, _)) => {
                let _ = write_in_time(&mut stream, status().to_string().as_bytes());
            }
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// Writes an answer. One that is read slowly is left, because others wait for theirs.
fn write_in_time(stream: &mut UnixStream, mut answer: &[u8]) -> io::Result<()> {
    let by = Instant::now() + TIMEOUT;
    while !answer.is_empty() {
        let left = by.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_write_timeout(Some(left))?;
        let written = stream.write(answer)?;
        answer = answer.get(written..).unwrap_or_default();
    }
    Ok(())
}
