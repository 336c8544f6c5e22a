//! How a runtime is reached: through a socket that it listens on, or one that it connects to.
//!
//! ```text
//!  default port   we ──connect──▶ runtime            one connection per command
//!  reverse port   runtime ──connect──▶ our listener  it identifies itself, waits for a command, and connects again
//! ```
//!
//! If we found the socket ourselves, we talk only to the process that it belongs to. A socket that the user named may lead
//! to a relay, so its peer is reported but not checked.

use crate::error::Error;
use crate::found::FoundSocket;
use crate::message::{Answer, Command, HEADER, Payload, encode};
use crate::peer::{Peer, SocketFile};
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

/// How often we retry a socket whose queue is full, and check our own socket for a connection.
const TRY_EVERY: Duration = Duration::from_millis(10);
/// Length of an advertisement: magic, cookie, PID, and two bytes that are 0.
const ADVERTISEMENT: usize = 34;
const ADVERTISEMENT_MAGIC: &[u8; 8] = b"ADVR_V1\0";
/// How long a peer that has connected may take to send its advertisement.
const ADVERTISEMENT_WAIT: Duration = Duration::from_secs(1);

/// How a runtime is reached.
#[derive(Debug, Clone)]
pub enum Endpoint {
    /// The socket of a process that we found. Nothing is sent to any other process.
    FoundSocket(FoundSocket),
    /// A socket that the user named.
    Named(Arc<Named>),
    /// Our own socket, which the runtime connects to.
    Listener(Arc<Listener>),
}

/// A socket that the user named. We talk to whoever listens on it.
#[derive(Debug)]
pub struct Named {
    path: PathBuf,
    /// Who answered last.
    peer: Mutex<Option<Peer>>,
}

impl FoundSocket {
    /// Reaches only this process.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::FoundSocket(self.clone())
    }
}

/// A successful answer.
pub(crate) struct Reply {
    pub(crate) payload: Vec<u8>,
    /// The connection, over which a session streams.
    pub(crate) stream: UnixStream,
}

impl Endpoint {
    /// A socket that the user named.
    pub fn named(path: impl Into<PathBuf>) -> Self {
        Self::Named(Arc::new(Named { path: path.into(), peer: Mutex::new(None) }))
    }

    /// The socket's path.
    pub fn path(&self) -> &Path {
        match self {
            Self::FoundSocket(found) => &found.socket,
            Self::Named(named) => &named.path,
            Self::Listener(listener) => &listener.path,
        }
    }

    /// The peer of the last connection to a named socket, or of the first one to a listener.
    pub fn peer(&self) -> Option<Peer> {
        match self {
            Self::FoundSocket(_) => None,
            Self::Named(named) => *named.peer.lock().unwrap_or_else(PoisonError::into_inner),
            Self::Listener(listener) => listener.first().and_then(|first| first.peer),
        }
    }

    /// Sends a command over a connection of its own, and waits for the answer.
    pub(crate) fn call(
        &self,
        command: Command,
        payload: &Payload,
        patience: Patience<'_>,
    ) -> Result<Reply, Error> {
        let message = encode(command, payload)?;
        let mut wire = Wire { stream: self.connect(patience)?, patience, seconds: whole_seconds(patience) };
        wire.write(&message)?;
        let mut header = [0; HEADER];
        wire.read(&mut header)?;
        let answer = Answer::read(&header)?;
        let mut payload = vec![0; answer.payload_len];
        wire.read(&mut payload)?;
        Ok(Reply { payload: answer.check(payload)?, stream: wire.stream })
    }

