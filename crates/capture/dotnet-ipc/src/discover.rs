//! Which processes have a diagnostics socket: of this user, of others where permitted, and of containers.
//!
//! A runtime opens `{TMPDIR or /tmp}/dotnet-diagnostic-{pid}-{key}-socket`, where the pid is the one in its own namespace
//! and the key is when the process began, so that a number used again is told apart. The socket of a process in a
//! container is reached through `/proc/PID/root`. What other users' folders hold is not trusted: their listing is cut, and
//! their sockets are asked for a limited time.

use crate::crowd::{self, Turn};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::process::ProcessInfo;
use base::time::{Deadline, Stopwatch};
use host::{Proc, Stat};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a process has to say what it is.
pub const PATIENCE: Duration = Duration::from_secs(1);
/// Entries of a folder that are looked at.
const MOST_ENTRIES: usize = 20_000;

/// A process with a diagnostics socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The process, in our namespace.
    pub pid: u32,
    /// The process, in its own namespace.
    pub container_pid: u32,
    /// The socket, as we reach it.
    pub socket: PathBuf,
    /// When the process began, in ticks of the kernel since the machine began.
    pub start_ticks: u64,
    /// The user whose process it is; of a socket that is left, its owner.
    pub user: u32,
    /// Whether no process that can be seen has the socket: then whoever listens there as its owner is talked to.
    pub is_left: bool,
}

impl Found {
    /// Where this process is reached, and no other.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::Found(self.clone())
    }
}

/// What became of asking many.
#[derive(Debug)]
pub struct Answers {
    /// Those that were asked, in the order of the questions.
    pub asked: Vec<Asked>,
    /// How many sockets of which user were not asked, because too many others did not answer in time.
    pub unasked: BTreeMap<u32, usize>,
}

/// What became of asking a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It answers.
    Running,
    /// It answers, and waits at its start to be resumed.
    Suspended,
    /// The socket's file is there without its process.
    Stale,
    /// It is not permitted, or does not do what it is asked.
    Refused,
    /// No answer in time.
    Silent,
}

impl State {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Stale => "stale",
            Self::Refused => "refused",
            Self::Silent => "silent",
        }
    }
}

/// A process as far as it says what it is.
#[derive(Debug)]
pub struct Asked {
    /// Where it is.
    pub found: Found,
    /// What became of asking.
    pub state: State,
    /// What it said.
    pub info: Option<ProcessInfo>,
    /// Why it did not.
    pub error: Option<Error>,
}

/// Every process that has a socket, by number.
pub fn find(proc: &Proc) -> Vec<Found> {
    proc.pids().into_iter().filter_map(|pid| find_process(proc, pid)).collect()
}

/// The socket of a process; none where it has none, or is not there.
pub fn find_process(proc: &Proc, pid: u32) -> Option<Found> {
    let stat = proc.stat(pid).ok()?;
    let container_pid = proc.namespace_pid(pid).unwrap_or(pid);
    let folder = proc.environment(pid, "TMPDIR").filter(|folder| folder.starts_with('/'));
    let folder = folder.unwrap_or_else(|| "/tmp".to_owned());
    let inside = proc.root_path(pid).join(folder.trim_start_matches('/'));
    // Another user's root may not be entered; where it is our own, the path leads there as well.
    let folders = [inside, PathBuf::from(&folder)];
    let user = proc.user_id(pid);
    let found = folders.iter().find_map(|folder| socket_in(folder, container_pid, &stat, user));
    let (socket, owner) = found.or_else(|| {
        let path = socket_path(Path::new(&folder), container_pid, &stat);
        Some((too_long(proc, pid, &path)?, user?))
    })?;
    let user = user.unwrap_or(owner);
    Some(Found { pid, container_pid, socket, start_ticks: stat.start_ticks, user, is_left: false })
}

fn socket_path(folder: &Path, pid: u32, stat: &Stat) -> PathBuf {
    folder.join(format!("dotnet-diagnostic-{pid}-{}-socket", stat.start_ticks))
}

/// Where a runtime would have its socket if the path were not too long: then it opens none, and says so to nobody.
fn too_long(proc: &Proc, pid: u32, path: &Path) -> Option<PathBuf> {
    let is_too_long = Error::of_length(path).is_some();
    (is_too_long && proc.has_mapped(pid, RUNTIME_LIBRARY)).then(|| path.to_path_buf())
}

/// The library that every process with a runtime has mapped, unless it is one file with its runtime.
pub const RUNTIME_LIBRARY: &str = "/libcoreclr.so";

