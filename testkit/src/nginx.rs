//! A real nginx with its own ModSecurity connector and our library, with its own folder and port.

use crate::process_memory::process_memory;
use crate::trials::{self, Needs};
use socket2::{Domain, Socket, Type};
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const MODULES: [&str; 3] = ["/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/libexec/nginx/modules"];
const MODULE: &str = "ngx_http_modsecurity_module.so";

/// Needs of a test with nginx.
pub const NGINX: [Needs; 3] = [Needs::Program("nginx"), Needs::File(MODULE, &MODULES), Needs::CLibrary];

/// Configuration of an nginx.
pub struct Site<'a> {
    /// Name of its folder.
    pub name: &'a str,
    /// Environment variables for its workers.
    pub environment: &'a [(&'a str, String)],
    /// Number of workers.
    pub workers: usize,
    /// Its rules, made in its folder.
    pub rules: &'a dyn Fn(&Path) -> String,
    /// Additional locations and settings of the front server; `{folder}` is replaced by its folder.
    pub in_front: &'a str,
    /// Additional locations and settings of the backend.
    pub behind: &'a str,
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    pub target: &'a str,
    /// The address of the client: any of 127.0.0.0/8.
    pub client: Ipv4Addr,
    pub host: &'a str,
    /// Additional headers; one without a value is not sent.
    pub headers: &'a [(&'a str, &'a str)],
    /// A body and its type.
    pub body: Option<(&'a str, &'a str)>,
}

/// An answer of nginx.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// An nginx with its own folder and port.
pub struct Nginx {
    master: Child,
    pub folder: PathBuf,
    library: PathBuf,
    address: SocketAddr,
}

impl Nginx {
    pub fn start(site: &Site<'_>) -> Self {
        let library = trials::c_library().parent().unwrap().to_owned();
        let module = MODULES.iter().map(|folder| Path::new(folder).join(MODULE)).find(|module| module.exists()).unwrap();
        let folder = trials::scratch().join(format!("{}-{}", site.name, std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        fs::write(folder.join("rules.conf"), (site.rules)(&folder)).unwrap();
        fs::write(folder.join("nginx.conf"), configuration(site, &module, &folder, address)).unwrap();
        let mut command = nginx_command(&folder, &library);
        let master = command.envs(site.environment.iter().map(|(name, value)| (name, value))).stderr(Stdio::null()).spawn().unwrap();
        let mut nginx = Self { master, folder, library, address };
        nginx.wait_until_it_answers();
        nginx
    }

    fn wait_until_it_answers(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(self.address).is_err() {
            let ended = self.master.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "nginx does not start:\n{}", self.errors());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns its error log.
    pub fn errors(&self) -> String {
        fs::read_to_string(self.folder.join("error.log")).unwrap_or_default()
    }

    /// Reloads, and waits until new workers answer.
    pub fn reload(&self) {
        let before = self.workers();
        let signal = nginx_command(&self.folder, &self.library).args(["-s", "reload"]).stderr(Stdio::null()).status().unwrap();
        assert!(signal.success());
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.workers().iter().any(|worker| before.contains(worker)) {
            assert!(Instant::now() < deadline, "nginx does not reload:\n{}", self.errors());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Returns its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the ids of its worker processes.
    pub fn workers(&self) -> Vec<u32> {
        let master = self.master.id();
        let children = fs::read_to_string(format!("/proc/{master}/task/{master}/children")).unwrap();
        children.split_ascii_whitespace().map(|child| child.parse().unwrap()).collect()
    }

    /// Returns the memory of the master, in kB.
    pub fn memory(&self) -> usize {
        process_memory(self.master.id(), "VmRSS:").unwrap() >> 10
    }

    /// Returns the memory of the largest worker, in kB.
    pub fn worker_memory(&self) -> usize {
        // A worker that a reload has ended has none.
        self.workers().into_iter().filter_map(|worker| process_memory(worker, "VmRSS:")).max().unwrap_or(0) >> 10
    }

    /// Requests a page, with a body and its type.
    pub fn ask(&self, method: &str, target: &str, body: Option<(&str, &str)>) -> Answer {
        self.ask_with(method, target, &[], body)
    }

    /// Requests a page with additional headers; a header without a value is not sent.
    pub fn ask_with(&self, method: &str, target: &str, headers: &[(&str, &str)], body: Option<(&str, &str)>) -> Answer {
        self.send(&Request { method, headers, body, ..Request::get(target) })
    }

    /// Sends a request.
    pub fn send(&self, request: &Request<'_>) -> Answer {
        // A connection that ends early is an answer too: the firewall cuts off responses.
        self.exchange(request).unwrap_or_else(|error| Answer { status: 0, body: error.to_string() })
    }

    fn exchange(&self, request: &Request<'_>) -> io::Result<Answer> {
        let Request { method, target, client, host, headers, body } = *request;
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((client, 0)).into())?;
        socket.connect(&self.address.into())?;
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let about = body.map_or(String::new(), |(kind, body)| format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len()));
        let agent = [("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)")];
        let agent = if headers.iter().any(|(name, _)| *name == "User-Agent") { &[][..] } else { &agent };
        let headers = agent.iter().chain(headers).filter(|(_, value)| !value.is_empty());
        let more: String = headers.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n{more}{about}Connection: close\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.map_or("", |(_, body)| body).as_bytes())?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Ok(Answer { status, body: text.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned() })
    }
}

impl<'a> Request<'a> {
    /// A request for a page, without a body.
    pub fn get(target: &'a str) -> Self {
        Self { method: "GET", target, client: Ipv4Addr::LOCALHOST, host: "shop.example", headers: &[], body: None }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let stopped = nginx_command(&self.folder, &self.library).args(["-s", "stop"]).stderr(Stdio::null()).status();
        if !stopped.is_ok_and(|status| status.success()) {
            let _ = self.master.kill();
        }
        let _ = self.master.wait();
        if !thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

fn nginx_command(folder: &Path, library: &Path) -> Command {
    let mut command = Command::new("nginx");
    command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf")).env("LD_LIBRARY_PATH", library);
    command.arg("-e").arg(folder.join("error.log"));
    command
}

fn configuration(site: &Site<'_>, module: &Path, folder: &Path, address: SocketAddr) -> String {
    let (module, folder) = (module.display(), folder.display());
    let environment: String = site.environment.iter().map(|(name, _)| format!("env {name};\n")).collect();
    let (workers, in_front, behind) = (site.workers, site.in_front.replace("{folder}", &folder.to_string()), site.behind);
    format!(
        r#"
load_module {module};
user root root;
daemon off;
{environment}
worker_processes {workers};
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    default_type text/html;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {address};
        modsecurity on;
        modsecurity_rules_file {folder}/rules.conf;
        location / {{
            proxy_pass http://unix:{folder}/behind.sock;
        }}
        {in_front}
    }}
    server {{
        listen unix:{folder}/behind.sock;
        location / {{
            return 200 "fine";
        }}
        {behind}
    }}
}}
"#
    )
}
