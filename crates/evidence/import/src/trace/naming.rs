//! Stacks of addresses to rows of `stacks`, when all is read.
//!
//! Most addresses have one method all the time and are named once. Where code changed, a stack is named once for each
//! time between two changes.

use super::code::{ALWAYS, Code, Methods, NEVER};
use super::ids::{Process, ProcessId};
use super::memory::{At, Lies, Memory};
use super::ranges::{AddressRange, Ranges};
use super::rawstacks::{RawStack, RawStacks};
use base::seeded::SeededMap;
use model::{ById, Frame, FrameId, Id, StackId, Sym, Trace};

/// Codes of one start that are looked at on each side of a time: one that ended before the next was loaded there, or
/// whose end is not known, is followed by the right one.
const MAX_LOOKS: usize = 16;
/// Frames named once for each time at which they changed, each of about 70 bytes: so many, and one for so many bytes of
/// the recording. Recordings have none, or some thousands.
const MAX_NAMED: usize = 1 << 20;
const BYTES_A_NAMED: u64 = 64;
const TOO_MANY_NAMED: &str = "stack in code that changes all the time: later ones have no names";
const TOO_MANY_STARTS: &str = "address in code of more than 64 different starts: frames there have no name";
/// Which code an address may be.
#[derive(Debug, Clone, Copy)]
enum Place {
    Unknown,
    One(CodeId),
    /// Several in turn.
    Several,
}

/// A row of a process's codes.
type CodeId = Id<Code>;

/// Neighbours among a process's codes.
#[derive(Debug, Clone, Copy)]
struct Run {
    first: CodeId,
    len: u32,
}

impl Run {
    fn of(self, codes: &[Code]) -> &[Code] {
        let first = self.first.index();
        codes.get(first..first.saturating_add(self.len as usize)).unwrap_or_default()
    }
}

/// Codes whose places overlap, and the addresses from the first up to the end of all of them.
#[derive(Debug, Clone, Copy)]
struct Cluster {
    start: u64,
    end: u64,
    run: Run,
}

/// The code of one process.
struct Book {
    methods: Methods,
    codes: ById<Code, Code>,
    clusters: Vec<Cluster>,
    /// The codes of one start, where places overlap; by when they were loaded.
    starts: ById<Run, Run>,
    /// Where each of `starts` reaches, to find those that an address is in.
    reach: Ranges<Id<Run>>,
    /// The frames of the codes that are in a stack.
    frames: ById<Code, Option<FrameId>>,
    /// Times at which code changed at places that were used again.
    changes: Vec<i64>,
    /// The frames of addresses; none for an address whose frame depends on the time.
    places: SeededMap<u64, Option<FrameId>>,
}

impl Book {
    fn new(mut methods: Methods, further_changes: &[i64]) -> Self {
        let codes = ById::from(methods.take_codes());
        let clusters = clusters(&codes);
        let several: Vec<Run> =
            clusters.iter().map(|cluster| cluster.run).filter(|run| run.len > 1).collect();
        let mut changes: Vec<i64> = several
            .iter()
            .flat_map(|run| run.of(&codes))
            .flat_map(|code| [code.loaded_ns, code.unloaded_ns])
            .filter(|ns| *ns != ALWAYS && *ns != NEVER)
            .collect();
        changes.extend_from_slice(further_changes);
        changes.sort_unstable();
        changes.dedup();
        let frames = codes.iter().map(|_| None).collect();
        let starts = starts(&codes, &several);
        let reach =
            Ranges::new(starts.iter_with_ids().filter_map(|(id, run)| reach(run.of(&codes), id)).collect());
        Self { methods, codes, clusters, starts, reach, frames, changes, places: SeededMap::default() }
    }

    fn place(&self, address: u64) -> Place {
        let after = self.clusters.partition_point(|cluster| cluster.start <= address);
        match after.checked_sub(1).and_then(|at| self.clusters.get(at)) {
            Some(Cluster { end, run, .. }) if address < *end => {
                if run.len == 1 {
                    Place::One(run.first)
                } else {
                    Place::Several
                }
            }
            _ => Place::Unknown,
        }
    }

    /// The code at an address at a time: the one loaded last before it and not unloaded yet; where times do not meet
    /// (an event is written a little after the fact), the nearest later, else the last one.
    ///
    /// It costs a few steps for each start of code that the address is behind, however much code lay there in turn.
    fn code_at(&self, address: u64, ns: i64) -> Option<CodeId> {
        let starts = self.reach.at(address);
        let near = || {
            let starts = starts.iter().filter_map(|id| self.starts.get(*id));
            starts.flat_map(|run| self.near(*run, ns))
        };
        let here = || near().filter(|(_, code)| (code.start..code.end).contains(&address));
        let in_time = here().filter(|(_, code)| code.loaded_ns <= ns && ns < code.unloaded_ns);
        let found = in_time
            .max_by_key(|(_, code)| code.loaded_ns)
            .or_else(|| here().filter(|(_, code)| code.loaded_ns > ns).min_by_key(|(_, code)| code.loaded_ns))
            .or_else(|| here().max_by_key(|(_, code)| code.unloaded_ns));
        found.map(|(at, _)| at)
    }

