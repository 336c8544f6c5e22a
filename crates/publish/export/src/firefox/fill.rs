//! Rows of tables as markers, allocations as samples, and the heap as a counter.

use super::kinds::{Kind, Row};
use super::{File, PROCESS, Place, at};
use crate::weigh::{Leaf, What, each, nanoseconds, rows};
use crate::written::{Count, LeftOut, pauses_by_cause, wide};
use base::number::saturated;
use fxprof_processed_profile::{MarkerTiming, StringHandle};
use model::{NO_INT, StackId, Sym};
use std::collections::BTreeMap;

/// The values that are drawn beside the threads: instruments of meters, and the older event counters.
const GAUGES: [&str; 4] = [
    "dotnet.thread_pool.queue.length",
    "dotnet.thread_pool.thread.count",
    "threadpool-queue-length",
    "threadpool-thread-count",
];

/// When a marker begins, and how long it is.
#[derive(Debug, Clone, Copy)]
struct When {
    from_ns: i64,
    /// [`NO_INT`] if the end is missing. The viewer then draws the marker to the end of the recording, and says so.
    dur_ns: i64,
}

impl When {
    fn timing(self) -> MarkerTiming {
        let from = at(self.from_ns);
        match nanoseconds(self.dur_ns).and_then(|ns| i64::try_from(ns).ok()) {
            Some(ns) => MarkerTiming::Interval(from, at(self.from_ns.max(0).saturating_add(ns))),
            None => MarkerTiming::IntervalStart(from),
        }
    }
}

