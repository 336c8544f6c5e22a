//! What a lane is.

use base::number::{count, real};

/// A subject over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Lane {
    /// Its id in addresses and scripts.
    pub id: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// The unit of its values. Empty for plain numbers.
    pub unit: &'static str,
    /// What plain numbers count: `threads`. Empty if the unit says enough.
    pub counts: &'static str,
    /// What it shows, in a sentence.
    pub about: &'static str,
    /// The table that its values come from.
    pub table: &'static str,
    /// The metric by which the stacks of its rows are summed up: a name that `stacks::Metric` takes. `None` without stacks.
    pub metric: Option<&'static str>,
    /// The share of each piece that was observed, from 0 to 1.
    pub observed: Vec<f64>,
    /// Its values.
    pub shape: LaneValues,
    /// The upper limit of the values, such as all CPU cores. `None` without one.
    pub full: Option<f64>,
    /// The second with the most rows, if the values are a rate of rows. The rate of a short piece is misleading: 16 exceptions
    /// within a millisecond are not 16,000 per second.
    pub busiest_second: Option<Busiest>,
    /// Rows of the range that are not in the values. A piece that was hardly observed has no rate, a request without an end has
    /// no latency, and of several pauses in one piece only the longest is kept.
    pub left_out: u64,
}

/// The values of a lane.
#[derive(Debug, Clone, PartialEq)]
pub enum LaneValues {
    /// A level per piece.
    Area {
        /// Whether layers are stacked. Otherwise they are drawn in front of each other, the largest in the back.
        stacked: bool,
        /// The layers, from the bottom or from the back.
        layers: Vec<Layer>,
    },
    /// Stretches of time, in order.
    Spans(Vec<Stretch>),
    /// A count per piece. `None` if the piece was not observed.
    Marks(Vec<Option<u32>>),
}

/// A level over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Its name.
    pub name: &'static str,
    /// A value per piece. `None` if the piece was not observed, or if nothing in it has such a value.
    pub values: Vec<Option<f64>>,
}

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// When it begins.
    pub from_ns: i64,
    /// How long it lasts.
    pub dur_ns: i64,
    /// Its kind.
    pub class: &'static str,
}

/// The second with the most rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Busiest {
    /// How many rows it has.
    pub rows: usize,
    /// The time from the first row to the last.
    pub within_ns: i64,
}

impl Busiest {
    /// Whether the rows happened at once and not over the whole second.
    pub fn is_at_once(&self) -> bool {
        const AT_ONCE_NS: i64 = 100_000_000;
        self.rows > 1 && self.within_ns < AT_ONCE_NS
    }
}

impl Lane {
    /// The largest value: the sum of stacked layers, or the nanoseconds of a stretch.
    pub fn most(&self) -> Option<f64> {
        match &self.shape {
            LaneValues::Area { .. } => self.levels().flatten().max_by(f64::total_cmp),
            LaneValues::Spans(spans) => spans.iter().map(|of| real(of.dur_ns)).max_by(f64::total_cmp),
            LaneValues::Marks(counts) => counts.iter().flatten().max().copied().map(f64::from),
        }
    }

    /// The last value. `None` for stretches.
    pub fn last(&self) -> Option<f64> {
        match &self.shape {
            LaneValues::Area { .. } => self.levels().flatten().last(),
            LaneValues::Spans(_) => None,
            LaneValues::Marks(counts) => counts.iter().flatten().last().copied().map(f64::from),
        }
    }

    /// The mean of an area over the observed time, otherwise the number of stretches or marks.
    pub fn mean_or_total(&self) -> Option<f64> {
        match &self.shape {
            LaneValues::Area { .. } => {
                let known = self.levels().zip(&self.observed);
                let known = known.filter_map(|(level, share)| Some((level?, *share)));
                let (sum, weight) =
                    known.fold((0.0, 0.0), |sum, (level, share)| (sum.0 + level * share, sum.1 + share));
                (weight > 0.0).then(|| sum / weight)
            }
            LaneValues::Spans(spans) => Some(count(spans.len())),
            LaneValues::Marks(counts) => {
                let known = counts.iter().flatten();
                known.clone().next().map(|_| known.map(|of| f64::from(*of)).sum())
            }
        }
    }

    /// The height of an area in each piece.
    pub fn levels(&self) -> impl Iterator<Item = Option<f64>> + '_ {
        let (stacked, layers) = match &self.shape {
            LaneValues::Area { stacked, layers } => (*stacked, layers.as_slice()),
            LaneValues::Spans(_) | LaneValues::Marks(_) => (false, [].as_slice()),
        };
        // Spans and marks have no layers.
        let pieces = layers.iter().map(|layer| layer.values.len()).max().unwrap_or(0);
        (0..pieces).map(move |at| {
            let values = layers.iter().filter_map(|layer| layer.values.get(at).copied().flatten());
            values.reduce(|a, b| if stacked { a + b } else { a.max(b) })
        })
    }

    /// Whether any piece has anything to show.
    pub(crate) fn has_values(&self) -> bool {
        match &self.shape {
            LaneValues::Area { layers, .. } => layers.iter().any(|of| of.values.iter().any(Option::is_some)),
            LaneValues::Spans(spans) => !spans.is_empty(),
            LaneValues::Marks(counts) => counts.iter().any(Option::is_some),
        }
    }
}
