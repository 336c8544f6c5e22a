//! What became of the findings: new, gone, still there.
//!
//! A finding that only one recording has is new or gone. Rules have thresholds, and a value near a threshold crosses it by
//! noise. The change is certain if a row of the same cause is beyond noise and changed the same way, or if the value is so
//! far above its threshold that no two runs of one service differ by as much. Otherwise the finding is at the edge: it is
//! still new or gone, but its row is within noise and says why.

use crate::scope::Scope;
use report::{
    Better, Change, ChangeVerdict, Finding, FindingChange, FindingState, Group, Measured, Report, Severity,
    Subject, unit,
};
use std::collections::BTreeSet;

/// A value that is at least this many times its threshold is above it in any run of the same service.
const CLEAR: f64 = 3.0;

/// A value that is at least this many times its threshold is not near it.
const APART: f64 = 1.5;

/// Compares the findings. Adds a row for each that is new, is gone, or changed its severity.
pub(crate) fn add(rows: &mut Vec<Change>, before: &Scope<'_>, after: &Scope<'_>) -> Vec<FindingChange> {
    let reports = (before.side.report, after.side.report);
    let ids: BTreeSet<&'static str> =
        reports.0.findings.iter().chain(&reports.1.findings).map(|finding| finding.id).collect();
    let mut findings = Vec::new();
    for id in ids.into_iter().filter(|id| lacking(reports, id).is_none()) {
        let (of_before, of_after) = (worst(reports.0, id), worst(reports.1, id));
        let Some(either) = of_after.or(of_before) else { continue };
        let edge = edge(rows, of_before, of_after);
        let state = match (of_before, of_after) {
            (None, _) => FindingState::New,
            (_, None) => FindingState::Gone,
            _ => FindingState::Stayed,
        };
        let severity = (of_before.map(|finding| finding.severity), of_after.map(|finding| finding.severity));
        let measured = (of_before.and_then(nearest), of_after.and_then(nearest));
        if severity.0 != severity.1 {
            rows.push(row(either, (of_before, of_after), state, edge.clone()));
        }
        let (title, reason) = (either.title.clone(), edge);
        findings.push(FindingChange { id, title, state, severity, measured, reason });
    }
    findings.sort_by(|a, b| {
        let key = |of: &FindingChange| (of.state, std::cmp::Reverse(of.worst()));
        key(a).cmp(&key(b)).then_with(|| a.id.cmp(b.id))
    });
    findings
}

/// A finding of one recording that the other could not judge, so it is neither new nor gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotJudged {
    pub(crate) id: &'static str,
    /// The recording that could not judge it: `before` or `after`.
    pub(crate) which: &'static str,
    /// The finding of that recording which replaces this one. `None` if the recording lacks the data.
    pub(crate) instead: Option<&'static str>,
}

impl NotJudged {
    /// Why it is not compared.
    pub(crate) fn why(&self) -> String {
        let Self { id, which, instead } = self;
        match instead {
            None => format!("the recording {which} lacks the data for it"),
            Some(other) => format!("the recording {which} has {other}, beside which {id} is not judged"),
        }
    }
}

/// The findings that one recording has and the other could not judge.
pub(crate) fn not_judged(before: &Scope<'_>, after: &Scope<'_>) -> Vec<NotJudged> {
    let reports = (before.side.report, after.side.report);
    let ids: BTreeSet<&'static str> =
        reports.0.findings.iter().chain(&reports.1.findings).map(|finding| finding.id).collect();
    ids.into_iter().filter_map(|id| lacking(reports, id)).collect()
}

/// Which recording could not judge a rule, and why. `None` if both could.
fn lacking(reports: (&Report, &Report), id: &'static str) -> Option<NotJudged> {
    let lacks = |report: &Report| report.not_checked.iter().any(|rule| rule.id == id);
    let by = |which, instead| Some(NotJudged { id, which, instead });
    match (lacks(reports.0), lacks(reports.1)) {
        (true, _) => return by("before", None),
        (_, true) => return by("after", None),
        _ => {}
    }
    match (worst(reports.0, id).is_some(), worst(reports.1, id).is_some()) {
        (false, true) => by("before", Some(silenced(id, reports.0, reports.1)?)),
        (true, false) => by("after", Some(silenced(id, reports.1, reports.0)?)),
        _ => None,
    }
}

