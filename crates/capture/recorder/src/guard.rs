//! The guard: a process of ours that starts the command of `record -- COMMAND`, and resumes every runtime in it that waits
//! at its start, for as long as something lives that may start one.
//!
//! ```text
//!  our caller ─▶ recorder ◀─socket─▶ guard ─▶ command ─▶ …        children of processes that end come back to the guard
//!                 ends, or is killed    └ resumes, until the last of them has ended; then it ends
//! ```
//!
//! Whatever the command starts stays below the guard, however it detaches itself, because the guard adopts orphans
//! (`PR_SET_CHILD_SUBREAPER`). A process that got the command's environment in another way, through a daemon that was
//! there before, is known by a variable with a secret value.
//!
//! Invariants: the guard ends with the last process that may start a runtime which waits. It holds none of its caller's files,
//! pipes or terminals, no folder, and is in a session of its own. It takes a two-hundredth of a CPU core at most.

use crate::launch::{TO_END, words};
use base::time::{Deadline, Stopwatch};
use dotnet_ipc::discover::{Found, PATIENCE, State, ask, find_process, is_suspended};
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

/// Lets a runtime wait at its start until it is resumed; the second name is that of .NET 5.
const SUSPEND: [&str; 2] = ["DOTNET_DefaultDiagnosticPortSuspend", "COMPlus_DefaultDiagnosticPortSuspend"];
/// Has a value that nobody can guess, in the environment of the command and of all that inherit it.
const MARK: &str = "CASEBOOK_GUARD";
/// How often runtimes are looked for while the recorder waits for the first one, or for the end.
const LOOK_SOON: Duration = Duration::from_millis(5);
/// How often they are looked for otherwise: so long one may wait at its start.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often the machine is searched for processes with the mark that are not below us.
const SEARCH_EVERY: Duration = Duration::from_secs(5);
/// Looks are so far apart, in their own length, that they cost little on any machine.
const REST: u32 = 200;
/// How long a runtime that was resumed, or could not be, is left alone.
const LEAVE_ALONE: Duration = Duration::from_secs(5);

