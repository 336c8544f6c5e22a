//! How many of something, and the time in which it was counted: the one place where rates come from.
//!
//! A recording consists of a main session and short ones beside it (bursts, in which samples are taken). Some events
//! come in bursts alone: divided by the recording's whole time their count would be a tenth of the truth. A meter counts
//! all the time, but publishes once per interval, so its counts reach up to the last publication and no further.
//!
//! ```text
//! main session  |----------------------------------|   events that it asked for: all of this time
//! bursts          |--|        |--|        |--|         events of bursts alone: these times
//! meter         |     x     x     x     x     x    |   counts: up to the last publication
//! ```

use super::limits::LimitKind;
use super::marks::{Counts, KindCount};
use super::recording::Trace;
use crate::ids::ByKind;
use crate::{NO_INT, Sym};
use base::number::saturated;

const HOSTING: &str = "Microsoft.AspNetCore.Hosting";
const REQUEST_START: i64 = 3;
const REQUEST_STOP: i64 = 4;
const METRICS: &str = "System.Diagnostics.Metrics";
const COLLECTION_START: i64 = 2;
const COLLECTION_STOP: i64 = 3;
/// How long ASP.NET Core's requests took, by its meter.
pub const REQUESTS_METER: &str = "http.server.request.duration";
/// How many requests there were since the start, by the event counter of [`HOSTING`].
const REQUESTS_COUNTER: &str = "total-requests";
/// From so many requests of bursts on, their rate is taken from the bursts: it then varies by a tenth.
const ENOUGH_OF_BURSTS: f64 = 100.0;
/// Publications of one round lie closer together than this.
pub(super) const ONE_ROUND_NS: i64 = 100_000_000;
/// The largest value of a meter that is believed: more of anything is in no recording.
pub const LARGEST_METERED: f64 = 1e15;

/// Where a count comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountedBy {
    /// Each one was recorded, all the time.
    Events,
    /// A meter counted them, all the time.
    Meter,
    /// An event counter counted them, all the time.
    Counter,
    /// Each one was recorded, in bursts.
    Bursts,
}

/// How many of something, and the time in which they were counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counted {
    /// How many.
    pub count: f64,
    /// Nanoseconds in which they were counted; above 0.
    pub observed_ns: i64,
    /// Where the count comes from.
    pub by: CountedBy,
}

impl Counted {
    /// How many per second.
    pub fn per_second(&self) -> f64 {
        self.count * 1e9 / self.observed_ns.max(1) as f64
    }
}

impl Trace {
    /// Counts the events by kind. `beside` says of each stream whether it is one beside the main session. O(events).
    pub fn count_events(&mut self, beside: &[bool]) {
        let of = |provider: &str, id: i64| {
            let provider = self.strings.find(provider);
            let kinds = self.events.kind_provider.iter().zip(&self.events.kind_id);
            kinds.map(|(by, of)| Some(*by) == provider && *of == id).collect::<ByKind<bool>>()
        };
        let (begins_round, ends_round) = (of(METRICS, COLLECTION_START), of(METRICS, COLLECTION_STOP));
        let (mut begins, mut ends) = (Vec::new(), Vec::new());
        let by_kind = self.events.kind_id.iter().map(|_| KindCount::default()).collect();
        let mut counts = Counts { by_kind, rounds: Vec::new() };
        let mut kinds = self.events.kind.as_slice();
        // Most neighbours are of one stream.
        for streams in self.events.stream.chunk_by(|one, next| one == next) {
            let (of_stream, rest) = kinds.split_at_checked(streams.len()).unwrap_or((kinds, &[]));
            kinds = rest;
            let stream = streams.first().map_or(0, |stream| usize::from(*stream));
            let is_beside = beside.get(stream) == Some(&true);
            for kind in of_stream {
                let Some(place) = counts.by_kind.get_mut(*kind) else { continue };
                *(if is_beside { &mut place.beside } else { &mut place.in_main }) += 1;
            }
        }
        if ends_round.contains(&true) {
            for (kind, ts_ns) in self.events.kind.iter().zip(&self.events.ts_ns) {
                if begins_round.get(*kind) == Some(&true) {
                    begins.push(*ts_ns);
                }
                if ends_round.get(*kind) == Some(&true) {
                    ends.push(*ts_ns);
                }
            }
        }
        counts.rounds = read_rounds(begins, ends);
        self.counts = counts;
    }

