//! The daemon, proxies around it, an upstream behind them, and a client in front.

use secrule_testkit::trials;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

pub const SECRULE: &str = env!("CARGO_BIN_EXE_secrule");

/// Rules of tests that are not about false positives.
pub const RULES: &str = r#"
SecRuleEngine On
SecRequestBodyAccess On
SecRequestBodyLimit 200000
SecRequestBodyLimitAction Reject
SecRule REQUEST_URI|ARGS "@contains attack" "id:1,phase:2,deny,log,msg:'attack'"
SecRule REQUEST_URI "@beginsWith /old" "id:2,phase:1,redirect:'https://shop.example/new',log"
SecRule REQUEST_URI "@beginsWith /fine" "id:3,phase:1,deny,status:200,log"
SecRule REQUEST_URI "@beginsWith /slow" "id:4,phase:1,deny,status:429,log"
SecRule REMOTE_ADDR "@ipMatch 192.0.2.66" "id:5,phase:1,deny,status:451,log"
SecRule REQUEST_HEADERS_NAMES "@rx (?i)x-forwarded-(?:uri|method)|x-original|x-crowdsec-appsec" "id:6,phase:1,deny,status:500,log"
"#;

/// A rule about responses, for all rule sets.
const RESPONSES: &str = r#"
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain
SecResponseBodyLimit 500000
SecResponseBodyLimitAction ProcessPartial
SecRule RESPONSE_BODY "@contains leaked" "id:7,phase:4,deny,status:403,log"
"#;

/// Longest wait for something that must happen.
const WAIT_LIMIT: Duration = Duration::from_secs(20);

/// A daemon that runs.
pub struct Daemon {
    pub process: Child,
    lines: Arc<(Mutex<Vec<String>>, Condvar)>,
}

impl Daemon {
    /// Starts a daemon with the CRS, or with the rules of tests.
    pub fn start(with_crs: bool, arguments: &[&str]) -> Self {
        let mut command = Command::new(SECRULE);
        command.arg("serve").args(arguments);
        if with_crs {
            command.args(["--crs", "/usr/share/modsecurity-crs", "--rules"]).arg(file("rules.conf", RESPONSES));
        } else {
            command.arg("--rules").arg(file("rules.conf", &format!("{RULES}{RESPONSES}")));
        }
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let errors = BufReader::new(process.stderr.take().unwrap());
        let lines = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let kept = Arc::clone(&lines);
        thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                kept.0.lock().unwrap().push(line);
                kept.1.notify_all();
            }
        });
        Self { process, lines }
    }

    /// Waits for a line of its standard error that has a text.
    pub fn line(&self, text: &str) -> String {
        let deadline = Instant::now() + WAIT_LIMIT;
        let mut lines = self.lines.0.lock().unwrap();
        loop {
            if let Some(line) = lines.iter().find(|line| line.contains(text)) {
                return line.clone();
            }
            assert!(Instant::now() < deadline, "no line with {text}: {lines:?}");
            lines = self.lines.1.wait_timeout(lines, Duration::from_millis(200)).unwrap().0;
        }
    }

    /// Returns the address of a listener, by its name in the line that introduces it.
    pub fn address(&self, name: &str) -> SocketAddr {
        let line = self.line(&format!("answers {name}"));
        line.split("http://").nth(1).and_then(|rest| rest.split('/').next()?.parse().ok()).unwrap()
    }

    /// Ends it, and returns the line with the counts of a protocol.
    pub fn counts(&mut self, protocol: &str) -> String {
        assert!(Command::new("kill").arg(self.process.id().to_string()).status().unwrap().success());
        self.process.wait().unwrap();
        self.line("with a hidden body").strip_prefix(&format!("secrule: {protocol}: ")).unwrap().to_owned()
    }

    /// Kills it as a crash does.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A proxy that runs.
pub struct Proxy {
    process: Child,
    pub address: SocketAddr,
}

