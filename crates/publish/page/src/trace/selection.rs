//! Which stacks an address asks for: metric, rows, shape and direction.

use super::explained::{Explained, ShapeKey};
use super::pages::TracePages;
use base::number::real;
use model::{ByKind, Sym, Trace};
use regex::Regex;
use report::{Finding, SampleGroup};
use rustc_hash::FxHashSet;
use stacks::{
    Direction, Filter, GroupBy, Metric, SampleSet, Shaping, ViewOptions, Weighed, WeightedTree, pattern,
    weigh,
};
use std::sync::Arc;
use views::Params;

/// The parameters that shape the tree: the key of kept shapes.
const SHAPING: [&str; 5] = ["group", "groups", "my", "fold", PLUMBING];
/// The parameter that shows async plumbing, which is folded otherwise.
pub(super) const PLUMBING: &str = "plumbing";
/// The parameter that takes in the samples of idle threads, which are left out otherwise.
pub(super) const IDLE: &str = "idle";
/// The most groups of patterns; further ones are left out.
const MAX_GROUPS: usize = 20;
/// The longest name of a group in bytes. The limit matters because each `$0` in it may become a long name.
const LONGEST_REPLACEMENT: usize = 200;
/// The most nodes of a picture.
const MAX_NODES: usize = 20_000;

/// Which filters apply to a metric.
struct Applies {
    on: bool,
    class: bool,
}

impl Applies {
    fn to(metric: &Metric) -> Self {
        let typed = [Metric::AllocatedBytes, Metric::Allocations, Metric::Exceptions];
        Self { on: metric.is_of_samples(), class: typed.contains(metric) }
    }
}

/// What is asked for, and what could not be understood.
#[derive(Debug)]
pub(crate) struct Selection {
    pub(crate) metric: Metric,
    pub(crate) filter: Filter,
    pub(crate) shaping: Shaping,
    key: ShapeKey,
    /// The kind of threads that is asked for. `None` if all are, or one thread by its number.
    kind: Option<String>,
    pub(crate) view: ViewOptions,
    /// The factor for the other recording's weights, if amounts are per request.
    per_request: Option<f64>,
    /// The finding whose samples are asked for.
    finding: Option<String>,
    /// Whether the other recording is ignored.
    alone: bool,
    pub(crate) problems: Vec<String>,
}

/// The stacks that a selection asks for.
#[derive(Debug)]
pub(crate) struct Selected {
    pub(crate) profile: WeightedTree,
    /// The factor for the other recording's weights. `None` without a comparison or a common measure of time.
    pub(crate) scale: Option<f64>,
    /// How many frames of async plumbing are folded.
    pub(crate) folded: usize,
    /// `folded` of the other recording. `None` without a comparison.
    pub(crate) folded_against: Option<usize>,
    /// How many samples of idle threads of this recording are left out.
    pub(crate) idle: u64,
    /// `idle` of the other recording. `None` without a comparison.
    pub(crate) idle_against: Option<u64>,
}

