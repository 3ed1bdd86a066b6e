//! Values that rules keep out of the logs: `sanitise…`, and the texts of a match with the values that they were made of.

use super::Evaluation;
use super::expand::{expand, expand_with_values};
use super::pending_match::PendingMatch;
use crate::graph::{Effect, MaskedPart, Rule, Target, Template, Test};
use crate::mask::Kept;
use crate::prefilter::ValueKind;
use crate::state::{MacroValue, MatchNote, MatchText, RuleMatch, State, Text, cover_text, learn_all, learn_parts, targets_of};
use crate::vocabulary::Variable;
use std::borrow::Cow;
use std::ops::Range;

/// Runs the `sanitise…` actions of a rule whose chain matches: the phase's defaults, those that an update added, its own.
pub fn mask_values(eval: &mut Evaluation<'_>, rule: &Rule) {
    let rules = eval.rules;
    let updated = rule.updated.as_ref().map_or(&[][..], |updated| &updated.effects);
    let effects = rules.defaults.at(rule.phase).effects.iter().chain(updated).chain(&rule.effects);
    let mut targets: Vec<Target> = Vec::new();
    for effect in effects {
        match effect {
            Effect::Mask(target) => targets.push(target.clone()),
            Effect::MaskMatched(part) => mask_matched(eval, rule, *part, &mut targets),
            _ => {}
        }
    }
    if !targets.is_empty() {
        learn_all(eval.state, &rules.settings, targets);
    }
    eval.note_secret(0);
}

/// Masks the values that this rule of the chain matched.
fn mask_matched(eval: &mut Evaluation<'_>, rule: &Rule, part: MaskedPart, targets: &mut Vec<Target>) {
    let locates = matches!(&rule.test, Test::Operator { kind, negated: false, .. } if kind.locates());
    let notes = std::mem::take(&mut eval.state.scratch.notes);
    for (note, found) in notes.with_offsets() {
        if !eval.rules.rule(note.rule).is_some_and(|of| std::ptr::eq(of, rule)) {
            continue;
        }
        match part {
            MaskedPart::Found(kept) if locates && !found.is_empty() && is_value(note) && is_unchanged(eval, note) => {
                targets.extend(mask_found(eval, note, found, kept));
            }
            _ => targets.extend(targets_of(eval.state, &note.selected)),
        }
    }
    eval.state.scratch.notes = notes;
}

/// Returns `false` for a name, which stands for its whole value: no bytes of the name are secret.
fn is_value(note: &MatchNote) -> bool {
    let is_name = |variable: Variable| {
        matches!(
            variable,
            Variable::ArgsNames
                | Variable::ArgsGetNames
                | Variable::ArgsPostNames
                | Variable::RequestHeadersNames
                | Variable::ResponseHeadersNames
                | Variable::RequestCookiesNames
        )
    };
    !note.selected.label.variable().is_some_and(is_name)
}

/// Returns `true` if transformations did not change a value that matched, so that the operator's offsets are those of the value as received.
fn is_unchanged(eval: &mut Evaluation<'_>, note: &MatchNote) -> bool {
    let tested = tested_value(eval, note);
    let arena = &eval.state.collections.arena;
    arena.read(tested) == arena.read(note.selected.value)
}

/// Returns a value that matched, after its transformations.
fn tested_value(eval: &mut Evaluation<'_>, note: &MatchNote) -> Text {
    let State { transforms, collections, .. } = &mut *eval.state;
    let id = transforms.number(&mut collections.arena, note.selected.value, ValueKind::default());
    transforms.value(eval.rules, &mut collections.arena, id, note.chain).value
}

/// Keeps the result of a script, as one of the texts of its match.
pub fn keep_script_text(eval: &mut Evaluation<'_>, place: MatchText, text: &[u8], draft: &mut PendingMatch) {
    if eval.state.secrets.is_some() {
        let value = eval.state.collections.arena.store(text);
        draft.entry().keep_macros(place, vec![MacroValue { start: 0, variable: None, key: None, value }]);
    }
}

/// Masks what the operator found in a value: captures within the match are a part of it.
/// Returns the target that must become secret if there are too many parts.
fn mask_found(eval: &mut Evaluation<'_>, note: &MatchNote, found: &[(usize, usize)], kept: Kept) -> Option<Target> {
    let mut ranges: Vec<Range<usize>> = found.iter().map(|(start, length)| *start..start.saturating_add(*length)).collect();
    ranges.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
    let mut end = 0;
    ranges.retain(|range| {
        let is_new = range.end > end;
        end = end.max(range.end);
        is_new
    });
    learn_parts(eval.state, &note.selected, &ranges, kept)
}

/// Expands a text of a match. In a rule set with secrets, the match keeps the values of its macros.
pub fn expand_for_log(eval: &mut Evaluation<'_>, rule: &Rule, template: &Template, place: MatchText, draft: &mut PendingMatch) -> Vec<u8> {
    if eval.state.secrets.is_none() {
        return expand(eval, rule, template);
    }
    let (text, values) = expand_with_values(eval, rule, template);
    draft.entry().keep_macros(place, values);
    text
}

/// Returns a text of a match for the debug log.
pub fn masked_text<'t>(eval: &Evaluation<'_>, found: &RuleMatch, place: MatchText, text: &'t [u8]) -> Cow<'t, [u8]> {
    let (Some(masking), Some(sources)) = (eval.state.masking(&eval.rules.settings), &found.sources) else { return Cow::Borrowed(text) };
    let mut covered = text.to_vec();
    cover_text(masking, sources, place, &mut covered);
    Cow::Owned(covered)
}
