//! Recordings of a running subject, written so that they can be read whatever happens.
//!
//! [`record`] starts a session that lasts as long as the recording and, beside it, short ones that sample; it takes the
//! names of methods early, reads what the host says of the process, and ends all of it without leaving anything behind
//! in the subject. It knows no event: a [`Reader`] that the caller brings reads along and says what it saw.
//!
//! ```text
//!  main session  ├──────────────────────────────────────────────┤ rundown     trace.nettrace.zst
//!  names           ├─┤                                                        names.nettrace.zst
//!  first uses    ├──────────────────────────────────────────────┤             names-first-uses.nettrace.zst
//!  bursts             ├─┤       ├─┤       ├─┤       ├─┤                        samples.nettrace.zst
//!  host          ·       ·       ·       ·       ·       ·                     host.csv, thread_cpu.csv
//! ```
//!
//! Invariants: every file has its final name from the first byte, or, in the place of an earlier recording, once it can be
//! opened, and is readable up to the last half second;
//! every wait on the subject has a limit; a subject that was suspended at its start is resumed.

#![cfg(unix)]
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod bursts;
mod cost;
mod error;
mod file;
mod guard;
mod launch;
mod options;
mod output;
pub mod profile;
mod provenance;
mod pump;
mod recording;
mod room;
mod segments;
mod subject;
mod tables;

pub use cost::Cost;
pub use error::Error;
pub use file::Written;
pub use guard::guard;
pub use launch::{Launched, Left, launch};
pub use options::{Control, Ended, Options, Outcome, Progress, Stage};
pub use output::check_room;
pub use profile::{Bursts, Plan, Profile, Shape};
pub use pump::{Facts, Reader, Reserve, Role};
pub use recording::{MakeReader, record};
pub use room::{Full, MOST_BYTES, disk_full};
pub use subject::Subject;
