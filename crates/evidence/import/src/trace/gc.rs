//! Collections and the times the program stood still for them.
//!
//! A suspension goes from SuspendEEStart to RestartEEStop of one thread; those of reason 1 (GC) and 6 (GC preparation)
//! are the collector's. Each is shared out among the collections that used it, so that their pauses add up to all
//! suspensions: a collection nested in a background collection's suspension owns it from its own GC/Start on, the
//! background collection the rest.
//!
//! ```text
//!  suspension   |-------------------|      |----------|
//!  background   start               ·      ·          ·       owns [start of suspension, nested start)
//!  nested              start ── stop                          owns [its start, end of suspension]
//!  background, later: a suspension without a start in it is its own
//! ```

use super::builder::{Builder, Seen};
use super::kinds::GcEvent;
use super::rawstacks::NO_STACK;
use model::{GcRow, NO_ID, NO_INT, PauseRow, Sym, Trace};
use rustc_hash::FxHashMap;

/// Suspensions for the collector: reasons GC and GC preparation.
const GC_REASONS: [i64; 2] = [1, 6];
const GC_PREPARATION: i64 = 6;
/// Size of PerHeapHistory version 3 up to its generations, with pointers of 8 bytes, and of a generation.
const HISTORY_HEAD: usize = 86;
const HISTORY_GENERATION: usize = 80;

#[derive(Debug, Clone, Copy)]
struct Suspension {
    thread: u32,
    begin: i64,
    stopped: i64,
    end: i64,
    reason: i64,
}

#[derive(Debug, Clone, Copy)]
struct Collection {
    row: GcRow,
    background: bool,
    ended: bool,
    has_stats: bool,
}

/// What was seen of collections.
#[derive(Debug, Default)]
pub(crate) struct GcBuilder {
    collections: Vec<Collection>,
    open: FxHashMap<u32, Suspension>,
    done: Vec<Suspension>,
    trigger_stack: Option<u32>,
}

impl Builder {
    pub(crate) fn gc_event(&mut self, event: GcEvent, seen: &Seen<'_>) {
        match event {
            GcEvent::SuspendStart => {
                let reason = seen.fields().int("Reason").unwrap_or(NO_INT);
                let Seen { ns: begin, thread, .. } = *seen;
                let open = Suspension { thread, begin, stopped: NO_INT, end: NO_INT, reason };
                self.gc.open.insert(thread, open);
            }
            GcEvent::SuspendStop => {
                if let Some(open) = self.gc.open.get_mut(&seen.thread) {
                    open.stopped = seen.ns;
                }
            }
            GcEvent::RestartStop => {
                if let Some(open) = self.gc.open.remove(&seen.thread) {
                    self.gc.done.push(Suspension { end: seen.ns, ..open });
                }
            }
            GcEvent::Triggered => self.gc.trigger_stack = Some(seen.stack).filter(|stack| *stack != NO_STACK),
            GcEvent::Start => self.gc_start(seen),
            GcEvent::Stop => {
                if !self.gc.stop(seen) {
                    self.recording.lost.damage.remark("GC/Stop without its GC/Start", seen.offset);
                }
            }
            GcEvent::HeapStats => self.gc.heap_stats(seen),
            GcEvent::PerHeapHistory => self.gc.history(seen),
            GcEvent::Dynamic => {}
        }
    }

    fn gc_start(&mut self, seen: &Seen<'_>) {
        let fields = seen.fields();
        let mut word =
            |name| fields.word(name).map_or(Sym::NONE, |word| self.recording.strings.intern(&word));
        let (kind, reason) = (word("Type"), word("Reason"));
        let generation = fields.int("Depth").unwrap_or(NO_INT);
        let row = GcRow {
            number: fields.int("Count").unwrap_or(NO_INT),
            generation,
            kind,
            reason,
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
            stack: self.gc.trigger_stack.take().unwrap_or(NO_ID),
        };
        let background = fields.int("Type") == Some(1);
        self.gc.collections.push(Collection { row, background, ended: false, has_stats: false });
    }
}

impl GcBuilder {
    /// Ends a collection; false where its start was not seen.
    fn stop(&mut self, seen: &Seen<'_>) -> bool {
        let number = seen.fields().int("Count").unwrap_or(NO_INT);
        let started = self.collections.iter_mut().rev().find(|gc| gc.row.number == number && !gc.ended);
        let Some(gc) = started else { return false };
        gc.row.dur_ns = seen.ns.saturating_sub(gc.row.start_ns);
        gc.ended = true;
        true
    }

