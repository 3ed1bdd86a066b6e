//! The handle that a host keeps: rules, stores and logs, shared by all transactions.

use crate::compile::{CompileOptions, Compiled, Input, LoadError, LoadReport, compile};
use crate::engine::{Services, is_blacklisted, is_whitelisted};
use crate::graph::{RuleGraph, Settings, SiteId};
use crate::record::audit::AuditWriter;
use crate::record::debug_log::DebugFile;
use crate::resolver::{Origins, Resolver, SystemResolver};
use crate::source::{FileSystem, Loader};
use crate::starter;
use crate::state::DebugLog;
use crate::store::{MemoryStore, RateLimits, Store};
use crate::transaction::{AuditLog, Shared, Transaction};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A rule set, ready to judge requests. Clones share everything, so that each worker can have its own.
#[derive(Clone, Debug)]
pub struct Waf {
    shared: Shared,
    report: Arc<LoadReport>,
}

/// Gathers what a [`Waf`] is made of.
#[derive(Debug)]
pub struct WafBuilder {
    inputs: Vec<Input>,
    options: CompileOptions,
    store: Arc<dyn Store>,
    resolver: Option<Arc<dyn Resolver>>,
    debug_log: Option<Arc<dyn DebugLog>>,
    opens_logs: bool,
}

impl Waf {
    /// Starts to gather rules.
    pub fn builder() -> WafBuilder {
        WafBuilder {
            inputs: Vec::new(),
            options: CompileOptions::default(),
            store: Arc::new(MemoryStore::new()),
            resolver: None,
            debug_log: None,
            opens_logs: true,
        }
    }

    /// A rule set from text.
    pub fn from_rules(text: &str) -> Result<Self, LoadError> {
        Self::builder().rules("rules", text).build()
    }

    /// A rule set from a file and all that it includes.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        Self::builder().file(path).build()
    }

    /// A transaction for one request, with an id of its own.
    pub fn transaction(&self) -> Transaction {
        Transaction::new(self.shared.clone())
    }

    /// A transaction for one request, with an id that the host gives.
    pub fn transaction_with_id(&self, id: &str) -> Transaction {
        Transaction::with_id(self.shared.clone(), id)
    }

    /// The same rules with memory of their own, and with the logs that they name opened anew.
    ///
    /// The C interface calls it when a host reads its configuration again.
    ///
    /// # Errors
    /// When the debug log cannot be opened.
    #[doc(hidden)]
    pub fn reopened(&self) -> Result<Self, LoadError> {
        let settings = &self.shared.graph.settings;
        let services = Services {
            debug_log: open_debug_log(settings, &self.report)?,
            memory: Arc::default(),
            notices: Arc::default(),
            ..self.shared.services.clone()
        };
        let shared = Shared { graph: Arc::clone(&self.shared.graph), services, audit_log: open_audit_log(settings) };
        Ok(Self { shared, report: Arc::clone(&self.report) })
    }

    /// Turns an address away from a site for some time, or from all with site 0: decision scripts find it on the blacklist. The ban is kept in
    /// the store, so that rule sets that share one share it.
    pub fn ban(&self, address: IpAddr, site: u64, time: Duration) {
        let now = SystemTime::now();
        self.shared.services.store.ban(SiteId(site), address.to_canonical(), now.checked_add(time).unwrap_or(now));
    }

    /// Ends a ban from exactly this site; whether there was one.
    pub fn unban(&self, address: IpAddr, site: u64) -> bool {
        self.shared.services.store.unban(SiteId(site), address.to_canonical())
    }

    /// Returns `true` if an address is on a blacklist of the site or of all, or banned from one of them.
    pub fn is_blacklisted(&self, address: IpAddr, site: u64) -> bool {
        is_blacklisted(&self.shared.graph, &self.shared.services, address, SiteId(site))
    }

    /// Returns `true` if an address is on a whitelist of the site or of all.
    pub fn is_whitelisted(&self, address: IpAddr, site: u64) -> bool {
        is_whitelisted(&self.shared.graph, address, SiteId(site))
    }

    /// What was loaded.
    pub fn report(&self) -> &LoadReport {
        &self.report
    }

    /// How many records of the audit log were lost so far: they could not be written, or the server of `SecAuditLogType HTTPS` did not
    /// take them. Rule sets that name the same log are counted together.
    pub fn lost_audit_records(&self) -> u64 {
        self.shared.audit_log.as_ref().map_or(0, |log| log.lost())
    }

    /// The rules as meant.
    pub fn graph(&self) -> &RuleGraph {
        &self.shared.graph
    }
}

impl WafBuilder {
    /// Adds a rule file and all that it includes.
    pub fn file(mut self, path: impl AsRef<Path>) -> Self {
        self.inputs.push(Input::File(path.as_ref().to_owned()));
        self
    }

