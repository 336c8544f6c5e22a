//! Recordings made up: closed forms, and what no runtime writes.

#![expect(clippy::unwrap_used, reason = "a test")]

use diff::{Side, compare};
use model::{
    AllocationRow, ContentionRow, CounterRow, ExceptionRow, GcRow, JitRow, PauseRow, SampleRow, SpanRow,
    StackId, Sym, Trace, WaitRow,
};
use proptest::prelude::*;
use report::{Basis, Change, ChangeVerdict, Diff, Report, Subject};
use runtime::{HandlerNames, StackIndex};

const SECOND: i64 = 1_000_000_000;

/// A recording of so many seconds, with events and samples all the time.
fn lasting(seconds: i64) -> Trace {
    let mut recording = Trace::default();
    recording.exhibit.duration_ns = seconds * SECOND;
    recording.thread_ids = vec![10, 11].into();
    for source in ["events", "samples"] {
        recording.covers(source, 0, seconds * SECOND - 1);
    }
    recording
}

fn diff(before: &Trace, after: &Trace, basis: Basis) -> Diff {
    let indices = (StackIndex::new(before), StackIndex::new(after));
    let report = Report::default();
    let handlers = (HandlerNames::new(before, &indices.0), HandlerNames::new(after, &indices.1));
    let side = |recording, index, handlers| Side { recording, index, handlers, report: &report, range: None };
    compare(&side(before, &indices.0, &handlers.0), &side(after, &indices.1, &handlers.1), basis)
}

fn row<'a>(diff: &'a Diff, measure: &str, name: &str) -> &'a Change {
    diff.rows.iter().find(|row| row.measure == measure && row.name == name).unwrap()
}

fn exceptions(recording: &mut Trace, class: &str, times: impl Iterator<Item = i64>) {
    let class = recording.text(class);
    for ts_ns in times {
        recording.exceptions.push(ExceptionRow { ts_ns, class, ..ExceptionRow::blank() });
    }
}

/// Times of events: `per_second` of them on average, a little more in every other second.
fn about(per_second: i64, seconds: i64) -> impl Iterator<Item = i64> {
    (0..seconds).flat_map(move |second| {
        let many = if second % 2 == 0 { per_second * 9 / 10 } else { per_second * 11 / 10 };
        (0..many).map(move |at| second * SECOND + at * SECOND / many)
    })
}

#[test]
fn twice_as_many_events_are_beyond_noise_and_a_twentieth_more_is_not() {
    let mut sides = [lasting(20), lasting(20), lasting(20)];
    for (recording, per_second) in sides.iter_mut().zip([100, 200, 105]) {
        exceptions(recording, "Shop.Oops", about(per_second, 20));
    }
    let [before, twice, more] = &sides;
    let doubled = diff(before, twice, Basis::Duration);
    let thrown = row(&doubled, "exceptions thrown", "");
    assert_eq!((thrown.before, thrown.after), (Some(100.0), Some(200.0)));
    assert_eq!(
        (thrown.ratio(), thrown.verdict, thrown.unit.as_str()),
        (Some(2.0), ChangeVerdict::BeyondNoise, "1/s")
    );
    let (low, high) = thrown.interval.unwrap();
    assert!(low < 100.0 && high > 100.0 && low > 80.0 && high < 120.0, "{low} {high}");
    let by_type = row(&doubled, "exceptions thrown, by type", "Shop.Oops");
    assert_eq!((by_type.shares, by_type.class.as_deref()), (Some((1.0, 1.0)), Some("Shop.Oops")));
    assert_eq!(by_type.verdict, ChangeVerdict::BeyondNoise);
    let more = diff(before, more, Basis::Duration);
    assert_eq!(row(&more, "exceptions thrown", "").verdict, ChangeVerdict::WithinNoise);
}

#[test]
fn what_was_recorded_twice_as_long_did_not_happen_twice_as_often() {
    let (mut short, mut long) = (lasting(10), lasting(20));
    exceptions(&mut short, "Shop.Oops", about(100, 10));
    exceptions(&mut long, "Shop.Oops", about(100, 20));
    let diff = diff(&short, &long, Basis::Duration);
    assert_eq!(row(&diff, "exceptions thrown", "").difference(), Some(0.0));
    assert_eq!(diff.observed_ns, (10 * SECOND, 20 * SECOND));
    assert_eq!(diff.pieces, (10, 20));
}

