//! The structure that most transformations share: scan for something to change, copy the bytes before it, decode it.

/// Result of a family's function for [`Transformation::apply`](super::Transformation::apply).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing to change was found, and nothing was written.
    Unchanged,
    /// The output has the result. It may still equal the input, if nothing that was found was an escape.
    Written,
}

/// Copies `input` to `output`, except where `find` points: from there on `decode` writes something and returns the rest.
///
/// `decode` must return less than it was given; the two helpers below do.
pub(super) fn rewrite<'a>(
    input: &'a [u8],
    output: &mut Vec<u8>,
    find: impl Fn(&[u8]) -> Option<usize>,
    mut decode: impl FnMut(&'a [u8], &mut Vec<u8>) -> &'a [u8],
) -> Step {
    let mut found = find(input);
    if found.is_none() {
        return Step::Unchanged;
    }
    output.reserve(input.len());
    let mut rest = input;
    while let Some((plain, escape)) = found.and_then(|at| rest.split_at_checked(at)) {
        output.extend_from_slice(plain);
        rest = decode(escape, output);
        found = find(rest);
    }
    output.extend_from_slice(rest);
    Step::Written
}

/// Escapes that a transformation decodes one by one, from left to right.
pub(super) trait Escapes {
    /// The number of bytes after which it is certain that something is an escape, or is none. Digits may follow without end.
    const CERTAIN: usize;

    /// Returns the offset of the first byte that may begin an escape.
    fn find(&self, text: &[u8]) -> Option<usize>;

    /// Decodes an escape, and returns less than it was given, as for [`rewrite`].
    fn decode<'a>(&self, escape: &'a [u8], output: &mut Vec<u8>) -> &'a [u8];
}

/// Decodes all escapes of a value.
pub(super) fn decode(escapes: &impl Escapes, input: &[u8], output: &mut Vec<u8>) -> Step {
    rewrite(input, output, |text| escapes.find(text), |escape, output| escapes.decode(escape, output))
}

/// Decodes the beginning of a value that goes on after `input`, and returns its length: an escape that the next bytes may change stays.
pub(super) fn decode_beginning<E: Escapes>(escapes: &E, input: &[u8], output: &mut Vec<u8>) -> usize {
    let mut rest = input;
    while let Some((plain, escape)) = escapes.find(rest).and_then(|at| rest.split_at_checked(at)) {
        output.extend_from_slice(plain);
        let before = output.len();
        rest = escapes.decode(escape, output);
        if escape.len() < E::CERTAIN || rest.is_empty() {
            output.truncate(before);
            return input.len().saturating_sub(escape.len());
        }
    }
    output.extend_from_slice(rest);
    input.len()
}

/// Writes the byte of an escape; `rest` is the text after the escape.
pub(super) fn replace_by<'a>(byte: u8, rest: &'a [u8], output: &mut Vec<u8>) -> &'a [u8] {
    output.push(byte);
    rest
}

/// Keeps the first byte of text that looked like an escape and is not.
pub(super) fn keep_first<'a>(text: &'a [u8], output: &mut Vec<u8>) -> &'a [u8] {
    match text {
        [first, rest @ ..] => replace_by(*first, rest, output),
        [] => text,
    }
}

/// Returns the offset of the first byte of a class.
///
/// Tests a block of bytes without branches before it locates the byte: the compiler turns that into vector code, as the block's length is constant.
pub(super) fn position_of(input: &[u8], class: impl Fn(u8) -> bool) -> Option<usize> {
    const BLOCK: usize = 32;
    let has = |block: &[u8; BLOCK]| block.iter().fold(false, |any, &byte| any | class(byte));
    let mut skipped = 0;
    while let Some(block) = input.get(skipped..)?.first_chunk() {
        if has(block) {
            break;
        }
        skipped += BLOCK;
    }
    let within = input.get(skipped..)?.iter().position(|&byte| class(byte))?;
    Some(skipped + within)
}

/// The bytes of a class, as a table: for short texts between them, a look-up for each byte takes less than [`position_of`].
pub(super) struct ByteTable([bool; 256]);

impl ByteTable {
    pub(super) fn new(class: impl Fn(u8) -> bool) -> Self {
        Self(std::array::from_fn(|byte| class(byte as u8)))
    }

    #[inline]
    pub(super) fn contains(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte)) == Some(&true)
    }

    /// Splits a text before its first byte of the class.
    #[inline]
    pub(super) fn split<'t>(&self, text: &'t [u8]) -> (&'t [u8], &'t [u8]) {
        let place = text.iter().position(|&byte| self.contains(byte));
        place.and_then(|place| text.split_at_checked(place)).unwrap_or((text, &[]))
    }
}

/// Copies `input` without the bytes of a class, the first of which is at `first`.
pub(super) fn remove(input: &[u8], first: usize, output: &mut Vec<u8>, class: impl Fn(u8) -> bool) -> Step {
    let Some((kept, rest)) = input.split_at_checked(first) else { return Step::Unchanged };
    output.extend_from_slice(kept);
    output.resize(input.len(), 0);
    // Every byte is written; the next one overwrites it if it is removed. No branch depends on the bytes.
    let mut end = kept.len();
    for &byte in rest {
        if let Some(place) = output.get_mut(end) {
            *place = byte;
        }
        end += usize::from(!class(byte));
    }
    output.truncate(end);
    Step::Written
}

#[cfg(test)]
mod tests {
    use super::position_of;

    #[test]
    fn a_byte_is_found_in_any_block() {
        for at in [0, 1, 31, 32, 33, 95] {
            let mut text = [b'.'; 96];
            text[at] = b'!';
            assert_eq!(position_of(&text, |byte| byte == b'!'), Some(at));
        }
        assert_eq!(position_of(&[b'.'; 70], |byte| byte == b'!'), None);
    }
}
