//! The table of all events, also of those that nobody decodes further.
//!
//! What kinds of events share (provider, name, number) is kept once a kind. Payloads are kept as they lie in the
//! file, where the reader was asked to, and become JSON only when a row's `fields` are asked for.

use crate::column::{Column, ComputedColumn};
use crate::strings::Sym;
use crate::tables::{Shared, TableRows, TableSpec, order_of, permute, spec};

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
    fn json(&self, kind: u32, stream: u16, payload: &[u8]) -> String;
}

/// All events, in the order of time.
#[derive(Default)]
pub struct Events {
    /// Nanoseconds since the session's start.
    pub ts_ns: Vec<i64>,
    /// Number of the kind.
    pub kind: Vec<u32>,
    /// Number of the thread, see `Trace::thread_ids`.
    pub thread: Vec<u32>,
    /// The stack; none where none was taken.
    pub stack: Vec<u32>,
    /// Number of the activity, see `Trace::activities`.
    pub activity: Vec<u32>,
    /// The stream it was in; 0 is the main session.
    pub stream: Vec<u16>,
    /// The kinds' providers.
    pub kind_provider: Vec<Sym>,
    /// The kinds' names.
    pub kind_name: Vec<Sym>,
    /// The kinds' numbers.
    pub kind_id: Vec<i64>,
    /// The kinds' versions.
    pub kind_version: Vec<i64>,
    /// Where each payload lies in `payload_bytes`, and its length; empty where payloads are not kept.
    pub payload: Vec<(u64, u32)>,
    /// The payloads.
    pub payload_bytes: Vec<u8>,
    /// Decodes them.
    pub decoder: Option<Box<dyn Fields>>,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").field("rows", &self.ts_ns.len()).finish_non_exhaustive()
    }
}

impl Events {
    /// How many events there are.
    pub fn len(&self) -> usize {
        self.ts_ns.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ts_ns.is_empty()
    }

    /// Adds a kind; gives its number.
    pub fn add_kind(&mut self, kind: EventKind) -> u32 {
        let number = u32::try_from(self.kind_id.len()).unwrap_or(u32::MAX);
        self.kind_provider.push(kind.provider);
        self.kind_name.push(kind.name);
        self.kind_id.push(kind.id);
        self.kind_version.push(kind.version);
        number
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
        vec![
            Column::Int(&self.ts_ns),
            Column::TextVia(&self.kind, &self.kind_provider, shared.strings),
            Column::TextVia(&self.kind, &self.kind_name, shared.strings),
            Column::IntVia(&self.kind, &self.kind_id),
            Column::IntVia(&self.kind, &self.kind_version),
            Column::IntVia(&self.thread, shared.thread_ids),
            Column::Id(&self.stack),
            Column::GuidVia(&self.activity, shared.activities),
            Column::Small(&self.stream),
            Column::Computed(self),
            Column::IntVia(&self.thread, shared.thread_processes),
        ]
    }

    fn size_bytes(&self) -> usize {
        let row = size_of::<i64>() + 4 * size_of::<u32>() + size_of::<u16>();
        self.len() * row + size_of_val(self.payload.as_slice()) + self.payload_bytes.len()
    }

    fn ascending(&self) -> Option<usize> {
        Some(0)
    }

    fn sort_by_time(&mut self) {
        if let Some(order) = order_of(&self.ts_ns) {
            self.reorder(&order);
        }
    }

    fn take_stacks(&mut self) -> Option<(Vec<u32>, Vec<i64>)> {
        Some((std::mem::take(&mut self.stack), std::mem::take(&mut self.ts_ns)))
    }

    fn put_stacks(&mut self, stacks: Vec<u32>, times: Vec<i64>) {
        (self.stack, self.ts_ns) = (stacks, times);
    }
}

impl ComputedColumn for Events {
    fn text(&self, row: usize) -> Option<String> {
        let decoder = self.decoder.as_ref()?;
        Some(decoder.json(*self.kind.get(row)?, *self.stream.get(row)?, self.payload(row)?))
    }
}
