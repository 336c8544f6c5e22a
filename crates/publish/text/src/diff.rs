//! A comparison of two exhibits, as a page or as JSON.
//!
//! The page says what was compared, with which caveats; then one sentence about what changed most; then the findings,
//! and the changes by cause. Without [`Rows::All`] it is short, and says how many rows it leaves out.

mod json;

pub use json::document;

use crate::Width;
use crate::page::{LABEL, Page, Tone, cut, keep_end, wrap};
use anstyle::Style;
use report::unit::show;
use report::{
    Basis, Change, ChangeVerdict, Diff, FindingChange, FindingState, Group, Heading, Severity, Subject,
};

/// Said above the rows that have this unit.
const AVERAGE_THREADS: &str = "threads: the average number of threads (1.00 = one thread all the time)";

/// The width of a value.
const VALUE: usize = 13;
/// The width of the change.
const CHANGE: usize = 9;
/// The width of both values, the change, and the blanks behind each.
const VALUES: usize = 2 * (VALUE + 1) + CHANGE + 2;
/// Names with less room beside the values are below them.
const MIN_NAME: usize = 22;
/// The indent of what is below the values on a narrow page.
const INDENT: usize = 2;

/// Which rows are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// The most important ones.
    First,
    /// All.
    All,
}

/// The page.
pub fn page(before: &Heading, after: &Heading, diff: &Diff, rows: Rows, width: Width) -> String {
    let mut page = Page::new(width);
    page.title(&format!("{} → {}", before.name, after.name));
    for (heading, which) in [(before, "before"), (after, "after")] {
        page.line(which, &heading.file);
        page.line("", &heading.subject.join(" · "));
        page.line("", &heading.recorded);
    }
    page.line("compared", &compared(diff));
    for (at, caveat) in diff.caveats.iter().enumerate() {
        page.warning(if at == 0 { "caution" } else { "" }, caveat);
    }
    page.gap();
    page.block("verdict", tone(diff), &diff.summary);
    findings(&mut page, &diff.findings);
    unit_of_threads(&mut page, diff, rows);
    match rows {
        Rows::First => grouped(&mut page, "what changed", &diff.grouped()),
        Rows::All => all(&mut page, diff),
    }
    end(&mut page, diff, rows);
    page.into_text()
}

/// All rows, by verdict and cause.
fn all(page: &mut Page, diff: &Diff) {
    for (verdict, title) in [
        (ChangeVerdict::BeyondNoise, "what changed"),
        (ChangeVerdict::WithinNoise, ChangeVerdict::WithinNoise.in_words()),
        (ChangeVerdict::TooLittleData, "too little data to say"),
    ] {
        let mut groups: Vec<(Group, Vec<&Change>)> = Vec::new();
        let of_verdict = |row: &&Change| row.verdict == verdict && row.subject != Subject::Finding;
        for row in diff.rows.iter().filter(of_verdict) {
            match groups.iter_mut().find(|(group, _)| *group == row.group()) {
                Some((_, rows)) => rows.push(row),
                None => groups.push((row.group(), vec![row])),
            }
        }
        grouped(page, title, &groups);
    }
}

/// What is not listed, and what could not be compared.
fn end(page: &mut Page, diff: &Diff, rows: Rows) {
    if !diff.not_compared.is_empty() {
        page.gap();
        let items: Vec<String> =
            diff.not_compared.iter().map(|of| format!("{}: {}", of.what, of.why)).collect();
        page.items("not in both", &items);
    }
    if !diff.left_out.is_empty() && rows == Rows::All {
        page.gap();
        let items: Vec<String> = diff.left_out.iter().map(|(rows, what)| format!("{what}: {rows}")).collect();
        page.items("too small", &items);
    }
    page.gap();
    if rows == Rows::First {
        let of = |verdict| {
            let rows = diff.rows.iter().filter(|row| row.subject != Subject::Finding);
            rows.filter(|row| row.verdict == verdict).count()
        };
        let more = of(ChangeVerdict::BeyondNoise) - diff.first.len();
        let noun = if more == 1 { "row" } else { "rows" };
        let more = if more > 0 { format!("{more} more {noun} beyond noise, ") } else { String::new() };
        page.hint(&format!(
            "Not shown: {more}{} not proven beyond noise, {} with too little data. To see them: --all",
            of(ChangeVerdict::WithinNoise),
            of(ChangeVerdict::TooLittleData),
        ));
    }
    page.hint(
        "Beyond noise: larger than the difference between two runs of the same service, corrected for the number of \
         figures tested. docs/diff.md says how.",
    );
}

