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
    /// When it ends.
    pub to_ns: i64,
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
    let most = longest(load);
    let courses = few.iter().map(|of| course(of, most)).collect();
    Pictures { heat: heat(&few), courses, percentiles: percentiles.collect() }
}

/// The latency of every interval of the run, by time. Each counts the requests that ended in it.
pub fn courses(load: &Load) -> Vec<Course> {
    let basis = load.main_basis().and_then(|basis| load.strings.find(basis));
    let most = longest(load);
    intervals(load, basis).iter().filter(|of| of.total() > 0).map(|of| course(of, most)).collect()
}

/// The longest latency of the run. The middle of its bucket may be beyond it, which is known more exactly.
fn longest(load: &Load) -> f64 {
    load.main_basis().and_then(|basis| load.quantile(basis, 1.0)).unwrap_or(f64::INFINITY)
}

/// Cells for each factor of ten: higher than the buckets, so that each is seen.
const EACH_DECADE: f64 = 10.0;

fn heat(intervals: &[Interval]) -> Option<HeatMap> {
    let mut cells: Vec<HeatCell> = Vec::new();
    for of in intervals {
        let (from_ns, to_ns) = (of.ts_ns, of.end_ns());
        for (from, to, count) in of.buckets.iter().filter(|(.., count)| *count > 0 && to_ns > from_ns) {
            // What took less than a nanosecond has no place on a logarithmic scale but the lowest.
            let middle = if *from > 0.0 { (from * to).sqrt() } else { *to };
            let step = (middle.log10() * EACH_DECADE).floor();
            let border = |step: f64| 10f64.powf(step / EACH_DECADE);
            let cell =
                HeatCell { from_ns, to_ns, low: border(step), high: border(step + 1.0), count: *count };
            let is_same =
                |last: &&mut HeatCell| last.from_ns == from_ns && (last.low / cell.low - 1.0).abs() < 1e-6;
            match cells.last_mut().filter(is_same) {
                Some(last) => last.count = last.count.saturating_add(*count),
                None => cells.push(cell),
            }
        }
    }
    let from_ns = cells.iter().map(|of| of.from_ns).min()?;
    let to_ns = cells.iter().map(|of| of.to_ns).max()?;
    Some(HeatMap { from_ns, to_ns, unit: "ms", cells })
}

fn course(of: &Interval, most: f64) -> Course {
    Course {
        from_ns: of.ts_ns,
        to_ns: of.end_ns(),
        requests: of.total(),
        p50_ms: of.quantile(0.5),
        p99_ms: of.quantile(0.99).map(|ms| ms.min(most)),
        max_ms: of.longest().map(|ms| ms.min(most)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Run;

    #[test]
    fn pictures_have_every_request_and_no_more_cells_than_can_be_drawn() {
        let run = Run::steady(30).stalled(&[2, 7]);
        let drawn = pictures(&run.load());
        let heat = drawn.heat.unwrap();
        assert_eq!(heat.cells.iter().map(|of| of.count).sum::<u64>(), 6_000);
        assert_eq!((heat.from_ns, heat.to_ns, drawn.courses.len()), (0, 30_000_000_000, 30));
        let curve = &drawn.percentiles[0];
        assert!(curve.points.is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1), "{curve:?}");
        let long = pictures(&Run::steady(1_000).stalled(&(0..1_000).collect::<Vec<_>>()).load());
        assert!(long.heat.unwrap().cells.len() <= MAX_CELLS && long.courses.len() <= MAX_COLUMNS);
        assert_eq!(pictures(&Load::default()), Pictures::default());
    }
}
