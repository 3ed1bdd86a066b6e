//! Random bytes as rules, requests and bodies over the C interface: `random_calls SEED MEGABYTES` tells what was called, and how many panics
//! the library's barrier caught. It ends with 1 where there was one.

use secrule_fuzz::draw::Draw;
use secrule_fuzz::host::{Called, call_at_will, log_lines};
use secrule_fuzz::random::bytes;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

static PANICS: AtomicUsize = AtomicUsize::new(0);

const MEGABYTE: usize = 1 << 20;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|number| number.parse::<u64>().expect("SEED and MEGABYTES are numbers"));
    let (seed, megabytes) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(100));
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        told(panic);
    }));
    let (start, mut called, mut used) = (Instant::now(), Called::default(), 0);
    for number in 0.. {
        let data = bytes(seed, number, 200..20_000);
        used += data.len();
        call_at_will(&mut Draw::new(&data), &mut called);
        if used >= megabytes as usize * MEGABYTE {
            break;
        }
    }
    let panics = PANICS.load(Ordering::Relaxed);
    println!("{:?}: {} MB, {called:?}, {} log lines, {panics} panics", start.elapsed(), used / MEGABYTE, log_lines());
    ExitCode::from(u8::from(panics > 0))
}
