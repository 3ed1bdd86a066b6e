//! Operators that look at more than a value: in a database, in the DNS, in the whole XML body.

use super::script::run_script;
use super::{Evaluation, program};
use crate::body::xml::{Dtd, DtdError, Schema, SchemaError};
use crate::escape::shown;
use crate::graph::{BodyProcessor, Lookup, Rule, RuleGraph};
use crate::operator::{BlockList, BlockListQuestion, Capture, CapturedValue, Findings, Listing, Operator};
use crate::resolver::Answer;
use crate::state::Text;
use std::net::IpAddr;
use std::path::Path;

/// How many errors of a document are written to the debug log.
const MOST_ERRORS: usize = 20;

/// What looking up a place costs, asking a name server, and running a program, in units of work.
const PLACE: usize = 1_000;
const QUESTION: usize = 10_000_000;
const PROGRAM: usize = 100_000_000;

/// Who answers a rule's question.
#[derive(Clone, Copy)]
pub enum Respondent<'a> {
    /// An operator that looks at the value alone.
    Value(&'a Operator),
    /// One that looks further, and its argument as written.
    Lookup(&'a Lookup, &'a str),
}

/// Returns `true` if a look-up matches. `text` is the operator's argument, for messages. A look-up that fails is no match, but for documents: one
/// that cannot be checked does not conform.
pub fn look_up(eval: &mut Evaluation<'_>, rule: &Rule, lookup: &Lookup, text: &str, value: Text, findings: &mut Findings) -> bool {
    eval.charge(match lookup {
        Lookup::Place => PLACE,
        Lookup::BlockList(_) => QUESTION,
        Lookup::Program(_) => PROGRAM,
        // Told by the instructions.
        Lookup::Script(_) => 0,
        Lookup::Dtd(_) | Lookup::Schema(_) => eval.state.collections.arena.request_body().len(),
    });
    match lookup {
        Lookup::Place => look_up_place(eval, value),
        Lookup::BlockList(list) => look_up_block_list(eval, list, value, findings),
        Lookup::Program(program) => ask_program(eval, program, value),
        Lookup::Script(script) => {
            let value = eval.state.collections.arena.read(value).to_vec();
            run_script(eval, rule, script, Some(&value)).is_some()
        }
        Lookup::Dtd(dtd) => breaks_dtd(eval, dtd, text),
        Lookup::Schema(schema) => breaks_schema(eval, schema, text),
    }
}

fn look_up_place(eval: &mut Evaluation<'_>, value: Text) -> bool {
    let Some(database) = &eval.rules.settings.geo_database else {
        eval.debug(4, || "Database is not open. Use: SecGeoLookupDb directive.".to_owned());
        return false;
    };
    let address: Option<IpAddr> = std::str::from_utf8(eval.state.collections.arena.read(value)).ok().and_then(|text| text.parse().ok());
    let Some(place) = address.and_then(|address: IpAddr| database.find(address.to_canonical())) else { return false };
    let arena = &mut eval.state.collections.arena;
    eval.state.collections.geography = place.parts.into_iter().map(|(key, value)| (key, arena.store(value.as_bytes()))).collect();
    true
}

fn look_up_block_list(eval: &mut Evaluation<'_>, list: &BlockList, value: Text, findings: &mut Findings) -> bool {
    let asked = eval.state.collections.arena.read(value);
    let name = match list.question(asked, eval.rules.settings.http_blocklist_key.as_deref()) {
        BlockListQuestion::Name(name) => name,
        BlockListQuestion::KeyMissing => {
            let message = "Missing RBL key, cannot continue with the operator execution, please set the key using: SecHttpBlKey";
            eval.debug(0, || message.to_owned());
            return false;
        }
        BlockListQuestion::NoName => {
            eval.debug(5, || format!("RBL lookup of {} failed: it is neither an address nor a host name.", shown(asked, 80)));
            return false;
        }
    };
    let answer = match eval.services.resolver.resolve(&name) {
        Answer::Address(answer) => answer,
        Answer::Nothing => {
            eval.debug(5, || format!("RBL lookup of {} failed.", shown(asked, 80)));
            return false;
        }
        Answer::Late => {
            eval.debug(5, || format!("RBL lookup of {} failed: there was no answer in time.", shown(asked, 80)));
            return false;
        }
    };
    match list.listing(answer) {
        Listing::NotListed => {
            eval.debug(5, || format!("RBL lookup of {} failed: {answer} is not an answer of a block list.", shown(asked, 80)));
            false
        }
        Listing::Listed(meaning) => {
            eval.debug(4, || format!("RBL lookup of {}{meaning}", shown(asked, 80)));
            findings.captures.push(Capture { index: 0, value: CapturedValue::Input(0..value.len()) });
            true
        }
    }
}

/// As in ModSecurity v3 the program finds fault by printing more than one character, the first of which is no `1`.
fn ask_program(eval: &Evaluation<'_>, program: &Path, value: Text) -> bool {
    match program::ask(program, eval.state.collections.arena.read(value)) {
        Ok(output) => output.len() > 1 && output.first() != Some(&b'1'),
        Err(error) => {
            eval.debug(1, || format!("{}: {error}", program.display()));
            false
        }
    }
}

fn breaks_dtd(eval: &mut Evaluation<'_>, dtd: &Result<Box<Dtd>, DtdError>, file: &str) -> bool {
    let Some(dtd) = dtd.as_ref().ok().filter(|_| reads_files(eval.rules)) else {
        eval.debug(4, || format!("XML: Failed to load DTD: {file}"));
        return true;
    };
    let Some(document) = &eval.state.collections.xml else { return has_no_document(eval, "DTD") };
    let steps = eval.state.collections.arena.budget.steps();
    let errors = dtd.errors(document, if eval.debugs(4) { MOST_ERRORS } else { 1 }, &steps);
    eval.state.collections.arena.budget.leave(steps.get());
    judge_document(eval, "DTD", file, errors.is_empty(), errors)
}

fn breaks_schema(eval: &mut Evaluation<'_>, schema: &Result<Box<Schema>, SchemaError>, file: &str) -> bool {
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
        errors = schema.explain(document, body, MOST_ERRORS, &steps);
    }
    let conforms = errors.is_empty() && schema.accepts(document, &steps);
    eval.state.collections.arena.budget.leave(steps.get());
    judge_document(eval, "Schema", file, conforms, errors)
}

fn has_no_schema(eval: &Evaluation<'_>, file: &str, reason: String) -> bool {
    eval.debug(4, || format!("XML: Failed to load Schema: {file}. XML Error: {reason}"));
    true
}

/// A body that is no XML document conforms to nothing.
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

/// As in ModSecurity v3 no file is read for XML, that of the grammar itself included, unless `SecXmlExternalEntity` is on.
fn reads_files(graph: &RuleGraph) -> bool {
    graph.settings.xml_external_entities
}
