//! The host's handle: takes one request and its response piece by piece, lets the engine evaluate the rules of each phase, gives interventions and
//! matches; imports `engine`, `state`, `compile`, `graph` and the pure rooms.
//!
//! [`Transaction`] owns rules, services and state, and decides nothing: its calls lend the state to functions of `request`, `request_body` and
//! `response`, which store what arrived and let [`run`](crate::engine::run) run the rules of a phase.
//!
//! A host calls in a fixed order, which [`Stage`] checks; a call out of order is an error. `v3` has the same calls without an order, as the C
//! interface of ModSecurity v3 does.

mod arguments;
mod arriving_body;
mod audit;
mod body_limit;
mod body_need;
mod connection;
mod exchange;
mod facts;
mod matched;
mod observer;
mod outcome;
mod request;
mod request_body;
mod response;
mod stage;
#[cfg(feature = "tracing")]
mod trace;
mod v3;
mod warm_up;

pub use audit::AuditLog;
pub use body_need::BodyNeed;
pub use connection::Connection;
pub use matched::{Match, MatchedValue, Rule};
pub use observer::{Observer, RuleTime};
pub use outcome::Outcome;
pub use stage::{Misuse, Stop};
pub(crate) use warm_up::warm_up;

use crate::compile::{Lineage, LoadReport};
use crate::engine::{Evaluation, Services};
use crate::exchange::ExchangeLog;
use crate::graph::{RuleFilter, RuleGraph, SiteId};
use crate::metrics::Profile;
use crate::random::unique_number;
use crate::state::{Budget, Clock, Intervention, Logging, NO_SEVERITY, Secrets, State};
use crate::store::StoreKind;
use crate::vocabulary::Limit;
use exchange::BackendTime;
use observer::Observed;
use stage::{Call, Stage, result};
use std::mem::take;
use std::sync::Arc;

/// Data that the transactions of a rule set share.
#[derive(Debug)]
pub struct Shared {
    /// The rules.
    pub graph: Arc<RuleGraph>,
    /// Report of the load.
    pub report: Arc<LoadReport>,
    /// The loads, for rule sets that inherit them.
    pub lineage: Lineage,
    /// Services that rules use.
    pub services: Services,
    /// Receiver of audit records, if any.
    pub audit_log: Option<Arc<dyn AuditLog>>,
    /// Observer of events, if any.
    pub observer: Option<Arc<dyn Observer>>,
    /// `true` if it wants to know the time of each phase.
    pub times_phases: bool,
    /// The script host, if the rules have scripts for it.
    pub exchange_log: Option<Arc<dyn ExchangeLog>>,
    /// The parts that come from the host.
    pub given: Given,
}

impl Shared {
    /// Returns `true` if the rules share most of another rule set, which they extend.
    pub fn is_extension(&self) -> bool {
        !Arc::ptr_eq(&self.graph, self.lineage.foundation.graph())
    }

    /// Returns the receiver of the records of exchanges: that of the builder, or the script host if a script needs them.
    pub fn record_log(&self) -> Option<&Arc<dyn ExchangeLog>> {
        let settings = &self.graph.settings;
        let is_needed = || self.given.exchange_log || settings.worlds.need_records(settings.data_folder.is_some());
        self.exchange_log.as_ref().filter(|_| is_needed())
    }
}

/// The parts of a rule set that come from the host, not from the rules: a reload keeps them.
#[derive(Clone, Debug)]
pub struct Given {
    pub store: bool,
    pub store_kinds: Arc<[StoreKind]>,
    pub resolver: bool,
    pub debug_log: bool,
    pub audit_log: bool,
    pub exchange_log: bool,
}

