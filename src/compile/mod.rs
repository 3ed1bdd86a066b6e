//! Takes trees, gives a [`RuleGraph`] and a load report; imports everything below: `seclang`, `vocabulary`, `graph`, and the pure rooms.
//!
//! Names are resolved, defaults and chains joined, updates and removals applied. All errors of a load are found in one run, and a load
//! with errors leaves nothing behind.

mod action_values;
mod actions;
mod chains;
mod context;
mod controls;
mod decisions;
mod directives;
mod draft;
mod error;
mod files;
mod input;
mod lints;
mod load;
mod lookups;
mod openings;
mod operators;
mod plan;
mod precompile;
mod references;
mod report;
mod scripts;
mod settings;
mod settings_draft;
mod targets;
mod templates;
mod unreached;
mod updates;
mod uploads;
mod xml_bodies;

pub use error::LoadError;
pub use input::{CompileOptions, Input, Planning};
pub use report::{LoadReport, SourceReport};

use crate::diagnostic::Severity;
use crate::graph::RuleGraph;
use crate::source::Loader;
use directives::Builder;
use report::LoadedInput;

/// A rule set that was understood.
#[derive(Debug)]
pub struct Compiled {
    /// The rules as meant.
    pub graph: RuleGraph,
    /// What was loaded.
    pub report: LoadReport,
}

/// Loads and compiles. Each input is a load of its own: in ModSecurity v3 the first load that sets a value wins, and within a load the last.
pub fn compile(inputs: &[Input], loader: &dyn Loader, options: &CompileOptions) -> Result<Compiled, LoadError> {
    let mut builder = Builder::new(loader);
    let mut loads = Vec::with_capacity(inputs.len());
    for input in inputs {
        let first_text = builder.context.sources.len();
        let directives = load::load(&mut builder.context, input);
        let _held = precompile::patterns(&directives);
        let sets_engine = builder.add_load(&directives);
        loads.push(LoadedInput { texts: first_text..builder.context.sources.len(), sets_engine });
    }
    let (mut graph, sources, mut diagnostics) = builder.finish();
    if options.planning == Planning::On {
        plan::plan(&mut graph);
    }
    let has_errors = diagnostics.iter().any(|diagnostic| diagnostic.severity() == Severity::Error);
    diagnostics.sort_by_key(|diagnostic| (diagnostic.span.source, diagnostic.span.start));
    if has_errors {
        return Err(LoadError { sources, diagnostics });
    }
    let report = LoadReport::of(&graph, sources, loads, diagnostics);
    Ok(Compiled { graph, report })
}

#[cfg(test)]
mod tests;
