//! Reads raw HTTP messages from files.

use super::exchange::{Headers, Request, Response};

/// Reads a request: its line, its headers, and everything after the first empty line as its body.
///
/// Lines may end in LF or CRLF. `Content-Length` does not cut the body, so that requests with a wrong length can be tested. The target may contain
/// blanks. Without a version it is HTTP/1.1.
pub fn request(raw: &[u8]) -> Result<Request, String> {
    let (first, headers, body) = message(raw)?;
    let (method, rest) = split_at_blank(first);
    let (target, version) = match rest.iter().rposition(|byte| *byte == b' ').map(|blank| rest.split_at(blank)) {
        Some((target, version)) if version.starts_with(b" HTTP/") => (target, version.get(b" HTTP/".len()..).unwrap_or_default()),
        _ => (rest, b"1.1".as_slice()),
    };
    let target = target.trim_ascii();
    if method.is_empty() || target.is_empty() {
        return Err(format!("`{}` is not a request line, such as `GET / HTTP/1.1`", String::from_utf8_lossy(first)));
    }
    Ok(Request { method: method.to_vec(), target: target.to_vec(), version: version.to_vec(), headers, body })
}

/// Reads a response: its status line, its headers, and everything after the first empty line as its body.
pub fn response(raw: &[u8]) -> Result<Response, String> {
    let (first, headers, body) = message(raw)?;
    let (protocol, rest) = split_at_blank(first);
    let (status, _) = split_at_blank(rest);
    let status = std::str::from_utf8(status).ok().and_then(|status| status.parse().ok());
    match status.filter(|_| protocol.starts_with(b"HTTP/")) {
        Some(status) => Ok(Response { status, protocol: String::from_utf8_lossy(protocol).into_owned(), headers, body }),
        None => Err(format!("`{}` is not a status line, such as `HTTP/1.1 200 OK`", String::from_utf8_lossy(first))),
    }
}

/// Splits a file with several messages at lines that equal `separator`.
pub fn parts<'a>(raw: &'a [u8], separator: &str) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        let next = at + line.len();
        if line.trim_ascii_end() == separator.as_bytes() {
            parts.push(raw.get(start..at).unwrap_or_default());
            start = next;
        }
        at = next;
    }
    parts.push(raw.get(start..).unwrap_or_default());
    parts.retain(|part| !part.trim_ascii().is_empty());
    parts
}

fn message(raw: &[u8]) -> Result<(&[u8], Headers, Vec<u8>), String> {
    let mut rest = raw.trim_ascii_start();
    if rest.is_empty() {
        return Err("there is nothing in it".to_owned());
    }
    let first = line(&mut rest);
    let mut headers = Headers::new();
    while !rest.is_empty() {
        let line = line(&mut rest);
        if line.is_empty() {
            break;
        }
        match (line.first(), headers.last_mut()) {
            (Some(b' ' | b'\t'), Some((_, value))) => {
                value.push(b' ');
                value.extend_from_slice(line.trim_ascii());
            }
            _ => headers.push(header(line)?),
        }
    }
    let body = if is_chunked(&headers) { dechunk(rest).unwrap_or_else(|| rest.to_vec()) } else { rest.to_vec() };
    Ok((first, headers, body))
}

fn header(line: &[u8]) -> Result<(Vec<u8>, Vec<u8>), String> {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        return Err(format!("`{}` is not a header: it has no colon, and no empty line comes before it", String::from_utf8_lossy(line)));
    };
    let (name, value) = line.split_at(colon);
    Ok((name.trim_ascii().to_vec(), value.get(1..).unwrap_or_default().trim_ascii().to_vec()))
}

/// Takes a line, without its end.
fn line<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let (line, behind) = match rest.iter().position(|byte| *byte == b'\n') {
        Some(end) => (rest.get(..end).unwrap_or_default(), rest.get(end + 1..).unwrap_or_default()),
        None => (*rest, [].as_slice()),
    };
    *rest = behind;
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn split_at_blank(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| *byte == b' ').unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (word, rest.trim_ascii())
}

fn is_chunked(headers: &Headers) -> bool {
    let codings = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(b"transfer-encoding"));
    let last = codings.flat_map(|(_, value)| value.split(|byte| *byte == b',')).next_back();
    last.is_some_and(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"chunked"))
}

/// Decodes a chunked body; `None` if the chunks are malformed, and the body is then not decoded.
fn dechunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let head = line(&mut rest);
        let size = head.split(|byte| *byte == b';').next()?.trim_ascii();
        let size = usize::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?;
        if !line(&mut rest).is_empty() {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(request: &Request) -> String {
        let headers: Vec<String> = request
            .headers
            .iter()
            .map(|(name, value)| format!("{}={}", String::from_utf8_lossy(name), String::from_utf8_lossy(value)))
            .collect();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        format!(
            "{}|{}|{}|{}|{}",
            text(&request.method),
            text(&request.target),
            text(&request.version),
            headers.join(","),
            text(&request.body)
        )
    }

    #[test]
    fn heads_end_their_lines_in_lf_or_crlf() {
        for raw in ["POST /a HTTP/1.0\nHost: x\n\na=b\n", "POST /a HTTP/1.0\r\nHost:x\r\n\r\na=b\n"] {
            assert_eq!(shown(&request(raw.as_bytes()).unwrap()), "POST|/a|1.0|Host=x|a=b\n");
        }
    }

    #[test]
    fn a_target_may_hold_blanks_and_the_version_may_be_left_out() {
        assert_eq!(shown(&request(b"GET /?id=1 OR 1 HTTP/1.1").unwrap()), "GET|/?id=1 OR 1|1.1||");
        assert_eq!(shown(&request(b"GET /?id=1 OR 1").unwrap()), "GET|/?id=1 OR 1|1.1||");
        assert!(request(b"GET").is_err());
    }

    #[test]
    fn the_length_that_a_request_claims_does_not_cut_its_body() {
        assert_eq!(request(b"POST / HTTP/1.1\nContent-Length: 1\n\nabc").unwrap().body, b"abc");
    }

    #[test]
    fn chunks_are_joined_and_malformed_ones_left_alone() {
        let chunked = |body: &str| request(format!("POST / HTTP/1.1\nTransfer-Encoding: gzip, Chunked\n\n{body}").as_bytes()).unwrap().body;
        assert_eq!(chunked("3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"), b"abcde");
        assert_eq!(chunked("zz\r\nabc"), b"zz\r\nabc");
        assert_eq!(chunked("ffffffffffffffff\r\nabc"), b"ffffffffffffffff\r\nabc");
    }

    #[test]
    fn a_folded_header_is_one_header_and_a_line_without_colon_is_refused() {
        assert_eq!(request(b"GET / HTTP/1.1\nA: b\n  c\n\n").unwrap().headers, [(b"A".to_vec(), b"b c".to_vec())]);
        assert!(request(b"GET / HTTP/1.1\na=b\n").unwrap_err().contains("no colon"));
    }

    #[test]
    fn several_messages_are_parted_by_a_line() {
        assert_eq!(parts(b"GET /a\n\n%%\r\nGET /b\n%%\n", "%%"), [b"GET /a\n\n".as_slice(), b"GET /b\n"]);
    }

    #[test]
    fn a_response_has_a_status() {
        let response = response(b"HTTP/1.1 500 Oh no\nContent-Type: text/html\n\nbody").unwrap();
        assert_eq!((response.status, response.protocol.as_str(), response.body.as_slice()), (500, "HTTP/1.1", b"body".as_slice()));
        assert!(super::response(b"GET / HTTP/1.1\n").is_err());
    }
}