    /// Those of codes of one start that were loaded last before a time, and next after it.
    fn near(&self, run: Run, ns: i64) -> impl Iterator<Item = (CodeId, &Code)> {
        let (first, codes) = (run.first, run.of(&self.codes));
        let behind = codes.partition_point(|code| code.loaded_ns <= ns);
        let from = behind.saturating_sub(MAX_LOOKS);
        let looks = behind.saturating_sub(from).saturating_add(MAX_LOOKS);
        // What the rundown says was there before all others may still be there.
        let oldest = codes.first().filter(|_| from > 0).map(|code| (first, code));
        let ids = (first.index().saturating_add(from)..).map_while(CodeId::new);
        oldest.into_iter().chain(ids.zip(codes.iter().skip(from).take(looks)))
    }
}

/// A time between two changes of what lies at addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Epoch {
    /// How many changes of the process's code and mappings came before.
    code: u32,
    /// How many changes of symbols came before.
    symbols: u32,
}

/// Names the stacks: raw nodes to rows of `stacks`.
pub(crate) struct Naming {
    books: ById<Process, Book>,
    /// What lies in the memory of all processes, beside the code that the runtime names.
    memory: Memory,
    frame_numbers: SeededMap<(Sym, Sym), FrameId>,
    unknown_frame: FrameId,
    /// Per raw stack: its row of `stacks`; none if that depends on the time.
    fixed: ById<RawStacks, Option<StackId>>,
    by_epoch: SeededMap<(RawStack, Epoch), StackId>,
    /// How many frames `by_epoch` may hold.
    most_named: usize,
    /// Whether it holds as many.
    is_full: bool,
}

impl Naming {
    /// Names every stack that needs no time. `methods` are those of each process.
    pub(crate) fn new(
        methods: Vec<Methods>,
        mut memory: Memory,
        raw: &RawStacks,
        recording: &mut Trace,
    ) -> Self {
        let name = recording.strings.intern("?");
        let none = Sym::NONE;
        let unknown =
            Frame { module: none, declaring_type: none, method: none, signature: none, name, tier: none };
        let unknown_frame = recording.frames.push(unknown);
        let methods = ById::<Process, _>::from(methods);
        let books = methods.into_iter_with_ids();
        let books = books.map(|(of, methods)| Book::new(methods, &memory.take_changes(of))).collect();
        let bytes = recording.exhibit.bytes;
        let mut naming = Self {
            books,
            memory,
            frame_numbers: SeededMap::default(),
            unknown_frame,
            fixed: ById::default(),
            by_epoch: SeededMap::default(),
            // On a machine whose addresses are shorter, memory is the limit.
            most_named: usize::try_from(bytes / BYTES_A_NAMED)
                .unwrap_or(usize::MAX)
                .saturating_add(MAX_NAMED),
            is_full: false,
        };
        naming.name_fixed(raw, recording);
        naming
    }

    fn name_fixed(&mut self, raw: &RawStacks, recording: &mut Trace) {
        self.fixed = vec![None; raw.parent.len()].into();
        for ((node, parent), address) in raw.parent.iter_with_ids().zip(&raw.address) {
            let caller = match parent.map(|parent| self.fixed.get(parent)) {
                None => None,
                Some(Some(Some(row))) => Some(*row),
                // A stack whose caller depends on the time depends on it too.
                Some(_) => continue,
            };
            let process = raw.process_of(node);
            let known = self.books.get(process).and_then(|book| book.places.get(address)).copied();
            let frame = known.unwrap_or_else(|| self.fixed_frame(process, *address, recording));
            if let (Some(frame), Some(row)) = (frame, self.fixed.get_mut(node)) {
                *row = Some(recording.stacks.child(caller, frame));
            }
        }
    }

    /// The frame of an address; none if it depends on the time.
    fn fixed_frame(&mut self, process: ProcessId, address: u64, recording: &mut Trace) -> Option<FrameId> {
        let frame = match self.place(process, address) {
            Place::Unknown => match self.memory.lies(process, address) {
                Lies::Nothing => Some(self.unknown_frame),
                Lies::Always(at) => Some(self.mapped_frame(at, recording)),
                Lies::Changes => None,
            },
            Place::One(code) => Some(self.frame_of(process, code, recording)),
            Place::Several => None,
        };
        if let Some(book) = self.books.get_mut(process) {
            book.places.insert(address, frame);
        }
        frame
    }

    /// The frame of an address at a time.
    fn frame_at(&mut self, process: ProcessId, address: u64, ns: i64, recording: &mut Trace) -> FrameId {
        let code = match self.place(process, address) {
            Place::Unknown => {
                let at = self.memory.at(process, address, ns);
                return at.map_or(self.unknown_frame, |at| self.mapped_frame(at, recording));
            }
            Place::One(code) => Some(code),
            Place::Several => {
                let code = self.books.get(process).and_then(|book| book.code_at(address, ns));
                if code.is_none() {
                    // Each address of such a part is in some code, so there was too much of it.
                    recording.lost.damage.note(TOO_MANY_STARTS, 0);
                }
                code
            }
        };
        code.map_or(self.unknown_frame, |code| self.frame_of(process, code, recording))
    }

