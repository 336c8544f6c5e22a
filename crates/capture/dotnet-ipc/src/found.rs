//! A diagnostics socket that was found, and the process that it should lead to.

use std::path::PathBuf;

/// A process with a diagnostics socket, or an orphaned socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundSocket {
    /// The PID in our namespace. Of an orphaned socket, the one in its name.
    pub pid: u32,
    /// The PID in the process's own namespace.
    pub container_pid: u32,
    /// The path through which we reach the socket.
    pub socket: PathBuf,
    /// When the process started, in kernel ticks since the machine started.
    pub start_ticks: u64,
    /// The user of the process. Of an orphaned socket, its owner.
    pub user: u32,
    /// Whether no process that we can see has the socket. Then we talk to whoever listens on it as its owner.
    pub is_orphaned: bool,
}
