//! Collections, and the pauses of the program for them.
//!
//! A suspension goes from SuspendEEStart to RestartEEStop of one thread; those of reason 1 (GC) and 6 (GC preparation)
//! are for the GC. Each is shared out among the collections that used it, so that their pauses add up to all
//! suspensions: a collection nested in a background collection's suspension owns it from its own GC/Start on, the
//! background collection the rest.
//!
//! ```text
//!  suspension   |-------------------|      |----------|
//!  background   start               ·      ·          ·       owns [start of suspension, nested start)
//!  nested              start ── stop                          owns [its start, end of suspension]
//!  background, later: a suspension without a start in it is its own
//! ```

use super::budget::{MAP, of};
use super::kinds::GcEvent;
use super::rawrows::RawRows;
use super::rawstacks::RawStack;
use super::seen::Seen;
use base::seeded::SeededMap;
use model::{GcRow, Lost, Missing, NO_INT, PauseRow, Strings, ThreadId, Trace, or_none};
use std::collections::BTreeSet;
use std::ops::Range;

/// Suspensions for the GC: reasons GC and GC preparation.
const GC_REASONS: [i64; 2] = [1, 6];
const GC_PREPARATION: i64 = 6;
/// How often a collection may be looked at for a suspension: so often for each of both, and so often in all. Only one
/// thread at a time stops the program, so suspensions hardly overlap, and each has few collections.
const MAX_SHARES_EACH: usize = 8;
const MAX_SHARES: usize = 100_000;
const TOO_MANY_SHARES: &str = "suspensions that overlap each other: pauses of later collections are missing";

#[derive(Debug, Clone, Copy)]
struct Suspension {
    thread: ThreadId,
    begin: i64,
    stopped: i64,
    end: i64,
    reason: i64,
}

#[derive(Debug, Clone, Copy)]
struct Collection {
    row: GcRow<RawStack>,
    background: bool,
    ended: bool,
}

/// Which collection has ended.
enum Stop {
    /// One that began here.
    Ended,
    /// One that was under way when the recording began.
    BeganBefore,
    /// One whose beginning is missing.
    WithoutStart,
}

/// What collections write to while streams are read; their rows are made at the end.
#[derive(Debug)]
pub(crate) struct GcTables<'a> {
    pub(crate) strings: &'a mut Strings,
    pub(crate) lost: &'a mut Lost,
    pub(crate) missing: &'a mut Missing,
}

/// The collections of one process.
#[derive(Debug, Default)]
pub(crate) struct Collections {
    all: Vec<Collection>,
    /// Which collections have not ended, by their numbers and in the order in which they began.
    running: SeededMap<i64, Vec<usize>>,
    in_order: BTreeSet<usize>,
    /// Which have ended and have no statistics yet.
    without_stats: BTreeSet<usize>,
    /// Number of the first collection that began.
    first: Option<i64>,
    open: SeededMap<ThreadId, Suspension>,
    done: Vec<Suspension>,
    trigger_stack: Option<RawStack>,
}

impl Collections {
    /// Takes an event of the GC.
    pub(crate) fn take(&mut self, event: GcEvent, seen: &Seen<'_>, tables: GcTables<'_>) {
        let GcTables { strings, lost, missing } = tables;
        match event {
            GcEvent::SuspendStart => {
                let reason = or_none(seen.fields.int("Reason"));
                let Seen { ns: begin, thread, .. } = *seen;
                self.open.insert(thread, Suspension { thread, begin, stopped: NO_INT, end: NO_INT, reason });
            }
            GcEvent::SuspendStop => {
                if let Some(open) = self.open.get_mut(&seen.thread) {
                    open.stopped = seen.ns;
                }
            }
            GcEvent::RestartStop => {
                if let Some(open) = self.open.remove(&seen.thread) {
                    self.done.push(Suspension { end: seen.ns, ..open });
                }
            }
            GcEvent::Triggered => self.trigger_stack = seen.stack,
            GcEvent::Start => self.start(seen, strings),
            GcEvent::Stop => match self.stop(seen) {
                Stop::Ended => {}
                Stop::BeganBefore => missing.began_inside += 1,
                Stop::WithoutStart => lost.damage.remark("GC/Stop without its GC/Start", seen.offset),
            },
            GcEvent::HeapStats => self.heap_stats(seen),
            GcEvent::PerHeapHistory => self.history(seen),
            GcEvent::Dynamic => {}
        }
    }

