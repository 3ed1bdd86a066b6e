//! Requests of scripts to servers of this test.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics fails, as it should")]

mod server;

use secrule_host::outgoing::{Body, Connection, Outgoing, Request, Response};
use server::{Answering, Looking, Server, allowed, read_request, read_until, response};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// Time limit of requests that must end by it.
const SHORT: Duration = Duration::from_millis(400);

/// Time limit of requests that end before.
const LONG: Duration = Duration::from_secs(60);

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A request that ends before its time.
fn request<'a>(method: &'a str, url: &'a str) -> Request<'a> {
    Request { time: LONG, ..Request::new(method, url) }
}

fn get(outgoing: &Outgoing, url: &str) -> Result<Response, String> {
    outgoing.send(request("GET", url))
}

fn error(outgoing: &Outgoing, url: &str) -> String {
    get(outgoing, url).unwrap_err()
}

/// Sends a request whose time is short, and returns its error, which must come in time.
fn stopped(outgoing: &Outgoing, request: Request<'_>) -> String {
    let began = Instant::now();
    let error = outgoing.send(Request { time: SHORT, ..request }).unwrap_err();
    assert!(began.elapsed() < 10 * SHORT, "{error} after {:?}", began.elapsed());
    error
}

fn headers(pairs: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
}

fn local(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, last).into()
}

#[test]
fn a_response_has_its_status_headers_and_body_as_they_were_sent() {
    let answer = "HTTP/1.1 404 Not Found\r\nX-Request-ID: 7\r\ncontent-type: text/plain\r\nSet-Cookie: a=1\r\nETag: \"\u{e9}\"\r\nset-cookie: b=2\r\n\
        Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
    let answering = Answering::with(answer);
    let response = get(&answering.server.outgoing(), &answering.server.url("/")).unwrap();
    assert_eq!((response.status, response.body.as_slice()), (404, &b"abcde"[..]));
    let names: Vec<&str> = response.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["X-Request-ID", "content-type", "Set-Cookie", "ETag", "set-cookie", "Transfer-Encoding"]);
    assert_eq!(response.header("SET-COOKIE").collect::<Vec<_>>(), [b"a=1", b"b=2"]);
    assert_eq!(response.header("etag").next().unwrap(), "\"\u{e9}\"".as_bytes());
}

#[test]
fn a_request_is_sent_as_the_script_states_it() {
    let answering = Answering::with(OK);
    let (outgoing, url) = (answering.server.outgoing(), answering.server.url("/a?b=c%20d&e=\u{e9}#f"));
    let host = format!("host: 127.0.0.1:{}\r\n", answering.server.port);
    let with_body = |method| Request { body: Body::Bytes(b"a=1"), ..request(method, &url) };
    outgoing.send(request("GET", &url)).unwrap();
    outgoing.send(request("POST", &url)).unwrap();
    outgoing.send(with_body("GET")).unwrap();
    outgoing.send(with_body("PROPFIND")).unwrap();
    let given = headers(&[("X-A", "1"), ("x-a", "2"), ("User-Agent", "mine"), ("Host", "other.example"), ("Connection", "keep-alive")]);
    outgoing.send(Request { headers: given, ..with_body("POST") }).unwrap();
    let with_user = url.replace("http://", "http://user:password@");
    outgoing.send(request("DELETE", &with_user)).unwrap();
    let requests = answering.requests();
    for (number, parts) in [
        (
            0,
            &[
                "GET /a?b=c%20d&e=\u{e9} HTTP/1.1\r\n",
                &host,
                concat!("user-agent: secrule/", env!("CARGO_PKG_VERSION")),
                "connection: close\r\n",
            ][..],
        ),
        (1, &["POST /a", "content-length: 0\r\n"]),
        (2, &["GET /a", "content-length: 3\r\n", "\r\n\r\na=1"]),
        (3, &["PROPFIND /a", "content-length: 3\r\n", "\r\n\r\na=1"]),
        (4, &["x-a: 1\r\n", "x-a: 2\r\n", "user-agent: mine\r\n", "host: other.example\r\n", "connection: close\r\n", "\r\n\r\na=1"]),
        (5, &["DELETE /a", &host, "authorization: Basic dXNlcjpwYXNzd29yZA==\r\n"]),
    ] {
        for part in parts {
            assert!(requests[number].contains(part), "{part:?} in {}", requests[number]);
        }
    }
    assert!(
        !requests[0].contains("content-length") && !requests[0].contains("transfer-encoding") && !requests[0].contains("accept-encoding")
    );
    assert!(!requests[4].contains("secrule/") && !requests[4].contains("keep-alive") && !requests[4].contains(&host));
}

