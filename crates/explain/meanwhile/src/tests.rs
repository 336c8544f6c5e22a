//! Runs and traces of which what overlaps is known by construction.

use super::*;
use model::{LoadBucketRow, OneClock, PauseRow, ThreadPoolRow};

const SECOND: i64 = 1_000_000_000;

/// A run of 20 seconds that begins 2 s after its trace, with 100 requests of 1 ms in each second; in slow ones they take 500 ms.
fn run(slow: &[i64]) -> Load {
    let mut load = Load::default();
    let basis = load.strings.intern(model::SCHEDULE);
    load.latency.push(model::LatencyRow { basis, quantile: 1.0, ms: 500.0 });
    for second in 0..20 {
        let ms = if slow.contains(&second) { 500.0 } else { 1.0 };
        let ts_ns = second * SECOND;
        load.histogram.push(LoadBucketRow {
            ts_ns,
            dur_ns: SECOND,
            basis,
            from_ms: ms,
            to_ms: ms,
            count: 100,
        });
    }
    load.exhibit.duration_ns = 20 * SECOND;
    let clock = OneClock { offset_ns: 2 * SECOND, error_ns: 0, utc_differs_ns: Some(0) };
    load.set_clock(clock, &model::Exhibit::default());
    load
}

fn trace() -> Trace {
    let mut trace = Trace::default();
    trace.exhibit.duration_ns = 30 * SECOND;
    trace
}

/// A trace with pauses of 400 ms that begin at these times of the run, in milliseconds.
fn paused(at_ms: impl IntoIterator<Item = i64>) -> Trace {
    let mut trace = trace();
    let cause = trace.strings.intern("gc");
    for at in at_ms {
        let ts_ns = 2 * SECOND + at * 1_000_000;
        trace.pauses.push(PauseRow { ts_ns, dur_ns: 400_000_000, cause });
    }
    trace
}

#[test]
fn pauses_in_every_slow_second_and_in_no_other_are_said_with_what_chance_makes() {
    let slow = [3, 4, 9, 10, 15];
    let of = meanwhile(&run(&slow), &paused(slow.map(|at| at * 1_000 + 100)), &[]).unwrap();
    assert_eq!((of.slow, of.seconds), (5, 20));
    // Five of 20 seconds have a pause: of five slow ones, 1.25 would by chance. Of each slow second's 1.5 s, 0.4 s are paused;
    // of the first pause's, also the half second before the second one.
    let expected = "The 5 slowest of 20 seconds (p99 of 500 ms or more) all overlap GC pauses more than the run on average does; by chance, 1.25 would. \
                    That is 26.7 % of the time of these seconds, and 0 % of that of the others.";
    assert_eq!(of.sentences[0], expected);
    let first = &of.moments[0];
    assert_eq!((first.latency.from_ns, first.overlaps[0].number), (5 * SECOND, 1));
    assert!(
        (first.overlaps[0].share - 0.4 / 1.5).abs() < 1e-6 && (first.overlaps[0].usual - 0.1).abs() < 1e-6
    );
}

#[test]
fn pauses_in_every_second_alike_are_no_reason() {
    let of = meanwhile(&run(&[3, 4, 9, 10, 15]), &paused((0..20).map(|at| at * 1_000 + 100)), &[]).unwrap();
    assert!(of.sentences[0].contains("none of these more than by chance: GC pauses"), "{:?}", of.sentences);
}

#[test]
fn without_a_slow_second_or_enough_of_them_nothing_is_compared() {
    let of = meanwhile(&run(&[]), &paused([100]), &[]).unwrap();
    assert!(of.sentences[0].starts_with("No second was slow"), "{:?}", of.sentences);
    assert_eq!(meanwhile(&Load::default(), &trace(), &[]), None);
    let mut short = Load::default();
    short.run.clock = Some(OneClock { offset_ns: 0, error_ns: 2_000_000, utc_differs_ns: None });
    let of = meanwhile(&short, &trace(), &[]).unwrap();
    assert!(of.sentences[0].contains("too few") && of.clock.ends_with("by UTC, to 2 ms."), "{of:?}");
}

