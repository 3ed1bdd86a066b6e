//! Kinds of attacks, by the tags that the OWASP CRS gives its rules.

use secrule::Transaction;

/// The kinds of attacks, and the last three for exchanges that were stopped without such a tag.
pub const CATEGORIES: [&str; 20] = [
    "deprecated-header",
    "disclosure",
    "dos",
    "fixation",
    "generic",
    "injection-generic",
    "injection-java",
    "injection-nodejs",
    "injection-php",
    "lfi",
    "multipart-header",
    "protocol",
    "rce",
    "reputation",
    "rfi",
    "sqli",
    "xss",
    "ban",
    "limit",
    "other",
];

/// Severities by their numbers, and the word for none.
pub const SEVERITIES: [&str; 9] = ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug", "none"];

/// Returns the index of a severity in [`SEVERITIES`].
pub fn severity_index(severity: Option<u8>) -> usize {
    severity.map_or(SEVERITIES.len() - 1, usize::from).min(SEVERITIES.len() - 1)
}

/// Returns the indexes of the category and the severity of an exchange that was stopped: the category of the match with the highest score, the first of
/// several, and the most severe severity.
pub fn of_stopped(transaction: &Transaction) -> (usize, usize) {
    let mut highest: Option<(i64, usize)> = None;
    let mut severity = SEVERITIES.len() - 1;
    for found in transaction.matches() {
        severity = severity.min(severity_index(found.severity()));
        let score = found.score();
        if highest.is_none_or(|(known, _)| score > known)
            && let Some(category) = found.tags().find_map(|tag| of_tag(&tag))
        {
            highest = Some((score, category));
        }
    }
    let without_tag = || match transaction.intervention() {
        _ if transaction.is_banned() => "ban",
        Some(intervention) if intervention.rule().is_none() => "limit",
        _ => "other",
    };
    (highest.map_or_else(|| index_of(without_tag()), |(_, category)| category), severity)
}

/// Returns the index of the category that a tag names, such as `attack-sqli`.
fn of_tag(tag: &str) -> Option<usize> {
    let name = tag.strip_prefix("attack-")?;
    let name = if name.starts_with("reputation-") { "reputation" } else { name };
    // An unknown kind is a kind all the same.
    Some(index_of(name))
}

/// Returns the index of a category; that of `other` for an unknown one.
fn index_of(name: &str) -> usize {
    CATEGORIES.iter().position(|known| *known == name).unwrap_or(CATEGORIES.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_attacks_have_categories() {
        let name = |tag| of_tag(tag).map(|index| CATEGORIES[index]);
        assert_eq!(name("attack-sqli"), Some("sqli"));
        assert_eq!(name("attack-reputation-scanner"), Some("reputation"));
        assert_eq!(name("attack-of-a-new-kind"), Some("other"));
        assert_eq!(name("paranoia-level/1"), None);
    }
}
