//! The list of transformations and their names in rules.

/// Spells each transformation once: its documentation, its variant, its name in a rule.
macro_rules! transformations {
    ($( #[doc = $doc:literal] $variant:ident = $name:literal, )+) => {
        /// A transformation of a rule: the `lowercase` of `t:lowercase`.
        ///
        /// `t:none` is not among them: it empties the list, and does not change a value.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Transformation {
            $( #[doc = $doc] $variant, )+
        }

        impl Transformation {
            /// All transformations, in the order of their names.
            pub const ALL: &'static [Self] = &[$( Self::$variant, )+];

            /// Returns the name as ModSecurity's documentation spells it, without `t:`.
            pub fn name(self) -> &'static str {
                match self {
                    $( Self::$variant => $name, )+
                }
            }

            /// Returns what it does, in a sentence.
            pub fn doc(self) -> &'static str {
                match self {
                    $( Self::$variant => $doc.trim_ascii_start(), )+
                }
            }
        }
    };
}

transformations! {
    /// Decodes strict Base64; a value with any error becomes empty, and the value ends at its first NUL.
    Base64Decode = "base64Decode",
    /// Decodes Base64, including the URL-safe alphabet, and skips other characters.
    Base64DecodeExt = "base64DecodeExt",
    /// Encodes as padded Base64.
    Base64Encode = "base64Encode",
    /// Normalises the ways to write a command for a shell or `cmd.exe`.
    CmdLine = "cmdLine",
    /// Turns every run of white space into one blank.
    CompressWhitespace = "compressWhitespace",
    /// Decodes CSS 2 escapes.
    CssDecode = "cssDecode",
    /// Decodes the escape sequences of ANSI C.
    EscapeSeqDecode = "escapeSeqDecode",
    /// Decodes pairs of hexadecimal digits.
    HexDecode = "hexDecode",
    /// Encodes each byte as two lowercase hexadecimal digits.
    HexEncode = "hexEncode",
    /// Decodes numeric HTML entities and `quot`, `amp`, `lt`, `gt`, `nbsp`.
    HtmlEntityDecode = "htmlEntityDecode",
    /// Decodes JavaScript escapes.
    JsDecode = "jsDecode",
    /// Replaces the value by its length in bytes, in decimal.
    Length = "length",
    /// Lowercases ASCII letters.
    Lowercase = "lowercase",
    /// Replaces the value by its MD5 digest: 16 raw bytes.
    Md5 = "md5",
    /// Resolves doubled slashes, `.` and `..` in a path.
    NormalisePath = "normalisePath",
    /// The same for a Windows path, whose backslashes become slashes.
    NormalisePathWin = "normalisePathWin",
    /// Sets the high bit of each byte so that its parity is even.
    ParityEven7bit = "parityEven7bit",
    /// Sets the high bit of each byte so that its parity is odd.
    ParityOdd7bit = "parityOdd7bit",
    /// Clears the high bit of each byte.
    ParityZero7bit = "parityZero7bit",
    /// Rewrites an argument's name as PHP does.
    PhpArgsNames = "phpArgsNames",
    /// Removes comments of C, HTML, SQL and shells.
    RemoveComments = "removeComments",
    /// Removes the marks that open or close comments, and keeps what they enclose.
    RemoveCommentsChar = "removeCommentsChar",
    /// Removes NUL bytes.
    RemoveNulls = "removeNulls",
    /// Removes white space.
    RemoveWhitespace = "removeWhitespace",
    /// Replaces each C comment by one blank.
    ReplaceComments = "replaceComments",
    /// Replaces each NUL byte by a blank.
    ReplaceNulls = "replaceNulls",
    /// Replaces the value by its SHA-1 digest: 20 raw bytes.
    Sha1 = "sha1",
    /// Decodes SQL hexadecimal literals such as `0x414243`.
    SqlHexDecode = "sqlHexDecode",
    /// Removes white space from both ends.
    Trim = "trim",
    /// Removes white space from the start.
    TrimLeft = "trimLeft",
    /// Removes white space from the end.
    TrimRight = "trimRight",
    /// Uppercases ASCII letters.
    Uppercase = "uppercase",
    /// Decodes `%HH` and `+`.
    UrlDecode = "urlDecode",
    /// Decodes `%HH`, `+` and Microsoft's `%uHHHH`.
    UrlDecodeUni = "urlDecodeUni",
    /// Encodes every byte but ASCII letters, digits and `*` for a URL.
    UrlEncode = "urlEncode",
    /// Writes each UTF-8 character beyond ASCII as `%uHHHH`.
    Utf8ToUnicode = "utf8toUnicode",
}

/// Further spellings of a name.
const ALIASES: &[(&str, Transformation)] =
    &[("normalizePath", Transformation::NormalisePath), ("normalizePathWin", Transformation::NormalisePathWin)];

impl Transformation {
    /// Returns the transformation of this name or alias, ignoring ASCII case.
    pub fn from_name(name: &str) -> Option<Self> {
        let named = |spelling: &str| spelling.eq_ignore_ascii_case(name);
        let alias = || ALIASES.iter().find(|(alias, _)| named(alias)).map(|&(_, transformation)| transformation);
        Self::ALL.iter().copied().find(|transformation| named(transformation.name())).or_else(alias)
    }

    /// Returns its further spellings.
    pub fn aliases(self) -> impl Iterator<Item = &'static str> {
        ALIASES.iter().filter(move |(_, transformation)| *transformation == self).map(|(alias, _)| *alias)
    }
}

#[cfg(test)]
mod tests {
    use super::Transformation;

    #[test]
    fn every_name_finds_its_transformation_in_any_case() {
        for &transformation in Transformation::ALL {
            assert_eq!(Transformation::from_name(transformation.name()), Some(transformation));
            assert_eq!(Transformation::from_name(&transformation.name().to_uppercase()), Some(transformation));
        }
    }

    #[test]
    fn american_and_british_spelling_name_the_same_step() {
        assert_eq!(Transformation::from_name("normalizePath"), Some(Transformation::NormalisePath));
        assert_eq!(Transformation::from_name("NormalizePathWin"), Some(Transformation::NormalisePathWin));
    }

    #[test]
    fn unknown_names_and_none_are_no_transformation() {
        assert_eq!(Transformation::from_name("none"), None);
        assert_eq!(Transformation::from_name("lower case"), None);
        assert_eq!(Transformation::from_name(""), None);
    }
}
