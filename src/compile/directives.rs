//! Goes through the directives of each load and gathers what becomes the graph.

use super::chains::OpenChain;
use super::draft::{DefaultDraft, Draft, ParsedAction, RuleActions, as_effect};
use super::lookups::Need;
use super::removals::NamedRules;
use super::updates::Update;
use crate::diagnostic::{Code, Diagnostic, MOST_ERRORS, Severity};
use crate::graph::{BodyUse, Location, MarkerId, Phase, PhaseMap, Rule, RuleGraph, Settings, Step, Test};
use crate::script::Script;
use crate::seclang::{Actions, Argument, Body, Directive, OperatorExpression, Targets};
use crate::source::{Loader, Sources, Span};
use crate::vocabulary::{self, Support, did_you_mean};
use std::collections::HashMap;
use std::path::PathBuf;

/// What is known so far.
pub struct Builder<'a> {
    pub loader: &'a dyn Loader,
    pub graph: RuleGraph,
    /// Settings of the current load, in which the last directive wins.
    pub load_settings: Settings,
    pub drafts: Vec<Draft>,
    pub defaults: PhaseMap<DefaultDraft>,
    pub updates: Vec<(Update, Span)>,
    pub open_chain: Option<OpenChain>,
    /// Places of `skipAfter`, by marker.
    pub jumps: Vec<(MarkerId, Span)>,
    /// What operators need directives for, and where they stand.
    pub needs: Vec<(Need, Span)>,
    /// The directive that uploaded files are written for.
    pub upload_place: Option<Span>,
    /// What `ctl` removes.
    pub named_rules: Vec<NamedRules>,
    /// Limits of bodies, and where they are set.
    pub body_limits: Vec<(vocabulary::Directive, Span)>,
    /// Scripts, by the path of their file.
    pub scripts: HashMap<PathBuf, Script>,
    diagnostics: Vec<Diagnostic>,
    errors: usize,
    load: usize,
    /// Where settings of the current load stand, and what is written there.
    written: HashMap<vocabulary::Directive, Written>,
    /// The same of the loads before it, which count.
    written_before: HashMap<vocabulary::Directive, Written>,
    ids: HashMap<u64, Span>,
    markers: HashMap<Box<str>, MarkerId>,
    placed_markers: Vec<MarkerId>,
}

/// A setting as it is written.
struct Written {
    span: Span,
    values: Vec<String>,
}

