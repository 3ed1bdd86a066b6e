//! Parses a pattern as PCRE2 10.42 does into its [syntax tree](super::tree). Flags, names, comments, quoting and options are resolved.
//!
//! Patterns are read with v3's compile options: `DOTALL | MULTILINE`, bytes, and `CASELESS` if requested. Constructs that begin with `(` are read in
//! [`groups`](super::groups).

use super::byte_set::ByteSet;
use super::class::{self, ClassFlags};
use super::code_set::{CodeSet, Mode};
use super::error::PatternError;
use super::escape::{Escape, Reference, Scanner};
use super::frame::{Flags, Frame, Kind};
use super::newline::Newline;
use super::property::known;
use super::shorthand::shorthand;
use super::tree::{Assertion, EmptyMatches, Node, Repeat, RepeatKind, Syntax, Target};

/// Maximum of a quantifier, as in PCRE.
const MAX_REPETITIONS: usize = 65_535;

/// Maximum nesting of groups, as in PCRE.
const MAX_NESTING: usize = 250;

/// An extended grapheme cluster: a base with its marks, a Hangul syllable, a flag, or joined pictures.
const CLUSTER: &[u8] = concat!(
    r"(*UTF)(?>\r\n|[\p{Cc}\p{Zl}\p{Zp}]|(?:[\x{1F1E6}-\x{1F1FF}]{2}",
    r"|[\x{1100}-\x{115F}\x{A960}-\x{A97C}]*(?:[\x{AC00}-\x{D7A3}][\x{1160}-\x{11A7}\x{D7B0}-\x{D7C6}]*|[\x{1160}-\x{11A7}\x{D7B0}-\x{D7C6}]+)",
    r"[\x{11A8}-\x{11FF}\x{D7CB}-\x{D7FB}]*|[\x{1100}-\x{115F}\x{A960}-\x{A97C}]+|[\x{11A8}-\x{11FF}\x{D7CB}-\x{D7FB}]+",
    r"|\p{Extended_Pictographic}(?:[\p{M}\x{1F3FB}-\x{1F3FF}]*\x{200D}\p{Extended_Pictographic})*|.)[\p{M}\x{200C}\x{200D}\x{1F3FB}-\x{1F3FF}]*)",
)
.as_bytes();

/// Parses a pattern.
///
/// # Errors
/// If PCRE2 would refuse the pattern, with the place of the error.
pub(super) fn parse(source: &[u8], case_insensitive: bool) -> Result<Syntax, PatternError> {
    Parser::new(source, case_insensitive).run()
}

pub(super) struct Parser<'p> {
    pub scanner: Scanner<'p>,
    pub flags: Flags,
    pub newline: Newline,
    /// `\R` matches CR, LF or CR LF only.
    pub short_line_endings: bool,
    pub empty_matches: EmptyMatches,
    pub tries_everywhere: bool,
    pub step_limit: Option<usize>,
    /// The open groups, the whole pattern first.
    pub open: Vec<Frame>,
    /// `true` if a quantifier may come next.
    pub repeatable: bool,
    pub groups: usize,
    pub names: Vec<(&'p [u8], usize)>,
    /// References to groups, with their positions.
    pub references: Vec<(Target, usize)>,
}

impl<'p> Parser<'p> {
    fn new(source: &'p [u8], case_insensitive: bool) -> Self {
        let flags = Flags {
            case_insensitive,
            multi_line: true,
            dot_all: true,
            extended: false,
            extended_more: false,
            no_auto_capture: false,
            ungreedy: false,
            duplicate_names: false,
        };
        Self {
            scanner: Scanner::new(source),
            flags,
            newline: Newline::Lf,
            short_line_endings: false,
            empty_matches: EmptyMatches::All,
            tries_everywhere: false,
            step_limit: None,
            open: vec![Frame::new(Kind::Whole, 0, flags)],
            repeatable: false,
            groups: 0,
            names: Vec::new(),
            references: Vec::new(),
        }
    }