    /// How many events of a provider and number were recorded, and in what time. `None` if no event of the provider's
    /// numbers `asked` was recorded: then nothing says that it was asked for.
    fn events_of(&self, provider: &str, id: i64, asked: &[i64]) -> Option<Counted> {
        let provider = self.strings.find(provider)?;
        let kinds = self.events.kind_provider.iter().zip(&self.events.kind_id).zip(&self.counts.by_kind);
        let kinds = || kinds.clone().filter(|((by, of), _)| **by == provider && asked.contains(of));
        let in_main = kinds().any(|(_, of)| of.in_main > 0);
        let in_bursts = kinds().any(|(_, of)| of.beside > 0);
        let wanted = kinds().filter(|((_, of), _)| **of == id);
        let counts = wanted.map(|(_, of)| if in_main { of.in_main } else { of.beside });
        let count = counts.fold(0u64, u64::saturating_add) as f64;
        let (source, by) =
            if in_main { ("events", CountedBy::Events) } else { ("samples", CountedBy::Bursts) };
        let observed_ns = self.observed_ns(source).filter(|_| in_main || in_bursts)?;
        Some(Counted { count, observed_ns, by })
    }

    /// Whether each request was recorded, all the time. A burst holds whole only the requests that are shorter than it.
    pub fn has_each_request(&self) -> bool {
        !self.requests.start_ns.is_empty() && !self.requests_are_of_bursts()
    }

    /// Whether the rows of requests, or what their starts and ends tell, are of bursts alone.
    pub fn requests_are_of_bursts(&self) -> bool {
        let ended = self.events_of(HOSTING, REQUEST_STOP, &[REQUEST_START, REQUEST_STOP]);
        ended.is_some_and(|of| of.by == CountedBy::Bursts)
    }

    /// Requests that ended, from the source that their routes come from too, so that a total is never below a part: from
    /// their events if each one has its row and none was lost, else from the meter, which counts all the time and loses
    /// nothing; else from the events that are there.
    ///
    /// A meter that follows a part of its series alone knows a part of the requests alone: then their events, the event
    /// counter of all requests and bursts with enough of them go before it, unless they say less than the meter's part: then
    /// they are of other times, and all would be below one of its routes.
    pub fn ended_requests(&self) -> Option<Counted> {
        let each = self.events_of(HOSTING, REQUEST_STOP, &[REQUEST_START, REQUEST_STOP]);
        let exact = each.filter(|of| of.by == CountedBy::Events && self.missing.events == 0);
        let metered = self.metered_count(REQUESTS_METER);
        let is_more = |of: &Counted| metered.is_none_or(|part| of.per_second() >= part.per_second());
        let is_limited = self.missing.limits.any(LimitKind::is_of_histograms);
        let of_bursts = || each.filter(|of| of.count >= ENOUGH_OF_BURSTS).filter(is_more);
        let beside_limited =
            || exact.filter(is_more).or_else(|| self.counted_requests().filter(is_more)).or_else(of_bursts);
        let of_rows = exact.filter(|_| self.has_each_request());
        of_rows
            .or_else(|| if is_limited { beside_limited() } else { None })
            .or(metered)
            .or(each)
            .or_else(|| self.request_rows())
    }

    /// Whether requests are counted by a meter that has lost some of them.
    pub fn requests_are_partial(&self) -> bool {
        self.missing.limits.any(LimitKind::is_of_histograms)
            && self.ended_requests().is_some_and(|of| of.by == CountedBy::Meter)
    }

