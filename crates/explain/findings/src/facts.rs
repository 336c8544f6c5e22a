//! A recording with everything that several rules derive from it, computed once.

use crate::need::Need;
pub(crate) use base::number::{count, real, real_u64, wide};
use model::{FrameId, NO_INT, SampleRow, Sampler, SpanRow, Sym, ThreadId, Trace};
use report::unit;
pub(crate) use runtime::known;
use runtime::{
    Gap, Group, Handlers, Hides, Owner, RequestPaths, Sampling, Seen, StackIndex, State, Work, seen,
};
use rustc_hash::{FxHashMap, FxHashSet};
use std::cell::{Cell, OnceCell};

/// A thread that waits at one place in this share of all samples stays there: a loop that waits for its next item, a
/// host that waits for its end.
const STANDING: f64 = 0.95;
/// With fewer rounds of sampling, shares mean nothing.
const MIN_LOOKS: u64 = 10;
const RUNTIME: &str = "Microsoft-Windows-DotNETRuntime";

/// A recording, and what rules derive from it.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) recording: &'a Trace,
    pub(crate) index: &'a StackIndex,
    pub(crate) sampling: Option<Sampling>,
    pub(crate) paths: RequestPaths,
    /// For how long events were recorded.
    pub(crate) observed_ns: i64,
    /// The upper limit for any duration in the recording: damage can claim more.
    longest_ns: i64,
    /// CPU cores that the process may use, which a limit can make a fraction; 1 if unknown.
    pub(crate) cores: f64,
    /// The share of them that the process used in its busier seconds.
    pub(crate) cpu: Option<f64>,
    pub(crate) requests: Option<Work>,
    pub(crate) database: Option<Work>,
    pub(crate) http: Option<Work>,
    // Computed when a rule first asks.
    routes: OnceCell<Vec<(String, Work)>>,
    handlers: OnceCell<Handlers>,
    seen: OnceCell<Vec<Seen>>,
    holders: OnceCell<Vec<usize>>,
    /// Threads that wait at one place all the time.
    standing: FxHashSet<ThreadId>,
    /// Whether so many names of methods are missing that it matters.
    lacks_names: bool,
    /// Whether so many events are damaged that it matters.
    pub(crate) lacks_events: bool,
    /// Frames in the samples that the current rule uses. Only counted if names are missing.
    used_frames: Cell<UsedFrames>,
}

/// How many frames a rule's samples have, and how many of them lack a name.
#[derive(Debug, Clone, Copy, Default)]
struct UsedFrames {
    all: u64,
    unnamed: u64,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(recording: &'a Trace, index: &'a StackIndex) -> Self {
        let sampling = Sampling::new(recording).filter(|of| of.looks >= MIN_LOOKS);
        let standing = sampling.as_ref().map_or_else(FxHashSet::default, |of| standing(of, index));
        let duration_ns = recording.exhibit.duration_ns.max(0);
        let observed = ["events", "samples"].map(|source| runtime::observed_ns(recording, source));
        let observed_ns = observed.into_iter().flatten().next().unwrap_or(duration_ns);
        Self {
            index,
            standing,
            routes: OnceCell::new(),
            handlers: OnceCell::new(),
            seen: OnceCell::new(),
            holders: OnceCell::new(),
            paths: RequestPaths::new(recording),
            observed_ns,
            longest_ns: duration_ns.max(observed_ns),
            cores: runtime::allowed_cores(recording).unwrap_or(1.0),
            cpu: runtime::busy_cpu_share(recording),
            requests: runtime::request_work(recording),
            database: runtime::database_calls(recording),
            http: runtime::http_calls(recording),
            sampling,
            recording,
            lacks_names: false,
            lacks_events: false,
            used_frames: Cell::default(),
        }
    }

    /// The same for a recording with known gaps.
    pub(crate) fn with_gaps(recording: &'a Trace, index: &'a StackIndex, gaps: &[Gap]) -> Self {
        let lacks = |hides| gaps.iter().any(|gap| gap.hides == hides);
        let (lacks_names, lacks_events) = (lacks(Hides::Names), lacks(Hides::Events));
        Self { lacks_names, lacks_events, ..Self::new(recording, index) }
    }

