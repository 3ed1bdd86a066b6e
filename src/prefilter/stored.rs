//! Patterns as bytes: what a load learns of its patterns, for the loads of later processes.
//!
//! Of each pattern, the facts and the required literals are stored. They cost two thirds of a load of the OWASP CRS, and take 300 kB. A pattern that is
//! found here was valid; its first search builds its automata.
//!
//! ```text
//! "secrule patterns 2\n"   the format
//! 8 bytes                  the code that extracted the literals: a hash of the sources of `pattern` and `prefilter`
//! 20 bytes                 SHA-1 of what follows, against accidents
//! entries                  length and bytes of each: flags, source, number of groups, size, traits of a linear pattern, required literals
//! ```
//!
//! Literals that are not those of the pattern would let attacks through. So literals of other code are not used: it may have read patterns otherwise.
//! A pattern is compared as a whole. The caller knows that nobody else has written the bytes. Any bytes are safe to read: they take memory in
//! proportion to their length, and never cause a panic.

use super::code::CODE;
use super::filtered::FilteredPattern;
use super::required::RequiredLiterals;
use super::texts::Texts;
use crate::pattern::{AnchoredPrefix, ByteSet, ContainedLiteral, Engine, FoldedByte, Pattern, PatternFacts, PatternOptions, Rest, Traits};
use rustc_hash::FxHashMap;
use sha1::{Digest as _, Sha1};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// The first bytes. The number is that of the format.
const MAGIC: &[u8] = b"secrule patterns 2\n";

/// Length of a SHA-1.
const CHECKSUM: usize = 20;

/// Maximum length of all entries that are written. The patterns of the OWASP CRS take 300 kB.
const MAX_BYTES: usize = 16 << 20;

/// Maximum nesting of required literals.
const MAX_LEVELS: usize = 64;

/// Flags of an entry.
const CASE_INSENSITIVE: u8 = 1;
const BACKTRACKS: u8 = 2;

/// Flags of traits.
const MATCHES_EVERYTHING: u8 = 1;
const MAY_END_WITH_LINE_START: u8 = 2;
const CAPTURES_EMPTY_ROUNDS: u8 = 4;
const UTF: u8 = 8;
const HAS_PREFIX: u8 = 16;
const HAS_CONTAINED: u8 = 32;

/// Marks of required literals.
const NOTHING: u8 = 0;
const LITERALS: u8 = 1;
const BYTES: u8 = 2;
const ALL: u8 = 3;
const ANY: u8 = 4;

/// Patterns that an earlier process stored, with their required literals.
#[derive(Debug, Default)]
pub struct StoredPatterns {
    bytes: Vec<u8>,
    /// The entry of each pattern: a range of `bytes`.
    entries: FxHashMap<Key, Range<usize>>,
}

/// A pattern as written, and `true` if it ignores case.
type Key = (Box<[u8]>, bool);

impl StoredPatterns {
    /// Reads bytes that [`write`](Self::write) returned. `None` if they are damaged, or another version of the code has written them.
    #[must_use]
    pub fn read(bytes: Vec<u8>) -> Option<Self> {
        let mut reader = Reader(bytes.strip_prefix(MAGIC)?);
        if reader.number::<8>()? != CODE || reader.take(CHECKSUM)? != Sha1::digest(reader.0).as_slice() {
            return None;
        }
        let mut entries = FxHashMap::default();
        while !reader.0.is_empty() {
            let entry = reader.block()?;
            let end = bytes.len() - reader.0.len();
            let mut entry_reader = Reader(entry);
            let flags = entry_reader.byte()?;
            let source = entry_reader.block()?;
            entries.insert((source.into(), flags & CASE_INSENSITIVE != 0), end - entry.len()..end);
        }
        Some(Self { bytes, entries })
    }

    /// Returns a pattern from the process-wide cache, or from here; `None` if it is in neither.
    #[must_use]
    pub fn shared(&self, source: &[u8], options: PatternOptions) -> Option<Arc<FilteredPattern>> {
        FilteredPattern::shared_or_made(source, options, |source, options| self.find(source, options))
    }

