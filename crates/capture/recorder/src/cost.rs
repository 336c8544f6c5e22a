//! What a recording cost its subject, as measured on this very subject.

use crate::options::{Control, Progress, Stage};
use crate::subject::Subject;
use base::time::Stopwatch;
use host::Proc;
use host::cgroup::Cgroup;
use serde::Serialize;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long the subject is looked at before it is recorded.
const BEFORE: Duration = Duration::from_secs(1);
/// How often its end is looked for meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a recording cost its subject. Processor time is in processors: 1.0 is one of them all the time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Cost {
    /// Processors that the subject used before; none where it was started for the recording.
    pub cpu_before: Option<f64>,
    /// Processors that it used while it was recorded, the sessions included.
    pub cpu_during: Option<f64>,
    /// Processors that it may use.
    pub cpu_limit: Option<f64>,
    /// Whether it used all of them before: what the recording costs then shows in its throughput, not here.
    pub saturated: bool,
    /// Seconds in which the runtime sent the names of all methods, at the end.
    pub rundown_seconds: f64,
    /// Bytes of events a second, before packing.
    pub bytes_per_second: f64,
    /// Share of the time in which samples were taken.
    pub sampled_share: f64,
    /// Share of the whole time in which the sampler stopped the program; none where no event tells.
    pub sampler_stopped_share: Option<f64>,
    /// Events that the runtime dropped since its buffer was full.
    pub events_lost: u64,
    /// Processors that the recorder itself used.
    pub recorder_cpu: Option<f64>,
}

/// The kernel counts processor time in hundredths of a second: over less than this the figure would be noise.
const LEAST: Duration = Duration::from_millis(300);

/// Processors that were used on average; none of a time too short to tell.
pub(crate) fn processors(used_ns: u64, time: Duration) -> Option<f64> {
    (time >= LEAST).then(|| used_ns as f64 / 1e9 / time.as_secs_f64())
}

/// Processors that a process may use: the least of its control groups' quota and set. Where they tell of no set, those
/// that we may use stand in for the machine's.
pub(crate) fn cpu_limit(proc: &Proc, pid: u32) -> Option<f64> {
    let limits = Cgroup::of(proc, pid).map(|cgroup| cgroup.limits());
    let quota = limits.as_ref().and_then(|limits| limits.cpu_cores);
    let set = limits.and_then(|limits| limits.cpuset_cores);
    let ours = || std::thread::available_parallelism().ok().and_then(|count| u32::try_from(count.get()).ok());
    [set.or_else(ours).map(f64::from), quota].into_iter().flatten().min_by(f64::total_cmp)
}

/// Processor time that this process has used.
pub(crate) fn own_cpu_ns(proc: &Proc) -> Option<u64> {
    let stat = proc.stat(std::process::id()).ok()?;
    Some(stat.user_ns.saturating_add(stat.system_ns))
}

/// Processors that the subject uses before it is recorded.
pub(crate) fn measure_before(
    subject: &Subject,
    proc: &Proc,
    control: &Control,
    progress: &mut dyn FnMut(Progress),
) -> Option<f64> {
    if subject.suspended {
        return None;
    }
    let from = subject.cpu_ns(proc)?;
    let watch = Stopwatch::start();
    while watch.elapsed() < BEFORE && !control.stop.load(Ordering::Acquire) {
        let stage = Stage::Measuring;
        progress(Progress { stage, elapsed: watch.elapsed(), bytes: 0, events: 0, lost: 0, copies: 0 });
        std::thread::sleep(LOOK_EVERY);
    }
    processors(subject.cpu_ns(proc)?.saturating_sub(from), watch.elapsed())
}
