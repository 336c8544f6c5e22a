//! Events that are a row of a table, alone or in pairs of start and stop.
//!
//! A start waits for its stop by thread. A stop without a start is no row; a start without a stop is a row whose
//! duration is null, given when the recording ends.

use super::budget::{MAP, of};
use super::builder::{Builder, Seen};
use super::counters::{Publication, counter_json};
use super::kinds::Handler;
use super::methods::{ALWAYS, Code, NEVER};
use base::seeded::SeededMap;
use model::{
    AllocationRow, ContentionRow, ExceptionRow, GcSettings, JitRow, NO_ID, NO_INT, Sym, ThreadPoolRow,
    WaitRow, or_none,
};
use std::ops::RangeInclusive;

/// STARTUP_SERVER_GC of the hosting interface's STARTUP_FLAGS.
const SERVER_GC: i64 = 0x1000;
/// Bit of GC/SettingsRundown: a limit was set for the collector.
const GC_LIMIT_SET: i64 = 0x8;
/// Values beyond these cannot be, so that damage wrote them: bytes of an object or allocated between two events, bytes of a
/// method's code, threads of a pool (the runtime counts them in 16 bits), work items that a pool completes in a second.
const MOST_OBJECT_BYTES: i64 = 1 << 40;
const MOST_CODE_BYTES: i64 = 1 << 28;
const MOST_WORKERS: i64 = 32_767;
const MOST_THROUGHPUT: f64 = 1e9;
/// What the runtime measures as a wait may exceed the time between its two events by this.
const WAIT_SLACK_NS: i64 = 100_000_000;
const IMPOSSIBLE: &str = "value that cannot be: left out";
/// The JSON of a counter has so many bytes for each of its payload, and so many besides for the names of its members.
const USUAL_JSON_A_BYTE: usize = 4;
const USUAL_JSON: usize = 512;
/// Steps to write a byte of JSON and to read it again.
const STEPS_A_JSON_BYTE: u64 = 8;
/// The chance of a byte to be sampled, as one in so many.
const SAMPLED_ONE_IN: f64 = 102_400.0;

#[derive(Debug, Clone, Copy)]
struct JitStart {
    ns: i64,
    il_bytes: i64,
    stack: u32,
}

/// Starts that wait for their stop.
#[derive(Debug, Default)]
pub(crate) struct OpenRows {
    contention: SeededMap<u32, Vec<ContentionRow>>,
    waits: SeededMap<u32, Vec<WaitRow>>,
    /// How many of both wait.
    open_starts: usize,
    jit: SeededMap<(u32, i64), JitStart>,
    /// Those of processes that were read before.
    left_open: (Vec<ContentionRow>, Vec<WaitRow>),
    /// Code loaded while recording, to be named when modules are known.
    pub(crate) loads: Vec<(Code, JitRow)>,
}

impl OpenRows {
    /// A new stream: what waits for a stop in the old one waits in vain.
    pub(crate) fn begin_stream(&mut self) {
        self.jit = SeededMap::default();
    }

    /// Another process: what waits for a stop is not ended by it.
    pub(crate) fn begin_process(&mut self) {
        let (contention, waits) = self.unfinished();
        self.left_open.0.extend(contention);
        self.left_open.1.extend(waits);
    }

