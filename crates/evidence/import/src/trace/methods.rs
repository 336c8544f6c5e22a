//! Addresses to methods, by the time at which the code lay there.
//!
//! Code is loaded, unloaded and its place used again, so an address alone does not name a method: the time does. Most
//! places hold one method for ever and need no time; the others are found out once, when all is read.

use super::budget::{MAP, of};
use super::kinds::shortened;
use super::memory::{At, Lies, Memory};
use super::ranges::Ranges;
use super::rawstacks::{NO_STACK, RawStacks};
use base::bytes::utf16_text;
use base::seeded::{SeededMap, SeededSet};
use model::{Frame, NO_ID, Strings, Sym, Trace};

/// Code of a method at a place, for a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) loaded_ns: i64,
    pub(crate) unloaded_ns: i64,
    pub(crate) module: u64,
    pub(crate) name: CodeName,
    pub(crate) tier: Sym,
}

/// Where the name of a method lies among the kept texts: its type, its own name and its signature one after another,
/// as 16-bit units. Most methods of a rundown are in no stack, so a name becomes text only when it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CodeName {
    start: usize,
    namespace: u32,
    name: u32,
    signature: u32,
}

/// A method's name as texts.
struct NameTexts {
    namespace: String,
    name: String,
    /// What it takes, in parentheses; what it gives back is left out.
    arguments: String,
}

/// Code that was compiled ahead of time is at most this long where nothing tells its length.
const MOST_ENTRY: u64 = 16 << 10;
/// Code of one image has other code of it this near.
const SAME_IMAGE: u64 = 64 << 10;
/// Codes of one start that are looked at on each side of a time: one that ended before the next was loaded there, or
/// whose end was not told, is followed by the right one.
const MOST_LOOKS: usize = 16;
/// Frames named once for each time at which they changed, each of about 70 bytes: so many, and one for so many bytes of
/// the recording. Recordings have none, or some thousands.
const MOST_NAMED: usize = 1 << 20;
const BYTES_A_NAMED: u64 = 64;
const TOO_MANY_NAMED: &str = "stack in code that changes all the time: later ones have no names";
const TOO_MANY_STARTS: &str = "address in code of more than 64 different starts: frames there have no name";
/// A module of which nothing is told.
const NO_MODULE: u64 = 0;

/// Before the recording began.
pub(crate) const ALWAYS: i64 = i64::MIN;
/// After it ended.
pub(crate) const NEVER: i64 = i64::MAX;

/// All code that was told of.
#[derive(Debug, Default)]
pub(crate) struct Methods {
    codes: Vec<Code>,
    names: Vec<u8>,
    /// The code that was loaded last at a start, to end it when it is unloaded.
    live: SeededMap<u64, usize>,
    modules: SeededMap<u64, Sym>,
    /// Modules that were unloaded, for the methods they had.
    unloaded: SeededMap<u64, Sym>,
    /// Names of files that were told of before their methods, by their path in lower case.
    spellings: SeededMap<String, Sym>,
    /// Bytes of their paths.
    spelling_bytes: usize,
    /// Modules of which a method was told.
    told_by_method: SeededSet<u64>,
    /// Where code begins of which neither length nor module was told.
    entries: SeededMap<u64, (CodeName, Sym)>,
}

impl Methods {
    /// Names a module, in TraceEvent's spelling, so that names are equal: one that is told of before any of its methods
    /// is in lower case, any other as the loader writes it.
    pub(crate) fn module(&mut self, id: u64, path: &str, strings: &mut Strings) {
        if self.modules.contains_key(&id) || path.is_empty() {
            return;
        }
        let lower = path.to_lowercase();
        let name = if self.told_by_method.contains(&id) {
            strings.intern(module_name(path))
        } else {
            *self.spellings.entry(lower.clone()).or_insert_with(|| strings.intern(module_name(&lower)))
        };
        self.spelling_bytes = self.spelling_bytes.saturating_add(lower.len());
        self.spellings.entry(lower).or_insert(name);
        self.modules.insert(id, name);
    }

    /// A module was unloaded; should it be told of once more, that names it anew.
    pub(crate) fn module_unload(&mut self, id: u64) {
        if let Some(name) = self.modules.remove(&id) {
            self.unloaded.insert(id, name);
        }
    }

