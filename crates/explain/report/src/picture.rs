//! What pictures show that are of no table alone: counts over time and value, and curves.

/// How often which value occurred when.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatMap {
    /// The first time in it, in nanoseconds since the exhibit's start.
    pub from_ns: i64,
    /// The first time behind it.
    pub to_ns: i64,
    /// Unit of the values, as of a figure.
    pub unit: &'static str,
    /// Where there is anything, by time.
    pub cells: Vec<HeatCell>,
}

/// A stretch of time and of values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeatCell {
    /// When it begins.
    pub from_ns: i64,
    /// When it ends.
    pub to_ns: i64,
    /// The least value.
    pub low: f64,
    /// Where the next values begin.
    pub high: f64,
    /// How often such a value occurred then.
    pub count: u64,
}

/// Values by something else, in ascending order.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// What it is, for people.
    pub name: &'static str,
    /// The points: along, and up.
    pub points: Vec<(f64, f64)>,
}
