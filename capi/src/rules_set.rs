//! Rule sets: created, filled, merged and released.

use super::convert::{copy_for_host, from_raw, guarded, into_raw, release, return_memory, string};
use super::load_notices::{self, Counts};
use super::loads::{Load, MANY_RULES, UNNAMED, compile, compile_anew};
use super::{stores, v3_errors};
use secrule::Waf;
use secrule::internals::compile::Input;
use secrule::internals::graph::{Phase, RuleGraph, Step};
use std::ffi::{OsStr, c_char, c_int};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The handle of a rule set. It may be filled while transactions run: they keep the rules that they began with.
pub struct RulesSet {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    loads: Vec<Arc<Load>>,
    /// The rules, after the first use or addition.
    waf: Option<Arc<Waf>>,
}

impl RulesSet {
    /// Returns the current rules.
    pub fn waf(&self) -> Option<Arc<Waf>> {
        let mut state = self.lock();
        if state.waf.is_none() {
            state.waf = compile(&state.loads).ok();
        }
        state.waf.clone()
    }

    /// Adds loads and returns the number of their rules.
    ///
    /// # Errors
    ///
    /// The text for the host; the rule set does not change then.
    fn add(&self, more: &[Arc<Load>]) -> Result<c_int, String> {
        let mut state = self.lock();
        let loads: Vec<_> = state.loads.iter().chain(more).map(Arc::clone).collect();
        let waf = compile_anew(&loads).map_err(|error| v3_errors::text(&error))?;
        let before = state.waf.as_ref().map_or(0, |waf| count(&waf.graph()));
        let all = count(&waf.graph());
        let added = all.saturating_sub(before);
        load_notices::report(&loads, &waf.report(), Counts { added, all }, stores::notice(&waf.graph()));
        *state = State { loads, waf: Some(waf) };
        Ok(c_int::try_from(added).unwrap_or(c_int::MAX))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state changes in one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the number of rules as ModSecurity v3 counts them: one for a chain, and one for a marker in each of its seven phases.
fn count(graph: &RuleGraph) -> usize {
    let rules: usize = graph.phases.iter().map(|(_, steps)| steps.iter().filter(|step| matches!(step, Step::Rule(_))).count()).sum();
    let markers = graph.phases.at(Phase::RequestHeaders).iter().filter(|step| matches!(step, Step::Marker(_))).count();
    rules + 7 * markers
}

/// Makes an empty rule set. Released with [`msc_rules_cleanup`].
#[unsafe(no_mangle)]
pub extern "C" fn msc_create_rules_set() -> *mut RulesSet {
    guarded(std::ptr::null_mut(), || into_raw(RulesSet { state: Mutex::default() }))
}

/// Adds rules from a text. Returns their number, or -1 and an error text that the host releases.
///
/// # Safety
///
/// `rules` is NULL or from [`msc_create_rules_set`]; `text` is NULL or is NUL-terminated; `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_rules_add(rules: *mut RulesSet, text: *const c_char, error: *mut *const c_char) -> c_int {
    let work = || {
        // SAFETY: as the caller promises.
        let (rules, text) = unsafe { (rules.as_ref(), string(text)) };
        let rules = rules.ok_or("There is no rule set to add to.")?;
        rules.add(&[Load::new(Input::Bytes { name: UNNAMED.to_owned(), bytes: text.to_owned() })])
    };
    // SAFETY: as the caller promises.
    unsafe { answer(error, work) }
}

/// Adds rules from a file and its includes. Returns their number, or -1 and an error text that the host releases.
///
/// # Safety
///
/// As for [`msc_rules_add`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_rules_add_file(rules: *mut RulesSet, file: *const c_char, error: *mut *const c_char) -> c_int {
    let work = || {
        // SAFETY: as the caller promises.
        let (rules, file) = unsafe { (rules.as_ref(), string(file)) };
        let rules = rules.ok_or("There is no rule set to add to.")?;
        rules.add(&[Load::new(Input::File(Path::new(OsStr::from_bytes(file)).to_owned()))])
    };
    // SAFETY: as the caller promises.
    unsafe { answer(error, work) }
}

