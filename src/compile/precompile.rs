//! Compiles the patterns of a load before its rules, on several processors: this is most of the work of loading.

use super::context::Context;
use super::pattern_file::PatternFile;
use crate::pattern::PatternOptions;
use crate::prefilter::FilteredPattern;
use crate::seclang::{Body, Directive};
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Maximum number of threads that compile patterns.
const MAX_THREADS: usize = 4;

/// Minimum number of patterns for a thread.
const MIN_PATTERNS: usize = 32;

/// Compiles the patterns of these rules, except for those that the file has. While the result is held, the rules find them in the process's cache. A
/// pattern that cannot be compiled is left to its rule, which reports it, and so are all if they are few.
pub fn patterns(context: &mut Context<'_>, directives: &[Directive], file: Option<&mut PatternFile>) -> Vec<Arc<FilteredPattern>> {
    let mut sources: Vec<&str> = directives.iter().filter_map(pattern).collect();
    sources.sort_unstable();
    sources.dedup();
    if sources.len() < MIN_PATTERNS {
        return Vec::new();
    }
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS);
    let Some(file) = file else {
        return if threads < 2 { Vec::new() } else { compile(sources, threads) };
    };
    let stored = file.stored(context);
    let mut patterns = Vec::with_capacity(sources.len());
    sources.retain(|source| {
        let known = stored.shared(source.as_bytes(), PatternOptions::default());
        let is_unknown = known.is_none();
        patterns.extend(known);
        is_unknown
    });
    let threads = if sources.len() < MIN_PATTERNS { 1 } else { threads };
    patterns.extend(compile(sources, threads));
    file.add(&patterns);
    patterns
}

/// Compiles patterns on so many threads.
fn compile(mut sources: Vec<&str>, threads: usize) -> Vec<Arc<FilteredPattern>> {
    // The longest first, so that no long one is left for the end.
    sources.sort_by_key(|source| std::cmp::Reverse(source.len()));
    let next = AtomicUsize::new(0);
    let work = || {
        let taken = std::iter::from_fn(|| sources.get(next.fetch_add(1, Ordering::Relaxed)));
        taken.filter_map(|source| FilteredPattern::shared(source.as_bytes(), PatternOptions::default()).ok()).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        // If a thread cannot be started, or ends early, the other threads and the rules do its part.
        let others: Vec<_> = (1..threads).filter_map(|_| thread::Builder::new().spawn_scoped(scope, work).ok()).collect();
        let mut patterns = work();
        patterns.extend(others.into_iter().filter_map(|other| other.join().ok()).flatten());
        patterns
    })
}

/// Returns the regular expression of a rule, if it has no macros.
fn pattern(directive: &Directive) -> Option<&str> {
    let Body::Rule { operator, .. } = &directive.body else { return None };
    let searches = operator.name.as_ref().is_none_or(|name| name.node.eq_ignore_ascii_case("rx"));
    let text = operator.argument.node.as_str();
    (searches && !text.is_empty() && !text.contains("%{")).then_some(text)
}