#[test]
fn per_request_a_service_under_twice_the_load_did_not_change() {
    let mut sides = [lasting(10), lasting(10)];
    for (recording, per_second) in sides.iter_mut().zip([100, 200]) {
        about(per_second, 10).for_each(|ns| recording.request(ns, 5_000_000, "/a", 200));
        exceptions(recording, "Shop.Oops", about(per_second, 10));
    }
    let [before, after] = &sides;
    let by_time = diff(before, after, Basis::Duration);
    assert_eq!(row(&by_time, "exceptions thrown", "").ratio(), Some(2.0));
    assert!(by_time.caveats.iter().any(|of| of.starts_with("the load differs")), "{:?}", by_time.caveats);
    let by_request = diff(before, after, Basis::Request);
    let thrown = row(&by_request, "exceptions thrown", "");
    assert_eq!((thrown.ratio(), thrown.verdict), (Some(1.0), ChangeVerdict::WithinNoise));
    assert_eq!((thrown.unit.as_str(), by_request.requests), ("1/request", Some((1_000.0, 2_000.0))));
    // The number of requests is reported all the same.
    assert_eq!(row(&by_request, "requests", "").ratio(), Some(2.0));
}

#[test]
fn the_slowest_requests_of_one_route_are_told_apart_from_the_others() {
    let mut sides = [lasting(10), lasting(10)];
    for (at, recording) in sides.iter_mut().enumerate() {
        for (number, ns) in about(500, 10).enumerate() {
            let slow = if at == 1 && number % 10 == 0 { 200 } else { 0 };
            let spread = i64::try_from(number % 7).unwrap();
            recording.request(ns, (10 + spread + slow) * 1_000_000, "/slow", 200);
            let status = if number % 50 == 0 { 500 } else { 200 };
            recording.request(ns, (20 + spread) * 1_000_000, "/same", status);
        }
    }
    let [before, after] = &sides;
    let diff = diff(before, after, Basis::Duration);
    let p99 = row(&diff, "p99", "GET /slow");
    assert_eq!((p99.before, p99.after), (Some(16.0), Some(216.0)));
    assert_eq!(
        (p99.verdict, p99.unit.as_str(), p99.subject),
        (ChangeVerdict::BeyondNoise, "ms", Subject::Latency)
    );
    assert_eq!(row(&diff, "p50", "GET /slow").verdict, ChangeVerdict::WithinNoise);
    assert_eq!(row(&diff, "p99", "GET /same").difference(), Some(0.0));
    let failed = row(&diff, "share of requests that failed", "GET /same");
    assert_eq!((failed.before, failed.after), (Some(0.02), Some(0.02)));
}

#[test]
fn methods_are_threads_on_average_however_often_the_sampler_looked() {
    let mut sides = [lasting(10), lasting(10)];
    // One sampler runs 1,000 times per second, the other 100 times.
    for (recording, (looks, busy)) in sides.iter_mut().zip([(1_000, 250), (100, 50)]) {
        let every = 10 * SECOND / (10 * looks);
        let main = ["Shop!Main"];
        let price = ["Shop!Main", "Shop!Price", "System.Private.CoreLib!Sum", "Shop!Price"];
        let mut rows: Vec<(i64, bool)> = (0..looks * 10).map(|at| (at * every, false)).collect();
        let of_price = (0..looks * 10).filter(|at| at % looks < busy);
        rows.extend(of_price.map(|at| (at * every, true)));
        rows.sort_unstable();
        for (ns, is_price) in rows {
            let (methods, thread): (&[&str], u16) = if is_price { (&price, 1) } else { (&main, 0) };
            recording.sample(ns, thread.into(), ["", "running", ""], methods);
        }
    }
    let [before, after] = &sides;
    let diff = diff(before, after, Basis::Duration);
    let own = row(&diff, "running, itself", "Shop!Price");
    let (was, is) = (own.before.unwrap(), own.after.unwrap());
    assert!((was - 0.25).abs() < 1e-9 && (is - 0.5).abs() < 1e-9, "{was} {is}");
    assert_eq!(
        (own.verdict, own.unit.as_str(), own.metric),
        (ChangeVerdict::BeyondNoise, "threads", Some("running"))
    );
    assert_eq!(own.method.as_deref(), Some("Shop!Price"));
    // It calls itself through the runtime, and counts once.
    assert!(
        !diff.rows.iter().any(|of| of.measure == "running, including callees" && of.name == "Shop!Price")
    );
    assert_eq!(row(&diff, "running, itself", "Shop!Main").difference(), Some(0.0));
    assert!(diff.caveats.iter().any(|of| of.starts_with("samples were taken")), "{:?}", diff.caveats);
}

