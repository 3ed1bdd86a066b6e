//! Lua scripts that rules name.

use super::context::Context;
use super::files::read_file;
use crate::diagnostic::{Code, Diagnostic};
use crate::script::Script;
use crate::source::Span;
use std::path::Path;

/// The function that is called in a rule's script.
pub const MAIN: &str = "main";

/// The function that is called in a decision script.
pub const SHOULD_BLOCK: &str = "should_block";

/// Returns the script of a file. Reports one that cannot be read, is not a script, or does not have `function`. Rules that name the same file share
/// one script.
pub fn read_script(context: &mut Context<'_>, name: &str, function: &str, span: Span) -> Option<Script> {
    context.references.collections.note_script();
    let script = readable_script(context, name, span)?;
    if script.has_word(function) {
        return Some(script);
    }
    let message = format!("`{name}` has no function `{function}`, so it decides nothing");
    // A decision script cannot load another one that defines the function.
    let (code, kept) = if function == SHOULD_BLOCK { (Code::BadScript, None) } else { (Code::NothingToCall, Some(script)) };
    context.report(Diagnostic::new(code, span, message).hint(format!("name the function {function}")));
    kept
}

/// Returns the script of a file, with a warning about modules that do not exist.
fn readable_script(context: &mut Context<'_>, name: &str, span: Span) -> Option<Script> {
    let (path, text) = read_file(context, name, span)?;
    if let Some(known) = context.scripts.get(&path) {
        return Some(known.clone());
    }
    let script = parsed(context, name, &path, text, span)?;
    if let Some((module, line)) = script.missing_module() {
        let message = format!("`{name}` requires a module that does not exist, `{module}`: {}:{line}", path.display());
        let hint = "Lua modules are looked for in LUA_PATH; of C modules only socket, zlib and cjson are available, which are built in";
        context.report(Diagnostic::new(Code::MissingModule, span, message).hint(hint));
    }
    context.scripts.insert(path, script.clone());
    Some(script)
}

/// Returns the script of a file for the script host, which has modules of its own. Reports one that cannot be read, or is not a script.
pub fn hosted_script(context: &mut Context<'_>, name: &str, span: Span) -> Option<Script> {
    let (path, text) = read_file(context, name, span)?;
    parsed(context, name, &path, text, span)
}

fn parsed(context: &mut Context<'_>, name: &str, path: &Path, text: Vec<u8>, span: Span) -> Option<Script> {
    match Script::new(&path.display().to_string(), text) {
        Ok(script) => Some(script),
        Err(error) => {
            let place = error.line().map_or_else(String::new, |line| format!(":{line}"));
            let message = format!("`{}` cannot be used: {}{place}: {error}", name, path.display());
            let hint = match error.to_string().contains("invalid escape sequence") {
                true => r#"write a backslash of a pattern twice, "\\.", or the text as [[\.]]: a Lua string knows no such escape"#,
                false => "correct the script there; scripts are Lua 5.1 source text",
            };
            context.report(Diagnostic::new(Code::BadScript, span, message).hint(hint));
            None
        }
    }
}

/// Returns `true` if a file is a Lua script by its name, as in ModSecurity v3.
pub fn is_lua(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("lua"))
}