impl Selection {
    /// Reads the parameters. `None` if the recording has no stacks at all.
    pub(crate) fn of(pages: &TracePages, params: &Params) -> Option<Self> {
        let here = &pages.here;
        let first = &here.offers.first()?.metric;
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
        let patterns = [("include", &include), ("exclude", &exclude), ("fold", &fold)];
        problems.extend(
            patterns.into_iter().filter_map(|(name, pattern)| without_match(pages, name, pattern.as_ref())),
        );
        let group = match params.get("groups") {
            Some(patterns) => groups(&here.recording, patterns, &mut problems),
            None => group(params.get("group"), &mut problems),
        };
        let rows = rows_of(here, params.get("finding"), &metric, &mut problems);
        let filter = Filter {
            from_ns: params.range().0,
            to_ns: params.range().1,
            threads: threads(&here.recording, params.get("thread"), &mut problems),
            waiting_on: params.get("on").map(str::to_owned),
            class: params.get("class").map(str::to_owned),
            samples: rows.samples,
            times: rows.times,
            idle: leaves_out_idle(params, &metric).then(|| here.idle().clone()),
            handlers: Some(Arc::clone(&here.handlers)),
            include,
            exclude,
        };
        let folds_plumbing = !shows_plumbing(params) && !is_of_plumbing(pages, params.get("method"));
        let key = SHAPING.map(|name| match name {
            PLUMBING => folds_plumbing.to_string(),
            name => params.get(name).unwrap_or_default().to_owned(),
        });
        let kind = params.get("thread").filter(|text| text.parse::<i64>().is_err()).map(str::to_owned);
        let kind = kind.filter(|_| !filter.threads.is_empty());
        let applies = Applies::to(&metric);
        for (name, value, does) in
            [("on", &filter.waiting_on, applies.on), ("class", &filter.class, applies.class)]
        {
            if value.is_some() && !does {
                problems.push(format!("`{name}` does not apply to {}: all of it is shown", metric.title()));
            }
        }
        if pages.against.is_some() && kind.is_none() && !filter.threads.is_empty() {
            problems.push(
                "a thread's number means nothing in the other recording: this one is shown alone".to_owned(),
            );
        }
        let view = ViewOptions {
            direction: if params.get("up").is_some() { Direction::Up } else { Direction::Down },
            method: params.get("method").map(str::to_owned),
            zoom: params.get("root").map(str::to_owned),
            least_share: 0.0005,
            most_nodes: MAX_NODES,
        };
        let per_request = per_request(pages, params, &mut problems);
        let shaping = Shaping { group, my_code: params.get("my").is_some(), fold, folds_plumbing };
        let is_narrowed = filter.samples.is_some() || filter.times.is_some();
        let finding = params.get("finding").filter(|_| is_narrowed).map(str::to_owned);
        let lacks =
            |other: &Explained| finding.as_deref().is_some_and(|id| finding_on(other, id, &metric).is_none());
        let is_theirs_missing = pages.against.as_ref().is_some_and(lacks);
        if is_theirs_missing {
            // Its rows may be there, too few for a finding: compared with none of them, all would look new.
            problems.push("the other recording has no such finding: this one is shown alone".to_owned());
        }
        let not_compared = not_compared(pages, &metric);
        let alone = is_theirs_missing || not_compared.is_some() || params.get("alone").is_some();
        problems.extend(not_compared);
        Some(Self { metric, filter, shaping, key, kind, view, per_request, finding, alone, problems })
    }

    /// The requested stacks with their weights, and in a comparison those of the other recording too.
    pub(crate) fn selected(&self, pages: &TracePages) -> Selected {
        let here = &pages.here;
        let shape = here.shape(&self.key, &self.shaping);
        let weighed = weigh(&here.recording, &self.metric, &self.filter);
        let folded = shape.folded(&here.recording, &weighed);
        let idle = weighed.idle;
        // A thread's number means something in one recording only.
        let comparable = !self.alone && (self.filter.threads.is_empty() || self.kind.is_some());
        let Some(other) = pages.against.as_ref().filter(|_| comparable) else {
            let profile = WeightedTree::new(shape, &weighed);
            return Selected { profile, scale: None, folded, folded_against: None, idle, idle_against: None };
        };
        let other_weighed = match self.kind.as_deref().map(|kind| of_kind(&other.recording, kind)) {
            // To a filter, an empty list means all threads.
            Some(threads) if threads.is_empty() => nothing(&other.recording),
            threads => {
                // The range belongs to this recording; the other one is taken whole.
                let threads = threads.unwrap_or_default();
                let theirs = self.finding.as_deref().and_then(|id| finding_on(other, id, &self.metric));
                let rows = theirs.map_or_else(RowsOf::default, |finding| RowsOf::new(finding, &self.metric));
                let RowsOf { samples, times } = rows;
                let idle = self.filter.idle.as_ref().map(|_| other.idle().clone());
                let filter = Filter {
                    from_ns: None,
                    to_ns: None,
                    threads,
                    samples,
                    times,
                    idle,
                    handlers: Some(Arc::clone(&other.handlers)),
                    ..self.filter.clone()
                };
                weigh(&other.recording, &self.metric, &filter)
            }
        };
        let scale = self.scale(here, other);
        let other_shape = other.shape(&self.key, &self.shaping);
        let idle_against = Some(other_weighed.idle);
        let folded_against = Some(other_shape.folded(&other.recording, &other_weighed));
        let other = (&*other_shape, &other_weighed);
        let profile = WeightedTree::compared(&shape, &weighed, other, scale.unwrap_or(1.0));
        Selected { profile, scale, folded, folded_against, idle, idle_against }
    }

