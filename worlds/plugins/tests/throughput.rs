//! 50,000 requests a second from four processes: the host hears of each, with less than one core, and no request pays for it.
//!
//! Figures count in a release: `cargo build --release --package secrule-command --features worlds`, then
//! `cargo test --release --package secrule-plugins --test throughput -- --nocapture`. Other builds send fewer.

// A test that fails ends, as it should.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use secrule::internals::exchange::{ExchangeLog, ExchangeRecord, Link};
use secrule::{Connection, Waf};
use secrule_testkit::script_host::{ScriptHost, processor_time, wait};
use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use std::io::Read as _;
use std::net::IpAddr;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

const NEEDS: [Needs; 1] = [Needs::CommandWith("worlds")];

/// Number of processes that send, the records of each in a second, and the seconds.
const SENDERS: u64 = 4;
const RATE: u64 = if cfg!(debug_assertions) { 2_500 } else { 12_500 };
const SECONDS: u64 = if cfg!(debug_assertions) { 3 } else { 10 };

/// Pieces of a second in which records are sent, as requests come in bunches.
const PIECES: u64 = 100;

/// Names the socket to a process that sends.
const SOCKET: &str = "SECRULE_TEST_SOCKET";

/// Number of clients, and of paths.
const CLIENTS: u64 = 10_000;
const PATHS: u64 = 500;

/// Maximum cost of a record on the path of a request. It takes 0.9 µs; the machine has other work.
const COST: Duration = Duration::from_micros(2);

/// Counts the requests of each client once a second, and lists the most frequent.
const PLUGIN: &str = "local skynet = require 'skynet'\n\
    skynet.register(skynet.TYPE_PROCESS, { ip = '0.0.0.0/0' }, function(ip)\n\
        if skynet.stat_visit({ ip = ip }, 10) > 1000000 then skynet.log('many', ip) end\n\
    end)\n\
    skynet.register(skynet.TYPE_TICKER, 1, function()\n\
        local top = skynet.top_n(skynet.TOP_IP, 100, 5)[1]\n\
        if top then skynet.log('top', top.ip .. ' ' .. top.count) end\n\
    end)";

fn main() -> ExitCode {
    if let Some(socket) = std::env::var_os(SOCKET) {
        send(Path::new(&socket));
        return ExitCode::SUCCESS;
    }
    trials::run([
        trial!(no_record_is_lost_and_the_host_takes_less_than_a_core, NEEDS),
        trial!(a_record_costs_a_request_a_microsecond, [Needs::File("schedstat", &["/proc/self"])]),
    ])
}

/// Sends records at an even rate, and prints the number that were dropped.
fn send(socket: &Path) {
    let link = Link::shared(socket);
    let began = Instant::now();
    let mut number = u64::from(std::process::id());
    for piece in 0..PIECES * SECONDS {
        thread::sleep(
            (began + Duration::from_millis(1_000 / PIECES) * u32::try_from(piece).unwrap()).saturating_duration_since(Instant::now()),
        );
        for _ in 0..RATE / PIECES {
            // The generator of Knuth's MMIX: any spread of clients will do.
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (client, path) = ((number >> 33) % CLIENTS, (number >> 40) % PATHS);
            let (url_path, target) = (format!("/catalog/page{path}"), format!("/catalog/page{path}?size=42&colour=dark+blue"));
            link.write(&|| record(client, &url_path, &target));
        }
    }
    thread::sleep(Duration::from_millis(500));
    print!("{}", link.dropped());
}

fn record<'a>(client: u64, url_path: &'a str, target: &'a str) -> ExchangeRecord<'a> {
    let client = IpAddr::from([10, 0, u8::try_from(client / 250).unwrap(), u8::try_from(client % 250).unwrap()]);
    ExchangeRecord {
        arrived: SystemTime::now(),
        backend: Some(Duration::from_millis(12)),
        status: 200,
        is_denied: false,
        site: 0,
        peer: client.to_string().into_bytes().into(),
        client: Some(client),
        is_forwarded: false,
        server: b"198.51.100.1".into(),
        server_port: b"443".into(),
        method: b"GET".into(),
        host: b"shop.example".into(),
        url_path: url_path.as_bytes().into(),
        target: target.as_bytes().into(),
        sessions: Vec::new(),
        attack: None,
    }
}

