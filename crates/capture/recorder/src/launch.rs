//! A program started for its recording: suspended at its start, and resumed whatever happens to us.
//!
//! A variable of the environment lets every runtime in the command, and in whatever it starts, wait at its start. The
//! first that shows up is the subject. All others are resumed by a second process of ours, the guard ([`mod@crate::guard`]),
//! which starts the command and stays for as long as something lives that the command started.
//!
//! ```text
//!  we ◀─socket─▶ guard ─▶ command ─▶ … ─▶ runtimes (suspended)
//!       the first runtime that waits ◀──        ──▶ release: it is resumed, as are all others
//!       how the command ended, what is left ◀── ──▶ end: SIGTERM, and 10 s
//!       the socket ends with us                 ──▶ the same as release
//! ```

use crate::error::Error;
use base::time::Deadline;
use dotnet_ipc::discover::{Found, find_process};
use host::Proc;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// How long a runtime may take to show up.
const SHOWS_UP: Duration = Duration::from_mins(1);
/// How often a word of the guard is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long the command has to end when it is asked to.
pub(crate) const TO_END: Duration = Duration::from_secs(10);
/// How long the guard may take beyond that to say what is left.
const TO_SAY: Duration = Duration::from_secs(2);
/// Processes that are named where the command leaves some.
const MOST_NAMED: usize = 8;

/// What is said between us and the guard: a word, and numbers, on a line.
pub(crate) mod words {
    /// The command has this number.
    pub(crate) const STARTED: &str = "started";
    /// It cannot be started: the number of the error.
    pub(crate) const FAILED: &str = "failed";
    /// This process is the first runtime that waits.
    pub(crate) const FOUND: &str = "found";
    /// The command has ended, with this status.
    pub(crate) const ENDED: &str = "ended";
    /// It was asked to end, and these processes are left.
    pub(crate) const LEFT: &str = "left";
    /// To the guard: the subject was resumed, or need not wait.
    pub(crate) const RELEASE: &str = "release";
    /// To the guard: ask the command to end.
    pub(crate) const END: &str = "end";
}

/// What the guard says.
#[derive(Debug)]
enum Said {
    Started(u32),
    Failed(i32),
    Found(u32),
    Ended(ExitStatus),
    Left(Vec<u32>),
    /// It has ended.
    Gone,
}

impl Said {
    fn read(line: &str) -> Option<Self> {
        let (word, numbers) = line.split_once(' ').unwrap_or((line, ""));
        let number = || numbers.parse::<u32>().ok();
        let signed = || numbers.parse::<i32>().ok();
        match word {
            words::STARTED => number().map(Self::Started),
            words::FAILED => signed().map(Self::Failed),
            words::FOUND => number().map(Self::Found),
            words::ENDED => signed().map(|status| Self::Ended(ExitStatus::from_raw(status))),
            words::LEFT => {
                Some(Self::Left(numbers.split(' ').filter_map(|number| number.parse().ok()).collect()))
            }
            _ => None,
        }
    }
}

/// The process that starts the command and resumes what it leaves suspended.
#[derive(Debug)]
struct Guard {
    child: Child,
    socket: UnixStream,
    /// What it said that was not looked at yet.
    text: Vec<u8>,
}

impl Guard {
    /// Starts it: a program that calls [`crate::guard()`] with the words that follow its own.
    fn start(mut program: Command, words: &[OsString], stdout: Stdio) -> Result<Self, Error> {
        let cannot = |cause| Error::Start { program: "the guard".to_owned(), cause };
        let (socket, its) = UnixStream::pair().map_err(cannot)?;
        socket.set_nonblocking(true).map_err(cannot)?;
        program.args(words).stdin(Stdio::from(OwnedFd::from(its))).stdout(stdout);
        let child = program.spawn().map_err(cannot)?;
        Ok(Self { child, socket, text: Vec::new() })
    }

    /// Says a word to it. One that has ended needs none.
    fn tell(&mut self, word: &str) {
        drop(self.socket.write_all(format!("{word}\n").as_bytes()));
    }

    /// What it has said since it was last asked.
    fn said(&mut self) -> Vec<Said> {
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
        let said = String::from_utf8_lossy(&lines).lines().filter_map(Said::read).collect::<Vec<_>>();
        said.into_iter().chain(is_gone.then_some(Said::Gone)).collect()
    }
}

/// A command that was started, with a runtime in it.
#[derive(Debug)]
pub struct Launched {
    guard: Guard,
    left: Left,
    is_released: bool,
    /// The runtime, suspended.
    pub found: Found,
}

/// How a command ended that was asked to, and what it left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Left {
    /// How it ended, if it did.
    pub status: Option<ExitStatus>,
    command: u32,
    guard: u32,
    /// What lives of all that the command started, by number and name; the command itself first.
    alive: Vec<(u32, String)>,
    /// Whether the guard has ended before its time: then it is not known what is left.
    is_unknown: bool,
}

