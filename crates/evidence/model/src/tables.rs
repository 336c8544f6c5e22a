//! The tables of a recording, and their catalogue.
//!
//! A table is declared once, with its columns' names, units and what they mean; columns, rows, the catalogue and what
//! SQL sees follow from that. A new table is a declaration here, a field of [`Trace`] and a line in
//! [`Trace::table`].

use crate::column::{Column, NO_INT};
use crate::events::Events;
use crate::exhibit::{Exhibit, Lost};
use crate::marks::RequestMarks;
use crate::stacks::{Frame, Frames, Stacks};
use crate::strings::{Strings, Sym};

/// The type of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// 64 bits, signed.
    Integer,
    /// Double precision.
    Real,
    /// UTF-8.
    Text,
}

impl Type {
    /// Its name in the catalogue and in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Real => "real",
            Self::Text => "text",
        }
    }
}

/// A column of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnSpec {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Type,
    /// The unit of its values; empty where they have none.
    pub unit: &'static str,
    /// What it means.
    pub about: &'static str,
}

/// A table of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableSpec {
    /// Its name.
    pub name: &'static str,
    /// What a row is.
    pub about: &'static str,
    /// Its columns.
    pub columns: &'static [ColumnSpec],
}

/// A table of a recording.
#[derive(Debug)]
pub struct Table<'a> {
    /// Its entry in the catalogue.
    pub spec: &'static TableSpec,
    /// How many rows it has.
    pub rows: usize,
    /// Its columns, as in the catalogue.
    pub columns: Vec<Column<'a>>,
    /// The columns whose values never descend from row to row.
    pub ascending: &'static [usize],
}

macro_rules! stored {
    (int) => {
        i64
    };
    (id) => {
        u32
    };
    (thread) => {
        u32
    };
    (guid) => {
        u32
    };
    (real) => {
        f64
    };
    (text) => {
        Sym
    };
}
macro_rules! sql_type {
    (int) => {
        Type::Integer
    };
    (id) => {
        Type::Integer
    };
    (thread) => {
        Type::Integer
    };
    (guid) => {
        Type::Text
    };
    (real) => {
        Type::Real
    };
    (text) => {
        Type::Text
    };
}
macro_rules! column {
    (int, $list:expr, $recording:ident) => {
        Column::Int(&$list)
    };
    (id, $list:expr, $recording:ident) => {
        Column::Id(&$list)
    };
    (thread, $list:expr, $recording:ident) => {
        Column::IntVia(&$list, &$recording.thread_ids)
    };
    (guid, $list:expr, $recording:ident) => {
        Column::GuidVia(&$list, &$recording.activities)
    };
    (real, $list:expr, $recording:ident) => {
        Column::Real(&$list)
    };
    (text, $list:expr, $recording:ident) => {
        Column::Text(&$list, &$recording.strings)
    };
}

