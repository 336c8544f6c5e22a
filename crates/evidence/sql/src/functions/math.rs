//! Functions of numbers, as SQLite's own: <https://sqlite.org/lang_mathfunc.html>.
//!
//! An argument that is not a number, nor a text that reads as one, gives null, and so does a result that is not a number.

use crate::call::{Call, Function, Number, Outcome, define};
use rusqlite::{Connection, Result};
use std::ffi::CStr;

/// Makes the functions known.
pub(super) fn install(connection: &Connection) -> Result<()> {
    let all: [(&'static CStr, i32, Function); 30] = [
        (c"acos", 1, |call| real(call, f64::acos)),
        (c"acosh", 1, |call| real(call, f64::acosh)),
        (c"asin", 1, |call| real(call, f64::asin)),
        (c"asinh", 1, |call| real(call, f64::asinh)),
        (c"atan", 1, |call| real(call, f64::atan)),
        (c"atan2", 2, |call| real_of_two(call, f64::atan2)),
        (c"atanh", 1, |call| real(call, f64::atanh)),
        (c"ceil", 1, |call| whole(call, f64::ceil)),
        (c"ceiling", 1, |call| whole(call, f64::ceil)),
        (c"cos", 1, |call| real(call, f64::cos)),
        (c"cosh", 1, |call| real(call, f64::cosh)),
        (c"degrees", 1, |call| real(call, f64::to_degrees)),
        (c"exp", 1, |call| real(call, f64::exp)),
        (c"floor", 1, |call| whole(call, f64::floor)),
        (c"ln", 1, |call| logarithm(call, f64::ln)),
        (c"log", 1, |call| logarithm(call, f64::log10)),
        (c"log", 2, logarithm_to_base),
        (c"log10", 1, |call| logarithm(call, f64::log10)),
        (c"log2", 1, |call| logarithm(call, f64::log2)),
        (c"mod", 2, |call| real_of_two(call, |x, y| x % y)),
        (c"pi", 0, |_| Outcome::Real(std::f64::consts::PI)),
        (c"pow", 2, |call| real_of_two(call, f64::powf)),
        (c"power", 2, |call| real_of_two(call, f64::powf)),
        (c"radians", 1, |call| real(call, f64::to_radians)),
        (c"sin", 1, |call| real(call, f64::sin)),
        (c"sinh", 1, |call| real(call, f64::sinh)),
        (c"sqrt", 1, |call| real(call, f64::sqrt)),
        (c"tan", 1, |call| real(call, f64::tan)),
        (c"tanh", 1, |call| real(call, f64::tanh)),
        (c"trunc", 1, |call| whole(call, f64::trunc)),
    ];
    for (name, arguments, function) in all {
        define(connection, name, arguments, function)?;
    }
    Ok(())
}

fn as_real(number: Number) -> f64 {
    match number {
        Number::Int(value) => base::number::real(value),
        Number::Real(value) => value,
    }
}

fn real(call: &Call<'_>, of: fn(f64) -> f64) -> Outcome {
    call.number(0).map_or(Outcome::Null, |number| Outcome::Real(of(as_real(number))))
}

fn real_of_two(call: &Call<'_>, of: fn(f64, f64) -> f64) -> Outcome {
    match (call.number(0), call.number(1)) {
        (Some(x), Some(y)) => Outcome::Real(of(as_real(x), as_real(y))),
        _ => Outcome::Null,
    }
}

/// An integer stays one.
fn whole(call: &Call<'_>, of: fn(f64) -> f64) -> Outcome {
    match call.number(0) {
        Some(Number::Int(value)) => Outcome::Int(value),
        Some(Number::Real(value)) => Outcome::Real(of(value)),
        None => Outcome::Null,
    }
}

/// Null for a number that is not positive.
fn logarithm(call: &Call<'_>, of: fn(f64) -> f64) -> Outcome {
    let positive = call.number(0).map(as_real).filter(|value| *value > 0.0);
    positive.map_or(Outcome::Null, |value| Outcome::Real(of(value)))
}

/// `log(B, X)`: the logarithm of X to the base B. Null for a base up to 1, as in SQLite.
fn logarithm_to_base(call: &Call<'_>) -> Outcome {
    let positive = |at| call.number(at).map(as_real).filter(|value| *value > 0.0);
    match (positive(0).map(f64::ln).filter(|base| *base > 0.0), positive(1)) {
        (Some(base), Some(value)) => Outcome::Real(value.ln() / base),
        _ => Outcome::Null,
    }
}
