//! Errors of a JSON body, in the words of YAJL, the parser of v3.

use thiserror::Error;

/// Error that stopped the JSON parser. The text ends with a line feed, as YAJL's does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JsonError {
    /// A byte that starts no token.
    #[error("lexical error: invalid char in json text.\n")]
    InvalidCharacter,
    /// A word that starts like `true`, `false` or `null` and continues differently.
    #[error("lexical error: invalid string in json text.\n")]
    InvalidWord,
    /// A slash outside strings.
    #[error("lexical error: probable comment found in input text, comments are not enabled.\n")]
    Comment,
    /// A `-` without a digit after it.
    #[error("lexical error: malformed number, a digit is required after the minus sign.\n")]
    DigitAfterMinus,
    /// A decimal point without a digit after it.
    #[error("lexical error: malformed number, a digit is required after the decimal point.\n")]
    DigitAfterPoint,
    /// An exponent without a digit.
    #[error("lexical error: malformed number, a digit is required after the exponent.\n")]
    DigitAfterExponent,
    /// A control character inside a string.
    #[error("lexical error: invalid character inside string.\n")]
    ControlCharacter,
    /// A backslash before a character that cannot be escaped.
    #[error("lexical error: inside a string, '\\' occurs before a character which it may not.\n")]
    InvalidEscape,
    /// `\u` without four hexadecimal digits.
    #[error("lexical error: invalid (non-hex) character occurs after '\\u' inside string.\n")]
    InvalidUnicodeEscape,
    /// `\u` with half of a surrogate pair (YAJL has no such error).
    #[error("lexical error: half of a surrogate pair in '\\u' inside string.\n")]
    LoneSurrogate,
    /// Bytes inside a string that are not UTF-8.
    #[error("lexical error: invalid bytes in UTF8 string.\n")]
    InvalidUtf8,
    /// A token in place of a value.
    #[error("parse error: unallowed token at this point in JSON text\n")]
    UnexpectedToken,
    /// Something other than a string in place of a key.
    #[error("parse error: invalid object key (must be a string)\n")]
    InvalidKey,
    /// A key without a colon after it.
    #[error("parse error: object key and value must be separated by a colon (':')\n")]
    MissingColon,
    /// Neither `,` nor `}` after a value in an object.
    #[error("parse error: after key and value, inside map, I expect ',' or '}}'\n")]
    UnfinishedObject,
    /// Neither `,` nor `]` after a value in an array.
    #[error("parse error: after array element, I expect ',' or ']'\n")]
    UnfinishedArray,
    /// The body ends inside the document, or has only blanks.
    #[error("parse error: premature EOF\n")]
    PrematureEnd,
    /// Something other than blanks follows the document.
    #[error("parse error: trailing garbage\n")]
    TrailingGarbage,
    /// The receiver of the values stopped the parser.
    #[error("parse error: client cancelled parse via callback return value\n")]
    Cancelled,
    /// Objects and arrays are nested more deeply than allowed.
    #[error("parse error: client cancelled parse via callback return value\n. Parsing depth limit exceeded")]
    TooDeep,
    /// More values than allowed (v3 has no such limit).
    #[error("parse error: client cancelled parse via callback return value\n. Parsing node limit exceeded")]
    TooManyNodes,
}
