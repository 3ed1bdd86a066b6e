//! A thread of each process that asks whether there are bans or limits, so that no request has to.

use super::command::Argument::Bytes;
use super::keys;
use super::servers::Servers;
use redis::Value;
use secrule::Down;
use std::sync::Arc;
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, sleep};
use std::time::{Duration, Instant};

/// The time between two looks. With the time of a look, a ban of another process counts here after at most 100 ms.
const PAUSE: Duration = Duration::from_millis(50);

/// The time in which the server must answer a look.
const WAIT_LIMIT: Duration = Duration::from_secs(1);

/// What is known of bans and limits.
#[derive(Debug)]
pub struct Watch {
    /// `false` only if the server said so, and answered the last look: without an answer the requests themselves must ask, and are told that the store
    /// is down.
    has_bans: AtomicBool,
}

impl Watch {
    /// Starts to watch, until what is returned is dropped.
    pub fn start(servers: &Arc<Servers>) -> Arc<Self> {
        let watch = Arc::new(Self { has_bans: AtomicBool::new(true) });
        let (weak, servers) = (Arc::downgrade(&watch), Arc::downgrade(servers));
        // Without a thread each request asks the server.
        let _ = Builder::new().name("secrule-redis".to_owned()).spawn(move || watch_on(&weak, &servers));
        watch
    }

    /// Returns `false` if there were no bans and no limits at the last look.
    pub fn has_bans(&self) -> bool {
        self.has_bans.load(Ordering::Acquire)
    }

    /// Notes that this process has set one.
    pub fn note(&self) {
        self.has_bans.store(true, Ordering::Release);
    }
}

fn watch_on(watch: &Weak<Watch>, servers: &Weak<Servers>) {
    while let (Some(watch), Some(servers)) = (watch.upgrade(), servers.upgrade()) {
        watch.has_bans.store(look(&servers).unwrap_or(true), Ordering::Release);
        drop((watch, servers));
        sleep(PAUSE);
    }
}

/// Asks whether there are bans or limits: their keys end with the last of them.
fn look(servers: &Servers) -> Result<bool, Down> {
    let answer = servers.command("EXISTS", &[Bytes(keys::BANS), Bytes(keys::LIMITS)], Instant::now() + WAIT_LIMIT)?;
    Ok(answer != Value::Int(0))
}
