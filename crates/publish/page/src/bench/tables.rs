//! The tables of the tabs, as queries.

use crate::kind::{Ctx, KindOfPages};
use views::TableView;

/// Every benchmark.
pub(super) fn benchmarks<K: KindOfPages>(_ctx: &Ctx<'_, K>) -> TableView {
    let sql = "select name, parameters, mean as mean_ns, median as median_ns, low as low_ns, high as high_ns, n as results, \
               allocated_bytes, job from benchmarks";
    let about = "Time and allocated bytes per operation, as the harness computed them; low and high are the ends of the \
                 mean's confidence interval at the harness's level.";
    TableView::new("benchmarks", "Benchmarks", about, sql.to_owned())
}

/// Measurements by mode and stage.
pub(super) fn stages<K: KindOfPages>(_ctx: &Ctx<'_, K>) -> TableView {
    let sql = "select mode, stage, count(*) as measurements, sum(operations) as operations, sum(value_ns) as together_ns \
               from measurements group by 1, 2 order by min(measurements.rowid)";
    let about = "Measurements by mode and stage; the figures come from mode Workload, stage Result.";
    TableView::new("stages", "Stages", about, sql.to_owned())
}

/// Every measurement.
pub(super) fn measurements<K: KindOfPages>(_ctx: &Ctx<'_, K>) -> TableView {
    let sql = "select name, parameters, launch, mode, stage, iteration, operations, value_ns, \
               value_ns / operations as operation_ns from measurements join benchmarks on benchmarks.id = benchmark";
    TableView::new("measurements", "Measurements", "Each measurement of the file.", sql.to_owned())
}
