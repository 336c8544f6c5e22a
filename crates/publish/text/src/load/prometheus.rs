//! The figures of a run in the text format of Prometheus, version 0.0.4: for a Pushgateway, or a file of the node exporter.
//!
//! Units are seconds and bytes, and names are as Prometheus recommends. A histogram's sum is that of its buckets: exact to a thousandth.

use base::number::real_u64;
use hdrhistogram::Histogram;
use load::{Figures, Objective, Plan, Run, Verdict};
use std::time::SystemTime;

/// The upper ends of buckets in seconds: from 100 µs to 100 s, three for each factor of ten.
const ENDS: [&str; 19] = [
    "0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5",
    "1", "2.5", "5", "10", "25", "50", "100",
];
const QUANTILES: [(&str, f64); 5] =
    [("0.5", 0.5), ("0.9", 0.9), ("0.95", 0.95), ("0.99", 0.99), ("0.999", 0.999)];

/// The figures of a run.
pub fn prometheus(plan: &Plan, run: &Run, verdicts: &[(&Objective, Verdict)]) -> String {
    let mut out = Exposition(String::new());
    let figures = Figures::of(plan, run);
    out.family("info", "gauge", "What was loaded, and how the run ended.");
    let url = plan.target.url();
    out.sample("info", &[("url", &url), ("method", &plan.method), ("ended", run.ended())], 1.0);
    out.one("start_timestamp_seconds", "gauge", "When the run began, since 1970.", since_1970(run.start));
    out.one("duration_seconds", "gauge", "For how long requests were due.", run.due_seconds);
    out.one("planned_requests_total", "counter", "Planned requests.", real_u64(run.planned));
    out.family("requests_total", "counter", "Planned requests, by what became of each.");
    let counts = &run.counts;
    let of_outcome =
        [("response", counts.responses), ("timeout", counts.timeouts), ("unsent", counts.unsent)];
    let errors = run.errors().map(|(failure, count)| (failure.name(), count));
    for (outcome, count) in of_outcome.into_iter().chain(errors) {
        out.sample("requests_total", &[("outcome", outcome)], real_u64(count));
    }
    out.family("responses_total", "counter", "Responses, by status.");
    let mut statuses = counts.statuses.clone();
    statuses.sort_unstable();
    for (status, count) in statuses {
        out.sample("responses_total", &[("code", &status.to_string())], real_u64(count));
    }
    out.one("received_bytes_total", "counter", "Bytes of responses.", real_u64(counts.bytes));
    out.family("rate_per_second", "gauge", "Requests per second: asked for, sent, and answered.");
    let asked = figures.asked_rate.map(|rate| ("asked", rate));
    for (what, rate) in
        asked.into_iter().chain([("sent", figures.sent_rate), ("answered", figures.answered_rate)])
    {
        out.sample("rate_per_second", &[("what", what)], rate);
    }
    latencies(&mut out, plan, run);
    let of = figures.generator;
    out.one(
        "generator_cpu_ratio",
        "gauge",
        "The share of a core that the generator's busiest thread used.",
        of.cpu_share,
    );
    out.family(
        "generator_lateness_seconds",
        "gauge",
        "How late the generator sent requests that it could send, by quantile.",
    );
    let late = [("0.5", of.lateness_ms_p50), ("0.99", of.lateness_ms_p99), ("1", of.lateness_ms_max)];
    for (quantile, ms) in late.into_iter().filter_map(|(quantile, ms)| Some((quantile, ms?))) {
        out.sample("generator_lateness_seconds", &[("q", quantile)], ms / 1e3);
    }
    let stopped = "How long the generator did not run although it was due.";
    out.one("generator_stopped_seconds_total", "counter", stopped, of.stopped_ms / 1e3);
    let limited = "Whether what was measured is in part the generator.";
    out.one("generator_limited", "gauge", limited, f64::from(u8::from(of.is_limited)));
    out.family(
        "objective_met",
        "gauge",
        "Whether an objective is met; 0 too if there are too few requests to say.",
    );
    for (objective, verdict) in verdicts {
        let is_met = matches!(verdict, Verdict::Met(_));
        out.sample("objective_met", &[("objective", objective.text())], f64::from(u8::from(is_met)));
    }
    out.0
}

