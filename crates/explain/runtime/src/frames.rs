//! Whose code the frames of a stack are, and what a stack is doing.
//!
//! A frame is the user's own if its module is neither the runtime's nor a known package's (`frames.txt`). If the user says
//! which code is theirs, only that is. Stacks are a tree, so each node takes over what its caller has, and one pass over the
//! nodes answers for every sample. Nothing here knows a particular service.

use crate::mine::MyCode;
use crate::plumbing::{Plumbing, PlumbingNames, async_frames, async_method, matches};
use model::{ByFrame, ByStack, FrameId, StackId, Sym, Trace};

/// Whose code a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The service's own.
    User,
    /// A package that many services use.
    Library,
    /// Compiled at run time from expressions, as the innermost handlers of ASP.NET Core are.
    Dynamic,
    /// The runtime and what comes with it.
    Framework,
    /// An address without a name.
    Unknown,
}

/// What a stack is doing, as bits of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks(u32);

impl Marks {
    /// Work that the thread pool runs.
    pub const WORK: Self = Self(1);
    /// A request of ASP.NET Core.
    pub const REQUEST: Self = Self(1 << 1);
    /// The host that runs the service, whose start waits for its end.
    pub const HOST: Self = Self(1 << 2);
    /// A regular expression.
    pub const REGEX: Self = Self(1 << 3);
    /// Writing log lines.
    pub const LOGGING: Self = Self(1 << 4);
    /// Throwing, unwinding or describing exceptions.
    pub const EXCEPTION: Self = Self(1 << 5);
    /// Initialisation, which runs once.
    pub const INITIALISATION: Self = Self(1 << 6);
    /// Making code at run time.
    pub const COMPILE: Self = Self(1 << 7);
    /// A gate that tasks wait at: SemaphoreSlim, Channel.
    pub const GATE: Self = Self(1 << 8);
    /// Calling for a collection.
    pub const COLLECT: Self = Self(1 << 9);
    /// The program's entry point, in any of its forms.
    pub const ENTRY: Self = Self(1 << 10);
    /// A client of a database.
    pub const DATABASE: Self = Self(1 << 11);
    /// An outgoing HTTP call.
    pub const HTTP: Self = Self(1 << 12);
    /// Entering a lock that sends no events.
    pub const ENTERING: Self = Self(1 << 13);
    /// Spinning for anything.
    pub const SPIN: Self = Self(1 << 14);
    /// Spinning for a lock.
    pub const SPINNING: Self = Self(1 << 15);

    /// Queueing work for the thread pool.
    pub const QUEUES: Self = Self(1 << 16);

    /// The server calls the service for a request. What it calls works on that request, until an `await`.
    pub const SERVED: Self = Self(1 << 17);

    /// An async method resumes after an `await`, on whatever thread.
    pub const RESUMES: Self = Self(1 << 18);

