//! A connection's bytes: as they are, or encrypted by TLS. It never waits.

use crate::outcome::Failure;
use crate::socket::{Moved, Socket};
use crate::tls::Client;
use rustix::fd::{AsFd, BorrowedFd};
use rustls::ClientConnection;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

/// A socket, and what is between it and HTTP.
#[derive(Debug)]
pub(crate) struct Wire {
    socket: Socket,
    tls: Option<Box<Session>>,
}

/// An encrypted connection, and to whom its errors are reported.
#[derive(Debug)]
struct Session {
    connection: ClientConnection,
    client: Client,
}

impl Wire {
    /// Begins to connect.
    pub(crate) fn open(address: &SocketAddr, client: Option<&Client>) -> Result<Self, Failure> {
        let session =
            |client: &Client| Ok(Box::new(Session { connection: client.session()?, client: client.clone() }));
        let tls = client.map(session).transpose()?;
        Ok(Self { socket: Socket::open(address)?, tls })
    }

    /// How connecting the socket ended.
    pub(crate) fn connected(&self) -> Result<(), Failure> {
        self.socket.connected()
    }

    /// Goes on with the handshake of TLS, once the socket is connected. Returns whether requests can be sent.
    pub(crate) fn handshake(&mut self) -> Result<bool, Failure> {
        let Some(session) = &mut self.tls else { return Ok(true) };
        while session.connection.is_handshaking() {
            let mut stream = Stream(&self.socket);
            let moved = if session.connection.wants_write() {
                session.connection.write_tls(&mut stream).map(|_written| true)
            } else {
                session.connection.read_tls(&mut stream).map(|read| read > 0)
            };
            match moved {
                Ok(true) => session.decrypt()?,
                Ok(false) => return Err(session.client.failed(&io::Error::from(ErrorKind::UnexpectedEof))),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(Failure::of_io(&error)),
            }
        }
        self.flush()?;
        Ok(true)
    }

    /// Reads bytes of HTTP.
    #[inline]
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<Moved, Failure> {
        let Some(session) = &mut self.tls else { return self.socket.read(buffer) };
        loop {
            match session.connection.reader().read(buffer) {
                Ok(0) => return Ok(Moved::End),
                Ok(len) => return Ok(Moved::Bytes(len)),
                // Many peers close without saying so first.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(Moved::End),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(Failure::of_io(&error)),
            }
            match session.connection.read_tls(&mut Stream(&self.socket)) {
                // At the end of the stream, the reader says whether the peer said so.
                Ok(_) => session.decrypt()?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Moved::Later),
                Err(error) => return Err(Failure::of_io(&error)),
            }
        }
    }

    /// Whether bytes were read from the socket and not taken yet, so that epoll does not report them.
    pub(crate) fn holds_bytes(&mut self) -> bool {
        self.tls.as_mut().is_some_and(|session| {
            session.connection.process_new_packets().is_ok_and(|state| state.plaintext_bytes_to_read() > 0)
        })
    }

    /// Takes bytes of HTTP to be sent.
    #[inline]
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<Moved, Failure> {
        let Some(session) = &mut self.tls else { return self.socket.write(bytes) };
        // It takes as much as its buffer has room for.
        let taken = session.connection.writer().write(bytes).map_err(|error| Failure::of_io(&error))?;
        self.flush()?;
        Ok(if taken == 0 { Moved::Later } else { Moved::Bytes(taken) })
    }

    /// Sends what was taken, as far as the peer takes it. Returns whether that was all.
    pub(crate) fn flush(&mut self) -> Result<bool, Failure> {
        let Some(Session { connection, .. }) = self.tls.as_deref_mut() else { return Ok(true) };
        while connection.wants_write() {
            match connection.write_tls(&mut Stream(&self.socket)) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(Failure::of_io(&error)),
            }
        }
        Ok(true)
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A socket as rustls uses one.
struct Stream<'a>(&'a Socket);

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        moved(self.0.read(buffer))
    }
}

impl Write for Stream<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        moved(self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn moved(moved: Result<Moved, Failure>) -> io::Result<usize> {
    match moved {
        Ok(Moved::Bytes(len)) => Ok(len),
        Ok(Moved::End) => Ok(0),
        Ok(Moved::Later) => Err(ErrorKind::WouldBlock.into()),
        Err(Failure::Reset) => Err(ErrorKind::ConnectionReset.into()),
        Err(_) => Err(ErrorKind::Other.into()),
    }
}

impl Session {
    /// Decrypts what was read.
    fn decrypt(&mut self) -> Result<(), Failure> {
        let decrypted = self.connection.process_new_packets();
        decrypted.map(|_state| ()).map_err(|error| self.client.failed(&error))
    }
}
