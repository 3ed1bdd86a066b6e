//! The scripts that run on the server, each of them a call that is atomic.

use sha1::{Digest, Sha1};
use std::fmt::Write;
use std::sync::LazyLock;

/// A script, and the hash that the server knows it by.
#[derive(Debug)]
pub struct Script {
    pub code: &'static str,
    pub hash: String,
}

impl Script {
    fn new(code: &'static str) -> Self {
        let mut hash = String::new();
        for byte in Sha1::digest(code) {
            let _ = write!(hash, "{byte:02x}");
        }
        Self { code, hash }
    }
}

macro_rules! scripts {
    ($($name:ident = $($file:literal)+;)+) => {
        $(pub static $name: LazyLock<Script> = LazyLock::new(|| Script::new(concat!($(include_str!(concat!("scripts/", $file, ".lua"))),+)));)+
    };
}

scripts! {
    UPDATE = "clock" "record" "number" "update";
    READ = "clock" "record" "read";
    READ_ALL = "clock" "record" "read_all";
    REMOVE = "clock" "record" "remove";
    EXPIRE = "clock" "record" "expire";
    DEPRECATE = "clock" "record" "number" "deprecate";
    HISTORY = "clock" "record" "history";
    REMOVE_RECORD = "clock" "record" "remove_record";
    BAN = "clock" "changed" "ban";
    UNBAN = "clock" "changed" "unban";
    BANNED_UNTIL = "clock" "banned_until";
    BANS = "clock" "bans";
    COUNT = "clock" "rate" "count";
    LIMIT = "clock" "changed" "limit";
    LIMITED_UNTIL = "clock" "rate" "limited_until";
    PUT_LIST = "clock" "changed" "put_list";
    LIST = "list";
    MAP_SET = "clock" "map" "map_set";
    MAP_ADD = "clock" "map" "map_add";
    MAP_REMOVE = "clock" "map" "map_remove";
    LEASE = "lease";
}