    const NAMES: [(&'static str, Self); 18] = [
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
        ("entering", Self::ENTERING),
        ("spin", Self::SPIN),
        ("spinning", Self::SPINNING),
        ("queues", Self::QUEUES),
        ("served", Self::SERVED),
        ("resumes", Self::RESUMES),
    ];

    /// Whether it has all marks of `other`.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether a thread spins while it enters a lock.
    pub fn spins_for_lock(self) -> bool {
        self.has(Self::SPINNING) || self.has(Self::ENTERING.with(Self::SPIN))
    }

    /// The marks of both.
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
    stand_ins: Vec<&'static str>,
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
                "stand-in" => names.stand_ins.push(rest),
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

    fn owner(&self, mine: &MyCode, module: &str, class: &str, method: Option<&str>) -> Owner {
        // If the name of the module is missing, the namespace of the type says whose it is.
        let outer = class.split('+').next().unwrap_or(class);
        let known_by = if module == NO_MODULE && !outer.is_empty() { outer } else { module };
        let in_list = |list: &[&str]| list.iter().any(|name| is_of(known_by, name));
        match method {
            None => Owner::Unknown,
            Some(_) if !mine.is_empty() && mine.has(module, class) => Owner::User,
            // Compiled expressions. Regular expressions are compiled like this, too, but are the framework's.
            Some(method) if class == "dynamicClass" => {
                if method.starts_with("Regex") {
                    Owner::Framework
                } else {
                    Owner::Dynamic
                }
            }
            Some(_) if in_list(&self.framework) => Owner::Framework,
            Some(_) if in_list(&self.library) || !mine.is_empty() => Owner::Library,
            Some(_) => Owner::User,
        }
    }

    /// Whether a frame stands for its caller: it has no name, or is where the sampler stops threads.
    fn stands_in(&self, class: &str, method: Option<&str>) -> bool {
        let Some(method) = method else { return true };
        let name = format!("{class}.{method}");
        self.stand_ins.iter().any(|pattern| matches(pattern, &name))
    }

    fn marks(&self, class: &str, method: &str) -> Marks {
        let name = if class == "dynamicClass" { format!(".{method}") } else { format!("{class}.{method}") };
        let found = self.marks.iter().filter(|(pattern, _)| matches(pattern, &name));
        let marks = found.fold(Marks::default(), |marks, (_, mark)| marks.with(*mark));
        if is_entry(class, method) { marks.with(Marks::ENTRY) } else { marks }
    }
}

/// Types whose methods wait, or only pass on to other code.
const WAITS: [&str; 20] = [
    "System.Threading.Thread",
    "System.Threading.Monitor",
    "System.Threading.WaitHandle",
    "System.Threading.ManualResetEventSlim",
    "System.Threading.SemaphoreSlim",
    "System.Threading.Lock",
    "System.Threading.LowLevel*",
    "System.Threading.ReaderWriterLock*",
    "System.Threading.SpinLock",
    "System.Threading.SpinWait",
    "System.Threading.Barrier",
    "System.Threading.CountdownEvent",
    "System.Threading.Tasks.Task",
    "System.Threading.ExecutionContext",
    "System.Runtime.CompilerServices.TaskAwaiter*",
    "System.Runtime.CompilerServices.Async*",
    "System.Runtime.CompilerServices.InitHelpers",
    "System.Runtime.CompilerServices.StaticsHelpers",
    "System.Collections.Concurrent.BlockingCollection*",
    "Interop*",
];

/// The name of modules whose own name is not in the recording.
const NO_MODULE: &str = "ManagedModule";

/// The thread pool itself. It runs what others queued, so it is never named.
const OF_POOL: [&str; 4] = [
    "System.Threading.ThreadPool*",
    "System.Threading.PortableThreadPool*",
    "System.Threading.WindowsThreadPool*",
    "System.Threading._ThreadPoolWaitCallback",
];

/// Whether a module has a listed name, or one that continues it after a dot. Case does not matter, as in names of files.
fn is_of(module: &str, name: &str) -> bool {
    let Some((start, rest)) = module.split_at_checked(name.len()) else { return false };
    start.eq_ignore_ascii_case(name) && (rest.is_empty() || rest.starts_with('.'))
}

/// Whether a method is the program's entry point: `Main`, top-level statements, or the state machine of either.
fn is_entry(class: &str, method: &str) -> bool {
    matches!(method, "Main" | "<Main>$" | "<Main>")
        || method == "MoveNext" && (class.contains("+<Main>d__") || class.contains("+<<Main>$>d__"))
}

/// What each stack is doing, and the frames to name for it.
#[derive(Debug)]
pub struct StackIndex {
    owners: ByFrame<Owner>,
    stand_ins: ByFrame<bool>,
    plumbing: ByFrame<Option<Plumbing>>,
    /// Which frames are `MoveNext` of an async method.
    asynchronous: ByFrame<bool>,
    entries: ByFrame<bool>,
    marks: ByStack<Marks>,
    /// Whether the server called it (`true`), or it resumed after an `await` (`false`), whichever is further in. `None` if
    /// neither is on the stack.
    served: ByStack<Option<bool>>,
    // The innermost frame of each owner.
    user: ByStack<Option<FrameId>>,
    dynamic: ByStack<Option<FrameId>>,
    library: ByStack<Option<FrameId>>,
    /// Stacks whose outermost frames are missing, in ascending order.
    cut: Vec<StackId>,
    /// Notes on patterns of the user that match no method.
    unmatched: Vec<String>,
}

impl StackIndex {
    /// Makes the index, without patterns of the user.
    pub fn new(recording: &Trace) -> Self {
        Self::with(recording, &MyCode::default())
    }

