//! Every limit at its edge: the maximum has no effect, one more sets the flag that rules and hosts read, and is reported once.

use secrule::internals::graph::Pace;
use secrule::internals::vocabulary::{Directive, Limit};
use secrule::{Down, MemoryStore, RecordHistory, RecordKey, Store, Update, Variables, WriteError};
use secrule::{Transaction, Waf};
use secrule_testkit::exchange::{Judged, Request, Rules, refusal};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Bodies are read by their type; a rule of phase 5 copies LIMITS_EXCEEDED to TX.
const RULES: &str = r#"
SecRule REQUEST_HEADERS:Content-Type "@contains json" "id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule REQUEST_HEADERS:Content-Type "@contains xml" "id:2,phase:1,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule LIMITS_EXCEEDED "@eq 1" "id:3,phase:5,pass,nolog,setvar:'tx.seen_%{MATCHED_VAR_NAME}=1'"
SecRule &LIMITS_EXCEEDED "@ge 0" "id:4,phase:5,pass,nolog,setvar:'tx.count=%{MATCHED_VAR}'"
"#;

/// A request, made for a size.
struct Sent {
    target: String,
    headers: Vec<(&'static str, String)>,
    body: Option<String>,
}

impl Sent {
    fn to(target: impl Into<String>) -> Self {
        Self { target: target.into(), headers: Vec::new(), body: None }
    }

    fn with(name: &'static str, value: impl Into<String>) -> Self {
        Self { headers: vec![(name, value.into())], ..Self::to("/") }
    }

    fn body(media_type: &str, body: impl Into<String>) -> Self {
        Self { body: Some(body.into()), ..Self::with("Content-Type", media_type) }
    }

    fn json(body: impl Into<String>) -> Self {
        Self::body("application/json", body)
    }

    fn xml(body: impl Into<String>) -> Self {
        Self::body("text/xml", body)
    }

    fn form(body: impl Into<String>) -> Self {
        Self::body("application/x-www-form-urlencoded", body)
    }

    fn multipart(parts: &[String]) -> Self {
        let parts: String = parts.iter().map(|part| format!("--b\r\n{part}\r\n")).collect();
        Self::body("multipart/form-data; boundary=b", format!("{parts}--b--\r\n"))
    }

