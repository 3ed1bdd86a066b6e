//! A proxy between a store and its server that can hold back what it forwards.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{sleep, spawn};
use std::time::Duration;

/// The value of [`Proxy::delay`] that forwards nothing.
const CUT: u64 = u64::MAX;

/// A proxy at a port of its own. Its threads end with the process.
pub struct Proxy {
    pub port: u16,
    flow: Arc<Flow>,
}

/// How answers are forwarded.
#[derive(Default)]
struct Flow {
    /// The time before each part, in milliseconds.
    delay: AtomicU64,
    /// The most bytes of a part; 0 for what the server sent at once.
    part: AtomicU64,
}

impl Proxy {
    pub fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (port, flow) = (listener.local_addr().unwrap().port(), Arc::new(Flow::default()));
        let of_threads = Arc::clone(&flow);
        spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(server) else { continue };
                let (requests, answers) = ((client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client));
                spawn(move || forward(requests, &Flow::default()));
                let flow = Arc::clone(&of_threads);
                spawn(move || forward(answers, &flow));
            }
        });
        Self { port, flow }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Forwards nothing any more, and closes nothing.
    pub fn cut(&self) {
        self.flow.delay.store(CUT, Ordering::Relaxed);
    }

    /// Forwards answers in parts of so many bytes (0 for whole ones), each after a delay.
    pub fn slow(&self, delay: Duration, part: u64) {
        self.flow.delay.store(u64::try_from(delay.as_millis()).unwrap(), Ordering::Relaxed);
        self.flow.part.store(part, Ordering::Relaxed);
    }
}

fn forward((mut from, mut to): (TcpStream, TcpStream), flow: &Flow) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length) = from.read(&mut buffer) {
        if length == 0 {
            break;
        }
        let part = match usize::try_from(flow.part.load(Ordering::Relaxed)).unwrap() {
            0 => length,
            part => part,
        };
        for part in buffer[..length].chunks(part) {
            while flow.delay.load(Ordering::Relaxed) == CUT {
                sleep(Duration::from_millis(1));
            }
            sleep(Duration::from_millis(flow.delay.load(Ordering::Relaxed)));
            if to.write_all(part).is_err() {
                return;
            }
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
