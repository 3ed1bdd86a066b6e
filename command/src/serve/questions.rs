//! The listeners for questions of other proxies.

use crate::{Failure, note};
use clap::Args;
#[cfg(feature = "envoy")]
use secrule_envoy_grpc::EnvoyListener;
use secrule_serve::questions::{Asked, Counts, HiddenBody, Judge, Key, Listener, ListenerSettings, Notes, Protocol, QuestionRules};
use secrule_serve::{IpNet, Stopper, Timeouts};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::task::JoinSet;

const HEADING: &str = "Questions of other proxies";

/// Options of listeners for questions of other proxies.
#[derive(Args, Debug)]
pub struct QuestionOptions {
    /// Answer Caddy's forward_auth, Traefik's forwardAuth and nginx's auth_request
    ///
    /// These proxies send heads of requests only: path, query and headers are judged, and bodies are not, unless Traefik has forwardBody. Proxies on this
    /// machine, and those of --trust, may ask; others get 403. Examples are in examples/serve/Caddyfile, traefik.yml and nginx-auth-request.conf. An answer has
    /// the headers X-Secrule-Action (pass, deny, drop, redirect, refuse, fail), X-Secrule-Id, and for nginx, which knows 401 and 403 alone, the status of the
    /// rule in X-Secrule-Status. With --sites, here and below, a request has the rules of its site, and one for a host of no site is refused with 421.
    #[arg(long, value_name = "ADDRESS:PORT", help_heading = HEADING)]
    forward_auth: Option<SocketAddr>,

    /// Name the rules that matched in X-Secrule-Rules of the answers to forward-auth: clients may see them
    #[arg(long, requires = "forward_auth", help_heading = HEADING)]
    rule_ids: bool,

    /// Answer the bouncers of CrowdSec, as its AppSec component does: requests with their bodies
    ///
    /// Name it in the bouncer, such as APPSEC_URL=http://127.0.0.1:7422/ in that of nginx. examples/serve/crowdsec.md has more.
    #[arg(long, value_name = "ADDRESS:PORT", help_heading = HEADING)]
    appsec: Option<SocketAddr>,

    /// The file with the key of the bouncers; without one --appsec must be an address of this machine alone, such as 127.0.0.1
    #[arg(long, value_name = "FILE", requires = "appsec", help_heading = HEADING)]
    appsec_key_file: Option<PathBuf>,

    /// Answer Envoy's ext_proc and ext_authz, over gRPC without TLS: requests and responses with their bodies
    ///
    /// Both services are on one port; Envoy's settings choose. Envoys on this machine, and those of --trust, may ask. ext_proc needs the
    /// attributes source.address and request.protocol, and judges responses, too. examples/serve/envoy-ext-proc.yaml and envoy-ext-authz.yaml have the settings.
    #[cfg(feature = "envoy")]
    #[arg(long, value_name = "ADDRESS:PORT", help_heading = HEADING)]
    ext_proc: Option<SocketAddr>,

    /// A request of whose body rules need more than what the proxy sent: pass or refuse
    ///
    /// Such requests are counted, and noted on standard error. By default they pass with --forward-auth, which would refuse all forms and uploads
    /// otherwise, and are refused elsewhere, where the proxy cut or dropped the body: padding in front of an attack would hide it. Where rules need no body, or
    /// stop nothing, nothing is refused. A part of a JSON or multipart body may be malformed for rules.
    #[arg(long, value_name = "POLICY", help_heading = HEADING)]
    hidden_body: Option<HiddenBody>,
}

/// Settings that the listeners share with the proxy.
pub struct Shared<'o> {
    pub rules: QuestionRules,
    pub trusted: &'o [IpNet],
    pub timeouts: Timeouts,
    pub max_connections: usize,
}

impl Shared<'_> {
    /// Returns the networks that may ask: this machine, whose programs can reach its servers without the proxy in front of them, and those of `--trust`.
    fn trusted(&self) -> Vec<IpNet> {
        let own = IpNet::new(Ipv4Addr::LOCALHOST.into(), 8).into_iter().chain([IpNet::from(IpAddr::from(Ipv6Addr::LOCALHOST))]);
        own.chain(self.trusted.iter().copied()).collect()
    }
}

/// Open listeners.
pub struct Questions {
    listeners: Vec<Open>,
    /// A line for the operator about each listener.
    lines: Vec<String>,
    has_sites: bool,
    counts: Arc<Counts>,
}

/// An open listener.
enum Open {
    Http(Box<Listener>),
    #[cfg(feature = "envoy")]
    Envoy(Box<EnvoyListener>),
}

impl QuestionOptions {
    /// Returns `true` if there are listeners.
    pub fn is_any(&self) -> bool {
        #[cfg(feature = "envoy")]
        let envoy = self.ext_proc.is_some();
        #[cfg(not(feature = "envoy"))]
        let envoy = false;
        self.forward_auth.is_some() || self.appsec.is_some() || envoy
    }

