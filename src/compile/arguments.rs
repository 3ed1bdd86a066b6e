//! Arguments of directives, checked against the table of directives.

use super::context::Context;
use super::values::octal;
use crate::diagnostic::{Code, Diagnostic};
use crate::seclang::Argument;
use crate::source::Span;
use crate::vocabulary::{DirectiveArgument, DirectiveEntry, Support, in_sentence};

/// Checks the arguments of a directive against its row of the table.
pub fn check_arguments(context: &mut Context<'_>, entry: &DirectiveEntry, arguments: &[Argument], span: Span) -> bool {
    let name = entry.name;
    let wanted = match entry.argument {
        DirectiveArgument::Own => return true,
        DirectiveArgument::Nothing => 0..=0,
        DirectiveArgument::Values => 1..=usize::MAX,
        DirectiveArgument::PathAndNumber => 2..=2,
        DirectiveArgument::NumberAndWord(_) => 1..=2,
        _ => 1..=1,
    };
    if arguments.len() < *wanted.start() {
        context.report(Diagnostic::new(Code::MissingArgument, span, format!("`{name}` needs a value")).hint(describe(entry)));
        return false;
    }
    if let Some(surplus) = arguments.get(*wanted.end()) {
        let message = format!("`{name}` takes no further value");
        context
            .report(Diagnostic::new(Code::SurplusArgument, surplus.span, message).hint("put a value that holds blanks in double quotes"));
        return false;
    }
    let is_one_of = |words: &[&str], argument: &Argument| words.iter().any(|word| word.eq_ignore_ascii_case(&argument.text));
    let is_number = |argument: &Argument| argument.text.parse::<u64>().is_ok();
    let mut judged = arguments.first();
    let fits = match (entry.argument, arguments.first()) {
        (DirectiveArgument::Word(words), Some(argument)) => is_one_of(words, argument),
        (DirectiveArgument::Number, Some(argument)) => is_number(argument),
        (DirectiveArgument::NumberAndWord(words), Some(number)) if is_number(number) => {
            judged = arguments.get(1);
            judged.is_none_or(|word| is_one_of(words, word))
        }
        (DirectiveArgument::NumberAndWord(_), _) => false,
        (DirectiveArgument::Mode, Some(argument)) => argument.text.eq_ignore_ascii_case("default") || octal(&argument.text).is_some(),
        (DirectiveArgument::PathAndNumber, _) => {
            judged = arguments.get(1);
            judged.is_some_and(|argument| argument.text.parse::<u32>().is_ok())
        }
        _ => true,
    };
    if let Some(argument) = judged.filter(|_| !fits) {
        report_bad_value(context, entry, argument, &describe(entry));
    }
    fits
}

/// Reports a value that a directive does not take.
pub fn report_bad_value(context: &mut Context<'_>, entry: &DirectiveEntry, argument: &Argument, hint: &str) {
    let message = format!("`{}` does not take `{}`", entry.name, argument.text);
    let why = match entry.support {
        Support::NoEffect(why) => format!(": {why}"),
        _ => String::new(),
    };
    let hint = format!("{hint}{why}");
    context.report(Diagnostic::new(Code::BadDirectiveValue, argument.span, message).hint(hint));
}

fn describe(entry: &DirectiveEntry) -> String {
    match entry.argument {
        DirectiveArgument::Word(words) => format!("write {}", alternatives(words)),
        DirectiveArgument::Number => format!("write a whole number: {}", in_sentence(entry.doc)),
        DirectiveArgument::NumberAndWord(words) => {
            format!("write a whole number, and after it {} if you wish: {}", alternatives(words), in_sentence(entry.doc))
        }
        DirectiveArgument::Mode => String::from("write an octal number such as 0640, or default"),
        DirectiveArgument::PathAndNumber => String::from("write a path and the number of a code page, such as unicode.mapping 20127"),
        _ => format!("write its value: {}", in_sentence(entry.doc)),
    }
}

/// `On, Off or DetectionOnly`
fn alternatives(words: &[&str]) -> String {
    match words.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        _ => words.concat(),
    }
}
