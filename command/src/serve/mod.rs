//! `secrule serve`: a reverse proxy with the rules in front of it, and answers to the questions of other proxies.

mod admin;
mod events;
mod metrics;
#[cfg(feature = "otel")]
mod otel;
mod questions;
mod reload;
#[cfg(feature = "worlds")]
mod scripts;
mod sites;

use crate::rules::{RuleOptions, unloadable};
use crate::{Failure, Outcome, note};
use admin::{AdminOptions, Page, Served};
use clap::Args;
use events::Events;
use metrics::MetricsOptions;
use questions::{QuestionOptions, Questions, Shared};
use reload::{LiveCertificate, LiveRules, Reload, Rules};
use secrule::{Observer, Waf};
use secrule_serve::questions::QuestionRules;
use secrule_serve::{IpNet, ServeError, Server, Settings, SitesHandle, Stopper, Timeouts, TlsFiles, Upstream};
use sites::{LiveSites, SiteLoader};
use std::collections::BTreeSet;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

const EXAMPLES: &str = r#"Examples:
  secrule serve                                                      a page to try the built-in rules
  secrule serve --upstream http://127.0.0.1:3000                     protect a server
  secrule serve --upstream http://127.0.0.1:3000 --crs /usr/share/modsecurity-crs --detect-only
  secrule serve --forward-auth 127.0.0.1:9180 --crs /usr/share/modsecurity-crs   for Caddy, Traefik and nginx: heads of requests only
  secrule serve --appsec 127.0.0.1:7422 --crs /usr/share/modsecurity-crs         for the bouncers of CrowdSec
  secrule serve --ext-proc 127.0.0.1:9181 --crs /usr/share/modsecurity-crs       for Envoy, in a build with --features envoy
  secrule serve --admin 127.0.0.1:9090                               a page that shows what rules find; its URL is printed
  secrule serve --listen 0.0.0.0:443 --tls-certificate site.pem --tls-key site.key --upstream http://127.0.0.1:3000
  secrule serve --sites sites.toml --crs /usr/share/modsecurity-crs  several sites; a file for them:

    [[site]]
    hosts = ["shop.example", "*.shop.example"]                       # *. stands for all names below; the most exact one counts
    upstream = "http://127.0.0.1:3000"
    tls = { certificate = "shop.pem", key = "shop.key" }             # chosen by the name that a client asks for
    rules = ["shop.conf"]                                            # before the rules of all sites
    remove_targets = [{ rule = 942100, target = "ARGS:password" }]   # also: remove_rules, remove_rules_by_tag, detect_only

    [[site.path]]
    prefix = "/api/"                                                 # a path that can be read in two ways has the rules of its site
    remove_rules_by_tag = ["attack-xss"]

    [[site]]
    default = true                                                   # all other hosts; without a default site they get 421
    upstream = "http://127.0.0.1:4000"
    detect_only = true

Exit codes:
  0  it was ended by a signal
  2  it cannot start: a flag is wrong, an address is taken, a file is missing, rules or sites do not load, a certificate has expired, is not
     valid yet, cannot be read, or has another key

An upstream that cannot be reached is a warning: its requests are answered with 502 until it can be."#;

/// Run a reverse proxy with a web application firewall
///
/// Requests that no rule stops go to the upstream, and its answers to the client. Without an upstream there is a page to try it. Changed rule files, and
/// SIGHUP, load the rules again, while requests run; rules that do not load change nothing. So it is with certificates, and with the sites of --sites. SIGTERM
/// and Ctrl-C let requests that run end.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// An address to listen on; several are possible [default: 127.0.0.1:8080, unless there are only questions of other proxies]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Vec<SocketAddr>,

    /// The server behind: http://HOST:PORT, https://HOST:PORT, or h2c://HOST:PORT for HTTP/2 without TLS, as gRPC servers speak it
    #[arg(long, value_name = "URL")]
    upstream: Option<Upstream>,

    /// Serve the sites of a TOML file, each with its hosts, upstream, certificate and rules: see the examples below
    ///
    /// The rules of the command line are compiled once, and all sites extend them. The file, the files that it names, and SIGHUP, load all sites again:
    /// all of them, or none. Names of files in it are relative to its folder.
    #[arg(long, value_name = "FILE", conflicts_with = "upstream")]
    sites: Option<PathBuf>,

    /// Log what rules find, and stop nothing
    #[arg(long)]
    detect_only: bool,

    /// The certificate that clients see, and those of its issuers, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,

    /// The key of the certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,

    /// A network of proxies in front of this one, whose X-Forwarded-For names the client, and which may ask forward-auth and ext-proc; several are possible
    #[arg(long, value_name = "NETWORK")]
    trust: Vec<IpNet>,

    /// The number of connections at once; more wait
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = connections)]
    max_connections: usize,

    /// The time for the head of a request, and between two pieces of a body
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    client_timeout: Duration,

    /// The time until the upstream begins to answer, after it has the request
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time)]
    upstream_timeout: Duration,

    /// The time after which an upgraded connection ends, such as a WebSocket, if neither side sends anything
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time)]
    tunnel_timeout: Duration,

    /// Refuse rules that are fewer, in any site, at the start and when they are loaded again
    #[arg(long, value_name = "N", default_value_t = 0)]
    expect_rules: usize,

    #[command(flatten)]
    admin: AdminOptions,

    #[command(flatten)]
    metrics: MetricsOptions,

    #[cfg(feature = "otel")]
    #[command(flatten)]
    otel: otel::OtelOptions,

    #[command(flatten)]
    questions: QuestionOptions,

    #[command(flatten)]
    rules: RuleOptions,
}

