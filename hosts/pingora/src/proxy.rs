//! The hooks of Pingora: what the firewall does in them, and the hooks of the proxy behind it.

use crate::context::WafContext;
use crate::firewall::WafProxy;
use crate::response;
use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use pingora_cache::key::HashBinary;
use pingora_cache::{CacheKey, CacheMeta, ForcedFreshness, HitHandler, PurgeAction, RespCacheable};
use pingora_core::modules::http::HttpModules;
use pingora_core::protocols::Digest;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{Error, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, PurgeStatus, RangeType, Session};
use std::any::Any;
use std::borrow::Cow;
use std::time::Duration;

#[async_trait]
impl<P> ProxyHttp for WafProxy<P>
where
    P: ProxyHttp + Send + Sync,
    P::CTX: Send + Sync,
{
    type CTX = WafContext<P::CTX>;

    fn new_ctx(&self) -> Self::CTX {
        WafContext::new(self.inner.new_ctx())
    }

    // Hooks in which the firewall judges.

    async fn request_filter(&self, session: &mut Session, ctx: &mut Self::CTX) -> Result<bool> {
        if self.judge_request(session, ctx).await? {
            return Ok(true);
        }
        self.inner.request_filter(session, &mut ctx.inner).await
    }

    async fn upstream_peer(&self, session: &mut Session, ctx: &mut Self::CTX) -> Result<Box<HttpPeer>> {
        // An earlier upstream may have failed in the middle of a body.
        ctx.slot.leave(session);
        self.inner.upstream_peer(session, &mut ctx.inner).await
    }

    async fn upstream_request_filter(&self, session: &mut Session, upstream: &mut RequestHeader, ctx: &mut Self::CTX) -> Result<()> {
        self.inner.upstream_request_filter(session, upstream, &mut ctx.inner).await?;
        self.prepare_upstream(session, upstream, ctx);
        Ok(())
    }

    async fn request_body_filter(&self, session: &mut Session, body: &mut Option<Bytes>, end: bool, ctx: &mut Self::CTX) -> Result<()> {
        if let (Some(exchange), false) = (&ctx.exchange, session.was_upgraded()) {
            ctx.request.see(exchange, body.as_deref().unwrap_or_default(), end);
        }
        self.inner.request_body_filter(session, body, end, &mut ctx.inner).await
    }

    async fn response_filter(&self, session: &mut Session, head: &mut ResponseHeader, ctx: &mut Self::CTX) -> Result<()> {
        ctx.slot.leave_after_replay(session);
        self.inner.response_filter(session, head, &mut ctx.inner).await?;
        self.judge_response(session, head, ctx).await
    }

    fn response_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        ctx: &mut Self::CTX,
    ) -> Result<Option<Duration>> {
        let delay = self.inner.response_body_filter(session, body, end, &mut ctx.inner)?;
        let data = body.as_deref().unwrap_or_default();
        match (&ctx.response, &ctx.exchange) {
            (response::Body::Held { state, need }, _) => state.see(data, *need, end),
            (response::Body::Seen, Some(exchange)) => {
                let _ = exchange.judge(|transaction| transaction.response_body(data));
            }
            _ => {}
        }
        Ok(delay)
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, ctx: &mut Self::CTX) -> FailToProxy {
        ctx.slot.leave(session);
        if let Some(refusal) = ctx.refusal() {
            return FailToProxy { error_code: refusal.status().as_u16(), can_reuse_downstream: false };
        }
        let failure = self.inner.fail_to_proxy(session, error, &mut ctx.inner).await;
        if let Some(exchange) = ctx.exchange.as_ref().filter(|_| failure.error_code > 0) {
            exchange.with_transaction(|transaction| transaction.set_status(failure.error_code));
        }
        failure
    }

    fn suppress_error_log(&self, session: &Session, ctx: &Self::CTX, error: &Error) -> bool {
        // A refusal is an error for Pingora alone: the rules have logged it.
        ctx.refusal().is_some() || self.inner.suppress_error_log(session, &ctx.inner, error)
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, ctx: &mut Self::CTX) {
        ctx.end_with(session);
        self.inner.logging(session, error, &mut ctx.inner).await;
    }

    // Hooks of the proxy alone.

    fn init_downstream_modules(&self, modules: &mut HttpModules) {
        self.inner.init_downstream_modules(modules);
    }

    #[cfg(feature = "upstream_modules")]
    fn init_upstream_modules(&self, modules: &mut HttpModules) {
        self.inner.init_upstream_modules(modules);
    }

    #[cfg(feature = "upstream_modules")]
    async fn adjust_upstream_modules(&self, session: &mut Session, head: &ResponseHeader, end: bool, ctx: &mut Self::CTX) -> Result<()> {
        self.inner.adjust_upstream_modules(session, head, end, &mut ctx.inner).await
    }

    async fn early_request_filter(&self, session: &mut Session, ctx: &mut Self::CTX) -> Result<()> {
        self.inner.early_request_filter(session, &mut ctx.inner).await
    }

    fn allow_spawning_subrequest(&self, session: &Session, ctx: &Self::CTX) -> bool {
        self.inner.allow_spawning_subrequest(session, &ctx.inner)
    }

    fn request_cache_filter(&self, session: &mut Session, ctx: &mut Self::CTX) -> Result<()> {
        self.inner.request_cache_filter(session, &mut ctx.inner)
    }

    fn cache_key_callback(&self, session: &Session, ctx: &mut Self::CTX) -> Result<CacheKey> {
        self.inner.cache_key_callback(session, &mut ctx.inner)
    }

    fn cache_miss(&self, session: &mut Session, ctx: &mut Self::CTX) {
        self.inner.cache_miss(session, &mut ctx.inner);
    }

    async fn cache_hit_filter(
        &self,
        session: &mut Session,
        meta: &CacheMeta,
        hit: &mut HitHandler,
        is_fresh: bool,
        ctx: &mut Self::CTX,
    ) -> Result<Option<ForcedFreshness>> {
        self.inner.cache_hit_filter(session, meta, hit, is_fresh, &mut ctx.inner).await
    }

    async fn proxy_upstream_filter(&self, session: &mut Session, ctx: &mut Self::CTX) -> Result<bool> {
        self.inner.proxy_upstream_filter(session, &mut ctx.inner).await
    }

    fn response_cache_filter(&self, session: &Session, head: &ResponseHeader, ctx: &mut Self::CTX) -> Result<RespCacheable> {
        self.inner.response_cache_filter(session, head, &mut ctx.inner)
    }

    fn cache_vary_filter(&self, meta: &CacheMeta, ctx: &mut Self::CTX, head: &RequestHeader) -> Option<HashBinary> {
        self.inner.cache_vary_filter(meta, &mut ctx.inner, head)
    }

    fn cache_not_modified_filter(&self, session: &Session, head: &ResponseHeader, ctx: &mut Self::CTX) -> Result<bool> {
        self.inner.cache_not_modified_filter(session, head, &mut ctx.inner)
    }

    fn range_header_filter(&self, session: &mut Session, head: &mut ResponseHeader, ctx: &mut Self::CTX) -> RangeType {
        self.inner.range_header_filter(session, head, &mut ctx.inner)
    }

    async fn upstream_response_filter(&self, session: &mut Session, head: &mut ResponseHeader, ctx: &mut Self::CTX) -> Result<()> {
        self.inner.upstream_response_filter(session, head, &mut ctx.inner).await
    }

    async fn custom_forwarding(
        &self,
        session: &mut Session,
        ctx: &mut Self::CTX,
        to_upstream: Option<tokio::sync::mpsc::Sender<Bytes>>,
        to_downstream: tokio::sync::mpsc::Sender<Bytes>,
    ) -> Result<()> {
        self.inner.custom_forwarding(session, &mut ctx.inner, to_upstream, to_downstream).await
    }

    async fn downstream_custom_message_proxy_filter(
        &self,
        session: &mut Session,
        message: Bytes,
        ctx: &mut Self::CTX,
        is_last: bool,
    ) -> Result<Option<Bytes>> {
        self.inner.downstream_custom_message_proxy_filter(session, message, &mut ctx.inner, is_last).await
    }

    async fn upstream_custom_message_proxy_filter(
        &self,
        session: &mut Session,
        message: Bytes,
        ctx: &mut Self::CTX,
        is_last: bool,
    ) -> Result<Option<Bytes>> {
        self.inner.upstream_custom_message_proxy_filter(session, message, &mut ctx.inner, is_last).await
    }

    fn upstream_response_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        ctx: &mut Self::CTX,
    ) -> Result<Option<Duration>> {
        self.inner.upstream_response_body_filter(session, body, end, &mut ctx.inner)
    }

    fn upstream_response_trailer_filter(&self, session: &mut Session, trailers: &mut HeaderMap, ctx: &mut Self::CTX) -> Result<()> {
        self.inner.upstream_response_trailer_filter(session, trailers, &mut ctx.inner)
    }

    async fn response_trailer_filter(&self, session: &mut Session, trailers: &mut HeaderMap, ctx: &mut Self::CTX) -> Result<Option<Bytes>> {
        self.inner.response_trailer_filter(session, trailers, &mut ctx.inner).await
    }

    fn persist_connection_context(&self, session: &Session, ctx: &Self::CTX) -> Option<Box<dyn Any + Send + Sync>> {
        self.inner.persist_connection_context(session, &ctx.inner)
    }

    fn on_connection_reuse(&self, session: &mut Session, ctx: &mut Self::CTX, earlier: Box<dyn Any + Send + Sync>) {
        self.inner.on_connection_reuse(session, &mut ctx.inner, earlier);
    }

    fn suppress_proxy_warn_log(&self, session: &Session, ctx: &Self::CTX, error: &Error, context: ProxyWarnLogContext) -> bool {
        self.inner.suppress_proxy_warn_log(session, &ctx.inner, error, context)
    }

    fn error_while_proxy(
        &self,
        peer: &HttpPeer,
        session: &mut Session,
        error: Box<Error>,
        ctx: &mut Self::CTX,
        client_reused: bool,
    ) -> Box<Error> {
        self.inner.error_while_proxy(peer, session, error, &mut ctx.inner, client_reused)
    }

    fn fail_to_connect(&self, session: &mut Session, peer: &HttpPeer, ctx: &mut Self::CTX, error: Box<Error>) -> Box<Error> {
        self.inner.fail_to_connect(session, peer, &mut ctx.inner, error)
    }

    fn should_serve_stale(&self, session: &mut Session, ctx: &mut Self::CTX, error: Option<&Error>) -> bool {
        self.inner.should_serve_stale(session, &mut ctx.inner, error)
    }

    async fn connected_to_upstream(
        &self,
        session: &mut Session,
        reused: bool,
        peer: &HttpPeer,
        #[cfg(unix)] fd: std::os::unix::io::RawFd,
        #[cfg(windows)] fd: std::os::windows::io::RawSocket,
        digest: Option<&Digest>,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        self.inner.connected_to_upstream(session, reused, peer, fd, digest, &mut ctx.inner).await
    }

    fn request_summary(&self, session: &Session, ctx: &Self::CTX) -> String {
        self.inner.request_summary(session, &ctx.inner)
    }

    fn is_purge(&self, session: &Session, ctx: &Self::CTX) -> bool {
        self.inner.is_purge(session, &ctx.inner)
    }

    fn purge_action(&self, session: &Session, ctx: &Self::CTX) -> PurgeAction {
        self.inner.purge_action(session, &ctx.inner)
    }

    fn purge_response_filter(
        &self,
        session: &Session,
        ctx: &mut Self::CTX,
        status: PurgeStatus,
        response: &mut Cow<'static, ResponseHeader>,
    ) -> Result<()> {
        self.inner.purge_response_filter(session, &mut ctx.inner, status, response)
    }
}
