//! Verdicts, matches and variables of whole transactions.

use secrule::internals::source::Memory;
use secrule::{Action, Intervention, Transaction, Waf};
use secrule_testkit::host::Exchange;

/// A request that was judged by a host that stops at the first intervention.
struct Judged {
    transaction: Transaction,
    intervention: Option<Intervention>,
}

impl Judged {
    fn ids(&self) -> Vec<u64> {
        self.transaction.rule_matches().iter().map(|found| found.id).collect()
    }

    fn status(&self) -> Option<u16> {
        self.intervention.as_ref().map(Intervention::status)
    }

    fn tx(&self, key: &str) -> Option<String> {
        self.transaction.tx(key)
    }
}

fn waf(rules: &str) -> Waf {
    Waf::from_rules(&format!("SecRuleEngine On\n{rules}")).unwrap_or_else(|error| panic!("{error}"))
}

fn waf_of(rules: &str) -> Waf {
    Waf::from_rules(rules).unwrap_or_else(|error| panic!("{error}"))
}

fn get(rules: &str, target: &str) -> Judged {
    send(&waf(rules), target, &[], b"")
}

fn post(rules: &str, content_type: &str, body: &str) -> Judged {
    send(&waf(rules), "/", &[("Content-Type", content_type)], body.as_bytes())
}

fn send(waf: &Waf, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Judged {
    let mut transaction = waf.transaction();
    let intervention = exchange(target, headers, body).run(&mut transaction);
    Judged { transaction, intervention }
}

fn exchange<'a>(target: &'a str, headers: &'a [(&str, &str)], body: &'a [u8]) -> Exchange<'a> {
    let request = Exchange::of(target.as_bytes(), body).header("Host", "shop.example:8080").headers(headers);
    request.answered("text/html; charset=utf-8", b"<html>hello</html>")
}

#[test]
fn a_rule_denies_with_its_status() {
    let judged = get("SecRule ARGS:q \"@contains bad\" \"id:1,phase:2,deny,status:418\"", "/?q=so+bad");
    assert_eq!(judged.status(), Some(418));
    assert_eq!(judged.ids(), [1]);
    assert!(judged.transaction.rule_matches()[0].disruptive);
    assert_eq!(get("SecRule ARGS:q \"@contains bad\" \"id:1,phase:2,deny\"", "/?q=good").status(), None);
}

#[test]
fn without_an_engine_setting_nothing_is_blocked() {
    let waf = Waf::from_rules("SecRule ARGS \"@rx .\" \"id:1,phase:2,deny\"").unwrap();
    let judged = send(&waf, "/?a=b", &[], b"");
    assert_eq!((judged.status(), judged.ids()), (None, vec![1]));
}

#[test]
fn only_block_takes_the_default_action_even_one_written_later() {
    let rules = "SecRule ARGS \"@rx .\" \"id:1,phase:2,block\"\nSecDefaultAction \"phase:2,deny,status:409\"\n";
    assert_eq!(get(rules, "/?a=b").status(), Some(409));
    let silent = "SecDefaultAction \"phase:2,deny,status:409\"\nSecRule ARGS \"@rx .\" \"id:1,phase:2\"\n";
    assert_eq!(get(silent, "/?a=b").status(), None);
    assert_eq!(get("SecRule ARGS \"@rx .\" \"id:1,phase:2,block\"", "/?a=b").status(), None);
}

#[test]
fn all_rules_of_a_chain_must_match_and_the_first_one_decides() {
    let rules = "SecRule ARGS:a \"@streq 1\" \"id:1,phase:2,deny,chain,msg:'both %{MATCHED_VAR_NAME}'\"\nSecRule ARGS:b \"@streq 2\" \"setvar:tx.hit=1\"\n";
    let both = get(rules, "/?a=1&b=2");
    assert_eq!((both.status(), both.ids(), both.tx("hit")), (Some(403), vec![1], Some("1".to_owned())));
    assert_eq!(both.transaction.rule_matches()[0].message(), "both ARGS:b");
    assert_eq!(get(rules, "/?a=1").status(), None);
    assert_eq!(get(rules, "/?b=2").status(), None);
}

#[test]
fn a_parent_sets_its_variables_even_when_the_chain_fails() {
    let rules =
        "SecRule ARGS:a \"@streq 1\" \"id:1,phase:2,pass,chain,setvar:tx.seen=+1\"\nSecRule ARGS:b \"@streq 2\" \"setvar:tx.hit=1\"\n";
    let judged = get(rules, "/?a=1");
    assert_eq!((judged.tx("seen"), judged.tx("hit")), (Some("1".to_owned()), None));
}

