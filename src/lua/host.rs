//! The host of a script, which answers its questions.

use super::budget::Budget;
use super::name::{Chain, VariableName};
use std::borrow::Cow;

/// A question of a script to its host.
#[derive(Debug)]
#[non_exhaustive]
pub enum Question<'a> {
    /// `log` and `m.log`: a message with its level.
    Log(i64, &'a [u8]),
    /// `m.getvar`: a variable, after transformations.
    Variable(&'a VariableName, &'a Chain),
    /// `m.getvars`: all values that a variable selects, after transformations.
    Variables(&'a VariableName, &'a Chain),
    /// `m.setvar`: a variable and its value.
    SetVariable(&'a VariableName, &'a [u8]),
    /// `request.…`: a field.
    Field(&'a [u8]),
    /// `request.headers`
    Headers,
    /// `socket.dns`: the addresses of a host name.
    AddressesOf(&'a [u8]),
    /// `socket.dns`: the names of an address.
    NamesOf(&'a [u8]),
    /// `is_ip_blacklisted`, `is_ip_whitelisted`: an address, a site, and `true` for the whitelist.
    IsListed(&'a [u8], Option<f64>, bool),
    /// `ban_ip`: an address, a site, minutes.
    Ban(&'a [u8], Option<f64>, Option<f64>),
    /// `unban_ip`: an address, a site.
    Unban(&'a [u8], Option<f64>),
    /// `is_rate_limited`: an address, a site.
    IsRateLimited(&'a [u8], Option<f64>),
    /// `is_verified_crawler`: an address, a user agent, exempts, minutes.
    IsVerifiedCrawler(&'a [u8], &'a [u8], Vec<Vec<u8>>, f64),
}

/// An answer to a question.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reply<'a> {
    /// Nothing: `nil`.
    Nothing,
    /// A boolean.
    Truth(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(Cow<'a, [u8]>),
    /// Names and values.
    Pairs(Vec<(Vec<u8>, Vec<u8>)>),
    /// Texts.
    List(Vec<Vec<u8>>),
    /// The question is invalid: an error of the script.
    Senseless(String),
}

/// Answers a script's questions.
pub trait Host {
    /// Answers a question. Its cost is charged to the budget.
    fn answer(&mut self, question: Question<'_>, budget: &Budget) -> Reply<'_>;

    /// Called at the end with the number of instructions of the call, to some hundreds.
    fn spent(&mut self, instructions: u64);
}
