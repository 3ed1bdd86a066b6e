use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::operator::{Capture, CapturedValue};

fn fingerprint(input: &[u8]) -> Option<String> {
    let mut findings = Findings::default();
    let matched = sql(input, Wanted::Findings, &mut findings);
    let captured = findings.captures.first().map(|capture| String::from_utf8_lossy(capture.bytes(input)).into_owned());
    assert_eq!(matched, captured.is_some());
    captured
}

fn is_script(input: &[u8]) -> bool {
    cross_site_scripting(input, Wanted::Verdict, &mut Findings::default())
}

#[test]
fn sql_injection_captures_its_fingerprint() {
    let mut findings = Findings::default();
    assert!(sql(b"-7' UNION SELECT 3,user()-- x", Wanted::Findings, &mut findings));
    assert_eq!(findings.captures, [Capture { index: 0, value: CapturedValue::Text(b"sUE1("[..].into()) }]);
}

#[test]
fn plain_text_is_no_injection() {
    let mut findings = Findings::default();
    for input in [&b""[..], b"Robert's table", b"\xff\x00<", b"1 < 2 and 3 > 2"] {
        assert!(!cross_site_scripting(input, Wanted::Findings, &mut findings), "{input:?}");
    }
    for input in
        ["", "Robert", "12345", "Robert's table", "john.doe+news@mail.example.com", "550e8400-e29b-41d4-a716-446655440000", "1,2,3,(4)"]
    {
        assert!(!sql(input.as_bytes(), Wanted::Findings, &mut findings), "{input}");
    }
    assert_eq!(findings, Findings::default());
}

#[test]
fn script_captures_the_input() {
    let mut findings = Findings::default();
    let input = b"<p onclick=run()>";
    assert!(cross_site_scripting(input, Wanted::Findings, &mut findings));
    assert_eq!(findings.captures.first().unwrap().bytes(input), input);
}

/// Verdicts of the C library of Debian's libmodsecurity 3.0.9, also where its translation to Rust differs.
#[test]
fn sql_is_read_as_the_c_library_reads_it() {
    let cases: [(&[u8], Option<&str>); 24] = [
        (b"1 into outfile 'x'", Some("1ks")),
        (b"1 INTO OUTFILE 'x'", Some("1ks")),
        (b"1 into strings", None),
        (b"match(a) against ('b' in boolean mode) or 1", Some("k(n)k")),
        (b"1 or 1=1", Some("1&1")),
        (b"1' or '1'='1", Some("s&sos")),
        (b"1\" or \"1\"=\"1", Some("s&sos")),
        (b"1 or 1=1 /*!*/", Some("X")),
        (b"a /*/*/ b", Some("X")),
        (b"a-- sp_password", Some("nc")),
        (b"a-- SP_PASSWORD", None),
        (b"@user(1)) union select 1", None),
        (b"x xor 1;ab:", None),
        (b"x^(y:", Some("no(no")),
        (b"1 union select $\x00\x00,2", Some("1UE1")),
        (b"1 or {``.a}", Some("X")),
        (b"foo' + 'bar", Some("sos")),
        (b"sexy and 17", None),
        (b"sexy and 17<18", Some("n&1")),
        (b"1--", Some("1c")),
        (b"1-a--", Some("1c")),
        (b"1; if 1=1 drop table a", Some("1;T1T")),
        (b"1 # comment", None),
        (b"-1 union select 1,2 # a", Some("1UE1")),
    ];
    for (input, expected) in cases {
        assert_eq!(fingerprint(input).as_deref(), expected, "{}", input.escape_ascii());
    }
}

#[test]
fn html_is_read_as_the_c_library_reads_it() {
    let cases: [(&[u8], bool); 23] = [
        (b"<script>", true),
        (b"<scr\x00ipt>", true),
        (b"</script>", false),
        (b"</script >", true),
        (b"<svgx>", true),
        (b"<b>bold</b>", false),
        (b"<p onanything=1>", true),
        (b"online=1", true),
        (b"one=1", false),
        (b"' onload=x", true),
        (b"` style=x", true),
        (b"<a href=java&#x73;cript:x>", true),
        (b"<a href=/x>", false),
        (b"<a href='&#330;avascript:'", true),
        (b"<!--[if IE]>", true),
        (b"<!-- plain -->", false),
        (b"<!doctype html>", true),
        (b"<a a\x00href=data:x>", true),
        (b"<set attributeName=style", true),
        (b"<set attributeName=href>", true),
        (b"a=b&c=d", false),
        (b"<?import a>", true),
        (b"1 < 2 = 3", false),
    ];
    for (input, expected) in cases {
        assert_eq!(is_script(input), expected, "{}", input.escape_ascii());
    }
}

