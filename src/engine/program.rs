//! Programs that judge a value: started without a shell, with the value as their only argument, and a time limit.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Time limit of a program.
const LONGEST_RUN: Duration = Duration::from_secs(5);

/// Maximum length of a program's output that is read, in bytes.
const LARGEST_OUTPUT: u64 = 64 << 10;

/// Interval between checks if a program that closed its output has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Returns the output of a program for a value.
///
/// ModSecurity v3 passes the value to a shell, which interprets special characters: a request could run anything.
///
/// # Errors
/// If the program cannot be run, or is stopped at the time limit.
pub fn ask(program: &Path, value: &[u8]) -> io::Result<Vec<u8>> {
    let began = Instant::now();
    let mut child =
        Command::new(program).arg(argument(value)?).stdin(Stdio::null()).stderr(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let Some(output) = child.stdout.take() else { return stop(&mut child) };
    let (sender, receiver) = mpsc::channel();
    let reader = thread::Builder::new().name("inspectFile".to_owned()).spawn(move || {
        let mut bytes = Vec::new();
        let read = output.take(LARGEST_OUTPUT).read_to_end(&mut bytes).map(|_| bytes);
        // There is no receiver any more after the time limit.
        let _ = sender.send(read);
    });
    if reader.is_err() {
        return stop(&mut child);
    }
    let Ok(printed) = receiver.recv_timeout(LONGEST_RUN) else { return stop(&mut child) };
    while child.try_wait()?.is_none() {
        if began.elapsed() > LONGEST_RUN {
            return stop(&mut child);
        }
        thread::sleep(POLL_INTERVAL);
    }
    printed
}

fn stop(child: &mut Child) -> io::Result<Vec<u8>> {
    child.kill()?;
    child.wait()?;
    Err(io::Error::new(io::ErrorKind::TimedOut, "the program did not end in time"))
}

#[cfg(unix)]
fn argument(value: &[u8]) -> io::Result<OsString> {
    Ok(std::os::unix::ffi::OsStringExt::from_vec(value.to_vec()))
}

#[cfg(not(unix))]
fn argument(value: &[u8]) -> io::Result<OsString> {
    String::from_utf8(value.to_vec()).map(OsString::from).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_value_is_one_argument_whatever_it_holds() {
        let value = b"$(id); `id` 'a b' \xff";
        assert_eq!(ask(Path::new("/bin/echo"), value).unwrap(), [value.as_slice(), b"\n"].concat());
    }

    #[test]
    fn a_value_that_cannot_be_an_argument_is_an_error() {
        assert!(ask(Path::new("/bin/echo"), b"a\0b").is_err());
        assert!(ask(Path::new("/nonexistent/program"), b"a").is_err());
    }
}
