//! Figures of the whole: the table `metrics`, by benchmark.

use model::{Bench, MetricRow};

/// Fills the table: `NAME(PARAMETERS).mean`, `.median` and `.allocated` of each benchmark, with the mean's interval.
pub(super) fn fill(bench: &mut Bench) {
    let mut rows: Vec<(String, f64, &str, (f64, f64), i64)> = Vec::new();
    let count = i64::try_from(bench.benchmarks.id.len()).unwrap_or(i64::MAX);
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
    rows.push(("benchmarks".to_owned(), count as f64, "", (f64::NAN, f64::NAN), count));
    let none = (f64::NAN, f64::NAN);
    for (at, label) in bench.labels().into_iter().enumerate() {
        let Some(row) = bench.benchmarks.row(at) else { continue };
        rows.push((format!("{label}.mean"), row.mean, "ns", (row.low, row.high), row.n));
        rows.push((format!("{label}.median"), row.median, "ns", none, row.n));
        rows.push((format!("{label}.allocated"), row.allocated_bytes, "B", none, row.n));
    }
    for (name, value, unit, (low, high), n) in rows {
        let (name, unit) = (bench.strings.intern(&name), bench.strings.intern(unit));
        bench.metrics.push(MetricRow { name, value, unit, low, high, n });
    }
}
