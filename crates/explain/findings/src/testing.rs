//! Recordings made by hand for the tests of the rules.
//!
//! A [`Scene`] lasts some seconds on some CPU cores, with [`LOOKS`] rounds of sampling. It begins as a service at
//! rest: one thread, which waits in the entry point for the host's end. Whatever a test adds is all there is besides.
//! [`Scene::says`] is the only place that asks a rule; it also runs the queries of its evidence, which must give rows.

use crate::facts::Facts;
use crate::rule::Rule;
use model::{
    AllocationRow, ContentionRow, EventKind, ExceptionRow, GcRow, JitRow, LogRow, NO_INT, SpanRow, StackId,
    ThreadId, ThreadPoolRow, ThreadRow, Trace,
};
use report::Severity;
use runtime::StackIndex;
use sql::{Database, QueryOptions};
use std::ops::Range;
use std::sync::Arc;

/// Looks of the sampler.
pub(crate) const LOOKS: i64 = 100;
/// The runtime's provider.
pub(crate) const RUNTIME: &str = "Microsoft-Windows-DotNETRuntime";
/// Work of the pool: the outer frame of what a worker does.
pub(crate) const WORK: &str = "System.Private.CoreLib!System.Threading.ThreadPoolWorkQueue.Dispatch";
/// A request of ASP.NET Core.
pub(crate) const REQUEST: &str = "Microsoft.AspNetCore.Server.Kestrel.Core!Microsoft.AspNetCore.Server.Kestrel.Core.Internal.Http.HttpProtocol.ProcessRequests";
/// A method of the service.
pub(crate) const CART: &str = "Shop!Shop.Cart.Total";
/// A line of the log on its way.
pub(crate) const LOG: &str = "Microsoft.Extensions.Logging!Microsoft.Extensions.Logging.Logger.Log";
/// The innermost frame of most waits.
pub(crate) const WAIT: &str = "System.Private.CoreLib!System.Threading.Monitor.Wait";

/// A recording in the making.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) recording: Trace,
}

impl Scene {
    /// A service at rest: ten seconds on two cores.
    pub(crate) fn new() -> Self {
        Self::lasting(10, 2)
    }

    /// A service at rest.
    pub(crate) fn lasting(seconds: i64, cores: u32) -> Self {
        let mut scene = Self { recording: Trace::default() };
        scene.recording.exhibit.duration_ns = seconds * 1_000_000_000;
        scene.recording.exhibit.cores = Some(cores);
        scene.covers("events", 0, seconds * 1000);
        scene.covers("samples", 0, seconds * 1000);
        scene.event(0, RUNTIME, "GC/Start", 0.into(), &[]);
        let main = scene.thread("main");
        scene.waits(main, 0..LOOKS, "task", &["Shop!Program.<Main>$", "Microsoft.Extensions.Hosting.Abstractions!Microsoft.Extensions.Hosting.HostingAbstractionsHostExtensions.Run", WAIT]);
        scene
    }

    /// The same without samples.
    pub(crate) fn without_samples(mut self) -> Self {
        let samples = self.recording.text("samples");
        self.recording.samples = model::Samples::default();
        let coverage = std::mem::take(&mut self.recording.coverage);
        let rows = (0..coverage.source.len()).filter_map(|at| coverage.row(at));
        rows.filter(|row| row.source != samples).for_each(|row| self.recording.coverage.push(row));
        self
    }

    /// Samples or events were recorded from one millisecond to another.
    pub(crate) fn covers(&mut self, source: &str, from_ms: i64, to_ms: i64) {
        self.recording.covers(source, ns(from_ms), ns(to_ms));
    }

    /// A thread that is there all the time.
    pub(crate) fn thread(&mut self, kind: &str) -> ThreadId {
        let end = self.recording.exhibit.duration_ns;
        self.thread_of(kind, 0, end)
    }

