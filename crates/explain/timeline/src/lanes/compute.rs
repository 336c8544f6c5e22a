//! CPU use, and what threads were doing when the sampler ran.

use super::{Ground, Subject, Words, without_empty};
use crate::grid::Spread;
use crate::lane::{Lane, LaneValues, Layer};
use crate::observed::Observed;
use crate::published::{self, Interval};
use base::number::real;
use model::{ByThread, Sampler, Sym, Trace};
use runtime::{StackIndex, allowed_cores, cpu_shares};

/// CPU cores in use.
pub(crate) fn cores(ground: &Ground<'_>) -> Option<Lane> {
    let subject = Subject {
        id: "cores",
        title: "CPU cores used",
        unit: "",
        counts: "cores",
        about: "As the runtime measured it",
        table: "counters",
        metric: Some("running"),
    };
    let shares = cpu_shares(ground.recording);
    if shares.is_empty() {
        let about = "By the CPU time that the system counted";
        let values = published::mean(&ground.grid, process_time(ground.recording).into_iter());
        let lane = Subject { about, table: "host", ..subject }.published(values)?;
        return Some(Lane { full: allowed_cores(ground.recording), ..lane });
    }
    let used =
        |of: f64| published::intervals(&shares).map(move |share| share.with(share.value.max(0.0) * of));
    if let Some(cores) = allowed_cores(ground.recording) {
        let lane = subject.published(published::mean(&ground.grid, used(cores)))?;
        return Some(Lane { full: Some(cores), ..lane });
    }
    let about = "Of what the process may use, as the runtime measured it";
    let subject = Subject { title: "CPU", unit: "share", counts: "", about, ..subject };
    let lane = subject.published(published::mean(&ground.grid, used(1.0)))?;
    Some(Lane { full: Some(1.0), ..lane })
}

/// CPU cores in use between each two readings of the CPU time of the process.
fn process_time(recording: &Trace) -> Vec<Interval> {
    let words = Words::new(recording, &["process.cpu.user", "process.cpu.system"]);
    let rows = &recording.host;
    let mut readings: Vec<(i64, f64)> = Vec::new();
    for ((ts_ns, name), seconds) in rows.ts_ns.iter().zip(&rows.name).zip(&rows.value) {
        if words.number(*name).is_none() || !seconds.is_finite() {
            continue;
        }
        match readings.last_mut() {
            // Both are read at the same time.
            Some((ns, sum)) if *ns == *ts_ns => *sum += seconds,
            _ => readings.push((*ts_ns, *seconds)),
        }
    }
    let pairs = readings.iter().zip(readings.iter().skip(1));
    let used = pairs.filter(|(before, after)| before.0 < after.0).map(|(before, after)| {
        let seconds = real(after.0.saturating_sub(before.0)) / 1e9;
        let value = ((after.1 - before.1) / seconds).max(0.0);
        Interval { from_ns: before.0, to_ns: after.0, value }
    });
    used.collect()
}

/// Threads that ran, from samples.
pub(crate) fn running(ground: &Ground<'_>, index: &StackIndex) -> Option<Lane> {
    let subject = Subject {
        id: "running",
        title: "Running threads",
        unit: "",
        counts: "threads",
        about: "Threads that run managed code; your code includes what it calls",
        table: "samples",
        metric: Some("running"),
    };
    let running = ground.recording.strings.find("running")?;
    let samples = &ground.recording.samples;
    sampled(ground, subject, &["your code", "other code"], |row| {
        if samples.state.get(row).copied() != Some(running) {
            return None;
        }
        let stack = samples.stack.get(row).copied()?;
        Some(usize::from(index.user_frame(stack).is_none()))
    })
}

/// Threads that waited, by what they waited for, from samples.
pub(crate) fn waiting(ground: &Ground<'_>) -> Option<Lane> {
    /// The layer of each value of `samples.waiting_on`. Idle threads are at the bottom.
    const KINDS: [(&str, usize); 8] = [
        ("queue", 0),
        ("io", 1),
        ("event", 2),
        ("monitor", 2),
        ("semaphore", 2),
        ("sleep", 3),
        ("task", 4),
        ("lock", 5),
    ];
    const NAMES: [&str; 7] = ["idle", "input", "signals", "sleep", "tasks", "locks", "other"];
    let subject = Subject {
        id: "waiting",
        title: "Waiting threads",
        unit: "",
        counts: "threads",
        about: "By what they wait for, from samples; those that wait for work are idle",
        table: "samples",
        metric: Some("waiting"),
    };
    let samples = &ground.recording.samples;
    // A sampler of CPUs meets no waiting thread, and without names of methods none is known to wait. A lane at 0 would say
    // that nothing waits, so there is none.
    let waiting = ground.recording.strings.find("waiting").filter(|of| samples.state.contains(of))?;
    let words = Words::new(ground.recording, &KINDS.map(|(word, _)| word));
    sampled(ground, subject, &NAMES, |row| {
        if samples.state.get(row).copied() != Some(waiting) {
            return None;
        }
        let on = samples.waiting_on.get(row).copied().unwrap_or(Sym::NONE);
        let kind = words.number(on).and_then(|number| KINDS.get(number));
        Some(kind.map_or(NAMES.len() - 1, |(_, layer)| *layer))
    })
}

