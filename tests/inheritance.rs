//! Rule sets that inherit others share their rules. In every detail that a user can see they are as if everything had been compiled together.

use secrule::internals::RuleMatch;
use secrule::internals::compile::Input;
use secrule::internals::graph::{ChainId, Phase, RuleIndex, Step};
use secrule::internals::record::error_log;
use secrule::{Intervention, Waf, WafBuilder};
use secrule_testkit::host::Exchange;
use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use std::process::ExitCode;

fn main() -> ExitCode {
    trials::run([
        trial!(additions_end_as_if_all_were_compiled_together),
        trial!(additions_that_are_refused_are_reported_as_if_all_were_compiled_together),
        trial!(several_loads_before_and_after_share_one_rule_set),
        trial!(a_rule_set_outlives_the_one_that_it_inherits),
        trial!(a_site_inherits_from_a_site),
        trial!(a_site_is_reloaded),
        trial!(a_builder_with_nothing_of_its_own_inherits_everything),
        trial!(sites_of_the_core_rule_set_end_as_if_all_were_compiled_together, [Needs::Shared("crs")]),
    ])
}

/// Rules with all that additions may depend on: defaults, markers, keys of TX, chains, updates, warnings.
const BASE: &[&str] = &[
    r#"SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess On
SecTmpDir /tmp
SecComponentSignature "base/1"
SecDefaultAction "phase:1,log,pass,t:lowercase,tag:'by-default'"
SecDefaultAction "phase:2,log,auditlog,deny,status:406,t:lowercase"
SecAction "id:100,phase:1,pass,nolog,setvar:tx.level=1,setvar:tx.limit=5"
SecRule &TX:limit_override "@eq 1" "id:101,phase:1,pass,nolog,setvar:tx.limit=%{tx.limit_override}"
SecRule TX:level "@lt 2" "id:102,phase:1,pass,nolog,skipAfter:END-LEVEL-2"
SecRule ARGS "@contains two" "id:103,phase:1,pass,msg:'level two'"
SecMarker END-LEVEL-2
SecAction "id:104,phase:1,pass,nolog,skipAfter:ELSEWHERE"
SecRule ARGS "@contains never" "id:105,phase:1,pass,msg:'never reached'"
"#,
    r#"SecRuleEngine DetectionOnly
SecArgumentsLimit 500
SecComponentSignature "base/2"
SecRule ARGS|!ARGS:token "@rx attack[0-9]+" "id:110,phase:2,block,capture,msg:'attack',tag:'attack',logdata:'%{MATCHED_VAR_NAME}',setvar:tx.score=+5"
SecRule ARGS "@pm union select" "id:111,phase:2,pass,t:urlDecodeUni,msg:'sql',tag:'sql',tag:'attack',setvar:tx.score=+2,setvar:tx.sql_hits=+1"
SecRule REQUEST_HEADERS:User-Agent "@contains bot" "id:112,phase:2,pass,msg:'bot',chain"
SecRule ARGS "@rx ^x" "t:none,tag:'second',setvar:tx.bots=+1"
SecRule TX:/^sql_/ "@ge 1" "id:113,phase:2,pass,msg:'sql seen',logdata:'%{MATCHED_VAR_NAME}'"
SecRule REQUEST_URI "@beginsWith /private" "id:114,phase:2,pass,t:none,t:urlDecode,msg:'private',tag:'place',ctl:ruleRemoveById=7"
SecRule REQUEST_COOKIES|REQUEST_HEADERS:Referer "@contains evil" "id:115,phase:2,pass,msg:'evil',multiMatch,t:base64Decode"
SecRule ARGS:removed "@streq 1" "id:116,phase:2,deny,status:400"
SecMarker BEFORE-SCORE
SecRule TX:score "@ge %{tx.limit}" "id:120,phase:2,deny,status:403,msg:'score %{tx.score}'"
SecRule RESPONSE_BODY "@rx leak" "id:130,phase:4,deny,status:500,msg:'leak'"
SecRuleUpdateTargetByTag attack "!ARGS:skipme"
SecRuleRemoveById 116 555
SecRuleRemoveByTag absent-tag
SecMarker END
"#,
];

