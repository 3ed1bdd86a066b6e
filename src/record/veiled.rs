//! Texts of an exchange as logs show them: without its secrets.
//!
//! [`Veiled`] has the same accessors as [`Transaction`], which returns texts as received. Of a rule set without secrets both return the same bytes.

use crate::state::Veil;
use crate::transaction::Transaction;
use std::borrow::Cow;

/// An exchange without its secrets.
#[derive(Clone, Copy)]
pub struct Veiled<'a> {
    transaction: &'a Transaction,
    veil: Option<Veil<'a>>,
}

/// Bytes that are shown.
type Shown<'a> = Cow<'a, [u8]>;

impl<'a> Veiled<'a> {
    pub fn new(transaction: &'a Transaction) -> Self {
        Self { transaction, veil: transaction.veil() }
    }

    /// Returns the target of the request.
    pub fn target(self) -> Shown<'a> {
        self.veil.map_or(Cow::Borrowed(self.transaction.target()), Veil::target)
    }

    /// Returns the decoded path of the request.
    pub fn path(self) -> Shown<'a> {
        self.veil.map_or(Cow::Borrowed(self.transaction.path()), Veil::path)
    }

    /// Returns names and values of the request headers, in the order of their arrival.
    pub fn request_headers(self) -> impl Iterator<Item = (Shown<'a>, Shown<'a>)> {
        self.transaction.request_headers().map(move |(name, value)| match self.veil {
            Some(veil) => (veil.text(name), veil.request_header(name, value)),
            None => (Cow::Borrowed(name), Cow::Borrowed(value)),
        })
    }

    /// Returns the request body, as far as it was kept.
    pub fn request_body(self) -> Shown<'a> {
        self.veil.map_or(Cow::Borrowed(self.transaction.request_body_bytes()), Veil::request_body)
    }

    /// Returns names and values of the response headers, in the order of their arrival.
    pub fn response_headers(self) -> impl Iterator<Item = (Shown<'a>, Shown<'a>)> {
        self.transaction.response_headers().map(move |(name, value)| match self.veil {
            Some(veil) => (veil.text(name), veil.response_header(name, value)),
            None => (Cow::Borrowed(name), Cow::Borrowed(value)),
        })
    }

    /// Returns the response body, as far as it was kept.
    pub fn response_body(self) -> Shown<'a> {
        self.veil.map_or(Cow::Borrowed(self.transaction.response_body_bytes()), Veil::response_body)
    }

    /// Returns the user name that the client sent, if any.
    pub fn remote_user(self) -> Option<Shown<'a>> {
        match self.veil {
            Some(veil) => veil.remote_user(),
            None => self.transaction.remote_user().map(Cow::Borrowed),
        }
    }

    /// Returns another text that may contain a value of the request.
    pub fn text<'t>(self, text: &'t [u8]) -> Shown<'t> {
        self.veil.map_or(Cow::Borrowed(text), |veil| veil.text(text))
    }
}
