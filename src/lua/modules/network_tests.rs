//! Network functions of scripts, with peers on this machine.

use crate::lua::tests::LIMITS;
use crate::lua::{Budget, Call, Excess, Failure, Host, Limits, Question, Reply, Returned, World, run};
use crate::script::Script;
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::{Duration, Instant};

/// Knows the name `scanner.example`, and that 192.0.2.1 is `crawl.example`.
struct Directory;

impl Host for Directory {
    fn spent(&mut self, _instructions: u64) {}

    fn answer(&mut self, question: Question<'_>, _: &Budget) -> Reply<'_> {
        match question {
            Question::AddressesOf(b"scanner.example") => Reply::List(vec![b"127.0.0.1".to_vec(), b"::1".to_vec()]),
            Question::AddressesOf(b"empty.example") => Reply::List(Vec::new()),
            Question::NamesOf(b"192.0.2.1") => Reply::List(vec![b"crawl.example".to_vec()]),
            Question::NamesOf(b"192.0.2.2") => Reply::List(Vec::new()),
            _ => Reply::Senseless("temporary failure in name resolution".to_owned()),
        }
    }
}

fn result(body: &str, limits: Limits) -> Result<Returned, Failure> {
    let script =
        format!("function main()\nlocal socket, http, ltn12 = require 'socket', require 'socket.http', require 'ltn12'\n{body}\nend");
    let script = Script::new("a.lua", script.into()).unwrap();
    run(&Call { script: &script, world: World::Rule { argument: None }, sandboxed: false, limits }, &mut Directory)
}

#[track_caller]
fn value(body: &str) -> String {
    match result(body, Limits { time: Duration::from_secs(5), ..LIMITS }) {
        Ok(Returned::Text(text) | Returned::Number(_, text)) => String::from_utf8(text).unwrap(),
        other => format!("{other:?}"),
    }
}

/// A peer that serves one client after the other.
fn peer(talk: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().flatten().for_each(&talk));
    port
}

/// Reads an HTTP head and its body, and answers.
fn web(answer: &'static str) -> u16 {
    peer(move |stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut head, mut length, mut is_chunked) = (String::new(), 0, false);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap() == 0 || line == "\r\n" {
                break;
            }
            length = line.strip_prefix("content-length: ").map_or(length, |value| value.trim().parse().unwrap());
            is_chunked |= line.starts_with("transfer-encoding: chunked");
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        while is_chunked {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let mut piece = vec![0; usize::from_str_radix(line.trim(), 16).unwrap() + 2];
            reader.read_exact(&mut piece).unwrap();
            is_chunked = piece.len() > 2;
            body.extend_from_slice(&piece[..piece.len() - 2]);
        }
        let line = head.lines().next().unwrap_or_default().to_owned();
        let answer = answer.replace("LINE", &line).replace("BODY", &String::from_utf8_lossy(&body));
        let _ = (&stream).write_all(answer.as_bytes());
    })
}

#[test]
fn a_connection_sends_and_receives_by_line_by_length_and_to_the_end() {
    let port = peer(|mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        stream.write_all(format!("got {line}second\r\nabcdefrest\nof it").as_bytes()).unwrap();
    });
    let body = format!(
        "local c = socket.tcp() local ok, why = c:connect('127.0.0.1', {port}) if not ok then return why end
         local sent = c:send('xhello\\nx', 2, 7) local ip, port, family = c:getpeername()
         local first, second, six, prefixed = c:receive(), c:receive('*l'), c:receive(4), c:receive(4, 'ef')
         local rest = c:receive('*a') local nothing, closed, partial = c:receive() c:close()
         local _, again = c:receive() local _, sent_again = c:send('x')
         return table.concat({{sent, ip, family, first, second, six, prefixed, rest, tostring(nothing), closed, partial, again, sent_again, tostring(c)}}, '|')"
    );
    assert_eq!(value(&body), "7|127.0.0.1|inet|got hello|second|abcd|efef|rest\nof it|nil|closed||closed|closed|tcp{master}");
    let partial = format!(
        "local c = socket.connect('scanner.example', {port}) c:send('a\\n') c:receive() local _, why, partial = c:receive(100) return why .. partial"
    );
    assert_eq!(value(&partial), "closedsecond\r\nabcdefrest\nof it");
}

