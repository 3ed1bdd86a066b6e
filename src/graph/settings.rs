//! Settings of the engine, and their single table of defaults.

use super::{Decisions, HistoryFile, ScoreNames, SiteId, Target, Worlds};
use crate::body::json::JsonLimits;
use crate::body::xml::XmlLimits;
use crate::operator::GeoDatabase;
use crate::pattern::Pattern;
use crate::source::Spanned;
use crate::vocabulary::Limit;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// `SecRuleEngine`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineMode {
    /// Rules run and block.
    On,
    /// Rules do not run.
    Off,
    /// Rules run and do not block.
    DetectionOnly,
}

/// `SecAuditEngine`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditEngine {
    /// Every transaction is logged.
    On,
    /// No transaction is logged.
    Off,
    /// Relevant transactions are logged.
    RelevantOnly,
}

/// `SecAuditLogType`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditType {
    /// One file.
    Serial,
    /// One file per transaction, and an index.
    Concurrent,
    /// Each record posted to an https address.
    #[cfg(feature = "remote")]
    Https,
}

/// The format of a record of the audit log: `SecAuditLogFormat`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuditFormat {
    /// Sections of text.
    Native,
    /// JSON as ModSecurity v3 writes it.
    Json,
    /// Events of OCSF 1.2, of the class Web Resources Activity (6001), in JSON.
    Ocsf,
}

/// Action for a body that exceeds its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitAction {
    /// The request is stopped.
    Reject,
    /// The part up to the limit is inspected.
    ProcessPartial,
    /// The chunk that exceeds the limit is dropped and the request continues, because no directive sets an action.
    Ignore,
}

/// Action for a transaction that exceeds `SecTransactionBudget`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverBudget {
    /// It is stopped.
    Deny,
    /// It continues, and no further rule is evaluated.
    Pass,
}

/// Action after a failed check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// The request continues.
    Open,
    /// The request is stopped.
    Closed,
}

/// `SecUploadKeepFiles`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepFiles {
    /// Files are kept.
    On,
    /// Files are deleted.
    Off,
    /// Files of relevant transactions are kept.
    RelevantOnly,
    /// Files are deleted; the debug log distinguishes this from [`Off`](Self::Off).
    Unset,
}

/// Processor of a request body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyProcessor {
    /// Forms.
    Urlencoded,
    /// Forms with files.
    Multipart,
    /// JSON.
    Json,
    /// XML.
    Xml,
}

/// The limits, by [`Limit`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits([usize; Limit::ALL.len()]);

/// A set of audit log parts, as letters A to Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogLetters(u32);