#[test]
fn what_was_not_recorded_is_not_counted_as_quiet() {
    let mut trace = paused([3_100]);
    trace.exhibit.duration_ns = 12 * SECOND;
    let of = meanwhile(&run(&[3, 15]), &trace, &[]).unwrap();
    assert_eq!((of.slow, of.seconds), (1, 10));
    assert_eq!(of.moments.iter().map(|of| of.is_recorded).take(2).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_thread_that_the_pool_adds_says_that_its_queue_stood_before() {
    let mut trace = trace();
    let (event, reason) = (trace.strings.intern("adjustment"), trace.strings.intern("Starvation"));
    trace.threadpool.push(ThreadPoolRow {
        ts_ns: 6 * SECOND,
        event,
        reason,
        workers: 9,
        ..ThreadPoolRow::blank()
    });
    let of = meanwhile(&run(&[3]), &trace, &[]).unwrap();
    let overlap = &of.moments[0].overlaps[0];
    assert_eq!((overlap.id.as_str(), overlap.number, overlap.longest_ms), ("pool-starvation", 1, 500.0));
}

#[test]
fn what_lasts_for_nearly_all_of_the_run_is_no_reason() {
    // 2 of 20 seconds are quick, and in all others a pause: the slow ones among these are no more than chance makes.
    let slow = [3, 4, 9, 10, 15];
    let of = meanwhile(&run(&slow), &paused((0..18).map(|at| at * 1_000 + 100)), &[]).unwrap();
    assert!(of.sentences[0].contains("none of these more than by chance"), "{:?}", of.sentences);
}

#[test]
fn what_takes_next_to_no_time_is_no_reason_however_often_it_comes() {
    let slow = [3, 4, 9, 10, 15];
    let mut trace = paused(slow.map(|at| at * 1_000 + 100));
    trace.pauses.dur_ns.iter_mut().for_each(|dur| *dur = 10_000_000);
    let of = meanwhile(&run(&slow), &trace, &[]).unwrap();
    assert!(of.sentences[0].contains("none of these more than by chance"), "{:?}", of.sentences);
    assert_eq!(of.moments[0].overlaps, []);
}

#[test]
fn a_queue_is_known_up_to_the_length_that_was_published_last() {
    let mut trace = trace();
    let name = trace.strings.intern("threadpool-queue-length");
    for (second, value) in [(4, 0.0), (5, 3.0), (6, 0.0), (9, 7.0)] {
        trace.counters.push(model::CounterRow {
            ts_ns: second * SECOND,
            name,
            value,
            ..model::CounterRow::blank()
        });
    }
    // From 6 to 9 nothing was published, so how long there was a queue is not known.
    let of = meanwhile(&run(&[3]), &trace, &[]).unwrap();
    let overlap = &of.moments[0].overlaps[0];
    assert_eq!((overlap.id.as_str(), overlap.number), ("pool-queue", 1));
    assert!((overlap.usual - 0.05).abs() < 1e-9, "{overlap:?}");
}

#[test]
fn the_slowest_requests_are_compared_with_chance_one_by_one() {
    // 1,000 requests of 1 ms, of which ten take 100 ms, each within a pause of 400 ms: pauses cover a tenth of the run.
    let pauses = [1, 3, 5, 7, 9].map(|at| at * 1_000 + 100);
    let mut trace = paused(pauses);
    for at in 0..1_000i64 {
        trace.requests.push(model::RequestRow {
            start_ns: 2 * SECOND + at * 20_000_000,
            dur_ns: if at % 50 == 10 && at < 500 { 100_000_000 } else { 1_000_000 },
            ..model::RequestRow::blank()
        });
    }
    let of = meanwhile(&run(&[]), &trace, &[]).unwrap();
    // Slow ones begin at 0.2, 1.2, 2.2 … s: five of ten are within a pause. One of 100 ms meets a pause by chance if it begins in
    // the 100 ms before or the 400 ms during it: 5 × 0.5 of 19.9 s.
    let said = of.sentences.iter().find(|of| of.contains("slowest requests")).unwrap();
    assert!(said.starts_with("5 of the 10 slowest requests (100 ms or longer) were under way during GC pauses; by chance it would be 1.26"), "{said}");
}
