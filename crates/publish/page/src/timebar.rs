//! The time bar: what happened when, and the range of time that the rest of the page shows.
//!
//! Evidence without an extent in time has no time bar: every function here then returns something empty.

use crate::kind::{Ctx, KindOfPages, TimeLine};
use base::number::real;
use maud::{Markup, html};
use serde_json::Value;
use timeline::{Lane, Span};
use views::words::{counted_len, percent};
use views::{lanes, place, seconds};

/// The most lanes that are shown at once.
const MOST_FIRST: usize = 6;

/// The time line with the form that selects a range.
pub(crate) fn bar<K: KindOfPages>(ctx: &Ctx<'_, K>) -> Markup {
    let Some(time) = K::TIME else { return html! {} };
    let zoomed = is_zoomed(ctx);
    let shown = shown(ctx, &time);
    let all = (time.lanes)(ctx.kind(), shown);
    let wanted = wanted(ctx, &time);
    let (mut first, mut others): (Vec<Lane>, Vec<Lane>) =
        all.iter().cloned().partition(|lane| wanted.contains(&lane.id));
    first.sort_by_key(|lane| wanted.iter().position(|id| *id == lane.id));
    if first.len() > MOST_FIRST {
        others.splice(0..0, first.split_off(MOST_FIRST));
    }
    if first.is_empty() {
        // Without any of the wanted lanes, the others stand in their place.
        std::mem::swap(&mut first, &mut others);
    }
    let (from, to) = ctx.span();
    folded(
        ctx,
        &html! {
            section.timebar aria-label="Time line" data-timeline="" data-from=(seconds(from)) data-to=(seconds(to)) data-chosen[ctx.is_part()] {
                @if ctx.params.is_range_refused() {
                    p.error role="alert" { "This is not a range of time: give two numbers of seconds, the start before the end." }
                }
                (lanes::drawn(&first, shown))
                @if !others.is_empty() {
                    details.others { summary { (counted_len(others.len(), "more lane")) } (lanes::drawn(&others, shown)) }
                }
                div.range-line {
                    (range_form(ctx))
                    @if ctx.is_part() {
                        @if zoomed { a href=(ctx.params.without(&["zoom"]).href(ctx.path)) { "Show all of the time line" } }
                        @else { a href=(ctx.params.with("zoom", "1").href(ctx.path)) { "Zoom the time line in" } }
                    }
                }
            }
        },
    )
}

/// The lanes to show at once, in their order. On the first page, those that decide the findings come first.
fn wanted<K: KindOfPages>(ctx: &Ctx<'_, K>, time: &TimeLine<K>) -> Vec<&'static str> {
    let is_first = K::TABS.first().is_some_and(|tab| tab.path == ctx.path);
    let mut wanted = if is_first { ctx.kind().deciding_lanes() } else { Vec::new() };
    // The tab may be hidden because it is empty; its lanes may then show why.
    let usual = K::TABS.iter().find(|tab| tab.path == ctx.path).map_or(time.usual, |tab| tab.lanes);
    for id in usual {
        if !wanted.contains(id) {
            wanted.push(id);
        }
    }
    wanted
}

/// The time line, behind a line to open it if the page has a better one.
fn folded<K: KindOfPages>(ctx: &Ctx<'_, K>, line: &Markup) -> Markup {
    html! {
        @if K::folds_time_line(ctx) {
            details.alone { summary { "The time line of this " (K::NOUN) " alone: all lanes, and a range to select" } (line) }
        } @else { (line) }
    }
}

/// The values of the lanes, for script.
pub(crate) fn json<K: KindOfPages>(ctx: &Ctx<'_, K>) -> Value {
    match K::TIME {
        Some(time) => lanes::json(&(time.lanes)(ctx.kind(), shown(ctx, &time))),
        None => lanes::json(&[]),
    }
}

/// The whole time line, without controls.
pub(crate) fn lanes<K: KindOfPages>(ctx: &Ctx<'_, K>) -> Markup {
    let Some(time) = K::TIME else { return html! {} };
    let whole = (time.whole)(ctx.kind());
    let lanes = (time.lanes)(ctx.kind(), whole);
    folded(ctx, &html! { section.timebar aria-label="Time line" { (lanes::drawn(&lanes, whole)) } })
}

fn is_zoomed<K: KindOfPages>(ctx: &Ctx<'_, K>) -> bool {
    ctx.params.get("zoom").is_some() && ctx.is_part()
}

/// The range that the time line shows.
fn shown<K: KindOfPages>(ctx: &Ctx<'_, K>, time: &TimeLine<K>) -> Span {
    let (from_ns, to_ns) = ctx.span();
    if is_zoomed(ctx) { Span { from_ns, to_ns } } else { (time.whole)(ctx.kind()) }
}

/// The range of time in words, and the form that changes it without script.
fn range_form<K: KindOfPages>(ctx: &Ctx<'_, K>) -> Markup {
    let (from, to) = ctx.span();
    let rest = ctx.params.without(&["from", "to", "root"]);
    let chosen = ctx.is_part();
    // The end of the whole is rounded up to a millisecond, since nobody chose its last nanosecond.
    let to = if chosen { to } else { to.saturating_add(999_999) / 1_000_000 * 1_000_000 };
    html! {
        form.range method="get" action=(place(ctx.path)) {
            @for (name, value) in rest.pairs() { input type="hidden" name=(name) value=(value); }
            label { "From " input type="number" name="from" step="any" min="0" value=(seconds(from)); " s" }
            label { "to " input type="number" name="to" step="any" min="0" value=(seconds(to)); " s" }
            button type="submit" { "Show" }
            @if chosen {
                a.whole href=(rest.href(ctx.path)) { "Whole " (K::NOUN) }
                span.hint { (percent(selected_share(ctx), 1.0)) " of it is selected" }
            }
        }
    }
}

/// The selected share of the whole, from 0 to 1.
fn selected_share<K: KindOfPages>(ctx: &Ctx<'_, K>) -> f64 {
    let (from, to) = ctx.span();
    let end = ctx.duration_ns();
    real(to.min(end).saturating_sub(from.max(0)).max(0)) / real(end)
}
