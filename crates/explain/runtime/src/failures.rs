//! Requests that failed: answered with a status of 500 or above, or ended by an exception.
//!
//! Errors of clients (statuses 400 to 499) and clients that disconnect are not failures of the service. Failures come from the
//! statuses of the requests if these were recorded, otherwise from the tags of the meter, otherwise from the event counter.

use crate::metered::{Metered, metered, metered_totals, tag};
use model::{REQUESTS_METER, Sym, Trace};
use rustc_hash::FxHashMap;

/// Exceptions that end a request because its client disconnected, or sent an invalid request.
pub const LEAVING: [&str; 6] = [
    "System.OperationCanceledException",
    "System.Threading.Tasks.TaskCanceledException",
    "Microsoft.AspNetCore.Connections.ConnectionResetException",
    "Microsoft.AspNetCore.Connections.ConnectionAbortedException",
    "Microsoft.AspNetCore.Server.Kestrel.Core.BadHttpRequestException",
    "Microsoft.AspNetCore.Http.BadHttpRequestException",
];

/// How many requests failed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Failures {
    /// Requests that failed.
    pub failed: f64,
    /// Requests whose outcome is known.
    pub of: f64,
}

impl Failures {
    /// The share that failed. 0 without requests.
    pub fn share(&self) -> f64 {
        if self.of > 0.0 { (self.failed / self.of).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Adds requests of one outcome.
    pub(crate) fn add(&mut self, count: f64, is_failed: bool) {
        self.of += count;
        if is_failed {
            self.failed += count;
        }
    }

    /// From the statuses of requests. `None` if no status is known.
    pub(crate) fn of_statuses(statuses: impl Iterator<Item = i64>) -> Option<Self> {
        let known = statuses.filter_map(crate::figure::known);
        known.fold(None, |sum, status| {
            let mut sum = sum.unwrap_or(Self { failed: 0.0, of: 0.0 });
            sum.add(1.0, status >= 500);
            Some(sum)
        })
    }

    /// From the counts of a meter and their tags. `None` if no tags say whether requests failed.
    pub(crate) fn of_counts(recording: &Trace, counts: &[Metered]) -> Option<Self> {
        // The same tags are published many times, so the outcome of each set is kept.
        let mut outcomes: FxHashMap<Sym, Option<bool>> = FxHashMap::default();
        let mut failures: Option<Self> = None;
        for of in counts {
            let outcome = *outcomes.entry(of.tags).or_insert_with(|| is_failed(recording, of.tags));
            if let Some(outcome) = outcome {
                failures.get_or_insert(Self { failed: 0.0, of: 0.0 }).add(of.value.max(0.0), outcome);
            }
        }
        failures
    }
}

/// Whether requests with these tags of a meter or span failed. `None` if the tags do not say.
pub fn is_failed(recording: &Trace, tags: Sym) -> Option<bool> {
    let status = tag(recording, tags, "http.response.status_code").and_then(|text| text.parse::<u32>().ok());
    let error = tag(recording, tags, "error.type");
    match (status, error) {
        (Some(500..), _) => Some(true),
        (Some(400..=499), _) | (Some(_), None) => Some(false),
        (_, Some(error)) => Some(!LEAVING.contains(&error)),
        (None, None) => None,
    }
}

/// How many requests failed. `None` if the recording does not say.
pub fn failures(recording: &Trace) -> Option<Failures> {
    let statuses = || Failures::of_statuses(recording.requests.status.iter().copied());
    let by_requests = recording.has_each_request().then(statuses).flatten();
    let metered = || Failures::of_counts(recording, &metered(recording, REQUESTS_METER, "count"));
    by_requests.or_else(|| metered().filter(|of| of.of > 0.0)).or_else(|| from_counter(recording))
}

/// From the event counters of ASP.NET Core, between their first and their last publication.
fn from_counter(recording: &Trace) -> Option<Failures> {
    let grown = |name: &str| {
        let totals = metered_totals(recording, name, "value");
        let ((from_ns, first), (to_ns, last)) = (totals.first()?, totals.last()?);
        (to_ns > from_ns && last >= first).then_some(last - first)
    };
    let of = grown("total-requests").filter(|of| *of > 0.0)?;
    Some(Failures { failed: grown("failed-requests")?.min(of), of })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::tests::recording;

    fn counter(recording: &mut Trace, second: i64, name: &str, kind: &str, value: f64, tags: &str) {
        let texts = ["Microsoft.AspNetCore.Hosting", name, "", kind, tags];
        recording.counter(second * 1_000_000_000, texts, value);
    }

    #[test]
    fn tags_say_which_requests_failed_and_a_client_that_leaves_is_none() {
        let check = |tags: &str, expected: Option<bool>| {
            let mut recording = recording(1);
            let tags = recording.text(tags);
            assert_eq!(is_failed(&recording, tags), expected, "{tags:?}");
        };
        check(r#"{"http.response.status_code":"503","http.route":"/a"}"#, Some(true));
        check(r#"{"http.response.status_code":"404","error.type":"404"}"#, Some(false));
        check(r#"{"http.response.status_code":"200"}"#, Some(false));
        check(r#"{"http.response.status_code":"200","error.type":"Shop.Failed"}"#, Some(true));
        check(r#"{"error.type":"System.OperationCanceledException"}"#, Some(false));
        check(r#"{"http.route":"/a"}"#, None);
    }

    #[test]
    fn requests_that_fail_are_counted_by_the_meter_and_by_its_routes() {
        let mut recording = recording(2_000_000_000);
        for (route, status, count) in [("/a", 200, 90.0), ("/a", 503, 10.0), ("/b", 200, 100.0)] {
            let tags = format!(r#"{{"http.route":"{route}","http.response.status_code":"{status}"}}"#);
            counter(&mut recording, 1, REQUESTS_METER, "count", count, &tags);
        }
        assert_eq!(failures(&recording), Some(Failures { failed: 10.0, of: 200.0 }));
        let routes = crate::load::routes(&recording);
        let share = |name: &str| {
            let (_, work) = routes.iter().find(|(of, _)| of == name).unwrap();
            work.failures.map(|of| of.share())
        };
        assert_eq!((share("/a"), share("/b")), (Some(0.1), Some(0.0)));
    }

    #[test]
    fn the_event_counter_tells_of_failures_where_no_meter_does() {
        let mut recording = recording(2_000_000_000);
        assert_eq!(failures(&recording), None);
        for (second, all, failed) in [(1, 100.0, 5.0), (2, 300.0, 25.0)] {
            counter(&mut recording, second, "total-requests", "value", all, "{}");
            counter(&mut recording, second, "failed-requests", "value", failed, "{}");
        }
        assert_eq!(failures(&recording), Some(Failures { failed: 20.0, of: 200.0 }));
    }
}
