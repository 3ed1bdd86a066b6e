//! The plugins of `examples/plugins`: each loads, and does what its first lines say.

// A test that fails ends, as it should.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod example;
// Each test uses a part of it.
#[allow(dead_code)]
mod world;

use example::{example, folder};
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;
use world::{Exchange, PLAIN, World, wait};

/// A request in which rules find something dangerous.
const ATTACK: Exchange<'static> = Exchange { target: "/list?attack=1", ..PLAIN };

fn started(name: &str, adapted: &[(&str, &str)], rules: &str) -> World {
    World::start(&[&example(name, adapted)], rules)
}

fn wait_for_status(world: &World, exchange: Exchange<'_>, status: u16) {
    wait(|| (world.send(exchange) == status).then_some(()), || format!("the status {status}"));
}

#[test]
fn each_plugin_is_in_the_table_and_says_what_to_adapt() {
    let table = fs::read_to_string(folder().join("README.md")).unwrap();
    let listed: BTreeSet<_> = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).map(str::to_owned).collect();
    let files = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let plugins: BTreeSet<_> = files.filter(|file| file.ends_with(".lua")).collect();
    assert_eq!(listed, plugins);
    for plugin in plugins {
        assert!(example(&plugin, &[]).contains("-- Adapt: "), "{plugin}");
    }
}

#[test]
fn all_plugins_load_at_once() {
    let files = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path());
    let texts: Vec<String> =
        files.filter(|file| file.extension().is_some_and(|ending| ending == "lua")).map(|file| fs::read_to_string(file).unwrap()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let world = World::start(&texts, "");
    let scripts = world.host.status()["worlds"]["plugins"]["scripts"].as_array().unwrap().len();
    assert_eq!((scripts, scripts >= 10), (texts.len(), true));
}

#[test]
fn each_request_is_greeted() {
    let world = started("hello_request.lua", &[], "");
    world.send(PLAIN);
    world.send(Exchange { ip: "2001:db8::9", target: "/a?b=c", ..PLAIN });
    assert_eq!(world.lines("hello", 2), ["192.0.2.7 asked shop.example for /", "2001:db8::9 asked shop.example for /a"]);
}

#[test]
fn ticks_are_counted_over_calls() {
    let world = started("hello_ticker.lua", &[("EVERY = 10", "EVERY = 1")], "");
    assert_eq!(world.lines("hello", 2)[..2], ["tick 1, one every 1 s", "tick 2, one every 1 s"]);
}

#[test]
fn the_third_attack_of_high_risk_bans() {
    let world = started("ban_repeated_attacks.lua", &[], "");
    world.send(ATTACK);
    world.send(ATTACK);
    // Two attacks of another client, and something of low risk, are not the third.
    (0..2).for_each(|_| assert_eq!(world.send(Exchange { ip: "192.0.2.8", ..ATTACK }), 403));
    assert_eq!(world.send(Exchange { target: "/?odd=1", ..PLAIN }), 200);
    world.settle(5);
    assert_eq!(world.send(PLAIN), 200);
    world.send(ATTACK);
    assert_eq!(world.lines("repeated attacks", 1), ["192.0.2.7 is banned for 86400 s"]);
    wait_for_status(&world, PLAIN, 403);
    assert_eq!(world.send(Exchange { ip: "192.0.2.8", ..PLAIN }), 200);
}

#[test]
fn attacks_that_are_too_old_do_not_count() {
    let world = started("ban_repeated_attacks.lua", &[("30 * 60", "1")], "");
    world.send(ATTACK);
    world.send(ATTACK);
    world.settle(2);
    std::thread::sleep(Duration::from_millis(1_900));
    world.send(ATTACK);
    world.settle(3);
    assert_eq!((world.send(PLAIN), world.lines("repeated attacks", 0).len()), (200, 0));
}

