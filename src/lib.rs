//! `secrule` is a web application firewall engine that speaks ModSecurity's rule language.
//!
//! ```
//! use secrule::Waf;
//!
//! let waf = Waf::from_rules(r#"
//!     SecRuleEngine On
//!     SecRule ARGS "@detectSQLi" "id:1,phase:2,deny,status:403,msg:'SQL injection'"
//! "#)?;
//! let mut transaction = waf.transaction();
//! let mut judge = || {
//!     transaction.process_connection("192.0.2.1", 40000, "192.0.2.2", 443).into_result()?;
//!     transaction.process_uri(b"/?id=1%27%20OR%20%271%27=%271", b"GET", b"HTTP/1.1").into_result()?;
//!     transaction.add_request_header(b"Host", b"shop.example");
//!     transaction.process_request_headers().into_result()?;
//!     transaction.process_request_body().into_result()
//! };
//! assert_eq!(judge().unwrap_err().status, 403);
//! transaction.process_logging();
//! # Ok::<(), secrule::LoadError>(())
//! ```
//!
//! An intervention stays: whatever the host calls next gives it again, and [`Transaction::verdict`] does at any time.
//!
//! Text becomes a tree as written ([`seclang`]), the tree becomes a graph as meant ([`compile`], [`graph`]), and a [`Transaction`] borrows the
//! graph and judges one request. [`Waf`] is the handle that a host keeps.

#![forbid(unsafe_code)]
#![warn(missing_docs)]
// No input may make the engine panic: what can is denied outside of tests.
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::todo, clippy::unreachable, clippy::unwrap_used)]

mod body;
pub mod compile;
pub mod diagnostic;
mod engine;
mod escape;
pub mod graph;
mod http;
// What scripts may ask stands idle in a build that runs none.
#[cfg_attr(not(feature = "lua"), allow(dead_code))]
mod lua;
pub mod metrics;
pub mod operator;
pub mod pattern;
pub mod prefilter;
pub mod record;
pub mod resolver;
pub mod script;
pub mod seclang;
pub mod source;
mod starter;
mod state;
pub mod store;
mod transaction;
pub mod transform;
pub mod vocabulary;
mod waf;

pub use compile::{LoadError, LoadReport};
pub use state::{DebugLog, Intervention, MatchedValue, RuleMatch, ScriptFailure, Verdict};
pub use transaction::Transaction;
pub use waf::{Waf, WafBuilder};
