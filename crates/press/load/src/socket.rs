//! A TCP socket that never waits.

use crate::outcome::Failure;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, ipproto, recv, send, socket_with,
    sockopt,
};
use std::net::SocketAddr;

/// What came of reading or writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moved {
    /// So many bytes.
    Bytes(usize),
    /// Nothing now; epoll says when.
    Later,
    /// The peer has closed.
    End,
}

/// A socket that is connected, or about to be.
#[derive(Debug)]
pub(crate) struct Socket(OwnedFd);

impl Socket {
    /// Begins to connect.
    pub(crate) fn open(address: &SocketAddr) -> Result<Self, Failure> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket =
            socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP)).map_err(Failure::of)?;
        // Small requests are sent at once instead of waiting for an acknowledgement.
        sockopt::set_tcp_nodelay(&socket, true).map_err(Failure::of)?;
        match connect(&socket, address) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(Self(socket)),
            Err(error) => Err(Failure::of(error)),
        }
    }

    /// How connecting ended.
    pub(crate) fn connected(&self) -> Result<(), Failure> {
        match sockopt::socket_error(&self.0) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) | Err(error) => Err(Failure::of(error)),
        }
    }

    #[inline]
    pub(crate) fn read(&self, buffer: &mut [u8]) -> Result<Moved, Failure> {
        loop {
            return match recv(&self.0, &mut *buffer, RecvFlags::empty()) {
                Ok((0, _)) => Ok(Moved::End),
                Ok((len, _)) => Ok(Moved::Bytes(len)),
                Err(Errno::AGAIN) => Ok(Moved::Later),
                Err(Errno::INTR) => continue,
                Err(error) => Err(Failure::of(error)),
            };
        }
    }

    #[inline]
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<Moved, Failure> {
        loop {
            return match send(&self.0, bytes, SendFlags::NOSIGNAL) {
                Ok(len) => Ok(Moved::Bytes(len)),
                Err(Errno::AGAIN) => Ok(Moved::Later),
                Err(Errno::INTR) => continue,
                Err(error) => Err(Failure::of(error)),
            };
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
