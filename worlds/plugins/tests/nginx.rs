//! Plugins beside a real nginx with four workers and our library; the script host is a process of its own, as an operator runs it.

// A test that fails ends, as it should.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

// Each test uses a part of it.
#[allow(dead_code)]
mod example;
mod site;

use secrule_testkit::nginx::{NGINX, Nginx, Request};
use secrule_testkit::script_host::{ScriptHost, wait};
use secrule_testkit::trials::{self, Needs};
use secrule_testkit::{shared, trial};
use serde_json::Value;
use site::{SETUP, Setup, WITH_HOST, answers, from, start_host};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

/// The document with the published example.
const PUBLISHED: &str = "published/003-safeline-10-plugins.md";

const WITH_PUBLISHED: [Needs; 5] = [WITH_HOST[0], WITH_HOST[1], WITH_HOST[2], WITH_HOST[3], Needs::Shared(PUBLISHED)];

/// The OWASP CRS of Debian.
const CRS: &str = "/usr/share/modsecurity-crs/rules";
const WITH_CRS: [Needs; 5] =
    [WITH_HOST[0], WITH_HOST[1], WITH_HOST[2], WITH_HOST[3], Needs::File("REQUEST-942-APPLICATION-ATTACK-SQLI.conf", &[CRS])];

/// Denies what has `attack` in its query, and logs what has `include` in it.
const RULES: &str = "SecRule ARGS:attack \"@streq 1\" \"id:1,phase:2,deny,log,msg:'found',tag:'attack-sqli',severity:2\"\n\
    SecRule ARGS:include \"@streq 1\" \"id:2,phase:2,pass,log,msg:'included',tag:'attack-rfi',severity:2\"\n";

/// Counts requests in both databases, and bans who asks for `/ban`.
const COUNTER: &str = "local skynet = require 'skynet'\n\
    local match = { host = '.*', urlpath = '.*', type = skynet.MATCH_TYPE_ALL }\n\
    skynet.register(skynet.TYPE_PROCESS, match, function(ip, host, urlpath)\n\
        local n = skynet.db_add(skynet.DB_LOCAL, 'n', 1)\n\
        skynet.db_set(skynet.DB_GLOBAL, 'last', n)\n\
        if urlpath == '/ban' then skynet.action_ban({ ip = ip }, 600) skynet.log('banned', ip) end\n\
        if urlpath == '/tell' then skynet.log('count', n .. ' ' .. skynet.db_get(skynet.DB_GLOBAL, 'last')) end\n\
    end)";

/// The beginning of the notice about requests that the host does not hear of.
const NOTICE: &str = "Plugins and extensions do not see all requests";

fn main() -> ExitCode {
    trials::run([
        trial!(the_published_example_bans_in_all_workers_and_over_a_reload, WITH_PUBLISHED),
        trial!(requests_and_bans_go_on_without_the_host_and_counts_when_it_is_back, WITH_HOST),
        trial!(plugins_that_misbehave_disturb_no_others, WITH_HOST),
        trial!(the_examples_do_what_they_say_beside_one_nginx, WITH_HOST),
        trial!(requests_pass_without_a_host_and_are_counted, NGINX),
        trial!(an_attack_has_its_detail_without_what_is_masked, WITH_CRS),
    ])
}

/// Returns the published example: the last script of the document.
fn published() -> String {
    let document = fs::read_to_string(shared(PUBLISHED)).unwrap();
    document.rsplit("```lua\n").next().unwrap().split("```").next().unwrap().to_owned()
}

/// Waits until an answer to a request has a status.
fn wait_for_status(nginx: &Nginx, request: Request<'_>, status: u16) {
    wait(|| nginx.send(&request).status == status, || format!("{status} for {request:?}\n{}", nginx.errors()));
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap()
}

fn notices(nginx: &Nginx) -> usize {
    nginx.errors().matches(NOTICE).count()
}

fn the_published_example_bans_in_all_workers_and_over_a_reload() {
    let example = published();
    let setup = Setup { name: "published", plugins: &[("published.lua", &example)], rules: "SecSessionCookie sid", ..SETUP };
    let (nginx, host) = setup.start();
    let visitor = Request { headers: &[("Cookie", "sid=abc; other=x")], ..from(2, "/page") };
    assert_eq!((0..31).filter(|_| nginx.send(&visitor).status == 200).count(), 31);
    wait_for_status(&nginx, visitor, 403);
    thread::sleep(Duration::from_millis(100));
    assert_eq!(answers(&nginx, visitor, 40, 403), 40);
    // The key has an address and a host.
    let others = [from(3, "/page"), Request { host: "other.example", ..visitor }];
    let pass = || others.iter().for_each(|other| assert_eq!(answers(&nginx, *other, 4, 200), 4));
    pass();
    let lines = host.lines("process");
    assert!(lines.iter().any(|line| line == "matched") && lines.iter().any(|line| line == "sid: sid"), "{lines:?}");
    assert_eq!(host.lines("system").iter().filter(|line| line.contains("published.lua:")).count(), 0, "{}", host.log());

    nginx.reload();
    assert_eq!(answers(&nginx, visitor, 40, 403), 40);
    pass();
    assert!(nginx.errors().contains("127.0.0.2 is banned until"), "{:.2000}", nginx.errors());
}

