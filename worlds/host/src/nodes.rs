//! The nodes of a store: the machines whose hosts keep saying that they are there.
//!
//! Each host counts its signs of life in one record of the store, and reads those of all. A node whose count stands still is offline: clocks of machines
//! need not agree, and a time in which the store did not answer says nothing about anybody. A node that gave no sign for a day is forgotten.

use super::{Leadership, Services};
use secrule::internals::graph::PersistentCollection;
use secrule::{Down, Limit, RecordKey, Store, StoreLimits, Update, WriteError};
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

/// The key of the record, among those of GLOBAL.
const KEY: &[u8] = b"secrule-nodes";

/// The variable with the number of nodes that there ever were, and the beginnings of the names of those with the number of a machine and with the signs of a
/// node.
const COUNT: &[u8] = b"count";
const NUMBER: &[u8] = b"number:";
const SIGNS: &[u8] = b"signs:";

/// Time without a sign of life after which a node is offline.
const OFFLINE: Duration = Duration::from_secs(15);

/// Time between two looks that is too long to say who was there meanwhile.
const GAP: Duration = Duration::from_secs(10);

/// Time without a sign of life after which a node is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(24 * 60 * 60);

/// Maximum number of nodes, each with two variables.
const MAX_NODES: usize = 1_000;

/// A node that went, or came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeEvent {
    /// The number of the node, from 1.
    pub node: u64,
    /// `true` if it came back.
    pub is_online: bool,
}

/// The nodes that a host has seen.
#[derive(Debug, Default)]
pub struct Nodes {
    seen: BTreeMap<u64, Node>,
    looked: Option<Instant>,
}

#[derive(Debug)]
struct Node {
    signs: Vec<u8>,
    changed: Instant,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It gave no sign since this host began to look.
    Unknown,
    Online,
    Offline,
}

impl Nodes {
    /// Gives a sign of life, takes a number if this machine has none, and returns the nodes that went or came back since the last call.
    pub fn look(&mut self, leadership: &Leadership, services: &Services) -> Result<Vec<NodeEvent>, Down> {
        let record = RecordKey::new(PersistentCollection::Global, KEY, "");
        let bytes = services.settings(|settings| settings.limit(Limit::StoreBytes));
        let update = Update::first(&record, StoreLimits::new(2 * MAX_NODES + 1, bytes));
        services.ask_store(|store, by| sign(store, update, leadership, by))?;
        let variables = services.ask_store(|store, by| store.read_all(&record, by))?;
        let signs = variables.into_iter().filter_map(|(name, value)| {
            let number = std::str::from_utf8(name.strip_prefix(SIGNS)?).ok()?.parse().ok()?;
            Some((number, value))
        });
        Ok(self.note(signs.collect(), Instant::now()))
    }

    /// Compares signs with those of the last look.
    fn note(&mut self, signs: BTreeMap<u64, Vec<u8>>, now: Instant) -> Vec<NodeEvent> {
        if self.looked.is_some_and(|looked| now.saturating_duration_since(looked) > GAP) {
            self.seen.values_mut().for_each(|node| node.changed = now);
        }
        self.looked = Some(now);
        self.seen.retain(|number, _| signs.contains_key(number));
        let mut events = Vec::new();
        for (number, signs) in signs {
            let Some(node) = self.seen.get_mut(&number) else {
                self.seen.insert(number, Node { signs, changed: now, state: State::Unknown });
                continue;
            };
            let before = node.state;
            if node.signs != signs {
                (node.signs, node.changed, node.state) = (signs, now, State::Online);
            } else if now.saturating_duration_since(node.changed) >= OFFLINE {
                node.state = State::Offline;
            }
            if before != State::Unknown && before != node.state {
                events.push(NodeEvent { node: number, is_online: node.state == State::Online });
            }
        }
        events
    }
}

