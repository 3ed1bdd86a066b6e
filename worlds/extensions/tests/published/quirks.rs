//! Points that the published text says in two ways, or leaves open.

use crate::server::{Answering, response};
use crate::support::{Scene, output};
use crate::{SCORES, filled_server, judge, minute, record};
use secrule_extensions::sql::{Action, WafEvent};
use serde_json::json;
use std::time::SystemTime;

/// Runs a script with a database in which two clients of application 1 were blocked.
fn with_rows(text: &str) -> String {
    let scene = Scene::new();
    let path = scene.path("events.db");
    let blocked = |client: &str, app_id| WafEvent {
        created: SystemTime::now(),
        remote_addr: client.to_owned(),
        action: Action::Block,
        app_id,
        score: 5,
        threshold: 5,
        ..WafEvent::default()
    };
    record(&path, [blocked("192.0.2.1", 1), blocked("192.0.2.2", 1), blocked("192.0.2.3", 11)], [minute(1, 7, 50.0)]);
    let scene = scene.rules(&format!("SecExtensionDatabase log_server \"embedded:{}\"", path.display()));
    scene.extension("a.lua", text, "event:test").load().run(0, None).output
}

/// Asks for the clients of an application, with its number as a text.
const BY_TEXT: &str = "local rows, err = sql_query(([[SELECT DISTINCT remote_addr as ip FROM waf_request_tsdb WHERE app_id='%s' AND action='block' \
    AND created >= now() - interval '24 hours' order by ip]]):format('1'), 120, 2000, 'log_server') output(rows, err)";

pub fn the_log_server_is_written_in_two_ways() {
    let text = "for _, name in ipairs {'log_server', 'log-server'} do output(#sql_query('select * from monitor', nil, nil, name)) end";
    assert_eq!(with_rows(text), "1\n1\n");
    assert!(with_rows("output(sql_query('select 1', nil, nil, 'log server'))").starts_with("nil "));
}

pub fn a_table_is_a_body_of_json() {
    let answering = Answering::with(response("done"));
    let url = answering.server.url("/");
    let text =
        format!("http_query('POST', '{url}', {{body = {{{{node_id = 7, avg = 50.5}}}}}}) http_query('POST', '{url}', {{body = '[1]'}})");
    Scene::new().connect(answering.server.port).extension("a.lua", &text, "event:test").load().run(0, None);
    let requests = answering.requests();
    assert!(requests[0].ends_with("\r\n\r\n[{\"avg\":50.5,\"node_id\":7}]") && requests[0].contains("application/json"), "{requests:?}");
    assert!(requests[1].ends_with("\r\n\r\n[1]") && !requests[1].contains("json"), "{requests:?}");
}

pub fn output_takes_tables_and_several_values() {
    assert_eq!(with_rows("output((sql_query('select node_id from monitor', 120, 2000, 'log_server')))"), "[{\"node_id\":7}]\n");
    let two = "output('failed to verify TLS certificate for app, domain: %s, err: no certificate found', 'a, b')";
    assert_eq!(output(two), "failed to verify TLS certificate for app, domain: %s, err: no certificate found a, b\n");
}

pub fn a_score_that_equals_the_threshold_counts() {
    let text = "output(trigger_event.score, trigger_event.threshold)";
    let rules =
        SCORES.replace("threshold=5", "threshold=3").replace("score=+5", "score=+%{REQUEST_HEADERS.X-Score}").replace("@ge 5", "@ge 9");
    let rules = rules.replace("REQUEST_HEADERS:X-Attack \"@streq high\"", "REQUEST_HEADERS:X-Attack \"@rx ^(\\d)$\"");
    let rules = rules.replace("%{REQUEST_HEADERS.X-Score}", "%{TX.1}").replace("severity:CRITICAL,", "severity:CRITICAL,capture,");
    let running = Scene::new().rules(&rules).extension("a.lua", text, "event:waf_event").start();
    for (client, score) in [("198.51.100.2", "2"), ("198.51.100.3", "3"), ("198.51.100.4", "4")] {
        assert_eq!(judge(&running.waf, client, score), None);
    }
    let outputs: Vec<String> = running.wait_for_runs("a.lua", 2).into_iter().map(|run| run.output).collect();
    assert_eq!(outputs, ["3 3\n", "4 3\n"]);
}

pub fn events_of_nodes_have_two_names() {
    let printer = "output(trigger_event.type)";
    let scene = Scene::new().extension("old.lua", printer, "event:nodes_offline,nodes_online");
    let running = scene.extension("new.lua", printer, "event:node_offline,node_online").start();
    let types = ["node_offline", "nodes_offline", "node_online", "nodes_online"];
    types.iter().for_each(|kind| running.waf.event(&json!({ "type": kind })).unwrap());
    for name in ["old.lua", "new.lua"] {
        let outputs: Vec<String> = running.wait_for_runs(name, 4).into_iter().map(|run| run.output).collect();
        assert_eq!(outputs.concat().lines().collect::<Vec<_>>(), types, "{name}");
    }
}

pub fn a_number_is_found_by_its_text() {
    assert_eq!(with_rows(BY_TEXT), "[{\"ip\":\"192.0.2.1\"},{\"ip\":\"192.0.2.2\"}] nil\n");
}

pub fn a_number_of_postgresql_is_found_by_its_text() {
    let scene = Scene::new().rules(&format!("SecExtensionDatabase log_server {}", filled_server().address("postgres")));
    let run = scene.extension("a.lua", BY_TEXT, "event:test").load().run(0, None);
    assert_eq!(run.output, "[{\"ip\":\"192.0.2.1\"},{\"ip\":\"2001:db8::1\"}] nil\n");
}
