//! `md5`, `sha1`: raw digests, not hexadecimal ones.

use md5::Md5;
use sha1::{Digest, Sha1};

use super::rewrite::Step;

pub(super) fn md5(input: &[u8], output: &mut Vec<u8>) -> Step {
    output.extend_from_slice(&Md5::digest(input));
    Step::Written
}

pub(super) fn sha1(input: &[u8], output: &mut Vec<u8>) -> Step {
    output.extend_from_slice(&Sha1::digest(input));
    Step::Written
}
