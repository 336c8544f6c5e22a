//! Finding the processes with a diagnostics socket: our own, those of other users if permitted, and those in containers.
//!
//! A runtime opens `{TMPDIR or /tmp}/dotnet-diagnostic-{pid}-{key}-socket`. The pid is the one in its own namespace. The key
//! is the start time of the process, so it distinguishes processes with the same PID. The socket of a process in a
//! container is reached through `/proc/PID/root`. Nothing in a folder of other users is trusted: the listing is cut off at
//! a limit, and asking the sockets takes limited time.

use crate::crowd::{self, Rank, Turn};
use crate::error::Error;
use crate::process::ProcessInfo;
use base::time::{Deadline, Stopwatch};
use host::{Proc, Stat};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use crate::found::FoundSocket;

/// How long a process may take to describe itself.
pub const PATIENCE: Duration = Duration::from_secs(1);
/// Limit on the entries of a folder that are checked.
const MAX_ENTRIES: usize = 20_000;

/// The result of asking many processes.
#[derive(Debug)]
pub struct Answers {
    /// Those that were asked, in the order in which they were passed.
    pub asked: Vec<Asked>,
    /// How many sockets were not asked, by user, because too many others of the same user did not answer in time.
    pub unasked: BTreeMap<u32, usize>,
}

/// The result of asking a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It answers.
    Running,
    /// It answers, and is suspended at startup until it is resumed.
    Suspended,
    /// The socket's file exists, but its process has ended.
    Stale,
    /// We are not permitted to ask, or the answer is an error.
    Refused,
    /// It did not answer in time.
    Silent,
}

impl State {
    /// The name in tables and JSON.
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

/// A process that was asked, and its answer.
#[derive(Debug)]
pub struct Asked {
    /// Its socket.
    pub found: FoundSocket,
    /// The result.
    pub state: State,
    /// The answer, if there is one.
    pub info: Option<ProcessInfo>,
    /// Why there is no answer.
    pub error: Option<Error>,
}

/// All processes that have a socket, by ascending PID.
pub fn find(proc: &Proc) -> Vec<FoundSocket> {
    proc.pids().into_iter().filter_map(|pid| find_process(proc, pid)).collect()
}

/// The socket of a process. `None` if it has no socket, or has ended.
pub fn find_process(proc: &Proc, pid: u32) -> Option<FoundSocket> {
    let stat = proc.stat(pid).ok()?;
    // Kernels before 4.1 do not report the PID inside a container.
    let container_pid = proc.namespace_pid(pid).unwrap_or(pid);
    let folder = proc.environment(pid, "TMPDIR").filter(|folder| folder.starts_with('/'));
    let folder = folder.unwrap_or_else(|| "/tmp".to_owned());
    let inside = proc.root_path(pid).join(folder.trim_start_matches('/'));
    // We may not enter another user's root. If it is also ours, the plain path leads to the same folder.
    let folders = [inside, PathBuf::from(&folder)];
    let user = proc.user_id(pid);
    let found = folders.iter().find_map(|folder| socket_in(folder, container_pid, &stat, user));
    let OwnedSocket { path: socket, owner } = found.or_else(|| {
        // Reported as found, so that connecting fails with the reason.
        let path = socket_path(Path::new(&folder), container_pid, &stat);
        is_too_long(proc, pid, &path).then_some(OwnedSocket { path, owner: user? })
    })?;
    // If the process's user cannot be read, the socket's owner stands in.
    let user = user.unwrap_or(owner);
    Some(FoundSocket { pid, container_pid, socket, start_ticks: stat.start_ticks, user, is_orphaned: false })
}

fn socket_path(folder: &Path, pid: u32, stat: &Stat) -> PathBuf {
    folder.join(format!("dotnet-diagnostic-{pid}-{}-socket", stat.start_ticks))
}

/// Whether a runtime has no socket because its path would be too long. The runtime does not report that anywhere.
fn is_too_long(proc: &Proc, pid: u32, path: &Path) -> bool {
    Error::of_length(path).is_some() && proc.has_mapped(pid, RUNTIME_LIBRARY)
}

/// A library that every .NET process has mapped, except for single-file programs that contain their runtime.
pub const RUNTIME_LIBRARY: &str = "/libcoreclr.so";

/// A socket's file, and its owner.
struct OwnedSocket {
    path: PathBuf,
    owner: u32,
}

/// The socket of a process in a folder. A socket of another user does not count, because anyone can create files in a
/// temporary folder.
fn socket_in(folder: &Path, pid: u32, stat: &Stat, user: Option<u32>) -> Option<OwnedSocket> {
    let path = socket_path(folder, pid, stat);
    let meta = std::fs::symlink_metadata(&path).ok()?;
    let owner = meta.uid();
    let is_owners = user.is_none_or(|user| owner == user || owner == 0);
    (is_socket(&meta) && is_owners).then_some(OwnedSocket { path, owner })
}

fn is_socket(meta: &Metadata) -> bool {
    meta.file_type().is_socket()
}

/// Sockets in these folders that belong to no process in `found`. They are left over from processes that ended without
/// removing them, or belong to containers that share the folder.
pub fn find_orphaned(found: &[FoundSocket], folders: &[PathBuf]) -> Vec<FoundSocket> {
    let known: BTreeSet<SocketId> = found.iter().filter_map(|found| SocketId::of(&found.socket)).collect();
    let mut orphaned = Vec::new();
    for folder in folders {
        let entries = std::fs::read_dir(folder).into_iter().flatten().take(MAX_ENTRIES).flatten();
        for path in entries.map(|entry| entry.path()) {
            let Some(SocketName { pid, start_ticks }) = SocketName::of(&path) else { continue };
            let is_known = SocketId::of(&path).is_some_and(|id| known.contains(&id));
            let meta = std::fs::symlink_metadata(&path).ok().filter(is_socket);
            if let Some(meta) = meta.filter(|_| !is_known) {
                let user = meta.uid();
                orphaned.push(FoundSocket {
                    pid,
                    container_pid: pid,
                    socket: path,
                    start_ticks,
                    user,
                    is_orphaned: true,
                });
            }
        }
    }
    orphaned.sort_by(|one, other| (one.pid, &one.socket).cmp(&(other.pid, &other.socket)));
    orphaned.dedup();
    orphaned
}

/// A socket's folder and name. Equal for two paths to the same socket: a path through `/proc/PID/root` may lead to a folder
/// of ours.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct SocketId {
    folder_device: u64,
    folder_inode: u64,
    name: OsString,
}

