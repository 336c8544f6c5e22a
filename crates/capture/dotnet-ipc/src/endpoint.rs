//! Where a runtime is reached: a socket that it listens at, or one that it connects to.
//!
//! ```text
//!  default port   we ──connect──▶ runtime            one connection a command
//!  reverse port   runtime ──connect──▶ our listener  it says who it is, waits for a command, and connects anew
//! ```
//!
//! The socket of a process that was found leads to that process or nowhere. Behind a socket that the user named may be a
//! relay, so who is there is reported and not compared.

use crate::discover::Found;
use crate::error::Error;
use crate::message::{Answer, Command, HEADER, Payload, encode};
use crate::peer::{Held, Peer};
use base::bytes::Cursor;
use base::time::{Deadline, Patience};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use std::ffi::{OsStr, OsString};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often a socket whose queue is full is tried again, and one that nobody has connected to is looked at.
const TRY_EVERY: Duration = Duration::from_millis(10);
/// What a runtime says of itself when it connects: magic, cookie, process, and two bytes that are 0.
const ADVERTISE: usize = 34;
const ADVERTISE_MAGIC: &[u8; 8] = b"ADVR_V1\0";
/// How long a peer has to say who it is once it has connected.
const INTRODUCTION: Duration = Duration::from_secs(1);

/// Where a runtime is reached.
#[derive(Debug, Clone)]
pub enum Endpoint {
    /// The socket of a process that was found. Whoever else is there gets nothing.
    Found(Found),
    /// A socket that was named.
    Named(Arc<Named>),
    /// A socket of ours that the runtime connects to.
    Listener(Arc<Listener>),
}

/// A socket that was named: whoever listens at it is talked to.
#[derive(Debug)]
pub struct Named {
    path: PathBuf,
    /// Who was there last.
    peer: Mutex<Option<Peer>>,
}

impl Endpoint {
    /// A socket that was named.
    pub fn named(path: impl Into<PathBuf>) -> Self {
        Self::Named(Arc::new(Named { path: path.into(), peer: Mutex::new(None) }))
    }

    /// The socket's path.
    pub fn path(&self) -> &Path {
        match self {
            Self::Found(found) => &found.socket,
            Self::Named(named) => &named.path,
            Self::Listener(listener) => &listener.path,
        }
    }

    /// Who was at the other end of the last connection to a named socket, or of the first to a listener.
    pub fn peer(&self) -> Option<Peer> {
        match self {
            Self::Found(_) => None,
            Self::Named(named) => *named.peer.lock().unwrap_or_else(PoisonError::into_inner),
            Self::Listener(listener) => listener.first().and_then(|introduced| introduced.peer),
        }
    }

    /// Sends a command and waits for its answer; gives the answer's payload, and the connection, over which a session
    /// streams.
    pub(crate) fn call(
        &self,
        command: Command,
        payload: &Payload,
        patience: Patience<'_>,
    ) -> Result<(Vec<u8>, UnixStream), Error> {
        let message = encode(command, payload)?;
        let mut wire = Wire { stream: self.connect(patience)?, patience, seconds: whole_seconds(patience) };
        wire.write(&message)?;
        let mut header = [0; HEADER];
        wire.read(&mut header)?;
        let answer = Answer::read(&header)?;
        let mut body = vec![0; answer.payload];
        wire.read(&mut body)?;
        Ok((answer.check(body)?, wire.stream))
    }

    fn connect(&self, patience: Patience<'_>) -> Result<UnixStream, Error> {
        match self {
            Self::Found(found) => {
                let held = Held::found(found)?;
                let stream = connect(&held.path(), &found.socket, patience)?;
                Peer::of(&stream)?.check(found, held.owner)?;
                Ok(stream)
            }
            Self::Named(named) => {
                let stream = connect_named(&named.path, patience)?;
                *named.peer.lock().unwrap_or_else(PoisonError::into_inner) = Peer::of(&stream).ok();
                Ok(stream)
            }
            Self::Listener(listener) => listener.next(patience),
        }
    }
}

fn whole_seconds(patience: Patience<'_>) -> u64 {
    patience.left().as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
}

/// A connection whose reads and writes end when patience does, whatever the peer does.
struct Wire<'a> {
    stream: UnixStream,
    patience: Patience<'a>,
    /// What was left when the wait began, for the message.
    seconds: u64,
}

/// What is left of a wait before it is looked at anew; an error once nothing is.
fn step(patience: Patience<'_>, seconds: u64) -> Result<Duration, Error> {
    let step = patience.step();
    match () {
        () if patience.is_called_off() => Err(Error::CalledOff),
        // A limit of zero would be none.
        () if step.is_zero() => Err(Error::Silent(seconds)),
        () => Ok(step),
    }
}

