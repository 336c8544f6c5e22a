//! The part of the stacks that changed most between two recordings, as a small flame graph of both.
//!
//! It does not search the stacks: the rows of the comparison say which methods changed beyond noise, and the picture is narrowed
//! to the stacks with those of the metric that changed most. Nothing beyond noise means no picture.

use super::own::STACKS;
use super::pages::TraceCtx;
use super::selection::Selection;
use maud::{Markup, html};
use report::unit::show;
use report::{Change, ChangeVerdict, Diff, Subject};
use stacks::{Metric, ViewOptions};
use views::flame::{Stacked, small_flame};
use views::{Links, Params};

/// The most methods that the picture is narrowed to.
const MOST_METHODS: usize = 3;
/// What the name of a method has that the runtime generates: it is another one in each run, so it is the last to be chosen.
const GENERATED: &str = "!dynamicClass.";
/// A method that changed by less than this share of the largest change is left out.
const LEAST_OF_LARGEST: f64 = 0.5;
/// The smallest part of the picture, of 1.
const LEAST_SHARE: f64 = 0.005;
/// The most nodes of the picture.
const MOST_NODES: usize = 120;

/// The section of the summary.
pub(super) fn section(ctx: &TraceCtx<'_>, diff: &Diff) -> Markup {
    let rows = widest(diff);
    let Some(narrowed) = narrowed(&rows) else {
        return html! { p.said { "No method's samples changed beyond noise, so there is no flame graph of what changed." } };
    };
    // Frames of the service's own code say most. A change elsewhere is shown with all frames.
    let mine = narrowed.with("my", "1");
    let drawn = [mine, narrowed].into_iter().find_map(|params| Some((picture(ctx, &params)?, params)));
    html! {
        section.widest aria-label="What changed most" {
            h2 { "What changed most in the stacks" }
            ul { @for row in &rows { li { (said(ctx, row)) } } }
            @if let Some((markup, params)) = drawn {
                (markup)
                @if !ctx.file { p.links { a.button href=(params.href(STACKS)) { "See what changed most" } } }
            }
        }
    }
}

/// The rows beyond noise of the metric of samples that changed most, the largest change first. Rows that name a method come
/// first; without any, the row that changed most says what threads waited for.
fn widest(diff: &Diff) -> Vec<&Change> {
    let size = |row: &Change| row.difference().map_or(0.0, f64::abs);
    let is_of_samples = |row: &&Change| {
        let metric = row.metric.and_then(Metric::of_name);
        row.verdict == ChangeVerdict::BeyondNoise && metric.is_some_and(|of| of.is_of_samples())
    };
    let mut rows: Vec<&Change> = diff.rows.iter().filter(is_of_samples).collect();
    rows.sort_by(|a, b| size(b).total_cmp(&size(a)));
    let (generated, lasting): (Vec<&Change>, Vec<&Change>) = rows
        .iter()
        .filter(|row| row.method.is_some())
        .partition(|row| row.found_by().is_some_and(|of| of.contains(GENERATED)));
    let methods = if lasting.is_empty() { generated } else { lasting };
    let Some(largest) = methods.first() else {
        let is_wait = |row: &&&Change| row.subject == Subject::Wait && row.metric == Some("waiting");
        return rows.iter().find(is_wait).copied().into_iter().collect();
    };
    let is_near =
        |row: &&Change| row.metric == largest.metric && size(row) >= LEAST_OF_LARGEST * size(largest);
    let mut chosen: Vec<&Change> = Vec::new();
    for row in methods.iter().copied().filter(is_near) {
        // A method has a row with its callees and one without.
        if chosen.len() < MOST_METHODS && chosen.iter().all(|of| of.method != row.method) {
            chosen.push(row);
        }
    }
    chosen
}

/// The parameters that select the stacks of these rows, of the whole of both recordings. `None` without rows.
fn narrowed(rows: &[&Change]) -> Option<Params> {
    let first = rows.first()?;
    let params = Params::default().with("metric", first.metric?);
    let methods: Vec<String> = rows.iter().filter_map(|row| row.found_by()).map(regex::escape).collect();
    Some(match methods.as_slice() {
        [] => params.with("on", &first.name),
        [method] => params.with("include", &format!("^{method}$")),
        several => params.with("include", &format!("^(?:{})$", several.join("|"))),
    })
}

/// The picture. `None` if it would be a single bar.
fn picture(ctx: &TraceCtx<'_>, params: &Params) -> Option<Markup> {
    let selection = Selection::of(ctx.kind(), params)?;
    let selected = selection.selected(ctx.kind());
    let options = ViewOptions { least_share: LEAST_SHARE, most_nodes: MOST_NODES, ..selection.view.clone() };
    let link = |node: &str| if ctx.file { String::new() } else { params.with("root", node).href(STACKS) };
    let of = Stacked {
        profile: &selected.profile,
        metric: &selection.metric,
        options: &options,
        sample_ns: ctx.here().sample_ns,
    };
    let drawn = small_flame(of, &link);
    (!drawn.0.is_empty()).then_some(drawn)
}

/// A row in words: what was measured, before and after.
fn said(ctx: &TraceCtx<'_>, row: &Change) -> Markup {
    let value = |value: Option<f64>| value.map_or_else(|| "none".to_owned(), |value| show(value, &row.unit));
    let label = row.label.clone().or_else(|| row.is_handler.then(|| row.name.clone()));
    let name = label.unwrap_or_else(|| ctx.written(&row.name));
    html! {
        b title=(row.name) { (name) } ", " (row.measure) ": " (value(row.before)) " → " (value(row.after))
        @if !row.in_words().is_empty() { " (" (row.in_words()) ")" }
    }
}
