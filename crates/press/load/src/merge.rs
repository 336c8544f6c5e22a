//! Several runs as one: what generators on several machines, or at several times, have measured.
//!
//! Counts are sums, and percentiles are those of the added histograms, so both are exact: percentiles themselves cannot be added. A
//! generator is as good as the worst of them. What cannot be added is left out, and a note says so.
//!
//! ```text
//! run.json ──► Part: plan, counts, seconds ─┐
//!                                           ├─► Merged: Plan, Run, notes, and each second with its histograms
//! latency.hlog ──► its lines, in place ─────┘
//! ```
//!
//! Histograms are decoded one by one while they are added, so that memory does not grow with the length of the runs.

mod account;
mod error;
mod log;

use crate::generator::Generator;
use crate::plan::{Drive, Plan};
use crate::record::{Counts, Latencies};
use crate::run::{Run, Watcher};
use crate::scenario::Tally;
use crate::schedule::Schedule;
use crate::second::{Second, Typical};
use account::Part;
pub use account::utc;
use base::number::{real_u64, wide};
use error::MAX_PARTS;
pub use error::MergeError;
use exhibit::Folder;
use log::{Log, SECOND_NS};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Bytes of a file of a part: a run of a day has some 100 MB.
const MAX_BYTES: u64 = 512 << 20;
/// The longest time that all parts together may span.
const LONGEST_NS: u64 = 31 * 86_400 * SECOND_NS;
/// Parts ran at one time if this share of the time had all of them.
const TOGETHER: f64 = 0.9;
/// A start that differs by less is the same.
const SAME_START: Duration = Duration::from_millis(100);

/// Several runs as one.
#[derive(Debug)]
pub struct Merged {
    /// What all generators together were to do.
    pub plan: Plan,
    /// What they have shown together.
    pub run: Run,
    /// What could not be added, and what to know of the sum.
    pub notes: Vec<String>,
}

/// Adds runs, each a folder that `load -o` wrote. `watcher` gets each second with its histograms, in order of time.
pub fn merge(folders: &[&Path], watcher: &mut dyn Watcher) -> Result<Merged, MergeError> {
    if folders.is_empty() || folders.len() > MAX_PARTS {
        return Err(MergeError::Number(folders.len()));
    }
    let mut parts = Vec::new();
    let mut logs = Vec::new();
    for folder in folders {
        let name = folder.display().to_string();
        let folder = Folder::open(folder)?;
        parts.push(Part::read(&name, &read(&folder, "run.json")?)?);
        logs.push((format!("{name}/latency.hlog"), read(&folder, "latency.hlog")?));
    }
    for (at, second) in parts.iter().enumerate() {
        for first in parts.iter().take(at) {
            fits(first, second).map_err(|why| MergeError::Different {
                first: first.name.clone(),
                second: second.name.clone(),
                why,
            })?;
        }
    }
    let begun = parts.iter().map(|part| part.start).min().unwrap_or(SystemTime::UNIX_EPOCH);
    let logs: Result<Vec<Log<'_>>, MergeError> = (logs.iter().zip(&parts))
        .map(|((name, bytes), part)| Log::read(name, bytes, shift_ns(part, begun)))
        .collect();
    let plan = plan(&parts, begun);
    let run = add(&parts, &logs?, &plan, begun, watcher)?;
    Ok(Merged { notes: notes(&parts, begun), plan, run })
}

fn read(folder: &Folder, name: &str) -> Result<Vec<u8>, MergeError> {
    let file = folder.path_of(name).display().to_string();
    let mut bytes = Vec::new();
    let read = folder.open_file(name)?.take(MAX_BYTES).read_to_end(&mut bytes);
    match read {
        Ok(len) if wide(len) < MAX_BYTES => Ok(bytes),
        Ok(_) => Err(MergeError::Damaged { file, what: "larger than 512 MB".to_owned() }),
        Err(cause) => Err(MergeError::Read { file, cause }),
    }
}

