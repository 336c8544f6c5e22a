//! The parameters with the least sum of squares, within their bounds.
//!
//! Damped Newton steps (K. Levenberg 1944, D. Marquardt 1963, with the exact second derivatives) over the parameters that are
//! free; one at a bound whose gradient points out of the box is held exactly there (D. Bertsekas, Projected Newton Methods,
//! 1982). A sum of squares says little about the last digits, since it changes with the square of an error. So undamped steps
//! follow until they no longer become shorter, which takes the parameters to about 1e-12 of their size.

use crate::matrix::{Matrix, Three, solve};
use crate::usl::Usl;

/// All measurements at one load: what their sum of squares depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Group {
    pub(crate) load: f64,
    pub(crate) mean: f64,
    /// How many measurements.
    pub(crate) weight: f64,
}

/// The bounds: those of the R package `usl`.
const LOW: Three = [0.0, 0.0, 0.0];
const HIGH: Three = [1.0, 1.0, f64::INFINITY];
/// Contention from which the descent begins.
const STARTS: [f64; 5] = [0.0, 0.01, 0.1, 0.4, 0.8];
/// The descents that are made, from the starts with the least sums.
const DESCENTS: usize = 6;
/// The same for tables of many loads, whose sums have one low place.
const DESCENTS_OF_MANY: usize = 2;
/// Loads from which a table has many.
const MANY: usize = 1_000;
/// A step that is shorter, relative to each parameter, is left to [`polish`].
const SHORT: f64 = 1e-9;
/// A descent takes some 20 steps.
const MAX_STEPS: usize = 300;
/// Beyond this the steps are too short to change anything.
const MAX_DAMPING: f64 = 1e18;

/// The best parameters. Throughputs must be finite, with one above 0, and loads above 0.
pub(crate) fn fit(groups: &[Group]) -> Usl {
    // In units of the largest, so that squares neither overflow nor vanish.
    let unit = groups.iter().map(|of| of.mean).fold(f64::MIN_POSITIVE, f64::max);
    let scaled: Vec<Group> = groups.iter().map(|of| Group { mean: of.mean / unit, ..*of }).collect();
    let mut starts: Vec<(f64, Three)> =
        starts(&scaled).into_iter().map(|at| (Slope::of(&scaled, at).sum, at)).collect();
    starts.sort_by(|one, other| one.0.total_cmp(&other.0));
    let descents = if groups.len() < MANY { DESCENTS } else { DESCENTS_OF_MANY };
    let ends = starts.into_iter().take(descents).map(|(_, start)| descend(&scaled, start));
    let best = ends.min_by(|one, other| one.0.total_cmp(&other.0));
    let [alpha, beta, gamma] = polish(&scaled, best.map_or([0.0, 0.0, 1.0], |(_, at)| at));
    Usl { alpha, beta, gamma: gamma * unit }
}

/// Where descents begin: contentions with peaks at, beyond and before the last load, each with its best γ; and the solution of
/// the linear problem N/X.
fn starts(groups: &[Group]) -> Vec<Three> {
    let last = groups.iter().map(|of| of.load).fold(1.0, f64::max);
    let mut starts = Vec::new();
    for alpha in STARTS {
        for peak in [f64::INFINITY, last, last / 3.0] {
            starts.push([alpha, ((1.0 - alpha) / (peak * peak)).clamp(0.0, 1.0)]);
        }
    }
    starts.extend(linear(groups));
    starts.into_iter().map(|[alpha, beta]| [alpha, beta, best_gamma(groups, alpha, beta)]).collect()
}

/// α and β of the least squares of N/X, which is linear in 1/γ, α/γ and β/γ. Weights make an error of X what it is in X.
fn linear(groups: &[Group]) -> Option<[f64; 2]> {
    let (mut matrix, mut vector): (Matrix, Three) = ([[0.0; 3]; 3], [0.0; 3]);
    for of in groups.iter().filter(|of| of.mean > 0.0) {
        let row = [1.0, of.load - 1.0, of.load * (of.load - 1.0)];
        let weight = of.weight * (of.mean * of.mean / of.load).powi(2);
        add(&mut matrix, &mut vector, row, weight, of.load / of.mean);
    }
    let [inverse, alpha, beta] = solve(matrix, vector)?;
    let clamped = [alpha / inverse, beta / inverse].map(|of| of.clamp(0.0, 1.0));
    clamped.iter().all(|of| of.is_finite()).then_some(clamped)
}

/// Adds an equation, `row · x = value`, to a least-squares problem.
fn add(matrix: &mut Matrix, vector: &mut Three, row: Three, weight: f64, value: f64) {
    for ((of, line), sum) in row.iter().zip(matrix.iter_mut()).zip(vector.iter_mut()) {
        *sum += weight * of * value;
        for (entry, other) in line.iter_mut().zip(row) {
            *entry += weight * of * other;
        }
    }
}

/// Throughput is proportional to γ, so that its best value has a formula.
fn best_gamma(groups: &[Group], alpha: f64, beta: f64) -> f64 {
    let one = Usl { alpha, beta, gamma: 1.0 };
    let sums = groups.iter().fold((0.0, 0.0), |(both, square), of| {
        let shape = one.throughput(of.load);
        (both + of.weight * shape * of.mean, square + of.weight * shape * shape)
    });
    sums.0 / sums.1
}