/// Additions, and `true` if they share the rules of the base: before it, and after it.
const ADDITIONS: &[(&str, bool, bool)] = &[
    ("SecAction \"id:1,phase:1,pass,nolog,setvar:tx.site=7\"", true, true),
    (
        "SecRule ARGS \"@rx attack[0-9]+\" \"id:1,phase:2,deny,status:418,msg:'own'\"\nSecRule ARGS \"@contains plain\" \"id:2,phase:1,deny\"",
        true,
        true,
    ),
    ("SecRuleRemoveById 110", true, true),
    ("SecRuleRemoveById 100-112 120\nSecRuleRemoveByMsg never", true, true),
    ("SecRuleRemoveByTag attack\nSecRuleRemoveByTag second\nSecRuleRemoveByMsg bot", true, true),
    ("SecRuleRemoveByTag attack\nSecRuleRemoveById 116", true, true),
    ("SecRuleUpdateTargetById 114 \"!REQUEST_URI|ARGS\"\nSecRuleUpdateTargetById 115 \"!REQUEST_COOKIES:free\"", true, true),
    ("SecRuleUpdateTargetById 110 \"!ARGS:q\"", true, true),
    ("SecRuleUpdateTargetByMsg bot \"!REQUEST_HEADERS\"\nSecRuleUpdateTargetById 102 \"TX:limit\"", true, true),
    ("SecRuleUpdateTargetById 130 \"REQUEST_HEADERS\"", true, true),
    (
        "SecAction \"id:1,phase:1,pass,nolog,skipAfter:END-LEVEL-2\"\nSecAction \"id:2,phase:2,pass,nolog,skipAfter:BEFORE-SCORE\"",
        true,
        true,
    ),
    ("SecMarker ELSEWHERE", true, true),
    (
        "SecMarker OWN\nSecRule ARGS:jump \"@streq 1\" \"id:1,phase:2,pass,skipAfter:OWN\"\nSecRule ARGS:jump \"@streq 1\" \"id:2,phase:2,deny\"\nSecMarker OWN",
        true,
        true,
    ),
    ("SecAction \"id:1,phase:1,pass,nolog,setvar:tx.limit_override=2,setvar:tx.sql_own=1\"", true, true),
    ("SecRule TX:/^s/ \"@unconditionalMatch\" \"id:1,phase:5,pass,log,msg:'%{MATCHED_VAR_NAME}',setvar:tx.seen=+1\"", true, true),
    (
        "SecAction \"id:1,phase:1,pass,nolog,ctl:ruleRemoveById=110,ctl:ruleRemoveTargetById=111;ARGS:a,ctl:ruleRemoveByTag=place\"",
        true,
        true,
    ),
    (
        "SecAction \"id:1,phase:1,pass,nolog,ctl:ruleRemoveById=9999\"\nSecRuleRemoveById 8888,7777\nSecAction \"id:2,phase:1,pass,skipAfter:NOWHERE\"",
        true,
        true,
    ),
    ("SecAction \"id:7,phase:5,pass,log,msg:'removed by the base'\"", true, true),
    ("SecAction \"id:555,phase:2,deny\"\nSecRule ARGS \"@contains own\" \"id:1,phase:2,deny,tag:'attack',msg:'own'\"", true, true),
    ("SecAction \"id:1,phase:2,pass,tag:'absent-tag'\"", true, true),
    ("SecRuleEngine DetectionOnly\nSecArgumentsLimit 1\nSecComponentSignature \"own/1\"", true, true),
    ("SecRequestBodyAccess Off\nSecRequestBodyLimit 100\nSecRequestBodyLimitAction Reject\nSecTmpDir /tmp", true, true),
    (
        "SecRule ARGS \"@contains a\" \"id:1,phase:2,pass,chain\"\nSecRule ARGS \"@contains b\" \"chain\"\nSecRule ARGS \"@contains c\" \"setvar:tx.chained=1\"\nSecRuleUpdateActionById 1 \"log,msg:'updated'\"",
        true,
        true,
    ),
    (
        "SecRule ARGS \"@rx ^.$\" \"id:1,phase:2,pass,log,t:hexEncode,t:trim,t:length,multiMatch\"\nSecRule ARGS \"@rx b\" \"id:2,phase:2,pass,t:none,t:urldecodeuni,t:lowerCase\"",
        true,
        true,
    ),
    (
        "SecRule REQUEST_HEADERS:Content-Type \"@contains xml\" \"id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=XML\"\nSecRule REQUEST_BODY \"@contains x\" \"id:2,phase:2,pass\"",
        true,
        true,
    ),
    ("SecDefaultAction \"phase:2,pass,t:hexDecode\"\nSecRule ARGS \"@contains a\" \"id:1,phase:2,block\"", false, false),
    ("SecRuleUpdateActionById 110 \"pass,msg:'changed'\"", false, false),
    ("SecPcreMatchLimit 10\nSecCapturesLimit 1", false, true),
    ("SecAction \"id:1,phase:1,pass,nolog,setvar:tx.LEVEL=3\"", false, true),
    ("SecRule ARGS a \"id:1,phase:2,pass,chain\"", false, true),
    ("", true, true),
];

