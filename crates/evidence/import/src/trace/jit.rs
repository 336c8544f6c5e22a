//! Events about code and modules: the table `jit`, and the methods that stacks are named by.

use super::budget::{MAP, of};
use super::code::{ALWAYS, Code, Methods, NEVER};
use super::kinds::CodeEvent;
use super::rawstacks::RawStack;
use super::seen::Seen;
use base::number::saturated;
use base::seeded::SeededMap;
use model::{Jit, JitRow, Lost, NO_INT, Strings, Sym, ThreadId, or_none};

/// No method has more bytes of code; damage wrote what is larger.
const MAX_CODE_BYTES: i64 = 1 << 28;

/// Code loaded while recording, to be named when modules are known.
#[derive(Debug, Default)]
pub(crate) struct Loads(Vec<(Code, JitRow<RawStack>)>);

impl Loads {
    /// About how many bytes it takes; its rows are made at the end.
    pub(crate) fn kept_bytes(&self) -> usize {
        of(self.0.len(), size_of::<(Code, JitRow<RawStack>)>().saturating_add(size_of::<JitRow<RawStack>>()))
    }

    /// Makes the rows.
    pub(crate) fn finish(self, methods: &Methods, strings: &mut Strings, jit: &mut Jit<RawStack>) {
        for (code, row) in self.0 {
            let method = methods.full_name(&code, strings);
            jit.push(JitRow { method: strings.intern(&method), ..row });
        }
    }
}

/// What events about code fill, of the process that they are of.
#[derive(Debug)]
pub(crate) struct CodeTables<'a> {
    pub(crate) methods: &'a mut Methods,
    pub(crate) loads: &'a mut Loads,
    pub(crate) strings: &'a mut Strings,
    pub(crate) lost: &'a mut Lost,
}

#[derive(Debug, Clone, Copy)]
struct JitStart {
    ns: i64,
    il_bytes: i64,
    stack: Option<RawStack>,
}

/// Methods that are being compiled, by thread and method.
#[derive(Debug, Default)]
pub(crate) struct JitStarts(SeededMap<(ThreadId, i64), JitStart>);

impl JitStarts {
    /// Begins a stream: what was being compiled in the last one has no end here.
    pub(crate) fn begin_stream(&mut self) {
        self.0 = SeededMap::default();
    }

    /// About how many bytes it takes.
    pub(crate) fn kept_bytes(&self) -> usize {
        of(self.0.len(), MAP * (17 + size_of::<JitStart>()))
    }

    /// Takes an event about code or a module.
    pub(crate) fn take(&mut self, event: CodeEvent, seen: &Seen<'_>, mut tables: CodeTables<'_>) {
        let fields = &seen.fields;
        match event {
            CodeEvent::JitStart => {
                let Some(method) = fields.int("MethodID") else { return };
                let il_bytes = or_none(fields.int("MethodILSize"));
                self.0.insert((seen.thread, method), JitStart { ns: seen.ns, il_bytes, stack: seen.stack });
            }
            CodeEvent::MethodLoad => self.load(seen, tables),
            CodeEvent::MethodUnload => {
                let code = tables.code(seen, ALWAYS, seen.ns);
                tables.methods.unload(code);
            }
            CodeEvent::MethodRundown => {
                let code = tables.code(seen, ALWAYS, NEVER);
                tables.methods.load(code);
            }
            CodeEvent::MethodEntry => tables.entry(seen),
            CodeEvent::Module => {
                let Some(id) = fields.int("ModuleID") else { return };
                let path = fields.text("ModuleILPath").filter(|path| !path.is_empty());
                let path = path.or_else(|| fields.text("ModuleNativePath")).unwrap_or_default();
                tables.methods.module(id.cast_unsigned(), &path, tables.strings);
            }
            CodeEvent::ModuleUnload => {
                let Some(id) = fields.int("ModuleID") else { return };
                tables.methods.module_unload(id.cast_unsigned());
            }
        }
    }

    fn load(&mut self, seen: &Seen<'_>, mut tables: CodeTables<'_>) {
        let code = tables.code(seen, seen.ns, NEVER);
        let start = seen.fields.int("MethodID").and_then(|method| self.0.remove(&(seen.thread, method)));
        let bytes = saturated(code.end.saturating_sub(code.start));
        let native_bytes = or_none(seen.possible(bytes, 0..=MAX_CODE_BYTES, tables.lost));
        let row = JitRow {
            ts_ns: start.map_or(seen.ns, |start| start.ns),
            dur_ns: start.map_or(NO_INT, |start| seen.ns.saturating_sub(start.ns)),
            thread: seen.thread,
            method: Sym::NONE,
            il_bytes: start.map_or(NO_INT, |start| start.il_bytes),
            native_bytes,
            tier: code.tier,
            // The start has the stack of whoever called the method first.
            stack: start.and_then(|start| start.stack).or(seen.stack),
        };
        tables.methods.load(code);
        tables.loads.0.push((code, row));
    }
}

impl CodeTables<'_> {
    fn code(&mut self, seen: &Seen<'_>, loaded_ns: i64, unloaded_ns: i64) -> Code {
        let fields = &seen.fields;
        // Code whose start or size is missing is empty, and so in no stack.
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
            tier: tier.map_or(Sym::NONE, |tier| self.strings.intern(tier)),
        }
    }

    /// Code that was compiled ahead of time, when it is first used.
    fn entry(&mut self, seen: &Seen<'_>) {
        let fields = &seen.fields;
        let Some(start) = fields.int("EntryPoint").filter(|start| *start != 0) else { return };
        let text = |name| fields.utf16(name).unwrap_or_default();
        let (namespace, name) = (text("MethodNamespace"), text("MethodName"));
        let name = self.methods.keep_name(namespace, name, text("MethodSignature"));
        let tier = self.strings.intern("ReadyToRun");
        self.methods.entry(start.cast_unsigned(), name, tier);
    }
}

/// How code was made, from the flags of its load: bits 7 to 9 if the runtime sets them, else whether it was compiled
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
