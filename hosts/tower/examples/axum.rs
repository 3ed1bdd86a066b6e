//! Protects a shop: `cargo run --example axum`, then `curl -i 'localhost:3000/?id=1%27+OR+1=1--'`. SIGHUP reloads the rules.

use axum::extract::ConnectInfo;
use axum::{Extension, Router, routing::any};
use secrule::WafBuilder;
use secrule_tower::{Connection, Inspection, Waf, WafLayer};
use std::net::SocketAddr;
use tokio::{net::TcpListener, signal::unix};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    let (waf, server) = (rules().build()?, listener.local_addr()?);
    let firewall = WafLayer::new(waf.clone(), move |head| {
        // Without an address in front of the shop's own there is nobody to ban.
        let client = head.extensions.get().map_or(server, |ConnectInfo(client): &ConnectInfo<SocketAddr>| *client);
        Connection::new(client, server)
    });
    let shop = Router::new().fallback(any(welcome)).layer(firewall);

    let mut hangups = unix::signal(unix::SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            // The earlier rules stay if the new ones have an error.
            waf.reload(rules()).unwrap_or_else(|error| eprintln!("{error}"));
        }
    });
    Ok(axum::serve(listener, shop.into_make_service_with_connect_info::<SocketAddr>()).await?)
}

/// Returns the rules; with the OWASP CRS, `Waf::builder().crs("/etc/crs")`.
fn rules() -> WafBuilder {
    Waf::builder().starter_rules()
}

async fn welcome(Extension(inspection): Extension<Inspection>) -> String {
    format!("Welcome to the shop. {} rules have doubts about you.\n", inspection.request_matches().len())
}