    /// The factor for the other recording's weights: the ratio of the observed times or, per request, of the requests
    /// in them, and of samples also that of the time for which one stands.
    fn scale(&self, here: &Explained, other: &Explained) -> Option<f64> {
        // A range without an end is open there.
        let (from, to) = (self.filter.from_ns.unwrap_or(i64::MIN), self.filter.to_ns.unwrap_or(i64::MAX));
        let source = |recording: &Trace| source_of(recording, &self.metric);
        // A sampler that looks more often takes more samples of the same work.
        let of_samples = |of: &Explained| if self.metric.is_of_samples() { of.sample_ns } else { Some(1.0) };
        let sampling = of_samples(other)? / of_samples(here)?;
        let here_ns = here.recording.observed_within(source(&here.recording), from, to)?;
        let other_ns = other.recording.observed_ns(source(&other.recording))?;
        Some(real(here_ns) / real(other_ns) * sampling * self.per_request.unwrap_or(1.0))
    }

    /// Whether amounts are per request.
    pub(crate) fn is_per_request(&self) -> bool {
        self.per_request.is_some()
    }
}

/// Whether samples of idle threads are left out: those of threads that wait hide the others. Whoever asks for a finding, a
/// thread, a method, a pattern or a kind of wait gets all of it.
fn leaves_out_idle(params: &Params, metric: &Metric) -> bool {
    let narrows =
        ["finding", "thread", "method", "on", "include"].iter().any(|name| params.get(name).is_some());
    matches!(metric, Metric::Waiting | Metric::Wall) && !narrows && !takes_idle(params)
}

/// That a pattern matches no frame.
fn without_match(pages: &TracePages, name: &str, pattern: Option<&Regex>) -> Option<String> {
    let is_without = pattern.is_some_and(|pattern| !pages.have_frame(pattern));
    is_without.then(|| format!("no frame has a name that matches the pattern of `{name}`"))
}

/// Why a metric of samples is not compared with the other recording.
fn not_compared(pages: &TracePages, metric: &Metric) -> Option<String> {
    let why = pages.diff.as_ref().filter(|_| metric.is_of_samples())?.why_no_samples()?;
    Some(format!("samples are not compared, because {why}: this recording is shown alone"))
}

/// Whether the reader asked for frames of async plumbing.
pub(super) fn shows_plumbing(params: &Params) -> bool {
    params.get(PLUMBING) == Some("1")
}

/// Whether the reader asked for the samples of idle threads.
pub(super) fn takes_idle(params: &Params) -> bool {
    params.get(IDLE) == Some("1")
}

/// Exactly the rows of a metric that a finding rests on.
#[derive(Debug, Clone, Default)]
struct RowsOf {
    samples: Option<Arc<SampleSet>>,
    times: Option<Arc<FxHashSet<i64>>>,
}

impl RowsOf {
    fn new(finding: &Finding, metric: &Metric) -> Self {
        if metric.is_of_samples() {
            return Self { samples: Some(Arc::new(SampleSet::new(finding.samples()))), times: None };
        }
        let rows = finding.evidence.iter().filter(|rows| rows.table == metric.table());
        let times = rows.flat_map(|rows| &rows.times).copied().collect();
        Self { samples: None, times: Some(Arc::new(times)) }
    }
}

