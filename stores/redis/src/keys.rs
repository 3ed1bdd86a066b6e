//! The keys of a store in the server. All begin with `secrule:`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use secrule::{PersistentCollection, RecordKey};

/// The bans by their end, and by their name.
pub const BANS: &[u8] = b"secrule:{all}:bans";
pub const BAN_NAMES: &[u8] = b"secrule:{all}:ban-names";

/// The limits by their end, and their quotas.
pub const LIMITS: &[u8] = b"secrule:{all}:limits";
pub const QUOTAS: &[u8] = b"secrule:{all}:quotas";

/// The number of changes of bans, limits and lists.
pub const CHANGES: &[u8] = b"secrule:{all}:changes";

/// What stands for itself in the name of a web application. Neither the end of the name nor a sign of a pattern is among it.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Returns what the keys of all records of a web application begin with.
pub fn records(web_app: &str) -> String {
    format!("secrule:record:{}:", utf8_percent_encode(web_app, PLAIN))
}

/// Returns the key of a record: `secrule:record:WEB APPLICATION:COLLECTION:KEY`.
pub fn record(record: &RecordKey) -> Vec<u8> {
    let start = format!("{}{}:", records(&record.web_app), name(record.collection));
    [start.as_bytes(), &record.key].concat()
}

/// Reads the key of a record.
pub fn record_of(key: &[u8]) -> Option<RecordKey> {
    let mut parts = key.strip_prefix(b"secrule:record:")?.splitn(3, |byte| *byte == b':');
    let web_app = percent_decode_str(std::str::from_utf8(parts.next()?).ok()?).decode_utf8().ok()?;
    let collection = parts.next()?;
    let collection = PersistentCollection::ALL.into_iter().find(|known| name(*known).as_bytes() == collection)?;
    Some(RecordKey::new(collection, parts.next()?, &web_app))
}

/// Returns the key of what was counted for a request key.
pub fn count(request: &[u8]) -> Vec<u8> {
    [b"secrule:count:", request].concat()
}

/// Returns the key of a list. It is in the slot of the number of changes.
pub fn list(name: &str) -> String {
    format!("secrule:{{all}}:list:{name}")
}

/// Returns the key of a map.
pub fn map(name: &str) -> String {
    format!("secrule:map:{name}")
}

/// Returns the key of a lease.
pub fn lease(name: &str) -> String {
    format!("secrule:lease:{name}")
}

/// Returns the name of a collection in lower case.
fn name(collection: PersistentCollection) -> String {
    format!("{collection:?}").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_a_record_can_be_read_back() {
        let known = RecordKey::new(PersistentCollection::Ip, b"192.0.2.1", "shop");
        assert_eq!(record(&known), b"secrule:record:shop:ip:192.0.2.1");
        for (web_app, key) in [("", &b""[..]), ("a:b*[%é]", b"2001:db8::1"), ("{x}", b"\0\xff:{}")] {
            for collection in PersistentCollection::ALL {
                let known = RecordKey::new(collection, key, web_app);
                assert_eq!(record_of(&record(&known)), Some(known));
            }
        }
        assert_eq!(record_of(b"secrule:record:shop:other:key"), None);
        assert!(!records("*?[]\\^").contains(['*', '?', '[', ']', '\\', '^']));
    }
}
