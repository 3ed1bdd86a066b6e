//! Attacks on the rules of the OWASP CRS, sent to these rules. For most of them, other tests send the same attacks to rules of their own.

#[allow(dead_code, reason = "other tests use the rest")]
mod host;

use host::{GET, MULTIPART, Request, judge, part, takes_as_long, waf};
use secrule::Waf;
use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use std::process::ExitCode;
use std::sync::LazyLock;

const CRS: Needs = Needs::Shared("crs");

fn main() -> ExitCode {
    trials::run([
        trial!(cve_2026_21876_a_charset_in_the_first_of_two_parts, [CRS]),
        trial!(crs_4_28_patterns_that_backtrack, [CRS]),
        trial!(crs_4_28_attacks_in_attributes_of_xml, [CRS]),
    ])
}

static RULES: LazyLock<Waf> = LazyLock::new(|| {
    let rules = format!(
        "Include {root}/crs/starter/00-setup.conf\nInclude {crs}/crs-setup.conf.example\nInclude {crs}/rules/*.conf\n",
        root = secrule_testkit::project().display(),
        crs = secrule_testkit::shared("crs").display()
    );
    waf(&rules)
});

fn cve_2026_21876_a_charset_in_the_first_of_two_parts() {
    let of = |charset: &str, name: &str| {
        part(&format!("Content-Disposition: form-data; name=\"{name}\"\r\nContent-Type: text/plain; charset={charset}"), "x")
    };
    let send = |body: String| {
        let headers: &[(&str, &[u8])] = &[("Content-Type", MULTIPART.as_bytes()), ("User-Agent", b"Mozilla/5.0"), ("Accept", b"*/*")];
        judge(&RULES, Request { headers, body: (body + "--b--\r\n").as_bytes(), ..GET })
    };
    for body in [of("utf-7", "a") + &of("utf-8", "b"), of("utf-8", "a") + &of("utf-7", "b")] {
        let judged = send(body);
        assert!(judged.ids.contains(&922_110) && judged.status == Some(403), "{:?}", judged.ids);
    }
    assert_eq!(send(of("utf-8", "a") + &of("utf-8", "b")).status, None);
}

fn crs_4_28_patterns_that_backtrack() {
    for piece in ["/**/", "%20", "$_[]", "'", "%5c", "url%28", "u%20"] {
        // The harmless input has the same size and passes some prefilters, so that both run the same patterns.
        let [attack, harmless] = [format!("system{}", piece.repeat(2000)), "select+a+word+".repeat(piece.len() * 143)];
        let headers: &[(&str, &[u8])] = &[("User-Agent", b"Mozilla/5.0"), ("Accept", b"*/*")];
        let [attack, harmless] = [attack, harmless].map(|text| format!("/?q={text}"));
        let [attack, harmless] = [&attack, &harmless].map(|target| Request { target: target.as_bytes(), headers, ..GET });
        takes_as_long(&RULES, attack, harmless);
    }
}

fn crs_4_28_attacks_in_attributes_of_xml() {
    let headers: &[(&str, &[u8])] = &[("Content-Type", b"text/xml"), ("User-Agent", b"Mozilla/5.0"), ("Accept", b"*/*")];
    let send = |body| judge(&RULES, Request { headers, body, ..GET }).status;
    assert_eq!(send(br#"<a b="&lt;script&gt;alert(1)&lt;/script&gt;"/>"#), Some(403));
    assert_eq!(send(b"<a b=\"c\"/>"), None);
}
