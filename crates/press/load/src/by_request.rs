//! What became of requests as JSON: of all, of each request of a scenario, and of its flows.

use crate::figures::Percentiles;
use crate::plan::Plan;
use crate::record::Counts;
use crate::run::Run;
use crate::scenario::Scenario;
use serde_json::{Map, Value, json};

/// The members of a run's document that only a scenario has.
pub(crate) fn members(plan: &Plan, scenario: &Scenario, run: &Run) -> [(&'static str, Value); 6] {
    let counts = &run.counts;
    [
        ("seed", json!(scenario.seed())),
        ("failed_checks", json!(counts.failed_checks)),
        ("failed_responses", json!(counts.failed_responses())),
        ("unsent_because", because(counts.unsent, counts.skipped, counts.refused)),
        ("requests", requests(plan, scenario, run)),
        ("flows", flows(scenario, run)),
    ]
}

/// Why requests were never sent.
fn because(unsent: u64, skipped: u64, refused: u64) -> Value {
    json!({"no-connection": unsent - skipped - refused, "earlier-request": skipped, "value": refused})
}

fn requests(plan: &Plan, scenario: &Scenario, run: &Run) -> Value {
    let of = scenario.requests().zip(&run.tally.requests).map(|(request, tally)| {
        let counts = &tally.counts;
        let failed = request.checks().zip(&tally.failed).filter(|(_, count)| **count > 0);
        let failed: Map<String, Value> = failed.map(|(name, count)| (name.to_owned(), json!(count))).collect();
        let schedule = if plan.is_open() { Percentiles::of(&tally.schedule) } else { Percentiles::default() };
        json!({
            "name": request.name(),
            "planned": tally.planned(),
            "sent": counts.sent,
            "responses": counts.responses,
            "errors": errors(counts),
            "timeouts": counts.timeouts,
            "unsent": counts.unsent,
            "status": statuses(counts),
            "failed_checks": failed,
            "latency_ms": {"from_schedule": percentiles(schedule), "from_send": percentiles(Percentiles::of(&tally.send))},
        })
    });
    of.collect()
}

/// How often flows were planned and completed. Empty if there are only single requests.
fn flows(scenario: &Scenario, run: &Run) -> Value {
    let flows = scenario.flows().zip(&run.tally.flows);
    let named = flows.filter_map(|(name, tally)| Some((name?, tally)));
    named.map(|(name, of)| json!({"name": name, "planned": of.planned, "completed": of.completed})).collect()
}

/// Requests without a response, by kind.
pub(crate) fn errors(counts: &Counts) -> Value {
    let errors = counts.errors().map(|(of, count)| (of.name().to_owned(), json!(count)));
    Value::Object(errors.collect())
}

/// Responses by status.
pub(crate) fn statuses(counts: &Counts) -> Value {
    let mut statuses = counts.statuses.clone();
    statuses.sort_unstable();
    Value::Object(statuses.into_iter().map(|(of, count)| (of.to_string(), json!(count))).collect())
}

/// Percentiles in milliseconds, by name.
pub(crate) fn percentiles(of: Percentiles) -> Value {
    of.named().into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect::<Map<_, _>>().into()
}
