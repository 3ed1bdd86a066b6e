//! Numbers of a server: what it does now, and what failed since its start.

use secrule_metrics::{Exposition, Family, Label};
use secrule_tower::Refusal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers of a server. Reading them waits for nothing.
#[derive(Debug, Default)]
pub struct Counters {
    connections: AtomicU64,
    exchanges: AtomicU64,
    upstream_failures: [AtomicU64; UpstreamFailure::NAMES.len()],
    client_timeouts: [AtomicU64; Waiting::NAMES.len()],
    held_requests: AtomicU64,
    held_responses: AtomicU64,
    certificates: AtomicU64,
    bad_certificates: AtomicU64,
}

/// Reasons why the upstream did not answer a request.
#[derive(Clone, Copy, Debug)]
pub enum UpstreamFailure {
    /// There was no connection.
    Connect,
    /// It did not begin to answer in time.
    Timeout,
    /// It ended the connection, or broke the protocol.
    Broken,
}

/// Timeouts of a client.
#[derive(Clone, Copy, Debug)]
pub enum Waiting {
    /// The end of a TLS handshake.
    Handshake,
    /// The head of a request, also that of a next one.
    Head,
    /// The next piece of a body.
    Body,
    /// A read of the answer.
    Answer,
}

impl UpstreamFailure {
    const NAMES: [&'static str; 3] = ["connect", "timeout", "broken"];
}

impl Waiting {
    const NAMES: [&'static str; 4] = ["handshake", "head", "body", "answer"];
}

const CONNECTIONS: Family = Family::gauge("secrule_serve_connections", &[], "Connections of clients that are open.");
const EXCHANGES: Family = Family::gauge("secrule_serve_exchanges", &[], "Requests whose answers are not sent yet.");
const UPSTREAM_FAILURES: Family = Family::counter(
    "secrule_serve_upstream_failures",
    &[Label { name: "reason", values: "`connect`, `timeout`, `broken`" }],
    "Requests that the upstream did not answer.",
);
const CLIENT_TIMEOUTS: Family = Family::counter(
    "secrule_serve_client_timeouts",
    &[Label {
        name: "waiting_for",
        values: "`handshake`, `head` (also of a next request on an idle connection), `body`, `answer` (a client that does not read it)",
    }],
    "Connections and bodies that ended because nothing came from the client in time.",
);
const HELD_REFUSALS: Family = Family::counter(
    "secrule_serve_held_limit_refusals",
    &[Label { name: "message", values: "`request`, `response`" }],
    "Exchanges with a body longer than what may be held back while rules may stop it.",
);
const CERTIFICATE_LOADS: Family = Family::counter(
    "secrule_serve_certificate_loads",
    &[Label { name: "status", values: "`success`, `failure`" }],
    "Loads of a changed certificate of the command line. Those of sites are part of the loads of the rules.",
);

impl Counters {
    /// All metrics of a server, in the order of the text.
    pub const FAMILIES: &[Family] = &[CONNECTIONS, EXCHANGES, UPSTREAM_FAILURES, CLIENT_TIMEOUTS, HELD_REFUSALS, CERTIFICATE_LOADS];

    /// Returns the number of connections that are open.
    pub fn connections(&self) -> u64 {
        read(&self.connections)
    }

    /// Returns the number of requests whose answers are not sent yet.
    pub fn exchanges(&self) -> u64 {
        read(&self.exchanges)
    }

    /// Writes all numbers.
    pub fn write(&self, exposition: &mut Exposition) {
        exposition.family(&CONNECTIONS).value(&[], self.connections());
        exposition.family(&EXCHANGES).value(&[], self.exchanges());
        let mut samples = exposition.family(&UPSTREAM_FAILURES);
        for (reason, count) in UpstreamFailure::NAMES.iter().zip(&self.upstream_failures) {
            samples.value(&[("reason", reason)], read(count));
        }
        let mut samples = exposition.family(&CLIENT_TIMEOUTS);
        for (waiting, count) in Waiting::NAMES.iter().zip(&self.client_timeouts) {
            samples.value(&[("waiting_for", waiting)], read(count));
        }
        let mut samples = exposition.family(&HELD_REFUSALS);
        for (message, count) in [("request", &self.held_requests), ("response", &self.held_responses)] {
            samples.value(&[("message", message)], read(count));
        }
        let mut samples = exposition.family(&CERTIFICATE_LOADS);
        for (status, count) in [("success", &self.certificates), ("failure", &self.bad_certificates)] {
            samples.value(&[("status", status)], read(count));
        }
    }

    /// Counts a load of a changed certificate, which the host does.
    pub fn note_certificate(&self, is_loaded: bool) {
        add(if is_loaded { &self.certificates } else { &self.bad_certificates });
    }

    /// Counts a connection until the guard is dropped.
    pub(crate) fn open_connection(self: &Arc<Self>) -> Counted {
        Counted::new(self, |counters| &counters.connections)
    }

    /// Counts an exchange until the guard is dropped.
    pub(crate) fn begin_exchange(self: &Arc<Self>) -> Counted {
        Counted::new(self, |counters| &counters.exchanges)
    }

    pub(crate) fn fail_upstream(&self, failure: UpstreamFailure) {
        self.upstream_failures.get(failure as usize).inspect(|count| add(count));
    }

    pub(crate) fn time_out(&self, waiting: Waiting) {
        self.client_timeouts.get(waiting as usize).inspect(|count| add(count));
    }

    /// Counts a refusal, if it was because of the limit of what may be held.
    pub(crate) fn refuse(&self, refusal: &Refusal) {
        match refusal {
            Refusal::LongRequest => add(&self.held_requests),
            Refusal::LongResponse => add(&self.held_responses),
            _ => {}
        }
    }
}

/// Something that is counted as long as it is there.
pub struct Counted {
    counters: Arc<Counters>,
    gauge: fn(&Counters) -> &AtomicU64,
}

impl Counted {
    fn new(counters: &Arc<Counters>, gauge: fn(&Counters) -> &AtomicU64) -> Self {
        add(gauge(counters));
        Self { counters: Arc::clone(counters), gauge }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.gauge)(&self.counters).fetch_sub(1, Ordering::Relaxed);
    }
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}
