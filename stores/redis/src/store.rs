//! The operations of the store.

use super::address::{Address, AddressError};
use super::command::Argument::{self, Bytes, Number};
use super::keys;
use super::scripts;
use super::servers::{Failure, Servers, tls};
use super::watch::Watch;
use redis::{FromRedisValue, Value, from_redis_value};
use rustls::ClientConfig;
use secrule::internals::once_per_process::OncePerProcess;
use secrule::internals::store::Breaker;
use secrule::{
    AddError, BadAddress, Ban, Down, Full, Pace, Quota, Rate, RecordHistory, RecordKey, RequestKey, Store, StoreKind, Update, Variables,
    WriteError,
};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Maximum number of bans, and that of limits. Beyond it the one that ends first is dropped.
const MAX_BANS: i64 = 100_000;

/// Maximum number of values of a map.
const MAX_VALUES: i64 = 100_000;

/// Maximum size of the keys and values of a map, in bytes.
const MAX_MAP: i64 = 64 << 20;

/// The time without a change after which a record is removed, if its rule set has none.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// The longest time until an end that the server is sent.
const FURTHEST: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Overhead of a record and the part of the store's limit that it may take, as in the other stores.
const RECORD_OVERHEAD: usize = 400;
const SHARE: usize = 16;

/// Number of keys that the server looks at in one step of a list of records.
const STEP: i64 = 1_000;

/// Number of records that are kept for the next pages of a list, and the time for which they are.
const KEPT_RECORDS: usize = 10_000;
const KEPT_FOR: Duration = Duration::from_secs(10);

/// Beginnings of the URLs.
const SCHEMES: &[&str] = &[
    "redis",
    "rediss",
    "redis-sentinel",
    "rediss-sentinel",
    "redis-cluster",
    "rediss-cluster",
    "valkey",
    "valkeys",
    "valkey-sentinel",
    "valkeys-sentinel",
    "valkey-cluster",
    "valkeys-cluster",
];

/// Remedy for a URL that names no servers.
const REMEDY: &str = "write redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], rediss:// for TLS, redis-sentinel:// or redis-cluster://";

/// A store on servers of Redis or Valkey.
///
/// The servers are connected to by the first call of each process.
pub struct RedisStore {
    address: Arc<Address>,
    tls: Option<Arc<ClientConfig>>,
    servers: OncePerProcess<Servers>,
    watch: OncePerProcess<Arc<Watch>>,
    page: Mutex<Option<Page>>,
}

/// Records that follow one in the order of their keys.
#[derive(Debug)]
struct Page {
    prefix: String,
    after: Vec<u8>,
    /// Sorted.
    records: Vec<Vec<u8>>,
    /// `true` if none follows.
    is_last: bool,
    read: Instant,
}

impl RedisStore {
    /// The stores that `SecCollectionStore redis://HOST` and the like name.
    pub const KIND: StoreKind = StoreKind {
        schemes: SCHEMES,
        make: |url| {
            let store = Self::new(url).map_err(|error| BadAddress::new(error.to_string(), REMEDY))?;
            Ok(Arc::new(Breaker::new(store)))
        },
    };

    /// Names the servers. Nothing is connected to yet.
    ///
    /// # Errors
    /// If the URL names no server, or the certificates of authorities cannot be read. The error does not show the URL.
    pub fn new(url: &str) -> Result<Self, AddressError> {
        let address = Address::parse(url)?;
        let tls = if address.is_secure { Some(tls(address.authorities.as_deref())?) } else { None };
        let (servers, watch) = (OncePerProcess::new(), OncePerProcess::new());
        Ok(Self { address: Arc::new(address), tls, servers, watch, page: Mutex::default() })
    }

    fn servers(&self) -> Arc<Servers> {
        let Ok(servers) = self.servers.get_or_make(|| Ok::<_, Infallible>(Servers::new(Arc::clone(&self.address), self.tls.clone())));
        servers
    }

    fn watch(&self) -> Arc<Watch> {
        let Ok(watch) = self.watch.get_or_make(|| Ok::<_, Infallible>(Watch::start(&self.servers())));
        Arc::clone(&watch)
    }

