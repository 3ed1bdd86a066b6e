use super::*;
use crate::diagnostic::Diagnostic;
use crate::graph::{
    AllowScope, AssignmentChange, AuditEngine, ChainId, Control, Disruptive, Effect, EngineMode, KeepFiles, MarkerId, OperatorArgument,
    Phase, Removal, Rule, RuleFilter, RuleIndex, Selector, Settings, Step, Test,
};
use crate::source::Memory;
use crate::vocabulary::Limit;
use std::path::PathBuf;

fn text(name: &str, rules: &str) -> Input {
    Input::Text { name: name.to_owned(), text: rules.to_owned() }
}

fn load(rules: &str) -> Result<Compiled, LoadError> {
    compile(&[text("rules", rules)], &Memory::new(), &CompileOptions::default())
}

fn graph(rules: &str) -> RuleGraph {
    load(rules).map_err(|error| error.to_string()).unwrap().graph
}

fn graph_of_loads(loads: &[&str]) -> RuleGraph {
    let inputs: Vec<Input> = loads.iter().map(|rules| text("rules", rules)).collect();
    compile(&inputs, &Memory::new(), &CompileOptions::default()).unwrap().graph
}

fn graph_of_files(files: &Memory) -> RuleGraph {
    compile(&[Input::File(PathBuf::from("waf/main.conf"))], files, &CompileOptions::default())
        .map_err(|error| error.to_string())
        .unwrap()
        .graph
}

/// Returns errors and warnings, as `E606 rules:2:5`.
fn complaints(result: &Result<Compiled, LoadError>) -> Vec<String> {
    let (diagnostics, sources) = match result {
        Ok(compiled) => (compiled.report.warnings(), compiled.report.texts()),
        Err(error) => (error.diagnostics(), error.sources()),
    };
    let place = |diagnostic: &Diagnostic| sources.locate(diagnostic.span);
    let shown = |diagnostic: &Diagnostic| format!("{} {}:{}", diagnostic.code.as_str(), place(diagnostic).0, place(diagnostic).1);
    diagnostics.iter().map(shown).collect()
}

fn transformations(graph: &RuleGraph, rule: &Rule) -> String {
    let steps = graph.transformations.prefixes(rule.transformations).into_iter().filter_map(|chain| graph.transformations.last_step(chain));
    steps.map(|step| step.transformation.name()).collect::<Vec<_>>().join(",")
}

/// Returns the targets of a rule as written, followed by exclusions: `ARGS -a`.
fn targets(rule: &Rule) -> String {
    let Test::Operator { targets, .. } = &rule.test else { panic!("no operator") };
    let exclusion = |selector: &Selector| match selector {
        Selector::Key(key) => format!(" -{}", String::from_utf8_lossy(&key.text)),
        Selector::Pattern(pattern) => format!(" -/{}/", String::from_utf8_lossy(pattern.source())),
        other => format!(" -{other:?}"),
    };
    let shown = targets.iter().map(|target| target.exclusions.iter().fold(target.to_string(), |shown, out| shown + &exclusion(out)));
    shown.collect::<Vec<_>>().join("|")
}

fn target_list(list: &str) -> String {
    targets(&graph(&format!("SecRule {list} \"@rx a\" \"id:1\"")).rules[0])
}

