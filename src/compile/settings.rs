//! Directives that set one value of the engine.

use super::arguments::report_bad_value;
use super::context::Context;
use super::decisions;
use super::files::{candidates, looked_at, reason};
use super::masks::masked_targets;
use super::targets::report_bad_pattern;
use super::values::{audit_engine, audit_type, engine_mode, limit_action, octal, on_off};
use super::worlds;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{AuditFormat, KeepFiles, LogLetters, OnFailure, OverBudget, SiteId};
use crate::operator::GeoDatabase;
use crate::pattern::{Pattern, PatternOptions};
use crate::seclang::Argument;
use crate::source::{Span, Spanned};
use crate::transform::UnicodeMap;
use crate::vocabulary::{Directive, DirectiveEntry, Limit};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Applies a directive whose arguments were checked: all directives that set a value are here.
pub fn set(context: &mut Context<'_>, directive: Directive, name: Span, entry: &DirectiveEntry, arguments: &[Argument]) {
    let Some((argument, rest)) = arguments.split_first() else {
        if directive == Directive::SecResponseBodyMimeTypesClear {
            context.settings.load.response_body_types.clear();
        }
        return;
    };
    let text = argument.text.as_str();
    let settings = &mut context.settings.load;
    let number = || text.parse::<usize>().ok();
    match directive {
        Directive::SecRuleEngine => settings.engine = engine_mode(text),
        Directive::SecRequestBodyAccess => settings.request_body_access = on_off(text),
        Directive::SecRequestBodyLimitAction => settings.request_body_limit_action = limit_action(text),
        Directive::SecArgumentSeparator => match text.as_bytes() {
            [separator] => settings.argument_separator = Some(*separator),
            _ => report_bad_value(context, entry, argument, "write one character"),
        },
        Directive::SecResponseBodyAccess => settings.response_body_access = on_off(text),
        Directive::SecResponseBodyLimitAction => settings.response_body_limit_action = limit_action(text),
        Directive::SecResponseBodyMimeType => {
            let types = arguments.iter().flat_map(|argument| argument.text.split_ascii_whitespace()).map(Box::from);
            settings.response_body_types.extend(types);
        }
        Directive::SecWebAppId => settings.web_app_id = Some(text.into()),
        Directive::SecXmlExternalEntity => settings.xml_external_entities = on_off(text),
        Directive::SecUploadDir => {
            settings.upload_folder = Some(PathBuf::from(text));
            context.settings.note_upload(argument.span, true);
        }
        Directive::SecUploadFileMode => settings.upload_file_mode = octal(text),
        Directive::SecUploadKeepFiles => {
            settings.upload_keep_files = match on_off(text) {
                Some(true) => Some(KeepFiles::On),
                Some(false) => Some(KeepFiles::Off),
                None => Some(KeepFiles::RelevantOnly),
            };
            context.settings.note_upload(argument.span, false);
        }
        Directive::SecTmpSaveUploadedFiles => {
            settings.save_uploaded_files = on_off(text);
            context.settings.note_upload(argument.span, false);
        }
        Directive::SecComponentSignature => settings.components.push(text.into()),
        Directive::SecGeoLookupDb => geo_database(context, argument),
        Directive::SecHttpBlKey => settings.http_blocklist_key = Some(text.into()),
        Directive::SecCrawlerFile => {
            let crawlers = decisions::crawlers(context, argument);
            context.settings.load.decisions.crawlers.extend(crawlers);
        }
        Directive::SecDecisionBodyLimit => settings.decision_body_limit = number(),
        Directive::SecDecisionFailure => {
            let closes = text.eq_ignore_ascii_case("closed");
            settings.decision_failure = Some(if closes { OnFailure::Closed } else { OnFailure::Open });
        }
        Directive::SecCollectionFailure => {
            let closes = text.eq_ignore_ascii_case("closed");
            settings.collection_failure = Some(if closes { OnFailure::Closed } else { OnFailure::Open });
        }
        Directive::SecCollectionStore => {
            settings.collection_store = Some(Spanned { node: text.into(), span: argument.span });
        }
        Directive::SecDataDir => settings.data_folder = Some(PathBuf::from(text)),
        Directive::SecCollectionTimeout => settings.collection_timeout = number().map(|seconds| Duration::from_secs(seconds as u64)),
        Directive::SecPluginStatus => match text.parse() {
            Ok(status @ 100..=999) => settings.plugin_status = Some(status),
            _ => decisions::report_bad_value(context, argument, "write a status such as 403"),
        },
        Directive::SecAlarm => worlds::alarm(context, argument),
        Directive::SecExtension => worlds::extension(context, argument, rest),
        Directive::SecExtensionDatabase => worlds::database(context, argument, rest.first()),
        Directive::SecExtensionHistory => {
            let history = worlds::history(context, argument, rest);
            let settings = &mut context.settings.load;
            settings.extension_history = history.or(settings.extension_history.take());
        }
        Directive::SecExtensionScore => {
            let score = worlds::score(context, argument, rest.first());
            let settings = &mut context.settings.load;
            settings.extension_score = score.or(settings.extension_score.take());
        }
        Directive::SecExtensionTimeLimit => settings.extension_time_limit = text.parse().ok().map(Duration::from_secs),
        Directive::SecPlugin => worlds::plugins(context, arguments),
        Directive::SecPluginDetail => settings.plugin_detail = on_off(text),
        Directive::SecPluginHost => {
            let socket = worlds::host_socket(context, argument);
            let settings = &mut context.settings.load;
            settings.plugin_host = socket.or(settings.plugin_host.take());
        }
        Directive::SecPluginLogRate => settings.plugin_log_rate = number(),
        Directive::SecPluginQueue => settings.plugin_queue = number(),
        Directive::SecScriptConnect => worlds::connects(context, arguments),
        Directive::SecSessionCookie => {
            let names = arguments.iter().map(|argument| argument.text.as_str().into());
            settings.worlds.session_names.extend(names);
        }
        Directive::SecDecisionStatus => match text.parse() {
            Ok(status @ 100..=999) => settings.decision_status = Some(status),
            _ => decisions::report_bad_value(context, argument, "write a status such as 403"),
        },
        Directive::SecIpList => {
            let list = decisions::address_list(context, argument, rest);
            context.settings.load.decisions.lists.extend(list);
        }
        Directive::SecRateLimit => {
            let limit = decisions::rate_limit(context, argument, rest);
            context.settings.load.decisions.rates.extend(limit);
        }
        Directive::SecResolver => match decisions::name_server(text) {
            Some(server) => settings.resolver = Some(server),
            None => {
                let hint = "write the address of a name server, such as 192.0.2.53 or [2001:db8::53]:5353";
                decisions::report_bad_value(context, argument, hint)
            }
        },
        Directive::SecSite => {
            let sites = decisions::sites(context, argument, rest);
            context.settings.load.decisions.sites.extend(sites);
        }
        Directive::SecSiteId => match text.parse() {
            Ok(site) => settings.site = Some(SiteId(site)),
            Err(_) => decisions::report_bad_value(context, argument, "write the number of a site"),
        },
        Directive::SecTrustedSource => decisions::trusted_source(context, arguments),
        Directive::SecResolverTimeLimit => settings.resolver_time_limit = text.parse().ok().map(Duration::from_millis),
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
                report_bad_value(context, entry, argument, hint)
            }
        },
        Directive::SecAuditLogFormat if text.eq_ignore_ascii_case("JSON") => settings.audit_format = Some(AuditFormat::Json),
        Directive::SecAuditLogFormat if text.eq_ignore_ascii_case("OCSF") => settings.audit_format = Some(AuditFormat::Ocsf),
        Directive::SecAuditLogFormat => settings.audit_format = Some(AuditFormat::Native),
        Directive::SecAuditLogParts => match LogLetters::parse(text) {
            Some(letters) => settings.audit_parts = Some(letters),
            None => report_bad_value(context, entry, argument, "write letters from A to K, and Z, such as ABIJDEFHZ"),
        },
        Directive::SecAuditLogStorageDir => settings.audit_storage_folder = Some(PathBuf::from(text)),
        Directive::SecAuditLogDirMode => settings.audit_folder_mode = octal(text),
        Directive::SecAuditLogFileMode => {
            settings.audit_file_mode = octal(text);
            settings.audit_log_mode = settings.audit_file_mode;
        }
        Directive::SecAuditLogRelevantStatus => match Pattern::shared(text.as_bytes(), PatternOptions::default()) {
            Ok(pattern) => context.settings.load.audit_relevant_status = Some(pattern),
            Err(error) => report_bad_pattern(context, Code::BadDirectiveValue, text, &error, argument.span),
        },
        Directive::SecSanitise => masked_targets(context, arguments),
        Directive::SecUnicodeMapFile => unicode_map(context, argument, rest.first()),
        Directive::SecTransactionBudget => {
            settings.limits.set(Limit::Budget, number());
            settings.over_budget = Some(match rest.first() {
                Some(word) if word.text.eq_ignore_ascii_case("pass") => OverBudget::Pass,
                _ => OverBudget::Deny,
            });
        }
        other => {
            let limit = Limit::of(other);
            match (limit, number()) {
                (Some(limit), Some(max)) if max > limit.max_setting() => {
                    let hint = format!("write a number up to {}: more would take more of the stack than there is", limit.max_setting());
                    report_bad_value(context, entry, argument, &hint);
                }
                (Some(limit), max) => {
                    settings.limits.set(limit, max);
                    if matches!(limit, Limit::RequestBody | Limit::ResponseBody) {
                        context.settings.body_limits.push((directive, name));
                    }
                }
                (None, _) => {}
            }
        }
    }
}

fn unicode_map(context: &mut Context<'_>, path: &Argument, code_page: Option<&Argument>) {
    let candidates = candidates(context, &path.text, path.span);
    let code_page = code_page.and_then(|number| number.text.parse().ok()).unwrap_or_default();
    let map = context.loader.read_first(&candidates).map_err(|error| (reason(&error), looked_at(&candidates)));
    let other_page = || String::from("write the number of a code page that the file holds, such as 20127 in that of ModSecurity");
    match map.and_then(|text| UnicodeMap::parse(&text, code_page).map_err(|error| (error.to_string(), other_page()))) {
        Ok(map) => context.settings.unicode_map = Some(Arc::new(map)),
        Err((problem, hint)) => {
            let message = format!("`{}` cannot be used: {problem}", path.text);
            context.report(Diagnostic::new(Code::BadDirectiveFile, path.span, message).hint(hint));
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
