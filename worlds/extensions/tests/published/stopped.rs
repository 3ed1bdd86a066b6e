//! A PostgreSQL that ends or stands still in the middle of a run.

use crate::postgres::{Server, signal};
use crate::support::{Running, Scene};
use secrule_extensions::Ending;
use serde_json::json;
use std::time::{Duration, Instant};

/// Asks something that takes a minute and more, within so many seconds.
fn asking(seconds: &str) -> String {
    format!(
        "local rows, err = sql_query([[with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000000000) \
         select count(*), 'in_the_middle' from n]], {seconds}, 10, 'log_server', 1)\noutput(rows, err)"
    )
}

/// Starts a host whose first extension asks the server, and whose second one asks it for little.
fn start(server: &Server, seconds: &str, rules: &str) -> Running {
    let scene = Scene::new().rules(&format!("SecExtensionDatabase log_server {}\n{rules}", server.address("postgres")));
    let scene = scene.extension("long.lua", &asking(seconds), "event:long");
    let scene = scene.extension("short.lua", "output(sql_query('select 1 as one', 3, 1, 'log_server', 0))", "event:short");
    let running = scene.extension("calm.lua", "output('calm')", "event:calm").start();
    running.waf.event(&json!({"type": "long"})).unwrap();
    running
}

/// Asserts that another extension runs meanwhile.
fn assert_goes_on(running: &Running) {
    running.waf.event(&json!({"type": "calm"})).unwrap();
    let run = running.wait_for_runs("calm.lua", 1).remove(0);
    assert_eq!((&run.ending, run.output.as_str()), (&Ending::Ok, "calm\n"));
}

fn postmaster(server: &Server) -> String {
    let file = std::fs::read_to_string(server.folder.path().join("data/postmaster.pid")).unwrap();
    file.lines().next().unwrap().to_owned()
}

pub fn a_database_that_is_killed_in_the_middle_is_nil_and_a_text() {
    let server = Server::start();
    let running = start(&server, "60", "");
    server.process_of("in_the_middle");
    let began = Instant::now();
    server.kill();
    assert_goes_on(&running);
    let run = running.wait_for_runs("long.lua", 1).remove(0);
    assert_eq!(run.ending, Ending::Ok, "{run:?}");
    assert!(run.output.starts_with("nil ") && run.output.contains("check that it runs"), "{run:?}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

pub fn a_database_that_stands_still_is_nil_and_a_text_in_time() {
    let server = Server::start();
    let running = start(&server, "5", "");
    let processes = [server.process_of("in_the_middle"), postmaster(&server)];
    processes.iter().for_each(|process| signal("STOP", process));
    let began = Instant::now();
    assert_goes_on(&running);
    // One that begins now has no answer to its first word.
    running.waf.event(&json!({"type": "short"})).unwrap();
    for name in ["long.lua", "short.lua"] {
        let run = running.wait_for_runs(name, 1).remove(0);
        assert_eq!(run.ending, Ending::Ok, "{run:?}");
        assert!(run.output.starts_with("nil ") && run.output.contains("longer than"), "{run:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    processes.iter().for_each(|process| signal("CONT", process));
    running.waf.event(&json!({"type": "short"})).unwrap();
    assert_eq!(running.wait_for_runs("short.lua", 2)[1].output, "[{\"one\":1}] nil\n");
}

pub fn a_run_ends_by_its_own_limit_while_a_database_stands_still() {
    let server = Server::start();
    let running = start(&server, "nil", "SecExtensionTimeLimit 4");
    let process = server.process_of("in_the_middle");
    signal("STOP", &process);
    let began = Instant::now();
    assert_goes_on(&running);
    let run = running.wait_for_runs("long.lua", 1).remove(0);
    signal("CONT", &process);
    assert!(matches!(&run.ending, Ending::Stopped(reason) if reason.contains("4 s")), "{run:?}");
    assert!(run.output.is_empty() && began.elapsed() < Duration::from_secs(8), "{run:?} {:?}", began.elapsed());
}
