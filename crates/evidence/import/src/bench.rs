//! Files of benchmarks: BenchmarkDotNet's full JSON (`*-report-full.json`).
//!
//! The harness writes a file for each class of benchmarks; those of one folder are read as one exhibit. Its figures are
//! taken as it writes them, and each of its measurements beside them.

mod json;
mod metrics;

use crate::feed::Job;
use crate::formats::Format;
use crate::head::Head;
use crate::{Error, Options};
use json::Reader;
use model::{Bench, Evidence, Kind};
use std::path::PathBuf;

pub(crate) static FORMAT: Format = Format {
    kind: Kind::Bench,
    title: "benchmark results (BenchmarkDotNet's full JSON)",
    endings: &["-report-full.json", ".full.json"],
    sniff,
    read,
    read_bytes,
    beside: &[],
};

/// The largest file that is read: a hundred times the largest that was seen.
const MOST_BYTES: usize = 256 << 20;

/// The harness writes its own version among the first fields.
fn sniff(head: &Head) -> bool {
    let text = head.bytes().strip_prefix(b"\xef\xbb\xbf").unwrap_or(head.bytes()).trim_ascii_start();
    text.starts_with(b"{")
        && head.contains(b"\"HostEnvironmentInfo\"")
        && head.contains(b"\"BenchmarkDotNetVersion\"")
}

fn read(job: &mut Job<'_>, files: &[PathBuf]) -> Result<Evidence, Error> {
    let mut reader = Reader::new(Bench::default());
    let mut first_error = None;
    for file in files {
        let mut bytes = Vec::new();
        let mut is_cut = false;
        let name = file.display().to_string();
        let fed = job.feed(file, |piece| {
            let room = MOST_BYTES.saturating_sub(bytes.len());
            bytes.extend_from_slice(piece.get(..room).unwrap_or(piece));
            is_cut |= piece.len() > room;
            Ok(())
        });
        let read = fed.and_then(|fed| {
            reader.read(&bytes).map_err(Error::format(&name))?;
            let cut = is_cut.then_some("file of benchmarks larger than 256 MB: cut off");
            for what in fed.damage.into_iter().chain(cut) {
                reader.bench.lost.damage.note(what, fed.bytes);
            }
            Ok(())
        });
        match read {
            Ok(()) => {}
            Err(error) if job.surroundings.is_none() => return Err(error),
            Err(error) => {
                reader.bench.lost.note_file(file, error.reason());
                first_error = first_error.or(Some(error));
            }
        }
    }
    if let Some(error) = first_error.filter(|_| reader.bench.files == 0) {
        return Err(error);
    }
    if let Some(surroundings) = &job.surroundings {
        surroundings.describe(&mut reader.bench.exhibit, &mut reader.bench.lost);
    }
    Ok(reader.finish(&job.name).into())
}

fn read_bytes(bytes: &[u8], name: &str, _options: Options) -> Result<Evidence, Error> {
    let mut reader = Reader::new(Bench::default());
    reader.read(bytes).map_err(Error::format(name))?;
    Ok(reader.finish(name).into())
}
