//! Who is at the other end of a connection.
//!
//! The path of a socket proves nothing: whoever may write to its folder can put another socket there, or a link to one, between
//! a look and a connection, and root may connect to every socket. So the file itself is held while it is looked at and
//! connected to, and the kernel is asked on every connection, before a byte is sent, which process listens and as which
//! user.
//!
//! ```text
//!  name ──open──▶ the file, held ──is it a socket, of the right user?──▶ connect ──▶ who called listen()? ──▶ a command
//!         no link is followed                      /proc/self/fd/N                 process, user, start time
//! ```

use crate::discover::Found;
use crate::error::Error;
use host::Proc;
use std::fmt;
use std::os::unix::net::UnixStream;

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::Held;
#[cfg(target_os = "linux")]
pub(crate) use linux::Held;

/// The process at the other end, as the kernel knows it: the one that listens at the socket, or that connected to ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its number in the namespace of our `/proc`. None if it has ended, or cannot be seen from here.
    pub pid: Option<u32>,
    /// The user that it acted as.
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
    /// Asks the kernel.
    pub(crate) fn of(stream: &UnixStream) -> Result<Self, Error> {
        #[cfg(target_os = "linux")]
        return linux::peer(stream);
        #[cfg(not(target_os = "linux"))]
        return elsewhere::peer(stream);
    }

    /// Checks that this is who was found.
    pub(crate) fn check(self, found: &Found, owner: u32) -> Result<(), Error> {
        let is_process = found.is_left || self.pid == Some(found.pid);
        if !is_process || self.user != owner {
            return Err(Error::of_other(found, self.to_string()));
        }
        if found.is_left {
            return Ok(());
        }
        // The number may be that of a later process by now.
        let stat = Proc::live().stat(found.pid);
        let is_same = match stat {
            Ok(stat) => stat.start_ticks == found.start_ticks,
            // Too many open files, say, is not the end of the process.
            Err(host::Error::Unreadable { path, cause }) => {
                let why = std::fs::File::open(path).err();
                return Err(Error::Io(why.unwrap_or_else(|| cause.into())));
            }
            Err(_gone) => false,
        };
        if is_same { Ok(()) } else { Err(Error::Ended(found.pid)) }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use super::{Error, Found, Peer};
    use nix::errno::Errno;
    use nix::sys::socket::{getsockopt, sockopt};
    use rustix::fs::{FileType, Mode, OFlags};
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::os::unix::net::UnixStream;
    use std::path::{Path, PathBuf};

    pub(super) fn peer(stream: &UnixStream) -> Result<Peer, Error> {
        // Not by `rustix`: it takes the number of a process for one that is never 0, and that of a process in a namespace that
        // we cannot see is 0.
        let told = getsockopt(stream, sockopt::PeerCredentials).map_err(|errno| Error::Io(errno.into()))?;
        let pid = u32::try_from(told.pid()).ok().filter(|pid| *pid != 0);
        Ok(Peer { pid: pid_by_handle(stream, pid), user: told.uid() })
    }

    /// The number of the process at the other end, through a handle of it: never that of a later process with the same
    /// number, and as our `/proc` counts. None if the process has ended or is not shown there; `told` if the kernel hands out
    /// no such handle (before 6.5).
    fn pid_by_handle(stream: &UnixStream, told: Option<u32>) -> Option<u32> {
        let handle = match getsockopt(stream, sockopt::PeerPidfd) {
            Ok(handle) => handle,
            // What kernels up to 6.15 say of a process that has ended.
            Err(Errno::ESRCH | Errno::EINVAL) => return None,
            Err(_unknown_option) => return told,
        };
        let about = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", handle.as_raw_fd()));
        let about = about.unwrap_or_default();
        let Some(number) = about.lines().find_map(|line| line.strip_prefix("Pid:")) else { return told };
        // -1 for a process that has ended, 0 for one that this `/proc` does not show.
        number.trim().parse().ok().filter(|pid| *pid != 0)
    }

    /// The file of a socket, held: what was looked at is what is connected to, whatever its name leads to by then.
    #[derive(Debug)]
    pub(crate) struct Held {
        file: OwnedFd,
        /// Who owns it.
        pub(crate) owner: u32,
    }

    impl Held {
        /// Takes hold of the socket that was found. Only the file of that name counts, never what a link there leads to, and
        /// only if it is of the process's user, or of root: a process may have been root's when it began.
        pub(crate) fn found(found: &Found) -> Result<Self, Error> {
            let (held, kind) = Self::open(&found.socket, OFlags::NOFOLLOW)?;
            let is_owners = held.owner == found.user || (held.owner == 0 && !found.is_left);
            if kind == FileType::Socket && is_owners {
                return Ok(held);
            }
            let what = if kind == FileType::Symlink {
                "a link".to_owned()
            } else if kind == FileType::Socket {
                format!("a socket that user {} owns", held.owner)
            } else {
                "a file that is no socket".to_owned()
            };
            Err(Error::of_other(found, what))
        }

        /// Takes hold of a socket that the user named, where a link may lead.
        pub(crate) fn named(path: &Path) -> Result<Self, Error> {
            let (held, kind) = Self::open(path, OFlags::empty())?;
            if kind == FileType::Socket { Ok(held) } else { Err(Error::Stale(path.display().to_string())) }
        }

        fn open(path: &Path, flags: OFlags) -> Result<(Self, FileType), Error> {
            let file = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC | flags, Mode::empty());
            let file = file.map_err(|errno| {
                let error = Error::of_connecting(errno.into(), path);
                // Where nothing is, a path that no socket can have is the better reason.
                if matches!(error, Error::NoSocket(_)) {
                    Error::of_length(path).unwrap_or(error)
                } else {
                    error
                }
            })?;
            let stat = rustix::fs::fstat(&file).map_err(|errno| Error::Io(errno.into()))?;
            Ok((Self { file, owner: stat.st_uid }, FileType::from_raw_mode(stat.st_mode)))
        }

        /// A short path that leads to the file for as long as this is held.
        pub(crate) fn path(&self) -> PathBuf {
            PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
        }
    }
}

/// Without `/proc` no process is found, nobody says who is at a named socket, and no file can be connected to by a handle.
#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::{Error, Found, Peer};
    use std::io::ErrorKind;
    use std::os::unix::net::UnixStream;
    use std::path::{Path, PathBuf};

    pub(super) fn peer(_stream: &UnixStream) -> Result<Peer, Error> {
        Err(Error::Io(ErrorKind::Unsupported.into()))
    }

    #[derive(Debug)]
    pub(crate) struct Held {
        pub(crate) owner: u32,
    }

    impl Held {
        pub(crate) fn found(_found: &Found) -> Result<Self, Error> {
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