/// Asks for the count until a line about it comes, and returns both numbers of it.
fn reported(nginx: &Nginx, host: &ScriptHost) -> (u64, u64) {
    let before = host.lines("count").len();
    // A worker that has not found the host again yet drops a request.
    let is_reported = || {
        nginx.send(&from(9, "/tell"));
        host.lines("count").len() > before
    };
    wait(is_reported, || format!("a count:\n{}", host.log()));
    let line = host.lines("count").pop().unwrap();
    let (local, global) = line.split_once(' ').unwrap();
    (local.parse().unwrap(), global.parse().unwrap())
}

fn requests_and_bans_go_on_without_the_host_and_counts_when_it_is_back() {
    let (nginx, host) = Setup { name: "killed", plugins: &[("counter.lua", COUNTER)], ..SETUP }.start();
    assert_eq!(answers(&nginx, from(3, "/page"), 100, 200), 100);
    wait(|| number(&host.script("counter.lua"), "calls") >= 100, || host.status().unwrap().to_string());
    wait_for_status(&nginx, from(2, "/ban"), 403);
    let (before, _) = reported(&nginx, &host);
    assert!(before >= 102, "{before}");
    assert_eq!(notices(&nginx), 0, "{}", nginx.errors());

    let process = host.process();
    host.kill();
    assert!(nginx.folder.join("host.sock").exists(), "the socket of {process} is stale");
    let began = Instant::now();
    assert_eq!(answers(&nginx, from(3, "/page"), 400, 200), 400);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(answers(&nginx, from(2, "/page"), 40, 403), 40);
    // One in each worker: it is reported once a minute.
    let reports = notices(&nginx);
    assert!((1..=4).contains(&reports), "{reports} notices\n{}", nginx.errors());

    let host = start_host(&nginx);
    let (after, global) = reported(&nginx, &host);
    assert!(after > before && after == global, "{after} {global} after {before}");
    assert_eq!(answers(&nginx, from(2, "/page"), 40, 403), 40);
    thread::sleep(Duration::from_millis(1_500));
    let (known, _) = reported(&nginx, &host);
    assert_eq!(answers(&nginx, from(3, "/page"), 100, 200), 100);
    wait(|| number(&host.script("counter.lua"), "calls") >= 100 + (known - after), || host.status().unwrap().to_string());
    assert!(reported(&nginx, &host).0 > known + 100);
}

/// Returns a plugin that does this for each request.
fn plugin(text: &str) -> String {
    format!(
        "local skynet = require 'skynet'\n\
         skynet.register(skynet.TYPE_PROCESS, {{ ip = '127.0.0.0/8', type = skynet.MATCH_TYPE_ALL }}, function(ip, host, urlpath)\n{text}\nend)"
    )
}

/// Starts a server that takes connections and never answers.
fn silent_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().collect::<Vec<_>>());
    address
}

fn plugins_that_misbehave_disturb_no_others() {
    const REQUESTS: usize = 400;
    let silent = silent_server();
    let texts = [
        ("loops.lua", plugin("while true do end")),
        ("allocates.lua", plugin("local t = {} while true do t[#t + 1] = ('x'):rep(100000) .. #t end")),
        ("blocks.lua", plugin(&format!("local answer, problem = skynet.http_get('http://{silent}/') skynet.log('blocked', problem)"))),
        ("floods.lua", plugin("for i = 1, 2000 do skynet.log('flood', 'line ' .. i) end")),
        ("counter.lua", COUNTER.to_owned()),
    ];
    let plugins: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let rules = format!("SecScriptConnect {silent}\nSecPluginQueue 500\nSecLuaInstructionLimit 2000000\n");
    let (nginx, host) = Setup { name: "misbehave", plugins: &plugins, rules: &rules, ..SETUP }.start();
    let began = Instant::now();
    assert_eq!(answers(&nginx, from(3, "/page"), REQUESTS, 200), REQUESTS);
    let time = began.elapsed();
    wait(|| number(&host.script("counter.lua"), "calls") == REQUESTS as u64, || host.status().unwrap().to_string());
    assert!(time < Duration::from_secs(20), "{time:?}");
    // A good plugin bans while the others are at it.
    wait_for_status(&nginx, from(2, "/ban"), 403);
    assert_eq!(number(&host.script("counter.lua"), "dropped"), 0);
    wait(|| number(&host.script("loops.lua"), "failures") > 0, || host.status().unwrap().to_string());
    wait(|| number(&host.script("allocates.lua"), "failures") > 0, || host.status().unwrap().to_string());
    assert_eq!(number(&host.script("floods.lua"), "failures"), 0);
    let blocked = host.script("blocks.lua");
    assert!(number(&blocked, "calls") < 20, "{blocked}");
    // Nothing more fits into the queue of the one that waits.
    assert_eq!(answers(&nginx, from(3, "/page"), REQUESTS, 200), REQUESTS);
    wait(|| number(&host.script("blocks.lua"), "dropped") > 0, || host.status().unwrap().to_string());
    for part in ["it was stopped", "log lines were dropped, because there were more than 100 in a second"] {
        wait(|| host.lines("system").iter().any(|line| line.contains(part)), || format!("{part}: {:#?}", host.lines("system")));
    }
    host.wait_for_lines("blocked", 1);
}

