//! A real Traffic Server with the script of `examples/trafficserver` and our library: exchanges pass, are denied or redirected.

use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const PLUGINS: [&str; 3] = ["/usr/lib/trafficserver/modules", "/usr/libexec/trafficserver", "/usr/local/libexec/trafficserver"];
const PLUGIN: &str = "tslua.so";

/// Time limits for the start of Traffic Server, and for one answer.
const START: Duration = Duration::from_secs(20);
const ANSWER: Duration = Duration::from_secs(3);

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

const NEEDS: [Needs; 3] = [Needs::Program("traffic_server"), Needs::File(PLUGIN, &PLUGINS), Needs::CLibrary];

fn main() -> ExitCode {
    trials::run([
        trial!(traffic_server_with_our_script_is_a_firewall, NEEDS),
        trial!(traffic_server_does_not_start_with_wrong_rules, NEEDS),
    ])
}

fn traffic_server_with_our_script_is_a_firewall() {
    let server = TrafficServer::start();
    what_is_harmless_passes(&server);
    requests_are_denied(&server);
    a_request_is_redirected(&server);
    responses_are_denied(&server);
    denials_are_logged(&server);
}

fn traffic_server_does_not_start_with_wrong_rules() {
    let stage = Stage::new("wrong-rules");
    let example = secrule_testkit::project().join("examples/trafficserver");
    let wrong = stage.folder.join("wrong.conf");
    fs::write(&wrong, "SecRuleEngine Perhaps\n").unwrap();
    let line = format!("{PLUGIN} --states=1 {} {}\n", example.join("waf.lua").display(), wrong.display());
    fs::write(stage.folder.join("etc/plugin.config"), line).unwrap();
    let mut server = stage.raise();
    assert!(!server.answers_soon());
    assert!(server.process.try_wait().unwrap().is_some(), "it runs without a firewall");
    assert!(server.log().contains("the firewall does not start"), "{}", server.log());
}

fn what_is_harmless_passes(server: &TrafficServer) {
    assert_eq!(server.get("/catalog;page=2?size=42").passed(), "GET /catalog;page=2?size=42 ");
    assert_eq!(server.post("/order", "name=Ann+Smith").passed(), "POST /order name=Ann+Smith");
    let long = format!("text={}", "word+".repeat(20_000));
    assert_eq!(server.post("/order", &long).passed(), format!("POST /order {long}"));
    assert_eq!(server.post("/order", "").passed(), "POST /order ");
}

fn requests_are_denied(server: &TrafficServer) {
    assert_denied(&server.get("/index.php?testparam=test"), 403);
    assert_denied(&server.get(&format!("/?{}&testparam=test", "filler=1&".repeat(1_000))), 403);
    assert_denied(&server.post("/order", "testparam=test"), 403);
    assert_denied(&server.post("/order", &format!("text={}&testparam=test", "word+".repeat(20_000))), 403);
    let chunked = format!("{FORM}Transfer-Encoding: chunked\r\n");
    assert_denied(&server.ask("POST", "/order", &chunked, "e\r\ntestparam=test\r\n0\r\n\r\n"), 411);
}

fn a_request_is_redirected(server: &TrafficServer) {
    let answer = server.get("/old/page");
    assert_denied(&answer, 302);
    assert_eq!(answer.header("Location"), Some("https://www.example.com/new"), "{answer:?}");
}

fn responses_are_denied(server: &TrafficServer) {
    assert_denied(&server.get("/secret"), 403);
    let answer = server.get("/broken");
    assert_denied(&answer, 403);
    assert!(!answer.body.contains("SQL syntax"), "{answer:?}");
}

fn denials_are_logged(server: &TrafficServer) {
    let log = server.log();
    for id in 1234..=1237 {
        assert!(log.contains(&format!("[id \"{id}\"]")), "rule {id} is not in the log: {log}");
    }
    assert!(!log.contains("script failed"), "{log}");
}

fn assert_denied(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.body.contains("stopped by the web application firewall"), "{answer:?}");
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    /// Returns the output of the origin server.
    fn passed(&self) -> &str {
        assert_eq!(self.status, 200, "{self:?}");
        &self.body
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// The parts of a Traffic Server: its folder, its port, and an origin server.
struct Stage {
    folder: PathBuf,
    library: PathBuf,
    address: SocketAddr,
}

impl Stage {
    fn new(name: &str) -> Self {
        let library = trials::c_library().parent().unwrap().to_owned();
        let plugins = PLUGINS.iter().map(Path::new).find(|folder| folder.join(PLUGIN).exists()).unwrap();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("trafficserver-{name}-{}", std::process::id()));
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        configure(&folder, plugins, address, serve_origin()).unwrap();
        Self { folder, library, address }
    }

    fn raise(self) -> TrafficServer {
        let output = fs::File::create(self.folder.join("output")).unwrap();
        let mut command = Command::new("traffic_server");
        command.env("TS_RUNROOT", &self.folder).env("LD_LIBRARY_PATH", &self.library).stdin(Stdio::null());
        let process = command.stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap();
        TrafficServer { process, folder: self.folder, address: self.address }
    }
}

