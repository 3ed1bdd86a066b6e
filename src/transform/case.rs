//! `lowercase`, `uppercase`: ASCII letters only, in any locale.

use super::rewrite::{Step, position_of};

pub(super) fn lower(input: &[u8], output: &mut Vec<u8>) -> Step {
    if position_of(input, |byte| byte.is_ascii_uppercase()).is_none() {
        return Step::Unchanged;
    }
    output.extend_from_slice(input);
    output.make_ascii_lowercase();
    Step::Written
}

pub(super) fn upper(input: &[u8], output: &mut Vec<u8>) -> Step {
    if position_of(input, |byte| byte.is_ascii_lowercase()).is_none() {
        return Step::Unchanged;
    }
    output.extend_from_slice(input);
    output.make_ascii_uppercase();
    Step::Written
}
