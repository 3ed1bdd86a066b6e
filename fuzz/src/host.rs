//! A host of the C interface that calls in any order: the functions of the header, with NULL wherever it allows that.

use crate::draw::Draw;
use crate::rules::draw_rules;
use secrule_capi as _;
use std::ffi::{CString, c_char, c_int, c_uchar, c_void};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicUsize, Ordering};

type Handle = *mut c_void;
type Bytes = *const c_uchar;
type Text = *const c_char;

/// As the header lays it out.
#[repr(C)]
struct Intervention {
    status: c_int,
    pause: c_int,
    url: *mut c_char,
    log: *mut c_char,
    disruptive: c_int,
}

// The functions are the library's own, by the names and types of `capi/include/modsecurity`.
unsafe extern "C" {
    fn msc_init() -> Handle;
    fn msc_who_am_i(engine: Handle) -> Text;
    fn msc_set_connector_info(engine: Handle, connector: Text);
    fn msc_set_log_cb(engine: Handle, callback: Option<unsafe extern "C" fn(Handle, *const c_void)>);
    fn msc_cleanup(engine: Handle);
    fn msc_create_rules_set() -> Handle;
    fn msc_rules_dump(rules: Handle);
    fn msc_rules_merge(to: Handle, from: Handle, error: *mut Text) -> c_int;
    fn msc_rules_add_file(rules: Handle, file: Text, error: *mut Text) -> c_int;
    fn msc_rules_add(rules: Handle, text: Text, error: *mut Text) -> c_int;
    fn msc_rules_error_cleanup(error: Text);
    fn msc_rules_cleanup(rules: Handle) -> c_int;
    fn msc_new_transaction(engine: Handle, rules: Handle, log_data: Handle) -> Handle;
    fn msc_new_transaction_with_id(engine: Handle, rules: Handle, id: Text, log_data: Handle) -> Handle;
    fn msc_process_connection(transaction: Handle, client: Text, client_port: c_int, server: Text, server_port: c_int) -> c_int;
    fn msc_set_request_hostname(transaction: Handle, hostname: Text) -> c_int;
    fn msc_process_uri(transaction: Handle, uri: Text, method: Text, version: Text) -> c_int;
    fn msc_add_request_header(transaction: Handle, name: Text, value: Text) -> c_int;
    fn msc_add_n_request_header(transaction: Handle, name: Bytes, name_length: usize, value: Bytes, value_length: usize) -> c_int;
    fn msc_process_request_headers(transaction: Handle) -> c_int;
    fn msc_append_request_body(transaction: Handle, chunk: Bytes, length: usize) -> c_int;
    fn msc_request_body_from_file(transaction: Handle, path: Text) -> c_int;
    fn msc_get_request_body_length(transaction: Handle) -> usize;
    fn msc_process_request_body(transaction: Handle) -> c_int;
    fn msc_add_response_header(transaction: Handle, name: Text, value: Text) -> c_int;
    fn msc_add_n_response_header(transaction: Handle, name: Bytes, name_length: usize, value: Bytes, value_length: usize) -> c_int;
    fn msc_process_response_headers(transaction: Handle, status: c_int, protocol: Text) -> c_int;
    fn msc_append_response_body(transaction: Handle, chunk: Bytes, length: usize) -> c_int;
    fn msc_process_response_body(transaction: Handle) -> c_int;
    fn msc_get_response_body(transaction: Handle) -> Text;
    fn msc_get_response_body_length(transaction: Handle) -> usize;
    fn msc_update_status_code(transaction: Handle, status: c_int) -> c_int;
    fn msc_process_logging(transaction: Handle) -> c_int;
    fn msc_intervention(transaction: Handle, intervention: *mut Intervention) -> c_int;
    fn msc_intervention_cleanup(intervention: *mut Intervention);
    fn msc_transaction_cleanup(transaction: Handle);
}

/// What was called, and what came of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Called {
    /// Calls of any function.
    pub calls: usize,
    /// Texts that were loaded as rules.
    pub loaded: usize,
    /// Texts that were refused.
    pub refused: usize,
    /// Transactions that were begun.
    pub transactions: usize,
    /// Decisions that were read.
    pub interventions: usize,
    /// Bytes that were given to the library.
    pub bytes: usize,
}

static LINES: AtomicUsize = AtomicUsize::new(0);

/// How many lines the library had for the log of any host.
pub fn log_lines() -> usize {
    LINES.load(Ordering::Relaxed)
}

unsafe extern "C" fn count_line(_: Handle, line: *const c_void) {
    LINES.fetch_add(usize::from(!line.is_null()), Ordering::Relaxed);
}

