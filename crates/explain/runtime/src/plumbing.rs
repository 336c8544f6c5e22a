//! Async plumbing: frames of .NET that only carry an async continuation or hand work to a thread (`plumbing.txt`), and the
//! frames of async methods, which such frames call.

use crate::names::{is_machine, is_named_async};
use model::{ByFrame, FrameId, Sym, Trace};
use rustc_hash::FxHashSet;

/// What a frame of async plumbing is for. A later kind says more about a stack that has nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Plumbing {
    /// The beginning of a thread.
    Thread,
    /// Switches the execution context.
    Context,
    /// Registers what continues after an `await`.
    Await,
    /// Completes or runs a task.
    Task,
    /// The loop of a thread-pool thread, and the wrappers of queued work.
    Pool,
    /// Starts or resumes one async method.
    Method,
}

impl Plumbing {
    const NAMES: [(&'static str, Self); 6] = [
        ("thread", Self::Thread),
        ("context", Self::Context),
        ("await", Self::Await),
        ("task", Self::Task),
        ("pool", Self::Pool),
        ("method", Self::Method),
    ];
}

/// The methods of `plumbing.txt`.
#[derive(Debug)]
pub(crate) struct PlumbingNames(Vec<(&'static str, Plumbing)>);

impl PlumbingNames {
    pub(crate) fn built_in() -> Self {
        let lines = include_str!("plumbing.txt").lines().filter(|line| !line.starts_with('#'));
        Self(lines.filter_map(named).collect())
    }

    /// What a method of .NET is for, if it is plumbing.
    pub(crate) fn kind(&self, class: &str, method: &str) -> Option<Plumbing> {
        if !class.starts_with("System.") {
            return None;
        }
        // Brackets hold type arguments, in which any type may stand.
        let name = format!("{}.{method}", class.split('[').next().unwrap_or(class));
        self.0.iter().find(|(pattern, _)| matches(pattern, &name)).map(|(_, kind)| *kind)
    }
}

fn named(line: &'static str) -> Option<(&'static str, Plumbing)> {
    let (name, method) = line.split_once(' ')?;
    let kind = Plumbing::NAMES.iter().find(|(of, _)| *of == name)?;
    Some((method, kind.1))
}

/// Whether a pattern matches a name: all of it, its beginning (`A*`) or its end (`*A`).
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    match (pattern.strip_suffix('*'), pattern.strip_prefix('*')) {
        (Some(start), _) => name.starts_with(start),
        (None, Some(end)) => name.ends_with(end),
        (None, None) => name == pattern,
    }
}

/// The type and the name of a method. For a state machine, those of its async method.
pub(crate) fn async_method<'a>(class: &'a str, method: &'a str) -> (&'a str, &'a str) {
    let machine = || {
        let (outer, rest) = class.rsplit_once("+<").filter(|_| method == "MoveNext")?;
        Some((outer, rest.split_once(">d__")?.0))
    };
    machine().unwrap_or((class, method))
}

/// Which frames are an async method's `MoveNext`. An iterator's `MoveNext` has the same name.
///
/// An async method is called by plumbing or, if that is inlined, by the method that it was made from. Nothing of the kind
/// calls an iterator.
pub(crate) fn async_frames(recording: &Trace, plumbing: &ByFrame<Option<Plumbing>>) -> ByFrame<bool> {
    let frames = &recording.frames;
    let text = |list: &ByFrame<Sym>, at: FrameId| list.get(at).map_or("", |sym| recording.strings.text(*sym));
    let method = |at: FrameId| async_method(text(&frames.declaring_type, at), text(&frames.method, at));
    let is_machine = |at: &FrameId| {
        text(&frames.method, *at) == "MoveNext" && is_machine(text(&frames.declaring_type, *at))
    };
    let machines: ByFrame<bool> = frames.name.ids().map(|at| is_machine(&at)).collect();
    // By name, since a method may have a frame for each of its tiers.
    let mut known: FxHashSet<Sym> = FxHashSet::default();
    for (name, at) in frames.name.iter().zip(frames.name.ids()) {
        if machines.get(at) == Some(&true) && is_named_async(text(&frames.declaring_type, at)) {
            known.insert(*name);
        }
    }
    let stacks = &recording.stacks;
    for (parent, frame) in stacks.parent.iter().zip(&stacks.frame) {
        let Some(name) = frames.name.get(*frame).filter(|_| machines.get(*frame) == Some(&true)) else {
            continue;
        };
        let Some(caller) = parent.and_then(|parent| stacks.frame.get(parent)).copied() else { continue };
        if known.contains(name) {
            continue;
        }
        let is_called_by_plumbing = plumbing.get(caller).copied().flatten().is_some();
        if is_called_by_plumbing || machines.get(caller) != Some(&true) && method(caller) == method(*frame) {
            known.insert(*name);
        }
    }
    let is_async = |(machine, name): (&bool, &Sym)| *machine && known.contains(name);
    machines.iter().zip(&frames.name).map(is_async).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StackIndex;
    use crate::observed::tests::recording;

    #[test]
    fn every_line_of_the_plumbing_is_read_and_says_something_new() {
        let names = PlumbingNames::built_in();
        let is_rule = |line: &&str| !line.is_empty() && !line.starts_with('#');
        assert_eq!(names.0.len(), include_str!("plumbing.txt").lines().filter(is_rule).count());
        for (at, (pattern, _)) in names.0.iter().enumerate() {
            let earlier = names.0.iter().take(at).find(|(before, _)| matches(before, pattern));
            assert_eq!(earlier, None, "{pattern}");
        }
    }

    #[test]
    fn plumbing_carries_continuations_and_neither_waits_nor_queues_nor_is_a_service() {
        let names = PlumbingNames::built_in();
        let check = |class, method, expected| {
            assert_eq!(names.kind(class, method), expected, "{class}.{method}");
        };
        let of_box = "System.Runtime.CompilerServices.AsyncTaskMethodBuilder`1+AsyncStateMachineBox`1[System.Int32,\
                      Shop.Cart+<AddAsync>d__3]";
        check(of_box, "ExecutionContextCallback", Some(Plumbing::Method));
        check("System.Threading.Tasks.Task`1[System.__Canon]", "TrySetResult", Some(Plumbing::Task));
        check("System.Threading.ThreadPoolWorkQueue", "Dispatch", Some(Plumbing::Pool));
        check("System.Threading.ExecutionContext", "RunInternal", Some(Plumbing::Context));
        check("System.Threading.Thread", "StartCallback", Some(Plumbing::Thread));
        for (class, method) in [
            ("System.Threading.Tasks.Task", "InternalWait"),
            ("System.Threading.Tasks.Task", "Run"),
            ("System.Threading.Tasks.TaskCompletionSource`1[System.Int32]", "TrySetResult"),
            ("System.Runtime.CompilerServices.TaskAwaiter`1[System.Int32]", "GetResult"),
            ("System.Threading.ExecutionContext", "SetLocalValue"),
            ("System.Threading.ThreadPoolWorkQueue", "Enqueue"),
            ("System.Threading.TimerQueueTimer", "Fire"),
            ("System.Net.Sockets.SocketAsyncEngine", "System.Threading.IThreadPoolWorkItem.Execute"),
            ("Shop.System.Threading.ThreadPoolWorkQueue", "Dispatch"),
        ] {
            check(class, method, None);
        }
    }

    #[test]
    fn an_async_method_is_told_from_an_iterator_by_what_calls_it() {
        let mut recording = recording(1);
        let start = "System.Private.CoreLib!System.Runtime.CompilerServices.AsyncMethodBuilderCore.Start";
        let machines = [
            "Shop!Shop.Cart+<AddAsync>d__1.MoveNext()",
            "Shop!Shop.Cart+<Total>d__2.MoveNext()",
            "Shop!Shop.Cart+<Price>d__3.MoveNext()",
            "Shop!Shop.Cart+<Items>d__4.MoveNext()",
        ];
        recording.stack(&[machines[0]]);
        recording.stack(&["Shop!Main", start, machines[1]]);
        recording.stack(&["Shop!Shop.Cart.Price()", machines[2]]);
        recording.stack(&["Shop!Main", "Shop!Shop.Cart.Items()"]);
        recording.stack(&["Shop!Main", machines[3]]);
        recording.stack(&[start, "Shop!Shop.Cart.Other()"]);
        let index = StackIndex::new(&recording);
        let is_async = machines.map(|name| index.is_async(recording.frame(name)));
        assert_eq!(is_async, [true, true, true, false]);
        assert!(!index.is_async(recording.frame("Shop!Shop.Cart.Other()")));
    }
}
