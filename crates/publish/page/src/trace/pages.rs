//! The state behind the pages of a trace: the recording, and the one that it is compared with.

use super::explained::Explained;
use crate::kind::Ctx;
use diff::Side;
use model::Trace;
use report::{Basis, Diff};
use runtime::MyCode;
use stacks::Metric;
use std::sync::Arc;

/// A trace as pages.
#[derive(Debug)]
pub(crate) struct TracePages {
    /// The trace.
    pub(super) here: Explained,
    /// The earlier trace that it is compared with.
    pub(super) against: Option<Explained>,
    /// The comparison of both, over their whole time.
    pub(super) diff: Option<Diff>,
}

/// A page of a trace.
pub(crate) type TraceCtx<'a> = Ctx<'a, TracePages>;

impl TracePages {
    /// Explains a trace, and compares it with an earlier one if there is one.
    pub(crate) fn new(trace: Arc<Trace>, earlier: Option<Arc<Trace>>, mine: &MyCode) -> Self {
        let here = Explained::new(trace, mine);
        let against = earlier.map(|earlier| Explained::new(earlier, mine));
        let diff = against.as_ref().map(|against| compare(against, &here, Basis::Duration, None));
        Self { here, against, diff }
    }
}

impl TracePages {
    /// What a method is called if it handles the requests to one route. In a comparison, the same route in both recordings that have
    /// it: the compiler numbers lambdas anew in each build.
    pub(super) fn handler(&self, method: &str) -> Option<&str> {
        let of = [Some(&self.here), self.against.as_ref()].into_iter().flatten();
        let mut handlers = of.filter(|of| of.has_method(method)).map(|of| of.handler(method));
        let first = handlers.next()??;
        handlers.all(|of| of == Some(first)).then_some(first)
    }
}

impl<'a> TraceCtx<'a> {
    /// The trace that the page shows.
    pub(super) fn here(&self) -> &'a Explained {
        &self.kind().here
    }

    /// The metrics for which the rows of the page's tab have stacks.
    pub(super) fn metrics(&self) -> impl Iterator<Item = &'static Metric> {
        let metrics = self.tab.map_or(&[][..], |tab| tab.own.metrics);
        metrics.iter().filter(|metric| self.here().sums_up_by(metric))
    }
}

/// Compares an earlier recording with this one, of which `range` may select a part.
pub(super) fn compare(
    earlier: &Explained,
    here: &Explained,
    basis: Basis,
    range: Option<(i64, i64)>,
) -> Diff {
    diff::compare(&side(earlier, None), &side(here, range), basis)
}

fn side(of: &Explained, range: Option<(i64, i64)>) -> Side<'_> {
    Side { recording: &of.recording, index: &of.index, report: &of.explanation.report, range }
}