/// A Traffic Server that runs until the test ends.
struct TrafficServer {
    process: Child,
    folder: PathBuf,
    address: SocketAddr,
}

impl TrafficServer {
    /// Starts one and waits until it answers.
    fn start() -> Self {
        let mut server = Stage::new("firewall").raise();
        assert!(server.answers_soon(), "Traffic Server does not start:\n{}", server.log());
        server
    }

    fn answers_soon(&mut self) -> bool {
        let deadline = Instant::now() + START;
        while Instant::now() < deadline && self.process.try_wait().unwrap().is_none() {
            if self.get("/ready").status == 200 {
                return true;
            }
            thread::sleep(Duration::from_millis(50));
        }
        false
    }

    fn log(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        read("output") + &read("log/diags.log")
    }

    fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, "", "")
    }

    fn post(&self, target: &str, form: &str) -> Answer {
        self.ask("POST", target, &format!("{FORM}Content-Length: {}\r\n", form.len()), form)
    }

    fn ask(&self, method: &str, target: &str, headers: &str, body: &str) -> Answer {
        let message = format!("{method} {target} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{headers}\r\n{body}");
        self.exchange(&message).unwrap_or_else(|error| Answer { status: 0, head: error.to_string(), body: String::new() })
    }

    fn exchange(&self, message: &str) -> io::Result<Answer> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.set_write_timeout(Some(ANSWER))?;
        stream.write_all(message.as_bytes())?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
    }
}

impl Drop for TrafficServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if !thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// The example's configuration with our paths and ports, and the other settings that a separate Traffic Server needs.
fn configure(folder: &Path, plugins: &Path, address: SocketAddr, origin: SocketAddr) -> io::Result<()> {
    let example = secrule_testkit::project().join("examples/trafficserver");
    let etc = folder.join("etc");
    for name in ["etc", "log", "run", "cache"] {
        fs::create_dir_all(folder.join(name))?;
    }
    let adapted = |name: &str, from: &str, to: &str| -> io::Result<String> {
        let text = fs::read_to_string(example.join(name))?;
        assert!(text.contains(from), "{name} has no {from}");
        Ok(text.replace(from, to))
    };
    let port = format!("STRING {}:ip-in=127.0.0.1", address.port());
    // The process keeps its user, and starts no other process.
    let own = "CONFIG proxy.config.admin.user_id STRING #-1\nCONFIG proxy.config.crash_log_helper STRING NULL\n";
    fs::write(etc.join("records.config"), adapted("records.config", "STRING 8080", &port)? + own)?;
    fs::write(etc.join("remap.config"), adapted("remap.config", "127.0.0.1:8000", &origin.to_string())?)?;
    fs::write(etc.join("plugin.config"), adapted("plugin.config", "/etc/trafficserver", &example.display().to_string())?)?;
    fs::write(etc.join("storage.config"), format!("{} 16M\n", folder.join("cache").display()))?;
    fs::write(etc.join("ip_allow.yaml"), "ip_allow:\n  - {apply: in, ip_addrs: 127.0.0.1, action: allow, methods: ALL}\n")?;
    for name in ["logging.yaml", "sni.yaml", "ssl_multicert.config"] {
        fs::write(etc.join(name), "")?;
    }
    let layout = [
        ("prefix", folder.to_owned()),
        ("exec_prefix", folder.to_owned()),
        ("sysconfdir", etc),
        ("libexecdir", plugins.to_owned()),
        ("datadir", folder.join("cache")),
        ("cachedir", folder.join("cache")),
        ("localstatedir", folder.join("run")),
        ("runtimedir", folder.join("run")),
        ("logdir", folder.join("log")),
    ];
    let layout: String = layout.iter().map(|(name, path)| format!("{name}: {}\n", path.display())).collect();
    fs::write(folder.join("runroot.yaml"), layout)
}

/// Starts an origin server that echoes requests as long as the test runs.
fn serve_origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A connection that Traffic Server closes is not an error.
            thread::spawn(move || drop(answer(stream)));
        }
    });
    address
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut request, mut length) = (String::new(), 0);
    reader.read_line(&mut request)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else { break };
        if name.eq_ignore_ascii_case("Content-Length") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let echo = format!("{} {}", request.trim_end().trim_end_matches(" HTTP/1.1"), String::from_utf8_lossy(&body));
    let (header, body) = match request.split(' ').nth(1) {
        Some("/secret") => ("X-Secret: 1\r\n", "fine"),
        Some("/broken") => ("", "You have an error in your SQL syntax near x"),
        _ => ("", echo.as_str()),
    };
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n{header}Content-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}
