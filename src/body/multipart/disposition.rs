//! The `Content-Disposition` header of a part.

use std::borrow::Cow;

use super::encoded_word;
use super::malformed::Malformed;
use super::note::Note;
use super::parameter::{Quoting, Reader, Value};

/// Contents of a valid header.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Disposition<'a> {
    pub(super) name: Option<Cow<'a, [u8]>>,
    /// Offset of the name in the header's value.
    pub(super) name_offset: usize,
    pub(super) file_name: Option<Cow<'a, [u8]>>,
    /// Offset of the file name in the header's value.
    pub(super) file_name_offset: usize,
    /// Names that applications may use for the file instead; all differ from each other and from `file_name`.
    pub(super) other_file_names: Vec<Vec<u8>>,
    /// Length of the data, as the header says.
    pub(super) size: Option<usize>,
    extended_file_name: Option<Vec<u8>>,
    /// Parameters of RFC 2183 that were present.
    described: Vec<&'static [u8]>,
}

/// Parameters of RFC 2183 about a file's age and size, which no application uses as a name.
const DESCRIBING: [&[u8]; 4] = [b"size", b"creation-date", b"modification-date", b"read-date"];

/// Reads the header's value. Sets `invalid_quoting` for quotes and backslashes that parsers read in different ways.
///
/// `form-data` and `name` may be in either case, as in RFC 2045 and in all applications that we tried. `filename` and `filename*` may not: Rack would
/// read such a file as a field. Parameters other than these and those of RFC 2183 are malformed, so that no other parser can see a different name or
/// file name.
pub(super) fn parse<'a>(
    value: &Cow<'a, [u8]>,
    invalid_quoting: &mut bool,
    notes: &mut Vec<Note<'a>>,
) -> Result<Disposition<'a>, Malformed> {
    let mut reader = Reader::new(value);
    let mut disposition = Disposition::default();
    if !value.get(..FORM_DATA.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(FORM_DATA)) {
        return Err(Malformed::NotFormData);
    }
    reader.skip(FORM_DATA.len());
    reader.skip_blanks();
    if reader.is_at_end() {
        return Ok(disposition);
    }
    if !reader.eat(b';') {
        return Err(Malformed::SemicolonAfterType);
    }
    while !reader.is_at_end() {
        reader.skip_blanks();
        reader.require_more(Malformed::ParameterMissing)?;
        let name = reader.name()?;
        let parameter = value.get(name).unwrap_or_default();
        if parameter == b"filename*" {
            disposition.keep_extended(reader.extended_value()?, notes)?;
        } else {
            let value = reader.value(invalid_quoting)?;
            let unfinished = value.quoting == Quoting::Unfinished;
            disposition.keep(parameter, value, invalid_quoting, notes)?;
            if unfinished {
                return Err(Malformed::SemicolonAfterValue);
            }
            if let Some(text) = reader.stray_quote() {
                *invalid_quoting = true;
                notes.push(Note::InvalidQuoting { text });
            }
        }
        reader.skip_blanks();
        if !reader.is_at_end() && !reader.eat(b';') {
            return Err(Malformed::SemicolonAfterValue);
        }
    }
    disposition.finish(notes)
}

const FORM_DATA: &[u8] = b"form-data";

impl<'a> Disposition<'a> {
    fn keep(&mut self, parameter: &[u8], value: Value<'a>, invalid_quoting: &mut bool, notes: &mut Vec<Note<'a>>) -> Result<(), Malformed> {
        let is_name = parameter.eq_ignore_ascii_case(b"name");
        if !is_name && parameter != b"filename" {
            return self.keep_describing(parameter, &value);
        }
        let stray_quote = value.quoting == Quoting::None && value.text.contains(&b'\'');
        // Rack removes such a backslash from a name. For file names rules see both readings.
        let stray_backslash = is_name && value.fully_unescaped.is_some();
        if stray_quote || stray_backslash || value.quoting == Quoting::BackslashBeforeEnd {
            *invalid_quoting = true;
            notes.push(Note::InvalidQuoting { text: value.text.clone() });
        }
        if is_name { self.keep_name(value, notes) } else { self.keep_file_name(value, notes) }
    }

