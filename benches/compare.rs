//! Whole transactions over the corpus with the CRS, beside libmodsecurity in the same run: medians and their ratio, case by case.
//!
//! `cargo bench --bench compare [-- PATH_OF_LIBMODSECURITY.so]`; the peer runs through `abi_bench` of the shared tools, which needs `cc`.

use secrule_testkit::corpus;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Where Debian installs the peer.
const PEER: &str = "/usr/lib/x86_64-linux-gnu/libmodsecurity.so.3";

/// How often each case is measured.
const ROUNDS: usize = 41;

fn main() {
    let Some(shared) = corpus::Shared::find() else { return };
    let peer = std::env::args().skip(1).find(|argument| !argument.starts_with("--")).unwrap_or_else(|| PEER.to_owned());
    let rules = shared.rules();
    let folder = shared.corpus();
    let began = Instant::now();
    let waf = corpus::load(&rules);
    println!("secrule loads {} rules in {:.1} ms", waf.report().rules + waf.report().actions, began.elapsed().as_secs_f64() * 1e3);
    let theirs = measure_peer(&shared, Path::new(&peer), &rules, &folder);
    println!("{:<24} {:>12} {:>12} {:>8}", "case", "ours, µs", "peer, µs", "ratio");
    let mut logarithms = Vec::new();
    for case in corpus::cases(&folder) {
        case.check(&waf);
        let ours = median(&case, &waf);
        let their = theirs.get(&case.name).copied();
        let ratio = their.map(|their| their / ours);
        logarithms.extend(ratio.map(f64::ln));
        let shown = |number: Option<f64>, decimals| number.map_or("-".to_owned(), |number| format!("{number:.decimals$}"));
        println!("{:<24} {:>12} {:>12} {:>8}", case.name, shown(Some(ours), 1), shown(their, 1), shown(ratio, 2));
    }
    if !logarithms.is_empty() {
        let mean = (logarithms.iter().sum::<f64>() / logarithms.len() as f64).exp();
        println!("geometric mean of the ratios: {mean:.2}");
    }
}

/// The median of a case in microseconds.
fn median(case: &corpus::Case, waf: &secrule::Waf) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            std::hint::black_box(case.run(waf));
            began.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The peer's medians, by case; empty where it cannot be run.
fn measure_peer(shared: &corpus::Shared, library: &Path, rules: &Path, folder: &Path) -> HashMap<String, f64> {
    let program: PathBuf = shared.scratch.join("abi_bench");
    let source = shared.root.join("tools/abi_bench.c");
    let built = Command::new("cc").args(["-O2", "-w", "-o"]).arg(&program).arg(source).args(["-ldl", "-lpthread"]).status();
    if !library.exists() || !built.is_ok_and(|status| status.success()) {
        eprintln!("{} cannot be measured: install libmodsecurity3 and a C compiler", library.display());
        return HashMap::new();
    }
    let output = Command::new(&program).arg(library).arg(rules).arg(folder).arg(ROUNDS.to_string()).output().expect("abi_bench runs");
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let median = words.iter().position(|word| *word == "median")?;
            Some((words.first()?.to_string(), words.get(median + 1)?.parse().ok()?))
        })
        .collect()
}
