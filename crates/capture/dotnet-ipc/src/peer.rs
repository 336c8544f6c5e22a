//! Which process is at the other end of a connection.
//!
//! The path of a socket proves nothing: whoever may write to its folder can swap the socket for another one, or for a link
//! to one, after we have checked it, and root may connect to any socket. So we open the file once, and use that handle for
//! the check and for the connection. Before a byte is sent, we ask the kernel which process listens and as which user.
//!
//! ```text
//!  name ──open──▶ handle of the file ──a socket of the right user?──▶ connect ──▶ who called listen()? ──▶ send command
//!         no link is followed                 /proc/self/fd/N              process, user, start time
//! ```

use crate::error::Error;
use crate::found::FoundSocket;
use host::Proc;
use std::fmt;
use std::os::unix::net::UnixStream;

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::SocketFile;
#[cfg(target_os = "linux")]
pub(crate) use linux::SocketFile;

/// The process at the other end, as the kernel reports it: the one that listens on the socket, or that connected to ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its PID in the namespace of our `/proc`. `None` if it has ended, or cannot be seen from here.
    pub pid: Option<u32>,
    /// Its user when it began to listen, or connected.
    pub user: u32,
}

impl fmt::Display for Peer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) => write!(out, "process {pid} of user {}", self.user),
            None => write!(out, "a process of user {} that has ended or cannot be seen from here", self.user),
        }
    }
}

impl Peer {
    /// Asks the kernel about the other end of a connection.
    pub(crate) fn of(stream: &UnixStream) -> Result<Self, Error> {
        #[cfg(target_os = "linux")]
        return linux::peer(stream);
        #[cfg(not(target_os = "linux"))]
        return elsewhere::peer(stream);
    }

    /// Checks that this is the process that was found, or for an orphaned socket, a process of its owner.
    pub(crate) fn check(self, found: &FoundSocket, owner: u32) -> Result<(), Error> {
        let is_process = found.is_orphaned || self.pid == Some(found.pid);
        if !is_process || self.user != owner {
            return Err(wrong_peer(found, self.to_string()));
        }
        if found.is_orphaned {
            return Ok(());
        }
        // The PID may have been given to a later process since the socket was found.
        let stat = Proc::live().stat(found.pid);
        let is_same = match stat {
            Ok(stat) => stat.start_ticks == found.start_ticks,
            // For example too many open files, which does not mean that the process has ended.
            Err(host::Error::Unreadable { path, cause }) => {
                let why = std::fs::File::open(path).err();
                return Err(Error::Io(why.unwrap_or_else(|| cause.into())));
            }
            Err(_gone) => false,
        };
        if is_same { Ok(()) } else { Err(Error::Ended(found.pid)) }
    }
}

/// The error that a socket leads to another process than the one that was found.
fn wrong_peer(expected: &FoundSocket, found: String) -> Error {
    let socket = expected.socket.display().to_string();
    Error::WrongPeer { socket, pid: expected.pid, user: expected.user, found }
}

#[cfg(target_os = "linux")]
mod linux {
    use super::{Error, FoundSocket, Peer, wrong_peer};
    use nix::errno::Errno;
    use nix::sys::socket::{getsockopt, sockopt};
    use rustix::fs::{FileType, Mode, OFlags};
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::os::unix::net::UnixStream;
    use std::path::{Path, PathBuf};

    pub(super) fn peer(stream: &UnixStream) -> Result<Peer, Error> {
        // `rustix` assumes that this PID is never 0, but it is 0 for a process in a namespace that we cannot see.
        let reported =
            getsockopt(stream, sockopt::PeerCredentials).map_err(|errno| Error::Io(errno.into()))?;
        let pid = u32::try_from(reported.pid()).ok().filter(|pid| *pid != 0);
        Ok(Peer { pid: pid_by_handle(stream, pid), user: reported.uid() })
    }