/// Runs the proxy until a signal ends it.
pub fn run(options: &Options) -> Result<Outcome, Failure> {
    let page = Page::of(&options.admin, &options.metrics);
    let rules =
        Rules { options: &options.rules, detect_only: options.detect_only, min_rules: options.expect_rules, metrics: page.metrics() };
    #[cfg(feature = "otel")]
    let _export = options.otel.start()?;
    let events = Arc::new(Events::start()?);
    let observers: Vec<Arc<dyn Observer>> = std::iter::once(events.clone() as Arc<dyn Observer>).chain(page.observers()).collect();
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    match &options.sites {
        None => runtime.block_on(serve_one(options, &rules, &page, Arc::new(observers)))?,
        Some(file) => runtime.block_on(serve_sites(options, &rules, file, &page, Arc::new(observers)))?,
    }
    events.flush();
    Ok(Outcome::Fine)
}

/// Serves one upstream.
async fn serve_one(options: &Options, rules: &Rules<'_>, page: &Page, observer: Arc<dyn Observer>) -> Result<(), Failure> {
    let loaded = SystemTime::now();
    let (builder, loader) = rules.collect_expected()?;
    let waf = builder.observer(observer).build_with(&loader).map_err(|error| unloadable(&error))?;
    let settings = settings(options);
    let questions = ask(options, &settings, waf.clone())?;
    if settings.listen.is_empty() {
        tell_questions(options, &waf);
        let hangups = signal(SignalKind::hangup())?;
        let serving = Serving { server: None, questions, page, waf: waf.clone(), sites: None };
        return serving.until_ended(reload::follow(LiveRules { rules, waf }, loaded, hangups)).await;
    }
    let server = Server::bind(settings, waf.clone()).map_err(refused)?;
    let behind = options.upstream.as_ref().map_or_else(|| "a page to try it".to_owned(), ToString::to_string);
    // Whoever reads that the server is open may send a signal at once.
    let hangups = [signal(SignalKind::hangup())?, signal(SignalKind::hangup())?];
    tell_open(options, &server, &format!("{} in front of {behind}", numbered(reload::count(&waf), "rule")));
    let upstream = options.upstream.clone();
    sites::reach(upstream.clone().map(|upstream| ("the proxy".to_owned(), upstream)).into_iter().collect());
    let certificate = tls(options).map(|tls| LiveCertificate {
        tls,
        handle: server.sites_handle(),
        waf: waf.clone(),
        upstream,
        counters: server.counters(),
    });
    let [for_rules, for_certificate] = hangups;
    let serving = Serving { server: Some(server), questions, page, waf: waf.clone(), sites: None };
    let following = async {
        tokio::join!(reload::follow(LiveRules { rules, waf }, loaded, for_rules), follow_if_any(certificate, loaded, for_certificate));
    };
    serving.until_ended(following).await
}

/// Serves several sites.
async fn serve_sites(options: &Options, rules: &Rules<'_>, file: &Path, page: &Page, observer: Arc<dyn Observer>) -> Result<(), Failure> {
    let loader = SiteLoader { file, rules, tls: tls(options) };
    let (begun, mut files) = (SystemTime::now(), BTreeSet::new());
    let loaded = loader.load(&mut files, |builder| builder.observer(observer))?;
    loaded.warn();
    let shown = loaded.to_string();
    let settings = settings(options);
    let server = Server::bind_sites(settings.clone(), loaded.sites).map_err(refused)?;
    let questions = ask(options, &settings, server.sites_handle())?;
    let hangups = signal(SignalKind::hangup())?;
    tell_open(options, &server, &shown);
    let handle = server.sites_handle();
    let serving = Serving { server: Some(server), questions, page, waf: loaded.base.clone(), sites: Some(handle.clone()) };
    let live = LiveSites::new(&loader, handle, loaded.base, loaded.upstreams, files);
    serving.until_ended(reload::follow(live, begun, hangups)).await
}

