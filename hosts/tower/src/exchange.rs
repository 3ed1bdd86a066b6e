//! An exchange: the transaction that all parts of one request and its response share, and its end.

use crate::Inspection;
use secrule::{Stop, Transaction};
use std::sync::{Arc, Mutex, PoisonError};

/// The transaction of one request. It ends once: with [`finish`](Self::finish), or when the last part of the exchange is dropped.
#[derive(Clone, Debug)]
pub struct Exchange {
    transaction: Arc<Mutex<Option<Transaction>>>,
    inspection: Inspection,
}

impl Exchange {
    pub fn new(transaction: Transaction) -> Self {
        Self { transaction: Arc::new(Mutex::new(Some(transaction))), inspection: Inspection::default() }
    }

    /// Returns the results that handlers see.
    pub fn inspection(&self) -> &Inspection {
        &self.inspection
    }

    /// Calls `judge` with the transaction. After its end nothing is judged.
    pub fn judge(&self, judge: impl FnOnce(&mut Transaction) -> Result<(), Stop>) -> Result<(), Stop> {
        self.look(judge).unwrap_or(Ok(()))
    }

    /// Calls `look` with the transaction; `None` after its end.
    pub fn look<T>(&self, look: impl FnOnce(&mut Transaction) -> T) -> Option<T> {
        self.transaction.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(look)
    }

    /// Ends the exchange: rules of phase 5 run, and the logs are written. Later calls do nothing.
    pub fn finish(&self) {
        let transaction = self.transaction.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(transaction) = transaction {
            self.inspection.end(transaction.finish());
        }
    }
}
