//! What a comparison says first: one sentence, and the rows to read before all others.

use report::unit::show;
use report::{Change, ChangeVerdict, FindingChange, FindingState, Group, Severity, Subject};

/// Rows to read first.
const FIRST: usize = 10;
/// Rows of one group among them.
const OF_GROUP: usize = 3;
/// Changes in the sentence, besides findings.
const IN_SENTENCE: usize = 2;

/// The rows to read first, as places in the list: of each group those that matter most, the groups by the row that matters
/// most.
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

/// The sentence.
pub(crate) fn sentence(rows: &[Change], findings: &[FindingChange], comparisons: usize) -> String {
    let beyond: Vec<&Change> = rows
        .iter()
        .filter(|row| row.verdict == ChangeVerdict::BeyondNoise && row.subject != Subject::Finding)
        .collect();
    let mut clauses: Vec<String> = Vec::new();
    let throughput = beyond.iter().find(|row| row.subject == Subject::Throughput && row.name.is_empty());
    clauses.extend(throughput.and_then(|row| clause(row)));
    // What a meter publishes of all routes together is a mean of medians: a route's own says more.
    let latency = || beyond.iter().filter(|row| row.subject == Subject::Latency);
    let is_mixed = |row: &&&Change| row.name.is_empty() && row.measure.ends_with("by the meter");
    let felt = latency().find(|row| !is_mixed(row)).or_else(|| latency().next());
    clauses.extend(felt.and_then(|row| clause(row)));
    let others = beyond
        .iter()
        .filter(|row| !matches!(row.subject, Subject::Throughput | Subject::Latency) || clauses.is_empty());
    let more: Vec<String> = others.filter_map(|row| clause(row)).collect();
    let room = IN_SENTENCE.saturating_sub(clauses.len());
    clauses.extend(more.into_iter().take(room));
    clauses.extend(came_and_went(findings, |worst| worst > Severity::Note));
    if clauses.is_empty() {
        clauses.extend(came_and_went(findings, |worst| worst == Severity::Note));
    }
    if clauses.is_empty() {
        let text = if comparisons == 0 {
            "Nothing can be compared: the two recordings have too little evidence in common."
        } else {
            "No difference beyond noise."
        };
        return text.to_owned();
    }
    begun(&clauses.join("; ")) + "."
}

/// Which findings of these severities are new, and which are gone, without those that noise may have brought.
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

/// A sentence with a capital letter.
pub(crate) fn begun(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

/// A change as part of a sentence: `throughput fell by 21 % (451 to 356 requests/s)`.
fn clause(row: &Change) -> Option<String> {
    let (before, after) = (row.before?, row.after?);
    let went = if after > before { "rose" } else { "fell" };
    if row.subject == Subject::Throughput && row.name.is_empty() && row.unit == "1/s" {
        let (from, to) = (number(before), number(after));
        if before <= 0.0 {
            return Some(format!("throughput rose from 0 to {to} requests/s"));
        }
        let percent = ((after / before - 1.0) * 100.0).abs();
        let by = if percent < 1_000.0 {
            format!("by {percent:.0} %")
        } else {
            format!("{}-fold", number(after / before))
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
    let measure = row.measure.split(',').next().unwrap_or_default().trim_end_matches(" by the meter");
    let name = match &row.method {
        Some(method) => runtime::written_name(method),
        None => row.name.clone(),
    };
    match (row.subject, name.as_str()) {
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

fn number(value: f64) -> String {
    show(value, "")
}

/// Two values; a unit that both have is written once: `12 to 48 ms`.
fn pair(before: f64, after: f64, unit: &str) -> (String, String) {
    let (from, to) = (show(before, unit), show(after, unit));
    let bare = match (from.rsplit_once(' '), to.rsplit_once(' ')) {
        (Some((number, one)), Some((_, other))) if one == other => Some(number.to_owned()),
        _ => None,
    };
    (bare.unwrap_or(from), to)
}
