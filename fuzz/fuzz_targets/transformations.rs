//! Transformations, one by one and in chains: nothing grows without bound, an untriggered value stays, plain second versions agree.

#![no_main]

use libfuzzer_sys::fuzz_target;
use secrule::transform::Transformation;
use secrule_fuzz::draw::Draw;

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

/// What a transformation makes of a value, written as plainly as can be.
fn plain(transformation: Transformation, value: &[u8]) -> Option<Vec<u8>> {
    use Transformation as T;
    let each = |change: fn(u8) -> u8| Some(value.iter().map(|byte| change(*byte)).collect());
    match transformation {
        T::Lowercase => Some(value.to_ascii_lowercase()),
        T::Uppercase => Some(value.to_ascii_uppercase()),
        T::HexEncode => Some(value.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()),
        T::Length => Some(value.len().to_string().into_bytes()),
        T::RemoveNulls => Some(value.iter().copied().filter(|byte| *byte != 0).collect()),
        T::ReplaceNulls => each(|byte| if byte == 0 { b' ' } else { byte }),
        T::ParityZero7bit => each(|byte| byte & 0x7f),
        T::ParityEven7bit => each(|byte| if byte.count_ones() % 2 == 1 { byte | 0x80 } else { byte & 0x7f }),
        T::ParityOdd7bit => each(|byte| if byte.count_ones() % 2 == 0 { byte | 0x80 } else { byte & 0x7f }),
        _ => None,
    }
}
