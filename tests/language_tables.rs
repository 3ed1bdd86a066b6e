//! The tables of the language in the manual, `docs/language/`, are those that the engine has.
//!
//! `UPDATE_DOCS=1 cargo test --test language_tables` writes them again: read them as an author of rules would before you commit them.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used)]

use secrule::internals::diagnostic::{Code, Severity};
use secrule::internals::operator::{ArgumentKind, OperatorKind};
use secrule::internals::transform::Transformation;
use secrule::internals::vocabulary::{
    Action, ActionArgument, ActionRole, Control, Directive, DirectiveArgument, REFUSED_OPERATORS, Shape, Support, Variable,
};
use std::fs;
use std::path::Path;

const UPDATE: &str = "UPDATE_DOCS=1 cargo test --test language_tables";

#[test]
fn directives_are_in_the_manual() {
    let rows: Vec<Row> =
        Directive::table().map(|entry| row(entry.name, vec![argument(entry.argument)], entry.doc, entry.support)).collect();
    let about = "Directives set up the engine, or add rules. A name may be written in any case; one on each line, which a `\\` at its end continues.";
    compare("directives", "Directives", about, &["argument", "effect"], &rows);
}

#[test]
fn variables_are_in_the_manual() {
    let row_of = |entry: secrule::internals::vocabulary::VariableEntry| {
        let shape = if entry.shape == Shape::Collection { "many values, by name" } else { "one value" };
        let alias = entry
            .variable
            .filter(|variable| variable.name() != entry.name)
            .map(|variable| format!("Another name of `{}`.", variable.name()));
        row(entry.name, vec![shape.to_owned()], &alias.unwrap_or_else(|| entry.doc.to_owned()), entry.support)
    };
    let rows: Vec<Row> = Variable::table().map(row_of).collect();
    let about = "Variables are the targets of rules. Of those with many values `ARGS:name` is one, `ARGS:/pattern/` some, `&ARGS` their number, and \
                 `!ARGS:name` leaves one out.";
    compare("variables", "Variables", about, &["values", "content"], &rows);
}

#[test]
fn operators_are_in_the_manual() {
    let mut rows = Vec::new();
    for operator in OperatorKind::all() {
        let argument = match operator.argument() {
            ArgumentKind::None => "–",
            ArgumentKind::Text { macros: true } => "a text, with macros such as `%{tx.limit}`",
            ArgumentKind::Text { macros: false } => "a text",
            ArgumentKind::Files => "files",
            ArgumentKind::File => "a file",
            other => panic!("an argument without words: {other:?}"),
        };
        let name = format!("@{}", operator.name());
        rows.push(row(&name, vec![argument.to_owned()], &with_capital(operator.doc()), Support::Works));
        let alias =
            |alias: &str| row(&format!("@{alias}"), vec![argument.to_owned()], &format!("Another name of `{name}`."), Support::Works);
        rows.extend(operator.aliases().map(alias));
    }
    rows.extend(REFUSED_OPERATORS.iter().map(|&(name, remedy)| row(&format!("@{name}"), Vec::new(), "", Support::Refused(remedy))));
    let about = "An operator tests a value. `!@name` matches if the operator does not. Without a name a text is the pattern of `@rx`.";
    compare("operators", "Operators", about, &["argument", "matches if"], &rows);
}

#[test]
fn transformations_are_in_the_manual() {
    let mut rows = Vec::new();
    for transformation in Transformation::ALL {
        let name = format!("t:{}", transformation.name());
        rows.push(row(&name, Vec::new(), transformation.doc(), Support::Works));
        rows.extend(
            transformation
                .aliases()
                .map(|alias| row(&format!("t:{alias}"), Vec::new(), &format!("Another name of `{name}`."), Support::Works)),
        );
    }
    let about = "A transformation changes a copy of the value before the operator sees it. Several run in their order; `t:none` removes those that \
                 `SecDefaultAction` has set.";
    compare("transformations", "Transformations", about, &["what it does"], &rows);
}

#[test]
fn actions_are_in_the_manual() {
    let row_of = |entry: secrule::internals::vocabulary::ActionEntry| {
        let role = match entry.role {
            ActionRole::Metadata => "describes the rule",
            ActionRole::Disruptive => "decides about the request",
            ActionRole::NonDisruptive => "has another effect",
            ActionRole::Flow => "selects the next rule",
            ActionRole::Data => "changes how the rule works",
            other => panic!("a role without words: {other:?}"),
        };
        let value = match entry.argument {
            ActionArgument::None => "–",
            ActionArgument::Optional => "optional",
            ActionArgument::Required => "required",
        };
        row(entry.name, vec![role.to_owned(), value.to_owned()], entry.doc, entry.support)
    };
    let rows: Vec<Row> = Action::table().map(row_of).collect();
    let about =
        "Actions follow the operator, in quotes and with commas between. A value follows the name after a colon: `msg:'SQL injection'`.";
    compare("actions", "Actions", about, &["kind", "value", "effect"], &rows);
}

