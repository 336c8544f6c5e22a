//! Where a server listens: at an address of loopback, and nowhere else.
//!
//! Browsers keep cookies by host and whatever else a site leaves behind by host and port, and every user of a machine may
//! listen at 127.0.0.1 and wait there for a browser. On Linux all of 127.0.0.0/8 is loopback, so a server takes an
//! address of it by chance: nobody was there before, and nothing waits for the browser there.

use crate::Error;
use crate::limits::Limits;
use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// What a server is to be.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The name of the program, for the server's own pages and the local door's cookie.
    pub program: &'static str,
    /// The address, which must be one of loopback. `None` takes one by chance where the system has more than 127.0.0.1.
    pub host: Option<Ipv4Addr>,
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
    host: Ipv4Addr,
    port: u16,
}

impl Bound {
    /// The address, also if one by chance was asked for.
    pub fn host(&self) -> Ipv4Addr {
        self.host
    }

    /// The port, also if any free one was asked for.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Listens at the address and the port that are asked for, or at any.
pub fn bind(options: Options) -> Result<Bound, Error> {
    let by_chance = if options.host.is_none() { Some(by_chance()?) } else { None };
    let host = options.host.or(by_chance).unwrap_or(Ipv4Addr::LOCALHOST);
    let heard = listen(host, options.port).or_else(|cause| match cause.kind() {
        // macOS has 127.0.0.1 alone.
        io::ErrorKind::AddrNotAvailable if by_chance.is_some() => listen(Ipv4Addr::LOCALHOST, options.port),
        _ => Err(cause),
    });
    let (listener, host, port) = heard.map_err(|cause| failure(host, options.port, cause))?;
    Ok(Bound { listener, options, host, port })
}

/// An address of loopback that nobody can foresee. It is never 127.0.0.1.
fn by_chance() -> Result<Ipv4Addr, Error> {
    loop {
        let mut bytes = [0; 3];
        getrandom::fill(&mut bytes).map_err(|cause| Error::Random { cause })?;
        let [a, b, c] = bytes;
        if bytes.iter().all(|byte| (1..=254).contains(byte)) {
            return Ok(Ipv4Addr::new(127, a, b, c));
        }
    }
}

fn listen(host: Ipv4Addr, port: u16) -> io::Result<(TcpListener, Ipv4Addr, u16)> {
    if !host.is_loopback() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no address of loopback"));
    }
    let listener = TcpListener::bind((host, port))?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    Ok((listener, host, port))
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

    fn options(port: u16) -> Options {
        Options { program: "lab", host: None, port, limits: Limits::of_one_user() }
    }

    #[test]
    fn a_taken_port_is_named_with_what_to_do() {
        let host = Some(Ipv4Addr::LOCALHOST);
        let first = bind(Options { host, ..options(0) }).unwrap();
        let error = bind(Options { host, ..options(first.port) }).unwrap_err();
        assert!(matches!(error, Error::PortTaken { port, .. } if port == first.port));
        let text = error.to_string();
        assert!(text.contains(&first.port.to_string()) && text.contains("give another port"), "{text}");
    }

    #[test]
    fn only_this_machine_is_listened_at() {
        let bound = bind(options(0)).unwrap();
        assert!(bound.listener.local_addr().unwrap().ip().is_loopback());
        for host in [Ipv4Addr::UNSPECIFIED, Ipv4Addr::new(128, 0, 0, 1), Ipv4Addr::new(192, 168, 0, 1)] {
            bind(Options { host: Some(host), ..options(0) }).unwrap_err();
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
