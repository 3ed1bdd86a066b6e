//! The directives of the language.

use super::Support;

/// Arguments of a directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DirectiveArgument {
    /// Its own form: rules, actions, updates.
    Own,
    /// One of these words, in any case.
    Word(&'static [&'static str]),
    /// A whole number, not negative.
    Number,
    /// A number in octal, such as 0640, or `default`.
    Mode,
    /// One value.
    Value,
    /// A path and a number.
    PathAndNumber,
    /// A non-negative whole number, and optionally one of these words, in any case.
    NumberAndWord(&'static [&'static str]),
    /// One or more values.
    Values,
    /// No value.
    Nothing,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct DirectiveEntry {
    /// The directive; `None` for names that are accepted without effect or refused.
    pub directive: Option<Directive>,
    /// Its name as in the manuals.
    pub name: &'static str,
    /// Its arguments.
    pub argument: DirectiveArgument,
    /// Support in this engine.
    pub support: Support,
    /// Its effect.
    pub doc: &'static str,
}

const ON_OFF: DirectiveArgument = DirectiveArgument::Word(&["On", "Off"]);
const ON_OFF_RELEVANT: DirectiveArgument = DirectiveArgument::Word(&["On", "Off", "RelevantOnly"]);
const REJECT_PARTIAL: DirectiveArgument = DirectiveArgument::Word(&["Reject", "ProcessPartial"]);
const OWN: DirectiveArgument = DirectiveArgument::Own;
const NUMBER: DirectiveArgument = DirectiveArgument::Number;
const VALUE: DirectiveArgument = DirectiveArgument::Value;

macro_rules! directives {
    ($($variant:ident $name:literal $argument:expr, $doc:literal)+) => {
        /// A supported directive.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Directive {
            $(#[doc = $doc] $variant,)+
        }

        impl Directive {
            /// Returns every row of the table: supported names, then those without effect, then refused ones.
            pub fn table() -> impl Iterator<Item = DirectiveEntry> {
                let works = [$(DirectiveEntry {
                    directive: Some(Directive::$variant),
                    name: $name,
                    argument: $argument,
                    support: Support::Works,
                    doc: $doc,
                },)+];
                let silent = NO_EFFECT.iter().map(|(name, argument, why)| DirectiveEntry {
                    directive: None,
                    name,
                    argument: *argument,
                    support: Support::NoEffect(why),
                    doc: "",
                });
                let refused = REFUSED.iter().map(|(name, why)| DirectiveEntry {
                    directive: None,
                    name,
                    argument: OWN,
                    support: Support::Refused(why),
                    doc: "",
                });
                works.into_iter().chain(silent).chain(refused)
            }

            /// Returns its name as in the manuals.
            pub fn name(self) -> &'static str {
                match self {
                    $(Directive::$variant => $name,)+
                }
            }
        }
    };
}

