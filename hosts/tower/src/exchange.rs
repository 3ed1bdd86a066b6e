//! An exchange: the transaction that all parts of one request and its response share, and its end.

use crate::answer::{Page, answer};
use crate::{Inspection, Refusal, RequestMatch};
use bytes::Bytes;
use http::{Response, Version};
use secrule::{Stop, Transaction};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;

/// The transaction of one request. It ends once: with [`finish`](Self::finish), or when the last part of the exchange is dropped.
#[derive(Clone, Debug)]
pub struct Exchange {
    transaction: Arc<Mutex<Option<Transaction>>>,
    inspection: Inspection,
}

impl Exchange {
    /// Begins an exchange with a new transaction.
    pub fn new(transaction: Transaction) -> Self {
        Self { transaction: Arc::new(Mutex::new(Some(transaction))), inspection: Inspection::default() }
    }

    /// Returns the results that handlers see.
    pub fn inspection(&self) -> &Inspection {
        &self.inspection
    }

    /// Calls `judge` with the transaction. After its end nothing is judged.
    ///
    /// # Errors
    /// The refusal that ends the exchange.
    pub fn judge(&self, judge: impl FnOnce(&mut Transaction) -> Result<(), Stop>) -> Result<(), Refusal> {
        self.with_transaction(judge).unwrap_or(Ok(())).map_err(|stop| match stop {
            Stop::Intervention(intervention) => Refusal::Intervention(intervention),
            _ => Refusal::Unjudged,
        })
    }

    /// Calls `end`, which judges a body of this many bytes: from `blocking_from` bytes on where tokio allows blocking.
    ///
    /// # Errors
    /// The refusal that ends the exchange.
    pub async fn judge_body(
        &self,
        bytes: usize,
        blocking_from: usize,
        end: fn(&mut Transaction) -> Result<(), Stop>,
    ) -> Result<(), Refusal> {
        let Some(runtime) = Handle::try_current().ok().filter(|_| bytes >= blocking_from) else { return self.judge(end) };
        let exchange = self.clone();
        runtime.spawn_blocking(move || exchange.judge(end)).await.map_err(|_| Refusal::Unjudged)?
    }

    /// Calls `act` with the transaction; `None` after its end.
    pub fn with_transaction<T>(&self, act: impl FnOnce(&mut Transaction) -> T) -> Option<T> {
        self.transaction.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(act)
    }

    /// Keeps the matches of the request for handlers.
    pub fn end_request(&self) {
        self.with_transaction(|transaction| self.inspection.end_request(|| request_matches(transaction)));
    }

    /// Ends an exchange that is refused, and returns the answer.
    pub fn refuse(&self, refusal: &Refusal, page: &Page, version: Version) -> Response<Bytes> {
        let response = answer(refusal, page, version);
        if !matches!(refusal, Refusal::Intervention(_)) {
            self.with_transaction(|transaction| transaction.set_status(response.status().as_u16()));
        }
        self.finish();
        response
    }

    /// Ends the exchange: rules of phase 5 run, and the logs are written. Later calls do nothing.
    pub fn finish(&self) {
        let transaction = self.transaction.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(transaction) = transaction {
            self.inspection.end(transaction.finish());
        }
    }
}

fn request_matches(transaction: &Transaction) -> Vec<RequestMatch> {
    let matches = transaction.matches().map(|found| RequestMatch {
        rule_id: found.id(),
        message: found.message().into_owned(),
        tags: found.tags().map(|tag| tag.into_owned()).collect(),
        score: found.score(),
    });
    matches.collect()
}
