//! Protects a server: `cargo run -p secrule-pingora --example proxy 127.0.0.1:8080 127.0.0.1:3000`, then `curl -i 'localhost:8080/?id=1%27+OR+1=1--'`.
//! SIGHUP reloads the rules.

use async_trait::async_trait;
use pingora_core::server::{Server, ShutdownWatch};
use pingora_core::services::background::{BackgroundService, background_service};
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{Error, Result};
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};
use secrule::WafBuilder;
use secrule_pingora::{Inspection, Waf, WafProxy};
use tokio::signal::unix;

/// A proxy as without a firewall: it has one upstream, and an access log.
struct Shop(String);

#[async_trait]
impl ProxyHttp for Shop {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, _: &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.0.as_str(), false, String::new())))
    }

    async fn logging(&self, session: &mut Session, _: Option<&Error>, _: &mut ()) {
        let status = session.response_written().map_or(0, |head| head.status.as_u16());
        let inspection = session.req_header().extensions.get::<Inspection>();
        let matches = inspection.map_or(0, |inspection| inspection.request_matches().len());
        println!("{} {status}, {matches} rules matched", session.request_summary());
    }
}

struct Reload(Waf);

#[async_trait]
impl BackgroundService for Reload {
    async fn start(&self, _: ShutdownWatch) {
        let Ok(mut hangups) = unix::signal(unix::SignalKind::hangup()) else { return };
        while hangups.recv().await.is_some() {
            // The earlier rules stay if the new ones have an error.
            self.0.reload(rules()).unwrap_or_else(|error| eprintln!("{error}"));
        }
    }
}

/// Returns the rules; with the OWASP CRS, `Waf::builder().crs("/etc/crs")`.
fn rules() -> WafBuilder {
    Waf::builder().starter_rules()
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(listen), Some(upstream)) = (arguments.next(), arguments.next()) else { return Err("usage: proxy LISTEN UPSTREAM".into()) };
    let waf = rules().build()?;
    let mut server = Server::new(None)?;
    server.bootstrap();
    let mut proxy = http_proxy_service(&server.configuration, WafProxy::new(Shop(upstream), waf.clone()));
    proxy.add_tcp(&listen);
    server.add_service(proxy);
    server.add_service(background_service("reload", Reload(waf)));
    server.run_forever()
}
