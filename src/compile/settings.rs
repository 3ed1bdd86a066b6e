//! Directives that set one value of the engine.

use super::context::Context;
use super::controls::{audit_engine, engine_mode, on_off};
use super::directives::Builder;
use super::files::{candidates, looked_at, reason};
use super::targets::report_bad_pattern;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{AuditFormat, AuditType, KeepFiles, LimitAction, LogLetters, OverBudget};
use crate::operator::GeoDatabase;
use crate::pattern::{Pattern, PatternOptions};
use crate::seclang::Argument;
#[cfg(feature = "remote")]
use crate::source::is_remote;
use crate::source::{Span, Spanned};
use crate::transform::UnicodeMap;
use crate::vocabulary::{Directive, DirectiveArgument, DirectiveEntry, Limit, Support, in_sentence};
use std::sync::Arc;

impl Builder<'_> {
    /// Checks the arguments of a directive against its row of the table.
    pub fn check_arguments(&mut self, entry: &DirectiveEntry, arguments: &[Argument], span: Span) -> bool {
        let name = entry.name;
        let wanted = match entry.argument {
            DirectiveArgument::Own => return true,
            DirectiveArgument::Nothing => 0..=0,
            DirectiveArgument::Values => 1..=usize::MAX,
            DirectiveArgument::PathAndNumber => 2..=2,
            DirectiveArgument::NumberAndWord(_) => 1..=2,
            _ => 1..=1,
        };
        if arguments.len() < *wanted.start() {
            self.context.report(Diagnostic::new(Code::MissingArgument, span, format!("`{name}` lacks its value")).hint(describe(entry)));
            return false;
        }
        if let Some(surplus) = arguments.get(*wanted.end()) {
            let message = format!("`{name}` takes no further value");
            self.context.report(
                Diagnostic::new(Code::SurplusArgument, surplus.span, message).hint("put a value that holds blanks in double quotes"),
            );
            return false;
        }
        let is_one_of = |words: &[&str], argument: &Argument| words.iter().any(|word| word.eq_ignore_ascii_case(&argument.text));
        let is_number = |argument: &Argument| argument.text.parse::<u64>().is_ok();
        let mut judged = arguments.first();
        let fits = match (entry.argument, arguments.first()) {
            (DirectiveArgument::Word(words), Some(argument)) => is_one_of(words, argument),
            (DirectiveArgument::Number, Some(argument)) => is_number(argument),
            (DirectiveArgument::NumberAndWord(words), Some(number)) if is_number(number) => {
                judged = arguments.get(1);
                judged.is_none_or(|word| is_one_of(words, word))
            }
            (DirectiveArgument::NumberAndWord(_), _) => false,
            (DirectiveArgument::Mode, Some(argument)) => argument.text.eq_ignore_ascii_case("default") || octal(&argument.text).is_some(),
            (DirectiveArgument::PathAndNumber, _) => {
                judged = arguments.get(1);
                judged.is_some_and(|argument| argument.text.parse::<u32>().is_ok())
            }
            _ => true,
        };
        if let Some(argument) = judged.filter(|_| !fits) {
            self.bad_directive_value(entry, argument, &describe(entry));
        }
        fits
    }

    fn bad_directive_value(&mut self, entry: &DirectiveEntry, argument: &Argument, hint: &str) {
        let message = format!("`{}` does not take `{}`", entry.name, argument.text);
        let why = match entry.support {
            Support::NoEffect(why) => format!(": {why}"),
            _ => String::new(),
        };
        let hint = format!("{hint}{why}");
        self.context.report(Diagnostic::new(Code::BadDirectiveValue, argument.span, message).hint(hint));
    }

    /// Carries out a directive whose arguments were checked.
    pub fn set(&mut self, directive: Directive, entry: &DirectiveEntry, arguments: &[Argument]) {
        let Some(argument) = arguments.first() else {
            if directive == Directive::SecResponseBodyMimeTypesClear {
                self.context.settings.load.response_body_types.clear();
            }
            return;
        };
        let text = argument.text.as_str();
        let settings = &mut self.context.settings.load;
        let number = || text.parse::<usize>().ok();
        match directive {
            Directive::SecRuleEngine => settings.engine = engine_mode(text),
            Directive::SecRequestBodyAccess => settings.request_body_access = on_off(text),
            Directive::SecRequestBodyLimit => settings.request_body_limit = number(),
            Directive::SecRequestBodyLimitAction => settings.request_body_limit_action = limit_action(text),
            Directive::SecRequestBodyNoFilesLimit => settings.request_body_no_files_limit = number(),
            Directive::SecArgumentSeparator => match text.as_bytes() {
                [separator] => settings.argument_separator = Some(*separator),
                _ => self.bad_directive_value(entry, argument, "write one character"),
            },
            Directive::SecResponseBodyAccess => settings.response_body_access = on_off(text),
            Directive::SecResponseBodyLimit => settings.response_body_limit = number(),
            Directive::SecResponseBodyLimitAction => settings.response_body_limit_action = limit_action(text),
            Directive::SecResponseBodyMimeType => {
                let types = arguments.iter().flat_map(|argument| argument.text.split_ascii_whitespace()).map(Box::from);
                settings.response_body_types.extend(types);
            }
            Directive::SecWebAppId => settings.web_app_id = Some(text.into()),
            Directive::SecXmlExternalEntity => settings.xml_external_entities = on_off(text),
            Directive::SecUploadDir => {
                settings.upload_folder = Some(text.into());
                self.context.settings.note_upload(argument.span, true);
            }
            Directive::SecUploadFileMode => settings.upload_file_mode = octal(text),
            Directive::SecUploadKeepFiles => {
                settings.upload_keep_files = match on_off(text) {
                    Some(true) => Some(KeepFiles::On),
                    Some(false) => Some(KeepFiles::Off),
                    None => Some(KeepFiles::RelevantOnly),
                };
                self.context.settings.note_upload(argument.span, false);
            }
            Directive::SecTmpSaveUploadedFiles => {
                settings.save_uploaded_files = on_off(text);
                self.context.settings.note_upload(argument.span, false);
            }
            Directive::SecComponentSignature => settings.components.push(text.into()),
            Directive::SecGeoLookupDb => geo_database(&mut self.context, argument),
            Directive::SecHttpBlKey => settings.http_blocklist_key = Some(text.into()),
            Directive::SecDecisionBodyLimit => settings.decision_body_limit = number(),
            Directive::SecResolverTimeLimit => settings.resolver_time_limit = text.parse().ok(),
            Directive::SecLuaSandbox => settings.lua_sandbox = on_off(text),
            Directive::SecDebugLog => {
                settings.debug_log = Some(Spanned { node: text.into(), span: argument.span });
            }
            Directive::SecDebugLogLevel => settings.debug_log_level = number().map(|level| u8::try_from(level).unwrap_or(u8::MAX)),
            Directive::SecAuditEngine => settings.audit_engine = audit_engine(text),
            Directive::SecAuditLog => settings.audit_log = Some(Spanned { node: text.into(), span: argument.span }),
            Directive::SecAuditLog2 => settings.audit_log_2 = Some(text.into()),
            Directive::SecAuditLogType => match audit_type(text) {
                Some(kind) => settings.audit_type = Some(kind),
                None => {
                    let hint = "this build does not post to the network: build it with the feature `remote`, or write Serial or Concurrent";
                    self.bad_directive_value(entry, argument, hint)
                }
            },
            Directive::SecAuditLogFormat if text.eq_ignore_ascii_case("JSON") => settings.audit_format = Some(AuditFormat::Json),
            Directive::SecAuditLogFormat => settings.audit_format = Some(AuditFormat::Native),
            Directive::SecAuditLogParts => match LogLetters::parse(text) {
                Some(letters) => settings.audit_parts = Some(letters),
                None => self.bad_directive_value(entry, argument, "write letters from A to K, and Z, such as ABIJDEFHZ"),
            },
            Directive::SecAuditLogStorageDir => settings.audit_storage_folder = Some(text.into()),
            Directive::SecAuditLogDirMode => settings.audit_folder_mode = octal(text),
            Directive::SecAuditLogFileMode => settings.audit_file_mode = octal(text),
            Directive::SecAuditLogRelevantStatus => match Pattern::shared(text.as_bytes(), PatternOptions::default()) {
                Ok(pattern) => self.context.settings.load.audit_relevant_status = Some(pattern),
                Err(error) => report_bad_pattern(&mut self.context, Code::BadDirectiveValue, text, &error, argument.span),
            },
            Directive::SecUnicodeMapFile => self.unicode_map(argument, arguments.get(1)),
            Directive::SecTransactionBudget => {
                settings.limits.set(Limit::Budget, number());
                settings.over_budget = Some(match arguments.get(1) {
                    Some(word) if word.text.eq_ignore_ascii_case("pass") => OverBudget::Pass,
                    _ => OverBudget::Deny,
                });
            }
            other => {
                let limit = Limit::of(other);
                match (limit, number()) {
                    (Some(limit), Some(most)) if most > limit.most() => {
                        let hint = format!("write a number up to {}: more would take more of the stack than there is", limit.most());
                        self.bad_directive_value(entry, argument, &hint);
                    }
                    (Some(limit), most) => settings.limits.set(limit, most),
                    (None, _) => {}
                }
            }
        }
    }

    /// What `SecAuditLogType HTTPS` posts to has to be an address.
    #[cfg(feature = "remote")]
    pub fn check_audit_log(&mut self) {
        let settings = &self.context.settings.merged;
        let posts = settings.audit_type == Some(AuditType::Https);
        if let Some(place) = settings.audit_log.as_ref().filter(|place| posts && !is_remote(&place.node)) {
            let message = format!("`SecAuditLog` does not take `{}` where `SecAuditLogType` is HTTPS", place.node);
            let diagnostic = Diagnostic::new(Code::BadDirectiveValue, place.span, message).hint("write an https address");
            self.context.report(diagnostic);
        }
    }

    fn unicode_map(&mut self, path: &Argument, code_page: Option<&Argument>) {
        let candidates = candidates(&self.context, &path.text, path.span);
        let code_page = code_page.and_then(|number| number.text.parse().ok()).unwrap_or_default();
        let map = self.context.loader.read_first(&candidates).map_err(|error| (reason(&error), looked_at(&candidates)));
        let other_page = || String::from("write the number of a code page that the file holds, such as 20127 in that of ModSecurity");
        match map.and_then(|text| UnicodeMap::parse(&text, code_page).map_err(|error| (error.to_string(), other_page()))) {
            Ok(map) => self.context.settings.unicode_map = Some(map),
            Err((problem, hint)) => {
                let message = format!("`{}` cannot be used: {problem}", path.text);
                self.context.report(Diagnostic::new(Code::BadDirectiveFile, path.span, message).hint(hint));
            }
        }
    }
}

