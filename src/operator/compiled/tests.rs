use super::*;
use OperatorKind as Kind;

fn compile(kind: Kind, argument: &str) -> Operator {
    Operator::compile(kind, argument.as_bytes(), &[], OperatorLimits::default()).unwrap()
}

/// Returns the TX captures of a match, as `index=value`.
fn captures(kind: Kind, argument: &str, input: &str) -> Option<Vec<String>> {
    let mut findings = Findings::default();
    compile(kind, argument).evaluate(input.as_bytes(), Wanted::Findings, &mut findings).then(|| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        findings.captures.iter().map(|it| format!("{}={}", it.index, text(it.bytes(input.as_bytes())))).collect()
    })
}

#[test]
fn rx_captures_the_groups_that_took_part() {
    assert_eq!(captures(Kind::Rx, r"(\w+)=(\d+)?(x)?", "?id=x").unwrap(), ["0=id=x", "1=id", "3=x"]);
}

#[test]
fn an_empty_rx_matches_and_captures_everything() {
    assert_eq!(captures(Kind::Rx, "", "a\nb").unwrap(), ["0=a\nb"]);
}

#[test]
fn rx_global_numbers_on() {
    assert_eq!(captures(Kind::RxGlobal, r"(\w)=\w", "a=b&c=d").unwrap(), ["0=a=b", "1=a", "2=c=d", "3=c"]);
    assert_eq!(captures(Kind::RxGlobal, "x*", "axb").unwrap(), ["0=", "1=x", "2=", "3="]);
}

#[test]
fn identity_numbers_are_verified_and_captured() {
    for (kind, pattern, input, number) in [
        (Kind::VerifyCc, r"\d{16}", "card 4012888888881881.", "4012888888881881"),
        (Kind::VerifyCc, r"\d{16}", "card 94012888888881881", "4012888888881881"),
        (Kind::VerifyCpf, r"\d{3}\.\d{3}\.\d{3}-\d{2}", "cpf 529.982.247-25", "529.982.247-25"),
        (Kind::VerifySsn, r"\d{3}-\d\d-\d{4}", "219-09-9998 or 457-55-5462", "457-55-5462"),
        (Kind::VerifySvnr, r"\d{4} \d{6}", "nr 1237 010180", "1237 010180"),
    ] {
        assert_eq!(captures(kind, pattern, input).unwrap(), [format!("0={number}")]);
    }
}

#[test]
fn wrong_identity_numbers_do_not_match() {
    for (kind, input) in [
        (Kind::VerifyCc, "4012888888881882"),
        (Kind::VerifyCpf, "529.982.247-26"),
        (Kind::VerifyCpf, "111.111.111-11"),
        (Kind::VerifySsn, "666-12-3456"),
        (Kind::VerifySsn, "123-45-6789"),
        (Kind::VerifySvnr, "1238 010180"),
        (Kind::VerifySvnr, "123"),
    ] {
        assert_eq!(captures(kind, "^.*$", &format!("{input}x")), None, "{input}");
    }
}

#[test]
fn a_limit_is_reported_and_is_no_match() {
    let limits = OperatorLimits { pattern_steps: 500, ..OperatorLimits::default() };
    let backtracking = Operator::compile(Kind::Rx, br"^(?:(a+)\1?)+(?<!a)$", &[], limits).unwrap();
    let overlapping = Operator::compile(Kind::VerifyCpf, br"\d+", &[], limits).unwrap();
    for (operator, input) in [(backtracking, [b'a'; 90]), (overlapping, [b'7'; 90])] {
        for wanted in [Wanted::Verdict, Wanted::Findings] {
            let mut findings = Findings::default();
            assert!(!operator.evaluate(&input, wanted, &mut findings));
            assert!(findings.limit_exceeded);
        }
    }
}

#[test]
fn an_expanded_argument_gives_the_same_answer() {
    for (kind, argument, input) in
        [(Kind::Rx, "b+", "abbc"), (Kind::EndsWith, "c", "abbc"), (Kind::Ge, "17", "18"), (Kind::Within, "x abbc y", "abbc")]
    {
        let (mut compiled, mut expanded) = (Findings::default(), Findings::default());
        let (argument, input) = (argument.as_bytes(), input.as_bytes());
        let limits = OperatorLimits::default();
        let operator = Operator::compile(kind, argument, &[], limits).unwrap();
        assert!(operator.evaluate(input, Wanted::Findings, &mut compiled));
        let answer = Operator::evaluate_with(kind, argument, input, limits, Wanted::Findings, &mut expanded);
        assert_eq!(answer, Ok(true));
        assert_eq!(compiled, expanded);
    }
}

#[test]
fn arguments_that_make_no_sense_are_errors() {
    for (kind, argument) in [(Kind::Rx, "a(b"), (Kind::IpMatch, "localhost"), (Kind::ValidateByteRange, "0-300")] {
        assert!(Operator::compile(kind, argument.as_bytes(), &[], OperatorLimits::default()).is_err());
    }
    let elsewhere = Operator::compile(Kind::Rbl, b"bl.example.net", &[], OperatorLimits::default());
    assert_eq!(elsewhere.err(), Some(OperatorError::NeedsTransaction(Kind::Rbl)));
}

#[test]
fn no_match_never_matches() {
    assert_eq!(captures(Kind::NoMatch, "", ""), None);
    assert_eq!(captures(Kind::UnconditionalMatch, "", ""), Some(vec![]));
}
