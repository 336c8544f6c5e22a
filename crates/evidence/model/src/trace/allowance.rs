//! How much CPU a process may use, and the share of it that it used.
//!
//! What it may use is the least of the quota of its control groups, its set of CPU cores, its own affinity, and the
//! machine. The runtime's own counter `cpu-usage` is of a whole number of cores, the quota rounded up, so that a service at
//! its limit of 0.5 cores reads 50 %: it is turned into the share of the limit here, and nowhere else.

use super::counted::{LARGEST_METERED, ONE_ROUND_NS};
use super::recording::Trace;

/// The source and the meter that tell of the runtime itself.
const RUNTIME: &str = "System.Runtime";

/// What limits how much CPU a process may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitedBy {
    /// A quota of its control group.
    Quota,
    /// A set of CPU cores, of its control group or its own.
    Set,
    /// The number of the machine's cores.
    Machine,
}

/// How much CPU a process may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Allowance {
    /// CPU cores; a part of one with a quota.
    pub cores: f64,
    /// What says so.
    pub by: LimitedBy,
}

/// No machine has more cores.
const MAX_CORES: f64 = 65_536.0;

impl Trace {
    /// What the process may use; none where the recording does not tell.
    pub fn allowance(&self) -> Option<Allowance> {
        let reading =
            |name: &str| self.last_of_host(name).filter(|cores| *cores > 0.0 && *cores <= MAX_CORES);
        let runtime = self.runtime_cores();
        let machine = reading("cores").or(self.exhibit.cores.map(f64::from)).or(runtime);
        let sets = [reading("limit.cpuset"), reading("limit.affinity")].into_iter().flatten();
        let set = sets.min_by(f64::total_cmp);
        // Without the host's tables: the runtime counts fewer cores than the machine has where something limits it.
        let counted = runtime.filter(|_| set.is_none());
        let candidates = [
            (machine, LimitedBy::Machine),
            (set.or(counted), LimitedBy::Set),
            (reading("limit.cpu"), LimitedBy::Quota),
        ];
        let known = candidates.into_iter().filter_map(|(cores, by)| Some(Allowance { cores: cores?, by }));
        // Of equal ones the first: a set of all cores limits nothing.
        known.reduce(|least, other| if other.cores < least.cores { other } else { least })
    }

    /// The factor that turns a share of the cores that the runtime counts into one of what the process may use.
    fn share_factor(&self) -> Option<f64> {
        let allowance = self.allowance()?;
        let runtime = self.runtime_cores().or_else(|| {
            // As the runtime counts: the quota rounded up, and no more than the set.
            let most = self.exhibit.cores.map(f64::from).or(self.last_of_host("cores"))?;
            Some(if allowance.by == LimitedBy::Machine { most } else { allowance.cores.ceil() })
        });
        Some(runtime? / allowance.cores)
    }

    /// The share that the process used of the CPU that it may use, as often as the runtime published it. Where nothing
    /// tells what it may use, it is of the cores that the runtime counts.
    pub fn cpu_shares(&self) -> Vec<(i64, f64)> {
        let published = self.values_of("cpu-usage", "value");
        if !published.is_empty() {
            let factor = self.share_factor().unwrap_or(1.0) / 100.0;
            return published.into_iter().map(|(ts_ns, percent)| (ts_ns, percent * factor)).collect();
        }
        let Some(allowance) = self.allowance() else { return Vec::new() };
        let rates = self.values_of("dotnet.process.cpu.time", "rate");
        let mut totals: Vec<(i64, f64)> = Vec::new();
        for (ts_ns, rate) in rates {
            match totals.last_mut() {
                // User and kernel time of one round of publishing.
                Some((at, total)) if ts_ns.saturating_sub(*at) < ONE_ROUND_NS => *total += rate,
                _ => totals.push((ts_ns, rate)),
            }
        }
        totals.into_iter().map(|(ts_ns, rate)| (ts_ns, rate / allowance.cores)).collect()
    }

    /// CPU cores as the runtime counts them (`Environment.ProcessorCount`).
    pub fn runtime_cores(&self) -> Option<f64> {
        let counts = self.values_of("dotnet.process.cpu.count", "value");
        counts.last().map(|(_, count)| *count).filter(|count| (1.0..=MAX_CORES).contains(count))
    }

