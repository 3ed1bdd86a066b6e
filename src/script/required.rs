//! The modules that a script requires by name, and the paths where `require` looks for them.
//!
//! Only literal names count: `require "name"`, `require("name")`, `pcall(require, "name")`. Names that a script builds, and changes of `package`, are
//! unknown before it runs.

use super::words::{Word, words};
use std::path::Path;

/// The default path of Lua 5.1, and the working folder for modules that are folders.
const DEFAULT_PATH: &str = "./?.lua;./?/init.lua;/usr/local/share/lua/5.1/?.lua;/usr/local/share/lua/5.1/?/init.lua;\
    /usr/local/lib/lua/5.1/?.lua;/usr/local/lib/lua/5.1/?/init.lua;/usr/share/lua/5.1/?.lua;/usr/share/lua/5.1/?/init.lua";

/// Modules that are loaded at the start: standard libraries, and `m` of rules.
const LOADED: [&str; 10] = ["_G", "bit", "coroutine", "io", "m", "math", "os", "package", "string", "table"];

/// The modules that the room `lua` implements.
pub const BUILT_IN: [&str; 10] =
    ["cjson", "cjson.safe", "json", "ltn12", "socket", "socket.core", "socket.http", "socket.unix", "socket.url", "zlib"];

/// Returns the initial `package.path`: the value of `LUA_PATH_5_1` or `LUA_PATH`, with `;;` replaced by the default, or the default.
pub fn search_path() -> String {
    let said = ["LUA_PATH_5_1", "LUA_PATH"].into_iter().find_map(|name| std::env::var(name).ok());
    path_from(said.as_deref())
}

/// Returns the first module that a script requires and that does not exist, with its line, from 1.
pub fn first_missing(source: &[u8]) -> Option<(String, usize)> {
    let path = search_path();
    let words: Vec<(Word<'_>, usize)> = words(source).collect();
    if words.iter().any(|(word, _)| *word == Word::Name(b"package")) {
        return None;
    }
    required(&words).find(|(name, _)| !is_there(name, &path))
}

fn path_from(said: Option<&str>) -> String {
    match said {
        None => DEFAULT_PATH.to_owned(),
        Some(said) => format!(";{said};").replace(";;", &format!(";{DEFAULT_PATH};")).trim_matches(';').to_owned(),
    }
}

fn required<'a>(words: &'a [(Word<'a>, usize)]) -> impl Iterator<Item = (String, usize)> + 'a {
    words.iter().enumerate().filter_map(|(at, (word, line))| {
        let word_at = |at: usize| words.get(at).map(|(word, _)| *word);
        let before = at.checked_sub(1).and_then(word_at);
        if *word != Word::Name(b"require") || matches!(before, Some(Word::Sign(b'.' | b':'))) {
            return None;
        }
        let name = match (word_at(at + 1)?, word_at(at + 2)) {
            (Word::Text(name), _) => name,
            (Word::Sign(b'('), Some(Word::Text(name))) if word_at(at + 3) == Some(Word::Sign(b')')) => name,
            // pcall(require, "name")
            (Word::Sign(b','), Some(Word::Text(name))) => name,
            _ => return None,
        };
        Some((String::from_utf8(name.to_vec()).ok()?, *line))
    })
}

fn is_there(name: &str, path: &str) -> bool {
    let file = name.replace('.', "/");
    LOADED.contains(&name) || BUILT_IN.contains(&name) || path.split(';').any(|template| Path::new(&template.replace('?', &file)).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_folders_before_or_instead_of_the_usual_ones() {
        assert_eq!(path_from(Some("/a/?.lua")), "/a/?.lua");
        assert_eq!(path_from(Some("/a/?.lua;;")), format!("/a/?.lua;{DEFAULT_PATH}"));
        assert_eq!(path_from(None), DEFAULT_PATH);
    }

    #[test]
    fn a_module_that_is_nowhere_is_found_with_its_line() {
        for (source, missing) in [
            ("local a = require 'DBI'", Some(("DBI", 1))),
            ("\nlocal a = require(\"luasql.mysql\")", Some(("luasql.mysql", 2))),
            ("-- require 'a'\nlocal ok = pcall(require, 'rex_pcre')", Some(("rex_pcre", 2))),
            ("require [[none]]", Some(("none", 1))),
            ("local os, s = require 'os', require('socket.http') pcall(require, 'm')", None),
            ("package.path = '/mine/?.lua' require 'mine'", None),
            ("require(name) x.require 'a' local s = \"require 'b'\" --[[ require 'c' ]] require('a' .. b)", None),
            ("local s = [==[ require 'a' ]] ]==] require 'cjson'", None),
            ("s = 'it\\'s' require 'late'", Some(("late", 1))),
        ] {
            let missing = missing.map(|(name, line): (&str, usize)| (name.to_owned(), line));
            assert_eq!(first_missing(source.as_bytes()), missing, "{source}");
        }
    }
}
