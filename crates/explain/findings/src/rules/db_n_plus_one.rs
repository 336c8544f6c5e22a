//! Many equal database queries within one request.

use crate::facts::{Facts, count, percent, real_u64, said};
use crate::need::Need;
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use model::Sym;
use report::{EvidenceRows, Measured, Place, Severity, View};
use runtime::{Basis, Marks, is_database, tag};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

const EACH: Threshold = Threshold {
    name: "database commands per request",
    value: 10.0,
    unit: "",
    source: "Rider reports 100 equal commands and more; ten already have ten times the latency of one",
};
const EQUAL: Threshold = Threshold {
    name: "share of them with the most common text",
    value: 0.6,
    unit: "share",
    source: "a loop sends one text again and again; needs spans",
};

/// Sequential commands take no longer than their requests. Some tolerance, as it is known from totals only.
const MAX_OF_TIME: f64 = 1.1;

pub(super) const RULE: Rule = Rule {
    id: "db-n-plus-one",
    about: "many equal queries within one request",
    needs: &[Need::Database],
    thresholds: &[EACH, EQUAL],
    silent: "if requests send few commands, or many different ones, or if background work sends them",
    why: "One query fetches N rows, and a loop then sends one query for each of them: lazy loading of a navigation property, a repository \
          called in a `foreach`. Each is fast, and none stands out in the database's log. But the request pays N times for the round \
          trip, the connection, parsing the result and creating its objects.",
    tries: &[
        "Fetch it with the first query: `Include`, a join, or a projection (`Select`) of just what is shown",
        "Or with one more query: `where id = any(@ids)`; Entity Framework's `AsSplitQuery` does so for collections",
        "Turn lazy loading off, so that it fails where it would load",
    ],
    verify: "Record the same load again: commands per request, from `db.client.operation.duration` and `http.server.request.duration`.",
    places_of: "the samples of running threads in database calls",
    view: View {
        shows: "the requests with repeated commands",
        lane: "latency",
        tab: "/requests",
        metric: None,
    },
    before: &[
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

/// No more spans lie between a command and its request. Also ends the walk if damaged spans form a circle.
const MAX_BETWEEN: usize = 32;

/// What is known of a span that may be a parent.
struct Parent {
    /// The span above it, or `Sym::NONE`.
    above: Sym,
    is_server: bool,
}

/// The request that a span is part of: the id of the server's span above it, or of the outermost known parent.
/// A trace is not a request: a client may send many requests within one.
fn request_of(parents: &FxHashMap<Sym, Parent>, parent: Sym) -> Sym {
    let mut at = parent;
    for _ in 0..MAX_BETWEEN {
        match parents.get(&at) {
            Some(Parent { above, is_server: false }) if *above != Sym::NONE => at = *above,
            _ => break,
        }
    }
    at
}

/// From spans: counts commands with the same text in each request.
fn by_spans(facts: &Facts<'_>) -> Option<Found> {
    let spans = &facts.recording.spans;
    let ids = spans.span_id.iter().zip(&spans.parent_id).zip(&spans.kind);
    let server = facts.recording.strings.find("Server");
    let parents: FxHashMap<Sym, Parent> = ids
        .map(|((id, parent), kind)| (*id, Parent { above: *parent, is_server: Some(*kind) == server }))
        .collect();
    // Commands with one text can differ in other tags, such as the connection's number: texts are numbered once per set of
    // tags.
    let mut texts_of: FxHashMap<Sym, usize> = FxHashMap::default();
    let mut numbers: FxHashMap<&str, usize> = FxHashMap::default();
    let mut by_text: BTreeMap<(Sym, usize), u64> = BTreeMap::new();
    let mut requests: FxHashMap<Sym, (u64, f64)> = FxHashMap::default();
    let mut times = Vec::new();
    for row in facts.spans(is_database) {
        let request = request_of(&parents, row.parent_id);
        if request == Sym::NONE {
            continue;
        }
        let text = *texts_of.entry(row.tags).or_insert_with(|| {
            let next = numbers.len();
            *numbers.entry(query_text(facts, row.tags)).or_insert(next)
        });
        *by_text.entry((request, text)).or_default() += 1;
        let request = requests.entry(request).or_default();
        request.0 += 1;
        request.1 += facts.lasted(row.dur_ns).unwrap_or(0.0) / 1e9;
        times.push(row.start_ns);
    }
    let mut commonest: BTreeMap<Sym, (u64, &str)> = BTreeMap::new();
    let texts: FxHashMap<usize, &str> = numbers.into_iter().map(|(text, number)| (number, text)).collect();
    for ((request, text), number) in by_text {
        let text = texts.get(&text).copied().unwrap_or_default();
        let most = commonest.entry(request).or_insert((0, ""));
        if (number, text) > *most {
            *most = (number, text);
        }
    }
    // Weighed by their commands, a few such requests among many are still a finding.
    let guilty: Vec<_> = commonest
        .iter()
        .filter(|(request, (most, _))| {
            let all = requests.get(*request).map_or(0, |of| of.0);
            real_u64(*most) >= EACH.value && real_u64(*most) >= EQUAL.value * real_u64(all)
        })
        .collect();
    let commands: u64 = guilty.iter().filter_map(|(request, _)| requests.get(*request)).map(|of| of.0).sum();
    let all: u64 = requests.values().map(|of| of.0).sum();
    let of_all = real_u64(commands) / real_u64(all).max(1.0);
    if guilty.is_empty() || of_all < 0.2 {
        return None;
    }
    let each = real_u64(commands) / count(guilty.len());
    let equal =
        guilty.iter().map(|(_, (most, _))| real_u64(*most)).sum::<f64>() / real_u64(commands).max(1.0);
    let mut texts: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, (most, text)) in &guilty {
        *texts.entry(*text).or_default() += most;
    }
    let (text, _) = texts.into_iter().max_by_key(|(text, number)| (*number, *text))?;
    let text = shortened(text);
    let title = format!(
        "{} requests send {} database commands each, of which {} are the same: {text}",
        said(count(guilty.len())),
        said(each),
        percent(equal)
    );
    let sql = "select trace_id, parent_id, coalesce(json_extract(tags, '$.\"db.query.text\"'), json_extract(tags, '$.\"db.statement\"')) as text, count(*) as times, sum(dur_ns) / 1e6 as ms, min(start_ns) as first_ns from spans \
               where tags like '%\"db.query.text\":%' or tags like '%\"db.statement\":%' group by 1, 2, 3 having count(*) >= 10 order by 4 desc limit 20";
    let seconds: f64 = guilty.iter().filter_map(|(request, _)| requests.get(*request)).map(|of| of.1).sum();
    let taken = Measured { name: "their total duration", value: seconds, unit: "s", threshold: None };
    Some(found(
        facts.callers(Marks::DATABASE),
        title,
        each,
        vec![EACH.measured(each), EQUAL.measured(equal), taken],
        vec![EvidenceRows::of("spans", sql, times.into_iter())],
        vec![Harm::Share(of_all)],
        Sure::Seen,
    ))
}

/// The text of a command. OpenTelemetry has named the tag differently over time.
fn query_text<'a>(facts: &Facts<'a>, tags: Sym) -> &'a str {
    let texts = ["db.query.text", "db.statement"];
    texts.iter().find_map(|name| tag(facts.recording, tags, name)).unwrap_or("one text")
}

