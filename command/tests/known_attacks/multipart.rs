//! Multipart bodies that two parsers read in two ways.

use crate::host::{FLAGS, MULTIPART, Scratch, part, post};

fn field(name: &str, value: &str) -> String {
    part(&format!("Content-Disposition: form-data; name=\"{name}\""), value)
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
