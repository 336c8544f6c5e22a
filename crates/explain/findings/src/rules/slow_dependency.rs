//! Request time that goes to a slow call.

use crate::facts::{Facts, percent, said};
use crate::finding::{Evidence, Severity};
use crate::rule::{Found, Need, Rule, Threshold};
use runtime::{Basis, Marks, Work};

const SHARE: Threshold = Threshold {
    name: "share of the requests' time in such calls",
    value: 0.5,
    unit: "share",
    source: "half of what users wait for",
};
const SLOW: Threshold = Threshold {
    name: "median of a call",
    value: 50.0,
    unit: "ms",
    source: "measured: 2 to 15 ms for healthy databases and services on one machine under load; Rider reports a database command from 1,000 ms on",
};
const UNDER_WAY: Threshold = Threshold {
    name: "calls under way, on average",
    value: 1.0,
    unit: "",
    source: "less is seldom a wait that anyone feels",
};

pub(super) const RULE: Rule = Rule {
    id: "slow-dependency",
    about: "request time goes to a slow database, HTTP or socket call",
    needs: &[Need::Database, Need::Http],
    thresholds: &[SHARE, SLOW, UNDER_WAY],
    silent: "where each call is fast and there are many (`db-n-plus-one`, `chatty-calls`), and where connections are waited for (`db-pool-exhausted`)",
    why: "An awaited call holds no thread, but the request still takes as long as the call. With a steady stream of requests as many are \
          under way as arrive in that time (Little's law): memory, connections and time-outs grow with the other side's latency.",
    tries: &[
        "Look at the other side: the plan of the query (`explain (analyze, buffers)`), its locks, the called service's own recording",
        "Ask for less or ask earlier: fields, pages, an index; independent calls at once (`Task.WhenAll`); a cache with a lifetime",
        "Bound it: a time-out below the client's own, and few retries",
    ],
    verify: "Record the same load again: `db.client.operation.duration` or `http.client.request.duration`, and the requests' p50.",
    causes: &["async-lock"],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let requests = facts.requests?;
    let calls = [("database", facts.database), ("HTTP", facts.http)];
    let slow = calls.into_iter().filter_map(|(kind, calls)| Some((kind, calls?))).filter(|(_, calls)| {
        let median = calls.p50_ms.unwrap_or(calls.mean_seconds() * 1e3);
        median >= SLOW.value && calls.seconds / facts.seconds() >= UNDER_WAY.value
    });
    let (kind, calls) = slow.max_by(|a, b| a.1.seconds.total_cmp(&b.1.seconds))?;
    // A service that calls itself counts its own calls as requests: of the callers' time they are then the half.
    let callers = if kind == "HTTP" { outer_seconds(facts, requests, calls) } else { requests.seconds };
    let share = (calls.seconds / callers.max(1e-9)).min(1.0);
    if share < SHARE.value {
        return None;
    }
    let median = calls.p50_ms.unwrap_or(calls.mean_seconds() * 1e3);
    let under_way = calls.seconds / facts.seconds();
    let title = format!(
        "{} of the time of all requests goes to slow {kind} calls: {} ms at the median, {} under way on average",
        percent(share),
        said(median),
        said(under_way)
    );
    let evidence = vec![evidence(facts, kind, calls)];
    Some(Found {
        title,
        severity: if share >= 0.8 && median >= 500.0 { Severity::Critical } else { Severity::Warning },
        score: 0.9 * share,
        measured: vec![SHARE.measured(share), SLOW.measured(median), UNDER_WAY.measured(under_way)],
        places: facts.callers(if kind == "HTTP" { Marks::HTTP } else { Marks::DATABASE }),
        evidence,
    })
}

/// Seconds of requests that are not answers to the service's own calls.
fn outer_seconds(facts: &Facts<'_>, requests: Work, calls: Work) -> f64 {
    let routes = runtime::routes(facts.recording);
    // A route with as many requests as there are calls, and about their time, is what was called.
    let called = routes.iter().find(|(_, work)| {
        let near = |a: f64, b: f64| (a - b).abs() <= 0.1 * b.max(1.0);
        near(work.count, calls.count)
            && work.seconds <= calls.seconds * 1.02
            && routes.len() > 1
            && work.seconds >= 0.5 * calls.seconds
    });
    called.map_or(requests.seconds, |(_, work)| requests.seconds - work.seconds).max(calls.seconds)
}

fn evidence(facts: &Facts<'_>, kind: &str, calls: Work) -> Evidence {
    let (tag, meters): (_, &[&str]) = if kind == "HTTP" {
        ("http.request.method", &["http.client.request.duration"])
    } else {
        ("db.query.text", &runtime::DATABASE_METERS)
    };
    if calls.basis == Basis::Rows {
        let sql = format!(
            "select source, name, tags, count(*) as calls, avg(dur_ns) / 1e6 as mean_ms, max(dur_ns) / 1e6 as slowest_ms, min(start_ns) as first_ns \
             from spans where kind = 'Client' and tags like '%\"{tag}\":%' group by 1, 2, 3 order by 4 desc limit 20"
        );
        let wanted = if kind == "HTTP" { runtime::is_http } else { runtime::is_database };
        let times = (0..facts.recording.spans.start_ns.len()).filter(|at| wanted(facts.recording, *at));
        let times: Vec<i64> =
            times.filter_map(|at| facts.recording.spans.start_ns.get(at).copied()).collect();
        return Evidence::of("spans", sql, times.into_iter());
    }
    let names = meters.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "select ts_ns, kind, value, tags from counters where name in ({names}) and kind in ('count', 'sum', 'p50', 'p99') order by ts_ns"
    );
    let times = meters.iter().flat_map(|name| runtime::metered(facts.recording, name, "count"));
    Evidence::of("counters", sql, times.map(|of| of.ts_ns))
}
