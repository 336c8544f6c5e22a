//! Traces: the NetTrace container, joined with the fields of the runtime's events.
//!
//! ```text
//!  bytes ─▶ nettrace ─▶ builder ─▶ gc, pairs, rows, requests, counters, jit … ─▶ finish ─▶ Trace
//! ```
//!
//! `builder` takes each event and lends it to the part of its subject, with the tables that this part may write. No part
//! knows another one or the builder.
//!
//! An exhibit has a main session (or segments of it) and, beside it, sessions that only add samples or names, and tables
//! of the host.

mod alongside;
mod budget;
mod builder;
mod byprocess;
mod clock;
mod code;
mod counters;
mod cut;
mod earlier;
mod facts;
mod finish;
mod gc;
mod host;
mod ids;
mod jit;
mod kinds;
mod kindtable;
mod live;
mod memory;
mod metrics;
mod naming;
mod numbers;
mod origins;
mod pairs;
mod processes;
mod ranges;
mod rawrows;
mod rawstacks;
mod reading;
mod requests;
mod rows;
mod samples;
mod seen;
mod spans;
mod states;
mod streams;
mod symbolname;
mod texts;
mod threads;
mod universal;

pub use alongside::{Along, Alongside, EventName, EventNameError, sends_events_alone};
pub use budget::memory_limit;
pub use live::{CounterFeed, CounterNote, CounterReading, CounterSource};

use crate::error::Error;
use crate::feed::{Format, Job, Member};
use crate::head::Head;
use crate::names;
use crate::options::Options;
use crate::surroundings::Surroundings;
use builder::Builder;
use model::{Evidence, Kind, Trace};
use nettrace::{Decoder, Limits};
use std::io::Read;
use std::path::Path;

pub(crate) static FORMAT: Format =
    Format { kind: Kind::Trace, names: &names::TRACE, sniff, read, read_stream, beside: &host::TABLES };

/// Both containers that `nettrace` reads; of the older one, other formats share the first bytes (see `foreign`).
fn sniff(head: &Head) -> bool {
    head.begins_with(b"Nettrace") || head.begins_with(b"\x14\0\0\0!FastSerialization.1")
}

/// Whether a file is the main session, or a segment of it.
fn is_main(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("trace"))
}

fn read(job: &mut Job<'_>, files: &[Member]) -> Result<Evidence, Error> {
    let mut files = files.to_vec();
    files.sort_by_key(|file| !is_main(&file.path));
    let mut builder = Builder::new(job.options.payloads, job.process);
    job.each_file(
        &files,
        &mut builder,
        |builder| &mut builder.recording.lost,
        |job, file, builder| {
            // In a folder the names say what is the main session, or a segment of it, and what lies beside it.
            builder.begin_file(job.surroundings.is_some().then(|| is_main(&file.path)));
            let is_read = read_file(&file.path, builder, job);
            builder.end_origin(&file.path);
            is_read
        },
    )?;
    let is_loose = job.surroundings.as_ref().is_some_and(Surroundings::has_no_provenance);
    builder.check_processes(&job.name, is_loose)?;
    if let Some(surroundings) = &job.surroundings {
        let Trace { exhibit, lost, session, .. } = &mut builder.recording;
        surroundings.describe(exhibit, lost);
        session.profile = surroundings.profile();
        session.environment = surroundings.environment();
        let start_ns = builder.main_start_ns();
        host::read_folder(&surroundings.folder, start_ns, &mut builder.recording);
    }
    Ok(builder.finish(&job.name).into())
}

fn read_file(path: &Path, builder: &mut Builder, job: &mut Job<'_>) -> Result<(), Error> {
    let name = path.display().to_string();
    let format = Error::format(&name);
    let mut decoder = Decoder::new(Limits::USUAL);
    let mut limits = reading::Reading::new(builder);
    let fed =
        job.feed(path, |piece, usual| limits.push(piece, usual, &mut decoder, builder).map_err(&format))?;
    builder.count_work(decoder.work());
    let summary = decoder.finish(builder).map_err(&format)?;
    for what in [fed.damage, limits.damage()].into_iter().flatten() {
        builder.recording.lost.damage.note(what, summary.bytes);
    }
    if let Some(what) = fed.left {
        builder.recording.lost.note_file(path, what);
    }
    let own_name = path.file_name().filter(|_| job.surroundings.is_some());
    let own_name = own_name.map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    builder.end_file(&summary, &own_name);
    Ok(())
}

fn read_stream(stream: &mut dyn Read, name: &str, options: Options) -> Result<Evidence, Error> {
    let format = Error::format(name);
    let mut builder = Builder::new(options.payloads, None);
    let mut decoder = Decoder::new(Limits::USUAL);
    let mut limits = reading::Reading::new(&builder);
    let mut piece = Vec::new();
    loop {
        piece.clear();
        stream.take(reading::PIECE as u64).read_to_end(&mut piece).map_err(Error::io(Path::new(name)))?;
        if piece.is_empty()
            || limits.push(&piece, u64::MAX, &mut decoder, &mut builder).map_err(&format)?.is_break()
        {
            break;
        }
    }
    builder.count_work(decoder.work());
    let summary = decoder.finish(&mut builder).map_err(&format)?;
    if let Some(what) = limits.damage() {
        builder.recording.lost.damage.note(what, summary.bytes);
    }
    builder.end_file(&summary, "");
    Ok(builder.finish(name).into())
}
