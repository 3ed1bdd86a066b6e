//! Judges the requests of a tiny shop: `cargo run --example judge`.

use secrule::{Intervention, Transaction, Waf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let waf = Waf::builder().starter_rules().build()?;
    for (target, body) in
        [("/search?q=running+shoes", ""), ("/product?id=1'%20UNION%20SELECT%20a%20FROM%20b--", ""), ("/login", "user=jane&password=secret")]
    {
        let mut transaction = waf.transaction();
        match judge(&mut transaction, target, body) {
            Ok(()) => println!("{target}: pass"),
            Err(intervention) => println!("{target}: {}", intervention.reason),
        }
        transaction.process_logging();
        for found in transaction.matches() {
            println!("  rule {}: {} [{}]", found.id, found.message(), found.data());
        }
    }
    Ok(())
}

/// Hands a request over as a proxy would, and leaves at the first verdict that stops it.
fn judge(transaction: &mut Transaction, target: &str, body: &str) -> Result<(), Intervention> {
    let method = if body.is_empty() { "GET" } else { "POST" };
    transaction.process_connection("192.0.2.7", 40000, "192.0.2.1", 443).into_result()?;
    transaction.process_uri(target.as_bytes(), method.as_bytes(), b"HTTP/1.1").into_result()?;
    transaction.add_request_header(b"Host", b"shop.example");
    transaction.add_request_header(b"User-Agent", b"example/1.0");
    transaction.add_request_header(b"Accept", b"*/*");
    if !body.is_empty() {
        transaction.add_request_header(b"Content-Type", b"application/x-www-form-urlencoded");
        transaction.add_request_header(b"Content-Length", body.len().to_string().as_bytes());
    }
    transaction.process_request_headers().into_result()?;
    transaction.append_request_body(body.as_bytes()).into_result()?;
    transaction.process_request_body().into_result()
}