    fn run<T: FromRedisValue, K: AsRef<[u8]>>(
        &self,
        script: &scripts::Script,
        keys: &[K],
        arguments: &[Argument<'_>],
        by: Instant,
    ) -> Result<T, Failure> {
        Ok(typed(self.servers().run(script, keys, arguments, by)?)?)
    }

    /// Runs a script on a record.
    fn run_on<T: FromRedisValue>(
        &self,
        record: &RecordKey,
        script: &scripts::Script,
        arguments: &[Argument<'_>],
        by: Instant,
    ) -> Result<T, Failure> {
        self.run(script, &[keys::record(record)], arguments, by)
    }

    fn update(
        &self,
        operation: &str,
        update: Update<'_>,
        name: &[u8],
        value: Argument<'_>,
        by: Instant,
    ) -> Result<(Vec<u8>, Option<RecordHistory>), WriteError> {
        let taken = RECORD_OVERHEAD + keys::record(update.record).len();
        let bytes = count(update.limits.bytes / SHARE) - count(taken);
        let arguments = [
            Bytes(operation.as_bytes()),
            Bytes(&name.to_ascii_lowercase()),
            value,
            Number(millis(update.timeout.unwrap_or(LONGEST))),
            Number(update.is_first.into()),
            Number(count(update.limits.variables)),
            Number(bytes),
        ];
        let answer: Vec<Value> = self.run_on(update.record, &scripts::UPDATE, &arguments, by)?;
        let mut answer = answer.into_iter();
        filled(answer.next())?;
        let value = typed(answer.next().unwrap_or(Value::Nil))?;
        Ok((value, history(answer.map(typed).collect::<Result<Vec<u64>, Down>>()?.as_slice())))
    }

    /// Returns the keys of records that follow one, at least `limit` of them if there are as many. It looks at all keys of the servers.
    fn page(&self, prefix: &str, after: &[u8], limit: usize, by: Instant) -> Result<Page, Down> {
        let limit = limit.max(KEPT_RECORDS);
        let (servers, mut found, mut is_last) = (self.servers(), std::collections::BTreeSet::new(), true);
        for node in servers.nodes(by)? {
            let mut cursor = b"0".to_vec();
            loop {
                let pattern = format!("{prefix}*");
                let arguments = [Bytes(&cursor), Bytes(b"MATCH"), Bytes(pattern.as_bytes()), Bytes(b"COUNT"), Number(STEP)];
                let (next, keys): (Vec<u8>, Vec<Vec<u8>>) = typed(servers.command_on(&node, "SCAN", &arguments, by)?)?;
                found.extend(keys.into_iter().filter(|key| key.as_slice() > after));
                while found.len() > limit {
                    found.pop_last();
                    is_last = false;
                }
                if next == b"0" {
                    break;
                }
                cursor = next;
            }
        }
        Ok(Page { prefix: prefix.to_owned(), after: after.to_vec(), records: found.into_iter().collect(), is_last, read: Instant::now() })
    }
}

/// Shows neither the user nor the password.
impl std::fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisStore").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Page {
    /// Returns the keys that follow one, if they are known.
    fn following(&self, prefix: &str, after: &[u8], limit: usize) -> Option<&[Vec<u8>]> {
        if self.prefix != prefix || after < self.after.as_slice() || self.read.elapsed() > KEPT_FOR {
            return None;
        }
        let start = self.records.partition_point(|key| key.as_slice() <= after);
        let following = self.records.get(start..)?;
        (self.is_last || following.len() >= limit).then(|| following.get(..limit).unwrap_or(following))
    }
}

impl Store for RedisStore {
    fn read(&self, record: &RecordKey, name: &[u8], by: Instant) -> Result<Option<Vec<u8>>, Down> {
        Ok(self.run_on(record, &scripts::READ, &[Bytes(&name.to_ascii_lowercase())], by)?)
    }

    fn read_all(&self, record: &RecordKey, by: Instant) -> Result<Variables, Down> {
        let mut variables: Variables = self.run_on(record, &scripts::READ_ALL, &[], by)?;
        variables.sort();
        Ok(variables)
    }

    fn write(&self, update: Update<'_>, name: &[u8], value: &[u8], by: Instant) -> Result<Option<RecordHistory>, WriteError> {
        self.update("write", update, name, Bytes(value), by).map(|(_, history)| history)
    }

