//! A run as an exhibit: a folder with `exhibit.toml`, `latency.hlog`, `run.json` and, if the user asks, its requests one by one.
//!
//! The log of intervals has its final name from the first byte and grows each second, so that a run that is killed keeps all but its last
//! second. `run.json` appears at the end.

use crate::intervals::IntervalLog;
use crate::plan::Plan;
use crate::record::Latencies;
use crate::requests::{self, RequestLog, Requests, RequestsError};
use crate::second::Second;
use exhibit::{FileEntry, Folder, Hashed, Manifest, ManifestFile, Place, Rules};
use jiff::Timestamp;
use serde_json::Value;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

/// The file with what became of the requests.
const RUN: &str = "run.json";
/// The file with the latencies.
const LATENCY: &str = "latency.hlog";

/// Why a run cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The place is refused, or the disk.
    #[error(transparent)]
    Exhibit(#[from] exhibit::Error),
    /// A file cannot be written.
    #[error("cannot write {file}: {cause}")]
    Write {
        /// Its name in the folder.
        file: &'static str,
        /// What the system said.
        cause: io::Error,
    },
}

impl From<RequestsError> for KeptError {
    fn from(error: RequestsError) -> Self {
        match error {
            RequestsError::Exhibit(error) => Self::Exhibit(error),
            RequestsError::Write { file, cause } => Self::Write { file, cause },
        }
    }
}

/// A run that is written while it goes on.
#[derive(Debug)]
pub struct Kept {
    folder: Folder,
    manifest: Manifest,
    file: ManifestFile,
    has_schedule: bool,
    log: Log,
    requests: Option<RequestLog>,
}

#[derive(Debug)]
enum Log {
    /// The run has not begun.
    Ready(Hashed<File>),
    Begun(IntervalLog<Hashed<File>>),
    /// It could not be written.
    Failed(io::Error),
}

impl Kept {
    /// Creates the folder, which must not exist. `tool` and `command` say how the run came to be.
    pub fn create(
        path: &Path,
        rules: Rules,
        plan: &Plan,
        tool: String,
        command: String,
    ) -> Result<Self, KeptError> {
        let folder = Place::of(path, rules)?.create_folder()?;
        let manifest = Manifest {
            kind: Some("load".to_owned()),
            tool: Some(tool),
            command: Some(command),
            start: Some(rfc3339(base::time::calendar())),
            state: Some("running".to_owned()),
            subject: exhibit::SubjectEntry {
                name: Some(plan.target.url()),
                ..exhibit::SubjectEntry::default()
            },
            ..Manifest::default()
        };
        let file = ManifestFile::new(manifest.create_in(&folder)?);
        let file = file.map_err(|cause| KeptError::Write { file: exhibit::FILE, cause })?;
        let log = Log::Ready(Hashed::new(folder.create_file(LATENCY)?));
        Ok(Self { folder, manifest, file, has_schedule: plan.planned().is_some(), log, requests: None })
    }

    /// Keeps the requests one by one too.
    pub fn with_requests(mut self) -> Result<Self, KeptError> {
        self.requests = Some(RequestLog::create(&self.folder)?);
        Ok(self)
    }

    /// Where the requests go, if they are kept.
    pub fn requests(&self) -> Option<Requests> {
        self.requests.as_ref().map(RequestLog::requests)
    }

    /// The run begins.
    pub fn begin(&mut self, start: SystemTime) {
        self.manifest.start = Some(rfc3339(start));
        let has_schedule = self.has_schedule;
        self.with_log(|log| match log {
            Log::Ready(out) => IntervalLog::begin(out, start, has_schedule),
            Log::Begun(log) => Ok(log),
            Log::Failed(error) => Err(error),
        });
    }

    /// Why what was measured cannot be kept, as far as that is known.
    pub fn failure(&self) -> Option<&io::Error> {
        if let Log::Failed(error) = &self.log { Some(error) } else { None }
    }

    /// Adds what was measured in an interval. An error is returned at the end, and is [`Self::failure`] before.
    pub fn add(&mut self, second: &Second, latencies: &Latencies) {
        self.with_log(|log| match log {
            Log::Begun(mut log) => log.add(second, latencies).map(|()| log),
            Log::Ready(_) => Err(io::Error::other("an interval came before the run began")),
            Log::Failed(error) => Err(error),
        });
    }

    fn with_log(&mut self, change: impl FnOnce(Log) -> io::Result<IntervalLog<Hashed<File>>>) {
        let log = std::mem::replace(&mut self.log, Log::Failed(io::Error::other("the log failed")));
        self.log = match change(log) {
            Ok(log) => Log::Begun(log),
            Err(error) => Log::Failed(error),
        };
    }

    /// Writes what the run has shown, as [`crate::document`] gives it, and completes the exhibit. `ended` is [`crate::Run::ended`].
    pub fn finish(mut self, document: &Value, ended: &str) -> Result<(), KeptError> {
        let failed = |cause| KeptError::Write { file: LATENCY, cause };
        let (log, latency) = match self.log {
            Log::Begun(log) => log.finish().map_err(failed)?,
            Log::Ready(out) => out,
            Log::Failed(cause) => return Err(failed(cause)),
        }
        .finish();
        log.sync_all().map_err(failed)?;
        let mut run = Hashed::new(self.folder.create_file(RUN)?);
        let failed = |cause| KeptError::Write { file: RUN, cause };
        serde_json::to_writer_pretty(&mut run, document).map_err(|error| failed(error.into()))?;
        run.write_all(b"\n").map_err(failed)?;
        let (file, run) = run.finish();
        file.sync_all().map_err(failed)?;
        let entry = |name: &str, of: exhibit::Sum| FileEntry {
            name: name.to_owned(),
            bytes: Some(of.bytes),
            raw_bytes: None,
            blake3: Some(of.blake3),
        };
        self.manifest.files = vec![entry(RUN, run), entry(LATENCY, latency)];
        if let Some(log) = self.requests {
            self.manifest.files.push(entry(requests::PARQUET, log.finish(&self.folder)?));
        }
        self.manifest.end = Some(rfc3339(base::time::calendar()));
        self.manifest.state = Some(ended.to_owned());
        Ok(self.manifest.replace_in(&self.folder, &self.file)?)
    }
}

fn rfc3339(time: SystemTime) -> String {
    Timestamp::try_from(time).map_or_else(|_no_date| String::new(), |time| format!("{time:.3}"))
}
