//! Reads constructs that begin with `(`: groups, look-around, conditions, calls, verbs and options.

use super::code_set::Mode;
use super::error::PatternError;
use super::escape::{Reference, Scanner, is_name};
use super::frame::{Flags, Frame, Kind};
use super::newline::Newline;
use super::parser::Parser;
use super::tree::{Condition, EmptyMatches, Look, Node, Verb};

/// Look-around by alphabetic names.
const NAMED_LOOKS: [(&[u8], Look); 12] = {
    const AHEAD: Look = Look { behind: false, negative: false, atomic: true, position: 0 };
    const NOT_AHEAD: Look = Look { negative: true, ..AHEAD };
    const BEHIND: Look = Look { behind: true, ..AHEAD };
    const NOT_BEHIND: Look = Look { negative: true, ..BEHIND };
    const FREE_AHEAD: Look = Look { atomic: false, ..AHEAD };
    const FREE_BEHIND: Look = Look { atomic: false, ..BEHIND };
    [
        (b"pla", AHEAD),
        (b"positive_lookahead", AHEAD),
        (b"nla", NOT_AHEAD),
        (b"negative_lookahead", NOT_AHEAD),
        (b"plb", BEHIND),
        (b"positive_lookbehind", BEHIND),
        (b"nlb", NOT_BEHIND),
        (b"negative_lookbehind", NOT_BEHIND),
        (b"napla", FREE_AHEAD),
        (b"non_atomic_positive_lookahead", FREE_AHEAD),
        (b"naplb", FREE_BEHIND),
        (b"non_atomic_positive_lookbehind", FREE_BEHIND),
    ]
};

/// The version for `(?(VERSION>=…)`.
const VERSION: (usize, usize) = (10, 42);

impl<'p> Parser<'p> {
    /// Reads the options before a pattern, such as `(*UTF)`.
    pub(super) fn options(&mut self) -> Result<(), PatternError> {
        while self.scanner.rest().starts_with(b"(*") {
            let start = self.scanner.position();
            self.scanner.skip(2);
            let name = self.scanner.take_until(b')').unwrap_or_default();
            if !self.option(name) {
                self.scanner.rewind(start);
                break;
            }
        }
        if self.scanner.mode.utf && std::str::from_utf8(self.scanner.rest()).is_err() {
            return Err(PatternError::new("the pattern is not UTF-8", self.scanner.position()));
        }
        Ok(())
    }

    fn option(&mut self, name: &[u8]) -> bool {
        let Mode { utf, ucp } = self.scanner.mode;
        match name {
            b"UTF" | b"UTF8" => self.scanner.mode = Mode { utf: true, ucp },
            b"UCP" => self.scanner.mode = Mode { utf, ucp: true },
            b"CR" => self.newline = Newline::Cr,
            b"LF" => self.newline = Newline::Lf,
            b"CRLF" => self.newline = Newline::CrLf,
            b"ANYCRLF" => self.newline = Newline::AnyCrLf,
            b"ANY" => self.newline = Newline::Any,
            b"NUL" => self.newline = Newline::Nul,
            b"BSR_ANYCRLF" => self.short_line_endings = true,
            b"BSR_UNICODE" => self.short_line_endings = false,
            b"NOTEMPTY" => self.empty_matches = EmptyMatches::None,
            b"NOTEMPTY_ATSTART" => self.empty_matches = EmptyMatches::NotAtStart,
            b"NO_START_OPT" => self.tries_everywhere = true,
            b"NO_AUTO_POSSESS" | b"NO_DOTSTAR_ANCHOR" | b"NO_JIT" => {}
            _ => {
                let Some(position) = memchr::memchr(b'=', name) else { return false };
                let (name, value) = name.split_at(position);
                let mut value = Scanner::new(value.get(1..).unwrap_or_default());
                let (Some(limit), None) = (value.take_number(), value.peek()) else { return false };
                match name {
                    b"LIMIT_MATCH" => self.step_limit = Some(self.step_limit.map_or(limit, |other| other.min(limit))),
                    b"LIMIT_DEPTH" | b"LIMIT_HEAP" | b"LIMIT_RECURSION" => {}
                    _ => return false,
                }
            }
        }
        true
    }