#[test]
fn skip_skip_after_and_markers_jump() {
    let rules = "SecAction \"id:1,phase:2,pass,nolog,skip:1\"\n\
        SecAction \"id:2,phase:2,pass,nolog,setvar:tx.two=1\"\n\
        SecAction \"id:3,phase:2,pass,nolog,setvar:tx.three=1,skipAfter:END\"\n\
        SecAction \"id:4,phase:2,pass,nolog,setvar:tx.four=1\"\n\
        SecMarker END\n\
        SecAction \"id:5,phase:2,pass,nolog,setvar:tx.five=1\"\n";
    let judged = get(rules, "/");
    let set: Vec<_> = ["two", "three", "four", "five"].into_iter().filter(|key| judged.tx(key).is_some()).collect();
    assert_eq!(set, ["three", "five"]);
}

#[test]
fn allow_reaches_as_far_as_it_says() {
    let rules = |scope: &str| {
        format!(
            "SecAction \"id:1,phase:1,nolog,{scope}\"\n\
             SecAction \"id:2,phase:1,pass,nolog,setvar:tx.one=1\"\n\
             SecAction \"id:3,phase:2,pass,nolog,setvar:tx.two=1\"\n\
             SecAction \"id:4,phase:3,pass,nolog,setvar:tx.three=1\"\n\
             SecAction \"id:5,phase:5,pass,nolog,setvar:tx.five=1\"\n"
        )
    };
    let reached = |scope: &str| {
        let judged = get(&rules(scope), "/");
        ["one", "two", "three", "five"].into_iter().filter(|key| judged.tx(key).is_some()).collect::<Vec<_>>()
    };
    assert_eq!(reached("allow:phase"), ["two", "three", "five"]);
    assert_eq!(reached("allow:request"), ["three", "five"]);
    assert_eq!(reached("allow"), ["five"]);
}

#[test]
fn redirect_and_drop_say_so() {
    let judged = get("SecAction \"id:1,phase:1,redirect:'https://example.org/%{REQUEST_METHOD}'\"", "/");
    let intervention = judged.intervention.as_ref().unwrap();
    assert_eq!((intervention.status(), intervention.location()), (302, Some("https://example.org/GET")));
    let judged = get("SecAction \"id:1,phase:1,drop\"", "/");
    assert_eq!(judged.intervention.as_ref().unwrap().action(), &Action::Drop { status: 403 });
}

#[test]
fn variables_are_counted_added_to_and_removed() {
    let rules = "SecAction \"id:1,phase:1,pass,nolog,setvar:tx.a=5,setvar:tx.A=+2,setvar:'tx.b=x y',setvar:tx.c=-3,setvar:tx.d,setvar:!tx.d\"\n\
        SecRule &TX:a|&TX:d \"@eq 1\" \"id:2,phase:1,pass,setvar:tx.n=+1\"\n\
        SecAction \"id:3,phase:1,pass,nolog,setvar:tx.%{tx.b}=%{tx.a}0\"\n";
    let judged = get(rules, "/");
    let value = |key| judged.tx(key).unwrap_or_default();
    assert_eq!(
        (value("a"), value("b"), value("c"), value("n"), value("x y")),
        ("7".into(), "x y".into(), "-3".into(), "1".into(), "70".into())
    );
    assert_eq!(judged.tx("d"), None);
}

#[test]
fn captures_stay_until_they_are_overwritten() {
    let rules = "SecRule ARGS:a \"@rx ^(.)(.)\" \"id:1,phase:2,pass,capture,setvar:tx.first=%{tx.1}\"\n\
        SecRule ARGS:a \"@rx (z)?c\" \"id:2,phase:2,pass,capture\"\n";
    let judged = get(rules, "/?a=abc");
    let value = |key| judged.tx(key).unwrap_or_default();
    assert_eq!((value("first"), value("0"), value("1"), value("2")), ("a".into(), "c".into(), "a".into(), "b".into()));
}

#[test]
fn multi_match_asks_after_every_step_that_changes_the_value() {
    let rules = "SecRule ARGS:a \"@streq A B\" \"id:1,phase:2,pass,multiMatch,t:none,t:lowercase,t:removeWhitespace\"\n\
        SecRule ARGS:a \"@streq a b\" \"id:2,phase:2,pass,multiMatch,t:none,t:lowercase,t:removeWhitespace\"\n\
        SecRule ARGS:a \"@streq ab\" \"id:3,phase:2,pass,multiMatch,t:none,t:lowercase,t:removeWhitespace\"\n\
        SecRule ARGS:a \"@streq a b\" \"id:4,phase:2,pass,t:none,t:lowercase,t:removeWhitespace\"\n";
    assert_eq!(get(rules, "/?a=A+B").ids(), [1, 2, 3]);
}

