//! `@fuzzyHash`: tests if the input resembles one of the files whose ssdeep hashes are listed.

use super::error::OperatorError;
use super::findings::Findings;
use super::piecewise_hash::PiecewiseHash;

/// The two parts of an argument such as `hashes.txt 60`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FuzzyHashArgument<'a> {
    /// The path of the file with the hashes.
    pub file: &'a str,
    /// Minimum score of a match, 0 to 100. As in ModSecurity v3 any whole number is accepted; above 100 nothing matches.
    pub score: u32,
}

/// Splits the argument of `@fuzzyHash`: the score follows the last blank.
///
/// # Errors
/// If there is no blank, or no number after it.
pub fn fuzzy_hash_argument(argument: &str) -> Result<FuzzyHashArgument<'_>, OperatorError> {
    let parts = argument.trim_end().rsplit_once(' ').and_then(|(file, score)| Some((file.trim_end(), score.parse().ok()?)));
    let (file, score) = parts.ok_or_else(|| OperatorError::Score(argument.to_owned()))?;
    Ok(FuzzyHashArgument { file, score })
}

/// The hashes of a file and the minimum score.
#[derive(Debug)]
pub(super) struct FuzzyHashes {
    hashes: Vec<PiecewiseHash>,
    score: u32,
}

/// Units of work for comparing two hashes.
const WORK_OF_HASH: usize = 100;

impl FuzzyHashes {
    /// Units of work for hashing a byte.
    pub(super) const WORK_OF_BYTE: usize = 16;

    /// Reads the hashes of files in ssdeep's format, `blocksize:hash:hash,"name"`, one on each line. As in ModSecurity v3, other lines, such as
    /// ssdeep's heading, are ignored.
    pub(super) fn new(argument: &[u8], files: &[Vec<u8>]) -> Result<Self, OperatorError> {
        let argument = String::from_utf8_lossy(argument);
        let score = fuzzy_hash_argument(&argument)?.score;
        let lines = files.iter().flat_map(|file| file.split(|&byte| byte == b'\n'));
        let hashes: Vec<PiecewiseHash> = lines.filter_map(|line| PiecewiseHash::parse(line.trim_ascii())).collect();
        if hashes.is_empty() {
            return Err(OperatorError::NoHashes);
        }
        Ok(Self { hashes, score })
    }

    /// Returns the units of work for comparing the hash of a value with all of them.
    pub(super) fn work_to_compare(&self) -> usize {
        self.hashes.len().saturating_mul(WORK_OF_HASH)
    }

    /// Returns `true` if the input has at least the minimum score with one of the hashes; stores that score.
    pub(super) fn resembles(&self, input: &[u8], findings: &mut Findings) -> bool {
        let hash = PiecewiseHash::of(input);
        let hash = hash.compared();
        let score = self.hashes.iter().map(|listed| hash.score(listed)).find(|score| *score >= self.score);
        findings.score = score;
        score.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(seed: u64, length: usize) -> Vec<u8> {
        let mut state = seed;
        let next = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        };
        (0..length).map(next).collect()
    }

    fn list(inputs: &[&[u8]]) -> Vec<u8> {
        let hash = |input: &&[u8]| format!("{},\"a file\"\n", PiecewiseHash::of(input));
        let heading = String::from("ssdeep,1.1--blocksize:hash:hash,filename\n");
        (heading + &inputs.iter().map(hash).collect::<String>()).into_bytes()
    }

    fn score(list: &[u8], argument: &str, input: &[u8]) -> Option<u32> {
        let hashes = FuzzyHashes::new(argument.as_bytes(), &[list.to_vec()]).unwrap();
        let mut findings = Findings::default();
        assert_eq!(hashes.resembles(input, &mut findings), findings.score.is_some());
        findings.score
    }

    #[test]
    fn a_file_resembles_itself_and_a_changed_copy_but_no_other() {
        let original = text(7, 9000);
        let mut changed = original.clone();
        changed.splice(4000..4040, text(99, 60));
        let listed = list(&[&text(1, 5000), &original]);
        assert_eq!(score(&listed, "hashes.txt 100", &original), Some(100));
        let similar = score(&listed, "hashes.txt 50", &changed).unwrap();
        assert!((50..100).contains(&similar), "{similar}");
        assert_eq!(score(&listed, "hashes.txt 1", &text(2, 9000)), None);
        assert_eq!(score(&listed, "hashes.txt 101", &original), None);
    }

    #[test]
    fn the_score_stands_behind_the_last_blank() {
        let argument = FuzzyHashArgument { file: "my hashes.txt", score: 60 };
        assert_eq!(fuzzy_hash_argument("my hashes.txt 60"), Ok(argument));
        for wrong in ["hashes.txt", "hashes.txt x", "hashes.txt -1", "60"] {
            assert!(fuzzy_hash_argument(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_file_without_hashes_is_an_error() {
        assert_eq!(FuzzyHashes::new(b"f 1", &[b"no hash\n".to_vec()]).err(), Some(OperatorError::NoHashes));
    }
}
