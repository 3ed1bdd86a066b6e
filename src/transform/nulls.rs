//! `removeNulls`, `replaceNulls`.

use memchr::memchr;

use super::rewrite::{self, Step, replace_by};

const NUL: u8 = 0;

pub(super) fn remove(input: &[u8], output: &mut Vec<u8>) -> Step {
    memchr(NUL, input).map_or(Step::Unchanged, |first| rewrite::remove(input, first, output, |byte| byte == NUL))
}

/// Replaces each NUL by a blank.
pub(super) fn replace(input: &[u8], output: &mut Vec<u8>) -> Step {
    rewrite::rewrite(input, output, |text| memchr(NUL, text), |nul, output| replace_by(b' ', nul.get(1..).unwrap_or_default(), output))
}
