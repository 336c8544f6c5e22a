//! What the host's readings say about the process: how much CPU it wants and gets, its memory and its limits.
//!
//! Readings of the host are at least one second apart. A figure that was not read is `None`, never 0.

use crate::facts::{Facts, known, real};
use crate::gcfacts::rows;
use base::stats::{pairs, theil_sen};
use model::{Allowance, ByFrame, ExceptionRow, GcRow, NO_INT, StackId, Sym};
use std::collections::BTreeMap;

/// By how much a counter grew, and in how many seconds. A counter that begins anew (the process moved to another group)
/// continues from there.
pub(crate) fn grown(facts: &Facts<'_>, name: &str) -> Option<(f64, f64)> {
    let readings = facts.recording.of_host(name);
    let (first, last) = (readings.first()?, readings.last()?);
    let seconds = real(last.0.saturating_sub(first.0)) / 1e9;
    let steps = readings.windows(2).filter_map(|pair| <&[(i64, f64); 2]>::try_from(pair).ok());
    let sum: f64 = steps.map(|[before, after]| (after.1 - before.1).max(0.0)).sum();
    (seconds > 0.5).then_some((sum, seconds))
}

/// How fast a counter grew, per second.
pub(crate) fn rate(facts: &Facts<'_>, name: &str) -> Option<f64> {
    grown(facts, name).map(|(sum, seconds)| sum / seconds)
}

/// Periods of the control group's CPU limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Throttling {
    /// Periods in which the group ran at all.
    pub(crate) periods: f64,
    /// The share of them in which it was stopped because it had used up its limit.
    pub(crate) share: f64,
    /// How long it was stopped, in seconds per second, summed over the CPU cores.
    pub(crate) stopped: f64,
}

/// How the limit stopped the process. `None` without a limit.
pub(crate) fn throttling(facts: &Facts<'_>) -> Option<Throttling> {
    let (periods, _) = grown(facts, "periods").filter(|(periods, _)| *periods > 0.0)?;
    let (throttled, _) = grown(facts, "throttled.periods")?;
    let stopped = rate(facts, "throttled.time")?;
    Some(Throttling { periods, share: (throttled / periods).min(1.0), stopped })
}

/// How much CPU the process wants, and how much it gets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CpuSupply {
    pub(crate) allowance: Allowance,
    /// CPU cores that it used on average.
    pub(crate) used: f64,
    /// Threads that were ready to run and waited for a core, on average.
    pub(crate) waiting: Option<f64>,
    /// Whether the kernel counted them. If not, they are the running threads in samples, less the cores in use.
    pub(crate) is_counted: bool,
    /// The share of the time in which some process on the machine waited for a core.
    pub(crate) pressure: f64,
    /// Cores that other processes used on average, including what the hypervisor took.
    pub(crate) others: Option<f64>,
    /// The machine's cores.
    pub(crate) machine: f64,
}

impl CpuSupply {
    /// The share of the CPU that it was allowed to use but did not use.
    pub(crate) fn missing(&self) -> f64 {
        1.0 - self.used / self.allowance.cores
    }

    /// `None` if the host was not read.
    pub(crate) fn of(facts: &Facts<'_>) -> Option<Self> {
        let allowance = facts.recording.allowance()?;
        let user = rate(facts, "process.cpu.user")?;
        let used = user + rate(facts, "process.cpu.system")?;
        let machine = facts.recording.last_of_host("cores").filter(|cores| *cores > 0.0)?;
        let levels = facts.recording.of_host("pressure.cpu.some");
        let mean = |values: &[(i64, f64)]| {
            let count = real(i64::try_from(values.len()).unwrap_or(i64::MAX));
            (count > 0.0).then(|| values.iter().map(|(_, value)| value).sum::<f64>() / count)
        };
        let pressure = rate(facts, "pressure.cpu.waited").or_else(|| mean(&levels))?.clamp(0.0, 1.0);
        let counted = rate(facts, "process.cpu.waited");
        let sampled = || {
            facts.sampling.as_ref()?;
            Some((facts.threads(|group| group.state == runtime::State::Running) - used).max(0.0))
        };
        let busy = rate(facts, "machine.cpu");
        let steal = rate(facts, "machine.cpu.steal").unwrap_or(0.0);
        Some(Self {
            allowance,
            used,
            waiting: counted.or_else(sampled),
            is_counted: counted.is_some(),
            pressure,
            others: busy.map(|busy| (busy - used).max(0.0) + steal),
            machine,
        })
    }
}

