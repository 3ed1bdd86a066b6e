//! The rules' part of an exchange: its transaction, which ends once, and its place in the counts.

use secrule::{BodyNeed, Connection, Stop, Transaction};
use secrule_serve::questions::{BLOCKING_FROM, Decision, Head, Judge};

/// An exchange that Envoy asks about. When it is dropped it ends, is logged and is counted.
pub struct Exchange {
    judge: Judge,
    transaction: Option<Transaction>,
    inspects_responses: bool,
    decision: Decision,
    request_is_over: bool,
    head: Head,
}

/// Reason why an exchange must not go on.
#[derive(Debug)]
pub enum End {
    /// Rules or a limit.
    Rules(Stop),
    /// The request belongs to no site: the status.
    NoSite(u16),
    /// The policy for bodies that did not come.
    HiddenBody,
    /// A body is longer than what is held, or cannot go on: the status.
    Status(u16),
    /// A thread that judged was stopped.
    Unjudged,
}

impl Exchange {
    /// Begins an exchange, and judges its head.
    pub fn begin(judge: Judge, connection: Connection, head: Head) -> (Self, Result<(), End>) {
        let rules = judge.rules_of(&head);
        let mut exchange =
            Self { judge, transaction: None, inspects_responses: false, decision: Decision::Pass, request_is_over: false, head };
        let judged = match rules {
            Err(status) => Err(End::NoSite(status)),
            Ok(waf) => {
                exchange.inspects_responses = waf.inspects_responses();
                let transaction = exchange.transaction.insert(waf.begin(connection));
                exchange.head.judge(transaction).map_err(End::Rules)
            }
        };
        (exchange, judged)
    }

    /// Returns `true` if rules look at the bodies of responses.
    pub fn inspects_responses(&self) -> bool {
        self.inspects_responses
    }

    /// Returns `true` if the client asks for a tunnel.
    pub fn is_connect(&self) -> bool {
        self.head.method == b"CONNECT"
    }

    /// Calls `act` with the transaction.
    pub fn with_transaction<T>(&mut self, act: impl FnOnce(&mut Transaction) -> T) -> Result<T, End> {
        self.transaction.as_mut().map(act).ok_or(End::Unjudged)
    }

    /// Returns the part of the body of the request that rules need.
    pub fn request_need(&mut self) -> Result<BodyNeed, End> {
        self.with_transaction(|transaction| transaction.request_body_need())
    }

    /// Returns the part of the body of the response that rules need.
    pub fn response_need(&mut self) -> Result<BodyNeed, End> {
        self.with_transaction(|transaction| transaction.response_body_need())
    }

    /// Ends the request after a body of some bytes. A second call does nothing.
    pub async fn end_request(&mut self, bytes: usize) -> Result<(), End> {
        if std::mem::replace(&mut self.request_is_over, true) {
            return Ok(());
        }
        self.end(bytes, Transaction::request_end).await
    }

    /// Ends the response after a body of some bytes.
    pub async fn end_response(&mut self, bytes: usize) -> Result<(), End> {
        self.end(bytes, Transaction::response_end).await
    }

    async fn end(&mut self, bytes: usize, end: fn(&mut Transaction) -> Result<(), Stop>) -> Result<(), End> {
        if bytes < BLOCKING_FROM {
            return self.with_transaction(end)?.map_err(End::Rules);
        }
        let mut transaction = self.transaction.take().ok_or(End::Unjudged)?;
        let judge = move || {
            let judged = end(&mut transaction);
            (transaction, judged)
        };
        let (transaction, judged) = tokio::task::spawn_blocking(judge).await.map_err(|_| End::Unjudged)?;
        self.transaction = Some(transaction);
        judged.map_err(End::Rules)
    }

    /// Decides about a body of which rules need more than what came.
    pub fn hide_body(&mut self, need: BodyNeed) -> Result<(), End> {
        if self.judge.refuses(need, &self.head) { Err(End::HiddenBody) } else { Ok(()) }
    }

    /// Notes the end, and the status that the client receives.
    pub fn stop(&mut self, end: &End, status: u16) {
        self.decision = match end {
            End::Rules(Stop::Intervention(intervention)) => Decision::Stop(intervention.clone()),
            End::NoSite(status) => Decision::NoSite(*status),
            End::HiddenBody | End::Status(_) => Decision::Refuse,
            End::Rules(_) | End::Unjudged => Decision::Fail,
        };
        if let Some(transaction) = &mut self.transaction {
            transaction.set_status(status);
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.judge.count(&self.decision);
        // Its drop ends it, and writes the logs.
        drop(self.transaction.take());
    }
}
