//! Outgoing connections that are opened and closed at the rate of requests.

use crate::facts::{Facts, count, percent, said};
use crate::need::Need;
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use model::ByKind;
use report::{EvidenceRows, Measured, Severity, View};
use runtime::{Marks, metered_seconds};

const OPENED: Threshold = Threshold {
    name: "connections opened per outgoing call",
    value: 0.5,
    unit: "",
    source: "a shared client opens as many as are in use at once, and then none; measured: 0.001 if shared, 1.0 if not",
};
const RATE: Threshold = Threshold {
    name: "connections opened per second",
    value: 2.0,
    unit: "1/s",
    source: "a port stays in use for a minute after its connection ended: two per second are 120 ports",
};

/// Fewer can be the first connections of a shared client, in a recording of a few seconds.
const FEWEST: f64 = 20.0;

pub(super) const RULE: Rule = Rule {
    id: "http-client-per-request",
    about: "outgoing connections are opened and closed at the rate of requests",
    needs: &[Need::Http],
    thresholds: &[OPENED, RATE],
    silent: "while a shared client opens its first connections, and for few calls to a server that closes after each response",
    why: "Each `HttpClient` with its own handler has its own connection pool, and closes these connections when it is disposed of. \
          Then every call pays for name resolution, TCP and TLS handshakes and slow start, and the closed ports stay in TIME_WAIT \
          for a minute, until none are left.",
    tries: &[
        "Use one `HttpClient` for the process (`static readonly`, with `SocketsHttpHandler.PooledConnectionLifetime` so that it notices DNS changes)",
        "Or `IHttpClientFactory`, which shares and renews the handlers",
        "Check that responses are read to their end and that the server does not send `Connection: close`",
    ],
    verify: "Record the same load again: `http.client.connection.duration` counts few closed connections, and `http.client.request.time_in_queue` is near 0.",
    places_of: "the samples of running threads in outgoing HTTP calls",
    view: View { shows: "the connections that are opened", lane: "latency", tab: "/requests", metric: None },
    before: &["slow-dependency", "chatty-calls", "high-allocation-rate"],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let calls = facts.http?;
    let recording = facts.recording;
    // The duration meter counts closed connections; events and spans show opened ones.
    let closed = recording.metered_count("http.client.connection.duration");
    let (established, setups) = (established(facts), setups(facts));
    let seen = count(established.len()).max(count(setups.len()));
    let opened = seen.max(closed.map_or(0.0, |of| of.count));
    // Each count covers its own time.
    let rate = (seen / facts.seconds()).max(closed.map_or(0.0, |of| of.per_second()));
    let each = rate / calls.per_second().max(1e-3);
    if each < OPENED.value || rate < RATE.value || opened < FEWEST {
        return None;
    }
    let queued = metered_seconds(recording, "http.client.request.time_in_queue", "sum");
    let queued = (!queued.is_empty()).then(|| queued.iter().map(|of| of.value).sum::<f64>());
    let title = format!(
        "Outgoing calls open and close {} connections per second: {} of the calls open a new one",
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
    let of_meter = runtime::metered(recording, "http.client.connection.duration", "count");
    let sql = "select ts_ns, name, kind, value, tags from counters where name in ('http.client.connection.duration', 'http.client.request.duration', \
               'http.client.open_connections') and kind in ('count', 'p50', 'value') order by ts_ns";
    let mut evidence = vec![EvidenceRows::of("counters", sql, of_meter.into_iter().map(|of| of.ts_ns))];
    let sql = "select ts_ns, name, thread, stack from events where provider = 'System.Net.Http' and name like 'Connection%' order by ts_ns limit 200";
    evidence.push(EvidenceRows::of("events", sql, established.into_iter()));
    let sql = "select start_ns, dur_ns / 1e6 as ms, name, tags from spans where name like 'HTTP connection_setup%' order by start_ns limit 200";
    evidence.push(EvidenceRows::of("spans", sql, setups.into_iter()));
    Some(Found {
        title,
        severity: if rate >= 100.0 { Severity::Critical } else { Severity::Warning },
        harms: vec![Harm::Share(each)],
        sure: Sure::Seen,
        measured,
        places: facts.callers(Marks::HTTP),
        evidence,
    })
}

/// When connections were opened, by the client's events.
fn established(facts: &Facts<'_>) -> Vec<i64> {
    let events = &facts.recording.events;
    let kinds = events.kind_name.iter().zip(&events.kind_provider);
    let opens = kinds.map(|(name, provider)| {
        facts.text(*name) == "ConnectionEstablished" && facts.text(*provider) == "System.Net.Http"
    });
    let opens: ByKind<bool> = opens.collect();
    let rows = events.kind.iter().zip(&events.ts_ns);
    rows.filter(|(kind, _)| opens.get(**kind) == Some(&true)).map(|(_, ts_ns)| *ts_ns).collect()
}

/// When connections were opened, by spans.
fn setups(facts: &Facts<'_>) -> Vec<i64> {
    let spans = &facts.recording.spans;
    let rows = spans.name.iter().zip(&spans.start_ns);
    rows.filter(|(name, _)| facts.text(**name).starts_with("HTTP connection_setup"))
        .map(|(_, ts_ns)| *ts_ns)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// Calls in ten seconds, and connections closed.
    fn scene(calls: f64, closed: f64) -> Scene {
        let mut scene = Scene::new();
        scene.meter("http.client.request.duration", calls, 5.0, "");
        if closed > 0.0 {
            scene.counter(0, "http.client.connection.duration", "count", closed, "");
        }
        scene
    }

    #[test]
    fn a_connection_for_each_call_is_said() {
        assert_eq!(scene(100.0, 100.0).says(&RULE), says(Severity::Warning, ""));
        assert_eq!(scene(2000.0, 2000.0).says(&RULE), says(Severity::Critical, ""));
    }

    #[test]
    fn a_shared_clients_connections_and_few_calls_are_ordinary() {
        let check = |calls, closed, speaks| {
            assert_eq!(scene(calls, closed).says(&RULE).is_some(), speaks, "{calls} calls, {closed} closed");
        };
        check(1000.0, 20.0, false);
        check(100.0, 45.0, false);
        check(100.0, 55.0, true);
        check(15.0, 15.0, false);
    }

    #[test]
    fn the_first_connections_of_a_shared_client_are_opened_once() {
        let check = |opened, speaks| {
            let mut scene = Scene::lasting(1, 2);
            scene.meter("http.client.request.duration", 24.0, 5.0, "");
            (0..opened)
                .for_each(|at| scene.event(at, "System.Net.Http", "ConnectionEstablished", 0.into(), &[]));
            assert_eq!(scene.says(&RULE).is_some(), speaks, "{opened} opened");
        };
        check(16, false);
        check(24, true);
    }
}
