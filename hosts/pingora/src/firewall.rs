//! The firewall around a proxy: rules, what the proxy says about itself, and the steps of an exchange.

use crate::answer::write_answer;
use crate::context::WafContext;
use crate::options::{Options, ends};
use crate::request;
use crate::response::{self, Held};
use bytes::Bytes;
use http::StatusCode;
use http::header::{ACCEPT_ENCODING, COOKIE, EXPECT};
use pingora_core::{Error, ErrorType, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::Session;
use secrule::{Connection, Transaction, Waf};
use secrule_tower::Refusal;
use secrule_tower::host::{Exchange, joined_cookies};
use std::fmt;
use std::sync::Arc;

/// A proxy of Pingora behind a web application firewall: implements `ProxyHttp` around another implementation.
///
/// Clones of its [`Waf`] share their rules: [`Waf::reload`] replaces them for all, while requests run.
pub struct WafProxy<P> {
    pub(crate) inner: P,
    waf: Waf,
    options: Arc<Options>,
}

impl<P> WafProxy<P> {
    /// Puts a firewall in front of a proxy. The ends of the connection are those that Pingora knows; see [`connection`](Self::connection).
    pub fn new(inner: P, waf: Waf) -> Self {
        Self { inner, waf, options: Arc::new(Options::new(ends)) }
    }

    /// Sets who tells the ends of a request's connection: rules about addresses, bans and rates need them. Behind a load balancer return the address of the
    /// client, not of the balancer.
    #[must_use]
    pub fn connection(mut self, connection: impl Fn(&Session) -> Connection + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.options).connection = Arc::new(connection);
        self
    }

    /// Chooses the rules of each request by its head, for several sites behind one proxy. `choose` is called once, before any rule runs; `None` means the
    /// rules of the firewall. What it reads, such as the host and the path, is what the client wrote: match a path as the upstream reads it.
    #[must_use]
    pub fn rules_by(mut self, choose: impl Fn(&Session) -> Option<Waf> + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.options).rules_by = Some(Arc::new(choose));
        self
    }

    /// Sets the page of requests that are refused. Status, `Location`, `Connection` and `Content-Length` are set by the firewall. Without it the page is
    /// the status as text.
    #[must_use]
    pub fn page(mut self, page: impl Fn(&Refusal) -> http::Response<Bytes> + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.options).page = Arc::new(page);
        self
    }

    /// Sets the maximum number of bytes of a body that is held back while rules may stop it, where the limits of the rules are larger, or have no action.
    /// The default is 128 MiB.
    #[must_use]
    pub fn held_limit(mut self, bytes: usize) -> Self {
        Arc::make_mut(&mut self.options).held_limit = bytes;
        self
    }

    /// Sets the number of bytes from which on a body is judged where tokio allows blocking. The default is 64 KiB, which takes about a millisecond.
    #[must_use]
    pub fn blocking_from(mut self, bytes: usize) -> Self {
        Arc::make_mut(&mut self.options).blocking_from = bytes;
        self
    }

    /// Judges a request; returns `true` if it was refused, and answered.
    pub(crate) async fn judge_request<C>(&self, session: &mut Session, context: &mut WafContext<C>) -> Result<bool> {
        let chosen = self.options.rules_by.as_ref().and_then(|choose| choose(session));
        let waf = chosen.as_ref().unwrap_or(&self.waf);
        context.inspects_responses = waf.inspects_responses();
        let exchange = Exchange::new(waf.begin((self.options.connection)(session)));
        context.exchange = Some(exchange.clone());
        if let Some(cookies) = joined_cookies(&session.req_header().headers, session.req_header().version) {
            session.req_header_mut().insert_header(COOKIE, cookies)?;
        }
        session.req_header_mut().extensions_mut().insert(exchange.inspection().clone());
        match request::judge(session, &exchange, &self.options).await? {
            Ok(body) => {
                context.request = body;
                Ok(false)
            }
            Err(refusal) => {
                self.refuse(session, context, &exchange, refusal).await?;
                Ok(true)
            }
        }
    }

    /// Prepares what an upstream gets; Pingora may try several.
    pub(crate) fn prepare_upstream<C>(&self, session: &mut Session, upstream: &mut RequestHeader, context: &mut WafContext<C>) {
        if context.inspects_responses {
            upstream.remove_header(&ACCEPT_ENCODING);
        }
        match &mut context.request {
            request::Body::Held(pieces) => {
                // The client was told to continue before its body was read.
                if request::expects_continue(&upstream.headers) {
                    upstream.remove_header(&EXPECT);
                }
                if !pieces.is_empty() {
                    context.slot.replay(session, pieces.clone());
                }
            }
            request::Body::Seen { shown, .. } => *shown = 0,
            request::Body::Passing => {}
        }
    }

    /// Judges the head of a response, and looks what rules need of its body.
    pub(crate) async fn judge_response<C>(&self, session: &mut Session, head: &ResponseHeader, context: &mut WafContext<C>) -> Result<()> {
        let is_upgrade = head.status == StatusCode::SWITCHING_PROTOCOLS;
        let is_interim = head.status.is_informational() && !is_upgrade;
        let Some(exchange) = context.exchange.clone().filter(|_| !is_interim) else { return Ok(()) };
        let judged = exchange.judge(|transaction| {
            // The upstream may answer before it has the whole request: what it has not got is not judged, and nothing of it could stop the exchange.
            let _ = transaction.request_end();
            transaction.response_head(head)
        });
        context.request = request::Body::Passing;
        let need = exchange.with_transaction(|transaction| transaction.response_body_need());
        let refusal = match (judged, need) {
            (Err(refusal), _) => refusal,
            // The exchange has ended: this is the answer of a proxy to an error after the head.
            (Ok(()), None) => return Ok(()),
            (Ok(()), Some(need)) if need.is_nothing() || is_upgrade => match exchange.judge(Transaction::response_end) {
                Ok(()) => {
                    exchange.finish();
                    return Ok(());
                }
                Err(refusal) => refusal,
            },
            (Ok(()), Some(need)) if need.may_forward() => {
                context.response = response::Body::Seen;
                return Ok(());
            }
            (Ok(()), Some(need)) => {
                let state = Held::new(exchange, Arc::clone(&self.options));
                context.slot.hold(session, state.clone());
                context.response = response::Body::Held { state, need: need.limit() };
                return Ok(());
            }
        };
        let reason = refusal.to_string();
        let status = refusal.status();
        self.refuse(session, context, &exchange, refusal).await?;
        Error::e_explain(ErrorType::HTTPStatus(status.as_u16()), reason)
    }

    /// Answers a request itself.
    async fn refuse<C>(&self, session: &mut Session, context: &mut WafContext<C>, exchange: &Exchange, refusal: Refusal) -> Result<()> {
        let answer = exchange.refuse(&refusal, &*self.options.page, session.req_header().version);
        context.refusal = Some(refusal);
        context.slot.leave(session);
        write_answer(&mut session.downstream_session, answer).await
    }
}

impl<P> fmt::Debug for WafProxy<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WafProxy").finish_non_exhaustive()
    }
}
