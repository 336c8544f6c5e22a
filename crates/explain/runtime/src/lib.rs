//! Figures of a recording: what each part of the runtime did, in numbers.
//!
//! One module a part; each takes a [`Recording`] and gives a [`Part`]: figures, short lists, and courses over time.
//! Nothing here prints, formats or judges: what a figure means for the service is said by others. Rates and shares are
//! of the time that was observed, which `coverage` tells, never of the recording's length. A figure that the recording
//! cannot give has no value, and the part says in `missing` what to record for it.

mod allocation;
mod contention;
mod counters;
mod cpu;
mod exceptions;
mod figure;
mod frames;
mod gc;
mod jit;
mod load;
mod logs;
mod metered;
mod observed;
mod requests;
mod sampling;
mod spans;
mod threadpool;
mod waits;

pub use figure::{Figure, List, ListColumn, Part, Row, Series};
pub use frames::{Marks, Owner, StackIndex};
pub use load::{
    Basis, DATABASE_METERS, Work, a_second, database_calls, http_calls, is_database, is_http,
    requests as request_work, routes,
};
pub use metered::{
    Metered, at_per_mille, busy_cpu_share, metered, metered_sum, metered_totals, processors, tag,
};
pub use observed::observed_ns;
pub use sampling::{Group, RequestPaths, Sampling, State, leaf_frame};

use model::Recording;

/// All parts, in the order in which a reader wants them: what users of the service felt comes first.
pub fn parts(recording: &Recording) -> Vec<Part> {
    vec![
        requests::part(recording),
        cpu::part(recording),
        threadpool::part(recording),
        contention::part(recording),
        waits::part(recording),
        gc::part(recording),
        allocation::part(recording),
        exceptions::part(recording),
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
        let parts = parts(&Recording::default());
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
