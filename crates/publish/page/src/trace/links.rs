//! Where the links of a trace's views lead.

use super::own::{FINDING, FLAME_DATA, STACK, STACKS};
use super::pages::TraceCtx;
use super::selection::rests_on;
use report::{Finding, Place};
use stacks::Metric;
use views::{Params, Target};

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

/// The callers and callees of a finding's place, among what the finding counts.
fn found_at(ctx: &TraceCtx<'_>, finding: &Finding, place: &Place) -> Option<String> {
    if place.frame == "?" {
        return None;
    }
    // Without the finding's filter, the share would be another one than on the card.
    let callers = counted(ctx, finding)?.with("show", "callers");
    Some(callers.with("method", &place.frame).href(STACKS))
}

/// The view that shows a finding, with every filter that belongs to it: its total is the figure on the card.
fn shown_in(ctx: &TraceCtx<'_>, finding: &Finding) -> Option<String> {
    if ctx.file {
        // Without stacks, the rows are on the card itself.
        return counted(ctx, finding).map(|_| format!("#{}", graph_of(finding)));
    }
    Some(match counted(ctx, finding) {
        Some(counted) => counted.href(STACKS),
        // Without stacks, the rows themselves are the proof.
        None => ctx.params.kept().with("id", finding.id).href(FINDING),
    })
}

/// The id of the flame graph of a finding in a page of one file.
pub(super) fn graph_of(finding: &Finding) -> String {
    format!("stacks-{}", finding.id)
}

/// The parameters of the stacks of exactly the rows that a finding rests on. `None` if its rule is proved by other views, or if
/// the recording lacks these stacks.
pub(super) fn counted(ctx: &TraceCtx<'_>, finding: &Finding) -> Option<Params> {
    let metric = metric_of(finding)?;
    let is_there = ctx.here().sums_up_by(&metric) && rests_on(finding, &metric);
    let params = ctx.params.kept().with("metric", &metric.name()).with("finding", finding.id);
    is_there.then_some(params)
}

/// The metric that sums up exactly the rows of a finding. `None` if its rule is proved by other views.
pub(super) fn metric_of(finding: &Finding) -> Option<Metric> {
    let of_rule = Metric::of_name(finding.view.metric?)?;
    if !of_rule.is_of_samples() {
        return Some(of_rule);
    }
    // A finding may count threads in several states.
    let mut states = finding.samples().map(|group| group.state);
    let first = states.next()?;
    Metric::of_name(if states.all(|state| state == first) { first } else { "wall" })
}
