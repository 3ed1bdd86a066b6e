//! Protects a shop: `cargo run --example axum`, then `curl -i 'localhost:3000/?id=1%27+OR+1=1--'`. SIGHUP reloads the rules.
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use axum::{Router, body::Body, http::header::LOCATION, middleware::Next, middleware::from_fn_with_state, routing::any};
use futures_util::{StreamExt, stream};
use secrule::{BodyNeed, Connection, Intervention, Stop, Transaction, Waf, WafBuilder};
use std::net::SocketAddr;
use tokio::{net::TcpListener, signal::unix};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (waf, mut hangups) = (rules().build()?, unix::signal(unix::SignalKind::hangup())?);
    let shop = Router::new().fallback(any(async || "Welcome to the shop\n")).layer(from_fn_with_state(waf.clone(), judge));
    tokio::spawn(async move { while hangups.recv().await.map(|()| waf.reload(rules()).unwrap_or_else(|e| eprintln!("{e}"))).is_some() {} });
    Ok(axum::serve(TcpListener::bind("127.0.0.1:3000").await?, shop.into_make_service_with_connect_info::<SocketAddr>()).await?)
}

/// Returns the rules; with the OWASP CRS, `Waf::builder().crs("/etc/crs")`.
fn rules() -> WafBuilder {
    Waf::builder().starter_rules()
}

async fn judge(State(waf): State<Waf>, ConnectInfo(client): ConnectInfo<SocketAddr>, request: Request, next: Next) -> Response {
    let mut tx = waf.begin(Connection::new(client, ([127, 0, 0, 1], 3000).into()));
    let answer = exchange(&mut tx, request, next).await;
    tx.finish().matches().for_each(|hit| eprintln!("rule {}: {}", hit.id(), hit.message()));
    answer.unwrap_or_else(|stop| {
        let (answer, location) = (Response::builder().status(stop.status()), stop.intervention().and_then(Intervention::location));
        location.into_iter().fold(answer, |answer, address| answer.header(LOCATION, address)).body(Body::empty()).unwrap_or_default()
    })
}

async fn exchange(tx: &mut Transaction, request: Request, next: Next) -> Result<Response, Stop> {
    let (head, body) = request.into_parts();
    tx.request_head(&head)?;
    let body = hold(body, tx.request_body_need(), |chunk| tx.request_body(chunk)).await?;
    tx.request_end()?;
    let (head, body) = next.run(Request::from_parts(head, body)).await.into_parts();
    tx.response_head(&head)?;
    let body = hold(body, tx.response_body_need(), |chunk| tx.response_body(chunk)).await?;
    tx.response_end()?;
    Ok(Response::from_parts(head, body))
}

/// Holds the part of a body that the rules need, and streams the rest.
async fn hold(body: Body, need: BodyNeed, mut judge: impl FnMut(&[u8]) -> Result<(), Stop>) -> Result<Body, Stop> {
    let (mut chunks, mut held, mut seen) = (body.into_data_stream(), Vec::new(), 0);
    while need.limit().is_none_or(|limit| seen < limit) {
        let Some(chunk) = chunks.next().await else { break };
        chunk.iter().try_for_each(|bytes| judge(bytes))?;
        seen += chunk.as_ref().map_or(0, |bytes| bytes.len());
        held.push(chunk);
    }
    Ok(Body::from_stream(stream::iter(held).chain(chunks)))
}
