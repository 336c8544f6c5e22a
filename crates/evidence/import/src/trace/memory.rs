//! Addresses to frames by what is known of the memory of processes (`universal`).
//!
//! ```text
//!  process, address, time ─▶ mapping (the latest that was there) ─▶ symbol (the latest known then) ─▶ frame
//! ```
//!
//! An address is looked up in its own process alone; only the kernel's code is the same in all. What is recorded after
//! it was seen is better than nothing: code is mapped before it runs, and its names may be written at the end.

use super::code::{NEVER, module_name};
use super::ids::ProcessId;
use super::kinds::shortened;
use super::processes::Processes;
use super::ranges::{AddressRange, Ranges};
use super::symbolname::managed;
use super::universal::{Mapping, MappingId, MappingKey, Spaces, Symbol, SymbolId};
use base::seeded::SeededMap;
use model::{Frame, FrameId, Sampler, Strings, Sym, ThreadId, Trace};

const OUTSIDE: &str = "symbol outside of its mapping: not used";
const NO_MAPPING: &str = "symbol of a mapping that the recording does not have: not used";

/// Where the kernel lies in every process of a 64-bit Linux.
const KERNEL: u64 = 0xffff_8000_0000_0000;
/// What its code is called where nothing else is known.
const KERNEL_MODULE: &str = "vmlinux";
/// The process that the kernel's own threads are said to be of.
const KERNEL_PROCESS: i64 = 0;
/// The tiers of code that is not managed.
pub(crate) const NATIVE: &str = "Native";
pub(crate) const KERNEL_TIER: &str = "Kernel";
/// The file that the runtime maps the code that it generates from.
const GENERATED: &str = "/memfd:doublemapper";
/// Ranges that one mapping's number may have.
const MAX_PLACES: usize = 8;
/// A sample of a CPU stands for no less and no more than this.
const SHORTEST_NS: i64 = 10_000;
const LONGEST_NS: i64 = 1_000_000_000;
/// Rates below are samples per second, others nanoseconds: no sampler is slower than one or faster than the other.
const MIN_RATE_IN_NS: i64 = 10_000;

/// What lies at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lies {
    Nothing,
    /// The same at all times.
    Always(At),
    /// It depends on the time.
    Changes,
}

/// A place in memory: a mapping and a symbol in it, as far as they are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct At {
    mapping: Option<MappingId>,
    symbol: Option<SymbolId>,
    is_kernel: bool,
}

/// The memory of all processes.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    spaces: Spaces,
    of_process: SeededMap<ProcessId, Ranges<MappingId>>,
    of_mapping: SeededMap<MappingKey, Ranges<SymbolId>>,
    /// Times at which mappings changed at addresses that were used again, by process.
    changes: SeededMap<ProcessId, Vec<i64>>,
    /// Times at which symbols changed at addresses that were used again, sorted: mappings may be of several processes.
    symbol_changes: Vec<i64>,
    kernel_process: Option<ProcessId>,
    frames: SeededMap<At, FrameId>,
}

type Lists<K, T> = SeededMap<K, Vec<AddressRange<T>>>;

impl Memory {
    /// Puts mappings and symbols in order; those that cannot be used are counted.
    pub(crate) fn new(spaces: Spaces, processes: &Processes, recording: &mut Trace) -> Self {
        let mut places: Lists<MappingKey, MappingId> = SeededMap::default();
        let mut of_process: Lists<ProcessId, MappingId> = SeededMap::default();
        for (at, mapping) in spaces.mappings.iter_with_ids() {
            let range = AddressRange { first: mapping.start, last: mapping.last, of: at };
            of_process.entry(mapping.process).or_default().push(range);
            // A process and those that it forked share the number of a mapping.
            let known = places.entry(mapping.key).or_default();
            if known.len() < MAX_PLACES
                && !known.iter().any(|of| (of.first, of.last) == (range.first, range.last))
            {
                known.push(range);
            }
        }
        let mut symbols: Lists<MappingKey, SymbolId> = SeededMap::default();
        for (at, symbol) in spaces.symbols.iter_with_ids() {
            let Some(places) = places.get(&symbol.mapping) else {
                recording.lost.damage.note(NO_MAPPING, symbol.offset);
                continue;
            };
            // A kernel that hides its addresses has symbols from 0 to the end of memory.
            let inside = places.iter().find(|place| (place.first..=place.last).contains(&symbol.start));
            match inside.filter(|_| symbol.last >= symbol.start) {
                Some(place) => {
                    let last = symbol.last.min(place.last);
                    let range = AddressRange { first: symbol.start, last, of: at };
                    symbols.entry(symbol.mapping).or_default().push(range);
                }
                None => recording.lost.damage.note(OUTSIDE, symbol.offset),
            }
        }
        let mut memory = Self {
            of_process: of_process.into_iter().map(|(of, list)| (of, Ranges::new(list))).collect(),
            of_mapping: symbols.into_iter().map(|(of, list)| (of, Ranges::new(list))).collect(),
            changes: SeededMap::default(),
            symbol_changes: Vec::new(),
            kernel_process: processes.find(KERNEL_PROCESS),
            frames: SeededMap::default(),
            spaces,
        };
        memory.find_changes();
        memory
    }

