//! Figures of a recording: what each part of the runtime did, in numbers.
//!
//! There is one module per part. Each takes a [`Trace`] and returns a [`Part`]: figures, short lists, and series over time.
//! Nothing here prints or judges what a figure means for the service. Rates and shares are of the observed time (the table
//! `coverage`), never of the recording's length. A figure that the recording cannot give has no value, and the part says in
//! `missing` what to record for it.

mod allocation;
mod asynchrony;
mod collections;
mod compilation;
mod contention;
mod counters;
mod cpu;
mod endings;
mod exceptions;
mod failures;
mod figure;
mod frames;
mod gaps;
mod gc;
mod handlers;
mod heading;
mod inflight;
mod jit;
mod load;
mod locks;
mod logs;
mod loss;
mod metered;
mod mine;
mod mixture;
mod names;
mod observed;
mod occupancy;
mod plumbing;
mod requests;
mod sampling;
mod seen;
mod spans;
mod tail;
mod threadpool;
mod underway;
mod waits;

pub use allocation::counted_allocations;
pub use asynchrony::{AsyncGroup, Asynchrony, async_allocations};
pub use collections::{
    Collected, Collection, Free, collected, fragmentation, gen0_budgets, heap_courses, survival,
};
pub use compilation::{Compilation, Compiled, compilation, waited_for_compiling};
pub use contention::in_gc_pauses as lock_waits_in_gc_pauses;
pub use cpu::{Throttled, throttled};
pub use endings::{early_end, end_words};
pub use failures::{Failures, LEAVING, failures, is_failed};
pub use figure::{NOT_RECORDED, known, within_ms};
pub use frames::{Marks, Owner, StackIndex};
pub use gaps::{Gap, Hides, gaps};
pub use gc::gc_pauses;
pub use handlers::{HandlerNames, Handlers};
pub use heading::{heading, other_processes, recorded, subject};
pub use inflight::{InFlight, in_flight};
pub use load::{
    Basis, DATABASE_METERS, Work, a_second, database_calls, http_calls, is_database, is_http, open_path,
    requests as request_work, route_of, routes,
};
pub use locks::{Lock, holder_samples, locks};
pub use loss::losses;
pub use metered::{
    Metered, allowance_in_words, allowed_cores, busy_cpu_share, cpu_modes, cpu_shares, first_totals, metered,
    metered_latest, metered_seconds, metered_totals, tag,
};
pub use mine::{MyCode, NamePatternError};
pub use mixture::Bounds;
pub use names::{MethodLabels, is_named_as_async, written_name};
pub use observed::{has_events, observed_ns};
pub use occupancy::{Occupancy, PoolUse, occupancy, pool_use};
pub use plumbing::Plumbing;
pub use sampling::{Follower, Group, RequestPaths, Sampling, State};
pub use seen::{Seen, seen};
pub use tail::{MIN_SHARE, MIN_SLOW, TAIL_MS, TAIL_TIMES, Tail, tails};
pub use threadpool::{POOL_DONE, POOL_QUEUE};
pub use underway::{Counter, MIN_STUCK, UnderWay, Unending, under_way, unending};

use model::Trace;
use report::Part;

/// All parts, in the order in which readers want them: what users of the service felt comes first.
pub fn parts(recording: &Trace) -> Vec<Part> {
    parts_with(recording, &StackIndex::new(recording))
}

/// All parts, for a caller that has the index of stacks already.
pub fn parts_with(recording: &Trace, index: &StackIndex) -> Vec<Part> {
    vec![
        requests::part(recording),
        cpu::part(recording, index),
        threadpool::part(recording),
        contention::part(recording, index),
        waits::part(recording, index),
        gc::part(recording),
        allocation::part(recording, index),
        exceptions::part(recording, index),
        jit::part(recording),
        spans::part(recording),
        logs::part(recording),
        counters::part(recording),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_recording_has_every_part_and_no_figure() {
        let parts = parts(&Trace::default());
        for part in &parts {
            assert!(!part.missing.is_empty(), "{} does not say what is missing", part.id);
            let given = part.figures.iter().find(|figure| figure.value.is_some());
            assert_eq!(given, None, "{} has a value of nothing", part.id);
        }
        let mut ids: Vec<_> = parts.iter().map(|part| part.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), parts.len());
    }
}