    /// About how many bytes it takes.
    pub(crate) fn kept_bytes(&self) -> usize {
        let (contention, waits) = (size_of::<ContentionRow>(), size_of::<WaitRow>());
        [
            // A start waits for its stop in its thread's list.
            of(self.open_starts, contention.max(waits)),
            of(self.contention.len().saturating_add(self.waits.len()), MAP * 33 + contention.max(waits)),
            of(self.jit.len(), MAP * (17 + size_of::<JitStart>())),
            // Their rows are made at the end.
            of(self.loads.len(), size_of::<(Code, JitRow)>().saturating_add(size_of::<JitRow>())),
            of(self.left_open.0.len(), contention),
            of(self.left_open.1.len(), waits),
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }

    /// The rows that never got their stop.
    pub(crate) fn unfinished(&mut self) -> (Vec<ContentionRow>, Vec<WaitRow>) {
        let (mut contention, mut waits) = std::mem::take(&mut self.left_open);
        let before = (contention.len(), waits.len());
        contention.extend(std::mem::take(&mut self.contention).into_values().flatten());
        waits.extend(std::mem::take(&mut self.waits).into_values().flatten());
        self.open_starts = 0;
        // Rows of one time would else stand in the order of a map.
        contention.get_mut(before.0..).unwrap_or_default().sort_by_key(|row| (row.ts_ns, row.thread));
        waits.get_mut(before.1..).unwrap_or_default().sort_by_key(|row| (row.ts_ns, row.thread));
        (contention, waits)
    }
}

impl Builder {
    /// Gives an event to the table it feeds.
    pub(crate) fn feed(&mut self, handler: Handler, seen: &Seen<'_>, provider: &str) {
        match handler {
            Handler::Gc(event) => self.gc_event(event, seen),
            Handler::AllocationTick | Handler::AllocationSampled => self.allocation(handler, seen),
            Handler::Exception => self.exception(seen),
            Handler::ContentionStart => self.contention_start(seen),
            Handler::ContentionStop => self.contention_stop(seen),
            Handler::WaitStart => self.wait_start(seen),
            Handler::WaitStop => self.wait_stop(seen),
            Handler::PoolAdjustment => {
                self.pool(seen, "adjustment", "NewWorkerThreadCount", "AverageThroughput");
            }
            Handler::PoolSample => self.pool(seen, "sample", "", "Throughput"),
            Handler::PoolStart => self.pool(seen, "start", "ActiveWorkerThreadCount", ""),
            Handler::PoolStop => self.pool(seen, "stop", "ActiveWorkerThreadCount", ""),
            Handler::PoolWait => self.pool(seen, "wait", "ActiveWorkerThreadCount", ""),
            Handler::JitStart => self.jit_start(seen),
            Handler::MethodLoad => self.method_load(seen),
            Handler::MethodUnload => {
                let code = self.code(seen, ALWAYS, seen.ns);
                self.methods.unload(code);
            }
            Handler::MethodRundown => {
                let code = self.code(seen, ALWAYS, NEVER);
                self.methods.load(code);
            }
            Handler::MethodEntry => self.method_entry(seen),
            Handler::Module => self.module(seen),
            Handler::ModuleUnload => {
                let id = seen.fields.int("ModuleID").unwrap_or(0);
                self.methods.module_unload(id.cast_unsigned());
            }
            Handler::RuntimeStart => self.runtime_start(seen),
            Handler::GcSettings => self.gc_settings(seen),
            Handler::ProcessInfo => self.process_info(seen),
            Handler::EventCounter => {
                if self.spend(0) {
                    let json = counter_json(seen.layout, seen.payload, seen.pointer_size);
                    let usual =
                        seen.payload.len().saturating_mul(USUAL_JSON_A_BYTE).saturating_add(USUAL_JSON);
                    self.spend((json.len().saturating_sub(usual) as u64).saturating_mul(STEPS_A_JSON_BYTE));
                    self.published(seen, Publication::of_event_counter(provider, &json));
                }
            }
            Handler::Metric(event) => {
                let publication = Publication::of_metric(event, &seen.fields, seen.ns, &mut self.counters);
                self.published(seen, Some(publication));
            }
            Handler::MetricBegin => self.counters.announce(&seen.fields),
            Handler::MetricTrouble(id) => self.metric_trouble(id, seen),
            Handler::RequestStart => self.request_start(seen),
            Handler::RequestStop => self.request_stop(seen),
            Handler::Span => self.span(seen),
            Handler::SpanStart => self.span_start(seen),
            Handler::Log => self.log(seen),
            Handler::None
            | Handler::Sample
            | Handler::CpuSample
            | Handler::Space
            | Handler::Finalizer
            | Handler::TieringThread => {}
        }
    }