    fn find_changes(&mut self) {
        let mut changes: SeededMap<ProcessId, Vec<i64>> = SeededMap::default();
        // A mapping that ended leaves nothing behind, also where nothing else lay.
        for of in self.spaces.mappings.iter().filter(|of| of.unloaded_ns != NEVER) {
            changes.entry(of.process).or_default().push(of.unloaded_ns);
        }
        let again = self.of_process.values().flat_map(Ranges::overlapping);
        for of in again.filter_map(|at| self.mapping(at)) {
            changes.entry(of.process).or_default().push(of.loaded_ns);
        }
        let again = self.of_mapping.values().flat_map(Ranges::overlapping);
        let mut times: Vec<i64> = again.filter_map(|at| Some(self.symbol(at)?.known_ns)).collect();
        times.sort_unstable();
        times.dedup();
        (self.changes, self.symbol_changes) = (changes, times);
    }

    /// Times at which mappings of a process changed, in any order.
    pub(crate) fn take_changes(&mut self, process: ProcessId) -> Vec<i64> {
        self.changes.remove(&process).unwrap_or_default()
    }

    /// How many changes of symbols came before a time.
    pub(crate) fn symbol_epoch(&self, ns: i64) -> u32 {
        // No recording has so many changes that they do not fit.
        let before = self.symbol_changes.partition_point(|change| *change <= ns);
        u32::try_from(before).unwrap_or(u32::MAX)
    }

    /// Whether nothing is known of any process.
    pub(crate) fn is_empty(&self) -> bool {
        self.spaces.mappings.is_empty() && self.spaces.cpu_samples == 0
    }

    fn mapping(&self, at: MappingId) -> Option<&Mapping> {
        self.spaces.mappings.get(at)
    }

    fn symbol(&self, at: SymbolId) -> Option<&Symbol> {
        self.spaces.symbols.get(at)
    }

    /// The mappings that an address is in, at any time.
    fn mappings(&self, process: ProcessId, address: u64) -> Vec<MappingId> {
        let of =
            |process: ProcessId| self.of_process.get(&process).map_or_else(Vec::new, |all| all.at(address));
        let own = of(process);
        match self.kernel_process {
            Some(kernel) if own.is_empty() && address >= KERNEL => of(kernel),
            _ => own,
        }
    }

    fn symbols(&self, mapping: MappingId, address: u64) -> Vec<SymbolId> {
        let symbols = self.mapping(mapping).and_then(|of| self.of_mapping.get(&of.key));
        symbols.map_or_else(Vec::new, |all| all.at(address))
    }

    /// What lies at an address of a process.
    pub(crate) fn lies(&self, process: ProcessId, address: u64) -> Lies {
        if self.is_empty() {
            return Lies::Nothing;
        }
        let is_kernel = address >= KERNEL;
        match self.mappings(process, address).as_slice() {
            [] if is_kernel => Lies::Always(At { mapping: None, symbol: None, is_kernel }),
            [] => Lies::Nothing,
            [only] if self.mapping(*only).is_some_and(|of| of.unloaded_ns == NEVER) => {
                let symbols = self.symbols(*only, address);
                match symbols.as_slice() {
                    [] | [_] => {
                        let symbol = symbols.first().copied();
                        Lies::Always(At { mapping: Some(*only), symbol, is_kernel })
                    }
                    _ => Lies::Changes,
                }
            }
            _ => Lies::Changes,
        }
    }

