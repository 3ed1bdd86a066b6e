//! Spans of `secrule serve`, as a collector of OpenTelemetry gets them.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// A field of a protobuf message: its number, and its bytes if it has a length.
type Field<'a> = (u64, &'a [u8]);

/// Reads the fields of a message (protobuf.dev/programming-guides/encoding).
fn fields(mut rest: &[u8]) -> Vec<Field<'_>> {
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let key = varint(&mut rest);
        let length = match key & 7 {
            0 => {
                varint(&mut rest);
                0
            }
            1 => 8,
            2 => usize::try_from(varint(&mut rest)).unwrap(),
            5 => 4,
            kind => panic!("wire type {kind}"),
        };
        let (value, after) = rest.split_at(length);
        fields.push((key >> 3, value));
        rest = after;
    }
    fields
}

fn varint(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = rest[0];
        *rest = &rest[1..];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

/// Returns all fields on a path of numbers.
fn on_path<'a>(message: &'a [u8], path: &[u64]) -> Vec<&'a [u8]> {
    let Some((number, path)) = path.split_first() else { return vec![message] };
    fields(message).into_iter().filter(|(known, _)| known == number).flat_map(|(_, value)| on_path(value, path)).collect()
}

fn texts(message: &[u8], path: &[u64]) -> Vec<String> {
    on_path(message, path).into_iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()
}

/// Returns the texts of attributes, which are in the field `number` of a message.
fn attributes(message: &[u8], number: u64) -> Vec<String> {
    let text = |attribute: &&[u8]| format!("{}={}", texts(attribute, &[1]).concat(), texts(attribute, &[2, 1]).concat());
    on_path(message, &[number]).iter().map(text).collect()
}

/// Takes requests of an exporter, and hands on their bodies.
fn collector() -> (String, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, bodies) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert!(stream.read_line(&mut head).unwrap() > 0, "{head}");
            }
            let head = head.to_ascii_lowercase();
            assert!(head.starts_with("post /v1/traces http/1.1") && head.contains("content-type: application/x-protobuf"), "{head}");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            let mut body = vec![0; length.parse().unwrap()];
            stream.read_exact(&mut body).unwrap();
            stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
            let _ = sender.send(body);
        }
    });
    (address, bodies)
}

/// Asks a proxy for an attack and for a clean page, ends it, and returns the spans that the collector got.
fn spans(environment: &[(&str, &str)], arguments: &[&str], bodies: &mpsc::Receiver<Vec<u8>>) -> (Vec<String>, Vec<Vec<u8>>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_secrule"));
    command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments).envs(environment.iter().copied());
    let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(process.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    let address = line.split("http://").nth(1).unwrap_or_else(|| panic!("{line}")).trim().trim_end_matches('/').to_owned();
    for target in ["/secret?q=%3Cscript%3Ealert(1)%3C/script%3E", "/clean"] {
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(
            stream,
            "GET {target} HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    }
    assert!(Command::new("kill").args(["-TERM", &process.id().to_string()]).status().unwrap().success());
    assert_eq!(process.wait().unwrap().code(), Some(0));
    let body = bodies.recv_timeout(Duration::from_secs(10)).unwrap();
    // ExportTraceServiceRequest: resource_spans 1, resource 1 with attributes 1; scope_spans 2, spans 2.
    let resource = on_path(&body, &[1, 1]).into_iter().flat_map(|resource| attributes(resource, 1)).collect();
    (resource, on_path(&body, &[1, 2, 2]).into_iter().map(<[u8]>::to_vec).collect())
}

#[test]
fn each_exchange_is_a_span_and_each_match_an_event_of_it() {
    let (address, bodies) = collector();
    let (resource, spans) = spans(&[], &["--otel-endpoint", &address], &bodies);
    assert!(resource.contains(&"service.name=secrule".to_owned()), "{resource:?}");
    // Span: name 5, attributes 9, events 11; Event: name 2, attributes 3.
    let names: Vec<String> = spans.iter().flat_map(|span| texts(span, &[5])).collect();
    assert_eq!(names, ["transaction", "transaction"]);
    let attack = attributes(&spans[0], 9);
    assert!(attack.contains(&"url.path=/secret".to_owned()) && attack.contains(&"http.request.method=GET".to_owned()), "{attack:?}");
    assert!(!attack.concat().contains("script"), "the query stays out: {attack:?}");
    let events = texts(&spans[0], &[11, 2]);
    assert!(events.contains(&"rule matched".to_owned()) && events.contains(&"intervention".to_owned()), "{events:?}");
    let matched = on_path(&spans[0], &[11]).into_iter().find(|event| texts(event, &[2]) == ["rule matched"]).unwrap();
    let matched = attributes(matched, 3);
    for name in ["security_rule.uuid=", "security_rule.name="] {
        assert!(matched.iter().any(|attribute| attribute.starts_with(name)), "{matched:?}");
    }
    let events = texts(&spans[1], &[11, 2]);
    assert!(events.is_empty(), "nothing matched: {events:?}");
}

#[test]
fn the_usual_variables_count() {
    let (address, bodies) = collector();
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", address.as_str()), ("OTEL_SERVICE_NAME", "shop")];
    let (resource, spans) = spans(&environment, &[], &bodies);
    assert!(resource.contains(&"service.name=shop".to_owned()), "{resource:?}");
    assert_eq!(spans.len(), 2);
}
