//! What the script host hears of exchanges: the records that a process sends to the socket of `SecPluginHost`.
#![cfg(all(unix, feature = "lua"))]
// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use secrule::internals::exchange::{ExchangeRecord, Message, MessageReader};
use secrule::{Connection, Waf};
use std::fmt::Write as _;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

/// A folder with a plugin, and the socket of a host in it.
struct Host {
    folder: PathBuf,
    socket: Option<UnixDatagram>,
}

impl Host {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("secrule-exchanges-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("a.lua"), "-- a plugin").unwrap();
        let mut host = Self { folder, socket: None };
        host.listen();
        host
    }

    fn listen(&mut self) {
        let path = self.folder.join("host.sock");
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        self.socket = Some(socket);
    }

    fn waf(&self, rules: &str) -> Waf {
        let folder = self.folder.display();
        let text = format!("SecRuleEngine On\nSecPluginHost unix:{folder}/host.sock\nSecPlugin {folder}/*.lua\n{rules}");
        Waf::builder().rules("rules", &text).build().unwrap()
    }

    /// Returns the records of the next datagram.
    fn receive(&self) -> Vec<ExchangeRecord<'static>> {
        let mut datagram = vec![0; 1 << 20];
        let length = self.socket.as_ref().unwrap().recv(&mut datagram).unwrap();
        let records = MessageReader::new(&datagram[..length]).unwrap().map(|message| match message {
            Message::Exchange(record) => record.into_owned(),
            Message::Event(event) => panic!("{event}"),
        });
        records.collect()
    }

    fn record(&self) -> ExchangeRecord<'static> {
        let mut records = self.receive();
        assert_eq!(records.len(), 1);
        records.remove(0)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Judges a request and its response with this status, and returns the notices.
fn send(waf: &Waf, target: &str, headers: &[(&str, &str)], status: u16) -> Vec<String> {
    let mut tx = waf.begin(Connection::new(([192, 0, 2, 7], 40000).into(), ([198, 51, 100, 1], 443).into()));
    let request = headers.iter().fold(http::Request::get(target), |request, (name, value)| request.header(*name, *value));
    let (parts, ()) = request.body(()).unwrap().into_parts();
    if tx.request_head(&parts).and_then(|()| tx.request_end()).is_ok() {
        std::thread::sleep(Duration::from_millis(5));
        let _ = tx.response_headers_end(status, "1.1").and_then(|()| tx.response_end());
    }
    tx.finish().notices().to_vec()
}

const ATTACK: &str = "SecRule ARGS:a \"@contains attack\" \"id:7,phase:2,deny,status:418,log,msg:'found %{ARGS.a}',tag:'one',tag:'two',severity:2,\
    setvar:tx.blocking_inbound_anomaly_score=9,setvar:tx.inbound_anomaly_score_threshold=5\"\n";

#[test]
fn a_plain_exchange_has_its_parts() {
    let host = Host::new("plain");
    let waf = host.waf("SecTrustedSource 192.0.2.7\nSecSessionCookie sid token\nSecSiteId 3\n");
    let headers = [("Host", "Shop.Example.:8443"), ("X-Real-IP", "2001:db8::9"), ("Cookie", "sid=s1; other=x; sid=s2")];
    send(&waf, "/a%20b?token=t1&sid=s3", &headers, 404);
    let record = host.record();
    let text = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    let parts = [&record.peer, &record.server, &record.server_port, &record.method, &record.host, &record.url_path, &record.target];
    assert_eq!(parts.map(|part| text(part)).join("|"), "192.0.2.7|198.51.100.1|443|GET|shop.example|/a b|/a%20b?token=t1&sid=s3");
    assert_eq!((record.client, record.is_forwarded), (Some("2001:db8::9".parse().unwrap()), true));
    assert_eq!((record.status, record.is_denied, record.site, record.attack.is_none()), (404, false, 3, true));
    let sessions: Vec<String> = record.sessions.iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect();
    assert_eq!(sessions, ["sid=s1", "sid=s2", "sid=s3", "token=t1"]);
    assert!((5..5_000).contains(&record.backend.unwrap().as_millis()));
    assert!(record.arrived <= SystemTime::now());
}

