//! Counters and meters by name: what the runtime and its libraries measured of themselves.
//!
//! A histogram publishes, for each interval and set of tags, the `count` and `sum` of that interval and its quantiles;
//! counts and sums add up over intervals and tags, quantiles do not.

use base::stats::{Share, select};
use model::{LARGEST_METERED, Sym, Trace};

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

/// The values of a counter or instrument of a kind (`value`, `rate`, `total`, `count`, `sum`, `p50` …), in order.
pub fn metered(recording: &Trace, name: &str, kind: &str) -> Vec<Metered> {
    let (Some(name), Some(kind)) = (recording.strings.find(name), recording.strings.find(kind)) else {
        return Vec::new();
    };
    let rows = &recording.counters;
    let named = rows.name.iter().zip(&rows.kind).enumerate().filter(|(_, of)| *of == (&name, &kind));
    named
        .filter_map(|(at, _)| rows.row(at))
        // More of anything is in no recording: such a value is damaged.
        .filter(|row| row.value.abs() <= LARGEST_METERED)
        .map(|row| Metered { ts_ns: row.ts_ns, value: row.value, tags: row.tags })
        .collect()
}

/// The sum of all values; none where none was published.
pub fn metered_sum(recording: &Trace, name: &str, kind: &str) -> Option<f64> {
    let values = metered(recording, name, kind);
    (!values.is_empty()).then(|| values.iter().map(|of| of.value).sum())
}

/// The values of one moment added up over all tags, for each moment.
pub fn metered_totals(recording: &Trace, name: &str, kind: &str) -> Vec<(i64, f64)> {
    let mut totals: Vec<(i64, f64)> = Vec::new();
    for of in metered(recording, name, kind) {
        match totals.last_mut() {
            // One round of publishing takes less than this.
            Some((ts_ns, total)) if of.ts_ns.saturating_sub(*ts_ns) < 100_000_000 => *total += of.value,
            _ => totals.push((of.ts_ns, of.value)),
        }
    }
    totals
}

/// A tag's value, from the tags as a JSON object whose values are texts.
pub fn tag<'a>(recording: &'a Trace, tags: Sym, name: &str) -> Option<&'a str> {
    let text = recording.strings.get(tags)?;
    let from = text.find(&format!("\"{name}\":\""))? + name.len() + 4;
    text.get(from..)?.split('"').next()
}

/// The last value that was published, added up over all tags.
pub fn metered_latest(recording: &Trace, name: &str, kind: &str) -> Option<f64> {
    metered_totals(recording, name, kind).last().map(|(_, value)| *value)
}

/// The share of the machine that the process used, as often as it was published.
pub fn cpu_shares(recording: &Trace) -> Vec<(i64, f64)> {
    let told = metered(recording, "cpu-usage", "value");
    if !told.is_empty() {
        return told.iter().map(|of| (of.ts_ns, of.value / 100.0)).collect();
    }
    let Some(cores) = processors(recording) else { return Vec::new() };
    let rates = metered_totals(recording, "dotnet.process.cpu.time", "rate");
    rates.into_iter().map(|(ts_ns, rate)| (ts_ns, rate / cores)).collect()
}

/// Processors in use on average in user mode and in the kernel, from the meter of .NET 9 and later.
pub fn cpu_modes(recording: &Trace) -> Option<(f64, f64)> {
    let rates = metered(recording, "dotnet.process.cpu.time", "rate");
    let mean = |mode: &str| {
        let of_mode = rates.iter().filter(|of| tag(recording, of.tags, "cpu.mode") == Some(mode));
        let (sum, count) = of_mode.fold((0.0, 0.0), |sum, of| (sum.0 + of.value, sum.1 + 1.0));
        (count > 0.0).then(|| sum / count)
    };
    Some((mean("user")?, mean("system")?))
}

/// The share of the machine that the process used in its busy seconds: the upper quartile of what was published, so
/// that a quiet beginning or end does not hide a busy middle.
pub fn busy_cpu_share(recording: &Trace) -> Option<f64> {
    let mut shares: Vec<f64> = cpu_shares(recording).into_iter().map(|(_, share)| share).collect();
    select(&mut shares, Share::PerMille(750), f64::total_cmp)
}

/// Processors that the process may use, as the runtime counts them, else as the recording's header does.
pub fn processors(recording: &Trace) -> Option<f64> {
    let told = metered(recording, "dotnet.process.cpu.count", "value").last().map(|of| of.value);
    told.or(recording.exhibit.processors.map(f64::from)).filter(|count| *count >= 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::tests::recording;
    use model::CounterRow;

    fn push(recording: &mut Trace, ts_ns: i64, name: &str, kind: &str, value: f64, tags: &str) {
        let mut text = |text| recording.strings.intern(text);
        let (provider, name, unit) = (text("P"), text(name), text(""));
        let (kind, tags) = (text(kind), text(tags));
        recording.counters.push(CounterRow { ts_ns, provider, name, unit, kind, value, tags });
    }

    #[test]
    fn values_of_one_round_add_up_and_rounds_stay_apart() {
        let mut recording = recording(1);
        for (ts_ns, value, tags) in [(0, 2.0, "a"), (1, 3.0, "b"), (1_000_000_000, 4.0, "a")] {
            push(&mut recording, ts_ns, "queue", "value", value, tags);
        }
        push(&mut recording, 0, "queue", "rate", 9.0, "a");
        assert_eq!(metered_totals(&recording, "queue", "value"), [(0, 5.0), (1_000_000_000, 4.0)]);
        assert_eq!(metered_sum(&recording, "queue", "value"), Some(9.0));
        assert_eq!(metered_sum(&recording, "queue", "p50"), None);
    }

    #[test]
    fn a_tag_is_read_by_its_whole_name() {
        let mut recording = recording(1);
        let tags = recording.strings.intern(r#"{"server.port":"80","port":"81"}"#);
        assert_eq!(tag(&recording, tags, "port"), Some("81"));
        assert_eq!(tag(&recording, tags, "server"), None);
    }
}
