//! Cost of an action of a rule, through the C interface.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Number of actions in a transaction.
const ACTIONS: usize = 100;

/// A program that measures, and the folder of its rules.
pub struct Cost {
    folder: PathBuf,
    program: PathBuf,
}

impl Cost {
    /// Builds the program with the installed libmodsecurity, in a folder.
    pub fn new(folder: PathBuf) -> Self {
        fs::create_dir_all(&folder).unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let program = folder.join("action_cost");
        let mut command = Command::new("cc");
        command.args(["-std=c11", "-D_DEFAULT_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror"]).arg("-I").arg(root.join("include"));
        let built = command.arg("-o").arg(&program).arg(root.join("tests/action_cost.c")).arg("-l:libmodsecurity.so.3").output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        Self { folder, program }
    }

    /// Returns its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the cost of an action in nanoseconds, in the library of a folder, or else in the installed one. Settings come before the actions.
    pub fn of(&self, library: Option<&Path>, settings: &str, action: &str) -> f64 {
        let rules = |name: &str, action: &str| {
            let lines = (1..=ACTIONS).map(|id| format!("SecAction \"id:{id},phase:1,pass,nolog{action}\"\n"));
            fs::write(self.folder.join(name), format!("SecRuleEngine On\n{settings}{}", lines.collect::<String>())).unwrap();
            self.folder.join(name)
        };
        let mut command = Command::new(&self.program);
        command.arg(rules("with.conf", action)).arg(rules("without.conf", "")).arg(ACTIONS.to_string()).env_remove("LD_LIBRARY_PATH");
        if let Some(library) = library {
            command.env("LD_LIBRARY_PATH", library);
        }
        let ended = command.output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        String::from_utf8_lossy(&ended.stdout).trim().parse().unwrap()
    }
}