/// Directives that reach beyond the process: files would be written, read or run by chance.
const OUTSIDE: &[&str] = &["secauditlog", "secdebuglog", "dir", "include", "remote", "exec", "file", "script", "validate", "geolookup"];

/// The calls of an exchange in the order that the header asks for, by their numbers in [`Host::call`].
const IN_ORDER: &[usize] = &[0, 2, 3, 4, 5, 6, 6, 8, 10, 11, 12, 13, 15];

struct Host<'a, 'd> {
    draw: &'a mut Draw<'d>,
    called: &'a mut Called,
    engine: Handle,
    rule_sets: Vec<Handle>,
    transactions: Vec<Handle>,
}

/// Makes the calls that the bytes choose, and gives back everything at the end, in an order that they choose, too.
pub fn call_at_will(draw: &mut Draw<'_>, called: &mut Called) {
    // SAFETY: no argument.
    let engine = if draw.one_in(20) { null_mut() } else { unsafe { msc_init() } };
    let mut host = Host { draw, called, engine, rule_sets: Vec::new(), transactions: Vec::new() };
    for _ in 0..200 {
        if host.draw.is_empty() {
            break;
        }
        match host.draw.below(10) {
            0 => host.use_engine(),
            1 | 2 => host.use_rules(),
            _ => host.use_transaction(),
        }
    }
    host.end();
}

impl Host<'_, '_> {
    fn use_engine(&mut self) {
        let connector = self.text(30);
        let callback = self.draw.one_in(2).then_some(count_line as unsafe extern "C" fn(Handle, *const c_void));
        // SAFETY: the engine is NULL or lives, the text is NULL or ends with NUL, the callback lives as long as the program.
        unsafe {
            match self.draw.below(3) {
                0 => assert!(!msc_who_am_i(self.engine).is_null()),
                1 => msc_set_connector_info(self.engine, pointer(&connector)),
                _ => msc_set_log_cb(self.engine, callback),
            }
        }
    }

    fn use_rules(&mut self) {
        if self.rule_sets.len() < 3 {
            // SAFETY: no argument.
            self.rule_sets.push(unsafe { msc_create_rules_set() });
        }
        let (rules, other) = (self.any_rules(), self.any_rules());
        let text = self.rules_text();
        let mut error: Text = null();
        let place = if self.draw.one_in(4) { null_mut() } else { &raw mut error };
        // SAFETY: each rule set is NULL or lives, the text is NULL or ends with NUL, the place of the error is NULL or this function's.
        let added = unsafe {
            match self.draw.below(8) {
                0 => msc_rules_merge(rules, other, place),
                1 => msc_rules_add_file(rules, c"/does/not/exist".as_ptr(), place),
                2 => {
                    msc_rules_dump(null_mut());
                    0
                }
                3 if self.rule_sets.len() > 1 => {
                    self.rule_sets.retain(|kept| *kept != rules);
                    msc_rules_cleanup(rules)
                }
                _ => msc_rules_add(rules, pointer(&text), place),
            }
        };
        self.called.loaded += usize::from(added > 0);
        self.called.refused += usize::from(added < 0);
        // SAFETY: the error is NULL or a text of the library, and is not used again.
        unsafe { msc_rules_error_cleanup(error) };
    }

    fn use_transaction(&mut self) {
        if self.transactions.len() < 3 && self.draw.one_in(3) {
            let (rules, id) = (self.any_rules(), self.text(40));
            // SAFETY: the handles are NULL or live, the id is NULL or ends with NUL.
            let transaction = unsafe {
                match self.draw.one_in(2) {
                    true => msc_new_transaction(self.engine, rules, null_mut()),
                    false => msc_new_transaction_with_id(self.engine, rules, pointer(&id), null_mut()),
                }
            };
            self.called.transactions += usize::from(!transaction.is_null());
            self.transactions.push(transaction);
        }
        let at = self.draw.below(self.transactions.len().max(1));
        let transaction = self.transactions.get(at).copied().unwrap_or(null_mut());
        if self.draw.one_in(10) {
            IN_ORDER.iter().for_each(|step| self.call(transaction, *step));
        } else {
            let step = self.draw.below(18);
            self.call(transaction, step);
        }
        if self.draw.one_in(30) {
            // SAFETY: the transaction is NULL or lives, and leaves the list.
            unsafe { msc_transaction_cleanup(transaction) };
            self.transactions.retain(|kept| *kept != transaction);
        }
    }

