//! Little's law as a check of measurements: N = X · R.
//!
//! The mean number of requests in a service is its throughput times their mean response time, whatever the service does
//! (J. Little, 1961). Measurements that break it are of different things or times: the users also think, the throughput counts
//! what the latency does not, or the latency is a percentile.

use crate::fit::Point;

/// How far N may be from X · R. Means over a run differ by less.
const TOLERANCE: f64 = 0.1;

/// Units of time: a name, and how many seconds it has.
const UNITS: [(&str, f64); 4] = [("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9)];

/// What the check says.
#[derive(Debug, Clone, PartialEq)]
pub struct Little {
    /// The unit in which the latencies are read.
    pub unit: &'static str,
    /// How many seconds it has.
    pub seconds: f64,
    /// Whether the header named the unit. Else it is the one that fits the law best.
    pub is_named: bool,
    /// Measurements that were checked: those with a latency, and with a throughput above 0.
    pub checked: usize,
    /// Measurements whose N is more than a tenth beside X · R.
    pub broken: usize,
    /// The measurement that is farthest off: its load, and X · R.
    pub worst: Option<(f64, f64)>,
}

/// Checks measurements. `per` is the unit of time of the throughput in seconds, `name` what the header calls the latency. `None`
/// if there is no latency.
pub fn check(points: &[Point], per: f64, name: Option<&str>) -> Option<Little> {
    // X · R over N, with R in seconds.
    let measured: Vec<(f64, f64)> = (points.iter())
        .filter(|of| of.throughput > 0.0)
        .filter_map(|of| Some((of.load, of.throughput / per * of.latency?)))
        .collect();
    let mut ratios: Vec<f64> = measured.iter().map(|(load, within)| (within / load).log10()).collect();
    ratios.sort_by(f64::total_cmp);
    // Half of them are on either side, so that a few odd ones do not choose the unit.
    let middle = *ratios.get(ratios.len() / 2)?;
    let named = name.and_then(named);
    let distance = |unit: &(&str, f64)| (middle + unit.1.log10()).abs();
    let nearest = UNITS.into_iter().min_by(|one, other| distance(one).total_cmp(&distance(other)));
    let (unit, seconds) = named.or(nearest)?;
    let beside = |(load, within): &(f64, f64)| (within * seconds / load - 1.0).abs();
    let worst = measured.iter().max_by(|one, other| beside(one).total_cmp(&beside(other)));
    Some(Little {
        unit,
        seconds,
        is_named: named.is_some(),
        checked: measured.len(),
        broken: measured.iter().filter(|of| beside(of) > TOLERANCE).count(),
        worst: worst.map(|(load, within)| (*load, within * seconds)),
    })
}

/// The unit that ends a name: `latency_ms`, `R (s)`, `mean [us]`.
fn named(name: &str) -> Option<(&'static str, f64)> {
    let name = name.to_lowercase();
    let word = name.split(|of: char| !of.is_alphanumeric()).rfind(|word| !word.is_empty())?;
    let name = match word {
        "us" | "µs" | "μs" => "µs",
        "sec" | "seconds" => "s",
        "msec" | "millis" | "milliseconds" => "ms",
        other => other,
    };
    UNITS.into_iter().find(|(unit, _)| *unit == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(rows: &[(f64, f64, f64)]) -> Vec<Point> {
        rows.iter()
            .map(|(load, throughput, latency)| Point {
                load: *load,
                throughput: *throughput,
                latency: Some(*latency),
            })
            .collect()
    }

    #[test]
    fn the_unit_of_latencies_is_the_one_that_the_law_asks_for() {
        let of =
            check(&points(&[(1.0, 100.0, 10.0), (2.0, 180.0, 11.1), (4.0, 200.0, 20.0)]), 1.0, None).unwrap();
        assert_eq!((of.unit, of.is_named, of.checked, of.broken), ("ms", false, 3, 0));
        // Throughput per minute.
        let of = check(&points(&[(1.0, 6_000.0, 10.0)]), 60.0, Some("mean ms")).unwrap();
        assert_eq!((of.unit, of.is_named, of.broken), ("ms", true, 0));
        assert_eq!(check(&points(&[(1.0, 0.0, 10.0)]), 1.0, None), None);
    }

    #[test]
    fn a_measurement_that_breaks_the_law_is_found() {
        let rows = points(&[(1.0, 100.0, 10.0), (2.0, 180.0, 11.1), (4.0, 100.0, 20.0)]);
        let of = check(&rows, 1.0, Some("R (ms)")).unwrap();
        assert_eq!((of.broken, of.worst), (1, Some((4.0, 2.0))));
        // A unit that is named is believed.
        assert_eq!(check(&rows, 1.0, Some("latency_s")).unwrap().broken, 3);
    }
}
