//! A program started for its recording: suspended at its start, and resumed whatever happens to us.
//!
//! A variable of the environment lets every runtime below the command wait at its start. The first that shows up is the
//! subject; the variable is taken back in it before it goes on, so that its children run, and runtimes beside it (below
//! a shell, say) are resumed as they show up. A second process of ours, the guard, does the same once we are gone: it
//! reads a pipe that ends with us.
//!
//! ```text
//!  we ──pipe──▶ guard            "done": it ends        closed without: it resumes whatever waits below the command
//!   └─ command ─▶ … ─▶ runtime (suspended) ─▶ session begins ─▶ resumed
//! ```

use crate::error::Error;
use base::time::{Deadline, Stopwatch};
use dotnet_ipc::Endpoint;
use dotnet_ipc::discover::{Found, State, ask, find_process};
use dotnet_ipc::process::{resume, set_environment_variable};
use host::Proc;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

/// Lets a runtime wait at its start until it is resumed; the second name is that of .NET 5.
const SUSPEND: [&str; 2] = ["DOTNET_DefaultDiagnosticPortSuspend", "COMPlus_DefaultDiagnosticPortSuspend"];
/// How long a runtime may take to show up.
const SHOWS_UP: Duration = Duration::from_mins(1);
/// How often it is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How often those beside the subject are looked for.
const LOOK_BESIDE_EVERY: Duration = Duration::from_millis(250);
/// How long a command has to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// How long the command has to end when it is asked to.
const TO_END: Duration = Duration::from_secs(10);
/// What the guard is told when it is no longer needed.
const DONE: &[u8] = b"done\n";

/// The process that resumes what we leave suspended.
#[derive(Debug)]
pub struct Guard {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Guard {
    /// Starts it: a program that calls [`guard`] with what comes on its standard input.
    fn start(mut program: Command) -> Result<Self, Error> {
        let name = program.get_program().to_string_lossy().into_owned();
        program.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let mut child = program.spawn().map_err(|cause| Error::Start { program: name, cause })?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe })
    }

    fn tell(&mut self, text: &[u8]) -> std::io::Result<()> {
        self.pipe.as_mut().map_or(Ok(()), |pipe| pipe.write_all(text))
    }

    /// Ends it: nothing below the command is left.
    fn done(mut self) {
        // A guard that has ended already needs no word.
        drop(self.tell(DONE));
        self.pipe = None;
        drop(self.child.wait());
    }
}

/// A command that was started, with a runtime in it.
#[derive(Debug)]
pub struct Launched {
    command: Child,
    guard: Option<Guard>,
    /// The runtime, suspended.
    pub found: Found,
    proc: Proc,
    resumed: BTreeSet<u32>,
    looked: Stopwatch,
}

/// Starts a command and waits until a runtime in it, or below it, waits at its start. `guard` is a program that runs
/// [`guard`]. `looks_on` is asked on the way whether to go on.
pub fn launch(
    words: &[OsString],
    stdout: Stdio,
    guard: Command,
    looks_on: &mut dyn FnMut() -> bool,
) -> Result<Launched, Error> {
    let (program, arguments) =
        words.split_first().map_or((None, [].as_slice()), |(first, rest)| (Some(first), rest));
    let program = program.cloned().unwrap_or_default();
    let name = program.to_string_lossy().into_owned();
    let mut guard = Guard::start(guard)?;
    let mut command = Command::new(&program);
    command.args(arguments).stdin(Stdio::null()).stdout(stdout).process_group(0);
    for variable in SUSPEND {
        command.env(variable, "1");
    }
    let mut child = command.spawn().map_err(|cause| Error::Start { program: name.clone(), cause })?;
    let told = guard.tell(format!("{}\n", child.id()).as_bytes());
    if let Err(cause) = told {
        // Nobody would resume it.
        end(&mut child);
        return Err(Error::Start { program: "the guard".to_owned(), cause });
    }
    let proc = Proc::live();
    let deadline = Deadline::after(SHOWS_UP);
    let within = loop {
        let below = below(&proc, child.id());
        if let Some(found) = below.iter().find_map(|pid| suspended(&proc, *pid)) {
            let looked = Stopwatch::start();
            let resumed = BTreeSet::from([found.pid]);
            return Ok(Launched { command: child, guard: Some(guard), found, proc, resumed, looked });
        }
        if let Ok(Some(status)) = child.try_wait() {
            break format!("before it ended, with {}", in_words(status));
        }
        if !looks_on() {
            break "before it was stopped".to_owned();
        }
        if !deadline.pause(LOOK_EVERY) {
            break format!("within {} s", SHOWS_UP.as_secs());
        }
    };
    end(&mut child);
    guard.done();
    Err(Error::NoRuntime { program: name, within })
}