    fn run(mut self) -> Result<Syntax, PatternError> {
        self.options()?;
        loop {
            let at = self.scanner.position();
            let Some(byte) = self.scanner.peek() else { break };
            self.step(byte, at)?;
        }
        if self.open.len() > 1 {
            let position = self.open.last().map_or(0, |frame| frame.position);
            return Err(PatternError::new("missing `)` after this `(`", position));
        }
        let root = self.open.pop().map_or(Node::Empty, Frame::into_node);
        for (target, at) in &self.references {
            match target {
                Target::Number(number) if *number > self.groups => {
                    return Err(PatternError::new(format!("there is no group {number}"), *at));
                }
                Target::Name(wanted) if !self.names.iter().any(|(name, _)| *name == wanted.as_ref()) => {
                    return Err(PatternError::new(format!("there is no group `{}`", String::from_utf8_lossy(wanted)), *at));
                }
                _ => {}
            }
        }
        let names = self.names.into_iter().map(|(name, number)| (Box::from(name), number)).collect();
        Ok(Syntax {
            root,
            groups: self.groups,
            names,
            utf: self.scanner.mode.utf,
            empty_matches: self.empty_matches,
            tries_everywhere: self.tries_everywhere,
            step_limit: self.step_limit,
        })
    }

    fn step(&mut self, byte: u8, at: usize) -> Result<(), PatternError> {
        self.scanner.skip(1);
        match byte {
            b'\\' => self.escape(at)?,
            b'[' if self.scanner.take(b"[:<:]]") => self.word_edge(false),
            b'[' if self.scanner.take(b"[:>:]]") => self.word_edge(true),
            b'[' => {
                let flags = ClassFlags { case_insensitive: self.flags.case_insensitive, skips_blanks: self.flags.extended_more };
                let set = class::bracketed(&mut self.scanner, flags)?;
                self.item(Node::Set(set));
            }
            b'(' => self.open_group(at)?,
            b')' => self.close_group(at)?,
            b'|' => self.next_alternative(),
            b'^' if self.flags.multi_line => self.assertion(self.newline.line_start()),
            b'^' => self.assertion(Node::Assert(Assertion::TextStart)),
            b'$' if self.flags.multi_line => self.assertion(self.newline.line_end()),
            b'$' => self.assertion(self.newline.final_end()),
            b'.' if self.flags.dot_all => self.item(Node::Set(CodeSet::all(self.mode()))),
            b'.' => self.item(self.newline.other(self.mode())),
            b'*' => self.quantifier(0, None, at)?,
            b'+' => self.quantifier(1, None, at)?,
            b'?' => self.quantifier(0, Some(1), at)?,
            b'{' => match self.repetition(at)? {
                Some((min, max)) => self.quantifier(min, max, at)?,
                None => self.literal(u32::from(b'{')),
            },
            _ if self.flags.extended && is_ignorable(byte) => self.ignore(byte),
            _ => {
                self.scanner.rewind(at);
                let code = self.scanner.next_code(at)?;
                self.literal(code);
            }
        }
        Ok(())
    }

    pub(super) const fn mode(&self) -> Mode {
        self.scanner.mode
    }

    /// Adds an item that a quantifier may follow.
    pub(super) fn item(&mut self, node: Node) {
        self.push(node);
        self.repeatable = true;
    }

    /// Adds an item that no quantifier may follow.
    pub(super) fn assertion(&mut self, node: Node) {
        self.push(node);
        self.repeatable = false;
    }

    fn push(&mut self, node: Node) {
        if let Some(frame) = self.open.last_mut() {
            frame.parts.push(node);
        }
    }

    fn literal(&mut self, code: u32) {
        let folds = self.flags.case_insensitive && (self.mode().ucp || u8::try_from(code).is_ok_and(|byte| byte.is_ascii_alphabetic()));
        if let Some(byte) = u8::try_from(code).ok().filter(|byte| !folds && (byte.is_ascii() || !self.mode().utf)) {
            return self.item(Node::Byte(byte));
        }
        let set = CodeSet::one(self.mode(), code);
        if self.mode() == Mode::default() && folds {
            return self.item(Node::Set(set.fold_case(self.mode())));
        }
        let set = if self.flags.case_insensitive { set.fold_case(self.mode()) } else { set };
        match (set.single_bytes().filter(|set| set.len() == 1), u8::try_from(code)) {
            (Some(_), Ok(byte)) => self.item(Node::Byte(byte)),
            _ => self.item(Node::Set(set)),
        }
    }

