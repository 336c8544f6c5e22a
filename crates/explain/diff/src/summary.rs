//! The first lines of a comparison: one sentence, and the rows to read first.

use crate::verdicts::NotJudged;
use report::unit::show;
use report::{Change, ChangeVerdict, FindingChange, FindingState, Group, Severity, Subject};

/// How many rows there are to read first.
const FIRST: usize = 10;
/// How many of them may be of one group.
const OF_GROUP: usize = 3;
/// How many changes the sentence has, besides findings.
const IN_SENTENCE: usize = 2;

/// The rows to read first, as places in the list: those of each group that matter most. The group with the row that matters
/// most comes first.
pub(crate) fn first(rows: &[Change]) -> Vec<usize> {
    let beyond = || {
        let numbered = rows.iter().enumerate();
        numbered
            .filter(|(_, row)| row.verdict == ChangeVerdict::BeyondNoise && row.subject != Subject::Finding)
    };
    let mut groups: Vec<Group> = Vec::new();
    for (_, row) in beyond() {
        if !groups.contains(&row.group()) {
            groups.push(row.group());
        }
    }
    let mut chosen: Vec<usize> = Vec::new();
    // A row of each group comes before the second of any.
    for place in 0..OF_GROUP {
        for group in &groups {
            let of_group = beyond().filter(|(_, row)| row.group() == *group);
            chosen.extend(of_group.map(|(at, _)| at).nth(place).filter(|_| chosen.len() < FIRST));
        }
    }
    let group_of = |at: usize| {
        let group = rows.get(at).map(Change::group);
        groups.iter().position(|of| Some(*of) == group)
    };
    chosen.sort_by_key(|at| (group_of(*at), *at));
    chosen
}

/// Everything that the sentence may mention.
#[derive(Debug)]
pub(crate) struct Compared<'a> {
    pub(crate) rows: &'a [Change],
    pub(crate) findings: &'a [FindingChange],
    pub(crate) not_judged: &'a [NotJudged],
    /// How the mix of requests changed, if it did.
    pub(crate) mix: Option<String>,
    /// Whether nothing was lost that may hide a difference.
    pub(crate) is_whole: bool,
}

/// The sentence.
pub(crate) fn sentence(compared: &Compared<'_>, comparisons: usize) -> String {
    let Compared { rows, findings, not_judged, mix, is_whole } = compared;
    let beyond: Vec<&Change> = rows
        .iter()
        .filter(|row| row.verdict == ChangeVerdict::BeyondNoise && row.subject != Subject::Finding)
        .collect();
    let mut clauses: Vec<String> = Vec::new();
    clauses.extend(
        mix.as_ref().map(|mix| {
            format!("the mix of requests changed ({mix}), so latency is comparable only per route")
        }),
    );
    let is_all = |row: &&&Change| row.subject == Subject::Throughput && row.name.is_empty();
    let throughput = beyond.iter().find(is_all).and_then(|row| clause(row));
    let unproven = || mix.as_ref().and_then(|_| unproven(rows));
    clauses.extend(throughput.or_else(|| unsteady(rows)).or_else(unproven));
    // Then the latency, which may be that of all requests although their mix changed.
    let felt = felt(&beyond, mix.is_some());
    let of_all = felt.is_some_and(|row| mix.is_some() && row.name.is_empty());
    let felt = felt.and_then(clause);
    clauses.extend(felt.map(|text| if of_all { format!("over all requests, {text}") } else { text }));
    // If the mix of requests changed, everything else changed with it.
    let others = beyond.iter().filter(|row| {
        mix.is_none()
            && (!matches!(row.subject, Subject::Throughput | Subject::Latency) || clauses.is_empty())
    });
    let more: Vec<String> = others.filter_map(|row| clause(row)).collect();
    let room = IN_SENTENCE.saturating_sub(clauses.len());
    clauses.extend(more.into_iter().take(room));
    clauses.extend(came_and_went(findings, |worst| worst > Severity::Note));
    if clauses.is_empty() {
        clauses.extend(came_and_went(findings, |worst| worst == Severity::Note));
    }
    if clauses.is_empty() {
        let text = match (comparisons, is_whole) {
            (0, _) => "Nothing can be compared: the two recordings have too little evidence in common.",
            (_, true) => "No difference beyond noise.",
            (_, false) => "What is left shows no difference, which says nothing about the rest.",
        };
        return text.to_owned();
    }
    clauses.extend(stayed(findings));
    clauses.extend(not_judged.iter().filter_map(|of| {
        let other = of.instead?;
        Some(format!("{} is not judged {}, where {other} is reported", of.id, of.which))
    }));
    capitalized(&clauses.join("; ")) + "."
}

/// The row of latency to mention. A route's own row comes before that of all routes by the meter, which is a mean of medians.
/// If the mix of requests changed, all of them together being faster is not progress, and is not mentioned.
fn felt<'a>(beyond: &[&'a Change], is_mixed: bool) -> Option<&'a Change> {
    let latency = || beyond.iter().copied().filter(|row| row.subject == Subject::Latency);
    let is_meaningful =
        |row: &&Change| !is_mixed || !row.name.is_empty() || row.difference().is_some_and(|of| of > 0.0);
    let is_of_all = |row: &&Change| row.name.is_empty() && row.measure.ends_with("(estimate from the meter)");
    let rows = || latency().filter(is_meaningful);
    rows().find(|row| !is_of_all(row)).or_else(|| rows().next())
}

