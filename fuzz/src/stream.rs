//! A well-formed stream of version 6 made of any input: its events are of kinds that the tables are made of.
//!
//! The input is a list of instructions. Payloads mostly follow their layouts, with numbers and texts that mean something
//! to the reader; some are cut short and some are bytes of the input as they stand.

use crate::input::Input;
use clr::layout::{Field, Kind, Layout};
use std::sync::{Arc, OnceLock};

/// A longer stream shows nothing that a short one does not.
const MAX_BYTES: usize = 1 << 20;
/// Threads, and stacks of a block.
const NUMBERS: u8 = 4;

/// Texts that some table takes apart or looks for.
const TEXTS: [&str; 28] = [
    "",
    "a",
    "Id",
    "ParentId",
    "Duration",
    "Tags",
    "DisplayName",
    "CommittedUsage",
    "Microsoft.AspNetCore.Hosting.HttpRequestIn",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "00:00:00.0032748",
    "-9223372036854775808.99999999999:0:0.é",
    "106751991.02:48:05.4775807",
    "[http.route, /a],[http.response.status_code, 200]",
    "[",
    "0.5=1.5;0.95=1e308;1e308=NaN;=",
    "a=1,pool=Host=db;Port=5,x,,",
    "1.5",
    "-1e308",
    "inf",
    "System.Threading.Monitor",
    "Wait",
    "System.Threading.TimerQueue",
    "TimerThread",
    "/usr/bin/İstanbul.NI.DLL",
    "void (int)",
    "cpu-usage",
    "Sum",
];

/// A kind of event as the stream tells of it.
#[derive(Debug)]
struct EventKind {
    provider: &'static str,
    id: u32,
    version: u8,
    name: &'static str,
    layout: Arc<Layout>,
    /// Whether the stream describes the fields.
    described: bool,
}

/// Events of the runtime that feed a table.
const RUNTIME: [u32; 31] = [
    1, 2, 3, 4, 8, 9, 10, 13, 29, 35, 39, 50, 51, 54, 55, 57, 80, 81, 91, 143, 144, 145, 152, 153, 187, 204, 283,
    301, 302, 303, 16,
];

fn kinds() -> &'static [EventKind] {
    static KINDS: OnceLock<Vec<EventKind>> = OnceLock::new();
    KINDS.get_or_init(|| {
        let mut kinds = Vec::new();
        let mut native = |provider, ids: &[u32]| {
            for (id, version) in ids.iter().flat_map(|id| [0, 1, 2, 4].map(|version| (*id, version))) {
                let known = clr::schema::runtime_event(provider, id, version);
                let layout = known.map(|event| event.layout).unwrap_or_default();
                kinds.push(EventKind { provider, id, version, name: "", layout, described: false });
            }
        };
        native("Microsoft-Windows-DotNETRuntime", &RUNTIME);
        native("Microsoft-Windows-DotNETRuntimeRundown", &[143, 144, 153, 187]);
        native("Microsoft-DotNETCore-SampleProfiler", &[0]);
        native("Microsoft-DotNETCore-EventPipe", &[1]);
        native("Universal.System", &[0, 1, 2, 3, 4, 5]);
        kinds.extend(described_kinds());
        kinds
    })
}

