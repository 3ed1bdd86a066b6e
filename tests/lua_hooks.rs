//! Lua in rules: `SecRuleScript`, `exec`, `@inspectFile`, and the functions of `m`.

#![cfg(feature = "lua")]

use secrule::internals::vocabulary::Variable;
use secrule_testkit::exchange::{Judged, Request, Rules, refusal};

/// Returns the value of TX.answer after a script with this `main`, for a request with arguments, headers and a body.
#[track_caller]
fn answer(body: &str) -> Option<String> {
    let script = format!("function main()\n m.setvar('tx.answer', tostring((function() {body} end)()))\nend");
    let rules = Rules::new("SecAction \"id:1,phase:2,pass,nolog,exec:a.lua\"", &[("a.lua", &script)]);
    let judged = rules.judge(sample());
    assert_eq!(judged.transaction.script_failures(), [], "{body}");
    judged.tx("answer")
}

fn sample() -> Request<'static> {
    Request {
        target: "/path/page?name=Ann%20B&empty=&twice=1&twice=2",
        headers: &[("X-Tag", "One"), ("Cookie", "id=7"), ("X-Twice", "first"), ("X-Twice", "last")],
        body: Some("comment=%3CScript%3E"),
        ..Request::default()
    }
}

#[test]
fn getvar_reads_every_kind_of_variable() {
    for (script, expected) in [
        ("return m.getvar('ARGS:name')", "Ann B"),
        ("return m.getvar('args.NAME')", "Ann B"),
        ("return m.getvar('ARGS.empty')", "nil"),
        ("return m.getvar('ARGS.twice')", "2"),
        ("return m.getvar('ARGS_GET:twice', 'hexEncode')", "32"),
        ("return m.getvar('REQUEST_HEADERS.x-twice')", "last"),
        ("m.setvar('tx.none', '') return m.getvar('tx.none')", "nil"),
        ("m.setvar('tx:colon', 'set') return m.getvar('tx.colon')", "set"),
        (
            "return select(2, pcall(m.log, 'x', 'y')):match(\"bad argument #1 to 'log' %(number expected, got string%)\") and 'refused'",
            "refused",
        ),
        ("return pcall(m.log)", "false"),
        ("return pcall(m.log, '3', 'text')", "true"),
        ("return m.getvar('ARGS.absent')", "nil"),
        ("return m.getvar('ARGS')", "Ann B"),
        ("return m.getvar('REQUEST_METHOD')", "POST"),
        ("return m.getvar('REQUEST_HEADERS:x-tag')", "One"),
        ("return m.getvar('REQUEST_COOKIES.id')", "7"),
        ("return m.getvar('REQUEST_BODY')", "comment=%3CScript%3E"),
        ("return m.getvar('TX.answer')", "nil"),
        ("return m.getvar('RESPONSE_BODY')", "nil"),
        ("return #m.getvar('TIME')", "8"),
        ("return m.getvar('REMOTE_USER')", "nil"),
        ("return m.getvar('RULE.id')", "1"),
        ("return m.getvar('ENV.PATH') ~= nil", "true"),
        ("return m.getvar('NO_SUCH_THING')", "nil"),
        ("return m.getvar('REMOTE_ADDR.x')", "nil"),
        ("return m.getvar('')", "nil"),
        ("return m.getvar(':')", "nil"),
        ("return pcall(m.getvar)", "false"),
        ("return pcall(m.getvar, {})", "false"),
    ] {
        assert_eq!(answer(script).as_deref(), Some(expected), "{script}");
    }
}

#[test]
fn transformations_are_applied_in_order() {
    for (script, expected) in [
        ("return m.getvar('ARGS.comment', 'lowercase')", "<script>"),
        ("return m.getvar('REQUEST_BODY', {'urlDecode', 'lowercase'})", "comment=<script>"),
        ("return m.getvar('REQUEST_BODY', {'lowercase', 'urlDecode'})", "comment=<script>"),
        ("return m.getvar('ARGS.name', {'hexEncode', 'uppercase'})", "416E6E2042"),
        ("return m.getvar('ARGS.name', {'uppercase', 'hexEncode'})", "414e4e2042"),
        ("return m.getvar('ARGS.name', {'uppercase', 'none'})", "ANN B"),
        ("return m.getvar('ARGS.name', 'noSuchThing')", "Ann B"),
        ("return m.getvars('ARGS:twice', 'hexEncode')[2].value", "32"),
    ] {
        assert_eq!(answer(script).as_deref(), Some(expected), "{script}");
    }
}

