//! Requests that wait for a database connection.

use crate::facts::{Facts, count, said};
use crate::need::Need;
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use report::{EvidenceRows, Measured, Severity, View};
use runtime::{Marks, metered_totals, tag};
use std::collections::BTreeMap;

const PENDING: Threshold = Threshold {
    name: "requests waiting for a connection, mean of the published values",
    value: 1.0,
    unit: "",
    source: "none wait if the pool is large enough; measured: 8 to 27 in exhausted ones",
};
const FULL: Threshold = Threshold {
    name: "share of the published values at which the pool is full",
    value: 0.5,
    unit: "share",
    source: "our judgement: a pool that is full less often is full in bursts",
};
/// A pool that is full for this share of the time has no connection to spare.
const ALWAYS_FULL: f64 = 0.9;
/// While the pool is always full, requests that run no command wait in the queue. Fewer than this share may do other work.
const IN_LINE: f64 = 0.2;

/// Gauges of waiting requests, of connections and of their limit: OpenTelemetry's names, and those of Npgsql's versions.
pub(crate) const PENDING_METERS: [&str; 3] = [
    "db.client.connection.npgsql.pending_requests",
    "db.client.connection.pending_requests",
    "db.client.connections.pending_requests",
];
const COUNT_METERS: [&str; 2] = ["db.client.connection.count", "db.client.connections.usage"];
const MAX_METERS: [&str; 2] = ["db.client.connection.max", "db.client.connections.max"];
/// If this share of the connections in use run a command, the title says that all do.
const ALL_RUN: f64 = 0.95;
/// With fewer waits that ended in an exception, it may have been a short incident.
const FEW: usize = 3;

/// The first of these gauges that was published. An up-down counter publishes its total.
fn first_published<T>(names: &[&str], values: impl Fn(&str, &str) -> Vec<T>) -> Vec<T> {
    let kinds = names.iter().flat_map(|name| ["value", "total"].map(|kind| (*name, kind)));
    kinds.map(|(name, kind)| values(name, kind)).find(|values| !values.is_empty()).unwrap_or_default()
}

