//! Operators: asked in each way they give the same answer, what they find is in the input, and a prefilter excludes nothing that one matches.

#![no_main]

use libfuzzer_sys::fuzz_target;
use secrule::internals::operator::{ArgumentKind, CapturedValue, Findings, Operator, OperatorKind, OperatorLimits, Wanted};
use secrule::internals::prefilter::{PrefilterSetBuilder, RequiredLiterals, ValueKind};
use secrule_fuzz::draw::Draw;
use secrule_fuzz::rules::operator;
use secrule_fuzz::words::value;

fuzz_target!(|data: &[u8]| {
    let mut draw = Draw::new(data);
    let text = operator(&mut draw);
    let values: Vec<_> = (0..draw.between(1, 4)).map(|_| value(&mut draw).into_bytes()).collect();
    let (name, argument) = text.split_once(' ').unwrap_or((&text, ""));
    let kind = OperatorKind::from_name(name).expect("rules are drawn from known operators");
    let limits = OperatorLimits::default();
    let Ok(operator) = Operator::compile(kind, argument.as_bytes(), &[], limits) else { return };
    for value in values.iter().map(Vec::as_slice).chain([draw.rest()]) {
        let mut findings = Findings::default();
        let found = operator.evaluate(value, Wanted::Findings, &mut findings);
        for capture in &findings.captures {
            if let CapturedValue::Input(range) = &capture.value {
                assert!(value.get(range.clone()).is_some(), "{text} captures {range:?} of {value:?}");
            }
        }
        if findings.limit_exceeded {
            continue;
        }
        assert_eq!(operator.evaluate(value, Wanted::Verdict, &mut Findings::default()), found, "{text} of {value:?}");
        if matches!(kind.argument(), ArgumentKind::Text { macros: true }) {
            let mut expanded = Findings::default();
            let answer = Operator::evaluate_with(kind, argument.as_bytes(), value, limits, Wanted::Findings, &mut expanded);
            assert_eq!((answer, expanded), (Ok(found), findings), "{text} of {value:?}, as a macro expands to it");
        }
        if let Some(required) = operator.required_literals() {
            assert!(!found || may_match(&required, value), "{text} matches {value:?}, and requires {required:?}");
        }
    }
});

/// Returns the answer of a prefilter for a value.
fn may_match(required: &RequiredLiterals, value: &[u8]) -> bool {
    let mut prefilters = PrefilterSetBuilder::default();
    let id = prefilters.add(required, &[ValueKind::default()]);
    prefilters.build().may_match_value(id, ValueKind::default(), value)
}
