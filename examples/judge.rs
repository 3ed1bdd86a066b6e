//! Judges the requests of a tiny shop: `cargo run --example judge`.

use http::{Request, Response};
use secrule::{Connection, Outcome, Stop, Waf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // With the OWASP CRS: `.crs("/etc/crs").paranoia(1).file("/etc/waf/main.conf")`.
    let waf = Waf::builder().starter_rules().build()?;
    for request in [
        Request::get("/search?q=running+shoes").body("")?,
        Request::get("/product?id=1%27%20UNION%20SELECT%20a%20FROM%20b--").body("")?,
        Request::post("/login").header("content-type", "application/x-www-form-urlencoded").body("user=jane&password=secret")?,
    ] {
        let target = request.uri().clone();
        let (verdict, outcome) = judge(&waf, request);
        match verdict {
            Ok(()) => println!("{target}: pass"),
            Err(stop) => println!("{target}: {} {stop}", stop.status()),
        }
        for hit in outcome.matches() {
            let place = hit.rule().map(|rule| format!("{}:{}", rule.file(), rule.line())).unwrap_or_default();
            println!("  rule {}: {} [{}] at {place}", hit.id(), hit.message(), hit.data());
        }
    }
    Ok(())
}

/// Passes a request and its response to the engine, as a proxy would. Returns at the first call that stops the exchange.
fn judge(waf: &Waf, request: Request<&str>) -> (Result<(), Stop>, Outcome) {
    let mut tx = waf.begin(Connection::new(([192, 0, 2, 7], 40000).into(), ([198, 51, 100, 1], 443).into()));
    let (head, body) = request.into_parts();
    let mut exchange = || {
        tx.request_head(&head)?;
        for chunk in body.as_bytes().chunks(8 << 10) {
            tx.request_body(chunk)?;
        }
        tx.request_end()?;
        let (head, body) = Response::new("<h1>The shop</h1>").into_parts();
        tx.response_head(&head)?;
        tx.response_body(body.as_bytes())?;
        tx.response_end()
    };
    let verdict = exchange();
    (verdict, tx.finish())
}
