//! The example that posts the load of nodes, each minute.

use crate::server::{Answering, Server, response};
use crate::support::{Loaded, Scene};
use crate::text::minute_report;
use crate::{ask, filled_server, lead, minute, postgres, record, wait_until};
use secrule_extensions::sql::{Databases, Value as Cell};
use secrule_extensions::{Ending, Extensions, Filter};
use secrule_host::World;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

/// Loads the example, which posts to a port of this machine.
fn load(scene: Scene, port: u16) -> Loaded {
    let text = minute_report(&format!("http://127.0.0.1:{port}/nodes"));
    scene.connect(port).extension("report.lua", &text, "cron:\"* * * * *\"").load()
}

/// Returns the JSON that a request posted.
fn posted(request: &str) -> Value {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /nodes HTTP/1.1\r\n") && head.contains("content-type: application/json"), "{head}");
    serde_json::from_str(body).unwrap()
}

pub fn the_load_of_nodes_is_posted_as_a_list() {
    let answering = Answering::with(response("thanks"));
    let scene = Scene::new();
    let path = scene.path("events.db");
    record(&path, [], [minute(1, 7, 40.0), minute(2, 7, 60.0), minute(90, 8, 1.0)]);
    let scene = scene.rules(&format!("SecExtensionDatabase log_server \"embedded:{}\"", path.display()));
    let run = load(scene, answering.server.port).run(0, None);
    assert_eq!((&run.ending, run.output.as_str()), (&Ending::Ok, ""), "{run:?}");
    assert_eq!(posted(&answering.requests()[0]), json!([{"node_id": 7, "avg": 50}]));
}

pub fn the_load_of_nodes_in_postgresql_is_posted_as_a_list() {
    let answering = Answering::with(response("thanks"));
    let server = filled_server();
    let scene = Scene::new().rules(&format!("SecExtensionDatabase log_server {}", server.address("postgres")));
    let run = load(scene, answering.server.port).run(0, None);
    assert_eq!(run.ending, Ending::Ok, "{run:?}");
    assert_eq!(posted(&answering.requests()[0]), json!([{"node_id": 7, "avg": 50}]));
}

pub fn a_host_posts_what_it_recorded_each_minute() {
    let answering = Answering::with(response("thanks"));
    let scene = Scene::new();
    let folder = scene.folder.path().to_owned();
    let loaded = load(scene.rules(&format!("SecDataDir \"{}\"", folder.display())), answering.server.port);
    let _leading = lead(&loaded);
    let leadership = loaded.services.leadership();
    let extensions = Extensions::start(&loaded.services, &loaded.outgoing).unwrap();
    let runs = || extensions.history(&Filter::last(100)).len();
    let now = SystemTime::now();
    let tick = |minutes: u64| extensions.tick(now - Duration::from_secs(minutes * 60), leadership);
    let databases = Databases::new(folder.join("extensions.db"));
    tick(3);
    tick(2);
    wait_until("the first run", || runs() == 1);
    wait_until("the first row", || ask(&databases, "select 1 from monitor").rows.len() == 1);
    tick(1);
    wait_until("the second run", || runs() == 2);
    let rows = posted(answering.requests().last().unwrap());
    let row = rows[0].as_object().unwrap();
    assert_eq!((rows.as_array().unwrap().len(), &row["node_id"]), (1, &json!(leadership.node())));
    assert!((0.0..=100.0).contains(&row["avg"].as_f64().unwrap()), "{rows}");
    assert_eq!(ask(&databases, "select requests from monitor").rows[0][0], Cell::Integer(0));
    extensions.stop();
}

pub fn a_server_that_does_not_answer_changes_nothing() {
    let closing = Server::start(|stream, _| drop(stream));
    let scene = Scene::new();
    let path = scene.path("events.db");
    record(&path, [], [minute(1, 7, 40.0)]);
    let scene = scene.rules(&format!("SecExtensionDatabase log_server \"embedded:{}\"", path.display()));
    let run = load(scene, closing.port).run(0, None);
    // The example looks at no failure. It is tried twice.
    assert_eq!((&run.ending, closing.connections()), (&Ending::Ok, 2), "{run:?}");
}

pub fn a_database_that_was_killed_leaves_nothing_to_post() {
    let answering = Answering::with(response("thanks"));
    let server = postgres::Server::start();
    let scene = Scene::new().rules(&format!("SecExtensionDatabase log_server {}", server.address("postgres")));
    let loaded = load(scene, answering.server.port);
    server.kill();
    let run = loaded.run(0, None);
    assert_eq!(run.ending, Ending::Ok, "{run:?}");
    // The example posts what it has: nothing.
    let request = answering.requests().remove(0);
    assert!(request.ends_with("\r\n\r\n") && !request.contains("json"), "{request}");
}
