//! Recordings that reached a limit of the runtime, or that were made to be slow to read: reports say what was cut, and their
//! conclusions are right all the same.

#![expect(clippy::unwrap_used, reason = "a test")]

mod shared;

use import::Options;
use model::{Evidence, LimitKind, Trace};
use report::Severity;
use runtime::StackIndex;
use shared::shared;
use sql::{Database, QueryOptions};
use std::path::Path;
use std::sync::Arc;

fn open(path: &Path) -> Evidence {
    import::open(path, Options { payloads: true, threads: 1 }).unwrap()
}

fn read(path: &Path) -> Arc<Trace> {
    open(path).into_trace().unwrap()
}

fn rows(recording: &Arc<Trace>, sql: &str) -> Vec<Vec<String>> {
    let database = Database::of(recording.clone()).unwrap();
    let answer = database.query(sql, QueryOptions { limit: None, interrupt_after: None }).unwrap();
    let text = |cell: &sql::Cell| format!("{cell:?}");
    answer.rows.iter().map(|row| row.iter().map(text).collect()).collect()
}

#[test]
fn blocked_threads_are_found_under_more_frames_than_are_kept() {
    for depth in [150, 20] {
        let name = format!("cases/deep-stacks-{depth}.nettrace.zst");
        let Some(path) = shared("blocked_deep", &name) else { return };
        let recording = read(&path);
        let index = StackIndex::new(&recording);
        let report = findings::explain_with(&recording, &index);
        let found = report.findings.iter().find(|finding| finding.id == "sync-over-async").unwrap();
        assert_eq!(found.severity, Severity::Critical, "{depth}: {}", found.title);
        for evidence in &found.evidence {
            assert!(!rows(&recording, &evidence.sql).is_empty(), "{depth}: {}", evidence.sql);
        }
        let sampling = runtime::Sampling::new(&recording).unwrap();
        let used = runtime::pool_use(&recording, &sampling, &index);
        assert!(used.held_up_all() > 10.0 && used.idle < used.held_up_all(), "{depth}: {used:?}");
        let cut = recording.missing.limits.get(LimitKind::Stacks);
        let reported = cut.map(|limit| (limit.count > 0, limit.limit, limit.samples.unwrap() > 20_000));
        assert_eq!(reported, (depth == 150).then_some((true, Some(100), true)), "{depth}");
        let says_so = found.measured.iter().any(|of| of.name.contains("lack their outermost frames"));
        assert_eq!(says_so, depth == 150);
    }
}

#[test]
fn histograms_that_the_runtime_does_not_publish_are_reported_and_the_rate_is_partial() {
    let Some(path) = shared("histogram_limit", "cases/histogram-limit") else { return };
    let evidence = open(&path);
    let recording = evidence.clone().into_trace().unwrap();
    let index = StackIndex::new(&recording);
    let explanation = findings::explanation(&recording, &index);
    let part = explanation.parts.iter().find(|part| part.id == "requests").unwrap();
    let rate = part.figures.iter().find(|figure| figure.name == "rate").unwrap();
    assert!(rate.partial && rate.value.is_some_and(|rate| rate < 1_000.0), "{rate:?}");
    assert!(explanation.heading.losses.iter().any(|text| text.contains("HistogramLimitReached")));
    let document = text::explain::document(&evidence, &explanation);
    let limit = serde_json::json!([{"what": "HistogramLimitReached", "count": 1, "limit": 100}]);
    assert_eq!(document["loss"]["limits"], limit);
    let partial = rows(&recording, "select name from metrics where partial = 1");
    assert_eq!(partial.len(), 1, "{partial:?}");
}

#[test]
fn two_meters_of_one_name_are_series_of_their_own() {
    let Some(path) = shared("two_meters", "cases/two-meters-one-name.nettrace.zst") else { return };
    let recording = read(&path);
    let sql = "select kind, tags, min(value), max(value) from counters \
               where provider = 'My.Peer' and name in ('messages', 'depth') group by 1, 2 order by 1, 2";
    let rows = rows(&recording, sql);
    let keys: Vec<String> = rows.iter().map(|row| format!("{} {}", row[0], row[1])).collect();
    let series =
        |kind: &str, bind: &str| format!("{:?} {:?}", Text(kind), Text(&format!(r#"{{"bind":"{bind}"}}"#)));
    let expected: Vec<String> = ["rate", "total", "value"]
        .iter()
        .flat_map(|kind| ["a", "b"].map(|bind| series(kind, bind)))
        .collect();
    assert_eq!(keys, expected);
    let values = runtime::metered(&recording, "messages", "rate");
    assert!(values.len() > 4 && values.iter().all(|of| of.value > 0.0), "{values:?}");
}

/// A text as `Cell` prints it.
struct Text<'a>(&'a str);

impl std::fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Text").field(&self.0).finish()
    }
}

#[test]
fn heaps_of_a_process_of_32_bits_have_their_sizes() {
    let name = "captures/public/eventpipe-dotnetcore2.1-win-x86-objver3.netperf.zip";
    let Some(path) = shared("heaps_of_32_bits", name) else { return };
    let recording = read(&path);
    assert!(!recording.gc.number.is_empty());
    let sizes = recording.gc.heap_before_bytes.iter().zip(&recording.gc.heap_after_bytes);
    for (before, after) in sizes {
        assert!(*before > 0 && *after > 0, "{before} {after}");
    }
    // Every field of every event of the runtime ends where the payload does.
    assert!(!recording.lost.is_damaged(), "{:?}", recording.lost);
}

#[test]
fn files_that_are_made_to_be_slow_are_read_to_their_end() {
    let cases = [
        ("q1_60M", "block that cannot be read: skipped to the next"),
        ("q2_60M", "stream"),
        ("q3_60M", "thread"),
    ];
    for (name, what) in cases {
        let Some(path) = shared("hostile", &format!("cases/hostile/{name}.nettrace.zst")) else { return };
        let recording =
            import::open(&path, Options { payloads: false, threads: 1 }).unwrap().into_trace().unwrap();
        let damage: Vec<&str> = recording.lost.damage.kinds().iter().map(|kind| kind.what).collect();
        assert!(damage.iter().any(|kind| kind.contains(what)), "{name}: {damage:?}");
    }
}