    pub(super) fn open_group(&mut self, at: usize) -> Result<(), PatternError> {
        if self.scanner.take(b"*") {
            return self.verb_or_named_group(at);
        }
        if !self.scanner.take(b"?") {
            let kind = if self.flags.no_auto_capture { Kind::Plain } else { self.next_capture() };
            return self.enter_kind(kind, at);
        }
        let Some(mark) = self.scanner.next() else {
            return Err(PatternError::new("missing `)` after this `(`", at));
        };
        if let Some(look) = self.look(mark, at) {
            return self.enter_kind(Kind::Look(look), at);
        }
        match (mark, self.scanner.peek()) {
            (b':', _) => self.enter_kind(Kind::Plain, at),
            (b'>', _) => self.enter_kind(Kind::Atomic, at),
            (b'|', _) => {
                let mut frame = Frame::new(Kind::Plain, at, self.flags);
                frame.reset = Some((self.groups, self.groups));
                self.enter(frame)
            }
            (b'<', _) => self.named_group(b'>', at),
            (b'\'', _) => self.named_group(b'\'', at),
            (b'P', Some(b'<')) => {
                self.scanner.skip(1);
                self.named_group(b'>', at)
            }
            (b'P', Some(b'=')) => {
                self.scanner.skip(1);
                let name = self.until_close(at)?;
                self.back_reference(Reference::Name(name), at)
            }
            (b'P', Some(b'>')) => {
                self.scanner.skip(1);
                let name = self.until_close(at)?;
                self.call(Reference::Name(name), at)
            }
            (b'&', _) => {
                let name = self.until_close(at)?;
                self.call(Reference::Name(name), at)
            }
            (b'R', Some(b')')) => {
                self.scanner.skip(1);
                self.call(Reference::Number(0), at)
            }
            (b'0'..=b'9', _) | (b'+' | b'-', Some(b'0'..=b'9')) => {
                self.scanner.rewind(self.scanner.position().saturating_sub(1));
                let text = self.until_close(at)?;
                let reference = Reference::read(text).ok_or_else(|| PatternError::new("this names no group", at))?;
                self.call(reference, at)
            }
            (b'#', _) => match self.scanner.take_until(b')') {
                Some(_) => Ok(()),
                None => Err(PatternError::new("missing `)` after `(?#`", at)),
            },
            (b'C', _) => self.callout(at),
            (b'(', _) => self.conditional(at),
            _ => self.inline_flags(mark, at),
        }
    }

    fn look(&mut self, mark: u8, position: usize) -> Option<Look> {
        let look = |behind: bool, negative: bool, atomic: bool| Some(Look { behind, negative, atomic, position });
        match mark {
            b'=' => look(false, false, true),
            b'!' => look(false, true, true),
            b'*' => look(false, false, false),
            b'<' if self.scanner.take(b"=") => look(true, false, true),
            b'<' if self.scanner.take(b"!") => look(true, true, true),
            b'<' if self.scanner.take(b"*") => look(true, false, false),
            _ => None,
        }
    }

    fn next_capture(&mut self) -> Kind {
        self.groups = self.groups.saturating_add(1);
        Kind::Capture(self.groups)
    }

    fn enter_kind(&mut self, kind: Kind, at: usize) -> Result<(), PatternError> {
        let flags = self.flags;
        self.enter(Frame::new(kind, at, flags))
    }

