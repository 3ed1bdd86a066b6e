//! Triggers: events, timetables, limits of waiting and of running.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics fails, as it should")]

#[path = "../../host/tests/server/mod.rs"]
mod server;
mod support;

use chrono::{Local, TimeZone};
use secrule::{Connection, Store};
use secrule_extensions::{Cause, Ending, Extensions, Filter, append_history, read_history};
use secrule_host::{Leadership, NodeEvent, World};
use serde_json::{Value, json};
use server::Server;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};
use support::{Loaded, Scene};

/// Rules that deny with a score, as those of the OWASP CRS do, and a message with quotation marks.
const SCORES: &str = r#"
SecAction "id:900110,phase:1,pass,nolog,setvar:tx.inbound_anomaly_score_threshold=5"
SecRule REQUEST_HEADERS:X-Attack "@rx ^(low|high)$" \
    "id:1001,phase:1,pass,log,msg:'It is \'%{TX.0}\'',tag:'attack-sqli',tag:'other',severity:CRITICAL,capture,setvar:tx.blocking_inbound_anomaly_score=+3"
SecRule REQUEST_HEADERS:X-Attack "@streq high" "id:1002,phase:1,pass,log,msg:'High',setvar:tx.blocking_inbound_anomaly_score=+2"
SecRule TX:BLOCKING_INBOUND_ANOMALY_SCORE "@ge 5" "id:949110,phase:1,deny,log,msg:'Exceeded',tag:'anomaly-evaluation'"
"#;

const PRINTER: &str = "output(trigger_event)";

fn event_of(output: &str) -> Value {
    serde_json::from_str(output.trim_end()).unwrap()
}

#[test]
fn an_event_that_was_sent_runs_the_extensions_of_its_type() {
    let scene = Scene::new()
        .extension(
            "release.lua",
            "output(trigger_event.uid + 1, trigger_event.http_app_id, trigger_event.from)",
            "event:release,custom_type",
        )
        .extension("nodes.lua", "output(trigger_event.message)", "event:nodes_offline")
        .extension("off.lua", PRINTER, "event:release off");
    let running = scene.start();
    running.waf.event(&json!({"type": "release", "uid": 2, "http_app_id": 786})).unwrap();
    running.waf.event(&json!({"type": "custom_type", "uid": 0})).unwrap();
    running.waf.event(&json!({"type": "unheard_of"})).unwrap();
    let message = "gateway node [78] is offline since failed to connect to connection refused, time: 1634629224";
    running.waf.event(&json!({"type": "node_offline", "from": "admin", "level": "ERROR", "message": message})).unwrap();
    let outputs: Vec<String> = running.wait_for_runs("release.lua", 2).into_iter().map(|run| run.output).collect();
    assert_eq!(outputs, ["3 786 nil\n", "1 nil nil\n"]);
    let runs = running.wait_for_runs("nodes.lua", 1);
    assert_eq!(runs[0].output, format!("{message}\n"));
    assert!(matches!(&runs[0].cause, Cause::Event(event) if event["level"] == "ERROR"));
    assert!(running.runs("off.lua").is_empty());
}