#[test]
fn an_attack_has_what_the_rules_found() {
    let host = Host::new("attack");
    let waf = host.waf(ATTACK);
    send(&waf, "/x?a=attack1", &[("Host", "a.example"), ("User-Agent", "curl")], 200);
    let record = host.record();
    assert_eq!((record.status, record.is_denied, record.backend), (418, true, None));
    let attack = record.attack.unwrap();
    assert_eq!((attack.rule, attack.severity, attack.score, attack.threshold), (7, Some(2), 9, 5));
    assert_eq!(attack.tags, [&b"one"[..], b"two"]);
    assert_eq!(&*attack.request_head, b"GET /x?a=attack1 HTTP/1.1\r\nhost: a.example\r\nuser-agent: curl\r\n");
    assert_eq!(&*attack.user_agent, b"curl");
    let found = &attack.matches[0];
    assert_eq!((found.rule, &*found.message, &*found.group), (7, &b"found attack1"[..], &b"one"[..]));
    assert_eq!((found.first_line, found.last_line), (4, 4));
    assert_eq!(found.values, [(b"ARGS:a"[..].into(), b"attack1"[..].into())]);
}

#[test]
fn a_match_of_phase_5_is_no_attack_and_a_denial_without_a_log_neither() {
    let host = Host::new("quiet");
    let waf = host.waf("SecAction \"id:1,phase:5,pass,log\"\nSecRule ARGS:b \"@unconditionalMatch\" \"id:2,phase:1,deny,nolog\"\n");
    send(&waf, "/", &[], 200);
    assert!(host.record().attack.is_none());
    send(&waf, "/?b=1", &[], 200);
    let record = host.record();
    assert!(record.attack.is_none() && record.is_denied);
}

#[test]
fn a_denial_of_phase_5_comes_too_late() {
    let host = Host::new("late");
    let waf = host.waf("SecRule ARGS:a \"@unconditionalMatch\" \"id:1,phase:2,pass,log\"\nSecAction \"id:2,phase:5,deny,log\"\n");
    send(&waf, "/", &[], 200);
    assert!(!host.record().is_denied, "the response was sent");
    send(&waf, "/?a=1", &[], 200);
    let record = host.record();
    assert_eq!((record.is_denied, record.attack.map(|attack| attack.score)), (false, Some(0)));
    let both = host.waf("SecAction \"id:1,phase:2,deny,nolog\"\nSecAction \"id:2,phase:5,deny,log\"\n");
    send(&both, "/", &[], 200);
    assert!(host.record().is_denied);
}

#[test]
fn records_are_sent_only_if_a_script_needs_them() {
    let host = Host::new("needed");
    let folder = host.folder.display();
    let sends = |rules: &str| {
        let text = format!("SecRuleEngine On\nSecPluginHost unix:{folder}/host.sock\n{rules}\n").replace("{folder}", &folder.to_string());
        let waf = || Waf::builder().rules("rules", &text).build().unwrap();
        // With the rules ends their link, which sends what waits: the event comes behind the record, if there is one.
        send(&waf(), "/", &[], 200);
        waf().event(&serde_json::json!({ "type": "release" })).unwrap();
        let mut datagram = vec![0; 1 << 20];
        let mut messages = 0;
        loop {
            let length = host.socket.as_ref().unwrap().recv(&mut datagram).unwrap();
            for message in MessageReader::new(&datagram[..length]).unwrap() {
                match message {
                    Message::Exchange(_) => messages += 1,
                    Message::Event(_) => return messages == 1,
                }
            }
        }
    };
    let timed = "SecExtension {folder}/a.lua \"cron:0 3 * * *\"\n";
    let released = "SecExtension {folder}/a.lua event:release\n";
    assert!(!sends(timed) && !sends(released));
    assert!(!sends("SecExtension {folder}/a.lua event:waf_event off\n"));
    assert!(sends("SecExtension {folder}/a.lua event:release,waf_event\n"));
    assert!(sends(&format!("{released}SecPlugin {{folder}}/a.lua")));
    // The host fills a database of its own.
    assert!(sends(&format!("{timed}SecExtensionDatabase log-server embedded:{{folder}}/events.db")));
    assert!(sends(&format!("{timed}SecDataDir {{folder}}")));
    assert!(!sends(&format!("{timed}SecDataDir {{folder}}\nSecExtensionDatabase log-server postgres://log@db.example/events")));
}

