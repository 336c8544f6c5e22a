//! The explanation of an exhibit as Markdown, to be pasted into an issue or a pull request.
//!
//! It has what others need to judge and to act: the verdict, each finding with its figures, places, evidence and advice, and what
//! the exhibit lacks. It leaves out the command line and the folder of the file, which may be nobody else's business.

use super::findings::{MIN_SHARE, when};
use crate::markup::{block_in_item, cell, code, inline, name_in_cell};
use crate::page::marked;
use report::unit::show;
use report::{Explanation, Figure, Finding, Heading, List, Part, Place, Report, Severity, State, Verdict};
use runtime::written_name;
use topics::Topic;

/// How many places of a finding are shown.
const PLACES: usize = 5;

/// The document, which begins with a heading; with all figures if they are wanted.
pub fn markdown(explanation: &Explanation, topics: &[Topic], with_figures: bool) -> String {
    let Explanation { heading, report, verdict, parts } = explanation;
    let mut out = Document::default();
    out.begin(heading, verdict.as_ref());
    out.findings(report);
    for topic in topics {
        out.topic(topic);
    }
    // A kind of evidence without rules has nothing but its figures.
    if with_figures || verdict.is_none() {
        for part in parts {
            out.part(part);
        }
    }
    out.lacks(heading, report);
    out.0
}

/// One finding, with its figures, places, evidence and advice, and what it was found in. It begins with a heading of the second
/// level.
pub fn finding(heading: &Heading, finding: &Finding) -> String {
    let mut out = Document::default();
    out.finding(finding);
    let recorded = Some(&heading.recorded).filter(|recorded| !recorded.is_empty());
    let facts = std::iter::once(&heading.name).chain(&heading.subject).chain(recorded);
    out.block(&format!("**Recording:** {}", facts.map(|fact| inline(fact)).collect::<Vec<_>>().join(" · ")));
    out.items(heading.losses.iter().map(|loss| format!("Missing: {}", inline(loss))));
    out.0
}

/// A document under construction.
#[derive(Debug, Default)]
struct Document(String);

impl Document {
    /// A block: lines with an empty line in front.
    fn block(&mut self, text: &str) {
        let gap = if self.0.is_empty() { "" } else { "\n" };
        self.0.extend([gap, text, "\n"]);
    }

    fn items(&mut self, items: impl IntoIterator<Item = String>) {
        let items: Vec<String> = items.into_iter().map(|item| format!("- {item}")).collect();
        if !items.is_empty() {
            self.block(&items.join("\n"));
        }
    }

    /// The heading, the verdict, and what the exhibit is.
    fn begin(&mut self, heading: &Heading, verdict: Option<&Verdict>) {
        let title = match verdict.map(|verdict| verdict.state) {
            Some(State::Problem) => "Problem found",
            Some(State::Healthy) => "No problem found",
            Some(State::Unexplained) => "Slow, and nothing recorded says why",
            Some(State::CannotJudge) => "No verdict is possible",
            None => "Figures",
        };
        self.block(&format!("# {title}: {}", inline(&heading.name)));
        if let Some(verdict) = verdict {
            self.block(&format!("**Verdict ({}):** {}", verdict.state.name(), inline(&verdict.text)));
            for note in &verdict.notes {
                self.block(&format!("**Caution:** {}", inline(note)));
            }
        }
        let recorded = Some(&heading.recorded).filter(|recorded| !recorded.is_empty());
        let facts: Vec<String> = heading.subject.iter().chain(recorded).map(|fact| inline(fact)).collect();
        if !facts.is_empty() {
            self.block(&facts.join(" · "));
        }
    }

    /// The findings: causes with what they cause, then the notes.
    fn findings(&mut self, report: &Report) {
        let (notes, notable): (Vec<&Finding>, Vec<&Finding>) =
            report.findings.iter().partition(|finding| finding.severity == Severity::Note);
        for finding in notable {
            self.finding(finding);
        }
        if !notes.is_empty() {
            self.block("## Notes");
            self.items(notes.iter().map(|note| format!("{}: {}", note.id, inline(&note.title))));
        }
    }

