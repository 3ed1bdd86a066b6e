//! Two script hosts that share a Redis, as on two machines: tickers run on one of them, and bans of one hold on the other.

// A test that fails ends, as it should.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

#[allow(dead_code)]
mod site;

use chrono::{DateTime, Utc};
use secrule_testkit::redis_server::RedisServer;
use secrule_testkit::script_host::{ScriptHost, wait};
use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use site::{SETUP, Setup, WITH_HOST, answers, from};
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

const ON_REDIS: [Needs; 6] =
    [WITH_HOST[0], WITH_HOST[1], Needs::CLibraryWith("redis"), WITH_HOST[3], Needs::CommandWith("redis"), Needs::Program("redis-server")];

/// Ticks once a second, and bans who asks for `/ban`.
const PLUGIN: &str = "local skynet = require 'skynet'\n\
    skynet.register(skynet.TYPE_TICKER, 1, function() skynet.log('tick', skynet.db_add(skynet.DB_GLOBAL, 'ticks', 1)) end)\n\
    skynet.register(skynet.TYPE_PROCESS, { host = '.*', urlpath = '/ban', type = skynet.MATCH_TYPE_ALL }, function(ip)\n\
        skynet.action_ban({ ip = ip }, 60)\n\
        skynet.log('banned', ip)\n\
    end)";

/// Maximum time from the end of a leader to the first tick of the next one.
const TAKE_OVER: Duration = Duration::from_secs(20);

/// Maximum time from a ban to the first request that it stops.
const BAN_HOLDS: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    trials::run([trial!(two_hosts_tick_once_and_ban_for_both, ON_REDIS)])
}

/// Returns times and texts of the lines of a log with a tag.
fn lines(folder: &Path, tag: &str) -> Vec<(DateTime<Utc>, String)> {
    let mark = format!(" [{tag}] ");
    let log = fs::read_to_string(folder.join("scripts.log")).unwrap();
    let found = log.lines().filter_map(|line| line.split_once(&mark));
    found.map(|(head, message)| (head.split(' ').next().unwrap().parse().unwrap(), message.to_owned())).collect()
}

fn leads(host: &ScriptHost) -> bool {
    host.status().unwrap()["leads"].as_bool().unwrap()
}

fn two_hosts_tick_once_and_ban_for_both() {
    let redis = RedisServer::start();
    let setup = Setup { plugins: &[("plugin.lua", PLUGIN)], store: redis.address(), rules: "SecStoreCallLimit 500", ..SETUP };
    let (nginx, host) = Setup { name: "first", ..setup }.start();
    host.wait_for_lines("tick", 1);
    let (other_nginx, other_host) = Setup { name: "second", ..setup }.start();
    let ticks = |at: usize| lines([&nginx.folder, &other_nginx.folder][at], "tick");

    // The second one has tried to lead when it started.
    wait(|| ticks(0).len() >= 4, || host.log());
    assert_eq!((ticks(1).len(), leads(&host), leads(&other_host)), (0, true, false));

    // From then on each worker knows the store.
    assert_eq!((answers(&nginx, from(2, "/page"), 8, 200), answers(&other_nginx, from(2, "/page"), 40, 200)), (8, 40));
    assert_eq!(nginx.send(&from(2, "/ban")).status, 200);
    let until = Instant::now() + Duration::from_secs(5);
    while other_nginx.send(&from(2, "/page")).status != 403 {
        assert!(Instant::now() < until, "the ban does not hold\n{}", host.log());
        thread::sleep(Duration::from_millis(1));
    }
    let held = Utc::now();
    let banned = lines(&nginx.folder, "banned")[0].0;
    let time = (held - banned).to_std().unwrap_or_default();
    trials::note(&format!("the ban of one host holds in the server of the other after {time:?}"));
    assert!(time <= BAN_HOLDS, "{time:?}");
    thread::sleep(BAN_HOLDS);
    assert_eq!(answers(&other_nginx, from(2, "/page"), 40, 403), 40);

    let killed = Utc::now();
    host.kill();
    wait(|| ticks(1).len() >= 3, || other_host.log());
    let (known, taken_over) = (ticks(0).len(), ticks(1));
    let gap = (taken_over[0].0 - killed).to_std().unwrap();
    trials::note(&format!("ticks go on {gap:?} after the end of the leader"));
    assert!(gap <= TAKE_OVER, "{gap:?}");

    // A killed host that starts again does not lead, and the count of both has no number twice.
    let host = site::start_host(&nginx);
    wait(|| ticks(1).len() >= 5, || other_host.log());
    assert!(leads(&other_host) && !leads(&host));
    assert_eq!(ticks(0).len(), known);
    let mut all: Vec<_> = ticks(0).into_iter().chain(ticks(1)).collect();
    all.sort();
    for (place, pair) in all.windows(2).enumerate() {
        assert_eq!(pair[1].1.parse::<usize>().unwrap(), place + 2);
        let between = (pair[1].0 - pair[0].0).to_std().unwrap();
        assert!(between >= Duration::from_millis(500), "{between:?} before tick {}", pair[1].1);
    }
}
