//! Figures of the whole recording: the table `metrics`.
//!
//! Rates and shares are of the time observed. A figure that the recording cannot give is null, never 0.

use base::number::saturated;
use base::stats::{self, Share, Sorted};
use model::{MetricRow, NO_INT, Trace, covered_ns};

/// Fills the table.
pub(crate) fn fill(recording: &mut Trace) {
    let seconds = recording.observed_ns("events").map_or(0.0, |ns| ns as f64 / 1e9);
    let sent = |id: i64| {
        recording.events.kind_id.iter().zip(&recording.events.kind_provider).any(|(known, provider)| {
            *known == id && recording.strings.text(*provider) == super::kinds::RUNTIME
        })
    };
    let rate = |count: f64| if seconds > 0.0 { count / seconds } else { f64::NAN };
    let gc = &recording.gc;
    let has_gc = !gc.number.is_empty() || sent(9);
    let pauses = gc_pauses(recording);
    let sum = |figures: &mut dyn Iterator<Item = f64>| figures.fold(0.0, |sum, figure| sum + figure);
    let paused = sum(&mut pauses.iter().copied());
    let weights = &recording.allocations.weight_bytes;
    let allocated = sum(&mut weights.iter().copied().filter(|weight| !weight.is_nan()));
    let waits = waits(recording);
    let waited = sum(&mut waits.iter().map(|(from, to)| (to - from) as f64));
    let contended = covered_ns(&waits) as f64;
    // A sum of unknown values is unknown, not 0.
    let some_known = |rows: usize, known: usize| rows == 0 || known > 0;
    let has_pauses = has_gc && some_known(gc.number.len(), pauses.len());
    let has_waits = some_known(recording.contention.dur_ns.len(), waits.len());
    let weighed = weights.iter().any(|weight| !weight.is_nan());
    // Whether the runtime was asked at all: a provider without any event says nothing of what did not happen.
    let runtime = recording
        .events
        .kind_provider
        .iter()
        .any(|sym| recording.strings.text(*sym) == super::kinds::RUNTIME);
    let (requests, p50, p99) = request_figures(recording);
    let partial = recording.requests_are_partial();
    let count = |rows: usize| saturated(rows);
    let when = |known: bool, value: f64| if known { value } else { f64::NAN };
    let cpu = cpu_share(recording);
    let rows = [
        ("duration", recording.exhibit.duration_ns as f64 / 1e9, "s", 1),
        ("cpu.share", cpu.0, "", cpu.1),
        ("gc.count", when(has_gc, gc.number.len() as f64), "", count(gc.number.len())),
        ("gc.pause.share", when(has_pauses, rate(paused / 1e9)), "", count(pauses.len())),
        (
            "gc.pause.max",
            when(has_pauses, pauses.iter().copied().fold(0.0, f64::max) / 1e6),
            "ms",
            count(pauses.len()),
        ),
        ("allocation.rate", when(weighed, rate(allocated)), "B/s", count(weights.len())),
        (
            "exceptions.rate",
            when(runtime, rate(recording.exceptions.ts_ns.len() as f64)),
            "1/s",
            count(recording.exceptions.ts_ns.len()),
        ),
        (
            "contention.share",
            when(runtime && has_waits, rate(contended / 1e9)),
            "",
            count(recording.contention.dur_ns.len()),
        ),
        (
            "contention.waiting",
            when(runtime && has_waits, rate(waited / 1e9)),
            "threads",
            count(recording.contention.dur_ns.len()),
        ),
        ("requests.rate", requests.0, "1/s", requests.1),
        ("requests.p50", p50, "ms", requests.1),
        ("requests.p99", p99, "ms", requests.1),
    ];
    for (name, value, unit, n) in rows {
        let partial = i64::from(partial && name.starts_with("requests.") && !value.is_nan());
        let (name, unit) = (recording.strings.intern(name), recording.strings.intern(unit));
        recording.metrics.push(MetricRow { name, value, unit, low: f64::NAN, high: f64::NAN, n, partial });
    }
}

/// Lengths of the pauses for collections; those of the collections where no suspension was recorded.
fn gc_pauses(recording: &Trace) -> Vec<f64> {
    let cause = recording.strings.find("gc");
    let rows = recording.pauses.dur_ns.iter().zip(&recording.pauses.cause);
    let of_pauses = rows.filter(|(ns, of)| Some(**of) == cause && **ns != NO_INT);
    let own: Vec<f64> = of_pauses.map(|(ns, _)| *ns as f64).collect();
    if !own.is_empty() {
        return own;
    }
    recording.gc.pause_ns.iter().filter(|ns| **ns != NO_INT).map(|ns| *ns as f64).collect()
}

/// Begin and end of each wait for a lock whose end is known, by begin.
fn waits(recording: &Trace) -> Vec<(i64, i64)> {
    let rows = recording.contention.ts_ns.iter().zip(&recording.contention.dur_ns);
    let known = rows.filter(|(_, ns)| **ns != NO_INT && **ns >= 0);
    let mut waits: Vec<(i64, i64)> = known.map(|(from, ns)| (*from, from.saturating_add(*ns))).collect();
    waits.sort_unstable();
    waits
}

/// Share of the CPU that the process may use, on average over what the runtime published.
fn cpu_share(recording: &Trace) -> (f64, i64) {
    let shares = recording.cpu_shares();
    let n = shares.len();
    if n == 0 {
        return (f64::NAN, 0);
    }
    let sum: f64 = shares.iter().map(|(_, share)| share).sum();
    (sum / n as f64, saturated(n))
}

/// Requests per second and how many that stands on, and their median and 99th percentile in milliseconds.
fn request_figures(recording: &Trace) -> ((f64, i64), f64, f64) {
    #[expect(clippy::cast_possible_truncation, reason = "a count; the cast saturates")]
    let rate = recording.ended_requests().map_or((f64::NAN, 0), |of| (of.per_second(), of.count as i64));
    let rows = &recording.requests.dur_ns;
    let mut durations: Vec<i64> = rows.iter().copied().filter(|ns| *ns != NO_INT).collect();
    // A burst holds the short ones of its requests whole: their quantiles would be too low.
    if durations.is_empty() || !recording.has_each_request() {
        return (rate, f64::NAN, f64::NAN);
    }
    let sorted = Sorted::new(&mut durations);
    let quantile = |share| stats::quantile(&sorted, share).map_or(f64::NAN, |ns| ns as f64 / 1e6);
    (rate, quantile(Share::MEDIAN), quantile(Share::PerMille(990)))
}
