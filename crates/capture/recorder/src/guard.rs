//! The guard: a process of ours that starts the command of `record -- COMMAND` and resumes every runtime that is suspended
//! at its start, for as long as any process lives that may start one.
//!
//! ```text
//!  our caller ─▶ recorder ◀─socket─▶ guard ─▶ command ─▶ …        orphans become children of the guard
//!                 ends, or is killed    └ resumes runtimes until the last process has ended; then it ends
//! ```
//!
//! Everything that the command starts stays below the guard, even if it detaches itself, because the guard adopts orphans
//! (`PR_SET_CHILD_SUBREAPER`). A process can also get the command's environment in another way, such as through a daemon that
//! ran before. It is recognised by the mark: an environment variable with a secret value.
//!
//! Invariants: the guard ends with the last process that may start a suspended runtime. It keeps none of its caller's files,
//! pipes, terminals or folders open, and is in a session of its own. It uses no more than 0.5 % of a CPU core.

use crate::launch::{TO_END, protocol};
use base::time::{Deadline, Stopwatch};
use dotnet_ipc::discover::{FoundSocket, PATIENCE, State, ask, find_process, is_suspended};
use dotnet_ipc::process::{resume, set_environment_variable};
use dotnet_ipc::{Endpoint, Error};
use host::Proc;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitOptions};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Suspends a runtime at its start until it is resumed. The second name is that of .NET 5.
const SUSPEND: [&str; 2] = ["DOTNET_DefaultDiagnosticPortSuspend", "COMPlus_DefaultDiagnosticPortSuspend"];
/// The mark: a variable in the environment of the command, and of all processes that inherit it. Nobody can guess its value.
const MARK: &str = "CASEBOOK_GUARD";
/// How often the guard looks for runtimes while the recorder waits for the first one, or for the end.
const LOOK_SOON: Duration = Duration::from_millis(5);
/// How often it looks for them otherwise. A runtime may be suspended for this long.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often it searches the machine for processes that have the mark and are not below us.
const SEARCH_EVERY: Duration = Duration::from_secs(5);
/// The time between two looks, as a multiple of how long a look takes, so that they cost little on any machine.
const REST: u32 = 200;
/// How long the guard leaves a runtime alone that was resumed, or could not be resumed.
const LEAVE_ALONE: Duration = Duration::from_secs(5);

/// Runs the guard. Its standard input is a socket to the recorder. It starts the command, reports what happens to it, and
/// returns when no process is left that may start a suspended runtime.
pub fn guard(command: &[OsString]) {
    let inherited = inherited();
    let Ok(socket) = socket() else { return };
    adopt_orphans();
    let mut guard = Guard::new(socket);
    match start(command, &guard.mark) {
        Ok(pid) => {
            guard.command = pid;
            guard.send(protocol::STARTED, &[pid]);
        }
        Err(error) => {
            return guard.send(protocol::FAILED, &[error.raw_os_error().unwrap_or_default()]);
        }
    }
    let_go(inherited);
    guard.run();
}

/// The socket to the recorder.
fn socket() -> std::io::Result<UnixStream> {
    let socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Starts the command, in a process group of its own.
fn start(words: &[OsString], mark: &str) -> std::io::Result<u32> {
    let (program, arguments) =
        words.split_first().ok_or_else(|| std::io::Error::from(ErrorKind::InvalidInput))?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).process_group(0).env(MARK, mark);
    for variable in SUSPEND {
        command.env(variable, "1");
    }
    Ok(command.spawn()?.id())
}

/// A value that nobody can guess. Without randomness it is empty, and only processes below us are found.
fn secret() -> String {
    let mut random = [0; 16];
    match getrandom::fill(&mut random) {
        Ok(()) => format!("{:032x}", u128::from_ne_bytes(random)),
        Err(_no_randomness) => String::new(),
    }
}

/// Makes orphans below us our children. If the kernel cannot do that, they are recognised by the mark.
fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).ok();
}

