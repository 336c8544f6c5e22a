//! The end of reading a load run: quantiles, buckets, extent in time, and the table `metrics`.

use super::hlog::{Found as Log, nanos};
use super::run::{FIGURES, Found as Run};
use super::values::whole;
use base::number::{count, real, real_u64, saturated};
use model::{LatencyRow, Load, LoadBucketRow, MetricRow, NO_INT, SCHEDULE, SEND, carries};
use std::path::Path;

/// The state of an exhibit that is written, or whose writer was killed.
const RUNNING: &str = "running";
/// What a run lacks whose generator was killed.
const BROKE_OFF: &str = "is not there: the run broke off, or still goes on. What was under way then, and what was due later, is in no figure";

/// The quantiles of the table `latency`.
const QUANTILES: [f64; 11] = [0.0, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999, 0.99999, 1.0];
/// The quantiles that `run.json` has, by name.
const NAMED: [(&str, f64); 6] =
    [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)];
/// A log's own start is written to the millisecond: a smaller difference to that of the account says nothing.
const SAME_START_NS: i64 = 2_000_000;

/// Fills what follows from both files.
pub(super) fn finish(load: &mut Load, run: &Run, log: Log) {
    let shift = starts(load, &log);
    latencies(load, run, &log);
    extent(load, run);
    metrics(load, run, &log);
    buckets(load, log, shift);
    let mut most = load.exhibit.duration_ns;
    for (from, dur) in load.histogram.ts_ns.iter().zip(&load.histogram.dur_ns) {
        most = most.max(from.saturating_add(*dur));
    }
    load.exhibit.duration_ns = most;
    load.exhibit.state = load.exhibit.state.take().or_else(|| load.run.ended.clone());
    if load.exhibit.state.as_deref() == Some(RUNNING) && !run.is_read {
        load.lost.note_file(Path::new("run.json"), BROKE_OFF.to_owned());
    }
    load.sort_by_time();
}

/// Sets the start if only the log has one, and returns what must be added to the times of the log.
fn starts(load: &mut Load, log: &Log) -> i64 {
    const LATEST: f64 = 1e11;
    let Some(start) = log.start.filter(|start| (0.0..LATEST).contains(start)) else { return 0 };
    // Doubles have no more digits of a time of these years.
    let Some(millis) = whole((start * 1e3).round()) else { return 0 };
    let Ok(of_log) = jiff::Timestamp::from_millisecond(millis) else { return 0 };
    let Ok(of_run) = load.exhibit.start_utc.parse::<jiff::Timestamp>() else {
        load.exhibit.start_utc = of_log.to_string();
        return 0;
    };
    let shift = of_log.as_nanosecond().saturating_sub(of_run.as_nanosecond());
    let shift = i64::try_from(shift).unwrap_or(0);
    // Logs of another day are not of this run: their times stay as they are.
    if shift.abs() < SAME_START_NS || shift.abs() > nanos(86_400.0) { 0 } else { shift }
}

/// The table `latency`: from the counts of the log, else the figures of the account.
fn latencies(load: &mut Load, run: &Run, log: &Log) {
    for of in &log.bases {
        let basis = load.strings.intern(&of.name);
        for quantile in QUANTILES.into_iter().filter(|quantile| carries(of.counts.total, *quantile)) {
            let Some(nanos) = of.counts.quantile(quantile) else { continue };
            load.latency.push(LatencyRow { basis, quantile, ms: real_u64(nanos) / 1e6 });
        }
    }
    for (name, member) in [(SCHEDULE, "from_schedule"), (SEND, "from_send")] {
        if log.bases.iter().any(|of| of.name == name && of.counts.total > 0) {
            continue;
        }
        let basis = load.strings.intern(name);
        for (percentile, quantile) in NAMED {
            if let Some(ms) = run.value(&format!("latency_ms.{member}.{percentile}")) {
                load.latency.push(LatencyRow { basis, quantile, ms });
            }
        }
    }
}

/// The table `histogram`.
fn buckets(load: &mut Load, log: Log, shift: i64) {
    for of in log.bases {
        let basis = load.strings.intern(&of.name);
        for interval in of.intervals {
            for (bucket, number) in interval.counts.0 {
                let (from_ms, to_ms) = log.borders.ends_ms(bucket);
                load.histogram.push(LoadBucketRow {
                    ts_ns: interval.ts_ns.saturating_add(shift),
                    dur_ns: interval.dur_ns,
                    basis,
                    from_ms,
                    to_ms,
                    count: saturated(number),
                });
            }
        }
    }
}

