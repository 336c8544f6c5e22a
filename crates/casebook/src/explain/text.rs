//! The recording as a page: who it was, what is lost, what is wrong, then each part in a few lines.
//!
//! What is lost stands right under the heading, before any figure that it touches. A part without data is named in
//! one line at the end, with what to record for it.

use super::verdict;
use crate::textpage::Page;
use crate::unit::show;
use model::Trace;
use report::{Part, Report};

/// The words of each part's figures, in the order in which they are shown.
const REQUESTS: &[(&str, &str)] = &[
    ("count", "{} requests"),
    ("rate", "{}"),
    ("p50", "p50 {}"),
    ("p90", "p90 {}"),
    ("p99", "p99 {}"),
    ("max", "at most {}"),
    ("p50.middle", "p50 about {}"),
    ("p99.highest", "highest p99 of an interval {}"),
    ("failed", "{} failed"),
    ("unfinished", "{} unfinished"),
];
const CPU: &[(&str, &str)] = &[
    ("samples", "{} samples of threads"),
    ("running", "{} running"),
    ("waiting", "{} waiting"),
    ("external", "{} outside managed code"),
    ("cpu.share", "{} of the machine"),
    ("cores", "{} processors in use"),
];
const THREADPOOL: &[(&str, &str)] = &[
    ("workers.first", "workers {} at first"),
    ("workers.last", "{} at last"),
    ("workers.max", "{} at most"),
    ("adjustments", "{} adjustments"),
    ("throughput.mean", "throughput {}"),
    ("throughput.max", "at most {}"),
];
const CONTENTION: &[(&str, &str)] = &[
    ("count", "{} waits"),
    ("rate", "{}"),
    ("wait.total", "{} over all threads"),
    ("wait.max", "longest {}"),
];
const WAITS: &[(&str, &str)] = &[
    ("count", "{} waits"),
    ("observed", "recorded over {}"),
    ("wait.total", "{} over all threads"),
    ("wait.max", "longest {}"),
];
const GC: &[(&str, &str)] = &[
    ("count", "{} collections"),
    ("gen0", "gen0 {}"),
    ("gen1", "gen1 {}"),
    ("gen2", "gen2 {}"),
    ("background", "{} in the background"),
    ("induced", "{} induced"),
];
const GC_PAUSES: &[(&str, &str)] =
    &[("pause.total", "pauses {}"), ("pause.share", "{} of the time"), ("pause.max", "longest {}")];
const GC_HEAP: &[(&str, &str)] = &[
    ("heap.after", "heap {} after the last"),
    ("heap.max", "{} at most"),
    ("gen2.bytes", "gen2 {}"),
    ("loh.bytes", "large objects {}"),
    ("promoted", "promoted {}"),
];
const ALLOCATION: &[(&str, &str)] =
    &[("rate", "{}"), ("bytes", "{}"), ("samples", "from {} sampled allocations")];
const COUNT_AND_RATE: &[(&str, &str)] = &[("count", "{} thrown"), ("rate", "{}")];
const JIT: &[(&str, &str)] =
    &[("count", "{} methods"), ("time.total", "{} over all threads"), ("native", "{} of code")];
const LOGS: &[(&str, &str)] = &[("lines", "{} lines"), ("rate", "{}")];

/// How much of the figures is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// A line or two for each part, and its course.
    Short,
    /// All lists, and what the recording lacks.
    Full,
}

/// The page.
pub(super) fn page(recording: &Trace, report: &Report, parts: &[Part], detail: Detail) -> Page {
    let mut page = Page::default();
    headline(&mut page, recording);
    verdict::headline(&mut page, report, recording);
    verdict::findings(&mut page, report);
    page.gap();
    page.title("in figures");
    for part in parts.iter().filter(|part| part.figures.iter().any(|figure| figure.value.is_some())) {
        match detail {
            Detail::Short => show_briefly(&mut page, part),
            Detail::Full => show_part(&mut page, part),
        }
    }
    verdict::not_checked(&mut page, report, &recording.exhibit.file);
    if detail == Detail::Short {
        page.hint("All figures, with methods, types and routes: --figures. How each part of the runtime works: --topic gc,cpu …");
        return page;
    }
    let missing: Vec<(&str, &str)> =
        parts.iter().flat_map(|part| part.missing.iter().map(|missing| (part.id, *missing))).collect();
    if !missing.is_empty() {
        page.gap();
        page.title("not in this recording");
        for (id, missing) in missing {
            page.line(id, missing);
        }
    }
    page
}

