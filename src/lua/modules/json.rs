//! JSON to Lua values and back, for `cjson`.
//!
//! Values are made in Lua while the text is read, so that they count as its memory; nothing else grows with the text.

use crate::lua::budget::{Budget, Excess};
use crate::lua::strings::{stopped, string};
use mlua::{Lua, LuaString, Result, Table, Value};
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// Maximum nesting of values, in both directions.
const MAX_DEPTH: usize = 127;

/// Cost of a value, in bytes of linear work.
const VALUE: usize = 64;

/// A list may have this many elements, or twice as many as are set.
const FEW: f64 = 10.0;

/// Adds `decode` and `encode`. Each returns the reason why it failed, or `nil` and the value.
pub fn add(lua: &Lua, part: &Table, budget: &Rc<Budget>) -> Result<()> {
    let own = Rc::clone(budget);
    let function = lua.create_function(move |lua, text: LuaString| {
        let text = text.as_bytes();
        own.spend_on(text.len()).map_err(stopped)?;
        let failure = RefCell::new(None);
        let mut reader = serde_json::Deserializer::from_slice(&text);
        let made = Maker { lua, budget: &own, failure: &failure }.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
        match (made, failure.into_inner()) {
            (_, Some(failure)) => Err(failure),
            (Ok(value), None) => Ok((None, value)),
            (Err(error), None) => Ok((Some(error.to_string()), Value::Nil)),
        }
    })?;
    part.raw_set("decode", function)?;

    let own = Rc::clone(budget);
    let function = lua.create_function(move |lua, value: Value| {
        let mut writer = Writer { text: Vec::new(), budget: &own };
        match writer.value(&value, 0)? {
            Ok(()) => Ok((None, Some(string(lua, &writer.text)?))),
            Err(message) => Ok((Some(message), None)),
        }
    })?;
    part.raw_set("encode", function)
}

/// Builds Lua values.
#[derive(Clone, Copy)]
struct Maker<'a> {
    lua: &'a Lua,
    budget: &'a Budget,
    /// The Lua error that stopped the parser; no JSON error may hide it.
    failure: &'a RefCell<Option<mlua::Error>>,
}

impl Maker<'_> {
    fn made<T, E: serde::de::Error>(&self, make: impl FnOnce(&Lua) -> Result<T>) -> std::result::Result<T, E> {
        let made = self.budget.spend_on(VALUE).map_err(stopped).and_then(|()| make(self.lua));
        made.map_err(|error| {
            self.failure.replace(Some(error));
            E::custom("stopped")
        })
    }
}

