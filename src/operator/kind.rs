//! The operators by name.

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
    doc: &'static str,
}

const NONE: ArgumentKind = ArgumentKind::None;
const TEXT: ArgumentKind = ArgumentKind::Text { macros: false };
const MACROS: ArgumentKind = ArgumentKind::Text { macros: true };
const FILES: ArgumentKind = ArgumentKind::Files;
const FILE: ArgumentKind = ArgumentKind::File;

macro_rules! operators {
    ($($kind:ident $name:literal $log_name:literal $argument:expr, $doc:literal)+) => {
        /// An operator of ModSecurity v3, or `noMatch`, which v3 does not have.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum OperatorKind {
            $(#[doc = concat!("`@", $name, "`: ", $doc)] $kind,)+
        }

        /// The operators in the order of [`OperatorKind`], which is alphabetical.
        static TABLE: &[Row] = &[
            $(Row { kind: OperatorKind::$kind, name: $name, log_name: $log_name, argument: $argument, doc: $doc },)+
        ];
    };
}

operators! {
    BeginsWith "beginsWith" "BeginsWith" MACROS, "the input begins with the text."
    Contains "contains" "Contains" MACROS, "the input contains the text."
    ContainsWord "containsWord" "ContainsWord" MACROS, "the input contains the text with no letter on either side of it."
    DetectSqli "detectSQLi" "DetectSQLi" NONE, "the input looks like SQL injection, as libinjection judges it."
    DetectXss "detectXSS" "DetectXSS" NONE, "the input looks like cross-site scripting, as libinjection judges it."
    EndsWith "endsWith" "EndsWith" MACROS, "the input ends with the text."
    Eq "eq" "Eq" MACROS, "the input is equal to the number."
    FuzzyHash "fuzzyHash" "FuzzyHash" TEXT, "the input resembles one of a file of hashes."
    Ge "ge" "Ge" MACROS, "the input is greater than or equal to the number."
    GeoLookup "geoLookup" "GeoLookup" NONE, "the location of the address is known; fills GEO."
    Gt "gt" "Gt" MACROS, "the input is greater than the number."
    InspectFile "inspectFile" "InspectFile" FILE, "a script rejects the file that the input names."
    IpMatch "ipMatch" "IpMatch" MACROS, "the input is an address in one of the networks."
    IpMatchFromFile "ipMatchFromFile" "IpMatchFromFile" FILES, "the same, with networks from files."
    Le "le" "Le" MACROS, "the input is less than or equal to the number."
    Lt "lt" "Lt" MACROS, "the input is less than the number."
    NoMatch "noMatch" "NoMatch" NONE, "never. In v3 it silently becomes a regular expression."
    Pm "pm" "Pm" TEXT, "the input contains one of the words."
    PmFromFile "pmFromFile" "PmFromFile" FILES, "the same, with words from files."
    Rbl "rbl" "Rbl" TEXT, "the address is listed in a block list in the DNS."
    Rx "rx" "Rx" MACROS, "the input matches the regular expression."
    RxGlobal "rxGlobal" "RxGlobal" MACROS, "the same, capturing from every match."
    StrEq "streq" "StrEq" MACROS, "the input is equal to the text."
    StrMatch "strmatch" "StrMatch" MACROS, "the input contains the text."
    UnconditionalMatch "unconditionalMatch" "UnconditionalMatch" NONE, "always."
    ValidateByteRange "validateByteRange" "ValidateByteRange" TEXT, "the input has a byte outside the ranges."
    ValidateDtd "validateDTD" "ValidateDTD" FILE, "the XML body does not follow the DTD."
    ValidateSchema "validateSchema" "ValidateSchema" FILE, "the XML body does not follow the schema."
    ValidateUrlEncoding "validateUrlEncoding" "ValidateUrlEncoding" NONE, "the input has an invalid `%` sequence."
    ValidateUtf8Encoding "validateUtf8Encoding" "ValidateUtf8Encoding" NONE, "the input is not valid UTF-8."
    VerifyCc "verifyCC" "VerifyCC" TEXT, "the input holds a credit card number."
    VerifyCpf "verifyCPF" "VerifyCPF" TEXT, "the input holds a Brazilian taxpayer's number."
    VerifySsn "verifySSN" "VerifySSN" TEXT, "the input holds a United States social security number."
    VerifySvnr "verifySVNR" "VerifySVNR" TEXT, "the input holds an Austrian social insurance number."
    Within "within" "Within" MACROS, "the input occurs in the text."
}

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

    /// Returns when it matches, in words.
    #[must_use]
    pub fn doc(self) -> &'static str {
        self.row().map_or("", |row| row.doc)
    }

    /// Returns the other names that v3 accepts for it.
    pub fn aliases(self) -> impl Iterator<Item = &'static str> {
        ALIASES.iter().filter(move |(_, kind)| *kind == self).map(|(alias, _)| *alias)
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
