//! Covers values of JSON bodies.

use super::needles::Choice;
use super::places::Mask;
use super::views::BACKSLASH;
use crate::body::json::{self, JsonError, JsonLimits};
use std::ops::ControlFlow;

/// Covers the values of a JSON text that are chosen by their names, such as `json.user.password`, so that it remains valid JSON: strings within their
/// quotation marks, other values as strings. What was covered before in other values becomes a string too.
///
/// # Errors
/// The text is not JSON, so that it may hold secrets that were not found.
pub fn cover_json<'n>(mask: &mut Mask<'_>, limits: &JsonLimits, mut choose: impl FnMut(&[u8]) -> Choice<'n>) -> Result<(), JsonError> {
    let text = mask.text();
    json::places(text, limits, &mut |name, place| {
        match choose(name) {
            Choice::Whole if place.is_string => mask.cover(place.range),
            Choice::Whole => mask.cover_as_json_value(place.range),
            choice => {
                if let Choice::Parts(needles) = choice {
                    needles.cover_in(mask, place.range.clone(), BACKSLASH);
                }
                if !place.is_string && mask.touches(place.range.clone()) {
                    mask.cover_as_json_value(place.range);
                }
            }
        }
        ControlFlow::Continue(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_json() {
        let text = br#"{"p":"a\"b","n":{"p":12345},"l":[{"p":true},{"p":7},{"p":null}],"q":"x"}"#;
        let mut mask = Mask::new(text);
        let choose = |name: &[u8]| if name.ends_with(b".p") { Choice::Whole } else { Choice::Clear };
        cover_json(&mut mask, &JsonLimits::default(), choose).unwrap();
        let covered = mask.finish().into_owned();
        let expected = br#"{"p":"****","n":{"p":"***"},"l":[{"p":"**"},{"p":0},{"p":"**"}],"q":"x"}"#;
        assert_eq!(covered, expected, "{}", String::from_utf8_lossy(&covered));
        assert!(serde_json::from_slice::<serde_json::Value>(&covered).is_ok());
    }
}
