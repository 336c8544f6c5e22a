//! What can be summed up over stacks: samples, bytes, times, counts.

use model::{ByKind, Sampler, StackId, Sym, Trace};
use report::unit::{duration, short, show};
use rustc_hash::FxHashMap;

/// Rows with stacks, and what each weighs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Samples of threads that run: the closest to CPU time that the sampler has.
    Running,
    /// Samples of threads that wait.
    Waiting,
    /// Samples of threads in native code, running or not.
    External,
    /// All samples: wall-clock time of every thread.
    Wall,
    /// Bytes allocated, estimated from sampled allocations.
    AllocatedBytes,
    /// Sampled allocations, by count.
    Allocations,
    /// Time spent waiting for locks.
    ContentionTime,
    /// Waits for locks, by count.
    Contentions,
    /// Time spent waiting for handles and for the signals of monitors.
    WaitTime,
    /// Exceptions thrown, by count.
    Exceptions,
    /// Time spent compiling methods, by the code that needed them.
    JitTime,
    /// Collections triggered, by count.
    Collections,
    /// Time that GC pauses took, by what triggered the collection.
    GcPause,
    /// Events of one kind, by count: provider and name.
    Event(String, String),
}

const NAMED: [(&str, Metric); 13] = [
    ("running", Metric::Running),
    ("waiting", Metric::Waiting),
    ("external", Metric::External),
    ("wall", Metric::Wall),
    ("allocated-bytes", Metric::AllocatedBytes),
    ("allocations", Metric::Allocations),
    ("contention-time", Metric::ContentionTime),
    ("contentions", Metric::Contentions),
    ("wait-time", Metric::WaitTime),
    ("exceptions", Metric::Exceptions),
    ("jit-time", Metric::JitTime),
    ("collections", Metric::Collections),
    ("gc-pause", Metric::GcPause),
];

impl Metric {
    /// The metric with this name: a fixed one, or `event:PROVIDER/NAME`.
    pub fn of_name(name: &str) -> Option<Self> {
        if let Some(event) = name.strip_prefix("event:") {
            let (provider, event) = event.split_once('/')?;
            return Some(Self::Event(provider.to_owned(), event.to_owned()));
        }
        NAMED.iter().find(|(of, _)| *of == name).map(|(_, metric)| metric.clone())
    }

    /// Its name, as `of_name` takes it.
    pub fn name(&self) -> String {
        match self {
            Self::Event(provider, event) => format!("event:{provider}/{event}"),
            fixed => NAMED.iter().find(|(_, of)| of == fixed).map_or("", |(name, _)| name).to_owned(),
        }
    }

    /// Its name for people.
    pub fn title(&self) -> String {
        let title = match self {
            Self::Running => "Running samples",
            Self::Waiting => "Waiting samples",
            Self::External => "Samples in native code",
            Self::Wall => "All samples (wall clock)",
            Self::AllocatedBytes => "Bytes allocated",
            Self::Allocations => "Sampled allocations",
            Self::ContentionTime => "Time waiting for locks",
            Self::Contentions => "Waits for locks",
            Self::WaitTime => "Time waiting for handles",
            Self::Exceptions => "Exceptions thrown",
            Self::JitTime => "Time compiling methods",
            Self::Collections => "Collections triggered",
            Self::GcPause => "GC pauses",
            Self::Event(_, event) => return event.clone(),
        };
        title.to_owned()
    }

    /// What it means, in a sentence or two, by the sampler of the recording.
    pub fn about(&self, sampler: Sampler) -> &'static str {
        match self {
            Self::Running | Self::Wall if matches!(sampler, Sampler::Cpus { .. }) => {
                "How often the system met a thread on a CPU: CPU time, including native and kernel code if it was recorded. \
                 Waiting threads are never met."
            }
            Self::Running => {
                "How often the sampler met a thread whose stack says that it was running. The sampler stops the program and \
                 takes a sample of every managed thread, so this is close to CPU time, but not a measurement of it."
            }
            Self::Waiting => {
                "How often the sampler met a thread that waited: for a task, a lock, input, or time."
            }
            Self::External => {
                "How often the sampler met a thread in native code, whose stack does not say whether it ran."
            }
            Self::Wall => {
                "How often the sampler met a thread, whatever it did: wall-clock time, added up over all threads."
            }
            Self::AllocatedBytes => {
                "Bytes allocated, estimated: each sampled allocation stands for the bytes since the one before it."
            }
            Self::Allocations => {
                "How many allocations were sampled. Large objects are sampled more often than small ones."
            }
            Self::ContentionTime => {
                "Time between Contention/Start and Contention/Stop, if both were recorded."
            }
            Self::Contentions => {
                "How often a thread waited for a lock that another thread held (Contention/Start)."
            }
            Self::WaitTime => "Time between WaitHandleWait/Start and /Stop (.NET 9 and later).",
            Self::Exceptions => "How often an exception was thrown, caught or not (Exception/Start).",
            Self::JitTime => {
                "Time from Method/JittingStarted to Method/LoadVerbose, by the stack that needed the method."
            }
            Self::Collections => "How often a collection was triggered, by the stack of GC/Triggered.",
            Self::GcPause => {
                "How long the GC paused the program, by the stack that triggered each collection."
            }
            Self::Event(..) => "How often this event was sent, by the stack that it came with.",
        }
    }

    /// The table of its rows.
    pub fn table(&self) -> &'static str {
        match self {
            Self::Running | Self::Waiting | Self::External | Self::Wall => "samples",
            Self::AllocatedBytes | Self::Allocations => "allocations",
            Self::ContentionTime | Self::Contentions => "contention",
            Self::WaitTime => "waits",
            Self::Exceptions => "exceptions",
            Self::JitTime => "jit",
            Self::Collections | Self::GcPause => "gc",
            Self::Event(..) => "events",
        }
    }

    /// Its unit: `samples`, `bytes`, `ns`, `events`.
    pub fn unit(&self) -> &'static str {
        match self {
            Self::Running | Self::Waiting | Self::External | Self::Wall => "samples",
            Self::AllocatedBytes => "bytes",
            Self::ContentionTime | Self::WaitTime | Self::JitTime | Self::GcPause => "ns",
            Self::Allocations
            | Self::Contentions
            | Self::Exceptions
            | Self::Collections
            | Self::Event(..) => "events",
        }
    }

    /// Whether it counts samples, which may have been taken only for a part of the time.
    pub fn is_of_samples(&self) -> bool {
        self.unit() == "samples"
    }
}