    /// The PID of the other end in our `/proc`, from a handle of the process, so it is never the PID of a later process.
    /// `None` if the process has ended or our `/proc` does not show it; `reported` if the kernel has no such handles
    /// (before 6.5).
    fn pid_by_handle(stream: &UnixStream, reported: Option<u32>) -> Option<u32> {
        let handle = match getsockopt(stream, sockopt::PeerPidfd) {
            Ok(handle) => handle,
            // The process has ended (kernels up to 6.15).
            Err(Errno::ESRCH | Errno::EINVAL) => return None,
            Err(_unknown_option) => return reported,
        };
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", handle.as_raw_fd()));
        let info = info.unwrap_or_default();
        let Some(pid) = info.lines().find_map(|line| line.strip_prefix("Pid:")) else { return reported };
        // -1 if the process has ended, 0 if this `/proc` does not show it.
        pid.trim().parse().ok().filter(|pid| *pid != 0)
    }

    /// A handle of a socket's file. We connect to the file that we checked, even if its name leads elsewhere by then.
    #[derive(Debug)]
    pub(crate) struct SocketFile {
        file: OwnedFd,
        pub(crate) owner: u32,
    }

    impl SocketFile {
        /// Opens the socket that was found. A link is refused, and so is a socket that belongs neither to the process's user
        /// nor to root. Root is accepted because a process may start as root and then change its user.
        pub(crate) fn found(found: &FoundSocket) -> Result<Self, Error> {
            let (file, kind) = Self::open(&found.socket, OFlags::NOFOLLOW)?;
            let is_owners = file.owner == found.user || (file.owner == 0 && !found.is_orphaned);
            if kind == FileType::Socket && is_owners {
                return Ok(file);
            }
            let what = if kind == FileType::Symlink {
                "a link".to_owned()
            } else if kind == FileType::Socket {
                format!("a socket that user {} owns", file.owner)
            } else {
                "a file that is not a socket".to_owned()
            };
            Err(wrong_peer(found, what))
        }

        /// Opens a socket that the user named, which may be a link to one.
        pub(crate) fn named(path: &Path) -> Result<Self, Error> {
            let (file, kind) = Self::open(path, OFlags::empty())?;
            if kind == FileType::Socket { Ok(file) } else { Err(Error::Stale(path.display().to_string())) }
        }

        fn open(path: &Path, flags: OFlags) -> Result<(Self, FileType), Error> {
            let file = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC | flags, Mode::empty());
            let file = file.map_err(|errno| {
                let error = Error::of_connecting(errno.into(), path);
                // If there is nothing at a path that is too long for a socket, that is the better reason.
                if matches!(error, Error::NoSocket(_)) {
                    Error::of_length(path).unwrap_or(error)
                } else {
                    error
                }
            })?;
            let stat = rustix::fs::fstat(&file).map_err(|errno| Error::Io(errno.into()))?;
            Ok((Self { file, owner: stat.st_uid }, FileType::from_raw_mode(stat.st_mode)))
        }

        /// A short path that leads to the file as long as this handle is open.
        pub(crate) fn path(&self) -> PathBuf {
            PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
        }
    }
}

/// Without `/proc` no process is found, the peer of a named socket is unknown, and we cannot connect to a file by a handle.
#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::{Error, FoundSocket, Peer};
    use std::io::ErrorKind;
    use std::os::unix::net::UnixStream;
    use std::path::{Path, PathBuf};

    pub(super) fn peer(_stream: &UnixStream) -> Result<Peer, Error> {
        Err(Error::Io(ErrorKind::Unsupported.into()))
    }

    #[derive(Debug)]
    pub(crate) struct SocketFile {
        pub(crate) owner: u32,
    }

    impl SocketFile {
        pub(crate) fn found(_found: &FoundSocket) -> Result<Self, Error> {
            Err(Error::Io(ErrorKind::Unsupported.into()))
        }

        pub(crate) fn named(path: &Path) -> Result<Self, Error> {
            Err(Error::of_length(path).unwrap_or(Error::Io(ErrorKind::Unsupported.into())))
        }

        pub(crate) fn path(&self) -> PathBuf {
            PathBuf::new()
        }
    }
}