/// Who it was, when, and what is lost.
pub(super) fn headline(page: &mut Page, recording: &Trace) {
    let heading = runtime::heading(recording);
    page.title(&heading.file);
    page.line("subject", &heading.subject.join(" · "));
    if let Some(command) = &heading.command {
        page.line("command", command);
    }
    page.line("recorded", &heading.recorded);
    if heading.losses.is_empty() {
        page.line("lost", report::NOTHING_LOST);
    }
    for (at, sentence) in heading.losses.iter().enumerate() {
        page.warning(if at == 0 { "lost" } else { "" }, sentence);
    }
}

/// A part without its lists.
fn show_briefly(page: &mut Page, part: &Part) {
    match part.id {
        "requests" => {
            page.figures("requests", part, REQUESTS);
            page.course(part, "began");
        }
        "cpu" => {
            page.figures("cpu", part, CPU);
            page.course(part, "running");
        }
        "threadpool" => {
            page.figures("thread pool", part, THREADPOOL);
            page.course(part, "workers");
        }
        "contention" => page.figures("locks", part, CONTENTION),
        "gc" => {
            page.figures("gc", part, GC);
            page.figures("", part, GC_PAUSES);
            page.course(part, "pause");
        }
        "allocation" => page.figures("allocation", part, ALLOCATION),
        "exceptions" => page.figures("exceptions", part, COUNT_AND_RATE),
        "jit" => page.figures("jit", part, JIT),
        "spans" | "logs" | "waits" | "counters" => {}
        _ => others(page, part),
    }
}

fn show_part(page: &mut Page, part: &Part) {
    page.gap();
    match part.id {
        "requests" => {
            page.figures("requests", part, REQUESTS);
            page.course(part, "began");
            page.list(part, "paths", 5);
        }
        "cpu" => {
            page.figures("cpu", part, CPU);
            page.course(part, "running");
            page.list(part, "methods", 6);
            page.list(part, "user_code", 4);
            page.row("waiting for", part, "waiting_on");
        }
        "threadpool" => {
            page.figures("thread pool", part, THREADPOOL);
            page.course(part, "workers");
            page.row("adjusted for", part, "reasons");
        }
        "contention" => {
            page.figures("locks", part, CONTENTION);
            page.course(part, "wait");
            page.list(part, "frames", 4);
        }
        "waits" => {
            page.figures("waits", part, WAITS);
            page.list(part, "frames", 3);
        }
        "gc" => {
            page.figures("gc", part, GC);
            page.figures("", part, GC_PAUSES);
            page.course(part, "pause");
            page.figures("", part, GC_HEAP);
            page.row("because of", part, "reasons");
        }
        "allocation" => {
            page.figures("allocation", part, ALLOCATION);
            page.list(part, "types", 4);
        }
        "exceptions" => {
            page.figures("exceptions", part, COUNT_AND_RATE);
            page.course(part, "thrown");
            page.list(part, "types", 3);
        }
        "jit" => {
            page.figures("jit", part, JIT);
            page.course(part, "methods");
            page.row("tiers", part, "tiers");
        }
        "spans" => {
            page.figures("spans", part, &[("count", "{} spans")]);
            page.list(part, "names", 4);
        }
        "logs" => {
            page.figures("logs", part, LOGS);
            page.row("levels", part, "levels");
        }
        _ => others(page, part),
    }
}

/// A part that has no layout of its own.
fn others(page: &mut Page, part: &Part) {
    let shown = part
        .figures
        .iter()
        .filter_map(|figure| Some(format!("{} {}", show(figure.value?, figure.unit), figure.name)));
    page.line(part.id, &shown.collect::<Vec<_>>().join(" · "));
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::LogRow;

    fn text(recording: &Trace) -> String {
        let page = page(recording, &findings::explain(recording), &runtime::parts(recording), Detail::Full);
        anstream::adapter::strip_str(page.text()).to_string()
    }

    #[test]
    fn a_recording_without_anything_says_what_to_record() {
        let text = text(&Trace::default());
        assert!(text.contains("lost        nothing: no event dropped, no damage"), "{text}");
        assert!(text.contains("cpu         the recording has no samples: needs"), "{text}");
        assert!(!text.contains("NaN") && !text.contains("inf "), "{text}");
    }

    #[test]
    fn loss_stands_before_the_figures() {
        let mut recording = Trace::default();
        recording.exhibit.pid = Some(4711);
        recording.missing.events = 5;
        let none = model::Sym::NONE;
        let line =
            LogRow { ts_ns: 1, level: none, logger: none, message: none, template: none, trace_id: none };
        recording.logs.push(line);
        let text = text(&recording);
        let at = |part| text.find(part).unwrap_or(usize::MAX);
        assert!(
            at("process 4711") < at("5 events dropped") && at("5 events dropped") < at("1 line"),
            "{text}"
        );
    }
}
