//! Requests that wait for a database connection.

use crate::facts::{Facts, count, real_u64, said};
use crate::rule::{Found, Need, Rule, Threshold};
use report::{EvidenceRows, Measured, Severity, View};
use runtime::{Marks, metered_totals, tag};
use std::collections::BTreeMap;

const PENDING: Threshold = Threshold {
    name: "requests that wait for a connection, mean of what was published",
    value: 1.0,
    unit: "",
    source: "a pool that is large enough has none; measured: 8 to 27 in exhausted ones",
};
const FULL: Threshold = Threshold {
    name: "share of the published values at which the pool is full",
    value: 0.5,
    unit: "share",
    source: "full once is a burst, full half of the time is a limit",
};
/// A pool that is full this much of the time has no connection to give.
const ALWAYS_FULL: f64 = 0.9;
/// Part of the requests under way that is in no command while the pool is always full: they stand in line.
const IN_LINE: f64 = 0.2;

/// Gauges of those that wait, of connections and of their limit: OpenTelemetry's names, and those of Npgsql's versions.
pub(crate) const PENDING_METERS: [&str; 3] = [
    "db.client.connection.npgsql.pending_requests",
    "db.client.connection.pending_requests",
    "db.client.connections.pending_requests",
];
const COUNT_METERS: [&str; 2] = ["db.client.connection.count", "db.client.connections.usage"];
const MOST_METERS: [&str; 2] = ["db.client.connection.max", "db.client.connections.max"];
/// Fewer waits that ended in an exception are a moment's.
const FEW: usize = 3;

/// The first of some gauges that was published; an up-down counter publishes its total.
fn first_published<T>(names: &[&str], values: impl Fn(&str, &str) -> Vec<T>) -> Vec<T> {
    let kinds = names.iter().flat_map(|name| ["value", "total"].map(|kind| (*name, kind)));
    kinds.map(|(name, kind)| values(name, kind)).find(|values| !values.is_empty()).unwrap_or_default()
}

pub(super) const RULE: Rule = Rule {
    id: "db-pool-exhausted",
    about: "requests wait for a database connection; pool too small or connections held or leaked",
    needs: &[Need::Database],
    thresholds: &[PENDING, FULL],
    silent: "where the pool has connections to spare, and while it fills at the first load",
    why: "A connection of the pool belongs to one operation from open to close. When all are taken, `OpenAsync` waits in line, without a thread, \
          until one comes back or the time-out ends it. Connections that are held across other work (an HTTP call, a transaction, a long \
          query) or never closed take the pool's turns from all others.",
    tries: &[
        "Dispose of each connection and reader: `await using`; if connections in use never fall while no command runs, they leak",
        "Open late and close early: no HTTP call, no lock and no user's wait between them",
        "Then size the pool: connections needed = requests a second × seconds that each is held (Little's law); the database's own limit is the ceiling",
    ],
    verify: "Record the same load again: `db.client.connection.npgsql.pending_requests` is 0 and connections in use stay below the maximum.",
    view: View { tab: "/stacks", params: &[("metric", "waiting")] },
    before: &["slow-dependency", "exceptions", "async-lock", "sync-over-async", "logging-flood"],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let recording = facts.recording;
    let pending = first_published(&PENDING_METERS, |name, kind| metered_totals(recording, name, kind));
    let mean = pending.iter().map(|(_, value)| *value).sum::<f64>() / real_u64(count(pending.len())).max(1.0);
    let mean = mean.max(0.0);
    let pool = fullness(facts);
    let refused = refused(facts);
    // Little's law: the time that commands took over the time observed. None where no meter tells of the pool either.
    let under_way = |work: Option<runtime::Work>| work.map(|work| work.under_way());
    let running = under_way(facts.database).or(pool.map(|_| 0.0));
    // Held while no command runs: a leak, or work between open and close.
    let idle_holders = |running: f64| pool.is_some_and(|(_, used, _)| used >= 2.0 && running < 0.3 * used);
    // The meter of those that wait counts from when it is listened to: of a line that stood there before it tells nothing.
    let in_line = under_way(facts.requests).zip(running).map_or(0.0, |(requests, running)| {
        if requests - running >= IN_LINE * requests { requests - running } else { 0.0 }
    });
    let always_full = pool.is_some_and(|(full, ..)| full >= ALWAYS_FULL);
    let told =
        !pending.is_empty() && mean >= PENDING.value && pool.is_none_or(|(full, ..)| full >= FULL.value);
    let mean = if told || !always_full { mean } else { mean.max(in_line) };
    let stuck = always_full && running.is_some_and(idle_holders);
    let waits = told || always_full && mean >= PENDING.value;
    if !waits && !stuck && refused.is_empty() {
        return None;
    }
    let cause = match running {
        Some(running) if idle_holders(running) => {
            "; connections are held while they run no command: leaked, or kept across other work"
        }
        Some(_) => "; all of them run commands",
        None => "",
    };
    let title = match pool {
        Some((_, used, most)) if stuck && !waits => format!(
            "All database connections are taken and none comes free: {} of {} in use{cause}",
            said(used),
            said(most)
        ),
        Some((_, used, most)) if waits => format!(
            "Requests wait for a database connection: {} of {} in use, {} waiting on average{cause}",
            said(used),
            said(most),
            said(mean)
        ),
        _ => format!(
            "Requests wait for a database connection until their time-out: {} failed",
            said(real_u64(count(refused.len())))
        ),
    };
    let mut measured = Vec::new();
    if mean > 0.0 {
        measured.push(PENDING.measured(mean));
    }
    measured.extend(pool.map(|(full, ..)| FULL.measured(full)));
    measured.extend(running.map(|value| Measured {
        name: "commands that run, on average",
        value,
        unit: "",
        threshold: None,
    }));
    if !refused.is_empty() {
        let name = "waits for a connection that ended in an exception";
        measured.push(Measured { name, value: real_u64(count(refused.len())), unit: "", threshold: None });
    }
    let mut evidence = Vec::new();
    evidence.extend(published(recording, pending));
    if !refused.is_empty() {
        let sql = "select ts_ns, type, message, thread from exceptions where message like '%connection pool%' or message like '%obtaining a connection%' order by ts_ns limit 50";
        evidence.push(EvidenceRows::of("exceptions", sql, refused.iter().copied()));
    }
    let line = running.map_or(0.0, |running| mean / (mean + running).max(0.1));
    Some(Found {
        title,
        severity: if refused.len() < FEW && line < 0.7 { Severity::Warning } else { Severity::Critical },
        score: 0.97,
        measured,
        places: facts.callers(Marks::DATABASE),
        evidence,
    })
}

