//! Comparisons that once reported harm as progress, or missing data as sameness.

use diff::{Side, compare};
use model::{EarlyEnd, Trace};
use report::{Basis, ChangeVerdict, Diff, Finding, FindingState, Measured, Report, Severity, View};
use runtime::{HandlerNames, StackIndex};

const SECOND: i64 = 1_000_000_000;

/// A recording of so many seconds, with events all the time.
fn lasting(seconds: i64) -> Trace {
    let mut recording = Trace::default();
    recording.exhibit.duration_ns = seconds * SECOND;
    recording.covers("events", 0, seconds * SECOND - 1);
    recording
}

/// Ten seconds with fifty requests per second to one path, each of so many milliseconds.
fn requests_to(path: &str, millis: i64) -> Trace {
    requests_for(10, path, millis)
}

fn requests_for(seconds: i64, path: &str, millis: i64) -> Trace {
    let mut of = lasting(seconds);
    for at in 0..50 * seconds {
        of.request(at * SECOND / 50, millis * 1_000_000 + at % 7 * 100_000, path, 200);
    }
    of
}

/// What the meter published of a route for one second: how many requests, and how many seconds each took.
fn metered(of: &mut Trace, second: i64, route: &str, (count, seconds): (f64, f64)) {
    let tags = format!("{{\"http.route\":\"{route}\"}}");
    for (kind, value) in
        [("count", count), ("sum", count * seconds), ("p50", seconds), ("p99", 2.0 * seconds)]
    {
        let texts = ["Microsoft.AspNetCore.Hosting", "http.server.request.duration", "s", kind, &tags];
        of.counter(second * SECOND + 900_000_000, texts, value);
    }
}

fn finding(id: &'static str, severity: Severity, measured: &[(&'static str, f64, f64)]) -> Finding {
    let measured = measured.iter().map(|(unit, value, threshold)| Measured {
        name: "a value",
        value: *value,
        unit,
        threshold: Some(*threshold),
    });
    Finding {
        id,
        title: "Something".to_owned(),
        severity,
        follows: None,
        score: 0.9,
        measured: measured.collect(),
        places: Vec::new(),
        places_of: "",
        evidence: Vec::new(),
        view: View { shows: "", lane: "", tab: "summary", metric: None },
        why: String::new(),
        tries: Vec::new(),
        verify: String::new(),
    }
}

fn with(finding: Finding) -> Report {
    Report { findings: vec![finding], ..Report::default() }
}

fn pool(full: f64) -> Report {
    with(finding("db-pool-exhausted", Severity::Critical, &[("", 8.78, 1.0), ("share", full, 0.5)]))
}

fn slow() -> Report {
    with(finding("slow-dependency", Severity::Warning, &[("share", 0.98, 0.5)]))
}

fn diff(before: (&Trace, &Report), after: (&Trace, &Report)) -> Diff {
    let indices = (StackIndex::new(before.0), StackIndex::new(after.0));
    let handlers = &HandlerNames::default();
    let before = Side { recording: before.0, index: &indices.0, handlers, report: before.1, range: None };
    let after = Side { recording: after.0, index: &indices.1, handlers, report: after.1, range: None };
    compare(&before, &after, Basis::Duration)
}

#[test]
fn requests_that_became_slower_and_wait_for_connections_are_not_reported_as_progress() {
    let (before, after) = (requests_to("/orders/a", 103), requests_to("/orders/b", 211));
    let changed = diff((&before, &slow()), (&after, &pool(0.778)));
    let expected = "The mix of requests changed (GET /orders/a 100 % → 0 %, GET /orders/b 0 % → 100 %), so latency is comparable \
                    only per route; \
                    over all requests, p50 rose from 103 to 211 ms; new finding: db-pool-exhausted; \
                    slow-dependency is not judged after, where db-pool-exhausted is reported.";
    assert_eq!(changed.summary, expected);
    let states: Vec<_> = changed.findings.iter().map(|of| (of.id, of.state, of.reason.clone())).collect();
    assert_eq!(states, [("db-pool-exhausted", FindingState::New, None)]);
    let why = changed.not_compared.iter().find(|of| of.what == "the rule slow-dependency").unwrap();
    let silent = "the recording after has db-pool-exhausted, beside which slow-dependency is not judged";
    assert_eq!(why.why, silent);
}