/// Spellings of an address of this machine. The address in the middle is 127.0.0.1.
const SPELLINGS: [&str; 8] =
    ["127.0.0.1", "localhost", "LOCALHOST.", "127.1", "0x7f.1", "2130706433", "017700000001", "[::ffff:127.0.0.1]"];

#[test]
fn this_machine_is_refused_in_every_spelling() {
    let answering = Answering::with(OK);
    let outgoing = Outgoing::new(allowed(&["192.0.2.0/24:*", "*.localhost:*", &format!("127.0.0.1:{}", answering.server.port ^ 1)]));
    for host in SPELLINGS.into_iter().chain(["[::1]", "0.0.0.0", "0", "[::]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "127.0.0.2"]) {
        let error = error(&outgoing, &format!("http://{host}:{}/", answering.server.port));
        assert!(error.contains("is not a public address: name ") && error.contains(" in SecScriptConnect"), "{host}: {error}");
        let opened = Connection::open(&outgoing, host, answering.server.port, LONG).unwrap_err();
        assert_eq!(opened, error);
    }
    for host in ["169.254.169.254", "[fd00:ec2::254]", "10.0.0.1", "100.64.0.1", "255.255.255.255", "224.0.0.1"] {
        assert!(error(&outgoing, &format!("http://{host}/")).contains("is not a public address"), "{host}");
    }
    assert!(error(&outgoing, "http://1.1.1.1:8080/").contains("port 8080 is neither 80 nor 443: name 1.1.1.1:8080 in SecScriptConnect"));
    assert_eq!(answering.server.connections(), 0);
}

#[test]
fn this_machine_is_reached_in_every_spelling_if_it_is_allowed() {
    let answering = Answering::with(OK);
    let outgoing = answering.server.outgoing();
    for host in SPELLINGS {
        let response = get(&outgoing, &format!("http://{host}:{}/", answering.server.port)).unwrap();
        assert_eq!(response.body, b"ok", "{host}");
    }
    assert_eq!(answering.server.connections(), SPELLINGS.len());
}

#[test]
fn a_name_that_is_allowed_does_not_lead_into_the_network() {
    let answering = Answering::with(OK);
    let port = answering.server.port;
    let here = |_: &str| vec![local(1)];
    let outgoing = |places: &[&str]| Outgoing::builder().allowed(allowed(places)).lookup(Looking(here)).build();
    let url = format!("http://hooks.example:{port}/");
    for name in [&format!("hooks.example:{port}"), "*.example:*"] {
        let expected =
            format!("hooks.example is at 127.0.0.1, which is not a public address: name 127.0.0.1:{port} in SecScriptConnect, too");
        assert_eq!(error(&outgoing(&[name]), &url), expected);
        assert_eq!(Connection::open(&outgoing(&[name]), "hooks.example", port, LONG).unwrap_err(), expected);
    }
    assert_eq!(answering.server.connections(), 0);
    assert_eq!(get(&outgoing(&["hooks.example:*", &format!("127.0.0.1:{port}")]), &url).unwrap().body, b"ok");
}

#[test]
fn rules_name_the_destinations_of_scripts() {
    let answering = Answering::with(OK);
    let outgoing = |places: &str| {
        let waf = secrule::Waf::from_rules(&format!("SecScriptConnect {places}")).unwrap();
        Outgoing::from_settings(&waf.graph().settings)
    };
    let named = outgoing(&format!("reports.example:8443 127.0.0.1:{}", answering.server.port)).unwrap();
    assert_eq!(get(&named, &answering.server.url("/")).unwrap().body, b"ok");
    let errors: Vec<String> = outgoing("https://a.example/ 10.0.0.0/8 *").unwrap_err().iter().map(ToString::to_string).collect();
    let first = "`https://a.example/` is an address of a page: name the host and the port, such as hooks.example.com:8443";
    assert_eq!(errors, [first, "`*` names no host: name hosts, or the network of all addresses, 0.0.0.0/0"]);
}

#[test]
fn a_script_cannot_name_what_is_not_a_host() {
    let outgoing = Outgoing::new(allowed(&["0.0.0.0/0:*"]));
    for host in ["unix:/run/x", "a b", "", "a/b", "a:80", "user@a"] {
        assert!(Connection::open(&outgoing, host, 80, LONG).unwrap_err().contains("is not a host name or an address"), "{host}");
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let answering = Answering::with("HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest/\r\nContent-Length: 4\r\n\r\nmove");
    let response = get(&answering.server.outgoing(), &answering.server.url("/")).unwrap();
    assert_eq!((response.status, response.body.as_slice()), (302, &b"move"[..]));
    assert_eq!(response.header("location").next().unwrap(), b"http://169.254.169.254/latest/");
    let without_body =
        Answering::with(format!("HTTP/1.1 307 Temporary\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", answering.server.url("/")));
    let post = without_body.server.url("/");
    assert_eq!(without_body.server.outgoing().send(request("POST", &post)).unwrap().status, 307);
    assert_eq!((answering.server.connections(), without_body.server.connections()), (1, 1));
}

#[test]
fn each_try_connects_to_the_address_that_was_checked() {
    // The first address cuts the connection. The second one, to which the name moves, is refused.
    let first = Server::start(|mut stream, _| drop(read_request(&mut stream)));
    let second = Server::at(SocketAddr::new(local(2), first.port), |mut stream, _| stream.write_all(OK.as_bytes()).unwrap());
    let lookups = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&lookups);
    let moving = move |_: &str| vec![local(if count.fetch_add(1, Ordering::SeqCst) == 0 { 1 } else { 2 })];
    let allowed = allowed(&[&format!("127.0.0.1:{}", first.port)]);
    let outgoing = Outgoing::builder().allowed(allowed).lookup(Looking(moving)).build();
    let url = format!("http://moving.example:{}/", first.port);
    let error = outgoing.send(Request { retries: 5, ..request("GET", &url) }).unwrap_err();
    assert!(error.starts_with("moving.example is at 127.0.0.2, which is not a public address"), "{error}");
    assert_eq!((lookups.load(Ordering::SeqCst), first.connections(), second.connections()), (2, 1, 0));
}

#[test]
fn addresses_of_a_name_that_are_refused_are_left_out() {
    let answering = Answering::with(OK);
    let port = answering.server.port;
    let several = |_: &str| vec![Ipv4Addr::new(10, 0, 0, 1).into(), local(3), local(1)];
    let outgoing = Outgoing::builder().allowed(allowed(&[&format!("127.0.0.0/8:{port}")])).lookup(Looking(several)).build();
    assert_eq!(get(&outgoing, &format!("http://several.example:{port}/")).unwrap().body, b"ok");
    let nothing = Outgoing::builder().lookup(Looking(|_: &str| Vec::new())).build();
    assert_eq!(error(&nothing, "http://nothing.example/"), "host not found: nothing.example");
}

#[test]
fn a_server_that_is_slow_is_stopped_by_the_time() {
    let slowly = |before: &'static str| {
        Server::start(move |mut stream, _| {
            let _ = stream.write_all(before.as_bytes());
            while stream.write_all(b"a").is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
        })
    };
    for before in
        ["HTTP/1.1 200 ", "HTTP/1.1 200 OK\r\nA: ", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;"]
    {
        let server = slowly(before);
        assert_eq!(stopped(&server.outgoing(), Request { retries: 3, ..request("GET", &server.url("/")) }), "timeout", "{before}");
    }
    let silent = Server::start(|stream, _| {
        thread::park();
        drop(stream);
    });
    assert_eq!(stopped(&silent.outgoing(), request("GET", &silent.url("/"))), "timeout");
    // A server that reads nothing.
    let mut endless = || Ok(Some(vec![b'a'; 1 << 20]));
    assert_eq!(stopped(&silent.outgoing(), Request { body: Body::Pieces(&mut endless), ..request("POST", &silent.url("/")) }), "timeout");
    let large = vec![b'a'; 64 << 20];
    assert_eq!(stopped(&silent.outgoing(), Request { body: Body::Bytes(&large), ..request("POST", &silent.url("/")) }), "timeout");
}

#[test]
fn a_server_that_reads_slowly_is_stopped_by_the_time() {
    let server = Server::start(|mut stream, _| {
        let mut buffer = vec![0; 256 << 10];
        while std::io::Read::read(&mut stream, &mut buffer).is_ok_and(|length| length > 0) {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let mut endless = || Ok(Some(vec![b'a'; 1 << 20]));
    assert_eq!(stopped(&server.outgoing(), Request { body: Body::Pieces(&mut endless), ..request("POST", &server.url("/")) }), "timeout");
}

#[test]
fn a_look_up_that_hangs_is_stopped_by_the_time() {
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let hanging = move |host: &str| {
        if host.starts_with("hang") {
            let _ = released.lock().unwrap().recv();
        }
        vec![local(1)]
    };
    let answering = Answering::with(OK);
    let port = answering.server.port;
    let outgoing = Outgoing::builder().allowed(allowed(&[&format!("127.0.0.1:{port}")])).lookup(Looking(hanging)).build();
    let url = |host: &str| format!("http://{host}.example:{port}/");
    thread::scope(|scope| {
        for number in 0..16 {
            let (outgoing, url) = (&outgoing, url(&format!("hang{number}")));
            scope.spawn(move || assert_eq!(stopped(outgoing, request("GET", &url)), "timeout"));
        }
    });
    // All threads of look-ups hang.
    assert_eq!(stopped(&outgoing, request("GET", &url("other"))), "timeout");
    drop(release);
    assert_eq!(get(&outgoing, &url("other")).unwrap().body, b"ok");
}

#[test]
fn a_body_that_is_too_large_is_an_error() {
    let endless = Server::start(|mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'a'; 4096]).is_ok() {}
    });
    let limited = |server: &Server, max_body| server.outgoing().send(Request { max_body, ..request("GET", &server.url("/")) });
    assert_eq!(limited(&endless, 1 << 20).unwrap_err(), "the response is larger than 1048576 bytes");
    for answer in [response(&"a".repeat(1000)), format!("HTTP/1.1 200 OK\r\n\r\n{}", "a".repeat(1000))] {
        let answering = Answering::with(answer);
        assert_eq!(limited(&answering.server, 1000).unwrap().body.len(), 1000);
        assert_eq!(limited(&answering.server, 999).unwrap_err(), "the response is larger than 999 bytes");
    }
    // Known from the header, before the body comes.
    let stated = Server::start(|mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n");
        thread::park();
    });
    assert!(limited(&stated, 1000).unwrap_err().contains("is larger"));
}

