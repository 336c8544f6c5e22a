//! The verdict: what all findings say together, in one sentence, and how far it can be trusted.
//!
//! ```text
//!  too short                                                  ──▶ cannot judge
//!  a finding above a note                                     ──▶ problem
//!  a part that checks need is damaged or gone                 ──▶ cannot judge
//!  many events were dropped                                   ──▶ cannot judge
//!  requests fail, never end or are slow, or a queue grows, and
//!  nothing says why                                           ──▶ unexplained
//!  it ends early, after a few seconds                         ──▶ cannot judge
//!  fewer than half of the checks could run                    ──▶ cannot judge
//!  else                                                       ──▶ healthy
//! ```

use crate::facts::{Facts, count, percent, real_u64, said, wide};
use crate::{slowness, unexplained, warmup};
use base::number::real;
use model::{Limit, LimitKind, Trace};
use report::unit::duration;
use report::{Report, Severity, State, Verdict};
use runtime::{Gap, Hides};

/// A shorter recording shows nothing that lasts.
pub const MIN_SECONDS: f64 = 0.3;

/// The first cause above a note; or that there is none; or why nothing can be said.
pub(crate) fn verdict(report: &Report, facts: &Facts<'_>, gaps: &[Gap]) -> Verdict {
    let notable = |id: &str| report.findings.iter().any(|of| of.id == id && of.severity > Severity::Note);
    let passed = report.checked.iter().filter(|id| !notable(id)).count();
    let could_not_run = report.not_checked.len();
    let notes = facts.index.unmatched().to_vec();
    let said = move |state, text, severity| {
        let notes = notes.clone();
        Verdict { state, text, severity, passed, could_not_run, notes }
    };
    if let Some(text) = too_little(facts.recording) {
        return said(State::CannotJudge, text, None);
    }
    let causes: Vec<_> =
        report.findings.iter().filter(|of| of.severity > Severity::Note && of.follows.is_none()).collect();
    if let Some(first) = causes.first() {
        let others = match causes.len() - 1 {
            0 => String::new(),
            1 => String::from(" There is one more finding."),
            more => format!(" There are {more} more findings."),
        };
        let of = said(State::Problem, format!("{}.{others}", first.title), Some(first.severity));
        let stacks = facts.recording.missing.limits.get(LimitKind::Stacks);
        let cut = stacks.and_then(|limit| limit_text(limit, facts));
        let notes = of.notes.iter().cloned().chain(cut).chain(many_not_run(passed, report));
        return Verdict { notes: notes.collect(), ..of };
    }
    let checks = checks(passed, could_not_run);
    if let Some(gap) = gaps.iter().find(|gap| gap.hides != Hides::Details) {
        let what = &gap.what;
        let next = if gap.hides != Hides::Names {
            "Explain an undamaged copy, or record again."
        } else if runtime::early_end(facts.recording).is_some() {
            "Record again and let the recording end: the names come last."
        } else {
            "Record with `casebook record`, which keeps the names of methods."
        };
        let text = format!("Cannot judge: {what}. {}. {next}", of_the(&checks));
        return said(State::CannotJudge, text, None);
    }
    if report.checked.is_empty() {
        let text = format!("Cannot judge: no check has the data that it needs. {}", what_to_record(facts));
        return said(State::CannotJudge, text, None);
    }
    let dropped = dropped_share(facts.recording);
    if dropped > MAX_DROPPED {
        let text =
            format!("Cannot judge: {} of the events are missing. {}.", percent(dropped), of_the(&checks));
        return said(State::CannotJudge, text, None);
    }
    if let Some(of) = slowness::of(facts) {
        return said(State::Unexplained, unexplained::text(facts, &of), None);
    }
    // The recording was meant to be longer than these few seconds: what it was for may have come later.
    let end = runtime::early_end(facts.recording).filter(|end| !end.in_names);
    if let Some(end) = end.filter(|_| facts.seconds() < ENOUGH_SECONDS) {
        let ends = runtime::end_words(end);
        let text =
            format!("Cannot judge: {ends}. {}. Record ten seconds or more, to the end.", of_the(&checks));
        return said(State::CannotJudge, text, None);
    }
    if could_not_run > report.checked.len() {
        let text = format!("Cannot judge: {checks}. {}", what_to_record(facts));
        return said(State::CannotJudge, text, None);
    }
    let limits: Vec<String> = limits(facts, gaps).into_iter().chain(warmup::text(facts)).collect();
    let limits: Vec<String> = limits.iter().map(|limit| format!("; {limit}")).collect();
    let limits = limits.concat();
    said(State::Healthy, format!("No problem found: {checks}{limits}."), None)
}

