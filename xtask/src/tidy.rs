//! `cargo xtask tidy`: what the compiler does not check about the tree.
//!
//! The checks are functions over strings, one module a subject; only this file reads the tree. It judges the files that
//! git tracks and those that would be added, so that a problem shows before the commit and build folders stay out.

mod arrows;
mod circles;
mod links;
mod modules;
mod problem;
mod reasons;
mod supply;
mod text;
mod words;

use crate::process;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use cargo_metadata::camino::Utf8Path;
use cargo_metadata::{DependencyKind, Metadata, Package};
use problem::Problem;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// Prints every problem, a line each. Whether there was none.
pub(crate) fn run(workspace: &Workspace) -> Result<bool> {
    let problems = problems(workspace)?;
    for problem in &problems {
        println!("{problem}");
    }
    println!("tidy: {} problems", problems.len());
    Ok(problems.is_empty())
}

fn problems(workspace: &Workspace) -> Result<BTreeSet<Problem>> {
    let mut problems = BTreeSet::new();
    problems.extend(arrows::check(&members(&workspace.metadata)?));
    let deny = fs::read_to_string(workspace.root.join(supply::DENY)).context("cannot read deny.toml")?;
    let allowed = supply::allowed(&deny)?;
    for package in supply::packages()? {
        let name = format!("{} {}", package.name, package.version);
        problems.extend(supply::licence(&name, package.license.as_deref(), &allowed));
    }
    let files = files(workspace)?;
    let mut sources = BTreeMap::new();
    let mut rust = BTreeMap::new();
    for path in &files {
        let bytes = fs::read(workspace.root.join(path)).with_context(|| format!("cannot read {path}"))?;
        // A zero makes a file binary, by the rule that git follows too.
        if bytes.contains(&0) {
            continue;
        }
        let text = String::from_utf8_lossy(&bytes);
        problems.extend(text::machine_paths(path, &text));
        if !path.starts_with("xtask/src/tidy/words") {
            problems.extend(words::check(path, &text));
        }
        if path == "Cargo.toml" {
            problems.extend(reasons::check(path, &text));
        }
        match Utf8Path::new(path).file_name() {
            Some("Cargo.lock") => problems.extend(supply::sources(path, &text)),
            Some("package-lock.json") => problems.extend(supply::npm(path, &text, &allowed)?),
            _ => {}
        }
        match Utf8Path::new(path).extension() {
            Some("rs") => {
                problems.extend(text::module_doc(path, &text));
                problems.extend(text::length(path, &text));
                sources.insert(path.clone(), modules::named(&text));
                rust.insert(path.clone(), text.into_owned());
            }
            Some("md") => problems.extend(links::check(path, &text, &files)),
            _ => {}
        }
    }
    problems.extend(modules::check(&sources));
    for member in members(&workspace.metadata)? {
        problems.extend(circles::check(&format!("{}/src", member.folder), &rust)?);
    }
    Ok(problems)
}

/// The files of the tree, relative to its root. A tracked file that was just removed is not one.
fn files(workspace: &Workspace) -> Result<BTreeSet<String>> {
    let mut git = workspace.command("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let listed = process::output(&mut git).context("tidy judges the files that git lists")?;
    let paths = listed.split(|byte| *byte == 0).map(|path| String::from_utf8_lossy(path).into_owned());
    Ok(paths.filter(|path| !path.is_empty() && workspace.root.join(path).is_file()).collect())
}

fn members(metadata: &Metadata) -> Result<Vec<arrows::Member>> {
    metadata
        .workspace_packages()
        .into_iter()
        .map(|package| member(package, &metadata.workspace_root))
        .collect()
}

fn member(package: &Package, root: &Utf8Path) -> Result<arrows::Member> {
    let manifest_path = &package.manifest_path;
    let manifest =
        fs::read_to_string(manifest_path).with_context(|| format!("cannot read {manifest_path}"))?;
    let folder = manifest_path.parent().unwrap_or(root);
    let own = package.dependencies.iter().filter(|dependency| dependency.path.is_some());
    Ok(arrows::Member {
        name: package.name.to_string(),
        folder: folder.strip_prefix(root).unwrap_or(folder).to_string(),
        manifest,
        arrows: own
            .map(|dependency| arrows::Arrow {
                to: dependency.name.clone(),
                in_tests_only: dependency.kind == DependencyKind::Development,
            })
            .collect(),
    })
}