#[test]
fn headers_that_are_too_large_are_an_error() {
    let answers = |answer: String| {
        let answering = Answering::with(answer);
        get(&answering.server.outgoing(), &answering.server.url("/")).map(|response| response.headers.len())
    };
    let lines = |count: usize| "A: 1\r\n".repeat(count);
    assert_eq!(answers(format!("HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n", lines(127))), Ok(128));
    assert!(answers(format!("HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n", lines(128))).is_err());
    assert_eq!(answers(format!("HTTP/1.1 200 OK\r\nA: {}\r\nContent-Length: 0\r\n\r\n", "a".repeat(65_000))), Ok(2));
    let error = "the headers of the response are larger than 65536 bytes";
    assert_eq!(answers(format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "a".repeat(66_000))).unwrap_err(), error);
    assert_eq!(answers(format!("HTTP/1.1 200 OK\r\nA: {}", "a".repeat(1 << 20))).unwrap_err(), error);
    // Preliminary responses are not the response, and count.
    let hint = |value: String| format!("HTTP/1.1 103 Early Hints\r\nLink: {value}\r\n\r\n");
    assert_eq!(answers(format!("{}HTTP/1.1 200 OK\r\nA: 1\r\nContent-Length: 0\r\n\r\n", hint("a".to_owned()))), Ok(2));
    let body = "a".repeat(100_000);
    assert_eq!(answers(format!("{}HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{body}", hint("a".to_owned()))), Ok(1));
    let many = hint("a".repeat(60_000)).repeat(3);
    let error = answers(format!("{many}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")).unwrap_err();
    assert_eq!(error, "the headers of the responses are larger than 131072 bytes");
}

