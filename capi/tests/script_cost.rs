//! Cost of calling a Lua script compared with libmodsecurity, through the C interface, both in one run on the same machine.

use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    trials::run([trial!(a_call_costs_a_small_part_of_what_it_costs_elsewhere, [Needs::Library("libmodsecurity.so.3"), Needs::CLibrary])])
}

/// Scripts of three lines: name, text, and the minimum factor by which a call must be cheaper here, even on a busy machine. On an idle one the factor
/// is about twice as large.
const SCRIPTS: [(&str, &str, f64); 3] = [
    ("does nothing", "function main()\n  return nil\nend\n", 50.0),
    ("reads a variable", "function main()\n  return m.getvar(\"ARGS.name\")\nend\n", 25.0),
    ("reads one and sets one", "function main()\n  m.setvar(\"tx.name\", m.getvar(\"ARGS.name\", \"lowercase\"))\nend\n", 18.0),
];

/// Number of calls in a transaction.
const CALLS: usize = 100;

/// Number of alternating measurements; the fastest time of each counts.
const ROUNDS: usize = 3;

fn a_call_costs_a_small_part_of_what_it_costs_elsewhere() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let ours = trials::c_library();
    let ours = ours.parent().unwrap();
    let folder = target.join("script-cost");
    fs::create_dir_all(&folder).unwrap();
    let program = program(&folder);
    // `SECRULE_SCRIPT_RATIO` sets another factor for all of them.
    let asked = std::env::var("SECRULE_SCRIPT_RATIO").ok().and_then(|number| number.parse::<f64>().ok());
    for (what, text, times) in SCRIPTS {
        let (here, there) = costs(&program, ours, &folder, text);
        let times_less = there / here;
        trials::note(&format!("a script that {what}: {here:.0} ns here, {there:.0} ns in libmodsecurity: {times_less:.0} times less"));
        assert!(here * asked.unwrap_or(times) < there, "{what}: {here} ns here, {there} ns in libmodsecurity");
    }
    fs::remove_dir_all(folder).unwrap();
}

/// Returns the cost of a call in both libraries, in nanoseconds.
fn costs(program: &Path, ours: &Path, folder: &Path, text: &str) -> (f64, f64) {
    let script = folder.join("three.lua");
    fs::write(&script, text).unwrap();
    let rules = |name: &str, action: &str| {
        let lines = (1..=CALLS).map(|id| format!("SecAction \"id:{id},phase:1,pass,nolog{action}\"\n"));
        fs::write(folder.join(name), format!("SecRuleEngine On\n{}", lines.collect::<String>())).unwrap();
        folder.join(name)
    };
    let (with, without) = (rules("with.conf", &format!(",exec:{}", script.display())), rules("without.conf", ""));
    let cost = |library: Option<&Path>| -> f64 {
        let mut command = Command::new(program);
        command.arg(&with).arg(&without).arg(CALLS.to_string()).env_remove("LD_LIBRARY_PATH");
        if let Some(library) = library {
            command.env("LD_LIBRARY_PATH", library);
        }
        let ended = command.output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        String::from_utf8_lossy(&ended.stdout).trim().parse().unwrap()
    };
    let (mut here, mut there) = (f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        here = here.min(cost(Some(ours)));
        there = there.min(cost(None));
    }
    (here, there)
}

/// Returns the C program, built with the installed libmodsecurity.
fn program(folder: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = folder.join("script_cost");
    let mut command = Command::new("cc");
    command.args(["-std=c11", "-D_DEFAULT_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror"]).arg("-I").arg(root.join("include"));
    let built = command.arg("-o").arg(&program).arg(root.join("tests/script_cost.c")).arg("-l:libmodsecurity.so.3").output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    program
}