    /// Makes the index. Takes time in proportion to the frames and the stacks.
    pub fn with(recording: &Trace, mine: &MyCode) -> Self {
        let (names, plumbing_names) = (Names::built_in(), PlumbingNames::built_in());
        let frames = &recording.frames;
        let text =
            |list: &ByFrame<Sym>, at: FrameId| list.get(at).and_then(|sym| recording.strings.get(*sym));
        // A service is judged by its managed code, so native code is never the user's.
        let is_native = |at: FrameId| matches!(text(&frames.tier, at), Some("Native" | "Kernel"));
        let methods = frames.name.ids().filter(|at| text(&frames.method, *at).is_some() && !is_native(*at));
        let (mine, unmatched) = mine.matching(methods.map(|at| {
            let [module, class] = [&frames.module, &frames.declaring_type].map(|list| text(list, at));
            (module.unwrap_or_default(), class.unwrap_or_default())
        }));
        let mut owners = ByFrame::default();
        let mut stand_ins = ByFrame::default();
        let mut plumbing = ByFrame::default();
        let mut frame_marks: ByFrame<Marks> = ByFrame::default();
        for at in frames.name.ids() {
            let class = text(&frames.declaring_type, at).unwrap_or_default();
            let method = text(&frames.method, at);
            let owner = names.owner(&mine, text(&frames.module, at).unwrap_or_default(), class, method);
            let is_framework = owner == Owner::Framework;
            let kind = method.filter(|_| is_framework).and_then(|method| plumbing_names.kind(class, method));
            plumbing.push(kind);
            owners.push(if is_native(at) && owner == Owner::User { Owner::Framework } else { owner });
            stand_ins.push(names.stands_in(class, method));
            frame_marks.push(names.marks(class, method.unwrap_or_default()));
        }
        let mut index = Self {
            entries: frame_marks.iter().map(|marks| marks.has(Marks::ENTRY)).collect(),
            owners,
            stand_ins,
            asynchronous: async_frames(recording, &plumbing),
            plumbing,
            marks: ByStack::default(),
            served: ByStack::default(),
            user: ByStack::default(),
            dynamic: ByStack::default(),
            library: ByStack::default(),
            cut: recording.stacks.cut.clone(),
            unmatched,
        };
        for (parent, frame) in recording.stacks.parent.iter().zip(&recording.stacks.frame) {
            let owner = index.owners.get(*frame).copied().unwrap_or(Owner::Unknown);
            let own = |of: Owner, list: &ByStack<Option<FrameId>>| {
                if owner == of { Some(*frame) } else { list.get((*parent)?).copied().flatten() }
            };
            let (user, dynamic) = (own(Owner::User, &index.user), own(Owner::Dynamic, &index.dynamic));
            let library = own(Owner::Library, &index.library);
            let of_caller = index.marks(*parent);
            let of_frame = frame_marks.get(*frame).copied().unwrap_or_default();
            index.marks.push(of_caller.with(of_frame));
            let of_caller = parent.and_then(|caller| index.served.get(caller).copied().flatten());
            index.served.push(match of_frame {
                of if of.has(Marks::SERVED) => Some(true),
                of if of.has(Marks::RESUMES) => Some(false),
                _ => of_caller,
            });
            index.user.push(user);
            index.dynamic.push(dynamic);
            index.library.push(library);
        }
        index
    }

    /// Notes on patterns of the user that match no method, so that they were ignored.
    pub fn unmatched(&self) -> &[String] {
        &self.unmatched
    }

    /// What a stack is doing.
    pub fn marks(&self, stack: impl Into<Option<StackId>>) -> Marks {
        stack.into().and_then(|stack| self.marks.get(stack)).copied().unwrap_or_default()
    }

    /// Whether a thread with this stack does work for the thread pool.
    ///
    /// The frames of the pool's loop say so. They are missing from stacks that the runtime cut, and from stacks without names.
    /// A thread-pool thread with such a stack is at work, since one that looks for work has neither a cut stack nor a frame of
    /// user or library code.
    pub fn is_at_work(&self, stack: Option<StackId>, is_pool: bool) -> bool {
        let is_cut = || self.is_cut(stack);
        self.marks(stack).has(Marks::WORK) || is_pool && (is_cut() || self.blamed_frame(stack).is_some())
    }

