//! Transactions: a request with its response, passed call by call.

use super::convert::{bytes, copy_for_host, from_raw, guarded, into_raw, string, unsigned_string};
use super::engine::{Host, ModSecurity, report};
use super::rules_set::RulesSet;
use secrule::internals::graph::{EngineMode, LimitAction, RuleIndex};
use secrule::internals::record::error_log;
use secrule::internals::vocabulary::{Limit, LimitSet};
use secrule::internals::{RuleMatch, Verdict};
use secrule::{Intervention, Transaction as Judged};
use std::ffi::{OsStr, c_char, c_int, c_uchar, c_ulong, c_void};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The handle of a transaction.
pub struct Transaction {
    host: Arc<Host>,
    log_data: *mut c_void,
    /// Hosts use a transaction from one thread at a time; the lock protects against one that does not.
    state: Mutex<State>,
}

struct State {
    judged: Judged,
    pending: Option<Intervention>,
    /// Rules that would have stopped the request if no earlier decision were pending.
    overruled: Vec<RuleIndex>,
    /// Number of matches that were reported to the host, or need no report.
    reported: usize,
    /// Number of notices that were reported.
    reported_notices: usize,
    /// The limits that were reported.
    reported_limits: LimitSet,
}

/// The status of a request that could not be inspected because of an internal error, if the engine is on.
const UNJUDGED: u16 = 500;

impl Transaction {
    fn begin(engine: &ModSecurity, rules: &RulesSet, id: Option<&[u8]>, log_data: *mut c_void) -> Option<Self> {
        let waf = rules.waf()?;
        let mut judged = match id {
            Some(id) => waf.transaction_with_id(&String::from_utf8_lossy(id)),
            None => waf.transaction(),
        };
        engine.host.introduce(&mut judged);
        let state =
            State { judged, pending: None, overruled: Vec::new(), reported: 0, reported_notices: 0, reported_limits: LimitSet::EMPTY };
        let state = Mutex::new(state);
        Some(Self { host: Arc::clone(&engine.host), log_data, state })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // After a panic the transaction's memory is intact; `feed` has decided about the request.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` on the transaction, stores its verdict, and reports its matches to the host.
    fn feed(&self, work: impl FnOnce(&mut Judged) -> c_int) -> c_int {
        let mut state = self.lock();
        let done = guarded(None, || Some(work(&mut state.judged)));
        let result = match done {
            Some(result) => {
                let verdict = state.judged.take_verdict();
                state.keep(verdict);
                result
            }
            None => {
                state.leave_unjudged();
                0
            }
        };
        let Some(callback) = self.host.log() else {
            state.reported = state.judged.rule_matches().len();
            state.overruled.clear();
            return result;
        };
        let lines = guarded(Vec::new(), || state.take_new());
        // The callback may call this library, so the lock is released before.
        drop(state);
        for line in lines {
            report(callback, self.log_data, &line);
        }
        result
    }

    /// Takes the pending decision, and passes it to `make`.
    pub fn take_intervention<T>(&self, make: impl FnOnce(&Judged, Intervention) -> T) -> Option<T> {
        let mut state = self.lock();
        let decision = state.pending.take()?;
        Some(make(&state.judged, decision))
    }
}

impl Drop for State {
    /// As in ModSecurity v3, a transaction is logged only if the host calls [`msc_process_logging`].
    fn drop(&mut self) {
        self.judged.forgo_logging();
    }
}

impl State {
    /// Keeps the first decision until the host reads it, so that a late call stops the request with the rule that decided. Matches of later decisions
    /// are reported like those of other rules.
    fn keep(&mut self, verdict: Verdict) {
        let Verdict::Intervene(intervention) = verdict else { return };
        match self.pending {
            Some(_) => self.overruled.extend(intervention.rule()),
            None => self.pending = Some(intervention),
        }
    }

    /// Blocks a request that could not be inspected, if rules block.
    fn leave_unjudged(&mut self) {
        if self.judged.engine_mode() == EngineMode::On {
            let reason = String::from("An error of the rule engine left the request unjudged");
            let decision = Intervention::without_rule(UNJUDGED, reason);
            self.pending.get_or_insert(decision);
        }
    }

