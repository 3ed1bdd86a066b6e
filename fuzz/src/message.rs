//! Messages as bytes: a request line, headers to the first blank line, and a body, which the server gives back.

use secrule::{Intervention, Transaction};
use secrule_testkit::host::{Exchange, Response};

/// Leads a transaction through a message to its end. Gives what was decided.
pub fn lead(mut transaction: Transaction, data: &[u8]) -> (Transaction, Vec<Intervention>) {
    let (head, body) = data.windows(2).position(|pair| pair == b"\n\n").map_or((data, &b""[..]), |end| (&data[..end], &data[end + 2..]));
    let mut lines = head.split(|byte| *byte == b'\n');
    let mut words = lines.next().unwrap_or_default().splitn(3, |byte| *byte == b' ');
    let mut word = || words.next().unwrap_or_default();
    let (method, target, version) = (word(), word(), word());
    let headers: Vec<_> = lines
        .map(|line| {
            let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
            (&line[..colon], line.get(colon + 1..).unwrap_or_default().trim_ascii())
        })
        .collect();
    let response_headers: Vec<(&[u8], &[u8])> = vec![(b"Content-Type", b"text/html"), (b"X-Echo", target)];
    let exchange = Exchange {
        version,
        headers,
        body: vec![body],
        response: Some(Response { status: 200, protocol: "HTTP/1.1", headers: response_headers, body: vec![body] }),
        ..Exchange::new(method, target)
    };
    let decisions = exchange.run_through(&mut transaction);
    (transaction, decisions)
}
