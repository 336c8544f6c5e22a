//! What a release consists of, in `target/dist`: the static program in a `.tar.gz` with manual pages and completions, a
//! Debian package, and checksums of both.
//!
//! It needs the target's standard library (`rustup target add`), a C compiler for it (Debian: `musl-tools`) and `cargo-deb`.

use crate::workspace::Workspace;
use crate::{binary, process};
use anyhow::{Context, Result};
use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use std::fs;

/// The flags of the task.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The machine that the program is for
    #[arg(long, default_value = "x86_64-unknown-linux-musl")]
    target: String,
    /// Leave the Debian package out, which needs cargo-deb
    #[arg(long)]
    no_deb: bool,
}

/// Files of the project that belong to the program wherever it goes, with everything that the documents link to.
const PAPERS: [&str; 10] = [
    "README.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "Containerfile",
    "deny.toml",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "docs",
];

/// Completion scripts: the shell, and the name under which it looks for them.
const COMPLETIONS: [(&str, &str); 3] =
    [("bash", "casebook.bash"), ("zsh", "_casebook"), ("fish", "casebook.fish")];

/// Builds the program and packs it. The program has to run here, since it prints its own manual pages.
pub(crate) fn make(args: &Args, workspace: &Workspace) -> Result<()> {
    let target = &args.target;
    let mut build = workspace.cargo("build --release --locked --package casebook");
    process::run(build.args(["--target", target]))?;
    let binary = workspace.target.join(target).join("release/casebook");
    binary::check_static(workspace, &binary)?;
    binary::check_size(&binary)?;
    // Its allocator and its copying of bytes are its own, so no test of the other targets has run them.
    let recording = workspace.root.join("fixtures/starvation.nettrace.zst");
    process::output(workspace.command(binary.as_str()).args(["explain", recording.as_str()]))?;

    let dist = workspace.target.join("dist");
    if dist.exists() {
        fs::remove_dir_all(&dist).with_context(|| format!("cannot empty {dist}"))?;
    }
    write_pages(workspace, &binary, &dist)?;
    let package = workspace.metadata.packages.iter().find(|package| package.name.as_str() == "casebook");
    let version = &package.context("the workspace has no package casebook")?.version;
    let mut made = vec![pack(workspace, &binary, &dist, &format!("casebook-{version}-{target}"))?];
    if !args.no_deb {
        let mut deb = workspace.cargo("deb --no-build --no-strip --package casebook");
        process::run(deb.args(["--target", target, "--output"]).arg(&dist))?;
        made.extend(files(&dist)?.into_iter().filter(|file| Utf8Path::new(file).extension() == Some("deb")));
    }
    let sums = process::output(workspace.command("sha256sum").current_dir(&dist).args(&made))?;
    fs::write(dist.join(format!("SHA256SUMS-{target}")), &sums)?;
    for file in &made {
        let bytes = fs::metadata(dist.join(file))?.len();
        println!("target/dist/{file}: {bytes} bytes");
    }
    Ok(())
}

/// Manual pages and completions, as the program prints them.
fn write_pages(workspace: &Workspace, binary: &Utf8Path, dist: &Utf8Path) -> Result<()> {
    let (man, completions) = (dist.join("man"), dist.join("completions"));
    fs::create_dir_all(&man)?;
    fs::create_dir_all(&completions)?;
    let print = |arguments: &[&str]| process::output(workspace.command(binary).args(arguments));
    for page in String::from_utf8(print(&["manual", "--list"])?)?.lines() {
        let command = page.strip_prefix("casebook-");
        let text = print(&["manual"].into_iter().chain(command).collect::<Vec<_>>())?;
        fs::write(man.join(format!("{page}.1")), text)?;
    }
    for (shell, name) in COMPLETIONS {
        fs::write(completions.join(name), print(&["completions", shell])?)?;
    }
    Ok(())
}

/// One folder with everything, as `NAME.tar.gz`; the same input gives the same bytes. Returns the file's name.
fn pack(workspace: &Workspace, binary: &Utf8Path, dist: &Utf8Path, name: &str) -> Result<String> {
    let folder = dist.join(name);
    fs::create_dir_all(&folder)?;
    fs::copy(binary, folder.join("casebook"))?;
    for paper in PAPERS {
        process::run(workspace.command("cp").arg("-r").arg(workspace.root.join(paper)).arg(&folder))
            .with_context(|| format!("cannot copy {paper}"))?;
    }
    process::run(
        workspace.command("cp").arg("-r").arg(dist.join("man")).arg(dist.join("completions")).arg(&folder),
    )?;
    let file = format!("{name}.tar.gz");
    let mut tar = workspace.command("tar");
    tar.current_dir(dist).args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0"]);
    process::run(tar.args(["--create", "--gzip", "--file", &file, name]))?;
    fs::remove_dir_all(&folder)?;
    Ok(file)
}

/// The names of the files in a folder, in order.
fn files(folder: &Utf8PathBuf) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in folder.read_dir_utf8()? {
        names.push(entry?.file_name().to_owned());
    }
    names.sort();
    Ok(names)
}
