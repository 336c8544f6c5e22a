//! Requests: their way through the server, how many are in flight, percentiles, parts of their time.

use crate::facts::TopicFacts;
use crate::topic::{Id, Topic};
use crate::words::{bytes, counted, is_one, listed, ms, number, only, plain, share, was, when};
use model::CountedBy;
use runtime::{Basis, InFlight, Work};

/// The topic.
pub(crate) fn topic(facts: &TopicFacts<'_>) -> Topic {
    let mut topic = Topic::new(Id::Requests);
    let part = facts.part("requests");
    let work = runtime::request_work(facts.recording);
    let flight = runtime::in_flight(facts.recording);
    topic.figures_of(
        part,
        &[
            "count",
            "rate",
            "p50",
            "p50.low",
            "p50.high",
            "p90",
            "p99",
            "p99.low",
            "p99.high",
            "max",
            "p50.middle",
            "p99.middle",
            "p99.highest",
        ],
    );
    let of = |name| facts.value("requests", name);
    topic.figure(
        "failed",
        of("failed"),
        "",
        "Requests answered with a status of 500 or above, or ended by an exception",
    );
    topic.figure("failed.share", of("failed.share"), "share", "Share of requests that failed");
    topic.figure("unfinished", of("unfinished"), "", "Requests whose end was not recorded");
    topic.figure("mean", work.map(|work| work.mean_seconds() * 1e3), "ms", "Mean time of a request");
    topic.figure("in_flight.mean", flight.as_ref().map(|of| of.mean), "", "Requests in flight, on average");
    topic.figure("in_flight.most", flight.as_ref().map(|of| of.most), "", "Requests in flight, max");
    topic.figure(
        "mean.little",
        flight.as_ref().and_then(|of| of.mean_seconds).map(|s| s * 1e3),
        "ms",
        "Mean time of a request, by Little's law",
    );
    topic.figure("connections", connections(facts), "", "Open connections, max of the readings");
    topic.course_of(part, "began");
    topic.series.extend(flight.as_ref().map(|of| of.course.clone()));
    topic.list_of(part, "paths", 8);
    path(&mut topic, facts);
    little(&mut topic, flight.as_ref(), work.as_ref());
    percentiles(&mut topic, facts, work.as_ref());
    routes(&mut topic, facts);
    meter(&mut topic, work.as_ref());
    queueing(&mut topic, facts);
    parts(&mut topic, facts, work.as_ref());
    spans(&mut topic, facts);
    topic.missing_of(part);
    topic.lacks(
        flight.is_none(),
        if facts.recording.missing.events > 0 {
            "requests in flight: events were lost, so starts and stops do not match"
        } else {
            "requests in flight: no start or stop was recorded (needs the profile default)"
        },
    );
    topic
}

fn connections(facts: &TopicFacts<'_>) -> Option<f64> {
    let open = runtime::metered_totals(facts.recording, "kestrel.active_connections", "value");
    open.into_iter().map(|(_, open)| open).max_by(f64::total_cmp)
}

fn path(topic: &mut Topic, facts: &TopicFacts<'_>) {
    let count = facts.recording.ended_requests().map_or_else(String::new, |of| {
        let by = match of.by {
            CountedBy::Events => "recorded",
            CountedBy::Meter if facts.recording.requests_are_partial() => {
                "counted by the meter, which leaves some routes out"
            }
            CountedBy::Meter => "counted by the meter",
            CountedBy::Counter => "counted by the event counter",
            CountedBy::Bursts => "recorded in bursts",
        };
        let requests = counted(of.count, "request", "requests");
        format!(
            "Here {requests} {} {by}, {} per second of the time that was counted.",
            was(of.count),
            number(of.per_second())
        )
    });
    topic.say(
        "path",
        &[
            plain(
                "When a Kestrel socket becomes readable, an I/O thread queues the connection's continuation to the thread pool. A pool thread parses the request and runs \
                 the middleware and the endpoint up to the first unfinished await. Hosting reports the start before the first middleware and \
                 the stop after the last. What came before (accepting, TLS, waiting for a pool thread) is only in the client's figures.",
            ),
            count,
            when(connections(facts), |open| format!("Kestrel had up to {} when its meter was read.", counted(open, "open connection", "open connections"))),
        ],
    );
}

