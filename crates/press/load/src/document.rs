//! A run as a JSON document: what `load --format json` prints, and `run.json` of an exhibit.

use crate::by_request::{self, errors, percentiles, statuses};
use crate::figures::Figures;
use crate::plan::{Drive, Plan, Protocol};
use crate::run::Run;
use crate::schedule::Schedule;
use crate::second::Second;
use crate::slo::{Objective, Verdict};
use crate::steady::{Shift, Steadiness};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The version of the document.
const VERSION: u32 = 1;

/// The document of a run. `warmup` is that of the run before it, if there was one.
pub fn document(
    plan: &Plan,
    run: &Run,
    warmup: Option<(&Plan, &Run)>,
    slo: &[(&Objective, Verdict)],
) -> Value {
    let figures = Figures::of(plan, run);
    // By its first member a reader knows the document.
    let mut document = Map::from_iter([("casebook_load".to_owned(), json!(VERSION))]);
    document.extend(counts(run));
    let mut add = |name: &str, value: Value| drop(document.insert(name.to_owned(), value));
    let generator = figures.generator;
    add(
        "rate",
        json!({"asked": figures.asked_rate, "sent": figures.sent_rate, "answered": figures.answered_rate}),
    );
    add(
        "latency_ms",
        json!({
            "from_schedule": percentiles(figures.from_schedule.unwrap_or_default()),
            "from_send": percentiles(figures.from_send),
        }),
    );
    add("seconds", json!(run.due_seconds));
    add("wall_seconds", json!(run.wall_seconds));
    add(
        "client",
        json!({
            "cpu_share": generator.cpu_share,
            "lateness_ms_p50": generator.lateness_ms_p50,
            "lateness_ms_p99": generator.lateness_ms_p99,
            "lateness_ms_max": generator.lateness_ms_max,
            "stopped_ms": generator.stopped_ms,
            "limited": generator.is_limited,
        }),
    );
    add("url", json!(plan.target.url()));
    // Each request of a scenario has its own.
    add("method", json!(plan.scenario.is_none().then_some(&plan.method)));
    add("start_utc", json!(Timestamp::try_from(run.start).map(|at| at.to_string()).ok()));
    add("start_monotonic_ns", json!(run.start_monotonic_ns));
    add("schedule", drive(&plan.drive));
    add("worker", worker(&plan.drive));
    add("http", json!(if matches!(plan.protocol, Protocol::Http1) { "1.1" } else { "2" }));
    add("connections", json!(plan.connections));
    add("streams", json!(plan.protocol.streams()));
    add("connections_at_start", json!(run.connections));
    add("connections_opened", json!(run.counts.connections));
    add("threads", json!(plan.threads));
    add("timeout_ms", json!(plan.timeout.as_secs_f64() * 1e3));
    add("bytes_received", json!(run.counts.bytes));
    add("tls_error", json!(run.tls_error));
    add("ended", json!(run.ended()));
    let abort = run.abort.as_ref().map(|of| {
        json!({"reason": of.reason.name(), "objective": of.reason.objective(), "why": of.reason.words(), "at_s": of.at_s})
    });
    add("abort", json!(abort));
    let of_warmup = warmup.map(|(plan, run)| {
        let mut of = counts(run);
        of.insert("seconds".to_owned(), json!(plan.duration.as_secs_f64()));
        of
    });
    add("warmup", json!(of_warmup));
    add("steady", steady(&Steadiness::of(run)));
    add("slo", slo.iter().map(objective).collect());
    for (name, value) in plan.scenario.iter().flat_map(|of| by_request::members(plan, of, run)) {
        add(name, value);
    }
    add("by_second", by_second(&run.seconds));
    Value::Object(document)
}

/// What became of the planned requests.
fn counts(run: &Run) -> Map<String, Value> {
    let members = [
        ("planned", json!(run.planned)),
        ("sent", json!(run.counts.sent)),
        ("responses", json!(run.counts.responses)),
        ("errors", errors(&run.counts)),
        ("timeouts", json!(run.counts.timeouts)),
        ("unsent", json!(run.counts.unsent)),
        ("status", statuses(&run.counts)),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn objective((of, verdict): &(&Objective, Verdict)) -> Value {
    let (name, value) = match verdict {
        Verdict::Met(value) => ("met", Some(value)),
        Verdict::Missed(value) => ("missed", Some(value)),
        Verdict::TooFew => ("too few requests", None),
    };
    json!({"objective": of.text(), "verdict": name, "value": value, "unit": of.unit()})
}

fn steady(of: &Steadiness) -> Value {
    let change = |of: &Shift| json!({"ts_ns": of.ts_ns, "metric": of.metric, "before_ms": of.before_ms, "after_ms": of.after_ms});
    json!({"verdict": of.name(), "changes": of.changes().iter().map(change).collect::<Vec<_>>()})
}

fn drive(of: &Drive) -> Value {
    match of {
        Drive::Schedule(of) => schedule(of),
        Drive::Users { users, think } => {
            json!({"kind": "closed", "users": users, "think_ms": think.as_secs_f64() * 1e3})
        }
        Drive::Max => json!({"kind": "max"}),
    }
}

/// A schedule. Of a part it is the whole one: which part stands beside it.
fn schedule(of: &Schedule) -> Value {
    match of {
        Schedule::Constant { rate } => json!({"kind": "constant", "rate": rate}),
        Schedule::Steps { rates } => json!({"kind": "steps", "rates": rates}),
        Schedule::Ramp { from, to } => json!({"kind": "ramp", "from": from, "to": to}),
        Schedule::Poisson { rate, seed } => json!({"kind": "poisson", "rate": rate, "seed": seed}),
        Schedule::Replay { times_ns } => json!({"kind": "replay", "arrivals": times_ns.len()}),
        Schedule::Part { of, .. } => schedule(of),
    }
}

fn worker(of: &Drive) -> Value {
    match of {
        Drive::Schedule(Schedule::Part { number, parts, .. }) => json!({"number": number, "of": parts}),
        Drive::Schedule(_) | Drive::Users { .. } | Drive::Max => Value::Null,
    }
}

fn by_second(seconds: &[Second]) -> Value {
    let row = |of: &Second| {
        json!([
            of.ts_ns,
            of.dur_ns,
            of.asked,
            of.counts.sent,
            of.counts.responses,
            of.counts.failed(),
            of.counts.timeouts,
            of.counts.lateness_max_ns
        ])
    };
    json!({
        "columns": ["ts_ns", "dur_ns", "asked", "sent", "answered", "errors", "timeouts", "lateness_max_ns"],
        "rows": seconds.iter().map(row).collect::<Vec<_>>(),
    })
}
