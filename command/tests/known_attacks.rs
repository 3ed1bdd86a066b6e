//! Attacks that made other engines fail: one test for each row of `KNOWN_FAILURES.md`.
//!
//! Time is compared with that of harmless input of the same size, memory with a limit of the process.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics fails, as it should")]

use secrule::internals::Verdict;
use secrule::internals::source::Memory;
use secrule::{Transaction, Waf};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Maximum factor between the times of an attack and of harmless input of its size. Elsewhere these attacks took thousands of times as long.
const MAX_HARM: f64 = 20.0;

/// Size of the attacks on time, in bytes.
const LONG: usize = 100_000;

/// Maximum memory of a process for one request, in kB, including code and rules.
const MEMORY: usize = 1_000_000;

/// Flags for which the recommended configuration refuses requests.
const FLAGS: &str = "SecRule REQBODY_ERROR \"!@eq 0\" \"id:901,phase:2,deny,status:400\"\n\
    SecRule MULTIPART_STRICT_ERROR \"!@eq 0\" \"id:902,phase:2,deny,status:400\"\n";

const JSON: &str = "SecAction \"id:910,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON\"\n";
const XML: &str = "SecAction \"id:910,phase:1,pass,nolog,ctl:requestBodyProcessor=XML\"\n";
const MULTIPART: &str = "multipart/form-data; boundary=b";

#[derive(Clone, Copy)]
struct Request<'a> {
    target: &'a [u8],
    headers: &'a [(&'a str, &'a [u8])],
    body: &'a [u8],
}

const GET: Request<'_> = Request { target: b"/", headers: &[], body: b"" };

struct Judged {
    status: Option<u16>,
    ids: Vec<u64>,
    transaction: Transaction,
}

fn waf(rules: &str) -> Waf {
    Waf::from_rules(&format!("SecRuleEngine On\nSecRequestBodyAccess On\n{rules}")).unwrap_or_else(|error| panic!("{error}"))
}

fn judge(waf: &Waf, request: Request<'_>) -> Judged {
    let mut transaction = waf.transaction();
    let mut verdict = transaction.process_connection("192.0.2.7", 4711, "192.0.2.1", 80);
    let steps: [&dyn Fn(&mut Transaction) -> Verdict; 4] = [
        &|transaction| transaction.process_uri(request.target, if request.body.is_empty() { b"GET" } else { b"POST" }, b"1.1"),
        &|transaction| {
            transaction.add_request_header(b"Host", b"shop.example");
            request.headers.iter().for_each(|(name, value)| transaction.add_request_header(name.as_bytes(), value));
            transaction.process_request_headers()
        },
        &|transaction| transaction.append_request_body(request.body),
        &|transaction| transaction.process_request_body(),
    ];
    for step in steps {
        if !verdict.is_intervention() {
            verdict = step(&mut transaction);
        }
    }
    transaction.process_logging();
    let ids = transaction.rule_matches().iter().map(|found| found.id).collect();
    Judged { status: verdict.intervention().map(|intervention| intervention.status()), ids, transaction }
}

fn get(rules: &str, target: &str) -> Judged {
    judge(&waf(rules), Request { target: target.as_bytes(), ..GET })
}

fn post(rules: &str, content_type: &str, body: &[u8]) -> Judged {
    judge(&waf(rules), Request { headers: &[("Content-Type", content_type.as_bytes())], body, ..GET })
}

/// A part of a form, with odd headers exactly as they are sent.
fn part(headers: &str, value: &str) -> String {
    format!("--b\r\n{headers}\r\n\r\n{value}\r\n")
}

fn field(name: &str, value: &str) -> String {
    part(&format!("Content-Disposition: form-data; name=\"{name}\""), value)
}

/// Checks that an attack takes no longer than harmless input, except for a factor.
#[track_caller]
fn takes_as_long(waf: &Waf, attack: Request<'_>, harmless: Request<'_>) {
    let time = |request| {
        let once = |_| {
            let start = Instant::now();
            let _ = judge(waf, request);
            start.elapsed()
        };
        (0..3).map(once).min().unwrap_or_default().max(Duration::from_millis(1))
    };
    let (attack, harmless) = (time(attack), time(harmless));
    let ratio = attack.as_secs_f64() / harmless.as_secs_f64();
    assert!(ratio < MAX_HARM, "the attack takes {attack:?}, harmless input {harmless:?}");
}

/// Checks that the command judges a request within [`MEMORY`]; returns its output.
#[track_caller]
fn in_little_memory(name: &str, rules: &str, request: &[u8]) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("known-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("rules.conf"), format!("SecRuleEngine On\nSecRequestBodyAccess On\n{rules}")).unwrap();
    fs::write(folder.join("request.http"), request).unwrap();
    let script = format!("ulimit -v {MEMORY} && exec {} eval --rules rules.conf request.http", env!("CARGO_BIN_EXE_secrule"));
    let ended = Command::new("sh").args(["-c", &script]).current_dir(&folder).output().unwrap();
    let shown = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(matches!(ended.status.code(), Some(0 | 1)), "{}: {shown}{}", ended.status, String::from_utf8_lossy(&ended.stderr));
    fs::remove_dir_all(&folder).unwrap();
    shown
}

