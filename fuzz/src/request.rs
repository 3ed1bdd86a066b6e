//! Requests with their responses, and how a transaction is led through them.

use crate::draw::Draw;
use crate::words::{NAMES, value};
use secrule::{Intervention, Transaction, Verdict};

/// A request with its response.
#[derive(Debug)]
pub struct Request {
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
    content_type: &'static str,
    body: String,
    response: String,
}

const HEADERS: &[&str] = &["User-Agent", "Referer", "Cookie", "X-Test", "cookie", "Accept", "X-Test"];

impl Request {
    /// A request that the bytes choose.
    pub fn draw(draw: &mut Draw<'_>) -> Self {
        let method = draw.pick(&["GET", "POST", "ab", "PUT"]);
        let target = format!("/{}{}{}", value(draw), draw.pick(&["?", "", "?&", "#"]), pairs(draw, '&'));
        let headers = (0..draw.between(0, 3)).map(|_| header(draw)).collect();
        let (content_type, body) = body(draw);
        Self { method, target, headers, content_type, body, response: value(draw) }
    }

    /// Leads a transaction to its end. Gives what was decided.
    pub fn lead(&self, mut transaction: Transaction) -> (Transaction, Vec<Intervention>) {
        let verdict = self.stages(&mut transaction);
        transaction.process_logging();
        (transaction, verdict.intervention().cloned().into_iter().collect())
    }

    fn stages(&self, transaction: &mut Transaction) -> Verdict {
        let verdict = transaction.process_connection("192.0.2.7", 4711, "192.0.2.1", 80);
        if verdict.is_intervention() {
            return verdict;
        }
        let verdict = transaction.process_uri(self.target.as_bytes(), self.method.as_bytes(), b"1.1");
        if verdict.is_intervention() {
            return verdict;
        }
        transaction.add_request_header(b"Host", b"shop.example");
        transaction.add_request_header(b"Content-Type", self.content_type.as_bytes());
        for (name, value) in &self.headers {
            transaction.add_request_header(name.as_bytes(), value.as_bytes());
        }
        let verdict = transaction.process_request_headers();
        if verdict.is_intervention() {
            return verdict;
        }
        let verdict = transaction.append_request_body(self.body.as_bytes());
        if verdict.is_intervention() {
            return verdict;
        }
        let verdict = transaction.process_request_body();
        if verdict.is_intervention() {
            return verdict;
        }
        transaction.add_response_header(b"Content-Type", b"text/html");
        transaction.add_response_header(b"X-Test", self.response.as_bytes());
        let verdict = transaction.process_response_headers(200, "HTTP/1.1");
        if verdict.is_intervention() {
            return verdict;
        }
        let verdict = transaction.append_response_body(self.response.as_bytes());
        if verdict.is_intervention() {
            return verdict;
        }
        transaction.process_response_body()
    }
}

fn pairs(draw: &mut Draw<'_>, separator: char) -> String {
    draw.texts(4, |draw| format!("{}={}{separator}", name(draw), value(draw)))
}

fn name(draw: &mut Draw<'_>) -> String {
    if draw.one_in(4) { value(draw) } else { draw.pick(NAMES).to_owned() }
}

fn header(draw: &mut Draw<'_>) -> (&'static str, String) {
    let name = draw.pick(HEADERS);
    let value = if name.eq_ignore_ascii_case("cookie") { pairs(draw, ';') } else { value(draw) };
    (name, value)
}

fn body(draw: &mut Draw<'_>) -> (&'static str, String) {
    match draw.below(6) {
        0 => ("text/plain", value(draw)),
        1 | 2 => ("application/x-www-form-urlencoded", pairs(draw, '&')),
        3 => ("application/json", json(draw, 3)),
        4 => ("text/xml", format!("<a b='{0}'>{0}<c>{1}</c></a>", xml(draw), xml(draw))),
        _ => {
            let parts = draw.texts(3, |draw| {
                let file = if draw.one_in(2) { format!("; filename=\"{}\"", value(draw)) } else { String::new() };
                format!("--b\r\nContent-Disposition: form-data; name=\"{}\"{file}\r\n\r\n{}\r\n", name(draw), value(draw))
            });
            ("multipart/form-data; boundary=b", format!("{parts}--b--\r\n"))
        }
    }
}

fn json(draw: &mut Draw<'_>, depth: usize) -> String {
    match draw.below(5) {
        0 => draw.pick(&["1", "null", "true", "-42"]).to_owned(),
        1 if depth > 0 => format!("[{}0]", draw.texts(3, |draw| json(draw, depth - 1) + ",")),
        2 | 3 if depth > 0 => {
            format!("{{{}\"c\":1}}", draw.texts(3, |draw| format!("\"{}\":{},", draw.pick(NAMES), json(draw, depth - 1))))
        }
        _ => format!("\"{}\"", value(draw).replace(['"', '\\', '\n', '\t'], "")),
    }
}

fn xml(draw: &mut Draw<'_>) -> String {
    value(draw).replace(['<', '&', '\''], "")
}