/// Counts a sign of life of this machine.
fn sign(store: &dyn Store, update: Update<'_>, leadership: &Leadership, by: Instant) -> Result<(), Down> {
    let machine = [NUMBER, leadership.machine().as_bytes()].concat();
    let down = |error: WriteError| match error {
        WriteError::Down(down) => down,
        WriteError::Full(full) => Down::new(format!("it takes no more nodes: {full}")),
        other => Down::new(other.to_string()),
    };
    let known = store.read(update.record, &machine, by)?.and_then(|number| std::str::from_utf8(&number).ok()?.parse().ok());
    let node = match known {
        Some(node) => node,
        None => {
            let (node, _) = store.add(update, COUNT, 1, by).map_err(down)?;
            store.write(update, &machine, node.to_string().as_bytes(), by).map_err(down)?;
            node
        }
    };
    let signs = [SIGNS, node.to_string().as_bytes()].concat();
    store.add(update, &signs, 1, by).map_err(down)?;
    let forgotten = SystemTime::now() + FORGOTTEN;
    store.expire(update.record, &machine, forgotten, by)?;
    store.expire(update.record, &signs, forgotten, by)?;
    leadership.set_node(node.unsigned_abs());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signs(counts: &[(u64, u64)]) -> BTreeMap<u64, Vec<u8>> {
        counts.iter().map(|(node, count)| (*node, count.to_string().into_bytes())).collect()
    }

    /// Looks every five seconds, and returns the events of each look.
    fn looks(nodes: &mut Nodes, began: Instant, counts: &[&[(u64, u64)]]) -> Vec<Vec<(u64, bool)>> {
        let looks = counts.iter().enumerate();
        let events = looks.map(|(look, counts)| nodes.note(signs(counts), began + Duration::from_secs(5) * look as u32));
        events.map(|events| events.iter().map(|event| (event.node, event.is_online)).collect()).collect()
    }

    #[test]
    fn a_machine_keeps_its_number() {
        let waf = secrule::Waf::from_rules("").unwrap();
        let services = || Services::new(&waf, std::sync::Arc::default());
        for (host, signs) in [(services(), 2), (services(), 4)] {
            let mut nodes = Nodes::default();
            (0..2).for_each(|_| assert_eq!(nodes.look(host.leadership(), &host), Ok(Vec::new())));
            assert_eq!(host.leadership().node(), 1);
            assert_eq!(nodes.seen[&1].signs, signs.to_string().into_bytes());
        }
    }

    #[test]
    fn a_node_that_gives_no_sign_for_15_seconds_is_offline_and_comes_back() {
        let mut nodes = Nodes::default();
        let counts: [&[(u64, u64)]; 8] = [
            &[(1, 1), (2, 7)],
            &[(1, 2), (2, 8)],
            &[(1, 3), (2, 8)],
            &[(1, 4), (2, 8)],
            &[(1, 5), (2, 8)],
            &[(1, 6), (2, 8)],
            &[(1, 7), (2, 9)],
            &[(1, 8), (2, 10)],
        ];
        let events = looks(&mut nodes, Instant::now(), &counts);
        let expected = [vec![], vec![], vec![], vec![], vec![(2, false)], vec![], vec![(2, true)], vec![]];
        assert_eq!(events, expected);
    }

    #[test]
    fn a_node_that_had_gone_before_is_not_reported_and_one_that_comes_later_neither() {
        let mut nodes = Nodes::default();
        let counts: [&[(u64, u64)]; 6] = [&[(1, 9)], &[(1, 9)], &[(1, 9)], &[(1, 9), (2, 1)], &[(1, 9), (2, 2)], &[(1, 10), (2, 3)]];
        let events = looks(&mut nodes, Instant::now(), &counts);
        assert_eq!(events, [vec![], vec![], vec![], vec![], vec![], vec![(1, true)]]);
    }

    #[test]
    fn a_time_without_a_store_says_nothing_of_others() {
        let mut nodes = Nodes::default();
        let began = Instant::now();
        looks(&mut nodes, began, &[&[(1, 1)], &[(1, 2)]]);
        let later = began + Duration::from_secs(600);
        assert_eq!(looks(&mut nodes, later, &[&[(1, 2)], &[(1, 3)]]), [vec![], vec![]]);
    }
}