#[test]
fn getvars_gives_all_with_their_names() {
    let list = |name: &str| {
        answer(&format!(
            "local t = {{}} for _, v in ipairs(m.getvars('{name}')) do t[#t + 1] = v.name .. '=' .. v.value end return table.concat(t, ' ')"
        ))
        .unwrap()
    };
    assert_eq!(list("ARGS"), "ARGS:name=Ann B ARGS:empty= ARGS:twice=1 ARGS:twice=2 ARGS:comment=<Script>");
    assert_eq!(list("ARGS.twice"), "ARGS:twice=1 ARGS:twice=2");
    assert_eq!(list("REQUEST_METHOD"), "REQUEST_METHOD=POST");
    assert_eq!(list("ARGS.absent"), "");
    assert_eq!(list("NO_SUCH_THING"), "");
    assert_eq!(answer("m.setvar('tx.a', 1) m.setvar('TX.b', 'x') local t = m.getvars('TX') return #t").as_deref(), Some("2"));
}

#[test]
fn unknown_names_are_said_once_in_the_debug_log() {
    let script = "function main() m.getvar('NO_SUCH_THING') m.getvar('ARGS.absent') m.setvar('nowhere.a', '1') m.setvar('tx.a', '1') end";
    let rules = Rules::new("SecAction \"id:1,phase:1,pass,nolog,exec:a.lua\"", &[("a.lua", script)]);
    rules.judge(Request::default());
    assert_eq!(rules.said(), ["Lua: there is no variable `NO_SUCH_THING`.", "Lua: `nowhere` is not a writable collection."]);
}

#[test]
fn log_writes_to_the_debug_log_at_its_level() {
    let script = "function main() m.log(1, 'one') m.log(9, 'nine') m.log(-3, 'low') print('printed', 2) end";
    let rules = Rules::at_level(4, "SecAction \"id:1,phase:1,pass,nolog,exec:a.lua\"", &[("a.lua", script)]);
    rules.judge(Request::default());
    let said = rules.said();
    for (message, is_said) in [("one", true), ("nine", false), ("low", true), ("printed\t2", true)] {
        assert_eq!(said.iter().any(|found| found == message), is_said, "{message}: {said:?}");
    }
}

#[test]
fn what_a_script_sets_later_rules_see() {
    let script = "function main() m.setvar('tx.score', 7) m.setvar('tx.text', '%{tx.score}') m.setvar('ip.seen', 'yes') m.setvar('global.n', '+1') end";
    let rules = "SecAction \"id:1,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR}\"\n\
                 SecAction \"id:2,phase:1,pass,nolog,exec:a.lua\"\n\
                 SecRule TX:score \"@gt 5\" \"id:3,phase:1,pass,setvar:tx.gated=yes\"\n\
                 SecRule TX:text \"@streq %{tx.score}\" \"id:4,phase:1,pass,setvar:tx.expanded=yes\"\n\
                 SecRule IP:seen \"@streq yes\" \"id:5,phase:2,deny,status:406\"\n\
                 SecRule GLOBAL:n \"@streq +1\" \"id:6,phase:1,pass,setvar:tx.global=yes\"";
    let rules = Rules::at_level(0, rules, &[("a.lua", script)]);
    let judged = rules.judge(Request::default());
    assert_eq!(judged.status(), Some(406));
    assert_eq!((judged.tx("gated").as_deref(), judged.tx("global").as_deref()), (Some("yes"), Some("yes")));
    // As in ModSecurity v3, the text is stored unchanged.
    assert_eq!((judged.tx("text").as_deref(), judged.tx("expanded")), (Some("%{tx.score}"), None));
}

#[test]
fn a_rule_that_is_a_script_matches_on_a_text_or_a_number() {
    let judge = |returned: &str, actions: &str| -> Judged {
        let script = format!("function main() return {returned} end");
        Rules::new(&format!("SecRuleScript a.lua \"id:5,phase:1,deny,status:418{actions}\""), &[("a.lua", &script)])
            .judge(Request::default())
    };
    for (returned, status) in
        [("'found'", Some(418)), ("3", Some(418)), ("0", Some(418)), ("''", None), ("nil", None), ("true", None), ("{}", None)]
    {
        assert_eq!(judge(returned, "").status(), status, "{returned}");
    }
    let judged = judge("'found ' .. m.getvar('REQUEST_METHOD')", "");
    let [found] = judged.transaction.rule_matches() else { panic!("{:?}", judged.transaction.rule_matches()) };
    assert_eq!((found.id, &*found.message()), (5, "found GET"));
    assert_eq!(found.detail(), "Matched script `a.lua' (Value: `found GET' )");
    assert!(judged.interventions[0].reason().contains("Matched script `a.lua'"));
    let judged = judge("'found'", ",msg:'its own'");
    assert_eq!(judged.transaction.rule_matches()[0].message(), "its own");
    assert!(judge("'found'", ",nolog").transaction.rule_matches().is_empty());
}

