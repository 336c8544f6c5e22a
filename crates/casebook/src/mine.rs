//! Which code is the user's own, by `--my` or by the configuration.

use crate::config::Config;
use crate::terminal;
use anyhow::{Context, Result};
use report::Explanation;
use runtime::MyCode;

/// The option of commands that distinguish the user's code from everything else.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Mine {
    /// Which code is yours: a module, namespace or type, with the wildcards * and ? (repeatable). Findings then point to
    /// your methods. You are warned if a pattern matches no method [default: `my` in ~/.config/casebook/config.toml, else
    /// all code except .NET and well-known packages]
    #[arg(long = "my", value_name = "PATTERN")]
    my: Vec<String>,
}

impl Mine {
    /// Which code the user says is theirs.
    pub(crate) fn code(&self, config: &Config) -> Result<MyCode> {
        if self.my.is_empty() { Ok(config.my()) } else { MyCode::new(&self.my).context("--my") }
    }
}

/// Prints the notes of the verdict, such as which patterns were ignored. For commands whose output does not begin with it.
pub(crate) fn warn(explanation: &Explanation) {
    for note in explanation.verdict.iter().flat_map(|verdict| &verdict.notes) {
        terminal::say(note);
    }
}
