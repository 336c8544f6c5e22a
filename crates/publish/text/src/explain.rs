//! The explanation of one exhibit, as a page, as JSON or as Markdown.
//!
//! The page begins with what the exhibit is and what it has lost, before any figure that the loss affects. Then it
//! says what is wrong, and then has a few lines for each part. It does not know the kind of evidence: a kind without
//! rules has neither verdict nor findings, and a part without a [`layout`] prints its figures, then its lists.

mod detail;
mod findings;
mod json;
mod layout;
mod markdown;

pub use detail::Detail;
pub(crate) use findings::quoted;
pub use json::document;
pub(crate) use json::figure;
pub use markdown::{finding, markdown};

use crate::Width;
use crate::page::{Names, Page};
use report::{Explanation, Heading, Part, Verdict};

/// How many rows of a list without a layout the short page prints.
const FEW_ROWS: usize = 20;

/// The page.
pub fn page(explanation: &Explanation, detail: Detail, width: Width) -> String {
    let Explanation { heading, report, verdict, parts } = explanation;
    let mut page = Page::new(width);
    headline(&mut page, heading);
    if let Some(verdict) = verdict {
        findings::headline(&mut page, verdict);
    }
    findings::findings(&mut page, report, detail);
    page.gap();
    page.title("figures");
    for part in parts.iter().filter(|part| has_content(part)) {
        show_part(&mut page, part, detail);
    }
    if detail == Detail::Full {
        findings::passed(&mut page, report);
    }
    findings::not_checked(&mut page, report, &heading.file);
    match detail {
        Detail::Short => how_to_see_more(&mut page, parts),
        Detail::Full => missing(&mut page, parts),
    }
    page.into_text()
}

/// The verdict in one sentence.
pub(crate) fn verdict(page: &mut Page, verdict: &Verdict) {
    findings::headline(page, verdict);
}

/// What it is, when it was recorded, and what is lost.
pub(crate) fn headline(page: &mut Page, heading: &Heading) {
    page.file(&heading.file);
    if !heading.subject.is_empty() {
        page.line("subject", &heading.subject.join(" · "));
    }
    if let Some(command) = &heading.command {
        page.line("command", command);
    }
    if !heading.recorded.is_empty() {
        page.line("recorded", &heading.recorded);
    }
    if heading.losses.is_empty() {
        page.line("missing", heading.nothing_lost);
    }
    for (at, sentence) in heading.losses.iter().enumerate() {
        page.warning(if at == 0 { "missing" } else { "" }, sentence);
    }
}

/// Whether there is anything to print of a part.
fn has_content(part: &Part) -> bool {
    let has_figures = part.figures.iter().any(|figure| figure.value.is_some());
    has_figures || layout::of(part).is_none() && part.lists.iter().any(|list| !list.rows.is_empty())
}

fn show_part(page: &mut Page, part: &Part, detail: Detail) {
    match (layout::of(part), detail) {
        (Some(layout), Detail::Short) => layout.show_short(page, part),
        (Some(layout), Detail::Full) => {
            page.gap();
            layout.show_full(page, part);
        }
        (None, Detail::Short) => show_plainly(page, part, FEW_ROWS),
        (None, Detail::Full) => {
            page.gap();
            show_plainly(page, part, usize::MAX); // all rows
        }
    }
}

/// A part without a layout: its figures, then its lists.
fn show_plainly(page: &mut Page, part: &Part, rows: usize) {
    page.all_figures(part);
    let mut label = if part.figures.iter().any(|figure| figure.value.is_some()) { "" } else { part.id };
    for list in part.lists.iter().filter(|list| !list.rows.is_empty()) {
        page.table(label, list, rows, Names::Whole);
        label = "";
        page.more(list.more + list.rows.len().saturating_sub(rows));
    }
}

