//! A test as its file describes it: requests to send, and the expected log.

use super::yaml::{self, Node};
use crate::exchange::{Headers, Request, Response};
use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use regex::bytes::Regex;
use secrule::internals::vocabulary::closest;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// A test.
#[derive(Debug)]
pub struct TestCase {
    /// Its title, such as `942100-3`: the name of the file and the test's number.
    pub title: String,
    pub stages: Vec<Result<Stage, Unrunnable>>,
}

/// An exchange of a test.
#[derive(Debug)]
pub struct Stage {
    pub request: Request,
    /// The bytes that a client sends for it.
    pub wire: Vec<u8>,
    pub response: Response,
    pub expected: Expected,
}

/// Reason why a stage cannot run.
#[derive(Debug)]
pub enum Unrunnable {
    /// It needs a web server.
    NeedsServer(String),
    /// Its description is invalid.
    Broken(String),
}

/// The expected result of a stage.
#[derive(Debug, Default)]
pub struct Expected {
    pub ids: Vec<u64>,
    pub absent_ids: Vec<u64>,
    pub patterns: Vec<Regex>,
    pub absent_patterns: Vec<Regex>,
    /// Any of these; empty if the status does not matter.
    pub statuses: Vec<u16>,
}

/// The keys that a part of a test file may have, in any version of the format.
const DOCUMENT: &[&str] = &["meta", "rule_id", "tests", "author"];
const TEST: &[&str] = &["test_id", "test_title", "desc", "description", "tags", "rule_id", "stages"];
const STAGE: &[&str] = &["stage", "input", "output", "desc", "description"];
const INPUT: &[&str] = &[
    "autocomplete_headers",
    "data",
    "dest_addr",
    "encoded_data",
    "encoded_request",
    "follow_redirect",
    "headers",
    "method",
    "port",
    "protocol",
    "save_cookie",
    "stop_magic",
    "uri",
    "version",
    "virtual_host_mode",
];
const OUTPUT: &[&str] =
    &["expect_error", "isolated", "log", "log_contains", "no_log_contains", "response_contains", "retry_once", "status"];
const LOG: &[&str] = &["expect_ids", "match_regex", "no_expect_ids", "no_match_regex"];

impl Expected {
    /// Returns what is wrong with a log: with the ids of its rules, and with its lines.
    pub fn problem_in_log(&self, logged: &BTreeSet<u64>, lines: impl FnOnce() -> Vec<String>) -> Option<String> {
        self.wrong_ids(logged).or_else(|| self.wrong_lines(logged, lines))
    }

    fn wrong_ids(&self, logged: &BTreeSet<u64>) -> Option<String> {
        let missing: Vec<u64> = self.ids.iter().filter(|id| !logged.contains(id)).copied().collect();
        if !missing.is_empty() {
            return Some(format!("expected {}; logged {}", list(&missing), list(logged)));
        }
        let surplus: Vec<u64> = self.absent_ids.iter().filter(|id| logged.contains(id)).copied().collect();
        (!surplus.is_empty()).then(|| format!("expected no {}; logged {}", list(&surplus), list(logged)))
    }

    fn wrong_lines(&self, logged: &BTreeSet<u64>, lines: impl FnOnce() -> Vec<String>) -> Option<String> {
        if self.patterns.is_empty() && self.absent_patterns.is_empty() {
            return None;
        }
        let lines = lines();
        let found = |pattern: &&Regex| lines.iter().any(|line| pattern.is_match(line.as_bytes()));
        if let Some(pattern) = self.patterns.iter().find(|pattern| !found(pattern)) {
            return Some(format!("the log lacks `{}`; logged {}", pattern.as_str(), list(logged)));
        }
        self.absent_patterns.iter().find(found).map(|pattern| format!("the log holds `{}`", pattern.as_str()))
    }

    /// Returns `true` if it expects anything of the log.
    pub fn is_about_the_log(&self) -> bool {
        !(self.ids.is_empty() && self.absent_ids.is_empty() && self.patterns.is_empty() && self.absent_patterns.is_empty())
    }
}

/// Returns the tests of a file.
///
/// # Errors
/// If it cannot be read, or is not a test file.
pub fn tests_of(file: &Path) -> Result<Vec<TestCase>, String> {
    let about = |problem: String| format!("{}: {problem}", file.display());
    let bytes = std::fs::read(file).map_err(|error| about(error.to_string()))?;
    let documents = yaml::parse(&bytes).map_err(about)?;
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let tests: Result<Vec<_>, String> = documents.iter().map(|document| tests(document, &stem)).collect();
    Ok(tests.map_err(about)?.into_iter().flatten().collect())
}

