//! The examples of this project, with local servers in place of those that they name.

use crate::server::{Answering, Looking, Server, allowed, response};
use crate::support::{Loaded, Scene};
use crate::tls::Certificates;
use crate::{SCORES, judge, minute, record};
use secrule_extensions::Ending;
use secrule_extensions::sql::{Action, WafEvent};
use secrule_host::Outgoing;
use secrule_testkit::project;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime};

/// Returns an example, and its trigger as its first lines have it.
fn example(name: &str) -> (String, String) {
    let text = std::fs::read_to_string(project().join("examples/extensions").join(name)).unwrap();
    let directive = format!("--   SecExtension {name} ");
    let trigger = text.lines().find_map(|line| line.strip_prefix(&directive)).unwrap().to_owned();
    (text, trigger)
}

/// Replaces a part of an example, which must be there once.
fn replaced(text: &str, part: &str, by: &str) -> String {
    assert_eq!(text.matches(part).count(), 1, "{part}");
    text.replace(part, by)
}

/// Loads an example with an embedded database.
fn load(name: &str, change: impl FnOnce(&str) -> String, rules: &str, events: Vec<WafEvent>) -> Loaded {
    let (text, trigger) = example(name);
    let scene = Scene::new();
    let path = scene.path("events.db");
    record(&path, events, [minute(1, 7, 40.0), minute(2, 7, 60.0), minute(3, 9, 5.0), minute(61, 8, 99.0)]);
    let rules = format!("SecExtensionDatabase log_server \"embedded:{}\"\n{rules}", path.display());
    scene.rules(&rules).extension(name, &change(&text), &trigger).load()
}

fn blocked(minutes: u64, client: &str, rule: &str, msg: &str) -> WafEvent {
    WafEvent {
        created: SystemTime::now() - Duration::from_secs(minutes * 60),
        app_id: 1,
        remote_addr: client.to_owned(),
        action: Action::Block,
        score: 5,
        threshold: 5,
        rule_id: rule.to_owned(),
        msg: msg.to_owned(),
        ..WafEvent::default()
    }
}

fn output(loaded: &Loaded) -> String {
    let run = loaded.run(0, None);
    assert_eq!(run.ending, Ending::Ok, "{run:?}");
    run.output
}

pub fn the_minute_report_is_posted() {
    const URL: &str = "https://monitoring.example:8443/nodes";
    let answering = Answering::with(response("thanks"));
    let url = answering.server.url("/nodes");
    let rules = format!("SecScriptConnect 127.0.0.1:{}", answering.server.port);
    let loaded = load("minute_report.lua", |text| replaced(text, URL, &url), &rules, Vec::new());
    assert_eq!(output(&loaded), "posted 2 nodes: status 200\n");
    let request = answering.requests().remove(0);
    let posted: Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
    let node = |id: u64, cpu: u64, minutes: u64| json!({"node_id": id, "cpu": cpu, "memory": 40, "requests": 100 * minutes, "blocked": 2 * minutes});
    assert_eq!(posted, json!([node(7, 50, 2), node(9, 5, 1)]));
    // It is tried three times.
    let closing = Server::start(|stream, _| drop(stream));
    let rules = format!("SecScriptConnect 127.0.0.1:{}", closing.port);
    let loaded = load("minute_report.lua", |text| replaced(text, URL, &closing.url("/")), &rules, Vec::new());
    let said = output(&loaded);
    assert!(said.starts_with("not posted: ") && closing.connections() == 3, "{said} {}", closing.connections());
    let (text, trigger) = example("minute_report.lua");
    let said = output(&Scene::new().extension("report.lua", &text, &trigger).load());
    assert!(said.starts_with("no figures: ") && said.contains("SecExtensionDatabase"), "{said}");
}

pub fn events_are_printed() {
    let (text, trigger) = example("print_event.lua");
    let running = Scene::new().rules(SCORES).extension("print.lua", &text, &trigger).start();
    let types = ["nodes_heartbeat_offline", "nodes_heartbeat_online", "release"];
    types.iter().for_each(|kind| running.waf.event(&json!({ "type": kind, "number": 1 })).unwrap());
    running.wait_for_runs("print.lua", 3);
    assert_eq!(judge(&running.waf, "198.51.100.7", "high"), Some(403));
    let outputs: Vec<Value> =
        running.wait_for_runs("print.lua", 4).iter().map(|run| serde_json::from_str(run.output.trim_end()).unwrap()).collect();
    assert!((0..3).all(|at| outputs[at] == json!({"type": types[at], "number": 1})), "{outputs:?}");
    assert_eq!((&outputs[3]["type"], &outputs[3]["score"]), (&json!("waf_event"), &json!("5")));
}

