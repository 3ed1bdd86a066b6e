//! The target `differential` without coverage, on random bytes. `differential SEED PAIRS` tells what was compared, and each disagreement that
//! nobody has explained, as small as it could be made. It ends with 1 where there is one.

use secrule_fuzz::differential::{Compared, compare};
use secrule_fuzz::peer::{LIBRARY, Peer};
use secrule_fuzz::random::bytes;
use std::collections::HashSet;
use std::ops::Range;
use std::process::ExitCode;
use std::time::Instant;

const LENGTHS: Range<u64> = 300..2000;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|number| number.parse::<u64>().expect("SEED and PAIRS are numbers"));
    let (seed, pairs) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(10_000));
    let Some(mut peer) = Peer::new(LIBRARY) else {
        println!("left out: there is no {LIBRARY}");
        return ExitCode::SUCCESS;
    };
    let (start, mut compared, mut unexplained, mut seen) = (Instant::now(), Compared::default(), 0, HashSet::new());
    for number in 0_u64.. {
        let data = bytes(seed, number, LENGTHS);
        for found in compare(&data, &mut peer, &mut compared) {
            unexplained += 1;
            let (rules, requests) = (found.scenario.rules.join("\n"), (found.scenario.earlier, found.scenario.request));
            if !seen.insert(rules.clone()) {
                continue;
            }
            println!("== {number}\n{rules}\n{requests:?}\nours: {}\ntheirs: {}", found.ours, found.theirs);
        }
        if compared.pairs as u64 >= pairs {
            break;
        }
    }
    println!("{:?}: {compared:#?}, {unexplained} unexplained", start.elapsed());
    ExitCode::from(u8::from(unexplained > 0))
}