    /// The row of `stacks` for a raw stack seen at a time.
    pub(crate) fn stack(
        &mut self,
        stack: RawStack,
        ns: i64,
        raw: &RawStacks,
        recording: &mut Trace,
    ) -> Option<StackId> {
        match self.fixed.get(stack)? {
            Some(row) => return Some(*row),
            // Nothing more is kept, so a walk over the frames would be in vain.
            None if self.is_full => return Some(self.unnamed(recording)),
            None => {}
        }
        let process = raw.process_of(stack);
        let changes = self.books.get(process).map_or(&[][..], |book| &book.changes);
        // No recording has so many changes that they do not fit.
        let code = u32::try_from(changes.partition_point(|change| *change <= ns)).unwrap_or(u32::MAX);
        let epoch = Epoch { code, symbols: self.memory.symbol_epoch(ns) };
        // Outwards to the first node that is named already, then back inwards.
        let mut path = Vec::new();
        let mut rest = Some(stack);
        let mut row = loop {
            let Some(at) = rest else { break None };
            let fixed = self.fixed.get(at).copied().flatten();
            if let Some(row) = fixed.or_else(|| self.by_epoch.get(&(at, epoch)).copied()) {
                break Some(row);
            }
            path.push(at);
            rest = raw.parent.get(at).copied().flatten();
        };
        if self.by_epoch.len().saturating_add(path.len()) > self.most_named {
            // A deep stack whose code changes between any two events would else be kept anew for each of them.
            self.is_full = true;
            return Some(self.unnamed(recording));
        }
        recording.session.work = recording.session.work.saturating_add(path.len() as u64);
        for at in path.into_iter().rev() {
            let address = *raw.address.get(at)?;
            let frame = self.frame_at(process, address, ns, recording);
            let named = recording.stacks.child(row, frame);
            self.by_epoch.insert((at, epoch), named);
            row = Some(named);
        }
        row
    }

    /// A stack that is one too many to be named.
    fn unnamed(&self, recording: &mut Trace) -> StackId {
        recording.lost.damage.note(TOO_MANY_NAMED, 0);
        recording.stacks.child(None, self.unknown_frame)
    }

    pub(crate) fn unknown_frame(&self) -> FrameId {
        self.unknown_frame
    }

    fn place(&self, process: ProcessId, address: u64) -> Place {
        self.books.get(process).map_or(Place::Unknown, |book| book.place(address))
    }

    fn frame_of(&mut self, process: ProcessId, code: CodeId, recording: &mut Trace) -> FrameId {
        let Some(book) = self.books.get_mut(process) else { return self.unknown_frame };
        let (Some(known), Some(code)) = (book.frames.get_mut(code), book.codes.get(code)) else {
            return self.unknown_frame;
        };
        *known.get_or_insert_with(|| {
            let frame = book.methods.frame(code, &mut recording.strings);
            let number = self.frame_numbers.entry((frame.name, frame.tier));
            *number.or_insert_with(|| recording.frames.push(frame))
        })
    }

    fn mapped_frame(&mut self, at: At, recording: &mut Trace) -> FrameId {
        let Trace { strings, frames, .. } = recording;
        self.memory.frame(at, strings, |frame| {
            let Some(frame) = frame else { return self.unknown_frame };
            *self.frame_numbers.entry((frame.name, frame.tier)).or_insert_with(|| frames.push(frame))
        })
    }
}

/// The runs of codes of one start within other runs; codes are sorted by their start.
fn starts(codes: &[Code], runs: &[Run]) -> ById<Run, Run> {
    let mut list = ById::default();
    for run in runs {
        let mut first = run.first;
        for same in run.of(codes).chunk_by(|one, next| one.start == next.start) {
            // A part of a run is not longer than the run.
            let len = u32::try_from(same.len()).unwrap_or(run.len);
            list.push(Run { first, len });
            let Some(next) = CodeId::new(first.index().saturating_add(same.len())) else { break };
            first = next;
        }
    }
    list
}

/// The addresses of the codes of one start.
fn reach(codes: &[Code], of: Id<Run>) -> Option<AddressRange<Id<Run>>> {
    let end = codes.iter().map(|code| code.end).max()?;
    Some(AddressRange { first: codes.first()?.start, last: end.saturating_sub(1), of })
}

/// Runs of codes whose places overlap; `codes` are sorted by their start.
fn clusters(codes: &ById<Code, Code>) -> Vec<Cluster> {
    let mut list: Vec<Cluster> = Vec::new();
    for (first, code) in codes.iter_with_ids() {
        match list.last_mut() {
            Some(cluster) if code.start < cluster.end => {
                cluster.end = code.end.max(cluster.end);
                cluster.run.len = cluster.run.len.saturating_add(1);
            }
            _ => list.push(Cluster { start: code.start, end: code.end, run: Run { first, len: 1 } }),
        }
    }
    list
}
