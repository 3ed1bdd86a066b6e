//! Look-ups of host names that can be waited for until a deadline: those of the system cannot.

use super::address::Node;
use secrule::Down;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::Builder;
use std::time::Instant;

/// Maximum number of look-ups at a time: beyond it the resolver is stuck, and further ones would only wait with the others.
const MOST: usize = 16;

/// Look-ups, each in a thread of its own.
#[derive(Debug, Default)]
pub struct Names {
    running: Arc<AtomicUsize>,
}

impl Names {
    /// Returns the addresses of a node.
    pub fn addresses(&self, node: &Node, by: Instant) -> Result<Vec<SocketAddr>, Down> {
        if let Ok(ip) = node.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, node.port)]);
        }
        let stuck = || Down::new(format!("the look-up of {} takes too long", node.host));
        if self.running.fetch_add(1, Ordering::Relaxed) >= MOST {
            self.running.fetch_sub(1, Ordering::Relaxed);
            return Err(stuck());
        }
        let (sender, receiver) = sync_channel(1);
        let (running, target) = (Arc::clone(&self.running), (node.host.clone(), node.port));
        let started = Builder::new().name("secrule-name".to_owned()).spawn(move || {
            let found = target.to_socket_addrs().map(Iterator::collect::<Vec<_>>);
            running.fetch_sub(1, Ordering::Relaxed);
            // Nobody may wait any more.
            let _ = sender.send(found);
        });
        if let Err(error) = started {
            self.running.fetch_sub(1, Ordering::Relaxed);
            return Err(Down::new(format!("a thread cannot be started: {error}")));
        }
        let found = receiver.recv_timeout(by.saturating_duration_since(Instant::now())).map_err(|_| stuck())?;
        let found = found.map_err(|error| Down::new(format!("{} is not found: {error}", node.host)))?;
        if found.is_empty() { Err(Down::new(format!("{} has no address", node.host))) } else { Ok(found) }
    }
}
