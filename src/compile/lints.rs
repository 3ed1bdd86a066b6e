//! Warnings about rules that are valid but probably wrong: first about one rule, then about everything that was loaded.

use super::draft::Draft;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{BodyProcessor, Control, Effect, LimitAction, Phase, Rule, Settings, Test};
use crate::operator::{ArgumentKind, OperatorKind, leading_integer};
use crate::seclang::{ActionExpression, Actions, OperatorExpression, TargetExpression, TargetMode, Targets};
use crate::source::Span;
use crate::vocabulary::{Action, ActionRole, Directive, Variable};
use std::fs;
use std::path::Path;

/// Warns of targets that are empty in the rule's phase. In the default phase, which is 1 here and 2 elsewhere, also warns of those that hold only a
/// part.
pub fn early_target(targets: &Targets, phase: Option<Phase>) -> Option<Diagnostic> {
    let runs_in = phase.unwrap_or(Phase::RequestHeaders);
    let looked_at = targets.list.iter().filter(|target| target.mode != TargetMode::Exclude);
    let mut early = looked_at.filter_map(|target| Some((target, variable_of(target)?))).filter_map(|(target, variable)| {
        let filled = filled_in(variable).filter(|filled| *filled > runs_in);
        let grows = phase.is_none() && holds_the_query_before_the_body(variable);
        filled.or(grows.then_some(Phase::RequestBody)).map(|filled| (target, variable, filled))
    });
    let (target, variable, filled) = early.next()?;
    let (name, number) = (variable.name(), filled.number());
    let (message, hint) = match phase {
        Some(phase) => (
            format!("`{name}` is not filled before phase {number}: in phase {} it is empty", phase.number()),
            format!("write phase:{number}"),
        ),
        None if holds_the_query_before_the_body(variable) => (
            format!("this rule has no phase, so it runs in phase 1, where `{name}` does not contain body values"),
            String::from("write phase:2 to inspect bodies too, or phase:1 if they do not matter"),
        ),
        None => (format!("this rule has no phase, so it runs in phase 1, where `{name}` is empty"), format!("write phase:{number}")),
    };
    Some(Diagnostic::new(Code::NotFilledYet, target.span, message).hint(hint))
}

/// Warns of an argument that is compared as a number but is not one, and of an operator name without its `@`.
pub fn doubtful_argument(written: &OperatorExpression, kind: OperatorKind) -> Option<Diagnostic> {
    let text = written.argument.node.as_str();
    let place = written.argument.span;
    match kind {
        OperatorKind::Rx if written.name.is_none() => {
            let (word, behind) = text.split_once([' ', '\t']).unwrap_or((text, ""));
            let meant = OperatorKind::from_name(word)?;
            if behind.is_empty() != (meant.argument() == ArgumentKind::None) {
                return None;
            }
            let message = format!("`{word}` is part of the pattern here, because it has no @ before it");
            let hint = format!("write \"@{text}\", or \"@rx {text}\" if it is a pattern");
            Some(Diagnostic::new(Code::OperatorWithoutMark, place, message).hint(hint))
        }
        OperatorKind::Eq | OperatorKind::Ge | OperatorKind::Gt | OperatorKind::Le | OperatorKind::Lt if !text.contains("%{") => {
            let digits = text.trim().trim_start_matches(['+', '-']);
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            (!is_number).then(|| {
                let message = format!("`{text}` is not a whole number: it is read as {}", leading_integer(text.as_bytes()));
                let hint = "write a whole number, or compare texts with @streq";
                Diagnostic::new(Code::NotANumber, place, message).hint(hint)
            })
        }
        _ => None,
    }
}

/// Warns of several decisions in one list of actions.
pub fn several_decisions(actions: Option<&Actions>) -> Option<Diagnostic> {
    let decides = |action: &&ActionExpression| {
        Action::find(&action.name.node).is_some_and(|entry| entry.role == ActionRole::Disruptive) && !action.is("block")
    };
    let decisions: Vec<&ActionExpression> = actions.into_iter().flat_map(|actions| &actions.list).filter(decides).collect();
    let [.., before, last] = decisions.as_slice() else { return None };
    let (before, name) = (&before.name.node, &last.name.node);
    let message = format!("`{name}` replaces `{before}`: of several decisions the last one counts");
    Some(Diagnostic::new(Code::SeveralDecisions, last.span, message).hint("keep one of them"))
}

