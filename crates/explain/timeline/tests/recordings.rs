//! The time line of real recordings: however it is cut, it tells of the same rows.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

use import::Options;
use model::Trace;
use runtime::StackIndex;
use std::path::PathBuf;
use std::sync::Arc;
use timeline::{Lane, LaneValues, MAX_PIECES, Span, lanes};

fn recording(name: &str) -> Arc<Trace> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures").join(name);
    import::open(&path, Options { payloads: false, threads: 2 }).unwrap().into_trace().unwrap()
}

fn lane<'a>(lanes: &'a [Lane], id: &str) -> &'a Lane {
    lanes.iter().find(|lane| lane.id == id).unwrap_or_else(|| panic!("no lane {id}"))
}

#[test]
fn starvation_is_seen_as_workers_that_grow_in_number_and_wait_for_tasks() {
    let recording = recording("starvation.nettrace.zst");
    let all = lanes(&recording, &StackIndex::new(&recording), Span::whole(&recording), 600);
    let ids: Vec<&str> = all.iter().map(|lane| lane.id).collect();
    let expected = [
        "requests",
        "latency",
        "in-flight",
        "cores",
        "running",
        "workers",
        "queue",
        "waiting",
        "locks",
        "lock-waits",
        "heap",
        "allocation",
        "jit",
    ];
    assert_eq!(ids, expected);
    let workers: Vec<f64> = lane(&all, "workers").levels().flatten().collect();
    assert!(workers.first().unwrap() * 2.0 < *workers.last().unwrap(), "{workers:?}");
    let waiting = lane(&all, "waiting");
    let LaneValues::Area { layers, .. } = &waiting.shape else { panic!("no area") };
    let tasks = layers.iter().find(|layer| layer.name == "tasks").unwrap();
    let last = tasks.values.iter().flatten().last().unwrap();
    assert!(
        *last > 40.0 && waiting.most().unwrap() < 80.0,
        "{last} of {:?} threads wait for tasks",
        waiting.most()
    );
}

#[test]
fn however_a_recording_is_cut_its_totals_and_means_are_the_same() {
    let recording = recording("starvation.nettrace.zst");
    let index = StackIndex::new(&recording);
    let span = Span::whole(&recording);
    let whole = lanes(&recording, &index, span, 1);
    for pieces in [7, 600, MAX_PIECES] {
        let cut = lanes(&recording, &index, span, pieces);
        for (id, tolerance) in
            [("lock-waits", 1e-9), ("locks", 1e-6), ("jit", 1e-6), ("allocation", 1e-6), ("waiting", 1e-3)]
        {
            let [one, many] = [&whole, &cut].map(|all| lane(all, id).mean_or_total().unwrap());
            assert!(
                (one - many).abs() <= tolerance * one.abs(),
                "{id} in {pieces} pieces: {many}, not {one}"
            );
        }
        assert!(cut.iter().all(|lane| lane.observed.len() == pieces.min(MAX_PIECES)));
        assert!(cut.iter().flat_map(|lane| &lane.observed).all(|share| (0.0..=1.0).contains(share)));
    }
}

#[test]
fn any_range_has_a_time_line() {
    for name in ["net31.nettrace.zst", "net8.nettrace.zst"] {
        let recording = recording(name);
        let index = StackIndex::new(&recording);
        let end = recording.exhibit.duration_ns;
        for (from_ns, to_ns) in
            [(0, end), (end / 2, end / 2 + 1), (end, 2 * end), (i64::MIN, i64::MAX), (9, -9)]
        {
            for lane in lanes(&recording, &index, Span { from_ns, to_ns }, 600) {
                assert!(lane.levels().flatten().all(f64::is_finite), "{name} {}", lane.id);
            }
        }
    }
}
