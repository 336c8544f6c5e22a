//! The number of open files or sockets keeps growing, or is at its limit.

use crate::facts::{Facts, count, percent, said};
use crate::hostfacts::{Growth, host_rows, lacks_descriptors};
use crate::need::Need;
use crate::places::{Places, busiest_route};
use crate::rule::{Found, Rule, Threshold};
use crate::score::{Harm, Sure};
use report::{EvidenceRows, Measured, Severity, View};

const GROWTH: Threshold = Threshold {
    name: "growth of the number of open descriptors",
    value: 50.0,
    unit: "",
    source: "measured: up to 20 in healthy services under steady load, once their clients have connected",
};
const RELATIVE: Threshold = Threshold {
    name: "growth relative to the number at the start",
    value: 0.2,
    unit: "share",
    source: "a service with thousands of connections opens and closes hundreds of them",
};
const STEADY: Threshold = Threshold {
    name: "share of pairs of readings of which the later is larger",
    value: 0.9,
    unit: "share",
    source: "Kendall's tau of 0.8: if descriptors were closed again, the number would fall in between",
};
const AT_LIMIT: Threshold = Threshold {
    name: "open descriptors, share of their limit, max",
    value: 0.95,
    unit: "share",
    source: "the next connections fail; measured: up to 0.013 in healthy services under load. Passing this alone is enough",
};
/// Growth by connections made at the beginning ends there, so this share of it must come in the second half.
const LATER: f64 = 0.35;
/// A shorter recording shows no trend.
const SHORTEST_SECONDS: f64 = 5.0;
/// The readings of the host that show it.
const NAMES: [&str; 5] = [
    "process.open_files",
    "process.open_files.file",
    "process.open_files.socket",
    "process.open_files.other",
    "limit.open_files",
];
/// If the limit is reached within this time, it is critical.
const SOON_SECONDS: f64 = 3600.0;

pub(super) const RULE: Rule = Rule {
    id: "descriptor-growth",
    about: "the number of open files or sockets keeps growing, or is at the limit of the process",
    needs: &[Need::Descriptors],
    thresholds: &[GROWTH, RELATIVE, STEADY, AT_LIMIT],
    silent: "if clients make and keep the connections (the growth ends, or the service has as many client connections), or if descriptors are closed again",
    why: "Each open file, socket, pipe and kernel timer takes a descriptor, and a process may have only so many (`ulimit -n`). \
          A `FileStream`, `Socket` or `HttpClient` that is not disposed of keeps its descriptor until its finalizer runs, which needs a \
          collection of its generation. If something still refers to it, it keeps the descriptor forever. At the limit no file \
          can be opened and no connection accepted: \"Too many open files\".",
    tries: &[
        "Dispose of what you open on every path, also after an exception: `using`. Search for `new FileStream`, `File.Open`, `new Socket`, `new HttpClient`, `Process.Start`",
        "See what they are: `ls -l /proc/PID/fd | awk '{print $NF}' | sort | uniq -c | sort -n`, or `lsof -p PID`",
        "Until it is fixed, raise the limit (`LimitNOFILE=`, `--ulimit nofile=`), which only buys time",
    ],
    verify: "Record a minute under the same load: `process.open_files` in the table `host` stays level.",
    places_of: "the exceptions",
    view: View { shows: "the numbers of open files", lane: "resident", tab: "/sql", metric: None },
    before: &[],
    absorbs: &[],
    check,
};

/// The largest number of open descriptors, and their limit, if nearly all were in use.
pub(crate) fn at_limit(facts: &Facts<'_>) -> Option<(f64, f64)> {
    let limit = facts.recording.last_of_host("limit.open_files").filter(|limit| *limit >= 1.0)?;
    let readings = facts.recording.of_host("process.open_files");
    let most = readings.into_iter().map(|(_, value)| value).max_by(f64::total_cmp)?;
    (most >= AT_LIMIT.value * limit).then_some((most, limit))
}

fn check(facts: &Facts<'_>) -> Option<Found> {
    match at_limit(facts) {
        Some((most, limit)) => Some(exhausted(facts, most, limit)),
        None => growing(facts),
    }
}

