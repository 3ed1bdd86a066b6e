//! Questions of other proxies: each describes a request that the proxy received, and the answer says if it may pass.
//!
//! ```text
//! client ─ proxy ─ upstream
//!            │ question: method, target, headers, client, perhaps the body
//!          Listener ─ protocol ─ Judge ─ answer
//! ```
//!
//! | module | takes → gives |
//! | --- | --- |
//! | `forward_auth` | questions of Caddy, Traefik and nginx, which have no bodies → answers that they understand |
//! | `appsec` | questions in the protocol of CrowdSec's bouncers, with bodies → its answers |
//! | `listener` | a socket → the answers of one of them |
//! | `head` | a request line and headers → what rules see, with the framing that the proxy took away |
//! | `judge` | a question → a decision, by the rules and the policy for bodies that did not come |
//! | `counts` | decisions → numbers |
//! | `rules` | the head of a request → the rules of its site and path |
//! | `notes` | what an operator should know → a line, not too often |
//!
//! A rule cannot stop what it does not see. If rules need a body, or more of it, and the proxy did not send it, the policy [`HiddenBody`] decides, and
//! the question is counted.

mod appsec;
mod counts;
mod forward_auth;
mod head;
mod judge;
mod listener;
mod notes;
mod rules;

pub use appsec::Key;
pub use counts::{Counted, Counts, Protocol};
pub use head::Head;
pub use judge::{Answer, Decision, HiddenBody, Judge, Part, Question};
pub use listener::{Asked, Listener, ListenerSettings};
pub use notes::{Kind, Notes};
pub use rules::QuestionRules;
#[doc(no_inline)]
pub use secrule_tower::host::{BLOCKING_FROM, HELD_LIMIT};