fn described_kinds() -> Vec<EventKind> {
    const METRICS: &str = "System.Diagnostics.Metrics";
    const HOSTING: &str = "Microsoft.AspNetCore.Hosting";
    const LOGGING: &str = "Microsoft-Extensions-Logging";
    const DIAGNOSTICS: &str = "Microsoft-Diagnostics-DiagnosticSource";
    let field = |name: &str, kind| Field { name: name.to_owned(), kind };
    let texts = |names: &str| names.split(' ').map(|name| field(name, Kind::Utf16Z)).collect::<Vec<_>>();
    let mut counter = texts("Name DisplayUnits CounterType");
    counter.extend(["Mean", "Increment"].map(|name| field(name, Kind::F64)));
    counter.push(field("IntervalSec", Kind::F32));
    let counters = vec![field("Payload", Kind::Object(counter))];
    let log = [vec![field("Level", Kind::I32)], texts("LoggerName ActivityTraceId FormattedMessage")].concat();
    let metric = texts("sessionId meterName meterVersion instrumentName unit tags rate value");
    let gauge = texts("sessionId meterName instrumentName unit tags lastValue");
    let histogram = texts("meterName instrumentName unit tags quantiles count sum");
    let list = [
        ("System.Runtime", 7, "EventCounters", counters),
        (METRICS, 4, "CounterRateValuePublished", metric.clone()),
        (METRICS, 16, "UpDownCounterRateValuePublished", metric),
        (METRICS, 5, "GaugeValuePublished", gauge),
        (METRICS, 6, "HistogramValuePublished", histogram),
        (HOSTING, 3, "RequestStart", texts("method path")),
        (HOSTING, 4, "RequestStop", Vec::new()),
        (LOGGING, 1, "FormattedMessage", log),
        (DIAGNOSTICS, 5, "Activity1Stop", Vec::new()),
        ("Universal.Events", 1, "cpu", vec![field("Value", Kind::VarUInt)]),
        ("Universal.Events", 2, "cswitch", vec![field("Value", Kind::VarUInt)]),
        ("Any", 1, "Thing", texts("Name")),
    ];
    let kind = |(provider, id, name, fields): (_, u32, _, Vec<Field>)| {
        let described = !fields.is_empty();
        let own = described.then(|| Arc::new(Layout { fields }));
        let layout = own.or_else(|| clr::schema::well_known(provider, name)).unwrap_or_default();
        EventKind { provider, id, version: 0, name, layout, described }
    };
    list.into_iter().map(kind).collect()
}

/// A recording made of the input.
pub fn from_input(bytes: &[u8]) -> Vec<u8> {
    let mut input = Input::new(bytes);
    let mut stream = Stream::default();
    stream.begin(&mut input);
    while !input.is_empty() && stream.bytes.len() < MAX_BYTES {
        match input.byte() {
            0 => stream.sequence_point(&mut input),
            1 => {
                stream.block(0, &[]);
                stream.begin(&mut input);
            }
            2..16 => stream.stacks(&mut input),
            16..20 => stream.labels(&mut input),
            20 => stream.threads(),
            count => stream.events(usize::from(count % 16), &mut input),
        }
    }
    if bytes.len() % 2 == 0 {
        stream.block(0, &[]);
    }
    stream.bytes
}

#[derive(Debug, Default)]
struct Stream {
    bytes: Vec<u8>,
    of_several: bool,
    pointer_size: u8,
}

impl Stream {
    fn block(&mut self, kind: u8, payload: &[u8]) {
        let word = (payload.len() as u32 & 0x00ff_ffff) | u32::from(kind) << 24;
        self.bytes.extend(word.to_le_bytes());
        self.bytes.extend(payload);
    }

    fn begin(&mut self, input: &mut Input<'_>) {
        let how = input.byte();
        self.pointer_size = if how & 1 == 0 { 8 } else { 4 };
        let ticks_per_second: i64 = [1_000_000_000, 10_000_000, 1, i64::MAX][usize::from(how >> 1) % 4];
        let sync_ticks = if how & 8 == 0 { 1000 } else { number(input).cast_signed() };
        self.bytes.extend(b"Nettrace\0\0\0\0\x06\0\0\0\0\0\0\0");
        let mut header = Vec::new();
        let second = u16::from(input.byte());
        for part in [2026u16, 7, 3, 1, 12, 30, second, 500] {
            header.extend(part.to_le_bytes());
        }
        header.extend(sync_ticks.to_le_bytes());
        header.extend(ticks_per_second.to_le_bytes());
        header.extend(u32::from(self.pointer_size).to_le_bytes());
        // Where the stream does not say its process, each thread does.
        self.of_several = how & 16 != 0;
        header.extend(1u32.to_le_bytes());
        text8(if self.of_several { "ExpectedCPUSamplingRate" } else { "ProcessId" }, &mut header);
        text8(["1", "2", "1000", "1000000"][usize::from(how >> 5) % 4], &mut header);
        self.block(1, &header);
        self.threads();
        self.metadata();
    }

