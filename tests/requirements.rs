//! What a gate requires of a value is there whenever the pattern behind it matches: each pattern of the OWASP CRS is held against texts that are
//! made to match it.

mod common;

use proptest::prelude::RngExt;
use proptest::test_runner::{RngAlgorithm, TestRng};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};
use secrule::Waf;
use secrule::graph::{OperatorArgument, Test};
use secrule::pattern::{ByteSet, LiteralSetBuilder, Pattern, Requirement, Signature, ValueKind};

/// How many texts are made of each pattern.
const TEXTS: usize = 60;

/// How often a part is repeated beyond what the pattern asks for.
const MORE: u32 = 3;

/// Makes a text that a pattern with this structure matches, but for what it asserts of places.
fn write_match(part: &Hir, random: &mut TestRng, text: &mut Vec<u8>) {
    match part.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.extend_from_slice(&literal.0),
        HirKind::Class(Class::Bytes(class)) => {
            if let Some(range) = class.ranges().get(random.random_range(0..class.ranges().len().max(1))) {
                text.push(random.random_range(range.start()..=range.end()));
            }
        }
        HirKind::Class(Class::Unicode(class)) => {
            if let Some(range) = class.ranges().get(random.random_range(0..class.ranges().len().max(1))) {
                text.extend_from_slice(random.random_range(range.start()..=range.end()).to_string().as_bytes());
            }
        }
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(u32::MAX).min(repetition.min.saturating_add(MORE));
            for _ in 0..random.random_range(repetition.min..=most) {
                write_match(&repetition.sub, random, text);
            }
        }
        HirKind::Capture(capture) => write_match(&capture.sub, random, text),
        HirKind::Concat(parts) => parts.iter().for_each(|part| write_match(part, random, text)),
        HirKind::Alternation(parts) => write_match(&parts[random.random_range(0..parts.len())], random, text),
    }
}

/// Whether the gate of a requirement is open for a value.
fn admits(requirement: &Requirement, value: &[u8]) -> bool {
    let mut literals = LiteralSetBuilder::default();
    let gate = literals.add(requirement, &[ValueKind::default()]);
    let literals = literals.build();
    let mut seen = vec![0; literals.words()];
    literals.scan(ValueKind::default(), value, &mut seen);
    literals.is_open(gate, Signature { bytes: ByteSet::of(value), literals: &seen })
}

/// Texts that match a pattern; none where its structure cannot be read.
fn matches_of(pattern: &Pattern, random: &mut TestRng) -> Vec<Vec<u8>> {
    let source = String::from_utf8_lossy(pattern.source());
    let parser = ParserBuilder::new().unicode(false).utf8(false).dot_matches_new_line(true).multi_line(true).build().parse(&source);
    let Ok(structure) = parser else { return Vec::new() };
    let mut texts = vec![Vec::new(); TEXTS];
    texts.iter_mut().for_each(|text| write_match(&structure, random, text));
    texts.retain(|text| pattern.is_match(text) == Ok(true));
    texts
}

#[test]
fn what_a_pattern_requires_is_in_all_that_it_matches() {
    let Some(rules) = common::shared("crs") else { return };
    let waf = Waf::from_rules(&common::core_rule_set(&rules)).unwrap();
    let mut random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let (mut patterns, mut texts) = (0, 0);
    for rule in &waf.graph().rules {
        let Test::Operator { argument: OperatorArgument::Compiled { operator, .. }, .. } = &rule.test else { continue };
        let Some(pattern) = operator.pattern() else { continue };
        let Some(requirement) = pattern.requirement() else { continue };
        let made = matches_of(pattern, &mut random);
        for text in &made {
            assert!(
                admits(requirement, text),
                "rule {} matches {:?}, and requires {requirement:?}",
                rule.id,
                text.escape_ascii().to_string()
            );
        }
        patterns += usize::from(!made.is_empty());
        texts += made.len();
    }
    assert!(patterns > 150 && texts > 5000, "{texts} texts of {patterns} patterns");
}
