//! Events: JSON objects with a type, which extensions run on.

use secrule_host::NodeEvent;
use serde_json::{Value, json};

/// Types of events that a host makes itself.
const NODE_WENT: &str = "nodes_heartbeat_offline";
const NODE_CAME: &str = "nodes_heartbeat_online";
const RELEASE: &str = "release";

/// Sender of events about nodes.
const LOG_SERVER: &str = "log-server";

/// Returns the type of an event.
pub fn event_type(event: &Value) -> Option<&str> {
    event.get("type")?.as_str()
}

/// Makes the event of a node that gives no sign of life any more, or gives one again.
pub fn of_node(change: &NodeEvent) -> Value {
    let (kind, state, level) = if change.is_online { (NODE_CAME, "online", "WARNING") } else { (NODE_WENT, "offline", "ERROR") };
    json!({ "type": kind, "from": LOG_SERVER, "message": format!("Gateway nodes [{}] {state}", change.node), "level": level })
}

/// Makes the event of rules that were loaded again, by nobody and for no application.
pub fn of_release() -> Value {
    json!({ "type": RELEASE, "uid": 0, "http_app_id": 0 })
}

/// Makes the event of hand runs without another one: a node that does not exist is offline.
pub fn for_tests() -> Value {
    of_node(&NodeEvent { node: 0, is_online: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_nodes_are_those_of_the_published_document() {
        let went = of_node(&NodeEvent { node: 59, is_online: false });
        let came = of_node(&NodeEvent { node: 59, is_online: true });
        let expected = |kind, message, level| json!({"type": kind, "from": "log-server", "message": message, "level": level});
        assert_eq!(went, expected("nodes_heartbeat_offline", "Gateway nodes [59] offline", "ERROR"));
        assert_eq!(came, expected("nodes_heartbeat_online", "Gateway nodes [59] online", "WARNING"));
        assert_eq!(for_tests().get("message"), Some(&json!("Gateway nodes [0] offline")));
    }
}
