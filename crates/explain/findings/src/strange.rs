//! Recordings of every length and size, and such as no runtime writes: the rules hold for them, or say nothing.

use crate::facts::Facts;
use crate::testing::*;
use crate::{RULES, explain};
use model::{NO_INT, Trace};
use proptest::prelude::*;
use report::{Finding, Severity};
use runtime::StackIndex;

/// What holds of every report.
fn check(recording: &Trace) -> Vec<Finding> {
    let report = explain(recording);
    assert_eq!(report.checked.len() + report.not_checked.len(), RULES.len());
    for finding in &report.findings {
        assert!((0.0..=1.0).contains(&finding.score), "{}: score {}", finding.id, finding.score);
        let finite = finding.measured.iter().all(|of| of.value.is_finite());
        assert!(finite, "{}: {:?}", finding.id, finding.measured);
        assert!(finding.places.iter().all(|place| place.share.is_finite()), "{}", finding.id);
        let shown = finding.evidence.iter().all(|of| of.rows > 0 && of.first_ts_ns <= of.last_ts_ns);
        assert!(shown, "{}: {:?}", finding.id, finding.evidence);
        let needed = finding.severity > Severity::Note;
        assert!(!(needed && finding.evidence.is_empty()), "{}: nothing shows it", finding.id);
        assert!(!finding.title.contains("NaN") && !finding.title.contains("inf "), "{}", finding.title);
    }
    let order: Vec<_> = report.findings.iter().map(|of| (of.severity, of.score)).collect();
    assert!(order.is_sorted_by(|a, b| a.0 > b.0 || (a.0 == b.0 && a.1 >= b.1)), "{order:?}");
    report.findings
}

#[test]
fn an_empty_recording_says_nothing() {
    assert_eq!(check(&Trace::default()), []);
    let empty = Trace::default();
    let index = StackIndex::new(&empty);
    assert!(RULES.iter().all(|rule| (rule.check)(&Facts::new(&empty, &index)).is_none()));
}

/// A service with work for its cores and nothing wrong with it.
fn healthy(seconds: i64, cores: u32) -> Scene {
    let mut scene = Scene::lasting(seconds, cores);
    for worker in 0..cores {
        let thread = scene.thread("pool");
        for look in 0..LOOKS {
            match (look + i64::from(worker)) % 3 {
                0 | 1 => {
                    let part = format!("System.Text.Json!System.Text.Json.Part{}.Write", look % 31);
                    scene.runs(thread, look..look + 1, &[WORK, REQUEST, CART, &part]);
                }
                _ => scene.waits(thread, look..look + 1, "queue", &[WAIT]),
            }
        }
    }
    let consumer = scene.thread("pool");
    scene.waits(consumer, 0..LOOKS, "queue", &[WORK, "Shop!Shop.Outbox.Run", WAIT]);
    let finalizer = scene.thread("finalizer");
    scene.outside(finalizer, 0..LOOKS, &[]);
    // The start: threads, a lock of a first use, code, a few failures.
    for at in 0..20 {
        scene.thread_of("", 1 + at, 30_000_000);
        scene.contends(consumer, at, 8, None, &[WORK, CART, "Shop!Shop.Prices..cctor"]);
        scene.compiles(consumer, at, 1, "dynamicClass.lambda_method()", "Optimized");
        scene.throws(at, "System.Net.Sockets.SocketException", "", &[WORK, CART]);
    }
    for second in 0..seconds {
        let at = second * 1000;
        scene.adjusts(at, "ClimbingMove", 4);
        scene.counter(at, "dotnet.thread_pool.queue.length", "total", 3.0, "");
        scene.counter(at, "http.server.request.duration", "count", 500.0, "");
        scene.counter(at, "http.server.request.duration", "sum", 2.5, "");
        scene.counter(at, "http.client.request.duration", "count", 500.0, "");
        scene.counter(at, "http.client.request.duration", "sum", 1.5, "");
        scene.counter(at, "db.client.operation.duration", "count", 1000.0, "");
        scene.counter(at, "db.client.operation.duration", "sum", 1.0, "");
        scene.throws(at, "System.OperationCanceledException", "", &[WORK, CART]);
        scene.allocates(at, "Small", 50e6 * f64::from(cores));
        let level = 20_000_000 + second % 7 * 100_000;
        scene.gc(at, "AllocSmall", |row| (row.gen2_bytes, row.pinned_objects) = (level, 3));
    }
    scene
}

