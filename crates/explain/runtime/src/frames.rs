//! Whose code the frames of a stack are, and what a stack is doing, worked out once for all stacks.
//!
//! A frame is the user's own where its module is neither the runtime's nor a known package's; the names are data, in
//! `frames.txt`. Stacks are a tree, so each node takes over what its caller has: one pass over the nodes answers for
//! every sample. Nothing here knows a service.

use model::{NO_ID, Sym, Trace};

/// Whose code a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The service's own.
    User,
    /// A package that many services use.
    Library,
    /// Compiled at run time from expressions: ASP.NET Core's handlers end so.
    Dynamic,
    /// The runtime and what comes with it.
    Framework,
    /// An address without a name.
    Unknown,
}

/// What a stack is doing, as bits of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks(u16);

impl Marks {
    /// Work of the thread pool.
    pub const WORK: Self = Self(1);
    /// A request of ASP.NET Core.
    pub const REQUEST: Self = Self(1 << 1);
    /// The host that runs the service: its start waits for its end.
    pub const HOST: Self = Self(1 << 2);
    /// A regular expression.
    pub const REGEX: Self = Self(1 << 3);
    /// Writing of log lines.
    pub const LOGGING: Self = Self(1 << 4);
    /// Throwing, unwinding and describing of exceptions.
    pub const EXCEPTION: Self = Self(1 << 5);
    /// What runs once, at first use.
    pub const INITIALISATION: Self = Self(1 << 6);
    /// Making of code at run time.
    pub const COMPILE: Self = Self(1 << 7);
    /// A gate that tasks wait at: SemaphoreSlim, Channel.
    pub const GATE: Self = Self(1 << 8);
    /// A call for a collection.
    pub const COLLECT: Self = Self(1 << 9);
    /// The program's entry point, in any of its forms.
    pub const ENTRY: Self = Self(1 << 10);
    /// A client of a database.
    pub const DATABASE: Self = Self(1 << 11);
    /// An outgoing HTTP call.
    pub const HTTP: Self = Self(1 << 12);

