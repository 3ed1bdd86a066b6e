//! `@detectSQLi` and `@detectXSS`, by the grammar and fingerprints of libinjection.

use super::findings::{Findings, Wanted};

/// Whether the input looks like SQL injection; captures its fingerprint.
pub(super) fn sql(input: &[u8], wanted: Wanted, findings: &mut Findings) -> bool {
    let result = libinjectionrs::detect_sqli(input);
    if !result.is_injection() {
        return false;
    }
    if let (Wanted::Findings, Some(fingerprint)) = (wanted, result.fingerprint) {
        findings.capture_text(fingerprint.as_str().as_bytes());
    }
    true
}

/// Whether the input looks like cross-site scripting; captures the input.
pub(super) fn cross_site_scripting(input: &[u8], wanted: Wanted, findings: &mut Findings) -> bool {
    if !libinjectionrs::detect_xss(input).is_injection() {
        return false;
    }
    if wanted == Wanted::Findings {
        findings.capture(0, 0..input.len());
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::{Capture, CapturedValue};

    #[test]
    fn sql_injection_captures_its_fingerprint() {
        let mut findings = Findings::default();
        assert!(sql(b"-7' UNION SELECT 3,user()-- x", Wanted::Findings, &mut findings));
        let [Capture { index: 0, value: CapturedValue::Text(fingerprint) }] = findings.captures.as_slice() else {
            panic!("{findings:?}");
        };
        assert!(fingerprint.starts_with(b"s"), "{fingerprint:?}");
    }

    #[test]
    fn plain_text_is_no_injection() {
        let mut findings = Findings::default();
        for input in [&b""[..], b"Robert's table", b"\xff\x00<", b"1 < 2 and 3 > 2"] {
            assert!(!cross_site_scripting(input, Wanted::Findings, &mut findings), "{input:?}");
        }
        assert!(!sql(b"Robert", Wanted::Findings, &mut findings));
        assert_eq!(findings, Findings::default());
    }

    #[test]
    fn script_captures_the_input() {
        let mut findings = Findings::default();
        let input = b"<p onclick=run()>";
        assert!(cross_site_scripting(input, Wanted::Findings, &mut findings));
        assert_eq!(findings.captures.first().unwrap().bytes(input), input);
    }
}
