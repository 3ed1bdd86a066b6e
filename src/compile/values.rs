//! Words and numbers of directives and `ctl` options.

use crate::graph::{AuditEngine, AuditType, EngineMode, LimitAction};
use std::ops::RangeInclusive;

/// Parses `On` and `Off`, in any case.
pub fn on_off(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

/// Parses the value of `SecRuleEngine`.
pub fn engine_mode(value: &str) -> Option<EngineMode> {
    match value.to_ascii_lowercase().as_str() {
        "on" => Some(EngineMode::On),
        "off" => Some(EngineMode::Off),
        "detectiononly" => Some(EngineMode::DetectionOnly),
        _ => None,
    }
}

/// Parses the value of `SecAuditEngine`.
pub fn audit_engine(value: &str) -> Option<AuditEngine> {
    match value.to_ascii_lowercase().as_str() {
        "on" => Some(AuditEngine::On),
        "off" => Some(AuditEngine::Off),
        "relevantonly" => Some(AuditEngine::RelevantOnly),
        _ => None,
    }
}

/// Parses the value of `SecRequestBodyLimitAction` and `SecResponseBodyLimitAction`.
pub fn limit_action(text: &str) -> Option<LimitAction> {
    Some(if text.eq_ignore_ascii_case("Reject") { LimitAction::Reject } else { LimitAction::ProcessPartial })
}

/// Parses the value of `SecAuditLogType`; `None` for `HTTPS` in a build without posting.
pub fn audit_type(text: &str) -> Option<AuditType> {
    match text.to_ascii_lowercase().as_str() {
        "serial" => Some(AuditType::Serial),
        #[cfg(feature = "remote")]
        "https" => Some(AuditType::Https),
        #[cfg(not(feature = "remote"))]
        "https" => None,
        _ => Some(AuditType::Concurrent),
    }
}

/// Parses a mode in octal; `None` for `default`, the engine's own mode.
pub fn octal(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777)
}

/// Parses an id, or a range of ids such as `1000-1999`.
pub fn id_range(value: &str) -> Option<RangeInclusive<u64>> {
    let number = |text: &str| text.trim().parse::<u64>().ok();
    match value.split_once('-') {
        Some((first, last)) => Some(number(first)?..=number(last)?).filter(|range| !range.is_empty()),
        None => number(value).map(|id| id..=id),
    }
}
