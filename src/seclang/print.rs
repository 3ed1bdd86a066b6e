//! Prints trees in one canonical layout: `parse` reads the same tree from it.
//!
//! An unquoted text cannot always be quoted, nor a quoted one unquoted: each part is printed in the first spelling that parses to the same value.

use super::ast::{
    ActionExpression, Actions, Argument, Ast, Body, Directive, Item, OperatorExpression, SelectorExpression, TargetExpression, TargetMode,
    Targets,
};
use super::lexer::{Quote, RawArgument, unescape, whole_argument};
use super::line::{LogicalLine, continued};
use super::operator::operator;
use super::targets::{selector_expression, targets as read_targets};
use std::fmt::Write as _;

/// Lists of more actions than this are printed one per line.
const ACTIONS_ON_ONE_LINE: usize = 3;

/// Prints a tree.
pub fn print(ast: &Ast) -> String {
    let mut text = String::new();
    for item in &ast.items {
        match item {
            Item::Blank => {}
            Item::Comment(comment) => text.push_str(&comment.node),
            Item::Directive(directive) => text.push_str(&print_directive(directive)),
        }
        text.push('\n');
    }
    text
}

fn print_directive(directive: &Directive) -> String {
    let mut text = directive.name.node.clone();
    match &directive.body {
        Body::Rule { targets, operator, actions } => {
            let _ = write!(text, " {} {}", print_targets(targets, [Quote::None, Quote::Double, Quote::Single]), print_operator(operator));
            if let Some(actions) = actions {
                print_actions(&mut text, actions);
            }
        }
        Body::Actions(actions) => print_actions(&mut text, actions),
        Body::Script { file, actions } => {
            print_argument(&mut text, file);
            if let Some(actions) = actions {
                print_actions(&mut text, actions);
            }
        }
        Body::UpdateTargets { rules, targets } => {
            print_argument(&mut text, rules);
            let _ = write!(text, " {}", print_targets(targets, [Quote::Double, Quote::None, Quote::Single]));
        }
        Body::UpdateActions { rule, actions } => {
            print_argument(&mut text, rule);
            print_actions(&mut text, actions);
        }
        Body::Arguments(arguments) => arguments.iter().for_each(|argument| print_argument(&mut text, argument)),
    }
    if continued(&text).is_some() || text.ends_with('\r') {
        // The first would join the next line, the second would be part of the line's end: an empty line is joined.
        text.push_str("\\\n");
    }
    text
}

