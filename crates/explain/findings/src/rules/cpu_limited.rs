//! The service wants more CPU than it gets.

use crate::facts::{Facts, percent, said};
use crate::hostfacts::{CpuSupply, PauseParts, Throttling, host_rows, throttling};
use crate::need::Need;
use crate::places::in_place;
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use model::LimitedBy;
use report::{Measured, Severity, View};
use runtime::allowance_in_words;

pub(super) const THROTTLED: Threshold = Threshold {
    name: "share of the periods in which the CPU limit stopped the service",
    value: 0.25,
    unit: "share",
    source: "kubernetes-mixin's alert CPUThrottlingHigh begins at 25 %. This and the next are enough, or else all those below",
};
const STOPPED: Threshold = Threshold {
    name: "time stopped by its CPU limit, per second",
    value: 50.0,
    unit: "ms",
    source: "our judgement: stopped for 5 % of the time, so that about one request in twenty waits",
};
pub(super) const PRESSURE: Threshold = Threshold {
    name: "share of the time in which a process on the machine waited for a CPU core",
    value: 0.6,
    unit: "share",
    source: "the kernel's pressure stall information; measured: up to 30 % on a machine with spare CPU",
};
pub(super) const GETS: Threshold = Threshold {
    name: "share of its CPU that the service did not get",
    value: 0.5,
    unit: "share",
    source: "from one half on, others have more of the CPU than the service; its own threads cannot cause that",
};
const WANTS: Threshold = Threshold {
    name: "time that its threads were ready but waited for a core, in multiples of the time that they ran",
    value: 2.0,
    unit: "",
    source: "every computation takes three times as long. Its own threads also wait for each other, so the next must pass too",
};
const PER_REQUEST: Threshold = Threshold {
    name: "this wait, per request",
    value: 1.0,
    unit: "ms",
    source: "measured: 0.3 ms in healthy services whose load generator uses half of the machine, 3 to 4 ms beside eight busy loops on two cores",
};
/// If requests are unknown, these replace `PER_REQUEST`: minimums for `GETS` and `WANTS`.
const GETS_WITHOUT_REQUESTS: f64 = 0.7;
const WANTS_WITHOUT_REQUESTS: f64 = 4.0;
/// If others use this share of the machine and keep the service waiting at all, that is worth a note.
const FULL: f64 = 0.8;
/// With fewer waiting threads on average, nobody notices.
const MIN_WAITING: f64 = 0.5;
/// Fewer periods are too short a time.
const MIN_PERIODS: f64 = 10.0;
/// From this share of throttled periods on it is worth a note.
const SOME_THROTTLED: f64 = 0.05;
/// Twice both thresholds is critical.
const MUCH: f64 = 2.0;
/// If the kernel did not count waiting threads, the GC's threads show it: pauses in which they did not run, as a share of
/// the time and of all pauses.
const STALLED_OF_TIME: f64 = 0.05;
const STALLED_OF_PAUSES: f64 = 0.5;

pub(super) const RULE: Rule = Rule {
    id: "cpu-limited",
    about: "the service wants more CPU than it gets: throttled by its control group, or the machine is under CPU pressure from others",
    needs: &[Need::Host],
    thresholds: &[THROTTLED, STOPPED, PRESSURE, GETS, WANTS, PER_REQUEST],
    silent: "if the service uses all the CPU that it may use: then its own work is the limit (`cpu-hot-path`). If its own threads \
             cause the pressure",
    why: "A CPU limit is a quota per period, mostly of 100 ms. A process with several threads can use it up early in the period. \
          Then all its threads are stopped until the next one: requests, the GC, timers. The average over one second \
          looks idle. On a machine that others keep busy, each ready thread waits for its turn instead. Either way everything \
          takes longer, even what is not slow itself: a GC pause lasts until the GC's threads have run.",
    tries: &[
        "Raise the CPU limit, or remove it and keep the CPU request: the time stopped per second says how much is missing",
        "If the limit is to stay, let fewer requests compute at once: a concurrency limiter on the busiest route, `MaxDegreeOfParallelism` in parallel loops",
        "If the runtime counts more cores than the limit allows, it runs too many threads: set `DOTNET_PROCESSOR_COUNT` to the limit, rounded up, and restart the service",
        "If it runs Server GC, that has a heap and a thread per core that it counts: set `DOTNET_GCHeapCount` to the limit, rounded up",
        "Find out what uses the CPU (`top`, `pidstat`, `systemd-cgtop`), and move it, or reserve CPU for the service: CPU weights, a set of cores, another machine",
        "Use less CPU: the section on CPU, and the flame graph of running samples, have the methods with most samples. Other findings, on the GC or locks, may be effects of the missing CPU",
    ],
    verify: "Record the same load again: `throttled.periods` over `periods`, and `process.cpu.waited`, in the table `host`.",
    places_of: "the samples of running threads",
    view: View { shows: "the readings of the CPU limit", lane: "cores", tab: "/sql", metric: None },
    before: &[
        "gc-pauses",
        "threadpool-queue-flood",
        "lock-contention",
        "cpu-hot-path",
        "startup-jit",
        "slow-dependency",
        "db-pool-exhausted",
        "finalizer-backlog",
        "logging-flood",
    ],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    by_limit(facts).or_else(|| by_others(facts))
}

