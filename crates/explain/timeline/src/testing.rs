//! Recordings made by hand.

use crate::lane::Lane;
use model::Trace;

/// A recording that observed each source from one time to another.
pub(crate) fn recording(covered: &[(&str, i64, i64)]) -> Trace {
    let mut recording = Trace::default();
    for (source, from_ns, to_ns) in covered {
        recording.covers(source, *from_ns, *to_ns);
        recording.exhibit.duration_ns = recording.exhibit.duration_ns.max(*to_ns);
    }
    recording
}

/// A value of a counter.
pub(crate) fn counter(recording: &mut Trace, ts_ns: i64, name: &str, kind: &str, value: f64) {
    recording.counter(ts_ns, ["System.Runtime", name, "", kind, "{}"], value);
}

/// The heights of a lane, rounded to a millionth.
pub(crate) fn levels(lane: &Lane) -> Vec<Option<f64>> {
    lane.levels().map(|level| level.map(|level| (level * 1e6).round() / 1e6)).collect()
}
