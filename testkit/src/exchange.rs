//! Rules with their files, and requests that they judge.

use secrule::internals::Verdict;
use secrule::internals::source::Memory;
use secrule::{DebugLog, Intervention, Transaction, Waf};
use std::sync::{Arc, Mutex};

/// Keeps messages up to a level.
#[derive(Debug)]
pub struct Messages {
    level: u8,
    kept: Mutex<Vec<String>>,
}

impl DebugLog for Messages {
    fn level(&self) -> u8 {
        self.level
    }

    fn write(&self, _level: u8, _transaction: &str, _uri: &[u8], message: &str) {
        self.kept.lock().unwrap().push(message.to_owned());
    }
}

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
        let messages = Arc::new(Messages { level, kept: Mutex::default() });
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
        let mut interventions = Vec::new();
        // Like a host of ModSecurity v3, this one reads each decision and continues.
        let mut note = |verdict: Verdict, transaction: &mut Transaction| {
            interventions.extend(verdict.intervention().cloned());
            let _ = transaction.take_verdict();
        };
        let client = if request.client.is_empty() { "192.0.2.1" } else { request.client };
        note(transaction.process_connection(client, 40_000, "192.0.2.200", 80), &mut transaction);
        let target = if request.target.is_empty() { "/" } else { request.target };
        let method: &[u8] = if request.body.is_some() { b"POST" } else { b"GET" };
        note(transaction.process_uri(target.as_bytes(), method, b"1.1"), &mut transaction);
        transaction.add_request_header(b"Host", b"shop.example");
        if request.body.is_some() && !request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("Content-Type")) {
            transaction.add_request_header(b"Content-Type", b"application/x-www-form-urlencoded");
        }
        for (name, value) in request.headers {
            transaction.add_request_header(name.as_bytes(), value.as_bytes());
        }
        note(transaction.process_request_headers(), &mut transaction);
        note(transaction.append_request_body(request.body.unwrap_or_default().as_bytes()), &mut transaction);
        note(transaction.process_request_body(), &mut transaction);
        transaction.add_response_header(b"Content-Type", b"text/html");
        note(transaction.process_response_headers(200, "HTTP/1.1"), &mut transaction);
        note(transaction.append_response_body(b"fine"), &mut transaction);
        note(transaction.process_response_body(), &mut transaction);
        transaction.process_logging();
        Judged { interventions, transaction }
    }

    /// Returns the messages since the last call.
    pub fn said(&self) -> Vec<String> {
        std::mem::take(&mut self.messages.kept.lock().unwrap())
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
