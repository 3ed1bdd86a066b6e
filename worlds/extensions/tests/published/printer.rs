//! The example that prints events.

use crate::support::Scene;
use crate::text::{DOCUMENT, PRINTER};
use crate::{SCORES, judge, wait_until};
use secrule_extensions::{Cause, Ending};
use secrule_host::{NodeEvent, World};
use secrule_testkit::shared;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const TYPES: &str = "event:waf_event,nodes_heartbeat_offline,nodes_heartbeat_online,node_offline,node_online,release,disk_full";

/// Returns the lines of an event that the document shows behind a sentence.
fn lines_behind(sentence: &str) -> Vec<String> {
    let document = std::fs::read_to_string(shared(DOCUMENT)).unwrap();
    let (_, rest) = document.split_once(sentence).unwrap_or_else(|| panic!("the document has no `{sentence}`"));
    let lines = rest.lines().skip_while(|line| !line.starts_with("    \""));
    lines.take_while(|line| line.starts_with("    ")).map(str::to_owned).collect()
}

/// Returns a flat event of the document.
fn event_behind(sentence: &str) -> Value {
    serde_json::from_str(&format!("{{{}}}", lines_behind(sentence).concat())).unwrap()
}

/// Returns the names of members with the types of their values.
fn members_of(value: &Value, members: &mut BTreeMap<String, &'static str>) {
    let kind = |value: &Value| match value {
        Value::String(_) => "text",
        Value::Number(_) => "number",
        _ => "list",
    };
    match value {
        Value::Object(object) => object.iter().for_each(|(name, value)| {
            members.insert(name.clone(), kind(value));
            members_of(value, members);
        }),
        Value::Array(values) => values.iter().for_each(|value| members_of(value, members)),
        _ => {}
    }
}

fn event_of(output: &str) -> Value {
    serde_json::from_str(output.trim_end()).unwrap()
}

pub fn events_of_requests_have_the_members_of_the_document() {
    let running = Scene::new().rules(SCORES).extension("print.lua", PRINTER, TYPES).start();
    assert_eq!(judge(&running.waf, "198.51.100.7", "no"), None);
    assert_eq!(judge(&running.waf, "198.51.100.7", "high"), Some(403));
    let run = running.wait_for_runs("print.lua", 1).remove(0);
    let mut event = event_of(&run.output);
    for (name, expected) in [("type", "waf_event"), ("app_id", "1"), ("score", "5"), ("threshold", "5"), ("action", "block")] {
        assert_eq!(event[name], expected);
    }
    assert_eq!((&event["remote_addr"], &event["request"]), (&json!("198.51.100.7"), &json!("GET /a?b=1 HTTP/1.1")));
    let rules: Vec<&Value> = event["matches"].as_array().unwrap().iter().map(|found| &found["rule_id"]).collect();
    assert_eq!(rules, ["942100", "949110"]);
    // What the inner matches are like the document does not show.
    for found in event["matches"].as_array_mut().unwrap() {
        assert_eq!(found["matches"][0].as_object_mut().unwrap().keys().collect::<Vec<_>>(), ["name", "value"]);
        found["matches"] = json!([]);
    }
    let (mut members, mut published) = (BTreeMap::new(), BTreeMap::new());
    members_of(&event, &mut members);
    for line in lines_behind("The requests of the same client IP will only trigger") {
        let (name, value) = line.trim().split_once(": ").unwrap();
        let kind = if value.starts_with('"') { "text" } else { "number" };
        published.insert(name.trim_matches('"').to_owned(), if value == "[" { "list" } else { kind });
    }
    assert!(published.len() > 20, "{published:?}");
    assert_eq!(members, published);
}

pub fn each_event_of_the_document_is_printed_as_it_stands_there() {
    let running = Scene::new().extension("print.lua", PRINTER, TYPES).start();
    // Those of heartbeats are made by the host that leads.
    wait_until("the host leads", || running.services.leadership().leads());
    running.extensions.take_node_event(&NodeEvent { node: 59, is_online: false });
    running.extensions.take_node_event(&NodeEvent { node: 59, is_online: true });
    let heartbeats = ["Triggered when the nodes do not send heartbeats", "Triggered when the nodes send heartbeats"];
    let sent = ["health check fails", "health check is successful", "Triggered when the application is released"];
    let events: Vec<Value> = heartbeats.iter().chain(&sent).map(|sentence| event_behind(sentence)).collect();
    for event in &events[heartbeats.len()..] {
        running.waf.event(event).unwrap();
    }
    let runs = running.wait_for_runs("print.lua", events.len());
    assert!(runs.iter().all(|run| run.ending == Ending::Ok));
    let printed: Vec<Value> = runs.iter().map(|run| event_of(&run.output)).collect();
    assert_eq!(printed, events);
    let types: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["nodes_heartbeat_offline", "nodes_heartbeat_online", "node_offline", "node_online", "release"]);
}

pub fn a_type_of_ones_own_is_printed() {
    let running = Scene::new().extension("print.lua", PRINTER, TYPES).start();
    let event = json!({"type": "disk_full", "percent": 99.5, "disks": ["a", {"b": true}], "text": "\u{fc}\u{0}\"\n"});
    running.waf.event(&event).unwrap();
    assert_eq!(event_of(&running.wait_for_runs("print.lua", 1)[0].output), event);
}

pub fn a_run_by_hand_prints_a_node_that_is_offline() {
    let loaded = Scene::new().extension("print.lua", PRINTER, &format!("{TYPES} off")).load();
    let run = loaded.run(0, None);
    let offline =
        json!({"type": "nodes_heartbeat_offline", "from": "log-server", "message": "Gateway nodes [0] offline", "level": "ERROR"});
    assert_eq!(event_of(&run.output), offline);
    assert!(matches!(&run.cause, Cause::Hand(Some(event)) if **event == offline));
}
