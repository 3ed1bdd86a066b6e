//! `@validateDTD` and `@validateSchema`: check the XML body against a grammar.

use super::Evaluation;
use crate::body::xml::{Dtd, DtdError, Schema, SchemaError};
use crate::graph::{BodyProcessor, RuleGraph};

/// Maximum number of errors of a document in the debug log.
const MAX_ERRORS: usize = 20;

/// Returns `true` if the body does not conform to a DTD. `file` is its name, for messages.
pub fn breaks_dtd(eval: &mut Evaluation<'_>, dtd: &Result<Box<Dtd>, DtdError>, file: &str) -> bool {
    let Some(dtd) = dtd.as_ref().ok().filter(|_| reads_files(eval.rules)) else {
        eval.debug(4, || format!("XML: Failed to load DTD: {file}"));
        return true;
    };
    let Some(document) = &eval.state.collections.xml else { return has_no_document(eval, "DTD") };
    let steps = eval.state.collections.arena.budget.steps();
    let errors = dtd.errors(document, if eval.debugs(4) { MAX_ERRORS } else { 1 }, &steps);
    eval.state.collections.arena.budget.leave(steps.get());
    judge_document(eval, "DTD", file, errors.is_empty(), errors)
}

/// Returns `true` if the body does not conform to a schema. `file` is its name, for messages.
pub fn breaks_schema(eval: &mut Evaluation<'_>, schema: &Result<Box<Schema>, SchemaError>, file: &str) -> bool {
    let schema = match schema {
        Ok(schema) if reads_files(eval.rules) => schema,
        Ok(_) => return has_no_schema(eval, file, format!("Failed to locate the main schema resource at '{file}'.")),
        Err(SchemaError::NoSchema) => return has_no_schema(eval, file, format!("The XML document '{file}' is not a schema document.")),
        Err(error @ SchemaError::Malformed) => return has_no_schema(eval, file, format!("{error} '{file}'.")),
        Err(error) => return has_no_schema(eval, file, error.to_string()),
    };
    let Some(document) = &eval.state.collections.xml else { return has_no_document(eval, "Schema") };
    let steps = eval.state.collections.arena.budget.steps();
    let mut errors = Vec::new();
    if eval.debugs(4) {
        let body = eval.state.collections.arena.read(eval.state.collections.arena.request_body());
        errors = schema.explain(document, body, MAX_ERRORS, &steps);
    }
    let conforms = errors.is_empty() && schema.accepts(document, &steps);
    eval.state.collections.arena.budget.leave(steps.get());
    judge_document(eval, "Schema", file, conforms, errors)
}

fn has_no_schema(eval: &Evaluation<'_>, file: &str, reason: String) -> bool {
    eval.debug(4, || format!("XML: Failed to load Schema: {file}. XML Error: {reason}"));
    true
}

/// Reports that there is no XML document. Returns `true`: it does not conform.
fn has_no_document(eval: &Evaluation<'_>, kind: &str) -> bool {
    let is_broken = eval.state.body_processor == Some(BodyProcessor::Xml) && !eval.state.collections.arena.request_body().is_empty();
    eval.debug(4, || match (is_broken, kind) {
        (true, _) => format!("XML: {kind} validation failed because content is not well formed."),
        (false, "Schema") => "XML document tree could not be found for schema validation.".to_owned(),
        (false, _) => format!("XML document tree could not be found for {kind} validation."),
    });
    true
}

fn judge_document(eval: &Evaluation<'_>, kind: &str, file: &str, conforms: bool, errors: Vec<String>) -> bool {
    if conforms {
        eval.debug(4, || format!("XML: Successfully validated payload against {kind}: {file}"));
        return false;
    }
    for error in errors {
        eval.debug(4, || format!("XML Error: {error}"));
    }
    eval.debug(4, || format!("XML: {kind} validation failed."));
    true
}

/// Returns `true` if XML files may be read. As in ModSecurity v3, no file is read for XML, not even the grammar, unless `SecXmlExternalEntity` is on.
fn reads_files(graph: &RuleGraph) -> bool {
    graph.settings.xml_external_entities
}
