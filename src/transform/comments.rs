//! `removeComments`, `removeCommentsChar`, `replaceComments`.

use memchr::{memchr_iter, memchr2_iter};

use super::rewrite::{Step, position_of, replace_by, rewrite};

/// Removes `/*…*/` and `<!--…-->`, and cuts the value at `--` or `#`. A comment without an end becomes one blank.
///
/// As in ModSecurity v3, either mark ends either kind of comment, and the byte after a comment is copied without being interpreted. v3 reads that
/// byte even if the comment ends the value, and so leaves a NUL there: rule sets are tested against it.
pub(super) fn remove(input: &[u8], output: &mut Vec<u8>) -> Step {
    rewrite(input, output, |text| find(text, opening), skip_comment)
}

/// Removes the marks `/*`, `*/`, `<!--`, `-->`, `--` and `#` everywhere.
pub(super) fn remove_markers(input: &[u8], output: &mut Vec<u8>) -> Step {
    rewrite(
        input,
        output,
        |text| find(text, marker),
        |text, _| {
            let length = marker(text).unwrap_or(text.len());
            text.get(length..).unwrap_or_default()
        },
    )
}

/// Replaces each `/*…*/` by one blank; one without an end becomes a blank too, and ends the value.
pub(super) fn replace(input: &[u8], output: &mut Vec<u8>) -> Step {
    // Building a searcher for each comment would cost more than the search.
    let find_pair = |text: &[u8], first: u8, second: u8| memchr_iter(first, text).find(|&at| text.get(at + 1) == Some(&second));
    rewrite(
        input,
        output,
        |text| find_pair(text, b'/', b'*'),
        |text, output| {
            let body = text.get(2..).unwrap_or_default();
            let rest = find_pair(body, b'*', b'/').and_then(|at| body.get(at + 2..)).unwrap_or_default();
            replace_by(b' ', rest, output)
        },
    )
}

fn skip_comment<'a>(comment: &'a [u8], output: &mut Vec<u8>) -> &'a [u8] {
    let Some(Opening::Block { mark }) = opening(comment) else {
        return &[];
    };
    match after_comment(comment.get(mark..).unwrap_or_default()) {
        Some([unseen, rest @ ..]) => replace_by(*unseen, rest, output),
        Some([]) => replace_by(0, &[], output),
        None => replace_by(b' ', &[], output),
    }
}

enum Opening {
    /// A comment that has an end, with the length of its opening mark.
    Block { mark: usize },
    /// A comment that takes the rest of the value.
    ToTheEnd,
}

fn opening(text: &[u8]) -> Option<Opening> {
    match text {
        [b'/', b'*', ..] => Some(Opening::Block { mark: 2 }),
        [b'<', b'!', b'-', b'-', ..] => Some(Opening::Block { mark: 4 }),
        [b'-', b'-', ..] | [b'#', ..] => Some(Opening::ToTheEnd),
        _ => None,
    }
}

/// Returns the length of the mark that `text` starts with.
fn marker(text: &[u8]) -> Option<usize> {
    match text {
        [b'<', b'!', b'-', b'-', ..] => Some(4),
        [b'-', b'-', b'>', ..] => Some(3),
        [b'/', b'*', ..] | [b'*', b'/', ..] | [b'-', b'-', ..] => Some(2),
        [b'#', ..] => Some(1),
        _ => None,
    }
}

/// Returns the first offset at which `start` finds something.
fn find<T>(text: &[u8], start: impl Fn(&[u8]) -> Option<T>) -> Option<usize> {
    let may_start = |byte| matches!(byte, b'/' | b'*' | b'<' | b'-' | b'#');
    let mut from = 0;
    loop {
        let rest = text.get(from..)?;
        let at = position_of(rest, may_start)?;
        if rest.get(at..).and_then(&start).is_some() {
            return Some(from + at);
        }
        from += at + 1;
    }
}

/// Returns the text after the end of the comment whose content starts here.
fn after_comment(body: &[u8]) -> Option<&[u8]> {
    memchr2_iter(b'*', b'-', body).find_map(|at| match body.get(at..) {
        Some([b'*', b'/', rest @ ..] | [b'-', b'-', b'>', rest @ ..]) => Some(rest),
        _ => None,
    })
}