    /// A thread that is seen from one nanosecond to another.
    pub(crate) fn thread_of(&mut self, kind: &str, first_ts_ns: i64, last_ts_ns: i64) -> ThreadId {
        let thread = i64::try_from(self.recording.thread_ids.len()).unwrap() + 100;
        let (kind, id) = (self.recording.text(kind), self.recording.thread(thread));
        self.recording.threads.push(ThreadRow {
            thread,
            kind,
            first_ts_ns,
            last_ts_ns,
            ..ThreadRow::blank()
        });
        id
    }

    /// A stack of `Module!Type.Method`, the outermost first; none of none.
    pub(crate) fn stack(&mut self, methods: &[&str]) -> Option<StackId> {
        self.recording.stack(methods)
    }

    /// A thread runs in a stack at these looks.
    pub(crate) fn runs(&mut self, thread: ThreadId, looks: Range<i64>, stack: &[&str]) {
        self.sample(thread, looks, ["managed", "running", ""], stack);
    }

    /// A thread waits.
    pub(crate) fn waits(&mut self, thread: ThreadId, looks: Range<i64>, on: &str, stack: &[&str]) {
        self.sample(thread, looks, ["external", "waiting", on], stack);
    }

    /// A thread is in native code.
    pub(crate) fn outside(&mut self, thread: ThreadId, looks: Range<i64>, stack: &[&str]) {
        self.sample(thread, looks, ["external", "external", ""], stack);
    }

    fn sample(&mut self, thread: ThreadId, looks: Range<i64>, words: [&str; 3], stack: &[&str]) {
        let step = self.recording.exhibit.duration_ns / LOOKS;
        for look in looks {
            self.recording.sample(look * step, thread, words, stack);
        }
    }

    /// So many workers of the pool that wait at these looks and are not seen otherwise.
    pub(crate) fn workers_wait(&mut self, workers: usize, looks: Range<i64>, on: &str, stack: &[&str]) {
        for _ in 0..workers {
            let worker = self.thread("pool");
            self.waits(worker, looks.clone(), on, stack);
        }
    }

    /// So many workers of the pool that run at these looks and are not seen otherwise.
    pub(crate) fn workers_run(&mut self, workers: usize, looks: Range<i64>, stack: &[&str]) {
        for _ in 0..workers {
            let worker = self.thread("pool");
            self.runs(worker, looks.clone(), stack);
        }
    }

    /// An event.
    pub(crate) fn event(&mut self, at_ms: i64, provider: &str, name: &str, thread: ThreadId, stack: &[&str]) {
        let ([provider, name], stack) = (self.recording.texts([provider, name]), self.stack(stack));
        let events = &mut self.recording.events;
        let kind = events.add_kind(EventKind { provider, name, id: 1, version: 0 });
        events.ts_ns.push(ns(at_ms));
        events.kind.push(kind);
        events.thread.push(thread);
        events.stack.push(stack);
        events.activity.push(None);
        events.stream.push(0);
    }

    /// A collection of generation 0 that stops the program for a millisecond, and what is different of it.
    pub(crate) fn gc(&mut self, at_ms: i64, reason: &str, change: impl FnOnce(&mut GcRow)) {
        let [kind, reason] = self.recording.texts(["NonConcurrentGC", reason]);
        let mut row = GcRow {
            number: 1,
            generation: 0,
            kind,
            reason,
            start_ns: ns(at_ms),
            dur_ns: 1_000_000,
            pause_ns: 1_000_000,
            suspend_ns: 0,
            ..GcRow::blank()
        };
        change(&mut row);
        self.recording.gc.push(row);
    }

    /// A sampled allocation that stands for so many bytes, in [`CART`].
    pub(crate) fn allocates(&mut self, at_ms: i64, kind: &str, bytes: f64) {
        let [class, kind, source] = self.recording.texts(["System.Byte[]", kind, "tick"]);
        let (ts_ns, stack) = (ns(at_ms), self.stack(&[WORK, CART]));
        let (weight_bytes, none) = (bytes, AllocationRow::blank());
        let row = AllocationRow { ts_ns, class, kind, source, weight_bytes, stack, ..none };
        self.recording.allocations.push(row);
    }

