//! Real recordings: equal services show no difference, and what was changed comes first.

#![expect(clippy::unwrap_used, reason = "a test")]

use diff::{Side, compare};
use model::Trace;
use report::{Basis, Change, ChangeVerdict, Diff, Report, Subject};
use runtime::{HandlerNames, StackIndex};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

struct Explained {
    recording: Arc<Trace>,
    index: StackIndex,
    handlers: HandlerNames,
    report: Report,
}

impl Explained {
    fn read(path: &Path) -> Self {
        let evidence = import::open(path, import::Options { payloads: false, threads: 1 }).unwrap();
        let recording = evidence.into_trace().unwrap();
        let index = StackIndex::new(&recording);
        let report = findings::explain_with(&recording, &index);
        let handlers = HandlerNames::new(&recording, &index);
        Self { recording, index, handlers, report }
    }

    fn side(&self, range: Option<(i64, i64)>) -> Side<'_> {
        let Self { recording, index, handlers, report } = self;
        Side { recording, index, handlers, report, range }
    }
}

fn fixture(name: &str) -> Explained {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures");
    Explained::read(&root.join(format!("{name}.nettrace.zst")))
}

/// A labelled capture, where they are there.
fn capture(name: &str) -> Option<Explained> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/captures/labelled");
    let path = root.join(format!("{name}.nettrace.zst"));
    if !path.exists() {
        base::ground::skip("diff::real", "the labelled captures are not there");
        return None;
    }
    Some(Explained::read(&path))
}

fn per(before: &Explained, after: &Explained, basis: Basis) -> Diff {
    let diff = compare(&before.side(None), &after.side(None), basis);
    sound(&diff);
    diff
}

fn diff(before: &Explained, after: &Explained) -> Diff {
    per(before, after, Basis::Duration)
}

/// What holds of every comparison.
fn sound(diff: &Diff) {
    let mut groups = Vec::new();
    for row in &diff.rows {
        assert!((0.0..=1.0).contains(&row.impact), "{row:?}");
        let mut parts = row.shares.into_iter().flat_map(|(before, after)| [before, after]);
        assert!(parts.all(|share| (0.0..=1.0).contains(&share)), "{row:?}");
        let beyond = row.verdict == ChangeVerdict::BeyondNoise && row.subject != Subject::Finding;
        let apart = row.interval.is_some_and(|(low, high)| low >= 0.0 || high <= 0.0);
        assert!(!beyond || apart, "beyond noise, and no difference lies in its interval: {row:?}");
        assert!(!beyond || row.p.is_some_and(|p| p <= 0.05), "{row:?}");
        let group = match row.verdict {
            ChangeVerdict::BeyondNoise => 0,
            ChangeVerdict::WithinNoise => 1,
            ChangeVerdict::TooLittleData => 2,
        };
        groups.push((group, -row.impact));
    }
    assert!(groups.is_sorted_by(|a, b| a <= b), "the list is out of order");
    // What looks the same is the same.
    let mut shown: BTreeMap<(Subject, &str, &str), &str> = BTreeMap::new();
    for row in &diff.rows {
        let other = shown.insert((row.subject, &row.measure, row.shown_name()), &row.name);
        assert_eq!(other, None, "{} {}", row.measure, row.shown_name());
    }
    let by_meter = diff.rows.iter().any(|row| row.measure == "requests (by the meter)");
    let said = diff.caveats.iter().any(|of| of.starts_with("requests per second are counted in two ways"));
    assert_eq!(by_meter, said, "{:?}", diff.caveats);
}

fn beyond(diff: &Diff) -> Vec<&Change> {
    diff.rows.iter().filter(|row| row.verdict == ChangeVerdict::BeyondNoise).collect()
}

fn place(diff: &Diff, subject: Subject, measure: &str) -> usize {
    let place = diff.rows.iter().position(|row| row.subject == subject && row.measure == measure);
    place.unwrap_or_else(|| unreachable!("no row {measure}"))
}

