//! Where the links of a trace's views lead.

use super::TraceCtx;
use super::stackview::FLAME_DATA;
use super::tabs::{STACK, STACKS, Takes};
use base::number::real;
use report::{Finding, Place};
use stacks::Metric;
use views::{Links, Params, Target, seconds};

/// The address of a target. In a file only sections have one.
pub(super) fn to(ctx: &TraceCtx<'_>, target: Target<'_>) -> Option<String> {
    if let Target::Finding(finding) = target {
        return shown_in(ctx, finding);
    }
    if ctx.file {
        return None;
    }
    let kept = ctx.params.kept();
    match target {
        Target::Method(frame) => {
            let metric = ctx.metrics().iter().find(|metric| ctx.here().sums_up_by(metric));
            let metric = metric.map(Metric::name).unwrap_or_default();
            let callers = kept.with("metric", &metric).with("show", "callers");
            Some(callers.with("method", frame).href(STACKS))
        }
        Target::Stack(id) => Some(kept.with("id", id).href(STACK)),
        Target::Thread(id) => Some(kept.with("thread", id).with("metric", all_samples(ctx)).href(STACKS)),
        Target::FlameData(params) => Some(params.href(FLAME_DATA)),
        Target::FoundAt(finding, place) => found_at(ctx, finding, place),
        // The frame of the pages knows these.
        Target::Finding(_) | Target::Query(_) | Target::Rows(_) | Target::Part(_) => None,
    }
}

/// The metric of all samples, if there are samples.
fn all_samples(ctx: &TraceCtx<'_>) -> &'static str {
    if ctx.here().sums_up_by(&Metric::Wall) { "wall" } else { "" }
}

/// The callers and callees of a finding's place, summed up by what the rule works from.
fn found_at(ctx: &TraceCtx<'_>, finding: &Finding, place: &Place) -> Option<String> {
    if place.frame == "?" {
        return None;
    }
    let params = finding.view.params;
    let metric = params.iter().find(|(name, _)| *name == "metric").map_or("wall", |(_, metric)| *metric);
    let is_there = Metric::of_name(metric).is_some_and(|metric| ctx.here().sums_up_by(&metric));
    let metric = if is_there { metric } else { "" };
    let callers = ctx.params.kept().with("metric", metric).with("show", "callers");
    Some(callers.with("method", &place.frame).href(STACKS))
}

/// The view that shows a finding, with the filter that belongs to it.
fn shown_in(ctx: &TraceCtx<'_>, finding: &Finding) -> Option<String> {
    // The view may be missing for this recording; the rows never are.
    let tab = ctx.site.tab(finding.view.tab).filter(|tab| tab.own.takes != Takes::Query);
    let Some(tab) = tab else { return ctx.to(Target::Query(&finding.evidence.first()?.sql)) };
    let mut params = narrowed(ctx, finding);
    for (name, value) in finding.view.params {
        params = params.with(name, value);
    }
    let metric = params.get("metric").and_then(Metric::of_name);
    if metric.is_some_and(|metric| !ctx.here().sums_up_by(&metric)) {
        // This recording lacks the stacks that the rule works from: all samples still show where it happens.
        params = params.without(&["on"]).with("metric", all_samples(ctx));
    }
    if tab.own.takes == Takes::Frame && params.get("include").is_none() {
        let first = finding.places.first().filter(|place| place.frame != "?" && place.share < 0.999);
        if let Some(place) = first {
            params = params.with("include", &format!("^{}$", regex::escape(&place.frame)));
        }
    }
    Some(ctx.address(tab.path, &params))
}

/// The page's range, or that of the evidence if it is only a part of the recording.
fn narrowed(ctx: &TraceCtx<'_>, finding: &Finding) -> Params {
    const MOST: f64 = 0.5;
    let first = finding.evidence.iter().filter_map(|of| of.first_ts_ns).min();
    let last = finding.evidence.iter().filter_map(|of| of.last_ts_ns).max();
    let whole = ctx.here().recording.exhibit.duration_ns;
    let kept = ctx.params.kept();
    match (first, last) {
        (Some(first), Some(last))
            if last > first && real(last.saturating_sub(first)) < MOST * real(whole) =>
        {
            kept.with("from", &seconds(first)).with("to", &seconds(last.saturating_add(1)))
        }
        _ => kept,
    }
}