/// The guard's work, with a socket to the recorder as standard input: starts the command, says what becomes of it, and ends
/// when nothing can come of it any more.
pub fn guard(command: &[OsString]) {
    let inherited = inherited();
    let Ok(socket) = socket() else { return };
    adopt_orphans();
    let mut guard = Guard::new(socket);
    match start(command, &guard.mark) {
        Ok(pid) => {
            guard.command = pid;
            guard.say(words::STARTED, &[pid]);
        }
        Err(error) => {
            return guard.say(words::FAILED, &[error.raw_os_error().unwrap_or_default()]);
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

/// A value that nobody can guess. Without one only what is below us is known.
fn secret() -> String {
    let mut random = [0; 16];
    match getrandom::fill(&mut random) {
        Ok(()) => format!("{:032x}", u128::from_ne_bytes(random)),
        Err(_no_randomness) => String::new(),
    }
}

/// Makes orphans below us our children. Where the kernel cannot, they are known by the mark.
fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).ok();
}

/// The descriptors that our caller handed down, besides the usual three.
fn inherited() -> Vec<i32> {
    let folder = std::path::Path::new("/proc/self/fd");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let numbers: Vec<i32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    // One of them was the listing itself.
    let is_open = |number: &i32| *number > 2 && folder.join(number.to_string()).symlink_metadata().is_ok();
    numbers.into_iter().filter(is_open).collect()
}

/// Holds nothing of our caller's: what waits for the end of our output, for a lock or for a terminal must not wait for us.
fn let_go(inherited: Vec<i32>) {
    #[cfg(target_os = "linux")]
    for number in inherited {
        // They were there before we opened any: nothing of ours has these numbers.
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
enum Subject {
    /// The first that waits will be it.
    Wanted,
    /// It waits for the recorder to resume it.
    Held(Found),
    /// It is looked after like any other.
    Released(Option<Found>),
}

#[derive(Debug)]
struct Guard {
    /// None once the recorder has ended, or has all that it wants to know.
    recorder: Option<UnixStream>,
    heard: Vec<u8>,
    proc: Proc,
    mark: String,
    command: u32,
    has_command: bool,
    subject: Subject,
    /// By when what was asked to end has to.
    ending: Option<Deadline>,
    /// Runtimes that were resumed, or could not be, by number and start, since when.
    tried: BTreeMap<(u32, u64), Stopwatch>,
    /// Processes with the mark that are not below us, as the last search found them.
    marked: BTreeSet<u32>,
    searched: Option<(Stopwatch, Duration)>,
}

impl Guard {
    fn new(recorder: UnixStream) -> Self {
        Self {
            recorder: Some(recorder),
            heard: Vec::new(),
            proc: Proc::live(),
            mark: secret(),
            command: 0,
            has_command: true,
            subject: Subject::Wanted,
            ending: None,
            tried: BTreeMap::new(),
            marked: BTreeSet::new(),
            searched: None,
        }
    }

    fn run(&mut self) {
        loop {
            self.hear();
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

    /// Waits until it is time for the next look, or the recorder says something.
    fn rest(&self, look: Duration) {
        let is_awaited = self.subject == Subject::Wanted || self.ending.is_some();
        let rest = if is_awaited { LOOK_SOON.max(look) } else { LOOK_EVERY.max(look.saturating_mul(REST)) };
        let Some(recorder) = &self.recorder else { return std::thread::sleep(rest) };
        let timeout = Timespec::try_from(rest).ok();
        // Whatever ends the wait, the next turn looks at everything.
        poll(&mut [PollFd::new(recorder, PollFlags::IN)], timeout.as_ref()).ok();
    }

    fn say(&mut self, word: &str, numbers: &[impl ToString]) {
        let Some(recorder) = &mut self.recorder else { return };
        let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        // A recorder that has ended shows when it is listened to.
        drop(recorder.write_all(format!("{word} {}\n", numbers.join(" ")).as_bytes()));
    }

    /// Takes what the recorder says.
    fn hear(&mut self) {
        let mut buffer = [0; 64];
        while let Some(recorder) = &mut self.recorder {
            match recorder.read(&mut buffer) {
                Ok(len) if len > 0 => self.heard.extend(buffer.get(..len).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Nobody is left to resume the subject.
                Ok(_) | Err(_) => {
                    self.recorder = None;
                    self.release();
                }
            }
        }
        let lines = self.heard.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at.saturating_add(1));
        let lines: Vec<u8> = self.heard.drain(..lines).collect();
        for line in String::from_utf8_lossy(&lines).lines() {
            match line {
                words::RELEASE => self.release(),
                words::END => {
                    self.release();
                    self.end();
                }
                _ => {}
            }
        }
    }

    fn release(&mut self) {
        self.subject = match std::mem::replace(&mut self.subject, Subject::Released(None)) {
            Subject::Held(found) => Subject::Released(Some(found)),
            Subject::Wanted => Subject::Released(None),
            released @ Subject::Released(_) => released,
        };
    }

    /// Takes note of children that have ended. Whether no process is left below us.
    fn reap(&mut self) -> bool {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    if self.has_command && u32::try_from(pid.as_raw_nonzero().get()) == Ok(self.command) {
                        self.has_command = false;
                        self.say(words::ENDED, &[status.as_raw()]);
                    }
                }
                Ok(None) => return false,
                Err(rustix::io::Errno::CHILD) => return true,
                Err(_interrupted) => {}
            }
        }
    }

    /// Looks for processes with the mark that are not below us.
    fn search(&mut self, is_alone: bool) {
        let is_due = self.searched.is_none_or(|(last, rest)| last.elapsed() >= rest);
        // Before we end, it must be so now.
        let is_last = is_alone && self.marked.is_empty() && self.recorder.is_none();
        if self.mark.is_empty() || !(is_due || is_last) {
            return;
        }
        let watch = Stopwatch::start();
        let has_mark = |pid: &u32| self.proc.environment(*pid, MARK).is_some_and(|mark| mark == self.mark);
        self.marked = self.proc.pids().into_iter().filter(has_mark).collect();
        let rest = SEARCH_EVERY.max(watch.elapsed().saturating_mul(REST));
        self.searched = Some((Stopwatch::start(), rest));
    }

    /// Resumes runtimes that wait at their start; the first one is the subject.
    fn look(&mut self, below: &[u32]) {
        self.tried.retain(|_, since| since.elapsed() < LEAVE_ALONE);
        let others: Vec<u32> = self.marked.iter().copied().filter(|pid| !below.contains(pid)).collect();
        for pid in below.iter().copied().chain(others) {
            if let Some(found) = waiting(&self.proc, pid) {
                self.look_at(found);
            }
        }
    }

    fn look_at(&mut self, found: Found) {
        let key = (found.pid, found.start_ticks);
        let endpoint = found.endpoint();
        match &self.subject {
            Subject::Held(subject) if (subject.pid, subject.start_ticks) == key => {}
            Subject::Wanted => {
                if ask(&self.proc, found.clone()).state == State::Suspended {
                    // What the subject starts will not wait.
                    take_back(&endpoint);
                    self.say(words::FOUND, &[found.pid]);
                    self.subject = Subject::Held(found);
                }
            }
            Subject::Held(_) | Subject::Released(_) if !self.tried.contains_key(&key) => {
                take_back(&endpoint);
                let resumed = resume(&endpoint, Deadline::after(PATIENCE));
                // One that begins to listen just now is tried again soon; one that is silent must not hold up others.
                if matches!(resumed, Ok(()) | Err(Error::Silent(_))) {
                    self.tried.insert(key, Stopwatch::start());
                }
            }
            Subject::Held(_) | Subject::Released(_) => {}
        }
    }

    /// Asks the command to end, with all that is in its group, and the subject.
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

    /// The command's process group, if it has any member.
    fn group(&self) -> Option<Pid> {
        let group = i32::try_from(self.command).ok().and_then(Pid::from_raw)?;
        rustix::process::test_kill_process_group(group).ok().map(|()| group)
    }

    /// The subject, if it has not ended.
    fn subject(&self) -> Option<Pid> {
        let Subject::Released(Some(found)) = &self.subject else { return None };
        let stat = self.proc.stat(found.pid).ok()?;
        let is_there = stat.start_ticks == found.start_ticks && stat.state != 'Z';
        i32::try_from(found.pid).ok().filter(|_| is_there).and_then(Pid::from_raw)
    }

    /// Says what is left once all that was asked to end has, or its time is over. The recorder needs us no more then.
    fn see_it_end(&mut self, below: &[u32]) {
        let Some(deadline) = self.ending else { return };
        let has_ended = !self.has_command && self.group().is_none() && self.subject().is_none();
        if !has_ended && !deadline.is_past() {
            return;
        }
        let is_alive = |pid: &&u32| self.proc.stat(**pid).is_ok_and(|stat| stat.state != 'Z');
        let left: Vec<u32> = below.iter().skip(1).filter(is_alive).copied().collect();
        self.say(words::LEFT, &left);
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
        // A number that is used again while we look must not lead us in circles.
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

/// A runtime that seems to wait at its start. The quick looks come first: most processes are none.
fn waiting(proc: &Proc, pid: u32) -> Option<Found> {
    is_suspended(proc, pid).then(|| find_process(proc, pid)).flatten()
}

/// Lets the children of a suspended runtime start without waiting.
fn take_back(endpoint: &Endpoint) {
    for variable in SUSPEND {
        // A runtime before .NET 6 cannot do it; its children are found and resumed all the same.
        let done = set_environment_variable(endpoint, variable, "0", Deadline::after(PATIENCE));
        if done.is_err_and(|error| !error.is_unknown_command()) {
            return;
        }
    }
}
