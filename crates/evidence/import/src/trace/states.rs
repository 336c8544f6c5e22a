//! What a sampled thread was doing, from the shape of its stack.
//!
//! The sampler looks at every managed thread, whether it runs or waits, and says only whether it was in managed code.
//! A thread inside a wait of the runtime's own is waiting, whatever the sampler says: the innermost frames tell, and
//! further out what it waits for. The shapes are data, in `states.txt`; they are the runtime's methods alone.
//!
//! Methods of the runtime are inlined into each other, so whatever lies on the way into a lock, gate, event or queue
//! may be the innermost frame that is left. A thread that is in native code there waits. Where the sampler does
//! not say who is outside, the runtime's own wait events do.
//!
//! The sampler stops running threads where they let themselves be stopped, so a thread that ran may be seen in a poll
//! of the runtime's or on the slow way into a lock that it got at once. Both are running.

use base::seeded::SeededMap;
use model::{ByFrame, ByStack, ByThread, NO_INT, SampleRow, StackId, Sym, ThreadId, Trace};

/// Frames looked at from the innermost on for a wait.
const INNERMOST: usize = 4;
/// Frames looked at from there on for what is waited for.
const OUTWARD: usize = 24;
/// How many frames are searched for the caller of a native call.
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
enum Activity {
    /// Nothing: what the sampler said counts.
    Plain,
    /// It ran, whatever the sampler said.
    Runs,
    /// It waits.
    Waits(&'static str),
    /// It waits for a lock, unless events say that it had it.
    Enters(&'static str),
    /// It waits if it is in native code.
    Outside(&'static str),
    /// It looks for work if nothing further in is named.
    Idle(&'static str),
    /// It waits if it stays there.
    Slow(&'static str),
    /// It waits, unless an asynchronous method asked: then the call does not block.
    Synchronous(&'static str),
}

impl Activity {
    /// The word for what is waited for.
    fn word(self) -> Option<&'static str> {
        match self {
            Self::Plain | Self::Runs => None,
            Self::Waits(what)
            | Self::Enters(what)
            | Self::Outside(what)
            | Self::Idle(what)
            | Self::Slow(what)
            | Self::Synchronous(what) => Some(what),
        }
    }
}

/// What a wait is for, by method: innermost frames, then what stands around them.
#[derive(Debug, Default)]
struct Shapes {
    inner: Methods<Activity>,
    around: Methods<&'static str>,
}

/// What a list says of methods. A name of it stands for a method and its local functions, or, if it ends in `*`, for all
/// that begin so; the first that matches counts.
#[derive(Debug)]
struct Methods<T> {
    /// By name, with their places in the list.
    whole: SeededMap<&'static str, (usize, T)>,
    beginnings: Vec<(&'static str, (usize, T))>,
}

impl<T> Default for Methods<T> {
    fn default() -> Self {
        Self { whole: SeededMap::default(), beginnings: Vec::new() }
    }
}

impl<T: Copy> Methods<T> {
    fn add(&mut self, method: &'static str, of: T) {
        let place = self.whole.len().saturating_add(self.beginnings.len());
        if let Some(start) = method.strip_suffix('*') {
            self.beginnings.push((start, (place, of)));
        } else {
            self.whole.entry(method).or_insert((place, of));
        }
    }

    fn find(&self, name: &str) -> Option<T> {
        // The number of a local function differs between builds: `<PollGC>g__PollGCWorker|67_0`.
        let local = name.split_once('|').and_then(|(method, _)| self.whole.get(method));
        let beginning = self.beginnings.iter().find(|(start, _)| name.starts_with(start));
        let found = self.whole.get(name).into_iter().chain(local).chain(beginning.map(|(_, of)| of));
        found.min_by_key(|(place, _)| *place).map(|(_, of)| *of)
    }
}

impl Shapes {
    fn built_in() -> Self {
        let mut shapes = Self::default();
        for line in include_str!("states.txt").lines() {
            let mut words = line.split_whitespace();
            let [Some(of), Some(what), Some(method)] = [words.next(), words.next(), words.next()] else {
                continue;
            };
            let shape = match of {
                "wait" => Activity::Waits(what),
                "enter" => Activity::Enters(what),
                "sync" => Activity::Synchronous(what),
                "outside" => Activity::Outside(what),
                "slow" => Activity::Slow(what),
                "idle" => Activity::Idle(what),
                "run" => Activity::Runs,
                "around" => {
                    shapes.around.add(method, what);
                    continue;
                }
                _ => continue,
            };
            shapes.inner.add(method, shape);
        }
        shapes
    }

    /// The shape of a stack. `names` are methods (`Type.Method`) from the innermost out.
    fn of(&self, names: &[&str]) -> Activity {
        // Stubs have no name, and a poll for the sampler says nothing of what the thread was about.
        let stops = |name: &str| is_stub(name) || self.find(name) == Some(Activity::Runs);
        // A stack of stubs and polls alone is judged by its innermost frame.
        let acting = names.iter().position(|name| !stops(name)).unwrap_or(0);
        let at_leaf = names.get(acting).and_then(|name| self.find(name));
        if let Some(Activity::Idle(what)) = at_leaf {
            return Activity::Waits(what);
        }
        let innermost = names.iter().take(INNERMOST).enumerate();
        let shape = innermost.filter_map(|(at, name)| {
            let shape = self.find(name)?;
            let counts = match shape {
                Activity::Runs => at == 0,
                Activity::Idle(_) => false,
                Activity::Outside(_) | Activity::Slow(_) => at == acting,
                _ => true,
            };
            counts.then_some(shape)
        });
        match shape.into_iter().next() {
            None => Activity::Plain,
            Some(Activity::Synchronous(_)) if self.is_asynchronous(names) => Activity::Plain,
            Some(Activity::Synchronous(what)) => Activity::Waits(what),
            Some(Activity::Waits(what)) => Activity::Waits(self.around(names).unwrap_or(what)),
            // On the way into a lock a thread may get it at once, whatever the lock is for.
            Some(Activity::Enters(what)) => Activity::Enters(self.around(names).unwrap_or(what)),
            Some(Activity::Outside(what)) => Activity::Outside(self.around(names).unwrap_or(what)),
            Some(shape) => shape,
        }
    }

    /// What a wait is for by the frames around it.
    fn around(&self, names: &[&str]) -> Option<&'static str> {
        let outward = names.iter().take(OUTWARD).take_while(|name| belongs_to_wait(name));
        outward.filter_map(|name| self.around.find(name)).last()
    }

    /// Whether a native call was asked for by an asynchronous method of the runtime or of ASP.NET Core. A
    /// synchronous one on the way to it, or code of others, asked for itself.
    fn is_asynchronous(&self, names: &[&str]) -> bool {
        let of_framework =
            |name: &str| name.starts_with("System.") || name.starts_with("Microsoft.") || is_stub(name);
        for name in names.iter().copied().take(ASKED_BY) {
            let (class, method) = name.rsplit_once('.').unwrap_or(("", name));
            if method.ends_with("Async") || class.contains("SocketAsyncEventArgs") {
                return of_framework(name);
            }
            let is_call = name.starts_with("Interop");
            if matches!(self.find(name), Some(Activity::Waits(_))) || !(is_call || of_framework(name)) {
                return false;
            }
        }
        false
    }

    /// What a method says of a thread in it.
    fn find(&self, name: &str) -> Option<Activity> {
        self.inner.find(name)
    }
}

/// Whether a frame has no name: code that the runtime made to call out of managed code, or whose name is lost.
fn is_stub(name: &str) -> bool {
    name == "."
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
    let words = ["running", "waiting", "external", "managed", "lock", "event", "monitor"];
    let [running, waiting, external, managed, lock, event, monitor] =
        words.map(|word| recording.strings.intern(word));
    let (contended, waited) = (Intervals::of_contention(recording), Intervals::of_waits(recording));
    let shapes = Shapes::built_in();
    let is_sampled = !recording.samples.ts_ns.is_empty();
    let names = if is_sampled { method_names(recording) } else { ByFrame::default() };
    let managed_is_told = managed_is_told(recording, managed);
    let mut stuck = Stuck::default();
    // Worked out once a stack, with the word for what it waits for.
    let mut by_stack: ByStack<Option<(Activity, Sym)>> = vec![None; recording.stacks.len()].into();
    for at in 0..recording.samples.ts_ns.len() {
        let Some(row) = recording.samples.row(at) else { continue };
        // A sample of a CPU says itself that its thread ran.
        if row.state != Sym::NONE {
            continue;
        }
        let known = row.stack.and_then(|stack| by_stack.get_mut(stack));
        let (shape, what) = known.map_or((Activity::Plain, Sym::NONE), |known| {
            *known.get_or_insert_with(|| {
                let shape = shapes.of(&methods_of(row.stack, &names, recording));
                (shape, shape.word().map_or(Sym::NONE, |word| recording.strings.intern(word)))
            })
        });
        let in_lock = || contended.at(row.thread, row.ts_ns).is_some();
        let in_wait = || waited.at(row.thread, row.ts_ns);
        let is_outside = managed_is_told && row.kind != managed;
        let waits_for = match shape {
            Activity::Waits(_) | Activity::Synchronous(_) | Activity::Idle(_) => Some(what),
            Activity::Enters(_) => (contended.is_empty() || in_lock()).then_some(what),
            Activity::Outside(_) => (is_outside || in_wait().is_some()).then_some(what),
            Activity::Runs => None,
            _ if row.kind == managed => None,
            // Where the runtime waits without a frame of its own, its events say so.
            Activity::Plain | Activity::Slow(_) if in_lock() => Some(lock),
            Activity::Plain | Activity::Slow(_) => {
                in_wait().map(|of_monitor| if of_monitor { monitor } else { event })
            }
        };
        let state = match (waits_for, shape) {
            (Some(_), _) => waiting,
            (None, Activity::Runs | Activity::Enters(_)) => running,
            (None, _) if row.kind == managed => running,
            (None, _) if !managed_is_told && in_managed_code(row.stack, recording) => running,
            (None, _) => external,
        };
        match shape {
            Activity::Enters(_) if state == running => stuck.saw(at, &row, lock, Stuck::ON_THE_WAY_NS),
            Activity::Slow(_) if state == external => stuck.saw(at, &row, what, Stuck::IN_A_CALL_NS),
            _ => stuck.moved(row.thread),
        }
        say(recording, at, state, waits_for.unwrap_or(Sym::NONE));
    }
    for (at, what) in stuck.samples() {
        say(recording, at, waiting, what);
    }
}

/// Writes down what a sampled thread was doing.
fn say(recording: &mut Trace, at: usize, state: Sym, waiting_on: Sym) {
    if let (Some(place), Some(on)) =
        (recording.samples.state.get_mut(at), recording.samples.waiting_on.get_mut(at))
    {
        (*place, *on) = (state, waiting_on);
    }
}

/// Whether the sampler's word for managed code means anything: .NET 9 says `external` of all but a stray sample.
fn managed_is_told(recording: &Trace, managed: Sym) -> bool {
    let of_9 = recording.exhibit.runtime.as_ref().is_some_and(|version| version.starts_with("9."));
    let kinds = &recording.samples.kind;
    !of_9 || kinds.iter().filter(|kind| **kind == managed).count() > kinds.len() / 200
}

/// Whether the innermost frame is a method with a name, and not a call out of managed code.
fn in_managed_code(stack: Option<StackId>, recording: &Trace) -> bool {
    let Some(frame) = recording.stacks.leaf(stack) else { return false };
    let text = |list: &ByFrame<Sym>| list.get(frame).and_then(|sym| recording.strings.get(*sym));
    text(&recording.frames.method).is_some()
        && !text(&recording.frames.declaring_type).is_some_and(|class| class.starts_with("Interop"))
}

/// Threads that stand on the way into a lock, whose wait began before the recording and has no event, or in a call that
/// may wait.
///
/// A thread that only passes is seen there once and then elsewhere. One that is seen at the same place without a break
/// for long waits.
#[derive(Default)]
struct Stuck {
    /// By thread: what was seen of it at one place without a break.
    open: ByThread<Option<Stand>>,
    done: Vec<(usize, Sym)>,
}

struct Stand {
    stack: Option<StackId>,
    what: Sym,
    least_ns: i64,
    samples: Vec<usize>,
    first_ns: i64,
    last_ns: i64,
}

impl Stuck {
    /// So long stands nobody who only passes a busy lock.
    const ON_THE_WAY_NS: i64 = 1_000_000_000;
    /// So long lasts no call that does not wait: loading a class, opening a file.
    const IN_A_CALL_NS: i64 = 100_000_000;

    fn saw(&mut self, at: usize, row: &SampleRow, what: Sym, least_ns: i64) {
        if let Some(Some(stand)) = self.open.get_mut(row.thread)
            && stand.stack == row.stack
        {
            stand.samples.push(at);
            stand.last_ns = row.ts_ns;
            return;
        }
        self.moved(row.thread);
        if let Some(place) = self.open.get_or_grow(row.thread) {
            let samples = vec![at];
            let (first_ns, last_ns) = (row.ts_ns, row.ts_ns);
            *place = Some(Stand { stack: row.stack, what, least_ns, samples, first_ns, last_ns });
        }
    }

    #[inline]
    fn moved(&mut self, thread: ThreadId) {
        let Some(place @ Some(_)) = self.open.get_mut(thread) else { return };
        if let Some(stand) = place.take()
            && stand.last_ns.saturating_sub(stand.first_ns) >= stand.least_ns
        {
            self.done.extend(stand.samples.into_iter().map(|at| (at, stand.what)));
        }
    }

    /// The samples of those that waited, in the order of time, with what for.
    fn samples(mut self) -> Vec<(usize, Sym)> {
        for thread in self.open.ids() {
            self.moved(thread);
        }
        self.done.sort_unstable();
        self.done
    }
}

/// When each thread waited, by events of one kind.
struct Intervals {
    /// Thread, start, end and whether it is for a monitor's signal, sorted; waits of one thread do not overlap but by
    /// nesting.
    waits: Vec<(ThreadId, i64, i64, bool)>,
}

impl Intervals {
    /// Waits for locks. One without an end is not over.
    fn of_contention(recording: &Trace) -> Self {
        let rows = (0..recording.contention.ts_ns.len()).filter_map(|at| recording.contention.row(at));
        let until = |row: &model::ContentionRow| match row.dur_ns {
            NO_INT => i64::MAX,
            dur_ns => row.ts_ns.saturating_add(dur_ns),
        };
        let mut waits: Vec<_> = rows.map(|row| (row.thread, row.ts_ns, until(&row), false)).collect();
        waits.sort_unstable();
        Self { waits }
    }

    /// Waits for handles and monitors' signals. These events come in bursts, so one without an end says nothing.
    fn of_waits(recording: &Trace) -> Self {
        let of_monitor = recording.strings.find("MonitorWait");
        let rows = (0..recording.waits.ts_ns.len()).filter_map(|at| recording.waits.row(at));
        let known = rows.filter(|row| row.dur_ns != NO_INT);
        let wait = |row: model::WaitRow| {
            let until = row.ts_ns.saturating_add(row.dur_ns);
            (row.thread, row.ts_ns, until, Some(row.source) == of_monitor)
        };
        let mut waits: Vec<_> = known.map(wait).collect();
        waits.sort_unstable();
        Self { waits }
    }

    fn is_empty(&self) -> bool {
        self.waits.is_empty()
    }

    /// Whether the thread waits at a time: if so, whether for a monitor's signal.
    fn at(&self, thread: ThreadId, ns: i64) -> Option<bool> {
        let after = self.waits.partition_point(|wait| (wait.0, wait.1) <= (thread, ns));
        let last = after.checked_sub(1).and_then(|at| self.waits.get(at));
        last.filter(|(known, _, end, _)| *known == thread && ns <= *end).map(|(.., of_monitor)| *of_monitor)
    }
}

/// The methods of a stack, from the innermost out. `names` has those of all frames.
fn methods_of<'a>(stack: Option<StackId>, names: &'a ByFrame<String>, recording: &Trace) -> Vec<&'a str> {
    let frames = recording.stacks.frames(stack).take(OUTWARD);
    frames.map(|frame| names.get(frame).map_or(".", String::as_str)).collect()
}

/// The method of each frame, as `Type.Method`.
fn method_names(recording: &Trace) -> ByFrame<String> {
    let frames = recording.frames.declaring_type.iter().zip(&recording.frames.method);
    frames
        .map(|(class, method)| {
            let [class, method] = [class, method].map(|sym| recording.strings.text(*sym));
            // Behind a bracket are the types that a generic type was made for.
            let class = class.split('[').next().unwrap_or_default();
            format!("{class}.{method}")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(methods: &[&str], expected: Activity) {
        let names: Vec<String> = methods.iter().map(|method| format!("System.Threading.{method}")).collect();
        check_whole(&names.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_thread_on_its_way_into_a_lock_is_told_from_one_that_waits_for_it() {
        check(&["Monitor.Enter_Slowpath"], Activity::Enters("lock"));
        check(&["Lock.TryEnterSlow", "Lock.Enter"], Activity::Enters("lock"));
        check(&["WaitHandle.WaitOneNoCheck", "Lock.TryEnterSlow"], Activity::Waits("lock"));
        check(&["Monitor.Enter_Slowpath", "SemaphoreSlim.Wait"], Activity::Enters("semaphore"));
        check(&["Monitor.Wait", "SemaphoreSlim.WaitUntilCountOrTimeout"], Activity::Waits("semaphore"));
        check(&["Thread.StartCallback"], Activity::Plain);
    }

    /// What stacks of whole names, the innermost first, say.
    fn check_whole(names: &[&str], expected: Activity) {
        assert_eq!(Shapes::built_in().of(names), expected, "{names:?}");
    }

    #[test]
    fn a_synchronous_socket_call_blocks_though_an_asynchronous_method_called_the_code_that_made_it() {
        const TRY: &str = "System.Net.Sockets.SocketPal.TryCompleteReceiveFrom";
        check_whole(
            &[
                TRY,
                "System.Net.Sockets.SocketAsyncContext.ReceiveFrom",
                "System.Net.Sockets.Socket.Receive",
                "Shop.Gateway.Exchange",
                "Microsoft.AspNetCore.Mvc.Invoker.InvokeAsync",
            ],
            Activity::Waits("io"),
        );
        check_whole(
            &[TRY, "Shop.Gateway.Exchange", "Microsoft.AspNetCore.Mvc.Invoker.InvokeAsync"],
            Activity::Waits("io"),
        );
        check_whole(&[TRY, "System.Net.Sockets.SocketAsyncContext.ReceiveFromAsync"], Activity::Plain);
    }

    /// The innermost frames of every primitive of the runtime that threads wait in, each met in a real recording: .NET 10
    /// but where said, cold code first, and with what inlining leaves of it.
    #[test]
    #[expect(clippy::too_many_lines, reason = "a table of cases")]
    fn every_primitive_of_the_runtime_is_known_by_what_threads_wait_for() {
        use Activity::{Outside, Slow, Waits};
        const WAIT: &str = "WaitHandle.WaitOneNoCheck";
        const MONITOR: &str = "Monitor.Wait";
        const EVENT: &str = "ManualResetEventSlim.Wait";
        let cases: &[(&[&str], Activity)] = &[
            (&["Monitor.TryEnter_Slowpath"], Activity::Enters("lock")),
            (&[WAIT, "Lock.TryEnterSlow", "Lock.Enter"], Waits("lock")),
            (&[WAIT, "Lock.TryEnterSlow", "Lock.TryEnter_Outlined"], Waits("lock")),
            (&["Lock.EnterScope"], Outside("lock")),
            (&["Monitor.Enter"], Outside("lock")),
            (&["Monitor.TryEnter"], Outside("lock")),
            (&[MONITOR], Waits("monitor")),
            (
                &[WAIT, "ReaderWriterLockSlim.WaitOnEvent", "ReaderWriterLockSlim.TryEnterReadLockCore"],
                Waits("lock"),
            ),
            (
                &["ReaderWriterLockSlim.WaitOnEvent", "ReaderWriterLockSlim.TryEnterUpgradeableReadLockCore"],
                Waits("lock"),
            ),
            (&["ReaderWriterLockSlim.TryEnterWriteLockCore"], Outside("lock")),
            (&["ReaderWriterLockSlim.EnterReadLock"], Outside("lock")),
            (
                &[
                    "Thread.Sleep",
                    "ReaderWriterLockSlim+SpinLock.EnterSpin",
                    "ReaderWriterLockSlim.TryEnterReadLockCore",
                ],
                Waits("lock"),
            ),
            (&[MONITOR, EVENT, "ReaderWriterLock.AcquireReaderLock"], Waits("lock")),
            (&[WAIT, "ReaderWriterLock.AcquireWriterLock"], Waits("lock")),
            (&["Thread.Sleep", "SpinWait.SpinOnceCore", "SpinLock.ContinueTryEnter"], Waits("lock")),
            (&["Thread.Sleep", "SpinWait.SpinOnceCore", "SpinWait.SpinUntil"], Waits("spin")),
            (&[MONITOR, EVENT, "Barrier.DiscontinuousWait", "Barrier.SignalAndWait"], Waits("barrier")),
            (&["Barrier.SignalAndWait"], Outside("barrier")),
            (&[MONITOR, EVENT, "CountdownEvent.Wait"], Waits("countdown")),
            (&[MONITOR, EVENT], Waits("event")),
            (&[WAIT], Waits("event")),
            (&["WaitHandle.WaitMultiple", "WaitHandle.WaitAll"], Waits("event")),
            (&["WaitHandle.SignalAndWaitCore", "WaitHandle.SignalAndWait"], Waits("event")),
            (
                &[MONITOR, "SemaphoreSlim.WaitUntilCountOrTimeout", "SemaphoreSlim.WaitCore"],
                Waits("semaphore"),
            ),
            // .NET 8 and 9 have no WaitCore.
            (&[MONITOR, "SemaphoreSlim.WaitUntilCountOrTimeout", "SemaphoreSlim.Wait"], Waits("semaphore")),
            (&["SemaphoreSlim.WaitCore"], Waits("semaphore")),
            (
                &[MONITOR, EVENT, "Tasks.Task.SpinThenBlockingWait", "Tasks.Task.InternalWaitCore"],
                Waits("task"),
            ),
            (&[MONITOR, EVENT, "Tasks.Task.WaitAllBlockingCore", "Tasks.Task.WaitAllCore"], Waits("task")),
            (&["Tasks.Task`1.GetResultCore"], Outside("task")),
            (
                &[
                    MONITOR,
                    EVENT,
                    "Tasks.Task.SpinThenBlockingWait",
                    "Tasks.Task.Wait",
                    "Tasks.TaskReplicator.Run",
                    "Tasks.Parallel.ForWorker",
                ],
                Waits("parallel"),
            ),
            (&["Thread.Join"], Waits("join")),
            // .NET 8 and 9.
            (&["Thread.JoinInternal", "Thread.Join"], Waits("join")),
            (&["Thread.SleepInternal", "Thread.Sleep"], Waits("sleep")),
            (&["Thread.Sleep"], Waits("sleep")),
            (&[WAIT, "TimerQueue.TimerThread"], Waits("timer")),
            (&[WAIT, "PortableThreadPool+GateThread.GateThreadStart"], Waits("event")),
            (
                &[
                    "LowLevelLifoSemaphore.WaitNative",
                    "LowLevelLifoSemaphore.WaitForSignal",
                    "PortableThreadPool+WorkerThread.WorkerThreadStart",
                ],
                Waits("queue"),
            ),
            (&["LowLevelLifoSemaphore.WaitInternal", "LowLevelLifoSemaphore.WaitForSignal"], Waits("queue")),
            (&["PortableThreadPool+WorkerThread.WorkerThreadStart", "Thread.StartCallback"], Waits("queue")),
            (&["Thread.PollGC", "PortableThreadPool+WorkerThread.WorkerThreadStart"], Waits("queue")),
            (
                &[
                    "PortableThreadPool+WorkerThread.MaybeAddWorkingWorker",
                    "PortableThreadPool+WorkerThread.WorkerThreadStart",
                ],
                Activity::Plain,
            ),
            (
                &["ThreadPoolWorkQueue.Dispatch", "PortableThreadPool+WorkerThread.WorkerThreadStart"],
                Activity::Plain,
            ),
        ];
        for (names, expected) in cases {
            check(names, *expected);
        }
        let pipes = [
            "System.Threading.Monitor.Wait",
            "System.Threading.ManualResetEventSlim.Wait",
            "System.Threading.Tasks.Task.SpinThenBlockingWait",
            "System.IO.Pipes.NamedPipeServerStream.WaitForConnection",
        ];
        check_whole(&pipes, Waits("io"));
        let take = [
            "System.Threading.Monitor.Wait",
            "System.Threading.SemaphoreSlim.WaitUntilCountOrTimeout",
            "System.Threading.SemaphoreSlim.WaitCore",
            "System.Collections.Concurrent.BlockingCollection`1.TryTakeWithNoTimeValidation",
        ];
        check_whole(&take, Waits("queue"));
        check_whole(
            &["System.Net.Sockets.SocketPal.SelectViaPoll", "System.Net.Sockets.Socket.Select"],
            Outside("io"),
        );
        check_whole(
            &[
                "System.Threading.WaitHandle.WaitOneNoCheck",
                "System.Diagnostics.ProcessWaitState.WaitForExit",
            ],
            Waits("process"),
        );
        check_whole(&["System.Runtime.CompilerServices.InitHelpers.InitClassSlow"], Slow("lock"));
        check_whole(&["Interop+Sys.Open", "System.IO.File.OpenRead"], Slow("io"));
        check_whole(&[".", "System.Net.Sockets.SocketAsyncEngine.EventLoop"], Waits("io"));
        check_whole(&["System.GC.WaitForPendingFinalizers"], Waits("gc"));
    }
}
