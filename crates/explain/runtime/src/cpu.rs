//! CPU use: which threads ran, which waited, and in which methods, from samples.
//!
//! The sampler takes a sample of every managed thread, whether it runs or not. So only samples whose stack says `running`
//! count as CPU use.

use crate::figure::{Tally, share, spread};
use crate::frames::StackIndex;
use crate::observed::observed_ns;
use base::number::{count, real, real_u64};
use model::{LimitedBy, Sampler, StackId, Sym, Trace};
use report::{List, ListColumn, Part, Row, Series};
use std::collections::BTreeMap;

const METHODS: &[ListColumn] =
    &[ListColumn { name: "own", unit: "share" }, ListColumn { name: "total", unit: "share" }];
const SHARES: &[ListColumn] =
    &[ListColumn { name: "share", unit: "share" }, ListColumn { name: "samples", unit: "" }];

/// Whether most frames of samples have no name, as in a recording that ends before its names.
fn is_nameless(recording: &Trace) -> bool {
    let missing = &recording.missing;
    missing.unnamed_frames > missing.frames / 2
}

/// The part of the samples.
pub(crate) fn part(recording: &Trace, index: &StackIndex) -> Part {
    let mut part = Part::new("cpu");
    let samples = &recording.samples;
    let total = samples.ts_ns.len();
    if total == 0 {
        part.missing.push("the recording has no samples: needs the profile default");
    }
    if recording.session.sampler != Sampler::Threads {
        part.missing.push("threads that waited: the samples are of CPUs, so of threads that ran (needs the profile default)");
    }
    let of_state = |state: &str| {
        let rows = recording
            .strings
            .find(state)
            .map_or(0, |state| samples.state.iter().filter(|of| **of == state).count());
        (total > 0).then(|| count(rows))
    };
    // A sampler of CPUs only meets threads that run.
    let of_others = |state| of_state(state).filter(|_| recording.session.sampler == Sampler::Threads);
    let running = of_state("running");
    part.figure("samples", (total > 0).then(|| count(total)), "", "Samples of threads");
    part.figure("running", running, "", "Samples of threads that ran");
    // Frames need names to show that a thread waits: without them, 0 would be a guess.
    let waiting = of_others("waiting").filter(|rows| *rows > 0.0 || !is_nameless(recording));
    if total > 0 && is_nameless(recording) {
        part.missing.push("threads that waited: most frames have no name");
    }
    part.figure("waiting", waiting, "", "Samples of threads that waited");
    part.figure("external", of_others("external"), "", "Samples of threads in native code, running or not");
    part.figure(
        "cores",
        cores(recording).or_else(|| sampled_cores(recording, running)),
        "",
        "CPU cores in use, on average",
    );
    part.figure("cpu.share", recording.metric("cpu.share"), "share", "CPU used, of what the process may use");
    part.counted_by(&["cores"], "the CPU times of the threads");
    part.counted_by(&["cpu.share"], "the runtime's counters");
    allowance(&mut part, recording);
    if total == 0 {
        return part;
    }
    let stacks = running_stacks(recording);
    part.lists.push(methods(recording, index, &stacks));
    part.lists.push(user_code(recording, index, &stacks));
    part.lists.push(waiting_on(recording));
    let running_sym = recording.strings.find("running");
    let times = samples.ts_ns.iter().zip(&samples.state).filter(|(_, state)| Some(**state) == running_sym);
    part.series.push(Series {
        name: "running",
        unit: "",
        about: "Samples of running threads per bar",
        values: spread(recording, times.map(|(ts_ns, _)| (*ts_ns, 1.0))),
    });
    part
}

/// How much CPU the process may use, and how often its control group throttled it.
fn allowance(part: &mut Part, recording: &Trace) {
    let allowance = recording.allowance();
    let by = |by: LimitedBy| allowance.filter(|of| of.by == by).map(|of| of.cores);
    part.figure("allowed.quota", by(LimitedBy::Quota), "cores", "CPU limit of the control group");
    part.figure("allowed.set", by(LimitedBy::Set), "cores", "CPU cores that the process may run on");
    part.figure(
        "allowed.machine",
        by(LimitedBy::Machine),
        "cores",
        "CPU cores of the machine, without a limit",
    );
    let throttled = throttled(recording);
    let share = throttled.map(|of| of.share);
    part.figure(
        "throttled.share",
        share,
        "share",
        "Share of periods in which the CPU limit throttled the process",
    );
    let stopped = throttled.map(|of| of.stopped_ms);
    part.figure("throttled.time", stopped, "ms", "Time that the CPU limit throttled it, over all cores");
}