    fn ignore(&mut self, byte: u8) {
        if byte == b'#' && self.scanner.take_until(b'\n').is_none() {
            self.scanner.skip(usize::MAX);
        }
    }

    fn skip_ignorable(&mut self) {
        while self.flags.extended {
            let Some(byte) = self.scanner.peek().filter(|&byte| is_ignorable(byte)) else { break };
            self.scanner.skip(1);
            self.ignore(byte);
        }
    }

    fn escape(&mut self, at: usize) -> Result<(), PatternError> {
        match self.scanner.escape(at, self.groups)? {
            Escape::Code(code) => self.literal(code),
            Escape::Set(set) => self.item(Node::Set(set)),
            Escape::Assertion(b'b') => self.assertion(self.word_boundary(false)),
            Escape::Assertion(b'B') => self.assertion(self.word_boundary(true)),
            Escape::Assertion(b'A') => self.assertion(Node::Assert(Assertion::TextStart)),
            Escape::Assertion(b'z') => self.assertion(Node::Assert(Assertion::TextEnd)),
            Escape::Assertion(b'Z') => self.assertion(self.newline.final_end()),
            Escape::Assertion(_) => self.assertion(Node::Assert(Assertion::SearchStart)),
            Escape::MatchStart if self.open.iter().any(|frame| matches!(frame.kind, Kind::Look(_))) => {
                return Err(PatternError::new(r"`\K` is not allowed in look-around", at));
            }
            Escape::MatchStart => self.assertion(Node::Keep),
            Escape::LineEnding => self.item(self.line_ending()),
            Escape::Cluster if self.mode().utf => self.item(parse(CLUSTER, false)?.root),
            Escape::Cluster => {
                let any = Node::Set(CodeSet::all(self.mode()));
                self.item(Node::Atomic(Box::new(Node::Alternation(vec![crlf(), any]))));
            }
            Escape::NotNewline => self.item(self.newline.other(self.mode())),
            Escape::BackReference(reference) => self.back_reference(reference, at)?,
            Escape::Call(reference) => self.call(reference, at)?,
            Escape::QuoteStart => {
                while !self.scanner.take(b"\\E") && self.scanner.peek().is_some() {
                    let code = self.scanner.next_code(at)?;
                    self.literal(code);
                }
            }
            Escape::QuoteEnd => {}
        }
        Ok(())
    }

    fn word_boundary(&self, negated: bool) -> Node {
        if !self.mode().ucp {
            return Node::Assert(if negated { Assertion::NotWordBoundary } else { Assertion::WordBoundary });
        }
        let word = Node::Set(known(self.mode(), r"[\p{L}\p{N}_]"));
        let both = |behind: bool, ahead: bool| {
            Node::Concat(vec![Node::look(true, !behind, word.clone()), Node::look(false, !ahead, word.clone())])
        };
        Node::Alternation(vec![both(true, negated), both(false, !negated)])
    }

    /// Adds `[[:<:]]` or `[[:>:]]`: the start or end of a word.
    fn word_edge(&mut self, ends: bool) {
        let word = shorthand(self.mode(), b'w').map_or(Node::Empty, Node::Set);
        self.assertion(Node::Concat(vec![self.word_boundary(false), Node::look(ends, false, word)]));
    }

    fn line_ending(&self) -> Node {
        let single = if self.short_line_endings { ByteSet::of(b"\r\n") } else { ByteSet::range(b'\n'..=b'\r').with(0x85) };
        let mut set = CodeSet::of(self.mode(), single);
        if self.mode().utf && !self.short_line_endings {
            set = set.union(CodeSet::range(self.mode(), 0x2028, 0x2029));
        }
        Node::Atomic(Box::new(Node::Alternation(vec![crlf(), Node::Set(set)])))
    }

    pub(super) fn back_reference(&mut self, reference: Reference<'_>, at: usize) -> Result<(), PatternError> {
        let group = self.target(reference, at)?;
        self.item(Node::BackReference { group, ignores_case: self.flags.case_insensitive });
        Ok(())
    }

    pub(super) fn call(&mut self, reference: Reference<'_>, at: usize) -> Result<(), PatternError> {
        let group = self.target_or_whole(reference, at)?;
        self.item(Node::Call(group));
        Ok(())
    }

