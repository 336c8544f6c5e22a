//! What threads were doing, from samples.
//!
//! Each run of the sampler takes a sample of every managed thread. So the samples of any group, over the runs of the sampler,
//! are the average number of threads in it: 3.2 threads waited for locks. Samples may cover only a part of the recording.
//!
//! A sampler of CPUs only meets threads that run, so its groups are CPU cores: 1.8 cores ran them on average. That needs to
//! know the time that each sample stands for.

use crate::observed::observed_ns;
use base::number::real_u64;
use model::{ByThread, Sampler, StackId, Sym, ThreadId, Trace};
use rustc_hash::FxHashMap;

/// What a sampled thread was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It ran managed code.
    Running,
    /// It waited.
    Waiting,
    /// It was in native code, running or not.
    External,
}

impl State {
    /// Its name, as in the table of samples.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::External => "external",
        }
    }
}

/// Samples of one thread with one stack in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// The thread.
    pub thread: ThreadId,
    /// What the thread is for, as in the table of threads.
    pub kind: Sym,
    /// Its stack.
    pub stack: Option<StackId>,
    /// What it was doing.
    pub state: State,
    /// What it waited for.
    pub waiting_on: Sym,
    /// How many samples there are.
    pub samples: u64,
    /// When the first was taken.
    pub first_ns: i64,
    /// When the last was taken.
    pub last_ns: i64,
}

/// All samples, grouped.
#[derive(Debug, Default)]
pub struct Sampling {
    /// Nanoseconds in which samples were taken.
    pub observed_ns: i64,
    /// How often the sampler ran.
    pub looks: u64,
    /// The groups, by thread and by when each began.
    pub groups: Vec<Group>,
}

