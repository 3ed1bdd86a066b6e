//! Programs that judge a value: started without a shell, with the value as their one argument, under a time limit.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How long a program may take.
const LONGEST_RUN: Duration = Duration::from_secs(5);

/// How much of a program's output is read, in bytes.
const LARGEST_OUTPUT: u64 = 64 << 10;

/// How often a program that closed its output is asked whether it ended.
const PATIENCE: Duration = Duration::from_millis(2);

/// What a program prints about a value. One that does not end in time is stopped, which is an error.
///
/// ModSecurity v3 hands the value to a shell, which reads what is special to it: a request could run anything.
pub fn ask(program: &Path, value: &[u8]) -> io::Result<Vec<u8>> {
    let began = Instant::now();
    let mut child =
        Command::new(program).arg(argument(value)?).stdin(Stdio::null()).stderr(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let Some(output) = child.stdout.take() else { return stop(&mut child) };
    let (sender, receiver) = mpsc::channel();
    let reader = thread::Builder::new().name("inspectFile".to_owned()).spawn(move || {
        let mut bytes = Vec::new();
        let read = output.take(LARGEST_OUTPUT).read_to_end(&mut bytes).map(|_| bytes);
        // Nobody listens any more when the time is over.
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
        thread::sleep(PATIENCE);
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
