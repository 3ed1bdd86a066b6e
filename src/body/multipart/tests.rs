use proptest::prelude::*;

use super::flags::UnmatchedBoundary;
use super::*;

const TYPE: &[u8] = b"multipart/form-data; boundary=cut";

fn parse(body: &[u8]) -> Multipart<'_> {
    Multipart::parse(Some(TYPE), body, &MultipartLimits::default(), None)
}

fn field(name: &str, value: &str) -> String {
    format!("--cut\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

fn file(name: &str, file_name: &str, content: &str) -> String {
    format!(
        "--cut\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{file_name}\"\r\nContent-Type: text/plain\r\n\r\n{content}\r\n"
    )
}

const END: &str = "--cut--\r\n";

#[test]
fn fields_and_files_are_found_with_their_places() {
    let body = [field("city", "Ulm"), file("up", "a.txt", "one\r\ntwo"), END.to_owned()].concat();
    let form = parse(body.as_bytes());
    assert_eq!((form.error.clone(), form.strict_error(), form.complete), (None, false, true));
    let [city, up] = form.parts.as_slice() else { panic!("two parts are expected") };
    assert_eq!((city.name.as_ref(), &body[city.name_offset..][..4], &body[city.content.clone()]), (&b"city"[..], "city", "Ulm"));
    assert_eq!((up.file_name.as_deref(), &body[up.file_name_offset..][..5]), (Some(&b"a.txt"[..]), "a.txt"));
    assert_eq!(&body[up.content.clone()], "one\r\ntwo");
    let headers: Vec<_> = up.headers.iter().map(|header| (header.name, header.value())).collect();
    assert_eq!(headers[1], (&b"Content-Type"[..], &b"text/plain"[..]));
}

#[test]
fn header_lines_and_fields_count_for_the_limit_without_files() {
    let body = [field("a", "123"), file("f", "x", "not counted"), END.to_owned()].concat();
    let header_lines = [
        "Content-Disposition: form-data; name=\"a\"",
        "",
        "Content-Disposition: form-data; name=\"f\"; filename=\"x\"",
        "Content-Type: text/plain",
        "",
    ];
    let expected = header_lines.iter().map(|line| line.len() + 2).sum::<usize>() + 3;
    assert_eq!(parse(body.as_bytes()).bytes_without_files, expected);
}

#[test]
fn an_ordinary_body_matches_its_boundary() {
    let body = [field("a", "1"), END.to_owned()].concat();
    assert_eq!(parse(body.as_bytes()).flags.unmatched_boundary, UnmatchedBoundary::Matched);
}

#[test]
fn an_empty_file_name_makes_a_field() {
    let body = [file("a", "", "1"), END.to_owned()].concat();
    assert!(!parse(body.as_bytes()).parts[0].is_file());
}

#[test]
fn the_final_boundary_may_lack_its_line_break() {
    let body = [field("a", "1"), "--cut--".to_owned()].concat();
    let form = parse(body.as_bytes());
    assert_eq!((form.complete, form.parts.len(), form.error), (true, 1, None));
}

#[test]
fn data_around_the_parts_is_flagged() {
    let body = ["hello\r\n".to_owned(), field("a", "1"), END.to_owned(), "bye".to_owned()].concat();
    let form = parse(body.as_bytes());
    assert!(form.flags.data_before && form.flags.data_after && form.strict_error());
    assert!(form.notes.contains(&Note::DataAfter { length: 3 }));
}

#[test]
fn line_ends_are_watched_at_boundaries_and_headers_but_not_in_data() {
    let crlf = [field("a", "1\n2"), END.to_owned()].concat();
    assert!(!parse(crlf.as_bytes()).flags.lf_line);
    let lf = crlf.replace("\r\n", "\n");
    let flags = parse(lf.as_bytes()).flags;
    assert!(flags.lf_line && !flags.crlf_lf_lines());
    let mixed = crlf.replace("2\r\n", "2\n");
    assert!(parse(mixed.as_bytes()).flags.crlf_lf_lines());
}

#[test]
fn folded_headers_are_joined_and_flagged() {
    let body = b"--cut\r\nContent-Disposition: form-data;\r\n\t name=a\r\n\r\n1\r\n--cut--\r\n";
    let form = parse(body);
    assert_eq!(form.parts[0].headers[0].line.as_ref(), b"Content-Disposition: form-data; name=a");
    assert!(form.flags.header_folding && !form.flags.invalid_header_folding);
    let body = b"--cut\r\nContent-Disposition: form-data;\r\n\x0bname=a\r\n\r\n1\r\n--cut--\r\n";
    assert!(parse(body).flags.invalid_header_folding);
}

#[test]
fn a_bad_header_line_is_an_error_and_the_part_goes_on() {
    let body = b"--cut\r\nContent-Disposition: form-data; name=a\r\noops\r\n\r\n1\r\n--cut--\r\n";
    let form = parse(body);
    assert_eq!(form.error, Some(MultipartError::ColonMissing { line: b"oops\r\n".to_vec() }));
    assert_eq!((form.complete, form.parts.len()), (true, 1));
}

#[test]
fn the_first_error_counts_and_the_other_parts_are_read() {
    let unknown = "--cut\r\nContent-Disposition: form-data; name=\"f\"; a=1\r\n\r\nv\r\n".to_owned();
    let body = [unknown, field("a", "1"), END.to_owned()].concat();
    let form = parse(body.as_bytes());
    let message = form.error.as_ref().map(ToString::to_string).unwrap_or_default();
    assert_eq!(message, "Multipart: Invalid Content-Disposition header (-11): form-data; name=\"f\"; a=1 (unknown parameter)");
    let errors = form.notes.iter().filter(|note| matches!(note, Note::Error(_))).count();
    assert_eq!((errors, form.complete, form.parts.len(), form.flags.invalid_part), (1, true, 1, false));
}

#[test]
fn a_boundary_within_a_line_is_flagged_for_good() {
    for line in ["x--cut", "---cut", "x\r--cut\r", "--x--cut--"] {
        let body = [field("a", line), field("b", "2"), END.to_owned()].concat();
        let flags = parse(body.as_bytes()).flags;
        assert_eq!((flags.invalid_part, flags.unmatched_boundary), (true, UnmatchedBoundary::Matched), "{line}");
    }
    let body = [field("a", "the cut -- of it"), field("b", "--\r\n--other"), END.to_owned()].concat();
    assert!(!parse(body.as_bytes()).strict_error());
}

#[test]
fn parts_of_parts_and_encoded_parts_are_errors_and_are_read() {
    let with = |header: &str| {
        let body = format!("--cut\r\nContent-Disposition: form-data; name=a; filename=f\r\n{header}\r\n\r\n1\r\n--cut--\r\n");
        let form = parse(body.as_bytes());
        (form.error.as_ref().map(ToString::to_string).unwrap_or_default(), form.parts.len())
    };
    assert_eq!(
        with("Content-Type: Multipart/Mixed; boundary=x"),
        ("Multipart: Part holds a multipart body: Multipart/Mixed; boundary=x".to_owned(), 1)
    );
    assert_eq!(with("Content-Transfer-Encoding: base64 "), ("Multipart: Part with Content-Transfer-Encoding: base64".to_owned(), 1));
    assert_eq!(with("Content-Transfer-Encoding: 8BIT"), (String::new(), 1));
}

#[test]
fn a_file_has_every_name_that_applications_may_give_it() {
    let names = |parameters: &str| {
        let body = format!("--cut\r\nContent-Disposition: form-data; name=a; {parameters}\r\n\r\n1\r\n--cut--\r\n");
        let form = parse(body.as_bytes());
        let part = form.parts.first().unwrap_or_else(|| panic!("{:?}", form.error));
        let first = part.file_name.as_deref().unwrap_or_default();
        let names = std::iter::once(first).chain(part.other_file_names.iter().map(Vec::as_slice));
        names.map(|name| String::from_utf8_lossy(name).into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("filename=a.txt"), ["a.txt"]);
    assert_eq!(names("filename=a.txt; filename*=utf-8''a%2etxt"), ["a.txt"]);
    assert_eq!(names("filename*=utf-8''b%5c.txt; filename=a.txt"), ["a.txt", "b\\.txt", "b.txt"]);
    assert_eq!(names("filename*= utf-8''b.txt; filename=a.txt"), ["a.txt", "b.txt"]);
    assert_eq!(names(r#"filename="a\\b\c""#), [r"a\b\c", "abc", r"a\bc"]);
    assert_eq!(names("filename=\"=?utf-8?B?YS50eHQ=?=\"; filename*=utf-8''a.txt"), ["=?utf-8?B?YS50eHQ=?=", "a.txt"]);
}

#[test]
fn lines_that_look_like_boundaries_are_flagged() {
    let other = [field("a", "--other"), "--cut--".to_owned()].concat();
    assert_eq!(parse(other.as_bytes()).flags.unmatched_boundary, UnmatchedBoundary::Unmatched);
    let early = [field("a", "--cut"), END.to_owned()].concat();
    assert!(parse(early.as_bytes()).flags.invalid_part);
    let longer = [field("a", "1"), "--cutter\r\n".to_owned()].concat();
    assert!(parse(longer.as_bytes()).notes.contains(&Note::Error(MultipartError::InvalidBoundary { line: b"--cutter\r\n".to_vec() })));
    let blank = [field("a", "1"), "-- cut\r\n".to_owned()].concat();
    assert!(parse(blank.as_bytes()).notes.contains(&Note::Error(MultipartError::BoundaryWhitespace)));
}

#[test]
fn a_body_that_is_cut_off_keeps_its_parts_but_is_not_complete() {
    let body = [field("a", "1"), field("b", "2")].concat();
    let form = parse(body.as_bytes());
    let names: Vec<_> = form.parts.iter().map(|part| (part.name.as_ref(), part.closed)).collect();
    assert_eq!(names, [(&b"a"[..], true), (b"b", false)]);
    assert_eq!((form.complete, form.error), (false, Some(MultipartError::FinalBoundaryMissing)));
    assert_eq!(parse(b"no form\r\n").error, Some(MultipartError::NoBoundaries));
    assert_eq!(parse(b"").error, None);
}

#[test]
fn a_body_that_the_engine_cut_is_read_as_far_as_it_goes() {
    let limits = MultipartLimits { is_cut: true, ..MultipartLimits::default() };
    let whole = [field("a", "1"), file("up", "a.txt", "one\r\ntwo"), END.to_owned()].concat();
    for length in 0..whole.len() {
        let form = Multipart::parse(Some(TYPE), &whole.as_bytes()[..length], &limits, None);
        let values: Vec<_> = form.parts.iter().map(|part| &whole[part.content.clone()]).collect();
        assert_eq!(form.error, if (1..7).contains(&length) { Some(MultipartError::NoBoundaries) } else { None }, "{length}");
        let expected = ["1", "one\r\ntwo"];
        assert!(
            values
                .iter()
                .zip(expected)
                .all(|(value, expected)| expected.starts_with(value.trim_end_matches(['\r', '\n', '-', 'c', 'u', 't']))),
            "{values:?}"
        );
    }
    let cut = &whole.as_bytes()[..whole.len() - "wo\r\n--cut--\r\n".len()];
    let form = Multipart::parse(Some(TYPE), cut, &limits, None);
    assert_eq!((form.complete, &cut[form.parts[1].content.clone()], form.strict_error()), (true, &b"one\r\nt"[..], false));
}

#[test]
fn a_size_that_is_not_that_of_the_part_is_an_error() {
    let error = |size: &str| {
        let body = format!("--cut\r\nContent-Disposition: form-data; name=a; size={size}\r\n\r\n12\r\n--cut--\r\n");
        parse(body.as_bytes()).error.as_ref().map(ToString::to_string)
    };
    assert_eq!(error("2"), None);
    assert_eq!(error("46").as_deref(), Some("Multipart: Content-Disposition says 46 bytes, and the part has 2."));
}

#[test]
fn limits_stop_the_parser() {
    let limits = MultipartLimits { header_bytes: 64, headers_per_part: 2, parts: 2, files: 1, is_cut: false };
    let error = |body: String| {
        Multipart::parse(Some(TYPE), body.as_bytes(), &limits, None).notes.into_iter().find_map(|note| match note {
            Note::Error(error) => Some(error),
            _ => None,
        })
    };
    assert_eq!(error([field("a", "1"), field("b", "2"), field("c", "3")].concat()), Some(MultipartError::PartLimit { limit: 2 }));
    assert_eq!(error(field(&"n".repeat(64), "1")), Some(MultipartError::HeaderLineTooLong { limit: 64 }));
    assert_eq!(error("--cut\r\nA: 1\r\nB: 2\r\nC: 3\r\n".to_owned()), Some(MultipartError::HeaderLimit { limit: 2 }));
    let short_file = "--cut\r\nContent-Disposition: form-data; name=a; filename=b\r\n\r\n1\r\n";
    let form = [short_file, short_file, END].concat();
    assert_eq!(error(form), Some(MultipartError::FileLimit { limit: 1 }));
}

proptest! {
    #[test]
    fn any_bytes_are_survived(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        parse(&body);
    }

    #[test]
    fn any_form_like_text_is_survived(
        body in "(--cut\r\n|--cut--\r\n|--cut|\r\n|\n|Content-Disposition: form-data; name=a|; filename=\"x|b: c\r\n| d\r\n|\"|--|e\0){0,30}",
        header in "multipart/form-data(; boundary|=|\"|cut|;| ){0,6}",
    ) {
        for content_type in [TYPE, header.as_bytes()] {
            let form = Multipart::parse(Some(content_type), body.as_bytes(), &MultipartLimits::default(), None);
            for part in &form.parts {
                prop_assert!(body.as_bytes().get(part.content.clone()).is_some());
            }
            for note in &form.notes {
                prop_assert!(note.to_string().starts_with("Multipart: "));
            }
        }
    }
}