impl File<'_> {
    /// Writes the tables whose rows are markers.
    pub(super) fn markers(&mut self) {
        self.requests();
        self.spans();
        self.collections();
        self.waits();
        self.exceptions();
        self.compilations();
        self.gauges();
    }

    fn text(&mut self, sym: Sym) -> StringHandle {
        let text = self.recording.strings.text(sym);
        self.profile.intern_string(text)
    }

    fn number(&mut self, value: i64) -> StringHandle {
        let text = if value == NO_INT { String::new() } else { value.to_string() };
        self.profile.intern_string(&text)
    }

    fn marker(
        &mut self,
        place: Place,
        kind: Kind,
        timing: MarkerTiming,
        texts: &[StringHandle],
        stack: Option<StackId>,
    ) {
        let Some(thread) = self.threads.get(place).map(|of| of.handle) else { return };
        let marker = self.profile.add_marker(thread, timing, Row { kind, texts, value: 0.0 });
        let node = self.tree.node(stack);
        if node.is_none() {
            return;
        }
        let stack = self.stack(place, node, Leaf::Own);
        self.profile.set_marker_stack(thread, marker, stack);
    }

    fn holds(&mut self, what: &str, count: usize) {
        if count > 0 {
            self.report.holds.push(Count::new(what, wide(count)));
        }
    }

    fn requests(&mut self) {
        let requests = &self.recording.requests;
        for (_, row) in rows(requests.start_ns.len(), |at| requests.row(at)) {
            let text = |sym| self.recording.strings.text(sym);
            let path = if row.route == Sym::NONE { row.path } else { row.route };
            let request = format!("{} {}", text(row.method), text(path));
            let texts = [self.profile.intern_string(&request), self.number(row.status)];
            let when = When { from_ns: row.start_ns, dur_ns: row.dur_ns };
            self.marker(PROCESS, self.kinds.request, when.timing(), &texts, None);
        }
        self.holds("requests", requests.start_ns.len());
    }

    fn spans(&mut self) {
        let spans = &self.recording.spans;
        for (_, row) in rows(spans.start_ns.len(), |at| spans.row(at)) {
            let texts = [row.name, row.source, row.tags].map(|sym| self.text(sym));
            let when = When { from_ns: row.start_ns, dur_ns: row.dur_ns };
            self.marker(PROCESS, self.kinds.span, when.timing(), &texts, None);
        }
        self.holds("spans", spans.start_ns.len());
    }

    fn collections(&mut self) {
        let gc = &self.recording.gc;
        for (_, row) in rows(gc.start_ns.len(), |at| gc.row(at)) {
            let texts = [self.number(row.generation), self.text(row.kind), self.text(row.reason)];
            let when = When { from_ns: row.start_ns, dur_ns: row.dur_ns };
            // Any thread may have triggered the collection, so its marker belongs to the process.
            self.marker(PROCESS, self.kinds.collection, when.timing(), &texts, row.stack);
        }
        self.holds("collections", gc.start_ns.len());
        let pauses = &self.recording.pauses;
        for (_, row) in rows(pauses.ts_ns.len(), |at| pauses.row(at)) {
            let texts = [self.text(row.cause)];
            let when = When { from_ns: row.ts_ns, dur_ns: row.dur_ns };
            self.marker(PROCESS, self.kinds.pause, when.timing(), &texts, None);
        }
        self.report.holds.extend(pauses_by_cause(self.recording));
    }

    fn waits(&mut self) {
        let contention = &self.recording.contention;
        for (_, row) in rows(contention.ts_ns.len(), |at| contention.row(at)) {
            let place = self.place(row.thread);
            let texts = [self.text(row.lock), self.number(row.owner_thread)];
            let when = When { from_ns: row.ts_ns, dur_ns: row.dur_ns };
            self.marker(place, self.kinds.lock, when.timing(), &texts, row.stack);
        }
        self.holds(What::Contention.rows(), contention.ts_ns.len());
        let waits = &self.recording.waits;
        for (_, row) in rows(waits.ts_ns.len(), |at| waits.row(at)) {
            let place = self.place(row.thread);
            let texts = [self.text(row.source), self.text(row.object)];
            let when = When { from_ns: row.ts_ns, dur_ns: row.dur_ns };
            self.marker(place, self.kinds.handle, when.timing(), &texts, row.stack);
        }
        self.holds(What::Waits.rows(), waits.ts_ns.len());
    }

    fn exceptions(&mut self) {
        let exceptions = &self.recording.exceptions;
        for (_, row) in rows(exceptions.ts_ns.len(), |at| exceptions.row(at)) {
            let place = self.place(row.thread);
            let texts = [self.text(row.class), self.text(row.message)];
            let timing = MarkerTiming::Instant(at(row.ts_ns));
            self.marker(place, self.kinds.exception, timing, &texts, row.stack);
        }
        self.holds(What::Exceptions.rows(), exceptions.ts_ns.len());
    }

    fn compilations(&mut self) {
        let jit = &self.recording.jit;
        for (_, row) in rows(jit.ts_ns.len(), |at| jit.row(at)) {
            let place = self.place(row.thread);
            let texts = [self.text(row.method), self.text(row.tier)];
            // A load of code without a start is an instant, not a compilation without an end.
            let timing = match nanoseconds(row.dur_ns) {
                Some(_) => When { from_ns: row.ts_ns, dur_ns: row.dur_ns }.timing(),
                None => MarkerTiming::Instant(at(row.ts_ns)),
            };
            self.marker(place, self.kinds.compilation, timing, &texts, row.stack);
        }
        self.holds("compilations", jit.ts_ns.len());
    }

    /// The thread pool's values, each with a graph of its own name.
    fn gauges(&mut self) {
        let counters = &self.recording.counters;
        let value = self.recording.strings.find("value");
        let mut shown = 0;
        for (_, row) in rows(counters.ts_ns.len(), |at| counters.row(at)) {
            let name = self.recording.strings.text(row.name);
            if !GAUGES.contains(&name) || Some(row.kind) != value || !row.value.is_finite() {
                continue;
            }
            let kind = Kind { name: self.profile.intern_string(name), ..self.kinds.gauge };
            let Some(process) = self.threads.get(PROCESS) else { return };
            let timing = MarkerTiming::Instant(at(row.ts_ns));
            self.profile.add_marker(process.handle, timing, Row { kind, texts: &[], value: row.value });
            shown += 1;
        }
        self.holds("values of the thread pool", shown);
        let others = counters.ts_ns.len() - shown;
        if others > 0 {
            let values = Count::new("values of counters", wide(others)).words();
            let about = format!("{values} (the viewer draws only the thread pool's)");
            self.report.left_out.push(LeftOut::cut(about, wide(others)));
        }
    }

    /// Allocation samples, weighted by the bytes that they represent.
    pub(super) fn allocations(&mut self) {
        let mut found = Vec::new();
        let without = each(self.recording, self.tree, What::Allocations, &mut |row| found.push(row));
        for row in &found {
            let stack = self.stack(PROCESS, row.node, row.leaf);
            let Some(process) = self.threads.get(PROCESS) else { return };
            let Some(ts_ns) = self.recording.allocations.ts_ns.get(row.row) else { continue };
            let when = at(*ts_ns);
            let bytes = saturated(row.weight);
            // The runtime reports no addresses, so each sample is an object of its own that is never freed.
            self.profile.add_allocation_sample(process.handle, when, stack, wide(row.row), bytes);
        }
        self.holds(What::Allocations.rows(), found.len());
        self.report.left_out.extend(What::Allocations.without_weight(without));
    }

    /// The heap after each collection, as the memory counter.
    pub(super) fn heap(&mut self) {
        let gc = &self.recording.gc;
        // A background collection may end after a later one. The counter is a sum of changes, so the values are sorted.
        let mut values: BTreeMap<(i64, usize), i64> = BTreeMap::new();
        for (number, row) in rows(gc.start_ns.len(), |at| gc.row(at)) {
            let ended = nanoseconds(row.dur_ns).and_then(|ns| i64::try_from(ns).ok());
            if let Some(ended) = ended.filter(|_| row.heap_after_bytes >= 0) {
                values.insert((row.start_ns.max(0).saturating_add(ended), number), row.heap_after_bytes);
            }
        }
        if values.is_empty() {
            return;
        }
        let about = "The heap after each collection, free space included";
        let counter = self.profile.add_counter(self.process, "heap", "Memory", about);
        let mut before = 0;
        for ((when, _), bytes) in &values {
            self.profile.add_counter_sample(counter, at(*when), (bytes - before) as f64, 0);
            before = *bytes;
        }
        self.holds("sizes of the heap", values.len());
    }
}
