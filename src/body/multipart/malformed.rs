//! Faults of a `Content-Disposition` header, with v3's numbers.

use std::fmt::{self, Display};

/// Fault of a `Content-Disposition` header. Up to -21 the numbers are v3's; those below are ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Malformed {
    /// The type is not `form-data`.
    NotFormData,
    /// The type is not followed by a semicolon.
    SemicolonAfterType,
    /// A blank, and no parameter, follows a semicolon.
    ParameterMissing,
    /// The header ends within a parameter's name.
    EndsInName,
    /// The header ends in blanks after a parameter's name.
    EndsAfterName,
    /// The header ends after an equals sign.
    EndsBeforeValue,
    /// The header ends after an opening quote.
    EndsAfterQuote,
    /// The header ends after a backslash.
    EndsAfterBackslash,
    /// A parameter that is unknown, or one of RFC 2183 with an invalid value.
    UnknownParameter,
    /// A value is not followed by a semicolon.
    SemicolonAfterValue,
    /// A blank or something else between a parameter's name, the equals sign and the value.
    EqualsAfterName,
    /// Two names.
    DuplicateName,
    /// Two file names.
    DuplicateFileName,
    /// The value of `filename*` has no charset, or one that is not decoded here.
    Charset,
    /// The value of `filename*` has no language field.
    Language,
    /// The value of `filename*` has a `%` without two hexadecimal digits.
    PercentEncoding,
    /// The value of `filename*` has a character that must be encoded.
    ExtendedCharacter,
    /// Two `filename*`.
    DuplicateExtendedFileName,
    /// `filename*` without a `filename`, or with an empty one.
    OnlyExtendedFileName,
    /// An encoded word of RFC 2047 in a name, or one in a file name that is not decoded here.
    EncodedWord,
    /// A parameter of RFC 2183 occurs twice.
    DuplicateParameter,
    /// An empty `filename*`.
    EmptyExtendedFileName,
}

impl Malformed {
    /// Returns the number of v3's message, "-N".
    pub fn code(self) -> i8 {
        match self {
            Malformed::NotFormData => -1,
            Malformed::SemicolonAfterType => -2,
            Malformed::ParameterMissing => -3,
            Malformed::EndsInName => -4,
            Malformed::EndsAfterName => -5,
            Malformed::EndsBeforeValue => -6,
            Malformed::EndsAfterQuote => -7,
            Malformed::EndsAfterBackslash => -8,
            Malformed::UnknownParameter => -11,
            Malformed::SemicolonAfterValue => -12,
            Malformed::EqualsAfterName => -13,
            Malformed::DuplicateName => -14,
            Malformed::DuplicateFileName => -15,
            Malformed::Charset => -16,
            Malformed::Language => -17,
            Malformed::PercentEncoding => -18,
            Malformed::ExtendedCharacter => -19,
            Malformed::DuplicateExtendedFileName => -20,
            Malformed::OnlyExtendedFileName => -21,
            Malformed::EncodedWord => -22,
            Malformed::DuplicateParameter => -23,
            Malformed::EmptyExtendedFileName => -24,
        }
    }
}

impl Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Malformed::NotFormData => "not form-data",
            Malformed::SemicolonAfterType => "no semicolon after the type",
            Malformed::ParameterMissing => "no parameter after a semicolon",
            Malformed::EndsInName | Malformed::EndsAfterName => "a parameter without value",
            Malformed::EndsBeforeValue => "no value after an equals sign",
            Malformed::EndsAfterQuote | Malformed::EndsAfterBackslash => "an unfinished value",
            Malformed::UnknownParameter => "unknown parameter",
            Malformed::SemicolonAfterValue => "no semicolon after a value",
            Malformed::EqualsAfterName => "no equals sign right between name and value",
            Malformed::DuplicateName => "two names",
            Malformed::DuplicateFileName => "two file names",
            Malformed::Charset => "invalid charset of filename*",
            Malformed::Language => "invalid language of filename*",
            Malformed::PercentEncoding => "invalid percent-encoding in filename*",
            Malformed::ExtendedCharacter => "invalid character in filename*",
            Malformed::DuplicateExtendedFileName => "two filename*",
            Malformed::OnlyExtendedFileName => "filename* without filename",
            Malformed::EncodedWord => "encoded word",
            Malformed::DuplicateParameter => "duplicate parameter",
            Malformed::EmptyExtendedFileName => "empty filename*",
        })
    }
}
