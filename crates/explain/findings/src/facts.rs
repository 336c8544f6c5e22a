//! What rules share of a recording, worked out once.

use crate::handlers::Handlers;
use crate::places::{Places, busiest_route};
use crate::rule::Need;
use crate::seen::{Seen, seen};
pub(crate) use base::number::{real, real_u64};
use model::{NO_INT, SampleRow, Sampler, SpanRow, Sym, Trace};
use report::{Place, unit};
pub(crate) use runtime::known;
use runtime::{Gap, Group, Hides, Marks, Owner, RequestPaths, Sampling, StackIndex, State, Work};
use rustc_hash::{FxHashMap, FxHashSet};
use std::cell::{Cell, OnceCell};

/// A thread that waits at one place in this share of all looks stands there for good: a loop that waits for its next
/// item, a host that waits for its end.
const STANDING: f64 = 0.95;
/// Of fewer looks of the sampler no share means anything.
const FEWEST_LOOKS: u64 = 10;
const RUNTIME: &str = "Microsoft-Windows-DotNETRuntime";

/// A recording, and what follows from it for every rule.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) recording: &'a Trace,
    pub(crate) index: &'a StackIndex,
    pub(crate) sampling: Option<Sampling>,
    pub(crate) paths: RequestPaths,
    /// Nanoseconds in which events were recorded.
    pub(crate) observed_ns: i64,
    /// Nothing that was recorded lasted longer.
    longest_ns: i64,
    /// CPU cores that the process may use, a part of one with such a limit; 1 where the recording does not tell.
    pub(crate) cores: f64,
    /// The share of them that the process used in its busy seconds.
    pub(crate) cpu: Option<f64>,
    pub(crate) requests: Option<Work>,
    pub(crate) database: Option<Work>,
    pub(crate) http: Option<Work>,
    /// Worked out when a rule first asks.
    routes: OnceCell<Vec<(String, Work)>>,
    handlers: OnceCell<Handlers>,
    seen: OnceCell<Vec<Seen>>,
    holders: OnceCell<Vec<usize>>,
    /// Threads that stand at one place for good.
    standing: FxHashSet<u32>,
    /// Whether names of methods are missing to a share that matters.
    lacks_names: bool,
    /// Whether events are damaged to a share that matters.
    pub(crate) lacks_events: bool,
    /// Frames of the samples that the rule at hand rests on, and those without a name; only counted if names are missing.
    rested_on: Cell<[u64; 2]>,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(recording: &'a Trace, index: &'a StackIndex) -> Self {
        let sampling = Sampling::new(recording).filter(|of| of.looks >= FEWEST_LOOKS);
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
            cores: runtime::processors(recording).unwrap_or(1.0),
            cpu: runtime::busy_cpu_share(recording),
            requests: runtime::request_work(recording),
            database: runtime::database_calls(recording),
            http: runtime::http_calls(recording),
            sampling,
            recording,
            lacks_names: false,
            lacks_events: false,
            rested_on: Cell::default(),
        }
    }

    /// The same of a recording of which gaps are known.
    pub(crate) fn with_gaps(recording: &'a Trace, index: &'a StackIndex, gaps: &[Gap]) -> Self {
        let lacks = |hides| gaps.iter().any(|gap| gap.hides == hides);
        let (lacks_names, lacks_events) = (lacks(Hides::Names), lacks(Hides::Events));
        Self { lacks_names, lacks_events, ..Self::new(recording, index) }
    }

    /// Notes that the rule at hand rests on a group of samples.
    pub(crate) fn rest_on(&self, group: &Group) {
        if !self.lacks_names {
            return;
        }
        let [mut all, mut unnamed] = self.rested_on.get();
        for node in self.recording.stacks.walk(group.stack) {
            let frame = self.recording.stacks.frame.get(node as usize).copied();
            let is_unnamed = frame.is_none_or(|frame| self.index.owner(frame) == Owner::Unknown);
            all = all.saturating_add(group.samples);
            unnamed = unnamed.saturating_add(if is_unnamed { group.samples } else { 0 });
        }
        self.rested_on.set([all, unnamed]);
    }

    /// The share of frames without a name in the samples that a rule rests on, and begins with the next rule. `None` if it
    /// rests on no samples, or no names are missing.
    pub(crate) fn take_unnamed(&self) -> Option<f64> {
        let [all, unnamed] = self.rested_on.take();
        (all > 0).then(|| real_u64(unnamed) / real_u64(all))
    }

    /// Whether the recording has the data.
    pub(crate) fn has(&self, need: Need) -> bool {
        let recording = self.recording;
        match need {
            Need::Running => self.sampling.is_some(),
            // Samples of CPUs say nothing of threads that wait.
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
                    // A client whose calls never end publishes its connections alone.
                    || recording.strings.find("db.client.connection.max").is_some()
            }
            Need::Host => !recording.host.ts_ns.is_empty(),
            Need::ResidentMemory => {
                let names = ["process.rss", "working-set", "dotnet.process.memory.working_set"];
                let allocated = ["dotnet.gc.heap.total_allocated", "alloc-rate"];
                let is_told =
                    |names: &[&str]| names.iter().any(|name| recording.strings.find(name).is_some());
                is_told(&names) && (self.has(Need::Allocations) || is_told(&allocated))
            }
            Need::Descriptors => !recording.of_host("process.open_files").is_empty(),
            Need::Http => self.http.is_some() || !recording.spans.start_ns.is_empty(),
        }
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

    /// The part of the observed time in which samples were taken; 0 where there are none.
    pub(crate) fn sampled_share(&self) -> f64 {
        let sampled = self.sampling.as_ref().map_or(0, |sampling| sampling.observed_ns);
        (real(sampled) / real(self.observed_ns.max(1))).min(1.0)
    }

    /// How many of something come with one request, by the rates of both: their counts may be of different times.
    pub(crate) fn per_request(&self, per_second: f64) -> Option<f64> {
        self.requests.filter(|work| work.count > 0.0).map(|work| per_second / work.per_second())
    }

    /// Seconds observed; never 0.
    pub(crate) fn seconds(&self) -> f64 {
        (real(self.observed_ns) / 1e9).max(1e-3)
    }

    /// Nanoseconds that something lasted: what a damaged recording says is held within the recording.
    pub(crate) fn lasted(&self, dur_ns: i64) -> Option<f64> {
        known(dur_ns).map(|ns| real(ns.clamp(0, self.longest_ns)))
    }

    /// How many make a number that stands for a minute at most: more in a longer recording.
    pub(crate) fn at_least(&self, in_a_minute: f64) -> f64 {
        in_a_minute * (self.seconds() / 60.0).max(1.0)
    }

    /// The text of a number.
    pub(crate) fn text(&self, sym: Sym) -> &'a str {
        self.recording.strings.text(sym)
    }

    /// All groups of samples.
    pub(crate) fn groups(&self) -> &[Group] {
        self.sampling.as_ref().map_or(&[], |sampling| &sampling.groups)
    }

    /// Threads on average that a choice of groups stands for.
    pub(crate) fn threads(&self, wanted: impl Fn(&Group) -> bool) -> f64 {
        self.sampling.as_ref().map_or(0.0, |sampling| sampling.threads_where(wanted))
    }

    /// Whether the thread is of the thread pool.
    pub(crate) fn is_pool(&self, group: &Group) -> bool {
        self.text(group.kind) == "pool"
    }

    /// Whether the thread works for the thread pool, and does not look for work.
    pub(crate) fn is_at_work(&self, group: &Group) -> bool {
        self.index.is_at_work(group.stack, self.is_pool(group))
    }

    /// Whether the thread did something, as far as its stack tells: it ran managed code, or was called out of it within
    /// work of the pool. A worker that looks for work and a thread in a call that may wait do not count.
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

    /// Whether the thread spins for a lock that another holds: it uses a processor, but does no work.
    pub(crate) fn spins_for_lock(&self, group: &Group) -> bool {
        group.state != State::Waiting && self.index.marks(group.stack).spins_for_lock()
    }

    /// Busy threads on average.
    pub(crate) fn busy(&self) -> f64 {
        self.threads(|group| self.is_busy(group))
    }

    /// Whether a thread stands at one place for good.
    pub(crate) fn stands(&self, group: &Group) -> bool {
        self.standing.contains(&group.thread)
    }

    /// Whether a worker of the pool is held up within its work by a wait for one of `what`, and not as the one thread
    /// that waits for the program's end.
    pub(crate) fn is_held_up(&self, group: &Group, what: &[&str]) -> bool {
        group.state == State::Waiting
            && self.is_pool(group)
            && what.contains(&self.text(group.waiting_on))
            && self.is_at_work(group)
            && !self.index.waits_in_entry(group.stack)
    }

    /// Where the groups chosen are.
    pub(crate) fn places(&self, wanted: impl Fn(&Group) -> bool) -> Places {
        let mut places = Places::default();
        let mut with_path: FxHashMap<(u32, u32, Sym), u32> = FxHashMap::default();
        for group in self.groups().iter().filter(|group| wanted(group)) {
            if let Some(frame) = places.weigh(self, group.stack, real_u64(group.samples)) {
                with_path.insert((group.thread, group.stack, group.waiting_on), frame);
            }
        }
        if with_path.is_empty() {
            return places;
        }
        // A thread answers many requests in one group, and the first of them may have begun before the recording.
        for of in self.seen() {
            if let Some(frame) = with_path.get(&(of.thread, of.stack, of.waiting_on)) {
                places.add_path(self, *frame, of.path, real_u64(of.samples));
            }
        }
        places
    }

    /// Who calls through the groups with a mark: the service's frames there, else the route with most time.
    pub(crate) fn callers(&self, mark: Marks) -> Vec<Place> {
        let places = self.places(|group| self.is_busy(group) && self.index.marks(group.stack).has(mark));
        let named = if places.is_empty() { Vec::new() } else { places.top(self) };
        if named.is_empty() { busiest_route(self) } else { named }
    }

    /// Which requests lambdas answer.
    pub(crate) fn handlers(&self) -> &Handlers {
        self.handlers.get_or_init(|| Handlers::new(self))
    }

    /// In which requests the service's code was seen.
    pub(crate) fn seen(&self) -> &[Seen] {
        self.seen.get_or_init(|| seen(self))
    }

    /// Samples of threads that held locks while others waited for them.
    pub(crate) fn holder_samples(&self) -> impl Iterator<Item = SampleRow> + '_ {
        let rows = self.holders.get_or_init(|| runtime::holder_samples(self.recording));
        rows.iter().filter_map(|at| self.recording.samples.row(*at))
    }

    /// Spans of a kind; spans with the same tags are of one kind.
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

    /// The route that answers the service's own calls: as many requests as there are calls, and about their time.
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

    /// How often the pool changed its number of workers for a reason.
    pub(crate) fn adjustments(&self, reason: &str) -> u64 {
        count(self.adjusted(reason).len())
    }

    /// When it did.
    pub(crate) fn adjusted(&self, reason: &str) -> Vec<i64> {
        let find = |text: &str| self.recording.strings.find(text);
        let (Some(event), Some(reason)) = (find("adjustment"), find(reason)) else { return Vec::new() };
        let pool = &self.recording.threadpool;
        let rows = pool.event.iter().zip(&pool.reason).zip(&pool.ts_ns);
        rows.filter(|(of, _)| *of == (&event, &reason)).map(|(_, ts_ns)| *ts_ns).collect()
    }

    /// The fewest and the most workers that the pool told of.
    pub(crate) fn workers(&self) -> Option<(f64, f64)> {
        let known = || self.recording.threadpool.workers.iter().copied().filter(|n| *n != NO_INT && *n > 0);
        Some((real(known().min()?), real(known().max()?)))
    }
}

fn standing(sampling: &Sampling, index: &StackIndex) -> FxHashSet<u32> {
    let mut seen: FxHashMap<(u32, Sym, Option<u32>), u64> = FxHashMap::default();
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

/// Whether a frame stands for its caller: a poll of the runtime's, the slow way into a lock, a frame without a name.
pub(crate) fn is_stop(facts: &Facts<'_>, frame: u32) -> bool {
    facts.index.stands_in(frame)
}

/// A length as a count.
pub(crate) fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// A number in a sentence: three digits that count, thousands set apart.
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
