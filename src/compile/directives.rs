//! Goes through the directives of each load and gathers what becomes the graph.

use super::actions::{parsed_actions, rule_actions};
use super::chains::OpenChain;
use super::context::Context;
use super::draft::{DefaultDraft, Draft, ParsedAction, RuleActions, as_effect};
use super::operators::read_operator;
use super::scripts::{MAIN, read_script};
use super::targets::{check_paths, read_targets};
use super::updates::Update;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::graph::{BodyUse, Location, Phase, PhaseMap, Rule, RuleGraph, Step, Test};
use crate::seclang::{Actions, Argument, Body, Directive, OperatorExpression, Targets};
use crate::source::{Loader, Sources, Span};
use crate::vocabulary::{self, Support, did_you_mean};
use std::collections::HashMap;

/// What is known so far.
pub struct Builder<'a> {
    pub context: Context<'a>,
    pub graph: RuleGraph,
    pub drafts: Vec<Draft>,
    pub defaults: PhaseMap<DefaultDraft>,
    pub updates: Vec<(Update, Span)>,
    pub open_chain: Option<OpenChain>,
    load: usize,
    ids: HashMap<u64, Span>,
}

impl<'a> Builder<'a> {
    pub fn new(loader: &'a dyn Loader) -> Self {
        Self {
            context: Context::new(loader),
            graph: RuleGraph::default(),
            drafts: Vec::new(),
            defaults: PhaseMap::default(),
            updates: Vec::new(),
            open_chain: None,
            load: 0,
            ids: HashMap::new(),
        }
    }

    /// Takes in the directives of one load. Returns `true` if it sets whether rules run, as the configuration of a whole site does.
    pub fn add_load(&mut self, directives: &[Directive]) -> bool {
        self.load += 1;
        for directive in directives {
            if self.context.has_too_many_errors() {
                break;
            }
            self.directive(directive);
        }
        self.close_chain();
        let (sets_engine, overruled) = self.context.settings.end_load();
        self.context.report_all(overruled);
        sets_engine
    }

    /// Joins what was gathered into the graph.
    pub fn finish(mut self) -> (RuleGraph, Sources, Vec<Diagnostic>) {
        self.context.report_all(self.context.references.unknown_markers(&self.context.names.markers));
        self.context.report_all(self.context.references.unmet_needs(&self.context.settings.merged));
        self.check_limits();
        self.check_phase_2();
        self.check_upload_folder();
        self.check_xml_bodies();
        #[cfg(feature = "remote")]
        self.check_audit_log();
        self.join_rules();
        self.apply_updates();
        self.context.report_all(self.context.references.missing_rules(&self.graph.rules));
        self.open_before_use();
        self.mark_stopping_chains();
        self.graph.settings = std::mem::take(&mut self.context.settings.merged);
        self.graph.unicode_map = self.context.settings.unicode_map.take();
        self.graph.tx_names = std::mem::take(&mut self.context.names.tx);
        self.graph.markers = std::mem::take(&mut self.context.names.markers);
        self.graph.body_use = BodyUse::of(&self.graph);
        let (sources, mut diagnostics) = self.context.into_report();
        // A rule with an error is not there to be updated, and a marker that was not read is not there to be jumped to.
        if diagnostics.iter().any(|diagnostic| diagnostic.severity() == Severity::Error) {
            diagnostics.retain(|diagnostic| !matches!(diagnostic.code, Code::NothingToUpdate | Code::UnknownMarker));
        }
        (self.graph, sources, diagnostics)
    }

