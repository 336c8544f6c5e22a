//! Explains a load run with the recording of the service during it: the run, what the service did meanwhile, the recording.

use super::{Args, Format, explained};
use crate::format::print_json;
use crate::reading::RecordedRun;
use crate::terminal;
use anyhow::Result;
use model::Evidence;
use report::Explanation;
use runtime::MyCode;
use serde_json::json;
use std::process::ExitCode;
use text::explain::Detail;
use topics::{Id, Topic};

pub(super) fn explain(args: &Args, of: &RecordedRun, ids: &[Id], my: &MyCode) -> Result<ExitCode> {
    let (load, trace) = (Evidence::Load(of.load.clone()), Evidence::Trace(of.trace.clone()));
    let (of_load, _) = explained(&load, &[], my)?;
    let (of_trace, topics) = explained(&trace, ids, my)?;
    let meanwhile = meanwhile::meanwhile(&of.load, &of.trace, &of_trace.report.findings);
    let printed = match args.format {
        Format::Json => {
            let mut documents = [(&load, &of_load), (&trace, &of_trace)]
                .map(|(evidence, explanation)| text::explain::document(evidence, explanation));
            for (document, name) in documents.iter_mut().zip(&of.names) {
                document["name"] = json!(name);
            }
            if !topics.is_empty() {
                documents[1]["topics"] = text::topics::json(&topics);
            }
            let meanwhile = meanwhile.as_ref().map(|of_both| text::meanwhile::json(of_both, of.load.run.clock));
            print_json(&json!({"exhibits": documents, "meanwhile": meanwhile}))
        }
        Format::Markdown => {
            let between = meanwhile.as_ref().map_or_else(separate, text::meanwhile::markdown);
            let parts = [
                text::explain::markdown(&of_load, &[], args.figures),
                between,
                text::explain::markdown(&of_trace, &topics, args.figures),
            ];
            terminal::print(&parts.join("\n")).map_err(Into::into)
        }
        Format::Text => {
            let between = meanwhile
                .as_ref()
                .map_or_else(separate, |of| text::meanwhile::page(of, terminal::width()));
            let parts = [page(args, &of_load, &[]), between, page(args, &of_trace, &topics)];
            terminal::print(&parts.join("\n")).map_err(Into::into)
        }
    };
    // Whoever has read enough, as `head` does, still learns the answer.
    printed.or_else(|error| if terminal::is_broken_pipe(&error) { Ok(()) } else { Err(error) })?;
    let fails = args.fail_on.iter().any(|what| what.is_met(&of_load) || what.is_met(&of_trace));
    Ok(if fails { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn page(args: &Args, of: &Explanation, topics: &[Topic]) -> String {
    let (detail, width) = (if args.figures { Detail::Full } else { Detail::Short }, terminal::width());
    if topics.is_empty() {
        text::explain::page(of, detail, width)
    } else {
        text::topics::page(&of.heading, of.verdict.as_ref(), topics, width)
    }
}

/// What stands between two exhibits that are not of one time.
fn separate() -> String {
    "The load run and the recording are not of the same time, so they are not compared.\n".to_owned()
}
