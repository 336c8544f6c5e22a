//! What the pictures of a run show, as plain values.

use crate::intervals::{Interval, intervals, joined, whole};
use base::number::real_u64;
use model::{Load, SCHEDULE, SEND};
use report::{Curve, HeatCell, HeatMap};

/// The most columns of a heat map.
const MAX_COLUMNS: usize = 120;
/// The most cells: each is an element of the picture.
const MAX_CELLS: usize = 2_400;

/// The pictures of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pictures {
    /// The latency over time, of the basis that figures are of.
    pub heat: Option<HeatMap>,
    /// The same in figures, a row for each column of the heat map.
    pub courses: Vec<Course>,
    /// The latency by percentile, a curve for each basis.
    pub percentiles: Vec<Curve>,
}

/// The latency of a time, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Course {
    /// When it begins.
    pub from_ns: i64,
    /// Requests in it.
    pub requests: u64,
    /// The median.
    pub p50_ms: Option<f64>,
    /// The 99th percentile.
    pub p99_ms: Option<f64>,
    /// The longest.
    pub max_ms: Option<f64>,
}

/// Computes the pictures.
pub fn pictures(load: &Load) -> Pictures {
    let of = |basis: &str| intervals(load, load.strings.find(basis));
    let main = load.main_basis().map(of).unwrap_or_default();
    let mut columns = MAX_COLUMNS;
    let mut few = joined(&main, columns);
    while few.iter().map(|of| of.buckets.len()).sum::<usize>() > MAX_CELLS && columns > 1 {
        columns /= 2;
        few = joined(&main, columns);
    }
    let percentiles = [(SCHEDULE, "from the schedule"), (SEND, "from the send")]
        .into_iter()
        .map(|(basis, name)| curve(name, &whole(&of(basis))))
        .filter(|curve| curve.points.len() > 1);
    Pictures {
        heat: heat(&few),
        courses: few.iter().map(course).collect(),
        percentiles: percentiles.collect(),
    }
}

fn heat(intervals: &[Interval]) -> Option<HeatMap> {
    let cells = intervals.iter().flat_map(|of| {
        let (from_ns, to_ns) = (of.ts_ns, of.end_ns());
        of.buckets.iter().map(move |(low, high, count)| HeatCell {
            from_ns,
            to_ns,
            low: *low,
            high: *high,
            count: *count,
        })
    });
    let cells: Vec<HeatCell> = cells.filter(|of| of.count > 0 && of.to_ns > of.from_ns).collect();
    let from_ns = cells.iter().map(|of| of.from_ns).min()?;
    let to_ns = cells.iter().map(|of| of.to_ns).max()?;
    Some(HeatMap { from_ns, to_ns, unit: "ms", cells })
}

fn course(of: &Interval) -> Course {
    Course {
        from_ns: of.ts_ns,
        requests: of.total(),
        p50_ms: of.quantile(0.5),
        p99_ms: of.quantile(0.99),
        max_ms: of.longest(),
    }
}

/// The latency by the odds of a slower one: at 100, one of 100 requests is slower, which is p99. A point for each bucket, as
/// far as there are requests above it.
fn curve(name: &'static str, of: &Interval) -> Curve {
    let total = of.total();
    let mut above = total;
    let mut points = Vec::new();
    for (from, to, number) in &of.buckets {
        let ms = if *from > 0.0 { (from * to).sqrt() } else { *to };
        if above > 0 && total > 0 {
            points.push((real_u64(total) / real_u64(above), ms));
        }
        above = above.saturating_sub(*number);
        if above > 0 {
            points.push((real_u64(total) / real_u64(above), ms));
        }
    }
    // The longest ends the curve, at the odds of the last request.
    if let Some((.., ms)) = points.last().copied() {
        points.push((real_u64(total.max(1)), ms));
    }
    Curve { name, points }
}
