//! Specific messages for common mistakes: the general message of the parser would point at the text after them.

use super::lexer::{Failure, Parsed, Quote, RawArgument};
use super::line::LogicalLine;
use crate::diagnostic::Code;

/// Typographic quotation marks, which word processors and web pages substitute for straight ones.
const TYPOGRAPHIC: [char; 8] = ['“', '”', '„', '‟', '‘', '’', '‚', '«'];

/// Sections of web servers whose lines apply to a part of a site.
const PARTS_OF_A_SITE: [&str; 8] =
    ["location", "locationmatch", "directory", "directorymatch", "files", "filesmatch", "virtualhost", "proxy"];

/// Sections whose lines apply under a condition, for the whole site.
const CONDITIONS: [&str; 6] = ["ifmodule", "ifdefine", "ifversion", "ifdirective", "iffile", "ifsection"];

/// Returns `true` for a quotation mark that is not part of the language.
pub fn is_typographic(mark: char) -> bool {
    TYPOGRAPHIC.contains(&mark)
}

/// Reports an argument that begins with a typographic quotation mark.
pub fn typographic_quote(at: &str, mark: char) -> nom::Err<Failure<'_>> {
    let message = format!("`{mark}` is a typographic quotation mark, which does not quote anything");
    Failure::fatal_with_hint(at, Code::Syntax, message, "write a straight \" instead")
}

/// Refuses a line that does not begin with a directive.
pub fn directive_expected(at: &str) -> Parsed<'_, &str> {
    Err(Failure::fatal_with_hint(at, Code::Syntax, "expected a directive", directive_hint(at)))
}

/// Returns the remedy for a line that does not begin with a directive.
fn directive_hint(text: &str) -> String {
    let Some(section) = text.strip_prefix('<') else {
        return String::from("a line begins with a directive such as SecRule, or with # for a comment; a line that goes on ends with \\");
    };
    let name = section.trim_start_matches('/').split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    if PARTS_OF_A_SITE.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return String::from(
            "this section applies to a part of the site only: write that with ctl in a rule, such as \
             SecRule REQUEST_FILENAME \"@beginsWith /editor\" \"id:1000,phase:1,pass,nolog,ctl:ruleRemoveById=10\", \
             or in the web server's configuration for that part",
        );
    }
    if CONDITIONS.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return format!("<{name}> belongs to the web server: remove the lines that open and close it to apply its contents here");
    }
    String::from("sections belong to the web server: move their contents to its configuration")
}

/// Reports a comment that would swallow the rest of a continued directive.
pub fn comment_within_directive(at: &str) -> nom::Err<Failure<'_>> {
    let hint = "move the comment before the directive";
    Failure::fatal_with_hint(at, Code::Syntax, "a directive cannot contain a comment: the lines after it would be part of it", hint)
}

/// Refuses a `|` without quotes where an operator is expected: the blank before it ended the target list.
pub fn blank_before_bar((operator, quote): RawArgument<'_>) -> Result<(), nom::Err<Failure<'_>>> {
    if quote != Quote::None || !operator.starts_with('|') {
        return Ok(());
    }
    let hint = "write targets without blanks around the |, as in ARGS|REQUEST_HEADERS";
    Err(Failure::fatal_with_hint(operator, Code::Syntax, "there is a blank before this | between targets", hint))
}

/// Refuses a second id where targets are expected.
pub fn several_ids((targets, _): RawArgument<'_>) -> Result<(), nom::Err<Failure<'_>>> {
    if !targets.starts_with(|first: char| first.is_ascii_digit()) {
        return Ok(());
    }
    let hint = "write one id or one range in a directive, such as SecRuleUpdateTargetById 15-16 \"!ARGS:a\", and one more directive for each further id or range";
    Err(Failure::fatal_with_hint(targets, Code::Syntax, "expected targets after the id", hint))
}

/// Reports two actions without a comma between them; `action` is the first, `after` the text after it.
pub fn comma_expected<'a>(line: &LogicalLine, action: &'a str, after: &'a str) -> nom::Err<Failure<'a>> {
    let action = action.trim();
    let shown = action.split([':', ' ']).next().unwrap_or(action);
    let (last, next) = (line.number(action.get(action.len().saturating_sub(1)..).unwrap_or(action)), line.number(after));
    let (message, hint) = if after.starts_with(':') {
        (String::from("expected a comma between actions"), String::from("write the colon right after the name of the action"))
    } else if last < next {
        (format!("a comma is missing at the end of line {last}"), format!("write a comma after `{shown}`"))
    } else if action.ends_with('\'') {
        let message = "expected a comma between actions, because the ' before this ends the text";
        (message.to_owned(), String::from("put a comma after the ', or write it as \\' if it belongs to the text"))
    } else {
        (format!("a comma is missing after `{shown}`"), String::from("put a value that holds blanks or commas in single quotes"))
    };
    Failure::fatal_with_hint(after, Code::Syntax, message, hint)
}

/// Reports a text that neither a quote nor the list's own quote ends.
pub fn unclosed_text(list: &str) -> nom::Err<Failure<'_>> {
    let at = list.rfind(":'").and_then(|colon| list.get(colon + 1..)).unwrap_or(list);
    Failure::fatal_with_hint(at, Code::UnclosedQuote, "this ' is never closed, nor is the list of actions", "write '\" at their ends")
}

/// Reports a quote that may be missing, if an invalid argument touches the one before it, as in `"@rx a "id:1"`.
pub fn missing_quote<'a>(error: nom::Err<Failure<'a>>, behind_quote: Option<&'a str>) -> nom::Err<Failure<'a>> {
    match (error, behind_quote) {
        (nom::Err::Failure(failure), Some(argument)) if failure.code != Code::MissingArgument => {
            let hint = "move the \" to where that argument should end, or write it as \\\" within it";
            Failure::fatal_with_hint(
                argument,
                failure.code,
                "there is no blank between this and the \" that ended the argument before it",
                hint,
            )
        }
        (error, _) => error,
    }
}