/// Descriptors at their limit. Whether they still grow cannot be seen, and does not matter.
fn exhausted(facts: &Facts<'_>, most: f64, limit: f64) -> Found {
    let exceptions = &facts.recording.exceptions;
    let rows = (0..exceptions.ts_ns.len()).filter_map(|at| exceptions.row(at));
    let mut failed = Places::default();
    let mut times = Vec::new();
    for row in rows.filter(|row| lacks_descriptors(facts, row)) {
        times.push(row.ts_ns);
        failed.add(facts, row.stack, row.thread, row.ts_ns, 1.0);
    }
    let failures = count(times.len());
    let failed_text = match times.len() {
        0 => String::new(),
        1 => "; 1 exception says \"Too many open files\"".to_owned(),
        _ => format!("; {} exceptions say \"Too many open files\"", said(failures)),
    };
    let title = format!(
        "{} of the {} file descriptors that the process may have are open{failed_text}",
        said(most),
        said(limit)
    );
    let mut measured = vec![AT_LIMIT.measured(most / limit)];
    let mut evidence = vec![host_rows(facts, &NAMES)];
    if failures > 0.0 {
        let name = "exceptions because no descriptor was left";
        measured.push(Measured { name, value: failures, unit: "", threshold: None });
        let sql = "select ts_ns, exceptions.type, message, frames.name as innermost from exceptions left join stacks on stacks.id = exceptions.stack \
                   left join frames on frames.id = stacks.frame where message like '%Too many open files%' order by ts_ns limit 100";
        evidence.push(EvidenceRows::of("exceptions", sql, times.into_iter()));
    }
    let places = if failed.is_empty() { busiest_route(facts) } else { failed.top(facts) };
    // A burst between two readings uses up the last few: opening fails from here on, whether it was recorded or not.
    let is_full = failures > 0.0 || most >= 0.99 * limit;
    Found {
        title,
        severity: if is_full { Severity::Critical } else { Severity::Warning },
        harms: vec![Harm::Share(most / limit)],
        sure: if is_full { Sure::Seen } else { Sure::Inferred },
        measured,
        places,
        evidence,
    }
}

/// The number of descriptors keeps growing.
fn growing(facts: &Facts<'_>) -> Option<Found> {
    let growth = Growth::of(&facts.recording.of_host("process.open_files"))?;
    let grown = growth.grown();
    let relative = grown / growth.from.max(1.0);
    if growth.seconds < SHORTEST_SECONDS
        || grown < GROWTH.value
        || relative < RELATIVE.value
        || growth.rising < STEADY.value
        || growth.later < LATER
        || clients(facts) >= 0.5 * grown
    {
        return None;
    }
    let limit = facts.recording.last_of_host("limit.open_files");
    let left =
        limit.filter(|_| growth.a_second > 0.0).map(|limit| ((limit - growth.to) / growth.a_second).max(0.0));
    let soon = left.is_some_and(|seconds| seconds <= SOON_SECONDS);
    let kind = kind(facts).unwrap_or("descriptors");
    let end = limit.zip(left).map_or_else(String::new, |(limit, seconds)| {
        format!(
            "; at this rate the limit of {} is reached in {}",
            said(limit),
            report::unit::duration(seconds * 1e3)
        )
    });
    let title = format!(
        "The number of open {kind} grows by {}/s: {} more in {} s, {} descriptors in total{end}",
        said(growth.a_second),
        said(grown),
        said(growth.seconds),
        said(growth.to)
    );
    let mut measured =
        vec![GROWTH.measured(grown), RELATIVE.measured(relative), STEADY.measured(growth.rising)];
    measured.push(Measured {
        name: "growth per second",
        value: growth.a_second,
        unit: "1/s",
        threshold: None,
    });
    if let Some(limit) = limit {
        let name = "limit of open descriptors";
        measured.push(Measured { name, value: limit, unit: "", threshold: None });
    }
    let title = if growth.rising > 0.99 {
        title
    } else {
        format!("{title} ({} of the readings rise)", percent(growth.rising))
    };
    Some(Found {
        title,
        severity: if soon { Severity::Critical } else { Severity::Warning },
        // Of the descriptors that are open at the end.
        harms: vec![Harm::Share(grown / growth.to.max(1.0))],
        sure: Sure::Trend { rising: growth.rising },
        measured,
        places: busiest_route(facts),
        evidence: vec![host_rows(facts, &NAMES)],
    })
}

