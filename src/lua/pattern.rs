//! Lua patterns, matched in counted steps. Lua's own `string.find` may take exponential time on a hostile text, outside of every limit.

use super::budget::{Budget, Excess};

/// Maximum number of captures of a pattern.
const MAX_CAPTURES: usize = 32;

/// Maximum nesting of the matcher.
const MAX_DEPTH: usize = 200;

/// Number of steps that are charged together.
const STRIDE: u64 = 1024;

/// Reason why a match failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The pattern is malformed, in Lua's words.
    Malformed(&'static str),
    /// The call used up its budget.
    Over(Excess),
}

/// A capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capture {
    /// Bytes of the subject: start and end.
    Range(usize, usize),
    /// `()`: an offset, from 0.
    Position(usize),
}

/// A match: start, end and captures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Its start.
    pub start: usize,
    /// Its end.
    pub end: usize,
    /// Its captures, in order.
    pub captures: Vec<Capture>,
}

/// Returns `true` if a pattern is a literal text.
pub fn is_plain(pattern: &[u8]) -> bool {
    !pattern.iter().any(|byte| b"^$*+?.([%-".contains(byte))
}

/// Finds the first match at or after `from`. With `anchors`, a `^` at the start of the pattern anchors the match there.
pub fn find(subject: &[u8], pattern: &[u8], from: usize, anchors: bool, budget: &Budget) -> Result<Option<Match>, Fault> {
    let (pattern, anchored) = match pattern.split_first() {
        Some((b'^', rest)) if anchors => (rest, true),
        _ => (pattern, false),
    };
    let mut matcher = Matcher { subject, pattern, open: Vec::new(), depth: 0, steps: 0, budget };
    let mut start = from;
    let found = loop {
        matcher.open.clear();
        if let Some(end) = matcher.matches(start, 0)? {
            break Some((start, end));
        }
        start += 1;
        if anchored || start > subject.len() {
            break None;
        }
    };
    budget.spend(matcher.steps).map_err(Fault::Over)?;
    let Some((start, end)) = found else { return Ok(None) };
    let captures = matcher.open.iter().map(|capture| match capture.length {
        Length::Open => Err(Fault::Malformed("unfinished capture")),
        Length::Position => Ok(Capture::Position(capture.start)),
        Length::Known(length) => Ok(Capture::Range(capture.start, capture.start + length)),
    });
    Ok(Some(Match { start, end, captures: captures.collect::<Result<_, _>>()? }))
}

struct Matcher<'a> {
    subject: &'a [u8],
    pattern: &'a [u8],
    open: Vec<Begun>,
    depth: usize,
    steps: u64,
    budget: &'a Budget,
}

/// An open or closed capture.
#[derive(Clone, Copy)]
struct Begun {
    start: usize,
    length: Length,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    Open,
    Position,
    Known(usize),
}

type Matched = Result<Option<usize>, Fault>;

