//! The memory of a process, as the system tells it.

use std::fs;

/// Returns a size of the memory of a process, in bytes: `VmRSS:` now, or `VmHWM:` for the largest one so far. The process is a number, or `self`.
/// `None` where the system does not tell it, or the process has ended.
pub fn process_memory(process: impl std::fmt::Display, name: &str) -> Option<usize> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    Some(line.split_ascii_whitespace().nth(1)?.parse::<usize>().ok()? << 10)
}