    /// Returns the lines of new matches. A match that stopped the request is reported with the intervention.
    fn take_new(&mut self) -> Vec<String> {
        let matches = self.judged.rule_matches();
        let is_reported = |found: &&RuleMatch| !found.disruptive || self.overruled.contains(&found.rule);
        let new = matches.get(self.reported..).unwrap_or_default().iter().filter(is_reported);
        let mut lines: Vec<String> = new.map(|found| error_log::line(&self.judged, found)).collect();
        self.reported = matches.len();
        self.overruled.clear();
        let exceeded = self.judged.limits();
        if exceeded != self.reported_limits {
            let new = exceeded.without(self.reported_limits).iter().filter(|limit| !limit.is_inherited());
            lines.extend(new.map(|limit| error_log::limit(&self.judged, limit)));
            self.reported_limits = exceeded;
        }
        let notices = self.judged.notices();
        lines.extend(notices.iter().skip(self.reported_notices).map(|notice| error_log::notice(&self.judged, notice)));
        self.reported_notices = notices.len();
        lines
    }
}

/// Runs a call on a transaction; returns 0 for NULL.
///
/// # Safety
///
/// `transaction` is NULL or from [`msc_new_transaction`].
unsafe fn feed(transaction: *const Transaction, work: impl FnOnce(&mut Judged) -> c_int) -> c_int {
    // SAFETY: as the caller promises.
    guarded(0, || unsafe { transaction.as_ref() }.map_or(0, |transaction| transaction.feed(work)))
}

/// Begins a transaction with a new id. Returns NULL without an engine or rules. Released with [`msc_transaction_cleanup`].
///
/// # Safety
///
/// The handles are NULL or from [`msc_init`](super::engine::msc_init) and [`msc_create_rules_set`](super::rules_set::msc_create_rules_set);
/// `log_data` is passed to the log callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_new_transaction(engine: *mut ModSecurity, rules: *mut RulesSet, log_data: *mut c_void) -> *mut Transaction {
    // SAFETY: as the caller promises.
    unsafe { begin(engine, rules, None, log_data) }
}

/// Begins a transaction with an id of the host; an empty or missing one is replaced.
///
/// # Safety
///
/// As for [`msc_new_transaction`]; `id` is NULL or is NUL-terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_new_transaction_with_id(
    engine: *mut ModSecurity,
    rules: *mut RulesSet,
    id: *const c_char,
    log_data: *mut c_void,
) -> *mut Transaction {
    // SAFETY: as the caller promises.
    unsafe { begin(engine, rules, Some(string(id)).filter(|id| !id.is_empty()), log_data) }
}

/// # Safety
///
/// As for [`msc_new_transaction`].
unsafe fn begin(engine: *mut ModSecurity, rules: *mut RulesSet, id: Option<&[u8]>, log_data: *mut c_void) -> *mut Transaction {
    guarded(std::ptr::null_mut(), || {
        // SAFETY: as the caller promises.
        let (Some(engine), Some(rules)) = (unsafe { (engine.as_ref(), rules.as_ref()) }) else { return std::ptr::null_mut() };
        Transaction::begin(engine, rules, id, log_data).map_or(std::ptr::null_mut(), into_raw)
    })
}

/// Releases a transaction. Call [`msc_process_logging`] before.
///
/// # Safety
///
/// `transaction` is NULL, or from [`msc_new_transaction`] and not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_transaction_cleanup(transaction: *mut Transaction) {
    guarded((), || {
        // SAFETY: as the caller promises.
        drop(unsafe { from_raw(transaction) });
    });
}

/// Runs phase 0, with the addresses and ports of the connection.
///
/// # Safety
///
/// `transaction` is NULL or from [`msc_new_transaction`]; the texts are NULL or NUL-terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_process_connection(
    transaction: *mut Transaction,
    client: *const c_char,
    client_port: c_int,
    server: *const c_char,
    server_port: c_int,
) -> c_int {
    let port = |port: c_int| u16::try_from(port).unwrap_or(0);
    // SAFETY: as the caller promises.
    unsafe {
        let (client, server) = (String::from_utf8_lossy(string(client)), String::from_utf8_lossy(string(server)));
        feed(transaction, |judged| done(judged.process_connection(&client, port(client_port), &server, port(server_port))))
    }
}

/// Sets the host name for logs.
///
/// # Safety
///
/// As for [`msc_process_connection`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_set_request_hostname(transaction: *mut Transaction, hostname: *const c_uchar) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        let hostname = unsigned_string(hostname);
        feed(transaction, |judged| {
            judged.set_hostname(hostname);
            1
        })
    }
}

/// Sets the site of the request for decision scripts, by a number of the server's choice. libmodsecurity has no such function; for a server that does
/// not call it, sites can be set with `SecSiteId` and `SecSite`.
///
/// # Safety
///
/// As for [`msc_process_connection`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_set_site(transaction: *mut Transaction, site: c_ulong) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        feed(transaction, |judged| {
            // `unsigned long` has 32 bits on some systems.
            #[allow(clippy::useless_conversion, reason = "it has 64 bits here")]
            judged.set_site(u64::from(site));
            1
        })
    }
}

