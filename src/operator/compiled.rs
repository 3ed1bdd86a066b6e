//! An operator with its argument, compiled.

use super::address::AddressSet;
use super::error::OperatorError;
use super::findings::{Findings, Wanted};
use super::fuzzy_hash::FuzzyHashes;
use super::identity_number::Scheme;
use super::kind::OperatorKind;
use super::number::Relation;
use super::text::Comparison;
use super::{encoding, injection, regular_expression, words};
use crate::pattern::{ByteSet, LimitExceeded, Pattern, PatternError, PatternOptions, Words};
use crate::prefilter::{FilteredPattern, RequiredLiterals};
use std::sync::Arc;

/// Limits of one evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperatorLimits {
    /// Maximum number of steps of a pattern that does not run in linear time (`SecPcreMatchLimit`).
    pub pattern_steps: usize,
    /// Maximum number of captures that are kept of one match (`SecCapturesLimit`).
    pub captures: usize,
}

impl Default for OperatorLimits {
    fn default() -> Self {
        Self { pattern_steps: PatternOptions::default().step_limit, captures: 1_000 }
    }
}

/// Maximum number of states of a pattern that is compiled during a transaction.
const MAX_EXPANDED_SIZE: usize = 20_000;

/// Units of work for building a state of an automaton.
const WORK_OF_STATE: usize = 200;

/// Units of work for a byte that is read as SQL or HTML.
const INJECTION_WORK: usize = 8;

/// An operator and its argument, compiled to a test on bytes: immutable, to be shared by all transactions.
#[derive(Debug)]
pub struct Operator {
    kind: OperatorKind,
    limits: OperatorLimits,
    work_of_byte: usize,
    /// Units of work for a value, in addition to those for its bytes.
    work_of_value: usize,
    test: Test,
}

#[derive(Debug)]
enum Test {
    Always,
    Never,
    Text(Comparison, Box<[u8]>),
    Number(Relation, i64),
    FirstMatch(Arc<FilteredPattern>),
    AllMatches(Arc<FilteredPattern>),
    Words(Words),
    Addresses(AddressSet),
    FuzzyHashes(FuzzyHashes),
    SqlInjection,
    CrossSiteScripting,
    ByteRange(ByteSet),
    UrlEncoding,
    Utf8Encoding,
    IdentityNumber(Scheme, Arc<FilteredPattern>),
}

impl Operator {
    /// Compiles an operator. `files` holds the contents of the files that a `…FromFile` argument names, which the caller has read.
    ///
    /// # Errors
    /// If the operator does not take the argument, or is not part of this version.
    pub fn compile(kind: OperatorKind, argument: &[u8], files: &[Vec<u8>], limits: OperatorLimits) -> Result<Self, OperatorError> {
        Self::with_patterns(kind, argument, files, limits, FilteredPattern::shared)
    }

    /// Compiles an operator for one transaction, with expanded macros in its argument. Nothing is cached, and a pattern may have `MAX_EXPANDED_SIZE`
    /// states at most: a request may have written it.
    ///
    /// # Errors
    /// As [`Operator::compile`].
    pub fn compile_expanded(kind: OperatorKind, argument: &[u8], limits: OperatorLimits) -> Result<Self, OperatorError> {
        // Such a pattern has no prefilter.
        let once = |source: &[u8], options| {
            let pattern = Pattern::compile(source, PatternOptions { max_size: MAX_EXPANDED_SIZE, ..options })?;
            Ok(Arc::new(FilteredPattern::from(pattern)))
        };
        Self::with_patterns(kind, argument, &[], limits, once)
    }

    /// Returns the units of work for building the automaton of a pattern, which its first search does.
    #[must_use]
    pub fn work_to_build(&self) -> usize {
        self.pattern().map_or(0, |pattern| pattern.size().saturating_mul(WORK_OF_STATE))
    }