    fn is_cut(&self, stack: Option<StackId>) -> bool {
        stack.is_some_and(|stack| self.cut.binary_search(&stack).is_ok())
    }

    /// Whose code a frame is.
    pub fn owner(&self, frame: FrameId) -> Owner {
        self.owners.get(frame).copied().unwrap_or(Owner::Unknown)
    }

    /// Whether a frame counts for its caller: a stop for the sampler, or a frame without a name.
    pub fn stands_in(&self, frame: FrameId) -> bool {
        self.stand_ins.get(frame).copied().unwrap_or(true)
    }

    /// What a frame of async plumbing is for. `None` if it is not plumbing.
    pub fn plumbing(&self, frame: FrameId) -> Option<Plumbing> {
        self.plumbing.get(frame).copied().flatten()
    }

    /// Whether a frame is the `MoveNext` of an async method, and not of an iterator.
    pub fn is_async(&self, frame: FrameId) -> bool {
        self.asynchronous.get(frame).copied().unwrap_or(false)
    }

    /// The innermost frame that says what the thread did, otherwise the innermost frame.
    pub fn acting_frame(&self, recording: &Trace, stack: Option<StackId>) -> Option<FrameId> {
        let mut frames = recording.stacks.frames(stack);
        let innermost = || recording.stacks.leaf(stack);
        frames.find(|frame| !self.stands_in(*frame)).or_else(innermost)
    }

    /// The user's outermost frame. If the thread pool runs it, this is the method that was queued.
    pub fn outermost_user_frame(&self, recording: &Trace, stack: Option<StackId>) -> Option<FrameId> {
        let frames = recording.stacks.frames(stack);
        frames.filter(|frame| self.owner(*frame) == Owner::User).last()
    }

    /// The innermost frame of the user's own code.
    pub fn user_frame(&self, stack: Option<StackId>) -> Option<FrameId> {
        self.user.get(stack?).copied().flatten()
    }

    /// The frame to name for a stack: the innermost of the user, otherwise of code made at run time (a handler may be inlined
    /// into it), otherwise of a package.
    pub fn blamed_frame(&self, stack: Option<StackId>) -> Option<FrameId> {
        let stack = stack?;
        let of = |list: &ByStack<Option<FrameId>>| list.get(stack).copied().flatten();
        of(&self.user).or_else(|| of(&self.dynamic)).or_else(|| of(&self.library))
    }

    /// The innermost frame that is not part of a wait. It says what waits if [`Self::blamed_frame`] is `None`.
    pub fn asking_frame(&self, recording: &Trace, stack: Option<StackId>) -> Option<FrameId> {
        let frames = &recording.frames;
        let is_wait = |frame: FrameId| {
            let class = frames.declaring_type.get(frame).map_or("", |sym| recording.strings.text(*sym));
            let is_any_of = |list: &[&str]| list.iter().any(|pattern| matches(pattern, class));
            is_any_of(&WAITS) || is_any_of(&OF_POOL) || self.stands_in(frame)
        };
        let mut nodes = recording.stacks.frames(stack);
        nodes.find(|frame| !is_wait(*frame))
    }

    /// Whether the frame to name for a stack is where the server enters the service's code to answer a request.
    ///
    /// Only the async method of the frame's own state machine may be between it and the server. A method that resumes after
    /// an `await` is called by the thread pool instead, on a thread where another request may have begun. A method that a
    /// handler made at run time calls belongs to one route, and its own name says more.
    pub fn enters_from_request(&self, recording: &Trace, stack: Option<StackId>) -> bool {
        let Some(entered) = self.blamed_frame(stack) else { return false };
        let frame_of = |node: StackId| recording.stacks.frame.get(node).copied();
        let method = |frame: FrameId| {
            let text = |list: &ByFrame<Sym>| list.get(frame).map_or("", |sym| recording.strings.text(*sym));
            async_method(text(&recording.frames.declaring_type), text(&recording.frames.method))
        };
        let own = method(entered);
        let mut outward = recording.stacks.walk(stack).skip_while(|node| frame_of(*node) != Some(entered));
        let caller = outward.find(|node| {
            frame_of(*node).is_some_and(|frame| method(frame) != own && self.owner(frame) != Owner::Unknown)
        });
        caller.is_some_and(|node| {
            frame_of(node).is_some_and(|frame| matches!(self.owner(frame), Owner::Framework | Owner::Library))
                && self.marks(node).has(Marks::REQUEST)
        })
    }

