//! The pages of a large recording in a browser, beside speedscope on the same samples.

use super::long_trace;
use crate::workspace::Workspace;
use crate::{process, web};
use anyhow::{Context, Result};
use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use std::fs::File;
use std::io::{BufWriter, Read};

/// The recording that is repeated, and how large it becomes: a little more than a million samples.
const SHORT: &str = "fixtures/starvation.nettrace.zst";
const SIZE: u64 = 24_500_000;

/// Measures first pictures, zooming, filtering and the weight of a page.
pub(crate) fn page(workspace: &Workspace) -> Result<()> {
    println!("# page: a million samples in headless Chromium, speedscope on the same samples beside it");
    process::run(&mut workspace.cargo("build --quiet --release --locked --bin casebook"))?;
    web::install(workspace)?;
    let binary = workspace.release_binary();
    let recording = recording(workspace)?;
    let mut count = workspace.command(&binary);
    process::run(count.args(["query", recording.as_str(), "select count(*) as samples from samples"]))?;
    let profile = recording.with_extension("speedscope.json");
    let mut export = workspace.command(&binary);
    export.args(["export", recording.as_str(), "--to", "speedscope", "-o", profile.as_str()]);
    process::run(&mut export)?;
    let mut node = web::node(workspace);
    node.env("CASEBOOK", &binary).args(["bench/page.mjs", recording.as_str(), profile.as_str()]);
    process::run(&mut node)
}

/// The large recording, made on first use.
fn recording(workspace: &Workspace) -> Result<Utf8PathBuf> {
    let folder = workspace.target.join("bench");
    let path = folder.join("page.nettrace");
    if !path.exists() {
        std::fs::create_dir_all(&folder)?;
        let input = unpack(&workspace.root.join(SHORT))?;
        let part = folder.join("page.part");
        long_trace::write(&input, SIZE, &mut BufWriter::new(File::create(&part)?))?;
        std::fs::rename(&part, &path)?;
    }
    Ok(path)
}

fn unpack(path: &Utf8Path) -> Result<Vec<u8>> {
    let mut reader =
        zstd::stream::read::Decoder::new(File::open(path).with_context(|| format!("no {path}"))?)?;
    reader.window_log_max(27)?;
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    Ok(bytes)
}
