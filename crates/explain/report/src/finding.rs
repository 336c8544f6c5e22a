//! Findings: what rules say of an exhibit, with measurements, places and evidence.

use crate::unit::{short, show};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing, but needs no action.
    Note,
    /// It costs. Act on it soon.
    Warning,
    /// It hurts users now.
    Critical,
}

impl Severity {
    /// Its name in JSON and on the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// A number that a rule compares its measurement with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// What is measured.
    pub name: &'static str,
    /// At least this must be measured; no more than this if the name ends in `(no more than)`.
    pub value: f64,
    /// Its unit, as in [`Measured`].
    pub unit: &'static str,
    /// Who recommends it, or which measurements led to it.
    pub source: &'static str,
}

impl Threshold {
    /// What was measured, beside this threshold.
    pub fn measured(&self, value: f64) -> Measured {
        self.measured_against(value, self.value)
    }

    /// The same for a threshold that depends on the recording.
    pub fn measured_against(&self, value: f64, threshold: f64) -> Measured {
        Measured { name: self.name, value, unit: self.unit, threshold: Some(threshold) }
    }
}

/// A number that a finding rests on, with its threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// What was measured. It must reach its threshold, or stay below one if it ends in [`NO_MORE`].
    pub name: &'static str,
    /// Its value.
    pub value: f64,
    /// Its unit, as of a figure: `ms`, `B`, `B/s`, `1/s`, `share` (of 1), or empty for a count.
    pub unit: &'static str,
    /// What it was compared with. `None` for a number that only explains.
    pub threshold: Option<f64>,
}

/// The end of the name of a measurement whose threshold is an upper limit.
const NO_MORE: &str = " (no more than)";

impl Measured {
    /// The name as pages show it, beside [`Finding::against`].
    pub fn label(&self) -> &'static str {
        self.name.strip_suffix(NO_MORE).unwrap_or(self.name)
    }

    /// The threshold as text, in the form of the value: a factor beside a factor, not 30 % beside 55 times.
    fn threshold_text(&self) -> Option<String> {
        let threshold = self.threshold?;
        let text = show(threshold, self.unit);
        let is_factor = show(self.value, self.unit).ends_with(" times");
        Some(if is_factor && text.ends_with(" %") { format!("{} times", short(threshold)) } else { text })
    }
}

/// A place in the code.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The frame's full name.
    pub frame: String,
    /// Its share of what was measured, of 1.
    pub share: f64,
    /// The path of the request that the thread worked on, if the compiler or the runtime made up the frame's name, or if
    /// the server enters the service's code in this frame.
    pub request: Option<String>,
}

/// Samples of one thread with one stack in one state, by the positions of thread and stack in the exhibit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SampleGroup {
    /// The thread.
    pub thread: usize,
    /// The stack. `None` if the samples have none.
    pub stack: Option<usize>,
    /// What the thread was doing: a value of `samples.state`.
    pub state: &'static str,
}

/// The rows of a table that a finding rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceRows {
    /// The table.
    pub table: &'static str,
    /// A query that shows the rows, summed up if there are many.
    pub sql: String,
    /// How many rows the finding rests on.
    pub rows: u64,
    /// The time of the first of them, in nanoseconds since the session's start.
    pub first_ts_ns: Option<i64>,
    /// The time of the last of them.
    pub last_ts_ns: Option<i64>,
    /// Exactly which samples these are, so that a view can show them and no others; empty for other tables.
    pub samples: Vec<SampleGroup>,
    /// The time of each row, which says the same of other tables, as two rows seldom have the same nanosecond; empty for samples.
    pub times: Vec<i64>,
}

impl EvidenceRows {
    /// Rows of a table, by the time of each.
    pub fn of(table: &'static str, sql: impl Into<String>, times: impl Iterator<Item = i64>) -> Self {
        let (sql, samples, times) = (sql.into(), Vec::new(), times.collect::<Vec<_>>());
        let mut evidence =
            Self { table, sql, rows: 0, first_ts_ns: None, last_ts_ns: None, samples, times: Vec::new() };
        for &ts_ns in &times {
            evidence.rows += 1;
            evidence.first_ts_ns = Some(evidence.first_ts_ns.map_or(ts_ns, |first| first.min(ts_ns)));
            evidence.last_ts_ns = Some(evidence.last_ts_ns.map_or(ts_ns, |last| last.max(ts_ns)));
        }
        evidence.times = times;
        evidence
    }
}

/// The view of the pages that shows what a rule found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// What it shows, for the link that leads there: "the blocked stacks".
    pub shows: &'static str,
    /// The lane over time that decides.
    pub lane: &'static str,
    /// The path of its tab: `/stacks`.
    pub tab: &'static str,
    /// The metric by which the stacks of its rows are summed up, if stacks prove it: a name that `stacks::Metric` takes.
    pub metric: Option<&'static str>,
}

/// What the score of a finding means, and the order of findings.
pub const SCORE: &str = "Critical findings come first, then warnings, then notes. Within each, the highest score comes first: how \
                         much of the problem the finding explains (0 to 1), times how certain that is (0 to 1). What another \
                         finding causes is listed below it.";

