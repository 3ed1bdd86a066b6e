//! The `Authorization` header.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::arguments::cut_at;
use super::blank;

/// Base64 in which padding may be missing or repeated, as in v3.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&base64::alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireNone));

/// `AUTH_TYPE`: the first word of the header, in the case in which it was sent.
pub fn auth_type(header: &[u8]) -> &[u8] {
    cut_at(header, b' ').map_or(header, |(scheme, _)| scheme)
}

/// `REMOTE_USER`: the user of `Basic` credentials; `None` for other schemes, credentials that are not Base64, or without a `:`.
///
/// The scheme may be in either case, and blanks follow it, as in RFC 9110; v3 requires `Basic` and one blank.
pub fn basic_user(header: &[u8]) -> Option<Vec<u8>> {
    credentials(header).map(|(user, _)| user)
}

/// Returns the password of `Basic` credentials; `None` where [`basic_user`] returns it.
pub fn basic_password(header: &[u8]) -> Option<Vec<u8>> {
    credentials(header).map(|(_, password)| password)
}

fn credentials(header: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (scheme, encoded) = cut_at(header, b' ')?;
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let encoded = blank::trim_start(encoded);
    let padding = encoded.iter().rev().take_while(|byte| **byte == b'=').count();
    let unpadded = encoded.get(..encoded.len().checked_sub(padding)?)?;
    let mut credentials = BASE64.decode(unpadded).ok()?;
    let colon = credentials.iter().position(|byte| *byte == b':')?;
    let password = credentials.split_off(colon).split_off(1);
    Some((credentials, password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_is_the_first_word() {
        assert_eq!(auth_type(b"Digest realm=\"x\""), b"Digest");
        assert_eq!(auth_type(b"Negotiate"), b"Negotiate");
        assert_eq!(auth_type(b""), b"");
    }

    #[test]
    fn the_user_ends_at_the_first_colon() {
        assert_eq!(basic_user(b"Basic am9lOmE6Yg=="), Some(b"joe".to_vec()));
        assert_eq!(basic_user(b"Basic OnB3"), Some(Vec::new()));
        assert_eq!(basic_password(b"Basic am9lOmE6Yg=="), Some(b"a:b".to_vec()));
        assert_eq!(basic_user(b"bAsic  am9lOmE6Yg=="), Some(b"joe".to_vec()));
    }

    #[test]
    fn other_credentials_have_no_user() {
        for header in [&b"BasicX am9lOmE6Yg=="[..], b"Basic", b"Basic ???", b"Basic am9l", b"Bearer am9lOmE6Yg=="] {
            assert_eq!(basic_user(header), None);
        }
    }
}
