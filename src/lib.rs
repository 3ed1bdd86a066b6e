//! A web application firewall as a library: it runs the rules of ModSecurity v3 and of the OWASP CRS on requests and responses.
//!
//! ```
//! # let folder = std::env::temp_dir().join(format!("secrule-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(folder.join("rules"))?;
//! # std::fs::write(folder.join("crs-setup.conf"), "")?;
//! # std::fs::write(folder.join("rules/1.conf"), "SecRule ARGS \"@detectSQLi\" \"id:1,phase:2,deny,log,msg:'SQL injection'\"")?;
//! # let (crs, main) = (&folder, folder.join("crs-setup.conf"));
//! # let (client, server) = ("192.0.2.7:40000".parse()?, "198.51.100.1:443".parse()?);
//! # let (parts, body) = http::Request::post("/?id=1%27%20OR%20%271%27=%271").body(["a=".as_bytes(), b"b"])?.into_parts();
//! use secrule::{Connection, Waf};
//!
//! let waf = Waf::builder().crs(crs).paranoia(1).file(main).build()?;
//! let mut tx = waf.begin(Connection::new(client, server));
//! let mut judge = || {
//!     tx.request_head(&parts)?;
//!     for chunk in body {
//!         tx.request_body(chunk)?;
//!     }
//!     tx.request_end()
//! };
//! let verdict = judge(); // Err(Stop) has the answer for the client: `stop.status()`
//! # assert_eq!(verdict.unwrap_err().status(), 403);
//! let outcome = tx.finish();
//! for found in outcome.matches() {
//!     println!("rule {}: {}", found.id(), found.message());
//! }
//! # assert_eq!(outcome.matches().count(), 1);
//! # std::fs::remove_dir_all(folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The parts
//!
//! | to | use |
//! | --- | --- |
//! | load rules, and replace them while requests run | [`Waf`], [`WafBuilder`], [`LoadError`], [`LoadReport`] |
//! | judge one request and its response | [`Connection`], [`Transaction`], [`BodyNeed`] |
//! | stop an exchange | [`Stop`], [`Intervention`], [`Action`] |
//! | read what matched | [`Outcome`], [`Match`], [`MatchedValue`], [`Rule`] |
//! | receive events | [`Observer`], the feature `tracing` |
//! | write logs to other places than files | [`AuditLog`], [`audit_record()`], [`DebugLog`] |
//! | share state between processes | [`Store`] |
//!
//! # Streaming
//!
//! A host need not collect a body that no rule inspects. After the head, [`Transaction::request_body_need`] returns the part of the body that the
//! engine needs, and if chunks may be forwarded at once; [`Transaction::response_body_need`] does the same for the response.
//!
//! # Features
//!
//! | feature | default | adds |
//! | --- | --- | --- |
//! | `lua` | yes | `SecRuleScript`, `exec` of Lua scripts, decision scripts. It builds LuaJIT, which needs a C compiler |
//! | `remote` | no | rules, data and audit records over https |
//! | `xml-validation` | no | `@validateDTD` and `@validateSchema`: checks of XML bodies against a DTD or a schema |
//! | `tracing` | no | a span for each exchange, and an event for each match |
//!
//! Rules that need a missing feature are an error at load.

#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]
// No input may make the engine panic: code that can panic is denied outside of tests.
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::todo, clippy::unreachable, clippy::unwrap_used)]

mod body;
mod compile;
mod core_rule_set;
mod diagnostic;
mod encoding;
mod engine;
mod escape;
mod exchange;
mod graph;
mod http;
// A build without scripts does not use their host functions.
#[cfg_attr(not(feature = "lua"), allow(dead_code))]
mod lua;
mod mask;
mod metrics;
mod once_per_process;
mod operator;
mod pattern;
mod prefilter;
mod random;
mod record;
mod resolver;
mod script;
mod seclang;
mod source;
mod starter;
mod state;
mod store;
mod transaction;
mod transform;
mod vocabulary;
mod waf;

pub use compile::{LoadError, LoadReport, SourceReport};
pub use diagnostic::{LocatedDiagnostic, Severity};
pub use graph::{AuditFormat, Pace, PersistentCollection, Phase, SiteId};
pub use record::audit::record as audit_record;
pub use resolver::{Answer, Resolver};
pub use state::{Action, DebugLog, Intervention, ScriptFailure};
pub use store::{
    AddError, BadAddress, Ban, Down, Full, ListError, MemoryStore, Quota, Rate, RecordHistory, RecordKey, RequestKey, Store, StoreKind,
    StoreLimits, Update, Variables, WriteError,
};
pub use transaction::{AuditLog, BodyNeed, Connection, Match, MatchedValue, Misuse, Observer, Outcome, Rule, RuleTime, Stop, Transaction};
pub use vocabulary::Limit;
pub use waf::{EventError, Waf, WafBuilder};

/// The engine's rooms, for the members of this workspace and their tests. Nothing here is part of the public interface.
#[doc(hidden)]
pub mod internals {
    pub use crate::state::{RuleMatch, Verdict};
    pub use crate::waf::open_store;

    macro_rules! rooms {
        ($($room:ident)+) => {
            $(pub mod $room {
                pub use crate::$room::*;
            })+
        };
    }

    rooms! {
        compile core_rule_set diagnostic escape exchange graph lua metrics once_per_process operator pattern prefilter random record resolver script seclang source store
        transform vocabulary
    }
}

// A host moves transactions between threads, and shares rule sets.
const _: fn() = || {
    fn is_shared<T: Send + Sync + Unpin + 'static>() {}
    is_shared::<Waf>();
    is_shared::<Transaction>();
    is_shared::<Outcome>();
    is_shared::<Stop>();
    is_shared::<LoadError>();
};
