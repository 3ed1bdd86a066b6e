//! Actions of rules: texts with macros of their own rule, matches of a chain, the order of actions, jumps, removals, redirects.

use secrule::internals::vocabulary::Limit;
use secrule_testkit::exchange::{Judged, Request, Rules, refusal};
use std::time::{Duration, Instant};

/// The rule of ModSecurity's recommended configuration for exceeded limits.
const RECOMMENDED: &str = "SecRule TX:/^MSC_/ \"!@streq 0\" \"id:200005,phase:2,t:none,deny,log,msg:'%{MATCHED_VAR_NAME}'\"\n";

fn get(rules: &str, target: &str) -> Judged {
    Rules::new(rules, &[]).judge(Request { target, ..Request::default() })
}

fn from(rules: &Rules, client: &str) -> Judged {
    rules.judge(Request { client, ..Request::default() })
}

fn messages(judged: &Judged) -> Vec<String> {
    judged.transaction.rule_matches().iter().map(|found| format!("{}|{}", found.message(), found.data())).collect()
}

fn ids(judged: &Judged) -> Vec<u64> {
    judged.transaction.rule_matches().iter().map(|found| found.id).collect()
}

#[test]
fn a_message_shows_what_its_own_rule_says_of_itself() {
    let rules = "SecRule ARGS \"@contains a\" \"id:10,phase:1,pass,log,rev:7,severity:3,\
        msg:'%{rule.id} %{RULE.rev}',logdata:'%{rule.id}/%{rule.severity}/%{rule.msg}',tag:'t%{rule.id}'\"\n";
    let judged = get(&format!("{rules}{RECOMMENDED}"), "/?q=a");
    assert_eq!((judged.status(), messages(&judged)), (None, vec!["10 7|10/3/10 7".to_owned()]));
    assert_eq!(judged.transaction.rule_matches()[0].tags().collect::<Vec<_>>(), ["t10"]);
    assert_eq!(judged.transaction.exceeded_limits().count(), 0);
}

#[test]
fn a_chained_rule_shows_the_id_of_its_chain() {
    let rules = "SecRule ARGS:a \"@rx .\" \"id:11,phase:2,pass,log,chain,msg:'first %{rule.id}'\"\n\
        SecRule ARGS:b \"@rx .\" \"setvar:tx.of_%{rule.id}=%{rule.msg}\"\n";
    let judged = get(rules, "/?a=1&b=2");
    assert_eq!((judged.tx("of_11").as_deref(), judged.transaction.exceeded_limits().count()), (Some("first 11"), 0));
}

#[test]
fn texts_that_name_each_other_end_at_the_depth_that_is_allowed() {
    let rules = "SecRule ARGS \"@contains a\" \"id:12,phase:1,pass,log,msg:'m%{rule.msg}',logdata:'d%{rule.logdata}%{rule.id}'\"\n";
    let judged = get(rules, "/?q=a");
    assert_eq!(messages(&judged), ["mm|dd1212"]);
    assert_eq!(judged.transaction.exceeded_limits().collect::<Vec<_>>(), [Limit::MacroDepth]);
    assert_eq!(messages(&get(&format!("SecMacroDepthLimit 3\n{rules}"), "/?q=a")), ["mmmm|dddd12121212"]);
}

