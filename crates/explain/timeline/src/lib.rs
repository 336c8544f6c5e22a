//! A recording over time: any range, cut into as many pieces as a picture has room for.
//!
//! ```text
//! tables ─ range by bisection ─► Grid (pieces) ─┬─► counts of a piece / observed time of it ─► rates
//!                 coverage ─────► Observed ─────┘
//! counters and meters ──────────► published values, which hold until the next one
//! ```
//!
//! A [`Lane`] is one subject: CPU cores, pauses, heap, threads, requests … A lane exists only if the recording has its
//! data. Nothing here draws or judges.
//!
//! Invariants: a piece that was not observed has no value, never 0, and rates are of the observed time within a piece. A row
//! lies in exactly one piece, so totals over the pieces are totals over the range. Each lane counts what it leaves out.

mod grid;
mod lane;
mod lanes;
mod observed;
mod published;
#[cfg(test)]
mod testing;
mod ticks;

pub use grid::{MAX_PIECES, Span};
pub use lane::{Busiest, Lane, LaneValues, Layer, Stretch};
pub use ticks::{Tick, ticks};

use grid::Grid;
use lanes::{Ground, compute, events, memory, pool, requests};
use model::Trace;
use runtime::StackIndex;

/// The lanes of a range, in at most `pieces` pieces. What users of the service felt comes first.
pub fn lanes(recording: &Trace, index: &StackIndex, span: Span, pieces: usize) -> Vec<Lane> {
    let ground = Ground::new(recording, Grid::new(span, pieces));
    let lanes = [
        requests::rate(&ground),
        requests::latency(&ground),
        requests::under_way(&ground),
        compute::cores(&ground),
        compute::running(&ground, index),
        pool::workers(&ground),
        pool::queue(&ground),
        compute::waiting(&ground),
        events::waiting_for_locks(&ground),
        events::lock_waits(&ground),
        memory::collections(&ground),
        memory::other_pauses(&ground),
        memory::heap(&ground),
        memory::resident(&ground),
        memory::allocation(&ground),
        events::exceptions(&ground),
        events::compiling(&ground),
        events::log_lines(&ground),
    ];
    lanes.into_iter().flatten().collect()
}
