//! A queue and a closed network in their steady state.

use super::words::{number, time};
use crate::page::{Page, Tone, cut};
use crate::width::Width;
use anstyle::Style;
use capacity::{Network, Queue, Servers, State, Step};

/// The width of a number.
const NUMBER: usize = 9;
/// Letters of a station's name in the table.
const NAME: usize = 14;
/// Stations that are listed.
const MAX_STATIONS: usize = 20;

/// The page of a queue.
pub fn queue(queue: &Queue, width: Width) -> String {
    let mut page = Page::new(width);
    page.title(&queue.notation());
    let servers = match queue.servers() {
        Servers::Of(1) => "1 server".to_owned(),
        Servers::Of(servers) => format!("{} servers", number(base::number::real_u64(servers))),
        Servers::Unlimited => "a server for each request".to_owned(),
    };
    let places = match queue.places() {
        Some(places) => format!(" · {} places", number(base::number::real_u64(places))),
        None => String::new(),
    };
    let text = format!(
        "{}/s arrive at random times · {servers}, each busy for {} per request on average{places}",
        number(queue.arrivals()),
        time(1.0 / queue.service())
    );
    page.line("", &text);
    page.gap();
    match queue.state() {
        Some(state) => steady(&mut page, queue, &state),
        None => unstable(&mut page, queue),
    }
    page.into_text()
}

fn unstable(page: &mut Page, queue: &Queue) {
    let Servers::Of(servers) = queue.servers() else { return };
    let capacity = base::number::real_u64(servers) * queue.service();
    let (arrivals, most) = (number(queue.arrivals()), number(capacity));
    let growth = queue.arrivals() - capacity;
    let grows = if growth > 0.0 {
        format!("the queue grows by {}/s without limit", number(growth))
    } else {
        "the queue has no limit: without spare time it never shrinks for long".to_owned()
    };
    page.block(
        "unstable",
        Tone::Bad,
        &format!("{arrivals}/s arrive and {most}/s is all that the servers can do: {grows}."),
    );
    if let Some(least) = queue.least_servers() {
        page.line(
            "",
            &format!("It takes {} servers or more to keep up.", number(base::number::real_u64(least))),
        );
    }
}

fn steady(page: &mut Page, queue: &Queue, state: &State) {
    let percent = |share: f64| format!("{} %", number(share * 100.0));
    if queue.servers() != Servers::Unlimited {
        let offered = number(state.offered);
        page.line(
            "busy",
            &format!(
                "{} of the time, each server · offered work: {offered} servers",
                percent(state.utilization)
            ),
        );
    }
    if let Some(refused) = state.refused {
        let text = format!(
            "{} of the arrivals find no place (Erlang B if places = servers) · {}/s are served",
            percent(refused),
            number(state.throughput)
        );
        page.block("refused", if refused > 0.0 { Tone::Warning } else { Tone::Plain }, &text);
    }
    if queue.servers() != Servers::Unlimited {
        let name = if queue.places().is_none() { " (Erlang C)" } else { "" };
        page.line(
            "waiting",
            &format!(
                "{} have to wait{name}, for {} on average",
                percent(state.waits),
                time(state.wait_of_waiting)
            ),
        );
    }
    let text = format!("{} in all, {} of them waiting", number(state.there), number(state.queue));
    page.line("there", &text);
    page.line("empty", &format!("{} of the time", percent(state.empty)));
    page.gap();
    times(page, queue, state);
    if queue.places().is_some() {
        page.line("", "With a limit of places, percentiles have no closed form.");
    }
    page.gap();
    page.line("", "This holds for independent arrivals, exponential service times, and first come, first served. Real service times vary less or more; then so do the waits.");
}

/// Mean and percentiles of waiting and response time, as many as have room.
fn times(page: &mut Page, queue: &Queue, state: &State) {
    const NAME: usize = 10;
    let all = [("p99", 0.99), ("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99.9", 0.999)];
    let room = page.room().saturating_sub(NAME + NUMBER) / NUMBER;
    let mut shares: Vec<(&str, f64)> = all.into_iter().take(room).collect();
    shares.sort_by(|one, other| one.1.total_cmp(&other.1));
    let heads: String = shares.iter().map(|(head, _)| cell(head)).collect();
    page.line_as("time", &format!("{:NAME$}{}{heads}", "", cell("mean")), Style::new().dimmed());
    let row = |page: &mut Page, name: &str, mean: f64, of: &dyn Fn(f64) -> Option<f64>| {
        let cells = shares.iter().map(|(_, share)| cell(&of(*share).map_or_else(|| "–".to_owned(), time)));
        let line = format!("{name:NAME$}{}{}", cell(&time(mean)), cells.collect::<String>());
        page.line_as("", &line, Style::new());
    };
    row(page, "waiting", state.wait, &|share| queue.wait_quantile(share));
    row(page, "response", state.response, &|share| queue.response_quantile(share));
}

