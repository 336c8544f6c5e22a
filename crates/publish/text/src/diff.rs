//! A comparison of two exhibits, as a page or as JSON.
//!
//! The page says what was compared and what to keep in mind, then lists the changes.

mod json;

pub use json::document;

use crate::page::{LABEL, Page, Tone, WIDTH, cut, keep_end};
use report::unit::show;
use report::{Basis, Change, ChangeVerdict, Diff, Heading, Subject};
use runtime::written_name;

/// How many rows are shown of those beyond noise, unless all are asked for.
const FIRST: usize = 40;
/// Columns of a value, and of the change.
const VALUE: usize = 13;
const CHANGE: usize = 9;
/// What labels, values and the change leave for names.
const NAME: usize = WIDTH - LABEL - 2 * (VALUE + 1) - CHANGE - 2;

/// Which rows are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// The first of those beyond noise.
    First,
    /// All.
    All,
}

/// The page.
pub fn page(before: &Heading, after: &Heading, diff: &Diff, rows: Rows) -> String {
    let mut page = Page::default();
    page.title(&format!("{} → {}", before.name, after.name));
    for (heading, which) in [(before, "before"), (after, "after")] {
        page.line(which, &heading.file);
        page.line("", &heading.subject.join(" · "));
        page.line("", &heading.recorded);
    }
    page.line("compared", &compared(diff));
    for (at, caveat) in diff.caveats.iter().enumerate() {
        page.warning(if at == 0 { "mind" } else { "" }, caveat);
    }
    page.gap();
    page.block("verdict", tone(diff), &verdict(diff));
    let (first, rest): (Vec<&Change>, Vec<&Change>) = diff.rows.iter().partition(|row| is_beyond(row));
    let shown = if rows == Rows::All { first.len() } else { FIRST };
    list(&mut page, "what changed", &first, shown);
    if first.len() > shown {
        page.hint(&format!("and {} more rows beyond noise: --all", first.len() - shown));
    }
    if rows == Rows::All {
        let (within, too_little): (Vec<&Change>, Vec<&Change>) =
            rest.into_iter().partition(|row| row.verdict == ChangeVerdict::WithinNoise);
        list(&mut page, "within noise", &within, within.len());
        list(&mut page, "too little data to say", &too_little, too_little.len());
    }
    end(&mut page, diff, rows);
    page.into_text()
}

/// What is not in the list, and what the list cannot tell.
fn end(page: &mut Page, diff: &Diff, rows: Rows) {
    if !diff.not_compared.is_empty() {
        page.gap();
        let items: Vec<String> =
            diff.not_compared.iter().map(|of| format!("{}: {}", of.what, of.why)).collect();
        page.items("not in both", &items);
    }
    if !diff.left_out.is_empty() && rows == Rows::All {
        page.gap();
        let items: Vec<String> =
            diff.left_out.iter().map(|(rows, what)| format!("{rows} of: {what}")).collect();
        page.items("too small", &items);
    }
    page.gap();
    if rows == Rows::First {
        let within = diff.count(ChangeVerdict::WithinNoise);
        let left_out: usize = diff.left_out.iter().map(|(rows, _)| rows).sum();
        page.hint(&format!(
            "{within} rows are within noise, {} have too little data to say, {left_out} are too small to list: --all",
            diff.count(ChangeVerdict::TooLittleData),
        ));
    }
    page.hint("One recording of each: how two runs of the same service differ is not in them. docs/diff.md tells how.");
}

fn compared(diff: &Diff) -> String {
    let basis = match diff.basis {
        Basis::Duration => "amounts by the time that was observed",
        Basis::Request => "amounts by requests",
    };
    let requests = diff.requests.map_or_else(String::new, |(before, after)| {
        format!(", {} and {} requests", show(before, ""), show(after, ""))
    });
    let (before, after) = diff.pieces;
    format!("{basis}{requests}; noise by {before} and {after} pieces of it")
}

fn is_beyond(row: &Change) -> bool {
    matches!(row.verdict, ChangeVerdict::BeyondNoise | ChangeVerdict::ByRule)
}

fn tone(diff: &Diff) -> Tone {
    if diff.rows.iter().any(is_beyond) { Tone::Warning } else { Tone::Good }
}

fn verdict(diff: &Diff) -> String {
    let beyond = diff.rows.iter().filter(|row| is_beyond(row)).count();
    let judged = beyond + diff.count(ChangeVerdict::WithinNoise);
    match (beyond, judged) {
        (_, 0) => "there is too little in both recordings to compare".to_owned(),
        (0, _) => format!("nothing changed beyond what each recording varies by itself, of {judged} rows"),
        (1, _) => format!("1 of {judged} rows changed beyond what each recording varies by itself"),
        _ => format!("{beyond} of {judged} rows changed beyond what each recording varies by itself"),
    }
}