/// The finding of a recording beside which a rule reports nothing, as the catalogue of rules says: it explains the same
/// harm better. A finding that the other recording has beside this one does not count.
fn silenced(id: &str, report: &Report, other: &Report) -> Option<&'static str> {
    let rule = findings::RULES.iter().find(|rule| rule.id == id)?;
    let is_notable = |report: &Report, id: &str| {
        report.findings.iter().any(|finding| finding.id == id && finding.severity > Severity::Note)
    };
    silencing(rule).find(|of| is_notable(report, of) && !is_notable(other, of))
}

/// The rules whose findings keep another rule silent.
fn silencing(rule: &findings::Rule) -> impl Iterator<Item = &'static str> {
    let leaves_to = move |id: &str| rule.leaves_to().any(|name| name == id);
    let all = findings::RULES.iter();
    all.filter(move |of| of.absorbs.contains(&rule.id) || leaves_to(of.id)).map(|of| of.id)
}

/// The worst finding of a rule.
fn worst<'a>(report: &'a Report, id: &str) -> Option<&'a Finding> {
    let of_rule = report.findings.iter().filter(|finding| finding.id == id);
    of_rule.max_by(|a, b| a.severity.cmp(&b.severity).then(a.score.total_cmp(&b.score)))
}

/// The measured value that is nearest to its threshold, of those above it.
fn nearest(finding: &Finding) -> Option<Measured> {
    let passed = finding.measured.iter().filter_map(|of| Some((passed_by(of)?, of)));
    passed.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, of)| of.clone())
}

/// How many times its threshold a value is. `None` if it is below.
fn passed_by(of: &Measured) -> Option<f64> {
    let threshold = of.threshold.filter(|threshold| *threshold > 0.0)?;
    Some(of.value / threshold).filter(|times| *times >= 1.0)
}

/// Whether a share is clearly above a threshold that it cannot exceed threefold: it leaves at most a third of what the
/// threshold leaves to the whole.
fn is_clear_share(of: &Measured) -> bool {
    let threshold = of.threshold.filter(|threshold| of.unit == "share" && *threshold * CLEAR > 1.0);
    threshold.is_some_and(|threshold| of.value <= 1.0 && (1.0 - of.value) * CLEAR <= 1.0 - threshold)
}

/// Whether a value is further above its threshold than two runs of one service differ by.
fn is_clear(of: &Measured) -> bool {
    passed_by(of).is_some_and(|times| times >= CLEAR) || is_clear_share(of)
}

/// Whether at least one value is clearly above its threshold, and no other is near its own.
fn is_clear_together(finding: &Finding) -> bool {
    let passed = || finding.measured.iter().filter(|of| passed_by(of).is_some());
    let is_apart = |of: &Measured| passed_by(of).is_some_and(|times| times >= APART);
    passed().any(is_clear) && passed().all(is_apart)
}

/// Why a new finding, a gone one or another severity may be noise. `None` if what was measured did change.
fn edge(rows: &[Change], before: Option<&Finding>, after: Option<&Finding>) -> Option<String> {
    let rank = |finding: Option<&Finding>| finding.map(|finding| finding.severity);
    let only = match (before, after) {
        (Some(_), Some(_)) if rank(before) == rank(after) => return None,
        (Some(before), Some(after)) => {
            let (one, other) = (nearest(before)?, nearest(after)?);
            let times = one.value / other.value;
            let is_clear = one.name != other.name || !(1.0 / CLEAR..=CLEAR).contains(&times);
            return (!is_clear && !is_seen(rows, after, before.severity < after.severity))
                .then(|| format!("{} against {}: not more than noise", shown(&one), shown(&other)));
        }
        (one, other) => one.or(other)?,
    };
    if is_seen(rows, only, before.is_none()) {
        return None;
    }
    let Some(nearest) = nearest(only) else {
        return Some("nothing that it rests on changed beyond noise".to_owned());
    };
    if is_clear(&nearest) || is_clear_together(only) {
        return None;
    }
    // The nearest value has a threshold, or it could not be near it.
    let threshold = nearest.threshold.unwrap_or(0.0);
    Some(format!(
        "at the edge: {} {}, reported from {} on, and nothing that it rests on changed beyond noise",
        nearest.name,
        shown(&nearest),
        unit::show(threshold, nearest.unit),
    ))
}

fn shown(of: &Measured) -> String {
    unit::show(of.value, of.unit)
}

