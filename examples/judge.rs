//! Judges the requests of a tiny shop: `cargo run --example judge`.

use secrule::{Transaction, Verdict, Waf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let waf = Waf::builder().starter_rules().build()?;
    for (target, body) in
        [("/search?q=running+shoes", ""), ("/product?id=1'%20UNION%20SELECT%20a%20FROM%20b--", ""), ("/login", "user=jane&password=secret")]
    {
        let mut transaction = waf.transaction();
        let verdict = judge(&mut transaction, target, body);
        transaction.process_logging();
        println!("{target}: {verdict}");
        for found in transaction.matches() {
            println!("  rule {}: {} [{}]", found.id, found.message(), found.data());
        }
    }
    Ok(())
}

/// One request, as a proxy would hand it over: it stops at the first verdict that intervenes.
fn judge(transaction: &mut Transaction, target: &str, body: &str) -> Verdict {
    let method = if body.is_empty() { "GET" } else { "POST" };
    let _ = transaction.process_connection("192.0.2.7", 40000, "192.0.2.1", 443);
    let verdict = transaction.process_uri(target.as_bytes(), method.as_bytes(), b"1.1");
    if verdict.is_intervention() {
        return verdict;
    }
    transaction.add_request_header(b"Host", b"shop.example");
    transaction.add_request_header(b"User-Agent", b"example/1.0");
    transaction.add_request_header(b"Accept", b"*/*");
    if !body.is_empty() {
        transaction.add_request_header(b"Content-Type", b"application/x-www-form-urlencoded");
        transaction.add_request_header(b"Content-Length", body.len().to_string().as_bytes());
    }
    let verdict = transaction.process_request_headers();
    if verdict.is_intervention() {
        return verdict;
    }
    let verdict = transaction.append_request_body(body.as_bytes());
    if verdict.is_intervention() { verdict } else { transaction.process_request_body() }
}
