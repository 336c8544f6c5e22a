//! Turns the rows of a recording into weights of its stacks.

use crate::filter::{Filter, passes};
use crate::metric::Metric;
use model::{ByKind, ByStack, ByThread, NO_INT, StackId, Sym, ThreadId, Trace, sorted_range};

/// The weights of stacks.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighed {
    /// A weight for each row of `stacks`.
    pub own: ByStack<f64>,
    /// The weight of rows without a stack.
    pub stackless: f64,
    /// The sum of all weights.
    pub total: f64,
    /// How many rows were selected.
    pub rows: u64,
    /// How many rows were selected, but have an unknown weight (a wait without its end).
    pub unweighed: u64,
    /// How many samples of the range and the states are left out because their thread is idle.
    pub idle: u64,
}

/// The columns that every table with stacks has.
struct Rows<'a> {
    ts_ns: &'a [i64],
    thread: &'a [ThreadId],
    stack: &'a [Option<StackId>],
}

struct Scale<'a> {
    filter: &'a Filter,
    stacks: Option<ByStack<bool>>,
    threads: Option<ByThread<bool>>,
    weighed: Weighed,
}

/// Sums up the rows of a metric by stack.
pub fn weigh(recording: &Trace, metric: &Metric, filter: &Filter) -> Weighed {
    let mut scale = Scale {
        filter,
        stacks: filter.stacks(recording),
        threads: filter.thread_numbers(recording),
        weighed: Weighed {
            own: vec![0.0; recording.stacks.len()].into(),
            stackless: 0.0,
            total: 0.0,
            rows: 0,
            unweighed: 0,
            idle: 0,
        },
    };
    match metric {
        Metric::Running => scale.samples(recording, Some("running")),
        Metric::Waiting => scale.samples(recording, Some("waiting")),
        Metric::External => scale.samples(recording, Some("external")),
        Metric::Wall => scale.samples(recording, None),
        Metric::AllocatedBytes | Metric::Allocations => scale.allocations(recording, metric),
        Metric::Contentions => {
            let of = &recording.contention;
            scale.moments(&Rows { ts_ns: &of.ts_ns, thread: &of.thread, stack: &of.stack }, |_| Some(1.0));
        }
        Metric::ContentionTime => {
            let of = &recording.contention;
            scale.spans(&Rows { ts_ns: &of.ts_ns, thread: &of.thread, stack: &of.stack }, &of.dur_ns);
        }
        Metric::WaitTime => {
            let of = &recording.waits;
            scale.spans(&Rows { ts_ns: &of.ts_ns, thread: &of.thread, stack: &of.stack }, &of.dur_ns);
        }
        Metric::JitTime => {
            let of = &recording.jit;
            scale.spans(&Rows { ts_ns: &of.ts_ns, thread: &of.thread, stack: &of.stack }, &of.dur_ns);
        }
        Metric::Exceptions => {
            let of = &recording.exceptions;
            let rows = Rows { ts_ns: &of.ts_ns, thread: &of.thread, stack: &of.stack };
            let class = scale.class(recording);
            scale.moments(&rows, |at| class.has(&of.class, at).then_some(1.0));
        }
        Metric::Collections | Metric::GcPause => {
            let of = &recording.gc;
            let rows = Rows { ts_ns: &of.start_ns, thread: &of.thread, stack: &of.stack };
            if *metric == Metric::Collections {
                scale.moments(&rows, |_| Some(1.0));
            } else {
                scale.moments(&rows, |at| Some(known(&of.pause_ns, at)));
            }
        }
        Metric::Event(provider, name) => scale.events(recording, provider, name),
    }
    scale.weighed
}

/// In place of the weight of a sample that is left out because its thread is idle. No row weighs that.
const IDLE: f64 = f64::NEG_INFINITY;

/// A value as a weight. Not-a-number if it is missing.
fn known(column: &[i64], at: usize) -> f64 {
    column.get(at).filter(|value| **value != NO_INT).map_or(f64::NAN, |value| *value as f64)
}

/// The text that a column of a row must have.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    Any,
    Only(Sym),
    /// A text that the recording does not have, so no row has it.
    Missing,
}

impl Wanted {
    fn new(recording: &Trace, text: Option<&str>) -> Self {
        let Some(text) = text else { return Self::Any };
        recording.strings.find(text).map_or(Self::Missing, Self::Only)
    }

    fn has(self, column: &[Sym], row: usize) -> bool {
        match self {
            Self::Any => true,
            Self::Only(sym) => column.get(row) == Some(&sym),
            Self::Missing => false,
        }
    }
}

