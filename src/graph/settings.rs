//! Settings of the engine, each unset until a directive sets it.

use super::{Decisions, SiteId};
use crate::operator::GeoDatabase;
use crate::pattern::Pattern;
use crate::source::Spanned;
use crate::vocabulary::{Directive, Limit};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

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

/// What directives set limits to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits([Option<usize>; Limit::ALL.len()]);

/// A set of audit log parts, as letters A to Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogLetters(u32);

macro_rules! settings {
    (
        first wins: $($(#[doc = $doc:literal])+ $name:ident: $type:ty = $directive:ident,)+
        last wins: $($(#[doc = $last_doc:literal])+ $last_name:ident: $last_type:ty,)+
    ) => {
        /// What the directives set. A setting that no directive names is `None`.
        #[derive(Clone, Debug, Default)]
        pub struct Settings {
            $($(#[doc = $doc])+ pub $name: Option<$type>,)+
            $($(#[doc = $last_doc])+ pub $last_name: Option<$last_type>,)+
            /// `SecResponseBodyMimeType`: empty for all.
            pub response_body_types: Vec<Box<str>>,
            /// `SecComponentSignature`
            pub components: Vec<Box<str>>,
            /// What decision scripts ask about.
            pub decisions: Decisions,
            /// How much there may be of what has a limit, besides the limits above.
            pub limits: Limits,
        }

        impl Settings {
            /// The directives of a later load that have no effect, since these settings hold another value.
            pub fn overruled(&self, later: &Settings) -> Vec<Directive> {
                let mut overruled = self.limits.overruled(&later.limits);
                $(if self.$name.is_some() && later.$name.is_some() {
                    overruled.push(Directive::$directive);
                })+
                overruled
            }

            /// Takes over what a later load sets. As in ModSecurity v3 the first load that sets a value wins, and for the audit log
            /// the last.
            pub fn merge(&mut self, later: Settings) {
                $(self.$name = self.$name.take().or(later.$name);)+
                $(self.$last_name = later.$last_name.or(self.$last_name.take());)+
                for media_type in later.response_body_types {
                    if !self.response_body_types.contains(&media_type) {
                        self.response_body_types.push(media_type);
                    }
                }
                self.components.extend(later.components);
                self.decisions.append(later.decisions);
                self.limits.merge(&later.limits);
            }
        }
    };
}

settings! {
    first wins:
    /// `SecRuleEngine`; unset means that rules run and do not block.
    engine: EngineMode = SecRuleEngine,
    /// `SecRequestBodyAccess`; unset means that phase 2 runs.
    request_body_access: bool = SecRequestBodyAccess,
    /// `SecRequestBodyLimit`, in bytes.
    request_body_limit: usize = SecRequestBodyLimit,
    /// `SecRequestBodyLimitAction`
    request_body_limit_action: LimitAction = SecRequestBodyLimitAction,
    /// `SecRequestBodyNoFilesLimit`, in bytes.
    request_body_no_files_limit: usize = SecRequestBodyNoFilesLimit,
    /// `SecArgumentSeparator`
    argument_separator: u8 = SecArgumentSeparator,
    /// `SecResponseBodyAccess`; unset means that phase 4 does not run.
    response_body_access: bool = SecResponseBodyAccess,
    /// `SecResponseBodyLimit`, in bytes.
    response_body_limit: usize = SecResponseBodyLimit,
    /// `SecResponseBodyLimitAction`
    response_body_limit_action: LimitAction = SecResponseBodyLimitAction,
    /// `SecWebAppId`
    web_app_id: Box<str> = SecWebAppId,
    /// `SecXmlExternalEntity`
    xml_external_entities: bool = SecXmlExternalEntity,
    /// `SecUploadDir`
    upload_folder: Box<str> = SecUploadDir,
    /// `SecUploadFileMode`
    upload_file_mode: u32 = SecUploadFileMode,
    /// `SecUploadKeepFiles`
    upload_keep_files: KeepFiles = SecUploadKeepFiles,
    /// `SecTmpSaveUploadedFiles`
    save_uploaded_files: bool = SecTmpSaveUploadedFiles,
    /// `SecGeoLookupDb`
    geo_database: Arc<GeoDatabase> = SecGeoLookupDb,
    /// `SecHttpBlKey`
    http_blocklist_key: Box<str> = SecHttpBlKey,
    /// `SecLuaSandbox`: whether scripts of rules run without files, programs and bytecode.
    lua_sandbox: bool = SecLuaSandbox,
    /// `SecSiteId`
    site: SiteId = SecSiteId,
    /// `SecDecisionFailure`; unset means that a script which fails leaves the request to the next.
    decision_failure: OnFailure = SecDecisionFailure,
    /// `SecDecisionStatus`
    decision_status: u16 = SecDecisionStatus,
    /// `SecDecisionBodyLimit`, in bytes.
    decision_body_limit: usize = SecDecisionBodyLimit,
    /// `SecResolver`
    resolver: SocketAddr = SecResolver,
    /// `SecResolverTimeLimit`, in milliseconds.
    resolver_time_limit: u64 = SecResolverTimeLimit,
    /// `SecDebugLog`
    debug_log: Spanned<Box<str>> = SecDebugLog,
    /// `SecDebugLogLevel`
    debug_log_level: u8 = SecDebugLogLevel,
    /// The second word of `SecTransactionBudget`
    over_budget: OverBudget = SecTransactionBudget,
    last wins:
    /// `SecAuditEngine`
    audit_engine: AuditEngine,
    /// `SecAuditLog`
    audit_log: Spanned<Box<str>>,
    /// `SecAuditLog2`
    audit_log_2: Box<str>,
    /// `SecAuditLogType`
    audit_type: AuditType,
    /// `SecAuditLogFormat`
    audit_format: AuditFormat,
    /// `SecAuditLogParts`
    audit_parts: LogLetters,
    /// `SecAuditLogRelevantStatus`
    audit_relevant_status: Arc<Pattern>,
    /// `SecAuditLogStorageDir`
    audit_storage_folder: Box<str>,
    /// `SecAuditLogDirMode`
    audit_folder_mode: u32,
    /// `SecAuditLogFileMode`
    audit_file_mode: u32,
}

impl Settings {
    /// How much of a body decision scripts see where nothing is set, in bytes.
    pub const DECISION_BODY: usize = 128 << 10;

    /// How long decision scripts wait for the name server where nothing is set, in milliseconds.
    pub const RESOLVER_TIME: u64 = 500;

    /// The mode of the engine at the start of a transaction.
    pub fn engine_mode(&self) -> EngineMode {
        self.engine.unwrap_or(EngineMode::DetectionOnly)
    }

    /// The parts of an audit record where no `ctl` changed them.
    pub fn audit_parts(&self) -> LogLetters {
        self.audit_parts.unwrap_or_else(|| LogLetters::parse("ABCFHZ").unwrap_or_default())
    }

    /// How much there may be of something; the largest number for no limit.
    #[inline]
    pub fn limit(&self, limit: Limit) -> usize {
        let set = match limit {
            Limit::RequestBody => self.request_body_limit,
            Limit::RequestBodyNoFiles => self.request_body_no_files_limit,
            Limit::ResponseBody => self.response_body_limit,
            other => self.limits.set_to(other),
        };
        set.or(limit.default()).unwrap_or(usize::MAX)
    }

    /// The character between arguments.
    pub fn separator(&self) -> u8 {
        self.argument_separator.unwrap_or(b'&')
    }

    /// Returns `true` if uploaded files are written to disk.
    pub fn writes_uploads(&self) -> bool {
        self.save_uploaded_files == Some(true) || matches!(self.upload_keep_files, Some(KeepFiles::On | KeepFiles::RelevantOnly))
    }

    /// The folder that uploaded files are written to.
    pub fn upload_folder(&self) -> PathBuf {
        self.upload_folder.as_deref().map_or_else(std::env::temp_dir, PathBuf::from)
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
        Self([None; Limit::ALL.len()])
    }
}

impl Limits {
    /// Sets a limit.
    pub fn set(&mut self, limit: Limit, most: Option<usize>) {
        if let Some(place) = self.0.get_mut(limit as usize) {
            *place = most;
        }
    }

    /// What a directive set a limit to, if one did.
    pub fn set_to(&self, limit: Limit) -> Option<usize> {
        self.0.get(limit as usize).copied().flatten()
    }

    /// The directives of limits that a later load sets anew.
    fn overruled(&self, later: &Self) -> Vec<Directive> {
        let set_twice = |limit: &Limit| self.set_to(*limit).is_some() && later.set_to(*limit).is_some();
        Limit::ALL.iter().copied().filter(set_twice).map(Limit::directive).collect()
    }

    /// Takes over the limits of a later load that are not set.
    fn merge(&mut self, later: &Self) {
        self.0.iter_mut().zip(later.0).for_each(|(most, later)| *most = most.or(later));
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
