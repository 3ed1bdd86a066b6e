//! Takes the text of a Lua script, gives a [`Script`] without syntax errors, or the line of the error; imports nothing of the project.
//!
//! The room `lua` runs scripts. Rule sets need only this room to hold them.

mod required;
mod words;

#[cfg(all(test, feature = "lua"))]
pub(crate) use required::BUILT_IN;
#[cfg(feature = "lua")]
pub(crate) use required::search_path;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// A Lua script: text without a syntax error.
///
/// Clones are the same script, which each thread prepares once.
#[derive(Clone, Debug)]
pub struct Script {
    inner: Arc<Inner>,
}

/// A weak reference to a [`Script`].
#[derive(Clone, Debug)]
pub struct WeakScript {
    inner: Weak<Inner>,
}

struct Inner {
    name: Box<str>,
    source: Box<[u8]>,
    number: u64,
}

/// Error of a text that is not a script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ScriptError {
    message: String,
    line: Option<usize>,
}

impl Script {
    /// Reads a script; `name` is its name in messages, such as the path of its file.
    ///
    /// # Errors
    /// If it has a syntax error, or is bytecode.
    pub fn new(name: &str, source: Vec<u8>) -> Result<Self, ScriptError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        check(&source)?;
        let inner = Inner { name: name.into(), source: source.into(), number: COUNT.fetch_add(1, Ordering::Relaxed) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Returns its name in messages.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Returns its text.
    pub fn source(&self) -> &[u8] {
        &self.inner.source
    }

    /// Returns `true` if the script contains a name as a word, so that it may define or call it. Comments and texts count.
    pub fn has_word(&self, name: &str) -> bool {
        let source = self.source();
        let is_part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        let mut places = memchr::memmem::find_iter(source, name);
        places.any(|at| !is_part(at.checked_sub(1).and_then(|before| source.get(before))) && !is_part(source.get(at + name.len())))
    }

    /// Returns the first module that the script requires by name and that does not exist, with its line, from 1.
    pub fn missing_module(&self) -> Option<(String, usize)> {
        required::first_missing(&self.inner.source)
    }

    /// Returns a number that no other script of this process has.
    pub fn number(&self) -> u64 {
        self.inner.number
    }

    /// Returns a weak reference.
    pub fn downgrade(&self) -> WeakScript {
        WeakScript { inner: Arc::downgrade(&self.inner) }
    }
}

impl WeakScript {
    /// Returns `true` if the script was dropped.
    pub fn is_gone(&self) -> bool {
        self.inner.strong_count() == 0
    }
}

impl ScriptError {
    /// Returns the line of the error, from 1, if it is known.
    pub fn line(&self) -> Option<usize> {
        self.line
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("name", &self.name).field("bytes", &self.source.len()).finish_non_exhaustive()
    }
}

/// First byte of precompiled Lua chunks.
#[cfg(feature = "lua")]
const BYTECODE: u8 = 0x1b;

/// Maximum memory for reading a script, in bytes.
#[cfg(feature = "lua")]
const READING_MEMORY: usize = 256 << 20;

#[cfg(feature = "lua")]
fn check(source: &[u8]) -> Result<(), ScriptError> {
    use mlua::chunk::ChunkMode;
    use mlua::{Error, Lua, LuaOptions, StdLib};
    let fault = |message: String, line| Err(ScriptError { message, line });
    if source.first() == Some(&BYTECODE) {
        return fault(String::from("it is bytecode: name the source file"), None);
    }
    let lua = Lua::new_with(StdLib::NONE, LuaOptions::new()).and_then(|lua| lua.set_memory_limit(READING_MEMORY).map(|_| lua));
    let read = lua.and_then(|lua| lua.load(source).set_name("=script").set_mode(ChunkMode::Text).into_function().map(drop));
    match read {
        Ok(()) => Ok(()),
        // `script:LINE: message`
        Err(Error::SyntaxError { message, .. }) => {
            let place = message.strip_prefix("script:").and_then(|rest| rest.split_once(": "));
            match place.and_then(|(line, message)| Some((line.parse().ok()?, message))) {
                Some((line, message)) => fault(message.to_owned(), Some(line)),
                None => fault(message, None),
            }
        }
        Err(other) => fault(other.to_string(), None),
    }
}

#[cfg(not(feature = "lua"))]
fn check(_: &[u8]) -> Result<(), ScriptError> {
    Err(ScriptError { message: String::from("this program was built without Lua: build it with the feature `lua`"), line: None })
}

#[cfg(test)]
#[cfg(feature = "lua")]
mod tests {
    use super::*;

    fn fault(text: &str) -> ScriptError {
        Script::new("a.lua", text.into()).unwrap_err()
    }

    #[test]
    fn a_fault_is_named_with_its_line() {
        let error = fault("function main()\n  return 1 +\nend\n");
        assert_eq!(error.line(), Some(3));
        assert!(error.to_string().contains("near 'end'"), "{error}");
    }

    #[test]
    fn bytecode_is_refused() {
        assert!(fault("\x1bLJ").to_string().contains("bytecode"));
    }

    #[test]
    fn the_line_of_an_interpreter_is_no_fault() {
        assert!(Script::new("a.lua", b"#!/usr/bin/lua\nfunction main() end".to_vec()).is_ok());
    }
}
