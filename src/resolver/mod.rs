//! Takes host names, gives their addresses within a time limit; imports `random`.
//!
//! `@rbl` asks it, and decision scripts that want to know whether a crawler is what it says. Looking a name up is a matter of the network, so
//! that it can take as long as it likes and fail: whoever asks waits no longer than a limit, and an answer is remembered for a while, whether
//! it was good or bad.

mod dns;
mod exchange;
mod lookups;
mod names;
mod origin;
mod servers;
mod system;

pub use names::Names;
pub use origin::Origins;
pub use system::{ResolverLimits, SystemResolver};

use std::fmt;
use std::net::Ipv4Addr;

/// What came of looking up a name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// Its first IPv4 address.
    Address(Ipv4Addr),
    /// It has none, or that could not be found out.
    Nothing,
    /// No answer in time. The look-up goes on, and whoever asks later may get its answer at once.
    Late,
}

/// Looks up names for all transactions.
pub trait Resolver: Send + Sync + fmt::Debug {
    /// Looks up a name, which ends with a dot.
    fn resolve(&self, name: &str) -> Answer;
}