    /// Returns a pattern; `None` if it is not there.
    #[must_use]
    pub fn find(&self, source: &[u8], options: PatternOptions) -> Option<FilteredPattern> {
        let place = self.entries.get(&(Box::from(source), options.case_insensitive))?;
        let mut reader = Reader(self.bytes.get(place.clone())?);
        let engine = if reader.byte()? & BACKTRACKS == 0 { Engine::Linear } else { Engine::Backtracking };
        reader.block()?;
        let groups = reader.size()?;
        let size = reader.size()?;
        let traits = if engine == Engine::Linear { Some(reader.traits()?) } else { None };
        let required = reader.required_or_nothing(MAX_LEVELS)?;
        let pattern = Pattern::known(source, options, PatternFacts { engine, groups, size }, traits);
        // A pattern that is too large is compiled, which reports it.
        (size <= options.max_size && reader.0.is_empty()).then(|| FilteredPattern::of(pattern, required))
    }

    /// Returns `true` if it has all of these patterns.
    #[must_use]
    pub fn has_all(&self, patterns: &[Arc<FilteredPattern>]) -> bool {
        patterns.iter().all(|pattern| self.entries.contains_key(&key(pattern)))
    }

    /// Returns these patterns as bytes, followed by those that were read before, as far as there is room.
    #[must_use]
    pub fn write(&self, patterns: &[Arc<FilteredPattern>]) -> Vec<u8> {
        // In the order of their sources, so that equal patterns are equal bytes.
        let new: BTreeMap<Key, &Arc<FilteredPattern>> = patterns.iter().map(|pattern| (key(pattern), pattern)).collect();
        let old: BTreeMap<&Key, &Range<usize>> = self.entries.iter().filter(|(key, _)| !new.contains_key(*key)).collect();
        let new = new.into_values().filter_map(|pattern| entry(pattern).map(Cow::Owned));
        let old = old.into_values().filter_map(|place| self.bytes.get(place.clone()).map(Cow::Borrowed));
        let mut content = Vec::new();
        for entry in new.chain(old) {
            if content.len() + entry.len() <= MAX_BYTES {
                push_block(&mut content, &entry);
            }
        }
        [MAGIC, &CODE.to_le_bytes(), Sha1::digest(&content).as_slice(), &content].concat()
    }
}

fn key(pattern: &FilteredPattern) -> Key {
    (pattern.pattern().source().into(), pattern.pattern().options().case_insensitive)
}

/// Returns the entry of a pattern; `None` for numbers that have no room.
fn entry(pattern: &FilteredPattern) -> Option<Vec<u8>> {
    let PatternFacts { engine, groups, size } = pattern.pattern().facts();
    let folds = if pattern.pattern().options().case_insensitive { CASE_INSENSITIVE } else { 0 };
    let mut entry = vec![folds | if engine == Engine::Backtracking { BACKTRACKS } else { 0 }];
    push_block(&mut entry, pattern.pattern().source());
    for number in [groups, size] {
        entry.extend(u32::try_from(number).ok()?.to_le_bytes());
    }
    if engine == Engine::Linear {
        push_traits(&mut entry, pattern.pattern().traits()?)?;
    }
    match pattern.required_literals() {
        Some(required) => push_required(&mut entry, required)?,
        None => entry.push(NOTHING),
    }
    Some(entry)
}

fn push_traits(entry: &mut Vec<u8>, traits: &Traits) -> Option<()> {
    let Traits { repeated, prefix, contained, matches_everything, may_end_with_line_start, captures_empty_rounds, utf } = traits;
    let flags = [
        (*matches_everything, MATCHES_EVERYTHING),
        (*may_end_with_line_start, MAY_END_WITH_LINE_START),
        (*captures_empty_rounds, CAPTURES_EMPTY_ROUNDS),
        (*utf, UTF),
        (prefix.is_some(), HAS_PREFIX),
        (contained.is_some(), HAS_CONTAINED),
    ];
    entry.push(flags.into_iter().filter(|(is_set, _)| *is_set).fold(0, |all, (_, flag)| all | flag));
    entry.extend(u32::try_from(*repeated).ok()?.to_le_bytes());
    if let Some(AnchoredPrefix { bytes, rest }) = prefix {
        push_folded(entry, bytes);
        entry.push(match rest {
            Rest::Nothing => 0,
            Rest::End { of_line: false } => 1,
            Rest::End { of_line: true } => 2,
            Rest::Other => 3,
        });
    }
    if let Some(ContainedLiteral(bytes)) = contained {
        push_folded(entry, bytes);
    }
    Some(())
}

fn push_folded(entry: &mut Vec<u8>, bytes: &[FoldedByte]) {
    let bytes: Vec<u8> = bytes.iter().flat_map(|(byte, case)| [*byte, *case]).collect();
    push_block(entry, &bytes);
}

