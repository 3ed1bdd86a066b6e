//! Warnings about what is read as it is written, and hardly means what it says.

use super::directives::Builder;
use super::draft::RuleActions;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::Phase;
use crate::operator::{ArgumentKind, OperatorKind, leading_integer};
use crate::seclang::{ActionExpression, Actions, OperatorExpression, TargetExpression, TargetMode, Targets};
use crate::source::Span;
use crate::vocabulary::{Action, ActionRole, Directive, Variable};

impl Builder<'_> {
    /// Warns of targets that the rule's phase does not have yet. In the default phase, which is 1 here and 2 elsewhere, that includes those
    /// that hold a part only.
    pub fn check_phase(&mut self, targets: &Targets, phase: Option<Phase>) {
        let runs_in = phase.unwrap_or(Phase::RequestHeaders);
        let looked_at = targets.list.iter().filter(|target| target.mode != TargetMode::Exclude);
        let mut early = looked_at.filter_map(|target| Some((target, variable_of(target)?))).filter_map(|(target, variable)| {
            let filled = filled_in(variable).filter(|filled| *filled > runs_in);
            let grows = phase.is_none() && holds_the_query_before_the_body(variable);
            filled.or(grows.then_some(Phase::RequestBody)).map(|filled| (target, variable, filled))
        });
        let Some((target, variable, filled)) = early.next() else { return };
        let (name, number) = (variable.name(), filled.number());
        let (message, hint) = match phase {
            Some(phase) => (
                format!("`{name}` is not filled before phase {number}: in phase {} it is empty", phase.number()),
                format!("write phase:{number}"),
            ),
            None if holds_the_query_before_the_body(variable) => (
                format!("this rule has no phase, so that it runs in phase 1, where `{name}` does not hold what the body has"),
                String::from("write phase:2 to look at bodies too, or phase:1 if they do not matter"),
            ),
            None => {
                (format!("this rule has no phase, so that it runs in phase 1, where `{name}` is empty"), format!("write phase:{number}"))
            }
        };
        self.context.report(Diagnostic::new(Code::NotFilledYet, target.span, message).hint(hint));
    }

    /// The phase that a rule runs in, if it or the rule that begins its chain says so.
    pub fn written_phase(&self, understood: &RuleActions) -> Option<Phase> {
        match self.chain_starter() {
            Some(starter) => starter.has_phase.then_some(starter.rule.phase),
            None => understood.phase,
        }
    }

    /// Warns of a number that is none, and of the name of an operator that lacks its `@`.
    pub fn check_operator(&mut self, written: &OperatorExpression, kind: OperatorKind) {
        let text = written.argument.node.as_str();
        let place = written.argument.span;
        match kind {
            OperatorKind::Rx if written.name.is_none() => {
                let (word, behind) = text.split_once([' ', '\t']).unwrap_or((text, ""));
                let Some(meant) = OperatorKind::from_name(word) else { return };
                if behind.is_empty() != (meant.argument() == ArgumentKind::None) {
                    return;
                }
                let message = format!("`{word}` is a part of the pattern here, since no @ stands before it");
                let hint = format!("write \"@{text}\", or \"@rx {text}\" if it is a pattern");
                self.context.report(Diagnostic::new(Code::OperatorWithoutMark, place, message).hint(hint));
            }
            OperatorKind::Eq | OperatorKind::Ge | OperatorKind::Gt | OperatorKind::Le | OperatorKind::Lt if !text.contains("%{") => {
                let digits = text.trim().trim_start_matches(['+', '-']);
                let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
                if !is_number {
                    let message = format!("`{text}` is not a whole number: it is read as {}", leading_integer(text.as_bytes()));
                    let hint = "write a whole number, or compare texts with @streq";
                    self.context.report(Diagnostic::new(Code::NotANumber, place, message).hint(hint));
                }
            }
            _ => {}
        }
    }

    /// Notes where a limit is set, for [`Builder::check_limits`].
    pub fn note_limit(&mut self, directive: Directive, span: Span) {
        if matches!(directive, Directive::SecRequestBodyLimit | Directive::SecResponseBodyLimit) {
            self.context.settings.body_limits.push((directive, span));
        }
    }

    /// Warns of limits of bodies that do not say what happens beyond them. Settings may stand anywhere, so this comes last.
    pub fn check_limits(&mut self) {
        let settings = &self.context.settings.merged;
        let (request, response) = (settings.request_body_limit_action.is_some(), settings.response_body_limit_action.is_some());
        for (directive, span) in std::mem::take(&mut self.context.settings.body_limits) {
            let (is_said, body) = match directive {
                Directive::SecRequestBodyLimit => (request, "request"),
                _ => (response, "response"),
            };
            if !is_said {
                let name = directive.name();
                let message = format!("what a {body} body has beyond `{name}` passes unseen, since `{name}Action` is not set");
                let hint = format!("write {name}Action Reject, or ProcessPartial if that is meant");
                self.context.report(Diagnostic::new(Code::LimitWithoutAction, span, message).hint(hint));
            }
        }
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
    let message = format!("`{name}` takes the place of `{before}`: of several decisions the last one counts");
    Some(Diagnostic::new(Code::SeveralDecisions, last.span, message).hint("leave one of them"))
}

fn variable_of(target: &TargetExpression) -> Option<Variable> {
    Variable::find(&target.variable.node)?.variable
}

/// The phase before which a variable is empty, for those that are not there from the start.
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
        | Variable::MultipartBoundaryQuoted
        | Variable::MultipartBoundaryWhitespace
        | Variable::MultipartCrlfLfLines
        | Variable::MultipartDataAfter
        | Variable::MultipartDataBefore
        | Variable::MultipartFileLimitExceeded
        | Variable::MultipartFilename
        | Variable::MultipartHeaderFolding
        | Variable::MultipartInvalidHeaderFolding
        | Variable::MultipartInvalidPart
        | Variable::MultipartInvalidQuoting
        | Variable::MultipartLfLine
        | Variable::MultipartMissingSemicolon
        | Variable::MultipartName
        | Variable::MultipartPartHeaders
        | Variable::MultipartStrictError
        | Variable::MultipartUnmatchedBoundary
        | Variable::ReqbodyError
        | Variable::ReqbodyErrorMsg
        | Variable::ReqbodyProcessorError
        | Variable::ReqbodyProcessorErrorMsg
        | Variable::RequestBody
        | Variable::RequestBodyLength
        | Variable::Xml => Some(Phase::RequestBody),
        Variable::ResponseContentType
        | Variable::ResponseHeaders
        | Variable::ResponseHeadersNames
        | Variable::ResponseProtocol
        | Variable::ResponseStatus => Some(Phase::ResponseHeaders),
        Variable::OutboundDataError | Variable::ResponseBody | Variable::ResponseContentLength => Some(Phase::ResponseBody),
        _ => None,
    }
}

/// Returns `true` for what holds the query's part in phase 1 and the body's part, too, in phase 2.
fn holds_the_query_before_the_body(variable: Variable) -> bool {
    matches!(
        variable,
        Variable::Args | Variable::ArgsNames | Variable::ArgsCombinedSize | Variable::FullRequest | Variable::FullRequestLength
    )
}
