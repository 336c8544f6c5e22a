//! `cargo xtask live behaviours`: records each behaviour of the two services, and holds what is said against its label.

use super::backend::Backend;
use super::common::{Common, Kept};
use super::judge;
use super::load::Load;
use super::services::{Ground, Start};
use super::session::{Casebook, client, write};
use super::table::{self, Behaviour};
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use cargo_metadata::camino::Utf8Path;
use serde_json::Value;
use std::time::Duration;

/// How long each behaviour is recorded.
const SECONDS: u64 = 12;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
}

/// Whether everything that was judged is right.
pub(crate) fn run(args: &Args, workspace: &Workspace) -> Result<bool> {
    let Some(Kept { ground, casebook, out }) = args.common.prepare(workspace, "behaviours")? else {
        return Ok(true);
    };
    let behaviours = args.common.wanted(table::read(workspace)?, |behaviour| &behaviour.name)?;
    if args.common.records() {
        record(&ground, &casebook, &behaviours, &out)?;
    }
    if !args.common.judges() {
        return Ok(true);
    }
    let mut right = 0;
    for behaviour in &behaviours {
        right += usize::from(judge(&casebook, behaviour, &out)?);
    }
    println!("right in {right} of {}", behaviours.len());
    Ok(right == behaviours.len())
}

fn record(ground: &Ground, casebook: &Casebook, behaviours: &[Behaviour], out: &Utf8Path) -> Result<()> {
    let backend = Backend::start()?;
    ground.compile(behaviours.iter().map(|behaviour| behaviour.service.as_str()))?;
    for behaviour in behaviours {
        record_one(ground, casebook, &backend, behaviour, out).with_context(|| behaviour.name.clone())?;
    }
    Ok(())
}

fn record_one(
    ground: &Ground,
    casebook: &Casebook,
    backend: &Backend,
    behaviour: &Behaviour,
    out: &Utf8Path,
) -> Result<()> {
    eprintln!("recording {}", behaviour.name);
    let environment: Vec<_> = behaviour.environment.clone().into_iter().collect();
    let service = ground.start(&Start {
        service: &behaviour.service,
        environment: &environment,
        backend: &backend.url(),
        wrapper: &[],
    })?;
    let load = Load::start(service.port, &behaviour.load)?;
    std::thread::sleep(Duration::from_secs(behaviour.warmup));
    let interval = casebook.record(service.pid(), SECONDS, "default", &out.join(&behaviour.name))?;
    // Clients whose answers never come end only after the service does.
    load.stop();
    drop(service);
    let seen = client(&load.finish()?, backend, interval)?;
    eprintln!("  {} requests/s, {} errors", seen["requests_per_second"], seen["errors"]);
    write(&out.join(format!("{}.client.json", behaviour.name)), &seen)
}

/// Prints one line; whether it is right.
fn judge(casebook: &Casebook, behaviour: &Behaviour, out: &Utf8Path) -> Result<bool> {
    let exhibit = out.join(&behaviour.name);
    let said = casebook.json(&["explain", exhibit.as_str()])?;
    let faults = judge::faults(&said, &behaviour.label);
    let client =
        std::fs::read_to_string(out.join(format!("{}.client.json", behaviour.name))).unwrap_or_default();
    let client: Value = serde_json::from_str(&client).unwrap_or_default();
    let ids = judge::heavy_ids(&said).join(", ");
    let says = if ids.is_empty() { "nothing above note".to_owned() } else { ids };
    let word = if faults.is_empty() { "right" } else { "WRONG" };
    println!("{word} {}: {}: {says}{}", behaviour.name, judge::state(&said), traffic(&client));
    for fault in &faults {
        println!("      {fault}");
    }
    if !faults.is_empty() {
        println!("      the code: {}", behaviour.label.about);
        println!("      an expert: {}", behaviour.label.expert);
    }
    Ok(faults.is_empty())
}

/// What the client saw, route by route.
fn traffic(client: &Value) -> String {
    let routes = client["routes"].as_array().into_iter().flatten();
    let words = routes.map(|route| {
        format!(
            "; {} {:.0}/s p50 {:.1} ms p99 {:.1} ms",
            route["route"].as_str().unwrap_or_default(),
            route["requests_per_second"].as_f64().unwrap_or(f64::NAN),
            route["p50_ms"].as_f64().unwrap_or(f64::NAN),
            route["p99_ms"].as_f64().unwrap_or(f64::NAN),
        )
    });
    words.collect()
}