#[test]
fn a_healthy_service_is_healthy_for_a_second_and_an_hour_on_one_processor_and_on_many() {
    for (seconds, cores) in [(1, 1), (1, 64), (10, 1), (10, 2), (10, 64), (3600, 1), (3600, 64)] {
        let found = check(&healthy(seconds, cores).done());
        let heavy = found.iter().find(|finding| finding.severity > Severity::Note);
        assert_eq!(heavy.map(|of| &of.title), None, "{seconds} s on {cores}");
    }
}

#[test]
fn trouble_is_seen_for_a_second_and_an_hour_on_one_processor_and_on_many() {
    for (seconds, cores) in [(1, 1), (1, 64), (10, 2), (3600, 1), (3600, 64)] {
        let mut scene = healthy(seconds, cores);
        scene.workers_wait(4 * cores as usize, 0..LOOKS, "task", &[WORK, CART, WAIT]);
        let found = check(&scene.done());
        let first = found.first().map(|of| (of.id, of.severity));
        assert_eq!(first, Some(("sync-over-async", Severity::Critical)), "{seconds} s on {cores}");
    }
}

#[test]
fn samples_of_a_part_of_the_time_stand_for_that_part() {
    let mut scene = Scene::new();
    let samples = scene.recording.text("samples");
    let source = &scene.recording.coverage.source;
    let at = source.iter().position(|of| *of == samples).unwrap();
    scene.recording.coverage.to_ns[at] = 1_000_000_000;
    scene.workers_wait(2, 0..LOOKS, "sleep", &[WORK, CART, WAIT]);
    scene.workers_wait(1, 0..LOOKS / 2, "sleep", &[WORK, CART, WAIT]);
    let mut recording = scene.done();
    recording.samples.ts_ns.iter_mut().for_each(|ts_ns| *ts_ns /= 10);
    let found = check(&recording);
    let first = found.first().map(|of| (of.id, of.measured.first().map(|of| of.value)));
    assert_eq!(first, Some(("blocking-call-on-pool", Some(0.5))));
}

/// Numbers as they are, and as only damage makes them.
fn number() -> impl Strategy<Value = i64> {
    prop_oneof![
        5 => 0i64..12_000,
        1 => Just(0),
        1 => Just(-1),
        1 => Just(i64::MAX),
        1 => Just(i64::MIN + 1),
        1 => Just(NO_INT),
        1 => any::<i64>(),
    ]
}

fn real() -> impl Strategy<Value = f64> {
    prop_oneof![4 => 0.0..1e9, 1 => Just(0.0), 1 => Just(f64::MAX), 1 => Just(-1.0), 1 => any::<f64>()]
}

/// Rows of one table: which, how many, their numbers, and a choice of words and stacks.
type Rows = (u8, i64, [i64; 3], f64, usize);

fn rows() -> impl Strategy<Value = Rows> {
    let times = prop_oneof![3 => 1i64..8, 1 => 100i64..400];
    (0u8..16, times, [number(), number(), number()], real(), any::<usize>())
}

