//! `@rx` and `@rxGlobal`.

use super::findings::{Findings, Wanted};
use crate::pattern::{LimitExceeded, Pattern};
use std::ops::Range;

/// The pattern of an empty argument, as in v3: it matches everything, and captures it.
pub(super) const EMPTY_ARGUMENT: &[u8] = b".*";

/// Returns `true` if `pattern` matches; captures all groups of the first match that took part.
pub(super) fn first(
    pattern: &Pattern,
    input: &[u8],
    most_captures: usize,
    wanted: Wanted,
    findings: &mut Findings,
) -> Result<bool, LimitExceeded> {
    if wanted == Wanted::Verdict {
        return pattern.is_match(input, &mut findings.effort);
    }
    let mut groups = std::mem::take(&mut findings.groups);
    let matched = pattern.captures(input, 0, &mut groups, &mut findings.effort);
    for (index, range) in groups.drain(..).enumerate() {
        if let Some(range) = range {
            note(index, range, most_captures, findings);
        }
    }
    findings.groups = groups;
    matched
}

/// Returns `true` if `pattern` matches; captures the groups of every match, one match after the other.
///
/// The groups of a match are numbered from the number of groups captured so far. As in v3, a group that took no part leaves its number to the next
/// match. After an empty match the search continues one byte further. v3 continues one byte after the start of the *search*, and so reports an empty
/// match further on many times; it also first looks for a match that is not empty at the same offset.
pub(super) fn all(
    pattern: &Pattern,
    input: &[u8],
    most_captures: usize,
    wanted: Wanted,
    findings: &mut Findings,
) -> Result<bool, LimitExceeded> {
    if wanted == Wanted::Verdict {
        return pattern.is_match(input, &mut findings.effort);
    }
    let mut groups = Vec::new();
    let mut start = 0;
    let mut captured = 0_usize;
    let mut matched = false;
    while !findings.too_many_captures && pattern.captures(input, start, &mut groups, &mut findings.effort)? {
        matched = true;
        if let Some(Some(whole)) = groups.first() {
            start = if whole.is_empty() { whole.end.saturating_add(1) } else { whole.end };
        }
        let base = captured;
        for (group, range) in groups.drain(..).enumerate() {
            if let Some(range) = range {
                note(base.saturating_add(group), range, most_captures, findings);
                captured = captured.saturating_add(1);
            }
        }
    }
    Ok(matched)
}

fn note(index: usize, range: Range<usize>, most_captures: usize, findings: &mut Findings) {
    if findings.captures.len() >= most_captures {
        findings.too_many_captures = true;
        return;
    }
    findings.locate(&range);
    findings.capture(index, range);
}
