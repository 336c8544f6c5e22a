//! Exceptions that are thrown so often that they cost.

use crate::facts::{Facts, count, percent, real_u64, said};
use crate::hostfacts::{is_out_of_memory, lacks_descriptors};
use crate::need::Need;
use crate::places::{Places, in_place};
use crate::rule::{Found, Rule, Threshold};
use crate::rules::descriptor_growth;
use crate::score::{Harm, Sure};
use report::unit::duration;
use report::{EvidenceRows, Measured, Severity, View};
use runtime::{Group, LEAVING, Marks};
use std::collections::BTreeMap;

const RATE: Threshold = Threshold {
    name: "exceptions per second, without those of clients that disconnect",
    value: 50.0,
    unit: "1/s",
    source: "each costs a few (.NET 9 and later) to tens of microseconds, and its stack trace; measured: below 1 per second in healthy services. One of the two is enough",
};
const PER_REQUEST: Threshold = Threshold {
    name: "exceptions per request",
    value: 0.2,
    unit: "",
    source: "our judgement: from one in five on, throwing is a normal path of the code",
};
/// Below this rate, exceptions in every request do not matter.
const FEW_A_SECOND: f64 = 5.0;

pub(super) const RULE: Rule = Rule {
    id: "exceptions",
    about: "so many exceptions are thrown that they cost; names their type and where they are thrown",
    needs: &[Need::Exceptions],
    thresholds: &[RATE, PER_REQUEST],
    silent: "for cancellations and for connections that clients reset, for a few failures among many requests, and if memory or descriptors run out (`memory-limit`, `descriptor-growth`)",
    why: "A throw walks the stack twice: once to find a handler (the runtime looks up unwind information frame by frame) and once to run \
          `finally` blocks, and records the stack trace on the way. That costs thousands of times as much as a return, and more the \
          deeper the stack is. An `async` method throws again at each await on the way up.",
    tries: &[
        "If the exception is an expected outcome, return it as a value: `TryParse`, `TryGetValue`, a result type; check before calling",
        "If a library throws it, look for the variant of the method that does not throw",
        "If the other side fails or does not answer in time, look there first. Retry rarely and with a pause, and stop calling for a while if most calls fail",
        "If the type shows a mistake in the code (a null, an index, a disposed object), correct the code on its stack rather than catch the exception",
        "If a type, method or file that the code was built against is missing, check the deployment (versions of packages, the program's files, settings and paths that differ from development)",
        "If requests fail because of them, the column `message` of the table `exceptions` says why",
    ],
    verify: "Record the same load again: `exceptions.rate` in `metrics`, and status codes of 500 in `http.server.request.duration`.",
    places_of: "the exceptions",
    view: View {
        shows: "where exceptions are thrown",
        lane: "exceptions",
        tab: "/stacks",
        metric: Some("exceptions"),
    },
    before: &["lock-contention", "cpu-hot-path"],
    absorbs: &[],
    check,
};

/// What an exception's type says about the cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Input or a state that the code should expect.
    Expected,
    /// Another service, or the network, failed.
    OtherSide,
    /// A mistake in the code.
    Mistake,
    /// What is deployed is not what the code was built against.
    Deployment,
}

/// Endings of type names that mean that the other side failed, also in libraries (`HttpRequestException`).
const OTHER_SIDE: [&str; 9] = [
    "TimeoutException",
    "System.IO.IOException",
    "SocketException",
    "HttpRequestException",
    "HttpIOException",
    "WebException",
    "SqlException",
    "DbException",
    "RpcException",
];
/// Types that mean that the code has a mistake.
const MISTAKES: [&str; 8] = [
    "System.NullReferenceException",
    "System.IndexOutOfRangeException",
    "System.ObjectDisposedException",
    "System.ArgumentNullException",
    "System.ArgumentOutOfRangeException",
    "System.InvalidCastException",
    "System.ArrayTypeMismatchException",
    "System.NotImplementedException",
];