impl Left {
    /// What runs on, and what to do about it; none if all has ended.
    pub fn words(&self) -> Option<String> {
        if self.is_unknown {
            return Some(
                "the process that started the command has ended: whether the command ended is not known, and \
                 a runtime that starts in it now may wait at its start: `casebook ps` shows it"
                    .to_owned(),
            );
        }
        let (first, _) = self.alive.first()?;
        let named: Vec<String> =
            self.alive.iter().take(MOST_NAMED).map(|(pid, name)| format!("process {pid} ({name})")).collect();
        let more = match self.alive.len().saturating_sub(MOST_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let numbers: Vec<String> =
            self.alive.iter().take(MOST_NAMED).map(|(pid, _)| pid.to_string()).collect();
        let (what, kill) = if *first == self.command {
            ("the command did not end within 10 s of SIGTERM", "kill -KILL")
        } else {
            ("the command has ended, and left processes behind", "kill")
        };
        Some(format!(
            "{what}: {}{more}, still running; `{kill} {}` ends what was named. Process {} of ours stays until \
             all have ended, to resume .NET programs that they start",
            named.join(", "),
            numbers.join(" "),
            self.guard
        ))
    }
}

/// Starts a command and waits until a runtime in it, or below it, waits at its start. `guard` is a program that runs
/// [`crate::guard()`]. `looks_on` is asked on the way whether to go on.
pub fn launch(
    words: &[OsString],
    stdout: Stdio,
    guard: Command,
    looks_on: &mut dyn FnMut() -> bool,
) -> Result<Launched, Error> {
    let name = words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    let mut guard = Guard::start(guard, words, stdout)?;
    let mut left = Left { guard: guard.child.id(), ..Left::default() };
    let deadline = Deadline::after(SHOWS_UP);
    let within = 'looking: loop {
        for said in guard.said() {
            match said {
                Said::Started(pid) => left.command = pid,
                Said::Failed(number) => {
                    let cause = std::io::Error::from_raw_os_error(number);
                    return Err(Error::Start { program: name, cause });
                }
                Said::Found(pid) => {
                    let Some(found) = find_process(&Proc::live(), pid) else {
                        break 'looking "that did not end at its start".to_owned();
                    };
                    return Ok(Launched { guard, left, is_released: false, found });
                }
                Said::Ended(status) => {
                    left.status = Some(status);
                    break 'looking format!("before it ended, with {}", in_words(status));
                }
                Said::Left(_) => {}
                Said::Gone => {
                    let cause = std::io::Error::other("it ended by itself");
                    return Err(Error::Start { program: "the guard".to_owned(), cause });
                }
            }
        }
        if !looks_on() {
            break "before it was stopped".to_owned();
        }
        if !deadline.pause(LOOK_EVERY) {
            break format!("within {} s", SHOWS_UP.as_secs());
        }
    };
    let left = end(guard, left);
    let left = left.words().map(|words| format!("; {words}")).unwrap_or_default();
    Err(Error::NoRuntime { program: name, within, left })
}

impl Launched {
    /// The number of the command's process.
    pub fn command(&self) -> u32 {
        self.left.command
    }

    /// The subject was resumed: the guard looks after it as after all others from now on.
    pub fn release(&mut self) {
        if !std::mem::replace(&mut self.is_released, true) {
            self.guard.tell(words::RELEASE);
        }
    }

    /// Asks the command to end if it still runs, with its process group and the runtime that was recorded, and waits up
    /// to 10 s for them.
    pub fn end(self) -> Left {
        end(self.guard, self.left)
    }
}

fn end(mut guard: Guard, mut left: Left) -> Left {
    guard.tell(words::END);
    let deadline = Deadline::after(TO_END.saturating_add(TO_SAY));
    loop {
        for said in guard.said() {
            match said {
                Said::Ended(status) => left.status = Some(status),
                Said::Left(pids) => {
                    let proc = Proc::live();
                    let named = |pid| Some((pid, proc.stat(pid).ok().filter(|stat| stat.state != 'Z')?.comm));
                    left.alive = pids.into_iter().filter_map(named).collect();
                    left.alive.sort_by_key(|(pid, _)| (*pid != left.command, *pid));
                    return left;
                }
                Said::Gone => return Left { is_unknown: true, ..left },
                Said::Started(_) | Said::Failed(_) | Said::Found(_) => {}
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
    fn what_runs_on_is_named_with_what_ends_it() {
        let check = |alive: &[u32], expected: &[&str]| {
            let alive = alive.iter().map(|pid| (*pid, format!("p{pid}"))).collect();
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
            &["has ended, and left processes behind: process 9 (p9), still", "`kill 9`", "Process 5 of ours"],
        );
        let many: Vec<u32> = (20..30).collect();
        check(&many, &["process 27 (p27) and 2 more", "`kill 20 21 22 23 24 25 26 27`"]);
        let unknown = Left { is_unknown: true, ..Left::default() };
        assert!(unknown.words().is_some_and(|words| words.contains("is not known")));
    }

    #[test]
    fn a_line_of_the_guard_is_read_as_it_is_written() {
        let check = |line: &str, expected: &str| assert_eq!(format!("{:?}", Said::read(line)), expected);
        check("started 12", "Some(Started(12))");
        check("failed 2", "Some(Failed(2))");
        check("found 14", "Some(Found(14))");
        check("ended 256", "Some(Ended(ExitStatus(unix_wait_status(256))))");
        check("left ", "Some(Left([]))");
        check("left 3 4", "Some(Left([3, 4]))");
        check("started", "None");
        check("hello 1", "None");
    }
}
