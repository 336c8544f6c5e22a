//! A socket that never waits longer than the limits allow.
//!
//! It carries out what [`crate::course`] decides. hyper's own time limit is not used, since it treats a browser that
//! keeps an idle connection like a client that sends its headers byte by byte.

use crate::course::Phase;
use crate::limits::Limits;
use std::cell::Cell;
use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// A socket with time limits. Dropping it closes the socket; bytes that the system has taken still arrive.
#[derive(Debug)]
pub(crate) struct Guarded {
    socket: TcpStream,
    limits: Limits,
    phase: Rc<Cell<Phase>>,
    /// Runs in phases that wait for bytes of the client.
    reading: Timer,
    /// Runs from the first write that has to wait until the client has taken everything.
    writing: Timer,
}

/// A limit that begins when it is first polled.
#[derive(Debug, Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    fn poll(&mut self, patience: Duration, cx: &mut Context<'_>) -> Poll<()> {
        self.0.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(cx)
    }
}

impl Guarded {
    pub(crate) fn new(socket: TcpStream, limits: Limits, phase: Rc<Cell<Phase>>) -> Self {
        Self { socket, limits, phase, reading: Timer::default(), writing: Timer::default() }
    }

    fn enter(&mut self, phase: Phase, cx: &Context<'_>) {
        if self.phase.replace(phase) != phase {
            self.reading = Timer::default();
            // The new limit begins with the next read, which hyper would not do otherwise.
            cx.waker().wake_by_ref();
        }
    }

    /// The result of a write; one that waits too long is an error.
    fn watch<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_pending() && self.writing.poll(self.limits.take_time, cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        written
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(cx, buf);
        let phase = self.phase.get();
        if buf.filled().len() > before {
            self.enter(phase.after_bytes(), cx);
        }
        let Some(patience) = phase.patience(&self.limits).filter(|_| read.is_pending()) else { return read };
        if self.reading.poll(patience, cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.watch(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.watch(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    /// hyper flushes after it has written everything, so the client has taken the answer.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(cx);
        if flushed.is_ready() {
            self.writing = Timer::default();
            let phase = self.phase.get();
            self.enter(phase.after_flush(), cx);
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
