//! `casebook capacity queue` and `casebook capacity users`: what models say, without measurements.

use crate::format::{Format, print_json};
use crate::{duration, terminal};
use anyhow::Result;
use capacity::{Network, Queue, Servers, Station};
use std::process::ExitCode;
use std::time::Duration;

const QUEUE_HELP: &str = "\
Examples:
  casebook capacity queue --arrivals 35/s --service 100ms --servers 4              # M/M/4: a pool of 4, Erlang C
  casebook capacity queue --arrivals 8 --service 10/s                              # M/M/1
  casebook capacity queue --arrivals 8/s --service 250ms --servers 5 --places 12   # M/M/5/12: at most 7 wait, others are refused
  casebook capacity queue --arrivals 3/min --service 4min --servers 15 --places 15 # nobody waits: Erlang B
  casebook capacity queue --arrivals 3/s --service 2s --servers unlimited          # M/M/∞

A queue that cannot keep up is an answer, not an error: it says how many servers it takes.";

const USERS_HELP: &str = "\
Examples:
  casebook capacity users 20 --think 1s --demand db=100ms
  casebook capacity users 500 --think 5s --demand cpu=8ms --demand db=12ms --demand disk=3ms

The demand of a station is the time that a request needs of it, over all its visits, without waiting: utilization / throughput.";

/// Say how long requests wait in a queue, from how often they arrive and how long each takes (M/M/1, M/M/c, M/M/c/K, M/M/∞, Erlang B and C)
#[derive(Debug, clap::Args)]
#[command(after_help = QUEUE_HELP)]
pub(super) struct QueueArgs {
    /// How often requests arrive on average: 35/s, 35 (per second), 2100/min, 5/h
    #[arg(long, value_name = "RATE", value_parser = rate)]
    arrivals: f64,
    /// How long a server is busy with a request on average: 100ms; or how many one server can do: 10/s
    #[arg(long, value_name = "TIME|RATE", value_parser = service)]
    service: f64,
    /// How many requests are served at once: threads, connections of a pool, CPU cores; or `unlimited`
    #[arg(long, value_name = "N", value_parser = servers, default_value = "1")]
    servers: Servers,
    /// How many requests may be there at once, waiting or in service. Others are refused [default: no limit]
    #[arg(long, value_name = "K")]
    places: Option<u64>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Say what a number of users get who think between requests, from the time that a request needs of each station (exact mean value analysis)
#[derive(Debug, clap::Args)]
#[command(after_help = USERS_HELP)]
pub(super) struct UsersArgs {
    /// How many users
    #[arg(value_name = "N")]
    users: u64,
    /// How long a user waits between an answer and the next request, on average
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    think: Option<Duration>,
    /// The time that a request needs of a station, as db=100ms. Once for each station
    #[arg(long = "demand", value_name = "STATION=TIME", value_parser = station, required = true)]
    demands: Vec<Station>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A rate per second: `35/s`, `35`, `2100/min`.
fn rate(text: &str) -> Result<f64, String> {
    let (number, unit) = text.trim().split_once('/').unwrap_or((text.trim(), "s"));
    let seconds = match unit.trim() {
        "s" | "sec" | "second" => 1.0,
        "min" | "m" | "minute" => 60.0,
        "h" | "hour" => 3600.0,
        _ => return Err(not_a_rate(text)),
    };
    let number: f64 = number.trim().parse().map_err(|_no_number| not_a_rate(text))?;
    let rate = number / seconds;
    if rate.is_finite() && rate > 0.0 { Ok(rate) } else { Err(not_a_rate(text)) }
}

fn not_a_rate(text: &str) -> String {
    format!("`{text}` is not a rate: expected 35/s, 2100/min or 5/h, above 0")
}

/// What one server does per second, from its time for one or its rate. A number alone could be either.
fn service(text: &str) -> Result<f64, String> {
    let text = text.trim();
    if text.parse::<f64>().is_ok() {
        return Err(format!(
            "`{text}` has no unit: expected a time per request (100ms) or requests per time (10/s)"
        ));
    }
    if text.contains('/') { rate(text) } else { Ok(1.0 / duration::parse(text)?.as_secs_f64()) }
}

fn servers(text: &str) -> Result<Servers, String> {
    match text.trim() {
        "unlimited" | "inf" | "∞" => Ok(Servers::Unlimited),
        number => number
            .parse()
            .map(Servers::Of)
            .map_err(|_no_number| format!("`{text}` is not a number of servers: expected 4, or unlimited")),
    }
}

fn station(text: &str) -> Result<Station, String> {
    let (name, time) = text.split_once('=').unwrap_or(("service", text));
    let name = base::steering::printable(name.trim()).into_owned();
    if name.is_empty() || name.chars().count() > 40 {
        return Err(format!("`{text}` is not a demand: expected db=100ms, with a name of up to 40 letters"));
    }
    Ok(Station { name, demand: duration::parse(time)?.as_secs_f64() })
}

pub(super) fn queue(args: &QueueArgs) -> Result<ExitCode> {
    let queue = Queue::new(args.arrivals, args.service, args.servers, args.places)?;
    match args.format {
        Format::Json => print_json(&capacity::queue_document(&queue))?,
        Format::Text => terminal::print(&text::capacity::queue(&queue, terminal::width()))?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn users(args: &UsersArgs) -> Result<ExitCode> {
    let think = args.think.unwrap_or_default().as_secs_f64();
    let network = Network::new(args.demands.clone(), think)?;
    let steps = network.solve(args.users, &network.usual(args.users))?;
    match args.format {
        Format::Json => print_json(&capacity::network_document(&network, &steps))?,
        Format::Text => terminal::print(&text::capacity::network(&network, &steps, terminal::width()))?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_times_are_read_with_their_units() {
        assert_eq!(
            ["35", "35/s", "2100/min", "126000 / h"].map(|text| rate(text).unwrap().to_bits()),
            [35f64.to_bits(); 4]
        );
        for text in ["", "0", "-1", "1/x", "x/s", "nan", "inf"] {
            assert!(rate(text).is_err(), "{text}");
        }
        assert_eq!(
            ["100ms", "10/s", "600/min", "0.1s"].map(|text| service(text).unwrap().to_bits()),
            [10f64.to_bits(); 4]
        );
        assert!(service("10").unwrap_err().contains("has no unit"));
        assert!(service("x").is_err() && servers("x").is_err() && servers("-1").is_err());
        assert_eq!((servers("4"), servers("unlimited")), (Ok(Servers::Of(4)), Ok(Servers::Unlimited)));
        assert_eq!(station("db=100ms"), Ok(Station { name: "db".to_owned(), demand: 0.1 }));
        assert!(station("=1s").is_err() && station("db=x").is_err() && station("db=").is_err());
    }
}