#[test]
fn texts_that_name_each_other_many_times_take_no_time() {
    let both = "%{rule.msg}%{rule.logdata}".repeat(6);
    let rules = format!(
        "SecMacroDepthLimit 16\nSecRule ARGS \"@contains a\" \"id:13,phase:1,pass,log,msg:'m{both}',logdata:'d{both}'\"\n\
         SecAction \"id:14,phase:2,pass,nolog,setvar:tx.end=1\""
    );
    let began = Instant::now();
    let judged = get(&rules, "/?q=a");
    assert_eq!(judged.tx("end").as_deref(), Some("1"), "the budget is not used up");
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn matched_vars_hold_what_the_chain_matched_and_nothing_of_rules_before() {
    let names = "SecRule ARGS \"@rx ^v\" \"id:20,phase:1,pass,nolog\"\n\
        SecRule ARGS:b \"@streq v2\" \"id:21,phase:2,pass,nolog,chain\"\n\
        SecRule MATCHED_VARS_NAMES \"@rx .\" \"setvar:'tx.names=%{tx.names}%{MATCHED_VAR};'\"\n\
        SecRule ARGS:a|ARGS:b \"@rx ^v\" \"id:22,phase:2,pass,nolog,chain\"\n\
        SecRule ARGS:c \"@rx ^v\" \"chain\"\n\
        SecRule MATCHED_VARS \"@rx .\" \"setvar:'tx.values=%{tx.values}%{MATCHED_VAR};'\"\n";
    let judged = get(names, "/?a=v1&b=v2&c=v3");
    assert_eq!((judged.tx("names").as_deref(), judged.tx("values").as_deref()), (Some("ARGS:b;"), Some("v1;v2;v3;")));
}

#[test]
fn a_negated_question_about_matched_vars_does_not_see_rules_before() {
    let rules = "SecRule ARGS:a \"@streq v1\" \"id:23,phase:2,pass,nolog\"\n\
        SecRule ARGS:b \"@streq v2\" \"id:24,phase:2,deny,chain\"\n\
        SecRule MATCHED_VARS \"!@streq v2\" \"t:none\"\n";
    assert_eq!(get(rules, "/?a=v1&b=v2").status(), None);
}

#[test]
fn an_action_sees_nothing_of_what_rules_before_it_matched() {
    let rules = "SecRule ARGS:a \"@rx .\" \"id:25,phase:1,pass,nolog\"\n\
        SecAction \"id:26,phase:1,pass,nolog,setvar:'tx.same=<%{MATCHED_VAR}%{MATCHED_VAR_NAME}>'\"\n\
        SecAction \"id:27,phase:2,pass,nolog,setvar:'tx.next=<%{MATCHED_VAR}%{MATCHED_VARS}>'\"\n\
        SecRule &MATCHED_VARS_NAMES \"@eq 0\" \"id:28,phase:2,pass,nolog,setvar:tx.none=+1\"\n";
    let judged = get(rules, "/?a=1");
    assert_eq!(
        (judged.tx("same").as_deref(), judged.tx("next").as_deref(), judged.tx("none").as_deref()),
        (Some("<>"), Some("<>"), Some("1"))
    );
}

#[test]
fn every_value_that_a_rule_matched_is_named() {
    let judged = get("SecRule ARGS \"@contains bad\" \"id:30,phase:1,deny\"", "/?a=bad&b=fine&c=BAD&d=bad2");
    let found = &judged.transaction.rule_matches()[0];
    let values: Vec<_> = found.values().collect();
    assert_eq!(values, [("ARGS:a".into(), "bad".into()), ("ARGS:d".into(), "bad2".into())]);
    assert_eq!((found.value_count, judged.interventions[0].found().unwrap().values.len()), (2, 2));
}

#[test]
fn the_values_of_a_chain_are_those_of_all_its_rules() {
    let rules = "SecRule ARGS:a \"@rx .\" \"id:31,phase:2,pass,log,chain,t:uppercase\"\nSecRule REQUEST_METHOD \"@streq GET\"";
    let judged = get(rules, "/?a=x");
    let values: Vec<_> = judged.transaction.rule_matches()[0].values().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(values, ["ARGS:a=x", "REQUEST_METHOD=GET"]);
}

#[test]
fn values_that_are_too_many_or_too_long_are_counted() {
    let rules = "SecRule ARGS \"@rx .\" \"id:32,phase:1,pass,log\"";
    let many = get(rules, &format!("/?{}", "a=b&".repeat(5000)));
    let found = &many.transaction.rule_matches()[0];
    assert_eq!((found.values.len(), found.value_count), (1000, 5000));
    let long = get(rules, &format!("/?{}", format!("{}={}&", "n".repeat(300), "v".repeat(300)).repeat(1000)));
    let found = &long.transaction.rule_matches()[0];
    let first = &found.values[0];
    assert_eq!((first.key.as_ref().unwrap().len(), first.value.len(), found.value_count), (200, 200, 1000));
    assert!(found.values.len() <= 16 * 1024 / 400);
}

/// The most common rate limit: the fourth request within a minute is refused.
const LIMITED: &str = "SecRule IP:n \"@gt 3\" \"id:41,phase:1,deny,status:429\"\n";

fn statuses(rules: &str) -> Vec<Option<u16>> {
    let rules = Rules::new(rules, &[]);
    (0..4).map(|_| from(&rules, "192.0.2.1").status()).chain([from(&rules, "192.0.2.2").status()]).collect()
}

#[test]
fn a_rule_counts_in_the_collection_that_it_opens() {
    let counted = [None, None, None, Some(429), None];
    let action = "SecAction \"id:40,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},setvar:ip.n=+1,expirevar:ip.n=60\"\n";
    assert_eq!(statuses(&format!("{action}{LIMITED}")), counted);
    let rule = "SecRule REQUEST_METHOD \"@streq GET\" \"id:40,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},setvar:ip.n=+1\"\n";
    assert_eq!(statuses(&format!("{rule}{LIMITED}")), counted);
    let between = "SecAction \"id:40,phase:1,pass,nolog,setvar:tx.k=%{REMOTE_ADDR},initcol:ip=%{tx.k},setvar:tx.k=none,setvar:ip.n=+1\"\n";
    assert_eq!(statuses(&format!("{between}{LIMITED}")), counted);
    let session = "SecAction \"id:40,phase:1,pass,nolog,setsid:%{REMOTE_ADDR},setvar:session.n=+1\"\n\
        SecRule SESSION:n \"@gt 3\" \"id:41,phase:1,deny,status:429\"";
    assert_eq!(statuses(session), counted);
}

#[test]
fn a_chain_counts_in_the_collection_that_its_first_rule_opens() {
    let reads = "SecRule REQUEST_METHOD \"@streq GET\" \"id:40,phase:1,deny,status:429,initcol:ip=%{REMOTE_ADDR},setvar:ip.n=+1,chain\"\n\
        SecRule IP:n \"@gt 3\"\n";
    assert_eq!(statuses(reads), [None, None, None, Some(429), None]);
    let writes = "SecRule REQUEST_METHOD \"@streq GET\" \"id:40,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},chain\"\n\
        SecRule REQUEST_URI \"@rx .\" \"setvar:ip.n=+1\"\n";
    assert_eq!(statuses(&format!("{writes}{LIMITED}")), [None, None, None, Some(429), None]);
}

#[test]
fn a_collection_that_a_rule_opens_behind_a_setvar_is_not_yet_the_one_that_is_written_to() {
    let rules = Rules::new(
        "SecAction \"id:42,phase:1,pass,nolog,initcol:ip=a\"\n\
         SecAction \"id:43,phase:1,pass,nolog,setvar:ip.n=+1,initcol:ip=b\"\n\
         SecAction \"id:44,phase:1,pass,nolog,setvar:tx.b=%{ip.n}\"\n\
         SecAction \"id:45,phase:2,pass,nolog,initcol:ip=a\"\n\
         SecAction \"id:46,phase:2,pass,nolog,setvar:tx.a=%{ip.n}\"",
        &[],
    );
    let judged = from(&rules, "192.0.2.1");
    assert_eq!((judged.tx("a").as_deref(), judged.tx("b").as_deref()), (Some("1"), Some("")));
}

#[test]
fn a_chain_that_fails_opens_no_collection_that_it_does_not_use() {
    let rules = "SecAction \"id:47,phase:1,pass,nolog,initcol:ip=a\"\n\
        SecRule REQUEST_METHOD \"@streq GET\" \"id:48,phase:1,pass,nolog,initcol:ip=b,chain\"\n\
        SecRule ARGS \"@streq never\" \"t:none\"\n\
        SecAction \"id:49,phase:1,pass,nolog,setvar:ip.n=5\"\n\
        SecRule IP:n \"@eq 5\" \"id:50,phase:2,pass,nolog,setvar:'tx.found=%{MATCHED_VAR_NAME}'\"";
    assert_eq!(get(rules, "/").tx("found").as_deref(), Some("IP:a::::n"));
}

#[test]
fn what_is_skipped_ends_with_its_phase() {
    let denies = "SecRule ARGS:a \"@streq x\" \"id:61,phase:2,deny\"\n";
    assert_eq!(get(&format!("SecAction \"id:60,phase:1,pass,nolog,skip:3\"\n{denies}"), "/?a=x").status(), Some(403));
    let behind = format!("SecAction \"id:60,phase:1,pass,nolog,skip:1\"\nSecAction \"id:62,phase:1,deny\"\n{denies}");
    assert_eq!(ids(&get(&behind, "/?a=x")), [61]);
    let jump = "SecAction \"id:60,phase:1,pass,nolog,skipAfter:NOWHERE\"\nSecAction \"id:62,phase:1,deny\"\n";
    assert_eq!(ids(&get(&format!("{jump}{denies}"), "/?a=x")), [61]);
    let back = format!("{denies}SecMarker BACK\nSecAction \"id:60,phase:1,pass,nolog,skipAfter:BACK\"\nSecAction \"id:62,phase:1,deny\"\n");
    assert_eq!(ids(&get(&back, "/?a=x")), [61]);
}

#[test]
fn a_target_that_is_removed_from_a_rule_is_removed_from_its_chain() {
    for removal in ["ruleRemoveTargetById=71;ARGS:text", "ruleRemoveTargetByTag=words;ARGS:text", "ruleRemoveTargetByMsg=Words;ARGS:text"] {
        let rules = format!(
            "SecAction \"id:70,phase:1,pass,nolog,ctl:{removal}\"\n\
             SecRule REQUEST_METHOD \"@streq GET\" \"id:71,phase:2,deny,chain,tag:words,msg:'Words'\"\n\
             SecRule REQUEST_URI \"@rx .\" \"chain\"\n\
             SecRule ARGS \"@contains attack\" \"t:none\"\n\
             SecRule ARGS \"@contains attack\" \"id:72,phase:2,pass,nolog,setvar:tx.others=+1\"\n"
        );
        let removed = get(&rules, "/?text=attack");
        assert_eq!((removed.status(), removed.tx("others").as_deref()), (None, Some("1")), "{removal}");
        assert_eq!(get(&rules, "/?t=attack").status(), Some(403), "{removal}");
    }
}

#[test]
fn actions_are_removed_by_their_id_as_rules_are() {
    for removal in ["ruleRemoveById=81", "ruleRemoveById=81-82", "ruleRemoveByTag=t"] {
        let rules = format!(
            "SecRule REQUEST_METHOD \"@streq GET\" \"id:80,phase:1,pass,nolog,ctl:{removal}\"\n\
             SecAction \"id:81,phase:1,deny,tag:t,setvar:tx.done=1\"\n"
        );
        let judged = get(&rules, "/");
        assert_eq!((judged.status(), judged.tx("done")), (None, None), "{removal}");
    }
}

#[test]
fn the_address_of_a_redirect_adds_nothing_to_the_response() {
    let rules = "SecRule ARGS:next \"@rx .\" \"id:90,phase:1,redirect:'https://login.example/?next=%{MATCHED_VAR}'\"";
    let judged = get(rules, "/?next=a%0d%0aSet-Cookie:%20sid=evil%00%7f%ff");
    let address = judged.interventions[0].location().unwrap();
    assert_eq!(address, "https://login.example/?next=a%0D%0ASet-Cookie: sid=evil%00%7F%FF");
    assert_eq!(get(rules, "/?next=/a/b%3fc=d").interventions[0].location(), Some("https://login.example/?next=/a/b?c=d"));
}

#[test]
fn an_ipv4_address_written_as_an_ipv6_one_is_the_same_client() {
    let rules = Rules::new("SecRule REMOTE_ADDR \"@ipMatch 10.0.0.0/8\" \"id:95,phase:1,deny\"", &[]);
    assert_eq!((from(&rules, "::ffff:10.1.2.3").status(), from(&rules, "::ffff:11.1.2.3").status()), (Some(403), None));
    rules.waf.ban("::ffff:192.0.2.9".parse().unwrap(), 0, Duration::from_secs(60)).unwrap();
    assert!(rules.waf.is_blacklisted("192.0.2.9".parse().unwrap(), 0).unwrap());
    assert!(
        rules.waf.unban("192.0.2.9".parse().unwrap(), 0).unwrap()
            && !rules.waf.is_blacklisted("::ffff:192.0.2.9".parse().unwrap(), 0).unwrap()
    );
}

#[test]
fn a_nul_and_a_character_that_is_cut_off_are_seen_behind_utf8_to_unicode() {
    let rules = "SecRule ARGS \"@validateByteRange 1-127\" \"id:96,phase:1,deny,t:none,t:utf8toUnicode,t:urlDecodeUni\"";
    assert_eq!(get(rules, "/?file=shell.php%00.jpg").status(), Some(403));
    assert_eq!(get(rules, "/?file=shell.php%c3").status(), Some(403));
    assert_eq!(get(rules, "/?file=shell.php").status(), None);
}

#[test]
fn a_no_break_space_is_white_space_that_is_compressed() {
    let rules = "SecRule ARGS \"@streq a b\" \"id:97,phase:1,deny,t:none,t:compressWhitespace\"";
    for value in ["a%20%a0%20b", "a%a0b", "a%c2%a0%0ab"] {
        assert_eq!(get(rules, &format!("/?q={value}")).status(), Some(403), "{value}");
    }
    let accent = "SecRule ARGS \"@streq à b\" \"id:97,phase:1,deny,t:none,t:compressWhitespace\"";
    assert_eq!(get(accent, "/?q=%c3%a0%20%20b").status(), Some(403));
}

#[test]
fn the_store_has_an_end_and_keeps_who_is_seen() {
    let rules = Rules::new(
        "SecStoreBytesLimit 200000\nSecAction \"id:98,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},setvar:ip.seen=+1,setvar:ip.q=%{ARGS.q}\"\n\
         SecAction \"id:99,phase:2,pass,nolog,setvar:tx.seen=%{ip.seen}\"",
        &[],
    );
    let target = format!("/?q={}", "x".repeat(5000));
    let ask = |client: &str| rules.judge(Request { client, target: &target, ..Request::default() }).tx("seen").unwrap();
    for round in 1..=20 {
        for n in 0..10 {
            ask(&format!("192.0.2.{}", round * 10 + n));
        }
        assert_eq!(ask("198.51.100.1"), round.to_string());
    }
    assert_eq!(ask("192.0.2.10"), "1", "who was not seen for long is forgotten");
}

#[test]
fn a_record_tells_how_often_it_changed_before() {
    let rules = Rules::new(
        "SecAction \"id:100,phase:1,pass,nolog,setvar:'tx.closed=<%{ip.is_new}>'\"\n\
         SecAction \"id:101,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},setvar:'tx.before=%{ip.update_counter}'\"\n\
         SecAction \"id:102,phase:1,pass,nolog,setvar:ip.n=+1,setvar:ip.m=+1,initcol:ip=%{REMOTE_ADDR}\"\n\
         SecAction \"id:103,phase:2,pass,nolog,setvar:'tx.all=%{ip.UPDATE_COUNTER} %{ip.is_new} %{ip.key}'\"\n\
         SecRule IP:UPDATE_RATE \"@ge 0\" \"id:106,phase:2,pass,nolog,setvar:tx.rate=1\"\n\
         SecRule &IP \"@eq 2\" \"id:104,phase:2,pass,nolog,setvar:tx.count=2\"\n\
         SecRule IP:CREATE_TIME|IP:LAST_UPDATE_TIME \"@le %{TIME_EPOCH}\" \"id:105,phase:2,pass,nolog,setvar:tx.times=+1\"",
        &[],
    );
    let ask = |client: &str| {
        let judged = from(&rules, client);
        assert_eq!(
            (judged.tx("closed").as_deref(), judged.tx("count").as_deref(), judged.tx("times").as_deref()),
            (Some("<>"), Some("2"), Some("2"))
        );
        assert_eq!(judged.tx("rate").as_deref(), Some("1"));
        (judged.tx("before").unwrap(), judged.tx("all").unwrap())
    };
    let told = |counter: u64, is_new: u64| (counter.to_string(), format!("{counter} {is_new} 192.0.2.1"));
    let answers: Vec<_> = (0..4).map(|_| ask("192.0.2.1")).collect();
    assert_eq!(answers, [told(0, 1), told(1, 0), told(2, 0), told(3, 0)]);
    assert_eq!(ask("192.0.2.2").0, "0");
}

#[test]
fn a_number_that_is_to_go_down_stays_until_its_time_has_passed() {
    let rules = Rules::new(
        "SecAction \"id:110,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR}\"\n\
         SecAction \"id:111,phase:1,pass,nolog,setvar:ip.n=+1,deprecatevar:ip.n=1/600,deprecatevar:tx.a=1/600,deprecatevar:ip.n=%{ARGS.p}\"\n\
         SecAction \"id:112,phase:2,pass,nolog,setvar:tx.n=%{ip.n}\"",
        &[],
    );
    let told: Vec<_> = (0..3).map(|_| from(&rules, "192.0.2.1").tx("n").unwrap()).collect();
    assert_eq!(told, ["1", "2", "3"]);
}

#[test]
fn a_pace_without_a_time_is_refused() {
    for pace in ["1", "1/0", "1/x", "x/1", ""] {
        let refused = refusal(&format!("SecAction \"id:1,phase:1,pass,deprecatevar:'ip.n={pace}'\""), &[]);
        assert!(refused.contains("E603"), "{pace}: {refused}");
    }
}

#[test]
fn a_rule_within_a_chain_may_be_named_by_its_own_id_where_targets_change() {
    let chain = "SecRule REQUEST_METHOD \"@streq GET\" \"id:121,phase:2,deny,chain\"\nSecRule ARGS \"@contains attack\" \"id:122\"\n";
    let at_load = format!("{chain}SecRuleUpdateTargetById 122 \"!ARGS:text\"");
    let for_a_request = format!("SecAction \"id:120,phase:1,pass,nolog,ctl:ruleRemoveTargetById=122;ARGS:text\"\n{chain}");
    for rules in [at_load, for_a_request] {
        assert_eq!((get(&rules, "/?text=attack").status(), get(&rules, "/?t=attack").status()), (None, Some(403)), "{rules}");
    }
}

#[test]
fn a_counter_that_an_update_adds_is_in_the_collection_that_the_rule_opens() {
    let action = "SecAction \"id:40,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR}\"\n\
        SecRuleUpdateActionById 40 \"setvar:ip.n=+1,expirevar:ip.n=60\"\n";
    assert_eq!(statuses(&format!("{action}{LIMITED}")), [None, None, None, Some(429), None]);
}