/// Returns the OWASP CRS, if it is available.
fn core_rule_set() -> Option<&'static Waf> {
    static CRS: OnceLock<Option<Waf>> = OnceLock::new();
    let load = || {
        let crs = secrule_testkit::shared("crs")?;
        let rules = format!(
            "Include {root}/crs/starter/00-setup.conf\nInclude {crs}/crs-setup.conf.example\nInclude {crs}/rules/*.conf\n",
            root = secrule_testkit::project().display(),
            crs = crs.display()
        );
        Some(waf(&rules))
    };
    CRS.get_or_init(load).as_ref()
}

#[test]
fn every_row_of_the_page_has_its_test() {
    let page = fs::read_to_string(secrule_testkit::project().join("KNOWN_FAILURES.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| what |") && !line.starts_with("| ---"));
    let named: BTreeSet<&str> =
        rows.filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next()).map(|name| name.trim_matches('`')).collect();
    let tests = include_str!("known_attacks.rs").split("\n#[test]\nfn ").skip(1).filter_map(|test| test.split("()").next());
    let tests: BTreeSet<&str> = tests.filter(|name| *name != "every_row_of_the_page_has_its_test").chain(["none"]).collect();
    assert_eq!(named, tests);
}

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
fn cve_2020_15598_every_match_of_a_pattern() {
    let rules = waf(
        "SecRule ARGS \"@rxGlobal (?:(a+)+b|(a|aa)+c)\" \"id:1,phase:2,pass,capture\"\nSecRule ARGS \"@rx ^(?:a*)*d$\" \"id:2,phase:2,pass,capture\"\n",
    );
    let (attack, harmless) = (format!("/?q={}", "a".repeat(LONG)), format!("/?q={}", "x".repeat(LONG)));
    takes_as_long(&rules, Request { target: attack.as_bytes(), ..GET }, Request { target: harmless.as_bytes(), ..GET });
    assert_eq!(judge(&rules, Request { target: b"/?q=aaaab", ..GET }).ids, [1]);
}

#[test]
fn cve_2021_42717_json_within_json() {
    let rules = format!("{JSON}{FLAGS}");
    let deep = "[".repeat(LONG) + &"]".repeat(LONG);
    let flat = format!("[{}0]", "0,".repeat(LONG));
    assert_eq!(post(&rules, "application/json", deep.as_bytes()).status, Some(400));
    let waf = waf(&rules);
    let body = |body| Request { headers: &[("Content-Type", b"application/json")], body, ..GET };
    takes_as_long(&waf, body(deep.as_bytes()), body(flat.as_bytes()));
    let request = |body: String| format!("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Type: application/json\r\n\r\n{body}");
    assert!(in_little_memory("json", &rules, request("{\"a\":".repeat(1_000_000)).as_bytes()).contains("400"));
    // The name of each value contains the names of all containers.
    let rules = format!("{rules}SecRule ARGS|ARGS_NAMES \"@contains attack\" \"id:1,phase:2,deny\"\n");
    let long_name = format!("{{\"{}\":[{}0]}}", "a".repeat(LONG), "0,".repeat(LONG));
    for body in ["[1,".repeat(LONG), long_name] {
        assert!(in_little_memory("names", &rules, request(body).as_bytes()).contains("400"));
    }
}

#[test]
fn cve_2022_48279_parts_that_two_parsers_read_in_two_ways() {
    let ambiguous = [
        part("Content-Disposition: form-data; name=\"a\"; name=\"b\"", "x"),
        part("Content-Disposition: form-data; name=a\"b", "x"),
        part("Content-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"b\"", "x"),
        part("Content-Disposition: form-data", "x"),
        part("Content-Type: text/plain", "x"),
        part("Content-Disposition: form-data;\r\n name=\"a\"", "x"),
        String::from("--b\nContent-Disposition: form-data; name=\"a\"\n\nx\n"),
        String::from("before") + &field("a", "x"),
    ];
    for body in ambiguous {
        assert_eq!(post(FLAGS, MULTIPART, format!("{body}--b--\r\n").as_bytes()).status, Some(400), "{body:?}");
    }
    let plain = field("a", "x") + "--b--\r\n";
    assert_eq!(post(FLAGS, MULTIPART, plain.as_bytes()).status, None);
    let headers = part("Content-Disposition: form-data; name=\"a\"\r\nContent-Type: text/plain; charset=utf-7", "x") + "--b--\r\n";
    let shown = "SecRule MULTIPART_PART_HEADERS:a \"@contains utf-7\" \"id:1,phase:2,deny\"\n";
    assert_eq!(post(shown, MULTIPART, headers.as_bytes()).status, Some(403));
}

/// Bodies of one part that some application reads in another way than the rules must be refused. Each has a counterpart that all read alike.
#[track_caller]
fn refuses_parts(attacks: &[&str], harmless: &[&str]) {
    let status = |headers: &str| post(FLAGS, MULTIPART, (part(headers, "1") + "--b--\r\n").as_bytes()).status;
    for headers in attacks {
        assert_eq!(status(headers), Some(400), "{headers}");
    }
    for headers in harmless {
        assert_eq!(status(headers), None, "{headers}");
    }
}

#[test]
fn a_blank_beside_the_equals_sign_of_a_file_name() {
    refuses_parts(
        &[
            "Content-Disposition: form-data; name=\"f\"; filename =\"a\"",
            "Content-Disposition: form-data; name=\"f\"; filename\t=a",
            "Content-Disposition: form-data; name=\"f\"; filename= \"a\"",
            "Content-Disposition: form-data; name=\"f\"; filename=\ta",
            "Content-Disposition: form-data; name=\"f\"; filename =\"filename=\"",
            "Content-Disposition: form-data; name=\"f filename=\"; filename =\"a\"",
            "Content-Disposition: form-data; name =\"f\"; filename=\"a\"",
            "Content-Disposition: form-data; name= \"f\"",
            "Content-Disposition: form-data; name=\"f\"; filename=\"a\"; filename* =utf-8''a",
        ],
        &["Content-Disposition: form-data; name=\"f\" ; filename=\"a\"", "Content-Disposition:form-data;name=f;filename=a"],
    );
}

