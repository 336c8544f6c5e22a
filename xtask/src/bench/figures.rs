//! What all measurements need: the time of a piece of work, and the median of some figures.

use std::time::Instant;

/// Runs `work`; returns its result, and the seconds that it took.
#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
pub(super) fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed().as_secs_f64())
}

/// The median; of an even number of figures, the upper one of the two in the middle.
pub(super) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