/// Adds rules from an https address. Returns their number, or -1 and an error text that the host releases. Without the feature `remote` it always
/// fails.
///
/// # Safety
///
/// As for [`msc_rules_add`], `key` like `uri`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_rules_add_remote(
    rules: *mut RulesSet,
    key: *const c_char,
    uri: *const c_char,
    error: *mut *const c_char,
) -> c_int {
    let work = || {
        // SAFETY: as the caller promises.
        let (rules, key, uri) = unsafe { (rules.as_ref(), string(key), string(uri)) };
        let rules = rules.ok_or("There is no rule set to add to.")?;
        let [key, address] = [key, uri].map(|text| String::from_utf8_lossy(text).into_owned());
        rules.add(&[Load::new(Input::Remote { address, key })])
    };
    // SAFETY: as the caller promises.
    unsafe { answer(error, work) }
}

/// Adds the rules of `from` after those of `to`. Returns their number, or -1 and an error text that the host releases.
///
/// # Safety
///
/// Both rule sets are NULL or from [`msc_create_rules_set`]; `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_rules_merge(to: *mut RulesSet, from: *mut RulesSet, error: *mut *const c_char) -> c_int {
    let work = || {
        // SAFETY: as the caller promises.
        let (to, from) = unsafe { (to.as_ref(), from.as_ref()) };
        let (Some(to), Some(from)) = (to, from) else { return Err(String::from("There is no rule set to merge.")) };
        let more = from.lock().loads.clone();
        to.add(&more)
    };
    // SAFETY: as the caller promises.
    unsafe { answer(error, work) }
}

/// Prints the rules of each phase on standard output.
///
/// # Safety
///
/// `rules` is NULL or from [`msc_create_rules_set`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_rules_dump(rules: *const RulesSet) {
    guarded((), || {
        // SAFETY: as the caller promises.
        let Some(waf) = unsafe { rules.as_ref() }.and_then(RulesSet::waf) else { return };
        let text = dump(&waf.graph());
        // If the host closed its standard output, the text is lost.
        let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
    });
}

/// Releases a rule set. Running transactions keep its rules. Returns 1, or 0 for NULL.
///
/// # Safety
///
/// `rules` is NULL, or from [`msc_create_rules_set`] and not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_rules_cleanup(rules: *mut RulesSet) -> c_int {
    guarded(0, || {
        // SAFETY: as the caller promises.
        let Some(rules) = (unsafe { from_raw(rules) }) else { return 0 };
        let waf = rules.lock().waf.take();
        drop(rules);
        let foundation = waf.as_ref().map(|waf| (waf.foundation().rules(), Arc::downgrade(&waf.foundation())));
        drop(waf);
        // A server that reloads its rules repeatedly gets the memory of the old ones back at once.
        if foundation.is_some_and(|(count, foundation)| count >= MANY_RULES && foundation.strong_count() == 0) {
            return_memory();
        }
        1
    })
}

/// Releases an error text.
///
/// # Safety
///
/// `error` is NULL, or an error text of this library that is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msc_rules_error_cleanup(error: *const c_char) {
    // SAFETY: as the caller promises.
    guarded((), || unsafe { release(error.cast_mut().cast()) });
}

/// Returns a number to the host, or -1 and the reason.
///
/// # Safety
///
/// `error` is NULL or may be written.
unsafe fn answer(error: *mut *const c_char, work: impl FnOnce() -> Result<c_int, String>) -> c_int {
    let result = guarded(Err(String::from("An error of this library kept the rules from being loaded; standard error says more.")), work);
    result.unwrap_or_else(|reason| {
        if !error.is_null() {
            // SAFETY: the caller promises that the error may be written.
            unsafe { error.write(copy_for_host(reason.as_bytes())) };
        }
        -1
    })
}

