//! The project's own commands: `cargo xtask ci` runs what must pass before a change lands.

use anyhow::{Context, Result, bail};
use std::process::Command;

/// Each step of `ci`: its name and the arguments for cargo.
const STEPS: [(&str, &[&str]); 3] = [
    ("format", &["fmt", "--all", "--check"]),
    ("clippy", &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
    ("tests", &["test", "--workspace", "--locked"]),
];

fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("ci") => ci(),
        _ => bail!("usage: cargo xtask ci"),
    }
}

fn ci() -> Result<()> {
    for (name, arguments) in STEPS {
        let status = Command::new("cargo").args(arguments).status().context("cannot start cargo")?;
        if !status.success() {
            bail!("{name} failed: cargo {}", arguments.join(" "));
        }
    }
    Ok(())
}
