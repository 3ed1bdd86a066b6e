//! A server of Redis on a port of its own, which keeps nothing.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A server, which ends with the value.
#[derive(Debug)]
pub struct RedisServer {
    process: Child,
    address: String,
}

impl RedisServer {
    /// Starts a server, and waits until it listens.
    pub fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]).stdout(Stdio::null());
        let (process, address) = (command.spawn().unwrap(), format!("127.0.0.1:{port}"));
        let end = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(&address).is_err() {
            assert!(Instant::now() < end, "redis-server does not start");
            thread::sleep(Duration::from_millis(10));
        }
        Self { process, address: format!("redis://{address}") }
    }

    /// Returns its address, as `SecCollectionStore` takes it.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
