//! Runs that tests make up: 200 requests in each second, spread evenly.

use model::{
    LatencyRow, Load, LoadBucketRow, LoadFailureRow, LoadSecondRow, LoadStatusRow, MetricRow, NO_INT,
    SCHEDULE, SEND,
};
use std::collections::BTreeMap;
use std::ops::Range;

const RATE: i64 = 200;
const SECOND: i64 = 1_000_000_000;

/// A run before it is a table.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// The latencies of each second, in milliseconds.
    seconds: Vec<Vec<f64>>,
    late_ms: BTreeMap<usize, i64>,
    timeouts: BTreeMap<usize, i64>,
    /// Seconds in which another number was answered than usually.
    answers: BTreeMap<usize, i64>,
    /// What was sent in each second without a schedule.
    closed: Option<BTreeMap<usize, i64>>,
    answered: f64,
    metrics: BTreeMap<String, f64>,
    statuses: Vec<(&'static str, i64)>,
}

impl Run {
    /// Every request takes 0.2 ms.
    pub(crate) fn steady(seconds: usize) -> Self {
        let sent = f64::from(200 * u32::try_from(seconds).unwrap());
        let metrics =
            [("planned", sent), ("sent", sent), ("responses", sent), ("errors", 0.0), ("timeouts", 0.0)];
        let more = [
            ("rate.asked", 200.0),
            ("client.lateness_ms_p99", 0.08),
            ("client.stopped_ms", 0.0),
            ("error_share", 0.0),
        ];
        Self {
            seconds: vec![vec![0.2; 200]; seconds],
            answered: 200.0,
            metrics: metrics.into_iter().chain(more).map(|(name, value)| (name.to_owned(), value)).collect(),
            ..Self::default()
        }
    }

    /// In these seconds nothing is answered until their end.
    pub(crate) fn stalled(mut self, at: &[usize]) -> Self {
        for second in at {
            self.seconds[*second] = (0..200).map(|due| 1000.0 - 5.0 * f64::from(due)).collect();
        }
        self
    }

    /// In these seconds nothing is answered until their end, and the generator waits for `ms` only.
    pub(crate) fn stalled_beyond(mut self, at: &[usize], ms: f64) -> Self {
        self = self.stalled(at).metric("timeout_ms", ms);
        for second in at {
            let cut = self.seconds[*second].iter_mut().filter(|of| **of > ms);
            self.timeouts.insert(*second, cut.map(|of| *of = ms).map(|()| 1).sum());
        }
        let timeouts = base::number::real(self.timeouts.values().sum());
        self.metric("timeouts", timeouts)
    }

    /// In these seconds nothing is answered, and then all that is due since, unless it has timed out after `timeout_ms`.
    pub(crate) fn silent(mut self, at: Range<usize>, timeout_ms: f64) -> Self {
        let end_ms = 1e3 * base::number::count(at.end);
        for second in at.clone() {
            self.seconds[second].clear();
            self.answers.insert(second, 0);
        }
        for second in at.clone() {
            for due in 0..RATE {
                let due_ms = 1e3 * base::number::count(second) + 5.0 * base::number::real(due);
                let waited = (end_ms - due_ms).min(timeout_ms);
                let ended = usize::try_from(whole((due_ms + waited) / 1e3)).unwrap();
                // What ends after the rows is left out.
                let Some(of) = self.seconds.get_mut(ended) else { continue };
                of.push(waited);
                let count = if waited >= timeout_ms { &mut self.timeouts } else { &mut self.answers };
                *count.entry(ended).or_insert(if waited >= timeout_ms { 0 } else { RATE }) += 1;
            }
        }
        if timeout_ms < 1e9 {
            let timeouts = base::number::real(self.timeouts.values().sum());
            self = self.metric("timeout_ms", timeout_ms).metric("timeouts", timeouts);
        }
        self
    }

    /// Without a schedule, a silent service holds up ten requests.
    pub(crate) fn closed(mut self) -> Self {
        let silent: Vec<usize> = self.answers.iter().filter(|of| *of.1 == 0).map(|of| *of.0).collect();
        let mut sent: BTreeMap<usize, i64> = silent.iter().map(|second| (*second, 0)).collect();
        let (first, last) = (silent[0], silent[silent.len() - 1]);
        sent.insert(first, 10);
        self.answers.insert(last + 1, RATE + 10);
        self.seconds[last + 1].retain(|ms| *ms < 1.0);
        self.seconds[last + 1].extend([1e3 * base::number::count(silent.len()); 10]);
        self.metrics.remove("rate.asked");
        self.closed = Some(sent);
        self
    }

