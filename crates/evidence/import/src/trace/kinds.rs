//! Kinds of events: what each is called, how its fields are decoded, and which table it feeds.
//!
//! This is found out once for each kind (see `kindtable`); its events then refer to it by number.

use base::seeded::SeededMap;
use clr::layout::{Field, Kind as FieldKind, Layout};
use clr::payload::{Payload, damaged};
use clr::schema;
use clr::whole::{Starts, Whole};
use model::{ByKind, Fields, KindId};
use nettrace::{FieldType, Metadata};
use std::sync::Arc;

/// Bytes of a name that are kept: events repeat names that a file gives once, joined with others.
pub(crate) const MAX_NAME: usize = 1024;

/// The runtime's own provider.
pub(crate) const RUNTIME: &str = "Microsoft-Windows-DotNETRuntime";
/// The provider of what was there before the session, sent at its end.
pub(crate) const RUNDOWN: &str = "Microsoft-Windows-DotNETRuntimeRundown";

/// The runtime's sampler of threads.
const SAMPLER: &str = "Microsoft-DotNETCore-SampleProfiler";

/// The provider of `dotnet-trace collect-linux` for the memory of processes.
const SYSTEM: &str = "Universal.System";
/// Its provider of samples.
const UNIVERSAL_EVENTS: &str = "Universal.Events";
/// The event that is a sample of a CPU. Its number differs from file to file.
const CPU_SAMPLE: &str = "cpu";

/// The provider of what meters measure.
const METRICS: &str = "System.Diagnostics.Metrics";

/// Which part takes an event, and as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handler {
    None,
    Sample,
    /// What a CPU ran.
    CpuSample,
    /// The memory of a process: what is mapped there, and the names of its code.
    Space,
    Gc(GcEvent),
    Row(RowEvent),
    Pair(PairEvent),
    Code(CodeEvent),
    Process(ProcessEvent),
    Counter(CounterEvent),
    Request(RequestEvent),
    Finalizer,
    TieringThread,
}

impl Handler {
    /// Whether it names what was there already, instead of reporting that something happened: a repetition adds nothing.
    pub(crate) fn is_name(self) -> bool {
        use CodeEvent::{MethodEntry, MethodRundown, Module};
        matches!(self, Self::Space | Self::Code(MethodRundown | MethodEntry | Module))
    }

    /// Whether it is about the process as a whole.
    pub(crate) fn is_of_process(self) -> bool {
        matches!(self, Self::Process(_))
    }
}

/// An event that is a row of a table by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowEvent {
    AllocationTick,
    AllocationSampled,
    Exception,
    Pool(PoolEvent),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PoolEvent {
    Adjustment,
    Sample,
    Start,
    Stop,
    Wait,
}

