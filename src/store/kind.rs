//! Stores that rules name by an address: `SecCollectionStore lmdb:/var/lib/waf/store.mdb`.

use super::Store;
use std::sync::Arc;

/// A kind of store outside of the process, which [`WafBuilder::store_kind`](crate::WafBuilder::store_kind) makes known to rules.
#[derive(Clone, Copy, Debug)]
pub struct StoreKind {
    /// Beginnings of its addresses, up to the first colon: `redis` and `rediss`.
    pub schemes: &'static [&'static str],
    /// Makes a store for an address. It connects to nothing and opens nothing: a host may load rules and then fork.
    pub make: fn(address: &str) -> Result<Arc<dyn Store>, BadAddress>,
}

/// An address that a kind of store does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}: {remedy}")]
pub struct BadAddress {
    /// The problem, without a password that the address may hold.
    pub problem: String,
    /// One step that mends it.
    pub remedy: String,
}

impl StoreKind {
    /// Returns the beginning of an address up to the first colon.
    pub fn scheme(address: &str) -> &str {
        address.split(':').next().unwrap_or(address)
    }
}

impl BadAddress {
    /// An address with a problem, and one step that mends it.
    pub fn new(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { problem: problem.into(), remedy: remedy.into() }
    }
}
