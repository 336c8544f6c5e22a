//! What a comparison of two exhibits says: a list of changes, and what to keep in mind when reading it.

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

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// How long requests took.
    Latency,
    /// How many requests were answered.
    Throughput,
    /// A conclusion of a rule.
    Finding,
    /// CPU use.
    Cpu,
    /// A method, by samples.
    Method,
    /// What threads waited for.
    Wait,
    /// Waits for locks.
    Contention,
    /// The thread pool, and threads by their purpose.
    Threads,
    /// Garbage collections and their pauses.
    Gc,
    /// The live heap.
    Heap,
    /// Allocations.
    Allocation,
    /// Exceptions thrown.
    Exceptions,
    /// Methods compiled.
    Jit,
    /// Calls to other services: spans.
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

/// Whether a change is more than what each exhibit varies by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeVerdict {
    /// It is: at most one in twenty such rows is there by chance.
    BeyondNoise,
    /// The thresholds of a rule say so, which have no interval.
    ByRule,
    /// It is not, or cannot be distinguished from it.
    WithinNoise,
    /// There are too few values to say.
    TooLittleData,
}

impl ChangeVerdict {
    /// Its name in JSON and on the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::BeyondNoise => "beyond noise",
            Self::ByRule => "by rule",
            Self::WithinNoise => "within noise",
            Self::TooLittleData => "too little data",
        }
    }

    /// Its place in the list, lowest first: what a rule says stands among what is beyond noise.
    pub fn group(self) -> u8 {
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
    /// The value before. `None` if that exhibit cannot give it.
    pub before: Option<f64>,
    /// The value after.
    pub after: Option<f64>,
    /// The unit of values and differences: as of a figure (`ms`, `B`, `B/s`, `1/s`, `share`, empty for a count),
    /// `threads` (on average), and per request `ms/request`, `B/request`, `1/request`.
    pub unit: String,
    /// What share of its whole each value is, of 1, if it is a part of one: before, after.
    pub shares: Option<(f64, f64)>,
    /// The 95 % interval of the difference, by what each exhibit varies: from, to.
    pub interval: Option<(f64, f64)>,
    /// The probability of such a difference by chance, not corrected for the number of rows.
    pub p: Option<f64>,
    /// Whether it is beyond the noise, corrected for the number of rows.
    pub verdict: ChangeVerdict,
    /// Which way is good.
    pub better: Better,
    /// How much it matters, 0 to 1. Rows of one verdict are ordered by it.
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
    /// After minus before, if both are known.
    pub fn difference(&self) -> Option<f64> {
        Some(self.after? - self.before?)
    }

    /// After divided by before. `None` if there was nothing before.
    pub fn ratio(&self) -> Option<f64> {
        let (before, after) = (self.before?, self.after?);
        (before > 0.0 && after >= 0.0).then(|| after / before)
    }
}

/// What is only in one exhibit, and so is not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotCompared {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

/// Two exhibits compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Diff {
    /// What amounts are divided by.
    pub basis: Basis,
    /// Nanoseconds that were observed: before, after.
    pub observed_ns: (i64, i64),
    /// Requests that began, if known: before, after.
    pub requests: Option<(f64, f64)>,
    /// Pieces that each exhibit was cut into: before, after.
    pub pieces: (usize, usize),
    /// The changes: those beyond noise first, each group by how much it matters.
    pub rows: Vec<Change>,
    /// What to keep in mind when reading them.
    pub caveats: Vec<String>,
    /// What only one exhibit has, or neither.
    pub not_compared: Vec<NotCompared>,
    /// Rows that are not in the list because they weigh too little: how many, of what. Sums include them.
    pub left_out: Vec<(usize, String)>,
}

impl Diff {
    /// How many rows have a verdict.
    pub fn count(&self, verdict: ChangeVerdict) -> usize {
        self.rows.iter().filter(|row| row.verdict == verdict).count()
    }
}
