//! The functions of scripts, each with right and wrong arguments.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics fails, as it should")]

#[path = "../../host/tests/server/mod.rs"]
mod server;
mod support;

use secrule::Store;
use secrule_extensions::{Ending, Run};
use server::{Answering, Server, read_request, response};
use std::io::Write;
use std::time::{Duration, Instant};
use support::{Scene, error, output, run};

/// Runs a script that may connect to a port of this machine, which it has as `port` and in `url`.
fn run_with(port: u16, text: &str) -> Run {
    let text = format!("local port, url = {port}, 'http://127.0.0.1:{port}/'\n{text}");
    Scene::new().connect(port).extension("a.lua", &text, "event:test").load().run(0, None)
}

fn output_with(port: u16, text: &str) -> String {
    let run = run_with(port, text);
    assert_eq!(run.ending, Ending::Ok, "{text}\n{run:?}");
    run.output
}

#[test]
fn output_takes_any_values_and_never_fails() {
    for (arguments, expected) in [
        ("'text'", "text"),
        ("1, 2.5, 1e100, -0.1", "1 2.5 1e+100 -0.1"),
        ("true, false, nil", "true false nil"),
        ("nil", "nil"),
        ("'a %s', 'b'", "a %s b"),
        ("{}", "{}"),
        ("{1, 'two', true}", r#"[1,"two",true]"#),
        ("{b = 1, a = {c = 'x'}, [10] = 2}", r#"{"10":2,"a":{"c":"x"},"b":1}"#),
        ("{1, nil, 3}", r#"{"1":1,"3":3}"#),
        ("{f = print, n = 0/0, i = 1/0}", r#"{"f":"function","i":null,"n":null}"#),
        ("{'\\255\"\\n'}", "[\"\u{FFFD}\\\"\\n\"]"),
        ("{[{}] = 1, [true] = 2}", r#"{"table":1,"true":2}"#),
        ("print", "function"),
        ("'rows:', {{ip = '192.0.2.1'}}", r#"rows: [{"ip":"192.0.2.1"}]"#),
    ] {
        assert_eq!(output(&format!("output({arguments})")), format!("{expected}\n"), "{arguments}");
    }
    assert_eq!(output("output() print('a', 1) ngx.say('b')"), "\na 1\nb\n");
    let cycle = output("local t = {} t.t = t output(t)");
    assert_eq!(cycle.matches("\"t\"").count(), 16);
    assert!(cycle.contains("\"...\""));
}

#[test]
fn numbers_are_put_out_as_lua_writes_them() {
    let numbers =
        "0.1 + 0.2, 1e15, 1e14, 1e13, 99999999999999, 1 / 3, -2.5, 0.0001, 0.00001, 5e-324, 2 ^ 53, 99999999999999.9, 1 / 0, -1 / 0";
    let expected = "0.3 1e+15 1e+14 10000000000000 99999999999999 0.33333333333333 -2.5 0.0001 1e-05 4.9406564584125e-324 9.007199254741e+15 1e+14 \
        inf -inf\n";
    assert_eq!(output(&format!("output({numbers})")), expected);
    let any = "for i = 1, 1000 do local n = (math.random() - 0.5) * 10 ^ math.random(-20, 20) if i % 3 == 0 then n = math.floor(n) end \
        output(n, tostring(n)) end";
    let lines = output(any);
    let differ: Vec<&str> = lines.lines().filter(|line| line.split_once(' ').is_none_or(|(own, lua)| own != lua)).collect();
    assert!(lines.lines().count() == 1_000 && differ.is_empty(), "{differ:?}");
}

#[test]
fn whole_numbers_in_json_have_all_of_their_digits() {
    let json = r#"{"a":0.3,"b":1000000000000000,"c":-9007199254740992,"d":1e-07,"e":1e+300,"f":[5]}"#;
    let table = "{a = 0.1 + 0.2, b = 1e15, c = -2 ^ 53, d = 1e-7, e = 1e300, f = {5.0}}";
    assert_eq!(output(&format!("output({table})")), format!("{json}\n"));
    let answering = Answering::with(response("ok"));
    let text =
        format!("http_query('POST', url, {{body = {table}}}) http_query('POST', url, {{body = 0.1 + 0.2, headers = {{['X-A'] = 1e15}}}})");
    output_with(answering.server.port, &text);
    let requests = answering.requests();
    assert!(requests[0].ends_with(json), "{}", requests[0]);
    assert!(requests[1].ends_with("\r\n\r\n0.3") && requests[1].contains("x-a: 1e+15\r\n"), "{}", requests[1]);
}

#[test]
fn a_flood_of_output_is_cut_with_a_note() {
    for text in [
        "for i = 1, 10000 do output(('x'):rep(100)) end",
        "output(('x'):rep(1000000))",
        "local t = {} for i = 1, 100000 do t[i] = i end output(t)",
        "local t = {} for i = 1, 100000 do t['k' .. i] = i end output(t)",
        // A table that is small, and large when it is written out.
        "local t = {} for i = 1, 15 do t = {t, t, t, t, t, t, t, t} end output(t)",
    ] {
        let run = run(text);
        assert_eq!((&run.ending, run.notes.len()), (&Ending::Ok, 1), "{text}");
        assert!(
            run.output.len() <= 64 << 10 && run.output.len() > 65_000 && run.notes[0].contains("64 KiB"),
            "{text} {}",
            run.output.len()
        );
    }
}

#[test]
fn a_request_has_what_the_script_states() {
    let answering = Answering::with(response("done"));
    let said = output_with(
        answering.server.port,
        r#"
        local r, err = http_query("PUT", url .. "a?b=1", {headers = {["X-One"] = 1, ["X-Two"] = {"a", "b"}}, body = "text", timeout = 5000})
        output(r.status, r.body, err)
        http_query("POST", url, {body = {b = {1, 2}, a = "ü"}})
        http_query("POST", url, {body = {1}, headers = {["content-type"] = "text/x"}})
        local pieces = {"one", "", "two", 3}
        local at = 0
        r = http_query("POST", url, {body = function() at = at + 1 return pieces[at] end})
        output(r.status)
        http_query("GET", url)
        http_query("POST", url, {body = 12})
        "#,
    );
    assert_eq!(said, "200 done nil\n200\n");
    let requests = answering.requests();
    assert!(requests[0].starts_with("PUT /a?b=1 HTTP/1.1\r\n") && requests[0].ends_with("\r\n\r\ntext"), "{}", requests[0]);
    for header in ["x-one: 1\r\n", "x-two: a\r\n", "x-two: b\r\n", "user-agent: secrule/"] {
        assert!(requests[0].contains(header), "{header} {}", requests[0]);
    }
    assert!(
        requests[1].contains("content-type: application/json\r\n") && requests[1].ends_with("{\"a\":\"ü\",\"b\":[1,2]}"),
        "{}",
        requests[1]
    );
    assert!(requests[2].contains("content-type: text/x\r\n") && !requests[2].contains("json"), "{}", requests[2]);
    assert!(
        requests[3].contains("transfer-encoding: chunked") && requests[3].contains("one") && requests[3].contains("two"),
        "{}",
        requests[3]
    );
    assert!(requests[4].starts_with("GET / ") && !requests[5].contains("json") && requests[5].ends_with("\r\n\r\n12"));
}

#[test]
fn a_response_has_its_headers_as_sent_and_in_any_case() {
    let answer =
        "HTTP/1.1 404 Not Found\r\nX-Id: 7\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nSet-Cookie: c=3\r\nContent-Length: 2\r\n\r\nno";
    let answering = Answering::with(answer);
    let said = output_with(
        answering.server.port,
        r#"
        local r = http_query("GET", url)
        output(r.status, r.body, r.headers["X-Id"], r.headers["x-id"], r.headers["X-ID"], r.headers.missing)
        output(r.headers["SET-cookie"])
        output(r.headers)
        "#,
    );
    let cookies = r#"["a=1","b=2","c=3"]"#;
    let all = format!(r#"{{"Content-Length":"2","Set-Cookie":{cookies},"X-Id":"7"}}"#);
    assert_eq!(said, format!("404 no 7 7 7 nil\n{cookies}\n{all}\n"));
}

#[test]
fn a_request_that_cannot_be_made_is_nil_and_a_text() {
    for (arguments, part) in [
        ("", "the method is not a text, but nil"),
        ("'GET'", "the address is not a text, but nil"),
        ("'GET', ''", "not a valid address"),
        ("'GET', 'ftp://a.example/'", "http:// or https://"),
        ("'G T', 'http://a.example/'", "not a method"),
        ("'GET', 'http://127.0.0.1/'", "SecScriptConnect"),
        ("'GET', 'http://169.254.169.254/'", "SecScriptConnect"),
        ("'GET', 'http://192.0.2.1/', 'x'", "the third argument is not a table, but a text"),
        ("'GET', 'http://192.0.2.1/', {timeout = 'soon'}", "the timeout, in milliseconds, is not a number above 0"),
        ("'GET', 'http://192.0.2.1/', {timeout = 0}", "the timeout, in milliseconds,"),
        ("'GET', 'http://192.0.2.1/', {headers = 'x'}", "`headers` is not a table"),
        ("'GET', 'http://192.0.2.1/', {headers = {a = true}}", "the value of the header a"),
        ("'GET', 'http://192.0.2.1/', {headers = {a = 'b\\nc'}}", "line break"),
        ("'GET', 'http://192.0.2.1/', {headers = {'a'}}", "the name of a header"),
        ("'GET', 'http://192.0.2.1/', {body = true}", "the body is not a text, a table or a function, but a boolean"),
        ("'GET', 'http://192.0.2.1/', {body = {f = print}}", "JSON does not have a function"),
        ("'GET', 'http://192.0.2.1/', {body = {0/0}}", "not a number of JSON"),
        ("'GET', 'http://192.0.2.1/', {ssl_verify = 'no'}", "`ssl_verify`"),
        ("'GET', 'http://192.0.2.1/', {}, -1", "the number of retries"),
        ("'GET', 'http://192.0.2.1/', {}, 1.5", "the number of retries"),
    ] {
        let said = output(&format!("local res, err = http_query({arguments}) output(res == nil, err)"));
        assert!(said.starts_with("true ") && said.contains(part), "{arguments}: {said}");
    }
    let deep = output(
        "local t = {} for i = 1, 20 do t = {t} end local r, err = http_query('POST', 'http://192.0.2.1/', {body = t}) output(r, err)",
    );
    assert!(deep.contains("nested more than 16 levels"), "{deep}");
    let wide =
        "local t = {} for i = 1, 9 do t = {t, t, t, t, t, t, t, t, t, t} end output(http_query('POST', 'http://192.0.2.1/', {body = t}))";
    assert!(output(wide).contains("longer than 16 MiB"));
}

#[test]
fn a_body_that_fails_fails_the_request() {
    let server = Server::start(|mut stream, _| drop(read_request(&mut stream)));
    for (body, part) in [
        ("function() return nil, 'gone' end", "nil gone"),
        ("function() error('lost') end", "lost"),
        ("function() return {} end", "the function of the body gave a table"),
        (
            "function() return (http_query('POST', url, {body = function() end})) or error(select(2, http_query('POST', url, {body = print})), 0) end",
            "cannot be called by a function",
        ),
    ] {
        let said = output_with(server.port, &format!("output(http_query('POST', url, {{body = {body}}}))"));
        assert!(said.contains(part), "{body}: {said}");
    }
}

#[test]
fn a_failure_of_the_network_is_tried_again_and_a_status_is_not() {
    let closing = Server::start(|stream, _| drop(stream));
    let said = output_with(
        closing.port,
        "for _, retries in ipairs {0, 2} do local r, err = http_query('GET', url, nil, retries) output(r, err ~= nil) end http_query('GET', url)",
    );
    assert_eq!((said.as_str(), closing.connections()), ("nil true\nnil true\n", 1 + 3 + 2));
    let failing = Answering::with("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(output_with(failing.server.port, "output(http_query('GET', url).status)"), "503\n");
    assert_eq!(failing.server.connections(), 1);
}

#[test]
fn a_slow_server_ends_a_request_by_its_timeout_and_a_run_by_its_limit() {
    let silent = Server::start(|_stream, _| std::thread::sleep(Duration::from_secs(60)));
    let began = Instant::now();
    assert_eq!(output_with(silent.port, "output(http_query('GET', url, {timeout = 200}))"), "nil timeout\n");
    let text = format!("output('before') http_query('GET', 'http://127.0.0.1:{}/') output('after')", silent.port);
    let scene = Scene::new().connect(silent.port).rules("SecExtensionTimeLimit 1").extension("a.lua", &text, "event:test");
    let run = scene.load().run(0, None);
    assert!(matches!(&run.ending, Ending::Stopped(reason) if reason.contains("1 s")), "{run:?}");
    assert!(run.output == "before\n" && began.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_query_without_a_database_is_nil_and_a_text() {
    assert_eq!(
        output("output(sql_query('select 1'))"),
        "nil there is no database; name one with SecExtensionDatabase, or a folder for it with SecDataDir\n"
    );
    for (arguments, part) in [
        ("", "the query is not a text, but nil"),
        ("'select 1', 0", "the timeout, in seconds,"),
        ("'select 1', 'x'", "the timeout, in seconds,"),
        ("'select 1', 1, 0", "the limit of rows"),
        ("'select 1', 1, 1, 7", "the destination is not a text, but a number"),
        ("'select 1', 1, 1, 'admin', 'x'", "the number of retries"),
    ] {
        let said = output(&format!("output(sql_query({arguments}))"));
        assert!(said.starts_with("nil ") && said.contains(part), "{arguments}: {said}");
    }
}

#[test]
fn alarms_are_checked_and_counted_and_go_to_the_log() {
    for (arguments, part) in [
        ("", "the type of the alarm is not a text, but nil"),
        ("'a', 'INFO', 'b'", "CRITICAL, ERROR or WARNING"),
        ("'a', 'error', 'b'", "CRITICAL, ERROR or WARNING"),
        ("'a', 'ERROR', ''", "the text of the alarm is empty"),
        ("'', 'ERROR', 'b'", "the type of the alarm is empty"),
        ("'a', 'ERROR', {}", "the text of the alarm is not a text, but a table"),
    ] {
        let said = output(&format!("output(send_alarm_event({arguments}))"));
        assert!(said.starts_with("nil ") && said.contains(part), "{arguments}: {said}");
    }
    let text = "for i = 1, 11 do local ok, err = send_alarm_event('disk', 'CRITICAL', 'full ' .. i) output(ok, err) end";
    let loaded = Scene::new().rules("SecAlarm log").extension("a.lua", text, "event:test").load();
    let run = loaded.run(0, None);
    assert_eq!(run.output.matches("true nil\n").count(), 10);
    assert!(run.output.ends_with("nil an extension sends at most 10 alarms in a minute\n"), "{}", run.output);
    let lines: Vec<String> = loaded.log.last(20).iter().map(ToString::to_string).collect();
    assert!(lines.len() == 10 && lines[9].ends_with("[alarm] CRITICAL disk: full 10"), "{lines:?}");
}

#[test]
fn an_alarm_that_a_server_does_not_take_is_nil_and_a_text() {
    let server = Server::start(|mut stream, _| drop(stream.write_all(b"not TLS")));
    let rules = format!("SecAlarm https://127.0.0.1:{}/secret-token\nSecAlarm log", server.port);
    let scene = Scene::new().connect(server.port).rules(&rules);
    let loaded = scene.extension("a.lua", "output(send_alarm_event('a', 'WARNING', 'b'))", "event:test").load();
    let said = loaded.run(0, None).output;
    assert!(said.starts_with("nil a place of SecAlarm: ") && !said.contains("secret-token"), "{said}");
    assert!(loaded.log.last(1)[0].to_string().ends_with("[alarm] WARNING a: b"));
}

#[test]
fn a_list_of_the_store_is_replaced() {
    let text = r#"
        local update = require "Lua.SchemaDB" .update
        output(update({"applications", "1", "ip_list", "1"}, {items = {{ip = "192.0.2.7"}, "10.1.2.3/8", {ip = "2001:DB8::1"}, "192.0.2.7"}}))
        output(update({"applications", 2, "ip_list", "blocked"}, {items = {}}))
    "#;
    let loaded = Scene::new().extension("a.lua", text, "event:test").load();
    assert_eq!(loaded.run(0, None).output, "true nil\ntrue nil\n");
    let list =
        |name: &str| loaded.services.ask_store(|store: &dyn Store, by| store.list(name, None, by)).unwrap().map(|(_, entries)| entries);
    assert_eq!(list("1").unwrap(), ["192.0.2.7", "10.0.0.0/8", "2001:db8::1"]);
    assert_eq!(list("blocked").unwrap(), [""; 0]);
}

#[test]
fn other_resources_and_wrong_entries_are_nil_and_a_text() {
    let path = "{'applications', 1, 'ip_list', 'a'}";
    for (arguments, part) in [
        ("".to_owned(), "no such resource"),
        ("'applications'".to_owned(), "no such resource"),
        ("{'applications', 1}, {}".to_owned(), "no such resource"),
        ("{'applications', 1, 'ip_list', 'a', 'b'}, {items = {}}".to_owned(), "no such resource"),
        ("{'users', 1, 'ip_list', 'a'}, {items = {}}".to_owned(), "no such resource"),
        ("{'applications', 'x', 'ip_list', 'a'}, {items = {}}".to_owned(), "not the number of a site"),
        ("{'applications', 1, 'ip_list', 'a b'}, {items = {}}".to_owned(), "not the name of a list"),
        (path.to_owned(), "the second argument is nil"),
        (format!("{path}, {{}}"), "`items` is nil"),
        (format!("{path}, {{items = 1}}"), "`items` is not a table"),
        (format!("{path}, {{items = {{'192.0.2.1', 'x'}}}}"), "entry 2, `x`, is not an address or a network"),
        (format!("{path}, {{items = {{{{ip = 5}}}}}}"), "item 1 has no address, but a number"),
        (format!("{path}, {{items = {{{{}}}}}}"), "item 1 has no address, but nil"),
        (format!("{path}, {{items = {{('1'):rep(1000)}}}}"), "item 1 is longer than an address"),
    ] {
        let said = output(&format!("output(require('Lua.SchemaDB').update({arguments}))"));
        assert!(said.starts_with("nil ") && said.contains(part), "{arguments}: {said}");
    }
}

#[test]
fn a_list_whose_run_comes_to_its_limit_stays_as_it_was() {
    let text = "local update = require 'Lua.SchemaDB'.update\n\
        local path, items = {'applications', '1', 'ip_list', 'l'}, {}\n\
        output(update(path, {items = {'192.0.2.7'}}))\n\
        for i = 1, 8000 do items[i] = '192.0.2.1' end\n\
        output('filled') update(path, {items = items})";
    let loaded = Scene::new().rules("SecLuaInstructionLimit 1000").extension("a.lua", text, "event:test").load();
    let run = loaded.run(0, None);
    assert!(matches!(run.ending, Ending::Stopped(_)) && run.output == "true nil\nfilled\n", "{run:?}");
    let list = loaded.services.ask_store(|store: &dyn Store, by| store.list("l", None, by)).unwrap();
    assert_eq!(list.unwrap().1, ["192.0.2.7"]);
}

#[test]
fn modules_that_do_not_exist_are_reported_with_those_that_do() {
    for name in ["string", "table", "math", "os", "coroutine", "bit", "Lua.SchemaDB", "resty.http"] {
        assert_eq!(output(&format!("output(type(require '{name}'))")), "table\n", "{name}");
    }
    for name in ["socket", "cjson", "io", "skynet", "ffi"] {
        let error = error(&format!("\nlocal m = require '{name}'"));
        let start = format!("a.lua:2: module '{name}' does not exist here: there are Lua.SchemaDB, resty.http, ");
        assert!(error.starts_with(&start), "{error}");
    }
    for name in [
        "io",
        "debug",
        "package",
        "ffi",
        "jit",
        "os.exit",
        "os.execute",
        "os.getenv",
        "os.remove",
        "os.rename",
        "os.tmpname",
        "string.dump",
    ] {
        assert_eq!(output(&format!("output({name})")), "nil\n", "{name}");
    }
}

#[test]
fn a_script_has_goto_and_ends_at_a_top_level_return() {
    assert_eq!(output("for i = 1, 3 do if i == 2 then goto _next_ end output(i) ::_next_:: end"), "1\n3\n");
    assert_eq!(output("if not app_id then return output('WARN: app_id is required') end output('no')"), "WARN: app_id is required\n");
    assert_eq!(output("output(table.concat({'a', 'b'}, ', '), string.format('%d', 7), tostring(nil))"), "a, b 7 nil\n");
}

#[test]
fn errors_have_their_line() {
    assert_eq!(error("output('a')\nerror('lost')"), "a.lua:2: lost");
    assert!(error("\n\nlocal x = nil .. 'a'").starts_with("a.lua:3: "));
    // A fault of a published example, which stays.
    assert!(error("output(string.format('app_id: %d'), tostring(1))").contains("bad argument #2 to 'format'"));
}

#[test]
fn each_run_is_a_world_of_its_own() {
    let loaded = Scene::new().extension("a.lua", "output(kept) kept = 1 string.upper = nil", "event:test").load();
    for _ in 0..2 {
        let run = loaded.run(0, None);
        assert_eq!((run.output.as_str(), run.ending), ("nil\n", Ending::Ok));
    }
}

#[test]
fn regular_expressions_are_those_of_pcre() {
    for (call, expected) in [
        (r#"find("hello, 1234", "([0-9])([0-9]+)")"#, "8 11"),
        (r#"find("hello, 1234", "([0-9])([0-9]+)", "jo", nil, 2)"#, "9 11"),
        (r#"find("hello", "x")"#, "nil"),
        (r#"find("", "")"#, "1 0"),
        // `\A` and quoting, as the published example builds them.
        (r#"find("www.example.com", [[\A(?:\Q\E.*?\Q]] .. ".example.com" .. [[\E)]], "josm")"#, "1 15"),
        (r#"find("wwwXexampleXcom", [[\A(?:\Q\E.*?\Q]] .. ".example.com" .. [[\E)]], "josm")"#, "nil"),
        (r#"find("a www.example.com", [[\Qwww.\E]])"#, "3 6"),
        // Without options `.` is no line break, and `^` and `$` are the ends of the subject.
        (r#"find("a\nb", "a.b")"#, "nil"),
        (r#"find("a\nb", "a.b", "s")"#, "1 3"),
        (r#"find("a\nb", "^b")"#, "nil"),
        (r#"find("a\nb", "^b", "m")"#, "3 3"),
        (r#"find("a\nb", "a$", "m")"#, "1 1"),
        (r#"find("ABC", "b")"#, "nil"),
        (r#"find("ABC", "b", "i")"#, "2 2"),
        (r#"find("ab", "a b # both", "x")"#, "1 2"),
        (r#"find("ba", "a", "a")"#, "nil"),
        (r#"find("ü", "^.$")"#, "nil"),
        (r#"find("ü", "^.$", "u")"#, "1 2"),
        (r#"find("aa", "(a)\\1", "d")"#, "1 2"),
        (r#"find(1234, "3")"#, "3 3"),
        (r#"sub("hello, 1234", "([0-9])[0-9]", "[$0][$1]")"#, "hello, [12][1]34 1"),
        (r#"gsub("a1b22", "[0-9]+", "<$0>")"#, "a<1>b<22> 2"),
        (r#"gsub("abc", "", "-")"#, "-a-b-c- 4"),
        (r#"gsub("abc", "[ac]", function(m) return m[0]:upper() end)"#, "AbC 2"),
        (r#"gsub("abc", "x", "y")"#, "abc 0"),
    ] {
        assert_eq!(output(&format!("output(ngx.re.{call})")), format!("{expected}\n"), "{call}");
    }
    assert_eq!(
        output(r#"local m = ngx.re.match("2026-11", "(?<year>\\d+)-(\\d+)(x)?") output(m[0], m[1], m[2], m[3], m.year)"#),
        "2026-11 2026 11 false 2026\n"
    );
    assert_eq!(output(r#"for m, err in ngx.re.gmatch("a1b22", "[0-9]+") do output(m[0], err) end"#), "1 nil\n22 nil\n");
    assert_eq!(
        output(
            r#"local ctx = {pos = 2} output(ngx.re.find("1a2b3", "[0-9]", "", ctx)) output(ctx) output(ngx.re.match("1a2b3", "[0-9]", "", ctx)[0])"#
        ),
        "3 3\n{\"pos\":4}\n3\n"
    );
}

#[test]
fn wrong_expressions_are_texts_and_wrong_arguments_are_errors() {
    for (call, part) in [
        (r#"find("a", "(")"#, "nil nil the pattern cannot be compiled"),
        (r#"match("a", "(")"#, "nil the pattern cannot be compiled"),
        (r#"gmatch("a", "(")"#, "nil the pattern cannot be compiled"),
        (r#"gsub("a", "(", "")"#, "nil nil the pattern cannot be compiled"),
        (r#"find("a", "a", "z")"#, "unknown flag"),
        (r#"find("a", nil)"#, "the pattern is not a text, but nil"),
    ] {
        let said = output(&format!("output(ngx.re.{call})"));
        assert!(said.contains(part), "{call}: {said}");
    }
    for (call, part) in [
        ("find(nil, 'a')", "the subject is not a text, but nil"),
        ("find({}, 'a')", "the subject is not a text, but a table"),
        ("find('a', 'a', '', 7)", "the context is not a table"),
        ("gsub('a', 'a', '$x')", "without the number of a group"),
        ("gsub('a', 'a', {})", "the replacement is not a text or a function"),
        ("gsub('a', 'a', function() error('lost') end)", "lost"),
        ("gsub('a', 'a', function() return {} end)", "the function gave a table"),
    ] {
        let said = error(&format!("local x = ngx.re.{call}"));
        assert!(said.starts_with("a.lua:1: ") && said.contains(part), "{call}: {said}");
    }
}

#[test]
fn a_search_that_takes_too_much_work_is_a_text() {
    let said = output(r#"output(ngx.re.find(("a"):rep(40), "^(?=(a+)+b)(a+)+b\\1"))"#);
    assert!(said == "nil\n" || said.starts_with("nil nil the search takes too much work"), "{said}");
    let text = r#"local s = ("a"):rep(200000) while true do ngx.re.find(s, "(?=(a+)+b)(a+)+b") end"#;
    let began = Instant::now();
    let run = Scene::new().rules("SecExtensionTimeLimit 1").extension("a.lua", text, "event:test").load().run(0, None);
    assert!(matches!(run.ending, Ending::Stopped(_)) && began.elapsed() < Duration::from_secs(30), "{run:?} {:?}", began.elapsed());
    // Patterns that are too large together, or are held by matches to come.
    let many = output(
        r#"
        local held, problem = {}, nil
        for i = 1, 100 do
            local found, err = ngx.re.gmatch("a", "(?:abc){10000}" .. i)
            held[i], problem = found, problem or err
        end
        output(problem)
        held = nil
        for i = 1, 100 do
            assert(ngx.re.find("x", "(?:abc){10000}" .. i) == nil)
        end
        output(ngx.re.find("ab", "b"))
        "#,
    );
    assert_eq!(many, "the patterns that are in use are too large together\n2 2\n");
    // Functions that call one another end, too.
    let nested = output("local function f() return (ngx.re.gsub('a', 'a', f)) end output(pcall(f))");
    assert!(nested.starts_with("false ") && nested.contains("nested"), "{nested}");
}

#[test]
fn ngx_has_the_time_and_the_log_and_nothing_else() {
    let text =
        "output(ngx.time() > 1700000000, math.floor(ngx.now()) - ngx.time() <= 1, ngx.ERR, ngx.req) ngx.log(4, 'a', 1, nil, {b = 2})";
    let loaded = Scene::new().extension("a.lua", text, "event:test").load();
    assert_eq!(loaded.run(0, None).output, "true true nil nil\n");
    assert!(loaded.log.last(1)[0].to_string().ends_with("[ngx] a1nil{\"b\":2}"));
}

#[test]
fn a_connection_of_resty_http_is_opened_and_closed() {
    let server = Server::start(|mut stream, _| drop(stream.write_all(b"not TLS")));
    let said = output_with(
        server.port,
        r#"
        local httpc = require "resty.http".new()
        output(httpc:set_timeout(2000))
        output(httpc:close())
        output(httpc:ssl_handshake(nil, "a.example", true))
        output(httpc:connect("127.0.0.1", port))
        output(httpc:connect("127.0.0.1", tostring(port)))
        local ok, err = httpc:ssl_handshake(nil, "a.example", true)
        output(ok, err ~= nil)
        output(httpc:ssl_handshake(nil, "a.example", true))
        output(httpc:connect("127.0.0.1", port))
        output(httpc:close())
        "#,
    );
    let not_connected = "nil not connected: call connect first";
    assert_eq!(said, format!("\nnil not connected\n{not_connected}\ntrue nil\ntrue nil\nnil true\n{not_connected}\ntrue nil\ntrue nil\n"));
    // The last one may not have been accepted yet.
    let until = Instant::now() + Duration::from_secs(10);
    while server.connections() < 3 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(server.connections(), 3);
}

#[test]
fn resty_http_makes_requests_and_names_what_it_lacks() {
    let answering = Answering::with(response("done"));
    let said = output_with(
        answering.server.port,
        r#"
        local httpc = require("resty.http").new()
        local r = httpc:request_uri(url .. "x", {method = "POST", body = "a=1", headers = {["X-A"] = "b"}})
        output(r.status, r.body, r.headers["content-LENGTH"])
        output(httpc:request_uri(url, {query = {a = 1}}))
        output(httpc:request_uri(url, {body = {}}))
        output(httpc:connect("127.0.0.1", 0))
        output(httpc:connect("127.0.0.1"))
        output(httpc:connect(nil, 80))
        "#,
    );
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "200 done 4");
    for (line, part) in lines[1..].iter().zip(["`query`", "the body is not a text", "the port", "the port", "the host is not a text"]) {
        assert!(line.starts_with("nil ") && line.contains(part), "{line}");
    }
    assert!(answering.requests()[0].starts_with("POST /x ") && answering.requests()[0].contains("x-a: b"));
    for (call, part) in [
        ("httpc:request({})", "resty.http has no `request` here: there are connect, ssl_handshake, set_timeout, close and request_uri"),
        ("httpc:set_keepalive()", "`set_keepalive`"),
        ("httpc.set_timeout(5)", "call its methods with a colon"),
        ("httpc:set_timeout('x')", "the timeout, in milliseconds,"),
        ("httpc[{}]", "resty.http has no `a table` here"),
    ] {
        let said = error(&format!("local httpc = require 'resty.http'.new()\nlocal x = {call}"));
        assert!(said.starts_with("a.lua:2: ") && said.contains(part), "{call}: {said}");
    }
}

#[test]
fn connections_are_as_limited_as_requests() {
    assert!(output("output(require 'resty.http'.new():connect('10.0.0.1', 443))").contains("SecScriptConnect"));
    let server = Server::start(|_stream, _| std::thread::sleep(Duration::from_secs(60)));
    // Eight at once to a host: the ninth waits for its time.
    let said = output_with(
        server.port,
        "local all = {} for i = 1, 9 do all[i] = require 'resty.http'.new() all[i]:set_timeout(300) output(all[i]:connect('127.0.0.1', port)) end",
    );
    assert_eq!(said.matches("true nil\n").count(), 8);
    assert!(said.lines().last().unwrap().starts_with("nil timeout"), "{said}");
}
