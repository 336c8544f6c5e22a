//! What the reader of a format gets: the files of one exhibit, and their bytes in pieces.
//!
//! Each file is read once from front to back; with two threads, unpacking runs beside reading. An input that unpacks to
//! far more than any evidence does is cut off, and that is reported as damage.

use crate::error::Error;
use crate::head::{Head, Origin, Packed, Packing, Stream, unpack};
use crate::names::{self, Names};
use crate::options::{Options, Progress};
use crate::surroundings::Surroundings;
use model::{Evidence, Kind, Lost};
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};

/// Bytes read at once.
const PIECE: usize = 1 << 20;
/// A packed file may unpack to this many times its size: recordings pack about 1 to 10,
/// at most 1 to 30.
const MAX_EXPANSION: u64 = 100;
/// What the packed files of an exhibit may unpack to beyond that, all together.
const FREE_UNPACKED: u64 = 64 << 20;
/// A file of a recording unpacks to this many times its size at the most; what it may take in memory is limited by that.
const USUAL_EXPANSION: u64 = 30;

/// A format of one kind of evidence.
pub(crate) struct Format {
    /// The kind that it is read into.
    pub(crate) kind: Kind,
    pub(crate) names: &'static Names,
    /// Whether a file begins like one of this format.
    pub(crate) sniff: fn(&Head) -> bool,
    /// Reads the files of one exhibit. Formats of one kind share it: each file comes with its own format.
    pub(crate) read: fn(&mut Job<'_>, &[Member]) -> Result<Evidence, Error>,
    /// Reads one file that is in memory, unpacked.
    pub(crate) read_stream: fn(&mut dyn Read, &str, Options) -> Result<Evidence, Error>,
    /// Files that an exhibit's folder may have beside them.
    pub(crate) beside: &'static [&'static str],
}

/// A file of an exhibit, with the format that it is of.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) path: PathBuf,
    pub(crate) format: &'static Format,
}

/// Reading one exhibit: how, and how far it is.
pub(crate) struct Job<'a> {
    /// The exhibit as it was named.
    pub(crate) name: String,
    pub(crate) options: Options,
    /// The only process that is wanted of an exhibit of several.
    pub(crate) process: Option<u64>,
    /// What lies around the files, if the exhibit is a folder.
    pub(crate) surroundings: Option<Surroundings>,
    done: u64,
    total: u64,
    /// What is left of [`FREE_UNPACKED`].
    free: u64,
    progress: &'a mut dyn FnMut(Progress),
}

/// What came of a file.
pub(crate) struct Fed {
    /// Bytes that were handed on.
    pub(crate) bytes: u64,
    /// What ended them early, as damage.
    pub(crate) damage: Option<&'static str>,
    /// What was left unread in an archive, for people.
    pub(crate) left: Option<String>,
}

impl<'a> Job<'a> {
    pub(crate) fn new(
        name: String,
        options: Options,
        files: &[Member],
        progress: &'a mut dyn FnMut(Progress),
    ) -> Self {
        let total =
            files.iter().filter_map(|file| std::fs::metadata(&file.path).ok()).map(|meta| meta.len()).sum();
        Self {
            name,
            options,
            process: None,
            surroundings: None,
            done: 0,
            total,
            free: FREE_UNPACKED,
            progress,
        }
    }

    /// Reads each file with `read`. In a folder, a file that cannot be read is noted and the others are read; if none can
    /// be, the first error is returned.
    pub(crate) fn each_file<T>(
        &mut self,
        files: &[Member],
        into: &mut T,
        lost: fn(&mut T) -> &mut Lost,
        mut read: impl FnMut(&mut Self, &Member, &mut T) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut first_error = None;
        let mut is_any_read = false;
        for file in files {
            match read(self, file, into) {
                Ok(()) => is_any_read = true,
                Err(error) if self.surroundings.is_none() => return Err(error),
                Err(error) => {
                    lost(into).note_altered(&file.path, error.reason());
                    first_error.get_or_insert(error);
                }
            }
        }
        first_error.filter(|_| !is_any_read).map_or(Ok(()), Err)
    }

