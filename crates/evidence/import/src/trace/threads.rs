//! Threads: when each was seen, and what it is for.
//!
//! What a thread is for shows in the events only such threads send, and in the outer frames of its stacks.

use super::kinds::{GcEvent, Handler, PoolEvent, RowEvent};
use model::{ByFrame, ByThread, NO_INT, StackId, Sym, ThreadId, ThreadRow, Trace, or_none};

/// Methods in whose call a thread spends its life, and what such a thread is for.
const ROLES: [(&str, &str); 9] = [
    ("System.Threading.PortableThreadPool+WorkerThread.WorkerThreadStart", "pool"),
    ("System.Threading._ThreadPoolWaitCallback.PerformWaitCallback", "pool"),
    ("System.Threading.PortableThreadPool+GateThread.GateThreadStart", "gate"),
    ("System.Threading.PortableThreadPool+WaitThread.WaitThreadStart", "wait"),
    ("System.Net.Sockets.SocketAsyncEngine.EventLoop", "io"),
    ("System.Threading.TimerQueue.TimerThread", "timer"),
    ("System.Runtime.CompilerServices.TieredCompilation+BackgroundWorker.Start", "tiering"),
    ("System.Threading.TieredCompilation.BackgroundWorkerStart", "tiering"),
    ("System.GC.RunFinalizers", "finalizer"),
];

/// What was seen of a thread.
#[derive(Debug, Clone, Copy)]
struct SeenThread {
    first_ns: i64,
    last_ns: i64,
    role: Option<&'static str>,
    collects: bool,
}

/// What was seen of all threads, by their numbers in the recording.
#[derive(Debug, Default)]
pub(crate) struct ThreadFacts {
    facts: ByThread<Option<SeenThread>>,
}

impl ThreadFacts {
    /// Notes an event of a thread.
    #[inline]
    pub(crate) fn saw(&mut self, thread: ThreadId, ns: i64, handler: Handler) {
        let Some(place) = self.facts.get_or_grow(thread) else { return };
        let facts =
            place.get_or_insert(SeenThread { first_ns: ns, last_ns: ns, role: None, collects: false });
        facts.first_ns = facts.first_ns.min(ns);
        facts.last_ns = facts.last_ns.max(ns);
        facts.collects |= handler == Handler::Gc(GcEvent::PerHeapHistory);
        let role = match handler {
            Handler::Finalizer => "finalizer",
            Handler::TieringThread => "tiering",
            Handler::Row(RowEvent::Pool(PoolEvent::Wait | PoolEvent::Start)) => "pool",
            _ => return,
        };
        facts.role = Some(role);
    }

    /// Notes which threads stopped the program to look at the others.
    pub(crate) fn are_samplers(&mut self, threads: &[ThreadId]) {
        for thread in threads {
            if let Some(Some(facts)) = self.facts.get_mut(*thread) {
                facts.role = Some("sampler");
            }
        }
    }

    /// Fills the table of threads; the samples have their stacks' names by now.
    pub(crate) fn finish(&self, recording: &mut Trace) {
        let mut samples: ByThread<i64> = self.facts.iter().map(|_| 0).collect();
        let mut stacks: ByThread<Vec<StackId>> = self.facts.iter().map(|_| Vec::new()).collect();
        for (thread, stack) in recording.samples.thread.iter().zip(&recording.samples.stack) {
            let Some(known) = samples.get_mut(*thread) else { continue };
            *known += 1;
            // A few stacks tell what a thread is for; the first may be of a moment before it began its work.
            if let (Some(list), Some(stack)) = (stacks.get_mut(*thread), stack)
                && list.len() < 4
                && !list.contains(stack)
            {
                list.push(*stack);
            }
        }
        let whole = threads_with_whole_stacks(self.facts.len(), recording);
        let mut rows: Vec<ThreadRow> = Vec::with_capacity(self.facts.len());
        // The rows of sampled threads whose every stack is cut: nothing of the stack says what they are for.
        let mut cut = Vec::new();
        for (number, facts) in self.facts.iter_with_ids() {
            let (Some(facts), Some(id)) = (facts, recording.thread_ids.get(number)) else { continue };
            let by_stack =
                stacks.get(number).and_then(|list| list.iter().find_map(|stack| role(*stack, recording)));
            let process = or_none(recording.thread_processes.get(number).copied());
            let of_exhibit = recording.exhibit.pid.map_or(NO_INT, u64::cast_signed);
            let main = *id == if process == NO_INT { of_exhibit } else { process };
            let Some(sampled) = samples.get(number).copied() else { continue };
            // A thread that collects and is never sampled has no managed code: it is the GC's own.
            let gc = facts.collects && sampled == 0;
            let role = by_stack.or(facts.role).or(gc.then_some("gc"));
            let role = role.or(main.then_some("main"));
            let is_cut = role.is_none() && sampled > 0 && whole.get(number) != Some(&true);
            if is_cut {
                cut.push(rows.len());
            }
            let role = role.or((sampled > 0 && !is_cut).then_some("user"));
            rows.push(ThreadRow {
                thread: *id,
                name: Sym::NONE,
                kind: role.map_or(Sym::NONE, |role| recording.strings.intern(role)),
                first_ts_ns: facts.first_ns,
                last_ts_ns: facts.last_ns,
                samples: if recording.samples.ts_ns.is_empty() { NO_INT } else { sampled },
                process,
            });
        }
        let pool = recording.strings.intern("pool");
        let known = rows.iter().filter(|row| row.kind == pool).count();
        // Workers stand on cut stacks all the time if they are blocked deep in their work. The pool counts its workers: if
        // there are enough of them for all these threads, that is what they are.
        if !cut.is_empty() && workers(recording).is_some_and(|workers| workers >= known + cut.len()) {
            for at in cut {
                if let Some(row) = rows.get_mut(at) {
                    row.kind = pool;
                }
            }
        }
        rows.sort_by_key(|row| (row.thread, row.process));
        for row in rows {
            recording.threads.push(row);
        }
    }
}

/// Which threads have a sample whose stack is whole.
fn threads_with_whole_stacks(count: usize, recording: &Trace) -> ByThread<bool> {
    let mut whole = ByThread::from(vec![false; count]);
    for (thread, stack) in recording.samples.thread.iter().zip(&recording.samples.stack) {
        if let Some(place) = whole.get_mut(*thread)
            && !*place
        {
            *place = !recording.stacks.is_cut(*stack);
        }
    }
    whole
}

/// How many workers the pool had, by its own count: half of the time at least as many.
fn workers(recording: &Trace) -> Option<usize> {
    let counts = recording.threadpool.workers.iter().copied().filter(|workers| *workers > 0);
    let mut counts: Vec<i64> = counts.collect();
    counts.sort_unstable();
    counts.get(counts.len() / 2).and_then(|workers| usize::try_from(*workers).ok())
}

fn role(stack: StackId, recording: &Trace) -> Option<&'static str> {
    recording.stacks.frames(stack).find_map(|frame| {
        let part = |list: &ByFrame<Sym>| list.get(frame).map_or("", |sym| recording.strings.text(*sym));
        let (class, method) = (part(&recording.frames.declaring_type), part(&recording.frames.method));
        let same =
            |known: &str| known.strip_suffix(method).and_then(|rest| rest.strip_suffix('.')) == Some(class);
        ROLES.iter().find(|(known, _)| same(known)).map(|(_, role)| *role)
    })
}
