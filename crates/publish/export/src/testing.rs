//! Small recordings for the tests.

use model::{
    AllocationRow, ContentionRow, CounterRow, ExceptionRow, Frame, GcRow, JitRow, NO_INT, PauseRow,
    RequestRow, SampleRow, SpanRow, StackId, Sym, ThreadId, ThreadRow, Trace,
};

/// A recording that is being made. Times are milliseconds, threads the numbers of the operating system.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    pub(crate) recording: Trace,
}

impl Builder {
    pub(crate) fn text(&mut self, text: &str) -> Sym {
        self.recording.strings.intern(text)
    }

    fn maybe(&mut self, text: Option<&str>) -> Sym {
        text.map_or(Sym::NONE, |text| self.text(text))
    }

    pub(crate) fn thread(&mut self, id: i64) -> ThreadId {
        if let Some(known) = self.recording.thread_ids.find(|known| *known == id) {
            return known;
        }
        let thread = self.recording.thread_ids.push(id);
        let (name, kind) = (Sym::NONE, self.text("pool"));
        let row =
            ThreadRow { thread: id, name, kind, first_ts_ns: 0, last_ts_ns: 0, samples: 0, process: NO_INT };
        self.recording.threads.push(row);
        thread
    }

    /// The stack of these frames, the outermost first.
    pub(crate) fn stack(&mut self, frames: &[&str]) -> Option<StackId> {
        let mut node = None;
        for frame in frames {
            let name = self.text(frame);
            let known = self.recording.frames.name.find(|of| *of == name);
            let none = Sym::NONE;
            let new =
                Frame { module: none, declaring_type: none, method: none, signature: none, name, tier: none };
            let frame = known.unwrap_or_else(|| self.recording.frames.push(new));
            node = Some(self.recording.stacks.child(node, frame));
        }
        node
    }

    pub(crate) fn sample(&mut self, at_ms: i64, thread: i64, state: &str, on: Option<&str>, stack: &[&str]) {
        let (thread, stack) = (self.thread(thread), self.stack(stack));
        let (kind, state, waiting_on) = (self.text("managed"), self.text(state), self.maybe(on));
        self.recording.samples.push(SampleRow { ts_ns: ns(at_ms), thread, stack, kind, state, waiting_on });
    }

    pub(crate) fn allocates(&mut self, at_ms: i64, thread: i64, class: &str, weight: f64, stack: &[&str]) {
        let (thread, stack) = (self.thread(thread), self.stack(stack));
        let (class, kind, source) = (self.text(class), self.text("Small"), self.text("tick"));
        let (ts_ns, bytes) = (ns(at_ms), NO_INT);
        let row = AllocationRow { ts_ns, thread, class, kind, bytes, source, weight_bytes: weight, stack };
        self.recording.allocations.push(row);
    }

    /// A wait for a lock of so many nanoseconds.
    pub(crate) fn contends(&mut self, at_ms: i64, thread: i64, dur_ns: Option<i64>, stack: &[&str]) {
        let (thread, stack, lock) = (self.thread(thread), self.stack(stack), self.text("0x10"));
        let dur_ns = dur_ns.unwrap_or(NO_INT);
        let row = ContentionRow { ts_ns: ns(at_ms), dur_ns, thread, owner_thread: NO_INT, lock, stack };
        self.recording.contention.push(row);
    }

    pub(crate) fn throws(&mut self, at_ms: i64, thread: i64, class: &str, message: &str, stack: &[&str]) {
        let (thread, stack) = (self.thread(thread), self.stack(stack));
        let (class, message) = (self.text(class), self.text(message));
        let row = ExceptionRow { ts_ns: ns(at_ms), thread, class, message, stack, activity: None };
        self.recording.exceptions.push(row);
    }

    pub(crate) fn gc(&mut self, at_ms: i64, ms: Option<i64>) {
        let thread = self.thread(1);
        let (kind, reason) = (self.text("NonConcurrentGC"), self.text("AllocSmall"));
        let none = NO_INT;
        let dur_ns = ms.map_or(none, ns);
        self.recording.gc.push(GcRow {
            number: 1,
            generation: 0,
            kind,
            reason,
            start_ns: ns(at_ms),
            dur_ns,
            pause_ns: dur_ns,
            suspend_ns: none,
            heap_before_bytes: none,
            heap_after_bytes: 1_000,
            promoted_bytes: none,
            gen0_bytes: none,
            gen1_bytes: none,
            gen2_bytes: none,
            loh_bytes: none,
            poh_bytes: none,
            pinned_objects: none,
            thread,
            stack: None,
        });
        let cause = self.text("gc");
        self.recording.pauses.push(PauseRow { ts_ns: ns(at_ms), dur_ns: ms.map_or(0, ns), cause });
    }