#[test]
fn many_addresses_that_attack_once_do_not_fill_the_database() {
    let world = started("ban_repeated_attacks.lua", &[("50000", "2")], "");
    let attack = |ip| assert_eq!(world.send(Exchange { ip, ..ATTACK }), 403);
    ["192.0.2.7", "192.0.2.7", "192.0.2.8", "192.0.2.9"].into_iter().for_each(attack);
    assert_eq!(world.lines("repeated attacks", 1), ["more than 2 addresses: their attacks count anew"]);
    // Its third attack, but the first that counts.
    attack("192.0.2.7");
    world.settle(5);
    assert_eq!(world.send(PLAIN), 200);
    attack("192.0.2.7");
    attack("192.0.2.7");
    assert_eq!(world.lines("repeated attacks", 2)[1], "192.0.2.7 is banned for 86400 s");
}

#[test]
fn a_backdoor_that_answered_200_is_reported() {
    let rules = "SecRule ARGS:shell \"@contains 1\" \"id:11,phase:2,pass,log,tag:'attack-backdoor',severity:2\"\n\
        SecRule ARGS:include \"@contains 1\" \"id:12,phase:2,pass,log,tag:'attack-rfi',severity:2\"\n\
        SecRule ARGS:stopped \"@contains 1\" \"id:13,phase:2,deny,log,tag:'attack-rfi',severity:2\"\n";
    let world = started("report_backdoors.lua", &[], rules);
    for (target, status) in
        [("/x.php?shell=1", 200), ("/x.php?include=1", 200), ("/gone.php?shell=1", 404), ("/x.php?stopped=1", 200), ("/?odd=1", 200)]
    {
        world.send(Exchange { target, status, ..PLAIN });
    }
    world.settle(5);
    let lines = world.lines("backdoor", 2);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("rule 11 found shop.example/x.php, which answered 192.0.2.7 ("), "{lines:?}");
    assert!(lines[1].starts_with("rule 12 found shop.example/x.php, which answered 192.0.2.7 ("), "{lines:?}");
}

#[test]
fn many_errors_ban() {
    let world = started("ban_many_errors.lua", &[("ERRORS, WITHIN, BAN = 60", "ERRORS, WITHIN, BAN = 5")], "");
    let lost = Exchange { target: "/lost", status: 404, ..PLAIN };
    let other = Exchange { ip: "2001:db8::9", ..PLAIN };
    world.send(lost);
    (0..20).for_each(|_| assert_eq!(world.send(other), 200));
    wait_for_status(&world, lost, 403);
    assert!(world.lines("many errors", 1)[0].starts_with("192.0.2.7 got "));
    assert_eq!(world.send(other), 200);
    wait_for_status(&world, Exchange { status: 404, ..other }, 403);
}

#[test]
fn guessing_passwords_bans_from_this_host() {
    let world = started("ban_password_guessing.lua", &[("TYPE_TICKER, 5", "TYPE_TICKER, 1")], "");
    let login = Exchange { target: "/login?user=a", ..PLAIN };
    let is_banned = || {
        (0..5).for_each(|_| assert_eq!(world.send(Exchange { target: "/other", ip: "192.0.2.8", ..PLAIN }), 200));
        std::thread::sleep(Duration::from_millis(90));
        (0..5).any(|_| world.send(login) == 403).then_some(())
    };
    wait(is_banned, || "a ban".to_owned());
    let line = world.lines("password guessing", 1)[0].clone();
    assert!(line.starts_with("192.0.2.7 tried shop.example ") && line.ends_with(" times"), "{line}");
    assert_eq!(world.send(Exchange { target: "/other", ip: "192.0.2.8", ..PLAIN }), 200);
    assert_eq!(world.send(Exchange { headers: &[("host", "other.example")], ..login }), 200);
}