    /// Requests as the event counter of ASP.NET Core counts them: all, whatever their routes.
    fn counted_requests(&self) -> Option<Counted> {
        let totals = self.request_totals();
        let ((from_ns, before), (to_ns, after)) = (totals.first()?, totals.last()?);
        let (observed_ns, count) = (to_ns.saturating_sub(*from_ns), after - before);
        (observed_ns > 0 && count >= 0.0).then_some(Counted { count, observed_ns, by: CountedBy::Counter })
    }

    /// What the event counter of all requests published, as times and totals: how many there were since the process began.
    pub fn request_totals(&self) -> Vec<(i64, f64)> {
        let named = self.strings.find(HOSTING).zip(self.strings.find(REQUESTS_COUNTER));
        let Some((provider, name)) = named else { return Vec::new() };
        let rows = &self.counters;
        let named = rows.provider.iter().zip(&rows.name).zip(rows.ts_ns.iter().zip(&rows.value));
        named
            .filter(|(of, (_, value))| *of == (&provider, &name) && value.abs() <= LARGEST_METERED)
            .map(|(_, (ts_ns, value))| (*ts_ns, *value))
            .collect()
    }

    /// Rows of requests that ended, in a trace without the events that they were made of.
    fn request_rows(&self) -> Option<Counted> {
        let ended = self.requests.dur_ns.iter().filter(|ns| **ns != NO_INT).count();
        let observed_ns = self.observed_ns("events").filter(|_| ended > 0)?;
        Some(Counted { count: ended as f64, observed_ns, by: CountedBy::Events })
    }

    /// What a histogram counted in all its publications, over all tags. `None` if it published nothing.
    pub fn metered_count(&self, name: &str) -> Option<Counted> {
        let (name, kind) = (self.strings.find(name)?, self.strings.find("count")?);
        let rows = &self.counters;
        let named = rows.name.iter().zip(&rows.kind).zip(&rows.value);
        let values = named.filter(|(of, value)| *of == (&name, &kind) && value.abs() <= LARGEST_METERED);
        let (some, count) = values.fold((false, 0.0), |(_, sum), (_, value)| (true, sum + value));
        let observed_ns = self.metered_ns().filter(|_| some)?;
        Some(Counted { count: count.max(0.0), observed_ns, by: CountedBy::Meter })
    }

    /// The time that the counts of meters cover, in nanoseconds. Each publication covers the interval before it.
    ///
    /// The first interval may have begun before the recording, if other listeners share the session: it counts with the
    /// median length. A late publication covers all the time since the one before. A lost one covers nothing: if events
    /// were lost, each publication that is there counts with the median length.
    pub fn metered_ns(&self) -> Option<i64> {
        let rows;
        let rounds = if self.counts.rounds.is_empty() {
            rows = self.counter_rounds();
            &rows
        } else {
            &self.counts.rounds
        };
        let (first, last) = (*rounds.first()?, *rounds.last()?);
        let later = rounds.iter().skip(1);
        let mut gaps: Vec<i64> =
            rounds.iter().zip(later).map(|(from, to)| to.saturating_sub(*from)).collect();
        gaps.sort_unstable();
        let interval = gaps.get(gaps.len() / 2).copied().unwrap_or(first);
        let covered = if self.missing.events > 0 {
            interval.saturating_mul(saturated(rounds.len()))
        } else {
            last.saturating_sub(first).saturating_add(interval)
        };
        (covered > 0).then_some(covered)
    }

    /// When counters were published, one time per round.
    fn counter_rounds(&self) -> Vec<i64> {
        let histogram = self.strings.find("count").unwrap_or(Sym::NONE);
        let rows = self.counters.ts_ns.iter().zip(&self.counters.kind);
        let rows = rows.filter(|(ts_ns, kind)| **ts_ns != NO_INT && **kind == histogram);
        let mut rounds: Vec<i64> = rows.map(|(ts_ns, _)| *ts_ns).collect();
        rounds.sort_unstable();
        rounds.dedup_by(|ts_ns, last| ts_ns.saturating_sub(*last) < ONE_ROUND_NS);
        rounds
    }
}

