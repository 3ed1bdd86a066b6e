//! Scripts that exceed their limits are stopped, on two threads at once, and leave nothing in the state.

#![cfg(all(feature = "lua", target_os = "linux"))]

use secrule_testkit::exchange::{Request, Rules};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

const LIMITS: &str = "SecLuaTimeLimit 100\nSecLuaMemoryLimit 8000000\nSecLuaInstructionLimit 50000000\n";

/// Memory is that of the process, so one test runs at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Additional time that a call may take beyond its limit on a busy machine.
const SLACK: Duration = Duration::from_millis(900);

#[test]
fn what_misbehaves_is_stopped_on_two_threads() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let scripts = [
        ("an endless loop", "while true do end"),
        ("an endless loop that catches", "while true do pcall(function() while true do end end) end"),
        ("an endless allocation", "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end"),
        ("deep recursion", "local function f() return 1 + f() end while true do pcall(f) end"),
        ("a string of 1 GB", "return ('x'):rep(2 ^ 30)"),
        ("a coroutine that never ends", "coroutine.wrap(function() while true do end end)()"),
        (
            "a coroutine that yields for ever",
            "local c = coroutine.wrap(function() while true do coroutine.yield() end end) while true do c() end",
        ),
        ("a hostile pattern", "return (('a'):rep(50000)):find(('a*'):rep(30) .. 'b')"),
        ("transformations that double", "return m.getvar('REQUEST_METHOD', ('hexEncode,'):rep(60))"),
        ("transformations without end", "local long = ('lowercase,'):rep(900) while true do m.getvar('REQUEST_METHOD', long) end"),
        ("variables without end", "local n = 0 while true do n = n + 1 m.setvar('tx.v' .. n, ('x'):rep(1000)) end"),
    ];
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for (what, body) in scripts {
                    let script = format!("function main() {body} end");
                    let rules = Rules::at_level(2, &format!("{LIMITS}SecRuleScript a.lua \"id:1,phase:1,deny\""), &[("a.lua", &script)]);
                    let began = Instant::now();
                    let judged = rules.judge(Request::default());
                    let took = began.elapsed();
                    assert!(took < Duration::from_millis(100) + SLACK, "{what} took {took:?}");
                    let [failure] = judged.transaction.script_failures() else { panic!("{what}") };
                    assert!(failure.stopped, "{what}: {failure:?}");
                    assert_eq!((judged.status(), judged.tx("MSC_LUA_LIMITS_EXCEEDED").as_deref()), (None, Some("1")), "{what}");
                    assert!(rules.said().iter().any(|said| said.contains("it was stopped: it took more")), "{what}");
                }
            });
        }
    });
}

#[test]
fn what_would_end_the_process_or_carry_no_text_is_an_error() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for (body, reason) in [
        ("os.exit(1)", "os.exit ends nothing here"),
        ("error({})", ""),
        ("error()", ""),
        ("error(setmetatable({}, {__tostring = error}))", ""),
    ] {
        let script = format!("function main() {body} end");
        let rules = Rules::new("SecRuleScript a.lua \"id:1,phase:1,deny\"", &[("a.lua", &script)]);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let judged = rules.judge(Request::default());
                    assert!(judged.transaction.script_failures()[0].reason.contains(reason), "{body}");
                    assert_eq!(judged.status(), None);
                });
            }
        });
    }
}

#[test]
fn a_limit_is_a_setting_and_rules_see_when_it_was_reached() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let loops = "function main() for i = 1, 100000 do end return 'done' end";
    let judge = |settings: &str| {
        let rules = format!(
            "{settings}\nSecRuleScript a.lua \"id:1,phase:1,deny,status:401\"\nSecRule TX:MSC_LUA_LIMITS_EXCEEDED \"@eq 1\" \"id:2,phase:1,deny,status:503\""
        );
        Rules::new(&rules, &[("a.lua", loops)]).judge(Request::default()).status()
    };
    assert_eq!(judge(""), Some(401));
    assert_eq!(judge("SecLuaInstructionLimit 10000"), Some(503));
    assert_eq!(judge("SecLuaTimeLimit 0"), Some(503));
}

#[test]
fn a_thousand_errors_in_a_row_leave_the_engine_as_it_was() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let scripts = [
        ("bad.lua", "junk = ('x'):rep(50000) function main() m.setvar('tx.a', 1) error({junk}) end"),
        ("good.lua", "function main() return junk and 'leak' or 'fine' end"),
    ];
    let rules =
        Rules::at_level(0, "SecAction \"id:1,phase:1,pass,nolog,exec:bad.lua\"\nSecRuleScript good.lua \"id:2,phase:1,deny\"", &scripts);
    let run = |times| (0..times).for_each(|_| assert_eq!(rules.judge(Request::default()).transaction.rule_matches()[0].message(), "fine"));
    run(200);
    let before = memory();
    run(1000);
    let after = memory();
    println!("{before} kB before a thousand errors, {after} kB after");
    assert!(after < before + 2048, "from {before} kB to {after} kB");
}

#[test]
fn no_request_sees_what_another_wrote_and_memory_stays_flat() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let times = std::env::var("SECRULE_REQUESTS").ok().and_then(|number| number.parse().ok()).unwrap_or(50_000);
    let script = "function main()\n\
                    if seen or string.seen or table.seen or m.seen or getfenv(0).other then return 'leak' end\n\
                    seen, string.seen, table.seen, m.seen = true, true, true, true\n\
                    getfenv(0).other = m.getvar('REQUEST_URI')\n\
                    m.setvar('tx.uri', (m.getvar('REQUEST_URI'):gsub('%d', '#')))\n\
                  end";
    let rules = Rules::at_level(0, "SecRuleScript a.lua \"id:1,phase:1,deny\"", &[("a.lua", script)]);
    let run = |times: u32| {
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for number in 0..times {
                        let mut transaction = rules.waf.transaction();
                        let _ = transaction.process_uri(format!("/{number}").as_bytes(), b"GET", b"1.1");
                        let verdict = transaction.process_request_headers();
                        assert!(!verdict.is_intervention(), "request {number} saw what another wrote");
                        assert_eq!(transaction.tx("uri").unwrap(), format!("/{}", "#".repeat(number.to_string().len())));
                    }
                });
            }
        });
    };
    run(times / 5);
    let before = memory();
    run(times);
    let after = memory();
    println!("2 x {times} requests: {before} kB before, {after} kB after");
    assert!(after < before + 2048, "from {before} kB to {after} kB");
}

/// Returns the memory of the process, in kB.
fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}
