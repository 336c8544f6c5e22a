//! One side of a comparison: its observed time in pieces, and what the amounts of each piece are divided by.

use crate::book::Quantity;
use crate::grid::Grid;
use crate::names::PairedNames;
use crate::rounds::Rounds;
use crate::side::Side;
use crate::tally::Tally;
use base::number::{real, real_u64};
use model::{AllocationRow, CountedBy, NO_INT, REQUESTS_METER, Sampler, Sym, ThreadId, Trace};
use report::Basis;
use runtime::{counted_allocations, metered};
use rustc_hash::FxHashMap;

/// Where the number of requests of a recording comes from. Its figures use the same source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestSource {
    /// The table `requests`.
    Rows,
    /// Starts of requests, which are recorded even without activity ids.
    Starts,
    /// The meter `http.server.request.duration`.
    Meter,
    /// The event counter of all requests.
    Counter,
}

impl RequestSource {
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

    /// What counted, in a sentence.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rows | Self::Starts => "events",
            Self::Meter => "the meter",
            Self::Counter => "the event counter",
        }
    }

    /// Whether it publishes counts of intervals, and not single requests.
    pub(crate) fn is_published(self) -> bool {
        matches!(self, Self::Meter | Self::Counter)
    }

    /// Requests per second, over the time in which they were counted.
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

    /// Numbers of requests, with the time when they began or were published.
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
                // A total that fell started again from 0. How many requests there were meanwhile is not known.
                steps.map(|(from, to)| (to.0, (to.1 - from.1).max(0.0))).collect()
            }
        }
    }
}

/// The time in which one source (events, samples) was recorded, in pieces.
#[derive(Debug, Clone, Default)]
pub(crate) struct Course {
    pub(crate) grid: Grid,
    /// The length of each piece.
    pub(crate) seconds: Vec<f64>,
    /// What amounts are divided by: the seconds or the requests of each piece.
    pub(crate) base: Vec<f64>,
    /// Pieces before the load begins or after it ends.
    pub(crate) ramp: Vec<bool>,
}

impl Course {
    /// What amounts of a quantity are divided by. Levels are always divided by time.
    pub(crate) fn base_of(&self, quantity: Quantity) -> &[f64] {
        if matches!(quantity, Quantity::Level(_)) { &self.seconds } else { &self.base }
    }

    /// `requests` are counted requests, with the grid of the time in which they were counted.
    fn new(grid: Grid, requests: Option<(&Grid, &Tally)>, basis: Basis) -> Self {
        let seconds = vec![grid.piece_seconds(); grid.pieces()];
        let (requests, ramp) = match requests {
            Some((counted_in, tally)) if *counted_in == grid => {
                // In a piece without the middle of any interval of the meter, the rate is not known.
                let pieces = tally.amount.iter().zip(&tally.base);
                let rates: Vec<Option<f64>> =
                    pieces.map(|(of, base)| (*base > 0.0).then(|| of / base)).collect();
                (tally.amount.clone(), ramp(&rates))
            }
            // Requests were counted at other times. The rate is assumed to be the same.
            Some((_, tally)) => {
                let rate = tally.estimate().map_or(0.0, |of| of.value);
                (seconds.iter().map(|of| of * rate).collect(), vec![false; grid.pieces()])
            }
            None => (vec![0.0; grid.pieces()], vec![false; grid.pieces()]),
        };
        let base = if basis == Basis::Request { requests } else { seconds.clone() };
        Self { grid, seconds, base, ramp }
    }

    /// The rate of counted rows: the time and the weight of each.
    pub(crate) fn rate(&self, rows: impl IntoIterator<Item = (i64, f64)>) -> Tally {
        self.rate_over(&self.base, rows)
    }

    /// The rate of counted rows over a given base.
    pub(crate) fn rate_over(&self, base: &[f64], rows: impl IntoIterator<Item = (i64, f64)>) -> Tally {
        let mut tally = Tally::of_base(base, &self.ramp);
        for (ts_ns, weight) in rows {
            if let Some(piece) = self.grid.piece(ts_ns) {
                tally.count(piece, weight);
            }
        }
        tally
    }

