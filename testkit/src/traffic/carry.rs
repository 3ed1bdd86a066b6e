//! The same values in another part of a request: collectors send nearly all attacks in a query, attackers do not.

use super::{Place, Sample};

/// The shortest value that is carried; shorter ones are numbers of pages and the like.
const MIN_LENGTH: usize = 4;

/// Names and values of harmless headers.
const HEADERS: [(&str, &str); 3] =
    [("Host", "shop.example"), ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"), ("Accept", "*/*")];

/// Makes a plain request that has the values of the sample's query in another part, and nothing else of it; `None` without such values, or for a
/// part that cannot have any value.
pub fn carry(sample: &Sample, place: Place) -> Option<Sample> {
    let values: Vec<Vec<u8>> = sample
        .query()?
        .split(|byte| *byte == b'&')
        .filter_map(|argument| argument.iter().position(|byte| *byte == b'=').and_then(|at| argument.get(at + 1..)))
        .map(decode)
        .filter(|value| value.len() >= MIN_LENGTH)
        .collect();
    let first = values.first()?;
    let named = |separator: &str| {
        let arguments = values.iter().enumerate().map(|(at, value)| format!("v{at}={}", encode(value)));
        arguments.collect::<Vec<_>>().join(separator)
    };
    let plain = Sample {
        method: b"GET".to_vec(),
        target: b"/a".to_vec(),
        version: b"1.1".to_vec(),
        headers: HEADERS.map(|(name, value)| (name.into(), value.into())).to_vec(),
        body: Vec::new(),
        raw: Vec::new(),
        ..*sample
    };
    Some(match place {
        Place::Path => Sample { target: format!("/a/{}", encode(first)).into(), ..plain },
        Place::Query => Sample { target: format!("/a?{}", named("&")).into(), ..plain },
        Place::Form => with_body(plain, "application/x-www-form-urlencoded", named("&")),
        Place::Json => {
            let fields = values.iter().enumerate().map(|(at, value)| (format!("v{at}"), String::from_utf8_lossy(value).into()));
            let fields: serde_json::Map<_, serde_json::Value> = fields.collect();
            with_body(plain, "application/json", serde_json::json!({ "data": fields }).to_string())
        }
        Place::Cookie => with_header(plain, "Cookie", named("; ")),
        Place::Referer => with_header(plain, "Referer", format!("https://shop.example/b?{}", named("&"))),
        Place::OtherHeader => with_header(plain, "X-Api-Version", encode(first)),
        _ => return None,
    })
}

fn with_header(mut sample: Sample, name: &str, value: String) -> Sample {
    sample.headers.push((name.into(), value.into()));
    sample
}

fn with_body(sample: Sample, kind: &str, body: String) -> Sample {
    let sample = with_header(sample, "Content-Type", kind.to_owned());
    let sample = with_header(sample, "Content-Length", body.len().to_string());
    Sample { method: b"POST".to_vec(), body: body.into(), ..sample }
}

fn decode(value: &[u8]) -> Vec<u8> {
    let digit = |at: usize| value.get(at).and_then(|byte| char::from(*byte).to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
    let mut decoded = Vec::new();
    let mut at = 0;
    while let Some(byte) = value.get(at) {
        let (byte, length) = match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => (16 * high + low, 3),
            (b'+', ..) => (b' ', 1),
            _ => (*byte, 1),
        };
        decoded.push(byte);
        at += length;
    }
    decoded
}

fn encode(value: &[u8]) -> String {
    let encoded =
        value.iter().map(|byte| if byte.is_ascii_alphanumeric() { char::from(*byte).to_string() } else { format!("%{byte:02X}") });
    encoded.collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Class, Half};
    use super::*;

    #[test]
    fn values_are_carried_to_each_part_that_can_have_them() {
        let sample = Sample {
            number: 1,
            class: Class::Attack,
            half: Half::Check,
            method: b"GET".to_vec(),
            target: b"/x?page=2&q=a+b%27%3c&r=%zz%41%".to_vec(),
            version: b"1.0".to_vec(),
            headers: Vec::new(),
            body: Vec::new(),
            raw: Vec::new(),
        };
        let at = |place| carry(&sample, place).unwrap();
        assert_eq!(at(Place::Query).target, b"/a?v0=a%20b%27%3C&v1=%25zzA%25");
        assert_eq!(at(Place::Form).body, b"v0=a%20b%27%3C&v1=%25zzA%25");
        assert_eq!(at(Place::Json).body, br#"{"data":{"v0":"a b'<","v1":"%zzA%"}}"#);
        assert_eq!(at(Place::Cookie).header("cookie").as_deref(), Some("v0=a%20b%27%3c; v1=%25zza%25"));
        assert!(carry(&sample, Place::Protocol).is_none());
        assert!(carry(&Sample { target: b"/x?page=2".to_vec(), ..sample }, Place::Query).is_none());
    }
}
