//! Attacks in the terms of plugins: the type of one, and its risk.

/// The number of the type `unknown`.
const UNKNOWN: i64 = 36;

/// Types by the tags of the OWASP CRS.
const BY_TAG: [(&str, i64); 16] = [
    ("attack-sqli", 0),
    ("attack-xss", 1),
    ("attack-ssrf", 3),
    ("attack-dos", 4),
    // Not a tag of the OWASP CRS: for rules of one's own about backdoors.
    ("attack-backdoor", 5),
    ("attack-injection-php", 8),
    ("attack-injection-java", 8),
    ("attack-injection-generic", 8),
    ("attack-rce", 9),
    ("attack-rfi", 11),
    ("attack-disclosure", 14),
    ("attack-ldap", 19),
    ("attack-lfi", 20),
    ("attack-reputation-scanner", 21),
    ("attack-protocol", 28),
    ("attack-ssti", 29),
];

/// Returns the type of an attack by the tags of rules, the most important first.
pub fn attack_type<'t>(tags: impl Iterator<Item = &'t [u8]>) -> i64 {
    let by_tag = |tag: &[u8]| BY_TAG.iter().find(|(name, _)| name.as_bytes() == tag).map(|(_, number)| *number);
    tags.filter_map(by_tag).next().unwrap_or(UNKNOWN)
}

/// Returns the risk of an attack: 0 none, 1 low, 2 medium, 3 high. Severities are those of rules, 0 to 7.
pub fn risk_level(severity: Option<u8>) -> i64 {
    match severity {
        Some(0..=2) => 3,
        Some(3 | 4) => 2,
        Some(5) => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_known_tag_is_the_type() {
        let of = |tags: &[&str]| attack_type(tags.iter().map(|tag| tag.as_bytes()));
        assert_eq!(of(&["application-multi", "attack-sqli", "attack-xss"]), 0);
        assert_eq!((of(&["attack-reputation-scanner"]), of(&["attack-lfi"]), of(&["OWASP_CRS"]), of(&[])), (21, 20, 36, 36));
    }

    #[test]
    fn severities_are_risks() {
        let all: Vec<_> = (0..=7).map(|severity| risk_level(Some(severity))).collect();
        assert_eq!(all, [3, 3, 3, 2, 2, 1, 0, 0]);
        assert_eq!(risk_level(None), 0);
    }
}
