//! Any text is loaded or refused with an error that can be shown. An input that begins with ASCII is the text; any other chooses a rule file
//! with faults.

#![no_main]

use libfuzzer_sys::fuzz_target;
use secrule::Waf;
use secrule::internals::source::Memory;
use secrule_fuzz::draw::Draw;
use secrule_fuzz::rules::draw_text;

fuzz_target!(|data: &[u8]| {
    let text = match data {
        [0..128, ..] => String::from_utf8_lossy(data).into_owned(),
        _ => draw_text(&mut Draw::new(data)),
    };
    let files = Memory::new().with("words", "one\ntwo\n").with("more.conf", "Include more.conf\n");
    match Waf::builder().without_logs().rules("rules", &text).build_with(&files) {
        Ok(waf) => assert!(waf.report().rules <= text.len()),
        Err(error) => assert!(error.errors().next().is_some() && !error.to_string().is_empty(), "{text}"),
    }
});