/// A recording that ends early needs this length for an all-clear: every recording should have it.
const ENOUGH_SECONDS: f64 = 10.0;
/// If a larger share of the events was dropped, important ones may be among them.
const MAX_DROPPED: f64 = 0.1;
/// From this share on, an all-clear says that events were dropped.
const NOTABLE_DROPS: f64 = 0.01;
/// Cut stacks in a smaller share of the samples do not change a verdict.
const NOTABLE_CUTS: f64 = 0.1;

/// What an all-clear does not cover although its checks ran: what came after an early end, events that were dropped,
/// limits of the runtime, and details that are gone.
fn limits(facts: &Facts<'_>, gaps: &[Gap]) -> Vec<String> {
    let missing = &facts.recording.missing;
    let mut limits: Vec<String> = Vec::new();
    // If the main session ends early, the other files end with it.
    let end = runtime::early_end(facts.recording).or(missing.early_ends.first()).map(runtime::end_words);
    let state = facts.recording.exhibit.state.as_deref();
    let why = state.filter(|state| !matches!(*state, "complete" | "recording"));
    match (end, why) {
        (Some(end), None) => limits.push(end),
        (Some(end), Some(why)) => limits.push(format!("{end}: {why}")),
        (None, Some(why)) => limits.push(format!("the recording ended early: {why}")),
        (None, None) => {}
    }
    let dropped = dropped_share(facts.recording);
    if dropped >= NOTABLE_DROPS {
        limits.push(format!("{} of the events are missing", percent(dropped)));
    }
    for limit in facts.recording.missing.limits.all() {
        limits.extend(limit_text(limit, facts));
    }
    limits.extend(gaps.iter().filter(|gap| gap.hides == Hides::Details).map(|gap| gap.what.clone()));
    limits
}

/// What a limit hides from the checks. `None` if it hides nothing that matters.
fn limit_text(limit: &Limit, facts: &Facts<'_>) -> Option<String> {
    let seen = |what: &str, number: Option<u64>| {
        let number = number.map_or_else(|| "only some".to_owned(), |number| said(real_u64(number)));
        format!("of the {what}, {number} are seen, further ones are not")
    };
    match limit.kind {
        LimitKind::Histograms => Some(match facts.routes().len() {
            0 => seen("series of durations", limit.limit),
            routes => seen("routes", Some(wide(routes))),
        }),
        LimitKind::TimeSeries => Some(seen("series of meters", limit.limit)),
        LimitKind::Metrics => Some("the meters failed and are not whole".to_owned()),
        LimitKind::Callbacks => Some("some gauges failed and are not seen".to_owned()),
        LimitKind::OtherSession => Some("the meters went to another tool and are not seen".to_owned()),
        LimitKind::OtherSettings | LimitKind::LongStacks => None,
        LimitKind::Stacks => {
            let all = count(facts.recording.samples.ts_ns.len()).max(1.0);
            let share = limit.samples.map_or(0.0, real_u64) / all;
            (share >= NOTABLE_CUTS)
                .then(|| format!("{} of the samples lack their outermost frames (callers)", percent(share)))
        }
    }
}

fn checks(passed: usize, could_not_run: usize) -> String {
    let all = passed + could_not_run;
    match could_not_run {
        0 => format!("all {all} checks passed"),
        not => format!("{passed} of {all} checks passed, {not} could not run"),
    }
}

/// How the checks went, as a sentence of its own.
fn of_the(checks: &str) -> String {
    checks.strip_prefix("all ").map_or_else(|| checks.to_owned(), |rest| format!("All {rest}"))
}

/// If this share of the checks could not run, there may be more problems than the one found.
const MANY_NOT_RUN: f64 = 1.0 / 3.0;

/// How many checks could not run, if there are many.
fn many_not_run(passed: usize, report: &Report) -> Option<String> {
    let (not, found) = (report.not_checked.len(), report.checked.len().saturating_sub(passed));
    let all = passed + found + not;
    let is_many = count(not) >= MANY_NOT_RUN * count(all).max(1.0);
    is_many.then(|| format!("{not} of {all} checks could not run"))
}

/// What to record so that more can be judged.
fn what_to_record(facts: &Facts<'_>) -> String {
    let profile = facts.recording.session.profile.as_deref();
    let better = if matches!(profile, Some("default" | "cpu" | "requests" | "logs")) {
        "requests, while the service works, for ten seconds or more"
    } else {
        "default"
    };
    format!("Record with --profile {better}.")
}

