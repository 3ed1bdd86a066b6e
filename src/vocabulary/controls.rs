//! The options of the `ctl` action.

use super::Support;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct ControlEntry {
    /// The option; `None` for names that are known only to be refused.
    pub control: Option<Control>,
    /// Its name as the manuals spell it.
    pub name: &'static str,
    /// What stands behind the equals sign.
    pub value: &'static str,
    /// Whether rules can use it.
    pub support: Support,
}

/// What `ctl` can change for one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Control {
    /// Whether transactions are written to the audit log.
    AuditEngine,
    /// Which parts the audit log holds.
    AuditLogParts,
    /// Whether REQUEST_BODY holds a body that was read as XML.
    ForceRequestBodyVariable,
    /// Whether phase 2 runs.
    RequestBodyAccess,
    /// What reads the request body.
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
    /// Whether rules run and block.
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
    /// Every row of the table: what works, then what is refused.
    pub fn table() -> impl Iterator<Item = ControlEntry> {
        let works =
            WORKS.iter().map(|(name, control, value)| ControlEntry { control: Some(*control), name, value, support: Support::Works });
        let refused = REFUSED.iter().map(|(name, why)| ControlEntry { control: None, name, value: "", support: Support::Refused(why) });
        works.chain(refused)
    }

    /// The row with this name, in any case.
    pub fn find(name: &str) -> Option<ControlEntry> {
        Self::table().find(|entry| entry.name.eq_ignore_ascii_case(name))
    }

    /// Its name as the manuals spell it.
    pub fn name(self) -> &'static str {
        WORKS.iter().find(|(_, control, _)| *control == self).map_or("", |(name, ..)| name)
    }
}