    /// Returns the group of a reference; it may be defined later.
    pub(super) fn target(&mut self, reference: Reference<'_>, at: usize) -> Result<Target, PatternError> {
        let target = self.target_or_whole(reference, at)?;
        if target == Target::Number(0) {
            return Err(PatternError::new("group 0 cannot be referred to", at));
        }
        Ok(target)
    }

    pub(super) fn target_or_whole(&mut self, reference: Reference<'_>, at: usize) -> Result<Target, PatternError> {
        let number = match reference {
            Reference::Number(number) => Some(number),
            Reference::Back(0) | Reference::Ahead(0) => None,
            Reference::Back(back) => self.groups.saturating_add(1).checked_sub(back).filter(|number| *number > 0),
            Reference::Ahead(ahead) => self.groups.checked_add(ahead),
            Reference::Name(name) => {
                self.references.push((Target::Name(name.into()), at));
                return Ok(Target::Name(name.into()));
            }
        };
        let Some(number) = number else {
            return Err(PatternError::new("there is no such group before this reference to it", at));
        };
        self.references.push((Target::Number(number), at));
        Ok(Target::Number(number))
    }

    /// Reads the quantifier in braces after its `{`; `None` if the brace is a literal.
    fn repetition(&mut self, at: usize) -> Result<Option<(u32, Option<u32>)>, PatternError> {
        let start = self.scanner.position();
        let digits = |byte: u8| byte.is_ascii_digit();
        let min = self.scanner.take_while(usize::MAX, digits);
        let max = self.scanner.take(b",").then(|| self.scanner.take_while(usize::MAX, digits));
        if min.is_empty() || !self.scanner.take(b"}") {
            self.scanner.rewind(start);
            return Ok(None);
        }
        let count = |digits: &[u8]| {
            let value = Scanner::new(digits).take_number().filter(|&count| count <= MAX_REPETITIONS);
            let value = value.and_then(|count| u32::try_from(count).ok());
            value.ok_or_else(|| PatternError::new("number too big in a `{}` quantifier", at))
        };
        let min = count(min)?;
        Ok(Some(match max {
            None => (min, Some(min)),
            Some([]) => (min, None),
            Some(max) => {
                let max = count(max)?;
                if max < min {
                    return Err(PatternError::new("numbers out of order in a `{}` quantifier", at));
                }
                (min, Some(max))
            }
        }))
    }

    fn quantifier(&mut self, min: u32, max: Option<u32>, at: usize) -> Result<(), PatternError> {
        let item = if std::mem::take(&mut self.repeatable) { self.open.last_mut().and_then(|frame| frame.parts.pop()) } else { None };
        let Some(node) = item else {
            return Err(PatternError::new("this quantifier does not follow a repeatable item", at));
        };
        self.skip_ignorable();
        let kind = if self.scanner.take(b"+") {
            RepeatKind::Possessive
        } else if self.scanner.take(b"?") != self.flags.ungreedy {
            RepeatKind::Lazy
        } else {
            RepeatKind::Greedy
        };
        // Repeating look-around has no effect beyond the first time.
        let (min, max) = if matches!(node, Node::Look(..)) { (min.min(1), Some(max.unwrap_or(1).min(1))) } else { (min, max) };
        self.push(Node::Repeat(Box::new(Repeat { node, min, max, kind })));
        Ok(())
    }

    pub(super) fn enter(&mut self, frame: Frame) -> Result<(), PatternError> {
        if self.open.len() > MAX_NESTING {
            return Err(PatternError::new("the groups of this pattern nest too deep to be read", frame.position));
        }
        self.open.push(frame);
        self.repeatable = false;
        Ok(())
    }
}

fn crlf() -> Node {
    Node::Concat(vec![Node::Byte(b'\r'), Node::Byte(b'\n')])
}

