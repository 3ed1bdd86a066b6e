//! The call of a function of a plugin that runs now: its request, and how long it waited for others.

use crate::registration::Target;
use secrule_host::Exchange;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

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
pub struct Current {
    callback: RefCell<Callback>,
    waited: Cell<Duration>,
}

impl Current {
    /// Begins a callback.
    pub fn begin(&self, callback: Callback) {
        *self.callback.borrow_mut() = callback;
        self.waited.set(Duration::ZERO);
    }

    /// Returns the time for which the callback has waited for others, which is not its own.
    pub fn waited(&self) -> Duration {
        self.waited.get()
    }

    /// Adds to that time.
    pub fn add_wait(&self, time: Duration) {
        self.waited.set(self.waited.get().saturating_add(time));
    }

    /// Returns an error while the script is being loaded.
    pub fn check_loaded(&self) -> Result<(), String> {
        match &*self.callback.borrow() {
            Callback::Load => Err("this cannot be called while the plugin is being loaded: call it in a registered function".to_owned()),
            _ => Ok(()),
        }
    }

    /// Returns `true` while the script is being loaded.
    pub fn is_load(&self) -> bool {
        matches!(&*self.callback.borrow(), Callback::Load)
    }

    /// Returns the request, which a tick does not have.
    pub fn request(&self) -> Result<(Arc<Exchange>, Target), String> {
        self.check_loaded()?;
        match &*self.callback.borrow() {
            Callback::Request(exchange, target) => Ok((Arc::clone(exchange), *target)),
            _ => Err("this cannot be called in a ticker: it is about a request".to_owned()),
        }
    }
}
