//! What a sampled thread was doing, from the shape of its stack.
//!
//! The sampler looks at every managed thread, whether it runs or waits, and says only whether it was in managed code.
//! A thread inside a wait of the runtime's own is waiting, whatever the sampler says: the innermost frames tell, and
//! further out what it waits for. The shapes are data, in `states.txt`; they are the runtime's methods alone.
//!
//! The sampler stops running threads where they let themselves be stopped, so a thread that ran may be seen in a poll
//! of the runtime's or on the slow way into a lock that it got at once. Both are running.

use model::{NO_INT, SampleRow, Sym, Trace};

/// Frames looked at from the innermost on for a wait.
const INNERMOST: usize = 4;
/// Frames looked at from there on for what is waited for.
const OUTWARD: usize = 24;
/// Frames looked at for who asked for a call outside managed code.
const ASKED_BY: usize = 7;
/// Methods of the runtime that run somebody's code: what stands further out asked for that code, not for the wait.
const RUNS_CODE: [&str; 6] = [
    "InnerInvoke",
    "MoveNext",
    "RunInternal",
    "RunFromThreadPoolDispatchLoop",
    "Dispatch",
    "InvokeWithoutEventing",
];

/// What a stack's shape says of its thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Nothing: what the sampler said counts.
    Plain,
    /// It ran, whatever the sampler said.
    Runs,
    /// It waits.
    Waits(&'static str),
    /// It waits for a lock, unless events say that it had it.
    Enters(&'static str),
    /// It waits, unless an asynchronous method asked: then the call does not block.
    Synchronous(&'static str),
}

/// What a wait is for, by method: innermost frames, then what stands around them.
#[derive(Debug, Default)]
struct Shapes {
    inner: Vec<(&'static str, Shape)>,
    around: Vec<(&'static str, &'static str)>,
}

impl Shapes {
    fn built_in() -> Self {
        let mut shapes = Self::default();
        for line in include_str!("states.txt").lines() {
            let mut words = line.split_whitespace();
            match (words.next(), words.next(), words.next()) {
                (Some("wait"), Some(what), Some(method)) => shapes.inner.push((method, Shape::Waits(what))),
                (Some("enter"), Some(what), Some(method)) => shapes.inner.push((method, Shape::Enters(what))),
                (Some("sync"), Some(what), Some(method)) => {
                    shapes.inner.push((method, Shape::Synchronous(what)));
                }
                (Some("run"), Some(_), Some(method)) => shapes.inner.push((method, Shape::Runs)),
                (Some("around"), Some(what), Some(method)) => shapes.around.push((method, what)),
                _ => {}
            }
        }
        shapes
    }

    /// The shape of a stack. `names` are methods (`Type.Method`) from the innermost out.
    fn of(&self, names: &[String]) -> Shape {
        let innermost = names.iter().take(INNERMOST).enumerate();
        let shape = innermost.filter_map(|(at, name)| {
            let same = |method: &str| name == method || local_function_of(name, method);
            let (_, shape) = self.inner.iter().find(|(method, _)| same(method))?;
            (*shape != Shape::Runs || at == 0).then_some(*shape)
        });
        let mut outward = names.iter().take(OUTWARD).take_while(|name| belongs_to_wait(name));
        let around = outward
            .find_map(|name| self.around.iter().find(|(method, _)| name == method).map(|(_, what)| *what));
        match (shape.into_iter().next(), around) {
            (None, _) => Shape::Plain,
            (Some(Shape::Synchronous(_)), _) if is_asynchronous(names) => Shape::Plain,
            (Some(Shape::Synchronous(what)), _) | (Some(Shape::Waits(_)), Some(what)) => Shape::Waits(what),
            // On the way into a lock a thread may get it at once, whatever the lock is for.
            (Some(Shape::Enters(_)), Some(what)) => Shape::Enters(what),
            (Some(shape), _) => shape,
        }
    }
}

/// Whether a call outside managed code was asked for by an asynchronous method of the runtime or of ASP.NET Core.
fn is_asynchronous(names: &[String]) -> bool {
    let of_framework = |name: &&String| name.starts_with("System.") || name.starts_with("Microsoft.");
    names.iter().take(ASKED_BY).filter(of_framework).any(|name| {
        let (class, method) = name.rsplit_once('.').unwrap_or(("", name));
        method.ends_with("Async") || class.contains("SocketAsyncEventArgs")
    })
}

/// Whether a name is that of a local function, whose number differs between builds: `<PollGC>g__PollGCWorker|67_0`.
fn local_function_of(name: &str, method: &str) -> bool {
    name.strip_prefix(method).is_some_and(|rest| rest.starts_with('|'))
}

/// Whether a frame between a wait and the code that asked for it can be part of the wait: the runtime's own, and not
/// one that runs other code.
fn belongs_to_wait(name: &str) -> bool {
    let of_runtime = name.starts_with("System.") || name.starts_with("Interop") || name == ".";
    of_runtime
        && !RUNS_CODE.iter().any(|method| name.strip_suffix(method).is_some_and(|class| class.ends_with('.')))
}

/// Says of each sample what its thread was doing.
pub(crate) fn set_states(recording: &mut Trace) {
    let [running, waiting, external, managed] =
        ["running", "waiting", "external", "managed"].map(|word| recording.strings.intern(word));
    let contended = Contended::new(recording);
    let shapes = Shapes::built_in();
    let managed_is_told = managed_is_told(recording, managed);
    let mut stuck = Stuck::default();
    let lock = recording.strings.intern("lock");
    // Worked out once a stack, with the word for what it waits for.
    let mut by_stack: Vec<Option<(Shape, Sym)>> = vec![None; recording.stacks.len()];
    for at in 0..recording.samples.ts_ns.len() {
        let Some(row) = recording.samples.row(at) else { continue };
        let known = by_stack.get_mut(row.stack as usize);
        let (shape, what) = known.map_or((Shape::Plain, Sym::NONE), |known| {
            *known.get_or_insert_with(|| {
                let shape = shapes.of(&method_names(row.stack, recording));
                let (Shape::Waits(what) | Shape::Enters(what)) = shape else { return (shape, Sym::NONE) };
                (shape, recording.strings.intern(what))
            })
        });
        let in_lock = || contended.at(row.thread, row.ts_ns);
        let waits_for = match shape {
            Shape::Waits(_) | Shape::Synchronous(_) => Some(what),
            Shape::Enters(_) => (contended.is_empty() || in_lock()).then_some(what),
            Shape::Runs => None,
            // Where the runtime waits for a lock without a frame of its own, its events say so.
            Shape::Plain => (row.kind != managed && in_lock()).then_some(lock),
        };
        let state = match (waits_for, shape) {
            (Some(_), _) => waiting,
            (None, Shape::Runs | Shape::Enters(_)) => running,
            (None, _) if row.kind == managed => running,
            (None, _) if !managed_is_told && in_managed_code(row.stack, recording) => running,
            (None, _) => external,
        };
        if matches!(shape, Shape::Enters(_)) && state == running {
            stuck.saw(at, &row);
        } else {
            stuck.moved(row.thread);
        }
        let waiting_on = waits_for.unwrap_or(Sym::NONE);
        if let (Some(place), Some(on)) =
            (recording.samples.state.get_mut(at), recording.samples.waiting_on.get_mut(at))
        {
            (*place, *on) = (state, waiting_on);
        }
    }
    for at in stuck.samples() {
        if let (Some(place), Some(on)) =
            (recording.samples.state.get_mut(at), recording.samples.waiting_on.get_mut(at))
        {
            (*place, *on) = (waiting, lock);
        }
    }
}

/// Whether the sampler's word for managed code means anything: .NET 9 says `external` of all but a stray sample.
fn managed_is_told(recording: &Trace, managed: Sym) -> bool {
    let of_9 = recording.exhibit.runtime.as_ref().is_some_and(|version| version.starts_with("9."));
    let kinds = &recording.samples.kind;
    !of_9 || kinds.iter().filter(|kind| **kind == managed).count() > kinds.len() / 200
}

/// Whether the innermost frame is a method with a name that is no call out of managed code.
fn in_managed_code(stack: u32, recording: &Trace) -> bool {
    let Some(frame) = recording.stacks.frame.get(stack as usize) else { return false };
    let text = |list: &[Sym]| list.get(*frame as usize).and_then(|sym| recording.strings.get(*sym));
    text(&recording.frames.method).is_some()
        && !text(&recording.frames.declaring_type).is_some_and(|class| class.starts_with("Interop"))
}

/// Threads that stand on the way into a lock, whose wait began before the recording and has no event.
///
/// A thread that only passes is seen there once and then elsewhere. One that is seen at the same place without a break
/// for [`Self::LEAST_NS`] waits.
#[derive(Default)]
struct Stuck {
    /// By thread: what was seen of it at one place without a break.
    open: Vec<Option<Stand>>,
    done: Vec<usize>,
}

struct Stand {
    stack: u32,
    samples: Vec<usize>,
    first_ns: i64,
    last_ns: i64,
}

impl Stuck {
    const LEAST_NS: i64 = 1_000_000_000;

    fn saw(&mut self, at: usize, row: &SampleRow) {
        let thread = row.thread as usize;
        if let Some(Some(stand)) = self.open.get_mut(thread)
            && stand.stack == row.stack
        {
            stand.samples.push(at);
            stand.last_ns = row.ts_ns;
            return;
        }
        self.moved(row.thread);
        if thread >= self.open.len() {
            self.open.resize_with(thread + 1, || None);
        }
        if let Some(place) = self.open.get_mut(thread) {
            let samples = vec![at];
            *place = Some(Stand { stack: row.stack, samples, first_ns: row.ts_ns, last_ns: row.ts_ns });
        }
    }

    #[inline]
    fn moved(&mut self, thread: u32) {
        let Some(place @ Some(_)) = self.open.get_mut(thread as usize) else { return };
        if let Some(stand) = place.take()
            && stand.last_ns.saturating_sub(stand.first_ns) >= Self::LEAST_NS
        {
            self.done.extend(stand.samples);
        }
    }

    /// The samples of those that waited, in the order of time.
    fn samples(mut self) -> Vec<usize> {
        for thread in 0..self.open.len() {
            self.moved(u32::try_from(thread).unwrap_or(u32::MAX));
        }
        self.done.sort_unstable();
        self.done
    }
}

/// When each thread waited for a lock, by the contention events.
struct Contended {
    /// Thread, start and end, sorted; waits of one thread do not overlap but by nesting.
    waits: Vec<(u32, i64, i64)>,
}

impl Contended {
    fn new(recording: &Trace) -> Self {
        let rows = (0..recording.contention.ts_ns.len()).filter_map(|at| recording.contention.row(at));
        let until = |row: &model::ContentionRow| match row.dur_ns {
            NO_INT => i64::MAX,
            dur_ns => row.ts_ns.saturating_add(dur_ns),
        };
        let mut waits: Vec<_> = rows.map(|row| (row.thread, row.ts_ns, until(&row))).collect();
        waits.sort_unstable();
        Self { waits }
    }

    fn is_empty(&self) -> bool {
        self.waits.is_empty()
    }

    fn at(&self, thread: u32, ns: i64) -> bool {
        let after = self.waits.partition_point(|wait| (wait.0, wait.1) <= (thread, ns));
        let last = after.checked_sub(1).and_then(|at| self.waits.get(at));
        last.is_some_and(|(known, _, end)| *known == thread && ns <= *end)
    }
}

fn method_names(stack: u32, recording: &Trace) -> Vec<String> {
    let frames =
        recording.stacks.walk(stack).take(OUTWARD).map(|node| recording.stacks.frame[node as usize] as usize);
    frames
        .map(|frame| {
            let part = |list: &[Sym]| list.get(frame).map_or("", |sym| recording.strings.text(*sym));
            format!("{}.{}", part(&recording.frames.declaring_type), part(&recording.frames.method))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(methods: &[&str], expected: Shape) {
        let names: Vec<String> = methods.iter().map(|method| format!("System.Threading.{method}")).collect();
        assert_eq!(Shapes::built_in().of(&names), expected, "{methods:?}");
    }

    #[test]
    fn a_thread_on_its_way_into_a_lock_is_told_from_one_that_waits_for_it() {
        check(&["Monitor.Enter_Slowpath"], Shape::Enters("lock"));
        check(&["Lock.TryEnterSlow", "Lock.Enter"], Shape::Enters("lock"));
        check(&["WaitHandle.WaitOneNoCheck", "Lock.TryEnterSlow"], Shape::Waits("lock"));
        check(&["Monitor.Enter_Slowpath", "SemaphoreSlim.Wait"], Shape::Enters("semaphore"));
        check(&["Monitor.Wait", "SemaphoreSlim.WaitUntilCountOrTimeout"], Shape::Waits("semaphore"));
        check(&["Thread.StartCallback"], Shape::Plain);
    }
}
