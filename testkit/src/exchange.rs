//! Rules with their files, and requests that they judge.

use crate::host::Exchange;
use crate::messages::Messages;
use secrule::internals::source::Memory;
use secrule::{Intervention, Transaction, Waf};
use std::sync::Arc;

/// A rule set, and its debug messages.
pub struct Rules {
    pub waf: Waf,
    pub messages: Arc<Messages>,
}

/// A request.
#[derive(Clone, Copy, Default)]
pub struct Request<'a> {
    pub client: &'a str,
    pub target: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: Option<&'a str>,
    /// The site that the host sets, if any.
    pub site: Option<u64>,
}

/// A judged request.
pub struct Judged {
    pub interventions: Vec<Intervention>,
    pub transaction: Transaction,
}

impl Rules {
    /// Loads rules with these scripts and other files; the debug log is kept up to a level.
    #[track_caller]
    pub fn at_level(level: u8, rules: &str, files: &[(&str, &str)]) -> Self {
        let messages = Messages::up_to(level);
        let memory = files.iter().fold(Memory::new(), |memory, (name, text)| memory.with(name, *text));
        let text = format!("SecRuleEngine On\nSecRequestBodyAccess On\nSecResponseBodyAccess On\n{rules}");
        let waf = Waf::builder().rules("rules", &text).debug_log(messages.clone()).build_with(&memory);
        Self { waf: waf.unwrap_or_else(|error| panic!("{error}")), messages }
    }

    #[track_caller]
    pub fn new(rules: &str, files: &[(&str, &str)]) -> Self {
        Self::at_level(2, rules, files)
    }

    /// Judges a request and an empty response.
    pub fn judge(&self, request: Request<'_>) -> Judged {
        let mut transaction = self.waf.transaction();
        if let Some(site) = request.site {
            transaction.set_site(site);
        }
        let body = request.body.unwrap_or_default().as_bytes();
        let method: &[u8] = if request.body.is_some() { b"POST" } else { b"GET" };
        let target = if request.target.is_empty() { "/" } else { request.target };
        let mut exchange = Exchange { body: vec![body], ..Exchange::new(method, target.as_bytes()) }
            .from(if request.client.is_empty() { "192.0.2.1" } else { request.client })
            .header("Host", "shop.example")
            .answered("text/html", b"fine");
        if request.body.is_some() && !request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("Content-Type")) {
            exchange = exchange.header("Content-Type", "application/x-www-form-urlencoded");
        }
        let interventions = exchange.headers(request.headers).run_through(&mut transaction);
        Judged { interventions, transaction }
    }

    /// Returns the messages since the last call.
    pub fn said(&self) -> Vec<String> {
        self.messages.take()
    }
}

impl Judged {
    /// Returns the status of the intervention.
    pub fn status(&self) -> Option<u16> {
        self.interventions.first().map(|intervention| intervention.status())
    }

    pub fn tx(&self, key: &str) -> Option<String> {
        self.transaction.tx(key)
    }
}

/// Returns the error of loading rules with these files.
#[track_caller]
pub fn refusal(rules: &str, files: &[(&str, &str)]) -> String {
    let memory = files.iter().fold(Memory::new(), |memory, (name, text)| memory.with(name, *text));
    match Waf::builder().rules("rules", rules).build_with(&memory) {
        Ok(_) => panic!("these rules load: {rules}"),
        Err(error) => error.to_string(),
    }
}
