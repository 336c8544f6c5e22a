//! The explanation of a load run with the recording of the service during it: the run, what the service did meanwhile, the recording.

use crate::reading::RecordedRun;
use crate::terminal;
use meanwhile::{Meanwhile, meanwhile};
use report::Explanation;
use serde_json::{Value, json};
use text::explain::Detail;
use topics::Topic;

/// Both, explained.
pub(super) struct Both<'a> {
    run: &'a RecordedRun,
    pub(super) load: Explanation,
    pub(super) trace: Explanation,
    /// The requested topics of the recording.
    topics: Vec<Topic>,
    /// `None` if they are not of one time.
    meanwhile: Option<Meanwhile>,
}

impl<'a> Both<'a> {
    pub(super) fn new(
        run: &'a RecordedRun,
        load: Explanation,
        trace: Explanation,
        topics: Vec<Topic>,
    ) -> Self {
        let meanwhile = meanwhile(&run.load, &run.trace, &trace.report.findings);
        Self { run, load, trace, topics, meanwhile }
    }

    /// One JSON document, with that of each in it.
    pub(super) fn document(&self) -> Value {
        let [load, trace] = self.run.evidence();
        let [of_load, of_trace] = &self.run.names;
        let named = |name: &str, mut document: Value| {
            document["name"] = json!(name);
            document
        };
        let mut trace = named(of_trace, text::explain::document(&trace, &self.trace));
        if !self.topics.is_empty() {
            trace["topics"] = text::topics::json(&self.topics);
        }
        let load = named(of_load, text::explain::document(&load, &self.load));
        let clock = self.run.load.run.clock;
        let meanwhile = self.meanwhile.as_ref().map(|of| text::meanwhile::json(of, clock));
        json!({"exhibits": [load, trace], "meanwhile": meanwhile})
    }

    pub(super) fn markdown(&self, with_figures: bool) -> String {
        let parts = [
            text::explain::markdown(&self.load, &[], with_figures),
            self.meanwhile.as_ref().map_or_else(separate, text::meanwhile::markdown),
            text::explain::markdown(&self.trace, &self.topics, with_figures),
        ];
        parts.join("\n")
    }

    pub(super) fn text(&self, detail: Detail) -> String {
        let width = terminal::width();
        let trace = if self.topics.is_empty() {
            text::explain::page(&self.trace, detail, width)
        } else {
            text::topics::page(&self.trace.heading, self.trace.verdict.as_ref(), &self.topics, width)
        };
        let parts = [
            text::explain::page(&self.load, detail, width),
            self.meanwhile.as_ref().map_or_else(separate, |of| text::meanwhile::page(of, width)),
            trace,
        ];
        parts.join("\n")
    }
}

/// What stands between two exhibits that are not of one time.
fn separate() -> String {
    "The load run and the recording are not of the same time, so they are not compared.\n".to_owned()
}