    pub(crate) fn compiles(&mut self, at_ms: i64, thread: i64, ms: Option<i64>, method: &str) {
        let (thread, method, tier) = (self.thread(thread), self.text(method), self.text("QuickJitted"));
        let (ts_ns, dur_ns, stack) = (ns(at_ms), ms.map_or(NO_INT, ns), None);
        let (il_bytes, native_bytes) = (NO_INT, 7);
        let row = JitRow { ts_ns, dur_ns, thread, method, il_bytes, native_bytes, tier, stack };
        self.recording.jit.push(row);
    }

    pub(crate) fn counter(&mut self, at_ms: i64, name: &str, kind: &str, value: f64) {
        let (provider, name, kind) = (self.text("System.Runtime"), self.text(name), self.text(kind));
        let (ts_ns, unit, tags) = (ns(at_ms), Sym::NONE, self.text("{}"));
        self.recording.counters.push(CounterRow { ts_ns, provider, name, unit, kind, value, tags });
    }

    pub(crate) fn request(&mut self, at_ms: i64, ms: Option<i64>, path: &str) {
        let (method, path) = (self.text("GET"), self.text(path));
        self.recording.requests.push(RequestRow {
            dur_ns: ms.map_or(NO_INT, ns),
            ..RequestRow::begun(ns(at_ms), ThreadId::FIRST, method, path)
        });
    }

    pub(crate) fn span(&mut self, at_ms: i64, ms: i64, name: &str) {
        let (source, name, kind) = (self.text("Client"), self.text(name), self.text("Client"));
        let (start_ns, dur_ns, none) = (ns(at_ms), ns(ms), Sym::NONE);
        let (span_id, parent_id, trace_id, tags) = (none, none, none, none);
        let row = SpanRow { start_ns, dur_ns, source, name, kind, span_id, parent_id, trace_id, tags };
        self.recording.spans.push(row);
    }

    pub(crate) fn done(self) -> Trace {
        self.recording
    }
}

/// A little of everything, as every format has to show it.
pub(crate) fn usual() -> Trace {
    let mut builder = Builder::default();
    builder.recording.exhibit.name = Some("Orders".to_owned());
    builder.recording.exhibit.pid = Some(4711);
    builder.recording.exhibit.start_utc = "2026-11-24T10:15:00Z".to_owned();
    builder.recording.exhibit.duration_ns = ns(100);
    for at in [0, 10, 20] {
        builder.sample(at, 8, "running", None, &["Main", "Shop!Cart.Add(int32)"]);
        builder.sample(at, 9, "waiting", Some("task"), &["Main", "Task.Wait()"]);
    }
    builder.sample(30, 8, "running", None, &["Main", "Shop!Cart.Sum()"]);
    builder.sample(30, 9, "external", None, &[]);
    builder.allocates(3, 8, "System.String", 1_000.0, &["Main", "Shop!Cart.Add(int32)"]);
    builder.contends(4, 9, Some(2_000_000), &["Main", "Monitor.Enter"]);
    builder.contends(90, 9, None, &["Main", "Monitor.Enter"]);
    builder.throws(5, 8, "System.Exception", "no <cart>", &["Main"]);
    builder.gc(6, Some(2));
    builder.compiles(7, 8, Some(1), "Shop!Cart.Add(int32)");
    builder.compiles(9, 8, None, "Shop!Cart.Sum()");
    builder.counter(10, "dotnet.thread_pool.queue.length", "value", 3.0);
    builder.counter(20, "dotnet.thread_pool.queue.length", "value", f64::NAN);
    builder.request(1, Some(8), "/cart");
    builder.request(5, None, "/slow");
    builder.span(2, 3, "SELECT");
    builder.recording.missing.events = 7;
    builder.done()
}

fn ns(ms: i64) -> i64 {
    ms.saturating_mul(1_000_000)
}