    fn finding(&mut self, finding: &Finding) {
        self.block(&format!("## {}: {}", finding.severity.name(), finding.id));
        self.block(&inline(&finding.title));
        if let Some(cause) = finding.follows {
            self.block(&format!("Caused by {cause}."));
        }
        let rows = finding.measured.iter().map(|of| {
            let against = finding.against(of).unwrap_or_default();
            vec![show(of.value, of.unit), cell(of.label()), cell(&against)]
        });
        self.table(&["value", "measured", "compared with"].map(str::to_owned), rows);
        let places = finding.places.iter().take(PLACES).filter(|place| place.share >= MIN_SHARE);
        let places: Vec<String> = places.map(place).collect();
        if !places.is_empty() {
            self.block(&format!("**Where**, as a share of {}:", inline(finding.shares_of())));
            self.items(places);
        }
        if !finding.evidence.is_empty() {
            self.block("**Evidence**");
            let items = finding.evidence.iter().map(|rows| {
                let (count, words) = when(rows);
                format!("- {count} {}\n\n{}", inline(&words), block_in_item("sql", &rows.sql))
            });
            self.block(items.collect::<Vec<_>>().join("\n").trim_end());
        }
        self.block(&format!("**Why:** {}", inline(&finding.why)));
        self.block("**What to try**");
        self.items(finding.tries.iter().map(|advice| inline(advice)));
        self.block(&format!("**How to verify:** {}", inline(&finding.verify)));
    }

    fn table(&mut self, columns: &[String], rows: impl Iterator<Item = Vec<String>>) {
        let line = |cells: &[String]| format!("| {} |", cells.join(" | "));
        let rows: Vec<String> = rows.map(|row| line(&row)).collect();
        if !rows.is_empty() {
            let rule = "---|".repeat(columns.len());
            self.block(&format!("{}\n|{rule}\n{}", line(columns), rows.join("\n")));
        }
    }

    fn topic(&mut self, topic: &Topic) {
        self.block(&format!("## {}", topic.id.name()));
        self.figures(&topic.figures);
        for list in &topic.lists {
            self.list(list);
        }
        for paragraph in &topic.paragraphs {
            self.block(&format!("**{}:** {}", inline(paragraph.heading), inline(&paragraph.text)));
        }
        self.items(topic.missing.iter().map(|missing| format!("Not in the recording: {}", inline(missing))));
    }

    fn part(&mut self, part: &Part) {
        self.block(&format!("## Figures: {}", inline(part.id)));
        self.figures(&part.figures);
        for list in &part.lists {
            self.list(list);
        }
        self.items(part.missing.iter().map(|missing| format!("Missing: {}", inline(missing))));
    }

    fn figures(&mut self, figures: &[Figure]) {
        let rows = figures.iter().filter_map(|of| {
            let words = cell(&marked(of, of.about.to_owned()));
            Some(vec![show(of.value?, of.unit), words])
        });
        self.table(&["value", "figure"].map(str::to_owned), rows);
    }

    fn list(&mut self, list: &List) {
        let columns = list.shown();
        let names = std::iter::once(list.about).chain(columns.iter().map(|column| column.name)).map(cell);
        let rows = list.rows.iter().map(|row| {
            let values = columns.iter().map(|column| column.text(row).unwrap_or_else(|| "–".to_owned()));
            std::iter::once(name_in_cell(&row.name)).chain(values).collect()
        });
        self.table(&names.collect::<Vec<_>>(), rows);
        if list.more > 0 {
            self.block(&format!("… {} more", list.more));
        }
    }

