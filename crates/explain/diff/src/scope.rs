//! A recording as it takes part: its observed time in pieces, and what amounts of each piece are divided by.

use crate::book::Quantity;
use crate::grid::Grid;
use crate::noise::Tally;
use crate::side::Side;
use base::number::{count, real, real_u64};
use model::{NO_INT, Sym, Trace};
use report::Basis;
use runtime::metered;
use rustc_hash::FxHashMap;

/// Where the number of requests comes from: the best that both recordings have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// Rows of the table of requests.
    Rows,
    /// Their starts, which are there without activity ids also.
    Starts,
    /// The meter.
    Meter,
}

impl Counted {
    const ALL: [Self; 3] = [Self::Rows, Self::Starts, Self::Meter];

    /// The best source that both have.
    pub(crate) fn of_both(before: &Trace, after: &Trace) -> Option<Self> {
        let has = |recording: &Trace, source: Self| source.times(recording).iter().any(|(_, of)| *of > 0.0);
        Self::ALL.into_iter().find(|source| has(before, *source) && has(after, *source))
    }

    /// When requests began (the meter: when it told of them), and how many.
    pub(crate) fn times(self, recording: &Trace) -> Vec<(i64, f64)> {
        match self {
            Self::Rows => recording.requests.start_ns.iter().map(|ns| (*ns, 1.0)).collect(),
            Self::Starts => {
                let marks = &recording.request_marks;
                let starts = marks.ts_ns.iter().zip(&marks.path).filter(|(_, path)| **path != Sym::NONE);
                starts.map(|(ns, _)| (*ns, 1.0)).collect()
            }
            Self::Meter => {
                let counts = metered(recording, crate::latency::METER, "count");
                counts.into_iter().filter(|of| of.value >= 0.0).map(|of| (of.ts_ns, of.value)).collect()
            }
        }
    }
}

/// Pieces of the time in which one source was recorded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Course {
    pub(crate) grid: Grid,
    /// Seconds of each piece.
    pub(crate) seconds: Vec<f64>,
    /// What amounts are divided by: the seconds, or the requests of each piece.
    pub(crate) base: Vec<f64>,
    /// Pieces in which the load begins or ends.
    pub(crate) ramp: Vec<bool>,
}

impl Course {
    /// What amounts of a quantity are divided by: levels by the time, whatever the basis.
    pub(crate) fn base_of(&self, quantity: Quantity) -> &[f64] {
        if matches!(quantity, Quantity::Level(_)) { &self.seconds } else { &self.base }
    }

    fn new(side: &Side<'_>, source: &str, requests: Option<&[(i64, f64)]>, basis: Basis) -> Self {
        let grid = Grid::new(side.recording, source, side.range);
        let seconds = vec![grid.piece_seconds(); grid.pieces()];
        let mut began = vec![0.0; grid.pieces()];
        for (ns, of) in requests.unwrap_or_default() {
            if let Some(place) = grid.piece(*ns).and_then(|piece| began.get_mut(piece)) {
                *place += of;
            }
        }
        let ramp = ramp(&began);
        let base = if basis == Basis::Request { began } else { seconds.clone() };
        Self { grid, seconds, base, ramp }
    }

    /// Rows that were counted, each with its weight, over the base.
    pub(crate) fn rate(&self, rows: impl IntoIterator<Item = (i64, f64)>) -> Tally {
        self.rate_over(&self.base, rows)
    }

    /// The same over a base that is given.
    pub(crate) fn rate_over(&self, base: &[f64], rows: impl IntoIterator<Item = (i64, f64)>) -> Tally {
        let mut tally = Tally::of_base(base, &self.ramp);
        for (ts_ns, weight) in rows {
            if let Some(piece) = self.grid.piece(ts_ns) {
                tally.count(piece, weight);
            }
        }
        tally
    }

    /// The mean of values.
    pub(crate) fn mean(&self, rows: impl IntoIterator<Item = (i64, f64)>) -> Tally {
        let mut tally = Tally::mean(&self.ramp);
        for (ts_ns, value) in rows {
            if let Some(piece) = self.grid.piece(ts_ns) {
                tally.value(piece, value, 1.0);
            }
        }
        tally
    }
}

/// Pieces at both ends in which fewer requests began than half of what is usual: a flag each. None are where that is
/// most of the time, as then nothing is usual.
fn ramp(requests: &[f64]) -> Vec<bool> {
    let mut sorted = requests.to_vec();
    sorted.sort_by(f64::total_cmp);
    let least = sorted.get(sorted.len() / 2).map_or(0.0, |median| median / 2.0);
    let is_loaded = |of: &f64| *of >= least && *of > 0.0;
    let first = requests.iter().position(is_loaded);
    let last = requests.iter().rposition(is_loaded);
    let (Some(first), Some(last)) = (first, last) else { return vec![false; requests.len()] };
    let steady = last.saturating_sub(first) + 1;
    let flags = (0..requests.len()).map(|at| steady * 2 > requests.len() && (at < first || at > last));
    flags.collect()
}