#[test]
fn methods_whose_names_one_side_lacks_are_left_out_and_not_taken_for_gone() {
    let mut sides = [lasting(20), lasting(20)];
    for recording in &mut sides {
        let stack = recording.stack(&["Shop!Shop.Program.Main", "Shop!Shop.Cart.Total"]);
        let [source, class] = recording.texts(["sample", "System.String"]);
        for ts_ns in about(100, 20) {
            let (weight_bytes, none) = (1e6, AllocationRow::blank());
            recording.allocations.push(AllocationRow { ts_ns, class, source, weight_bytes, stack, ..none });
        }
    }
    let by_caller = "allocated, by caller";
    let compared = |sides: &[Trace; 2]| diff(&sides[0], &sides[1], Basis::Duration);
    assert!(compared(&sides).rows.iter().any(|row| row.measure == by_caller));
    for (name, method) in sides[1].frames.name.iter_mut().zip(sides[1].frames.method.iter_mut()).skip(1) {
        (*name, *method) = (Sym::NONE, Sym::NONE);
    }
    let of = compared(&sides);
    assert!(of.rows.iter().all(|row| row.measure != by_caller), "{:?}", of.rows);
    let why = "50 % of the frames of the recording after have no name";
    let is_said = format!("{:?}", of.not_compared);
    assert!(is_said.contains(by_caller) && is_said.contains(why), "{is_said}");
}

#[test]
fn files_of_two_programs_are_said_to_be_of_two_services() {
    let mut sides = [lasting(20), lasting(20)];
    for (recording, program) in sides.iter_mut().zip(["orders", "parcels"]) {
        recording.exhibit.command_line = Some(format!("/usr/bin/dotnet /srv/{program}.dll --urls x"));
        exceptions(recording, "Shop.Oops", about(100, 20));
    }
    let of = diff(&sides[0], &sides[1], Basis::Duration);
    let not_the_same = "Not the same service: orders before, parcels after.";
    assert!(of.summary.starts_with(not_the_same), "{}", of.summary);
}

#[test]
fn a_table_that_neither_tells_of_is_said_and_no_value_is_made_up() {
    let (before, after) = (lasting(10), lasting(10));
    let diff = diff(&before, &after, Basis::Duration);
    assert_eq!(diff.rows, []);
    let whats: Vec<&str> = diff.not_compared.iter().map(|of| of.what.as_str()).collect();
    for what in ["latency of requests", "collections", "allocations", "exceptions", "samples of stacks"] {
        assert!(whats.contains(&what), "{what}: {whats:?}");
    }
    let nothing = self::diff(&Trace::default(), &Trace::default(), Basis::Request);
    assert_eq!(nothing.rows, []);
    assert!(nothing.caveats.iter().any(|of| of == "before: nothing was observed"), "{:?}", nothing.caveats);
}

#[test]
fn a_recording_with_very_many_names_lists_some_and_counts_the_others() {
    let mut sides = [lasting(10), lasting(10)];
    for (at, recording) in sides.iter_mut().enumerate() {
        for number in 0..3_000 {
            exceptions(recording, &format!("Shop.Oops{at}{number}"), std::iter::once(number * 1_000));
        }
        exceptions(recording, "Shop.Often", about(1_000, 10));
    }
    let [before, after] = &sides;
    let diff = diff(before, after, Basis::Duration);
    let listed = diff.rows.iter().filter(|row| row.measure == "exceptions thrown, by type").count();
    assert_eq!(listed, 1);
    assert!(diff.left_out.contains(&(6_000, "exceptions thrown, by type".to_owned())), "{:?}", diff.left_out);
}