    /// The mean of values: the time and the value of each.
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

/// Flags the pieces at both ends that have less than half of the median rate of requests. No piece is flagged if they
/// would be most of the time, since nothing is usual then. A piece of unknown rate counts as loaded.
fn ramp(rates: &[Option<f64>]) -> Vec<bool> {
    let mut sorted: Vec<f64> = rates.iter().flatten().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let least = sorted.get(sorted.len() / 2).map_or(0.0, |median| median / 2.0);
    let is_loaded = |rate: &Option<f64>| rate.is_none_or(|rate| rate >= least && rate > 0.0);
    let first = rates.iter().position(is_loaded);
    let last = rates.iter().rposition(is_loaded);
    let (Some(first), Some(last)) = (first, last) else { return vec![false; rates.len()] };
    let steady = last.saturating_sub(first) + 1;
    let flags = (0..rates.len()).map(|at| steady * 2 > rates.len() && (at < first || at > last));
    flags.collect()
}

/// One side of a comparison.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) side: Side<'a>,
    /// The names by which its methods are paired with those of the other side.
    pub(crate) names: PairedNames,
    /// The time in which events were recorded.
    pub(crate) events: Course,
    /// The time in which samples were taken.
    pub(crate) samples: Course,
    /// How often the sampler ran in each piece of `samples`.
    pub(crate) sampler_runs: Vec<f64>,
    /// Requests per second, over the time in which they were counted.
    pub(crate) requests: Option<Tally>,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(side: &Side<'a>, other: &Side<'_>, basis: Basis) -> Self {
        let grid = |source| Grid::new(side.recording, source, side.range);
        let (events, samples) = (grid("events"), grid("samples"));
        let ended = side.recording.ended_requests();
        let requests = RequestSource::of(side.recording).map(|source| {
            let in_bursts = ended.is_some_and(|of| of.by == CountedBy::Bursts) && samples.pieces() > 0;
            let counted_in = if in_bursts { &samples } else { &events };
            let mut tally = source.tally(side.recording, counted_in);
            if let Some(ended) = ended.filter(|_| side.range.is_none()) {
                // The value is the one that all figures show; the pieces say how it varies.
                tally.scale_to(ended.per_second());
            }
            (counted_in.clone(), tally)
        });
        let counted = requests.as_ref().map(|(grid, tally)| (grid, tally));
        let (events, samples) = (Course::new(events, counted, basis), Course::new(samples, counted, basis));
        let requests = requests.map(|(grid, mut tally)| {
            if grid == events.grid {
                tally.ramp.clone_from(&events.ramp);
            }
            tally
        });
        let sampler_runs = sampler_runs(side.recording, &samples.grid);
        Self { requests, events, samples, sampler_runs, names: PairedNames::new(side, other), side: *side }
    }

    pub(crate) fn recording(&self) -> &'a Trace {
        self.side.recording
    }

    pub(crate) fn text(&self, sym: Sym) -> &'a str {
        self.side.recording.strings.text(sym)
    }

    /// The time in which rows with these times could be recorded: that of the samples if all rows came in bursts with
    /// them.
    pub(crate) fn course(&self, times: &[i64]) -> &Course {
        let is_burst = !times.is_empty() && self.recording().came_in_bursts(times.iter().copied());
        if is_burst && self.samples.grid.pieces() > 0 { &self.samples } else { &self.events }
    }

    /// The number of rows outside of the observed time. They count nowhere.
    pub(crate) fn outside(&self) -> usize {
        let of = self.recording();
        let tables = [
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
        let is_in_range = |ns: i64| self.side.range.is_none_or(|(from, to)| ns >= from && ns < to);
        let outside = |times: &[i64], course: &Course| {
            times.iter().filter(|ns| is_in_range(**ns) && course.grid.piece(**ns).is_none()).count()
        };
        let of_tables: usize = tables.into_iter().map(|times| outside(times, self.course(times))).sum();
        of_tables + outside(&of.samples.ts_ns, &self.samples)
    }

    /// Requests per second, if known.
    pub(crate) fn requests_per_second(&self) -> Option<f64> {
        self.requests.as_ref()?.estimate().map(|of| of.value)
    }

    /// The sampled allocations that have a weight.
    pub(crate) fn allocations(&self) -> impl Iterator<Item = AllocationRow> + use<'a> {
        counted_allocations(self.recording()).filter(|row| row.weight_bytes >= 0.0)
    }

    /// The seconds of a thread that each sample in a piece stands for.
    pub(crate) fn seconds_per_sample(&self, piece: usize) -> f64 {
        let runs = self.sampler_runs.get(piece).filter(|runs| **runs > 0.0);
        self.samples.seconds.get(piece).zip(runs).map_or(0.0, |(seconds, runs)| seconds / runs)
    }
}

/// How often the sampler ran in each piece: as many times as it met the thread that it met most often, since it meets a thread
/// that lives all the time once per run.
fn sampler_runs(recording: &Trace, grid: &Grid) -> Vec<f64> {
    let rows = &recording.samples;
    if let Sampler::Cpus { every_ns: Some(every_ns) } = recording.session.sampler {
        return vec![grid.piece_seconds() * 1e9 / real(every_ns); grid.pieces()];
    }
    let mut runs = vec![0u64; grid.pieces()];
    let mut met: FxHashMap<ThreadId, u64> = FxHashMap::default();
    let mut current = None;
    for (ts_ns, thread) in rows.ts_ns.iter().zip(&rows.thread) {
        let Some(piece) = grid.piece(*ts_ns) else { continue };
        if current != Some(piece) {
            met.clear();
            current = Some(piece);
        }
        let times = met.entry(*thread).or_default();
        *times += 1;
        if let Some(most) = runs.get_mut(piece) {
            *most = (*most).max(*times);
        }
    }
    runs.into_iter().map(real_u64).collect()
}

/// The times and the known values of a column, in another unit.
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