/// Returns `true` for bytes that `(?x)` skips: white space, and the `#` of a comment.
const fn is_ignorable(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ' | b'#')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::{Effort, Engine, Pattern, PatternOptions};

    fn pattern(source: &str) -> Pattern {
        Pattern::compile(source.as_bytes(), PatternOptions::default()).unwrap()
    }

    fn is_match(source: &str, input: &str) -> bool {
        pattern(source).is_match(input.as_bytes(), &mut Effort::default()).unwrap()
    }

    fn error_position(source: &str) -> usize {
        parse(source.as_bytes(), false).err().unwrap().position()
    }

    #[test]
    fn spellings_of_a_byte_mean_the_same() {
        for source in [r"\x2f", r"\x{2F}", r"\57", r"\o{57}", r"\/", "/", r"\Q/\E", "[/]", r"[\Q/\E]"] {
            assert!(is_match(source, "/") && !is_match(source, "a"), "{source}");
        }
    }

    #[test]
    fn quoted_text_in_a_class_has_no_ranges_and_ends() {
        assert!(is_match(r"^[\Qa-z\E]+$", "a-z") && !is_match(r"^[\Qa-z\E]+$", "b"));
        assert!(is_match(r"^[\Qa\E-c]+$", "abc") && is_match(r"^[a-\Qc\E]+$", "abc"));
        assert!(is_match(r"^[\E\Q]\E]$", "]") && is_match(r"^[\g]$", "g"));
    }

    #[test]
    fn a_brace_that_is_no_quantifier_is_literal() {
        assert!(is_match("^{a{,3}$", "{a{,3}") && is_match("^a{2,}$", "aaa"));
    }

    #[test]
    fn flags_end_with_their_group() {
        assert!(is_match("^(?:(?i)k)k$", "Kk") && !is_match("^(?:(?i)k)k$", "kK"));
        assert!(is_match("^(?x: a b # c\n)c$", "abc") && is_match("(?xx)^[a b]+$", "ab") && !is_match("(?xx)^[a b]+$", " "));
    }

    #[test]
    fn negated_classes_fold_case_before_negation() {
        assert!(!is_match("(?i)[^k]", "K") && is_match("(?i)[^k]", "j"));
    }

    #[test]
    fn characters_and_properties_are_known_where_they_are_asked_for() {
        assert!(is_match("(*UTF)^.$", "’") && !is_match("^.$", "’"));
        assert!(is_match(r"(*UTF)(*UCP)^\w\b", "é") && !is_match(r"(*UTF)^\w", "é"));
        assert!(is_match(r"^\p{L}\P{L}\p{^L}\pN$", "a--1") && is_match(r"(*UTF)^\p{Greek}\p{Lu}$", "αΩ"));
        assert!(is_match(r"(*UTF)^\X$", "e\u{301}") && is_match(r"(*UTF)(?i)^\x{3b1}$", "Α") && is_match(r"^\X$", "\r\n"));
    }

    #[test]
    fn only_what_no_automaton_can_do_is_left_to_the_other_engine() {
        for source in ["a(?=b)", "(a)\\1", "a++", "(?>a)", "(?<n>a)(?P=n)", r"\Z", "(?-m)$", r"\R", "(?1)(a)", "a(*COMMIT)b", "(?(?=a)b)"] {
            assert_eq!(pattern(source).engine(), Engine::Backtracking, "{source}");
        }
        for source in ["^(a|b)+?c$", r"\p{L}", "(*UTF)^.$", "(?|(a)|(b))", "(?:(?C1)a)(?#c)", "(?<n>a)"] {
            assert_eq!(pattern(source).engine(), Engine::Linear, "{source}");
        }
    }

    #[test]
    fn errors_say_where() {
        for (source, position) in
            [("ab(c", 2), ("ab)c", 2), ("a|*", 2), (r"abc\y", 3), ("a[bc", 1), (r"(a)\2", 3), ("a(?&n)", 1), ("a(*NO)", 1)]
        {
            assert_eq!(error_position(source), position, "{source}");
        }
        let look_behind = |source: &str| Pattern::compile(source.as_bytes(), PatternOptions::default()).err().map(|error| error.position());
        assert_eq!(look_behind("a(?<=b+)"), Some(1));
        assert_eq!(look_behind("a(?<=b|cd)"), None);
    }

    #[test]
    fn groups_nest_as_deep_as_in_pcre() {
        let nested = |depth: usize| parse(&["(?:".repeat(depth), "a".to_owned(), ")".repeat(depth)].concat().into_bytes(), false);
        assert!(nested(MAX_NESTING).is_ok());
        assert!(nested(MAX_NESTING + 1).is_err());
    }
}