/// Sets the request line: target, method, and the version without `HTTP/`.
///
/// # Safety
///
/// As for [`msc_process_connection`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_process_uri(
    transaction: *mut Transaction,
    uri: *const c_char,
    method: *const c_char,
    http_version: *const c_char,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        let (uri, method, version) = (string(uri), string(method), string(http_version));
        feed(transaction, |judged| done(judged.process_uri(uri, method, version)))
    }
}

/// Adds a request header.
///
/// # Safety
///
/// As for [`msc_process_connection`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_add_request_header(transaction: *mut Transaction, name: *const c_uchar, value: *const c_uchar) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { header(transaction, Judged::add_request_header, unsigned_string(name), unsigned_string(value)) }
}

/// Adds a request header; its parts have lengths.
///
/// # Safety
///
/// `transaction` is NULL or from [`msc_new_transaction`]; each part is NULL or points to as many bytes as its length says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_add_n_request_header(
    transaction: *mut Transaction,
    name: *const c_uchar,
    name_length: usize,
    value: *const c_uchar,
    value_length: usize,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { header(transaction, Judged::add_request_header, bytes(name, name_length), bytes(value, value_length)) }
}

/// # Safety
///
/// `transaction` is NULL or from [`msc_new_transaction`].
unsafe fn header(transaction: *const Transaction, add: fn(&mut Judged, &[u8], &[u8]), name: &[u8], value: &[u8]) -> c_int {
    let work = |judged: &mut Judged| {
        add(judged, name, value);
        1
    };
    // SAFETY: as the caller promises.
    unsafe { feed(transaction, work) }
}

/// Runs phase 1, after all request headers.
///
/// # Safety
///
/// `transaction` is NULL or from [`msc_new_transaction`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_process_request_headers(transaction: *mut Transaction) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { feed(transaction, |judged| done(judged.process_request_headers())) }
}

/// Adds a chunk of the request body. Returns 0 if a limit cut it off, otherwise 1.
///
/// # Safety
///
/// `transaction` is NULL or from [`msc_new_transaction`]; `chunk` is NULL or points to `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_append_request_body(transaction: *mut Transaction, chunk: *const c_uchar, length: usize) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        let chunk = bytes(chunk, length);
        feed(transaction, |judged| append_request_body(judged, chunk))
    }
}

/// Adds the request body from a file, such as a server's temporary one. Returns 0 if it cannot be read or a limit cut it off, otherwise 1.
///
/// # Safety
///
/// As for [`msc_process_connection`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_request_body_from_file(transaction: *mut Transaction, path: *const c_char) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        let path = OsStr::from_bytes(string(path));
        feed(transaction, |judged| {
            if !judged.wants_request_body()
                && let Ok(length) = length(path)
            {
                return cut_off(judged, length, |judged| judged.skip_request_body(length));
            }
            match read(path, judged.graph().settings.limit(Limit::RequestBody)) {
                Ok(body) => append_request_body(judged, &body),
                Err(_) => 0,
            }
        })
    }
}

/// Returns the length of a readable file.
fn length(path: &OsStr) -> io::Result<usize> {
    let about = File::open(path)?.metadata()?;
    let length = usize::try_from(about.len()).map_err(io::Error::other)?;
    if about.is_file() { Ok(length) } else { Err(io::ErrorKind::Unsupported.into()) }
}

/// Reads a file, up to the first byte beyond the limit.
fn read(path: &OsStr, limit: usize) -> io::Result<Vec<u8>> {
    let enough = (limit as u64).saturating_add(1);
    let mut body = Vec::new();
    File::open(path)?.take(enough).read_to_end(&mut body)?;
    Ok(body)
}

fn append_request_body(judged: &mut Judged, chunk: &[u8]) -> c_int {
    cut_off(judged, chunk.len(), |judged| judged.append_request_body(chunk))
}

/// Adds `length` bytes of the request body. Returns 0 if the limit cut them off, otherwise 1.
fn cut_off(judged: &mut Judged, length: usize, take: impl FnOnce(&mut Judged) -> Verdict) -> c_int {
    let cuts = judged.graph().settings.request_body_limit_action == LimitAction::ProcessPartial;
    let whole = judged.request_body_length().saturating_add(length);
    done(take(judged)) * c_int::from(!(cuts && judged.request_body_length() < whole))
}

