//! `secrule ban`, `secrule list` and `secrule store` as their users see them, on a store in LMDB.

#![cfg(feature = "lmdb")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics fails, as it should")]

#[path = "stores/ban.rs"]
mod ban;
#[path = "stores/list.rs"]
mod list;
#[path = "stores/store.rs"]
mod store;

use serde_json::Value;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

/// A folder with a store, which is removed with the value.
struct Folder(PathBuf);

/// Result of a run of the command.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Folder {
    fn new() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("secrule-stores-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Returns a folder with a store that is empty.
    fn with_store() -> Self {
        let folder = Self::new();
        let made = folder.run(&["store", "set", "global", "", "made", "1", "--create"]);
        assert_eq!(made.code, Some(0), "{}", made.err);
        assert_eq!(folder.run(&["store", "remove", "global", ""]).code, Some(0));
        folder
    }

    fn address(&self) -> String {
        format!("lmdb:{}?size=4M", self.0.join("store.mdb").display())
    }

    /// Runs the command on the store.
    fn run(&self, arguments: &[&str]) -> Said {
        said(command(arguments).args(["--store", &self.address()]), "")
    }

    /// Runs the command on the store, and reads its JSON.
    fn json(&self, arguments: &[&str]) -> Value {
        let said = self.run(&[arguments, &["--format", "json"]].concat());
        serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}{}", said.out, said.err))
    }

    /// Writes a file, and returns its path.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_secrule"));
    command.args(arguments).env_remove("SECRULE_STORE").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn said(command: &mut Command, input: &str) -> Said {
    let mut child = command.spawn().unwrap();
    // A verb that does not read its input may have closed it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: status.code(), out: text(stdout), err: text(stderr) }
}
