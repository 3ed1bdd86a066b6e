//! `parityEven7bit`, `parityOdd7bit`, `parityZero7bit`: the high bit as a parity bit of 7-bit data.

use super::rewrite::Step;

const PARITY_BIT: u8 = 0x80;

pub(super) fn even(input: &[u8], output: &mut Vec<u8>) -> Step {
    map(input, output, |byte| with_parity_bit(byte, byte.count_ones() % 2 == 1))
}

pub(super) fn odd(input: &[u8], output: &mut Vec<u8>) -> Step {
    map(input, output, |byte| with_parity_bit(byte, byte.count_ones() % 2 == 0))
}

pub(super) fn zero(input: &[u8], output: &mut Vec<u8>) -> Step {
    map(input, output, |byte| with_parity_bit(byte, false))
}

fn with_parity_bit(byte: u8, set: bool) -> u8 {
    byte & !PARITY_BIT | if set { PARITY_BIT } else { 0 }
}

fn map(input: &[u8], output: &mut Vec<u8>, with_parity: impl Fn(u8) -> u8) -> Step {
    output.extend(input.iter().map(|&byte| with_parity(byte)));
    Step::Written
}
