//! How many threads of each kind ran and waited, on average, from samples.

use crate::frames::StackIndex;
use crate::sampling::{Sampling, State};
use base::number::real_u64;
use model::Trace;
use std::collections::BTreeMap;

/// The average number of threads of a kind, by state.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Occupancy {
    /// Ran managed code.
    pub running: f64,
    /// Waited.
    pub waiting: f64,
    /// Outside managed code.
    pub external: f64,
}

/// The threads of each kind, by the name of the kind.
pub fn occupancy(recording: &Trace, sampling: &Sampling) -> Vec<(String, Occupancy)> {
    let mut kinds: BTreeMap<&str, Occupancy> = BTreeMap::new();
    for group in &sampling.groups {
        let kind = kinds.entry(recording.strings.get(group.kind).unwrap_or("other")).or_default();
        let threads = sampling.threads(group.samples);
        match group.state {
            State::Running => kind.running += threads,
            State::Waiting => kind.waiting += threads,
            State::External => kind.external += threads,
        }
    }
    kinds.into_iter().map(|(kind, of)| (kind.to_owned(), of)).collect()
}

/// The average number of thread-pool threads, by what they were doing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PoolUse {
    /// Ran managed code.
    pub running: f64,
    /// Outside managed code, while doing work.
    pub external: f64,
    /// Waited while doing work, by what they waited for, the most first.
    pub held_up: Vec<(String, f64)>,
    /// Waited or looked for work.
    pub idle: f64,
}

impl PoolUse {
    /// All threads that waited while doing work.
    pub fn held_up_all(&self) -> f64 {
        self.held_up.iter().map(|(_, threads)| threads).sum()
    }
}

/// What thread-pool threads did. A thread without work on its stack is idle.
pub fn pool_use(recording: &Trace, sampling: &Sampling, index: &StackIndex) -> PoolUse {
    let mut of = PoolUse::default();
    let mut held_up: BTreeMap<&str, u64> = BTreeMap::new();
    for group in sampling.groups.iter().filter(|group| recording.strings.text(group.kind) == "pool") {
        let threads = sampling.threads(group.samples);
        let at_work = index.is_at_work(group.stack, true);
        match group.state {
            State::Running => of.running += threads,
            State::External if at_work => of.external += threads,
            State::Waiting if at_work => {
                *held_up.entry(recording.strings.text(group.waiting_on)).or_default() += group.samples;
            }
            State::External | State::Waiting => of.idle += threads,
        }
    }
    let mut rows: Vec<(&str, u64)> = held_up.into_iter().collect();
    rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let looks = real_u64(sampling.looks).max(1.0);
    of.held_up =
        rows.into_iter().map(|(what, samples)| (what.to_owned(), real_u64(samples) / looks)).collect();
    of
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::tests::recording;
    use model::ThreadRow;

    #[test]
    fn a_worker_that_waits_within_its_work_is_held_up_and_one_that_waits_for_work_is_idle() {
        let mut recording = recording(1);
        recording.thread_ids = vec![10, 11].into();
        let kind = recording.text("pool");
        for thread in [10, 11] {
            recording.threads.push(ThreadRow { thread, kind, ..ThreadRow::blank() });
        }
        let work = ["System.Private.CoreLib!System.Threading.ThreadPoolWorkQueue.Dispatch"];
        let idle = ["System.Private.CoreLib!Start"];
        for (thread, stack, waiting_on) in [(0, work, "task"), (1, idle, "queue")] {
            recording.sample(0, thread.into(), ["", "waiting", waiting_on], &stack);
        }
        let sampling = Sampling::new(&recording).unwrap();
        let of = pool_use(&recording, &sampling, &StackIndex::new(&recording));
        assert_eq!(of.held_up, [("task".to_owned(), 1.0)]);
        assert!((of.idle - 1.0).abs() < 1e-9);
        let kinds = occupancy(&recording, &sampling);
        assert_eq!(kinds, [("pool".to_owned(), Occupancy { waiting: 2.0, ..Occupancy::default() })]);
    }
}
