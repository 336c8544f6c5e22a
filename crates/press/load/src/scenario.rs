//! Scenarios: several requests with weights, values and checks, and flows of requests that follow one another.
//!
//! ```text
//! file ─► compile ─► Scenario ─► begin(arrival) ─► Flow ─► parts: method, path, headers, body
//!                                                   ▲                         │ the engine sends it
//!                                                   └── check: values ◄── status, headers, body
//! ```
//!
//! An arrival begins one flow; a single request is a flow of one. Which flow it is, which rows of CSV files it takes and which random
//! numbers it uses only depends on the seed and the number of the arrival, so that every run of a plan asks the same. Nothing here
//! knows a protocol or a socket.

mod answer;
mod check;
mod choice;
mod compile;
pub(crate) mod file;
mod json_path;
mod model;
mod rows;
mod script;
mod tally;
pub(crate) mod template;

pub use answer::{Answer, Wanted};
pub use compile::{Loaded, ScenarioError};
pub(crate) use compile::{MAX_HEADERS, MAX_REQUESTS, MAX_WEIGHT};
pub(crate) use model::{Flow, Unfit};
pub use model::{Request, Scenario};
pub(crate) use script::Script;
pub use tally::{FlowTally, RequestTally, Tally};