    const NAMES: [(&'static str, Self); 12] = [
        ("work", Self::WORK),
        ("request", Self::REQUEST),
        ("host", Self::HOST),
        ("regex", Self::REGEX),
        ("logging", Self::LOGGING),
        ("exception", Self::EXCEPTION),
        ("initialisation", Self::INITIALISATION),
        ("compile", Self::COMPILE),
        ("gate", Self::GATE),
        ("collect", Self::COLLECT),
        ("database", Self::DATABASE),
        ("http", Self::HTTP),
    ];

    /// Whether all of `other` is in it.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The names of `frames.txt`.
#[derive(Debug, Default)]
struct Names {
    framework: Vec<&'static str>,
    library: Vec<&'static str>,
    marks: Vec<(&'static str, Marks)>,
}

impl Names {
    fn built_in() -> Self {
        let mut names = Self::default();
        for line in include_str!("frames.txt").lines().filter(|line| !line.starts_with('#')) {
            let Some((kind, rest)) = line.split_once(' ') else { continue };
            match kind {
                "framework" => names.framework.push(rest),
                "library" => names.library.push(rest),
                "mark" => {
                    let Some((what, method)) = rest.split_once(' ') else { continue };
                    let mark = Marks::NAMES.iter().find(|(name, _)| *name == what);
                    names.marks.extend(mark.map(|(_, mark)| (method, *mark)));
                }
                _ => {}
            }
        }
        names
    }

    fn owner(&self, module: &str, class: &str, method: Option<&str>) -> Owner {
        let in_list = |list: &[&str]| list.iter().any(|pattern| matches(pattern, module));
        match method {
            None => Owner::Unknown,
            // Code of compiled expressions; regular expressions are compiled so too, and are the framework's.
            Some(method) if class == "dynamicClass" => {
                if method.starts_with("Regex") {
                    Owner::Framework
                } else {
                    Owner::Dynamic
                }
            }
            Some(_) if in_list(&self.framework) => Owner::Framework,
            Some(_) if in_list(&self.library) => Owner::Library,
            Some(_) => Owner::User,
        }
    }

    fn marks(&self, class: &str, method: &str) -> Marks {
        let name = if class == "dynamicClass" { format!(".{method}") } else { format!("{class}.{method}") };
        let found = self.marks.iter().filter(|(pattern, _)| matches(pattern, &name));
        let marks = found.fold(Marks::default(), |marks, (_, mark)| marks.with(*mark));
        if is_entry(class, method) { marks.with(Marks::ENTRY) } else { marks }
    }
}

/// Types whose methods are waits, or run other code on their way.
const WAITS: [&str; 12] = [
    "System.Threading.Thread",
    "System.Threading.Monitor",
    "System.Threading.WaitHandle",
    "System.Threading.ManualResetEventSlim",
    "System.Threading.SemaphoreSlim",
    "System.Threading.Lock",
    "System.Threading.LowLevel*",
    "System.Threading.Tasks.Task",
    "System.Threading.ExecutionContext",
    "System.Runtime.CompilerServices.TaskAwaiter*",
    "System.Runtime.CompilerServices.Async*",
    "Interop*",
];

/// Whether a name is the pattern's: whole, or from its beginning (`A*`) or its end (`*A`) on.
fn matches(pattern: &str, name: &str) -> bool {
    match (pattern.strip_suffix('*'), pattern.strip_prefix('*')) {
        (Some(start), _) => name.starts_with(start),
        (None, Some(end)) => name.ends_with(end),
        (None, None) => name == pattern,
    }
}

/// Whether a method is the program's entry point: `Main`, top-level statements, or the state machine of either.
fn is_entry(class: &str, method: &str) -> bool {
    matches!(method, "Main" | "<Main>$" | "<Main>")
        || method == "MoveNext" && (class.contains("+<Main>d__") || class.contains("+<<Main>$>d__"))
}

/// What is known of each stack: whose frames it has, and what it is doing.
#[derive(Debug)]
pub struct StackIndex {
    owners: Vec<Owner>,
    entries: Vec<bool>,
    marks: Vec<Marks>,
    user: Vec<u32>,
    dynamic: Vec<u32>,
    library: Vec<u32>,
}

impl StackIndex {
    /// Looks at every frame once and at every stack once.
    pub fn new(recording: &Trace) -> Self {
        let names = Names::built_in();
        let frames = &recording.frames;
        let text = |list: &[Sym], at: usize| list.get(at).and_then(|sym| recording.strings.get(*sym));
        let mut owners = Vec::with_capacity(frames.name.len());
        let mut frame_marks = Vec::with_capacity(frames.name.len());
        for at in 0..frames.name.len() {
            let class = text(&frames.declaring_type, at).unwrap_or_default();
            let method = text(&frames.method, at);
            owners.push(names.owner(text(&frames.module, at).unwrap_or_default(), class, method));
            frame_marks.push(names.marks(class, method.unwrap_or_default()));
        }
        let nodes = recording.stacks.len();
        let mut index = Self {
            entries: frame_marks.iter().map(|marks| marks.has(Marks::ENTRY)).collect(),
            owners,
            marks: Vec::with_capacity(nodes),
            user: Vec::with_capacity(nodes),
            dynamic: Vec::with_capacity(nodes),
            library: Vec::with_capacity(nodes),
        };
        for (parent, frame) in recording.stacks.parent.iter().zip(&recording.stacks.frame) {
            let (at, caller) = (*frame as usize, *parent as usize);
            let owner = index.owners.get(at).copied().unwrap_or(Owner::Unknown);
            let own = |of: Owner, list: &[u32]| {
                if owner == of { *frame } else { list.get(caller).copied().unwrap_or(NO_ID) }
            };
            let (user, dynamic) = (own(Owner::User, &index.user), own(Owner::Dynamic, &index.dynamic));
            let library = own(Owner::Library, &index.library);
            let of_caller = index.marks.get(caller).copied().unwrap_or_default();
            index.marks.push(of_caller.with(frame_marks.get(at).copied().unwrap_or_default()));
            index.user.push(user);
            index.dynamic.push(dynamic);
            index.library.push(library);
        }
        index
    }

    /// What a stack is doing.
    pub fn marks(&self, stack: u32) -> Marks {
        self.marks.get(stack as usize).copied().unwrap_or_default()
    }

    /// Whose code a frame is.
    pub fn owner(&self, frame: u32) -> Owner {
        self.owners.get(frame as usize).copied().unwrap_or(Owner::Unknown)
    }

    /// The innermost frame of the user's own code.
    pub fn user_frame(&self, stack: u32) -> Option<u32> {
        self.user.get(stack as usize).copied().filter(|frame| *frame != NO_ID)
    }

    /// The frame to name for a stack: the user's innermost, else the method made at run time that a handler was
    /// inlined into, else the innermost of a package.
    pub fn blamed_frame(&self, stack: u32) -> Option<u32> {
        let of = |list: &[u32]| list.get(stack as usize).copied().filter(|frame| *frame != NO_ID);
        of(&self.user).or_else(|| of(&self.dynamic)).or_else(|| of(&self.library))
    }

    /// Where none of these is in a stack: the innermost frame around the wait itself, which at least says what asked.
    pub fn asking_frame(&self, recording: &Trace, stack: u32) -> Option<u32> {
        let frames = &recording.frames;
        let is_wait = |frame: u32| {
            let class =
                frames.declaring_type.get(frame as usize).map_or("", |sym| recording.strings.text(*sym));
            WAITS.iter().any(|pattern| matches(pattern, class)) || self.owner(frame) == Owner::Unknown
        };
        let nodes = recording.stacks.walk(stack);
        let mut nodes = nodes.filter_map(|node| recording.stacks.frame.get(node as usize).copied());
        nodes.find(|frame| !is_wait(*frame))
    }

    /// The name of the frame to name for a stack; of one that only the framework is in, of what asked for the wait.
    pub fn named_frame(&self, recording: &Trace, stack: u32) -> Sym {
        let innermost = || recording.stacks.frame.get(stack as usize).copied();
        let frame =
            self.blamed_frame(stack).or_else(|| self.asking_frame(recording, stack)).or_else(innermost);
        frame.and_then(|frame| recording.frames.name.get(frame as usize).copied()).unwrap_or(Sym::NONE)
    }

    /// Whether the user's innermost frame is the entry point: a program that waits for its own end.
    pub fn waits_in_entry(&self, stack: u32) -> bool {
        let in_entry = |frame: u32| self.entries.get(frame as usize).copied().unwrap_or(false);
        self.user_frame(stack).is_some_and(in_entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::tests::{recording, stack};

    #[test]
    fn a_frame_is_the_users_where_it_is_nobody_elses() {
        let names = Names::built_in();
        let check = |module, class, method, expected| {
            assert_eq!(names.owner(module, class, method), expected, "{module}!{class}.{method:?}");
        };
        check("Shop", "Shop.Cart", Some("Add"), Owner::User);
        check("System.Linq", "System.Linq.Enumerable", Some("Sum"), Owner::Framework);
        check("Serilog.Sinks.File", "Serilog.Sink", Some("Emit"), Owner::Library);
        check(
            "Anonymously Hosted DynamicMethods Assembly",
            "dynamicClass",
            Some("lambda_method7"),
            Owner::Dynamic,
        );
        check(
            "Anonymously Hosted DynamicMethods Assembly",
            "dynamicClass",
            Some("Regex3_Scan"),
            Owner::Framework,
        );
        check("Shop", "", None, Owner::Unknown);
    }

    #[test]
    fn an_entry_point_is_known_in_all_its_forms_and_a_lambda_in_it_is_none() {
        let check =
            |class, method, expected| assert_eq!(is_entry(class, method), expected, "{class}.{method}");
        check("Shop.Program", "Main", true);
        check("Program", "<Main>$", true);
        check("Program+<<Main>$>d__0", "MoveNext", true);
        check("Shop.Program+<Main>d__3", "MoveNext", true);
        check("Program+<>c", "<<Main>$>b__0_4", false);
    }

    #[test]
    fn every_line_of_the_names_is_read() {
        let lines = include_str!("frames.txt").lines().filter(|line| !line.starts_with('#')).count();
        let names = Names::built_in();
        assert_eq!(names.framework.len() + names.library.len() + names.marks.len(), lines);
    }

    #[test]
    fn a_stack_names_the_users_frame_before_a_packages_and_knows_what_it_does() {
        let mut recording = recording(1);
        let own =
            stack(&mut recording, &["Shop!Main", "Shop!Price", "Npgsql!Read", "System.Private.CoreLib!Wait"]);
        let package = stack(&mut recording, &["Npgsql!Read", "System.Private.CoreLib!Wait"]);
        let index = StackIndex::new(&recording);
        let name = |stack| {
            let frame = index.blamed_frame(stack)? as usize;
            recording.strings.get(*recording.frames.name.get(frame)?)
        };
        assert_eq!(name(own), Some("Shop!Price"));
        assert_eq!(name(package), Some("Npgsql!Read"));
        assert!(index.marks(own).has(Marks::ENTRY) && !index.marks(package).has(Marks::ENTRY));
        assert!(!index.waits_in_entry(own));
    }

    #[test]
    fn a_stack_of_the_framework_alone_is_named_by_its_innermost_frame() {
        let mut recording = recording(1);
        let mixed = stack(&mut recording, &["Shop!Main", "Shop!Price", "System.Private.CoreLib!Sleep"]);
        let alone = stack(&mut recording, &["System.Net.Sockets!Wait", "System.Net.Sockets!Loop"]);
        let index = StackIndex::new(&recording);
        let name = |stack| recording.strings.text(index.named_frame(&recording, stack));
        assert_eq!((name(mixed), name(alone)), ("Shop!Price", "System.Net.Sockets!Loop"));
        assert_eq!(index.named_frame(&recording, NO_ID), Sym::NONE);
    }
}
