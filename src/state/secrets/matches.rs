//! Covers secrets in the matches of an exchange.

use super::masking::Masking;
use super::names::MIN_SEARCHED;
use crate::escape::{cut, shown};
use crate::graph::Settings;
use crate::state::matches::{DetailSource, LONGEST_ARGUMENT, LONGEST_VALUE, MAX_SHOWN, MatchSources};
use crate::state::{Intervention, MacroValue, MatchText, RuleMatch, Selected, State};
use crate::vocabulary::Variable;
use std::borrow::Cow;
use std::mem::take;

/// The words around the name of the value in a description.
const BEFORE_NAME: &[u8] = b"' against variable `";
const AFTER_NAME: &[u8] = b"' (Value: `";

/// Covers secrets in all matches, in the decision, and in the errors of scripts. Does nothing if everything was covered before.
pub fn cover_matches(state: &mut State, settings: &Settings) {
    let Some(secrets) = &state.secrets else { return };
    let now = (secrets.changes, state.matches.len());
    let is_covered = secrets.covered == now;
    let mut matches = take(&mut state.matches);
    let mut intervention = take(&mut state.pending.intervention);
    let (mut failures, mut notices) = (take(&mut state.script_failures), take(&mut state.notices));
    if let Some(masking) = state.masking(settings) {
        if !is_covered {
            matches.iter_mut().for_each(|found| cover_match(masking, now.0, found));
        }
        if let Some(Intervention { found: Some(found), reason, action, .. }) = &mut intervention {
            cover_match(masking, now.0, found);
            *reason = found.denial(action.status());
        }
        let texts = failures.iter_mut().map(|failure| &mut failure.reason).chain(&mut notices);
        texts.for_each(|text| {
            if let Cow::Owned(covered) = masking.text(text.as_bytes()) {
                *text = String::from_utf8_lossy(&covered).into_owned();
            }
        });
    }
    (state.matches, state.pending.intervention) = (matches, intervention);
    (state.script_failures, state.notices) = (failures, notices);
    state.secrets.iter_mut().for_each(|secrets| secrets.covered = now);
}

/// Covers secrets in a match, unless nothing became secret since the last time.
fn cover_match(masking: Masking<'_>, changes: usize, found: &mut RuleMatch) {
    let Some(mut sources) = found.sources.take_if(|sources| sources.covered != Some(changes)) else { return };
    sources.covered = Some(changes);
    let values = MatchedValues::new(masking, &sources.values);
    cover_values(values, found);
    let RuleMatch { message, data, tags, .. } = found;
    cover_macros(values, &sources.macros, MatchText::Message, message);
    cover_macros(values, &sources.macros, MatchText::Data, data);
    for (place, tag) in tags.iter_mut().enumerate() {
        cover_macros(values, &sources.macros, MatchText::Tag(place), tag);
    }
    if let Some(detail) = &mut sources.detail {
        cover_detail(values, detail, &mut found.detail);
    }
    found.sources = Some(sources);
}

/// Covers secrets in a text of a match whose chain is still evaluated.
pub fn cover_text(masking: Masking<'_>, sources: &MatchSources, place: MatchText, text: &mut [u8]) {
    if sources.macros.iter().any(|(in_text, _)| *in_text == place) {
        cover_macros(MatchedValues::new(masking, &sources.values), &sources.macros, place, text);
    }
}

/// The values that a chain matched.
#[derive(Clone, Copy)]
struct MatchedValues<'a, 's> {
    masking: Masking<'a>,
    values: &'s [Selected],
    /// `true` if a secret is among them.
    are_secret: bool,
}

impl<'a, 's> MatchedValues<'a, 's> {
    fn new(masking: Masking<'a>, values: &'s [Selected]) -> Self {
        Self { masking, values, are_secret: values.iter().any(|selected| masking.covers(selected)) }
    }

