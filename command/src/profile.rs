//! `secrule profile`: measures where the time goes.

use super::exchange::Request;
use super::requests::{Exchanges, RequestOptions};
use super::rules::RuleOptions;
use super::{Failure, Format, Outcome, progress_bar, write_json};
use clap::Args;
use secrule::Waf;
use secrule::internals::diagnostic::counted;
use secrule::internals::graph::{RulePlan, Test};
use secrule::internals::metrics::{Cost, Profile};
use serde::Serialize;
use std::io::{self, Write};
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

/// Judges raw HTTP requests many times, and shows which rules, targets and transformations take the time
///
/// Most rules have a prefilter: the literals of which any match contains some. If a value contains none of them, the rule is ruled out and costs
/// nothing more. Otherwise it may match, and its operator runs. Look at slow rules that have no prefilter, or that often run in vain: a pattern with
/// a word that every match contains has a better prefilter than a pattern of classes and alternatives.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  secrule profile --crs /usr/share/modsecurity-crs requests/*.http
                                            the time that the OWASP CRS takes for these requests
  secrule profile -r main.conf --top 5 login.http
                                            only the five most expensive of each table
  secrule profile -r main.conf --repeat 1000 login.http
                                            short times are more exact when they are measured often
  secrule profile -r main.conf --plan=off login.http
                                            without prefilters: the cost of each rule when it runs
  secrule profile --format json login.http | jq '.rules[] | select(.in_vain > 0) | .id'
                                            rules that ran in vain

Columns of the rules, for all requests, each judged once; times are the shortest of all rounds:
  share      share of all the time, including reading requests and writing logs
  us         microseconds, including chained rules; the first rule that needs a transformed value pays for it
  values     number of values that the operator ran on
  ruled out  number of times the rule was ruled out: by its prefilter, or because there was no value
  runs       number of evaluations in which the operator ran
  in vain    number of those in which nothing matched
  prefilter  yes: the rule has one; tx: it compares a number of TX first; no: it runs whenever there is a
             value, as do negated rules; -: a rule without an operator

Reading the clock takes time: the first line shows how long a request takes with and without measuring.

Exit codes:
  0  the requests were measured, whatever the rules decided
  2  a file cannot be read or is not a request, or the rules do not load")]
pub struct Options {
    #[command(flatten)]
    rules: RuleOptions,

    #[command(flatten)]
    requests: RequestOptions,

    /// Number of times that each request is judged
    #[arg(long, value_name = "N", default_value = "100")]
    repeat: NonZeroU32,

    /// Maximum number of rows of each table; JSON has all
    #[arg(long, value_name = "N", default_value = "20")]
    top: NonZeroUsize,
}

/// Measures requests.
pub fn run(options: &Options, format: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let waf = options.rules.load(None)?;
    let exchanges = options.requests.read()?;
    let measured = Measured::new(&waf, &exchanges, options.repeat, format);
    let report = Report::new(&waf, &measured);
    match format {
        Format::Text => report.write(out, options.top.get())?,
        Format::Json => write_json(out, &report)?,
    }
    Ok(Outcome::Fine)
}

/// Measurements: of each request the shortest times of all rounds, so that other load on the processor does not count.
struct Measured {
    requests: usize,
    rounds: u32,
    profile: Profile,
    /// Time of all requests with the profile.
    measuring: Duration,
    /// Time of all requests without the profile.
    plain: Duration,
}

impl Measured {
    fn new(waf: &Waf, exchanges: &Exchanges, repeat: NonZeroU32, format: Format) -> Self {
        let (requests, rounds) = (&exchanges.requests, repeat.get());
        let mut sum =
            Self { requests: requests.len(), rounds, profile: Profile::default(), measuring: Duration::ZERO, plain: Duration::ZERO };
        let bar = progress_bar(requests.len() as u64 * u64::from(rounds), "judged", format);
        for (_, request) in requests {
            // The first round builds what is built on first use; it does not count.
            let mut plain = exchanges.judge(waf.transaction(), request).elapsed;
            let (mut measuring, mut profile) = measure(waf, exchanges, request);
            for _ in 0..rounds {
                plain = plain.min(exchanges.judge(waf.transaction(), request).elapsed);
                let (elapsed, again) = measure(waf, exchanges, request);
                measuring = measuring.min(elapsed);
                profile.keep_fastest(&again);
                bar.inc(1);
            }
            sum.plain += plain;
            sum.measuring += measuring;
            sum.profile.merge(&profile);
        }
        bar.finish_and_clear();
        sum
    }

    fn share(&self, time: Duration) -> f64 {
        if self.measuring.is_zero() { 0.0 } else { time.as_secs_f64() / self.measuring.as_secs_f64() }
    }

    fn row(&self, name: impl Into<String>, cost: Cost) -> Row {
        Row { name: name.into(), share: self.share(cost.time), microseconds: micros(cost.time), count: cost.count }
    }
}