    fn threads(&mut self) {
        let mut rows = Vec::new();
        for thread in 0..NUMBERS {
            if self.of_several {
                rows.extend([5, 0, thread, 2, thread / 2, 3, thread % 2 + 1]);
            } else {
                rows.extend([3, 0, thread, 3, thread + 1]);
            }
        }
        self.block(6, &rows);
    }

    fn metadata(&mut self) {
        let mut rows = vec![0, 0];
        for (kind, id) in kinds().iter().zip(1u64..) {
            let mut row = Vec::new();
            varint(id, &mut row);
            text8(kind.provider, &mut row);
            varint(u64::from(kind.id), &mut row);
            text8(kind.name, &mut row);
            let fields = if kind.described { kind.layout.fields.as_slice() } else { &[] };
            describe(fields, &mut row);
            row.extend([2, 0, 9, kind.version]);
            rows.extend((row.len() as u16).to_le_bytes());
            rows.extend(row);
        }
        self.block(3, &rows);
    }

    fn stacks(&mut self, input: &mut Input<'_>) {
        let mut block = [1u32.to_le_bytes(), u32::from(NUMBERS).to_le_bytes()].concat();
        for _ in 0..NUMBERS {
            let addresses = input.byte() % 16;
            block.extend((u32::from(addresses) * u32::from(self.pointer_size)).to_le_bytes());
            for _ in 0..addresses {
                let address = (u64::from(input.byte()) * 8).to_le_bytes();
                block.extend(&address[..usize::from(self.pointer_size)]);
            }
        }
        self.block(5, &block);
    }

    fn labels(&mut self, input: &mut Input<'_>) {
        let mut block = [1u32.to_le_bytes(), u32::from(NUMBERS).to_le_bytes()].concat();
        for _ in 0..NUMBERS {
            let (activity, opcode) = (input.byte(), input.byte());
            block.push(1);
            block.extend([activity; 16]);
            match opcode % 4 {
                0 => block.extend([0x80 | 7, opcode >> 2]),
                1 => block.extend([0x80 | 10, opcode >> 2]),
                _ => block.extend([0x80 | 9, 4]),
            }
        }
        self.block(8, &block);
    }

    fn sequence_point(&mut self, input: &mut Input<'_>) {
        let mut block = number(input).to_le_bytes().to_vec();
        block.extend(u32::from(input.byte() & 1).to_le_bytes());
        block.extend(1u32.to_le_bytes());
        varint(u64::from(input.byte() % NUMBERS), &mut block);
        varint(u64::from(input.byte()), &mut block);
        self.block(4, &block);
    }

    fn events(&mut self, count: usize, input: &mut Input<'_>) {
        let mut block = vec![20, 0, 1, 0];
        block.extend([0; 16]);
        for _ in 0..=count {
            let number = usize::from(input.byte()) % kinds().len();
            let how = input.byte();
            let payload = self.payload(&kinds()[number], how, input);
            block.push(0xdf & !(if how & 64 == 0 { 64 } else { 0 }));
            varint(number as u64 + 1, &mut block);
            varint(u64::from(how & 32 != 0), &mut block);
            let thread = u64::from(how & 3);
            varint(thread, &mut block);
            varint(0, &mut block);
            varint(thread, &mut block);
            varint(u64::from(input.byte() % (NUMBERS + 2)), &mut block);
            varint(step(input), &mut block);
            varint(u64::from(input.byte() % (NUMBERS + 1)), &mut block);
            varint(payload.len() as u64, &mut block);
            block.extend(payload);
        }
        self.block(2, &block);
    }