    /// About how many bytes it takes: a collection's row is kept twice at the end.
    pub(crate) fn kept_bytes(&self) -> usize {
        let sets = self.in_order.len().saturating_add(self.without_stats.len());
        let rows = of(self.all.len(), 2 * size_of::<Collection>());
        let suspensions = of(self.done.len(), 2 * size_of::<Suspension>());
        [rows, suspensions, of(sets, 16), of(self.running.len(), MAP * 64), of(self.open.len(), MAP * 48)]
            .into_iter()
            .fold(size_of::<Self>(), usize::saturating_add)
    }

    fn start(&mut self, seen: &Seen<'_>, strings: &mut Strings) {
        let fields = &seen.fields;
        let number = or_none(fields.int("Count"));
        let row = GcRow {
            number,
            generation: or_none(fields.int("Depth")),
            kind: seen.word("Type", strings),
            reason: seen.word("Reason", strings),
            start_ns: seen.ns,
            dur_ns: NO_INT,
            pause_ns: NO_INT,
            suspend_ns: NO_INT,
            heap_before_bytes: NO_INT,
            heap_after_bytes: NO_INT,
            promoted_bytes: NO_INT,
            gen0_bytes: NO_INT,
            gen1_bytes: NO_INT,
            gen2_bytes: NO_INT,
            loh_bytes: NO_INT,
            poh_bytes: NO_INT,
            pinned_objects: NO_INT,
            thread: seen.thread,
            stack: self.trigger_stack.take(),
        };
        let background = fields.int("Type") == Some(1);
        let at = self.all.len();
        self.first.get_or_insert(number);
        self.running.entry(number).or_default().push(at);
        self.in_order.insert(at);
        self.all.push(Collection { row, background, ended: false });
    }

    /// Ends a collection.
    fn stop(&mut self, seen: &Seen<'_>) -> Stop {
        let Some(number) = seen.fields.int("Count") else { return Stop::WithoutStart };
        let Some(at) = self.running.get_mut(&number).and_then(Vec::pop) else {
            // Collections are numbered one by one, so one with a number before the first that began here began earlier.
            let is_before = self.first.is_none_or(|first| number < first);
            return if is_before { Stop::BeganBefore } else { Stop::WithoutStart };
        };
        self.in_order.remove(&at);
        self.without_stats.insert(at);
        let Some(gc) = self.all.get_mut(at) else { return Stop::WithoutStart };
        gc.row.dur_ns = seen.ns.saturating_sub(gc.row.start_ns);
        gc.ended = true;
        Stop::Ended
    }

    fn heap_stats(&mut self, seen: &Seen<'_>) {
        // The statistics follow the end of the collection they are of.
        let at = self.without_stats.pop_last();
        let Some(gc) = at.and_then(|at| self.all.get_mut(at)) else { return };
        let fields = &seen.fields;
        let size = |generation: &str| or_none(fields.int(generation));
        let row = &mut gc.row;
        row.gen0_bytes = size("GenerationSize0");
        row.gen1_bytes = size("GenerationSize1");
        row.gen2_bytes = size("GenerationSize2");
        row.loh_bytes = size("GenerationSize3");
        row.poh_bytes = size("GenerationSize4");
        row.pinned_objects = size("PinnedObjectCount");
        let known = |list: [i64; 5]| {
            or_none(list.into_iter().filter(|bytes| *bytes != NO_INT).reduce(i64::saturating_add))
        };
        row.heap_after_bytes =
            known([row.gen0_bytes, row.gen1_bytes, row.gen2_bytes, row.loh_bytes, row.poh_bytes]);
        row.promoted_bytes = known([
            size("TotalPromotedSize0"),
            size("TotalPromotedSize1"),
            size("TotalPromotedSize2"),
            size("TotalPromotedSize3"),
            size("TotalPromotedSize4"),
        ]);
    }

    /// Adds a heap's sizes before the collection: those of all its generations.
    fn history(&mut self, seen: &Seen<'_>) {
        let Some(before) = seen.fields.sum("GenData", "SizeBefore") else { return };
        let running = self.in_order.last().and_then(|at| self.all.get_mut(*at));
        let Some(gc) = running else { return };
        let known = gc.row.heap_before_bytes;
        gc.row.heap_before_bytes = if known == NO_INT { before } else { known.saturating_add(before) };
    }