/// What the CPU limit of the control group did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Throttled {
    /// The share of its periods in which the group was throttled.
    pub share: f64,
    /// Milliseconds that it was throttled, summed over the cores.
    pub stopped_ms: f64,
}

/// How often the CPU limit throttled the process while it was recorded. `None` without a limit or without readings of it.
pub fn throttled(recording: &Trace) -> Option<Throttled> {
    let grown = |name: &str| -> Option<f64> {
        let readings = recording.of_host(name);
        Some((readings.last()?.1 - readings.first()?.1).max(0.0))
    };
    let periods = grown("periods").filter(|periods| *periods > 0.0)?;
    let share = (grown("throttled.periods")? / periods).min(1.0);
    // The kernel writes the time beside the two counts; a reading without it is damaged.
    Some(Throttled { share, stopped_ms: grown("throttled.time").unwrap_or(0.0) * 1e3 })
}

/// CPU cores in use, from the first and the last reading of the CPU time of each thread.
fn cores(recording: &Trace) -> Option<f64> {
    let rows = &recording.thread_cpu;
    // The CPU time of each thread at its first reading, and at its last one if there are several.
    let mut threads: BTreeMap<i64, (i64, Option<i64>)> = BTreeMap::new();
    let used = rows.user_ns.iter().zip(&rows.system_ns).map(|(user, system)| user.saturating_add(*system));
    for (thread, used) in rows.thread.iter().zip(used) {
        threads.entry(*thread).and_modify(|(_, last)| *last = Some(used)).or_insert((used, None));
    }
    let span = rows.ts_ns.last()?.saturating_sub(*rows.ts_ns.first()?);
    let grown =
        threads.values().filter_map(|(first, last)| Some(real(last.as_ref()?.saturating_sub(*first).max(0))));
    // A single reading of each thread does not say what they used, which is not 0.
    let used = grown.reduce(|sum, of| sum + of)?;
    share(used, real(span))
}

/// CPU cores in use, from samples of CPUs: each stands for the same amount of CPU time.
fn sampled_cores(recording: &Trace, running: Option<f64>) -> Option<f64> {
    let Sampler::Cpus { every_ns: Some(every_ns) } = recording.session.sampler else { return None };
    share(running? * real(every_ns), real(observed_ns(recording, "samples")?))
}

/// How often each stack was seen running.
fn running_stacks(recording: &Trace) -> BTreeMap<Option<StackId>, u64> {
    let mut stacks = BTreeMap::new();
    let Some(running) = recording.strings.find("running") else { return stacks };
    let samples = &recording.samples;
    for (stack, _) in samples.stack.iter().zip(&samples.state).filter(|(_, state)| **state == running) {
        *stacks.entry(*stack).or_insert(0) += 1;
    }
    stacks
}

fn methods(recording: &Trace, index: &StackIndex, stacks: &BTreeMap<Option<StackId>, u64>) -> List {
    #[derive(Default)]
    struct Samples {
        own: u64,
        total: u64,
    }
    let mut methods: BTreeMap<Sym, Samples> = BTreeMap::new();
    let mut on_stack = Vec::new();
    for (stack, seen) in stacks {
        on_stack.clear();
        let frames = recording.stacks.frames(*stack);
        on_stack.extend(frames.filter_map(|frame| recording.frames.name.get(frame).copied()));
        // A stop for the sampler and a frame without a name count for their callers.
        let acting = index.acting_frame(recording, *stack);
        if let Some(acting) = acting.and_then(|frame| recording.frames.name.get(frame)) {
            methods.entry(*acting).or_default().own += seen;
        }
        // A method that calls itself counts once for its total.
        on_stack.sort_unstable();
        on_stack.dedup();
        for method in &on_stack {
            methods.entry(*method).or_default().total += seen;
        }
    }
    let all = real_u64(stacks.values().sum());
    let rows = methods.iter().filter(|(_, seen)| seen.own > 0).map(|(method, seen)| Row {
        name: recording.strings.get(*method).unwrap_or("?").to_owned(),
        values: vec![share(real_u64(seen.own), all), share(real_u64(seen.total), all)],
    });
    List::ranked("methods", "Methods by running samples: own, with callees", METHODS, rows.collect())
}

