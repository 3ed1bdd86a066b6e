//! Settings while files are read: of several loads the first that sets a value wins, for the audit log the last; within a load always the last.

use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{
    AuditEngine, AuditFormat, AuditType, Decisions, EngineMode, HistoryFile, KeepFiles, LimitAction, Limits, LogLetters, OnFailure,
    OverBudget, ScoreNames, Settings, SiteId, Target, Worlds, setting_rows,
};
use crate::operator::GeoDatabase;
use crate::pattern::Pattern;
use crate::seclang::Argument;
use crate::source::{Span, Spanned};
use crate::transform::UnicodeMap;
use crate::vocabulary::{Directive, Limit};
use std::collections::HashMap;
use std::mem::take;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The settings of all loads so far.
#[derive(Default)]
pub struct SettingsBuilder {
    /// The settings of the current load.
    pub load: SettingsDraft,
    /// The code page of `t:urlDecodeUni`: the last one, in any load.
    pub unicode_map: Option<Arc<UnicodeMap>>,
    /// The directive that causes uploaded files to be written.
    pub upload_place: Option<Span>,
    /// Limits of bodies, with their places.
    pub body_limits: Vec<(Directive, Span)>,
    /// The settings of the loads before the current one, merged.
    merged: SettingsDraft,
    /// The loads that ended.
    ended: Vec<EndedLoad>,
    /// `true` if `upload_place` names the folder.
    names_upload_folder: bool,
    /// Places and values of settings of the current load.
    written: HashMap<Directive, Written>,
    /// Places and values of settings that apply, of the loads before it.
    written_before: HashMap<Directive, Written>,
}

/// The settings of one load.
#[derive(Clone)]
struct EndedLoad {
    settings: SettingsDraft,
    written: HashMap<Directive, Written>,
}

/// The settings of several loads, to be added to those of other loads.
#[derive(Default)]
pub struct EndedLoads {
    loads: Vec<EndedLoad>,
    unicode_map: Option<Arc<UnicodeMap>>,
    upload_place: Option<Span>,
    names_upload_folder: bool,
    body_limits: Vec<(Directive, Span)>,
}

/// A setting as written.
#[derive(Clone)]
struct Written {
    span: Span,
    values: Vec<String>,
}

/// The limits that directives set.
#[derive(Clone)]
pub struct LimitsDraft([Option<usize>; Limit::ALL.len()]);