    /// The last reading of a figure of the host.
    pub fn last_of_host(&self, name: &str) -> Option<f64> {
        self.of_host(name).last().map(|(_, value)| *value)
    }

    /// All readings of a figure of the host, in the order of time.
    pub fn of_host(&self, name: &str) -> Vec<(i64, f64)> {
        let Some(name) = self.strings.find(name) else { return Vec::new() };
        let host = &self.host;
        let rows = host.name.iter().zip(host.ts_ns.iter().zip(&host.value));
        rows.filter(|(of, (_, value))| **of == name && value.is_finite())
            .map(|(_, (ts_ns, value))| (*ts_ns, *value))
            .collect()
    }

    /// What a counter or an instrument of the runtime published. A value that no recording can have is damaged, and left out.
    fn values_of(&self, name: &str, kind: &str) -> Vec<(i64, f64)> {
        let [Some(provider), Some(name), Some(kind)] =
            [RUNTIME, name, kind].map(|text| self.strings.find(text))
        else {
            return Vec::new();
        };
        let rows = &self.counters;
        let named = rows.provider.iter().zip(rows.name.iter().zip(&rows.kind));
        named
            .zip(rows.ts_ns.iter().zip(&rows.value))
            .filter(|(of, (_, value))| *of == (&provider, (&name, &kind)) && value.abs() <= LARGEST_METERED)
            .map(|(_, (ts_ns, value))| (*ts_ns, *value))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HostRow;

    /// A machine of four cores, with readings of the host, and what the runtime counts and uses of it in percent.
    fn check(
        host: &[(&str, f64)],
        counted: Option<f64>,
        expected: (f64, LimitedBy),
        percent: f64,
        share: f64,
    ) {
        let mut trace = Trace::default();
        trace.exhibit.cores = Some(4);
        for (name, value) in host {
            let (name, unit) = (trace.text(name), trace.text("cores"));
            trace.host.push(HostRow { ts_ns: 0, name, value: *value, unit });
        }
        let mut push = |name: &str, value| {
            trace.counter(0, ["System.Runtime", name, "", "value", "{}"], value);
        };
        push("cpu-usage", percent);
        if let Some(count) = counted {
            push("dotnet.process.cpu.count", count);
        }
        let allowance = trace.allowance().unwrap();
        assert_eq!((allowance.cores, allowance.by), expected);
        let found = trace.cpu_shares()[0].1;
        assert!((found - share).abs() < 1e-9, "{found}, expected {share}");
    }

    #[test]
    fn a_service_at_its_limit_of_half_a_core_uses_all_that_it_may() {
        check(&[("limit.cpu", 0.5)], Some(1.0), (0.5, LimitedBy::Quota), 50.0, 1.0);
        check(&[("limit.cpu", 0.5)], None, (0.5, LimitedBy::Quota), 50.0, 1.0);
        check(&[("limit.cpu", 1.5)], Some(2.0), (1.5, LimitedBy::Quota), 30.0, 0.4);
    }

    #[test]
    fn a_counter_of_the_program_with_the_name_of_the_runtimes_is_not_the_cpu_that_it_used() {
        let mut trace = Trace::default();
        trace.exhibit.cores = Some(4);
        for (provider, percent) in [("System.Runtime", 30.0), ("Shop.Load", 95.0)] {
            trace.counter(0, [provider, "cpu-usage", "", "value", "{}"], percent);
        }
        assert_eq!(trace.cpu_shares(), [(0, 0.3)]);
    }

    #[test]
    fn what_limits_nothing_is_not_named() {
        check(&[], None, (4.0, LimitedBy::Machine), 30.0, 0.3);
        check(&[("limit.cpuset", 4.0), ("limit.cpu", 8.0)], Some(4.0), (4.0, LimitedBy::Machine), 30.0, 0.3);
        check(&[("limit.cpuset", 4.0), ("limit.affinity", 1.0)], Some(1.0), (1.0, LimitedBy::Set), 70.0, 0.7);
        check(&[], Some(2.0), (2.0, LimitedBy::Set), 70.0, 0.7);
        check(&[("limit.cpu", 0.0)], Some(4.0), (4.0, LimitedBy::Machine), 30.0, 0.3);
    }

    #[test]
    fn a_quota_that_was_set_after_the_start_is_what_counts() {
        check(&[("limit.cpu", 0.5)], Some(4.0), (0.5, LimitedBy::Quota), 12.5, 1.0);
    }
}
