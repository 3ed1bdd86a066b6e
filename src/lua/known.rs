//! What was read from texts of scripts, by number: Lua keeps the numbers, so that a text that comes again crosses as one.

use super::name::Read;
use mlua::{Lua, LuaString, Result, Table};
use std::cell::{Ref, RefCell};

/// How many texts are kept, and the longest of them, in bytes.
const MOST: usize = 1000;
const LONGEST: usize = 100;

/// What was read, and where Lua finds its number.
pub struct Known<T> {
    numbers: Table,
    all: RefCell<Vec<T>>,
}

impl<T: Read> Known<T> {
    /// Nothing yet.
    pub fn new(lua: &Lua) -> Result<Self> {
        Ok(Self { numbers: lua.create_table()?, all: RefCell::default() })
    }

    /// Numbers by text.
    pub fn numbers(&self) -> &Table {
        &self.numbers
    }

    /// What has this number, a whole one.
    pub fn of(&self, number: f64) -> Option<Ref<'_, T>> {
        Ref::filter_map(self.all.borrow(), |all| all.get(number as usize)).ok()
    }

    /// Gives what is read from a text to `look`, and keeps it for the next time, unless the text is long.
    pub fn with<R>(&self, text: &LuaString, look: impl FnOnce(&T) -> R) -> Result<R> {
        let number: Option<f64> = self.numbers.raw_get(text)?;
        if let Some(known) = number.and_then(|number| self.of(number)) {
            return Ok(look(&known));
        }
        let bytes = text.as_bytes();
        let read = T::read(&bytes);
        let result = look(&read);
        if bytes.len() <= LONGEST {
            self.keep(text, read)?;
        }
        Ok(result)
    }

    /// Keeps what was read; when there are many, they are forgotten before. No number is under way: Lua asks by name.
    fn keep(&self, text: &LuaString, read: T) -> Result<()> {
        let mut all = self.all.borrow_mut();
        if all.len() >= MOST {
            self.numbers.clear()?;
            all.clear();
        }
        self.numbers.raw_set(text, all.len())?;
        all.push(read);
        Ok(())
    }
}