fn latencies(out: &mut Exposition, plan: &Plan, run: &Run) {
    let of = &run.latencies;
    let schedule = plan.planned().is_some().then_some(("schedule", &of.schedule));
    let bases = || schedule.into_iter().chain([("send", &of.send)]);
    out.family("latency_seconds", "histogram", "Latencies from when requests were due (schedule), and from when they were sent (send). Time-outs and requests that were never sent count with the time waited.");
    for (basis, histogram) in bases() {
        for end in ENDS {
            let below = up_to(histogram, end.parse().unwrap_or(f64::INFINITY));
            out.sample("latency_seconds_bucket", &[("basis", basis), ("le", end)], real_u64(below));
        }
        let all = real_u64(histogram.len());
        out.sample("latency_seconds_bucket", &[("basis", basis), ("le", "+Inf")], all);
        // The mean of nothing is not a number.
        let sum = if histogram.is_empty() { 0.0 } else { histogram.mean() * all / 1e9 };
        out.sample("latency_seconds_sum", &[("basis", basis)], sum);
        out.sample("latency_seconds_count", &[("basis", basis)], all);
    }
    out.family(
        "latency_quantile_seconds",
        "gauge",
        "Percentiles of the same, if there are enough requests for each.",
    );
    for (basis, histogram) in bases() {
        for (name, quantile) in QUANTILES {
            if let Some(ms) = load::quantile_ms(histogram, quantile) {
                out.sample("latency_quantile_seconds", &[("basis", basis), ("q", name)], ms / 1e3);
            }
        }
    }
}

/// How many latencies are at most so long.
fn up_to(histogram: &Histogram<u64>, seconds: f64) -> u64 {
    let is_below = |value: u64| real_u64(histogram.highest_equivalent(value)) / 1e9 <= seconds;
    let below = histogram.iter_recorded().take_while(|of| is_below(of.value_iterated_to()));
    below.map(|of| of.count_at_value()).sum()
}

fn since_1970(at: SystemTime) -> f64 {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// A text that grows.
struct Exposition(String);

impl Exposition {
    /// Begins a metric. Its samples follow.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.0.extend([
            "# HELP casebook_load_",
            name,
            " ",
            help,
            "\n# TYPE casebook_load_",
            name,
            " ",
            kind,
            "\n",
        ]);
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.extend(["casebook_load_", name]);
        for (at, (label, value)) in labels.iter().enumerate() {
            self.0.extend([if at == 0 { "{" } else { "," }, label, "=\"", &escaped(value), "\""]);
        }
        let end = if labels.is_empty() { "" } else { "}" };
        self.0.extend([end, " ", &value.to_string(), "\n"]);
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }
}

