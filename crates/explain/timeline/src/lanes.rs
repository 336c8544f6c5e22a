//! The lanes: one module per subject.

pub(crate) mod compute;
pub(crate) mod events;
pub(crate) mod memory;
pub(crate) mod pool;
pub(crate) mod requests;

use crate::grid::{Grid, Spread};
use crate::lane::{Busiest, Lane, LaneValues, Layer};
use crate::observed::{Observed, Per, Pieces};
use crate::published;
use base::number::{count, real};
use model::{NO_INT, Sym, Trace};
use runtime::{known, metered_totals};

/// What every lane of a range is made from.
#[derive(Debug)]
pub(crate) struct Ground<'a> {
    pub(crate) recording: &'a Trace,
    pub(crate) grid: Grid,
    events: Observed,
    samples: Observed,
    /// Whether any events were recorded in bursts.
    in_bursts: bool,
}

/// What a lane is, apart from its values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) counts: &'static str,
    pub(crate) about: &'static str,
    pub(crate) table: &'static str,
    pub(crate) metric: Option<&'static str>,
}

impl Subject {
    /// The lane with these values. `None` without any value.
    pub(crate) fn lane(self, shape: LaneValues, observed: Vec<f64>, left_out: f64) -> Option<Lane> {
        let Self { id, title, unit, counts, about, table, metric } = self;
        let left_out = whole(left_out);
        let busiest_second = None;
        let full = None;
        let lane = Lane {
            id,
            title,
            unit,
            counts,
            about,
            table,
            metric,
            observed,
            shape,
            full,
            busiest_second,
            left_out,
        };
        lane.has_values().then_some(lane)
    }

    /// A lane with a single level.
    pub(crate) fn level(self, values: Vec<Option<f64>>, observed: Vec<f64>, left_out: f64) -> Option<Lane> {
        let layers = vec![Layer { name: self.title, values }];
        self.lane(LaneValues::Area { stacked: false, layers }, observed, left_out)
    }

    /// A lane of values that a counter published. Pieces with a value are observed.
    pub(crate) fn published(self, values: Vec<Option<f64>>) -> Option<Lane> {
        let observed = values.iter().map(|value| if value.is_some() { 1.0 } else { 0.0 }).collect();
        self.level(values, observed, 0.0)
    }
}

/// A sum of counts as an integer.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sums of counts, at least 0")]
fn whole(count: f64) -> u64 {
    count.round().max(0.0) as u64
}

/// The second with the most of these times. Takes time in proportion to their number.
fn busiest_second(ascending: &[i64]) -> Busiest {
    let mut first = 0;
    let mut most = Busiest::default();
    for (last, to) in ascending.iter().enumerate() {
        while ascending.get(first).is_some_and(|from| to.saturating_sub(*from) >= 1_000_000_000) {
            first += 1;
        }
        let (rows, from) = (last + 1 - first, ascending.get(first).copied().unwrap_or(*to));
        if rows > most.rows {
            most = Busiest { rows, within_ns: to.saturating_sub(from) };
        }
    }
    most
}

impl<'a> Ground<'a> {
    pub(crate) fn new(recording: &'a Trace, grid: Grid) -> Self {
        let [events, samples] = ["events", "samples"].map(|source| Observed::of(recording, source));
        let in_bursts = recording.came_in_bursts(std::iter::empty());
        Self { recording, grid, events, samples, in_bursts }
    }

    /// Whether such rows were recorded only with the samples, in bursts.
    pub(crate) fn is_in_bursts(&self, times: &[i64]) -> bool {
        self.in_bursts && self.recording.came_in_bursts(times.iter().copied())
    }

    /// The time in which such rows could be recorded: that of the samples if all rows came with them.
    pub(crate) fn observed(&self, times: &[i64]) -> &Observed {
        if self.is_in_bursts(times) { &self.samples } else { &self.events }
    }

    /// The time in which samples were taken.
    pub(crate) fn sampled(&self) -> &Observed {
        &self.samples
    }

    /// The rate of rows, from their times.
    pub(crate) fn rate(&self, subject: Subject, times: &[i64]) -> Option<Lane> {
        if times.is_empty() {
            return None;
        }
        let pieces = self.observed(times).in_pieces(&self.grid);
        let (values, left_out) = pieces.rates(&self.grid.counts(times), Per::Second);
        let lane = subject.level(values, pieces.shares(&self.grid), left_out)?;
        // A burst is too short to have a busiest second.
        let busiest_second = (!self.is_in_bursts(times))
            .then(|| busiest_second(times.get(self.grid.rows(times)).unwrap_or_default()));
        Some(Lane { busiest_second, ..lane })
    }

