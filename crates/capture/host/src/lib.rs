//! What Linux reports about a process, its limits and its machine: `/proc` and control groups.
//!
//! [`Proc`] reads processes and their threads, [`cgroup::Cgroup`] the limits of a process, and [`Readings`] the figures
//! that a recorder writes once per second. All paths start at the root that a [`Proc`] is given, so a recorded tree
//! reads like the machine itself. On a system without `/proc` nothing is found, and nothing fails.
//!
//! It changes nothing on the machine, and keeps no clock and no open file. A process controls much of what is read here
//! (its name, arguments, environment, the names of its control groups), so every file is read up to a limit and may be
//! cut short or malformed. Reads wait only for the kernel. For arguments and environment, the kernel itself may wait
//! for a process that is changing its memory map.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

pub mod cgroup;
mod container;
mod descriptors;
mod error;
mod files;
mod mounts;
mod process;
mod readings;
mod threads;
#[cfg(test)]
mod tree;

pub use error::Error;
pub use process::{Proc, Stat};
pub use readings::{Reading, Readings, memory_bytes};
pub use threads::{ThreadReader, ThreadStat};