#[test]
fn nobody_there_is_said_and_a_wait_ends_with_its_limit_or_with_the_call() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_eq!(value(&format!("return select(2, socket.tcp():connect('127.0.0.1', {closed}))")), "connection refused");
    assert_eq!(value("return select(2, socket.tcp():connect('none.example', 80))"), "temporary failure in name resolution");
    assert_eq!(value("return select(2, socket.tcp():connect('empty.example', 80))"), "host or service not provided, or not known");
    assert_eq!(value("return select(2, require('socket.unix')():connect('/no/such/socket'))"), "No such file or directory");

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let own = format!(
        "local c = socket.tcp() c:settimeout(0.05) c:connect('127.0.0.1', {port}) c:send('x') local began = socket.gettime()
         local _, why = c:receive() c:settimeout(0) local _, at_once = c:receive() c:settimeout() c:settimeout(0.05, 't') local _, all = c:receive('*a')
         local took = socket.gettime() - began return why .. at_once .. all .. tostring(took > 0.09 and took < 2)"
    );
    assert_eq!(value(&own), "timeouttimeouttimeouttrue");
    let full = std::env::temp_dir().join(format!("secrule-full-{}.sock", std::process::id()));
    let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    listener.bind(&SockAddr::unix(&full).unwrap()).unwrap();
    listener.listen(1).unwrap();
    // No one accepts: once the backlog is full, connecting waits.
    let waiting = (0..16).map_while(|_| connected(&full)).collect::<Vec<_>>();
    assert!(waiting.len() < 16);
    let path = full.display();
    assert_eq!(value(&format!("local c = require('socket.unix')() c:settimeout(0.02) return select(2, c:connect('{path}'))")), "timeout");
    for body in [
        format!("local c = socket.connect('127.0.0.1', {port}) c:receive()"),
        format!("local c = socket.connect('127.0.0.1', {port}) while true do c:send(('x'):rep(1e6)) end"),
        format!("local c = socket.connect('127.0.0.1', {port}) c:settimeout(0.01) while true do c:receive() end"),
        format!("http.request('http://127.0.0.1:{port}/')"),
        format!("require('socket.unix')():connect('{path}')"),
        "local u = socket.udp() u:sendto('x', '127.0.0.1', 9) while true do u:settimeout(0.01) u:receive() end".to_owned(),
        "socket.sleep(60)".to_owned(),
        "while true do socket.sleep(0.01) end".to_owned(),
        "while true do pcall(socket.sleep, 60) end".to_owned(),
    ] {
        let began = Instant::now();
        let result = result(&body, Limits { time: Duration::from_millis(150), instructions: 1 << 40, ..LIMITS });
        assert_eq!(result, Err(Failure::Over(Excess::Time)), "{body}");
        assert!(began.elapsed() < Duration::from_millis(900), "{body} took {:?}", began.elapsed());
    }
    std::fs::remove_file(full).unwrap();
}

/// Connects without waiting.
fn connected(path: &std::path::Path) -> Option<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.connect(&SockAddr::unix(path).unwrap()).ok().map(|()| socket)
}

#[test]
fn what_a_call_opens_is_closed_behind_it() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let port = peer(move |mut stream| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        let _ = sender.send(all);
    });
    assert_eq!(value(&format!("kept = socket.connect('127.0.0.1', {port}) kept:send('bye') return 'left'")), "left");
    assert_eq!(receiver.recv_timeout(Duration::from_secs(5)).unwrap(), b"bye");
    let many = format!(
        "local t = {{}} for i = 1, 100 do local why t[i], why = socket.connect('127.0.0.1', {port}) if why then return i .. why end end"
    );
    assert_eq!(value(&many), "65too many open sockets");
}

