//! The C interface takes calls in any order. A panic inside the library ends the run, though the library's own barrier would catch it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use secrule_fuzz::draw::Draw;
use secrule_fuzz::host::{Called, call_at_will};

fuzz_target!(|data: &[u8]| call_at_will(&mut Draw::new(data), &mut Called::default()));
