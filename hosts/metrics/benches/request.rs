//! The cost of metrics: `cargo bench -p secrule-metrics [-- FOLDER OF THE OWASP CRS]`, otherwise with the starter rules.
//!
//! It prints the time that the calls of the observer take for one exchange, and the time of a whole exchange with and without metrics, in rounds that
//! alternate. With `-- --repeat N none|metrics [FOLDER]` it only runs that many exchanges, so that valgrind can count their instructions.

// A benchmark that cannot run ends.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

use secrule::{Connection, Observer, Phase, Transaction, Waf};
use secrule_metrics::Metrics;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

const CLEAN: &str = "/products/list?page=2&sort=price";
const ATTACK: &str = "/?id=1%27%20OR%20%271%27=%271&q=%3Cscript%3Ealert(1)%3C/script%3E";
const HEADERS: [(&str, &str); 6] = [
    ("host", "shop.example"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-language", "en-US,en;q=0.5"),
    ("cookie", "session=0123456789abcdef; theme=light"),
    ("referer", "https://shop.example/products"),
];

const ROUNDS: usize = 60;
const PER_ROUND: u32 = 500;
const CALLS: u32 = 200_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.first().is_some_and(|first| first == "--repeat") {
        let metrics = (arguments[2] == "metrics").then(Arc::default);
        let waf = waf(arguments.get(3), metrics);
        return (0..arguments[1].parse().unwrap()).for_each(|_| drop(exchange(&waf, CLEAN)));
    }
    let folder = arguments.first();
    for (name, target) in [("clean", CLEAN), ("attack", ATTACK)] {
        let metrics = Metrics::default();
        let transaction = exchange(&waf(folder, None), target);
        let start = Instant::now();
        (0..CALLS).for_each(|_| count(black_box(&metrics), black_box(&transaction)));
        let matches = transaction.matches().count();
        println!("{name}: the observer takes {} ns for an exchange with {matches} matches", (start.elapsed() / CALLS).as_nanos());
    }
    let wafs = [waf(folder, None), waf(folder, Some(Arc::default()))];
    let mut times: [Vec<Duration>; 2] = Default::default();
    for _ in 0..ROUNDS {
        for (waf, times) in wafs.iter().zip(&mut times) {
            let start = Instant::now();
            (0..PER_ROUND).for_each(|_| drop(exchange(waf, CLEAN)));
            times.push(start.elapsed() / PER_ROUND);
        }
    }
    let [without, with] = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 4].as_nanos()
    });
    println!("clean: an exchange takes {without} ns without metrics, {with} ns with them");
}

fn waf(folder: Option<&String>, metrics: Option<Arc<Metrics>>) -> Waf {
    let builder = Waf::builder();
    let builder = match folder {
        Some(folder) => builder.crs(folder),
        None => builder.starter_rules(),
    };
    let builder = builder.without_logs();
    match metrics {
        Some(metrics) => builder.observer(metrics).build().unwrap(),
        None => builder.build().unwrap(),
    }
}

/// Judges a request and its response, up to the end.
fn exchange(waf: &Waf, target: &str) -> Transaction {
    let mut transaction = waf.begin(Connection::new(([192, 0, 2, 7], 40000).into(), ([198, 51, 100, 1], 443).into()));
    let request = HEADERS.iter().fold(http::Request::get(target), |request, (name, value)| request.header(*name, *value));
    let head = request.body(()).unwrap().into_parts().0;
    let mut judge = || {
        transaction.request_head(&head)?;
        transaction.request_end()?;
        let head = http::Response::builder().header("content-type", "text/html").body(()).unwrap().into_parts().0;
        transaction.response_head(&head)?;
        transaction.response_end()
    };
    let _ = judge();
    transaction
}

/// Makes the calls that an exchange makes.
fn count(metrics: &Metrics, transaction: &Transaction) {
    black_box(metrics.times_rules());
    for phase in Phase::ALL {
        metrics.phase_ended(transaction, phase, Duration::from_micros(12));
    }
    metrics.finished(transaction);
}
