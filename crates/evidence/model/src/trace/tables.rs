//! The tables of a trace, each declared once.
//!
//! Times are nanoseconds since the session's start. Tables whose rows are written by hand are beside this file: `events`,
//! `stacks`, `frames`.

use crate::column::NO_INT;
use crate::ids::ThreadId;
use crate::strings::Sym;
use crate::tables::table;

table! { Samples<S>, SampleRow, "samples",
    "A thread that the sampler looked at. The runtime's stops the program and looks at every managed thread, whether it runs or waits; that of `dotnet-trace collect-linux` looks at each CPU, so at threads that run.";
    ts_ns time "ns" "When, since the session's start"
    thread thread "" "The operating system's number of the thread"
    stack stack "" "The thread's stack, a row of stacks"
    kind text "" "managed (in managed code) or external (outside of it), as the sampler said or, of a sample of a CPU, as the innermost frame says"
    state text "" "What the stack says: running, waiting, or external (in native code, running or not)"
    waiting_on text "" "What it waits for: monitor, task, sleep, io, queue, semaphore, event, lock, process, parallel, spin, gc …; null unless waiting";
    process of thread
}
table! { ThreadRows, ThreadRow, "threads",
    "A thread that was seen in any event.";
    thread int "" "The operating system's number of the thread"
    name text "" "Its name, where one is known"
    kind text "" "What it is for: pool, gate (adjusts the pool), wait (waits for registered handles), gc, finalizer, tiering, io, timer, sampler, main, user"
    first_ts_ns int "ns" "Its first event"
    last_ts_ns int "ns" "Its last event"
    samples int "" "How often it was sampled"
    process int "" "The process that it is of; null if the recording is of one process"
}
table! { Processes, ProcessRow, "processes",
    "A process that the recording holds, also if only one of them was asked for (--pid).";
    process int "" "The operating system's number of the process"
    name text "" "What it is called, if the recording says so"
    own_id int "" "Its number within its container, if the recording says so"
    first_ts_ns int "ns" "Its first event"
    last_ts_ns int "ns" "Its last event"
    events int "" "Its events"
    samples int "" "How often its threads were sampled"
}
table! { GcRows<S>, GcRow, "gc",
    "A garbage collection: one row a GC/Start.";
    number int "" "Which one since the process began"
    generation int "" "The oldest generation collected"
    kind ("type") text "" "NonConcurrentGC (stops the program), BackgroundGC (runs beside it), ForegroundGC (stops it during a background one)"
    reason text "" "Why: AllocSmall, AllocLarge, Induced, LowMemory …"
    start_ns time "ns" "GC/Start, since the session's start"
    dur_ns int "ns" "From GC/Start to GC/Stop; null where the end is missing"
    pause_ns int "ns" "How long it paused the program"
    suspend_ns int "ns" "The part of the pauses that went into stopping the threads"
    heap_before_bytes int "B" "Heap before it, free space included, from the per-heap history"
    heap_after_bytes int "B" "Heap after it: the sum of all generations, free space included"
    promoted_bytes int "B" "What survived of the generations collected"
    gen0_bytes int "B" "Generation 0 after it"
    gen1_bytes int "B" "Generation 1 after it"
    gen2_bytes int "B" "Generation 2 after it"
    loh_bytes int "B" "The large object heap after it"
    poh_bytes int "B" "The pinned object heap after it; null before .NET 5"
    pinned_objects int "" "Pinned objects that it met"
    thread thread "" "The thread that reported it"
    stack stack "" "Where it was triggered, from GC/Triggered";
    process of thread
}
table! { Pauses, PauseRow, "pauses",
    "A time in which the program was paused, from GC/SuspendEEStart to GC/RestartEEStop of one thread.";
    ts_ns time "ns" "When it began"
    dur_ns int "ns" "How long"
    cause text "" "gc (reasons 1 and 6), profiler (the sampler), other"
}
table! { Allocations<S>, AllocationRow, "allocations",
    "An allocation that was sampled.";
    ts_ns time "ns" "When"
    thread thread "" "The thread that allocated"
    class ("type") text "" "The type of the object"
    kind text "" "Where it went: Small, Large, Pinned"
    bytes int "B" "Size of the object; null where the runtime does not tell it"
    source text "" "tick (one about every 100 kB) or sample (each byte with a chance of 1 in 102,400, .NET 10)"
    weight_bytes real "B" "Bytes of allocation that it stands for"
    stack stack "" "Where";
    process of thread
}
table! { Exceptions<S>, ExceptionRow, "exceptions",
    "An exception that was thrown, caught or not.";
    ts_ns time "ns" "When"
    thread thread "" "The thread that threw it"
    class ("type") text "" "Its type"
    message text "" "Its message"
    stack stack "" "Where it was thrown"
    activity guid "" "The activity it was thrown in";
    process of thread
}
table! { Contentions<S>, ContentionRow, "contention",
    "A wait for a lock that another thread held: Contention/Start to Contention/Stop.";
    ts_ns time "ns" "When the wait began"
    dur_ns int "ns" "How long, as the runtime measured it or by the two events; null where the end is missing"
    thread thread "" "The thread that waited"
    owner_thread int "" "The thread that held the lock; null if the event does not say it"
    lock text "" "The lock's address"
    stack stack "" "Where it waited";
    process of thread
}
table! { Waits<S>, WaitRow, "waits",
    "A wait for a handle or a monitor's signal: WaitHandleWait/Start to /Stop (.NET 9 and later).";
    ts_ns time "ns" "When the wait began"
    dur_ns int "ns" "How long; null where the end is missing"
    thread thread "" "The thread that waited"
    source text "" "What for: MonitorWait, Unknown …"
    object text "" "The object's address"
    stack stack "" "Where it waited";
    process of thread
}
table! { ThreadPool, ThreadPoolRow, "threadpool",
    "What the thread pool did.";
    ts_ns time "ns" "When"
    event text "" "adjustment (of the number of workers), sample (of the throughput), start, stop, wait (of a worker)"
    reason text "" "Why it adjusted: Warmup, ClimbingMove, Starvation, CooperativeBlocking …"
    workers int "" "Workers after it: the new goal, or those active"
    throughput real "1/s" "Work items completed per second"
}
table! { Jit<S>, JitRow, "jit",
    "A load of compiled code while recording: Method/LoadVerbose, with its Method/JittingStarted where there was one.";
    ts_ns time "ns" "When compiling began; the load where its start is missing"
    dur_ns int "ns" "How long it took; null where the start is missing"
    thread thread "" "The thread that compiled"
    method text "" "The method's full name"
    il_bytes int "B" "Its size in intermediate language; null where the start is missing"
    native_bytes int "B" "Its size as machine code"
    tier text "" "How it was compiled: QuickJitted, OptimizedTier1, ReadyToRun …"
    stack stack "" "What asked for it: the stack of its start, or of the load where that has none";
    process of thread
}
table! { Counters, CounterRow, "counters",
    "A value of a counter or meter.";
    ts_ns time "ns" "When it was published"
    provider text "" "The event source's or meter's own name"
    name text "" "The counter's or instrument's name"
    unit text "" "The unit, as published"
    kind text "" "rate, total, value, p50, p95, p99 (or the quantile published), count, sum"
    value real "" "The value"
    tags text "" "Its tags, as a JSON object"
}
table! { Requests, RequestRow, "requests",
    "A request that the service answered, from ASP.NET Core's events; needs --profile requests.";
    start_ns time "ns" "When it began"
    dur_ns int "ns" "How long it took; null where the end is missing"
    method text "" "GET, POST …"
    path text "" "The path asked for"
    route text "" "The route that answered, from the span"
    status int "" "The status answered, from the span"
    activity guid "" "Its activity id"
    trace_id text "" "Its W3C trace, from the span"
    thread_first thread "" "The thread it began on"
    gc_ns int "ns" "Part of dur_ns in which a GC paused it; null until attributed"
    lock_ns int "ns" "Part spent waiting for locks"
    wait_ns int "ns" "Part spent in blocking waits"
    cpu_ns int "ns" "Part spent running on a thread"
    database_ns int "ns" "Part spent waiting for a database"
    http_ns int "ns" "Part spent waiting for an outgoing HTTP call"
    queue_ns int "ns" "Part spent in the thread pool's queue"
    await_ns int "ns" "Part spent awaiting something else"
    unknown_ns int "ns" "The rest"
}

