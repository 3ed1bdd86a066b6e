//! The example, as a process.

use crate::support::{ask, get, reply, upstream, wait_for};
use http_body_util::Full;
use std::path::PathBuf;
use std::process::{Child, Command};
use tokio::net::TcpStream;

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns the example, which cargo builds with the tests.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join("examples/proxy")
}

#[tokio::test]
async fn the_example_protects_a_server() {
    let upstream = upstream(async |_| Ok(reply(Full::from("welcome"), "text/plain"))).await;
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let process = Command::new(example()).arg(address.to_string()).arg(upstream.to_string()).spawn();
    let _process = Process(process.expect("run `cargo build -p secrule-pingora --example proxy` first"));
    wait_for(async || TcpStream::connect(address).await.ok()).await;
    assert_eq!(ask(address, get("/?id=1")).await.status(), 200);
    assert_eq!(ask(address, get("/?id=1%27+OR+1=1--")).await.status(), 403);
}
