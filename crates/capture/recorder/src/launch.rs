//! A program that is started to be recorded. It is suspended at its start, and resumed whatever happens to us.
//!
//! An environment variable suspends every runtime in the command, and in whatever it starts, at its start. The first one
//! is the subject. All others are resumed by another process of ours, the guard ([`mod@crate::guard`]), which starts the
//! command and stays for as long as any process lives that the command started.
//!
//! ```text
//!  we ◀─socket─▶ guard ─▶ command ─▶ … ─▶ runtimes (suspended)
//!         the first suspended runtime ◀──       ──▶ release: the subject is resumed, as are all others
//!       how the command ended, what is left ◀── ──▶ end: SIGTERM, and 10 s
//!       the socket ends with us                 ──▶ the same as release
//! ```

use crate::error::Error;
use base::time::Deadline;
use dotnet_ipc::discover::{FoundSocket, find_process};
use host::Proc;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// How long the first runtime may take to start.
const STARTS_WITHIN: Duration = Duration::from_mins(1);
/// How often we check for messages of the guard.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long the command may take to end when it is asked to.
pub(crate) const TO_END: Duration = Duration::from_secs(10);
/// How long the guard may take after that to report what is left.
const TO_REPORT: Duration = Duration::from_secs(2);
/// The most processes that are named if the command leaves some behind.
const MAX_NAMED: usize = 8;

/// Messages between us and the guard: each is a line with a word and numbers.
pub(crate) mod protocol {
    /// The command runs, with this process id.
    pub(crate) const STARTED: &str = "started";
    /// The command cannot be started: the number of the error.
    pub(crate) const FAILED: &str = "failed";
    /// The first suspended runtime: its process id.
    pub(crate) const FOUND: &str = "found";
    /// The command has ended: its status.
    pub(crate) const ENDED: &str = "ended";
    /// The command was asked to end: the ids of the processes that are left.
    pub(crate) const LEFT: &str = "left";
    /// To the guard: the subject was resumed, or should be.
    pub(crate) const RELEASE: &str = "release";
    /// To the guard: ask the command to end.
    pub(crate) const END: &str = "end";
}

/// A message of the guard.
#[derive(Debug)]
enum Message {
    Started(u32),
    Failed(i32),
    FoundSocket(u32),
    Ended(ExitStatus),
    Left(Vec<u32>),
    /// The guard has ended.
    Gone,
}

impl Message {
    fn read(line: &str) -> Option<Self> {
        let (word, numbers) = line.split_once(' ').unwrap_or((line, ""));
        let number = || numbers.parse::<u32>().ok();
        let signed = || numbers.parse::<i32>().ok();
        match word {
            protocol::STARTED => number().map(Self::Started),
            protocol::FAILED => signed().map(Self::Failed),
            protocol::FOUND => number().map(Self::FoundSocket),
            protocol::ENDED => signed().map(|status| Self::Ended(ExitStatus::from_raw(status))),
            protocol::LEFT => {
                Some(Self::Left(numbers.split(' ').filter_map(|number| number.parse().ok()).collect()))
            }
            _ => None,
        }
    }
}

/// The guard's process, which starts the command and resumes runtimes.
#[derive(Debug)]
struct GuardProcess {
    child: Child,
    socket: UnixStream,
    /// Bytes of the guard that are not a whole line yet.
    text: Vec<u8>,
}

impl GuardProcess {
    /// Starts it. `program` calls [`crate::guard()`] with the words that are added to its arguments.
    fn start(mut program: Command, words: &[OsString], stdout: Stdio) -> Result<Self, Error> {
        let cannot = |cause| Error::Start { program: "the guard".to_owned(), cause };
        let (socket, its) = UnixStream::pair().map_err(cannot)?;
        socket.set_nonblocking(true).map_err(cannot)?;
        program.args(words).stdin(Stdio::from(OwnedFd::from(its))).stdout(stdout);
        let child = program.spawn().map_err(cannot)?;
        Ok(Self { child, socket, text: Vec::new() })
    }

