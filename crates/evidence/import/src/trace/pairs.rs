//! Waits: rows that are made of a start and a stop of one thread.
//!
//! A start waits for its stop by thread. A stop without a start makes no row; a start without a stop makes a row whose
//! duration is null, when the recording ends. So does a start after which events of its thread were lost.

use super::budget::{MAP, of};
use super::kinds::PairEvent;
use super::rawstacks::RawStack;
use super::seen::Seen;
use base::seeded::SeededMap;
use model::{ContentionRow, Contentions, Lost, NO_INT, Strings, ThreadId, WaitRow, Waits, or_none};

/// The runtime's own measure of a wait may exceed the time between its two events by this.
const WAIT_SLACK_NS: i64 = 100_000_000;

/// The tables that pairs fill.
#[derive(Debug)]
pub(crate) struct PairTables<'a> {
    pub(crate) strings: &'a mut Strings,
    pub(crate) lost: &'a mut Lost,
    pub(crate) contention: &'a mut Contentions<RawStack>,
    pub(crate) waits: &'a mut Waits<RawStack>,
}

/// Starts that wait for their stop.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    contention: SeededMap<ThreadId, Vec<ContentionRow<RawStack>>>,
    waits: SeededMap<ThreadId, Vec<WaitRow<RawStack>>>,
    /// How many of both wait.
    open_starts: usize,
    left_open: LeftOpen,
}

/// Rows that never got their stop.
#[derive(Debug, Default)]
struct LeftOpen {
    contention: Vec<ContentionRow<RawStack>>,
    waits: Vec<WaitRow<RawStack>>,
}

impl Pairs {
    /// Takes a start or a stop.
    pub(crate) fn take(&mut self, event: PairEvent, seen: &Seen<'_>, tables: PairTables<'_>) {
        let PairTables { strings, lost, contention, waits } = tables;
        match event {
            PairEvent::ContentionStart => {
                let row = ContentionRow {
                    ts_ns: seen.ns,
                    dur_ns: NO_INT,
                    thread: seen.thread,
                    owner_thread: or_none(seen.fields.int("LockOwnerThreadID").filter(|id| *id != 0)),
                    lock: seen.address("LockID", strings),
                    stack: seen.stack,
                };
                self.open_starts = self.open_starts.saturating_add(1);
                self.contention.entry(seen.thread).or_default().push(row);
            }
            PairEvent::ContentionStop => {
                let Some(row) = self.contention.get_mut(&seen.thread).and_then(Vec::pop) else { return };
                self.open_starts = self.open_starts.saturating_sub(1);
                let dur_ns = contention_ns(&row, seen, lost);
                contention.push(ContentionRow { dur_ns, ..row });
            }
            PairEvent::WaitStart => {
                let row = WaitRow {
                    ts_ns: seen.ns,
                    dur_ns: NO_INT,
                    thread: seen.thread,
                    source: seen.word("WaitSource", strings),
                    object: seen.address("AssociatedObjectID", strings),
                    stack: seen.stack,
                };
                self.open_starts = self.open_starts.saturating_add(1);
                self.waits.entry(seen.thread).or_default().push(row);
            }
            PairEvent::WaitStop => {
                let Some(row) = self.waits.get_mut(&seen.thread).and_then(Vec::pop) else { return };
                self.open_starts = self.open_starts.saturating_sub(1);
                waits.push(WaitRow { dur_ns: seen.ns.saturating_sub(row.ts_ns), ..row });
            }
        }
    }

    /// Events of a thread were lost, which may be the stops of what it began before: a later stop ends another wait.
    pub(crate) fn lose(&mut self, thread: ThreadId) {
        let contention = self.contention.remove(&thread).unwrap_or_default();
        let waits = self.waits.remove(&thread).unwrap_or_default();
        self.open_starts = self.open_starts.saturating_sub(contention.len()).saturating_sub(waits.len());
        self.left_open.contention.extend(contention);
        self.left_open.waits.extend(waits);
    }

    /// Begins a stream of another process, whose stops do not end what waits here.
    pub(crate) fn begin_process(&mut self) {
        let mut contention: Vec<_> = std::mem::take(&mut self.contention).into_values().flatten().collect();
        let mut waits: Vec<_> = std::mem::take(&mut self.waits).into_values().flatten().collect();
        self.open_starts = 0;
        // Without an order of their own, rows of one time would come in the order of a map.
        contention.sort_by_key(|row| (row.ts_ns, row.thread));
        waits.sort_by_key(|row| (row.ts_ns, row.thread));
        self.left_open.contention.extend(contention);
        self.left_open.waits.extend(waits);
    }

    /// Adds the rows that never got their stop.
    pub(crate) fn finish(mut self, contention: &mut Contentions<RawStack>, waits: &mut Waits<RawStack>) {
        self.begin_process();
        for row in self.left_open.contention {
            contention.push(row);
        }
        for row in self.left_open.waits {
            waits.push(row);
        }
    }

    /// About how many bytes it takes.
    pub(crate) fn kept_bytes(&self) -> usize {
        let (contention, waits) = (size_of::<ContentionRow<RawStack>>(), size_of::<WaitRow<RawStack>>());
        let threads = self.contention.len().saturating_add(self.waits.len());
        [
            // A start waits for its stop in its thread's list.
            of(self.open_starts, contention.max(waits)),
            of(threads, MAP * 33 + contention.max(waits)),
            of(self.left_open.contention.len(), contention),
            of(self.left_open.waits.len(), waits),
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }
}

/// How long a thread waited for a lock, as the runtime measured it or else by its two events.
fn contention_ns(row: &ContentionRow<RawStack>, seen: &Seen<'_>, lost: &mut Lost) -> i64 {
    let between = seen.ns.saturating_sub(row.ts_ns);
    #[expect(clippy::cast_possible_truncation, reason = "nanoseconds of a wait fit; the cast saturates")]
    let measured = seen.fields.real("DurationNs").map(|ns| ns as i64);
    match measured {
        None => between,
        // No wait lasts longer than from its first event to its last one.
        Some(ns) => or_none(seen.possible(ns, 0..=between.saturating_add(WAIT_SLACK_NS), lost)),
    }
}
