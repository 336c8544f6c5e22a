//! What was named, as bytes: a file, packed or not, or an exhibit folder of several.
//!
//! Packing is told by the first bytes, never by the name. Each file is read once from front to back in pieces; with
//! two threads, unpacking runs beside decoding. An input that unpacks to far more than any recording does is cut off
//! and told as damage.

use crate::builder::Builder;
use model::Trace;
use nettrace::{Decoder, Limits};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use thiserror::Error;

/// Bytes read at once.
const PIECE: usize = 1 << 20;
/// A packed file may unpack to this many times its size, and always to [`FREE_UNPACKED`]: recordings pack about 1 to 10, at most 1 to 30.
const MOST_EXPANSION: u64 = 100;
/// What any packed file may unpack to.
const FREE_UNPACKED: u64 = 64 << 20;
/// The largest window of a packed file, as a power of two: 128 MB, which `zstd --long=27` writes.
const ZSTD_WINDOW_LOG: u32 = 27;

/// Why a recording cannot be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refuses.
    #[error("cannot read {path}: {cause}")]
    Io {
        /// The file.
        path: String,
        /// Its reason.
        cause: std::io::Error,
    },
    /// Neither a file nor a folder.
    #[error(
        "{0} is neither a file nor a folder: name a recording or an exhibit's folder; save a pipe to a file first"
    )]
    NotAFile(String),
    /// A folder without a recording in it.
    #[error("{0} is no exhibit: expected files that end in .nettrace or .nettrace.zst in it")]
    NoExhibit(String),
    /// An archive without a recording in it.
    #[error("{0} is an archive without a file in it that could be a recording")]
    EmptyArchive(String),
    /// Packed bytes out of which nothing comes.
    #[error("{path} cannot be unpacked: {cause}")]
    Packing {
        /// The file.
        path: String,
        /// Its reason.
        cause: std::io::Error,
    },
    /// The bytes are no recording.
    #[error("{path}: {cause}")]
    Format {
        /// The file.
        path: String,
        /// Its reason.
        cause: nettrace::Error,
    },
}

impl Error {
    /// The reason without the file's name.
    fn reason(&self) -> String {
        match self {
            Self::Io { cause, .. } => format!("cannot be read: {cause}"),
            Self::Packing { cause, .. } => format!("cannot be unpacked: {cause}"),
            Self::Format { cause, .. } => format!("cannot be read: {cause}"),
            Self::NotAFile(_) => "is no file".to_owned(),
            Self::NoExhibit(_) | Self::EmptyArchive(_) => "has no recording in it".to_owned(),
        }
    }
}

/// How to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Keep payloads, so that `events.fields` can be asked for; costs about the size of the decompressed input.
    pub payloads: bool,
    /// 1, or 2 to unpack on a thread of its own.
    pub threads: usize,
}

/// How far the reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the files read so far.
    pub read: u64,
    /// Bytes of all files.
    pub total: Option<u64>,
}

/// Opens a recording: a file, packed or not, or an exhibit's folder.
pub fn open(path: &Path, options: Options) -> Result<Trace, Error> {
    open_with_progress(path, options, &mut |_| {})
}

/// Opens a recording and tells how far it is.
pub fn open_with_progress(
    path: &Path,
    options: Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Trace, Error> {
    let io = |cause| Error::Io { path: path.display().to_string(), cause };
    let meta = std::fs::metadata(path).map_err(io)?;
    let files = if meta.is_dir() {
        let files = exhibit_files(path)?;
        if files.is_empty() {
            return Err(Error::NoExhibit(path.display().to_string()));
        }
        files
    } else if meta.is_file() {
        vec![path.to_path_buf()]
    } else {
        return Err(Error::NotAFile(path.display().to_string()));
    };
    let total = files.iter().filter_map(|file| std::fs::metadata(file).ok()).map(|meta| meta.len()).sum();
    let mut reading = Reading { done: 0, total, progress };
    let mut builder = Builder::new(options.payloads);
    let mut first_error = None;
    for file in &files {
        // In a folder the names tell what is the main session, or a segment of it, and what lies beside.
        builder.begin_role(meta.is_dir().then(|| is_main(file)));
        let read = read_file(file, options, &mut builder, &mut reading);
        match read {
            Ok(()) => {}
            Err(error) if !meta.is_dir() => return Err(error),
            // What else lies in an exhibit is read all the same.
            Err(error) => {
                builder.note_file(file, error.reason());
                first_error = first_error.or(Some(error));
            }
        }
    }
    if let Some(error) = first_error.filter(|_| builder.streams.is_empty()) {
        return Err(error);
    }
    if meta.is_dir() {
        crate::provenance::read(path, &mut builder);
        crate::host::read_folder(path, &mut builder);
    }
    Ok(builder.finish(&path.display().to_string()))
}

/// Reads a trace that is in memory, unpacked.
pub fn open_bytes(bytes: &[u8], name: &str, options: Options) -> Result<Trace, Error> {
    let mut builder = Builder::new(options.payloads);
    let mut decoder = Decoder::new(Limits::USUAL);
    let format = |cause| Error::Format { path: name.to_owned(), cause };
    decoder.push(bytes, &mut builder).map_err(format)?;
    let summary = decoder.finish(&mut builder).map_err(format)?;
    builder.end_file(&summary);
    Ok(builder.finish(name))
}

/// The files that opening this path reads.
pub fn files(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_path_buf()];
    }
    // A folder that cannot be listed is told when it is opened.
    let mut files = exhibit_files(path).unwrap_or_default();
    let beside = [crate::provenance::FILE].into_iter().chain(crate::host::TABLES);
    files.extend(beside.map(|name| path.join(name)));
    files
}