const STACKS: [&[&str]; 10] = [
    &[],
    &[WORK, CART],
    &[WORK, CART, WAIT],
    &[WORK, REQUEST, CART, "System.Private.CoreLib!System.Threading.SemaphoreSlim.WaitAsync"],
    &[WORK, CART, LOG, WAIT],
    &[CART],
    &[WORK, CART, "System.Text.RegularExpressions!System.Text.RegularExpressions.RegexInterpreter.Scan"],
    &[WORK, CART, "System.Linq.Expressions!System.Linq.Expressions.Expression`1.Compile"],
    &["Shop!Shop.Program.Main", WAIT],
    &["System.Private.CoreLib!System.Threading.Thread.PollGC"],
];
const KINDS: [&str; 6] = ["pool", "user", "finalizer", "", "main", "tiering"];
const WAITS: [&str; 6] = ["task", "lock", "sleep", "queue", "monitor", "what"];
const REASONS: [&str; 4] = ["AllocSmall", "AllocLarge", "Induced", "LowMemory"];
const METERS: [&str; 9] = [
    "http.server.request.duration",
    "http.client.request.duration",
    "http.client.connection.duration",
    "db.client.operation.duration",
    "db.client.connection.npgsql.pending_requests",
    "dotnet.thread_pool.queue.length",
    "threadpool-completed-items-count",
    "dotnet.process.cpu.count",
    "cpu-usage",
];
const TAGS: [&str; 4] = [
    r#"{"db.query.text":"select 1"}"#,
    r#"{"http.request.method":"GET"}"#,
    "{}",
    r#"{"http.route":"/cart"}"#,
];

fn pick<T: Copy>(list: &[T], by: usize) -> T {
    list[by % list.len()]
}

fn add(scene: &mut Scene, (table, times, [a, b, c], value, by): Rows) {
    let stack = pick(&STACKS, by);
    for time in 0..times {
        let at = a.saturating_add(time.saturating_mul(10));
        match table {
            0..=3 => {
                let thread = scene.thread(pick(&KINDS, by / 16));
                match table {
                    0 => scene.runs(thread, 0..LOOKS, stack),
                    1 => scene.outside(thread, 0..LOOKS, stack),
                    _ => scene.waits(thread, 0..LOOKS, pick(&WAITS, by / 7), stack),
                }
                if time > 20 {
                    return;
                }
            }
            4 => drop(scene.thread_of(pick(&KINDS, by / 16), at.saturating_mul(1_000_000), b)),
            5 => scene.gc(at, pick(&REASONS, by / 5), |row| {
                (row.pause_ns, row.generation, row.pinned_objects) = (b, c % 3, c);
                (row.gen2_bytes, row.promoted_bytes, row.stack) = (c.saturating_mul(at), b, None);
            }),
            6 => scene.allocates(at, pick(&["Small", "Large", "Pinned"], by), value),
            7 => scene.contends(u16::try_from(by % 9).unwrap().into(), at, b, Some(3.into()), stack),
            8 => scene.adjusts(at, pick(&["Starvation", "CooperativeBlocking"], by), c),
            9 => scene.counter(
                at,
                pick(&METERS, by),
                pick(&["count", "sum", "value", "p50", "total"], by / 9),
                value,
                pick(&TAGS, by),
            ),
            10 => scene.request(at, b, "/cart"),
            11 => scene.call(at, b, pick(&["one", "two", ""], by), pick(&TAGS, by)),
            12 => scene.throws(at, "Npgsql.NpgsqlException", "connection pool has been exhausted", stack),
            13 => scene.compiles(
                0.into(),
                at,
                b,
                pick(&["dynamicClass.lambda()", "Shop.Cart.Total()"], by),
                pick(&["MinOptJitted", "Optimized"], by),
            ),
            14 => scene.logs(at),
            _ => scene.event(
                at,
                pick(&[RUNTIME, "System.Net.Http"], by),
                pick(&["Runtime/Start", "ConnectionEstablished", "GC/Triggered", "Thread/Creating"], by / 2),
                0.into(),
                stack,
            ),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_is_recorded_is_judged_without_a_fault(
        seconds in prop_oneof![4 => 1i64..20, 1 => Just(3600), 1 => Just(0)],
        cores in prop_oneof![Just(1u32), Just(2), Just(64), Just(0)],
        (without_threads, covered, length) in (any::<bool>(), any::<bool>(), number()),
        tables in prop::collection::vec(rows(), 0..8),
    ) {
        let mut scene = Scene::lasting(seconds, cores);
        for rows in tables {
            add(&mut scene, rows);
        }
        if without_threads {
            scene.recording.threads = model::ThreadRows::default();
        }
        if !covered {
            scene.recording.coverage = model::Coverage::default();
            scene.covers("samples", 0, 1000);
            scene.recording.exhibit.duration_ns = length;
        }
        check(&scene.done());
    }
}
