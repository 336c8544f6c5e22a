//! Which code is the user's own, by `--my` or by the configuration.
//!
//! The configuration is `casebook/config.toml` in `$XDG_CONFIG_HOME`, by default `~/.config`. It is optional, but one that
//! cannot be read is an error that names its file and line.

use crate::terminal;
use anyhow::{Context, Result, ensure};
use base::steering::without_quotes;
use report::Explanation;
use runtime::MyCode;
use serde::Deserialize;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The maximum size of the configuration.
const MAX_BYTES: u64 = 1 << 20;

/// The option of commands that distinguish the user's code from everything else.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Mine {
    /// Which code is yours: a module, namespace or type, with the wildcards * and ? (repeatable). Findings then point to
    /// your methods. You are warned if a pattern matches no method [default: `my` in ~/.config/casebook/config.toml, else
    /// all code except .NET and well-known packages]
    #[arg(long = "my", value_name = "PATTERN")]
    my: Vec<String>,
}

/// The user's configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Patterns of what is the user's code.
    #[serde(default)]
    my: Vec<String>,
}

impl Mine {
    /// Which code the user says is theirs.
    pub(crate) fn code(&self) -> Result<MyCode> {
        if self.my.is_empty() {
            let file = config_file(std::env::var_os("XDG_CONFIG_HOME"), std::env::var_os("HOME"));
            file.map_or_else(|| Ok(MyCode::default()), |file| configured(&file))
        } else {
            MyCode::new(&self.my).context("--my")
        }
    }
}

/// Prints the notes of the verdict, such as which patterns were ignored. For commands whose output does not begin with it.
pub(crate) fn warn(explanation: &Explanation) {
    for note in explanation.verdict.iter().flat_map(|verdict| &verdict.notes) {
        terminal::say(note);
    }
}

/// The path of the configuration. Relative folders are ignored, as the XDG specification asks.
fn config_file(config_home: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let absolute = |folder: OsString| Some(PathBuf::from(folder)).filter(|folder| folder.is_absolute());
    let folder = config_home
        .and_then(absolute)
        .or_else(|| home.and_then(absolute).map(|home| home.join(".config")))?;
    Some(folder.join("casebook").join("config.toml"))
}

/// Reads the configuration. It is empty if there is no such file.
fn configured(file: &Path) -> Result<MyCode> {
    let known = match std::fs::metadata(file) {
        Err(error)
            if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) =>
        {
            return Ok(MyCode::default());
        }
        known => known.with_context(|| file.display().to_string())?,
    };
    ensure!(known.is_file(), "{}: expected a file", file.display());
    ensure!(known.len() <= MAX_BYTES, "{}: larger than {MAX_BYTES} bytes", file.display());
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let line_of = |at: usize| 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
    let config: Config = toml::from_str(&text).map_err(|error| {
        // An error about the file as a whole has no span.
        let line = error.span().map_or(1, |span| line_of(span.start));
        anyhow::anyhow!("{}:{line}: {}", file.display(), without_quotes(error.message()))
    })?;
    let line = text.find("my").map_or(1, line_of);
    let my = MyCode::new(&config.my).with_context(|| format!("{}:{line}: my", file.display()))?;
    Ok(my.for_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_where_xdg_says_and_a_relative_place_is_none() {
        let check = |config: Option<&str>, home: Option<&str>, expected: Option<&str>| {
            let found = config_file(config.map(OsString::from), home.map(OsString::from));
            assert_eq!(found.as_deref(), expected.map(Path::new));
        };
        check(Some("/c"), Some("/users/a"), Some("/c/casebook/config.toml"));
        check(None, Some("/users/a"), Some("/users/a/.config/casebook/config.toml"));
        check(Some("relative"), Some("/users/a"), Some("/users/a/.config/casebook/config.toml"));
        check(None, None, None);
    }

    #[test]
    fn a_broken_configuration_is_an_error_with_its_file_and_line_and_none_is_fine() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        assert!(configured(&file).unwrap().is_empty());
        let check = |text: &str, line: usize, about: &str| {
            std::fs::write(&file, text).unwrap();
            let error = format!("{:#}", configured(&file).unwrap_err());
            assert!(error.contains(&format!("config.toml:{line}:")) && error.contains(about), "{error}");
        };
        check("# mine\nmy = [\"Orders.*\"\n", 2, "");
        check("# mine\nmine = [\"Orders.*\"]\n", 2, "expected `my`");
        check("\n\nmy = \"Orders.*\"\n", 3, "");
        check("my = [\"\"]\n", 1, "is not a pattern");
        std::fs::write(&file, "my = [\"Orders.*\", \"Billing.*\"]\n").unwrap();
        assert!(!configured(&file).unwrap().is_empty());
    }
}
