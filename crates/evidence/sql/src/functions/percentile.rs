//! `percentile` and its like, in time that grows with the number of values.
//!
//! SQLite sorts with a quicksort whose pivot is the median of three: values in an order that is made for it take time with
//! the square of their number, in a single call, so that a recording or a statement could hold a query for hours. Ours
//! select the value instead, whatever the order is. Results and errors are SQLite's.

use crate::limits::{Paused, may_have, note};
use base::number::saturated;
use rusqlite::functions::{Aggregate, Context, FunctionFlags, WindowAggregate};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, Result, ffi};

/// Values that there is room for at first, as SQLite has it.
const FIRST: usize = 250;

/// Puts our functions in the place of SQLite's.
pub(super) fn install(connection: &Connection) -> Result<()> {
    let all = [
        Percentile { name: "median", arguments: 1, most: 1.0, is_discrete: false },
        Percentile { name: "percentile", arguments: 2, most: 100.0, is_discrete: false },
        Percentile { name: "percentile_cont", arguments: 2, most: 1.0, is_discrete: false },
        Percentile { name: "percentile_disc", arguments: 2, most: 1.0, is_discrete: true },
    ];
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
    for of in all {
        connection.create_window_function(of.name, of.arguments, flags, of)?;
    }
    Ok(())
}

/// One of the functions.
#[derive(Debug, Clone, Copy)]
struct Percentile {
    name: &'static str,
    arguments: i32,
    /// The fraction that stands for the largest value.
    most: f64,
    /// Whether it is always one of the values, and not between two.
    is_discrete: bool,
}

/// The values of a group or a window.
#[derive(Debug, Default)]
struct Values {
    /// The fraction of 1 that is asked for, which all rows have in common.
    fraction: Option<f64>,
    /// In any order.
    values: Vec<f64>,
}

impl Values {
    /// Keeps a value, if the query may have the memory for it.
    fn push(&mut self, value: f64) -> Result<()> {
        if self.values.len() == self.values.capacity() {
            let more = self.values.len().max(FIRST);
            let no_memory = || Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_NOMEM), None);
            if !may_have(bytes(more)) {
                return Err(no_memory());
            }
            let before = self.values.capacity();
            self.values.try_reserve_exact(more).map_err(|_too_many| no_memory())?;
            let taken = self.values.capacity().saturating_sub(before);
            note(saturated(bytes(taken)));
        }
        self.values.push(value);
        Ok(())
    }

    /// The value at the fraction, or between the two next to it.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in a list, from a fraction of its length"
    )]
    fn at_fraction(&mut self, is_discrete: bool) -> Option<f64> {
        let last = self.values.len().checked_sub(1)?;
        let place = self.fraction? * last as f64;
        let below = (place as usize).min(last);
        let (_, value, above) = self.values.select_nth_unstable_by(below, f64::total_cmp);
        let (value, beyond) = (*value, place - below as f64);
        if is_discrete || beyond == 0.0 {
            return Some(value);
        }
        let next = above.iter().copied().min_by(f64::total_cmp).unwrap_or(value);
        Some(value + (next - value) * beyond)
    }
}

impl Drop for Values {
    fn drop(&mut self) {
        note(saturated(bytes(self.values.capacity())).saturating_neg());
    }
}

/// Bytes that so many values take.
fn bytes(values: usize) -> usize {
    values.saturating_mul(size_of::<f64>())
}

/// A value as an argument.
enum Given {
    Null,
    Number(f64),
    Other,
}

impl Percentile {
    fn error<T>(self, before: &str, after: &str) -> Result<T> {
        Err(Error::UserFunctionError(format!("{before} {}(){after}", self.name).into()))
    }

    /// The fraction of 1 that a row asks for.
    fn fraction(self, context: &Context<'_>) -> Result<f64> {
        if context.len() < 2 {
            return Ok(0.5);
        }
        let asked = match argument(context, 1) {
            ValueRef::Integer(value) => Some(as_real(value)),
            ValueRef::Real(value) => Some(value),
            // As SQLite reads a number in a text.
            ValueRef::Text(text) => std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok()),
            ValueRef::Null | ValueRef::Blob(_) => None,
        };
        let fraction = asked.map(|asked| asked / self.most).filter(|of| (0.0..=1.0).contains(of));
        let most = format!(" is not between 0.0 and {:.1}", self.most);
        fraction.map_or_else(|| self.error("the fraction argument to", &most), Ok)
    }
}

#[expect(clippy::cast_precision_loss, reason = "as SQLite makes a number with a fraction of one without")]
fn as_real(value: i64) -> f64 {
    value as f64
}

/// An argument; rusqlite takes a text that SQLite has no memory for as a fault of the program.
fn argument<'a>(context: &'a Context<'_>, at: usize) -> ValueRef<'a> {
    let _paused = Paused::begin();
    context.get_raw(at)
}

/// The value of a row.
fn value(context: &Context<'_>) -> Given {
    match argument(context, 0) {
        ValueRef::Null => Given::Null,
        ValueRef::Integer(value) => Given::Number(as_real(value)),
        ValueRef::Real(value) => Given::Number(value),
        ValueRef::Text(_) | ValueRef::Blob(_) => Given::Other,
    }
}

impl Aggregate<Values, Option<f64>> for Percentile {
    fn init(&self, _: &mut Context<'_>) -> Result<Values> {
        Ok(Values::default())
    }

    fn step(&self, context: &mut Context<'_>, of: &mut Values) -> Result<()> {
        /// How far the fractions of two rows may differ.
        const SAME: f64 = 0.001;
        let fraction = self.fraction(context)?;
        if (*of.fraction.get_or_insert(fraction) - fraction).abs() > SAME {
            return self.error("the fraction argument to", " is not the same for all input rows");
        }
        match value(context) {
            Given::Null => Ok(()),
            Given::Other => self.error("input to", " is not numeric"),
            Given::Number(value) if !value.is_finite() => self.error("Inf input to", ""),
            Given::Number(value) => of.push(value),
        }
    }

    fn finalize(&self, _: &mut Context<'_>, of: Option<Values>) -> Result<Option<f64>> {
        Ok(of.and_then(|mut of| of.at_fraction(self.is_discrete)))
    }
}

impl WindowAggregate<Values, Option<f64>> for Percentile {
    fn value(&self, of: Option<&mut Values>) -> Result<Option<f64>> {
        Ok(of.and_then(|of| of.at_fraction(self.is_discrete)))
    }

    fn inverse(&self, context: &mut Context<'_>, of: &mut Values) -> Result<()> {
        if let Given::Number(value) = value(context)
            && let Some(at) = of.values.iter().position(|of| of.total_cmp(&value).is_eq())
        {
            of.values.swap_remove(at);
        }
        Ok(())
    }
}
