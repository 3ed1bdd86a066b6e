//! Targets, arguments, cookies and media types.

use crate::host::{FLAGS, GET, LONG, MULTIPART, Request, get, judge, part, post, takes_as_long, waf};
use secrule::Transaction;
use secrule::internals::Verdict;

#[test]
fn cve_2019_19886_odd_cookies() {
    let rules =
        waf("SecRule REQUEST_COOKIES:b \"@streq 2=3\" \"id:1,phase:1,pass\"\nSecRule &REQUEST_COOKIES \"@eq 3\" \"id:2,phase:1,pass\"\n");
    let judged = judge(&rules, Request { headers: &[("Cookie", b";; = ; a;=; ;b=2=3; c=;=")], ..GET });
    assert_eq!(judged.ids, [1, 2]);
    let (odd, plain) = ("=; ;;".repeat(LONG / 5), "a=1; ".repeat(LONG / 5));
    takes_as_long(
        &rules,
        Request { headers: &[("Cookie", odd.as_bytes())], ..GET },
        Request { headers: &[("Cookie", plain.as_bytes())], ..GET },
    );
}

#[test]
fn cve_2019_25043_a_cookie_without_a_name() {
    let rules = waf("SecRule REQUEST_HEADERS:Cookie \"@contains abc\" \"id:1,phase:1,deny\"\n");
    assert_eq!(judge(&rules, Request { headers: &[("Cookie", b"=abc")], ..GET }).status, Some(403));
    for cookie in ["", "=", " =", "=;=", ";"] {
        assert_eq!(judge(&rules, Request { headers: &[("Cookie", cookie.as_bytes())], ..GET }).status, None, "{cookie:?}");
    }
}

#[test]
fn a_form_in_a_charset_that_hides_its_letters() {
    let form = part("Content-Disposition: form-data; name=\"f\"", "1") + "--b--\r\n";
    for (charset, status) in [("ibm037", Some(400)), ("\"UTF-16BE\"", Some(400)), ("utf-8", None), ("windows-1252", None)] {
        assert_eq!(post(FLAGS, &format!("application/x-www-form-urlencoded; charset={charset}"), b"a=1").status, status, "{charset}");
        assert_eq!(post(FLAGS, &format!("{MULTIPART}; charset={charset}"), form.as_bytes()).status, status, "{charset}");
        assert_eq!(post(FLAGS, &format!("text/plain; charset={charset}"), b"a=1").status, None, "{charset}");
    }
}

#[test]
fn arguments_behind_a_hash() {
    let rules = "SecRule ARGS|ARGS_NAMES \"@contains attack\" \"id:1,phase:1,deny\"\nSecRule QUERY_STRING \"@contains #\" \"id:2,phase:1,deny,status:400\"\n";
    for target in ["/?a=1#&b=attack", "/?a=1#&attack=1", "/?a=1#attack", "/#?b=attack", "/a#b?c=d&e=attack#"] {
        assert_eq!(get(rules, target).status, Some(403), "{target}");
    }
    assert_eq!(get(rules, "/?a=1#top").status, None);
}

#[test]
fn a_target_with_a_host() {
    let rules = "SecRule REQUEST_FILENAME \"@beginsWith /admin\" \"id:1,phase:1,deny\"\n";
    for target in ["http://shop.example/admin/users", "HTTPS://shop.example:443/admin?a", "/admin"] {
        assert_eq!(get(rules, target).status, Some(403), "{target}");
    }
    assert_eq!(get(rules, "http://shop.example/shop/admin").status, None);
    let shown = "SecRule REQUEST_FILENAME \"@contains <b>\" \"id:1,phase:1,deny\"\n";
    assert_eq!(get(shown, "http://<b>/admin").status, Some(403));
}

