//! Plugins that are too slow, fail, or are stopped: what they miss is counted, and nothing of them goes on.

// A test that fails ends, as it should.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

// Each test uses a part of it.
#[allow(dead_code)]
mod world;

use serde_json::Value;
use std::thread::sleep;
use std::time::{Duration, Instant};
use world::{PLAIN, World, for_requests, wait};

fn script(world: &World) -> Value {
    world.host.status()["worlds"]["plugins"]["scripts"][0].clone()
}

fn number(world: &World, name: &str) -> u64 {
    script(world)[name].as_u64().unwrap()
}

#[test]
fn a_plugin_that_was_stopped_does_nothing_more_not_even_in_the_call_that_runs() {
    let endless = "while true do pcall(skynet.db_add, skynet.DB_GLOBAL, 'n', 1) end";
    let world = World::start(&[&for_requests(endless)], "SecLuaInstructionLimit 4000000000");
    let store = world.waf.store();
    let count = || store.map_get("plugins", b"n", Instant::now() + Duration::from_secs(1)).unwrap();
    (0..3).for_each(|_| assert_eq!(world.send(PLAIN), 200));
    wait(count, || "a count".to_owned());
    let began = Instant::now();
    world.host.stop();
    // A call may take five seconds.
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    // What has begun may end.
    sleep(Duration::from_millis(50));
    let known = count();
    sleep(Duration::from_millis(300));
    assert_eq!(count(), known);
}

#[test]
fn a_tick_that_finds_a_full_queue_is_late_and_not_lost() {
    let plugin = "local skynet = require 'skynet'\n\
        skynet.register(skynet.TYPE_PROCESS, { ip = '0.0.0.0/0', type = skynet.MATCH_TYPE_ALL }, function()\n\
            local began = os.clock()\n    while os.clock() - began < 0.05 do end\nend)\n\
        skynet.register(skynet.TYPE_TICKER, 1, function() skynet.log('tick', 'now') end)";
    let world = World::start(&[plugin], "SecPluginQueue 2\nSecLuaInstructionLimit 4000000000");
    let until = Instant::now() + Duration::from_millis(3_500);
    while Instant::now() < until {
        world.send(PLAIN);
        sleep(Duration::from_millis(2));
    }
    assert!(world.lines("tick", 0).len() >= 2, "{:?}", world.lines("tick", 0));
    assert_eq!(number(&world, "skipped_ticks"), 0);
    assert!(number(&world, "late_ticks") > 0 && number(&world, "dropped") > 0, "{}", script(&world));
}

#[test]
fn what_passes_by_a_plugin_that_is_off_is_counted() {
    let world = World::start(
        &["local skynet = require 'skynet'\n\
        skynet.register(skynet.TYPE_PROCESS, { ip = '0.0.0.0/0', type = skynet.MATCH_TYPE_ALL }, function() error('no') end)"],
        "",
    );
    (0..110).for_each(|_| assert_eq!(world.send(PLAIN), 200));
    wait(|| (number(&world, "passed_over") == 10).then_some(()), || script(&world).to_string());
    assert_eq!((number(&world, "calls"), &script(&world)["off"], &script(&world)["dead"]), (100, &Value::from(true), &Value::from(false)));
}