/// Whether two runs are of one load, or in what they differ.
fn fits(first: &Part, second: &Part) -> Result<(), String> {
    let differ = |what: &str, one: &dyn std::fmt::Display, other: &dyn std::fmt::Display| {
        Err(format!("{what} are {one} and {other}"))
    };
    let (one, other) = (&first.plan, &second.plan);
    if one.target.url() != other.target.url() {
        return differ("the targets", &one.target.url(), &other.target.url());
    }
    if one.method != other.method {
        return differ("the methods", &one.method, &other.method);
    }
    if one.protocol != other.protocol {
        return Err("they do not speak HTTP in the same version, with the same number of streams".to_owned());
    }
    if one.timeout != other.timeout {
        return differ("the time-outs in seconds", &one.timeout.as_secs_f64(), &other.timeout.as_secs_f64());
    }
    // Constant rates and users add up, whatever they are. Of other schedules each run must have the same, or its part of it.
    let adds_up = matches!(
        (&one.drive, &other.drive),
        (Drive::Schedule(Schedule::Constant { .. }), Drive::Schedule(Schedule::Constant { .. }))
            | (Drive::Users { .. }, Drive::Users { .. })
            | (Drive::Max, Drive::Max)
    );
    if first.worker.map(|of| of.1) != second.worker.map(|of| of.1) {
        return Err("they are not parts of the same number of workers".to_owned());
    }
    let is_worker = first.worker.is_some();
    if first.schedule != second.schedule && (!adds_up || is_worker) {
        return differ("the schedules", &first.schedule, &second.schedule);
    }
    if is_worker && first.worker == second.worker {
        let (number, of) = first.worker.unwrap_or_default();
        return Err(format!("both are worker {number} of {of}"));
    }
    let apart = first.start.duration_since(second.start).unwrap_or_else(|earlier| earlier.duration());
    let is_same = apart.is_zero() && first.counts == second.counts;
    if is_same { Err("they are the same run".to_owned()) } else { Ok(()) }
}

/// By how many nanoseconds the rows of a part are later: whole seconds, so that rows are added as they are.
fn shift_ns(part: &Part, begun: SystemTime) -> u64 {
    let after = part.start.duration_since(begun).unwrap_or_default();
    let half = Duration::from_millis(500);
    after.saturating_add(half).as_secs().saturating_mul(SECOND_NS)
}

/// What all were to do together.
fn plan(parts: &[Part], begun: SystemTime) -> Plan {
    let Some(first) = parts.first() else { unreachable!("there is at least one part") };
    let sum = |of: fn(&Part) -> u32| parts.iter().map(of).fold(0, u32::saturating_add);
    // A worker has its part of the schedule, any other run has all of it.
    let times: f64 = parts.iter().map(|of| of.worker.map_or(1.0, |(_, of)| 1.0 / f64::from(of))).sum();
    // A third, three times, is not exactly 1.
    let times = if (times - times.round()).abs() < 1e-9 { times.round() } else { times };
    let drive = match &first.plan.drive {
        Drive::Schedule(Schedule::Constant { rate }) => {
            let rates: f64 = parts.iter().filter_map(|of| of.plan.asked_constant()).sum();
            let rate = match first.worker {
                Some(_) if is_at_one_time(parts, begun) => rate * times,
                None if is_at_one_time(parts, begun) => rates,
                // As all other rates, that of the whole time.
                _ => real_u64(parts.iter().map(|of| of.planned).sum()) / last_end(parts, begun),
            };
            Drive::Schedule(Schedule::Constant { rate })
        }
        Drive::Schedule(Schedule::Steps { rates }) => {
            Drive::Schedule(Schedule::Steps { rates: rates.iter().map(|rate| rate * times).collect() })
        }
        Drive::Schedule(Schedule::Ramp { from, to }) => {
            Drive::Schedule(Schedule::Ramp { from: from * times, to: to * times })
        }
        Drive::Schedule(Schedule::Poisson { rate, seed }) => {
            Drive::Schedule(Schedule::Poisson { rate: rate * times, seed: *seed })
        }
        Drive::Users { think, .. } => {
            let users = sum(|of| if let Drive::Users { users, .. } = of.plan.drive { users } else { 0 });
            Drive::Users { users, think: *think }
        }
        other => other.clone(),
    };
    let threads = parts.iter().map(|of| of.plan.threads).fold(0, usize::saturating_add);
    let duration = parts.iter().map(|of| of.plan.duration).max().unwrap_or_default();
    let whole = Duration::try_from_secs_f64(last_end(parts, begun)).unwrap_or(duration);
    let duration = if is_at_one_time(parts, begun) { duration } else { whole };
    Plan { drive, duration, connections: sum(|of| of.plan.connections), threads, ..first.plan.clone() }
}

