//! `xtask/services/behaviours.toml`: what each behaviour of the services is, and what an expert concludes.

use super::load::Group;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;

/// One behaviour; the file's head says what the fields mean.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Behaviour {
    pub(super) name: String,
    pub(super) service: String,
    #[serde(default)]
    pub(super) environment: BTreeMap<String, String>,
    pub(super) load: Vec<Group>,
    #[serde(default = "warmup")]
    pub(super) warmup: u64,
    #[serde(flatten)]
    pub(super) label: Label,
}

/// What is right to conclude.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Label {
    #[serde(default)]
    pub(super) first: Vec<String>,
    #[serde(default, rename = "where")]
    pub(super) places: Vec<String>,
    #[serde(default)]
    pub(super) also: Vec<String>,
    #[serde(default)]
    pub(super) also_any: Vec<Vec<String>>,
    #[serde(default)]
    pub(super) never: Vec<String>,
    #[serde(default)]
    pub(super) notes: Vec<String>,
    #[serde(default)]
    pub(super) none_ok: bool,
    #[serde(default)]
    pub(super) states: Vec<String>,
    #[serde(default)]
    pub(super) healthy: bool,
    pub(super) about: String,
    pub(super) expert: String,
}

#[derive(Debug, Deserialize)]
struct Table {
    behaviour: Vec<Behaviour>,
}

fn warmup() -> u64 {
    5
}

/// All behaviours.
pub(super) fn read(workspace: &Workspace) -> Result<Vec<Behaviour>> {
    let path = workspace.root.join("xtask/services/behaviours.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let table: Table = toml::from_str(&text).with_context(|| format!("in {path}"))?;
    Ok(table.behaviour)
}