#[test]
fn scripts_take_part_in_chains_and_can_be_removed() {
    let scripts = [("yes.lua", "function main() return 'yes' end"), ("no.lua", "function main() end")];
    let chain = |second: &str| {
        let rules = format!("SecRule REQUEST_METHOD GET \"id:1,phase:1,deny,chain\"\nSecRuleScript {second} \"setvar:tx.second=1\"");
        Rules::new(&rules, &scripts).judge(Request::default())
    };
    assert_eq!((chain("yes.lua").status(), chain("yes.lua").tx("second").as_deref()), (Some(403), Some("1")));
    assert_eq!((chain("no.lua").status(), chain("no.lua").tx("second")), (None, None));
    for removal in ["SecRuleRemoveById 1", "SecRuleRemoveByTag gone", "SecAction \"id:9,phase:0,pass,nolog,ctl:ruleRemoveById=1\""] {
        let rules = format!("SecRuleScript yes.lua \"id:1,phase:1,deny,tag:gone\"\n{removal}");
        assert_eq!(Rules::new(&rules, &scripts).judge(Request::default()).status(), None, "{removal}");
    }
}

#[test]
fn inspect_file_gives_the_value_to_the_script() {
    let script = "function main(value)\n if value:find('evil') then return 'evil in ' .. m.getvar('REQUEST_METHOD') end\nend";
    let rules = Rules::new("SecRule ARGS \"@inspectFile a.lua\" \"id:1,phase:1,deny,t:lowercase\"", &[("a.lua", script)]);
    let judge = |target| rules.judge(Request { target, ..Request::default() }).status();
    assert_eq!(judge("/?a=very%20EVIL"), Some(403));
    assert_eq!(judge("/?a=good"), None);
    assert_eq!(judge("/?a=%00"), None);
    let negated = Rules::new("SecRule ARGS \"!@inspectFile a.lua\" \"id:1,phase:1,deny\"", &[("a.lua", script)]);
    assert_eq!(negated.judge(Request { target: "/?a=good", ..Request::default() }).status(), Some(403));
}

#[test]
fn what_a_script_finds_in_its_way_is_no_match() {
    let broken = [
        ("error('no')", "a.lua:1: no"),
        ("return nothing.here", "attempt to index"),
        ("error({})", ""),
        ("local function f() return 1 + f() end return f()", "stack overflow"),
        ("m.getvar({})", "bad argument #1 to 'getvar' (string expected, got table)"),
        ("m.setvar('tx.a')", "bad argument #2 to 'setvar' (string expected, got no value)"),
        ("m.getvar('ARGS', {{}})", ""),
        ("m.nothing()", "attempt to call"),
    ];
    for (body, reason) in broken {
        let script = format!("function main() {body} end");
        let rules = Rules::new("SecRuleScript a.lua \"id:1,phase:1,deny\"", &[("a.lua", &script)]);
        let judged = rules.judge(Request::default());
        assert_eq!(judged.status(), None, "{body}");
        let [failure] = judged.transaction.script_failures() else { panic!("{body}: {:?}", judged.transaction.script_failures()) };
        assert!(failure.script == "a.lua" && failure.reason.contains(reason) && !failure.stopped, "{body}: {failure:?}");
        assert!(rules.said().iter().any(|said| said.starts_with("Lua script a.lua: ")), "{body}");
        assert_eq!(judged.tx("MSC_LUA_LIMITS_EXCEEDED"), None);
    }
    let judged = Rules::new("SecRuleScript a.lua \"id:1,phase:1,deny\"", &[("a.lua", "x = 1")]).judge(Request::default());
    assert_eq!(judged.transaction.script_failures()[0].reason, "it has no function `main`");
}

