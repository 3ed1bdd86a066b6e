//! The `charset` parameter of a `Content-Type` header.
//!
//! Rules match bytes. In most charsets ASCII letters are ASCII bytes, so that rules find an attack whatever else the text contains. In EBCDIC,
//! UTF-16, UTF-7 and the like they are not: Tomcat decodes a form in `ibm037`, of which rules would recognise no letter.

use super::blank;

/// Parts of the names of such charsets, in lower case and without signs.
const OPAQUE: [&str; 12] = ["bocu", "ebcdic", "ibm", "iso10646", "iso2022", "scsu", "ucs2", "ucs4", "unicode", "utf16", "utf32", "utf7"];

/// Whole names of such charsets, in the same spelling.
const OPAQUE_NAMES: [&str; 5] = ["hz", "hzgb2312", "jis", "jisencoding", "csjisencoding"];

/// The numbers of EBCDIC code pages that go by `cp` and a number.
const EBCDIC_PAGES: [u16; 35] = [
    37, 273, 277, 278, 280, 284, 285, 290, 297, 420, 424, 500, 833, 838, 870, 871, 875, 918, 924, 930, 933, 935, 937, 939, 1025, 1026,
    1047, 1097, 1112, 1122, 1123, 1140, 1141, 1148, 1149,
];

/// Returns `true` if a header names a charset in which ASCII letters are other bytes. Every name after the word `charset` and an equals sign counts,
/// anywhere in the header.
pub fn hides_letters(header: &[u8]) -> bool {
    let lower = header.to_ascii_lowercase();
    memchr::memmem::find_iter(&lower, b"charset").any(|at| {
        let behind = lower.get(at.saturating_add(b"charset".len())..).unwrap_or_default();
        let value = blank::trim_start(behind).strip_prefix(b"=").map(blank::trim_start);
        value.is_some_and(|value| is_opaque(value.strip_prefix(b"\"").or(value.strip_prefix(b"'")).unwrap_or(value)))
    })
}

/// Returns `true` if a text begins with the name of such a charset.
fn is_opaque(text: &[u8]) -> bool {
    let name = text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"-_.:+".contains(byte));
    let name: String = name.filter(|byte| byte.is_ascii_alphanumeric()).map(|byte| char::from(*byte)).collect();
    let page = name.strip_prefix("cp").unwrap_or(&name).parse::<u16>();
    OPAQUE.iter().any(|part| name.contains(part))
        || OPAQUE_NAMES.contains(&name.as_str())
        || page.is_ok_and(|page| EBCDIC_PAGES.contains(&page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charsets_that_hide_letters_are_known_by_all_their_names() {
        for name in [
            "ibm037",
            "IBM-1047",
            "cp037",
            "CP500",
            "037",
            "ebcdic-cp-us",
            "csIBM037",
            "x-IBM930",
            "utf-16",
            "UTF-16LE",
            "utf_32",
            "UTF-7",
            "unicode-1-1-utf-7",
            "ISO-10646-UCS-2",
            "iso-2022-jp",
            "hz-gb-2312",
            "X-UTF-16LE-BOM",
            "UnicodeBig",
        ] {
            for header in [format!("text/plain; charset={name}"), format!("a/b;CharSet = \"{name}\"; x=1"), format!("a/b;charset='{name}")]
            {
                assert!(hides_letters(header.as_bytes()), "{header}");
            }
        }
    }

    #[test]
    fn charsets_that_hold_ascii_hide_nothing() {
        for name in [
            "utf-8",
            "UTF8",
            "iso-8859-15",
            "latin1",
            "windows-1252",
            "cp1252",
            "koi8-r",
            "shift_jis",
            "euc-kr",
            "gb18030",
            "big5",
            "us-ascii",
            "",
        ] {
            assert!(!hides_letters(format!("application/x-www-form-urlencoded; charset={name}").as_bytes()), "{name}");
        }
        assert!(!hides_letters(b"multipart/form-data; boundary=utf-16") && !hides_letters(b"text/plain; charset"));
    }
}
