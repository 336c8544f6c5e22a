//! What `dotnet-trace collect-linux` records of a machine: the memory of its processes, and what its CPUs ran.
//!
//! `Universal.System` says which files and which generated code lie where in a process, and since when; the names of code
//! (symbols) belong to a mapping and come in any order, also after the samples. `Universal.Events` has the samples: the
//! event `cpu` is a thread that a CPU ran. Everything is kept as it comes and put in order once, when all is read.
//!
//! See `memory` for how addresses are looked up in it.

use super::budget::{MAP, of};
use super::code::NEVER;
use super::ids::ProcessId;
use super::kinds::MAX_NAME;
use super::processes::Processes;
use super::rawstacks::RawStack;
use super::seen::Seen;
use base::bytes::{Cursor, ReadError};
use base::seeded::{SeededMap, SeededSet};
use model::{ById, Id, Lost, SampleRow, Samples, Strings, Sym};
use nettrace::Event;

const UNREADABLE: &str = "event of a process's memory that cannot be read";
const REVERSED: &str = "mapping that ends before it begins: not used";
const TOO_MANY_MAPPINGS: &str = "mapping beyond the million that are kept: not used";
const TOO_MANY_SYMBOLS: &str = "symbol beyond the four million that are kept: not used";
const SEVERAL_SAMPLES: &str = "CPU sample that stands for another number than one: counted as one";

/// Mappings that are kept: a machine of a thousand processes has some hundred thousand.
const MAX_MAPPINGS: usize = 1 << 20;
/// Symbols that are kept: those of mappings that were sampled, some ten thousand for each service.
const MAX_SYMBOLS: usize = 4 << 20;

/// Which mapping: its number is unique in a file.
pub(crate) type MappingKey = (u32, u64);

/// A mapping that was kept.
pub(crate) type MappingId = Id<Mapping>;
/// A symbol that was kept.
pub(crate) type SymbolId = Id<Symbol>;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Mapping {
    pub(crate) process: ProcessId,
    pub(crate) key: MappingKey,
    pub(crate) start: u64,
    pub(crate) last: u64,
    pub(crate) loaded_ns: i64,
    pub(crate) unloaded_ns: i64,
    pub(crate) file: Text,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Symbol {
    pub(crate) mapping: MappingKey,
    pub(crate) start: u64,
    pub(crate) last: u64,
    pub(crate) known_ns: i64,
    pub(crate) name: Text,
    pub(crate) offset: u64,
}

/// Where a text lies among those that were kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text {
    at: usize,
    len: u32,
}

/// The memory of all processes, as events describe it, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Spaces {
    pub(crate) mappings: ById<Mapping, Mapping>,
    /// Mappings that are known: another stream repeats them.
    seen: SeededSet<(ProcessId, MappingKey, u64, u64)>,
    /// Mappings that were not unloaded, of each process.
    live: SeededMap<ProcessId, Vec<MappingId>>,
    pub(crate) symbols: ById<Symbol, Symbol>,
    texts: Vec<u8>,
    file: u32,
    pub(crate) cpu_samples: u64,
}

impl Spaces {
    /// Begins a stream: mappings are numbered anew.
    pub(crate) fn begin_stream(&mut self) {
        self.file = self.file.saturating_add(1);
    }

    /// About how many bytes it takes: at the end, what is looked up by address takes as much again.
    pub(crate) fn kept_bytes(&self) -> usize {
        let mappings = of(self.mappings.len(), size_of::<Mapping>() + MAP * 41 + 64);
        let symbols = of(self.symbols.len(), size_of::<Symbol>() + 64);
        mappings.saturating_add(symbols).saturating_add(self.texts.len())
    }

    /// Whether any symbol is known.
    pub(crate) fn has_symbols(&self) -> bool {
        !self.symbols.is_empty()
    }

    fn keep(&mut self, bytes: &[u8]) -> Text {
        let bytes = shortened_bytes(bytes);
        let at = self.texts.len();
        self.texts.extend_from_slice(bytes);
        // Shortened, so it fits.
        Text { at, len: u32::try_from(bytes.len()).unwrap_or(0) }
    }

