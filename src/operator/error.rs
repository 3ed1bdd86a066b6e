//! Why an operator could not be compiled.

use super::kind::OperatorKind;
use crate::pattern::{PatternError, WordsError};

/// A line of a file of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataLine {
    /// Which of the files that the argument names, from 0.
    pub file: usize,
    /// The line, from 1.
    pub line: usize,
}

/// An operator whose argument cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// The regular expression is wrong. ModSecurity v3 loads such a rule, and it never matches.
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
        /// Where it stands.
        place: DataLine,
        /// The entry.
        entry: String,
    },
    /// An entry of `@validateByteRange` is not a byte, nor a range of bytes. ModSecurity v3 writes out of bounds, or lets no byte pass.
    #[error("`{0}` is not a byte or a range of bytes: they are decimal numbers from 0 to 255, the smaller first")]
    ByteRange(String),
    /// An argument of `@fuzzyHash` is not a file and a score.
    #[error("`{0}` is not a file and a score from 0 to 100, such as hashes.txt 60")]
    Score(String),
    /// A file of `@fuzzyHash` holds no hash. ModSecurity v3 loads such a rule, and it never matches.
    #[error("the file holds no ssdeep hash")]
    NoHashes,
    /// The operator looks at more than a value, so that only a transaction can ask it.
    #[error("@{} can only be asked by a transaction", .0.name())]
    NeedsTransaction(OperatorKind),
}
