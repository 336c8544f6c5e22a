//! What was observed, by the table `coverage`.
//!
//! Streams of an exhibit may overlap: time that two of them cover counts once.

use super::recording::Trace;

/// Samples that cover a smaller part of the time were taken in bursts.
const WHOLE: f64 = 0.9;

/// How much time spans cover that are sorted by their begins, each moment once.
pub fn covered_ns(spans: &[(i64, i64)]) -> i64 {
    let mut end = i64::MIN;
    let mut total = 0i64;
    for (from, to) in spans {
        total = total.saturating_add(to.saturating_sub((*from).max(end)).max(0));
        end = end.max(*to);
    }
    total
}

impl Trace {
    /// Nanoseconds in which a source (`events`, `samples`) was recorded; none where it never was.
    pub fn observed_ns(&self, source: &str) -> Option<i64> {
        self.observed_within(source, i64::MIN, i64::MAX)
    }

    /// Nanoseconds from a time up to another in which a source was recorded; none where it never was in between.
    pub fn observed_within(&self, source: &str, from_ns: i64, to_ns: i64) -> Option<i64> {
        let mut spans = self.spans(source);
        for (from, to) in &mut spans {
            (*from, *to) = ((*from).max(from_ns), (*to).min(to_ns));
        }
        spans.sort_unstable();
        let total = covered_ns(&spans);
        (total > 0).then_some(total)
    }

    /// Whether what happened at these times was recorded with the samples alone, which were taken for a part of the time:
    /// what happened in between is not known then.
    pub fn came_in_bursts(&self, times: impl IntoIterator<Item = i64>) -> bool {
        let (Some(events), Some(samples)) = (self.observed_ns("events"), self.observed_ns("samples")) else {
            return false;
        };
        if samples as f64 >= WHOLE * events as f64 {
            return false;
        }
        let mut bursts = self.spans("samples");
        bursts.sort_unstable();
        let in_burst = |ns: i64| {
            let after = bursts.partition_point(|(from, _)| *from <= ns);
            after.checked_sub(1).and_then(|at| bursts.get(at)).is_some_and(|(_, to)| ns <= *to)
        };
        times.into_iter().all(in_burst)
    }

    fn spans(&self, source: &str) -> Vec<(i64, i64)> {
        let Some(source) = self.strings.find(source) else { return Vec::new() };
        let coverage = &self.coverage;
        let spans = coverage.source.iter().zip(coverage.from_ns.iter().zip(&coverage.to_ns));
        spans
            .filter(|(of, (from, to))| **of == source && from < to)
            .map(|(_, (from, to))| (*from, *to))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(spans: &[(&str, i64, i64)]) -> Trace {
        let mut recording = Trace::default();
        for (source, from_ns, to_ns) in spans {
            recording.covers(source, *from_ns, *to_ns);
        }
        recording
    }

    #[test]
    fn time_that_two_streams_cover_counts_once() {
        let spans = [("events", 0, 100), ("events", 50, 150), ("events", 60, 70), ("events", 200, 210)];
        let recording = recording(&spans);
        assert_eq!(recording.observed_ns("events"), Some(160));
        assert_eq!(recording.observed_ns("samples"), None);
    }

    #[test]
    fn what_came_with_a_part_of_the_time_is_told_from_what_came_all_the_time() {
        let bursts = recording(&[("events", 0, 100), ("samples", 10, 20), ("samples", 60, 70)]);
        assert!(bursts.came_in_bursts([10, 15, 70]));
        assert!(!bursts.came_in_bursts([10, 30]));
        let always = recording(&[("events", 0, 100), ("samples", 0, 99)]);
        assert!(!always.came_in_bursts([10, 15]));
    }
}
