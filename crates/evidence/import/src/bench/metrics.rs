//! Figures of the whole: the table `metrics`, by benchmark.

use base::number::saturated;
use model::{Bench, MetricRow};

/// Fills the table: `NAME(PARAMETERS).mean`, `.median` and `.allocated` of each benchmark, with the mean's interval.
pub(super) fn fill(bench: &mut Bench) {
    let count = bench.benchmarks.id.len();
    let n = saturated(count);
    let none = (f64::NAN, f64::NAN);
    add(bench, "benchmarks", base::number::count(count), "", none, n);
    for (at, label) in bench.labels().into_iter().enumerate() {
        let Some(row) = bench.benchmarks.row(at) else { continue };
        add(bench, &format!("{label}.mean"), row.mean, "ns", (row.low, row.high), row.n);
        add(bench, &format!("{label}.median"), row.median, "ns", none, row.n);
        add(bench, &format!("{label}.allocated"), row.allocated_bytes, "B", none, row.n);
    }
}

fn add(bench: &mut Bench, name: &str, value: f64, unit: &str, (low, high): (f64, f64), n: i64) {
    let (name, unit) = (bench.strings.intern(name), bench.strings.intern(unit));
    bench.metrics.push(MetricRow { name, value, unit, low, high, n, partial: 0 });
}
