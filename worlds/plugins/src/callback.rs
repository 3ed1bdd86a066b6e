//! What the function of a plugin that runs now is about.

use crate::registration::Target;
use secrule_host::Exchange;
use std::cell::RefCell;
use std::sync::Arc;

/// The state of a plugin: what it may call depends on it.
#[derive(Clone, Debug, Default)]
pub enum Callback {
    /// The script is being loaded.
    #[default]
    Load,
    /// A request.
    Request(Arc<Exchange>, Target),
    /// A tick.
    Tick,
}

/// The callback that runs now, shared by the functions of a plugin.
#[derive(Debug, Default)]
pub struct Current(RefCell<Callback>);

impl Current {
    /// Begins a callback.
    pub fn begin(&self, callback: Callback) {
        *self.0.borrow_mut() = callback;
    }

    /// Returns an error while the script is being loaded.
    pub fn check_loaded(&self) -> Result<(), String> {
        match &*self.0.borrow() {
            Callback::Load => Err("this cannot be called while the plugin is being loaded: call it in a registered function".to_owned()),
            _ => Ok(()),
        }
    }

    /// Returns `true` while the script is being loaded.
    pub fn is_load(&self) -> bool {
        matches!(&*self.0.borrow(), Callback::Load)
    }

    /// Returns the request, which a tick does not have.
    pub fn request(&self) -> Result<(Arc<Exchange>, Target), String> {
        self.check_loaded()?;
        match &*self.0.borrow() {
            Callback::Request(exchange, target) => Ok((Arc::clone(exchange), *target)),
            _ => Err("this cannot be called in a ticker: it is about a request".to_owned()),
        }
    }
}
