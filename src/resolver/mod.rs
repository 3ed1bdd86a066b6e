//! Takes host names, gives their addresses within a time limit; imports `random`.
//!
//! `@rbl` uses it, and decision scripts that check if a crawler is genuine. Looking up a name needs the network, so it can take any time and can
//! fail: callers wait no longer than a limit, and answers and failures are cached for a while.

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

/// Result of looking up a name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// Its first IPv4 address.
    Address(Ipv4Addr),
    /// It has none, or the look-up failed.
    Nothing,
    /// No answer in time. The look-up continues, and a later caller may get its answer at once.
    Late,
}

/// Looks up names for all transactions.
pub trait Resolver: Send + Sync + fmt::Debug {
    /// Looks up a name, which ends with a dot.
    fn resolve(&self, name: &str) -> Answer;
}
