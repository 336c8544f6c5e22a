//! What a recording cost its subject, measured on this very process.

use crate::control::{Control, Progress, Stage};
use crate::subject::Subject;
use base::time::Stopwatch;
use host::Proc;
use host::cgroup::Cgroup;
use serde::Serialize;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long the CPU use of the subject is measured before it is recorded.
const BEFORE: Duration = Duration::from_secs(1);
/// How often that measurement checks whether it should stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a recording cost its subject. CPU use is in cores: 1.0 is one core all the time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Cost {
    /// What the subject used before; `None` if it was started for the recording.
    pub cpu_before: Option<f64>,
    /// What it used while it was recorded, including the cost of the sessions.
    pub cpu_during: Option<f64>,
    /// What it may use.
    pub cpu_limit: Option<f64>,
    /// Whether it used all of that before. The cost of the recording is then in its throughput, and does not show here.
    pub saturated: bool,
    /// How long the runtime took to send method names at the end.
    pub rundown_seconds: f64,
    /// Bytes of events per second, before compression.
    pub bytes_per_second: f64,
    /// The share of the time in which samples were taken.
    pub sampled_share: f64,
    /// The share of the time for which the sampler paused the process; `None` if no event says so.
    pub sampler_stopped_share: Option<f64>,
    /// Events that the runtime dropped because its buffer was full.
    pub events_lost: u64,
    /// What the recorder itself used.
    pub recorder_cpu: Option<f64>,
}

/// The shortest time over which CPU use is computed. The kernel counts CPU time in hundredths of a second, so over a shorter
/// time it would be noise.
const LEAST: Duration = Duration::from_millis(300);

/// The cores used on average; `None` if the time is too short.
pub(crate) fn cores_used(used_ns: u64, time: Duration) -> Option<f64> {
    (time >= LEAST).then(|| used_ns as f64 / 1e9 / time.as_secs_f64())
}

/// The cores that a process may use: the smaller of the quota and the CPU set of its control groups. Without a CPU set, the
/// cores that we may use stand for those of the machine.
pub(crate) fn cpu_limit(proc: &Proc, pid: u32) -> Option<f64> {
    let limits = Cgroup::of(proc, pid).map(|cgroup| cgroup.limits());
    let quota = limits.as_ref().and_then(|limits| limits.cpu_cores);
    let set = limits.and_then(|limits| limits.cpuset_cores);
    let ours = || std::thread::available_parallelism().ok().and_then(|count| u32::try_from(count.get()).ok());
    [set.or_else(ours).map(f64::from), quota].into_iter().flatten().min_by(f64::total_cmp)
}

/// The CPU time that this process has used.
pub(crate) fn own_cpu_ns(proc: &Proc) -> Option<u64> {
    let stat = proc.stat(std::process::id()).ok()?;
    Some(stat.user_ns.saturating_add(stat.system_ns))
}

/// The cores that the subject uses before it is recorded. `None` if it is suspended.
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
    cores_used(subject.cpu_ns(proc)?.saturating_sub(from), watch.elapsed())
}