/// The stacks of the service's own code that a finding of a recording counts, without async plumbing.
pub(super) fn my_stacks_of(of: &Explained, finding: &Finding, metric: &Metric) -> WeightedTree {
    let shaping = Shaping { group: GroupBy::Method, my_code: true, fold: None, folds_plumbing: true };
    let key = SHAPING.map(|name| match name {
        "my" => "1".to_owned(),
        PLUMBING => true.to_string(),
        _ => String::new(),
    });
    let RowsOf { samples, times } = RowsOf::new(finding, metric);
    let weighed = weigh(&of.recording, metric, &Filter { samples, times, ..Filter::default() });
    WeightedTree::new(of.shape(&key, &shaping), &weighed)
}

/// The finding with an id. `None` if there is none, or if it rests on no rows of the metric's table.
fn finding_on<'a>(of: &'a Explained, id: &str, metric: &Metric) -> Option<&'a Finding> {
    let mut findings = of.explanation.report.findings.iter();
    findings.find(|finding| finding.id == id && rests_on(finding, metric))
}

/// Whether a finding rests on rows that a metric sums up.
pub(super) fn rests_on(finding: &Finding, metric: &Metric) -> bool {
    let mut of_table = finding.evidence.iter().filter(|rows| rows.table == metric.table());
    // A finding on waiting threads has nothing to say about running ones.
    let is_in_state = |group: &SampleGroup| *metric == Metric::Wall || group.state == metric.name();
    of_table.any(|rows| rows.samples.iter().any(is_in_state) || !rows.times.is_empty())
}

/// The rows that an address asks for by a finding.
fn rows_of(here: &Explained, id: Option<&str>, metric: &Metric, problems: &mut Vec<String>) -> RowsOf {
    let Some(id) = id else { return RowsOf::default() };
    let Some(finding) = finding_on(here, id, metric) else {
        problems.push(format!("no finding `{id}` rests on {}: all of it is shown", metric.title()));
        return RowsOf::default();
    };
    RowsOf::new(finding, metric)
}

/// Whether a method is async plumbing in either recording. Folded, it would have neither callers nor callees.
fn is_of_plumbing(pages: &TracePages, method: Option<&str>) -> bool {
    let is_plumbing = |of: &Explained| {
        let name = of.recording.strings.find(method?)?;
        let frame = of.recording.frames.name.find(|of| *of == name)?;
        of.index.plumbing(frame)
    };
    is_plumbing(&pages.here).or_else(|| is_plumbing(pages.against.as_ref()?)).is_some()
}

/// The source that says when a metric's rows were observed: `samples` if they came in bursts, together with samples.
fn source_of(recording: &Trace, metric: &Metric) -> &'static str {
    if metric.is_of_samples() {
        return "samples";
    }
    let in_bursts = |times: &[i64]| !times.is_empty() && recording.came_in_bursts(times.iter().copied());
    let bursts = match metric {
        Metric::AllocatedBytes | Metric::Allocations => in_bursts(&recording.allocations.ts_ns),
        Metric::ContentionTime | Metric::Contentions => in_bursts(&recording.contention.ts_ns),
        Metric::WaitTime => in_bursts(&recording.waits.ts_ns),
        Metric::Exceptions => in_bursts(&recording.exceptions.ts_ns),
        Metric::JitTime => in_bursts(&recording.jit.ts_ns),
        Metric::Collections | Metric::GcPause => in_bursts(&recording.gc.start_ns),
        Metric::Event(provider, name) => in_bursts(&times_of(recording, provider, name)),
        _ => false,
    };
    if bursts { "samples" } else { "events" }
}

/// The times of all events with a name.
fn times_of(recording: &Trace, provider: &str, name: &str) -> Vec<i64> {
    let events = &recording.events;
    let kinds = events.kind_provider.iter().zip(&events.kind_name);
    let is = |(by, of): (&Sym, &Sym)| {
        recording.strings.text(*by) == provider && recording.strings.text(*of) == name
    };
    let wanted: ByKind<bool> = kinds.map(is).collect();
    let rows = events.kind.iter().zip(&events.ts_ns);
    rows.filter(|(kind, _)| wanted.get(**kind) == Some(&true)).map(|(_, ts_ns)| *ts_ns).collect()
}

