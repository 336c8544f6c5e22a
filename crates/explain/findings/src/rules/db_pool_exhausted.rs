//! Requests that wait for a database connection.

use crate::facts::{Facts, count, real_u64, said};
use crate::finding::{Evidence, Measured, Severity};
use crate::rule::{Found, Need, Rule, Threshold};
use runtime::{Marks, metered_totals, tag};

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

/// Gauges of those that wait, of connections and of their limit: OpenTelemetry's names, and those of Npgsql's versions.
const PENDING_METERS: [&str; 3] = [
    "db.client.connection.npgsql.pending_requests",
    "db.client.connection.pending_requests",
    "db.client.connections.pending_requests",
];
const COUNT_METERS: [&str; 2] = ["db.client.connection.count", "db.client.connections.usage"];
const MOST_METERS: [&str; 2] = ["db.client.connection.max", "db.client.connections.max"];
const RUNNING_METERS: [&str; 2] = ["db.client.operation.npgsql.executing", "db.client.commands.executing"];

/// The first of some gauges that was published, added up over its tags, for each moment.
fn first_published(recording: &model::Recording, names: &[&str]) -> Vec<(i64, f64)> {
    // An up-down counter publishes its total.
    let kinds = names.iter().flat_map(|name| ["value", "total"].map(|kind| (*name, kind)));
    let mut all = kinds.map(|(name, kind)| metered_totals(recording, name, kind));
    all.find(|values| !values.is_empty()).unwrap_or_default()
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
    causes: &["slow-dependency", "exceptions", "async-lock", "sync-over-async", "logging-flood"],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let recording = facts.recording;
    let pending = first_published(recording, &PENDING_METERS);
    let mean = pending.iter().map(|(_, value)| *value).sum::<f64>() / real_u64(count(pending.len())).max(1.0);
    let (full, used, most) = fullness(facts);
    let refused = refused(facts);
    let executing = first_published(recording, &RUNNING_METERS);
    let running =
        executing.iter().map(|(_, value)| *value).sum::<f64>() / real_u64(count(executing.len())).max(1.0);
    let waits = !pending.is_empty() && mean >= PENDING.value && full.is_none_or(|full| full >= FULL.value);
    if !waits && refused.is_empty() {
        return None;
    }
    // Held while no command runs: a leak, or work between open and close.
    let idle_holders = used.is_some_and(|used| used >= 2.0 && running < 0.3 * used);
    let cause = if idle_holders {
        "connections are held while they run no command: leaked, or kept across other work"
    } else {
        "all of them run commands"
    };
    let title = match (used, most) {
        (Some(used), Some(most)) => format!(
            "Requests wait for a database connection: {} of {} in use, {} waiting on average; {cause}",
            said(used),
            said(most),
            said(mean)
        ),
        _ => format!(
            "Requests wait for a database connection until their time-out: {} failed",
            said(real_u64(count(refused.len())))
        ),
    };
    let mut measured = vec![PENDING.measured(mean)];
    measured.extend(full.map(|full| FULL.measured(full)));
    measured.push(Measured {
        name: "commands that run, on average",
        value: running,
        unit: "",
        threshold: None,
    });
    if !refused.is_empty() {
        let name = "waits for a connection that ended in an exception";
        measured.push(Measured { name, value: real_u64(count(refused.len())), unit: "", threshold: None });
    }
    let mut evidence = Vec::new();
    if !pending.is_empty() || used.is_some() {
        let sql = "select ts_ns, name, value, tags from counters where name like 'db.client.connection%' and kind in ('value', 'total') order by ts_ns";
        evidence.push(Evidence::of("counters", sql, pending.iter().map(|(ts_ns, _)| *ts_ns)));
    }
    if !refused.is_empty() {
        let sql = "select ts_ns, type, message, thread from exceptions where message like '%connection pool%' or message like '%obtaining a connection%' order by ts_ns limit 50";
        evidence.push(Evidence::of("exceptions", sql, refused.iter().copied()));
    }
    let line = mean / (mean + running).max(0.1);
    Some(Found {
        title,
        severity: if refused.is_empty() && line < 0.7 { Severity::Warning } else { Severity::Critical },
        score: 0.97,
        measured,
        places: facts.callers(Marks::DATABASE),
        evidence,
    })
}

/// How often the pool was full, how many connections were in use on average, and how many there may be.
fn fullness(facts: &Facts<'_>) -> (Option<f64>, Option<f64>, Option<f64>) {
    let most = first_published(facts.recording, &MOST_METERS);
    let most = most.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let kinds = COUNT_METERS.iter().flat_map(|name| ["value", "total"].map(|kind| (*name, kind)));
    let mut counts = kinds.map(|(name, kind)| runtime::metered(facts.recording, name, kind));
    let counts = counts.find(|values| !values.is_empty()).unwrap_or_default();
    let states = ["db.client.connection.state", "state"];
    let used: Vec<f64> = counts
        .iter()
        .filter(|of| states.iter().any(|name| tag(facts.recording, of.tags, name) == Some("used")))
        .map(|of| of.value)
        .collect();
    if used.is_empty() || most <= 0.0 {
        return (None, None, None);
    }
    let number = real_u64(count(used.len()));
    let full = real_u64(count(used.iter().filter(|value| **value >= most).count())) / number;
    (Some(full), Some(used.iter().sum::<f64>() / number), Some(most))
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
