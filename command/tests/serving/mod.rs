//! `secrule serve` as a process, for tests of it.

// Each file of tests uses a part of it.
#![allow(dead_code)]

use secrule_testkit::process_memory::process_memory;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

pub const SECRULE: &str = env!("CARGO_BIN_EXE_secrule");

/// A proxy that runs.
pub struct Serving {
    pub process: Child,
    errors: BufReader<ChildStderr>,
    pub address: SocketAddr,
    /// Its messages until it was open.
    pub start: String,
}

impl Serving {
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(SECRULE);
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut errors = BufReader::new(process.stderr.take().unwrap());
        let mut start = String::new();
        while !start.contains("; open http") {
            assert!(errors.read_line(&mut start).unwrap() > 0, "it does not start: {start}");
        }
        let address = start.split("://").last().and_then(|text| text.trim().strip_suffix('/')).and_then(|text| text.parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address: {start}"));
        Self { process, errors, address, start }
    }

    /// Returns the status of a request, and its body.
    pub fn get(&self, target: &str) -> (u16, String) {
        self.get_from("shop.example", target)
    }

    /// Does the same for a host.
    pub fn get_from(&self, host: &str, target: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        write!(stream, "GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Waits until a request has a status.
    pub fn wait_for(&self, target: &str, status: u16) {
        let by = Instant::now() + Duration::from_secs(10);
        while self.get(target).0 != status {
            assert!(Instant::now() < by, "{target} is not answered with {status}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Reads and drops its standard output, so that a long one does not stop it.
    pub fn drain(&mut self) {
        let mut output = self.process.stdout.take().unwrap();
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
    }

    /// Returns a size of its memory, in bytes: `VmRSS:`, or `VmHWM:` for the largest one so far.
    pub fn memory(&self, name: &str) -> usize {
        process_memory(self.process.id(), name).unwrap()
    }

    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([format!("-{name}"), self.process.id().to_string()]).status().unwrap().success());
    }

    /// Returns the next line of its standard error.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        let length = self.errors.read_line(&mut line).unwrap();
        assert!(length > 0, "the proxy has ended");
        line
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns a folder for the files of a test.
pub fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("secrule-serve-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Replaces a file at once, as editors do.
pub fn replace(file: &Path, text: &str) {
    let new = file.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, file).unwrap();
}

/// Returns what it says when it does not start.
pub fn refused(arguments: &[&str]) -> String {
    let ended = Command::new(SECRULE).arg("serve").args(arguments).output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{arguments:?}: {said}");
    said
}