directives! {
    Include "Include" VALUE, "Reads other files here; `*`, `?` and `[…]` stand for names; nothing found is an error."
    IncludeOptional "IncludeOptional" VALUE, "Reads other files here, if there are any."
    SecAction "SecAction" OWN, "Runs actions unconditionally."
    SecArgumentBytesLimit "SecArgumentBytesLimit" NUMBER, "How long the names and values of all arguments may be together, in bytes, 16777216 by default."
    SecArgumentSeparator "SecArgumentSeparator" VALUE, "The character between arguments, & by default."
    SecArgumentsLimit "SecArgumentsLimit" NUMBER, "How many arguments are read from a request, 100000 by default."
    SecAuditEngine "SecAuditEngine" ON_OFF_RELEVANT, "Which transactions are written to the audit log."
    SecAuditLog "SecAuditLog" VALUE, "The audit log's path or address."
    SecAuditLog2 "SecAuditLog2" VALUE, "The path of a second index of concurrent audit logs."
    SecAuditLogDirMode "SecAuditLogDirMode" DirectiveArgument::Mode, "The mode of folders that the audit log makes."
    SecAuditLogFileMode "SecAuditLogFileMode" DirectiveArgument::Mode, "The mode of files that the audit log makes."
    SecAuditLogFormat "SecAuditLogFormat" DirectiveArgument::Word(&["JSON", "Native"]), "The format of audit log records."
    SecAuditLogParts "SecAuditLogParts" VALUE, "The parts of audit log records, letters A to K and Z."
    SecAuditLogRelevantStatus "SecAuditLogRelevantStatus" VALUE, "A pattern of statuses that make a transaction relevant."
    SecAuditLogStorageDir "SecAuditLogStorageDir" VALUE, "The folder of concurrent audit logs."
    SecAuditLogType "SecAuditLogType" DirectiveArgument::Word(&["Serial", "Parallel", "Concurrent", "HTTPS"]), "How audit log records are written; HTTPS posts them to the address in SecAuditLog, in builds with the feature `remote`."
    SecCapturesLimit "SecCapturesLimit" NUMBER, "How many captures of one match are kept, 1000 by default."
    SecChainLimit "SecChainLimit" NUMBER, "How many rules a chain may have, 100 by default."
    SecComponentSignature "SecComponentSignature" VALUE, "A component named in audit log records."
    SecCookiesLimit "SecCookiesLimit" NUMBER, "How many cookies are read from a request, 10000 by default."
    SecCrawlerFile "SecCrawlerFile" VALUE, "A file of crawlers that is_verified_crawler knows besides the built-in ones: a part of the user agent, then domains."
    SecDebugLog "SecDebugLog" VALUE, "The debug log's path."
    SecDebugLogLevel "SecDebugLogLevel" NUMBER, "How much the debug log holds, 0 to 9."
    SecDecisionBodyLimit "SecDecisionBodyLimit" NUMBER, "How much of a request body decision scripts see, in bytes, 131072 by default."
    SecDecisionFailure "SecDecisionFailure" DirectiveArgument::Word(&["open", "closed"]), "What a decision script that fails means: open, the default, asks the next, and closed blocks the request."
    SecDecisionScript "SecDecisionScript" DirectiveArgument::Values, "A Lua script that blocks the request, lets it pass or leaves it to the next; after it phase:1 or phase:2."
    SecDecisionStatus "SecDecisionStatus" NUMBER, "The status that decision scripts block with, 403 by default."
    SecDefaultAction "SecDefaultAction" OWN, "What `block` does in a phase, and actions that every rule of the phase has."
    SecGeoLookupDb "SecGeoLookupDb" VALUE, "The database of @geoLookup."
    SecHeaderBytesLimit "SecHeaderBytesLimit" NUMBER, "How long the names and values of all headers of a message may be together, in bytes, 1048576 by default."
    SecHeadersLimit "SecHeadersLimit" NUMBER, "How many headers of a message are taken in, 10000 by default."
    SecHttpBlKey "SecHttpBlKey" VALUE, "The key for @rbl on httpbl.org."
    SecIpList "SecIpList" DirectiveArgument::Values, "Addresses that decision scripts ask about: blacklist or whitelist, addresses, networks and files of them, site:N."
    SecLuaInstructionLimit "SecLuaInstructionLimit" NUMBER, "How many instructions one call of a script may take, 10000000 by default."
    SecLuaMemoryLimit "SecLuaMemoryLimit" NUMBER, "How much memory the values of one call of a script may take, in bytes, 67108864 by default."
    SecLuaSandbox "SecLuaSandbox" ON_OFF, "Whether scripts of rules run without files, programs and bytecode; decision scripts always do."
    SecLuaTimeLimit "SecLuaTimeLimit" NUMBER, "How long one call of a script may take, in milliseconds, 250 by default."
    SecMacroDepthLimit "SecMacroDepthLimit" NUMBER, "How deep the texts of a rule may name each other with macros, 1 by default."
    SecMacroLimit "SecMacroLimit" NUMBER, "How long a text may become by its macros, in bytes, 1048576 by default."
    SecMarker "SecMarker" VALUE, "A place that skipAfter jumps to."
    SecMatchesLimit "SecMatchesLimit" NUMBER, "How many matches of rules a transaction logs, 5000 by default."
    SecMultipartHeaderBytesLimit "SecMultipartHeaderBytesLimit" NUMBER, "How long a header line of a part of a multipart body may be, in bytes, 4096 by default."
    SecMultipartHeadersLimit "SecMultipartHeadersLimit" NUMBER, "How many header lines a part of a multipart body may have, 256 by default."
    SecMultipartPartsLimit "SecMultipartPartsLimit" NUMBER, "How many parts a multipart body may have, 10000 by default."
    SecPcreMatchLimit "SecPcreMatchLimit" NUMBER, "How many steps a pattern may take that needs backtracking."
    SecRateLimit "SecRateLimit" DirectiveArgument::Values, "How often an address may ask before is_rate_limited says so: requests/seconds, burst:N, site:N."
    SecRemoteRules "SecRemoteRules" DirectiveArgument::Values, "Rules from an https address."
    SecRemoteRulesFailAction "SecRemoteRulesFailAction" DirectiveArgument::Word(&["Abort", "Warn"]), "Whether rules that cannot be fetched end the load."
    SecRequestBodyAccess "SecRequestBodyAccess" ON_OFF, "Whether phase 2 runs."
    SecRequestBodyJsonDepthLimit "SecRequestBodyJsonDepthLimit" NUMBER, "How deep JSON may be nested, 512 by default."
    SecRequestBodyJsonNodesLimit "SecRequestBodyJsonNodesLimit" NUMBER, "How many objects, arrays and other values JSON may hold, 1000000 by default."
    SecRequestBodyLimit "SecRequestBodyLimit" NUMBER, "How long a request body may be, in bytes."
    SecRequestBodyLimitAction "SecRequestBodyLimitAction" REJECT_PARTIAL, "What happens to a longer request body."
    SecRequestBodyNoFilesLimit "SecRequestBodyNoFilesLimit" NUMBER, "How long a request body may be without its files, in bytes."
    SecRequestBodyXmlAttributesLimit "SecRequestBodyXmlAttributesLimit" NUMBER, "How many attributes an element of XML may have, 512 by default."
    SecRequestBodyXmlDepthLimit "SecRequestBodyXmlDepthLimit" NUMBER, "How deep XML may be nested, 256 by default."
    SecRequestBodyXmlEntityLimit "SecRequestBodyXmlEntityLimit" NUMBER, "How many bytes the entities of XML may expand to, 65536 by default."
    SecRequestBodyXmlNodesLimit "SecRequestBodyXmlNodesLimit" NUMBER, "How many tags, comments and the like XML may hold, 250000 by default."
    SecResolver "SecResolver" VALUE, "The name server that @rbl and is_verified_crawler ask, as address or address:port."
    SecResolverTimeLimit "SecResolverTimeLimit" NUMBER, "How long a look-up of is_verified_crawler may take, in milliseconds, 500 by default; requests do not wait for it."
    SecResponseBodyAccess "SecResponseBodyAccess" ON_OFF, "Whether phase 4 runs."
    SecResponseBodyLimit "SecResponseBodyLimit" NUMBER, "How long a response body may be, in bytes."
    SecResponseBodyLimitAction "SecResponseBodyLimitAction" REJECT_PARTIAL, "What happens to a longer response body."
    SecResponseBodyMimeType "SecResponseBodyMimeType" DirectiveArgument::Values, "The media types that phase 4 looks at."
    SecResponseBodyMimeTypesClear "SecResponseBodyMimeTypesClear" DirectiveArgument::Nothing, "Empties the list of media types."
    SecRule "SecRule" OWN, "A rule: targets, an operator, actions."
    SecRuleEngine "SecRuleEngine" DirectiveArgument::Word(&["On", "Off", "DetectionOnly"]), "Whether rules run and block."
    SecRuleRemoveById "SecRuleRemoveById" DirectiveArgument::Values, "Removes rules by id or range."
    SecRuleRemoveByMsg "SecRuleRemoveByMsg" VALUE, "Removes rules by message."
    SecRuleRemoveByTag "SecRuleRemoveByTag" VALUE, "Removes rules by tag."
    SecRuleScript "SecRuleScript" OWN, "A Lua script as a rule: it matches when its function `main` returns a text or a number."
    SecRuleUpdateActionById "SecRuleUpdateActionById" OWN, "Changes a rule's actions."
    SecRuleUpdateTargetById "SecRuleUpdateTargetById" OWN, "Changes targets of rules by id or range."
    SecRuleUpdateTargetByMsg "SecRuleUpdateTargetByMsg" OWN, "Changes targets of rules by message."
    SecRuleUpdateTargetByTag "SecRuleUpdateTargetByTag" OWN, "Changes targets of rules by tag."
    SecSite "SecSite" DirectiveArgument::Values, "The hosts of a site, for decision scripts: its number, then names such as shop.example or *.shop.example."
    SecSiteId "SecSiteId" VALUE, "The number of the site that requests are for, for decision scripts; it may differ by place of the server's configuration."
    SecSkipLimit "SecSkipLimit" NUMBER, "How many rules `skip` may pass over, 10000 by default."
    SecStoreTimeLimit "SecStoreTimeLimit" NUMBER, "How long a transaction may wait for persistent collections in all, in milliseconds, 1000 by default."
    SecStoreBytesLimit "SecStoreBytesLimit" NUMBER, "How many bytes persistent collections may take in memory, 67108864 by default."
    SecStoreVariablesLimit "SecStoreVariablesLimit" NUMBER, "How many variables a record of a persistent collection may hold, 1000 by default."
    SecTmpSaveUploadedFiles "SecTmpSaveUploadedFiles" ON_OFF, "Whether uploaded files are written to SecUploadDir for the time of the transaction."
    SecTransactionBudget "SecTransactionBudget" DirectiveArgument::NumberAndWord(&["deny", "pass"]), "How much work a transaction may make, in units of about a byte looked at, 2000000000 by default, and whether one that makes more is stopped (deny, the default) or goes on without rules (pass)."
    SecTransactionMemoryLimit "SecTransactionMemoryLimit" NUMBER, "How much memory the values of a transaction and what is known of them may take besides its bodies, in bytes, 134217728 by default."
    SecTransformationLimit "SecTransformationLimit" NUMBER, "How long a value may become by a transformation, in bytes, 67108864 by default."
    SecTrustedSource "SecTrustedSource" DirectiveArgument::Values, "Peers, such as proxies, whose X-Real-IP or X-Forwarded-For names the client for decision scripts: addresses, networks, files of them, unix:, and client:first, client:last-untrusted or client:N."
    SecUnicodeMapFile "SecUnicodeMapFile" DirectiveArgument::PathAndNumber, "The code page that t:urlDecodeUni uses."
    SecUploadDir "SecUploadDir" VALUE, "The folder for uploaded files."
    SecUploadFileLimit "SecUploadFileLimit" NUMBER, "How many files a request may hold."
    SecUploadFileMode "SecUploadFileMode" DirectiveArgument::Mode, "The mode of uploaded files."
    SecUploadKeepFiles "SecUploadKeepFiles" ON_OFF_RELEVANT, "Whether uploaded files stay after the transaction."
    SecWebAppId "SecWebAppId" VALUE, "Part of the keys of persistent collections."
    SecXPathLimit "SecXPathLimit" NUMBER, "How many nodes of XML an XPath may visit, 2000000 by default."
    SecXmlExternalEntity "SecXmlExternalEntity" ON_OFF, "Whether @validateDTD and @validateSchema may read other files."
}