    /// Adds rules as text; `name` is what messages call it.
    pub fn rules(mut self, name: &str, text: &str) -> Self {
        self.inputs.push(Input::Text { name: name.to_owned(), text: text.to_owned() });
        self
    }

    /// Adds rules as an [`Input`], such as several files that are one load.
    pub fn input(mut self, input: Input) -> Self {
        self.inputs.push(input);
        self
    }

    /// Adds the starter rules: a small rule set of this project's own, built into the library, which blocks the commonest attacks at once.
    ///
    /// They are one load. As in ModSecurity v3 the first load that sets a value wins, and a later one gets a warning, so settings that are to
    /// replace theirs, such as `SecRuleEngine DetectionOnly`, are added before them. Whoever runs something that matters should install the OWASP CRS.
    ///
    /// ```
    /// let waf = secrule::Waf::builder().starter_rules().build()?;
    /// let mut transaction = waf.transaction();
    /// assert!(!transaction.process_uri(b"/?q=%3Cscript%3Ealert(1)%3C/script%3E", b"GET", b"HTTP/1.1").is_intervention());
    /// transaction.add_request_header(b"Host", b"shop.example");
    /// assert!(!transaction.process_request_headers().is_intervention());
    /// assert!(transaction.process_request_body().is_intervention());
    /// # Ok::<(), secrule::LoadError>(())
    /// ```
    pub fn starter_rules(self) -> Self {
        self.input(starter::rules())
    }

    /// Says how to compile.
    pub fn options(mut self, options: CompileOptions) -> Self {
        self.options = options;
        self
    }

    /// Looks names up for `@rbl` otherwise than with the system's resolver and its limits, such as one second for an answer.
    pub fn resolver(mut self, resolver: Arc<dyn Resolver>) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// Keeps persistent collections elsewhere than in a store of this rule set's own: for rule sets that follow each other, or share.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = store;
        self
    }

    /// Leaves the debug log and the audit log that the rules name alone: for those who check rules, or try requests.
    pub fn without_logs(mut self) -> Self {
        self.opens_logs = false;
        self
    }

    /// Sends debug messages somewhere, instead of to the file that the rules name.
    pub fn debug_log(mut self, log: Arc<dyn DebugLog>) -> Self {
        self.debug_log = Some(log);
        self
    }

    /// Loads and compiles, reading files from the file system.
    pub fn build(self) -> Result<Waf, LoadError> {
        self.build_with(&FileSystem)
    }

    /// Loads and compiles, reading files through a loader. As in ModSecurity v3 a debug log that cannot be opened is an error, and an audit
    /// log is not.
    pub fn build_with(self, loader: &dyn Loader) -> Result<Waf, LoadError> {
        let Compiled { graph, report } = compile(&self.inputs, loader, &self.options)?;
        let debug_log = match self.debug_log {
            None if self.opens_logs => open_debug_log(&graph.settings, &report)?,
            given => given,
        };
        let audit_log = self.opens_logs.then(|| open_audit_log(&graph.settings)).flatten();
        let settings = &graph.settings;
        let resolver = self.resolver.unwrap_or_else(|| match settings.resolver {
            Some(server) => Arc::new(SystemResolver::asking(server)),
            None => SystemResolver::shared(),
        });
        let patience = Duration::from_millis(settings.resolver_time_limit.unwrap_or(Settings::RESOLVER_TIME));
        let origins = Arc::new(Origins::new(settings.resolver, patience));
        let rates = Arc::new(RateLimits::new(&settings.decisions.rates));
        let (store, memory, notices) = (self.store, Arc::default(), Arc::default());
        let services = Services { store, resolver, origins, rates, debug_log, memory, notices };
        let shared = Shared { graph: Arc::new(graph), services, audit_log };
        Ok(Waf { shared, report: Arc::new(report) })
    }
}

/// Opens the debug log that the settings name; an error stands at the directive that names it.
fn open_debug_log(settings: &Settings, report: &LoadReport) -> Result<Option<Arc<dyn DebugLog>>, LoadError> {
    let Some(path) = &settings.debug_log else { return Ok(None) };
    match DebugFile::open(Path::new(&*path.node), settings.debug_log_level.unwrap_or(0)) {
        Ok(log) => Ok(Some(Arc::new(log))),
        Err(error) => Err(report.clone().refuse(path.span, format!("the debug log `{}` cannot be opened: {error}", path.node))),
    }
}

fn open_audit_log(settings: &Settings) -> Option<Arc<dyn AuditLog>> {
    AuditWriter::from_settings(settings).map(|writer| Arc::new(writer) as Arc<dyn AuditLog>)
}
