//! Records a running subject, in files that can be read whatever happens.
//!
//! [`record`] starts a main session, which lasts as long as the recording, and short sessions that take samples. It takes
//! method names early, records what the host says of the process, and at the end leaves nothing behind in the subject. It
//! knows no event: a [`Reader`] of the caller reads every session too, and says what it has seen.
//!
//! ```text
//!  main session  ├──────────────────────────────────────────────┤ rundown     trace.nettrace.zst
//!  names           ├─┤                                                        names.nettrace.zst
//!  first uses    ├──────────────────────────────────────────────┤             names-first-uses.nettrace.zst
//!  bursts             ├─┤       ├─┤       ├─┤       ├─┤                        samples.nettrace.zst
//!  host          ·       ·       ·       ·       ·       ·                     host.csv, thread_cpu.csv
//! ```
//!
//! Invariants: every file can be read up to the last half second. It has its final name from the first byte or, if it
//! replaces an earlier recording, once it can be opened. Every wait for the subject has a limit. A subject that was
//! suspended at its start is resumed.

#![cfg(unix)]
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod budget;
mod bursts;
mod control;
mod cost;
mod error;
mod file;
mod guard;
mod launch;
mod limit;
mod options;
mod output;
pub mod profile;
mod provenance;
mod pump;
mod recording;
mod segments;
mod subject;
mod tables;

pub use budget::{MAX_BYTES, disk_full};
pub use control::{Control, Progress, Stage};
pub use cost::Cost;
pub use error::Error;
pub use file::Written;
pub use guard::guard;
pub use launch::{Launched, Left, launch};
pub use limit::DiskLimit;
pub use options::{Ended, Outcome, RecordOptions};
pub use output::check_place;
pub use profile::{Bursts, OutputShape, Plan, Profile};
pub use pump::{Reader, Reserve, Role, SessionFacts};
pub use recording::{MakeReader, record};
pub use subject::Subject;
