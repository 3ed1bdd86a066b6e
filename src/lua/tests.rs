use super::*;
use std::time::{Duration, Instant};

const LIMITS: Limits = Limits { instructions: 10_000_000, time: Duration::from_millis(500), memory: 16 << 20 };

/// Knows the variable `name`, and what it was told.
#[derive(Default)]
struct Sample {
    told: Vec<(i64, Vec<u8>)>,
    set: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Host for Sample {
    fn answer(&mut self, question: Question<'_>, _: &Budget) -> Reply<'_> {
        match question {
            Question::Log(level, text) => self.told.push((level, text.to_vec())),
            Question::Variable(b"name", steps) => return Reply::Text([b"Ann ", steps].concat().into()),
            Question::Variables(..) => return Reply::Pairs(vec![(b"ARGS:a".to_vec(), b"1".to_vec()), (b"ARGS:b".to_vec(), b"2".to_vec())]),
            Question::SetVariable(name, value) => self.set.push((name.to_vec(), value.to_vec())),
            _ => {}
        }
        Reply::Nothing
    }
}

fn run_with(text: &str, sandboxed: bool, limits: Limits, host: &mut Sample) -> Result<Returned, Failure> {
    let script = Script::new("a.lua", text.into()).unwrap();
    run(&Call { script: &script, world: World::Rule { argument: Some(b"given") }, sandboxed, limits }, host)
}

/// What `main` with this body returns in the sandbox, as text.
#[track_caller]
fn value(body: &str) -> String {
    match run_with(&format!("function main(given)\n{body}\nend"), true, LIMITS, &mut Sample::default()) {
        Ok(Returned::Text(text) | Returned::Number(_, text)) => String::from_utf8(text).unwrap(),
        Ok(Returned::Other(kind)) => kind,
        Err(failure) => format!("failure: {failure}"),
    }
}

#[test]
fn what_main_returns_is_given() {
    assert_eq!(value("return 'a' .. given"), "agiven");
    assert_eq!(value("return 1.5"), "1.5");
    assert_eq!(value("return true"), "boolean");
    assert_eq!(value(""), "nil");
    assert_eq!(value("return m.getvar('name', {'lowercase', 'trim'})"), "Ann lowercase,trim");
    assert_eq!(value("return tostring(m.getvar('other'))"), "nil");
    assert_eq!(value("local t = m.getvars('ARGS') return #t .. t[1].name .. t[2].value"), "2ARGS:a2");
}

#[test]
fn errors_name_the_line() {
    assert_eq!(value("error('no')"), "failure: a.lua:2: no");
    assert_eq!(value("return nothing.here"), "failure: a.lua:2: attempt to index global 'nothing' (a nil value)");
    assert_eq!(value("m.getvar()"), "failure: a.lua:2: bad argument #1 to 'getvar' (string expected, got no value)");
    assert_eq!(value("local at = ('x'):find('[')"), "failure: a.lua:2: malformed pattern (missing ']')");
    assert_eq!(value("return ('x'):find('[')"), "failure: malformed pattern (missing ']')");
    assert!(value("error({})").starts_with("failure: "));
    assert_eq!(run_with("local x = 1", true, LIMITS, &mut Sample::default()), Err(Failure::Script("it has no function `main`".into())));
}

#[test]
fn a_call_sees_nothing_of_those_before_it() {
    let spoil = "
        leak = 1; string.find = nil; table.leak = 1; m.leak = 1; math.floor = nil
        function string.shout(s) return s:upper() end
        assert(('a'):shout() == 'A')
        loadstring('other_leak = 1')()
        pcall(function() getmetatable('').__index = nil end)
        pcall(setmetatable, _G, { __index = function() return 'leak' end })
        pcall(function() getfenv(pcall).leak = 1; getfenv(m.log).leak = 1; setfenv(pcall, {}) end)
        coroutine.wrap(function() coroutine_leak = 1; getfenv(0).leak = 2 end)()";
    assert_eq!(value(spoil), "nil");
    let look = "return tostring(leak) .. tostring(other_leak) .. tostring(coroutine_leak) .. tostring(table.leak) .. tostring(m.leak)
        .. tostring(('a').shout) .. ('ab'):find('b') .. math.floor(1.5) .. tostring(getfenv(pcall).leak) .. tostring(getmetatable(_G))";
    assert_eq!(value(look), "nilnilnilnilnilnil21nilfalse");
}

#[test]
fn idioms_of_lua_5_1_work() {
    assert_eq!(value("return select('#', unpack({1, 2, 3}))"), "3");
    assert_eq!(value("local f = function() return x end setfenv(f, {x = 7}) return f()"), "7");
    assert_eq!(value("x = 3 return getfenv(1).x + getfenv().x"), "6");
    assert_eq!(value("setfenv(1, {y = 5}) return y"), "5");
    assert_eq!(value("return loadstring('return 1 + 1')()"), "2");
    assert_eq!(value("local n = 0 for w in string.gfind('a b', '%a') do n = n + 1 end return n"), "2");
    assert_eq!(value("return table.getn({1, 2})"), "2");
    assert_eq!(value("return #arg",), "failure: a.lua:2: attempt to get length of global 'arg' (a nil value)");
    assert_eq!(
        value(
            "local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) return b end)
        local _, one = coroutine.resume(co, 1) local _, two = coroutine.resume(co, 'x') return one .. two"
        ),
        "2x"
    );
    assert_eq!(value("local ok, why = pcall(error, {code = 4}) return why.code"), "4");
    assert_eq!(value("return tostring(xpcall(function() error('a', 0) end, function(e) return e .. 'b' end))"), "false");
    assert_eq!(value("return _VERSION .. tostring(_G._G == _G)"), "Lua 5.1true");
    assert_eq!(value("local t = {3, 1, 2} table.sort(t) return table.concat(t)"), "123");
    assert_eq!(value("local t = {3, 1, 2} table.sort(t, function(a, b) return a > b end) return table.concat(t)"), "321");
}

#[test]
fn the_sandbox_takes_away_what_reaches_beyond() {
    let left = "return tostring(io) .. tostring(os.execute) .. tostring(os.remove) .. tostring(os.getenv) .. tostring(require)
        .. tostring(dofile) .. tostring(loadfile) .. tostring(string.dump) .. tostring(debug) .. tostring(ffi) .. tostring(jit)
        .. tostring(newproxy) .. tostring(package)";
    assert_eq!(value(left), "nil".repeat(13));
    assert_eq!(value("return tostring(loadstring('\\27LJ'))"), "nil");
    let outside = run_with(
        "function main() return type(io.open) .. type(os.execute) .. type(require) .. tostring(debug) end",
        false,
        LIMITS,
        &mut Sample::default(),
    );
    assert_eq!(outside, Ok(Returned::Text(b"functionfunctionfunctionnil".to_vec())));
}

#[test]
fn what_never_ends_is_stopped() {
    let hostile = [
        ("a loop", "while true do end"),
        ("a loop that catches", "while true do pcall(function() while true do end end) end"),
        ("a handler that loops", "xpcall(function() error('a') end, function() while true do end end)"),
        ("a coroutine", "coroutine.wrap(function() while true do end end)()"),
        (
            "a coroutine that is resumed",
            "local co = coroutine.create(function() while true do end end) while true do coroutine.resume(co) end",
        ),
        ("coroutines without end", "while true do coroutine.wrap(function() coroutine.yield() end)() end"),
        ("recursion", "local function f() return f() end f()"),
        ("a pattern", "return (('a'):rep(100000)):find(('a*'):rep(20) .. 'b')"),
        ("a pattern that catches", "while true do pcall(string.find, ('a'):rep(100000), ('a*'):rep(20) .. 'b') end"),
        ("gsub", "while true do ('a'):rep(10000):gsub('a', 'b') end"),
        ("sorting", "local t = {} for i = 1, 200000 do t[i] = -i end while true do table.sort(t) end"),
        ("moving", "local t = {} for i = 1, 200000 do t[i] = i end while true do table.insert(t, 1, 0) table.remove(t, 1) end"),
        ("comparing", "local a = ('a'):rep(3000000) local b = a .. 'b' a = a .. 'a' while true do local _ = a < b end"),
        ("joining", "local a = ('a'):rep(1000000) while true do local b = a .. 'b' end"),
        ("reversing", "local a = ('a'):rep(1000000) while true do a = a:reverse() end"),
        ("asking", "while true do m.getvar('name') end"),
        ("telling", "while true do print('a') end"),
    ];
    for (what, body) in hostile {
        let began = Instant::now();
        let text = format!("function main() {body} end");
        let result = run_with(&text, true, Limits { time: Duration::from_millis(200), ..LIMITS }, &mut Sample::default());
        let took = began.elapsed();
        println!("{what}: {took:?} {result:?}");
        assert!(matches!(result, Err(Failure::Over(_))), "{what}: {result:?}");
        assert!(took < Duration::from_millis(600), "{what} took {took:?}");
    }
}

#[test]
fn memory_has_an_end() {
    for (what, body) in [
        ("a string of a gigabyte", "return #('a'):rep(2^30)"),
        ("a string that doubles", "local a = 'a' while true do a = a .. a end"),
        ("a table", "local t = {} while true do t[#t + 1] = {} end"),
        ("a text put together", "local t = {} for i = 1, 100 do t[i] = ('a'):rep(1000000) end return #table.concat(t)"),
        ("gsub", "return #(('a'):rep(1000000)):gsub('a', ('b'):rep(1000))"),
        ("captures", "local t = {} for w in (('a'):rep(4000000)):gmatch('.') do t[#t + 1] = w .. #t end"),
    ] {
        let patient = Limits { time: Duration::from_secs(20), instructions: 1 << 40, ..LIMITS };
        let result = run_with(&format!("function main() {body} end"), true, patient, &mut Sample::default());
        assert_eq!(result, Err(Failure::Over(Excess::Memory)), "{what}");
    }
    assert_eq!(value("local s = ('a'):rep(2^20) return #s"), "1048576");
    assert_eq!(value("return ('') :rep(2^30)"), "");
}

#[test]
fn recursion_has_an_end() {
    assert!(value("local function f() return 1 + f() end return f()").contains("stack overflow"));
    let written =
        "local s = setmetatable({}, {}) getmetatable(s).__tostring = function() return '' .. tostring(s) end return '' .. tostring(s)";
    assert!(value(written).contains("overflow"));
    assert!(value("local function f(s) return (s:gsub('.', f)) end return f('a')").contains("overflow"));
    assert!(value("return ('a'):rep(300):find(('(a'):rep(30) .. (')'):rep(30))").starts_with('1'));
    for nested in [
        "local function f() return coroutine.wrap(f)() end return f()",
        "local function f() return (coroutine.wrap(function() return f() end)()) end return f()",
        "local function f() table.sort({2, 1}, function() f() return true end) end return f()",
        "local function f() table.sort({2, 1}, function() coroutine.wrap(f)() return true end) end return f()",
        "local function f() pcall(f) f() end return f()",
        "local function f() xpcall(f, f) f() end return f()",
        "local function f() assert(load(function() return f() end))() end return f()",
    ] {
        let answer = value(nested);
        assert!(answer.contains("overflow") || answer.contains("stopped"), "{nested}: {answer}");
    }
}

#[test]
fn the_process_goes_on() {
    assert!(value("os.exit(1)").contains("os.exit ends nothing here"));
    assert_eq!(value("return tostring(os.setlocale)"), "nil");
    assert_eq!(value("collectgarbage('stop') return type(collectgarbage('count'))"), "number");
}

/// Patterns with what Lua 5.1 answers.
#[test]
fn patterns_answer_as_in_lua() {
    for (expression, expected) in [
        ("('hello world'):find('o w')", "5 7"),
        ("('hello'):find('l')", "3 3"),
        ("('hello'):find('l', -2)", "4 4"),
        ("('hello'):find('', 10)", "6 5"),
        ("('a.b'):find('.', 1, true)", "2 2"),
        ("('a+b'):find('+', 1, true)", "2 2"),
        ("('hello'):find('(l)(l)')", "3 4 l l"),
        ("('hello'):find('()ll()')", "3 4 3 5"),
        ("('hello'):match('^h(.-)o$')", "ell"),
        ("('key = value'):match('^(%w+)%s*=%s*(%w+)$')", "key value"),
        ("('  x  '):match('^%s*(.-)%s*$')", "x"),
        ("('2024-01-02'):match('(%d+)-(%d+)-(%d+)')", "2024 01 02"),
        ("('THE (quick) fox'):find('%((%a+)%)')", "5 11 quick"),
        ("('f(a(b)c)d'):match('%b()')", "(a(b)c)"),
        ("('THE (quick) fox'):gsub('%f[%a]%a+', 'x')", "x (x) x 3"),
        ("('hello'):gsub('l', 'L', 1)", "heLlo 1"),
        ("('hello world'):gsub('(%w+) (%w+)', '%2 %1')", "world hello 1"),
        ("('abc'):gsub('', '-')", "-a-b-c- 4"),
        ("('abc'):gsub('%w', '%0%0')", "aabbcc 3"),
        ("('abc'):gsub('%w', '%1%%')", "a%b%c% 3"),
        ("('hello'):gsub('^h', 'j')", "jello 1"),
        ("('hhh'):gsub('^h', 'j')", "jhh 1"),
        ("('$name is $x'):gsub('%$(%w+)', {name = 'Ann'})", "Ann is $x 2"),
        ("('abc'):gsub('.', function(c) return c == 'b' and '-' or nil end)", "a-c 3"),
        ("('abc'):gsub('(a)(b)', function(x, y) return y .. x end)", "bac 1"),
        ("('hhh'):gsub('^h', function() return 'j' end)", "jhh 1"),
        ("('abc'):gsub('', function() return '-' end)", "-a-b-c- 4"),
        ("('abc'):gsub('x*', '-')", "-a-b-c- 4"),
        ("('aXb'):find('[%u]')", "2 2"),
        ("('a]b'):find('[]]')", "2 2"),
        ("('a-b'):find('[a-]', 2)", "2 2"),
        ("('a^b'):find('[b^]')", "2 2"),
        ("('abc'):find('[^a-b]')", "3 3"),
        ("('aaab'):find('a-b')", "1 4"),
        ("('aaa'):find('a-', 2)", "2 1"),
        ("('ab'):find('a?b?c?')", "1 2"),
        ("('abab'):find('(ab)%1')", "1 4 ab"),
        ("('a\\0b'):find('%z')", "2 2"),
        ("('a.b'):find('%.')", "2 2"),
        ("('a$b'):find('$b')", "2 3"),
        ("('x^y'):find('x^y')", "1 3"),
        ("('abc'):match('.-')", ""),
        ("('abc'):match('()', 2)", "2"),
        ("string.rep(12, 2)", "1212"),
    ] {
        let body = format!(
            "local function list(...) local t = {{...}} for i = 1, select('#', ...) do t[i] = tostring(t[i]) end return table.concat(t, ' ') end\n\
             return list({expression})"
        );
        assert_eq!(value(&body), expected, "{expression}");
    }
    let words = "local t = {} for k, v in ('a=1, b=2'):gmatch('(%w+)=(%w+)') do t[#t + 1] = k .. v end return table.concat(t, ' ')";
    assert_eq!(value(words), "a1 b2");
    assert_eq!(value("local n = 0 for _ in ('abc'):gmatch('') do n = n + 1 end return n"), "4");
    for (pattern, message) in [
        ("%", "malformed pattern (ends with '%')"),
        ("[a", "malformed pattern (missing ']')"),
        ("(a", "unfinished capture"),
        ("a)", "invalid pattern capture"),
        ("%1", "invalid capture index"),
        ("%f", "missing '[' after '%f' in pattern"),
        ("%b", "unbalanced pattern"),
    ] {
        let failure = value(&format!("return ('a'):match('{pattern}')"));
        assert!(failure.ends_with(message), "{pattern}: {failure}");
    }
}

#[test]
fn a_thousand_errors_leave_nothing_behind() {
    let script = Script::new("a.lua", b"x = ('a'):rep(100000) function main() error({x}) end".to_vec()).unwrap();
    let call = Call { script: &script, world: World::Rule { argument: None }, sandboxed: true, limits: LIMITS };
    for _ in 0..1000 {
        assert!(matches!(run(&call, &mut Sample::default()), Err(Failure::Script(_))));
    }
    assert_eq!(value("return collectgarbage('count') < 2048 and 'little'"), "little");
}

#[test]
#[ignore = "a measurement: cargo test --release --lib lua::tests::what_a_call_costs -- --ignored --nocapture"]
fn what_a_call_costs() {
    for text in [
        "function main() end",
        "function main() m.getvar('name') end",
        "function main()\nlocal v = m.getvar('name')\nm.setvar('tx.seen', v)\nend",
    ] {
        let script = Script::new("a.lua", text.into()).unwrap();
        let call = Call { script: &script, world: World::Rule { argument: None }, sandboxed: false, limits: LIMITS };
        for _ in 0..3 {
            let began = Instant::now();
            for _ in 0..100_000 {
                run(&call, &mut Sample::default()).unwrap();
            }
            println!("{:?} a call", began.elapsed() / 100_000);
        }
    }
}
