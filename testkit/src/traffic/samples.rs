//! Reads the samples.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// The class of a sample, as its collectors named it: some attacks of theirs are requests that nobody could tell from harmless ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    Harmless,
    Attack,
}

/// The half of the samples to which one belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Half {
    /// Rules are written with these in view.
    Tuning,
    /// Nobody looks at these.
    Check,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Number of its line, from 1.
    pub number: usize,
    pub class: Class,
    pub half: Half,
    pub method: Vec<u8>,
    pub target: Vec<u8>,
    /// Without `HTTP/`.
    pub version: Vec<u8>,
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Everything after the empty line, whatever Content-Length says.
    pub body: Vec<u8>,
    pub raw: Vec<u8>,
}

/// Reads all samples of a file.
pub fn read(path: &Path) -> Vec<Sample> {
    let mut text = String::new();
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    GzDecoder::new(file).read_to_string(&mut text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let samples = text.lines().enumerate().filter_map(|(at, line)| {
        let (class, request) = line.split_once(' ').unwrap_or_else(|| panic!("line {} has no request", at + 1));
        let class = match class {
            "white" => Class::Harmless,
            "black" => Class::Attack,
            other => panic!("line {} is of an unknown class: {other}", at + 1),
        };
        Sample::parse(at + 1, class, STANDARD.decode(request.trim()).unwrap())
    });
    samples.collect()
}

impl Sample {
    /// Parses a request; `None` without a request line of three words, which no server would pass on.
    fn parse(number: usize, class: Class, raw: Vec<u8>) -> Option<Self> {
        let (head, body) = split(&raw, b"\r\n\r\n").or_else(|| split(&raw, b"\n\n")).unwrap_or((&raw, &[]));
        let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let first = lines.next()?;
        let start = first.iter().position(|byte| *byte == b' ')?;
        let end = first.iter().rposition(|byte| *byte == b' ').filter(|end| *end > start)?;
        let protocol = &first[end + 1..];
        let headers = lines.filter_map(|line| split(line, b":")).map(|(name, value)| (name.to_vec(), value.trim_ascii().to_vec()));
        Some(Self {
            number,
            class,
            half: half(&raw),
            method: first[..start].to_vec(),
            target: first[start + 1..end].to_vec(),
            version: protocol.rsplit(|byte| *byte == b'/').next().unwrap_or_default().to_vec(),
            headers: headers.collect(),
            body: body.to_vec(),
            raw,
        })
    }

    /// Returns the value of a header, in lower case.
    pub fn header(&self, wanted: &str) -> Option<String> {
        let found = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted.as_bytes()));
        found.map(|(_, value)| String::from_utf8_lossy(value).to_lowercase())
    }

    /// Returns the query of the target, if there is one.
    pub fn query(&self) -> Option<&[u8]> {
        split(&self.target, b"?").map(|(_, query)| query).filter(|query| !query.is_empty())
    }
}

/// Divides the samples in two, by the FNV-1a hash of the request.
fn half(raw: &[u8]) -> Half {
    let hash = raw.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    if (hash >> 32) & 1 == 0 { Half::Tuning } else { Half::Check }
}

fn split<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(separator.len()).position(|window| window == separator)?;
    Some((&text[..at], &text[at + separator.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_it_was_sent() {
        let raw = b"POST /a b?c=1 HTTP/1.1\r\nHost: x.example\r\nbad\r\nContent-Type: Text/Plain \r\n\r\nd=2\r\n\r\ne";
        let sample = Sample::parse(7, Class::Attack, raw.to_vec()).unwrap();
        assert_eq!((sample.number, sample.method.as_slice(), sample.target.as_slice()), (7, b"POST".as_slice(), b"/a b?c=1".as_slice()));
        assert_eq!((sample.version.as_slice(), sample.body.as_slice()), (b"1.1".as_slice(), b"d=2\r\n\r\ne".as_slice()));
        assert_eq!((sample.headers.len(), sample.header("content-type").as_deref()), (2, Some("text/plain")));
        assert_eq!(sample.query(), Some(b"c=1".as_slice()));
        assert!(Sample::parse(1, Class::Attack, b"GET /\r\n\r\n".to_vec()).is_none());
    }

    #[test]
    fn both_halves_have_members() {
        let halves: std::collections::BTreeSet<_> =
            (0..32).map(|number| half(format!("GET /{number} HTTP/1.1\r\nHost: shop.example\r\n\r\n").as_bytes())).collect();
        assert_eq!(halves.len(), 2);
    }
}