/// Numbers from 0 to 1 that look like chance, the same each time (Knuth's MMIX generator).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(self.0 >> 33).unwrap()) / f64::from(1u32 << 31)
    }

    /// Nearly normal, of mean 0 and deviation 1.
    fn normal(&mut self) -> f64 {
        ((0..12).map(|_| self.next()).sum::<f64>()) - 6.0
    }

    /// How many of this mean, whose variance is twice that of independent events.
    fn many(&mut self, mean: f64) -> f64 {
        (mean + (2.0 * mean).sqrt() * self.normal()).round().max(0.0)
    }
}

/// Twenty seconds of a service: requests by a meter, exceptions, collections, counters of its own, each with the noise of
/// its seconds and a speed of its own in each run.
fn service(seed: u64, pace: f64) -> Trace {
    let mut chance = Chance(seed);
    let mut of = lasting(20);
    // A run differs from another one by about a fiftieth.
    let pace = pace * (1.0 + 0.02 * chance.normal());
    for second in 0..20 {
        let ts_ns = second * SECOND + 900_000_000;
        for (route, per_second) in [("/a", 200.0), ("/b", 100.0), ("/c", 20.0)] {
            metered(&mut of, ts_ns, route, chance.many(per_second * pace));
        }
        let thrown = chance.many(20.0 * pace);
        let times = (0..200).filter(|at| f64::from(*at) < thrown).map(|at| second * SECOND + i64::from(at));
        exceptions(&mut of, "Shop.Oops", times);
        for number in 0..60 {
            let texts = ["Shop", &format!("shop.{number}"), "{item}", "rate", "{}"];
            of.counter(ts_ns, texts, chance.many(50.0 * pace));
        }
    }
    of
}

fn metered(of: &mut Trace, ts_ns: i64, route: &str, count: f64) {
    let tags = format!("{{\"http.route\":\"{route}\"}}");
    for (kind, value) in [("count", count), ("sum", count * 0.01), ("p50", 0.01), ("p99", 0.02)] {
        let texts = ["Microsoft.AspNetCore.Hosting", "http.server.request.duration", "s", kind, &tags];
        of.counter(ts_ns, texts, value);
    }
}

#[test]
fn like_runs_of_a_service_stay_silent_and_a_fifth_less_is_seen() {
    let (mut alarms, mut seen) = (0, 0);
    let all = 60;
    for seed in 0..all {
        let before = service(2 * seed + 1, 1.0);
        let same = diff(&before, &service(2 * seed + 1_000_002, 1.0), Basis::Duration);
        assert!(same.comparisons > 60, "{}", same.comparisons);
        alarms += usize::from(same.verdict() == ChangeVerdict::BeyondNoise);
        let slower = diff(&before, &service(2 * seed + 2_000_002, 0.8), Basis::Duration);
        let requests = row(&slower, "requests", "");
        seen += usize::from(requests.verdict == ChangeVerdict::BeyondNoise);
    }
    // One in twenty is promised for the whole list: of 60, more than 8 are chance one time in a thousand.
    assert!(alarms <= 8, "{alarms} of {all} comparisons of like runs had a row beyond noise");
    assert!(seen * 10 >= 8 * 60, "only {seen} of {all} slower runs were seen");
}

#[test]
fn the_sentence_says_what_changed_most_and_no_change_is_said_in_words() {
    let same = diff(&service(1, 1.0), &service(4, 1.0), Basis::Duration);
    assert_eq!(same.summary, "No difference beyond noise.");
    assert!(same.first.is_empty());
    let slower = diff(&service(1, 1.0), &service(4, 0.5), Basis::Duration);
    assert!(slower.summary.starts_with("Throughput fell by "), "{}", slower.summary);
    assert!((1..=10).contains(&slower.first.len()), "{:?}", slower.first);
}

