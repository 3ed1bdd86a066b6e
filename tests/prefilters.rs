//! A prefilter never excludes a value that its pattern matches: generated patterns, and each pattern of the OWASP CRS, are tested with texts that
//! match them.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};
use secrule::Waf;
use secrule::internals::graph::{OperatorArgument, Test};
use secrule::internals::pattern::{Effort, Pattern, PatternOptions};
use secrule::internals::prefilter::{
    FilteredPattern, PrefilterId, PrefilterSet, PrefilterSetBuilder, RequiredLiterals, StoredPatterns, ValueKind,
};
use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use std::cell::{Cell, RefCell};
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    trials::run([
        trial!(no_match_of_a_generated_pattern_is_excluded),
        trial!(no_match_of_a_pattern_of_the_core_rule_set_is_excluded, [Needs::Shared("crs")]),
        trial!(stored_patterns_of_the_core_rule_set_are_those_that_were_compiled, [Needs::Shared("crs")]),
        trial!(stored_patterns_are_those_that_were_generated),
    ])
}

/// Number of texts for each pattern.
const TEXTS: usize = 60;

/// Maximum number of additional repetitions of a part.
const MORE: u32 = 3;

/// Generates a text that a pattern with this structure matches, except for its assertions.
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
            let max = repetition.max.unwrap_or(u32::MAX).min(repetition.min.saturating_add(MORE));
            for _ in 0..random.random_range(repetition.min..=max) {
                write_match(&repetition.sub, random, text);
            }
        }
        HirKind::Capture(capture) => write_match(&capture.sub, random, text),
        HirKind::Concat(parts) => parts.iter().for_each(|part| write_match(part, random, text)),
        HirKind::Alternation(parts) => write_match(&parts[random.random_range(0..parts.len())], random, text),
    }
}

/// The prefilter of one pattern.
struct Prefilter {
    set: PrefilterSet,
    id: PrefilterId,
}

impl Prefilter {
    fn of(required: &RequiredLiterals) -> Self {
        let mut set = PrefilterSetBuilder::default();
        let id = set.add(required, &[ValueKind::default()]);
        Self { set: set.build(), id }
    }

    fn may_match(&self, value: &[u8]) -> bool {
        self.set.may_match_value(self.id, ValueKind::default(), value)
    }
}

/// Returns texts that match a pattern; empty if its structure cannot be parsed.
fn matches_of(pattern: &Pattern, random: &mut TestRng) -> Vec<Vec<u8>> {
    let source = String::from_utf8_lossy(pattern.source());
    let parser = ParserBuilder::new().unicode(false).utf8(false).dot_matches_new_line(true).multi_line(true).build().parse(&source);
    let Ok(structure) = parser else { return Vec::new() };
    let mut texts = vec![Vec::new(); TEXTS];
    texts.iter_mut().for_each(|text| write_match(&structure, random, text));
    texts.retain(|text| pattern.is_match(text, &mut Effort::default()) == Ok(true));
    texts
}

/// Small patterns of all kinds that literals are extracted from.
fn pattern() -> impl Strategy<Value = String> {
    let part = select(&["a", "B", "bc", "xyz", "[ab]", "[a-z0-9]", "[^a]", ".", "^", "$", "\\b", "[\\n;]", "0", "\\.", "&#", "\\xE9"][..]);
    let times = select(&["*", "+", "?", "{2}", "{2,3}", "{1,2}", "{3,}", "{0,2}", "*?", "+?", "??"][..]);
    let grow = move |inner: BoxedStrategy<String>| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..5).prop_map(|parts| parts.concat()),
            proptest::collection::vec(inner.clone(), 2..5).prop_map(|parts| format!("(?:{})", parts.join("|"))),
            (inner.clone(), times.clone()).prop_map(|(part, times)| format!("(?:{part}){times}")),
            inner.prop_map(|part| format!("({part}|)")),
        ]
    };
    (any::<bool>(), part.prop_map(str::to_owned).prop_recursive(5, 40, 5, grow))
        .prop_map(|(folds, pattern)| if folds { format!("(?i){pattern}") } else { pattern })
}