    fn add(&self, update: Update<'_>, name: &[u8], amount: i64, by: Instant) -> Result<(i64, Option<RecordHistory>), WriteError> {
        let (sum, history) = self.update("add", update, name, Number(amount), by)?;
        Ok((number(&sum)?, history))
    }

    fn set_timeout(&self, update: Update<'_>, timeout: Duration, by: Instant) -> Result<Option<RecordHistory>, WriteError> {
        self.update("timeout", update, b"", Number(millis(timeout)), by).map(|(_, history)| history)
    }

    fn touch(&self, update: Update<'_>, by: Instant) -> Result<Option<RecordHistory>, WriteError> {
        self.update("touch", update, b"", Bytes(b""), by).map(|(_, history)| history)
    }

    fn remove(&self, record: &RecordKey, name: &[u8], by: Instant) -> Result<(), Down> {
        Ok(self.run_on(record, &scripts::REMOVE, &[Bytes(&name.to_ascii_lowercase())], by)?)
    }

    fn expire(&self, record: &RecordKey, name: &[u8], moment: SystemTime, by: Instant) -> Result<(), Down> {
        Ok(self.run_on(record, &scripts::EXPIRE, &[Bytes(&name.to_ascii_lowercase()), Number(until(moment))], by)?)
    }

    fn deprecate(&self, record: &RecordKey, name: &[u8], pace: Pace, by: Instant) -> Result<Option<i64>, Down> {
        let period = millis(pace.period.max(Duration::from_millis(1)));
        let arguments = [Bytes(&name.to_ascii_lowercase()), Number(pace.amount), Number(period)];
        let left: Option<Vec<u8>> = self.run_on(record, &scripts::DEPRECATE, &arguments, by)?;
        left.map(|left| number(&left)).transpose()
    }

    fn history(&self, record: &RecordKey, by: Instant) -> Result<Option<RecordHistory>, Down> {
        let numbers: Option<Vec<u64>> = self.run_on(record, &scripts::HISTORY, &[], by)?;
        Ok(numbers.and_then(|numbers| history(&numbers)))
    }

    fn remove_record(&self, record: &RecordKey, by: Instant) -> Result<bool, Down> {
        Ok(self.run_on(record, &scripts::REMOVE_RECORD, &[], by)?)
    }

    fn records(&self, web_app: &str, after: Option<&RecordKey>, limit: usize, by: Instant) -> Result<Vec<RecordKey>, Down> {
        let (prefix, after) = (keys::records(web_app), after.map(keys::record).unwrap_or_default());
        let mut known = self.page.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The first page is read anew.
        if after.is_empty() || known.as_ref().and_then(|page| page.following(&prefix, &after, limit)).is_none() {
            known = Some(self.page(&prefix, &after, limit, by)?);
        }
        let following = known.as_ref().and_then(|page| page.following(&prefix, &after, limit)).unwrap_or_default();
        let records = following.iter().filter_map(|key| keys::record_of(key)).collect();
        *self.page.lock().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(records)
    }

    fn ban(&self, key: &RequestKey, end: SystemTime, by: Instant) -> Result<(), Down> {
        let arguments = [Bytes(&key.encode()), Number(until(end)), Number(MAX_BANS)];
        self.run::<(), _>(&scripts::BAN, &[keys::BANS, keys::BAN_NAMES, keys::CHANGES], &arguments, by)?;
        self.watch().note();
        Ok(())
    }

    fn unban(&self, key: &RequestKey, by: Instant) -> Result<bool, Down> {
        Ok(self.run(&scripts::UNBAN, &[keys::BANS, keys::BAN_NAMES, keys::CHANGES], &[Bytes(&key.encode())], by)?)
    }

    fn banned_until(&self, keys: &[RequestKey], by: Instant) -> Result<Option<SystemTime>, Down> {
        let names: Vec<Vec<u8>> = keys.iter().map(RequestKey::encode).collect();
        let names: Vec<Argument<'_>> = names.iter().map(|name| Bytes(name)).collect();
        let left: Option<u64> = self.run(&scripts::BANNED_UNTIL, &[keys::BANS], &names, by)?;
        Ok(left.map(after_now))
    }