#[test]
fn a_finding_whose_values_are_far_above_their_thresholds_is_new_and_one_near_its_own_is_at_the_edge() {
    let of = requests_to("/orders", 103);
    let none = Report::default();
    let reason = |full: f64| diff((&of, &none), (&of, &pool(full))).findings.remove(0).reason;
    assert_eq!(reason(0.778), None);
    assert!(reason(0.55).is_some_and(|of| of.starts_with("at the edge")));
}

#[test]
fn a_finding_that_both_could_judge_is_gone() {
    let of = requests_to("/orders", 103);
    let changed = diff((&of, &slow()), (&requests_to("/orders", 104), &Report::default()));
    assert_eq!(changed.summary, "Gone finding: slow-dependency.");
}

#[test]
fn silence_of_a_recording_that_ends_early_is_no_sameness() {
    let of = requests_to("/orders", 103);
    let mut cut = requests_for(5, "/orders", 103);
    let at_ns = 5 * SECOND;
    cut.missing.early_ends.push(EarlyEnd { is_main: true, at_ns, ..EarlyEnd::default() });
    let none = Report::default();
    let changed = diff((&of, &none), (&cut, &none));
    let expected = "Only what is left is compared: after, the recording is cut off at 5 s. What is left shows no \
                    difference, which says nothing about the rest.";
    assert_eq!((changed.summary.as_str(), changed.verdict()), (expected, ChangeVerdict::TooLittleData));
}

#[test]
fn a_mean_that_fell_because_other_requests_came_is_no_headline_and_fifty_times_as_many_are_no_noise() {
    let (mut before, mut after) = (lasting(10), lasting(10));
    let many = [4.0, 7.0, 9.0, 28.0, 8.0, 36.0, 42.0, 160.0, 5_070.0, 3_961.0];
    for (second, many) in (0..10).zip(many) {
        metered(&mut before, second, "/work", (18.0 + many % 3.0, 1.2));
        metered(&mut after, second, "/work", (many / 10.0, 1.2));
        metered(&mut after, second, "/health", (many, 0.000_02));
    }
    let sync = with(finding("sync-over-async", Severity::Critical, &[("", 20.0, 0.5)]));
    let changed = diff((&before, &sync), (&after, &sync));
    let expected = "The mix of requests changed (/health 0 % → 90.9 %, /work 100 % → 9.09 %), so latency is comparable only per route; requests went \
                    from 18.7 to 1,026/s, unevenly; still there: sync-over-async.";
    assert_eq!(changed.summary, expected);
    let row = changed.rows.iter().find(|row| row.measure == "requests" && row.name.is_empty()).unwrap();
    assert_eq!(row.verdict, ChangeVerdict::TooLittleData);
    assert!(row.reason.is_some());
}

/// Two routes of which each has about half of the requests, fast and slow ones.
fn halves(slow: f64, factor: f64) -> Trace {
    let mut of = lasting(20);
    for second in 0..20 {
        let uneven = f64::from(u8::try_from(second % 3).unwrap_or(0)) * 0.01;
        metered(&mut of, second, "/fast", (1_000.0, 0.000_2 * factor * (1.0 + uneven)));
        metered(&mut of, second, "/slow", (slow, 0.01 * factor * (1.0 + uneven)));
    }
    of
}

#[test]
fn a_p99_that_the_meter_only_bounds_does_not_fall_because_one_route_has_some_requests_fewer() {
    let none = Report::default();
    let (before, after) = (halves(1_010.0, 1.0), halves(990.0, 1.0));
    let like = diff((&before, &none), (&after, &none));
    assert_eq!(like.summary, "No difference beyond noise.");
    let row = like
        .rows
        .iter()
        .find(|row| row.measure == "p99 (estimate from the meter)" && row.name.is_empty())
        .unwrap();
    assert_eq!(row.verdict, ChangeVerdict::TooLittleData, "{row:?}");
    assert!(row.reason.as_ref().is_some_and(|of| of.contains("the bounds overlap")), "{row:?}");
    // A route has one series, of which every second is higher.
    let slower = diff((&before, &none), (&halves(1_010.0, 3.0), &none));
    let beyond = |measure: &str, name: &str| {
        let row = slower.rows.iter().find(|row| row.measure == measure && row.name == name).unwrap();
        assert_eq!(row.verdict, ChangeVerdict::BeyondNoise, "{row:?}");
    };
    beyond("p99 (estimate from the meter)", "/slow");
    beyond("p50 (estimate from the meter)", "/slow");
}
