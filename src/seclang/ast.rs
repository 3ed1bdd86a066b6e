//! The tree of a rule file as written: names are spelled as the author spelled them, nothing is resolved.

use crate::source::{SourceId, Span, Spanned};

/// One text, item by item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ast {
    /// The text it was parsed from.
    pub source: SourceId,
    /// Comments, blank lines and directives, in the order of the file.
    pub items: Vec<Item>,
}

/// A line, or several joined by continuation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// One or more lines without content.
    Blank,
    /// A comment, with its `#`.
    Comment(Spanned<String>),
    /// A directive.
    Directive(Box<Directive>),
}

/// A directive and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// The name as written.
    pub name: Spanned<String>,
    /// The arguments after the name.
    pub body: Body,
    /// From the name to the end of the last argument.
    pub span: Span,
}

/// The arguments of a directive, by their form.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Body {
    /// `SecRule TARGETS OPERATOR [ACTIONS]`
    Rule {
        /// Targets to inspect.
        targets: Targets,
        /// The operator.
        operator: OperatorExpression,
        /// Actions on a match.
        actions: Option<Actions>,
    },
    /// `SecAction ACTIONS` and `SecDefaultAction ACTIONS`
    Actions(Actions),
    /// `SecRuleScript FILE [ACTIONS]`
    Script {
        /// The script's path.
        file: Argument,
        /// Actions on a match.
        actions: Option<Actions>,
    },
    /// `SecRuleUpdateTargetById ID TARGETS`, and the directives for tags and messages.
    UpdateTargets {
        /// The rules to update.
        rules: Argument,
        /// Targets to add or, with `!`, to remove.
        targets: Targets,
    },
    /// `SecRuleUpdateActionById ID ACTIONS`
    UpdateActions {
        /// The rule to update.
        rule: Argument,
        /// Actions to add.
        actions: Actions,
    },
    /// Any other directive: plain arguments.
    Arguments(Vec<Argument>),
}

/// An argument without its quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its text; `\"` inside double quotes has become `"`.
    pub text: String,
    /// `true` if it was in double quotes.
    pub quoted: bool,
    /// Its place, inside the quotes.
    pub span: Span,
}

/// A list of targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targets {
    /// In the order of the list.
    pub list: Vec<TargetExpression>,
    /// The list as written, with its quotes: in this form it is always parsed as these targets.
    pub written: String,
    /// The whole list.
    pub span: Span,
}

/// One target: `ARGS`, `&ARGS:x`, `!ARGS:/^x/`, `XML:/*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetExpression {
    /// Mode of selection.
    pub mode: TargetMode,
    /// The variable's name as written.
    pub variable: Spanned<String>,
    /// Selector within the collection.
    pub selector: Option<Spanned<SelectorExpression>>,
    /// The whole target.
    pub span: Span,
}

/// Prefix of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetMode {
    /// No prefix: the values.
    Values,
    /// `&`: their number.
    Count,
    /// `!`: exclude these.
    Exclude,
}

/// Selector within a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelectorExpression {
    /// `:key`
    Key(String),
    /// `:/pattern/`
    Pattern {
        /// The regular expression between the slashes.
        source: String,
        /// `true` if the selector was in single quotes.
        quoted: bool,
    },
    /// `:/pattern` without its closing slash, including the opening slash.
    OpenPattern(String),
    /// `XML:/path`
    XPath(String),
}

/// An operator with its argument: `!@rx ^a`, `@detectSQLi`, `^a` (which means `@rx ^a`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorExpression {
    /// `true` if `!` precedes it.
    pub negated: bool,
    /// The name after `@`; `None` if the text is a bare regular expression.
    pub name: Option<Spanned<String>>,
    /// The argument: the rest after the name.
    pub argument: Spanned<String>,
    /// The whole operator, inside the quotes.
    pub span: Span,
}

/// A list of actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actions {
    /// In the order of the list.
    pub list: Vec<ActionExpression>,
    /// The whole list, inside the quotes.
    pub span: Span,
}

/// One action: `deny`, `id:1`, `msg:'text'`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionExpression {
    /// Its name as written.
    pub name: Spanned<String>,
    /// The value after the colon.
    pub value: Option<ActionValue>,
    /// The whole action.
    pub span: Span,
}

/// The value of an action without its quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionValue {
    /// Its text; `\'` inside single quotes has become `'`.
    pub text: String,
    /// `true` if it was in single quotes.
    pub quoted: bool,
    /// `true` if its opening quote is not closed, so that it extends to the end of the list.
    pub unclosed: bool,
    /// Its place, inside the quotes.
    pub span: Span,
}

impl Ast {
    /// Returns the directives, without comments and blank lines.
    pub fn directives(&self) -> impl Iterator<Item = &Directive> {
        self.items.iter().filter_map(|item| match item {
            Item::Directive(directive) => Some(directive.as_ref()),
            Item::Blank | Item::Comment(_) => None,
        })
    }
}

impl Actions {
    /// Returns the first action with this name, in any case.
    pub fn find(&self, name: &str) -> Option<&ActionExpression> {
        self.list.iter().find(|action| action.is(name))
    }
}

impl ActionExpression {
    /// Returns `true` if the action has this name, in any case.
    pub fn is(&self, name: &str) -> bool {
        self.name.node.eq_ignore_ascii_case(name)
    }

    /// Returns the text of its value; empty if there is none.
    pub fn text(&self) -> &str {
        self.value.as_ref().map_or("", |value| value.text.as_str())
    }

    /// Returns the place of its value, or of the action if there is none.
    pub fn value_span(&self) -> Span {
        self.value.as_ref().map_or(self.span, |value| value.span)
    }
}