/// Starts an application that takes 0.6 s for `/slow`, and takes posted domains at once.
fn application() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut request = [0; 2048];
                let length = stream.read(&mut request).unwrap_or(0);
                if request[..length].starts_with(b"GET /slow") {
                    thread::sleep(Duration::from_millis(600));
                }
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfine");
            });
        }
    });
    address
}

fn the_examples_do_what_they_say_beside_one_nginx() {
    let application = application();
    let url = format!("http://{application}/domains");
    let examples: [(&str, &[(&str, &str)]); 11] = [
        ("hello_request.lua", &[("host = \".*\"", "host = \"hello[.]example\"")]),
        ("hello_ticker.lua", &[("EVERY = 10", "EVERY = 1")]),
        ("ban_repeated_attacks.lua", &[]),
        ("report_backdoors.lua", &[]),
        ("ban_many_errors.lua", &[("BAN = 60", "BAN = 10")]),
        ("ban_password_guessing.lua", &[("BAN = \"/login\", 20", "BAN = \"/login\", 10"), ("TYPE_TICKER, 5", "TYPE_TICKER, 1")]),
        ("count_domains.lua", &[]),
        ("report_domains.lua", &[("24 * 60 * 60", "1")]),
        ("client_behind_proxy.lua", &[]),
        ("post_domains.lua", &[("https://inventory.example/domains", &url)]),
        ("report_slow_pages.lua", &[("SLOW, VISITS, AGAIN = 2, 10", "SLOW, VISITS, AGAIN = 0.3, 3")]),
    ];
    let examples = examples.map(|(name, adapted)| (name, example::example(name, adapted)));
    let plugins: Vec<(&str, &str)> = examples.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let rules = format!("SecScriptConnect {application}\n{RULES}");
    let in_front = format!("location /slow {{ proxy_pass http://{application}; }}");
    let behind = "location /lost { return 404; }";
    let (nginx, host) = Setup { name: "examples", plugins: &plugins, rules: &rules, in_front: &in_front, behind, ..SETUP }.start();

    host.wait_for_lines("hello", 2);
    nginx.send(&Request { host: "Hello.example:8080", ..from(9, "/a?b=c") });
    wait(|| host.lines("hello").iter().any(|line| line == "127.0.0.9 asked hello.example for /a"), || host.log());

    (0..3).for_each(|_| assert_eq!(nginx.send(&from(11, "/?attack=1")).status, 403));
    wait_for_status(&nginx, from(11, "/page"), 403);
    assert_eq!(host.lines("repeated attacks"), ["127.0.0.11 is banned for 86400 s"]);

    assert_eq!(nginx.send(&from(12, "/x.php?include=1")).status, 200);
    assert!(host.wait_for_lines("backdoor", 1)[0].starts_with("rule 2 found shop.example/x.php, which answered 127.0.0.12 ("));

    wait_for_status(&nginx, from(13, "/lost"), 403);
    assert!(host.wait_for_lines("many errors", 1)[0].starts_with("127.0.0.13 got "));

    wait_for_status(&nginx, from(14, "/login"), 403);
    assert!(host.wait_for_lines("password guessing", 1)[0].starts_with("127.0.0.14 tried shop.example "));

    (0..5).for_each(|_| drop(nginx.send(&Request { host: "visited.example", ..from(15, "/page") })));
    let visits =
        || -> u32 { host.lines("visits").iter().filter_map(|line| line.strip_prefix("visited.example ")?.parse::<u32>().ok()).sum() };
    wait(|| visits() == 5, || host.log());

    nginx.send(&Request { headers: &[("X-Forwarded-For", "203.0.113.9")], ..from(16, "/?attack=1") });
    assert_eq!(host.wait_for_lines("client", 1), ["203.0.113.9 attacked shop.example through 127.0.0.16, rule 1"]);

    (0..5).for_each(|_| drop(nginx.send(&from(17, "/slow"))));
    assert!(host.wait_for_lines("slow", 1)[0].starts_with("shop.example/slow takes 0."));

    assert_eq!(host.lines("inventory"), [""; 0]);
    for (name, _) in &examples {
        let script = host.script(name);
        assert_eq!((number(&script, "failures"), number(&script, "dropped")), (0, 0), "{script}\n{}", host.log());
        assert!(number(&script, "calls") > 0, "{script}");
    }
    assert_eq!(nginx.send(&from(18, "/page")).status, 200);
}

