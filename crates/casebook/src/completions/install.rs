//! Writes a completion script to where the shell of the user finds it by itself.

use super::scripts::asking;
use crate::outputs::{Outputs, write_whole};
use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use clap_complete::Shell;
use exhibit::{Place, Rules};
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// In one of the first lines of every script that we write, of any version.
const OURS: &str = "written by `casebook completions`";
/// How much of an earlier file is read.
const MAX_BYTES: u64 = 1 << 20;

/// Writes the script for a shell, else for that of `$SHELL`. Returns what to tell the user.
pub(super) fn install(shell: Option<Shell>) -> Result<Vec<String>> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let shell = match shell {
        Some(shell) => shell,
        None => of_name(variable("SHELL").as_deref())?,
    };
    let Some(script) = asking(shell) else {
        bail!(
            "--install is for bash, zsh and fish: load the output of `casebook completions {shell}` in the start file of your shell"
        );
    };
    let home = variable("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let home = home
        .context("the variable HOME names no folder: print the script with `casebook completions SHELL`")?;
    let path = place(shell, &home, &variable)?;
    let rules = rules(&home);
    let is_new = write(&path, script, rules)?;
    let wrote = if is_new { "wrote" } else { "up to date:" };
    let mut lines = vec![format!("{wrote} {}", path.display())];
    lines.extend(next(shell, &path));
    if !is_in_path(variable("PATH").as_deref()) {
        lines.push(
            "the script runs `casebook`, which is not in your PATH: copy the program to a folder of it"
                .to_owned(),
        );
    }
    Ok(lines)
}

/// The shell that `$SHELL` names, such as `/usr/bin/fish`.
fn of_name(path: Option<&OsStr>) -> Result<Shell> {
    let name = path.and_then(|path| Path::new(path).file_name()).unwrap_or_default().to_string_lossy();
    Shell::from_str(&name, false).ok().with_context(|| {
        format!("$SHELL names no shell that is known here (`{name}`): add bash, zsh or fish to the command")
    })
}

/// Where a shell looks for the script. Where zsh looks is known to zsh alone, so this is a usual place.
fn place(shell: Shell, home: &Path, variable: &dyn Fn(&str) -> Option<OsString>) -> Result<PathBuf> {
    let base = |name: &str, usual: &str| {
        let named = variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        named.unwrap_or_else(|| home.join(usual))
    };
    let data = || base("XDG_DATA_HOME", ".local/share");
    match shell {
        Shell::Bash => {
            // One folder, or several of which the first comes first.
            let named = variable("BASH_COMPLETION_USER_DIR");
            let first = named.as_deref().and_then(|named| std::env::split_paths(named).next());
            let folder = first.filter(|path| path.is_absolute());
            Ok(folder.unwrap_or_else(|| data().join("bash-completion")).join("completions/casebook"))
        }
        Shell::Zsh => Ok(data().join("zsh/site-functions/_casebook")),
        Shell::Fish => Ok(base("XDG_CONFIG_HOME", ".config").join("fish/completions/casebook.fish")),
        other => bail!("where {other} looks for completions is not known"),
    }
}

/// In a home folder of root, root owns what is written, also under `sudo`: its shell runs the script.
fn rules(home: &Path) -> Rules {
    let own = rustix::process::geteuid().as_raw();
    let is_own = std::fs::metadata(home).is_ok_and(|of| of.uid() == own);
    if is_own { Rules::PRIVATE } else { Outputs::default().rules() }
}

/// Writes the script unless it is there already. A file that we did not write is not replaced.
fn write(path: &Path, script: &str, rules: Rules) -> Result<bool> {
    let place = Place::with_folders(path, rules)?;
    // Refuses links and files of other users.
    if place.kind()?.is_some() {
        let file = exhibit::open_regular(path).with_context(|| format!("cannot read {}", path.display()))?;
        let file =
            file.with_context(|| format!("{} is not a regular file: remove it first", path.display()))?;
        let mut before = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut before)?;
        if before == script.as_bytes() {
            return Ok(false);
        }
        let head = String::from_utf8_lossy(&before);
        ensure!(
            head.lines().take(3).any(|line| line.contains(OURS)),
            "{} exists and was not written by `casebook completions --install`: remove it first",
            path.display()
        );
    }
    write_whole(path, rules, |out| Ok(out.write_all(script.as_bytes())?))?;
    Ok(true)
}

/// What the user has to do next.
fn next(shell: Shell, path: &Path) -> Vec<String> {
    let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
    match shell {
        Shell::Bash => {
            vec![format!("start a new shell (with the package bash-completion), or: source {}", quoted(path))]
        }
        Shell::Zsh => {
            let folder = quoted(path.parent().unwrap_or(path));
            vec![
                "start a new shell; if it does not complete, add these lines to ~/.zshrc:".to_owned(),
                format!("  fpath=({folder} $fpath)"),
                "  autoload -Uz compinit && compinit".to_owned(),
            ]
        }
        _ => vec!["start a new shell".to_owned()],
    }
}

fn is_in_path(path: Option<&OsStr>) -> bool {
    path.is_some_and(|path| std::env::split_paths(path).any(|folder| folder.join("casebook").is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_says_that_it_is_ours() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = asking(shell).unwrap();
            assert!(script.lines().take(3).any(|line| line.contains(OURS)), "{shell}");
        }
    }

    #[test]
    fn the_shell_is_that_of_the_user() {
        let check =
            |path: &str, expected| assert_eq!(of_name(Some(OsStr::new(path))).ok(), expected, "{path}");
        check("/usr/bin/fish", Some(Shell::Fish));
        check("zsh", Some(Shell::Zsh));
        check("/bin/dash", None);
        check("", None);
        assert!(of_name(None).is_err());
    }
}
