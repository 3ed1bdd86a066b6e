//! A cache of values parsed from texts of scripts, by number. Lua keeps the numbers, so that a repeated text is passed as a number.

use super::name::Read;
use mlua::{Lua, LuaString, Result, Table};
use std::cell::{Ref, RefCell};

/// Maximum number of texts that are kept, and maximum length of one in bytes.
const MAX_TEXTS: usize = 1000;
const MAX_LENGTH: usize = 100;

/// The parsed values, and the table of their numbers in Lua.
pub struct Known<T> {
    numbers: Table,
    all: RefCell<Vec<T>>,
}

impl<T: Read> Known<T> {
    /// Makes an empty cache.
    pub fn new(lua: &Lua) -> Result<Self> {
        Ok(Self { numbers: lua.create_table()?, all: RefCell::default() })
    }

    /// Returns the table of numbers by text.
    pub fn numbers(&self) -> &Table {
        &self.numbers
    }

    /// Returns the value with this number, which must be whole.
    pub fn of(&self, number: f64) -> Option<Ref<'_, T>> {
        Ref::filter_map(self.all.borrow(), |all| all.get(number as usize)).ok()
    }

    /// Parses a text and passes the value to `look`. Keeps it for the next time, unless the text is long.
    pub fn with<R>(&self, text: &LuaString, look: impl FnOnce(&T) -> R) -> Result<R> {
        let number: Option<f64> = self.numbers.raw_get(text)?;
        if let Some(known) = number.and_then(|number| self.of(number)) {
            return Ok(look(&known));
        }
        let bytes = text.as_bytes();
        let read = T::read(&bytes);
        let result = look(&read);
        if bytes.len() <= MAX_LENGTH {
            self.keep(text, read)?;
        }
        Ok(result)
    }

    /// Keeps a value. If there are too many, drops all others first; no number is in use then, because Lua called with a text.
    fn keep(&self, text: &LuaString, read: T) -> Result<()> {
        let mut all = self.all.borrow_mut();
        if all.len() >= MAX_TEXTS {
            self.numbers.clear()?;
            all.clear();
        }
        self.numbers.raw_set(text, all.len())?;
        all.push(read);
        Ok(())
    }
}
