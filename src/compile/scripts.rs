//! Lua scripts that rules name.

use super::decisions::SHOULD_BLOCK;
use super::directives::Builder;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::Test;
use crate::script::Script;
use crate::seclang::{ActionExpression, Actions, Argument, Directive};
use crate::source::{Sources, Span};

/// The function of a rule's script that is called.
pub const MAIN: &str = "main";

impl Builder<'_> {
    /// `SecRuleScript`
    pub fn rule_script(&mut self, directive: &Directive, file: &Argument, actions: Option<&Actions>, sources: &Sources) {
        let understood = self.rule_actions(actions, sources);
        let Some(script) = self.script(&file.text, MAIN, file.span, sources) else {
            return self.abandon_chain(understood.chain);
        };
        let draft = self.draft(Test::Script(script), understood, directive.span, sources);
        self.add_rule(draft, actions);
    }

    /// `exec`
    pub fn executed(&mut self, written: &ActionExpression, sources: &Sources) -> Option<Script> {
        let path = written.text();
        if !is_lua(path) {
            return self.bad_value(
                written,
                &format!("`{path}` is no Lua script"),
                "name a file that ends with .lua: other programs are not run",
            );
        }
        self.script(path, MAIN, written.value_span(), sources)
    }

    /// The script of a file; one that cannot be read, is no script, or does not hold what is called is reported. A script that several rules name is one.
    /// `function` is what is called in it.
    pub fn script(&mut self, name: &str, function: &str, span: Span, sources: &Sources) -> Option<Script> {
        let script = self.readable_script(name, span, sources)?;
        if has_word(script.source(), function) {
            return Some(script);
        }
        let message = format!("`{name}` holds no function `{function}`, so that it decides nothing");
        // A decision script cannot load another one that defines the function.
        let (code, kept) = if function == SHOULD_BLOCK { (Code::BadScript, None) } else { (Code::NothingToCall, Some(script)) };
        self.report(Diagnostic::new(code, span, message).hint(format!("name the function that is to be called {function}")));
        kept
    }

    fn readable_script(&mut self, name: &str, span: Span, sources: &Sources) -> Option<Script> {
        let (path, text) = self.read_file(name, span, sources)?;
        if let Some(known) = self.scripts.get(&path) {
            return Some(known.clone());
        }
        match Script::new(&path.display().to_string(), text) {
            Ok(script) => {
                if let Some((module, line)) = script.missing_module() {
                    let message = format!("`{name}` requires a module that is not there, `{module}`: {}:{line}", path.display());
                    let hint =
                        "modules in Lua are looked for in LUA_PATH; of those in C socket, zlib and cjson are built in, no other is loaded";
                    self.report(Diagnostic::new(Code::MissingModule, span, message).hint(hint));
                }
                self.scripts.insert(path, script.clone());
                Some(script)
            }
            Err(error) => {
                let place = error.line().map_or_else(String::new, |line| format!(":{line}"));
                let message = format!("`{}` cannot be used: {}{place}: {error}", name, path.display());
                self.report(Diagnostic::new(Code::BadScript, span, message).hint("mend the script there; scripts are Lua 5.1, as text"));
                None
            }
        }
    }
}

/// Returns `true` if a name stands somewhere in a script, so that it may define it.
fn has_word(source: &[u8], name: &str) -> bool {
    let is_part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let mut places = memchr::memmem::find_iter(source, name);
    places.any(|at| !is_part(at.checked_sub(1).and_then(|before| source.get(before))) && !is_part(source.get(at + name.len())))
}

/// Whether a file is a Lua script by its name, as in ModSecurity v3.
pub fn is_lua(path: &str) -> bool {
    std::path::Path::new(path).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("lua"))
}