/// Adds counts, rows and histograms.
fn add(
    parts: &[Part],
    logs: &[Log<'_>],
    plan: &Plan,
    begun: SystemTime,
    watcher: &mut dyn Watcher,
) -> Result<Run, MergeError> {
    let mut rows: BTreeMap<u64, Second> = BTreeMap::new();
    let mut counts = Counts::default();
    for part in parts {
        counts.add(&part.counts);
        let shift = shift_ns(part, begun);
        for of in &part.seconds {
            let ts_ns = of.ts_ns.saturating_add(shift);
            let row = rows.entry(ts_ns).or_insert_with(|| Second { ts_ns, ..Second::default() });
            row.dur_ns = row.dur_ns.max(of.dur_ns);
            row.asked += of.asked;
            row.counts.add(&of.counts);
        }
    }
    if let Some((file, _)) =
        logs.iter().map(|log| (log.name, log.end_ns())).find(|(_, end)| *end > LONGEST_NS)
    {
        let what = "the runs are more than 31 days apart".to_owned();
        return Err(MergeError::Damaged { file: file.to_owned(), what });
    }
    watcher.begun(begun);
    let mut latencies = Latencies::default();
    let mut times: Vec<u64> = logs.iter().flat_map(Log::times).chain(rows.keys().copied()).collect();
    times.sort_unstable();
    times.dedup();
    for ts_ns in times {
        let mut of_second = Latencies::default();
        for log in logs {
            log.add_to(ts_ns, &mut of_second)?;
        }
        latencies.add(&of_second);
        let second = Second { ts_ns, dur_ns: SECOND_NS, ..Second::default() };
        watcher.interval(&second, &of_second);
        let typical = Typical::of(plan, &of_second);
        // The row of a long run has several seconds.
        match rows.range_mut(..=ts_ns).next_back().filter(|(_, row)| ts_ns - row.ts_ns < row.dur_ns) {
            Some((_, row)) => row.typical.add(typical, (ts_ns - row.ts_ns) / SECOND_NS),
            None => drop(rows.insert(ts_ns, Second { typical, ..second })),
        }
    }
    let worst = parts.iter().map(|of| of.generator).reduce(worse);
    let ends = |of: fn(&Part) -> f64| {
        let end = |part: &Part| part.start.duration_since(begun).unwrap_or_default().as_secs_f64() + of(part);
        parts.iter().map(end).fold(0.0, f64::max)
    };
    Ok(Run {
        start: begun,
        // Generators on several machines have several clocks.
        start_monotonic_ns: None,
        planned: parts.iter().map(|of| of.planned).sum(),
        counts,
        latencies,
        seconds: rows.into_values().collect(),
        due_seconds: ends(|of| of.due_seconds),
        wall_seconds: ends(|of| of.wall_seconds),
        cpu_share: parts.iter().map(|of| of.generator.cpu_share).fold(0.0, f64::max),
        connections: parts.iter().map(|of| of.connections_at_start).sum(),
        is_interrupted: parts.iter().any(|of| of.ended != "complete"),
        abort: None,
        tls_error: None,
        tally: Tally::default(),
        worst,
    })
}

/// The worse of two generators, figure by figure.
fn worse(one: Generator, other: Generator) -> Generator {
    let most = |one: Option<f64>, other: Option<f64>| match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    };
    Generator {
        cpu_share: one.cpu_share.max(other.cpu_share),
        lateness_ms_p50: most(one.lateness_ms_p50, other.lateness_ms_p50),
        lateness_ms_p99: most(one.lateness_ms_p99, other.lateness_ms_p99),
        lateness_ms_max: most(one.lateness_ms_max, other.lateness_ms_max),
        stopped_ms: one.stopped_ms.max(other.stopped_ms),
        is_limited: one.is_limited || other.is_limited,
    }
}

