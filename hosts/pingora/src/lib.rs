//! A web application firewall for proxies on [Pingora](https://docs.rs/pingora): a [`WafProxy`] around an implementation of `ProxyHttp` gives requests and
//! responses to it, or to the client, if no rule stops them. Rules are those of ModSecurity v3, such as the OWASP CRS.
//!
//! ```
//! use async_trait::async_trait;
//! use pingora_core::{Result, upstreams::peer::HttpPeer};
//! use pingora_proxy::{ProxyHttp, Session};
//! use secrule_pingora::{Waf, WafProxy};
//!
//! struct Shop;
//!
//! #[async_trait]
//! impl ProxyHttp for Shop {
//!     type CTX = ();
//!     fn new_ctx(&self) {}
//!     async fn upstream_peer(&self, _: &mut Session, _: &mut ()) -> Result<Box<HttpPeer>> {
//!         Ok(Box::new(HttpPeer::new("127.0.0.1:3000", false, String::new())))
//!     }
//! }
//!
//! let waf = Waf::builder().starter_rules().build()?;
//! let server = pingora_core::server::Server::new(None)?;
//! let service = pingora_proxy::http_proxy_service(&server.configuration, WafProxy::new(Shop, waf));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! It is a proxy around a proxy, and not a set of functions for hooks, because a hook that somebody forgets would be a way past the rules. All hooks of the
//! inner proxy are called as Pingora calls them. With the feature `upstream_modules` of Pingora, set that of this crate, too.
//!
//! # An exchange
//!
//! | hook | the firewall |
//! | --- | --- |
//! | `request_filter` | judges head and body, before the inner hook: a refused request reaches neither the cache nor an upstream |
//! | `upstream_request_filter` | removes `Accept-Encoding` if rules inspect responses, after the inner hook |
//! | `request_body_filter` | shows rules what they cannot stop, before the inner hook |
//! | `response_filter`, `response_body_filter` | judge the response that the client would get, after the inner hooks |
//! | `logging` | ends the exchange, before the inner hook |
//!
//! Hooks find an [`Inspection`] among the extensions of `session.req_header()`: the rules that matched in the request, and in `logging` the outcome. A request
//! that is cancelled without `logging` ends with its [`WafContext`], and is logged once.
//!
//! # Bodies
//!
//! A body is read only if a rule may look at it, only up to the limit of the rules, and it is held back only while a rule may still stop it. A response that
//! no rule looks at passes at once: events, downloads, gRPC. An upgraded connection is not judged, and may end early: see
//! `LIMITS.md`. A module of Pingora that compresses responses does so after they are judged.

#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::todo, clippy::unreachable, clippy::unwrap_used)]
#![cfg_attr(test, allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used))]

mod answer;
mod context;
mod firewall;
mod held_session;
mod options;
mod proxy;
mod request;
mod response;

pub use context::WafContext;
pub use firewall::WafProxy;
#[doc(no_inline)]
pub use secrule::{Connection, Waf};
#[doc(no_inline)]
pub use secrule_tower::{Inspection, Refusal, RequestMatch};

// The Rust on the page of the manual compiles, and runs.
#[cfg(doctest)]
mod manual {
    #[doc = include_str!("../../../docs/start/pingora.md")]
    mod the_proxy {}
}
