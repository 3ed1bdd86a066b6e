//! Rewrites a PCRE pattern into the syntax that the Rust engines read.
//!
//! PCRE and Rust mean nearly the same by a pattern but spell it differently, so every pattern is spelled out anew in
//! the small language both agree on: literal bytes, classes as ranges of bytes, groups by number, and assertions that
//! carry their mode with them. Flags, names, comments and quoting are resolved on the way. What only a backtracking
//! engine can do (look-around, back-references, atomic groups) is passed on and reported.

use super::byte_set::ByteSet;
use super::class;
use super::error::PatternError;
use super::escape::{Escape, Reference, Scanner};
use std::fmt::Write;

/// The most repetitions that PCRE lets a quantifier ask for.
const MAXIMUM_REPETITIONS: usize = 65_535;

/// What matches the empty text where an engine wants something to stand.
const EMPTY: &str = "a{0}";

/// A pattern in the syntax of the Rust engines.
pub(super) struct Translation {
    pub text: String,
    /// How many capturing groups it has.
    pub groups: usize,
    /// Whether it needs the backtracking engine.
    pub backtracking: bool,
}

/// Translates a PCRE pattern under v3's compile options: `DOTALL | MULTILINE`, bytes, and `CASELESS` when asked.
pub(super) fn translate(source: &[u8], case_insensitive: bool) -> Result<Translation, PatternError> {
    let linear = Translator::new(source, case_insensitive, false).run()?;
    if linear.backtracking {
        // Assertions that the linear engine takes on trust can be spelled exactly for the other.
        return Translator::new(source, case_insensitive, true).run();
    }
    Ok(linear)
}

/// The inline options, `(?imsxnU)`.
#[derive(Clone, Copy)]
struct Flags {
    case_insensitive: bool,
    multi_line: bool,
    dot_all: bool,
    extended: bool,
    no_auto_capture: bool,
    ungreedy: bool,
}

/// A group that is still open.
struct OpenGroup {
    /// Where in the source it was opened.
    position: usize,
    /// What closes it in the output.
    closing: &'static str,
    /// The flags to return to when it closes.
    flags: Flags,
}

struct Translator<'p> {
    scanner: Scanner<'p>,
    flags: Flags,
    open: Vec<OpenGroup>,
    output: String,
    groups: usize,
    names: Vec<(&'p [u8], usize)>,
    /// Whether a quantifier may come next.
    repeatable: bool,
    /// The highest group number referred to, and where.
    furthest_reference: (usize, usize),
    /// Whether the output is meant for the backtracking engine.
    exact: bool,
    backtracking: bool,
}

impl<'p> Translator<'p> {
    fn new(source: &'p [u8], case_insensitive: bool, exact: bool) -> Self {
        Self {
            scanner: Scanner::new(source),
            flags: Flags { case_insensitive, multi_line: true, dot_all: true, extended: false, no_auto_capture: false, ungreedy: false },
            open: Vec::new(),
            output: String::with_capacity(source.len() * 2),
            groups: 0,
            names: Vec::new(),
            repeatable: false,
            furthest_reference: (0, 0),
            exact,
            backtracking: exact,
        }
    }

    fn run(mut self) -> Result<Translation, PatternError> {
        loop {
            let at = self.scanner.position();
            let Some(byte) = self.scanner.next() else { break };
            self.step(byte, at)?;
        }
        if let Some(group) = self.open.last() {
            return Err(PatternError::new("missing `)` after this `(`", group.position));
        }
        let (number, at) = self.furthest_reference;
        if number > self.groups {
            return Err(PatternError::new(format!("there is no group {number}"), at));
        }
        Ok(Translation { text: self.output, groups: self.groups, backtracking: self.backtracking })
    }

    fn step(&mut self, byte: u8, at: usize) -> Result<(), PatternError> {
        match byte {
            b'\\' => self.escape(at)?,
            b'[' => {
                let set = class::bracketed(&mut self.scanner, self.flags.case_insensitive)?;
                self.set(set);
            }
            b'(' => self.open_group(at)?,
            b')' => self.close_group(at)?,
            b'|' => {
                self.output.push('|');
                self.repeatable = false;
            }
            b'^' if self.flags.multi_line => self.line_start(),
            b'^' => self.assertion(r"\A"),
            b'$' if self.flags.multi_line => self.assertion("(?m:$)"),
            b'$' => self.end_or_final_newline(),
            b'.' if self.flags.dot_all => self.set(ByteSet::ALL),
            b'.' => self.set(ByteSet::of(b"\n").complement()),
            b'*' => self.quantifier("*", at)?,
            b'+' => self.quantifier("+", at)?,
            b'?' => self.quantifier("?", at)?,
            b'{' => match self.repetition(at)? {
                Some(repetition) => self.quantifier(&repetition, at)?,
                None => self.literal(b'{'),
            },
            _ if self.flags.extended && is_ignorable(byte) => self.ignore(byte),
            _ => self.literal(byte),
        }
        Ok(())
    }

