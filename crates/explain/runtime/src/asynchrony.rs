//! Async methods, from samples and allocations.
//!
//! The compiler turns an async method into a type `<Name>d__7` whose `MoveNext` runs the method from one `await` to the next.
//! Iterators (`yield return`) have such names, too, so a few state machines may be iterators.

use crate::figure::share;
use crate::names::{is_machine, written_method};
use crate::sampling::{Sampling, State};
use base::number::{count, real_u64};
use model::{ByFrame, ByStack, FrameId, StackId, Sym, Trace};
use std::collections::BTreeMap;

/// Async methods in the samples.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asynchrony {
    /// The share of running samples with a state machine on the stack.
    pub running_share: Option<f64>,
    /// How many different async methods ran.
    pub methods: f64,
    /// The most state machines on one stack.
    pub deepest: f64,
    /// Methods with the share of running samples in which they are the innermost state machine, the most first.
    pub busiest: Vec<(String, f64)>,
    /// The average number of threads that blocked on a task instead of awaiting it, except in the program's entry point.
    pub blocked_on_task: f64,
}

impl Asynchrony {
    /// Evaluates all samples. `is_entry` tells which stacks are of the program's entry point, which waits for its own end.
    pub fn new(recording: &Trace, sampling: &Sampling, is_entry: impl Fn(Option<StackId>) -> bool) -> Self {
        let frames = are_machines(recording);
        let stacks = &recording.stacks;
        // Callers have smaller numbers, so one pass hands each node the machines of its caller.
        let mut machines: ByStack<Machines> = ByStack::default();
        for (parent, frame) in stacks.parent.iter().zip(&stacks.frame) {
            let of_caller = parent.and_then(|parent| machines.get(parent)).copied().unwrap_or_default();
            let is_machine = frames.get(*frame).copied().unwrap_or(false);
            let with_frame = Machines { innermost: Some(*frame), count: of_caller.count + 1 };
            machines.push(if is_machine { with_frame } else { of_caller });
        }
        let (mut running, mut within, mut deepest) = (0u64, 0u64, 0u32);
        let mut methods: BTreeMap<String, u64> = BTreeMap::new();
        let mut names: BTreeMap<FrameId, String> = BTreeMap::new();
        let mut blocked = 0u64;
        for group in &sampling.groups {
            if group.state == State::Waiting {
                let on_task = recording.strings.text(group.waiting_on) == "task" && !is_entry(group.stack);
                blocked += if on_task { group.samples } else { 0 };
                continue;
            }
            let machines = group.stack.and_then(|stack| machines.get(stack));
            let Some(Machines { innermost, count }) = machines.copied() else { continue };
            if group.state != State::Running {
                continue;
            }
            running += group.samples;
            if let Some(machine) = innermost {
                within += group.samples;
                deepest = deepest.max(count);
                let name = names.entry(machine).or_insert_with(|| method_of(recording, machine));
                *methods.entry(name.clone()).or_default() += group.samples;
            }
        }
        let number = count(methods.len());
        let mut busiest: Vec<(String, u64)> = methods.into_iter().collect();
        busiest.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let all = real_u64(running);
        Self {
            running_share: share(real_u64(within), all),
            methods: number,
            deepest: f64::from(deepest),
            busiest: busiest
                .into_iter()
                .filter_map(|(name, samples)| Some((name, share(real_u64(samples), all)?)))
                .collect(),
            blocked_on_task: sampling.threads(blocked),
        }
    }
}

/// The state machines on a stack.
#[derive(Debug, Clone, Copy, Default)]
struct Machines {
    /// The frame of the innermost one.
    innermost: Option<FrameId>,
    count: u32,
}

/// Which frames are `MoveNext` of a state machine.
fn are_machines(recording: &Trace) -> ByFrame<bool> {
    let frames = &recording.frames;
    let rows = frames.declaring_type.iter().zip(&frames.method);
    rows.map(|(class, method)| {
        let (class, method) = (recording.strings.text(*class), recording.strings.text(*method));
        method == "MoveNext" && is_machine(class)
    })
    .collect()
}

/// The async method as its source names it: `Shop.Cart.PlaceAsync`.
fn method_of(recording: &Trace, frame: FrameId) -> String {
    let class = recording.frames.declaring_type.get(frame).map_or("", |sym| recording.strings.text(*sym));
    written_method(class).unwrap_or_else(|| class.to_owned())
}

/// What async code allocates for its own machinery.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AsyncGroup {
    /// `state machines`, `tasks`, `execution contexts`.
    pub what: &'static str,
    /// The bytes that the samples stand for.
    pub bytes: f64,
    /// Their share of all sampled bytes.
    pub share: f64,
}

/// Groups the sampled allocations of async machinery. Groups without samples are left out.
pub fn async_allocations(recording: &Trace) -> Vec<AsyncGroup> {
    let mut sums = [0.0; 3];
    let mut total = 0.0;
    let mut groups: BTreeMap<Sym, Option<usize>> = BTreeMap::new();
    for row in crate::allocation::counted_allocations(recording) {
        total += row.weight_bytes;
        let group = *groups.entry(row.class).or_insert_with(|| group_of(recording.strings.text(row.class)));
        if let Some(sum) = group.and_then(|at| sums.get_mut(at)) {
            *sum += row.weight_bytes;
        }
    }
    let names = ["state machines", "tasks", "execution contexts"];
    let groups = names.into_iter().zip(sums).filter_map(|(what, bytes)| {
        Some(AsyncGroup { what, bytes, share: share(bytes, total)? }).filter(|of| of.bytes > 0.0)
    });
    groups.collect()
}

fn group_of(class: &str) -> Option<usize> {
    match class {
        _ if class.contains("AsyncStateMachineBox") => Some(0),
        _ if class.starts_with("System.Threading.Tasks.") => Some(1),
        _ if class == "System.Threading.ExecutionContext" || class.contains("AsyncLocalValueMap") => Some(2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machinery_is_told_from_the_services_own_types() {
        let check = |class, expected| assert_eq!(group_of(class), expected, "{class}");
        check("AsyncStateMachineBox`1[System.Int32,Shop.Cart+<PlaceAsync>d__4]", Some(0));
        check("System.Threading.Tasks.Task`1[System.Int32]", Some(1));
        check("OneElementAsyncLocalValueMap", Some(2));
        check("Shop.TaskList", None);
    }
}
