//! The rules, one module for each; causes come before what they cause.

mod errors;
mod generator_late;
mod not_steady;
mod saturated;
mod stalls;
mod timeouts;
mod too_short;

use crate::rule::Rule;
use report::{Measured, View};

/// Every rule, in the order of the documentation.
pub static RULES: &[&Rule] = &[
    &stalls::RULE,
    &saturated::RULE,
    &generator_late::RULE,
    &errors::RULE,
    &timeouts::RULE,
    &not_steady::RULE,
    &too_short::RULE,
];

/// The path of the tab that shows latency.
const LATENCY: &str = "/latency";
/// The path of the tab that shows rates.
const RATES: &str = "/rates";
/// The path of the tab that shows what failed.
const FAILURES: &str = "/failures";

const fn view(shows: &'static str, lane: &'static str, tab: &'static str) -> View {
    View { shows, lane, tab, metric: None }
}

/// A number that only explains, without a threshold.
fn explains(name: &'static str, value: f64, unit: &'static str) -> Measured {
    Measured { name, value, unit, threshold: None }
}
