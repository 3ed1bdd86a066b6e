//! Trees back into text, in one canonical layout: what `parse` reads from it is the same tree.

use super::ast::{
    ActionExpression, Actions, Argument, Ast, Body, Directive, Item, OperatorExpression, SelectorExpression, TargetExpression, TargetMode,
    Targets,
};
use std::fmt::Write as _;

/// Lists of more than this many actions are set one per line.
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
            let _ = write!(text, " {} \"{}\"", print_targets(targets), print_operator(operator));
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
            let _ = write!(text, " \"{}\"", joined_targets(targets));
        }
        Body::UpdateActions { rule, actions } => {
            print_argument(&mut text, rule);
            print_actions(&mut text, actions);
        }
        Body::Arguments(arguments) => arguments.iter().for_each(|argument| print_argument(&mut text, argument)),
    }
    text
}

fn print_argument(text: &mut String, argument: &Argument) {
    // A word that begins with a single quote would be read as an argument in single quotes.
    let _ = match argument.quoted || argument.text.starts_with('\'') {
        true => write!(text, " \"{}\"", escape(&argument.text, '"')),
        false => write!(text, " {}", argument.text),
    };
}

/// A list of targets, in double quotes where a selector without quotes of its own holds blanks.
fn print_targets(targets: &Targets) -> String {
    let list = joined_targets(targets);
    let holds_blanks = |selector: &SelectorExpression| match selector {
        SelectorExpression::XPath(text) | SelectorExpression::Pattern { source: text, quoted: false } => text.contains([' ', '\t']),
        SelectorExpression::Key(_) | SelectorExpression::Pattern { quoted: true, .. } => false,
    };
    let selectors = targets.list.iter().filter_map(|target| target.selector.as_ref());
    if selectors.into_iter().any(|selector| holds_blanks(&selector.node)) { format!("\"{list}\"") } else { list }
}

fn joined_targets(targets: &Targets) -> String {
    let list: Vec<String> = targets.list.iter().map(print_target).collect();
    list.join("|")
}

fn print_target(target: &TargetExpression) -> String {
    let mark = match target.mode {
        TargetMode::Values => "",
        TargetMode::Count => "&",
        TargetMode::Exclude => "!",
    };
    let selector = match target.selector.as_ref().map(|selector| &selector.node) {
        None => String::new(),
        Some(SelectorExpression::Pattern { source, quoted: true }) => format!(":'/{}/'", escape(source, '\'')),
        Some(SelectorExpression::Pattern { source, quoted: false }) => format!(":/{source}/"),
        Some(SelectorExpression::XPath(path)) => format!(":{path}"),
        Some(SelectorExpression::Key(key)) if key.contains([' ', '\t', '|', ',', '\'']) => format!(":'{}'", escape(key, '\'')),
        Some(SelectorExpression::Key(key)) => format!(":{key}"),
    };
    format!("{mark}{}{selector}", target.variable.node)
}

fn print_operator(operator: &OperatorExpression) -> String {
    let negation = if operator.negated { "!" } else { "" };
    let argument = escape(&operator.argument.node, '"');
    match &operator.name {
        None => format!("{negation}{argument}"),
        Some(name) if argument.is_empty() => format!("{negation}@{}", name.node),
        Some(name) => format!("{negation}@{} {argument}", name.node),
    }
}

fn print_actions(text: &mut String, actions: &Actions) {
    let list: Vec<String> = actions.list.iter().map(print_action).collect();
    let long = list.len() > ACTIONS_ON_ONE_LINE;
    let (open, between) = if long { (" \\\n    \"", ",\\\n    ") } else { (" \"", ",") };
    let _ = write!(text, "{open}{}\"", list.join(between));
}

fn print_action(action: &ActionExpression) -> String {
    let name = &action.name.node;
    match &action.value {
        None => name.clone(),
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
