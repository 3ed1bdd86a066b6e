//! The address of a store in LMDB: `lmdb:PATH[?size=256M]`.

use secrule::BadAddress;
use std::path::PathBuf;

/// The beginning of an address.
pub const SCHEME: &str = "lmdb";

/// The size of a file if the address does not name one, in bytes.
pub const DEFAULT_SIZE: u64 = 256 << 20;

/// The smallest size of a file, in bytes.
const MIN_SIZE: u64 = 1 << 20;

/// A file or folder, and the maximum size of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// A file, or a folder in which each user has a file.
    pub path: PathBuf,
    /// In bytes.
    pub size: u64,
}

impl Address {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let rest = text.strip_prefix(SCHEME).and_then(|rest| rest.strip_prefix(':')).unwrap_or_default();
        let (path, options) = rest.split_once('?').unwrap_or((rest, ""));
        if path.is_empty() {
            return Err(BadAddress::new("the address names no file", "write lmdb:PATH, such as lmdb:/var/lib/waf/store.mdb"));
        }
        let mut size = DEFAULT_SIZE;
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let Some(("size", value)) = option.split_once('=') else {
                return Err(BadAddress::new(
                    format!("`{option}` is not an option of a store in LMDB"),
                    "write ?size=256M, or leave it out",
                ));
            };
            let too_small =
                || BadAddress::new(format!("`{value}` is not a size of at least 1M"), "write a number of bytes, such as ?size=256M");
            size = bytes(value).filter(|size| *size >= MIN_SIZE).ok_or_else(too_small)?;
        }
        Ok(Self { path: path.into(), size })
    }
}

/// Reads a number of bytes, with `K`, `M` or `G` behind it.
fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = match text.char_indices().last()? {
        (at, 'k' | 'K') => (text.get(..at)?, 1 << 10),
        (at, 'm' | 'M') => (text.get(..at)?, 1 << 20),
        (at, 'g' | 'G') => (text.get(..at)?, 1 << 30),
        _ => (text, 1),
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_path_and_a_size() {
        let of = |path: &str, size| Ok(Address { path: path.into(), size });
        assert_eq!(Address::parse("lmdb:/a/b.mdb"), of("/a/b.mdb", 256 << 20));
        assert_eq!(Address::parse("lmdb:/a/?size=2G"), of("/a/", 2 << 30));
        assert_eq!(Address::parse("lmdb:b?size=1048576"), of("b", 1 << 20));
        for wrong in ["lmdb", "lmdb:", "lmdb:?size=1G", "lmdb:/a?size=", "lmdb:/a?size=10", "lmdb:/a?size=99999999999G", "lmdb:/a?speed=1"]
        {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
    }
}