impl Proxy {
    /// Starts a proxy, and waits until `is_ready` with its address.
    pub fn start(mut command: Command, address: SocketAddr, is_ready: impl Fn() -> bool) -> Self {
        let log = file("proxy.log", "");
        let output = || Stdio::from(fs::OpenOptions::new().append(true).open(&log).unwrap());
        let process = command.stdin(Stdio::null()).stdout(output()).stderr(output()).spawn().unwrap();
        let mut proxy = Self { process, address };
        let deadline = Instant::now() + WAIT_LIMIT;
        while !is_ready() {
            let ended = proxy.process.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "it does not start:\n{}", fs::read_to_string(&log).unwrap());
            thread::sleep(Duration::from_millis(20));
        }
        proxy
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Asked to end, it ends its workers, too.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let deadline = Instant::now() + Duration::from_secs(3);
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Writes a file in a folder of its own.
pub fn file(name: &str, text: &str) -> PathBuf {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = trials::scratch().join(format!("questions-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

/// Returns an example with its addresses replaced.
pub fn example(name: &str, replaced: &[(&str, String)]) -> String {
    let text = fs::read_to_string(secrule_testkit::project().join("examples/serve").join(name)).unwrap();
    replaced.iter().fold(text, |text, (old, new)| {
        assert!(text.contains(old), "{name} has no {old}");
        text.replace(old, new)
    })
}

/// Returns an address without a listener.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

pub fn listens(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok()
}

/// Starts an upstream that answers with the body of the request, or echoes all bytes after an upgrade.
pub fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || drop(echo(stream)));
        }
    });
    address
}

fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut length, mut is_chunked, mut is_upgrade) = (0, false, false);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        is_upgrade |= line.starts_with("upgrade:");
        is_chunked |= line.starts_with("transfer-encoding:");
    }
    if is_upgrade {
        stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")?;
        return std::io::copy(&mut reader, &mut stream).map(drop);
    }
    let mut body = vec![0; length];
    if is_chunked {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size)?;
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            let start = body.len();
            body.resize(start + size, 0);
            reader.read_exact(&mut body[start..])?;
            reader.read_line(&mut String::new())?;
            if size == 0 {
                break;
            }
        }
    } else {
        reader.read_exact(&mut body)?;
    }
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len() + 8)?;
    stream.write_all(b"reached:")?;
    stream.write_all(&body)
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// Returns the value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(':'));
        headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// Waits until something holds.
pub fn wait_until(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + WAIT_LIMIT;
    while !holds() {
        assert!(Instant::now() < deadline, "it does not happen");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Sends a request, and returns its answer.
pub fn send(address: SocketAddr, method: &str, target: &str, headers: &[&str], body: &[u8]) -> Answer {
    send_to(address, "shop.example", method, target, headers, body)
}

/// Sends a request for a host, and returns its answer.
pub fn send_to(address: SocketAddr, host: &str, method: &str, target: &str, headers: &[&str], body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(WAIT_LIMIT)).unwrap();
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let mut request =
        format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: tests\r\nAccept: */*\r\nConnection: close\r\n{headers}\r\n")
            .into_bytes();
    request.extend_from_slice(body);
    // A proxy may answer before it has read all.
    let _ = stream.write_all(&request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{method} {target}: no answer: {answer}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut answer = Answer { status, head: head.to_owned(), body: body.to_owned() };
    if answer.header("transfer-encoding").is_some() {
        answer.body = joined(body);
    }
    answer
}

/// Joins the chunks of a body.
fn joined(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        body.push_str(&after[..size]);
        rest = &after[(size + 2).min(after.len())..];
    }
    body
}

pub fn get(address: SocketAddr, target: &str) -> Answer {
    send(address, "GET", target, &[], b"")
}

pub const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
pub const JSON: &str = "Content-Type: application/json";
pub const SQL_INJECTION: &str = "id=1%27%20UNION%20SELECT%20password%20FROM%20users--";

/// Sends a body with its length.
pub fn post(address: SocketAddr, target: &str, kind: &str, body: &str) -> Answer {
    send(address, "POST", target, &[kind, &format!("Content-Length: {}", body.len())], body.as_bytes())
}

/// Sends a form in chunks, without its length.
pub fn post_chunked(address: SocketAddr, target: &str, pieces: &[&str]) -> Answer {
    let mut body: String = pieces.iter().map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len())).collect();
    body.push_str("0\r\n\r\n");
    send(address, "POST", target, &[FORM, "Transfer-Encoding: chunked"], body.as_bytes())
}

/// Asserts that requests without an attack reach the upstream as they are.
pub fn assert_clean_requests_pass(address: SocketAddr) {
    let reached = |answer: Answer, body: &str| {
        assert!(answer.status == 200 && answer.body.contains(&format!("reached:{body}")), "{answer:?}");
    };
    reached(get(address, "/list?page=2&sort=name"), "");
    reached(post(address, "/login", FORM, "name=alice&colour=blue"), "name=alice&colour=blue");
    reached(post(address, "/api", JSON, r#"{"name":"alice","tags":["a","b"]}"#), r#"{"name":"alice","tags":["a","b"]}"#);
    reached(post_chunked(address, "/login", &["name=alice", "&colour=blue"]), "name=alice&colour=blue");
}
