//! A world: scripts of one kind, and what they may do.

use super::{Exchange, Leadership, NodeEvent};
use serde_json::Value;
use std::sync::Arc;
use std::time::SystemTime;

/// Scripts of one kind, which run on threads of the world. The host calls it from its own threads: no method may wait, besides [`tick`](Self::tick) for the
/// store and [`stop`](Self::stop) for the end of scripts.
pub trait World: Send + Sync {
    /// Returns the name of the world, as the status shows it.
    fn name(&self) -> &'static str;

    /// Takes an exchange.
    fn take(&self, exchange: &Arc<Exchange>) {
        let _ = exchange;
    }

    /// Takes an event that somebody sent: an object with the member `type`.
    fn take_event(&self, event: &Value) {
        let _ = event;
    }

    /// Takes the change of another node of the store.
    fn take_node_event(&self, event: &NodeEvent) {
        let _ = event;
    }

    /// Called ten times a second, for work that is due at a time. It may ask the store, and waits for it no longer than `SecStoreCallLimit` a call; exchanges
    /// come in meanwhile, but the ticks of all worlds and the renewal of the lease wait.
    fn tick(&self, now: SystemTime, leadership: &Leadership) {
        let _ = (now, leadership);
    }

    /// Returns the state of the scripts, for `secrule plugin status`.
    fn status(&self) -> Value;

    /// Ends all scripts, and waits for them a little.
    fn stop(&self) {}
}
