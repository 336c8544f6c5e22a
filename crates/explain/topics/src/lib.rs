//! How the parts of the runtime work, explained with a recording's own figures.
//!
//! A topic has figures, lists and series, and short paragraphs that say what they mean and how the mechanism behind them
//! works. It explains and never judges: findings say whether a figure is bad. What the recording lacks is left out of the
//! text and listed in `missing`, with the profile that records it. All names come from the recording.

mod asynchronous;
mod cpu;
mod facts;
mod gc;
mod jit;
mod memory;
mod requests;
mod threadpool;
mod topic;
mod words;

pub use topic::{Id, Paragraph, Topic};

use facts::TopicFacts;
use model::Trace;
use report::Part;
use runtime::StackIndex;

/// The requested topics, in the requested order, each once. `index` and `parts` are of the same recording.
pub fn explain(recording: &Trace, index: &StackIndex, parts: &[Part], ids: &[Id]) -> Vec<Topic> {
    let facts = TopicFacts::new(recording, index, parts);
    let mut topics: Vec<Topic> = Vec::new();
    for id in ids {
        if topics.iter().all(|topic| topic.id != *id) {
            topics.push(one(&facts, *id));
        }
    }
    topics
}

fn one(facts: &TopicFacts<'_>, id: Id) -> Topic {
    match id {
        Id::Gc => gc::topic(facts),
        Id::Jit => jit::topic(facts),
        Id::ThreadPool => threadpool::topic(facts),
        Id::Memory => memory::topic(facts),
        Id::Async => asynchronous::topic(facts),
        Id::Requests => requests::topic(facts),
        Id::Cpu => cpu::topic(facts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_nothing(ids: &[Id]) -> Vec<Topic> {
        let recording = Trace::default();
        let index = StackIndex::new(&recording);
        explain(&recording, &index, &runtime::parts_with(&recording, &index), ids)
    }

    #[test]
    fn of_nothing_every_topic_still_teaches_and_says_what_is_missing() {
        for topic in of_nothing(&Id::ALL) {
            let (id, text) = (topic.id.name(), topic.text());
            assert_eq!(topic.figures, [], "{id} has a figure of nothing");
            assert!(!topic.missing.is_empty(), "{id} does not say what is missing");
            assert!(topic.paragraphs.len() > 3 && text.len() > 1_000, "{id} says little: {text}");
            assert!(!text.contains("  ") && !text.contains("NaN") && !text.contains("inf "), "{text}");
        }
    }

    #[test]
    fn a_topic_asked_for_twice_comes_once_and_the_order_is_that_of_the_question() {
        let topics = of_nothing(&[Id::Cpu, Id::Gc, Id::Cpu]);
        assert_eq!(topics.iter().map(|topic| topic.id).collect::<Vec<_>>(), [Id::Cpu, Id::Gc]);
    }

    #[test]
    fn headings_fit_beside_the_text() {
        for topic in of_nothing(&Id::ALL) {
            for paragraph in &topic.paragraphs {
                assert!(paragraph.heading.chars().count() <= 11, "{}", paragraph.heading);
            }
        }
    }
}