    /// A wait for a lock; [`NO_INT`] milliseconds where it does not end.
    pub(crate) fn contends(
        &mut self,
        thread: ThreadId,
        at_ms: i64,
        ms: i64,
        owner: Option<ThreadId>,
        stack: &[&str],
    ) {
        let (lock, stack) = (self.recording.text("0x10"), self.stack(stack));
        let dur_ns = if ms == NO_INT { NO_INT } else { ns(ms) };
        let owner_thread = owner.map_or(NO_INT, |of| i64::from(of.number()) + 100);
        let row = ContentionRow { ts_ns: ns(at_ms), dur_ns, thread, owner_thread, lock, stack };
        self.recording.contention.push(row);
    }

    /// The pool changes its number of workers.
    pub(crate) fn adjusts(&mut self, at_ms: i64, reason: &str, workers: i64) {
        let [event, reason] = self.recording.texts(["adjustment", reason]);
        let row = ThreadPoolRow { ts_ns: ns(at_ms), event, reason, workers, throughput: 0.0 };
        self.recording.threadpool.push(row);
    }

    /// Processor time of a thread so far.
    pub(crate) fn cpu_of(&mut self, thread: ThreadId, at_ms: i64, user_ns: i64) {
        let (ts_ns, thread) = (ns(at_ms), i64::from(thread.number()) + 100);
        let row = model::ThreadCpuRow { ts_ns, thread, user_ns, system_ns: 0, waited_ns: NO_INT };
        self.recording.thread_cpu.push(row);
    }

    /// The sentence that a rule says of it.
    pub(crate) fn title(self, rule: &Rule) -> String {
        let recording = self.done();
        let index = StackIndex::new(&recording);
        (rule.check)(&Facts::new(&recording, &index)).map_or_else(String::new, |found| found.title)
    }

    /// A reading of the host for each second.
    pub(crate) fn host(&mut self, name: &str, value: impl Fn(f64) -> f64) {
        let [name, unit] = self.recording.texts([name, "x"]);
        for second in 0..=self.recording.exhibit.duration_ns / 1_000_000_000 {
            let ts_ns = second * 1_000_000_000;
            let value = value(base::number::real(second));
            self.recording.host.push(model::HostRow { ts_ns, name, value, unit });
        }
    }

    /// A published value.
    pub(crate) fn counter(&mut self, at_ms: i64, name: &str, kind: &str, value: f64, tags: &str) {
        self.recording.counter(ns(at_ms), ["System.Runtime", name, "", kind, tags], value);
    }

    /// A meter of durations: so many in ten seconds, each of so many milliseconds, published every second.
    pub(crate) fn meter(&mut self, name: &str, count: f64, ms: f64, tags: &str) {
        for second in 1..=10 {
            self.counter(second * 1000, name, "count", count / 10.0, tags);
            self.counter(second * 1000, name, "sum", count / 10.0 * ms / 1e3, tags);
            self.counter(second * 1000, name, "p50", ms / 1e3, tags);
        }
    }

    /// A thread begins with a request.
    pub(crate) fn enters(&mut self, thread: ThreadId, at_ms: i64, path: &str) {
        let path = self.recording.text(path);
        self.recording.request_marks.ts_ns.push(ns(at_ms));
        self.recording.request_marks.thread.push(thread);
        self.recording.request_marks.path.push(path);
    }

    /// A request.
    pub(crate) fn request(&mut self, at_ms: i64, ms: i64, path: &str) {
        self.recording.request(ns(at_ms), ns(ms), path, NO_INT);
    }

