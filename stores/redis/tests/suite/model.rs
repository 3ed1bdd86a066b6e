//! Random operations have the same results as on the store in memory.

use crate::server::{Kind, Server};
use crate::{by, record};
use secrule::internals::graph::Pace;
use secrule::{AddError, MemoryStore, RecordKey, Store, StoreLimits, Update};
use secrule_redis::RedisStore;
use std::time::{Duration, SystemTime};

const OPERATIONS: usize = 20_000;

/// Numbers that look random, and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % below as u64).unwrap()
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.next(all.len())]
    }
}

const NAMES: &[&[u8]] = &[b"a", b"B", b"counter", b"", b"=", b"+", b"\0 \xff"];

const VALUES: &[&[u8]] = &[
    b"",
    b"0",
    b"-0",
    b"+7",
    b" 12 ",
    b"007",
    b"text",
    b"12x",
    b"-",
    b"1.5",
    b"0x10",
    b"999999999999999",
    b"9007199254740993",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"00009223372036854775807",
    b"99999999999999999999",
    b"5 5",
    b"\n3\t",
    b"\xff1",
];

const AMOUNTS: &[i64] = &[0, 1, -1, 7, 1 << 53, -(1 << 53) - 1, i64::MAX, i64::MIN, i64::MAX - 1, 123_456_789_012_345];

const REALS: &[f64] = &[0.0, 1.0, -2.5, 0.1, 0.2, 1e20, -1e-3, 123_456_789.125];

pub fn random_operations_have_the_same_results_as_in_memory(kind: Kind) {
    let server = Server::start(kind);
    let (store, memory) = (RedisStore::new(&server.url()).unwrap(), MemoryStore::new());
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let records: Vec<RecordKey> = (0..4).map(|_| record()).collect();
    for place in 0..OPERATIONS {
        let record = &records[numbers.next(records.len())];
        let (name, value, amount) = (numbers.one_of(NAMES), numbers.one_of(VALUES), numbers.one_of(AMOUNTS));
        let limits = StoreLimits::new(numbers.one_of(&[3, 4, 100]), numbers.one_of(&[1 << 14, 1 << 20]));
        let first = Update::first(record, limits);
        let update = if numbers.next(2) == 0 { first } else { first.further() };
        let both: [&dyn Store; 2] = [&store, &memory];
        let results = match numbers.next(12) {
            0 | 1 => {
                both.map(|store| format!("{:?}", store.write(update, name, value, by()).map(|known| known.map(|known| known.updates))))
            }
            2..=4 => both.map(|store| {
                let sum = store.add(update, name, amount, by()).map(|(sum, known)| (sum, known.map(|known| known.updates)));
                format!("{sum:?}")
            }),
            5 => both.map(|store| format!("{:?}", store.remove(record, name, by()))),
            6 => {
                let end = numbers.one_of(&[-5, 3_600]);
                let moment = SystemTime::now() + Duration::from_secs(7_200) - Duration::from_secs(u64::try_from(7_200 - end).unwrap());
                both.map(|store| format!("{:?}", store.expire(record, name, moment, by())))
            }
            7 => {
                let pace = Pace::parse(numbers.one_of(&[b"1/3600", b"5/3600"])).unwrap();
                both.map(|store| format!("{:?}", store.deprecate(record, name, pace, by())))
            }
            8 => both.map(|store| format!("{:?}", store.history(record, by()).map(|known| known.map(|known| known.updates)))),
            9 => both.map(|store| format!("{:?}", store.read(record, name, by()))),
            10 if numbers.next(20) == 0 => both.map(|store| format!("{:?}", store.remove_record(record, by()))),
            10 => both.map(|store| format!("{:?}", store.read_all(record, by()))),
            _ => map(&mut numbers, both, name, value),
        };
        assert_eq!(results[0], results[1], "operation {place} on {name:?} with {value:?} or {amount}");
    }
}

fn map(numbers: &mut Numbers, both: [&dyn Store; 2], key: &[u8], value: &[u8]) -> [String; 2] {
    let real = numbers.one_of(REALS);
    match numbers.next(8) {
        0 | 1 => both.map(|store| format!("{:?}", store.map_set("m", key, value, by()))),
        2 | 3 => both.map(|store| match store.map_add("m", key, real, by()) {
            Err(AddError::NoNumber) => "no number".to_owned(),
            sum => format!("{sum:?}"),
        }),
        4 => both.map(|store| format!("{:?}", store.map_remove("m", key, by()))),
        5 => both.map(|store| format!("{:?}", store.map_size("m", by()))),
        6 if numbers.next(20) == 0 => both.map(|store| format!("{:?}", store.map_clear("m", by()))),
        _ => both.map(|store| {
            // A number may be written in several ways.
            let value = store.map_get("m", key, by()).unwrap();
            let number = value.as_ref().and_then(|value| std::str::from_utf8(value).ok()?.parse::<f64>().ok());
            number.map_or_else(|| format!("{value:?}"), |number| number.to_string())
        }),
    }
}
