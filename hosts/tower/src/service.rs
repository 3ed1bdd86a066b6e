//! The service: judges a request, calls the inner service, judges its response.

use crate::answer::{Refusal, answer};
use crate::exchange::Exchange;
use crate::hold::{Full, Held};
use crate::inspection::{Inspection, RequestMatch};
use crate::layer::Options;
use crate::request_body::RequestBody;
use crate::response_body::ResponseBody;
use http::header::ACCEPT_ENCODING;
use http::{Request, Response, Version};
use http_body::Body;
use secrule::{Stop, Transaction, Waf};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::runtime::Handle;
use tower_service::Service;

/// A service behind a web application firewall: [`WafLayer`](crate::WafLayer) makes it.
#[derive(Clone)]
pub struct WafService<S> {
    inner: S,
    waf: Waf,
    options: Arc<Options>,
}

/// One exchange, and what judges it.
struct Judge {
    exchange: Exchange,
    options: Arc<Options>,
    version: Version,
}

impl<S> WafService<S> {
    pub(crate) fn new(inner: S, waf: Waf, options: Arc<Options>) -> Self {
        Self { inner, waf, options }
    }
}

impl<S, B, R> Service<Request<B>> for WafService<S>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Send,
    R: Body + Send + Unpin + 'static,
    R::Data: Send,
    R::Error: Send,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that is ready is called; the clone has to become ready first.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let (mut head, body) = request.into_parts();
        let chosen = self.options.rules_by.as_ref().and_then(|choose| choose(&head));
        let waf = chosen.as_ref().unwrap_or(&self.waf);
        let transaction = waf.begin((self.options.connection)(&head));
        let judge = Judge { exchange: Exchange::new(transaction), options: Arc::clone(&self.options), version: head.version };
        let inspects_responses = waf.inspects_responses();
        Box::pin(async move {
            if let Err(stop) = judge.exchange.judge(|transaction| transaction.request_head(&head)) {
                return Ok(judge.refuse(refusal(stop)));
            }
            let body = match judge.request(body).await {
                Ok(body) => body,
                Err(refusal) => return Ok(judge.refuse(refusal)),
            };
            if inspects_responses {
                head.headers.remove(ACCEPT_ENCODING);
            }
            head.extensions.insert(judge.exchange.inspection().clone());
            let response = inner.call(Request::from_parts(head, body)).await?;
            Ok(match judge.response(response).await {
                Ok(response) => response,
                Err(refusal) => judge.refuse(refusal),
            })
        })
    }
}

impl Judge {
    /// Judges the body of a request, as far as rules need it, and returns it.
    async fn request<B: Body + Unpin>(&self, body: B) -> Result<RequestBody<B>, Refusal> {
        let Some(need) = self.exchange.look(|transaction| transaction.request_body_need()) else { return Err(Refusal::Unjudged) };
        let body = if need.is_nothing() || body.is_end_stream() {
            self.exchange.judge(Transaction::request_end).map_err(refusal)?;
            RequestBody::judged(Held::new(body))
        } else if need.may_forward() {
            RequestBody::seen(body, self.exchange.clone())
        } else {
            let mut held = Held::new(body);
            let take = |data: &[u8]| self.exchange.judge(|transaction| transaction.request_body(data)).is_ok();
            if matches!(held.read(need.limit(), self.options.held_limit, take).await, Full::TooLong) {
                return Err(Refusal::LongRequest);
            }
            self.judge_body(held.bytes, Transaction::request_end).await?;
            RequestBody::judged(held)
        };
        self.exchange.look(|transaction| self.exchange.inspection().end_request(|| request_matches(transaction)));
        Ok(body)
    }

    /// Judges a response, as far as rules need its body, and returns it.
    async fn response<R: Body + Unpin>(&self, response: Response<R>) -> Result<Response<ResponseBody<R>>, Refusal> {
        let (mut head, body) = response.into_parts();
        self.exchange
            .judge(|transaction| {
                // The inner service may answer before it has read the request: what it has not read is not judged, and nothing of it could stop the exchange.
                let _ = transaction.request_end();
                transaction.response_head(&head)
            })
            .map_err(refusal)?;
        let Some(need) = self.exchange.look(|transaction| transaction.response_body_need()) else { return Err(Refusal::Unjudged) };
        let body = if need.is_nothing() || body.is_end_stream() {
            self.exchange.judge(Transaction::response_end).map_err(refusal)?;
            self.exchange.finish();
            ResponseBody::judged(Held::new(body), None)
        } else if need.may_forward() {
            ResponseBody::seen(body, self.exchange.clone())
        } else {
            let mut held = Held::new(body);
            let take = |data: &[u8]| self.exchange.judge(|transaction| transaction.response_body(data)).is_ok();
            if matches!(held.read(need.limit(), self.options.held_limit, take).await, Full::TooLong) {
                return Err(Refusal::LongResponse);
            }
            self.judge_body(held.bytes, Transaction::response_end).await?;
            ResponseBody::judged(held, Some(self.exchange.clone()))
        };
        head.extensions.insert(self.exchange.inspection().clone());
        Ok(Response::from_parts(head, body))
    }

    /// Judges a body: a long one where blocking is allowed.
    async fn judge_body(&self, bytes: usize, end: fn(&mut Transaction) -> Result<(), Stop>) -> Result<(), Refusal> {
        let runtime = Handle::try_current().ok().filter(|_| bytes >= self.options.blocking_from);
        let judged = match runtime {
            None => self.exchange.judge(end),
            Some(runtime) => {
                let exchange = self.exchange.clone();
                let judged = runtime.spawn_blocking(move || exchange.judge(end)).await;
                judged.map_err(|_| Refusal::Unjudged)?
            }
        };
        judged.map_err(refusal)
    }

    /// Ends an exchange that the inner service does not answer.
    fn refuse<R: Body + Unpin>(&self, refusal: Refusal) -> Response<ResponseBody<R>> {
        let response = answer(&refusal, &*self.options.page, self.version);
        if !matches!(refusal, Refusal::Intervention(_)) {
            self.exchange.look(|transaction| transaction.set_status(response.status().as_u16()));
        }
        self.exchange.finish();
        let mut response = response.map(ResponseBody::page);
        response.extensions_mut().insert(refusal);
        response.extensions_mut().insert::<Inspection>(self.exchange.inspection().clone());
        response
    }
}

fn refusal(stop: Stop) -> Refusal {
    match stop {
        Stop::Intervention(intervention) => Refusal::Intervention(intervention),
        _ => Refusal::Unjudged,
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

impl<S> fmt::Debug for WafService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WafService").finish_non_exhaustive()
    }
}