    /// What the exhibit has lost, and which checks could not run for lack of data.
    fn lacks(&mut self, heading: &Heading, report: &Report) {
        self.block("## Missing");
        if heading.losses.is_empty() {
            self.items([inline(heading.nothing_lost)]);
        } else {
            self.items(heading.losses.iter().map(|loss| inline(loss)));
        }
        if !report.not_checked.is_empty() {
            self.block("Not checked:");
            let rules = report.not_checked.iter();
            self.items(rules.map(|rule| format!("{}: needs {}", rule.id, inline(&rule.needs))));
        }
    }
}

fn place(place: &Place) -> String {
    let share = show(place.share, "share");
    let frame = code(&written_name(&place.frame));
    match &place.request {
        Some(path) if place.frame == "?" => format!("{share}: requests of {}", code(path)),
        Some(path) => format!("{share}: {frame}, for requests to {}", code(path)),
        None => format!("{share}: {frame}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Trace;
    use runtime::StackIndex;

    /// A recording in which every text of the report is hostile.
    fn hostile(text: &str) -> String {
        let recording = Trace::default();
        let mut explanation = ::findings::explanation(&recording, &StackIndex::new(&recording));
        let heading = &mut explanation.heading;
        (heading.name, heading.recorded) = (text.to_owned(), text.to_owned());
        (heading.subject, heading.losses) = (vec![text.to_owned()], vec![text.to_owned()]);
        let verdict = explanation.verdict.as_mut().unwrap();
        (verdict.text, verdict.notes) = (text.to_owned(), vec![text.to_owned()]);
        let place =
            |frame: &str| Place { frame: frame.to_owned(), share: 0.5, request: Some(text.to_owned()) };
        let finding = |severity| Finding {
            id: "busy-thread",
            title: text.to_owned(),
            severity,
            follows: None,
            score: 0.5,
            measured: Vec::new(),
            places: vec![place(text), place("?")],
            places_of: "samples",
            evidence: vec![report::EvidenceRows::of("gc", format!("select '{text}'"), [1].into_iter())],
            view: report::View { shows: "", lane: "", tab: "", metric: None },
            why: text.to_owned(),
            tries: vec![text.to_owned()],
            verify: text.to_owned(),
        };
        explanation.report.findings = vec![finding(Severity::Critical), finding(Severity::Note)];
        markdown(&explanation, &[], true)
    }

    /// The document without its code, as a forge sees it that looks for mentions and links.
    fn without_code(document: &str) -> String {
        let mut out = String::new();
        let mut rest = document;
        while let Some(at) = rest.find(['`', '\\']) {
            out.push_str(&rest[..at]);
            if rest[at..].starts_with('\\') {
                rest = rest[at + 1..].char_indices().nth(1).map_or("", |(next, _)| &rest[at + 1 + next..]);
                continue;
            }
            let run = rest[at..].find(|c| c != '`').unwrap_or(rest.len() - at);
            let (fence, behind) = rest[at..].split_at(run);
            let end = behind
                .match_indices(fence)
                .find(|(end, _)| !behind[..*end].ends_with('`') && !behind[end + run..].starts_with('`'))
                .map(|(end, _)| end);
            rest = &behind[end.expect("code ends") + run..];
        }
        out + rest
    }

    #[test]
    fn no_text_of_a_recording_becomes_a_mention_markup_or_html() {
        for text in [
            "@octocat",
            "x @octocat/team, see #1",
            "`@octocat",
            "a ` @octocat ``` <script>",
            "<img src=x onerror=y>",
            "[click](https://evil.example)",
            "www.evil.example|x",
            "\n\n# title\n\n- @octocat",
            "\\`@octocat`\\",
        ] {
            let document = hostile(text);
            let plain = without_code(&document);
            for bad in ["@", "<", "evil.example", "](", "#1"] {
                assert!(!plain.contains(bad), "{bad} of {text:?} in {plain}");
            }
            assert!(document.starts_with("# No verdict is possible: "), "{document}");
            let headings = document.lines().filter(|line| line.starts_with('#')).count();
            assert_eq!(
                headings,
                hostile("plain").lines().filter(|line| line.starts_with('#')).count(),
                "{text:?}"
            );
        }
    }
}
