//! Where the links of a trace's views lead.

use super::own::{FLAME_DATA, STACK, STACKS, Takes};
use super::pages::TraceCtx;
use base::number::real;
use report::{Finding, Place};
use stacks::Metric;
use views::{Links, Params, Target, seconds};

/// The address of a target. In a file, only sections have addresses.
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
            let metric = ctx.metrics().next().map(Metric::name).unwrap_or_default();
            let callers = kept.with("metric", &metric).with("show", "callers");
            Some(callers.with("method", frame).href(STACKS))
        }
        Target::Stack(id) => Some(kept.with("id", id).href(STACK)),
        Target::Thread(id) => Some(kept.with("thread", id).with("metric", all_samples(ctx)).href(STACKS)),
        Target::FlameData(params) => Some(params.href(FLAME_DATA)),
        Target::FoundAt(finding, place) => found_at(ctx, finding, place),
        // `Ctx` answers these for every kind.
        Target::Finding(_) | Target::Query(_) | Target::Rows(_) | Target::Part(_) => None,
    }
}

/// The name of the metric of all samples; empty, which means the default metric, if there are no samples.
pub(super) fn all_samples(ctx: &TraceCtx<'_>) -> &'static str {
    if ctx.here().sums_up_by(&Metric::Wall) { "wall" } else { "" }
}

/// The callers and callees of a finding's place, by the metric that the rule uses.
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
    // Without the tab, the query of the finding's rows still works.
    let tab = ctx.site.tab(finding.view.tab).filter(|tab| tab.own.takes != Takes::Query);
    let Some(tab) = tab else { return ctx.to(Target::Query(&finding.evidence.first()?.sql)) };
    let mut params = narrowed(ctx, finding);
    for (name, value) in finding.view.params {
        params = params.with(name, value);
    }
    let metric = params.get("metric").and_then(Metric::of_name);
    if metric.is_some_and(|metric| !ctx.here().sums_up_by(&metric)) {
        // The recording lacks the stacks of this metric; all samples still show where it happens.
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

/// The page's parameters, with the range of the finding's evidence if that is a small part of the recording.
fn narrowed(ctx: &TraceCtx<'_>, finding: &Finding) -> Params {
    /// Evidence over a larger share of the recording does not narrow the range.
    const MAX_SHARE: f64 = 0.5;
    let first = finding.evidence.iter().filter_map(|of| of.first_ts_ns).min();
    let last = finding.evidence.iter().filter_map(|of| of.last_ts_ns).max();
    let whole = ctx.here().recording.exhibit.duration_ns;
    let kept = ctx.params.kept();
    match (first, last) {
        (Some(first), Some(last))
            if last > first && real(last.saturating_sub(first)) < MAX_SHARE * real(whole) =>
        {
            kept.with("from", &seconds(first)).with("to", &seconds(last.saturating_add(1)))
        }
        _ => kept,
    }
}
