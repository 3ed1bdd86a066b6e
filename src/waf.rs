//! The handle that a host keeps: rules, stores and logs, shared by all transactions.

use crate::compile::{CompileOptions, Compiled, Input, LoadError, LoadReport, compile};
use crate::graph::RuleGraph;
use crate::source::{FileSystem, Loader};
use crate::store::{MemoryStore, Store};
use crate::transaction::{DebugLog, Ground, Transaction};
use std::path::Path;
use std::sync::Arc;

/// A rule set, ready to judge requests. Clones share everything, so that each worker can have its own.
#[derive(Clone, Debug)]
pub struct Waf {
    ground: Ground,
    report: Arc<LoadReport>,
}

/// Gathers what a [`Waf`] is made of.
#[derive(Debug)]
pub struct WafBuilder {
    inputs: Vec<Input>,
    options: CompileOptions,
    store: Arc<dyn Store>,
    debug_log: Option<Arc<dyn DebugLog>>,
}

impl Waf {
    /// Starts to gather rules.
    pub fn builder() -> WafBuilder {
        WafBuilder { inputs: Vec::new(), options: CompileOptions::default(), store: Arc::new(MemoryStore::new()), debug_log: None }
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
        Transaction::new(self.ground.clone())
    }

    /// A transaction for one request, with an id that the host gives.
    pub fn transaction_with_id(&self, id: &str) -> Transaction {
        Transaction::with_id(self.ground.clone(), id)
    }

    /// What was loaded.
    pub fn report(&self) -> &LoadReport {
        &self.report
    }

    /// The rules as meant.
    pub fn graph(&self) -> &RuleGraph {
        &self.ground.graph
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

    /// Says how to compile.
    pub fn options(mut self, options: CompileOptions) -> Self {
        self.options = options;
        self
    }

    /// Keeps persistent collections elsewhere than in a store of this rule set's own: for rule sets that follow each other, or share.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = store;
        self
    }

    /// Sends debug messages somewhere.
    pub fn debug_log(mut self, log: Arc<dyn DebugLog>) -> Self {
        self.debug_log = Some(log);
        self
    }

    /// Loads and compiles, reading files from the file system.
    pub fn build(self) -> Result<Waf, LoadError> {
        self.build_with(&FileSystem)
    }

    /// Loads and compiles, reading files through a loader.
    pub fn build_with(self, loader: &dyn Loader) -> Result<Waf, LoadError> {
        let Compiled { graph, report } = compile(&self.inputs, loader, &self.options)?;
        let ground = Ground { graph: Arc::new(graph), store: self.store, debug_log: self.debug_log };
        Ok(Waf { ground, report: Arc::new(report) })
    }
}