/// The average number of threads in each layer, from samples.
///
/// Each run of the sampler takes a sample of every thread. What it met holds until the next run, or until the end of the burst.
fn sampled(
    ground: &Ground<'_>,
    subject: Subject,
    names: &[&'static str],
    layer_of: impl Fn(usize) -> Option<usize>,
) -> Option<Lane> {
    let samples = &ground.recording.samples;
    let first_ns = *samples.ts_ns.first()?;
    let mut course = Course {
        sampled: ground.sampled(),
        layers: names.iter().map(|_| Spread::new(&ground.grid)).collect(),
        covered: Spread::new(&ground.grid),
    };
    if let Sampler::Cpus { every_ns } = ground.recording.session.sampler {
        return of_cpus(ground, &subject, names, every_ns?, layer_of);
    }
    // The last run in which each thread was met; runs are counted from 1. A thread that is met again is met by the next run.
    let mut met_in: ByThread<usize> = vec![0; ground.recording.thread_ids.len()].into();
    let (mut run, mut run_ns, mut threads) = (1usize, first_ns, vec![0u32; names.len()]);
    for (row, (ts_ns, thread)) in samples.ts_ns.iter().zip(&samples.thread).enumerate() {
        if let Some(met_in) = met_in.get_mut(*thread) {
            if *met_in == run {
                course.add(run_ns, *ts_ns, &threads);
                threads.fill(0);
                (run, run_ns) = (run + 1, *ts_ns);
            }
            *met_in = run;
        }
        if let Some(count) = layer_of(row).and_then(|layer| threads.get_mut(layer)) {
            *count += 1;
        }
    }
    course.add(run_ns, i64::MAX, &threads);
    let covered = course.covered.finish();
    let mean = |(sum, ns): (f64, &f64)| (*ns > 0.0).then(|| sum / ns);
    let layers = names.iter().zip(course.layers).map(|(name, sums)| Layer {
        name,
        values: sums.finish().into_iter().zip(&covered).map(mean).collect(),
    });
    let layers = without_empty(layers.collect());
    let observed = ground.sampled().in_pieces(&ground.grid).shares(&ground.grid);
    subject.lane(LaneValues::Area { stacked: true, layers }, observed, 0.0)
}

/// The average number of CPU cores in each layer, from samples of CPUs: each stands for the same amount of CPU time.
fn of_cpus(
    ground: &Ground<'_>,
    subject: &Subject,
    names: &[&'static str],
    every_ns: i64,
    layer_of: impl Fn(usize) -> Option<usize>,
) -> Option<Lane> {
    let mut layers: Vec<Spread<'_>> = names.iter().map(|_| Spread::new(&ground.grid)).collect();
    for (row, ts_ns) in ground.recording.samples.ts_ns.iter().enumerate() {
        if let Some(layer) = layer_of(row).and_then(|layer| layers.get_mut(layer)) {
            layer.add(ts_ns.saturating_sub(every_ns), *ts_ns, 1.0);
        }
    }
    let observed = ground.sampled().in_pieces(&ground.grid);
    let mean = |(sum, ns): (f64, &f64)| (*ns > 0.0).then(|| sum / ns);
    let layers = names.iter().zip(layers);
    let layers = layers.map(|(name, sums)| Layer {
        name,
        values: sums.finish().into_iter().zip(observed.ns()).map(mean).collect(),
    });
    let layers = without_empty(layers.collect());
    let observed = observed.shares(&ground.grid);
    subject.lane(LaneValues::Area { stacked: true, layers }, observed, 0.0)
}

/// What the runs of the sampler met, spread over time.
struct Course<'a> {
    sampled: &'a Observed,
    layers: Vec<Spread<'a>>,
    /// The time that the runs stand for.
    covered: Spread<'a>,
}

impl Course<'_> {
    /// Adds a run, which holds until the next one.
    fn add(&mut self, run_ns: i64, next_ns: i64, threads: &[u32]) {
        let Some(burst) = self.sampled.around(run_ns) else { return };
        let (from, to) = (run_ns, next_ns.min(burst.to_ns));
        self.covered.add(from, to, 1.0);
        for (layer, count) in self.layers.iter_mut().zip(threads).filter(|(_, count)| **count > 0) {
            layer.add(from, to, f64::from(*count));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{Grid, Span};
    use crate::testing::{counter, levels, recording};
    use model::HostRow;

    /// Looks every 10 ns at threads that do the same all the time: each a state and what it waits for.
    fn looked_at(threads: &[(&str, &str)], looks: i64) -> Trace {
        let mut recording = recording(&[("events", 0, looks * 10 - 1), ("samples", 0, looks * 10 - 1)]);
        for at in 0..looks {
            for (thread, (state, on)) in (0u16..).zip(threads) {
                recording.sample(at * 10 + 5, thread.into(), ["managed", state, on], &[]);
            }
        }
        recording.thread_ids = (0..).zip(threads).map(|(id, _)| id).collect();
        recording
    }

    fn lane(recording: &Trace, from_ns: i64, to_ns: i64, pieces: usize) -> Lane {
        waiting(&Ground::new(recording, Grid::new(Span { from_ns, to_ns }, pieces))).unwrap()
    }

    #[test]
    fn samples_over_looks_are_threads_however_far_one_zooms_in() {
        let threads = [("waiting", "lock"), ("waiting", "lock"), ("waiting", "queue"), ("running", "")];
        let recording = looked_at(&threads, 100);
        for (from, to, pieces) in [(0, 1_000, 10), (0, 1_000, 1), (200, 300, 50), (203, 210, 7)] {
            let lane = lane(&recording, from, to, pieces);
            let LaneValues::Area { layers, stacked: true } = &lane.shape else { panic!("no stacked layers") };
            assert_eq!(layers.iter().map(|of| of.name).collect::<Vec<_>>(), ["idle", "locks"]);
            assert_eq!(levels(&lane), vec![Some(3.0); pieces], "{from} to {to} in {pieces}");
        }
    }

    #[test]
    fn between_bursts_of_samples_there_is_no_value() {
        let mut recording = looked_at(&[("waiting", "task")], 10);
        let events = recording.strings.find("events");
        let at = recording.coverage.source.iter().position(|of| Some(*of) == events).unwrap();
        recording.coverage.to_ns[at] = 399;
        assert_eq!(levels(&lane(&recording, 0, 400, 4)), [Some(1.0), None, None, None]);
    }

    #[test]
    fn threads_that_the_sampler_cannot_see_waiting_are_not_drawn_as_none() {
        let mut recording = looked_at(&[("running", ""), ("external", "")], 10);
        let word = recording.text("waiting");
        assert!(!recording.samples.state.contains(&word));
        assert_eq!(waiting(&Ground::new(&recording, Grid::new(Span::whole(&recording), 2))), None);
    }

    #[test]
    fn a_thread_is_running_by_what_its_stack_says() {
        let recording = looked_at(&[("running", ""), ("waiting", "io"), ("external", "")], 10);
        let ground = Ground::new(&recording, Grid::new(Span::whole(&recording), 2));
        let lane = running(&ground, &StackIndex::new(&recording)).unwrap();
        assert_eq!(levels(&lane), [Some(1.0), Some(1.0)]);
    }

    #[test]
    fn shares_of_the_machine_become_cores_where_their_number_is_known() {
        let mut recording = recording(&[("events", 0, 2_999_999_999)]);
        for (at, percent) in (1..).zip([50.0, 100.0, 25.0]) {
            counter(&mut recording, at * 1_000_000_000, "cpu-usage", "value", percent);
        }
        let of = |recording: &Trace| {
            cores(&Ground::new(recording, Grid::new(Span { from_ns: 0, to_ns: 3_000_000_000 }, 3))).unwrap()
        };
        assert_eq!(
            (of(&recording).unit, levels(&of(&recording))),
            ("share", vec![Some(0.5), Some(1.0), Some(0.25)])
        );
        recording.exhibit.cores = Some(4);
        assert_eq!(
            (of(&recording).unit, levels(&of(&recording))),
            ("", vec![Some(2.0), Some(4.0), Some(1.0)])
        );
    }

    #[test]
    fn without_counters_the_time_of_the_process_tells_its_cores() {
        let mut recording = recording(&[("events", 0, 2_999_999_999)]);
        for (at, user, system) in [(0, 1.0, 0.5), (1, 2.0, 1.0), (2, 1.0, 1.0)] {
            for (name, value) in [("process.cpu.user", user), ("process.cpu.system", system)] {
                let [name, unit] = recording.texts([name, "s"]);
                recording.host.push(HostRow { ts_ns: at * 1_000_000_000, name, value, unit });
            }
        }
        let ground = Ground::new(&recording, Grid::new(Span { from_ns: 0, to_ns: 3_000_000_000 }, 3));
        // A time that goes back is none that was used.
        assert_eq!(levels(&cores(&ground).unwrap()), [Some(1.5), Some(0.0), None]);
    }
}
