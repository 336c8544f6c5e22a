//! The verdict: what all findings say, in one sentence.

use crate::LEAST_SECONDS;
use base::number::real;
use model::Trace;
use report::unit::duration;
use report::{Report, Severity, Verdict};

/// The first cause that is more than a note, or that there is none, or that nothing can be said.
pub fn verdict(report: &Report, recording: &Trace) -> Verdict {
    if let Some(text) = too_little(recording) {
        return Verdict { text, severity: Some(Severity::Warning) };
    }
    let is_cause = |severity: Severity, follows: Option<&str>| severity > Severity::Note && follows.is_none();
    let causes = report.findings.iter().filter(|of| is_cause(of.severity, of.follows)).count();
    let Some(first) = report.findings.first().filter(|_| causes > 0) else {
        return nothing_found(report, recording);
    };
    let others = match causes - 1 {
        0 => String::new(),
        1 => String::from(" One more finding follows."),
        more => format!(" {more} more findings follow."),
    };
    Verdict { text: format!("{}.{others}", first.title), severity: Some(first.severity) }
}

fn nothing_found(report: &Report, recording: &Trace) -> Verdict {
    let checked = match report.checked.len() {
        0 => {
            let text = "Nothing could be judged: no rule has the data that it works from.".to_owned();
            return Verdict { text, severity: Some(Severity::Warning) };
        }
        1 => "1 rule checked".to_owned(),
        rules => format!("{rules} rules checked"),
    };
    if much_is_missing(recording) {
        let text = format!(
            "Nothing that hurts was found in what is here, but much is missing: see `lost`. {checked}."
        );
        return Verdict { text, severity: Some(Severity::Warning) };
    }
    Verdict { text: format!("Nothing that hurts was found: {checked}."), severity: None }
}

/// That a recording is too short to judge by, if it is.
fn too_little(recording: &Trace) -> Option<String> {
    let observed =
        ["events", "samples"].into_iter().find_map(|source| runtime::observed_ns(recording, source));
    let millis = real(observed.unwrap_or(recording.exhibit.duration_ns)) / 1e6;
    (millis < LEAST_SECONDS * 1e3)
        .then(|| format!("Too little was recorded to judge: {}.", duration(millis.max(0.0))))
}

/// Whether what is lost may hide what hurts.
fn much_is_missing(recording: &Trace) -> bool {
    let missing = &recording.missing;
    let events = u64::try_from(recording.events.len()).unwrap_or(u64::MAX);
    missing.unnamed_frames.saturating_mul(5) > missing.frames || missing.events.saturating_mul(10) > events
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(seconds: i64, checked: Vec<&'static str>, expected: &str) {
        let mut recording = Trace::default();
        recording.exhibit.duration_ns = seconds * 1_000_000_000;
        let report = Report { checked, ..Report::default() };
        assert_eq!(verdict(&report, &recording).text, expected);
    }

    #[test]
    fn nothing_found_is_told_from_nothing_looked_at() {
        check(10, vec!["gc-pauses"], "Nothing that hurts was found: 1 rule checked.");
        check(10, vec!["gc-pauses", "jit-churn"], "Nothing that hurts was found: 2 rules checked.");
        check(10, vec![], "Nothing could be judged: no rule has the data that it works from.");
        check(0, vec!["gc-pauses"], "Too little was recorded to judge: 0 ms.");
    }
}
