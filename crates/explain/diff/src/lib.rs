//! What changed between two recordings: one sentence, and one list.
//!
//! ```text
//! rows of a table ─ Grid ─► Tally: amounts by piece ─► value, noise ─┐
//!                                                     (each side)    ├─► hold ─► p ─► verdict, reason ─► one list
//! what two runs of one service differ by ────────────────────────────┘
//! what the rules say ─► new, gone, stayed                 list, findings ─► sentence, rows to read first
//! ```
//!
//! The observed time of each recording is cut into pieces; how much a value varies between them is its noise within a run
//! (`noise`). Two runs of one service differ by more than that; how much is reckoned with stands with each measure. Of
//! hundreds of rows some differ by chance; `many` corrects for it over the whole list. How rows of different units come into
//! one order stands in `book`. Amounts are divided by the observed time, or by requests.
//!
//! Nothing here prints or runs SQL. Whatever is not compared or not listed is counted and said.

mod book;
mod calls;
mod caveats;
mod counters;
mod figures;
mod grid;
mod latency;
mod lists;
mod many;
mod methods;
mod mix;
mod names;
mod noise;
mod presence;
mod reason;
mod rounds;
mod scope;
mod sections;
mod side;
mod summary;
mod twins;
mod verdicts;

pub use side::{Options, Side};

use base::number::real_u64;
use book::Book;
use report::{Basis, Diff};
use scope::{Scope, Source};

/// The share of frames without a name from which on samples say too little to be compared.
const MOST_UNNAMED: f64 = 0.2;

/// The share of the frames of samples that have no name.
fn unnamed(scope: &Scope<'_>) -> f64 {
    let missing = &scope.recording().missing;
    if missing.frames == 0 { 0.0 } else { real_u64(missing.unnamed_frames) / real_u64(missing.frames) }
}

/// Compares two recordings.
pub fn compare(before: &Side<'_>, after: &Side<'_>, options: &Options) -> Diff {
    let has_requests = |side: &Side<'_>| Source::of(side.recording).is_some();
    let basis = if has_requests(before) && has_requests(after) { options.basis } else { Basis::Duration };
    let (before, after) = (&Scope::new(before, basis), &Scope::new(after, basis));
    let (looks_before, looks_after) = (before.looks(), after.looks());
    let looks = (looks_before.as_slice(), looks_after.as_slice());
    let rate = |scope: &Scope<'_>| scope.requests_a_second().unwrap_or(0.0);
    let mut book = Book::new(basis, rate(before).max(rate(after)));
    let mut caveats = caveats::of(&caveats::Given { before, after, asked: options.basis, basis, looks });
    let mix = latency::add(&mut book, before, after);
    let both = figures::add(&mut book, &mut caveats, before, after);
    lists::add(&mut book, before, after, both);
    calls::add(&mut book, before, after);
    counters::add(&mut book, before, after);
    samples(&mut book, before, after, looks);
    let not_judged = verdicts::not_judged(before, after);
    for of in &not_judged {
        book.not_compared(format!("the rule {}", of.id), of.why());
    }
    let (mut rows, comparisons) = book.close();
    let findings = verdicts::add(&mut rows, before, after);
    book::sort(&mut rows);
    let damage = caveats::damage(before, after);
    let is_whole = damage.is_none();
    let told = summary::Told { rows: &rows, findings: &findings, not_judged: &not_judged, mix, is_whole };
    let sentence = summary::sentence(&told, comparisons);
    let foremost = caveats::foremost(before, after).into_iter().chain(damage);
    let mut sentences: Vec<String> = foremost.map(|of| summary::begun(&of) + ".").collect();
    sentences.push(sentence);
    let summary = sentences.join(" ");
    // As explain counts them; of a range what its pieces say.
    let counted = |scope: &Scope<'_>| {
        let ended = scope.recording().ended_requests().filter(|_| scope.side.range.is_none());
        let of_pieces = scope.requests.as_ref().map(|of| of.amount.iter().sum::<f64>());
        of_pieces.map(|of| ended.map_or(of, |ended| ended.count).round())
    };
    Diff {
        summary,
        basis,
        observed_ns: (before.events.grid.observed_ns(), after.events.grid.observed_ns()),
        requests: counted(before).zip(counted(after)),
        pieces: (before.events.grid.pieces(), after.events.grid.pieces()),
        comparisons,
        is_whole,
        first: summary::first(&rows),
        rows,
        findings,
        caveats,
        not_compared: book.not_compared,
        left_out: book.left_out,
    }
}

/// Adds what samples tell, if both have some whose frames have names.
fn samples(book: &mut Book, before: &Scope<'_>, after: &Scope<'_>, looks: (&[f64], &[f64])) {
    let has = |scope: &Scope<'_>| !scope.recording().samples.ts_ns.is_empty();
    let nameless =
        [("before", before), ("after", after)].into_iter().find(|(_, scope)| unnamed(scope) > MOST_UNNAMED);
    match (has(before), has(after)) {
        (true, true) => {}
        (false, false) => return book.not_compared("samples of stacks", "neither recording has any"),
        (true, false) => return book.not_compared("samples of stacks", "the recording after has none"),
        (false, true) => return book.not_compared("samples of stacks", "the recording before has none"),
    }
    if let Some((which, scope)) = nameless {
        // What a thread waits for is told by the names of its frames, as its methods are.
        let share = report::unit::show(unnamed(scope), "share");
        let why = format!("{share} of the frames of the recording {which} have no name");
        return book.not_compared("samples of stacks", why);
    }
    figures::sampled(book, before, after, looks);
    lists::waiting_on(book, before, after, looks);
    lists::thread_kinds(book, before, after, looks);
    methods::add(book, before, after, looks);
}
