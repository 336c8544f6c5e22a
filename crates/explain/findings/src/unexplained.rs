//! The verdict's text if something is wrong but the recording does not show why: what is known, and what to do next.

use crate::facts::{Facts, percent, real_u64, said};
use crate::failing::Failing;
use crate::slowness::Slowness;
use report::unit::{duration, range};
use runtime::{Bounds, Tail, Unending, Work, allowance_in_words};

/// Requests take about equally long if the p99 is no more than this many medians.
const ALIKE: f64 = 1.5;
/// Requests pile up if at least this many more are under way at the end than at the beginning.
const MORE: f64 = 3.0;

/// The verdict's text.
pub(crate) fn text(facts: &Facts<'_>, of: &Slowness) -> String {
    match of {
        Slowness::Failing(of) => failing(facts, of),
        Slowness::Unending(of) => unending(facts, of),
        Slowness::Requests { route, work, explained } => slow(facts, route, work, *explained),
        Slowness::Tail { tail, explained } => slow_tail(facts, tail, *explained),
        Slowness::Queue { what, from, to } => format!(
            "The number of {what} keeps growing, from {} to {}, and nothing in the recording explains it. {}.",
            said(*from),
            said(*to),
            next(facts)
        ),
        Slowness::Cpu { route, took: (ms, what), share } => {
            let next = if facts.sampling.is_some() {
                "no single method explains that. The flame graph of `casebook open` shows all of them"
            } else {
                "there are no samples to show for what. Record with --profile default"
            };
            format!(
                "{} take {} {what}, and in the busiest quarter of the seconds the service uses at least {} of {}; {next}.",
                named(route),
                duration(*ms),
                percent(*share),
                allowed(facts)
            )
        }
    }
}

fn named(route: &str) -> String {
    if route.is_empty() { "Requests".to_owned() } else { format!("Requests to {route}") }
}

/// The CPU that the service may use.
fn allowed(facts: &Facts<'_>) -> String {
    facts.recording.allowance().map_or_else(|| "the CPU that it may use".to_owned(), allowance_in_words)
}

/// How much of the CPU the service used on average: the same figure that the page shows.
fn cpu(facts: &Facts<'_>) -> Option<String> {
    let share = facts.recording.metric("cpu.share")?;
    Some(format!("the service uses {} of {}", percent(share), allowed(facts)))
}