fn is_early(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

impl Wire<'_> {
    fn left(&self) -> Result<Duration, Error> {
        step(self.patience, self.seconds)
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let left = self.left()?;
            let written = self.stream.set_write_timeout(Some(left)).and_then(|()| self.stream.write(bytes));
            match written {
                Ok(0) => return Err(Error::Closed),
                Ok(len) => bytes = bytes.get(len..).unwrap_or_default(),
                Err(error) if is_early(&error) => {}
                Err(error) => return Err(Error::of_io(error, self.seconds)),
            }
        }
        Ok(())
    }

    fn read(&mut self, mut bytes: &mut [u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let left = self.left()?;
            let read = self.stream.set_read_timeout(Some(left)).and_then(|()| self.stream.read(bytes));
            match read {
                Ok(0) => return Err(Error::Closed),
                Ok(len) => bytes = bytes.get_mut(len..).unwrap_or_default(),
                Err(error) if is_early(&error) => {}
                Err(error) => return Err(Error::of_io(error, self.seconds)),
            }
        }
        Ok(())
    }
}

/// Connects to a socket. The queue of a process that does not accept may be full, so a connect that waits would wait
/// for ever: it is tried until the deadline. Errors are of the path that is shown.
fn connect(path: &Path, shown: &Path, patience: Patience<'_>) -> Result<UnixStream, Error> {
    let seconds = whole_seconds(patience);
    loop {
        match connect_now(path) {
            Ok(stream) => return Ok(stream),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(Error::of_connecting(error, shown)),
        }
        if !patience.pause(TRY_EVERY) {
            step(patience, seconds)?;
        }
    }
}

/// Connects to whoever listens at a path. One that is too long for us may be much shorter for its process (`/proc/PID/root`
/// stands before the path of one in a container), so it is reached through a handle.
fn connect_named(path: &Path, patience: Patience<'_>) -> Result<UnixStream, Error> {
    if Error::of_length(path).is_none() {
        return connect(path, path, patience);
    }
    let held = Held::named(path)?;
    connect(&held.path(), path, patience)
}

#[cfg(target_os = "linux")]
fn connect_now(path: &Path) -> std::io::Result<UnixStream> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

#[cfg(not(target_os = "linux"))]
fn connect_now(path: &Path) -> std::io::Result<UnixStream> {
    UnixStream::connect(path)
}

/// A short path to what has a name in a folder that is held, wherever the folder lies by now.
#[cfg(target_os = "linux")]
fn path_in(folder: BorrowedFd<'_>, name: &OsStr, _shown: &Path) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name)
}

#[cfg(not(target_os = "linux"))]
fn path_in(_folder: BorrowedFd<'_>, _name: &OsStr, shown: &Path) -> PathBuf {
    shown.to_path_buf()
}

/// Listens at a path, for our own user alone from the beginning: a file whose permissions are changed by its name may be
/// another one by then.
#[cfg(target_os = "linux")]
fn listen_now(path: &Path) -> std::io::Result<UnixListener> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};
    /// Connections that wait to be accepted.
    const QUEUE: i32 = 128;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    rustix::fs::fchmod(&socket, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    listen(&socket, QUEUE)?;
    Ok(UnixListener::from(socket))
}

#[cfg(not(target_os = "linux"))]
fn listen_now(path: &Path) -> std::io::Result<UnixListener> {
    let socket = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(socket)
}

/// A socket of ours that one runtime connects to.
#[derive(Debug)]
pub struct Listener {
    /// As the caller named it, for messages and for runtimes.
    path: PathBuf,
    /// Dropped with the listener, and the socket's file with it.
    _place: SocketPlace,
    socket: UnixListener,
    /// The runtime that connected first, by its cookie: others at the same socket are left alone.
    first: Mutex<Option<Introduced>>,
}

/// Where our socket lies: its folder, held, and its name there.
#[derive(Debug)]
struct SocketPlace {
    folder: OwnedFd,
    name: OsString,
    /// The device and the number of the socket's file, once it is there.
    ours: Option<(u64, u64)>,
}

impl SocketPlace {
    /// The file of that name, if it is a socket: its device and its number.
    fn socket(&self) -> Option<(u64, u64)> {
        let status = rustix::fs::statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let is_socket = FileType::from_raw_mode(status.st_mode) == FileType::Socket;
        #[allow(clippy::useless_conversion, reason = "the types differ between systems")]
        is_socket.then(|| (status.st_dev.try_into().unwrap_or_default(), status.st_ino.into()))
    }