    fn word(&mut self, seen: &Seen<'_>, name: &str) -> Sym {
        seen.fields.word(name).map_or(Sym::NONE, |word| self.recording.strings.intern(&word))
    }

    pub(crate) fn text(&mut self, seen: &Seen<'_>, name: &str) -> Sym {
        let strings = &mut self.recording.strings;
        match seen.fields.utf16(name) {
            Some(&[]) => strings.intern(""),
            Some(bytes) => self.texts.text(bytes, strings),
            None => seen.fields.text(name).map_or(Sym::NONE, |text| strings.intern(&text)),
        }
    }

    /// An address as its digits; none where it is 0 or missing.
    fn address(&mut self, seen: &Seen<'_>, name: &str) -> Sym {
        match seen.fields.int(name) {
            None | Some(0) => Sym::NONE,
            Some(address) => self.recording.strings.intern(&format!("{:#x}", address.cast_unsigned())),
        }
    }

    fn allocation(&mut self, handler: Handler, seen: &Seen<'_>) {
        let fields = &seen.fields;
        let told = fields.int("ObjectSize").filter(|size| *size != 0);
        let size = told.and_then(|size| self.possible(size, 1..=MOST_OBJECT_BYTES, seen));
        let (source, weight) = if told != size {
            // An object of a size that cannot be stands for nothing.
            (if handler == Handler::AllocationSampled { "sample" } else { "tick" }, f64::NAN)
        } else if handler == Handler::AllocationSampled {
            let size = size.unwrap_or(0) as f64;
            // The chance that an object of this size was sampled at all; it stands for its size by that chance.
            let chance = -((size * (-1.0 / SAMPLED_ONE_IN).ln_1p()).exp_m1());
            ("sample", if chance > 0.0 { size / chance } else { SAMPLED_ONE_IN })
        } else {
            let amount = fields.int("AllocationAmount64").or_else(|| fields.int("AllocationAmount"));
            let amount = amount.and_then(|amount| self.possible(amount, 0..=MOST_OBJECT_BYTES, seen));
            ("tick", amount.map_or(f64::NAN, |amount| amount as f64))
        };
        let row = AllocationRow {
            ts_ns: seen.ns,
            thread: seen.thread,
            class: self.text(seen, "TypeName"),
            kind: self.word(seen, "AllocationKind"),
            bytes: or_none(size),
            source: self.recording.strings.intern(source),
            weight_bytes: weight,
            stack: seen.stack,
        };
        self.recording.allocations.push(row);
    }

    /// A value that can be; any other counts as damage.
    fn possible<T: PartialOrd>(&mut self, value: T, range: RangeInclusive<T>, seen: &Seen<'_>) -> Option<T> {
        if range.contains(&value) {
            return Some(value);
        }
        self.note_damage(IMPOSSIBLE, seen.offset);
        None
    }

    fn exception(&mut self, seen: &Seen<'_>) {
        let row = ExceptionRow {
            ts_ns: seen.ns,
            thread: seen.thread,
            class: self.text(seen, "ExceptionType"),
            message: self.text(seen, "ExceptionMessage"),
            stack: seen.stack,
            activity: seen.activity,
        };
        self.recording.exceptions.push(row);
    }

    fn contention_start(&mut self, seen: &Seen<'_>) {
        let row = ContentionRow {
            ts_ns: seen.ns,
            dur_ns: NO_INT,
            thread: seen.thread,
            owner_thread: or_none(seen.fields.int("LockOwnerThreadID").filter(|id| *id != 0)),
            lock: self.address(seen, "LockID"),
            stack: seen.stack,
        };
        self.rows.open_starts = self.rows.open_starts.saturating_add(1);
        self.rows.contention.entry(seen.thread).or_default().push(row);
    }