#[test]
fn scores_are_named_by_a_directive_and_else_tell_a_denial() {
    let host = Host::new("scores");
    let rule = "SecRule ARGS:a \"@contains 1\" \"id:7,phase:2,deny,log,setvar:tx.mine=4,setvar:tx.top=3\"\n";
    send(&host.waf(&format!("{rule}SecExtensionScore TX:mine TX:top\n")), "/?a=1", &[], 200);
    let attack = host.record().attack.unwrap();
    assert_eq!((attack.score, attack.threshold), (4, 3));
    send(&host.waf(rule), "/?a=1", &[], 200);
    let attack = host.record().attack.unwrap();
    assert_eq!((attack.score, attack.threshold), (1, 1));
}

#[test]
fn masked_values_and_details_that_are_off_are_not_sent() {
    let host = Host::new("masked");
    let waf = host.waf(&format!("{ATTACK}SecSanitise ARGS:a REQUEST_HEADERS:Authorization\n"));
    send(&waf, "/x?a=attack-secret", &[("Authorization", "Bearer abcdef")], 200);
    let sent = format!("{:?}", host.record()).replace(", ", " ");
    for secret in [&b"attack-secret"[..], b"abcdef"] {
        let numbers = secret.iter().fold(String::new(), |mut all, byte| {
            let _ = write!(all, "{byte} ");
            all
        });
        assert!(!sent.contains(numbers.trim()), "{sent}");
    }
    let waf = host.waf(&format!("{ATTACK}SecPluginDetail Off\n"));
    send(&waf, "/x?a=attack", &[], 200);
    let attack = host.record().attack.unwrap();
    assert!(attack.request_head.is_empty() && attack.matches.is_empty() && attack.rule == 7);
}

#[test]
fn sessions_and_hosts_that_are_secret_are_stars() {
    let host = Host::new("secret-sessions");
    let rules =
        format!("{ATTACK}SecSessionCookie sid token plain\nSecAction \"id:8,phase:1,pass,nolog,setsid:%{{REQUEST_COOKIES.sid}}\"\n");
    let shown = |sanitise: &str| {
        let headers = [("Host", "Shop.Example:8443"), ("Cookie", "sid=s1; plain=p1"), ("User-Agent", "agent/secret-token-1")];
        send(&host.waf(&format!("{rules}{sanitise}\n")), "/x?a=attack&token=secret-token-1", &headers, 200);
        let record = host.record();
        let text = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        let sessions: Vec<String> = record.sessions.iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect();
        let attack = record.attack.unwrap();
        (text(&record.host), sessions.join(" "), text(&record.target), text(&attack.user_agent), text(&attack.request_head))
    };
    let (name, sessions, ..) = shown("");
    assert_eq!((name.as_str(), sessions.as_str()), ("shop.example", "sid=s1 token=secret-token-1 plain=p1 SESSIONID=s1"));
    let (name, sessions, target, agent, head) = shown("SecSanitise REQUEST_COOKIES:sid ARGS:token REQUEST_HEADERS:Host");
    assert_eq!((name.as_str(), sessions.as_str()), ("************", "sid=** token=************** plain=p1 SESSIONID=**"));
    assert_eq!((target.as_str(), agent.as_str()), ("/x?a=attack&token=**************", "agent/**************"));
    assert!(
        head.starts_with("GET /x?a=attack&token=************** HTTP/1.1\r\n") && head.contains("cookie: sid=**; plain=p1\r\n"),
        "{head}"
    );
    // An action names them, too.
    let (_, sessions, ..) = shown("SecAction \"id:9,phase:1,pass,nolog,sanitiseArg:token\"");
    assert_eq!(sessions, "sid=s1 token=************** plain=p1 SESSIONID=s1");
}

