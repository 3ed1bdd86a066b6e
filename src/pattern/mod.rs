//! Takes a regular expression or a list of words and gives a compiled matcher; imports no other room.
//!
//! [`Pattern`] is one regular expression in the dialect of PCRE2, as ModSecurity v3 compiles it. [`Words`] is a list of words that are searched for in
//! one pass. [`ByteSet`] is the simplest of patterns: one byte out of a set.
//!
//! # Two engines
//!
//! No request may make a search slow. So a pattern runs on automata (`regex-automata`), in time linear in the input, if automata can do what PCRE2 does
//! with it. They cannot do look-around, back-references, atomic groups, calls and verbs: a pattern with these runs on a backtracking engine
//! that counts its steps and returns an error at a limit ([`LimitExceeded`]). Even then a relaxed form of the pattern runs first, as automata, and most
//! inputs do not match that. `tests/pcre.rs` holds both engines against PCRE2.
//!
//! # Stages of a pattern
//!
//! ```text
//! source ─parser─▶ Syntax ─┬─lower::exact───▶ Hir ───────────────────────▶ Automata, and nfa::build at the first search
//!                          │ without a Hir:
//!                          ├─program─▶ Program ──────────────────────────▶ backtrack
//!                          └─lower::relaxed─▶ Hir ───────────────────────▶ Automata, searched first
//! ```
//!
//! At load, each step once for a pattern, whatever the number of its rules ([`Pattern::shared`], `cache.rs`):
//!
//! 1. `parser::parse` reads the dialect: `groups` what begins with `(`, `class` what is in brackets, `escape` what follows a backslash, `shorthand`,
//!    `property` and `newline` what these name. It gives a `tree::Syntax`, in which flags, quoting and comments are resolved.
//! 2. `lower::exact` makes a [`Hir`](regex_syntax::hir::Hir) of it, for automata. If it cannot, `program::compile` makes a program for the backtracking
//!    engine, and `lower::relaxed` the `Hir` of a relaxed form.
//! 3. `Automata::new` reads off the `Hir` what a search needs to know before it begins: its size, the literal after `^` (`prefix`), whether a match may
//!    end with `^` (`line_start`), which captures automata would get wrong.
//! 4. [`Pattern::compile_with_hir`] hands out the `Hir`, from which `prefilter/` extracts literals, and drops it: it is large.
//!
//! The automata are built by the first search (`searcher`), for which the source is read again: most patterns of a rule set are never searched for.
//! `nfa::build` makes an NFA of the `Syntax`; that of a relaxed form, or of characters, is made of the `Hir`. The exchanges that warm a rule set up make
//! those searches that clean traffic would.
//!
//! At each search: [`Pattern::is_match`] or [`Pattern::captures`] → `AnchoredPrefix::decide` → `Searcher::is_match` or `Searcher::find`; of a
//! backtracking pattern `Automata::start_of_match` → `backtrack::search`. The work beyond reading each byte once is added to an [`Effort`].

mod automata;
mod backtrack;
mod byte_set;
mod cache;
mod class;
mod code_set;
mod compiled;
mod effort;
mod error;
mod escape;
mod frame;
mod groups;
mod line_start;
mod lower;
mod newline;
mod nfa;
mod parser;
mod prefix;
mod program;
mod property;
mod search_caches;
mod searcher;
mod shorthand;
mod tree;
mod words;

pub(crate) use automata::Traits;
pub use byte_set::ByteSet;
pub(crate) use cache::PatternCache;
pub use compiled::{Engine, Pattern, PatternFacts, PatternOptions};
pub use effort::Effort;
pub use error::{LimitExceeded, PatternError};
pub(crate) use prefix::{AnchoredPrefix, ContainedLiteral, FoldedByte, Rest};
pub use words::{WordMatch, Words, WordsError};