    /// What lay at an address of a process at a time.
    pub(crate) fn at(&self, process: ProcessId, address: u64, ns: i64) -> Option<At> {
        let is_kernel = address >= KERNEL;
        let all = self.mappings(process, address);
        let known = || all.iter().filter_map(|at| Some((*at, self.mapping(*at)?)));
        let there = known().filter(|(_, of)| of.loaded_ns <= ns && ns < of.unloaded_ns);
        let mapping = there
            .max_by_key(|(at, of)| (of.loaded_ns, of.start, *at))
            .or_else(|| {
                known().filter(|(_, of)| of.loaded_ns > ns).min_by_key(|(at, of)| (of.loaded_ns, *at))
            })
            .map(|(at, _)| at);
        let Some(mapping) = mapping else {
            return is_kernel.then_some(At { mapping: None, symbol: None, is_kernel });
        };
        let all = self.symbols(mapping, address);
        let known = || all.iter().filter_map(|at| Some((*at, self.symbol(*at)?.known_ns)));
        let before =
            known().filter(|(_, known_ns)| *known_ns <= ns).max_by_key(|(at, known_ns)| (*known_ns, *at));
        let symbol =
            before.or_else(|| known().min_by_key(|(at, known_ns)| (*known_ns, *at))).map(|(at, _)| at);
        Some(At { mapping: Some(mapping), symbol, is_kernel })
    }

    /// The frame at a place; `add` adds one that is new.
    pub(crate) fn frame(
        &mut self,
        at: At,
        strings: &mut Strings,
        add: impl FnOnce(Option<Frame>) -> FrameId,
    ) -> FrameId {
        if let Some(known) = self.frames.get(&at) {
            return *known;
        }
        let frame = add(self.new_frame(at, strings));
        self.frames.insert(at, frame);
        frame
    }

    /// The frame at a place; `None` for one of which neither symbol nor module is known.
    fn new_frame(&self, at: At, strings: &mut Strings) -> Option<Frame> {
        let file = at.mapping.and_then(|at| self.mapping(at)).map(|of| self.spaces.text(of.file));
        let module = Module::of(file.as_deref(), at.is_kernel);
        let symbol = at.symbol.and_then(|at| self.symbol(at)).map(|of| self.spaces.text(of.name));
        let symbol = symbol.as_deref().map(shortened).filter(|name| !name.is_empty());
        if let Some(of) = symbol.and_then(managed) {
            let name = format!("{}!{}.{}{}", of.module, of.declaring_type, of.method, of.signature);
            return Some(Frame {
                module: strings.intern(of.module),
                declaring_type: strings.intern(of.declaring_type),
                method: strings.intern(of.method),
                signature: strings.intern(of.signature),
                name: strings.intern(&name),
                tier: of.tier.map_or(Sym::NONE, |tier| strings.intern(tier)),
            });
        }
        if symbol.is_none() && module.name.is_none() {
            return None;
        }
        let name = format!("{}!{}", module.name.unwrap_or("?"), symbol.unwrap_or("?"));
        let none = Sym::NONE;
        Some(Frame {
            module: module.name.map_or(none, |name| strings.intern(name)),
            declaring_type: none,
            method: symbol.map_or(none, |symbol| strings.intern(symbol)),
            signature: none,
            name: strings.intern(&name),
            tier: module.tier.map_or(none, |tier| strings.intern(tier)),
        })
    }
}

/// What a mapped file is called in frames.
#[derive(Debug, PartialEq, Eq)]
struct Module<'a> {
    name: Option<&'a str>,
    tier: Option<&'static str>,
}

impl<'a> Module<'a> {
    fn of(file: Option<&'a str>, is_kernel: bool) -> Self {
        let file = file.unwrap_or_default();
        let path = file.strip_suffix(" (deleted)").unwrap_or(file);
        if is_kernel {
            let name = if path.is_empty() { KERNEL_MODULE } else { module_name(path) };
            return Self { name: Some(name), tier: Some(KERNEL_TIER) };
        }
        if path.starts_with(GENERATED) {
            return Self { name: Some("ManagedModule"), tier: None };
        }
        if path.is_empty() || path.starts_with("//") || path.starts_with("[anon") {
            return Self { name: None, tier: Some(NATIVE) };
        }
        // Code that was compiled ahead of time lies in the file of its assembly.
        let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
        let assembly = ending.eq_ignore_ascii_case("dll") || ending.eq_ignore_ascii_case("exe");
        Self { name: Some(module_name(path)), tier: (!assembly).then_some(NATIVE) }
    }
}