#[test]
fn visits_of_domains_are_counted_by_one_plugin_and_reported_by_another() {
    let counter = example("count_domains.lua", &[]);
    let report = example("report_domains.lua", &[("24 * 60 * 60", "1")]);
    let world = World::start(&[&counter, &report], "");
    let ask = |host| world.send(Exchange { headers: &[("host", host)], ..PLAIN });
    // The ticker reports each visit once, so that the sum counts.
    (0..7).for_each(|_| assert_eq!(ask("shop.example"), 200));
    (0..2).for_each(|_| assert_eq!(ask("www.example:8080"), 200));
    world.send(ATTACK);
    let sum = |host: &str| -> u32 {
        let lines = world.lines("visits", 0);
        lines
            .iter()
            .filter_map(|line| line.split_once(' '))
            .filter(|found| found.0 == host)
            .map(|found| found.1.parse::<u32>().unwrap())
            .sum()
    };
    wait(
        || (sum("shop.example") == 7 && sum("www.example") == 2).then_some(()),
        || format!("7 and 2 visits: {:?}", world.lines("visits", 0)),
    );
    ask("www.example");
    wait(|| (sum("www.example") == 3).then_some(()), || format!("3 visits: {:?}", world.lines("visits", 0)));
    assert_eq!(sum("shop.example"), 7);
}

#[test]
fn the_client_behind_a_proxy_is_read_from_the_head() {
    let world = started("client_behind_proxy.lua", &[], "");
    for value in ["203.0.113.9, 10.0.0.1", "2001:db8::7", "unknown"] {
        world.send(Exchange { headers: &[("X-Other", "198.51.100.3"), ("X-FORWARDED-For", value)], ..ATTACK });
    }
    world.send(ATTACK);
    world.send(Exchange { headers: &[("X-Forwarded-For", "203.0.113.10")], ..PLAIN });
    world.settle(5);
    let lines = world.lines("client", 2);
    assert_eq!(
        lines,
        ["203.0.113.9 attacked shop.example through 192.0.2.7, rule 1", "2001:db8::7 attacked shop.example through 192.0.2.7, rule 1"]
    );
}

#[test]
fn each_domain_is_posted_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let mut bodies = Vec::new();
        for status in ["500 Broken", "200 OK", "204 No Content"] {
            let mut stream = listener.accept().unwrap().0;
            let mut request = String::new();
            while !request.ends_with('}') {
                let mut bytes = [0; 1024];
                let length = stream.read(&mut bytes).unwrap();
                request += std::str::from_utf8(&bytes[..length]).unwrap();
            }
            assert!(request.starts_with("POST /domains HTTP/1.1\r\n"), "{request}");
            bodies.push(request.split_once("\r\n\r\n").unwrap().1.to_owned());
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        }
        bodies
    });
    let url = format!("http://{address}/domains");
    let world = started("post_domains.lua", &[("https://inventory.example/domains", &url)], &format!("SecScriptConnect {address}\n"));
    let ask = |host| world.send(Exchange { headers: &[("host", host)], ..PLAIN });
    ask("shop.example");
    assert_eq!(world.lines("inventory", 1), ["shop.example was not reported: status 500"]);
    // Once a second for each page.
    std::thread::sleep(Duration::from_millis(1_100));
    ask("shop.example");
    ask("www.example");
    ask("a\"b.example");
    assert_eq!(server.join().unwrap(), ["shop.example", "shop.example", "www.example"].map(|host| format!("{{\"domain\": \"{host}\"}}")));
    std::thread::sleep(Duration::from_millis(1_100));
    ask("shop.example");
    world.settle(5);
    assert_eq!(world.lines("inventory", 1).len(), 1, "it is known, and not reported again");
}

#[test]
fn pages_that_are_slow_are_reported_once() {
    let adapted = [("SLOW, VISITS, AGAIN = 2, 10", "SLOW, VISITS, AGAIN = 0.3, 3")];
    let world = started("report_slow_pages.lua", &adapted, "");
    for _ in 0..6 {
        world.send(Exchange { target: "/fast", ..PLAIN });
        world.send_slowly(Exchange { target: "/slow", ..PLAIN }, Duration::from_millis(600));
    }
    world.settle(12);
    let lines = world.lines("slow", 1);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("shop.example/slow takes 0."), "{lines:?}");
}