/// The table of settings with one value: name, type, default, and directive. Those under "or none" may have no value, and have none by default.
///
/// `setting_rows!(make)` passes the table to the macro `make`. [`Settings`] is made of it here, the draft of a load in `compile`.
macro_rules! setting_rows {
    ($make:ident) => {
        $make! {
            first wins:
            /// `SecRuleEngine`: by default, rules run and do not block.
            engine: EngineMode = EngineMode::DetectionOnly, SecRuleEngine;
            /// `SecRequestBodyAccess`: runs phase 2.
            request_body_access: bool = true, SecRequestBodyAccess;
            /// `SecRequestBodyLimitAction`
            request_body_limit_action: LimitAction = LimitAction::Ignore, SecRequestBodyLimitAction;
            /// `SecArgumentSeparator`: the character between arguments.
            argument_separator: u8 = b'&', SecArgumentSeparator;
            /// `SecResponseBodyAccess`: runs phase 4.
            response_body_access: bool = false, SecResponseBodyAccess;
            /// `SecResponseBodyLimitAction`
            response_body_limit_action: LimitAction = LimitAction::Ignore, SecResponseBodyLimitAction;
            /// `SecCollectionFailure`: by default, requests continue without a store that does not answer.
            collection_failure: OnFailure = OnFailure::Open, SecCollectionFailure;
            /// `SecCollectionTimeout`: the time without a change after which a record is removed; 0 for no end.
            collection_timeout: Duration = Duration::from_secs(3600), SecCollectionTimeout;
            /// `SecWebAppId`
            web_app_id: Box<str> = Box::default(), SecWebAppId;
            /// `SecXmlExternalEntity`
            xml_external_entities: bool = false, SecXmlExternalEntity;
            /// `SecUploadDir`: the folder for uploaded files.
            upload_folder: PathBuf = std::env::temp_dir(), SecUploadDir;
            /// `SecUploadFileMode`
            upload_file_mode: u32 = 0o600, SecUploadFileMode;
            /// `SecUploadKeepFiles`
            upload_keep_files: KeepFiles = KeepFiles::Unset, SecUploadKeepFiles;
            /// `SecTmpSaveUploadedFiles`
            save_uploaded_files: bool = false, SecTmpSaveUploadedFiles;
            /// `SecLuaSandbox`: runs scripts of rules without files, programs and bytecode.
            lua_sandbox: bool = false, SecLuaSandbox;
            /// `SecDecisionFailure`: by default, a script that fails leaves the decision to the next.
            decision_failure: OnFailure = OnFailure::Open, SecDecisionFailure;
            /// `SecDecisionStatus`: the status of a request that a decision script blocks.
            decision_status: u16 = 403, SecDecisionStatus;
            /// `SecPluginStatus`: the status of a request that is banned.
            plugin_status: u16 = 403, SecPluginStatus;
            /// `SecPluginDetail`: the script host gets heads and bodies of requests that rules found something in.
            plugin_detail: bool = true, SecPluginDetail;
            /// `SecPluginLogRate`: maximum number of log lines of a plugin in a second.
            plugin_log_rate: usize = 100, SecPluginLogRate;
            /// `SecPluginQueue`: maximum number of requests that wait for a plugin.
            plugin_queue: usize = 4096, SecPluginQueue;
            /// `SecExtensionTimeLimit`: maximum time of a run of an extension.
            extension_time_limit: Duration = Duration::from_secs(600), SecExtensionTimeLimit;
            /// `SecDecisionBodyLimit`: maximum part of a body that decision scripts see, in bytes.
            decision_body_limit: usize = 128 << 10, SecDecisionBodyLimit;
            /// `SecResolverTimeLimit`: maximum time that decision scripts wait for the name server.
            resolver_time_limit: Duration = Duration::from_millis(500), SecResolverTimeLimit;
            /// `SecDebugLogLevel`
            debug_log_level: u8 = 0, SecDebugLogLevel;
            /// The second word of `SecTransactionBudget`
            over_budget: OverBudget = OverBudget::Deny, SecTransactionBudget;

            first wins, or none:
            /// `SecGeoLookupDb`
            geo_database: Arc<GeoDatabase>, SecGeoLookupDb;
            /// `SecHttpBlKey`
            http_blocklist_key: Box<str>, SecHttpBlKey;
            /// `SecSiteId`: without it, the `Host` header selects the site.
            site: SiteId, SecSiteId;
            /// `SecResolver`: without it, the system's resolver is asked.
            resolver: SocketAddr, SecResolver;
            /// `SecCollectionStore`: without it, the memory of the process.
            collection_store: Spanned<Box<str>>, SecCollectionStore;
            /// `SecPluginHost`: the socket of the script host.
            plugin_host: PathBuf, SecPluginHost;
            /// `SecExtensionHistory`
            extension_history: HistoryFile, SecExtensionHistory;
            /// `SecExtensionScore`
            extension_score: ScoreNames, SecExtensionScore;
            /// `SecDataDir`
            data_folder: PathBuf, SecDataDir;
            /// `SecDebugLog`
            debug_log: Spanned<Box<str>>, SecDebugLog;

            last wins:
            /// `SecAuditEngine`
            audit_engine: AuditEngine = AuditEngine::Off, SecAuditEngine;
            /// `SecAuditLogType`
            audit_type: AuditType = AuditType::Serial, SecAuditLogType;
            /// `SecAuditLogFormat`
            audit_format: AuditFormat = AuditFormat::Native, SecAuditLogFormat;
            /// `SecAuditLogParts`: the parts of a record, unless `ctl` changes them.
            audit_parts: LogLetters = LogLetters::parse("ABCFHZ").unwrap_or_default(), SecAuditLogParts;
            /// `SecAuditLogDirMode`
            audit_folder_mode: u32 = 0o750, SecAuditLogDirMode;
            /// `SecAuditLogFileMode`, for the files of transactions: `SecAuditLogType Concurrent`.
            audit_file_mode: u32 = 0o640, SecAuditLogFileMode;
            /// `SecAuditLogFileMode`, for the file of all records, or their index. As in ModSecurity v3, its default differs.
            audit_log_mode: u32 = 0o644, SecAuditLogFileMode;

            last wins, or none:
            /// `SecAuditLog`
            audit_log: Spanned<Box<str>>, SecAuditLog;
            /// `SecAuditLog2`
            audit_log_2: Box<str>, SecAuditLog2;
            /// `SecAuditLogRelevantStatus`
            audit_relevant_status: Arc<Pattern>, SecAuditLogRelevantStatus;
            /// `SecAuditLogStorageDir`
            audit_storage_folder: PathBuf, SecAuditLogStorageDir;
        }
    };
}

