//! Settings of the engine, and the one table of their defaults.

use super::{Decisions, SiteId};
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
    /// Every transaction is written.
    On,
    /// None is.
    Off,
    /// Those that matter are.
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
    /// JSON.
    Json,
}

/// What happens to a body that is longer than its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitAction {
    /// The request is stopped.
    Reject,
    /// The first part is looked at.
    ProcessPartial,
    /// The chunk that goes beyond the limit is left out and the request goes on, since no directive says what happens.
    Ignore,
}

/// What happens to a transaction that makes more work than `SecTransactionBudget` allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverBudget {
    /// It is stopped.
    Deny,
    /// It goes on, and no further rule is evaluated.
    Pass,
}

/// What a check that failed means for the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// It goes on.
    Open,
    /// It is stopped.
    Closed,
}

/// `SecUploadKeepFiles`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepFiles {
    /// Files stay.
    On,
    /// Files go.
    Off,
    /// Files of relevant transactions stay.
    RelevantOnly,
    /// Files go; the debug log tells this from [`Off`](Self::Off).
    Unset,
}

/// What reads a request body.
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

/// How much there may be of everything that has a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits([usize; Limit::ALL.len()]);

/// A set of audit log parts, as letters A to Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogLetters(u32);

/// The table of settings with one value: its name, its type, its default, and the directive that sets it. Those under "or none" may have no
/// value, and have none by default.
///
/// `setting_rows!(make)` hands the table to the macro `make`. [`Settings`] is made of it here, the draft of a load in `compile`.
macro_rules! setting_rows {
    ($make:ident) => {
        $make! {
            first wins:
            /// `SecRuleEngine`: by default, rules run and do not block.
            engine: EngineMode = EngineMode::DetectionOnly, SecRuleEngine;
            /// `SecRequestBodyAccess`: whether phase 2 runs.
            request_body_access: bool = true, SecRequestBodyAccess;
            /// `SecRequestBodyLimitAction`
            request_body_limit_action: LimitAction = LimitAction::Ignore, SecRequestBodyLimitAction;
            /// `SecArgumentSeparator`: the character between arguments.
            argument_separator: u8 = b'&', SecArgumentSeparator;
            /// `SecResponseBodyAccess`: whether phase 4 runs.
            response_body_access: bool = false, SecResponseBodyAccess;
            /// `SecResponseBodyLimitAction`
            response_body_limit_action: LimitAction = LimitAction::Ignore, SecResponseBodyLimitAction;
            /// `SecWebAppId`
            web_app_id: Box<str> = Box::default(), SecWebAppId;
            /// `SecXmlExternalEntity`
            xml_external_entities: bool = false, SecXmlExternalEntity;
            /// `SecUploadDir`: the folder that uploaded files are written to.
            upload_folder: PathBuf = std::env::temp_dir(), SecUploadDir;
            /// `SecUploadFileMode`
            upload_file_mode: u32 = 0o600, SecUploadFileMode;
            /// `SecUploadKeepFiles`
            upload_keep_files: KeepFiles = KeepFiles::Unset, SecUploadKeepFiles;
            /// `SecTmpSaveUploadedFiles`
            save_uploaded_files: bool = false, SecTmpSaveUploadedFiles;
            /// `SecLuaSandbox`: whether scripts of rules run without files, programs and bytecode.
            lua_sandbox: bool = false, SecLuaSandbox;
            /// `SecDecisionFailure`: by default, a script that fails leaves the request to the next.
            decision_failure: OnFailure = OnFailure::Open, SecDecisionFailure;
            /// `SecDecisionStatus`: the status of a request that a decision script blocks.
            decision_status: u16 = 403, SecDecisionStatus;
            /// `SecDecisionBodyLimit`: how much of a body decision scripts see, in bytes.
            decision_body_limit: usize = 128 << 10, SecDecisionBodyLimit;
            /// `SecResolverTimeLimit`: how long decision scripts wait for the name server.
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
            /// `SecSiteId`: without it, the `Host` header tells the site.
            site: SiteId, SecSiteId;
            /// `SecResolver`: without it, the system's resolver is asked.
            resolver: SocketAddr, SecResolver;
            /// `SecDebugLog`
            debug_log: Spanned<Box<str>>, SecDebugLog;

            last wins:
            /// `SecAuditEngine`
            audit_engine: AuditEngine = AuditEngine::Off, SecAuditEngine;
            /// `SecAuditLogType`
            audit_type: AuditType = AuditType::Serial, SecAuditLogType;
            /// `SecAuditLogFormat`
            audit_format: AuditFormat = AuditFormat::Native, SecAuditLogFormat;
            /// `SecAuditLogParts`: the parts of a record where no `ctl` changed them.
            audit_parts: LogLetters = LogLetters::parse("ABCFHZ").unwrap_or_default(), SecAuditLogParts;
            /// `SecAuditLogDirMode`
            audit_folder_mode: u32 = 0o750, SecAuditLogDirMode;
            /// `SecAuditLogFileMode`, for the files of transactions: `SecAuditLogType Concurrent`.
            audit_file_mode: u32 = 0o640, SecAuditLogFileMode;
            /// `SecAuditLogFileMode`, for the file of all records, or their index. As in ModSecurity v3 it has a default of its own.
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
        /// The settings of the engine. What no directive sets has its default, which stands here and nowhere else.
        #[derive(Clone, Debug)]
        pub struct Settings {
            $($($(#[doc = $doc])+ pub $name: $type,)+
            $($(#[doc = $none_doc])+ pub $none_name: Option<$none_type>,)+)+
            /// `SecResponseBodyMimeType`: empty for all.
            pub response_body_types: Vec<Box<str>>,
            /// `SecComponentSignature`
            pub components: Vec<Box<str>>,
            /// What decision scripts ask about.
            pub decisions: Decisions,
            /// How much there may be of what has a limit; the defaults stand in the table of [`Limit`].
            pub limits: Limits,
        }

        impl Default for Settings {
            /// The settings of a rule set without directives.
            fn default() -> Self {
                Self {
                    $($($name: $default,)+
                    $($none_name: None,)+)+
                    response_body_types: Vec::new(),
                    components: Vec::new(),
                    decisions: Decisions::default(),
                    limits: Limits::default(),
                }
            }
        }
    };
}

setting_rows!(define_settings);
pub(crate) use setting_rows;

impl Settings {
    /// How much there may be of something; the largest number for no limit.
    #[inline]
    pub fn limit(&self, limit: Limit) -> usize {
        self.limits.get(limit)
    }

    /// Returns `true` if uploaded files are written to disk.
    pub fn writes_uploads(&self) -> bool {
        self.save_uploaded_files || matches!(self.upload_keep_files, KeepFiles::On | KeepFiles::RelevantOnly)
    }

    /// Returns `true` if responses with this media type are looked at in phase 4.
    pub fn inspects_response_type(&self, media_type: &[u8]) -> bool {
        self.response_body_types.is_empty() || self.response_body_types.iter().any(|listed| listed.as_bytes() == media_type)
    }
}

impl BodyProcessor {
    /// The name that REQBODY_PROCESSOR shows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Urlencoded => "URLENCODED",
            Self::Multipart => "MULTIPART",
            Self::Json => "JSON",
            Self::Xml => "XML",
        }
    }

    /// The processor with this name, in any case.
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

    /// A limit; the largest number for none.
    #[inline]
    pub fn get(&self, limit: Limit) -> usize {
        self.0.get(limit as usize).copied().unwrap_or(usize::MAX)
    }
}

impl LogLetters {
    /// The letters of a text; `None` where it holds anything but A to K and Z.
    pub fn parse(text: &str) -> Option<Self> {
        let letter = |byte: u8| match byte {
            b'A'..=b'K' | b'Z' => Some(1 << (byte - b'A')),
            _ => None,
        };
        text.bytes().try_fold(0, |set, byte| Some(set | letter(byte)?)).map(Self)
    }

    /// These letters and others.
    pub fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// These letters without others.
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Returns `true` if a letter is among them.
    pub fn contains(self, letter: char) -> bool {
        letter.is_ascii_uppercase() && self.0 & (1 << (letter as u32 - 'A' as u32)) != 0
    }
}