/// The socket of a process in a folder, with its owner: by its key, which is when it began. One that another user put there
/// is none: anyone may make files in a folder of temporary ones.
fn socket_in(folder: &Path, pid: u32, stat: &Stat, user: Option<u32>) -> Option<(PathBuf, u32)> {
    use std::os::unix::fs::MetadataExt;
    let path = socket_path(folder, pid, stat);
    let meta = std::fs::symlink_metadata(&path).ok()?;
    let is_owners = user.is_none_or(|user| meta.uid() == user || meta.uid() == 0);
    (is_socket(&meta) && is_owners).then_some((path, meta.uid()))
}

fn is_socket(meta: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    meta.file_type().is_socket()
}

/// Sockets in our own folders of temporary files that no process of ours has: those of processes that ended without
/// removing them, and of containers whose folder is shared.
pub fn find_stale(found: &[Found], folders: &[PathBuf]) -> Vec<Found> {
    use std::os::unix::fs::MetadataExt;
    let known: BTreeSet<PathBuf> = found.iter().filter_map(|found| canonical(&found.socket)).collect();
    let mut stale = Vec::new();
    for folder in folders {
        let entries = std::fs::read_dir(folder).into_iter().flatten().take(MOST_ENTRIES).flatten();
        for path in entries.map(|entry| entry.path()) {
            let Some((pid, start_ticks)) = parts(&path) else { continue };
            let is_known = canonical(&path).is_some_and(|path| known.contains(&path));
            let meta = std::fs::symlink_metadata(&path).ok().filter(is_socket);
            if let Some(meta) = meta.filter(|_| !is_known) {
                let user = meta.uid();
                stale.push(Found { pid, container_pid: pid, socket: path, start_ticks, user, is_left: true });
            }
        }
    }
    stale.sort_by(|one, other| (one.pid, &one.socket).cmp(&(other.pid, &other.socket)));
    stale.dedup();
    stale
}

/// A socket's file by its folder's device and number and its name: a folder seen through `/proc` may be our own.
fn canonical(path: &Path) -> Option<PathBuf> {
    use std::os::unix::fs::MetadataExt;
    let folder = std::fs::metadata(path.parent()?).ok()?;
    Some(PathBuf::from(format!("{}/{}", folder.dev(), folder.ino())).join(path.file_name()?))
}

/// Process and key in a socket's name.
fn parts(path: &Path) -> Option<(u32, u64)> {
    let name = path.file_name()?.to_str()?;
    let middle = name.strip_prefix("dotnet-diagnostic-")?.strip_suffix("-socket")?;
    let (pid, key) = middle.split_once('-')?;
    Some((pid.parse().ok()?, key.parse().ok()?))
}

/// Asks processes what they are, many at once: one that does not answer holds up no other, and the sockets of one user
/// that do not answer hold up no other user. Processes come before sockets that are left, newer ones before older.
pub fn ask_all(proc: &Proc, found: &[Found]) -> Answers {
    let turn = |found: &Found| Turn { user: found.user, rank: (!found.is_left, found.start_ticks) };
    let turns: Vec<Turn> = found.iter().map(turn).collect();
    let outcome = crowd::ask_all(&turns, PATIENCE, &|at| {
        let watch = Stopwatch::start();
        (found.get(at).map(|found| ask(proc, found.clone())), watch.elapsed())
    });
    Answers { asked: outcome.answers.into_iter().flatten().collect(), unasked: outcome.unasked }
}

/// Asks a process what it is.
pub fn ask(proc: &Proc, found: Found) -> Asked {
    match ProcessInfo::ask(&found.endpoint(), Deadline::after(PATIENCE)) {
        Ok(info) => {
            let state = if is_suspended(proc, found.pid) { State::Suspended } else { State::Running };
            Asked { found, state, info: Some(info), error: None }
        }
        Err(error) => {
            let state = match &error {
                Error::NoSocket(_) | Error::Stale(_) | Error::Ended(_) => State::Stale,
                Error::Silent(_) => State::Silent,
                // Runtimes before .NET 5 do not know the question, and run.
                error if error.is_unknown_command() => State::Running,
                _ => State::Refused,
            };
            Asked { found, state, info: None, error: Some(error) }
        }
    }
}

/// Threads of a runtime that waits at its start, at most: its own, and those of its socket and of signals.
const MOST_AT_START: usize = 4;

/// Whether a runtime waits at its start: the thread that runs finalizers is made right after it. Older runtimes do not
/// name it, and have more threads than that once they run.
pub fn is_suspended(proc: &Proc, pid: u32) -> bool {
    // Their number is known at once, their names are not.
    if !proc.stat(pid).is_ok_and(|stat| stat.threads as usize <= MOST_AT_START) {
        return false;
    }
    let threads = proc.threads(pid);
    (1..=MOST_AT_START).contains(&threads.len())
        && !threads.iter().any(|thread| thread.name.starts_with(".NET Finalizer"))
}