/// The ratio of the request rates of two recordings, if they are compared per request.
fn per_request(pages: &TracePages, params: &Params, problems: &mut Vec<String>) -> Option<f64> {
    let diff = pages.diff.as_ref().filter(|_| params.get("per") == Some("request"))?;
    let is_part = params.range() != (None, None);
    let requests = diff.requests.filter(|(before, after)| *before > 0.0 && *after > 0.0 && !is_part);
    let (before_ns, after_ns) = diff.observed_ns;
    let rates = requests.filter(|_| before_ns > 0 && after_ns > 0);
    if rates.is_none() {
        let why = if is_part {
            "only whole recordings are compared per request"
        } else {
            "not both recordings have requests"
        };
        problems.push(format!("amounts are per second, because {why}"));
    }
    rates.map(|(before, after)| (after / real(after_ns)) / (before / real(before_ns)))
}

fn group(text: Option<&str>, problems: &mut Vec<String>) -> GroupBy {
    match text {
        None | Some("method") => GroupBy::Method,
        Some("type") => GroupBy::Type,
        Some("namespace") => GroupBy::Namespace,
        Some("module") => GroupBy::Module,
        Some(other) => {
            problems.push(format!("there is no grouping `{other}`: methods are shown"));
            GroupBy::Method
        }
    }
}

/// Groups by patterns: `PATTERN -> NAME; …`.
fn groups(recording: &Trace, patterns: &str, problems: &mut Vec<String>) -> GroupBy {
    let parts = || patterns.split(';').map(str::trim).filter(|part| !part.is_empty());
    let more = parts().count().saturating_sub(MAX_GROUPS);
    if more > 0 {
        problems.push(format!("{more} groups after the first {MAX_GROUPS} are left out"));
    }
    let mut groups = Vec::new();
    for part in parts().take(MAX_GROUPS) {
        let (from, to) = part.split_once("->").unwrap_or((part, "$0"));
        let (from, to) = (from.trim(), to.trim());
        match pattern(from) {
            Err(error) => problems.push(format!("the group `{part}` is left out: {error}")),
            Ok(_) if to.is_empty() => {
                problems.push(format!("the group of `{from}` is left out: it has no name"));
            }
            Ok(_) if to.len() > LONGEST_REPLACEMENT => {
                problems.push(format!("the group of `{from}` is left out: its name is too long"));
            }
            Ok(pattern) => {
                let names = recording.frames.name.iter();
                if !names.clone().any(|name| pattern.is_match(recording.strings.text(*name))) {
                    problems.push(format!("no method matches the pattern `{from}` of a group"));
                }
                groups.push((pattern, to.to_owned()));
            }
        }
    }
    GroupBy::Patterns(groups)
}

/// The weights of no row at all.
fn nothing(recording: &Trace) -> Weighed {
    Weighed {
        own: vec![0.0; recording.stacks.len()].into(),
        stackless: 0.0,
        total: 0.0,
        rows: 0,
        unweighed: 0,
        idle: 0,
    }
}

/// The threads of a kind: `pool`, `gc` …
fn of_kind(recording: &Trace, kind: &str) -> Vec<i64> {
    let Some(kind) = recording.strings.find(kind) else { return Vec::new() };
    let threads = recording.threads.thread.iter().zip(&recording.threads.kind);
    threads.filter(|(_, of)| **of == kind).map(|(thread, _)| *thread).collect()
}

/// The thread with a number, or the threads of a kind. Empty for all threads.
fn threads(recording: &Trace, text: Option<&str>, problems: &mut Vec<String>) -> Vec<i64> {
    let Some(text) = text else { return Vec::new() };
    if let Ok(number) = text.parse() {
        if recording.thread_ids.find(|id| *id == number).is_none() {
            problems.push(format!("the recording has no thread {number}"));
        }
        return vec![number];
    }
    let threads = of_kind(recording, text);
    if threads.is_empty() {
        problems.push(format!("there is no thread `{text}`: all threads are shown"));
    }
    threads
}
