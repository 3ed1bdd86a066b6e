//! Collects rules, settings and services, and builds a rule set.

use super::{Waf, logs, stores};
use crate::compile::{CompileOptions, Compiled, Foundation, Input, Lineage, LoadError, LoadReport, compile, extend};
use crate::core_rule_set::{self, CoreRuleSet};
use crate::diagnostic::Code;
use crate::engine::Services;
use crate::exchange::ExchangeLog;
use crate::graph::{RuleGraph, Settings};
use crate::resolver::{Origins, Resolver, SystemResolver};
use crate::source::{FileSystem, Loader};
use crate::starter;
use crate::state::{DebugLog, MemoryPool};
use crate::store::{Lists, MemoryStore, Store, StoreKind};
use crate::transaction::{AuditLog, Given, Observer, Shared, warm_up};
use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Collects the parts of a [`Waf`].
///
/// All rules are one load, in the order of the calls: a later setting replaces an earlier one.
///
/// ```no_run
/// let waf = secrule::Waf::builder().crs("/etc/crs").paranoia(2).file("/etc/waf/main.conf").remove_rule(942100).build()?;
/// # Ok::<(), secrule::LoadError>(())
/// ```
#[derive(Debug, Default)]
#[must_use]
pub struct WafBuilder {
    parts: Vec<Part>,
    /// `true` if each part is a separate load, as in ModSecurity v3's interface: the first load that sets a value wins.
    are_loads: bool,
    paranoia: Option<u8>,
    expected_rules: usize,
    exclusions: String,
    /// The first text that `remove_target` could not take for one target.
    refused_target: Option<String>,
    options: CompileOptions,
    /// The rule set whose rules follow.
    base: Option<Arc<Shared>>,
    /// A rule set of some of the loads, and their positions.
    foundation: Option<(Arc<Foundation>, Range<usize>)>,
    pub(super) store: Option<Arc<dyn Store>>,
    store_kinds: Vec<StoreKind>,
    default_store: Option<DefaultStore>,
    pub(super) resolver: Option<Arc<dyn Resolver>>,
    pub(super) debug_log: Option<Arc<dyn DebugLog>>,
    pub(super) audit_log: Option<Arc<dyn AuditLog>>,
    pub(super) observer: Option<Arc<dyn Observer>>,
    exchange_log: Option<Arc<dyn ExchangeLog>>,
    /// The store in memory of the rule set before this one, or of the one that it inherits from.
    known_memory: Option<Arc<dyn Store>>,
    keeps_logs_closed: bool,
    ignores_named_store: bool,
}

/// Returns the store of rules that name none.
#[doc(hidden)]
pub type DefaultStore = fn(&Settings) -> Arc<dyn Store>;

/// A part of the rules.
#[derive(Debug)]
enum Part {
    Input(Input),
    /// The folder of an OWASP CRS, read by `build`.
    CoreRuleSet(PathBuf),
}

impl WafBuilder {
    /// Adds a rule file, and all files that it includes.
    pub fn file(mut self, path: impl AsRef<Path>) -> Self {
        self.parts.push(Part::Input(Input::File(path.as_ref().to_owned())));
        self
    }

    /// Adds rules as text. `name` is their name in messages.
    pub fn rules(mut self, name: &str, text: &str) -> Self {
        self.parts.push(Part::Input(Input::Text { name: name.to_owned(), text: text.to_owned() }));
        self
    }

    /// Adds the OWASP CRS in a folder: `crs-setup.conf` (or `crs-setup.conf.example`), `plugins/` and `rules/`. Of Debian's package
    /// `modsecurity-crs`, either folder will do.
    ///
    /// `crs/setup.conf` of this project comes first: engine settings that the CRS requires, such as `SecRuleEngine On` and
    /// `SecRequestBodyAccess On`, and rules 11901 to 11911, of which 11903 denies requests beyond a limit with 400. Files added later may replace
    /// the settings and remove the rules.
    pub fn crs(mut self, folder: impl AsRef<Path>) -> Self {
        self.parts.push(Part::CoreRuleSet(folder.as_ref().to_owned()));
        self
    }

