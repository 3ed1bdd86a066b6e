//! Queries as scripts see them, and the shapes of the published examples that make some, with a database of the test.

use crate::databases::Queries;
use crate::run::{Cause, Ending, Run};
use crate::runner::Runner;
use crate::sql::{Query, Rows, Value};
use secrule::internals::script::Script;
use secrule::{Store, Waf};
use secrule_host::outgoing::{Allowed, Destination};
use secrule_host::{Outgoing, ScriptLog, Services};
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A database that gives rows, and keeps the queries that it got.
#[derive(Debug)]
struct Answering {
    answer: fn(&str) -> Rows,
    asked: Mutex<Vec<(String, Query)>>,
}

impl Queries for Answering {
    fn query(&self, destination: &str, query: &Query) -> Result<Rows, String> {
        self.asked.lock().unwrap().push((destination.to_owned(), query.clone()));
        Ok((self.answer)(&query.sql))
    }
}

/// Runs a script that may connect to this machine, with a database that gives these rows.
fn run(answer: fn(&str) -> Rows, text: &str) -> (Run, Vec<(String, Query)>, Services) {
    let waf = Waf::from_rules("SecRuleEngine On").unwrap();
    let services = Services::new(&waf, Arc::new(ScriptLog::new(Box::new(io::sink()), 100)));
    let allowed: Allowed = ["127.0.0.1:*".parse::<Destination>().unwrap()].into_iter().collect();
    let mut runner = Runner::new(&services, &Outgoing::new(allowed)).unwrap();
    let database = Arc::new(Answering { answer, asked: Mutex::default() });
    runner.databases = Arc::clone(&database) as Arc<dyn Queries>;
    let run = runner.run(&Script::new("a.lua", text.into()).unwrap(), Cause::Timetable, &Arc::default());
    let asked = database.asked.lock().unwrap().clone();
    (run, asked, services)
}