    /// Hands the bytes of a file on, unpacked, in pieces of at most a megabyte, until they end, or `sink` refuses one or has
    /// enough. With each piece comes the number of bytes that a recording of this file's size has at the most: what is
    /// kept of the file is limited by that, or a small file could fill the memory.
    ///
    /// A file out of which no byte comes is an error.
    pub(crate) fn feed(
        &mut self,
        path: &Path,
        mut sink: impl FnMut(&[u8], u64) -> Result<ControlFlow<()>, Error>,
    ) -> Result<Fed, Error> {
        let beside = self.options.threads > 1;
        let origin = if self.surroundings.is_some() { Origin::Folder } else { Origin::User };
        let free = self.free;
        let (bytes, end, packing, size, left) = unpack(path, origin, |stream, packed| {
            let Packed { packing, size, entries } = packed;
            let cap = match packing {
                Packing::Plain => u64::MAX,
                _ => size.saturating_mul(MAX_EXPANSION).saturating_add(free),
            };
            let usual = match packing {
                Packing::Plain => u64::MAX,
                _ => size.saturating_mul(USUAL_EXPANSION),
            };
            let mut pieces = Pieces { bytes: 0, cap, usual, job: self, sink: &mut sink };
            let end = match stream {
                Stream::Own(stream) if beside => pieces.read_on_thread(stream),
                Stream::Own(mut stream) => pieces.read_here(&mut stream),
                Stream::Entry(stream) => pieces.read_here(stream),
            };
            end.map(|end| (pieces.bytes, end, *packing, *size, left_in_archive(entries)))
        })??;
        if packing != Packing::Plain {
            self.free = self.free.saturating_sub(bytes.saturating_sub(size.saturating_mul(MAX_EXPANSION)));
        }
        let name = path.display().to_string();
        let damage = match end {
            None if bytes == 0 => return Err(Error::Empty { path: name }),
            None | Some(End::Enough) => None,
            Some(End::Broken(cause)) if bytes == 0 && packing == Packing::Plain => {
                return Err(Error::Io { path: name, cause });
            }
            Some(End::Broken(cause)) if bytes == 0 => return Err(Error::Packing { path: name, cause }),
            Some(End::Broken(_)) if packing == Packing::Plain => Some("file that cannot be read to its end"),
            // A recorder that was killed leaves a file that ends early: what it wrote was read.
            Some(End::Broken(cause)) if cause.kind() == std::io::ErrorKind::UnexpectedEof => {
                Some("compressed data damaged or cut off")
            }
            Some(End::Broken(_)) => Some(base::damage::PACKING),
            Some(End::Endless) => {
                Some("compressed data that expands to more than any recording does: cut off")
            }
        };
        self.done = self.done.saturating_add(size);
        self.report(0);
        Ok(Fed { bytes, damage, left })
    }

    fn report(&mut self, read: u64) {
        (self.progress)(Progress { read: self.done.saturating_add(read), total: Some(self.total) });
    }
}

/// What is reported of an archive that has several files that could be evidence.
fn left_in_archive(entries: &[String]) -> Option<String> {
    let read = entries.first()?;
    let others = names::ALL.iter().map(|of| {
        let is_one = |name: &&String| of.endings.iter().any(|ending| name.ends_with(ending));
        (of.plural, entries.iter().filter(is_one).count())
    });
    let (what, count) = others.max_by_key(|(_, count)| *count)?;
    (count > 1).then(|| format!("has {count} {what}: only the largest was read, {read}"))
}

/// What ended the bytes early.
enum End {
    /// An error of the file or of its packing.
    Broken(io::Error),
    /// More bytes than any evidence has.
    Endless,
    /// Whoever takes them has enough.
    Enough,
}

/// Pieces of one file on their way.
struct Pieces<'a, 'b, S> {
    bytes: u64,
    /// Bytes after which the input is cut off.
    cap: u64,
    /// Bytes that a recording of this size has at the most.
    usual: u64,
    job: &'a mut Job<'b>,
    sink: &'a mut S,
}

impl<S: FnMut(&[u8], u64) -> Result<ControlFlow<()>, Error>> Pieces<'_, '_, S> {
    /// Unpacks on a thread of its own.
    fn read_on_thread(&mut self, stream: Box<dyn Read + Send>) -> Result<Option<End>, Error> {
        std::thread::scope(|scope| {
            let (send, receive) = sync_channel::<io::Result<Vec<u8>>>(4);
            let thread = std::thread::Builder::new().name("unpack".to_owned());
            let unpacking = thread.spawn_scoped(scope, move || send_pieces(stream, &send));
            let mut end = unpacking.err().map(End::Broken);
            for piece in &receive {
                match piece {
                    // An eighth of what is unpacked stands for what was read of the file.
                    Ok(piece) => end = self.take(&piece, 8)?,
                    Err(error) => end = Some(End::Broken(error)),
                }
                if end.is_some() {
                    break;
                }
            }
            drop(receive);
            Ok(end)
        })
    }

    fn read_here(&mut self, stream: &mut dyn Read) -> Result<Option<End>, Error> {
        let mut piece = vec![0; PIECE];
        loop {
            let len = match stream.read(&mut piece) {
                Ok(0) => return Ok(None),
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Ok(Some(End::Broken(error))),
            };
            if let Some(end) = self.take(piece.get(..len).unwrap_or_default(), 1)? {
                return Ok(Some(end));
            }
        }
    }

    /// Hands a piece on; what ends the bytes with it, if anything does.
    fn take(&mut self, piece: &[u8], packed: u64) -> Result<Option<End>, Error> {
        self.bytes = self.bytes.saturating_add(piece.len() as u64);
        if (self.sink)(piece, self.usual)?.is_break() {
            return Ok(Some(End::Enough));
        }
        self.job.report(self.bytes / packed);
        Ok((self.bytes > self.cap).then_some(End::Endless))
    }
}

/// Sends the bytes in pieces, and then the error that ended them, if one did.
fn send_pieces(mut bytes: impl Read, pieces: &SyncSender<io::Result<Vec<u8>>>) {
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
