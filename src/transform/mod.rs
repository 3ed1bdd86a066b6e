//! Takes the bytes of one value and gives them transformed, or says that nothing changed; it imports no other room.
//!
//! [`Transformation`] is a `t:` step of a rule. Each family of steps has a file of pure functions, which first scan for something to change and only
//! then write: most values of most requests stay unchanged.

mod base64;
mod case;
mod catalog;
mod command_line;
mod comments;
mod css;
mod digest;
mod escape_sequence;
mod full_width;
mod hex;
mod html;
mod javascript;
mod length;
mod nulls;
mod parity;
mod path;
mod php;
mod rewrite;
mod sql;
mod triggers;
mod unicode_map;
mod url;
mod utf8;
mod whitespace;

pub use catalog::Transformation;
pub use unicode_map::{UnicodeMap, UnicodeMapError};

use html::Entities;
use javascript::ScriptEscapes;
use path::Separators;
use rewrite::Step;
use url::{UnicodeEscapes, UrlEscapes};

/// Effect of a transformation on a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// `true` if the output buffer has the new value. Otherwise the buffer is empty and the value is unchanged.
    pub rewritten: bool,
    /// `true` if the step counts as a change, so that `multiMatch` tests the value after it.
    ///
    /// As in ModSecurity 3.0.13, encoders, decoders of whole values, digests, `length` and the parity steps count for any value that is not empty.
    /// Every other step counts exactly if the value differs. There 3.0.13 is less strict: `cmdLine` and `compressWhitespace` compare only lengths,
    /// and `cssDecode` and `utf8toUnicode` ignore bytes that they only drop, so that its `multiMatch` does not test some decoded forms.
    pub counted: bool,
}

impl Transformation {
    /// Clears `output` and writes the transformed value there. If the value does not change, `output` stays empty.
    ///
    /// `unicode` is the code page of `SecUnicodeMapFile`, which only [`Transformation::UrlDecodeUni`] uses. Time and memory are linear in the length
    /// of `input`.
    pub fn apply(self, input: &[u8], output: &mut Vec<u8>, unicode: Option<&UnicodeMap>) -> Effect {
        output.clear();
        let rewritten = match self.step(input, output, unicode) {
            Step::Unchanged => false,
            Step::Written => output.as_slice() != input,
        };
        if !rewritten {
            output.clear();
        }
        Effect { rewritten, counted: rewritten || (self.always_counts() && !input.is_empty()) }
    }

    /// As [`apply`](Self::apply), for the beginning of a value that goes on after `input`: appends what becomes of its first bytes, and returns their
    /// number. What becomes of the others depends on the bytes that follow. `None` if the transformation needs the whole value.
    pub fn apply_to_beginning(self, input: &[u8], output: &mut Vec<u8>, unicode: Option<&UnicodeMap>) -> Option<usize> {
        match self {
            Self::HtmlEntityDecode => Some(rewrite::decode_beginning(&Entities, input, output)),
            Self::JsDecode => Some(rewrite::decode_beginning(&ScriptEscapes, input, output)),
            Self::UrlDecode => Some(rewrite::decode_beginning(&UrlEscapes, input, output)),
            Self::UrlDecodeUni => Some(rewrite::decode_beginning(&UnicodeEscapes(unicode), input, output)),
            // These look at one byte at a time.
            Self::Lowercase | Self::RemoveNulls | Self::RemoveWhitespace | Self::ReplaceNulls | Self::Uppercase => {
                let mut changed = Vec::new();
                let effect = self.apply(input, &mut changed, unicode);
                output.extend_from_slice(if effect.rewritten { &changed } else { input });
                Some(input.len())
            }
            _ => None,
        }
    }

    fn step(self, input: &[u8], output: &mut Vec<u8>, unicode: Option<&UnicodeMap>) -> Step {
        match self {
            Self::Base64Decode => base64::decode(input, output),
            Self::Base64DecodeExt => base64::decode_forgiving(input, output),
            Self::Base64Encode => base64::encode(input, output),
            Self::CmdLine => command_line::normalise(input, output),
            Self::CompressWhitespace => whitespace::compress(input, output),
            Self::CssDecode => css::decode(input, output),
            Self::EscapeSeqDecode => escape_sequence::decode(input, output),
            Self::HexDecode => hex::decode(input, output),
            Self::HexEncode => hex::encode(input, output),
            Self::HtmlEntityDecode => rewrite::decode(&Entities, input, output),
            Self::JsDecode => rewrite::decode(&ScriptEscapes, input, output),
            Self::Length => length::decimal(input, output),
            Self::Lowercase => case::lower(input, output),
            Self::Md5 => digest::md5(input, output),
            Self::NormalisePath => path::normalise(input, output, Separators::Slash),
            Self::NormalisePathWin => path::normalise(input, output, Separators::SlashAndBackslash),
            Self::ParityEven7bit => parity::even(input, output),
            Self::ParityOdd7bit => parity::odd(input, output),
            Self::ParityZero7bit => parity::zero(input, output),
            Self::PhpArgsNames => php::argument_name(input, output),
            Self::RemoveComments => comments::remove(input, output),
            Self::RemoveCommentsChar => comments::remove_markers(input, output),
            Self::RemoveNulls => nulls::remove(input, output),
            Self::RemoveWhitespace => whitespace::remove(input, output),
            Self::ReplaceComments => comments::replace(input, output),
            Self::ReplaceNulls => nulls::replace(input, output),
            Self::Sha1 => digest::sha1(input, output),
            Self::SqlHexDecode => sql::decode_hex(input, output),
            Self::Trim => whitespace::trim(input, output),
            Self::TrimLeft => whitespace::trim_left(input, output),
            Self::TrimRight => whitespace::trim_right(input, output),
            Self::Uppercase => case::upper(input, output),
            Self::UrlDecode => rewrite::decode(&UrlEscapes, input, output),
            Self::UrlDecodeUni => rewrite::decode(&UnicodeEscapes(unicode), input, output),
            Self::UrlEncode => url::encode(input, output),
            Self::Utf8ToUnicode => utf8::to_unicode(input, output),
        }
    }

    fn always_counts(self) -> bool {
        matches!(
            self,
            Self::Base64Decode
                | Self::Base64DecodeExt
                | Self::Base64Encode
                | Self::HexDecode
                | Self::HexEncode
                | Self::Length
                | Self::Md5
                | Self::ParityEven7bit
                | Self::ParityOdd7bit
                | Self::ParityZero7bit
                | Self::Sha1
        )
    }
}

#[cfg(test)]
mod tests;
