//! A libmodsecurity in a child process: asked in frames, killed where it takes too long, begun anew where it ended or has grown.

use crate::request::Request;
use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

/// Where Debian has ModSecurity's library.
pub const LIBRARY: &str = "libmodsecurity.so.3";

const WAIT_LIMIT: Duration = Duration::from_secs(10);

/// Loaded rule sets leave something behind in the library.
const QUESTIONS_OF_ONE_CHILD: usize = 1000;

/// The library of a name, in a child process.
pub struct Peer {
    library: String,
    running: Option<Running>,
}

struct Running {
    child: Child,
    questions: ChildStdin,
    answers: Receiver<Vec<u8>>,
    left: usize,
}

/// What a library makes of rules and requests.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// One ending for each request.
    Judged(Vec<PeerEnding>),
    /// The rules are refused with these words.
    Refused(String),
    /// The process ended.
    Crashed,
    /// No answer came in time.
    Silent,
}

/// How a transaction ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PeerEnding {
    /// The status that a rule answered with; 0 where none did.
    pub status: u16,
    /// The lines for the host's log.
    pub lines: Vec<String>,
}

impl Peer {
    /// The library of this name, or `None` where it cannot be opened.
    pub fn new(library: &str) -> Option<Self> {
        let mut peer = Self { library: library.to_owned(), running: None };
        matches!(peer.ask("", &[]), Answer::Judged(_)).then_some(peer)
    }

    /// Has requests judged by rules.
    ///
    /// # Panics
    /// Where no child can be started.
    pub fn ask(&mut self, rules: &str, requests: &[Request]) -> Answer {
        let mut running = match self.running.take() {
            Some(running) if running.left > 0 => running,
            _ => Running::start(&self.library).expect("the peer was built with this crate"),
        };
        running.left -= 1;
        if running.put(&question(rules, requests)).is_err() {
            return Answer::Crashed;
        }
        match running.answers.recv_timeout(WAIT_LIMIT) {
            Ok(answer) => {
                self.running = Some(running);
                read_answer(&answer, requests.len()).expect("the peer answers in its form")
            }
            Err(RecvTimeoutError::Timeout) => Answer::Silent,
            Err(RecvTimeoutError::Disconnected) => Answer::Crashed,
        }
    }
}

impl Running {
    fn start(library: &str) -> io::Result<Self> {
        let mut child =
            Command::new(env!("PEER")).arg(library).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let questions = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let (sender, answers) = sync_channel(1);
        thread::spawn(move || {
            while let Ok(answer) = frame(&mut output) {
                if sender.send(answer).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, questions, answers, left: QUESTIONS_OF_ONE_CHILD })
    }

    fn put(&mut self, question: &[u8]) -> io::Result<()> {
        self.questions.write_all(&length(question))?;
        self.questions.write_all(question)?;
        self.questions.flush()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn frame(output: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    output.read_exact(&mut length)?;
    let mut frame = vec![0; u32::from_ne_bytes(length) as usize];
    output.read_exact(&mut frame)?;
    Ok(frame)
}

fn length(bytes: &[u8]) -> [u8; 4] {
    number(bytes.len())
}

fn number(number: usize) -> [u8; 4] {
    u32::try_from(number).expect("inputs are small").to_ne_bytes()
}

fn question(rules: &str, requests: &[Request]) -> Vec<u8> {
    let mut frame = Vec::new();
    let bytes = |frame: &mut Vec<u8>, bytes: &[u8]| {
        frame.extend(length(bytes));
        frame.extend(bytes);
    };
    let text = |frame: &mut Vec<u8>, text: &str| bytes(frame, text.as_bytes());
    let pieces = |frame: &mut Vec<u8>, pieces: &[&[u8]]| {
        frame.extend(number(pieces.len()));
        pieces.iter().for_each(|piece| bytes(frame, piece));
    };
    text(&mut frame, rules);
    frame.extend(number(requests.len()));
    for request in requests {
        [request.method.as_str(), &request.target, "1.1"].iter().for_each(|part| text(&mut frame, part));
        let headers = |frame: &mut Vec<u8>, headers: &[(&str, &str)]| {
            frame.extend(number(headers.len()));
            headers.iter().for_each(|(name, value)| {
                text(frame, name);
                text(frame, value);
            });
        };
        headers(&mut frame, &request.all_headers().collect::<Vec<_>>());
        pieces(&mut frame, &request.cut(&request.body));
        frame.extend(number(200));
        headers(&mut frame, &request.response_headers());
        pieces(&mut frame, &request.cut(&request.response));
    }
    frame
}

/// Reads an answer to a question about so many requests.
fn read_answer(answer: &[u8], requests: usize) -> Option<Answer> {
    let mut rest = answer;
    let number = |rest: &mut &[u8]| {
        let (number, behind) = rest.split_first_chunk()?;
        *rest = behind;
        Some(u32::from_ne_bytes(*number))
    };
    let loaded = number(&mut rest)? == 1;
    let text = |rest: &mut &[u8]| {
        let length = number(rest)? as usize;
        let (text, behind) = rest.split_at_checked(length)?;
        *rest = behind;
        Some(String::from_utf8_lossy(text).into_owned())
    };
    let reason = text(&mut rest)?;
    if !loaded {
        return Some(Answer::Refused(reason));
    }
    let endings = (0..requests).map(|_| {
        let (status, behind) = rest.split_first_chunk()?;
        rest = behind;
        let lines = text(&mut rest)?.lines().map(str::to_owned).collect();
        Some(PeerEnding { status: u32::from_ne_bytes(*status) as u16, lines })
    });
    endings.collect::<Option<_>>().map(Answer::Judged)
}
