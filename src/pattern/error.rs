//! What can go wrong with a pattern: while it is compiled, and while it is matched.

use std::borrow::Cow;

/// A pattern that cannot be compiled.
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

    /// Returns `true` if the pattern is right, but too large.
    #[must_use]
    pub const fn is_too_large(&self) -> bool {
        self.is_too_large
    }

    /// What is wrong, as a phrase without a full stop.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where in the pattern's source it is wrong, in bytes from its start.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.position
    }
}

/// A match was given up at a limit: whether the input matches is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the pattern needs more matching steps than allowed")]
pub struct LimitExceeded;
