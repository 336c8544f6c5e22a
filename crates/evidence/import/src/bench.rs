//! Files of benchmarks: BenchmarkDotNet's full JSON (`*-report-full.json`).
//!
//! The harness writes a file for each class of benchmarks; those of one folder are read as one exhibit. Its figures are
//! taken as it writes them, and each of its measurements beside them.

mod json;
mod metrics;

use crate::error::Error;
use crate::feed::{Format, Job, Member};
use crate::head::Head;
use crate::names;
use crate::options::Options;
use json::Reader;
use model::{Evidence, Kind};
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;

pub(crate) static FORMAT: Format =
    Format { kind: Kind::Bench, names: &names::BENCH, sniff, read, read_stream, beside: &[] };

/// The largest file that is read: a hundred times the largest that was seen.
const MAX_BYTES: usize = 256 << 20;

/// The harness writes its own version among the first fields.
fn sniff(head: &Head) -> bool {
    let text = head.bytes().strip_prefix(b"\xef\xbb\xbf").unwrap_or(head.bytes()).trim_ascii_start();
    text.starts_with(b"{")
        && head.contains(b"\"HostEnvironmentInfo\"")
        && head.contains(b"\"BenchmarkDotNetVersion\"")
}

fn read(job: &mut Job<'_>, files: &[Member]) -> Result<Evidence, Error> {
    if let Some(process) = job.process {
        return Err(Error::NoProcess { path: job.name.clone(), process });
    }
    let mut reader = Reader::default();
    // The harness may write its results twice, the other time without the measurements: that copy comes last.
    let mut files = files.to_vec();
    files.sort_by_key(|file| file.path.to_string_lossy().contains("-brief"));
    let is_one_of_several = files.len() > 1;
    job.each_file(
        &files,
        &mut reader,
        |reader| &mut reader.bench.lost,
        |job, file, reader| read_file(job, &file.path, is_one_of_several, reader),
    )?;
    if let Some(surroundings) = &job.surroundings {
        surroundings.describe(&mut reader.bench.exhibit, &mut reader.bench.lost);
    }
    Ok(reader.finish(&job.name).into())
}

fn read_file(
    job: &mut Job<'_>,
    file: &Path,
    is_one_of_several: bool,
    reader: &mut Reader,
) -> Result<(), Error> {
    let name = file.display().to_string();
    let mut bytes = Vec::new();
    let mut is_cut = false;
    let fed = job.feed(file, |piece, _| {
        let room = MAX_BYTES.saturating_sub(bytes.len());
        bytes.extend_from_slice(piece.get(..room).unwrap_or(piece));
        is_cut |= piece.len() > room;
        Ok(if is_cut { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    let too_large = is_cut.then_some("file of benchmarks larger than 256 MB: cut off");
    let damage = fed.damage.or(too_large);
    let own_name =
        file.file_name().map(|name| name.to_string_lossy().into_owned()).filter(|_| is_one_of_several);
    let repeats = reader.read(&bytes, own_name.as_deref(), damage).map_err(Error::format(&name))?;
    let lost = &mut reader.bench.lost;
    if repeats {
        lost.note_file(file, "repeats the results of other files: not taken again".to_owned());
    }
    if let Some(what) = damage {
        lost.damage.note(what, fed.bytes);
    }
    if let Some(what) = fed.left {
        lost.note_file(file, what);
    }
    Ok(())
}

fn read_stream(stream: &mut dyn Read, name: &str, _options: Options) -> Result<Evidence, Error> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).map_err(Error::io(Path::new(name)))?;
    let mut reader = Reader::default();
    reader.read(&bytes, None, None).map_err(Error::format(name))?;
    Ok(reader.finish(name).into())
}