#[test]
fn a_banned_request_is_not_told() {
    let host = Host::new("banned");
    let waf = host.waf("");
    waf.ban([192, 0, 2, 7].into(), 0, Duration::from_secs(60)).unwrap();
    send(&waf, "/banned", &[], 200);
    waf.unban([192, 0, 2, 7].into(), 0).unwrap();
    send(&waf, "/later", &[], 200);
    assert_eq!(&*host.record().url_path, b"/later");
}

#[test]
fn many_records_come_in_batches_and_none_is_lost() {
    let host = Host::new("many");
    let waf = host.waf("");
    let records = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut counts = Vec::new();
            while counts.iter().sum::<usize>() < 2_000 {
                counts.push(host.receive().len());
            }
            counts
        });
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    let mut tx = waf.begin(Connection::new(([192, 0, 2, 7], 40000).into(), ([198, 51, 100, 1], 443).into()));
                    let (parts, ()) = http::Request::get("/").body(()).unwrap().into_parts();
                    tx.request_head(&parts).unwrap();
                    tx.finish();
                }
            });
        }
        reader.join().unwrap()
    });
    assert_eq!(records.iter().sum::<usize>(), 2_000);
    assert!(records.iter().all(|count| *count <= 64) && records.len() < 2_000, "{records:?}");
    assert_eq!(waf.dropped_exchange_records(), 0);
}

#[test]
fn without_a_host_requests_pass_and_one_notice_says_so() {
    let mut host = Host::new("absent");
    host.socket = None;
    std::fs::remove_file(host.folder.join("host.sock")).unwrap();
    let waf = host.waf("");
    let until = Instant::now() + Duration::from_secs(10);
    let mut notices = Vec::new();
    while notices.is_empty() && Instant::now() < until {
        notices = send(&waf, "/", &[], 200);
    }
    assert!(notices[0].starts_with("Plugins and extensions do not see all requests: the script host is not there"), "{notices:?}");
    assert!(send(&waf, "/", &[], 200).is_empty());
    assert!(waf.dropped_exchange_records() > 0);
    host.listen();
    // Once a second it is looked for.
    std::thread::sleep(Duration::from_millis(1_500));
    let known = waf.dropped_exchange_records();
    send(&waf, "/again", &[], 200);
    assert_eq!(&*host.record().url_path, b"/again");
    assert_eq!(waf.dropped_exchange_records(), known);
}

#[test]
fn a_host_that_was_started_anew_gets_the_next_record() {
    let mut host = Host::new("anew");
    let waf = host.waf("");
    send(&waf, "/before", &[], 200);
    assert_eq!(&*host.record().target, b"/before");
    host.listen();
    send(&waf, "/after", &[], 200);
    assert_eq!((&*host.record().target, waf.dropped_exchange_records()), (&b"/after"[..], 0));
}

#[test]
fn events_are_sent_at_once_or_refused() {
    let mut host = Host::new("events");
    let waf = host.waf("");
    waf.event(&serde_json::json!({ "type": "release", "uid": 1 })).unwrap();
    let mut datagram = [0; 1000];
    let length = host.socket.as_ref().unwrap().recv(&mut datagram).unwrap();
    let messages: Vec<_> = MessageReader::new(&datagram[..length]).unwrap().collect();
    assert!(matches!(messages[..], [Message::Event(r#"{"type":"release","uid":1}"#)]), "{messages:?}");
    let told = waf.event(&serde_json::json!(["release"])).unwrap_err().to_string();
    assert_eq!(told, "an event is a JSON object with the member `type`, which is a text");
    host.socket = None;
    let told = waf.event(&serde_json::json!({ "type": "release" })).unwrap_err().to_string();
    assert!(told.starts_with("no script host answers at "), "{told}");
    let told = Waf::from_rules("").unwrap().event(&serde_json::json!({ "type": "release" })).unwrap_err().to_string();
    assert_eq!(told, "no extension can run, because there is no SecExtension with a SecPluginHost");
}
