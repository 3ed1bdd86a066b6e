//! `secrule serve`: a reverse proxy with the rules in front of it.

mod events;
mod reload;

use crate::rules::{RuleOptions, unloadable};
use crate::{Failure, Outcome, note};
use clap::Args;
use events::Events;
use reload::Rules;
use secrule::Waf;
use secrule_serve::{IpNet, Server, Settings, Timeouts, TlsFiles, Upstream};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// Run a reverse proxy with a web application firewall
///
/// Requests that no rule stops go to the upstream, and its answers to the client. Without an upstream there is a page to try it. Changed rule files, and
/// SIGHUP, load the rules again, while requests run; rules that do not load change nothing. SIGTERM and Ctrl-C let requests that run end.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  secrule serve                                                      a page to try the built-in rules
  secrule serve --upstream http://127.0.0.1:3000                     protect a server
  secrule serve --upstream http://127.0.0.1:3000 --crs /usr/share/modsecurity-crs --detect-only
  secrule serve --listen 0.0.0.0:443 --tls-certificate site.pem --tls-key site.key --upstream http://127.0.0.1:3000

Exit codes:
  0  it was ended by a signal
  2  it cannot start: an address is taken, a certificate cannot be read, rules do not load")]
pub struct Options {
    /// An address to listen on; several are possible
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: Vec<SocketAddr>,

    /// The server behind: http://HOST:PORT, https://HOST:PORT, or h2c://HOST:PORT for HTTP/2 without TLS, as gRPC servers speak it
    #[arg(long, value_name = "URL")]
    upstream: Option<Upstream>,

    /// Log what rules find, and stop nothing
    #[arg(long)]
    detect_only: bool,

    /// The certificate that clients see, and those of its issuers, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,

    /// The key of the certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,

    /// A network of proxies in front of this one, whose X-Forwarded-For names the client; several are possible
    #[arg(long, value_name = "NETWORK")]
    trust: Vec<IpNet>,

    /// The number of connections at once; more wait
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    max_connections: usize,

    /// The time for the head of a request, and between two pieces of a body
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = crate::duration::parse)]
    client_timeout: Duration,

    /// The time until the upstream begins to answer
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = crate::duration::parse)]
    upstream_timeout: Duration,

    /// Refuse rules that are fewer, at the start and when they are loaded again
    #[arg(long, value_name = "N", default_value_t = 0)]
    expect_rules: usize,

    #[command(flatten)]
    rules: RuleOptions,
}

/// Runs the proxy until a signal ends it.
pub fn run(options: &Options) -> Result<Outcome, Failure> {
    let rules = Rules { options: &options.rules, detect_only: options.detect_only, expected: options.expect_rules };
    let loaded = SystemTime::now();
    let (builder, loader) = rules.collect()?;
    let events = Arc::new(Events::start()?);
    let waf = builder.observer(events.clone()).build_with(&loader).map_err(|error| unloadable(&error))?;
    rules.check(&waf)?;
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(options, &rules, waf, loaded))?;
    events.flush();
    Ok(Outcome::Fine)
}

async fn serve(options: &Options, rules: &Rules<'_>, waf: Waf, loaded: SystemTime) -> Result<(), Failure> {
    let server = Server::bind(settings(options), waf.clone()).map_err(|error| Failure::Reason(error.to_string()))?;
    let scheme = if options.tls_key.is_some() { "https" } else { "http" };
    let addresses: Vec<String> = server.addresses().iter().map(|address| format!("{scheme}://{address}/")).collect();
    let behind = options.upstream.as_ref().map_or_else(|| "a page to try it".to_owned(), ToString::to_string);
    let mode = if options.detect_only { ", and stop nothing" } else { "" };
    note(&format!("secrule: {} rules in front of {behind}{mode}; open {}", reload::count(&waf), addresses.join(" or ")));
    let stopper = server.stopper();
    let mut interrupts = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
    let [interrupt, terminate] = &mut interrupts;
    tokio::select! {
        () = server.run() => {}
        () = reload::follow(rules, &waf, loaded) => {}
        () = async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            stopper.stop();
            // The server ends by itself.
            std::future::pending::<()>().await;
        } => {}
    }
    Ok(())
}

fn settings(options: &Options) -> Settings {
    let tls = options.tls_certificate.clone().zip(options.tls_key.clone());
    Settings {
        listen: options.listen.clone(),
        tls: tls.map(|(certificate, key)| TlsFiles { certificate, key }),
        upstream: options.upstream.clone(),
        trusted: options.trust.clone(),
        timeouts: Timeouts {
            head: options.client_timeout,
            body: options.client_timeout,
            answer: options.upstream_timeout,
            ..Timeouts::default()
        },
        max_connections: options.max_connections,
    }
}