    /// Notes that the current rule uses a group of samples.
    pub(crate) fn use_group(&self, group: &Group) {
        if !self.lacks_names {
            return;
        }
        let mut used = self.used_frames.get();
        for node in self.recording.stacks.walk(group.stack) {
            let frame = self.recording.stacks.frame.get(node).copied();
            let is_unnamed = frame.is_none_or(|frame| self.index.owner(frame) == Owner::Unknown);
            used.all = used.all.saturating_add(group.samples);
            used.unnamed = used.unnamed.saturating_add(if is_unnamed { group.samples } else { 0 });
        }
        self.used_frames.set(used);
    }

    /// The share of frames without a name in the samples that the current rule used, and starts counting for the next
    /// rule. `None` if it used no samples, or no names are missing.
    pub(crate) fn take_unnamed(&self) -> Option<f64> {
        let UsedFrames { all, unnamed } = self.used_frames.take();
        (all > 0).then(|| real_u64(unnamed) / real_u64(all))
    }

    /// Whether the recording has the data.
    pub(crate) fn has(&self, need: Need) -> bool {
        let recording = self.recording;
        match need {
            Need::Running => self.sampling.is_some(),
            // A CPU sampler does not see waiting threads.
            Need::Samples => self.sampling.is_some() && recording.session.sampler == Sampler::Threads,
            Need::ThreadPool => !recording.threadpool.ts_ns.is_empty(),
            Need::Gc => !recording.gc.start_ns.is_empty() || self.sends("GC/"),
            Need::Allocations => !recording.allocations.ts_ns.is_empty(),
            Need::Locks => self.has(Need::Samples) || !recording.contention.ts_ns.is_empty(),
            Need::Exceptions | Need::Runtime => self.sends(""),
            Need::Jit => !recording.jit.ts_ns.is_empty(),
            Need::EachRequest => recording.has_each_request(),
            Need::Database => {
                self.database.is_some()
                    || !recording.spans.start_ns.is_empty()
                    // A client whose calls never end publishes nothing but its connections.
                    || recording.strings.find("db.client.connection.max").is_some()
            }
            Need::Host => !recording.host.ts_ns.is_empty(),
            Need::ResidentMemory => self.has_resident() && self.has_allocated(),
            Need::Descriptors => !recording.of_host("process.open_files").is_empty(),
            Need::Http => self.http.is_some() || !recording.spans.start_ns.is_empty(),
        }
    }

