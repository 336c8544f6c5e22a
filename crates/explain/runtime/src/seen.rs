//! In which requests the service's code was sampled: each thread's samples of one stack, by the request's path.

use crate::frames::StackIndex;
use crate::sampling::RequestPaths;
use model::{ByStack, ByThread, StackId, Sym, ThreadId, Trace};
use rustc_hash::FxHashMap;

/// Samples of one thread with one stack in requests to one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The thread.
    pub thread: ThreadId,
    /// The stack, in which the server called code of the service.
    pub stack: StackId,
    /// What it waited for.
    pub waiting_on: Sym,
    /// The request's path.
    pub path: Sym,
    /// How many samples.
    pub samples: u64,
}

/// Counts the samples in whose stack the server called code of the service, in the order in which each combination was
/// first seen.
pub fn seen(recording: &Trace, index: &StackIndex, paths: &RequestPaths) -> Vec<Seen> {
    let samples = &recording.samples;
    let mut follower = paths.follow();
    let mut is_served: ByStack<Option<bool>> = vec![None; recording.stacks.len()].into();
    // A waiting thread has the same stack in the same request in sample after sample: looked at before the map.
    let mut last: ByThread<Option<usize>> = vec![None; recording.thread_ids.len()].into();
    let mut numbers: FxHashMap<(ThreadId, StackId, Sym, Sym), usize> = FxHashMap::default();
    let mut seen: Vec<Seen> = Vec::new();
    let rows = samples.stack.iter().zip(&samples.thread).zip(&samples.ts_ns).zip(&samples.waiting_on);
    for (((stack, thread), ts_ns), waiting_on) in rows {
        let Some(stack) = stack else { continue };
        let Some(known) = is_served.get_mut(*stack) else { continue };
        if !*known.get_or_insert_with(|| serves(recording, index, *stack)) {
            continue;
        }
        let (_, Some(path)) = follower.at(*thread, *ts_ns) else { continue };
        let Some(last) = last.get_mut(*thread) else { continue };
        let of = Seen { thread: *thread, stack: *stack, waiting_on: *waiting_on, path, samples: 0 };
        let is_same = |known: &Seen| Seen { samples: 0, ..*known } == of;
        let number = last.filter(|number| seen.get(*number).is_some_and(is_same)).unwrap_or_else(|| {
            let next = seen.len();
            let number = *numbers.entry((*thread, *stack, *waiting_on, path)).or_insert(next);
            if number == next {
                seen.push(of);
            }
            number
        });
        *last = Some(number);
        if let Some(of) = seen.get_mut(number) {
            of.samples += 1;
        }
    }
    seen
}

/// Whether the server called any code of the service in a stack.
fn serves(recording: &Trace, index: &StackIndex, stack: StackId) -> bool {
    let stack = Some(stack);
    index.is_in_request(recording, stack) || index.served_frames(recording, stack).next().is_some()
}
