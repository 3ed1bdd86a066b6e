//! The target `plan` without coverage, on random bytes: several times as fast. `random_plan SEED SECONDS` tells what was judged, and stops at
//! the first difference.

use secrule_fuzz::plan::{Judged, compare};
use secrule_fuzz::random::bytes;
use std::ops::Range;
use std::time::{Duration, Instant};

const LENGTHS: Range<u64> = 300..2000;

fn main() {
    let mut numbers = std::env::args().skip(1).map(|number| number.parse::<u64>().expect("SEED and SECONDS are numbers"));
    let (seed, seconds) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(60));
    let (start, mut judged) = (Instant::now(), Judged::default());
    for number in 0_u64.. {
        let data = bytes(seed, number, LENGTHS);
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