/// Says that a recording is too short to judge, if it is.
fn too_little(recording: &Trace) -> Option<String> {
    let observed =
        ["events", "samples"].into_iter().find_map(|source| runtime::observed_ns(recording, source));
    let millis = real(observed.unwrap_or(recording.exhibit.duration_ns)) / 1e6;
    (millis < MIN_SECONDS * 1e3).then(|| {
        format!("Cannot judge: only {} were recorded. Record ten seconds or more.", duration(millis.max(0.0)))
    })
}

/// The share of all events that were dropped.
fn dropped_share(recording: &Trace) -> f64 {
    let missing = real_u64(recording.missing.events);
    missing / (count(recording.events.len()) + missing).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Trace;
    use report::NotChecked;
    use runtime::StackIndex;

    fn check(seconds: i64, checked: Vec<&'static str>, not: usize, expected: (State, &str)) {
        let mut recording = Trace::default();
        recording.exhibit.duration_ns = seconds * 1_000_000_000;
        let not_checked = vec![NotChecked { id: "x", needs: String::new() }; not];
        let report = Report { checked, not_checked, ..Report::default() };
        let index = StackIndex::new(&recording);
        let of = verdict(&report, &Facts::new(&recording, &index), &runtime::gaps(&recording));
        assert_eq!((of.state, of.text.as_str()), expected);
    }

    #[test]
    fn an_all_clear_says_what_it_stands_on() {
        let two = || vec!["gc-pauses", "jit-churn"];
        check(10, two(), 0, (State::Healthy, "No problem found: all 2 checks passed."));
        check(10, two(), 1, (State::Healthy, "No problem found: 2 of 3 checks passed, 1 could not run."));
    }

    /// What is said of a recording of so many seconds that ends early, and has the checks' data.
    fn cut(seconds: i64, in_names: bool) -> (State, String) {
        let mut recording = Trace::default();
        recording.exhibit.duration_ns = seconds * 1_000_000_000;
        let at_ns = recording.exhibit.duration_ns;
        let end = model::EarlyEnd { is_main: true, at_ns, in_names, ..model::EarlyEnd::default() };
        recording.missing.early_ends.push(end);
        let report = Report { checked: vec!["gc-pauses"], ..Report::default() };
        let index = StackIndex::new(&recording);
        let of = verdict(&report, &Facts::new(&recording, &index), &runtime::gaps(&recording));
        (of.state, of.text)
    }

    #[test]
    fn an_all_clear_on_a_recording_that_ends_early_says_where_it_ends() {
        let text = "No problem found: all 1 checks passed; the recording is cut off at 40 s.";
        assert_eq!(cut(40, false), (State::Healthy, text.to_owned()));
        let text =
            "No problem found: all 1 checks passed; the recording is cut off among the names of methods.";
        assert_eq!(cut(4, true), (State::Healthy, text.to_owned()));
        let text = "Cannot judge: the recording is cut off at 4 s. All 1 checks passed. Record ten \
                    seconds or more, to the end.";
        assert_eq!(cut(4, false), (State::CannotJudge, text.to_owned()));
    }

    #[test]
    fn a_problem_says_how_many_checks_could_not_run_where_they_are_many() {
        let notes = |not: usize| {
            let mut scene = crate::testing::Scene::new().without_samples();
            (0..20).for_each(|at| scene.adjusts(at, "CooperativeBlocking", 3 + at));
            let recording = scene.done();
            let mut report = crate::explain(&recording);
            assert!(report.findings.iter().any(|of| of.severity > Severity::Note));
            report.checked = vec!["sync-over-async", "jit-churn", "gc-pauses", "loh-churn"];
            report.not_checked = vec![NotChecked { id: "x", needs: String::new() }; not];
            let index = StackIndex::new(&recording);
            verdict(&report, &Facts::new(&recording, &index), &[]).notes
        };
        assert_eq!(notes(1), [""; 0]);
        assert_eq!(notes(2), ["2 of 6 checks could not run"]);
    }

    #[test]
    fn nothing_found_by_few_checks_is_no_all_clear() {
        let few = "Cannot judge: 1 of 3 checks passed, 2 could not run. Record with --profile default.";
        check(10, vec!["gc-pauses"], 2, (State::CannotJudge, few));
        let none = "Cannot judge: no check has the data that it needs. Record with --profile default.";
        check(10, vec![], 2, (State::CannotJudge, none));
        let short = "Cannot judge: only 0 ms were recorded. Record ten seconds or more.";
        check(0, vec!["gc-pauses"], 0, (State::CannotJudge, short));
    }
}
