//! Slow requests at the beginning, while methods are compiled: what an all-clear says about them.

use crate::facts::{Facts, count};
use base::number::real;
use model::{NO_INT, REQUESTS_METER};

/// The first seconds.
const FIRST_NS: i64 = 3_000_000_000;
/// A p99 of this many medians is a tail that needs an explanation.
const TAIL: f64 = 5.0;
/// From the meter: the p99 of the first seconds must be this many times the later one.
const SLOWER: f64 = 2.0;
/// From the requests: this share of those above the p99 must begin in the first seconds.
const MOST: f64 = 0.8;
/// Threads must wait for the compiler for this share of the first seconds,
const COMPILING: f64 = 0.1;
/// and for this many times the later share.
const MORE_THAN_LATER: f64 = 3.0;

/// Says that the slowest requests belong to the start, if the recording shows it.
pub(crate) fn text(facts: &Facts<'_>) -> Option<String> {
    let rest = facts.recording.exhibit.duration_ns.saturating_sub(FIRST_NS);
    let (first, later) = runtime::waited_for_compiling(facts.recording, FIRST_NS);
    let a_second = |ms: f64, ns: i64| ms / (real(ns.max(1)) / 1e6);
    let of_first = a_second(first, FIRST_NS);
    let is_start = of_first >= COMPILING && of_first >= MORE_THAN_LATER * a_second(later, rest);
    let is_slow = rest >= FIRST_NS && is_start && (by_requests(facts).or_else(|| by_meter(facts)))?;
    let text = "the slowest requests were in the first seconds, while methods were compiled";
    is_slow.then(|| text.to_owned())
}

/// From the requests themselves: whether most of those above the p99 begin early. `None` if none were recorded.
fn by_requests(facts: &Facts<'_>) -> Option<bool> {
    let rows = &facts.recording.requests;
    let times = rows.start_ns.iter().zip(&rows.dur_ns).filter(|(_, dur_ns)| **dur_ns != NO_INT);
    let work = facts.requests?;
    let (p50, p99) = work.p50_ms.zip(work.p99_ms)?;
    let slow: Vec<i64> = times.filter(|of| real(*of.1) / 1e6 >= p99).map(|(start, _)| *start).collect();
    let early = slow.iter().filter(|start| **start < FIRST_NS).count();
    (!slow.is_empty()).then(|| {
        let all = count(slow.len());
        p99 >= TAIL * p50 && count(early) >= MOST * all
    })
}

/// From the meter: whether no later reading of any route is as slow.
fn by_meter(facts: &Facts<'_>) -> Option<bool> {
    let (p50, p99) = facts.requests.and_then(|work| work.p50.zip(work.p99))?;
    let rounds = runtime::metered_seconds(facts.recording, REQUESTS_METER, "p99");
    let most = |is_early: bool| {
        let of = rounds.iter().filter(|of| (of.ts_ns < FIRST_NS) == is_early).map(|of| of.value * 1e3);
        of.fold(0.0, f64::max)
    };
    let (early, later) = (most(true), most(false));
    Some(p99.high >= TAIL * p50.high && later > 0.0 && early >= SLOWER * later)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    fn said(compiling_ms: i64, early_ms: f64) -> Option<String> {
        let mut scene = Scene::new();
        for second in 1..10 {
            let slow = if second <= 2 { early_ms } else { 60.0 };
            for (kind, value) in [("count", 200.0), ("p50", 0.010), ("p99", slow / 1e3), ("sum", 3.0)] {
                let tags = r#"{"http.route":"/cart"}"#;
                scene.counter(second * 1000, REQUESTS_METER, kind, value, tags);
            }
        }
        let mut recording = scene.done();
        let [method, tier] = recording.texts(["Shop!Shop.Cart.Pay", "QuickJitted"]);
        let (ts_ns, dur_ns, none) = (1_000_000_000, compiling_ms * 1_000_000, model::JitRow::blank());
        recording.jit.push(model::JitRow { ts_ns, dur_ns, method, tier, ..none });
        let index = runtime::StackIndex::new(&recording);
        super::text(&Facts::new(&recording, &index))
    }

    #[test]
    fn slow_requests_at_the_start_are_laid_to_compiling_only_where_the_recording_shows_it() {
        assert!(said(900, 400.0).is_some());
        assert!(said(100, 400.0).is_none(), "hardly anything was compiled");
        assert!(said(900, 80.0).is_none(), "the later time is as slow");
        assert!(said(900, 45.0).is_none(), "no tail");
    }
}