/// What the GC's pauses consist of, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PauseParts {
    /// All pauses, over the time in which the threads' CPU times were read.
    pub(crate) paused: f64,
    /// The time until the program's threads had stopped.
    pub(crate) suspending: f64,
    /// How long the GC's busiest thread ran: the work itself, which no CPU limit makes longer.
    pub(crate) working: f64,
}

impl PauseParts {
    /// `None` if the GC has no threads of its own (a workstation GC runs on the thread that allocates), or their CPU times were
    /// not read.
    pub(crate) fn of(facts: &Facts<'_>) -> Option<Self> {
        // Only Server GC has threads of its own that work while the program is paused.
        if facts.recording.session.server_gc != Some(true) {
            return None;
        }
        let threads = &facts.recording.threads;
        let kind = facts.recording.strings.find("gc")?;
        let gc_threads: Vec<i64> = threads
            .thread
            .iter()
            .zip(&threads.kind)
            .filter(|(_, of)| **of == kind)
            .map(|(thread, _)| *thread)
            .collect();
        let cpu = &facts.recording.thread_cpu;
        let (from, to) = (*cpu.ts_ns.first()?, *cpu.ts_ns.last()?);
        let mut used: BTreeMap<i64, [i64; 2]> = BTreeMap::new();
        let times = cpu.user_ns.iter().zip(&cpu.system_ns).map(|(user, system)| user.saturating_add(*system));
        for (thread, time) in cpu.thread.iter().zip(times).filter(|(of, _)| gc_threads.contains(of)) {
            used.entry(*thread).or_insert([time, time])[1] = time;
        }
        let busiest = used.values().map(|[first, last]| last.saturating_sub(*first).max(0)).max()?;
        let within: Vec<GcRow> = rows(facts).filter(|row| (from..=to).contains(&row.start_ns)).collect();
        let sum = |part: fn(&GcRow) -> i64| -> f64 {
            within.iter().filter_map(|row| facts.lasted(part(row))).sum::<f64>() / 1e6
        };
        let paused = sum(|row| row.pause_ns);
        Some(Self {
            paused,
            suspending: sum(|row| if row.suspend_ns == NO_INT { 0 } else { row.suspend_ns }).min(paused),
            working: (real(busiest) / 1e6).min(paused),
        })
    }

    /// For how many milliseconds the program was paused while none of the GC's threads can have run.
    pub(crate) fn stalled(&self) -> f64 {
        (self.paused - self.suspending - self.working).max(0.0)
    }

    /// The share of the pauses in which the GC did not work: its threads, or those that it waited for, did not run.
    pub(crate) fn idle_share(&self) -> f64 {
        if self.paused > 0.0 { (self.paused - self.working).max(0.0) / self.paused } else { 0.0 }
    }
}

/// Limits of the memory.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct MemoryLimits {
    /// Of the control group.
    pub(crate) group: Option<f64>,
    /// From this use on, the kernel slows the group down.
    pub(crate) group_high: Option<f64>,
    /// Of the managed heap.
    pub(crate) heap: Option<f64>,
    /// Whether the heap's limit was set explicitly, rather than derived from the group's.
    pub(crate) is_heap_set: bool,
}