#[test]
fn a_backslash_before_the_last_quote_of_a_name() {
    refuses_parts(
        &[
            r#"Content-Disposition: form-data; name="f\\"; filename="a""#,
            r#"Content-Disposition: form-data; name="f\\\\"; filename="a""#,
            r#"Content-Disposition: form-data; name="f"; filename="a\\""#,
            r#"Content-Disposition: form-data; name="f\"; filename=a"#,
            r#"Content-Disposition: form-data; name="at\tack""#,
        ],
        &[r#"Content-Disposition: form-data; name="f\\x"; filename="C:\docs\a.txt""#, r#"Content-Disposition: form-data; name="f\"""#],
    );
}

#[test]
fn an_encoded_word_in_a_name() {
    refuses_parts(
        &[
            "Content-Disposition: form-data; name=\"=?utf-8?B?YXR0YWNr?=\"",
            "Content-Disposition: form-data; name=\"a =?x?Q?att=61ck?= b\"",
            "Content-Disposition: form-data; name=f; filename=\"=?utf-16be?B?AGEAYg==?=\"",
            "Content-Disposition: form-data; name=f; filename=\"a=?utf-8?Q?=2ejsp?=\"",
        ],
        &["Content-Disposition: form-data; name=\"a=?b\"; filename=\"=?c.txt\""],
    );
    let names = "SecRule FILES|MULTIPART_FILENAME \"@streq shell.jsp\" \"id:1,phase:2,deny\"\n";
    let body = part("Content-Disposition: form-data; name=f; filename=\"=?utf-8?Q?shell=2ejsp?=\"", "1") + "--b--\r\n";
    assert_eq!(post(names, MULTIPART, body.as_bytes()).status, Some(403));
}

#[test]
fn a_multipart_body_within_a_part() {
    let file = "Content-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\n";
    refuses_parts(
        &[
            &format!("{file}Content-Type: multipart/mixed; boundary=CC"),
            &format!("{file}content-type:\tMultipart/Form-Data;boundary=CC"),
            "Content-Disposition: form-data; name=\"f\"\r\nContent-Type: multipart/mixed; boundary=CC",
        ],
        &[&format!("{file}Content-Type: text/plain; x=multipart")],
    );
}

#[test]
fn a_part_in_an_encoding_that_applications_decode() {
    let field = "Content-Disposition: form-data; name=\"f\"\r\n";
    let encoded = ["quoted-printable", " Quoted-Printable ", "base64", "BASE64", "x-uuencode"];
    let plain = ["7bit", "8BIT", " binary", ""];
    let [encoded, plain] = [encoded.as_slice(), plain.as_slice()]
        .map(|names| names.iter().map(|name| format!("{field}content-transfer-encoding: {name}")).collect::<Vec<_>>());
    refuses_parts(&encoded.iter().map(String::as_str).collect::<Vec<_>>(), &plain.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn a_header_of_a_part_with_an_odd_name() {
    let field = "Content-Disposition: form-data; name=\"f\"";
    refuses_parts(
        &[
            "Content-Disposition : form-data; name=\"f\"",
            &format!("{field}\r\nX(a): 1"),
            &format!("{field}\r\nX\u{e4}: 1"),
            &format!("{field}\r\nX: 1\rContent-Type: multipart/mixed; boundary=CC"),
        ],
        &[&format!("{field}\r\nX-a_b.c!: 1")],
    );
}

#[test]
fn a_second_name_of_a_file() {
    let names =
        "SecRule FILES \"@streq shell.php\" \"id:1,phase:2,deny\"\nSecRule MULTIPART_FILENAME \"@streq shell.php\" \"id:2,phase:2,deny\"\n";
    for names in names.lines() {
        let rules = format!("{names}\n{FLAGS}");
        let status = |parameters: &str| {
            let body = part(&format!("Content-Disposition: form-data; name=\"f\"; {parameters}"), "1") + "--b--\r\n";
            post(&rules, MULTIPART, body.as_bytes()).status
        };
        assert_eq!(status("filename=\"ok.txt\"; filename*=utf-8''shell.php"), Some(403));
        assert_eq!(status("filename*=UTF-8'en'shell%2ephp; filename=\"ok.txt\""), Some(403));
        assert_eq!(status(r#"filename="shell.p\hp""#), Some(403));
        assert_eq!(status(r#"filename="shell.p\\hp""#), Some(403));
        for refused in
            ["filename=\"\"; filename*=utf-8''shell.php", "filename*=utf-8''shell.php", "filename=\"a\"; filename*=utf-16''shell.php"]
        {
            assert_eq!(status(refused), Some(400), "{refused}");
        }
        assert_eq!(status("filename=\"ok.txt\"; filename*=utf-8''ok%2Etxt"), None);
        assert_eq!(status(r#"filename="C:\docs\ok.txt""#), None);
    }
}

#[test]
fn a_boundary_that_ends_at_a_comma_elsewhere() {
    let inner = "--B\r\nContent-Disposition: form-data; name=\"g\"\r\n\r\nattack\r\n--B--\r\n";
    let status = |boundary: &str| {
        let file = "Content-Disposition: form-data; name=\"f\"; filename=\"a\"";
        let body = format!("--{boundary}\r\n{file}\r\n\r\n{inner}\r\n--{boundary}--\r\n");
        post(FLAGS, &format!("multipart/form-data; boundary={boundary}"), body.as_bytes()).status
    };
    for boundary in ["B,C", "B/C", "B:C", "B=C", "B?C", "B C"] {
        assert_eq!(status(boundary), Some(400), "{boundary}");
    }
    assert_eq!(status("B-C"), None);
}

#[test]
fn a_boundary_within_a_line() {
    let file = "Content-Disposition: form-data; name=\"f\"; filename=\"a\"";
    let status = |data: &str| post(FLAGS, MULTIPART, (part(file, data) + "--b--\r\n").as_bytes()).status;
    for line in ["x--b", "x\r--b", "---b", "--x--b", "x--b--", "x--bc"] {
        assert_eq!(status(&format!("one\r\n{line}\r\nContent-Disposition: form-data; name=\"g\"\r\n\r\nattack")), Some(400), "{line}");
    }
    assert_eq!(status("the b of it -- and more\r\n--\r\n-----BEGIN CERTIFICATE-----"), None);
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
fn cve_2023_38285_transformations_that_take_bytes_away() {
    for (steps, attack) in [
        ("removeWhitespace", "%20"),
        ("removeNulls", "%00"),
        ("replaceNulls", "%00"),
        ("removeCommentsChar", "%2f*"),
        ("compressWhitespace", "%20"),
        ("replaceComments", "%2f*"),
        ("removeComments", "%2f*"),
    ] {
        let rules = waf(&format!("SecRule ARGS \"@contains never\" \"id:1,phase:2,deny,t:none,t:{steps}\"\n"));
        let harmless = "a".repeat(attack.len());
        let [attack, harmless] = [attack, &harmless].map(|text| format!("/?q={}", text.repeat(LONG)));
        takes_as_long(&rules, Request { target: attack.as_bytes(), ..GET }, Request { target: harmless.as_bytes(), ..GET });
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
fn cve_2025_27110_entities_with_many_zeros() {
    let rules = "SecRule ARGS \"@streq <script>\" \"id:1,phase:2,deny,t:none,t:htmlEntityDecode\"\n";
    for bracket in
        ["%26%2360;", "%26%230000000000000000000000000000000000000000000060;", "%26%23x000000000000000000000000000000000000000003c;"]
    {
        assert_eq!(get(rules, &format!("/?q={bracket}script>")).status, Some(403), "{bracket}");
    }
}

#[test]
fn cve_2026_30923_one_hexadecimal_digit() {
    let rules = "SecRule ARGS \"@streq A\" \"id:1,phase:2,deny,t:none,t:hexDecode\"\nSecRule ARGS \"@rx .\" \"id:2,phase:2,pass,t:none,t:sqlHexDecode\"\n";
    for target in ["/?q=4", "/?q=", "/?q", "/?4", "/?q=g", "/?q=0x"] {
        assert_eq!(get(rules, target).status, None, "{target}");
    }
    assert_eq!(get(rules, "/?q=41").status, Some(403));
}

#[test]
fn cve_2026_42268_numbers_that_end_too_early() {
    for (operator, valid) in [("verifySSN", "078-05-1120"), ("verifyCPF", "529.982.247-25"), ("verifySVNR", "1237010180")] {
        // The pattern matches anything, so that the operator sees all lengths.
        let rules = format!("SecRule ARGS \"@{operator} [-.0-9]*\" \"id:1,phase:2,deny\"\n");
        for length in 0..valid.len() {
            let target = format!("/?q={}", &valid[..length]);
            assert_eq!(get(&rules, &target).status, None, "{operator} {target}");
        }
        assert_eq!(get(&rules, &format!("/?q={valid}")).status, Some(403), "{operator}");
    }
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

#[test]
fn cve_2026_21876_a_charset_in_the_first_of_two_parts() {
    let Some(crs) = core_rule_set() else { return };
    let of = |charset: &str, name: &str| {
        part(&format!("Content-Disposition: form-data; name=\"{name}\"\r\nContent-Type: text/plain; charset={charset}"), "x")
    };
    let send = |body: String| {
        let headers: &[(&str, &[u8])] = &[("Content-Type", MULTIPART.as_bytes()), ("User-Agent", b"Mozilla/5.0"), ("Accept", b"*/*")];
        judge(crs, Request { headers, body: (body + "--b--\r\n").as_bytes(), ..GET })
    };
    for body in [of("utf-7", "a") + &of("utf-8", "b"), of("utf-8", "a") + &of("utf-7", "b")] {
        let judged = send(body);
        assert!(judged.ids.contains(&922_110) && judged.status == Some(403), "{:?}", judged.ids);
    }
    assert_eq!(send(of("utf-8", "a") + &of("utf-8", "b")).status, None);
}

#[test]
fn crs_4_28_patterns_that_backtrack() {
    // Alternatives within repetitions with a common first byte, as in the patterns that were fixed.
    let rules = waf("SecRule ARGS \"@rx call(?:\\s|/\\*.*\\*/|(?:#|//).*|\\s+)*\\(\" \"id:1,phase:2,pass\"\n\
        SecRule ARGS \"@rx (?:\\s*(?:\\\\?[\\s\\w'\\x22]+)*)*;stop\" \"id:2,phase:2,pass\"\n\
        SecRule ARGS \"@rx [a-z]+=[^;]*(?:u\\s*r\\s*l|(?:u|\\s)+)*\\(script:\" \"id:3,phase:2,pass\"\n");
    for piece in ["/**/", "%20%20", "%5c%20", "#//%20", "u%20"] {
        let [attack, harmless] =
            [format!("call{}x=", piece.repeat(LONG / piece.len())), "-".repeat(LONG)].map(|text| format!("/?q={text}"));
        takes_as_long(&rules, Request { target: attack.as_bytes(), ..GET }, Request { target: harmless.as_bytes(), ..GET });
    }
    let Some(crs) = core_rule_set() else { return };
    for piece in ["/**/", "%20", "$_[]", "'", "%5c", "url%28", "u%20"] {
        // The harmless input has the same size and passes some prefilters, so that both run the same patterns.
        let [attack, harmless] = [format!("system{}", piece.repeat(2000)), "select+a+word+".repeat(piece.len() * 143)];
        let headers: &[(&str, &[u8])] = &[("User-Agent", b"Mozilla/5.0"), ("Accept", b"*/*")];
        let [attack, harmless] = [attack, harmless].map(|text| format!("/?q={text}"));
        takes_as_long(crs, Request { target: attack.as_bytes(), headers, ..GET }, Request { target: harmless.as_bytes(), headers, ..GET });
    }
}

#[test]
fn crs_4_28_attacks_in_attributes_of_xml() {
    let body = br#"<a b="&lt;script&gt;alert(1)&lt;/script&gt;"/>"#;
    let rules = format!("{XML}SecRule XML://@* \"@contains <script>\" \"id:1,phase:2,deny\"\n");
    assert_eq!(post(&rules, "text/xml", body).status, Some(403));
    let Some(crs) = core_rule_set() else { return };
    let headers: &[(&str, &[u8])] = &[("Content-Type", b"text/xml"), ("User-Agent", b"Mozilla/5.0"), ("Accept", b"*/*")];
    assert_eq!(judge(crs, Request { headers, body, ..GET }).status, Some(403));
    assert_eq!(judge(crs, Request { headers, body: b"<a b=\"c\"/>", ..GET }).status, None);
}

#[test]
fn cve_2023_24021_nul_bytes_in_an_upload() {
    let folder = Scratch::new("nul");
    let rules = format!(
        "SecTmpSaveUploadedFiles On\nSecUploadDir {}\nSecRule FILES_TMP_CONTENT \"@contains attack\" \"id:1,phase:2,deny\"\n\
         SecRule FILES_SIZES \"@eq 9\" \"id:2,phase:2,pass\"\n",
        folder.0.display()
    );
    let body = part("Content-Disposition: form-data; name=\"f\"; filename=\"a.bin\"", "x\0\0attack") + "--b--\r\n";
    let judged = post(&rules, MULTIPART, body.as_bytes());
    assert_eq!(judged.status, Some(403));
    let judged = post(&rules, MULTIPART, body.replace("attack", "\0friend").replace("friend", "frien").as_bytes());
    assert_eq!((judged.status, judged.ids), (None, vec![2]));
}

#[test]
fn cve_2025_47947_and_48866_as_many_arguments_as_fit() {
    for action in ["sanitiseMatchedBytes", "sanitiseMatched", "sanitiseArg:a", "sanitizeArg:a"] {
        let error = Waf::from_rules(&format!("SecRule ARGS \"@rx .\" \"id:1,phase:2,pass,{action}\"\n")).unwrap_err().to_string();
        assert!(error.contains("SecAuditLogParts"), "{error}");
    }
    let rules = format!("{JSON}SecRule ARGS \"@contains a\" \"id:1,phase:2,pass,capture,log,logdata:'%{{MATCHED_VAR}}'\"\n");
    let many = format!("[{}\"a\"]", "\"a\",".repeat(LONG / 4));
    let waf = waf(&rules);
    let body = |body| Request { headers: &[("Content-Type", b"application/json")], body, ..GET };
    // In the attack each match is logged.
    let harmless = many.replace('a', "b");
    assert_eq!(judge(&waf, body(many.as_bytes())).ids.first(), Some(&1));
    takes_as_long(&waf, body(many.as_bytes()), body(harmless.as_bytes()));
    let request = format!("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Type: application/json\r\n\r\n{many}");
    let _ = in_little_memory("arguments", &rules, request.as_bytes());
}

#[test]
fn cve_2025_52891_an_empty_tag_of_xml() {
    let error = Waf::from_rules("SecParseXmlIntoArgs On\n").unwrap_err().to_string();
    assert!(error.contains("XML:/*"), "{error}");
    let rules = format!("{XML}{FLAGS}SecRule XML:/* \"@contains attack\" \"id:1,phase:2,deny\"\n");
    for body in ["<a></a>", "<a/>", "<a><b/><c></c></a>", "<a b=\"\"/>"] {
        assert_eq!(post(&rules, "text/xml", body.as_bytes()).status, None, "{body}");
    }
    assert_eq!(post(&rules, "text/xml", b"<a><b/>attack</a>").status, Some(403));
}

/// Rules that refuse bodies that cannot be read, and attacks in the content of XML bodies.
fn xml_rules() -> String {
    format!("{XML}{FLAGS}SecRule XML:/*|XML://@* \"@contains attack\" \"id:1,phase:2,deny\"\n")
}

#[test]
fn references_within_entities_of_xml() {
    let numbered: String = "attack".bytes().map(|byte| format!("&#38;#{byte};")).collect();
    for (subset, root) in [
        ("<!ENTITY e 'PLACE'>", "<r>&e;</r>"),
        ("<!ENTITY e 'PLACE'>", "<r a='&e;'/>"),
        ("<!ENTITY f 'PLACE'> <!ENTITY e '&f;'>", "<r>&e;</r>"),
        ("<!ENTITY f 'PLACE'> <!ENTITY e '&#38;f;'>", "<r a='&e;'/>"),
        ("<!ENTITY e '<q a=\"PLACE\"/>'>", "<r>&e;</r>"),
        ("<!ENTITY e 'PLACE'> <!ATTLIST r a CDATA '&e;'>", "<r/>"),
    ] {
        let body = |text: &str| format!("<!DOCTYPE r [{}]>{root}", subset.replace("PLACE", text));
        assert_eq!(post(&xml_rules(), "text/xml", body(&numbered).as_bytes()).ids, [1], "{subset} {root}");
        assert_eq!(post(&xml_rules(), "text/xml", body("harmless").as_bytes()).status, None, "{subset} {root}");
    }
}

#[test]
fn markup_within_entities_of_xml() {
    for text in [
        "at<q/>tack",
        "<q>attack</q>",
        "<q a=\"attack\"/>",
        "at<!-- - -->tack",
        "at<?p x?>tack",
        "<![CDATA[att]]>ack",
        "&#60;q>at&#60;/q>tack",
    ] {
        let body = format!("<!DOCTYPE r [<!ENTITY e '{text}'>]><r>&e;</r>");
        assert_eq!(post(&xml_rules(), "text/xml", body.as_bytes()).ids, [1], "{text}");
    }
    for text in ["<q>", "</r><r>", "<![CDATA[", "<!-- ", "&#60;", "&#38;", "&e;", "<q a=\"&e;\"/>"] {
        let body = format!("<!DOCTYPE r [<!ENTITY e '{text}'>]><r>&e;</r>");
        assert_eq!(post(&xml_rules(), "text/xml", body.as_bytes()).ids, [901], "{text}");
    }
}

#[test]
fn attributes_that_only_the_doctype_gives() {
    for subset in
        ["<!ATTLIST r a CDATA 'attack'>", "<!ATTLIST r a CDATA #FIXED 'attack'>", "<!ATTLIST q a CDATA 'x' b NMTOKENS ' attack '>"]
    {
        let body = format!("<!DOCTYPE r [{subset}]><r><q/></r>");
        assert_eq!(post(&xml_rules(), "text/xml", body.as_bytes()).ids, [1], "{subset}");
    }
}

#[test]
fn entities_from_outside_of_the_document() {
    for (subset, root) in [
        ("<!ENTITY e SYSTEM 'file:///etc/passwd'>", "<r>&e;</r>"),
        ("<!ENTITY e PUBLIC 'p' 'http://shop.example/'>", "<r>&e;</r>"),
        ("<!ENTITY e SYSTEM 'file:///etc/passwd'>", "<r a='&e;'/>"),
        ("<!ENTITY % p SYSTEM 'http://shop.example/'> %p;", "<r/>"),
        ("<!NOTATION n SYSTEM 'n'> <!ENTITY e SYSTEM 'u' NDATA n>", "<r>&e;</r>"),
        ("", "<r>&e;</r>"),
    ] {
        let body = format!("<!DOCTYPE r [{subset}]>{root}");
        assert_eq!(post(&xml_rules(), "text/xml", body.as_bytes()).ids, [901], "{subset} {root}");
    }
    let unused = b"<!DOCTYPE r SYSTEM 'r.dtd' [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><r>x</r>";
    assert_eq!(post(&xml_rules(), "text/xml", unused).status, None);
}

fn json_rules() -> String {
    format!("{JSON}{FLAGS}SecRule ARGS|ARGS_NAMES \"@contains attack\" \"id:1,phase:2,deny\"\n")
}

#[test]
fn half_of_a_surrogate_pair_hides_no_escape() {
    for text in [r"\ud800\u0061ttack", r"att\ud800ack", r"att\udc00ack", r"\udc00\ud800", r"\ud800\ud800\udc00", r"\ud800", r"\udbff\n"] {
        for body in [format!("{{\"a\":\"{text}\"}}"), format!("{{\"{text}\":1}}"), format!("\"{text}\"")] {
            assert_eq!(post(&json_rules(), "application/json", body.as_bytes()).ids, [901], "{body}");
        }
    }
    assert_eq!(post(&json_rules(), "application/json", br#"["\ud83e\udd80\u0061ttack"]"#).ids, [1]);
    assert_eq!(post(&json_rules(), "application/json", br#"["\ud83e\udd80 \uffff"]"#).status, None);
}

#[test]
fn json_that_is_not_utf_8() {
    let wrong: &[&[u8]] = &[
        b"\x80",
        b"\xc0\x80",
        b"\xc1\x94",
        b"\xe0\x80\x80",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xf0\x80\x80\x80",
        b"\xf4\x90\x80\x80",
        b"\xff",
    ];
    for bytes in wrong {
        for body in [[b"[\"att", *bytes, b"ack\"]"].concat(), [b"{\"att", *bytes, b"ack\":1}"].concat()] {
            assert_eq!(post(&json_rules(), "application/json", &body).ids, [901], "{bytes:x?}");
        }
    }
    assert_eq!(post(&json_rules(), "application/json", "[\"é€🦀\u{10ffff}\"]".as_bytes()).status, None);
}

#[test]
fn a_boundary_that_is_empty() {
    let body = field("a", "attack") + "--b--\r\n";
    for content_type in
        ["multipart/form-data; boundary=", "multipart/form-data; boundary=\"\"", "multipart/form-data", "multipart/form-data; boundary= "]
    {
        assert_eq!(post(FLAGS, content_type, body.as_bytes()).status, Some(400), "{content_type}");
    }
}

#[test]
fn line_breaks_in_values_of_a_form() {
    let rules = "SecRule ARGS:a \"@rx ^one\\r\\ntwo$\" \"id:1,phase:2,deny\"\n";
    assert_eq!(post(rules, MULTIPART, (field("a", "one\r\ntwo") + "--b--\r\n").as_bytes()).status, Some(403));
}

#[test]
fn words_of_a_file_with_carriage_returns() {
    let rules = "SecRuleEngine On\r\nSecRule ARGS \"@pmFromFile words.data\" \"id:1,phase:1,deny\"\r\n";
    for words in ["# commands\r\ncurl\r\n\r\nwget\r\n", "\u{feff}curl\r\nwget"] {
        let files = Memory::new().with("main.conf", rules).with("words.data", words);
        let waf = Waf::builder().file("main.conf").build_with(&files).unwrap();
        for (target, status) in [("/?q=curl%20x", Some(403)), ("/?q=wget", Some(403)), ("/?q=fine%0d", None)] {
            let request = Request { target: target.as_bytes(), ..GET };
            assert_eq!(judge(&waf, request).status, status, "{target} {words:?}");
        }
    }
}

#[test]
fn a_range_of_bytes_above_255() {
    for range in ["0-300", "300", "1-99999999999999999999", "256"] {
        let error = Waf::from_rules(&format!("SecRule ARGS \"@validateByteRange {range}\" \"id:1,phase:2,deny\"\n")).unwrap_err();
        assert!(error.to_string().contains(range), "{error}");
    }
    assert_eq!(get("SecRule ARGS \"@validateByteRange 0-255\" \"id:1,phase:2,deny\"\n", "/?q=%ff%00").status, None);
}

#[cfg(unix)]
#[test]
fn a_program_that_inspects_a_value_with_commands_in_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Scratch::new("inspect");
    let (program, mark) = (folder.0.join("inspect.sh"), folder.0.join("mark"));
    // Prints 1 (fine) for exactly one argument, otherwise 0.
    fs::write(&program, "#!/bin/sh\n[ $# = 1 ] && echo \"1 fine\" || echo \"0 found\"\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let rules = format!("SecRule ARGS \"@inspectFile {}\" \"id:1,phase:2,deny\"\n", program.display());
    for value in [
        format!("; touch {}", mark.display()),
        format!("$(touch {})", mark.display()),
        format!("`touch {}`", mark.display()),
        "a b 'c".to_owned(),
    ] {
        let value: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
        assert_eq!(get(&rules, &format!("/?q={value}")).status, None);
        assert!(!mark.exists());
    }
}

#[cfg(feature = "lua")]
#[test]
fn scripts_that_ask_for_what_there_is_not() {
    let folder = Scratch::new("getvar");
    let script = folder.0.join("ask.lua");
    let names = ["ARGS", "TIME", "REMOTE_USER", "ENV.x", "RULE.id", "MULTIPART_LF_LINE", "NOTHING", "", "ARGS:", ":", "&ARGS", "TX./["];
    let asks: String = names.map(|name| format!("m.getvar('{name}')\nm.getvars('{name}')\n")).concat();
    fs::write(&script, format!("function main()\n{asks}return 'answered'\nend\n")).unwrap();
    let judged = get(&format!("SecRuleScript {} \"id:1,phase:2,deny\"\n", script.display()), "/?a=1");
    assert_eq!(judged.status, Some(403));
    assert_eq!(judged.transaction.rule_matches()[0].message(), "answered");
}

#[test]
fn a_redirect_with_line_breaks_of_the_request() {
    let waf = waf("SecRule ARGS:next \"@rx .\" \"id:1,phase:1,redirect:'https://shop.example/?next=%{MATCHED_VAR}'\"\n");
    let mut transaction = waf.transaction();
    let _ = transaction.process_uri(b"/?next=a%0d%0aSet-Cookie:%20sid=evil%00", b"GET", b"1.1");
    let verdict = transaction.process_request_headers();
    let address = verdict.intervention().and_then(|intervention| intervention.location().map(str::to_owned));
    assert_eq!(address.as_deref(), Some("https://shop.example/?next=a%0D%0ASet-Cookie: sid=evil%00"));
}

#[test]
fn a_nul_behind_utf8_to_unicode() {
    let rule = "SecRule ARGS \"@validateByteRange 1-255\" \"id:1,phase:2,deny,t:none,t:utf8toUnicode,t:urlDecodeUni\"\n";
    assert_eq!((get(rule, "/?file=shell.php%00.jpg").status, get(rule, "/?file=shell.php.jpg").status), (Some(403), None));
}

#[test]
fn clients_that_fill_the_store() {
    let rules = "SecStoreBytesLimit 1000000\nSecAction \"id:1,phase:1,pass,nolog,initcol:ip=%{ARGS.client}\"\n\
        SecRule IP:v \"@rx .\" \"id:2,phase:1,deny\"\nSecAction \"id:3,phase:2,pass,nolog,setvar:ip.v=%{ARGS.v}\"\n";
    let waf = waf(rules);
    let value = "v".repeat(10_000);
    let is_known =
        |client: usize| judge(&waf, Request { target: format!("/?client={client}&v={value}").as_bytes(), ..GET }).status.is_some();
    assert_eq!((0..200).filter(|client| is_known(*client)).count(), 0);
    assert!(is_known(199) && !is_known(0), "who was not seen for longest is forgotten");
}

#[test]
fn values_that_look_like_parts_of_a_log() {
    let folder = Scratch::new("logs");
    let place = |name: &str| folder.0.join(name).display().to_string();
    let settings = format!(
        "SecDebugLog {}\nSecDebugLogLevel 9\nSecAuditEngine On\nSecAuditLogType Concurrent\nSecAuditLog {}\nSecAuditLogStorageDir {}\n",
        place("debug.log"),
        place("index.log"),
        place("records")
    );
    let waf = waf(&format!("{settings}SecRule ARGS \"@rx 1\" \"id:1,phase:2,pass,log,msg:'%{{ARGS.a}}'\""));
    let headers: [(&str, &[u8]); 1] = [("User-Agent", b"a\" - FAKE \"b")];
    let request = Request { target: b"/?a=1%22%5d+%5bid+%22999%22%5d%0aFAKE%1b%5b31m%c2%9b", headers: &headers, ..GET };
    let mut judged = judge(&waf, request);
    judged.transaction.process_logging();
    let line = secrule::internals::record::error_log::line(&judged.transaction, &judged.transaction.rule_matches()[0]);
    assert!(line.contains("[id \"1\"]") && !line.contains("[id \"999"), "{line}");
    let debug = fs::read_to_string(folder.0.join("debug.log")).unwrap();
    assert!(debug.contains("FAKE") && !debug.contains("\nFAKE") && !debug.contains(['\x1b', '\u{9b}']));
    let index = fs::read_to_string(folder.0.join("index.log")).unwrap();
    assert!(index.contains("\"a\\x22 - FAKE \\x22b\""), "{index}");
}

#[test]
fn rules_of_phase_2_without_the_body() {
    let rule = "SecRule ARGS \"@contains attack\" \"id:1,phase:2,deny\"\n";
    let off = format!("SecRequestBodyAccess Off\n{rule}");
    assert_eq!(get(&off, "/?a=attack").status, None);
    let warned = Waf::from_rules(&off).unwrap();
    assert!(warned.report().warnings().iter().any(|warning| warning.message.contains("never evaluated")));
    assert_eq!(get(rule, "/?a=attack").status, Some(403));
    let asked = "SecRule REQUEST_METHOD \"@streq GET\" \"id:2,phase:1,pass,nolog,ctl:requestBodyAccess=On\"\n";
    assert_eq!(get(&format!("SecRequestBodyAccess Off\n{asked}{rule}"), "/?a=attack").status, Some(403));
}

/// A folder that is removed with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("known-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn patterns_that_turn_back() {
    let letters = "a".repeat(LONG);
    for (pattern, ending) in [("a++b", ""), ("(?>a+)b", "cab"), ("a(?!.*a)b", "cb"), ("a(?=.*b)c", "bdac"), (r"(a+)\1x", "cx")] {
        let rules = waf(&format!("SecRule ARGS \"@rx {pattern}\" \"id:1,phase:2,pass\"\nSecRule ARGS \"@rx q\\d\" \"id:2,phase:2,pass\""));
        let [attack, harmless] = [format!("/?q={letters}{ending}"), format!("/?q={}", "-".repeat(LONG))];
        takes_as_long(&rules, Request { target: attack.as_bytes(), ..GET }, Request { target: harmless.as_bytes(), ..GET });
    }
}

#[test]
fn patterns_of_large_counted_repetitions() {
    let mixed: String = (0..200_000_u32).map(|at| if at.wrapping_mul(0x9E37_79B9) >> 31 == 0 { 'a' } else { 'b' }).collect();
    let rules = "SecRule ARGS \"@rx a(.{0,900})b(.{0,900})[^a]b$\" \"id:1,phase:2,pass,capture\"\n";
    let judged = post(rules, "application/x-www-form-urlencoded", format!("q={mixed}").as_bytes());
    assert_eq!(judged.status, Some(403), "the budget ends it");
}

#[test]
fn patterns_that_a_request_writes() {
    let rules = "SecRule ARGS \"@rx %{ARGS.p}\" \"id:1,phase:2,pass\"\nSecRule MSC_PCRE_LIMITS_EXCEEDED \"@eq 1\" \"id:2,phase:2,deny\"\n";
    let judged = post(rules, "application/x-www-form-urlencoded", b"p=(%3f:a{0,1000}){0,1000}b&a=aaa");
    assert_eq!(judged.status, Some(403), "the flag is set");
}

#[test]
fn a_macro_of_all_arguments() {
    let rules = waf("SecRule ARGS \"!@streq %{ARGS}\" \"id:1,phase:2,pass,nolog\"\n");
    let many = |count: usize| (0..count).map(|number| format!("a{number}=v&")).collect::<String>();
    let (attack, harmless) = (many(20_000), format!("a={}", "v".repeat(150_000)));
    let headers: &[(&str, &[u8])] = &[("Content-Type", b"application/x-www-form-urlencoded")];
    let [attack, harmless] = [&attack, &harmless].map(|body| Request { headers, body: body.as_bytes(), ..GET });
    let start = Instant::now();
    let _ = (judge(&rules, attack), judge(&rules, harmless));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}