/// Returns the tests of a document. `stem` is the file's name, with which titles begin if the document names no rule.
///
/// # Errors
/// If the document has an unknown key: which tests it should contain is then unknown.
pub fn tests(document: &Node, stem: &str) -> Result<Vec<TestCase>, String> {
    known_keys(document, DOCUMENT)?;
    let rule = document.field("rule_id").map_or_else(|| stem.to_owned(), Node::text);
    let listed = document.field("tests").map(Node::items).unwrap_or_default();
    let tests = listed.iter().enumerate().map(|(at, test)| {
        let number = ["test_id", "test_title"].iter().find_map(|key| test.field(key)).map_or_else(|| (at + 1).to_string(), Node::text);
        let title = if number.starts_with(&rule) && number.contains('-') { number } else { format!("{rule}-{number}") };
        let stages = match known_keys(test, TEST) {
            Ok(()) => test.field("stages").map(Node::items).unwrap_or_default().iter().map(stage).collect(),
            Err(problem) => vec![Err(Unrunnable::Broken(problem))],
        };
        TestCase { title, stages }
    });
    Ok(tests.collect())
}

/// Refuses unknown keys: a test with a misspelled expectation would always pass.
fn known_keys(node: &Node, known: &[&str]) -> Result<(), String> {
    for (key, _) in node.entries() {
        let key = String::from_utf8_lossy(&key).into_owned();
        if !known.contains(&key.as_str()) {
            let meant = closest(&key, known.iter().copied()).map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
            return Err(format!("the key `{key}` is unknown{meant}"));
        }
    }
    Ok(())
}

fn stage(node: &Node) -> Result<Stage, Unrunnable> {
    known_keys(node, STAGE).map_err(Unrunnable::Broken)?;
    let node = node.field("stage").unwrap_or(node);
    known_keys(node, STAGE).map_err(Unrunnable::Broken)?;
    let input = node.field("input").ok_or_else(|| Unrunnable::Broken("a stage has no input".to_owned()))?;
    known_keys(input, INPUT).map_err(Unrunnable::Broken)?;
    let output = node.field("output").ok_or_else(|| Unrunnable::Broken("a stage has no output".to_owned()))?;
    let expected = expected(output).map_err(Unrunnable::Broken)?;
    if !expected.is_about_the_log() && expected.statuses.is_empty() {
        // Broken connections and error pages are a server's.
        return Err(match ["expect_error", "response_contains"].into_iter().find(|key| output.field(key).is_some()) {
            Some(key) => Unrunnable::NeedsServer(format!("it expects only {key}, which needs a web server")),
            None => Unrunnable::Broken("it expects nothing: name rules in `log`, or a `status`".to_owned()),
        });
    }
    let (request, wire) = request(input)?;
    Ok(Stage { response: response_to(&request), request, wire, expected })
}

/// Returns a request as a web server reads it, and the bytes of it.
fn request(input: &Node) -> Result<(Request, Vec<u8>), Unrunnable> {
    if let Some(encoded) = input.field("encoded_request") {
        let wire = decode(encoded)?;
        let request = raw_request(&wire).ok_or_else(|| Unrunnable::NeedsServer("its request has no complete request line".to_owned()))?;
        return Ok((request, wire));
    }
    let text = |key: &str, default: &str| input.field(key).map_or_else(|| default.into(), Node::bytes);
    let protocol = text("version", "HTTP/1.1");
    // A request line without a version means HTTP/0.9.
    let version = if protocol.is_empty() { b"0.9" } else { protocol.strip_prefix(b"HTTP/").unwrap_or(&protocol) };
    let body = match input.field("encoded_data") {
        Some(encoded) => decode(encoded)?,
        None => text("data", ""),
    };
    let mut request = Request {
        method: text("method", "GET"),
        target: text("uri", "/"),
        version: version.to_vec(),
        headers: input.field("headers").map(headers).unwrap_or_default(),
        body,
    };
    let completes = input.field("autocomplete_headers").is_none_or(Node::is_true) && !input.field("stop_magic").is_some_and(Node::is_true);
    if completes {
        complete_headers(&mut request);
    }
    let wire = wire(&request, &protocol);
    if !completes && version.starts_with(b"1.") && !announces_body(&request.headers) {
        // The bytes after such a request are not its body (RFC 9112, section 6.3).
        request.body.clear();
    }
    Ok((request, wire))
}

