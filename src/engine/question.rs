//! The test of a rule on values, and its description in logs.

use crate::escape::{cut, shown, text};
use crate::graph::{OperatorArgument, Part, Rule, Target};
use crate::operator::{CapturedValue, Findings, OperatorKind, url_encoding_fault, utf8_fault};
use crate::state::{LONGEST_ARGUMENT, LONGEST_VALUE};
use std::borrow::Cow;
use std::ops::Range;

/// The test of a rule.
pub struct Question<'a> {
    pub targets: &'a [Target],
    pub kind: OperatorKind,
    pub argument: &'a OperatorArgument,
    pub negated: bool,
    /// The argument with expanded macros, if it has any.
    pub expanded: Option<Vec<u8>>,
}

/// The description of a match.
pub struct Detail {
    pub text: Vec<u8>,
    /// Number of leading bytes that do not come from the request.
    pub own: usize,
    /// The range of the operator's argument.
    pub argument: Range<usize>,
    /// The offset of the value, if it is part of the description.
    pub value_start: Option<usize>,
}

impl Question<'_> {
    /// Returns the argument as in logs: with backslashes before quotation marks, as in rules, and without macros.
    fn argument_shown(&self) -> Cow<'_, [u8]> {
        match &self.expanded {
            None if self.argument_bytes().contains(&b'"') => text(self.argument_bytes()).replace('"', "\\\"").into_bytes().into(),
            _ => self.argument_bytes().into(),
        }
    }

    /// Returns the argument as the operator reads it.
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
                // As in ModSecurity v3: the argument as written, without its macros.
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

    /// Describes a match as the error log does. As in ModSecurity v3, the argument of some operators has no macros here.
    pub fn detail(&self, name: &[u8], value: &[u8]) -> Detail {
        if !self.negated {
            let found = match self.kind {
                OperatorKind::DetectSqli => Some(&b"detected SQLi using libinjection."[..]),
                OperatorKind::DetectXss => Some(&b"detected XSS using libinjection."[..]),
                _ => None,
            };
            if let Some(text) = found {
                return Detail { text: text.to_vec(), own: 0, argument: 0..0, value_start: None };
            }
        }
        let beginning = [b"Matched \"Operator `", self.kind.log_name().as_bytes(), b"' with parameter `"].concat();
        let argument = self.argument_shown();
        let argument = cut(&argument, LONGEST_ARGUMENT);
        let argument_end = beginning.len().saturating_add(argument.len());
        // An argument with macros contains their values.
        let own = if self.expanded.is_none() { argument_end } else { beginning.len() };
        let value = shown(value, LONGEST_VALUE);
        let parts = [&beginning, &*argument, b"' against variable `", name, b"' (Value: `"];
        let mut text = parts.concat();
        let value_start = text.len();
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"' )");
        Detail { text, own, argument: beginning.len()..argument_end, value_start: Some(value_start) }
    }

    /// Returns the operator's own message for the debug log about its result, with the level. `input` is the value as logs show it.
    pub fn finding(&self, found: bool, value: &[u8], input: &[u8], findings: &Findings) -> Option<(u8, String)> {
        let input = || text(input);
        let offset = || findings.offsets.first().map_or(0, |(offset, _)| *offset);
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
            (OperatorKind::ValidateUrlEncoding, true) => {
                (7, format!("Invalid URL Encoding: {} at '{}'", url_encoding_fault(value, offset()), input()))
            }
            (OperatorKind::ValidateUrlEncoding, false) => (7, format!("Valid URL Encoding at '{}'", input())),
            (OperatorKind::ValidateUtf8Encoding, true) => {
                let fault = utf8_fault(value.get(std::str::from_utf8(value).err()?.valid_up_to()..)?);
                (8, format!("Invalid UTF-8 encoding: {fault} at {}. [offset \"{}\"]", input(), offset()))
            }
            (OperatorKind::VerifyCc, true) => {
                (9, format!("CC# match \"{}\" at {}. [offset {}]", text(self.argument_bytes()), input(), offset()))
            }
            _ => return None,
        })
    }
}
