//! The code of one process: what was loaded, where and for how long, and its methods' names.
//!
//! Code is loaded, unloaded and its place used again, so an address alone does not name a method: the time does.
//! `naming` finds the code at an address at a time.

use super::budget::{MAP, of};
use super::kinds::shortened;
use base::bytes::utf16_text;
use base::seeded::{SeededMap, SeededSet};
use model::{Frame, Strings, Sym};

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

/// Code that was compiled ahead of time is taken to be no longer than this if its length is not known.
const MAX_ENTRY: u64 = 16 << 10;
/// Code of one image has other code of it this near.
const SAME_IMAGE: u64 = 64 << 10;
/// The module of code whose module is not known.
const NO_MODULE: u64 = 0;

/// Before the recording began.
pub(crate) const ALWAYS: i64 = i64::MIN;
/// After it ended.
pub(crate) const NEVER: i64 = i64::MAX;

/// All code that events named.
#[derive(Debug, Default)]
pub(crate) struct Methods {
    codes: Vec<Code>,
    names: Vec<u8>,
    /// The code that was loaded last at a start, to end it when it is unloaded.
    live: SeededMap<u64, usize>,
    modules: SeededMap<u64, Sym>,
    /// Modules that were unloaded, for the methods they had.
    unloaded: SeededMap<u64, Sym>,
    /// Names of files that were named before any of their methods, by their path in lower case.
    spellings: SeededMap<String, Sym>,
    /// Bytes of their paths.
    spelling_bytes: usize,
    /// Modules of which a method was named.
    in_use: SeededSet<u64>,
    /// Where code begins whose length and module are not known.
    entries: SeededMap<u64, (CodeName, Sym)>,
}

impl Methods {
    /// Names a module, spelled as TraceEvent does, so that names are equal: in lower case if it comes before any of its
    /// methods, else as the loader writes it.
    pub(crate) fn module(&mut self, id: u64, path: &str, strings: &mut Strings) {
        if self.modules.contains_key(&id) || path.is_empty() {
            return;
        }
        let lower = path.to_lowercase();
        let name = if self.in_use.contains(&id) {
            strings.intern(module_name(path))
        } else {
            *self.spellings.entry(lower.clone()).or_insert_with(|| strings.intern(module_name(&lower)))
        };
        self.spelling_bytes = self.spelling_bytes.saturating_add(lower.len());
        self.spellings.entry(lower).or_insert(name);
        self.modules.insert(id, name);
    }

    /// A module was unloaded. If its number comes again, that is another module.
    pub(crate) fn module_unload(&mut self, id: u64) {
        if let Some(name) = self.modules.remove(&id) {
            self.unloaded.insert(id, name);
        }
    }

    fn module_name_of(&self, id: u64) -> Option<Sym> {
        self.modules.get(&id).or_else(|| self.unloaded.get(&id)).copied()
    }

    /// Code was loaded, or (`loaded_ns` is [`ALWAYS`]) the rundown says that it is there. Its name must be the one that was
    /// kept last.
    pub(crate) fn load(&mut self, code: Code) {
        self.in_use.insert(code.module);
        if let Some(known) = self.live.get(&code.start).and_then(|at| self.codes.get_mut(*at)) {
            let same = known.end == code.end && same_name(&self.names, known.name, code.name);
            if same && known.unloaded_ns == NEVER {
                // Each rundown of an exhibit repeats it; its name is kept once.
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

    /// Code begins here; its length and its module are not known.
    pub(crate) fn entry(&mut self, start: u64, name: CodeName, tier: Sym) {
        self.entries.insert(start, (name, tier));
    }

    /// Takes all code out, by its start and then by when it was loaded.
    pub(crate) fn take_codes(&mut self) -> Vec<Code> {
        let mut codes = std::mem::take(&mut self.codes);
        codes.retain(|code| code.end > code.start);
        codes.sort_by_key(|code| (code.start, code.loaded_ns));
        self.add_entries(&mut codes);
        codes
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
            let limit = start.saturating_add(MAX_ENTRY);
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
        // The container counts the bytes of a payload in 32 bits.
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
            self.modules.len().saturating_add(self.unloaded.len()).saturating_add(self.in_use.len());
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

    /// Whether no event named any code.
    pub(crate) fn is_empty(&self) -> bool {
        self.codes.is_empty() && self.entries.is_empty()
    }

    /// The frame that stacks have for the code.
    pub(crate) fn frame(&self, code: &Code, strings: &mut Strings) -> Frame {
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
        let found: Vec<_> = codes.iter().map(|code| (code.start, code.end, code.module)).collect();
        assert_eq!(
            found,
            [
                (0x1000, 0x1100, 7),
                (0x1200, 0x1300, 7),
                (0x1300, 0x1300 + MAX_ENTRY, 7),
                (0x8f00, 0x9000, 8),
                (0x9000, 0x9100, 8),
                (0x0900_0000, 0x0900_0000 + MAX_ENTRY, NO_MODULE),
            ]
        );
    }

    #[test]
    fn a_module_s_name_is_not_repeated_at_any_length_in_every_method() {
        assert_eq!(module_name("/a/b.c.ni.DLL"), "b.c");
        assert_eq!(module_name(&format!("/a/{}.dll", "ä".repeat(30_000))).len(), 1024);
    }
}