    /// A call that a trace makes: its span of a client.
    pub(crate) fn call(&mut self, at_ms: i64, ms: i64, trace: &str, tags: &str) {
        let [source, name, kind] = self.recording.texts(["Client", "call", "Client"]);
        let [trace_id, tags] = self.recording.texts([trace, tags]);
        let (start_ns, dur_ns, parent_id, none) = (ns(at_ms), ns(ms), trace_id, SpanRow::blank());
        let row = SpanRow { start_ns, dur_ns, source, name, kind, parent_id, trace_id, tags, ..none };
        self.recording.spans.push(row);
    }

    /// An exception.
    pub(crate) fn throws(&mut self, at_ms: i64, class: &str, message: &str, stack: &[&str]) {
        let ([class, message], stack) = (self.recording.texts([class, message]), self.stack(stack));
        let row = ExceptionRow { ts_ns: ns(at_ms), class, message, stack, ..ExceptionRow::blank() };
        self.recording.exceptions.push(row);
    }

    /// A method that a thread compiles.
    pub(crate) fn compiles(&mut self, thread: ThreadId, at_ms: i64, ms: i64, method: &str, tier: &str) {
        let [method, tier] = self.recording.texts([method, tier]);
        let (ts_ns, dur_ns) = (ns(at_ms), ns(ms));
        let row = JitRow { ts_ns, dur_ns, thread, method, il_bytes: 10, native_bytes: 30, tier, stack: None };
        self.recording.jit.push(row);
    }

    /// A line of the log.
    pub(crate) fn logs(&mut self, at_ms: i64) {
        let [level, logger] = self.recording.texts(["Information", "Shop.Cart"]);
        self.recording.logs.push(LogRow { ts_ns: ns(at_ms), level, logger, ..LogRow::blank() });
    }

    /// The recording, its samples in the order of time.
    pub(crate) fn done(mut self) -> Trace {
        let times = &self.recording.samples.ts_ns;
        let mut order: Vec<u32> = (0..u32::try_from(times.len()).unwrap()).collect();
        order.sort_by_key(|row| times[*row as usize]);
        self.recording.samples.reorder(&order);
        self.recording
    }

    /// What follows from the recording's facts.
    pub(crate) fn facts<T>(self, of: impl FnOnce(&Facts<'_>) -> T) -> T {
        let recording = self.done();
        let index = StackIndex::new(&recording);
        of(&Facts::new(&recording, &index))
    }

    /// What a rule says: its severity, and its first place with the request if there is one. Each query of its evidence
    /// returns rows.
    pub(crate) fn says(self, rule: &Rule) -> Option<(Severity, String)> {
        let recording = Arc::new(self.done());
        let index = StackIndex::new(&recording);
        let facts = Facts::new(&recording, &index);
        if !rule.needs.iter().any(|need| facts.has(*need)) {
            return None;
        }
        let finding = rule.finding((rule.check)(&facts)?);
        assert!(!finding.evidence.is_empty(), "{}: nothing shows it", rule.id);
        let database = Database::of(recording.clone()).unwrap();
        for of in &finding.evidence {
            let answer = database.query(&of.sql, QueryOptions { limit: None, interrupt_after: None });
            let answer = answer.unwrap_or_else(|error| panic!("{}: {error}: {}", rule.id, of.sql));
            assert!(!answer.rows.is_empty(), "{}: no rows: {}", rule.id, of.sql);
        }
        let place = finding.places.first().map_or_else(String::new, |place| {
            place.request.as_ref().map_or(place.frame.clone(), |path| format!("{} {path}", place.frame))
        });
        Some((finding.severity, place))
    }
}

/// What a rule says, for comparison.
#[expect(clippy::unnecessary_wraps, reason = "silence is the other answer")]
pub(crate) fn says(severity: Severity, place: &str) -> Option<(Severity, String)> {
    Some((severity, place.to_owned()))
}

fn ns(ms: i64) -> i64 {
    ms.saturating_mul(1_000_000)
}