#[test]
fn exclusions_hold_wherever_they_stand() {
    let rules = "SecRule !ARGS:b|ARGS|!ARGS:/^x/ \"@rx .\" \"id:1,phase:2,pass,setvar:tx.%{MATCHED_VAR_NAME}=1\"\n\
        SecRule ARGS|!ARGS \"@rx .\" \"id:2,phase:2,pass\"\n";
    let judged = get(rules, "/?a=1&B=2&x1=3&cx=4");
    let seen: Vec<_> = ["ARGS:a", "ARGS:B", "ARGS:x1", "ARGS:cx"].into_iter().filter(|key| judged.tx(key).is_some()).collect();
    assert_eq!((seen, judged.ids()), (vec!["ARGS:a", "ARGS:cx"], vec![1]));
}

#[test]
fn ctl_changes_one_transaction() {
    let rules = "SecRule ARGS:off \"@streq rules\" \"id:1,phase:1,pass,nolog,ctl:ruleRemoveById=10-11,ctl:ruleRemoveByTag=noise\"\n\
        SecRule ARGS:off \"@streq target\" \"id:2,phase:1,pass,nolog,ctl:ruleRemoveTargetById=10;ARGS:q,ctl:ruleRemoveTargetByTag=noise;ARGS:q\"\n\
        SecRule ARGS:off \"@streq engine\" \"id:3,phase:1,pass,nolog,ctl:ruleEngine=DetectionOnly\"\n\
        SecRule ARGS:q \"@rx .\" \"id:10,phase:2,pass\"\n\
        SecRule ARGS:q \"@rx .\" \"id:12,phase:2,pass,tag:noise\"\n\
        SecRule ARGS:q \"@rx .\" \"id:13,phase:2,deny\"\n";
    assert_eq!(get(rules, "/?q=1").ids(), [10, 12, 13]);
    assert_eq!(get(rules, "/?q=1&off=rules").ids(), [13]);
    assert_eq!(get(rules, "/?q=1&off=target").ids(), [13]);
    let watched = get(rules, "/?q=1&off=engine");
    assert_eq!((watched.status(), watched.ids()), (None, vec![10, 12, 13]));
}

#[test]
fn nolog_is_silent_and_an_action_without_message_too() {
    let rules = "SecAction \"id:1,phase:1,pass\"\nSecAction \"id:2,phase:1,pass,msg:'seen'\"\nSecRule REQUEST_URI \"@rx .\" \"id:3,phase:1,pass,nolog\"\n";
    assert_eq!(get(rules, "/").ids(), [2]);
}

#[test]
fn unset_scalars_are_empty_and_missing_members_are_nothing() {
    let rules = "SecRule QUERY_STRING \"!@rx .\" \"id:1,phase:1,pass\"\n\
        SecRule REQUEST_HEADERS:X-None \"!@rx .\" \"id:2,phase:1,pass\"\n\
        SecRule &REQUEST_HEADERS:X-None \"@eq 0\" \"id:3,phase:1,pass\"\n\
        SecRule REMOTE_USER \"!@rx .\" \"id:4,phase:1,pass\"\n";
    assert_eq!(get(rules, "/").ids(), [1, 3]);
}

#[test]
fn a_json_body_becomes_arguments() {
    let rules = "SecRule REQUEST_HEADERS:Content-Type \"@rx json\" \"id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON\"\n\
        SecRule ARGS:json.a.array_1 \"@streq 1.50\" \"id:2,phase:2,pass\"\n\
        SecRule ARGS_POST \"@rx .\" \"id:3,phase:2,pass\"\n\
        SecRule REQBODY_ERROR \"@eq 1\" \"id:4,phase:2,pass,msg:'%{REQBODY_ERROR_MSG}'\"\n";
    assert_eq!(post(rules, "application/json", "{\"a\":[true,1.50]}").ids(), [2]);
    let broken = post(rules, "application/json", "{\"a\":[true,1.50]");
    assert_eq!(broken.ids(), [2, 4]);
    assert!(broken.transaction.rule_matches()[1].message().starts_with("JSON parsing error: "));
}

#[test]
fn an_xml_body_is_searched_by_paths() {
    let rules = "SecRule REQUEST_HEADERS:Content-Type \"@rx xml\" \"id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=XML\"\n\
        SecRule XML:/* \"@contains evil\" \"id:2,phase:2,pass\"\n\
        SecRule XML://@* \"@streq bad\" \"id:3,phase:2,pass\"\n\
        SecRule XML:/a/n:b[2]/text() \"@streq evil\" \"id:4,phase:2,pass,xmlns:n=http://example.org/\"\n";
    let body = "<a xmlns:x=\"http://example.org/\"><x:b k=\"bad\">fine</x:b><x:b>evil</x:b></a>";
    assert_eq!(post(rules, "text/xml", body).ids(), [2, 3, 4]);
}