#[test]
fn handlers_have_the_names_of_their_routes_and_two_ways_to_count_requests_can_be_told_apart() {
    let diff = diff(&fixture("healthy"), &fixture("leak"));
    let shown: Vec<&str> = diff.rows.iter().map(Change::shown_name).collect();
    for label in ["handler of GET /ado/orders/{id:int}", "handler of /leak/cache"] {
        assert!(shown.contains(&label), "{label}");
    }
    let by_route =
        diff.rows.iter().find(|row| row.subject == Subject::Throughput && row.name == "/leak/cache");
    assert_eq!(by_route.map(|row| row.measure.as_str()), Some("requests (by the meter)"));
}

#[test]
fn a_recording_against_itself_has_no_change() {
    for name in ["starvation", "net8", "net31", "healthy"] {
        let of = fixture(name);
        for basis in [Basis::Duration, Basis::Request] {
            let diff = per(&of, &of, basis);
            assert!(diff.rows.len() > 20, "{name}: {} rows", diff.rows.len());
            let changed: Vec<_> =
                diff.rows.iter().filter(|row| row.difference() != Some(0.0) || row.impact != 0.0).collect();
            assert_eq!(changed, Vec::<&Change>::new(), "{name}");
            assert!(beyond(&diff).is_empty(), "{name}");
        }
    }
}

#[test]
fn halves_of_a_steady_service_hardly_differ() {
    let until = [
        ("healthy-json", 9_500),
        ("healthy-ado", 9_500),
        ("net8-healthy-ado", 6_500),
        ("req-healthy-ado", 6_500),
    ];
    for (name, millis) in until {
        let Some(of) = capture(name) else { return };
        // The load begins one second after the recording and ends before it. Compiling at first is not a
        // steady state.
        let (from, to) = (2_500_000_000, millis * 1_000_000);
        let middle = i64::midpoint(from, to);
        let halves = (of.side(Some((from, middle))), of.side(Some((middle, to))));
        let diff = compare(&halves.0, &halves.1, Basis::Duration);
        sound(&diff);
        let judged = diff.rows.iter().filter(|row| row.p.is_some()).count();
        let rows: Vec<_> = beyond(&diff).iter().map(|row| (&row.measure, &row.name)).collect();
        assert!(judged > 40, "{name}: only {judged} rows are judged");
        // Idle workers of the pool end after a while, which is a change, and nothing that anyone feels.
        assert!(rows.len() * 10 <= judged, "{name}: {} of {judged}: {rows:?}", rows.len());
        let felt =
            [Subject::Latency, Subject::Throughput, Subject::Gc, Subject::Contention, Subject::Allocation];
        let felt: Vec<_> = beyond(&diff).into_iter().filter(|row| felt.contains(&row.subject)).collect();
        assert_eq!(felt, Vec::<&Change>::new(), "{name}");
    }
}

#[test]
fn starvation_is_told_by_what_users_felt_and_by_its_rule() {
    let Some(healthy) = capture("healthy-json") else { return };
    let diff = diff(&healthy, &fixture("starvation"));
    let appeared = diff.rows.iter().position(|row| row.name.starts_with("sync-over-async"));
    assert!(appeared.is_some_and(|at| at < 3), "{appeared:?}");
    assert!(place(&diff, Subject::Latency, "p99 (estimate from the meter)") < 4);
    assert!(place(&diff, Subject::Throughput, "requests") < 8);
    let queue = place(&diff, Subject::Threads, "work waiting in the thread pool's queue");
    assert!(queue < 10);
    let row = &diff.rows[queue];
    assert_eq!(row.verdict, ChangeVerdict::BeyondNoise);
    assert!(row.ratio().is_some_and(|ratio| ratio > 20.0), "{row:?}");
    assert!(diff.caveats.iter().any(|caveat| caveat.starts_with("the load differs")), "{:?}", diff.caveats);
    let blocked = diff.rows.iter().find(|row| row.subject == Subject::Wait && row.name == "task").unwrap();
    assert!(blocked.after.is_some_and(|threads| threads > 25.0), "{blocked:?}");
}

