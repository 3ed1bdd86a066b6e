//! Errors of compiling an operator.

use super::kind::OperatorKind;
use crate::pattern::{PatternError, WordsError};

/// A line of a data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataLine {
    /// Index of the file in the argument, from 0.
    pub file: usize,
    /// Line number, from 1.
    pub line: usize,
}

/// Error of an operator whose argument cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// The regular expression is invalid. ModSecurity v3 loads such a rule, and it never matches.
    #[error("invalid regular expression: {0}")]
    Pattern(#[from] PatternError),
    /// The list of words is too large.
    #[error(transparent)]
    Words(#[from] WordsError),
    /// An entry of `@ipMatch` is neither an address nor a network.
    #[error("`{0}` is not an IP address or network")]
    Address(String),
    /// An entry of a file of `@ipMatchFromFile` is neither an address nor a network.
    #[error("`{entry}` in line {} of the file is not an IP address or network", place.line)]
    AddressInFile {
        /// Its line.
        place: DataLine,
        /// The entry.
        entry: String,
    },
    /// An entry of `@validateByteRange` is neither a byte nor a range of bytes. ModSecurity v3 writes out of bounds, or allows no byte.
    #[error("`{0}` is not a byte or a range of bytes: they are decimal numbers from 0 to 255, the smaller first")]
    ByteRange(String),
    /// An argument of `@fuzzyHash` is not a file and a score.
    #[error("`{0}` is not a file and a score from 0 to 100, such as hashes.txt 60")]
    Score(String),
    /// A file of `@fuzzyHash` has no hash. ModSecurity v3 loads such a rule, and it never matches.
    #[error("the file holds no ssdeep hash")]
    NoHashes,
    /// The operator needs more than a value, so that only a transaction can run it.
    #[error("@{} can only be asked by a transaction", .0.name())]
    NeedsTransaction(OperatorKind),
}
