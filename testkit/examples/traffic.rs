//! Judges the sample traffic with a rule set: the share of attacks that it denies, the share of harmless requests, and the rules that did it.
//!
//! `cargo run --release -p secrule-testkit --example traffic -- [OPTIONS]`; `--help` lists them. Without `--rules` the files of `crs/starter/` are read from
//! the disk, so that a changed rule needs no build. Look at single samples of the tuning half only.

use secrule::Waf;
use secrule_testkit::traffic::{self, Class, Half, Judged, Place, Rate, Sample, THRESHOLD};
use secrule_testkit::{find_shared, project};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

const HELP: &str = "\
Judges the sample traffic of the shared cases, and prints detection and false alarms.

  --rules FILE|DIR    a rule file, or a folder of them; several form one rule set [crs/starter]
  --crs DIR           the OWASP CRS of this folder instead
  --paranoia N        the paranoia level, 1 to 4 [1]
  --samples FILE      other samples [traffic/requests.gz of the shared cases]
  --half tuning|check print figures of one half only
  --rule ID           samples of the tuning half that this rule found
  --misses            attacks of the tuning half that passed
  --alarms            harmless requests of the tuning half that were denied
  --carry             the values of all queries in each part of a request in turn
  --time              the time of a request
  --json              all figures as JSON
";

#[derive(Default)]
struct Options {
    rules: Vec<PathBuf>,
    crs: Option<PathBuf>,
    paranoia: u8,
    samples: Option<PathBuf>,
    half: Option<Half>,
    rule: Option<u64>,
    misses: bool,
    alarms: bool,
    carry: bool,
    time: bool,
    json: bool,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprint!("{problem}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    let Some(path) = options.samples.clone().or_else(|| find_shared("traffic/requests.gz")) else {
        eprintln!("traffic/requests.gz is not there; SECRULE_SHARED names another folder, --samples another file");
        return ExitCode::from(2);
    };
    let waf = match load(&options) {
        Ok(waf) => waf,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let samples = traffic::read(&path);
    let judged = traffic::judge(&waf, &samples);
    let shown = |judged: &&Judged<'_>| judged.sample.half == Half::Tuning;
    if let Some(rule) = options.rule {
        judged.iter().filter(shown).filter(|judged| judged.findings.iter().any(|finding| finding.rule == rule)).for_each(show);
    } else if options.misses {
        judged.iter().filter(shown).filter(|judged| judged.sample.class == Class::Attack && !judged.is_denied).for_each(show);
    } else if options.alarms {
        judged.iter().filter(shown).filter(|judged| judged.sample.class == Class::Harmless && judged.is_denied).for_each(show);
    } else if options.carry {
        print_carried(&waf, &samples);
    } else if options.json {
        println!("{:#}", report(&judged));
    } else {
        print(&judged, options.half);
    }
    if options.time {
        measure(&waf, &samples);
    }
    ExitCode::SUCCESS
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options { paranoia: 1, ..Options::default() };
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{name} needs a value"));
        match name.as_str() {
            "--rules" => options.rules.push(value()?.into()),
            "--crs" => options.crs = Some(value()?.into()),
            "--paranoia" => options.paranoia = value()?.parse().map_err(|_| "--paranoia takes 1 to 4")?,
            "--samples" => options.samples = Some(value()?.into()),
            "--half" => options.half = Some(half(&value()?)?),
            "--rule" => options.rule = Some(value()?.parse().map_err(|_| "--rule takes a number")?),
            "--misses" => options.misses = true,
            "--alarms" => options.alarms = true,
            "--carry" => options.carry = true,
            "--time" => options.time = true,
            "--json" => options.json = true,
            other => return Err(format!("{other} is not an option")),
        }
    }
    Ok(options)
}

fn half(text: &str) -> Result<Half, String> {
    match text {
        "tuning" => Ok(Half::Tuning),
        "check" => Ok(Half::Check),
        _ => Err("--half takes tuning or check".to_owned()),
    }
}

fn load(options: &Options) -> Result<Waf, secrule::LoadError> {
    let builder = Waf::builder().paranoia(options.paranoia);
    if let Some(folder) = &options.crs {
        return builder.crs(folder).build();
    }
    let starter = [project().join("crs/starter")];
    let rules = if options.rules.is_empty() { starter.as_slice() } else { &options.rules };
    rules.iter().flat_map(|path| traffic::rule_files(path)).fold(builder, |builder, file| builder.file(file)).build()
}

