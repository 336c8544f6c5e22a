//! `casebook load --scenario FILE`: reads the file and those that it names.

use crate::duration;
use anyhow::{Context, Result};
use load::Loaded;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The largest scenario file, in bytes.
const MAX_SCENARIO: u64 = 16 << 20;
/// The largest file that a scenario names, in bytes.
const MAX_FILE: u64 = 64 << 20;

/// Reads a scenario and the files that it names. `url` takes precedence over its own.
pub(super) fn read(path: &Path, url: Option<&str>, seed: u64) -> Result<Loaded> {
    let said = || path.display().to_string();
    let bytes = read_file(path, MAX_SCENARIO).with_context(|| format!("cannot read {}", said()))?;
    let text = String::from_utf8(bytes).with_context(|| format!("{} is not text", said()))?;
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let beside = |name: &str| read_file(&folder.join(name), MAX_FILE);
    Loaded::parse(&text, url, seed, &beside, &duration::parse).with_context(said)
}

/// Reads a file that is one: a pipe or a device might never end.
pub(crate) fn read_file(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    read_all(File::open(path)?, limit)
}

/// Reads everything, up to a limit.
pub(crate) fn read_all(from: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = from.take(limit + 1).read_to_end(&mut bytes)?;
    let is_too_large = u64::try_from(read).unwrap_or(u64::MAX) > limit;
    if is_too_large {
        Err(io::Error::other(format!("it is larger than {} MiB", limit >> 20)))
    } else {
        Ok(bytes)
    }
}
