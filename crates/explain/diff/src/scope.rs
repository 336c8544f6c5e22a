//! A recording as it takes part: its observed time in pieces, and what amounts of each piece are divided by.

use crate::book::Quantity;
use crate::grid::Grid;
use crate::noise::Tally;
use crate::rounds::Rounds;
use crate::side::Side;
use base::number::{real, real_u64};
use model::{CountedBy, NO_INT, REQUESTS_METER, Sampler, Sym, Trace};
use report::Basis;
use runtime::metered;
use rustc_hash::FxHashMap;

/// Where the number of requests of a recording comes from: what figures of it take too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Rows of the table of requests.
    Rows,
    /// Their starts, which are there without activity ids also.
    Starts,
    /// The meter.
    Meter,
    /// The event counter of all requests.
    Counter,
}

impl Source {
    /// The source of a recording's requests. `None` without requests.
    pub(crate) fn of(recording: &Trace) -> Option<Self> {
        let source = match recording.ended_requests()?.by {
            CountedBy::Meter => Self::Meter,
            CountedBy::Counter => Self::Counter,
            CountedBy::Events | CountedBy::Bursts if recording.requests.start_ns.is_empty() => Self::Starts,
            CountedBy::Events | CountedBy::Bursts => Self::Rows,
        };
        source.seen(recording).iter().any(|(_, of)| *of > 0.0).then_some(source)
    }

    /// Whether it is published in intervals, all the time.
    pub(crate) fn is_published(self) -> bool {
        matches!(self, Self::Meter | Self::Counter)
    }

    /// Requests in pieces, over the seconds in which they were counted.
    fn tally(self, recording: &Trace, grid: &Grid) -> Tally {
        let seen = self.seen(recording);
        let ramp = vec![false; grid.pieces()];
        if self.is_published() {
            return Rounds::new(grid, seen.iter().map(|of| of.0)).rate(&ramp, seen);
        }
        let mut tally = Tally::of_base(&vec![grid.piece_seconds(); grid.pieces()], &ramp);
        for (ns, of) in seen {
            if let Some(piece) = grid.piece(ns) {
                tally.count(piece, of);
            }
        }
        tally
    }

    /// When requests began (if they are published: when that was), and how many.
    fn seen(self, recording: &Trace) -> Vec<(i64, f64)> {
        match self {
            Self::Rows => recording.requests.start_ns.iter().map(|ns| (*ns, 1.0)).collect(),
            Self::Starts => {
                let marks = &recording.request_marks;
                let starts = marks.ts_ns.iter().zip(&marks.path).filter(|(_, path)| **path != Sym::NONE);
                starts.map(|(ns, _)| (*ns, 1.0)).collect()
            }
            Self::Meter => {
                let counts = metered(recording, REQUESTS_METER, "count");
                counts.into_iter().filter(|of| of.value >= 0.0).map(|of| (of.ts_ns, of.value)).collect()
            }
            Self::Counter => {
                let totals = recording.request_totals();
                let steps = totals.iter().zip(totals.iter().skip(1));
                // A total that fell began anew: how many there were meanwhile is not known.
                steps.map(|(from, to)| (to.0, (to.1 - from.1).max(0.0))).collect()
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

    /// `requests` are those that were counted, with the grid of the time in which they were.
    fn new(grid: Grid, requests: Option<(&Grid, &Tally)>, basis: Basis) -> Self {
        let seconds = vec![grid.piece_seconds(); grid.pieces()];
        let (began, ramp) = match requests {
            // A piece in which a meter ended no interval has no requests that are known.
            Some((counted_in, tally)) if *counted_in == grid => {
                let pieces = tally.amount.iter().zip(&tally.base);
                let rates: Vec<Option<f64>> =
                    pieces.map(|(of, base)| (*base > 0.0).then(|| of / base)).collect();
                (tally.amount.clone(), ramp(&rates))
            }
            // They were counted at other times than these: it is taken that they came as often.
            Some((_, tally)) => {
                let rate = tally.estimate().map_or(0.0, |of| of.value);
                (seconds.iter().map(|of| of * rate).collect(), vec![false; grid.pieces()])
            }
            None => (vec![0.0; grid.pieces()], vec![false; grid.pieces()]),
        };
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

/// Pieces at both ends in which fewer requests a second began than half of what is usual: a flag each. None are where
/// that is most of the time, as then nothing is usual; nor a piece of which it is not known.
fn ramp(rates: &[Option<f64>]) -> Vec<bool> {
    let mut sorted: Vec<f64> = rates.iter().flatten().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let least = sorted.get(sorted.len() / 2).map_or(0.0, |median| median / 2.0);
    let is_loaded = |of: &Option<f64>| of.is_none_or(|of| of >= least && of > 0.0);
    let first = rates.iter().position(is_loaded);
    let last = rates.iter().rposition(is_loaded);
    let (Some(first), Some(last)) = (first, last) else { return vec![false; rates.len()] };
    let steady = last.saturating_sub(first) + 1;
    let flags = (0..rates.len()).map(|at| steady * 2 > rates.len() && (at < first || at > last));
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
    /// Requests that were counted, and over what: pieces of the time in which they were.
    pub(crate) requests: Option<Tally>,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(side: &Side<'a>, basis: Basis) -> Self {
        let grid = |source| Grid::new(side.recording, source, side.range);
        let (events, samples) = (grid("events"), grid("samples"));
        let ended = side.recording.ended_requests();
        let requests = Source::of(side.recording).map(|source| {
            let in_bursts = ended.is_some_and(|of| of.by == CountedBy::Bursts) && samples.pieces() > 0;
            let counted_in = if in_bursts { &samples } else { &events };
            let mut tally = source.tally(side.recording, counted_in);
            if let Some(ended) = ended.filter(|_| side.range.is_none()) {
                // The value is the one that every figure shows; the pieces say how it varies.
                tally.scale_to(ended.per_second());
            }
            (counted_in.clone(), tally)
        });
        let of = requests.as_ref().map(|(grid, tally)| (grid, tally));
        let (events, samples) = (Course::new(events, of, basis), Course::new(samples, of, basis));
        let requests = requests.map(|(grid, mut tally)| {
            if grid == events.grid {
                tally.set_ramp(&events.ramp);
            }
            tally
        });
        Self { requests, events, samples, side: *side }
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
        self.requests.as_ref()?.estimate().map(|of| of.value)
    }

    /// Looks of the sampler in each piece: the samples of the thread that has most, as one that lives all the
    /// time has one a look.
    pub(crate) fn looks(&self) -> Vec<f64> {
        let rows = &self.recording().samples;
        if let Sampler::Cpus { every_ns: Some(every_ns) } = self.recording().session.sampler {
            let of_piece = self.samples.grid.piece_seconds() * 1e9 / real(every_ns);
            return vec![of_piece; self.samples.grid.pieces()];
        }
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
            let rates: Vec<Option<f64>> = requests.iter().map(|of| Some(*of)).collect();
            let flags: String = ramp(&rates).into_iter().map(|of| if of { 'r' } else { '.' }).collect();
            assert_eq!(flags, expected, "{requests:?}");
        };
        check(&[0.0, 3.0, 10.0, 11.0, 0.0, 9.0, 12.0, 10.0, 10.0, 2.0], "rr.......r");
        check(&[9.0, 10.0, 11.0, 10.0], "....");
        check(&[0.0; 5], ".....");
        check(&[0.0, 0.0, 0.0, 0.0, 7.0], ".....");
        check(&[], "");
    }
}
