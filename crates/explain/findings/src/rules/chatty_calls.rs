//! Many sequential outgoing calls within one request.

use crate::facts::{Facts, count, known, percent, real, real_u64, said, wide};
use crate::need::Need;
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use model::Sym;
use report::{EvidenceRows, Measured, Place, Severity, View};
use runtime::{Basis, Marks, is_http};
use std::collections::BTreeMap;

const EACH: Threshold = Threshold {
    name: "outgoing calls per request that makes any",
    value: 8.0,
    unit: "",
    source: "each adds a round trip to the request: eight of 5 ms delay it by 40 ms",
};
const SEQUENTIAL: Threshold = Threshold {
    name: "share of the calls that begin after the previous one has ended",
    value: 0.7,
    unit: "share",
    source: "concurrent calls cost the longest of them, not their sum; needs spans",
};

pub(super) const RULE: Rule = Rule {
    id: "chatty-calls",
    about: "many sequential outgoing calls within one request",
    needs: &[Need::Http],
    thresholds: &[EACH, SEQUENTIAL],
    silent: "if calls run concurrently (`Task.WhenAll`), or if there are few",
    why: "Calls that are awaited one after another add up: the request takes the sum of their round trips. The more calls, the \
          more likely one of them is slow: with 20 calls, one request in five meets the p99 of a call.",
    tries: &[
        "Ask once: a batch endpoint, or a query that returns what the loop collects",
        "Start independent calls together and await them all: `Task.WhenAll`, with a limit (`Parallel.ForEachAsync`)",
        "Cache what is the same for many requests",
    ],
    verify: "Record the same load again with spans: calls per trace, and the requests' p50.",
    places_of: "the samples of running threads in outgoing HTTP calls",
    view: View { shows: "the requests and their calls", lane: "latency", tab: "/requests", metric: None },
    before: &["slow-dependency"],
    absorbs: &[],
    check,
};

/// A call's start and end, in nanoseconds.
type Call = (i64, i64);

fn check(facts: &Facts<'_>) -> Option<Found> {
    let calls = facts.http?;
    match calls.basis {
        Basis::Rows => by_spans(facts),
        Basis::Meter => by_meters(facts, calls),
    }
}

fn by_spans(facts: &Facts<'_>) -> Option<Found> {
    // By the caller's span: calls that a called service makes itself are not the caller's.
    let mut traces: BTreeMap<(Sym, Sym), Vec<Call>> = BTreeMap::new();
    let mut times = Vec::new();
    for row in facts.spans(is_http) {
        if row.trace_id == Sym::NONE {
            continue;
        }
        let calls = traces.entry((row.trace_id, row.parent_id)).or_default();
        // A call of unknown length takes no time.
        calls.push((row.start_ns, row.start_ns.saturating_add(known(row.dur_ns).unwrap_or(0))));
        times.push(row.start_ns);
    }
    let number = count(traces.values().map(Vec::len).sum());
    let each = number / count(traces.len()).max(1.0);
    let mut in_turn = 0u64;
    for calls in traces.values_mut() {
        calls.sort_unstable();
        let pairs = calls.iter().zip(calls.iter().skip(1));
        in_turn += wide(pairs.filter(|(before, after)| after.0 >= before.1).count());
    }
    let between = number - count(traces.len());
    let sequential = real_u64(in_turn) / between.max(1.0);
    if each < EACH.value || sequential < SEQUENTIAL.value {
        return None;
    }
    let taken: f64 = traces.values().flatten().map(|(from, to)| real(to.saturating_sub(*from)) / 1e6).sum();
    let of_one = taken / count(traces.len()).max(1.0);
    let title = format!(
        "Requests make {} outgoing calls each, one after another: {} ms per request",
        said(each),
        said(of_one)
    );
    let sql = "select trace_id, parent_id, count(*) as calls, sum(dur_ns) / 1e6 as calls_ms, (max(start_ns + dur_ns) - min(start_ns)) / 1e6 as span_ms, \
               min(start_ns) as first_ns from spans where kind = 'Client' and (tags like '%\"http.request.method\":%' or tags like '%\"http.method\":%') group by 1, 2 having count(*) > 1 order by 3 desc limit 20";
    let of_one =
        Measured { name: "time of the calls in one request", value: of_one, unit: "ms", threshold: None };
    Some(found(
        facts.callers(Marks::HTTP),
        title,
        vec![EACH.measured(each), SEQUENTIAL.measured(sequential), of_one],
        EvidenceRows::of("spans", sql, times.into_iter()),
        (Harm::Share(sequential), Sure::Seen),
    ))
}