#[test]
fn a_scanner_of_uploads_is_asked_over_tcp_and_over_a_socket_of_the_file_system() {
    /// Works as clamd does with `nINSTREAM`: pieces with their length before them, the last one empty.
    fn scan(mut stream: impl std::io::Read + std::io::Write) {
        let mut command = [0; 10];
        stream.read_exact(&mut command).unwrap();
        assert_eq!(&command, b"nINSTREAM\n");
        let mut all = Vec::new();
        loop {
            let mut length = [0; 4];
            stream.read_exact(&mut length).unwrap();
            let mut piece = vec![0; u32::from_be_bytes(length) as usize];
            if piece.is_empty() {
                break;
            }
            stream.read_exact(&mut piece).unwrap();
            all.extend_from_slice(&piece);
        }
        let answer = if all.windows(4).any(|four| four == b"EVIL") { "stream: Test.Evil FOUND\n" } else { "stream: OK\n" };
        stream.write_all(answer.as_bytes()).unwrap();
    }
    let port = peer(scan);
    let path = std::env::temp_dir().join(format!("secrule-clamd-{}.sock", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    thread::spawn(move || listener.incoming().flatten().for_each(|stream: UnixStream| scan(stream)));
    let ask = |open: &str, text: &str| {
        value(&format!(
            "local function length(n) return string.char(math.floor(n / 16777216) % 256, math.floor(n / 65536) % 256, math.floor(n / 256) % 256, n % 256) end
             local c = {open} local text = {text} c:settimeout(2) c:send('nINSTREAM\\n')
             for at = 1, #text, 1000 do local piece = text:sub(at, at + 999) c:send(length(#piece) .. piece) end c:send(length(0))
             local said = '' while true do local line, why, partial = c:receive() said = said .. (line or partial or '') if why then break end end
             c:close() return said"
        ))
    };
    let unix = format!("require 'socket.unix'() c:connect('{}')", path.display());
    let tcp = format!("socket.tcp() c:connect('127.0.0.1', {port})");
    for open in [&unix, &tcp] {
        assert_eq!(ask(open, "('x'):rep(200000) .. 'EVIL'"), "stream: Test.Evil FOUND", "{open}");
        assert_eq!(ask(open, "('x'):rep(2500)"), "stream: OK", "{open}");
    }
    std::fs::remove_file(path).unwrap();
}

#[test]
fn names_of_crawlers_lead_to_their_addresses() {
    for (body, expected) in [
        ("return socket.dns.getnameinfo('192.0.2.1')[1]", "crawl.example"),
        ("return socket.dns.getnameinfo('192.0.2.2')[1]", "192.0.2.2"),
        ("return tostring(socket.dns.getnameinfo('192.0.2.3'))", "nil"),
        (
            "local t = socket.dns.getaddrinfo('scanner.example') return t[1].family .. t[1].addr .. t[2].family .. t[2].addr",
            "inet127.0.0.1inet6::1",
        ),
        ("return socket.dns.toip('scanner.example')", "127.0.0.1"),
        ("return socket.dns.toip('192.0.2.9')", "192.0.2.9"),
        ("return socket.dns.tohostname('192.0.2.1')", "crawl.example"),
        ("return select(2, socket.dns.tohostname('192.0.2.2'))", "host not found"),
        ("return type(socket.dns.gethostname())", "string"),
    ] {
        assert_eq!(value(body), expected, "{body}");
    }
}

#[test]
fn datagrams_go_and_come() {
    let echo = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = echo.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut buffer = [0; 100];
        while let Ok((length, from)) = echo.recv_from(&mut buffer) {
            let _ = echo.send_to(&buffer[..length], from);
        }
    });
    assert_eq!(value(&format!("local u = socket.udp() u:setpeername('127.0.0.1', {port}) u:send('ping') return u:receive()")), "ping");
    let with_sender = format!(
        "local u = socket.udp() u:sendto('ping', '127.0.0.1', {port}) local text, ip, port = u:receivefrom() return text .. ip .. (port - {port})"
    );
    assert_eq!(value(&with_sender), "ping127.0.0.10");
}

#[test]
fn requests_of_http_have_two_forms() {
    let plain = web("HTTP/1.1 200 OK\r\nContent-Length: 9\r\nX-Two: a\r\nX-Two: b\r\n\r\n[BODY]LINE");
    let simple =
        format!("local b, code, h, status = http.request('http://127.0.0.1:{plain}/a?b=c') return b .. code .. h['x-two'] .. status");
    assert_eq!(value(&simple), "[]GET /a?200a, bHTTP/1.1 200 OK");
    let post = web("HTTP/1.0 201 Created\r\n\r\nLINE [BODY]");
    assert_eq!(
        value(&format!("local b, code = http.request('http://127.0.0.1:{post}', 'x=1') return b .. code")),
        "POST / HTTP/1.1 [x=1]201"
    );
    let table = format!(
        "local t = {{}} local ok, code = http.request{{url = 'http://scanner.example:{post}/put', method = 'PUT', source = ltn12.source.string('some text'),
         sink = ltn12.sink.table(t), headers = {{['X-Own'] = 'y'}}}} return ok .. code .. table.concat(t)"
    );
    assert_eq!(value(&table), "1201PUT /put HTTP/1.1 [some text]");
    let chunked = web(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n",
    );
    assert_eq!(value(&format!("return (http.request('http://127.0.0.1:{chunked}/'))")), "abc0123456789");
    let there = web("HTTP/1.1 404 Not Found\r\n\r\nLINE");
    let moved: &'static str = Box::leak(format!("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{there}/new\r\n\r\n").into_boxed_str());
    let moved = web(moved);
    assert_eq!(value(&format!("local b, code = http.request('http://127.0.0.1:{moved}/old') return code .. b")), "404GET /new HTTP/1.1");
    let round = web("HTTP/1.1 301 Moved\r\nLocation: /again\r\n\r\n");
    assert_eq!(value(&format!("return select(2, http.request('http://127.0.0.1:{round}/'))")), "too many redirects");
    assert_eq!(value(&format!("return select(2, http.request{{url = 'http://127.0.0.1:{round}/', redirect = false}})")), "301");
    let nonsense = web("SSH-2.0\r\n");
    assert_eq!(value(&format!("return select(2, http.request('http://127.0.0.1:{nonsense}/'))")), "closed");
    assert_eq!(value("return select(2, http.request('https://127.0.0.1/'))"), "unsupported scheme 'https'");
    let split = format!("http.request{{url = 'http://127.0.0.1:{there}/', headers = {{a = 'b\\r\\nc: d'}}}}");
    assert!(value(&split).contains("a header holds the end of a line"));
}
