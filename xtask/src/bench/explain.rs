//! Explaining traces: what the rules cost beside the reading that they stand on.

use super::decode::recordings;
use super::figures::{median, timed};
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use cargo_metadata::camino::Utf8Path;

const ROUNDS: usize = 5;

/// Reads recordings and holds all rules against them.
pub(crate) fn explain(workspace: &Workspace) -> Result<()> {
    println!("# explain: reading into tables on two cores, then all rules, then all figures of the page");
    println!(
        "{:<16} {:>6} {:>9} {:>9} {:>9} {:>9} {:>13}",
        "", "MB", "read s", "rules s", "figures s", "sum s", "rules/reading"
    );
    for (name, path) in recordings(workspace)? {
        let rounds: Vec<[f64; 3]> = (0..ROUNDS).map(|_| once(&path)).collect::<Result<_>>()?;
        let of = |at: usize| median(rounds.iter().filter_map(|round| round.get(at).copied()).collect());
        let (reading, rules, figures) = (of(0), of(1), of(2));
        println!(
            "{name:<16} {:>6.0} {reading:>9.3} {rules:>9.3} {figures:>9.3} {:>9.3} {:>12.2}x",
            std::fs::metadata(&path)?.len() as f64 / 1e6,
            reading + rules + figures,
            rules / reading,
        );
    }
    Ok(())
}

/// Seconds of reading, of the rules and of the figures.
fn once(path: &Utf8Path) -> Result<[f64; 3]> {
    let options = import::Options { payloads: false, threads: 2 };
    let (recording, reading) = timed(|| import::open(path.as_std_path(), options));
    let recording = recording?.into_trace().context("expected a trace")?;
    let (_, rules) = timed(|| std::hint::black_box(findings::explain(&recording)));
    let (_, figures) = timed(|| std::hint::black_box(runtime::parts(&recording)));
    Ok([reading, rules, figures])
}
