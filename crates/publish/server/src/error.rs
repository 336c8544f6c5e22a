//! Why a server cannot start.

use std::io;
use std::net::Ipv4Addr;

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another program listens at the requested port.
    #[error(
        "port {port} of {host} is taken by another program{}: stop that one, give another port, \
         or leave the port out to get a free one",
        who(*port)
    )]
    PortTaken {
        /// The requested address.
        host: Ipv4Addr,
        /// The requested port.
        port: u16,
    },
    /// Only root may listen at the requested port.
    #[error(
        "port {port} needs more rights than this program has: give one from 1024 up, or none for a free one"
    )]
    PortForbidden {
        /// The requested port.
        port: u16,
    },
    /// The system does not let us listen there, for another reason.
    #[error("cannot listen at port {port} of {host}: {cause}")]
    Listen {
        /// The requested address.
        host: Ipv4Addr,
        /// The requested port, 0 for any.
        port: u16,
        /// The system's error.
        cause: io::Error,
    },
    /// The system provides no random bytes, and a guessable key would protect nothing.
    #[error("the system provides no random bytes for the key of the pages: {cause}")]
    Random {
        /// The system's error.
        cause: getrandom::Error,
    },
    /// The system provides no thread or no event queue.
    #[error("the system provides no {what}: {cause}")]
    Threads {
        /// What is missing.
        what: &'static str,
        /// The system's error.
        cause: io::Error,
    },
}

/// A command that shows which program has a port; every user may run it.
fn who(port: u16) -> String {
    if cfg!(target_os = "linux") {
        format!(" (`ss -ltnp 'sport = :{port}'` shows which)")
    } else {
        format!(" (`lsof -nP -iTCP:{port} -sTCP:LISTEN` shows which)")
    }
}