/// Types that mean that something is missing that the code was built against.
const DEPLOYMENT: [&str; 12] = [
    "System.TypeLoadException",
    "System.MissingMemberException",
    "System.MissingMethodException",
    "System.MissingFieldException",
    "System.EntryPointNotFoundException",
    "System.DllNotFoundException",
    "System.BadImageFormatException",
    "System.IO.FileLoadException",
    "System.IO.FileNotFoundException",
    "System.IO.DirectoryNotFoundException",
    "System.Resources.MissingManifestResourceException",
    "System.Reflection.ReflectionTypeLoadException",
];

/// What the type that was thrown most says. `None` if nothing was thrown.
pub(crate) fn meaning(facts: &Facts<'_>) -> Option<Meaning> {
    let rows = &facts.recording.exceptions;
    let mut types: BTreeMap<model::Sym, u64> = BTreeMap::new();
    let lacks_files = descriptor_growth::at_limit(facts).is_some();
    let counted =
        (0..rows.ts_ns.len()).filter_map(|at| rows.row(at)).filter(|row| counts(facts, row, lacks_files));
    counted.for_each(|row| *types.entry(row.class).or_default() += 1);
    let (class, _) = types.into_iter().max_by_key(|(_, times)| *times)?;
    let class = facts.text(class);
    let is_database =
        class.starts_with("Npgsql.") || class.starts_with("MySql") || class.contains("SqlClient.");
    Some(match () {
        () if MISTAKES.contains(&class) => Meaning::Mistake,
        () if DEPLOYMENT.contains(&class) => Meaning::Deployment,
        () if is_database || OTHER_SIDE.iter().any(|end| class.ends_with(end)) => Meaning::OtherSide,
        () => Meaning::Expected,
    })
}

/// Whether this rule counts an exception. It leaves out those of clients that disconnect, and those that `memory-limit` and
/// `descriptor-growth` report.
fn counts(facts: &Facts<'_>, row: &model::ExceptionRow, lacks_files: bool) -> bool {
    let is_left = LEAVING.contains(&facts.text(row.class));
    let is_of_others = is_out_of_memory(facts, row) || (lacks_files && lacks_descriptors(facts, row));
    !is_left && !is_of_others
}

fn check(facts: &Facts<'_>) -> Option<Found> {
    let rows = &facts.recording.exceptions;
    let mut places = Places::default();
    let mut types: BTreeMap<model::Sym, u64> = BTreeMap::new();
    let mut times = Vec::new();
    let lacks_files = descriptor_growth::at_limit(facts).is_some();
    for row in (0..rows.ts_ns.len()).filter_map(|at| rows.row(at)) {
        if !counts(facts, &row, lacks_files) {
            continue;
        }
        *types.entry(row.class).or_default() += 1;
        times.push(row.ts_ns);
        places.add(facts, row.stack, row.thread, row.ts_ns, 1.0);
    }
    let number = count(times.len());
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
    let places = places.top(facts);
    let of_all = percent(real_u64(of_class) / number.max(1.0));
    let how_many = match runtime::within_ms(&times, Some(facts.recording.exhibit.duration_ns)) {
        Some(ms) => format!("{} exceptions within {}", said(number), duration(ms)),
        None => format!("{} exceptions per second", said(rate)),
    };
    let title = format!("{how_many}{}: {of_all} are {class}", in_place(&places));
    let sql = "select type, message, count(*) as times, min(ts_ns) as first_ts_ns, max(ts_ns) as last_ts_ns from exceptions group by 1, 2 order by 3 desc limit 20";
    let mut measured = vec![RATE.measured(rate)];
    measured.extend(per_request.map(|each| PER_REQUEST.measured(each)));
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
        harms: vec![
            Harm::Share(of_busy),
            per_request.map_or(Harm::Beyond { value: rate, harmless: RATE.value }, Harm::Share),
        ],
        sure: Sure::Seen,
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