/// What the pool published, by those that wait or, where they were not published, by its connections.
fn published(recording: &model::Trace, pending: Vec<(i64, f64)>) -> Option<EvidenceRows> {
    let mut published = pending;
    if published.is_empty() {
        published = first_published(&COUNT_METERS, |name, kind| metered_totals(recording, name, kind));
    }
    let sql = "select ts_ns, name, value, tags from counters where name like 'db.client.connection%' and kind in ('value', 'total') order by ts_ns";
    let times = published.iter().map(|(ts_ns, _)| *ts_ns);
    (!published.is_empty()).then(|| EvidenceRows::of("counters", sql, times))
}

/// How often a pool was full, how many of its connections were in use on average, and how many there may be: of the
/// pool that was full most, for each database has its own.
fn fullness(facts: &Facts<'_>) -> Option<(f64, f64, f64)> {
    let recording = facts.recording;
    let pool = |tags| {
        tag(recording, tags, "db.client.connection.pool.name").or_else(|| tag(recording, tags, "pool.name"))
    };
    let mut pools: BTreeMap<Option<&str>, (f64, Vec<f64>)> = BTreeMap::new();
    for of in first_published(&MOST_METERS, |name, kind| runtime::metered(recording, name, kind)) {
        let most = &mut pools.entry(pool(of.tags)).or_default().0;
        *most = most.max(of.value);
    }
    let states = ["db.client.connection.state", "state"];
    for of in first_published(&COUNT_METERS, |name, kind| runtime::metered(recording, name, kind)) {
        if states.iter().any(|name| tag(recording, of.tags, name) == Some("used")) {
            pools.entry(pool(of.tags)).or_default().1.push(of.value);
        }
    }
    let told = pools.into_values().filter(|(most, used)| *most > 0.0 && !used.is_empty());
    let shares = told.map(|(most, used)| {
        let number = real_u64(count(used.len()));
        let full = real_u64(count(used.iter().filter(|value| **value >= most).count())) / number;
        (full, used.iter().sum::<f64>() / number, most)
    });
    shares.max_by(|a, b| a.0.total_cmp(&b.0))
}

/// When waits for a connection ended in an exception, by the words of the clients' own messages.
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