impl RequestRow {
    /// A request that began on a thread, of which nothing else is known yet.
    pub fn begun(start_ns: i64, thread_first: ThreadId, method: Sym, path: Sym) -> Self {
        Self {
            start_ns,
            dur_ns: NO_INT,
            method,
            path,
            route: Sym::NONE,
            status: NO_INT,
            activity: None,
            trace_id: Sym::NONE,
            thread_first,
            gc_ns: NO_INT,
            lock_ns: NO_INT,
            wait_ns: NO_INT,
            cpu_ns: NO_INT,
            database_ns: NO_INT,
            http_ns: NO_INT,
            queue_ns: NO_INT,
            await_ns: NO_INT,
            unknown_ns: NO_INT,
        }
    }
}

table! { Spans, SpanRow, "spans",
    "A span of an ActivitySource that ended while recording.";
    start_ns time "ns" "When it began"
    dur_ns int "ns" "How long"
    source text "" "The ActivitySource"
    name text "" "Its display name"
    kind text "" "Server, Client, Internal, Producer, Consumer"
    span_id text "" "Its W3C id"
    parent_id text "" "The W3C id of what it is part of"
    trace_id text "" "Its W3C trace"
    tags text "" "Its tags, as a JSON object"
}
table! { Logs, LogRow, "logs",
    "A line of a log, from Microsoft.Extensions.Logging; needs --profile logs.";
    ts_ns time "ns" "When"
    level text "" "Trace, Debug, Information, Warning, Error, Critical"
    logger text "" "The logger's category"
    message text "" "The line"
    template text "" "Its template; null until templates are found"
    trace_id text "" "Its W3C trace"
}
table! { LossRows, LossRow, "loss",
    "Events that the runtime dropped before they reached the recording.";
    thread int "" "The thread that sent them"
    from_ns int "ns" "Its last event before the gap"
    to_ns int "ns" "When the gap was noticed"
    events int "" "How many"
}
table! { Coverage, CoverageRow, "coverage",
    "A time in which something was recorded; rates and shares are of this time.";
    source text "" "events, samples"
    from_ns int "ns" "From"
    to_ns int "ns" "To"
}
table! { Host, HostRow, "host",
    "A fact of the machine beside the recording, from the live recorder.";
    ts_ns time "ns" "When"
    name text "" "Which one, as in process.rss, limit.memory, throttled.time, pressure.cpu.waited, process.open_files; docs/recording.md lists them"
    value real "" "Its value"
    unit text "" "The value's unit"
}
table! { ThreadCpu, ThreadCpuRow, "thread_cpu",
    "Processor time of a thread, measured by the live recorder.";
    ts_ns time "ns" "When it was read"
    thread int "" "The operating system's number of the thread"
    user_ns int "ns" "Time in user mode since the thread began"
    system_ns int "ns" "Time in the kernel since the thread began"
    waited_ns int "ns" "Time that it was ready to run and waited for a CPU core, since the thread began; null where the kernel or the recorder did not count it"
}