/// Writes a request with the protocol that its test names, such as `HTTP/1.1`.
fn wire(request: &Request, protocol: &[u8]) -> Vec<u8> {
    let Request { method, target, headers, body, .. } = request;
    let mut wire = [method.as_slice(), target, protocol].join(&b' ');
    wire.extend_from_slice(b"\r\n");
    for (name, value) in headers {
        wire.extend([name.as_slice(), b": ", value, b"\r\n"].concat());
    }
    wire.extend_from_slice(b"\r\n");
    wire.extend_from_slice(body);
    wire
}

/// Reads a map, or a list of maps with `name` and `value`, which can repeat a header.
fn headers(node: &Node) -> Headers {
    match node {
        Node::List(list) => {
            let text = |header: &Node, key: &str| header.field(key).map(Node::bytes).unwrap_or_default();
            list.iter().map(|header| (text(header, "name"), text(header, "value"))).collect()
        }
        map => map.entries().map(|(name, value)| (name, value.bytes())).collect(),
    }
}

fn has(headers: &Headers, name: &str) -> bool {
    headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()))
}

fn announces_body(headers: &Headers) -> bool {
    has(headers, "content-length") || has(headers, "transfer-encoding")
}

/// Adds headers that clients always send.
fn complete_headers(request: &mut Request) {
    let Request { headers, body, method, .. } = request;
    if !body.is_empty() && !has(headers, "content-type") {
        headers.push((b"Content-Type".to_vec(), b"application/x-www-form-urlencoded".to_vec()));
    }
    let sends_body = !body.is_empty() || [b"POST".as_slice(), b"PUT", b"PATCH"].contains(&method.as_slice());
    if sends_body && !announces_body(headers) {
        headers.push((b"Content-Length".to_vec(), body.len().to_string().into_bytes()));
    }
    if !has(headers, "connection") {
        headers.push((b"Connection".to_vec(), b"close".to_vec()));
    }
}

/// Reads a request as on the wire: CRLF lines, one blank between the parts of the first.
fn raw_request(raw: &[u8]) -> Option<Request> {
    let end = memchr::memmem::find(raw, b"\r\n\r\n");
    let head = end.map_or(raw, |end| raw.get(..end).unwrap_or_default());
    let body = end.and_then(|end| raw.get(end + 4..)).unwrap_or_default().to_vec();
    let mut lines = split_lines(head).into_iter();
    let first = lines.next()?;
    let (start, version) = first.split_at(first.iter().rposition(|byte| *byte == b' ')?);
    let (method, target) = start.split_at(start.iter().position(|byte| *byte == b' ')?);
    let version = version.get(1..)?;
    let headers = lines.filter_map(|line| {
        let (name, value) = line.split_at(line.iter().position(|byte| *byte == b':')?);
        Some((name.trim_ascii().to_vec(), value.get(1..)?.trim_ascii().to_vec()))
    });
    let headers = headers.collect();
    let version = version.strip_prefix(b"HTTP/").unwrap_or(version).to_vec();
    Some(Request { method: method.to_vec(), target: target.get(1..)?.to_vec(), version, headers, body })
}

fn split_lines(head: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut start = 0;
    for end in memchr::memmem::find_iter(head, b"\r\n") {
        lines.push(head.get(start..end).unwrap_or_default());
        start = end + 2;
    }
    lines.push(head.get(start..).unwrap_or_default());
    lines
}

fn decode(encoded: &Node) -> Result<Vec<u8>, Unrunnable> {
    let digits: Vec<u8> = encoded.bytes().into_iter().filter(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(byte)).collect();
    BASE64.decode(digits).map_err(|error| Unrunnable::Broken(format!("its request is not base64: {error}")))
}

/// Returns the response of the CRS's test server: `/reflect` answers as the request's body says.
pub fn response_to(request: &Request) -> Response {
    let path = request.target.split(|byte| *byte == b'?').next().unwrap_or_default();
    let reflected = if path == b"/reflect" { reflected(&request.body) } else { None };
    let (status, mut headers, body) =
        reflected.unwrap_or_else(|| (200, vec![(b"Content-Type".to_vec(), b"text/plain".to_vec())], Vec::new()));
    headers.push((b"Content-Length".to_vec(), body.len().to_string().into_bytes()));
    Response { status, protocol: "HTTP/1.1".to_owned(), headers, body }
}

