//! What keeps a server from starting.

use std::io;
use std::net::Ipv4Addr;

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Somebody listens at the port that was asked for.
    #[error(
        "port {port} of {host} is taken by another program{}: stop that one, give another port, \
         or leave the port out to get a free one",
        who(*port)
    )]
    PortTaken {
        /// The address that was asked for.
        host: Ipv4Addr,
        /// The port that was asked for.
        port: u16,
    },
    /// The port is one of those that only root may listen at.
    #[error(
        "port {port} needs more rights than this program has: give one from 1024 up, or none for a free one"
    )]
    PortForbidden {
        /// The port that was asked for.
        port: u16,
    },
    /// The system does not let us listen there for another reason.
    #[error("cannot listen at port {port} of {host}: {cause}")]
    Listen {
        /// The address that was asked for.
        host: Ipv4Addr,
        /// The port that was asked for, 0 for any.
        port: u16,
        /// What the system says.
        cause: io::Error,
    },
    /// The system gives no random bytes; a guessable key would be none.
    #[error("the system gives no random bytes for the key of the pages: {cause}")]
    Random {
        /// What the system says.
        cause: getrandom::Error,
    },
    /// The system gives no thread or no event queue.
    #[error("the system gives no {what}: {cause}")]
    Threads {
        /// What was asked for.
        what: &'static str,
        /// What the system says.
        cause: io::Error,
    },
}

/// How to find out who has a port: a command that every user may run.
fn who(port: u16) -> String {
    if cfg!(target_os = "linux") {
        format!(" (`ss -ltnp 'sport = :{port}'` shows which)")
    } else {
        format!(" (`lsof -nP -iTCP:{port} -sTCP:LISTEN` shows which)")
    }
}