    fn heap_stats(&mut self, seen: &Seen<'_>) {
        // The statistics follow the end of the collection they are of.
        let at = self.collections.iter().rposition(|gc| gc.ended && !gc.has_stats);
        let Some(gc) = at.and_then(|at| self.collections.get_mut(at)) else { return };
        gc.has_stats = true;
        let fields = seen.fields();
        let size = |generation: &str| fields.int(generation).unwrap_or(NO_INT);
        let row = &mut gc.row;
        row.gen0_bytes = size("GenerationSize0");
        row.gen1_bytes = size("GenerationSize1");
        row.gen2_bytes = size("GenerationSize2");
        row.loh_bytes = size("GenerationSize3");
        row.poh_bytes = size("GenerationSize4");
        row.pinned_objects = size("PinnedObjectCount");
        let known =
            |list: [i64; 5]| list.into_iter().filter(|bytes| *bytes != NO_INT).fold(0, i64::saturating_add);
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

    /// Adds a heap's sizes before the collection: the first number of each generation's ten.
    fn history(&mut self, seen: &Seen<'_>) {
        if seen.pointer_size != 8 {
            return;
        }
        let Some((head, generations)) = seen.payload.split_at_checked(HISTORY_HEAD) else { return };
        let count = head.last_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize);
        if generations.len() != count.saturating_mul(HISTORY_GENERATION) {
            return;
        }
        let sizes = generations.chunks_exact(HISTORY_GENERATION).filter_map(<[u8]>::first_chunk::<8>);
        let before = sizes.fold(0i64, |sum, size| sum.saturating_add(i64::from_le_bytes(*size)));
        let Some(gc) = self.collections.iter_mut().rev().find(|gc| !gc.ended) else { return };
        let known = gc.row.heap_before_bytes;
        gc.row.heap_before_bytes = if known == NO_INT { before } else { known.saturating_add(before) };
    }

    /// Shares out the suspensions and fills the tables; gives the threads that stopped the program to sample it.
    pub(crate) fn finish(mut self, recording: &mut Trace) -> Vec<u32> {
        self.collections.sort_by_key(|gc| gc.row.start_ns);
        self.done.sort_by_key(|suspension| (suspension.begin, suspension.end));
        let for_gc: Vec<Suspension> =
            self.done.iter().filter(|one| GC_REASONS.contains(&one.reason)).copied().collect();
        for suspension in &for_gc {
            self.share_out(suspension);
        }
        for gc in &self.collections {
            recording.gc.push(gc.row);
        }
        self.fill_pauses(recording)
    }

    fn share_out(&mut self, suspension: &Suspension) {
        let inside_from = self.collections.partition_point(|gc| gc.row.start_ns < suspension.begin);
        let inside_to = self.collections.partition_point(|gc| gc.row.start_ns <= suspension.end);
        let running = self.collections.get(..inside_from).unwrap_or_default().iter().rposition(|gc| {
            gc.background && (!gc.ended || gc.row.start_ns.saturating_add(gc.row.dur_ns) >= suspension.begin)
        });
        let first = (inside_from < inside_to).then_some(inside_from);
        let own = suspension.reason == GC_PREPARATION;
        let Some(mut owner) = (if own { running.or(first) } else { first.or(running) }) else { return };
        let stopped = suspension.stopped;
        if stopped != NO_INT {
            self.add(owner, 0, stopped.saturating_sub(suspension.begin));
        }
        let mut from = suspension.begin;
        for at in inside_from..inside_to {
            if at == owner {
                continue;
            }
            let start = self.collections.get(at).map_or(from, |gc| gc.row.start_ns);
            self.add(owner, start.saturating_sub(from), 0);
            (owner, from) = (at, start);
        }
        self.add(owner, suspension.end.saturating_sub(from), 0);
    }

    fn add(&mut self, collection: usize, pause: i64, suspend: i64) {
        let Some(gc) = self.collections.get_mut(collection) else { return };
        let plus = |known: i64, more: i64| if known == NO_INT { more } else { known.saturating_add(more) };
        gc.row.pause_ns = plus(gc.row.pause_ns, pause);
        gc.row.suspend_ns = plus(gc.row.suspend_ns, suspend);
    }

    fn fill_pauses(&self, recording: &mut Trace) -> Vec<u32> {
        let mut samplers = Vec::new();
        let [gc, profiler, other] = ["gc", "profiler", "other"].map(|word| recording.strings.intern(word));
        for one in &self.done {
            let sampled = model::sorted_range(&recording.samples.ts_ns, one.begin, one.end);
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
