//! Many equal queries within one request.

use crate::facts::{Facts, count, percent, real_u64, said};
use crate::finding::{Evidence, Measured, Severity};
use crate::rule::{Found, Need, Rule, Threshold};
use model::Sym;
use runtime::{Basis, is_database, tag};
use std::collections::BTreeMap;

const EACH: Threshold = Threshold {
    name: "database commands for each request",
    value: 10.0,
    unit: "",
    source: "Rider reports from 100 equal commands on; ten already are ten times the latency of one",
};
const EQUAL: Threshold = Threshold {
    name: "share of them with the commonest text",
    value: 0.6,
    unit: "share",
    source: "a loop sends one text again and again; needs spans",
};

/// Commands in turn take no longer than their requests; from sums alone, with some room.
const MOST_OF_TIME: f64 = 1.1;

pub(super) const RULE: Rule = Rule {
    id: "db-n-plus-one",
    about: "many equal queries within one request",
    needs: &[Need::Database],
    thresholds: &[EACH, EQUAL],
    silent: "for a few commands in each request, for many different ones, and for those of work in the background",
    why: "One query fetches N rows, and a loop then sends one query for each of them: lazy loading of a navigation property, a repository \
          called in a `foreach`. Each is fast, and no single one stands out in the database's log; the request pays N times the round \
          trip, the connection's turn, the parsing of the result and its objects.",
    tries: &[
        "Fetch it with the first query: `Include`, a join, or a projection (`Select`) of just what is shown",
        "Or with one second query: `where id = any(@ids)`; Entity Framework's `AsSplitQuery` does so for collections",
        "Turn lazy loading off, so that it fails where it would load",
    ],
    verify: "Record the same load again: commands over requests, from `db.client.operation.duration` and `http.server.request.duration`.",
    causes: &[
        "slow-dependency",
        "cpu-hot-path",
        "db-pool-exhausted",
        "lock-contention",
        "high-allocation-rate",
    ],
    absorbs: &["chatty-calls"],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let (database, requests) = (facts.database?, facts.requests?);
    match database.basis {
        Basis::Rows => by_spans(facts),
        Basis::Meter => by_meters(facts, database, requests),
    }
}

/// Exact: commands of one text in one trace.
fn by_spans(facts: &Facts<'_>) -> Option<Found> {
    let spans = &facts.recording.spans;
    let mut by_trace: BTreeMap<(Sym, Sym), u64> = BTreeMap::new();
    let mut traces: BTreeMap<Sym, (u64, f64)> = BTreeMap::new();
    let mut times = Vec::new();
    for at in 0..spans.start_ns.len() {
        let (Some(row), true) = (spans.row(at), is_database(facts.recording, at)) else { continue };
        if row.trace_id == Sym::NONE {
            continue;
        }
        *by_trace.entry((row.trace_id, row.tags)).or_default() += 1;
        let trace = traces.entry(row.trace_id).or_default();
        trace.0 += 1;
        trace.1 += facts.lasted(row.dur_ns).unwrap_or(0.0) / 1e9;
        times.push(row.start_ns);
    }
    let mut commonest: BTreeMap<Sym, (u64, Sym)> = BTreeMap::new();
    for ((trace, text), number) in by_trace {
        let most = commonest.entry(trace).or_insert((0, Sym::NONE));
        if (number, text) > *most {
            *most = (number, text);
        }
    }
    // The requests that do it, weighed by their commands: a few among many are still a finding.
    let guilty: Vec<_> = commonest
        .iter()
        .filter(|(trace, (most, _))| {
            let all = traces.get(*trace).map_or(0, |of| of.0);
            real_u64(*most) >= EACH.value && real_u64(*most) >= EQUAL.value * real_u64(all)
        })
        .collect();
    let commands: u64 = guilty.iter().filter_map(|(trace, _)| traces.get(*trace)).map(|of| of.0).sum();
    let all: u64 = traces.values().map(|of| of.0).sum();
    let of_all = real_u64(commands) / real_u64(all).max(1.0);
    if guilty.is_empty() || of_all < 0.2 {
        return None;
    }
    let each = real_u64(commands) / real_u64(count(guilty.len()));
    let equal =
        guilty.iter().map(|(_, (most, _))| real_u64(*most)).sum::<f64>() / real_u64(commands).max(1.0);
    let mut texts: BTreeMap<Sym, u64> = BTreeMap::new();
    for (_, (most, text)) in &guilty {
        *texts.entry(*text).or_default() += most;
    }
    let (text, _) = texts.into_iter().max_by_key(|(text, number)| (*number, *text))?;
    let text = tag(facts.recording, text, "db.query.text")
        .or_else(|| tag(facts.recording, text, "db.statement"))
        .unwrap_or("one text");
    let text: String = text.replace("\\n", " ").chars().take(100).collect();
    let title = format!(
        "{} database commands in each of {} requests, {} of them one text: {text}",
        said(each),
        said(real_u64(count(guilty.len()))),
        percent(equal)
    );
    let sql = "select trace_id, tags, count(*) as times, sum(dur_ns) / 1e6 as ms, min(start_ns) as first_ns from spans \
               where tags like '%\"db.query.text\":%' or tags like '%\"db.statement\":%' group by 1, 2 having count(*) >= 10 order by 3 desc limit 20";
    let seconds: f64 = guilty.iter().filter_map(|(trace, _)| traces.get(*trace)).map(|of| of.1).sum();
    let taken =
        Measured { name: "seconds that they took, added up", value: seconds, unit: "s", threshold: None };
    Some(found(
        title,
        each,
        vec![EACH.measured(each), EQUAL.measured(equal), taken],
        vec![Evidence::of("spans", sql, times.into_iter())],
        0.9 + 0.08 * of_all,
    ))
}

