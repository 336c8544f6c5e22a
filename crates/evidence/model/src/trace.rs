//! A trace: what a running process sent of itself.

mod allowance;
mod counted;
mod coverage;
mod events;
mod limits;
mod marks;
mod recording;
mod session;
mod stacks;
mod tables;

pub use allowance::{Allowance, LimitedBy};
pub use counted::{Counted, CountedBy, LARGEST_METERED, REQUESTS_METER};
pub use coverage::covered_ns;
pub use events::{EventKind, Events, Fields};
pub use limits::{Limit, LimitKind, Limits, RUNTIME_FRAMES};
pub use marks::{Counts, RequestMarks};
pub use recording::Trace;
pub use session::{EarlyEnd, GcSettings, Missing, Sampler, Session};
pub use stacks::{Frame, Frames, Stacks};
pub use tables::*;