#[test]
fn what_is_not_a_response_is_an_error() {
    for (answer, expected) in [
        ("SSH-2.0-OpenSSH\r\n\r\n", "the answer is not HTTP"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "the server closed the connection"),
        ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabc", "the answer is not HTTP"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "the answer is not HTTP"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", "the server closed the connection"),
        ("HTTP/1.1 200 OK\r\nA", "the server closed the connection"),
        ("", "the server closed the connection"),
    ] {
        let answering = Answering::with(answer);
        let error = error(&answering.server.outgoing(), &answering.server.url("/"));
        assert!(error.starts_with(expected) && !error.contains('\n'), "{answer:?}: {error}");
    }
}

#[test]
fn a_response_may_have_no_body() {
    for (method, status, rest) in [
        ("HEAD", 200, "Content-Length: 9\r\n\r\n"),
        ("GET", 204, "\r\n"),
        ("GET", 304, "Content-Length: 9\r\n\r\n"),
        ("GET", 101, "Upgrade: x\r\nConnection: upgrade\r\n\r\nabc"),
        ("GET", 999, "Content-Length: 0\r\n\r\n"),
    ] {
        let answering = Answering::with(format!("HTTP/1.1 {status} A\r\n{rest}"));
        let response = answering.server.outgoing().send(request(method, &answering.server.url("/"))).unwrap();
        assert_eq!((response.status, response.body.as_slice()), (status, &b""[..]));
    }
}