/// Whether a row that a finding rests on changed beyond noise, and in the direction that the finding says.
fn is_seen(rows: &[Change], finding: &Finding, is_worse: bool) -> bool {
    let groups: Vec<Group> = finding.evidence.iter().flat_map(|of| groups(of.table)).copied().collect();
    rows.iter().any(|row| {
        // A row with one value only has no direction.
        let difference = row.difference().unwrap_or(0.0);
        let worse = match row.better {
            Better::Lower => Some(difference > 0.0),
            Better::Higher => Some(difference < 0.0),
            Better::Neither => None,
        };
        row.verdict == ChangeVerdict::BeyondNoise
            && groups.contains(&row.group())
            && worse.is_none_or(|worse| worse == is_worse)
    })
}

/// The groups of rows that come from a table.
fn groups(table: &str) -> &'static [Group] {
    match table {
        "samples" => &[Group::Cpu, Group::Methods, Group::Locks, Group::Pool],
        "gc" | "pauses" => &[Group::Gc, Group::Memory],
        "allocations" => &[Group::Memory, Group::Gc],
        "contention" | "waits" => &[Group::Locks],
        "exceptions" => &[Group::Exceptions],
        "jit" => &[Group::Jit],
        "threadpool" | "threads" | "thread_cpu" => &[Group::Pool, Group::Cpu],
        "requests" => &[Group::Latency, Group::Throughput],
        "spans" => &[Group::Calls],
        "logs" => &[Group::Logs],
        "host" => &[Group::Cpu, Group::Memory, Group::Counters],
        "counters" => &[Group::Counters, Group::Pool, Group::Cpu, Group::Latency],
        _ => &[],
    }
}

/// The severity as a number: 0 without a finding, else 1 to 3.
fn rank(finding: Option<&Finding>) -> f64 {
    match finding.map(|finding| finding.severity) {
        None => 0.0,
        Some(Severity::Note) => 1.0,
        Some(Severity::Warning) => 2.0,
        Some(Severity::Critical) => 3.0,
    }
}

/// The row of a finding that changed.
fn row(
    finding: &Finding,
    (before, after): (Option<&Finding>, Option<&Finding>),
    state: FindingState,
    edge: Option<String>,
) -> Change {
    let (of_before, of_after) = (rank(before), rank(after));
    let what = match state {
        FindingState::New | FindingState::Gone if edge.is_some() => "at the edge",
        FindingState::New => "new",
        FindingState::Gone => "gone",
        FindingState::Stayed if of_after > of_before => "became worse",
        FindingState::Stayed => "became less",
    };
    let weight = match of_before.max(of_after) {
        least if least < 1.5 => 0.1,
        middle if middle < 2.5 => 0.8,
        _ => 1.0,
    };
    let score = before.map_or(0.0, |of| of.score).max(after.map_or(0.0, |of| of.score)).clamp(0.0, 1.0);
    Change {
        subject: Subject::Finding,
        measure: what.to_owned(),
        name: format!("{}: {}", finding.id, finding.title),
        label: None,
        before: Some(of_before),
        after: Some(of_after),
        unit: "severity".to_owned(),
        shares: None,
        interval: None,
        p: None,
        verdict: if edge.is_some() { ChangeVerdict::WithinNoise } else { ChangeVerdict::BeyondNoise },
        reason: edge,
        better: Better::Lower,
        // A finding passed a threshold, so it has at least half of its weight. The rest is its share of the harm.
        impact: weight * f64::midpoint(1.0, score),
        metric: None,
        method: finding.places.first().map(|place| place.frame.clone()),
        is_handler: false,
        class: None,
        table: finding.evidence.first().map_or("events", |evidence| evidence.table),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_words_in_the_catalogue_change_no_verdict_unseen() {
        let silenced = findings::RULES.iter().filter_map(|rule| {
            let by: BTreeSet<&str> = silencing(rule).collect();
            (!by.is_empty()).then(|| format!("{}: {}", rule.id, by.into_iter().collect::<Vec<_>>().join(" ")))
        });
        let mut silenced: Vec<String> = silenced.collect();
        silenced.sort_unstable();
        let expected = [
            "blocking-call-on-pool: lock-contention logging-flood",
            "chatty-calls: db-n-plus-one",
            "cpu-hot-path: regex-backtracking",
            "cpu-limited: cpu-hot-path",
            "exceptions: descriptor-growth memory-limit",
            "gc-gen2-churn: gc-induced heap-growth loh-churn",
            "heap-growth: gc-gen2-churn",
            "high-allocation-rate: loh-churn",
            "lock-contention: deadlock logging-flood",
            "regex-backtracking: cpu-hot-path",
            "slow-dependency: chatty-calls db-n-plus-one db-pool-exhausted",
            "threadpool-queue-flood: cpu-hot-path",
        ];
        assert_eq!(silenced, expected);
    }
}