/// The recordings of a folder: the main session first, then the others by name.
fn exhibit_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let io = |cause| Error::Io { path: folder.display().to_string(), cause };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if [".nettrace", ".nettrace.zst", ".nettrace.gz"].iter().any(|ending| name.ends_with(ending)) {
            // A pipe of that name would be waited for.
            if !path.is_file() {
                return Err(Error::NotAFile(path.display().to_string()));
            }
            files.push(path);
        }
    }
    files.sort_by_key(|path| (!is_main(path), path.clone()));
    Ok(files)
}

/// Whether a file is the main session, or a segment of it.
fn is_main(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("trace"))
}

struct Reading<'a> {
    done: u64,
    total: u64,
    progress: &'a mut dyn FnMut(Progress),
}

impl Reading<'_> {
    fn tell(&mut self, read: u64) {
        (self.progress)(Progress { read: self.done.saturating_add(read), total: Some(self.total) });
    }
}

/// What a file's first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Plain,
    Zstd,
    Gzip,
    Zip,
}

fn packing(start: &[u8]) -> Packing {
    match start {
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Packing::Zstd,
        [0x1f, 0x8b, ..] => Packing::Gzip,
        [b'P', b'K', 3 | 5, 4 | 6, ..] => Packing::Zip,
        _ => Packing::Plain,
    }
}

fn read_file(
    path: &Path,
    options: Options,
    builder: &mut Builder,
    reading: &mut Reading<'_>,
) -> Result<(), Error> {
    let name = path.display().to_string();
    let io = |cause| Error::Io { path: name.clone(), cause };
    let mut file = File::open(path).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    let mut start = Vec::new();
    (&mut file).take(8).read_to_end(&mut start).map_err(io)?;
    let packing = packing(&start);
    let whole = std::io::Cursor::new(start).chain(file);
    let mut decoder = Decoder::new(Limits::USUAL);
    let cap = size.saturating_mul(MOST_EXPANSION).max(FREE_UNPACKED);
    builder.begin_file();
    let end = match packing {
        Packing::Plain => pump(whole, u64::MAX, options.threads > 1, &mut decoder, builder, reading),
        Packing::Zstd => {
            let mut unpacked = zstd::stream::read::Decoder::new(whole).map_err(io)?;
            unpacked.window_log_max(ZSTD_WINDOW_LOG).map_err(io)?;
            pump(unpacked, cap, options.threads > 1, &mut decoder, builder, reading)
        }
        Packing::Gzip => {
            let unpacked = flate2::read::MultiGzDecoder::new(BufReader::new(whole));
            pump(unpacked, cap, options.threads > 1, &mut decoder, builder, reading)
        }
        Packing::Zip => {
            let file = File::open(path).map_err(io)?;
            let mut archive = zip::ZipArchive::new(file).map_err(|e| io(e.into()))?;
            let largest = largest_entry(&mut archive).ok_or_else(|| Error::EmptyArchive(name.clone()))?;
            if let Some(what) = left_in_archive(&archive, largest) {
                builder.note_file(path, what);
            }
            let entry = archive.by_index(largest).map_err(|e| io(e.into()))?;
            pump_here(entry, cap, &mut decoder, builder, reading)
        }
    };
    let format = |cause| Error::Format { path: name.clone(), cause };
    let end = end.map_err(format)?;
    let summary = match (decoder.finish(builder), end) {
        (Ok(summary), None) => summary,
        (Ok(summary), Some(end)) => {
            builder.note_damage(end.what(packing), summary.bytes);
            summary
        }
        (Err(nettrace::Error::Empty), Some(End::Broken(cause))) if packing == Packing::Plain => {
            return Err(io(cause));
        }
        (Err(nettrace::Error::Empty), Some(End::Broken(cause))) => {
            return Err(Error::Packing { path: name, cause });
        }
        (Err(cause), _) => return Err(format(cause)),
    };
    builder.end_file(&summary);
    reading.done = reading.done.saturating_add(size);
    reading.tell(0);
    Ok(())
}

