//! Parses a complete request body into named values and flags for oddities; takes bytes, gives values that borrow from them, and may import `http`.
//!
//! A body is one contiguous buffer, so no parser can depend on how it was cut on the wire; lines of a multipart body that may be boundaries are found
//! while it arrives. Every parser is linear in the body's length, does not recurse, and keeps the values before an error. A body of a type without a
//! parser here stays as it is: rules see it as `REQUEST_BODY` only.

mod error;
pub mod json;
pub mod multipart;
pub mod urlencoded;
pub mod xml;

pub use error::BodyError;