    /// Sets the paranoia level of the OWASP CRS and of the starter rules, 1 to 4: a higher level finds more attacks, and blocks more harmless
    /// requests.
    ///
    /// [`build`](Self::build) refuses another level.
    pub fn paranoia(mut self, level: u8) -> Self {
        self.paranoia = Some(level);
        self
    }

    /// Adds the starter rules: a small rule set of this project, built into the library, which blocks the commonest attacks. Production sites should
    /// install the OWASP CRS.
    ///
    /// ```
    /// # use secrule::{Connection, Waf};
    /// let waf = Waf::builder().starter_rules().build()?;
    /// let mut tx = waf.begin(Connection::new(([192, 0, 2, 7], 40000).into(), ([198, 51, 100, 1], 443).into()));
    /// let (parts, ()) = http::Request::get("/?q=%3Cscript%3Ealert(1)%3C/script%3E").header("host", "shop.example").body(())?.into_parts();
    /// tx.request_head(&parts)?;
    /// assert_eq!(tx.request_end().unwrap_err().status(), 403);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn starter_rules(mut self) -> Self {
        self.parts.push(Part::Input(starter::rules()));
        self
    }

    /// Inherits the rules and settings of another rule set, as a location of nginx inherits those of its server: the rules of this builder run before
    /// them, and its settings replace them. Only of the settings of the audit log, as in ModSecurity v3, the inherited ones win. Stores, bans, rates,
    /// and the resolver, the logs and the observer of the host are inherited too, unless the builder sets others. A later [reload](Waf::reload) of
    /// the other rule set has no effect on this one.
    ///
    /// Both share their rules: a rule set for each of many sites takes less than a millisecond and some kilobytes, if it adds a few rules, removes
    /// some, or removes targets. Additions that change how the inherited rules are compiled (`SecDefaultAction`, `SecRuleUpdateActionById` of an
    /// inherited rule, `SecPcreMatchLimit`), or have many patterns for so few inherited rules, have the same effect, but are compiled together with all
    /// inherited rules, whose files are then read again.
    ///
    /// ```
    /// # use secrule::Waf;
    /// let all = Waf::builder().starter_rules().build()?;
    /// let shop = Waf::builder().base(&all).rules("shop", "SecRule REQUEST_URI \"@beginsWith /old\" \"id:1,phase:1,deny\"").build()?;
    /// let blog = Waf::builder().base(&all).rules("blog", "SecRuleEngine DetectionOnly").build()?;
    /// # Ok::<(), secrule::LoadError>(())
    /// ```
    pub fn base(mut self, other: &Waf) -> Self {
        self.base = Some(other.shared());
        self
    }

    /// Removes the rule with this id, as `SecRuleRemoveById` does after all other rules.
    pub fn remove_rule(mut self, id: u64) -> Self {
        let _ = writeln!(self.exclusions, "SecRuleRemoveById {id}");
        self
    }

    /// Removes a target from the rule with this id, such as `ARGS:password`, as `SecRuleUpdateTargetById` does after all other rules.
    ///
    /// [`build`](Self::build) refuses a text that is not a target.
    pub fn remove_target(mut self, id: u64, target: &str) -> Self {
        if is_one_target(target) {
            let _ = writeln!(self.exclusions, "SecRuleUpdateTargetById {id} \"!{target}\"");
        } else {
            self.refused_target.get_or_insert_with(|| target.to_owned());
        }
        self
    }

    /// Refuses fewer rules than this, as [`LoadReport::rules`] counts them, with those that are inherited: an empty file must not replace a rule set. A
    /// [reload](Waf::reload) asks again for what its own builder says.
    ///
    /// ```
    /// # use secrule::Waf;
    /// let waf = Waf::builder().starter_rules().expect_rules(10).build()?;
    /// let error = waf.reload(Waf::builder().rules("empty.conf", "SecRuleEngine On").expect_rules(10)).unwrap_err();
    /// assert!(error.to_string().contains("error[E006]"));
    /// # Ok::<(), secrule::LoadError>(())
    /// ```
    pub fn expect_rules(mut self, number: usize) -> Self {
        self.expected_rules = number;
        self
    }

    /// Keeps persistent collections, bans and rates in a store of the host, whatever `SecCollectionStore` names. Several rule sets may share a store.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Adds a kind of store that `SecCollectionStore` may name. Without one, rules can name `memory` alone. Rule sets of a process that name the same
    /// address share a store.
    pub fn store_kind(mut self, kind: StoreKind) -> Self {
        self.store_kinds.push(kind);
        self
    }

    /// Replaces the store in the memory of the rule set, for rules without `SecCollectionStore`, or with `SecCollectionStore memory`.
    #[doc(hidden)]
    pub fn default_store(mut self, store: DefaultStore) -> Self {
        self.default_store = Some(store);
        self
    }

    /// Resolves names for `@rbl` by the host's resolver, instead of asking the system's name servers for at most one second.
    pub fn resolver(mut self, resolver: Arc<dyn Resolver>) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// Sends debug messages to the host, instead of to the file that `SecDebugLog` names.
    pub fn debug_log(mut self, log: Arc<dyn DebugLog>) -> Self {
        self.debug_log = Some(log);
        self
    }

    /// Sends audit records to the host, instead of to the place that `SecAuditLog` names. `SecAuditEngine` and related directives still select the
    /// exchanges.
    pub fn audit_log(mut self, log: Arc<dyn AuditLog>) -> Self {
        self.audit_log = Some(log);
        self
    }

    /// Reports the events of every exchange to an observer. A vector of observers is one, too.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Hands the records of exchanges to a script host in this process, instead of the one that `SecPluginHost` names.
    #[doc(hidden)]
    pub fn exchange_log(mut self, log: Arc<dyn ExchangeLog>) -> Self {
        self.exchange_log = Some(log);
        self
    }

    /// Keeps persistent collections, bans and rates in memory, whatever store the rules name: for tools that check rules or try requests. The address of
    /// the store is checked all the same.
    pub fn without_store(mut self) -> Self {
        self.ignores_named_store = true;
        self
    }

    /// Does not open the debug log and the audit log that the rules name: for tools that check rules or try requests.
    pub fn without_logs(mut self) -> Self {
        self.keeps_logs_closed = true;
        self
    }

    /// Loads and compiles the rules, and opens the logs that they name.
    ///
    /// # Errors
    /// Every error in the rules, each with its place; a folder without an OWASP CRS; a debug log that cannot be opened. As in ModSecurity v3, an
    /// audit log that cannot be opened is reported on standard error, and opened again for each record.
    pub fn build(self) -> Result<Waf, LoadError> {
        self.build_with(&FileSystem)
    }

    /// As [`build`](Self::build), with files from a loader.
    #[doc(hidden)]
    pub fn build_with(self, loader: &dyn Loader) -> Result<Waf, LoadError> {
        self.load(loader).map(Waf::of)
    }

    /// Adds rules in any form, such as several files that are one load.
    #[doc(hidden)]
    pub fn input(mut self, input: Input) -> Self {
        self.parts.push(Part::Input(input));
        self
    }

    /// Makes each part a separate load, as in ModSecurity v3's interface, where the first load that sets a value wins.
    #[doc(hidden)]
    pub fn separate_loads(mut self) -> Self {
        self.are_loads = true;
        self
    }

    /// Names a rule set that was compiled of the loads with these positions, to share its rules.
    #[doc(hidden)]
    pub fn foundation(mut self, foundation: Arc<Foundation>, within: Range<usize>) -> Self {
        self.foundation = Some((foundation, within));
        self
    }

    /// Keeps the services of a rule set that this one will replace, as [`Waf::reload`] does: for hosts that build several rule sets before they replace
    /// any of them.
    #[doc(hidden)]
    pub fn replacing(mut self, before: &Waf) -> Self {
        self.inherit(&before.shared());
        self
    }

    /// Sets options of the compiler.
    #[doc(hidden)]
    pub fn options(mut self, options: CompileOptions) -> Self {
        self.options = options;
        self
    }

    pub(super) fn load(mut self, loader: &dyn Loader) -> Result<Shared, LoadError> {
        if let Some(base) = self.base.clone() {
            self.inherit(&base);
        }
        let (graph, report, lineage) = self.compile(loader)?;
        // Before logs are opened and stores are made.
        if report.rules < self.expected_rules {
            let (rules, expected) = (report.rules, self.expected_rules);
            let message = format!("too few rules: {rules} instead of at least {expected}; `secrule check` shows what is loaded");
            return Err(LoadError::of_call("WafBuilder::expect_rules", &expected.to_string(), Code::TooFewRules, message));
        }
        let given = Given {
            store: self.store.is_some(),
            store_kinds: self.store_kinds.into(),
            resolver: self.resolver.is_some(),
            debug_log: self.debug_log.is_some(),
            audit_log: self.audit_log.is_some(),
            exchange_log: self.exchange_log.is_some(),
        };
        let settings = &graph.settings;
        let debug_log = match self.debug_log {
            None if !self.keeps_logs_closed => logs::debug_log(settings, &report)?,
            given => given,
        };
        let audit_log = match self.audit_log {
            None if !self.keeps_logs_closed => logs::audit_log(settings),
            given => given,
        };
        let exchange_log = match self.exchange_log {
            None if !self.keeps_logs_closed => logs::exchange_log(settings),
            given => given,
        };
        let resolver = self.resolver.unwrap_or_else(|| match settings.resolver {
            Some(server) => Arc::new(SystemResolver::asking(server)),
            None => SystemResolver::shared(),
        });
        let origins = Arc::new(Origins::new(settings.resolver, settings.resolver_time_limit));
        let named = stores::named(settings, &report, &given.store_kinds)?.filter(|_| !self.ignores_named_store);
        let store = self.store.or(named).or(self.known_memory).unwrap_or_else(|| match self.default_store {
            Some(store) if stores::is_memory(settings) => store(settings),
            _ => Arc::new(MemoryStore::new()),
        });
        let memory = graph.plan.as_ref().map_or_else(Arc::default, |plan| MemoryPool::of(plan.id));
        let lists = Lists::of(&store, settings.decisions.list_names());
        let services = Services { store, lists, resolver, origins, debug_log, memory, notices: Arc::default() };
        let observer = self.observer;
        let times_phases = observer.as_ref().is_some_and(|observer| observer.times_phases());
        let report = Arc::new(report);
        let shared = Shared { graph, report, lineage, services, audit_log, observer, times_phases, exchange_log, given };
        // An extension shares the automata of the rule set that it extends.
        if !shared.is_extension() {
            warm_up(&shared);
        }
        Ok(shared)
    }

    /// Takes services from another rule set, unless the builder sets others.
    pub(super) fn inherit(&mut self, before: &Shared) {
        let Services { store, resolver, debug_log, .. } = &before.services;
        // Each once, however often rules are loaded again.
        let known: Vec<_> = self.store_kinds.iter().map(|kind| kind.schemes).collect();
        self.store_kinds.extend(before.given.store_kinds.iter().filter(|kind| !known.contains(&kind.schemes)));
        if before.given.store {
            self.store.get_or_insert_with(|| Arc::clone(store));
        } else if stores::is_memory(&before.graph.settings) {
            self.known_memory.get_or_insert_with(|| Arc::clone(store));
        }
        self.resolver = self.resolver.take().or_else(|| before.given.resolver.then(|| Arc::clone(resolver)));
        self.debug_log = self.debug_log.take().or_else(|| debug_log.clone().filter(|_| before.given.debug_log));
        self.audit_log = self.audit_log.take().or_else(|| before.audit_log.clone().filter(|_| before.given.audit_log));
        self.exchange_log = self.exchange_log.take().or_else(|| before.exchange_log.clone().filter(|_| before.given.exchange_log));
        self.observer = self.observer.take().or_else(|| before.observer.clone());
    }

    /// Compiles all parts, or only what they add to a known rule set.
    fn compile(&mut self, loader: &dyn Loader) -> Result<(Arc<RuleGraph>, LoadReport, Lineage), LoadError> {
        let mut inputs = self.inputs()?;
        let mut known = self.foundation.take();
        if let Some(Lineage { inputs: inherited, foundation, within }) = self.base.take().map(|base| base.lineage.clone()) {
            known = Some((foundation, within.start + inputs.len()..within.end + inputs.len()));
            inputs.extend_from_slice(&inherited);
        }
        let extension = |(foundation, within): (Arc<Foundation>, Range<usize>)| {
            let (before, after) = (inputs.get(..within.start)?, inputs.get(within.end..)?);
            let Compiled { graph, report, .. } = extend(&foundation, before, after, loader, &self.options)?;
            Some((Arc::new(graph), report, foundation, within))
        };
        let (graph, report, foundation, within) = match known.and_then(extension) {
            Some(extension) => extension,
            None => {
                let Compiled { graph, report, kept } = compile(&inputs, loader, &self.options)?;
                let graph = Arc::new(graph);
                let foundation = Foundation::new(Arc::clone(&graph), kept.unwrap_or_default());
                (graph, report, Arc::new(foundation), 0..inputs.len())
            }
        };
        Ok((graph, report, Lineage { inputs: inputs.into(), foundation, within }))
    }

    /// Returns all parts in their order, as one load or as separate loads.
    fn inputs(&mut self) -> Result<Vec<Input>, LoadError> {
        let mut inputs = Vec::new();
        let mut paranoia = self.paranoia.take().map(paranoia).transpose()?;
        for part in self.parts.drain(..) {
            match part {
                Part::Input(input) => inputs.push(input),
                Part::CoreRuleSet(folder) => {
                    let files = CoreRuleSet::find(&folder).map_err(|error| {
                        let shown = folder.to_string_lossy();
                        LoadError::of_call("WafBuilder::crs", &shown, Code::Unreadable, error.to_string())
                    })?;
                    inputs.extend([core_rule_set::engine_settings(), Input::File(files.setup)]);
                    // After the setup file, which may set a level of its own, and before the rules that read it.
                    inputs.extend(paranoia.take());
                    inputs.extend(files.before.into_iter().chain(files.rules).chain(files.after).map(Input::File));
                }
            }
        }
        if let Some(level) = paranoia {
            inputs.insert(0, level);
        }
        if let Some(target) = self.refused_target.take() {
            let message = "this is not one target: write a variable, and after a colon a key or a /pattern/".to_owned();
            return Err(LoadError::of_call("WafBuilder::remove_target", &target, Code::BadDirectiveValue, message));
        }
        if !self.exclusions.is_empty() {
            inputs.push(Input::Text {
                name: "WafBuilder::remove_rule and remove_target".to_owned(),
                text: std::mem::take(&mut self.exclusions),
            });
        }
        // A rule set that only inherits has no load of its own.
        let has_none = inputs.is_empty() && self.base.is_some();
        Ok(if self.are_loads || has_none { inputs } else { vec![Input::Group(inputs.into())] })
    }
}

/// Returns a rule that sets the paranoia level.
fn paranoia(level: u8) -> Result<Input, LoadError> {
    let name = "WafBuilder::paranoia";
    if (1..=4).contains(&level) {
        return Ok(Input::Text { name: name.to_owned(), text: core_rule_set::paranoia(level) });
    }
    Err(LoadError::of_call(name, &level.to_string(), Code::BadDirectiveValue, "a paranoia level is 1, 2, 3 or 4".to_owned()))
}

/// Returns `true` if a text is one target at most: a second one would be added to the rule, not removed from it.
fn is_one_target(text: &str) -> bool {
    // An unclosed pattern ends at the next separator.
    let is_closed = text.matches('/').count().is_multiple_of(2);
    let mut outside_of_patterns = text.split('/').step_by(if is_closed { 2 } else { 1 });
    let separates = outside_of_patterns.any(|part| part.contains(['|', ',', ' ', '\'']));
    !text.is_empty() && !separates && !text.contains(['"', '\n', '\r']) && !text.ends_with('\\')
}