    /// Tests `input` with an argument whose macros were expanded for this transaction. Nothing is cached.
    ///
    /// # Errors
    /// As [`Operator::compile`], for the expanded argument.
    pub fn evaluate_with(
        kind: OperatorKind,
        argument: &[u8],
        input: &[u8],
        limits: OperatorLimits,
        wanted: Wanted,
        findings: &mut Findings,
    ) -> Result<bool, OperatorError> {
        Ok(Self::compile_expanded(kind, argument, limits)?.evaluate(input, wanted, findings))
    }

    /// Tests `input`. The findings of a match are added to `findings` as far as `wanted`; a miss adds nothing and allocates nothing. A pattern that
    /// reaches its limit is a miss, and `findings` says so.
    pub fn evaluate(&self, input: &[u8], wanted: Wanted, findings: &mut Findings) -> bool {
        self.test.evaluate(input, self.limits, wanted, findings).unwrap_or_else(|LimitExceeded| {
            let effort = findings.effort;
            findings.clear();
            findings.effort = effort;
            findings.limit_exceeded = true;
            false
        })
    }

    /// Returns the units of work for testing a value of `length` bytes: one unit for each byte that is read once.
    #[must_use]
    #[inline]
    pub const fn work(&self, length: usize) -> usize {
        length.wrapping_mul(self.work_of_byte).wrapping_add(self.work_of_value)
    }

    /// Returns the relation and the number of a numeric comparison.
    #[must_use]
    pub const fn comparison(&self) -> Option<(Relation, i64)> {
        match self.test {
            Test::Number(relation, number) => Some((relation, number)),
            _ => None,
        }
    }

    /// Returns the kind of operator.
    #[must_use]
    pub const fn kind(&self) -> OperatorKind {
        self.kind
    }

    /// Returns the regular expression of `@rx` or `@rxGlobal`.
    #[must_use]
    pub fn pattern(&self) -> Option<&Pattern> {
        match &self.test {
            Test::FirstMatch(pattern) | Test::AllMatches(pattern) => Some(pattern.pattern()),
            _ => None,
        }
    }

    /// Returns the literals that a value must contain to match; `None` if nothing useful is known.
    #[must_use]
    pub fn required_literals(&self) -> Option<RequiredLiterals> {
        match &self.test {
            Test::FirstMatch(pattern) | Test::AllMatches(pattern) => pattern.required_literals().cloned(),
            Test::Words(words) => RequiredLiterals::any_of(words.iter()),
            Test::Text(
                Comparison::BeginsWith | Comparison::Contains | Comparison::EndsWith | Comparison::StrEq | Comparison::StrMatch,
                text,
            ) => RequiredLiterals::any_of([&**text]),
            Test::ByteRange(allowed) => RequiredLiterals::byte_of(allowed.complement()),
            _ => None,
        }
    }

