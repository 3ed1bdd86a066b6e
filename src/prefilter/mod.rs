//! Takes patterns, and the values of a request; gives, for each pattern, "it cannot match" or "it may match"; imports `pattern`.
//!
//! # Why
//!
//! Most rules do not match clean traffic. A rule's pattern can only match a value that contains certain literals, and hardly any value contains them. So
//! one scan finds the literals of all patterns at once, and only patterns whose literals were found are searched for.
//!
//! # The invariant
//!
//! A prefilter answers "no" or "maybe". It may say "maybe" of a value that does not match, which costs a search in vain. It must never say "no" of a
//! value that matches, which would be an attack let through: there are no false negatives. Each step may therefore lose information only in one
//! direction. A literal may be cut, one of several may be dropped from "all of these", order and the case of letters may be ignored; nothing may be
//! dropped from "one of these". `tests/prefilters.rs` tests generated patterns, and all patterns of the OWASP CRS, with texts that match them;
//! `tests/plan.rs`, `command/tests/plan_conformance.rs` and a fuzz target compare verdicts with prefilters and without.
//!
//! # Example
//!
//! Rule 933140 of the CRS finds PHP's wrappers for input and output:
//!
//! ```text
//! (?i)php://(?:std(?:in|out|err)|(?:in|out)put|f(?:d|ilter)|memory|temp)
//!
//!   extract           an alternation unites, a concatenation crosses
//!                       {php://} × ({std} × {in, out, err} ∪ {in, out} × {put} ∪ {f} × {d, ilter} ∪ {memory} ∪ {temp})
//!
//!   RequiredLiterals  php://fd · php://temp · php://input · php://stdin · php://filter · php://memory · php://output · php://stderr · php://stdout
//!
//!   Literal           each is found by a trigram that is rare in clean traffic, and chosen for few others: `://` is in every address
//!                       php://fd → p:/    php://input → hp:    php://filter → //f    php://memory → //m    …
//!
//!   TrigramBitmap     a bit for each of these trigrams, of 2¹⁸; a table leads to the bucket of literals that are found by it
//!
//! a value: file=php://filter/resource=index
//!                ↑↑↑             hp: is set, but php://input and php://stderr, which are found by it, are not there
//!                 ↑↑↑            p:/ is set, but none of php://fd, php://temp, php://stdin … is there
//!                   ↑↑↑          //f is set, and php://filter is there: the bit of its list is set in the signature
//!
//!   may_match         the prefilter is one list, whose bit is set: "maybe", and the rule searches for its pattern
//! ```
//!
//! ```
//! use secrule::internals::pattern::PatternOptions;
//! use secrule::internals::prefilter::{FilteredPattern, PrefilterSetBuilder, RequiredLiterals, ValueKind};
//!
//! let source = br"(?i)php://(?:std(?:in|out|err)|(?:in|out)put|f(?:d|ilter)|memory|temp)";
//! let pattern = FilteredPattern::compile(source, PatternOptions::default())?;
//! let required = pattern.required_literals().expect("all matches are known");
//! assert!(matches!(required, RequiredLiterals::Literals(literals) if literals.len() == 9));
//!
//! let mut builder = PrefilterSetBuilder::default();
//! let prefilter = builder.add(required, &[ValueKind::default()]);
//! let set = builder.build();
//! let may_match = |value: &[u8]| set.may_match_value(prefilter, ValueKind::default(), value);
//! assert!(may_match(b"file=PHP://filter/resource=index"));
//! assert!(!may_match(b"file=https://shop.example/index.php"));
//! # Ok::<(), secrule::internals::pattern::PatternError>(())
//! ```
//!
//! By function: [`FilteredPattern::compile`] → `extract` → [`RequiredLiterals`] → [`PrefilterSetBuilder::add`], for each pattern; then once
//! [`PrefilterSetBuilder::build`] → `with_trigrams` → `LiteralScanner::new` → `TrigramBitmap`. For each value of a request [`PrefilterSet::scan`] →
//! `LiteralScanner::scan` → `verify`, and for each pattern [`PrefilterSet::may_match`] of the [`Signature`]. `engine/candidates.rs` tests each
//! prefilter up to three times: with the united signatures of a target list, with those of one target, and with that of a single value.
//!
//! The formula of a pattern with several parts is a conjunction: `java\b.+(?:runtime|processbuilder)` requires one of two words, and `java` too, which is
//! left out as the words are rare already. Operators other than `@rx` have formulas too: `@pm` one of its words, `@contains` its text,
//! `@validateByteRange` one of the other bytes.
//!
//! # Effect
//!
//! Of the 318 regular expressions of the CRS (4.29, all paranoia levels) 285 require literals or bytes; `tests/prefilters.rs` checks that share. They make
//! 276 prefilters, with 294 lists of literals; the largest scanner sets an eighth of its bits.
//!
//! `secrule profile --crs DIR` with the settings of the benchmark counts the rules that still run, at paranoia level 1:
//!
//! | request of the corpus | rules with a prefilter | ruled out | run | in vain |
//! | --- | --- | --- | --- | --- |
//! | `01-get-static` | 178 | 171 | 7 | 4 |
//! | `03-post-form` | 178 | 168 | 10 | 10 |
//! | `06-post-multipart-20k` | 178 | 173 | 5 | 4 |
//! | `11-attack-sqli`, up to its end | 134 | 119 | 15 | 10 |
//!
//! A whole transaction of the first takes 601,019 instructions (`benches/instructions.sh`, `benches/results/instructions-2026-11-21.txt`).
//!
//! # When it does not help
//!
//! A pattern without rare literals always "may match": `^.*$`, `[^a-z]`, `\d+`, or alternatives of which one has none (`foo|.+`). A negated rule
//! matches when its pattern does not, so its prefilter cannot rule out the rule: it is used for single values only, and spares their search. A rule on
//! values that rules change while they run, such as TX, has no prefilter. Literals that are frequent in some site's own traffic pass the prefilter there:
//! `secrule profile` shows it as searches in vain. Frequencies are guesses (`frequency.rs`): they decide which literals are searched for, and never what
//! matches.

mod code;
mod extract;
mod filtered;
mod frequency;
mod literal;
mod required;
mod scanner;
mod set;
mod spread;
mod stored;
mod texts;
mod trigram;
mod trigram_table;

pub use filtered::FilteredPattern;
pub use required::{LONGEST_LITERAL, RequiredLiterals};
pub use set::{PrefilterId, PrefilterSet, PrefilterSetBuilder, Signature, ValueKind};
pub use spread::SpreadLiterals;
pub use stored::StoredPatterns;
pub use texts::Texts;