impl Scale<'_> {
    fn class(&self, recording: &Trace) -> Wanted {
        Wanted::new(recording, self.filter.class.as_deref())
    }

    fn is_thread(&self, thread: ThreadId) -> bool {
        let flags = self.threads.as_ref();
        flags.is_none_or(|flags| flags.get(thread).copied().unwrap_or(false))
    }

    /// Adds a row that passed the filters of time and kind.
    fn add(&mut self, thread: ThreadId, stack: Option<StackId>, weight: f64) {
        let stackless = self.filter.takes_stackless();
        if !self.is_thread(thread) || !passes(self.stacks.as_ref(), stack, stackless) {
            return;
        }
        if weight == IDLE {
            self.weighed.idle += 1;
            return;
        }
        if !weight.is_finite() {
            self.weighed.unweighed += 1;
            return;
        }
        self.weighed.rows += 1;
        self.weighed.total += weight;
        let own = stack.and_then(|stack| self.weighed.own.get_mut(stack));
        *own.unwrap_or(&mut self.weighed.stackless) += weight;
    }

    /// Adds rows that have a time. `weight` is `None` for rows that do not count.
    fn moments(&mut self, rows: &Rows<'_>, weight: impl Fn(usize) -> Option<f64>) {
        let (from, to) = (self.filter.from_ns.unwrap_or(i64::MIN), self.filter.to_ns);
        let range = sorted_range(rows.ts_ns, from, to.map_or(i64::MAX, |to| to.saturating_sub(1)));
        for at in range.start..range.end {
            let (Some(thread), Some(stack)) = (rows.thread.get(at), rows.stack.get(at)) else { break };
            if rows.ts_ns.get(at).is_some_and(|ts_ns| !self.filter.has_moment(*ts_ns)) {
                continue;
            }
            if let Some(weight) = weight(at) {
                self.add(*thread, *stack, weight);
            }
        }
    }

    /// Adds rows that have a duration. Each weighs the part of it that lies in the range.
    fn spans(&mut self, rows: &Rows<'_>, dur_ns: &[i64]) {
        let columns = rows.ts_ns.iter().zip(dur_ns).zip(rows.thread.iter().zip(rows.stack));
        for ((start_ns, dur_ns), (thread, stack)) in columns {
            if !self.filter.has_moment(*start_ns) {
                continue;
            }
            if *dur_ns == NO_INT {
                if self.filter.has_time(*start_ns) {
                    self.add(*thread, *stack, f64::NAN);
                }
            } else if let Some(part_ns) = self.filter.overlap(*start_ns, *dur_ns) {
                self.add(*thread, *stack, part_ns as f64);
            }
        }
    }

    fn samples(&mut self, recording: &Trace, state: Option<&str>) {
        let of = &recording.samples;
        let rows = Rows { ts_ns: &of.ts_ns, thread: &of.thread, stack: &of.stack };
        let state = Wanted::new(recording, state);
        let waiting_on = Wanted::new(recording, self.filter.waiting_on.as_deref());
        let find = |text: &str| recording.strings.find(text);
        let (running, waiting) = (find("running"), find("waiting"));
        let is_chosen = |at: usize| {
            let Some(samples) = &self.filter.samples else { return true };
            let state = match of.state.get(at).copied() {
                state if state == running => "running",
                state if state == waiting => "waiting",
                _ => "external",
            };
            of.thread
                .get(at)
                .is_some_and(|thread| samples.has(*thread, of.stack.get(at).copied().flatten(), state))
        };
        let (lock, filter) = (find("lock"), self.filter);
        // A thread that waits for a lock is in the middle of something, whatever its stack is.
        let is_idle = |at: usize| {
            of.state.get(at).copied() == waiting
                && (lock.is_none() || of.waiting_on.get(at).copied() != lock)
                && filter.is_left_out(of.stack.get(at).copied().flatten())
        };
        let wanted = |at| state.has(&of.state, at) && waiting_on.has(&of.waiting_on, at) && is_chosen(at);
        self.moments(&rows, |at| wanted(at).then(|| if is_idle(at) { IDLE } else { 1.0 }));
    }

    fn allocations(&mut self, recording: &Trace, metric: &Metric) {
        let of = &recording.allocations;
        let rows = Rows { ts_ns: &of.ts_ns, thread: &of.thread, stack: &of.stack };
        let class = self.class(recording);
        // If a recording has ticks and samples, both cover the same bytes: only samples count.
        let sampled = recording.strings.find("sample").filter(|source| of.source.contains(source));
        let counted = |at: usize| sampled.is_none() || of.source.get(at).copied() == sampled;
        let weight = |at: usize| match metric {
            Metric::AllocatedBytes => of.weight_bytes.get(at).copied().unwrap_or(f64::NAN),
            _ => 1.0,
        };
        self.moments(&rows, |at| (counted(at) && class.has(&of.class, at)).then(|| weight(at)));
    }

    fn events(&mut self, recording: &Trace, provider: &str, name: &str) {
        let events = &recording.events;
        let kinds: ByKind<bool> = (events.kind_provider.iter().zip(&events.kind_name))
            .map(|(of, event)| {
                recording.strings.text(*of) == provider && recording.strings.text(*event) == name
            })
            .collect();
        let rows = Rows { ts_ns: &events.ts_ns, thread: &events.thread, stack: &events.stack };
        let is_kind = |at: usize| {
            let kind = events.kind.get(at).and_then(|kind| kinds.get(*kind));
            kind.copied().unwrap_or(false)
        };
        self.moments(&rows, |at| is_kind(at).then_some(1.0));
    }
}