#[test]
fn options_of_ctl_are_in_the_manual() {
    let rows: Vec<Row> = Control::table().map(|entry| row(entry.name, vec![entry.value.to_owned()], entry.doc, entry.support)).collect();
    let about = "`ctl:option=value` changes the settings of one request, from the rule on.";
    compare("ctl", "Options of ctl", about, &["value", "effect"], &rows);
}

#[test]
fn messages_are_in_the_manual() {
    let mut text = made_from(
        "Errors and warnings",
        "A load reports every problem with a code that never changes its meaning. With errors the rules do not load; \
         warnings show likely mistakes. `secrule check --explain E404` explains a code.",
    );
    for (title, severity) in [("Errors", Severity::Error), ("Warnings", Severity::Warning)] {
        text += &format!("\n## {title}\n\n| code | meaning |\n| --- | --- |\n");
        for code in Code::ALL.iter().filter(|code| code.severity() == severity) {
            text += &format!("| `{}` | {} |\n", code.as_str(), cell(code.explanation()));
        }
    }
    compare_text("messages", &text);
}

/// A row of a table: a name, its columns, its support.
struct Row {
    name: String,
    columns: Vec<String>,
    support: Support,
}

fn row(name: &str, mut columns: Vec<String>, doc: &str, support: Support) -> Row {
    columns.push(doc.to_owned());
    Row { name: name.to_owned(), columns, support }
}

/// Compares a page with what its tables should be: what works, what is accepted without effect, and what is refused.
fn compare(page: &str, title: &str, about: &str, columns: &[&str], rows: &[Row]) {
    let mut text = made_from(title, about);
    text += &table(&[&["name"], columns].concat());
    for row in rows.iter().filter(|row| row.support == Support::Works) {
        let cells: Vec<String> = row.columns.iter().map(|text| cell(text)).collect();
        text += &format!("| `{}` | {} |\n", row.name, cells.join(" | "));
    }
    let silent = rows.iter().filter_map(|row| if let Support::NoEffect(why) = row.support { Some((&row.name, why)) } else { None });
    text += &section("Accepted without effect", "A load counts them as warnings.", "why", silent.collect());
    let refused = rows.iter().filter_map(|row| if let Support::Refused(remedy) = row.support { Some((&row.name, remedy)) } else { None });
    text += &section(
        "Refused",
        "They are errors of a load, because rules that rely on them would not do what they say.",
        "remedy",
        refused.collect(),
    );
    compare_text(page, &text);
}

fn made_from(title: &str, about: &str) -> String {
    format!("# {title}\n\n<!-- Made from the tables of the engine: {UPDATE} -->\n\n{about}\n\n")
}

fn table(columns: &[&str]) -> String {
    format!("| {} |\n|{}\n", columns.join(" | "), " --- |".repeat(columns.len()))
}

fn section(title: &str, about: &str, column: &str, rows: Vec<(&String, &str)>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let rows: String = rows.into_iter().map(|(name, text)| format!("| `{name}` | {} |\n", cell(text))).collect();
    format!("\n## {title}\n\n{about}\n\n{}{rows}", table(&["name", column]))
}

/// Returns a text without what would end a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn with_capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn argument(argument: DirectiveArgument) -> String {
    let words = |words: &[&str]| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    match argument {
        DirectiveArgument::Own => "its own form".to_owned(),
        DirectiveArgument::Word(known) => words(known),
        DirectiveArgument::Number => "a number".to_owned(),
        DirectiveArgument::Mode => "a mode in octal, or `default`".to_owned(),
        DirectiveArgument::Value => "a value".to_owned(),
        DirectiveArgument::PathAndNumber => "a path and a number".to_owned(),
        DirectiveArgument::NumberAndWord(known) => format!("a number, and one of {}", words(known)),
        DirectiveArgument::Values => "values".to_owned(),
        DirectiveArgument::Nothing => "–".to_owned(),
        other => panic!("an argument without words: {other:?}"),
    }
}

fn compare_text(page: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/language/{page}.md"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, text).unwrap();
        return;
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    let difference = there.lines().zip(text.lines()).find(|(there, made)| there != made);
    assert!(there == text, "docs/language/{page}.md is not what the engine has: {difference:?}; {UPDATE} writes it again");
}