fn steps(graph: &RuleGraph, phase: Phase) -> String {
    let shown = graph.phases.at(phase).iter().map(|step| match step {
        Step::Rule(index) => graph.rule(*index).unwrap().reference(),
        Step::Marker(marker) => graph.marker(*marker).to_owned(),
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// Returns `true` for each log that the first rule writes to: the error log and the audit log.
fn logging(rules: &str) -> (bool, bool) {
    let graph = graph(rules);
    (graph.rules[0].logs, graph.rules[0].audits)
}

mod chains {
    use super::*;

    #[test]
    fn a_chain_is_one_step_and_runs_in_the_phase_of_its_first_rule() {
        let graph = graph(
            "SecRule ARGS \"@rx a\" \"id:1,phase:2,deny,chain\"\nSecRule ARGS \"@rx b\" \"phase:4,chain\"\nSecRule ARGS \"@rx c\"\n\
             SecRule ARGS \"@rx d\" \"id:2,phase:2\"",
        );
        assert_eq!(steps(&graph, Phase::RequestBody), "1 2");
        assert_eq!(steps(&graph, Phase::ResponseBody), "");
        let next: Vec<_> = graph.rules.iter().map(|rule| rule.next.map(|next| next.0)).collect();
        assert_eq!(next, [Some(1), Some(2), None, None]);
        let heads: Vec<_> = graph.rules.iter().map(|rule| rule.chain_head.map(|head| head.0)).collect();
        assert_eq!(heads, [None, Some(0), Some(0), None]);
        assert!(graph.rules[..3].iter().all(|rule| rule.phase == Phase::RequestBody));
    }

    #[test]
    fn only_the_first_rule_decides() {
        let result = load("SecRule TX:a a \"id:1,deny,chain\"\nSecRule TX:a b \"t:lowercase,deny\"");
        assert_eq!(complaints(&result), ["E604 rules:2:29"]);
    }

    #[test]
    fn a_chain_without_its_last_rule_is_warned_about_and_does_not_reach_the_next_load() {
        let inputs = [text("one", "SecRule TX:a a \"id:1,chain\""), text("two", "SecRule TX:a b \"id:2\"")];
        let result = compile(&inputs, &Memory::new(), &CompileOptions::default());
        assert_eq!(complaints(&result), ["W202 one:1:1"]);
        assert_eq!(result.unwrap().graph.find(2).unwrap().chain_head, None);
    }
}

mod defaults {
    use super::*;

    #[test]
    fn default_actions_reach_rules_that_were_written_before_them() {
        let graph = graph(
            "SecRule ARGS a \"id:1,phase:2,t:lowercase,block\"\nSecRule ARGS a \"id:2,phase:1\"\n\
             SecDefaultAction \"phase:2,deny,status:406,t:urlDecode\"",
        );
        assert_eq!(transformations(&graph, &graph.rules[0]), "urlDecode,lowercase");
        assert_eq!(transformations(&graph, &graph.rules[1]), "");
        let defaults = graph.defaults.at(Phase::RequestBody);
        assert!(matches!(defaults.disruptive, Some(Disruptive::Deny)));
        assert!(matches!(defaults.effects[..], [Effect::Status(406)]));
    }

    #[test]
    fn none_takes_away_the_default_transformations_and_those_before_it() {
        let graph = graph(
            "SecDefaultAction \"phase:2,pass,t:urlDecode\"\nSecRule ARGS a \"id:1,phase:2,t:none\"\n\
             SecRule ARGS a \"id:2,phase:2,t:lowercase,t:none,t:length\"",
        );
        assert_eq!(graph.rules[0].transformations, ChainId::EMPTY);
        assert_eq!(transformations(&graph, &graph.rules[1]), "length");
    }

    #[test]
    fn a_phase_has_one_default_action_per_load() {
        assert_eq!(complaints(&load("SecDefaultAction \"phase:2,pass\"\nSecDefaultAction \"phase:2,deny\"")), ["E702 rules:2:19"]);
        let graph = graph_of_loads(&["SecDefaultAction \"phase:2,pass\"", "SecDefaultAction \"phase:2,deny\""]);
        assert!(matches!(graph.defaults.at(Phase::RequestBody).disruptive, Some(Disruptive::Deny)));
    }

    #[test]
    fn a_default_action_decides_and_describes_nothing() {
        assert_eq!(complaints(&load("SecDefaultAction \"phase:2,log\"")), ["E701 rules:1:19"]);
        assert_eq!(complaints(&load("SecDefaultAction \"phase:2,pass,id:1,chain\"")), ["E604 rules:1:32", "E604 rules:1:37"]);
    }
}

mod logging_flags {
    use super::*;

    #[test]
    fn a_match_is_logged_and_audited_unless_something_says_otherwise() {
        assert_eq!(logging("SecRule ARGS a id:1"), (true, true));
        assert_eq!(logging("SecRule ARGS a \"id:1,nolog\""), (false, false));
        assert_eq!(logging("SecRule ARGS a \"id:1,noauditlog\""), (true, false));
        assert_eq!(logging("SecRule ARGS a \"id:1,nolog,log\""), (true, false));
        assert_eq!(logging("SecRule ARGS a \"id:1,nolog,auditlog\""), (true, true));
    }

    #[test]
    fn a_rule_overrules_its_default() {
        assert_eq!(
            logging("SecDefaultAction \"phase:2,pass,nolog\"\nSecAction \"id:2,phase:1\"\nSecRule ARGS a \"id:1,phase:2\""),
            (true, true)
        );
        assert_eq!(logging("SecRule ARGS a \"id:1,phase:2\"\nSecDefaultAction \"phase:2,pass,nolog\""), (false, false));
        assert_eq!(logging("SecRule ARGS a \"id:1,phase:2,auditlog\"\nSecDefaultAction \"phase:2,pass,nolog\""), (true, true));
    }

    #[test]
    fn the_last_rule_of_a_chain_speaks_for_those_before_it() {
        assert_eq!(logging("SecRule ARGS a \"id:1,chain\"\nSecRule ARGS b \"nolog\""), (false, false));
        assert_eq!(logging("SecRule ARGS a \"id:1,chain,log\"\nSecRule ARGS b \"nolog\""), (true, false));
    }

    #[test]
    fn an_update_has_the_last_word() {
        assert_eq!(logging("SecRule ARGS a id:1\nSecRuleUpdateActionById 1 nolog"), (false, false));
    }
}

mod target_lists {
    use super::*;

    #[test]
    fn exclusions_count_wherever_they_stand() {
        assert_eq!(target_list("!ARGS:token|ARGS"), "ARGS -token");
        assert_eq!(target_list("ARGS|REQUEST_URI|!ARGS:/^t/"), "ARGS -/^t/|REQUEST_URI");
    }

    #[test]
    fn what_is_excluded_as_it_was_written_is_gone() {
        assert_eq!(target_list("ARGS:a|ARGS:b|!ARGS:A"), "ARGS:b");
        assert_eq!(target_list("ARGS|REQUEST_URI|!REQUEST_URI"), "ARGS");
    }

    #[test]
    fn exclusions_touch_no_other_keys_and_change_no_count() {
        assert_eq!(target_list("&ARGS:a|ARGS:b|!ARGS:a"), "ARGS:b");
        assert_eq!(target_list("&ARGS|&TX:a|!ARGS:a|!TX"), "&ARGS|&TX:a");
    }

    #[test]
    fn keys_of_tx_are_numbered_without_regard_to_case() {
        let graph = graph("SecRule TX:Score|TX:score \"@gt 5\" \"id:1,setvar:tx.SCORE=+1,setvar:tx.other=1\"");
        assert_eq!(graph.tx_names.len(), 2);
    }
}

mod updates {
    use super::*;

    const RULES: &str = "SecRule ARGS a \"id:100,phase:2,tag:'sqli',msg:'first'\"\nSecRule ARGS b \"id:200,phase:2,tag:'sqli',msg:'second',chain\"\n\
                         SecRule REQUEST_URI c \"tag:'xss'\"\n";

    fn updated(updates: &str) -> RuleGraph {
        // Updates apply everywhere, also to later rules.
        graph(&format!("{updates}\n{RULES}"))
    }

    fn all_targets(updates: &str) -> Vec<String> {
        updated(updates).rules.iter().map(|rule| targets(rule)).collect()
    }

    #[test]
    fn targets_are_updated_by_id_range_tag_and_message() {
        assert_eq!(all_targets("SecRuleUpdateTargetById 100 \"!ARGS:x\""), ["ARGS -x", "ARGS", "REQUEST_URI"]);
        assert_eq!(all_targets("SecRuleUpdateTargetById 100-250 \"!ARGS:x\""), ["ARGS -x", "ARGS -x", "REQUEST_URI"]);
        assert_eq!(all_targets("SecRuleUpdateTargetByTag xss \"REQUEST_BODY\""), ["ARGS", "ARGS", "REQUEST_URI|REQUEST_BODY"]);
        assert_eq!(all_targets("SecRuleUpdateTargetByMsg second \"!ARGS\""), ["ARGS", "", "REQUEST_URI"]);
    }

    #[test]
    fn actions_are_added_to_a_rule() {
        let graph = updated("SecRuleUpdateActionById 100 \"deny,status:404,t:lowercase,setvar:tx.a=1\"");
        let rule = graph.find(100).unwrap();
        assert_eq!(transformations(&graph, rule), "lowercase");
        let added = rule.updated.as_ref().unwrap();
        assert!(matches!(added.disruptive, Some(Disruptive::Deny)));
        assert!(matches!(added.effects[..], [Effect::Status(404), Effect::Assign(_)]));
        assert!(graph.find(200).unwrap().updated.is_none());
    }

    #[test]
    fn identity_and_place_of_a_rule_cannot_be_updated() {
        assert_eq!(
            complaints(&load("SecRule TX:a a id:1\nSecRuleUpdateActionById 1 \"id:2,phase:3\"")),
            ["E604 rules:2:28", "E604 rules:2:33"]
        );
    }

    #[test]
    fn rules_are_removed_by_id_range_tag_and_message() {
        let removed = |updates: &str| {
            let graph = updated(updates);
            (0..).map(RuleIndex).take(graph.rules.len()).map(|rule| graph.removal(rule)).collect::<Vec<_>>()
        };
        assert_eq!(removed("SecRuleRemoveById 100"), [Some(Removal::Id), None, None]);
        assert_eq!(removed("SecRuleRemoveById 1-150 \"200,300\""), [Some(Removal::Id), Some(Removal::Id), None]);
        assert_eq!(removed("SecRuleRemoveByTag sqli"), [Some(Removal::Tag), Some(Removal::Tag), None]);
        assert_eq!(removed("SecRuleRemoveByMsg first"), [Some(Removal::Message), None, None]);
    }

    #[test]
    fn an_update_that_means_no_rule_is_warned_about() {
        assert_eq!(complaints(&load("SecRuleRemoveById 7\nSecRuleUpdateTargetByTag none ARGS")), ["W203 rules:1:19", "W203 rules:2:26"]);
    }

    #[test]
    fn a_rule_with_an_error_is_not_missed_by_its_updates() {
        assert_eq!(complaints(&load("SecRule TX:a \"@rx (\" id:7\nSecRuleRemoveById 7")), ["E404 rules:1:19"]);
    }
}

mod flow {
    use super::*;

    #[test]
    fn a_marker_stands_in_every_phase_at_its_place() {
        let graph = graph("SecAction \"id:1,phase:1\"\nSecAction \"id:2,phase:2\"\nSecMarker 'END CHECKS'\nSecAction \"id:3,phase:2\"");
        assert_eq!(steps(&graph, Phase::RequestHeaders), "1 END CHECKS");
        assert_eq!(steps(&graph, Phase::RequestBody), "2 END CHECKS 3");
        assert_eq!(steps(&graph, Phase::Logging), "END CHECKS");
    }

    #[test]
    fn a_jump_finds_a_marker_that_stands_behind_it() {
        let compiled = load("SecAction \"id:1,phase:1,skipAfter:END\"\nSecMarker END").unwrap();
        assert!(compiled.report.warnings().is_empty());
        let [Effect::SkipAfter(marker)] = compiled.graph.rules[0].effects[..] else { panic!("no jump") };
        assert_eq!(compiled.graph.marker(marker), "END");
        assert_eq!(complaints(&load("SecAction \"id:1,phase:1,skipAfter:END\"")), ["W204 rules:1:35"]);
    }

    #[test]
    fn ids_are_given_once_in_all_loads() {
        let inputs = [text("one", "SecRule TX:a a id:1"), text("two", "SecRule TX:a b id:1\nSecRule TX:a c phase:2")];
        let result = compile(&inputs, &Memory::new(), &CompileOptions::default());
        assert_eq!(complaints(&result), ["E606 two:1:19", "E605 two:2:1"]);
        assert!(result.unwrap_err().to_string().contains("it is at one:1:19"));
    }
}

mod settings {
    use super::*;

    #[test]
    fn within_a_load_the_last_value_wins_and_between_loads_the_first() {
        let graph = graph_of_loads(&["SecRuleEngine Off\nSecRuleEngine On", "SecRuleEngine DetectionOnly\nSecArgumentsLimit 7"]);
        assert_eq!(graph.settings.engine, EngineMode::On);
        assert_eq!(graph.settings.limit(Limit::Arguments), 7);
    }

    #[test]
    fn for_the_audit_log_the_last_load_wins() {
        let graph = graph_of_loads(&["SecAuditEngine On\nSecAuditLog /a", "SecAuditEngine Off"]);
        assert_eq!(graph.settings.audit_engine, AuditEngine::Off);
        assert_eq!(graph.settings.audit_log.as_ref().map(|log| &*log.node), Some("/a"));
    }

    #[test]
    fn a_group_of_inputs_is_one_load() {
        let group = Input::Group([text("one", "SecRuleEngine Off"), text("two", "SecRuleEngine On")].into());
        let graph = compile(&[group], &Memory::new(), &CompileOptions::default()).unwrap().graph;
        assert_eq!(graph.settings.engine, EngineMode::On);
    }

    #[test]
    fn media_types_add_up_until_they_are_cleared() {
        let graph =
            graph("SecResponseBodyMimeType text/a\nSecResponseBodyMimeTypesClear\nSecResponseBodyMimeType text/b \"text/c text/d\"");
        assert_eq!(graph.settings.response_body_types, ["text/b".into(), "text/c".into(), "text/d".into()]);
    }

    #[test]
    fn what_no_directive_sets_has_its_default() {
        assert_eq!(format!("{:?}", graph("").settings), format!("{:?}", Settings::default()));
        let settings = graph("SecUploadKeepFiles Off\nSecUploadDir /u\nSecMacroDepthLimit 3").settings;
        assert_eq!((settings.upload_keep_files, settings.writes_uploads()), (KeepFiles::Off, false));
        assert_eq!(settings.upload_folder.to_str(), Some("/u"));
        assert_eq!((settings.limit(Limit::MacroDepth), settings.limit(Limit::Skip)), (3, 10_000));
    }

    #[test]
    fn zero_is_no_limit_of_bodies() {
        let settings = graph("SecRequestBodyLimit 0\nSecResponseBodyLimit 0\nSecRequestBodyNoFilesLimit 0").settings;
        let limits = [Limit::RequestBody, Limit::ResponseBody, Limit::RequestBodyNoFiles].map(|limit| settings.limit(limit));
        assert_eq!(limits, [usize::MAX, usize::MAX, 0]);
    }

    #[test]
    fn modes_are_octal() {
        let graph = graph("SecAuditLogFileMode 0640\nSecUploadFileMode default");
        assert_eq!((graph.settings.audit_file_mode, graph.settings.audit_log_mode, graph.settings.upload_file_mode), (0o640, 0o640, 0o600));
    }
}

mod includes {
    use super::*;

    #[test]
    fn paths_are_looked_up_beside_the_including_file_and_patterns_in_order() {
        let files = Memory::new()
            .with("waf/main.conf", "SecAction id:1\nInclude rules/*.conf\nInclude elsewhere.conf\nSecAction id:9")
            .with("waf/rules/20.conf", "SecAction id:3")
            .with("waf/rules/10.conf", "SecAction id:2\nInclude deeper/30.rules")
            .with("waf/rules/deeper/30.rules", "SecRule ARGS \"@pmFromFile words\" id:4")
            .with("waf/rules/deeper/words", "select\nunion\n")
            .with("elsewhere.conf", "SecAction id:5");
        let graph = graph_of_files(&files);
        assert_eq!(steps(&graph, Phase::RequestHeaders), "1 2 4 3 5 9");
        assert_eq!(&*graph.find(4).unwrap().location.file, "waf/rules/deeper/30.rules");
    }

    #[test]
    fn optional_files_may_be_absent_and_others_may_not() {
        let load = |directive: &str| {
            let files = Memory::new().with("waf/main.conf", format!("{directive} absent/*.conf"));
            compile(&[Input::File(PathBuf::from("waf/main.conf"))], &files, &CompileOptions::default())
        };
        assert_eq!(complaints(&load("IncludeOptional")), [""; 0]);
        assert_eq!(complaints(&load("Include")), ["E003 waf/main.conf:1:9"]);
    }

    #[test]
    fn a_loop_and_a_tower_of_files_are_refused() {
        let files = Memory::new().with("a", "Include b").with("b", "Include a");
        let result = compile(&[Input::File(PathBuf::from("a"))], &files, &CompileOptions::default());
        assert_eq!(complaints(&result), ["E004 b:1:9"]);
        let tower = (0..200).fold(Memory::new(), |files, floor| files.with(floor.to_string(), format!("Include {}", floor + 1)));
        let result = compile(&[Input::File(PathBuf::from("0"))], &tower, &CompileOptions::default());
        assert_eq!(complaints(&result), ["E004 99:1:9"]);
    }

    #[test]
    fn the_same_file_may_be_included_twice_in_a_row() {
        let files = Memory::new().with("waf/main.conf", "Include marker\nInclude marker").with("waf/marker", "SecMarker A");
        assert_eq!(steps(&graph_of_files(&files), Phase::Logging), "A A");
    }

    #[test]
    fn a_first_file_that_cannot_be_read_stands_for_itself() {
        let error = compile(&[Input::File(PathBuf::from("waf/main.conf"))], &Memory::new(), &CompileOptions::default()).unwrap_err();
        let shown = error.to_string();
        assert!(
            shown.starts_with("error[E001]: `waf/main.conf` cannot be read: there is no such file\n --> waf/main.conf:1:1\n  = help:"),
            "{shown}"
        );
        assert!(shown.ends_with("1 error; nothing was loaded"), "{shown}");
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_at_their_place() {
        let files = Memory::new().with("a", b"SecMarker A\nSecMarker \xff".to_vec());
        let result = compile(&[Input::File(PathBuf::from("a")), text("b", "SecMarker \0")], &files, &CompileOptions::default());
        assert_eq!(complaints(&result), ["E002 a:2:11", "E002 b:1:11"]);
    }
}

mod remote_rules {
    use super::*;

    const ADDRESS: &str = "https://rules.example/waf.conf";

    fn load_with(network: &Memory, rules: &str) -> Result<Compiled, LoadError> {
        compile(&[text("rules", rules)], network, &CompileOptions::default())
    }

    #[test]
    fn they_stand_where_they_are_named() {
        let network = Memory::new().with_remote(ADDRESS, "SecAction id:2");
        let graph = load_with(&network, &format!("SecAction id:1\nSecRemoteRules key {ADDRESS}\nSecAction id:3")).unwrap().graph;
        assert_eq!(graph.rules.iter().map(|rule| rule.id).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(&*graph.rules[1].location.file, ADDRESS);
    }

    #[test]
    fn a_whole_load_may_be_remote() {
        let input = Input::Remote { address: ADDRESS.to_owned(), key: "key".to_owned() };
        let load = |network: &Memory| compile(std::slice::from_ref(&input), network, &CompileOptions::default());
        assert!(load(&Memory::new().with_remote(ADDRESS, "SecAction id:2")).unwrap().graph.find(2).is_some());
        assert_eq!(complaints(&load(&Memory::new())), [format!("E005 {ADDRESS}:1:1")]);
    }

    #[test]
    fn the_last_fail_action_before_them_counts() {
        let fetch = format!("SecRemoteRules key {ADDRESS}");
        let load = |rules: String| complaints(&load(&rules));
        assert_eq!(load(format!("{fetch}\nSecRemoteRulesFailAction Warn")), ["E005 rules:1:20"]);
        assert_eq!(load(format!("SecRemoteRulesFailAction warn\n{fetch}")), ["W208 rules:2:20"]);
        let both = "SecRemoteRulesFailAction Warn\nSecRemoteRulesFailAction Abort";
        assert_eq!(load(format!("{both}\n{fetch}")), ["E005 rules:3:20"]);
        assert_eq!(load(format!("SecRemoteRulesFailAction Perhaps\n{fetch}")), ["E203 rules:1:26", "E005 rules:2:20"]);
    }

    #[test]
    fn they_take_a_key_and_an_address() {
        assert_eq!(complaints(&load("SecRemoteRules")), ["E103 rules:1:1"]);
        assert_eq!(complaints(&load("SecRemoteRules https://rules.example/")), ["E103 rules:1:1"]);
        assert_eq!(complaints(&load("SecRemoteRules key https://rules.example/ more")), ["E104 rules:1:43"]);
    }

    #[test]
    fn what_is_wrong_in_them_is_shown_at_their_address() {
        let network = Memory::new().with_remote(ADDRESS, "SecThing");
        assert_eq!(complaints(&load_with(&network, &format!("SecRemoteRules key {ADDRESS}"))), [format!("E201 {ADDRESS}:1:1")]);
        let network = Memory::new().with_remote(ADDRESS, format!("SecRemoteRules key {ADDRESS}"));
        assert_eq!(complaints(&load_with(&network, &format!("SecRemoteRules key {ADDRESS}"))), [format!("E004 {ADDRESS}:1:20")]);
        let network = Memory::new().with_remote(ADDRESS, b"\xff".to_vec());
        assert_eq!(complaints(&load_with(&network, &format!("SecRemoteRules key {ADDRESS}"))), [format!("E002 {ADDRESS}:1:1")]);
    }

    #[test]
    fn operators_take_lists_from_addresses() {
        let network = Memory::new().with_remote("https://rules.example/list", "192.0.2.0/24\n");
        let rules = |operator: &str| format!("SecRule REMOTE_ADDR \"@{operator} https://rules.example/list\" \"id:1,phase:1\"");
        for operator in ["pmFromFile", "ipMatchFromFile"] {
            assert!(load_with(&network, &rules(operator)).is_ok(), "{operator}");
            assert_eq!(complaints(&load(&rules(operator))), [format!("E005 rules:1:{}", 24 + operator.len())]);
        }
    }
}

mod meanings {
    use super::*;

    fn action(written: &str) -> Rule {
        graph(&format!("SecAction \"id:1,phase:2,{written}\"")).rules[0].as_ref().clone()
    }

    #[test]
    fn phases_and_severities_have_names_and_numbers() {
        let phase = |name: &str| graph(&format!("SecAction \"id:1,phase:{name}\"")).rules[0].phase;
        assert_eq!((phase("request"), phase("4"), phase("logging")), (Phase::RequestBody, Phase::ResponseBody, Phase::Logging));
        assert_eq!(action("severity:'critical'").metadata.severity, Some(2));
        assert_eq!(action("severity:5").metadata.severity, Some(5));
    }

    #[test]
    fn a_rule_without_a_phase_runs_when_the_request_headers_are_there() {
        assert_eq!(graph("SecAction id:1").rules[0].phase, Phase::RequestHeaders);
    }

    #[test]
    fn the_last_decision_of_a_rule_counts() {
        assert!(matches!(action("deny,pass").disruptive, Some(Disruptive::Pass)));
        assert!(matches!(action("allow:request").disruptive, Some(Disruptive::Allow(AllowScope::Request))));
    }

    #[test]
    fn variables_are_set_added_to_and_removed() {
        let rule = action("setvar:tx.a,setvar:tx.b=+2,setvar:tx.c=-%{tx.b},setvar:!tx.d,setvar:tx.%{tx.e}=1");
        let changes: Vec<_> = rule.assignments.iter().map(|assignment| &assignment.change).collect();
        assert!(matches!(changes[0], AssignmentChange::Set(value) if value.as_literal() == Some(b"1")));
        assert!(matches!(changes[1], AssignmentChange::Add(value) if value.as_literal() == Some(b"2")));
        assert!(matches!(changes[2], AssignmentChange::Subtract(value) if value.as_literal().is_none()));
        assert!(matches!(changes[3], AssignmentChange::Remove));
        assert!(rule.assignments[3].key.is_some());
        assert!(rule.assignments[4].key.is_none(), "the key is known when the macro is");
    }

    #[test]
    fn controls_name_rules_and_targets() {
        let rule = action("ctl:ruleRemoveById=10-20,ctl:ruleRemoveTargetByTag=sqli;ARGS:a");
        let [Effect::Control(Control::RemoveRules(ids)), Effect::Control(Control::RemoveTarget(target))] = &rule.effects[..] else {
            panic!("{:?}", rule.effects)
        };
        assert_eq!(*ids, RuleFilter::Ids(10..=20));
        assert_eq!(target.rules, RuleFilter::Tag("sqli".into()));
    }

    #[test]
    fn an_operator_is_compiled_at_load_unless_its_argument_has_macros() {
        let argument = |operator: &str| match graph(&format!("SecRule ARGS \"{operator}\" id:1")).rules[0].test.clone() {
            Test::Operator { argument, .. } => argument,
            other => panic!("{other:?}"),
        };
        assert!(matches!(argument("@streq a"), OperatorArgument::Compiled { .. }));
        assert!(matches!(argument("@streq %{tx.a}"), OperatorArgument::Template(_)));
        assert!(matches!(argument("@rx 100%{"), OperatorArgument::Compiled { .. }));
    }

    #[test]
    fn a_rule_knows_its_first_and_last_line() {
        let graph = graph("\nSecRule ARGS \\\n  a \\\n  \"id:1,\\\n  deny\"");
        assert_eq!((graph.rules[0].location.line, graph.rules[0].location.last_line), (2, 5));
    }
}

#[test]
fn the_report_counts_what_was_loaded() {
    let rules = "SecRule ARGS a \"id:1,t:lowercase,chain\"\nSecRule ARGS b\nSecAction id:2\nSecMarker END\nSecRuleRemoveById 2";
    let report = load(rules).unwrap().report;
    assert_eq!((report.rules, report.actions, report.chained, report.markers, report.removed), (2, 1, 1, 1, 1));
    assert_eq!(report.transformation_chains, 1);
    assert_eq!((report.sources.len(), report.sources[0].bytes), (1, rules.len()));
}

#[test]
fn a_misplaced_action_is_shown_where_it_is_after_one_that_is_not_known() {
    let result = load("SecAction id:1,pass\nSecRuleUpdateActionById 1 \"nonsense:1,chain\"\nSecDefaultAction \"pass,nonsense,id:2\"");
    assert_eq!(complaints(&result), ["E601 rules:2:28", "E604 rules:2:39", "E601 rules:3:24", "E604 rules:3:33"]);
}

/// The example in the room's documentation.
#[test]
fn text_becomes_a_graph_as_the_room_says() {
    let graph = graph(
        "SecDefaultAction \"phase:1,log,pass,t:lowercase\"\n\
         SecRule ARGS|!ARGS:token \"@rx ^a+$\" \"id:7,phase:1,deny,setvar:tx.hits=+1,skipAfter:END\"\n\
         SecRuleUpdateTargetById 7 \"!ARGS:/^csrf/\"\n\
         SecMarker END",
    );
    let rule = &graph.rules[0];
    assert_eq!(targets(rule), "ARGS -token -/^csrf/");
    assert_eq!(transformations(&graph, rule), "lowercase");
    assert_eq!(**graph.phases.at(Phase::RequestHeaders), [Step::Rule(RuleIndex(0)), Step::Marker(MarkerId(0))]);
    assert_eq!(**graph.phases.at(Phase::Logging), [Step::Marker(MarkerId(0))]);
    assert!(matches!(rule.effects[..], [Effect::SkipAfter(MarkerId(0))]));
    let name = rule.assignments[0].key.as_ref().and_then(|key| key.tx);
    assert_eq!(name.map(|name| graph.tx_names.spelling(name)), Some(&b"hits"[..]));
    assert!(rule.logs);
}
