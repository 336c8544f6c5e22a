//! A comparison of two exhibits: one sentence, a list of changes, and caveats.

use crate::finding::{Measured, Severity};
use crate::unit::{short, show};
use std::cmp::Ordering;

/// What amounts are divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Basis {
    /// The time that was observed.
    #[default]
    Duration,
    /// The requests that began in that time.
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
    /// A finding that is new, is gone, or changed its severity.
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

/// The heading that a row stands under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// How many requests were answered, and how many failed.
    Throughput,
    /// How long requests took.
    Latency,
    /// Findings.
    Findings,
    /// CPU use of the process, and its running threads.
    Cpu,
    /// Collections and their pauses.
    Gc,
    /// The live heap, and what is allocated.
    Memory,
    /// What threads wait for, mainly locks.
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
    /// It is more. Of twenty comparisons of equal exhibits, one has such a row by chance, whatever the number of rows.
    BeyondNoise,
    /// It is not more, or cannot be distinguished from noise.
    WithinNoise,
    /// There are too few values to say.
    TooLittleData,
}

impl ChangeVerdict {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::BeyondNoise => "beyond noise",
            Self::WithinNoise => "within noise",
            Self::TooLittleData => "too little data",
        }
    }

    /// What it is called for people. A clear difference that may still be chance is not "within" anything.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::WithinNoise => "not proven beyond noise",
            Self::BeyondNoise | Self::TooLittleData => self.name(),
        }
    }
}

/// Which direction is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Lower values.
    Lower,
    /// Higher values.
    Higher,
    /// Neither.
    Neither,
}

/// One value, before and after.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What it is about.
    pub subject: Subject,
    /// What was measured: `running, including callees`, `p99`.
    pub measure: String,
    /// The full name of what was measured: a method, a type, a route, a counter. Empty for the whole service.
    pub name: String,
    /// The name to show, if it is not the full name: of a method as its source has it, distinguished from the others of the list.
    pub label: Option<String>,
    /// The value before. `None` if that exhibit cannot give it.
    pub before: Option<f64>,
    /// The value after.
    pub after: Option<f64>,
    /// The unit of values and differences: as of a figure (`ms`, `B`, `B/s`, `1/s`, `share`, empty for a count),
    /// `threads` (on average), and per request `ms/request`, `B/request`, `1/request`.
    pub unit: String,
    /// The share of its whole that each value is, of 1: before, after. `None` if it is not a part of a whole.
    pub shares: Option<(f64, f64)>,
    /// The 95 % interval of the difference: from, to.
    pub interval: Option<(f64, f64)>,
    /// The probability of such a difference by chance, not corrected for the number of rows.
    pub p: Option<f64>,
    /// Whether the difference is more than noise, corrected for the number of rows.
    pub verdict: ChangeVerdict,
    /// Why the verdict is not the one that the values suggest.
    pub reason: Option<String>,
    /// Which direction is better.
    pub better: Better,
    /// How much it matters, 0 to 1. Rows of one verdict are ordered by it.
    pub impact: f64,
    /// The metric of stacks that shows it: a name for `stacks::Metric::of_name`.
    pub metric: Option<&'static str>,
    /// The full name of the method to look at in that metric. Of the methods of a handler, that of the recording after.
    pub method: Option<String>,
    /// Whether `name` is that of a handler: `handler of GET /orders`. The methods that handle its requests may have other full names
    /// in each recording.
    pub is_handler: bool,
    /// The type to look at in that metric: allocated or thrown.
    pub class: Option<String>,
    /// The table that the values come from.
    pub table: &'static str,
}

impl Change {
    /// The name as pages show it.
    pub fn shown_name(&self) -> &str {
        self.label.as_deref().unwrap_or(&self.name)
    }

    /// The name by which flame graphs of both recordings find its method. `None` if it is not about one.
    pub fn found_by(&self) -> Option<&str> {
        if self.is_handler { Some(&self.name) } else { self.method.as_deref() }
    }

    /// The heading that it stands under. Running threads are CPU use; other threads belong to the pool.
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

    /// The difference with its sign and unit. That of shares is in points, so that it does not look like a relative change.
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

    /// The relative change: a factor, a percentage, `new` or `gone`. Empty if there is none.
    pub fn in_words(&self) -> String {
        let (Some(before), Some(after)) = (self.before, self.after) else { return String::new() };
        let ratio = after / before;
        match ratio {
            _ if before.to_bits() == after.to_bits() => "=".to_owned(),
            _ if before == 0.0 => "new".to_owned(),
            _ if after == 0.0 => "gone".to_owned(),
            // Values of different signs have no ratio.
            _ if !ratio.is_finite() || ratio < 0.0 => String::new(),
            // The smaller value is close to 0, so more digits say nothing.
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

/// Something that is not compared, since not both exhibits have it.
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

/// A finding in one or both exhibits.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingChange {
    /// The rule.
    pub id: &'static str,
    /// Its title: that of the exhibit after if it has the finding.
    pub title: String,
    /// What became of it.
    pub state: FindingState,
    /// Its severity before and after. `None` if the exhibit does not have it.
    pub severity: (Option<Severity>, Option<Severity>),
    /// The measured number that is nearest to its threshold, before and after.
    pub measured: (Option<Measured>, Option<Measured>),
    /// Why the change may be noise: the number is near its threshold, and nothing that the finding rests on changed.
    pub reason: Option<String>,
}

impl FindingChange {
    /// The higher of both severities.
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
    /// How many nanoseconds were observed: before, after.
    pub observed_ns: (i64, i64),
    /// How many requests there were: before, after. `None` if that is not known of both.
    pub requests: Option<(f64, f64)>,
    /// How many pieces the observed time was cut into: before, after.
    pub pieces: (usize, usize),
    /// How many rows were tested.
    pub comparisons: usize,
    /// Whether neither exhibit lost so much that a difference may be hidden.
    pub is_whole: bool,
    /// The changes, by verdict (beyond noise first) and then by how much they matter.
    pub rows: Vec<Change>,
    /// The rows to read first, as places in `rows`: at most ten, with those of a group next to each other.
    pub first: Vec<usize>,
    /// The findings of both, new ones first.
    pub findings: Vec<FindingChange>,
    /// How the two exhibits differ other than by what was measured.
    pub caveats: Vec<String>,
    /// What is not compared, since not both exhibits have it.
    pub not_compared: Vec<NotCompared>,
    /// Rows that are too small to be listed: how many, and of what. Sums include them.
    pub left_out: Vec<(usize, String)>,
}

/// What [`NotCompared`] calls the samples.
pub const SAMPLES_OF_STACKS: &str = "samples of stacks";

impl Diff {
    /// Why samples are not compared, if they are not.
    pub fn why_no_samples(&self) -> Option<&str> {
        self.not_compared.iter().find(|of| of.what == SAMPLES_OF_STACKS).map(|of| of.why.as_str())
    }

    /// How many figures were compared: the rows that are not findings. Of these, `comparisons` were tested against noise.
    pub fn figures(&self) -> usize {
        self.rows.iter().filter(|row| row.subject != Subject::Finding).count()
    }

    /// How many rows have a verdict.
    pub fn count(&self, verdict: ChangeVerdict) -> usize {
        self.rows.iter().filter(|row| row.verdict == verdict).count()
    }

    /// The verdict of the whole comparison: whether any row is beyond noise.
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