/// Targets, forms and user agents of requests.
const REQUESTS: &[(&str, &str, &str)] = &[
    ("/", "", "browser"),
    ("/?a=two", "", "browser"),
    ("/?q=attack12", "", "browser"),
    ("/?token=attack12", "", "bot"),
    ("/?skipme=attack7+union", "", "browser"),
    ("/?a=union+select", "b=own", "browser"),
    ("/?a=UNION", "x=1&y=xyz", "a Bot"),
    ("/private/%61?never=1&removed=1", "own=plain", "bot"),
    ("/?jump=1&a=abc&b=leak", "leak=1", "browser"),
    ("/?a=x&evil=1", "free=evil&a=attack1", "evil bot"),
];

/// The result of a request. The order of TX is that of the numbers of its keys, which inherited rules keep.
#[derive(Debug, PartialEq)]
struct Ending {
    decisions: Vec<(u16, String, Option<RuleMatch>)>,
    matches: Vec<RuleMatch>,
    tx: Vec<(String, String)>,
    lines: Vec<String>,
}

fn ending(waf: &Waf, (target, form, agent): (&str, &str, &str)) -> Ending {
    let mut transaction = waf.transaction_with_id("same");
    let length = form.len().to_string();
    let exchange = Exchange::of(target.as_bytes(), form.as_bytes()).header("Host", "shop.example").header("User-Agent", agent);
    let exchange = exchange.header("Cookie", "a=ZXZpbA==; free=evil").header("Content-Type", "application/x-www-form-urlencoded");
    let exchange = exchange.header("Content-Length", &length).answered("text/html", target.as_bytes());
    let decision = |decision: Intervention| {
        (decision.status(), format!("{:?} {}", decision.action(), decision.reason()), decision.found().cloned().map(numberless))
    };
    let decisions = exchange.run(&mut transaction).into_iter().map(decision).collect();
    let lines = transaction.rule_matches().iter().map(|found| error_log::line(&transaction, found)).collect();
    let matches = transaction.rule_matches().iter().cloned().map(numberless).collect();
    let mut tx: Vec<_> = transaction.tx_variables().collect();
    tx.sort();
    Ending { decisions, matches, tx, lines }
}

fn numberless(mut found: RuleMatch) -> RuleMatch {
    found.rule = RuleIndex(0);
    found.values.iter_mut().for_each(|value| value.chain = ChainId::EMPTY);
    found
}

/// Returns everything that a load tells of itself.
fn contents(waf: &Waf, loads: usize) -> Vec<String> {
    let (graph, report) = (waf.graph(), waf.report());
    let phases = Phase::ALL.iter().map(|phase| {
        let step = |step: &Step| match step {
            Step::Rule(index) => format!("{}{:?}", graph.rule(*index).unwrap().reference(), graph.removal(*index)),
            Step::Marker(marker) => graph.marker(*marker).to_owned(),
        };
        graph.phases.at(*phase).iter().map(step).collect::<Vec<_>>().join(" ")
    });
    let counts = (report.rules, report.actions, report.chained, report.markers, report.removed, report.sets_engine());
    let of_loads = (0..loads).map(|load| {
        let texts: Vec<_> = report.texts_of(load).map(|text| (&text.name, text.bytes)).collect();
        format!("{texts:?} {:?}", report.warnings_of(load).map(|warning| warning.render(report.texts())).collect::<Vec<_>>())
    });
    let sources = format!("{:?}", report.sources.iter().map(|source| (&source.name, source.bytes)).collect::<Vec<_>>());
    let warnings = report.located_warnings().map(|warning| format!("{warning:?}"));
    let bodies = format!("{:?}", Phase::ALL.map(|phase| graph.body_use.at(phase)));
    phases.chain(of_loads).chain(warnings).chain([format!("{counts:?}"), sources, bodies, format!("{:?}", graph.settings)]).collect()
}

fn text(name: &str, rules: &str) -> Input {
    Input::Text { name: name.to_owned(), text: rules.to_owned() }
}

fn loads(loads: &[Input]) -> WafBuilder {
    loads.iter().fold(Waf::builder().separate_loads(), |builder, load| builder.input(load.clone()))
}

fn base() -> (Vec<Input>, Waf) {
    let inputs: Vec<Input> = BASE.iter().zip(["base", "more"]).map(|(rules, name)| text(name, rules)).collect();
    let waf = loads(&inputs).build().unwrap();
    (inputs, waf)
}