    /// Whether the server called the frame to name for a stack, for the request that began last on its thread.
    ///
    /// A method that resumes after an `await` is called by the thread pool, on any thread. The last request that began there is
    /// another one, which waits. If the outermost frames of a stack are missing, the server may be among them.
    pub fn is_in_request(&self, recording: &Trace, stack: Option<StackId>) -> bool {
        let Some(frame) = self.blamed_frame(stack) else { return false };
        let is_own = |node: &StackId| recording.stacks.frame.get(*node) == Some(&frame);
        let own = recording.stacks.walk(stack).find(is_own);
        let served = own.and_then(|node| self.served.get(node).copied().flatten());
        served.unwrap_or_else(|| self.is_cut(stack))
    }

    /// The frames of the service, and of code made at run time, that the server called, the innermost first.
    pub fn served_frames<'a>(
        &'a self,
        recording: &'a Trace,
        stack: Option<StackId>,
    ) -> impl Iterator<Item = FrameId> + 'a {
        let is_served = |node: &StackId| self.served.get(*node).copied().flatten() == Some(true);
        let nodes = recording.stacks.walk(stack).filter(is_served);
        let frames = nodes.filter_map(|node| recording.stacks.frame.get(node).copied());
        frames.filter(|frame| matches!(self.owner(*frame), Owner::User | Owner::Dynamic))
    }

    /// The name of the frame to name for a stack. If only the framework is on it, the frame that waits, otherwise the innermost.
    pub fn named_frame(&self, recording: &Trace, stack: Option<StackId>) -> Sym {
        let innermost = || recording.stacks.leaf(stack);
        let frame =
            self.blamed_frame(stack).or_else(|| self.asking_frame(recording, stack)).or_else(innermost);
        frame.and_then(|frame| recording.frames.name.get(frame).copied()).unwrap_or(Sym::NONE)
    }

    /// Whether a thread that waits in a stack has nothing to do: its stack has no code but that of the framework, outside of any
    /// work item, or it is the entry point of a service whose host waits for the end.
    pub fn is_idle(&self, stack: Option<StackId>) -> bool {
        let marks = self.marks(stack);
        // If the outermost frames are missing, the work item may be among them.
        let may_have_work = marks.has(Marks::WORK) || self.is_cut(stack);
        let hosts = self.waits_in_entry(stack) && marks.has(Marks::HOST);
        hosts || self.blamed_frame(stack).is_none() && !may_have_work
    }

    /// Whether the user's innermost frame is the entry point, where a program waits for its own end.
    pub fn waits_in_entry(&self, stack: Option<StackId>) -> bool {
        let in_entry = |frame: FrameId| self.entries.get(frame).copied().unwrap_or(false);
        self.user_frame(stack).is_some_and(in_entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::tests::recording;

    #[test]
    fn a_frame_is_the_users_where_it_is_nobody_elses() {
        let names = Names::built_in();
        let check = |module, class, method, expected| {
            let mine = MyCode::default();
            assert_eq!(names.owner(&mine, module, class, method), expected, "{module}!{class}.{method:?}");
        };
        check("npgsql.entityframeworkcore.postgresql", "Npgsql.Batch", Some("Run"), Owner::Library);
        check("system.private.corelib", "System.String", Some("Concat"), Owner::Framework);
        check("Quartzite", "Quartzite.Stone", Some("Cut"), Owner::User);
        // The names of modules come behind those of methods, and are lost first.
        check(NO_MODULE, "System.Threading.Monitor", Some("Wait"), Owner::Framework);
        check(NO_MODULE, "Interop+Sys", Some("Poll"), Owner::Framework);
        check(NO_MODULE, "Npgsql.NpgsqlConnection+<Open>d__1", Some("MoveNext"), Owner::Library);
        check(NO_MODULE, "Shop.Cart", Some("Add"), Owner::User);
        check(NO_MODULE, "Program+<<Main>$>d__0", Some("MoveNext"), Owner::User);
        check(NO_MODULE, "", Some("memcpy"), Owner::Framework);
        check("Systematics", "Systematics.Job", Some("Run"), Owner::User);
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
    fn what_the_user_says_is_theirs_is_and_nothing_else() {
        let (names, mine) = (Names::built_in(), MyCode::new(&["Shop.*", "Npgsql.Extras"]).unwrap());
        let check = |module, class, expected| {
            assert_eq!(names.owner(&mine, module, class, Some("Run")), expected, "{module}!{class}");
        };
        check("Shop", "Shop.Cart", Owner::User);
        check("Npgsql.Extras", "Npgsql.Extras.Own", Owner::User);
        check("Other", "Other.Cart", Owner::Library);
        check("System.Linq", "System.Linq.Enumerable", Owner::Framework);
        check("Anonymously Hosted DynamicMethods Assembly", "dynamicClass", Owner::Dynamic);
    }

    #[test]
    fn every_line_of_the_names_is_read() {
        let lines = include_str!("frames.txt").lines().filter(|line| !line.starts_with('#')).count();
        let names = Names::built_in();
        let read = [names.framework.len(), names.library.len(), names.stand_ins.len(), names.marks.len()];
        assert_eq!(read.iter().sum::<usize>(), lines);
    }

    #[test]
    fn a_stack_names_the_users_frame_before_a_packages_and_knows_what_it_does() {
        let mut recording = recording(1);
        let own = recording.stack(&["Shop!Main", "Shop!Price", "Npgsql!Read", "System.Private.CoreLib!Wait"]);
        let package = recording.stack(&["Npgsql!Read", "System.Private.CoreLib!Wait"]);
        let index = StackIndex::new(&recording);
        let name = |stack| {
            let frame = index.blamed_frame(stack)?;
            recording.strings.get(*recording.frames.name.get(frame)?)
        };
        assert_eq!(name(own), Some("Shop!Price"));
        assert_eq!(name(package), Some("Npgsql!Read"));
        assert!(index.marks(own).has(Marks::ENTRY) && !index.marks(package).has(Marks::ENTRY));
        assert!(!index.waits_in_entry(own));
    }

    #[test]
    fn a_request_enters_the_service_where_the_server_calls_it_and_not_further_in_or_in_a_continuation() {
        let mut recording = recording(1);
        let mut check = |names: &[&str], expected| {
            let at = recording.stack(names);
            assert_eq!(
                StackIndex::new(&recording).enters_from_request(&recording, at),
                expected,
                "{names:?}"
            );
        };
        let server = "Microsoft.AspNetCore!Microsoft.AspNetCore.Hosting.Process";
        let (starts, machine) = ("Shop!Shop.Door.HandleAsync", "Shop!Shop.Door+<HandleAsync>d__0.MoveNext");
        let wait = "System.Private.CoreLib!System.Threading.Monitor.Wait";
        let pool = "System.Private.CoreLib!System.Threading.ThreadPoolWorkQueue.Dispatch";
        check(&[pool, server, starts, machine, wait], true);
        check(&[pool, server, "Shop!Shop.Cart.Get"], true);
        check(&[pool, server, starts, machine, "Shop!Shop.Cart.Get", wait], false);
        check(&[pool, machine, wait], false);
        check(&[pool, server, "Anonymous!dynamicClass.lambda_method7", "Shop!Shop.Cart.Get"], false);
        check(&[pool, server, wait], false);
    }

    #[test]
    fn a_stack_of_the_framework_alone_is_named_by_its_innermost_frame() {
        let mut recording = recording(1);
        let mixed = recording.stack(&["Shop!Main", "Shop!Price", "System.Private.CoreLib!Sleep"]);
        let alone = recording.stack(&["System.Net.Sockets!Wait", "System.Net.Sockets!Loop"]);
        let index = StackIndex::new(&recording);
        let name = |stack| recording.strings.text(index.named_frame(&recording, stack));
        assert_eq!((name(mixed), name(alone)), ("Shop!Price", "System.Net.Sockets!Loop"));
        assert_eq!(index.named_frame(&recording, None), Sym::NONE);
    }
}