#[test]
fn a_server_may_be_asked_if_it_wants_the_body() {
    let wanted = Server::start(|mut stream, number| {
        let head = read_until(&mut stream, b"\r\n\r\n").unwrap();
        assert!(head.contains("expect: 100-continue\r\n"), "{head}");
        match number {
            // It wants it, it does not, it does not know the question.
            0 => stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap(),
            1 => return stream.write_all(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n").unwrap(),
            _ => {}
        }
        assert_eq!(read_until(&mut stream, b"abc").unwrap(), "abc");
        stream.write_all(OK.as_bytes()).unwrap();
    });
    let url = wanted.url("/");
    for expected in [200, 417, 200] {
        let headers = headers(&[("Expect", "100-continue")]);
        let request = Request { headers, body: Body::Bytes(b"abc"), ..request("POST", &url) };
        assert_eq!(wanted.outgoing().send(request).unwrap().status, expected);
    }
}

#[test]
fn any_answer_is_a_response_or_an_error() {
    const CASES: usize = 600;
    let answers = [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\n\r\nabcde",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nA: b\r\n\r\n",
        "HTTP/1.1 103 A\r\nA: b\r\n\r\nHTTP/1.0 302 B\r\nLocation: /\r\n\r\nabc",
    ];
    let server = Server::start(move |mut stream, number| {
        drop(read_request(&mut stream));
        let mut answer = answers[number % answers.len()].as_bytes().to_vec();
        let mut random = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for _ in 0..=number % 4 {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            let place = (random >> 33) as usize % answer.len();
            match random >> 61 {
                0 => drop(answer.remove(place)),
                1 => answer.insert(place, b'0'),
                2 => answer.truncate(place.max(1)),
                3 => answer[place] = b'\n',
                4 => answer[place] = b' ',
                5 => answer[place] = b'9',
                _ => answer[place] = (random >> 40) as u8,
            }
        }
        let _ = stream.write_all(&answer);
    });
    let (outgoing, url) = (server.outgoing(), server.url("/"));
    let results: Vec<bool> = (0..CASES).map(|_| get(&outgoing, &url).is_ok()).collect();
    assert_eq!(server.connections(), CASES);
    assert!(results.contains(&true) && results.contains(&false));
}

#[test]
fn a_request_is_sent_again_after_a_failure_of_the_network_alone() {
    let tries = |retries, answer: &'static str| {
        let server = Server::start(move |mut stream, number| {
            drop(read_request(&mut stream));
            let _ = stream.write_all(if number < 2 { answer } else { OK }.as_bytes());
        });
        let url = server.url("/");
        let request = Request { retries, body: Body::Bytes(b"abc"), ..request("POST", &url) };
        let result = server.outgoing().send(request).map(|response| response.status);
        (server.connections(), result.map_err(|error| error.split(' ').take(3).collect::<Vec<_>>().join(" ")))
    };
    let closed = || Err("the server closed".to_owned());
    assert_eq!(tries(0, ""), (1, closed()));
    assert_eq!(tries(1, ""), (2, closed()));
    assert_eq!(tries(2, ""), (3, Ok(200)));
    assert_eq!(tries(9, ""), (3, Ok(200)));
    assert_eq!(tries(9, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), (3, Ok(200)));
    assert_eq!(tries(9, "HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n"), (1, Ok(503)));
    let closing = Server::start(|_, _| {});
    assert!(closing.outgoing().send(Request { retries: u32::MAX, ..request("GET", &closing.url("/")) }).is_err());
    assert_eq!(closing.connections(), 11);
}