#[test]
fn each_harm_is_among_the_first_rows() {
    let Some(healthy) = capture("healthy-json") else { return };
    for (name, subject, measure, of, within) in [
        ("lock-contention", Subject::Contention, "threads waiting for locks", "", 3),
        ("gc-induced", Subject::Gc, "GC pauses", "", 4),
        ("gc-induced", Subject::Gc, "induced collections", "", 8),
        ("exceptions-caught", Subject::Exceptions, "exceptions thrown", "", 6),
        ("exceptions-caught", Subject::Exceptions, "exceptions thrown, by type", "Orders.OrderException", 10),
        ("loh-churn", Subject::Allocation, "bytes allocated", "", 6),
        ("leak-cache", Subject::Heap, "growth of the heap from collection to collection", "", 6),
    ] {
        let Some(harmed) = capture(name) else { return };
        let diff = diff(&healthy, &harmed);
        let found = |row: &Change| row.subject == subject && row.measure == measure && row.name == of;
        let at = diff.rows.iter().position(found);
        assert!(at.is_some_and(|at| at < within), "{name}: {measure} {of} is row {at:?}");
        let row = &diff.rows[at.unwrap()];
        assert_eq!(row.verdict, ChangeVerdict::BeyondNoise, "{row:?}");
        assert!(row.difference().is_some_and(|difference| difference > 0.0), "{row:?}");
    }
}

#[test]
fn before_and_after_are_mirrored() {
    let (one, other) = (fixture("starvation"), fixture("lock"));
    let (there, back) = (diff(&one, &other), diff(&other, &one));
    let key = |row: &Change| (row.subject, row.measure.clone(), row.name.clone());
    let measured = |diff: &Diff| {
        let rows = diff.rows.iter().filter(|row| row.subject != Subject::Finding);
        let mut rows: Vec<Change> = rows.cloned().collect();
        rows.sort_by_key(key);
        rows
    };
    let (there, back) = (measured(&there), measured(&back));
    assert_eq!(there.len(), back.len());
    for (there, back) in there.iter().zip(&back) {
        assert_eq!(key(there), key(back));
        assert_eq!((there.before, there.after, there.verdict), (back.after, back.before, back.verdict));
        assert!((there.impact - back.impact).abs() < 1e-9, "{there:?} {back:?}");
    }
}

#[test]
fn amounts_per_request_are_told_apart_from_levels() {
    let (healthy, lock) = (fixture("healthy"), fixture("lock"));
    let diff = per(&healthy, &lock, Basis::Request);
    assert_eq!(diff.basis, Basis::Request);
    let (before, after) = diff.requests.unwrap();
    assert!(before > 1_000.0 && after > 100.0, "{before} {after}");
    let row = |subject, measure| &diff.rows[place(&diff, subject, measure)];
    assert_eq!(row(Subject::Allocation, "bytes allocated").unit, "B/request");
    assert_eq!(row(Subject::Contention, "threads waiting for locks").unit, "ms/request");
    assert_eq!(row(Subject::Throughput, "requests").unit, "1/s");
    assert_eq!(row(Subject::Heap, "heap after a collection").unit, "B");
    // 2 ms of each request are spent within the lock, which eight clients wait for.
    let waited = row(Subject::Contention, "threads waiting for locks").after.unwrap();
    assert!((2.0..16.0).contains(&waited), "{waited} ms a request");
    // A program without requests has nothing to divide by.
    let plain = per(&fixture("net8"), &lock, Basis::Request);
    assert_eq!(plain.basis, Basis::Duration);
    assert!(plain.caveats.iter().any(|of| of.contains("compared by duration")), "{:?}", plain.caveats);
}

#[test]
fn what_one_recording_lacks_is_said() {
    let (old, new) = (fixture("net8"), fixture("lock"));
    let diff = diff(&old, &new);
    let said = |what: &str| diff.not_compared.iter().find(|of| of.what == what).map(|of| of.why.as_str());
    let why = said("waits for handles").unwrap();
    assert_eq!(why, "the recording before is of .NET 8, which has no such events");
    assert!(
        said("latency of requests").is_some() || said("single requests").is_some(),
        "{:?}",
        diff.not_compared
    );
    assert!(diff.caveats.iter().any(|of| of.starts_with("not the same runtime: 8.")), "{:?}", diff.caveats);
}
