//! The shape of a scenario file: what its tables and keys are called. What they mean is decided in [`super::compile`].

use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// A scenario file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ScenarioFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) allow: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<toml::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) duration: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) slo: Vec<String>,
    #[serde(skip_serializing_if = "toml::Table::is_empty")]
    pub(crate) variables: toml::Table,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) csv: Vec<CsvFile>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) request: Vec<RequestFile>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) flow: Vec<FlowFile>,
}

/// Reads how often a request or flow is chosen, beside the others.
fn weight<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a weight is a whole number, such as 3")]
    enum Weight {
        Whole(u32),
    }
    Weight::deserialize(from).map(|Weight::Whole(weight)| Some(weight))
}

/// `[[csv]]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CsvFile {
    pub(crate) file: String,
    #[serde(default)]
    pub(crate) order: Order,
}

/// In which order rows are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Order {
    #[default]
    File,
    Random,
}

/// `[[flow]]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FlowFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "weight")]
    pub(crate) weight: Option<u32>,
    pub(crate) step: Vec<RequestFile>,
}

/// `[[request]]` or `[[flow.step]]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RequestFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// Of a single request only: a flow has its own.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "weight")]
    pub(crate) weight: Option<u32>,
    /// Of a step only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) think: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<String>,
    pub(crate) path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) body_file: Option<String>,
    /// Each value is a text, or a list of texts for a header that occurs several times.
    #[serde(skip_serializing_if = "toml::Table::is_empty")]
    pub(crate) headers: toml::Table,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expect: Option<ExpectFile>,
    /// Of a step only.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) extract: BTreeMap<String, ExtractFile>,
}

/// `expect`: what a response must be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ExpectFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<Statuses>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) body_contains: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) body_matches: Option<String>,
    #[serde(skip_serializing_if = "toml::Table::is_empty")]
    pub(crate) json: toml::Table,
}

/// One status, or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a status such as 200, or several: [200, 201]")]
pub(crate) enum Statuses {
    One(u16),
    Several(Vec<u16>),
}

/// Where a value is taken from: one of these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ExtractFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) json: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) header: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) regex: Option<String>,
}