/// What is wrong, as one rule sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The rule.
    pub id: &'static str,
    /// One sentence.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// The rule whose finding causes this one, if there is one.
    pub follows: Option<&'static str>,
    /// How much of the problem it explains, times how certain that is: 0 to 1.
    pub score: f64,
    /// What was measured.
    pub measured: Vec<Measured>,
    /// Where, the largest share first.
    pub places: Vec<Place>,
    /// What the shares of the places are of: the words after `of`.
    pub places_of: &'static str,
    /// The rows that show it.
    pub evidence: Vec<EvidenceRows>,
    /// The view that shows it.
    pub view: View,
    /// How it happens inside the runtime.
    pub why: String,
    /// What to try.
    pub tries: Vec<String>,
    /// How to check that it helped.
    pub verify: String,
}

impl Finding {
    /// What a measurement was compared with, in words.
    pub fn against(&self, of: &Measured) -> Option<String> {
        let least = of.threshold_text()?;
        let is_below = of.threshold.is_some_and(|threshold| of.value < threshold);
        Some(match () {
            () if of.label() != of.name => format!("threshold: no more than {least}"),
            () if !is_below => format!("threshold {least}"),
            // It may reach none of them.
            () if self.severity == Severity::Note => format!("below the threshold of {least}"),
            () => format!("below the threshold of {least}; another one is enough"),
        })
    }

    /// The samples that it rests on, of all its evidence.
    pub fn samples(&self) -> impl Iterator<Item = &SampleGroup> {
        self.evidence.iter().flat_map(|of| &of.samples)
    }

    /// What the shares of the places are of. A place without a frame is the route with most of the requests' time.
    pub fn shares_of(&self) -> &'static str {
        match self.places.as_slice() {
            [Place { frame, request: Some(_), .. }] if frame == "?" => "the time of all requests",
            _ => self.places_of,
        }
    }
}

/// A rule that could not decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotChecked {
    /// The rule.
    pub id: &'static str,
    /// What to record for it.
    pub needs: String,
}

/// What all rules say of an exhibit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// What was found: causes before symptoms, then by share of the harm.
    pub findings: Vec<Finding>,
    /// The rules that had the data they need.
    pub checked: Vec<&'static str>,
    /// The rules that had not.
    pub not_checked: Vec<NotChecked>,
}

/// What all findings say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// A finding is above a note.
    Problem,
    /// Nothing was found, by checks that could run.
    Healthy,
    /// Requests are slow or queues grow, and nothing that was recorded explains it.
    Unexplained,
    /// The evidence is too short, damaged or poor in data to say anything.
    CannotJudge,
}

impl State {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Problem => "problem",
            Self::Healthy => "healthy",
            Self::Unexplained => "unexplained",
            Self::CannotJudge => "cannot-judge",
        }
    }
}

/// The sentence that a page begins with: what all findings say together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What it comes to.
    pub state: State,
    /// The sentence, and how many more findings there are.
    pub text: String,
    /// How bad the first finding is; `None` unless there is a problem.
    pub severity: Option<Severity>,
    /// Checks that could run and found nothing above a note.
    pub passed: usize,
    /// Checks without the data that they need.
    pub could_not_run: usize,
    /// What the reader must know beside the sentence: an option that was passed over, say.
    pub notes: Vec<String>,
}

impl Verdict {
    /// How it looks: the severity of a problem, `good` for the all-clear alone, else `unclear`.
    pub fn tone(&self) -> &'static str {
        match (self.state, self.severity) {
            (State::Problem, severity) => severity.unwrap_or(Severity::Warning).name(),
            (State::Healthy, _) => "good",
            (State::Unexplained | State::CannotJudge, _) => "unclear",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_beside_a_factor_is_a_factor_too() {
        let text = |value| Measured { name: "", value, unit: "share", threshold: Some(0.3) }.threshold_text();
        assert_eq!([text(55.4), text(0.45)].map(Option::unwrap), ["0.30 times", "30 %"]);
    }

    #[test]
    fn a_measurement_below_its_threshold_is_not_shown_as_one_that_decided() {
        let text = |severity, name, value| {
            let finding = Finding {
                id: "",
                title: String::new(),
                severity,
                follows: None,
                score: 0.5,
                measured: Vec::new(),
                places: Vec::new(),
                places_of: "",
                evidence: Vec::new(),
                view: View { shows: "", lane: "", tab: "", metric: None },
                why: String::new(),
                tries: Vec::new(),
                verify: String::new(),
            };
            finding.against(&Measured { name, value, unit: "", threshold: Some(0.2) }).unwrap()
        };
        assert_eq!(text(Severity::Warning, "threads", 0.23), "threshold 0.20");
        assert_eq!(
            text(Severity::Warning, "threads", 0.18),
            "below the threshold of 0.20; another one is enough"
        );
        assert_eq!(text(Severity::Note, "threads", 0.18), "below the threshold of 0.20");
        assert_eq!(text(Severity::Warning, "threads (no more than)", 0.18), "threshold: no more than 0.20");
    }
}