fn rows<const N: usize>(columns: [&str; N], rows: impl IntoIterator<Item = [Value; N]>) -> Rows {
    Rows { columns: columns.map(str::to_owned).to_vec(), rows: rows.into_iter().map(Vec::from).collect(), is_cut: false }
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

/// A server that takes one request, and gives its text.
fn server() -> (u16, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let (mut request, mut buffer) = (String::new(), [0; 4096]);
        while !request.contains("\r\n\r\n") || !request.ends_with(['}', ']']) {
            let length = stream.read(&mut buffer).unwrap();
            request.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        request
    };
    (port, thread::spawn(serve))
}

#[test]
fn a_query_has_defaults_and_rows_are_tables_by_column() {
    let answer = |_: &str| {
        let object = Value::Map(vec![("a".to_owned(), Value::Integer(1)), ("b".to_owned(), Value::Null)]);
        let list = Value::List(vec![Value::Integer(443), Value::Integer(8443)]);
        rows(
            ["ip", "score", "share", "on", "none", "ports", "more"],
            [[text("192.0.2.1"), Value::Integer(7), Value::Real(0.5), Value::Boolean(false), Value::Null, list, object]],
        )
    };
    let script = r#"
        local rows, err = sql_query("select 1")
        output(#rows, err, rows[1].ip, rows[1].score + 1, rows[1].share, rows[1].on, rows[1].none or rows[1].ip)
        for _, port in ipairs(rows[1].ports) do output(port) end
        output(rows)
        sql_query("select 2", 1.5, 10, "log-server", 3)
        sql_query("select 3", 1e9, nil, "log_server")
    "#;
    let (run, asked, _) = run(answer, script);
    let json = r#"[{"ip":"192.0.2.1","more":{"a":1},"on":false,"ports":[443,8443],"score":7,"share":0.5}]"#;
    assert_eq!(run.output, format!("1 nil 192.0.2.1 8 0.5 false 192.0.2.1\n443\n8443\n{json}\n"), "{run:?}");
    let names: Vec<&str> = asked.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["admin", "log-server", "log_server"]);
    assert_eq!((asked[0].1.time, asked[0].1.limit, asked[0].1.retries), (Duration::from_secs(120), 20_000, 1));
    assert_eq!((asked[1].1.time, asked[1].1.limit, asked[1].1.retries), (Duration::from_millis(1_500), 10, 3));
    // No longer than the run may take.
    assert!(asked[2].1.time <= Duration::from_secs(600) && asked[2].1.time > Duration::from_secs(590));
}

#[test]
fn rows_that_are_left_out_are_noted() {
    let answer = |_: &str| Rows { is_cut: true, ..rows(["a"], [[Value::Integer(1)]]) };
    let (run, _, _) = run(answer, "output(#sql_query('select 1', 1, 1))");
    assert_eq!(
        (run.output.as_str(), run.notes.as_slice()),
        ("1\n", ["sql_query: rows after the first 1 were left out".to_owned()].as_slice())
    );
}

#[test]
fn more_rows_than_memory_stop_the_run() {
    // Lua keeps equal texts once.
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    fn text() -> Vec<u8> {
        [vec![b'x'; 1 << 20], COUNT.fetch_add(1, Ordering::Relaxed).to_string().into_bytes()].concat()
    }
    let answer = |_: &str| rows(["a"], (0..15).map(|_| [Value::Text(text())]));
    let (run, _, _) = run(answer, "local all = {} while true do all[#all + 1] = sql_query('select 1') end");
    assert_eq!(run.ending, Ending::Stopped("it took more than 256 MiB of memory".to_owned()));
}

#[test]
fn a_report_of_each_minute_sends_rows_as_json() {
    let answer = |_: &str| rows(["node_id", "avg"], [[Value::Integer(59), Value::Real(12.5)]]);
    let (port, served) = server();
    let script = format!(
        r#"
        local sql = [[
        select node_id, avg("system_CPU_percent") from monitor
        where created > now() - INTERVAL '1 hour' group by node_id limit 1
        ]]
        local res = sql_query(sql, 120, 2000, "log_server")
        local params = {{ body = res }}
        res = http_query('POST', "http://127.0.0.1:{port}/report", params)
        output(res)
        "#
    );
    let (run, asked, _) = run(answer, &script);
    assert_eq!((run.ending, run.output.as_str()), (Ending::Ok, "{\"body\":\"\",\"headers\":{},\"status\":204}\n"));
    assert_eq!((asked[0].0.as_str(), asked[0].1.limit), ("log_server", 2_000));
    let request = served.join().unwrap();
    assert!(request.starts_with("POST /report ") && request.contains("content-type: application/json\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n[{\"avg\":12.5,\"node_id\":59}]"), "{request}");
}

#[test]
fn blocked_addresses_become_a_list_of_the_store() {
    let answer = |sql: &str| {
        assert!(sql.contains("app_id='1'"));
        rows(["ip"], [[text("192.0.2.7")], [text("2001:db8::1")]])
    };
    let script = r#"
        local app_id, ip_list_id = "1", "1"
        local api_put = require "Lua.SchemaDB" .update
        local res = sql_query(string.format("SELECT DISTINCT remote_addr as ip FROM waf_request_tsdb WHERE app_id='%s'", app_id), 120, 2000, "log_server")
        local ok, err = api_put({ "applications", app_id, "ip_list", ip_list_id }, { items = res })
        output(ok and "updated" or "failed: " .. tostring(err))
    "#;
    let (run, _, services) = run(answer, script);
    assert_eq!(run.output, "updated\n");
    let list = services.ask_store(|store: &dyn Store, by| store.list("1", None, by)).unwrap();
    assert_eq!(list.unwrap().1, ["192.0.2.7", "2001:db8::1"]);
}

#[test]
fn certificates_of_all_ports_of_all_nodes_are_checked() {
    let answer = |sql: &str| match sql {
        "nodes" => rows(
            ["external_ip", "external_ipv6"],
            [[text("127.0.0.1"), Value::Null], [Value::Null, text("::1")], [Value::Null, Value::Null]],
        ),
        port => {
            let ports = Value::List(vec![Value::Integer(port.parse().unwrap())]);
            rows(["domain", "https_ports"], [[text("www.example.com"), ports.clone()], [text("example.org"), ports]])
        }
    };
    let (port, _) = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        (
            listener.local_addr().unwrap().port(),
            thread::spawn(move || listener.incoming().flatten().for_each(|mut stream| drop(stream.write_all(b"no")))),
        )
    };
    let script = format!(
        r#"
        local re_find, httpc, found = ngx.re.find, require "resty.http".new(), {{}}
        for _, app in ipairs(sql_query("{port}")) do
            if not re_find(app.domain, [[\A(?:\Q\E.*?\Q]] .. ".example.com" .. [[\E)]], "josm") then
                goto _next_
            end
            for _, node in ipairs(sql_query("nodes")) do
                local ip = node.external_ip or node.external_ipv6
                if not ip then
                    goto _next_node_
                end
                for _, https_port in ipairs(app.https_ports) do
                    local ok, err = httpc:connect(ip, https_port)
                    if ok then
                        ok, err = httpc:ssl_handshake(nil, app.domain, true)
                    end
                    found[#found + 1] = string.format("%s on %s: %s %s", app.domain, ip, tostring(ok), err and "failed" or "")
                end
                ::_next_node_::
            end
            ::_next_::
        end
        output(table.concat(found, "\n"))
        "#
    );
    let (run, _, _) = run(answer, &script);
    assert_eq!(run.output, "www.example.com on 127.0.0.1: nil failed\nwww.example.com on ::1: nil failed\n", "{run:?}");
}
