//! Servers whose latency is known in closed form: what is reported is the truth, however few connections there are.
//!
//! A busy machine only makes a service slower, so each percentile has the truth as its lower bound, and a generous upper one.

#![expect(clippy::unwrap_used, reason = "a test")]

use base::time::Stopwatch;
use load::{Drive, Figures, Plan, Run, Schedule, Target, run};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;
use std::time::Duration;

/// A service that pauses as a whole for the last `stall` of every `period`, and otherwise answers at once.
#[derive(Clone, Copy)]
struct Stalling {
    begun: Stopwatch,
    period: Duration,
    stall: Duration,
}

impl Stalling {
    fn stand_still(self) {
        let phase = self.begun.elapsed().as_secs_f64() % self.period.as_secs_f64();
        let rest = self.period.as_secs_f64() - phase;
        if rest <= self.stall.as_secs_f64() {
            std::thread::sleep(Duration::from_secs_f64(rest));
        }
    }

    fn answer(self, mut stream: TcpStream) {
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).is_ok_and(|read| read > 0) {
            self.stand_still();
            if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
                return;
            }
        }
    }
}

/// Starts such a service, which ends with the test's process. Returns its address.
fn stalling(period: Duration, stall: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let service = Stalling { begun: Stopwatch::start(), period, stall };
    let answer = move |stream| drop(Builder::new().spawn(move || service.answer(stream)));
    let serve = move || listener.incoming().map_while(Result::ok).for_each(answer);
    drop(Builder::new().spawn(serve).unwrap());
    url
}

fn plan(url: &str, connections: u32, rate: f64, duration: Duration) -> Plan {
    Plan {
        drive: Drive::Schedule(Schedule::Constant { rate }),
        duration,
        connections,
        timeout: Duration::from_secs(5),
        ..Plan::to(Target::parse(url).unwrap())
    }
}

fn loaded(plan: &Plan) -> Run {
    let run = run(plan, &AtomicBool::new(false), &mut ()).unwrap();
    let counts = &run.counts;
    assert_eq!(
        run.planned,
        counts.responses + counts.failed() + counts.timeouts + counts.unsent,
        "{counts:?}"
    );
    run
}

const PERIOD: Duration = Duration::from_secs(1);
const STALL: Duration = Duration::from_millis(200);

#[test]
fn a_stall_shows_in_the_percentiles_from_the_schedule_with_any_number_of_connections() {
    for connections in [2, 50] {
        let plan = plan(&stalling(PERIOD, STALL), connections, 200.0, Duration::from_secs(5));
        let run = loaded(&plan);
        assert_eq!((run.planned, run.counts.responses), (1_000, 1_000));
        // A fifth of the requests come while it is paused, and wait until its end: P(L > x) = 0.2 · (1 − x / 200 ms).
        // They come 5 ms apart, and the first of them up to 5 ms after the stall's begin: each may wait that much less.
        let of = Figures::of(&plan, &run).from_schedule.unwrap();
        for (name, found, truth) in [("p90", of.p90, 100.0), ("p95", of.p95, 150.0), ("p99", of.p99, 190.0)] {
            let found = found.unwrap();
            assert!(
                found > 0.995 * (truth - 5.0) && found < truth + 1_000.0,
                "{name} with {connections}: {found} ms, truth {truth} ms"
            );
        }
        if connections == 2 {
            // From the send, only the requests that were under way are slow: that is what a closed loop would say.
            let sent = Figures::of(&plan, &run).from_send.p90.unwrap();
            assert!(sent < 0.5 * of.p90.unwrap(), "{sent}");
        }
    }
}

#[test]
fn a_run_that_ends_in_a_stall_accounts_for_every_request() {
    let url = stalling(Duration::from_secs(1), Duration::from_millis(500));
    let plan = plan(&url, 3, 100.0, Duration::from_millis(1_950));
    let run = loaded(&plan);
    assert_eq!((run.planned, run.counts.responses), (195, 195));
}

#[test]
fn requests_that_are_never_answered_in_time_count_with_the_time_that_they_waited() {
    let url = stalling(Duration::from_secs(1_000), Duration::from_secs(999));
    std::thread::sleep(Duration::from_millis(1_100));
    let plan = Plan { timeout: Duration::from_millis(300), ..plan(&url, 2, 50.0, Duration::from_secs(1)) };
    let run = loaded(&plan);
    assert_eq!((run.planned, run.counts.responses), (50, 0));
    assert!(run.counts.timeouts > 0 && run.counts.unsent > 0, "{:?}", run.counts);
    let of = Figures::of(&plan, &run).from_schedule.unwrap();
    assert!(of.p50.unwrap() >= 300.0, "{of:?}");
    // What waits for a connection that times out waits for the service, not for the generator.
    let late = Figures::of(&plan, &run).generator.lateness_ms_max.unwrap();
    assert!(late < 500.0, "{late} ms late");
}

#[test]
fn an_interrupted_run_reports_what_it_did() {
    let url = stalling(PERIOD, Duration::ZERO);
    let plan = plan(&url, 4, 100.0, Duration::from_mins(1));
    let interrupt = AtomicBool::new(false);
    let run = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(700));
            interrupt.store(true, Ordering::Relaxed);
        });
        run(&plan, &interrupt, &mut ()).unwrap()
    });
    assert!(run.is_interrupted && run.planned > 0 && run.planned < 6_000, "{:?}", run.counts);
    assert_eq!(
        run.planned,
        run.counts.responses + run.counts.failed() + run.counts.timeouts + run.counts.unsent
    );
    assert!(run.due_seconds < 30.0, "{}", run.due_seconds);
}

#[test]
fn closed_loops_ask_again_only_after_an_answer() {
    let url = stalling(PERIOD, Duration::ZERO);
    let users = Drive::Users { users: 3, think: Duration::from_millis(100) };
    let plan = Plan { drive: users, ..plan(&url, 3, 0.0, Duration::from_secs(1)) };
    let run = loaded(&plan);
    assert!((3..=30).contains(&run.planned), "{:?}", run.counts);
    assert!(Figures::of(&plan, &run).from_schedule.is_none());
    let fast = loaded(&Plan { drive: Drive::Max, threads: 2, ..plan });
    assert!(fast.planned > run.planned && fast.counts.unsent == 0, "{:?}", fast.counts);
}

#[test]
fn several_threads_share_one_schedule() {
    let plan =
        Plan { threads: 3, ..plan(&stalling(PERIOD, Duration::ZERO), 7, 300.0, Duration::from_secs(2)) };
    let run = loaded(&plan);
    assert_eq!((run.planned, run.counts.responses, run.connections), (600, 600, 7));
    let asked: Vec<u64> = run.seconds.iter().map(|of| of.asked).filter(|of| *of > 0).collect();
    assert_eq!(asked, [300, 300]);
}