const ONLY_OFF: DirectiveArgument = DirectiveArgument::Word(&["Off"]);

const VALUES: DirectiveArgument = DirectiveArgument::Values;
const NO_HASHES: &str = "link protection by hashes exists in ModSecurity v2 only";

/// Directives that do not change verdicts: the place of bodies, performance, names in logs and headers. Unsupported directives that change verdicts
/// are refused.
const NO_EFFECT: &[(&str, DirectiveArgument, &str)] = &[
    ("SecCacheTransformations", VALUES, "transformations are always computed once"),
    ("SecCollectionTimeout", NUMBER, "variables of persistent collections stay until expirevar removes them"),
    ("SecConnEngine", ONLY_OFF, "connections are the host's"),
    ("SecContentInjection", ONLY_OFF, "bodies cannot be rewritten"),
    ("SecCookieFormat", DirectiveArgument::Word(&["0"]), "version 0 cookies are the only ones that browsers send"),
    ("SecDataDir", VALUE, "persistent collections are kept in memory"),
    ("SecDisableBackendCompression", ONLY_OFF, "compression is the host's"),
    ("SecHashEngine", ONLY_OFF, NO_HASHES),
    ("SecHashKey", VALUES, NO_HASHES),
    ("SecHashMethodPm", VALUES, NO_HASHES),
    ("SecHashMethodRx", VALUES, NO_HASHES),
    ("SecHashParam", VALUE, NO_HASHES),
    ("SecIgnoreRuleCompilationErrors", ONLY_OFF, "rules that are not understood are always refused"),
    ("SecInterceptOnError", ONLY_OFF, "a rule that fails does not stop the request"),
    ("SecParseXmlIntoArgs", ONLY_OFF, "XML is never read into arguments, use XML:/* and XML://@*"),
    ("SecPcreMatchLimitRecursion", NUMBER, "matching does not recurse"),
    ("SecRequestBodyInMemoryLimit", NUMBER, "bodies are kept in memory up to SecRequestBodyLimit"),
    ("SecRuleInheritance", ONLY_OFF, "contexts are merged by the host"),
    ("SecRulePerfTime", NUMBER, "`secrule profile` measures rules"),
    ("SecRxPreFilter", ON_OFF, "patterns are always filtered first"),
    ("SecSensorId", VALUE, "audit log records do not hold it; SecComponentSignature adds a name to them"),
    ("SecServerSignature", VALUE, "the host writes the Server header"),
    ("SecStatusEngine", ON_OFF, "no status is reported"),
    ("SecStreamInBodyInspection", ON_OFF, "REQUEST_BODY has the body"),
    ("SecStreamOutBodyInspection", ON_OFF, "RESPONSE_BODY has the body"),
    ("SecTmpDir", VALUE, "bodies are kept in memory"),
];

