//! Measures the memory of statistics with a million distinct addresses: less than 100 MB for a combination.
//!
//! This test is alone in its process, because it measures the memory of the whole process.

use secrule_plugins::key::{Combination, Key};
use secrule_plugins::statistics::{MAX_WINDOW, Statistics};
use secrule_plugins::visit::Visit;
use secrule_testkit::process_memory::process_memory;
use std::net::IpAddr;
use std::time::Duration;

const MEGABYTE: usize = 1_000_000;

/// Addresses of each minute, as many as a minute keeps.
const FREQUENT: u32 = 50_000;

/// Addresses of the last minute.
const DISTINCT: u32 = 1_000_000;

/// A full minute.
const START: u64 = 28_333_333 * 60;

fn address(number: u32) -> IpAddr {
    IpAddr::V4(number.into())
}

fn visit(second: u64, number: u32) -> Visit<'static> {
    let backend = Duration::from_micros(20_000 + u64::from(number % 100_000));
    Visit { second, ip: address(number), host: "", url_path: b"", sessions: &[], status: 200, backend, is_attack: false }
}

/// Returns the current memory of the process and its peak, in bytes, where the system tells them.
fn memory_and_peak() -> Option<(usize, usize)> {
    Some((process_memory("self", "VmRSS:")?, process_memory("self", "VmHWM:")?))
}

#[test]
fn a_million_addresses_in_an_hour_take_less_than_a_hundred_megabytes() {
    let before = memory_and_peak();
    let mut statistics = Statistics::new();
    statistics.switch_on(Combination::Ip);
    for minute in 0..60 {
        for number in 0..FREQUENT {
            statistics.count(&visit(START + minute * 60 + u64::from(number) * 60 / u64::from(FREQUENT), number));
        }
    }
    for number in 0..DISTINCT {
        statistics.count(&visit(START + 3_600 + u64::from(number) * 60 / u64::from(DISTINCT), number));
    }
    let now = START + 3_659;
    for number in 0..FREQUENT {
        statistics.count(&visit(now, number));
    }
    for (number, window, visits) in
        [(7, MAX_WINDOW, 62), (7, 60, 2), (DISTINCT - 7, 60, 1), (DISTINCT - 7, MAX_WINDOW, 1), (DISTINCT, 60, 0)]
    {
        assert_eq!(statistics.totals(&Key::Ip(address(number)), window, now).visits, visits, "{number} in {window}");
    }
    // The minute closes: of its million addresses those with two visits are kept.
    for second in 1..=2 {
        statistics.count(&visit(now + second, DISTINCT));
    }
    assert_eq!([0, FREQUENT - 1].map(|number| statistics.totals(&Key::Ip(address(number)), 120, now + 2).visits), [3, 3]);
    assert_eq!(statistics.uncounted(), 0);
    let bytes = statistics.bytes();
    println!("{bytes} bytes");
    assert!((30 * MEGABYTE..100 * MEGABYTE).contains(&bytes), "{bytes}");
    if let (Some((before, _)), Some((after, peak))) = (before, memory_and_peak()) {
        println!("{} bytes of the process, {} at the peak", after - before, peak - before);
        assert!(peak - before < 100 * MEGABYTE, "{}", peak - before);
    }
}
