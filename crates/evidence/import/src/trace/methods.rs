//! Addresses to methods, by the time at which the code lay there.
//!
//! Code is loaded, unloaded and its place used again, so an address alone does not name a method: the time does. Most
//! places hold one method for ever and need no time; the others are found out once, when all is read.

use super::kinds::shortened;
use super::memory::{At, Lies, Memory};
use super::rawstacks::{NO_STACK, RawStacks};
use base::bytes::utf16_text;
use model::{Frame, NO_ID, Strings, Sym, Trace};
use rustc_hash::{FxHashMap, FxHashSet};

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
/// Codes looked at for the frames of places that were used again: so many, and so many for each event. Recordings that
/// compile all the time take one or two an event.
const MOST_LOOKS: usize = 20_000_000;
const MOST_LOOKS_EACH: usize = 4;
/// Frames named once for each time at which they changed: so many, and so many for each event.
const MOST_NAMED: usize = 20_000_000;
const MOST_NAMED_EACH: usize = 32;
const TOO_MANY_NAMED: &str = "stack in code that changes all the time: later ones have no names";
const TOO_MANY_LOOKS: &str =
    "code that lies in the place of much other code: later frames there have no name";
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
    live: FxHashMap<u64, usize>,
    modules: FxHashMap<u64, Sym>,
    /// Modules that were unloaded, for the methods they had.
    unloaded: FxHashMap<u64, Sym>,
    /// Names of files that were told of before their methods, by their path in lower case.
    spellings: FxHashMap<String, Sym>,
    /// Modules of which a method was told.
    told_by_method: FxHashSet<u64>,
    /// Where code begins of which neither length nor module was told.
    entries: FxHashMap<u64, (CodeName, Sym)>,
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
    /// Several in turn: codes of this part of the sorted list.
    Several(u32, u32),
}

/// The code of one process.
struct Book {
    methods: Methods,
    codes: Vec<Code>,
    /// Parts of `codes` whose places overlap, as (start, end) and first and last-but-one index.
    clusters: Vec<(u64, u64, u32, u32)>,
    /// The frames of the codes that are in a stack.
    frames: Vec<u32>,
    /// Times at which code changed at places that were used again.
    changes: Vec<i64>,
    /// The frames of addresses that need no time.
    places: FxHashMap<u64, u32>,
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
        Self { methods, codes, clusters, frames, changes, places: FxHashMap::default() }
    }

    fn place(&self, address: u64) -> Place {
        let after = self.clusters.partition_point(|(start, ..)| *start <= address);
        let Some((_, end, first, last)) = after.checked_sub(1).and_then(|at| self.clusters.get(at)) else {
            return Place::Unknown;
        };
        match last - first {
            _ if address >= *end => Place::Unknown,
            1 => Place::One(*first),
            _ => Place::Several(*first, *last),
        }
    }

    /// The code at an address at a time: the one loaded last before it and not unloaded yet; where times do not meet
    /// (an event is written a little after the fact), the nearest later, else the last one.
    fn code_at(&self, address: u64, ns: i64, first: u32, last: u32) -> Option<u32> {
        let codes = self.codes.get(first as usize..last as usize).unwrap_or_default();
        let here = || codes.iter().zip(first..).filter(|(code, _)| (code.start..code.end).contains(&address));
        let in_time = here().filter(|(code, _)| code.loaded_ns <= ns && ns < code.unloaded_ns);
        let found = in_time
            .max_by_key(|(code, _)| code.loaded_ns)
            .or_else(|| here().filter(|(code, _)| code.loaded_ns > ns).min_by_key(|(code, _)| code.loaded_ns))
            .or_else(|| here().max_by_key(|(code, _)| code.unloaded_ns));
        found.map(|(_, at)| at)
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
    frame_numbers: FxHashMap<(Sym, Sym), u32>,
    unknown_frame: u32,
    /// Per raw node: its row of `stacks`, where no time is needed.
    fixed: Vec<u32>,
    by_epoch: FxHashMap<(u32, Epoch), u32>,
    /// How many codes may still be looked at where several lie in one place, in all processes together.
    left: usize,
    /// How many frames `by_epoch` may hold.
    most_named: usize,
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
        let events = recording.events.len();
        let mut naming = Self {
            books,
            memory,
            frame_numbers: FxHashMap::default(),
            unknown_frame,
            fixed: Vec::new(),
            by_epoch: FxHashMap::default(),
            left: events.saturating_mul(MOST_LOOKS_EACH).saturating_add(MOST_LOOKS),
            most_named: events.saturating_mul(MOST_NAMED_EACH).saturating_add(MOST_NAMED),
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
            Place::Several(..) => NO_ID,
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
            Place::Several(first, last) => {
                let found = self.spend((last - first) as usize, recording);
                let book = found.and_then(|()| self.books.get(process as usize));
                book.and_then(|book| book.code_at(address, ns, first, last))
            }
        };
        code.map_or(self.unknown_frame, |code| self.frame_of(process, code, recording))
    }

    /// The row of `stacks` for a raw node seen at a time.
    pub(crate) fn stack(&mut self, node: u32, ns: i64, raw: &RawStacks, recording: &mut Trace) -> u32 {
        match self.fixed.get(node as usize) {
            None => return NO_ID,
            Some(row) if *row != NO_ID => return *row,
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
            recording.lost.damage.note(TOO_MANY_NAMED, 0);
            return recording.stacks.child(NO_ID, self.unknown_frame);
        }
        for at in path.into_iter().rev() {
            let address = raw.address.get(at as usize).copied().unwrap_or(0);
            let frame = self.frame_at(process, address, ns, recording);
            row = recording.stacks.child(row, frame);
            self.by_epoch.insert((at, epoch), row);
        }
        row
    }

    /// Takes so many looks from those that are left. `None` if there are too few: a file whose codes all lie in one place
    /// would else cost the square of its size.
    fn spend(&mut self, looks: usize, recording: &mut Trace) -> Option<()> {
        if let Some(left) = self.left.checked_sub(looks) {
            self.left = left;
            return Some(());
        }
        recording.lost.damage.note(TOO_MANY_LOOKS, 0);
        None
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
