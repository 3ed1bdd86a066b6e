//! What scripts ask of whoever runs them, as Lua calls it.

use super::budget::Budget;
use super::strings::stopped;
use super::{Host, Question, Reply};
use mlua::{BString, Lua, LuaString, MultiValue, Result, Table, Value};
use scoped_tls_hkt::scoped_thread_local;
use std::rc::Rc;

scoped_thread_local! {
    /// Who runs the script of this thread.
    pub static mut HOST: for<'a> &'a mut (dyn Host + 'a)
}

/// Puts `getvar`, `setvar` and, for all that is asked more seldom, `ask` into a table. The last gives a value, or `nil` and why there is none.
pub fn add(lua: &Lua, native: &Table, budget: &Rc<Budget>) -> Result<()> {
    let own = Rc::clone(budget);
    let function = lua.create_function(move |lua, (name, steps): (BString, Option<BString>)| {
        with_host(|host| match host.answer(Question::Variable(&name, steps.as_ref().map_or(&[][..], |steps| steps)), &own) {
            _ if own.is_over() => own.check().map_err(stopped).map(|()| None),
            Reply::Text(text) => lua.create_string(text).map(Some),
            _ => Ok(None),
        })
    })?;
    native.raw_set("getvar", function)?;
    let own = Rc::clone(budget);
    let function = lua.create_function(move |_, (name, value): (BString, BString)| {
        with_host(|host| {
            host.answer(Question::SetVariable(&name, &value), &own);
            own.check().map_err(stopped)
        })
    })?;
    native.raw_set("setvar", function)?;
    let own = Rc::clone(budget);
    native.raw_set("ask", lua.create_function(move |lua, arguments: MultiValue| ask(lua, arguments, &own))?)
}

/// Answers a question that is named by its number, as in `rule.lua` and `decision.lua`.
fn ask(lua: &Lua, arguments: MultiValue, budget: &Budget) -> Result<(Value, Value)> {
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
    let question = match number(&kind).unwrap_or_default() as u32 {
        1 => Question::Log(number(&first).unwrap_or_default() as i64, two),
        2 => Question::Variables(one, two),
        10 => Question::Field(one),
        11 => Question::Headers,
        12 => Question::IsListed(one, number(&second), number(&third) == Some(1.0)),
        13 => Question::Ban(one, number(&second), number(&third)),
        14 => Question::Unban(one, number(&second)),
        15 => Question::IsRateLimited(one, number(&second)),
        16 => {
            let list: Vec<LuaString> =
                third.as_table().map_or_else(|| Ok(Vec::new()), |list| list.sequence_values().collect::<Result<_>>())?;
            let exempts = list.iter().map(|text| text.as_bytes().to_vec()).collect();
            Question::IsVerifiedCrawler(one, two, exempts, number(&fourth).unwrap_or_default())
        }
        _ => return Err(mlua::Error::runtime("no such question")),
    };
    tell(lua, question, budget)
}

fn with_host<T>(answer: impl FnOnce(&mut dyn Host) -> Result<T>) -> Result<T> {
    if !HOST.is_set() {
        return Err(mlua::Error::runtime("nobody runs this script"));
    }
    HOST.with(|host| answer(host))
}

fn tell(lua: &Lua, question: Question<'_>, budget: &Budget) -> Result<(Value, Value)> {
    with_host(|host| {
        let reply = host.answer(question, budget);
        budget.check().map_err(stopped)?;
        Ok(match reply {
            Reply::Nothing => (Value::Nil, Value::Nil),
            Reply::Truth(truth) => (Value::Boolean(truth), Value::Nil),
            Reply::Number(number) => (Value::Number(number), Value::Nil),
            Reply::Text(text) => (Value::String(lua.create_string(text)?), Value::Nil),
            Reply::Pairs(pairs) => {
                let flat = lua.create_table_with_capacity(pairs.len() * 2, 0)?;
                for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
                    flat.raw_push(lua.create_string(text)?)?;
                }
                (Value::Table(flat), Value::Nil)
            }
            Reply::Senseless(why) => (Value::Nil, Value::String(lua.create_string(why)?)),
        })
    })
}
