//! Attacks on the rules of the OWASP CRS.

use crate::host::{GET, MULTIPART, Request, judge, waf};
use crate::multipart::part;
use secrule::Waf;
use std::sync::OnceLock;

/// Returns the OWASP CRS, if it is available.
pub fn core_rule_set() -> Option<&'static Waf> {
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
