//! Host names and addresses, for `socket.dns`. The host asks the name server.

use super::wait::Waits;
use crate::lua::budget::Budget;
use crate::lua::questions::with_host;
use crate::lua::strings::{stopped, string};
use crate::lua::{Question, Reply};
use mlua::{Lua, LuaString, Result, Table};
use std::rc::Rc;

/// Maximum length of a name, in bytes.
const LONGEST_NAME: usize = 255;

/// Adds `addresses` of a name and `names` of an address: each returns a list of texts, or `nil` and a reason.
pub fn add(lua: &Lua, part: &Table, budget: &Rc<Budget>) -> Result<()> {
    for (name, is_reverse) in [("addresses", false), ("names", true)] {
        let own = Rc::clone(budget);
        let function = lua.create_function(move |lua, text: LuaString| {
            let text = text.as_bytes();
            // The call's time starts here at the latest.
            Waits::new(&own, -1.0, -1.0).next()?;
            if text.len() > LONGEST_NAME {
                return Ok((None, Some("host or service not provided, or not known".to_owned())));
            }
            let question = if is_reverse { Question::NamesOf(&text) } else { Question::AddressesOf(&text) };
            with_host(|host| {
                let reply = host.answer(question, &own);
                own.check().map_err(stopped)?;
                Ok(match reply {
                    Reply::List(texts) => {
                        let texts = texts.iter().map(|text| string(lua, text)).collect::<Result<Vec<_>>>()?;
                        (Some(lua.create_sequence_from(texts)?), None)
                    }
                    Reply::Senseless(why) => (None, Some(why)),
                    _ => (None, Some("names cannot be looked up here".to_owned())),
                })
            })
        })?;
        part.raw_set(name, function)?;
    }
    let own_name = |_: &Lua, ()| {
        Ok(std::fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned()))
    };
    part.raw_set("host_name", lua.create_function(own_name)?)
}
