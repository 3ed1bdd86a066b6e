//! Covers values of multipart bodies.

use super::needles::Choice;
use super::places::Mask;
use super::views::PERCENT;
use crate::body::multipart::{Multipart, MultipartLimits};

/// Covers the contents of parts that are chosen by their names, form fields and files. Returns `false` if the body cannot be read without doubt, so
/// that it may hold secrets that were not found.
pub fn cover_multipart<'n>(
    mask: &mut Mask<'_>,
    content_type: Option<&[u8]>,
    limits: &MultipartLimits,
    choose: impl Fn(&[u8]) -> Choice<'n>,
) -> bool {
    let parsed = Multipart::parse(content_type, mask.text(), limits, None);
    if parsed.strict_error() || !parsed.complete {
        return false;
    }
    for part in &parsed.parts {
        match choose(&part.name) {
            Choice::Clear => {}
            Choice::Whole => mask.cover(part.content.clone()),
            Choice::Parts(needles) => needles.cover_in(mask, part.content.clone(), PERCENT),
        }
    }
    true
}