fn push_required(entry: &mut Vec<u8>, required: &RequiredLiterals) -> Option<()> {
    match required {
        RequiredLiterals::Literals(literals) => {
            entry.push(LITERALS);
            let lengths: Vec<u8> = literals.iter().map(|literal| u8::try_from(literal.len()).ok()).collect::<Option<_>>()?;
            push_block(entry, &lengths);
            entry.extend(literals.bytes());
        }
        RequiredLiterals::Bytes(set) => {
            entry.push(BYTES);
            let members: Vec<u8> = set.ranges().flatten().collect();
            push_block(entry, &members);
        }
        RequiredLiterals::All(operands) | RequiredLiterals::Any(operands) => {
            entry.push(if matches!(required, RequiredLiterals::All(_)) { ALL } else { ANY });
            entry.push(u8::try_from(operands.len()).ok()?);
            operands.iter().try_for_each(|operand| push_required(entry, operand))?;
        }
    }
    Some(())
}

/// Appends bytes after their length.
fn push_block(all: &mut Vec<u8>, block: &[u8]) {
    all.extend(u32::try_from(block.len()).unwrap_or(u32::MAX).to_le_bytes());
    all.extend(block);
}

/// Bytes that are left to read.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// Reads a number of so many bytes, at most eight.
    fn number<const LENGTH: usize>(&mut self) -> Option<u64> {
        Some(self.take(LENGTH)?.iter().rev().fold(0, |number, byte| number << u8::BITS | u64::from(*byte)))
    }

    fn size(&mut self) -> Option<usize> {
        usize::try_from(self.number::<4>()?).ok()
    }

    /// Reads bytes after their length.
    fn block(&mut self) -> Option<&'b [u8]> {
        let length = self.size()?;
        self.take(length)
    }

    fn traits(&mut self) -> Option<Traits> {
        let flags = self.byte()?;
        let has = |flag: u8| flags & flag != 0;
        let repeated = self.size()?;
        let prefix = if has(HAS_PREFIX) { Some(AnchoredPrefix { bytes: self.folded()?, rest: self.rest()? }) } else { None };
        // A literal that is contained is not empty.
        let contained =
            if has(HAS_CONTAINED) { Some(self.folded().filter(|bytes| !bytes.is_empty()).map(ContainedLiteral)?) } else { None };
        Some(Traits {
            repeated,
            prefix,
            contained,
            matches_everything: has(MATCHES_EVERYTHING),
            may_end_with_line_start: has(MAY_END_WITH_LINE_START),
            captures_empty_rounds: has(CAPTURES_EMPTY_ROUNDS),
            utf: has(UTF),
        })
    }

    fn folded(&mut self) -> Option<Box<[FoldedByte]>> {
        Some(self.block()?.as_chunks().0.iter().map(|[byte, case]| (*byte, *case)).collect())
    }

    fn rest(&mut self) -> Option<Rest> {
        match self.byte()? {
            0 => Some(Rest::Nothing),
            1 => Some(Rest::End { of_line: false }),
            2 => Some(Rest::End { of_line: true }),
            3 => Some(Rest::Other),
            _ => None,
        }
    }

    fn required_or_nothing(&mut self, levels: usize) -> Option<Option<RequiredLiterals>> {
        match self.byte()? {
            NOTHING => Some(None),
            mark => self.required(mark, levels).map(Some),
        }
    }

    fn required(&mut self, mark: u8, levels: usize) -> Option<RequiredLiterals> {
        Some(match mark {
            LITERALS => {
                let lengths = self.block().filter(|lengths| !lengths.is_empty())?;
                let bytes = self.take(lengths.iter().map(|length| usize::from(*length)).sum())?;
                RequiredLiterals::Literals(Arc::new(Texts::of_lengths(bytes, lengths)?))
            }
            BYTES => RequiredLiterals::Bytes(ByteSet::of(self.block()?)),
            ALL => RequiredLiterals::All(self.operands(levels)?),
            ANY => RequiredLiterals::Any(self.operands(levels)?),
            _ => return None,
        })
    }

    fn operands(&mut self, levels: usize) -> Option<Vec<RequiredLiterals>> {
        let levels = levels.checked_sub(1)?;
        let count = self.byte().filter(|count| *count > 0)?;
        (0..count).map(|_| self.byte().and_then(|mark| self.required(mark, levels))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SOURCES: [&str; 15] = [
        r"(?i)php://(?:std(?:in|out|err)|(?:in|out)put|f(?:d|ilter)|memory|temp)",
        r"(?i)w[\x22'\[]*(?:\$[a-z]*)?\x5c?g[\x22'\[]*(?:\$[a-z]*)?\x5c?et",
        r"\b(?:in|on)\d*\(",
        "^.*$",
        "a++foo(?!bar)",
        r"(\w+)=\1",
        "[;|`]",
        r"(?:\x00|\xff)abc",
        "x{3}y*(z)",
        "^(?i:get)",
        "^a$",
        "^$",
        "x?(?i)lit[a-z]*",
        r"^\s*$|(a*)*",
        "(*UTF)ä+b{2,90}",
    ];

    fn compiled() -> Vec<Arc<FilteredPattern>> {
        let compile = |source: &&str| Arc::new(FilteredPattern::compile(source.as_bytes(), PatternOptions::default()).unwrap());
        SOURCES.iter().map(compile).collect()
    }

    fn assert_same(found: &FilteredPattern, compiled: &FilteredPattern) {
        assert_eq!(found.required_literals(), compiled.required_literals());
        assert_eq!(found.pattern().facts(), compiled.pattern().facts());
        assert_eq!(found.pattern().traits(), compiled.pattern().traits());
        assert_eq!(found.pattern().source(), compiled.pattern().source());
    }

    #[test]
    fn stored_patterns_are_those_that_were_compiled() {
        let compiled = compiled();
        let stored = StoredPatterns::read(StoredPatterns::default().write(&compiled)).unwrap();
        assert!(stored.has_all(&compiled));
        for pattern in &compiled {
            assert_same(&stored.find(pattern.pattern().source(), PatternOptions::default()).unwrap(), pattern);
        }
        assert!(stored.find(b"other", PatternOptions::default()).is_none());
        assert!(stored.find(SOURCES[0].as_bytes(), PatternOptions { case_insensitive: true, ..PatternOptions::default() }).is_none());
        assert!(stored.find(SOURCES[0].as_bytes(), PatternOptions { max_size: 3, ..PatternOptions::default() }).is_none());
    }

    #[test]
    fn patterns_of_other_loads_stay() {
        let compiled = compiled();
        let (first, second) = compiled.split_at(4);
        let stored = StoredPatterns::read(StoredPatterns::default().write(first)).unwrap();
        let stored = StoredPatterns::read(stored.write(second)).unwrap();
        assert!(stored.has_all(&compiled));
        assert_eq!(stored.write(&compiled), StoredPatterns::default().write(&compiled));
    }

    #[test]
    fn damaged_bytes_are_not_read() {
        let bytes = StoredPatterns::default().write(&compiled());
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 0x10;
            assert!(StoredPatterns::read(damaged).is_none(), "{place}");
            assert!(StoredPatterns::read(bytes[..place].to_vec()).is_none(), "{place}");
        }
    }

    /// Returns the content with a head that fits.
    fn sealed(content: &[u8]) -> Vec<u8> {
        [MAGIC, &CODE.to_le_bytes(), Sha1::digest(content).as_slice(), content].concat()
    }

    proptest! {
        #[test]
        fn entries_of_any_bytes_are_read_without_harm(
            changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
            end in any::<proptest::sample::Index>(),
        ) {
            let head = MAGIC.len() + 8 + CHECKSUM;
            let mut content = StoredPatterns::default().write(&compiled()).split_off(head);
            changes.iter().for_each(|(place, byte)| content[place.index(SOURCES.len() * 20)] = *byte);
            for content in [&content, &content[..end.index(content.len())]] {
                let Some(stored) = StoredPatterns::read(sealed(content)) else { continue };
                for (source, case_insensitive) in stored.entries.keys() {
                    let options = PatternOptions { case_insensitive: *case_insensitive, ..PatternOptions::default() };
                    let _ = stored.find(source, options);
                }
            }
        }
    }

    #[test]
    fn operands_nest_to_a_limit() {
        let nested = |levels: usize| {
            let mut entry = vec![0];
            push_block(&mut entry, b"x");
            // No groups, no size, no traits.
            entry.extend([0; 13]);
            entry.extend([ALL, 1].repeat(levels));
            entry.push(BYTES);
            push_block(&mut entry, b"x");
            let mut content = Vec::new();
            push_block(&mut content, &entry);
            StoredPatterns::read(sealed(&content)).unwrap().find(b"x", PatternOptions::default())
        };
        assert!(nested(MAX_LEVELS).is_some() && nested(MAX_LEVELS + 1).is_none() && nested(1_000_000).is_none());
    }
}