    /// Sends it a word. If it has ended, nothing happens.
    fn send(&mut self, word: &str) {
        drop(self.socket.write_all(format!("{word}\n").as_bytes()));
    }

    /// The messages since the last call.
    fn messages(&mut self) -> Vec<Message> {
        let mut buffer = [0; 512];
        let mut is_gone = false;
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => is_gone = true,
                Ok(len) => {
                    self.text.extend(buffer.get(..len).unwrap_or_default());
                    continue;
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(_broken) => is_gone = true,
            }
            break;
        }
        let end = self.text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at.saturating_add(1));
        let lines: Vec<u8> = self.text.drain(..end).collect();
        let text = String::from_utf8_lossy(&lines);
        text.lines().filter_map(Message::read).chain(is_gone.then_some(Message::Gone)).collect()
    }
}

/// A command that was started, with a runtime in it.
#[derive(Debug)]
pub struct Launched {
    guard: GuardProcess,
    left: Left,
    is_released: bool,
    /// The runtime, suspended.
    pub found: FoundSocket,
}

/// How a command ended, and which processes it left behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Left {
    /// How it ended, if it did.
    pub status: Option<ExitStatus>,
    command: u32,
    guard: u32,
    /// The processes that still run of all that the command started. The command itself comes first.
    alive: Vec<Alive>,
    /// Whether the guard has ended too early, so that it is not known what is left.
    is_unknown: bool,
}

/// A process that still runs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Alive {
    pid: u32,
    name: String,
}

impl Left {
    /// What still runs, and how to end it; `None` if nothing does.
    pub fn words(&self) -> Option<String> {
        if self.is_unknown {
            return Some(
                "the process that started the command has ended, so it is not known whether the command has. A \
                 runtime that the command starts now may stay suspended: `casebook ps` shows it"
                    .to_owned(),
            );
        }
        let first = self.alive.first()?;
        let named = || self.alive.iter().take(MAX_NAMED);
        let processes: Vec<String> =
            named().map(|Alive { pid, name }| format!("process {pid} ({name})")).collect();
        let more = match self.alive.len().saturating_sub(MAX_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let pids: Vec<String> = named().map(|process| process.pid.to_string()).collect();
        let (what, kill) = if first.pid == self.command {
            ("the command did not end within 10 s of SIGTERM", "kill -KILL")
        } else {
            ("the command has ended but left processes behind", "kill")
        };
        Some(format!(
            "{what}: {}{more} still running; `{kill} {}` ends them. Our process {} stays until all have ended, \
             to resume .NET programs that they start",
            processes.join(", "),
            pids.join(" "),
            self.guard
        ))
    }
}

/// Starts a command and waits until a runtime in it, or below it, is suspended at its start. `guard` is a program that runs
/// [`crate::guard()`]. `goes_on` says whether to go on waiting.
pub fn launch(
    words: &[OsString],
    stdout: Stdio,
    guard: Command,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<Launched, Error> {
    let name = words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    let mut guard = GuardProcess::start(guard, words, stdout)?;
    let mut left = Left { guard: guard.child.id(), ..Left::default() };
    let deadline = Deadline::after(STARTS_WITHIN);
    let how = 'looking: loop {
        for message in guard.messages() {
            match message {
                Message::Started(pid) => left.command = pid,
                Message::Failed(number) => {
                    let cause = std::io::Error::from_raw_os_error(number);
                    return Err(Error::Start { program: name, cause });
                }
                Message::FoundSocket(pid) => {
                    let Some(found) = find_process(&Proc::live(), pid) else {
                        break 'looking "started a .NET runtime that ended at once".to_owned();
                    };
                    return Ok(Launched { guard, left, is_released: false, found });
                }
                Message::Ended(status) => {
                    left.status = Some(status);
                    break 'looking format!(
                        "ended ({}), and no .NET runtime started in it or its child processes",
                        in_words(status)
                    );
                }
                Message::Left(_) => {}
                Message::Gone => {
                    let cause = std::io::Error::other("it ended by itself");
                    return Err(Error::Start { program: "the guard".to_owned(), cause });
                }
            }
        }
        if !goes_on() {
            break "was stopped before a .NET runtime started in it or its child processes".to_owned();
        }
        if !deadline.pause(LOOK_EVERY) {
            let seconds = STARTS_WITHIN.as_secs();
            break format!("and its child processes started no .NET runtime within {seconds} s");
        }
    };
    let left = end(guard, left);
    let left = left.words().map(|words| format!("; {words}")).unwrap_or_default();
    Err(Error::NoRuntime { program: name, how, left })
}

