//! Load runs: what `casebook load` writes (`run.json`, `latency.hlog`), and interval logs of HdrHistogram from other tools.
//!
//! ```text
//! run.json ──────▶ walk (members one by one) ──▶ run ────┐
//!                                                        ├─▶ finish: quantiles, metrics ─▶ Load
//! latency.hlog ──▶ hlog (lines) ──▶ histogram ──▶ counts ┘      ▲
//! requests.parquet, or requests.csv of a run that was killed ───┘
//! ```
//!
//! Either of the first two is enough. Of a latency that both have, the log's counts make the table `latency`, and the figures of
//! `run.json` stay as its writer computed them.

mod by_request;
mod counts;
mod finish;
mod histogram;
mod hlog;
mod requests;
mod run;
mod values;
mod walk;

use crate::error::Error;
use crate::feed::{Format, Job, Member};
use crate::head::Head;
use crate::names;
use crate::options::Options;
use model::{Evidence, Kind, Load};
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;

/// `run.json`: the account of a run.
pub(crate) static RUN: Format = Format {
    kind: Kind::Load,
    names: &names::LOAD_RUN,
    sniff: sniff_run,
    read,
    read_stream: stream_run,
    beside: REQUESTS,
};

/// An interval log of HdrHistogram.
pub(crate) static HLOG: Format = Format {
    kind: Kind::Load,
    names: &names::LOAD_HLOG,
    sniff: hlog::sniff,
    read,
    read_stream: stream_hlog,
    beside: REQUESTS,
};

/// The requests one by one, if the run kept them.
const REQUESTS: &[&str] = &[requests::PARQUET, requests::TEXT];

/// The largest `run.json` that is read: its lines by second for half a year.
const MAX_RUN_BYTES: usize = 512 << 20;
/// The largest log that is read: two years of seconds.
const MAX_LOG_BYTES: usize = 512 << 20;

/// Our own writer puts its version first.
fn sniff_run(head: &Head) -> bool {
    let text = head.bytes().strip_prefix(b"\xef\xbb\xbf").unwrap_or(head.bytes()).trim_ascii_start();
    text.starts_with(b"{") && head.contains(b"\"casebook_load\"")
}

/// What was read so far.
#[derive(Default)]
struct Reader {
    load: Load,
    run: run::Found,
    log: hlog::Found,
}

fn read(job: &mut Job<'_>, files: &[Member]) -> Result<Evidence, Error> {
    if let Some(process) = job.process {
        return Err(Error::NoProcess { path: job.name.clone(), process });
    }
    let mut reader = Reader::default();
    job.each_file(files, &mut reader, |reader| &mut reader.load.lost, read_file)?;
    if let Some(surroundings) = &job.surroundings {
        let Load { exhibit, lost, .. } = &mut reader.load;
        surroundings.describe(exhibit, lost);
        if let Ok(folder) = exhibit::Folder::open(&surroundings.folder) {
            requests::read_folder(&folder, &mut reader.load);
        }
    }
    Ok(reader.finish(&job.name).into())
}

fn read_file(job: &mut Job<'_>, file: &Member, reader: &mut Reader) -> Result<(), Error> {
    let is_run = std::ptr::eq(file.format, &raw const RUN);
    if is_run && reader.run.is_read {
        let what = "is a second account of a run: the first one counts".to_owned();
        reader.load.lost.note_file(&file.path, what);
        return Ok(());
    }
    let most = if is_run { MAX_RUN_BYTES } else { MAX_LOG_BYTES };
    let mut bytes = Vec::new();
    let mut is_cut = false;
    let fed = job.feed(&file.path, |piece, _| {
        let room = most.saturating_sub(bytes.len());
        bytes.extend_from_slice(piece.get(..room).unwrap_or(piece));
        is_cut |= piece.len() > room;
        Ok(if is_cut { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    let damage = fed.damage.or(is_cut.then_some("file of a load run larger than 512 MB: cut off"));
    let name = file.path.display().to_string();
    if is_run {
        reader.read_run(&bytes, damage.is_some()).map_err(Error::format(&name))?;
    } else {
        reader.read_log(&bytes).map_err(Error::format(&name))?;
    }
    let lost = &mut reader.load.lost;
    if let Some(what) = damage {
        lost.damage.note(what, fed.bytes);
    }
    if let Some(what) = fed.left {
        lost.note_file(&file.path, what);
    }
    Ok(())
}

impl Reader {
    fn read_run(&mut self, bytes: &[u8], is_cut: bool) -> Result<(), run::RunError> {
        self.run.read(&mut self.load, bytes, is_cut)
    }

    fn read_log(&mut self, bytes: &[u8]) -> Result<(), hlog::LogError> {
        self.log.read(&mut self.load, bytes)
    }

    fn finish(self, name: &str) -> Load {
        let Self { mut load, mut run, log } = self;
        run.of_requests(&mut load);
        name.clone_into(&mut load.exhibit.file);
        finish::finish(&mut load, &run, log);
        load
    }
}

fn stream_run(stream: &mut dyn Read, name: &str, _options: Options) -> Result<Evidence, Error> {
    let mut reader = Reader::default();
    let bytes = all_of(stream, name, MAX_RUN_BYTES)?;
    reader.read_run(&bytes, false).map_err(Error::format(name))?;
    Ok(reader.finish(name).into())
}

fn stream_hlog(stream: &mut dyn Read, name: &str, _options: Options) -> Result<Evidence, Error> {
    let mut reader = Reader::default();
    let bytes = all_of(stream, name, MAX_LOG_BYTES)?;
    reader.read_log(&bytes).map_err(Error::format(name))?;
    Ok(reader.finish(name).into())
}

fn all_of(stream: &mut dyn Read, name: &str, most: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    stream.take(base::number::wide(most)).read_to_end(&mut bytes).map_err(Error::io(Path::new(name)))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