pub(super) const RULE: Rule = Rule {
    id: "db-pool-exhausted",
    about: "requests wait for a database connection: the pool is too small, or connections are held too long or leaked",
    needs: &[Need::Database],
    thresholds: &[PENDING, FULL],
    silent: "if the pool has connections to spare, or while it fills under the first load",
    why: "A pooled connection belongs to one operation from open to close. When all are in use, `OpenAsync` waits in a queue, without \
          blocking a thread, until one is returned or the time-out ends the wait. Connections that are held during other work (an HTTP \
          call, a transaction, a long query) or never closed are missing for everyone else.",
    tries: &[
        "Dispose of each connection and reader: `await using`; if the number in use never falls while no command runs, they leak",
        "Open late and close early: no HTTP call, no lock and no waiting for a user in between",
        "Then size the pool: connections needed = requests per second × seconds that each is held (Little's law), up to the database's own limit",
    ],
    verify: "Record the same load again: `db.client.connection.npgsql.pending_requests` is 0 and connections in use stay below the maximum.",
    places_of: "the samples of running threads in database calls",
    view: View {
        shows: "the stacks that wait for a connection",
        lane: "waiting",
        tab: "/requests",
        metric: None,
    },
    before: &["slow-dependency", "exceptions", "async-lock", "sync-over-async", "logging-flood"],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let recording = facts.recording;
    let pending = first_published(&PENDING_METERS, |name, kind| metered_totals(recording, name, kind));
    let mean = pending.iter().map(|(_, value)| *value).sum::<f64>() / count(pending.len()).max(1.0);
    let mean = mean.max(0.0);
    let waiting: Vec<(i64, f64)> = pending.iter().copied().filter(|(_, value)| *value > 0.0).collect();
    let pool = fullness(facts, &waiting);
    let refused = refused(facts);
    // Commands that run on average, by Little's law. `None` if no meter describes the pool either.
    let under_way = |work: Option<runtime::Work>| work.map(|work| work.under_way());
    let running = under_way(facts.database).or(pool.map(|_| 0.0));
    // Connections that are held while no command runs: a leak, or other work between open and close.
    let idle_holders = |running: f64| pool.is_some_and(|of| of.used >= 2.0 && running < 0.3 * of.used);
    // The meter of waiting requests starts counting when somebody listens, and misses a queue that was there before.
    let in_line = under_way(facts.requests).zip(running).map_or(0.0, |(requests, running)| {
        if requests - running >= IN_LINE * requests { requests - running } else { 0.0 }
    });
    let always_full = pool.is_some_and(|of| of.full >= ALWAYS_FULL);
    let is_published =
        !pending.is_empty() && mean >= PENDING.value && pool.is_none_or(|of| of.full >= FULL.value);
    let mean = if is_published || !always_full { mean } else { mean.max(in_line) };
    let stuck = always_full && running.is_some_and(idle_holders);
    let waits = is_published || always_full && mean >= PENDING.value;
    if !waits && !stuck && refused.is_empty() {
        return None;
    }
    // A meter that was read once shows a moment: comparing it with a mean says nothing.
    let is_moment = pending.len().max(pool.map_or(0, |of| of.readings)) < 2;
    let (because, then) = match running.filter(|_| !is_moment) {
        Some(running) if idle_holders(running) => {
            (", because connections leak or are held while they run no command", String::new())
        }
        Some(running) => ("", held_by(running, pool)),
        None => ("", String::new()),
    };
    let title = match pool {
        Some(pool) if stuck && !waits => format!(
            "No database connection becomes free{because}: {} of {} are in use{then}",
            said(pool.used),
            said(pool.most)
        ),
        Some(pool) if waits => {
            let in_use = in_use(pool, if is_published { &waiting } else { &[] }, mean, is_moment);
            format!("Requests wait for a database connection{because}: {in_use}{then}")
        }
        _ => until_time_out(refused.len()),
    };
    let mut measured = Vec::new();
    if mean > 0.0 {
        measured.push(PENDING.measured(mean));
    }
    measured.extend(pool.map(|of| FULL.measured(of.full)));
    measured.extend(running.map(|value| Measured {
        name: "commands running, on average",
        value,
        unit: "",
        threshold: None,
    }));
    if !refused.is_empty() {
        let name = "waits for a connection that ended in an exception";
        measured.push(Measured { name, value: count(refused.len()), unit: "", threshold: None });
    }
    let mut evidence = Vec::new();
    evidence.extend(published(recording, pending));
    if !refused.is_empty() {
        let sql = "select ts_ns, type, message, thread from exceptions where message like '%connection pool%' or message like '%obtaining a connection%' order by ts_ns limit 50";
        evidence.push(EvidenceRows::of("exceptions", sql, refused.iter().copied()));
    }
    let line = running.map_or(0.0, |running| mean / (mean + running).max(0.1));
    let is_mild = refused.len() < FEW && (line < 0.7 || is_moment);
    Some(Found {
        title,
        severity: if is_mild { Severity::Warning } else { Severity::Critical },
        harms: harms(line, pool, refused.len()),
        sure: if refused.is_empty() && is_moment { Sure::Hint } else { Sure::Seen },
        measured,
        places: facts.callers(Marks::DATABASE),
        evidence,
    })
}

/// `line` is the share of the requests with the database that wait, rather than run a command.
fn harms(line: f64, pool: Option<Pool>, refused: usize) -> Vec<Harm> {
    let full = pool.map_or(0.0, |of| of.full);
    // Each of these waits ended in a failure, so all of them are harm.
    let failed = Harm::Beyond { value: count(refused), harmless: 0.0 };
    vec![Harm::Share(line), Harm::Share(full), failed]
}