    fn keep_name(&mut self, value: Value<'a>, notes: &mut Vec<Note<'a>>) -> Result<(), Malformed> {
        if let Some(previous) = &self.name {
            notes.push(Note::DuplicateName { name: value.text, previous: previous.clone() });
            return Err(Malformed::DuplicateName);
        }
        notes.push(Note::Name(value.text.clone()));
        if encoded_word::may_hold(&value.text) {
            return Err(Malformed::EncodedWord);
        }
        self.name = Some(value.text);
        self.name_offset = value.offset;
        Ok(())
    }

    fn keep_file_name(&mut self, value: Value<'a>, notes: &mut Vec<Note<'a>>) -> Result<(), Malformed> {
        if self.file_name.is_some() {
            notes.push(Note::DuplicateFileName(value.text));
            return Err(Malformed::DuplicateFileName);
        }
        notes.push(Note::FileName(value.text.clone()));
        if encoded_word::may_hold(&value.text) {
            self.other_file_names.push(encoded_word::decode(&value.text).ok_or(Malformed::EncodedWord)?);
        }
        self.other_file_names.extend(value.fully_unescaped);
        self.file_name = Some(value.text);
        self.file_name_offset = value.offset;
        Ok(())
    }

    fn keep_extended(&mut self, file_name: Vec<u8>, notes: &mut Vec<Note<'a>>) -> Result<(), Malformed> {
        if self.extended_file_name.is_some() {
            notes.push(Note::DuplicateExtendedFileName(file_name));
            return Err(Malformed::DuplicateExtendedFileName);
        }
        notes.push(Note::ExtendedFileName(file_name.clone()));
        if file_name.is_empty() {
            return Err(Malformed::EmptyExtendedFileName);
        }
        self.extended_file_name = Some(file_name);
        Ok(())
    }

    /// Reads a parameter of RFC 2183 once. Its value must not contain anything that a cruder parser could take for a parameter.
    fn keep_describing(&mut self, parameter: &[u8], value: &Value<'_>) -> Result<(), Malformed> {
        let known = DESCRIBING.iter().find(|known| known.eq_ignore_ascii_case(parameter)).ok_or(Malformed::UnknownParameter)?;
        let size = std::str::from_utf8(&value.text).ok().filter(|text| !text.starts_with('+')).and_then(|text| text.parse().ok());
        let is_valid = match *known {
            b"size" => size.is_some(),
            _ => !value.text.is_empty() && value.text.iter().all(|byte| byte.is_ascii_alphanumeric() || b" ,:+-".contains(byte)),
        };
        if !is_valid {
            return Err(Malformed::UnknownParameter);
        }
        if *known == b"size" {
            self.size = size;
        }
        if self.described.contains(known) {
            return Err(Malformed::DuplicateParameter);
        }
        self.described.push(known);
        Ok(())
    }

