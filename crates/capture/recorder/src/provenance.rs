//! What a recording writes into `exhibit.toml`: its subject, its sessions, and what it cost.
//!
//! The file exists from the beginning, with `state = "recording"`, so that even a recording that was killed names its
//! subject.

use crate::budget::LimitsReached;
use crate::cost::Cost;
use crate::error::Error;
use crate::file::Written;
use crate::profile::Plan;
use crate::subject::Subject;
use dotnet_ipc::session::Provider;
use exhibit::{FileEntry, Manifest};
use serde::Serialize;
use std::time::SystemTime;

/// The `sessions` table: the sessions of the recording.
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

/// The manifest of a recording that begins.
pub(crate) fn begun(options: &crate::RecordOptions, subject: &Subject) -> Result<Manifest, Error> {
    let Plan { main, bursts } = &options.plan;
    // A time that does not fit is far longer than any recording.
    let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let mut exhibit = Manifest {
        kind: Some("nettrace".to_owned()),
        tool: Some(options.tool.clone()),
        command: Some(options.command.clone()),
        profile: Some(options.profile.clone()),
        start: Some(rfc3339(base::time::calendar())),
        state: Some("recording".to_owned()),
        subject: exhibit::SubjectEntry {
            name: Some(subject.name.clone()),
            pid: subject.pid.map(u64::from),
            container_pid: Some(subject.container_pid),
            command_line: Some(subject.command_line.clone()),
            runtime: subject.runtime.clone(),
            os: subject.os.clone(),
            arch: subject.arch.clone(),
            container: subject.container.clone(),
            environment: subject.environment.iter().cloned().collect(),
        },
        ..Manifest::default()
    };
    let sessions = Sessions {
        main: main.iter().map(written).collect(),
        bursts: bursts.iter().flat_map(|bursts| bursts.providers.iter().map(written)).collect(),
        burst_every_ms: bursts.as_ref().map(|bursts| millis(bursts.every)),
        burst_length_ms: bursts.as_ref().map(|bursts| millis(bursts.length)),
        keep_seconds: options.keep.map(|keep| keep.as_secs()),
    };
    exhibit.set_part("sessions", &sessions)?;
    Ok(exhibit)
}

/// Adds how the recording ended, its cost, the limits that it reached, and its files.
pub(crate) fn end(
    exhibit: &mut Manifest,
    state: &str,
    cost: Cost,
    limits: Option<LimitsReached>,
    files: &[Written],
) -> Result<(), Error> {
    exhibit.end = Some(rfc3339(base::time::calendar()));
    exhibit.state = Some(state.to_owned());
    exhibit.files = files.iter().map(listed).collect();
    exhibit.set_part("cost", &cost)?;
    if let Some(limits) = limits {
        exhibit.set_part("limits", &limits)?;
    }
    Ok(())
}

fn listed(file: &Written) -> FileEntry {
    FileEntry {
        name: file.name.clone(),
        bytes: Some(file.bytes),
        raw_bytes: Some(file.raw_bytes),
        blake3: Some(file.blake3.clone()),
    }
}

/// A provider as it is written on a command line.
fn written(provider: &Provider) -> String {
    let Provider { name, keywords, level, arguments } = provider;
    let colon = if arguments.is_empty() { "" } else { ":" };
    format!("{name}:{keywords:#x}:{level}{colon}{arguments}")
}