/// One request with its response, judged by a rule set.
///
/// # Order of calls
///
/// ```text
/// Waf::begin ─ request_head ─ request_body* ─ request_end ─ response_head ─ response_body* ─ response_end ─ finish
///              (phase 1)                      (phase 2)     (phase 3)                        (phase 4)      (phase 5)
/// ```
///
/// Instead of `request_head` a host that has no `http` types calls [`request_line`](Self::request_line),
/// [`request_header`](Self::request_header) for each header and [`request_headers_end`](Self::request_headers_end); likewise for the response.
/// [`finish`](Self::finish) may come at any time, and dropping the transaction does the same without the outcome.
///
/// # Errors
///
/// Each call returns [`Stop::Intervention`] if a rule or a limit stopped the exchange. The decision is final: each later call returns it again, and
/// only the rules of phase 5 still run. A call out of order returns [`Stop::Misuse`] and does nothing.
///
/// # Threads
///
/// A transaction is `Send` and `Sync`, and its calls do not wait for the network, unless rules ask for it (`@rbl`, remote stores, scripts). A call
/// takes microseconds for most requests, and milliseconds for a body of a megabyte; async hosts that expect such bodies call `request_end` and
/// `response_end` where blocking is allowed, such as in `tokio::task::block_in_place`.
#[derive(Debug)]
pub struct Transaction {
    shared: Arc<Shared>,
    state: State,
    stage: Stage,
    /// `true` if the host said which status the client received.
    is_status_set: bool,
    observed: Observed,
    /// `true` if an observer wants to know the time of its rules.
    times_rules: bool,
    backend: BackendTime,
    #[cfg(feature = "tracing")]
    trace: trace::Trace,
}

impl Transaction {
    /// Begins the exchange on a connection. Rules of phase 0 run; the next call returns their decision.
    pub(crate) fn begin(shared: Arc<Shared>, connection: &Connection) -> Self {
        let mut transaction = match &connection.id {
            Some(id) => Self::with_id(shared, id),
            None => Self::new(shared),
        };
        let Connection { client, server, site, hostname, connector, .. } = connection;
        transaction.state.site = site.map(SiteId);
        let arena = &mut transaction.state.collections.arena;
        transaction.state.hostname = hostname.as_ref().map(|name| arena.store(name.as_bytes()));
        transaction.state.connector = connector.as_ref().map(|name| arena.store(name.as_bytes())).unwrap_or_default();
        let [client_ip, server_ip] = [client, server].map(|end| end.ip().to_canonical().to_string());
        let _ = transaction.process_connection(&client_ip, client.port(), &server_ip, server.port());
        transaction
    }

