//! `casebook load --scenario FILE`: reads the file and those that it names, and the options that it stands for.

use super::{Args, Objective, rate};
use crate::duration;
use anyhow::{Context, Result, anyhow, bail};
use load::Loaded;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The largest scenario file, in bytes.
const MAX_SCENARIO: u64 = 16 << 20;
/// The largest file that a scenario names, in bytes.
const MAX_FILE: u64 = 64 << 20;

/// Reads the scenario, if there is one. Options that the command line does not have are set from it.
pub(super) fn read(args: &mut Args) -> Result<Option<Loaded>> {
    let Some(path) = args.scenario.clone() else { return Ok(None) };
    let said = || path.display().to_string();
    let bytes = read_file(&path, MAX_SCENARIO).with_context(|| format!("cannot read {}", said()))?;
    let text = String::from_utf8(bytes).with_context(|| format!("{} is not text", said()))?;
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let beside = |name: &str| read_file(&folder.join(name), MAX_FILE);
    let loaded = Loaded::parse(&text, args.url.as_deref(), args.seed, &beside, &duration::parse);
    let loaded = loaded.with_context(said)?;
    let in_file = |error: String| anyhow!("{}: {error}", said());
    if let Some(text) = &loaded.rate
        && args.rate.is_none()
        && args.users.is_none()
        && args.arrivals.is_none()
    {
        args.rate = Some(rate(text).map_err(in_file)?);
    }
    if args.duration.is_none() {
        args.duration = loaded.duration.as_deref().map(duration::parse).transpose().map_err(in_file)?;
    }
    if args.objectives.is_empty() {
        let parsed = loaded.slo.iter().map(|text| text.parse::<Objective>());
        args.objectives = parsed.collect::<Result<_, _>>().with_context(said)?;
    }
    args.connecting.yes_this_host.extend(loaded.allow.iter().cloned());
    Ok(Some(loaded))
}

/// Reads a file that is one: a pipe or a device might never end.
pub(super) fn read_file(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    read_all(File::open(path)?, limit)
}

/// Reads everything, up to a limit.
pub(super) fn read_all(from: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = from.take(limit + 1).read_to_end(&mut bytes)?;
    let is_too_large = u64::try_from(read).unwrap_or(u64::MAX) > limit;
    if is_too_large {
        Err(io::Error::other(format!("it is larger than {} MiB", limit >> 20)))
    } else {
        Ok(bytes)
    }
}

/// The URL of a run without a scenario.
pub(super) fn url(url: Option<String>) -> Result<String> {
    let Some(url) = url else { bail!("expected a URL, or --scenario FILE") };
    Ok(url)
}
