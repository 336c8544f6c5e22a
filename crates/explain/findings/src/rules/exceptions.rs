//! Exceptions at a rate that costs.

use crate::facts::{Facts, count, percent, real_u64, said};
use crate::places::{Places, in_place};
use crate::rule::{Found, Need, Rule, Threshold};
use report::{EvidenceRows, Measured, Severity, View};
use runtime::{Group, Marks};
use std::collections::BTreeMap;

const RATE: Threshold = Threshold {
    name: "exceptions a second, without those of clients that leave",
    value: 50.0,
    unit: "1/s",
    source: "each costs some microseconds (.NET 9 and later) to tens of them, and its stack trace; measured: below 1 a second in healthy services. This or the next must pass",
};
const PER_REQUEST: Threshold = Threshold {
    name: "exceptions for each request",
    value: 0.2,
    unit: "",
    source: "from one in five on, throwing is the way the code goes, not the exception",
};
/// With this rate, exceptions in every request are worth a word.
const FEW_A_SECOND: f64 = 5.0;
/// Types that say that a client left or a caller gave up: no fault of the service.
const LEAVING: [&str; 6] = [
    "System.OperationCanceledException",
    "System.Threading.Tasks.TaskCanceledException",
    "Microsoft.AspNetCore.Connections.ConnectionResetException",
    "Microsoft.AspNetCore.Connections.ConnectionAbortedException",
    "Microsoft.AspNetCore.Server.Kestrel.Core.BadHttpRequestException",
    "Microsoft.AspNetCore.Http.BadHttpRequestException",
];

pub(super) const RULE: Rule = Rule {
    id: "exceptions",
    about: "exceptions thrown at a rate that costs; type and thrower",
    needs: &[Need::Exceptions],
    thresholds: &[RATE, PER_REQUEST],
    silent: "for cancellations and connections that clients reset, and for a few failures among many requests",
    why: "A throw walks the stack twice: once to find a handler (the runtime looks up unwind information frame by frame) and once to run \
          `finally` blocks, and it records the stack trace on the way. That is thousands of times the cost of a return, grows with \
          the depth of the stack, and an `async` method throws again at each await on the way up.",
    tries: &[
        "Return what is expected to happen as a value: `TryParse`, `TryGetValue`, a result type; check before calling",
        "Find the thrower below; where it is a library, look for its method that does not throw",
        "If requests fail, this is the failure itself: read the message in `exceptions`",
    ],
    verify: "Record the same load again: `exceptions.rate` in `metrics`, and status codes of 500 in `http.server.request.duration`.",
    view: View { tab: "/stacks", params: &[("metric", "exceptions")] },
    causes: &["lock-contention", "cpu-hot-path"],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let rows = &facts.recording.exceptions;
    let mut places = Places::default();
    let mut types: BTreeMap<model::Sym, u64> = BTreeMap::new();
    let mut times = Vec::new();
    for row in (0..rows.ts_ns.len()).filter_map(|at| rows.row(at)) {
        if LEAVING.contains(&facts.text(row.class)) {
            continue;
        }
        *types.entry(row.class).or_default() += 1;
        times.push(row.ts_ns);
        places.add(facts, row.stack, row.thread, row.ts_ns, 1.0);
    }
    let number = real_u64(count(times.len()));
    let rate = number / facts.seconds();
    let per_request = facts.per_request(rate);
    let in_requests = per_request.is_some_and(|each| each >= PER_REQUEST.value) && rate >= FEW_A_SECOND;
    if rate < RATE.value && !in_requests {
        return None;
    }
    let (class, of_class) =
        types.iter().max_by_key(|(_, times)| **times).map(|(class, times)| (facts.text(*class), *times))?;
    let throwing =
        |group: &Group| facts.is_busy(group) && facts.index.marks(group.stack).has(Marks::EXCEPTION);
    let of_busy = facts.threads(throwing) / facts.busy().max(0.01);
    let places = places.top(facts.recording);
    let of_all = percent(real_u64(of_class) / number.max(1.0));
    let title = format!("{} exceptions a second{}: {of_all} of them {class}", said(rate), in_place(&places));
    let sql = "select type, message, count(*) as times, min(ts_ns) as first_ts_ns, max(ts_ns) as last_ts_ns from exceptions group by 1, 2 order by 3 desc limit 20";
    let mut measured = vec![RATE.measured(rate)];
    measured.extend(per_request.map(|each| PER_REQUEST.measured(each)));
    // What did not decide is no threshold here.
    measured.retain_mut(|of| {
        of.threshold = of.threshold.filter(|least| of.value >= *least);
        true
    });
    if of_busy > 0.0 {
        measured.push(Measured {
            name: "share of the busy samples in throwing and unwinding",
            value: of_busy,
            unit: "share",
            threshold: None,
        });
    }
    let critical = rate >= 1000.0 || (per_request.is_some_and(|each| each >= 0.8) && rate >= RATE.value);
    Some(Found {
        title,
        severity: if critical { Severity::Critical } else { Severity::Warning },
        score: (0.35
            + of_busy * 0.5
            + (rate / 20_000.0).min(0.2)
            + per_request.map_or(0.0, |each| each.min(1.0) * 0.3))
        .min(0.95),
        measured,
        places,
        evidence: vec![EvidenceRows::of("exceptions", sql, times.into_iter())],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// So many exceptions of a type in ten seconds, beside so many requests.
    fn scene(class: &str, thrown: i64, requests: f64) -> Scene {
        let mut scene = Scene::new();
        (0..thrown).for_each(|at| scene.throws(at, class, "", &[WORK, CART]));
        scene.meter("http.server.request.duration", requests, 5.0, "");
        scene
    }

    #[test]
    fn exceptions_as_a_way_to_return_are_said_with_the_thrower() {
        let check = |thrown, requests, expected| {
            let found = scene("System.FormatException", thrown, requests).says(&RULE);
            assert_eq!(found, says(expected, CART), "{thrown} of {requests}");
        };
        check(600, 100_000.0, Severity::Warning);
        check(100, 200.0, Severity::Warning);
        check(600, 600.0, Severity::Critical);
    }

    #[test]
    fn a_few_failures_among_many_requests_and_clients_that_leave_are_no_trouble() {
        let check = |class, thrown, requests, speaks| {
            assert_eq!(scene(class, thrown, requests).says(&RULE).is_some(), speaks, "{class} {thrown}");
        };
        check("System.FormatException", 400, 100_000.0, false);
        check("System.FormatException", 501, 100_000.0, true);
        check("System.FormatException", 40, 40.0, false);
        check("System.FormatException", 60, 60.0, true);
        check("System.Threading.Tasks.TaskCanceledException", 5000, 5000.0, false);
        check("Microsoft.AspNetCore.Http.BadHttpRequestException", 5000, 5000.0, false);
    }
}
