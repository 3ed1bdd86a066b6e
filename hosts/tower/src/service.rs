//! The service: judges a request, calls the inner service, judges its response.

use crate::answer::Refusal;
use crate::cookies::joined_cookies;
use crate::exchange::Exchange;
use crate::hold::{Full, Held};
use crate::inspection::Inspection;
use crate::options::Options;
use crate::request_body::RequestBody;
use crate::response_body::ResponseBody;
use http::header::{ACCEPT_ENCODING, COOKIE};
use http::request::Parts;
use http::{Request, Response, Version};
use http_body::Body;
use secrule::{Transaction, Waf};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_service::Service;

/// A service behind a web application firewall: [`WafLayer`](crate::WafLayer) makes it.
#[derive(Clone)]
pub struct WafService<S> {
    inner: S,
    waf: Waf,
    options: Arc<Options<Parts>>,
}

/// One exchange, and what judges it.
struct Judge {
    exchange: Exchange,
    options: Arc<Options<Parts>>,
    version: Version,
}

impl<S> WafService<S> {
    pub(crate) fn new(inner: S, waf: Waf, options: Arc<Options<Parts>>) -> Self {
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
        if let Some(cookies) = joined_cookies(&head.headers, head.version) {
            head.headers.insert(COOKIE, cookies);
        }
        let chosen = self.options.rules_by.as_ref().and_then(|choose| choose(&head));
        let waf = chosen.as_ref().unwrap_or(&self.waf);
        let transaction = waf.begin((self.options.connection)(&head));
        let judge = Judge { exchange: Exchange::new(transaction), options: Arc::clone(&self.options), version: head.version };
        let inspects_responses = waf.inspects_responses();
        Box::pin(async move {
            if let Err(refusal) = judge.exchange.judge(|transaction| transaction.request_head(&head)) {
                return Ok(judge.refuse(refusal));
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
        let Some(need) = self.exchange.with_transaction(|transaction| transaction.request_body_need()) else {
            return Err(Refusal::Unjudged);
        };
        let body = if need.is_nothing() || body.is_end_stream() {
            self.exchange.judge(Transaction::request_end)?;
            RequestBody::judged(Held::new(body))
        } else if need.may_forward() {
            RequestBody::seen(body, self.exchange.clone())
        } else {
            let mut held = Held::new(body);
            let take = |data: &[u8]| self.exchange.judge(|transaction| transaction.request_body(data)).is_ok();
            if matches!(held.read(need.limit(), self.options.held_limit, take).await, Full::TooLong) {
                return Err(Refusal::LongRequest);
            }
            self.exchange.judge_body(held.bytes(), self.options.blocking_from, Transaction::request_end).await?;
            RequestBody::judged(held)
        };
        self.exchange.end_request();
        Ok(body)
    }

    /// Judges a response, as far as rules need its body, and returns it.
    async fn response<R: Body + Unpin>(&self, response: Response<R>) -> Result<Response<ResponseBody<R>>, Refusal> {
        let (mut head, body) = response.into_parts();
        self.exchange.judge(|transaction| {
            // The inner service may answer before it has read the request: what it has not read is not judged, and nothing of it could stop the exchange.
            let _ = transaction.request_end();
            transaction.response_head(&head)
        })?;
        let Some(need) = self.exchange.with_transaction(|transaction| transaction.response_body_need()) else {
            return Err(Refusal::Unjudged);
        };
        let body = if need.is_nothing() || body.is_end_stream() {
            self.exchange.judge(Transaction::response_end)?;
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
            self.exchange.judge_body(held.bytes(), self.options.blocking_from, Transaction::response_end).await?;
            ResponseBody::judged(held, Some(self.exchange.clone()))
        };
        head.extensions.insert(self.exchange.inspection().clone());
        Ok(Response::from_parts(head, body))
    }

    /// Ends an exchange that the inner service does not answer.
    fn refuse<R: Body + Unpin>(&self, refusal: Refusal) -> Response<ResponseBody<R>> {
        let mut response = self.exchange.refuse(&refusal, &*self.options.page, self.version).map(ResponseBody::page);
        response.extensions_mut().insert(refusal);
        response.extensions_mut().insert::<Inspection>(self.exchange.inspection().clone());
        response
    }
}

impl<S> fmt::Debug for WafService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WafService").finish_non_exhaustive()
    }
}
