//! The number of the code that reads patterns and extracts their literals.
//!
//! Literals that one version extracted are not valid for another: a pattern may have been misread, which the other version corrects. So what is stored
//! bears the number of the code. It is a hash of the sources of both rooms and of the version of the package, computed while the library is built: a
//! number to be raised by hand would be forgotten.

/// The number of this code.
pub(super) const CODE: u64 = code();

macro_rules! hash_of_files {
    ($($path:literal,)+) => {
        const fn code() -> u64 {
            let hash = add(0, env!("CARGO_PKG_VERSION").as_bytes());
            $(let hash = add(hash, include_bytes!($path));)+
            hash
        }

        #[cfg(test)]
        const FILES: &[&str] = &[$($path,)+];
    };
}

// In any order; relative to this folder.
hash_of_files! {
    "../pattern/automata.rs",
    "../pattern/backtrack.rs",
    "../pattern/backtrack/calls.rs",
    "../pattern/backtrack/choice.rs",
    "../pattern/backtrack/spans.rs",
    "../pattern/byte_set.rs",
    "../pattern/cache.rs",
    "../pattern/class.rs",
    "../pattern/code_set.rs",
    "../pattern/compiled.rs",
    "../pattern/effort.rs",
    "../pattern/error.rs",
    "../pattern/escape.rs",
    "../pattern/frame.rs",
    "../pattern/groups.rs",
    "../pattern/line_start.rs",
    "../pattern/lower.rs",
    "../pattern/mod.rs",
    "../pattern/newline.rs",
    "../pattern/nfa.rs",
    "../pattern/parser.rs",
    "../pattern/prefix.rs",
    "../pattern/program.rs",
    "../pattern/property.rs",
    "../pattern/search_caches.rs",
    "../pattern/searcher.rs",
    "../pattern/shorthand.rs",
    "../pattern/tree.rs",
    "../pattern/words.rs",
    "clean_traffic.txt",
    "code.rs",
    "extract.rs",
    "filtered.rs",
    "frequency.rs",
    "literal.rs",
    "mod.rs",
    "required.rs",
    "scanner.rs",
    "set.rs",
    "spread.rs",
    "stored.rs",
    "texts.rs",
    "trigram.rs",
    "trigram_table.rs",
}

/// Adds bytes to a hash: eight at a time, as `rustc-hash` does, with a rotation, so that no part is lost.
const fn add(hash: u64, bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0xF135_7AEA_2E62_A9C5;
    let mut hash = (hash ^ bytes.len() as u64).wrapping_mul(FACTOR);
    let (mut words, mut rest) = bytes.as_chunks::<8>();
    while let Some((word, following)) = words.split_first() {
        hash = (hash.rotate_left(29) ^ u64::from_le_bytes(*word)).wrapping_mul(FACTOR);
        words = following;
    }
    while let Some((byte, following)) = rest.split_first() {
        hash = (hash.rotate_left(29) ^ *byte as u64).wrapping_mul(FACTOR);
        rest = following;
    }
    hash ^ hash >> 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    fn files_in(folder: &Path, found: &mut BTreeSet<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => files_in(&path, found),
                false => drop(found.insert(path)),
            }
        }
    }

    #[test]
    fn all_sources_of_both_rooms_are_part_of_the_number() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/prefilter");
        let listed: BTreeSet<PathBuf> = FILES.iter().map(|file| here.join(file).canonicalize().unwrap()).collect();
        let mut found = BTreeSet::new();
        files_in(&here.join("../pattern").canonicalize().unwrap(), &mut found);
        files_in(&here.canonicalize().unwrap(), &mut found);
        found.retain(|file| !file.ends_with("tests.rs"));
        assert_eq!(found, listed);
    }

    #[test]
    fn each_byte_changes_the_number() {
        let numbers: BTreeSet<u64> =
            [&b""[..], b"a", b"b", b"ab", b"ba", b"12345678", b"12345679", b"123456781"].map(|bytes| add(0, bytes)).into();
        assert_eq!(numbers.len(), 8);
    }
}
