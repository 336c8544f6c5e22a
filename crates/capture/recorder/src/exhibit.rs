//! `exhibit.toml`: what was recorded, of what, how, and what it cost.
//!
//! It is there from the beginning, with `state = "recording"`, so that a recording that was killed says what it is of.

use crate::cost::Cost;
use crate::error::Error;
use crate::file::Written;
use crate::output::EXHIBIT;
use crate::profile::Plan;
use crate::subject::Subject;
use dotnet_ipc::session::Provider;
use serde::Serialize;
use std::path::Path;
use std::time::SystemTime;

/// The file's contents.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Exhibit {
    kind: &'static str,
    tool: String,
    command: String,
    profile: String,
    start: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<String>,
    /// `recording`, `complete`, or why it is not.
    state: String,
    subject: Described,
    sessions: Sessions,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Cost>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<File>,
}

#[derive(Debug, Clone, Serialize)]
struct Described {
    name: String,
    pid: Option<u32>,
    container_pid: u64,
    command_line: String,
    runtime: Option<String>,
    os: Option<String>,
    arch: Option<String>,
    container: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
struct Sessions {
    main: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bursts: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    burst_every_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    burst_length_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_seconds: Option<u64>,
}

#[derive(Debug, Clone, Serialize)]
struct File {
    name: String,
    bytes: u64,
    raw_bytes: u64,
    blake3: String,
}

impl Exhibit {
    pub(crate) fn new(options: &crate::Options, subject: &Subject) -> Self {
        let Plan { main, bursts } = &options.plan;
        let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            kind: "nettrace",
            tool: options.tool.clone(),
            command: options.command.clone(),
            profile: options.profile.clone(),
            start: rfc3339(base::time::calendar()),
            end: None,
            state: "recording".to_owned(),
            subject: Described {
                name: subject.name.clone(),
                pid: subject.pid,
                container_pid: subject.container_pid,
                command_line: subject.command_line.clone(),
                runtime: subject.runtime.clone(),
                os: subject.os.clone(),
                arch: subject.arch.clone(),
                container: subject.container.clone(),
            },
            sessions: Sessions {
                main: main.iter().map(written).collect(),
                bursts: bursts.iter().flat_map(|bursts| bursts.providers.iter().map(written)).collect(),
                burst_every_ms: bursts.as_ref().map(|bursts| millis(bursts.every)),
                burst_length_ms: bursts.as_ref().map(|bursts| millis(bursts.length)),
                keep_seconds: options.keep.map(|keep| keep.as_secs()),
            },
            cost: None,
            files: Vec::new(),
        }
    }

    /// Notes how it ended.
    pub(crate) fn end(&mut self, state: &str, cost: Cost, files: &[Written]) {
        self.end = Some(rfc3339(base::time::calendar()));
        state.clone_into(&mut self.state);
        self.cost = Some(cost);
        self.files = files
            .iter()
            .map(|file| File {
                name: file
                    .path
                    .file_name()
                    .map(|name| name.to_string_lossy().into_owned())
                    .unwrap_or_default(),
                bytes: file.bytes,
                raw_bytes: file.raw_bytes,
                blake3: file.blake3.clone(),
            })
            .collect();
    }

    /// Writes it into a folder: whole, or as it was before.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(EXHIBIT);
        let text = toml::to_string(self).map_err(std::io::Error::other).map_err(Error::write(&path))?;
        let part = folder.join(format!("{EXHIBIT}.part"));
        let written = std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, &path));
        if written.is_err() {
            // The first error is the one to tell.
            drop(std::fs::remove_file(&part));
        }
        written.map_err(Error::write(&path))
    }
}

/// A provider as it is given on a command line.
fn written(provider: &Provider) -> String {
    let Provider { name, keywords, level, arguments } = provider;
    let colon = if arguments.is_empty() { "" } else { ":" };
    format!("{name}:{keywords:#x}:{level}{colon}{arguments}")
}

fn rfc3339(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).map_or_else(|_no_date| String::new(), |time| format!("{time:.3}"))
}
