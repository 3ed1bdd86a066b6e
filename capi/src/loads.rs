//! The inputs of a rule set, and their files as they were when they were read. They are kept to compile the rule set again together with more inputs.

use super::convert::return_memory;
use super::stores;
use secrule::Waf;
use secrule::internals::compile::{CompileOptions, Foundation, Input, LoadError, Planning};
use secrule::internals::source::{FileSystem, Loader, Sources};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

/// The name of rules that come as a string, as ModSecurity v3 prints it.
pub const UNNAMED: &str = "<<reference missing or not informed>>";

/// The variable of the environment that names the use of plans.
const PLAN_VARIABLE: &str = "SECRULE_PLAN";

/// An input with the files that it named. Equal inputs whose files have not changed share one load.
#[derive(Debug)]
pub struct Load {
    input: Input,
    files: Snapshot,
    /// `true` if its warnings were reported.
    reported: AtomicBool,
}

/// Files as they were first read: worker processes may no longer be able to read them, and a rule set must not change by itself.
#[derive(Debug, Default)]
struct Snapshot {
    contents: Mutex<BTreeMap<PathBuf, Arc<[u8]>>>,
    /// Files that could not be read.
    missing: Mutex<BTreeSet<PathBuf>>,
    expansions: Mutex<BTreeMap<String, Vec<PathBuf>>>,
    /// By address and key.
    fetched: Mutex<BTreeMap<(String, Option<String>), Fetched>>,
}

/// The bytes at an address, or the error. It is not fetched again, because each try may take long.
type Fetched = Result<Vec<u8>, String>;

/// Reads the snapshots of the loads; new files are added to the last of them.
struct Replay<'a>(&'a [Arc<Load>]);

/// Number of rules from which on memory is returned to the system: looking for it takes time.
pub const MANY_RULES: usize = 100;

/// Compiled rule sets that are in use, by their loads. Hosts make a rule set for each of their contexts, and most inherit all rules.
static COMPILED: Mutex<Vec<Known>> = Mutex::new(Vec::new());

/// Loads, and their rule set.
struct Known {
    loads: Vec<Weak<Load>>,
    waf: Weak<Waf>,
    /// The rules, if they were compiled in full. Rule sets that extend them keep them alive.
    foundation: Weak<Foundation>,
}

impl Load {
    /// Returns the load of an input: an existing one that would read the same now, or a new one.
    pub fn new(input: Input) -> Arc<Self> {
        let held = lock(&COMPILED).iter().flat_map(|known| known.loads.iter().filter_map(Weak::upgrade)).collect::<Vec<_>>();
        let same = held.into_iter().find(|load| load.input == input && load.files.are_unchanged());
        same.unwrap_or_else(|| Arc::new(Self { input, files: Snapshot::default(), reported: AtomicBool::new(false) }))
    }

    /// Returns `true` the first time: hosts add the same rules for each of their contexts, and merge them many times.
    pub fn is_first_report(&self) -> bool {
        !self.reported.swap(true, Ordering::Relaxed)
    }
}

impl Snapshot {
    /// Shares the contents of rule files with the texts that a rule set keeps.
    fn share(&self, texts: &Sources) {
        let mut contents = lock(&self.contents);
        for text in texts.iter().filter(|text| text.is_file()) {
            if let Some(bytes) = contents.get_mut(Path::new(&**text.name())).filter(|bytes| ***bytes == *text.text().as_bytes()) {
                *bytes = Arc::from(Arc::clone(text.text()));
            }
        }
    }

    /// Returns `true` if the files have not changed. Network addresses are not checked.
    fn are_unchanged(&self) -> bool {
        let contents = || lock(&self.contents).iter().all(|(path, bytes)| FileSystem.read(path).is_ok_and(|now| now == **bytes));
        let missing = || lock(&self.missing).iter().all(|path| FileSystem.read(path).is_err());
        let expansions = || lock(&self.expansions).iter().all(|(pattern, paths)| FileSystem.expand(pattern).is_ok_and(|now| now == *paths));
        lock(&self.fetched).is_empty() && expansions() && contents() && missing()
    }
}

