//! The rules, one module for each; causes come before what they cause.

mod errors;
mod generator_late;
mod not_steady;
mod saturated;
mod stalls;
mod timeouts;
mod too_short;

use crate::rule::Rule;

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
