//! A host: runs an exchange through the calls of ModSecurity v3. Unlike those for hosts (`Waf::begin`) they take any bytes, in any form.

use secrule::internals::Verdict;
use secrule::{Intervention, Transaction};

/// An exchange, with bodies in chunks.
#[derive(Clone, Debug)]
pub struct Exchange<'a> {
    /// Address and port.
    pub client: (&'a str, u16),
    pub server: (&'a str, u16),
    pub method: &'a [u8],
    pub target: &'a [u8],
    pub version: &'a [u8],
    pub headers: Vec<(&'a [u8], &'a [u8])>,
    pub body: Vec<&'a [u8]>,
    pub response: Option<Response<'a>>,
}

/// The response of an exchange.
#[derive(Clone, Debug)]
pub struct Response<'a> {
    /// The status, if no rule denies the request.
    pub status: u16,
    pub protocol: &'a str,
    pub headers: Vec<(&'a [u8], &'a [u8])>,
    pub body: Vec<&'a [u8]>,
}

impl<'a> Exchange<'a> {
    /// Makes a request without headers, body or response.
    pub fn new(method: &'a [u8], target: &'a [u8]) -> Self {
        Self {
            client: ("192.0.2.7", 4711),
            server: ("192.0.2.1", 80),
            method,
            target,
            version: b"1.1",
            headers: Vec::new(),
            body: Vec::new(),
            response: None,
        }
    }

    /// Makes a request with the method `POST` if there is a body, and otherwise `GET`.
    pub fn of(target: &'a [u8], body: &'a [u8]) -> Self {
        Self { body: vec![body], ..Self::new(if body.is_empty() { b"GET" } else { b"POST" }, target) }
    }

    /// Sets the address of the client.
    pub fn from(self, client: &'a str) -> Self {
        Self { client: (client, self.client.1), ..self }
    }

    /// Adds a header to the request.
    pub fn header(mut self, name: &'a (impl AsRef<[u8]> + ?Sized), value: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.headers.push((name.as_ref(), value.as_ref()));
        self
    }

    /// Adds headers to the request.
    pub fn headers<N: AsRef<[u8]> + 'a, V: AsRef<[u8]> + 'a>(mut self, headers: &'a [(N, V)]) -> Self {
        self.headers.extend(headers.iter().map(|(name, value)| (name.as_ref(), value.as_ref())));
        self
    }

    /// Sets a response with the status 200 and the content type.
    pub fn answered(self, content_type: &'a str, body: &'a [u8]) -> Self {
        let headers = vec![(b"Content-Type".as_slice(), content_type.as_bytes())];
        Self { response: Some(Response { status: 200, protocol: "HTTP/1.1", headers, body: vec![body] }), ..self }
    }

    /// Runs it up to the first intervention, which it returns, and logs it.
    pub fn run(&self, transaction: &mut Transaction) -> Option<Intervention> {
        let intervention = self.judge(transaction);
        transaction.process_logging();
        intervention
    }

    /// Runs it up to the first intervention, which it returns, without logging it.
    pub fn judge(&self, transaction: &mut Transaction) -> Option<Intervention> {
        self.calls(transaction, |_, verdict| verdict.intervention().map_or(Ok(None), |intervention| Err(intervention.clone()))).err()
    }

    /// Runs all of it and logs it, as a host of ModSecurity v3 may: it reads each decision and continues. Returns the decisions.
    pub fn run_through(&self, transaction: &mut Transaction) -> Vec<Intervention> {
        let mut decisions: Vec<Intervention> = Vec::new();
        let _ = self.calls(transaction, |transaction, verdict| {
            decisions.extend(verdict.intervention().cloned());
            let _ = transaction.take_verdict();
            Ok(decisions.last().map(Intervention::status))
        });
        transaction.process_logging();
        decisions
    }

    /// Makes the calls; `hear` gets the verdict of each, and ends them with an error. Otherwise it returns the status of an intervention, if any,
    /// which the response then has.
    fn calls(
        &self,
        transaction: &mut Transaction,
        mut hear: impl FnMut(&mut Transaction, Verdict) -> Result<Option<u16>, Intervention>,
    ) -> Result<(), Intervention> {
        let verdict = transaction.process_connection(self.client.0, self.client.1, self.server.0, self.server.1);
        hear(transaction, verdict)?;
        let verdict = transaction.process_uri(self.target, self.method, self.version);
        hear(transaction, verdict)?;
        self.headers.iter().for_each(|(name, value)| transaction.add_request_header(name, value));
        let verdict = transaction.process_request_headers();
        hear(transaction, verdict)?;
        for chunk in &self.body {
            let verdict = transaction.append_request_body(chunk);
            hear(transaction, verdict)?;
        }
        let verdict = transaction.process_request_body();
        let denied = hear(transaction, verdict)?;
        let Some(response) = &self.response else { return Ok(()) };
        response.headers.iter().for_each(|(name, value)| transaction.add_response_header(name, value));
        let verdict = transaction.process_response_headers(denied.unwrap_or(response.status), response.protocol);
        hear(transaction, verdict)?;
        for chunk in &response.body {
            let verdict = transaction.append_response_body(chunk);
            hear(transaction, verdict)?;
        }
        let verdict = transaction.process_response_body();
        hear(transaction, verdict)?;
        Ok(())
    }
}
