//! Services that all worlds use: the rules, the store, the log of scripts, and the place among the hosts of a store.

use super::{Leadership, ScriptLog};
use secrule::internals::exchange::ExchangeRecord;
use secrule::internals::graph::Settings;
use secrule::{Limit, Store, Waf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The record of an exchange, as a world takes it.
pub type Exchange = ExchangeRecord<'static>;

/// Services for worlds. Clones share them.
#[derive(Clone, Debug)]
pub struct Services {
    waf: Waf,
    store: Arc<dyn Store>,
    call_limit: Duration,
    log: Arc<ScriptLog>,
    leadership: Arc<Leadership>,
}

impl Services {
    /// The services of a host for these rules.
    pub fn new(waf: &Waf, log: Arc<ScriptLog>) -> Self {
        let settings = &waf.graph().settings;
        let call_limit = Duration::from_millis(u64::try_from(settings.limit(Limit::StoreCall)).unwrap_or(u64::MAX));
        Self { waf: waf.clone(), store: waf.store(), call_limit, log, leadership: Arc::new(Leadership::new()) }
    }

    /// Returns the rules.
    pub fn waf(&self) -> &Waf {
        &self.waf
    }

    /// Calls `look` with the settings of the rules.
    pub fn settings<T>(&self, look: impl FnOnce(&Settings) -> T) -> T {
        look(&self.waf.graph().settings)
    }

    /// Asks the store, with the deadline of `SecStoreCallLimit`.
    pub fn ask_store<T>(&self, ask: impl FnOnce(&dyn Store, Instant) -> T) -> T {
        let now = Instant::now();
        ask(&*self.store, now.checked_add(self.call_limit).unwrap_or(now))
    }

    /// Returns the log of scripts.
    pub fn log(&self) -> &Arc<ScriptLog> {
        &self.log
    }

    /// Returns the place of this host among those of the store.
    pub fn leadership(&self) -> &Arc<Leadership> {
        &self.leadership
    }
}
