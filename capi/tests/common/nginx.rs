//! A real nginx with its own ModSecurity connector on our library, in a folder of its own and on a port of its own.

// Each test takes what it needs.
#![allow(dead_code)]

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const MODULES: [&str; 3] = ["/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/libexec/nginx/modules"];
const MODULE: &str = "ngx_http_modsecurity_module.so";

/// What an nginx is to do.
pub struct Site<'a> {
    /// What its folder is called.
    pub name: &'a str,
    /// Variables of the environment that its workers see.
    pub environment: &'a [(&'a str, String)],
    /// How many workers it has.
    pub workers: usize,
    /// Its rules, made in its folder.
    pub rules: &'a dyn Fn(&Path) -> String,
    /// More locations and settings of the server in front; `{folder}` stands for its folder.
    pub in_front: &'a str,
    /// More locations and settings of the server behind.
    pub behind: &'a str,
}

/// What nginx answers.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// An nginx of our own, in a folder of its own, on a port of its own.
pub struct Nginx {
    master: Child,
    pub folder: PathBuf,
    library: PathBuf,
    address: SocketAddr,
}

impl Nginx {
    /// Starts one, where nginx, its connector and the library are at hand.
    pub fn start(site: &Site<'_>) -> Option<Self> {
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?.join("capi");
        let module = MODULES.iter().map(|folder| Path::new(folder).join(MODULE)).find(|module| module.exists());
        let installed = Command::new("nginx").arg("-v").stderr(Stdio::null()).status().is_ok();
        let (true, Some(module), true) = (installed, module, library.join("libmodsecurity.so.3").exists()) else {
            eprintln!("not tested: needs nginx, {MODULE} and what `make capi` builds");
            return None;
        };
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{}", site.name, std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        fs::write(folder.join("rules.conf"), (site.rules)(&folder)).unwrap();
        fs::write(folder.join("nginx.conf"), configuration(site, &module, &folder, address)).unwrap();
        let mut command = nginx_command(&folder, &library);
        let master = command.envs(site.environment.iter().map(|(name, value)| (name, value))).stderr(Stdio::null()).spawn().unwrap();
        let mut nginx = Self { master, folder, library, address };
        nginx.wait_until_it_answers();
        Some(nginx)
    }

    fn wait_until_it_answers(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(self.address).is_err() {
            let ended = self.master.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "nginx does not start:\n{}", self.errors());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn errors(&self) -> String {
        fs::read_to_string(self.folder.join("error.log")).unwrap_or_default()
    }

    /// Reloads, and waits until new workers have taken over.
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

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its workers' processes.
    pub fn workers(&self) -> Vec<u32> {
        let master = self.master.id();
        let children = fs::read_to_string(format!("/proc/{master}/task/{master}/children")).unwrap();
        children.split_ascii_whitespace().map(|child| child.parse().unwrap()).collect()
    }

    /// What the master holds in memory, in kB.
    pub fn memory(&self) -> usize {
        memory_of(self.master.id()).unwrap()
    }

    /// What the largest worker holds in memory, in kB.
    pub fn worker_memory(&self) -> usize {
        // One that a reload ends meanwhile holds nothing.
        self.workers().into_iter().filter_map(memory_of).max().unwrap_or(0)
    }

    /// Asks for a page, with a body of some type.
    pub fn ask(&self, method: &str, target: &str, body: Option<(&str, &str)>) -> Answer {
        self.ask_with(method, target, &[], body)
    }

    /// Asks for a page with more headers; a header without a value is not sent.
    pub fn ask_with(&self, method: &str, target: &str, headers: &[(&str, &str)], body: Option<(&str, &str)>) -> Answer {
        // A connection that ends early is an answer too: the firewall cuts responses off.
        self.exchange(method, target, headers, body).unwrap_or_else(|error| Answer { status: 0, body: error.to_string() })
    }

    fn exchange(&self, method: &str, target: &str, headers: &[(&str, &str)], body: Option<(&str, &str)>) -> io::Result<Answer> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let about = body.map_or(String::new(), |(kind, body)| format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len()));
        let agent = [("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)")];
        let agent = if headers.iter().any(|(name, _)| *name == "User-Agent") { &[][..] } else { &agent };
        let headers = agent.iter().chain(headers).filter(|(_, value)| !value.is_empty());
        let more: String = headers.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("{method} {target} HTTP/1.1\r\nHost: shop.example\r\nAccept: */*\r\n{more}{about}Connection: close\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.map_or("", |(_, body)| body).as_bytes())?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Ok(Answer { status, body: text.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned() })
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

fn memory_of(process: u32) -> Option<usize> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
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
