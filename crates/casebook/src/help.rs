//! The help of all commands, as wide as the terminal.

use text::Width;

/// The command with help of this width, and all commands in it. Their examples are fitted before clap wraps the rest.
pub(crate) fn fitted(command: clap::Command, width: Width) -> clap::Command {
    let examples = command.get_after_help().map(|text| text::help::fitted(&text.to_string(), width));
    let command = match examples {
        Some(examples) => command.after_help(examples),
        None => command,
    };
    command.term_width(width.prose()).mut_subcommands(|command| fitted(command, width))
}