#[test]
fn what_cannot_be_a_script_is_refused_at_load() {
    let unfinished = [("a.lua", "function main()\n  if x then\nend\n")];
    for rules in [
        "SecRuleScript a.lua \"id:1\"",
        "SecAction \"id:1,pass,exec:a.lua\"",
        "SecRule ARGS \"@inspectFile a.lua\" \"id:1\"",
        "SecDecisionScript a.lua",
    ] {
        let refused = refusal(rules, &unfinished);
        assert!(refused.contains("[E205]") && refused.contains("a.lua:4: 'end' expected"), "{rules}: {refused}");
        assert!(refusal(rules, &[]).contains("[E001]"), "{rules}");
    }
    assert!(refusal("SecAction \"id:1,pass,exec:/bin/echo\"", &[]).contains("`/bin/echo` is not a Lua script"));
}

#[test]
fn a_script_that_many_rules_name_is_one() {
    let script = "function main() m.setvar('tx.n', (m.getvar('TX.n') or '') .. 'x') end";
    let rules: String = (1..=5).map(|id| format!("SecAction \"id:{id},phase:1,pass,nolog,exec:a.lua\"\n")).collect();
    assert_eq!(Rules::new(&rules, &[("a.lua", script)]).judge(Request::default()).tx("n").as_deref(), Some("xxxxx"));
}

#[test]
fn every_variable_can_be_read_in_every_phase() {
    let names: Vec<&str> = Variable::table().map(|entry| entry.name).collect();
    assert!(names.len() > 100);
    let list: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    let script = format!(
        "local names = {{{}}}\n\
         function main()\n\
           local n = 0\n\
           for _, name in ipairs(names) do\n\
             for _, key in ipairs {{'', '.a', ':a', '.', ':', ':/*', '.id', '.\\0', ':' .. ('x'):rep(1000)}} do\n\
               local value = m.getvar(name .. key, 'lowercase')\n\
               assert(value == nil or type(value) == 'string', name)\n\
               assert(type(m.getvars(name .. key, {{'lowercase', 'length'}})) == 'table', name)\n\
               n = n + 1\n\
             end\n\
           end\n\
           m.setvar('tx.read', (m.getvar('TX.read') or '') .. n .. ' ')\n\
         end",
        list.join(", ")
    );
    let rules: String = (0..=5).map(|phase| format!("SecAction \"id:{},phase:{phase},pass,nolog,exec:all.lua\"\n", phase + 1)).collect();
    let judged = Rules::at_level(0, &rules, &[("all.lua", &script)]).judge(sample());
    assert_eq!(judged.transaction.script_failures(), []);
    assert_eq!(judged.tx("read").unwrap(), format!("{} ", names.len() * 9).repeat(6));
}

#[test]
fn the_libraries_of_a_rule_reach_files_unless_there_is_a_sandbox() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let module = folder.join("secrule_sample_module.lua");
    std::fs::write(&module, "local M = {} function M.double(n) return 2 * n end return M").unwrap();
    let script = format!(
        "package.path = '{}/?.lua'\nlocal sample = require 'secrule_sample_module'\n\
         function main() m.setvar('tx.n', sample.double(4)) return io.open and 'files' end",
        folder.display()
    );
    let rules = "SecRuleScript a.lua \"id:1,phase:1,deny\"";
    let judged = Rules::new(rules, &[("a.lua", &script)]).judge(Request::default());
    assert_eq!((judged.status(), judged.tx("n").as_deref()), (Some(403), Some("8")), "{:?}", judged.transaction.script_failures());
    let judged = Rules::new(&format!("SecLuaSandbox On\n{rules}"), &[("a.lua", &script)]).judge(Request::default());
    assert_eq!(judged.status(), None);
    assert!(judged.transaction.script_failures()[0].reason.contains("global 'package' (a nil value)"));
    std::fs::remove_file(module).unwrap();
}

#[test]
fn the_last_rule_of_a_chain_is_what_the_log_tells() {
    let script = [("a.lua", "function main() return 'from the script' end")];
    let rules = "SecRule REQUEST_METHOD \"@streq GET\" \"id:1,phase:1,deny,chain\"\nSecRuleScript a.lua";
    let judged = Rules::new(rules, &script).judge(Request::default());
    let found = &judged.transaction.rule_matches()[0];
    assert_eq!((&*found.message(), &*found.detail()), ("from the script", "Matched script `a.lua' (Value: `from the script' )"));
    let rules = "SecRuleScript a.lua \"id:1,phase:1,deny,chain\"\nSecRule REQUEST_METHOD \"@streq GET\"";
    let judged = Rules::new(rules, &script).judge(Request::default());
    assert!(judged.transaction.rule_matches()[0].detail().contains("against variable `REQUEST_METHOD'"));
}
