//! A web application firewall as a [Tower](https://docs.rs/tower) layer: takes requests and responses of `http` types, and gives them to the inner
//! service or to the client if no rule stops them.
//!
//! It works with every server of `http` types: axum, hyper, tonic, warp. Rules are those of ModSecurity v3, such as the OWASP CRS.
//!
//! ```
//! use secrule_tower::{Connection, WafLayer};
//! use std::net::SocketAddr;
//! use tower::{Service as _, ServiceBuilder, ServiceExt as _};
//!
//! # let _ = || async {
//! let waf = secrule::Waf::from_rules(r#"
//!     SecRuleEngine On
//!     SecRequestBodyAccess On
//!     SecRule ARGS "@detectSQLi" "id:1,phase:2,deny,log,msg:'SQL injection'"
//! "#)?;
//! // The server knows who is at the other end: axum in its `ConnectInfo`, hyper where it accepts a connection.
//! let layer = WafLayer::new(waf, |head| {
//!     let client = head.extensions.get().copied().unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)));
//!     Connection::new(client, ([127, 0, 0, 1], 8080).into())
//! });
//! let mut service = ServiceBuilder::new().layer(layer).service_fn(async |_| Ok::<_, std::io::Error>(http::Response::new(String::new())));
//! let attack = http::Request::get("/?id=1%27%20OR%20%271%27=%271").body(String::new())?;
//! let response = service.ready().await?.call(attack).await?;
//! assert_eq!(response.status(), 403);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # };
//! ```
//!
//! # Bodies
//!
//! A body is read only if a rule may look at it, only up to the limit of the rules, and it is held back only while a rule may still stop it:
//!
//! | rules | request | response |
//! | --- | --- | --- |
//! | look at no body of this type | passes as it comes | passes as it comes: events, downloads, upgrades, gRPC |
//! | look at it, but cannot stop it, as in `DetectionOnly` | passes as it comes, and is judged at its end | the same |
//! | may stop it | is held up to `SecRequestBodyLimit`, is judged, passes | is held up to `SecResponseBodyLimit`, is judged, passes |
//!
//! Without an action for its limit (`SecRequestBodyLimitAction`, `SecResponseBodyLimitAction`) a body has no end for the rules. A held body then may have
//! [`WafLayer::held_limit`] bytes; a longer request is answered with 413, a longer response with 502. Frames and trailers reach the other side as they came.
//! A body that fails before its end is judged as far as it came, and then fails for the inner service in the same way.
//!
//! A response with a content encoding cannot be inspected. Therefore the layer removes `Accept-Encoding` from requests while rules inspect responses: put a
//! layer that compresses outside of this one.
//!
//! # Time
//!
//! Most requests are judged in microseconds, on the thread that polls the service. Bodies from [`WafLayer::blocking_from`] bytes on are judged where tokio
//! allows blocking, if the service runs in tokio. Rules that wait for others, such as for a store in Redis or in a Lua script, wait on the thread that
//! judges: with `blocking_from(0)` all bodies are judged where blocking is allowed, and `SecStoreCallLimit` bounds the rest.
//!
//! # An exchange
//!
//! Errors of the inner service stay as they are. Handlers find an [`Inspection`] among the extensions of the request; so do outer layers in the response.
//! An exchange that is cancelled, because the future or the body of the response is dropped, ends then, and is logged once.

#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::todo, clippy::unreachable, clippy::unwrap_used)]
#![cfg_attr(test, allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used))]

mod answer;
mod cookies;
mod exchange;
mod hold;
mod inspection;
mod layer;
mod options;
mod pieces;
mod request_body;
mod response_body;
mod service;

pub use answer::Refusal;
pub use inspection::{Inspection, RequestMatch};
pub use layer::WafLayer;
pub use request_body::RequestBody;
pub use response_body::ResponseBody;
#[doc(no_inline)]
pub use secrule::{Connection, Waf};
pub use service::WafService;

/// Parts for hosts that are not Tower services, such as `secrule-pingora`: an exchange, its end, and its answer when it is refused.
pub mod host {
    pub use crate::answer::{Page, plain_page};
    pub use crate::cookies::joined_cookies;
    pub use crate::exchange::Exchange;
    pub use crate::options::Options;
    pub use crate::pieces::Pieces;

    /// Default maximum number of bytes of a body that is held back while rules may stop it, where the limits of the rules are larger, or have no action.
    pub const HELD_LIMIT: usize = 128 << 20;

    /// Default number of bytes from which on a body is judged where tokio allows blocking: that takes about a millisecond.
    pub const BLOCKING_FROM: usize = 64 << 10;
}

// The Rust on pages of the manual compiles, and runs.
#[cfg(doctest)]
mod manual {
    #[doc = include_str!("../../../docs/start/crate.md")]
    mod the_crate {}
    #[doc = include_str!("../../../docs/start/layer.md")]
    mod the_layer {}
}
