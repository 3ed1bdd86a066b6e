//! Numbers that cannot be guessed: ids of transactions, names of files, boundaries, ids of DNS queries, seeds of scripts.
//!
//! The first number draws a secret from the system (the crate `getrandom`); each number is the SipHash of a counter under that secret. Asking the
//! system for every number would take 550 ns, this takes 29 ns (the standard library's `RandomState::new` takes 35 ns). Hosts that fork workers after
//! they loaded rules share no secret among them, because a load needs no number. Workers of a process that judged requests before it forked do share
//! it: therefore values that must differ contain the time or the process id as well, such as ids of transactions and seeds.

use std::hash::{BuildHasher as _, DefaultHasher, Hasher as _, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A hasher that has read the secret.
static KEYED: LazyLock<DefaultHasher> = LazyLock::new(|| {
    let mut secret = [0; 32];
    if getrandom::fill(&mut secret).is_err() {
        // A system without random numbers must not stop requests: the keys of the standard library, which then come from another source, are the next
        // best.
        for part in secret.chunks_exact_mut(8) {
            part.copy_from_slice(&RandomState::new().hash_one(part.len()).to_ne_bytes());
        }
    }
    let mut hasher = DefaultHasher::new();
    hasher.write(&secret);
    hasher
});

/// Returns a number that no other call in this process returns, and that cannot be guessed, even from all earlier ones.
pub fn unique_number() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut hasher = KEYED.clone();
    hasher.write_u64(COUNT.fetch_add(1, Ordering::Relaxed));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn threads_draw_different_numbers() {
        let draw = || std::thread::spawn(|| (0..1000).map(|_| unique_number()).collect::<Vec<_>>());
        let threads = [draw(), draw(), draw()];
        let numbers: HashSet<u64> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(numbers.len(), 3000);
    }
}