impl SocketId {
    fn of(path: &Path) -> Option<Self> {
        let folder = std::fs::metadata(path.parent()?).ok()?;
        let name = path.file_name()?.to_owned();
        Some(Self { folder_device: folder.dev(), folder_inode: folder.ino(), name })
    }
}

/// What the name of a socket says about its process.
struct SocketName {
    pid: u32,
    start_ticks: u64,
}

impl SocketName {
    fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let middle = name.strip_prefix("dotnet-diagnostic-")?.strip_suffix("-socket")?;
        let (pid, key) = middle.split_once('-')?;
        Some(Self { pid: pid.parse().ok()?, start_ticks: key.parse().ok()? })
    }
}

/// Asks many processes at once about themselves. A silent one does not delay others, and many silent sockets of one user
/// do not delay other users. Processes come before orphaned sockets, and newer ones before older ones.
pub fn ask_all(proc: &Proc, found: &[FoundSocket]) -> Answers {
    let rank = |found: &FoundSocket| Rank { has_process: !found.is_orphaned, start_ticks: found.start_ticks };
    let turn = |found: &FoundSocket| Turn { user: found.user, rank: rank(found) };
    let turns: Vec<Turn> = found.iter().map(turn).collect();
    let outcome = crowd::ask_all(&turns, PATIENCE, &|at| {
        let watch = Stopwatch::start();
        (found.get(at).map(|found| ask(proc, found.clone())), watch.elapsed())
    });
    Answers { asked: outcome.answers.into_iter().flatten().collect(), unasked: outcome.unasked }
}

/// Asks a process about itself.
pub fn ask(proc: &Proc, found: FoundSocket) -> Asked {
    match ProcessInfo::ask(&found.endpoint(), Deadline::after(PATIENCE)) {
        Ok(info) => {
            let state = if is_suspended(proc, found.pid) { State::Suspended } else { State::Running };
            Asked { found, state, info: Some(info), error: None }
        }
        Err(error) => {
            let state = match &error {
                Error::NoSocket(_) | Error::Stale(_) | Error::Ended(_) => State::Stale,
                Error::Silent(_) => State::Silent,
                // A runtime before .NET 5 does not know the command, but that it answers shows that it runs.
                error if error.is_unknown_command() => State::Running,
                _ => State::Refused,
            };
            Asked { found, state, info: None, error: Some(error) }
        }
    }
}

/// A runtime that is suspended at startup has no more threads than this: the main thread, and those for its socket and
/// for signals.
const MAX_AT_START: usize = 4;

/// Whether a runtime is suspended at startup: it creates its finalizer thread right after that. Older runtimes do not name
/// this thread, but have more than [`MAX_AT_START`] threads once they run.
pub fn is_suspended(proc: &Proc, pid: u32) -> bool {
    // The number of threads is cheaper to read than their names.
    if !proc.stat(pid).is_ok_and(|stat| stat.threads as usize <= MAX_AT_START) {
        return false;
    }
    let threads = proc.threads(pid);
    (1..=MAX_AT_START).contains(&threads.len())
        && !threads.iter().any(|thread| thread.name.starts_with(".NET Finalizer"))
}
