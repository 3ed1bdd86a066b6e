//! The binding for LuaJIT in `examples/luajit`: its script prints what it should, and C objects are released in any order of finalizers.

use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use std::process::{Command, ExitCode, Output};

const NEEDS: [Needs; 2] = [Needs::Program("luajit"), Needs::CLibrary];

fn main() -> ExitCode {
    trials::run([
        trial!(the_example_denies_one_request_and_passes_the_other, NEEDS),
        trial!(every_phase_can_decide, NEEDS),
        trial!(rules_come_from_texts_files_and_other_rules, NEEDS),
        trial!(the_collector_releases_in_any_order, NEEDS),
    ])
}

fn the_example_denies_one_request_and_passes_the_other() {
    let mut luajit = luajit();
    let printed = succeeded(&luajit.arg(example("deny.lua")).output().unwrap());
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines.len(), 2, "{printed}");
    assert!(lines[0].starts_with("GET /index.php?testparam=test: denied with 403: "), "{printed}");
    assert!(lines[0].contains("[id \"1234\"]"), "{printed}");
    assert_eq!(lines[1], "GET /index.php?testparam=other: passed");
}

fn every_phase_can_decide() {
    run(r#"
        local rules = engine:rules():add [[
            SecRuleEngine On
            SecRequestBodyAccess On
            SecResponseBodyAccess On
            SecResponseBodyMimeType text/plain
            SecRule REQUEST_URI "@streq /moved" "id:1,phase:1,redirect:https://shop.example/,status:301"
            SecRule ARGS_POST:colour "@streq green" "id:2,phase:2,deny,status:406"
            SecRule RESPONSE_HEADERS:X-Debug "@rx ." "id:3,phase:3,deny,status:502"
            SecRule RESPONSE_BODY "@contains stack trace" "id:4,phase:4,deny,status:500"
        ]]
        local function judge(uri, form, debug, page)
            local transaction = engine:transaction(rules, "an-id")
            assert(not transaction:connection("192.0.2.1", 1234, "192.0.2.2", 80))
            assert(not transaction:uri(uri, "POST", "1.1"))
            transaction:request_header("Content-Type", "application/x-www-form-urlencoded")
            local decision = transaction:request_headers() or transaction:request_chunk(form) or transaction:request_body()
            if not decision then
                transaction:response_header("Content-Type", "text/plain")
                transaction:response_header("X-Debug", debug)
                decision = transaction:response_headers(200, "HTTP/1.1") or transaction:response_chunk(page) or transaction:response_body()
            end
            transaction:answered(decision and decision.status or 200)
            transaction:logging()
            transaction:close()
            transaction:close()
            assert(not transaction:request_body(), "a closed transaction decides nothing")
            return decision
        end
        local moved = judge("/moved", "", "", "")
        assert(moved.status == 301 and moved.url == "https://shop.example/")
        local refused = judge("/", "colour=green", "", "")
        assert(refused.status == 406 and refused.url == nil and refused.log:find('id "2"', 1, true))
        assert(judge("/", "colour=blue", "yes", "").status == 502)
        assert(judge("/", "colour=blue", "", "a stack trace").status == 500)
        assert(judge("/", "colour=blue", "", "a page") == nil)
    "#);
}

fn rules_come_from_texts_files_and_other_rules() {
    run(r#"
        local name = os.tmpname()
        local file = assert(io.open(name, "w"))
        file:write 'SecRule REQUEST_URI "@contains file" "id:1,phase:1,deny,status:410"\n'
        file:close()
        local from_file = engine:rules():add_file(name)
        os.remove(name)
        local rules = engine:rules():add("SecRuleEngine On"):merge(from_file)
        local transaction = engine:transaction(rules)
        transaction:uri("/file", "GET", "1.1")
        assert(transaction:request_headers().status == 410)

        local read, message = pcall(rules.add, rules, "SecNoSuchDirective On")
        assert(not read and message:find("SecNoSuchDirective", 1, true), message)
        assert(not pcall(rules.add_file, rules, "/no/such/file.conf"))
    "#);
}

fn the_collector_releases_in_any_order() {
    // Some are released before the objects made with them, some are closed, and some are left for the end of the state.
    run(r#"
        kept = {}
        for number = 1, 300 do
            local own = secrule.engine()
            local rules = own:rules():add 'SecRule ARGS "@contains x" "id:1,phase:1,deny"'
            local transaction = own:transaction(rules)
            own, rules = nil, nil
            if number % 50 == 0 then
                collectgarbage()
            end
            assert(not transaction:uri("/?a=x", "GET", "1.1"))
            transaction:request_headers()
            transaction:logging()
            if number % 3 == 0 then
                transaction:close()
            elseif number % 3 == 1 then
                kept[number] = transaction
            end
        end
        collectgarbage()
    "#);
}

/// Runs a script with the binding as `secrule` and an engine as `engine`.
fn run(script: &str) {
    let mut luajit = luajit();
    let folder = example("?.lua");
    let begin = format!("package.path = [[{folder}]]\nsecrule = require 'secrule'\nengine = secrule.engine 'a test'\n");
    succeeded(&luajit.arg("-e").arg(begin + script).output().unwrap());
}

fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn example(name: &str) -> String {
    secrule_testkit::project().join("examples/luajit").join(name).display().to_string()
}

/// Returns LuaJIT with our library.
fn luajit() -> Command {
    let mut luajit = Command::new("luajit");
    luajit.env("LD_LIBRARY_PATH", trials::c_library().parent().unwrap());
    luajit
}
