//! What the runtime did, as intervals of time.

use crate::intervals::Intervals;
use base::number::real;
use model::{NO_INT, Trace};
use report::{Finding, Severity};

/// The pool looks for starvation every half second (`GateActivitiesPeriodMs` in PortableThreadPool.GateThread.cs), so a thread that it
/// adds says that the queue did not move in the half second before.
const BEFORE_STARVATION_NS: i64 = 500_000_000;
/// The pool waits up to a quarter of a second before it adds a thread for one that blocks
/// (`System.Threading.ThreadPool.Blocking.MaxDelayMs`).
const BEFORE_BLOCKING_NS: i64 = 250_000_000;
/// A wait for a lock below this does not make a request slow.
const LEAST_WAIT_NS: i64 = 1_000_000;
/// A finding that lasts for more of the recording says nothing about one second of it.
const MOST_OF_RECORDING: f64 = 0.5;
/// The longest time between two published lengths of the queue. Over a longer one, nobody knows the length.
const LONGEST_PERIOD_NS: i64 = 2_000_000_000;

/// The ids of what the thread pool does, for which rows are adjustments of its threads.
pub(crate) const POOL_STARVATION: &str = "pool-starvation";
pub(crate) const POOL_BLOCKED: &str = "pool-blocked";

/// The id of its queue, for which rows are lengths that the runtime published.
pub(crate) const POOL_QUEUE: &str = "pool-queue";

/// Something that the runtime did now and then.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    /// Its id in JSON.
    pub(crate) id: String,
    /// Its name in a sentence, in the plural or uncountable: `GC pauses`.
    pub(crate) name: String,
    /// The tab of the trace that shows it.
    pub(crate) tab: &'static str,
    /// Each with its length, before they are joined.
    each: Vec<(i64, i64)>,
    /// When.
    pub(crate) when: Intervals,
}

impl Condition {
    fn new(id: &str, name: &str, tab: &'static str, each: Vec<(i64, i64)>) -> Option<Self> {
        let when = Intervals::of(each.iter().copied());
        (!when.is_empty()).then(|| Self { id: id.to_owned(), name: name.to_owned(), tab, each, when })
    }

    /// How many overlap a time, and how long the longest of them is, in milliseconds.
    pub(crate) fn within(&self, from: i64, to: i64) -> (u64, f64) {
        let meets = self.each.iter().filter(|(begin, end)| *begin < to && *end > from);
        meets.fold((0, 0.0), |(number, longest), (begin, end)| {
            (number + 1, f64::max(longest, real(end.saturating_sub(*begin)) / 1e6))
        })
    }
}

/// Everything that a trace shows of the runtime as intervals, and its findings that have a time of their own.
pub(crate) fn conditions(trace: &Trace, findings: &[Finding]) -> Vec<Condition> {
    let gc = trace.strings.find("gc");
    let pauses = &trace.pauses;
    let pauses = (0..pauses.ts_ns.len()).filter_map(|at| pauses.row(at)).filter(|row| Some(row.cause) == gc);
    let background = trace.strings.find("BackgroundGC");
    let collections = &trace.gc;
    let collections = (0..collections.start_ns.len()).filter_map(|at| collections.row(at));
    let collections = collections.filter(|row| Some(row.kind) == background);
    let waits = &trace.contention;
    let waits = (0..waits.ts_ns.len()).filter_map(|at| waits.row(at));
    let waits = waits.map(|row| lasting(row.ts_ns, row.dur_ns));
    let known = [
        Condition::new(
            "gc-pauses",
            "GC pauses",
            "/gc",
            pauses.map(|row| lasting(row.ts_ns, row.dur_ns)).collect(),
        ),
        Condition::new(
            "background-gc",
            "background collections",
            "/gc",
            collections.map(|row| lasting(row.start_ns, row.dur_ns)).collect(),
        ),
        Condition::new(
            POOL_STARVATION,
            "thread-pool starvation",
            "/threads",
            adjustments(trace, "Starvation", BEFORE_STARVATION_NS),
        ),
        Condition::new(
            POOL_BLOCKED,
            "thread-pool blocking",
            "/threads",
            adjustments(trace, "CooperativeBlocking", BEFORE_BLOCKING_NS),
        ),
        Condition::new(POOL_QUEUE, "a queue in front of the thread pool", "/threads", queued(trace)),
        Condition::new(
            "lock-waits",
            "waits for locks",
            "/locks",
            waits.filter(|(from, to)| to.saturating_sub(*from) >= LEAST_WAIT_NS).collect(),
        ),
    ];
    let own = findings.iter().filter(|finding| finding.severity > Severity::Note);
    known.into_iter().flatten().chain(own.filter_map(|finding| of_finding(trace, finding))).collect()
}

fn lasting(from: i64, dur: i64) -> (i64, i64) {
    (from, if dur == NO_INT { from } else { from.saturating_add(dur) })
}

/// The time before each adjustment of the thread pool for a reason.
fn adjustments(trace: &Trace, reason: &str, before_ns: i64) -> Vec<(i64, i64)> {
    let reason = trace.strings.find(reason);
    let of = &trace.threadpool;
    let rows = (0..of.ts_ns.len()).filter_map(|at| of.row(at));
    let rows = rows.filter(|row| reason.is_some() && Some(row.reason) == reason);
    rows.map(|row| (row.ts_ns.saturating_sub(before_ns), row.ts_ns)).collect()
}

/// The time before each published length of the pool's queue that is not 0.
fn queued(trace: &Trace) -> Vec<(i64, i64)> {
    let name = trace.strings.find("threadpool-queue-length");
    let of = &trace.counters;
    let rows = (0..of.ts_ns.len()).filter_map(|at| of.row(at));
    let mut last = None;
    let mut all = Vec::new();
    for row in rows.filter(|row| name.is_some() && Some(row.name) == name) {
        let before: Option<i64> = last.replace(row.ts_ns);
        let from = before.filter(|before| row.ts_ns.saturating_sub(*before) <= LONGEST_PERIOD_NS);
        all.extend(from.filter(|_| row.value > 0.0).map(|from| (from, row.ts_ns)));
    }
    all
}

/// From the first to the last row of a finding.
fn of_finding(trace: &Trace, finding: &Finding) -> Option<Condition> {
    let first = finding.evidence.iter().filter_map(|of| of.first_ts_ns).min()?;
    let last = finding.evidence.iter().filter_map(|of| of.last_ts_ns).max()?;
    let is_short =
        real(last.saturating_sub(first)) < MOST_OF_RECORDING * real(trace.exhibit.duration_ns.max(1));
    let name = format!("the finding {}", finding.id);
    if is_short {
        Condition::new(&format!("finding:{}", finding.id), &name, finding.view.tab, vec![(first, last)])
    } else {
        None
    }
}