/// The file descriptors that we inherited, besides the standard three.
fn inherited() -> Vec<i32> {
    let folder = std::path::Path::new("/proc/self/fd");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let numbers: Vec<i32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    // One of the numbers was that of the listing itself, which is closed by now.
    let is_open = |number: &i32| *number > 2 && folder.join(number.to_string()).symlink_metadata().is_ok();
    numbers.into_iter().filter(is_open).collect()
}

/// Closes everything that we inherited. Nobody who waits for the end of our output, for a lock or for a terminal must wait for
/// us.
fn let_go(inherited: Vec<i32>) {
    #[cfg(target_os = "linux")]
    for number in inherited {
        // They were open before we opened any file, so none of ours has these numbers.
        nix::unistd::close(number).ok();
    }
    #[cfg(not(target_os = "linux"))]
    drop(inherited);
    if let Ok(null) = std::fs::File::options().read(true).write(true).open("/dev/null") {
        rustix::stdio::dup2_stdin(&null).ok();
        rustix::stdio::dup2_stdout(&null).ok();
        rustix::stdio::dup2_stderr(&null).ok();
    }
    rustix::process::setsid().ok();
    std::env::set_current_dir("/").ok();
}

/// The runtime that is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
enum SubjectState {
    /// It has not been found: the first suspended runtime will be it.
    Wanted,
    /// It is suspended, and the recorder will resume it.
    Held(FoundSocket),
    /// The recorder has resumed it, or has ended: the guard resumes it like any other runtime.
    Released(Option<FoundSocket>),
}

/// A runtime, distinguished from later processes with the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Runtime {
    pid: u32,
    start_ticks: u64,
}

impl Runtime {
    fn of(found: &FoundSocket) -> Self {
        Self { pid: found.pid, start_ticks: found.start_ticks }
    }
}

#[derive(Debug)]
struct Guard {
    /// `None` once the recorder has ended, or has got its last message.
    recorder: Option<UnixStream>,
    /// Bytes of the recorder that are not a whole line yet.
    received: Vec<u8>,
    proc: Proc,
    mark: String,
    command: u32,
    has_command: bool,
    subject: SubjectState,
    /// When the processes that were asked to end must have ended.
    ending: Option<Deadline>,
    /// When runtimes were resumed, or could not be.
    tried: BTreeMap<Runtime, Stopwatch>,
    /// Processes that have the mark and are not below us, as the last search found them.
    marked: BTreeSet<u32>,
    /// When the next search is due; `None` if it is due now.
    search_due: Option<Deadline>,
}

impl Guard {
    fn new(recorder: UnixStream) -> Self {
        Self {
            recorder: Some(recorder),
            received: Vec::new(),
            proc: Proc::live(),
            mark: secret(),
            command: 0,
            has_command: true,
            subject: SubjectState::Wanted,
            ending: None,
            tried: BTreeMap::new(),
            marked: BTreeSet::new(),
            search_due: None,
        }
    }

    fn run(&mut self) {
        loop {
            self.receive();
            let is_alone = self.reap();
            let watch = Stopwatch::start();
            let below = if is_alone { Vec::new() } else { below(&self.proc, std::process::id()) };
            self.search(is_alone);
            self.look(&below);
            self.see_it_end(&below);
            if is_alone && self.marked.is_empty() && self.recorder.is_none() {
                return;
            }
            self.rest(watch.elapsed());
        }
    }

    /// Waits until the next look is due, or the recorder sends something.
    fn rest(&self, look: Duration) {
        let is_awaited = self.subject == SubjectState::Wanted || self.ending.is_some();
        let rest = if is_awaited { LOOK_SOON.max(look) } else { LOOK_EVERY.max(look.saturating_mul(REST)) };
        let Some(recorder) = &self.recorder else { return std::thread::sleep(rest) };
        let timeout = Timespec::try_from(rest).ok();
        // It does not matter what ended the wait: the next round looks at everything.
        poll(&mut [PollFd::new(recorder, PollFlags::IN)], timeout.as_ref()).ok();
    }

