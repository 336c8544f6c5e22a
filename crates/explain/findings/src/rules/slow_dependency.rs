//! Requests that spend their time in slow outgoing calls.

use crate::facts::{Facts, percent, said};
use crate::need::Need;
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use report::{EvidenceRows, Measured, Severity, View};
use runtime::{Basis, Marks, Work};

const SHARE: Threshold = Threshold {
    name: "share of the requests' time in these calls",
    value: 0.5,
    unit: "share",
    source: "our judgement: if it is less, most of the time goes elsewhere",
};
const SLOW: Threshold = Threshold {
    name: "median of a call",
    value: 50.0,
    unit: "ms",
    source: "measured: 2 to 15 ms for healthy databases and services on one machine under load; Rider reports database commands of 1,000 ms and more",
};
const UNDER_WAY: Threshold = Threshold {
    name: "calls in flight, on average",
    value: 1.0,
    unit: "",
    source: "our judgement: with fewer, few requests wait",
};

/// A request that waits for a call takes at least as long. Less is required of a route's mean, as some of its requests may
/// make no call.
const LIKE_A_CALL: f64 = 0.5;

pub(super) const RULE: Rule = Rule {
    id: "slow-dependency",
    about: "requests spend their time in slow database, HTTP or socket calls",
    needs: &[Need::Database, Need::Http],
    thresholds: &[SHARE, SLOW, UNDER_WAY],
    silent: "if the calls are fast but many (`db-n-plus-one`, `chatty-calls`), if requests wait for connections \
             (`db-pool-exhausted`), and if no route takes as long as a call: then background work makes the calls",
    why: "A request takes as long as the call that it waits for, whether it blocks a thread or not. Under steady load, as many \
          requests are in flight as arrive in that time (Little's law), so memory, connections and time-outs grow with the other side's latency.",
    tries: &[
        "Look at the database: the query's plan (`explain (analyze, buffers)`), missing indexes, locks that it waits for",
        "Look at the called service: record it too, under the same load",
        "Ask for less, or earlier: only the fields and pages that are used; independent calls at once (`Task.WhenAll`); a cache with a lifetime",
        "Limit it: a time-out shorter than the client's own, and few retries",
    ],
    verify: "Record the same load again: `db.client.operation.duration` or `http.client.request.duration`, and the requests' p50.",
    places_of: "the samples of running threads in such calls",
    view: View { shows: "what waits for the dependency", lane: "latency", tab: "/requests", metric: None },
    before: &["async-lock"],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let requests = facts.requests?;
    let (kind, calls) = slowest(facts)?;
    // If the service calls itself, the requests that answer the calls are not among the callers'.
    let callers = if kind == "HTTP" { outer_seconds(facts, requests, calls) } else { requests.seconds };
    let share = (calls.seconds / callers.max(1e-9)).min(1.0);
    if share < SHARE.value || !is_waited_for(facts, calls) {
        return None;
    }
    let median = calls.p50_ms.unwrap_or(calls.mean_seconds() * 1e3);
    let under_way = calls.under_way();
    let itself = if kind == "HTTP" { facts.called_itself(calls) } else { None };
    let of_time = percent(share);
    let waits = match itself {
        Some((route, _)) => format!(
            "The service calls its own endpoint {route}, and requests that do so spend {of_time} of their time waiting for it"
        ),
        None => format!("Requests spend {of_time} of their time in slow {kind} calls"),
    };
    let title =
        format!("{waits}: median {} ms per call, {} in flight on average", said(median), said(under_way));
    let mut measured = vec![SHARE.measured(share), SLOW.measured(median), UNDER_WAY.measured(under_way)];
    if itself.is_some() {
        let value = (calls.seconds / requests.seconds.max(1e-9)).min(1.0);
        let name = "share of the time of all requests, including those that answer the calls";
        measured.push(Measured { name, value, unit: "share", threshold: None });
    }
    let evidence = vec![evidence(facts, kind, calls)];
    Some(Found {
        title,
        severity: if share >= 0.8 && median >= 500.0 { Severity::Critical } else { Severity::Warning },
        harms: vec![Harm::Share(share)],
        // Spans show each call, totals of meters only how long they took together.
        sure: if calls.basis == Basis::Rows { Sure::Seen } else { Sure::Inferred },
        measured,
        places: facts.callers(if kind == "HTTP" { Marks::HTTP } else { Marks::DATABASE }),
        evidence,
    })
}

/// The slow calls with the most time, and their kind: `database` or `HTTP`.
pub(crate) fn slowest(facts: &Facts<'_>) -> Option<(&'static str, Work)> {
    let calls = [("database", facts.database), ("HTTP", facts.http)];
    let slow = calls.into_iter().filter_map(|(kind, calls)| Some((kind, calls?))).filter(|(_, calls)| {
        let median = calls.p50_ms.unwrap_or(calls.mean_seconds() * 1e3);
        median >= SLOW.value && calls.under_way() >= UNDER_WAY.value
    });
    slow.max_by(|a, b| a.1.seconds.total_cmp(&b.1.seconds))
}

/// Whether some route takes as long as a call. If none does, background work makes the calls.
fn is_waited_for(facts: &Facts<'_>, calls: Work) -> bool {
    let routes = facts.routes();
    routes.iter().any(|(_, work)| work.mean_seconds() >= LIKE_A_CALL * calls.mean_seconds())
}