impl MemoryLimits {
    /// The limits in the recording.
    pub(crate) fn of(facts: &Facts<'_>) -> Self {
        let session = &facts.recording.session;
        let total = facts.recording.last_of_host("memory.total");
        // A limit above what the machine has limits nothing.
        let limit = |name: &str| {
            let limit = facts.recording.last_of_host(name).filter(|bytes| *bytes > 0.0)?;
            total.is_none_or(|total| limit < total).then_some(limit)
        };
        let group = limit("limit.memory");
        let by_event = session.gc_settings.and_then(|of| of.hard_limit_bytes).map(base::number::real_u64);
        // The runtime reads its settings as hexadecimal numbers.
        let hex = |name: &str| {
            let text = session.setting(name)?;
            let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
            u64::from_str_radix(digits, 16).ok().map(base::number::real_u64)
        };
        let percent = |of: f64| Some(group.or(total)? * of / 100.0);
        let by_setting =
            || hex("GCHeapHardLimit").or_else(|| hex("GCHeapHardLimitPercent").and_then(percent));
        let has_setting =
            ["GCHeapHardLimit", "GCHeapHardLimitPercent"].iter().any(|name| session.setting(name).is_some());
        let is_heap_set = has_setting || session.gc_settings.is_some_and(|of| of.is_limit_set);
        let heap = by_event.or_else(by_setting).filter(|bytes| *bytes > 0.0);
        Self { group, group_high: limit("limit.memory.high"), heap, is_heap_set }
    }

    /// When the heap reached its limit, if it did: it cannot grow after that.
    pub(crate) fn heap_full_at(&self, facts: &Facts<'_>) -> Option<i64> {
        /// Free space within regions, and what the GC itself keeps, take the rest of the limit.
        const FULL: f64 = 0.9;
        let limit = self.heap?;
        let full = rows(facts).filter(|row| is_for_want_of_memory(facts, row));
        let mut full =
            full.filter(|row| known(row.heap_after_bytes).is_some_and(|bytes| real(bytes) >= FULL * limit));
        full.next().map(|row| row.start_ns)
    }
}

/// Whether a collection ran because there was no room, or because the machine or the group had little memory left.
pub(crate) fn is_for_want_of_memory(facts: &Facts<'_>, row: &GcRow) -> bool {
    let reason = facts.text(row.reason);
    reason.starts_with("OutOfSpace") || reason.starts_with("LowMemory") || reason == "InducedLowMemory"
}

/// The trend of a repeatedly read figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Growth {
    /// The first value.
    pub(crate) from: f64,
    /// The last value.
    pub(crate) to: f64,
    /// The median slope, per second.
    pub(crate) a_second: f64,
    /// The growth over the whole time, by the median slope.
    pub(crate) by_trend: f64,
    /// The share of pairs of readings of which the later is larger. Equal ones count half.
    pub(crate) rising: f64,
    /// The share of the growth that came in the second half of the time.
    pub(crate) later: f64,
    /// Seconds from the first to the last reading.
    pub(crate) seconds: f64,
}

/// A slope is computed from no more readings, as it looks at all pairs of them.
const MAX_READINGS: usize = 300;
/// Fewer readings show no trend.
const MIN_READINGS: usize = 6;

impl Growth {
    /// From readings in order of time. `None` if there are too few.
    pub(crate) fn of(readings: &[(i64, f64)]) -> Option<Self> {
        if readings.len() < MIN_READINGS {
            return None;
        }
        let (first, last) = (readings.first()?, readings.last()?);
        let step = readings.len().div_ceil(MAX_READINGS).max(1);
        let origin = first.0;
        let at = |ns: i64| real(ns.saturating_sub(origin)) / 1e9;
        let points: Vec<(f64, f64)> =
            readings.iter().step_by(step).map(|(ns, value)| (at(*ns), *value)).collect();
        let seconds = at(last.0);
        let a_second = theil_sen(&points)?;
        let (mut rising, mut all) = (0.0, 0.0);
        for (before, after) in pairs(&points) {
            all += 1.0;
            rising += match after.1.total_cmp(&before.1) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            };
        }
        let middle =
            readings.iter().rev().find(|(ns, _)| at(*ns) <= seconds / 2.0).map_or(first.1, |of| of.1);
        let grown = last.1 - first.1;
        Some(Self {
            from: first.1,
            to: last.1,
            a_second,
            by_trend: a_second * seconds,
            rising: if all > 0.0 { rising / all } else { 0.0 },
            later: if grown > 0.0 { (last.1 - middle) / grown } else { 0.0 },
            seconds,
        })
    }

    /// The growth from the first to the last reading. Not much more than the trend says, as single readings can be extreme.
    pub(crate) fn grown(&self) -> f64 {
        (self.to - self.from).min(self.by_trend * 1.5).max(0.0)
    }
}