/// Detection and false alarms of a rule, alone and together with others.
#[derive(Default)]
struct RuleFigures {
    message: String,
    /// Attacks and harmless requests that it found something in.
    attacks: usize,
    alarms: usize,
    /// Those that would have passed without it.
    attacks_alone: usize,
    alarms_alone: usize,
}

fn by_rule<'a>(judged: impl Iterator<Item = &'a Judged<'a>>) -> BTreeMap<u64, RuleFigures> {
    let mut rules: BTreeMap<u64, RuleFigures> = BTreeMap::new();
    for judged in judged.filter(|judged| judged.is_denied) {
        let total: i64 = judged.findings.iter().map(|finding| finding.score).sum();
        for finding in &judged.findings {
            let alone = total - finding.score < THRESHOLD;
            let figures = rules.entry(finding.rule).or_default();
            figures.message.clone_from(&finding.message);
            match judged.sample.class {
                Class::Attack => {
                    figures.attacks += 1;
                    figures.attacks_alone += usize::from(alone);
                }
                Class::Harmless => {
                    figures.alarms += 1;
                    figures.alarms_alone += usize::from(alone);
                }
            }
        }
    }
    rules
}

/// Returns the kind of a request, under which misses are counted.
fn kind(sample: &Sample) -> String {
    let bodies = [Place::Form, Place::Multipart, Place::Json, Place::Xml, Place::OtherBody];
    let parts = bodies.into_iter().chain([Place::Query]).filter(|place| place.is_in(sample)).map(Place::name);
    let parts: Vec<_> = parts.collect();
    let parts = if parts.is_empty() { "path only".to_owned() } else { parts.join(" and ") };
    format!("{} with {parts}", String::from_utf8_lossy(&sample.method))
}

fn misses<'a>(judged: impl Iterator<Item = &'a Judged<'a>>) -> BTreeMap<String, usize> {
    judged.filter(|judged| judged.sample.class == Class::Attack && !judged.is_denied).fold(BTreeMap::new(), |mut kinds, judged| {
        *kinds.entry(kind(judged.sample)).or_default() += 1;
        kinds
    })
}

/// Returns attacks and harmless requests that were denied for something found in a part of the request, of those that have the part.
fn by_place(judged: &[Judged<'_>], place: Place, in_half: impl Fn(&Judged<'_>) -> bool) -> [Rate; 2] {
    let found = |judged: &Judged<'_>| judged.is_denied && judged.grave().any(|finding| finding.places.contains(&place));
    [Class::Attack, Class::Harmless].map(|class| {
        let chosen: Vec<_> =
            judged.iter().filter(|judged| judged.sample.class == class && in_half(judged) && place.is_in(judged.sample)).collect();
        Rate { denied: chosen.iter().filter(|judged| found(judged)).count(), total: chosen.len() }
    })
}

const HALVES: [(&str, Option<Half>); 3] = [("tuning", Some(Half::Tuning)), ("check", Some(Half::Check)), ("both", None)];

