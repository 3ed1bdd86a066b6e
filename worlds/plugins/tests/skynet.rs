//! Each function of `skynet`, as a plugin sees it.

// A test that fails ends, as it should.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod world;

use world::{Exchange, PLAIN, World, for_requests};

/// Returns what a callback for one request returns, or its error.
fn answer(text: &str) -> String {
    let world = World::start(&[&for_requests(text)], "");
    world.send(PLAIN);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let (result, error) = (world.lines("result", 0), world.lines("error", 0));
        if let Some(line) = result.first().or(error.first()) {
            return line.clone();
        }
        assert!(std::time::Instant::now() < deadline, "no answer");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn what_does_not_fit_is_an_error_at_load() {
    let register = |arguments: &str| World::refused(&format!("local skynet = require('skynet')\nskynet.register({arguments})"));
    for (arguments, problem) in [
        ("", "the third argument is not a function, but nil"),
        ("1, {}, print", "match has other members than (ip), (ip, host), (host, urlpath) or (ip, host, urlpath)"),
        ("skynet.TYPE_PROCESS, { host = '.*' }, print", "match has other members than (ip)"),
        ("skynet.TYPE_PROCESS, { urlpath = '.*' }, print", "match has other members than (ip)"),
        ("skynet.TYPE_PROCESS, { ip = '10.0.0.1', urlpath = '.*' }, print", "match has other members than (ip)"),
        ("skynet.TYPE_PROCESS, { ip = '10.0.0.1', hots = 'a' }, print", "match has no member `hots`: did you mean `host`"),
        ("skynet.TYPE_PROCESS, { ip = 'somewhere' }, print", "`somewhere` is not an address or a network"),
        ("skynet.TYPE_PROCESS, { ip = 10 }, print", "match.ip is not a text"),
        ("skynet.TYPE_PROCESS, { host = '(', urlpath = '/' }, print", "match.host: `(`: "),
        ("skynet.TYPE_PROCESS, { host = 'a)(b', urlpath = '/' }, print", "match.host: `a)(b`: "),
        ("skynet.TYPE_PROCESS, { ip = '10.0.0.0/8', type = 7 }, print", "match.type is not one of skynet.MATCH_TYPE_DEFAULT"),
        ("skynet.TYPE_PROCESS, { ip = '10.0.0.0/8', target = 'all' }, print", "match.target is not one of skynet.MATCH_TARGET_ALL"),
        ("skynet.TYPE_PROCESS, 'ip', print", "the second argument is not a match table, but string"),
        ("skynet.TYPE_TICKER, 0, print", "the time between two ticks, in seconds, is not a whole number from 1"),
        ("skynet.TYPE_TICKER, 1.5, print", "is not a whole number from 1"),
        ("9, 1, print", "neither skynet.TYPE_PROCESS nor skynet.TYPE_TICKER"),
    ] {
        let reported = register(arguments);
        assert!(reported.contains(problem) && reported.contains(".lua:2: skynet.register: "), "{arguments}: {reported}");
    }
    let many = World::refused("local skynet = require 'skynet'\nfor i = 1, 17 do\n  skynet.register(skynet.TYPE_TICKER, 1, print)\nend");
    assert!(many.contains(".lua:3: skynet.register: a plugin registers at most 16 functions"), "{many}");
    for (text, problem) in [
        ("local skynet = require 'skynet'", "it registers no function"),
        (
            "local skynet = require 'skynet'\nskynet.db_get(skynet.DB_LOCAL, 'a')",
            ":2: skynet.db_get: this cannot be called while the plugin is being loaded",
        ),
        ("local sf = require 'safeline'", ":1: module 'safeline' does not exist here: this host has the interface `skynet`"),
        ("local io = require 'io'", ":1: module 'io' does not exist here"),
        ("while true do end", "it was stopped: it took more"),
        ("local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end", "it was stopped: it keeps more than 64 MiB"),
        ("error('no')", ":1: no"),
        ("x = \"\\.\"", "cannot be used: "),
    ] {
        let reported = World::refused(text);
        assert!(reported.contains(problem), "{text}: {reported}");
    }
}

#[test]
fn arguments_that_do_not_fit_are_errors_with_the_line() {
    let key = "{ ip = ip }";
    for (call, problem) in [
        ("skynet.stat_visit()", "skynet.stat_visit: the key is not a table with (ip)"),
        ("skynet.stat_visit({ host = 'a' }, 10)", "skynet.stat_visit: the key has other members than (ip)"),
        ("skynet.stat_visit({ ip = '10.0.0.0/8' }, 10)", "skynet.stat_visit: `10.0.0.0/8` is not the address of one client"),
        (&format!("skynet.stat_visit({key}, 0)"), "skynet.stat_visit: the time, in seconds, is not a whole number from 1 to 3660"),
        (&format!("skynet.stat_time({key}, 3661)"), "skynet.stat_time: the time, in seconds, is not a whole number from 1 to 3660"),
        (&format!("skynet.stat_resp_code({key}, 'x')"), "skynet.stat_resp_code: the time, in seconds, is not a whole number"),
        ("skynet.top_n(99, 1, 5)", "skynet.top_n: the type is not one of skynet.TOP_…"),
        ("skynet.top_n(skynet.TOP_IP, 1, 60)", "skynet.top_n: the duration is not skynet.TOP_DURATION_5S"),
        ("skynet.top_n(skynet.TOP_IP, 0, 5)", "skynet.top_n: the number of entries is not a whole number from 1"),
        (&format!("skynet.action_ban({key}, 0)"), "skynet.action_ban: the duration, in seconds, is not a whole number from 1"),
        ("skynet.action_ban({}, 1)", "skynet.action_ban: the key has other members than (ip)"),
        (&format!("skynet.action_limit({key}, 10, 0, 1)"), "skynet.action_limit: the period, in seconds, is not a whole number from 1"),
        (&format!("skynet.action_limit({key}, 10, 1, -1)"), "skynet.action_limit: the limit is not a whole number from 0"),
        ("skynet.db_get(7, 'a')", "skynet.db_get: the database is neither skynet.DB_LOCAL nor skynet.DB_GLOBAL"),
        ("skynet.db_get(skynet.DB_LOCAL, nil)", "skynet.db_get: the key is not a text, but nil"),
        ("skynet.db_get(skynet.DB_LOCAL, ('k'):rep(257))", "skynet.db_get: the key has more than 256 bytes"),
        ("skynet.db_set(skynet.DB_LOCAL, 'a', {})", "skynet.db_set: the value is not a text, but table"),
        ("skynet.db_set(skynet.DB_LOCAL, 'a', ('v'):rep(65537))", "skynet.db_set: the value has more than 65536 bytes"),
        (
            "skynet.db_set(skynet.DB_LOCAL, 'a', 'x') skynet.db_add(skynet.DB_LOCAL, 'a', 1)",
            "skynet.db_add: the value of `a` is not a number",
        ),
        ("skynet.db_add(skynet.DB_LOCAL, 'b', 'x')", "skynet.db_add: the amount is not a number"),
        ("skynet.http_get()", "skynet.http_get: the address is not a text, but nil"),
        ("skynet.http_get('http://a.example/', 'x')", "skynet.http_get: the headers are not a table, but string"),
        ("skynet.http_post('http://a.example/', nil, {})", "skynet.http_post: the data is not a text, but table"),
        ("skynet.log('', 'x')", "skynet.log: the tag of a log line is empty"),
        ("skynet.log('a', '')", "skynet.log: the message of a log line is empty"),
        ("skynet.log('system', 'x')", "skynet.log: the tag `system` is the host's: take another"),
        ("skynet.log('a')", "skynet.log: the message is not a text, but nil"),
        (
            "skynet.register(skynet.TYPE_TICKER, 1, print)",
            "skynet.register: a plugin registers its functions while it is being loaded, not later",
        ),
    ] {
        let reported = answer(call);
        assert!(reported.contains(problem) && reported.contains(".lua:3: "), "{call}: {reported}");
    }
}

#[test]
fn databases_hold_texts_and_count() {
    let text = "local db = skynet.DB_LOCAL\n\
        assert(skynet.db_get(db, 'a') == nil and skynet.db_size(db) == 0)\n\
        skynet.db_set(db, 'a', 1)\nskynet.db_set(db, 'b', 'text')\nskynet.db_set(db, 5, 'five')\n\
        assert(skynet.db_get(db, 'a') == '1' and skynet.db_get(db, '5') == 'five' and skynet.db_size(db) == 3)\n\
        assert(skynet.db_add(db, 'n', 2) == 2 and skynet.db_add(db, 'n', 0.5) == 2.5 and skynet.db_sub(db, 'n', '0.5') == 2)\n\
        assert(skynet.db_get(db, 'n') == '2' and type(skynet.db_add(db, 'a', 1)) == 'number')\n\
        skynet.db_del(db, 'a') assert(skynet.db_get(db, 'a') == nil)\n\
        assert(skynet.db_get(skynet.DB_GLOBAL, 'b') == nil)\n\
        skynet.db_set(skynet.DB_GLOBAL, 'shared', 'yes')\n\
        for number, text in pairs { [0.1 + 0.2] = '0.3', [1e15] = '1e+15', [123456789012345] = '1.2345678901234e+14', [-7] = '-7' } do\n\
            skynet.db_set(db, 'number', number) skynet.db_set(db, number, 'key')\n\
            assert(skynet.db_get(db, 'number') == text and tostring(number) == text and skynet.db_get(db, text) == 'key', text)\n\
        end\n\
        skynet.db_add(db, 'sum', 0.1) skynet.db_add(db, 'sum', 0.2) assert(skynet.db_get(db, 'sum') == '0.3')\n\
        skynet.log(0.1 + 0.2, 1e15)\n\
        skynet.db_clear(db) assert(skynet.db_size(db) == 0 and skynet.db_get(db, 'b') == nil)\n\
        return skynet.db_get(skynet.DB_GLOBAL, 'shared')";
    let world = World::start(&[&for_requests(text)], "");
    world.send(PLAIN);
    assert_eq!((world.lines("result", 1), world.lines("0.3", 1)), (vec!["yes".to_owned()], vec!["1e+15".to_owned()]));
}

#[test]
fn plugins_share_the_global_database_and_not_the_local_one() {
    let writer =
        for_requests("skynet.db_set(skynet.DB_GLOBAL, 'k', 'global') skynet.db_set(skynet.DB_LOCAL, 'k', 'local') return 'written'");
    let reader = "local skynet = require 'skynet'\nskynet.register(skynet.TYPE_TICKER, 1, function(seconds)\n\
        skynet.log('tick', seconds .. tostring(skynet.db_get(skynet.DB_GLOBAL, 'k')) .. tostring(skynet.db_get(skynet.DB_LOCAL, 'k')))\nend)";
    let world = World::start(&[&writer, reader], "");
    world.send(PLAIN);
    world.lines("result", 1);
    let known = world.lines("tick", 0).len();
    assert_eq!(world.lines("tick", known + 1).last().unwrap(), "1globalnil");
}

#[test]
fn requests_are_counted_by_key_without_attacks() {
    let text = "return skynet.stat_visit({ ip = ip }, 10) .. ' ' .. skynet.stat_visit({ ip = ip, host = 'shop.example' }, 60) .. ' '\n\
        .. skynet.stat_visit({ host = host, urlpath = urlpath }, 3660) .. ' ' .. skynet.stat_visit({ ip = ip, host = host, urlpath = '/b' }, 10)\n\
        .. ' ' .. table.concat(skynet.stat_resp_code({ ip = ip }, 10), ',') .. ' ' .. skynet.stat_time({ ip = ip }, 10)";
    let world = World::start(&[&for_requests(text)], "");
    // The combination that it registered is counted from the start, others from the first question on.
    world.send(PLAIN);
    assert_eq!(world.lines("result", 1), ["1 0 0 0 0,1,0,0,0 0"]);
    for (target, status) in
        [("/a", 200), ("/a?x=1", 404), ("/b", 302), ("/b", 503), ("/a?attack=1", 200), ("/a?odd=1", 200), ("/a?quiet=1", 200)]
    {
        world.send(Exchange { target, status, ..PLAIN });
    }
    world.send(Exchange { ip: "192.0.2.8", target: "/a", ..PLAIN });
    world.settle(9);
    world.send(Exchange { target: "/a", ..PLAIN });
    // Not counted: the attack, the logged one, the quiet denial; that of another client only for the path; the first request by address alone.
    assert_eq!(world.lines("result", 10).last().unwrap(), "6 5 4 2 0,3,1,1,1 0");
}

#[test]
fn the_most_frequent_are_listed_attacks_too() {
    let ticker = "local skynet = require 'skynet'\nskynet.register(skynet.TYPE_TICKER, 1, function()\n\
        for _, row in ipairs(skynet.top_n(skynet.TOP_IP_HOST_URLPATH, 2, 5)) do\n\
            skynet.log('top', row.ip .. row.host .. row.urlpath .. row.count)\nend\n\
        for _, row in ipairs(skynet.top_n(skynet.TOP_SESSION, 5, skynet.TOP_DURATION_5S)) do skynet.log('session', row.session .. row.count) end\n\
        skynet.log('asked', tostring(skynet.top_n(skynet.TOP_IP, 1, 5)[1]))\nend)";
    let world = World::start(&[ticker], "");
    world.lines("asked", 1);
    for (ip, target, count) in [("192.0.2.1", "/a?attack=1", 5), ("192.0.2.2", "/b", 3), ("192.0.2.3", "/c", 1)] {
        for _ in 0..count {
            world.send(Exchange { ip, target, headers: &[("cookie", "sid=s1; other=2")], ..PLAIN });
        }
    }
    let lines = world.lines("top", 2);
    assert_eq!(&lines[..2], ["192.0.2.1shop.example/a5", "192.0.2.2shop.example/b3"]);
    assert_eq!(world.lines("session", 1)[0], "s19");
}

#[test]
fn a_ban_denies_and_a_limit_lets_some_through() {
    let text = "if urlpath == '/ban' then return tostring(skynet.action_ban({ ip = ip, host = host }, 60)) end\n\
        if urlpath == '/limit' then return tostring(skynet.action_limit({ ip = ip }, 60, 60, 2)) end\nreturn 'seen'";
    let world = World::start(&[&for_requests(text)], "");
    assert_eq!(world.send(Exchange { target: "/ban", ..PLAIN }), 200);
    assert_eq!(world.lines("result", 1), ["nil"]);
    let denied = world::wait(|| Some(world.send(PLAIN)).filter(|status| *status == 403), || "a ban".to_owned());
    assert_eq!(denied, 403);
    assert_eq!(world.send(Exchange { headers: &[("host", "other.example")], ..PLAIN }), 200);
    assert_eq!(world.send(Exchange { ip: "192.0.2.9", target: "/limit", ..PLAIN }), 200);
    world::wait(|| (world.waf.bans().unwrap().len() == 1).then_some(()), || "one ban".to_owned());
    let statuses = world::wait(
        || {
            let statuses: Vec<u16> = (0..6).map(|_| world.send(Exchange { ip: "192.0.2.9", ..PLAIN })).collect();
            statuses.contains(&429).then_some(statuses)
        },
        || "a limit".to_owned(),
    );
    assert_eq!(statuses.last(), Some(&429));
    let actions = world.lines("action", 2);
    assert!(actions[0].starts_with("banned ip=192.0.2.7 host=shop.example until 2"), "{}", actions[0]);
    assert!(actions[1].starts_with("limited ip=192.0.2.9 to 2 requests in 60 s until 2"), "{}", actions[1]);
}

#[test]
fn a_ban_holds_for_a_host_and_a_path_that_records_cut() {
    let text = "skynet.action_ban({ host = host, urlpath = urlpath }, 60) return #host .. ' ' .. #urlpath";
    let world = World::start(&[&for_requests(text)], "");
    // The letter of two bytes would be cut in half.
    let host = format!("{}ü.example", "a".repeat(254));
    let (target, headers) = (format!("/{}", "b".repeat(900)), [("host", &*host)]);
    let long = Exchange { target: &target, headers: &headers, ..PLAIN };
    assert_eq!(world.send(long), 200);
    assert_eq!(world.lines("result", 1), ["254 700"]);
    world::wait(|| (world.send(long) == 403).then_some(()), || "a ban".to_owned());
    assert_eq!(world.send(Exchange { target: "/b", ..long }), 200);
}

#[test]
fn a_ban_that_could_hold_for_no_request_says_so() {
    let told = answer("return skynet.action_ban({ ip = ip, host = '.' }, 60)");
    assert!(told.contains("nothing can be banned by it"), "{told}");
    assert_eq!(answer("return skynet.action_ban({ ip = '0.0.0.0' }, 60)"), told);
    assert_eq!(answer("return skynet.action_limit({ host = host, urlpath = '' }, 60, 60, 2)"), told);
}

#[test]
fn a_banned_request_triggers_no_plugin() {
    let world = World::start(&[&for_requests("return 'seen'")], "");
    world.waf.ban([192, 0, 2, 7].into(), 0, std::time::Duration::from_secs(60)).unwrap();
    assert_eq!(world.send(PLAIN), 403);
    world.send(Exchange { ip: "192.0.2.8", ..PLAIN });
    assert_eq!(world.lines("result", 1).len(), 1);
}

#[test]
fn a_request_has_its_target_its_sessions_and_its_detail() {
    let text = "local target = skynet.get_target() == skynet.MATCH_TARGET_ACCESS and 'access' or 'detect'\n\
        local words = { target }\n\
        for _, pair in ipairs(skynet.get_session()) do words[#words + 1] = pair[0] .. pair[1] .. pair[2] end\n\
        assert(#skynet.get_sesion() == #skynet.get_session())\n\
        local info, names = skynet.get_detailed_info(), {}\n\
        for name in pairs(info) do names[#names + 1] = name end\n\
        table.sort(names)\n\
        for _, name in ipairs(names) do\n\
            local value = info[name]\n\
            if name == 'timestamp' then value = value > 1700000000 elseif name == 'time' then value = value >= 0\n\
            elseif name == 'event_id' then value = #value > 10 elseif name == 'node' then value = #value > 0 end\n\
            words[#words + 1] = name .. '=' .. tostring(value)\n\
        end\nreturn table.concat(words, '|')";
    let world = World::start(&[&for_requests(text)], "SecTrustedSource 192.0.2.7\n");
    let headers = [("cookie", "sid=s1"), ("x-real-ip", "203.0.113.9"), ("user-agent", "curl/8")];
    world.send(Exchange { target: "/a?b=c", headers: &headers, ..PLAIN });
    assert_eq!(world.lines("result", 1)[0], "access|sidsids1|host=shop.example|ip=192.0.2.7|src_ip=203.0.113.9|time=true|uri=/a?b=c");
    world.send(Exchange { target: "/a?odd=1", headers: &headers, ..PLAIN });
    let lines = world.lines("result", 3);
    assert!(lines[1].starts_with("access|"), "{}", lines[1]);
    let expected = "detect|sidsids1|action=0|attack_type=28|body=|dest_ip=198.51.100.1|event_id=true|host=shop.example|method=GET|node=true|\
        req_header_raw=GET /a?odd=1 HTTP/1.1\r\ncookie: sid=s1\r\nx-real-ip: 203.0.113.9\r\nuser-agent: curl/8\r\nhost: shop.example\r\n|\
        resp_body=|resp_header_raw=HTTP/1.1 200\r\n|resp_status_code=200|risk_level=1|rule_id=2|src_ip=203.0.113.9|timestamp=true|uri=/a?odd=1|\
        urlpath=/a|user_agent=curl/8";
    assert_eq!(lines[2], expected.replace(['\r', '\n'], " "));
    world.send(Exchange { target: "/a?attack=1", headers: &headers, ..PLAIN });
    let line = world.lines("result", 4)[3].clone();
    for part in ["detect|", "|action=1|", "|attack_type=0|", "|risk_level=3|", "|rule_id=1|", "|resp_status_code=403|"] {
        assert!(line.contains(part), "{part} in {line}");
    }
}

#[test]
fn triggers_are_by_second_by_target_and_by_whole_texts() {
    let register = |condition: &str, tag: &str| {
        format!(
            "local skynet = require 'skynet'\nskynet.register(skynet.TYPE_PROCESS, {{ {condition} }}, function(ip, host, urlpath)\n\
             skynet.log('{tag}', ip .. ' ' .. host .. ' ' .. urlpath)\nend)"
        )
    };
    let plugins = [
        register("ip = '192.0.2.0/24', type = skynet.MATCH_TYPE_ALL", "all"),
        register("ip = '0.0.0.0/0'", "ip"),
        register("host = 'SHOP\\\\.example', urlpath = '/a|/b'", "path"),
        register("ip = '0.0.0.0/0', target = skynet.MATCH_TARGET_DETECT", "detect"),
        register("ip = '0.0.0.0/0', target = skynet.MATCH_TARGET_ACCESS, type = skynet.MATCH_TYPE_ALL", "access"),
    ];
    let world = World::start(&plugins.each_ref().map(String::as_str), "");
    // All within one second, or at most two.
    let targets = ["/a", "/a", "/abc", "/c/b", "/b", "/a?attack=1", "/a?attack=1", "/a?quiet=1", "/x?odd=1"];
    for target in targets {
        world.send(Exchange { target, ..PLAIN });
    }
    world.send(Exchange { ip: "198.51.100.9", target: "/a", ..PLAIN });
    world.settle(10);
    let count = |tag: &str| world.lines(tag, 0).len();
    // Accesses: /a /a /abc /c/b /b /x and that of the other client; detected: two attacks and /x.
    assert_eq!((count("all"), count("detect"), count("access")), (9, 3, 7));
    assert!((5..=6).contains(&count("ip")), "{}: 2 clients once a second, and 3 attacks", count("ip"));
    let paths = world.lines("path", 0);
    assert!(paths.iter().all(|line| line.ends_with("shop.example /a") || line.ends_with("shop.example /b")), "{paths:?}");
    assert!((4..=6).contains(&paths.len()), "{paths:?}: two paths once a second, and two attacks");
}

#[test]
fn functions_about_requests_are_errors_in_a_ticker() {
    let text = "local skynet = require 'skynet'\nskynet.register(skynet.TYPE_TICKER, 1, function()\n\
        for _, name in ipairs { 'get_target', 'get_session', 'get_sesion', 'get_detailed_info' } do\n\
            skynet.log('error', select(2, pcall(skynet[name])))\nend\nend)";
    let lines = World::start(&[text], "").lines("error", 4);
    assert!(lines.iter().take(4).all(|line| line.contains("this cannot be called in a ticker")), "{lines:?}");
}

#[test]
fn constants_are_distinct_and_unknown_names_are_reported_once() {
    let text = "assert(skynet.TOP_DURATION_5S == 5 and skynet.RESP_CODE_1XX == 1 and skynet.RESP_CODE_5XX == 5)\n\
        for _, group in ipairs { { 'TYPE_PROCESS', 'TYPE_TICKER' }, { 'MATCH_TYPE_DEFAULT', 'MATCH_TYPE_ALL' },\n\
            { 'MATCH_TARGET_ALL', 'MATCH_TARGET_ACCESS', 'MATCH_TARGET_DETECT' }, { 'DB_LOCAL', 'DB_GLOBAL' },\n\
            { 'TOP_IP', 'TOP_IP_HOST', 'TOP_HOST_URLPATH', 'TOP_IP_HOST_URLPATH', 'TOP_SESSION', 'TOP_IP_SESSION', 'TOP_SESSION_HOST', 'TOP_SESSION_HOST_URLPATH' } } do\n\
            local seen = {}\n\
            for _, name in ipairs(group) do local number = skynet[name] assert(type(number) == 'number' and not seen[number], name) seen[number] = true end\n\
        end\nassert(skynet.nothing == nil and skynet.nothing == nil)\nreturn 'fine'";
    let world = World::start(&[&for_requests(text)], "");
    world.send(PLAIN);
    assert_eq!(world.lines("result", 1), ["fine"]);
    assert_eq!(world.lines("system", 1).iter().filter(|line| *line == "skynet.nothing does not exist, and is nil").count(), 1);
}