    fn literal(&mut self, byte: u8) {
        let set = ByteSet::EMPTY.with(byte);
        if self.flags.case_insensitive && byte.is_ascii_alphabetic() {
            self.set(set.fold_case());
        } else {
            self.repeatable = true;
            push_byte(&mut self.output, byte);
        }
    }

    fn set(&mut self, set: ByteSet) {
        self.repeatable = true;
        if set.is_empty() {
            self.output.push_str(r"[^\x00-\xFF]");
            return;
        }
        self.output.push('[');
        for range in set.ranges() {
            push_byte(&mut self.output, *range.start());
            if range.start() != range.end() {
                self.output.push('-');
                push_byte(&mut self.output, *range.end());
            }
        }
        self.output.push(']');
    }

    /// PCRE allows no quantifier after a simple assertion.
    fn assertion(&mut self, text: &str) {
        self.output.push_str(text);
        self.repeatable = false;
    }

    /// In PCRE a line does not start after a newline that ends the subject. The linear engine cannot say so; `Pattern` takes care of it.
    fn line_start(&mut self) {
        self.assertion(if self.exact { r"(?:\A|(?m:^)(?!\z))" } else { "(?m:^)" });
    }

    fn end_or_final_newline(&mut self) {
        self.backtracking = true;
        self.assertion(r"(?=\x0A?\z)");
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
            Escape::Byte(byte) => self.literal(byte),
            Escape::Set(set) => self.set(set),
            Escape::Assertion(b'b') => self.assertion(r"\b"),
            Escape::Assertion(b'B') => self.assertion(r"\B"),
            Escape::Assertion(b'A') => self.assertion(r"\A"),
            Escape::Assertion(b'z') => self.assertion(r"\z"),
            Escape::Assertion(b'Z') => self.end_or_final_newline(),
            Escape::Assertion(_) => {
                self.backtracking = true;
                self.assertion(r"\G");
            }
            Escape::MatchStart => {
                self.backtracking = true;
                self.assertion(r"\K");
            }
            Escape::LineEnding => {
                self.backtracking = true;
                self.repeatable = true;
                self.output.push_str(r"(?>\x0D\x0A|[\x0A-\x0D\x85])");
            }
            Escape::BackReference(reference) => self.back_reference(reference, at)?,
            Escape::QuoteStart => {
                while !self.scanner.take(b"\\E") {
                    let Some(byte) = self.scanner.next() else { break };
                    self.literal(byte);
                }
            }
            Escape::QuoteEnd => {}
        }
        Ok(())
    }

    fn back_reference(&mut self, reference: Reference<'_>, at: usize) -> Result<(), PatternError> {
        let number = self.group_number(reference, at)?;
        self.backtracking = true;
        self.repeatable = true;
        let flags = if self.flags.case_insensitive { "i" } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(self.output, r"(?{flags}:\{number})");
        Ok(())
    }

    fn group_number(&mut self, reference: Reference<'_>, at: usize) -> Result<usize, PatternError> {
        let number = match reference {
            Reference::Number(number) => Some(number),
            Reference::Relative(back) => (self.groups + 1).checked_sub(back),
            Reference::Name(wanted) => self.names.iter().find(|(name, _)| *name == wanted).map(|&(_, number)| number),
        };
        let Some(number) = number.filter(|&number| number > 0) else {
            return Err(PatternError::new("there is no such group before this reference to it", at));
        };
        if number > self.furthest_reference.0 {
            self.furthest_reference = (number, at);
        }
        Ok(number)
    }

    /// The quantifier in braces whose `{` has been taken; `None` when the brace stands for itself.
    fn repetition(&mut self, at: usize) -> Result<Option<String>, PatternError> {
        let start = self.scanner.position();
        let digits = |byte: u8| byte.is_ascii_digit();
        let least = self.scanner.take_while(usize::MAX, digits);
        let most = self.scanner.take(b",").then(|| self.scanner.take_while(usize::MAX, digits));
        if least.is_empty() || !self.scanner.take(b"}") {
            self.scanner.rewind(start);
            return Ok(None);
        }
        let count = |digits: &[u8]| {
            let value = Scanner::new(digits).take_number().filter(|&count| count <= MAXIMUM_REPETITIONS);
            value.ok_or_else(|| PatternError::new("number too big in a `{}` quantifier", at))
        };
        let least = count(least)?;
        Ok(Some(match most {
            None => format!("{{{least}}}"),
            Some([]) => format!("{{{least},}}"),
            Some(most) => {
                let most = count(most)?;
                if most < least {
                    return Err(PatternError::new("numbers out of order in a `{}` quantifier", at));
                }
                format!("{{{least},{most}}}")
            }
        }))
    }

    fn quantifier(&mut self, quantifier: &str, at: usize) -> Result<(), PatternError> {
        if !std::mem::take(&mut self.repeatable) {
            return Err(PatternError::new("this quantifier does not follow a repeatable item", at));
        }
        self.output.push_str(quantifier);
        self.skip_ignorable();
        if self.scanner.take(b"+") {
            self.backtracking = true;
            self.output.push('+');
        } else if self.scanner.take(b"?") != self.flags.ungreedy {
            self.output.push('?');
        }
        Ok(())
    }

    fn open_group(&mut self, at: usize) -> Result<(), PatternError> {
        if self.scanner.take(b"*") {
            return Err(PatternError::new("verbs such as `(*COMMIT)` are not supported", at));
        }
        if !self.scanner.take(b"?") {
            let captures = !self.flags.no_auto_capture;
            self.groups += usize::from(captures);
            self.enter(if captures { "(" } else { "(?:" }, at);
            return Ok(());
        }
        let Some(kind) = self.scanner.next() else {
            return Err(PatternError::new("missing `)` after this `(`", at));
        };
        let next = self.scanner.peek();
        match (kind, next) {
            (b':', _) => self.enter("(?:", at),
            (b'>', _) => self.enter_backtracking("(?>", at),
            (b'=', _) => self.enter_look_around("(?=", at),
            (b'!', _) => self.enter_look_around("(?!", at),
            (b'<', Some(b'=')) => {
                self.scanner.skip(1);
                self.enter_look_around("(?<=", at);
            }
            (b'<', Some(b'!')) => {
                self.scanner.skip(1);
                self.enter_look_around("(?<!", at);
            }
            (b'<', _) => self.named_group(b'>', at)?,
            (b'\'', _) => self.named_group(b'\'', at)?,
            (b'P', Some(b'<')) => {
                self.scanner.skip(1);
                self.named_group(b'>', at)?;
            }
            (b'P', Some(b'=')) => {
                self.scanner.skip(1);
                let name = self.scanner.take_until(b')').unwrap_or_default();
                self.back_reference(Reference::Name(name), at)?;
            }
            (b'#', _) => {
                if self.scanner.take_until(b')').is_none() {
                    return Err(PatternError::new("missing `)` after `(?#`", at));
                }
            }
            (b'(', _) => self.conditional(at)?,
            (b'|' | b'R' | b'&' | b'P' | b'C' | b'+' | b'0'..=b'9', _) => {
                return Err(PatternError::new("recursion, callouts and branch resets are not supported", at));
            }
            (b'-', Some(b'0'..=b'9')) => {
                return Err(PatternError::new("recursion is not supported", at));
            }
            _ => self.inline_flags(kind, at)?,
        }
        Ok(())
    }

    fn enter(&mut self, opening: &str, at: usize) {
        self.open.push(OpenGroup { position: at, closing: ")", flags: self.flags });
        self.output.push_str(opening);
        self.repeatable = false;
    }

    fn enter_backtracking(&mut self, opening: &str, at: usize) {
        self.backtracking = true;
        self.enter(opening, at);
    }

    /// PCRE lets quantifiers follow look-around, the backtracking engine wants a group around it that is more than that.
    fn enter_look_around(&mut self, opening: &str, at: usize) {
        self.output.push_str("(?:");
        self.enter_backtracking(opening, at);
        if let Some(group) = self.open.last_mut() {
            group.closing = ")a{0})";
        }
    }

    fn named_group(&mut self, close: u8, at: usize) -> Result<(), PatternError> {
        let name = self.scanner.take_until(close).unwrap_or_default();
        let valid = name.first().is_some_and(|first| !first.is_ascii_digit())
            && name.iter().all(|&byte| byte == b'_' || byte.is_ascii_alphanumeric());
        if !valid {
            return Err(PatternError::new("a group's name is letters, digits and `_`, and starts with no digit", at));
        }
        self.groups += 1;
        self.names.push((name, self.groups));
        self.enter("(", at);
        Ok(())
    }

    /// `(?(1)yes|no)`, the condition being whether a group took part.
    fn conditional(&mut self, at: usize) -> Result<(), PatternError> {
        let condition = self.scanner.take_until(b')').unwrap_or_default();
        let unquoted = match condition {
            [b'<', name @ .., b'>'] | [b'\'', name @ .., b'\''] => name,
            _ => condition,
        };
        let reference = Scanner::new(unquoted).take_number().map_or(Reference::Name(unquoted), Reference::Number);
        let number = self.group_number(reference, at)?;
        self.enter_backtracking(&format!("(?({number})"), at);
        Ok(())
    }

    /// `(?i)` and `(?i:…)`; `first` is the byte after the question mark.
    fn inline_flags(&mut self, first: u8, at: usize) -> Result<(), PatternError> {
        let before = self.flags;
        let mut value = true;
        let mut letter = Some(first);
        loop {
            match letter {
                Some(b'i') => self.flags.case_insensitive = value,
                Some(b'm') => self.flags.multi_line = value,
                Some(b's') => self.flags.dot_all = value,
                Some(b'x') => self.flags.extended = value,
                Some(b'n') => self.flags.no_auto_capture = value,
                Some(b'U') => self.flags.ungreedy = value,
                // Duplicate names do no harm: groups go by number.
                Some(b'J') => {}
                Some(b'-') => value = false,
                Some(b'^') => {
                    self.flags = Flags {
                        case_insensitive: false,
                        multi_line: false,
                        dot_all: false,
                        extended: false,
                        no_auto_capture: false,
                        ..self.flags
                    };
                }
                Some(b')') => {
                    self.repeatable = false;
                    return Ok(());
                }
                Some(b':') => {
                    let inside = std::mem::replace(&mut self.flags, before);
                    self.enter("(?:", at);
                    self.flags = inside;
                    return Ok(());
                }
                _ => return Err(PatternError::new("unrecognised characters after `(?`", at)),
            }
            letter = self.scanner.next();
        }
    }

    fn close_group(&mut self, at: usize) -> Result<(), PatternError> {
        let Some(group) = self.open.pop() else {
            return Err(PatternError::new("this `)` closes no group", at));
        };
        if self.output.ends_with(':') {
            self.output.push_str(EMPTY);
        }
        self.output.push_str(group.closing);
        self.flags = group.flags;
        self.repeatable = true;
        Ok(())
    }
}