impl<'de> DeserializeSeed<'de> for Maker<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> std::result::Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Maker<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: serde::de::Error>(self, truth: bool) -> std::result::Result<Value, E> {
        Ok(Value::Boolean(truth))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> std::result::Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> std::result::Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> std::result::Result<Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_unit<E: serde::de::Error>(self) -> std::result::Result<Value, E> {
        Ok(Value::NULL)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> std::result::Result<Value, E> {
        self.made(|lua| string(lua, text.as_bytes())).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> std::result::Result<Value, A::Error> {
        let list = self.made(Lua::create_table)?;
        while let Some(value) = values.next_element_seed(self)? {
            self.made(|_| list.raw_push(value))?;
        }
        Ok(Value::Table(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> std::result::Result<Value, A::Error> {
        let object = self.made(Lua::create_table)?;
        while let Some(name) = members.next_key_seed(self)? {
            let value = members.next_value_seed(self)?;
            self.made(|_| object.raw_set(name, value))?;
        }
        Ok(Value::Table(object))
    }
}

struct Writer<'a> {
    text: Vec<u8>,
    budget: &'a Budget,
}

/// `Ok`, or the reason why a value has no JSON; a Lua error ends the call.
type Written = Result<std::result::Result<(), String>>;

impl Writer<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> Written {
        self.budget.spend_on(VALUE).map_err(stopped)?;
        if self.text.len() > self.budget.memory() {
            return Err(stopped(self.budget.exceed(Excess::Memory)));
        }
        match value {
            Value::Nil => self.text.extend_from_slice(b"null"),
            value if *value == Value::NULL => self.text.extend_from_slice(b"null"),
            Value::Boolean(truth) => self.text.extend_from_slice(if *truth { b"true" } else { b"false" }),
            Value::Integer(number) => self.text.extend_from_slice(number.to_string().as_bytes()),
            Value::Number(number) if number.is_finite() => self.text.extend_from_slice(number.to_string().as_bytes()),
            Value::Number(_) => return Ok(Err("Cannot serialise number: must not be NaN or Infinity".to_owned())),
            Value::String(text) => self.string(&text.as_bytes())?,
            Value::Table(_) if depth >= MAX_DEPTH => return Ok(Err(format!("Cannot serialise, excessive depth ({})", depth + 1))),
            Value::Table(table) => return self.table(table, depth + 1),
            other => return Ok(Err(format!("Cannot serialise {}: type not supported", other.type_name()))),
        }
        Ok(Ok(()))
    }

    /// A table whose keys are positive whole numbers is a list; one without keys is an object.
    fn table(&mut self, table: &Table, depth: usize) -> Written {
        let Some(places) = self.places(table)? else { return self.object(table, depth) };
        let places = match places {
            Ok(places) => places,
            Err(message) => return Ok(Err(message)),
        };
        self.text.push(b'[');
        for place in 1..=places {
            if place > 1 {
                self.text.push(b',');
            }
            let value: Value = table.raw_get(place)?;
            if let Err(message) = self.value(&value, depth)? {
                return Ok(Err(message));
            }
        }
        self.text.push(b']');
        Ok(Ok(()))
    }

    /// Returns the number of elements of a list; `None` for an object.
    fn places(&self, table: &Table) -> Result<Option<std::result::Result<usize, String>>> {
        let (mut last, mut count) = (0.0_f64, 0.0);
        for pair in table.pairs::<Value, Value>() {
            self.budget.spend_on(VALUE).map_err(stopped)?;
            let place = match pair?.0 {
                Value::Integer(place) => place as f64,
                Value::Number(place) => place,
                _ => return Ok(None),
            };
            if place < 1.0 || place.fract() != 0.0 {
                return Ok(None);
            }
            last = last.max(place);
            count += 1.0;
        }
        Ok(match count {
            0.0 => None,
            _ if last > FEW && last > count * 2.0 => Some(Err("Cannot serialise table: excessively sparse array".to_owned())),
            _ => Some(Ok(last as usize)),
        })
    }

    fn object(&mut self, table: &Table, depth: usize) -> Written {
        self.text.push(b'{');
        let mut is_first = true;
        for pair in table.pairs::<Value, Value>() {
            let (name, value) = pair?;
            if !std::mem::take(&mut is_first) {
                self.text.push(b',');
            }
            match name {
                Value::String(name) => self.string(&name.as_bytes())?,
                Value::Integer(number) => self.string(number.to_string().as_bytes())?,
                Value::Number(number) => self.string(number.to_string().as_bytes())?,
                _ => return Ok(Err("Cannot serialise table: table key must be a number or string".to_owned())),
            }
            self.text.push(b':');
            if let Err(message) = self.value(&value, depth)? {
                return Ok(Err(message));
            }
        }
        self.text.push(b'}');
        Ok(Ok(()))
    }

    /// Writes a text, byte by byte: invalid UTF-8 is not changed.
    fn string(&mut self, text: &[u8]) -> Result<()> {
        self.budget.spend_on(text.len()).map_err(stopped)?;
        self.text.push(b'"');
        for byte in text {
            match byte {
                b'"' | b'\\' => self.text.extend_from_slice(&[b'\\', *byte]),
                b'\n' => self.text.extend_from_slice(b"\\n"),
                b'\r' => self.text.extend_from_slice(b"\\r"),
                b'\t' => self.text.extend_from_slice(b"\\t"),
                0..=0x1f | 0x7f => self.text.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
                byte => self.text.push(*byte),
            }
        }
        self.text.push(b'"');
        Ok(())
    }
}