fn print(judged: &[Judged<'_>], half: Option<Half>) {
    let chosen = |wanted: Option<Half>| move |judged: &Judged<'_>| wanted.is_none_or(|half| judged.sample.half == half);
    println!("{:<10} {:>22} {:>22}", "half", "attacks denied", "harmless denied");
    for (name, wanted) in HALVES {
        let [attacks, harmless] = [Class::Attack, Class::Harmless].map(|class| Rate::of(judged, class, chosen(wanted)));
        println!("{name:<10} {:>22} {:>22}", shown(attacks), shown(harmless));
    }
    let in_half = chosen(half);
    println!("\n{:<14} {:>22} {:>22}   (found there, of those that have it)", "place", "attacks denied", "harmless denied");
    for place in Place::ALL {
        let [attacks, harmless] = by_place(judged, place, in_half);
        println!("{place:<14} {:>22} {:>22}", shown(attacks), shown(harmless));
    }
    println!("\n{:>6} {:>8} {:>6} {:>8} {:>6}   rule", "rule", "attacks", "alone", "harmless", "alone");
    for (rule, figures) in by_rule(judged.iter().filter(|judged| in_half(judged))) {
        let RuleFigures { message, attacks, alarms, attacks_alone, alarms_alone } = figures;
        println!("{rule:>6} {attacks:>8} {attacks_alone:>6} {alarms:>8} {alarms_alone:>6}   {message}");
    }
    println!("\nmisses");
    for (kind, count) in misses(judged.iter().filter(|judged| in_half(judged))) {
        println!("{count:>6}  {kind}");
    }
}

/// Shows how the same values fare in each part of a request.
fn print_carried(waf: &Waf, samples: &[Sample]) {
    println!("{:<14} {:>22} {:>22}", "values in", "attacks denied", "harmless denied");
    for place in Place::ALL {
        let carried: Vec<_> = samples.iter().filter_map(|sample| traffic::carry(sample, place)).collect();
        if carried.is_empty() {
            continue;
        }
        let judged = traffic::judge(waf, &carried);
        let [attacks, harmless] = [Class::Attack, Class::Harmless].map(|class| Rate::of(&judged, class, |_| true));
        println!("{place:<14} {:>22} {:>22}", shown(attacks), shown(harmless));
    }
}

fn shown(rate: Rate) -> String {
    format!("{} of {} ({:.2} %)", rate.denied, rate.total, rate.percent())
}

fn report(judged: &[Judged<'_>]) -> Value {
    let rate = |rate: Rate| json!({ "denied": rate.denied, "total": rate.total, "percent": rate.percent() });
    let halves = HALVES.into_iter().map(|(name, wanted)| {
        let in_half = |judged: &Judged<'_>| wanted.is_none_or(|half| judged.sample.half == half);
        let [attacks, harmless] = [Class::Attack, Class::Harmless].map(|class| rate(Rate::of(judged, class, in_half)));
        let places = Place::ALL.into_iter().map(|place| {
            let [attacks, harmless] = by_place(judged, place, in_half).map(rate);
            (place.name().to_owned(), json!({ "attacks": attacks, "harmless": harmless }))
        });
        let rules = by_rule(judged.iter().filter(|judged| in_half(judged))).into_iter().map(|(rule, figures)| {
            let RuleFigures { message, attacks, alarms, attacks_alone, alarms_alone } = figures;
            let figures = json!({ "message": message, "attacks": attacks, "attacks_alone": attacks_alone, "harmless": alarms, "harmless_alone": alarms_alone });
            (rule.to_string(), figures)
        });
        let places: serde_json::Map<_, _> = places.collect();
        let rules: serde_json::Map<_, _> = rules.collect();
        let misses = misses(judged.iter().filter(|judged| in_half(judged)));
        (name.to_owned(), json!({ "attacks": attacks, "harmless": harmless, "places": places, "rules": rules, "misses": misses }))
    });
    Value::Object(halves.collect())
}

/// Shows a sample: what was found, its head and the beginning of its body.
fn show(judged: &Judged<'_>) {
    let sample = judged.sample;
    println!("=== {} {:?} {}", sample.number, sample.class, if judged.is_denied { "denied" } else { "passed" });
    for finding in &judged.findings {
        let places: BTreeSet<_> = finding.places.iter().map(|place| place.name()).collect();
        println!("  {} +{} {} {places:?}\n    {}", finding.rule, finding.score, finding.message, finding.value);
    }
    println!("{}\n", String::from_utf8_lossy(&sample.raw).chars().take(3000).collect::<String>());
}

/// Measures the time of a request: the shortest of several rounds over all samples, on one processor.
fn measure(waf: &Waf, samples: &[Sample]) {
    for class in [Class::Harmless, Class::Attack] {
        let chosen: Vec<_> = samples.iter().filter(|sample| sample.class == class).collect();
        let round = || {
            let start = Instant::now();
            for sample in &chosen {
                let _ = traffic::exchange(sample).judge(&mut waf.transaction());
            }
            start.elapsed().as_secs_f64() * 1e6 / chosen.len().max(1) as f64
        };
        let shortest = (0..8).map(|_| round()).fold(f64::INFINITY, f64::min);
        println!("{class:?}: {shortest:.1} us a request");
    }
}