#[test]
fn secrets_are_stars_in_events_and_in_the_database() {
    const SECRETS: [&str; 5] = ["sid-of-a-client", "token-of-a-client", "hunter-2", "basic-password", "shop.example"];
    let scene = Scene::new();
    let folder = scene.folder.path().display().to_string();
    let secret = "SecSanitise REQUEST_COOKIES:sid ARGS:token ARGS:password REQUEST_HEADERS:Authorization REQUEST_HEADERS:Host";
    let rules = format!("SecDataDir \"{folder}\"\nSecRequestBodyAccess On\nSecSessionCookie sid\n{secret}");
    let found = r#"SecRule ARGS:token|REQUEST_COOKIES:sid "@contains client" "id:3,phase:2,pass,log,msg:'%{MATCHED_VAR}',logdata:'%{MATCHED_VAR}',setvar:tx.blocking_inbound_anomaly_score=+2""#;
    let select = "select host, uri, request, header, body, user_agent, msg from waf_request_tsdb";
    let scene = scene.rules(&rules).rules(SCORES).rules(found).extension("waf.lua", PRINTER, "event:waf_event");
    let running = scene.extension("rows.lua", &format!("output((sql_query('{select}', 5, 5, 'log_server')))"), "event:never").start();
    let mut transaction = running.waf.begin(Connection::new(([192, 0, 2, 7], 4_000).into(), ([192, 0, 2, 80], 80).into()));
    let _ = transaction.request_line(b"POST", b"/a?token=token-of-a-client", b"HTTP/1.1");
    for (name, value) in [
        ("Host", "shop.example"),
        ("Cookie", "sid=sid-of-a-client"),
        ("Authorization", "Bearer basic-password"),
        ("User-Agent", "agent of sid-of-a-client"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("X-Attack", "low"),
    ] {
        let _ = transaction.request_header(name.as_bytes(), value.as_bytes());
    }
    let _ = transaction.request_headers_end();
    let _ = transaction.request_body(b"password=hunter-2&x=1");
    let _ = transaction.request_end();
    let _ = transaction.finish();
    let run = running.wait_for_runs("waf.lua", 1).remove(0);
    let event = event_of(&run.output);
    assert_eq!((&event["host"], &event["body"]), (&json!("************"), &json!("password=********&x=1")));
    assert_eq!(event["request"], "POST /a?token=***************** HTTP/1.1");
    let rows = || running.run(1, None).output;
    let by = Instant::now() + Duration::from_secs(20);
    while !rows().contains("POST") {
        assert!(Instant::now() < by, "{}", rows());
    }
    for (name, text) in [("event", run.output.clone()), ("row", rows())] {
        for secret in SECRETS {
            assert!(!text.contains(secret), "{name}: {secret} in {text}");
        }
    }
}

#[test]
fn a_waf_event_has_the_fields_and_types_of_the_published_document() {
    let running = Scene::new().rules("SecSiteId 1033").rules(SCORES).extension("waf.lua", PRINTER, "event:waf_event").start();
    running.request("198.51.100.7", "high");
    let run = running.wait_for_runs("waf.lua", 1).remove(0);
    let mut event = event_of(&run.output);
    let version = event["matches"][0]["version"].as_str().unwrap().to_owned();
    assert!(version.len() == 32 && version.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    assert!(now - event["timestamp"].as_str().unwrap().parse::<u64>().unwrap() < 60);
    assert!(!event["request_id"].as_str().unwrap().is_empty());
    let members = event.as_object_mut().unwrap();
    members.remove("timestamp");
    members.remove("request_id");
    let found = |rule: &str, lines: (u64, u64), message: &str, group: &str, matches: Value| {
        json!({
            "matches": matches, "begin_line": lines.0, "end_line": lines.1, "version": version, "rule_id": rule, "rule_set_id": 1, "msg": message,
            "group": group,
        })
    };
    let value = |name: &str, value: &str| json!([{"name": name, "value": value}]);
    let expected = json!({
        "app_id": "1033",
        "type": "waf_event",
        "score": "5",
        "threshold": "5",
        "action": "block",
        "matches": [
            found("1001", (5, 6), "It is 'high'", "attack-sqli", value("REQUEST_HEADERS:X-Attack", "high")),
            found("1002", (7, 7), "High", "", value("REQUEST_HEADERS:X-Attack", "high")),
            found("949110", (8, 8), "Exceeded", "anomaly-evaluation", value("TX:BLOCKING_INBOUND_ANOMALY_SCORE", "5")),
        ],
        "header": "Host: shop.example\r\nX-Attack: high\r\n\r\n",
        "client_country": "",
        "client_province": "unknown",
        "client_city": "unknown",
        "client_isp": "",
        "from": "log_server",
        "body": "",
        "remote_addr": "198.51.100.7",
        "host": "shop.example",
        "request": "GET /a?b=1 HTTP/1.1",
    });
    assert_eq!(event, expected, "{event:#}");
}

#[test]
fn a_score_that_reaches_the_threshold_is_an_event_and_one_below_is_not() {
    // The published prose says "greater", its example has 3 and 3.
    let rules = SCORES.replace("threshold=5", "threshold=3").replace("@ge 5", "@ge 99");
    let text = "output(trigger_event.score, trigger_event.threshold, trigger_event.action, type(trigger_event.matches[1].begin_line))";
    let running = Scene::new().rules(&rules).extension("waf.lua", text, "event:waf_event").start();
    running.request("198.51.100.1", "none");
    running.request("198.51.100.2", "low");
    let runs = running.wait_for_runs("waf.lua", 1);
    assert_eq!(runs[0].output, "3 3 log number\n");
    let running = Scene::new().rules(SCORES).extension("waf.lua", text, "event:waf_event").start();
    running.request("198.51.100.1", "low");
    running.request("198.51.100.2", "high");
    let runs = running.wait_for_runs("waf.lua", 1);
    assert_eq!((runs.len(), runs[0].output.as_str()), (1, "5 5 block number\n"));
}

#[test]
fn a_request_that_is_denied_without_scores_has_1_and_1() {
    let rules = r#"SecRule REQUEST_HEADERS:X-Attack "@streq high" "id:1,phase:1,deny,log""#;
    let text = "output(trigger_event.score, trigger_event.threshold, trigger_event.matches[1].msg == '')";
    let running = Scene::new().rules(rules).extension("waf.lua", text, "event:waf_event").start();
    running.request("198.51.100.1", "high");
    assert_eq!(running.wait_for_runs("waf.lua", 1)[0].output, "1 1 true\n");
}

#[test]
fn a_client_has_one_waf_event_in_a_second() {
    let text = "output(trigger_event.remote_addr)";
    let running = Scene::new().rules(SCORES).extension("waf.lua", text, "event:waf_event").start();
    let began = Instant::now();
    (0..50).for_each(|_| running.request("198.51.100.1", "high"));
    running.request("198.51.100.2", "high");
    wait_until("the other client", || running.runs("waf.lua").iter().any(|run| run.output == "198.51.100.2\n"));
    let of_first = || running.runs("waf.lua").iter().filter(|run| run.output == "198.51.100.1\n").count();
    let (count, seconds) = (of_first(), began.elapsed().as_secs());
    assert!(count >= 1 && count as u64 <= seconds + 1, "{count} in {seconds} s");
    std::thread::sleep(Duration::from_millis(1_100));
    running.request("198.51.100.1", "high");
    wait_until("the next second", || of_first() == count + 1);
}

#[test]
fn nodes_that_go_and_come_are_events_where_the_host_leads() {
    let scene = Scene::new().extension("nodes.lua", PRINTER, "event:nodes_heartbeat_offline,nodes_heartbeat_online");
    let running = scene.start();
    let Loaded { services, outgoing, .. } = scene.load();
    let follower = Extensions::start(&services, &outgoing).unwrap();
    follower.take_node_event(&NodeEvent { node: 1, is_online: false });
    // The one of the host leads once it has its lease.
    let by = Instant::now() + Duration::from_secs(30);
    while running.runs("nodes.lua").is_empty() {
        running.extensions.take_node_event(&NodeEvent { node: 59, is_online: false });
        assert!(Instant::now() < by);
        std::thread::sleep(Duration::from_millis(50));
    }
    let expected =
        json!({"type": "nodes_heartbeat_offline", "from": "log-server", "message": "Gateway nodes [59] offline", "level": "ERROR"});
    assert_eq!(event_of(&running.runs("nodes.lua")[0].output), expected);
    assert!(follower.history(&Filter::last(10)).is_empty());
    follower.stop();
}

#[test]
fn a_hand_run_of_an_event_extension_has_a_node_that_is_offline() {
    let loaded = Scene::new().extension("a.lua", PRINTER, "event:waf_event off").extension("b.lua", PRINTER, "cron:\"0 0 * * *\"").load();
    let run = loaded.run(0, None);
    let expected =
        json!({"type": "nodes_heartbeat_offline", "from": "log-server", "message": "Gateway nodes [0] offline", "level": "ERROR"});
    assert_eq!(event_of(&run.output), expected);
    assert_eq!(run.cause.name(), "hand");
    let own = json!({"type": "custom", "list": [1, {"a": null, "b": true}]});
    assert_eq!(event_of(&loaded.run(0, Some(own)).output), json!({"type": "custom", "list": [1, {"b": true}]}));
    // A timetable has no event, by hand neither.
    assert_eq!(loaded.run(1, None).output, "nil\n");
}

/// A host that leads, for ticks with times of the test. The store is that of the rules, so that nobody else leads.
fn leading(loaded: &Loaded) -> std::sync::Arc<Leadership> {
    let (intake, _link) = secrule_host::Intake::local();
    let host = secrule_host::Host::start(loaded.services.clone(), intake, Vec::new()).unwrap();
    let leadership = std::sync::Arc::clone(loaded.services.leadership());
    let by = Instant::now() + Duration::from_secs(30);
    while !leadership.leads() {
        assert!(Instant::now() < by);
        std::thread::sleep(Duration::from_millis(10));
    }
    // It goes on until the process ends: a host that is stopped gives its lead back.
    std::mem::forget(host);
    leadership
}

fn local(day: u32, hour: u32, minute: u32, second: u32) -> SystemTime {
    Local.with_ymd_and_hms(2026, 11, day, hour, minute, second).unwrap().into()
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let by = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < by, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn timetables_run_at_their_times_in_local_time_and_not_for_times_that_were_missed() {
    let loaded = Scene::new()
        .extension("hourly.lua", "output('now', trigger_event)", "cron:\"30 * * * *\"")
        .extension("off.lua", "output('no')", "cron:\"* * * * *\" off")
        .load();
    let extensions = Extensions::start(&loaded.services, &loaded.outgoing).unwrap();
    let leadership = leading(&loaded);
    let runs = || extensions.history(&Filter::last(100));
    let ticks = |moments: &[SystemTime], count: usize| {
        moments.iter().for_each(|now| extensions.tick(*now, &leadership));
        wait_until("the runs", || runs().len() >= count);
        // A run too many would have begun by now.
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(runs().len(), count);
    };
    ticks(&[local(27, 10, 30, 0), local(27, 10, 59, 59), local(27, 11, 29, 59)], 0);
    ticks(&[local(27, 11, 30, 0), local(27, 11, 30, 1), local(27, 11, 31, 0)], 1);
    // The machine slept for a day: the times in between are over.
    ticks(&[local(28, 15, 45, 0), local(28, 16, 29, 59)], 1);
    ticks(&[local(28, 16, 30, 3), local(28, 16, 30, 4)], 2);
    // The clock is put back by a second, and then by an hour.
    ticks(&[local(28, 16, 29, 59), local(28, 16, 30, 0), local(28, 16, 30, 5)], 2);
    ticks(&[local(28, 15, 29, 0), local(28, 15, 30, 1)], 3);
    assert!(runs().iter().all(|run| run.output == "now nil\n" && run.cause == Cause::Timetable && run.ending == Ending::Ok));
    // A host that does not lead leaves the times to the one that does.
    let follower = Leadership::new();
    extensions.tick(local(28, 17, 30, 1), &follower);
    ticks(&[local(28, 17, 30, 2), local(28, 17, 31, 0)], 3);
    extensions.stop();
}

#[test]
fn a_run_that_goes_on_skips_the_next_and_the_history_says_so() {
    let server = Server::start(|_stream, number| std::thread::sleep(Duration::from_millis(if number == 0 { 1_500 } else { 0 })));
    let text = format!("http_query('GET', 'http://127.0.0.1:{}/', nil, 0) output('done')", server.port);
    let loaded = Scene::new().connect(server.port).extension("slow.lua", &text, "cron:\"* * * * *\"").load();
    let extensions = Extensions::start(&loaded.services, &loaded.outgoing).unwrap();
    let leadership = leading(&loaded);
    extensions.tick(local(27, 10, 0, 30), &leadership);
    extensions.tick(local(27, 10, 1, 0), &leadership);
    wait_until("the first run begins", || server.connections() == 1);
    extensions.tick(local(27, 10, 2, 0), &leadership);
    extensions.tick(local(27, 10, 3, 0), &leadership);
    wait_until("three entries", || extensions.history(&Filter::last(10)).len() == 3);
    extensions.tick(local(27, 10, 4, 0), &leadership);
    wait_until("four entries", || extensions.history(&Filter::last(10)).len() == 4);
    let endings: Vec<Ending> = extensions.history(&Filter::last(10)).into_iter().map(|run| run.ending).collect();
    let skipped = || Ending::Skipped("its last run goes on".to_owned());
    assert_eq!(endings, [skipped(), skipped(), Ending::Ok, Ending::Ok]);
    assert_eq!(extensions.status()["scripts"][0]["skipped"], json!(2));
    extensions.stop();
}

#[test]
fn a_full_queue_loses_the_oldest_events() {
    let server = Server::start(|_stream, _| std::thread::sleep(Duration::from_secs(1)));
    let text = format!(
        "if trigger_event.number == 0 then http_query('GET', 'http://127.0.0.1:{}/', nil, 0) end output(trigger_event.number)",
        server.port
    );
    let running = Scene::new().connect(server.port).extension("slow.lua", &text, "event:counted").start();
    running.extensions.take_event(&json!({"type": "counted", "number": 0}));
    wait_until("the first run begins", || server.connections() == 1);
    (1..=150).for_each(|number| running.extensions.take_event(&json!({"type": "counted", "number": number})));
    let status = running.status()["scripts"][0].clone();
    assert_eq!((&status["waiting"], &status["dropped"], &status["running"]), (&json!(100), &json!(50), &json!(true)));
    let outputs: Vec<String> = running.wait_for_runs("slow.lua", 101).into_iter().map(|run| run.output).collect();
    assert_eq!((outputs[1].as_str(), outputs[100].as_str()), ("51\n", "150\n"));
}

#[test]
fn scripts_without_end_or_measure_are_stopped_and_others_go_on() {
    let silent = Server::start(|_stream, _| std::thread::sleep(Duration::from_secs(120)));
    let blocked = format!("http_query('GET', 'http://127.0.0.1:{}/')", silent.port);
    let scene = Scene::new()
        .connect(silent.port)
        .rules("SecExtensionTimeLimit 3\nSecLuaInstructionLimit 100000000")
        .extension("loops.lua", "while true do end", "event:go")
        .extension("hides.lua", "while true do pcall(function() while true do end end) end", "event:go")
        .extension("blocks.lua", &blocked, "event:go")
        .extension("allocates.lua", "local t = {} while true do t[#t + 1] = ('x'):rep(100000) .. #t end", "event:grow")
        .extension("floods.lua", "for i = 1, 100000 do output('flood') end", "event:grow")
        .extension("calm.lua", "output('calm')", "event:calm");
    let running = scene.start();
    running.waf.event(&json!({"type": "go"})).unwrap();
    wait_until("three run", || silent.connections() == 1);
    running.waf.event(&json!({"type": "calm"})).unwrap();
    assert_eq!(running.wait_for_runs("calm.lua", 1)[0].output, "calm\n");
    assert!(running.runs("loops.lua").is_empty());
    running.waf.event(&json!({"type": "grow"})).unwrap();
    for (name, part) in [("loops.lua", "3 s"), ("hides.lua", "3 s"), ("blocks.lua", "3 s"), ("allocates.lua", "256 MiB of memory")] {
        let run = running.wait_for_runs(name, 1).remove(0);
        assert!(matches!(&run.ending, Ending::Stopped(reason) if reason.contains(part)), "{name} {run:?}");
    }
    let flood = running.wait_for_runs("floods.lua", 1).remove(0);
    assert_eq!((flood.ending, flood.notes.len()), (Ending::Ok, 1));
    assert!(
        running.log.last(100).iter().any(|line| line.to_string().contains("loops.lua [run] a run by event failed: it took more than 3 s"))
    );
}

#[test]
fn instructions_are_limited_to_a_hundred_times_those_of_a_rule() {
    let loaded = Scene::new()
        .rules("SecLuaInstructionLimit 10000")
        .extension("a.lua", "for i = 1, 100000 do end output('within')", "event:a")
        .extension("b.lua", "for i = 1, 10000000 do end", "event:a")
        .load();
    assert_eq!(loaded.run(0, None).output, "within\n");
    let ending = loaded.run(1, None).ending;
    assert!(matches!(&ending, Ending::Stopped(reason) if reason.contains("SecLuaInstructionLimit")), "{ending:?}");
}

#[test]
fn the_history_is_a_file_that_can_be_read_while_the_host_writes() {
    let scene = Scene::new();
    let path = scene.path("history.jsonl");
    let scene = scene
        .rules(&format!("SecExtensionHistory \"{}\" runs:5", path.display()))
        .extension("good.lua", "output(trigger_event.number)", "event:counted")
        .extension("bad.lua", "\nerror('lost')", "event:once");
    let mut running = scene.start();
    running.waf.event(&json!({"type": "once"})).unwrap();
    running.wait_for_runs("bad.lua", 1);
    for number in 1..=23 {
        running.waf.event(&json!({"type": "counted", "number": number})).unwrap();
        running.wait_for_runs("good.lua", number);
        assert!(read_history(&path, &Filter::last(100)).is_ok());
    }
    running.stop();
    let good = scene.path("good.lua").display().to_string();
    let runs = read_history(&path, &Filter::last(5).of(&good)).unwrap();
    let outputs: Vec<&str> = runs.iter().map(|run| run.output.as_str()).collect();
    assert_eq!(outputs, ["19\n", "20\n", "21\n", "22\n", "23\n"]);
    assert!(runs.iter().all(|run| run.ended >= run.began && matches!(&run.cause, Cause::Event(event) if event["type"] == "counted")));
    let all = read_history(&path, &Filter::last(100)).unwrap();
    assert!(all.len() < 1 + 10);
    let bad = all.iter().find(|run| run.extension.ends_with("bad.lua")).unwrap();
    assert!(matches!(&bad.ending, Ending::Error(reason) if reason.ends_with("bad.lua:2: lost")), "{bad:?}");
}

#[test]
fn a_timetable_that_is_not_one_is_an_error_with_a_remedy() {
    let loaded = Scene::new()
        .extension("a.lua", "", "cron:\"61 * * * *\"")
        .extension("b.lua", "", "cron:\"0 0 31 2 *\"")
        .extension("c.lua", "", "cron:\"0 0 * * *\"")
        .load();
    let failures = Extensions::start(&loaded.services, &loaded.outgoing).unwrap_err();
    let texts: Vec<String> = failures.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 2);
    assert!(texts[0].contains("a.lua cannot be started: `61 * * * *` is not a timetable") && texts[1].contains("b.lua"), "{texts:?}");
    assert!(texts.iter().all(|text| text.ends_with("write minute, hour, day, month and weekday, such as */5 * * * *")));
}

#[test]
fn a_data_folder_that_is_not_from_the_root_on_stops_the_start() {
    let start = |scene: Scene| {
        let loaded = scene.rules("SecDataDir data").load();
        Extensions::start(&loaded.services, &loaded.outgoing).map_err(|failures| failures[0].to_string())
    };
    let problem = start(Scene::new().extension("a.lua", "", "event:x")).unwrap_err();
    assert!(problem.starts_with("extensions cannot be started: SecDataDir data: ") && problem.contains("write SecDataDir /"), "{problem}");
    // A host of plugins alone has no such database.
    assert!(start(Scene::new()).is_ok());
}

#[test]
fn a_host_that_ends_does_not_wait_for_a_script_without_end() {
    let scene = Scene::new();
    let path = scene.path("history.jsonl");
    let scene = scene.rules(&format!("SecExtensionHistory \"{}\"", path.display()));
    let loops = "output('begun') ngx.log(1, 'begun') while true do pcall(function() while true do end end) end";
    let scene =
        scene.rules(ENDLESS).extension("loops.lua", loops, "event:go").extension("hand.lua", "output('by hand')", "event:never off");
    let mut running = scene.start();
    running.waf.event(&json!({"type": "go"})).unwrap();
    wait_until("it runs", || has_line(&running, "begun"));
    let loaded = scene.load();
    let file = loaded.services.settings(|settings| settings.extension_history.clone()).unwrap();
    append_history(&file, &loaded.run(1, None)).unwrap();
    let began = Instant::now();
    running.stop();
    assert!(began.elapsed() < Duration::from_secs(5));
    let runs = read_history(&path, &Filter::last(10)).unwrap();
    assert_eq!((runs[0].output.as_str(), runs[0].cause.name()), ("by hand\n", "hand"));
    assert_eq!((runs.len(), &runs[1].ending, runs[1].cause.name()), (2, &Ending::Stopped("the host ended".to_owned()), "event"));
    // The run itself has ended: the history has what it put out.
    assert_eq!(runs[1].output, "begun\n");
}

/// No run of a test comes to this limit.
const ENDLESS: &str = "SecLuaInstructionLimit 1000000000";

fn has_line(running: &support::Running, text: &str) -> bool {
    running.log.last(100).iter().any(|line| line.to_string().contains(text))
}

#[test]
fn a_run_that_waits_while_the_host_ends_does_nothing_more() {
    let release = Arc::new(AtomicBool::new(false));
    let server = Server::start({
        let release = Arc::clone(&release);
        move |_stream, _| {
            while !release.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    });
    let text = format!(
        "pcall(http_query, 'GET', 'http://127.0.0.1:{}/', nil, 0)\n\
         pcall(function() ngx.log(1, 'went on') require('Lua.SchemaDB').update({{'applications', '1', 'ip_list', 'l'}}, {{items = {{'192.0.2.7'}}}}) end)",
        server.port
    );
    let mut running = Scene::new().connect(server.port).extension("waits.lua", &text, "event:go").start();
    running.waf.event(&json!({"type": "go"})).unwrap();
    wait_until("it waits", || server.connections() == 1);
    running.stop();
    release.store(true, Ordering::Relaxed);
    wait_until("it has ended", || running.extensions.status()["scripts"][0]["running"] == json!(false));
    assert!(!has_line(&running, "went on"));
    let list = running.services.ask_store(|store: &dyn Store, by| store.list("l", None, by)).unwrap();
    assert!(list.is_none_or(|(_, entries)| entries.is_empty()));
    let endings: Vec<Ending> = running.runs("waits.lua").into_iter().map(|run| run.ending).collect();
    assert_eq!(endings, [Ending::Stopped("the host ended".to_owned())]);
}

#[test]
fn events_that_wait_while_the_host_ends_are_counted_in_the_history() {
    let scene = Scene::new().rules(ENDLESS).extension("loops.lua", "ngx.log(1, 'begun') while true do end", "event:go");
    let mut running = scene.start();
    (0..4).for_each(|number| running.waf.event(&json!({"type": "go", "number": number})).unwrap());
    wait_until("three wait", || has_line(&running, "begun") && running.status()["scripts"][0]["waiting"] == json!(3));
    running.stop();
    let runs = running.runs("loops.lua");
    let reason = "the host ended before 3 events were run, of which this is the first";
    assert_eq!((runs.len(), &runs[1].ending), (2, &Ending::Skipped(reason.to_owned())));
    assert!(matches!(&runs[1].cause, Cause::Event(event) if event["number"] == 1));
}

#[test]
fn a_reload_is_a_release_and_the_next_load_in_events() {
    let scene = Scene::new().rules(SCORES).extension("release.lua", PRINTER, "event:release").extension(
        "waf.lua",
        "output(trigger_event.matches[1].rule_set_id)",
        "event:waf_event",
    );
    for (load, releases) in [(1, 0), (3, 1)] {
        let mut running = scene.start_load(load);
        running.wait_for_runs("release.lua", releases);
        running.request("198.51.100.7", "high");
        assert_eq!(running.wait_for_runs("waf.lua", 1)[0].output, format!("{load}\n"));
        running.stop();
        let runs = running.runs("release.lua");
        assert_eq!(runs.len(), releases);
        assert!(runs.iter().all(|run| event_of(&run.output) == json!({"type": "release", "uid": 0, "http_app_id": 0})), "{runs:?}");
    }
}