    /// How many things were under way on average, from the beginning and the length of each. Returns with it how much was
    /// observed, and how many rows of the range have no end.
    pub(crate) fn under_way(&self, times: &[i64], dur_ns: &[i64]) -> (Vec<Option<f64>>, Pieces, f64) {
        let observed = self.observed(times);
        let squeezed = observed.squeezed(&self.grid);
        let mut spread = Spread::new(&squeezed);
        let mut endless = 0usize;
        for (from, dur) in times.iter().zip(dur_ns) {
            match known(*dur) {
                Some(dur) => {
                    let to = from.saturating_add(dur.max(0));
                    spread.add(observed.before(*from), observed.before(to), 1.0);
                }
                None => endless += usize::from(self.grid.piece(*from).is_some()),
            }
        }
        let pieces = observed.in_pieces(&self.grid);
        let (values, _) = pieces.rates(&spread.finish(), Per::Nanosecond);
        (values, pieces, count(endless))
    }

    /// The mean rate of the first of several counters that is in the recording. Each is a name, a kind, and the factor that
    /// converts its values to the lane's unit.
    pub(crate) fn counted_rate(&self, counters: &[(&str, &str, f64)]) -> Option<Vec<Option<f64>>> {
        let (values, factor) = self.first_of(counters)?;
        let rates = published::intervals(&values).map(|of| of.with(of.value.max(0.0) * factor));
        Some(published::mean(&self.grid, rates))
    }

    /// The highest level of the first of several gauges that is in the recording, as in [`Self::counted_rate`].
    pub(crate) fn counted_level(&self, counters: &[(&str, &str, f64)]) -> Option<Vec<Option<f64>>> {
        let (values, factor) = self.first_of(counters)?;
        let values: Vec<_> = values.iter().map(|(ns, value)| (*ns, value.max(0.0) * factor)).collect();
        Some(published::gauge(&self.grid, &values))
    }

    fn first_of(&self, counters: &[(&str, &str, f64)]) -> Option<(Vec<(i64, f64)>, f64)> {
        let mut found =
            counters.iter().map(|(name, kind, factor)| (metered_totals(self.recording, name, kind), *factor));
        found.find(|(values, _)| !values.is_empty())
    }

    /// The last value in each piece, of values that hold until the next row.
    pub(crate) fn latest(&self, times: &[i64], column: &[i64]) -> Vec<Option<f64>> {
        let at = |row: usize| column.get(row).copied().filter(|value| *value != NO_INT).map(real);
        let first = self.grid.rows(times).start;
        let mut last = (0..first).rev().find_map(at);
        let pieces =
            self.grid.rows_of_pieces(times).zip(self.observed(times).in_pieces(&self.grid).into_seen());
        let values = pieces.map(|(rows, seen)| {
            last = rows.rev().find_map(at).or(last);
            last.filter(|_| seen)
        });
        values.collect()
    }
}

/// Words, by their symbols in a recording.
#[derive(Debug)]
pub(crate) struct Words {
    syms: Vec<Option<Sym>>,
}

impl Words {
    pub(crate) fn new(recording: &Trace, words: &[&str]) -> Self {
        Self { syms: words.iter().map(|word| recording.strings.find(word)).collect() }
    }

    /// The place of the word that a symbol stands for. `None` if it is another word.
    pub(crate) fn number(&self, sym: Sym) -> Option<usize> {
        self.syms.iter().position(|of| *of == Some(sym))
    }
}

/// Drops layers whose values are all 0. If that leaves none, the first layer stays.
pub(crate) fn without_empty(layers: Vec<Layer>) -> Vec<Layer> {
    let is_there = |layer: &Layer| layer.values.iter().flatten().any(|value| *value > 0.0);
    if layers.iter().any(is_there) {
        layers.into_iter().filter(is_there).collect()
    } else {
        layers.into_iter().take(1).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_exceptions_within_a_millisecond_are_not_a_rate() {
        let burst: Vec<i64> = (0..16).map(|at| 2_000_000_000 + at * 86_000).chain([9_000_000_000]).collect();
        let busiest = busiest_second(&burst);
        assert_eq!((busiest.rows, busiest.within_ns, busiest.is_at_once()), (16, 1_290_000, true));
        let spread: Vec<i64> = (0..16).map(|at| at * 60_000_000).collect();
        assert!(!busiest_second(&spread).is_at_once());
        assert!(!busiest_second(&[7]).is_at_once());
        assert_eq!(busiest_second(&[]), Busiest::default());
    }
}
