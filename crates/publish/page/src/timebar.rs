//! The time line of every page: what happened when, and the range of time that all else is of.

use crate::page::{Ctx, range_form};
use crate::params::seconds;
use base::number::real;
use maud::{Markup, PreEscaped, html};
use serde_json::{Value, json};
use timeline::{Lane, Layer, Shape, Span, Stretch};

/// Pieces that a lane is cut into: as many as its picture has columns for.
const PIECES: usize = 600;
/// How high a lane is, in the pixels of its own picture.
const HEIGHT: u32 = 34;

/// The lanes that belong to a tab; the others are a click away.
fn lanes_of(path: &str) -> &'static [&'static str] {
    match path {
        "/" => &["requests", "latency", "cores", "waiting", "gc", "heap", "exceptions"],
        "/gc" => &["gc", "heap", "allocation"],
        "/allocations" => &["allocation", "gc"],
        "/requests" => &["requests", "latency", "in-flight"],
        "/locks" => &["locks", "lock-waits", "waiting"],
        "/exceptions" => &["exceptions", "requests"],
        "/jit" => &["jit", "cores"],
        "/threads" => &["workers", "queue", "running", "waiting"],
        "/logs" => &["logs", "exceptions"],
        "/stacks" => &["cores", "running", "waiting", "gc"],
        _ => &["cores", "running"],
    }
}

/// The time line with the form that selects a range.
pub(crate) fn bar(ctx: &Ctx<'_>) -> Markup {
    let zoomed = is_zoomed(ctx);
    let shown = shown(ctx);
    let all = ctx.here().lanes(shown, PIECES);
    let wanted = lanes_of(ctx.path);
    let (first, others): (Vec<Lane>, Vec<Lane>) =
        all.iter().cloned().partition(|lane| wanted.contains(&lane.id));
    let (from, to) = ctx.span();
    html! {
        section.timebar aria-label="Time line" data-timeline="" data-from=(seconds(from)) data-to=(seconds(to)) data-chosen[ctx.is_part()] {
            @if ctx.params.is_range_refused() {
                p.error role="alert" { "That range of time is none, or not all of it could be read: it begins before it ends, in seconds." }
            }
            (drawn(&first, shown))
            @if !others.is_empty() {
                details.others { summary { "The other lanes" } (drawn(&others, shown)) }
            }
            div.range-line {
                (range_form(ctx))
                @if ctx.is_part() {
                    @if zoomed { a href=(ctx.params.without(&["zoom"]).href(ctx.path)) { "Show all of the time line" } }
                    @else { a href=(ctx.params.with("zoom", "1").href(ctx.path)) { "Zoom the time line in" } }
                }
            }
        }
    }
}

fn is_zoomed(ctx: &Ctx<'_>) -> bool {
    ctx.params.get("zoom").is_some() && ctx.is_part()
}

/// The range that the time line shows.
fn shown(ctx: &Ctx<'_>) -> Span {
    if is_zoomed(ctx) { selected(ctx) } else { Span::whole(&ctx.here().recording) }
}

/// The values of the lanes, for who points at them: a list a layer, a value a piece; of stretches each, up to a number.
pub(crate) fn json(ctx: &Ctx<'_>) -> Value {
    /// Stretches of a lane that are given.
    const MOST: usize = 5_000;
    let lanes = ctx.here().lanes(shown(ctx), PIECES);
    let rounded =
        |value: &Option<f64>| value.map(|value| format!("{value:.4e}").parse::<f64>().unwrap_or(value));
    let one = |lane: &Lane| {
        let (layers, stretches) = match &lane.shape {
            Shape::Area { layers, .. } => {
                let of = |layer: &Layer| json!({"name": layer.name, "values": layer.values.iter().map(rounded).collect::<Vec<_>>()});
                (layers.iter().map(of).collect(), Vec::new())
            }
            Shape::Marks(counts) => (vec![json!({"name": "", "values": counts})], Vec::new()),
            Shape::Spans(spans) => {
                let of = |of: &Stretch| json!([of.from_ns, of.dur_ns]);
                // Of more than that the longest: they are the ones that are seen.
                let mut longest: Vec<&Stretch> = spans.iter().collect();
                longest.sort_by_key(|of| std::cmp::Reverse(of.dur_ns));
                (Vec::new(), longest.into_iter().take(MOST).map(of).collect())
            }
        };
        json!({"id": lane.id, "unit": lane.unit, "layers": layers, "stretches": stretches})
    };
    json!({"lanes": lanes.iter().map(one).collect::<Vec<_>>()})
}

/// The time line alone, of the whole recording.
pub(crate) fn lanes(ctx: &Ctx<'_>) -> Markup {
    let whole = Span::whole(&ctx.here().recording);
    let lanes = ctx.here().lanes(whole, PIECES);
    html! { section.timebar aria-label="Time line" { (drawn(&lanes, whole)) } }
}

fn drawn(lanes: &[Lane], span: Span) -> Markup {
    #[expect(clippy::cast_possible_truncation, reason = "a few hundred")]
    let options = charts::LaneOptions { width: PIECES as u32, height: HEIGHT };
    html! { @if !lanes.is_empty() { (PreEscaped(charts::lanes(lanes, span, &options))) } }
}

fn selected(ctx: &Ctx<'_>) -> Span {
    let (from_ns, to_ns) = ctx.span();
    Span { from_ns, to_ns }
}

/// How much of the recording is selected, from 0 to 1.
pub(crate) fn selected_share(ctx: &Ctx<'_>) -> f64 {
    let (from, to) = ctx.span();
    let end = ctx.here().recording.exhibit.duration_ns.max(1);
    real(to.min(end).saturating_sub(from.max(0)).max(0)) / real(end)
}