/// Whether an exception means that memory ran out. The runtime throws the same type for an array that no memory could hold,
/// and for a thread that cannot start, which is mostly because of a limit of threads.
pub(crate) fn is_out_of_memory(facts: &Facts<'_>, row: &ExceptionRow) -> bool {
    facts.text(row.class) == "System.OutOfMemoryException"
        && !facts.text(row.message).contains("Array dimensions")
        && !starts_thread(facts, row.stack)
}

/// Whether the innermost frames start a thread.
fn starts_thread(facts: &Facts<'_>, stack: Option<StackId>) -> bool {
    /// Frames that throw the exception come first.
    const INNERMOST: usize = 8;
    let recording = facts.recording;
    let mut frames = recording.stacks.frames(stack).take(INNERMOST);
    frames.any(|frame| {
        let of = |column: &ByFrame<Sym>| column.get(frame).map_or("", |sym| facts.text(*sym));
        of(&recording.frames.declaring_type) == "System.Threading.Thread"
            && matches!(of(&recording.frames.method), "Start" | "StartCore" | "StartInternal" | "UnsafeStart")
    })
}

/// Whether an exception means that the process has no descriptor left.
pub(crate) fn lacks_descriptors(facts: &Facts<'_>, row: &ExceptionRow) -> bool {
    facts.text(row.message).contains("Too many open files")
}

/// A query for all readings of these figures of the host.
pub(crate) fn host_sql(names: &[&str]) -> String {
    let columns: Vec<String> = names
        .iter()
        .map(|name| format!("max(case when name = '{name}' then value end) as \"{name}\""))
        .collect();
    let list: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    format!(
        "select ts_ns, {} from host where name in ({}) group by ts_ns order by ts_ns limit 500",
        columns.join(", "),
        list.join(", ")
    )
}

/// The readings of these figures, as evidence.
pub(crate) fn host_rows(facts: &Facts<'_>, names: &[&str]) -> report::EvidenceRows {
    let mut times: Vec<i64> =
        names.iter().flat_map(|name| facts.recording.of_host(name)).map(|(ts_ns, _)| ts_ns).collect();
    times.sort_unstable();
    times.dedup();
    report::EvidenceRows::of("host", host_sql(names), times.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_that_ended_in_the_first_half_is_told_from_growth_that_goes_on() {
        let readings = |value: fn(i64) -> i64| -> Vec<(i64, f64)> {
            (0..12).map(|at| (at * 1_000_000_000, real(value(at)))).collect()
        };
        let steady = Growth::of(&readings(|at| 100 + at * 10)).unwrap();
        assert!(
            (steady.a_second - 10.0).abs() < 1e-9 && (steady.by_trend - 110.0).abs() < 1e-9,
            "{steady:?}"
        );
        assert!(steady.rising > 0.99 && (steady.later - 6.0 / 11.0).abs() < 1e-9, "{steady:?}");
        let filled = Growth::of(&readings(|at| 100 + at.min(4) * 10)).unwrap();
        assert!(filled.later < 0.01, "{filled:?}");
        assert_eq!(Growth::of(&readings(|_| 1)[..5]), None);
    }
}
