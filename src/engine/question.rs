//! The test of a rule on values, and its description in logs.

use crate::escape::{cut, shown, text};
use crate::graph::{OperatorArgument, Part, Rule, Target};
use crate::operator::{CapturedValue, Findings, OperatorKind, url_encoding_fault, utf8_fault};
use std::borrow::Cow;

/// Maximum length of an argument and of a value in an entry of the error log, in bytes.
const LONGEST_ARGUMENT: usize = 200;
const LONGEST_VALUE: usize = 100;

/// The test of a rule.
pub struct Question<'a> {
    pub targets: &'a [Target],
    pub kind: OperatorKind,
    pub argument: &'a OperatorArgument,
    pub negated: bool,
    /// The argument with expanded macros, if it has any.
    pub expanded: Option<Vec<u8>>,
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

    /// Describes a match as the error log does, and returns the number of leading bytes that do not come from the request. As in ModSecurity v3, the
    /// argument of some operators has no macros here.
    pub fn detail(&self, name: &[u8], value: &[u8]) -> (Vec<u8>, usize) {
        if !self.negated {
            match self.kind {
                OperatorKind::DetectSqli => return (b"detected SQLi using libinjection.".to_vec(), 0),
                OperatorKind::DetectXss => return (b"detected XSS using libinjection.".to_vec(), 0),
                _ => {}
            }
        }
        let beginning = [b"Matched \"Operator `", self.kind.log_name().as_bytes(), b"' with parameter `"].concat();
        let argument = self.argument_shown();
        let argument = cut(&argument, LONGEST_ARGUMENT);
        // An argument with macros contains their values.
        let own = beginning.len().saturating_add(if self.expanded.is_none() { argument.len() } else { 0 });
        let value = shown(value, LONGEST_VALUE);
        let parts = [&beginning, &*argument, b"' against variable `", name, b"' (Value: `", value.as_bytes(), b"' )"];
        (parts.concat(), own)
    }

    /// Returns the operator's own message for the debug log about its result, with the level.
    pub fn finding(&self, found: bool, value: &[u8], findings: &Findings) -> Option<(u8, String)> {
        let input = || text(value);
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