/// `SecGeoLookupDb`
pub fn geo_database(context: &mut Context<'_>, path: &Argument) {
    match geo_database_at(context, &path.text, path.span) {
        Ok(database) => context.settings.load.geo_database = Some(database),
        Err((problem, hint)) => {
            let message = format!("`{}` cannot be used: {problem}", path.text);
            context.report(Diagnostic::new(Code::BadDirectiveFile, path.span, message).hint(hint));
        }
    }
}

fn geo_database_at(context: &Context<'_>, path: &str, span: Span) -> Result<Arc<GeoDatabase>, (String, String)> {
    let candidates = candidates(context, path, span);
    let bytes = context.loader.read_first(&candidates).map_err(|error| (reason(&error), looked_at(&candidates)))?;
    let old = path.to_ascii_lowercase().ends_with(".dat");
    let hint = if old { "GeoIP's .dat files are no longer read: take the .mmdb of GeoLite2 or GeoIP2" } else { "take an .mmdb file" };
    GeoDatabase::shared(bytes).map_err(|error| (error.to_string(), hint.to_owned()))
}

fn describe(entry: &DirectiveEntry) -> String {
    match entry.argument {
        DirectiveArgument::Word(words) => format!("write {}", alternatives(words)),
        DirectiveArgument::Number => format!("write a whole number: {}", in_sentence(entry.doc)),
        DirectiveArgument::NumberAndWord(words) => {
            format!("write a whole number, and behind it {} if you wish: {}", alternatives(words), in_sentence(entry.doc))
        }
        DirectiveArgument::Mode => String::from("write an octal number such as 0640, or default"),
        DirectiveArgument::PathAndNumber => String::from("write a path and the number of a code page, such as unicode.mapping 20127"),
        _ => format!("write its value: {}", in_sentence(entry.doc)),
    }
}

/// `On, Off or DetectionOnly`
fn alternatives(words: &[&str]) -> String {
    match words.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        _ => words.concat(),
    }
}

fn limit_action(text: &str) -> Option<LimitAction> {
    Some(if text.eq_ignore_ascii_case("Reject") { LimitAction::Reject } else { LimitAction::ProcessPartial })
}

/// Nothing for `HTTPS` in a build that does not post.
fn audit_type(text: &str) -> Option<AuditType> {
    match text.to_ascii_lowercase().as_str() {
        "serial" => Some(AuditType::Serial),
        #[cfg(feature = "remote")]
        "https" => Some(AuditType::Https),
        #[cfg(not(feature = "remote"))]
        "https" => None,
        _ => Some(AuditType::Concurrent),
    }
}

/// A mode in octal; `default` is none, which leaves the choice to the engine.
fn octal(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777)
}