fn dump(graph: &RuleGraph) -> String {
    let mut text = String::new();
    for (phase, steps) in graph.phases.iter() {
        text.push_str(&format!("Phase: {} ({} rules)\n", phase.number(), steps.len()));
        for step in steps.iter() {
            let name = match step {
                Step::Rule(index) => graph.rule(*index).map(|rule| rule.reference()).unwrap_or_default(),
                Step::Marker(marker) => graph.marker(*marker).to_owned(),
            };
            text.push_str(&format!("    Rule ID: {name}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;

    fn text(rules: &str) -> Arc<Load> {
        Load::new(Input::Text { name: UNNAMED.to_owned(), text: rules.to_owned() })
    }

    /// Returns the rules' ids, the engine's mode, and the number of rules.
    fn state(rules: &RulesSet) -> String {
        let waf = rules.waf().unwrap();
        let graph = waf.graph();
        format!("{:?} {} {} {}", graph.settings.engine, count(&graph), dump(&graph), rules.lock().loads.len())
    }

    #[test]
    fn rules_that_are_refused_leave_everything_as_it_was() {
        let rules = RulesSet { state: Mutex::default() };
        assert_eq!(rules.add(&[text("SecRuleEngine On\nSecRule ARGS a \"id:1,phase:1,deny\"")]), Ok(1));
        let (before, waf) = (state(&rules), rules.waf().unwrap());
        for refused in [
            "SecRuleEngine DetectionOnly\nSecAction \"id:2,phase:1,deny\"\nnonsense",
            "SecRule ARGS b \"id:1,phase:1,pass\"",
            "Include absent.conf",
        ] {
            assert!(rules.add(&[text(refused)]).is_err(), "{refused}");
            assert_eq!(state(&rules), before, "{refused}");
            assert!(Arc::ptr_eq(&waf, &rules.waf().unwrap()), "{refused}");
        }
        assert_eq!(rules.add(&[text("SecAction \"id:2,phase:1,deny\"")]), Ok(1));
    }

    #[test]
    fn a_file_or_a_merge_that_is_refused_leaves_everything_as_it_was() {
        let path = std::env::temp_dir().join(format!("secrule-refused-{}.conf", std::process::id()));
        std::fs::write(&path, "SecAction \"id:2,phase:1,pass\"\nSecAction \"id:3,phase:1,perhaps\"\n").unwrap();
        let file = CString::new(path.as_os_str().as_bytes()).unwrap();
        let good = CString::new("SecRuleEngine On\nSecRule ARGS a \"id:1,phase:1,deny\"").unwrap();
        let mut error: *const c_char = std::ptr::null();
        // SAFETY: the rule sets are released only at the end, and the texts are NUL-terminated.
        unsafe {
            let (rules, same) = (msc_create_rules_set(), msc_create_rules_set());
            for set in [rules, same] {
                assert_eq!(msc_rules_add(set, good.as_ptr(), &mut error), 1);
            }
            let before = state(&*rules);
            assert_eq!(msc_rules_add_file(rules, file.as_ptr(), &mut error), -1);
            assert!(string(error).windows(4).any(|part| part == b":2:2"), "{}", String::from_utf8_lossy(string(error)));
            msc_rules_error_cleanup(error);
            // Both have a rule 1.
            assert_eq!(msc_rules_merge(rules, same, &mut error), -1);
            msc_rules_error_cleanup(error);
            assert_eq!((state(&*rules), state(&*same)), (before.clone(), before));
            msc_rules_cleanup(rules);
            msc_rules_cleanup(same);
        }
        std::fs::remove_file(&path).unwrap();
    }

    const BASE: &str = "SecRuleEngine On\nSecDefaultAction \"phase:1,log,deny,status:418\"\nSecRule ARGS \"@contains one\" \"id:101,phase:1,block\"\n\
        SecRule ARGS \"@contains two\" \"id:102,phase:1,block\"\nSecMarker HERE\nSecRule TX:site \"@eq 7\" \"id:103,phase:1,deny\"";

    /// Returns a rule set of one load.
    fn set(rules: &str) -> RulesSet {
        let set = RulesSet { state: Mutex::default() };
        set.add(&[text(rules)]).unwrap();
        set
    }

    /// Adds the rules of another rule set after those of this one, as `msc_rules_merge` does.
    fn inherit(child: &RulesSet, base: &RulesSet) -> Arc<Waf> {
        let more = base.lock().loads.clone();
        child.add(&more).unwrap();
        child.waf().unwrap()
    }

    /// Returns the status of an intervention against a request, if there is one.
    fn status(waf: &Waf, query: &str) -> Option<u16> {
        let mut transaction = waf.transaction();
        let _ = transaction.process_uri(format!("/?a={query}").as_bytes(), b"GET", b"1.1");
        transaction.process_request_headers().intervention().map(|decision| decision.status())
    }

    #[test]
    fn a_set_that_inherits_another_shares_its_rules() {
        let base = set(&format!("{BASE} # shares"));
        let child = set("SecRule ARGS \"@contains own\" \"id:1,phase:1,deny,status:401\"\nSecRuleRemoveById 102");
        let waf = inherit(&child, &base);
        let (graph, inherited) = (waf.graph(), base.waf().unwrap().graph());
        assert!(waf.is_extension() && graph.rules.iter().zip(&inherited.rules).all(|(one, other)| Arc::ptr_eq(one, other)));
        assert!(Arc::ptr_eq(&graph.plan.as_ref().unwrap().prefilters, &inherited.plan.as_ref().unwrap().prefilters));
        assert_eq!(["own", "one", "two"].map(|query| status(&waf, query)), [Some(401), Some(418), None]);
        // nginx adds rules of a server after those of its parent, too.
        assert_eq!(child.add(&[text("SecAction \"id:2,phase:1,pass,setvar:tx.site=7,skipAfter:END\"")]), Ok(1));
        assert!(child.waf().unwrap().is_extension());
        assert_eq!(dump(&child.waf().unwrap().graph()).matches("Rule ID: 1").count(), 4);
    }

    #[test]
    fn a_set_outlives_the_one_that_it_inherits() {
        let base = set(&format!("{BASE} # outlives"));
        let child = set("SecAction \"id:1,phase:1,pass,setvar:tx.site=7\"");
        let other = set("SecRuleRemoveById 101");
        let (waf, other) = (inherit(&child, &base), inherit(&other, &base));
        let loads = base.lock().loads.clone();
        drop(base);
        assert_eq!(["one", "none"].map(|query| (status(&waf, query), status(&other, query))), [(Some(418), None), (Some(418), None)]);
        // A reload of the same rules finds what the children hold.
        let again = RulesSet { state: Mutex::default() };
        again.add(&loads).unwrap();
        let late = set("SecRuleRemoveById 102");
        let late = inherit(&late, &again);
        assert!(late.is_extension() && Arc::ptr_eq(&late.graph().rules[0], &waf.graph().rules[0]));
    }

    #[test]
    fn a_location_inherits_what_its_server_inherits() {
        let (base, server, location) = (set(&format!("{BASE} # three")), set("SecRuleRemoveById 101"), set("SecRuleRemoveById 102"));
        inherit(&server, &base);
        let waf = inherit(&location, &server);
        assert!(waf.is_extension() && Arc::ptr_eq(&waf.foundation(), &base.waf().unwrap().foundation()));
        assert_eq!(["one", "two"].map(|query| status(&waf, query)), [None, None]);
        // One that adds nothing is the server's.
        let same = RulesSet { state: Mutex::default() };
        assert!(Arc::ptr_eq(&inherit(&same, &server).graph(), &server.waf().unwrap().graph()));
    }

    #[test]
    fn defaults_of_a_child_reach_the_rules_that_it_inherits() {
        let base = set(&format!("{BASE} # defaults"));
        let waf = inherit(&set("SecDefaultAction \"phase:1,log,deny,status:499\""), &base);
        assert!(!waf.is_extension());
        assert_eq!(status(&waf, "one"), Some(418));
    }
}
