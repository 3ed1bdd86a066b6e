//! Modules that scripts may require, and their functions without a network.

use crate::lua::tests::{LIMITS, Sample, run_with};
use crate::lua::{Excess, Failure, Limits, Returned};
use std::time::{Duration, Instant};

/// Returns the result of `main` with this body outside of the sandbox, or its error.
#[track_caller]
fn value(body: &str) -> String {
    match run_with(&format!("function main(given)\n{body}\nend"), false, LIMITS, &mut Sample::default()) {
        Ok(Returned::Text(text) | Returned::Number(_, text)) => String::from_utf8(text).unwrap(),
        Ok(other) => format!("{other:?}"),
        Err(failure) => format!("failure: {failure}"),
    }
}

/// Returns the same in the sandbox.
fn sandboxed(body: &str) -> String {
    match run_with(&format!("function main()\n{body}\nend"), true, LIMITS, &mut Sample::default()) {
        Ok(Returned::Text(text)) => String::from_utf8(text).unwrap(),
        other => format!("{other:?}"),
    }
}

/// A folder of modules for one test.
fn folder(name: &str, files: &[(&str, &str)]) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("secrule-lua-{name}-{}", std::process::id()));
    for (path, text) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

#[test]
fn libraries_that_are_there_can_be_required() {
    for name in ["string", "table", "math", "os", "io", "coroutine", "bit", "package", "m", "_G"] {
        assert_eq!(value(&format!("return tostring(require '{name}' == ({name} or nil))")), "true", "{name}");
    }
    assert_eq!(value("return require('string').rep('a', 2) .. tostring(package.loaded.math == math)"), "aatrue");
    for name in ["string", "table", "math", "os", "coroutine", "bit"] {
        assert_eq!(sandboxed(&format!("return tostring(require '{name}' == {name})")), "true", "{name}");
    }
    assert_eq!(sandboxed("return tostring(require('os').execute) .. tostring(package)"), "nilnil");
    for name in ["io", "debug", "package", "socket", "cjson", "zlib", "ffi", "jit"] {
        let refused = sandboxed(&format!("return select(2, pcall(require, '{name}'))"));
        assert!(refused.ends_with(&format!("module '{name}' not found: SecLuaSandbox leaves standard libraries only")), "{refused}");
    }
}