    fn contention_stop(&mut self, seen: &Seen<'_>) {
        let Some(row) = self.rows.contention.get_mut(&seen.thread).and_then(Vec::pop) else { return };
        self.rows.open_starts = self.rows.open_starts.saturating_sub(1);
        #[expect(clippy::cast_possible_truncation, reason = "nanoseconds of a wait fit; the cast saturates")]
        let told = seen.fields.real("DurationNs").map(|ns| ns as i64);
        let between = seen.ns.saturating_sub(row.ts_ns);
        let dur_ns = match told {
            None => between,
            // No wait lasts longer than from its first event to its last one.
            Some(ns) => or_none(self.possible(ns, 0..=between.saturating_add(WAIT_SLACK_NS), seen)),
        };
        self.recording.contention.push(ContentionRow { dur_ns, ..row });
    }

    fn wait_start(&mut self, seen: &Seen<'_>) {
        let row = WaitRow {
            ts_ns: seen.ns,
            dur_ns: NO_INT,
            thread: seen.thread,
            source: self.word(seen, "WaitSource"),
            object: self.address(seen, "AssociatedObjectID"),
            stack: seen.stack,
        };
        self.rows.open_starts = self.rows.open_starts.saturating_add(1);
        self.rows.waits.entry(seen.thread).or_default().push(row);
    }

    fn wait_stop(&mut self, seen: &Seen<'_>) {
        let Some(row) = self.rows.waits.get_mut(&seen.thread).and_then(Vec::pop) else { return };
        self.rows.open_starts = self.rows.open_starts.saturating_sub(1);
        self.recording.waits.push(WaitRow { dur_ns: seen.ns.saturating_sub(row.ts_ns), ..row });
    }

    fn pool(&mut self, seen: &Seen<'_>, event: &str, workers: &str, throughput: &str) {
        let reason = self.word(seen, "Reason");
        let workers = seen.fields.int(workers).and_then(|of| self.possible(of, 0..=MOST_WORKERS, seen));
        let throughput = seen.fields.real(throughput);
        let throughput = throughput.and_then(|of| self.possible(of, 0.0..=MOST_THROUGHPUT, seen));
        let row = ThreadPoolRow {
            ts_ns: seen.ns,
            event: self.recording.strings.intern(event),
            reason,
            workers: or_none(workers),
            throughput: throughput.unwrap_or(f64::NAN),
        };
        self.recording.threadpool.push(row);
    }

    fn jit_start(&mut self, seen: &Seen<'_>) {
        let fields = &seen.fields;
        let Some(method) = fields.int("MethodID") else { return };
        let il_bytes = or_none(fields.int("MethodILSize"));
        self.rows.jit.insert((seen.thread, method), JitStart { ns: seen.ns, il_bytes, stack: seen.stack });
    }

    fn method_load(&mut self, seen: &Seen<'_>) {
        let code = self.code(seen, seen.ns, NEVER);
        let method = seen.fields.int("MethodID").unwrap_or(NO_INT);
        let start = self.rows.jit.remove(&(seen.thread, method));
        let bytes = i64::try_from(code.end.saturating_sub(code.start)).unwrap_or(i64::MAX);
        let native_bytes = or_none(self.possible(bytes, 0..=MOST_CODE_BYTES, seen));
        let row = JitRow {
            ts_ns: start.map_or(seen.ns, |start| start.ns),
            dur_ns: start.map_or(NO_INT, |start| seen.ns.saturating_sub(start.ns)),
            thread: seen.thread,
            method: Sym::NONE,
            il_bytes: start.map_or(NO_INT, |start| start.il_bytes),
            native_bytes,
            tier: code.tier,
            stack: start.map(|start| start.stack).filter(|stack| *stack != NO_ID).unwrap_or(seen.stack),
        };
        self.methods.load(code);
        self.rows.loads.push((code, row));
    }

