//! Values that counters and meters published, by name.
//!
//! A histogram publishes the `count`, the `sum` and the quantiles of each interval and set of tags. Counts and sums add up
//! over intervals and tags, quantiles do not.

use base::stats::{Share, select};
use model::{Allowance, CounterRow, LARGEST_METERED, LimitedBy, Sym, Trace};
use report::unit;

/// A published value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metered {
    /// When it was published.
    pub ts_ns: i64,
    /// The value.
    pub value: f64,
    /// Its tags, as a JSON object.
    pub tags: Sym,
}

/// The values of one kind (`value`, `rate`, `total`, `count`, `sum`, `p50` …) of a counter or instrument, in order of time.
pub fn metered(recording: &Trace, name: &str, kind: &str) -> Vec<Metered> {
    rows_of(recording, name, kind)
        .map(|row| Metered { ts_ns: row.ts_ns, value: row.value, tags: row.tags })
        .collect()
}

/// The values of an instrument of durations, converted from its unit to seconds. OpenTelemetry asks for seconds, but many
/// libraries publish milliseconds. Without a unit, values count as seconds.
pub fn metered_seconds(recording: &Trace, name: &str, kind: &str) -> Vec<Metered> {
    let rows = rows_of(recording, name, kind);
    let seconds = |row: CounterRow| {
        let value = row.value * unit::in_seconds(recording.strings.text(row.unit)).unwrap_or(1.0);
        Metered { ts_ns: row.ts_ns, value, tags: row.tags }
    };
    rows.map(seconds).collect()
}

fn rows_of<'a>(recording: &'a Trace, name: &str, kind: &str) -> impl Iterator<Item = CounterRow> + 'a {
    let wanted = recording.strings.find(name).zip(recording.strings.find(kind));
    let rows = &recording.counters;
    let named = rows.name.iter().zip(&rows.kind).enumerate();
    let named = named.filter(move |(_, (name, kind))| wanted == Some((**name, **kind)));
    named
        .filter_map(|(at, _)| rows.row(at))
        // A larger value is damaged.
        .filter(|row| row.value.abs() <= LARGEST_METERED)
}

/// The values of each round of publishing, added up over all tags.
pub fn metered_totals(recording: &Trace, name: &str, kind: &str) -> Vec<(i64, f64)> {
    let mut totals: Vec<(i64, f64)> = Vec::new();
    for of in metered(recording, name, kind) {
        match totals.last_mut() {
            // A round of publishing takes less than this.
            Some((ts_ns, total)) if of.ts_ns.saturating_sub(*ts_ns) < 100_000_000 => *total += of.value,
            _ => totals.push((of.ts_ns, of.value)),
        }
    }
    totals
}

/// Like [`metered_totals`], of the first of several counters that was published: one quantity has several names.
pub fn first_totals(recording: &Trace, names: &[(&str, &str)]) -> Vec<(i64, f64)> {
    let totals = names.iter().map(|(name, kind)| metered_totals(recording, name, kind));
    totals.into_iter().find(|totals| !totals.is_empty()).unwrap_or_default()
}

/// The value of a tag. Tags are a JSON object whose values are strings.
pub fn tag<'a>(recording: &'a Trace, tags: Sym, name: &str) -> Option<&'a str> {
    let text = recording.strings.get(tags)?;
    let from = text.find(&format!("\"{name}\":\""))? + name.len() + 4;
    text.get(from..)?.split('"').next()
}

/// The last round that was published, added up over all tags.
pub fn metered_latest(recording: &Trace, name: &str, kind: &str) -> Option<f64> {
    metered_totals(recording, name, kind).last().map(|(_, value)| *value)
}

/// The shares of the allowed CPU that the process used, as published.
pub fn cpu_shares(recording: &Trace) -> Vec<(i64, f64)> {
    recording.cpu_shares()
}

/// CPU cores in use in user mode and in the kernel, on average, from the meter of .NET 9 and later.
pub fn cpu_modes(recording: &Trace) -> Option<(f64, f64)> {
    let rates = metered(recording, "dotnet.process.cpu.time", "rate");
    let mean = |mode: &str| {
        let of_mode = rates.iter().filter(|of| tag(recording, of.tags, "cpu.mode") == Some(mode));
        let (sum, count) = of_mode.fold((0.0, 0.0), |sum, of| (sum.0 + of.value, sum.1 + 1.0));
        (count > 0.0).then(|| sum / count)
    };
    Some((mean("user")?, mean("system")?))
}

/// The share of the allowed CPU that the process used in its busy seconds: the upper quartile of the published shares. A
/// quiet beginning or end then does not hide a busy middle.
pub fn busy_cpu_share(recording: &Trace) -> Option<f64> {
    let mut shares: Vec<f64> = cpu_shares(recording).into_iter().map(|(_, share)| share).collect();
    select(&mut shares, Share::PerMille(750), f64::total_cmp)
}

/// How many CPU cores the process may use. A quota of its control group may be a part of one.
pub fn allowed_cores(recording: &Trace) -> Option<f64> {
    recording.allowance().map(|allowance| allowance.cores)
}

/// The CPU that the process may use, in words: `its limit of 0.5 cores`, `the machine's 4 cores`.
pub fn allowance_in_words(allowance: Allowance) -> String {
    let cores = unit::show(allowance.cores, "cores");
    match allowance.by {
        LimitedBy::Quota => format!("its limit of {cores}"),
        LimitedBy::Set => format!("the {cores} that it may run on"),
        LimitedBy::Machine => format!("the machine's {cores}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::tests::recording;

    fn push(recording: &mut Trace, ts_ns: i64, name: &str, kind: &str, value: f64, tags: &str) {
        recording.counter(ts_ns, ["P", name, "", kind, tags], value);
    }

    #[test]
    fn values_of_one_round_add_up_and_rounds_stay_apart() {
        let mut recording = recording(1);
        for (ts_ns, value, tags) in [(0, 2.0, "a"), (1, 3.0, "b"), (1_000_000_000, 4.0, "a")] {
            push(&mut recording, ts_ns, "queue", "value", value, tags);
        }
        push(&mut recording, 0, "queue", "rate", 9.0, "a");
        assert_eq!(metered_totals(&recording, "queue", "value"), [(0, 5.0), (1_000_000_000, 4.0)]);
    }

    #[test]
    fn milliseconds_of_a_meter_are_not_taken_for_seconds() {
        let mut recording = recording(1);
        for (ts_ns, unit) in [(0, "s"), (1, "ms"), (2, "us"), (3, "")] {
            recording.counter(ts_ns, ["P", "wait", unit, "sum", "{}"], 3.0);
        }
        let seconds = metered_seconds(&recording, "wait", "sum");
        let expected = [3.0, 3e-3, 3e-6, 3.0];
        assert!(
            seconds.iter().zip(expected).all(|(of, expected)| (of.value - expected).abs() < 1e-12),
            "{seconds:?}"
        );
        assert_eq!(seconds.len(), 4);
    }

    #[test]
    fn a_tag_is_read_by_its_whole_name() {
        let mut recording = recording(1);
        let tags = recording.text(r#"{"server.port":"80","port":"81"}"#);
        assert_eq!(tag(&recording, tags, "port"), Some("81"));
        assert_eq!(tag(&recording, tags, "server"), None);
    }
}