/// What `(?x)` skips: white space, and comments from their `#`.
const fn is_ignorable(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ' | b'#')
}

fn push_byte(output: &mut String, byte: u8) {
    if byte.is_ascii_alphanumeric() {
        output.push(char::from(byte));
    } else {
        // Writing to a String cannot fail.
        let _ = write!(output, "\\x{byte:02X}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(source: &str) -> String {
        translate(source.as_bytes(), false).unwrap().text
    }

    fn error_position(source: &str) -> usize {
        translate(source.as_bytes(), false).err().unwrap().position()
    }

    #[test]
    fn spellings_of_a_byte_come_out_alike() {
        for source in [r"\x2f", r"\x{2F}", r"\57", r"\o{57}", r"\/", "/", r"\Q/\E", "[/]"] {
            assert!(matches!(text(source).as_str(), r"\x2F" | r"[\x2F]"), "{source}");
        }
    }

    #[test]
    fn a_brace_that_is_no_quantifier_is_literal() {
        assert_eq!(text("{a{,3}"), r"\x7Ba\x7B\x2C3\x7D");
        assert_eq!(text("a{2,}"), "a{2,}");
    }

    #[test]
    fn flags_end_with_their_group() {
        assert_eq!(text("(?i:k)k(?:(?i)k|k)k"), "(?:[Kk])k(?:[Kk]|[Kk])k");
        assert_eq!(text("(?-s:.)(?x: a b # c\n)"), r"(?:[\x00-\x09\x0B-\xFF])(?:ab)");
    }

    #[test]
    fn negated_classes_fold_case_before_negation() {
        let folded = text("(?i)[^k]");
        assert!(!folded.contains('k') && folded.contains(r"J") && folded.contains(r"j"), "{folded}");
    }

    #[test]
    fn what_needs_backtracking_is_reported() {
        for source in ["a(?=b)", "(a)\\1", "a++", "(?>a)", "(?<n>a)(?P=n)", r"\Z", "(?-m)$", r"\R"] {
            assert!(translate(source.as_bytes(), false).unwrap().backtracking, "{source}");
        }
        assert!(!translate(b"^(a|b)+?c$", false).unwrap().backtracking);
    }

    #[test]
    fn errors_say_where() {
        assert_eq!(error_position("ab(c"), 2);
        assert_eq!(error_position("ab)c"), 2);
        assert_eq!(error_position("a|*"), 2);
        assert_eq!(error_position(r"abc\y"), 3);
        assert_eq!(error_position("a[bc"), 1);
        assert_eq!(error_position(r"(a)\2"), 3);
    }
}