#[test]
fn time_grows_as_the_input_does() {
    // With quadratic time this would take minutes.
    let start = std::time::Instant::now();
    for part in [
        "<", "'", "\\'", "/*", "(", "1,", "--x\n", "#\n", "$a$", "$a", "a.", "b'0", "<!--", "<!---\0", "&#0", "href='&#", "a=b ", "<a ",
        "</", "q'(",
    ] {
        let input = part.repeat(500_000 / part.len());
        for prefix in ["", "1 ", "<a href="] {
            let input = [prefix, &input].concat();
            sql(input.as_bytes(), Wanted::Verdict, &mut Findings::default());
            is_script(input.as_bytes());
        }
    }
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

/// Parts of statements. Left out is what the translation reads otherwise than the C library: phrases without a meaning of their own (`IN BOOLEAN`),
/// `into` in lower case, `sp_password`, functions as variable names, NUL.
const SQL: [&str; 92] = [
    "'",
    "\"",
    "`",
    "'a'",
    "\"a\"",
    "`a`",
    "--",
    "-- ",
    "#",
    "/*",
    "*/",
    "/*!",
    "/**/",
    "(",
    ")",
    "((",
    "))",
    ",",
    ";",
    ".",
    "@v",
    "@@version",
    "@'v'",
    "$",
    "$$",
    "$a$",
    "$1",
    "[",
    "]",
    "{",
    "}",
    "\\",
    "\\N",
    "||",
    "&&",
    "=",
    "<",
    ">",
    "<=>",
    "::",
    ":",
    ":=",
    "!",
    "!!",
    "~",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "|",
    "&",
    "?",
    "\n",
    "\t",
    " ",
    " ",
    " ",
    " ",
    "0x1f",
    "0b1",
    "1e",
    "1e5",
    "1.",
    "1d",
    "1fu",
    "12",
    "a",
    "a_b",
    "b'01'",
    "x'1f'",
    "n'a'",
    "nq'(a)'",
    "q'[a]'",
    "u&'a'",
    "e'a'",
    "union",
    "select",
    "and",
    "OR",
    "not",
    "in",
    "like",
    "INTO OUTFILE",
    "if",
    "user",
    "collate",
    "integer",
    "null",
    "sleep",
    "group by",
];

/// Parts of pages.
const HTML: [&str; 56] = [
    "<",
    ">",
    "=",
    "'",
    "\"",
    "`",
    "/",
    "</",
    "<!",
    "<!--",
    "-->",
    "--!>",
    "-",
    "!",
    "<?",
    "<%",
    "%>",
    "<![CDATA[",
    "]]>",
    "doctype",
    " ",
    "\t",
    "\n",
    "script",
    "style",
    "svg",
    "xsl",
    "xml",
    "xss",
    "a",
    "b",
    "onload",
    "onclick",
    "href",
    "src",
    "to",
    "by",
    "xmlns",
    "xlink:href",
    "attributename",
    "javascript:",
    "data:",
    "vbscript",
    "view-source",
    "&#",
    "&#x",
    "74",
    "106",
    ";",
    "java",
    "[if",
    "import",
    "entity",
    "<a ",
    "<a href=",
    "\" ",
];

fn text_of(parts: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![12 => select(parts).prop_map(|part| part.as_bytes().to_vec()), 1 => (1..128u8).prop_map(|byte| vec![byte])];
    vec(part, 0..14).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn statements_are_read_as_by_libinjection(input in text_of(&SQL)) {
        let other = libinjectionrs::detect_sqli(&input);
        let expected = other.is_injection().then(|| other.fingerprint.unwrap().as_str().to_owned());
        prop_assert_eq!(fingerprint(&input), expected, "{}", input.escape_ascii());
    }

    #[test]
    fn what_follows_two_words_is_read_as_by_libinjection(words in "(/\\*a\\*/|\\(|-)?[jz]q[ ,]?( |/\\*b\\*/)[jz]q ?", rest in text_of(&SQL)) {
        let input = [words.as_bytes(), &rest].concat();
        let other = libinjectionrs::detect_sqli(&input);
        let expected = other.is_injection().then(|| other.fingerprint.unwrap().as_str().to_owned());
        prop_assert_eq!(fingerprint(&input), expected, "{}", input.escape_ascii());
    }

    #[test]
    fn pages_are_read_as_by_libinjection(input in text_of(&HTML)) {
        // The translation lists the event handlers; the library takes any attribute that begins like one.
        let may_handle_events = input.windows(2).any(|pair| pair.eq_ignore_ascii_case(b"on"));
        let other = libinjectionrs::detect_xss(&input).is_injection();
        prop_assert!(is_script(&input) == other || may_handle_events && !other, "{}", input.escape_ascii());
    }

    #[test]
    fn a_single_word_is_no_injection(word in "[A-Za-z_][A-Za-z_0-9]{0,40}|[0-9]{1,40}") {
        prop_assert_eq!(fingerprint(word.as_bytes()), None);
        prop_assert!(!libinjectionrs::detect_sqli(word.as_bytes()).is_injection());
    }

    #[test]
    fn any_bytes_are_read(input in vec(any::<u8>(), 0..200)) {
        fingerprint(&input);
        is_script(&input);
    }
}
