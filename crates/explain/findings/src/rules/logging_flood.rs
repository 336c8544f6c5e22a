//! Logging that takes a notable share of the time, or waits for its sink.

use crate::facts::{Facts, count, percent, said};
use crate::need::Need;
use crate::places::in_place;
use crate::queries;
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use report::{EvidenceRows, Measured, Severity, View};
use runtime::{Group, Marks, State};

const SHARE: Threshold = Threshold {
    name: "share of the working time spent in logging, or waiting for its sink",
    value: 0.2,
    unit: "share",
    source: "measured: below 0.1 with one line per request, 0.3 to 0.7 with dozens. This or one of the next is enough",
};
const WAITING: Threshold = Threshold {
    name: "threads waiting for the log's sink, on average",
    value: 0.2,
    unit: "",
    source: "the console logger's queue holds 2,500 lines; threads that log faster than the sink writes wait for it",
};
const LINES: Threshold = Threshold {
    name: "lines per request",
    value: 10.0,
    unit: "",
    source: "our judgement: a few lines can describe a request; needs the profile logs",
};
/// With fewer lines per second, the number per request does not matter.
const FEW_LINES: f64 = 200.0;

pub(super) const RULE: Rule = Rule {
    id: "logging-flood",
    about: "logging takes a notable share of the time, or blocks on its sink",
    needs: &[Need::Running],
    thresholds: &[SHARE, WAITING, LINES],
    silent: "for a few lines per request",
    why: "A line is formatted on the thread that logs it, then passed to the sink. The console logger has a bounded queue and one \
          thread that writes (`ConsoleLoggerProcessor`), and a terminal or pipe takes no more than tens of thousands of lines per second. \
          When the queue is full, `ILogger.Log` waits, in the middle of the request, and the request holds its locks meanwhile.",
    tries: &[
        "Raise the level of that category (`Logging:LogLevel`), or log once what is now logged in a loop",
        "`LoggerMessage` source generation: no formatting and no boxing for disabled levels",
        "A sink that does not make threads wait: `QueueFullMode = DropWrite` for the console, or an asynchronous exporter; sampling",
    ],
    verify: "Record the same load again: `Microsoft.Extensions.Logging` disappears from the samples, and requests per second rise.",
    places_of: "the samples in logging",
    view: View { shows: "what writes the log", lane: "logs", tab: "/stacks", metric: Some("running") },
    before: &["lock-contention", "high-allocation-rate", "cpu-hot-path"],
    absorbs: &[],
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let logging = |group: &Group| facts.index.marks(group.stack).has(Marks::LOGGING);
    // The sink's own thread waits for lines and writes them: that costs the logging threads nothing.
    let in_work = |group: &Group| facts.is_pool(group);
    let running = |group: &Group| in_work(group) && facts.is_busy(group) && logging(group);
    let (log_busy, busy) =
        (facts.threads(running), facts.threads(|group| in_work(group) && facts.is_busy(group)));
    let waits = |group: &Group| in_work(group) && group.state == State::Waiting && logging(group);
    let (at_locks, by_events) = waited_in_events(facts);
    let waiting = facts.threads(waits).max(by_events);
    let lines = count(facts.recording.logs.ts_ns.len());
    let per_second = lines / facts.seconds();
    let per_request = facts.per_request(per_second).unwrap_or(0.0);
    let many = per_request >= LINES.value && per_second >= FEW_LINES;
    let of_work = (log_busy + waiting) / (busy + waiting).max(0.01);
    if (of_work < SHARE.value || log_busy + waiting < 0.15) && waiting < WAITING.value && !many {
        return None;
    }
    let places = facts.places(|group| running(group) || waits(group)).top(facts);
    let title = format!(
        "Logging{} takes {} of the working time{}",
        in_place(&places),
        percent(of_work),
        if waiting >= WAITING.value {
            format!("; on average {} threads wait for the sink", said(waiting))
        } else {
            String::new()
        }
    );
    let under = "frames.type like 'Microsoft.Extensions.Logging.%' or frames.type like 'Serilog.%' or frames.type like 'NLog.%' \
                 or frames.type like 'log4net.%' or frames.type = 'System.Console' or frames.type like 'System.Diagnostics.Trace%'";
    let seen = |group: &Group| running(group) || waits(group);
    let mut evidence = vec![queries::samples_under(facts, under, "threads.kind = 'pool'", seen)];
    let sql = "select stack, count(*) as waits, sum(dur_ns) / 1e6 as waited_ms, min(ts_ns) as first_ts_ns, max(ts_ns) as last_ts_ns from contention \
               where dur_ns is not null group by 1 order by 3 desc limit 20";
    evidence.push(EvidenceRows::of("contention", sql, at_locks.into_iter()));
    let mut measured = vec![SHARE.measured(of_work), WAITING.measured(waiting)];
    if lines > 0.0 {
        measured.push(LINES.measured(per_request));
        measured.push(Measured { name: "lines per second", value: per_second, unit: "1/s", threshold: None });
        let sql = "select logger, level, count(*) as lines, min(ts_ns) as first_ts_ns, max(ts_ns) as last_ts_ns from logs group by 1, 2 order by 3 desc limit 20";
        evidence.insert(0, EvidenceRows::of("logs", sql, facts.recording.logs.ts_ns.iter().copied()));
    }
    Some(Found {
        title,
        severity: if of_work >= 0.6 { Severity::Critical } else { Severity::Warning },
        harms: vec![
            Harm::Share(of_work),
            Harm::Beyond { value: if many { per_request } else { 0.0 }, harmless: LINES.value },
        ],
        sure: Sure::Seen,
        measured,
        places,
        evidence,
    })
}