const REFUSED: &[(&str, &str)] = &[
    ("SecChrootDir", "use the host's own isolation"),
    ("SecConnReadStateLimit", "use the host's connection limits"),
    ("SecConnWriteStateLimit", "use the host's connection limits"),
    ("SecCookieV0Separator", "cookies are separated by semicolons"),
    ("SecDataset", "it is Coraza's; put the words into a file and use @pmFromFile or @ipMatchFromFile"),
    ("SecGsbLookupDb", "Google Safe Browsing look-ups exist in ModSecurity v2 only"),
    ("SecGuardianLog", "use SecAuditLog"),
    ("SecReadStateLimit", "use the host's connection limits"),
    ("SecRequestEncoding", "bytes are taken as they come"),
    ("SecUnicodeCodePage", "use SecUnicodeMapFile FILE CODEPAGE"),
    ("SecWriteStateLimit", "use the host's connection limits"),
];

impl Directive {
    /// Returns the row with this name, ignoring case.
    pub fn find(name: &str) -> Option<DirectiveEntry> {
        Self::table().find(|entry| entry.name.eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        assert_eq!(Directive::find("secrule").unwrap().directive, Some(Directive::SecRule));
        assert!(matches!(Directive::find("SecTmpDir").unwrap().support, Support::NoEffect(_)));
        assert!(matches!(Directive::find("SecGuardianLog").unwrap().support, Support::Refused(_)));
        assert!(Directive::find("SecRul").is_none());
    }
}
