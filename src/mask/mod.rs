//! Covers secrets in texts of a request before they are written to a log: takes a text and the names or values that are secret, gives the text with a
//! `*` for each byte of a secret; imports `body` and `http`.
//!
//! A secret is covered in two ways, because either alone would miss some:
//!
//! * **In its own place.** The query, the cookies and the body are read as a server reads them, and the value of each name that is secret is covered,
//!   however the client encoded it and whatever it is: [`cover_arguments`], [`cover_cookies`], [`cover_json`], [`cover_multipart`], [`cover_xml`].
//! * **Elsewhere.** [`Needles`] are searched for in the whole text: as they are, and in the text without the usual encodings ([`views`](self)), since the
//!   same value may be in the `Referer` header, in another argument or in the response.
//!
//! ```text
//! needles: s3cret@1     text:  /?next=%2Flogin%3Fp%3Ds3cret%25401&x=1
//! decoded once:                /?next=/login?p=s3cret%401&x=1
//! decoded twice:               /?next=/login?p=s3cret@1&x=1
//! covered:                     /?next=%2Flogin%3Fp%3D************&x=1
//! ```
//!
//! A text that cannot be read is covered as a whole by the caller. The work is linear in the text, up to a factor; a text that would take more is covered
//! as a whole too.

mod form;
mod json;
mod multipart;
mod needles;
mod places;
mod views;
mod xml;

pub use form::{cover_arguments, cover_cookies, cover_set_cookie};
pub use json::cover_json;
pub use multipart::cover_multipart;
pub use needles::{Choice, Kept, Needles};
pub use places::Mask;
pub use xml::{cover_xml, xml_pieces};
