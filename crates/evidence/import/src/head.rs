//! The beginning of a file: what it is packed with, and its first bytes unpacked.

use crate::error::Error;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that are looked at, unpacked.
const HEAD_BYTES: u64 = 64 << 10;
/// The largest window of a packed file, as a power of two: 128 MB, which `zstd --long=27` writes.
const ZSTD_WINDOW_LOG: u32 = 27;
/// Packed bytes in a row that may unpack to nothing, such as empty frames: a hole in a file makes any number of them.
const MAX_IDLE: u64 = 64 << 20;
/// Entries of an archive that are looked at.
const MAX_ENTRIES: usize = 1000;

/// What a file is packed with, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    Zstd,
    Gzip,
    Zip,
}

impl Packing {
    fn of(start: &[u8]) -> Self {
        match start {
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [0x1f, 0x8b, ..] => Self::Gzip,
            [b'P', b'K', 3 | 5, 4 | 6, ..] => Self::Zip,
            _ => Self::Plain,
        }
    }
}

/// The bytes of a file, unpacked, from its beginning.
pub(crate) enum Stream<'a> {
    /// They can be read on a thread of their own.
    Own(Box<dyn Read + Send>),
    /// The largest entry of an archive.
    Entry(&'a mut dyn Read),
}

/// What is known of a file before it is unpacked.
pub(crate) struct Packed {
    pub(crate) packing: Packing,
    /// Bytes of the file itself.
    pub(crate) size: u64,
    /// The names of an archive's entries; the one that is read comes first.
    pub(crate) entries: Vec<String>,
}

/// Where a path comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The user named it. It may lead over links.
    User,
    /// It was found in a folder, whose maker may have put a link or a pipe there meanwhile.
    Folder,
}

impl Origin {
    fn open(self, path: &Path) -> Result<File, Error> {
        if let (Self::Folder, Some((folder, name))) = (self, path.parent().zip(path.file_name())) {
            let opened = exhibit::Folder::open(folder).and_then(|folder| folder.open_file(name));
            return opened.map_err(Error::held(path));
        }
        let opened = exhibit::open_regular(path).map_err(Error::io(path))?;
        opened.ok_or_else(|| Error::NotAFile(path.display().to_string()))
    }
}

/// Opens a file, whatever it is packed with, and hands its bytes on.
pub(crate) fn unpack<R>(
    path: &Path,
    origin: Origin,
    read: impl FnOnce(Stream<'_>, &Packed) -> R,
) -> Result<R, Error> {
    let mut file = origin.open(path)?;
    let size = file.metadata().map_err(Error::io(path))?.len();
    let mut start = Vec::new();
    (&mut file).take(8).read_to_end(&mut start).map_err(Error::io(path))?;
    let packing = Packing::of(&start);
    if packing == Packing::Zip {
        return unpack_archive(path, file, size, read);
    }
    let packed = Packed { packing, size, entries: Vec::new() };
    let whole = io::Cursor::new(start).chain(file);
    let idle = Arc::new(AtomicU64::new(0));
    let source = Source { bytes: whole, idle: Arc::clone(&idle) };
    let bytes: Box<dyn Read + Send> = match packing {
        Packing::Plain | Packing::Zip => Box::new(source.bytes),
        Packing::Zstd => {
            let mut unpacked = zstd::stream::read::Decoder::new(source).map_err(Error::io(path))?;
            unpacked.window_log_max(ZSTD_WINDOW_LOG).map_err(Error::io(path))?;
            Box::new(Unpacked { bytes: unpacked, idle })
        }
        Packing::Gzip => {
            let unpacked = flate2::read::MultiGzDecoder::new(BufReader::new(source));
            Box::new(Unpacked { bytes: unpacked, idle })
        }
    };
    Ok(read(Stream::Own(bytes), &packed))
}

/// Packed bytes on their way to be unpacked. They end with an error once too many of them have come to nothing.
struct Source<R> {
    bytes: R,
    /// Bytes since something came of them, shared with [`Unpacked`].
    idle: Arc<AtomicU64>,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.idle.load(Ordering::Relaxed) > MAX_IDLE {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "more than 64 MB in a row decompress to nothing",
            ));
        }
        let len = self.bytes.read(buffer)?;
        self.idle.fetch_add(len as u64, Ordering::Relaxed);
        Ok(len)
    }
}