fn requests_pass_without_a_host_and_are_counted() {
    const REQUESTS: usize = 800;
    let time = |nginx: &Nginx| {
        let round = || {
            let began = Instant::now();
            assert_eq!(answers(nginx, from(3, "/page"), REQUESTS, 200), REQUESTS);
            began.elapsed()
        };
        (0..3).map(|_| round()).min().unwrap()
    };
    let plain = Setup { name: "plain", ..SETUP }.nginx();
    let without_plugins = time(&plain);
    assert_eq!(notices(&plain), 0);
    drop(plain);
    let nginx = Setup { name: "absent", plugins: &[("counter.lua", COUNTER)], ..SETUP }.nginx();
    let without_host = time(&nginx);
    trials::note(&format!("{REQUESTS} requests: {without_plugins:?} without plugins, {without_host:?} without the host"));
    // The machine has other work.
    assert!(without_host < without_plugins * 2, "{without_host:?} instead of {without_plugins:?}");
    let errors = nginx.errors();
    let reported: Vec<&str> = errors.lines().filter(|line| line.contains(NOTICE)).collect();
    assert!((1..=4).contains(&reported.len()), "one of each worker: {reported:#?}");
    assert!(reported.iter().all(|line| line.contains("Requests dropped so far: ")), "{reported:#?}");
}

fn an_attack_has_its_detail_without_what_is_masked() {
    let detail = plugin(
        "if skynet.get_target() == skynet.MATCH_TARGET_ACCESS then return end\n\
         for name, value in pairs(skynet.get_detailed_info()) do skynet.log(name, tostring(value) == '' and '-' or tostring(value)) end\n\
         for _, pair in ipairs(skynet.get_session()) do skynet.log('session', pair[1] .. '=' .. pair[2]) end\n\
         skynet.log('done', urlpath)",
    );
    let rules = format!(
        "SecRequestBodyAccess On\nInclude {crs}/../../../../etc/modsecurity/crs/crs-setup.conf\nInclude {crs}/*.conf\n\
         SecSessionCookie sid\nSecSanitise ARGS:password REQUEST_HEADERS:Authorization\n",
        crs = CRS
    );
    let setup = Setup { name: "detail", plugins: &[("detail.lua", &detail)], rules: &rules, ..SETUP };
    let (nginx, host) = setup.start();
    let request = Request {
        method: "POST",
        headers: &[("Authorization", "Bearer t0p-s3cret"), ("X-Probe", "seen"), ("Cookie", "sid=s1")],
        body: Some(("application/x-www-form-urlencoded", "user=ann&password=hunter2hunter2")),
        ..from(2, "/list?id=1%27%20UNION%20SELECT%20name,password%20FROM%20users--%20-&password=correcthorse")
    };
    assert_eq!(nginx.send(&Request { body: request.body, method: "POST", ..from(3, "/list") }).status, 200);
    assert_eq!(nginx.send(&request).status, 403);
    assert_eq!(host.wait_for_lines("done", 1), ["/list"]);
    let one = |tag: &str| host.lines(tag).pop().unwrap_or_else(|| panic!("no line with {tag}:\n{}", host.log()));
    assert!(one("rule_id").starts_with("942"), "{}", one("rule_id"));
    let expected = [
        ("attack_type", "0"),
        ("risk_level", "3"),
        ("action", "1"),
        ("src_ip", "127.0.0.2"),
        ("host", "shop.example"),
        ("method", "POST"),
        ("urlpath", "/list"),
        ("resp_status_code", "403"),
        ("session", "sid=s1"),
        ("user_agent", "Mozilla/5.0 (X11; Linux x86_64)"),
    ];
    for (name, value) in expected {
        assert_eq!(one(name), value, "{name}");
    }
    let head = one("req_header_raw");
    assert!(
        head.starts_with("POST /list?id=1%27%20UNION") && head.contains("X-Probe: seen") && head.contains("Authorization: ****"),
        "{head}"
    );
    assert!(one("body").starts_with("user=ann&password=***"), "{}", one("body"));
    let log = fs::read_to_string(nginx.folder.join("scripts.log")).unwrap();
    for secret in ["t0p-s3cret", "hunter2", "correcthorse"] {
        assert!(!log.contains(secret), "{secret}:\n{log}");
    }
}