/// A cell of a table.
fn cell(text: &str) -> String {
    format!("{text:>NUMBER$}")
}

/// The page of a closed network. The last step is the number of users that was asked for.
pub fn network(network: &Network, steps: &[Step], width: Width) -> String {
    let mut page = Page::new(width);
    page.title("closed network");
    let stations: Vec<String> = (network.stations().iter().take(MAX_STATIONS))
        .map(|of| format!("{} {}", of.name, time(of.demand)))
        .collect();
    let think = if network.think() > 0.0 {
        format!("users think for {} · ", time(network.think()))
    } else {
        String::new()
    };
    page.line("", &format!("{think}a request needs {}", stations.join(", ")));
    page.gap();
    let bottleneck = network.bottleneck().map_or_else(String::new, |of| format!(", set by {}", of.name));
    page.block(
        "limit",
        Tone::Plain,
        &format!("{}/s with any number of users{bottleneck}", number(network.limit())),
    );
    let text = format!(
        "{} users: with fewer, requests seldom wait; with more, throughput hardly grows and each user adds to the response time",
        number(network.knee())
    );
    page.line("knee", &text);
    page.gap();
    let has_busiest = page.room() >= 3 * NUMBER + 25;
    let busiest_head = if has_busiest { "   busiest station" } else { "" };
    let heads = ["users", "rate", "response"].map(cell).concat();
    page.line_as("exact", &format!("{heads}{busiest_head}"), Style::new().dimmed());
    for step in steps {
        let busiest = network.utilization(step.throughput).max_by(|one, other| one.1.total_cmp(&other.1));
        let busiest = busiest.filter(|_| has_busiest);
        let busiest = busiest.map_or_else(String::new, |(name, share)| {
            format!("   {} {} %", cut(name, NAME), number(share * 100.0))
        });
        let users = number(base::number::real_u64(step.users));
        let rate = format!("{}/s", number(step.throughput));
        let line = [users, rate, time(step.response)].map(|text| cell(&text)).concat();
        page.line_as("", &(line + &busiest), Style::new());
    }
    page.into_text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use capacity::Station;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_queue_has_its_figures_or_says_that_it_grows() {
        let of = |arrivals, servers, places| {
            let of = Queue::new(arrivals, 10.0, Servers::Of(servers), places).unwrap();
            plain(&queue(&of, Width::default()))
        };
        let text = of(35.0, 4, None);
        for expected in ["M/M/4", "87.5 % of the time", "73.79 % have to wait (Erlang C)", "248 ms"] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        let text = of(41.0, 4, None);
        assert!(
            text.contains("the queue grows by 1/s without") && text.contains("It takes 5 servers"),
            "{text}"
        );
        assert!(of(41.0, 4, Some(8)).contains("percentiles have no closed form"));
    }

    #[test]
    fn every_width_has_lines_that_fit() {
        let name = "a station with a long name".to_owned();
        let of = Network::new(vec![Station { name, demand: 0.1 }], 1.0).unwrap();
        let steps = of.solve(2_000, &of.usual(2_000)).unwrap();
        let queues = [(35.0, None), (35.0, Some(100)), (50.0, None)]
            .map(|(arrivals, places)| Queue::new(arrivals, 10.0, Servers::Of(4), places).unwrap());
        for columns in [40, 60, 80, 160] {
            let width = Width::of(columns);
            let pages = queues.iter().map(|of| queue(of, width)).chain([network(&of, &steps, width)]);
            for page in pages.map(|page| plain(&page)) {
                let widest = page.lines().map(|line| line.chars().count()).max().unwrap();
                assert!(widest <= columns, "{columns}: {widest}\n{page}");
            }
        }
    }

    #[test]
    fn a_network_has_its_knee_and_its_steps() {
        let of = Network::new(vec![Station { name: "db".to_owned(), demand: 0.1 }], 1.0).unwrap();
        let text = plain(&network(&of, &of.solve(20, &of.usual(20)).unwrap(), Width::default()));
        for expected in
            ["10/s with any number of users, set by db", "11 users", "9.981/s", "1.00 s", "db 99.81 %"]
        {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }
}
