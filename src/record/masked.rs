//! Texts of an exchange as logs show them: without its secrets.
//!
//! [`MaskedExchange`] has the same accessors as [`Transaction`], which returns texts as received. Of a rule set without secrets both return the same
//! bytes.

use crate::state::Masking;
use crate::transaction::Transaction;
use std::borrow::Cow;

/// An exchange without its secrets.
#[derive(Clone, Copy)]
pub struct MaskedExchange<'a> {
    transaction: &'a Transaction,
    masking: Option<Masking<'a>>,
}

/// Bytes that are shown.
type Shown<'a> = Cow<'a, [u8]>;

impl<'a> MaskedExchange<'a> {
    /// Covers the secrets of an exchange as they are known so far.
    pub fn new(transaction: &'a Transaction) -> Self {
        Self { transaction, masking: transaction.masking() }
    }

    /// Returns the target of the request.
    pub fn target(self) -> Shown<'a> {
        self.masking.map_or(Cow::Borrowed(self.transaction.target()), Masking::target)
    }

    /// Returns the decoded path of the request.
    pub fn path(self) -> Shown<'a> {
        self.masking.map_or(Cow::Borrowed(self.transaction.path()), Masking::path)
    }

    /// Returns names and values of the request headers, in the order of their arrival.
    pub fn request_headers(self) -> impl Iterator<Item = (Shown<'a>, Shown<'a>)> {
        self.transaction.request_headers().map(move |(name, value)| match self.masking {
            Some(masking) => (masking.text(name), masking.request_header(name, value)),
            None => (Cow::Borrowed(name), Cow::Borrowed(value)),
        })
    }

    /// Returns the request body, as far as it was kept.
    pub fn request_body(self) -> Shown<'a> {
        self.masking.map_or(Cow::Borrowed(self.transaction.request_body_bytes()), Masking::request_body)
    }

    /// Returns names and values of the response headers, in the order of their arrival.
    pub fn response_headers(self) -> impl Iterator<Item = (Shown<'a>, Shown<'a>)> {
        self.transaction.response_headers().map(move |(name, value)| match self.masking {
            Some(masking) => (masking.text(name), masking.response_header(name, value)),
            None => (Cow::Borrowed(name), Cow::Borrowed(value)),
        })
    }

    /// Returns the response body, as far as it was kept.
    pub fn response_body(self) -> Shown<'a> {
        self.masking.map_or(Cow::Borrowed(self.transaction.response_body_bytes()), Masking::response_body)
    }

    /// Returns the user name that the client sent, if any.
    pub fn remote_user(self) -> Option<Shown<'a>> {
        match self.masking {
            Some(masking) => masking.remote_user(),
            None => self.transaction.remote_user().map(Cow::Borrowed),
        }
    }

    /// Returns another text that may contain a value of the request.
    pub fn text<'t>(self, text: &'t [u8]) -> Shown<'t> {
        self.masking.map_or(Cow::Borrowed(text), |masking| masking.text(text))
    }
}