/// Compiles loads in full, and with the base that is among them; compares both. Returns `true` if the base is shared.
fn compare(all: &[Input], base: &Waf, within: std::ops::Range<usize>, requests: &[(&str, &str, &str)]) -> bool {
    let extended = loads(all).foundation(base.foundation(), within).build().unwrap();
    let full = loads(all).build().unwrap();
    assert_eq!(contents(&extended, all.len()), contents(&full, all.len()), "{all:?}");
    for request in requests {
        assert_eq!(ending(&extended, *request), ending(&full, *request), "{request:?} {all:?}");
    }
    extended.is_extension()
}

fn additions_end_as_if_all_were_compiled_together() {
    let (inputs, base) = base();
    for (rules, shares_before, shares_after) in ADDITIONS {
        let own = text("own", rules);
        let before = [vec![own.clone()], inputs.clone()].concat();
        assert_eq!(compare(&before, &base, 1..3, REQUESTS), *shares_before, "before: {rules}");
        let after = [inputs.clone(), vec![own]].concat();
        assert_eq!(compare(&after, &base, 0..2, REQUESTS), *shares_after, "after: {rules}");
    }
    for (patterns, shares) in [(2, true), (4, true), (40, false)] {
        let rule = |id| {
            format!(
                "SecRule ARGS|REQUEST_HEADERS \"@rx (?:text|word){id}|own\" \"id:7{id},phase:2,pass,t:lowercase,msg:'%{{MATCHED_VAR}}'\"\n"
            )
        };
        let own = text("own", &(0..patterns).map(rule).collect::<String>());
        let requests = [REQUESTS, &[("/?a=text7", "b=WORD39&c=no", "word1 attack9")]].concat();
        assert_eq!(compare(&[vec![own.clone()], inputs.clone()].concat(), &base, 1..3, &requests), shares);
        assert_eq!(compare(&[inputs.clone(), vec![own]].concat(), &base, 0..2, &requests), shares);
    }
}

fn additions_that_are_refused_are_reported_as_if_all_were_compiled_together() {
    let (inputs, base) = base();
    for rules in ["SecRule ARGS a \"id:110,phase:1\"", "SecRule ARGS \"@rx (\" \"id:1,phase:1\"", "Nonsense", "Include absent.conf"] {
        for (all, within) in
            [([vec![text("own", rules)], inputs.clone()].concat(), 1..3), ([inputs.clone(), vec![text("own", rules)]].concat(), 0..2)]
        {
            let extended = loads(&all).foundation(base.foundation(), within).build().unwrap_err();
            assert_eq!(extended.to_string(), loads(&all).build().unwrap_err().to_string());
        }
    }
}

fn several_loads_before_and_after_share_one_rule_set() {
    let (inputs, base) = base();
    let before = [
        text("one", "SecAction \"id:1,phase:1,pass,setvar:tx.one=1\"\nSecTmpDir /one"),
        text("two", "SecMarker ELSEWHERE\nSecTmpDir /two"),
    ];
    let after = [
        text("three", "SecRule TX:one \"@eq 1\" \"id:3,phase:2,pass,msg:'three',skipAfter:END\""),
        text("four", "SecRuleRemoveById 110,1\nSecTmpDir /four"),
    ];
    let all = [&before[..], &inputs, &after].concat();
    assert!(compare(&all, &base, 2..4, REQUESTS));
}

fn judge(waf: &Waf, target: &str) -> Option<u16> {
    ending(waf, (target, "", "browser")).decisions.first().map(|(status, ..)| *status)
}

fn a_rule_set_outlives_the_one_that_it_inherits() {
    let base = Waf::builder().rules("base", &BASE.concat().replacen("SecRuleEngine DetectionOnly", "", 1)).build().unwrap();
    let site = Waf::builder().base(&base).rules("own", "SecRule ARGS \"@contains own\" \"id:1,phase:1,deny,status:401\"").build().unwrap();
    let (before, now) = (judge(&base, "/?q=attack1"), judge(&site, "/?q=attack1"));
    drop(base);
    assert_eq!((before, now), (Some(406), Some(406)));
    assert_eq!((judge(&site, "/?q=attack1"), judge(&site, "/?q=own"), judge(&site, "/")), (Some(406), Some(401), None));
}

