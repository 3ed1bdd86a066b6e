//! Limits of what is kept.

/// Limits of the counts of a combination. With the default ones they take less than 100 MB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of keys in a second. Visits of further keys are not counted in this second.
    pub keys_of_a_second: usize,
    /// Maximum size of the last 60 seconds, in bytes. Beyond it, visits of keys that the current second does not know are not counted.
    pub bytes_of_seconds: usize,
    /// Maximum number of keys in a minute: those with the most visits are kept.
    pub keys_of_a_minute: usize,
    /// Maximum size of a minute, in bytes: the keys with the most visits are kept.
    pub bytes_of_a_minute: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // 38 MiB hold 4 million entries of about 10 bytes: 66,000 keys in each second. 720 KiB hold 50,000 entries of 14 bytes.
        Self { keys_of_a_second: 114_688, bytes_of_seconds: 38 << 20, keys_of_a_minute: 50_000, bytes_of_a_minute: 720 << 10 }
    }
}