    fn code(&mut self, seen: &Seen<'_>, loaded_ns: i64, unloaded_ns: i64) -> Code {
        let fields = &seen.fields;
        let number = |name| fields.int(name).unwrap_or(0).cast_unsigned();
        let start = number("MethodStartAddress");
        let tier = tier(number("MethodFlags"));
        let text = |name| fields.utf16(name).unwrap_or_default();
        let (namespace, name) = (text("MethodNamespace"), text("MethodName"));
        let name = self.methods.keep_name(namespace, name, text("MethodSignature"));
        Code {
            start,
            end: start.saturating_add(number("MethodSize")),
            loaded_ns,
            unloaded_ns,
            module: number("ModuleID"),
            name,
            tier: tier.map_or(Sym::NONE, |tier| self.recording.strings.intern(tier)),
        }
    }

    /// Code that was compiled ahead of time, as it is used first.
    fn method_entry(&mut self, seen: &Seen<'_>) {
        let fields = &seen.fields;
        let Some(start) = fields.int("EntryPoint").filter(|start| *start != 0) else { return };
        let text = |name| fields.utf16(name).unwrap_or_default();
        let (namespace, name) = (text("MethodNamespace"), text("MethodName"));
        let name = self.methods.keep_name(namespace, name, text("MethodSignature"));
        let tier = self.recording.strings.intern("ReadyToRun");
        self.methods.entry(start.cast_unsigned(), name, tier);
    }

    fn module(&mut self, seen: &Seen<'_>) {
        let fields = &seen.fields;
        let Some(id) = fields.int("ModuleID") else { return };
        let path = fields.text("ModuleILPath").filter(|path| !path.is_empty());
        let path = path.or_else(|| fields.text("ModuleNativePath")).unwrap_or_default();
        self.methods.module(id.cast_unsigned(), &path, &mut self.recording.strings);
    }

    fn runtime_start(&mut self, seen: &Seen<'_>) {
        let fields = &seen.fields;
        // Before .NET Core 3.0 both versions read 4.0; a library version of 5 or more is the product's.
        let part = |name| fields.int(name).unwrap_or(0);
        let (major, minor, build) =
            (part("BclMajorVersion"), part("BclMinorVersion"), part("BclBuildNumber"));
        if major >= 5 {
            self.recording.exhibit.runtime = Some(format!("{major}.{minor}.{build}"));
        }
        self.recording.session.server_gc = fields.int("StartupFlags").map(|flags| flags & SERVER_GC != 0);
    }

    /// Every rundown has it, and the settings do not change.
    fn gc_settings(&mut self, seen: &Seen<'_>) {
        let fields = &seen.fields;
        let Some(flags) = fields.int("BitSettings") else { return };
        // Without a limit it is 0, and where the pages of the machine are the limit as large as they are.
        let limit = fields.int("HardLimit").map(i64::cast_unsigned).filter(|bytes| *bytes > 0);
        self.recording.session.gc_settings =
            Some(GcSettings { hard_limit_bytes: limit, is_limit_set: flags & GC_LIMIT_SET != 0 });
    }

    fn process_info(&mut self, seen: &Seen<'_>) {
        let fields = &seen.fields;
        let exhibit = &mut self.recording.exhibit;
        exhibit.command_line = fields.text("CommandLine").filter(|text| !text.is_empty());
        exhibit.os = fields.text("OSInformation").filter(|text| !text.is_empty());
        exhibit.arch = fields.text("ArchInformation").filter(|text| !text.is_empty());
    }
}

/// How code was made, from the flags of its load: bits 7 to 9 where the runtime tells, else whether it was compiled
/// at run time at all.
fn tier(flags: u64) -> Option<&'static str> {
    const JITTED: u64 = 8;
    match (flags >> 7) & 7 {
        1 => Some("MinOptJitted"),
        2 => Some("Optimized"),
        3 => Some("QuickJitted"),
        4 => Some("OptimizedTier1"),
        5 => Some("OptimizedTier1OSR"),
        6 => Some("QuickJittedInstrumented"),
        7 => Some("OptimizedTier1Instrumented"),
        _ if flags & JITTED == 0 => Some("ReadyToRun"),
        _ => None,
    }
}