/// Says of each sample of a CPU whether it was in managed code, by its innermost frame.
pub(crate) fn set_kinds(recording: &mut Trace, unknown_frame: FrameId) {
    let [managed, external] = ["managed", "external"].map(|kind| recording.strings.intern(kind));
    let native = [NATIVE, KERNEL_TIER].map(|tier| recording.strings.find(tier));
    let Trace { samples, stacks, frames, .. } = recording;
    for (kind, stack) in samples.kind.iter_mut().zip(&samples.stack).filter(|(kind, _)| **kind == Sym::NONE) {
        let frame = stacks.leaf(*stack).filter(|frame| *frame != unknown_frame);
        let tier = frame.and_then(|frame| frames.tier.get(frame)).copied();
        *kind = if tier.is_some_and(|tier| !native.contains(&Some(tier))) { managed } else { external };
    }
}

/// What the samples are, where all of them are of CPUs; `rate` is what the recording says of their rate.
pub(crate) fn sampler(recording: &Trace, cpu_samples: u64, rate: Option<u32>) -> Sampler {
    if cpu_samples == 0 || cpu_samples != recording.samples.ts_ns.len() as u64 {
        return Sampler::Threads;
    }
    let every_ns = rate.map(i64::from).and_then(|rate| match rate {
        ..=0 => None,
        rate if rate < MIN_RATE_IN_NS => Some(1_000_000_000 / rate),
        ns => Some(ns),
    });
    let every_ns = every_ns.filter(|ns| (SHORTEST_NS..=LONGEST_NS).contains(ns));
    Sampler::Cpus { every_ns: every_ns.filter(|ns| is_possible(recording, *ns)) }
}

/// Whether no thread was sampled more often than a thread can be that runs all the time.
fn is_possible(recording: &Trace, every_ns: i64) -> bool {
    /// Of fewer samples no rate can be known.
    const FEW: i64 = 20;
    let mut threads: SeededMap<ThreadId, (i64, i64, i64)> = SeededMap::default();
    for (ts_ns, thread) in recording.samples.ts_ns.iter().zip(&recording.samples.thread) {
        let of = threads.entry(*thread).or_insert((0, *ts_ns, *ts_ns));
        (of.0, of.2) = (of.0.saturating_add(1), *ts_ns);
    }
    threads.into_values().filter(|(samples, ..)| *samples >= FEW).all(|(samples, first, last)| {
        let span = last.saturating_sub(first).saturating_add(every_ns);
        // Clocks are not exact.
        samples.saturating_mul(every_ns) <= span.saturating_add(span / 5)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_file_is_called_as_its_module_and_says_whether_its_code_is_managed() {
        let check = |file, is_kernel, name, tier| {
            assert_eq!(Module::of(file, is_kernel), Module { name, tier }, "{file:?}");
        };
        check(Some("/usr/lib/libcoreclr.so"), false, Some("libcoreclr.so"), Some(NATIVE));
        check(Some("/app/System.Private.CoreLib.dll"), false, Some("System.Private.CoreLib"), None);
        check(Some("/memfd:doublemapper (deleted)"), false, Some("ManagedModule"), None);
        check(Some("/usr/sbin/nginx (deleted)"), false, Some("nginx"), Some(NATIVE));
        check(Some("[vdso]"), false, Some("[vdso]"), Some(NATIVE));
        check(Some("//anon"), false, None, Some(NATIVE));
        check(Some(""), false, None, Some(NATIVE));
        check(None, true, Some("vmlinux"), Some(KERNEL_TIER));
        check(Some("vmlinux"), true, Some("vmlinux"), Some(KERNEL_TIER));
    }

    #[test]
    fn a_machine_of_many_processes_keeps_the_changes_of_each_once() {
        let mut spaces = Spaces::default();
        for process in 0..1000 {
            let ended_ns = 10 + i64::from(process);
            let process = ProcessId::at(process);
            spaces.mapped(process, [0x1000, 0x1fff], 5);
            spaces.exit(process, ended_ns);
        }
        let mut memory = Memory::new(spaces, &Processes::default(), &mut Trace::default());
        assert_eq!(
            (memory.take_changes(ProcessId::at(0)), memory.take_changes(ProcessId::at(999))),
            (vec![10], vec![1009])
        );
        assert_eq!((memory.take_changes(ProcessId::at(1000)), memory.symbol_changes.len()), (Vec::new(), 0));
    }
}
