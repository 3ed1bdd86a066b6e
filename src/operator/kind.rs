//! The operators by name.

/// An operator of ModSecurity v3, or `noMatch`, which v3 does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum OperatorKind {
    /// `@beginsWith`: the input begins with the text.
    BeginsWith,
    /// `@contains`: the input contains the text.
    Contains,
    /// `@containsWord`: the input contains the text with no letter on either side of it.
    ContainsWord,
    /// `@detectSQLi`: the input looks like SQL injection to libinjection.
    DetectSqli,
    /// `@detectXSS`: the input looks like cross-site scripting to libinjection.
    DetectXss,
    /// `@endsWith`: the input ends with the text.
    EndsWith,
    /// `@eq`: the input is equal to the number.
    Eq,
    /// `@fuzzyHash`: the input resembles one of a file of hashes.
    FuzzyHash,
    /// `@ge`: the input is greater than or equal to the number.
    Ge,
    /// `@geoLookup`: the location of the address is known; fills GEO.
    GeoLookup,
    /// `@gt`: the input is greater than the number.
    Gt,
    /// `@inspectFile`: a script rejects the file that the input names.
    InspectFile,
    /// `@ipMatch`: the input is an address in one of the networks.
    IpMatch,
    /// `@ipMatchFromFile`: the same, with networks from files.
    IpMatchFromFile,
    /// `@le`: the input is less than or equal to the number.
    Le,
    /// `@lt`: the input is less than the number.
    Lt,
    /// `@noMatch`: never. In v3 it silently becomes a regular expression.
    NoMatch,
    /// `@pm`: the input contains one of the words.
    Pm,
    /// `@pmFromFile`: the same, with words from files.
    PmFromFile,
    /// `@rbl`: the address is listed in a block list in the DNS.
    Rbl,
    /// `@rx`: the input matches the regular expression.
    Rx,
    /// `@rxGlobal`: the same, capturing from every match.
    RxGlobal,
    /// `@streq`: the input is equal to the text.
    StrEq,
    /// `@strmatch`: the input contains the text.
    StrMatch,
    /// `@unconditionalMatch`: always.
    UnconditionalMatch,
    /// `@validateByteRange`: the input has a byte outside the ranges.
    ValidateByteRange,
    /// `@validateDTD`: the XML body does not follow the DTD.
    ValidateDtd,
    /// `@validateSchema`: the XML body does not follow the schema.
    ValidateSchema,
    /// `@validateUrlEncoding`: the input has an invalid `%` sequence.
    ValidateUrlEncoding,
    /// `@validateUtf8Encoding`: the input is not valid UTF-8.
    ValidateUtf8Encoding,
    /// `@verifyCC`: the input holds a credit card number.
    VerifyCc,
    /// `@verifyCPF`: the input holds a Brazilian taxpayer's number.
    VerifyCpf,
    /// `@verifySSN`: the input holds a United States social security number.
    VerifySsn,
    /// `@verifySVNR`: the input holds an Austrian social insurance number.
    VerifySvnr,
    /// `@within`: the input occurs in the text.
    Within,
}

/// Kind of argument of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArgumentKind {
    /// No argument.
    None,
    /// A text in the operator's own syntax.
    Text {
        /// `true` if `%{…}` in it is expanded for each transaction.
        macros: bool,
    },
    /// The paths or `https` addresses of one or more files, separated by blanks; the caller reads them.
    Files,
    /// The path of one file that the operator opens or runs itself.
    File,
}

/// A row of the table of operators.
struct Row {
    kind: OperatorKind,
    name: &'static str,
    log_name: &'static str,
    argument: ArgumentKind,
}

const fn row(kind: OperatorKind, name: &'static str, log_name: &'static str, argument: ArgumentKind) -> Row {
    Row { kind, name, log_name, argument }
}