#[test]
fn a_port_without_a_server_refuses() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let outgoing = Outgoing::new(allowed(&[&format!("127.0.0.1:{port}")]));
    assert_eq!(error(&outgoing, &format!("http://127.0.0.1:{port}/")), "connection refused");
    assert_eq!(Connection::open(&outgoing, "127.0.0.1", port, LONG).unwrap_err(), "connection refused");
}

#[test]
fn a_body_in_pieces_is_sent_in_chunks() {
    let answering = Answering::with(OK);
    let url = answering.server.url("/");
    let mut pieces = ["abc", "", "de"].into_iter();
    let mut next = || Ok(pieces.next().map(|piece| piece.as_bytes().to_vec()));
    answering.server.outgoing().send(Request { body: Body::Pieces(&mut next), ..request("PUT", &url) }).unwrap();
    let sent = answering.requests().remove(0);
    assert!(sent.contains("transfer-encoding: chunked\r\n") && !sent.contains("content-length"), "{sent}");
    assert!(sent.ends_with("\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), "{sent}");
    // Longer than the buffers.
    let received = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&received);
    let server = Server::start(move |mut stream, _| {
        let mut buffer = vec![0; 64 << 10];
        while !kept.lock().unwrap().ends_with(b"\r\n0\r\n\r\n") {
            let length = std::io::Read::read(&mut stream, &mut buffer).unwrap();
            kept.lock().unwrap().extend_from_slice(&buffer[..length]);
        }
        stream.write_all(OK.as_bytes()).unwrap();
    });
    let mut large = vec![vec![b'a'; 1 << 20], vec![b'a'; 3]].into_iter();
    let mut next = || Ok(large.next());
    server.outgoing().send(Request { body: Body::Pieces(&mut next), ..request("PUT", &server.url("/")) }).unwrap();
    let received = received.lock().unwrap();
    let body = received.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert!(unchunked(&received[body..]) == vec![b'a'; (1 << 20) + 3]);
}

/// Returns a body that was sent in chunks.
fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|window| window == b"\r\n").unwrap();
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&rest[line + 2..][..length]);
        rest = &rest[line + 2 + length + 2..];
    }
}