pub fn clients_that_were_blocked_five_times_come_onto_the_list() {
    let times = |count: usize, client: &'static str| (0..count).map(move |_| blocked(60, client, "942100", "SQL"));
    let old = blocked(60 * 25, "192.0.2.4", "942100", "SQL");
    let elsewhere = times(5, "192.0.2.6").map(|event| WafEvent { app_id: 2, ..event });
    let logged = times(5, "192.0.2.7").map(|event| WafEvent { action: Action::Log, ..event });
    let events = times(5, "192.0.2.5").chain(times(4, "192.0.2.4")).chain([old]).chain(elsewhere).chain(logged);
    let rules = "SecPluginStatus 418\nSecSiteId 1\nSecIpList blacklist list:blocked_today site:1";
    let loaded = load("blocked_today.lua", str::to_owned, rules, events.collect());
    assert_eq!(output(&loaded), "1 clients are on the list\n");
    assert_eq!(loaded.waf.list("blocked_today").unwrap().unwrap(), ["192.0.2.5"]);
    let statuses = ["192.0.2.5", "192.0.2.4", "192.0.2.6"].map(|client| judge(&loaded.waf, client, "no"));
    assert_eq!(statuses, [Some(418), None, None]);
    let said = output(&Scene::new().extension("blocked.lua", &example("blocked_today.lua").0, "cron:\"0 0 * * *\"").load());
    assert!(said.starts_with("no clients: "), "{said}");
}

pub fn an_alarm_is_sent_when_there_are_too_many_attacks() {
    let events = |count: usize| {
        let others = [blocked(11, "192.0.2.1", "942100", "SQL"), blocked(1, "192.0.2.1", "930120", "Files")];
        (1..count).map(|_| blocked(2, "192.0.2.1", "942100", "SQL 100%")).chain(others).collect::<Vec<_>>()
    };
    let loaded = load("alarm.lua", str::to_owned, "SecAlarm log", events(100));
    assert_eq!(output(&loaded), "100 requests were blocked\n");
    assert!(loaded.log.last(1).is_empty());
    let loaded = load("alarm.lua", str::to_owned, "SecAlarm log", events(101));
    assert_eq!(output(&loaded), "alarm sent\n");
    let line = loaded.log.last(1)[0].to_string();
    assert!(line.ends_with("[alarm] WARNING attacks: 100 times rule 942100: SQL 100%; 1 times rule 930120: Files"), "{line}");
    let loaded = load("alarm.lua", str::to_owned, "SecAlarm https://127.0.0.1:1/x", events(101));
    let said = output(&loaded);
    assert!(said.starts_with("no alarm: a place of SecAlarm: "), "{said}");
}

pub fn certificates_are_checked_and_an_alarm_is_sent() {
    let certificates = Certificates::new();
    certificates.issue("ca", "www.shop.example").issue("other", "api.shop.example");
    let server = certificates.serve(&[("www.shop.example", "www.shop.example"), ("api.shop.example", "api.shop.example")]);
    let outgoing = || {
        let here = Looking(|_: &str| vec![Ipv4Addr::LOCALHOST.into()]);
        let builder = Outgoing::builder().allowed(allowed(&["127.0.0.1:*"])).lookup(here);
        builder.authorities(&certificates.authority()).unwrap().build()
    };
    let with_port = |port: u16| move |text: &str| replaced(text, "(host, 443)", &format!("(host, {port})"));
    let mut loaded = load("certificates.lua", with_port(server.port), "SecAlarm log", Vec::new());
    loaded.outgoing = outgoing();
    let untrusted = "certificate: this machine does not trust its issuer";
    assert_eq!(output(&loaded), format!("www.shop.example is fine\napi.shop.example {untrusted}\n"));
    let line = loaded.log.last(1)[0].to_string();
    assert!(line.ends_with(&format!("[alarm] ERROR certificate: api.shop.example: {untrusted}")), "{line}");
    // Nobody listens at the port.
    let mut loaded = load("certificates.lua", with_port(1), "SecAlarm log", Vec::new());
    loaded.outgoing = outgoing();
    let said = output(&loaded);
    assert_eq!(said.matches("connection refused").count(), 2, "{said}");
    // All is fine: no alarm.
    certificates.issue("ca", "api.shop.example");
    let server = certificates.serve(&[("www.shop.example", "www.shop.example"), ("api.shop.example", "api.shop.example")]);
    let mut loaded = load("certificates.lua", with_port(server.port), "SecAlarm log", Vec::new());
    loaded.outgoing = outgoing();
    assert_eq!(output(&loaded), "www.shop.example is fine\napi.shop.example is fine\n");
    assert!(loaded.log.last(1).is_empty());
}