impl Sampling {
    /// Groups the samples of a recording. `None` without samples.
    pub fn new(recording: &Trace) -> Option<Self> {
        let observed_ns = observed_ns(recording, "samples")?;
        let samples = &recording.samples;
        let word = |text: &str| recording.strings.find(text).unwrap_or(Sym::NONE);
        let (running, waiting) = (word("running"), word("waiting"));
        let kinds = thread_kinds(recording);
        let mut numbers: FxHashMap<(ThreadId, Option<StackId>, State, Sym), usize> = FxHashMap::default();
        // A thread mostly stays where it was, so the group of its last sample is tried first.
        let mut latest: ByThread<Option<usize>> = recording.thread_ids.iter().map(|_| None).collect();
        let mut groups: Vec<Group> = Vec::new();
        for at in 0..samples.ts_ns.len() {
            let Some(row) = samples.row(at) else { continue };
            let state = match row.state {
                state if state == running => State::Running,
                state if state == waiting => State::Waiting,
                _ => State::External,
            };
            let is_same = |group: &&mut Group| {
                (group.stack, group.state, group.waiting_on) == (row.stack, state, row.waiting_on)
            };
            let last = latest.get(row.thread).copied().flatten().and_then(|number| groups.get_mut(number));
            if let Some(group) = last.filter(is_same) {
                group.samples += 1;
                group.last_ns = row.ts_ns;
                continue;
            }
            let next = groups.len();
            let number = *numbers.entry((row.thread, row.stack, state, row.waiting_on)).or_insert(next);
            if number == next {
                groups.push(Group {
                    thread: row.thread,
                    kind: kinds.get(row.thread).copied().unwrap_or(Sym::NONE),
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
            if let Some(latest) = latest.get_mut(row.thread) {
                *latest = Some(number);
            }
        }
        groups.sort_by_key(|group| (group.thread, group.first_ns, group.stack));
        let looks = match recording.session.sampler {
            Sampler::Threads => most_of_a_thread(&groups),
            // A thread that runs all the time has one sample per interval.
            Sampler::Cpus { every_ns } => (observed_ns / every_ns?.max(1)).max(1).unsigned_abs(),
        };
        Some(Self { observed_ns, looks, groups })
    }

    /// How long the program ran, on average, from one sample of a thread to the next, in nanoseconds: what one sample stands for.
    pub fn sample_ns(&self) -> f64 {
        base::number::real(self.observed_ns) / real_u64(self.looks.max(1))
    }

    /// The average number of threads that samples stand for.
    pub fn threads(&self, samples: u64) -> f64 {
        crate::figure::share(real_u64(samples), real_u64(self.looks)).unwrap_or(0.0)
    }

    /// The average number of threads in the chosen groups.
    pub fn threads_where(&self, wanted: impl Fn(&Group) -> bool) -> f64 {
        self.threads(self.groups.iter().filter(|group| wanted(group)).map(|group| group.samples).sum())
    }
}

/// The most samples of any thread. The groups must be sorted by thread.
fn most_of_a_thread(groups: &[Group]) -> u64 {
    let threads = groups.chunk_by(|a, b| a.thread == b.thread);
    threads.map(|of| of.iter().map(|group| group.samples).sum()).max().unwrap_or(0)
}

/// What each thread is for.
pub(crate) fn thread_kinds(recording: &Trace) -> ByThread<Sym> {
    let rows = recording.threads.thread.iter().zip(&recording.threads.kind);
    let by_id: FxHashMap<i64, Sym> = rows.map(|(thread, kind)| (*thread, *kind)).collect();
    recording.thread_ids.iter().map(|id| by_id.get(id).copied().unwrap_or(Sym::NONE)).collect()
}

/// The path of the request that a thread was in: of the last start on the thread that has no end there yet.
#[derive(Debug, Default)]
pub struct RequestPaths {
    /// Starts and ends of requests by thread, in order of time. An end has no path.
    marks: FxHashMap<ThreadId, Vec<(i64, Sym)>>,
    /// How many threads the recording has.
    threads: usize,
}

/// Follows threads through their requests. Rows that come in order of time need no search.
#[derive(Debug)]
pub struct Follower<'a> {
    /// For each thread, how many of its starts and ends are passed, and all of them.
    threads: ByThread<(usize, &'a [(i64, Sym)])>,
}

impl Follower<'_> {
    /// How many starts and ends a thread has passed at a time, and the path of the request that it is in.
    pub fn at(&mut self, thread: ThreadId, ts_ns: i64) -> (usize, Option<Sym>) {
        let Some((passed, marks)) = self.threads.get_mut(thread) else { return (0, None) };
        let last = |passed: usize| passed.checked_sub(1).and_then(|last| marks.get(last));
        // This row is earlier than the one before it.
        if last(*passed).is_some_and(|(at, _)| *at > ts_ns) {
            *passed = marks.partition_point(|(at, _)| *at <= ts_ns);
        }
        while marks.get(*passed).is_some_and(|(at, _)| *at <= ts_ns) {
            *passed += 1;
        }
        (*passed, last(*passed).map(|(_, path)| *path).filter(|path| *path != Sym::NONE))
    }
}

impl RequestPaths {
    /// Groups the starts and ends of a recording by thread.
    pub fn new(recording: &Trace) -> Self {
        let rows = &recording.request_marks;
        let mut marks: FxHashMap<ThreadId, Vec<(i64, Sym)>> = FxHashMap::default();
        for ((ts_ns, thread), path) in rows.ts_ns.iter().zip(&rows.thread).zip(&rows.path) {
            marks.entry(*thread).or_default().push((*ts_ns, *path));
        }
        Self { marks, threads: recording.thread_ids.len() }
    }

    /// A follower of all threads, before their first rows.
    pub fn follow(&self) -> Follower<'_> {
        let marks = (0..self.threads).map_while(ThreadId::new).map(|thread| self.marks.get(&thread));
        let threads = marks.map(|marks| (0, marks.map_or(&[][..], Vec::as_slice)));
        Follower { threads: threads.collect() }
    }

    /// The path at a time. `None` between requests.
    pub fn at(&self, thread: ThreadId, ts_ns: i64) -> Option<Sym> {
        let marks = self.marks.get(&thread)?;
        let after = marks.partition_point(|(at, _)| *at <= ts_ns);
        marks.get(after.checked_sub(1)?).map(|(_, path)| *path).filter(|path| *path != Sym::NONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::tests::recording;

    #[test]
    fn samples_over_looks_are_threads() {
        let mut recording = recording(1_000_000_000);
        recording.thread_ids = vec![10, 11].into();
        for (thread, times) in [(0, 4), (1, 2), (u16::MAX, 3)] {
            for ts_ns in 0..times {
                recording.sample(ts_ns, thread.into(), ["", "running", ""], &["Shop!Main"]);
            }
        }
        let sampling = Sampling::new(&recording).unwrap();
        assert_eq!(sampling.looks, 4);
        // Damage may name a thread that is not there.
        assert_eq!(sampling.groups.iter().map(|group| group.samples).collect::<Vec<_>>(), [4, 2, 3]);
        assert!((sampling.threads_where(|group| group.state == State::Running) - 2.25).abs() < 1e-9);
    }

    #[test]
    fn a_sample_of_a_cpu_is_cpu_time_and_the_busiest_thread_is_not_taken_for_one_that_always_runs() {
        let mut recording = recording(1_000_000_000);
        recording.thread_ids = vec![10].into();
        for ts_ns in 0..250 {
            recording.sample(ts_ns, ThreadId::FIRST, ["", "running", ""], &["Shop!Main"]);
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
        recording.thread_ids = vec![10, 11, 12, 13].into();
        let path = recording.text("/orders/7");
        for (ts_ns, path) in [(10, path), (20, Sym::NONE), (30, path)] {
            recording.request_marks.ts_ns.push(ts_ns);
            recording.request_marks.thread.push(ThreadId::from(3));
            recording.request_marks.path.push(path);
        }
        let paths = RequestPaths::new(&recording);
        let [third, fourth, ninth] = [3, 4, 9].map(ThreadId::from);
        assert_eq!([5, 15, 25, 35].map(|ns| paths.at(third, ns)), [None, Some(path), None, Some(path)]);
        let mut follower = paths.follow();
        let times = [5, 15, 25, 35, 15];
        let expected = [(0, None), (1, Some(path)), (2, None), (3, Some(path)), (1, Some(path))];
        assert_eq!(times.map(|ns| follower.at(third, ns)), expected);
        assert_eq!([ThreadId::FIRST, ninth].map(|thread| follower.at(thread, 15)), [(0, None); 2]);
        assert_eq!(paths.at(fourth, 15), None);
        // Whatever was asked for before.
        let times = [35, 5, 20, 15, 19, 35, 36, 10, 30, 9, 29];
        assert_eq!(times.map(|ns| follower.at(third, ns).0), [3, 0, 2, 1, 1, 3, 3, 1, 3, 0, 2]);
    }
}