/// How many more client connections there are: a service with more clients leaks nothing.
fn clients(facts: &Facts<'_>) -> f64 {
    let names = ["kestrel.active_connections", "current-connections"];
    let grown = names.into_iter().find_map(|name| {
        let values = runtime::metered_totals(facts.recording, name, "value");
        Some(values.last()?.1 - values.first()?.1)
    });
    grown.unwrap_or(0.0).max(0.0)
}

/// What nearly all of the growth consists of. Kinds are not read for a process with many descriptors.
fn kind(facts: &Facts<'_>) -> Option<&'static str> {
    const NEARLY_ALL: f64 = 0.8;
    let all = facts.recording.of_host("process.open_files");
    let kinds = [("files", "file"), ("sockets", "socket"), ("pipes and events", "other")];
    let is_most = |kind: &str| {
        let readings = facts.recording.of_host(&format!("process.open_files.{kind}"));
        let (first, last) = (readings.first()?, readings.last()?);
        let at = |ns: i64| all.iter().find(|(of, _)| *of == ns).map(|(_, value)| *value);
        let grown = at(last.0)? - at(first.0)?;
        (grown > 0.0 && last.1 - first.1 >= NEARLY_ALL * grown).then_some(())
    };
    kinds.into_iter().find_map(|(words, kind)| is_most(kind).map(|()| words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    fn check(open: impl Fn(f64) -> f64, limit: f64, expected: Option<Severity>) {
        let mut scene = Scene::lasting(12, 2);
        scene.host("process.open_files", |second| open(second).round());
        scene.host("process.open_files.file", |second| (open(second) - 100.0).max(0.0));
        scene.host("limit.open_files", |_| limit);
        assert_eq!(scene.says(&RULE).map(|of| of.0), expected);
    }

    #[test]
    fn descriptors_that_grow_are_told_and_are_critical_near_the_limit() {
        check(|second| 200.0 + 10.0 * second, 1e6, Some(Severity::Warning));
        check(|second| 200.0 + 10.0 * second, 1024.0, Some(Severity::Critical));
    }

    #[test]
    fn connections_that_come_at_first_and_those_that_come_and_go_are_no_leak() {
        check(|second| 200.0 + 100.0 * second.min(3.0), 1024.0, None);
        check(|second| 200.0 + 60.0 * (second % 4.0), 1024.0, None);
        check(|second| 200.0 + 3.0 * second, 1024.0, None);
        check(|second| 5000.0 + 20.0 * second, 65536.0, None);
    }

    #[test]
    fn descriptors_at_their_limit_from_the_start_are_told_and_their_exceptions_are_not_memory() {
        let scene = |open: f64, thrown: i64| {
            let mut scene = Scene::lasting(3, 2);
            scene.host("process.open_files", |_| open);
            scene.host("limit.open_files", |_| 20_000.0);
            let text = "Too many open files : '/etc/hostname'";
            (0..thrown).for_each(|at| scene.throws(at, "System.IO.IOException", text, &[WORK, CART]));
            let start = "System.Private.CoreLib!System.Threading.Thread.StartCore";
            scene.throws(900, "System.OutOfMemoryException", "", &[WORK, CART, start]);
            scene
        };
        assert_eq!(scene(20_000.0, 900).says(&RULE), says(Severity::Critical, CART));
        let title = scene(20_000.0, 900).title(&RULE);
        assert!(title.contains("20,000 of the 20,000") && title.contains("900 exceptions"), "{title}");
        assert_eq!(scene(19_500.0, 0).says(&RULE).map(|of| of.0), Some(Severity::Warning));
        assert_eq!(scene(18_000.0, 0).says(&RULE), None);
        assert_eq!(scene(20_000.0, 900).says(&crate::rules::memory_limit::RULE), None);
        assert_eq!(scene(20_000.0, 900).says(&crate::rules::exceptions::RULE), None);
        assert!(scene(300.0, 900).says(&crate::rules::exceptions::RULE).is_some());
    }

    #[test]
    fn clients_that_connect_and_stay_are_no_leak() {
        let mut scene = Scene::lasting(12, 2);
        scene.host("process.open_files", |second| 200.0 + 20.0 * second);
        for second in 0..12 {
            let value = f64::from(second) * 20.0;
            scene.counter(i64::from(second) * 1000, "kestrel.active_connections", "value", value, "{}");
        }
        assert_eq!(scene.says(&RULE), None);
    }
}
