//! The law fitted to measurements, with intervals.
//!
//! Least squares within α, β ∈ [0, 1] and γ ≥ 0. Intervals are Student's, with n − 3 degrees of freedom, from the covariance
//! `s² (JᵀJ)⁻¹` at the solution (G. Seber, C. Wild, Nonlinear Regression, 1989, 5.1); those of peaks and curves follow by the
//! delta method. A parameter at its bound keeps its interval, as if it were free: it says how far the data allow it to be
//! from there. R's package `usl` takes a one-sided quantile with n − 1 degrees instead, which is too narrow by far.

use crate::least_squares::{Group, fit, gradient};
use crate::matrix::{Matrix, Three, dot, inverse, times};
use crate::usl::Usl;
use base::number::count;
use base::stats::student;
use std::cmp::Ordering;

/// The coverage of all intervals.
pub const LEVEL: f64 = 0.95;
/// Measurements below which three parameters have no interval.
const LEAST_POINTS: usize = 4;
/// Different loads below which three parameters have no unique value.
const LEAST_LOADS: usize = 3;
/// Measurements below which a fit says so.
const USUAL_POINTS: usize = 6;

/// One measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Concurrency: users, connections, threads or CPU cores; above 0.
    pub load: f64,
    /// Requests per unit of time, at least 0.
    pub throughput: f64,
    /// The mean response time, in a unit that [`little`](crate::little) finds.
    pub latency: Option<f64>,
}

/// An interval of [`LEVEL`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Interval {
    /// Whether it contains a value.
    pub fn contains(self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// The highest throughput.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// At which load, a real number.
    pub load: f64,
    /// How much.
    pub throughput: f64,
    /// The interval of the load.
    pub load_interval: Option<Interval>,
    /// The interval of the throughput.
    pub throughput_interval: Option<Interval>,
}

/// Why there is no fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// Fewer measurements than a fit needs.
    #[error(
        "expected at least 4 measurements for a fit of 3 parameters with intervals, found {0}: measure at more loads"
    )]
    TooFew(usize),
    /// Too many measurements at the same loads.
    #[error(
        "expected measurements at 3 or more different loads, found {0}: at fewer, contention and coherency look the same"
    )]
    SameLoads(usize),
    /// Nothing was answered.
    #[error("expected a throughput above 0, found only 0")]
    NoThroughput,
}

/// The law fitted to measurements.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// The parameters.
    pub model: Usl,
    /// The measurements, by load.
    pub points: Vec<Point>,
    /// How many different loads they have.
    pub loads: usize,
    /// The sum of the squared residuals.
    pub squares: f64,
    /// Measurements less parameters.
    pub degrees: usize,
    /// `(JᵀJ)⁻¹`. `None` if the data do not determine the parameters.
    inverse: Option<Matrix>,
    /// The critical value of Student's distribution.
    critical: f64,
}

impl Fit {
    /// Fits the law. Loads must be finite and above 0, throughputs finite and at least 0, as [`read`](crate::read) makes sure.
    pub fn of(mut points: Vec<Point>) -> Result<Self, FitError> {
        let order = |one: &Point, other: &Point| {
            one.load.total_cmp(&other.load).then(one.throughput.total_cmp(&other.throughput))
        };
        points.sort_by(order);
        let Some(degrees) = points.len().checked_sub(3).filter(|_| points.len() >= LEAST_POINTS) else {
            return Err(FitError::TooFew(points.len()));
        };
        let groups: Vec<Group> = points
            .chunk_by(|one, other| one.load.total_cmp(&other.load) == Ordering::Equal)
            .map(|of| Group {
                load: of.first().map_or(0.0, |of| of.load),
                mean: of.iter().map(|of| of.throughput).sum::<f64>() / count(of.len()),
                weight: count(of.len()),
            })
            .collect();
        if groups.len() < LEAST_LOADS {
            return Err(FitError::SameLoads(groups.len()));
        }
        if !points.iter().any(|of| of.throughput > 0.0) {
            return Err(FitError::NoThroughput);
        }
        let model = fit(&groups);
        let mut normal: Matrix = [[0.0; 3]; 3];
        for of in &groups {
            let row = gradient(model, of.load);
            for (line, by) in normal.iter_mut().zip(row) {
                for (entry, other) in line.iter_mut().zip(row) {
                    *entry += of.weight * by * other;
                }
            }
        }
        let residuals = points.iter().map(|of| of.throughput - model.throughput(of.load));
        Ok(Self {
            model,
            loads: groups.len(),
            squares: residuals.map(|of| of * of).sum(),
            degrees,
            inverse: inverse(normal),
            critical: student::threshold(1.0 - LEVEL, count(degrees)),
            points,
        })
    }

