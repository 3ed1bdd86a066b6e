//! Arguments of the functions: keys, numbers and texts.

use super::internal;
use crate::key::Key;
use crate::registration::{COMBINATIONS, whole};
use mlua::{Lua, Table, Value};
use secrule::RequestKey;
use secrule::internals::store::{key_host, key_url_path};
use secrule::internals::vocabulary::did_you_mean;
use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;

/// The members of a key table.
const MEMBERS: [&str; 3] = ["ip", "host", "urlpath"];

/// A key table: requests with exactly these values.
#[derive(Debug)]
pub struct KeyTable {
    ip: Option<IpAddr>,
    host: Option<String>,
    url_path: Option<Vec<u8>>,
}

impl KeyTable {
    /// Reads a key table.
    pub fn read(value: &Value) -> Result<Self, String> {
        let Value::Table(table) = value else { return Err(format!("the key is not a table with {COMBINATIONS}")) };
        for pair in table.pairs::<Value, Value>() {
            let (name, _) = pair.map_err(|error| error.to_string())?;
            let name = name.as_string().map(|name| name.to_string_lossy()).unwrap_or_default();
            // A member that is not looked at would make the key mean more requests than the script does.
            if !MEMBERS.contains(&name.as_str()) {
                let hint = did_you_mean(&name, MEMBERS, "").unwrap_or_else(|| format!("write {}", MEMBERS.join(", ")));
                return Err(format!("the key has no member `{name}`: {hint}"));
            }
        }
        let [ip, host, url_path] = MEMBERS.map(|member| text_member(table, member));
        let (ip, host, url_path) = (ip?, host?, url_path?);
        let ip = match ip {
            None => None,
            Some(ip) => Some(address(&ip)?),
        };
        let (host, url_path) = (host.map(|host| key_host(&host).into_owned()), url_path.map(|path| key_url_path(&path).to_vec()));
        let key = Self { ip, host, url_path };
        match key.key() {
            Some(_) => Ok(key),
            None => Err(format!("the key has other members than {COMBINATIONS}")),
        }
    }

    /// Returns the key for counts; `None` for a combination that there is not.
    pub fn key(&self) -> Option<Key<'_>> {
        Key::from_parts(self.ip, self.host.as_deref(), self.url_path.as_deref())
    }

    /// Returns the reason why no ban and no limit of this key can hold, if there is one: a request without an address, a host or a path has no key with it.
    pub fn problem(&self) -> Option<String> {
        let is_empty = self.ip.is_some_and(|ip| ip.is_unspecified())
            || self.host.as_ref().is_some_and(String::is_empty)
            || self.url_path.as_ref().is_some_and(Vec::is_empty);
        is_empty
            .then(|| "the request has no address, host or path of the key, so that nothing can be banned by it: leave that out".to_owned())
    }

    /// Returns the key for bans and limits.
    pub fn request_key(&self) -> RequestKey {
        let mut key = RequestKey::default();
        key.ip = self.ip;
        if let Some(host) = &self.host {
            key = key.with_host(host);
        }
        if let Some(path) = &self.url_path {
            key = key.with_url_path(path);
        }
        key
    }
}

impl fmt::Display for KeyTable {
    /// `ip=192.0.2.7 host=shop.example urlpath=/login`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ip = self.ip.map(|ip| format!("ip={ip}"));
        let host = self.host.as_ref().map(|host| format!("host={host}"));
        let path = self.url_path.as_ref().map(|path| format!("urlpath={}", String::from_utf8_lossy(path)));
        f.write_str(&[ip, host, path].into_iter().flatten().collect::<Vec<_>>().join(" "))
    }
}

fn text_member(table: &Table, member: &str) -> Result<Option<Vec<u8>>, String> {
    match table.raw_get(member) {
        Ok(Value::Nil) => Ok(None),
        Ok(Value::String(text)) => Ok(Some(text.as_bytes().to_vec())),
        _ => Err(format!("`{member}` of the key is not a text")),
    }
}

fn address(text: &[u8]) -> Result<IpAddr, String> {
    let shown = String::from_utf8_lossy(text);
    let address: IpAddr = shown.trim().parse().map_err(|_| format!("`{shown}` is not the address of one client"))?;
    Ok(address.to_canonical())
}

/// Returns a whole number within a range; `what` names it in the error.
pub fn number(value: &Value, what: &str, range: RangeInclusive<i64>) -> Result<i64, String> {
    let written = whole(value).or_else(|| value.as_string().and_then(|text| text.to_string_lossy().trim().parse().ok()));
    written.filter(|number| range.contains(number)).ok_or_else(|| match *range.end() {
        i64::MAX => format!("{what} is not a whole number from {}", range.start()),
        end => format!("{what} is not a whole number from {} to {end}", range.start()),
    })
}

/// Returns a text, or a number as `tostring` of Lua writes it: 0.1 + 0.2 as `0.3`, 1e15 as `1e+15`.
pub fn text(lua: &Lua, value: &Value, what: &str) -> Result<Vec<u8>, String> {
    match value {
        Value::String(_) | Value::Integer(_) | Value::Number(_) => {
            let text = lua.coerce_string(value.clone()).map_err(internal)?;
            Ok(text.map(|text| text.as_bytes().to_vec()).unwrap_or_default())
        }
        other => Err(format!("{what} is not a text, but {}", other.type_name())),
    }
}
