//! What changed between two recordings, in one list.
//!
//! ```text
//! rows of a table ─ Grid ─► Tally: amounts by piece ─► value, noise ─┐
//!                                                     (each side)    ├─► hold ─► verdict, impact ─► one list
//! what the rules say ────────────────────────────────────────────────┘
//! ```
//!
//! The observed time of each recording is cut into pieces; how much a value varies between them is its noise. A row
//! says whether the difference is beyond what both recordings vary by themselves; how that is decided stands in
//! `noise`, how rows of different units come into one order in `book`. Amounts are divided by the observed time, or
//! by requests.
//!
//! It knows two recordings and not what lies between them: one run of each tells nothing of how runs differ. Nothing
//! here prints or runs SQL. Whatever is not compared or not listed is counted and said.

mod book;
mod calls;
mod caveats;
mod counters;
mod figures;
mod grid;
mod latency;
mod lists;
mod methods;
mod names;
mod noise;
mod presence;
mod scope;
mod side;
mod verdicts;

pub use side::{Options, Side};

use base::number::real_u64;
use book::Book;
use report::{Basis, Diff};
use scope::{Counted, Scope};

/// The share of frames without a name from which on samples say too little to be compared.
const MOST_UNNAMED: f64 = 0.2;

/// The share of the frames of samples that have no name.
fn unnamed(scope: &Scope<'_>) -> f64 {
    let missing = &scope.recording().missing;
    if missing.frames == 0 { 0.0 } else { real_u64(missing.unnamed_frames) / real_u64(missing.frames) }
}

/// Compares two recordings.
pub fn compare(before: &Side<'_>, after: &Side<'_>, options: &Options) -> Diff {
    let counted = Counted::of_both(before.recording, after.recording);
    let basis = if counted.is_some() { options.basis } else { Basis::Duration };
    let (before, after) = (&Scope::new(before, basis, counted), &Scope::new(after, basis, counted));
    let (looks_before, looks_after) = (before.looks(), after.looks());
    let looks = (looks_before.as_slice(), looks_after.as_slice());
    let rate = |scope: &Scope<'_>| scope.requests_a_second().unwrap_or(0.0);
    let mut book = Book::new(basis, rate(before).max(rate(after)));
    let mut caveats = caveats::of(&caveats::Given { before, after, asked: options.basis, basis, looks });
    latency::add(&mut book, before, after, counted);
    verdicts::add(&mut book, before, after);
    let both = figures::add(&mut book, &mut caveats, before, after);
    lists::add(&mut book, before, after, both);
    calls::add(&mut book, before, after);
    counters::add(&mut book, before, after);
    let has_samples = |scope: &Scope<'_>| !scope.recording().samples.ts_ns.is_empty();
    let nameless =
        [("before", before), ("after", after)].into_iter().find(|(_, scope)| unnamed(scope) > MOST_UNNAMED);
    match (has_samples(before), has_samples(after)) {
        (true, true) if nameless.is_some() => {
            if let Some((which, scope)) = nameless {
                // What a thread waits for is told by the names of its frames, as its methods are.
                let share = report::unit::show(unnamed(scope), "share");
                let why = format!("{share} of the frames of the recording {which} have no name");
                book.not_compared("samples of stacks", why);
            }
        }
        (true, true) => {
            figures::sampled(&mut book, before, after, looks);
            lists::waiting_on(&mut book, before, after, looks);
            lists::thread_kinds(&mut book, before, after, looks);
            methods::add(&mut book, before, after, looks);
        }
        (false, false) => book.not_compared("samples of stacks", "neither recording has any"),
        (true, false) => book.not_compared("samples of stacks", "the recording after has none"),
        (false, true) => book.not_compared("samples of stacks", "the recording before has none"),
    }
    Diff {
        basis,
        observed_ns: (before.events.grid.observed_ns(), after.events.grid.observed_ns()),
        requests: before.requests.zip(after.requests),
        pieces: (before.events.grid.pieces(), after.events.grid.pieces()),
        rows: book.close(),
        caveats,
        not_compared: book.not_compared,
        left_out: book.left_out,
    }
}