    fn remove(&self) -> Result<(), Error> {
        let removed = rustix::fs::unlinkat(&self.folder, &self.name, AtFlags::empty());
        removed.map_err(|errno| Error::Io(errno.into()))
    }
}

impl Drop for SocketPlace {
    fn drop(&mut self) {
        // Another file may have the name by now.
        if self.ours.is_some() && self.socket() == self.ours {
            // Nobody is there to be told of a socket's file that stays.
            drop(self.remove());
        }
    }
}

/// What a runtime says of itself when it connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Introduced {
    cookie: [u8; 16],
    /// The process, in the runtime's own namespace.
    process: u64,
    /// Who connected, as the kernel knows it.
    peer: Option<Peer>,
}

impl Listener {
    /// Opens a socket for a runtime to connect to. A socket that is left there from a process that has ended is
    /// replaced; anything else at that path is an error.
    pub fn bind(path: &Path) -> Result<Self, Error> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Error::Io(ErrorKind::InvalidInput.into()));
        };
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(parent, flags, Mode::empty());
        Self::bind_in(folder.map_err(|errno| Error::Io(errno.into()))?, name, path)
    }

    /// The same in a folder that is held: whoever renames it, or puts another one in its place, redirects nothing.
    /// `path` is how runtimes and messages name the socket.
    pub fn bind_in(folder: impl AsFd, name: &OsStr, path: &Path) -> Result<Self, Error> {
        if let Some(too_long) = Error::of_length(path) {
            return Err(too_long);
        }
        let folder = folder.as_fd().try_clone_to_owned().map_err(Error::Io)?;
        let mut place = SocketPlace { folder, name: name.to_owned(), ours: None };
        let there = path_in(place.folder.as_fd(), name, path);
        let patience = Deadline::after(INTRODUCTION).into();
        if place.socket().is_some() && matches!(connect(&there, path, patience), Err(Error::Stale(_))) {
            place.remove()?;
        }
        let socket = listen_now(&there).map_err(Error::Io)?;
        place.ours = place.socket();
        socket.set_nonblocking(true).map_err(Error::Io)?;
        Ok(Self { path: path.to_path_buf(), _place: place, socket, first: Mutex::new(None) })
    }

    /// The process that has connected, in its own namespace; waits until one has.
    pub fn wait(&self, deadline: Deadline) -> Result<u64, Error> {
        // The connection is dropped, and the runtime connects anew.
        let _connection = self.next(deadline.into())?;
        self.first().map(|introduced| introduced.process).ok_or(Error::Closed)
    }

    /// Forgets the runtime that came first: it said nothing more. The next one takes its place.
    pub fn forget(&self) {
        *self.first.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn first(&self) -> Option<Introduced> {
        *self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next connection of the runtime.
    fn next(&self, patience: Patience<'_>) -> Result<UnixStream, Error> {
        let seconds = whole_seconds(patience);
        loop {
            match self.socket.accept() {
                Ok((stream, _)) => {
                    if let Some(stream) = self.introduced(stream, patience) {
                        return Ok(stream);
                    }
                    // Peers that are no runtime may come as fast as they are turned away.
                    step(patience, seconds)?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if !patience.pause(TRY_EVERY) {
                        step(patience, seconds)?;
                    }
                }
                Err(error) => return Err(Error::Io(error)),
            }
        }
    }

    /// The connection, if it is of the runtime that came first.
    fn introduced(&self, stream: UnixStream, patience: Patience<'_>) -> Option<UnixStream> {
        stream.set_nonblocking(false).ok()?;
        let mut wire = Wire { stream, patience: patience.within(INTRODUCTION), seconds: 1 };
        let mut bytes = [0; ADVERTISE];
        wire.read(&mut bytes).ok()?;
        let introduced = Introduced::read(&bytes, Peer::of(&wire.stream).ok())?;
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        (first.get_or_insert(introduced).cookie == introduced.cookie).then_some(wire.stream)
    }
}

impl Introduced {
    fn read(bytes: &[u8; ADVERTISE], peer: Option<Peer>) -> Option<Self> {
        let mut cursor = Cursor::new(bytes, 0);
        let magic = cursor.take(ADVERTISE_MAGIC.len(), "magic").ok()?;
        let cookie = cursor.guid("cookie").ok()?;
        let process = cursor.u64("process").ok()?;
        (magic == ADVERTISE_MAGIC).then_some(Self { cookie, process, peer })
    }
}
