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
                const WORKS: &[DirectiveEntry] = &[$(DirectiveEntry {
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
                WORKS.iter().copied().chain(silent).chain(refused)
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
    SecAlarm "SecAlarm" VALUE, "A place for the alarms of extensions: log, the default, or an https address that takes them as JSON."
    SecArgumentBytesLimit "SecArgumentBytesLimit" NUMBER, "Maximum total length of the names and values of all arguments, in bytes, 16777216 by default."
    SecArgumentSeparator "SecArgumentSeparator" VALUE, "The character between arguments, & by default."
    SecArgumentsLimit "SecArgumentsLimit" NUMBER, "Maximum number of arguments that are read from a request, 100000 by default."
    SecAuditEngine "SecAuditEngine" ON_OFF_RELEVANT, "Selects the transactions that are written to the audit log."
    SecAuditLog "SecAuditLog" VALUE, "The audit log's path or address."
    SecAuditLog2 "SecAuditLog2" VALUE, "The path of a second index of concurrent audit logs."
    SecAuditLogDirMode "SecAuditLogDirMode" DirectiveArgument::Mode, "The mode of folders that the audit log makes."
    SecAuditLogFileMode "SecAuditLogFileMode" DirectiveArgument::Mode, "The mode of files that the audit log makes."
    SecAuditLogFormat "SecAuditLogFormat" DirectiveArgument::Word(&["JSON", "Native", "OCSF"]), "The format of audit log records."
    SecAuditLogParts "SecAuditLogParts" VALUE, "The parts of audit log records, letters A to K and Z."
    SecAuditLogRelevantStatus "SecAuditLogRelevantStatus" VALUE, "A pattern of statuses that make a transaction relevant."
    SecAuditLogStorageDir "SecAuditLogStorageDir" VALUE, "The folder of concurrent audit logs."
    SecAuditLogType "SecAuditLogType" DirectiveArgument::Word(&["Serial", "Parallel", "Concurrent", "HTTPS"]), "Destination of audit log records; HTTPS posts them to the address in SecAuditLog, in builds with the feature `remote`."
    SecCapturesLimit "SecCapturesLimit" NUMBER, "Maximum number of captures of one match, 1000 by default."
    SecChainLimit "SecChainLimit" NUMBER, "Maximum number of rules in a chain, 100 by default."
    SecCollectionFailure "SecCollectionFailure" DirectiveArgument::Word(&["open", "closed"]), "Effect of a store that does not answer: open, the default, continues with empty collections and no bans, and closed denies the request with 503."
    SecCollectionStore "SecCollectionStore" VALUE, "The store of persistent collections, bans and rates: memory, the default, or an address such as lmdb:/var/lib/waf/store.mdb?size=256M or redis://host:6379."
    SecCollectionTimeout "SecCollectionTimeout" NUMBER, "Time without a change after which a record of a persistent collection is removed, in seconds, 3600 by default; 0 for no end."
    SecComponentSignature "SecComponentSignature" VALUE, "A component named in audit log records."
    SecCookiesLimit "SecCookiesLimit" NUMBER, "Maximum number of cookies that are read from a request, 10000 by default."
    SecCrawlerFile "SecCrawlerFile" VALUE, "A file of crawlers for is_verified_crawler, in addition to the built-in ones: a part of the user agent, then domains."
    SecDataDir "SecDataDir" VALUE, "A folder that the users of the server's processes may write to: files there keep what was learned of patterns, so that the next load takes less time, and with the C library, without SecCollectionStore, persistent collections, bans and rates."
    SecDebugLog "SecDebugLog" VALUE, "The debug log's path."
    SecDebugLogLevel "SecDebugLogLevel" NUMBER, "Detail of the debug log, 0 to 9."
    SecDecisionBodyLimit "SecDecisionBodyLimit" NUMBER, "Maximum part of a request body for decision scripts, in bytes, 131072 by default."
    SecDecisionFailure "SecDecisionFailure" DirectiveArgument::Word(&["open", "closed"]), "Effect of a failed decision script: open, the default, continues with the next, and closed blocks the request."
    SecDecisionScript "SecDecisionScript" DirectiveArgument::Values, "A Lua script that blocks the request, lets it pass or leaves the decision to the next; after it phase:1 or phase:2."
    SecDecisionStatus "SecDecisionStatus" NUMBER, "The status that decision scripts block with, 403 by default."
    SecDefaultAction "SecDefaultAction" OWN, "The action of `block` in a phase, and actions of every rule of the phase."
    SecExtension "SecExtension" DirectiveArgument::Values, "A Lua script that the script host runs on a timetable or an event: cron:\"*/5 * * * *\" or event:waf_event; off to run it only by hand."
    SecExtensionDatabase "SecExtensionDatabase" DirectiveArgument::Values, "A database for sql_query: its name, admin or log_server, and its address, embedded:PATH or postgres://user:password@host/name."
    SecExtensionHistory "SecExtensionHistory" DirectiveArgument::Values, "The file of the runs of extensions; runs:1000 and days:30 limit it."
    SecExtensionScore "SecExtensionScore" DirectiveArgument::Values, "The variables of TX that hold the score of a request and the threshold, for events of extensions; without it, those of the OWASP CRS."
    SecExtensionTimeLimit "SecExtensionTimeLimit" NUMBER, "Maximum time of a run of an extension, in seconds, 600 by default."
    SecGeoLookupDb "SecGeoLookupDb" VALUE, "The database of @geoLookup."
    SecHeaderBytesLimit "SecHeaderBytesLimit" NUMBER, "Maximum total length of the names and values of all headers of a message, in bytes, 1048576 by default."
    SecHeadersLimit "SecHeadersLimit" NUMBER, "Maximum number of headers of a message, 10000 by default."
    SecHttpBlKey "SecHttpBlKey" VALUE, "The key for @rbl on httpbl.org."
    SecIpList "SecIpList" DirectiveArgument::Values, "Lists of addresses: blacklist or whitelist; addresses, networks and files of them, for decision scripts; list:NAME, a list in the store, and a client on one of a blacklist is denied; site:N."
    SecLuaInstructionLimit "SecLuaInstructionLimit" NUMBER, "Maximum number of instructions of one call of a script, 10000000 by default."
    SecLuaMemoryLimit "SecLuaMemoryLimit" NUMBER, "Maximum memory of the values of one call of a script, in bytes, 67108864 by default."
    SecLuaSandbox "SecLuaSandbox" ON_OFF, "On runs scripts of rules without files, programs and bytecode, as decision scripts always run."
    SecLuaTimeLimit "SecLuaTimeLimit" NUMBER, "Maximum time of one call of a script, in milliseconds, 250 by default."
    SecMacroDepthLimit "SecMacroDepthLimit" NUMBER, "Maximum depth of texts of a rule that contain each other by macros, 1 by default."
    SecMacroLimit "SecMacroLimit" NUMBER, "Maximum length of a text with expanded macros, in bytes, 1048576 by default."
    SecMarker "SecMarker" VALUE, "A place that skipAfter jumps to."
    SecMatchesLimit "SecMatchesLimit" NUMBER, "Maximum number of logged matches of a transaction, 5000 by default."
    SecMultipartHeaderBytesLimit "SecMultipartHeaderBytesLimit" NUMBER, "Maximum length of a header line of a part of a multipart body, in bytes, 4096 by default."
    SecMultipartHeadersLimit "SecMultipartHeadersLimit" NUMBER, "Maximum number of header lines of a part of a multipart body, 256 by default."
    SecMultipartPartsLimit "SecMultipartPartsLimit" NUMBER, "Maximum number of parts of a multipart body, 10000 by default."
    SecPcreMatchLimit "SecPcreMatchLimit" NUMBER, "Maximum number of steps of a backtracking pattern."
    SecPlugin "SecPlugin" DirectiveArgument::Values, "Lua scripts that watch all requests, with the interface `skynet`; the script host runs them."
    SecPluginDetail "SecPluginDetail" ON_OFF, "Off keeps heads and bodies of requests from plugins and extensions; On, the default, shows them those of requests in which rules found something."
    SecPluginHost "SecPluginHost" VALUE, "The socket of the script host, which runs plugins and extensions: unix:/run/secrule/host.sock."
    SecPluginLogRate "SecPluginLogRate" NUMBER, "Maximum number of log lines of a plugin in a second, 100 by default."
    SecPluginQueue "SecPluginQueue" NUMBER, "Maximum number of requests that wait for a plugin, 4096 by default; more are dropped and counted."
    SecPluginStatus "SecPluginStatus" NUMBER, "Status of a request that is banned, 403 by default."
    SecRateLimit "SecRateLimit" DirectiveArgument::Values, "The request rate of an address beyond which is_rate_limited returns true: requests/seconds, burst:N, site:N."
    SecRemoteRules "SecRemoteRules" DirectiveArgument::Values, "Rules from an https address."
    SecRemoteRulesFailAction "SecRemoteRulesFailAction" DirectiveArgument::Word(&["Abort", "Warn"]), "Abort ends the load if rules cannot be fetched."
    SecRequestBodyAccess "SecRequestBodyAccess" ON_OFF, "On runs phase 2."
    SecRequestBodyJsonDepthLimit "SecRequestBodyJsonDepthLimit" NUMBER, "Maximum nesting of JSON, 512 by default."
    SecRequestBodyJsonNodesLimit "SecRequestBodyJsonNodesLimit" NUMBER, "Maximum number of objects, arrays and other values in JSON, 1000000 by default."
    SecRequestBodyLimit "SecRequestBodyLimit" NUMBER, "Maximum length of a request body, in bytes."
    SecRequestBodyLimitAction "SecRequestBodyLimitAction" REJECT_PARTIAL, "Action for a longer request body."
    SecRequestBodyNoFilesLimit "SecRequestBodyNoFilesLimit" NUMBER, "Maximum length of a request body without its files, in bytes."
    SecRequestBodyXmlAttributesLimit "SecRequestBodyXmlAttributesLimit" NUMBER, "Maximum number of attributes of an XML element, 512 by default."
    SecRequestBodyXmlDepthLimit "SecRequestBodyXmlDepthLimit" NUMBER, "Maximum nesting of XML, 256 by default."
    SecRequestBodyXmlEntityLimit "SecRequestBodyXmlEntityLimit" NUMBER, "Maximum number of bytes that XML entities expand to, 65536 by default."
    SecRequestBodyXmlNodesLimit "SecRequestBodyXmlNodesLimit" NUMBER, "Maximum number of tags, comments and other nodes in XML, 250000 by default."
    SecResolver "SecResolver" VALUE, "The name server of @rbl and is_verified_crawler, as address or address:port."
    SecResolverTimeLimit "SecResolverTimeLimit" NUMBER, "Maximum time of a look-up of is_verified_crawler, in milliseconds, 500 by default; requests do not wait for it."
    SecResponseBodyAccess "SecResponseBodyAccess" ON_OFF, "On runs phase 4."
    SecResponseBodyLimit "SecResponseBodyLimit" NUMBER, "Maximum length of a response body, in bytes."
    SecResponseBodyLimitAction "SecResponseBodyLimitAction" REJECT_PARTIAL, "Action for a longer response body."
    SecResponseBodyMimeType "SecResponseBodyMimeType" DirectiveArgument::Values, "The media types of responses that phase 4 inspects."
    SecResponseBodyMimeTypesClear "SecResponseBodyMimeTypesClear" DirectiveArgument::Nothing, "Empties the list of media types."
    SecRule "SecRule" OWN, "A rule: targets, an operator, actions."
    SecRuleEngine "SecRuleEngine" DirectiveArgument::Word(&["On", "Off", "DetectionOnly"]), "On runs rules and blocks, DetectionOnly runs them without blocking."
    SecRuleRemoveById "SecRuleRemoveById" DirectiveArgument::Values, "Removes rules by id or range."
    SecRuleRemoveByMsg "SecRuleRemoveByMsg" VALUE, "Removes rules by message."
    SecRuleRemoveByTag "SecRuleRemoveByTag" VALUE, "Removes rules by tag."
    SecRuleScript "SecRuleScript" OWN, "A Lua script as a rule: it matches when its function `main` returns a text or a number."
    SecRuleUpdateActionById "SecRuleUpdateActionById" OWN, "Changes a rule's actions."
    SecRuleUpdateTargetById "SecRuleUpdateTargetById" OWN, "Changes targets of rules by id or range."
    SecRuleUpdateTargetByMsg "SecRuleUpdateTargetByMsg" OWN, "Changes targets of rules by message."
    SecRuleUpdateTargetByTag "SecRuleUpdateTargetByTag" OWN, "Changes targets of rules by tag."
    SecSanitise "SecSanitise" DirectiveArgument::Values, "Values that no log shows: targets such as ARGS:password, REQUEST_HEADERS:Authorization, RESPONSE_HEADERS:Set-Cookie or REQUEST_COOKIES:session."
    SecScriptConnect "SecScriptConnect" DirectiveArgument::Values, "Hosts and networks that plugins and extensions may connect to, besides ports 80 and 443 of public addresses: reports.example:8443, 10.1.0.0/16."
    SecSessionCookie "SecSessionCookie" DirectiveArgument::Values, "Names of cookies and arguments that hold the session of a request, for plugins."
    SecSite "SecSite" DirectiveArgument::Values, "The hosts of a site, for decision scripts: its number, then names such as shop.example or *.shop.example."
    SecSiteId "SecSiteId" VALUE, "The number of the site for decision scripts; it may differ between contexts of the server's configuration."
    SecSkipLimit "SecSkipLimit" NUMBER, "Maximum number of rules for `skip`, 10000 by default."
    SecStoreCallLimit "SecStoreCallLimit" NUMBER, "Maximum time that a transaction waits for one answer of the store, in milliseconds, 50 by default."
    SecStoreTimeLimit "SecStoreTimeLimit" NUMBER, "Maximum total time that a transaction waits for persistent collections, in milliseconds, 1000 by default."
    SecStoreBytesLimit "SecStoreBytesLimit" NUMBER, "Maximum memory of persistent collections, in bytes, 67108864 by default."
    SecStoreVariablesLimit "SecStoreVariablesLimit" NUMBER, "Maximum number of variables in a record of a persistent collection, 1000 by default."
    SecTmpSaveUploadedFiles "SecTmpSaveUploadedFiles" ON_OFF, "On writes uploaded files to SecUploadDir for the duration of the transaction."
    SecTransactionBudget "SecTransactionBudget" DirectiveArgument::NumberAndWord(&["deny", "pass"]), "Maximum work of a transaction, in units of about a byte read, 2000000000 by default; beyond it the transaction is stopped (deny, the default) or continues without rules (pass)."
    SecTransactionMemoryLimit "SecTransactionMemoryLimit" NUMBER, "Maximum memory of the values of a transaction and their bookkeeping, without its bodies, in bytes, 134217728 by default."
    SecTransformationLimit "SecTransformationLimit" NUMBER, "Maximum length of a transformed value, in bytes, 67108864 by default."
    SecTrustedSource "SecTrustedSource" DirectiveArgument::Values, "Peers, such as proxies, whose X-Real-IP or X-Forwarded-For names the client for decision scripts: addresses, networks, files of them, unix:, and client:first, client:last-untrusted or client:N."
    SecUnicodeMapFile "SecUnicodeMapFile" DirectiveArgument::PathAndNumber, "The code page that t:urlDecodeUni uses."
    SecUploadDir "SecUploadDir" VALUE, "The folder for uploaded files."
    SecUploadFileLimit "SecUploadFileLimit" NUMBER, "Maximum number of files in a request."
    SecUploadFileMode "SecUploadFileMode" DirectiveArgument::Mode, "The mode of uploaded files."
    SecUploadKeepFiles "SecUploadKeepFiles" ON_OFF_RELEVANT, "On keeps uploaded files after the transaction."
    SecWebAppId "SecWebAppId" VALUE, "Part of the keys of RESOURCE, SESSION and USER; GLOBAL and IP are shared."
    SecXPathLimit "SecXPathLimit" NUMBER, "Maximum number of XML nodes that an XPath visits, 2000000 by default."
    SecXmlExternalEntity "SecXmlExternalEntity" ON_OFF, "On lets @validateDTD and @validateSchema read files."
}

const ONLY_OFF: DirectiveArgument = DirectiveArgument::Word(&["Off"]);

const VALUES: DirectiveArgument = DirectiveArgument::Values;
const NO_HASHES: &str = "link protection by hashes exists in ModSecurity v2 only";

/// Directives that do not change verdicts: the place of bodies, performance, names in logs and headers. Unsupported directives that change verdicts
/// are refused.
const NO_EFFECT: &[(&str, DirectiveArgument, &str)] = &[
    ("SecCacheTransformations", VALUES, "transformations are always computed once"),
    ("SecConnEngine", ONLY_OFF, "connections are the host's"),
    ("SecContentInjection", ONLY_OFF, "bodies cannot be rewritten"),
    ("SecCookieFormat", DirectiveArgument::Word(&["0"]), "version 0 cookies are the only ones that browsers send"),
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
