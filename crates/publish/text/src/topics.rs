//! How parts of the runtime work, as a page or as JSON: figures and their values over time, lists, then what it all
//! means and what the recording lacks.

use crate::Width;
use crate::explain;
use crate::page::{Names, Page, about, marked};
use ::topics::Topic;
use report::unit::show;
use report::{Heading, State, Verdict};
use serde_json::{Value, json};

/// The page: what the recording is and what it has lost, the verdict, then the topics.
pub fn page(heading: &Heading, verdict: Option<&Verdict>, topics: &[Topic], width: Width) -> String {
    let mut page = Page::new(width);
    explain::headline(&mut page, heading);
    if let Some(verdict) = verdict {
        explain::verdict(&mut page, verdict);
        if verdict.state == State::Problem {
            page.hint("The findings:");
            page.command(&["casebook explain", &explain::quoted(&heading.file)]);
        }
    }
    for topic in topics {
        page.gap();
        page.title(topic.id.name());
        let figures = topic.figures.iter();
        let figures = figures.filter_map(|of| Some((show(of.value?, of.unit), marked(of, about(of.about)))));
        page.pairs("figures", figures.collect());
        for series in &topic.series {
            page.series(series);
        }
        for list in &topic.lists {
            page.gap();
            page.table("", list, list.rows.len(), Names::Cut);
            page.more(list.more);
        }
        for paragraph in &topic.paragraphs {
            page.gap();
            page.line(paragraph.heading, &paragraph.text);
        }
        if !topic.missing.is_empty() {
            page.gap();
            page.items("not here", &topic.missing);
        }
    }
    page.into_text()
}

/// The topics as scripts get them: the member `topics` of the document of `explain`.
pub fn json(topics: &[Topic]) -> Value {
    let topic = |topic: &Topic| {
        let figures = topic.figures.iter().map(explain::figure);
        json!({
            "id": topic.id.name(),
            "figures": figures.collect::<Vec<_>>(),
            "text": topic.text(),
            "missing": topic.missing,
        })
    };
    topics.iter().map(topic).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::topics::Id;
    use model::Trace;
    use runtime::StackIndex;

    fn of_nothing(id: Id) -> (Heading, Vec<Topic>) {
        let recording = Trace::default();
        let index = StackIndex::new(&recording);
        let parts = runtime::parts_with(&recording, &index);
        (runtime::heading(&recording), ::topics::explain(&recording, &index, &parts, &[id]))
    }

    #[test]
    fn a_page_of_topics_has_nothing_but_the_heading_the_verdict_and_the_topics() {
        let (heading, topics) = of_nothing(Id::Jit);
        let verdict = Verdict {
            state: report::State::Healthy,
            text: "Nothing is wrong.".to_owned(),
            severity: None,
            passed: 1,
            could_not_run: 0,
            notes: Vec::new(),
        };
        let text = anstream::adapter::strip_str(&page(&heading, Some(&verdict), &topics, Width::default()))
            .to_string();
        let labels: Vec<&str> = text
            .lines()
            .filter_map(|line| line.get(..11))
            .map(str::trim_end)
            .filter(|of| !of.is_empty())
            .collect();
        assert_eq!(
            labels,
            [
                "subject",
                "recorded",
                "missing",
                "verdict",
                "compiling",
                "tiers",
                "who waits",
                "pgo",
                "osr",
                "precompiled",
                "inlining",
                "dynamic",
                "not here"
            ]
        );
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }

    #[test]
    fn scripts_get_the_figures_with_values_and_the_text() {
        let document = json(&of_nothing(Id::Async).1);
        let keys: Vec<&String> = document[0].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["id", "figures", "text", "missing"]);
        assert_eq!((&document[0]["id"], &document[0]["figures"]), (&json!("async"), &json!([])));
    }
}