impl Matcher<'_> {
    /// Matches the pattern from `at` on at `place`; returns the end of the match.
    fn matches(&mut self, place: usize, at: usize) -> Matched {
        if self.depth >= MAX_DEPTH {
            return Err(Fault::Malformed("pattern too complex"));
        }
        self.depth += 1;
        let matched = self.items(place, at);
        self.depth -= 1;
        matched
    }

    fn items(&mut self, mut place: usize, mut at: usize) -> Matched {
        loop {
            self.step()?;
            let Some(byte) = self.pattern.get(at).copied() else { return Ok(Some(place)) };
            let next = self.pattern.get(at + 1).copied();
            match (byte, next) {
                (b'(', Some(b')')) => return self.begin(place, at + 2, Length::Position),
                (b'(', _) => return self.begin(place, at + 1, Length::Open),
                (b')', _) => return self.finish(place, at + 1),
                (b'$', None) => return Ok((place == self.subject.len()).then_some(place)),
                (b'%', Some(b'b')) => match self.balanced(place, at + 2)? {
                    Some(end) => (place, at) = (end, at + 4),
                    None => return Ok(None),
                },
                (b'%', Some(b'f')) => {
                    let set = at + 2;
                    if self.pattern.get(set) != Some(&b'[') {
                        return Err(Fault::Malformed("missing '[' after '%f' in pattern"));
                    }
                    let end = self.class_end(set)?;
                    let before = place.checked_sub(1).and_then(|before| self.subject.get(before)).copied().unwrap_or(0);
                    let here = self.subject.get(place).copied().unwrap_or(0);
                    if self.in_set(before, set, end) || !self.in_set(here, set, end) {
                        return Ok(None);
                    }
                    at = end;
                }
                (b'%', Some(digit @ b'0'..=b'9')) => match self.captured_again(place, digit)? {
                    Some(end) => (place, at) = (end, at + 2),
                    None => return Ok(None),
                },
                _ => {
                    let end = self.class_end(at)?;
                    match self.pattern.get(end) {
                        Some(b'?') => {
                            if self.is_single(place, at, end)
                                && let Some(found) = self.matches(place + 1, end + 1)?
                            {
                                return Ok(Some(found));
                            }
                            at = end + 1;
                        }
                        Some(b'*') => return self.longest(place, place, at, end),
                        Some(b'+') if self.is_single(place, at, end) => return self.longest(place, place + 1, at, end),
                        Some(b'-') => return self.shortest(place, at, end),
                        Some(b'+') => return Ok(None),
                        _ if !self.is_single(place, at, end) => return Ok(None),
                        _ => (place, at) = (place + 1, end),
                    }
                }
            }
        }
    }

    fn step(&mut self) -> Result<(), Fault> {
        self.steps += 1;
        if self.steps < STRIDE {
            return Ok(());
        }
        self.budget.spend(std::mem::take(&mut self.steps)).map_err(Fault::Over)
    }

    /// Tries the maximum number of repetitions first, down to `min`.
    fn longest(&mut self, place: usize, min: usize, at: usize, end: usize) -> Matched {
        let mut reach = place;
        while self.is_single(reach, at, end) {
            self.step()?;
            reach += 1;
        }
        while reach >= min {
            if let Some(found) = self.matches(reach, end + 1)? {
                return Ok(Some(found));
            }
            let Some(shorter) = reach.checked_sub(1) else { break };
            reach = shorter;
        }
        Ok(None)
    }

    /// Tries the minimum number of repetitions first.
    fn shortest(&mut self, place: usize, at: usize, end: usize) -> Matched {
        let mut reach = place;
        loop {
            if let Some(found) = self.matches(reach, end + 1)? {
                return Ok(Some(found));
            }
            if !self.is_single(reach, at, end) {
                return Ok(None);
            }
            reach += 1;
        }
    }

    fn begin(&mut self, place: usize, at: usize, length: Length) -> Matched {
        if self.open.len() >= MAX_CAPTURES {
            return Err(Fault::Malformed("too many captures"));
        }
        self.open.push(Begun { start: place, length });
        let matched = self.matches(place, at)?;
        if matched.is_none() {
            self.open.pop();
        }
        Ok(matched)
    }

    fn finish(&mut self, place: usize, at: usize) -> Matched {
        let Some(last) = self.open.iter().rposition(|capture| capture.length == Length::Open) else {
            return Err(Fault::Malformed("invalid pattern capture"));
        };
        self.set_length(last, |start| Length::Known(place - start));
        let matched = self.matches(place, at)?;
        if matched.is_none() {
            self.set_length(last, |_| Length::Open);
        }
        Ok(matched)
    }

    fn set_length(&mut self, capture: usize, length: impl FnOnce(usize) -> Length) {
        if let Some(capture) = self.open.get_mut(capture) {
            capture.length = length(capture.start);
        }
    }

    /// `%1`: matches the text of a capture again.
    fn captured_again(&mut self, place: usize, digit: u8) -> Matched {
        let capture = digit.checked_sub(b'1').and_then(|index| self.open.get(usize::from(index)));
        let Some(Begun { start, length: Length::Known(length) }) = capture.copied() else {
            return Err(Fault::Malformed("invalid capture index"));
        };
        self.steps += length as u64;
        let held = self.subject.get(start..start + length).unwrap_or_default();
        let again = self.subject.get(place..).is_some_and(|rest| rest.starts_with(held));
        Ok(again.then_some(place + length))
    }

    /// `%bxy`: matches a balanced text, such as one in brackets.
    fn balanced(&mut self, place: usize, at: usize) -> Matched {
        let (Some(opening), Some(closing)) = (self.pattern.get(at).copied(), self.pattern.get(at + 1).copied()) else {
            return Err(Fault::Malformed("unbalanced pattern"));
        };
        if self.subject.get(place) != Some(&opening) {
            return Ok(None);
        }
        let mut depth = 1_usize;
        let mut reach = place;
        loop {
            self.step()?;
            reach += 1;
            match self.subject.get(reach) {
                None => return Ok(None),
                Some(byte) if *byte == closing => {
                    depth -= 1;
                    if depth == 0 {
                        return Ok(Some(reach + 1));
                    }
                }
                Some(byte) if *byte == opening => depth += 1,
                Some(_) => {}
            }
        }
    }

    /// Returns the end of the single-character class at an offset of the pattern.
    fn class_end(&self, at: usize) -> Result<usize, Fault> {
        match self.pattern.get(at) {
            Some(b'%') if self.pattern.get(at + 1).is_none() => Err(Fault::Malformed("malformed pattern (ends with '%')")),
            Some(b'%') => Ok(at + 2),
            Some(b'[') => {
                let mut end = at + 1;
                if self.pattern.get(end) == Some(&b'^') {
                    end += 1;
                }
                // The first character is always a member of the set.
                loop {
                    end += match self.pattern.get(end) {
                        None => return Err(Fault::Malformed("malformed pattern (missing ']')")),
                        Some(b'%') => 2,
                        Some(_) => 1,
                    };
                    if self.pattern.get(end) == Some(&b']') {
                        return Ok(end + 1);
                    }
                }
            }
            _ => Ok(at + 1),
        }
    }

    fn is_single(&self, place: usize, at: usize, end: usize) -> bool {
        let Some(byte) = self.subject.get(place).copied() else { return false };
        match self.pattern.get(at) {
            Some(b'.') => true,
            Some(b'%') => self.pattern.get(at + 1).is_some_and(|class| in_class(byte, *class)),
            Some(b'[') => self.in_set(byte, at, end),
            Some(wanted) => *wanted == byte,
            None => false,
        }
    }

    /// Returns `true` if a byte is in the set from `at`, the opening bracket, to `end`, after the closing one.
    fn in_set(&self, byte: u8, at: usize, end: usize) -> bool {
        let mut set = self.pattern.get(at + 1..end.saturating_sub(1)).unwrap_or_default();
        let negated = set.first() == Some(&b'^');
        if negated {
            set = set.get(1..).unwrap_or_default();
        }
        loop {
            let (found, rest) = match set {
                [] => return negated,
                [b'%', class, rest @ ..] => (in_class(byte, *class), rest),
                [first, b'-', last, rest @ ..] => ((*first..=*last).contains(&byte), rest),
                [one, rest @ ..] => (*one == byte, rest),
            };
            if found {
                return !negated;
            }
            set = rest;
        }
    }
}

/// Returns `true` if a byte is in a class such as `%a`. A capital letter negates the class; any other character is a literal.
fn in_class(byte: u8, class: u8) -> bool {
    let inside = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'g' => byte.is_ascii_graphic(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => matches!(byte, b' ' | b'\t'..=b'\r'),
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'z' => byte == 0,
        _ => return class == byte,
    };
    inside != class.is_ascii_uppercase()
}