fn user_code(recording: &Trace, index: &StackIndex, stacks: &BTreeMap<Option<StackId>, u64>) -> List {
    let mut methods: BTreeMap<Sym, u64> = BTreeMap::new();
    for (stack, seen) in stacks {
        let frame = index.user_frame(*stack);
        if let Some(method) = frame.and_then(|frame| recording.frames.name.get(frame)) {
            *methods.entry(*method).or_default() += seen;
        }
    }
    let all = real_u64(stacks.values().sum());
    let rows = methods.iter().map(|(method, seen)| Row {
        name: recording.strings.get(*method).unwrap_or("?").to_owned(),
        values: vec![share(real_u64(*seen), all), Some(real_u64(*seen))],
    });
    List::ranked("user_code", "Running samples by the innermost method of yours", SHARES, rows.collect())
}

fn waiting_on(recording: &Trace) -> List {
    let mut tally = Tally::default();
    let known = recording.samples.waiting_on.iter().filter(|sym| **sym != Sym::NONE);
    known.for_each(|sym| tally.add(*sym, 1.0));
    let all: f64 = tally.rows(recording).map(|(_, seen, _)| seen).sum();
    let rows = tally.rows(recording);
    let rows = rows.map(|(name, seen, _)| Row { name, values: vec![share(seen, all), Some(seen)] });
    List::ranked("waiting_on", "What waiting threads waited for", SHARES, rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::tests::recording;
    use model::ThreadId;

    #[test]
    fn one_reading_of_each_thread_is_no_cpu_time_of_zero() {
        let mut recording = recording(1_000_000_000);
        let mut read = |ts_ns, thread, user_ns| {
            let row = model::ThreadCpuRow { ts_ns, thread, user_ns, system_ns: 0, waited_ns: model::NO_INT };
            recording.thread_cpu.push(row);
            cores(&recording)
        };
        assert_eq!(read(0, 7, 5), None);
        assert_eq!(read(1_000, 8, 9), None);
        assert_eq!(read(2_000, 7, 1_005), Some(0.5));
    }

    #[test]
    fn only_running_samples_count_for_methods_and_recursion_counts_once() {
        let mut recording = recording(1_000_000_000);
        let mut sample = |methods: &[&str], state: &str, on: &str| {
            recording.sample(0, ThreadId::FIRST, ["", state, on], methods);
        };
        sample(&["Shop!Main", "Shop!Walk", "Shop!Walk"], "running", "");
        sample(&["Shop!Main", "System.Linq!Sum"], "running", "");
        sample(&["Shop!Main", "System.Private.CoreLib!Sleep"], "waiting", "sleep");
        let part = part(&recording, &StackIndex::new(&recording));
        assert_eq!(part.value("samples"), Some(3.0));
        assert_eq!(part.value("running"), Some(2.0));
        let rows = |name| -> Vec<(&str, &[Option<f64>])> {
            let rows = &part.list(name).unwrap().rows;
            rows.iter().map(|row| (row.name.as_str(), row.values.as_slice())).collect()
        };
        assert_eq!(
            rows("methods"),
            [
                ("Shop!Walk", [Some(0.5), Some(0.5)].as_slice()),
                ("System.Linq!Sum", [Some(0.5), Some(0.5)].as_slice()),
            ]
        );
        assert_eq!(
            rows("user_code"),
            [
                ("Shop!Main", [Some(0.5), Some(1.0)].as_slice()),
                ("Shop!Walk", [Some(0.5), Some(1.0)].as_slice()),
            ]
        );
        assert_eq!(rows("waiting_on"), [("sleep", [Some(1.0), Some(1.0)].as_slice())]);
        assert_eq!(part.course("running").unwrap().values[0], Some(2.0));
    }

    #[test]
    fn threads_without_names_are_not_said_to_wait_for_nothing() {
        let waiting = |unnamed_frames| {
            let mut recording = Trace::default();
            (recording.missing.frames, recording.missing.unnamed_frames) = (10, unnamed_frames);
            recording.sample(1, ThreadId::FIRST, ["managed", "external", ""], &[]);
            part(&recording, &StackIndex::new(&recording)).value("waiting")
        };
        assert_eq!([waiting(0), waiting(9)], [Some(0.0), None]);
    }
}
