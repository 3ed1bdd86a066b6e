//! All hooks of Pingora reach the proxy behind the firewall.

use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Returns the names of the functions in a text.
fn functions(text: &str) -> Vec<&str> {
    let lines = text.lines().filter(|line| line.starts_with("    ") && !line.starts_with("     "));
    lines.filter_map(|line| line.split_once("fn ")?.1.split(['(', '<']).next()).collect()
}

#[test]
fn each_hook_of_the_installed_pingora_is_passed_on() {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--format-version", "1", "--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let package = metadata["packages"].as_array().unwrap().iter().find(|package| package["name"] == "pingora-proxy").unwrap();
    let folder = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap();
    let hooks = std::fs::read_to_string(folder.join("src/proxy_trait.rs")).unwrap();
    let hooks = hooks.split("pub trait ProxyHttp {").nth(1).unwrap();
    let ours = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/proxy.rs")).unwrap();
    let ours = functions(&ours);
    let missing: Vec<_> = functions(hooks).into_iter().filter(|name| !ours.contains(name)).collect();
    assert!(missing.is_empty() && ours.len() > 40, "{missing:?} of {} hooks", ours.len());
}