fn rfc3339(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).map_or_else(|_no_date| String::new(), |time| format!("{time:.3}"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::profile::Bursts;
    use exhibit::{Folder, ReadOutcome};
    use std::time::Duration;

    /// The text up to `state`, with fixed times.
    const BEGUN: &str = r#"kind = "nettrace"
tool = "casebook 0.1"
command = "casebook record"
profile = "usual"
start = "2026-01-01T00:00:00.000Z"
"#;
    const SUBJECT_AND_SESSIONS: &str = r#"
[subject]
name = "orders"
pid = 4711
container_pid = 1
command_line = 'dotnet "Orders".dll'
runtime = "8.0.1"
arch = "x64"
container = "c1"

[subject.environment]
DOTNET_gcServer = "1"

[sessions]
main = ["A:0x1f:4:k=v", "B:0x1f:4"]
bursts = ["S:0x1f:4"]
burst_every_ms = 2000
burst_length_ms = 200
keep_seconds = 60
"#;
    const COST_AND_FILES: &str = r#"
[cost]
cpu_during = 0.25
cpu_limit = 2.0
saturated = true
rundown_seconds = 0.0
bytes_per_second = 1234.5678
sampled_share = 0.1
events_lost = 3

[[files]]
name = "trace.nettrace.zst"
bytes = 10
raw_bytes = 100
blake3 = "ab"

[[files]]
name = "host.csv"
bytes = 5
raw_bytes = 5
blake3 = "cd"
"#;

    fn subject() -> Subject {
        Subject {
            pid: Some(4711),
            container_pid: 1,
            start_ticks: None,
            name: "orders".to_owned(),
            command_line: "dotnet \"Orders\".dll".to_owned(),
            runtime: Some("8.0.1".to_owned()),
            os: None,
            arch: Some("x64".to_owned()),
            container: Some("c1".to_owned()),
            environment: vec![("DOTNET_gcServer".to_owned(), "1".to_owned())],
            endpoint: dotnet_ipc::Endpoint::named("/socket"),
            suspended: false,
        }
    }

    pub(crate) fn options() -> crate::RecordOptions {
        let provider = |name: &str, arguments: &str| Provider {
            name: name.to_owned(),
            keywords: 0x1f,
            level: 4,
            arguments: arguments.to_owned(),
        };
        let bursts = Bursts {
            providers: vec![provider("S", "")],
            every: Duration::from_secs(2),
            length: Duration::from_millis(200),
        };
        crate::RecordOptions {
            out: "orders".into(),
            shape: crate::OutputShape::Folder,
            plan: Plan { main: vec![provider("A", "k=v"), provider("B", "")], bursts: Some(bursts) },
            profile: "usual".to_owned(),
            duration: None,
            keep: Some(Duration::from_mins(1)),
            most_bytes: crate::MAX_BYTES,
            force: false,
            rules: exhibit::Rules::PRIVATE,
            buffer_megabytes: None,
            tool: "casebook 0.1".to_owned(),
            command: "casebook record".to_owned(),
        }
    }

    #[test]
    fn other_tools_find_the_same_keys_in_the_same_order() {
        let there = tempfile::tempdir().unwrap();
        let folder = Folder::open(there.path()).unwrap();
        let text = || std::fs::read_to_string(there.path().join(exhibit::FILE)).unwrap();
        let mut exhibit = begun(&options(), &subject()).unwrap();
        exhibit.start = Some("2026-01-01T00:00:00.000Z".to_owned());
        let old = exhibit::ManifestFile::new(exhibit.create_in(&folder).unwrap()).unwrap();
        assert_eq!(text(), format!("{BEGUN}state = \"recording\"\n{SUBJECT_AND_SESSIONS}"));
        let cost = Cost {
            cpu_during: Some(0.25),
            cpu_limit: Some(2.0),
            saturated: true,
            bytes_per_second: 1234.5678,
            sampled_share: 0.1,
            events_lost: 3,
            ..Cost::default()
        };
        let file = |name: &str, bytes, raw_bytes, blake3: &str| Written {
            name: name.to_owned(),
            bytes,
            raw_bytes,
            blake3: blake3.to_owned(),
        };
        let files = [file("trace.nettrace.zst", 10, 100, "ab"), file("host.csv", 5, 5, "cd")];
        end(&mut exhibit, "complete", cost, None, &files).unwrap();
        exhibit.end = Some("2026-01-01T00:00:10.000Z".to_owned());
        exhibit.replace_in(&folder, &old).unwrap();
        let ended = "end = \"2026-01-01T00:00:10.000Z\"\nstate = \"complete\"\n";
        assert_eq!(text(), format!("{BEGUN}{ended}{SUBJECT_AND_SESSIONS}{COST_AND_FILES}"));
        assert_eq!(exhibit::read(there.path()), ReadOutcome::Read(Box::new(exhibit)));
    }
}
