//! Operators that compare the input with a number.
//!
//! Numbers are read as C's `strtoll` reads them, as in v3: white space, a sign, decimal digits; the rest is ignored. Without digits it is 0. `@eq`
//! reads 32 bits, and 0 if the number does not fit; the others read 64 bits and saturate.

use super::OperatorKind;

/// Relation of the input to the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// `@eq`
    Eq,
    /// `@ge`
    Ge,
    /// `@gt`
    Gt,
    /// `@le`
    Le,
    /// `@lt`
    Lt,
}

impl Relation {
    /// Returns the relation of an operator that compares numbers.
    pub fn of(kind: OperatorKind) -> Option<Self> {
        Some(match kind {
            OperatorKind::Eq => Self::Eq,
            OperatorKind::Ge => Self::Ge,
            OperatorKind::Gt => Self::Gt,
            OperatorKind::Le => Self::Le,
            OperatorKind::Lt => Self::Lt,
            _ => return None,
        })
    }

    /// Returns the number of an argument.
    pub(super) fn number(self, argument: &[u8]) -> i64 {
        self.narrowed(leading_integer(argument))
    }

    /// Returns `true` if the input, read as a number, has this relation to `number`.
    pub fn holds(self, input: &[u8], number: i64) -> bool {
        self.compares(leading_integer(input), number)
    }

    /// Returns `true` if a number that was read has this relation to another.
    pub fn compares(self, input: i64, number: i64) -> bool {
        let (input, number) = (self.narrowed(input), self.narrowed(number));
        match self {
            Self::Eq => input == number,
            Self::Ge => input >= number,
            Self::Gt => input > number,
            Self::Le => input <= number,
            Self::Lt => input < number,
        }
    }

    /// Returns the number as the operator reads it.
    fn narrowed(self, number: i64) -> i64 {
        match self {
            Self::Eq => i32::try_from(number).map_or(0, i64::from),
            _ => number,
        }
    }
}

/// Reads a decimal integer from the start of `text`, saturating.
pub fn leading_integer(text: &[u8]) -> i64 {
    let blanks = text.iter().take_while(|byte| matches!(byte, b'\t'..=b'\r' | b' ')).count();
    let text = text.get(blanks..).unwrap_or_default();
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    digits.iter().take_while(|byte| byte.is_ascii_digit()).fold(0, |value: i64, byte| {
        let digit = i64::from(byte.saturating_sub(b'0'));
        let value = value.saturating_mul(10);
        if negative { value.saturating_sub(digit) } else { value.saturating_add(digit) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_where_their_digits_end() {
        for (text, number) in [("17", 17), (" \t-17x", -17), ("+1 2", 1), ("0x1f", 0), ("", 0), ("- 1", 0), ("--1", 0)] {
            assert_eq!(leading_integer(text.as_bytes()), number, "{text:?}");
        }
    }

    #[test]
    fn large_numbers_saturate_but_are_zero_to_eq() {
        assert_eq!(leading_integer(b"99999999999999999999"), i64::MAX);
        assert_eq!(leading_integer(b"-99999999999999999999"), i64::MIN);
        assert!(Relation::Gt.holds(b"99999999999999999999", 5));
        assert!(Relation::Eq.holds(b"2147483648", 0));
        assert!(Relation::Eq.holds(b"2147483647", 2_147_483_647));
    }
}
