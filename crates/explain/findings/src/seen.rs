//! In which requests the service's code was seen: each thread's samples of one stack, by the path of the request.

use crate::facts::Facts;
use model::{NO_ID, Sym};
use rustc_hash::FxHashMap;

/// Samples of one thread with one stack in requests to one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) thread: u32,
    pub(crate) stack: u32,
    pub(crate) waiting_on: Sym,
    pub(crate) path: Sym,
    pub(crate) samples: u64,
}

/// Looks at every sample once, and at those alone in whose stack the server called code of the service. In the order in
/// which each was seen first; as many as samples at most.
pub(crate) fn seen(facts: &Facts<'_>) -> Vec<Seen> {
    let recording = facts.recording;
    let samples = &recording.samples;
    let mut follower = facts.paths.follow();
    let mut is_served: Vec<Option<bool>> = vec![None; recording.stacks.len()];
    // A thread that waits has the same stack in the same request again and again.
    let mut last: Vec<usize> = vec![usize::MAX; recording.thread_ids.len()];
    let mut numbers: FxHashMap<(u32, u32, Sym, Sym), usize> = FxHashMap::default();
    let mut seen: Vec<Seen> = Vec::new();
    let rows = samples.stack.iter().zip(&samples.thread).zip(&samples.ts_ns).zip(&samples.waiting_on);
    for (((stack, thread), ts_ns), waiting_on) in rows {
        let Some(known) = is_served.get_mut(*stack as usize) else { continue };
        if !*known.get_or_insert_with(|| serves(facts, *stack)) {
            continue;
        }
        let (_, Some(path)) = follower.at(*thread, *ts_ns) else { continue };
        let Some(last) = last.get_mut(*thread as usize) else { continue };
        let of = Seen { thread: *thread, stack: *stack, waiting_on: *waiting_on, path, samples: 0 };
        let is_same = |known: &Seen| Seen { samples: 0, ..*known } == of;
        if !seen.get(*last).is_some_and(is_same) {
            let next = seen.len();
            *last = *numbers.entry((*thread, *stack, *waiting_on, path)).or_insert(next);
            if *last == next {
                seen.push(of);
            }
        }
        if let Some(of) = seen.get_mut(*last) {
            of.samples += 1;
        }
    }
    seen
}

/// Whether the server called any code of the service in a stack.
fn serves(facts: &Facts<'_>, stack: u32) -> bool {
    stack != NO_ID
        && (facts.index.is_in_request(facts.recording, stack)
            || facts.index.served_frames(facts.recording, stack).next().is_some())
}
