//! The codes of errors and warnings: numbers that never change their meaning.

use super::Severity;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal,)+) => {
        /// Kind of problem that a diagnostic reports.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Code {
            /// All codes, in the order of their numbers within errors and warnings.
            pub const ALL: &'static [Code] = &[$(Code::$name,)+];

            /// Returns the code as users see it: `E` for an error, `W` for a warning, three digits.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Code::$name => $code,)+
                }
            }

            /// Returns the meaning of the code, in a sentence.
            pub fn explanation(self) -> &'static str {
                match self {
                    $(Code::$name => concat!($($doc),+).trim_start(),)+
                }
            }
        }
    };
}

codes! {
    /// A rule file or data file cannot be read.
    Unreadable = "E001",
    /// A rule file holds bytes that are not UTF-8 text.
    NotText = "E002",
    /// An `Include` names no file.
    IncludeNothing = "E003",
    /// Files include each other, or too many levels deep, or too many in all.
    IncludeDepth = "E004",
    /// Rules or data cannot be fetched from the network.
    Unfetched = "E005",
    /// Fewer rules were loaded than the host expects.
    TooFewRules = "E006",

    /// A quote is opened and never closed.
    UnclosedQuote = "E101",
    /// Something else was expected here.
    Syntax = "E102",
    /// A directive needs an argument.
    MissingArgument = "E103",
    /// A directive has more arguments than it takes.
    SurplusArgument = "E104",

    /// No directive has this name.
    UnknownDirective = "E201",
    /// The directive exists elsewhere, but not in this engine.
    UnsupportedDirective = "E202",
    /// A directive's argument is not one that it takes.
    BadDirectiveValue = "E203",
    /// A file that a directive names cannot be used.
    BadDirectiveFile = "E204",
    /// A file is not a Lua script.
    BadScript = "E205",

    /// No variable has this name.
    UnknownVariable = "E301",
    /// The variable exists elsewhere, but not in this engine.
    UnsupportedVariable = "E302",
    /// The variable has one value, so nothing can be selected from it.
    NotACollection = "E303",
    /// The selector is not a valid regular expression.
    BadSelector = "E304",

    /// No operator has this name.
    UnknownOperator = "E401",
    /// The operator exists elsewhere, or is not built yet.
    UnsupportedOperator = "E402",
    /// An operator needs an argument, or has one that it does not take.
    OperatorArgument = "E403",
    /// The operator does not take this argument.
    BadOperatorArgument = "E404",

    /// No transformation has this name.
    UnknownTransformation = "E501",

    /// No action has this name.
    UnknownAction = "E601",
    /// The action exists elsewhere, but not in this engine.
    UnsupportedAction = "E602",
    /// The action does not take this value.
    BadActionValue = "E603",
    /// The action cannot be used here.
    MisplacedAction = "E604",
    /// A rule has no id.
    MissingId = "E605",
    /// Two rules have the same id.
    DuplicateId = "E606",
    /// A macro names no variable.
    UnknownMacro = "E607",
    /// A chain has more rules than SecChainLimit.
    ChainTooLong = "E608",

    /// A default action has no disruptive action.
    DefaultNotDisruptive = "E701",
    /// A phase has two default actions.
    DefaultTwice = "E702",

    /// A quote is never closed: the end of its line, its list or its text closes it.
    QuoteClosedByEnd = "W101",
    /// A comment holds bytes that are not UTF-8 text.
    CommentNotText = "W102",

    /// The directive is accepted and changes nothing.
    NoEffect = "W201",
    /// A chain ends without its last rule.
    OpenChain = "W202",
    /// An update or removal names no rule.
    NothingToUpdate = "W203",
    /// A skipAfter names no marker.
    UnknownMarker = "W204",
    /// An operator has no database or key, because no directive names one.
    NothingToLookUp = "W206",
    /// A DTD or schema cannot be used, so no body conforms to it.
    UselessGrammar = "W207",
    /// Rules from the network cannot be fetched, and the rule set continues without them.
    RemoteRulesMissing = "W208",
    /// Rules of a phase are never evaluated.
    Unreached = "W209",
    /// Rules look at REQUEST_BODY where XML bodies are not in it.
    XmlBodyUnseen = "W214",
    /// The folder for uploaded files does not exist or cannot be written to.
    UploadFolder = "W216",
    /// The cache of patterns cannot be used or written.
    PatternCache = "W217",

    /// A rule inspects a variable that is not filled before a later phase.
    NotFilledYet = "W220",
    /// A number is compared with a text that is not a number.
    NotANumber = "W221",
    /// A pattern begins with the name of an operator.
    OperatorWithoutMark = "W222",
    /// A rule has several decisions, of which one counts.
    SeveralDecisions = "W223",
    /// A body limit has no action for what exceeds it.
    LimitWithoutAction = "W224",
    /// It may not be known which bytes of a value matched, so that all of it is masked.
    BytesNotKnown = "W227",
    /// A script does not have the function that is called.
    NothingToCall = "W225",
    /// A setting has no effect, because rules that were loaded before set it.
    Overruled = "W226",
    /// A script requires a module that does not exist.
    MissingModule = "W230",
    /// A rule writes a variable of a record that is read-only.
    ReadOnlyField = "W231",
    /// An `expirevar` or `deprecatevar` has no effect, or removes its variable at once.
    NoExpiry = "W232",
    /// A variable would expire after its record is removed.
    ExpiresTooLate = "W233",
    /// Rules write to a persistent collection that none opens.
    NeverOpened = "W234",
    /// A rule reads how often records of a collection changed, and no rule changes them.
    NeverChanged = "W235",
    /// Plugins or extensions are named, and no script host to run them.
    NoScriptHost = "W236",
}

impl Code {
    /// Returns whether the code is an error or a warning.
    pub fn severity(self) -> Severity {
        if self.as_str().starts_with('W') { Severity::Warning } else { Severity::Error }
    }

    /// Returns `true` for warnings that rules or settings elsewhere in a configuration may resolve.
    pub fn depends_on_the_rest(self) -> bool {
        matches!(
            self,
            Code::NothingToUpdate
                | Code::UnknownMarker
                | Code::NothingToLookUp
                | Code::UselessGrammar
                | Code::Unreached
                | Code::XmlBodyUnseen
                | Code::LimitWithoutAction
                | Code::ExpiresTooLate
                | Code::NeverOpened
                | Code::NeverChanged
                | Code::NoScriptHost
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_codes_share_a_number() {
        let numbers: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(numbers.len(), Code::ALL.len());
    }
}