/// How many requests there were, if they are ten times as many or few, but came too unevenly for the test.
fn unsteady(rows: &[Change]) -> Option<String> {
    let is_it = |row: &&Change| {
        let is_all = row.subject == Subject::Throughput && row.name.is_empty() && row.unit == "1/s";
        is_all && row.verdict == ChangeVerdict::TooLittleData && row.p.is_some()
    };
    let row = rows.iter().find(is_it)?;
    let (from, to) = pair(row.before?, row.after?, "");
    Some(format!("requests went from {from} to {to}/s, unevenly"))
}

/// How throughput changed if it at least doubled or halved, but is not proven to have changed. Said beside a mix of requests
/// that changed, since readers who see that expect to hear of it.
fn unproven(rows: &[Change]) -> Option<String> {
    const MUCH: f64 = 2.0;
    let is_it = |row: &&Change| {
        let is_all = row.subject == Subject::Throughput && row.name.is_empty() && row.unit == "1/s";
        is_all && row.verdict == ChangeVerdict::WithinNoise
    };
    let row = rows.iter().find(is_it)?;
    let ratio = row.ratio()?;
    let text = clause(row).filter(|_| ratio >= MUCH || ratio * MUCH <= 1.0)?;
    Some(format!("{text}, which is not proven beyond noise"))
}

/// The critical findings that both recordings have.
fn stayed(findings: &[FindingChange]) -> Option<String> {
    let is_critical =
        |of: &&FindingChange| of.state == FindingState::Stayed && of.severity.1 == Some(Severity::Critical);
    let ids: Vec<&str> = findings.iter().filter(is_critical).map(|of| of.id).collect();
    (!ids.is_empty()).then(|| format!("still there: {}", ids.join(", ")))
}

/// Which findings of some severities are new, and which are gone. Findings that noise may have brought are left out.
fn came_and_went(findings: &[FindingChange], wanted: fn(Severity) -> bool) -> Vec<String> {
    let clause = |(state, word)| {
        let is_certain = |of: &&FindingChange| of.state == state && of.reason.is_none();
        let of_state = findings.iter().filter(is_certain).filter(|of| of.worst().is_some_and(wanted));
        let ids: Vec<&str> = of_state.map(|of| of.id).collect();
        let noun = if ids.len() == 1 { "finding" } else { "findings" };
        (!ids.is_empty()).then(|| format!("{word} {noun}: {}", ids.join(", ")))
    };
    [(FindingState::New, "new"), (FindingState::Gone, "gone")].into_iter().filter_map(clause).collect()
}

/// The text with a capital letter at its beginning.
pub(crate) fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

/// A change as part of a sentence: `throughput fell by 21 % (451 to 356 requests/s)`.
fn clause(row: &Change) -> Option<String> {
    let (before, after) = (row.before?, row.after?);
    let went = if after > before { "rose" } else { "fell" };
    if row.subject == Subject::Throughput && row.name.is_empty() && row.unit == "1/s" {
        let (from, to) = (show(before, ""), show(after, ""));
        if before <= 0.0 {
            return Some(format!("throughput rose from 0 to {to} requests/s"));
        }
        let percent = ((after / before - 1.0) * 100.0).abs();
        let by = if percent < 1_000.0 {
            format!("by {percent:.0} %")
        } else {
            format!("{}-fold", show(after / before, ""))
        };
        return Some(format!("throughput {went} {by} ({from} to {to} requests/s)"));
    }
    let of = what(row);
    let (from, to) = pair(before, after, &row.unit);
    Some(match (before == 0.0, after == 0.0) {
        (true, _) => format!("{of} rose from 0 to {to}"),
        (_, true) => format!("{of} fell from {from} to 0"),
        _ => format!("{of} {went} from {from} to {to}"),
    })
}

/// What a row is of, as a noun.
fn what(row: &Change) -> String {
    let measure =
        row.measure.split(',').next().unwrap_or_default().trim_end_matches(" (estimate from the meter)");
    match (row.subject, row.shown_name()) {
        (Subject::Latency, "") if measure == "mean" => "mean latency".to_owned(),
        (Subject::Latency, name) if measure == "mean" => format!("mean latency of {name}"),
        (Subject::Latency, name) if !name.is_empty() => format!("{measure} of {name}"),
        (Subject::Cpu, "") => "CPU use".to_owned(),
        (Subject::Throughput, "") if row.unit == "share" => "the share of failed requests".to_owned(),
        (Subject::Throughput, name) if row.unit == "share" => {
            format!("the share of failed requests of {name}")
        }
        (Subject::Throughput, name) => format!("requests to {name}"),
        (Subject::Counter, name) => format!("the counter {name}"),
        (Subject::Method, name) => format!("time {measure} in {name}"),
        (_, "") => measure.to_owned(),
        (_, name) => format!("{measure} {name}"),
    }
}

/// Both values as text. A unit that they share is written once: `12 to 48 ms`.
fn pair(before: f64, after: f64, unit: &str) -> (String, String) {
    let (from, to) = (show(before, unit), show(after, unit));
    let bare = match (from.rsplit_once(' '), to.rsplit_once(' ')) {
        (Some((number, one)), Some((_, other))) if one == other => Some(number.to_owned()),
        _ => None,
    };
    (bare.unwrap_or(from), to)
}
