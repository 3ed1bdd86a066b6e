//! `@verifyCC`, `@verifyCPF`, `@verifySSN` and `@verifySVNR`: numbers with check digits or known ranges, found by a
//! regular expression.

use super::findings::{Findings, Wanted};
use crate::pattern::{Effort, LimitExceeded, Pattern};
use std::ops::Range;

/// A kind of number that identifies a person or an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// A payment card: any number of digits whose Luhn sum ends with 0.
    CreditCard,
    /// Brazil's *Cadastro de Pessoas Físicas*: 9 digits and 2 check digits.
    Cpf,
    /// The United States' social security number: area (3 digits), group (2) and serial number (4).
    SocialSecurity,
    /// Austria's *Sozialversicherungsnummer*: serial number (3), check digit, date of birth (6).
    Svnr,
}

impl Scheme {
    /// Returns `true` if a match of `pattern` in `input` is such a number; captures that match.
    ///
    /// `budget` bounds the bytes of all overlapping matches together, so that no input costs more than linear time.
    pub(super) fn evaluate(
        self,
        pattern: &Pattern,
        input: &[u8],
        budget: usize,
        wanted: Wanted,
        findings: &mut Findings,
    ) -> Result<bool, LimitExceeded> {
        let Some(found) = self.find(pattern, input, budget, &mut findings.effort)? else { return Ok(false) };
        if wanted == Wanted::Findings {
            // v3 logs no offset for @verifyCC.
            if self != Self::CreditCard {
                findings.locate(&found);
            }
            findings.capture(0, found);
        }
        Ok(true)
    }

    /// Returns the last valid of consecutive matches, or for payment cards the first, as v3 does. If none is valid, a match may begin inside another
    /// one.
    fn find(self, pattern: &Pattern, input: &[u8], budget: usize, effort: &mut Effort) -> Result<Option<Range<usize>>, LimitExceeded> {
        if self != Self::CreditCard {
            let mut last = None;
            self.each_match(
                pattern,
                input,
                (budget, effort),
                |found| found.end.max(found.start.saturating_add(1)),
                |found| {
                    last = Some(found);
                    false
                },
            )?;
            if last.is_some() {
                return Ok(last);
            }
        }
        let mut first = None;
        self.each_match(
            pattern,
            input,
            (budget, effort),
            |found| found.start.saturating_add(1),
            |found| {
                first = Some(found);
                true
            },
        )?;
        Ok(first)
    }

    /// Calls `done` with every valid match until it returns `true`; `next` says where to continue after a match.
    fn each_match(
        self,
        pattern: &Pattern,
        input: &[u8],
        (mut budget, effort): (usize, &mut Effort),
        next: impl Fn(&Range<usize>) -> usize,
        mut done: impl FnMut(Range<usize>) -> bool,
    ) -> Result<(), LimitExceeded> {
        let mut groups = Vec::new();
        let mut start = 0;
        while pattern.captures(input, start, &mut groups, effort)? {
            let Some(Some(found)) = groups.first().cloned() else { break };
            budget = budget.checked_sub(found.len()).ok_or(LimitExceeded)?;
            start = next(&found);
            if input.get(found.clone()).is_some_and(|text| self.is_valid(text)) && done(found) {
                break;
            }
        }
        Ok(())
    }

    /// Returns `true` if the digits in `text`, ignoring other bytes, are a valid number. Digits beyond the number's length are ignored, but not
    /// allowed in social security numbers.
    fn is_valid(self, text: &[u8]) -> bool {
        let mut digits = text.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| u32::from(byte.saturating_sub(b'0')));
        match self {
            Self::CreditCard => luhn(digits.rev()),
            Self::Cpf => leading(&mut digits).is_some_and(|digits| cpf(&digits)),
            Self::SocialSecurity => leading(&mut digits).is_some_and(|number| social_security(&number)) && digits.next().is_none(),
            Self::Svnr => leading(&mut digits).is_some_and(|digits| svnr(&digits)),
        }
    }
}

/// Returns the first `N` digits, if there are as many.
fn leading<const N: usize>(digits: &mut impl Iterator<Item = u32>) -> Option<[u32; N]> {
    let mut number = [0; N];
    for place in &mut number {
        *place = digits.next()?;
    }
    Some(number)
}

/// Luhn sum (ISO/IEC 7812-1): every second digit from the right counts double; the sum of all digits must end with 0.
fn luhn(digits_from_the_right: impl Iterator<Item = u32>) -> bool {
    let mut any = false;
    let sum = digits_from_the_right.zip([1, 2].into_iter().cycle()).fold(0_u32, |sum, (digit, weight)| {
        any = true;
        let product = digit * weight;
        (sum + product / 10 + product % 10) % 10
    });
    any && sum == 0
}

fn weighted(digits: &[u32], weights: impl IntoIterator<Item = u32>) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum()
}

fn all_equal(digits: &[u32]) -> bool {
    digits.windows(2).all(|pair| matches!(pair, [a, b] if a == b))
}

/// Returns `true` if each digit is one more than the one before it, 0 coming after 9.
fn counts_up(digits: &[u32]) -> bool {
    digits.windows(2).all(|pair| matches!(pair, [a, b] if (a + 1) % 10 == *b))
}

/// Both check digits are weighted sums modulo 11, the second over the first as well. Digits that are all equal or count
/// up are placeholders.
fn cpf(digits: &[u32; 11]) -> bool {
    let check = |sum: u32| match sum % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    };
    let [.., first, second] = *digits;
    !all_equal(digits)
        && !counts_up(digits)
        && check(weighted(digits, (2..=10).rev())) == first
        && check(weighted(digits, (2..=11).rev())) == second
}

/// Areas from 740 on and 666 were never given out, no part is all zeros; equal digits and 123-45-6789 are placeholders.
fn social_security(digits: &[u32; 9]) -> bool {
    let [a, b, c, d, e, f, g, h, i] = *digits;
    let area = a * 100 + b * 10 + c;
    (1..740).contains(&area)
        && area != 666
        && (d, e) != (0, 0)
        && (f, g, h, i) != (0, 0, 0, 0)
        && !all_equal(digits)
        // Digits that count up past 9 to 0 may be a number.
        && !(counts_up(digits) && a < i)
}

/// The fourth digit is the weighted sum of the others modulo 11; as in v3, 10 counts as 0. Equal digits are placeholders,
/// but not eights and nines: v3's list ends before them.
fn svnr(digits: &[u32; 10]) -> bool {
    let [first, _, _, check, ..] = *digits;
    !(all_equal(digits) && first < 8) && weighted(digits, [3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11 % 10 == check
}