    pub(crate) fn text(&self, of: Text) -> String {
        let bytes = self.texts.get(of.at..of.at.saturating_add(of.len as usize)).unwrap_or_default();
        String::from_utf8_lossy(bytes).into_owned()
    }

    fn mapping(
        &mut self,
        process: ProcessId,
        ns: i64,
        payload: &[u8],
    ) -> Result<Option<&'static str>, ReadError> {
        let mut cursor = Cursor::new(payload, 0);
        let key = (self.file, cursor.varu64("Id")?);
        let (start, last) = (cursor.varu64("StartAddress")?, cursor.varu64("EndAddress")?);
        cursor.varu64("FileOffset")?;
        let file = text16(&mut cursor, "FileName")?;
        if last < start {
            return Ok(Some(REVERSED));
        }
        if self.mappings.len() >= MAX_MAPPINGS {
            return Ok(Some(TOO_MANY_MAPPINGS));
        }
        if self.seen.insert((process, key, start, last)) {
            let file = self.keep(file);
            let (loaded_ns, unloaded_ns) = (ns, NEVER);
            let mapping = Mapping { process, key, start, last, loaded_ns, unloaded_ns, file };
            self.live.entry(process).or_default().push(self.mappings.push(mapping));
        }
        Ok(None)
    }

    fn symbol(&mut self, ns: i64, payload: &[u8], offset: u64) -> Result<Option<&'static str>, ReadError> {
        let mut cursor = Cursor::new(payload, 0);
        cursor.varu64("Id")?;
        let mapping = (self.file, cursor.varu64("MappingId")?);
        let (start, last) = (cursor.varu64("StartAddress")?, cursor.varu64("EndAddress")?);
        let name = text16(&mut cursor, "Name")?;
        if self.symbols.len() >= MAX_SYMBOLS {
            return Ok(Some(TOO_MANY_SYMBOLS));
        }
        let name = self.keep(name);
        self.symbols.push(Symbol { mapping, start, last, known_ns: ns, name, offset });
        Ok(None)
    }

    /// A process ended: its number may be given to another one.
    pub(crate) fn exit(&mut self, process: ProcessId, ns: i64) {
        for at in self.live.remove(&process).unwrap_or_default() {
            if let Some(mapping) = self.mappings.get_mut(at) {
                mapping.unloaded_ns = ns;
            }
        }
    }
}

/// A text as far as it is kept, with no character cut.
fn shortened_bytes(text: &[u8]) -> &[u8] {
    let is_inside = |at: &usize| text.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let most = (0..=MAX_NAME.min(text.len())).rev().take(4).find(|at| !is_inside(at));
    text.get(..most.unwrap_or(MAX_NAME)).unwrap_or(text)
}

/// A text behind its length in 16 bits.
fn text16<'a>(cursor: &mut Cursor<'a>, what: &'static str) -> Result<&'a [u8], ReadError> {
    let len = usize::from(cursor.u16(what)?);
    cursor.take(len, what)
}

/// The tables that samples of CPUs fill.
#[derive(Debug)]
pub(crate) struct CpuTables<'a> {
    pub(crate) strings: &'a mut Strings,
    pub(crate) lost: &'a mut Lost,
    pub(crate) samples: &'a mut Samples<RawStack>,
}

impl Spaces {
    /// Takes an event about the memory of a process.
    pub(crate) fn take(
        &mut self,
        event: &Event<'_>,
        process: ProcessId,
        ns: i64,
        processes: &mut Processes,
        lost: &mut Lost,
    ) {
        let payload = event.payload;
        let taken = match event.metadata.event_id {
            0 | 1 => process_name(process, payload, processes).map(|()| None),
            2 => {
                self.exit(process, ns);
                Ok(None)
            }
            3 => self.mapping(process, ns, payload),
            4 => self.symbol(ns, payload, event.offset),
            _ => Ok(None),
        };
        if let Some(what) = taken.unwrap_or(Some(UNREADABLE)) {
            lost.damage.note(what, event.offset);
        }
    }

