//! Requests that wait at an asynchronous gate.

use crate::facts::{Facts, known, percent, real, said};
use crate::need::Need;
use crate::places::in_place;
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use model::{NO_INT, Sym};
use report::{EvidenceRows, Measured, Severity, View};
use runtime::{Basis, Group, Marks};
use std::collections::BTreeMap;

const QUEUED: Threshold = Threshold {
    name: "requests in flight, on average",
    value: 3.0,
    unit: "",
    source: "our judgement: with fewer at a time, few requests wait behind others",
};
const STRETCHED: Threshold = Threshold {
    name: "median of a route's requests, in multiples of its fastest few",
    value: 3.0,
    unit: "",
    source: "a request that only does its own work takes about as long as the fastest; in a queue of n it takes n times as long",
};
/// The gate is the cause only if everything else explains no more than this share of the requests' time.
const MAX_EXPLAINED: f64 = 0.35;

pub(super) const RULE: Rule = Rule {
    id: "async-lock",
    about: "requests wait asynchronously for a gate (SemaphoreSlim, Channel) while nothing else is busy",
    needs: &[Need::EachRequest],
    thresholds: &[QUEUED, STRETCHED],
    silent: "if requests are slow because of a database, an outgoing call, the CPU or blocked threads, or if all take the same \
             time, as with a delay",
    why: "A task that awaits `SemaphoreSlim.WaitAsync` or a full `Channel` holds no thread: it is an object in the gate's list, \
          and no stack shows it. The service looks idle. Throughput is one request per hold of the gate, and latency is the \
          length of the queue times the hold.",
    tries: &[
        "Hold the gate for a shorter time: only around what must be exclusive, not around I/O",
        "Use more gates: one per key, or a count above one if the resource allows it",
        "Measure it: a histogram around `WaitAsync`, and a gauge of the requests that wait",
    ],
    verify: "Record the same load again with spans: the route's median comes close to its fastest requests, and throughput rises with the number of clients.",
    places_of: "the samples in which a thread is at the gate",
    view: View { shows: "the requests that wait", lane: "in-flight", tab: "/requests", metric: None },
    before: &[],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let work = facts.requests?;
    let under_way = work.under_way();
    if work.basis != Basis::Rows || under_way < QUEUED.value {
        return None;
    }
    let blocked = facts.threads(|group| {
        facts.is_held_up(group, &["task", "lock", "semaphore", "event", "sleep", "io", "queue", "monitor"])
    });
    let elsewhere =
        [facts.database, facts.http].into_iter().flatten().map(|calls| calls.under_way()).sum::<f64>();
    let explained = (blocked + facts.busy() + elsewhere) / under_way;
    if explained > MAX_EXPLAINED || facts.cpu.is_some_and(|cpu| cpu > 0.7) {
        return None;
    }
    let (route, stretched, requests) = stretched(facts)?;
    if stretched < STRETCHED.value {
        return None;
    }
    let at_gate = |group: &Group| facts.index.marks(group.stack).has(Marks::GATE);
    let gate_seen = facts.threads(at_gate) > 0.0;
    let places = facts.places(at_gate).top(facts);
    let title = format!(
        "Requests to {route} wait in a queue{}: the median takes {} times as long as the fastest, and nothing else explains {} of their time",
        in_place(&places),
        said(stretched),
        percent(1.0 - explained)
    );
    let sql = "select route, path, count(*) as requests, min(dur_ns) / 1e6 as fastest_ms, avg(dur_ns) / 1e6 as mean_ms, \
               max(dur_ns) / 1e6 as slowest_ms, min(start_ns) as first_ns, max(start_ns) as last_ns from requests \
               where dur_ns is not null group by 1, 2 order by 3 desc limit 20";
    let evidence = vec![EvidenceRows::of("requests", sql, requests.into_iter())];
    let rest = Measured {
        name: "share of their time that threads, calls and CPU explain (no more than)",
        value: explained,
        unit: "share",
        threshold: Some(MAX_EXPLAINED),
    };
    Some(Found {
        title,
        severity: Severity::Warning,
        harms: vec![Harm::Share(1.0 - explained)],
        sure: if gate_seen { Sure::Seen } else { Sure::Inferred },
        measured: vec![QUEUED.measured(under_way), STRETCHED.measured(stretched), rest],
        places,
        evidence,
    })
}

/// The route with the most time: its name, the median over the fastest few, and when its requests began.
fn stretched(facts: &Facts<'_>) -> Option<(String, f64, Vec<i64>)> {
    let mut routes: BTreeMap<Sym, Vec<(i64, i64)>> = BTreeMap::new();
    let rows = &facts.recording.requests;
    for row in (0..rows.start_ns.len()).filter_map(|at| rows.row(at)).filter(|row| row.dur_ns != NO_INT) {
        let route = if row.route == Sym::NONE { row.path } else { row.route };
        routes.entry(route).or_default().extend(known(row.dur_ns).map(|ns| (ns, row.start_ns)));
    }
    let most = routes
        .into_iter()
        .filter(|(_, times)| times.len() >= 20)
        .max_by_key(|(_, times)| times.iter().map(|(ns, _)| i128::from(*ns)).sum::<i128>());
    let (route, mut times) = most?;
    times.sort_unstable();
    let at = |per_mille: usize| {
        times.get(times.len().saturating_sub(1) * per_mille / 1000).map_or(0.0, |(ns, _)| real(*ns))
    };
    // The first requests, before the queue has formed, are the fastest. One of them may be an outlier.
    let fastest = times.get(2).map_or(1.0, |(ns, _)| real(*ns)).max(1.0);
    Some((facts.text(route).to_owned(), at(500) / fastest, times.iter().map(|(_, start)| *start).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// Requests every 100 ms; the times they take from the function given.
    fn scene(ms: impl Fn(i64) -> i64) -> Scene {
        let mut scene = Scene::new();
        for at in 0..90 {
            scene.request(at * 100, ms(at), "/cart");
        }
        scene
    }

    /// The line grows until twelve wait.
    fn line(at: i64) -> i64 {
        (at + 1).min(12) * 100
    }

    #[test]
    fn requests_in_a_line_with_nothing_busy_are_said_with_the_gate() {
        assert_eq!(scene(line).says(&RULE), says(Severity::Warning, ""));
        let mut seen = scene(line);
        seen.workers_run(
            1,
            0..1,
            &[WORK, CART, "System.Private.CoreLib!System.Threading.SemaphoreSlim.WaitAsync"],
        );
        assert_eq!(seen.says(&RULE), says(Severity::Warning, CART));
    }

    #[test]
    fn requests_that_all_take_as_long_or_are_few_at_a_time_are_in_no_line() {
        let check = |scene: Scene, speaks| assert_eq!(scene.says(&RULE).is_some(), speaks);
        check(scene(|_| 800), false);
        check(scene(|at| line(at) / 4), false);
        check(scene(|at| line(at) / 2), true);
    }

    #[test]
    fn what_threads_databases_and_processors_explain_is_no_gate() {
        let check = |change: fn(&mut Scene), speaks| {
            let mut scene = scene(line);
            change(&mut scene);
            assert_eq!(scene.says(&RULE).is_some(), speaks);
        };
        check(|_| {}, true);
        check(|scene| scene.workers_wait(4, 0..LOOKS, "task", &[WORK, CART, WAIT]), false);
        check(|scene| scene.meter("db.client.operation.duration", 90.0, 600.0, ""), false);
        check(|scene| scene.counter(0, "cpu-usage", "value", 95.0, ""), false);
    }
}
