//! Headroom: the highest load that keeps the mean response time below a limit, and when growth reaches it.

use crate::fit::{Fit, Interval};
use crate::least_squares::gradient;

/// How far a limit of the mean response time is away.
#[derive(Debug, Clone, PartialEq)]
pub struct Headroom {
    /// The limit, in the unit of time of the throughput.
    pub response: f64,
    /// What holds it.
    pub holds: Holds,
}

/// Which loads hold a limit.
#[derive(Debug, Clone, PartialEq)]
pub enum Holds {
    /// None: even a single user waits longer.
    Never,
    /// All: the response time does not grow with the load, as far as the fit says.
    Always,
    /// Those below this one.
    Below {
        /// The load at which the mean response time reaches the limit.
        load: f64,
        /// Its interval.
        load_interval: Option<Interval>,
        /// The highest throughput within the limit: that at the load, or that of the peak if it lies before it.
        throughput: f64,
        /// Its interval.
        throughput_interval: Option<Interval>,
        /// Whether the peak comes first: beyond it, throughput falls although the limit still holds.
        is_at_peak: bool,
        /// Whether the load lies outside those that were measured.
        is_extrapolated: bool,
    },
}

impl Headroom {
    /// The headroom below a mean response time, in the unit of time of the throughput.
    pub fn of(fit: &Fit, response: f64) -> Self {
        Self { response, holds: holds(fit, response) }
    }

    /// The highest throughput within the limit.
    pub fn throughput(&self) -> Option<(f64, Option<Interval>)> {
        match self.holds {
            Holds::Below { throughput, throughput_interval, .. } => Some((throughput, throughput_interval)),
            Holds::Never | Holds::Always => None,
        }
    }
}

fn holds(fit: &Fit, response: f64) -> Holds {
    let model = fit.model;
    if response <= model.response(1.0) {
        return Holds::Never;
    }
    let Some(load) = model.load_at_response(response) else { return Holds::Always };
    // R is N/X, so that at a given load dR = −R/X · dX, and the load moves by −dR over R's own slope.
    let slope = (model.alpha + model.beta * (2.0 * load - 1.0)) / model.gamma;
    let by_throughput = response / model.throughput(load) / slope;
    let of_load = gradient(model, load).map(|of| of * by_throughput);
    let peak = fit.peak().filter(|peak| peak.load < load);
    let (throughput, throughput_interval) = match peak {
        Some(peak) => (peak.throughput, fit.interval(peak.throughput, gradient(model, peak.load))),
        // Along the limit X = N/R.
        None => (load / response, fit.interval(load / response, of_load.map(|of| of / response))),
    };
    Holds::Below {
        load,
        load_interval: fit.interval(load, of_load),
        throughput,
        throughput_interval,
        is_at_peak: peak.is_some(),
        is_extrapolated: !fit.range().contains(peak.map_or(load, |peak| peak.load)),
    }
}

/// Growth by the same factor each month.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growth {
    /// The throughput at present.
    pub from: f64,
    /// By which share it grows per month; above 0.
    pub per_month: f64,
}

impl Growth {
    /// After how many months the throughput is `until`; 0 if it already is.
    pub fn months(self, until: f64) -> f64 {
        ((until / self.from).ln() / self.per_month.ln_1p()).max(0.0)
    }

    /// The same for the ends of an interval.
    pub fn months_between(self, of: Interval) -> Interval {
        Interval { low: self.months(of.low.max(f64::MIN_POSITIVE)), high: self.months(of.high) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::Point;

    fn fit(rows: &[(f64, f64)]) -> Fit {
        let point =
            |(load, throughput): &(f64, f64)| Point { load: *load, throughput: *throughput, latency: None };
        Fit::of(rows.iter().map(point).collect()).unwrap()
    }

    /// The exact data of the R package's test of coefficients, with a disturbance.
    fn synthetic() -> Fit {
        fit(&[(1.0, 1.0), (2.0, 1.8868), (4.0, 3.0769), (6.0, 3.5294), (8.0, 3.5398), (10.0, 3.3557)])
    }

    #[test]
    fn the_limit_holds_up_to_the_load_with_that_response_time() {
        let fit = synthetic();
        let of = Headroom::of(&fit, 1.5);
        let Holds::Below { load, load_interval, throughput, is_at_peak, is_extrapolated, .. } = of.holds
        else {
            panic!("{of:?}")
        };
        assert!((fit.model.response(load) - 1.5).abs() < 1e-12);
        assert!((throughput - fit.model.throughput(load)).abs() < 1e-12);
        assert!(load_interval.unwrap().contains(load) && !is_at_peak && !is_extrapolated);
        // R(10) is about 2.98: the peak at 7 comes first.
        let Holds::Below { throughput, is_at_peak, .. } = Headroom::of(&fit, 2.9).holds else { panic!() };
        assert!(is_at_peak && (throughput - 3.571_409).abs() < 1e-6);
        assert_eq!(Headroom::of(&fit, 0.9).holds, Holds::Never);
        let linear = self::fit(&[(1.0, 10.0), (2.0, 20.0), (3.0, 30.0), (4.0, 40.0)]);
        assert_eq!(Headroom::of(&linear, 0.2).holds, Holds::Always);
    }

    #[test]
    fn intervals_are_those_of_a_small_change_of_each_parameter() {
        // The derivative of the load by each parameter, by differences.
        let fit = synthetic();
        let at = |change: [f64; 3]| {
            let [alpha, beta, gamma] = change;
            let mut model = fit.model;
            (model.alpha, model.beta, model.gamma) =
                (model.alpha + alpha, model.beta + beta, model.gamma + gamma);
            model.load_at_response(1.5).unwrap()
        };
        let step = 1e-7;
        let slope = [[step, 0.0, 0.0], [0.0, step, 0.0], [0.0, 0.0, step]]
            .map(|of| (at(of) - at(of.map(|of| -of))) / (2.0 * step));
        let expected = fit.interval(at([0.0; 3]), slope).unwrap();
        let Holds::Below { load_interval, .. } = Headroom::of(&fit, 1.5).holds else { panic!() };
        let found = load_interval.unwrap();
        let width = expected.high - expected.low;
        assert!(
            (found.low - expected.low).abs() < 1e-4 * width
                && (found.high - expected.high).abs() < 1e-4 * width
        );
    }

    #[test]
    fn growth_reaches_a_throughput_after_so_many_months() {
        let growth = Growth { from: 100.0, per_month: 0.1 };
        assert!((growth.months(121.0) - 2.0).abs() < 1e-12);
        assert_eq!(growth.months(50.0).to_bits(), 0f64.to_bits());
        let between = growth.months_between(Interval { low: -5.0, high: 110.0 });
        assert!(between.low.abs() < 1e-12 && (between.high - 1.0).abs() < 1e-12);
    }
}
