//! The state behind the pages of a trace: the recording, and the one that it is compared with.

use super::explained::Explained;
use crate::kind::Ctx;
use diff::Side;
use model::Trace;
use regex::Regex;
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
    /// Whether a frame of either recording has a name that matches.
    pub(super) fn have_frame(&self, pattern: &Regex) -> bool {
        [Some(&self.here), self.against.as_ref()].into_iter().flatten().any(|of| of.has_frame(pattern))
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
    Side {
        recording: &of.recording,
        index: &of.index,
        handlers: &of.handlers,
        report: &of.explanation.report,
        range,
    }
}