    /// The residual standard error: by how much measurements are beside the curve.
    pub fn residual_error(&self) -> f64 {
        (self.squares / count(self.degrees)).sqrt()
    }

    /// What a measurement is above the curve.
    pub fn residual(&self, of: &Point) -> f64 {
        of.throughput - self.model.throughput(of.load)
    }

    /// The standard error of a function of the parameters with this gradient.
    fn error(&self, gradient: Three) -> Option<f64> {
        let variance = dot(gradient, times(self.inverse?, gradient));
        Some(variance.max(0.0).sqrt() * self.residual_error()).filter(|error| error.is_finite())
    }

    /// The interval of a function of the parameters, by the delta method.
    pub(crate) fn interval(&self, value: f64, gradient: Three) -> Option<Interval> {
        let half = self.error(gradient)? * self.critical;
        Some(Interval { low: value - half, high: value + half })
    }

    /// The standard errors of α, β and γ. `None` if the data do not determine them.
    pub fn standard_errors(&self) -> Option<[f64; 3]> {
        let of = |gradient| self.error(gradient);
        Some([of([1.0, 0.0, 0.0])?, of([0.0, 1.0, 0.0])?, of([0.0, 0.0, 1.0])?])
    }

    /// The intervals of α, β and γ. They may reach beyond the bounds of the parameters.
    pub fn intervals(&self) -> Option<[Interval; 3]> {
        let Usl { alpha, beta, gamma } = self.model;
        Some([
            self.interval(alpha, [1.0, 0.0, 0.0])?,
            self.interval(beta, [0.0, 1.0, 0.0])?,
            self.interval(gamma, [0.0, 0.0, 1.0])?,
        ])
    }

    /// Whether the data show that throughput has a maximum: the interval of β does not contain 0.
    pub fn is_identified(&self) -> bool {
        self.intervals().is_some_and(|[_, beta, _]| beta.low > 0.0)
    }

    /// The peak. `None` if β is 0. Its intervals are left out if it is not identified, since the delta method says nothing there.
    pub fn peak(&self) -> Option<Peak> {
        let load = self.model.peak_load()?;
        let Usl { alpha, beta, .. } = self.model;
        let throughput = self.model.throughput(load);
        let slope = [-load / (2.0 * (1.0 - alpha)), -load / (2.0 * beta), 0.0];
        let is_identified = self.is_identified();
        let kept = |of: Option<Interval>| of.filter(|of| is_identified && of.low.is_finite());
        Some(Peak {
            load,
            throughput,
            load_interval: kept(self.interval(load, slope)),
            // At a maximum, the load's own change does not count.
            throughput_interval: kept(self.interval(throughput, gradient(self.model, load))),
        })
    }

    /// The smallest and the largest load that was measured.
    pub fn range(&self) -> Interval {
        let of = |point: Option<&Point>| point.map_or(0.0, |of| of.load);
        Interval { low: of(self.points.first()), high: of(self.points.last()) }
    }

    /// Whether the peak lies outside the loads that were measured.
    pub fn is_extrapolated(&self) -> bool {
        self.model.peak_load().is_some_and(|load| !self.range().contains(load))
    }

    /// The interval of the curve at a load: where the mean of many measurements would be.
    pub fn band(&self, load: f64) -> Option<Interval> {
        self.interval(self.model.throughput(load), gradient(self.model, load))
    }

    /// What to know of the fit besides its figures, as sentences.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.points.len() < USUAL_POINTS {
            let text = format!(
                "There are {} measurements; {USUAL_POINTS} or more are usual. The intervals are as wide as that makes them.",
                self.points.len()
            );
            warnings.push(text);
        }
        if self.inverse.is_none() {
            warnings.push(
                "The measurements do not determine the three parameters: other values fit as well. Measure at more loads.".to_owned(),
            );
        }
        if self.degrees > 0 && self.squares == 0.0 {
            warnings.push("The measurements lie exactly on the curve, so that the intervals have no width. Measured data never do.".to_owned());
        }
        warnings
    }
}
