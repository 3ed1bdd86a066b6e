//! Whole transactions over the corpus with the CRS: a criterion row a case, its verdict asserted before it is measured.

use criterion::Criterion;
use secrule_testkit::corpus;
use std::time::Duration;

fn main() {
    let Some(shared) = corpus::Shared::find() else { return };
    let waf = corpus::load(&shared.rules());
    let mut criterion =
        Criterion::default().configure_from_args().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    let mut group = criterion.benchmark_group("transaction");
    for case in corpus::cases(&shared.corpus()) {
        case.check(&waf);
        group.bench_function(&case.name, |bencher| bencher.iter(|| case.run(&waf)));
    }
    group.finish();
    criterion.final_summary();
}
