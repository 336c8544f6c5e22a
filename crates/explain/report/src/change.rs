//! What a comparison of two exhibits says: one sentence, a list of changes, and what to keep in mind when reading it.

use crate::finding::{Measured, Severity};
use crate::unit::{short, show};
use std::cmp::Ordering;

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
    /// A conclusion of a rule: one that came, went, or changed its severity.
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

/// The cause that a reader looks under: rows of one group stand together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// How many requests were answered, and how many failed.
    Throughput,
    /// How long requests took.
    Latency,
    /// Conclusions of rules.
    Findings,
    /// CPU use, by the process and by its running threads.
    Cpu,
    /// Collections and their pauses.
    Gc,
    /// The live heap, and what is allocated.
    Memory,
    /// What threads wait for, locks above all.
    Locks,
    /// The thread pool, and threads by their purpose.
    Pool,
    /// Exceptions thrown.
    Exceptions,
    /// Calls to other services.
    Calls,
    /// Methods compiled.
    Jit,
    /// Log lines.
    Logs,
    /// Methods, by samples.
    Methods,
    /// Counters and meters, as published.
    Counters,
}

impl Group {
    /// Its name in JSON, in text and on the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::Latency => "latency",
            Self::Findings => "findings",
            Self::Cpu => "CPU",
            Self::Gc => "GC",
            Self::Memory => "memory",
            Self::Locks => "locks and waits",
            Self::Pool => "thread pool",
            Self::Exceptions => "exceptions",
            Self::Calls => "calls",
            Self::Jit => "JIT",
            Self::Logs => "logs",
            Self::Methods => "methods",
            Self::Counters => "counters",
        }
    }

    /// The group of a subject.
    pub fn of(subject: Subject) -> Self {
        match subject {
            Subject::Latency => Self::Latency,
            Subject::Throughput => Self::Throughput,
            Subject::Finding => Self::Findings,
            Subject::Cpu => Self::Cpu,
            Subject::Method => Self::Methods,
            Subject::Wait | Subject::Contention => Self::Locks,
            Subject::Threads => Self::Pool,
            Subject::Gc => Self::Gc,
            Subject::Heap | Subject::Allocation => Self::Memory,
            Subject::Exceptions => Self::Exceptions,
            Subject::Jit => Self::Jit,
            Subject::Calls => Self::Calls,
            Subject::Logs => Self::Logs,
            Subject::Counter => Self::Counters,
        }
    }
}

/// Whether a change is more than what two runs of one service differ by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeVerdict {
    /// It is. One comparison of like exhibits in twenty has such a row by chance, whatever the number of rows.
    BeyondNoise,
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
            Self::WithinNoise => "within noise",
            Self::TooLittleData => "too little data",
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
    /// The 95 % interval of the difference, by what exhibits vary and what runs differ by: from, to.
    pub interval: Option<(f64, f64)>,
    /// The probability of such a difference by chance, not corrected for the number of rows.
    pub p: Option<f64>,
    /// Whether it is beyond the noise, corrected for the number of rows.
    pub verdict: ChangeVerdict,
    /// Why the verdict is so, if the values alone suggest another.
    pub reason: Option<String>,
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
    /// The cause that it stands under. Threads that run use CPU; all others wait or belong to the pool.
    pub fn group(&self) -> Group {
        match self.metric {
            Some("running") if self.subject == Subject::Threads => Group::Cpu,
            _ => Group::of(self.subject),
        }
    }

    /// After minus before, if both are known.
    pub fn difference(&self) -> Option<f64> {
        Some(self.after? - self.before?)
    }

    /// After divided by before. `None` if there was nothing before.
    pub fn ratio(&self) -> Option<f64> {
        let (before, after) = (self.before?, self.after?);
        (before > 0.0 && after >= 0.0).then(|| after / before)
    }

    /// The difference with its sign and unit; of shares in points, so that nobody takes it for the relative change.
    pub fn signed(&self, difference: f64) -> String {
        let sign = match difference.total_cmp(&0.0) {
            Ordering::Greater => "+",
            Ordering::Less => "−",
            Ordering::Equal => "",
        };
        let text = match self.unit.as_str() {
            "share" => format!("{} points", short(difference.abs() * 100.0)),
            unit => show(difference.abs(), unit),
        };
        format!("{sign}{}", text.replace("<0.01", "0.00"))
    }

    /// The relative change: a factor, a percentage, `new` or `gone`. Empty if there is none to tell.
    pub fn in_words(&self) -> String {
        let (Some(before), Some(after)) = (self.before, self.after) else { return String::new() };
        let ratio = after / before;
        match ratio {
            _ if before.to_bits() == after.to_bits() => "=".to_owned(),
            _ if before == 0.0 => "new".to_owned(),
            _ if after == 0.0 => "gone".to_owned(),
            // There is no ratio between values of different signs.
            _ if !ratio.is_finite() || ratio < 0.0 => String::new(),
            // From or to next to nothing: further digits say no more.
            huge if huge >= 1e3 => "× >1,000".to_owned(),
            tiny if tiny <= 1e-3 => "÷ >1,000".to_owned(),
            more if more >= 2.0 => format!("× {}", times(more)),
            less if less <= 0.5 => format!("÷ {}", times(1.0 / less)),
            of => format!("{}{:.1} %", if of < 1.0 { "−" } else { "+" }, (of - 1.0).abs() * 100.0),
        }
    }
}

