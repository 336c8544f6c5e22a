//! Load on a service, by a generator that accounts for every planned request.
//!
//! ```text
//! Plan ─► Schedule: when requests are due ─┐
//!                                          ├─► engine, one per thread ─► Interval, each second ─► Run
//! Target ─► addresses, connections ────────┘
//! ```
//!
//! The latency of a request counts from when it was due, not only from when it was sent: a service that pauses for a second
//! delays all requests of that second, although a generator with few connections sends few of them meanwhile (coordinated omission).
//! `planned = responses + errors + timeouts + unsent`, always.

mod abort;
mod by_request;
mod clock;
mod course;
mod document;
mod engine;
mod figures;
mod generator;
pub mod http1;
mod http2;
mod import;
mod intervals;
mod kept;
mod linked;
mod merge;
mod outcome;
mod pace;
mod parts;
mod plan;
mod prepared;
mod reason;
mod record;
mod requests;
mod run;
pub mod scenario;
mod schedule;
mod second;
mod slo;
mod socket;
mod steady;
mod stream;
mod target;
mod tls;
mod wire;
mod work;

pub use abort::Prospects;
pub use document::document;
pub use figures::{Figures, Percentiles, quantile_ms};
pub use generator::Generator;
pub use import::{ImportError, ImportOptions, Imported, ShellError, import};
pub use intervals::IntervalLog;
pub use kept::{Kept, KeptError};
pub use merge::{MergeError, Merged, merge, utc};
pub use outcome::{Failure, Outcome};
pub use parts::Http2Error;
pub use plan::{Drive, Plan, Protocol};
pub use reason::{Abort, Reason};
pub use record::{Counts, Latencies};
pub use requests::{Request, Requests, Sent};
pub use run::{Run, RunError, Watcher, run};
pub use scenario::{Loaded, Scenario, ScenarioError, Tally};
pub use schedule::{MAX_PARTS as MAX_WORKERS, Schedule, Times};
pub use second::{Second, Typical};
pub use slo::{Objective, ObjectiveError, Verdict};
pub use steady::{Shift, Steadiness};
pub use target::{Target, TargetError};
pub use tls::{TlsError, Trust};