/// What to do next about slow requests.
fn next(facts: &Facts<'_>) -> &'static str {
    if facts.recording.has_each_request() {
        "Look in the code for what they await: a SemaphoreSlim, a channel, a delay, a dependency without a meter. The tab \
         Requests of `casebook open` shows each of them"
    } else {
        "Record with --profile requests"
    }
}

/// How much of the time is explained.
fn why(ms: f64, explained: f64) -> String {
    if explained < 0.01 {
        "nothing in the recording explains it".to_owned()
    } else {
        format!("the recording explains only {} of it ({})", duration(ms * explained), percent(explained))
    }
}

fn slow(facts: &Facts<'_>, route: &str, work: &Work, explained: f64) -> String {
    let p50_ms = work.p50_ms.unwrap_or(0.0);
    let took = |of: Bounds| range(of.low, of.high, "ms");
    let at_p50 = work.p50.map_or_else(|| duration(p50_ms), took);
    let p99 = work.p99.filter(|p99| p99.high >= p50_ms);
    let at_p99 = p99.map_or_else(String::new, |p99| format!(" and {} at p99", took(p99)));
    let under_way = format!("On average {} of them are in flight", said(work.under_way()));
    let cpu = cpu(facts).map_or_else(String::new, |cpu| format!(", while {cpu}"));
    let are_alike = work.p50.zip(p99).is_some_and(|(p50, p99)| p99.high <= ALIKE * p50.low);
    let alike = if are_alike {
        " They all take about equally long, as with a fixed delay, or in a queue for something that only a few may use at a \
         time."
    } else {
        ""
    };
    format!(
        "{} take {at_p50} at p50{at_p99}, and {}. {under_way}{cpu}.{alike} {}.",
        named(route),
        why(p50_ms, explained),
        next(facts)
    )
}

fn slow_tail(facts: &Facts<'_>, tail: &Tail, explained: f64) -> String {
    let half =
        tail.work.p50_ms.map_or_else(String::new, |ms| format!(", where the median is {}", duration(ms)));
    let cpu = cpu(facts).map_or_else(String::new, |cpu| format!(", while {cpu}"));
    let route = if tail.route.is_empty() { String::new() } else { format!(" to {}", tail.route) };
    format!(
        "At least {} of the requests{route} ({} of {}) take about {}{half}, and {}. On average {} of these slow ones are in \
         flight{cpu}. {}.",
        percent(tail.share()),
        said(tail.slow.round()),
        said(tail.work.count),
        duration(tail.slow_ms),
        why(tail.slow_ms, explained),
        said(tail.under_way),
        next(facts)
    )
}

fn unending(facts: &Facts<'_>, of: &Unending) -> String {
    let stuck = said(of.stuck.round());
    let what = if of.last - of.first >= MORE.max(of.first / 4.0) {
        let (first, last) = (said(of.first), said(of.last));
        format!(
            "Requests pile up: {first} were in flight at the beginning, {last} at the end, and at least {stuck} of them do not end"
        )
    } else {
        format!("At least {stuck} requests are in flight all the time and do not end")
    };
    let others = match of.ended_ms {
        Some(ms) => format!(", while others take {} on average", duration(ms)),
        None => String::from("; no other ended"),
    };
    let next = match &of.route {
        Some(route) => format!(
            "Most go to {route}: look there for something that is awaited but never completes. `casebook query` has them as rows of \
             requests without dur_ns"
        ),
        None if facts.recording.has_each_request() => {
            "They are the rows of requests without dur_ns (`casebook query`)".to_owned()
        }
        None => "Record with --profile requests, which names their routes".to_owned(),
    };
    format!(
        "{what}{others}. Nothing in the recording says what they wait for. {next}. Requests that are held open on purpose \
         (server-sent events, long polling) look the same."
    )
}

fn failing(facts: &Facts<'_>, of: &Failing) -> String {
    let place = match (&of.of_route, &of.worst) {
        (Some(route), _) => format!(" to {route}"),
        (None, _) => String::new(),
    };
    let most = match &of.worst {
        Some((route, share)) if *share >= 0.995 => format!(", all of them to {route}"),
        Some((route, share)) => format!(", {} of them to {route}", percent(*share)),
        None => String::new(),
    };
    let with = match of.with.as_slice() {
        [] => String::new(),
        list => format!(", with {}", list.join(" and ")),
    };
    let thrown = match &of.thrown {
        Some((class, times)) => {
            // The same type may be named already, as what ended the requests.
            let class = if of.with.contains(class) { "It" } else { class };
            let times = said(real_u64(*times));
            format!("{class} was thrown {times} times; the tab Exceptions of `casebook open` shows where")
        }
        None if facts.recording.session.profile.as_deref() == Some("logs") => {
            "Nothing in the recording says why. The table `logs` has what the service logged".to_owned()
        }
        None => {
            "Nothing in the recording says why. Record with --profile logs, and read what the service logs"
                .to_owned()
        }
    };
    format!(
        "{} of the requests{place} fail ({} of {}){most}{with}. {thrown}.",
        percent(of.failures.share()),
        said(of.failures.failed),
        said(of.failures.of)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;
    use runtime::StackIndex;

    const REQUESTS: &str = "http.server.request.duration";

    fn says(scene: Scene) -> String {
        let recording = scene.done();
        let index = StackIndex::new(&recording);
        crate::explanation(&recording, &index).verdict.unwrap().text
    }

    #[test]
    fn requests_that_wait_in_line_are_told_with_how_many_wait_and_what_to_do() {
        let mut scene = Scene::new();
        for second in 1..=10 {
            for (kind, value) in [("count", 50.0), ("sum", 15.0), ("p50", 0.3), ("p99", 0.31)] {
                scene.counter(second * 1000, REQUESTS, kind, value, r#"{"http.route":"/cart"}"#);
            }
        }
        let text = says(scene);
        for part in [
            "Requests to /cart take 300 ms at p50 and 310 ms at p99, and nothing in the recording explains it.",
            "On average 15 of them are in flight",
            "They all take about equally long",
            "Record with --profile requests.",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn the_cpu_that_the_verdict_names_is_the_figure_of_the_page() {
        let mut scene = Scene::new();
        scene.meter(REQUESTS, 1000.0, 300.0, r#"{"http.route":"/cart"}"#);
        // Some seconds are busier than the mean.
        for (second, percent) in [(1, 10.0), (2, 10.0), (3, 40.0), (4, 40.0)] {
            scene.counter(second * 1000, "cpu-usage", "value", percent, "");
        }
        let name = scene.recording.text("cpu.share");
        scene.recording.metrics.push(model::MetricRow { name, value: 0.25, ..model::MetricRow::blank() });
        let recording = scene.done();
        let index = StackIndex::new(&recording);
        let of = crate::explanation(&recording, &index);
        let share = of.parts.iter().find(|part| part.id == "cpu").unwrap().value("cpu.share").unwrap();
        let text = of.verdict.unwrap().text;
        assert!(text.contains(&format!("the service uses {} of", percent(share))), "{text}");
    }

    #[test]
    fn failures_and_requests_that_pile_up_are_told_with_their_numbers() {
        let mut failing = Scene::new();
        let tags =
            |status: &str| format!(r#"{{"http.route":"/pay","http.response.status_code":"{status}"}}"#);
        failing.meter(REQUESTS, 900.0, 1.0, &tags("503"));
        failing.meter(REQUESTS, 100.0, 1.0, &tags("200"));
        let text = says(failing);
        let begins = "90 % of the requests fail (900 of 1,000), all of them to /pay, with status 503.";
        assert!(text.starts_with(begins), "{text}");
        let mut hanging = Scene::new();
        hanging.meter(REQUESTS, 1000.0, 1.0, &tags("200"));
        for second in 1..=10 {
            let under_way = 4.0 * base::number::real(second);
            hanging.counter(second * 1000, "http.server.active_requests", "value", under_way, "{}");
        }
        let text = says(hanging);
        let begins = "Requests pile up: 4 were in flight at the beginning, 40 at the end, and at least 20 of them do not end";
        assert!(text.starts_with(begins), "{text}");
    }
}