fn little(topic: &mut Topic, flight: Option<&InFlight>, work: Option<&Work>) {
    let measured = flight.map_or_else(String::new, |of| {
        let under_way =
            format!("Here {} in flight on average (max {})", of_requests(of.mean), number(of.most));
        match of.mean_seconds {
            Some(mean) => format!(
                "{under_way}, and {} ended, so a request took {} on average.",
                number(of.ended),
                ms(mean * 1e3)
            ),
            None => format!("{under_way}, and none ended."),
        }
    });
    let from_work = match (flight, work) {
        (None, Some(work)) => format!(
            "Here {} ended per second and took {} each, so {} in flight on average.",
            counted(work.per_second(), "request", "requests"),
            ms(work.mean_seconds() * 1e3),
            of_requests(work.under_way())
        ),
        _ => String::new(),
    };
    let checked = match (flight.and_then(|of| of.mean_seconds), work) {
        (Some(little), Some(work)) if little > 0.0 => {
            let mean = work.mean_seconds();
            let who = if work.basis == Basis::Meter { "The meter" } else { "The requests' own times" };
            format!(
                "{who} say{} {}. If the two differ, requests were in flight at the beginning or the end of the recording.",
                if work.basis == Basis::Meter { "s" } else { "" },
                ms(mean * 1e3)
            )
        }
        _ => String::new(),
    };
    topic.say(
        "little",
        &[
            plain(
                "Little's law: the number in flight equals the rate times the mean time, for any order, distribution or routes. Starts and \
                 stops need not be paired: counting both gives the number in flight, and dividing that by the rate gives the mean time.",
            ),
            measured,
            from_work,
            checked,
            plain("It also helps to size things: a pool of ten connections that are each used for 20 ms cannot serve more than 500 requests per second."),
        ],
    );
}

fn of_requests(count: f64) -> String {
    let noun = counted(count, "request was", "requests were");
    if is_one(count) { "1 request was".to_owned() } else { noun }
}

fn percentiles(topic: &mut Topic, facts: &TopicFacts<'_>, work: Option<&Work>) {
    let of = |name| facts.value("requests", name);
    let mean = work.map(|work| work.mean_seconds() * 1e3);
    let exact = match (of("p50"), of("p99"), of("max"), mean) {
        (Some(p50), Some(p99), Some(max), Some(mean)) => format!(
            "Here the mean was {}, the median {}, the p99 {}, and the slowest request took {}.",
            ms(mean),
            ms(p50),
            ms(p99),
            ms(max)
        ),
        _ => String::new(),
    };
    let within =
        |name: &'static str, low: &'static str, high: &'static str| match (of(name), of(low), of(high)) {
            (Some(value), _, _) => Some(ms(value)),
            (None, Some(low), Some(high)) => Some(format!("between {} and {}", ms(low), ms(high))),
            _ => None,
        };
    let (p50, p99) = (within("p50", "p50.low", "p50.high"), within("p99", "p99.low", "p99.high"));
    let metered = match (p50, p99, mean, of("max")) {
        (Some(p50), Some(p99), Some(mean), None) => format!(
            "Here the mean was {}; the median of all requests is {p50}, the p99 {p99}. The meter's quantiles are per second and \
             route, so those of all requests are only known within bounds.",
            ms(mean)
        ),
        _ => String::new(),
    };
    let apart = match (of("p50"), mean) {
        (Some(p50), Some(mean)) if p50 > 0.0 && mean > p50 * 1.2 => format!(
            "The mean is {} times the median, because of a few slow requests; hardly any request takes as long as the mean.",
            number(mean / p50)
        ),
        (Some(p50), Some(mean)) if p50 > 0.0 && mean >= p50 * 0.8 => {
            plain("Mean and median are close: slow requests take little of the total time.")
        }
        _ => String::new(),
    };
    topic.say(
        "percentiles",
        &[
            plain(
                "Request times have a long tail, so a mean shows neither the usual nor the bad case. Percentiles do: one request in a hundred is \
                 slower than the p99. A page with 20 calls meets the p99 with the chance 1 - 0.99^20, or 18 %: what is rare for a call is common for a user.",
            ),
            exact,
            metered,
            apart,
        ],
    );
}

fn routes(topic: &mut Topic, facts: &TopicFacts<'_>) {
    let routes = runtime::routes(facts.recording);
    let all: f64 = routes.iter().map(|(_, work)| work.seconds).sum();
    let top: Vec<String> = routes
        .iter()
        .take(4)
        .filter(|_| all > 0.0)
        .map(|(route, work)| {
            let name = if route.is_empty() { "without a name" } else { route };
            format!(
                "{name} {} ({}, {} each)",
                share(work.seconds / all),
                counted(work.count, "request", "requests"),
                ms(work.mean_seconds() * 1e3)
            )
        })
        .collect();
    topic.say(
        "routes",
        &[
            plain(
                "The latency of a whole service mixes routes that have nothing in common. The total time of a route's requests, its rate times its mean, \
                 shows how many of them are in flight, and so where an improvement matters.",
            ),
            only(!top.is_empty(), || format!("By total time: {}.", top.join(", "))),
            only(routes.len() > top.len() && !top.is_empty(), || {
                let more = base::number::count(routes.len() - top.len());
                format!("{} more {} less.", number(more), if is_one(more) { "route takes" } else { "routes take" })
            }),
        ],
    );
}

fn meter(topic: &mut Topic, work: Option<&Work>) {
    let basis = match work.map(|work| work.basis) {
        Some(Basis::Rows) => "Here each request was recorded, so percentiles are exact.",
        Some(Basis::Meter) => {
            "Here requests are only known from the meter: counts, sums and means are exact, percentiles are per interval and set of tags."
        }
        None => "",
    };
    topic.say(
        "meters",
        &[
            plain(
                "The meter http.server.request.duration publishes a count, a sum and some quantiles for each interval and set of tags (route, method, status). Counts and \
                 sums can be added. Quantiles cannot: the mean of two p99s is not a p99. Only the distributions themselves, or their buckets, can be \
                 combined.",
            ),
            plain(basis),
        ],
    );
}