    /// Covers secrets in one of the values.
    fn shown(self, selected: &Selected) -> Cow<'a, [u8]> {
        // Without a secret among them all are as they were.
        if self.are_secret { self.masking.matched(selected, true) } else { Cow::Borrowed(self.masking.read_text(selected.value)) }
    }
}

fn cover_values(values: MatchedValues<'_, '_>, found: &mut RuleMatch) {
    let masking = values.masking;
    for (recorded, selected) in found.values.iter_mut().zip(values.values) {
        let covered = values.shown(selected);
        recorded.value = covered.get(..MAX_SHOWN).unwrap_or(&covered).to_vec();
        if let (Some(key), Some(shown)) = (selected.label.key(), &mut recorded.key) {
            let covered = masking.text(masking.read_text(key));
            *shown = covered.get(..MAX_SHOWN).unwrap_or(&covered).to_vec();
        }
    }
}

/// Covers secrets in the values of macros in a text.
fn cover_macros(values: MatchedValues<'_, '_>, macros: &[(MatchText, MacroValue)], place: MatchText, text: &mut [u8]) {
    for (_, value) in macros.iter().filter(|(in_text, _)| *in_text == place) {
        let covered = cover_macro(values, value);
        let shown = text.get_mut(value.start..).unwrap_or_default();
        // A long text is cut within the value of a macro.
        shown.iter_mut().zip(covered.iter()).for_each(|(byte, covered)| *byte = *covered);
    }
}

fn cover_macro<'a>(values: MatchedValues<'a, '_>, part: &MacroValue) -> Cow<'a, [u8]> {
    let MatchedValues { masking, are_secret, .. } = values;
    let value = masking.read_text(part.value);
    match part.variable {
        None | Some(Variable::MatchedVar | Variable::MatchedVars | Variable::Tx | Variable::Rule) => {
            let is_value = |selected: &&Selected| masking.read_text(selected.value) == value;
            let mut same = values.values.iter().filter(is_value).map(|selected| values.shown(selected)).peekable();
            let any = same.peek().cloned();
            match same.find(|covered| **covered != *value).or(any) {
                Some(covered) => covered,
                None => masking.derived(value, are_secret),
            }
        }
        Some(variable) => masking.value(variable, part.key.as_deref().unwrap_or(masking.name_of(part.value)), value),
    }
}

/// Makes the description again.
fn cover_detail(values: MatchedValues<'_, '_>, source: &mut DetailSource, detail: &mut Vec<u8>) {
    let MatchedValues { masking, are_secret, .. } = values;
    let part = |range| detail.get::<std::ops::Range<usize>>(range).unwrap_or_default();
    let argument = part(source.argument.clone());
    let argument = match source.expanded {
        Some(expanded) => {
            let expanded = masking.read_text(expanded);
            let covered = masking.derived(expanded, are_secret && expanded.len() >= MIN_SEARCHED);
            Cow::Owned(cut(&covered, LONGEST_ARGUMENT).into_owned())
        }
        None => Cow::Borrowed(argument),
    };
    let between = part(source.argument.end..source.value_start);
    let own = |text: &[u8], is_wanted: bool| if is_wanted { text.len() } else { 0 };
    let start = own(BEFORE_NAME, between.starts_with(BEFORE_NAME));
    let end = between.len().saturating_sub(own(AFTER_NAME, between.ends_with(AFTER_NAME)));
    let mut name = between.to_vec();
    if let (Some(shown), Some(known)) = (name.get_mut(start..end), between.get(start..end)) {
        shown.copy_from_slice(&masking.text(known));
    }
    let value = shown(&masking.matched(&source.value, are_secret), LONGEST_VALUE);
    let mut covered = [part(0..source.argument.start), &argument, &name].concat();
    source.argument.end = source.argument.start.saturating_add(argument.len());
    source.value_start = covered.len();
    covered.extend_from_slice(value.as_bytes());
    covered.extend_from_slice(b"' )");
    *detail = covered;
}
