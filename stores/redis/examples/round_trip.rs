//! Compares calls of the store with the shortest command of the server: `cargo run --release --example round_trip redis://127.0.0.1`.

use redis::Client;
use secrule::{PersistentCollection, Quota, RecordKey, RequestKey, Store, StoreLimits, Update};
use secrule_redis::RedisStore;
use std::error::Error;
use std::time::{Duration, Instant};

/// Number of calls that are timed, one after the other.
const CALLS: usize = 20_000;

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("give the URL of a server, such as redis://127.0.0.1")?;
    let mut connection = Client::open(url.as_str())?.get_connection()?;
    let store = RedisStore::new(&url)?;
    let record = RecordKey::new(PersistentCollection::Ip, b"192.0.2.1", "round trip");
    let (limits, quota) = (StoreLimits::new(1_000, 64 << 20), Quota::new(1_000_000, Duration::from_secs(1), 10));
    let (update, key) = (Update::first(&record, limits).with_timeout(Duration::from_secs(60)), RequestKey::of_host(None, "shop.example"));
    let by = || Instant::now() + Duration::from_secs(5);
    for turn in 1..=3 {
        println!("turn {turn}, {CALLS} calls: median and 99th percentile in µs");
        time("PING", || Ok(redis::cmd("PING").exec(&mut connection)?))?;
        time("add", || Ok(store.add(update, b"n", 1, by()).map(|_| ())?))?;
        time("read", || Ok(store.read(&record, b"n", by()).map(|_| ())?))?;
        time("count", || Ok(store.count(&key, quota, by()).map(|_| ())?))?;
        time("banned_until", || Ok(store.banned_until(std::slice::from_ref(&key), by()).map(|_| ())?))?;
        time("has_bans", || {
            std::hint::black_box(store.has_bans());
            Ok(())
        })?;
    }
    store.remove_record(&record, by())?;
    Ok(())
}

fn time(name: &str, mut call: impl FnMut() -> Result<(), Box<dyn Error>>) -> Result<(), Box<dyn Error>> {
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let start = Instant::now();
        call()?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let micros = |place: usize| times.get(place).map_or(0.0, |time| time.as_secs_f64() * 1e6);
    println!("  {name:14} {:8.1} {:8.1}", micros(CALLS / 2), micros(CALLS * 99 / 100));
    Ok(())
}