    fn judged_by(&self, rules: &Rules) -> Judged {
        let headers: Vec<(&str, &str)> = self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        rules.judge(Request { target: &self.target, headers: &headers, body: self.body.as_deref(), ..Request::default() })
    }
}

/// A limit, rules that make it small, and a request for a size.
type Row = (Limit, &'static str, fn(usize) -> Sent);

fn field(name: &str) -> String {
    format!("Content-Disposition: form-data; name=\"{name}\"\r\n\r\nv")
}

/// Each accepts a request of size 5, and not one of size 6.
const ROWS: &[Row] = &[
    (Limit::RequestBody, "SecRequestBodyLimit 5\nSecRequestBodyLimitAction ProcessPartial", |size| Sent::form("a".repeat(size))),
    (Limit::RequestBodyNoFiles, "SecRequestBodyNoFilesLimit 5", |size| Sent::form("a".repeat(size))),
    // Host is one of them.
    (Limit::Headers, "SecHeadersLimit 5", |size| Sent { headers: vec![("A", "b".into()); size - 1], ..Sent::to("/") }),
    // `Host: shop.example` has 16 bytes.
    (Limit::HeaderBytes, "SecHeaderBytesLimit 21", |size| Sent::with("A", "b".repeat(size - 1))),
    (Limit::Cookies, "SecCookiesLimit 5", |size| Sent::with("Cookie", "a=b;".repeat(size))),
    (Limit::Arguments, "SecArgumentsLimit 5", |size| Sent::to(format!("/?{}", "a=b&".repeat(size).trim_end_matches('&')))),
    (Limit::Arguments, "SecArgumentsLimit 5", |size| Sent::json(format!("[{}1]", "1,".repeat(size - 1)))),
    (Limit::ArgumentBytes, "SecArgumentBytesLimit 5", |size| Sent::to(format!("/?a={}", "b".repeat(size - 1)))),
    (Limit::ArgumentBytes, "SecArgumentBytesLimit 5", |size| Sent::form(format!("a={}", "b".repeat(size - 1)))),
    // The name is `json`.
    (Limit::ArgumentBytes, "SecArgumentBytesLimit 9", |size| Sent::json(format!("\"{}\"", "b".repeat(size)))),
    (Limit::ArgumentBytes, "SecArgumentBytesLimit 6", |size| Sent::multipart(&[field(&"n".repeat(size))])),
    (Limit::JsonDepth, "SecRequestBodyJsonDepthLimit 5", |size| Sent::json("[".repeat(size) + &"]".repeat(size))),
    (Limit::JsonNodes, "SecRequestBodyJsonNodesLimit 5", |size| Sent::json(format!("[{}{{}}]", "{},".repeat(size - 2)))),
    (Limit::XmlDepth, "SecRequestBodyXmlDepthLimit 5", |size| Sent::xml("<a>".repeat(size) + &"</a>".repeat(size))),
    // Start and end of the root are two.
    (Limit::XmlNodes, "SecRequestBodyXmlNodesLimit 5", |size| Sent::xml(format!("<a>{}</a>", "<b/>".repeat(size - 2)))),
    (Limit::XmlAttributes, "SecRequestBodyXmlAttributesLimit 5", |size| {
        Sent::xml(format!("<a{}/>", (0..size).map(|number| format!(" b{number}='c'")).collect::<String>()))
    }),
    (Limit::XmlEntities, "SecRequestBodyXmlEntityLimit 5", |size| {
        Sent::xml(format!("<!DOCTYPE a [<!ENTITY e '{}'>]><a>&e;</a>", "x".repeat(size)))
    }),
    (Limit::XmlEntities, "SecRequestBodyXmlEntityLimit 5", |size| {
        Sent::xml(format!("<!DOCTYPE a [<!ATTLIST a b CDATA '{}'>]><a/>", "x".repeat(size - 1)))
    }),
    // With no entity at all, nothing may be expanded.
    (Limit::XmlEntities, "SecRequestBodyXmlEntityLimit 0", |size| {
        Sent::xml(format!("<!DOCTYPE a [<!ENTITY e 'x'>]><a>{}</a>", &"&e;"[..3 * (size - 5)]))
    }),
    // The root element is visited too.
    (Limit::XPath, "SecXPathLimit 6\nSecRule XML://b \"@unconditionalMatch\" \"id:10,phase:2,pass,nolog\"", |size| {
        Sent::xml(format!("<a>{}</a>", "<b/>".repeat(size)))
    }),
    (Limit::MultipartParts, "SecMultipartPartsLimit 5", |size| Sent::multipart(&vec![field("a"); size])),
    // Content-Disposition and the empty line after the headers are two.
    (Limit::MultipartHeaders, "SecMultipartHeadersLimit 5", |size| {
        Sent::multipart(&[(2..size).map(|number| format!("A{number}: b\r\n")).collect::<String>() + &field("a")])
    }),
    // A line is shorter than the limit, as in ModSecurity v3.
    (Limit::MultipartHeaderBytes, "SecMultipartHeaderBytesLimit 47", |size| Sent::multipart(&[field(&"a".repeat(size))])),
    (Limit::Files, "SecUploadFileLimit 5\nSecUploadDir /tmp\nSecTmpSaveUploadedFiles On", |size| {
        Sent::multipart(&vec!["Content-Disposition: form-data; name=\"a\"; filename=\"limits.txt\"\r\n\r\nv".to_owned(); size])
    }),
    (Limit::Captures, "SecCapturesLimit 5\nSecRule ARGS \"@rxGlobal a\" \"id:10,phase:2,pass,nolog,capture\"", |size| {
        Sent::to(format!("/?a={}", "a".repeat(size)))
    }),
    (Limit::Matches, "SecMatchesLimit 5\nSecRule ARGS \"@rx b\" \"id:10,phase:2,pass,log,multiMatch,t:none,t:lowercase\"", |size| {
        Sent::to(format!("/?{}", "a=b&".repeat(size).trim_end_matches('&')))
    }),
    (
        Limit::Matches,
        "SecMatchesLimit 5\nSecRule &ARGS \"@ge 1\" \"id:11,phase:2,pass,log\"\nSecRule &ARGS \"@ge 2\" \"id:12,phase:2,pass,log\"\nSecRule &ARGS \"@ge 3\" \"id:13,phase:2,pass,log\"\nSecRule &ARGS \"@ge 4\" \"id:14,phase:2,pass,log\"\nSecRule &ARGS \"@ge 5\" \"id:15,phase:2,pass,log\"\nSecRule &ARGS \"@ge 6\" \"id:16,phase:2,pass,log\"\n",
        |size| Sent::to(format!("/?{}", "a=b&".repeat(size).trim_end_matches('&'))),
    ),
    (Limit::PatternSteps, "SecPcreMatchLimit 500000\nSecRule ARGS \"@rx ^(a+)+\\1c$\" \"id:10,phase:2,pass,nolog\"", |size| {
        Sent::to(format!("/?a={}bc", "a".repeat(3 * size)))
    }),
    (Limit::MacroBytes, "SecMacroLimit 50\nSecAction \"id:10,phase:2,pass,nolog,setvar:'tx.a=%{ARGS.a}%{ARGS.a}'\"", |size| {
        Sent::to(format!("/?a={}", "b".repeat(5 * size)))
    }),
    (Limit::MacroDepth, "SecRule ARGS \"@eq 6\" \"id:10,phase:2,pass,log,msg:'%{RULE.logdata}',logdata:'%{RULE.msg}'\"", |size| {
        Sent::to(format!("/?a={size}"))
    }),
    (Limit::Transformation, "SecTransformationLimit 10\nSecRule ARGS \"@rx x\" \"id:10,phase:2,pass,nolog,t:hexEncode\"", |size| {
        Sent::to(format!("/?a={}", "b".repeat(size)))
    }),
    // A sixteenth of the limit is 1000 bytes.
    (
        Limit::StoreBytes,
        "SecStoreBytesLimit 16000\nSecRule ARGS \"@rx .\" \"id:10,phase:2,pass,nolog,setvar:ip.a=%{MATCHED_VAR}\"",
        |size| Sent::to(format!("/?a={}", "x".repeat(85 * size))),
    ),
    (
        Limit::StoreVariables,
        "SecStoreVariablesLimit 5\nSecRule ARGS \"@rx .\" \"id:10,phase:2,pass,nolog,setvar:ip.a%{MATCHED_VAR}=1\"",
        |size| Sent::to(format!("/?{}", (0..size).map(|number| format!("a={number}&")).collect::<String>().trim_end_matches('&'))),
    ),
    (
        Limit::StoreVariables,
        "SecStoreVariablesLimit 5\nSecRule ARGS \"@rx .\" \"id:10,phase:2,pass,nolog,setvar:ip.a%{MATCHED_VAR}=+1\"",
        |size| Sent::to(format!("/?{}", (0..size).map(|number| format!("a={number}&")).collect::<String>().trim_end_matches('&'))),
    ),
];

#[test]
fn what_just_fits_is_not_noticed_and_one_more_sets_the_flag() {
    for (limit, settings, sent) in ROWS {
        let what = format!("{} by {settings}", limit.name());
        let rules = Rules::new(&format!("{settings}\n{RULES}"), &[]);
        let fitting = sent(5).judged_by(&rules);
        assert_eq!(fitting.transaction.exceeded_limits().collect::<Vec<_>>(), [], "{what}");
        assert_eq!((rules.said(), fitting.tx("count").as_deref()), (Vec::new(), Some("0")), "{what}");

        let exceeding = sent(6).judged_by(&rules);
        assert_eq!(exceeding.transaction.exceeded_limits().collect::<Vec<_>>(), [*limit], "{what}");
        assert_eq!(exceeding.tx("count").as_deref(), Some("1"), "{what}");
        assert_eq!(exceeding.tx(&format!("seen_LIMITS_EXCEEDED:{}", limit.name())).as_deref(), Some("1"), "{what}");
        assert_eq!(exceeding.tx("MSC_LIMITS_EXCEEDED").is_some(), !limit.is_inherited(), "{what}");
        let told = format!("Limit exceeded: {} ({} ", limit.name(), limit.directive().name());
        let said = rules.said();
        assert_eq!(said.iter().filter(|line| line.starts_with(&told) && line.contains(limit.beyond())).count(), 1, "{what}: {said:?}");
    }
}

#[test]
fn a_long_response_sets_the_flag() {
    let exceeded = |limit: usize| {
        let rules = Rules::new(&format!("SecResponseBodyLimit {limit}\nSecResponseBodyLimitAction ProcessPartial"), &[]);
        rules.judge(Request::default()).transaction.exceeded_limits().collect::<Vec<_>>()
    };
    // The body is `fine`.
    assert_eq!((exceeded(4), exceeded(3)), (Vec::new(), vec![Limit::ResponseBody]));
}

#[cfg(feature = "lua")]
#[test]
fn scripts_that_are_stopped_set_flags() {
    let exceeded = |settings: &str, body: &str| {
        let script = format!("function main() {body} end");
        let rules = Rules::new(&format!("{settings}\nSecRuleScript a.lua \"id:10,phase:1,deny\""), &[("a.lua", &script)]);
        rules.judge(Request::default()).transaction.exceeded_limits().collect::<Vec<_>>()
    };
    let counts = "for i = 1, 100000 do end";
    assert_eq!(exceeded("", counts), []);
    assert_eq!(exceeded("SecLuaInstructionLimit 10000", counts), [Limit::LuaInstructions]);
    assert_eq!(exceeded("SecLuaTimeLimit 0", counts), [Limit::LuaTime]);
    assert_eq!(exceeded("SecLuaMemoryLimit 1000000", "return ('x'):rep(10000000)"), [Limit::LuaMemory]);
}

/// Sleeps.
#[derive(Debug, Default)]
struct SlowStore(MemoryStore);

impl SlowStore {
    fn wait(&self) -> &MemoryStore {
        std::thread::sleep(Duration::from_millis(20));
        &self.0
    }
}

impl Store for SlowStore {
    fn read(&self, record: &RecordKey, name: &[u8], by: Instant) -> Result<Option<Vec<u8>>, Down> {
        self.wait().read(record, name, by)
    }

    fn read_all(&self, record: &RecordKey, by: Instant) -> Result<Variables, Down> {
        self.wait().read_all(record, by)
    }

    fn write(&self, update: Update<'_>, name: &[u8], value: &[u8], by: Instant) -> Result<Option<RecordHistory>, WriteError> {
        self.wait().write(update, name, value, by)
    }

    fn add(&self, update: Update<'_>, name: &[u8], amount: i64, by: Instant) -> Result<(i64, Option<RecordHistory>), WriteError> {
        self.wait().add(update, name, amount, by)
    }

    fn set_timeout(&self, update: Update<'_>, timeout: Duration, by: Instant) -> Result<Option<RecordHistory>, WriteError> {
        self.wait().set_timeout(update, timeout, by)
    }

    fn touch(&self, update: Update<'_>, by: Instant) -> Result<Option<RecordHistory>, WriteError> {
        self.wait().touch(update, by)
    }

    fn deprecate(&self, record: &RecordKey, name: &[u8], pace: Pace, by: Instant) -> Result<Option<i64>, Down> {
        self.wait().deprecate(record, name, pace, by)
    }

    fn remove(&self, record: &RecordKey, name: &[u8], by: Instant) -> Result<(), Down> {
        self.wait().remove(record, name, by)
    }

    fn expire(&self, record: &RecordKey, name: &[u8], moment: SystemTime, by: Instant) -> Result<(), Down> {
        self.wait().expire(record, name, moment, by)
    }

    fn history(&self, record: &RecordKey, by: Instant) -> Result<Option<RecordHistory>, Down> {
        self.wait().history(record, by)
    }
}

#[test]
fn a_store_that_takes_too_long_is_not_asked_again() {
    let judge = |settings: &str| {
        let rules = format!(
            "SecRuleEngine On\n{settings}\n\
             SecAction \"id:1,phase:1,pass,nolog,setvar:ip.a=5\"\n\
             SecRule IP:a \"@eq 5\" \"id:2,phase:1,pass,nolog,setvar:tx.read=1\""
        );
        let waf = Waf::builder().rules("rules", &rules).store(Arc::new(SlowStore::default())).build().unwrap();
        let mut transaction = waf.transaction();
        let _ = transaction.process_request_headers();
        transaction
    };
    let (patient, hasty) = (judge(""), judge("SecStoreTimeLimit 10"));
    assert_eq!((patient.exceeded_limits().count(), patient.tx("read").as_deref()), (0, Some("1")));
    assert_eq!((hasty.exceeded_limits().collect::<Vec<_>>(), hasty.tx("read")), (vec![Limit::StoreTime], None));
}

/// Doubles a variable with each argument: 20 of them make it a megabyte long.
const DOUBLING: &str = "SecAction \"id:10,phase:1,pass,nolog,setvar:tx.x=xx\"\n\
    SecRule ARGS \"@unconditionalMatch\" \"id:11,phase:2,pass,nolog,setvar:'tx.x=%{TX.x}%{TX.x}'\"\n\
    SecAction \"id:12,phase:2,pass,nolog,setvar:tx.end=1\"\n";

fn with_arguments(count: usize) -> Sent {
    Sent::to(format!("/?{}", "a=b&".repeat(count).trim_end_matches('&')))
}

#[test]
fn a_transaction_that_fills_memory_ends_early() {
    let judge = |settings: &str| {
        let rules = Rules::new(&format!("{settings}\n{DOUBLING}{RULES}"), &[]);
        let judged = with_arguments(100).judged_by(&rules);
        (judged.status(), judged.tx("end"), judged.transaction.exceeded_limits().collect::<Vec<_>>())
    };
    let end = Some("1".to_owned());
    assert_eq!(judge(""), (None, end, vec![Limit::MacroBytes]));
    let memory = "SecTransactionMemoryLimit 16000000";
    assert_eq!(judge(memory), (Some(403), None, vec![Limit::MacroBytes, Limit::Memory]));
    assert_eq!(judge(&format!("{memory}\nSecTransactionBudget 1000000000 pass")), (None, None, vec![Limit::MacroBytes, Limit::Memory]));
}

#[test]
fn what_was_not_scanned_for_lack_of_budget_is_scanned_in_the_logging_phase() {
    let long = "x".repeat(20_000);
    for second in ["attack", "att%61ck"] {
        let transformation = if second.contains('%') { "t:urlDecodeUni," } else { "" };
        let rules = |budget: usize| {
            format!(
                "SecTransactionBudget {budget} pass\n\
                 SecRule REQUEST_HEADERS:A|REQUEST_HEADERS:B \"@contains attack\" \"id:1,phase:1,pass,nolog,{transformation}setvar:tx.first=1\"\n\
                 SecRule REQUEST_HEADERS:B \"@contains attack\" \"id:2,phase:5,pass,nolog,{transformation}setvar:tx.last=1\""
            )
        };
        for budget in (14_000..24_000).step_by(500) {
            let sent = Sent { headers: vec![("A", long.clone()), ("B", second.to_owned())], ..Sent::to("/") };
            let judged = sent.judged_by(&Rules::new(&rules(budget), &[]));
            assert_eq!(judged.tx("last").as_deref(), Some("1"), "{second} with {budget}: first {:?}", judged.tx("first"));
        }
    }
}

fn budget_is_exceeded(transaction: &Transaction) -> bool {
    transaction.limits().contains(Limit::Budget)
}

#[test]
fn the_budget_is_the_same_each_time_and_its_last_unit_may_be_spent() {
    let judge = |budget: usize| with_arguments(15).judged_by(&Rules::new(&format!("SecTransactionBudget {budget}\n{DOUBLING}"), &[]));
    let enough = 1_000_000_000;
    let needed = enough - judge(enough).transaction.budget_left();
    assert!(needed > 2 << 15, "what is stored counts: {needed}");
    let (exact, short) = (judge(needed), judge(needed - 1));
    assert_eq!((exact.status(), exact.tx("end").as_deref(), budget_is_exceeded(&exact.transaction)), (None, Some("1"), false));
    assert!(budget_is_exceeded(&short.transaction));
}

#[test]
fn over_budget_the_second_word_decides() {
    let judge = |settings: &str| {
        let rules = Rules::new(&format!("{settings}\n{DOUBLING}{RULES}"), &[]);
        let judged = with_arguments(15).judged_by(&rules);
        let said = rules.said().iter().filter(|line| line.contains("Limit exceeded: budget (SecTransactionBudget 30000)")).count();
        // Rules of phase 5 can still log it.
        assert_eq!(judged.tx("seen_LIMITS_EXCEEDED:budget").as_deref(), Some("1"), "{settings}");
        assert_eq!((judged.tx("end"), said), (None, 1), "{settings}");
        judged.interventions.into_iter().map(|intervention| (intervention.status(), intervention.reason().to_owned())).collect::<Vec<_>>()
    };
    let reason = "Access denied with code 403 (phase 2). The transaction goes beyond SecTransactionBudget 30000.".to_owned();
    assert_eq!(judge("SecTransactionBudget 30000"), [(403, reason.clone())]);
    assert_eq!(judge("SecTransactionBudget 30000 Deny"), [(403, reason)]);
    assert_eq!(judge("SecTransactionBudget 30000 pass"), []);
    assert_eq!(judge("SecTransactionBudget 30000\nSecRuleEngine DetectionOnly"), []);
}

/// Work of the prefilters before any rule counts as well, and a later `allow` does not undo an exceeded limit.
#[test]
fn rules_that_cannot_match_take_from_the_budget() {
    let closed = "SecRule ARGS \"@rx attackevil\" \"id:20,phase:1,deny,t:hexEncode\"\n\
                  SecRule ARGS \"@rx evilattack\" \"id:21,phase:1,deny,t:urlDecode,t:base64Encode\"\n";
    for behind in ["", "SecAction \"id:22,phase:1,pass,setvar:tx.end=1\"", "SecAction \"id:22,phase:1,allow,setvar:tx.end=1\""] {
        let judge = |budget: usize| {
            let rules = Rules::new(&format!("SecTransactionBudget {budget}\n{closed}{behind}"), &[]);
            with_arguments(500).judged_by(&rules)
        };
        let (enough, little) = (judge(1_000_000_000), judge(20_000));
        assert_eq!((enough.status(), budget_is_exceeded(&enough.transaction)), (None, false), "{behind}");
        assert_eq!((little.status(), budget_is_exceeded(&little.transaction)), (Some(403), true), "{behind}");
        assert!(little.interventions.iter().all(|decision| decision.reason().contains("(phase 1)")), "{behind}");
        assert_eq!(little.tx("end"), None, "{behind}");
    }
}

#[test]
fn beyond_the_memory_no_rule_is_answered_wrong() {
    let rules = "SecTransactionMemoryLimit 20000\n\
                 SecRule ARGS \"@rx nosuchhex\" \"id:20,phase:2,pass,nolog,t:hexEncode\"\n\
                 SecRule ARGS \"@rx ^hello there\" \"id:21,phase:2,deny,status:418,t:urlDecodeUni,t:lowercase\"\n\
                 SecAction \"id:22,phase:2,allow\"";
    let arguments = "a=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx&".repeat(200) + "z=Hello%2520there";
    let judged = Sent::form(arguments).judged_by(&Rules::new(rules, &[]));
    assert_eq!(judged.status(), Some(403));
    assert!(judged.interventions.iter().all(|decision| decision.reason().contains("(phase 2)")));
}

#[test]
fn the_limit_of_memory_is_the_same_for_each_transaction() {
    let exceeds = |rules: &Rules| with_arguments(500).judged_by(rules).transaction.limits().contains(Limit::Memory);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for limit in (40_000..400_000).step_by(4_000) {
        let memory = format!("SecTransactionMemoryLimit {limit}\nSecRule ARGS \"@rx nosuch\" \"id:10,phase:2,deny,t:hexEncode\"");
        let rules = Rules::new(&memory, &[]);
        first.push(exceeds(&rules));
        second.push(exceeds(&rules));
    }
    assert_eq!(first, second);
    assert_eq!((first.first(), first.last()), (Some(&true), Some(&false)));
}

#[test]
fn what_a_chain_logs_that_fails_in_the_end_takes_no_memory() {
    let rules: String = (0..100)
        .map(|number| {
            format!(
                "SecRule ARGS \"@unconditionalMatch\" \"id:1{number},phase:2,pass,log,multiMatch,t:hexEncode,chain\"\n\
                 SecRule REQUEST_METHOD \"@streq PUT\"\n"
            )
        })
        .collect();
    let judge = |limit: usize| {
        let rules = Rules::at_level(0, &format!("SecTransactionMemoryLimit {limit}\n{rules}"), &[]);
        with_arguments(50).judged_by(&rules).transaction
    };
    let (enough, little) = (judge(500_000), judge(50_000));
    assert_eq!((enough.rule_matches().len(), enough.limits().contains(Limit::Memory)), (0, false));
    assert!(little.limits().contains(Limit::Memory), "what one chain finds counts meanwhile");
}

#[test]
fn what_each_match_of_many_logs_takes_its_time_once() {
    let rules = Rules::at_level(0, "SecRule ARGS \"@unconditionalMatch\" \"id:10,phase:2,pass,log,multiMatch,t:hexEncode\"", &[]);
    let time = |values: usize| {
        let sent = with_arguments(values);
        let began = Instant::now();
        let judged = sent.judged_by(&rules);
        // Each value matches before and after the transformation.
        assert_eq!(judged.transaction.rule_matches().len(), 2 * values);
        began.elapsed()
    };
    // A match lists all earlier ones, so eight times as many take up to 64 times as long; if all were logged it would be 512 times. A busy machine
    // may be slow once.
    assert!((0..5).any(|_| time(1_000) < 200 * time(125)));
}

#[test]
fn the_next_rule_finds_the_flag_of_a_limit() {
    for flag in ["TX:MSC_LIMITS_EXCEEDED \"@eq 1\"", "TX:/^MSC_/ \"!@streq 0\"", "LIMITS_EXCEEDED:transformation \"@eq 1\""] {
        let rules = format!(
            "SecTransformationLimit 10\n\
             SecRule ARGS \"@rx zzzzz\" \"id:20,phase:1,pass,nolog,t:hexEncode\"\n\
             SecRule {flag} \"id:21,phase:1,deny,status:418\""
        );
        let judged = Sent::to("/?a=what%20grows%20too%20much").judged_by(&Rules::new(&rules, &[]));
        assert_eq!(judged.status(), Some(418), "{flag}");
    }
}

#[cfg(feature = "xml-validation")]
#[test]
fn ambiguous_grammars_take_from_the_budget() {
    let choices = "(a,a?,a?)?,".repeat(40);
    let grammar = format!("<!ELEMENT r ({}a*)>\n<!ELEMENT a EMPTY>", choices);
    let body = Sent::xml(format!("<r>{}</r>", "<a/>".repeat(200)));
    let judge = |settings: &str| {
        let rules = format!(
            "{settings}\nSecXmlExternalEntity On\n{RULES}\n\
             SecRule XML \"@validateDTD r.dtd\" \"id:10,phase:2,pass,nolog,setvar:tx.refused=1\""
        );
        let judged = body.judged_by(&Rules::new(&rules, &[("r.dtd", &grammar)]));
        (judged.tx("refused"), budget_is_exceeded(&judged.transaction), judged.transaction.budget_left())
    };
    let (refused, over, left) = judge("SecTransactionBudget 1000000000");
    assert_eq!((refused, over), (None, false));
    assert!(1_000_000_000 - left > 4000, "the states of the grammar count: {}", 1_000_000_000 - left);
    assert!(judge("SecTransactionBudget 4000").1);
}

#[test]
fn long_chains_and_wide_skips_are_refused_at_load() {
    let chain = |length: usize| {
        let first = "SecRule ARGS \"@rx a\" \"id:1,phase:2,pass,nolog,chain\"\n".to_owned();
        first + &"SecRule ARGS \"@rx a\" \"chain\"\n".repeat(length - 2) + "SecRule ARGS \"@rx a\""
    };
    Rules::new(&chain(100), &[]);
    assert!(refusal(&chain(101), &[]).contains("error[E608]: the chain has more than 100 rules"));
    assert!(refusal(&format!("SecChainLimit 2\n{}", chain(3)), &[]).contains("raise SecChainLimit before it, or split the chain"));
    let skip = |count: usize| format!("SecAction \"id:1,phase:1,pass,nolog,skip:{count}\"");
    Rules::new(&skip(10_000), &[]);
    assert!(refusal(&skip(10_001), &[]).contains("`skip` takes at most 10000 rules"));
    Rules::new(&format!("SecSkipLimit 10001\n{}", skip(10_001)), &[]);
}

#[test]
fn what_would_take_the_stack_is_refused_at_load() {
    assert!(refusal("SecRequestBodyXmlDepthLimit 513", &[]).contains("write a number up to 512"));
    assert!(refusal("SecTransactionBudget 5 maybe", &[]).contains("and after it deny or pass if you wish"));
    let rules = Rules::new(&format!("SecRequestBodyXmlDepthLimit 512\n{RULES}"), &[]);
    let judged = Sent::xml("<a>".repeat(512) + &"</a>".repeat(512)).judged_by(&rules);
    assert_eq!(judged.transaction.exceeded_limits().count(), 0);
}

#[test]
fn the_manual_lists_every_limit_with_its_default() {
    let manual = include_str!("../LIMITS.md");
    for limit in Limit::ALL {
        let default = limit.default().map_or("none".to_owned(), |default| default.to_string());
        let directive = limit.directive().name();
        let row = format!("| `{directive}` | {default} | {} | `{}` |", limit.beyond(), limit.name());
        assert!(manual.contains(&row), "LIMITS.md lacks: {row}");
        let doc = Directive::find(directive).unwrap().doc;
        let says = limit.is_inherited() || limit.default().is_none_or(|default| doc.contains(&default.to_string()));
        assert!(says, "{directive} does not tell its default: {doc}");
    }
}
