//! Where a server listens: on a loopback address, and nowhere else.
//!
//! Browsers store cookies by host, and everything else by host and port, and every user of a machine may listen on
//! 127.0.0.1 and wait there for a browser. On Linux all of 127.0.0.0/8 is loopback, so a server takes a random
//! address of it: nobody can have listened there before.

use crate::error::Error;
use crate::limits::Limits;
use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// How a server listens and what it allows.
#[derive(Debug, Clone, Copy)]
pub struct ServerOptions {
    /// The name of the program, for the server's own pages and the local door's cookie.
    pub program: &'static str,
    /// The address, which must be a loopback address. `None` takes a random one if the system has more than 127.0.0.1.
    pub host: Option<Ipv4Addr>,
    /// The port; 0 for any free one.
    pub port: u16,
    /// What clients may cost.
    pub limits: Limits,
}

/// A server that listens but does not answer yet. Browsers wait in the system's queue.
#[derive(Debug)]
pub struct Bound {
    pub(crate) listener: TcpListener,
    pub(crate) options: ServerOptions,
    host: Ipv4Addr,
    port: u16,
}

impl Bound {
    /// The actual address.
    pub fn host(&self) -> Ipv4Addr {
        self.host
    }

    /// The actual port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Listens at the requested address and port.
pub fn bind(options: ServerOptions) -> Result<Bound, Error> {
    let asked = options.host.map_or_else(random_loopback, Ok)?;
    let listening = listen(asked, options).or_else(|cause| match cause.kind() {
        // macOS has only 127.0.0.1.
        io::ErrorKind::AddrNotAvailable if options.host.is_none() => listen(Ipv4Addr::LOCALHOST, options),
        _ => Err(cause),
    });
    listening.map_err(|cause| failure(asked, options.port, cause))
}

/// A loopback address that nobody can foresee. It is never 127.0.0.1.
fn random_loopback() -> Result<Ipv4Addr, Error> {
    loop {
        let mut bytes = [0; 3];
        getrandom::fill(&mut bytes).map_err(|cause| Error::Random { cause })?;
        let [a, b, c] = bytes;
        if bytes.iter().all(|byte| (1..=254).contains(byte)) {
            return Ok(Ipv4Addr::new(127, a, b, c));
        }
    }
}

fn listen(host: Ipv4Addr, options: ServerOptions) -> io::Result<Bound> {
    if !host.is_loopback() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a loopback address"));
    }
    let listener = TcpListener::bind((host, options.port))?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    Ok(Bound { listener, options, host, port })
}

fn failure(host: Ipv4Addr, port: u16, cause: io::Error) -> Error {
    match cause.kind() {
        io::ErrorKind::AddrInUse => Error::PortTaken { host, port },
        io::ErrorKind::PermissionDenied => Error::PortForbidden { port },
        _ => Error::Listen { host, port, cause },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(port: u16) -> ServerOptions {
        ServerOptions { program: "lab", host: None, port, limits: Limits::of_one_user() }
    }

    #[test]
    fn a_taken_port_is_named_with_what_to_do() {
        let host = Some(Ipv4Addr::LOCALHOST);
        let first = bind(ServerOptions { host, ..options(0) }).unwrap();
        let error = bind(ServerOptions { host, ..options(first.port) }).unwrap_err();
        assert!(matches!(error, Error::PortTaken { port, .. } if port == first.port));
        let text = error.to_string();
        assert!(text.contains(&first.port.to_string()) && text.contains("give another port"), "{text}");
    }

    #[test]
    fn only_this_machine_is_listened_at() {
        let bound = bind(options(0)).unwrap();
        assert!(bound.listener.local_addr().unwrap().ip().is_loopback());
        for host in [Ipv4Addr::UNSPECIFIED, Ipv4Addr::new(128, 0, 0, 1), Ipv4Addr::new(192, 168, 0, 1)] {
            bind(ServerOptions { host: Some(host), ..options(0) }).unwrap_err();
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn whoever_waits_at_127_0_0_1_or_at_the_address_of_last_time_waits_in_vain() {
        let (first, second) = (bind(options(0)).unwrap(), bind(options(0)).unwrap());
        assert_ne!(first.host(), second.host());
        for bound in [first, second] {
            assert_eq!(bound.listener.local_addr().unwrap().ip(), bound.host());
            assert!(
                bound.host().octets()[1..].iter().all(|byte| (1..=254).contains(byte)),
                "{}",
                bound.host()
            );
        }
    }
}
