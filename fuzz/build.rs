//! Builds `peer`, the child process of the differential target.

use std::env::var_os;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=peer/peer.c");
    let peer = PathBuf::from(var_os("OUT_DIR").expect("cargo sets it")).join("peer");
    let compiler = var_os("CC").unwrap_or_else(|| "cc".into());
    let built = Command::new(compiler).args(["-O1", "-Wall", "-Wextra", "peer/peer.c", "-ldl", "-o"]).arg(&peer).status();
    assert!(built.is_ok_and(|status| status.success()), "peer.c does not compile");
    println!("cargo::rustc-env=PEER={}", peer.display());
}
