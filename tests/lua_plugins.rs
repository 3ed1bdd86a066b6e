//! Plugins as rule sets have them: scripts that query a scanner or a name server, or unpack bodies, with the built-in modules.

#![cfg(all(feature = "lua", unix))]

use secrule_testkit::exchange::{Request, Rules};
use secrule_testkit::name_server::NameServer;
use secrule_testkit::plugins::{CRAWLER, SCAN, UNPACK, scanner};
use std::net::TcpListener;
use std::time::{Duration, Instant};

fn scanning(port: u16, settings: &str) -> Rules {
    let rules = format!(
        "{settings}
         SecAction \"id:1,phase:1,pass,nolog,setvar:tx.scan_address=127.0.0.1,setvar:tx.scan_port={port},setvar:tx.scan_seconds=2\"
         SecRule REQUEST_BODY \"@inspectFile scan.lua\" \"id:2,phase:2,deny,status:403\""
    );
    Rules::new(&rules, &[("scan.lua", SCAN)])
}

#[test]
fn a_body_that_a_scanner_refuses_is_refused() {
    let rules = scanning(scanner(), "SecLuaTimeLimit 2000");
    let padding = "x".repeat(950);
    for (body, status) in [("name=harmless".to_owned(), None), (format!("name={padding}EVIL{padding}"), Some(403))] {
        let judged = rules.judge(Request { body: Some(&body), ..Request::default() });
        assert_eq!((judged.status(), judged.transaction.script_failures()), (status, &[][..]), "{body}");
    }
}

#[test]
fn a_scanner_that_is_silent_holds_a_request_up_no_longer_than_the_limit() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let rules = scanning(silent.local_addr().unwrap().port(), "SecLuaTimeLimit 100");
    let began = Instant::now();
    let judged = rules.judge(Request { body: Some("name=EVIL"), ..Request::default() });
    assert!(began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
    assert_eq!((judged.status(), judged.tx("MSC_LUA_LIMITS_EXCEEDED").as_deref()), (None, Some("1")));
    assert_eq!(judged.transaction.script_failures()[0].reason, "it was stopped: it took more time than SecLuaTimeLimit");
}

#[test]
fn a_crawler_is_who_its_names_say() {
    let server = NameServer::start(&[
        ("192.0.2.10", "bot-1.crawler.example", &["192.0.2.10"]),
        ("192.0.2.11", "bot-2.crawler.example", &["192.0.2.99"]),
        ("192.0.2.12", "bot.other.example", &["192.0.2.12"]),
        ("2001:db8::7", "bot-7.crawler.example", &["2001:db8::7"]),
    ]);
    let settings = format!("SecResolver {}\nSecLuaTimeLimit 2000\nSecRuleScript crawler.lua \"id:1,phase:1,deny\"", server.address());
    let rules = Rules::new(&settings, &[("crawler.lua", CRAWLER)]);
    for (client, status) in
        [("192.0.2.10", None), ("2001:db8::7", None), ("192.0.2.11", Some(403)), ("192.0.2.12", Some(403)), ("192.0.2.13", Some(403))]
    {
        assert_eq!(rules.judge(Request { client, ..Request::default() }).status(), status, "{client}");
    }
}

#[test]
fn a_name_server_that_is_silent_is_waited_for_no_longer_than_either_limit() {
    for (limits, stopped) in [("SecLuaTimeLimit 100", true), ("SecLuaTimeLimit 5000\nSecResolverTimeLimit 100", false)] {
        let server = NameServer::silent();
        let settings = format!("SecResolver {}\n{limits}\nSecRuleScript crawler.lua \"id:1,phase:1,deny\"", server.address());
        let rules = Rules::new(&settings, &[("crawler.lua", CRAWLER)]);
        let began = Instant::now();
        let judged = rules.judge(Request::default());
        assert!(began.elapsed() < Duration::from_millis(900), "{limits}: {:?}", began.elapsed());
        assert_eq!((judged.status(), judged.transaction.script_failures()[0].stopped), (None, stopped), "{limits}");
    }
}

/// Packs a text as a gzip file, with a script that returns it in hexadecimal digits.
fn gzip(text: &str) -> Vec<u8> {
    let script = format!(
        "function main()
             local packed = require('zlib').deflate(9, 31)({text}, 'finish')
             m.setvar('tx.packed', (packed:gsub('.', function(byte) return ('%02x'):format(byte:byte()) end)))
         end"
    );
    let rules = Rules::new("SecLuaTimeLimit 5000\nSecAction \"id:1,phase:1,pass,nolog,exec:a.lua\"", &[("a.lua", &script)]);
    let digits = rules.judge(Request::default()).tx("packed").unwrap();
    digits.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// Returns the unpacked body of a response, and `true` if the script was stopped.
fn unpacked(body: &[u8], settings: &str) -> (Option<String>, bool) {
    let rules =
        format!("SecResponseBodyMimeType text/html\nSecLuaTimeLimit 5000\n{settings}\nSecRuleScript unpack.lua \"id:1,phase:4,pass\"");
    let rules = Rules::new(&rules, &[("unpack.lua", UNPACK)]);
    let mut transaction = rules.waf.transaction();
    let _ = transaction.process_uri(b"/", b"GET", b"1.1");
    let _ = transaction.process_request_headers();
    let _ = transaction.process_request_body();
    transaction.add_response_header(b"Content-Type", b"text/html");
    let _ = transaction.process_response_headers(200, "HTTP/1.1");
    let _ = transaction.append_response_body(body);
    let _ = transaction.process_response_body();
    (transaction.tx("unpacked"), transaction.script_failures().iter().any(|failure| failure.stopped))
}

#[test]
fn a_compressed_body_is_unpacked_and_a_bomb_ends_with_the_memory_of_the_call() {
    assert_eq!(unpacked(&gzip("'<?php system(1)'"), ""), (Some("<?php system(1)".to_owned()), false));
    assert_eq!(unpacked(b"<?php not packed", ""), (Some("no".to_owned()), false));
    let bomb = gzip("('x'):rep(2e7)");
    assert!(bomb.len() < 30_000);
    assert_eq!(unpacked(&bomb, "SecLuaMemoryLimit 8000000"), (None, true));
}
