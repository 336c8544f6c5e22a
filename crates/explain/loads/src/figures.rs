//! The figures of a run, in parts: how requests ended, how long they took, how the generator did.

use crate::facts::Facts;
use base::number::real;
use model::{NO_INT, SCHEDULE, SEND};
use report::{List, ListColumn, Part, Row, Series};

const LATENCIES: &[ListColumn] =
    &[ListColumn { name: "from the schedule", unit: "ms" }, ListColumn { name: "from the send", unit: "ms" }];

const BY_REQUEST: &[ListColumn] = &[
    ListColumn { name: "planned", unit: "" },
    ListColumn { name: "answered", unit: "" },
    ListColumn { name: "failed", unit: "" },
    ListColumn { name: "never sent", unit: "" },
    ListColumn { name: "failed checks", unit: "" },
    ListColumn { name: "p50", unit: "ms" },
    ListColumn { name: "p99", unit: "ms" },
];

const COUNTED: &[ListColumn] = &[ListColumn { name: "requests", unit: "" }];

/// Every part, in the order in which readers want them.
pub(crate) fn parts(facts: &Facts<'_>) -> Vec<Part> {
    vec![answers(facts), latency(facts), generator(facts)]
}

fn answers(facts: &Facts<'_>) -> Part {
    let mut part = Part::new("answers");
    let mut figure = |name, metric, unit, about| part.figure(name, facts.metric(metric), unit, about);
    figure("rate.asked", "rate.asked", "1/s", "Requests asked for");
    figure("rate.answered", "rate.answered", "1/s", "Responses");
    figure("planned", "planned", "", "Planned requests");
    figure("responses", "responses", "", "Responses in all");
    figure("errors", "errors", "", "Requests without a response, time-outs left out");
    figure("timeouts", "timeouts", "", "Requests that timed out");
    figure("unsent", "unsent", "", "Requests that were never sent");
    figure("failed_checks", "failed_checks", "", "Responses that failed a check of the scenario");
    figure(
        "error_share",
        "error_share",
        "share",
        "Planned requests that failed, timed out, were never sent, or whose response failed a check",
    );
    let values = facts.seconds.iter().map(|of| of.answered).collect();
    part.series.push(Series { name: "answered", unit: "", about: "Responses by second", values });
    let of = &facts.load.failures;
    let failures = (0..of.count.len()).filter_map(|at| of.row(at)).map(|row| (row.what, row.count));
    let of = &facts.load.statuses;
    let statuses = (0..of.count.len()).filter_map(|at| of.row(at)).map(|row| (row.what, row.count));
    for (name, about, rows) in [
        ("statuses", "Responses by status", statuses.collect::<Vec<_>>()),
        ("failures", "Requests without a response, by kind", failures.collect()),
    ] {
        let rows = rows.into_iter().map(|(what, count)| Row {
            name: facts.load.strings.text(what).to_owned(),
            values: vec![Some(real(count))],
        });
        part.lists.push(List::ranked(name, about, COUNTED, rows.collect()));
    }
    part.lists.push(by_request(facts));
    part
}

/// The requests of a scenario, in its order.
fn by_request(facts: &Facts<'_>) -> List {
    let of = &facts.load.by_request;
    let counts = |value: i64| (value != NO_INT).then(|| real(value));
    let rows = (0..of.number.len()).filter_map(|at| of.row(at)).map(|row| Row {
        name: facts.load.strings.text(row.name).to_owned(),
        values: vec![
            counts(row.planned),
            counts(row.responses),
            counts(row.errors.saturating_add(row.timeouts.max(0))),
            counts(row.unsent),
            counts(row.failed_checks),
            Some(row.p50_ms).filter(|ms| ms.is_finite()),
            Some(row.p99_ms).filter(|ms| ms.is_finite()),
        ],
    });
    let about = "Requests of the scenario; failed are those without a response, time-outs among them";
    List { name: "by-request", about, columns: BY_REQUEST, rows: rows.collect(), more: 0 }
}

fn latency(facts: &Facts<'_>) -> Part {
    let mut part = Part::new("latency");
    for (name, quantile, about) in [
        ("p50", 0.5, "Latency, p50"),
        ("p90", 0.9, "Latency, p90"),
        ("p95", 0.95, "Latency, p95"),
        ("p99", 0.99, "Latency, p99"),
        ("p999", 0.999, "Latency, p99.9"),
        ("max", 1.0, "Latency, max"),
    ] {
        part.figure(name, facts.quantile(quantile), "ms", about);
    }
    let values = facts.intervals.iter().map(|of| of.quantile(0.99)).collect();
    part.series.push(Series { name: "p99", unit: "ms", about: "p99 by interval", values });
    let mut quantiles = facts.load.latency.quantile.clone();
    quantiles.sort_by(f64::total_cmp);
    quantiles.dedup();
    let rows = quantiles.into_iter().map(|quantile| Row {
        name: name_of(quantile),
        values: [SCHEDULE, SEND].map(|basis| facts.load.quantile(basis, quantile)).into(),
    });
    let about = "Latency by percentile: from when a request was due, and from when it was sent";
    part.lists.push(List { name: "percentiles", about, columns: LATENCIES, rows: rows.collect(), more: 0 });
    if facts.intervals.is_empty() {
        part.missing.push("The run has no latency log (latency.hlog), so there is no latency over time");
    }
    if facts.basis != Some(SCHEDULE) {
        part.missing.push(
            "There is no latency from the schedule: without one, a service that stops answering is asked less meanwhile, and the \
             percentiles are too good (coordinated omission)",
        );
    }
    part
}

/// A quantile as people say it: `p99.9`.
fn name_of(quantile: f64) -> String {
    match quantile {
        least if least <= 0.0 => "min".to_owned(),
        most if most >= 1.0 => "max".to_owned(),
        other => {
            // More digits would show that 0.999 is not a sum of powers of two.
            let text = format!("{:.4}", other * 100.0);
            format!("p{}", text.trim_end_matches('0').trim_end_matches('.'))
        }
    }
}

fn generator(facts: &Facts<'_>) -> Part {
    let mut part = Part::new("generator");
    let mut figure = |name, metric, unit, about| part.figure(name, facts.metric(metric), unit, about);
    figure("lateness.p50", "client.lateness_ms_p50", "ms", "Lateness of the generator, p50");
    figure("lateness.p99", "client.lateness_ms_p99", "ms", "Lateness of the generator, p99");
    figure("lateness.max", "client.lateness_ms_max", "ms", "Lateness of the generator, max");
    figure("stopped", "client.stopped_ms", "ms", "Time that the generator was stopped");
    figure("cpu", "client.cpu_share", "share", "CPU of the generator, of one core");
    figure("connections", "connections", "", "Connections");
    figure("threads", "threads", "", "Threads");
    let values = facts.seconds.iter().map(|of| of.lateness_ms).collect();
    part.series.push(Series {
        name: "lateness",
        unit: "ms",
        about: "The generator's worst lateness by second",
        values,
    });
    if facts.metric("client.lateness_ms_p99").is_none() {
        part.missing
            .push("The run does not say how late its generator was, so a delay may be the generator's");
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_have_the_names_that_people_use() {
        let names = [0.0, 0.5, 0.995, 0.999, 0.9999, 1.0].map(name_of);
        assert_eq!(names, ["min", "p50", "p99.5", "p99.9", "p99.99", "max"]);
    }
}