fn measure(waf: &Waf, exchanges: &Exchanges, request: &Request) -> (Duration, Profile) {
    let mut transaction = waf.transaction();
    transaction.start_profile();
    let mut judgement = exchanges.judge(transaction, request);
    (judgement.elapsed, judgement.transaction.take_profile().unwrap_or_default())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Report, of one round.
#[derive(Debug, Serialize)]
struct Report {
    requests: usize,
    rounds: u32,
    /// Time of all requests, each judged once without the profile.
    microseconds: f64,
    measured_microseconds: f64,
    parts: Vec<Row>,
    rules: Vec<RuleRow>,
    targets: Vec<Row>,
    transformations: Vec<Row>,
}

/// Cost of a part, target or transformation.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    share: f64,
    microseconds: f64,
    count: u64,
}

/// Cost of a rule.
#[derive(Debug, Serialize)]
struct RuleRow {
    id: u64,
    file: String,
    line: usize,
    share: f64,
    microseconds: f64,
    operator_microseconds: f64,
    values: u64,
    ruled_out: u64,
    runs: u64,
    in_vain: u64,
    prefilter: &'static str,
}

impl Report {
    fn new(waf: &Waf, measured: &Measured) -> Self {
        let (profile, graph) = (&measured.profile, waf.graph());
        let mut rules: Vec<RuleRow> = profile
            .rules()
            .filter_map(|(index, cost)| {
                let rule = graph.rule(index)?;
                Some(RuleRow {
                    id: rule.id,
                    file: rule.location.file.to_string(),
                    line: rule.location.line,
                    share: measured.share(cost.evaluations.time),
                    microseconds: micros(cost.evaluations.time),
                    operator_microseconds: micros(cost.questions.time),
                    values: cost.questions.count,
                    ruled_out: cost.ruled_out,
                    runs: cost.runs,
                    in_vain: cost.in_vain,
                    prefilter: match (&rule.test, &rule.plan) {
                        (Test::Unconditional, _) => "-",
                        (_, RulePlan::Scan(scan)) if scan.excluding().is_some() => "yes",
                        (_, RulePlan::Comparison(_)) => "tx",
                        _ => "no",
                    },
                })
            })
            .collect();
        rules.sort_by(|one, other| other.microseconds.total_cmp(&one.microseconds));
        let evaluations = profile.rules().fold(Cost::default(), |mut sum, (_, cost)| {
            sum.merge(cost.evaluations);
            sum
        });
        let rest = measured.measuring.saturating_sub(evaluations.time + profile.prefilters().time);
        let rest = Cost { count: measured.requests as u64, time: rest };
        Self {
            requests: measured.requests,
            rounds: measured.rounds,
            microseconds: micros(measured.plain),
            measured_microseconds: micros(measured.measuring),
            parts: vec![
                measured.row("evaluating rules", evaluations),
                measured.row("scanning values for prefilters", profile.prefilters()),
                measured.row("everything else: reading requests, writing logs", rest),
            ],
            rules,
            targets: sorted(profile.variables().map(|(variable, cost)| measured.row(variable.name(), cost))),
            transformations: sorted(
                profile.transformations().map(|(transformation, cost)| measured.row(format!("t:{}", transformation.name()), cost)),
            ),
        }
    }

    fn write(&self, out: &mut dyn Write, top: usize) -> io::Result<()> {
        let each = |microseconds: f64| microseconds / self.requests as f64;
        let requests = counted(self.requests, "request");
        let (plain, measuring) = (each(self.microseconds), each(self.measured_microseconds));
        writeln!(out, "{requests}, {} rounds: {plain:.1} us a request, {measuring:.1} us while measuring\n", self.rounds)?;
        write_rows(out, "times", "what", &self.parts, usize::MAX)?;
        writeln!(out, "\n  share         us  values  ruled out   runs  in vain  prefilter     rule")?;
        for rule in self.rules.iter().take(top) {
            let RuleRow { id, file, line, microseconds, values, ruled_out, runs, in_vain, prefilter, .. } = rule;
            let share = rule.share * 100.0;
            writeln!(
                out,
                "{share:>6.1}% {microseconds:>10.2} {values:>7}  {ruled_out:>9} {runs:>6}  {in_vain:>7}  {prefilter:<9} {id:>8} {file}:{line}"
            )?;
        }
        write_more(out, self.rules.len(), top)?;
        writeln!(out)?;
        write_rows(out, "values", "target", &self.targets, top)?;
        writeln!(out)?;
        write_rows(out, "values", "transformation", &self.transformations, top)
    }
}

fn sorted(rows: impl Iterator<Item = Row>) -> Vec<Row> {
    let mut rows: Vec<Row> = rows.collect();
    rows.sort_by(|one, other| other.microseconds.total_cmp(&one.microseconds));
    rows
}

fn write_rows(out: &mut dyn Write, counted: &str, named: &str, rows: &[Row], top: usize) -> io::Result<()> {
    writeln!(out, "  share         us {counted:>7}  {named}")?;
    for Row { name, share, microseconds, count } in rows.iter().take(top) {
        writeln!(out, "{:>6.1}% {microseconds:>10.2} {count:>7}  {name}", share * 100.0)?;
    }
    write_more(out, rows.len(), top)
}

fn write_more(out: &mut dyn Write, rows: usize, top: usize) -> io::Result<()> {
    if rows > top { writeln!(out, "  and {} more: --top", rows - top) } else { Ok(()) }
}