/// The operators in the order of [`OperatorKind`], which is alphabetical.
static TABLE: &[Row] = {
    use ArgumentKind::{File, Files, None, Text};
    use OperatorKind as Kind;
    const MACROS: ArgumentKind = Text { macros: true };
    const TEXT: ArgumentKind = Text { macros: false };
    &[
        row(Kind::BeginsWith, "beginsWith", "BeginsWith", MACROS),
        row(Kind::Contains, "contains", "Contains", MACROS),
        row(Kind::ContainsWord, "containsWord", "ContainsWord", MACROS),
        row(Kind::DetectSqli, "detectSQLi", "DetectSQLi", None),
        row(Kind::DetectXss, "detectXSS", "DetectXSS", None),
        row(Kind::EndsWith, "endsWith", "EndsWith", MACROS),
        row(Kind::Eq, "eq", "Eq", MACROS),
        row(Kind::FuzzyHash, "fuzzyHash", "FuzzyHash", TEXT),
        row(Kind::Ge, "ge", "Ge", MACROS),
        row(Kind::GeoLookup, "geoLookup", "GeoLookup", None),
        row(Kind::Gt, "gt", "Gt", MACROS),
        row(Kind::InspectFile, "inspectFile", "InspectFile", File),
        row(Kind::IpMatch, "ipMatch", "IpMatch", MACROS),
        row(Kind::IpMatchFromFile, "ipMatchFromFile", "IpMatchFromFile", Files),
        row(Kind::Le, "le", "Le", MACROS),
        row(Kind::Lt, "lt", "Lt", MACROS),
        row(Kind::NoMatch, "noMatch", "NoMatch", None),
        row(Kind::Pm, "pm", "Pm", TEXT),
        row(Kind::PmFromFile, "pmFromFile", "PmFromFile", Files),
        row(Kind::Rbl, "rbl", "Rbl", TEXT),
        row(Kind::Rx, "rx", "Rx", MACROS),
        row(Kind::RxGlobal, "rxGlobal", "RxGlobal", MACROS),
        row(Kind::StrEq, "streq", "StrEq", MACROS),
        row(Kind::StrMatch, "strmatch", "StrMatch", MACROS),
        row(Kind::UnconditionalMatch, "unconditionalMatch", "UnconditionalMatch", None),
        row(Kind::ValidateByteRange, "validateByteRange", "ValidateByteRange", TEXT),
        row(Kind::ValidateDtd, "validateDTD", "ValidateDTD", File),
        row(Kind::ValidateSchema, "validateSchema", "ValidateSchema", File),
        row(Kind::ValidateUrlEncoding, "validateUrlEncoding", "ValidateUrlEncoding", None),
        row(Kind::ValidateUtf8Encoding, "validateUtf8Encoding", "ValidateUtf8Encoding", None),
        row(Kind::VerifyCc, "verifyCC", "VerifyCC", TEXT),
        row(Kind::VerifyCpf, "verifyCPF", "VerifyCPF", TEXT),
        row(Kind::VerifySsn, "verifySSN", "VerifySSN", TEXT),
        row(Kind::VerifySvnr, "verifySVNR", "VerifySVNR", TEXT),
        row(Kind::Within, "within", "Within", MACROS),
    ]
};

/// Other names that v3 accepts.
const ALIASES: [(&str, OperatorKind); 2] = [("ipMatchF", OperatorKind::IpMatchFromFile), ("pmf", OperatorKind::PmFromFile)];

impl OperatorKind {
    /// Returns the units of work for compiling an argument of `length` bytes during a transaction.
    pub const fn work_to_compile(self, length: usize) -> usize {
        const AUTOMATON: usize = 50_000;
        const EACH_BYTE: usize = 500;
        const EACH_BYTE_OF_A_LIST: usize = 16;
        match self {
            Self::Rx | Self::RxGlobal | Self::VerifyCc | Self::VerifyCpf | Self::VerifySsn | Self::VerifySvnr | Self::Pm => {
                AUTOMATON.saturating_add(length.saturating_mul(EACH_BYTE))
            }
            Self::IpMatch => length.saturating_mul(EACH_BYTE_OF_A_LIST),
            _ => length,
        }
    }

    /// Returns `true` if the offsets of a match say which bytes of the value the operator found. Those of `@within` are in its argument, and those of
    /// the operators about encodings are of bytes that are wrong.
    pub const fn locates(self) -> bool {
        matches!(
            self,
            Self::BeginsWith
                | Self::Contains
                | Self::ContainsWord
                | Self::EndsWith
                | Self::Rx
                | Self::RxGlobal
                | Self::Pm
                | Self::PmFromFile
                | Self::VerifyCc
                | Self::VerifyCpf
                | Self::VerifySsn
                | Self::VerifySvnr
        )
    }

    /// Returns all operators, by name.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        TABLE.iter().map(|row| row.kind)
    }

    /// Returns the name in rules, without the `@`, as v3's manual writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().map_or("", |row| row.name)
    }

    /// Returns the name that v3 prints in its logs: ``Matched "Operator `Rx' with parameter …``.
    #[must_use]
    pub fn log_name(self) -> &'static str {
        self.row().map_or("", |row| row.log_name)
    }

    /// Returns the kind of argument.
    #[must_use]
    pub fn argument(self) -> ArgumentKind {
        self.row().map_or(ArgumentKind::None, |row| row.argument)
    }

    /// Returns the operator of this name or alias, ignoring case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let named = TABLE.iter().find(|row| row.name.eq_ignore_ascii_case(name)).map(|row| row.kind);
        named.or_else(|| ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name)).map(|&(_, kind)| kind))
    }

    fn row(self) -> Option<&'static Row> {
        TABLE.get(self as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_kinds() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.kind as usize, index, "{}", row.name);
            assert_eq!(OperatorKind::from_name(row.name), Some(row.kind));
        }
        assert_eq!(OperatorKind::Within as usize + 1, TABLE.len());
    }

    #[test]
    fn names_are_found_in_any_case_and_by_alias() {
        assert_eq!(OperatorKind::from_name("DETECTsqlI"), Some(OperatorKind::DetectSqli));
        assert_eq!(OperatorKind::from_name("PMF"), Some(OperatorKind::PmFromFile));
        assert_eq!(OperatorKind::from_name("rsub"), None);
    }
}
