//! The layer: rules, and what the host says about itself.

use crate::answer::Refusal;
use crate::options::Options;
use crate::service::WafService;
use bytes::Bytes;
use http::Response;
use http::request::Parts;
use secrule::{Connection, Waf};
use std::fmt;
use std::sync::Arc;
use tower_layer::Layer;

/// Puts a web application firewall in front of a service. Clones share their rules: [`Waf::reload`] replaces them for all, while requests run.
#[derive(Clone)]
pub struct WafLayer {
    waf: Waf,
    options: Arc<Options<Parts>>,
}

impl WafLayer {
    /// Makes a layer. `connection` returns the ends of a request's connection: rules about addresses, bans and rates need them. Behind a load balancer
    /// return the address of the client, not of the balancer.
    pub fn new(waf: Waf, connection: impl Fn(&Parts) -> Connection + Send + Sync + 'static) -> Self {
        Self { waf, options: Arc::new(Options::new(connection)) }
    }

    /// Chooses the rules of each request by its head, for several sites behind one server. `choose` is called once, before any rule runs; `None` means
    /// the rules of the layer. What it reads, such as the host and the path, is what the client wrote: match a path as the service behind reads it.
    ///
    /// ```
    /// # use secrule_tower::{Connection, Waf, WafLayer};
    /// let rules = Waf::builder().starter_rules().build()?;
    /// let shop = Waf::builder().base(&rules).remove_target(11942100, "ARGS:comment").build()?;
    /// let connection = |_: &http::request::Parts| Connection::new(([192, 0, 2, 7], 40000).into(), ([127, 0, 0, 1], 80).into());
    /// let layer = WafLayer::new(rules, connection)
    ///     .rules_by(move |head| (head.headers.get("host")?.as_bytes() == b"shop.example").then(|| shop.clone()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn rules_by(mut self, choose: impl Fn(&Parts) -> Option<Waf> + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.options).rules_by = Some(Arc::new(choose));
        self
    }

    /// Sets the page of requests that are refused. Status, `Location` and `Connection` are set by the layer. Without it the page is the status as text.
    #[must_use]
    pub fn page(mut self, page: impl Fn(&Refusal) -> Response<Bytes> + Send + Sync + 'static) -> Self {
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
}

impl<S> Layer<S> for WafLayer {
    type Service = WafService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        WafService::new(inner, self.waf.clone(), Arc::clone(&self.options))
    }
}

impl fmt::Debug for WafLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WafLayer").finish_non_exhaustive()
    }
}