#[test]
fn a_multipart_body_shows_fields_files_and_flags() {
    let rules = "SecRule ARGS_POST:note \"@streq two\r\nlines\" \"id:1,phase:2,pass\"\n\
        SecRule FILES \"@streq a.php\" \"id:2,phase:2,pass\"\n\
        SecRule FILES_SIZES \"@eq 4\" \"id:3,phase:2,pass\"\n\
        SecRule MULTIPART_STRICT_ERROR \"!@eq 0\" \"id:4,phase:2,pass\"\n\
        SecRule ARGS_POST:note \"@rx ^two..lines$\" \"id:5,phase:2,pass\"\n";
    let rules = rules.replace("SecRule ARGS_POST:note \"@streq two\r\nlines\" \"id:1,phase:2,pass\"\n", "");
    let body = "--b\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\ntwo\r\nlines\r\n\
        --b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.php\"\r\n\r\n<?ph\r\n--b--\r\n";
    assert_eq!(post(&rules, "multipart/form-data; boundary=b", body).ids(), [2, 3, 5]);
    assert_eq!(post(&rules, "multipart/form-data; boundary=b", &body.replace("--b--\r\n", "")).ids(), [4]);
}

#[test]
fn uploaded_files_are_on_disk_while_the_transaction_lasts() {
    let folder = std::env::temp_dir().join(format!("secrule-uploads-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let rules = format!(
        "SecTmpSaveUploadedFiles On\nSecUploadDir {}\nSecRule FILES_TMP_CONTENT:f \"@streq <?ph\" \"id:1,phase:2,pass\"\n\
         SecRule FILES_TMPNAMES \"@contains {}\" \"id:2,phase:2,pass\"\n",
        folder.display(),
        folder.display()
    );
    let body = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.php\"\r\n\r\n<?ph\r\n--b--\r\n";
    let judged = post(&rules, "multipart/form-data; boundary=b", body);
    let files = || std::fs::read_dir(&folder).unwrap().count();
    assert_eq!((judged.ids(), files()), (vec![1, 2], 1));
    drop(judged);
    assert_eq!(files(), 0);
    let kept = post(&rules.replace("SecTmpSaveUploadedFiles", "SecUploadKeepFiles"), "multipart/form-data; boundary=b", body);
    drop(kept);
    assert_eq!(files(), 1);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn entries_of_a_rule_with_multi_match_do_not_grow_without_end() {
    let rules = "SecRule ARGS \"@rx .\" \"id:1,phase:2,pass,log,multiMatch,msg:'%{MATCHED_VAR}',t:none,t:lowercase\"";
    let body: String = (0..2000).map(|number| format!("a{number}=X{number}&")).collect();
    let judged = post(rules, "application/x-www-form-urlencoded", &body);
    let places: Vec<usize> = judged.transaction.rule_matches().iter().map(|found| found.reference.len()).collect();
    assert_eq!(places.len(), 4000);
    assert!(places.iter().all(|length| (1..1200).contains(length)), "{:?}", places.iter().max());
}

/// Rules with the refusals of the recommended configuration.
const FLAGS: &str =
    "SecRule REQBODY_ERROR \"!@eq 0\" \"id:901,phase:2,pass\"\nSecRule MULTIPART_STRICT_ERROR \"!@eq 0\" \"id:902,phase:2,pass\"\n";

const UPLOAD: &str = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.php\"\r\n\r\n<?ph\r\n--b--\r\n";

#[test]
fn an_upload_that_cannot_be_written_is_an_error_of_the_body_and_is_judged_from_memory() {
    let file = std::env::temp_dir().join(format!("secrule-no-folder-{}", std::process::id()));
    std::fs::write(&file, b"").unwrap();
    let content = "SecRule FILES_TMP_CONTENT:f \"@streq <?ph\" \"id:1,phase:2,pass\"\nSecRule FILES \"@streq a.php\" \"id:2,phase:2,pass\"\n\
        SecRule &FILES_TMPNAMES \"!@eq 0\" \"id:3,phase:2,pass\"\n\
        SecRule REQBODY_ERROR_MSG \"@contains Failed to create file\" \"id:4,phase:2,pass\"\n";
    for saves in ["SecTmpSaveUploadedFiles", "SecUploadKeepFiles"] {
        for folder in ["/no/such/folder", file.to_str().unwrap()] {
            let rules = format!("{saves} On\nSecUploadDir {folder}\n{content}{FLAGS}");
            assert_eq!(post(&rules, "multipart/form-data; boundary=b", UPLOAD).ids(), [1, 2, 4, 901, 902], "{saves} {folder}");
        }
    }
    let in_memory = post(&format!("{content}{FLAGS}"), "multipart/form-data; boundary=b", UPLOAD);
    assert_eq!(in_memory.ids(), [1, 2]);
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn a_long_id_is_cut_in_the_name_of_an_upload() {
    let folder = std::env::temp_dir().join(format!("secrule-long-id-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let waf = waf(&format!("SecTmpSaveUploadedFiles On\nSecUploadDir {}\n{FLAGS}", folder.display()));
    let mut transaction = waf.transaction_with_id(&"../é".repeat(300));
    let _ = exchange("/", &[("Content-Type", "multipart/form-data; boundary=b")], UPLOAD.as_bytes()).judge(&mut transaction);
    let names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(transaction.rule_matches().is_empty() && matches!(names.as_slice(), [name] if name.len() < 200), "{names:?}");
    drop(transaction);
    std::fs::remove_dir(&folder).unwrap();
}

#[test]
fn a_request_body_that_nobody_looks_at_is_counted_and_not_kept() {
    let kept = |rules: &str| {
        let mut transaction = waf_of(rules).transaction();
        let _ = exchange("/", &[("Content-Type", "application/x-www-form-urlencoded")], b"a=attack").judge(&mut transaction);
        assert_eq!(transaction.request_body_length(), 8, "{rules}");
        transaction.request_body_bytes().len()
    };
    let off = "SecRuleEngine On\nSecRequestBodyAccess Off\n";
    assert_eq!(kept("SecRuleEngine Off\nSecRequestBodyAccess On\nSecRule ARGS attack id:1,phase:2,deny"), 0);
    assert_eq!(kept(off), 0);
    assert_eq!(kept(&format!("{off}SecRule ARGS attack id:1,phase:2,deny")), 0);
    assert_eq!(kept(&format!("{off}SecRule REMOTE_ADDR x \"id:1,phase:1,pass,ctl:requestBodyAccess=On\"")), 0);
    assert_eq!(kept("SecRuleEngine On\nSecRequestBodyAccess On\nSecAction id:1,phase:1,pass,ctl:requestBodyAccess=Off"), 0);
    assert_eq!(kept("SecRuleEngine On\nSecAction id:1,phase:1,pass,ctl:ruleEngine=Off"), 0);
    assert_eq!(kept("SecRuleEngine On"), 8);
    assert_eq!(kept("SecRuleEngine DetectionOnly\nSecRequestBodyAccess On"), 8);
    assert_eq!(kept(&format!("{off}SecAuditEngine RelevantOnly\nSecAuditLogParts ABCZ")), 8);
    assert_eq!(kept(&format!("{off}SecAuditEngine RelevantOnly\nSecAuditLogParts ABIJDEFHZ")), 0);
}

#[test]
fn a_body_that_some_rule_looks_at_after_all_is_read() {
    let off = "SecRequestBodyAccess Off\n";
    let ids = |rules: &str| post(&format!("{off}{rules}"), "application/x-www-form-urlencoded", "a=attack").ids();
    let turns_on = "SecAction id:1,phase:1,pass,nolog,ctl:requestBodyAccess=On\nSecRule ARGS attack id:2,phase:2,pass";
    assert_eq!(ids(turns_on), [2]);
    assert_eq!(ids("SecRule ARGS_POST:a attack id:3,phase:5,pass"), [3]);
    assert_eq!(ids("SecRule ARGS attack id:4,phase:2,pass\nSecRule REQUEST_METHOD POST id:5,phase:5,pass"), [5]);
}

#[test]
fn the_limit_of_a_body_that_nobody_looks_at_holds() {
    let rules = "SecRequestBodyAccess Off\nSecRequestBodyLimit 4\nSecRequestBodyLimitAction Reject\n";
    let mut transaction = waf(rules).transaction();
    assert!(!transaction.append_request_body(b"abcd").is_intervention());
    assert!(transaction.append_request_body(b"e").is_intervention());
    assert!(waf(rules).transaction().skip_request_body(5).is_intervention());
}

#[test]
fn a_response_body_that_is_not_judged_is_not_kept() {
    let kept = |rules: &str, media_type: &str| {
        let mut transaction = waf_of(rules).transaction();
        transaction.add_response_header(b"Content-Type", media_type.as_bytes());
        let _ = transaction.process_response_headers(200, "HTTP/1.1");
        let _ = transaction.append_response_body(b"attack");
        let _ = transaction.process_response_body();
        transaction.response_body_bytes().len()
    };
    let on = "SecRuleEngine On\nSecResponseBodyAccess On\nSecResponseBodyMimeType text/html\n";
    assert_eq!(kept(on, "text/html"), 6);
    assert_eq!(kept(on, "image/png"), 0);
    assert_eq!(kept(&on.replace("Access On", "Access Off"), "text/html"), 0);
    assert_eq!(kept(&on.replace("Engine On", "Engine Off"), "text/html"), 0);
    assert_eq!(kept("SecRuleEngine On", "text/html"), 0);
}

#[test]
fn a_body_that_the_engine_cut_is_judged_as_far_as_it_goes_and_is_no_error() {
    let rules = |limit: usize, action: &str| {
        let flags = FLAGS.replace("pass", "deny,status:400");
        format!(
            "SecRequestBodyLimit {limit}\nSecRequestBodyLimitAction {action}\nSecAction \"id:910,phase:1,pass,nolog,t:none\"\n{flags}\
             SecRule ARGS \"@streq attack\" \"id:1,phase:2,deny\"\nSecRule INBOUND_DATA_ERROR \"@eq 1\" \"id:2,phase:2,pass\"\n"
        )
    };
    let json = |rules: &str| rules.replace("t:none", "ctl:requestBodyProcessor=JSON");
    let cut = post(&json(&rules(20, "ProcessPartial")), "application/json", r#"{"a":"attac","b":2,"c":3}"#);
    assert_eq!((cut.status(), cut.ids()), (None, vec![2]));
    assert_eq!(post(&json(&rules(20, "ProcessPartial")), "application/json", r#"{"a":"attack","b":2,"c":3}"#).status(), Some(403));
    assert_eq!(post(&json(&rules(20, "ProcessPartial")), "application/json", r#"{"a":"attac" "b":2,"c":3}"#).status(), Some(400));
    assert_eq!(post(&json(&rules(200, "ProcessPartial")), "application/json", r#"{"a":"attac","b":2"#).status(), Some(400));
    let form = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nattackers\r\n--b--\r\n";
    let place = form.find("attack").unwrap();
    assert_eq!(post(&rules(place + 6, "ProcessPartial"), "multipart/form-data; boundary=b", form).status(), Some(403));
    assert_eq!(post(&rules(place + 7, "ProcessPartial"), "multipart/form-data; boundary=b", form).status(), None);
    assert_eq!(post(&rules(200, "ProcessPartial"), "multipart/form-data; boundary=b", &form.replace("--b--", "")).status(), Some(400));
}

#[test]
fn a_body_over_its_limit_is_rejected_or_cut() {
    let rules = |action: &str| {
        format!(
            "SecRequestBodyLimit 4\nSecRequestBodyLimitAction {action}\n\
             SecRule REQUEST_BODY \"@streq abcd\" \"id:1,phase:2,pass\"\nSecRule INBOUND_DATA_ERROR \"@eq 1\" \"id:2,phase:2,pass\"\n"
        )
    };
    assert_eq!(post(&rules("Reject"), "text/plain", "abcdef").status(), Some(403));
    let cut = post(&rules("ProcessPartial"), "text/plain", "abcdef");
    assert_eq!((cut.status(), cut.ids()), (None, vec![1, 2]));
    let mut transaction = waf(&rules("ProcessPartial")).transaction();
    for chunk in [b"ab".as_slice(), b"cdef", b"gh"] {
        let _ = transaction.append_request_body(chunk);
    }
    let _ = transaction.process_request_body();
    assert_eq!(transaction.rule_matches().len(), 2);
}

#[test]
fn phase_2_is_skipped_without_body_access_and_ctl_brings_it_back() {
    let rules = "SecRequestBodyAccess Off\nSecRule ARGS:on \"@rx .\" \"id:1,phase:1,pass,nolog,ctl:requestBodyAccess=On\"\nSecRule ARGS \"@rx .\" \"id:2,phase:2,pass\"\n";
    assert_eq!(get(rules, "/?a=1").ids(), [0u64; 0]);
    assert_eq!(get(rules, "/?a=1&on=1").ids(), [2]);
}

#[test]
fn responses_are_judged_where_the_settings_ask_for_it() {
    let rule = "SecRule RESPONSE_BODY \"@contains hello\" \"id:1,phase:4,deny,status:502\"\n";
    assert_eq!(get(rule, "/").status(), None);
    assert_eq!(get(&format!("SecResponseBodyAccess On\n{rule}"), "/").status(), Some(502));
    assert_eq!(get(&format!("SecResponseBodyAccess On\nSecResponseBodyMimeType text/plain\n{rule}"), "/").status(), None);
}

#[test]
fn persistent_variables_outlive_the_transaction() {
    let waf = waf("SecAction \"id:1,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR}\"\n\
         SecAction \"id:2,phase:1,pass,nolog,setvar:ip.seen=+1\"\n\
         SecRule IP:seen \"@ge 3\" \"id:3,phase:1,deny\"\n\
         SecRule ARGS:forget \"@rx .\" \"id:4,phase:1,pass,nolog,expirevar:ip.seen=0\"\n");
    assert_eq!(send(&waf, "/", &[], b"").status(), None);
    assert_eq!(send(&waf, "/", &[], b"").status(), None);
    assert_eq!(send(&waf, "/", &[], b"").status(), Some(403));
    let other =
        self::waf("SecAction \"id:1,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR}\"\nSecRule &IP \"!@eq 0\" \"id:2,phase:1,pass\"\n");
    assert_eq!(send(&other, "/", &[], b"").ids(), [0u64; 0]);
}

#[test]
fn cookies_hosts_and_users_are_found_in_their_headers() {
    let rules = "SecRule REQUEST_COOKIES:a \"@streq 1\" \"id:1,phase:1,pass\"\nSecRule SERVER_NAME \"@streq shop.example\" \"id:2,phase:1,pass\"\n\
        SecRule REMOTE_USER \"@streq jane\" \"id:3,phase:1,pass\"\nSecRule AUTH_TYPE \"@streq Basic\" \"id:4,phase:1,pass\"\n";
    let judged = send(&waf(rules), "/", &[("Cookie", "b=2; a=1"), ("Authorization", "Basic amFuZTpzZWNyZXQ=")], b"");
    assert_eq!(judged.ids(), [1, 2, 3, 4]);
}

#[test]
fn a_pattern_at_its_limit_is_an_event_and_not_a_silent_no() {
    let rules = "SecPcreMatchLimit 100\nSecRule ARGS \"@rx ^(?=(a+)+$)(a+)+\\1$\" \"id:1,phase:2,pass\"\nSecRule MSC_PCRE_LIMITS_EXCEEDED \"@eq 1\" \"id:2,phase:2,pass\"\n";
    let judged = get(rules, &format!("/?a={}b", "a".repeat(60)));
    assert_eq!(judged.ids(), [2]);
}

#[test]
fn the_severity_of_the_gravest_rule_is_remembered() {
    let rules = "SecAction \"id:1,phase:1,pass,nolog,severity:WARNING\"\nSecAction \"id:2,phase:1,pass,nolog,severity:2\"\nSecAction \"id:3,phase:1,pass,nolog,severity:NOTICE\"\n\
        SecRule HIGHEST_SEVERITY \"@eq 2\" \"id:4,phase:1,pass\"\n";
    assert_eq!(get(rules, "/").ids(), [4]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn any_rule_file_is_loaded_or_refused_with_an_error(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
        let length = bytes.len();
        match Waf::builder().file("rules.conf").build_with(&Memory::new().with("rules.conf", bytes)) {
            Ok(waf) => proptest::prop_assert!(waf.report().rules <= length),
            Err(error) => proptest::prop_assert!(error.errors().next().is_some() && !error.to_string().is_empty()),
        }
    }

    #[test]
    fn any_request_is_judged_to_its_end(
        target in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80),
        header in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80),
        body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
        kind in 0usize..5,
    ) {
        let rules = "SecResponseBodyAccess On\nSecRule ARGS:kind \"@rx (JSON|XML)\" \"id:1,phase:1,pass,capture,nolog\"\n\
            SecRule ARGS:kind \"@streq JSON\" \"id:2,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON\"\n\
            SecRule ARGS:kind \"@streq XML\" \"id:3,phase:1,pass,nolog,ctl:requestBodyProcessor=XML\"\n\
            SecRule ARGS|ARGS_NAMES|REQUEST_HEADERS|REQUEST_COOKIES|FILES|REQUEST_BODY|REQUEST_URI|XML:/*|XML://@* \"@detectSQLi\" \
            \"id:4,phase:2,pass,t:urlDecodeUni,t:htmlEntityDecode,t:jsDecode,t:cssDecode,t:utf8toUnicode,t:cmdLine,t:normalizePathWin,multiMatch\"\n\
            SecAction \"id:5,phase:5,pass,nolog,setvar:tx.phases=5\"\n";
        let types = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "JSON", "XML"];
        let mut transaction = waf(rules).transaction();
        let _ = transaction.process_connection("", 0, "", 0);
        let _ = transaction.process_uri(&target, b"POST", b"1.1");
        let _ = transaction.process_uri(format!("/?kind={}", types[kind]).as_bytes(), b"POST", b"1.1");
        transaction.add_request_header(b"Content-Type", types[kind].as_bytes());
        transaction.add_request_header(b"Cookie", &header);
        transaction.add_request_header(&header, &target);
        let _ = transaction.process_request_headers();
        let body = if kind == 2 { [b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n".as_slice(), &body, b"\r\n--b--\r\n"].concat() } else { body };
        let _ = transaction.append_request_body(&body);
        let _ = transaction.process_request_body();
        let _ = transaction.process_response_headers(200, "HTTP/1.1");
        let _ = transaction.append_response_body(&body);
        let _ = transaction.process_response_body();
        transaction.process_logging();
        proptest::prop_assert!(!transaction.take_verdict().is_intervention());
        proptest::prop_assert!(transaction.rule_matches().iter().all(|found| found.id == 4));
        proptest::prop_assert_eq!(transaction.tx("phases"), Some("5".to_owned()));
    }
}

#[test]
fn macros_may_stand_side_by_side() {
    let judged = get("SecAction \"id:1,phase:1,pass,setvar:'tx.both=%{ARGS.a}%{ARGS.b}',setvar:'tx.old=%{ARGS.a}%-'\"", "/?a=x&b=y");
    assert_eq!(judged.tx("both").as_deref(), Some("xy"));
    assert_eq!(judged.tx("old").as_deref(), Some("x-"));
}

#[test]
fn a_chained_rule_sees_the_texts_of_those_before_it() {
    let rules = "SecRule ARGS:a \"@rx .\" \"id:7,phase:1,pass,msg:'saw %{ARGS.a}',severity:3,chain\"\n\
                 SecRule RULE:msg \"@streq saw x\" \"setvar:'tx.seen=%{rule.id}/%{rule.severity}'\"";
    assert_eq!(get(rules, "/?a=x").tx("seen").as_deref(), Some("7/3"));
}

#[test]
fn a_status_behind_block_counts() {
    let rules = |actions| format!("SecDefaultAction \"phase:1,deny,log\"\nSecRule ARGS:a \"@rx .\" \"id:1,phase:1,{actions}\"");
    assert_eq!(get(&rules("block,status:418"), "/?a=x").status(), Some(418));
    assert_eq!(get(&rules("status:418,block"), "/?a=x").status(), Some(418));
    assert_eq!(get(&rules("block"), "/?a=x").status(), Some(403));
}

#[test]
fn an_update_makes_a_passing_rule_block() {
    let rules = "SecDefaultAction \"phase:1,deny,status:409,log\"\nSecRule ARGS:a \"@rx .\" \"id:1,phase:1,pass\"\n\
                 SecRuleUpdateActionById 1 \"block\"";
    assert_eq!(get(rules, "/?a=x").status(), Some(409));
}

#[test]
fn a_setvar_of_an_update_runs_once_when_the_chain_matches() {
    let rules = |second| {
        format!(
            "SecRule ARGS \"@rx .\" \"id:1,phase:1,pass,setvar:tx.each=+1,chain\"\nSecRule ARGS:a \"@streq {second}\" \"t:none\"\n\
             SecRuleUpdateActionById 1 \"pass,setvar:tx.once=+1\""
        )
    };
    let judged = get(&rules("x"), "/?a=x&b=y");
    assert_eq!((judged.tx("each").as_deref(), judged.tx("once").as_deref()), (Some("2"), Some("1")));
    let judged = get(&rules("z"), "/?a=x&b=y");
    assert_eq!((judged.tx("each").as_deref(), judged.tx("once").as_deref()), (Some("2"), None));
}

#[test]
fn what_was_not_sent_has_no_length() {
    let rules = "SecRequestBodyAccess On\nSecRule REQUEST_BODY_LENGTH \"@rx ^$\" \"id:1,phase:2,pass\"\n\
                 SecRule ARGS_COMBINED_SIZE \"@rx ^$\" \"id:2,phase:2,pass\"\nSecRule REQBODY_ERROR \"@rx ^$\" \"id:3,phase:2,pass\"";
    assert_eq!(get(rules, "/").ids(), [1, 2]);
    assert_eq!(post(rules, "application/x-www-form-urlencoded", "a=b").ids(), [3]);
}

#[test]
fn names_of_the_environment_have_their_case() {
    let rules = "SecAction \"id:1,phase:1,pass,nolog,setenv:SecRuleTest=1\"\nSecRule ENV:SecRuleTest \"@eq 1\" \"id:2,phase:1,pass\"\n\
                 SecRule ENV:SECRULETEST \"@eq 1\" \"id:3,phase:1,pass\"";
    assert_eq!(get(rules, "/").ids(), [2]);
}

#[test]
fn an_argument_follows_what_the_rule_stores() {
    let rules = "SecRule ARGS \"!@streq %{tx.last}\" \"id:1,phase:1,pass,setvar:'tx.last=%{MATCHED_VAR}',setvar:tx.changes=+1\"";
    assert_eq!(get(rules, "/?a=x&b=x&c=y").tx("changes").as_deref(), Some("2"));
}

#[test]
fn an_argument_follows_what_the_rule_matched() {
    let rules = "SecRule ARGS:a \"@rx ^x\" \"id:1,phase:1,pass\"\n\
                 SecRule ARGS:b|ARGS:c \"@beginsWith %{MATCHED_VAR}\" \"id:2,phase:1,pass,log,msg:'%{MATCHED_VAR}'\"";
    let judged = get(rules, "/?a=x&b=xyz&c=xa");
    assert_eq!(judged.transaction.rule_matches().last().map(|found| found.message().into_owned()).as_deref(), Some("xyz"));
}

#[test]
fn a_limit_of_the_bytes_without_files_is_no_error_of_the_processor() {
    let rules = "SecRequestBodyAccess On\nSecRequestBodyNoFilesLimit 10\n\
                 SecRule REQBODY_ERROR \"@eq 1\" \"id:1,phase:2,pass,log,chain\"\nSecRule REQBODY_PROCESSOR_ERROR \"@streq 1\" \"t:none\"\n\
                 SecRule REQBODY_ERROR \"@eq 1\" \"id:2,phase:2,pass,log,chain\"\nSecRule REQBODY_PROCESSOR_ERROR \"!@rx .\" \"t:none\"";
    let body = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nsome text\r\n--b--\r\n";
    assert_eq!(post(rules, "multipart/form-data; boundary=b", body).ids(), [2]);
}
