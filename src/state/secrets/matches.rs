//! Covers secrets in the matches of an exchange.

use super::names::MIN_SEARCHED;
use super::veil::Veil;
use crate::escape::{cut, shown};
use crate::graph::Settings;
use crate::state::matches::{LONGEST_ARGUMENT, LONGEST_VALUE, MAX_SHOWN, MatchSources};
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
    if let Some(veil) = state.veil(settings) {
        if !is_covered {
            matches.iter_mut().for_each(|found| cover_match(veil, found));
        }
        if let Some(Intervention { found: Some(found), reason, action, .. }) = &mut intervention {
            cover_match(veil, found);
            *reason = found.denial(action.status());
        }
        let texts = failures.iter_mut().map(|failure| &mut failure.reason).chain(&mut notices);
        texts.for_each(|text| {
            if let Cow::Owned(covered) = veil.text(text.as_bytes()) {
                *text = String::from_utf8_lossy(&covered).into_owned();
            }
        });
    }
    (state.matches, state.pending.intervention) = (matches, intervention);
    (state.script_failures, state.notices) = (failures, notices);
    state.secrets.iter_mut().for_each(|secrets| secrets.covered = now);
}

fn cover_match(veil: Veil<'_>, found: &mut RuleMatch) {
    let Some(sources) = found.sources.take() else { return };
    let are_secret = veil.covers_any(&sources.values);
    cover_values(veil, &sources, found, are_secret);
    let RuleMatch { message, data, tags, .. } = found;
    cover_macros(veil, &sources.values, macros_in(&sources, MatchText::Message), message);
    cover_macros(veil, &sources.values, macros_in(&sources, MatchText::Data), data);
    for (place, tag) in tags.iter_mut().enumerate() {
        cover_macros(veil, &sources.values, macros_in(&sources, MatchText::Tag(place)), tag);
    }
    found.sources = Some(sources);
    cover_detail(veil, found, are_secret);
}

fn macros_in(sources: &MatchSources, text: MatchText) -> impl Iterator<Item = &MacroValue> {
    sources.macros.iter().filter(move |(in_text, _)| *in_text == text).map(|(_, value)| value)
}

fn cover_values(veil: Veil<'_>, sources: &MatchSources, found: &mut RuleMatch, are_secret: bool) {
    for (recorded, selected) in found.values.iter_mut().zip(&sources.values) {
        let covered = veil.matched(selected, are_secret);
        recorded.value = covered.get(..MAX_SHOWN).unwrap_or(&covered).to_vec();
        if let (Some(key), Some(shown)) = (selected.label.key(), &mut recorded.key) {
            let covered = veil.text(veil.read_text(key));
            *shown = covered.get(..MAX_SHOWN).unwrap_or(&covered).to_vec();
        }
    }
}

/// Covers secrets in the values of macros in a text. `values` are those that the rule matched.
pub fn cover_macros<'m>(veil: Veil<'_>, values: &[Selected], macros: impl Iterator<Item = &'m MacroValue>, text: &mut [u8]) {
    let are_secret = veil.covers_any(values);
    for value in macros {
        let covered = cover_macro(veil, values, are_secret, value);
        let place = text.get_mut(value.start..).unwrap_or_default();
        // A long text is cut within the value of a macro.
        place.iter_mut().zip(covered.iter()).for_each(|(byte, covered)| *byte = *covered);
    }
}

fn cover_macro<'a>(veil: Veil<'a>, values: &[Selected], are_secret: bool, part: &MacroValue) -> Cow<'a, [u8]> {
    let value = veil.read_text(part.value);
    match part.variable {
        None | Some(Variable::MatchedVar | Variable::MatchedVars | Variable::Tx | Variable::Rule) => {
            let is_value = |selected: &&Selected| veil.read_text(selected.value) == value;
            let mut same = values.iter().filter(is_value).map(|selected| veil.matched(selected, are_secret)).peekable();
            let any = same.peek().cloned();
            match same.find(|covered| **covered != *value).or(any) {
                Some(covered) => covered,
                None => veil.derived(value, are_secret),
            }
        }
        Some(variable) => veil.value(variable, part.key.as_deref().unwrap_or(veil.name_of(part.value)), value),
    }
}

/// Makes the description again.
fn cover_detail(veil: Veil<'_>, found: &mut RuleMatch, are_secret: bool) {
    let Some(source) = found.sources.as_mut().and_then(|sources| sources.detail.as_mut()) else { return };
    let part = |range| found.detail.get::<std::ops::Range<usize>>(range).unwrap_or_default();
    let argument = part(source.argument.clone());
    let argument = match source.expanded {
        Some(expanded) => {
            let expanded = veil.read_text(expanded);
            let covered = veil.derived(expanded, are_secret && expanded.len() >= MIN_SEARCHED);
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
        shown.copy_from_slice(&veil.text(known));
    }
    let value = shown(&veil.matched(&source.value, are_secret), LONGEST_VALUE);
    let mut detail = [part(0..source.argument.start), &argument, &name].concat();
    source.argument.end = source.argument.start.saturating_add(argument.len());
    source.value_start = detail.len();
    detail.extend_from_slice(value.as_bytes());
    detail.extend_from_slice(b"' )");
    found.detail = detail;
}
