//! A web application firewall for proxies on [Pingora](https://docs.rs/pingora).

#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::todo, clippy::unreachable, clippy::unwrap_used)]
#![cfg_attr(test, allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used))]

mod answer;
mod context;
mod firewall;
mod held_session;
mod options;
mod pieces;
mod proxy;
mod request;
mod response;

pub use context::WafContext;
pub use firewall::WafProxy;
#[doc(no_inline)]
pub use secrule::{Connection, Waf};
#[doc(no_inline)]
pub use secrule_tower::{Inspection, Refusal, RequestMatch};