fn queueing(topic: &mut Topic, facts: &TopicFacts<'_>) {
    let busy = runtime::busy_cpu_share(facts.recording).filter(|of| *of > 0.0 && *of < 0.99);
    topic.say(
        "queueing",
        &[
            plain(
                "If a server handles one request at a time and is busy for a share u of the time, requests that arrive at random wait u / (1 - u) times their own time on average: \
                 as long as the request itself at 50 %, nine times as long at 90 %. So latency does not grow evenly with load: it is flat at first and then \
                 rises steeply. The same holds for everything that is used one at a time: a CPU core, a lock, a connection.",
            ),
            when(busy, |of| format!("Here the CPU was at least {} busy in the busiest quarter of the seconds: a request would wait {} times its own time for a core. With several cores it is less, as they share one queue.", share(of), number(of / (1.0 - of)))),
            plain("A load generator that waits for a response before it sends the next request slows down with the server, which hides the wait (coordinated omission). Measure from when a request was due."),
        ],
    );
}

fn parts(topic: &mut Topic, facts: &TopicFacts<'_>, work: Option<&Work>) {
    let stopped = facts.value("gc", "pause.share").filter(|of| *of > 0.0);
    let calls = |what: &str, of: Option<Work>| match (of, work) {
        (Some(calls), Some(work)) if work.count > 0.0 && calls.count > 0.0 => {
            let each = calls.per_second() / work.per_second();
            let were = if is_one(each) { "was" } else { "were" };
            let each = counted(each, what, &format!("{what}s"));
            format!(
                "Averaged over all requests, including those that make none, there {were} {each} per request, {} each.",
                ms(calls.mean_seconds() * 1e3)
            )
        }
        _ => String::new(),
    };
    topic.say(
        "time",
        &[
            plain(
                "A request's time is spent running on a CPU core, waiting for one, waiting in the thread pool's queue, blocked on a lock, paused by the GC, or \
                 awaiting something else. A CPU profile only shows the first.",
            ),
            when(stopped, |of| format!("The GC paused a request here for {} of its time on average, if requests and pauses are spread evenly.", share(of))),
            calls("database call", runtime::database_calls(facts.recording)),
            calls("outgoing HTTP call", runtime::http_calls(facts.recording)),
            when(facts.value("allocation", "rate").zip(work).filter(|(rate, work)| *rate > 0.0 && work.count > 0.0).map(|(rate, work)| rate / work.per_second()), |each| {
                format!("Each allocated {}.", bytes(each))
            }),
        ],
    );
}

fn spans(topic: &mut Topic, facts: &TopicFacts<'_>) {
    let count = facts.value("spans", "count");
    let names: Vec<String> = facts
        .rows("spans", "names", 0)
        .iter()
        .take(3)
        .map(|(name, n)| format!("{} ({})", name.trim(), number(*n)))
        .collect();
    topic.say(
        "spans",
        &[
            plain(
                "A span (Activity) is one piece of work with a start, an end and a parent. The spans of a request form a tree across services, connected by the trace \
                 id in the header traceparent. A span's own time is what its children do not cover. Children that run one after another \
                 could often run concurrently.",
            ),
            when(count, |count| format!("Here {} ended while recording.", counted(count, "span", "spans"))),
            only(!names.is_empty(), || format!("The most frequent: {}.", listed(&names))),
            only(count.is_none(), || plain("This recording has none.")),
        ],
    );
    topic.missing_of(facts.part("spans"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{NO_INT, Trace};

    fn text(times_ms: &[i64], heading: &str) -> String {
        let mut recording = Trace::default();
        recording.exhibit.duration_ns = 1_000_000_000;
        recording.covers("events", 0, 1_000_000_000);
        for ms in times_ms {
            recording.request(0, ms * 1_000_000, "/a", NO_INT);
        }
        let topic = crate::facts::topic_of(&recording, topic);
        topic.paragraphs.iter().find(|of| of.heading == heading).unwrap().text.clone()
    }

    #[test]
    fn the_number_under_way_follows_from_rate_and_mean() {
        let text = text(&[100, 300], "little");
        assert!(text.contains("Here 2 requests ended per second and took 200 ms each, so 0.40 requests were in flight on average."), "{text}");
    }

    #[test]
    fn a_tail_is_told_by_mean_and_median() {
        let text = text(&[10, 10, 10, 370], "percentiles");
        assert!(text.contains("Here the mean was 100 ms, the median 10 ms,"), "{text}");
        assert!(text.contains("The mean is 10 times the median"), "{text}");
    }

    #[test]
    fn one_route_is_told_with_one_request() {
        assert!(text(&[10], "routes").ends_with("By total time: /a 100 % (1 request, 10 ms each)."));
    }
}
