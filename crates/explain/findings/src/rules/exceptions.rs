//! Exceptions at a rate that costs.

use crate::facts::{Facts, count, percent, real_u64, said};
use crate::hostfacts::{is_out_of_memory, lacks_descriptors};
use crate::places::{Places, in_place};
use crate::rule::{Found, Need, Rule, Threshold};
use crate::rules::descriptor_growth;
use report::unit::duration;
use report::{EvidenceRows, Measured, Severity, View};
use runtime::{Group, LEAVING, Marks};
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

pub(super) const RULE: Rule = Rule {
    id: "exceptions",
    about: "exceptions thrown at a rate that costs; type and thrower",
    needs: &[Need::Exceptions],
    thresholds: &[RATE, PER_REQUEST],
    silent: "for cancellations and connections that clients reset, for a few failures among many requests, and for memory or descriptors that run out (`memory-limit`, `descriptor-growth`)",
    why: "A throw walks the stack twice: once to find a handler (the runtime looks up unwind information frame by frame) and once to run \
          `finally` blocks, and it records the stack trace on the way. That is thousands of times the cost of a return, grows with \
          the depth of the stack, and an `async` method throws again at each await on the way up.",
    tries: &[
        "Return what is expected to happen as a value: `TryParse`, `TryGetValue`, a result type; check before calling",
        "Find the thrower below; where it is a library, look for its method that does not throw",
        "The other side fails or does not answer in time: look there first. Retry seldom and with a pause, and stop calling for a while when most calls fail",
        "The type says that the code has a mistake (a null, an index, an object that is disposed of): read the stack below and correct that; do not catch it",
        "A type, method or file that the code was built against is not there: check the deployment (versions of packages, files beside the program, settings and paths that differ from those of development)",
        "If requests fail, this is the failure itself: read the message in `exceptions`",
    ],
    verify: "Record the same load again: `exceptions.rate` in `metrics`, and status codes of 500 in `http.server.request.duration`.",
    places_of: "the exceptions",
    view: View { tab: "/stacks", params: &[("metric", "exceptions")] },
    before: &["lock-contention", "cpu-hot-path"],
    absorbs: &[],
    check,
};

/// What an exception's type says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Input or a state that was to be expected.
    Expected,
    /// Another service, or the network, failed.
    OtherSide,
    /// A mistake in the code.
    Mistake,
    /// What is deployed is not what the code was built against.
    Deployment,
}

/// Ends of the names of types that say that the other side failed, libraries' own among them (`NpgsqlException`).
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
/// Types that say that the code has a mistake.
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

/// Types that say that something is not there which the code was built against.
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

/// What the type says that was thrown most; none where nothing was thrown.
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

/// Whether an exception is this rule's: not that of a client that left, not memory that ran out (`memory-limit`), and not
/// descriptors that ran out where `descriptor-growth` says so.
fn counts(facts: &Facts<'_>, row: &model::ExceptionRow, lacks_files: bool) -> bool {
    let is_left = LEAVING.contains(&facts.text(row.class));
    let is_told = is_out_of_memory(facts, row) || (lacks_files && lacks_descriptors(facts, row));
    !is_left && !is_told
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
    let places = places.top(facts);
    let of_all = percent(real_u64(of_class) / number.max(1.0));
    let how_many = match runtime::within_ms(&times, Some(facts.recording.exhibit.duration_ns)) {
        Some(ms) => format!("{} exceptions within {}", said(number), duration(ms)),
        None => format!("{} exceptions a second", said(rate)),
    };
    let title = format!("{how_many}{}: {of_all} of them {class}", in_place(&places));
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
