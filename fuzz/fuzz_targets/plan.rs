//! Generated rules and requests end alike with and without a plan: verdict, matches, captures, TX, log lines.

#![no_main]

use libfuzzer_sys::fuzz_target;
use secrule_fuzz::plan::{Judged, compare};

fuzz_target!(|data: &[u8]| compare(data, &mut Judged::default()));
