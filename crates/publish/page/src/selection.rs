//! What of the stacks is asked for: metric, rows, shape and direction, read from the parameters of an address.

use crate::Pages;
use crate::exhibit::Exhibit;
use crate::params::Params;
use model::Recording;
use runtime::real;
use stacks::{Direction, Filter, GroupBy, Metric, Profile, Shaping, ViewOptions, pattern, weigh};

/// Parameters that shape the tree: another value of one is another tree.
const SHAPING: [&str; 3] = ["group", "my", "fold"];
/// Groups of patterns that are taken.
const MOST_GROUPS: usize = 20;
/// A picture has no use for more nodes.
const MOST_NODES: usize = 20_000;

/// What is asked for, and what could not be understood of it.
#[derive(Debug)]
pub(crate) struct Selection {
    pub(crate) metric: Metric,
    pub(crate) filter: Filter,
    pub(crate) shaping: Shaping,
    key: String,
    pub(crate) view: ViewOptions,
    /// By request: what the other recording's weights are multiplied by.
    per_request: Option<f64>,
    pub(crate) problems: Vec<String>,
}

impl Selection {
    /// Reads it; none where the recording has no stacks at all.
    pub(crate) fn of(pages: &Pages, params: &Params) -> Option<Self> {
        let exhibit = &pages.here;
        let first = &exhibit.offers.first()?.metric;
        let mut problems = Vec::new();
        let metric = match params.get("metric") {
            None => first.clone(),
            Some(name) => Metric::of_name(name).unwrap_or_else(|| {
                problems.push(format!("there is no metric `{name}`: {} is shown", first.title()));
                first.clone()
            }),
        };
        let mut regex = |name: &str| {
            let text = params.get(name)?;
            pattern(text)
                .map_err(|error| problems.push(format!("the pattern of `{name}` is left out: {error}")))
                .ok()
        };
        let (include, exclude, fold) = (regex("include"), regex("exclude"), regex("fold"));
        let group = group(params.get("group"), &mut problems);
        let filter = Filter {
            from_ns: params.time_ns("from"),
            to_ns: params.time_ns("to"),
            threads: threads(&exhibit.recording, params.get("thread"), &mut problems),
            waiting_on: params.get("on").map(str::to_owned),
            class: params.get("class").map(str::to_owned),
            include,
            exclude,
        };
        let key: Vec<&str> = SHAPING.iter().map(|name| params.get(name).unwrap_or_default()).collect();
        let view = ViewOptions {
            direction: if params.get("up").is_some() { Direction::Up } else { Direction::Down },
            method: params.get("method").map(str::to_owned),
            zoom: params.get("root").map(str::to_owned),
            least_share: 0.0005,
            most_nodes: MOST_NODES,
        };
        let per_request = per_request(pages, params, &mut problems);
        let shaping = Shaping { group, my_code: params.get("my").is_some(), fold };
        Some(Self { metric, filter, shaping, key: key.join("\n"), view, per_request, problems })
    }

    /// The stacks that are asked for with their weights; beside those of another recording where one is given.
    pub(crate) fn profile(&self, exhibit: &Exhibit, against: Option<&Exhibit>) -> Profile {
        let shape = exhibit.shape(&self.key, &self.shaping);
        let weighed = weigh(&exhibit.recording, &self.metric, &self.filter);
        let Some(other) = against else { return Profile::new(shape, &weighed) };
        // A range of time is this recording's own: of the other one all is taken.
        let of_other = Filter { from_ns: None, to_ns: None, threads: Vec::new(), ..self.filter.clone() };
        let other_weighed = weigh(&other.recording, &self.metric, &of_other);
        let scale = self.scale(exhibit, other).unwrap_or(1.0);
        Profile::compared(&shape, &weighed, (&other.shape(&self.key, &self.shaping), &other_weighed), scale)
    }

    /// What the other recording's weights are multiplied by: the ratio of the times that were observed, or of requests.
    pub(crate) fn scale(&self, exhibit: &Exhibit, other: &Exhibit) -> Option<f64> {
        if self.per_request.is_some() {
            return self.per_request;
        }
        let source = if self.metric.is_of_samples() { "samples" } else { "events" };
        let here = observed_in(&exhibit.recording, source, &self.filter);
        let there = observed_in(&other.recording, source, &Filter::default());
        (here > 0 && there > 0).then(|| real(here) / real(there))
    }
}

/// The ratio of the requests of two recordings that are compared by request.
fn per_request(pages: &Pages, params: &Params, problems: &mut Vec<String>) -> Option<f64> {
    let diff = pages.diff.as_ref().filter(|_| params.get("per") == Some("request"))?;
    let is_part = params.time_ns("from").is_some() || params.time_ns("to").is_some();
    let ratio = diff.requests.filter(|(before, after)| *before > 0.0 && *after > 0.0 && !is_part);
    if ratio.is_none() {
        let why = if is_part { "only the whole recordings are" } else { "they do not both have requests" };
        problems.push(format!("not compared by request, since {why}: the observed time is taken"));
    }
    ratio.map(|(before, after)| after / before)
}

/// Nanoseconds of a range in which a source was recorded.
fn observed_in(recording: &Recording, source: &str, range: &Filter) -> i64 {
    let Some(source) = recording.strings.find(source) else { return 0 };
    let coverage = &recording.coverage;
    let spans = coverage.source.iter().zip(coverage.from_ns.iter().zip(&coverage.to_ns));
    let (from, to) = (range.from_ns.unwrap_or(i64::MIN), range.to_ns.unwrap_or(i64::MAX));
    let part = |(begin, end): (i64, i64)| end.min(to).saturating_sub(begin.max(from)).max(0);
    let spans = spans.filter(|(of, _)| **of == source).map(|(_, (begin, end))| part((*begin, *end)));
    spans.fold(0, i64::saturating_add)
}

fn group(text: Option<&str>, problems: &mut Vec<String>) -> GroupBy {
    match text {
        None | Some("method") => GroupBy::Method,
        Some("type") => GroupBy::Type,
        Some("namespace") => GroupBy::Namespace,
        Some("module") => GroupBy::Module,
        Some(patterns) => {
            let mut groups = Vec::new();
            for part in patterns.split(';').map(str::trim).filter(|part| !part.is_empty()).take(MOST_GROUPS) {
                let (from, to) = part.split_once("->").unwrap_or((part, "$0"));
                match pattern(from.trim()) {
                    Ok(pattern) => groups.push((pattern, to.trim().to_owned())),
                    Err(error) => problems.push(format!("the group `{part}` is left out: {error}")),
                }
            }
            GroupBy::Patterns(groups)
        }
    }
}

/// The threads of a number, or of a kind: `pool`, `gc` …
fn threads(recording: &Recording, text: Option<&str>, problems: &mut Vec<String>) -> Vec<i64> {
    let Some(text) = text else { return Vec::new() };
    if let Ok(number) = text.parse() {
        return vec![number];
    }
    let of_kind = recording.strings.find(text).map(|kind| {
        let threads = recording.threads.thread.iter().zip(&recording.threads.kind);
        threads.filter(|(_, of)| **of == kind).map(|(thread, _)| *thread).collect::<Vec<_>>()
    });
    let threads = of_kind.unwrap_or_default();
    if threads.is_empty() {
        problems.push(format!("there is no thread `{text}`: all threads are shown"));
    }
    threads
}