    /// What is missing of a need that the recording does not meet, in words.
    pub(crate) fn lacking(&self, need: Need) -> &'static str {
        match need {
            Need::ResidentMemory if self.has_allocated() => "the process's resident memory",
            Need::ResidentMemory if self.has_resident() => "the allocation rate",
            _ => need.what(),
        }
    }

    /// Whether the resident memory was recorded.
    fn has_resident(&self) -> bool {
        self.has_any(&["process.rss", "working-set", "dotnet.process.memory.working_set"])
    }

    /// Whether it is known how much the managed heap allocates.
    fn has_allocated(&self) -> bool {
        self.has(Need::Allocations) || self.has_any(&["dotnet.gc.heap.total_allocated", "alloc-rate"])
    }

    fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.recording.strings.find(name).is_some())
    }

    /// Whether the runtime sent an event whose name begins so.
    fn sends(&self, name_start: &str) -> bool {
        let events = &self.recording.events;
        let kinds = events.kind_provider.iter().zip(&events.kind_name);
        let text = |sym: Sym| self.recording.strings.text(sym);
        kinds
            .into_iter()
            .any(|(provider, name)| text(*provider) == RUNTIME && text(*name).starts_with(name_start))
    }

    /// The share of the observed time in which samples were taken; 0 without samples.
    pub(crate) fn sampled_share(&self) -> f64 {
        let sampled = self.sampling.as_ref().map_or(0, |sampling| sampling.observed_ns);
        (real(sampled) / real(self.observed_ns.max(1))).min(1.0)
    }

    /// How many of something there are per request. From the rates of both, whose counts may cover different times.
    pub(crate) fn per_request(&self, per_second: f64) -> Option<f64> {
        self.requests.filter(|work| work.count > 0.0).map(|work| per_second / work.per_second())
    }

    /// Seconds observed; never 0.
    pub(crate) fn seconds(&self) -> f64 {
        (real(self.observed_ns) / 1e9).max(1e-3)
    }

    /// How long something lasted, in nanoseconds. Limited to the recording's length, as damage can claim more.
    pub(crate) fn lasted(&self, dur_ns: i64) -> Option<f64> {
        known(dur_ns).map(|ns| real(ns.clamp(0, self.longest_ns)))
    }

    /// Scales a per-minute minimum to the recording's length; never below the minimum itself.
    pub(crate) fn at_least(&self, in_a_minute: f64) -> f64 {
        in_a_minute * (self.seconds() / 60.0).max(1.0)
    }

    pub(crate) fn text(&self, sym: Sym) -> &'a str {
        self.recording.strings.text(sym)
    }

    /// All groups of samples.
    pub(crate) fn groups(&self) -> &[Group] {
        self.sampling.as_ref().map_or(&[], |sampling| &sampling.groups)
    }

    /// The average number of threads in the chosen groups.
    pub(crate) fn threads(&self, wanted: impl Fn(&Group) -> bool) -> f64 {
        self.sampling.as_ref().map_or(0.0, |sampling| sampling.threads_where(wanted))
    }

    /// Whether it is a thread-pool thread.
    pub(crate) fn is_pool(&self, group: &Group) -> bool {
        self.text(group.kind) == "pool"
    }

    /// Whether the thread runs a work item: a pool thread that looks for work does not.
    pub(crate) fn is_at_work(&self, group: &Group) -> bool {
        self.index.is_at_work(group.stack, self.is_pool(group))
    }

    /// Whether the thread was doing something, as far as its stack shows: it ran managed code, or native code within a work
    /// item. Pool threads that look for work do not count, nor do threads in a native call that may wait.
    pub(crate) fn is_busy(&self, group: &Group) -> bool {
        let at_work = self.is_at_work(group);
        if self.spins_for_lock(group) {
            return false;
        }
        match group.state {
            State::Running => at_work || !matches!(self.text(group.kind), "sampler" | "pool"),
            State::External => at_work,
            State::Waiting => false,
        }
    }

    /// Whether the thread spins for a lock that another one holds. It uses a CPU core but does no work.
    pub(crate) fn spins_for_lock(&self, group: &Group) -> bool {
        group.state != State::Waiting && self.index.marks(group.stack).spins_for_lock()
    }

    /// The average number of busy threads.
    pub(crate) fn busy(&self) -> f64 {
        self.threads(|group| self.is_busy(group))
    }

    /// Whether the thread waits at one place all the time.
    pub(crate) fn stands(&self, group: &Group) -> bool {
        self.standing.contains(&group.thread)
    }

    /// Whether it is a pool thread that waits for one of `what` within its work item. The thread that waits for the
    /// program's end is not one.
    pub(crate) fn is_held_up(&self, group: &Group, what: &[&str]) -> bool {
        group.state == State::Waiting
            && self.is_pool(group)
            && what.contains(&self.text(group.waiting_on))
            && self.is_at_work(group)
            && !self.index.waits_in_entry(group.stack)
    }

    /// Which requests each lambda answers.
    pub(crate) fn handlers(&self) -> &Handlers {
        self.handlers.get_or_init(|| Handlers::new(self.recording, self.index, &self.paths, self.seen()))
    }

    /// In which requests the service's code was sampled.
    pub(crate) fn seen(&self) -> &[Seen] {
        self.seen.get_or_init(|| seen(self.recording, self.index, &self.paths))
    }

    /// Samples of threads that held locks while others waited for them.
    pub(crate) fn holder_samples(&self) -> impl Iterator<Item = SampleRow> + '_ {
        let rows = self.holders.get_or_init(|| runtime::holder_samples(self.recording));
        rows.iter().filter_map(|at| self.recording.samples.row(*at))
    }

    /// The spans that are wanted. Decided once per kind and set of tags.
    pub(crate) fn spans(&self, is_wanted: fn(&Trace, usize) -> bool) -> impl Iterator<Item = SpanRow> + '_ {
        let spans = &self.recording.spans;
        let mut known: FxHashMap<(Sym, Sym), bool> = FxHashMap::default();
        (0..spans.start_ns.len()).filter_map(move |at| {
            let row = spans.row(at)?;
            let is_wanted =
                *known.entry((row.tags, row.kind)).or_insert_with(|| is_wanted(self.recording, at));
            is_wanted.then_some(row)
        })
    }

    /// Requests by route, most time first.
    pub(crate) fn routes(&self) -> &[(String, Work)] {
        self.routes.get_or_init(|| runtime::routes(self.recording))
    }

    /// The route that answers the service's own calls, if it calls itself: it has about as many requests as there are calls,
    /// and they take about as long.
    pub(crate) fn called_itself(&self, calls: Work) -> Option<(&str, Work)> {
        let routes = self.routes();
        let rate = calls.per_second();
        let answers = |work: &Work| {
            (work.per_second() - rate).abs() <= 0.1 * rate.max(1.0)
                && work.seconds <= calls.seconds * 1.02
                && work.seconds >= 0.5 * calls.seconds
        };
        let called = routes.iter().find(|(_, work)| routes.len() > 1 && answers(work));
        called.map(|(name, work)| (name.as_str(), *work))
    }

    /// Whether the runtime has this major version or a later one, or is unknown.
    pub(crate) fn has_runtime(&self, version: u32) -> bool {
        let runtime = self.recording.exhibit.runtime.as_deref();
        let known = runtime.and_then(|text| text.split('.').next()?.parse::<u32>().ok());
        known.is_none_or(|known| known >= version)
    }

    /// How often the pool changed its number of threads for a reason.
    pub(crate) fn adjustments(&self, reason: &str) -> u64 {
        wide(self.adjusted(reason).len())
    }

    /// The times of these changes.
    pub(crate) fn adjusted(&self, reason: &str) -> Vec<i64> {
        let find = |text: &str| self.recording.strings.find(text);
        let (Some(event), Some(reason)) = (find("adjustment"), find(reason)) else { return Vec::new() };
        let pool = &self.recording.threadpool;
        let rows = pool.event.iter().zip(&pool.reason).zip(&pool.ts_ns);
        rows.filter(|(of, _)| *of == (&event, &reason)).map(|(_, ts_ns)| *ts_ns).collect()
    }

    /// The most threads that the pool reported.
    pub(crate) fn most_workers(&self) -> Option<f64> {
        let known = self.recording.threadpool.workers.iter().copied().filter(|n| *n != NO_INT && *n > 0);
        known.max().map(real)
    }
}

