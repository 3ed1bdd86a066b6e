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
}

/// An option of `ctl`, which changes one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Control {
    /// Selects the transactions that are written to the audit log.
    AuditEngine,
    /// Parts of the audit log record.
    AuditLogParts,
    /// `On` to fill REQUEST_BODY for XML bodies too.
    ForceRequestBodyVariable,
    /// `On` to run phase 2.
    RequestBodyAccess,
    /// The parser of the request body.
    RequestBodyProcessor,
    /// Rules to skip, by id.
    RuleRemoveById,
    /// Rules to skip, by message.
    RuleRemoveByMsg,
    /// Rules to skip, by tag.
    RuleRemoveByTag,
    /// A target to skip in rules, by id.
    RuleRemoveTargetById,
    /// A target to skip in rules, by message.
    RuleRemoveTargetByMsg,
    /// A target to skip in rules, by tag.
    RuleRemoveTargetByTag,
    /// `On` to run rules and block.
    RuleEngine,
}

const WORKS: &[(&str, Control, &str)] = &[
    ("auditEngine", Control::AuditEngine, "On, Off or RelevantOnly"),
    ("auditLogParts", Control::AuditLogParts, "+ or - and letters A to K or Z"),
    ("forceRequestBodyVariable", Control::ForceRequestBodyVariable, "On or Off"),
    ("requestBodyAccess", Control::RequestBodyAccess, "On or Off"),
    ("requestBodyProcessor", Control::RequestBodyProcessor, "URLENCODED, MULTIPART, JSON or XML"),
    ("ruleRemoveById", Control::RuleRemoveById, "an id or a range of ids, such as 1000-1999"),
    ("ruleRemoveByMsg", Control::RuleRemoveByMsg, "a message"),
    ("ruleRemoveByTag", Control::RuleRemoveByTag, "a tag"),
    ("ruleRemoveTargetById", Control::RuleRemoveTargetById, "an id or a range, a semicolon and a target, such as 1000;ARGS:x"),
    ("ruleRemoveTargetByMsg", Control::RuleRemoveTargetByMsg, "a message, a semicolon and a target"),
    ("ruleRemoveTargetByTag", Control::RuleRemoveTargetByTag, "a tag, a semicolon and a target"),
    ("ruleEngine", Control::RuleEngine, "On, Off or DetectionOnly"),
];

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
        let works =
            WORKS.iter().map(|(name, control, value)| ControlEntry { control: Some(*control), name, value, support: Support::Works });
        let refused = REFUSED.iter().map(|(name, why)| ControlEntry { control: None, name, value: "", support: Support::Refused(why) });
        works.chain(refused)
    }

    /// Returns the row with this name, ignoring case.
    pub fn find(name: &str) -> Option<ControlEntry> {
        Self::table().find(|entry| entry.name.eq_ignore_ascii_case(name))
    }

    /// Returns its name as in the manuals.
    pub fn name(self) -> &'static str {
        WORKS.iter().find(|(_, control, _)| *control == self).map_or("", |(name, ..)| name)
    }
}