macro_rules! define_settings {
    (
        $($wins:ident wins: $($(#[doc = $doc:literal])+ $name:ident: $type:ty = $default:expr, $directive:ident;)+
        $none_wins:ident wins, or none: $($(#[doc = $none_doc:literal])+ $none_name:ident: $none_type:ty, $none_directive:ident;)+)+
    ) => {
        /// The settings of the engine. A setting without a directive has its default, which is defined only here.
        #[derive(Clone, Debug)]
        pub struct Settings {
            $($($(#[doc = $doc])+ pub $name: $type,)+
            $($(#[doc = $none_doc])+ pub $none_name: Option<$none_type>,)+)+
            /// `SecResponseBodyMimeType`: empty for all.
            pub response_body_types: Vec<Box<str>>,
            /// `SecComponentSignature`
            pub components: Vec<Box<str>>,
            /// Settings of decision scripts.
            pub decisions: Decisions,
            /// Scripts that run beside requests.
            pub worlds: Worlds,
            /// `SecSanitise`: the values that logs do not show.
            pub masked: Vec<Target>,
            /// The limits; their defaults are in the table of [`Limit`].
            pub limits: Limits,
        }

        impl Default for Settings {
            /// Returns the settings of a rule set without directives.
            fn default() -> Self {
                Self {
                    $($($name: $default,)+
                    $($none_name: None,)+)+
                    response_body_types: Vec::new(),
                    components: Vec::new(),
                    decisions: Decisions::default(),
                    worlds: Worlds::default(),
                    masked: Vec::new(),
                    limits: Limits::default(),
                }
            }
        }
    };
}

setting_rows!(define_settings);
pub(crate) use setting_rows;

impl Settings {
    /// Returns a limit; the largest number for no limit.
    #[inline]
    pub fn limit(&self, limit: Limit) -> usize {
        self.limits.get(limit)
    }

    /// Returns the limits of a JSON body.
    pub fn json_limits(&self) -> JsonLimits {
        JsonLimits { depth: self.limit(Limit::JsonDepth), nodes: self.limit(Limit::JsonNodes) }
    }

    /// Returns the limits of an XML body.
    pub fn xml_limits(&self) -> XmlLimits {
        XmlLimits {
            depth: u32::try_from(self.limit(Limit::XmlDepth)).unwrap_or(u32::MAX),
            attributes_per_element: self.limit(Limit::XmlAttributes),
            nodes: self.limit(Limit::XmlNodes),
            entity_bytes: self.limit(Limit::XmlEntities),
            xpath_visits: self.limit(Limit::XPath),
            ..XmlLimits::default()
        }
    }

    /// Returns `true` if uploaded files are written to disk.
    pub fn writes_uploads(&self) -> bool {
        self.save_uploaded_files || matches!(self.upload_keep_files, KeepFiles::On | KeepFiles::RelevantOnly)
    }

    /// Returns `true` if responses with this media type are inspected in phase 4.
    pub fn inspects_response_type(&self, media_type: &[u8]) -> bool {
        self.response_body_types.is_empty() || self.response_body_types.iter().any(|listed| listed.as_bytes() == media_type)
    }
}

impl BodyProcessor {
    /// Returns the name in REQBODY_PROCESSOR.
    pub fn name(self) -> &'static str {
        match self {
            Self::Urlencoded => "URLENCODED",
            Self::Multipart => "MULTIPART",
            Self::Json => "JSON",
            Self::Xml => "XML",
        }
    }

    /// Returns the processor with this name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Urlencoded, Self::Multipart, Self::Json, Self::Xml].into_iter().find(|processor| processor.name().eq_ignore_ascii_case(name))
    }
}

impl Default for Limits {
    fn default() -> Self {
        let mut limits = Self([usize::MAX; Limit::ALL.len()]);
        for limit in Limit::ALL {
            limits.set(*limit, limit.default().unwrap_or(usize::MAX));
        }
        limits
    }
}

impl Limits {
    /// Sets a limit.
    pub fn set(&mut self, limit: Limit, max: usize) {
        if let Some(place) = self.0.get_mut(limit as usize) {
            *place = max;
        }
    }

    /// Returns a limit; the largest number for no limit.
    #[inline]
    pub fn get(&self, limit: Limit) -> usize {
        self.0.get(limit as usize).copied().unwrap_or(usize::MAX)
    }
}

impl LogLetters {
    /// Parses the letters of a text; `None` if it contains any other than A to K and Z.
    pub fn parse(text: &str) -> Option<Self> {
        let letter = |byte: u8| match byte {
            b'A'..=b'K' | b'Z' => Some(1 << (byte - b'A')),
            _ => None,
        };
        text.bytes().try_fold(0, |set, byte| Some(set | letter(byte)?)).map(Self)
    }

    /// Returns these letters and others.
    pub fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Returns these letters without others.
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Returns `true` if it contains a letter.
    pub fn contains(self, letter: char) -> bool {
        letter.is_ascii_uppercase() && self.0 & (1 << (letter as u32 - 'A' as u32)) != 0
    }
}