/// The CPU limit of its control group stops the service.
fn by_limit(facts: &Facts<'_>) -> Option<Found> {
    let Throttling { periods, share, stopped } = throttling(facts)?;
    let stopped_ms = stopped * 1e3;
    if periods < MIN_PERIODS || share < SOME_THROTTLED {
        return None;
    }
    let hurts = share >= THROTTLED.value && stopped_ms >= STOPPED.value;
    let much = share >= MUCH * THROTTLED.value && stopped_ms >= MUCH * STOPPED.value;
    let places = facts.places(|group| facts.is_busy(group)).top(facts);
    let allowance = facts.recording.allowance().filter(|of| of.by == LimitedBy::Quota);
    let limit = allowance.map_or_else(|| "its CPU limit".to_owned(), allowance_in_words);
    let title = format!(
        "The service is throttled at {limit}: stopped in {} of the periods, for {} ms per second; most of its CPU time is spent{}",
        percent(share),
        said(stopped_ms),
        in_place(&places)
    );
    let title =
        if places.is_empty() { title.split(';').next().unwrap_or_default().to_owned() } else { title };
    let mut measured = vec![THROTTLED.measured(share), STOPPED.measured(stopped_ms)];
    if let Some(used) = CpuSupply::of(facts).map(|supply| supply.used) {
        measured.push(Measured {
            name: "CPU cores used, on average",
            value: used,
            unit: "cores",
            threshold: None,
        });
    }
    let names = [
        "limit.cpu",
        "periods",
        "throttled.periods",
        "throttled.time",
        "process.cpu.user",
        "process.cpu.system",
    ];
    Some(Found {
        title,
        severity: match () {
            () if much => Severity::Critical,
            () if hurts => Severity::Warning,
            () => Severity::Note,
        },
        harms: vec![Harm::Share(share), Harm::Beyond { value: stopped_ms, harmless: STOPPED.value }],
        sure: Sure::Seen,
        measured,
        places,
        evidence: vec![host_rows(facts, &names)],
    })
}

