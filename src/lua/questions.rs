//! Questions of scripts to their host, as Lua calls them.

use super::budget::{Budget, Excess};
use super::known::Known;
use super::name::{Chain, VariableName};
use super::strings::{stopped, string};
use super::{Host, Question, Reply};
use mlua::{BString, Either, Lua, LuaString, MultiValue, Result, Table, Value};
use scoped_tls_hkt::scoped_thread_local;
use std::rc::Rc;

scoped_thread_local! {
    /// The host of the script that runs in this thread.
    pub static mut HOST: for<'a> &'a mut (dyn Host + 'a)
}

/// Names that scripts of a state used before.
struct Names {
    variables: Known<VariableName>,
    chains: Known<Chain>,
}

/// Adds `getvar`, `setvar` and, for rarer questions, `ask` to a table, and the numbers by which the first two know names. `ask` returns a value, or
/// `nil` and a reason. `setvar` returns `true` if it knew the name and the value was a text or a number.
pub fn add(lua: &Lua, native: &Table, budget: &Rc<Budget>) -> Result<()> {
    let names = Rc::new(Names { variables: Known::new(lua)?, chains: Known::new(lua)? });
    native.raw_set("variables", names.variables.numbers())?;
    native.raw_set("chains", names.chains.numbers())?;

    let (own, known) = (Rc::clone(budget), Rc::clone(&names));
    let function = lua.create_function(move |lua, (variable, chain): (f64, Option<f64>)| {
        let Some(variable) = known.variables.of(variable) else { return Ok(None) };
        match chain.and_then(|number| known.chains.of(number)) {
            Some(chain) => variable_of(lua, &variable, &chain, &own),
            None => variable_of(lua, &variable, &Chain::default(), &own),
        }
    })?;
    native.raw_set("getvar", function)?;

    let (own, known) = (Rc::clone(budget), Rc::clone(&names));
    let function = lua.create_function(move |_, (variable, value): (Option<f64>, Either<BString, Value>)| {
        let (Some(variable), Either::Left(value)) = (variable.and_then(|number| known.variables.of(number)), value) else {
            return Ok(false);
        };
        set_variable(&variable, &value, &own).map(|()| true)
    })?;
    native.raw_set("setvar", function)?;

    let own = Rc::clone(budget);
    native.raw_set("ask", lua.create_function(move |lua, arguments: MultiValue| ask(lua, arguments, &names, &own))?)
}

fn variable_of(lua: &Lua, variable: &VariableName, chain: &Chain, budget: &Budget) -> Result<Option<LuaString>> {
    with_host(|host| match host.answer(Question::Variable(variable, chain), budget) {
        _ if budget.is_over() => budget.check().map_err(stopped).map(|()| None),
        Reply::Text(text) => string(lua, &text).map(Some),
        _ => Ok(None),
    })
}

fn set_variable(variable: &VariableName, value: &[u8], budget: &Budget) -> Result<()> {
    with_host(|host| {
        host.answer(Question::SetVariable(variable, value), budget);
        budget.check().map_err(stopped)
    })
}

/// Answers a question by its number, as in `rule.lua` and `decision.lua`.
fn ask(lua: &Lua, arguments: MultiValue, names: &Names, budget: &Budget) -> Result<(Value, Value)> {
    let mut arguments = arguments.into_iter();
    let mut next = || arguments.next().unwrap_or(Value::Nil);
    let number = |value: &Value| match value {
        Value::Integer(number) => Some(*number as f64),
        other => other.as_number(),
    };
    let (kind, first, second, third, fourth) = (next(), next(), next(), next(), next());
    let bytes = |value: &Value| value.as_string().map(LuaString::as_bytes);
    let (one, two) = (bytes(&first), bytes(&second));
    let one = one.as_deref().unwrap_or_default();
    let two = two.as_deref().unwrap_or_default();
    if budget.look() {
        return Err(stopped(budget.exceed(Excess::Time)));
    }
    budget.spend_on(one.len() + two.len()).map_err(stopped)?;
    let question = match (number(&kind).unwrap_or_default() as u32, &first) {
        (1, _) => Question::Log(number(&first).unwrap_or_default() as i64, two),
        (kind @ 2..=4, Value::String(variable)) => {
            return names.variables.with(variable, |variable| match (kind, &second) {
                (4, Value::String(value)) => set_variable(variable, &value.as_bytes(), budget).map(|()| (Value::Nil, Value::Nil)),
                (_, Value::String(chain)) => names.chains.with(chain, |chain| look_up(lua, kind, variable, chain, budget))?,
                _ => look_up(lua, kind, variable, &Chain::default(), budget),
            })?;
        }
        (10, _) => Question::Field(one),
        (11, _) => Question::Headers,
        (12, _) => Question::IsListed(one, number(&second), number(&third) == Some(1.0)),
        (13, _) => Question::Ban(one, number(&second), number(&third)),
        (14, _) => Question::Unban(one, number(&second)),
        (15, _) => Question::IsRateLimited(one, number(&second)),
        (16, _) => {
            let list: Vec<LuaString> =
                third.as_table().map_or_else(|| Ok(Vec::new()), |list| list.sequence_values().collect::<Result<_>>())?;
            let exempts = list.iter().map(|text| text.as_bytes().to_vec()).collect();
            Question::IsVerifiedCrawler(one, two, exempts, number(&fourth).unwrap_or_default())
        }
        _ => return Err(mlua::Error::runtime("no such question")),
    };
    reply(lua, question, budget)
}

/// Answers `m.getvar`, the second question, and `m.getvars`, the third.
fn look_up(lua: &Lua, kind: u32, variable: &VariableName, chain: &Chain, budget: &Budget) -> Result<(Value, Value)> {
    reply(lua, if kind == 2 { Question::Variable(variable, chain) } else { Question::Variables(variable, chain) }, budget)
}

/// Calls `answer` with the host of the script that runs in this thread.
pub fn with_host<T>(answer: impl FnOnce(&mut dyn Host) -> Result<T>) -> Result<T> {
    if !HOST.is_set() {
        return Err(mlua::Error::runtime("nobody runs this script"));
    }
    HOST.with(|host| answer(host))
}

fn reply(lua: &Lua, question: Question<'_>, budget: &Budget) -> Result<(Value, Value)> {
    with_host(|host| {
        let reply = host.answer(question, budget);
        budget.check().map_err(stopped)?;
        Ok(match reply {
            Reply::Nothing => (Value::Nil, Value::Nil),
            Reply::Truth(truth) => (Value::Boolean(truth), Value::Nil),
            Reply::Number(number) => (Value::Number(number), Value::Nil),
            Reply::Text(text) => (Value::String(string(lua, &text)?), Value::Nil),
            Reply::Pairs(pairs) => {
                let flat = lua.create_table_with_capacity(pairs.len() * 2, 0)?;
                for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
                    flat.raw_push(string(lua, text)?)?;
                }
                (Value::Table(flat), Value::Nil)
            }
            // No question with a number has such an answer.
            Reply::List(_) => (Value::Nil, Value::Nil),
            Reply::Senseless(why) => (Value::Nil, Value::String(lua.create_string(why)?)),
        })
    })
}
