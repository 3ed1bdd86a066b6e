//! A reverse proxy with a web application firewall: takes connections, gives requests that no rule stops to an upstream, and its answers to the client.
//!
//! ```text
//! client ─ Listener ─ TLS ─ HTTP/1.1, HTTP/2 ─ WafService ─ Proxy ─ upstream
//! ```
//!
//! | module | takes → gives |
//! | --- | --- |
//! | `settings` | what an operator says → addresses, timeouts, trusted peers |
//! | `listener` | sockets → connections, as many as the limit allows |
//! | `first_bytes` | a connection → the same, or its end if the client says nothing |
//! | `tls` | files of certificates → what clients see |
//! | `forwarded` | a peer and its headers → the client, and headers that the upstream may believe |
//! | `proxy` | a request → the upstream's answer, or 502 and 504 |
//! | `slow_body` | a body → the same body, or an error if its sender is too slow |
//! | `tunnel` | an upgrade that both sides want → bytes both ways |
//! | `demo` | a request → a page, where no upstream is named |
//!
//! Nothing here judges: that is the layer of `secrule-tower`.

#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::todo, clippy::unreachable, clippy::unwrap_used)]
#![cfg_attr(test, allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used))]

mod demo;
mod error;
mod first_bytes;
mod forwarded;
mod listener;
mod proxy;
mod server;
mod settings;
mod slow_body;
mod tls;
mod tunnel;

pub use error::ServeError;
#[doc(no_inline)]
pub use ipnet::IpNet;
pub use server::{Server, Stopper};
pub use settings::{Settings, Timeouts, TlsFiles, Upstream};
