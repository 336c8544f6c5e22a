//! How commands write: `--insecure-output`, `--max-size`, and the caller of `sudo`.

use crate::{size, terminal};
use anyhow::Context;
use exhibit::{Limited, MOST_BYTES, Rules};
use std::io::Write;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// What is allowed of the place that a command writes to.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct Outputs {
    /// Write also where another user could exchange what is written: into a folder that others may write to, or over
    /// what belongs to somebody else
    #[arg(long)]
    insecure_output: bool,
}

impl Outputs {
    /// How it writes: readable by its owner alone, who is the caller if we run under `sudo`.
    pub(crate) fn rules(self) -> Rules {
        let [uid, gid] = ["SUDO_UID", "SUDO_GID"].map(std::env::var_os);
        Rules::PRIVATE.for_caller(uid.as_deref(), gid.as_deref()).insecure(self.insecure_output)
    }
}

/// How large an output may be. Small files can stand for very large answers.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct MaxSize {
    /// How large the output may be, all of its files together; beyond it, it ends with an error, and so it does before the
    /// disk is full [default: 10GB]
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    max_size: Option<u64>,
}

impl MaxSize {
    fn bytes(self) -> u64 {
        self.max_size.unwrap_or(MOST_BYTES)
    }

    /// The rules, with this limit.
    pub(crate) fn rules(self, outputs: Outputs) -> Rules {
        outputs.rules().at_most(self.bytes())
    }

    /// Standard output, up to this limit.
    pub(crate) fn limit<W: Write>(self, out: W) -> Limited<W> {
        Limited::stream(out, self.bytes())
    }
}

/// Until it is dropped, somebody waits for a reader of a pipe that has a name: after a second that is said.
pub(crate) struct Waiting {
    _opened: Option<SyncSender<()>>,
}

impl Waiting {
    /// Begins to wait, if a pipe is there.
    pub(crate) fn for_reader(path: &Path) -> anyhow::Result<Self> {
        const UNTIL_SAID: Duration = Duration::from_secs(1);
        if !std::fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_fifo()) {
            return Ok(Self { _opened: None });
        }
        let (opened, is_opened) = sync_channel::<()>(1);
        let said = format!("waits for a reader of {}, which is a pipe", path.display());
        let wait = move || {
            if is_opened.recv_timeout(UNTIL_SAID) == Err(RecvTimeoutError::Timeout) {
                terminal::say(&said);
            }
        };
        std::thread::Builder::new().name("reader".to_owned()).spawn(wait).context("cannot start a thread")?;
        Ok(Self { _opened: Some(opened) })
    }
}