/// A process and those below it, in no order but that parents come first.
fn below(proc: &Proc, root: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for pid in proc.pids() {
        if let Ok(stat) = proc.stat(pid) {
            children.entry(stat.parent).or_default().push(pid);
        }
    }
    let mut all = vec![root];
    let mut at = 0;
    while let Some(pid) = all.get(at).copied() {
        // Each process is some one's child once, so this ends.
        all.extend(children.remove(&pid).unwrap_or_default());
        at = at.saturating_add(1);
    }
    all
}

fn suspended(proc: &Proc, pid: u32) -> Option<Found> {
    let asked = ask(proc, find_process(proc, pid)?);
    (asked.state == State::Suspended).then_some(asked.found)
}

/// Lets the children of a suspended runtime start without waiting.
fn take_back(endpoint: &Endpoint) {
    for variable in SUSPEND {
        // A runtime before .NET 6 cannot do it; its children are found and resumed all the same.
        drop(set_environment_variable(endpoint, variable, "0", Deadline::after(ANSWER)));
    }
}

impl Launched {
    /// Readies the subject to be resumed: what it starts itself will not wait.
    pub fn take_back(&self) {
        take_back(&self.found.endpoint());
    }

    /// Resumes runtimes beside the subject, if it is time to look for them.
    pub fn resume_others(&mut self) {
        let is_alone = self.found.pid == self.command.id();
        if is_alone || self.looked.elapsed() < LOOK_BESIDE_EVERY {
            return;
        }
        self.looked = Stopwatch::start();
        resume_below(&self.proc, self.command.id(), &mut self.resumed);
    }

    /// Asks the command to end if it still runs, and the runtime that was recorded with it, and waits for the command;
    /// how it ended, if it did in time.
    pub fn end(mut self) -> Option<ExitStatus> {
        let status = end(&mut self.command);
        self.end_subject();
        if status.is_some()
            && let Some(guard) = self.guard.take()
        {
            guard.done();
        }
        status
    }

    /// Asks the runtime to end that was recorded, where the command left it behind.
    fn end_subject(&self) {
        let stat = self.proc.stat(self.found.pid);
        let is_there = stat.is_ok_and(|stat| stat.start_ticks == self.found.start_ticks && stat.state != 'Z');
        let pid = i32::try_from(self.found.pid).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid.filter(|_| is_there) {
            // It may have ended since.
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).ok();
        }
    }
}

/// Asks a command to end, with all that is in its group.
fn end(command: &mut Child) -> Option<ExitStatus> {
    if let Ok(Some(status)) = command.try_wait() {
        return Some(status);
    }
    let group = rustix::process::Pid::from_child(command);
    // A group that has gone needs no signal.
    rustix::process::kill_process_group(group, rustix::process::Signal::TERM).ok();
    let deadline = Deadline::after(TO_END);
    loop {
        if let Ok(Some(status)) = command.try_wait() {
            return Some(status);
        }
        if !deadline.pause(LOOK_EVERY) {
            return None;
        }
    }
}

fn in_words(status: ExitStatus) -> String {
    status.code().map_or_else(|| status.to_string(), |code| format!("exit code {code}"))
}

fn resume_below(proc: &Proc, root: u32, known: &mut BTreeSet<u32>) {
    for pid in below(proc, root) {
        if known.contains(&pid) {
            continue;
        }
        if let Some(found) = suspended(proc, pid) {
            let endpoint = found.endpoint();
            take_back(&endpoint);
            if resume(&endpoint, Deadline::after(ANSWER)).is_ok() {
                known.insert(pid);
            }
        }
    }
}

/// The guard's work: reads the command's number, then waits for the word that all is done. If the pipe ends without it,
/// it resumes every runtime below the command for as long as the command runs.
pub fn guard(mut pipe: impl Read) {
    let mut text = String::new();
    // A pipe that breaks has ended.
    drop(pipe.read_to_string(&mut text));
    let mut lines = text.lines();
    let root = lines.next().and_then(|line| line.parse::<u32>().ok());
    let Some(root) = root.filter(|_| lines.next().is_none()) else { return };
    let proc = Proc::live();
    let is_same = {
        let began = proc.stat(root).map(|stat| stat.start_ticks).ok();
        let proc = proc.clone();
        move || began.is_some() && proc.stat(root).ok().map(|stat| stat.start_ticks) == began
    };
    while is_same() {
        resume_below(&proc, root, &mut BTreeSet::new());
        std::thread::sleep(LOOK_BESIDE_EVERY);
    }
}