fn folder(name: &str) -> PathBuf {
    let folder = trials::scratch().join(format!("throughput-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn no_record_is_lost_and_the_host_takes_less_than_a_core() {
    let folder = folder("host");
    let (rules, socket) = (folder.join("rules.conf"), folder.join("host.sock"));
    std::fs::write(folder.join("plugin.lua"), PLUGIN).unwrap();
    let text = format!("SecPluginHost unix:{}\nSecPlugin {}/plugin.lua\nSecPluginQueue 50000\n", socket.display(), folder.display());
    std::fs::write(&rules, text).unwrap();
    let host = ScriptHost::start(&rules, &folder.join("scripts.log"));
    let (began, used) = (Instant::now(), processor_time(host.process()));
    let start = |_| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(SOCKET, &socket).stdout(Stdio::piped()).spawn().unwrap()
    };
    let mut senders: Vec<_> = (0..SENDERS).map(start).collect();
    let dropped = senders.iter_mut().map(|sender| {
        let mut printed = String::new();
        sender.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
        assert!(sender.wait().unwrap().success());
        printed.parse::<u64>().unwrap()
    });
    let dropped: u64 = dropped.sum();
    let (time, used) = (began.elapsed(), processor_time(host.process()) - used);
    let sent = SENDERS * RATE * SECONDS;
    let taken = || host.status().unwrap()["exchanges"].as_u64().unwrap();
    wait(|| taken() + dropped >= sent, || format!("{sent} exchanges: {}", host.status().unwrap()));
    trials::note(&format!("{sent} records in {time:?}: {dropped} dropped, the host used {used:?}\n{}", host.script("plugin.lua")));
    assert_eq!((taken(), dropped), (sent, 0));
    assert_eq!(host.script("plugin.lua")["dropped"], 0, "{}", host.status().unwrap());
    assert!(host.script("plugin.lua")["calls"].as_u64().unwrap() > CLIENTS);
    assert!(!host.lines("top").is_empty());
    assert!(used < time, "{used:?} of {time:?}");
    drop(host);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Returns the time of the processor that this thread has used.
fn own_time() -> Duration {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(times.split(' ').next().unwrap().parse().unwrap())
}

/// Returns the time of a transaction on its thread: the shortest of several rounds.
fn transaction_time(waf: &Waf) -> Duration {
    const TRANSACTIONS: u32 = 20_000;
    let round = || {
        let began = own_time();
        for _ in 0..TRANSACTIONS {
            let mut tx = waf.begin(Connection::new(([192, 0, 2, 7], 40_000).into(), ([198, 51, 100, 1], 443).into()));
            let request = http::Request::get("/catalog/shoes?size=42&colour=dark+blue").header("host", "shop.example");
            let (parts, ()) = request.body(()).unwrap().into_parts();
            tx.request_head(&parts).and_then(|()| tx.request_end()).unwrap();
            tx.response_headers_end(200, "1.1").and_then(|()| tx.response_end()).unwrap();
            tx.finish();
        }
        (own_time() - began) / TRANSACTIONS
    };
    let rounds = if cfg!(debug_assertions) { 2 } else { 10 };
    (0..rounds).map(|_| round()).min().unwrap()
}

fn a_record_costs_a_request_a_microsecond() {
    let folder = folder("cost");
    let socket = folder.join("host.sock");
    let receiver = UnixDatagram::bind(&socket).unwrap();
    thread::spawn(move || {
        let mut datagram = vec![0; 1 << 20];
        while receiver.recv(&mut datagram).is_ok() {}
    });
    let rules = "SecRuleEngine On\nSecAction \"id:1,phase:1,pass,nolog,setvar:tx.n=1\"\n";
    let plain = Waf::from_rules(rules).unwrap();
    let link = Link::shared(&socket);
    let linked = Waf::builder().rules("rules", rules).exchange_log(link.clone()).build().unwrap();
    let (without, with) = (transaction_time(&plain), transaction_time(&linked));
    let cost = with.saturating_sub(without);
    trials::note(&format!("a transaction takes {without:?}, with a record {with:?}: {cost:?} more; {} dropped", link.dropped()));
    assert!(cfg!(debug_assertions) || cost <= COST, "{cost:?}");
    std::fs::remove_dir_all(&folder).unwrap();
}