fn reflected(body: &[u8]) -> Option<(u16, Headers, Vec<u8>)> {
    let wanted: Value = serde_json::from_str(&String::from_utf8_lossy(body)).ok()?;
    let wanted = wanted.as_object()?;
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned).into_bytes();
    let encoded = wanted.get("encodedBody").and_then(Value::as_str).filter(|encoded| !encoded.is_empty());
    let out = match encoded {
        Some(encoded) => BASE64.decode(encoded).ok()?,
        None => wanted.get("body").map(text).unwrap_or_default(),
    };
    let mut headers = Headers::new();
    if let Some(listed) = wanted.get("headers").and_then(Value::as_object) {
        headers.extend(listed.iter().map(|(name, value)| (name.clone().into_bytes(), text(value))));
    }
    if !has(&headers, "content-type") {
        headers.push((b"Content-Type".to_vec(), b"text/plain; charset=utf-8".to_vec()));
    }
    let status = wanted.get("status").map_or(Some(200), |status| u16::try_from(status.as_u64()?).ok())?;
    Some((status, headers, out))
}

fn expected(output: &Node) -> Result<Expected, String> {
    known_keys(output, OUTPUT)?;
    let log = output.field("log");
    log.map_or(Ok(()), |log| known_keys(log, LOG))?;
    let ids = |key: &str| -> Result<Vec<u64>, String> {
        let listed = log.and_then(|log| log.field(key)).map(Node::items).unwrap_or_default();
        listed.iter().map(|id| id.number().ok_or_else(|| format!("`{}` in {key} is not a rule id", id.text()))).collect()
    };
    // The second name is that of the format's first version.
    let patterns = |key: &str, old_key: &str| -> Result<Vec<Regex>, String> {
        let listed = [log.and_then(|log| log.field(key)), output.field(old_key)];
        listed.into_iter().flatten().map(pattern).collect()
    };
    let statuses = output.field("status").map(Node::items).unwrap_or_default();
    Ok(Expected {
        ids: ids("expect_ids")?,
        absent_ids: ids("no_expect_ids")?,
        patterns: patterns("match_regex", "log_contains")?,
        absent_patterns: patterns("no_match_regex", "no_log_contains")?,
        statuses: statuses.iter().map(status).collect::<Result<_, _>>()?,
    })
}

fn status(node: &Node) -> Result<u16, String> {
    let number = node.number().and_then(|status| u16::try_from(status).ok()).filter(|status| (100..=599).contains(status));
    number.ok_or_else(|| format!("`{}` is not a status", node.text()))
}

/// A pattern for lines of the log, in the syntax of RE2 as go-ftw has it.
fn pattern(node: &Node) -> Result<Regex, String> {
    Regex::new(&node.text()).map_err(|error| {
        // The lines before the last show the place.
        let said = error.to_string();
        let why = said.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!("`{}` is not a regular expression: {why}", node.text())
    })
}