fn no_match_of_a_generated_pattern_is_excluded() {
    let random = RefCell::new(TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let mut runner = TestRunner::new(Config { cases: 2000, failure_persistence: None, ..Config::default() });
    let (required, texts) = (Cell::new(0), Cell::new(0));
    let outcome = runner.run(&pattern(), |source| {
        let Ok(pattern) = FilteredPattern::compile(source.as_bytes(), PatternOptions::default()) else { return Ok(()) };
        let Some(literals) = pattern.required_literals() else { return Ok(()) };
        let made = matches_of(pattern.pattern(), &mut random.borrow_mut());
        let prefilter = Prefilter::of(literals);
        for text in &made {
            prop_assert!(prefilter.may_match(text), "matches {:?}, and requires {literals:?}", text.escape_ascii().to_string());
        }
        required.set(required.get() + 1);
        texts.set(texts.get() + made.len());
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    let (required, texts) = (required.get(), texts.get());
    assert!(required > 300 && texts > 5000, "{texts} texts of {required} patterns");
}

fn no_match_of_a_pattern_of_the_core_rule_set_is_excluded() {
    let rules = secrule_testkit::shared("crs");
    let waf = Waf::from_rules(&secrule_testkit::core_rule_set(&rules)).unwrap();
    let mut random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let (mut all, mut filtered, mut patterns, mut texts) = (0, 0, 0, 0);
    for rule in &waf.graph().rules {
        let Test::Operator { argument: OperatorArgument::Compiled { operator, .. }, .. } = &rule.test else { continue };
        let Some(pattern) = operator.pattern() else { continue };
        all += 1;
        let Some(literals) = operator.required_literals() else { continue };
        filtered += 1;
        let made = matches_of(pattern, &mut random);
        let prefilter = Prefilter::of(&literals);
        for text in &made {
            assert!(prefilter.may_match(text), "rule {} matches {:?}, and requires {literals:?}", rule.id, text.escape_ascii().to_string());
        }
        patterns += usize::from(!made.is_empty());
        texts += made.len();
    }
    assert!(patterns > 150 && texts > 5000, "{texts} texts of {patterns} patterns");
    assert!(filtered * 100 >= all * 85, "{filtered} of {all} patterns have required literals");
}

/// Compiles patterns, stores them, and compares them with those that are found. Returns how many there are, and how many require literals.
fn compare_stored<'s>(sources: impl IntoIterator<Item = &'s [u8]>) -> (usize, usize) {
    let options = PatternOptions::default();
    let compiled: Vec<Arc<FilteredPattern>> =
        sources.into_iter().filter_map(|source| FilteredPattern::compile(source, options).ok()).map(Arc::new).collect();
    let stored = StoredPatterns::read(StoredPatterns::default().write(&compiled)).unwrap();
    for pattern in &compiled {
        let found = stored.find(pattern.pattern().source(), options).unwrap();
        assert_eq!(found.required_literals(), pattern.required_literals(), "{:?}", pattern.pattern().source().escape_ascii().to_string());
        assert_eq!(found.pattern().facts(), pattern.pattern().facts());
    }
    (compiled.len(), compiled.iter().filter(|pattern| pattern.required_literals().is_some()).count())
}

fn stored_patterns_of_the_core_rule_set_are_those_that_were_compiled() {
    let rules = secrule_testkit::shared("crs");
    let waf = Waf::from_rules(&secrule_testkit::core_rule_set(&rules)).unwrap();
    let graph = waf.graph();
    let sources = graph.rules.iter().filter_map(|rule| match &rule.test {
        Test::Operator { argument: OperatorArgument::Compiled { operator, .. }, .. } => operator.pattern().map(Pattern::source),
        _ => None,
    });
    let (patterns, required) = compare_stored(sources);
    assert!(patterns > 280 && required > 250, "{required} of {patterns} patterns");
}

fn stored_patterns_are_those_that_were_generated() {
    let mut runner = TestRunner::new(Config { cases: 2000, failure_persistence: None, ..Config::default() });
    let sources = RefCell::new(Vec::new());
    runner
        .run(&pattern(), |source| {
            sources.borrow_mut().push(source);
            Ok(())
        })
        .unwrap();
    let (patterns, required) = compare_stored(sources.borrow().iter().map(|source| source.as_bytes()));
    assert!(patterns > 1000 && required > 300, "{required} of {patterns} patterns");
}