    /// Adds the sample of a thread that a CPU ran. Whether in managed code follows from its stack, at the end.
    pub(crate) fn cpu_sample(&mut self, seen: &Seen<'_>, tables: CpuTables<'_>) {
        let CpuTables { strings, lost, samples } = tables;
        let (kind, waiting_on) = (Sym::NONE, Sym::NONE);
        let state = strings.intern("running");
        let Seen { ns: ts_ns, thread, stack, .. } = *seen;
        samples.push(SampleRow { ts_ns, thread, stack, kind, state, waiting_on });
        self.cpu_samples = self.cpu_samples.saturating_add(1);
        if seen.fields.int("Value").is_some_and(|value| value != 1) {
            lost.damage.remark(SEVERAL_SAMPLES, seen.offset);
        }
    }
}

fn process_name(process: ProcessId, payload: &[u8], processes: &mut Processes) -> Result<(), ReadError> {
    let mut cursor = Cursor::new(payload, 0);
    let own_id = i64::try_from(cursor.varu64("NamespaceId")?).ok().filter(|id| *id != 0);
    let name = String::from_utf8_lossy(text16(&mut cursor, "Name")?).into_owned();
    processes.name(process, &name, own_id);
    Ok(())
}

#[cfg(test)]
impl Spaces {
    /// A mapping of a file, numbered by its process.
    pub(crate) fn mapped(&mut self, process: ProcessId, [start, last]: [u64; 2], ns: i64) {
        let (key, file) = ((self.file, u64::from(process.number())), self.keep(b"/lib/a.so"));
        let (loaded_ns, unloaded_ns) = (ns, NEVER);
        let mapping = self.mappings.push(Mapping { process, key, start, last, loaded_ns, unloaded_ns, file });
        self.live.entry(process).or_default().push(mapping);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A payload of numbers below 128, then a text, then zeros.
    fn payload(numbers: &[u8], text: &[u8]) -> Vec<u8> {
        let len = u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes();
        [numbers, &len, text, &[0; 4]].concat()
    }

    #[test]
    fn a_file_of_nothing_but_mappings_and_symbols_does_not_fill_the_memory() {
        let mut spaces = Spaces::default();
        let mapping = payload(&[1, 2, 3, 0], b"/lib/a.so");
        let symbol = payload(&[1, 1, 2, 3], b"a");
        assert_eq!(spaces.mapping(ProcessId::at(0), 5, &mapping), Ok(None));
        assert_eq!(spaces.mapping(ProcessId::at(0), 6, &mapping), Ok(None), "another stream repeats it");
        assert_eq!(spaces.symbol(5, &symbol, 0), Ok(None));
        assert_eq!((spaces.mappings.len(), spaces.symbols.len()), (1, 1));
        let (one, name) = (spaces.mappings[0], spaces.symbols[0]);
        spaces.mappings = vec![one; MAX_MAPPINGS].into();
        spaces.symbols = vec![name; MAX_SYMBOLS].into();
        let kept = spaces.texts.len();
        assert_eq!(spaces.mapping(ProcessId::at(7), 5, &mapping), Ok(Some(TOO_MANY_MAPPINGS)));
        assert_eq!(spaces.symbol(5, &symbol, 0), Ok(Some(TOO_MANY_SYMBOLS)));
        assert_eq!(spaces.texts.len(), kept);
    }

    #[test]
    fn a_long_name_is_kept_in_part_and_no_character_is_cut() {
        let mut spaces = Spaces::default();
        let long = "ä".repeat(30_000);
        for (text, expected) in [(long.as_str(), 1024), (&long[..1022], 1022), ("ä", 2), ("", 0)] {
            let kept = spaces.keep(text.as_bytes());
            assert_eq!(spaces.text(kept), text[..expected], "{}", text.len());
        }
        let kept = spaces.keep(&[0x80; 5_000]);
        assert_eq!(spaces.text(kept).chars().count(), 1024, "no text at all");
    }
}
