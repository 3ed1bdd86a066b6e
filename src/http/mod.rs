//! Splits the head of a request (target, query, cookies, a few headers) once, with flags for oddities, and writes addresses for a response; imports
//! nothing from other rooms.
//!
//! Everything here takes and returns bytes and borrows from its input: a value is copied only if decoding changes it. Nothing fails: odd input is
//! split as ModSecurity v3 splits it, and flagged.

pub mod arguments;
pub mod authorization;
pub mod blank;
pub mod charset;
pub mod content_type;
pub mod cookies;
pub mod forwarded;
pub mod host;
pub mod location;
pub mod request_target;
pub mod url;