/// Returns the first of some spellings of an argument that parses to the same value, whatever follows it; if there is none, the first that does at
/// the end of its line, because an unclosed quote contains everything after it.
fn spelled(spellings: Vec<String>, is_meant: impl Fn(RawArgument<'_>) -> bool) -> String {
    let fits = |spelling: &String, behind| whole_argument(&format!("{spelling}{behind}"), behind).is_some_and(&is_meant);
    let found = [" ", ""].iter().find_map(|behind| spellings.iter().position(|spelling| fits(spelling, behind)));
    spellings.into_iter().nth(found.unwrap_or(0)).unwrap_or_default()
}

fn in_quotes(text: &str, mark: char) -> String {
    format!("{mark}{text}{mark}")
}

fn print_argument(text: &mut String, argument: &Argument) {
    let [double, single] = ['"', '\''].map(|mark| in_quotes(&escape(&argument.text, mark), mark));
    let word = argument.text.clone();
    let spellings = if argument.quoted { vec![double, single] } else { vec![word] };
    let _ = write!(text, " {}", spelled(spellings, |(read, quote)| unescape(read, quote) == argument.text));
}

/// Prints a target list with or without quotes, in this order of preference; quotes around keys are those with blanks, none, or all. If no spelling
/// parses to the same list, prints it as written.
fn print_targets(targets: &Targets, marks: [Quote; 3]) -> String {
    let ways: [fn(&str) -> bool; 3] = [|key| key.contains([' ', '\t']), |_| false, |_| true];
    let lists = ways.map(|quotes| targets.list.iter().map(|target| print_target(target, quotes)).collect::<Vec<_>>().join("|"));
    let spellings = lists.iter().flat_map(|list| marks.map(|mark| mark.around(list))).chain([targets.written.clone()]);
    let line = LogicalLine::join(targets.span.source, &[]);
    spelled(spellings.collect(), |read| read_targets(&line, read).is_ok_and(|read| is_same(&read, targets)))
}

fn is_same(read: &Targets, written: &Targets) -> bool {
    let selects_same = |one: &TargetExpression, other: &TargetExpression| match (&one.selector, &other.selector) {
        (None, None) => true,
        (Some(one), Some(other)) => one.node == other.node,
        _ => false,
    };
    let same = |(one, other): (&TargetExpression, &TargetExpression)| {
        one.mode == other.mode && one.variable.node == other.variable.node && selects_same(one, other)
    };
    read.list.len() == written.list.len() && read.list.iter().zip(&written.list).all(same)
}

fn print_target(target: &TargetExpression, quotes: fn(&str) -> bool) -> String {
    let mark = match target.mode {
        TargetMode::Values => "",
        TargetMode::Count => "&",
        TargetMode::Exclude => "!",
    };
    let variable = &target.variable.node;
    let selector = match target.selector.as_ref().map(|selector| &selector.node) {
        None => String::new(),
        Some(SelectorExpression::Pattern { source, quoted: true }) => format!(":'/{}/'", escape(source, '\'')),
        Some(SelectorExpression::Pattern { source, quoted: false }) => format!(":/{source}/"),
        Some(SelectorExpression::OpenPattern(text) | SelectorExpression::XPath(text)) => format!(":{text}"),
        Some(SelectorExpression::Key(key)) => format!(":{}", print_key(target, key, quotes)),
    };
    format!("{mark}{variable}{selector}")
}

/// Prints a key in single quotes or as a word: as requested, unless it would be parsed as something else.
fn print_key(target: &TargetExpression, key: &str, quotes: fn(&str) -> bool) -> String {
    let (word, quoted) = (key.to_owned(), in_quotes(&escape(key, '\''), '\''));
    let line = LogicalLine::join(target.span.source, &[]);
    let is_meant = |spelling: &str| match selector_expression(&line, &target.variable.node, spelling) {
        Ok(("", selector)) => matches!(selector.node, SelectorExpression::Key(read) if read == key),
        _ => false,
    };
    let (wished, other) = if quotes(key) { (quoted, word) } else { (word, quoted) };
    if is_meant(&wished) { wished } else { other }
}

fn print_operator(expression: &OperatorExpression) -> String {
    let negation = if expression.negated { "!" } else { "" };
    let argument = &expression.argument.node;
    let (name, blank) = match &expression.name {
        None => (String::new(), ""),
        Some(name) if argument.is_empty() => (format!("@{}", name.node), ""),
        Some(name) => (format!("@{}", name.node), " "),
    };
    let [double, single] = ['"', '\''].map(|mark| in_quotes(&format!("{negation}{name}{blank}{}", escape(argument, mark)), mark));
    let word = format!("{negation}{name}{argument}");
    let line = LogicalLine::join(expression.span.source, &[]);
    spelled(vec![double, word, single], |read| {
        let same_name =
            |read: &OperatorExpression| read.name.as_ref().map(|name| &name.node) == expression.name.as_ref().map(|name| &name.node);
        operator(&line, read).is_ok_and(|read| read.negated == expression.negated && same_name(&read) && read.argument.node == *argument)
    })
}

fn print_actions(text: &mut String, actions: &Actions) {
    let list: Vec<String> = actions.list.iter().map(print_action).collect();
    let long = list.len() > ACTIONS_ON_ONE_LINE;
    let (open, between) = if long { (" \\\n    \"", ",\\\n    ") } else { (" \"", ",") };
    let list = list.join(between);
    // A backslash at the end of a word would escape the quote; blanks after the word do not count.
    let end = if list.ends_with('\\') { " \"" } else { "\"" };
    let _ = write!(text, "{open}{list}{end}");
}

fn print_action(action: &ActionExpression) -> String {
    let name = &action.name.node;
    match &action.value {
        None => name.clone(),
        Some(value) if value.unclosed => format!("{name}:'{}", escape(&escape(&value.text, '"'), '\'')),
        Some(value) if value.quoted => format!("{name}:'{}'", escape(&escape(&value.text, '"'), '\'')),
        Some(value) => format!("{name}:{}", escape(&value.text, '"')),
    }
}

/// Puts a backslash before each quotation mark; pairs of backslashes stay pairs.
fn escape(text: &str, mark: char) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if c == mark {
            escaped.push('\\');
        }
        escaped.push(c);
        if c == '\\' && characters.peek() == Some(&'\\') {
            escaped.extend(characters.next());
        }
    }
    escaped
}