/// How long the run was.
fn extent(load: &mut Load, run: &Run) {
    const MOST: f64 = 1e9;
    let of_run = run.value("seconds").filter(|seconds| *seconds < MOST).map_or(0, nanos);
    let rows = load.seconds.ts_ns.iter().zip(&load.seconds.dur_ns);
    // A null length is the smallest number.
    let last = rows.map(|(from, dur)| from.saturating_add((*dur).max(0))).max().unwrap_or(0);
    load.exhibit.duration_ns = of_run.max(last);
}

/// The table `metrics`: every figure of the account, what follows from it, and short names for latencies.
fn metrics(load: &mut Load, run: &Run, log: &Log) {
    let samples = |basis: &str| {
        let of = log.bases.iter().find(|of| of.name == basis);
        of.map_or(NO_INT, |of| saturated(of.counts.total))
    };
    let of_member = |path: &str| match path.split('.').nth(1) {
        Some("from_schedule") => samples(SCHEDULE),
        Some("from_send") => samples(SEND),
        _ => NO_INT,
    };
    let main = if load.main_basis() == Some(SCHEDULE) { SCHEDULE } else { SEND };
    let mut short = Vec::new();
    for figure in FIGURES {
        let mut value = run.value(figure.path);
        if let Some((basis, name, quantile)) = percentile(figure.path) {
            // A log without an account has the same figures.
            value = value.or_else(|| load.quantile(basis, quantile).filter(|_| !run.is_read));
            if basis == main {
                short.push((name, value, samples(basis)));
            }
        }
        let n = if figure.path.starts_with("latency_ms.") { of_member(figure.path) } else { NO_INT };
        add(load, figure.path, value, figure.unit, n);
        if figure.path == "responses" {
            add(load, "errors", run.errors().map(real), "", NO_INT);
            for (kind, number) in &run.errors {
                add(load, &format!("errors.{kind}"), Some(real(*number)), "", NO_INT);
            }
        }
    }
    for (name, value, n) in short {
        add(load, name, value, "ms", n);
    }
    let planned = run.value("planned");
    let failed = run.errors().zip(run.value("timeouts")).map(|(errors, timeouts)| real(errors) + timeouts);
    // A response is an error too if its status says so or if it fails a check: a scenario counts those together, each once.
    let is_failed = |(status, _): &(&String, &i64)| status.parse::<u32>().is_ok_and(|status| status >= 500);
    let by_status = || run.statuses.iter().filter(is_failed).map(|(_, number)| real(*number)).sum();
    let responses = run.value("failed_responses").unwrap_or_else(by_status);
    let failed = failed.map(|failed| failed + responses + run.value("unsent").unwrap_or(0.0));
    let share = failed.zip(planned).filter(|(_, planned)| *planned > 0.0).map(|(failed, of)| failed / of);
    add(load, "error_share", share, "share", planned.and_then(whole).unwrap_or(NO_INT));
    for (status, number) in &run.statuses {
        add(load, &format!("status.{status}"), Some(real(*number)), "", NO_INT);
    }
    for (name, value) in &run.warm_up {
        add(load, &format!("warmup.{name}"), Some(*value), "", NO_INT);
    }
    let duration = load.exhibit.duration_ns;
    add(load, "duration", (duration > 0).then(|| real(duration) / 1e9), "s", NO_INT);
    let changes = load.run.steadiness.is_some().then(|| count(load.changes.ts_ns.len()));
    add(load, "steady.changes", changes, "", NO_INT);
}

/// The basis, the name and the quantile of a percentile of the account.
fn percentile(path: &'static str) -> Option<(&'static str, &'static str, f64)> {
    let (member, name) = path.strip_prefix("latency_ms.")?.split_once('.')?;
    let basis = if member == "from_schedule" { SCHEDULE } else { SEND };
    let (_, quantile) = NAMED.iter().find(|(of, _)| *of == name)?;
    Some((basis, name, *quantile))
}

fn add(load: &mut Load, name: &str, value: Option<f64>, unit: &str, n: i64) {
    let (name, unit) = (load.strings.intern(name), load.strings.intern(unit));
    let value = value.filter(|value| value.is_finite()).unwrap_or(f64::NAN);
    let (low, high) = (f64::NAN, f64::NAN);
    load.metrics.push(MetricRow { name, value, unit, low, high, n, partial: 0 });
}
