//! `cargo xtask live pairs`: two recordings of the same load, one right after the other, must not differ; two whose
//! throughput differs by a fifth must.

use super::backend::Backend;
use super::common::{Common, Kept};
use super::load::{Answers, Group, Interval, Load};
use super::services::{Ground, ORDERS, Start};
use super::session::{Casebook, client, write};
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use cargo_metadata::camino::Utf8Path;
use serde_json::Value;
use std::time::Duration;

const SECONDS: u64 = 20;
/// Code is still compiled anew for some seconds under load; both recordings come after that.
const WARM_UP: Duration = Duration::from_secs(20);
/// What a changed load gets before it is recorded.
const SETTLE: Duration = Duration::from_secs(2);
/// Pairs of the same load.
const PAIRS: usize = 10;
/// Rows beyond noise that all these pairs together may have.
const ALLOWED: usize = 1;
/// The share of the load in the second recording of the pair that differs.
const LESS: f64 = 0.8;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
}

/// Two recordings of one process.
struct Pair {
    name: String,
    service: &'static str,
    load: Vec<Group>,
    /// The load of the second recording, of that of the first.
    share: f64,
}

/// What a comparison of two recordings says.
struct Compared {
    beyond: Vec<Value>,
    rows: usize,
}

/// Whether like pairs are silent, and the unlike one is not.
pub(crate) fn run(args: &Args, workspace: &Workspace) -> Result<bool> {
    let Some(Kept { ground, casebook, out }) = args.common.prepare(workspace, "pairs")? else {
        return Ok(true);
    };
    let pairs = args.common.wanted(pairs(), |pair| &pair.name)?;
    if args.common.records() {
        record(&ground, &casebook, &pairs, &out)?;
    }
    if !args.common.judges() {
        return Ok(true);
    }
    let (mut beyond, mut seen) = (0, true);
    for pair in &pairs {
        let compared = compare(&casebook, pair, &out)?;
        if pair.share < 1.0 {
            seen = compared.beyond.iter().any(is_throughput);
            println!(
                "{}: the difference in throughput is {}",
                pair.name,
                if seen { "seen" } else { "NOT SEEN" }
            );
        } else {
            beyond += compared.beyond.len();
        }
        println!("{}: {} of {} rows beyond noise", pair.name, compared.beyond.len(), compared.rows);
        for row in &compared.beyond {
            println!("      {}", line(row));
        }
    }
    println!("{beyond} rows beyond noise between recordings of the same load; {ALLOWED} allowed");
    Ok(beyond <= ALLOWED && seen)
}

/// Four mixes of three services in turn, and last a paced load that then is a fifth less.
fn pairs() -> Vec<Pair> {
    let group = |routes: &[&str], connections, pace| Group {
        routes: routes.iter().map(|&route| route.to_owned()).collect(),
        connections,
        pace,
    };
    let mix = |at: usize| match at % 4 {
        0 => (
            "parcels",
            vec![group(&["/parcels/{n}"], 4, Some(900.0)), group(&["/rates/{n}"], 8, Some(300.0))],
        ),
        1 => ("billing", vec![group(&["/balance/{n}", "/ping"], 6, None)]),
        2 => (ORDERS, vec![group(&["/json/60"], 4, None), group(&["/async/20"], 8, None)]),
        _ => (
            "billing",
            vec![
                group(&["/balance/{n}"], 4, Some(500.0)),
                group(&["/rate/{n}"], 8, None),
                group(&["/invoice/{n}"], 2, None),
            ],
        ),
    };
    let pair = |at: usize, name: String, share| {
        let (service, load) = mix(at);
        Pair { name, service, load, share }
    };
    let mut pairs: Vec<Pair> = (0..PAIRS).map(|at| pair(at, format!("pair-{:02}", at + 1), 1.0)).collect();
    pairs.push(pair(0, "pair-11-less".to_owned(), LESS));
    pairs
}

fn record(ground: &Ground, casebook: &Casebook, pairs: &[Pair], out: &Utf8Path) -> Result<()> {
    let backend = Backend::start()?;
    ground.compile(pairs.iter().map(|pair| pair.service))?;
    for pair in pairs {
        eprintln!("recording {}", pair.name);
        record_one(ground, casebook, &backend, pair, out).with_context(|| pair.name.clone())?;
    }
    Ok(())
}

fn record_one(
    ground: &Ground,
    casebook: &Casebook,
    backend: &Backend,
    pair: &Pair,
    out: &Utf8Path,
) -> Result<()> {
    let service = ground.start(&Start::plain(pair.service, &backend.url()))?;
    let exhibit = |letter: &str| out.join(format!("{}-{letter}", pair.name));
    let record = |letter: &str| casebook.record(service.pid(), SECONDS, "default", &exhibit(letter));
    let tell = |letter: &str, answers: &Answers, interval: Interval| -> Result<()> {
        let seen = client(answers, backend, interval)?;
        eprintln!("  {letter}: {} requests/s", seen["requests_per_second"]);
        write(&out.join(format!("{}-{letter}.client.json", pair.name)), &seen)
    };
    let load = Load::start(service.port, &pair.load)?;
    std::thread::sleep(WARM_UP);
    let first = record("a")?;
    if pair.share < 1.0 {
        tell("a", &load.finish()?, first)?;
        let less: Vec<Group> = pair.load.iter().map(|group| lessened(group, pair.share)).collect();
        let load = Load::start(service.port, &less)?;
        std::thread::sleep(SETTLE);
        let second = record("b")?;
        return tell("b", &load.finish()?, second);
    }
    let second = record("b")?;
    let answers = load.finish()?;
    tell("a", &answers, first)?;
    tell("b", &answers, second)
}

fn lessened(group: &Group, share: f64) -> Group {
    Group { pace: group.pace.map(|pace| pace * share), ..group.clone() }
}

fn compare(casebook: &Casebook, pair: &Pair, out: &Utf8Path) -> Result<Compared> {
    let [before, after] = ["a", "b"].map(|letter| out.join(format!("{}-{letter}", pair.name)));
    let said = casebook.json(&["diff", before.as_str(), after.as_str()])?;
    let rows = said["changes"].as_array().context("the comparison has no changes")?;
    let beyond = rows.iter().filter(|row| row["verdict"] == "beyond noise").cloned().collect();
    Ok(Compared { beyond, rows: rows.len() })
}

/// A row of throughput, of the whole service or of a route, that is lower in the second recording.
fn is_throughput(row: &Value) -> bool {
    let less =
        row["after"].as_f64().zip(row["before"].as_f64()).is_some_and(|(after, before)| after < before);
    row["subject"] == "throughput" && less
}

fn line(row: &Value) -> String {
    let word = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str| row[name].as_f64().map_or("unknown".to_owned(), |value| format!("{value:.4}"));
    let (subject, measure, name, unit) = (word("subject"), word("measure"), word("name"), word("unit"));
    format!("{subject}: {measure} {name}: {} → {} {unit}", number("before"), number("after"))
}
