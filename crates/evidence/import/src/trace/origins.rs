//! Which processes the files of a folder are of, so that recordings of different ones are not read as one by mistake.

use super::kinds::shortened;
use super::streams::StreamFacts;
use crate::error::Error;
use std::path::Path;

/// A process that a file of a folder is of.
#[derive(Debug, PartialEq, Eq)]
struct Origin {
    id: u64,
    command: Option<String>,
    file: String,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, command, file } = self;
        match command {
            Some(command) => write!(f, "{id} in {file} ({})", command.escape_debug()),
            None => write!(f, "{id} in {file}"),
        }
    }
}

/// The processes that the files say they are of: one entry for each that differs.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    all: Vec<Origin>,
    /// Streams of files that have ended.
    streams: usize,
}

/// Different processes of a folder that are kept: a refusal names fewer, and each stream is compared with all of them.
const MAX_ORIGINS: usize = 1_000;

impl Origins {
    /// How many streams came before the file at hand.
    pub(crate) fn streams_before(&self) -> usize {
        self.streams
    }

    /// Ends a file of a folder: notes which process it is of.
    pub(crate) fn end_file(&mut self, path: &Path, streams: &[StreamFacts]) {
        let file = || path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        for stream in streams.iter().skip(self.streams) {
            let Some(id) = stream.process else { continue };
            let command = stream.command.as_deref().map(shortened).map(str::to_owned);
            self.add(Origin { id, command, file: file() });
        }
        self.streams = streams.len();
    }

    fn add(&mut self, origin: Origin) {
        if self.all.len() >= MAX_ORIGINS {
            return;
        }
        // A file without a command line may be of the same process: names and samples come without.
        let same = self.all.iter_mut().find(|of| {
            let command = of.command.as_ref().zip(origin.command.as_ref());
            of.id == origin.id && command.is_none_or(|(a, b)| a == b)
        });
        match same {
            Some(known) => known.command = known.command.take().or(origin.command),
            None => self.all.push(origin),
        }
    }

    /// Fails if the files are of different processes.
    pub(crate) fn check(&self, path: &str) -> Result<(), Error> {
        if self.all.len() < 2 {
            return Ok(());
        }
        let held = self.all.iter().map(Origin::to_string).collect();
        Err(Error::SeveralProcesses { path: path.to_owned(), held })
    }
}
