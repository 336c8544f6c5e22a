//! How commands write: `--insecure-output`, and the caller of `sudo`.

use exhibit::Rules;

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