/// Writes numbers with a blank between them.
pub fn list<T: ToString>(ids: impl IntoIterator<Item = T>) -> String {
    let ids: Vec<String> = ids.into_iter().map(|id| id.to_string()).collect();
    if ids.is_empty() { "nothing".to_owned() } else { ids.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::super::yaml;
    use super::*;

    fn only_stage(text: &str) -> Result<Stage, Unrunnable> {
        let document = yaml::parse(text.as_bytes()).unwrap().remove(0);
        tests(&document, "1").unwrap().remove(0).stages.remove(0)
    }

    #[test]
    fn headers_are_completed_as_a_client_would() {
        let stage =
            only_stage("tests: [{test_id: 1, stages: [{input: {method: POST, data: a=b, headers: {Host: x}}, output: {status: 200}}]}]")
                .unwrap();
        let names: Vec<_> = stage.request.headers.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
        assert_eq!(names, ["Host", "Content-Type", "Content-Length", "Connection"]);
        let bare = only_stage("tests: [{stages: [{stage: {input: {stop_magic: true, data: a}, output: {status: 200}}}]}]").unwrap();
        assert!(bare.request.headers.is_empty());
    }

    #[test]
    fn without_a_length_there_is_no_body_and_without_a_version_it_is_http_0_9() {
        let request = |rest: &str| {
            only_stage(&format!("tests: [{{stages: [{{input: {{stop_magic: true, data: a, {rest}}}, output: {{status: 200}}}}]}}]"))
                .unwrap()
                .request
        };
        assert_eq!(request("headers: {}").body, b"");
        assert_eq!(request("headers: {Content-Length: 1}").body, b"a");
        assert_eq!(request("version: HTTP/2").body, b"a");
        assert_eq!(request("version: ''").version, b"0.9");
    }

    #[test]
    fn reflect_answers_what_it_is_asked_to() {
        let stage = only_stage(
            "tests: [{stages: [{input: {uri: /reflect, data: '{\"status\": 500, \"body\": \"oops\"}'}, output: {status: 500}}]}]",
        )
        .unwrap();
        assert_eq!((stage.response.status, stage.response.body.as_slice()), (500, b"oops".as_slice()));
        let other = only_stage("tests: [{stages: [{input: {uri: /reflect, data: '{'}, output: {status: 200}}]}]").unwrap();
        assert_eq!((other.response.status, other.response.body.len()), (200, 0));
    }

    #[test]
    fn an_encoded_request_is_taken_byte_by_byte() {
        // GET /a b HTTP/1.1, one header, and a body of two bytes
        let stage = only_stage(
            "tests: [{stages: [{input: {encoded_request: 'R0VUIC9hIGIgSFRUUC8xLjENCkg6IHgNCg0K\n  /wA='}, output: {status: 200}}]}]",
        )
        .unwrap();
        assert_eq!(stage.request.target, b"/a b");
        assert_eq!(stage.request.body, b"\xff\0");
        assert!(matches!(
            only_stage("tests: [{stages: [{input: {encoded_request: R0VU}, output: {status: 200}}]}]"),
            Err(Unrunnable::NeedsServer(_))
        ));
    }

    #[test]
    fn expectations_of_both_versions_of_the_format_are_read() {
        let stage =
            only_stage("tests: [{stages: [{input: {}, output: {status: [200, 403], log: {expect_ids: [7], match_regex: a+}}}]}]").unwrap();
        assert_eq!((stage.expected.ids.as_slice(), stage.expected.statuses.as_slice()), ([7].as_slice(), [200, 403].as_slice()));
        assert!(stage.expected.is_about_the_log());
        let old = only_stage("tests: [{stages: [{stage: {input: {}, output: {log_contains: 'id \"7\"'}}}]}]").unwrap();
        assert_eq!(old.expected.patterns.len(), 1);
        assert!(matches!(only_stage("tests: [{stages: [{input: {}, output: {log: {expect_ids: [x]}}}]}]"), Err(Unrunnable::Broken(_))));
    }

    #[test]
    fn what_a_test_expects_is_never_overlooked() {
        let broken = |output: &str| match only_stage(&format!("tests: [{{stages: [{{input: {{}}, output: {output}}}]}}]")) {
            Err(Unrunnable::Broken(reason)) => reason,
            other => panic!("{output} is read as {other:?}"),
        };
        assert_eq!(broken("{log: {expect_id: [1]}}"), "the key `expect_id` is unknown; did you mean `expect_ids`?");
        assert_eq!(broken("{stauts: 403}"), "the key `stauts` is unknown; did you mean `status`?");
        assert_eq!(broken("{status: 4o3}"), "`4o3` is not a status");
        assert!(broken("{}").contains("expects nothing"));
        assert!(matches!(only_stage("tests: [{stages: [{input: {}, output: {expect_error: true}}]}]"), Err(Unrunnable::NeedsServer(_))));
        let document = yaml::parse(b"tests: [{stages: []}]\ntest: []").unwrap().remove(0);
        assert_eq!(tests(&document, "1").err().unwrap(), "the key `test` is unknown; did you mean `tests`?");
    }

    #[test]
    fn titles_begin_with_the_rule_or_else_with_the_file() {
        let title = |text: &str| tests(&yaml::parse(text.as_bytes()).unwrap()[0], "good").unwrap()[0].title.clone();
        assert_eq!(title("rule_id: 7\ntests: [{test_id: 1}]"), "7-1");
        assert_eq!(title("tests: [{test_id: 1}]"), "good-1");
    }
}
