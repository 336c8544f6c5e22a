//! Where a server listens: at 127.0.0.1, and nowhere else.

use crate::Error;
use crate::limits::Limits;
use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// What a server is to be.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The name of the program, for the server's own pages and the local door's cookie.
    pub program: &'static str,
    /// The port, 0 for one that is free.
    pub port: u16,
    /// What clients may cost.
    pub limits: Limits,
}

/// A server that listens and does not answer yet. Browsers that come wait in the system's queue.
#[derive(Debug)]
pub struct Bound {
    pub(crate) listener: TcpListener,
    pub(crate) options: Options,
    port: u16,
}

impl Bound {
    /// The port, also if any free one was asked for.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Listens at the port that is asked for, or a free one.
pub fn bind(options: Options) -> Result<Bound, Error> {
    let (listener, port) = listen(options.port).map_err(|cause| failure(options.port, cause))?;
    Ok(Bound { listener, options, port })
}

fn listen(port: u16) -> io::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

fn failure(port: u16, cause: io::Error) -> Error {
    match cause.kind() {
        io::ErrorKind::AddrInUse => Error::PortTaken { port },
        io::ErrorKind::PermissionDenied => Error::PortForbidden { port },
        _ => Error::Listen { port, cause },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(port: u16) -> Options {
        Options { program: "lab", port, limits: Limits::of_one_user() }
    }

    #[test]
    fn a_taken_port_is_named_with_what_to_do() {
        let first = bind(options(0)).unwrap();
        let error = bind(options(first.port)).unwrap_err();
        assert!(matches!(error, Error::PortTaken { port } if port == first.port));
        let text = error.to_string();
        assert!(text.contains(&first.port.to_string()) && text.contains("give another port"), "{text}");
    }

    #[test]
    fn only_this_machine_is_listened_at() {
        let bound = bind(options(0)).unwrap();
        assert!(bound.listener.local_addr().unwrap().ip().is_loopback());
    }
}