    /// Makes a transaction with a new id.
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let clock = Clock::default();
        let (seconds, micros) = clock.epoch();
        let id = format!("{seconds}{:04}.{:06}", micros / 100, unique_number() % 1_000_000);
        Self::at(shared, clock, &id)
    }

    /// Makes a transaction with an id of the host.
    pub(crate) fn with_id(shared: Arc<Shared>, id: &str) -> Self {
        Self::at(shared, Clock::default(), id)
    }

    fn at(shared: Arc<Shared>, clock: Clock, id: &str) -> Self {
        let mut state = shared.services.memory.take();
        let collections = &mut state.collections;
        let settings = &shared.graph.settings;
        collections.clock = clock;
        collections.arena.budget = Budget::of(settings.limit(Limit::Budget), settings.limit(Limit::Memory));
        collections.tx.reset(&shared.graph.tx_names);
        collections.highest_severity = NO_SEVERITY;
        collections.scalars.unique_id = collections.arena.store(id.as_bytes());
        collections.scalars.urlencoded_error = collections.arena.store(b"0");
        state.secrets = shared.graph.masks.then(|| Box::new(Secrets::new(&settings.masked)));
        let times_rules = shared.observer.as_ref().is_some_and(|observer| observer.times_rules());
        state.profile = times_rules.then(|| Box::new(Profile::brief()));
        let mut transaction = Self {
            shared,
            state,
            stage: Stage::Connected,
            is_status_set: false,
            observed: Observed::default(),
            times_rules,
            backend: BackendTime::default(),
            #[cfg(feature = "tracing")]
            trace: trace::Trace::new(id),
        };
        transaction.evaluation().debug(4, || "Initializing transaction".to_owned());
        transaction
    }

    /// Borrows the state, together with the rules that judge it.
    fn evaluation(&mut self) -> Evaluation<'_> {
        Evaluation { rules: &self.shared.graph, services: &self.shared.services, state: &mut self.state }
    }

    /// Takes the head of the request, and runs phase 1.
    ///
    /// The target is the one that the client sent: the path with its query, or for HTTP/1.1 the absolute form. A request of HTTP/2 or HTTP/3 without
    /// a `Host` header gets one from its authority. If both are there and differ, rules see both, the authority first.
    ///
    /// # Errors
    /// The intervention of a rule of phase 0 or 1, or a call that is not the first.
    pub fn request_head(&mut self, head: &http::request::Parts) -> Result<(), Stop> {
        self.enter_storing(Call::RequestHead)?;
        let is_modern = head.version > http::Version::HTTP_11;
        let target = match head.uri.path_and_query() {
            Some(path) if is_modern || head.uri.scheme().is_none() => path.to_string(),
            _ => head.uri.to_string(),
        };
        self.enter_storing(Call::RequestLine)?;
        let _ = self.process_uri(target.as_bytes(), head.method.as_str().as_bytes(), version_number(head.version).as_bytes());
        let authority = head.uri.authority().filter(|_| is_modern).map(|authority| authority.as_str().as_bytes());
        authority.into_iter().for_each(|authority| self.add_request_header(b"host", authority));
        for (name, value) in &head.headers {
            let repeats =
                *name == http::header::HOST && authority.is_some_and(|authority| authority.eq_ignore_ascii_case(value.as_bytes()));
            if !repeats {
                self.add_request_header(name.as_str().as_bytes(), value.as_bytes());
            }
        }
        self.request_headers_end()
    }

    /// Takes the request line, for hosts without `http` types: the method, the target as the client sent it, and the version, such as
    /// `HTTP/1.1` or `1.1`.
    ///
    /// # Errors
    /// The intervention of a rule of phase 0, or a call that is not the first.
    pub fn request_line(&mut self, method: &[u8], target: &[u8], version: &[u8]) -> Result<(), Stop> {
        self.enter_storing(Call::RequestLine)?;
        result(self.process_uri(target, method, version))
    }

    /// Takes one request header, as sent. Headers beyond `SecHeadersLimit` and `SecHeaderBytesLimit` are left out; rules find the limit in
    /// LIMITS_EXCEEDED.
    ///
    /// # Errors
    /// An earlier intervention, or a call before [`request_line`](Self::request_line) or after the last header.
    pub fn request_header(&mut self, name: &[u8], value: &[u8]) -> Result<(), Stop> {
        self.enter_storing(Call::RequestHeader)?;
        self.add_request_header(name, value);
        result(self.verdict())
    }

    /// Ends the request headers, and runs phase 1.
    ///
    /// # Errors
    /// The intervention of a rule of phase 1, or a call before [`request_line`](Self::request_line).
    pub fn request_headers_end(&mut self) -> Result<(), Stop> {
        self.enter(Call::RequestHeadersEnd)?;
        result(self.process_request_headers())
    }

    /// Returns the part of the request body that the remaining rules need. Call it between the head and the body.
    ///
    /// The answer takes into account the engine's mode, `SecRequestBodyAccess`, its limit, `allow`, and the rules that `ctl` removed.
    pub fn request_body_need(&self) -> BodyNeed {
        body_need::of_request(&self.shared.graph, &self.state)
    }

    /// Takes a chunk of the request body, without transfer encodings and content encodings that the host decodes. Bytes beyond `SecRequestBodyLimit`
    /// are dropped; `SecRequestBodyLimitAction` decides what follows.
    ///
    /// # Errors
    /// The intervention of the limit, or a call before the head or after the end of the request.
    pub fn request_body(&mut self, chunk: &[u8]) -> Result<(), Stop> {
        self.enter(Call::RequestBody)?;
        result(self.append_request_body(chunk))
    }

    /// Ends the request, with or without a body: the body is parsed, and phase 2 runs.
    ///
    /// # Errors
    /// The intervention of a rule of phase 2, or a call before the head or after the end of the request.
    pub fn request_end(&mut self) -> Result<(), Stop> {
        self.enter(Call::RequestEnd)?;
        result(self.process_request_body())
    }

    /// Takes the head of the final response, and runs phase 3. Do not pass interim responses (1xx).
    ///
    /// A server may answer before the request has ended. The host then calls [`request_end`](Self::request_end) first, and forwards no more of the
    /// request body, because it was not inspected.
    ///
    /// # Errors
    /// The intervention of a rule of phase 3, or a call before the end of the request.
    pub fn response_head(&mut self, head: &http::response::Parts) -> Result<(), Stop> {
        self.enter(Call::ResponseHead)?;
        for (name, value) in &head.headers {
            self.add_response_header(name.as_str().as_bytes(), value.as_bytes());
        }
        self.response_headers_end(head.status.as_u16(), version_number(head.version))
    }

    /// Takes one response header, for hosts without `http` types.
    ///
    /// # Errors
    /// An earlier intervention, or a call before the end of the request.
    pub fn response_header(&mut self, name: &[u8], value: &[u8]) -> Result<(), Stop> {
        self.enter(Call::ResponseHeader)?;
        self.add_response_header(name, value);
        Ok(())
    }

    /// Ends the response headers with the status and the version (`HTTP/1.1` or `1.1`), and runs phase 3.
    ///
    /// # Errors
    /// The intervention of a rule of phase 3, or a call before the end of the request.
    pub fn response_headers_end(&mut self, status: u16, version: &str) -> Result<(), Stop> {
        self.enter(Call::ResponseHeadersEnd)?;
        result(self.process_response_headers(status, version))
    }

    /// Returns the part of the response body that the remaining rules need. Call it between the head and the body.
    ///
    /// The answer takes into account the engine's mode, `SecResponseBodyAccess`, its limit and MIME types, `allow`, and the rules that `ctl` removed.
    pub fn response_body_need(&self) -> BodyNeed {
        let is_known = matches!(self.stage, Stage::ResponseBody | Stage::Over);
        body_need::of_response(&self.shared.graph, &self.state, is_known)
    }

    /// Takes a chunk of the response body, without its content encoding. Bytes beyond `SecResponseBodyLimit` are dropped;
    /// `SecResponseBodyLimitAction` decides what follows.
    ///
    /// # Errors
    /// The intervention of the limit, or a call before the head or after the end of the response.
    pub fn response_body(&mut self, chunk: &[u8]) -> Result<(), Stop> {
        self.enter(Call::ResponseBody)?;
        result(self.append_response_body(chunk))
    }

    /// Ends the response, and runs phase 4.
    ///
    /// # Errors
    /// The intervention of a rule of phase 4, or a call before the head or after the end of the response.
    pub fn response_end(&mut self) -> Result<(), Stop> {
        self.enter(Call::ResponseEnd)?;
        result(self.process_response_body())
    }

    /// Ends the exchange: phase 5 runs, and the audit record is written. It may be called at any time, also after an intervention.
    ///
    /// The record has the status that the client received: that of the response or of the intervention, unless the host set another by
    /// [`set_status`](Self::set_status). A transaction that is dropped, such as that of a cancelled request, ends in the same way, except while a panic
    /// unwinds: then nothing is written.
    pub fn finish(mut self) -> Outcome {
        // Rules of phase 5 come too late to stop anything.
        let intervention = self.intervention().cloned();
        self.end();
        let state = &mut self.state;
        Outcome {
            id: state.id(),
            detected: state.pending.detected.filter(|_| intervention.is_none()),
            intervention,
            matches: take(&mut state.matches),
            limits: state.collections.arena.budget.exceeded(),
            script_failures: take(&mut state.script_failures),
            notices: take(&mut state.notices),
            shared: Arc::clone(&self.shared),
        }
    }

    fn end(&mut self) {
        if self.state.flow.logging != Logging::Due {
            return;
        }
        let answer = self.intervention().map(Intervention::status).filter(|_| !self.is_status_set);
        answer.into_iter().for_each(|status| self.set_status(status));
        self.process_logging();
    }

    /// Checks the order of a call that only stores something: it does so after an intervention too, so that logs show the request that was
    /// stopped.
    fn enter_storing(&mut self, call: Call) -> Result<(), Stop> {
        match self.stage.after(call) {
            Ok(stage) => self.stage = stage,
            Err(_) => self.enter(call)?,
        }
        Ok(())
    }

    /// Checks the order of calls. After an intervention, every call returns it, also one out of order.
    fn enter(&mut self, call: Call) -> Result<(), Stop> {
        if let Some(intervention) = self.intervention() {
            return Err(Stop::Intervention(intervention.clone()));
        }
        self.stage = self.stage.after(call)?;
        Ok(())
    }

    /// Returns the intervention that stopped the exchange, if any.
    pub fn intervention(&self) -> Option<&Intervention> {
        self.state.pending.intervention.as_ref()
    }

    /// Removes the rules with an id from `first` to `last` for this exchange, as `ctl:ruleRemoveById` does. Results of rules that have run stay.
    pub fn remove_rules(&mut self, first: u64, last: u64) {
        self.state.overrides.removed_rules.push(RuleFilter::Ids(first..=last));
    }

    /// Sets the status that the client received, for phase 5 and the logs, if the host answers with another than that of the response or the
    /// intervention.
    pub fn set_status(&mut self, status: u16) {
        self.is_status_set = true;
        response::update_status(&mut self.evaluation(), status);
    }

    /// Returns the rules that matched so far and are logged, in the order of their matches.
    pub fn matches(&self) -> impl Iterator<Item = Match<'_>> {
        self.state.matches.iter().map(|found| Match::new(&self.shared.graph, &self.shared.report, found))
    }

    /// Returns the limits that were exceeded so far.
    pub fn exceeded_limits(&self) -> impl Iterator<Item = Limit> + use<> {
        self.limits().iter()
    }

    /// Reports to observers what happened since the last call.
    fn observe(&mut self) {
        if self.observers().next().is_some() {
            self.observers().for_each(|observer| self.observed.report(observer, self));
            self.observed = Observed::now(self);
        }
    }

    /// Reports to observers the time of each rule.
    fn report_rule_times(&mut self) {
        // A full profile belongs to who began it.
        let Some(profile) = self.state.profile.take_if(|profile| self.times_rules && !profile.is_full()) else { return };
        let timed = profile.rules().filter_map(|(index, cost)| {
            let rule = Rule::new(&self.shared.report, self.shared.graph.rule(index)?);
            Some(RuleTime { rule, evaluations: cost.evaluations.count, time: cost.evaluations.time })
        });
        let timed: Vec<_> = timed.collect();
        self.observers().for_each(|observer| observer.rules_timed(self, &timed));
    }

    fn observers(&self) -> impl Iterator<Item = &dyn Observer> {
        #[cfg(feature = "tracing")]
        let events = Some(&trace::Events as &dyn Observer);
        #[cfg(not(feature = "tracing"))]
        let events = None;
        self.shared.observer.as_deref().into_iter().chain(events)
    }
}

/// Returns a version as ModSecurity's connectors write it, without `HTTP/`.
fn version_number(version: http::Version) -> &'static str {
    match version {
        http::Version::HTTP_09 => "0.9",
        http::Version::HTTP_10 => "1.0",
        http::Version::HTTP_2 => "2.0",
        http::Version::HTTP_3 => "3.0",
        _ => "1.1",
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        // While a panic unwinds, another one would end the process.
        if !std::thread::panicking() {
            self.end();
        }
        self.shared.services.memory.give_back(take(&mut self.state));
    }
}
