//! Small recordings for the tests.

use model::{
    AllocationRow, ContentionRow, ExceptionRow, GcRow, JitRow, NO_INT, PauseRow, SpanRow, StackId, ThreadId,
    ThreadRow, Trace,
};

/// A recording that is being made. Times are milliseconds, threads the numbers of the operating system.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    pub(crate) recording: Trace,
}

impl Builder {
    pub(crate) fn thread(&mut self, id: i64) -> ThreadId {
        if let Some(known) = self.recording.thread_ids.find(|known| *known == id) {
            return known;
        }
        let thread = self.recording.thread_ids.push(id);
        let (kind, none) = (self.recording.text("pool"), ThreadRow::blank());
        self.recording.threads.push(ThreadRow { thread: id, kind, first_ts_ns: 0, last_ts_ns: 0, ..none });
        thread
    }

    /// The stack of these frames, the outermost first.
    pub(crate) fn stack(&mut self, frames: &[&str]) -> Option<StackId> {
        self.recording.stack(frames)
    }

    pub(crate) fn sample(&mut self, at_ms: i64, thread: i64, state: &str, on: Option<&str>, stack: &[&str]) {
        let (thread, texts) = (self.thread(thread), ["managed", state, on.unwrap_or_default()]);
        self.recording.sample(ns(at_ms), thread, texts, stack);
    }

    pub(crate) fn allocates(&mut self, at_ms: i64, thread: i64, class: &str, weight: f64, stack: &[&str]) {
        let (thread, stack) = (self.thread(thread), self.stack(stack));
        let [class, kind, source] = self.recording.texts([class, "Small", "tick"]);
        let (ts_ns, bytes, weight_bytes) = (ns(at_ms), NO_INT, weight);
        let row = AllocationRow { ts_ns, thread, class, kind, bytes, source, weight_bytes, stack };
        self.recording.allocations.push(row);
    }

    /// A wait for a lock of so many nanoseconds.
    pub(crate) fn contends(&mut self, at_ms: i64, thread: i64, dur_ns: Option<i64>, stack: &[&str]) {
        let (thread, stack, lock) = (self.thread(thread), self.stack(stack), self.recording.text("0x10"));
        let dur_ns = dur_ns.unwrap_or(NO_INT);
        let row = ContentionRow { ts_ns: ns(at_ms), dur_ns, thread, owner_thread: NO_INT, lock, stack };
        self.recording.contention.push(row);
    }

    pub(crate) fn throws(&mut self, at_ms: i64, thread: i64, class: &str, message: &str, stack: &[&str]) {
        let (thread, stack) = (self.thread(thread), self.stack(stack));
        let [class, message] = self.recording.texts([class, message]);
        let row = ExceptionRow { ts_ns: ns(at_ms), thread, class, message, stack, activity: None };
        self.recording.exceptions.push(row);
    }

    pub(crate) fn gc(&mut self, at_ms: i64, ms: Option<i64>) {
        let thread = self.thread(1);
        let [kind, reason, cause] = self.recording.texts(["NonConcurrentGC", "AllocSmall", "gc"]);
        let dur_ns = ms.map_or(NO_INT, ns);
        self.recording.gc.push(GcRow {
            number: 1,
            generation: 0,
            kind,
            reason,
            start_ns: ns(at_ms),
            dur_ns,
            pause_ns: dur_ns,
            heap_after_bytes: 1_000,
            thread,
            ..GcRow::blank()
        });
        self.recording.pauses.push(PauseRow { ts_ns: ns(at_ms), dur_ns: ms.map_or(0, ns), cause });
    }

    pub(crate) fn compiles(&mut self, at_ms: i64, thread: i64, ms: Option<i64>, method: &str) {
        let (thread, [method, tier]) = (self.thread(thread), self.recording.texts([method, "QuickJitted"]));
        let (ts_ns, dur_ns, stack) = (ns(at_ms), ms.map_or(NO_INT, ns), None);
        let (il_bytes, native_bytes) = (NO_INT, 7);
        let row = JitRow { ts_ns, dur_ns, thread, method, il_bytes, native_bytes, tier, stack };
        self.recording.jit.push(row);
    }

    pub(crate) fn counter(&mut self, at_ms: i64, name: &str, kind: &str, value: f64) {
        self.recording.counter(ns(at_ms), ["System.Runtime", name, "", kind, "{}"], value);
    }

    pub(crate) fn request(&mut self, at_ms: i64, ms: Option<i64>, path: &str) {
        self.recording.request(ns(at_ms), ms.map_or(NO_INT, ns), path, NO_INT);
    }

    pub(crate) fn span(&mut self, at_ms: i64, ms: i64, name: &str) {
        let [source, name, kind] = self.recording.texts(["Client", name, "Client"]);
        let (start_ns, dur_ns) = (ns(at_ms), ns(ms));
        self.recording.spans.push(SpanRow { start_ns, dur_ns, source, name, kind, ..SpanRow::blank() });
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