/// The sum of squares at a place, with its derivatives.
struct Slope {
    sum: f64,
    gradient: Three,
    /// The second derivatives without those of the model, which is never indefinite.
    normal: Matrix,
    /// All second derivatives.
    hessian: Matrix,
}

impl Slope {
    fn of(groups: &[Group], [alpha, beta, gamma]: Three) -> Self {
        let mut slope = Self { sum: 0.0, gradient: [0.0; 3], normal: [[0.0; 3]; 3], hessian: [[0.0; 3]; 3] };
        let model = Usl { alpha, beta, gamma };
        for of in groups {
            let row = gradient(model, of.load);
            let error = model.throughput(of.load) - of.mean;
            slope.sum += of.weight * error * error;
            add(&mut slope.normal, &mut slope.gradient, row, of.weight, error);
            let second = second_derivatives(model, of.load);
            for (line, of_line) in slope.hessian.iter_mut().zip(second) {
                for (entry, of_entry) in line.iter_mut().zip(of_line) {
                    *entry += of.weight * error * of_entry;
                }
            }
        }
        for (line, of_line) in slope.hessian.iter_mut().zip(slope.normal) {
            for (entry, of_entry) in line.iter_mut().zip(of_line) {
                *entry += of_entry;
            }
        }
        slope
    }

    /// The Newton step over the free parameters, damped. `None` if the matrix is not positive definite.
    fn step(&self, free: [bool; 3], damping: f64) -> Option<Three> {
        let mut matrix = self.hessian;
        for (at, line) in matrix.iter_mut().enumerate() {
            for (column, entry) in line.iter_mut().enumerate() {
                let is_free = |at: usize| free.get(at) == Some(&true);
                let of_normal =
                    self.normal.get(at).and_then(|of| of.get(column)).copied().unwrap_or_default();
                if !is_free(at) || !is_free(column) {
                    *entry = f64::from(u8::from(at == column));
                } else if at == column {
                    *entry += damping * of_normal;
                }
            }
        }
        let mut vector = self.gradient.map(|of| -of);
        for (of, is_free) in vector.iter_mut().zip(free) {
            *of = if is_free { *of } else { 0.0 };
        }
        solve(matrix, vector)
    }

    /// Which parameters may move: all but those at a bound beyond which the sum would fall.
    fn free(&self, at: Three) -> [bool; 3] {
        let mut free = [true; 3];
        let bounds = LOW.into_iter().zip(HIGH);
        for (((free, value), slope), (low, high)) in free.iter_mut().zip(at).zip(self.gradient).zip(bounds) {
            *free = !(value <= low && slope >= 0.0 || value >= high && slope <= 0.0);
        }
        free
    }
}

/// The derivatives of X(N) by α, β and γ.
pub(crate) fn gradient(model: Usl, load: f64) -> Three {
    let [u, v] = [load - 1.0, load * (load - 1.0)];
    let share = model.efficiency(load);
    let by_slowdown = -model.gamma * load * share * share;
    [by_slowdown * u, by_slowdown * v, load * share]
}

fn second_derivatives(model: Usl, load: f64) -> Matrix {
    let [u, v] = [load - 1.0, load * (load - 1.0)];
    let share = model.efficiency(load);
    let twice = 2.0 * model.gamma * load * share * share * share;
    let once = -load * share * share;
    [
        [twice * u * u, twice * u * v, once * u],
        [twice * u * v, twice * v * v, once * v],
        [once * u, once * v, 0.0],
    ]
}

/// A place moved by a step, within the bounds.
fn moved(at: Three, step: Three) -> Three {
    let mut moved = at;
    for (((to, step), low), high) in moved.iter_mut().zip(step).zip(LOW).zip(HIGH) {
        *to = (*to + step).clamp(low, high);
    }
    moved
}

/// The length of a step, as the largest share of a parameter by which it moves one.
fn length(at: Three, step: Three) -> f64 {
    let size = |(of, step): (f64, f64)| (step / of.abs().max(1e-300)).abs();
    at.into_iter().zip(step).filter(|(_, step)| *step != 0.0).map(size).fold(0.0, f64::max)
}

/// Goes downhill until no step makes the sum less.
fn descend(groups: &[Group], start: Three) -> (f64, Three) {
    let (mut at, mut damping) = (start, 1e-3);
    let mut slope = Slope::of(groups, at);
    for _ in 0..MAX_STEPS {
        let step = slope.step(slope.free(at), damping);
        if step.is_some_and(|step| length(at, step) < SHORT) {
            break;
        }
        let to = step.map(|step| moved(at, step));
        let next = to.map(|to| (to, Slope::of(groups, to)));
        match next.filter(|(_, next)| next.sum < slope.sum) {
            Some((to, next)) => {
                (at, slope) = (to, next);
                damping = if damping < 1e-9 { 0.0 } else { damping / 10.0 };
            }
            None if damping > MAX_DAMPING => break,
            None => damping = (damping * 10.0).max(1e-6),
        }
    }
    (slope.sum, at)
}

/// Newton steps without damping, as long as each is shorter than the one before.
fn polish(groups: &[Group], start: Three) -> Three {
    let (mut at, mut before) = (start, f64::INFINITY);
    for _ in 0..50 {
        let slope = Slope::of(groups, at);
        let Some(step) = slope.step(slope.free(at), 0.0) else { break };
        let length = length(at, step);
        // A long step would leave the minimum that the descent has chosen.
        if length >= before / 2.0 || length > 0.1 {
            break;
        }
        (at, before) = (moved(at, step), length);
    }
    at
}