macro_rules! define_draft {
    (
        first wins: $($(#[$_1:meta])+ $first:ident: $first_type:ty = $_2:expr, $first_directive:ident;)+
        first wins, or none: $($(#[$_3:meta])+ $first_none:ident: $first_none_type:ty, $first_none_directive:ident;)+
        last wins: $($(#[$_4:meta])+ $last:ident: $last_type:ty = $_5:expr, $_6:ident;)+
        last wins, or none: $($(#[$_7:meta])+ $last_none:ident: $last_none_type:ty, $_8:ident;)+
    ) => {
        /// The fields of [`Settings`], each `None` until a directive sets it.
        #[derive(Clone, Default)]
        pub struct SettingsDraft {
            $(pub $first: Option<$first_type>,)+
            $(pub $first_none: Option<$first_none_type>,)+
            $(pub $last: Option<$last_type>,)+
            $(pub $last_none: Option<$last_none_type>,)+
            pub response_body_types: Vec<Box<str>>,
            pub components: Vec<Box<str>>,
            pub decisions: Decisions,
            pub worlds: Worlds,
            pub masked: Vec<Target>,
            pub limits: LimitsDraft,
        }

        impl SettingsDraft {
            /// Returns the directives of a later load that have no effect, because this draft has another value.
            fn overruled(&self, later: &SettingsDraft) -> Vec<Directive> {
                let mut overruled = self.limits.overruled(&later.limits);
                $(if self.$first.is_some() && later.$first.is_some() {
                    overruled.push(Directive::$first_directive);
                })+
                $(if self.$first_none.is_some() && later.$first_none.is_some() {
                    overruled.push(Directive::$first_none_directive);
                })+
                overruled
            }

            /// Adds the settings of a later load.
            fn merge(&mut self, later: SettingsDraft) {
                $(self.$first = self.$first.take().or(later.$first);)+
                $(self.$first_none = self.$first_none.take().or(later.$first_none);)+
                $(self.$last = later.$last.or(self.$last.take());)+
                $(self.$last_none = later.$last_none.or(self.$last_none.take());)+
                for media_type in later.response_body_types {
                    if !self.response_body_types.contains(&media_type) {
                        self.response_body_types.push(media_type);
                    }
                }
                self.components.extend(later.components);
                self.decisions.append(later.decisions);
                self.worlds.append(later.worlds);
                self.masked.extend(later.masked);
                self.limits.merge(&later.limits);
            }

            /// Returns the settings; those without a directive have their defaults.
            fn finish(self) -> Settings {
                let defaults = Settings::default();
                Settings {
                    $($first: self.$first.unwrap_or(defaults.$first),)+
                    $($first_none: self.$first_none,)+
                    $($last: self.$last.unwrap_or(defaults.$last),)+
                    $($last_none: self.$last_none,)+
                    response_body_types: self.response_body_types,
                    components: self.components,
                    decisions: self.decisions,
                    worlds: self.worlds,
                    masked: self.masked,
                    limits: self.limits.finish(defaults.limits),
                }
            }
        }
    };
}

setting_rows!(define_draft);

impl SettingsBuilder {
    /// Returns a limit as set so far.
    pub fn limit(&self, limit: Limit) -> usize {
        let set = [&self.merged, &self.load].into_iter().find_map(|draft| draft.limits.get(limit));
        set.or(limit.default()).unwrap_or(usize::MAX)
    }

    /// Records place and value of a directive, for a warning if an earlier load has set the same.
    pub fn note(&mut self, directive: Directive, span: Span, arguments: &[Argument]) {
        let values = arguments.iter().map(|argument| argument.text.to_string()).collect();
        self.written.insert(directive, Written { span, values });
    }

    /// Records a directive about uploaded files; a warning shows the one that names the folder.
    pub fn note_upload(&mut self, span: Span, names_folder: bool) {
        if names_folder || self.upload_place.is_none() {
            self.upload_place = Some(span);
            self.names_upload_folder = names_folder;
        }
    }

    /// Ends a load. Returns `true` if it sets the engine's mode, and warnings about settings that have no effect because an earlier load set another
    /// value.
    pub fn end_load(&mut self) -> (bool, Vec<Diagnostic>) {
        let load = take(&mut self.load);
        let sets_engine = load.engine.is_some();
        self.ended.push(EndedLoad { settings: load.clone(), written: self.written.clone() });
        let warnings = self.overruled(&load);
        self.merged.merge(load);
        (sets_engine, warnings)
    }

    /// Returns the settings of all loads so far, to be added to others.
    pub fn ended_loads(&mut self) -> EndedLoads {
        EndedLoads {
            loads: take(&mut self.ended),
            unicode_map: self.unicode_map.clone(),
            upload_place: self.upload_place,
            names_upload_folder: self.names_upload_folder,
            body_limits: self.body_limits.clone(),
        }
    }

    /// Adds the settings of loads that were read before. Returns the warnings of [`end_load`](Self::end_load).
    pub fn add(&mut self, loads: &EndedLoads) -> Vec<Diagnostic> {
        let mut warnings = Vec::new();
        for EndedLoad { settings, written } in &loads.loads {
            (self.load, self.written) = (settings.clone(), written.clone());
            warnings.extend(self.end_load().1);
        }
        self.unicode_map = loads.unicode_map.clone().or(self.unicode_map.take());
        if let Some(place) = loads.upload_place {
            self.note_upload(place, loads.names_upload_folder);
        }
        self.body_limits.extend_from_slice(&loads.body_limits);
        warnings
    }

    /// Returns `true` if a load set a limit that is a part of compiled rules.
    pub fn limits_rules(&self) -> bool {
        [Limit::PatternSteps, Limit::Captures, Limit::Skip, Limit::ChainLength]
            .into_iter()
            .any(|limit| self.merged.limits.get(limit).is_some())
    }

    /// Returns the settings of all loads. A second call returns the defaults.
    pub fn finish(&mut self) -> Settings {
        take(&mut self.merged).finish()
    }

    fn overruled(&mut self, load: &SettingsDraft) -> Vec<Diagnostic> {
        let mut written = take(&mut self.written);
        let mut warnings = Vec::new();
        let overruled = self.merged.overruled(load);
        for (directive, written) in overruled.into_iter().filter_map(|directive| Some((directive, written.remove(&directive)?))) {
            let Some(before) = self.written_before.get(&directive).filter(|before| before.values != written.values) else { continue };
            let message =
                format!("`{}` has no effect: rules that were loaded before set it to {}", directive.name(), before.values.join(" "));
            let hint = "load these rules first, or load all as one: within a load the last value counts";
            warnings.push(Diagnostic::new(Code::Overruled, written.span, message).hint(hint));
        }
        for (directive, written) in written {
            self.written_before.entry(directive).or_insert(written);
        }
        warnings
    }
}

impl Default for LimitsDraft {
    fn default() -> Self {
        Self([None; Limit::ALL.len()])
    }
}

impl LimitsDraft {
    /// Sets a limit.
    pub fn set(&mut self, limit: Limit, max: Option<usize>) {
        if let Some(place) = self.0.get_mut(limit as usize) {
            *place = max;
        }
    }

    /// Returns the value that a directive set, if there is one.
    fn get(&self, limit: Limit) -> Option<usize> {
        self.0.get(limit as usize).copied().flatten()
    }

    /// Returns the directives of limits that a later load sets again.
    fn overruled(&self, later: &Self) -> Vec<Directive> {
        let set_twice = |limit: &Limit| self.get(*limit).is_some() && later.get(*limit).is_some();
        Limit::ALL.iter().copied().filter(set_twice).map(Limit::directive).collect()
    }

    /// Adds the limits of a later load that are not set.
    fn merge(&mut self, later: &Self) {
        self.0.iter_mut().zip(later.0).for_each(|(max, later)| *max = max.or(later));
    }

    /// Applies these limits to others.
    fn finish(&self, mut limits: Limits) -> Limits {
        for (limit, max) in Limit::ALL.iter().zip(self.0) {
            match (limit, max) {
                // As in ModSecurity v3, 0 means no limit for bodies.
                (Limit::RequestBody | Limit::ResponseBody, Some(0)) => limits.set(*limit, usize::MAX),
                (_, Some(max)) => limits.set(*limit, max),
                (_, None) => {}
            }
        }
        limits
    }
}
