//! A connection's bytes for HTTP/2: as they are, or encrypted by TLS, upon tokio.

use crate::outcome::Failure;
use crate::tls::Client;
use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// How a response of HTTP/1 begins. No frame of HTTP/2 begins so: it would be longer than any may be.
const HTTP1: &[u8] = b"HTTP/1";

/// A connection that counts what it receives.
#[derive(Debug)]
pub(crate) struct Stream {
    wire: Wire,
    received: Rc<Cell<u64>>,
    is_new: bool,
}

#[derive(Debug)]
enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Connects, and agrees on HTTP/2 if TLS encrypts.
    pub(crate) async fn open(
        address: SocketAddr,
        tls: Option<&Client>,
        received: Rc<Cell<u64>>,
    ) -> Result<Self, Failure> {
        let socket = TcpStream::connect(address).await.map_err(|error| Failure::of_io(&error))?;
        // Small requests are sent at once instead of waiting for an acknowledgement.
        socket.set_nodelay(true).map_err(|error| Failure::of_io(&error))?;
        let wire = match tls {
            None => Wire::Plain(socket),
            Some(client) => {
                let stream = client.connect(socket).await?;
                if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
                    return Err(Failure::NoHttp2);
                }
                Wire::Tls(Box::new(stream))
            }
        };
        Ok(Self { wire, received, is_new: true })
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Wire::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
        };
        let new = buffer.filled().get(before..).unwrap_or_default();
        if !new.is_empty() {
            self.received.set(self.received.get() + base::number::wide(new.len()));
            if std::mem::take(&mut self.is_new) && new.starts_with(HTTP1) {
                return Poll::Ready(Err(io::ErrorKind::Unsupported.into()));
            }
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Wire::Tls(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_flush(context),
            Wire::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Wire::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
        }
    }
}