fn compared(diff: &Diff) -> String {
    let basis = match diff.basis {
        Basis::Duration => "Amounts are per second (per request: --per request)",
        Basis::Request => "Amounts are per request, except of counters that are published as rates",
    };
    let requests = diff.requests.map_or_else(String::new, |(before, after)| {
        format!(" Requests: {} before, {} after.", show(before.round(), ""), show(after.round(), ""))
    });
    let (figures, tested) = (diff.figures(), diff.comparisons);
    format!(
        "{figures} figures. {basis}.{requests} For {tested} figures there is enough data to test whether the change is more \
         than noise."
    )
}

/// What the unit of some rows means, if any row that is shown has it.
fn unit_of_threads(page: &mut Page, diff: &Diff, rows: Rows) {
    let has_unit = |row: &Change| row.unit == "threads";
    let is_shown = match rows {
        Rows::First => diff.grouped().iter().flat_map(|(_, rows)| rows).any(|row| has_unit(row)),
        Rows::All => diff.rows.iter().any(has_unit),
    };
    if is_shown {
        page.gap();
        page.hint(AVERAGE_THREADS);
    }
}

fn tone(diff: &Diff) -> Tone {
    match diff.verdict() {
        ChangeVerdict::BeyondNoise => Tone::Warning,
        // Not good either: two recordings with the same problem do not differ.
        ChangeVerdict::WithinNoise | ChangeVerdict::TooLittleData => Tone::Plain,
    }
}

/// The findings that are new or gone, then one line for each that stayed. Prints nothing without findings.
fn findings(page: &mut Page, findings: &[FindingChange]) {
    if findings.is_empty() {
        return;
    }
    page.gap();
    page.title("findings");
    for of in findings.iter().filter(|of| of.state != FindingState::Stayed) {
        let severity = of.worst().map_or("", Severity::name);
        let tone = match (of.state, of.worst()) {
            (FindingState::Gone, _) => Tone::Good,
            (_, Some(Severity::Critical)) => Tone::Bad,
            (_, Some(Severity::Warning)) => Tone::Warning,
            _ => Tone::Plain,
        };
        let reason = of.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
        page.badge(of.state.name(), tone, &format!("{severity} {}: {}{reason}", of.id, of.title));
    }
    let stayed = findings.iter().filter(|of| of.state == FindingState::Stayed);
    for (at, of) in stayed.enumerate() {
        let severity = match of.severity {
            (Some(one), Some(other)) if one != other => format!("{}, was {}", other.name(), one.name()),
            (one, other) => other.or(one).map_or_else(String::new, |of| of.name().to_owned()),
        };
        let reason = of.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
        page.line(if at == 0 { "still there" } else { "" }, &format!("{severity} {}{reason}", of.id));
    }
}

/// Rows below headings of columns. The first row of a group names it. Prints nothing without rows.
fn grouped(page: &mut Page, title: &str, groups: &[(Group, Vec<&Change>)]) {
    if groups.is_empty() {
        return;
    }
    page.gap();
    page.title(title);
    values(page, "", &format!("{:>VALUE$} {:>VALUE$} {:>CHANGE$}", "before", "after", "change"));
    for (group, rows) in groups {
        let mut label = group.name();
        if label.chars().count() >= LABEL {
            // A long name would run into the values, so it gets its own line.
            page.line(std::mem::take(&mut label), "");
        }
        for row in rows {
            line(page, std::mem::take(&mut label), row);
        }
    }
}

/// Values, which may have a name behind them.
fn values(page: &mut Page, label: &str, line: &str) {
    if line.chars().count() <= page.room() {
        return page.line_as(label, line, Style::new());
    }
    // The narrowest page has room for the values alone.
    if !label.is_empty() {
        page.line(label, "");
    }
    page.bare(&format!("{:INDENT$}{line}", ""));
}

fn line(page: &mut Page, label: &str, row: &Change) {
    let (before, after) = (value(row, row.before), value(row, row.after));
    let line = format!("{before:>VALUE$} {after:>VALUE$} {:>CHANGE$}", row.in_words());
    let (measure, name) = words(row);
    let gap = if measure.is_empty() { "" } else { " " };
    let beside = page.room().saturating_sub(VALUES);
    let is_narrow = beside < MIN_NAME;
    let (indent, room) = if is_narrow { (INDENT, page.room() - INDENT) } else { (VALUES, beside) };
    let mut lines = Vec::new();
    if row.subject == Subject::Counter {
        // What distinguishes a counter may be at either end of its name, so all of it is shown.
        lines.extend(wrap(&name, room));
    } else if measure.chars().count() + gap.len() + name.chars().count() <= room {
        lines.push(format!("{measure}{gap}{name}"));
    } else {
        lines.extend(wrap(&measure, room).into_iter().filter(|line| !line.is_empty()));
        lines.extend((!name.is_empty()).then(|| keep_end(&name, room)));
    }
    if let Some(reason) = &row.reason {
        lines.extend(wrap(reason, room - 2).into_iter().map(|line| format!("  {line}")));
    }
    let first = if is_narrow || lines.is_empty() { String::new() } else { format!("  {}", lines.remove(0)) };
    values(page, label, &format!("{line}{first}"));
    for line in lines {
        page.line_as("", &format!("{:indent$}{line}", ""), Style::new());
    }
}

