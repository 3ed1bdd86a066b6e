//! The oddities of a multipart body, one flag for each `MULTIPART_*` variable.

/// The oddities of a body. Rules read each as the variable of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MultipartFlags {
    /// `MULTIPART_BOUNDARY_QUOTED`: the boundary parameter is in quotes.
    pub boundary_quoted: bool,
    /// `MULTIPART_BOUNDARY_WHITESPACE`: blanks around the `=` of the boundary parameter.
    pub boundary_whitespace: bool,
    /// `MULTIPART_MISSING_SEMICOLON`: no `;` before the boundary parameter.
    pub missing_semicolon: bool,
    /// `MULTIPART_DATA_BEFORE`: lines before the first boundary.
    pub data_before: bool,
    /// `MULTIPART_DATA_AFTER`: bytes after the final boundary.
    pub data_after: bool,
    /// `MULTIPART_HEADER_FOLDING`: a part header continues in the next line.
    pub header_folding: bool,
    /// `MULTIPART_INVALID_HEADER_FOLDING`: such a line starts with neither blank nor tab.
    pub invalid_header_folding: bool,
    /// `MULTIPART_LF_LINE`: a line that matters (boundary, header, last line of a part) ends with LF alone.
    pub lf_line: bool,
    /// A line that matters ends with CRLF; see [`crlf_lf_lines`](Self::crlf_lf_lines).
    pub crlf_line: bool,
    /// `MULTIPART_INVALID_QUOTING`: single or stray quotes in `Content-Disposition`, or backslashes that parsers read in different ways.
    pub invalid_quoting: bool,
    /// `MULTIPART_INVALID_PART`: a boundary line inside a part's headers or before its data, or a boundary within a line.
    pub invalid_part: bool,
    /// `MULTIPART_FILE_LIMIT_EXCEEDED`: more files than `SecUploadFileLimit` (v3 never sets it).
    pub file_limit_exceeded: bool,
    /// `MULTIPART_UNMATCHED_BOUNDARY`.
    pub unmatched_boundary: UnmatchedBoundary,
}

impl MultipartFlags {
    /// `MULTIPART_CRLF_LF_LINES`: both kinds of line end occur.
    pub fn crlf_lf_lines(&self) -> bool {
        self.crlf_line && self.lf_line
    }

    /// Returns `true` if any of the flags that count for `MULTIPART_STRICT_ERROR` is set.
    pub(super) fn any_strict(&self) -> bool {
        self.boundary_quoted
            || self.boundary_whitespace
            || self.missing_semicolon
            || self.data_before
            || self.data_after
            || self.header_folding
            || self.invalid_header_folding
            || self.lf_line
            || self.invalid_quoting
            || self.invalid_part
            || self.file_limit_exceeded
    }
}

/// The values of `MULTIPART_UNMATCHED_BOUNDARY`. A later line overrules an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnmatchedBoundary {
    /// `0`: nothing looked like a boundary after the first one.
    #[default]
    None,
    /// `1`: the last line that looked like a boundary was not one.
    Unmatched,
    /// `2`: the last line that looked like a boundary was one. The usual value.
    Matched,
}

impl UnmatchedBoundary {
    /// Returns the number of the variable.
    pub fn value(self) -> u8 {
        match self {
            UnmatchedBoundary::None => 0,
            UnmatchedBoundary::Unmatched => 1,
            UnmatchedBoundary::Matched => 2,
        }
    }
}