/// What the pool published: waiting requests, or else connections.
fn published(recording: &model::Trace, pending: Vec<(i64, f64)>) -> Option<EvidenceRows> {
    let mut published = pending;
    if published.is_empty() {
        published = first_published(&COUNT_METERS, |name, kind| metered_totals(recording, name, kind));
    }
    let sql = "select ts_ns, name, value, tags from counters where name like 'db.client.connection%' and kind in ('value', 'total') order by ts_ns";
    let times = published.iter().map(|(ts_ns, _)| *ts_ns);
    (!published.is_empty()).then(|| EvidenceRows::of("counters", sql, times))
}

/// Times and values.
type Readings = Vec<(i64, f64)>;

/// What a pool published about its connections.
#[derive(Debug, Clone, Copy)]
struct Pool {
    /// The share of readings at which it was full.
    full: f64,
    /// Connections in use, on average.
    used: f64,
    /// The same while requests waited. `None` if nothing was read then.
    used_while_waited: Option<f64>,
    /// The limit of connections.
    most: f64,
    /// How often it was read.
    readings: usize,
}

/// Values that are published together have times closer than this.
const ROUND_NS: i64 = 100_000_000;

/// The pool that was full most often: each database has its own.
fn fullness(facts: &Facts<'_>, waiting: &[(i64, f64)]) -> Option<Pool> {
    let recording = facts.recording;
    let pool = |tags| {
        tag(recording, tags, "db.client.connection.pool.name").or_else(|| tag(recording, tags, "pool.name"))
    };
    let mut pools: BTreeMap<Option<&str>, (f64, Readings)> = BTreeMap::new();
    for of in first_published(&MAX_METERS, |name, kind| runtime::metered(recording, name, kind)) {
        let most = &mut pools.entry(pool(of.tags)).or_default().0;
        *most = most.max(of.value);
    }
    let states = ["db.client.connection.state", "state"];
    for of in first_published(&COUNT_METERS, |name, kind| runtime::metered(recording, name, kind)) {
        if states.iter().any(|name| tag(recording, of.tags, name) == Some("used")) {
            pools.entry(pool(of.tags)).or_default().1.push((of.ts_ns, of.value));
        }
    }
    let known = pools.into_values().filter(|(most, used)| *most > 0.0 && !used.is_empty());
    let pools = known.map(|(most, used)| {
        let number = count(used.len());
        let full = count(used.iter().filter(|(_, value)| *value >= most).count()) / number;
        let waited = used.iter().filter(|(at, _)| is_near(waiting, *at)).map(|(_, value)| *value);
        let readings = used.len();
        let used_while_waited = mean_of(waited);
        let used = used.into_iter().map(|of| of.1).sum::<f64>() / number;
        Pool { full, used, used_while_waited, most, readings }
    });
    pools.max_by(|a, b| a.full.total_cmp(&b.full))
}

/// Whether any of these readings was published at this time.
fn is_near(readings: &[(i64, f64)], at: i64) -> bool {
    let from = readings.partition_point(|(ts_ns, _)| *ts_ns < at.saturating_sub(ROUND_NS));
    readings.get(from).is_some_and(|(ts_ns, _)| *ts_ns <= at.saturating_add(ROUND_NS))
}

fn mean_of(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, number) = values.fold((0.0, 0.0), |(sum, number), value| (sum + value, number + 1.0));
    (number > 0.0).then(|| sum / number)
}

fn until_time_out(refused: usize) -> String {
    let failed = said(count(refused));
    format!("Requests wait for a database connection until they time out: {failed} failed")
}

