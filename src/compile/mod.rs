//! Takes rule files as text, gives a [`RuleGraph`] and a [`LoadReport`], or every error of the load; imports everything below: `seclang`,
//! `vocabulary`, `graph`, and the pure rooms.
//!
//! # How text becomes a graph
//!
//! A rule cannot run as it is written. `SecDefaultAction` adds to it, its chain continues in the next directive, a later file may remove its targets,
//! and it refers to variables, TX keys, markers and files by name. In the graph all of this is resolved: names are numbers, patterns are compiled, each
//! rule has its phase, its transformations and its logging. A transaction looks up no names.
//!
//! ```text
//! Input ─load→ directives ─directives→ drafts, settings, references ─rule_set→ RuleGraph ─plan→ RuleGraph with a plan
//! ```
//!
//! * `load` reads an input and its includes, and lists their directives in order. `precompile` then compiles their patterns on several
//!   processors, because that is most of the work of a load. It takes those that an earlier load stored from the file of `pattern_file`.
//! * `directives` looks up each directive in the table of `vocabulary` and calls its function: in `rules` and `updates` for rules and
//!   changes to them, in `settings` for values. These compile the parts with `targets`, `operators`, `actions` and their helpers.
//!   All of them are functions that take a `Context` (the loader, the texts, the report) and return the compiled part. An invalid part is
//!   reported and is `None`, so that one run finds all errors.
//! * `rule_set` runs after the last file was read: it checks the names that rules refer to, applies the defaults of each phase, and updates and
//!   removals.
//! * `plan` prepares the finished graph so that a transaction evaluates as few rules as possible. It changes no verdict.
//!
//! # Example
//!
//! ```text
//! SecDefaultAction "phase:1,log,pass,t:lowercase"
//! SecRule ARGS|!ARGS:token "@rx ^a+$" "id:7,phase:1,deny,setvar:tx.hits=+1,skipAfter:END"
//! SecRuleUpdateTargetById 7 "!ARGS:/^csrf/"
//! SecMarker END
//! ```
//!
//! 1. `SecDefaultAction` leaves a draft of the defaults of phase 1.
//! 2. `SecRule` becomes the draft of rule 0: the target ARGS without the key `token`, a compiled pattern, an addition to key 0 of TX, which is
//!    `hits`, and a jump to marker 0. The marker END is added to the references, which must exist.
//! 3. The update is kept. Rules that it matches may follow in another file.
//! 4. `SecMarker` adds marker 0 to the steps of every phase: those of phase 1 are now rule 0, marker 0.
//! 5. At the end, the reference to END is found. Rule 0 gets `t:lowercase`, and is logged; the update adds `/^csrf/` to the exclusions of ARGS.
//!
//! # Loads
//!
//! Each input is a load of its own. As in ModSecurity v3 the first load that sets a value wins, and within a load the last directive does;
//! rules, updates and markers of all loads come together. A load with errors has no effect.
//!
//! The settings of a load are a draft, in which a setting without a directive is `None` (`settings_draft`). At the end the merged draft becomes
//! [`Settings`](crate::graph::Settings), where it has its default.
//!
//! # Extensions
//!
//! A rule set that inherits another and adds a few rules is not compiled anew: [`extend`] reads only the additions, and shares the rest with the
//! [`Foundation`]. Rules, markers, keys of TX, transformations and targets of the foundation keep their numbers, and new ones get the numbers after
//! them. The rules that are removed are a table of the graph, rules with changed targets are replaced one by one, and of the plan only the phases
//! with additions or changes are made again. The result is the same as that of [`compile`] with all inputs, except for these numbers. Where this
//! cannot be had, `extend` declines, and everything is compiled in full.

mod action_values;
mod actions;
mod arguments;
mod chains;
mod collection_uses;
mod context;
mod controls;
mod decisions;
mod directives;
mod draft;
mod error;
mod extension;
mod files;
mod foundation;
mod input;
mod lints;
mod load;
mod lookups;
mod masks;
mod openings;
mod operators;
mod pattern_file;
mod plan;
mod precompile;
mod references;
mod report;
mod rule_set;
mod rules;
mod scan_points;
mod scripts;
mod settings;
mod settings_draft;
mod targets;
mod templates;
mod tx_steps;
mod updates;
mod values;
mod worlds;

pub use error::LoadError;
pub use extension::extend;
pub use foundation::{Foundation, Kept, Lineage};
pub use input::{CompileOptions, Input, Planning};
pub use report::{LoadReport, SourceReport};

use crate::diagnostic::{Code, Severity};
use crate::graph::RuleGraph;
use crate::source::Loader;
use context::Context;
use pattern_file::PatternFile;
use report::LoadedInput;
use rule_set::RuleSetDraft;

/// The result of compiling.
#[derive(Debug)]
pub struct Compiled {
    /// The compiled rules.
    pub graph: RuleGraph,
    /// The contents of the load.
    pub report: LoadReport,
    /// The part of the load that extensions read, besides the graph; `None` for an extension.
    pub kept: Option<Kept>,
}

/// Loads and compiles. Each input is a load of its own: in ModSecurity v3 the first load that sets a value wins, and within a load the last.
///
/// # Errors
/// All errors and warnings of all inputs, if there is an error.
pub fn compile(inputs: &[Input], loader: &dyn Loader, options: &CompileOptions) -> Result<Compiled, LoadError> {
    let mut context = Context::new(loader);
    let mut rule_set = RuleSetDraft::default();
    let mut file = None;
    let loads = read_loads(&mut context, &mut rule_set, inputs, &mut file);
    let (mut graph, kept) = rule_set.into_graph(&mut context);
    if let Some(left_out) = options.planning.left_out() {
        plan::plan(&mut graph, left_out);
    }
    if let Some(file) = file.filter(|_| !context.has_errors()) {
        file.save(&mut context);
    }
    let (sources, mut diagnostics) = context.into_report();
    if diagnostics.iter().any(|diagnostic| diagnostic.severity() == Severity::Error) {
        // A rule with an error cannot be updated, and a marker that was not read cannot be a target of a jump.
        diagnostics.retain(|diagnostic| !matches!(diagnostic.code, Code::NothingToUpdate | Code::UnknownMarker));
        return Err(LoadError { sources, diagnostics });
    }
    let kept = Some(Kept { sources: sources.clone(), inputs: loads.clone(), ..kept });
    let report = LoadReport::of(&graph, sources, loads, diagnostics);
    Ok(Compiled { graph, report, kept })
}

/// Reads loads, and all files that they include. `patterns` becomes the file of patterns that the first of them names.
fn read_loads(
    context: &mut Context<'_>,
    rule_set: &mut RuleSetDraft,
    inputs: &[Input],
    patterns: &mut Option<PatternFile>,
) -> Vec<LoadedInput> {
    let mut loads = Vec::with_capacity(inputs.len());
    for input in inputs {
        let first_text = context.sources.len();
        let directives = load::load(context, input);
        *patterns = patterns.take().or_else(|| PatternFile::of(context, &directives));
        let _held = precompile::patterns(context, &directives, patterns.as_mut());
        let sets_engine = directives::read_load(context, rule_set, &directives);
        loads.push(LoadedInput { texts: first_text..context.sources.len(), sets_engine });
    }
    loads
}

#[cfg(test)]
mod tests;
