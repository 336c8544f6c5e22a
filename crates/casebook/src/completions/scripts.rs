//! Scripts that ask the program what fits.

use clap_complete::Shell;

/// The script that asks the program, for shells that have one.
pub(super) fn asking(shell: Shell) -> Option<&'static str> {
    match shell {
        Shell::Bash => Some(include_str!("scripts/casebook.bash")),
        Shell::Zsh => Some(include_str!("scripts/casebook.zsh")),
        Shell::Fish => Some(include_str!("scripts/casebook.fish")),
        _ => None,
    }
}
