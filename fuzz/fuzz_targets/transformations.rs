//! Transformations, one by one and in chains: nothing grows without bound, an untriggered value stays, plain second versions agree.

#![no_main]

use libfuzzer_sys::fuzz_target;
use secrule::internals::transform::Transformation;
use secrule_fuzz::draw::Draw;
use secrule_fuzz::plain::plain;

fuzz_target!(|data: &[u8]| {
    let mut draw = Draw::new(data);
    let chain: Vec<_> = (0..draw.between(1, 5)).map(|_| draw.pick(Transformation::ALL)).collect();
    let mut value = draw.rest().to_vec();
    for transformation in chain {
        value = apply(transformation, value);
    }
});

fn apply(transformation: Transformation, value: Vec<u8>) -> Vec<u8> {
    let name = transformation.name();
    let mut output = Vec::new();
    let effect = transformation.apply(&value, &mut output, None);
    assert!(output.len() <= 3 * value.len() + 20, "{name} makes {} of {} bytes", output.len(), value.len());
    assert!(effect.counted || !effect.rewritten, "{name} rewrites what it does not count");
    if !value.is_empty() && value.iter().all(|byte| transformation.is_triggered_by(*byte) == Some(false)) {
        assert!(!effect.rewritten && !effect.counted, "{name} changes {value:?}");
    }
    let result = if effect.rewritten { output } else { value.clone() };
    if let Some(expected) = plain(transformation, &value) {
        assert_eq!(result, expected, "{name} of {value:?}");
    }
    if is_idempotent(transformation) {
        let mut again = Vec::new();
        assert!(!transformation.apply(&result, &mut again, None).rewritten, "{name} makes {again:?} of its own {result:?}");
    }
    result
}

fn is_idempotent(transformation: Transformation) -> bool {
    use Transformation as T;
    let steps = [
        T::Lowercase,
        T::Uppercase,
        T::Trim,
        T::TrimLeft,
        T::TrimRight,
        T::CompressWhitespace,
        T::RemoveNulls,
        T::ReplaceNulls,
        T::ParityZero7bit,
    ];
    steps.contains(&transformation)
}
