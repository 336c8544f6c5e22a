//! Thread time by what threads were doing, from samples.
//!
//! The sampler looks at all managed threads at once, so a thread that lives all the time has a sample a look, and the
//! samples of any group over the looks are threads: 3.2 threads waited for locks on average. Times are of the time in
//! which samples were taken, which may be a part of the recording.
//!
//! Samples of CPUs are of threads that run alone, so their groups are CPUs: 1.8 CPUs ran them on average. Without the
//! time that a sample stands for, nothing is known of that.

use crate::observed::observed_ns;
use base::number::real_u64;
use model::{NO_ID, Sampler, Sym, Trace};
use rustc_hash::FxHashMap;

/// What a sampled thread was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It ran managed code.
    Running,
    /// It waited.
    Waiting,
    /// It was outside managed code, running or not.
    External,
}

/// Samples of one thread with one stack in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// The thread, see `Trace::thread_ids`.
    pub thread: u32,
    /// What the thread is for, as in the table of threads.
    pub kind: Sym,
    /// Its stack.
    pub stack: u32,
    /// What it was doing.
    pub state: State,
    /// What it waited for.
    pub waiting_on: Sym,
    /// How many samples.
    pub samples: u64,
    /// The first of them.
    pub first_ns: i64,
    /// The last of them.
    pub last_ns: i64,
}

/// All samples, grouped.
#[derive(Debug, Default)]
pub struct Sampling {
    /// Nanoseconds in which samples were taken.
    pub observed_ns: i64,
    /// Looks of the sampler.
    pub looks: u64,
    /// The groups, by thread and by when each began.
    pub groups: Vec<Group>,
}

impl Sampling {
    /// Groups a recording's samples; none where it has none.
    pub fn new(recording: &Trace) -> Option<Self> {
        let observed_ns = observed_ns(recording, "samples")?;
        let samples = &recording.samples;
        let word = |text: &str| recording.strings.find(text).unwrap_or(Sym::NONE);
        let (running, waiting) = (word("running"), word("waiting"));
        let kinds = thread_kinds(recording);
        let mut by_thread: FxHashMap<u32, u64> = FxHashMap::default();
        let mut numbers: FxHashMap<(u32, u32, Sym, Sym), usize> = FxHashMap::default();
        let mut groups: Vec<Group> = Vec::new();
        for at in 0..samples.ts_ns.len() {
            let Some(row) = samples.row(at) else { continue };
            *by_thread.entry(row.thread).or_default() += 1;
            let next = groups.len();
            let number = *numbers.entry((row.thread, row.stack, row.state, row.waiting_on)).or_insert(next);
            if number == next {
                let state = match row.state {
                    state if state == running => State::Running,
                    state if state == waiting => State::Waiting,
                    _ => State::External,
                };
                groups.push(Group {
                    thread: row.thread,
                    kind: kinds.get(row.thread as usize).copied().unwrap_or(Sym::NONE),
                    stack: row.stack,
                    state,
                    waiting_on: row.waiting_on,
                    samples: 0,
                    first_ns: row.ts_ns,
                    last_ns: row.ts_ns,
                });
            }
            if let Some(group) = groups.get_mut(number) {
                group.samples += 1;
                group.last_ns = row.ts_ns;
            }
        }
        groups.sort_by_key(|group| (group.thread, group.first_ns, group.stack));
        let looks = match recording.session.sampler {
            Sampler::Threads => by_thread.into_values().max().unwrap_or(0),
            // A thread that runs all the time has a sample for each of these.
            Sampler::Cpus { every_ns } => u64::try_from(observed_ns / every_ns?.max(1)).unwrap_or(0).max(1),
        };
        Some(Self { observed_ns, looks, groups })
    }

    /// Threads on average, of so many samples.
    pub fn threads(&self, samples: u64) -> f64 {
        crate::figure::share(real_u64(samples), real_u64(self.looks)).unwrap_or(0.0)
    }

    /// Threads on average that a choice of groups stands for.
    pub fn threads_where(&self, wanted: impl Fn(&Group) -> bool) -> f64 {
        self.threads(self.groups.iter().filter(|group| wanted(group)).map(|group| group.samples).sum())
    }
}

/// What each thread is for, by its number in the recording.
pub(crate) fn thread_kinds(recording: &Trace) -> Vec<Sym> {
    let rows = recording.threads.thread.iter().zip(&recording.threads.kind);
    let by_id: FxHashMap<i64, Sym> = rows.map(|(thread, kind)| (*thread, *kind)).collect();
    recording.thread_ids.iter().map(|id| by_id.get(id).copied().unwrap_or(Sym::NONE)).collect()
}