/// The beginning of a command's text, on one line.
fn shortened(text: &str) -> String {
    const MOST: usize = 80;
    let line = text.replace("\\n", " ");
    let cut = line.chars().count() > MOST;
    line.chars().take(MOST).chain(cut.then_some('…')).collect()
}

/// From totals: how many commands there are, but not how many are the same.
fn by_meters(facts: &Facts<'_>, database: runtime::Work, requests: runtime::Work) -> Option<Found> {
    let each = database.per_second() / requests.per_second().max(1e-3);
    let of_time = database.under_way() / requests.under_way().max(1e-9);
    // If commands take longer than all requests, background work sends them.
    if each < EACH.value || of_time > MAX_OF_TIME {
        return None;
    }
    let route = facts
        .routes()
        .first()
        .map_or_else(String::new, |(name, _)| format!("; requests to {name} take the most time"));
    let title = format!(
        "Requests send {} database commands each, which take {} of their time{route}",
        said(each),
        percent(of_time.min(1.0)),
    );
    let sql = "select name, kind, sum(value) as total, min(ts_ns) as first_ts_ns, max(ts_ns) as last_ts_ns from counters \
               where name in ('db.client.operation.duration', 'db.client.commands.duration', 'http.server.request.duration') and kind in ('count', 'sum') group by 1, 2";
    let meters = runtime::DATABASE_METERS.iter();
    let times = meters.flat_map(|name| runtime::metered(facts.recording, name, "count")).map(|of| of.ts_ns);
    let share = Measured {
        name: "share of the requests' time in commands",
        value: of_time.min(1.0),
        unit: "share",
        threshold: None,
    };
    Some(found(
        facts.callers(Marks::DATABASE),
        title,
        each,
        vec![EACH.measured(each), share],
        vec![EvidenceRows::of("counters", sql, times)],
        vec![Harm::Share(of_time), Harm::Beyond { value: each, harmless: EACH.value }],
        Sure::Inferred,
    ))
}

fn found(
    places: Vec<Place>,
    title: String,
    each: f64,
    measured: Vec<Measured>,
    evidence: Vec<EvidenceRows>,
    harms: Vec<Harm>,
    sure: Sure,
) -> Found {
    let severity = if each >= 100.0 { Severity::Critical } else { Severity::Warning };
    Found { title, severity, harms, sure, measured, places, evidence }
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
        assert_eq!(scene(20, 1).says(&RULE), says(Severity::Warning, "? /cart"));
        assert_eq!(scene(150, 1).says(&RULE), says(Severity::Critical, "? /cart"));
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