    /// Opens the listeners.
    pub fn bind(&self, shared: &Shared<'_>) -> Result<Questions, Failure> {
        let counts = Arc::new(Counts::default());
        let notes = Arc::new(Notes::new(|line| note(&format!("secrule: {line}"))));
        let has_sites = matches!(shared.rules, QuestionRules::Sites(_));
        let mut questions = Questions { listeners: Vec::new(), lines: Vec::new(), has_sites, counts: Arc::clone(&counts) };
        let policy = |default| self.hidden_body.unwrap_or(default);
        let judge =
            |protocol, default| Judge::new(shared.rules.clone(), protocol, policy(default), Arc::clone(&counts), Arc::clone(&notes));
        let Shared { timeouts, max_connections, .. } = *shared;
        let settings = |listen, trusted| ListenerSettings { listen, trusted, timeouts, max_connections };
        let open = |listen, trusted, asked, judge| {
            let listener = Listener::bind(settings(listen, trusted), asked, judge).map_err(|error| Failure::Reason(error.to_string()))?;
            Ok::<_, Failure>(Open::Http(Box::new(listener)))
        };
        if let Some(listen) = self.forward_auth {
            let asked = Asked::ForwardAuth { rule_ids: self.rule_ids };
            let listener = open(listen, shared.trusted(), asked, judge(Protocol::ForwardAuth, HiddenBody::Pass))?;
            let how = format!("heads only; requests with a body {}", said(policy(HiddenBody::Pass)));
            questions.add(listener, "forward-auth", &how);
        }
        if let Some(listen) = self.appsec {
            let asked = Asked::AppSec { key: self.appsec_key()? };
            let listener = open(listen, Vec::new(), asked, judge(Protocol::AppSec, HiddenBody::Refuse))?;
            let how = format!("requests whose body did not come {}", said(policy(HiddenBody::Refuse)));
            questions.add(listener, "CrowdSec AppSec", &how);
        }
        #[cfg(feature = "envoy")]
        if let Some(listen) = self.ext_proc {
            let [ext_proc, ext_authz] = [Protocol::ExtProc, Protocol::ExtAuthz].map(|protocol| judge(protocol, HiddenBody::Refuse));
            let listener = EnvoyListener::bind(settings(listen, shared.trusted()), ext_proc, ext_authz);
            let listener = listener.map_err(|error| Failure::Reason(error.to_string()))?;
            let how = format!("requests whose body did not come {}", said(policy(HiddenBody::Refuse)));
            questions.add(Open::Envoy(Box::new(listener)), "Envoy's ext_proc and ext_authz", &how);
        }
        Ok(questions)
    }

    fn appsec_key(&self) -> Result<Option<Key>, Failure> {
        let Some(path) = &self.appsec_key_file else { return Ok(None) };
        let text = fs::read(path).map_err(|error| Failure::unreadable(path, error))?;
        let key =
            Key::new(&text).ok_or_else(|| Failure::Reason(format!("{}: it is empty: write a long random key into it", path.display())))?;
        Ok(Some(key))
    }
}

impl Open {
    fn addresses(&self) -> Vec<SocketAddr> {
        match self {
            Self::Http(listener) => listener.addresses(),
            #[cfg(feature = "envoy")]
            Self::Envoy(listener) => listener.addresses(),
        }
    }

    fn stopper(&self) -> Stopper {
        match self {
            Self::Http(listener) => listener.stopper(),
            #[cfg(feature = "envoy")]
            Self::Envoy(listener) => listener.stopper(),
        }
    }

    async fn run(self) {
        match self {
            Self::Http(listener) => listener.run().await,
            #[cfg(feature = "envoy")]
            Self::Envoy(listener) => listener.run().await,
        }
    }
}

impl Questions {
    fn add(&mut self, listener: Open, name: &str, how: &str) {
        let sites = if self.has_sites { "; each request has the rules of its site, and one for an unknown host is refused" } else { "" };
        let addresses = listener.addresses().into_iter().map(|address| format!("http://{address}/"));
        self.lines.push(format!("secrule: answers {name} at {}: {how}{sites}", addresses.collect::<Vec<_>>().join(" or ")));
        self.listeners.push(listener);
    }

    /// Returns how each listener answers.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Returns the numbers of all listeners.
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Returns what ends them.
    pub fn stoppers(&self) -> Vec<Stopper> {
        self.listeners.iter().map(Open::stopper).collect()
    }

    /// Answers until all are stopped, and says how often.
    pub async fn run(self) {
        let mut running = JoinSet::new();
        self.listeners.into_iter().for_each(|listener| drop(running.spawn(listener.run())));
        running.join_all().await;
        for protocol in Protocol::ALL {
            let counted = self.counts.of(protocol);
            if counted != secrule_serve::questions::Counted::default() {
                note(&format!("secrule: {}: {counted}", protocol.name()));
            }
        }
    }
}

fn said(policy: HiddenBody) -> &'static str {
    match policy {
        HiddenBody::Pass => "pass without a look at it (--hidden-body pass)",
        HiddenBody::Refuse => "are refused where rules need it (--hidden-body refuse)",
    }
}
