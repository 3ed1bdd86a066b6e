//! A folder for logs, rules that match, and exchanges.

use crate::host::{Exchange, Response};
use secrule::{Intervention, Transaction, Waf};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

pub const RULES: &str = r#"
    SecRuleEngine On
    SecRule ARGS:q "@contains evil" "id:7,phase:2,deny,status:406,log,msg:'Evil: %{MATCHED_VAR}',logdata:'q',tag:'a/b',severity:2,rev:'3'"
    SecRule ARGS:w "@rx warn" "id:8,phase:2,pass,log,msg:'Warned',t:lowercase"
"#;

/// A folder of a test, removed with it.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("secrule-logs-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap_or_default()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn waf(settings: &str) -> Waf {
    Waf::from_rules(&format!("{RULES}\n{settings}\n")).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs a request up to its body.
pub fn judged(waf: &Waf, target: &str) -> (Transaction, Option<Intervention>) {
    let mut transaction = waf.transaction_with_id("id-1");
    let intervention = request(target).judge(&mut transaction);
    (transaction, intervention)
}

fn request(target: &str) -> Exchange<'_> {
    Exchange { server: ("192.0.2.2", 443), ..Exchange::new(b"GET", target.as_bytes()) }.from("192.0.2.1").header("Host", "shop.example")
}

/// Runs a whole exchange, and returns the first decision.
pub fn exchange(waf: &Waf, target: &str) -> Option<Intervention> {
    let mut transaction = waf.transaction_with_id("id-1");
    let headers = vec![(b"Server".as_slice(), b"test".as_slice())];
    let response = Response { status: 200, protocol: "HTTP/1.1", headers, body: Vec::new() };
    Exchange { response: Some(response), ..request(target) }.run_through(&mut transaction).into_iter().next()
}