/// The value of a label: a backslash, a quotation mark and a line end stand with a backslash.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use load::{Counts, Drive, Latencies, Schedule, Target};
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    fn run() -> (Plan, Run) {
        let plan = Plan {
            // No method is like this: it has all that must be escaped.
            method: "G\"E\\T\n".to_owned(),
            drive: Drive::Schedule(Schedule::Constant { rate: 100.0 }),
            duration: Duration::from_secs(10),
            connections: 1,
            timeout: Duration::from_secs(10),
            ..Plan::to(Target::parse("http://127.0.0.1:1/a?b={c},d=e").unwrap())
        };
        let mut latencies = Latencies::default();
        for ms in 1..=990u64 {
            latencies.schedule.saturating_record(ms * 1_000_000);
            latencies.send.saturating_record(500_000);
        }
        let mut counts =
            Counts { sent: 995, responses: 985, timeouts: 5, unsent: 5, bytes: 77, ..Counts::default() };
        (counts.errors[1], counts.statuses) = (5, vec![(503, 5), (200, 980)]);
        let run = Run {
            start: SystemTime::UNIX_EPOCH + Duration::from_millis(1_796_058_000_123),
            planned: 1_000,
            counts,
            latencies,
            seconds: Vec::new(),
            due_seconds: 10.0,
            wall_seconds: 10.5,
            cpu_share: 0.03,
            connections: 1,
            is_interrupted: false,
            start_monotonic_ns: None,
            tls_error: None,
            tally: load::Tally::default(),
            abort: None,
            worst: None,
        };
        (plan, run)
    }

    type Labels = Vec<(String, String)>;

    fn is_name(name: &str, colon: bool) -> bool {
        let first =
            name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || colon && c == ':');
        first && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || colon && c == ':')
    }

    /// Labels, as the format describes them, and what follows.
    fn labels(text: &str) -> (Labels, &str) {
        let (mut labels, mut rest) = (Vec::new(), text);
        loop {
            let (name, value) = rest.split_once("=\"").unwrap();
            let (mut unescaped, mut chars) = (String::new(), value.char_indices());
            let end = loop {
                match chars.next().unwrap() {
                    (at, '"') => break at + 1,
                    (_, '\\') => unescaped.push(match chars.next().unwrap().1 {
                        'n' => '\n',
                        c @ ('\\' | '"') => c,
                        other => panic!("\\{other} is not an escape"),
                    }),
                    (_, c) => unescaped.push(c),
                }
            };
            assert!(is_name(name, false), "{name}");
            labels.push((name.to_owned(), unescaped));
            rest = &value[end..];
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => return (labels, rest.strip_prefix('}').unwrap()),
            }
        }
    }

    /// Reads the text by the rules of the format: each metric once, with help and type before its samples, and no sample twice.
    fn parsed(text: &str) -> BTreeMap<(String, Labels), f64> {
        assert!(text.ends_with('\n'));
        let (mut samples, mut families) = (BTreeMap::new(), BTreeSet::new());
        let (mut helped, mut current) = (String::new(), (String::new(), String::new()));
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                helped = help.split_once(' ').unwrap().0.to_owned();
                assert!(families.insert(helped.clone()), "{helped} twice");
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert!(name == helped && ["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                current = (name.to_owned(), kind.to_owned());
            } else {
                let at = line.find(['{', ' ']).unwrap();
                let (name, rest) = line.split_at(at);
                let (labels, rest) = rest.strip_prefix('{').map_or((Vec::new(), rest), labels);
                let endings: &[&str] =
                    if current.1 == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
                assert!(
                    endings.iter().any(|end| name == format!("{}{end}", current.0)),
                    "{line} in {current:?}"
                );
                let value: f64 = rest.strip_prefix(' ').unwrap().parse().unwrap();
                assert!(is_name(name, true) && value.is_finite(), "{line}");
                assert!(samples.insert((name.to_owned(), labels), value).is_none(), "{line} twice");
            }
        }
        samples
    }

    #[test]
    fn the_text_keeps_the_rules_of_its_format_and_has_the_figures() {
        let (plan, run) = run();
        let objectives: [Objective; 2] = ["p99<50ms", "errors<5%"].map(|text| text.parse().unwrap());
        let verdicts: Vec<_> = objectives.iter().map(|of| (of, of.verdict(&plan, &run))).collect();
        let samples = parsed(&prometheus(&plan, &run, &verdicts));
        let value = |name: &str, labels: &[(&str, &str)]| {
            let labels =
                labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            samples.get(&(format!("casebook_load_{name}"), labels)).copied()
        };
        let url = plan.target.url();
        assert_eq!(
            value("info", &[("url", &url), ("method", &plan.method), ("ended", "complete")]),
            Some(1.0)
        );
        let outcomes = samples.iter().filter(|((name, _), _)| name == "casebook_load_requests_total");
        assert_eq!(Some(outcomes.map(|(_, value)| value).sum::<f64>()), value("planned_requests_total", &[]));
        assert_eq!(value("requests_total", &[("outcome", "refused")]), Some(5.0));
        assert_eq!(value("responses_total", &[("code", "503")]), Some(5.0));
        for basis in ["schedule", "send"] {
            let buckets: Vec<Option<f64>> = (ENDS.iter().chain(&["+Inf"]))
                .map(|end| value("latency_seconds_bucket", &[("basis", basis), ("le", end)]))
                .collect();
            assert!(buckets.is_sorted() && buckets[0].is_some(), "{buckets:?}");
            assert_eq!(buckets.last().copied(), Some(value("latency_seconds_count", &[("basis", basis)])));
        }
        assert_eq!(value("latency_seconds_bucket", &[("basis", "schedule"), ("le", "0.1")]), Some(99.0));
        let sum = value("latency_seconds_sum", &[("basis", "schedule")]).unwrap();
        assert!((sum / (990.0 * 991.0 / 2.0 / 1e3) - 1.0).abs() < 1e-3, "{sum}");
        let p99 = value("latency_quantile_seconds", &[("basis", "schedule"), ("q", "0.99")]).unwrap();
        assert!((p99 / 0.98 - 1.0).abs() < 2e-3, "{p99}");
        assert_eq!(value("objective_met", &[("objective", "p99<50ms")]), Some(0.0));
        assert_eq!(value("objective_met", &[("objective", "errors<5%")]), Some(1.0));
        // A run without an answer has no percentile, and nothing that is not a number.
        let empty = Run { latencies: Latencies::default(), counts: Counts::default(), planned: 0, ..run };
        parsed(&prometheus(&plan, &empty, &[]));
    }

    #[test]
    fn ends_of_buckets_ascend() {
        assert!(ENDS.map(|end| end.parse::<f64>().unwrap()).is_sorted());
        assert_eq!(escaped("a\\b\"c\nd"), "a\\\\b\\\"c\\nd");
    }
}
