//! Finds the store that rules name.

use crate::compile::{LoadError, LoadReport};
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::Settings;
use crate::store::{BadAddress, Store, StoreKind};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The address of a store in the memory of the process.
const MEMORY: &str = "memory";

/// The stores of this process by their addresses. Rule sets that name the same address share a store.
static SHARED: Mutex<Vec<Named>> = Mutex::new(Vec::new());

/// A store that is in use, and its address.
struct Named {
    address: Box<str>,
    store: Weak<dyn Store>,
}

/// Returns the store that the settings name; `None` for memory. An error is placed at the directive.
pub fn named(settings: &Settings, report: &LoadReport, kinds: &[StoreKind]) -> Result<Option<Arc<dyn Store>>, LoadError> {
    let Some(address) = settings.collection_store.as_ref().filter(|_| !is_memory(settings)) else { return Ok(None) };
    match open(&address.node, kinds) {
        Ok(store) => Ok(Some(store)),
        Err(BadAddress { problem, remedy }) => {
            Err(report.clone().refuse(Diagnostic::new(Code::BadDirectiveValue, address.span, problem).hint(remedy)))
        }
    }
}

/// Returns `true` if the settings name no store, or memory.
pub fn is_memory(settings: &Settings) -> bool {
    settings.collection_store.as_ref().is_none_or(|address| address.node.eq_ignore_ascii_case(MEMORY))
}

/// Returns the store at an address.
///
/// # Errors
/// If no kind has its scheme, or the kind does not take it.
pub fn open(address: &str, kinds: &[StoreKind]) -> Result<Arc<dyn Store>, BadAddress> {
    let scheme = StoreKind::scheme(address);
    let Some(kind) = kinds.iter().find(|kind| kind.schemes.contains(&scheme)) else {
        return Err(unknown(scheme, kinds));
    };
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.retain(|named| named.store.strong_count() > 0);
    if let Some(store) = shared.iter().find(|named| *named.address == *address).and_then(|named| named.store.upgrade()) {
        return Ok(store);
    }
    let store = (kind.make)(address)?;
    shared.push(Named { address: address.into(), store: Arc::downgrade(&store) });
    Ok(store)
}

fn unknown(scheme: &str, kinds: &[StoreKind]) -> BadAddress {
    let feature = match scheme {
        "lmdb" => Some("lmdb"),
        _ if scheme.starts_with("redis") || scheme.starts_with("valkey") => Some("redis"),
        _ => None,
    };
    if let Some(feature) = feature {
        let problem = format!("this build has no stores of the kind `{scheme}`");
        return BadAddress::new(problem, format!("build it with the feature `{feature}`, or write {MEMORY}"));
    }
    let known = kinds.iter().flat_map(|kind| kind.schemes).map(|scheme| format!(", {scheme}:…")).collect::<String>();
    BadAddress::new(format!("there is no kind of store `{scheme}`"), format!("write {MEMORY}{known}"))
}