/// The options that show more than the short page does.
fn how_to_see_more(page: &mut Page, parts: &[Part]) {
    let is_cut = |part: &Part| part.lists.iter().any(|list| list.rows.len() > FEW_ROWS);
    let has_more = |part: &Part| is_cut(part) || !part.missing.is_empty();
    if parts.iter().any(|part| layout::of(part).is_some()) {
        page.hint("All figures, with methods, types and routes: --all. How each part of the runtime works: --topic gc,cpu …");
    } else if parts.iter().any(has_more) {
        page.hint("All rows, and what is missing: --all");
    }
}

/// What the exhibit does not give, by part.
fn missing(page: &mut Page, parts: &[Part]) {
    let mut missing =
        parts.iter().flat_map(|part| part.missing.iter().map(|missing| (part.id, *missing))).peekable();
    if missing.peek().is_none() {
        return;
    }
    page.gap();
    let is_recording = parts.iter().any(|part| layout::of(part).is_some());
    page.title(if is_recording { "not in this recording" } else { "not in this exhibit" });
    for (id, missing) in missing {
        page.line(id, missing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{LogRow, Trace};
    use report::{List, ListColumn, Row};
    use runtime::StackIndex;

    fn plain(explanation: &Explanation, detail: Detail) -> String {
        anstream::adapter::strip_str(&page(explanation, detail, Width::default())).to_string()
    }

    fn of_trace(recording: &Trace) -> String {
        let explanation = ::findings::explanation(recording, &StackIndex::new(recording));
        plain(&explanation, Detail::Full)
    }

    #[test]
    fn a_recording_without_anything_says_what_to_record() {
        let text = of_trace(&Trace::default());
        assert!(text.contains("missing     nothing: no event dropped, no damage"), "{text}");
        assert!(text.contains("cpu         the recording has no samples: needs"), "{text}");
        assert!(!text.contains("NaN") && !text.contains("inf "), "{text}");
    }

    #[test]
    fn loss_stands_before_the_figures() {
        let mut recording = Trace::default();
        recording.exhibit.pid = Some(4711);
        recording.missing.events = 5;
        recording.logs.push(LogRow { ts_ns: 1, ..LogRow::blank() });
        let text = of_trace(&recording);
        let at = |part| text.find(part).unwrap_or(usize::MAX);
        assert!(
            at("process 4711") < at("5 events dropped") && at("5 events dropped") < at("1 line"),
            "{text}"
        );
    }

    /// Results of benchmarks: a kind without rules and without layouts.
    fn results(benchmarks: usize) -> Explanation {
        let row = |at: usize| Row {
            name: format!("Parse(Size: {at})"),
            values: vec![Some(0.001_2), Some(1_048_576.0), None],
        };
        let mut part = Part::new("benchmarks");
        part.missing.push("no confidence interval: needs more iterations");
        part.lists.push(List {
            name: "results",
            about: "Benchmark",
            columns: &[
                ListColumn { name: "mean", unit: "ms" },
                ListColumn { name: "allocated", unit: "B" },
                ListColumn { name: "ratio", unit: "" },
            ],
            rows: (0..benchmarks).map(row).collect(),
            more: 0,
        });
        let nothing_lost = "nothing: no damage";
        let heading = Heading { file: "results.json".to_owned(), nothing_lost, ..Heading::default() };
        Explanation { heading, parts: vec![part], ..Explanation::default() }
    }

    #[test]
    fn a_kind_without_rules_and_layouts_has_its_lists_on_the_page() {
        let expected = "\
results.json
missing     nothing: no damage

figures

benchmarks     mean  allocated  ratio  benchmark
            1.20 µs    1.05 MB      –  Parse(Size: 0)
            1.20 µs    1.05 MB      –  Parse(Size: 1)

not in this exhibit
benchmarks  no confidence interval: needs more iterations
";
        assert_eq!(plain(&results(2), Detail::Full), expected);
    }

    #[test]
    fn a_long_list_is_cut_on_the_short_page_and_says_so() {
        let (short, full) = (plain(&results(23), Detail::Short), plain(&results(23), Detail::Full));
        assert!(short.ends_with("… 3 more\nAll rows, and what is missing: --all\n"), "{short}");
        assert!(full.contains("Parse(Size: 22)") && !full.contains("more\n"), "{full}");
    }
}