    /// Collects the other names of the file.
    fn finish(mut self, notes: &mut Vec<Note<'a>>) -> Result<Self, Malformed> {
        let plain = self.file_name.as_deref().unwrap_or_default();
        if let Some(extended) = &self.extended_file_name
            && plain.is_empty()
        {
            notes.push(Note::OnlyExtendedFileName(extended.clone()));
            return Err(Malformed::OnlyExtendedFileName);
        }
        let found = std::mem::take(&mut self.other_file_names);
        let others = self.extended_file_name.iter().chain(&found).map(Vec::as_slice);
        let mut names: Vec<Vec<u8>> = Vec::new();
        for name in std::iter::once(plain).chain(others) {
            let without_backslashes: Vec<u8> = name.iter().copied().filter(|byte| *byte != b'\\').collect();
            for name in [name, &without_backslashes] {
                if name != plain && !name.is_empty() && !names.iter().any(|known| known == name) {
                    names.push(name.to_vec());
                }
            }
        }
        self.other_file_names = names;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> (Result<Disposition<'_>, Malformed>, bool) {
        let mut invalid_quoting = false;
        let result = parse(&Cow::Borrowed(value.as_bytes()), &mut invalid_quoting, &mut Vec::new());
        (result, invalid_quoting)
    }

    fn names(value: &str) -> (Vec<u8>, Vec<u8>) {
        let disposition = read(value).0.expect("the header is valid");
        (disposition.name.unwrap_or_default().into_owned(), disposition.file_name.unwrap_or_default().into_owned())
    }

    fn code(value: &str) -> i8 {
        read(value).0.expect_err("the header is malformed").code()
    }

    #[test]
    fn names_are_read_quoted_or_not() {
        assert_eq!(names("form-data; name=one"), (b"one".to_vec(), Vec::new()));
        assert_eq!(names("Form-Data ;Name=\"a;b\" ; filename=\"x.png\";"), (b"a;b".to_vec(), b"x.png".to_vec()));
    }

    #[test]
    fn only_quotes_and_backslashes_are_unescaped() {
        assert_eq!(names(r#"form-data; name="say \"x\" \\ C:\dir""#).0, br#"say "x" \ C:\dir"#);
    }

    #[test]
    fn offsets_point_at_the_text() {
        let disposition = read("form-data; name=\"n\"; filename=f").0.expect("the header is valid");
        assert_eq!((disposition.name_offset, disposition.file_name_offset), (17, 30));
    }

    #[test]
    fn odd_quoting_is_flagged() {
        assert!(read("form-data; name='n'").1);
        assert!(read("form-data; name=it's").1);
        assert!(read("form-data; name=\"n\"x").1);
        assert!(read(r#"form-data; name="n\\""#).1);
        assert!(read(r#"form-data; name="n\m""#).1);
        assert!(!read("form-data; name=\"it's\"").1);
        assert!(!read(r#"form-data; name="n\\m\""; filename="C:\a""#).1);
    }

    #[test]
    fn dates_and_sizes_are_taken_and_left_out() {
        let date = "modification-date=\"Mon, 02 Jan 2023 10:00:00 +0000\"";
        assert_eq!(names(&format!("form-data; Size=46; name=a; {date}; filename=b")), (b"a".to_vec(), b"b".to_vec()));
    }

    #[test]
    fn malformed_headers_have_v3_codes() {
        assert_eq!(code("attachment; name=a"), -1);
        assert_eq!(code("form-data name=a"), -2);
        assert_eq!(code("form-data; "), -3);
        assert_eq!(code("form-data; name"), -4);
        assert_eq!(code("form-data; name="), -6);
        assert_eq!(code("form-data; name=\"x\\"), -8);
        for unknown in ["x=1", "Filename=b", "filename*0=b", "size=x", "size=\"\"", "read-date=\"a\\\"; filename=\\\"b\""] {
            assert_eq!(code(&format!("form-data; name=a; {unknown}")), -11, "{unknown}");
        }
        assert_eq!(code("form-data; name=a b"), -12);
        assert_eq!(code("form-data; na me=a"), -13);
        assert_eq!(code("form-data; name=a; filename =b"), -13);
        assert_eq!(code("form-data; name=\ta"), -13);
        assert_eq!(code("form-data; Name=a; name=b"), -14);
        assert_eq!(code("form-data; name=\"=?utf-8?B?YQ==?=\""), -22);
        assert_eq!(code("form-data; name=a; size=1; Size=2"), -23);
        assert_eq!(code("form-data; name=a; name=b"), -14);
        assert_eq!(code("form-data; name=a; filename=b; filename=c"), -15);
        assert_eq!(code("form-data; name=a; filename*=b"), -16);
        assert_eq!(code("form-data; name=a; filename*=utf-8'b"), -17);
        assert_eq!(code("form-data; name=a; filename*=utf-8''%4"), -18);
        assert_eq!(code("form-data; name=a; filename*=utf-8''(b"), -19);
        assert_eq!(code("form-data; name=a; filename*=utf-16''b; filename=b"), -16);
        assert_eq!(code("form-data; name=a; filename=b; filename*=utf-8''"), -24);
        assert_eq!(code("form-data; name=a; filename*=utf-8''b"), -21);
        assert_eq!(code("form-data; name=a; filename=\"\"; filename*=utf-8''b"), -21);
    }

    #[test]
    fn an_extended_file_name_needs_a_plain_one() {
        assert_eq!(names("form-data; name=a; filename*=utf-8'en'%e2%82%ac; filename=euro").1, b"euro");
    }
}