/// The total time of requests, in seconds, without those that answer the service's own calls.
fn outer_seconds(facts: &Facts<'_>, requests: Work, calls: Work) -> f64 {
    let called = facts.called_itself(calls);
    called.map_or(requests.seconds, |(_, work)| requests.seconds - work.seconds).max(calls.seconds)
}

fn evidence(facts: &Facts<'_>, kind: &str, calls: Work) -> EvidenceRows {
    let is_http = kind == "HTTP";
    let meters: &[&str] = if is_http { &["http.client.request.duration"] } else { &runtime::DATABASE_METERS };
    if calls.basis == Basis::Rows {
        let filter = if is_http {
            // The service's own requests have these tags too, with another kind.
            "kind = 'Client' and (tags like '%\"http.request.method\":%' or tags like '%\"http.method\":%')"
        } else {
            "tags like '%\"db.query.text\":%' or tags like '%\"db.statement\":%'"
        };
        let sql = format!(
            "select source, name, tags, count(*) as calls, avg(dur_ns) / 1e6 as mean_ms, max(dur_ns) / 1e6 as slowest_ms, min(start_ns) as first_ns \
             from spans where {filter} group by 1, 2, 3 order by 4 desc limit 20"
        );
        let spans = facts.spans(if is_http { runtime::is_http } else { runtime::is_database });
        let times: Vec<i64> = spans.map(|row| row.start_ns).collect();
        return EvidenceRows::of("spans", sql, times.into_iter());
    }
    let names = meters.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "select ts_ns, kind, value, tags from counters where name in ({names}) and kind in ('count', 'sum', 'p50', 'p99') order by ts_ns"
    );
    let times = meters.iter().flat_map(|name| runtime::metered(facts.recording, name, "count"));
    EvidenceRows::of("counters", sql, times.map(|of| of.ts_ns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const SERVER: &str = "http.server.request.duration";
    const CLIENT: &str = "http.client.request.duration";

    /// Requests and calls in ten seconds: how many, and how long each takes.
    fn scene(requests: (f64, f64), calls: (f64, f64)) -> Scene {
        let mut scene = Scene::new();
        scene.meter(SERVER, requests.0, requests.1, r#"{"http.route":"/cart"}"#);
        scene.meter(CLIENT, calls.0, calls.1, "");
        scene
    }

    #[test]
    fn requests_that_wait_for_a_slow_call_are_said() {
        assert_eq!(scene((100.0, 250.0), (100.0, 200.0)).says(&RULE), says(Severity::Warning, "? /cart"));
        assert_eq!(scene((100.0, 650.0), (100.0, 600.0)).says(&RULE), says(Severity::Critical, "? /cart"));
    }

    #[test]
    fn fast_calls_few_calls_and_a_small_part_of_the_time_are_no_slow_dependency() {
        let check = |requests, calls, speaks| {
            assert_eq!(scene(requests, calls).says(&RULE).is_some(), speaks, "{requests:?} {calls:?}");
        };
        check((1000.0, 45.0), (1000.0, 40.0), false);
        check((1000.0, 60.0), (1000.0, 55.0), true);
        check((10.0, 250.0), (10.0, 200.0), false);
        check((100.0, 500.0), (100.0, 200.0), false);
    }

    #[test]
    fn a_poll_in_the_background_holds_up_no_request() {
        let check = |ms, speaks| {
            let found = scene((1000.0, ms), (8.0, 5000.0)).says(&RULE);
            assert_eq!(found.is_some(), speaks, "requests of {ms} ms");
        };
        check(5.0, false);
        let mut waits = scene((1000.0, 5.0), (8.0, 5000.0));
        waits.meter(SERVER, 8.0, 5100.0, r#"{"http.route":"/report"}"#);
        assert!(waits.says(&RULE).is_some());
    }

    #[test]
    fn a_service_that_calls_itself_is_measured_by_its_callers() {
        let check = |outer_ms, speaks| {
            let mut scene = scene((100.0, outer_ms), (100.0, 200.0));
            scene.meter(SERVER, 100.0, 190.0, r#"{"http.route":"/stock"}"#);
            assert_eq!(scene.says(&RULE).is_some(), speaks, "callers of {outer_ms} ms");
        };
        check(390.0, true);
        check(410.0, false);
    }

    #[test]
    fn the_share_of_the_callers_time_is_not_called_a_share_of_all_requests() {
        let mut scene = scene((100.0, 210.0), (100.0, 200.0));
        scene.meter(SERVER, 100.0, 190.0, r#"{"http.route":"/stock"}"#);
        let recording = scene.done();
        let index = runtime::StackIndex::new(&recording);
        let found = check(&Facts::new(&recording, &index)).unwrap();
        let begin = "The service calls its own endpoint /stock, and requests that do so spend 95.2 % of their time waiting for it: ";
        assert!(found.title.starts_with(begin), "{}", found.title);
        let of_all = found.measured.last().unwrap();
        assert!((of_all.value - 0.5).abs() < 1e-9, "{of_all:?}");
    }

    #[test]
    fn by_spans_the_evidence_finds_the_older_names_of_tags_too() {
        let mut scene = Scene::new();
        for at in 0..20 {
            scene.request(at * 100, 600, "/cart");
            scene.call(at * 100, 500, "trace", r#"{"http.method":"GET"}"#);
        }
        assert!(scene.says(&RULE).is_some());
    }
}
