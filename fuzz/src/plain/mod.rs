//! What transformations make of a value, written a second time: by the documentation, byte by byte, as plainly as can be and as slowly.

mod comments;
mod digests;
mod encodings;
mod escapes;
mod path;
mod spaces;

use secrule::internals::transform::Transformation as T;

/// What a transformation makes of a value; nothing where this version does not know.
pub fn plain(transformation: T, value: &[u8]) -> Option<Vec<u8>> {
    let each = |change: fn(u8) -> u8| value.iter().map(|byte| change(*byte)).collect();
    Some(match transformation {
        T::Lowercase => value.to_ascii_lowercase(),
        T::Uppercase => value.to_ascii_uppercase(),
        T::Length => value.len().to_string().into_bytes(),
        T::RemoveNulls => value.iter().copied().filter(|byte| *byte != 0).collect(),
        T::ReplaceNulls => each(|byte| if byte == 0 { b' ' } else { byte }),
        T::ParityZero7bit => each(|byte| byte & 0x7f),
        T::ParityEven7bit => each(|byte| if byte.count_ones() % 2 == 1 { byte | 0x80 } else { byte & 0x7f }),
        T::ParityOdd7bit => each(|byte| if byte.count_ones() % 2 == 0 { byte | 0x80 } else { byte & 0x7f }),
        T::HexEncode => encodings::hex_encode(value),
        T::HexDecode => encodings::hex_decode(value),
        T::Base64Encode => encodings::base64_encode(value),
        T::Base64Decode => encodings::base64_decode(value).unwrap_or_default(),
        T::Base64DecodeExt => encodings::base64_decode_forgiving(value),
        T::UrlEncode => encodings::url_encode(value),
        T::UrlDecode => escapes::url_decode(value, false),
        T::UrlDecodeUni => escapes::url_decode(value, true),
        T::JsDecode => escapes::js_decode(value),
        T::EscapeSeqDecode => escapes::c_decode(value),
        T::CssDecode => escapes::css_decode(value),
        T::HtmlEntityDecode => escapes::html_decode(value),
        T::SqlHexDecode => escapes::sql_hex_decode(value),
        T::Utf8ToUnicode => escapes::utf8_to_unicode(value)?,
        T::Md5 => digests::md5(value),
        T::Sha1 => digests::sha1(value),
        T::Trim => spaces::trim_end(spaces::trim_start(value)).to_vec(),
        T::TrimLeft => spaces::trim_start(value).to_vec(),
        T::TrimRight => spaces::trim_end(value).to_vec(),
        T::CompressWhitespace => spaces::compress(value),
        T::RemoveWhitespace => spaces::remove(value),
        T::CmdLine => spaces::command_line(value),
        T::PhpArgsNames => spaces::php_name(value),
        T::RemoveComments => comments::remove(value),
        T::RemoveCommentsChar => comments::remove_marks(value),
        T::ReplaceComments => comments::replace(value),
        T::NormalisePath => path::normalise(value)?,
        T::NormalisePathWin => path::normalise(&value.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect::<Vec<_>>())?,
        _ => return None,
    })
}