/// A metric that a recording has rows for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The metric.
    pub metric: Metric,
    /// How many rows.
    pub rows: u64,
}

/// A weight as text, in the unit of its metric. A count is only a number.
pub fn written_weight(value: f64, unit: &str) -> String {
    match unit {
        "ns" => duration(value / 1e6),
        "bytes" => show(value, "B"),
        _ => short(value),
    }
}

/// The metrics that a recording has rows for: first the fixed ones, then events with stacks, the most frequent first.
pub fn offers(recording: &Trace) -> Vec<Offer> {
    let mut offers = Vec::new();
    for (_, metric) in NAMED {
        let rows = rows(recording, &metric);
        if rows > 0 {
            offers.push(Offer { metric, rows });
        }
    }
    let events = &recording.events;
    let mut counts: ByKind<u64> = vec![0; events.kind_name.len()].into();
    for (kind, stack) in events.kind.iter().zip(&events.stack) {
        if stack.is_some()
            && let Some(count) = counts.get_mut(*kind)
        {
            *count += 1;
        }
    }
    // All versions of an event are one metric.
    let mut place_of: FxHashMap<(&str, &str), usize> = FxHashMap::default();
    let mut by_name: Vec<(&str, &str, u64)> = Vec::new();
    for (kind, count) in counts.iter_with_ids().filter(|(_, count)| **count > 0) {
        let text = |list: &ByKind<Sym>| list.get(kind).map_or("", |sym| recording.strings.text(*sym));
        let (provider, name) = (text(&events.kind_provider), text(&events.kind_name));
        let place = *place_of.entry((provider, name)).or_insert(by_name.len());
        match by_name.get_mut(place) {
            Some((_, _, sum)) => *sum += count,
            None => by_name.push((provider, name, *count)),
        }
    }
    by_name.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| (a.0, a.1).cmp(&(b.0, b.1))));
    let event = |(provider, name, rows): (&str, &str, u64)| Offer {
        metric: Metric::Event(provider.to_owned(), name.to_owned()),
        rows,
    };
    offers.extend(by_name.into_iter().map(event));
    offers
}

fn rows(recording: &Trace, metric: &Metric) -> u64 {
    let with_stack = |stacks: &[Option<StackId>]| stacks.iter().flatten().count();
    let state = |name: &str| {
        let Some(state) = recording.strings.find(name) else { return 0 };
        recording.samples.state.iter().filter(|of| **of == state).count()
    };
    let count = match metric {
        Metric::Running => state("running"),
        Metric::Waiting => state("waiting"),
        Metric::External => state("external"),
        Metric::Wall => recording.samples.state.len(),
        Metric::AllocatedBytes | Metric::Allocations => recording.allocations.stack.len(),
        Metric::ContentionTime | Metric::Contentions => recording.contention.stack.len(),
        Metric::WaitTime => recording.waits.stack.len(),
        Metric::Exceptions => recording.exceptions.stack.len(),
        Metric::JitTime => with_stack(&recording.jit.stack),
        Metric::Collections | Metric::GcPause => with_stack(&recording.gc.stack),
        Metric::Event(..) => 0,
    };
    // A `usize` has at most 64 bits on every target that we build for.
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_found_by_its_own_name() {
        let event = Metric::Event("Microsoft-Windows-DotNETRuntime".into(), "GC/Start".into());
        for metric in NAMED.iter().map(|(_, metric)| metric.clone()).chain([event]) {
            assert_eq!(Metric::of_name(&metric.name()), Some(metric.clone()), "{metric:?}");
        }
        assert_eq!(Metric::of_name("event:nothing"), None);
        assert_eq!(Metric::of_name("cpu"), None);
    }
}