/// What comes of a [`Source`].
struct Unpacked<R> {
    bytes: R,
    idle: Arc<AtomicU64>,
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.bytes.read(buffer)?;
        if len > 0 {
            self.idle.store(0, Ordering::Relaxed);
        }
        Ok(len)
    }
}

fn unpack_archive<R>(
    path: &Path,
    file: File,
    size: u64,
    read: impl FnOnce(Stream<'_>, &Packed) -> R,
) -> Result<R, Error> {
    let zip = |error: zip::result::ZipError| Error::io(path)(error.into());
    let mut archive = zip::ZipArchive::new(file).map_err(zip)?;
    let number = archive.len().min(MAX_ENTRIES);
    let sizes = (0..number).filter_map(|at| archive.by_index(at).ok().map(|entry| (entry.size(), at)));
    let largest = sizes.max().filter(|(size, _)| *size > 0).map(|(_, at)| at);
    let entries = archive.len();
    let largest = largest.ok_or_else(|| Error::EmptyArchive { path: path.display().to_string(), entries })?;
    let names = archive.file_names().take(MAX_ENTRIES);
    let mut entries: Vec<String> = names.map(|name| name.unwrap_or_default().into_owned()).collect();
    if largest < entries.len() {
        entries.swap(0, largest);
    }
    let packed = Packed { packing: Packing::Zip, size, entries };
    let mut entry = archive.by_index(largest).map_err(zip)?;
    Ok(read(Stream::Entry(&mut entry), &packed))
}

/// The beginning of a file, unpacked.
pub(crate) struct Head {
    bytes: Vec<u8>,
    packing: Packing,
    /// The names of an archive's entries.
    pub(crate) entries: Vec<String>,
    /// What ended the bytes before their end.
    broken: Option<io::Error>,
}

impl Head {
    /// Reads the beginning of a file. What cannot be unpacked is as if it were not there.
    pub(crate) fn read(path: &Path, origin: Origin) -> Result<Self, Error> {
        unpack(path, origin, |stream, packed| {
            let mut bytes = Vec::new();
            let read = match stream {
                Stream::Own(stream) => stream.take(HEAD_BYTES).read_to_end(&mut bytes),
                Stream::Entry(stream) => stream.take(HEAD_BYTES).read_to_end(&mut bytes),
            };
            Self { bytes, packing: packed.packing, entries: packed.entries.clone(), broken: read.err() }
        })
    }

    /// Takes the beginning of a stream.
    pub(crate) fn of_stream(stream: &mut impl Read) -> io::Result<Self> {
        let mut bytes = Vec::new();
        stream.take(HEAD_BYTES).read_to_end(&mut bytes)?;
        Ok(Self { bytes, packing: Packing::Plain, entries: Vec::new(), broken: None })
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether it begins with these bytes, as far as it goes: what was cut off within them begins so too.
    pub(crate) fn begins_with(&self, magic: &[u8]) -> bool {
        !self.bytes.is_empty() && (self.bytes.starts_with(magic) || magic.starts_with(&self.bytes))
    }

    /// Whether these bytes are anywhere in it.
    pub(crate) fn contains(&self, wanted: &[u8]) -> bool {
        self.bytes.windows(wanted.len().max(1)).any(|window| window == wanted)
    }

    /// Why a file that begins so is not read.
    pub(crate) fn refusal(self, path: String) -> Error {
        match self.broken {
            Some(cause) if self.packing == Packing::Plain => Error::Io { path, cause },
            Some(cause) if self.bytes.is_empty() => Error::Packing { path, cause },
            None if self.bytes.is_empty() => Error::Empty { path },
            _ => Error::Unknown { path },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cut_off_within_its_magic_begins_with_it() {
        let check = |mut bytes: &[u8], expected| {
            assert_eq!(Head::of_stream(&mut bytes).unwrap().begins_with(b"Nettrace"), expected);
        };
        check(b"Nettrace and more", true);
        check(b"Nett", true);
        check(b"Network", false);
        check(b"", false);
    }

    #[test]
    fn no_more_than_the_beginning_is_kept() {
        let many = vec![7; 1 << 20];
        assert_eq!(Head::of_stream(&mut many.as_slice()).unwrap().bytes().len(), 64 << 10);
    }
}