/// Returns the number of bytes of the request body that were added, even if it is not kept.
///
/// # Safety
///
/// `transaction` is NULL or from [`msc_new_transaction`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_get_request_body_length(transaction: *mut Transaction) -> usize {
    // SAFETY: as the caller promises.
    guarded(0, || unsafe { transaction.as_ref() }.map_or(0, |transaction| transaction.lock().judged.request_body_length()))
}

/// Runs phase 2, after the whole request body.
///
/// # Safety
///
/// `transaction` is NULL or from [`msc_new_transaction`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_process_request_body(transaction: *mut Transaction) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { feed(transaction, |judged| done(judged.process_request_body())) }
}

/// Adds a response header.
///
/// # Safety
///
/// As for [`msc_process_connection`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_add_response_header(transaction: *mut Transaction, name: *const c_uchar, value: *const c_uchar) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { header(transaction, Judged::add_response_header, unsigned_string(name), unsigned_string(value)) }
}

/// Adds a response header; its parts have lengths. One NUL at the end of the value is removed: the nginx connector includes the terminating NUL of
/// its strings.
///
/// # Safety
///
/// As for [`msc_add_n_request_header`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_add_n_response_header(
    transaction: *mut Transaction,
    name: *const c_uchar,
    name_length: usize,
    value: *const c_uchar,
    value_length: usize,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        let (name, value) = (bytes(name, name_length), bytes(value, value_length));
        header(transaction, Judged::add_response_header, name, value.strip_suffix(b"\0").unwrap_or(value))
    }
}

/// Runs phase 3, after all response headers. `protocol` is the value of RESPONSE_PROTOCOL, such as `HTTP/1.1`.
///
/// # Safety
///
/// As for [`msc_process_connection`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_process_response_headers(transaction: *mut Transaction, status: c_int, protocol: *const c_char) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        let protocol = String::from_utf8_lossy(string(protocol));
        feed(transaction, |judged| done(judged.process_response_headers(in_http(status), &protocol)))
    }
}

/// Adds a chunk of the response body. Returns 0 if a limit cut it off, otherwise 1.
///
/// # Safety
///
/// As for [`msc_append_request_body`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_append_response_body(transaction: *mut Transaction, chunk: *const c_uchar, length: usize) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        let chunk = bytes(chunk, length);
        feed(transaction, |judged| {
            let cuts = judged.graph().settings.response_body_limit_action == LimitAction::ProcessPartial;
            let whole = judged.response_body_bytes().len().saturating_add(chunk.len());
            let gathers = judged.wants_response_body();
            done(judged.append_response_body(chunk)) * c_int::from(!(cuts && gathers && judged.response_body_bytes().len() < whole))
        })
    }
}

/// Runs phase 4, after the whole response body.
///
/// # Safety
///
/// `transaction` is NULL or from [`msc_new_transaction`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_process_response_body(transaction: *mut Transaction) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { feed(transaction, |judged| done(judged.process_response_body())) }
}

/// Returns a copy of the response body so far, which the host releases with `free`; NULL for NULL.
///
/// # Safety
///
/// `transaction` is NULL or from [`msc_new_transaction`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_get_response_body(transaction: *const Transaction) -> *const c_char {
    guarded(std::ptr::null(), || {
        // SAFETY: as the caller promises.
        let Some(transaction) = (unsafe { transaction.as_ref() }) else { return std::ptr::null() };
        copy_for_host(transaction.lock().judged.response_body_bytes()).cast_const()
    })
}

/// Returns the number of bytes of the response body so far.
///
/// # Safety
///
/// `transaction` is NULL or from [`msc_new_transaction`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_get_response_body_length(transaction: *mut Transaction) -> usize {
    // SAFETY: as the caller promises.
    guarded(0, || unsafe { transaction.as_ref() }.map_or(0, |transaction| transaction.lock().judged.response_body_bytes().len()))
}

/// Sets the final status of the response, for phase 5 and the logs.
///
/// # Safety
///
/// `transaction` is NULL or from [`msc_new_transaction`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_update_status_code(transaction: *mut Transaction, status: c_int) -> c_int {
    let work = |judged: &mut Judged| {
        judged.set_status(in_http(status));
        1
    };
    // SAFETY: as the caller promises.
    unsafe { feed(transaction, work) }
}

/// Runs phase 5, and writes the logs.
///
/// # Safety
///
/// `transaction` is NULL or from [`msc_new_transaction`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_process_logging(transaction: *mut Transaction) -> c_int {
    let work = |judged: &mut Judged| {
        judged.process_logging();
        1
    };
    // SAFETY: as the caller promises.
    unsafe { feed(transaction, work) }
}