    fn payload(&self, kind: &EventKind, how: u8, input: &mut Input<'_>) -> Vec<u8> {
        let mut payload = Vec::new();
        if how & 12 == 12 {
            let len = usize::from(input.byte());
            return input.take(len).to_vec();
        }
        for field in &kind.layout.fields {
            self.value(&field.kind, input, &mut payload);
        }
        if how & 16 != 0 {
            payload.truncate(usize::from(input.byte()));
        }
        payload
    }

    fn value(&self, kind: &Kind, input: &mut Input<'_>, out: &mut Vec<u8>) {
        let size = match kind {
            Kind::I8 | Kind::U8 | Kind::Bool8 | Kind::Utf8Unit => 1,
            Kind::I16 | Kind::U16 | Kind::Utf16Unit => 2,
            Kind::I32 | Kind::U32 | Kind::F32 | Kind::Bool32 => 4,
            Kind::Pointer => usize::from(self.pointer_size),
            Kind::Guid | Kind::Decimal => 16,
            Kind::Skip(len) => usize::from(*len),
            Kind::Enum(_, of) | Kind::Flags(_, of) => return self.value(of, input, out),
            Kind::Utf16Z => return text16(input, out),
            Kind::Utf8Z => return out.extend([b'x', input.byte() & 0x7f, 0]),
            Kind::VarInt | Kind::VarUInt => return out.push(input.byte() & 0x7f),
            Kind::Object(fields) => {
                return fields.iter().for_each(|field| self.value(&field.kind, input, out));
            }
            Kind::Array(element) => {
                let count = input.byte() % 8;
                out.extend([count, 0]);
                return (0..count).for_each(|_| self.value(element, input, out));
            }
            // As many as a field before it says, which is any number: what there is of them.
            Kind::Counted { element, .. } => {
                return (0..input.byte() % 8).for_each(|_| self.value(element, input, out));
            }
            Kind::Bytes { .. } => {
                let len = usize::from(input.byte() % 64);
                return out.extend(input.take(len));
            }
            _ => 8,
        };
        let bytes = u128::from(number(input)).to_le_bytes();
        out.extend(bytes.iter().chain(&[0; 1 << 8]).take(size));
    }
}

/// Small numbers mostly, and now and then any.
fn number(input: &mut Input<'_>) -> u64 {
    match input.byte() {
        255 => u64::MAX,
        254 => u64::from_le_bytes(std::array::from_fn(|_| input.byte())),
        253 => 1 << 63,
        252 => 2.5f64.to_bits(),
        byte => u64::from(byte),
    }
}

/// Ticks since the event before: a step forward, one back, or one to anywhere.
fn step(input: &mut Input<'_>) -> u64 {
    match input.byte() {
        255 => number(input),
        byte => i64::from(byte).saturating_sub(20).cast_unsigned(),
    }
}

fn text16(input: &mut Input<'_>, out: &mut Vec<u8>) {
    match input.byte() {
        255 => {
            let len = usize::from(input.byte());
            out.extend(input.take(len));
        }
        byte => {
            let text = TEXTS[usize::from(byte) % TEXTS.len()];
            out.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        }
    }
    out.extend([0, 0]);
}

fn text8(text: &str, out: &mut Vec<u8>) {
    varint(text.len() as u64, out);
    out.extend(text.as_bytes());
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The fields as metadata of version 6 describes them.
fn describe(fields: &[Field], out: &mut Vec<u8>) {
    out.extend((fields.len() as u16).to_le_bytes());
    for field in fields {
        let mut row = Vec::new();
        text8(&field.name, &mut row);
        match &field.kind {
            Kind::Object(inner) => {
                row.push(1);
                describe(inner, &mut row);
            }
            Kind::I32 => row.push(9),
            Kind::F32 => row.push(13),
            Kind::F64 => row.push(14),
            Kind::VarUInt => row.push(21),
            _ => row.push(18),
        }
        out.extend((row.len() as u16).to_le_bytes());
        out.extend(row);
    }
}