    /// Shares out the suspensions and fills the tables. Returns the threads that stopped the program to sample it.
    pub(crate) fn finish(mut self, recording: &mut Trace, rows: &mut RawRows) -> Vec<ThreadId> {
        self.all.sort_by_key(|gc| gc.row.start_ns);
        self.done.sort_by_key(|suspension| (suspension.begin, suspension.end));
        let for_gc: Vec<Suspension> =
            self.done.iter().filter(|one| GC_REASONS.contains(&one.reason)).copied().collect();
        self.share_all(&for_gc, recording);
        for gc in &self.all {
            rows.gc.push(gc.row);
        }
        self.fill_pauses(recording, &rows.samples.ts_ns)
    }

    /// Shares out the suspensions, which are in the order of their begin.
    fn share_all(&mut self, suspensions: &[Suspension], recording: &mut Trace) {
        let both = suspensions.len().saturating_add(self.all.len());
        let mut left = both.saturating_mul(MAX_SHARES_EACH).saturating_add(MAX_SHARES);
        // Background collections that began before the suspension at hand and may still run, the latest last. One that
        // has ended before it has ended before all later ones too.
        let mut background = Vec::new();
        let mut looked_at = 0;
        for suspension in suspensions {
            let inside_from = self.all.partition_point(|gc| gc.row.start_ns < suspension.begin);
            let inside_to = self.all.partition_point(|gc| gc.row.start_ns <= suspension.end);
            background.extend((looked_at..inside_from).filter(|at| self.is_background(*at)));
            looked_at = looked_at.max(inside_from);
            while background.last().is_some_and(|at| self.has_ended_before(*at, suspension.begin)) {
                background.pop();
            }
            let Some(rest) = left.checked_sub(inside_to.saturating_sub(inside_from)) else {
                recording.lost.damage.note(TOO_MANY_SHARES, 0);
                return;
            };
            left = rest;
            self.share_out(suspension, inside_from..inside_to, background.last().copied());
        }
    }

    fn is_background(&self, at: usize) -> bool {
        self.all.get(at).is_some_and(|gc| gc.background)
    }

    fn has_ended_before(&self, at: usize, ns: i64) -> bool {
        let gc = self.all.get(at);
        gc.is_none_or(|gc| gc.ended && gc.row.start_ns.saturating_add(gc.row.dur_ns) < ns)
    }

    /// Shares out a suspension, in which some collections began, and before which a background collection may run.
    fn share_out(&mut self, suspension: &Suspension, inside: Range<usize>, running: Option<usize>) {
        let first = (!inside.is_empty()).then_some(inside.start);
        let own = suspension.reason == GC_PREPARATION;
        let Some(mut owner) = (if own { running.or(first) } else { first.or(running) }) else { return };
        let stopped = suspension.stopped;
        if stopped != NO_INT {
            self.add(owner, 0, stopped.saturating_sub(suspension.begin));
        }
        let mut from = suspension.begin;
        for at in inside {
            if at == owner {
                continue;
            }
            let start = self.all.get(at).map_or(from, |gc| gc.row.start_ns);
            self.add(owner, start.saturating_sub(from), 0);
            (owner, from) = (at, start);
        }
        self.add(owner, suspension.end.saturating_sub(from), 0);
    }

    fn add(&mut self, collection: usize, pause: i64, suspend: i64) {
        let Some(gc) = self.all.get_mut(collection) else { return };
        let plus = |known: i64, more: i64| if known == NO_INT { more } else { known.saturating_add(more) };
        gc.row.pause_ns = plus(gc.row.pause_ns, pause);
        gc.row.suspend_ns = plus(gc.row.suspend_ns, suspend);
    }

    fn fill_pauses(&self, recording: &mut Trace, sampled_ns: &[i64]) -> Vec<ThreadId> {
        let mut samplers = Vec::new();
        let [gc, profiler, other] = ["gc", "profiler", "other"].map(|word| recording.strings.intern(word));
        for one in &self.done {
            let sampled = model::sorted_range(sampled_ns, one.begin, one.end);
            let cause = if GC_REASONS.contains(&one.reason) {
                gc
            } else if sampled.end > sampled.start {
                samplers.push(one.thread);
                profiler
            } else {
                other
            };
            let dur_ns = one.end.saturating_sub(one.begin);
            recording.pauses.push(PauseRow { ts_ns: one.begin, dur_ns, cause });
        }
        samplers.sort_unstable();
        samplers.dedup();
        samplers
    }
}
