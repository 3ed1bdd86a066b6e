//! Keys and contents of entries as bytes.

use super::keys::{Quota, RecordKey, RequestKey};
use super::keyspace::LONGEST_KEY;
use crate::encoding::{Reader, Writer};
use crate::graph::{PersistentCollection, SiteId};
use sha1::{Digest, Sha1};
use std::net::IpAddr;
use std::time::Duration;

/// The first byte of a hash, and of no key that is kept as it is.
const HASHED: u8 = b'\xFF';

/// Returns a key that a table takes: a long one is replaced by its hash.
pub fn bounded(key: Vec<u8>) -> Vec<u8> {
    if key.len() < LONGEST_KEY && key.first() != Some(&HASHED) { key } else { [&[HASHED][..], &Sha1::digest(&key)].concat() }
}

impl RecordKey {
    /// Returns the key as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.bytes(self.web_app.as_bytes());
        writer.0.push(self.collection as u8);
        writer.0.extend_from_slice(&self.key);
        writer.0
    }

    /// Reads the key from its bytes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let web_app = std::str::from_utf8(reader.bytes()?).ok()?.into();
        let (collection, key) = reader.0.split_first()?;
        let collection = PersistentCollection::ALL.into_iter().find(|known| *known as u8 == *collection)?;
        Some(Self { collection, key: key.into(), web_app })
    }
}

impl RequestKey {
    /// Returns the key as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let site = self.site.map(|site| site.0.to_be_bytes());
        let ip = self.ip.map(|ip| ip.to_string());
        let mut writer = Writer::default();
        writer.option(site.as_ref().map(|site| &site[..])).option(ip.as_ref().map(String::as_bytes));
        writer.option(self.host.as_ref().map(|host| host.as_bytes())).option(self.url_path.as_deref());
        writer.0.push(u8::from(self.only_for_scripts));
        writer.0
    }

    /// Reads the key from its bytes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
        let site = reader.option()?.map(|site| Some(SiteId(u64::from_be_bytes(site.try_into().ok()?))));
        let ip = reader.option()?.map(|ip| text(ip)?.parse::<IpAddr>().ok());
        let host = reader.option()?.map(|host| Some(text(host)?.into_boxed_str()));
        let url_path = reader.option()?.map(Into::into);
        let only_for_scripts = *reader.0.first()? != 0;
        Some(Self { site: whole(site)?, ip: whole(ip)?, host: whole(host)?, url_path, only_for_scripts })
    }
}

/// Turns a part that may be missing and may be broken into one that may be missing, if it is not broken.
fn whole<T>(part: Option<Option<T>>) -> Option<Option<T>> {
    match part {
        None => Some(None),
        Some(part) => part.map(Some),
    }
}

impl Quota {
    /// Returns the quota as bytes.
    pub fn encode(self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.number(u64::try_from(self.interval.as_micros()).unwrap_or(u64::MAX)).number(self.burst.into());
        writer.0
    }

    /// Reads the quota from its bytes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        Some(Self { interval: Duration::from_micros(reader.number()?), burst: u32::try_from(reader.number()?).ok()? })
    }
}