/// From totals: calls per request, without the requests that answer the service's own calls.
fn by_meters(facts: &Facts<'_>, calls: runtime::Work) -> Option<Found> {
    let routes = facts.routes();
    let called_itself = facts.called_itself(calls);
    let is_outer = |name: &str| called_itself.is_none_or(|(called, _)| called != name);
    let of_outer = routes.iter().filter(|(name, _)| is_outer(name));
    let (outer, seconds) =
        of_outer.fold((0.0, 0.0), |sum, (_, work)| (sum.0 + work.count, sum.1 + work.seconds));
    let each = calls.count / outer.max(1.0);
    let of_time = calls.seconds / seconds.max(1e-9);
    // If the calls take longer than the requests, they run concurrently.
    if each < EACH.value || outer < 1.0 || !(0.5..=1.1).contains(&of_time) {
        return None;
    }
    // If the service calls itself, the requests that answer the calls do not make them.
    let title = match called_itself {
        Some((route, _)) => format!(
            "Requests make {} outgoing calls each, which take {} of their time; the service calls itself ({route}, not counted here)",
            said(each),
            percent(of_time.min(1.0))
        ),
        None => format!(
            "Requests make {} outgoing calls each, which take {} of their time",
            said(each),
            percent(of_time.min(1.0))
        ),
    };
    let sql = "select name, kind, tags, sum(value) as total, min(ts_ns) as first_ts_ns, max(ts_ns) as last_ts_ns from counters \
               where name in ('http.client.request.duration', 'http.server.request.duration') and kind in ('count', 'sum') group by 1, 2, 3 order by 1, 2";
    let times = runtime::metered(facts.recording, "http.client.request.duration", "count")
        .into_iter()
        .map(|of| of.ts_ns);
    let share = Measured {
        name: "share of the requests' time in the calls",
        value: of_time.min(1.0),
        unit: "share",
        threshold: None,
    };
    Some(found(
        facts.callers(Marks::HTTP),
        title,
        vec![EACH.measured(each), share],
        EvidenceRows::of("counters", sql, times),
        (Harm::Share(of_time), Sure::Inferred),
    ))
}

fn found(
    places: Vec<Place>,
    title: String,
    measured: Vec<Measured>,
    evidence: EvidenceRows,
    (harm, sure): (Harm, Sure),
) -> Found {
    let evidence = vec![evidence];
    Found { title, severity: Severity::Warning, harms: vec![harm], sure, measured, places, evidence }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// Requests that each make so many calls of 10 ms, one begun every so many milliseconds.
    fn scene(calls: i64, every_ms: i64) -> Scene {
        let mut scene = Scene::new();
        for request in 0..4 {
            for at in 0..calls {
                let trace = format!("trace{request}");
                scene.call(request * 1000 + at * every_ms, 10, &trace, r#"{"http.request.method":"GET"}"#);
            }
        }
        scene
    }

    #[test]
    fn many_calls_in_turn_are_said() {
        assert_eq!(scene(10, 12).says(&RULE), says(Severity::Warning, ""));
    }

    #[test]
    fn calls_beside_each_other_and_a_few_calls_do_not_add_up() {
        let check = |calls, every_ms, speaks| {
            assert_eq!(scene(calls, every_ms).says(&RULE).is_some(), speaks, "{calls} every {every_ms} ms");
        };
        check(10, 0, false);
        check(10, 9, false);
        check(10, 10, true);
        check(7, 12, false);
    }

    #[test]
    fn by_meters_calls_that_add_up_to_more_than_the_requests_run_beside_each_other() {
        let check = |calls, request_ms, speaks| {
            let mut scene = Scene::new();
            scene.meter("http.server.request.duration", 100.0, request_ms, r#"{"http.route":"/cart"}"#);
            scene.meter("http.client.request.duration", calls, 10.0, "");
            assert_eq!(scene.says(&RULE).is_some(), speaks, "{calls} in {request_ms} ms");
        };
        check(1000.0, 110.0, true);
        check(1000.0, 30.0, false);
        check(1000.0, 300.0, false);
        check(700.0, 80.0, false);
    }

    #[test]
    fn by_meters_a_service_that_calls_itself_is_counted_by_its_callers() {
        let mut scene = Scene::new();
        scene.meter("http.server.request.duration", 100.0, 110.0, r#"{"http.route":"/cart"}"#);
        scene.meter("http.server.request.duration", 1000.0, 5.0, r#"{"http.route":"/stock"}"#);
        scene.meter("http.client.request.duration", 1000.0, 10.0, "");
        assert!(scene.says(&RULE).is_some());
    }
}