/// Threads that wait at one place in nearly all samples.
fn standing(sampling: &Sampling, index: &StackIndex) -> FxHashSet<ThreadId> {
    let mut seen: FxHashMap<(ThreadId, Sym, Option<FrameId>), u64> = FxHashMap::default();
    for group in sampling.groups.iter().filter(|group| group.state == State::Waiting) {
        *seen.entry((group.thread, group.waiting_on, index.blamed_frame(group.stack))).or_default() +=
            group.samples;
    }
    let least = real_u64(sampling.looks) * STANDING;
    seen.into_iter()
        .filter(|(_, samples)| real_u64(*samples) >= least)
        .map(|((thread, ..), _)| thread)
        .collect()
}

/// Whether a frame says nothing of its own: a poll of the runtime, the slow way into a lock, a frame without a name.
pub(crate) fn is_stop(facts: &Facts<'_>, frame: FrameId) -> bool {
    facts.index.stands_in(frame)
}

/// A number in a sentence: three significant digits, with separators for thousands.
pub(crate) fn said(value: f64) -> String {
    unit::short(value)
}

/// A share in a sentence.
pub(crate) fn percent(share: f64) -> String {
    unit::show(share, "share")
}

/// Bytes in a sentence.
pub(crate) fn bytes(bytes: f64) -> String {
    unit::show(bytes, "B")
}