/// When requests of a part were last due, in seconds since the first part began.
fn end(part: &Part, begun: SystemTime) -> f64 {
    part.start.duration_since(begun).unwrap_or_default().as_secs_f64() + part.due_seconds
}

/// When the first part ended, in seconds.
fn first_end(parts: &[Part], begun: SystemTime) -> f64 {
    parts.iter().map(|part| end(part, begun)).fold(f64::INFINITY, f64::min)
}

/// When the last part ended, in seconds.
fn last_end(parts: &[Part], begun: SystemTime) -> f64 {
    parts.iter().map(|part| end(part, begun)).fold(f64::MIN_POSITIVE, f64::max)
}

/// Whether all parts were under way for nearly all of the time.
fn is_at_one_time(parts: &[Part], begun: SystemTime) -> bool {
    let last_start = parts.iter().map(|part| part.start.duration_since(begun).unwrap_or_default()).max();
    let together = first_end(parts, begun) - last_start.unwrap_or_default().as_secs_f64();
    together.max(0.0) >= TOGETHER * last_end(parts, begun)
}

/// What to know of the sum.
fn notes(parts: &[Part], begun: SystemTime) -> Vec<String> {
    let mut notes = vec![format!(
        "{} runs: counts and histograms are added, percentiles are of the added histograms, and the generator's figures are the worst of \
         each. Requests one by one stay in the runs.",
        parts.len()
    )];
    let after = |part: &Part| part.start.duration_since(begun).unwrap_or_default();
    if !is_at_one_time(parts, begun) {
        let last_start = parts.iter().map(after).max().unwrap_or_default();
        notes.push(format!(
            "The runs were not at one time: the last one began {:.1} s after the first, and the first one ended after {:.1} s of {:.1} s. \
             Rates are of the whole time.",
            last_start.as_secs_f64(),
            first_end(parts, begun),
            last_end(parts, begun)
        ));
    }
    let off = |part: &Part| after(part).abs_diff(Duration::from_nanos(shift_ns(part, begun)));
    if let Some(most) = parts.iter().map(off).max().filter(|most| *most > SAME_START) {
        notes.push(format!(
            "Rows by second are of whole seconds of each run, which are up to {} ms apart.",
            most.as_millis()
        ));
    }
    if let Some((_, of)) = parts.first().and_then(|part| part.worker) {
        let is_there =
            |number: &u32| parts.iter().any(|part| part.worker.is_some_and(|(is, _)| is == *number));
        let missing: Vec<String> =
            (1..=of).filter(|number| !is_there(number)).take(10).map(|number| number.to_string()).collect();
        if !missing.is_empty() {
            notes.push(format!("Not all of the {of} workers are here: {} missing.", missing.join(", ")));
        }
    }
    for part in parts.iter().filter(|part| part.ended != "complete") {
        notes.push(format!("{} was {}.", part.name, part.ended));
    }
    if parts.iter().any(|part| part.had_warmup) {
        notes.push("The warm-up of the runs is left out.".to_owned());
    }
    notes
}

impl Plan {
    /// The rate of a constant schedule.
    fn asked_constant(&self) -> Option<f64> {
        match self.drive {
            Drive::Schedule(Schedule::Constant { rate }) => Some(rate),
            _ => None,
        }
    }
}
