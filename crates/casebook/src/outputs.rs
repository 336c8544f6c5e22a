//! Where commands write, and how much: `--insecure-output`, `--max-size`, and files that belong to the caller of `sudo`.

use crate::{size, terminal, threads};
use exhibit::{Limited, MAX_BYTES, Rules};
use std::io::Write;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// Which places a command may write to.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct Outputs {
    /// Write even if another user could replace the output: into a folder that others may write to, or over a file or
    /// folder that belongs to someone else
    #[arg(long)]
    insecure_output: bool,
}

impl Outputs {
    /// The rules for new files: only their owner may read them, and under `sudo` the owner is the caller.
    pub(crate) fn rules(self) -> Rules {
        let [uid, gid] = ["SUDO_UID", "SUDO_GID"].map(std::env::var_os);
        Rules::PRIVATE.for_caller(uid.as_deref(), gid.as_deref()).insecure(self.insecure_output)
    }
}

/// How large an output may be. A small recording can expand to a very large answer.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct MaxSize {
    /// The maximum size of the output, all files together. A larger output ends with an error; so does one that would
    /// fill the disk [default: 10GB]
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    max_size: Option<u64>,
}

impl MaxSize {
    fn bytes(self) -> u64 {
        self.max_size.unwrap_or(MAX_BYTES)
    }

    /// The rules of the output, with this limit.
    pub(crate) fn rules(self, outputs: Outputs) -> Rules {
        outputs.rules().at_most(self.bytes())
    }

    /// Standard output, up to this limit.
    pub(crate) fn limit<W: Write>(self, out: W) -> Limited<W> {
        Limited::stream(out, self.bytes())
    }
}

/// Whether `-o` names standard output.
pub(crate) fn is_stdout(path: &Path) -> bool {
    path == Path::new("-") || path == Path::new("/dev/stdout")
}

/// Writes a file that appears when it is complete. Waits for a reader if it is a named pipe.
pub(crate) fn write_whole<T>(
    path: &Path,
    rules: Rules,
    write: impl FnOnce(&mut exhibit::Output<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let waiting = Waiting::for_reader(path)?;
    exhibit::write_whole(path, rules, |out| {
        drop(waiting);
        write(out)
    })
}

/// Opening a named pipe blocks until someone reads it. If that takes longer than a second, a message says so. Dropped
/// once the pipe is open.
pub(crate) struct Waiting {
    _opened: Option<SyncSender<()>>,
}

impl Waiting {
    /// Starts to wait if the path is a named pipe.
    pub(crate) fn for_reader(path: &Path) -> anyhow::Result<Self> {
        const PATIENCE: Duration = Duration::from_secs(1);
        if !std::fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_fifo()) {
            return Ok(Self { _opened: None });
        }
        let (opened, is_opened) = sync_channel::<()>(1);
        let message = format!("waits for a reader of {}, which is a pipe", path.display());
        threads::start("reader", move || {
            // Dropping the sender ends the wait without a message.
            if is_opened.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                terminal::say(&message);
            }
        })?;
        Ok(Self { _opened: Some(opened) })
    }
}
