//! The script host: takes the records of exchanges from the workers of a server, gives them to worlds of scripts that run beside requests.
//!
//! A server has several processes that judge requests, and scripts that count requests must see all of them. So there is one host for a machine: it loads
//! the same rule files as the server, binds the socket of `SecPluginHost`, and runs the scripts of `SecPlugin` and `SecExtension`, each kind in its
//! [`World`]. What scripts decide goes into the store, where every worker finds it. If the host ends, requests go on; started again, it finds in the store
//! what the scripts kept there.
//!
//! ```text
//! worker ─ datagrams ┐            ┌ World::take ─ plugins
//! worker ─ datagrams ┴ Intake ─ Host            │
//!                                 └ World::take ─ extensions ─ bans, lists, maps ─ Store ─ workers
//! ```
//!
//! A program with one process runs the same host on threads of its own: [`Intake::local`] is its way in.
//!
//! Where several machines share a store, each has a host. One of them [leads](Leadership): what must happen once runs there.

#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::todo, clippy::unreachable, clippy::unwrap_used)]
#![cfg_attr(test, allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used))]

mod error;
mod host;
mod intake;
mod leadership;
mod log;
mod nodes;
pub mod outgoing;
mod rate;
mod services;
mod socket;
mod status;
pub mod timed;
mod world;

pub use error::HostError;
pub use host::Host;
pub use intake::{Intake, LocalLink};
pub use leadership::Leadership;
pub use log::{LogLine, ScriptLog, ScriptName};
pub use nodes::NodeEvent;
pub use outgoing::{Allowed, Body, Connection, HeaderList, Outgoing, Request, Response};
pub use services::{Exchange, Services};
pub use socket::SocketOptions;
pub use status::{Status, ask_status, status_path};
pub use world::World;
