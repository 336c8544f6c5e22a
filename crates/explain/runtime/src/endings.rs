//! Where recordings end early, and files that are missing: what `gaps` and `loss` both report.

use base::number::real;
use model::{EarlyEnd, Trace};
use report::unit::duration;

/// The place where the main session ends early, if it does.
pub fn early_end(recording: &Trace) -> Option<&EarlyEnd> {
    recording.missing.early_ends.iter().rfind(|end| end.is_main)
}

/// Which file ends early, and where: the beginning of a sentence.
pub fn end_words(end: &EarlyEnd) -> String {
    let file = if end.is_main || end.file.is_empty() { "the recording" } else { &end.file };
    let place = if end.in_names {
        "among the names of methods".to_owned()
    } else {
        format!("at {}", at_time(end.at_ns))
    };
    format!("{file} is cut off {place}")
}

/// A time of the recording as text.
pub(crate) fn at_time(ns: i64) -> String {
    duration(real(ns.max(0)) / 1e6)
}

/// Why a recording without samples should have some.
///
/// All profiles of our recorder but `light` take samples. Without `exhibit.toml`, the tables tell the profile: `light`
/// records no compiled code and no allocation.
pub(crate) fn without_samples(recording: &Trace) -> Option<String> {
    const NO_SAMPLES: &str = "there are no samples of threads";
    if !recording.samples.ts_ns.is_empty() {
        return None;
    }
    if let Some(profile) = recording.session.profile.as_deref() {
        return (profile != "light").then(|| format!("{NO_SAMPLES}, which the profile {profile} takes"));
    }
    let publishes = |provider: &str| {
        let provider = recording.strings.find(provider);
        provider.is_some_and(|provider| recording.events.kind_provider.contains(&provider))
    };
    let has_tables = !recording.host.ts_ns.is_empty() || !recording.thread_cpu.ts_ns.is_empty();
    let is_ours = has_tables || publishes("System.Runtime") && publishes("System.Diagnostics.Metrics");
    let is_light = recording.jit.ts_ns.is_empty() && recording.allocations.ts_ns.is_empty();
    (is_ours && !is_light).then(|| format!("{NO_SAMPLES}, which are recorded with such events"))
}

/// Why a recording without readings of the host should have some.
pub(crate) fn without_host(recording: &Trace) -> Option<String> {
    let is_missing = recording.host.ts_ns.is_empty() && !recording.thread_cpu.ts_ns.is_empty();
    is_missing.then(|| "host.csv is missing, which is recorded with thread_cpu.csv".to_owned())
}
