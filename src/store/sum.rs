//! Texts of sums in maps, which scripts read.

/// Significant digits of a sum that is not whole: those of `tostring` in Lua.
const DIGITS: usize = 14;

/// From here on these digits would not hold a fraction.
const LARGE: f64 = 1e14;

/// Returns the text of a sum. A whole number has all its digits, so that a counter never stops; another one has 14, so that 0.1 and 0.2 are `0.3`.
pub fn text(sum: f64) -> String {
    if sum.fract() == 0.0 || !sum.is_finite() || sum.abs() >= LARGE {
        return sum.to_string();
    }
    let scientific = format!("{sum:.*e}", DIGITS - 1);
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>().unwrap_or_default() {
        exponent @ -4.. => {
            let decimals = usize::try_from(DIGITS as i32 - 1 - exponent).unwrap_or_default();
            trimmed(&format!("{sum:.decimals$}")).to_owned()
        }
        exponent => format!("{}e-{:02}", trimmed(digits), exponent.unsigned_abs()),
    }
}

fn trimmed(digits: &str) -> &str {
    digits.trim_end_matches('0').trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn sums_are_as_lua_writes_them_and_whole_ones_have_all_their_digits() {
        let numbers = [0.1 + 0.2, -1.25, 1.0 / 3.0, 9_999_999.999_999_999, 0.000_1, 1.5e-5, 12_345_678_901_234.5, 3.0, -0.5e-300];
        let texts =
            ["0.3", "-1.25", "0.33333333333333", "10000000", "0.0001", "1.5e-05", "12345678901234", "3", "-5e-301"].map(str::to_owned);
        assert_eq!(numbers.map(text), texts);
        assert_eq!([1e15, 1e15 + 1.0, 1e14 + 0.5].map(text), ["1000000000000000", "1000000000000001", "100000000000000.5"]);
    }
}