/// Warns of body limits without an action for what exceeds them. `limits` are the directives that set them.
pub fn limits_without_action(settings: &Settings, limits: &[(Directive, Span)]) -> Vec<Diagnostic> {
    let warning = |(directive, span): &(Directive, Span)| {
        let (action, body) = match directive {
            Directive::SecRequestBodyLimit => (settings.request_body_limit_action, "request"),
            _ => (settings.response_body_limit_action, "response"),
        };
        (action == LimitAction::Ignore).then(|| {
            let name = directive.name();
            let message = format!("the part of a {body} body beyond `{name}` is not inspected, because `{name}Action` is not set");
            let hint = format!("write {name}Action Reject, or ProcessPartial if that is intended");
            Diagnostic::new(Code::LimitWithoutAction, *span, message).hint(hint)
        })
    };
    limits.iter().filter_map(warning).collect()
}

/// The facts about some rules that warnings about all rules together depend on.
#[derive(Clone, Copy, Default)]
pub struct RuleFacts {
    opens_request_bodies: bool,
    parses_xml: bool,
    forces_request_body: bool,
    phase_2: Found,
    blind_to_xml: Found,
}

/// The place of the first of several rules, and the number of the others.
#[derive(Clone, Copy, Default)]
struct Found(Option<(Span, usize)>);

impl RuleFacts {
    /// Collects the facts about rules.
    pub fn of(drafts: &[Draft]) -> Self {
        // A chained rule may be for other bodies only.
        let heads = drafts.iter().enumerate().filter(|(place, _)| {
            let before = place.checked_sub(1).and_then(|before| drafts.get(before));
            !before.is_some_and(|before| before.rule.chained)
        });
        Self {
            opens_request_bodies: has_control(drafts, |control| matches!(control, Control::RequestBodyAccess(true))),
            parses_xml: has_control(drafts, |control| matches!(control, Control::RequestBodyProcessor(BodyProcessor::Xml))),
            forces_request_body: has_control(drafts, |control| matches!(control, Control::ForceRequestBodyVariable(true))),
            phase_2: Found::of(drafts.iter().filter(|draft| draft.rule.phase == Phase::RequestBody && !draft.rule.chained)),
            blind_to_xml: Found::of(heads.map(|(_, draft)| draft).filter(|draft| is_blind_to_xml(&draft.rule))),
        }
    }

    /// Returns the facts about these rules and later ones.
    pub fn and(self, later: Self) -> Self {
        Self {
            opens_request_bodies: self.opens_request_bodies || later.opens_request_bodies,
            parses_xml: self.parses_xml || later.parses_xml,
            forces_request_body: self.forces_request_body || later.forces_request_body,
            phase_2: self.phase_2.and(later.phase_2),
            blind_to_xml: self.blind_to_xml.and(later.blind_to_xml),
        }
    }
}

impl Found {
    fn of<'d>(mut drafts: impl Iterator<Item = &'d Draft>) -> Self {
        Self(drafts.next().map(|first| (first.span, drafts.count())))
    }

    fn and(self, later: Self) -> Self {
        match (self.0, later.0) {
            (Some((first, others)), Some((_, more))) => Self(Some((first, others + 1 + more))),
            (one, other) => Self(one.or(other)),
        }
    }
}

/// Warns of rules of phase 2 if phase 2 is skipped for all requests.
pub fn rules_of_skipped_phase(settings: &Settings, facts: &RuleFacts) -> Option<Diagnostic> {
    if settings.request_body_access || facts.opens_request_bodies {
        return None;
    }
    let (first, others) = facts.phase_2.0?;
    let message = match others {
        0 => String::from("this rule of phase 2 is never evaluated, because `SecRequestBodyAccess` is `Off`"),
        more => format!("this rule of phase 2 and {more} more are never evaluated, because `SecRequestBodyAccess` is `Off`"),
    };
    let hint = "write SecRequestBodyAccess On, or give phase:1 to rules that do not inspect bodies";
    Some(Diagnostic::new(Code::Unreached, first, message).hint(hint))
}

/// Warns of a folder to which uploaded files cannot be written: each body with a file would be an error. `place` is the directive that requires them.
pub fn upload_folder(settings: &Settings, place: Option<Span>) -> Option<Diagnostic> {
    let place = place.filter(|_| settings.writes_uploads())?;
    let folder = &settings.upload_folder;
    let problem = folder_problem(folder)?;
    let message = format!("uploaded files cannot be written to `{}`: {problem}", folder.display());
    let hint = "create the folder, let the server's user write to it, or name another with SecUploadDir";
    Some(Diagnostic::new(Code::UploadFolder, place, message).hint(hint))
}