    fn bans(&self, after: Option<&RequestKey>, limit: usize, by: Instant) -> Result<Vec<Ban>, Down> {
        let from = after.map_or_else(|| b"-".to_vec(), |after| [&b"("[..], &after.encode()].concat());
        let arguments = [Bytes(&from), Number(count(limit).min(MAX_BANS))];
        let found: Vec<(Vec<u8>, u64)> = self.run(&scripts::BANS, &[keys::BANS, keys::BAN_NAMES], &arguments, by)?;
        let bans = found.into_iter().filter_map(|(name, left)| Some(Ban::new(RequestKey::decode(&name)?, after_now(left))));
        Ok(bans.collect())
    }

    fn has_bans(&self) -> bool {
        self.watch().has_bans()
    }

    fn count(&self, key: &RequestKey, quota: Quota, by: Instant) -> Result<Rate, Down> {
        let (interval, burst) = numbers(quota);
        let is_within: bool = self.run(&scripts::COUNT, &[keys::count(&key.encode())], &[interval, burst], by)?;
        Ok(if is_within { Rate::Within } else { Rate::Beyond })
    }

    fn limit(&self, key: &RequestKey, quota: Quota, end: SystemTime, by: Instant) -> Result<(), Down> {
        let (interval, burst) = numbers(quota);
        let arguments = [Bytes(&key.encode()), interval, burst, Number(until(end)), Number(MAX_BANS)];
        self.run::<(), _>(&scripts::LIMIT, &[keys::LIMITS, keys::QUOTAS, keys::CHANGES], &arguments, by)?;
        self.watch().note();
        Ok(())
    }

    fn limited_until(&self, keys: &[RequestKey], by: Instant) -> Result<Option<SystemTime>, Down> {
        let names: Vec<Vec<u8>> = keys.iter().map(RequestKey::encode).collect();
        let names: Vec<Argument<'_>> = names.iter().map(|name| Bytes(name)).collect();
        let left: Option<u64> = self.run(&scripts::LIMITED_UNTIL, &[keys::LIMITS, keys::QUOTAS], &names, by)?;
        Ok(left.map(after_now))
    }

    fn put_list(&self, name: &str, entries: &[&str], by: Instant) -> Result<(), WriteError> {
        let entries: String = entries.iter().map(|entry| format!("{}:{entry}", entry.len())).collect();
        Ok(self.run(&scripts::PUT_LIST, &[keys::list(name).as_bytes(), keys::CHANGES], &[Bytes(entries.as_bytes())], by)?)
    }

    fn list(&self, name: &str, known: Option<u64>, by: Instant) -> Result<Option<(u64, Vec<String>)>, Down> {
        let known = known.map_or(Bytes(b""), |known| Number(i64::try_from(known).unwrap_or(i64::MAX)));
        let found: Option<(u64, Vec<u8>)> = self.run(&scripts::LIST, &[keys::list(name)], &[known], by)?;
        Ok(found.map(|(version, entries)| (version, split(&entries))))
    }

    fn changes(&self, by: Instant) -> Result<u64, Down> {
        let changes: Option<u64> = typed(self.servers().command("GET", &[Bytes(keys::CHANGES)], by)?)?;
        Ok(changes.unwrap_or(0))
    }

    fn map_get(&self, map: &str, key: &[u8], by: Instant) -> Result<Option<Vec<u8>>, Down> {
        typed(self.servers().command("HGET", &[Bytes(keys::map(map).as_bytes()), Bytes(&field(key))], by)?)
    }

    fn map_set(&self, map: &str, key: &[u8], value: &[u8], by: Instant) -> Result<(), WriteError> {
        let arguments = [Bytes(key), Bytes(value), Number(MAX_VALUES), Number(MAX_MAP)];
        let answer = self.run(&scripts::MAP_SET, &[keys::map(map)], &arguments, by)?;
        filled(Some(answer))
    }

