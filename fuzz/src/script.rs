//! Lua scripts of rules: most do something that a rule may want, and some do their worst.

use crate::draw::Draw;
use crate::words::{NAMES, SOUGHT};
use std::fmt::Write as _;

const VALUES: &[&str] = &[
    "1",
    "0",
    "-1",
    "nil",
    "true",
    "{}",
    "2^53",
    "0/0",
    "1e308*10",
    "'ab'",
    "('x'):rep(50)",
    "x",
    "y",
    "m.getvar('ARGS.a')",
    "m.getvar('ARGS:a', 't:lowercase')",
    "m.getvar('REQUEST_URI', {'lowercase', 'none'})",
    "m.getvar('TX.a')",
    "m.getvar(x)",
    "m.getvars('ARGS')",
    "m.getvars('REQUEST_HEADERS', 'urlDecodeUni')",
    "m.getvars(y)",
    "select('#', x, y)",
    "tostring(x)",
    "tonumber(y)",
    "#tostring(x)",
    "os.time()",
    "os.clock()",
    "math.random(3)",
    "string.format('%q %s %d', tostring(x), tostring(y), 3)",
    "tostring(x):upper()",
    "tostring(x):byte(1, -1)",
    "tostring(y):gsub('.', '%0%0')",
    "tostring(x):find('(a*)*b')",
    "tostring(x):match('[%w_]+')",
    "string.dump",
    "getfenv",
    "debug",
    "io",
    "package",
    "ffi",
    "_G",
];

const WORST: &[&str] = &[
    "while true do end",
    "local t = {} while true do t[#t + 1] = ('x'):rep(1000) end",
    "x = ('x'):rep(2 ^ 30)",
    "local function f() return 1 + f() end f()",
    "local function f() return f() end f()",
    "error({})",
    "error('no')",
    "error()",
    "error(setmetatable({}, {__tostring = error}))",
    "coroutine.wrap(function() while true do end end)()",
    "local c = coroutine.wrap(function() while true do coroutine.yield() end end) for i = 1, 9 do c() end",
    "pcall(function() while true do end end)",
    "x = (('a'):rep(5000)):find(('a*'):rep(20) .. 'b')",
    "for i = 1, 1e9 do m.setvar('tx.v' .. i, 'x') end",
    "m.log(1, ('x'):rep(100000))",
    "os.exit(1)",
    "x = setmetatable({}, {__index = function(t, k) return t[k + 1] end})[1]",
    "x = setmetatable({}, {__gc = function() while true do end end}) x = nil collectgarbage()",
    "table.sort({3, 2, 1, 5, 4}, function() return true end)",
    "string.rep = error",
    "m = nil",
    "_G.main = nil",
    "setmetatable(_G, {__index = error})",
    "x = loadstring('return 1')()",
    "x = string.dump(main)",
    "require('os')",
    "dofile('/etc/hostname')",
    "x = string.format('%99999d', 1)",
    "x = table.concat({1, {}, 2})",
    "x = ('x'):rep(-1)",
    "print(x, y)",
    "goto out do x = 1 end ::out::",
];

/// The text of a script that the bytes choose.
pub fn draw_script(draw: &mut Draw<'_>) -> String {
    let mut text = String::from("function main()\nlocal x, y = 1, 'ab'\n");
    for _ in 0..draw.between(0, 6) {
        text.push_str(&statement(draw, 3));
        text.push('\n');
    }
    let _ = write!(text, "return {}\nend\n", draw.pick(VALUES));
    if draw.one_in(8) {
        let end = draw.below(text.len());
        text.truncate(text.floor_char_boundary(end));
    }
    text
}

fn statement(draw: &mut Draw<'_>, depth: usize) -> String {
    let value = draw.pick(VALUES);
    let deeper = depth > 0;
    match draw.below(14) {
        0 | 1 => format!("x = {value}"),
        2 => format!("y = {value}"),
        3 => format!("m.setvar('tx.{}', {value})", draw.pick(NAMES)),
        4 => format!("m.log({}, {value})", draw.below(10)),
        5 => format!("x = tostring(x) .. tostring({value}) .. '{}'", draw.pick(SOUGHT).replace(['\'', '\\'], "")),
        6 if deeper => format!("if {value} then {} else {} end", statement(draw, depth - 1), statement(draw, depth - 1)),
        7 if deeper => format!("for i = 1, {} do {} end", draw.between(0, 300), statement(draw, depth - 1)),
        8 if deeper => format!("for k, v in pairs({value}) do {} end", statement(draw, depth - 1)),
        9 if deeper => format!("x, y = pcall(function() {} end)", statement(draw, depth - 1)),
        10 if deeper => {
            format!("local function f(n) {} if n > 0 then return f(n - 1) end end f({})", statement(draw, depth - 1), draw.below(300))
        }
        11 if deeper => format!("coroutine.wrap(function() {} end)()", statement(draw, depth - 1)),
        12 => draw.pick(WORST).to_owned(),
        _ => format!("y = {value}"),
    }
}
