//! The slots of a cluster, and the nodes that serve them.

use super::address::Node;
use redis::Value;

/// Number of slots.
const SLOTS: u16 = 16_384;

/// The masters of a cluster, as a node told them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slots {
    /// The first and the last slot of each range.
    ranges: Vec<(u16, u16, Node)>,
}

/// Returns the slot of a key: that of its part in braces, if it has one.
pub fn slot(key: &[u8]) -> u16 {
    let braced = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = key.get(open + 1..)?;
        let close = rest.iter().position(|byte| *byte == b'}')?;
        rest.get(..close).filter(|part| !part.is_empty())
    });
    crc16(braced.unwrap_or(key)) % SLOTS
}

/// The cyclic redundancy check of XMODEM, as Redis Cluster prescribes it.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ (u16::from(*byte) << 8), |sum, _| if sum & 0x8000 == 0 { sum << 1 } else { (sum << 1) ^ 0x1021 })
    })
}

impl Slots {
    /// Reads the answer to `CLUSTER SLOTS` of a node. A node that does not know its own address leaves it out.
    pub fn read(answer: &Value, asked: &Node) -> Self {
        let Value::Array(ranges) = answer else { return Self::default() };
        let range = |range: &Value| {
            let Value::Array(parts) = range else { return None };
            let [Value::Int(first), Value::Int(last), Value::Array(master), ..] = parts.as_slice() else { return None };
            let [host, Value::Int(port), ..] = master.as_slice() else { return None };
            let host = match host {
                Value::BulkString(host) if !host.is_empty() => String::from_utf8(host.clone()).ok()?,
                _ => asked.host.clone(),
            };
            Some((u16::try_from(*first).ok()?, u16::try_from(*last).ok()?, Node { host, port: u16::try_from(*port).ok()? }))
        };
        Self { ranges: ranges.iter().filter_map(range).collect() }
    }

    /// Returns `true` if no slot is served.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Returns the node of a slot.
    pub fn node(&self, slot: u16) -> Option<&Node> {
        self.ranges.iter().find(|(first, last, _)| (*first..=*last).contains(&slot)).map(|(_, _, node)| node)
    }

    /// Returns all nodes, each once.
    pub fn nodes(&self) -> Vec<Node> {
        let mut nodes: Vec<Node> = Vec::new();
        for (_, _, node) in &self.ranges {
            if !nodes.contains(node) {
                nodes.push(node.clone());
            }
        }
        nodes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_slots_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(slot(b"foo"), 12_182);
        assert_eq!(slot(b"{user1000}.following"), slot(b"{user1000}.followers"));
        assert_eq!(slot(b"foo{}{bar}"), crc16(b"foo{}{bar}") % SLOTS);
        assert_eq!(slot(b"foo{bar}{zap}"), slot(b"bar"));
    }

    #[test]
    fn ranges_are_read_and_what_is_broken_is_left_out() {
        let asked = Node { host: "seed".to_owned(), port: 1 };
        let node = |host: &[u8], port| Value::Array(vec![Value::BulkString(host.to_vec()), Value::Int(port)]);
        let range = |first, last, node| Value::Array(vec![Value::Int(first), Value::Int(last), node]);
        let answer =
            Value::Array(vec![range(0, 9, node(b"", 7000)), range(10, 20, node(b"b", 7001)), range(21, 30, Value::Nil), Value::Nil]);
        let slots = Slots::read(&answer, &asked);
        assert_eq!(slots.node(9).map(ToString::to_string).as_deref(), Some("seed:7000"));
        assert_eq!(slots.node(10).map(ToString::to_string).as_deref(), Some("b:7001"));
        assert_eq!((slots.node(25), slots.nodes().len()), (None, 2));
    }
}