/// Returns the rules of these loads in their order, compiled unless a rule set in use has them.
pub fn compile(loads: &[Arc<Load>]) -> Result<Arc<Waf>, LoadError> {
    known(loads).map_or_else(|| build(loads), Ok)
}

/// As [`compile`], but opens logs again: the host may have rotated its log files before it read its configuration.
pub fn compile_anew(loads: &[Arc<Load>]) -> Result<Arc<Waf>, LoadError> {
    match known(loads) {
        Some(waf) => Ok(remember(loads, waf.reopened()?)),
        None => build(loads),
    }
}

fn build(loads: &[Arc<Load>]) -> Result<Arc<Waf>, LoadError> {
    let mut builder = Waf::builder().separate_loads().options(options());
    builder = loads.iter().fold(builder, |builder, load| builder.input(load.input.clone()));
    if let Some((foundation, within)) = foundation(loads) {
        builder = builder.foundation(foundation, within);
    }
    let waf = remember(loads, stores::known(builder).build_with(&Replay(loads))?);
    if !waf.is_extension() {
        loads.iter().for_each(|load| load.files.share(waf.report().texts()));
        // Compiling takes about as much memory as the rules keep.
        if waf.foundation().rules() >= MANY_RULES {
            return_memory();
        }
    }
    Ok(waf)
}

/// Returns the options of all loads: the environment may leave out the plan or a part of it, to measure what it saves, and to show that it did not cause
/// a surprising verdict.
fn options() -> CompileOptions {
    static PLANNING: LazyLock<Planning> = LazyLock::new(|| {
        let name = std::env::var_os(PLAN_VARIABLE).unwrap_or_else(|| "on".into());
        name.to_string_lossy().parse().unwrap_or_else(|error| {
            // If the host closed its standard error, there is no other place for this.
            let _ = writeln!(io::stderr(), "secrule: {PLAN_VARIABLE}={}: {error}; the plan is on", name.display());
            Planning::On
        })
    });
    let mut options = CompileOptions::default();
    options.planning = *PLANNING;
    options
}

/// Returns the largest rule set in use that was compiled of some of these loads, which follow each other, and their positions.
fn foundation(loads: &[Arc<Load>]) -> Option<(Arc<Foundation>, Range<usize>)> {
    let compiled = lock(&COMPILED);
    let found = compiled.iter().filter_map(|known| Some((known.foundation.upgrade()?, known.find_within(loads)?)));
    found.max_by_key(|(foundation, _)| foundation.rules())
}

fn remember(loads: &[Arc<Load>], waf: Waf) -> Arc<Waf> {
    let waf = Arc::new(waf);
    let foundation = if waf.is_extension() { Weak::new() } else { Arc::downgrade(&waf.foundation()) };
    lock(&COMPILED).push(Known { loads: loads.iter().map(Arc::downgrade).collect(), waf: Arc::downgrade(&waf), foundation });
    waf
}

/// Returns the latest rule set of these loads.
fn known(loads: &[Arc<Load>]) -> Option<Arc<Waf>> {
    let mut compiled = lock(&COMPILED);
    compiled.retain(|known| known.waf.strong_count() > 0 || known.foundation.strong_count() > 0);
    compiled.iter().rev().filter(|known| known.is_made_of(loads)).find_map(|known| known.waf.upgrade())
}

impl Known {
    fn is_made_of(&self, loads: &[Arc<Load>]) -> bool {
        self.loads.len() == loads.len() && self.loads.iter().zip(loads).all(|(known, load)| known.as_ptr() == Arc::as_ptr(load))
    }

    /// Returns the first position of its loads among others, if they follow each other there.
    fn find_within(&self, loads: &[Arc<Load>]) -> Option<Range<usize>> {
        let count = self.loads.len();
        // `windows` does not take zero.
        let start = loads.windows(count.max(1)).position(|part| self.is_made_of(part))?;
        Some(start..start + count)
    }
}

/// Locks a mutex.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change under these locks is one insertion.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Replay<'_> {
    fn find<T>(&self, look: impl Fn(&Snapshot) -> Option<T>) -> Option<T> {
        self.0.iter().find_map(|load| look(&load.files))
    }
}

