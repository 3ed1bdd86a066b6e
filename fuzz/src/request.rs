//! Requests with their responses, and how a transaction is led through them.

use crate::draw::Draw;
use crate::words::{NAMES, value};
use secrule::{Intervention, Transaction};
use secrule_testkit::host::{Exchange, Response};

/// A request with its response.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Its method.
    pub method: String,
    /// Its target, as it stands in the request line.
    pub target: String,
    /// Its headers but `Host` and `Content-Type`.
    pub headers: Vec<(&'static str, String)>,
    /// The type of its body.
    pub content_type: &'static str,
    /// Its body.
    pub body: String,
    /// The body of the response, and its header `X-Test`.
    pub response: String,
    /// In how many pieces the bodies come.
    pub pieces: usize,
}

const HEADERS: &[&str] = &["User-Agent", "Referer", "Cookie", "X-Test", "cookie", "Accept", "X-Test", "Authorization"];

impl Request {
    /// A request that the bytes choose.
    pub fn draw(draw: &mut Draw<'_>) -> Self {
        let method = draw.pick(&["GET", "POST", "ab", "PUT"]).to_owned();
        let origin = if draw.one_in(12) { draw.pick(&["http://shop.example", "//", "HTTPS://a:1", "*"]) } else { "" };
        let target = format!("{origin}/{}{}{}", value(draw), draw.pick(&["?", "", "?&", "#"]), pairs(draw, '&'));
        let headers = (0..draw.between(0, 3)).map(|_| header(draw)).collect();
        let (content_type, body) = body(draw);
        let pieces = if draw.one_in(3) { draw.between(2, 5) } else { 1 };
        Self { method, target, headers, content_type, body, response: value(draw), pieces }
    }

    /// A body in its pieces; there is always one.
    pub fn cut<'a>(&self, body: &'a str) -> Vec<&'a [u8]> {
        let size = body.len().div_ceil(self.pieces).max(1);
        if body.is_empty() { vec![b""] } else { body.as_bytes().chunks(size).collect() }
    }

    /// Its headers in their order.
    pub fn all_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = self.headers.iter().map(|(name, value)| (*name, value.as_str()));
        [("Host", "shop.example"), ("Content-Type", self.content_type)].into_iter().chain(own)
    }

    /// The headers of its response.
    pub fn response_headers(&self) -> [(&str, &str); 2] {
        [("Content-Type", "text/html"), ("X-Test", &self.response)]
    }

    /// Leads a transaction to its end. Gives what was decided.
    pub fn lead(&self, mut transaction: Transaction) -> (Transaction, Vec<Intervention>) {
        let headers: Vec<_> = self.all_headers().collect();
        let response_headers = self.response_headers().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let exchange = Exchange {
            body: self.cut(&self.body),
            response: Some(Response {
                status: 200,
                protocol: "HTTP/1.1",
                headers: response_headers.to_vec(),
                body: self.cut(&self.response),
            }),
            ..Exchange::new(self.method.as_bytes(), self.target.as_bytes())
        };
        let intervention = exchange.headers(&headers).run(&mut transaction);
        (transaction, intervention.into_iter().collect())
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
    let value = match name {
        "Cookie" | "cookie" => pairs(draw, ';'),
        "Authorization" => format!("{} {}", draw.pick(&["Basic", "Bearer", "basic"]), value(draw)),
        _ => value(draw),
    };
    (name, value)
}

fn body(draw: &mut Draw<'_>) -> (&'static str, String) {
    match draw.below(6) {
        0 => ("text/plain", value(draw)),
        1 | 2 => ("application/x-www-form-urlencoded", pairs(draw, '&')),
        3 => {
            let mut text = json(draw, 3);
            if draw.one_in(8) {
                let end = draw.below(text.len());
                text.truncate(text.floor_char_boundary(end));
            }
            ("application/json", text)
        }
        4 => ("text/xml", format!("<a b='{0}'>{0}<c>{1}</c></a>", xml(draw), xml(draw))),
        _ => {
            let parts = draw.texts(3, |draw| {
                let file = if draw.one_in(2) { format!("; filename=\"{}\"", in_quotes(&value(draw))) } else { String::new() };
                let name = in_quotes(&name(draw));
                format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{}\r\n", value(draw))
            });
            ("multipart/form-data; boundary=b", format!("{parts}--b--\r\n"))
        }
    }
}

fn in_quotes(text: &str) -> String {
    text.replace(['"', '\\', '\n', '\t'], "")
}

fn json(draw: &mut Draw<'_>, depth: usize) -> String {
    match draw.below(5) {
        0 => draw.pick(&["1", "null", "true", "-42"]).to_owned(),
        1 if depth > 0 => format!("[{}0]", draw.texts(3, |draw| json(draw, depth - 1) + ",")),
        2 | 3 if depth > 0 => {
            format!("{{{}\"c\":1}}", draw.texts(3, |draw| format!("\"{}\":{},", draw.pick(NAMES), json(draw, depth - 1))))
        }
        _ => format!("\"{}\"", in_quotes(&value(draw))),
    }
}

fn xml(draw: &mut Draw<'_>) -> String {
    value(draw).replace(['<', '&', '\''], "")
}
