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
    patterns: Mutex<FxHashMap<Key, Weak<T>>>,
}

type Key = (Box<[u8]>, PatternOptions);

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
        let mut key = (Box::from(source), PatternOptions { step_limit: 0, ..options });
        if let Some(pattern) = self.find(&key).or_else(|| self.find(&(Box::from(source), options))) {
            return Ok(pattern);
        }
        // Compiles outside the lock: two threads may compile the same pattern, but none waits for another's.
        let pattern = Arc::new(compile(source, options)?);
        if pattern.as_ref().as_ref().engine() == Engine::Backtracking {
            key.1 = options;
        }
        let mut patterns = self.patterns.lock().unwrap_or_else(PoisonError::into_inner);
        if patterns.len() == patterns.capacity() {
            patterns.retain(|_, pattern| pattern.strong_count() > 0);
        }
        patterns.insert(key, Arc::downgrade(&pattern));
        Ok(pattern)
    }

    fn find(&self, key: &Key) -> Option<Arc<T>> {
        self.patterns.lock().unwrap_or_else(PoisonError::into_inner).get(key).and_then(Weak::upgrade)
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
