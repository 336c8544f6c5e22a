//! The diagnostics socket that every .NET runtime opens: finding it, and sending commands to it.
//!
//! Each command has its own connection. [`Endpoint`] makes connections, [`process`] asks about a process and resumes it,
//! [`session`] starts and stops a stream of events, and [`discover`] finds the sockets on a machine and in its containers.
//! The bytes of a session are a NetTrace stream, which this crate does not parse.
//!
//! A socket may belong to another user, so nothing that comes from it is trusted: every size has a limit, every wait has
//! a [`Deadline`](base::time::Deadline), every session has a rate limit, and every connection to a process that was found
//! is checked to lead to that process.
//!
//! The protocol is documented in dotnet/diagnostics, `documentation/design-docs/ipc-protocol.md`.

#![cfg(unix)]
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod crowd;
pub mod discover;
mod endpoint;
mod error;
mod first_collection;
mod found;
mod message;
mod peer;
pub mod process;
mod rate;
mod request;
pub mod session;

pub use endpoint::{Endpoint, Listener};
pub use error::Error;
pub use peer::Peer;