    fn map_add(&self, map: &str, key: &[u8], amount: f64, by: Instant) -> Result<f64, AddError> {
        let amount = amount.to_string();
        let arguments = [Bytes(key), Bytes(amount.as_bytes()), Number(MAX_VALUES), Number(MAX_MAP)];
        let answer: Vec<Value> = self.run(&scripts::MAP_ADD, &[keys::map(map)], &arguments, by)?;
        let mut answer = answer.into_iter();
        match answer.next() {
            Some(Value::Int(3)) => return Err(AddError::NoNumber),
            status => filled(status)?,
        }
        Ok(typed(answer.next().unwrap_or(Value::Nil))?)
    }

    fn map_remove(&self, map: &str, key: &[u8], by: Instant) -> Result<(), Down> {
        Ok(self.run(&scripts::MAP_REMOVE, &[keys::map(map)], &[Bytes(key)], by)?)
    }

    fn map_size(&self, map: &str, by: Instant) -> Result<u64, Down> {
        let fields: u64 = typed(self.servers().command("HLEN", &[Bytes(keys::map(map).as_bytes())], by)?)?;
        // One of them has the size in bytes.
        Ok(fields.saturating_sub(1))
    }

    fn map_clear(&self, map: &str, by: Instant) -> Result<(), Down> {
        self.servers().command("UNLINK", &[Bytes(keys::map(map).as_bytes())], by).map(drop)
    }

    fn lease(&self, name: &str, owner: &str, time: Duration, by: Instant) -> Result<bool, Down> {
        let time = millis(time.max(Duration::from_millis(1)));
        Ok(self.run(&scripts::LEASE, &[keys::lease(name)], &[Bytes(owner.as_bytes()), Number(time)], by)?)
    }
}

/// Reads an answer.
fn typed<T: FromRedisValue>(answer: Value) -> Result<T, Down> {
    from_redis_value(answer).map_err(|error| Down::new(format!("its answer is not understood: {error}")))
}

/// Reads the code with which a script says whether there was room.
fn filled(code: Option<Value>) -> Result<(), WriteError> {
    match code {
        Some(Value::Int(0)) => Ok(()),
        Some(Value::Int(1)) => Err(Full::Record.into()),
        Some(Value::Int(2)) => Err(Full::Store.into()),
        _ => Err(Down::new("its answer is not understood").into()),
    }
}

fn number(text: &[u8]) -> Result<i64, Down> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| Down::new("its answer is not a number"))
}

fn history(numbers: &[u64]) -> Option<RecordHistory> {
    let [created, updated, updates, timeout @ ..] = numbers else { return None };
    let time = |millis: &u64| SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(*millis)).unwrap_or(SystemTime::UNIX_EPOCH);
    let history = RecordHistory::new(time(created), time(updated), *updates);
    Some(timeout.first().map_or(history, |timeout| history.with_timeout(Duration::from_millis(*timeout))))
}

/// Returns a time in milliseconds.
fn millis(time: Duration) -> i64 {
    i64::try_from(time.min(FURTHEST).as_millis()).unwrap_or(i64::MAX)
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Returns the time until a moment in milliseconds, below 0 if it is over: the clock of the server need not be that of this machine.
fn until(moment: SystemTime) -> i64 {
    moment.duration_since(SystemTime::now()).map_or_else(|error| -millis(error.duration()), millis)
}

/// Returns the moment in some milliseconds.
fn after_now(millis: u64) -> SystemTime {
    let now = SystemTime::now();
    now.checked_add(Duration::from_millis(millis)).unwrap_or(now)
}

/// Returns the interval of a quota in microseconds, and its burst.
fn numbers(quota: Quota) -> (Argument<'static>, Argument<'static>) {
    let interval = i64::try_from(quota.interval.min(FURTHEST).as_micros()).unwrap_or(i64::MAX);
    (Number(interval), Number(quota.burst.into()))
}

fn field(key: &[u8]) -> Vec<u8> {
    [b"=", key].concat()
}

/// Splits the entries of a list, each of which has its length before it.
fn split(mut entries: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    while let Some(colon) = entries.iter().position(|byte| *byte == b':') {
        let length = entries.get(..colon).and_then(|length| std::str::from_utf8(length).ok()?.parse::<usize>().ok());
        let Some((entry, rest)) = length.and_then(|length| entries.get(colon + 1..)?.split_at_checked(length)) else { break };
        found.push(String::from_utf8_lossy(entry).into_owned());
        entries = rest;
    }
    found
}
