//! Options of a host: what it tells of a request, and how much it holds back.

use crate::answer::{Page, plain_page};
use crate::host::{BLOCKING_FROM, HELD_LIMIT};
use secrule::{Connection, Waf};
use std::sync::Arc;

/// Tells the ends of a request's connection.
type Connect<R> = dyn Fn(&R) -> Connection + Send + Sync;

/// Chooses the rules of a request.
type Choose<R> = dyn Fn(&R) -> Option<Waf> + Send + Sync;

/// Options of a host whose requests are described by `R`.
pub struct Options<R> {
    /// Returns the ends of a request's connection.
    pub connection: Arc<Connect<R>>,
    /// Returns the rules of a request; `None` for those of the host.
    pub rules_by: Option<Arc<Choose<R>>>,
    /// Returns the page of a request that is refused.
    pub page: Arc<Page>,
    /// Maximum number of bytes of a body that is held back.
    pub held_limit: usize,
    /// Number of bytes from which on a body is judged where tokio allows blocking.
    pub blocking_from: usize,
}

impl<R> Options<R> {
    /// Makes options with the defaults of all others.
    pub fn new(connection: impl Fn(&R) -> Connection + Send + Sync + 'static) -> Self {
        Self {
            connection: Arc::new(connection),
            rules_by: None,
            page: Arc::new(plain_page),
            held_limit: HELD_LIMIT,
            blocking_from: BLOCKING_FROM,
        }
    }
}

// A derived one would need an `R` that can be cloned.
impl<R> Clone for Options<R> {
    fn clone(&self) -> Self {
        Self { connection: Arc::clone(&self.connection), rules_by: self.rules_by.clone(), page: Arc::clone(&self.page), ..*self }
    }
}

impl<R> std::fmt::Debug for Options<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("held_limit", &self.held_limit).field("blocking_from", &self.blocking_from).finish_non_exhaustive()
    }
}
