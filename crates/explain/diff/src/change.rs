//! What a comparison says: a list of changes, and what stands beside it.

use findings::Report;
use model::Trace;
use runtime::StackIndex;

/// A recording that takes part in a comparison, with what is worked out of it already.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The tables.
    pub recording: &'a Trace,
    /// What is known of its stacks.
    pub index: &'a StackIndex,
    /// What the rules say of it.
    pub report: &'a Report,
    /// The times that count, in nanoseconds since the session's start, the end not among them; none for all of them.
    /// What the rules say is of the whole recording all the same.
    pub range: Option<(i64, i64)>,
}

/// What amounts are divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Basis {
    /// The time that was observed.
    #[default]
    Duration,
    /// The requests that began in it.
    Request,
}

impl Basis {
    /// Its name in JSON and on the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Duration => "duration",
            Self::Request => "request",
        }
    }
}

/// How to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// What amounts are divided by. Where one recording has no requests, the duration stands in and a caveat says so.
    pub basis: Basis,
}

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// How long requests took.
    Latency,
    /// How many requests were answered.
    Throughput,
    /// A conclusion of a rule.
    Finding,
    /// Use of the processors.
    Cpu,
    /// A method, by samples.
    Method,
    /// What threads waited for.
    Wait,
    /// Locks that another thread held.
    Contention,
    /// The thread pool, and threads by what they are for.
    Threads,
    /// Collections and their pauses.
    Gc,
    /// What lives.
    Heap,
    /// What is allocated.
    Allocation,
    /// What is thrown.
    Exceptions,
    /// What is compiled.
    Jit,
    /// Calls of others: spans.
    Calls,
    /// Log lines.
    Logs,
    /// A counter or meter, as published.
    Counter,
}

impl Subject {
    /// Its name in JSON and on the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Throughput => "throughput",
            Self::Finding => "finding",
            Self::Cpu => "cpu",
            Self::Method => "method",
            Self::Wait => "wait",
            Self::Contention => "contention",
            Self::Threads => "threads",
            Self::Gc => "gc",
            Self::Heap => "heap",
            Self::Allocation => "allocation",
            Self::Exceptions => "exceptions",
            Self::Jit => "jit",
            Self::Calls => "calls",
            Self::Logs => "logs",
            Self::Counter => "counter",
        }
    }
}

/// Whether a change is more than what each recording varies by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It is: chance alone makes at most one in twenty such rows.
    BeyondNoise,
    /// The thresholds of a rule say so, which have no interval.
    ByRule,
    /// It is not, or cannot be told from it.
    WithinNoise,
    /// There are too few values to say.
    TooLittleData,
}

impl Verdict {
    /// Its name in JSON and on the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::BeyondNoise => "beyond noise",
            Self::ByRule => "by rule",
            Self::WithinNoise => "within noise",
            Self::TooLittleData => "too little data",
        }
    }

    /// Its place in the list: what a rule says stands among what is beyond noise.
    pub(crate) fn group(self) -> u8 {
        match self {
            Self::BeyondNoise | Self::ByRule => 0,
            Self::WithinNoise => 1,
            Self::TooLittleData => 2,
        }
    }
}

/// Which way is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Less of it.
    Lower,
    /// More of it.
    Higher,
    /// Neither by itself.
    Neither,
}

/// One thing, before and after.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What it is about.
    pub subject: Subject,
    /// What of it was measured: `running, with what it calls`, `p99`.
    pub measure: String,
    /// What it is of, in full: a method, a type, a route, a counter; empty for the whole service.
    pub name: String,
    /// The value before; none where that recording cannot give it.
    pub before: Option<f64>,
    /// The value after.
    pub after: Option<f64>,
    /// The unit of values and differences: as of a figure (`ms`, `B`, `B/s`, `1/s`, `share`, empty for a count),
    /// `threads` (on average), and per request `ms/request`, `B/request`, `1/request`.
    pub unit: String,
    /// The part of the whole that each value is, of 1, where it is a part of one: before, after.
    pub shares: Option<(f64, f64)>,
    /// Where the difference lies with a probability of 95 %, by what each recording varies: from, to.
    pub interval: Option<(f64, f64)>,
    /// The probability of such a difference by chance, not corrected for the number of rows.
    pub p: Option<f64>,
    /// Whether it is beyond the noise, corrected for the number of rows.
    pub verdict: Verdict,
    /// Which way is good.
    pub better: Better,
    /// How much it matters, 0 to 1: what the list is ordered by among rows of one verdict.
    pub impact: f64,
    /// The metric of stacks that shows it: a name that `stacks::Metric::of_name` takes.
    pub metric: Option<&'static str>,
    /// The method to look at in that metric: the frame's full name.
    pub method: Option<String>,
    /// The type to look at in that metric: allocated or thrown.
    pub class: Option<String>,
    /// The table that the values are of.
    pub table: &'static str,
}

impl Change {
    /// After less before, where both are known.
    pub fn difference(&self) -> Option<f64> {
        Some(self.after? - self.before?)
    }

    /// After by before; none where there was nothing before.
    pub fn ratio(&self) -> Option<f64> {
        let (before, after) = (self.before?, self.after?);
        (before > 0.0 && after >= 0.0).then(|| after / before)
    }
}

/// What is in one recording alone, and so is not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotCompared {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

/// Two recordings compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Diff {
    /// What amounts are divided by.
    pub basis: Basis,
    /// Nanoseconds that were observed: before, after.
    pub observed_ns: (i64, i64),
    /// Requests that began, where they are known: before, after.
    pub requests: Option<(f64, f64)>,
    /// Pieces that each recording was cut into: before, after.
    pub pieces: (usize, usize),
    /// The changes: those beyond noise first, each group by how much it matters.
    pub rows: Vec<Change>,
    /// What to keep in mind when reading them.
    pub caveats: Vec<String>,
    /// What only one recording has, or neither.
    pub not_compared: Vec<NotCompared>,
    /// Rows that were compared in sum and are not in the list, since they weigh too little: how many, of what.
    pub left_out: Vec<(usize, String)>,
}

impl Diff {
    /// How many rows have a verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.rows.iter().filter(|row| row.verdict == verdict).count()
    }
}
