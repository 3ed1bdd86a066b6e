//! Generated Lua scripts end in time, whatever they do, and the rules behind them are asked.

#![no_main]

use libfuzzer_sys::fuzz_target;
use secrule::Waf;
use secrule::internals::source::Memory;
use secrule_fuzz::draw::Draw;
use secrule_fuzz::request::Request;
use secrule_fuzz::script::draw_script;
use std::time::{Duration, Instant};

const RULES: &str = r#"
SecRuleEngine DetectionOnly
SecRequestBodyAccess On
SecLuaTimeLimit 40
SecLuaMemoryLimit 4000000
SecLuaInstructionLimit 200000
SecRuleScript a.lua "id:1,phase:1,pass,log"
SecRule ARGS|REQUEST_URI "@inspectFile b.lua" "id:2,phase:2,pass,log,t:lowercase"
SecRule REQUEST_METHOD "@unconditionalMatch" "id:3,phase:2,pass,log,exec:a.lua"
SecRule REQUEST_METHOD "@unconditionalMatch" "id:4,phase:5,pass,log"
"#;

/// For each call of a script the limit, and what a busy machine adds.
const WAIT_LIMIT: Duration = Duration::from_secs(8);

fuzz_target!(|data: &[u8]| {
    let mut draw = Draw::new(data);
    let (one, other) = (draw_script(&mut draw), draw_script(&mut draw));
    let request = Request::draw(&mut draw);
    let files = Memory::new().with("a.lua", one.as_str()).with("b.lua", other.as_str());
    let waf = match Waf::builder().without_logs().rules("rules", RULES).build_with(&files) {
        Ok(waf) => waf,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let begin = Instant::now();
    let (transaction, _) = request.lead(waf.transaction());
    let took = begin.elapsed();
    assert!(took < WAIT_LIMIT, "{took:?}\n{one}\n{other}");
    let ids: Vec<_> = transaction.rule_matches().iter().map(|found| found.id).collect();
    assert!(ids.contains(&3) && ids.contains(&4), "{ids:?}\n{one}\n{other}");
    for failure in transaction.script_failures() {
        assert!(!failure.reason.is_empty() || !failure.stopped, "{one}\n{other}");
    }
});