/// The start or the end of a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PairEvent {
    ContentionStart,
    ContentionStop,
    WaitStart,
    WaitStop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CodeEvent {
    JitStart,
    MethodLoad,
    MethodUnload,
    MethodRundown,
    MethodEntry,
    Module,
    ModuleUnload,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProcessEvent {
    RuntimeStart,
    GcSettings,
    Info,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CounterEvent {
    /// A value of an event source's counter.
    Published,
    /// A value of a meter's instrument.
    Metric(MetricEvent),
    /// What an instrument is, before its values.
    MetricBegin,
    /// What the source of the metrics could not do, by the number of its event.
    MetricTrouble(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestEvent {
    Start,
    Stop,
    Span,
    SpanStart,
    Log,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GcEvent {
    Start,
    Stop,
    Triggered,
    HeapStats,
    PerHeapHistory,
    SuspendStart,
    SuspendStop,
    RestartStop,
    Dynamic,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MetricEvent {
    Rate,
    /// Published with the fields of a rate, under a number of its own.
    UpDown,
    Gauge,
    Histogram,
}

/// The part that takes an event, by its provider and number (or name, where numbers differ between versions).
fn handler(provider: &str, id: u32, name: &str) -> Handler {
    match (provider, id) {
        (RUNTIME, _) => runtime_handler(id),
        (RUNDOWN, 143 | 144) => Handler::Code(CodeEvent::MethodRundown),
        (RUNDOWN, 153 | 154) => Handler::Code(CodeEvent::Module),
        (RUNDOWN, 187) => Handler::Process(ProcessEvent::RuntimeStart),
        (RUNDOWN, 10) => Handler::Process(ProcessEvent::GcSettings),
        (SAMPLER, 0) => Handler::Sample,
        // A context switch (`cswitch`) is not a sample: its thread does not run.
        (UNIVERSAL_EVENTS, _) if name == CPU_SAMPLE => Handler::CpuSample,
        (SYSTEM, _) => Handler::Space,
        ("Microsoft-DotNETCore-EventPipe", 1) => Handler::Process(ProcessEvent::Info),
        (METRICS, 4) => Handler::Counter(CounterEvent::Metric(MetricEvent::Rate)),
        (METRICS, 16) => Handler::Counter(CounterEvent::Metric(MetricEvent::UpDown)),
        (METRICS, 7) => Handler::Counter(CounterEvent::MetricBegin),
        (METRICS, 9 | 12..=15 | 17) => Handler::Counter(CounterEvent::MetricTrouble(id)),
        (METRICS, 5) => Handler::Counter(CounterEvent::Metric(MetricEvent::Gauge)),
        (METRICS, 6) => Handler::Counter(CounterEvent::Metric(MetricEvent::Histogram)),
        ("Microsoft.AspNetCore.Hosting", 3) => Handler::Request(RequestEvent::Start),
        ("Microsoft.AspNetCore.Hosting", 4) => Handler::Request(RequestEvent::Stop),
        ("Microsoft-Diagnostics-DiagnosticSource", _)
            if name.ends_with("Activity1Stop")
                || name.ends_with("Activity2Stop")
                || name == "ActivityStop" =>
        {
            Handler::Request(RequestEvent::Span)
        }
        ("Microsoft-Diagnostics-DiagnosticSource", _)
            if name.ends_with("Activity1Start")
                || name.ends_with("Activity2Start")
                || name == "ActivityStart" =>
        {
            Handler::Request(RequestEvent::SpanStart)
        }
        ("Microsoft-Extensions-Logging", _) if name == "FormattedMessage" => {
            Handler::Request(RequestEvent::Log)
        }
        _ if name == "EventCounters" => Handler::Counter(CounterEvent::Published),
        _ => Handler::None,
    }
}

fn runtime_handler(id: u32) -> Handler {
    match id {
        1 => Handler::Gc(GcEvent::Start),
        2 => Handler::Gc(GcEvent::Stop),
        3 => Handler::Gc(GcEvent::RestartStop),
        4 => Handler::Gc(GcEvent::HeapStats),
        8 => Handler::Gc(GcEvent::SuspendStop),
        9 => Handler::Gc(GcEvent::SuspendStart),
        10 => Handler::Row(RowEvent::AllocationTick),
        13 | 14 | 29 => Handler::Finalizer,
        35 => Handler::Gc(GcEvent::Triggered),
        39 => Handler::Gc(GcEvent::Dynamic),
        50 => Handler::Row(RowEvent::Pool(PoolEvent::Start)),
        51 => Handler::Row(RowEvent::Pool(PoolEvent::Stop)),
        54 => Handler::Row(RowEvent::Pool(PoolEvent::Sample)),
        55 => Handler::Row(RowEvent::Pool(PoolEvent::Adjustment)),
        57 => Handler::Row(RowEvent::Pool(PoolEvent::Wait)),
        80 => Handler::Row(RowEvent::Exception),
        81 => Handler::Pair(PairEvent::ContentionStart),
        91 => Handler::Pair(PairEvent::ContentionStop),
        143 => Handler::Code(CodeEvent::MethodLoad),
        144 => Handler::Code(CodeEvent::MethodUnload),
        145 => Handler::Code(CodeEvent::JitStart),
        152 => Handler::Code(CodeEvent::Module),
        153 => Handler::Code(CodeEvent::ModuleUnload),
        159 => Handler::Code(CodeEvent::MethodEntry),
        187 => Handler::Process(ProcessEvent::RuntimeStart),
        204 => Handler::Gc(GcEvent::PerHeapHistory),
        283 | 284 => Handler::TieringThread,
        301 => Handler::Pair(PairEvent::WaitStart),
        302 => Handler::Pair(PairEvent::WaitStop),
        303 => Handler::Row(RowEvent::AllocationSampled),
        _ => Handler::None,
    }
}

/// Whether an event is a sample, by the name of its kind.
pub(crate) fn is_sample(metadata: &Metadata) -> bool {
    match metadata.provider.as_str() {
        UNIVERSAL_EVENTS => metadata.name == CPU_SAMPLE,
        SAMPLER => metadata.event_id == 0,
        _ => false,
    }
}

/// Whether an event is about the memory of a process.
pub(crate) fn is_of_space(metadata: &Metadata) -> bool {
    metadata.provider == SYSTEM
}

/// The name as far as it is kept.
pub(crate) fn shortened(name: &str) -> &str {
    name.get(..name.floor_char_boundary(MAX_NAME)).unwrap_or_default()
}

/// Layouts that metadata describes, by the decoder's number of the kind: what a label alone sets apart shares one.
pub(crate) type Layouts = SeededMap<u32, Arc<Layout>>;

/// A kind of event, looked up.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) handler: Handler,
    /// Its name as TraceEvent writes it.
    pub(crate) name: String,
    pub(crate) layout: Arc<Layout>,
    /// How its payloads are walked over.
    whole: Whole,
    /// Sent when the session ends, about what was there before: no part of what was observed.
    pub(crate) rundown: bool,
    /// What an event of it costs beside its bytes, in steps: its fields are gone over for each name that is looked for.
    pub(crate) steps: u64,
}

/// A kind of so many fields costs no more than its bytes do.
const FEW_FIELDS: usize = 48;

impl Kind {
    pub(crate) fn new(
        metadata: &Metadata,
        version: Option<u8>,
        opcode: Option<u8>,
        layouts: &mut Layouts,
    ) -> Self {
        let (provider, id) = (metadata.provider.as_str(), metadata.event_id);
        let version = version.unwrap_or(metadata.version);
        let handler = handler(provider, id, &metadata.name);
        let rundown = provider == RUNDOWN || handler == Handler::Process(ProcessEvent::Info);
        let mut described = || {
            let known = layouts.entry(metadata.index);
            Arc::clone(known.or_insert_with(|| Arc::new(layout(&metadata.fields))))
        };
        if let Some(event) = schema::runtime_event(provider, id, version) {
            // Some of these providers' events describe themselves as well; what they say is then as good.
            let own = !metadata.fields.is_empty() && event.layout.fields.is_empty();
            let layout = if own { described() } else { event.layout };
            return Self::of(handler, event.name.to_owned(), layout, rundown);
        }
        let name = clr::name::display_name(shortened(&metadata.name), id, metadata.opcode, opcode);
        let layout = if metadata.fields.is_empty() {
            schema::well_known(provider, &metadata.name).unwrap_or_default()
        } else {
            described()
        };
        Self::of(handler, name, layout, rundown)
    }

    fn of(handler: Handler, name: String, layout: Arc<Layout>, rundown: bool) -> Self {
        let fields = layout.fields.len().saturating_sub(FEW_FIELDS);
        // A table's row looks for some ten names.
        let steps = (fields as u64).saturating_mul(8);
        Self { handler, name, whole: Whole::new(&layout), layout, rundown, steps }
    }

    /// The fields of one payload.
    #[inline]
    pub(crate) fn fields<'a>(
        &'a self,
        payload: &'a [u8],
        pointer_size: u8,
        starts: &'a mut Starts,
    ) -> Payload<'a> {
        Payload::walked(&self.layout, &self.whole, payload, pointer_size, starts)
    }
}

/// Fields as the metadata gives them, in the decoder's words.
fn layout(fields: &[nettrace::Field]) -> Layout {
    Layout { fields: fields.iter().map(field).collect() }
}

fn field(field: &nettrace::Field) -> Field {
    Field { name: field.name.clone(), kind: kind(&field.kind) }
}

fn kind(field_type: &FieldType) -> FieldKind {
    match field_type {
        FieldType::Bool32 => FieldKind::Bool32,
        FieldType::Bool8 => FieldKind::Bool8,
        FieldType::Utf16Unit => FieldKind::Utf16Unit,
        FieldType::Utf8Unit => FieldKind::Utf8Unit,
        FieldType::I8 => FieldKind::I8,
        FieldType::U8 => FieldKind::U8,
        FieldType::I16 => FieldKind::I16,
        FieldType::U16 => FieldKind::U16,
        FieldType::I32 => FieldKind::I32,
        FieldType::U32 => FieldKind::U32,
        FieldType::I64 => FieldKind::I64,
        FieldType::U64 => FieldKind::U64,
        FieldType::F32 => FieldKind::F32,
        FieldType::F64 => FieldKind::F64,
        FieldType::Decimal => FieldKind::Decimal,
        FieldType::DateTime => FieldKind::DateTime,
        FieldType::Guid => FieldKind::Guid,
        FieldType::Utf16Z => FieldKind::Utf16Z,
        FieldType::Object(fields) => FieldKind::Object(fields.iter().map(field).collect()),
        FieldType::Array(element) => FieldKind::Array(Box::new(kind(element))),
        FieldType::FixedArray(element, count) => FieldKind::FixedArray(Box::new(kind(element)), *count),
        FieldType::VarInt => FieldKind::VarInt,
        FieldType::VarUInt => FieldKind::VarUInt,
        FieldType::RelLoc(element) => FieldKind::RelLoc(Box::new(kind(element))),
        FieldType::DataLoc(element) => FieldKind::DataLoc(Box::new(kind(element))),
    }
}

/// How the payloads of a row's kind are decoded for `events.fields`.
#[derive(Debug, Clone)]
pub(crate) enum Decoding {
    /// By its layout.
    Plain(Arc<Layout>),
    /// A GC/DynamicTraceEvent of a known name: the blob in its field `Data`.
    Dynamic(Arc<Layout>, Arc<Layout>),
}

impl Decoding {
    /// About how many bytes it takes.
    pub(crate) fn kept_bytes(&self) -> usize {
        match self {
            Self::Plain(layout) => layout.kept_bytes(),
            // Both are shared with others: the schemas are the program's own.
            Self::Dynamic(..) => 0,
        }
    }

    /// The fields that are shown of a payload, and the bytes that they lie in.
    fn part<'a>(&'a self, payload: &'a [u8], pointer_size: u8) -> (&'a Layout, &'a [u8]) {
        match self {
            Self::Plain(layout) => (layout, payload),
            Self::Dynamic(outer, inner) => match Payload::new(outer, payload, pointer_size).raw("Data") {
                Some(blob) => (inner, blob),
                None => (outer, payload),
            },
        }
    }
}

/// Decodes payloads by the number of the kind.
#[derive(Debug, Default)]
pub(crate) struct PayloadDecoder {
    kinds: ByKind<Decoding>,
    pub(crate) pointer_sizes: Vec<u8>,
}

impl PayloadDecoder {
    pub(crate) fn push(&mut self, decoding: Decoding) {
        self.kinds.push(decoding);
    }

    pub(crate) fn get(&self, kind: KindId) -> Option<&Decoding> {
        self.kinds.get(kind)
    }

    /// Whether a field of a payload cannot be read: then its JSON says so too.
    pub(crate) fn is_damaged(&self, kind: KindId, payload: &[u8], pointer_size: u8) -> bool {
        self.get(kind).is_some_and(|decoding| {
            let (layout, bytes) = decoding.part(payload, pointer_size);
            damaged(layout, bytes, pointer_size).is_some()
        })
    }
}

impl Fields for PayloadDecoder {
    fn json(&self, kind: KindId, stream: u16, payload: &[u8]) -> String {
        let pointer_size = self.pointer_sizes.get(usize::from(stream)).copied().unwrap_or(8);
        self.get(kind).map_or_else(
            || String::from("{}"),
            |decoding| {
                let (layout, bytes) = decoding.part(payload, pointer_size);
                clr::json::json(layout, bytes, pointer_size)
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_do_not_multiply_what_a_kind_keeps() {
        let fields = vec![nettrace::Field { name: "a".to_owned(), kind: FieldType::U8 }];
        let name = "n".repeat(60_000);
        let metadata = Metadata { provider: "P".to_owned(), name, fields, ..Metadata::default() };
        let mut layouts = Layouts::default();
        let one = Kind::new(&metadata, None, None, &mut layouts);
        let other = Kind::new(&metadata, Some(3), Some(200), &mut layouts);
        assert!(Arc::ptr_eq(&one.layout, &other.layout));
        assert_eq!(other.name.len(), MAX_NAME + "/Opcode(200)".len());
    }
}