/// A factor in three digits, without zeros at the end.
fn times(ratio: f64) -> String {
    match ratio {
        large if large >= 100.0 => show(large.round(), ""),
        middle if middle >= 10.0 => format!("{middle:.1}").trim_end_matches(".0").to_owned(),
        small => format!("{small:.2}").trim_end_matches('0').trim_end_matches('.').to_owned(),
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

/// What became of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingState {
    /// Only the exhibit after has it.
    New,
    /// Only the exhibit before has it.
    Gone,
    /// Both have it.
    Stayed,
}

impl FindingState {
    /// Its name in JSON and on the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Gone => "gone",
            Self::Stayed => "stayed",
        }
    }
}

/// A rule's finding in one or both exhibits.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingChange {
    /// The rule.
    pub id: &'static str,
    /// Its sentence: that of the exhibit after, if it has the finding.
    pub title: String,
    /// What became of it.
    pub state: FindingState,
    /// Its severity before and after. `None` if the exhibit does not have it.
    pub severity: (Option<Severity>, Option<Severity>),
    /// What was measured with its threshold, before and after: the number that is nearest to its threshold.
    pub measured: (Option<Measured>, Option<Measured>),
    /// Why noise may have brought the change: it is at the edge of its threshold, and what it rests on did not change.
    pub reason: Option<String>,
}

impl FindingChange {
    /// The worse of both severities.
    pub fn worst(&self) -> Option<Severity> {
        self.severity.0.max(self.severity.1)
    }
}

/// Two exhibits compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Diff {
    /// What changed most, in one sentence.
    pub summary: String,
    /// What amounts are divided by.
    pub basis: Basis,
    /// Nanoseconds that were observed: before, after.
    pub observed_ns: (i64, i64),
    /// Requests that began, if known: before, after.
    pub requests: Option<(f64, f64)>,
    /// Pieces that each exhibit was cut into: before, after.
    pub pieces: (usize, usize),
    /// How many rows were held against chance.
    pub comparisons: usize,
    /// Whether nothing is gone of either exhibit that says more than what is left: silence is no sameness if there is.
    pub is_whole: bool,
    /// The changes: those beyond noise first, each verdict by how much it matters.
    pub rows: Vec<Change>,
    /// The rows to read first, as places in `rows`: at most ten, those of a group next to each other.
    pub first: Vec<usize>,
    /// The findings of both, new ones first.
    pub findings: Vec<FindingChange>,
    /// Why the two exhibits, or parts of them, are not alike enough to be compared.
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

    /// The verdict of the whole: whether anything is beyond noise.
    pub fn verdict(&self) -> ChangeVerdict {
        match (self.count(ChangeVerdict::BeyondNoise), self.comparisons) {
            (1.., _) => ChangeVerdict::BeyondNoise,
            (0, _) if !self.is_whole => ChangeVerdict::TooLittleData,
            (0, 0) => ChangeVerdict::TooLittleData,
            (0, _) => ChangeVerdict::WithinNoise,
        }
    }

    /// The rows to read first, by group.
    pub fn grouped(&self) -> Vec<(Group, Vec<&Change>)> {
        let mut groups: Vec<(Group, Vec<&Change>)> = Vec::new();
        for row in self.first.iter().filter_map(|at| self.rows.get(*at)) {
            match groups.last_mut() {
                Some((group, rows)) if *group == row.group() => rows.push(row),
                _ => groups.push((row.group(), vec![row])),
            }
        }
        groups
    }
}
