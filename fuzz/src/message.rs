//! Messages as bytes: a request line, headers to the first blank line, and a body, which the server gives back.

use secrule::internals::Verdict;
use secrule::{Intervention, Transaction};

/// Leads a transaction through a message to its end. Gives what was decided.
pub fn lead(mut transaction: Transaction, data: &[u8]) -> (Transaction, Vec<Intervention>) {
    let (head, body) = data.windows(2).position(|pair| pair == b"\n\n").map_or((data, &b""[..]), |end| (&data[..end], &data[end + 2..]));
    let mut lines = head.split(|byte| *byte == b'\n');
    let mut words = lines.next().unwrap_or_default().splitn(3, |byte| *byte == b' ');
    let mut word = || words.next().unwrap_or_default();
    let (method, target, version) = (word(), word(), word());
    let mut verdicts = vec![transaction.process_connection("192.0.2.7", 4711, "192.0.2.1", 80)];
    verdicts.push(transaction.process_uri(target, method, version));
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        transaction.add_request_header(&line[..colon], line.get(colon + 1..).unwrap_or_default().trim_ascii());
    }
    verdicts.push(transaction.process_request_headers());
    verdicts.push(transaction.append_request_body(body));
    verdicts.push(transaction.process_request_body());
    transaction.add_response_header(b"Content-Type", b"text/html");
    transaction.add_response_header(b"X-Echo", target);
    verdicts.push(transaction.process_response_headers(200, "HTTP/1.1"));
    verdicts.push(transaction.append_response_body(body));
    verdicts.push(transaction.process_response_body());
    transaction.process_logging();
    (transaction, verdicts.iter().filter_map(Verdict::intervention).cloned().collect())
}
