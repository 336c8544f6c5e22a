//! Topics on a page: the figures, their courses, the largest, then what it all means and what is not in the recording.

use super::text;
use crate::textpage::Page;
use crate::unit::show;
use clap::ValueEnum;
use model::Trace;
use report::Part;
use runtime::StackIndex;
use serde_json::{Value, json};
use topics::{Id, Topic};

/// A part of the runtime to explain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Name {
    /// Garbage collector: generations, budgets, pauses, modes
    Gc,
    /// Compiler: tiers, instrumentation, precompiled and dynamic code
    Jit,
    /// Thread pool: work, workers, injection, starvation
    #[value(name = "threadpool")]
    ThreadPool,
    /// Memory: allocation, sampling, survival, large and pinned objects, finalizers
    Memory,
    /// Async methods: state machines, continuations, contexts, stacks
    Async,
    /// Requests: how many, how long, percentiles, Little's law
    Requests,
    /// Processors: use, the sampler, states of threads, saturation
    Cpu,
}

impl Name {
    fn id(self) -> Id {
        match self {
            Self::Gc => Id::Gc,
            Self::Jit => Id::Jit,
            Self::ThreadPool => Id::ThreadPool,
            Self::Memory => Id::Memory,
            Self::Async => Id::Async,
            Self::Requests => Id::Requests,
            Self::Cpu => Id::Cpu,
        }
    }
}

/// The topics of these names.
pub(super) fn of(recording: &Trace, index: &StackIndex, parts: &[Part], names: &[Name]) -> Vec<Topic> {
    let ids: Vec<Id> = names.iter().map(|name| name.id()).collect();
    topics::explain(recording, index, parts, &ids)
}

/// The page: who it was and what is lost, then nothing but the topics.
pub(super) fn page(recording: &Trace, topics: &[Topic]) -> Page {
    let mut page = Page::default();
    text::headline(&mut page, recording);
    for topic in topics {
        page.gap();
        page.title(topic.id.name());
        let figures = topic.figures.iter();
        let figures = figures.filter_map(|of| Some((shown(of.value?, of.unit), lowered(of.about))));
        page.pairs("figures", figures.collect());
        for series in &topic.series {
            page.series(series);
        }
        for list in &topic.lists {
            page.gap();
            page.table(list, list.rows.len());
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
    page
}

/// The topics as scripts get them.
pub(super) fn json(topics: &[Topic]) -> Value {
    let topic = |topic: &Topic| {
        let figures = topic
            .figures
            .iter()
            .map(|of| json!({"name": of.name, "value": of.value, "unit": of.unit, "about": of.about}));
        json!({
            "id": topic.id.name(),
            "figures": figures.collect::<Vec<_>>(),
            "text": topic.text(),
            "missing": topic.missing,
        })
    };
    topics.iter().map(topic).collect()
}

/// A value that is not shown as nothing because it is small.
fn shown(value: f64, unit: &str) -> String {
    match show(value, unit) {
        nothing if value > 0.0 && nothing.starts_with("0.00") => {
            format!("< {}", nothing.replacen("0.00", "0.01", 1))
        }
        text => text,
    }
}

fn lowered(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_nothing(name: Name) -> Vec<Topic> {
        let recording = Trace::default();
        let index = StackIndex::new(&recording);
        of(&recording, &index, &runtime::parts_with(&recording, &index), &[name])
    }

    #[test]
    fn every_topic_has_a_name_and_every_name_a_topic() {
        let names: Vec<String> = Name::value_variants()
            .iter()
            .filter_map(|name| Some(name.to_possible_value()?.get_name().to_owned()))
            .collect();
        assert_eq!(names, Id::ALL.map(Id::name));
        assert_eq!(Name::value_variants().iter().map(|name| name.id()).collect::<Vec<_>>(), Id::ALL);
    }

    #[test]
    fn a_page_of_topics_has_nothing_but_the_heading_and_the_topics() {
        let page = page(&Trace::default(), &of_nothing(Name::Jit));
        let text = anstream::adapter::strip_str(page.text()).to_string();
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
                "lost",
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
        assert!(text.lines().all(|line| line.chars().count() <= crate::textpage::WIDTH), "{text}");
    }

    #[test]
    fn scripts_get_the_figures_with_values_and_the_text() {
        let document = json(&of_nothing(Name::Async));
        let keys: Vec<&String> = document[0].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["id", "figures", "text", "missing"]);
        assert_eq!((&document[0]["id"], &document[0]["figures"]), (&json!("async"), &json!([])));
    }
}
