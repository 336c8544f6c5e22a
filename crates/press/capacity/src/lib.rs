//! How much a service can carry.
//!
//! ```text
//! table (text) ──┐
//!                ├─► Point ─► Fit: the Universal Scalability Law ─► peak, intervals, Headroom ─┐
//! load runs ─────┘                                                                            ├─► JSON
//! arrivals, service, servers ─► Queue: M/M/1 … Erlang B                                        │
//! users, think time, demands ─► Network: exact mean value analysis ────────────────────────────┘
//! ```
//!
//! Plain numbers in, plain numbers out: it reads no file, no clock and no evidence, and prints nothing. A figure that the data
//! do not determine is `None`, or says that it is not identified.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod document;
mod fit;
mod headroom;
mod least_squares;
mod little;
mod matrix;
mod network;
mod queue;
mod rates;
mod table;
mod usl;

pub use document::{Asked, document, network_document, queue_document};
pub use fit::{Fit, FitError, Interval, LEVEL, Peak, Point};
pub use headroom::{Growth, Headroom, Holds};
pub use little::{Little, check as little};
pub use network::{Network, NetworkError, Station, Step};
pub use queue::{Queue, QueueError, Servers, State};
pub use rates::{Bracket, Measured, bracket};
pub use table::{Table, TableError, read};
pub use usl::{Overhead, Usl};