/// The name of a row: what was measured, and of what.
fn words(row: &Change) -> (String, String) {
    match row.subject {
        // Tags are JSON; without its punctuation they are easier to read.
        Subject::Counter => {
            let name =
                row.name.replace("{\"", "").replace("\":\"", "=").replace("\",\"", " ").replace("\"}", "");
            let kind =
                if matches!(row.measure.as_str(), "value" | "rate") { "" } else { row.measure.as_str() };
            (String::new(), format!("{name} {kind}").trim_end().to_owned())
        }
        _ if row.name.is_empty() => (row.measure.clone(), String::new()),
        _ => (format!("{}:", row.measure), row.shown_name().to_owned()),
    }
}

fn value(row: &Change, value: Option<f64>) -> String {
    let Some(value) = value else { return "–".to_owned() };
    match row.unit.as_str() {
        "1/request" => format!("{}/req", show(value, "")),
        unit => match unit.strip_suffix("/request") {
            Some(unit) => format!("{}/req", show(value, unit)),
            None => cut(&show(value, unit), VALUE),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use report::Better;

    fn row(before: f64, after: f64, unit: &str) -> Change {
        Change {
            subject: Subject::Latency,
            measure: "p99".to_owned(),
            name: String::new(),
            label: None,
            before: Some(before),
            after: Some(after),
            unit: unit.to_owned(),
            shares: None,
            interval: None,
            p: Some(0.001),
            verdict: ChangeVerdict::BeyondNoise,
            reason: None,
            better: Better::Lower,
            impact: 0.5,
            metric: None,
            method: None,
            is_handler: false,
            class: None,
            table: "requests",
        }
    }

    #[test]
    fn a_change_is_written_as_people_write_it() {
        let check = |before, after, expected: &str| assert_eq!(row(before, after, "ms").in_words(), expected);
        check(1.0, 1.0, "=");
        check(0.0, 3.0, "new");
        check(3.0, 0.0, "gone");
        check(10.0, 12.5, "+25.0 %");
        check(10.0, 9.0, "−10.0 %");
        check(2.0, 4.0, "× 2");
        check(54.0, 1.0, "÷ 54");
        check(0.000_074, 1.4, "× >1,000");
        check(1.4, 0.000_074, "÷ >1,000");
        check(-5.0, 5.0, "");
        check(f64::MIN_POSITIVE, 1e300, "");
    }

    #[test]
    fn a_long_name_of_a_cause_does_not_run_into_the_values() {
        let mut page = Page::default();
        grouped(&mut page, "", &[(Group::Locks, vec![&row(12.5, 1.4, "threads")])]);
        let text = page.into_text();
        let label = text.lines().find(|line| line.contains("locks and waits")).unwrap();
        assert!(text.contains("12.5 threads") && !label.contains("12.5"), "{text}");
    }

    #[test]
    fn a_difference_of_shares_is_not_taken_for_the_relative_change() {
        let of = |unit, difference| row(1.0, 1.0, unit).signed(difference);
        assert_eq!(of("share", 0.0523), "+5.23 points");
        assert_eq!(of("ms", -1.5), "−1.50 ms");
        assert_eq!(of("ms", 0.0), "0 ms");
    }

    #[test]
    fn values_per_request_have_the_unit_that_reads_best() {
        let check = |of: f64, unit, expected: &str| {
            assert_eq!(value(&row(of, of, unit), Some(of)), expected);
        };
        check(1_196_525.0, "B/request", "1.20 MB/req");
        check(0.7, "1/request", "0.70/req");
        check(7.82, "ms/request", "7.82 ms/req");
        check(1_242.0, "1/s", "1,242/s");
    }

    #[test]
    fn no_line_is_wider_than_the_page_whatever_a_recording_calls_its_methods() {
        let mut change = row(1.0, 2.0, "ms");
        change.name = "x".repeat(300);
        change.measure = "running, including callees".to_owned();
        change.reason = Some(
            "lower in 24 of 24 time slices, but two runs of one service differ by up to 9.50 threads "
                .repeat(4),
        );
        let mut page = Page::default();
        grouped(&mut page, "what changed", &[(Group::Latency, vec![&change])]);
        change.measure = "y".repeat(300);
        change.unit = "z".repeat(300);
        grouped(&mut page, "what changed", &[(Group::Latency, vec![&change])]);
        let text = anstream::adapter::strip_str(&page.into_text()).to_string();
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert_eq!(widest, Some(100), "{text}");
    }
}