/// When threads waited for locks of logging, from events, and how many did on average.
fn waited_in_events(facts: &Facts<'_>) -> (Vec<i64>, f64) {
    let rows = &facts.recording.contention;
    let rows = (0..rows.ts_ns.len()).filter_map(|at| rows.row(at));
    let of_logging = rows.filter(|row| facts.index.marks(row.stack).has(Marks::LOGGING));
    let ended: Vec<_> = of_logging.filter_map(|row| Some((row.ts_ns, facts.lasted(row.dur_ns)?))).collect();
    let ns: f64 = ended.iter().map(|(_, ns)| ns).sum();
    (ended.into_iter().map(|(ts_ns, _)| ts_ns).collect(), ns / 1e9 / facts.seconds())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn work_that_logs_and_waits_for_the_sink_is_said_with_who_logs() {
        let mut busy = Scene::new();
        busy.workers_run(1, 0..40, &[WORK, CART, LOG]);
        busy.workers_run(1, 0..60, &[WORK, CART]);
        assert_eq!(busy.says(&RULE), says(Severity::Warning, CART));
        let mut waits = Scene::new();
        waits.workers_wait(3, 0..LOOKS, "monitor", &[WORK, CART, LOG, WAIT]);
        assert_eq!(waits.says(&RULE), says(Severity::Critical, CART));
    }

    #[test]
    fn a_line_for_each_request_and_the_sinks_own_thread_cost_nothing() {
        let check = |logging, speaks| {
            let mut scene = Scene::new();
            scene.workers_run(1, 0..logging, &[WORK, CART, LOG]);
            scene.workers_run(1, 0..LOOKS - logging, &[WORK, CART]);
            let sink = scene.thread("user");
            let stack = [
                "Microsoft.Extensions.Logging.Console!Microsoft.Extensions.Logging.Console.ConsoleLoggerProcessor.ProcessLogQueue",
                WAIT,
            ];
            scene.waits(sink, 0..LOOKS, "monitor", &stack);
            assert_eq!(scene.says(&RULE).is_some(), speaks, "{logging} looks");
        };
        check(15, false);
        check(35, true);
    }

    #[test]
    fn lines_for_each_request_count_where_there_are_many() {
        let check = |lines, requests, speaks| {
            let mut scene = Scene::new();
            (0..lines).for_each(|at| scene.logs(at));
            scene.meter("http.server.request.duration", requests, 5.0, "");
            assert_eq!(scene.says(&RULE).is_some(), speaks, "{lines} for {requests}");
        };
        check(2_100, 300.0, false);
        check(2_100, 200.0, true);
        check(1_900, 10.0, false);
    }
}
