//! Arguments of the query, the body and cookies.

use super::body_limit::shown_limit;
use crate::engine::Evaluation;
use crate::escape::text;
use crate::graph::BodyProcessor;
use crate::state::{Argument, ArgumentOrigin, Entry};
use crate::vocabulary::{Limit, Variable};

/// Adds an argument, unless there are too many. Returns `true` if it was added.
pub fn add_argument(eval: &mut Evaluation<'_>, origin: ArgumentOrigin, entry: Entry) -> bool {
    let settings = &eval.rules.settings;
    let max = settings.limit(Limit::Arguments);
    if eval.state.collections.arguments.len() >= max {
        eval.exceed(Limit::Arguments);
        eval.debug(4, || format!("Skipping request argument, over limit ({})", shown_limit(max)));
        return false;
    }
    let bytes = eval.state.collections.argument_bytes + entry.name.len() + entry.value.len();
    if bytes > settings.limit(Limit::ArgumentBytes) {
        eval.exceed(Limit::ArgumentBytes);
        return false;
    }
    if !eval.state.collections.arena.budget.reserve(size_of::<Argument>()) {
        return false;
    }
    eval.state.collections.argument_bytes = bytes;
    debug_argument(eval, origin_name(origin), entry);
    eval.state.collections.arguments.push(Argument { origin, entry });
    true
}

/// Writes an argument to the debug log, without its line breaks: ModSecurity v3 drops them from fields of multipart forms.
pub fn debug_argument(eval: &Evaluation<'_>, origin: &str, entry: Entry) {
    eval.debug(4, || {
        let shown = |bytes: &[u8]| text(bytes).replace(['\r', '\n'], "");
        let [name, value] = [entry.name, entry.value].map(|part| eval.state.collections.arena.read(part));
        let masked = eval.state.masking(&eval.rules.settings).map(|masking| masking.value(Variable::Args, name, value));
        let (name, value) = (shown(name), shown(masked.as_deref().unwrap_or(value)));
        format!("Adding request argument ({origin}): name \"{name}\", value \"{value}\"")
    });
}

pub fn flag_encoding(eval: &mut Evaluation<'_>, invalid: bool) {
    if invalid {
        eval.state.collections.scalars.urlencoded_error = eval.state.collections.arena.store(b"1");
    }
}

/// Sets ARGS_COMBINED_SIZE: as in ModSecurity v3 a number with six decimals, without the fields of a multipart form; empty without arguments.
pub fn sum_arguments(eval: &mut Evaluation<'_>) {
    let multipart = eval.state.body_processor == Some(BodyProcessor::Multipart);
    let counted = eval.state.collections.arguments.iter().filter(|argument| !(multipart && argument.origin == ArgumentOrigin::Form));
    if counted.clone().next().is_none() {
        return;
    }
    let sum: usize = counted.map(|argument| argument.entry.name.len() + argument.entry.value.len()).sum();
    eval.state.collections.scalars.argument_sizes = eval.state.collections.arena.store(format!("{sum}.000000").as_bytes());
}

fn origin_name(origin: ArgumentOrigin) -> &'static str {
    match origin {
        ArgumentOrigin::Query => "GET",
        ArgumentOrigin::Form => "POST",
        ArgumentOrigin::Json => "JSON",
    }
}
