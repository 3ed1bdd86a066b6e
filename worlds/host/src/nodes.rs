//! The nodes of a store: the machines whose hosts keep saying that they are there.

use super::{Leadership, Services};
use secrule::{AddError, Down, Store};
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

/// The map of nodes: their count, the number of each machine, and the time of its last sign of life.
const MAP: &str = "nodes";
const COUNT: &[u8] = b"count";

/// Time without a sign of life after which a node is offline.
const OFFLINE: Duration = Duration::from_secs(15);

/// Maximum number of nodes.
const MAX_NODES: u64 = 1_000;

/// A node that went, or came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeEvent {
    /// The number of the node, from 1.
    pub node: u64,
    /// `true` if it came back.
    pub is_online: bool,
}

/// What a host knows of the nodes of its store.
#[derive(Debug, Default)]
pub struct Nodes {
    online: BTreeMap<u64, bool>,
}

impl Nodes {
    /// Gives a sign of life, and takes a number if this machine has none.
    pub fn sign(leadership: &Leadership, services: &Services) -> Result<(), Down> {
        let node = match leadership.node() {
            0 => services.ask_store(|store, by| number(store, leadership.machine(), by))?,
            node => node,
        };
        leadership.set_node(node);
        let now = seconds(SystemTime::now()).to_string();
        services.ask_store(|store, by| store.map_set(MAP, &life(node), now.as_bytes(), by)).map_err(|error| Down::new(error.to_string()))
    }

    /// Returns the nodes that went or came back since the last call. The first call returns none that had gone before.
    pub fn changes(&mut self, services: &Services) -> Result<Vec<NodeEvent>, Down> {
        let count = services.ask_store(|store, by| whole(store, COUNT, by))?.unwrap_or(0).min(MAX_NODES);
        let now = seconds(SystemTime::now());
        let mut changes = Vec::new();
        for node in 1..=count {
            let Some(seen) = services.ask_store(|store, by| whole(store, &life(node), by))? else { continue };
            let is_online = now.saturating_sub(seen) < OFFLINE.as_secs();
            if self.online.insert(node, is_online).is_some_and(|before| before != is_online) {
                changes.push(NodeEvent { node, is_online });
            }
        }
        Ok(changes)
    }
}

/// Returns the number of a machine; a new one has the next.
fn number(store: &dyn Store, machine: &str, by: Instant) -> Result<u64, Down> {
    let key = [b"number:", machine.as_bytes()].concat();
    if let Some(known) = whole(store, &key, by)? {
        return Ok(known);
    }
    let count = store.map_add(MAP, COUNT, 1.0, by).map_err(|error| match error {
        AddError::Write(error) => Down::new(error.to_string()),
        other => Down::new(other.to_string()),
    })?;
    // A count is whole and small.
    let number = count as u64;
    store.map_set(MAP, &key, number.to_string().as_bytes(), by).map_err(|error| Down::new(error.to_string()))?;
    Ok(number)
}

fn life(node: u64) -> Vec<u8> {
    format!("seen:{node}").into_bytes()
}

fn whole(store: &dyn Store, key: &[u8], by: Instant) -> Result<Option<u64>, Down> {
    let value = store.map_get(MAP, key, by)?;
    Ok(value.and_then(|value| std::str::from_utf8(&value).ok()?.parse().ok()))
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}