    fn send(&mut self, word: &str, numbers: &[impl ToString]) {
        let Some(recorder) = &mut self.recorder else { return };
        let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        // If the recorder has ended, `receive` finds that out.
        drop(recorder.write_all(format!("{word} {}\n", numbers.join(" ")).as_bytes()));
    }

    /// Reads and carries out what the recorder sends.
    fn receive(&mut self) {
        let mut buffer = [0; 64];
        while let Some(recorder) = &mut self.recorder {
            match recorder.read(&mut buffer) {
                Ok(len) if len > 0 => self.received.extend(buffer.get(..len).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The recorder has ended, so we must resume the subject.
                Ok(_) | Err(_) => {
                    self.recorder = None;
                    self.release();
                }
            }
        }
        let lines =
            self.received.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at.saturating_add(1));
        let lines: Vec<u8> = self.received.drain(..lines).collect();
        for line in String::from_utf8_lossy(&lines).lines() {
            match line {
                protocol::RELEASE => self.release(),
                protocol::END => {
                    self.release();
                    self.end();
                }
                _ => {}
            }
        }
    }

    fn release(&mut self) {
        self.subject = match std::mem::replace(&mut self.subject, SubjectState::Released(None)) {
            SubjectState::Held(found) => SubjectState::Released(Some(found)),
            SubjectState::Wanted => SubjectState::Released(None),
            released @ SubjectState::Released(_) => released,
        };
    }

    /// Collects children that have ended. Returns whether no process is left below us.
    fn reap(&mut self) -> bool {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    if self.has_command && u32::try_from(pid.as_raw_nonzero().get()) == Ok(self.command) {
                        self.has_command = false;
                        self.send(protocol::ENDED, &[status.as_raw()]);
                    }
                }
                Ok(None) => return false,
                Err(rustix::io::Errno::CHILD) => return true,
                Err(_interrupted) => {}
            }
        }
    }

    /// Searches for processes that have the mark and are not below us.
    fn search(&mut self, is_alone: bool) {
        let is_due = self.search_due.is_none_or(Deadline::is_past);
        // We end only if a search has just found nothing.
        let is_last = is_alone && self.marked.is_empty() && self.recorder.is_none();
        if self.mark.is_empty() || !(is_due || is_last) {
            return;
        }
        let watch = Stopwatch::start();
        let has_mark = |pid: &u32| self.proc.environment(*pid, MARK).is_some_and(|mark| mark == self.mark);
        self.marked = self.proc.pids().into_iter().filter(has_mark).collect();
        let rest = SEARCH_EVERY.max(watch.elapsed().saturating_mul(REST));
        self.search_due = Some(Deadline::after(rest));
    }

    /// Resumes runtimes that are suspended at their start, except the first one, which is the subject.
    fn look(&mut self, below: &[u32]) {
        self.tried.retain(|_, since| since.elapsed() < LEAVE_ALONE);
        let others: Vec<u32> = self.marked.iter().copied().filter(|pid| !below.contains(pid)).collect();
        for pid in below.iter().copied().chain(others) {
            if let Some(found) = waiting(&self.proc, pid) {
                self.look_at(found);
            }
        }
    }

    fn look_at(&mut self, found: FoundSocket) {
        let runtime = Runtime::of(&found);
        let endpoint = found.endpoint();
        match &self.subject {
            SubjectState::Held(subject) if Runtime::of(subject) == runtime => {}
            SubjectState::Wanted => {
                if ask(&self.proc, found.clone()).state == State::Suspended {
                    // Children of the subject will not be suspended.
                    stop_suspending(&endpoint);
                    self.send(protocol::FOUND, &[found.pid]);
                    self.subject = SubjectState::Held(found);
                }
            }
            SubjectState::Held(_) | SubjectState::Released(_) if !self.tried.contains_key(&runtime) => {
                stop_suspending(&endpoint);
                let resumed = resume(&endpoint, Deadline::after(PATIENCE));
                // A runtime that does not listen yet is tried again soon. A silent one is left alone, so that it does not delay
                // the others.
                if matches!(resumed, Ok(()) | Err(Error::Silent(_))) {
                    self.tried.insert(runtime, Stopwatch::start());
                }
            }
            SubjectState::Held(_) | SubjectState::Released(_) => {}
        }
    }

    /// Asks the command's process group and the subject to end.
    fn end(&mut self) {
        if self.ending.is_some() {
            return;
        }
        self.ending = Some(Deadline::after(TO_END));
        if let Some(group) = self.group() {
            rustix::process::kill_process_group(group, Signal::TERM).ok();
        }
        if let Some(pid) = self.subject() {
            rustix::process::kill_process(pid, Signal::TERM).ok();
        }
    }

    /// The command's process group, if any process is in it.
    fn group(&self) -> Option<Pid> {
        let group = i32::try_from(self.command).ok().and_then(Pid::from_raw)?;
        rustix::process::test_kill_process_group(group).ok().map(|()| group)
    }

    /// The subject, if it has not ended.
    fn subject(&self) -> Option<Pid> {
        let SubjectState::Released(Some(found)) = &self.subject else { return None };
        let stat = self.proc.stat(found.pid).ok()?;
        let is_there = stat.start_ticks == found.start_ticks && stat.state != 'Z';
        i32::try_from(found.pid).ok().filter(|_| is_there).and_then(Pid::from_raw)
    }

    /// Reports what is left, once everything that was asked to end has ended or its time is over. That is our last message.
    fn see_it_end(&mut self, below: &[u32]) {
        let Some(deadline) = self.ending else { return };
        let has_ended = !self.has_command && self.group().is_none() && self.subject().is_none();
        if !has_ended && !deadline.is_past() {
            return;
        }
        let is_alive = |pid: &&u32| self.proc.stat(**pid).is_ok_and(|stat| stat.state != 'Z');
        let left: Vec<u32> = below.iter().skip(1).filter(is_alive).copied().collect();
        self.send(protocol::LEFT, &left);
        self.recorder = None;
        self.ending = None;
    }
}

