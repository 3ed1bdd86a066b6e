//! The actions of the language.

use super::Support;
use rustc_hash::FxHashMap;
use std::sync::LazyLock;

/// Role of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ActionRole {
    /// Describes the rule.
    Metadata,
    /// Decides about the request.
    Disruptive,
    /// Has another effect when the rule matches.
    NonDisruptive,
    /// Changes which rule comes next.
    Flow,
    /// Changes how the rule is evaluated, or carries data for another action.
    Data,
}

/// The value after the colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionArgument {
    /// No value.
    None,
    /// An optional value.
    Optional,
    /// A value.
    Required,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct ActionEntry {
    /// The action; `None` for names that are refused.
    pub action: Option<Action>,
    /// Its name as in the manuals.
    pub name: &'static str,
    /// Its role.
    pub role: ActionRole,
    /// The value after the colon.
    pub argument: ActionArgument,
    /// Support in this engine.
    pub support: Support,
    /// Its effect.
    pub doc: &'static str,
}

macro_rules! actions {
    ($($variant:ident $name:literal $role:ident $argument:ident $doc:literal)+) => {
        /// A supported action.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Action {
            $(#[doc = $doc] $variant,)+
        }

        impl Action {
            /// Returns every row of the table: supported names, then refused ones.
            pub fn table() -> impl Iterator<Item = ActionEntry> {
                const WORKS: &[ActionEntry] = &[$(ActionEntry {
                    action: Some(Action::$variant),
                    name: $name,
                    role: ActionRole::$role,
                    argument: ActionArgument::$argument,
                    support: Support::Works,
                    doc: $doc,
                },)+];
                let refused = REFUSED.iter().map(|(name, why)| ActionEntry {
                    action: None,
                    name,
                    role: ActionRole::NonDisruptive,
                    argument: ActionArgument::Optional,
                    support: Support::Refused(why),
                    doc: "",
                });
                WORKS.iter().copied().chain(refused)
            }

            /// Returns its name as in the manuals.
            pub fn name(self) -> &'static str {
                match self {
                    $(Action::$variant => $name,)+
                }
            }

            /// Returns its role.
            pub fn role(self) -> ActionRole {
                match self {
                    $(Action::$variant => ActionRole::$role,)+
                }
            }
        }
    };
}

actions! {
    Accuracy "accuracy" Metadata Required "Accuracy of the rule, 1 to 9."
    Allow "allow" Disruptive Optional "Lets the request through: the phase (`phase`), the request (`request`) or everything but logging."
    AuditLog "auditlog" NonDisruptive None "Writes the transaction to the audit log when the rule matches."
    Block "block" Disruptive None "Runs the action of the phase's SecDefaultAction."
    Capture "capture" Data None "Stores what the operator captured in TX:0, TX:1 and so on."
    Chain "chain" Flow None "Joins the rule to the next: both must match."
    Ctl "ctl" NonDisruptive Required "Changes the configuration for this transaction."
    Deny "deny" Disruptive None "Stops the request with the status, 403 by default."
    DeprecateVar "deprecatevar" NonDisruptive Required "Decreases a number as time passes."
    Drop "drop" Disruptive None "Stops the request as deny does: the host decides how to close."
    Exec "exec" NonDisruptive Required "Runs a Lua script when the rule matches."
    ExpireVar "expirevar" NonDisruptive Required "Removes a variable after some seconds."
    Id "id" Metadata Required "The rule's number."
    InitCol "initcol" NonDisruptive Required "Opens a persistent collection under a key."
    Log "log" NonDisruptive None "Writes a line to the error log, and to the audit log."
    LogData "logdata" NonDisruptive Required "Text that the log line carries as data."
    Maturity "maturity" Metadata Required "Maturity of the rule, 1 to 9."
    Msg "msg" Metadata Required "Text that the log line carries."
    MultiMatch "multiMatch" Data None "Runs the operator after each transformation that changes the value."
    NoAuditLog "noauditlog" NonDisruptive None "Keeps the rule out of the audit log."
    NoLog "nolog" NonDisruptive None "Keeps the rule out of all logs."
    Pass "pass" Disruptive None "Goes on with the next rule."
    Phase "phase" Metadata Required "When the rule runs: 1 to 5, request, response or logging."
    Redirect "redirect" Disruptive Required "Sends the client to another address."
    Rev "rev" Metadata Required "The rule's revision."
    SanitiseArg "sanitiseArg" NonDisruptive Required "Keeps the values of an argument out of all logs of the transaction."
    SanitiseMatched "sanitiseMatched" NonDisruptive None "Keeps the values that the rule matched out of all logs of the transaction."
    SanitiseMatchedBytes "sanitiseMatchedBytes" NonDisruptive Optional "Keeps the bytes that the operator found out of all logs of the transaction; `1/4` leaves the first and the last 4 of them."
    SanitiseRequestHeader "sanitiseRequestHeader" NonDisruptive Required "Keeps the values of a request header out of all logs of the transaction."
    SanitiseResponseHeader "sanitiseResponseHeader" NonDisruptive Required "Keeps the values of a response header out of all logs of the transaction."
    SetEnv "setenv" NonDisruptive Required "Sets a variable that ENV shows."
    SetRsc "setrsc" NonDisruptive Required "Opens the RESOURCE collection under a key."
    SetSid "setsid" NonDisruptive Required "Opens the SESSION collection under a key."
    SetUid "setuid" NonDisruptive Required "Opens the USER collection under a key."
    SetVar "setvar" NonDisruptive Required "Sets, changes or removes a variable."
    Severity "severity" Metadata Required "Severity of a match: EMERGENCY to DEBUG, or 0 to 7."
    Skip "skip" Flow Required "Skips this many rules."
    SkipAfter "skipAfter" Flow Required "Skips to the marker with this name."
    Status "status" Data Required "The status that deny and redirect answer with."
    T "t" Data Required "A transformation of the value before the operator sees it."
    Tag "tag" Metadata Required "A label."
    Ver "ver" Metadata Required "The version of the rule set."
    XmlNs "xmlns" Data Required "A prefix for a namespace in XPath targets."
}

const REFUSED: &[(&str, &str)] = &[
    ("proxy", "the host decides where requests go; use redirect, or deny with a status that the host maps"),
    ("pause", "a pause would hold the host's worker; use the host's rate limits"),
    ("append", "bodies cannot be rewritten"),
    ("prepend", "bodies cannot be rewritten"),
];

impl Action {
    /// Returns the row with this name, ignoring case. As in ModSecurity v2, `sanitise` may be written with a z.
    pub fn find(name: &str) -> Option<ActionEntry> {
        static AS_IN_THE_MANUALS: LazyLock<FxHashMap<&str, ActionEntry>> =
            LazyLock::new(|| Action::table().map(|entry| (entry.name, entry)).collect());
        let found = AS_IN_THE_MANUALS.get(name).copied();
        let in_any_case = |name: &str| Self::table().find(|entry| entry.name.eq_ignore_ascii_case(name));
        found.or_else(|| in_any_case(name)).or_else(|| {
            let (start, rest) = name.split_at_checked("sanitize".len()).filter(|(start, _)| start.eq_ignore_ascii_case("sanitize"))?;
            in_any_case(&format!("{}se{rest}", start.get(..6)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        assert_eq!(Action::find("skipafter").unwrap().action, Some(Action::SkipAfter));
        assert!(matches!(Action::find("proxy").unwrap().support, Support::Refused(_)));
        assert_eq!(Action::find("sanitizearg").unwrap().action, Some(Action::SanitiseArg));
        assert!(Action::find("den").is_none());
    }
}
