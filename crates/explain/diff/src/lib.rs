//! What changed between two recordings: one sentence, and one list.
//!
//! ```text
//! rows of a table ─ Grid ─► Tally: amounts by piece ─► value, noise ─┐
//!                                                     (each side)    ├─► hold ─► p ─► verdict, reason ─► one list
//! what two runs of one service differ by ────────────────────────────┘
//! what the rules say ─► new, gone, stayed                 list, findings ─► sentence, rows to read first
//! ```
//!
//! The observed time of each recording is cut into pieces. How much a value varies between them is its noise within a run
//! (`tally`). Two runs of one service differ by more than that: each measure says by how much, and `noise` has the test. Of
//! hundreds of rows some differ by chance, which `many` corrects for over the whole list. `book` puts rows of different
//! units into one order. Amounts are divided by the observed time, or by requests.
//!
//! Nothing here prints or runs SQL. Whatever is not compared or not listed is counted and reported.

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
mod quantile;
mod reason;
mod rounds;
mod scope;
mod side;
mod summary;
mod tally;
#[cfg(test)]
mod testing;
mod twins;
mod verdicts;

pub use side::Side;

use book::Book;
use names::{MAX_UNNAMED, unnamed_share};
use report::{Basis, Change, Diff, SAMPLES_OF_STACKS, Subject};
use runtime::MethodLabels;
use scope::{RequestSource, Scope};

/// Compares two recordings. `asked` is what amounts are divided by. If a recording has no requests, amounts are divided by
/// time, and a caveat says so.
pub fn compare(before: &Side<'_>, after: &Side<'_>, asked: Basis) -> Diff {
    let has_requests = |side: &Side<'_>| RequestSource::of(side.recording).is_some();
    let basis = if has_requests(before) && has_requests(after) { asked } else { Basis::Duration };
    let (before, after) = (&Scope::new(before, after, basis), &Scope::new(after, before, basis));
    // Without requests the basis is time, which needs no rate of them.
    let rate = |scope: &Scope<'_>| scope.requests_per_second().unwrap_or(0.0);
    let mut book = Book::new(basis, rate(before).max(rate(after)));
    let mut caveats = caveats::of(&caveats::Given { before, after, asked, basis });
    let mix = latency::add(&mut book, &mut caveats, before, after);
    let both = figures::add(&mut book, &mut caveats, before, after);
    lists::add(&mut book, before, after, both);
    calls::add(&mut book, before, after);
    counters::add(&mut book, before, after);
    samples(&mut book, before, after);
    let not_judged = verdicts::not_judged(before, after);
    for of in &not_judged {
        book.not_compared(format!("the rule {}", of.id), of.why());
    }
    let (mut rows, comparisons) = book.close();
    label_methods(&mut rows);
    let findings = verdicts::add(&mut rows, before, after);
    book::sort(&mut rows);
    let damage = caveats::damage(before, after);
    let is_whole = damage.is_none();
    let compared =
        summary::Compared { rows: &rows, findings: &findings, not_judged: &not_judged, mix, is_whole };
    let sentence = summary::sentence(&compared, comparisons);
    let foremost = caveats::foremost(before, after).into_iter().chain(damage);
    let mut sentences: Vec<String> = foremost.map(|of| summary::capitalized(&of) + ".").collect();
    sentences.push(sentence);
    let summary = sentences.join(" ");
    // The number that explain shows, which is of the whole recording; for a range the sum of its pieces.
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

/// Labels the rows of methods. All rows are one list, so that no two methods share a label.
fn label_methods(rows: &mut [Change]) {
    let is_named = |row: &Change| row.method.is_some() && !row.is_handler && row.subject != Subject::Finding;
    let named = rows.iter().filter(|row| is_named(row));
    let labels = MethodLabels::new(named.map(|row| row.name.as_str()));
    for row in rows.iter_mut().filter(|row| is_named(row)) {
        row.label = Some(labels.label(&row.name));
    }
}

/// Adds the rows that come from samples, if both recordings have samples whose frames have names. What a thread waits for
/// shows in those names, too.
fn samples(book: &mut Book, before: &Scope<'_>, after: &Scope<'_>) {
    let has = |scope: &Scope<'_>| !scope.recording().samples.ts_ns.is_empty();
    match (has(before), has(after)) {
        (true, true) => {}
        (false, false) => return book.not_compared(SAMPLES_OF_STACKS, "neither recording has any"),
        (true, false) => return book.not_compared(SAMPLES_OF_STACKS, "the recording after has none"),
        (false, true) => return book.not_compared(SAMPLES_OF_STACKS, "the recording before has none"),
    }
    for (scope, which) in [(before, "before"), (after, "after")] {
        let unnamed = unnamed_share(scope.recording());
        if unnamed > MAX_UNNAMED {
            return book.not_compared(SAMPLES_OF_STACKS, names::too_few(unnamed, which));
        }
    }
    figures::sampled(book, before, after);
    lists::waiting_on(book, before, after);
    lists::thread_kinds(book, before, after);
    methods::add(book, before, after);
}
