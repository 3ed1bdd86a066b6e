//! A process-wide cache of compiled patterns: equal patterns of all rules and rule sets are compiled once.

use super::compiled::{Engine, Pattern, PatternOptions};
use super::error::PatternError;
use rustc_hash::FxHashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

static SHARED: LazyLock<PatternCache<Pattern>> = LazyLock::new(PatternCache::default);

/// Compiled patterns by source and options, as long as a caller holds them.
///
/// `T` is a [`Pattern`], or contains one.
#[derive(Debug)]
pub(crate) struct PatternCache<T> {
    /// The patterns of each source, which they share. Mostly there is one.
    patterns: Mutex<FxHashMap<Arc<[u8]>, Same<T>>>,
}

/// Patterns of the same source, by their options.
type Same<T> = Vec<(PatternOptions, Weak<T>)>;

impl<T> Default for PatternCache<T> {
    fn default() -> Self {
        Self { patterns: Mutex::default() }
    }
}

impl<T: AsRef<Pattern>> PatternCache<T> {
    /// Returns the pattern from the cache, or compiles it.
    ///
    /// # Errors
    /// Those of `compile`, which are not cached.
    pub(crate) fn get<E>(
        &self,
        source: &[u8],
        options: PatternOptions,
        compile: impl FnOnce(&[u8], PatternOptions) -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        // The step limit does not change a linear pattern.
        let of_linear = PatternOptions { step_limit: 0, ..options };
        if let Some(pattern) = self.find(source, of_linear).or_else(|| self.find(source, options)) {
            return Ok(pattern);
        }
        // Compiles outside the lock: two threads may compile the same pattern, but none waits for another's.
        let pattern = Arc::new(compile(source, options)?);
        let compiled: &Pattern = pattern.as_ref().as_ref();
        let options = if compiled.engine() == Engine::Linear { of_linear } else { options };
        let mut patterns = self.patterns.lock().unwrap_or_else(PoisonError::into_inner);
        if patterns.len() == patterns.capacity() {
            patterns.retain(|_, same| same.iter().any(|(_, pattern)| pattern.strong_count() > 0));
        }
        let same = patterns.entry(compiled.shared_source()).or_insert_with(|| Vec::with_capacity(1));
        same.retain(|(known, pattern)| *known != options && pattern.strong_count() > 0);
        same.push((options, Arc::downgrade(&pattern)));
        Ok(pattern)
    }

    fn find(&self, source: &[u8], options: PatternOptions) -> Option<Arc<T>> {
        let patterns = self.patterns.lock().unwrap_or_else(PoisonError::into_inner);
        patterns.get(source)?.iter().find(|(known, _)| *known == options).and_then(|(_, pattern)| pattern.upgrade())
    }
}

impl Pattern {
    /// Returns the pattern from a process-wide cache, or compiles it. The cache keeps a pattern as long as a caller holds it.
    ///
    /// # Errors
    /// If the pattern cannot be compiled, with the place in its source.
    pub fn shared(source: &[u8], options: PatternOptions) -> Result<Arc<Self>, PatternError> {
        SHARED.get(source, options, Self::compile)
    }
}
