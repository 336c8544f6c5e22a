//! Files of any kind to the model.
//!
//! [`open`] looks at what a file or folder holds, chooses the format by its first bytes, and has that format's reader fill
//! an [`Evidence`]. It reads files and folders and nothing else: it prints nothing, reads no clock, and knows no SQL and no
//! finding. A file that cannot be read at all is an [`Error`]; anything less is reported in the evidence's `lost`.
//!
//! ```text
//!  file, folder ─▶ folder, head (first bytes) ─▶ formats ─┬─▶ trace ─▶ Evidence::Trace
//!                                          │              ├─▶ bench ─▶ Evidence::Bench
//!                                          │              └─▶ load ──▶ Evidence::Load
//!                                          └─▶ foreign: files of other tools, refused by name
//! ```
//!
//! Only this crate joins a container with the model. A kind of evidence is a folder here and a line in `formats`.

mod bench;
mod error;
mod feed;
mod folder;
mod foreign;
mod formats;
mod head;
mod load;
mod names;
mod oneclock;
mod options;
mod surroundings;
mod trace;

pub use error::{Error, Held};
pub use folder::FoundExhibit;
pub use oneclock::set_on_one_clock;
pub use options::{Options, ProcessChoice, Progress};
pub use trace::{
    Along, Alongside, CounterFeed, CounterNote, CounterReading, CounterSource, EventName, EventNameError,
    memory_limit, sends_events_alone,
};

use feed::{Job, Member};
use folder::Place;
use head::{Head, Origin};
use model::{Evidence, NO_INT};
use std::io::Read;
use std::path::{Path, PathBuf};

/// What there is at a path: one exhibit, or those in the sub-folders of a folder, by name. Sub-folders that cannot be
/// read are handed to `left_out`, each as a sentence.
///
/// It looks at first bytes only: an exhibit that is found may still turn out to be damaged.
pub fn find(path: &Path, left_out: &mut dyn FnMut(String)) -> Result<Vec<FoundExhibit>, Error> {
    match look(path)? {
        Place::File(format) => {
            Ok(vec![FoundExhibit { name: None, path: path.to_owned(), kind: format.kind, within: None }])
        }
        Place::Folder(contents) => {
            let kind = contents.format.kind;
            Ok(vec![FoundExhibit { name: None, path: path.to_owned(), kind, within: None }])
        }
        Place::Several(found, odd) => {
            for of in &odd {
                left_out(of.to_string());
            }
            Ok(found)
        }
    }
}

/// Opens an exhibit: a file, packed or not, or a folder.
pub fn open(path: &Path, options: Options) -> Result<Evidence, Error> {
    open_with_progress(path, options, &mut |_| {})
}

/// Opens an exhibit and reports how far it is.
pub fn open_with_progress(
    path: &Path,
    options: Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Evidence, Error> {
    read(path, options, None, progress)
}

/// Opens an exhibit, or one process of it, and reports how far it is.
pub fn open_process(
    path: &Path,
    options: Options,
    process: ProcessChoice,
    progress: &mut dyn FnMut(Progress),
) -> Result<Evidence, Error> {
    let wanted = if let ProcessChoice::Only(process) = process { Some(process) } else { None };
    let evidence = read(path, options, wanted, progress)?;
    match most_sampled(&evidence).filter(|_| process == ProcessChoice::MostSampled) {
        // Figures are of one process: what is of the others must not be in any table.
        Some(process) => read(path, options, Some(process), progress),
        None => Ok(evidence),
    }
}

/// The process with most samples; `None` if there is only one.
fn most_sampled(evidence: &Evidence) -> Option<u64> {
    /// The kernel's own threads, and CPUs that ran none.
    const KERNEL: i64 = 0;
    let of = &evidence.as_trace()?.processes;
    if of.process.len() < 2 {
        return None;
    }
    let rows = (0..of.process.len()).filter_map(|at| of.row(at)).filter(|row| row.process != NO_INT);
    let most = rows
        .max_by_key(|row| (row.process != KERNEL, row.samples, row.events, std::cmp::Reverse(row.process)));
    most.map(|row| row.process.cast_unsigned())
}

fn read(
    path: &Path,
    options: Options,
    process: Option<u64>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Evidence, Error> {
    match look(path)? {
        Place::File(format) => {
            let files = [Member { path: path.to_path_buf(), format }];
            let mut job = Job::new(path.display().to_string(), options, &files, progress);
            job.process = process;
            (format.read)(&mut job, &files)
        }
        Place::Folder(contents) => contents.read(path, options, process, progress),
        Place::Several(found, odd) => {
            if let [only] = found.as_slice() {
                let Place::Folder(contents) = look(&only.path)? else {
                    return Err(Error::NoExhibit { path: only.path.display().to_string() });
                };
                return contents.beside(odd).read(&only.path, options, process, progress);
            }
            let names = found.into_iter().filter_map(|found| found.name).collect();
            Err(Error::SeveralExhibits { path: path.display().to_string(), names })
        }
    }
}

/// Reads an exhibit that is in memory, unpacked: one file.
pub fn open_bytes(bytes: &[u8], name: &str, options: Options) -> Result<Evidence, Error> {
    open_stream(bytes, name, options)
}

/// Reads an exhibit of one file from a stream of its bytes, unpacked.
pub fn open_stream(mut stream: impl Read, name: &str, options: Options) -> Result<Evidence, Error> {
    let head = Head::of_stream(&mut stream).map_err(Error::io(Path::new(name)))?;
    let start = std::io::Cursor::new(head.bytes().to_vec());
    let format = formats::of(head, name)?;
    (format.read_stream)(&mut start.chain(stream), name, options)
}

/// The files that opening this path reads.
pub fn files(path: &Path) -> Vec<PathBuf> {
    match look(path) {
        Ok(Place::Folder(contents)) => contents.all_files(path),
        Ok(Place::Several(found, _)) => found.iter().flat_map(|found| files(&found.path)).collect(),
        // What cannot be read is reported when it is opened.
        Ok(Place::File(_)) | Err(_) => vec![path.to_path_buf()],
    }
}

fn look(path: &Path) -> Result<Place, Error> {
    let meta = std::fs::metadata(path).map_err(Error::io(path))?;
    if meta.is_dir() {
        return folder::look(path);
    }
    if !meta.is_file() {
        return Err(Error::NotAFile(path.display().to_string()));
    }
    let head = Head::read(path, Origin::User)?;
    Ok(Place::File(formats::of(head, &path.display().to_string())?))
}