/// The path of the request that a thread was in, by the last start on it that has no end on it yet.
#[derive(Debug, Default)]
pub struct RequestPaths {
    /// Starts and ends by thread, in the order of time.
    marks: FxHashMap<u32, Vec<(i64, Sym)>>,
}

impl RequestPaths {
    /// Sorts a recording's marks by thread.
    pub fn new(recording: &Trace) -> Self {
        let rows = &recording.request_marks;
        let mut marks: FxHashMap<u32, Vec<(i64, Sym)>> = FxHashMap::default();
        for ((ts_ns, thread), path) in rows.ts_ns.iter().zip(&rows.thread).zip(&rows.path) {
            marks.entry(*thread).or_default().push((*ts_ns, *path));
        }
        Self { marks }
    }

    /// How many starts and ends of requests a thread has passed at a time.
    pub fn passed(&self, thread: u32, ts_ns: i64) -> usize {
        self.marks.get(&thread).map_or(0, |marks| marks.partition_point(|(at, _)| *at <= ts_ns))
    }

    /// The path at a time; none between requests.
    pub fn at(&self, thread: u32, ts_ns: i64) -> Option<Sym> {
        let marks = self.marks.get(&thread)?;
        let after = marks.partition_point(|(at, _)| *at <= ts_ns);
        marks.get(after.checked_sub(1)?).map(|(_, path)| *path).filter(|path| *path != Sym::NONE)
    }
}

/// The innermost frame of a stack.
pub fn leaf_frame(recording: &Trace, stack: u32) -> Option<u32> {
    recording.stacks.frame.get(stack as usize).copied().filter(|frame| *frame != NO_ID)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::tests::{recording, stack};
    use model::SampleRow;

    #[test]
    fn samples_over_looks_are_threads() {
        let mut recording = recording(1_000_000_000);
        recording.thread_ids = vec![10, 11];
        let one = stack(&mut recording, &["Shop!Main"]);
        let running = recording.strings.intern("running");
        for (thread, times) in [(0, 4), (1, 2)] {
            for ts_ns in 0..times {
                let none = Sym::NONE;
                recording.samples.push(SampleRow {
                    ts_ns,
                    thread,
                    stack: one,
                    kind: none,
                    state: running,
                    waiting_on: none,
                });
            }
        }
        let sampling = Sampling::new(&recording).unwrap();
        assert_eq!(sampling.looks, 4);
        assert_eq!(sampling.groups.len(), 2);
        assert!((sampling.threads_where(|group| group.state == State::Running) - 1.5).abs() < 1e-9);
    }

    #[test]
    fn a_sample_of_a_cpu_is_cpu_time_and_the_busiest_thread_is_not_taken_for_one_that_always_runs() {
        let mut recording = recording(1_000_000_000);
        recording.thread_ids = vec![10];
        let one = stack(&mut recording, &["Shop!Main"]);
        let running = recording.strings.intern("running");
        for ts_ns in 0..250 {
            let none = Sym::NONE;
            recording.samples.push(SampleRow {
                ts_ns,
                thread: 0,
                stack: one,
                kind: none,
                state: running,
                waiting_on: none,
            });
        }
        recording.session.sampler = Sampler::Cpus { every_ns: Some(1_000_000) };
        let sampling = Sampling::new(&recording).unwrap();
        assert!((sampling.threads_where(|_| true) - 0.25).abs() < 1e-9);
        recording.session.sampler = Sampler::Cpus { every_ns: None };
        assert!(Sampling::new(&recording).is_none(), "without the time of a sample nothing follows from it");
    }

    #[test]
    fn a_thread_is_in_the_request_that_began_on_it_last_and_has_not_ended_on_it() {
        let mut recording = recording(1);
        let path = recording.strings.intern("/orders/7");
        for (ts_ns, path) in [(10, path), (20, Sym::NONE), (30, path)] {
            recording.request_marks.ts_ns.push(ts_ns);
            recording.request_marks.thread.push(3);
            recording.request_marks.path.push(path);
        }
        let paths = RequestPaths::new(&recording);
        assert_eq!([5, 15, 25, 35].map(|ns| paths.at(3, ns)), [None, Some(path), None, Some(path)]);
        assert_eq!(paths.at(4, 15), None);
    }
}