    fn module_name_of(&self, id: u64) -> Option<Sym> {
        self.modules.get(&id).or_else(|| self.unloaded.get(&id)).copied()
    }

    /// Code was loaded, or (`loaded_ns` is [`ALWAYS`]) was there when the rundown told of it. Its name is the one that
    /// was kept last.
    pub(crate) fn load(&mut self, code: Code) {
        self.told_by_method.insert(code.module);
        if let Some(known) = self.live.get(&code.start).and_then(|at| self.codes.get_mut(*at)) {
            let same = known.end == code.end && same_name(&self.names, known.name, code.name);
            if same && known.unloaded_ns == NEVER {
                // Each rundown of an exhibit tells of it anew; its name is kept once.
                if code.loaded_ns == ALWAYS {
                    self.names.truncate(code.name.start);
                }
                return;
            }
            if code.loaded_ns != ALWAYS && known.unloaded_ns == NEVER {
                known.unloaded_ns = code.loaded_ns;
            }
        }
        self.live.insert(code.start, self.codes.len());
        self.codes.push(code);
    }

    /// Code begins here; its length and its module are not told.
    pub(crate) fn entry(&mut self, start: u64, name: CodeName, tier: Sym) {
        self.entries.insert(start, (name, tier));
    }

    /// Adds the entries that lie in no code of known length: each up to the next code, with the module of its neighbour
    /// in the same image. `codes` are sorted by their start, before and after.
    fn add_entries(&mut self, codes: &mut Vec<Code>) {
        let mut entries: Vec<(u64, (CodeName, Sym))> =
            std::mem::take(&mut self.entries).into_iter().collect();
        entries.sort_unstable_by_key(|(start, _)| *start);
        let mut added = Vec::new();
        for (at, (start, (name, tier))) in entries.iter().enumerate() {
            let after = codes.partition_point(|code| code.start <= *start);
            let before = after.checked_sub(1).and_then(|at| codes.get(at));
            if before.is_some_and(|code| *start < code.end) {
                continue;
            }
            let next_code = codes.get(after).map(|code| code.start);
            let next_entry = entries.get(at.saturating_add(1)).map(|(start, _)| *start);
            let limit = start.saturating_add(MOST_ENTRY);
            let end = [next_code, next_entry].into_iter().flatten().fold(limit, u64::min);
            let distances = [
                before.map(|code| (start.saturating_sub(code.end), code.module)),
                codes.get(after).map(|code| (code.start.saturating_sub(*start), code.module)),
            ];
            let nearest =
                distances.into_iter().flatten().min().filter(|(distance, _)| *distance <= SAME_IMAGE);
            let module = nearest.map_or(NO_MODULE, |(_, module)| module);
            let (loaded_ns, unloaded_ns) = (ALWAYS, NEVER);
            added.push(Code { start: *start, end, loaded_ns, unloaded_ns, module, name: *name, tier: *tier });
        }
        codes.extend(added);
        codes.sort_by_key(|code| (code.start, code.loaded_ns));
    }

    /// Code was unloaded at its `unloaded_ns`; it may have been there since before the recording.
    pub(crate) fn unload(&mut self, code: Code) {
        match self.live.remove(&code.start).and_then(|at| self.codes.get_mut(at)) {
            Some(known) if known.end == code.end => known.unloaded_ns = code.unloaded_ns,
            _ => self.codes.push(code),
        }
    }

    /// Keeps a method's name: type, own name and signature as 16-bit units.
    pub(crate) fn keep_name(&mut self, namespace: &[u8], name: &[u8], signature: &[u8]) -> CodeName {
        let start = self.names.len();
        for part in [namespace, name, signature] {
            self.names.extend_from_slice(part);
        }
        let len = |part: &[u8]| u32::try_from(part.len()).unwrap_or(0);
        CodeName { start, namespace: len(namespace), name: len(name), signature: len(signature) }
    }

