//! Locks that threads waited for, by address, with the threads that waited and those that held them.

use crate::figure::{known, millis};
use crate::frames::StackIndex;
use base::number::{count, real};
use model::{NO_INT, Sym, ThreadId, Trace};
use std::collections::{BTreeMap, BTreeSet};

/// A lock that threads waited for.
#[derive(Debug, Clone, PartialEq)]
pub struct Lock {
    /// Its address. [`Sym::NONE`] if the runtime does not report it.
    pub lock: Sym,
    /// How often threads waited for it.
    pub waits: f64,
    /// Milliseconds waited, over all threads. `None` if no wait has a recorded end.
    pub waited_ms: Option<f64>,
    /// The longest of these waits.
    pub longest_ms: Option<f64>,
    /// Threads that waited.
    pub waiters: f64,
    /// Threads that held it, as the waits report. 0 if none does.
    pub owners: f64,
    /// The method that waited the longest in total.
    pub frame: Sym,
}

/// All locks that threads waited for, the one with the most time waited first.
pub fn locks(recording: &Trace, index: &StackIndex) -> Vec<Lock> {
    #[derive(Default)]
    struct Waits {
        times: Vec<i64>,
        count: usize,
        waiters: BTreeSet<ThreadId>,
        owners: BTreeSet<i64>,
        frames: BTreeMap<Sym, i64>,
    }
    let rows = &recording.contention;
    let mut locks: BTreeMap<Sym, Waits> = BTreeMap::new();
    for row in (0..rows.ts_ns.len()).filter_map(|at| rows.row(at)) {
        let of = locks.entry(row.lock).or_default();
        of.count += 1;
        of.times.extend(known(row.dur_ns));
        of.waiters.insert(row.thread);
        of.owners.extend(Some(row.owner_thread).filter(|owner| *owner != NO_INT));
        let frame = of.frames.entry(index.named_frame(recording, row.stack)).or_default();
        // A wait without an end has a frame, but no time to add.
        *frame = frame.saturating_add(known(row.dur_ns).unwrap_or(0));
    }
    let locks = locks.into_iter().map(|(lock, of)| Lock {
        lock,
        waits: count(of.count),
        waited_ms: of.times.iter().copied().map(real).reduce(|sum, ns| sum + ns).map(millis),
        longest_ms: of.times.iter().copied().max().map(real).map(millis),
        waiters: count(of.waiters.len()),
        owners: count(of.owners.len()),
        frame: of.frames.into_iter().max_by_key(|(_, ns)| *ns).map_or(Sym::NONE, |(frame, _)| frame),
    });
    let mut locks: Vec<Lock> = locks.collect();
    // Locks whose waits have no end come last.
    let waited = |of: &Lock| of.waited_ms.unwrap_or(0.0);
    locks.sort_by(|a, b| waited(b).total_cmp(&waited(a)).then_with(|| a.lock.cmp(&b.lock)));
    locks
}

/// Samples of threads that held locks while others waited for them.
///
/// All samples of a holder count, since it may compute, sleep, or wait for I/O or another lock. Contention events name the
/// holder at the beginning of the wait, so some samples may be of a time after another thread took the lock.
pub fn holder_samples(recording: &Trace) -> Vec<usize> {
    let rows = &recording.contention;
    let ids = recording.thread_ids.iter_with_ids();
    let numbers: BTreeMap<i64, ThreadId> = ids.map(|(thread, os_id)| (*os_id, thread)).collect();
    let mut held: BTreeMap<ThreadId, Vec<(i64, i64)>> = BTreeMap::new();
    for row in (0..rows.ts_ns.len()).filter_map(|at| rows.row(at)) {
        let Some(thread) = numbers.get(&row.owner_thread).filter(|_| row.owner_thread != NO_INT) else {
            continue;
        };
        let Some(dur_ns) = known(row.dur_ns) else { continue };
        held.entry(*thread).or_default().push((row.ts_ns, row.ts_ns.saturating_add(dur_ns)));
    }
    if held.is_empty() {
        return Vec::new();
    }
    held.values_mut().for_each(join);
    let samples = &recording.samples;
    let is_held = |thread: ThreadId, ts_ns: i64| {
        let Some(times) = held.get(&thread) else { return false };
        let after = times.partition_point(|(from, _)| *from <= ts_ns);
        after.checked_sub(1).and_then(|at| times.get(at)).is_some_and(|(_, to)| *to >= ts_ns)
    };
    let rows = samples.thread.iter().zip(&samples.ts_ns).enumerate();
    rows.filter(|(_, (thread, ts_ns))| is_held(**thread, **ts_ns)).map(|(at, _)| at).collect()
}

/// Joins times that overlap, and sorts them.
fn join(times: &mut Vec<(i64, i64)>) {
    times.sort_unstable();
    let mut joined: Vec<(i64, i64)> = Vec::with_capacity(times.len());
    for (from, to) in times.drain(..) {
        match joined.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => joined.push((from, to)),
        }
    }
    *times = joined;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::tests::recording;
    use model::ContentionRow;

    #[test]
    fn a_lock_knows_who_waited_and_who_held_it() {
        let mut recording = recording(1);
        let stack = recording.stack(&["Shop!Price", "System.Private.CoreLib!Enter"]);
        let [one, other] = recording.texts(["0x10", "0x20"]);
        for (lock, thread, owner_thread, dur_ns) in
            [(one, 1, 7, 1_000_000), (other, 1, NO_INT, 9_000_000), (one, 2, 7, NO_INT)]
        {
            let (thread, none) = (thread.into(), ContentionRow::blank());
            recording.contention.push(ContentionRow { dur_ns, thread, owner_thread, lock, stack, ..none });
        }
        let locks = locks(&recording, &StackIndex::new(&recording));
        let rows: Vec<_> =
            locks.iter().map(|of| (of.lock, of.waits, of.waited_ms, of.waiters, of.owners)).collect();
        assert_eq!(rows, [(other, 1.0, Some(9.0), 1.0, 0.0), (one, 2.0, Some(1.0), 2.0, 1.0)]);
        assert_eq!(recording.strings.text(locks[0].frame), "Shop!Price");
    }
}