impl Launched {
    /// The id of the command's process.
    pub fn command(&self) -> u32 {
        self.left.command
    }

    /// Reports that the subject was resumed: from now on the guard treats it like any other runtime.
    pub fn release(&mut self) {
        if !std::mem::replace(&mut self.is_released, true) {
            self.guard.send(protocol::RELEASE);
        }
    }

    /// Asks the command's process group and the recorded runtime to end, if they still run, and waits up to 10 s for them.
    pub fn end(self) -> Left {
        end(self.guard, self.left)
    }
}

fn end(mut guard: GuardProcess, mut left: Left) -> Left {
    guard.send(protocol::END);
    let deadline = Deadline::after(TO_END.saturating_add(TO_REPORT));
    loop {
        for message in guard.messages() {
            match message {
                Message::Ended(status) => left.status = Some(status),
                Message::Left(pids) => {
                    let proc = Proc::live();
                    let alive = |pid| {
                        let stat = proc.stat(pid).ok().filter(|stat| stat.state != 'Z')?;
                        Some(Alive { pid, name: stat.comm })
                    };
                    left.alive = pids.into_iter().filter_map(alive).collect();
                    left.alive.sort_by_key(|process| (process.pid != left.command, process.pid));
                    return left;
                }
                Message::Gone => return Left { is_unknown: true, ..left },
                Message::Started(_) | Message::Failed(_) | Message::FoundSocket(_) => {}
            }
        }
        if !deadline.pause(LOOK_EVERY) {
            return Left { is_unknown: true, ..left };
        }
    }
}

fn in_words(status: ExitStatus) -> String {
    status.code().map_or_else(|| status.to_string(), |code| format!("exit code {code}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_that_still_run_are_named_with_the_command_that_ends_them() {
        let check = |alive: &[u32], expected: &[&str]| {
            let alive = alive.iter().map(|pid| Alive { pid: *pid, name: format!("p{pid}") }).collect();
            let words = Left { command: 7, guard: 5, alive, ..Left::default() }.words();
            assert_eq!(words.is_none(), expected.is_empty(), "{words:?}");
            let words = words.unwrap_or_default();
            assert!(expected.iter().all(|part| words.contains(part)), "{words}");
        };
        check(&[], &[]);
        check(
            &[7, 9],
            &["did not end within 10 s of SIGTERM: process 7 (p7), process 9 (p9)", "`kill -KILL 7 9`"],
        );
        check(
            &[9],
            &["has ended but left processes behind: process 9 (p9) still", "`kill 9`", "Our process 5"],
        );
        let many: Vec<u32> = (20..30).collect();
        check(&many, &["process 27 (p27) and 2 more", "`kill 20 21 22 23 24 25 26 27`"]);
        let unknown = Left { is_unknown: true, ..Left::default() };
        assert!(unknown.words().is_some_and(|words| words.contains("is not known")));
    }

    #[test]
    fn a_line_of_the_guard_is_read_as_it_is_written() {
        let check = |line: &str, expected: &str| assert_eq!(format!("{:?}", Message::read(line)), expected);
        check("started 12", "Some(Started(12))");
        check("failed 2", "Some(Failed(2))");
        check("found 14", "Some(FoundSocket(14))");
        check("ended 256", "Some(Ended(ExitStatus(unix_wait_status(256))))");
        check("left ", "Some(Left([]))");
        check("left 3 4", "Some(Left([3, 4]))");
        check("started", "None");
        check("hello 1", "None");
    }
}
