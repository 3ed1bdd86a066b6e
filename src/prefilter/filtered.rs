//! A pattern with the literals that its matches hold.

use super::extract::extract;
use super::required::RequiredLiterals;
use crate::pattern::{Pattern, PatternCache, PatternError, PatternOptions};
use std::sync::{Arc, LazyLock};

/// A pattern, and the literals that every match of it holds.
#[derive(Debug)]
pub struct FilteredPattern {
    pattern: Pattern,
    required: Option<RequiredLiterals>,
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

    /// Returns the pattern from the process-wide cache, or what `make` returns, which is cached.
    pub(super) fn shared_or_made(
        source: &[u8],
        options: PatternOptions,
        make: impl FnOnce(&[u8], PatternOptions) -> Option<Self>,
    ) -> Option<Arc<Self>> {
        SHARED.get(source, options, |source, options| make(source, options).ok_or(())).ok()
    }

    /// Makes a pattern of which everything is known but its matcher.
    pub(super) const fn of(pattern: Pattern, required: Option<RequiredLiterals>) -> Self {
        Self { pattern, required }
    }

    /// Compiles a pattern, and extracts its required literals. Its automata are built by its first search.
    ///
    /// # Errors
    /// If the pattern cannot be compiled, with the place in its source.
    pub fn compile(source: &[u8], options: PatternOptions) -> Result<Self, PatternError> {
        let (pattern, hir) = Pattern::compile_with_hir(source, options)?;
        let required = hir.as_ref().and_then(extract);
        Ok(Self { pattern, required })
    }

    /// The pattern.
    #[must_use]
    pub const fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// What every match holds; `None` if nothing useful is known, so that each value may match.
    #[must_use]
    pub const fn required_literals(&self) -> Option<&RequiredLiterals> {
        self.required.as_ref()
    }
}

impl AsRef<Pattern> for FilteredPattern {
    fn as_ref(&self) -> &Pattern {
        &self.pattern
    }
}

/// A pattern whose required literals are not extracted: each value may match.
impl From<Pattern> for FilteredPattern {
    fn from(pattern: Pattern) -> Self {
        Self { pattern, required: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_literals_of_a_relaxed_form_are_those_of_a_backtracking_pattern() {
        for (source, requires) in [(r"a++foo(?!bar)", true), (r"(\w+)=\1", true), (r"(?=x)", false), (r"foo(*ACCEPT)bar", false)] {
            let pattern = FilteredPattern::compile(source.as_bytes(), PatternOptions::default()).unwrap();
            assert_eq!(pattern.required_literals().is_some(), requires, "{source}");
        }
    }
}
