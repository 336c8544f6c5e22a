//! The diagnostics socket that every .NET runtime opens: which processes have one, and what may be asked of it.
//!
//! One command goes over one connection. [`Endpoint`] makes connections, [`process`] asks what a process is and
//! resumes it, [`session`] starts and stops a stream of events, [`discover`] finds the sockets of a machine and of the
//! containers on it. It reads no event: the bytes of a session are a NetTrace stream, which is others' business.
//!
//! A socket may belong to another user, so nothing that comes from it is trusted: every size has a limit, every wait
//! a [`Deadline`](base::time::Deadline), no session is read faster than runtimes write, and every connection to a process that
//! was found is checked to lead to that process.
//!
//! The protocol: `documentation/design-docs/ipc-protocol.md` of dotnet/diagnostics.

#![cfg(unix)]
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod collects;
mod crowd;
pub mod discover;
mod endpoint;
mod error;
mod message;
mod peer;
pub mod process;
mod rate;
pub mod session;

pub use endpoint::{Endpoint, Listener};
pub use error::Error;
pub use peer::Peer;