/// The pool and its queue, from readings with waiting requests if there are any. A mean that includes idle seconds would
/// look like a pool with connections to spare.
fn in_use(pool: Pool, waiting: &[(i64, f64)], mean: f64, is_moment: bool) -> String {
    let (most, used, in_line) = (said(pool.most), said(pool.used), said(mean));
    if is_moment {
        return format!(
            "{used} of {most} were in use and {in_line} requests waited when they were counted once"
        );
    }
    let while_waited = mean_of(waiting.iter().map(|of| of.1)).zip(pool.used_while_waited);
    while_waited.map_or_else(
        || format!("{used} of {most} are in use and {in_line} requests wait, on average"),
        |(in_line, used)| {
            let (used, in_line) = (said(used), said(in_line));
            format!("while any waits, {used} of {most} are in use and {in_line} requests wait, on average")
        },
    )
}

/// How many of the connections in use run commands.
fn held_by(running: f64, pool: Option<Pool>) -> String {
    match pool {
        Some(pool) if running >= ALL_RUN * pool.used => String::from("; all connections in use run commands"),
        Some(pool) => {
            format!(
                "; over the whole recording, {} of the {} in use run a command",
                said(running),
                said(pool.used)
            )
        }
        None => String::new(),
    }
}

/// When waits for a connection ended in an exception, recognised by the clients' messages.
fn refused(facts: &Facts<'_>) -> Vec<i64> {
    let rows = &facts.recording.exceptions;
    let rows = (0..rows.ts_ns.len()).filter_map(|at| rows.row(at));
    let says = |row: &model::ExceptionRow| {
        let message = facts.text(row.message);
        message.contains("connection pool has been exhausted")
            || message.contains("obtaining a connection from the pool")
    };
    rows.filter(says).map(|row| row.ts_ns).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// A pool of ten whose connections in use and whose waiting requests are published each second.
    fn scene(used: impl Fn(i64) -> f64, waiting: f64) -> Scene {
        let mut scene = Scene::new();
        for second in 0..10 {
            let pool = r#"{"db.client.connection.pool.name":"shop","db.client.connection.state":"used"}"#;
            let at = second * 1000;
            scene.counter(at, "db.client.connection.max", "value", 10.0, pool);
            scene.counter(at, "db.client.connection.count", "value", used(second), pool);
            scene.counter(at, "db.client.connection.npgsql.pending_requests", "value", waiting, pool);
        }
        scene.meter("db.client.operation.duration", 100.0, 500.0, "");
        scene
    }

    #[test]
    fn a_pool_that_is_full_with_requests_in_line_is_said() {
        assert_eq!(scene(|_| 10.0, 8.0).says(&RULE), says(Severity::Warning, ""));
        assert_eq!(scene(|_| 10.0, 20.0).says(&RULE), says(Severity::Critical, ""));
    }

    #[test]
    fn a_pool_with_connections_to_spare_and_one_full_for_a_moment_are_large_enough() {
        let check = |scene: Scene, speaks| assert_eq!(scene.says(&RULE).is_some(), speaks);
        check(scene(|second| if second < 3 { 10.0 } else { 4.0 }, 2.0), false);
        check(scene(|second| if second < 5 { 10.0 } else { 4.0 }, 2.0), true);
        check(scene(|_| 10.0, 0.5), false);
    }

    fn title(scene: Scene) -> Option<(String, Severity, f64)> {
        let recording = scene.done();
        let index = runtime::StackIndex::new(&recording);
        check(&Facts::new(&recording, &index))
            .map(|of| (of.title, of.severity, crate::score::score(&of.harms, of.sure)))
    }

    #[test]
    fn seconds_without_load_do_not_make_a_full_pool_read_as_one_with_connections_to_spare() {
        let mut scene = Scene::new();
        let pool = r#"{"db.client.connection.pool.name":"shop","db.client.connection.state":"used"}"#;
        for second in 0..10 {
            let (used, waiting) = if second < 6 { (10.0, 20.0) } else { (0.0, 0.0) };
            let at = second * 1000;
            scene.counter(at, "db.client.connection.max", "value", 10.0, pool);
            scene.counter(at, "db.client.connection.count", "value", used, pool);
            scene.counter(at, "db.client.connection.npgsql.pending_requests", "value", waiting, pool);
        }
        scene.meter("db.client.operation.duration", 100.0, 590.0, "");
        let text = title(scene).unwrap().0;
        let expected = "Requests wait for a database connection: while any waits, 10 of 10 are in use and 20 requests \
                        wait, on average; all connections in use run commands";
        assert_eq!(text, expected);
    }

    #[test]
    fn connections_that_run_no_command_are_not_said_to_run_one() {
        let text = title(scene(|_| 10.0, 8.0)).unwrap().0;
        assert!(text.ends_with("; over the whole recording, 5 of the 10 in use run a command"), "{text}");
    }

    #[test]
    fn one_reading_of_the_pool_is_no_critical_finding() {
        let mut scene = Scene::new();
        let pool = r#"{"db.client.connection.pool.name":"shop","db.client.connection.state":"used"}"#;
        scene.counter(0, "db.client.connection.max", "value", 10.0, pool);
        scene.counter(0, "db.client.connection.count", "value", 10.0, pool);
        scene.counter(0, "db.client.connection.npgsql.pending_requests", "value", 50.0, pool);
        scene.meter("db.client.operation.duration", 100.0, 500.0, "");
        let (text, severity, score) = title(scene).unwrap();
        assert_eq!((severity, score < 0.6), (Severity::Warning, true));
        assert!(
            text.ends_with("10 of 10 were in use and 50 requests waited when they were counted once"),
            "{text}"
        );
    }

    #[test]
    fn a_line_that_stood_before_the_recording_is_told_by_the_time_of_requests_outside_of_commands() {
        let check = |request_ms, speaks| {
            let mut scene = scene(|_| 10.0, 0.0);
            scene.meter("http.server.request.duration", 100.0, request_ms, "");
            assert_eq!(scene.says(&RULE).is_some(), speaks, "{request_ms} ms");
        };
        check(550.0, false);
        check(900.0, true);
    }

    #[test]
    fn connections_that_are_all_taken_while_no_command_runs_are_held() {
        let check = |used: f64, speaks| {
            let mut scene = Scene::new();
            let pool = r#"{"db.client.connection.pool.name":"shop","db.client.connection.state":"used"}"#;
            for second in 0..10 {
                scene.counter(second * 1000, "db.client.connection.max", "value", 10.0, pool);
                scene.counter(second * 1000, "db.client.connection.count", "value", used, pool);
            }
            assert_eq!(scene.says(&RULE).is_some(), speaks, "{used} in use");
        };
        check(10.0, true);
        check(9.0, false);
    }

    #[test]
    fn a_full_pool_is_not_hidden_by_another_that_is_empty() {
        let mut scene = scene(|_| 10.0, 8.0);
        let other = r#"{"db.client.connection.pool.name":"log","db.client.connection.state":"used"}"#;
        for second in 0..10 {
            scene.counter(second * 1000, "db.client.connection.max", "value", 100.0, other);
            scene.counter(second * 1000, "db.client.connection.count", "value", 1.0, other);
        }
        assert_eq!(scene.says(&RULE), says(Severity::Warning, ""));
    }

    #[test]
    fn waits_that_end_in_a_time_out_are_told_by_their_exceptions() {
        let check = |refused, expected| {
            let mut scene = Scene::new();
            scene.meter("db.client.operation.duration", 100.0, 5.0, "");
            let message = "The connection pool has been exhausted, either raise 'Max Pool Size'";
            (0..refused).for_each(|at| scene.throws(at, "Npgsql.NpgsqlException", message, &[WORK, CART]));
            assert_eq!(scene.says(&RULE).map(|(severity, _)| severity), expected, "{refused}");
        };
        check(0, None);
        check(1, Some(Severity::Warning));
        check(3, Some(Severity::Critical));
    }
}