/// Declares a table: its rows, its columns, its entry in the catalogue.
macro_rules! table {
    ($spec:ident $rows:ident $row:ident $name:literal $about:literal
     $($field:ident $column:literal $kind:tt $unit:literal $what:literal)*) => {
        #[doc = concat!("The catalogue's entry of `", $name, "`.")]
        pub const $spec: TableSpec = TableSpec {
            name: $name,
            about: $about,
            columns: &[$(ColumnSpec { name: $column, kind: sql_type!($kind), unit: $unit, about: $what }),*],
        };
        #[doc = concat!("A row of `", $name, "`.")]
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub struct $row { $(#[doc = $what] pub $field: stored!($kind)),* }
        #[doc = $about]
        #[derive(Debug, Default)]
        pub struct $rows { $(#[doc = $what] pub $field: Vec<stored!($kind)>),* }
        impl $rows {
            /// Adds a row.
            pub fn push(&mut self, row: $row) {
                $(self.$field.push(row.$field);)*
            }
            /// The row of a number.
            pub fn row(&self, at: usize) -> Option<$row> {
                Some($row { $($field: *self.$field.get(at)?),* })
            }
            /// Brings the rows into the order given: the row numbers, each once.
            pub fn reorder(&mut self, order: &[u32]) {
                $(permute(&mut self.$field, order);)*
            }
            /// Bytes that the rows take.
            fn size_bytes(&self) -> usize {
                0 $(+ size_of_val(self.$field.as_slice()))*
            }
            fn columns<'a>(&'a self, recording: &'a Trace) -> Vec<Column<'a>> {
                let _ = recording;
                vec![$(column!($kind, self.$field, recording)),*]
            }
        }
    };
}

/// Brings a column into the order given.
pub(crate) fn permute<T: Copy>(column: &mut Vec<T>, order: &[u32]) {
    *column = order.iter().filter_map(|row| column.get(*row as usize).copied()).collect();
}

table! { SAMPLES Samples SampleRow "samples"
    "A thread that the sampler looked at. It stops the program and looks at every managed thread, whether it runs or waits."
    ts_ns "ts_ns" int "ns" "When, since the session's start"
    thread "thread" thread "" "The operating system's number of the thread"
    stack "stack" id "" "The thread's stack, a row of stacks"
    kind "kind" text "" "What the sampler said: managed (in managed code) or external (outside of it)"
    state "state" text "" "What the stack says: running, waiting, or external (outside managed code, running or not)"
    waiting_on "waiting_on" text "" "What it waits for: monitor, task, sleep, io, queue, semaphore, event, lock, process, gc …; null unless waiting"
}
table! { THREADS ThreadRows ThreadRow "threads"
    "A thread that was seen in any event."
    thread "thread" int "" "The operating system's number of the thread"
    name "name" text "" "Its name, where one is known"
    kind "kind" text "" "What it is for: pool, gate (adjusts the pool), wait (waits for registered handles), gc, finalizer, tiering, io, timer, sampler, main, user"
    first_ts_ns "first_ts_ns" int "ns" "Its first event"
    last_ts_ns "last_ts_ns" int "ns" "Its last event"
    samples "samples" int "" "How often it was sampled"
}
table! { GC GcRows GcRow "gc"
    "A garbage collection: one row a GC/Start."
    number "number" int "" "Which one since the process began"
    generation "generation" int "" "The oldest generation collected"
    kind "type" text "" "NonConcurrentGC (stops the program), BackgroundGC (runs beside it), ForegroundGC (stops it during a background one)"
    reason "reason" text "" "Why: AllocSmall, AllocLarge, Induced, LowMemory …"
    start_ns "start_ns" int "ns" "GC/Start, since the session's start"
    dur_ns "dur_ns" int "ns" "From GC/Start to GC/Stop; null where the end is missing"
    pause_ns "pause_ns" int "ns" "How long the program stood still for it"
    suspend_ns "suspend_ns" int "ns" "The part of the pauses that went into stopping the threads"
    heap_before_bytes "heap_before_bytes" int "B" "Heap before it, free space included, from the per-heap history"
    heap_after_bytes "heap_after_bytes" int "B" "Heap after it: the sum of all generations, free space included"
    promoted_bytes "promoted_bytes" int "B" "What survived of the generations collected"
    gen0_bytes "gen0_bytes" int "B" "Generation 0 after it"
    gen1_bytes "gen1_bytes" int "B" "Generation 1 after it"
    gen2_bytes "gen2_bytes" int "B" "Generation 2 after it"
    loh_bytes "loh_bytes" int "B" "The large object heap after it"
    poh_bytes "poh_bytes" int "B" "The pinned object heap after it; null before .NET 5"
    pinned_objects "pinned_objects" int "" "Pinned objects that it met"
    thread "thread" thread "" "The thread that reported it"
    stack "stack" id "" "Where it was triggered, from GC/Triggered"
}
table! { PAUSES Pauses PauseRow "pauses"
    "A time in which the program stood still, from GC/SuspendEEStart to GC/RestartEEStop of one thread."
    ts_ns "ts_ns" int "ns" "When it began"
    dur_ns "dur_ns" int "ns" "How long"
    cause "cause" text "" "gc (reasons 1 and 6), profiler (the sampler), other"
}
table! { ALLOCATIONS Allocations AllocationRow "allocations"
    "An allocation that was sampled."
    ts_ns "ts_ns" int "ns" "When"
    thread "thread" thread "" "The thread that allocated"
    class "type" text "" "The type of the object"
    kind "kind" text "" "Where it went: Small, Large, Pinned"
    bytes "bytes" int "B" "Size of the object; null where the runtime does not tell it"
    source "source" text "" "tick (one about every 100 kB) or sample (each byte with a chance of 1 in 102,400, .NET 10)"
    weight_bytes "weight_bytes" real "B" "Bytes of allocation that it stands for"
    stack "stack" id "" "Where"
}
table! { EXCEPTIONS Exceptions ExceptionRow "exceptions"
    "An exception that was thrown, caught or not."
    ts_ns "ts_ns" int "ns" "When"
    thread "thread" thread "" "The thread that threw it"
    class "type" text "" "Its type"
    message "message" text "" "Its message"
    stack "stack" id "" "Where it was thrown"
    activity "activity" guid "" "The activity it was thrown in"
}
table! { CONTENTION Contentions ContentionRow "contention"
    "A wait for a lock that another thread held: Contention/Start to Contention/Stop."
    ts_ns "ts_ns" int "ns" "When the wait began"
    dur_ns "dur_ns" int "ns" "How long, as the runtime measured it or by the two events; null where the end is missing"
    thread "thread" thread "" "The thread that waited"
    owner_thread "owner_thread" int "" "The thread that held the lock; null where it is not told"
    lock "lock" text "" "The lock's address"
    stack "stack" id "" "Where it waited"
}
table! { WAITS Waits WaitRow "waits"
    "A wait for a handle or a monitor's signal: WaitHandleWait/Start to /Stop (.NET 9 and later)."
    ts_ns "ts_ns" int "ns" "When the wait began"
    dur_ns "dur_ns" int "ns" "How long; null where the end is missing"
    thread "thread" thread "" "The thread that waited"
    source "source" text "" "What for: MonitorWait, Unknown …"
    object "object" text "" "The object's address"
    stack "stack" id "" "Where it waited"
}
table! { THREADPOOL ThreadPool ThreadPoolRow "threadpool"
    "What the thread pool did."
    ts_ns "ts_ns" int "ns" "When"
    event "event" text "" "adjustment (of the number of workers), sample (of the throughput), start, stop, wait (of a worker)"
    reason "reason" text "" "Why it adjusted: Warmup, ClimbingMove, Starvation, CooperativeBlocking …"
    workers "workers" int "" "Workers after it: the new goal, or those active"
    throughput "throughput" real "1/s" "Work items completed a second"
}
table! { JIT Jit JitRow "jit"
    "A load of compiled code while recording: Method/LoadVerbose, with its Method/JittingStarted where there was one."
    ts_ns "ts_ns" int "ns" "When compiling began; the load where its start is missing"
    dur_ns "dur_ns" int "ns" "How long it took; null where the start is missing"
    thread "thread" thread "" "The thread that compiled"
    method "method" text "" "The method's full name"
    il_bytes "il_bytes" int "B" "Its size in intermediate language; null where the start is missing"
    native_bytes "native_bytes" int "B" "Its size as machine code"
    tier "tier" text "" "How it was compiled: QuickJitted, OptimizedTier1, ReadyToRun …"
    stack "stack" id "" "What asked for it: the stack of its start, or of the load where that has none"
}
table! { COUNTERS Counters CounterRow "counters"
    "A value of a counter or meter."
    ts_ns "ts_ns" int "ns" "When it was published"
    provider "provider" text "" "The event source's or meter's own name"
    name "name" text "" "The counter's or instrument's name"
    unit "unit" text "" "The unit, as published"
    kind "kind" text "" "rate, total, value, p50, p95, p99 (or the quantile published), count, sum"
    value "value" real "" "The value"
    tags "tags" text "" "Its tags, as a JSON object"
}
table! { REQUESTS Requests RequestRow "requests"
    "A request that the service answered, from ASP.NET Core's events; needs activity ids."
    start_ns "start_ns" int "ns" "When it began"
    dur_ns "dur_ns" int "ns" "How long it took; null where the end is missing"
    method "method" text "" "GET, POST …"
    path "path" text "" "The path asked for"
    route "route" text "" "The route that answered, from the span"
    status "status" int "" "The status answered, from the span"
    activity "activity" guid "" "Its activity id"
    trace_id "trace_id" text "" "Its W3C trace, from the span"
    thread_first "thread_first" thread "" "The thread it began on"
    gc_ns "gc_ns" int "ns" "Part of dur_ns in which the collector stood in its way; null until attributed"
    lock_ns "lock_ns" int "ns" "Part spent waiting for locks"
    wait_ns "wait_ns" int "ns" "Part spent in blocking waits"
    cpu_ns "cpu_ns" int "ns" "Part spent running on a thread"
    database_ns "database_ns" int "ns" "Part spent waiting for a database"
    http_ns "http_ns" int "ns" "Part spent waiting for an outgoing HTTP call"
    queue_ns "queue_ns" int "ns" "Part spent in the thread pool's queue"
    await_ns "await_ns" int "ns" "Part spent awaiting something else"
    unknown_ns "unknown_ns" int "ns" "The rest"
}
table! { SPANS Spans SpanRow "spans"
    "A span of an ActivitySource that ended while recording."
    start_ns "start_ns" int "ns" "When it began"
    dur_ns "dur_ns" int "ns" "How long"
    source "source" text "" "The ActivitySource"
    name "name" text "" "Its display name"
    kind "kind" text "" "Server, Client, Internal, Producer, Consumer"
    span_id "span_id" text "" "Its W3C id"
    parent_id "parent_id" text "" "The W3C id of what it is part of"
    trace_id "trace_id" text "" "Its W3C trace"
    tags "tags" text "" "Its tags, as a JSON object"
}
table! { LOGS Logs LogRow "logs"
    "A line of a log, from Microsoft.Extensions.Logging."
    ts_ns "ts_ns" int "ns" "When"
    level "level" text "" "Trace, Debug, Information, Warning, Error, Critical"
    logger "logger" text "" "The logger's category"
    message "message" text "" "The line"
    template "template" text "" "Its template; null until templates are found"
    trace_id "trace_id" text "" "Its W3C trace"
}
table! { LOSS LossRows LossRow "loss"
    "Events that the runtime dropped before they reached the recording."
    thread "thread" int "" "The thread that sent them"
    from_ns "from_ns" int "ns" "Its last event before the gap"
    to_ns "to_ns" int "ns" "What told of the gap"
    events "events" int "" "How many"
}
table! { COVERAGE Coverage CoverageRow "coverage"
    "A time in which something was recorded; rates and shares are of this time."
    source "source" text "" "events, samples"
    from_ns "from_ns" int "ns" "From"
    to_ns "to_ns" int "ns" "To"
}
table! { HOST Host HostRow "host"
    "A fact of the machine beside the recording, from the live recorder."
    ts_ns "ts_ns" int "ns" "When"
    name "name" text "" "Which one: cores, limits, throttling, memory, load"
    value "value" real "" "Its value"
    unit "unit" text "" "The value's unit"
}
table! { THREAD_CPU ThreadCpu ThreadCpuRow "thread_cpu"
    "Processor time of a thread, measured by the live recorder."
    ts_ns "ts_ns" int "ns" "When it was read"
    thread "thread" int "" "The operating system's number of the thread"
    user_ns "user_ns" int "ns" "Time in user mode since the thread began"
    system_ns "system_ns" int "ns" "Time in the kernel since the thread began"
}
table! { METRICS Metrics MetricRow "metrics"
    "A figure of the whole recording: what claims, comparisons and lists read."
    name "name" text "" "Which one"
    value "value" real "" "Its value; null where the recording cannot give it"
    unit "unit" text "" "The value's unit"
    low "low" real "" "Lower end of its interval; null where there is none"
    high "high" real "" "Upper end of its interval; null where there is none"
    n "n" int "" "How many observations it stands on"
}

/// The catalogue's entry of `events`.
pub const EVENTS: TableSpec = TableSpec {
    name: "events",
    about: "Every event of the recording, also those that no other table is made of.",
    columns: &[
        ColumnSpec {
            name: "ts_ns",
            kind: Type::Integer,
            unit: "ns",
            about: "When, since the session's start",
        },
        ColumnSpec { name: "provider", kind: Type::Text, unit: "", about: "Who sent it" },
        ColumnSpec {
            name: "name",
            kind: Type::Text,
            unit: "",
            about: "Its name as TraceEvent writes it: GC/Start",
        },
        ColumnSpec { name: "id", kind: Type::Integer, unit: "", about: "Its number within the provider" },
        ColumnSpec { name: "version", kind: Type::Integer, unit: "", about: "Version of its fields" },
        ColumnSpec { name: "thread", kind: Type::Integer, unit: "", about: "The thread it is of" },
        ColumnSpec { name: "stack", kind: Type::Integer, unit: "", about: "Its stack, a row of stacks" },
        ColumnSpec { name: "activity", kind: Type::Text, unit: "", about: "Its activity id; null when zero" },
        ColumnSpec {
            name: "stream",
            kind: Type::Integer,
            unit: "",
            about: "The stream it was in; 0 is the main session",
        },
        ColumnSpec { name: "fields", kind: Type::Text, unit: "", about: "Its fields, as a JSON object" },
    ],
};
/// The catalogue's entry of `stacks`.
pub const STACKS: TableSpec = TableSpec {
    name: "stacks",
    about: "A stack, as a node of the tree of all stacks: its innermost frame, and the stack that called it.",
    columns: &[
        ColumnSpec { name: "id", kind: Type::Integer, unit: "", about: "The number other tables refer to" },
        ColumnSpec {
            name: "parent",
            kind: Type::Integer,
            unit: "",
            about: "The caller's stack; null at the outermost frame",
        },
        ColumnSpec {
            name: "frame",
            kind: Type::Integer,
            unit: "",
            about: "The innermost frame, a row of frames",
        },
        ColumnSpec {
            name: "depth",
            kind: Type::Integer,
            unit: "",
            about: "Frames outside of it: 0 for the outermost",
        },
    ],
};
/// The catalogue's entry of `frames`.
pub const FRAMES: TableSpec = TableSpec {
    name: "frames",
    about: "A method in stacks: one row for each name and tier. Addresses without a name share a row.",
    columns: &[
        ColumnSpec { name: "id", kind: Type::Integer, unit: "", about: "The number stacks refer to" },
        ColumnSpec {
            name: "module",
            kind: Type::Text,
            unit: "",
            about: "The module: its file's name without the ending",
        },
        ColumnSpec { name: "type", kind: Type::Text, unit: "", about: "The type, with its namespace" },
        ColumnSpec {
            name: "method",
            kind: Type::Text,
            unit: "",
            about: "The method; null where the address has no name",
        },
        ColumnSpec { name: "signature", kind: Type::Text, unit: "", about: "What it takes, in parentheses" },
        ColumnSpec { name: "name", kind: Type::Text, unit: "", about: "All of it, as TraceEvent writes it" },
        ColumnSpec {
            name: "tier",
            kind: Type::Text,
            unit: "",
            about: "How its code was made: QuickJitted, OptimizedTier1, ReadyToRun …",
        },
    ],
};

/// The catalogue: every table, in the order of the documentation.
pub const CATALOGUE: &[TableSpec] = &[
    EVENTS,
    SAMPLES,
    STACKS,
    FRAMES,
    THREADS,
    GC,
    PAUSES,
    ALLOCATIONS,
    EXCEPTIONS,
    CONTENTION,
    WAITS,
    THREADPOOL,
    JIT,
    COUNTERS,
    REQUESTS,
    SPANS,
    LOGS,
    LOSS,
    COVERAGE,
    HOST,
    THREAD_CPU,
    METRICS,
];

/// All that was read of a recording.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "the tables say themselves what they are")]
pub struct Trace {
    pub exhibit: Exhibit,
    pub lost: Lost,
    /// The texts of all tables.
    pub strings: Strings,
    /// The threads that rows refer to by number, as the operating system numbers them.
    pub thread_ids: Vec<i64>,
    /// The activities that events refer to by number.
    pub activities: Vec<[u8; 16]>,
    pub events: Events,
    pub samples: Samples,
    pub stacks: Stacks,
    pub frames: Frames,
    pub threads: ThreadRows,
    pub gc: GcRows,
    pub pauses: Pauses,
    pub allocations: Allocations,
    pub exceptions: Exceptions,
    pub contention: Contentions,
    pub waits: Waits,
    pub threadpool: ThreadPool,
    pub jit: Jit,
    pub counters: Counters,
    pub requests: Requests,
    /// No table: what `requests` is made of, before it is paired.
    pub request_marks: RequestMarks,
    pub spans: Spans,
    pub logs: Logs,
    pub loss: LossRows,
    pub coverage: Coverage,
    pub host: Host,
    pub thread_cpu: ThreadCpu,
    pub metrics: Metrics,
}

impl Trace {
    /// A table by its name.
    pub fn table(&self, name: &str) -> Option<Table<'_>> {
        let spec = CATALOGUE.iter().find(|spec| spec.name == name)?;
        let columns = match name {
            "events" => self.event_columns(),
            "stacks" => {
                let Stacks { parent, frame, depth, .. } = &self.stacks;
                vec![Column::Row, Column::Id(parent), Column::Id(frame), Column::Id(depth)]
            }
            "frames" => self.frame_columns(),
            "samples" => self.samples.columns(self),
            "threads" => self.threads.columns(self),
            "gc" => self.gc.columns(self),
            "pauses" => self.pauses.columns(self),
            "allocations" => self.allocations.columns(self),
            "exceptions" => self.exceptions.columns(self),
            "contention" => self.contention.columns(self),
            "waits" => self.waits.columns(self),
            "threadpool" => self.threadpool.columns(self),
            "jit" => self.jit.columns(self),
            "counters" => self.counters.columns(self),
            "requests" => self.requests.columns(self),
            "spans" => self.spans.columns(self),
            "logs" => self.logs.columns(self),
            "loss" => self.loss.columns(self),
            "coverage" => self.coverage.columns(self),
            "host" => self.host.columns(self),
            "thread_cpu" => self.thread_cpu.columns(self),
            "metrics" => self.metrics.columns(self),
            _ => return None,
        };
        let rows = match name {
            "events" => self.events.len(),
            "stacks" => self.stacks.len(),
            "frames" => self.frames.name.len(),
            _ => columns.iter().map(column_len).max().unwrap_or(0),
        };
        Some(Table { spec, rows, columns, ascending: ascending(spec) })
    }

    fn event_columns(&self) -> Vec<Column<'_>> {
        let events = &self.events;
        vec![
            Column::Int(&events.ts_ns),
            Column::TextVia(&events.kind, &events.kind_provider, &self.strings),
            Column::TextVia(&events.kind, &events.kind_name, &self.strings),
            Column::IntVia(&events.kind, &events.kind_id),
            Column::IntVia(&events.kind, &events.kind_version),
            Column::IntVia(&events.thread, &self.thread_ids),
            Column::Id(&events.stack),
            Column::GuidVia(&events.activity, &self.activities),
            Column::Small(&events.stream),
            Column::Computed(events),
        ]
    }

    fn frame_columns(&self) -> Vec<Column<'_>> {
        let Frames { module, declaring_type, method, signature, name, tier } = &self.frames;
        let text = |list| Column::Text(list, &self.strings);
        vec![
            Column::Row,
            text(module),
            text(declaring_type),
            text(method),
            text(signature),
            text(name),
            text(tier),
        ]
    }

    /// The name of a stack's innermost frame.
    pub fn leaf_name(&self, stack: u32) -> Option<&str> {
        let frame = *self.stacks.frame.get(stack as usize)?;
        self.strings.get(*self.frames.name.get(frame as usize)?)
    }

    /// Bytes that all tables take: what a recording costs in memory once it is read.
    pub fn size_bytes(&self) -> usize {
        let Self {
            gc, pauses, allocations, exceptions, contention, waits, threadpool, jit, counters, ..
        } = self;
        let rows = [
            self.samples.size_bytes(),
            self.threads.size_bytes(),
            gc.size_bytes(),
            pauses.size_bytes(),
            allocations.size_bytes(),
            exceptions.size_bytes(),
            contention.size_bytes(),
            waits.size_bytes(),
            threadpool.size_bytes(),
            jit.size_bytes(),
            counters.size_bytes(),
            self.requests.size_bytes(),
            self.request_marks.size_bytes(),
            self.spans.size_bytes(),
            self.logs.size_bytes(),
            self.loss.size_bytes(),
            self.host.size_bytes(),
            self.coverage.size_bytes(),
            self.thread_cpu.size_bytes(),
            self.metrics.size_bytes(),
        ];
        let frames = self.frames.name.len() * size_of::<Frame>();
        let stacks = self.stacks.len() * 3 * size_of::<u32>();
        let activities = size_of_val(self.activities.as_slice());
        rows.iter().sum::<usize>()
            + frames
            + stacks
            + activities
            + self.events.size_bytes()
            + self.strings.bytes()
    }

    /// A figure of `metrics`.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let sym = self.strings.find(name)?;
        let at = self.metrics.name.iter().position(|name| *name == sym)?;
        self.metrics.value.get(at).copied().filter(|value| !value.is_nan())
    }
}

/// Tables whose first column is a time are kept in its order.
fn ascending(spec: &TableSpec) -> &'static [usize] {
    match (spec.name, spec.columns.first().map(|column| column.name)) {
        ("stacks" | "frames", _) | (_, Some("ts_ns" | "start_ns")) => &[0],
        _ => &[],
    }
}

fn column_len(column: &Column<'_>) -> usize {
    match column {
        Column::Int(list) => list.len(),
        Column::Id(list) | Column::IntVia(list, _) | Column::TextVia(list, ..) | Column::GuidVia(list, _) => {
            list.len()
        }
        Column::Small(list) => list.len(),
        Column::Real(list) => list.len(),
        Column::Text(list, _) => list.len(),
        Column::Guid(list) => list.len(),
        Column::Row | Column::Computed(_) => 0,
    }
}

/// An integer that may be missing, as a column keeps it.
pub fn or_none(value: Option<i64>) -> i64 {
    value.unwrap_or(NO_INT)
}