    fn texts(&self, name: CodeName) -> NameTexts {
        let mut at = name.start;
        let mut next = |len: u32| {
            let end = at.saturating_add(len as usize);
            let mut text = String::new();
            utf16_text(self.names.get(at..end).unwrap_or_default(), &mut text);
            at = end;
            text
        };
        let (namespace, own, signature) = (next(name.namespace), next(name.name), next(name.signature));
        let arguments = signature.find('(').map_or("", |at| signature.get(at..).unwrap_or_default());
        NameTexts { namespace, name: own, arguments: arguments.to_owned() }
    }

    /// Full name of a method as stacks show it.
    pub(crate) fn full_name(&self, code: &Code, strings: &Strings) -> String {
        let NameTexts { namespace, name, arguments } = self.texts(code.name);
        let module = self.module_name_of(code.module).map_or("ManagedModule", |sym| strings.text(sym));
        format!("{module}!{namespace}.{name}{arguments}")
    }

    /// About how many bytes it takes.
    pub(crate) fn kept_bytes(&self) -> usize {
        let modules =
            self.modules.len().saturating_add(self.unloaded.len()).saturating_add(self.told_by_method.len());
        [
            size_of_val(self.codes.as_slice()),
            self.names.len(),
            of(self.live.len(), MAP * 17),
            of(self.entries.len(), MAP * 41),
            of(modules, MAP * 17),
            of(self.spellings.len(), MAP * 33).saturating_add(self.spelling_bytes),
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }

    /// Whether any code was told of.
    pub(crate) fn is_empty(&self) -> bool {
        self.codes.is_empty() && self.entries.is_empty()
    }

    fn frame(&self, code: &Code, strings: &mut Strings) -> Frame {
        let module = self.module_name_of(code.module);
        let name = self.full_name(code, strings);
        let texts = self.texts(code.name);
        Frame {
            module: module.unwrap_or_else(|| strings.intern("ManagedModule")),
            declaring_type: strings.intern(&texts.namespace),
            method: strings.intern(&texts.name),
            signature: strings.intern(&texts.arguments),
            name: strings.intern(&name),
            tier: code.tier,
        }
    }
}

/// Whether two kept names are the same.
fn same_name(names: &[u8], left: CodeName, right: CodeName) -> bool {
    let bytes = |name: CodeName| {
        let len = (name.namespace as usize).saturating_add(name.name as usize);
        names.get(name.start..name.start.saturating_add(len))
    };
    left.namespace == right.namespace && bytes(left) == bytes(right)
}

/// A file's name without folder and without the ending of a program or library, as far as it is kept.
pub(crate) fn module_name(path: &str) -> &str {
    let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let stem = match file.rsplit_once('.') {
        Some((stem, ending)) if ending.eq_ignore_ascii_case("dll") || ending.eq_ignore_ascii_case("exe") => {
            stem
        }
        _ => file,
    };
    shortened(stem.strip_suffix(".ni").unwrap_or(stem))
}

/// Which code an address may be.
#[derive(Debug, Clone, Copy)]
enum Place {
    Unknown,
    One(u32),
    /// Several in turn.
    Several,
}

/// The code of one process.
struct Book {
    methods: Methods,
    codes: Vec<Code>,
    /// Parts of `codes` whose places overlap, as (start, end) and first and last-but-one index.
    clusters: Vec<(u64, u64, u32, u32)>,
    /// Codes of one start in such parts, as first and last-but-one index: the later, the later they were loaded.
    starts: Vec<(u32, u32)>,
    /// Where each of `starts` reaches, to find those that an address is in.
    reach: Ranges,
    /// The frames of the codes that are in a stack.
    frames: Vec<u32>,
    /// Times at which code changed at places that were used again.
    changes: Vec<i64>,
    /// The frames of addresses that need no time.
    places: SeededMap<u64, u32>,
}

impl Book {
    fn new(mut methods: Methods, further_changes: &[i64]) -> Self {
        let mut codes = std::mem::take(&mut methods.codes);
        codes.retain(|code| code.end > code.start);
        codes.sort_by_key(|code| (code.start, code.loaded_ns));
        methods.add_entries(&mut codes);
        let clusters = clusters(&codes);
        let mut changes: Vec<i64> = clusters
            .iter()
            .filter(|(_, _, first, last)| last - first > 1)
            .flat_map(|(_, _, first, last)| codes.get(*first as usize..*last as usize).unwrap_or_default())
            .flat_map(|code| [code.loaded_ns, code.unloaded_ns])
            .filter(|ns| *ns != ALWAYS && *ns != NEVER)
            .collect();
        changes.extend_from_slice(further_changes);
        changes.sort_unstable();
        changes.dedup();
        let frames = vec![NO_ID; codes.len()];
        let several = clusters.iter().filter(|(_, _, first, last)| last - first > 1);
        let starts = starts(&codes, several.map(|(_, _, first, last)| (*first, *last)));
        let reach =
            Ranges::new((0u32..).zip(&starts).filter_map(|(at, of)| reach(&codes, *of, at)).collect());
        Self { methods, codes, clusters, starts, reach, frames, changes, places: SeededMap::default() }
    }