    fn connect(&self, patience: Patience<'_>) -> Result<UnixStream, Error> {
        match self {
            Self::FoundSocket(found) => {
                let file = SocketFile::found(found)?;
                let stream = connect(&file.path(), &found.socket, patience)?;
                Peer::of(&stream)?.check(found, file.owner)?;
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

/// The time left, in seconds, rounded up.
fn whole_seconds(patience: Patience<'_>) -> u64 {
    let left = patience.left();
    left.as_secs().saturating_add(u64::from(left.subsec_nanos() > 0))
}

/// A connection whose reads and writes end with our patience, whatever the peer does.
struct Wire<'a> {
    stream: UnixStream,
    patience: Patience<'a>,
    /// The time for the whole wait, for the error message.
    seconds: u64,
}

/// How long to wait before checking `patience` again; an error if no time is left.
fn step(patience: Patience<'_>, seconds: u64) -> Result<Duration, Error> {
    let step = patience.step();
    if patience.is_called_off() {
        Err(Error::CalledOff)
    } else if step.is_zero() {
        // Must not be used as the timeout of a socket: zero means none.
        Err(Error::Silent(seconds))
    } else {
        Ok(step)
    }
}

/// Whether a read or write ended without a result, and can be tried again.
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

/// Connects to a socket, whose path in errors is `shown`. If the peer does not accept connections and its queue is full, a
/// blocking connect would wait forever, so this retries until our patience ends.
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

/// Connects to whoever listens at a path. A path that is too long for a socket is reached through a handle: the process may
/// use a shorter one. For a process in a container, ours has `/proc/PID/root` in front.
fn connect_named(path: &Path, patience: Patience<'_>) -> Result<UnixStream, Error> {
    if Error::of_length(path).is_none() {
        return connect(path, path, patience);
    }
    let file = SocketFile::named(path)?;
    connect(&file.path(), path, patience)
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

/// A short path to a name in an open folder, which stays valid if the folder is moved.
#[cfg(target_os = "linux")]
fn path_in(folder: BorrowedFd<'_>, name: &OsStr, _shown: &Path) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name)
}

#[cfg(not(target_os = "linux"))]
fn path_in(_folder: BorrowedFd<'_>, _name: &OsStr, shown: &Path) -> PathBuf {
    shown.to_path_buf()
}

/// Listens at a path, for our own user only. The permissions are set on the socket before its file exists: setting them by
/// its name could change another file.
#[cfg(target_os = "linux")]
fn listen_now(path: &Path) -> std::io::Result<UnixListener> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};
    /// Limit on the connections that wait to be accepted.
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

/// Our own socket, which one runtime connects to.
#[derive(Debug)]
pub struct Listener {
    /// As the caller named it, for messages and for runtimes.
    path: PathBuf,
    /// Removes the socket's file when the listener is dropped.
    _place: SocketPlace,
    socket: UnixListener,
    /// The runtime that connected first. Other runtimes that connect to the same socket are turned away.
    first: Mutex<Option<Advertisement>>,
}

/// Where our socket is: a name in an open folder.
#[derive(Debug)]
struct SocketPlace {
    folder: OwnedFd,
    name: OsString,
    /// Our socket's file, once it exists.
    ours: Option<FileId>,
}

/// Distinguishes a file from a later one with the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId {
    // Wide enough for the types of all systems.
    device: i128,
    inode: i128,
}

impl SocketPlace {
    /// The file with our name, if it is a socket.
    fn socket(&self) -> Option<FileId> {
        let status = rustix::fs::statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let is_socket = FileType::from_raw_mode(status.st_mode) == FileType::Socket;
        is_socket.then(|| FileId { device: status.st_dev.into(), inode: status.st_ino.into() })
    }

    fn remove(&self) -> Result<(), Error> {
        let removed = rustix::fs::unlinkat(&self.folder, &self.name, AtFlags::empty());
        removed.map_err(|errno| Error::Io(errno.into()))
    }
}

impl Drop for SocketPlace {
    fn drop(&mut self) {
        // Another file may have our name by now, and must stay.
        if self.ours.is_some() && self.socket() == self.ours {
            // An error leaves the file behind, and there is no caller to report it to.
            drop(self.remove());
        }
    }
}

/// How a runtime identifies itself when it connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Advertisement {
    /// Unique to the runtime.
    cookie: [u8; 16],
    /// The PID in the runtime's own namespace.
    pid: u64,
    /// The process that connected, as the kernel reports it.
    peer: Option<Peer>,
}

impl Listener {
    /// Opens a socket for a runtime to connect to. It replaces the socket of a process that has ended. Anything else at that
    /// path is an error.
    pub fn bind(path: &Path) -> Result<Self, Error> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Error::Io(ErrorKind::InvalidInput.into()));
        };
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(parent, flags, Mode::empty());
        Self::bind_in(folder.map_err(|errno| Error::Io(errno.into()))?, name, path)
    }

    /// As [`Listener::bind`], in an open folder, so that renaming or replacing the folder redirects nothing. `path` is how
    /// runtimes and messages name the socket.
    pub fn bind_in(folder: impl AsFd, name: &OsStr, path: &Path) -> Result<Self, Error> {
        if let Some(too_long) = Error::of_length(path) {
            return Err(too_long);
        }
        let folder = folder.as_fd().try_clone_to_owned().map_err(Error::Io)?;
        let mut place = SocketPlace { folder, name: name.to_owned(), ours: None };
        let there = path_in(place.folder.as_fd(), name, path);
        let patience = Deadline::after(ADVERTISEMENT_WAIT).into();
        // A socket that nobody listens on is left from a process that has ended.
        if place.socket().is_some() && matches!(connect(&there, path, patience), Err(Error::Stale(_))) {
            place.remove()?;
        }
        let socket = listen_now(&there).map_err(Error::Io)?;
        place.ours = place.socket();
        socket.set_nonblocking(true).map_err(Error::Io)?;
        Ok(Self { path: path.to_path_buf(), _place: place, socket, first: Mutex::new(None) })
    }

    /// Waits for a runtime to connect. Returns its PID in its own namespace.
    pub fn wait(&self, deadline: Deadline) -> Result<u64, Error> {
        // The runtime connects again after this connection is dropped.
        let _connection = self.next(deadline.into())?;
        self.first().map(|first| first.pid).ok_or(Error::Closed)
    }

    /// Forgets the runtime that connected first, if it does not answer any more. The next one takes its place.
    pub fn forget(&self) {
        *self.first.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn first(&self) -> Option<Advertisement> {
        *self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next connection of the first runtime.
    fn next(&self, patience: Patience<'_>) -> Result<UnixStream, Error> {
        let seconds = whole_seconds(patience);
        loop {
            match self.socket.accept() {
                Ok((stream, _)) => {
                    if let Some(stream) = self.accepted(stream, patience) {
                        return Ok(stream);
                    }
                    // Other peers may connect as fast as they are turned away, so the deadline is checked here too.
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

    /// The connection, if it comes from the runtime that connected first.
    fn accepted(&self, stream: UnixStream, patience: Patience<'_>) -> Option<UnixStream> {
        stream.set_nonblocking(false).ok()?;
        let mut wire = Wire { stream, patience: patience.within(ADVERTISEMENT_WAIT), seconds: 1 };
        let mut bytes = [0; ADVERTISEMENT];
        wire.read(&mut bytes).ok()?;
        let advertisement = Advertisement::read(&bytes, Peer::of(&wire.stream).ok())?;
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        (first.get_or_insert(advertisement).cookie == advertisement.cookie).then_some(wire.stream)
    }
}

impl Advertisement {
    fn read(bytes: &[u8; ADVERTISEMENT], peer: Option<Peer>) -> Option<Self> {
        let mut cursor = Cursor::new(bytes, 0);
        let magic = cursor.take(ADVERTISEMENT_MAGIC.len(), "magic").ok()?;
        let cookie = cursor.guid("cookie").ok()?;
        let pid = cursor.u64("process").ok()?;
        (magic == ADVERTISEMENT_MAGIC).then_some(Self { cookie, pid, peer })
    }
}
