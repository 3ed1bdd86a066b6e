//! The names, addresses and comments that can run script. The lists are those of libinjection 3.9.2 (BSD 3-Clause, Nick Galbreath).

/// Length of the longest name of the lists, in bytes.
const LONGEST_NAME: usize = 13;

/// Condition under which an attribute is harmful.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attribute {
    /// Any value.
    Any,
    /// With a value that is an address that runs script.
    Address,
    /// With a value that is the name of a harmful attribute.
    Indirect,
}

/// Returns `true` if an element of this name is harmful.
pub(super) fn element(name: &[u8]) -> bool {
    let Some(head) = name.get(..3) else { return false };
    if head.eq_ignore_ascii_case(b"SVG") || head.eq_ignore_ascii_case(b"XSL") {
        return true;
    }
    matches!(
        Name::of(name).bytes(),
        b"APPLET"
            | b"BASE"
            | b"COMMENT"
            | b"EMBED"
            | b"FRAME"
            | b"FRAMESET"
            | b"HANDLER"
            | b"IFRAME"
            | b"IMPORT"
            | b"ISINDEX"
            | b"LINK"
            | b"LISTENER"
            | b"META"
            | b"NOSCRIPT"
            | b"OBJECT"
            | b"SCRIPT"
            | b"STYLE"
            | b"VMLFRAME"
            | b"XML"
            | b"XSS"
    )
}

/// Returns the condition under which an attribute of this name is harmful.
pub(super) fn attribute(name: &[u8]) -> Option<Attribute> {
    if name.len() < 2 {
        return None;
    }
    if let Some(head) = name.get(..5) {
        // There are too many event handlers, and too often new ones, to list them.
        let is_handler = head.get(..2).is_some_and(|head| head.eq_ignore_ascii_case(b"ON"));
        if is_handler || head.eq_ignore_ascii_case(b"XMLNS") || head.eq_ignore_ascii_case(b"XLINK") {
            return Some(Attribute::Any);
        }
    }
    match Name::of(name).bytes() {
        b"DATAFORMATAS" | b"DATASRC" | b"FILTER" | b"STYLE" => Some(Attribute::Any),
        b"ATTRIBUTENAME" => Some(Attribute::Indirect),
        b"ACTION" | b"BACKGROUND" | b"BY" | b"DYNSRC" | b"FOLDER" | b"FORMACTION" | b"FROM" | b"HANDLER" | b"HREF" | b"LOWSRC"
        | b"POSTER" | b"SRC" | b"TO" | b"VALUES" => Some(Attribute::Address),
        _ => None,
    }
}

/// Returns `true` if an address runs script.
pub(super) fn address(value: &[u8]) -> bool {
    let start = value.iter().position(|byte| matches!(byte, b'!'..=b'~')).unwrap_or(value.len());
    let address = value.get(start..).unwrap_or_default();
    let schemes: [&[u8]; 4] = [b"DATA", b"JAVA", b"VBSCRIPT", b"VIEW-SOURCE"];
    schemes.into_iter().any(|scheme| begins_with(address, scheme))
}

/// Returns `true` if browsers act on the comment.
pub(super) fn comment(text: &[u8]) -> bool {
    let begins = |name: &[u8]| text.len() > 3 && text.get(..3).is_some_and(|head| head.eq_ignore_ascii_case(name));
    let first = text.get(..6).map(Name::of);
    // Internet Explorer ends a tag at a backtick, and has conditional comments.
    memchr::memchr(b'`', text).is_some()
        || begins(b"[IF")
        || begins(b"XML")
        || first.is_some_and(|name| matches!(name.bytes(), b"IMPORT" | b"ENTITY"))
}

/// Returns `true` if an address, with its character references resolved, begins with a scheme given in upper case.
fn begins_with(address: &[u8], scheme: &[u8]) -> bool {
    let mut rest = address;
    let mut characters = std::iter::from_fn(|| {
        let (character, length) = character(rest)?;
        rest = rest.get(length..)?;
        Some(character)
    })
    // Browsers skip these before and within the scheme.
    .skip_while(|&character| character <= 32)
    .filter(|character| !matches!(character, 0 | 10));
    // Only the lowest byte of a character is compared.
    scheme.iter().all(|expected| characters.next().is_some_and(|character| *expected == upper_case(character).to_le_bytes()[0]))
}

fn upper_case(character: u32) -> u32 {
    if (u32::from(b'a')..=u32::from(b'z')).contains(&character) { character - 32 } else { character }
}

/// Returns the first character of a text, or of a numeric reference, and its length in bytes.
fn character(text: &[u8]) -> Option<(u32, usize)> {
    let byte = u32::from(*text.first()?);
    let (prefix, radix) = match text {
        [b'&', b'#', b'x' | b'X', ..] => (3, 16),
        [b'&', b'#', ..] => (2, 10),
        _ => return Some((byte, 1)),
    };
    let mut length = prefix;
    let mut number = 0;
    while let Some(digit) = text.get(length).and_then(|&byte| char::from(byte).to_digit(radix)) {
        number = number * radix + digit;
        length += 1;
        if number > LARGEST_REFERENCE {
            return Some((byte, 1));
        }
    }
    if length == prefix {
        return Some((byte, 1));
    }
    let ends = text.get(length) == Some(&b';');
    Some((number, length + usize::from(ends)))
}

/// References to higher numbers are not character references.
const LARGEST_REFERENCE: u32 = 0x10_00FF;

/// A name in upper case, without the NUL bytes that browsers skip.
struct Name {
    bytes: [u8; LONGEST_NAME],
    length: usize,
}

impl Name {
    fn of(text: &[u8]) -> Name {
        let mut name = Name { bytes: [0; LONGEST_NAME], length: 0 };
        for byte in text.iter().filter(|&&byte| byte != 0) {
            let Some(place) = name.bytes.get_mut(name.length) else { return Name { length: 0, ..name } };
            *place = byte.to_ascii_uppercase();
            name.length += 1;
        }
        name
    }

    /// Returns the name; empty if it is longer than any that is listed.
    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}
