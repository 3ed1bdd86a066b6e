//! Errors of patterns: while they are compiled, and while they are matched.

use std::borrow::Cow;

/// Error of a pattern that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at byte {position} of the pattern)")]
pub struct PatternError {
    message: Cow<'static, str>,
    position: usize,
    is_too_large: bool,
}

impl PatternError {
    pub(super) fn new(message: impl Into<Cow<'static, str>>, position: usize) -> Self {
        Self { message: message.into(), position, is_too_large: false }
    }

    pub(super) fn too_large() -> Self {
        Self { is_too_large: true, ..Self::new("the repetitions make this pattern too large", 0) }
    }

    /// Returns `true` if the pattern is valid but too large.
    #[must_use]
    pub const fn is_too_large(&self) -> bool {
        self.is_too_large
    }

    /// Returns the error as a phrase without a full stop.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the byte offset of the error in the pattern's source.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.position
    }
}

/// A search stopped at a limit: it is unknown if the input matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the pattern needs more matching steps than allowed")]
pub struct LimitExceeded;
