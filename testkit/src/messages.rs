//! A debug log in memory.

use secrule::DebugLog;
use std::sync::{Arc, Mutex};

/// Keeps messages up to a level.
#[derive(Debug)]
pub struct Messages {
    level: u8,
    kept: Mutex<Vec<String>>,
}

impl Messages {
    /// Makes an empty log.
    pub fn up_to(level: u8) -> Arc<Self> {
        Arc::new(Self { level, kept: Mutex::default() })
    }

    /// Returns the messages since the last call.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.kept.lock().unwrap())
    }
}

impl DebugLog for Messages {
    fn level(&self) -> u8 {
        self.level
    }

    fn write(&self, _level: u8, _transaction: &str, _uri: &[u8], message: &str) {
        self.kept.lock().unwrap().push(message.to_owned());
    }
}