    /// One request of so many takes that long.
    pub(crate) fn one_in(mut self, number: usize, ms: f64) -> Self {
        for second in &mut self.seconds {
            for of in second.iter_mut().step_by(number) {
                *of = ms;
            }
        }
        self
    }

    /// Each request takes so many milliseconds longer in each second than in the one before.
    pub(crate) fn growing(mut self, ms: f64) -> Self {
        for (at, second) in self.seconds.iter_mut().enumerate() {
            for of in second {
                *of += ms * base::number::count(at);
            }
        }
        self
    }

    /// In these seconds the generator was late.
    pub(crate) fn late(mut self, at: &[usize], ms: i64) -> Self {
        self.late_ms.extend(at.iter().map(|second| (*second, ms)));
        self
    }

    /// 160 of 200 requests are answered in each second.
    pub(crate) fn saturated(seconds: usize) -> Self {
        let mut run = Self::steady(seconds);
        for (at, second) in run.seconds.iter_mut().enumerate() {
            let waited = 200.0 * f64::from(u32::try_from(at).unwrap());
            *second = (0..200).map(|due| waited + f64::from(due) + 0.2).collect();
        }
        run.answered = 160.0;
        run
    }

    /// So many of 200 requests are answered in each second.
    pub(crate) fn answering(mut self, answered: f64) -> Self {
        self.answered = answered;
        self
    }

    /// The responses have these statuses, each with its count.
    pub(crate) fn statuses(mut self, statuses: &[(&'static str, i64)]) -> Self {
        self.statuses = statuses.to_vec();
        self
    }

    pub(crate) fn metric(mut self, name: &str, value: f64) -> Self {
        self.metrics.insert(name.to_owned(), value);
        self
    }

    /// The tables.
    pub(crate) fn load(&self) -> Load {
        let mut load = Load::default();
        load.exhibit.duration_ns = SECOND * i64::try_from(self.seconds.len()).unwrap();
        load.run.steadiness = Some("steady".to_owned());
        let basis = load.strings.intern(if self.closed.is_some() { SEND } else { SCHEDULE });
        let mut all: Vec<f64> = self.seconds.iter().flatten().copied().collect();
        all.sort_by(f64::total_cmp);
        for (quantile, needed) in [(0.5, 10), (0.9, 50), (0.99, 500), (1.0, 1)] {
            if all.len() >= needed {
                let rank = (quantile * base::number::count(all.len())).ceil();
                let ms = all[usize::try_from(whole(rank)).unwrap().max(1) - 1];
                load.latency.push(LatencyRow { basis, quantile, ms });
            }
        }
        for (at, second) in self.seconds.iter().enumerate() {
            let ts_ns = SECOND * i64::try_from(at).unwrap();
            let lateness_max_ns = self.late_ms.get(&at).map_or(80_000, |ms| ms * 1_000_000);
            load.seconds.push(LoadSecondRow {
                ts_ns,
                dur_ns: SECOND,
                asked: self.closed.as_ref().map_or(RATE, |of| of.get(&at).copied().unwrap_or(RATE)),
                sent: RATE,
                answered: self.answers.get(&at).copied().unwrap_or_else(|| whole(self.answered)),
                errors: 0,
                timeouts: self.timeouts.get(&at).copied().unwrap_or(0),
                lateness_max_ns,
            });
            let mut buckets: BTreeMap<i64, i64> = BTreeMap::new();
            for ms in second {
                *buckets.entry(whole((ms.log10() * 40.0).floor())).or_default() += 1;
            }
            for (bucket, count) in buckets {
                let border = |at: i64| 10f64.powf(at as f64 / 40.0);
                let (from_ms, to_ms) = (border(bucket), border(bucket + 1));
                load.histogram.push(LoadBucketRow { ts_ns, dur_ns: SECOND, basis, from_ms, to_ms, count });
            }
        }
        for (status, count) in &self.statuses {
            let what = load.strings.intern(status);
            load.statuses.push(LoadStatusRow { what, count: *count });
        }
        let mut metrics = self.metrics.clone();
        metrics.insert("rate.answered".to_owned(), self.answered);
        for (name, value) in metrics {
            if let Some(kind) = name.strip_prefix("errors.") {
                let what = load.strings.intern(kind);
                load.failures.push(LoadFailureRow { what, count: whole(value) });
            }
            let (name, unit) = (load.strings.intern(&name), load.strings.intern(""));
            let (low, high) = (f64::NAN, f64::NAN);
            load.metrics.push(MetricRow { name, value, unit, low, high, n: NO_INT, partial: 0 });
        }
        load
    }
}

#[expect(clippy::cast_possible_truncation, reason = "small whole numbers")]
fn whole(value: f64) -> i64 {
    value as i64
}
