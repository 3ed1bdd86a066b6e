//! The target `plan` without coverage, on random bytes: several times as fast. `random_plan SEED SECONDS` tells what was judged, and stops at
//! the first difference.

use secrule_fuzz::plan::{Judged, compare};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::time::{Duration, Instant};

const LONGEST: u64 = 2000;

fn main() {
    let mut numbers = std::env::args().skip(1).map(|number| number.parse::<u64>().expect("SEED and SECONDS are numbers"));
    let (seed, seconds) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(60));
    let (start, mut judged) = (Instant::now(), Judged::default());
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    for number in 0_u64.. {
        let chunk = |part: u64| hasher.hash_one((seed, number, part));
        let length = (300 + chunk(0) % (LONGEST - 300)) / 8;
        let data: Vec<u8> = (1..length).flat_map(|part| chunk(part).to_le_bytes()).collect();
        compare(&data, &mut judged);
        if number % 10_000 == 0 {
            println!("{:?} after {number} inputs: {judged:?}", start.elapsed());
        }
        if start.elapsed() >= Duration::from_secs(seconds) {
            break;
        }
    }
    println!("{:?}: {judged:?}", start.elapsed());
}
