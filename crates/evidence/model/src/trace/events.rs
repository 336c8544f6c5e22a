//! The table of all events, also of those that nobody decodes further.
//!
//! What kinds of events share (provider, name, number) is kept once a kind. Payloads are kept as they lie in the
//! file, where the reader was asked to, and become JSON only when a row's `fields` are asked for.

use crate::column::{Column, ComputedColumn, Ids};
use crate::ids::{ActivityId, ByKind, KindId, StackId, ThreadId};
use crate::strings::Sym;
use crate::tables::{Shared, TableRows, TableSpec, order_of, permute, renamed, spec};

/// What all events of a kind share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventKind {
    /// Who sends it.
    pub provider: Sym,
    /// Its name as TraceEvent writes it.
    pub name: Sym,
    /// Its number within the provider.
    pub id: i64,
    /// Version of its fields.
    pub version: i64,
}

/// Decodes payloads.
pub trait Fields: Send + Sync {
    /// The fields of a payload as JSON; `stream` tells how long an address is.
    fn json(&self, kind: KindId, stream: u16, payload: &[u8]) -> String;
}

/// All events, in the order of time. What `S` is, `table!` says.
pub struct Events<S = StackId> {
    /// Nanoseconds since the session's start.
    pub ts_ns: Vec<i64>,
    /// The kind.
    pub kind: Vec<KindId>,
    /// The thread.
    pub thread: Vec<ThreadId>,
    /// The stack; none where none was taken.
    pub stack: Vec<Option<S>>,
    /// The activity; none if the event is of none.
    pub activity: Vec<Option<ActivityId>>,
    /// The stream it was in; 0 is the main session.
    pub stream: Vec<u16>,
    /// The kinds' providers.
    pub kind_provider: ByKind<Sym>,
    /// The kinds' names.
    pub kind_name: ByKind<Sym>,
    /// The kinds' numbers.
    pub kind_id: ByKind<i64>,
    /// The kinds' versions.
    pub kind_version: ByKind<i64>,
    /// Where each payload lies in `payload_bytes`, and its length; empty where payloads are not kept.
    pub payload: Vec<(u64, u32)>,
    /// The payloads.
    pub payload_bytes: Vec<u8>,
    /// Decodes them.
    pub decoder: Option<Box<dyn Fields>>,
}

impl<S> Default for Events<S> {
    fn default() -> Self {
        Self {
            ts_ns: Vec::new(),
            kind: Vec::new(),
            thread: Vec::new(),
            stack: Vec::new(),
            activity: Vec::new(),
            stream: Vec::new(),
            kind_provider: ByKind::default(),
            kind_name: ByKind::default(),
            kind_id: ByKind::default(),
            kind_version: ByKind::default(),
            payload: Vec::new(),
            payload_bytes: Vec::new(),
            decoder: None,
        }
    }
}

impl<S> std::fmt::Debug for Events<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").field("rows", &self.ts_ns.len()).finish_non_exhaustive()
    }
}

impl<S: Copy> Events<S> {
    /// How many events there are.
    pub fn len(&self) -> usize {
        self.ts_ns.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ts_ns.is_empty()
    }

    /// Adds a kind; returns its id.
    pub fn add_kind(&mut self, kind: EventKind) -> KindId {
        self.kind_provider.push(kind.provider);
        self.kind_name.push(kind.name);
        self.kind_id.push(kind.id);
        self.kind_version.push(kind.version)
    }

    /// The payload of a row, where payloads were kept.
    pub fn payload(&self, row: usize) -> Option<&[u8]> {
        let (start, len) = *self.payload.get(row)?;
        let start = usize::try_from(start).ok()?;
        self.payload_bytes.get(start..start + len as usize)
    }

    /// Brings the rows into the order given: the row numbers, each once.
    fn reorder(&mut self, order: &[u32]) {
        permute(&mut self.ts_ns, order);
        permute(&mut self.kind, order);
        permute(&mut self.thread, order);
        permute(&mut self.stack, order);
        permute(&mut self.activity, order);
        permute(&mut self.stream, order);
        if !self.payload.is_empty() {
            permute(&mut self.payload, order);
        }
    }

    /// Sorts the rows by time; rows of equal time keep their order.
    pub fn sort_by_time(&mut self) {
        if let Some(order) = order_of(&self.ts_ns) {
            self.reorder(&order);
        }
    }

    /// Bytes that the rows take.
    pub fn size_bytes(&self) -> usize {
        let row = size_of::<i64>() + 4 * size_of::<StackId>() + size_of::<u16>();
        self.len() * row + size_of_val(self.payload.as_slice()) + self.payload_bytes.len()
    }

    /// The same rows, each with the stack that `rename` returns for its stack and its time.
    pub fn rename_stacks<To>(self, rename: impl FnMut(Option<S>, i64) -> Option<To>) -> Events<To> {
        let Self { ts_ns, kind, thread, stack, activity, stream, .. } = self;
        let Self { kind_provider, kind_name, kind_id, kind_version, payload, payload_bytes, decoder, .. } =
            self;
        Events {
            stack: renamed(stack, &ts_ns, rename),
            ts_ns,
            kind,
            thread,
            activity,
            stream,
            kind_provider,
            kind_name,
            kind_id,
            kind_version,
            payload,
            payload_bytes,
            decoder,
        }
    }
}

impl Events {
    /// The catalogue's entry.
    pub const SPEC: TableSpec = spec! { "events",
        "Every event of the recording, also those that no other table is made of.";
        ts_ns time "ns" "When, since the session's start"
        provider text "" "Who sent it"
        name text "" "Its name as TraceEvent writes it: GC/Start"
        id int "" "Its number within the provider"
        version int "" "Version of its fields"
        thread int "" "The thread it is of"
        stack stack "" "Its stack, a row of stacks"
        activity text "" "Its activity id; null when zero"
        stream int "" "The stream it was in; 0 is the main session"
        fields text "" "Its fields, as a JSON object";
        process of thread
    };
}

impl TableRows for Events {
    fn spec(&self) -> &'static TableSpec {
        &Self::SPEC
    }

    fn rows(&self) -> usize {
        self.len()
    }

    fn columns<'a>(&'a self, shared: Shared<'a>) -> Vec<Column<'a>> {
        let (kind, thread) = (Ids::Kind(&self.kind), Ids::Thread(&self.thread));
        vec![
            Column::Int(&self.ts_ns),
            Column::TextVia(kind, &self.kind_provider, shared.strings),
            Column::TextVia(kind, &self.kind_name, shared.strings),
            Column::IntVia(kind, &self.kind_id),
            Column::IntVia(kind, &self.kind_version),
            Column::IntVia(thread, shared.thread_ids),
            Column::Id(Ids::Stack(&self.stack)),
            Column::GuidVia(Ids::Activity(&self.activity), shared.activities),
            Column::Small(&self.stream),
            Column::Computed(self),
            Column::IntVia(thread, shared.thread_processes),
        ]
    }

    fn size_bytes(&self) -> usize {
        self.size_bytes()
    }

    fn ascending(&self) -> Option<usize> {
        Some(0)
    }

    fn sort_by_time(&mut self) {
        self.sort_by_time();
    }
}

impl ComputedColumn for Events {
    fn text(&self, row: usize) -> Option<String> {
        let decoder = self.decoder.as_ref()?;
        Some(decoder.json(*self.kind.get(row)?, *self.stream.get(row)?, self.payload(row)?))
    }
}
