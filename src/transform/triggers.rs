//! The bytes that a transformation acts on: it does not change a value without any of them.

use super::Transformation;

/// Returns the bytes that a transformation acts on, as a sorted text; `None` for one that acts on any value.
///
/// The list may include bytes that change nothing, but must not omit one that does: a value without them is neither rewritten nor counted as changed.
pub(super) fn triggers(transformation: Transformation) -> Option<Triggers> {
    use Transformation as T;
    let bytes: &[u8] = match transformation {
        T::CmdLine => return Some(Triggers { bytes: b"\"'\\^ \t\r\n,;/(", upper_case: true, above_ascii: false }),
        T::Lowercase => return Some(Triggers { bytes: b"", upper_case: true, above_ascii: false }),
        T::Utf8ToUnicode => return Some(Triggers { bytes: b"", upper_case: false, above_ascii: true }),
        T::CompressWhitespace => b" \t\n\x0b\x0c\r\xa0",
        T::Trim | T::TrimLeft | T::TrimRight => b" \t\n\x0b\x0c\r",
        T::RemoveWhitespace => b" \t\n\x0b\x0c\r\xa0\xc2",
        T::CssDecode | T::EscapeSeqDecode | T::JsDecode => b"\\",
        T::HtmlEntityDecode => b"&",
        T::NormalisePath => b"/.",
        T::NormalisePathWin => b"/.\\",
        T::RemoveComments | T::RemoveCommentsChar => b"/*<-#",
        T::ReplaceComments => b"*",
        T::RemoveNulls | T::ReplaceNulls => b"\0",
        T::UrlDecode | T::UrlDecodeUni => b"%+",
        T::SqlHexDecode => b"xX",
        _ => return None,
    };
    Some(Triggers { bytes, upper_case: false, above_ascii: false })
}

/// Bytes, and ranges of bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Triggers {
    bytes: &'static [u8],
    upper_case: bool,
    above_ascii: bool,
}

impl Triggers {
    pub(super) fn contains(self, byte: u8) -> bool {
        self.bytes.contains(&byte) || (self.upper_case && byte.is_ascii_uppercase()) || (self.above_ascii && !byte.is_ascii())
    }
}

impl Transformation {
    /// Returns `true` if a value with this byte may change; `None` if any value may.
    ///
    /// A value without any trigger is neither rewritten nor counted as changed.
    pub fn is_triggered_by(self, byte: u8) -> Option<bool> {
        triggers(self).map(|triggers| triggers.contains(byte))
    }

    /// Returns `true` if the only effect on any value is that all its triggers are removed.
    pub fn only_removes(self) -> bool {
        matches!(self, Self::RemoveNulls | Self::RemoveWhitespace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_value_without_triggers_stays_as_it_is(value in proptest::collection::vec(any::<u8>(), 0..40)) {
            for transformation in Transformation::ALL {
                if triggers(*transformation).is_none() {
                    continue;
                }
                let quiet: Vec<u8> = value.iter().copied().filter(|byte| transformation.is_triggered_by(*byte) == Some(false)).collect();
                let mut output = Vec::new();
                let effect = transformation.apply(&quiet, &mut output, None);
                prop_assert!(!effect.rewritten && !effect.counted, "{} changes {quiet:?}", transformation.name());
            }
        }

        #[test]
        fn what_only_removes_leaves_all_but_its_triggers(value in proptest::collection::vec(prop_oneof![any::<u8>(), 0u8..=0x20, 0xa0u8..=0xc3], 0..40)) {
            for transformation in Transformation::ALL.iter().filter(|transformation| transformation.only_removes()) {
                let rest: Vec<u8> = value.iter().copied().filter(|byte| transformation.is_triggered_by(*byte) == Some(false)).collect();
                let mut output = Vec::new();
                let effect = transformation.apply(&value, &mut output, None);
                prop_assert_eq!(if effect.rewritten { &output } else { &value }, &rest, "{}", transformation.name());
            }
        }
    }
}