fn largest_entry(archive: &mut zip::ZipArchive<File>) -> Option<usize> {
    let entries = 0..archive.len().min(1000);
    entries.filter_map(|at| archive.by_index(at).ok().map(|entry| (entry.size(), at))).max().map(|(_, at)| at)
}

/// What is said of an archive's other recordings, if it has any.
fn left_in_archive(archive: &zip::ZipArchive<File>, read: usize) -> Option<String> {
    let is_recording = |name: &str| [".nettrace", ".netperf"].iter().any(|ending| name.ends_with(ending));
    let names = archive.file_names().filter_map(Result::ok);
    let recordings = names.filter(|name| is_recording(name)).count();
    let read = archive.file_names().nth(read)?.ok()?;
    (recordings > 1).then(|| format!("has {recordings} recordings: only the largest was read, {read}"))
}

/// What ended the bytes early.
enum End {
    /// An error of the file or of its packing.
    Broken(std::io::Error),
    /// More bytes than any recording has.
    Endless,
}

impl End {
    fn what(&self, packing: Packing) -> &'static str {
        match self {
            Self::Broken(_) if packing == Packing::Plain => "file that cannot be read to its end",
            Self::Broken(_) => "packed data damaged or cut off",
            Self::Endless => "packed data that unpacks to more than any recording does: cut off",
        }
    }
}

/// Drives the decoder to the end of the bytes; gives what ended them early, if anything did.
fn pump(
    bytes: impl Read + Send,
    cap: u64,
    beside: bool,
    decoder: &mut Decoder,
    builder: &mut Builder,
    reading: &mut Reading<'_>,
) -> Result<Option<End>, nettrace::Error> {
    if !beside {
        return pump_here(bytes, cap, decoder, builder, reading);
    }
    std::thread::scope(|scope| {
        let (send, receive) = sync_channel::<std::io::Result<Vec<u8>>>(4);
        let thread = std::thread::Builder::new().name("unpack".to_owned());
        let unpacking = thread.spawn_scoped(scope, move || unpack(bytes, &send));
        let mut unpacked = 0u64;
        let mut end = unpacking.err().map(End::Broken);
        for piece in &receive {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => {
                    end = Some(End::Broken(error));
                    break;
                }
            };
            unpacked = unpacked.saturating_add(piece.len() as u64);
            decoder.push(&piece, builder)?;
            reading.tell(unpacked / 8);
            if unpacked > cap {
                end = Some(End::Endless);
                break;
            }
        }
        drop(receive);
        Ok(end)
    })
}

/// Sends the bytes in pieces, and then the error that ended them, if one did.
fn unpack(mut bytes: impl Read, pieces: &SyncSender<std::io::Result<Vec<u8>>>) {
    loop {
        let mut piece = Vec::new();
        let read = (&mut bytes).take(PIECE as u64).read_to_end(&mut piece);
        // What was unpacked before an error is whole, and goes first.
        let wanted = piece.is_empty() || pieces.send(Ok(piece)).is_ok();
        match read {
            Ok(len) if len > 0 && wanted => {}
            Ok(_end) => return,
            Err(error) => return drop(pieces.send(Err(error))),
        }
    }
}

fn pump_here(
    mut bytes: impl Read,
    cap: u64,
    decoder: &mut Decoder,
    builder: &mut Builder,
    reading: &mut Reading<'_>,
) -> Result<Option<End>, nettrace::Error> {
    let mut piece = vec![0; PIECE];
    let mut total = 0u64;
    loop {
        let len = match bytes.read(&mut piece) {
            Ok(0) => return Ok(None),
            Ok(len) => len,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Ok(Some(End::Broken(error))),
        };
        decoder.push(piece.get(..len).unwrap_or_default(), builder)?;
        total = total.saturating_add(len as u64);
        reading.tell(total);
        if total > cap {
            return Ok(Some(End::Endless));
        }
    }
}