fn a_site_inherits_from_a_site() {
    let base = Waf::from_rules("SecRuleEngine On\nSecRule ARGS \"@contains base\" \"id:1,phase:1,deny,status:401\"").unwrap();
    let site =
        Waf::builder().base(&base).rules("site", "SecRule ARGS \"@contains site\" \"id:2,phase:1,deny,status:402\"").build().unwrap();
    let part =
        Waf::builder().base(&site).rules("part", "SecRule ARGS \"@contains part\" \"id:3,phase:1,deny,status:403\"\nSecRuleRemoveById 1");
    let part = part.build().unwrap();
    assert!(site.is_extension() && part.is_extension());
    let status = |waf: &Waf| ["/?base", "/?site", "/?part"].map(|target| judge(waf, &target.replace('?', "?a=")));
    assert_eq!(status(&base), [Some(401), None, None]);
    assert_eq!(status(&site), [Some(401), Some(402), None]);
    assert_eq!(status(&part), [None, Some(402), Some(403)]);
    // Additions that cannot share the rules are compiled with them.
    let full = Waf::builder().base(&part).rules("full", "SecDefaultAction \"phase:2,deny\"").build().unwrap();
    assert!(!full.is_extension());
    assert_eq!(status(&full), status(&part));
}

fn a_site_is_reloaded() {
    let base = Waf::from_rules("SecRuleEngine On\nSecRule ARGS \"@contains base\" \"id:1,phase:1,deny,status:401\"").unwrap();
    let site = Waf::builder().base(&base).rules("site", "SecRuleEngine DetectionOnly").build().unwrap();
    assert_eq!(judge(&site, "/?a=base"), None);
    site.reload(Waf::builder().base(&base).rules("site", "SecAction \"id:2,phase:1,pass\"")).unwrap();
    assert_eq!(judge(&site, "/?a=base"), Some(401));
    assert!(site.reload(Waf::builder().base(&base).rules("site", "SecRule ARGS a \"id:1,phase:1\"")).is_err());
    assert_eq!(judge(&site, "/?a=base"), Some(401));
    base.reload(Waf::builder().rules("base", "SecRuleEngine Off")).unwrap();
    assert_eq!((judge(&base, "/?a=base"), judge(&site, "/?a=base")), (None, Some(401)));
}

fn a_builder_with_nothing_of_its_own_inherits_everything() {
    let base = Waf::builder().starter_rules().build().unwrap();
    let site = Waf::builder().base(&base).build().unwrap();
    assert_eq!(contents(&site, 1), contents(&base, 1));
    let exclusion = Waf::builder().base(&base).remove_rule(11_101).remove_target(11_102, "ARGS:q").build();
    assert!(exclusion.is_ok_and(|site| site.is_extension()));
}

fn sites_of_the_core_rule_set_end_as_if_all_were_compiled_together() {
    let crs = secrule_testkit::shared("crs");
    let settings = "SecRuleEngine On\nSecRequestBodyAccess On\nSecResponseBodyAccess On\n";
    let rules = format!("{settings}Include {0}/crs-setup.conf.example\nInclude {0}/rules/*.conf\n", crs.display());
    let inputs = [text("crs", &rules)];
    let base = loads(&inputs).build().unwrap();
    let requests = [
        ("/", "", "browser"),
        ("/?id=1%27+UNION+SELECT+a+FROM+b--", "", "browser"),
        ("/?q=%3Cscript%3Ealert(1)%3C/script%3E", "a=b", "browser"),
        ("/?f=../../etc/passwd", "cmd=%3Bcat+/etc/passwd", "sqlmap/1.0"),
        ("/.git/config", "", ""),
    ];
    for own in [
        "SecAction \"id:1,phase:1,nolog,pass,setvar:tx.site=1\"\nSecRuleRemoveById 942100",
        "SecAction \"id:1,phase:1,nolog,pass,setvar:tx.blocking_paranoia_level=4,setvar:tx.detection_paranoia_level=4\"\n\
            SecRuleRemoveByTag attack-xss",
        "SecRuleUpdateTargetByTag attack-sqli \"!ARGS:id\"\nSecRuleUpdateTargetById 932160 \"!ARGS:cmd\"\n\
            SecRule ARGS \"@contains script\" \"id:1,phase:2,deny,status:418,t:none,t:lowercase\"",
        "SecRule REQUEST_URI \"@beginsWith /\" \"id:1,phase:1,pass,nolog,ctl:ruleRemoveByTag=OWASP_CRS,ctl:ruleRemoveTargetById=942100;ARGS\"",
        "SecRuleEngine DetectionOnly\nSecAction \"id:1,phase:1,pass,nolog,skipAfter:END-HOST-CHECK\"",
    ] {
        assert!(compare(&[text("own", own), inputs[0].clone()], &base, 1..2, &requests), "{own}");
        assert!(compare(&[inputs[0].clone(), text("own", own)], &base, 0..1, &requests), "{own}");
    }
}
