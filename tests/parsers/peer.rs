//! Parsers of applications, each in its own process, which reads one body after the other.

use crate::engine::{Body, from_hex};
use std::fmt;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub struct Peer {
    pub name: &'static str,
    process: Child,
    requests: Option<BufWriter<ChildStdin>>,
    answers: BufReader<ChildStdout>,
}

/// A value that an application gets.
pub struct Value {
    /// `v` for texts, `n` for numbers, `f` for file names.
    pub kind: char,
    pub name: Vec<u8>,
    pub value: Vec<u8>,
}

/// Returns the value for people.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}={}", self.kind, self.name.escape_ascii(), self.value.escape_ascii())
    }
}

/// The values of a body in an application; `None` if its parser refuses it.
pub type Answer = Option<Vec<Value>>;

impl Peer {
    /// Starts a script of `tests/parsers/peers`.
    pub fn start(name: &'static str, command: &[&str]) -> Self {
        let (program, arguments) = command.split_first().unwrap();
        let mut process = Command::new(program)
            .args(arguments)
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parsers/peers"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let requests = process.stdin.take().map(BufWriter::new);
        let mut answers = BufReader::new(process.stdout.take().unwrap());
        let mut greeting = String::new();
        answers.read_line(&mut greeting).unwrap();
        assert_eq!(greeting, "ready\n", "{name} does not start");
        Self { name, process, requests, answers }
    }

    /// Returns the values of each body in this parser.
    pub fn read(&mut self, bodies: &[Body]) -> Vec<Answer> {
        let (requests, answers) = (self.requests.as_mut().unwrap(), &mut self.answers);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for body in bodies {
                    let head = format!("{}\n{}\n", body.content_type.len(), body.bytes.len());
                    requests.write_all(head.as_bytes()).unwrap();
                    requests.write_all(body.content_type.as_bytes()).unwrap();
                    requests.write_all(&body.bytes).unwrap();
                }
                requests.flush().unwrap();
            });
            bodies.iter().map(|body| answer(self.name, answers, body)).collect()
        })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.requests.take());
        let _ = self.process.wait();
    }
}

/// `-` if the parser refuses the body; otherwise `KIND:NAME:VALUE` for each value, names and values in hexadecimal digits.
fn answer(peer: &str, answers: &mut impl BufRead, body: &Body) -> Answer {
    let mut line = String::new();
    answers.read_line(&mut line).unwrap();
    let line = line.strip_suffix('\n').unwrap_or_else(|| panic!("{peer} ended at {}", body.bytes.escape_ascii()));
    if line == "-" {
        return None;
    }
    let value = |item: &str| {
        let mut parts = item.split(':');
        let kind = parts.next().and_then(|kind| kind.chars().next()).unwrap();
        let [name, value] = [parts.next().unwrap(), parts.next().unwrap()].map(from_hex);
        Value { kind, name, value }
    };
    Some(line.split(' ').filter(|item| !item.is_empty()).map(value).collect())
}