/// Warns of rules that inspect REQUEST_BODY, which is empty for XML bodies, unless a rule forces it or they inspect XML too.
///
/// In ModSecurity v3 the variable holds such bodies, and rules against external entities rely on it.
pub fn unseen_xml(facts: &RuleFacts) -> Option<Diagnostic> {
    if !facts.parses_xml || facts.forces_request_body {
        return None;
    }
    let (first, others) = facts.blind_to_xml.0?;
    let message = match others {
        0 => String::from("this rule does not see XML: REQUEST_BODY is empty for bodies parsed as XML"),
        more => format!("this rule and {more} more do not see XML: REQUEST_BODY is empty for bodies parsed as XML"),
    };
    let hint = "write ctl:forceRequestBodyVariable=On beside ctl:requestBodyProcessor=XML, or let them look at XML:/* and XML://@* too";
    Some(Diagnostic::new(Code::XmlBodyUnseen, first, message).hint(hint))
}

/// Returns the error of an audit log to which `SecAuditLogType HTTPS` cannot post, because it is not an address.
#[cfg(feature = "remote")]
pub fn audit_log_address(settings: &Settings) -> Option<Diagnostic> {
    let posts = settings.audit_type == crate::graph::AuditType::Https;
    let place = settings.audit_log.as_ref().filter(|place| posts && !crate::source::is_remote(&place.node))?;
    let message = format!("`SecAuditLog` does not take `{}` where `SecAuditLogType` is HTTPS", place.node);
    Some(Diagnostic::new(Code::BadDirectiveValue, place.span, message).hint("write an https address"))
}

fn variable_of(target: &TargetExpression) -> Option<Variable> {
    Variable::find(&target.variable.node)?.variable
}

/// Returns the phase before which a variable is empty; `None` for variables that are filled from the start.
fn filled_in(variable: Variable) -> Option<Phase> {
    match variable {
        Variable::ArgsPost
        | Variable::ArgsPostNames
        | Variable::Files
        | Variable::FilesCombinedSize
        | Variable::FilesNames
        | Variable::FilesSizes
        | Variable::FilesTmpContent
        | Variable::FilesTmpNames
        | Variable::InboundDataError
        | Variable::MultipartFilename
        | Variable::MultipartName
        | Variable::MultipartPartHeaders
        | Variable::ReqbodyError
        | Variable::ReqbodyErrorMsg
        | Variable::ReqbodyProcessorError
        | Variable::ReqbodyProcessorErrorMsg
        | Variable::RequestBody
        | Variable::RequestBodyLength
        | Variable::Xml => Some(Phase::RequestBody),
        flag if flag.is_multipart_flag() => Some(Phase::RequestBody),
        Variable::ResponseContentType
        | Variable::ResponseHeaders
        | Variable::ResponseHeadersNames
        | Variable::ResponseProtocol
        | Variable::ResponseStatus => Some(Phase::ResponseHeaders),
        Variable::OutboundDataError | Variable::ResponseBody | Variable::ResponseContentLength => Some(Phase::ResponseBody),
        _ => None,
    }
}

/// Returns `true` for variables that hold the query's part in phase 1, and the body's part too in phase 2.
fn holds_the_query_before_the_body(variable: Variable) -> bool {
    matches!(
        variable,
        Variable::Args | Variable::ArgsNames | Variable::ArgsCombinedSize | Variable::FullRequest | Variable::FullRequestLength
    )
}

fn has_control(drafts: &[Draft], is_sought: impl Fn(&Control) -> bool) -> bool {
    let mut effects = drafts.iter().flat_map(|draft| &draft.rule.effects);
    effects.any(|effect| matches!(effect, Effect::Control(control) if is_sought(control)))
}

/// Returns why nothing can be written to a folder, as far as metadata show it.
fn folder_problem(folder: &Path) -> Option<&'static str> {
    match fs::metadata(folder) {
        Err(_) => Some("there is no such folder"),
        Ok(about) if !about.is_dir() => Some("it is not a folder"),
        Ok(about) if about.permissions().readonly() => Some("it is read-only"),
        Ok(_) => None,
    }
}

/// Returns `true` for a rule that inspects bodies by REQUEST_BODY, and not by XML.
fn is_blind_to_xml(rule: &Rule) -> bool {
    let Test::Operator { targets, .. } = &rule.test else { return false };
    let looks_at = |variable: Variable| targets.iter().any(|target| target.variable == variable && !target.count);
    matches!(rule.phase, Phase::RequestBody | Phase::Logging) && looks_at(Variable::RequestBody) && !looks_at(Variable::Xml)
}