#[test]
fn two_media_types_of_one_body() {
    let inner = "--AA\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nattack\r\n--AA--\r\n";
    let body = format!("--BB\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n{inner}--BB--\r\n");
    let status = |first: &str, second: &str| {
        let headers = [("Content-Type", first.as_bytes()), ("content-type", second.as_bytes())];
        judge(&waf(FLAGS), Request { headers: &headers, body: body.as_bytes(), ..GET }).status
    };
    let [a, b] = ["multipart/form-data; boundary=AA", "multipart/form-data; boundary=BB"];
    for (first, second) in
        [(a, b), (b, a), (b, "text/plain"), ("text/plain", b), (b, "application/x-www-form-urlencoded"), ("text/plain", "text/html")]
    {
        assert_eq!(status(first, second), Some(400), "{first}, {second}");
    }
    assert_eq!(status("text/plain", " text/plain "), None);
    let without_body = [("Content-Type", &b"text/plain"[..]), ("Content-Type", b"text/html")];
    assert_eq!(judge(&waf(FLAGS), Request { headers: &without_body, ..GET }).status, None);
}

#[test]
fn cve_2023_28882_what_the_host_never_said() {
    let variables = "REMOTE_ADDR|REMOTE_PORT|SERVER_ADDR|SERVER_NAME|REQUEST_URI|REQUEST_LINE|REQUEST_METHOD|REQUEST_PROTOCOL|ARGS|QUERY_STRING\
        |REQBODY_ERROR|REQBODY_PROCESSOR|MULTIPART_STRICT_ERROR|RESPONSE_STATUS|RESPONSE_PROTOCOL|RESPONSE_BODY|FULL_REQUEST|DURATION|HIGHEST_SEVERITY";
    let rules = (1..=5).map(|phase| format!("SecRule {variables} \"@contains never\" \"id:{phase},phase:{phase},deny\"\n"));
    let waf = waf(&(String::from("SecResponseBodyAccess On\n") + &rules.collect::<String>()));
    let steps: [fn(&mut Transaction) -> Verdict; 6] = [
        |transaction| transaction.process_connection("", 0, "", 0),
        |transaction| transaction.process_request_headers(),
        |transaction| transaction.process_request_body(),
        |transaction| transaction.process_response_headers(0, ""),
        |transaction| transaction.process_response_body(),
        |transaction| transaction.append_request_body(b"a=1"),
    ];
    for first in 0..steps.len() {
        for second in 0..steps.len() {
            let mut transaction = waf.transaction();
            assert!(!steps[first](&mut transaction).is_intervention(), "{first}");
            assert!(!steps[second](&mut transaction).is_intervention(), "{first}, {second}");
            transaction.process_logging();
            assert!(transaction.rule_matches().is_empty());
        }
    }
}

#[test]
fn cve_2024_1019_a_question_mark_in_the_path() {
    let rules = "SecRule REQUEST_FILENAME \"@contains attack\" \"id:1,phase:1,deny\"\n";
    assert_eq!(get(rules, "/rest%3Fid=attack?x=1").status, Some(403));
    let rules = "SecRule REQUEST_BASENAME \"@contains attack\" \"id:1,phase:1,deny\"\n";
    assert_eq!(get(rules, "/rest%3Fid=attack").status, Some(403));
    assert_eq!(get("SecRule ARGS_NAMES \"@rx .\" \"id:1,phase:1,deny\"\n", "/rest%3Fid=attack").status, None);
}

#[test]
fn cve_2023_40586_media_types_that_no_parser_reads() {
    let rules = format!("{FLAGS}SecRule REQUEST_BODY|ARGS \"@contains attack\" \"id:1,phase:2,deny\"\n");
    for content_type in [
        "multipart/form-data; boundary",
        "multipart/form-data; =b",
        "application/x-www-form-urlencoded; a=b; a",
        "/",
        ";",
        "a/b/c; \"",
        "multipart/form-data; boundary=\"b",
    ] {
        let status = post(&rules, content_type, b"a=attack").status;
        assert!(status.is_some(), "{content_type} is a way past the rules");
    }
}

#[test]
fn cve_2025_29914_a_target_with_two_slashes() {
    for (target, path) in [("//bar/uploads/foo.php?a=b", "//bar/uploads/foo.php"), ("///x", "///x"), ("//", "//")] {
        assert_eq!(
            get(&format!("SecRule REQUEST_FILENAME \"@streq {path}\" \"id:1,phase:1,deny\"\n"), target).status,
            Some(403),
            "{target}"
        );
    }
    let uri = "SecRule REQUEST_URI \"@beginsWith //bar\" \"id:1,phase:1,deny\"\n";
    assert_eq!(get(uri, "//bar/uploads/foo.php?a=b").status, Some(403));
}