#[test]
fn requests_that_only_the_event_counter_knows_whole_are_not_taken_from_a_meter_that_lost_some() {
    let counted = |per_second: f64| {
        let mut of = lasting(20);
        for second in 0..20 {
            let ts_ns = second * SECOND + 900_000_000;
            // The meter follows one route of many.
            metered(&mut of, ts_ns, "/a", 10.0);
            let uneven = if second % 2 == 0 { 2.0 } else { 0.0 };
            let value = 7_000.0 + per_second * f64::from(i32::try_from(second).unwrap()) + uneven;
            of.counter(ts_ns, ["Microsoft.AspNetCore.Hosting", "total-requests", "", "value", "{}"], value);
        }
        of.missing.limits.note(model::LimitKind::Histograms, None);
        of
    };
    let diff = diff(&counted(400.0), &counted(300.0), Basis::Duration);
    let requests = row(&diff, "requests", "");
    let (before, after) = (requests.before.unwrap(), requests.after.unwrap());
    assert!((before - 400.0).abs() < 1.0 && (after - 300.0).abs() < 1.0, "{before} {after}");
    assert_eq!(requests.verdict, ChangeVerdict::BeyondNoise);
}

/// Numbers as no runtime writes them.
fn number() -> impl Strategy<Value = i64> {
    let edges = [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX];
    prop_oneof![4 => 0..12 * SECOND, 1 => proptest::sample::select(edges.to_vec())]
}

fn weight() -> impl Strategy<Value = f64> {
    let edges = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE, -1.0, 0.0];
    prop_oneof![4 => 0.0..1e9, 1 => proptest::sample::select(edges.to_vec())]
}

type Hostile = (Vec<(i64, i64, f64)>, Vec<(i64, i64)>);

fn collection(of: &mut Trace, reason: Sym, ts_ns: i64, dur_ns: i64, stack: Option<StackId>) {
    of.gc.push(GcRow {
        number: dur_ns,
        generation: dur_ns % 3,
        reason,
        start_ns: ts_ns,
        dur_ns,
        pause_ns: dur_ns,
        heap_after_bytes: dur_ns,
        promoted_bytes: dur_ns,
        gen2_bytes: dur_ns,
        stack,
        ..GcRow::blank()
    });
}

fn hostile((rows, spans): &Hostile) -> Trace {
    let mut of = Trace { thread_ids: vec![1].into(), ..Trace::default() };
    for (at, (from_ns, to_ns)) in spans.iter().enumerate() {
        of.covers(if at % 2 == 0 { "events" } else { "samples" }, *from_ns, *to_ns);
    }
    let words =
        ["running", "gc", "sample", "http.server.request.duration", "p99", "count", "{\"http.route\":\""];
    let [running, gc, sample, meter, p99, count, tags] = of.texts(words);
    let stack = of.stack(&["Shop!Main", "Shop!\u{202e}0x"]);
    for (at, (ts_ns, dur_ns, value)) in rows.iter().copied().enumerate() {
        let row = SampleRow { ts_ns, stack, state: running, waiting_on: gc, ..SampleRow::blank() };
        of.samples.push(row);
        of.pauses.push(PauseRow { ts_ns, dur_ns, cause: gc });
        let (class, bytes, source, weight_bytes) = (gc, dur_ns, sample, value);
        let row =
            AllocationRow { ts_ns, class, bytes, source, weight_bytes, stack, ..AllocationRow::blank() };
        of.allocations.push(row);
        of.exceptions.push(ExceptionRow { ts_ns, ..ExceptionRow::blank() });
        let (owner_thread, nowhere) = (dur_ns, Some(77.into()));
        let row = ContentionRow { ts_ns, dur_ns, owner_thread, stack: nowhere, ..ContentionRow::blank() };
        of.contention.push(row);
        of.spans.push(SpanRow { start_ns: ts_ns, dur_ns, name: gc, tags, ..SpanRow::blank() });
        of.waits.push(WaitRow { ts_ns, dur_ns, thread: 9.into(), stack, ..WaitRow::blank() });
        let kind = if at % 2 == 0 { p99 } else { count };
        let row = CounterRow { ts_ns, provider: gc, value, tags, ..CounterRow::blank() };
        of.counters.push(CounterRow { name: meter, kind, ..row });
        of.counters.push(CounterRow { name: gc, unit: gc, ..row });
        let (method, tier, il_bytes) = (gc, gc, dur_ns);
        of.jit.push(JitRow { ts_ns, dur_ns, method, il_bytes, tier, stack, ..JitRow::blank() });
        of.request(ts_ns, dur_ns, "/a", dur_ns);
        collection(&mut of, gc, ts_ns, dur_ns, stack);
    }
    of
}