#[test]
fn a_body_in_pieces_that_was_read_is_not_sent_again() {
    let server = Server::start(|mut stream, _| drop(read_request(&mut stream)));
    let calls = AtomicUsize::new(0);
    let mut next = || Ok((calls.fetch_add(1, Ordering::SeqCst) == 0).then(|| b"abc".to_vec()));
    let url = server.url("/");
    let request = Request { retries: 5, body: Body::Pieces(&mut next), ..request("PUT", &url) };
    assert!(server.outgoing().send(request).is_err());
    assert_eq!((server.connections(), calls.load(Ordering::SeqCst)), (1, 2));
}

#[test]
fn a_body_in_pieces_may_fail_and_does_not_go_on_without_end() {
    let server = Server::start(|mut stream, _| drop(read_request(&mut stream)));
    let (outgoing, url) = (server.outgoing(), server.url("/"));
    let mut failing = || Err("line 7: no such file".to_owned());
    assert_eq!(outgoing.send(Request { body: Body::Pieces(&mut failing), ..request("PUT", &url) }).unwrap_err(), "line 7: no such file");
    let mut empty = || Ok(Some(Vec::new()));
    assert_eq!(stopped(&outgoing, Request { body: Body::Pieces(&mut empty), ..request("PUT", &url) }), "timeout");
}

#[test]
fn a_host_has_eight_requests_at_once() {
    let (arrived, arrivals) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let server = Server::start(move |mut stream, _| {
        drop(read_request(&mut stream));
        arrived.send(()).unwrap();
        let _ = released.lock().unwrap().recv();
        stream.write_all(OK.as_bytes()).unwrap();
    });
    let (outgoing, url) = (server.outgoing(), server.url("/"));
    thread::scope(|scope| {
        for _ in 0..7 {
            scope.spawn(|| assert_eq!(get(&outgoing.clone(), &url).unwrap().body, b"ok"));
        }
        // A connection without HTTP counts, too.
        let connection = Connection::open(&outgoing, "127.0.0.1", server.port, LONG).unwrap();
        (0..7).for_each(|_| arrivals.recv().unwrap());
        let error = stopped(&outgoing, request("GET", &url));
        assert_eq!(error, format!("timeout: 8 requests to 127.0.0.1:{} are under way", server.port));
        assert_eq!(server.connections(), 8);
        let ninth = scope.spawn(|| get(&outgoing, &url).unwrap().body);
        connection.close();
        drop(release);
        assert_eq!(ninth.join().unwrap(), b"ok");
    });
}

#[test]
fn a_proxy_in_the_environment_is_not_asked() {
    let proxy = Server::start(|_, _| {});
    let mut requests = Command::new(std::env::current_exe().unwrap());
    requests.args(["--exact", "a_redirect_is_not_followed"]);
    for variable in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        requests.env(variable, proxy.url("/"));
    }
    let output = requests.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    assert_eq!(proxy.connections(), 0);
}
