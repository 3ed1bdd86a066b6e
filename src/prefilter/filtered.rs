//! A pattern with what its matches must hold.

use super::extract::needs;
use super::required::Requirement;
use crate::pattern::{Pattern, PatternCache, PatternError, PatternOptions};
use std::sync::{Arc, LazyLock};

/// A pattern, and what every match of it must hold.
#[derive(Debug)]
pub struct FilteredPattern {
    pattern: Pattern,
    requirement: Option<Requirement>,
}

static SHARED: LazyLock<PatternCache<FilteredPattern>> = LazyLock::new(PatternCache::default);

impl FilteredPattern {
    /// Returns the pattern from a process-wide cache, or compiles it. The cache keeps a pattern as long as a caller holds it.
    ///
    /// # Errors
    /// If the pattern cannot be compiled, with the place in its source.
    pub fn shared(source: &[u8], options: PatternOptions) -> Result<Arc<Self>, PatternError> {
        SHARED.get(source, options, Self::compile)
    }

    /// Compiles a pattern, and reads off its structure what a match must hold.
    ///
    /// # Errors
    /// If the pattern cannot be compiled, with the place in its source.
    pub fn compile(source: &[u8], options: PatternOptions) -> Result<Self, PatternError> {
        let (pattern, hir) = Pattern::compile_with_hir(source, options)?;
        Ok(Self { pattern, requirement: hir.as_ref().and_then(needs) })
    }

    /// The pattern.
    #[must_use]
    pub const fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// What every match must hold; `None` if nothing useful is known.
    #[must_use]
    pub const fn requirement(&self) -> Option<&Requirement> {
        self.requirement.as_ref()
    }
}

impl AsRef<Pattern> for FilteredPattern {
    fn as_ref(&self) -> &Pattern {
        &self.pattern
    }
}

/// A pattern that is not filtered: a search is always worth a try.
impl From<Pattern> for FilteredPattern {
    fn from(pattern: Pattern) -> Self {
        Self { pattern, requirement: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_relaxed_form_requires_is_known_of_patterns_that_backtrack() {
        for (source, requires) in [(r"a++foo(?!bar)", true), (r"(\w+)=\1", true), (r"(?=x)", false), (r"foo(*ACCEPT)bar", false)] {
            let pattern = FilteredPattern::compile(source.as_bytes(), PatternOptions::default()).unwrap();
            assert_eq!(pattern.requirement().is_some(), requires, "{source}");
        }
    }
}
