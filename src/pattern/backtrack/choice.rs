//! Choices of a match that is tried: where it may continue, and what it undoes on the way back.

/// Action on backtracking.
pub(super) enum Choice {
    /// Continue there.
    Branch {
        to: usize,
        place: usize,
    },
    /// Continue there; `(*THEN)` within the scope backtracks to here.
    Alternative {
        to: Option<usize>,
        place: usize,
        scope: usize,
    },
    /// A span that may give up a byte, down to a position.
    Shrink {
        span: usize,
        low: usize,
        at: usize,
    },
    /// A span that may take one more byte; it began at a position.
    Grow {
        span: usize,
        low: usize,
        at: usize,
    },
    /// The old value of a slot or a register.
    Restore {
        index: usize,
        value: usize,
    },
    /// A call began within another; the number of calls before it.
    Called {
        around: usize,
        frames: usize,
    },
    /// A call ended.
    CameBack {
        frame: usize,
    },
    Atomic {
        around: usize,
    },
    Look {
        op: usize,
        place: usize,
        around: usize,
    },
    Failed {
        op: usize,
        place: usize,
    },
    Verb {
        op: usize,
        place: usize,
    },
}
