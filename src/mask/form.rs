//! Covers values of queries, forms and cookies.

use super::needles::Choice;
use super::places::Mask;
use super::views::{FORM, PERCENT};
use crate::http::{arguments, cookies};
use std::ops::Range;

/// Covers the values of arguments in a range of a text, a query or a form. `choose` gets decoded names.
pub fn cover_arguments<'n>(mask: &mut Mask<'_>, within: Range<usize>, separator: u8, choose: impl Fn(&[u8]) -> Choice<'n>) {
    let text = mask.text().get(within.clone()).unwrap_or_default();
    for argument in arguments::split(text, separator) {
        let start = within.start.saturating_add(argument.offset).saturating_add(argument.name.len()).saturating_add(1);
        let value = start..start.saturating_add(argument.value.len());
        match choose(&argument.decode().name) {
            Choice::Clear => {}
            Choice::Whole => mask.cover(value),
            Choice::Parts(needles) => needles.cover_in(mask, value, FORM),
        }
    }
}

/// Covers the values of cookies in a `Cookie` header.
pub fn cover_cookies<'n>(mask: &mut Mask<'_>, choose: impl Fn(&[u8]) -> Choice<'n>) {
    for cookie in cookies::parse(mask.text()) {
        cover_value(mask, cookie.value_offset()..cookie.value_offset().saturating_add(cookie.value.len()), choose(cookie.name));
    }
}

/// Covers the value of the cookie in a `Set-Cookie` header.
pub fn cover_set_cookie<'n>(mask: &mut Mask<'_>, choose: impl Fn(&[u8]) -> Choice<'n>) {
    let text = mask.text();
    let end = memchr::memchr(b';', text).unwrap_or(text.len());
    let Some(equals) = text.get(..end).and_then(|cookie| memchr::memchr(b'=', cookie)) else { return };
    let name = text.get(..equals).unwrap_or_default().trim_ascii();
    cover_value(mask, equals.saturating_add(1)..end, choose(name));
}

fn cover_value(mask: &mut Mask<'_>, value: Range<usize>, choice: Choice<'_>) {
    match choice {
        Choice::Clear => {}
        Choice::Whole => mask.cover(value),
        Choice::Parts(needles) => needles.cover_in(mask, value, PERCENT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(name: &[u8]) -> Choice<'static> {
        if name == b"password" { Choice::Whole } else { Choice::Clear }
    }

    fn covered(text: &str, cover: impl Fn(&mut Mask<'_>)) -> String {
        let mut mask = Mask::new(text.as_bytes());
        cover(&mut mask);
        String::from_utf8(mask.finish().into_owned()).unwrap()
    }

    #[test]
    fn the_raw_value_of_a_name_is_covered() {
        let all = |text: &str| covered(text, |mask| cover_arguments(mask, 0..text.len(), b'&', password));
        assert_eq!(all("a=1&password=s%41+x&p%61ssword=&password&password=b=c"), "a=1&password=******&p%61ssword=&password&password=***");
        assert_eq!(covered("/?password=x&y=1", |mask| cover_arguments(mask, 2..16, b'&', password)), "/?password=*&y=1");
    }

    #[test]
    fn cookies_are_covered_in_both_directions() {
        assert_eq!(covered("a=1; password=\"x\" ; b", |mask| cover_cookies(mask, password)), "a=1; password=****; b");
        assert_eq!(covered("password=x=y; Path=/", |mask| cover_set_cookie(mask, password)), "password=***; Path=/");
    }
}