impl<'a> Builder<'a> {
    pub fn new(loader: &'a dyn Loader) -> Self {
        Self {
            loader,
            graph: RuleGraph::default(),
            load_settings: Settings::default(),
            drafts: Vec::new(),
            defaults: PhaseMap::default(),
            updates: Vec::new(),
            open_chain: None,
            jumps: Vec::new(),
            needs: Vec::new(),
            upload_place: None,
            named_rules: Vec::new(),
            body_limits: Vec::new(),
            scripts: HashMap::new(),
            diagnostics: Vec::new(),
            errors: 0,
            load: 0,
            written: HashMap::new(),
            written_before: HashMap::new(),
            ids: HashMap::new(),
            markers: HashMap::new(),
            placed_markers: Vec::new(),
        }
    }

    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.errors += usize::from(diagnostic.severity() == Severity::Error);
        self.diagnostics.push(diagnostic);
    }

    /// Takes in the directives of one load. Returns `true` if it sets whether rules run, as the configuration of a whole site does.
    pub fn add_load(&mut self, directives: &[Directive], sources: &Sources) -> bool {
        self.load += 1;
        for directive in directives {
            if self.errors >= MOST_ERRORS {
                break;
            }
            self.directive(directive, sources);
        }
        self.close_chain();
        let settings = std::mem::take(&mut self.load_settings);
        let sets_engine = settings.engine.is_some();
        self.check_overruled(&settings);
        self.graph.settings.merge(settings);
        sets_engine
    }

    /// Warns of settings that have no effect, for an earlier load set another value.
    fn check_overruled(&mut self, settings: &Settings) {
        let mut written = std::mem::take(&mut self.written);
        let overruled = self.graph.settings.overruled(settings);
        for (directive, written) in overruled.into_iter().filter_map(|directive| Some((directive, written.remove(&directive)?))) {
            let Some(before) = self.written_before.get(&directive).filter(|before| before.values != written.values) else { continue };
            let message =
                format!("`{}` has no effect: rules that were loaded before set it to {}", directive.name(), before.values.join(" "));
            let hint = "load these rules first, or load all as one: within a load the last value counts";
            self.report(Diagnostic::new(Code::Overruled, written.span, message).hint(hint));
        }
        for (directive, written) in written {
            self.written_before.entry(directive).or_insert(written);
        }
    }

    /// Joins what was gathered into the graph.
    pub fn finish(mut self, diagnostics: &mut Vec<Diagnostic>) -> RuleGraph {
        let strangers: Vec<_> = self.jumps.iter().filter(|(marker, _)| !self.placed_markers.contains(marker)).copied().collect();
        for (marker, span) in strangers {
            let name = self.graph.marker(marker);
            let message = format!("no SecMarker is named `{name}`, so that the rest of the phase is skipped");
            let hint = did_you_mean(name, self.placed_markers.iter().map(|placed| self.graph.marker(*placed)), "");
            let hint = hint.unwrap_or_else(|| String::from("add the SecMarker"));
            self.report(Diagnostic::new(Code::UnknownMarker, span, message).hint(hint));
        }
        self.check_needs();
        self.check_limits();
        self.check_phase_2();
        self.check_upload_folder();
        self.check_xml_bodies();
        #[cfg(feature = "remote")]
        self.check_audit_log();
        self.join_rules();
        self.apply_updates();
        self.check_removals();
        self.open_before_use();
        self.mark_stopping_chains();
        self.graph.body_use = BodyUse::of(&self.graph);
        diagnostics.append(&mut self.diagnostics);
        // A rule with an error is not there to be updated, and a marker that was not read is not there to be jumped to.
        if diagnostics.iter().any(|diagnostic| diagnostic.severity() == Severity::Error) {
            diagnostics.retain(|diagnostic| !matches!(diagnostic.code, Code::NothingToUpdate | Code::UnknownMarker));
        }
        self.graph
    }

    fn directive(&mut self, directive: &Directive, sources: &Sources) {
        let name = &directive.name.node;
        let Some(entry) = vocabulary::Directive::find(name) else {
            let known = vocabulary::Directive::table().filter(|entry| entry.directive.is_some()).map(|entry| entry.name);
            let hint = did_you_mean(name, known, "").unwrap_or_else(|| match name.get(..3) {
                Some(start) if start.eq_ignore_ascii_case("sec") => {
                    String::from("look at the spelling, or for what another engine calls so")
                }
                _ => String::from("it may be the web server's: move it to the web server's own configuration"),
            });
            self.report(Diagnostic::new(Code::UnknownDirective, directive.name.span, format!("unknown directive `{name}`")).hint(hint));
            return;
        };
        let arguments: &[Argument] = match &directive.body {
            Body::Arguments(arguments) => arguments,
            _ => &[],
        };
        match entry.support {
            Support::Refused(why) => {
                let message = format!("`{}` is not supported", entry.name);
                return self.report(Diagnostic::new(Code::UnsupportedDirective, directive.name.span, message).hint(why));
            }
            Support::NoEffect(why) => {
                if self.check_arguments(&entry, arguments, directive.span) {
                    let message = format!("`{}` has no effect: {why}", entry.name);
                    self.report(Diagnostic::new(Code::NoEffect, directive.name.span, message).hint("the line can be taken away"));
                }
                return;
            }
            Support::Works => {}
        }
        if !self.check_arguments(&entry, arguments, directive.span) {
            return;
        }
        if let (Some(setting), Body::Arguments(arguments)) = (entry.directive, &directive.body) {
            let values = arguments.iter().map(|argument| argument.text.to_string()).collect();
            self.written.insert(setting, Written { span: directive.span, values });
        }
        match &directive.body {
            Body::Rule { targets, operator, actions } => self.rule(directive, targets, operator, actions.as_ref(), sources),
            Body::Actions(actions) if name.eq_ignore_ascii_case("SecDefaultAction") => self.default_action(actions, sources),
            Body::Actions(actions) => self.unconditional(directive, actions, sources),
            Body::Script { file, actions } => self.rule_script(directive, file, actions.as_ref(), sources),
            Body::UpdateTargets { rules, targets } => self.update_targets(&entry, rules, targets),
            Body::UpdateActions { rule, actions } => self.update_actions(rule, actions, sources),
            Body::Arguments(arguments) => match entry.directive {
                Some(vocabulary::Directive::SecMarker) => self.place_marker(arguments),
                Some(
                    removal @ (vocabulary::Directive::SecRuleRemoveById
                    | vocabulary::Directive::SecRuleRemoveByMsg
                    | vocabulary::Directive::SecRuleRemoveByTag),
                ) => self.removal(removal, arguments),
                Some(vocabulary::Directive::SecDecisionScript) => self.decision_script(directive, arguments, sources),
                Some(
                    setting @ (vocabulary::Directive::SecCrawlerFile
                    | vocabulary::Directive::SecDecisionFailure
                    | vocabulary::Directive::SecDecisionStatus
                    | vocabulary::Directive::SecIpList
                    | vocabulary::Directive::SecRateLimit
                    | vocabulary::Directive::SecResolver
                    | vocabulary::Directive::SecSite
                    | vocabulary::Directive::SecSiteId
                    | vocabulary::Directive::SecTrustedSource),
                ) => self.decision_setting(setting, arguments, sources),
                Some(setting) => {
                    self.note_limit(setting, directive.name.span);
                    self.set(setting, &entry, arguments, sources);
                }
                None => {}
            },
        }
    }

    fn rule(
        &mut self,
        directive: &Directive,
        targets: &Targets,
        operator: &OperatorExpression,
        actions: Option<&Actions>,
        sources: &Sources,
    ) {
        let understood = self.rule_actions(actions, sources);
        self.check_paths(targets, &understood.namespaces);
        self.check_phase(targets, self.written_phase(&understood));
        let targets = self.targets(targets);
        let built = self.operator(operator, sources);
        let chained = self.open_chain.is_some();
        if !chained {
            self.check_id(&understood, actions, directive.span, sources);
        }
        let Some((kind, argument)) = built else {
            return self.abandon_chain(understood.chain);
        };
        self.check_operator(operator, kind);
        let test = Test::Operator { targets, kind, argument, negated: operator.negated };
        let draft = self.draft(test, understood, directive.span, sources);
        self.add_rule(draft, actions);
    }

    fn unconditional(&mut self, directive: &Directive, actions: &Actions, sources: &Sources) {
        let understood = self.rule_actions(Some(actions), sources);
        let draft = self.draft(Test::Unconditional, understood, directive.span, sources);
        self.add_rule(draft, Some(actions));
    }

    fn check_id(&mut self, understood: &RuleActions, actions: Option<&Actions>, span: Span, sources: &Sources) {
        let place = actions.and_then(|actions| actions.find("id")).map_or(span, |action| action.value_span());
        match understood.id {
            // A bad id was reported when it was read.
            None if actions.is_some_and(|actions| actions.find("id").is_some()) => {}
            None => self
                .report(Diagnostic::new(Code::MissingId, span, "the rule has no id").hint("add id:N with a number that no other rule has")),
            Some(id) => {
                if let Some(first) = self.ids.insert(id, place) {
                    let (file, position) = sources.locate(first);
                    let hint = format!("it stands at {file}:{position}; give one of the two another id");
                    self.report(Diagnostic::new(Code::DuplicateId, place, format!("there is a rule {id} already")).hint(hint));
                }
            }
        }
    }

    pub fn draft(&mut self, test: Test, actions: RuleActions, span: Span, sources: &Sources) -> Draft {
        let (file, position) = sources.locate(span);
        let (_, last) = sources.locate(Span { start: span.end, ..span });
        let rule = Rule {
            id: actions.id.unwrap_or(0),
            location: Location { file, line: position.line, last_line: last.line },
            phase: actions.phase.unwrap_or(Phase::RequestHeaders),
            test,
            transformations: crate::graph::ChainId::EMPTY,
            spellings: Vec::new(),
            multi_match: actions.multi_match,
            capture: actions.capture,
            chained: actions.chain,
            next: None,
            before: None,
            starter: None,
            metadata: actions.metadata,
            logs: true,
            audits: true,
            assignments: actions.assignments,
            openings: actions.openings,
            effects: actions.effects,
            disruptive: actions.disruptive,
            namespaces: actions.namespaces,
            updated: None,
            removed: None,
            stops: false,
            plan: crate::graph::RulePlan::default(),
        };
        Draft { rule, has_phase: actions.phase.is_some(), transformations: actions.transformations, span }
    }

    fn default_action(&mut self, written: &Actions, sources: &Sources) {
        let mut draft = DefaultDraft { load: self.load, ..DefaultDraft::default() };
        let mut phase = Phase::RequestHeaders;
        let mut misplaced = Vec::new();
        for (action, place) in self.parsed_actions(Some(written), sources).into_iter().zip(written.list.iter()) {
            match action {
                ParsedAction::Phase(named) => phase = named,
                ParsedAction::Disruptive(disruptive) => draft.disruptive = Some(disruptive),
                ParsedAction::Transformation(Some(transformation)) => draft.transformations.push(transformation),
                ParsedAction::Assign(assignment) => draft.effects.push(crate::graph::Effect::Assign(assignment)),
                other => match as_effect(other) {
                    Ok(effect) => draft.effects.push(effect),
                    Err(_) => misplaced.push((place.name.node.clone(), place.span)),
                },
            }
        }
        for (name, span) in misplaced {
            let message = format!("`{name}` is not suitable for SecDefaultAction");
            self.report(Diagnostic::new(Code::MisplacedAction, span, message).hint("put it into the rules"));
        }
        if draft.disruptive.is_none() {
            let hint = "add pass, deny, drop, redirect or allow";
            self.report(Diagnostic::new(Code::DefaultNotDisruptive, written.span, "SecDefaultAction lacks a disruptive action").hint(hint));
        }
        let earlier = self.defaults.at_mut(phase);
        if earlier.load == self.load {
            let message = format!("phase {} has a SecDefaultAction already", phase.number());
            self.report(Diagnostic::new(Code::DefaultTwice, written.span, message).hint("join the two"));
            return;
        }
        earlier.load = draft.load;
        earlier.transformations.append(&mut draft.transformations);
        earlier.effects.append(&mut draft.effects);
        earlier.disruptive = draft.disruptive.or(earlier.disruptive.take());
    }

    fn place_marker(&mut self, arguments: &[Argument]) {
        if let Some(argument) = arguments.first() {
            let marker = self.marker(argument.text.trim_matches(['\'', '"']));
            self.placed_markers.push(marker);
            for phase in Phase::ALL {
                self.graph.phases.at_mut(phase).push(Step::Marker(marker));
            }
        }
    }

    /// The marker that a `skipAfter` jumps to.
    pub fn jump(&mut self, name: &str, span: Span) -> MarkerId {
        let marker = self.marker(name);
        self.jumps.push((marker, span));
        marker
    }

    fn marker(&mut self, name: &str) -> MarkerId {
        if let Some(known) = self.markers.get(name) {
            return *known;
        }
        let marker = MarkerId(u32::try_from(self.graph.markers.len()).unwrap_or(u32::MAX));
        self.graph.markers.push(name.into());
        self.markers.insert(name.into(), marker);
        marker
    }
}
