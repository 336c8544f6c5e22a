//! Stacks that the runtime cut: it keeps the innermost frames, so the ones that say what the thread is for are missing.
//!
//! A stack of exactly as many frames as the runtime keeps is cut, unless its outermost frame is one that whole stacks
//! begin with. A recording with longer stacks comes from another writer, with limits of its own.

use base::number::wide;
use base::seeded::SeededSet;
use model::{ByFrame, ByStack, FrameId, LimitKind, RUNTIME_FRAMES, Sym, Trace};

/// Where threads begin, by type and method: a recording may have no whole stack of such a thread.
const STARTS: [(&str, &str); 4] = [
    ("System.Threading.Thread", "StartCallback"),
    ("System.Threading.Thread+StartHelper", "Run"),
    ("System.Threading.ThreadHelper", "ThreadStart"),
    ("System.Threading._ThreadPoolWaitCallback", "PerformWaitCallback"),
];

/// Finds them, and counts them and the samples that have them.
pub(crate) fn find(recording: &mut Trace) {
    let stacks = &recording.stacks;
    if stacks.depth.iter().any(|depth| *depth >= RUNTIME_FRAMES) {
        return;
    }
    let last = RUNTIME_FRAMES.saturating_sub(1);
    if !stacks.depth.contains(&last) {
        return;
    }
    let outermost = outermost_frames(recording);
    let mut used = ByStack::from(vec![false; stacks.len()]);
    for stack in recording.events.stack.iter().flatten() {
        if let Some(place) = used.get_mut(*stack) {
            *place = true;
        }
    }
    let mut starts: SeededSet<FrameId> = SeededSet::default();
    for (node, depth) in stacks.depth.iter_with_ids() {
        if *depth < last && used.get(node) == Some(&true) {
            // Addresses without a name share a frame, so it says nothing.
            starts.extend(outermost.get(node).filter(|frame| is_named(recording, **frame)));
        }
    }
    let mut cut = Vec::new();
    for (node, depth) in stacks.depth.iter_with_ids() {
        let Some(frame) = outermost.get(node).filter(|_| *depth == last && used.get(node) == Some(&true))
        else {
            continue;
        };
        if !starts.contains(frame) && !is_start(recording, *frame) {
            cut.push(node);
        }
    }
    recording.stacks.cut = cut;
    if recording.stacks.cut.is_empty() {
        return;
    }
    let samples = recording.samples.stack.iter().filter(|stack| recording.stacks.is_cut(**stack)).count();
    let stacks = wide(recording.stacks.cut.len());
    let limit = recording.missing.limits.of(LimitKind::Stacks);
    (limit.count, limit.limit, limit.samples) =
        (stacks, Some(u64::from(RUNTIME_FRAMES)), Some(wide(samples)));
}

/// The outermost frame of every stack; callers come before those that they call.
fn outermost_frames(recording: &Trace) -> ByStack<FrameId> {
    let stacks = &recording.stacks;
    let mut outermost: ByStack<FrameId> = ByStack::default();
    for (parent, frame) in stacks.parent.iter().zip(&stacks.frame) {
        let of_caller = parent.and_then(|parent| outermost.get(parent)).copied();
        outermost.push(of_caller.unwrap_or(*frame));
    }
    outermost
}

fn is_named(recording: &Trace, frame: FrameId) -> bool {
    recording.frames.method.get(frame).is_some_and(|sym| *sym != Sym::NONE)
}

fn is_start(recording: &Trace, frame: FrameId) -> bool {
    let frames = &recording.frames;
    let text = |list: &ByFrame<Sym>| list.get(frame).map_or("", |sym| recording.strings.text(*sym));
    let (class, method) = (text(&frames.declaring_type), text(&frames.method));
    STARTS.contains(&(class, method))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::EventKind;

    /// A recording with stacks of so many frames each, all but the outermost alike.
    fn with_stacks(stacks: &[(&str, u32)]) -> Trace {
        let mut recording = Trace::default();
        let none = Sym::NONE;
        recording.events.add_kind(EventKind { provider: none, name: none, id: 0, version: 0 });
        for (outermost, frames) in stacks {
            let outermost = format!("!{outermost}");
            let names: Vec<&str> =
                (0..*frames).map(|at| if at == 0 { &outermost } else { "!Recurse" }).collect();
            let stack = recording.stack(&names);
            recording.events.stack.push(stack);
        }
        find(&mut recording);
        recording
    }

    fn check(stacks: &[(&str, u32)], expected: usize) {
        let recording = with_stacks(stacks);
        let count = recording.missing.limits.get(LimitKind::Stacks).map_or(0, |limit| limit.count);
        assert_eq!((recording.stacks.cut.len(), count), (expected, expected as u64), "{stacks:?}");
    }

    #[test]
    fn a_stack_of_as_many_frames_as_are_kept_is_cut_unless_threads_begin_so() {
        check(&[("Start", 20), ("Inner", 100)], 1);
        check(&[("Start", 20), ("Start", 100)], 0);
        check(&[("Start", 20), ("Inner", 99)], 0);
        // No runtime that keeps 100 frames wrote the other stack.
        check(&[("Start", 20), ("Inner", 100), ("Start", 101)], 0);
    }
}
