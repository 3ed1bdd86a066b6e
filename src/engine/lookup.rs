//! Operators that need more than a value: a database, the DNS, the whole XML body.

use super::script::run_script;
#[cfg(feature = "xml-validation")]
use super::xml_validation;
use super::{Evaluation, program};
use crate::escape::shown;
use crate::graph::{Lookup, Rule};
use crate::operator::{BlockList, BlockListQuestion, Capture, CapturedValue, Findings, Listing, Operator};
use crate::resolver::Answer;
use crate::state::Text;
use std::net::IpAddr;
use std::path::Path;

/// Cost of looking up a place, of asking a name server, and of running a program, in units of work.
const PLACE: usize = 1_000;
const QUESTION: usize = 10_000_000;
const PROGRAM: usize = 100_000_000;

/// The operator of a rule, ready to be called.
#[derive(Clone, Copy)]
pub enum OperatorCall<'a> {
    /// An operator on the value alone.
    Value(&'a Operator),
    /// A look-up, and its argument as written.
    Lookup(&'a Lookup, &'a str),
}

/// Returns `true` if a look-up matches. `text` is the operator's argument, for messages. A failed look-up does not match, except for documents: one
/// that cannot be checked does not conform.
#[cfg_attr(not(feature = "xml-validation"), allow(unused_variables))]
pub fn look_up(eval: &mut Evaluation<'_>, rule: &Rule, lookup: &Lookup, text: &str, value: Text, findings: &mut Findings) -> bool {
    eval.charge(match lookup {
        Lookup::Place => PLACE,
        Lookup::BlockList(_) => QUESTION,
        Lookup::Program(_) => PROGRAM,
        // Its instructions are charged.
        Lookup::Script(_) => 0,
        #[cfg(feature = "xml-validation")]
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
        #[cfg(feature = "xml-validation")]
        Lookup::Dtd(dtd) => xml_validation::breaks_dtd(eval, dtd, text),
        #[cfg(feature = "xml-validation")]
        Lookup::Schema(schema) => xml_validation::breaks_schema(eval, schema, text),
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

/// Runs a program. As in ModSecurity v3, it matches by printing more than one character, of which the first is not `1`.
fn ask_program(eval: &Evaluation<'_>, program: &Path, value: Text) -> bool {
    match program::ask(program, eval.state.collections.arena.read(value)) {
        Ok(output) => output.len() > 1 && output.first() != Some(&b'1'),
        Err(error) => {
            eval.debug(1, || format!("{}: {error}", program.display()));
            false
        }
    }
}