    fn until_close(&mut self, at: usize) -> Result<&'p [u8], PatternError> {
        let inside = self.scanner.take_until(b')').filter(|inside| !inside.is_empty());
        inside.ok_or_else(|| PatternError::new("missing `)` after this `(`", at))
    }

    fn named_group(&mut self, close: u8, at: usize) -> Result<(), PatternError> {
        let name = self.scanner.take_until(close).unwrap_or_default();
        if !is_name(name) {
            return Err(PatternError::new("a group's name is letters, digits and `_`, and starts with no digit", at));
        }
        let kind = self.next_capture();
        let taken = self.names.iter().any(|(other, number)| *other == name && *number != self.groups);
        if taken && !self.flags.duplicate_names {
            return Err(PatternError::new("two groups have this name: `(?J)` in front of the pattern allows it", at));
        }
        self.names.push((name, self.groups));
        self.enter_kind(kind, at)
    }

    /// Skips a callout: no host uses them.
    fn callout(&mut self, at: usize) -> Result<(), PatternError> {
        let wrong = || PatternError::new("this callout has no `)` or no number", at);
        match self.scanner.peek() {
            Some(mark @ (b'`' | b'\'' | b'"' | b'^' | b'%' | b'#' | b'$' | b'{')) => {
                let close = if mark == b'{' { b'}' } else { mark };
                self.scanner.skip(1);
                loop {
                    self.scanner.take_until(close).ok_or_else(wrong)?;
                    // A doubled delimiter is a literal.
                    if !self.scanner.take(&[close]) {
                        break;
                    }
                }
            }
            _ => {
                self.scanner.take_while(3, |byte| byte.is_ascii_digit());
            }
        }
        if self.scanner.take(b")") { Ok(()) } else { Err(wrong()) }
    }

    /// Reads `(?(condition)yes|no)` after its second parenthesis.
    fn conditional(&mut self, at: usize) -> Result<(), PatternError> {
        if self.scanner.take(b"?C") {
            self.callout(at)?;
            return if self.scanner.take(b"(") { self.conditional(at) } else { Err(PatternError::new("a condition is expected", at)) };
        }
        if matches!(self.scanner.peek(), Some(b'?' | b'*')) {
            self.enter_kind(Kind::Conditional(None), at)?;
            let inner = self.scanner.position().saturating_sub(1);
            self.open_group(inner)?;
            return match self.open.last() {
                Some(Frame { kind: Kind::Look(_), position, .. }) if *position == inner => Ok(()),
                _ => Err(PatternError::new("look-around is expected after `(?(`", at)),
            };
        }
        let text = self.until_close(at)?;
        let condition = self.condition(text, at)?;
        self.enter_kind(Kind::Conditional(Some(condition)), at)
    }

    fn condition(&mut self, text: &'p [u8], at: usize) -> Result<Condition, PatternError> {
        let is_group = |name: &[u8]| self.names.iter().any(|(other, _)| *other == name);
        match text {
            [b'<', name @ .., b'>'] | [b'\'', name @ .., b'\''] if is_name(name) => {
                return self.target(Reference::Name(name), at).map(Condition::Group);
            }
            b"DEFINE" => return Ok(Condition::Define),
            b"R" if !is_group(text) => return Ok(Condition::Recursion(None)),
            [b'R', b'&', name @ ..] if is_name(name) => {
                return self.target(Reference::Name(name), at).map(|target| Condition::Recursion(Some(target)));
            }
            [b'R', digits @ ..] if !is_group(text) && digits.iter().all(u8::is_ascii_digit) => {
                let number = Scanner::new(digits).take_number().ok_or_else(|| PatternError::new("this names no group", at))?;
                return self.target(Reference::Number(number), at).map(|target| Condition::Recursion(Some(target)));
            }
            _ => {}
        }
        if let Some(version) = text.strip_prefix(b"VERSION") {
            return version_holds(version).map(Condition::Known).ok_or_else(|| PatternError::new("this is not a version", at));
        }
        let reference = Reference::read(text).ok_or_else(|| PatternError::new("this is not a condition", at))?;
        self.target(reference, at).map(Condition::Group)
    }

    /// Reads `(?i)` or `(?i:…)`; `first` is the byte after the question mark.
    fn inline_flags(&mut self, first: u8, at: usize) -> Result<(), PatternError> {
        let before = self.flags;
        let mut value = true;
        let mut letter = Some(first);
        loop {
            match letter {
                Some(b'i') => self.flags.case_insensitive = value,
                Some(b'm') => self.flags.multi_line = value,
                Some(b's') => self.flags.dot_all = value,
                Some(b'x') => {
                    self.flags.extended_more = value && self.scanner.take(b"x");
                    self.flags.extended = value;
                }
                Some(b'n') => self.flags.no_auto_capture = value,
                Some(b'U') => self.flags.ungreedy = value,
                Some(b'J') => self.flags.duplicate_names = value,
                Some(b'-') if value => value = false,
                Some(b'^') if self.scanner.position() == at.saturating_add(3) => {
                    self.flags = Flags {
                        case_insensitive: false,
                        multi_line: false,
                        dot_all: false,
                        extended: false,
                        extended_more: false,
                        no_auto_capture: false,
                        ..self.flags
                    };
                }
                Some(b')') => {
                    self.repeatable = false;
                    return Ok(());
                }
                Some(b':') => {
                    self.enter(Frame::new(Kind::Plain, at, before))?;
                    return Ok(());
                }
                _ => return Err(PatternError::new("unrecognised characters after `(?`", at)),
            }
            letter = self.scanner.next();
        }
    }

    pub(super) fn next_alternative(&mut self) {
        if let Some(frame) = self.open.last_mut() {
            frame.end_alternative();
            if let Some((first, max)) = &mut frame.reset {
                *max = self.groups.max(*max);
                self.groups = *first;
            }
        }
        self.repeatable = false;
    }

    pub(super) fn close_group(&mut self, at: usize) -> Result<(), PatternError> {
        if self.open.len() < 2 {
            return Err(PatternError::new("this `)` closes no group", at));
        }
        let Some(frame) = self.open.pop() else { return Ok(()) };
        self.flags = frame.flags;
        if let Some((_, max)) = frame.reset {
            self.groups = self.groups.max(max);
        }
        let most_branches = match frame.kind {
            Kind::Conditional(Some(Condition::Define)) => 0,
            Kind::Conditional(_) => 1,
            _ => usize::MAX,
        };
        if frame.alternatives.len() > most_branches {
            return Err(PatternError::new("a condition has too many branches", frame.position));
        }
        let node = frame.into_node();
        if let Some(Frame { kind: Kind::Conditional(condition @ None), .. }) = self.open.last_mut() {
            *condition = Some(Condition::Look(Box::new(node)));
            self.repeatable = false;
            return Ok(());
        }
        self.item(node);
        Ok(())
    }

    /// Reads a construct that begins with `(*`: a verb, or a group by its name.
    fn verb_or_named_group(&mut self, at: usize) -> Result<(), PatternError> {
        let name = self.scanner.take_while(usize::MAX, |byte| byte == b'_' || byte.is_ascii_alphabetic());
        if self.scanner.take(b":") {
            if let Some((_, look)) = NAMED_LOOKS.iter().find(|(named, _)| *named == name) {
                return self.enter_kind(Kind::Look(Look { position: at, ..*look }), at);
            }
            match name {
                b"atomic" => return self.enter_kind(Kind::Atomic, at),
                // Bytes have no script, so script runs check nothing.
                b"sr" | b"script_run" if !self.mode().utf => return self.enter_kind(Kind::Plain, at),
                b"asr" | b"atomic_script_run" if !self.mode().utf => return self.enter_kind(Kind::Atomic, at),
                b"sr" | b"script_run" | b"asr" | b"atomic_script_run" => {
                    return Err(PatternError::new("runs of one script are not supported", at));
                }
                _ => {}
            }
            let mark = self.scanner.take_until(b')').ok_or_else(|| PatternError::new("missing `)` after this `(`", at))?;
            return self.verb(name, Some(mark), at);
        }
        if !self.scanner.take(b")") {
            return Err(PatternError::new("this verb is not known or not closed", at));
        }
        self.verb(name, None, at)
    }

    fn verb(&mut self, name: &[u8], mark: Option<&[u8]>, at: usize) -> Result<(), PatternError> {
        let verb = match (name, mark) {
            (b"ACCEPT", _) => Verb::Accept,
            (b"FAIL" | b"F", _) => Verb::Fail,
            (b"COMMIT", _) => Verb::Commit,
            (b"PRUNE", _) => Verb::Prune,
            (b"THEN", _) => Verb::Then,
            (b"SKIP", name) => Verb::Skip(name.filter(|name| !name.is_empty()).map(Box::from)),
            (b"MARK" | b"", Some(name)) if !name.is_empty() => Verb::Mark(name.into()),
            _ => return Err(PatternError::new("this verb is not known, or lacks its name", at)),
        };
        // The names of these verbs are marks as well.
        if let (Verb::Accept | Verb::Fail | Verb::Commit | Verb::Prune | Verb::Then, Some(name)) = (&verb, mark) {
            self.assertion(Node::Verb(Verb::Mark(name.into())));
        }
        let accepts = verb == Verb::Accept;
        self.assertion(Node::Verb(verb));
        self.repeatable = accepts;
        Ok(())
    }
}

/// Compares the version with `>=10.4` or `=10.42`.
fn version_holds(text: &[u8]) -> Option<bool> {
    let (at_least, version) = match text {
        [b'>', b'=', version @ ..] => (true, version),
        [b'=', version @ ..] => (false, version),
        _ => return None,
    };
    let mut parts = version.splitn(2, |byte| *byte == b'.');
    let number = |digits: &[u8]| Scanner::new(digits).take_number();
    let major = number(parts.next()?)?;
    let minor = match parts.next() {
        // `10.4` is 10.40.
        Some([digit]) => number(&[*digit, b'0'])?,
        Some(digits) => number(digits)?,
        None => 0,
    };
    Some(if at_least { VERSION >= (major, minor) } else { VERSION == (major, minor) })
}
