//! `length`: the length of the value in bytes.

use std::io::Write;

use super::rewrite::Step;

pub(super) fn decimal(input: &[u8], output: &mut Vec<u8>) -> Step {
    // Writing to a vector cannot fail.
    let _ = write!(output, "{}", input.len());
    Step::Written
}