/// When meters were read: the beginnings of rounds that have an end. What a round publishes was counted up to its
/// beginning; how long the publishing takes differs, most of all in the first one.
fn read_rounds(mut begins: Vec<i64>, mut ends: Vec<i64>) -> Vec<i64> {
    begins.sort_unstable();
    ends.sort_unstable();
    let begin_of = |end: &i64| {
        let before = begins.partition_point(|begin| begin <= end).checked_sub(1)?;
        begins.get(before).copied()
    };
    // A damaged file may lack beginnings: two ends would have one.
    let of_ends: Option<Vec<i64>> = ends.iter().map(begin_of).collect();
    let is_paired = |rounds: &Vec<i64>| rounds.iter().zip(rounds.iter().skip(1)).all(|(from, to)| from < to);
    of_ends.filter(is_paired).unwrap_or(ends)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EventKind;

    const SECOND: i64 = 1_000_000_000;

    /// Ten seconds with a burst of one second; events as provider, number, stream (1 is the burst) and times.
    fn trace(events: &[(&str, i64, u16, &[i64])]) -> Trace {
        let mut trace = Trace::default();
        for (source, from_ns, to_ns) in [("events", 0, 10 * SECOND), ("samples", SECOND, 2 * SECOND)] {
            trace.covers(source, from_ns, to_ns);
        }
        for (provider, id, stream, times) in events {
            let (provider, name) = (trace.text(provider), trace.text("E"));
            let kind = trace.events.add_kind(EventKind { provider, name, id: *id, version: 0 });
            for ts_ns in *times {
                trace.events.ts_ns.push(*ts_ns);
                trace.events.kind.push(kind);
                trace.events.stream.push(*stream);
            }
        }
        trace.count_events(&[false, true]);
        trace
    }

    fn meter(trace: &mut Trace, seconds: &[i64], count: f64) {
        for second in seconds {
            trace.counter(second * SECOND, ["P", REQUESTS_METER, "s", "count", "{}"], count);
        }
    }

    fn check(trace: &Trace, expected: Option<(f64, CountedBy)>) {
        assert_eq!(trace.ended_requests().map(|of| (of.per_second(), of.by)), expected);
    }

    #[test]
    fn requests_of_bursts_are_not_divided_by_the_whole_time() {
        let times: Vec<i64> = (0..40).map(|at| SECOND + at * 20_000_000).collect();
        let mut bursts = trace(&[(HOSTING, 3, 1, &times), (HOSTING, 4, 1, &times)]);
        assert!(bursts.requests_are_of_bursts());
        check(&bursts, Some((40.0, CountedBy::Bursts)));
        // The meter has counted all the time, also between the bursts.
        meter(&mut bursts, &[1, 2, 3, 4, 5, 6, 7, 8, 9], 41.0);
        check(&bursts, Some((41.0, CountedBy::Meter)));
    }

    #[test]
    fn a_meter_that_follows_some_routes_alone_does_not_tell_the_rate_of_all() {
        let times: Vec<i64> = (0..200).map(|at| SECOND + at * 5_000_000).collect();
        let mut bursts = trace(&[(HOSTING, 4, 1, &times)]);
        meter(&mut bursts, &[1, 2, 3, 4, 5, 6, 7, 8, 9], 41.0);
        check(&bursts, Some((41.0, CountedBy::Meter)));
        bursts.missing.limits.note(LimitKind::Histograms, None);
        check(&bursts, Some((200.0, CountedBy::Bursts)));
        let mut counter = trace(&[]);
        meter(&mut counter, &[1, 2, 3, 4, 5, 6, 7, 8, 9], 41.0);
        counter.missing.limits.note(LimitKind::TimeSeries, None);
        check(&counter, Some((41.0, CountedBy::Meter)));
        assert!(counter.requests_are_partial());
        for (second, value) in [(1, 50.0), (3, 250.0), (5, 650.0)] {
            counter.counter(second * SECOND, [HOSTING, REQUESTS_COUNTER, "", "value", "{}"], value);
        }
        check(&counter, Some((150.0, CountedBy::Counter)));
        assert!(!counter.requests_are_partial());
    }

    #[test]
    fn the_rate_of_all_requests_is_not_below_that_of_a_route() {
        let times: Vec<i64> = (0..200).map(|at| SECOND + at * 5_000_000).collect();
        let mut bursts = trace(&[(HOSTING, 4, 1, &times)]);
        meter(&mut bursts, &[1, 2, 3, 4], 360.0);
        bursts.missing.limits.note(LimitKind::Histograms, None);
        check(&bursts, Some((360.0, CountedBy::Meter)));
        assert!(bursts.requests_are_partial());
    }

    #[test]
    fn a_request_that_came_in_a_burst_by_chance_is_one_in_all_the_time() {
        let one = trace(&[(HOSTING, 4, 0, &[SECOND + 1])]);
        assert!(!one.requests_are_of_bursts());
        check(&one, Some((0.1, CountedBy::Events)));
    }

    #[test]
    fn a_meter_that_published_four_times_tells_of_four_intervals() {
        let mut trace = trace(&[]);
        check(&trace, None);
        meter(&mut trace, &[1, 2, 3, 4], 50.0);
        check(&trace, Some((50.0, CountedBy::Meter)));
    }

    #[test]
    fn rounds_without_a_request_are_time_observed() {
        let rounds: Vec<i64> = (1..=10).map(|second| second * SECOND).collect();
        let mut trace = trace(&[(METRICS, COLLECTION_STOP, 0, &rounds)]);
        meter(&mut trace, &[9, 10], 50.0);
        check(&trace, Some((10.0, CountedBy::Meter)));
    }

    #[test]
    fn a_lost_publication_takes_its_time_with_it() {
        let mut trace = trace(&[(HOSTING, 4, 0, &[1])]);
        trace.missing.events = 1;
        meter(&mut trace, &[1, 2, 3, 8, 9], 50.0);
        check(&trace, Some((50.0, CountedBy::Meter)));
        trace.missing.events = 0;
        check(&trace, Some((50.0 * 5.0 / 9.0, CountedBy::Meter)));
    }

    #[test]
    fn a_slow_first_publication_does_not_make_the_rate_too_high() {
        let begins: Vec<i64> = (1..=10).map(|second| second * SECOND).collect();
        // The first round loads and compiles what it publishes with.
        let ends: Vec<i64> =
            begins.iter().map(|ns| ns + if *ns == SECOND { 300_000_000 } else { 1 }).collect();
        let mut trace =
            trace(&[(METRICS, COLLECTION_START, 0, &begins), (METRICS, COLLECTION_STOP, 0, &ends)]);
        meter(&mut trace, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 50.0);
        check(&trace, Some((50.0, CountedBy::Meter)));
        // A round without its end was not published whole.
        assert_eq!(read_rounds(vec![1, 5, 9], vec![2, 6]), [1, 5]);
        assert_eq!(read_rounds(vec![1], vec![2, 6]), [2, 6]);
        assert_eq!(read_rounds(vec![], vec![2, 6]), [2, 6]);
    }

    #[test]
    fn the_rate_of_all_requests_has_the_source_of_the_routes() {
        // Events of the main session without activity ids: no rows, so routes come from the meter.
        let times: Vec<i64> = (0..400).map(|at| at * 25_000_000).collect();
        let mut main = trace(&[(HOSTING, 3, 0, &times), (HOSTING, 4, 0, &times)]);
        check(&main, Some((40.0, CountedBy::Events)));
        meter(&mut main, &[1, 2, 3, 4, 5, 6, 7, 8, 9], 42.0);
        check(&main, Some((42.0, CountedBy::Meter)));
    }
}
