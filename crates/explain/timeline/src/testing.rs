//! Recordings made by hand.

use crate::lane::Lane;
use model::{CounterRow, CoverageRow, Trace};

/// A recording that observed each source from one time to another.
pub(crate) fn recording(covered: &[(&str, i64, i64)]) -> Trace {
    let mut recording = Trace::default();
    for (source, from_ns, to_ns) in covered {
        let source = recording.strings.intern(source);
        recording.coverage.push(CoverageRow { source, from_ns: *from_ns, to_ns: *to_ns });
        recording.exhibit.duration_ns = recording.exhibit.duration_ns.max(*to_ns);
    }
    recording
}

/// A value of a counter.
pub(crate) fn counter(recording: &mut Trace, ts_ns: i64, name: &str, kind: &str, value: f64) {
    let [provider, name, unit, kind, tags] =
        ["System.Runtime", name, "", kind, "{}"].map(|text| recording.strings.intern(text));
    recording.counters.push(CounterRow { ts_ns, provider, name, unit, kind, value, tags });
}

/// The heights of a lane, rounded to a millionth.
pub(crate) fn levels(lane: &Lane) -> Vec<Option<f64>> {
    lane.levels().map(|level| level.map(|level| (level * 1e6).round() / 1e6)).collect()
}