/// A process and those below it, parents first.
fn below(proc: &Proc, root: u32) -> Vec<u32> {
    let mut all = vec![root];
    let mut seen = BTreeSet::from([root]);
    let mut parents: Option<BTreeMap<u32, Vec<u32>>> = None;
    let mut at = 0;
    while let Some(pid) = all.get(at).copied() {
        // A kernel that does not list the children of a process is asked for the parent of each.
        let children = proc.children(pid).unwrap_or_else(|| {
            let parents = parents.get_or_insert_with(|| by_parent(proc));
            parents.remove(&pid).unwrap_or_default()
        });
        // A process id that is reused while we look must not lead us in circles.
        all.extend(children.into_iter().filter(|child| seen.insert(*child)));
        at = at.saturating_add(1);
    }
    all
}

fn by_parent(proc: &Proc) -> BTreeMap<u32, Vec<u32>> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for pid in proc.pids() {
        if let Ok(stat) = proc.stat(pid) {
            children.entry(stat.parent).or_default().push(pid);
        }
    }
    children
}

/// A process that seems to be a suspended runtime. The quick check comes first, since most processes are not.
fn waiting(proc: &Proc, pid: u32) -> Option<FoundSocket> {
    is_suspended(proc, pid).then(|| find_process(proc, pid)).flatten()
}

/// Sets the variables of a suspended runtime so that its children are not suspended.
fn stop_suspending(endpoint: &Endpoint) {
    for variable in SUSPEND {
        // A runtime before .NET 6 cannot do that. Its children are found and resumed like all others.
        let done = set_environment_variable(endpoint, variable, "0", Deadline::after(PATIENCE));
        if done.is_err_and(|error| !error.is_unknown_command()) {
            return;
        }
    }
}