impl Loader for Replay<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if let Some(bytes) = self.find(|files| lock(&files.contents).get(path).cloned()) {
            return Ok(bytes.to_vec());
        }
        let read = FileSystem.read(path);
        if let Some(Load { files, .. }) = self.0.last().map(Arc::as_ref) {
            match &read {
                Ok(bytes) => drop(lock(&files.contents).insert(path.to_owned(), bytes.as_slice().into())),
                Err(_) => drop(lock(&files.missing).insert(path.to_owned())),
            }
        }
        read
    }

    fn expand(&self, pattern: &str) -> io::Result<Vec<PathBuf>> {
        if let Some(paths) = self.find(|files| lock(&files.expansions).get(pattern).cloned()) {
            return Ok(paths);
        }
        let paths = FileSystem.expand(pattern)?;
        if let Some(newest) = self.0.last() {
            lock(&newest.files.expansions).insert(pattern.to_owned(), paths.clone());
        }
        Ok(paths)
    }

    // The cache holds no rules, so that it is not compared with what it was.
    fn cache_file(&self, folder: &Path, name: &str) -> Option<PathBuf> {
        FileSystem.cache_file(folder, name)
    }

    fn read_cache(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        FileSystem.read_cache(path)
    }

    fn write_cache(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        FileSystem.write_cache(path, bytes)
    }

    fn fetch(&self, address: &str, key: Option<&str>) -> io::Result<Vec<u8>> {
        let place = (address.to_owned(), key.map(str::to_owned));
        if let Some(answer) = self.find(|files| lock(&files.fetched).get(&place).cloned()) {
            return answer.map_err(io::Error::other);
        }
        let answer = FileSystem.fetch(address, key).map_err(|error| error.to_string());
        if let Some(newest) = self.0.last() {
            lock(&newest.files.fetched).insert(place, answer.clone());
        }
        answer.map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(rules: &str) -> Arc<Load> {
        Load::new(Input::Text { name: UNNAMED.to_owned(), text: rules.to_owned() })
    }

    #[test]
    fn the_same_loads_are_compiled_once() {
        let (parent, own) = (text("SecRuleEngine On # once"), text("SecAction \"id:1,phase:1\""));
        let first = compile(&[Arc::clone(&parent)]).unwrap();
        assert!(Arc::ptr_eq(&first, &compile(&[Arc::clone(&parent)]).unwrap()));
        assert!(!Arc::ptr_eq(&first, &compile(&[Arc::clone(&parent), own]).unwrap()));
        assert!(Arc::ptr_eq(&first, &compile(&[text("SecRuleEngine On # once")]).unwrap()));
        assert!(!Arc::ptr_eq(&first, &compile(&[text("SecRuleEngine Off # once")]).unwrap()));
    }

    #[test]
    fn rules_read_again_are_the_same_until_a_file_changes() {
        let path = std::env::temp_dir().join(format!("secrule-again-{}.conf", std::process::id()));
        let load = |rules: &str| {
            std::fs::write(&path, rules).unwrap();
            let load = [Load::new(Input::File(path.clone()))];
            (compile_anew(&load).unwrap(), load)
        };
        let (first, _held) = load("SecAction \"id:7,phase:1\"");
        let (again, _held) = load("SecAction \"id:7,phase:1\"");
        let (changed, _held) = load("SecAction \"id:8,phase:1\"");
        std::fs::remove_file(&path).unwrap();
        assert!(Arc::ptr_eq(&first.graph(), &again.graph()) && !Arc::ptr_eq(&first, &again));
        assert!(changed.graph().find(8).is_some());
    }

    #[test]
    fn files_stay_as_they_were_read() {
        let path = std::env::temp_dir().join(format!("secrule-loads-{}.conf", std::process::id()));
        std::fs::write(&path, "SecAction \"id:7,phase:1\"").unwrap();
        let file = Load::new(Input::File(path.clone()));
        let alone = compile(&[Arc::clone(&file)]).unwrap();
        std::fs::remove_file(&path).unwrap();
        let both = compile(&[text("SecRuleEngine On"), file]).unwrap();
        assert!(alone.graph().find(7).is_some() && both.graph().find(7).is_some());
    }
}
