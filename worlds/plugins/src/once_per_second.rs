//! Triggers at most once a second: `MATCH_TYPE_DEFAULT`.

use crate::key::KeyHash;
use crate::key_map::KeySet;
use crate::timeline::Timeline;

/// Maximum number of keys in a second that are remembered. They take 1.2 MB.
const KEYS: usize = 114_688;

/// Remembers which registrations of plugins were triggered by which keys in this second.
#[derive(Clone, Debug, Default)]
pub struct OncePerSecond {
    timeline: Timeline,
    second: u64,
    seen: KeySet,
}

impl OncePerSecond {
    /// Makes one that remembers nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns `true` for the first call with these values in a second.
    ///
    /// `second` is that of [`Visit::second`](crate::visit::Visit::second); one that lies before the newest counts as the newest. `registration` is a
    /// number of the caller's, `hash` that of the request's key in the combination of the registration. Beyond 114,688 keys in a second, calls with
    /// further keys return `true` each: a plugin is rather triggered too often than never.
    pub fn is_first(&mut self, second: u64, registration: u32, hash: KeyHash) -> bool {
        let second = self.timeline.at(second);
        if second != self.second {
            self.second = second;
            self.seen.clear();
        }
        // An odd factor: two registrations never differ by 0.
        let key = hash.0 ^ u64::from(registration).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        if self.seen.len() >= KEYS { !self.seen.contains(&key) } else { self.seen.insert(key) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{Key, KeyHasher};

    #[test]
    fn only_the_first_request_of_a_second_triggers_for_each_key_and_registration() {
        let hasher = KeyHasher::new();
        let [one, two] = [1, 2].map(|last| hasher.hash(&Key::Ip([192, 0, 2, last].into())));
        let mut once = OncePerSecond::new();
        let calls = [
            (10, 0, one, true),
            (10, 0, one, false),
            (10, 1, one, true),
            (10, 0, two, true),
            (10, 1, one, false),
            (11, 0, one, true),
            (10, 0, one, false),
            (10, 0, two, true),
            (11, 0, two, false),
            (500, 0, two, true),
            (3, 0, two, false),
            (4, 0, two, true),
        ];
        for (place, (second, registration, hash, first)) in calls.into_iter().enumerate() {
            assert_eq!(once.is_first(second, registration, hash), first, "call {place}");
        }
    }

    #[test]
    fn keys_beyond_the_bound_trigger_each_time_and_take_no_memory() {
        let mut once = OncePerSecond::new();
        for number in 0..KEYS as u64 + 1_000 {
            assert!(once.is_first(1, 0, KeyHash(number)));
        }
        assert!(!once.is_first(1, 0, KeyHash(0)));
        assert!(once.is_first(1, 0, KeyHash(KEYS as u64)));
        assert!(once.seen.capacity() <= KEYS);
        assert!(once.is_first(2, 0, KeyHash(0)));
    }
}