/// Returns 1, the result of a successful call. [`Transaction::feed`] keeps the verdict until the host asks for it.
fn done(_: Verdict) -> c_int {
    1
}

/// Converts a status from a host, which uses `int`; an invalid one becomes 0.
fn in_http(status: c_int) -> u16 {
    u16::try_from(status).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::engine::msc_init;
    use super::super::rules_set::{msc_create_rules_set, msc_rules_add, msc_rules_cleanup};
    use super::*;

    /// Returns the pending decision after a call that panicked, under these rules.
    fn after_a_panic(rules: &std::ffi::CStr) -> Option<Intervention> {
        // SAFETY: the handles are used in order and released once.
        unsafe {
            let (engine, set) = (msc_init(), msc_create_rules_set());
            assert_eq!(msc_rules_add(set, rules.as_ptr(), std::ptr::null_mut()), 0);
            let transaction = msc_new_transaction(engine, set, std::ptr::null_mut());
            assert_eq!(feed(transaction, |_| panic!("a test")), 0);
            let pending = (*transaction).take_intervention(|_, decision| decision);
            assert_eq!(msc_process_request_headers(transaction), 1);
            msc_transaction_cleanup(transaction);
            msc_rules_cleanup(set);
            super::super::engine::msc_cleanup(engine);
            pending
        }
    }

    #[test]
    fn the_nul_behind_a_response_header_is_the_hosts() {
        // SAFETY: the handles are used in order and released once; each part has its length.
        unsafe {
            let (engine, set) = (msc_init(), msc_create_rules_set());
            let transaction = msc_new_transaction(engine, set, std::ptr::null_mut());
            for value in [&b"web/1\0"[..], b"web/1", b"a\0\0", b"\0a"] {
                assert_eq!(msc_add_n_response_header(transaction, b"Server".as_ptr(), 6, value.as_ptr(), value.len()), 1);
            }
            let values: Vec<Vec<u8>> = (*transaction).lock().judged.response_headers().map(|(_, value)| value.to_vec()).collect();
            assert_eq!(values, [&b"web/1"[..], b"web/1", b"a\0", b"\0a"]);
            msc_transaction_cleanup(transaction);
            msc_rules_cleanup(set);
            super::super::engine::msc_cleanup(engine);
        }
    }

    #[test]
    fn a_request_that_could_not_be_judged_passes_only_where_nothing_blocks() {
        assert_eq!(after_a_panic(c"SecRuleEngine On").map(|decision| decision.status()), Some(UNJUDGED));
        assert_eq!(after_a_panic(c"SecRuleEngine DetectionOnly"), None);
    }

    unsafe extern "C" fn note(lines: *mut c_void, line: *const c_void) {
        // SAFETY: the test passes a list that outlives the transaction, the library a string.
        let (lines, line) = unsafe { (&*lines.cast::<Mutex<Vec<String>>>(), std::ffi::CStr::from_ptr(line.cast())) };
        lines.lock().unwrap().push(line.to_string_lossy().into_owned());
    }

    #[test]
    fn a_host_that_asks_late_gets_the_first_decision_and_is_told_of_the_others() {
        let rules = c"SecRuleEngine On\nSecAction id:1,phase:1,deny,status:403\nSecAction id:2,phase:2,deny,status:406";
        let lines = Mutex::<Vec<String>>::default();
        // SAFETY: the handles are used in order and released once.
        let decisions = unsafe {
            let (engine, set) = (msc_init(), msc_create_rules_set());
            super::super::engine::msc_set_log_cb(engine, Some(note));
            assert_eq!(msc_rules_add(set, rules.as_ptr(), std::ptr::null_mut()), 2);
            let transaction = msc_new_transaction(engine, set, (&raw const lines).cast_mut().cast());
            assert_eq!((msc_process_request_headers(transaction), msc_process_request_body(transaction)), (1, 1));
            let decisions = [(); 2].map(|()| (*transaction).take_intervention(|_, decision| (decision.status(), decision.rule_id())));
            msc_transaction_cleanup(transaction);
            msc_rules_cleanup(set);
            super::super::engine::msc_cleanup(engine);
            decisions
        };
        assert_eq!(decisions, [Some((403, Some(1))), None]);
        let lines = lines.into_inner().unwrap();
        assert!(matches!(lines.as_slice(), [line] if line.contains("[id \"2\"]")), "{lines:?}");
    }
}