    fn place(&self, address: u64) -> Place {
        let after = self.clusters.partition_point(|(start, ..)| *start <= address);
        let Some((_, end, first, last)) = after.checked_sub(1).and_then(|at| self.clusters.get(at)) else {
            return Place::Unknown;
        };
        match last - first {
            _ if address >= *end => Place::Unknown,
            1 => Place::One(*first),
            _ => Place::Several,
        }
    }

    /// The code at an address at a time: the one loaded last before it and not unloaded yet; where times do not meet
    /// (an event is written a little after the fact), the nearest later, else the last one.
    ///
    /// It costs a few steps for each start of code that the address is behind, however much code lay there in turn.
    fn code_at(&self, address: u64, ns: i64) -> Option<u32> {
        let starts = self.reach.at(address);
        let near = || {
            let starts = starts.iter().filter_map(|at| self.starts.get(*at as usize));
            starts.flat_map(|(first, last)| self.near(*first, *last, ns))
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
    fn near(&self, first: u32, last: u32, ns: i64) -> impl Iterator<Item = (u32, &Code)> {
        let codes = self.codes.get(first as usize..last as usize).unwrap_or_default();
        let behind = codes.partition_point(|code| code.loaded_ns <= ns);
        let from = behind.saturating_sub(MOST_LOOKS);
        let skipped = u32::try_from(from).unwrap_or(u32::MAX);
        let looks = behind.saturating_sub(from).saturating_add(MOST_LOOKS);
        // What a rundown told was there before all others, and may still be there.
        let oldest = codes.first().filter(|_| from > 0).map(|code| (first, code));
        oldest.into_iter().chain((first.saturating_add(skipped)..).zip(codes.iter().skip(from).take(looks)))
    }
}

/// How many changes of a process's code and mappings, and how many of symbols, came before a time.
type Epoch = (u32, u32);

/// Names the stacks: raw nodes to rows of `stacks`.
pub(crate) struct Naming {
    /// By the process's number in the recording.
    books: Vec<Book>,
    /// What lies in the memory of all processes, beside the code that the runtime tells of.
    memory: Memory,
    frame_numbers: SeededMap<(Sym, Sym), u32>,
    unknown_frame: u32,
    /// Per raw node: its row of `stacks`, where no time is needed.
    fixed: Vec<u32>,
    by_epoch: SeededMap<(u32, Epoch), u32>,
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
        let books = (0u32..).zip(methods);
        let books = books.map(|(of, methods)| Book::new(methods, &memory.take_changes(of))).collect();
        let bytes = recording.exhibit.bytes;
        let mut naming = Self {
            books,
            memory,
            frame_numbers: SeededMap::default(),
            unknown_frame,
            fixed: Vec::new(),
            by_epoch: SeededMap::default(),
            most_named: usize::try_from(bytes / BYTES_A_NAMED)
                .unwrap_or(usize::MAX)
                .saturating_add(MOST_NAMED),
            is_full: false,
        };
        naming.name_fixed(raw, recording);
        naming
    }

    fn name_fixed(&mut self, raw: &RawStacks, recording: &mut Trace) {
        self.fixed = vec![NO_ID; raw.parent.len()];
        for (node, (parent, address)) in (0u32..).zip(raw.parent.iter().zip(&raw.address)) {
            let above = if *parent == NO_STACK {
                NO_ID
            } else {
                match self.fixed.get(*parent as usize) {
                    Some(row) if *row != NO_ID => *row,
                    _ => continue,
                }
            };
            let process = raw.process_of(node);
            let known = self.books.get(process as usize).and_then(|book| book.places.get(address)).copied();
            let frame = known.unwrap_or_else(|| self.fixed_frame(process, *address, recording));
            if frame != NO_ID
                && let Some(row) = self.fixed.get_mut(node as usize)
            {
                *row = recording.stacks.child(above, frame);
            }
        }
    }

    /// The frame of an address, if it needs no time.
    fn fixed_frame(&mut self, process: u32, address: u64, recording: &mut Trace) -> u32 {
        let frame = match self.place(process, address) {
            Place::Unknown => match self.memory.lies(process, address) {
                Lies::Nothing => self.unknown_frame,
                Lies::Always(at) => self.mapped_frame(at, recording),
                Lies::Changes => NO_ID,
            },
            Place::One(code) => self.frame_of(process, code, recording),
            Place::Several => NO_ID,
        };
        if let Some(book) = self.books.get_mut(process as usize) {
            book.places.insert(address, frame);
        }
        frame
    }

    /// The frame of an address at a time.
    fn frame_at(&mut self, process: u32, address: u64, ns: i64, recording: &mut Trace) -> u32 {
        let code = match self.place(process, address) {
            Place::Unknown => {
                let at = self.memory.at(process, address, ns);
                return at.map_or(self.unknown_frame, |at| self.mapped_frame(at, recording));
            }
            Place::One(code) => Some(code),
            Place::Several => {
                let code = self.books.get(process as usize).and_then(|book| book.code_at(address, ns));
                if code.is_none() {
                    // Each address of such a part is in some code, so there was too much of it.
                    recording.lost.damage.note(TOO_MANY_STARTS, 0);
                }
                code
            }
        };
        code.map_or(self.unknown_frame, |code| self.frame_of(process, code, recording))
    }

    /// The row of `stacks` for a raw node seen at a time.
    pub(crate) fn stack(&mut self, node: u32, ns: i64, raw: &RawStacks, recording: &mut Trace) -> u32 {
        match self.fixed.get(node as usize) {
            None => return NO_ID,
            Some(row) if *row != NO_ID => return *row,
            // Nothing more is kept, so a walk over the frames would be in vain.
            Some(_) if self.is_full => return self.unnamed(recording),
            Some(_) => {}
        }
        let process = raw.process_of(node);
        let changes = self.books.get(process as usize).map_or(&[][..], |book| &book.changes);
        let of_code = u32::try_from(changes.partition_point(|change| *change <= ns)).unwrap_or(u32::MAX);
        let epoch = (of_code, self.memory.symbol_epoch(ns));
        // Outwards to the first node that is named already, then back inwards.
        let mut path = Vec::new();
        let mut at = node;
        let mut row = loop {
            if at == NO_STACK {
                break NO_ID;
            }
            let fixed = self.fixed.get(at as usize).copied().unwrap_or(NO_ID);
            if fixed != NO_ID {
                break fixed;
            }
            if let Some(row) = self.by_epoch.get(&(at, epoch)) {
                break *row;
            }
            path.push(at);
            at = raw.parent.get(at as usize).copied().unwrap_or(NO_STACK);
        };
        if self.by_epoch.len().saturating_add(path.len()) > self.most_named {
            // A deep stack whose code changes between any two events would else be kept anew for each of them.
            self.is_full = true;
            return self.unnamed(recording);
        }
        recording.session.work = recording.session.work.saturating_add(path.len() as u64);
        for at in path.into_iter().rev() {
            let address = raw.address.get(at as usize).copied().unwrap_or(0);
            let frame = self.frame_at(process, address, ns, recording);
            row = recording.stacks.child(row, frame);
            self.by_epoch.insert((at, epoch), row);
        }
        row
    }

    /// A stack that is one too many to be named.
    fn unnamed(&self, recording: &mut Trace) -> u32 {
        recording.lost.damage.note(TOO_MANY_NAMED, 0);
        recording.stacks.child(NO_ID, self.unknown_frame)
    }

    pub(crate) fn unknown_frame(&self) -> u32 {
        self.unknown_frame
    }

    fn place(&self, process: u32, address: u64) -> Place {
        self.books.get(process as usize).map_or(Place::Unknown, |book| book.place(address))
    }

    fn frame_of(&mut self, process: u32, code: u32, recording: &mut Trace) -> u32 {
        let at = code as usize;
        let Some(book) = self.books.get_mut(process as usize) else { return self.unknown_frame };
        let (Some(known), Some(code)) = (book.frames.get_mut(at), book.codes.get(at)) else {
            return self.unknown_frame;
        };
        if *known == NO_ID {
            let frame = book.methods.frame(code, &mut recording.strings);
            let number = self.frame_numbers.entry((frame.name, frame.tier));
            *known = *number.or_insert_with(|| recording.frames.push(frame));
        }
        *known
    }

    fn mapped_frame(&mut self, at: At, recording: &mut Trace) -> u32 {
        let Trace { strings, frames, .. } = recording;
        self.memory.frame(at, strings, |frame| {
            let Some(frame) = frame else { return self.unknown_frame };
            *self.frame_numbers.entry((frame.name, frame.tier)).or_insert_with(|| frames.push(frame))
        })
    }
}

/// Runs of codes of one start within parts of the list, which is sorted by start.
fn starts(codes: &[Code], parts: impl Iterator<Item = (u32, u32)>) -> Vec<(u32, u32)> {
    let mut list = Vec::new();
    for (first, last) in parts {
        let mut from = first;
        for at in first.saturating_add(1)..=last {
            let start = |at: u32| codes.get(at as usize).map(|code| code.start);
            if at == last || start(at) != start(from) {
                list.push((from, at));
                from = at;
            }
        }
    }
    list
}

/// First and last address of the codes of one start.
fn reach(codes: &[Code], (first, last): (u32, u32), number: u32) -> Option<(u64, u64, u32)> {
    let codes = codes.get(first as usize..last as usize)?;
    let end = codes.iter().map(|code| code.end).max()?;
    Some((codes.first()?.start, end.saturating_sub(1), number))
}

/// Runs of codes whose places overlap; `codes` are sorted by their start.
fn clusters(codes: &[Code]) -> Vec<(u64, u64, u32, u32)> {
    let mut list: Vec<(u64, u64, u32, u32)> = Vec::new();
    for (code, at) in codes.iter().zip(0u32..) {
        match list.last_mut() {
            Some((_, end, _, last)) if code.start < *end => {
                *end = code.end.max(*end);
                *last = at + 1;
            }
            _ => list.push((code.start, code.end, at, at + 1)),
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_of_unknown_length_ends_at_the_next_and_is_of_its_neighbours_module() {
        let mut methods = Methods::default();
        let name = methods.keep_name(b"", b"", b"");
        let (loaded_ns, unloaded_ns, tier) = (ALWAYS, NEVER, Sym::NONE);
        let known = |start, end, module| Code { start, end, loaded_ns, unloaded_ns, module, name, tier };
        let mut codes = vec![known(0x1000, 0x1100, 7), known(0x9000, 0x9100, 8)];
        for start in [0x1080, 0x1200, 0x1300, 0x8f00, 0x0900_0000] {
            methods.entry(start, name, tier);
        }
        methods.add_entries(&mut codes);
        let told: Vec<_> = codes.iter().map(|code| (code.start, code.end, code.module)).collect();
        assert_eq!(
            told,
            [
                (0x1000, 0x1100, 7),
                (0x1200, 0x1300, 7),
                (0x1300, 0x1300 + MOST_ENTRY, 7),
                (0x8f00, 0x9000, 8),
                (0x9000, 0x9100, 8),
                (0x0900_0000, 0x0900_0000 + MOST_ENTRY, NO_MODULE),
            ]
        );
    }

    #[test]
    fn a_module_s_name_is_not_repeated_at_any_length_in_every_method() {
        assert_eq!(module_name("/a/b.c.ni.DLL"), "b.c");
        assert_eq!(module_name(&format!("/a/{}.dll", "ä".repeat(30_000))).len(), 1024);
    }
}