/// From sums alone: how many, not how equal.
fn by_meters(facts: &Facts<'_>, database: runtime::Work, requests: runtime::Work) -> Option<Found> {
    let each = database.count / requests.count.max(1.0);
    let of_time = database.seconds / requests.seconds.max(1e-9);
    // Commands that take longer than all requests are others': of work in the background.
    if each < EACH.value || of_time > MOST_OF_TIME {
        return None;
    }
    let route = runtime::routes(facts.recording)
        .first()
        .map_or_else(String::new, |(name, _)| format!(", most time in {name}"));
    let title = format!(
        "{} database commands for each request{route}: {} of the requests' time",
        said(each),
        percent(of_time.min(1.0))
    );
    let sql = "select name, kind, sum(value) as total, min(ts_ns) as first_ts_ns, max(ts_ns) as last_ts_ns from counters \
               where name in ('db.client.operation.duration', 'http.server.request.duration') and kind in ('count', 'sum') group by 1, 2";
    let times = runtime::metered(facts.recording, "db.client.operation.duration", "count")
        .into_iter()
        .map(|of| of.ts_ns);
    let share = Measured {
        name: "share of the requests' time in commands",
        value: of_time.min(1.0),
        unit: "share",
        threshold: None,
    };
    Some(found(
        title,
        each,
        vec![EACH.measured(each), share],
        vec![Evidence::of("counters", sql, times)],
        0.8,
    ))
}

fn found(title: String, each: f64, measured: Vec<Measured>, evidence: Vec<Evidence>, score: f64) -> Found {
    let severity = if each >= 100.0 { Severity::Critical } else { Severity::Warning };
    Found { title, severity, score, measured, places: Vec::new(), evidence }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// Two requests that each send so many commands, of so many texts in turn.
    fn scene(commands: i64, texts: i64) -> Scene {
        let mut scene = Scene::new();
        for request in 0..2 {
            scene.request(request * 1000, 500, "/cart");
            for at in 0..commands {
                let tags = format!(r#"{{"db.query.text":"select {}"}}"#, at % texts);
                scene.call(request * 1000 + at, 1, &format!("trace{request}"), &tags);
            }
        }
        scene
    }

    #[test]
    fn many_equal_commands_in_a_request_are_said() {
        assert_eq!(scene(20, 1).says(&RULE), says(Severity::Warning, ""));
        assert_eq!(scene(150, 1).says(&RULE), says(Severity::Critical, ""));
    }

    #[test]
    fn a_few_commands_and_many_different_ones_are_no_loop() {
        let check = |commands, texts, speaks| {
            assert_eq!(scene(commands, texts).says(&RULE).is_some(), speaks, "{commands} of {texts}");
        };
        check(9, 1, false);
        check(10, 1, true);
        check(40, 3, false);
        check(40, 2, false);
    }

    #[test]
    fn by_meters_commands_over_requests_tell_unless_they_are_of_the_background() {
        let check = |commands, ms, speaks| {
            let mut scene = Scene::new();
            scene.meter("http.server.request.duration", 100.0, 50.0, "");
            scene.meter("db.client.operation.duration", commands, ms, "");
            assert_eq!(scene.says(&RULE).is_some(), speaks, "{commands} of {ms} ms");
        };
        check(900.0, 2.0, false);
        check(1100.0, 2.0, true);
        check(1100.0, 20.0, false);
    }
}
