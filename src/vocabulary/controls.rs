//! The options of the `ctl` action.

use super::Support;

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct ControlEntry {
    /// The option; `None` for names that are refused.
    pub control: Option<Control>,
    /// Its name as in the manuals.
    pub name: &'static str,
    /// The value after the equals sign.
    pub value: &'static str,
    /// Support in this engine.
    pub support: Support,
    /// Its effect.
    pub doc: &'static str,
}

macro_rules! controls {
    ($($variant:ident $name:literal $value:literal, $doc:literal)+) => {
        /// An option of `ctl`, which changes one transaction.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Control {
            $(#[doc = $doc] $variant,)+
        }

        const WORKS: &[ControlEntry] = &[$(ControlEntry {
            control: Some(Control::$variant),
            name: $name,
            value: $value,
            support: Support::Works,
            doc: $doc,
        },)+];
    };
}

controls! {
    AuditEngine "auditEngine" "On, Off or RelevantOnly", "Selects the transactions that are written to the audit log."
    AuditLogParts "auditLogParts" "+ or - and letters A to K or Z", "Adds parts to the audit log record, or removes them."
    ForceRequestBodyVariable "forceRequestBodyVariable" "On or Off", "Fills REQUEST_BODY for XML bodies, too."
    RequestBodyAccess "requestBodyAccess" "On or Off", "Reads the request body and runs phase 2, or does neither."
    RequestBodyProcessor "requestBodyProcessor" "URLENCODED, MULTIPART, JSON or XML", "Selects the parser of the request body."
    RuleRemoveById "ruleRemoveById" "an id or a range of ids, such as 1000-1999", "Skips rules with this id."
    RuleRemoveByMsg "ruleRemoveByMsg" "a message", "Skips rules with this message."
    RuleRemoveByTag "ruleRemoveByTag" "a tag", "Skips rules with this tag."
    RuleRemoveTargetById "ruleRemoveTargetById" "an id or a range, a semicolon and a target, such as 1000;ARGS:x", "Removes a target from rules with this id."
    RuleRemoveTargetByMsg "ruleRemoveTargetByMsg" "a message, a semicolon and a target", "Removes a target from rules with this message."
    RuleRemoveTargetByTag "ruleRemoveTargetByTag" "a tag, a semicolon and a target", "Removes a target from rules with this tag."
    RuleEngine "ruleEngine" "On, Off or DetectionOnly", "Runs rules and blocks, runs them and blocks nothing, or runs none."
}

const REFUSED: &[(&str, &str)] = &[
    ("responseBodyAccess", "use SecResponseBodyAccess"),
    ("responseBodyLimit", "use SecResponseBodyLimit"),
    ("requestBodyLimit", "use SecRequestBodyLimit"),
    ("debugLogLevel", "use SecDebugLogLevel"),
    ("hashEngine", "link protection by hashes exists in ModSecurity v2 only"),
    ("hashEnforcement", "link protection by hashes exists in ModSecurity v2 only"),
    ("forceResponseBodyVariable", "RESPONSE_BODY is always filled"),
    ("responseBodyProcessor", "response bodies are not parsed"),
    ("parseXmlIntoArgs", "use XML:/* and XML://@*"),
];

impl Control {
    /// Returns every row of the table: supported names, then refused ones.
    pub fn table() -> impl Iterator<Item = ControlEntry> {
        let refused =
            REFUSED.iter().map(|(name, why)| ControlEntry { control: None, name, value: "", support: Support::Refused(why), doc: "" });
        WORKS.iter().copied().chain(refused)
    }

    /// Returns the row with this name, ignoring case.
    pub fn find(name: &str) -> Option<ControlEntry> {
        Self::table().find(|entry| entry.name.eq_ignore_ascii_case(name))
    }

    /// Returns its name as in the manuals.
    pub fn name(self) -> &'static str {
        WORKS.iter().find(|entry| entry.control == Some(self)).map_or("", |entry| entry.name)
    }
}
