//! Connections that are opened and closed at the rate of requests.

use crate::facts::{Facts, percent, said};
use crate::finding::{Evidence, Measured, Severity};
use crate::rule::{Found, Need, Rule, Threshold};
use runtime::{Marks, metered_sum};

const OPENED: Threshold = Threshold {
    name: "connections opened for each outgoing call",
    value: 0.5,
    unit: "",
    source: "a client that is shared opens as many as are under way at once, and then none; measured: 0.001 and 1.0",
};
const RATE: Threshold = Threshold {
    name: "connections opened a second",
    value: 2.0,
    unit: "1/s",
    source: "a port stays taken for a minute after its connection: two a second are 120 ports",
};

pub(super) const RULE: Rule = Rule {
    id: "http-client-per-request",
    about: "connections opened and closed at the rate of requests",
    needs: &[Need::Http],
    thresholds: &[OPENED, RATE],
    silent: "while a shared client opens its first connections, and for a server that closes after each answer with few calls",
    why: "Each `HttpClient` with a handler of its own has a pool of connections of its own. Disposed of after a request, it closes them: every call pays \
          for name resolution, the TCP and TLS handshakes and a slow start, and the closed ports stay in TIME_WAIT for a minute, until \
          none are left.",
    tries: &[
        "One `HttpClient` for the process (`static readonly`, with `SocketsHttpHandler.PooledConnectionLifetime` so that it follows name changes)",
        "Or `IHttpClientFactory`, which shares and renews the handlers",
        "Check that answers are read to their end and that the server does not send `Connection: close`",
    ],
    verify: "Record the same load again: `http.client.connection.duration` counts few closed connections, and `http.client.request.time_in_queue` is near 0.",
    causes: &["slow-dependency", "chatty-calls", "high-allocation-rate"],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let calls = facts.http?;
    let recording = facts.recording;
    // A closed connection is counted by its duration, an opened one by its event or span.
    let closed = metered_sum(recording, "http.client.connection.duration", "count").unwrap_or(0.0);
    let opened_events = event_count(facts, "ConnectionEstablished");
    let setups = span_count(facts, "HTTP connection_setup");
    let opened = closed.max(opened_events).max(setups);
    let (each, rate) = (opened / calls.count.max(1.0), opened / facts.seconds());
    if each < OPENED.value || rate < RATE.value {
        return None;
    }
    let queued = metered_sum(recording, "http.client.request.time_in_queue", "sum");
    let title = format!(
        "{} connections a second are opened and closed for outgoing calls: {} of the calls open one",
        said(rate),
        percent(each.min(1.0))
    );
    let mut measured = vec![OPENED.measured(each), RATE.measured(rate)];
    if let Some(queued) = queued {
        let share = queued / calls.seconds.max(1e-9);
        measured.push(Measured {
            name: "share of the calls' time spent waiting for a connection",
            value: share.min(1.0),
            unit: "share",
            threshold: None,
        });
    }
    let evidence = if closed > 0.0 {
        let sql = "select ts_ns, name, kind, value, tags from counters where name in ('http.client.connection.duration', 'http.client.request.duration', \
                   'http.client.open_connections') and kind in ('count', 'p50', 'value') order by ts_ns";
        let times = runtime::metered(recording, "http.client.connection.duration", "count")
            .into_iter()
            .map(|of| of.ts_ns);
        Evidence::of("counters", sql, times)
    } else {
        let sql = "select ts_ns, name, thread, stack from events where provider = 'System.Net.Http' and name like 'Connection%' order by ts_ns limit 200";
        Evidence::of("events", sql, std::iter::empty())
    };
    Some(Found {
        title,
        severity: if rate >= 100.0 { Severity::Critical } else { Severity::Warning },
        score: 0.7 + 0.25 * each.min(1.0),
        measured,
        places: facts.callers(Marks::HTTP),
        evidence: vec![evidence],
    })
}

fn event_count(facts: &Facts<'_>, name: &str) -> f64 {
    let events = &facts.recording.events;
    let kinds: Vec<bool> = events.kind_name.iter().map(|of| facts.text(*of) == name).collect();
    if !kinds.contains(&true) {
        return 0.0;
    }
    let times = events.kind.iter().filter(|kind| kinds.get(**kind as usize) == Some(&true)).count();
    crate::facts::real_u64(crate::facts::count(times))
}

fn span_count(facts: &Facts<'_>, name_start: &str) -> f64 {
    let times =
        facts.recording.spans.name.iter().filter(|name| facts.text(**name).starts_with(name_start)).count();
    crate::facts::real_u64(crate::facts::count(times))
}