    /// Makes one call about a transaction, and asks for its decision.
    fn call(&mut self, transaction: Handle, step: usize) {
        let [one, two, three] = [(); 3].map(|()| self.text(60));
        let (first, second, third) = (pointer(&one), pointer(&two), pointer(&three));
        let (bytes, more) = (self.draw.bytes(400), self.draw.bytes(60));
        let ((data, length), (extra, extra_length)) = (self.region(&bytes), self.region(&more));
        let path = self.draw.pick(&[null(), c"".as_ptr(), c"/does/not/exist".as_ptr()]);
        let number = self.draw.pick(&[200, 0, -1, 403, c_int::MAX, c_int::MIN, 65_536]);
        self.called.bytes += bytes.len() + more.len();
        // SAFETY: the transaction is NULL or lives, texts are NULL or end with NUL, a length is that of its bytes, or its pointer is NULL,
        // or no object can have it, as where a host counts below zero.
        let result = unsafe {
            match step {
                0 => msc_process_connection(transaction, first, number, second, number),
                1 => msc_set_request_hostname(transaction, first),
                2 => msc_process_uri(transaction, first, second, third),
                3 => msc_add_request_header(transaction, first, second),
                4 => msc_add_n_request_header(transaction, extra, extra_length, data, length),
                5 => msc_process_request_headers(transaction),
                6 => msc_append_request_body(transaction, data, length),
                7 => msc_request_body_from_file(transaction, path),
                8 => msc_process_request_body(transaction),
                9 => msc_add_response_header(transaction, first, second),
                10 => msc_add_n_response_header(transaction, extra, extra_length, data, length),
                11 => msc_process_response_headers(transaction, number, first),
                12 => msc_append_response_body(transaction, data, length),
                13 => msc_process_response_body(transaction),
                14 => msc_update_status_code(transaction, number),
                15 => msc_process_logging(transaction),
                16 => c_int::from(msc_get_request_body_length(transaction) > 0),
                _ => {
                    let copy = msc_get_response_body(transaction);
                    assert!(copy.is_null() == transaction.is_null());
                    msc_rules_error_cleanup(copy);
                    c_int::from(msc_get_response_body_length(transaction) > 0)
                }
            }
        };
        assert!(matches!(result, 0 | 1), "step {step} gives {result}");
        self.called.calls += 1;
        self.read_decision(transaction);
    }

    fn read_decision(&mut self, transaction: Handle) {
        let mut decision = Intervention { status: 200, pause: 0, url: null_mut(), log: null_mut(), disruptive: 0 };
        let place = if self.draw.one_in(8) { null_mut() } else { &raw mut decision };
        // SAFETY: the transaction is NULL or lives; the place is NULL or this function's, with no texts or those of the library.
        unsafe {
            let waits = msc_intervention(transaction, place);
            assert!(waits == 0 || !place.is_null());
            self.called.interventions += usize::from(waits == 1);
            msc_intervention_cleanup(place);
            msc_intervention_cleanup(place);
        }
    }

    fn end(mut self) {
        let mut steps = ["engine", "rules", "transactions"];
        steps.rotate_left(self.draw.below(3));
        for step in steps {
            // SAFETY: the handles are NULL or live, and none is used again. What a transaction needs of the others it holds itself.
            unsafe {
                match step {
                    "engine" => msc_cleanup(self.engine),
                    "rules" => self.rule_sets.drain(..).for_each(|rules| assert_eq!(msc_rules_cleanup(rules), 1)),
                    _ => self.transactions.drain(..).for_each(|transaction| msc_transaction_cleanup(transaction)),
                }
            }
        }
    }

    fn any_rules(&mut self) -> Handle {
        let at = self.draw.below(self.rule_sets.len() + 1);
        self.rule_sets.get(at).copied().unwrap_or(null_mut())
    }

    /// A text up to its first NUL, or NULL.
    fn text(&mut self, max: usize) -> Option<CString> {
        if self.draw.one_in(10) {
            return None;
        }
        let mut bytes = self.draw.bytes(max);
        bytes.retain(|byte| *byte != 0);
        self.called.bytes += bytes.len();
        CString::new(bytes).ok()
    }

    fn rules_text(&mut self) -> Option<CString> {
        if self.draw.one_in(3) {
            return CString::new(draw_rules(self.draw)).ok();
        }
        let text = self.text(600);
        text.filter(|text| {
            let text = String::from_utf8_lossy(text.as_bytes()).to_ascii_lowercase();
            !OUTSIDE.iter().any(|word| text.contains(word))
        })
    }

    /// Where bytes are and how many; now and then NULL, or a number below zero.
    fn region(&mut self, bytes: &[u8]) -> (Bytes, usize) {
        match self.draw.below(12) {
            10 => (null(), bytes.len()),
            11 => (bytes.as_ptr(), usize::MAX - bytes.len()),
            _ => (bytes.as_ptr(), bytes.len()),
        }
    }
}

fn pointer(text: &Option<CString>) -> Text {
    text.as_ref().map_or(null(), |text| text.as_ptr())
}
