//! The stores of the library: those that rules may name, and the one of rules that name none.
//!
//! Rule sets of a process share the latter, whatever the rule set of a request, as in ModSecurity v3. With `SecDataDir` it is a file of LMDB in that
//! folder, so that the workers of a host share it, too; otherwise it is the memory of the process.

use secrule::internals::graph::{RuleGraph, Settings};
use secrule::{MemoryStore, Store, StoreKind, WafBuilder};
use std::sync::{Arc, LazyLock};

/// The kinds of stores that rules may name, besides memory.
const KINDS: &[StoreKind] = &[
    #[cfg(feature = "lmdb")]
    secrule_lmdb::LmdbStore::KIND,
    #[cfg(feature = "redis")]
    secrule_redis::RedisStore::KIND,
];

/// The memory of the process.
static MEMORY: LazyLock<Arc<dyn Store>> = LazyLock::new(|| Arc::new(MemoryStore::new()));

/// Adds the stores to a builder.
pub fn known(builder: WafBuilder) -> WafBuilder {
    KINDS.iter().fold(builder, |builder, kind| builder.store_kind(*kind)).default_store(of_settings)
}

/// Returns the store of rules that name none, or memory.
fn of_settings(settings: &Settings) -> Arc<dyn Store> {
    #[cfg(feature = "lmdb")]
    if let Some(folder) = settings.data_folder.as_ref().filter(|_| settings.collection_store.is_none()) {
        return in_folder::store(folder);
    }
    let _ = settings;
    Arc::clone(&MEMORY)
}

/// Returns a notice if the rules keep something that workers do not share, though nobody decided that.
pub fn notice(rules: &RuleGraph) -> Option<&'static str> {
    let settings = &rules.settings;
    let is_shared = settings.collection_store.is_some() || (cfg!(feature = "lmdb") && settings.data_folder.is_some());
    let keeps = !settings.decisions.rates.is_empty() || settings.decisions.list_names().next().is_some() || rules.writes_records();
    (keeps && !is_shared).then_some(
        "each process keeps persistent collections, bans and rates in its own memory: name a folder with SecDataDir to share them, or write \
         SecCollectionStore memory if that is meant",
    )
}

#[cfg(feature = "lmdb")]
mod in_folder {
    use super::super::loads::lock;
    use secrule::internals::once_per_process::OncePerProcess;
    use secrule::internals::store::{Breaker, Failure, Route};
    use secrule::{MemoryStore, Store};
    use secrule_lmdb::LmdbStore;
    use std::convert::Infallible;
    use std::io::Write as _;
    use std::path::{Path, PathBuf};
    use std::sync::{Arc, Mutex};
    use std::time::Instant;

    /// The stores by their folders. A host may read its configuration again, and the store must stay the same.
    static STORES: Mutex<Vec<(PathBuf, Arc<InFolder>)>> = Mutex::new(Vec::new());

    /// Returns the store of a folder.
    pub fn store(folder: &Path) -> Arc<dyn Store> {
        let mut stores = lock(&STORES);
        if let Some((_, store)) = stores.iter().find(|(known, _)| known == folder) {
            return Arc::clone(store) as Arc<dyn Store>;
        }
        let lmdb = Breaker::new(LmdbStore::in_folder(folder, LmdbStore::SIZE));
        let store = Arc::new(InFolder { lmdb, memory: MemoryStore::new(), uses_lmdb: OncePerProcess::new() });
        stores.push((folder.to_owned(), Arc::clone(&store)));
        store
    }

    /// A store in a file of LMDB, or in memory where the process may not make the file: nobody asked for the file, so that its absence must not break
    /// what worked without it.
    #[derive(Debug)]
    struct InFolder {
        lmdb: Breaker<LmdbStore>,
        memory: MemoryStore,
        uses_lmdb: OncePerProcess<bool>,
    }

    impl InFolder {
        fn uses_lmdb(&self) -> bool {
            let usable = || match self.lmdb.store().check() {
                Ok(()) => Ok::<_, Infallible>(true),
                Err(down) => {
                    let reason = down.to_string();
                    let line = format!("secrule: this process keeps persistent collections, bans and rates in its own memory: {reason}\n");
                    // If the host closed its standard error, there is no other place for this.
                    let _ = std::io::stderr().write_all(line.as_bytes());
                    Ok(false)
                }
            };
            self.uses_lmdb.get_or_make(usable).is_ok_and(|uses_lmdb| *uses_lmdb)
        }
    }

    impl Route for InFolder {
        fn route<R, E: Failure>(&self, by: Instant, ask: impl FnOnce(&dyn Store) -> Result<R, E>) -> Result<R, E> {
            if self.uses_lmdb() { self.lmdb.route(by, ask) } else { ask(&self.memory) }
        }

        fn has_bans(&self) -> bool {
            // Before the first call, the file of other processes may have some.
            match self.uses_lmdb.made() {
                Some(uses_lmdb) if !*uses_lmdb => self.memory.has_bans(),
                _ => Store::has_bans(&self.lmdb),
            }
        }
    }
}