/// A recording that takes part.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) side: Side<'a>,
    /// Pieces of the time in which events were recorded.
    pub(crate) events: Course,
    /// Pieces of the time in which samples were taken.
    pub(crate) samples: Course,
    /// Requests in the observed time, where they are known.
    pub(crate) requests: Option<f64>,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(side: &Side<'a>, basis: Basis, counted: Option<Counted>) -> Self {
        let requests = counted.map(|counted| counted.times(side.recording));
        let events = Course::new(side, "events", requests.as_deref(), basis);
        let total = |requests: &[(i64, f64)]| {
            let inside = requests.iter().filter(|(ns, _)| events.grid.piece(*ns).is_some());
            inside.map(|(_, of)| of).sum()
        };
        Self {
            requests: requests.as_deref().map(total),
            samples: Course::new(side, "samples", requests.as_deref(), basis),
            events,
            side: *side,
        }
    }

    pub(crate) fn recording(&self) -> &'a Trace {
        self.side.recording
    }

    /// The text of a number.
    pub(crate) fn text(&self, sym: Sym) -> &'a str {
        self.side.recording.strings.text(sym)
    }

    /// The time in which rows of these times would have been recorded: that of the samples where all came with them.
    pub(crate) fn course(&self, times: &[i64]) -> &Course {
        let is_burst = !times.is_empty() && self.recording().came_in_bursts(times.iter().copied());
        if is_burst && self.samples.grid.pieces() > 0 { &self.samples } else { &self.events }
    }

    /// Rows outside of the observed time, which count nowhere.
    pub(crate) fn outside(&self) -> u64 {
        let of = self.recording();
        let tables = [
            &of.samples.ts_ns,
            &of.gc.start_ns,
            &of.pauses.ts_ns,
            &of.allocations.ts_ns,
            &of.exceptions.ts_ns,
            &of.contention.ts_ns,
            &of.waits.ts_ns,
            &of.jit.ts_ns,
            &of.counters.ts_ns,
            &of.requests.start_ns,
            &of.logs.ts_ns,
        ];
        let mut outside = 0u64;
        for (at, times) in tables.into_iter().enumerate() {
            let course = if at == 0 { &self.samples } else { self.course(times) };
            let wanted = |ns: i64| self.side.range.is_none_or(|(from, to)| ns >= from && ns < to);
            let lost = times.iter().filter(|ns| wanted(**ns) && course.grid.piece(**ns).is_none()).count();
            outside = outside.saturating_add(u64::try_from(lost).unwrap_or(u64::MAX));
        }
        outside
    }

    /// Requests a second, where they are known.
    pub(crate) fn requests_a_second(&self) -> Option<f64> {
        let seconds = self.events.grid.piece_seconds() * count(self.events.grid.pieces());
        self.requests.filter(|_| seconds > 0.0).map(|requests| requests / seconds)
    }

    /// Looks of the sampler in each piece: the samples of the thread that has most, as one that lives all the
    /// time has one a look.
    pub(crate) fn looks(&self) -> Vec<f64> {
        let rows = &self.recording().samples;
        let mut looks = vec![0u64; self.samples.grid.pieces()];
        let mut threads: FxHashMap<u32, u64> = FxHashMap::default();
        let mut current = None;
        for (ts_ns, thread) in rows.ts_ns.iter().zip(&rows.thread) {
            let Some(piece) = self.samples.grid.piece(*ts_ns) else { continue };
            if current != Some(piece) {
                threads.clear();
                current = Some(piece);
            }
            let of_thread = threads.entry(*thread).or_default();
            *of_thread += 1;
            if let Some(most) = looks.get_mut(piece) {
                *most = (*most).max(*of_thread);
            }
        }
        looks.into_iter().map(real_u64).collect()
    }
}

/// Pairs of times and known values of a column, in another unit.
pub(crate) fn known_rows<'a>(
    times: &'a [i64],
    values: &'a [i64],
    factor: f64,
) -> impl Iterator<Item = (i64, f64)> + 'a {
    let rows = times.iter().zip(values).filter(|(_, value)| **value != NO_INT);
    rows.map(move |(ns, value)| (*ns, real(*value) * factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_begins_where_half_of_what_is_usual_is_reached_and_ends_where_it_was_last() {
        let check = |requests: &[f64], expected: &str| {
            let flags: String = ramp(requests).into_iter().map(|of| if of { 'r' } else { '.' }).collect();
            assert_eq!(flags, expected, "{requests:?}");
        };
        check(&[0.0, 3.0, 10.0, 11.0, 0.0, 9.0, 12.0, 10.0, 10.0, 2.0], "rr.......r");
        check(&[9.0, 10.0, 11.0, 10.0], "....");
        check(&[0.0; 5], ".....");
        check(&[0.0, 0.0, 0.0, 0.0, 7.0], ".....");
        check(&[], "");
    }
}