    fn directive(&mut self, directive: &Directive) {
        let name = &directive.name.node;
        let Some(entry) = vocabulary::Directive::find(name) else {
            let known = vocabulary::Directive::table().filter(|entry| entry.directive.is_some()).map(|entry| entry.name);
            let hint = did_you_mean(name, known, "").unwrap_or_else(|| match name.get(..3) {
                Some(start) if start.eq_ignore_ascii_case("sec") => {
                    String::from("look at the spelling, or for what another engine calls so")
                }
                _ => String::from("it may be the web server's: move it to the web server's own configuration"),
            });
            self.context
                .report(Diagnostic::new(Code::UnknownDirective, directive.name.span, format!("unknown directive `{name}`")).hint(hint));
            return;
        };
        let arguments: &[Argument] = match &directive.body {
            Body::Arguments(arguments) => arguments,
            _ => &[],
        };
        match entry.support {
            Support::Refused(why) => {
                let message = format!("`{}` is not supported", entry.name);
                return self.context.report(Diagnostic::new(Code::UnsupportedDirective, directive.name.span, message).hint(why));
            }
            Support::NoEffect(why) => {
                if self.check_arguments(&entry, arguments, directive.span) {
                    let message = format!("`{}` has no effect: {why}", entry.name);
                    self.context.report(Diagnostic::new(Code::NoEffect, directive.name.span, message).hint("the line can be taken away"));
                }
                return;
            }
            Support::Works => {}
        }
        if !self.check_arguments(&entry, arguments, directive.span) {
            return;
        }
        if let (Some(setting), Body::Arguments(arguments)) = (entry.directive, &directive.body) {
            self.context.settings.note(setting, directive.span, arguments);
        }
        match &directive.body {
            Body::Rule { targets, operator, actions } => self.rule(directive, targets, operator, actions.as_ref()),
            Body::Actions(actions) if name.eq_ignore_ascii_case("SecDefaultAction") => self.default_action(actions),
            Body::Actions(actions) => self.unconditional(directive, actions),
            Body::Script { file, actions } => self.rule_script(directive, file, actions.as_ref()),
            Body::UpdateTargets { rules, targets } => self.update_targets(&entry, rules, targets),
            Body::UpdateActions { rule, actions } => self.update_actions(rule, actions),
            Body::Arguments(arguments) => match entry.directive {
                Some(vocabulary::Directive::SecMarker) => self.place_marker(arguments),
                Some(
                    removal @ (vocabulary::Directive::SecRuleRemoveById
                    | vocabulary::Directive::SecRuleRemoveByMsg
                    | vocabulary::Directive::SecRuleRemoveByTag),
                ) => self.removal(removal, arguments),
                Some(vocabulary::Directive::SecDecisionScript) => self.decision_script(directive, arguments),
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
                ) => self.decision_setting(setting, arguments),
                Some(setting) => {
                    self.note_limit(setting, directive.name.span);
                    self.set(setting, &entry, arguments);
                }
                None => {}
            },
        }
    }

    fn rule(&mut self, directive: &Directive, targets: &Targets, operator: &OperatorExpression, actions: Option<&Actions>) {
        let understood = rule_actions(&mut self.context, actions);
        check_paths(&mut self.context, targets, &understood.namespaces);
        self.check_phase(targets, self.written_phase(&understood));
        let targets = read_targets(&mut self.context, targets);
        let built = read_operator(&mut self.context, operator);
        let chained = self.open_chain.is_some();
        if !chained {
            self.check_id(&understood, actions, directive.span);
        }
        let Some((kind, argument)) = built else {
            return self.abandon_chain(understood.chain);
        };
        self.check_operator(operator, kind);
        let test = Test::Operator { targets, kind, argument, negated: operator.negated };
        let draft = self.draft(test, understood, directive.span);
        self.add_rule(draft, actions);
    }

    /// `SecRuleScript`
    pub fn rule_script(&mut self, directive: &Directive, file: &Argument, actions: Option<&Actions>) {
        let understood = rule_actions(&mut self.context, actions);
        let Some(script) = read_script(&mut self.context, &file.text, MAIN, file.span) else {
            return self.abandon_chain(understood.chain);
        };
        let draft = self.draft(Test::Script(script), understood, directive.span);
        self.add_rule(draft, actions);
    }

    fn unconditional(&mut self, directive: &Directive, actions: &Actions) {
        let understood = rule_actions(&mut self.context, Some(actions));
        let draft = self.draft(Test::Unconditional, understood, directive.span);
        self.add_rule(draft, Some(actions));
    }

    fn check_id(&mut self, understood: &RuleActions, actions: Option<&Actions>, span: Span) {
        let place = actions.and_then(|actions| actions.find("id")).map_or(span, |action| action.value_span());
        match understood.id {
            // A bad id was reported when it was read.
            None if actions.is_some_and(|actions| actions.find("id").is_some()) => {}
            None => self
                .context
                .report(Diagnostic::new(Code::MissingId, span, "the rule has no id").hint("add id:N with a number that no other rule has")),
            Some(id) => {
                if let Some(first) = self.ids.insert(id, place) {
                    let (file, position) = self.context.sources.locate(first);
                    let hint = format!("it stands at {file}:{position}; give one of the two another id");
                    self.context.report(Diagnostic::new(Code::DuplicateId, place, format!("there is a rule {id} already")).hint(hint));
                }
            }
        }
    }

    pub fn draft(&mut self, test: Test, actions: RuleActions, span: Span) -> Draft {
        let (file, position) = self.context.sources.locate(span);
        let (_, last) = self.context.sources.locate(Span { start: span.end, ..span });
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

    fn default_action(&mut self, written: &Actions) {
        let mut draft = DefaultDraft { load: self.load, ..DefaultDraft::default() };
        let mut phase = Phase::RequestHeaders;
        let mut misplaced = Vec::new();
        for (action, place) in parsed_actions(&mut self.context, Some(written)).into_iter().zip(written.list.iter()) {
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
            self.context.report(Diagnostic::new(Code::MisplacedAction, span, message).hint("put it into the rules"));
        }
        if draft.disruptive.is_none() {
            let hint = "add pass, deny, drop, redirect or allow";
            self.context
                .report(Diagnostic::new(Code::DefaultNotDisruptive, written.span, "SecDefaultAction lacks a disruptive action").hint(hint));
        }
        let earlier = self.defaults.at_mut(phase);
        if earlier.load == self.load {
            let message = format!("phase {} has a SecDefaultAction already", phase.number());
            self.context.report(Diagnostic::new(Code::DefaultTwice, written.span, message).hint("join the two"));
            return;
        }
        earlier.load = draft.load;
        earlier.transformations.append(&mut draft.transformations);
        earlier.effects.append(&mut draft.effects);
        earlier.disruptive = draft.disruptive.or(earlier.disruptive.take());
    }

    fn place_marker(&mut self, arguments: &[Argument]) {
        if let Some(argument) = arguments.first() {
            let marker = self.context.names.marker(argument.text.trim_matches(['\'', '"']));
            self.context.references.placed_markers.push(marker);
            for phase in Phase::ALL {
                self.graph.phases.at_mut(phase).push(Step::Marker(marker));
            }
        }
    }
}