async fn follow_if_any<R: Reload>(live: Option<R>, loaded: SystemTime, hangups: Signal) {
    if let Some(live) = live {
        reload::follow(live, loaded, hangups).await;
    }
}

/// Tells what is served, and where.
fn tell_open(options: &Options, server: &Server, what: &str) {
    let sites = server.sites_handle().sites();
    if options.sites.is_none() {
        sites.warnings().iter().for_each(|warning| warn(warning));
    }
    let scheme = if sites.is_encrypted() { "https" } else { "http" };
    let addresses: Vec<String> = server.addresses().iter().map(|address| format!("{scheme}://{address}/")).collect();
    let mode = if options.detect_only { ", and stop nothing" } else { "" };
    note(&format!("secrule: {what}{mode}; open {}", addresses.join(" or ")));
}

/// Tells that only questions are answered.
fn tell_questions(options: &Options, waf: &Waf) {
    let mode = if options.detect_only { ", and stop nothing" } else { "" };
    note(&format!("secrule: {} for questions of other proxies{mode}", numbered(reload::count(waf), "rule")));
}

/// Opens the listeners for questions of other proxies.
fn ask(options: &Options, settings: &Settings, rules: impl Into<QuestionRules>) -> Result<Questions, Failure> {
    let shared =
        Shared { rules: rules.into(), trusted: &options.trust, timeouts: settings.timeouts, max_connections: options.max_connections };
    options.questions.bind(&shared)
}

/// Parts of a program that serves.
struct Serving<'p> {
    server: Option<Server>,
    questions: Questions,
    page: &'p Page,
    /// The rules: those that all sites extend, if there are several.
    waf: Waf,
    /// The sites, if there are several.
    sites: Option<SitesHandle>,
}

impl Serving<'_> {
    /// Serves and answers questions until a signal ends that. `following` runs beside it, and so does the admin page of the rules and the sites.
    async fn until_ended(self, following: impl Future<Output = ()>) -> Result<(), Failure> {
        let Self { server, questions, page, waf, sites } = self;
        let mut stoppers = questions.stoppers();
        stoppers.extend(server.as_ref().map(Server::stopper));
        questions.lines().iter().for_each(|line| note(line));
        let served = Served {
            waf: &waf,
            sites,
            counters: server.as_ref().map(Server::counters).unwrap_or_default(),
            questions: questions.counts(),
            stoppers: &stoppers,
        };
        let admin = page.bind(served)?;
        let mut interrupts = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
        let [interrupt, terminate] = &mut interrupts;
        tokio::select! {
            () = async {
                let proxy = async {
                    if let Some(server) = server {
                        server.run().await;
                    }
                };
                tokio::join!(proxy, questions.run());
            } => {}
            () = admin::run(admin) => {}
            () = following => {}
            () = async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                stoppers.iter().for_each(Stopper::stop);
                // The servers end by themselves.
                std::future::pending::<()>().await;
            } => {}
        }
        Ok(())
    }
}

/// Tells an operator something that is not an error.
fn warn(text: &str) {
    note(&format!("secrule: warning: {text}"));
}

/// Returns a number of things: `1 rule`, `2 rules`.
fn numbered(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

fn refused(error: ServeError) -> Failure {
    Failure::Reason(error.to_string())
}

/// Reads a time for something. None would be enough for nothing.
fn time(text: &str) -> Result<Duration, String> {
    let time = crate::duration::parse(text)?;
    if time.is_zero() { Err("write a time of 1s or more".to_owned()) } else { Ok(time) }
}

/// Reads a number of connections. With none, all clients would wait.
fn connections(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "write a number from 1 on, such as 10000".to_owned())
}

/// Returns the files of the certificate of the command line.
fn tls(options: &Options) -> Option<TlsFiles> {
    let files = options.tls_certificate.clone().zip(options.tls_key.clone());
    files.map(|(certificate, key)| TlsFiles { certificate, key })
}

/// The address of the proxy without `--listen`.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

fn settings(options: &Options) -> Settings {
    let asks_only = options.questions.is_any() && options.upstream.is_none() && options.tls_key.is_none() && options.sites.is_none();
    let default = || if asks_only { Vec::new() } else { vec![DEFAULT_LISTEN] };
    Settings {
        listen: if options.listen.is_empty() { default() } else { options.listen.clone() },
        tls: tls(options),
        upstream: options.upstream.clone(),
        trusted: options.trust.clone(),
        timeouts: Timeouts {
            head: options.client_timeout,
            body: options.client_timeout,
            answer: options.upstream_timeout,
            tunnel: options.tunnel_timeout,
            ..Timeouts::default()
        },
        max_connections: options.max_connections,
        ..Settings::default()
    }
}
