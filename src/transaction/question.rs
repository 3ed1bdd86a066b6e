//! What a rule asks of values, and how logs word it.

use super::escape::{cut, shown, text};
use crate::graph::{OperatorArgument, Part, Rule, Target};
use crate::operator::{CapturedValue, Findings, OperatorKind};
use std::borrow::Cow;

/// The most bytes of an argument and of a value in an entry of the error log.
const LONGEST_ARGUMENT: usize = 200;
const LONGEST_VALUE: usize = 100;

/// What a rule asks.
pub struct Question<'a> {
    pub targets: &'a [Target],
    pub kind: OperatorKind,
    pub argument: &'a OperatorArgument,
    pub negated: bool,
    /// The argument after its macros, where it has some.
    pub expanded: Option<Vec<u8>>,
}

impl Question<'_> {
    /// The argument as logs show it: with the backslashes that quotation marks have in rules, and without macros.
    fn argument_shown(&self) -> Cow<'_, [u8]> {
        match &self.expanded {
            None if self.argument_bytes().contains(&b'"') => text(self.argument_bytes()).replace('"', "\\\"").into_bytes().into(),
            _ => self.argument_bytes().into(),
        }
    }

    /// The argument as the operator reads it.
    pub fn argument_bytes(&self) -> &[u8] {
        match (&self.expanded, self.argument) {
            (Some(expanded), _) => expanded,
            (None, OperatorArgument::Compiled { text: written, .. } | OperatorArgument::Lookup { text: written, .. }) => written.as_bytes(),
            (None, OperatorArgument::Template(template)) => template.source().as_bytes(),
        }
    }

    pub fn announcement(&self, rule: &Rule) -> String {
        let targets: Vec<String> = self.targets.iter().map(|target| Target { count: false, ..target.clone() }.to_string()).collect();
        let (id, name, targets) = (rule.id, self.kind.log_name(), targets.join("|"));
        let argument = text(&self.argument_shown());
        match self.argument {
            OperatorArgument::Template(template) => {
                // As in ModSecurity v3: what was written, without its macros.
                let literals = template.parts().iter().filter_map(|part| match part {
                    Part::Text(literal) => Some(text(literal)),
                    Part::Value(_) => None,
                });
                let written: String = literals.collect();
                format!("(Rule: {id}) Executing operator \"{name}\" with param \"{argument}\" Was: \"{written}\" against {targets}.")
            }
            _ if argument.is_empty() => format!("(Rule: {id}) Executing operator \"{name} against {targets}."),
            _ => format!("(Rule: {id}) Executing operator \"{name}\" with param \"{argument}\" against {targets}."),
        }
    }

    /// What matched what, as the error log words it. In ModSecurity v3 the argument of some operators loses its macros here.
    pub fn detail(&self, name: &[u8], value: &[u8]) -> Vec<u8> {
        if !self.negated {
            match self.kind {
                OperatorKind::DetectSqli => return b"detected SQLi using libinjection.".to_vec(),
                OperatorKind::DetectXss => return b"detected XSS using libinjection.".to_vec(),
                _ => {}
            }
        }
        [
            b"Matched \"Operator `",
            self.kind.log_name().as_bytes(),
            b"' with parameter `",
            &cut(&self.argument_shown(), LONGEST_ARGUMENT),
            b"' against variable `",
            name,
            b"' (Value: `",
            shown(value, LONGEST_VALUE).as_bytes(),
            b"' )",
        ]
        .concat()
    }

    /// What the operator itself tells the debug log about its answer, with the level.
    pub fn finding(&self, found: bool, input: &[u8], findings: &Findings) -> Option<(u8, String)> {
        let input = || text(input);
        Some(match (self.kind, found) {
            (OperatorKind::DetectSqli, true) => {
                let fingerprint = findings.captures.iter().find_map(|capture| match &capture.value {
                    CapturedValue::Text(fingerprint) => Some(text(fingerprint)),
                    CapturedValue::Input(_) => None,
                });
                let fingerprint = fingerprint.unwrap_or_default();
                (4, format!("detected SQLi using libinjection with fingerprint '{fingerprint}' at: '{}'", input()))
            }
            (OperatorKind::DetectSqli, false) => (9, format!("detected SQLi: not able to find an inject on '{}'", input())),
            (OperatorKind::DetectXss, true) => (5, "detected XSS using libinjection.".to_owned()),
            (OperatorKind::DetectXss, false) => (9, format!("libinjection was not able to find any XSS in: {}", input())),
            (OperatorKind::FuzzyHash, true) => (4, format!("Fuzzy hash: matched with score: {}.", findings.score?)),
            (OperatorKind::ValidateUrlEncoding, true) => (7, format!("Invalid URL Encoding: Non-hexadecimal digits used at '{}'", input())),
            (OperatorKind::ValidateUrlEncoding, false) => (7, format!("Valid URL Encoding at '{}'", input())),
            (OperatorKind::ValidateUtf8Encoding, true) => {
                let offset = findings.offsets.first().map_or(0, |(offset, _)| *offset);
                (8, format!("Invalid UTF-8 encoding: invalid byte value in character at {}. [offset \"{offset}\"]", input()))
            }
            _ => return None,
        })
    }
}