    fn with_patterns(
        kind: OperatorKind,
        argument: &[u8],
        files: &[Vec<u8>],
        limits: OperatorLimits,
        compile: impl Fn(&[u8], PatternOptions) -> Result<Arc<FilteredPattern>, PatternError>,
    ) -> Result<Self, OperatorError> {
        let pattern = || {
            let source = if argument.is_empty() { regular_expression::EMPTY_ARGUMENT } else { argument };
            compile(source, PatternOptions { step_limit: limits.pattern_steps, ..PatternOptions::default() })
        };
        let test = match kind {
            OperatorKind::UnconditionalMatch => Test::Always,
            OperatorKind::NoMatch => Test::Never,
            OperatorKind::Rx => Test::FirstMatch(pattern()?),
            OperatorKind::RxGlobal => Test::AllMatches(pattern()?),
            OperatorKind::Pm => Test::Words(words::from_argument(argument)?),
            OperatorKind::PmFromFile => Test::Words(words::from_files(files)?),
            OperatorKind::IpMatch => Test::Addresses(AddressSet::from_argument(argument)?),
            OperatorKind::IpMatchFromFile => Test::Addresses(AddressSet::from_files(files)?),
            OperatorKind::FuzzyHash => Test::FuzzyHashes(FuzzyHashes::new(argument, files)?),
            OperatorKind::DetectSqli => Test::SqlInjection,
            OperatorKind::DetectXss => Test::CrossSiteScripting,
            OperatorKind::ValidateByteRange => Test::ByteRange(encoding::byte_ranges(argument)?),
            OperatorKind::ValidateUrlEncoding => Test::UrlEncoding,
            OperatorKind::ValidateUtf8Encoding => Test::Utf8Encoding,
            OperatorKind::VerifyCc => Test::IdentityNumber(Scheme::CreditCard, pattern()?),
            OperatorKind::VerifyCpf => Test::IdentityNumber(Scheme::Cpf, pattern()?),
            OperatorKind::VerifySsn => Test::IdentityNumber(Scheme::SocialSecurity, pattern()?),
            OperatorKind::VerifySvnr => Test::IdentityNumber(Scheme::Svnr, pattern()?),
            _ => match (Relation::of(kind), comparison(kind)) {
                (Some(relation), _) => Test::Number(relation, relation.number(argument)),
                (None, Some(comparison)) => Test::Text(comparison, argument.into()),
                // All other operators need more than a value.
                (None, None) => return Err(OperatorError::NeedsTransaction(kind)),
            },
        };
        let work_of_byte = match test {
            Test::SqlInjection | Test::CrossSiteScripting => INJECTION_WORK,
            Test::Always | Test::Never | Test::Number(..) => 0,
            Test::FuzzyHashes(_) => FuzzyHashes::WORK_OF_BYTE,
            _ => 1,
        };
        let work_of_value = if let Test::FuzzyHashes(hashes) = &test { hashes.work_to_compare() } else { 0 };
        Ok(Self { kind, limits, work_of_byte, work_of_value, test })
    }
}

impl Test {
    fn evaluate(&self, input: &[u8], limits: OperatorLimits, wanted: Wanted, findings: &mut Findings) -> Result<bool, LimitExceeded> {
        Ok(match self {
            Self::Always => true,
            Self::Never => false,
            Self::Text(comparison, text) => comparison.evaluate(text, input, wanted, findings),
            Self::Number(relation, number) => relation.holds(input, *number),
            Self::FirstMatch(pattern) => regular_expression::first(pattern.pattern(), input, limits.captures, wanted, findings)?,
            Self::AllMatches(pattern) => regular_expression::all(pattern.pattern(), input, limits.captures, wanted, findings)?,
            Self::Words(words) => words::evaluate(words, input, wanted, findings),
            Self::Addresses(addresses) => addresses.contains(input),
            Self::FuzzyHashes(hashes) => hashes.resembles(input, findings),
            Self::SqlInjection => injection::sql(input, wanted, findings),
            Self::CrossSiteScripting => injection::cross_site_scripting(input, wanted, findings),
            Self::ByteRange(allowed) => encoding::byte_outside(*allowed, input, wanted, findings),
            Self::UrlEncoding => encoding::invalid_url_encoding(input, wanted, findings),
            Self::Utf8Encoding => encoding::invalid_utf8(input, wanted, findings),
            Self::IdentityNumber(scheme, pattern) => scheme.evaluate(pattern.pattern(), input, limits.pattern_steps, wanted, findings)?,
        })
    }
}

/// Returns the comparison of an operator on texts.
const fn comparison(kind: OperatorKind) -> Option<Comparison> {
    Some(match kind {
        OperatorKind::BeginsWith => Comparison::BeginsWith,
        OperatorKind::Contains => Comparison::Contains,
        OperatorKind::ContainsWord => Comparison::ContainsWord,
        OperatorKind::EndsWith => Comparison::EndsWith,
        OperatorKind::StrEq => Comparison::StrEq,
        OperatorKind::StrMatch => Comparison::StrMatch,
        OperatorKind::Within => Comparison::Within,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