#[test]
fn modules_are_files_and_folders_of_the_path() {
    let files = [
        ("one.lua", "return {name = ..., count = 1}"),
        ("folder/init.lua", "return {name = ...}"),
        ("folder/inner.lua", "return {name = ...}"),
        ("old.lua", "module('old', package.seeall) function shout(s) return s:upper() .. type(pairs) end"),
        ("none.lua", "seen = (seen or 0) + 1"),
        ("wrong.lua", "return +"),
        ("loops.lua", "return require 'loops'"),
    ];
    let folder = folder("path", &files);
    let path = format!("package.path = '{0}/?.lua;{0}/?/init.lua'\n", folder.display());
    for (body, expected) in [
        ("local one = require 'one' one.count = 2 return one.name .. require('one').count", "one2"),
        ("return require('one').count", "1"),
        ("return require('folder').name .. require('folder.inner').name", "folderfolder.inner"),
        ("require 'old' return old.shout('a') .. old._NAME .. tostring(old == package.loaded.old)", "Afunctionoldtrue"),
        ("require 'none' require 'none' return seen .. tostring(require 'none')", "1true"),
        ("return package.searchpath('folder', package.path):match('[^/]+/[^/]+$')", "folder/init.lua"),
        ("package.preload.mine = function(name) return name .. '!' end return require 'mine'", "mine!"),
        ("table.insert(package.loaders, 1, function(name) return function() return 'own ' .. name end end) return require 'x'", "own x"),
        ("package.loaded.given = 'set' return require 'given'", "set"),
    ] {
        assert_eq!(value(&format!("{path}{body}")), expected, "{body}");
    }
    let missing = value(&format!("{path}require 'absent.part'"));
    let places = format!(
        "module 'absent.part' not found: no field package.preload['absent.part'] no file '{0}/absent/part.lua' no file '{0}/absent/part/init.lua'",
        folder.display()
    );
    assert!(missing.contains(&places), "{missing}");
    assert!(missing.starts_with("failure: a.lua:3: "), "{missing}");
    let wrong = value(&format!("{path}require 'wrong'"));
    assert!(wrong.contains("error loading module 'wrong' from file") && wrong.contains("wrong.lua:1:"), "{wrong}");
    assert!(value(&format!("{path}require 'loops'")).contains("loop or previous error loading module 'loops'"));
    assert!(value("return package.path").contains("?/init.lua"));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn modules_of_the_host_stand_before_files_and_belong_to_the_call() {
    let folder = folder("before", &[("socket.lua", "error('a library in C is needed')"), ("cjson.lua", "error('likewise')")]);
    let path = format!("package.path = '{}/?.lua'\n", folder.display());
    for (body, expected) in [
        ("return type(require('socket').tcp)", "function"),
        ("require('cjson').leak = 1 return tostring(cjson.leak)", "1"),
        ("return tostring(require('cjson').leak)", "nil"),
        ("return tostring(cjson) .. tostring(zlib) .. tostring(socket)", "nilnilnil"),
        ("require 'zlib' require 'socket' return type(zlib) .. type(socket)", "tablenil"),
        ("return tostring(getfenv(require('cjson').decode) == _G) .. tostring(pcall(setfenv, require('cjson').decode, {}))", "truefalse"),
        (
            "return type(require 'socket.unix'()) .. type(require('socket.http').request) .. type(require('ltn12').pump.all)",
            "tablefunctionfunction",
        ),
    ] {
        assert_eq!(value(&format!("{path}{body}")), expected, "{body}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn every_module_that_is_named_is_there() {
    for name in crate::script::BUILT_IN {
        assert_eq!(value(&format!("return type(require '{name}')")), "table", "{name}");
    }
    assert_eq!(super::names().count(), crate::script::BUILT_IN.len());
}

#[test]
fn json_becomes_values_and_back() {
    for (body, expected) in [
        (
            r#"local v = cjson.decode('{"a":[1,2.5,{"b":"\\u00e9"}],"n":null,"t":true}') return v.a[1] + v.a[2] .. v.a[3].b .. tostring(v.n == cjson.null) .. tostring(v.t)"#,
            "3.5étruetrue",
        ),
        (r#"return cjson.encode({1, 'a"\n', true, {}, cjson.null})"#, r#"[1,"a\"\n",true,{},null]"#),
        ("return cjson.encode({name = 0.5})", r#"{"name":0.5}"#),
        ("return cjson.encode({[1] = 'a', [3] = 'c'})", r#"["a",null,"c"]"#),
        ("return cjson.encode({[5.5] = 1})", r#"{"5.5":1}"#),
        ("return cjson.encode(1e15)", "1000000000000000"),
        ("return select(2, pcall(cjson.decode, '[1,')):match('EOF') or 'none'", "EOF"),
        ("return select(2, pcall(cjson.decode, '1 2')):match('trailing') or 'none'", "trailing"),
        ("return select(2, pcall(cjson.decode, ('['):rep(200))):match('recursion') or 'none'", "recursion"),
        ("local t = {} t[1] = t return select(2, pcall(cjson.encode, t)):match('excessive depth')", "excessive depth"),
        ("return select(2, pcall(cjson.encode, {print})):match('function: type not supported')", "function: type not supported"),
        ("return select(2, pcall(cjson.encode, 0/0)):match('NaN')", "NaN"),
        ("return select(2, pcall(cjson.encode, {[1000000] = 1})):match('sparse')", "sparse"),
        (
            "local safe = require 'cjson.safe' local v, why = safe.decode('{') return tostring(v) .. type(why) .. safe.encode({1})",
            "nilstring[1]",
        ),
        ("return require('json').encode({2})", "[2]"),
    ] {
        assert_eq!(value(&format!("local cjson = require 'cjson' {body}")), expected, "{body}");
    }
    for body in [
        "local long = '[' .. ('0,'):rep(2e6) .. '0]' return #cjson.decode(long)",
        "local t = {} for i = 1, 1e5 do t[i] = {} end while true do cjson.encode(t) end",
        "local long = '\"' .. ('x'):rep(4e6) .. '\"' while true do cjson.decode(long) end",
    ] {
        let began = Instant::now();
        let failure = value(&format!("local cjson = require 'cjson' {body}"));
        assert!(failure.contains("it was stopped"), "{body}: {failure}");
        assert!(began.elapsed() < Duration::from_millis(1000), "{body} took {:?}", began.elapsed());
    }
}

#[test]
fn compressed_texts_are_read_and_written() {
    for (body, expected) in [
        ("local f = zlib.deflate() return zlib.inflate()(f(('ab'):rep(50000), 'finish')) == ('ab'):rep(50000) and 'same'", "same"),
        ("local out = zlib.deflate(9, 31)('hello', 'finish') return out:byte(1) .. ' ' .. zlib.inflate()(out)", "31 hello"),
        ("local out = zlib.deflate(1, -15)('hello', 'finish') return (zlib.inflate(-15)(out))", "hello"),
        (
            "local out = zlib.deflate(9, 31)(('x'):rep(1000), 'finish') local f, t, ended = zlib.inflate(), {}, nil
          for i = 1, #out do t[i], ended = f(out:sub(i, i)) end return #table.concat(t) .. tostring(ended)",
            "1000true",
        ),
        (
            "local out = zlib.deflate()('hello', 'finish') local _, ended, read, written = zlib.inflate()(out .. 'more') return tostring(ended) .. read - #out .. written",
            "true05",
        ),
        ("return tostring(pcall(zlib.inflate(), 'hello'))", "false"),
        ("return tostring(pcall(zlib.inflate(), '\\31\\139hello world'))", "false"),
        (
            "local out = zlib.deflate(9, 31)('hello', 'finish') return tostring(pcall(zlib.inflate(), out:sub(1, -9) .. ('x'):rep(8)))",
            "false",
        ),
        ("local out, ended = zlib.inflate()('') return out .. tostring(ended)", "false"),
        ("local f = zlib.deflate() local a = f('one') local b, ended = f() return zlib.inflate()(a .. b) .. tostring(ended)", "onetrue"),
        (
            "for i = 1, 64 do zlib.inflate() end return select(2, pcall(zlib.inflate)):match('too many open streams')",
            "too many open streams",
        ),
    ] {
        assert_eq!(value(&format!("require 'zlib' {body}")), expected, "{body}");
    }
    // 100 MB of zeros in 100 kB.
    let patient = Limits { time: Duration::from_secs(20), instructions: 1 << 40, ..LIMITS };
    let bomb = "local zlib = require 'zlib' local f, t = zlib.deflate(), {} for i = 1, 100 do t[i] = f(('\\0'):rep(1e6)) end t[101] = f()
        return #zlib.inflate()(table.concat(t))";
    let result = run_with(&format!("function main() {bomb} end"), false, patient, &mut Sample::default());
    assert_eq!(result, Err(Failure::Over(Excess::Memory)));
    let endless = "local zlib = require 'zlib' while true do local f = zlib.deflate() f(('x'):rep(1e6), 'finish') end";
    assert!(value(endless).starts_with("failure: "));
}

#[test]
fn urls_have_parts_and_filters_pass_pieces_on() {
    for (body, expected) in [
        ("local p = url.parse('HTTP://u:p@[2001:db8::1]:81/a;x?q=1#f') return table.concat({p.scheme, p.user, p.password, p.host, p.port, p.path, p.params, p.query, p.fragment}, ' ')",
         "http u p 2001:db8::1 81 /a x q=1 f"),
        ("return url.build(url.parse('http://u:p@[2001:db8::1]:81/a;x?q=1#f'))", "http://u:p@[2001:db8::1]:81/a;x?q=1#f"),
        ("return url.absolute('http://a/b/c/d?q', '../g?x') .. ' ' .. url.absolute('http://a/b', '/c') .. ' ' .. url.absolute('http://a/b', '//c/d')",
         "http://a/b/g?x http://a/c http://c/d"),
        ("return url.escape('a b/é') .. url.unescape('a%20b')", "a%20b%2f%c3%a9a b"),
        ("local t = {} ltn12.pump.all(ltn12.source.string(('x'):rep(5000)), ltn12.sink.table(t)) return #t .. #table.concat(t)", "35000"),
        ("local t = {} local up = function(s) return s and s:upper() end
          ltn12.pump.all(ltn12.source.cat(ltn12.source.string('a'), ltn12.source.string('b')), ltn12.sink.chain(up, up, (ltn12.sink.table(t)))) return table.concat(t)", "AB"),
        ("local held = '' local keep = function(s) if s then held = held .. s return '' end local h = held held = '' return h ~= '' and h or nil end
          local t = {} ltn12.pump.all(ltn12.source.chain(ltn12.source.string('abc'), keep), ltn12.sink.table(t)) return table.concat(t)", "abc"),
        ("return select(2, ltn12.pump.all(ltn12.source.error('why'), ltn12.sink.null()))", "why"),
    ] {
        assert_eq!(value(&format!("local url, ltn12 = require 'socket.url', require 'ltn12' {body}")), expected, "{body}");
    }
}
