//! What a lane consists of.

use base::number::{count, real};

/// A subject over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Lane {
    /// Its name in addresses and scripts.
    pub id: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// The unit of its values; empty for plain numbers.
    pub unit: &'static str,
    /// What it shows, in a sentence.
    pub about: &'static str,
    /// The table that it is made of.
    pub table: &'static str,
    /// What its stacks are summed up by, where they tell more: a name that `stacks::Metric` takes.
    pub metric: Option<&'static str>,
    /// The share of each piece that was observed, from 0 to 1.
    pub observed: Vec<f64>,
    /// Its values.
    pub shape: Shape,
    /// The most rows in any second, if the values are a rate of rows. The rate of a short piece says little: 16 exceptions
    /// within a millisecond are not 16,000 per second.
    pub busiest_second: Option<Busiest>,
    /// Rows of the range that are not in the values: a piece that was hardly observed gives no rate, a request without
    /// an end has no latency, a short pause beside a long one in the same piece is not kept.
    pub left_out: u64,
}

/// The values of a lane.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A level a piece.
    Area {
        /// Whether layers stand on each other; otherwise they lie in front of each other, the largest behind.
        stacked: bool,
        /// The layers, the lowest or rearmost first.
        layers: Vec<Layer>,
    },
    /// Stretches of time, in their order.
    Spans(Vec<Stretch>),
    /// A count a piece; none where nothing was observed.
    Marks(Vec<Option<u32>>),
}

/// A level over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// What it is.
    pub name: &'static str,
    /// A value a piece; none where it was not observed, or where nothing happened that has such a value.
    pub values: Vec<Option<f64>>,
}

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// From.
    pub from_ns: i64,
    /// How long.
    pub dur_ns: i64,
    /// What kind it is of.
    pub class: &'static str,
}

/// The second with the most rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Busiest {
    /// How many rows.
    pub rows: usize,
    /// From the first of them to the last.
    pub within_ns: i64,
}

impl Busiest {
    /// Whether they happened at once rather than over the second.
    pub fn is_at_once(&self) -> bool {
        const AT_ONCE_NS: i64 = 100_000_000;
        self.rows > 1 && self.within_ns < AT_ONCE_NS
    }
}

impl Lane {
    /// The largest value: of stacked layers together, of stretches in nanoseconds.
    pub fn most(&self) -> Option<f64> {
        match &self.shape {
            Shape::Area { .. } => self.levels().flatten().max_by(f64::total_cmp),
            Shape::Spans(spans) => spans.iter().map(|of| real(of.dur_ns)).max_by(f64::total_cmp),
            Shape::Marks(counts) => counts.iter().flatten().max().copied().map(f64::from),
        }
    }

    /// The last value there is; none of stretches.
    pub fn last(&self) -> Option<f64> {
        match &self.shape {
            Shape::Area { .. } => self.levels().flatten().last(),
            Shape::Spans(_) => None,
            Shape::Marks(counts) => counts.iter().flatten().last().copied().map(f64::from),
        }
    }

    /// The mean over the observed time of an area; how many there are of anything else.
    pub fn mean_or_total(&self) -> Option<f64> {
        match &self.shape {
            Shape::Area { .. } => {
                let known = self.levels().zip(&self.observed);
                let known = known.filter_map(|(level, share)| Some((level?, *share)));
                let (sum, weight) =
                    known.fold((0.0, 0.0), |sum, (level, share)| (sum.0 + level * share, sum.1 + share));
                (weight > 0.0).then(|| sum / weight)
            }
            Shape::Spans(spans) => Some(count(spans.len())),
            Shape::Marks(counts) => {
                let known = counts.iter().flatten();
                known.clone().next().map(|_| known.map(|of| f64::from(*of)).sum())
            }
        }
    }

    /// The height of an area in each piece.
    pub fn levels(&self) -> impl Iterator<Item = Option<f64>> + '_ {
        let (stacked, layers) = match &self.shape {
            Shape::Area { stacked, layers } => (*stacked, layers.as_slice()),
            Shape::Spans(_) | Shape::Marks(_) => (false, [].as_slice()),
        };
        let pieces = layers.iter().map(|layer| layer.values.len()).max().unwrap_or(0);
        (0..pieces).map(move |at| {
            let values = layers.iter().filter_map(|layer| layer.values.get(at).copied().flatten());
            values.reduce(|a, b| if stacked { a + b } else { a.max(b) })
        })
    }

    /// Whether any piece has anything to show.
    pub(crate) fn has_values(&self) -> bool {
        match &self.shape {
            Shape::Area { layers, .. } => layers.iter().any(|of| of.values.iter().any(Option::is_some)),
            Shape::Spans(spans) => !spans.is_empty(),
            Shape::Marks(counts) => counts.iter().any(Option::is_some),
        }
    }
}