/// Rows under a heading of columns. Prints nothing without rows.
fn list(page: &mut Page, title: &str, rows: &[&Change], shown: usize) {
    if rows.is_empty() {
        return;
    }
    page.gap();
    page.title(title);
    page.line("", &format!("{:>VALUE$} {:>VALUE$} {:>CHANGE$}", "before", "after", "change"));
    for row in rows.iter().take(shown) {
        let values = (value(row, row.before), value(row, row.after));
        let mut line = format!("{:>VALUE$} {:>VALUE$} {:>CHANGE$}  ", values.0, values.1, changed(row));
        let (measure, name) = words(row);
        let gap = if measure.is_empty() { "" } else { " " };
        let fits = measure.chars().count() + gap.len() + name.chars().count() <= NAME;
        line.push_str(&cut(&measure, NAME));
        if fits || measure.is_empty() {
            line.extend([gap, &keep_end(&name, NAME)]);
        }
        page.line(row.subject.name(), line.trim_end());
        if !(fits || measure.is_empty() || name.is_empty()) {
            let indent = " ".repeat(WIDTH - LABEL - NAME);
            page.line("", &format!("{indent}{}", keep_end(&name, NAME)));
        }
    }
}

/// What a row is called: what was measured, and of what.
fn words(row: &Change) -> (String, String) {
    match row.subject {
        Subject::Finding => (row.name.clone(), String::new()),
        // Tags are JSON, whose punctuation says nothing here.
        Subject::Counter => {
            let name =
                row.name.replace("{\"", "").replace("\":\"", "=").replace("\",\"", " ").replace("\"}", "");
            let kind =
                if matches!(row.measure.as_str(), "value" | "rate") { "" } else { row.measure.as_str() };
            (String::new(), format!("{name} {kind}").trim_end().to_owned())
        }
        _ if row.name.is_empty() => (row.measure.clone(), String::new()),
        _ if row.method.is_some() => (format!("{}:", row.measure), written_name(&row.name)),
        _ => (format!("{}:", row.measure), row.name.clone()),
    }
}

fn value(row: &Change, value: Option<f64>) -> String {
    let Some(value) = value else { return "–".to_owned() };
    match (row.subject, row.unit.as_str()) {
        (Subject::Finding, _) => {
            let words = ["–", "note", "warning", "critical"];
            let word = words.iter().zip([0.5, 1.5, 2.5, f64::INFINITY]).find(|(_, below)| value < *below);
            word.map_or("critical", |(word, _)| word).to_owned()
        }
        (_, "1/request") => format!("{}/req", show(value, "")),
        (_, unit) => match unit.strip_suffix("/request") {
            Some(unit) => format!("{}/req", show(value, unit)),
            None => cut(&show(value, unit), VALUE),
        },
    }
}

/// The change in a word: a factor, a percentage, `new` or `gone`; of a finding what happened to it.
fn changed(row: &Change) -> String {
    let (Some(before), Some(after)) = (row.before, row.after) else { return String::new() };
    if row.subject == Subject::Finding {
        return row.measure.clone();
    }
    let ratio = after / before;
    match ratio {
        _ if before.to_bits() == after.to_bits() => "=".to_owned(),
        _ if before == 0.0 => "new".to_owned(),
        _ if after == 0.0 => "gone".to_owned(),
        // There is no ratio between values of different signs.
        _ if !ratio.is_finite() || ratio < 0.0 => String::new(),
        more if more >= 2.0 => format!("× {}", times(more)),
        less if less <= 0.5 => format!("÷ {}", times(1.0 / less)),
        of => format!("{:+.1} %", (of - 1.0) * 100.0),
    }
}

fn times(ratio: f64) -> String {
    match ratio {
        huge if huge >= 1e6 => ">1,000,000".to_owned(),
        large if large >= 100.0 => show(large.round(), ""),
        // Three digits, without zeros at the end.
        middle if middle >= 10.0 => format!("{middle:.1}").trim_end_matches(".0").to_owned(),
        small => format!("{small:.2}").trim_end_matches('0').trim_end_matches('.').to_owned(),
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
            before: Some(before),
            after: Some(after),
            unit: unit.to_owned(),
            shares: None,
            interval: None,
            p: Some(0.001),
            verdict: ChangeVerdict::BeyondNoise,
            better: Better::Lower,
            impact: 0.5,
            metric: None,
            method: None,
            class: None,
            table: "requests",
        }
    }

    #[test]
    fn a_change_is_told_as_people_tell_it() {
        let check = |before, after, expected: &str| assert_eq!(changed(&row(before, after, "ms")), expected);
        check(1.0, 1.0, "=");
        check(0.0, 3.0, "new");
        check(3.0, 0.0, "gone");
        check(10.0, 12.5, "+25.0 %");
        check(10.0, 9.0, "-10.0 %");
        check(2.0, 4.0, "× 2");
        check(54.0, 1.0, "÷ 54");
        check(-5.0, 5.0, "");
        check(f64::MIN_POSITIVE, 1e300, "");
    }

    #[test]
    fn values_per_request_are_told_in_the_unit_that_reads_best() {
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
        change.measure = "running, with what it calls".to_owned();
        let mut page = Page::default();
        list(&mut page, "what changed", &[&change], 1);
        change.measure = "y".repeat(300);
        change.unit = "z".repeat(300);
        list(&mut page, "what changed", &[&change], 1);
        let text = anstream::adapter::strip_str(&page.into_text()).to_string();
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert_eq!(widest, Some(WIDTH), "{text}");
    }
}