fn recordings() -> impl Strategy<Value = Hostile> {
    let rows = proptest::collection::vec((number(), number(), weight()), 0..60);
    (rows, proptest::collection::vec((number(), number()), 0..6))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_recording_makes_it_stumble(before in recordings(), after in recordings()) {
        let (before, after) = (hostile(&before), hostile(&after));
        for basis in [Basis::Duration, Basis::Request] {
            let diff = diff(&before, &after, basis);
            for row in &diff.rows {
                prop_assert!((0.0..=1.0).contains(&row.impact), "{row:?}");
                let mut values = row.before.into_iter().chain(row.after);
                prop_assert!(values.all(f64::is_finite), "{row:?}");
                prop_assert!(row.p.is_none_or(|p| (0.0..=1.0).contains(&p)), "{row:?}");
                prop_assert!(row.interval.is_none_or(|(low, high)| low <= high), "{row:?}");
            }
        }
    }
}

/// The compiler numbers lambdas anew in each build, so another handler may have the name that this one had.
#[test]
fn handlers_are_paired_by_their_routes_and_not_by_the_numbers_of_their_lambdas() {
    let server = "Microsoft.AspNetCore!Microsoft.AspNetCore.Hosting.Process";
    let pool = "System.Private.CoreLib!System.Threading.ThreadPoolWorkQueue.Dispatch";
    let made = |number: i32| format!("Anonymous!dynamicClass.lambda_method{number}()");
    let lambda = |number: i32| format!("Shop!Program+<>c.<<Main>$>b__0_{number}()");
    // The route, the number of its lambda before and after, and of 10 samples those in which it waits before and after.
    let routes = [("/pay", [1, 2], [2, 6]), ("/ship", [2, 1], [6, 2])];
    let mut sides = [lasting(20), lasting(20)];
    for (side, recording) in sides.iter_mut().enumerate() {
        let every = SECOND / 10;
        for at in 0..200i64 {
            for (thread, (path, numbers, waits)) in routes.iter().enumerate() {
                let number = numbers[side];
                let state = if at % 10 < waits[side] { "waiting" } else { "running" };
                let stack = [pool, server, &made(number + 7), &lambda(number)];
                let ns = at * every + i64::try_from(thread).unwrap();
                let thread = recording.thread([10, 11][thread]);
                let path = recording.text(path);
                recording.request_marks.ts_ns.push(ns);
                recording.request_marks.thread.push(thread);
                recording.request_marks.path.push(path);
                recording.sample(ns, thread, ["managed", state, ""], &stack);
            }
        }
    }
    let diff = diff(&sides[0], &sides[1], Basis::Duration);
    let of_methods = diff.rows.iter().filter(|row| row.method.is_some());
    assert!(of_methods.clone().all(|row| row.is_handler), "{:?}", diff.rows);
    for (path, numbers, waits) in routes {
        let own = row(&diff, "waiting, itself", &format!("handler of {path}"));
        let (was, is) = (own.before.unwrap(), own.after.unwrap());
        let [expected_was, expected_is] = waits.map(|of| f64::from(i32::try_from(of).unwrap()) / 10.0);
        assert!((was - expected_was).abs() < 1e-9 && (is - expected_is).abs() < 1e-9, "{path}: {was} {is}");
        assert_eq!(own.method.as_deref(), Some(lambda(numbers[1]).as_str()));
        assert_eq!(own.shown_name(), format!("handler of {path}"));
    }
}