/// The service waits for cores that others use.
fn by_others(facts: &Facts<'_>) -> Option<Found> {
    let supply = CpuSupply::of(facts)?;
    let missing = supply.missing();
    // If the machine's CPU time was not read, what others use is unknown: the pressure alone decides.
    let from_others = supply.others.is_none_or(|others| others >= GETS.value * supply.machine * 0.8);
    if supply.pressure < PRESSURE.value || missing < GETS.value || !from_others {
        return None;
    }
    let waiting = supply.waiting.unwrap_or(0.0);
    let over = waiting / supply.used.max(0.01);
    let per_request = facts.requests.filter(|work| work.count > 0.0);
    let per_request = per_request.map(|work| waiting * facts.seconds() / work.count * 1e3);
    let is_felt = per_request.map_or_else(
        || missing >= GETS_WITHOUT_REQUESTS && over >= WANTS_WITHOUT_REQUESTS,
        |millis| millis >= PER_REQUEST.value,
    );
    let is_kept_waiting = over >= WANTS.value && waiting >= MIN_WAITING && is_felt;
    let parts = PauseParts::of(facts).filter(|_| !supply.is_counted);
    let stalled = parts.map_or(0.0, |of| of.stalled() / 1e3 / facts.seconds());
    let is_stalled =
        stalled >= STALLED_OF_TIME && parts.is_some_and(|of| of.stalled() >= STALLED_OF_PAUSES * of.paused);
    let hurts = is_kept_waiting || is_stalled;
    let is_full = supply.others.is_some_and(|others| others >= FULL * supply.machine);
    if !hurts && (!is_full || over < WANTS.value) {
        return None;
    }
    let others = supply.others.map_or_else(
        || "other processes keep it busy".to_owned(),
        |others| format!("other processes use {} of its {} CPU cores", said(others), said(supply.machine)),
    );
    let harm = if !hurts {
        format!(
            "the service's threads wait {} times as long as they run, which requests hardly notice yet",
            said(over)
        )
    } else if is_kept_waiting {
        format!(
            "{} threads of the service are ready but wait for a core, while it gets {}",
            said(waiting),
            said(supply.used)
        )
    } else {
        format!(
            "the GC's threads do not get to run for {} of the time, while the program waits for them",
            percent(stalled)
        )
    };
    let mut measured = vec![PRESSURE.measured(supply.pressure), GETS.measured(missing)];
    if is_kept_waiting || !hurts {
        measured.push(WANTS.measured(over));
        measured.extend(per_request.map(|millis| PER_REQUEST.measured(millis)));
    }
    let mut names = vec!["pressure.cpu.some", "load.1m", "cores", "process.cpu.user", "process.cpu.system"];
    names.extend(supply.is_counted.then_some("process.cpu.waited"));
    names.extend(supply.others.map(|_| "machine.cpu"));
    Some(Found {
        title: format!("The machine is short of CPU: {others}; {harm}"),
        severity: match () {
            () if !hurts => Severity::Note,
            () if over >= 2.0 * WANTS.value && waiting >= 1.0 => Severity::Critical,
            () => Severity::Warning,
        },
        harms: vec![Harm::Share(missing), Harm::Beyond { value: over, harmless: WANTS.value }],
        // The kernel counts the threads that wait, or a sampler and the GC's threads let it be concluded.
        sure: if supply.is_counted { Sure::Seen } else { Sure::Inferred },
        measured,
        places: facts.places(|group| facts.is_busy(group)).top(facts),
        evidence: vec![host_rows(facts, &names)],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// A service on two cores, and what its host counts in each of ten seconds: name and growth.
    fn scene(levels: &[(&str, f64)], counts: &[(&str, f64)]) -> Scene {
        let mut scene = Scene::new();
        scene.host("cores", |_| 2.0);
        for (name, level) in levels {
            scene.host(name, |_| *level);
        }
        for (name, growth) in counts {
            scene.host(name, |second| 5.0 + second * growth);
        }
        scene
    }

    #[test]
    fn a_service_that_its_limit_stops_is_told_so() {
        let check = |throttled: f64, stopped: f64, expected: Option<Severity>| {
            let counts = [
                ("periods", 10.0),
                ("throttled.periods", throttled),
                ("throttled.time", stopped),
                ("process.cpu.user", 0.3),
                ("process.cpu.system", 0.1),
            ];
            let found = scene(&[("limit.cpu", 0.5)], &counts).says(&RULE);
            assert_eq!(found.map(|of| of.0), expected, "{throttled} of 10, {stopped} s");
        };
        check(6.5, 0.24, Some(Severity::Critical));
        check(3.0, 0.08, Some(Severity::Warning));
        // A limit that is met now and then.
        check(1.0, 0.01, Some(Severity::Note));
        check(3.0, 0.01, Some(Severity::Note));
        check(0.2, 0.01, None);
    }

    /// Pressure, CPU of the service and of the whole machine, and its threads that wait.
    fn under_pressure(pressure: f64, used: f64, machine: f64, waiting: f64) -> Option<Severity> {
        let counts = [
            ("pressure.cpu.waited", pressure),
            ("process.cpu.user", used),
            ("process.cpu.system", 0.0),
            ("machine.cpu", machine),
            ("process.cpu.waited", waiting),
        ];
        scene(&[], &counts).says(&RULE).map(|of| of.0)
    }

    #[test]
    fn a_machine_that_others_keep_busy_is_told_by_what_the_service_waits() {
        assert_eq!(under_pressure(0.94, 0.4, 2.0, 2.5), Some(Severity::Critical));
        assert_eq!(under_pressure(0.9, 0.3, 2.0, 1.3), Some(Severity::Critical));
        // Without requests it takes more.
        assert_eq!(under_pressure(0.9, 0.3, 2.0, 0.8), Some(Severity::Note));
    }

    #[test]
    fn what_a_request_waits_for_a_core_tells_a_starved_service_from_a_fast_one_beside_its_load_generator() {
        let check = |used: f64, waiting: f64, requests: f64, expected: Option<Severity>| {
            let counts = [
                ("pressure.cpu.waited", 0.9),
                ("process.cpu.user", used),
                ("process.cpu.system", 0.0),
                ("machine.cpu", 1.9),
                ("process.cpu.waited", waiting),
            ];
            let mut scene = scene(&[], &counts);
            scene.meter("http.server.request.duration", requests, 5.0, "");
            assert_eq!(scene.says(&RULE).map(|of| of.0), expected, "{waiting} over {used} for {requests}");
        };
        check(0.47, 4.48, 12_970.0, Some(Severity::Critical));
        check(0.4, 1.2, 4_000.0, Some(Severity::Warning));
        check(0.8, 2.3, 89_390.0, None);
        // Little work, which the kernel lets go first, on a machine that is full of others'.
        check(0.08, 0.32, 4_000.0, Some(Severity::Note));
    }

    #[test]
    fn a_service_that_uses_the_machine_itself_is_not_limited_by_others() {
        // Eight threads of its own on two cores.
        assert_eq!(under_pressure(1.0, 1.9, 2.0, 6.0), None);
        // Beside its load generator.
        assert_eq!(under_pressure(0.9, 0.9, 2.0, 0.9), None);
        // The machine is full, and the service has nothing to do.
        assert_eq!(under_pressure(0.98, 0.02, 2.0, 0.03), None);
        // A machine with room, whose threads wait a moment each time they wake up.
        assert_eq!(under_pressure(0.2, 0.1, 0.6, 0.6), None);
    }
}
