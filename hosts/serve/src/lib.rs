//! A reverse proxy with a web application firewall: takes connections, gives requests that no rule stops to an upstream, and its answers to the client.
//!
//! ```text
//! client ─ Listener ─ TLS ─ HTTP/1.1, HTTP/2 ─ Sites ─ WafService ─ Proxy ─ upstream
//! ```
//!
//! | module | takes → gives |
//! | --- | --- |
//! | `settings` | what an operator says → addresses, timeouts, trusted peers |
//! | `server` | sites and settings → a server that runs until it is told to end |
//! | `error` | a failed start → its reason and remedy |
//! | `listener` | an address → a socket, and its connections |
//! | `permit` | the limit of connections → a permit for each, which ends with the last thing on it |
//! | `sockets` | connections, as many as there are permits → their requests; and their end |
//! | `progress` | what exchanges of a connection wait for → the end of a connection whose client does nothing |
//! | `first_bytes` | a connection → the same, or its end if the client says nothing |
//! | `tls` | files of certificates, and the name that a client asks for → the certificate that it sees |
//! | `sites` | sites with their hosts and paths, and the head of a request → its rules and its upstream |
//! | `host` | the head of a request → the one host that it names |
//! | `path` | the path of a request → the prefix that it begins with in all readings |
//! | `forwarded` | a peer and its headers → the client, and headers that the upstream may believe |
//! | `proxy` | a request → the upstream's answer, or 502 and 504 |
//! | `sent_body` | a body → the same body, and how long the upstream alone is waited for |
//! | `slow_body` | a body → the same body, or an error if its sender is too slow |
//! | `counters` | what happens to connections and upstreams → numbers for operators |
//! | `probes` | rules and numbers → metrics, and if the server is ready |
//! | `tunnel` | an upgrade that both sides want → bytes both ways |
//! | [`questions`] | descriptions of requests from other proxies → answers that let them pass or not |
//! | `demo` | a request → a page, where no upstream is named |
//! | `admin` | the operator's browser → recent events, rules, bans, scripts |
//!
//! Nothing here judges: that is the layer of `secrule-tower`.

#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::todo, clippy::unreachable, clippy::unwrap_used)]
#![cfg_attr(test, allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used))]

mod admin;
mod counters;
mod demo;
mod error;
mod first_bytes;
mod forwarded;
mod host;
mod listener;
mod path;
mod permit;
mod probes;
mod progress;
mod proxy;
pub mod questions;
mod sent_body;
mod server;
mod settings;
mod sites;
mod slow_body;
mod sockets;
mod tls;
mod tunnel;

pub use admin::{Admin, AdminServer, AdminSettings, EventMatch, EventValue, RecentEvent, RecentEvents, Scripts};
pub use counters::Counters;
pub use error::ServeError;
pub use host::{BadHost, HostPattern};
#[doc(no_inline)]
pub use ipnet::IpNet;
pub use path::{BadPrefix, PathPrefix};
pub use probes::{Probes, Readiness};
#[doc(no_inline)]
pub use secrule_metrics::{Metrics, Names as MetricsNames, Options as MetricsOptions};
pub use server::{Server, SitesHandle};
pub use settings::{Settings, Timeouts, TlsFiles, Upstream};
pub use sites::{Site, SitePath, Sites};
pub use slow_body::TimedBody;
pub use sockets::{HttpVersions, RequestBytes, Sockets, Stopper};
